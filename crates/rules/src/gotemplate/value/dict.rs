//! `map[string]interface {}`: shared by its clones, changed by `set` and `merge`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::Value;
use crate::gotemplate::text::GoStr;

/// A dictionary; its keys are kept in Go's printing order, that of their bytes.
#[derive(Clone, Debug)]
pub(crate) struct Dict(Rc<Entries>);

#[derive(Debug)]
struct Entries(RefCell<BTreeMap<GoStr, Value>>);

impl Drop for Entries {
    fn drop(&mut self) {
        dismantle(std::mem::take(self.0.get_mut()).into_values().collect());
    }
}

/// Frees values without recursing, so that deep nesting cannot exhaust the stack.
pub(super) fn dismantle(mut pending: Vec<Value>) {
    while let Some(value) = pending.pop() {
        match value {
            Value::List(list) => pending.extend(list.take_unshared()),
            Value::Dict(Some(dict)) => pending.extend(dict.take_unshared()),
            _ => {}
        }
    }
}

impl Dict {
    /// A dictionary of the entries.
    pub(crate) fn new(entries: BTreeMap<GoStr, Value>) -> Self {
        Self(Rc::new(Entries(RefCell::new(entries))))
    }

    /// How many entries it has.
    pub(crate) fn len(&self) -> usize {
        self.0.0.borrow().len()
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Value> {
        self.0.0.borrow().get(key).cloned()
    }

    /// Sets the value of a key.
    pub(crate) fn set(&self, key: GoStr, value: Value) {
        self.0.0.borrow_mut().insert(key, value.boxed());
    }

    /// Removes a key.
    pub(crate) fn remove(&self, key: &[u8]) {
        let removed = self.0.0.borrow_mut().remove(key);
        drop(removed);
    }

    /// Removes every key.
    pub(crate) fn clear(&self) {
        let removed = std::mem::take(&mut *self.0.0.borrow_mut());
        dismantle(removed.into_values().collect());
    }

    /// Every entry, by key.
    pub(crate) fn entries(&self) -> Vec<(GoStr, Value)> {
        self.0.0.borrow().iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// Whether both are the same dictionary, not merely equal ones.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    fn take_unshared(self) -> Vec<Value> {
        Rc::into_inner(self.0)
            .map(|entries| std::mem::take(&mut *entries.0.borrow_mut()).into_values().collect())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_nesting_is_freed_without_recursion() {
        let mut value = Value::Int(1);
        for depth in 0..200_000 {
            value = if depth % 2 == 0 {
                Value::list(vec![value])
            } else {
                Value::Dict(Some(Dict::new(BTreeMap::from([("k".into(), value)]))))
            };
        }
        drop(value);
    }
}
