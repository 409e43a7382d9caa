//! The functions Go's template package has by itself.

use super::escape;
use super::fmt;
use super::functions::{Args, Call, Env, Function, Signature, Ty, fixed, variadic};
use super::value::{Fail, Kind, Out, Value, equal, less, truth};

const fn short_circuit(name: &'static str, call: Call) -> Function {
    Function {
        name,
        signature: Signature { params: &[Ty::Reflect], variadic: Some(Ty::Reflect) },
        call,
    }
}

/// All of them.
pub(crate) static FUNCTIONS: &[Function] = &[
    short_circuit("and", Call::And),
    short_circuit("or", Call::Or),
    fixed("not", &[Ty::Reflect], |_, args| Ok(Value::Bool(!truth(args.value(0))))),
    variadic("call", &[Ty::Reflect], Ty::Reflect, call),
    variadic("html", &[], Ty::Any, |env, args| Ok(Value::str(escape::html(&joined(env, args)?)))),
    variadic("js", &[], Ty::Any, |env, args| Ok(Value::str(escape::js(&joined(env, args)?)))),
    variadic("urlquery", &[], Ty::Any, |env, args| {
        Ok(Value::str(escape::query(&joined(env, args)?)))
    }),
    variadic("index", &[Ty::Reflect], Ty::Reflect, index),
    fixed("len", &[Ty::Reflect], |_, args| length(args.value(0))),
    variadic("print", &[], Ty::Any, |env, args| Ok(Value::str(fmt::sprint(args.0, &env.budget)?))),
    variadic("printf", &[Ty::Str], Ty::Any, |env, args| {
        Ok(Value::str(fmt::sprintf(args.text(0), args.rest(1), &env.budget)?))
    }),
    variadic("println", &[], Ty::Any, |env, args| {
        Ok(Value::str(fmt::sprintln(args.0, &env.budget)?))
    }),
    variadic("eq", &[Ty::Reflect], Ty::Reflect, eq),
    fixed("ne", &[Ty::Reflect, Ty::Reflect], |_, args| {
        Ok(Value::Bool(!equal(args.value(0), args.value(1))?))
    }),
    fixed("lt", &[Ty::Reflect, Ty::Reflect], |_, args| {
        Ok(Value::Bool(less(args.value(0), args.value(1))?))
    }),
    fixed("le", &[Ty::Reflect, Ty::Reflect], |_, args| Ok(Value::Bool(at_most(args)?))),
    fixed("gt", &[Ty::Reflect, Ty::Reflect], |_, args| Ok(Value::Bool(!at_most(args)?))),
    fixed("ge", &[Ty::Reflect, Ty::Reflect], |_, args| {
        Ok(Value::Bool(!less(args.value(0), args.value(1))?))
    }),
];

fn at_most(args: Args<'_>) -> Result<bool, Fail> {
    Ok(less(args.value(0), args.value(1))? || equal(args.value(0), args.value(1))?)
}

