//! Nodes as messages show them.

use std::fmt::{Display, Formatter, Result};

use super::ast::{Command, Expr, Pipe};

fn path(f: &mut Formatter<'_>, path: &[String]) -> Result {
    path.iter().try_for_each(|name| write!(f, ".{name}"))
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Field { path: names, .. } => path(f, names),
            Self::Chain { node, path: names, .. } => {
                if let Self::Pipe(pipe) = &**node {
                    write!(f, "({pipe})")?;
                } else {
                    write!(f, "{node}")?;
                }
                path(f, names)
            }
            Self::Function { function, .. } => f.write_str(function.name),
            Self::Pipe(pipe) => write!(f, "{pipe}"),
            Self::Variable { name, path: names, .. } => {
                f.write_str(name)?;
                path(f, names)
            }
            Self::Bool { value, .. } => write!(f, "{value}"),
            Self::Dot { .. } => f.write_str("."),
            Self::Nil { .. } => f.write_str("nil"),
            Self::Number { number, .. } => f.write_str(&number.text),
            Self::Str { written, .. } => f.write_str(written),
        }
    }
}

impl Display for Command {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (index, arg) in self.args.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            match arg {
                Expr::Pipe(pipe) => write!(f, "({pipe})")?,
                arg => write!(f, "{arg}")?,
            }
        }
        Ok(())
    }
}

impl Display for Pipe {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if !self.variables.is_empty() {
            write!(f, "{} {} ", self.variables.join(", "), if self.assign { "=" } else { ":=" })?;
        }
        for (index, command) in self.commands.iter().enumerate() {
            if index > 0 {
                f.write_str(" | ")?;
            }
            write!(f, "{command}")?;
        }
        Ok(())
    }
}
