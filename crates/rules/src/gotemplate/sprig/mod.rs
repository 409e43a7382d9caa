//! The hermetic functions of sprig 3.3.0.

mod case;
mod convert;
mod crypto;
mod dates;
mod defaults;
mod dicts;
mod encoding;
mod floats;
mod hashes;
mod json;
mod lines;
mod lists;
mod math;
mod merge;
mod paths;
mod quoting;
mod reflect;
mod regex;
mod semver;
mod split;
mod strings;
mod url;

use super::fmt;
use super::functions::{Env, Function};
use super::text::GoStr;
use super::value::{Fail, Value};

/// Every group of functions.
pub(crate) static GROUPS: [&[Function]; 21] = [
    case::FUNCTIONS,
    convert::FUNCTIONS,
    crypto::FUNCTIONS,
    dates::FUNCTIONS,
    defaults::FUNCTIONS,
    dicts::FUNCTIONS,
    encoding::FUNCTIONS,
    floats::FUNCTIONS,
    hashes::FUNCTIONS,
    json::FUNCTIONS,
    lines::FUNCTIONS,
    lists::FUNCTIONS,
    math::FUNCTIONS,
    paths::FUNCTIONS,
    quoting::FUNCTIONS,
    reflect::FUNCTIONS,
    regex::FUNCTIONS,
    semver::FUNCTIONS,
    split::FUNCTIONS,
    strings::FUNCTIONS,
    url::FUNCTIONS,
];

/// sprig's `strval`: the text of any value.
fn text_of(env: &Env<'_>, value: &Value) -> Result<GoStr, Fail> {
    match value {
        Value::Str(text) => Ok(text.clone()),
        Value::Bytes(bytes) => Ok(GoStr::from(bytes.as_deref().unwrap_or_default())),
        other => match fmt::method_text(other) {
            Some(text) => Ok(text),
            None => Ok(fmt::sprint(std::slice::from_ref(other), &env.budget)?.into()),
        },
    }
}
