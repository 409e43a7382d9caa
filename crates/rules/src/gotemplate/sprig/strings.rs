//! Trimming, cutting, repeating, searching.

use rand::seq::SliceRandom;

use super::text_of;
use crate::gotemplate::fmt;
use crate::gotemplate::functions::{Args, Env, Function, Ty, fixed, variadic};
use crate::gotemplate::text::{RUNE_ERROR, decode_rune, find, push_rune, runes};
use crate::gotemplate::unicode::is_space;
use crate::gotemplate::value::{Fail, Out, Value};

const S: Ty = Ty::Str;

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("hello", &[], |_, _| Ok(Value::str("Hello!"))),
    fixed("trim", &[S], |_, args| Ok(Value::str(trim_space(args.text(0))))),
    fixed("trimall", &[S, S], trim_all),
    fixed("trimAll", &[S, S], trim_all),
    fixed("trimSuffix", &[S, S], |_, args| {
        let text = args.text(1);
        Ok(Value::str(text.strip_suffix(args.text(0)).unwrap_or(text)))
    }),
    fixed("trimPrefix", &[S, S], |_, args| {
        let text = args.text(1);
        Ok(Value::str(text.strip_prefix(args.text(0)).unwrap_or(text)))
    }),
    fixed("contains", &[S, S], |env, args| {
        env.budget.step(args.text(1).len() / 64)?;
        Ok(Value::Bool(find(args.text(1), args.text(0)).is_some()))
    }),
    fixed("hasPrefix", &[S, S], |_, args| Ok(Value::Bool(args.text(1).starts_with(args.text(0))))),
    fixed("hasSuffix", &[S, S], |_, args| Ok(Value::Bool(args.text(1).ends_with(args.text(0))))),
    fixed("repeat", &[Ty::Int, S], |env, args| {
        repeat(env, args.text(1), args.int(0)).map(Value::str)
    }),
    fixed("replace", &[S, S, S], |env, args| {
        replace(env, args.text(2), args.text(0), args.text(1)).map(Value::str)
    }),
    fixed("substr", &[Ty::Int, Ty::Int, S], substring),
    fixed("trunc", &[Ty::Int, S], truncate),
    fixed("indent", &[Ty::Int, S], |env, args| indent(env, args, b"").map(Value::str)),
    fixed("nindent", &[Ty::Int, S], |env, args| indent(env, args, b"\n").map(Value::str)),
    fixed("plural", &[S, S, Ty::Int], |_, args| {
        Ok(args.value(usize::from(args.int(2) != 1)).clone())
    }),
    fixed("nospace", &[S], |_, args| Ok(Value::str(without_space(args.text(0))))),
    fixed("initials", &[S], |_, args| Ok(Value::str(initials(args.text(0))))),
    fixed("shuffle", &[S], |_, args| Ok(Value::str(shuffle(args.text(0))))),
    variadic("cat", &[], Ty::Any, cat),
    fixed("toString", &[Ty::Any], |env, args| Ok(Value::Str(text_of(env, args.value(0))?))),
];

/// `strings.TrimSpace`
pub(super) fn trim_space(text: &[u8]) -> &[u8] {
    trim_by(text, is_space)
}

fn trim_by(text: &[u8], cut: impl Fn(char) -> bool) -> &[u8] {
    let start = runes(text).find(|&(_, rune, _)| !cut(rune)).map_or(text.len(), |(at, ..)| at);
    let mut end = text.len();
    while end > start {
        let (rune, width) = last_rune(text.get(start..end).unwrap_or_default());
        if !cut(rune) {
            break;
        }
        end -= width;
    }
    text.get(start..end).unwrap_or_default()
}

fn last_rune(text: &[u8]) -> (char, usize) {
    for width in 1..=text.len().min(4) {
        let (rune, length) = decode_rune(text.get(text.len() - width..).unwrap_or_default());
        if length == width && (rune != RUNE_ERROR || width > 1) {
            return (rune, width);
        }
    }
    (RUNE_ERROR, 1)
}

fn trim_all(_: &Env<'_>, args: Args<'_>) -> Out {
    let cut: Vec<char> = runes(args.text(0)).map(|(_, rune, _)| rune).collect();
    Ok(Value::str(trim_by(args.text(1), |rune| cut.contains(&rune))))
}

