//! `digest.Digest`, `digest.Algorithm` and what they compute with.

use std::sync::LazyLock;

use data_encoding::HEXLOWER;
use regex::bytes::Regex;

use super::{Method, method, unusable};
use crate::gotemplate::functions::Ty;
use crate::gotemplate::limits::Budget;
use crate::gotemplate::text::GoStr;
use crate::gotemplate::value::{Fail, Hash, HashAlgorithm, HashKind, Out, Value};

const INVALID_FORMAT: &str = "invalid checksum digest format";
const INVALID_LENGTH: &str = "invalid checksum digest length";
const UNSUPPORTED: &str = "unsupported digest algorithm";

static FORM: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$").ok());

pub(super) static DIGEST: &[Method] = &[
    method("String", &[], |_, receiver, _| Ok(Value::Str(text(receiver)))),
    method("Algorithm", &[], |_, receiver, _| Ok(Value::Algorithm(split(receiver)?.0))),
    method("Encoded", &[], |_, receiver, _| Ok(Value::Str(split(receiver)?.1))),
    method("Hex", &[], |_, receiver, _| Ok(Value::Str(split(receiver)?.1))),
    method("Validate", &[], |_, receiver, _| Ok(outcome(validate(&text(receiver))))),
    method("Verifier", &[], |_, receiver, _| {
        let algorithm = usable(&split(receiver)?.0)?;
        Ok(Value::Hash(Hash::new(HashKind::Verifier(text(receiver)), algorithm)))
    }),
];

pub(super) static ALGORITHM: &[Method] = &[
    method("String", &[], |_, receiver, _| Ok(Value::Str(text(receiver)))),
    method("Available", &[], |_, receiver, _| {
        Ok(Value::Bool(HashAlgorithm::named(&text(receiver)).is_some()))
    }),
    method("Size", &[], |_, receiver, _| {
        let size = HashAlgorithm::named(&text(receiver)).map_or(0, HashAlgorithm::size);
        Ok(Value::Int(i64::try_from(size).unwrap_or(0)))
    }),
    method("Validate", &[Ty::Str], |_, receiver, args| {
        Ok(outcome(validate_encoded(&text(receiver), args.text(0))))
    }),
    method("Encode", &[Ty::Bytes], |env, _, args| {
        let bytes = bytes(args.value(0));
        env.budget.bytes(bytes.len() * 2)?;
        Ok(Value::str(HEXLOWER.encode(bytes)))
    }),
    method("FromString", &[Ty::Str], |env, receiver, args| {
        digest_of(&env.budget, receiver, args.text(0))
    }),
    method("FromBytes", &[Ty::Bytes], |env, receiver, args| {
        digest_of(&env.budget, receiver, bytes(args.value(0)))
    }),
    method("FromReader", &[Ty::Any], |_, _, _| Err("there is no reader to be had".into())),
    method("Digester", &[], |_, receiver, _| {
        Ok(Value::Hash(Hash::new(HashKind::Digester, usable(&text(receiver))?)))
    }),
    method("Hash", &[], |_, receiver, _| {
        Ok(Value::Hash(Hash::new(HashKind::Plain, usable(&text(receiver))?)))
    }),
];

pub(super) static HASH: &[Method] = &[
    method("Size", &[], |_, receiver, _| Ok(Value::Int(hash(receiver)?.algorithm().size() as i64))),
    method("BlockSize", &[], |_, receiver, _| {
        Ok(Value::Int(hash(receiver)?.algorithm().block_size() as i64))
    }),
    method("Sum", &[Ty::Bytes], |_, receiver, args| {
        let sum = [bytes(args.value(0)), &hash(receiver)?.sum()].concat();
        Ok(Value::Bytes(Some(sum.into())))
    }),
    method("Write", &[Ty::Bytes], |env, receiver, args| {
        write(&env.budget, receiver, bytes(args.value(0)))
    }),
    method("WriteString", &[Ty::Str], |env, receiver, args| {
        write(&env.budget, receiver, args.text(0))
    }),
    unusable("Reset", &[]),
];

