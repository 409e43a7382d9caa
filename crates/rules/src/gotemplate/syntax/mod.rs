//! A template's text, read into a tree.

mod ast;
mod control;
mod lexer;
mod literal;
mod parser;
mod pipeline;
mod show;
mod token;

pub(crate) use ast::{Branch, Command, Expr, Node, Number, Pipe};
pub(crate) use parser::{Trees, parse};
