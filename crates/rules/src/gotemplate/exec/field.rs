//! Fields, map keys and methods of values.

use super::{At, Run, State};
use crate::gotemplate::methods;
use crate::gotemplate::syntax::Expr;
use crate::gotemplate::value::{Descriptor, Platform, Value};

impl<'t> State<'t> {
    /// Follows a path of names; only the last may be given arguments.
    pub(super) fn fields(
        &mut self,
        dot: &Value,
        receiver: Value,
        expr: &'t Expr,
        path: &'t [String],
        args: &'t [Expr],
        last: Option<Value>,
    ) -> Run<Value> {
        let Some((name, before)) = path.split_last() else {
            return Ok(receiver);
        };
        let mut receiver = receiver;
        for step in before {
            receiver = self.field(dot, &receiver, expr, step, &[], None)?;
        }
        self.field(dot, &receiver, expr, name, args, last)
    }

    fn field(
        &mut self,
        dot: &Value,
        receiver: &Value,
        expr: &'t Expr,
        name: &'t str,
        args: &'t [Expr],
        last: Option<Value>,
    ) -> Run<Value> {
        let nil_of = match receiver {
            Value::Invalid => return Ok(Value::Invalid),
            Value::Nil => Some("interface {}"),
            Value::NilError => Some("error"),
            _ => None,
        };
        if let Some(type_name) = nil_of {
            return self.error(format_args!("nil pointer evaluating {type_name}.{name}"));
        }
        if let Some(method) = methods::lookup(receiver, name) {
            let values = self.arguments(dot, name, method.signature, args, last)?;
            let result =
                (method.call)(&self.env, receiver, crate::gotemplate::functions::Args(&values));
            return self.called(At::Expr(expr), name, result);
        }
        let has_args = !args.is_empty() || last.is_some();
        let found = match receiver {
            Value::Descriptor(descriptor) => descriptor.field(name),
            Value::Platform(Some(platform)) => platform.field(name),
            Value::Platform(None) if Platform::FIELDS.contains(&name) => {
                return self.error(format_args!("nil pointer evaluating *v1.Platform.{name}"));
            }
            Value::Dict(_) | Value::StrMap(_) => return self.key(receiver, name, has_args),
            _ => None,
        };
        match found {
            Some(_) if has_args => {
                self.error(format_args!("{name} has arguments but cannot be invoked as function"))
            }
            Some(value) => Ok(value),
            None if hidden_field(receiver, name) => self.error(format_args!(
                "{name} is an unexported field of struct type {}",
                receiver.type_name()
            )),
            None => self.error(format_args!(
                "can't evaluate field {name} in type {}{}",
                receiver.type_name(),
                hint(receiver, name)
            )),
        }
    }

    fn key(&self, receiver: &Value, name: &str, has_args: bool) -> Run<Value> {
        if has_args {
            return self.error(format_args!("{name} is not a method but has arguments"));
        }
        let found = match receiver {
            Value::Dict(dict) => dict.as_ref().and_then(|dict| dict.get(name.as_bytes())),
            Value::StrMap(map) => {
                map.as_ref().and_then(|map| map.get(name.as_bytes()).cloned()).map(Value::Str)
            }
            _ => None,
        };
        Ok(found.unwrap_or(Value::Invalid))
    }
}

fn hidden_field(receiver: &Value, name: &str) -> bool {
    let hidden: &[&str] = match receiver {
        Value::Version(_) | Value::VersionPtr(_) => {
            &["major", "minor", "patch", "pre", "metadata", "original"]
        }
        Value::Time(_) => &["wall", "ext", "loc"],
        _ => &[],
    };
    hidden.contains(&name)
}

/// The field that was perhaps meant.
fn hint(receiver: &Value, name: &str) -> String {
    let fields: &[&str] = match receiver {
        Value::Descriptor(_) => &Descriptor::FIELDS,
        Value::Platform(_) => &Platform::FIELDS,
        _ => &[],
    };
    fields
        .iter()
        .find(|field| field.eq_ignore_ascii_case(name))
        .map_or_else(String::new, |field| format!(" (did you mean {field}?)"))
}