pub(super) static DIGESTER: &[Method] = &[
    method("Hash", &[], |_, receiver, _| Ok(Value::Hash(hash(receiver)?.inner()))),
    method("Digest", &[], |_, receiver, _| Ok(Value::Digest(hash(receiver)?.digest()))),
];

pub(super) static VERIFIER: &[Method] = &[
    method("Verified", &[], |_, receiver, _| {
        let hash = hash(receiver)?;
        Ok(Value::Bool(
            matches!(hash.kind(), HashKind::Verifier(digest) if *digest == hash.digest()),
        ))
    }),
    method("Write", &[Ty::Bytes], |env, receiver, args| {
        write(&env.budget, receiver, bytes(args.value(0)))
    }),
];

fn text(value: &Value) -> GoStr {
    value.text().cloned().unwrap_or_else(|| "".into())
}

fn bytes(value: &Value) -> &[u8] {
    match value {
        Value::Bytes(Some(bytes)) => bytes,
        _ => b"",
    }
}

fn hash(value: &Value) -> Result<&Hash, Fail> {
    match value {
        Value::Hash(hash) => Ok(hash),
        _ => Err("no hash".into()),
    }
}

/// A digest's parts before and after its colon.
fn split(digest: &Value) -> Result<(GoStr, GoStr), Fail> {
    let text = text(digest);
    let Some(colon) = text.iter().position(|&b| b == b':') else {
        return Err(format!("no ':' separator in digest {:?}", text.lossy()).into());
    };
    let (algorithm, encoded) = text.split_at(colon);
    Ok((algorithm.into(), encoded.get(1..).unwrap_or_default().into()))
}

fn usable(name: &GoStr) -> Result<HashAlgorithm, Fail> {
    HashAlgorithm::named(name).ok_or_else(|| {
        if name.is_empty() {
            return "empty digest algorithm, validate before calling Algorithm.Hash()".into();
        }
        format!("{} not available (make sure it is imported)", name.lossy()).into()
    })
}

fn digest_of(budget: &Budget, algorithm: &Value, bytes: &[u8]) -> Out {
    budget.step(bytes.len() / 16)?;
    Ok(Value::Digest(usable(&text(algorithm))?.digest(bytes)))
}

fn write(budget: &Budget, receiver: &Value, bytes: &[u8]) -> Out {
    budget.bytes(bytes.len())?;
    hash(receiver)?.write(bytes);
    Ok(Value::Int(i64::try_from(bytes.len()).unwrap_or(0)))
}

fn outcome(result: Result<(), &'static str>) -> Value {
    result.map_or_else(Value::error, |()| Value::NilError)
}

/// `Digest.Validate`
pub(crate) fn validate(digest: &[u8]) -> Result<(), &'static str> {
    let Some(colon) =
        digest.iter().position(|&b| b == b':').filter(|&at| at > 0 && at + 1 < digest.len())
    else {
        return Err(INVALID_FORMAT);
    };
    let (algorithm, encoded) = digest.split_at(colon);
    if HashAlgorithm::named(algorithm).is_none() {
        let formed = FORM.as_ref().is_some_and(|form| form.is_match(digest));
        return Err(if formed { UNSUPPORTED } else { INVALID_FORMAT });
    }
    validate_encoded(algorithm, encoded.get(1..).unwrap_or_default())
}

fn validate_encoded(algorithm: &[u8], encoded: &[u8]) -> Result<(), &'static str> {
    let algorithm = HashAlgorithm::named(algorithm).ok_or(UNSUPPORTED)?;
    if algorithm.size() * 2 != encoded.len() {
        return Err(INVALID_LENGTH);
    }
    if encoded.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        Ok(())
    } else {
        Err(INVALID_FORMAT)
    }
}
