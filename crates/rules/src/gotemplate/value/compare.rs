//! Truth, and the comparisons `eq` and `lt` are made of.

use std::cmp::Ordering;

use super::{Fail, Value};

/// Whether a value counts as true.
pub(crate) fn truth(value: &Value) -> bool {
    match value {
        Value::Invalid | Value::Nil | Value::NilError => false,
        Value::Bool(b) => *b,
        Value::Int(n)
        | Value::Int64(n)
        | Value::Month(n)
        | Value::Weekday(n)
        | Value::Duration(n) => *n != 0,
        Value::Uint8(n) => *n != 0,
        Value::Uint64(n) => *n != 0,
        Value::Float(f) => *f != 0.0,
        Value::Complex(re, im) => *re != 0.0 || *im != 0.0,
        Value::Str(text) | Value::Digest(text) | Value::Algorithm(text) => !text.is_empty(),
        Value::Bytes(bytes) => bytes.as_ref().is_some_and(|bytes| !bytes.is_empty()),
        Value::List(list) => list.len() > 0,
        Value::Dict(dict) => dict.as_ref().is_some_and(|dict| dict.len() > 0),
        Value::StrMap(map) => map.as_ref().is_some_and(|map| !map.is_empty()),
        Value::Platform(platform) => platform.is_some(),
        Value::Time(_)
        | Value::Location(_)
        | Value::Descriptor(_)
        | Value::VersionPtr(_)
        | Value::Version(_)
        | Value::Error(..)
        | Value::Hash(_) => true,
    }
}

/// A value of one of Go's basic kinds.
enum Basic<'a> {
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Complex,
    Text(&'a [u8]),
}

fn basic(value: &Value) -> Option<Basic<'_>> {
    Some(match value {
        Value::Bool(b) => Basic::Bool(*b),
        Value::Int(n)
        | Value::Int64(n)
        | Value::Month(n)
        | Value::Weekday(n)
        | Value::Duration(n) => Basic::Int(*n),
        Value::Uint8(n) => Basic::Uint(u64::from(*n)),
        Value::Uint64(n) => Basic::Uint(*n),
        Value::Float(f) => Basic::Float(*f),
        Value::Complex(..) => Basic::Complex,
        Value::Str(text) | Value::Digest(text) | Value::Algorithm(text) => Basic::Text(text),
        _ => return None,
    })
}

fn incompatible(a: &Value, b: &Value) -> Fail {
    format!("incompatible types for comparison: {} and {}", a.type_name(), b.type_name()).into()
}

fn int_and_uint(int: i64, uint: u64) -> Ordering {
    u64::try_from(int).map_or(Ordering::Less, |int| int.cmp(&uint))
}

/// `eq` of two values.
#[allow(clippy::float_cmp)]
pub(crate) fn equal(a: &Value, b: &Value) -> Result<bool, Fail> {
    Ok(match (basic(a), basic(b)) {
        (Some(Basic::Bool(x)), Some(Basic::Bool(y))) => x == y,
        (Some(Basic::Int(x)), Some(Basic::Int(y))) => x == y,
        (Some(Basic::Uint(x)), Some(Basic::Uint(y))) => x == y,
        (Some(Basic::Float(x)), Some(Basic::Float(y))) => x == y,
        (Some(Basic::Complex), Some(Basic::Complex)) => {
            matches!((a, b), (Value::Complex(r, i), Value::Complex(s, j)) if r == s && i == j)
        }
        (Some(Basic::Text(x)), Some(Basic::Text(y))) => x == y,
        (Some(Basic::Int(x)), Some(Basic::Uint(y)))
        | (Some(Basic::Uint(y)), Some(Basic::Int(x))) => int_and_uint(x, y) == Ordering::Equal,
        (None, None) => equal_others(a, b)?,
        _ if a.is_nothing() || b.is_nothing() => false,
        _ => return Err(incompatible(a, b)),
    })
}

/// `eq` of two values that have no basic kind.
fn equal_others(a: &Value, b: &Value) -> Result<bool, Fail> {
    if a.is_nothing() || b.is_nothing() || a.kind() == b.kind() {
        if is_nil(a) || is_nil(b) {
            return Ok(is_nil(a) == is_nil(b));
        }
        return same(a, b);
    }
    Err(format!("non-comparable types {}, {}", a.type_name(), b.type_name()).into())
}

fn is_nil(value: &Value) -> bool {
    match value {
        Value::Invalid | Value::Nil | Value::NilError => true,
        Value::Bytes(bytes) => bytes.is_none(),
        Value::List(list) => list.is_nil(),
        Value::Dict(dict) => dict.is_none(),
        Value::StrMap(map) => map.is_none(),
        Value::Platform(platform) => platform.is_none(),
        _ => false,
    }
}

/// `==` of two interfaces: pointers by identity, structs by content where Go can compare them.
fn same(a: &Value, b: &Value) -> Result<bool, Fail> {
    use std::rc::Rc;
    Ok(match (a, b) {
        (
            _,
            Value::Bytes(_)
            | Value::List(_)
            | Value::Dict(_)
            | Value::StrMap(_)
            | Value::Descriptor(_),
        ) => {
            return Err(format!("non-comparable type {}", b.type_name()).into());
        }
        (Value::Platform(Some(x)), Value::Platform(Some(y))) => Rc::ptr_eq(x, y),
        (Value::VersionPtr(x), Value::VersionPtr(y)) => Rc::ptr_eq(x, y),
        (Value::Version(x), Value::Version(y)) => x == y,
        (Value::Time(x), Value::Time(y)) => x == y,
        (Value::Location(x), Value::Location(y)) => x == y,
        (Value::Error(_, x), Value::Error(_, y)) => x == y,
        (Value::Hash(x), Value::Hash(y)) => x.is(y),
        _ => false,
    })
}

/// `lt` of two values.
pub(crate) fn less(a: &Value, b: &Value) -> Result<bool, Fail> {
    let (Some(x), Some(y)) = (basic(a), basic(b)) else {
        return Err("invalid type for comparison".into());
    };
    Ok(match (x, y) {
        (Basic::Int(x), Basic::Int(y)) => x < y,
        (Basic::Uint(x), Basic::Uint(y)) => x < y,
        (Basic::Float(x), Basic::Float(y)) => x < y,
        (Basic::Text(x), Basic::Text(y)) => x < y,
        (Basic::Int(x), Basic::Uint(y)) => int_and_uint(x, y) == Ordering::Less,
        (Basic::Uint(x), Basic::Int(y)) => int_and_uint(y, x) == Ordering::Greater,
        (Basic::Bool(_), Basic::Bool(_)) | (Basic::Complex, Basic::Complex) => {
            return Err("invalid type for comparison".into());
        }
        _ => return Err(incompatible(a, b)),
    })
}