fn repeat(env: &Env<'_>, text: &[u8], count: i64) -> Result<Vec<u8>, Fail> {
    let count = usize::try_from(count).map_err(|_| "strings: negative Repeat count")?;
    if text.is_empty() {
        return Ok(Vec::new());
    }
    env.budget.bytes(text.len().saturating_mul(count))?;
    Ok(text.repeat(count))
}

/// `strings.ReplaceAll`
pub(super) fn replace(env: &Env<'_>, text: &[u8], old: &[u8], new: &[u8]) -> Result<Vec<u8>, Fail> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    env.budget.bytes(text.len())?;
    if old.is_empty() {
        for (at, _, width) in runes(text) {
            env.budget.bytes(new.len())?;
            out.extend_from_slice(new);
            out.extend_from_slice(text.get(at..at + width).unwrap_or_default());
        }
        out.extend_from_slice(new);
        return Ok(out);
    }
    while let Some(at) = find(rest, old) {
        env.budget.bytes(new.len())?;
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        out.extend_from_slice(new);
        rest = rest.get(at + old.len()..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    Ok(out)
}

/// A Go slice expression, with Go's words where it is out of bounds.
fn sliced(text: &[u8], start: i64, end: i64) -> Result<&[u8], Fail> {
    let bounds = (usize::try_from(start), usize::try_from(end));
    match bounds {
        (Ok(from), Ok(to)) if from <= to && to <= text.len() => {
            Ok(text.get(from..to).unwrap_or_default())
        }
        (_, Err(_)) => Err(format!("runtime error: slice bounds out of range [:{end}]").into()),
        (_, Ok(to)) if to > text.len() => Err(format!(
            "runtime error: slice bounds out of range [:{end}] with length {}",
            text.len()
        )
        .into()),
        _ => Err(format!("runtime error: slice bounds out of range [{start}:{end}]").into()),
    }
}

fn substring(_: &Env<'_>, args: Args<'_>) -> Out {
    let (start, end, text) = (args.int(0), args.int(1), args.text(2));
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let part = match (start < 0, end < 0 || end > length) {
        (true, _) => sliced(text, 0, end)?,
        (false, true) => sliced(text, start, length)?,
        (false, false) => sliced(text, start, end)?,
    };
    Ok(Value::str(part))
}

fn truncate(_: &Env<'_>, args: Args<'_>) -> Out {
    let (count, text) = (args.int(0), args.text(1));
    let size = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if size >= text.len() {
        return Ok(Value::str(text));
    }
    let (start, end) = if count < 0 { (text.len() - size, text.len()) } else { (0, size) };
    Ok(Value::str(text.get(start..end).unwrap_or_default()))
}

fn indent(env: &Env<'_>, args: Args<'_>, lead: &[u8]) -> Result<Vec<u8>, Fail> {
    let pad = repeat(env, b" ", args.int(0))?;
    let body = replace(env, args.text(1), b"\n", &[b"\n", pad.as_slice()].concat())?;
    Ok([lead, &pad, &body].concat())
}

/// White space removed byte by byte, each other byte taken for a rune of its own where any was removed.
fn without_space(text: &[u8]) -> Vec<u8> {
    let kept: Vec<char> =
        text.iter().map(|&byte| char::from(byte)).filter(|&rune| !is_space(rune)).collect();
    if kept.len() == text.len() {
        return text.to_vec();
    }
    let mut out = Vec::with_capacity(text.len());
    for rune in kept {
        push_rune(&mut out, rune);
    }
    out
}

fn initials(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut after_gap = true;
    for rune in text.iter().map(|&byte| char::from(byte)) {
        if is_space(rune) {
            after_gap = true;
        } else if std::mem::take(&mut after_gap) {
            push_rune(&mut out, rune);
        }
    }
    out
}

fn shuffle(text: &[u8]) -> Vec<u8> {
    let mut order: Vec<char> = runes(text).map(|(_, rune, _)| rune).collect();
    order.shuffle(&mut rand::rng());
    let mut out = Vec::with_capacity(text.len());
    for rune in order {
        push_rune(&mut out, rune);
    }
    out
}

fn cat(env: &Env<'_>, args: Args<'_>) -> Out {
    let mut parts = Vec::new();
    for value in args.0.iter().filter(|value| !value.is_nothing()) {
        parts.push(fmt::sprint(std::slice::from_ref(value), &env.budget)?);
    }
    Ok(Value::str(parts.join(&b' ')))
}
