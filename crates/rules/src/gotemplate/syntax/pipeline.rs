//! Pipelines: their declarations, their commands, and the operands of those.

use super::ast::{Command, Expr, Pipe};
use super::literal::{number, unquote};
use super::parser::{Parsed, Parser};
use super::token::{Kind, Token};
use crate::gotemplate::catalog;
use crate::gotemplate::text::GoStr;

impl Parser<'_> {
    /// A pipeline up to `end`, which is taken too.
    pub(super) fn pipeline(&mut self, context: &str, end: Kind) -> Parsed<Pipe> {
        self.skip_spaces();
        let mut pipe =
            Pipe { at: self.here(), assign: false, variables: Vec::new(), commands: Vec::new() };
        self.declarations(&mut pipe, context)?;
        loop {
            let start = self.next;
            let token = self.non_space();
            match token.kind {
                kind if kind == end => {
                    self.check(&pipe, &token, context)?;
                    return Ok(pipe);
                }
                Kind::Bool
                | Kind::Character
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawStr
                | Kind::Str
                | Kind::Variable
                | Kind::LeftParen => {
                    self.next = start;
                    pipe.commands.push(self.command()?);
                }
                _ => return self.unexpected(&token, context),
            }
        }
    }

    /// `$x :=`, `$x =`, and for range `$i, $x :=`
    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Parsed<()> {
        while self.peek_non_space() == Kind::Variable {
            let start = self.next;
            let variable = self.token();
            let next = self.non_space();
            match next.kind {
                Kind::Assign | Kind::Declare => {
                    pipe.assign = next.kind == Kind::Assign;
                    pipe.variables.push(variable.text.to_owned());
                    self.vars.push(variable.text.to_owned());
                    return Ok(());
                }
                Kind::Char if next.text == "," => {
                    pipe.variables.push(variable.text.to_owned());
                    self.vars.push(variable.text.to_owned());
                    if context != "range" || pipe.variables.len() >= 2 {
                        return self.fail(next.at, format!("too many declarations in {context}"));
                    }
                    if !matches!(
                        self.peek_non_space(),
                        Kind::Variable | Kind::RightDelim | Kind::RightParen
                    ) {
                        return self.fail(next.at, "range can only initialize variables");
                    }
                }
                _ => {
                    self.next = start;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn check(&self, pipe: &Pipe, end: &Token<'_>, context: &str) -> Parsed<()> {
        if pipe.commands.is_empty() {
            return self.fail(end.at, format!("missing value for {context}"));
        }
        for (index, command) in pipe.commands.iter().enumerate().skip(1) {
            if let Some(
                Expr::Bool { .. }
                | Expr::Dot { .. }
                | Expr::Nil { .. }
                | Expr::Number { .. }
                | Expr::Str { .. },
            ) = command.args.first()
            {
                return self.fail(
                    command.at,
                    format!("non executable command in pipeline stage {}", index + 1),
                );
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Parsed<Command> {
        self.skip_spaces();
        let mut command = Command { at: self.here(), args: Vec::new() };
        loop {
            self.skip_spaces();
            if let Some(operand) = self.operand()? {
                command.args.push(operand);
            }
            let start = self.next;
            let token = self.token();
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelim | Kind::RightParen => self.next = start,
                Kind::Pipe => {}
                _ => return self.unexpected(&token, "operand"),
            }
            break;
        }
        if command.args.is_empty() {
            return self.fail(command.at, "empty command");
        }
        Ok(command)
    }

    /// A term and the fields after it.
    fn operand(&mut self) -> Parsed<Option<Expr>> {
        let Some(term) = self.term()? else {
            return Ok(None);
        };
        if self.peek() != Kind::Field {
            return Ok(Some(term));
        }
        let at = self.here();
        let mut fields = Vec::new();
        while self.peek() == Kind::Field {
            fields.push(field_name(self.token().text));
        }
        Ok(Some(match term {
            Expr::Field { mut path, .. } => {
                path.append(&mut fields);
                Expr::Field { at, path }
            }
            Expr::Variable { name, mut path, .. } => {
                path.append(&mut fields);
                Expr::Variable { at, name, path }
            }
            Expr::Bool { .. }
            | Expr::Str { .. }
            | Expr::Number { .. }
            | Expr::Nil { .. }
            | Expr::Dot { .. } => {
                return self.fail(at, format!("unexpected . after term \"{term}\""));
            }
            other => Expr::Chain { at, node: Box::new(other), path: fields },
        }))
    }

    fn term(&mut self) -> Parsed<Option<Expr>> {
        self.skip_spaces();
        let start = self.next;
        let token = self.token();
        let at = token.at;
        Ok(Some(match token.kind {
            Kind::Identifier => match catalog::lookup(token.text) {
                Some(function) => Expr::Function { at, function },
                None => return self.fail(at, format!("function {:?} not defined", token.text)),
            },
            Kind::Dot => Expr::Dot { at },
            Kind::Nil => Expr::Nil { at },
            Kind::Variable if self.vars.iter().any(|name| name == token.text) => {
                Expr::Variable { at, name: token.text.to_owned(), path: Vec::new() }
            }
            Kind::Variable => return self.fail(at, format!("undefined variable {:?}", token.text)),
            Kind::Field => Expr::Field { at, path: vec![field_name(token.text)] },
            Kind::Bool => Expr::Bool { at, value: token.text == "true" },
            Kind::Character | Kind::Complex | Kind::Number => {
                let number =
                    number(token.text, token.kind).or_else(|message| self.fail(at, message))?;
                Expr::Number { at, number }
            }
            Kind::LeftParen => {
                let parse =
                    |parser: &mut Self| parser.pipeline("parenthesized pipeline", Kind::RightParen);
                Expr::Pipe(Box::new(self.nested(at, parse)?))
            }
            Kind::Str | Kind::RawStr => {
                let text = unquote(token.text).or_else(|message| self.fail(at, message))?;
                Expr::Str { at, written: token.text.to_owned(), text: GoStr::from(text) }
            }
            _ => {
                self.next = start;
                return Ok(None);
            }
        }))
    }
}

fn field_name(text: &str) -> String {
    text.strip_prefix('.').unwrap_or(text).to_owned()
}
