//! Dictionaries.

use std::collections::BTreeMap;

use super::merge::{merge, must_merge};
use super::text_of;
use crate::gotemplate::functions::{Args, Env, Function, Ty, fixed, variadic};
use crate::gotemplate::text::GoStr;
use crate::gotemplate::value::{Dict, Elem, List, Out, Value};

const D: Ty = Ty::Dict;
const S: Ty = Ty::Str;

pub(super) static FUNCTIONS: &[Function] = &[
    variadic("dict", &[], Ty::Any, dict),
    fixed("get", &[D, S], |_, args| {
        Ok(find(args, 0, args.text(1)).unwrap_or_else(|| Value::str("")))
    }),
    fixed("set", &[D, S, Ty::Any], set),
    fixed("unset", &[D, S], |_, args| {
        if let Some(dict) = args.dict(0) {
            dict.remove(args.text(1));
        }
        Ok(args.value(0).clone())
    }),
    fixed("hasKey", &[D, S], |_, args| Ok(Value::Bool(find(args, 0, args.text(1)).is_some()))),
    variadic("pluck", &[S], D, |env, args| {
        env.budget.elements(args.0.len())?;
        Ok(Value::appended(
            (1..args.0.len()).filter_map(|index| find(args, index, args.text(0))).collect(),
        ))
    }),
    variadic("keys", &[], D, |env, args| {
        let dicts = args.0.iter().enumerate().filter_map(|(index, _)| args.dict(index));
        let keys: Vec<GoStr> =
            dicts.flat_map(|dict| dict.entries().into_iter().map(|(key, _)| key)).collect();
        env.budget.elements(keys.len())?;
        Ok(Value::List(List::appended(Elem::Str, keys.into_iter().map(Value::Str).collect(), 0)))
    }),
    fixed("values", &[D], |env, args| {
        let values: Vec<Value> = entries(args).into_iter().map(|(_, value)| value).collect();
        env.budget.elements(values.len())?;
        Ok(Value::appended(values))
    }),
    variadic("pick", &[D], S, |env, args| select(env, args, true)),
    variadic("omit", &[D], S, |env, args| select(env, args, false)),
    variadic("merge", &[D], D, |env, args| merge(env, args, false)),
    variadic("mergeOverwrite", &[D], D, |env, args| merge(env, args, true)),
    variadic("mustMerge", &[D], D, |env, args| must_merge(env, args, false)),
    variadic("mustMergeOverwrite", &[D], D, |env, args| must_merge(env, args, true)),
    variadic("dig", &[], Ty::Any, dig),
];

fn find(args: Args<'_>, index: usize, key: &[u8]) -> Option<Value> {
    args.dict(index).and_then(|dict| dict.get(key))
}

fn entries(args: Args<'_>) -> Vec<(GoStr, Value)> {
    args.dict(0).map(Dict::entries).unwrap_or_default()
}

fn dict(env: &Env<'_>, args: Args<'_>) -> Out {
    let mut made = BTreeMap::new();
    env.budget.elements(args.0.len())?;
    for pair in args.0.chunks(2) {
        let [key, rest @ ..] = pair else { continue };
        let value = rest.first().cloned().unwrap_or_else(|| Value::str(""));
        made.insert(text_of(env, key)?, value.boxed());
    }
    Ok(Value::Dict(Some(Dict::new(made))))
}

fn set(env: &Env<'_>, args: Args<'_>) -> Out {
    env.budget.elements(1)?;
    let dict = args.dict(0).ok_or("assignment to entry in nil map")?;
    env.set(dict, args.text(1).into(), args.value(2).clone());
    Ok(args.value(0).clone())
}

/// The entries whose keys are among the further arguments, or are not.
fn select(env: &Env<'_>, args: Args<'_>, among: bool) -> Out {
    let entries = entries(args);
    env.budget.elements(entries.len())?;
    env.budget.step(entries.len() * args.0.len())?;
    let named = |key: &GoStr| args.rest(1).iter().any(|name| name.text() == Some(key));
    let kept = entries.into_iter().filter(|(key, _)| named(key) == among);
    Ok(Value::Dict(Some(Dict::new(kept.collect()))))
}

/// Follows keys through dictionaries; the last argument is the outermost, the one before it the default.
fn dig(_: &Env<'_>, args: Args<'_>) -> Out {
    let [keys @ .., default, outermost] = args.0 else {
        return Err("dig needs at least three arguments".into());
    };
    if keys.is_empty() {
        return Err("dig needs at least three arguments".into());
    }
    let conversion = |value: &Value, wanted: &str| {
        let name = if value.is_nothing() { "nil" } else { value.type_name() };
        format!("interface conversion: interface {{}} is {name}, not {wanted}")
    };
    if !matches!(outermost, Value::Dict(_)) {
        return Err(conversion(outermost, "map[string]interface {}").into());
    }
    if let Some(key) = keys.iter().find(|key| !matches!(key, Value::Str(_))) {
        return Err(conversion(key, "string").into());
    }
    let mut value = outermost.clone();
    for key in keys {
        let Value::Dict(dict) = &value else {
            return Err(conversion(&value, "map[string]interface {}").into());
        };
        let Some(next) = dict.as_ref().and_then(|dict| dict.get(key.text()?)) else {
            return Ok(default.clone());
        };
        value = next;
    }
    Ok(value)
}
