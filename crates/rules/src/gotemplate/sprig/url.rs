//! Functions that take URLs apart and put them together.

use std::collections::BTreeMap;

use crate::gotemplate::functions::{Args, Env, Function, Ty, fixed};
use crate::gotemplate::text::GoStr;
use crate::gotemplate::url::{Url, User};
use crate::gotemplate::value::{Dict, Fail, Out, Value};

pub(super) static FUNCTIONS: &[Function] =
    &[fixed("urlParse", &[Ty::Str], parse), fixed("urlJoin", &[Ty::Dict], join)];

fn parse(env: &Env<'_>, args: Args<'_>) -> Out {
    let url = Url::parse(args.text(0)).map_err(|why| format!("unable to parse url: {why}"))?;
    env.budget.elements(16)?;
    env.budget.bytes(args.text(0).len() * 2)?;
    let user = url.user.as_ref().map(User::text).unwrap_or_default();
    let hostname = url.hostname().to_vec();
    let parts = [
        ("scheme", url.scheme),
        ("host", url.host),
        ("hostname", hostname),
        ("path", url.path),
        ("query", url.query),
        ("opaque", url.opaque),
        ("fragment", url.fragment),
        ("userinfo", user),
    ];
    let entries = parts.into_iter().map(|(key, part)| (GoStr::from(key), Value::str(part)));
    Ok(Value::Dict(Some(Dict::new(entries.collect::<BTreeMap<_, _>>()))))
}

fn join(env: &Env<'_>, args: Args<'_>) -> Out {
    let part = |key: &str| part(args, key);
    let mut url = Url {
        scheme: part("scheme")?,
        host: part("host")?,
        path: part("path")?,
        query: part("query")?,
        opaque: part("opaque")?,
        fragment: part("fragment")?,
        user: None,
    };
    let user = part("userinfo")?;
    if !user.is_empty() {
        let whole = [b"proto://", user.as_slice(), b"@host"].concat();
        url.user = Url::parse(&whole)
            .map_err(|why| format!("unable to parse userinfo in dict: {why}"))?
            .user;
    }
    let text = url.text();
    env.budget.bytes(text.len())?;
    Ok(Value::str(text))
}

fn part(args: Args<'_>, key: &str) -> Result<Vec<u8>, Fail> {
    let Some(value) = args.dict(0).and_then(|dict| dict.get(key.as_bytes())) else {
        return Ok(Vec::new());
    };
    if value.is_nothing() {
        return Err("runtime error: invalid memory address or nil pointer dereference".into());
    }
    let refused = || {
        format!(
            "unable to parse {key} key, must be of type string, but {} found",
            value.kind().name()
        )
    };
    Ok(value.text().ok_or_else(refused)?.to_vec())
}
