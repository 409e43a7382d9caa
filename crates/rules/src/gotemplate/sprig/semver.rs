//! Semantic versions.

use std::rc::Rc;

use crate::gotemplate::functions::{Function, Ty, fixed};
use crate::gotemplate::semver::{Version, satisfies};
use crate::gotemplate::value::Value;

const S: Ty = Ty::Str;

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("semver", &[S], |_, args| {
        let version = Version::parse(&String::from_utf8_lossy(args.text(0)))?;
        Ok(Value::VersionPtr(Rc::new(version)))
    }),
    fixed("semverCompare", &[S, S], |env, args| {
        env.budget.step(10 + args.text(0).len())?;
        let (constraints, version) =
            (String::from_utf8_lossy(args.text(0)), String::from_utf8_lossy(args.text(1)));
        Ok(Value::Bool(satisfies(&constraints, &version)?))
    }),
];
