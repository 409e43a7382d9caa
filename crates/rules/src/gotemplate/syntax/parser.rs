//! Templates: their tokens, their definitions, the text and the actions in them.

use std::collections::HashMap;

use super::ast::{List, Node};
use super::lexer::lex;
use super::literal::unquote;
use super::token::{Keyword, Kind, Token};
use crate::gotemplate::error::{ParseError, location};
use crate::gotemplate::limits::MAX_NESTING;

/// The templates of one text, by name.
pub(crate) type Trees = HashMap<String, List>;

pub(super) type Parsed<T> = Result<T, Problem>;

/// What is wrong, and where.
pub(super) struct Problem {
    pub(super) at: usize,
    pub(super) message: String,
}

/// How a list of nodes ended.
pub(super) enum Ending {
    End,
    Else,
}

pub(super) struct Parser<'t> {
    tokens: Vec<Token<'t>>,
    /// The token that comes next; going back to one that was taken is allowed.
    pub(super) next: usize,
    pub(super) trees: Trees,
    /// Variables in scope.
    pub(super) vars: Vec<String>,
    pub(super) range_depth: usize,
    depth: usize,
}

/// Reads a text; its own tree goes under `name`.
pub(crate) fn parse(name: &str, text: &str) -> Result<Trees, ParseError> {
    let mut parser = Parser {
        tokens: lex(text),
        next: 0,
        trees: Trees::new(),
        vars: vec!["$".to_owned()],
        range_depth: 0,
        depth: 0,
    };
    let root = parser.root().and_then(|root| parser.add(name, root, text.len()));
    match root {
        Ok(()) => Ok(parser.trees),
        Err(problem) => {
            let (line, column) = location(text, problem.at);
            Err(ParseError { name: name.to_owned(), line, column, message: problem.message })
        }
    }
}

/// Whether a list prints and does nothing, so that another definition may replace it.
fn is_empty(list: &[Node]) -> bool {
    list.iter().all(
        |node| matches!(node, Node::Text(text) if String::from_utf8_lossy(text).trim().is_empty()),
    )
}

impl<'t> Parser<'t> {
    pub(super) fn token(&mut self) -> Token<'t> {
        let last = self.tokens.len().saturating_sub(1);
        let token = self.tokens.get(self.next.min(last)).cloned();
        self.next = (self.next + 1).min(last);
        token.unwrap_or(Token { kind: Kind::Eof, at: 0, text: "", problem: String::new() })
    }

    pub(super) fn peek(&self) -> Kind {
        self.tokens.get(self.next).map_or(Kind::Eof, |token| token.kind)
    }

    pub(super) fn skip_spaces(&mut self) {
        while self.peek() == Kind::Space {
            self.next += 1;
        }
    }

    pub(super) fn peek_non_space(&mut self) -> Kind {
        self.skip_spaces();
        self.peek()
    }

    pub(super) fn non_space(&mut self) -> Token<'t> {
        self.skip_spaces();
        self.token()
    }

    pub(super) fn here(&self) -> usize {
        self.tokens.get(self.next).map_or(0, |token| token.at)
    }

    #[allow(clippy::unused_self, reason = "reads as the parser's own")]
    pub(super) fn fail<T>(&self, at: usize, message: impl Into<String>) -> Parsed<T> {
        Err(Problem { at, message: message.into() })
    }

    pub(super) fn unexpected<T>(&self, token: &Token<'_>, context: &str) -> Parsed<T> {
        if token.kind == Kind::Error {
            return self.fail(token.at, token.problem.clone());
        }
        self.fail(token.at, format!("unexpected {} in {context}", token.show()))
    }

    pub(super) fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Token<'t>> {
        let token = self.non_space();
        if token.kind == kind { Ok(token) } else { self.unexpected(&token, context) }
    }

    /// Runs a parser one level deeper.
    pub(super) fn nested<T>(
        &mut self,
        at: usize,
        parse: impl FnOnce(&mut Self) -> Parsed<T>,
    ) -> Parsed<T> {
        if self.depth >= MAX_NESTING {
            return self.fail(at, format!("nested more than {MAX_NESTING} levels deep"));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// Enters a definition, unless a fuller one of that name is there.
    pub(super) fn add(&mut self, name: &str, list: List, at: usize) -> Parsed<()> {
        match self.trees.get(name) {
            Some(old) if !is_empty(old) => {
                if !is_empty(&list) {
                    return self.fail(at, format!("multiple definition of template {name:?}"));
                }
            }
            _ => {
                self.trees.insert(name.to_owned(), list);
            }
        }
        Ok(())
    }

    fn root(&mut self) -> Parsed<List> {
        let mut list = List::new();
        while self.peek() != Kind::Eof {
            if self.peek() == Kind::LeftDelim {
                let start = self.next;
                self.token();
                if self.peek_non_space() == Kind::Keyword(Keyword::Define) {
                    self.token();
                    self.definition()?;
                    continue;
                }
                self.next = start;
            }
            let at = self.here();
            match self.text_or_action()? {
                Ok(node) => list.push(node),
                Err(Ending::End) => return self.fail(at, "unexpected {{end}}"),
                Err(Ending::Else) => return self.fail(at, "unexpected {{else}}"),
            }
        }
        Ok(list)
    }

    fn definition(&mut self) -> Parsed<()> {
        let token = self.non_space();
        let name = self.template_name(&token, "define clause")?;
        self.expect(Kind::RightDelim, "define clause")?;
        let list = self.separate_list(token.at, "define clause")?;
        self.add(&name, list, token.at)
    }

    /// The list of a definition, which sees none of the variables around it.
    pub(super) fn separate_list(&mut self, at: usize, context: &str) -> Parsed<List> {
        let vars = std::mem::replace(&mut self.vars, vec!["$".to_owned()]);
        let range_depth = std::mem::take(&mut self.range_depth);
        let (list, ending) = self.nested(at, Self::item_list)?;
        self.vars = vars;
        self.range_depth = range_depth;
        match ending {
            Ending::End => Ok(list),
            Ending::Else => self.fail(at, format!("unexpected {{{{else}}}} in {context}")),
        }
    }

    pub(super) fn template_name(&mut self, token: &Token<'_>, context: &str) -> Parsed<String> {
        if !matches!(token.kind, Kind::Str | Kind::RawStr) {
            return self.unexpected(token, context);
        }
        let bytes = unquote(token.text).or_else(|message| self.fail(token.at, message))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(super) fn item_list(&mut self) -> Parsed<(List, Ending)> {
        let mut list = List::new();
        while self.peek_non_space() != Kind::Eof {
            match self.text_or_action()? {
                Ok(node) => list.push(node),
                Err(ending) => return Ok((list, ending)),
            }
        }
        self.fail(self.here(), "unexpected EOF")
    }

    fn text_or_action(&mut self) -> Parsed<Result<Node, Ending>> {
        let token = self.non_space();
        match token.kind {
            Kind::Text => Ok(Ok(Node::Text(token.text.as_bytes().to_vec()))),
            Kind::LeftDelim => self.action(),
            _ => self.unexpected(&token, "input"),
        }
    }
}
