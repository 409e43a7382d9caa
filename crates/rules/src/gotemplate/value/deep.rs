//! `reflect.DeepEqual` and deep copies.

use std::rc::Rc;

use super::{Dict, Fail, List, Value};
use crate::gotemplate::limits::{Budget, check_depth};
use crate::gotemplate::semver::Version;

/// `reflect.DeepEqual`: types must be the same, a nil slice is no empty one.
pub(crate) fn deep_equal(a: &Value, b: &Value, budget: &Budget) -> Result<bool, Fail> {
    equal_at(a, b, budget, 0)
}

#[allow(clippy::float_cmp)]
fn equal_at(a: &Value, b: &Value, budget: &Budget, depth: usize) -> Result<bool, Fail> {
    budget.step(1)?;
    check_depth(depth)?;
    Ok(match (a, b) {
        (Value::Invalid | Value::Nil | Value::NilError, _) => b.is_nothing(),
        (Value::Bool(x), Value::Bool(y)) => x == y,
        (Value::Int(x), Value::Int(y))
        | (Value::Int64(x), Value::Int64(y))
        | (Value::Month(x), Value::Month(y))
        | (Value::Weekday(x), Value::Weekday(y))
        | (Value::Duration(x), Value::Duration(y)) => x == y,
        (Value::Uint8(x), Value::Uint8(y)) => x == y,
        (Value::Uint64(x), Value::Uint64(y)) => x == y,
        (Value::Float(x), Value::Float(y)) => x == y,
        (Value::Complex(r, i), Value::Complex(s, j)) => r == s && i == j,
        (Value::Str(x), Value::Str(y))
        | (Value::Digest(x), Value::Digest(y))
        | (Value::Algorithm(x), Value::Algorithm(y)) => {
            budget.step(x.len() / 64)?;
            x == y
        }
        (Value::Location(x), Value::Location(y)) => x == y,
        (Value::Time(x), Value::Time(y)) => x == y,
        (Value::Version(x), Value::Version(y)) | (Value::VersionPtr(x), Value::VersionPtr(y)) => {
            x == y
        }
        (Value::Error(t, x), Value::Error(u, y)) => t == u && x == y,
        (Value::Hash(x), Value::Hash(y)) => x.type_name() == y.type_name() && x.sum() == y.sum(),
        (Value::Bytes(x), Value::Bytes(y)) => x == y,
        (Value::StrMap(x), Value::StrMap(y)) => x == y,
        (Value::List(x), Value::List(y)) => lists(x, y, budget, depth)?,
        (Value::Dict(x), Value::Dict(y)) => dicts(x.as_ref(), y.as_ref(), budget, depth)?,
        (Value::Platform(x), Value::Platform(y)) => match (x, y) {
            (Some(x), Some(y)) => {
                Rc::ptr_eq(x, y) || fields(&x.fields(), &y.fields(), budget, depth)?
            }
            _ => x.is_none() && y.is_none(),
        },
        (Value::Descriptor(x), Value::Descriptor(y)) => {
            fields(&x.fields(), &y.fields(), budget, depth)?
        }
        _ => false,
    })
}

fn lists(a: &List, b: &List, budget: &Budget, depth: usize) -> Result<bool, Fail> {
    if a.elem() != b.elem() || a.is_nil() != b.is_nil() || a.len() != b.len() {
        return Ok(false);
    }
    for index in 0..a.len() {
        if let (Some(x), Some(y)) = (a.get(index), b.get(index))
            && !equal_at(&x, &y, budget, depth + 1)?
        {
            return Ok(false);
        }
    }
    Ok(true)
}

fn dicts(a: Option<&Dict>, b: Option<&Dict>, budget: &Budget, depth: usize) -> Result<bool, Fail> {
    let (Some(a), Some(b)) = (a, b) else {
        return Ok(a.is_none() && b.is_none());
    };
    if a.is(b) {
        return Ok(true);
    }
    if a.len() != b.len() {
        return Ok(false);
    }
    for (key, x) in a.entries() {
        match b.get(&key) {
            Some(y) if equal_at(&x, &y, budget, depth + 1)? => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

fn fields(
    a: &[(&str, Value)],
    b: &[(&str, Value)],
    budget: &Budget,
    depth: usize,
) -> Result<bool, Fail> {
    for ((_, x), (_, y)) in a.iter().zip(b) {
        if !equal_at(x, y, budget, depth + 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `copystructure.Copy`: new lists and dictionaries all the way down.
pub(crate) fn deep_copy(value: &Value, budget: &Budget) -> Result<Value, Fail> {
    if value.is_nothing() {
        return Err("reflect: call of reflect.Value.Type on zero Value".into());
    }
    copy_at(value, budget, 0)
}

fn copy_at(value: &Value, budget: &Budget, depth: usize) -> Result<Value, Fail> {
    budget.elements(1)?;
    check_depth(depth)?;
    Ok(match value {
        Value::List(list) if !list.is_nil() => {
            let items = list
                .to_vec()
                .iter()
                .map(|item| copy_at(item, budget, depth + 1))
                .collect::<Result<_, _>>()?;
            Value::List(List::with_capacity(list.elem(), items, list.capacity()))
        }
        Value::Dict(Some(dict)) => {
            let entries = dict
                .entries()
                .into_iter()
                .map(|(key, item)| Ok((key, copy_at(&item, budget, depth + 1)?)));
            Value::Dict(Some(Dict::new(entries.collect::<Result<_, Fail>>()?)))
        }
        // Fields that are not exported are not copied, and a version has no others.
        Value::VersionPtr(_) => Value::VersionPtr(Rc::new(Version::zero())),
        Value::Version(_) => Value::Version(Rc::new(Version::zero())),
        other => other.clone(),
    })
}
