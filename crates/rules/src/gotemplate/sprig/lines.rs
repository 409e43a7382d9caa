//! Line breaks and ellipses (goutils).

use crate::gotemplate::functions::{Env, Function, Ty, fixed};
use crate::gotemplate::text::find;
use crate::gotemplate::value::{Fail, Value};

const S: Ty = Ty::Str;

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("wrap", &[Ty::Int, S], |env, args| {
        wrap(env, args.text(1), args.int(0), b"", false).map(Value::str)
    }),
    fixed("wrapWith", &[Ty::Int, S, S], |env, args| {
        wrap(env, args.text(2), args.int(0), args.text(1), true).map(Value::str)
    }),
    fixed("abbrev", &[Ty::Int, S], |_, args| {
        let (width, text) = (args.int(0), args.text(1));
        Ok(Value::str(if width < 4 { text.to_vec() } else { abbreviate(text, 0, width) }))
    }),
    fixed("abbrevboth", &[Ty::Int, Ty::Int, S], |_, args| {
        let (left, right, text) = (args.int(0), args.int(1), args.text(2));
        let as_is = right < 4 || left > 0 && right < 7;
        Ok(Value::str(if as_is { text.to_vec() } else { abbreviate(text, left, right) }))
    }),
];

/// `goutils.WrapCustom`: breaks at spaces; words longer than a line are cut only where that is wanted.
fn wrap(
    env: &Env<'_>,
    text: &[u8],
    width: i64,
    newline: &[u8],
    cut_words: bool,
) -> Result<Vec<u8>, Fail> {
    let newline = if newline.is_empty() { b"\n" } else { newline };
    let width = usize::try_from(width.max(1)).unwrap_or(usize::MAX);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while rest.len() > width {
        if let Some(after) = rest.strip_prefix(b" ") {
            rest = after;
            continue;
        }
        env.budget.bytes(newline.len())?;
        let line = rest.get(..=width).unwrap_or(rest);
        let (end, skip) = match line.iter().rposition(|&b| b == b' ') {
            Some(space) => (space, 1),
            None if cut_words => (width, 0),
            None => match find(rest.get(width..).unwrap_or_default(), b" ") {
                Some(space) => (width + space, 1),
                None => break,
            },
        };
        out.extend_from_slice(rest.get(..end).unwrap_or_default());
        out.extend_from_slice(newline);
        rest = rest.get(end + skip..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    Ok(out)
}

/// `goutils.AbbreviateFull`: an ellipsis at the end, or at both from an offset on.
fn abbreviate(text: &[u8], offset: i64, width: i64) -> Vec<u8> {
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    if length <= width {
        return text.to_vec();
    }
    let slice = |from: i64, to: i64| {
        let at = |n: i64| usize::try_from(n).unwrap_or(0);
        text.get(at(from)..at(to)).unwrap_or_default()
    };
    let mut offset = offset.min(length);
    if length - offset < width - 3 {
        offset = length - (width - 3);
    }
    if offset <= 4 {
        return [slice(0, width - 3), b"..."].concat();
    }
    if width < 7 {
        return Vec::new();
    }
    if offset + width - 3 < length {
        return [b"...".to_vec(), abbreviate(slice(offset, length), 0, width - 3)].concat();
    }
    [b"...", slice(length - (width - 3), length)].concat()
}
