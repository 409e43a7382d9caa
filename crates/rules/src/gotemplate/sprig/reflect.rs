//! Types and kinds.

use crate::gotemplate::functions::{Function, Ty, fixed};
use crate::gotemplate::value::{Value, deep_equal};

const A: Ty = Ty::Any;

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("typeOf", &[A], |_, args| Ok(Value::str(args.value(0).type_name()))),
    fixed("typeIs", &[Ty::Str, A], |_, args| {
        Ok(Value::Bool(args.text(0) == args.value(1).type_name().as_bytes()))
    }),
    fixed("typeIsLike", &[Ty::Str, A], |_, args| {
        let name = args.value(1).type_name().as_bytes();
        Ok(Value::Bool(args.text(0) == name || name.strip_prefix(b"*") == Some(args.text(0))))
    }),
    fixed("kindOf", &[A], |_, args| Ok(Value::str(args.value(0).kind().name()))),
    fixed("kindIs", &[Ty::Str, A], |_, args| {
        Ok(Value::Bool(args.text(0) == args.value(1).kind().name().as_bytes()))
    }),
    fixed("deepEqual", &[A, A], |env, args| {
        Ok(Value::Bool(deep_equal(args.value(0), args.value(1), &env.budget)?))
    }),
];
