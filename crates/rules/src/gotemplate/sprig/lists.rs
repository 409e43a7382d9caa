//! Functions over lists of any kind.

use crate::gotemplate::functions::{Args, Env, Function, Ty, fixed, variadic};
use crate::gotemplate::value::{Elem, Fail, List, Out, Value, deep_equal, to_int, truth};

const A: Ty = Ty::Any;

pub(super) static FUNCTIONS: &[Function] = &[
    variadic("list", &[], A, |env, args| list(env, args.0.to_vec())),
    variadic("tuple", &[], A, |env, args| list(env, args.0.to_vec())),
    fixed("append", &[A, A], push),
    fixed("mustAppend", &[A, A], push),
    fixed("push", &[A, A], push),
    fixed("mustPush", &[A, A], push),
    fixed("prepend", &[A, A], prepend),
    fixed("mustPrepend", &[A, A], prepend),
    fixed("first", &[A], first),
    fixed("mustFirst", &[A], first),
    fixed("last", &[A], last),
    fixed("mustLast", &[A], last),
    fixed("rest", &[A], rest),
    fixed("mustRest", &[A], rest),
    fixed("initial", &[A], initial),
    fixed("mustInitial", &[A], initial),
    fixed("reverse", &[A], reverse),
    fixed("mustReverse", &[A], reverse),
    fixed("uniq", &[A], uniq),
    fixed("mustUniq", &[A], uniq),
    fixed("compact", &[A], compact),
    fixed("mustCompact", &[A], compact),
    fixed("chunk", &[Ty::Int, A], chunk),
    fixed("mustChunk", &[Ty::Int, A], chunk),
    variadic("concat", &[], A, concat),
    variadic("without", &[A], A, without),
    variadic("mustWithout", &[A], A, without),
    fixed("has", &[A, A], has),
    fixed("mustHas", &[A, A], has),
    variadic("slice", &[A], A, slice),
    variadic("mustSlice", &[A], A, slice),
];

fn list(env: &Env<'_>, items: Vec<Value>) -> Out {
    env.budget.elements(items.len())?;
    Ok(Value::list(items))
}

/// The elements of an argument, or sprig's words about what it is instead.
fn items(env: &Env<'_>, args: Args<'_>, index: usize, what: &str) -> Result<Vec<Value>, Fail> {
    let value = args.value(index);
    if value.is_nothing() {
        return Err("runtime error: invalid memory address or nil pointer dereference".into());
    }
    let items = value
        .elements()
        .ok_or_else(|| Fail::Error(format!("Cannot {what} type {}", value.kind().name())))?;
    env.budget.elements(items.len())?;
    Ok(items)
}

fn push(env: &Env<'_>, args: Args<'_>) -> Out {
    let mut items = items(env, args, 0, "push on")?;
    let room = items.len();
    items.push(args.value(1).clone());
    Ok(Value::List(List::extended(Elem::Any, items, room)))
}

fn prepend(env: &Env<'_>, args: Args<'_>) -> Out {
    let mut items = items(env, args, 0, "prepend on")?;
    items.insert(0, args.value(1).clone());
    Ok(Value::List(List::extended(Elem::Any, items, 1)))
}

fn first(env: &Env<'_>, args: Args<'_>) -> Out {
    Ok(items(env, args, 0, "find first on")?.into_iter().next().unwrap_or(Value::Nil))
}

fn last(env: &Env<'_>, args: Args<'_>) -> Out {
    Ok(items(env, args, 0, "find last on")?.pop().unwrap_or(Value::Nil))
}

fn rest(env: &Env<'_>, args: Args<'_>) -> Out {
    let mut items = items(env, args, 0, "find rest on")?;
    if items.is_empty() {
        return Ok(Value::List(List::nil(Elem::Any)));
    }
    items.remove(0);
    Ok(Value::list(items))
}

fn initial(env: &Env<'_>, args: Args<'_>) -> Out {
    let mut items = items(env, args, 0, "find initial on")?;
    if items.pop().is_none() {
        return Ok(Value::List(List::nil(Elem::Any)));
    }
    Ok(Value::list(items))
}

