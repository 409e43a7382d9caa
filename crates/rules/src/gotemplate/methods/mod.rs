//! The methods Go values have.

mod digests;
mod times;
mod versions;

pub(crate) use digests::validate as validate_digest;

use super::functions::{Args, Env, Signature, Ty};
use super::value::{Hash, HashKind, Out, Value};

/// A method of a type.
pub(crate) struct Method {
    name: &'static str,
    pub(crate) signature: Signature,
    pub(crate) call: fn(&Env<'_>, &Value, Args<'_>) -> Out,
}

const fn method(
    name: &'static str,
    params: &'static [Ty],
    call: fn(&Env<'_>, &Value, Args<'_>) -> Out,
) -> Method {
    Method { name, signature: Signature { params, variadic: None }, call }
}

/// A method whose results a template cannot take.
const fn unusable(name: &'static str, params: &'static [Ty]) -> Method {
    method(name, params, |_, _, _| Err("the method has not one result, or one and an error".into()))
}

static ERROR: &[Method] = &[method("Error", &[], |_, receiver, _| match receiver {
    Value::Error(_, text) => Ok(Value::Str(text.clone())),
    _ => Ok(Value::Invalid),
})];

/// The method of that name, if the value has one.
pub(crate) fn lookup(receiver: &Value, name: &str) -> Option<&'static Method> {
    let tables: [&'static [Method]; 2] = match receiver {
        Value::Digest(_) => [digests::DIGEST, &[]],
        Value::Algorithm(_) => [digests::ALGORITHM, &[]],
        Value::Hash(hash) => [hash_methods(hash), &[]],
        Value::Month(_) => [times::MONTH, &[]],
        Value::Weekday(_) => [times::WEEKDAY, &[]],
        Value::Duration(_) => [times::DURATION, &[]],
        Value::Time(_) => [times::TIME, times::TIME_PARTS],
        Value::Location(_) => [times::LOCATION, &[]],
        Value::Version(_) => [versions::VALUE, &[]],
        Value::VersionPtr(_) => [versions::VALUE, versions::POINTER],
        Value::Error(..) => [ERROR, &[]],
        _ => return None,
    };
    tables.into_iter().flatten().find(|method| method.name == name)
}

fn hash_methods(hash: &Hash) -> &'static [Method] {
    match hash.kind() {
        HashKind::Plain => digests::HASH,
        HashKind::Digester => digests::DIGESTER,
        HashKind::Verifier(_) => digests::VERIFIER,
    }
}