fn eq(_: &Env<'_>, args: Args<'_>) -> Out {
    let others = args.rest(1);
    if others.is_empty() {
        return Err("missing argument for comparison".into());
    }
    for other in others {
        if equal(args.value(0), other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

/// No value here is a function.
fn call(_: &Env<'_>, args: Args<'_>) -> Out {
    if args.value(0).is_nothing() {
        return Err("call of nil".into());
    }
    Err(format!("non-function of type {}", args.value(0).type_name()).into())
}

/// The arguments of an escaping function as one text.
fn joined(env: &Env<'_>, args: Args<'_>) -> Result<Vec<u8>, Fail> {
    if let [one] = args.0 {
        let one = if one.is_nothing() { &Value::Invalid } else { one };
        return fmt::print_value(one, &env.budget);
    }
    let printable = |value: &Value| {
        if value.is_nothing() { Value::str("<no value>") } else { value.clone() }
    };
    // A space stands between two operands of which neither is a string, as `Sprint` has it.
    let mut all = Vec::new();
    let mut after_other = false;
    for value in args.0.iter().map(printable) {
        let is_text = matches!(value, Value::Str(_) | Value::Digest(_) | Value::Algorithm(_));
        if after_other && !is_text {
            all.push(b' ');
        }
        after_other = !is_text;
        // What a pointer leads to is printed, not the pointer.
        let printed = match &value {
            Value::Platform(Some(_)) => fmt::print_value(&value, &env.budget),
            _ => fmt::sprint(std::slice::from_ref(&value), &env.budget),
        };
        all.extend(printed?);
    }
    Ok(all)
}

fn length(value: &Value) -> Out {
    let length = match value {
        Value::Invalid => return Err("reflect: call of reflect.Value.Type on zero Value".into()),
        Value::Nil | Value::NilError | Value::Platform(None) => {
            return Err("len of nil pointer".into());
        }
        Value::Str(text) | Value::Digest(text) | Value::Algorithm(text) => text.len(),
        Value::Bytes(bytes) => bytes.as_ref().map_or(0, |bytes| bytes.len()),
        Value::List(list) => list.len(),
        Value::Dict(dict) => dict.as_ref().map_or(0, super::value::Dict::len),
        Value::StrMap(map) => map.as_ref().map_or(0, |map| map.len()),
        other => return Err(format!("len of type {}", other.type_name()).into()),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn index(_: &Env<'_>, args: Args<'_>) -> Out {
    if args.value(0).is_nothing() {
        return Err("index of untyped nil".into());
    }
    let mut item = args.value(0).clone();
    for key in args.rest(1) {
        item = element(&item, key)?;
    }
    Ok(item)
}

fn element(item: &Value, key: &Value) -> Out {
    let nothing = || Fail::Error("index out of range".to_owned());
    match item {
        Value::Invalid | Value::Nil | Value::NilError | Value::Platform(None) => {
            Err("index of nil pointer".into())
        }
        Value::Str(text) | Value::Digest(text) | Value::Algorithm(text) => {
            let at = position(key, text.len(), "string")?;
            text.get(at).map(|&byte| Value::Uint8(byte)).ok_or_else(nothing)
        }
        Value::Bytes(bytes) => {
            let bytes = bytes.as_deref().unwrap_or_default();
            let at = position(key, bytes.len(), "slice")?;
            bytes.get(at).map(|&byte| Value::Uint8(byte)).ok_or_else(nothing)
        }
        Value::List(list) => list.get(position(key, list.len(), "slice")?).ok_or_else(nothing),
        Value::Dict(dict) => {
            let found =
                dict.as_ref().and_then(|dict| map_key(key).ok().and_then(|key| dict.get(key)));
            map_key(key).map(|_| found.unwrap_or(Value::Nil))
        }
        Value::StrMap(map) => {
            let key = map_key(key)?;
            let found = map.as_ref().and_then(|map| map.get(key).cloned());
            Ok(found.map_or_else(|| Value::str(""), Value::Str))
        }
        other => {
            let name = other.type_name();
            Err(format!("can't index item of type {}", name.strip_prefix('*').unwrap_or(name))
                .into())
        }
    }
}

fn map_key(key: &Value) -> Result<&[u8], Fail> {
    match key {
        Value::Str(text) => Ok(text),
        _ if key.is_nothing() => Err("value is nil; should be of type string".into()),
        _ => Err(format!("value has type {}; should be string", key.type_name()).into()),
    }
}

fn position(key: &Value, length: usize, what: &str) -> Result<usize, Fail> {
    let at = match (key.kind(), key) {
        (
            Kind::Int | Kind::Int64,
            Value::Int(n)
            | Value::Int64(n)
            | Value::Month(n)
            | Value::Weekday(n)
            | Value::Duration(n),
        ) => *n,
        (Kind::Uint8, Value::Uint8(n)) => i64::from(*n),
        (Kind::Uint64, Value::Uint64(n)) => *n as i64,
        (Kind::Invalid, _) => return Err("cannot index slice/array with nil".into()),
        _ => return Err(format!("cannot index slice/array with type {}", key.type_name()).into()),
    };
    match usize::try_from(at) {
        Ok(at) if at < length => Ok(at),
        Ok(_) => Err(format!("reflect: {what} index out of range").into()),
        Err(_) => Err(format!("index out of range: {at}").into()),
    }
}
