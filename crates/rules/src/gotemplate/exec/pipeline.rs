//! Pipelines, commands and variables.

use super::{At, Run, State};
use crate::gotemplate::syntax::{Command, Expr, Number, Pipe};
use crate::gotemplate::value::Value;

impl<'t> State<'t> {
    /// The value of a pipeline, given to its variables too.
    pub(super) fn pipeline(&mut self, dot: &Value, pipe: &'t Pipe) -> Run<Value> {
        self.nested(|state| {
            state.at = At::Pipe(pipe);
            let mut value = None;
            for command in &pipe.commands {
                let result = state.command(dot, command, value)?;
                value = Some(if matches!(result, Value::Nil) { Value::Invalid } else { result });
            }
            let value = value.unwrap_or(Value::Invalid);
            for name in &pipe.variables {
                if pipe.assign {
                    state.assign(name, value.clone())?;
                } else {
                    let memory = state.env.budget.bytes(48);
                    state.check(memory)?;
                    state.vars.push((name, value.clone()));
                }
            }
            Ok(value)
        })
    }

    /// Sets the innermost variable of that name.
    pub(super) fn assign(&mut self, name: &str, value: Value) -> Run<()> {
        match self.vars.iter_mut().rev().find(|(known, _)| *known == name) {
            Some(variable) => variable.1 = value,
            None => return self.error(format_args!("undefined variable: {name}")),
        }
        Ok(())
    }

    fn variable(&self, name: &str) -> Run<Value> {
        match self.vars.iter().rev().find(|(known, _)| *known == name) {
            Some((_, value)) => Ok(value.clone()),
            None => self.error(format_args!("undefined variable: {name}")),
        }
    }

    /// A command; `last` is the result of the one before it.
    fn command(&mut self, dot: &Value, command: &'t Command, last: Option<Value>) -> Run<Value> {
        let Some((first, args)) = command.args.split_first() else {
            return Ok(Value::Invalid);
        };
        match first {
            Expr::Field { .. } | Expr::Chain { .. } | Expr::Variable { .. } => {
                self.operand(dot, first, args, last)
            }
            Expr::Function { function, .. } => {
                self.at = At::Expr(first);
                self.function(dot, function, At::Command(command), args, last)
            }
            Expr::Pipe(pipe) => {
                self.not_a_function(first, args, last.as_ref())?;
                self.pipeline(dot, pipe)
            }
            _ => {
                self.at = At::Expr(first);
                self.not_a_function(first, args, last.as_ref())?;
                match first {
                    Expr::Dot { .. } => Ok(dot.clone()),
                    Expr::Nil { .. } => self.error("nil is not a command"),
                    _ => self.constant(first),
                }
            }
        }
    }

    fn not_a_function(&self, first: &Expr, args: &[Expr], last: Option<&Value>) -> Run<()> {
        if args.is_empty() && last.is_none() {
            return Ok(());
        }
        self.error(format_args!("can't give argument to non-function {first}"))
    }

    /// A field, chain or variable, called with arguments where it is a method.
    pub(super) fn operand(
        &mut self,
        dot: &Value,
        expr: &'t Expr,
        args: &'t [Expr],
        last: Option<Value>,
    ) -> Run<Value> {
        self.at = At::Expr(expr);
        match expr {
            Expr::Field { path, .. } => self.fields(dot, dot.clone(), expr, path, args, last),
            Expr::Chain { node, path, .. } => {
                if matches!(**node, Expr::Nil { .. }) {
                    return self.error(format_args!("indirection through explicit nil in {expr}"));
                }
                let receiver = self.untyped(dot, node)?;
                self.fields(dot, receiver, expr, path, args, last)
            }
            Expr::Variable { name, path, .. } => {
                let value = self.variable(name)?;
                if path.is_empty() {
                    self.not_a_function(expr, args, last.as_ref())?;
                    return Ok(value);
                }
                self.fields(dot, value, expr, path, args, last)
            }
            _ => self.untyped(dot, expr),
        }
    }

    /// An operand where any type will do.
    pub(super) fn untyped(&mut self, dot: &Value, expr: &'t Expr) -> Run<Value> {
        self.at = At::Expr(expr);
        match expr {
            Expr::Dot { .. } => Ok(dot.clone()),
            Expr::Nil { .. } => Ok(Value::Nil),
            Expr::Pipe(pipe) => self.pipeline(dot, pipe),
            Expr::Function { function, .. } => {
                self.function(dot, function, At::Expr(expr), &[], None)
            }
            Expr::Field { .. } | Expr::Chain { .. } | Expr::Variable { .. } => {
                self.operand(dot, expr, &[], None)
            }
            _ => self.constant(expr),
        }
    }

    /// A literal, in the type it has by itself.
    fn constant(&self, expr: &'t Expr) -> Run<Value> {
        match expr {
            Expr::Bool { value, .. } => Ok(Value::Bool(*value)),
            Expr::Str { text, .. } => Ok(Value::Str(text.clone())),
            Expr::Number { number, .. } => self.number(number),
            _ => self.error(format_args!("can't evaluate command {expr}")),
        }
    }

    fn number(&self, number: &Number) -> Run<Value> {
        if let Some((re, im)) = number.complex {
            return Ok(Value::Complex(re, im));
        }
        let text = number.text.as_str();
        let unsigned = text.strip_prefix('0').unwrap_or_default();
        let hex_int =
            unsigned.starts_with(['x', 'X']) && text.len() > 2 && !text.contains(['p', 'P']);
        let written_as_float =
            !text.starts_with('\'') && !hex_int && text.contains(['.', 'e', 'E', 'p', 'P']);
        match (number.float, number.int) {
            (Some(float), _) if written_as_float => Ok(Value::Float(float)),
            (_, Some(int)) => Ok(Value::Int(int)),
            _ => self.error(format_args!("{text} overflows int")),
        }
    }
}
