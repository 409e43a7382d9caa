//! Slash-separated paths; the system's own are the same here.

use crate::gotemplate::functions::{Function, Ty, fixed};
use crate::gotemplate::value::Value;

const S: &[Ty] = &[Ty::Str];

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("base", S, |_, args| Ok(Value::str(base(args.text(0))))),
    fixed("osBase", S, |_, args| Ok(Value::str(base(args.text(0))))),
    fixed("dir", S, |_, args| Ok(Value::str(dir(args.text(0))))),
    fixed("osDir", S, |_, args| Ok(Value::str(dir(args.text(0))))),
    fixed("ext", S, |_, args| Ok(Value::str(ext(args.text(0))))),
    fixed("osExt", S, |_, args| Ok(Value::str(ext(args.text(0))))),
    fixed("clean", S, |_, args| Ok(Value::str(clean(args.text(0))))),
    fixed("osClean", S, |_, args| Ok(Value::str(clean(args.text(0))))),
    fixed("isAbs", S, |_, args| Ok(Value::Bool(args.text(0).starts_with(b"/")))),
    fixed("osIsAbs", S, |_, args| Ok(Value::Bool(args.text(0).starts_with(b"/")))),
];

fn base(path: &[u8]) -> &[u8] {
    if path.is_empty() {
        return b".";
    }
    let end = path.iter().rposition(|&b| b != b'/').map_or(0, |at| at + 1);
    let trimmed = path.get(..end).unwrap_or_default();
    match trimmed.rsplit(|&b| b == b'/').next() {
        None | Some(b"") => b"/",
        Some(last) => last,
    }
}

fn dir(path: &[u8]) -> Vec<u8> {
    let end = path.iter().rposition(|&b| b == b'/').map_or(0, |at| at + 1);
    clean(path.get(..end).unwrap_or_default())
}

fn ext(path: &[u8]) -> &[u8] {
    let last = path.rsplit(|&b| b == b'/').next().unwrap_or_default();
    last.iter().rposition(|&b| b == b'.').and_then(|dot| last.get(dot..)).unwrap_or_default()
}

/// `path.Clean`: the shortest equivalent path.
fn clean(path: &[u8]) -> Vec<u8> {
    let rooted = path.starts_with(b"/");
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|&b| b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => match parts.last() {
                Some(last) if *last != b".." => drop(parts.pop()),
                _ if rooted => {}
                _ => parts.push(part),
            },
            _ => parts.push(part),
        }
    }
    let joined = parts.join(&b'/');
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/", joined.as_slice()].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}
