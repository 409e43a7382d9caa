//! Defaults and choices.

use crate::gotemplate::functions::{Function, Ty, fixed, variadic};
use crate::gotemplate::value::{Value, deep_copy, truth};

const A: Ty = Ty::Any;

pub(super) static FUNCTIONS: &[Function] = &[
    variadic("default", &[A], A, |_, args| {
        Ok(args.value(usize::from(truth(args.value(1)))).clone())
    }),
    fixed("empty", &[A], |_, args| Ok(Value::Bool(!truth(args.value(0))))),
    variadic("coalesce", &[], A, |_, args| {
        Ok(args.0.iter().find(|value| truth(value)).cloned().unwrap_or(Value::Nil))
    }),
    variadic("all", &[], A, |_, args| Ok(Value::Bool(args.0.iter().all(truth)))),
    variadic("any", &[], A, |_, args| Ok(Value::Bool(args.0.iter().any(truth)))),
    fixed("ternary", &[A, A, Ty::Bool], |_, args| {
        Ok(args.value(usize::from(!matches!(args.value(2), Value::Bool(true)))).clone())
    }),
    fixed("deepCopy", &[A], |env, args| deep_copy(args.value(0), &env.budget)),
    fixed("mustDeepCopy", &[A], |env, args| deep_copy(args.value(0), &env.budget)),
    fixed("fail", &[Ty::Str], |_, args| {
        Err(String::from_utf8_lossy(args.text(0)).into_owned().into())
    }),
];
