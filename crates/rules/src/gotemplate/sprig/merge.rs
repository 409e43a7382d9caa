//! Dictionaries merged into one another (mergo).

use std::rc::Rc;

use crate::gotemplate::functions::{Args, Env};
use crate::gotemplate::limits::check_depth;
use crate::gotemplate::text::GoStr;
use crate::gotemplate::value::{Dict, Fail, Kind, Out, StrMap, Value, truth};

/// `merge` and `mergeOverwrite`: an empty text where dictionaries cannot be merged.
pub(super) fn merge(env: &Env<'_>, args: Args<'_>, overwrite: bool) -> Out {
    match must_merge(env, args, overwrite) {
        Err(Fail::Error(_)) => Ok(Value::str("")),
        other => other,
    }
}

/// `mustMerge` and `mustMergeOverwrite`
pub(super) fn must_merge(env: &Env<'_>, args: Args<'_>, overwrite: bool) -> Out {
    let mut into = args.dict(0).cloned();
    for index in 1..args.0.len() {
        if let Some(from) = args.dict(index) {
            let into = into.get_or_insert_with(|| Dict::new(std::collections::BTreeMap::new()));
            merge_dicts(into, from.entries(), overwrite, env, 0)?;
        }
    }
    Ok(Value::Dict(into))
}

/// Empty as mergo sees it: structs are not, nor are pointers to them.
fn is_empty(value: &Value) -> bool {
    !truth(value)
}

fn merge_dicts(
    into: &Dict,
    from: Vec<(GoStr, Value)>,
    overwrite: bool,
    env: &Env<'_>,
    depth: usize,
) -> Result<(), Fail> {
    check_depth(depth)?;
    for (key, source) in from {
        env.budget.elements(1)?;
        let target = into.get(&key);
        if source.is_nothing() {
            if overwrite {
                env.set(into, key, Value::Nil);
            }
            continue;
        }
        if matches!(source.kind(), Kind::Struct | Kind::Ptr | Kind::Map)
            && let Some(target) = &target
        {
            descend(into, &key, target, &source, overwrite, env, depth)?;
        }
        if let Some(target) = &target
            && !is_empty(target)
        {
            if source.kind() == Kind::Slice {
                if overwrite {
                    env.set(into, key, source);
                }
                continue;
            }
            if source.kind() == Kind::Map && target.kind() == Kind::Map {
                continue;
            }
        }
        if overwrite || target.as_ref().is_none_or(is_empty) {
            env.set(into, key, source);
        }
    }
    Ok(())
}

/// Merges what a key holds already with what is to come.
fn descend(
    into: &Dict,
    key: &GoStr,
    target: &Value,
    source: &Value,
    overwrite: bool,
    env: &Env<'_>,
    depth: usize,
) -> Result<(), Fail> {
    match (target, source) {
        (Value::Dict(Some(target)), Value::Dict(Some(source))) => {
            merge_dicts(target, source.entries(), overwrite, env, depth + 1)
        }
        (Value::Dict(Some(target)), Value::StrMap(Some(source))) => {
            let entries = source.iter().map(|(key, text)| (key.clone(), Value::Str(text.clone())));
            merge_dicts(target, entries.collect(), overwrite, env, depth + 1)
        }
        (Value::StrMap(Some(_)), Value::StrMap(Some(source))) => {
            let mut merged = match target {
                Value::StrMap(Some(map)) => (**map).clone(),
                _ => return Ok(()),
            };
            for (name, text) in source.iter() {
                env.budget.elements(1)?;
                let old = merged.get(name);
                if overwrite || old.is_none_or(|old| old.is_empty()) {
                    merged.insert(name.clone(), text.clone());
                }
            }
            let merged: StrMap = Some(Rc::new(merged));
            env.set(into, key.clone(), Value::StrMap(merged));
            Ok(())
        }
        (Value::StrMap(Some(_)), Value::Dict(Some(source))) if source.len() > 0 => {
            Err("reflect.Value.SetMapIndex: value of type interface {} is not assignable to type string".into())
        }
        _ if target.kind() == Kind::Ptr && source.kind() != Kind::Ptr && !overwrite => {
            Err("src and dst must be of same type".into())
        }
        _ => Ok(()),
    }
}