fn reverse(env: &Env<'_>, args: Args<'_>) -> Out {
    let mut items = items(env, args, 0, "find reverse on")?;
    items.reverse();
    Ok(Value::list(items))
}

fn compact(env: &Env<'_>, args: Args<'_>) -> Out {
    let mut items = items(env, args, 0, "compact on")?;
    items.retain(truth);
    Ok(Value::appended(items))
}

fn contains(env: &Env<'_>, items: &[Value], wanted: &Value) -> Result<bool, Fail> {
    for item in items {
        if deep_equal(wanted, item, &env.budget)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn uniq(env: &Env<'_>, args: Args<'_>) -> Out {
    let mut kept: Vec<Value> = Vec::new();
    for item in items(env, args, 0, "find uniq on")? {
        if !contains(env, &kept, &item)? {
            kept.push(item);
        }
    }
    Ok(Value::appended(kept))
}

fn without(env: &Env<'_>, args: Args<'_>) -> Out {
    let mut kept = Vec::new();
    for item in items(env, args, 0, "find without on")? {
        if !contains(env, args.rest(1), &item)? {
            kept.push(item);
        }
    }
    Ok(Value::appended(kept))
}

fn has(env: &Env<'_>, args: Args<'_>) -> Out {
    if args.value(1).is_nothing() {
        return Ok(Value::Bool(false));
    }
    let items = items(env, args, 1, "find has on")?;
    Ok(Value::Bool(contains(env, &items, args.value(0))?))
}

fn concat(env: &Env<'_>, args: Args<'_>) -> Out {
    let mut all = Vec::new();
    for (index, value) in args.0.iter().enumerate() {
        if value.elements().is_none() && !value.is_nothing() {
            return Err(format!("Cannot concat type {} as list", value.kind().name()).into());
        }
        all.extend(items(env, args, index, "concat")?);
    }
    if all.is_empty() {
        return Ok(Value::List(List::nil(Elem::Any)));
    }
    Ok(Value::appended(all))
}

/// The part of a list between two indexes; the second may reach into what the list was cut from.
fn slice(_: &Env<'_>, args: Args<'_>) -> Out {
    let value = args.value(0);
    if value.is_nothing() {
        return Err("runtime error: invalid memory address or nil pointer dereference".into());
    }
    let (length, capacity) = match value {
        Value::List(list) => (list.len(), list.capacity()),
        Value::Bytes(bytes) => {
            let length = bytes.as_ref().map_or(0, |bytes| bytes.len());
            (length, length)
        }
        other => {
            return Err(format!(
                "list should be type of slice or array but {}",
                other.kind().name()
            )
            .into());
        }
    };
    if length == 0 {
        return Ok(Value::Nil);
    }
    let index = |at: usize, otherwise: usize| match args.0.get(at) {
        Some(index) => usize::try_from(to_int(index)),
        None => Ok(otherwise),
    };
    match (index(1, 0), index(2, length), value) {
        (Ok(from), Ok(to), Value::List(list)) if from <= to && to <= capacity => {
            Ok(Value::List(list.part(from, to)))
        }
        (Ok(from), Ok(to), Value::Bytes(Some(bytes))) if from <= to && to <= capacity => {
            Ok(Value::Bytes(bytes.get(from..to).map(Into::into)))
        }
        _ => Err("reflect.Value.Slice: slice index out of bounds".into()),
    }
}

/// Lists of `size` elements; the arithmetic of a size below one is Go's.
fn chunk(env: &Env<'_>, args: Args<'_>) -> Out {
    let items = items(env, args, 1, "chunk")?;
    let size = args.int(0);
    let chunks = ((items.len() as f64 - 1.0) / size as f64).floor() + 1.0;
    if size < 1 && chunks != 0.0 {
        if items.len() == 1 && size < -1 {
            return Ok(Value::List(List::new(Elem::List, vec![Value::list(items)])));
        }
        return Err("runtime error: makeslice: len out of range".into());
    }
    let size = usize::try_from(size).unwrap_or(1).max(1);
    let shown = if chunks == 0.0 { &[][..] } else { &items[..] };
    let lists = shown.chunks(size).map(|part| Value::list(part.to_vec())).collect();
    Ok(Value::List(List::new(Elem::List, lists)))
}
