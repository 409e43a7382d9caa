//! Slices: a shared array, and the part of it that this slice shows.

use std::cell::RefCell;
use std::rc::Rc;

use super::Value;
use super::growth::{Layout, appended, grown};

/// The element type of a slice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Elem {
    /// `interface {}`
    Any,
    /// `string`
    Str,
    /// `int`
    Int,
    /// `[]interface {}`
    List,
}

impl Elem {
    fn layout(self) -> Layout {
        match self {
            Self::Any | Self::Str => Layout { size: 16, pointers: true },
            Self::Int => Layout { size: 8, pointers: false },
            Self::List => Layout { size: 24, pointers: true },
        }
    }

    /// What fills the room behind a slice.
    fn zero(self) -> Value {
        match self {
            Self::Any => Value::Nil,
            Self::Str => Value::str(""),
            Self::Int => Value::Int(0),
            Self::List => Value::List(List::nil(Self::Any)),
        }
    }
}

/// A slice of any type but `[]uint8`.
#[derive(Clone, Debug)]
pub(crate) struct List {
    elem: Elem,
    /// `None` is Go's nil slice.
    array: Option<Rc<Array>>,
    start: usize,
    len: usize,
}

#[derive(Debug)]
struct Array(RefCell<Vec<Value>>);

impl Drop for Array {
    fn drop(&mut self) {
        super::dict::dismantle(std::mem::take(self.0.get_mut()));
    }
}

impl List {
    /// A slice over a new array.
    pub(crate) fn new(elem: Elem, items: Vec<Value>) -> Self {
        let items: Vec<Value> = items.into_iter().map(Value::boxed).collect();
        let len = items.len();
        Self { elem, array: Some(Rc::new(Array(RefCell::new(items)))), start: 0, len }
    }

    /// A slice whose elements were appended one by one to room for `room` of them.
    pub(crate) fn appended(elem: Elem, items: Vec<Value>, room: usize) -> Self {
        let capacity = appended(room, items.len(), elem.layout());
        Self::with_capacity(elem, items, capacity)
    }

    /// A slice whose last elements were appended at once to the `first` before them.
    pub(crate) fn extended(elem: Elem, items: Vec<Value>, first: usize) -> Self {
        let capacity = grown(first, items.len(), elem.layout());
        Self::with_capacity(elem, items, capacity)
    }

    /// A slice over a larger array, empty behind the elements.
    pub(crate) fn with_capacity(elem: Elem, mut items: Vec<Value>, capacity: usize) -> Self {
        let len = items.len();
        items.resize(capacity.max(len), elem.zero());
        Self { len, ..Self::new(elem, items) }
    }

    /// The nil slice.
    pub(crate) fn nil(elem: Elem) -> Self {
        Self { elem, array: None, start: 0, len: 0 }
    }

    /// The element type.
    pub(crate) fn elem(&self) -> Elem {
        self.elem
    }

    /// Whether it is the nil slice.
    pub(crate) fn is_nil(&self) -> bool {
        self.array.is_none()
    }

    /// How many elements it shows.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many it could show.
    pub(crate) fn capacity(&self) -> usize {
        self.array.as_ref().map_or(0, |array| array.0.borrow().len() - self.start)
    }

    /// The element at `index`.
    pub(crate) fn get(&self, index: usize) -> Option<Value> {
        if index >= self.len {
            return None;
        }
        self.array.as_ref().and_then(|array| array.0.borrow().get(self.start + index).cloned())
    }

    /// All elements.
    pub(crate) fn to_vec(&self) -> Vec<Value> {
        (0..self.len).filter_map(|index| self.get(index)).collect()
    }

    /// The part from `from` to `to` of the same array.
    pub(crate) fn part(&self, from: usize, to: usize) -> Self {
        Self {
            elem: self.elem,
            array: self.array.clone(),
            start: self.start + from,
            len: to - from,
        }
    }

    /// Sorts the elements where they lie, which every slice over the same array sees.
    pub(crate) fn sort_texts(&self) {
        let Some(array) = &self.array else { return };
        let mut items = array.0.borrow_mut();
        if let Some(shown) = items.get_mut(self.start..self.start + self.len) {
            shown.sort_by(|a, b| a.text().cmp(&b.text()));
        }
    }

    /// Gives the elements away if nothing else shares the array.
    pub(super) fn take_unshared(self) -> Vec<Value> {
        self.array
            .and_then(Rc::into_inner)
            .map(|array| std::mem::take(&mut *array.0.borrow_mut()))
            .unwrap_or_default()
    }
}
