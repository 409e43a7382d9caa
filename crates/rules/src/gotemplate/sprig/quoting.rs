//! `quote` and `squote`.

use super::text_of;
use crate::gotemplate::fmt;
use crate::gotemplate::functions::{Args, Env, Function, Ty, variadic};
use crate::gotemplate::value::{Fail, Out, Value};

pub(super) static FUNCTIONS: &[Function] = &[
    variadic("quote", &[], Ty::Any, |env, args| {
        joined(args, |value| Ok(fmt::quote(&text_of(env, value)?)))
    }),
    variadic("squote", &[], Ty::Any, |env, args| joined(args, |value| single_quoted(env, value))),
];

fn single_quoted(env: &Env<'_>, value: &Value) -> Result<Vec<u8>, Fail> {
    let text = fmt::sprint(std::slice::from_ref(value), &env.budget)?;
    Ok([b"'", text.as_slice(), b"'"].concat())
}

/// Every argument that is not nil, quoted.
fn joined(args: Args<'_>, quote: impl Fn(&Value) -> Result<Vec<u8>, Fail>) -> Out {
    let mut parts = Vec::new();
    for value in args.0.iter().filter(|value| !value.is_nothing()) {
        parts.push(quote(value)?);
    }
    Ok(Value::str(parts.join(&b' ')))
}
