//! `semver.Version` and the pointer to one.

use std::cmp::Ordering;
use std::rc::Rc;

use super::{Method, method};
use crate::gotemplate::functions::{Args, Ty};
use crate::gotemplate::semver::Version;
use crate::gotemplate::value::{Fail, Out, Value};

fn version(value: &Value) -> Result<&Version, Fail> {
    match value {
        Value::Version(version) | Value::VersionPtr(version) => Ok(version),
        _ => Err("runtime error: invalid memory address or nil pointer dereference".into()),
    }
}

fn make(version: Version) -> Out {
    Ok(Value::Version(Rc::new(version)))
}

fn compare(receiver: &Value, args: Args<'_>) -> Result<Ordering, Fail> {
    Ok(version(receiver)?.compare(version(args.value(0))?))
}

/// Methods of the value, which its pointer has too.
pub(super) static VALUE: &[Method] = &[
    method("String", &[], |_, v, _| Ok(Value::Str(version(v)?.text()))),
    method("Major", &[], |_, v, _| Ok(Value::Uint64(version(v)?.major))),
    method("Minor", &[], |_, v, _| Ok(Value::Uint64(version(v)?.minor))),
    method("Patch", &[], |_, v, _| Ok(Value::Uint64(version(v)?.patch))),
    method("Prerelease", &[], |_, v, _| Ok(Value::str(version(v)?.pre.as_str()))),
    method("Metadata", &[], |_, v, _| Ok(Value::str(version(v)?.metadata.as_str()))),
    method("IncMajor", &[], |_, v, _| make(version(v)?.increment(0))),
    method("IncMinor", &[], |_, v, _| make(version(v)?.increment(1))),
    method("IncPatch", &[], |_, v, _| make(version(v)?.increment(2))),
    method("SetPrerelease", &[Ty::Str], |_, v, args| {
        make(version(v)?.with_prerelease(&String::from_utf8_lossy(args.text(0)))?)
    }),
    method("SetMetadata", &[Ty::Str], |_, v, args| {
        make(version(v)?.with_metadata(&String::from_utf8_lossy(args.text(0)))?)
    }),
    method("MarshalJSON", &[], |_, v, _| {
        Ok(Value::Bytes(Some(format!("\"{}\"", version(v)?).into_bytes().into())))
    }),
    method("MarshalText", &[], |_, v, _| {
        Ok(Value::Bytes(Some(version(v)?.to_string().into_bytes().into())))
    }),
    method("Value", &[], |_, v, _| Ok(Value::Str(version(v)?.text()))),
];

/// Methods of the pointer alone. Those that would change the version are left out.
pub(super) static POINTER: &[Method] = &[
    method("Original", &[], |_, v, _| Ok(Value::str(version(v)?.original.as_str()))),
    method("Compare", &[Ty::Version], |_, v, args| Ok(Value::Int(compare(v, args)? as i64))),
    method("Equal", &[Ty::Version], |_, v, args| match args.value(0) {
        Value::Nil => Ok(Value::Bool(false)),
        _ => Ok(Value::Bool(compare(v, args)?.is_eq())),
    }),
    method("LessThan", &[Ty::Version], |_, v, args| Ok(Value::Bool(compare(v, args)?.is_lt()))),
    method("LessThanEqual", &[Ty::Version], |_, v, args| {
        Ok(Value::Bool(compare(v, args)?.is_le()))
    }),
    method("GreaterThan", &[Ty::Version], |_, v, args| Ok(Value::Bool(compare(v, args)?.is_gt()))),
    method("GreaterThanEqual", &[Ty::Version], |_, v, args| {
        Ok(Value::Bool(compare(v, args)?.is_ge()))
    }),
];
