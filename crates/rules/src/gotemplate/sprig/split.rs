//! Texts taken apart, lists of texts put together.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::text_of;
use crate::gotemplate::functions::{Args, Env, Function, Ty, fixed};
use crate::gotemplate::text::{GoStr, split_n};
use crate::gotemplate::value::{Elem, Fail, Kind, List, Out, Value};

const S: Ty = Ty::Str;

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("split", &[S, S], |env, args| numbered(env, &split_n(args.text(1), args.text(0), -1))),
    fixed("splitn", &[S, Ty::Int, S], |env, args| {
        numbered(env, &split_n(args.text(2), args.text(0), args.int(1)))
    }),
    fixed("splitList", &[S, S], |env, args| {
        let parts = split_n(args.text(1), args.text(0), -1);
        env.budget.elements(parts.len())?;
        Ok(Value::strings(parts.into_iter().map(GoStr::from).collect()))
    }),
    fixed("join", &[S, Ty::Any], join),
    fixed("sortAlpha", &[Ty::Any], sort_alpha),
    fixed("toStrings", &[Ty::Any], |env, args| Ok(Value::List(strings(env, args.value(0))?))),
];

/// Parts under the keys `_0`, `_1`, ..
fn numbered(env: &Env<'_>, parts: &[&[u8]]) -> Out {
    env.budget.elements(parts.len() * 2)?;
    let entries = parts
        .iter()
        .enumerate()
        .map(|(index, &part)| (GoStr::from(format!("_{index}")), GoStr::from(part)));
    Ok(Value::StrMap(Some(Rc::new(entries.collect::<BTreeMap<_, _>>()))))
}

/// sprig's `strslice`: a `[]string` as it is, any other slice as texts without its nils, all else as one text.
fn strings(env: &Env<'_>, value: &Value) -> Result<List, Fail> {
    let items = match value {
        Value::List(list) if list.elem() == Elem::Str => return Ok(list.clone()),
        other => match other.elements() {
            Some(items) => items,
            None if value.is_nothing() => Vec::new(),
            None => vec![value.clone()],
        },
    };
    env.budget.elements(items.len())?;
    let texts = items
        .iter()
        .filter(|item| !item.is_nothing())
        .map(|item| Ok(Value::Str(text_of(env, item)?)));
    Ok(List::with_capacity(Elem::Str, texts.collect::<Result<_, Fail>>()?, items.len()))
}

fn join(env: &Env<'_>, args: Args<'_>) -> Out {
    let items = strings(env, args.value(1))?.to_vec();
    let texts: Vec<&[u8]> =
        items.iter().filter_map(|item| item.text().map(|text| &**text)).collect();
    let separators = args.text(0).len().saturating_mul(texts.len());
    env.budget.bytes(separators)?;
    env.budget.bytes(texts.iter().map(|text| text.len()).sum())?;
    Ok(Value::str(texts.join(args.text(0))))
}

/// A `[]string` is sorted in place, as in Go; other slices are not touched.
fn sort_alpha(env: &Env<'_>, args: Args<'_>) -> Out {
    if args.value(0).kind() != Kind::Slice {
        return Ok(Value::strings(vec![text_of(env, args.value(0))?]));
    }
    let list = strings(env, args.value(0))?;
    env.budget.step(list.len().saturating_mul(8))?;
    list.sort_texts();
    Ok(Value::List(list))
}
