//! Calls: arguments are evaluated for the type of their parameter.

use super::{At, Run, State};
use crate::gotemplate::functions::{Args, Call, Function, Signature, Ty};
use crate::gotemplate::syntax::{Expr, Number};
use crate::gotemplate::value::{Fail, Out, Value, truth};

impl<'t> State<'t> {
    pub(super) fn function(
        &mut self,
        dot: &Value,
        function: &'static Function,
        node: At<'t>,
        args: &'t [Expr],
        last: Option<Value>,
    ) -> Run<Value> {
        let stepped = self.env.budget.step(1);
        self.check(stepped)?;
        let call = match function.call {
            Call::Plain(call) => call,
            Call::And => return self.decide(dot, function, args, last, false),
            Call::Or => return self.decide(dot, function, args, last, true),
        };
        let values = self.arguments(dot, function.name, function.signature, args, last)?;
        let result = call(&self.env, Args(&values));
        self.called(node, function.name, result)
    }

    /// The result of a call, or Go's report of its failure.
    pub(super) fn called(&mut self, node: At<'t>, name: &str, result: Out) -> Run<Value> {
        match result {
            Ok(Value::Str(text)) => {
                let memory = self.env.budget.bytes(text.len());
                self.check(memory)?;
                Ok(Value::Str(text))
            }
            Ok(value) => Ok(value),
            Err(Fail::Error(message)) => {
                self.at = node;
                self.error(format_args!("error calling {name}: {message}"))
            }
            Err(Fail::Limit(message)) => {
                self.at = node;
                self.error(message)
            }
        }
    }

    /// `and` and `or`: the first argument that decides, else the last.
    fn decide(
        &mut self,
        dot: &Value,
        function: &Function,
        args: &'t [Expr],
        last: Option<Value>,
        on: bool,
    ) -> Run<Value> {
        self.count_arguments(function.name, function.signature, args.len(), last.is_some())?;
        let mut value = Value::Invalid;
        for arg in args {
            value = self.argument(dot, Ty::Reflect, arg)?;
            if truth(&value) == on {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    fn count_arguments(
        &self,
        name: &str,
        signature: Signature,
        given: usize,
        last: bool,
    ) -> Run<()> {
        let total = given + usize::from(last);
        let wanted = signature.params.len();
        if signature.variadic.is_some() {
            if total < wanted {
                return self.error(format_args!(
                    "wrong number of args for {name}: want at least {wanted} got {given}"
                ));
            }
        } else if total != wanted {
            return self
                .error(format_args!("wrong number of args for {name}: want {wanted} got {total}"));
        }
        Ok(())
    }

    /// Evaluates arguments for the parameters of a function.
    pub(super) fn arguments(
        &mut self,
        dot: &Value,
        name: &str,
        signature: Signature,
        args: &'t [Expr],
        last: Option<Value>,
    ) -> Run<Vec<Value>> {
        self.count_arguments(name, signature, args.len(), last.is_some())?;
        let ty = |index: usize| {
            signature.params.get(index).copied().or(signature.variadic).unwrap_or(Ty::Any)
        };
        let mut values = Vec::with_capacity(args.len() + 1);
        for (index, arg) in args.iter().enumerate() {
            values.push(self.argument(dot, ty(index), arg)?);
        }
        if let Some(last) = last {
            let index = values.len();
            values.push(self.validate(last, ty(index))?);
        }
        Ok(values)
    }

    /// An argument for a parameter of the type.
    fn argument(&mut self, dot: &Value, ty: Ty, expr: &'t Expr) -> Run<Value> {
        self.at = At::Expr(expr);
        match expr {
            Expr::Nil { .. } => match ty.nil() {
                Some(nil) => Ok(nil),
                None => self.error(format_args!("cannot assign nil to {}", ty.name())),
            },
            Expr::Dot { .. }
            | Expr::Field { .. }
            | Expr::Variable { .. }
            | Expr::Pipe(_)
            | Expr::Function { .. }
            | Expr::Chain { .. } => {
                let value = self.untyped(dot, expr)?;
                self.validate(value, ty)
            }
            Expr::Bool { .. } | Expr::Number { .. } | Expr::Str { .. } => {
                self.literal(dot, ty, expr)
            }
        }
    }

    fn literal(&mut self, dot: &Value, ty: Ty, expr: &'t Expr) -> Run<Value> {
        let expected = match (ty, expr) {
            (Ty::Any | Ty::Reflect, _) => return self.untyped(dot, expr),
            (Ty::Bool, Expr::Bool { value, .. }) => return Ok(Value::Bool(*value)),
            (Ty::Str, Expr::Str { text, .. }) => return Ok(Value::Str(text.clone())),
            (Ty::Int, Expr::Number { number: Number { int: Some(int), .. }, .. }) => {
                return Ok(Value::Int(*int));
            }
            (Ty::Duration, Expr::Number { number: Number { int: Some(int), .. }, .. }) => {
                return Ok(Value::Duration(*int));
            }
            (Ty::Float, Expr::Number { number: Number { float: Some(float), .. }, .. }) => {
                return Ok(Value::Float(*float));
            }
            (Ty::Bool, _) => "bool",
            (Ty::Str, _) => "string",
            (Ty::Int | Ty::Duration, _) => "integer",
            (Ty::Float, _) => "float",
            _ => {
                return self
                    .error(format_args!("can't handle {expr} for arg of type {}", ty.name()));
            }
        };
        self.error(format_args!("expected {expected}; found {expr}"))
    }

    /// Passes a value for a parameter of the type, if Go would.
    fn validate(&self, value: Value, ty: Ty) -> Run<Value> {
        if matches!(value, Value::Invalid) {
            return match ty.nil() {
                Some(nil) => Ok(nil),
                None => self.error(format_args!("invalid value; expected {}", ty.name())),
            };
        }
        if !ty.takes(&value) {
            let got = if value.is_nothing() { "interface {}" } else { value.type_name() };
            return self
                .error(format_args!("wrong type for value; expected {}; got {got}", ty.name()));
        }
        Ok(match ty {
            Ty::Any => value.boxed(),
            _ => value,
        })
    }
}
