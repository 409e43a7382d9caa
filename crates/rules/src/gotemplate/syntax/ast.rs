//! The tree of a template.

use crate::gotemplate::functions::Function;
use crate::gotemplate::text::GoStr;

/// Nodes in a row.
pub(crate) type List = Vec<Node>;

/// What a template does, one thing after the other.
#[derive(Debug)]
pub(crate) enum Node {
    /// Literal text.
    Text(Vec<u8>),
    /// `{{pipeline}}`
    Action(Pipe),
    /// `{{if}}`
    If(Branch),
    /// `{{with}}`
    With(Branch),
    /// `{{range}}`
    Range(Branch),
    /// `{{template}}`, and what `{{block}}` leaves in its place.
    Template { at: usize, name: String, pipe: Option<Pipe> },
    /// `{{break}}`
    Break,
    /// `{{continue}}`
    Continue,
}

/// A control structure with an alternative.
#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) pipe: Pipe,
    pub(crate) list: List,
    pub(crate) otherwise: Option<List>,
}

/// Commands, each given the result of the one before, and the variables that take the last.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) at: usize,
    /// `=` rather than `:=`
    pub(crate) assign: bool,
    pub(crate) variables: Vec<String>,
    pub(crate) commands: Vec<Command>,
}

/// A function, method, field or value, and arguments. Never empty.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) at: usize,
    pub(crate) args: Vec<Expr>,
}

/// An operand.
#[derive(Debug)]
pub(crate) enum Expr {
    /// `.A.B`
    Field { at: usize, path: Vec<String> },
    /// `(..).A.B`
    Chain { at: usize, node: Box<Expr>, path: Vec<String> },
    /// A function.
    Function { at: usize, function: &'static Function },
    /// `(..)`
    Pipe(Box<Pipe>),
    /// `$x.A.B`
    Variable { at: usize, name: String, path: Vec<String> },
    /// `true`
    Bool { at: usize, value: bool },
    /// `.`
    Dot { at: usize },
    /// `nil`
    Nil { at: usize },
    /// A number or character.
    Number { at: usize, number: Number },
    /// A string, as written and as meant.
    Str { at: usize, written: String, text: GoStr },
}

impl Expr {
    /// Where it stands in the text.
    pub(crate) fn at(&self) -> usize {
        match self {
            Self::Field { at, .. }
            | Self::Chain { at, .. }
            | Self::Function { at, .. }
            | Self::Variable { at, .. }
            | Self::Bool { at, .. }
            | Self::Dot { at }
            | Self::Nil { at }
            | Self::Number { at, .. }
            | Self::Str { at, .. } => *at,
            Self::Pipe(pipe) => pipe.at,
        }
    }
}

/// A constant, in every type that can hold it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Number {
    pub(crate) text: String,
    pub(crate) int: Option<i64>,
    pub(crate) uint: Option<u64>,
    pub(crate) float: Option<f64>,
    pub(crate) complex: Option<(f64, f64)>,
}
