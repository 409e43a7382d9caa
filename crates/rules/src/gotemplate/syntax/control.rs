//! Actions that are no pipelines: `if`, `range`, `with`, `block`, `template` and what ends them.

use super::ast::{Branch, List, Node};
use super::parser::{Ending, Parsed, Parser};
use super::token::{Keyword, Kind};

impl Parser<'_> {
    /// What follows a left delimiter.
    pub(super) fn action(&mut self) -> Parsed<Result<Node, Ending>> {
        let Kind::Keyword(keyword) = self.peek_non_space() else {
            let pipe = self.pipeline("command", Kind::RightDelim)?;
            return Ok(Ok(Node::Action(pipe)));
        };
        let token = self.token();
        Ok(Ok(match keyword {
            Keyword::Block => self.block()?,
            Keyword::Break => self.jump("break", Node::Break)?,
            Keyword::Continue => self.jump("continue", Node::Continue)?,
            Keyword::Else => return self.otherwise().map(Err),
            Keyword::End => {
                self.expect(Kind::RightDelim, "end")?;
                return Ok(Err(Ending::End));
            }
            Keyword::If => Node::If(self.control("if")?),
            Keyword::Range => Node::Range(self.control("range")?),
            Keyword::Template => self.template()?,
            Keyword::With => Node::With(self.control("with")?),
            Keyword::Define => return self.unexpected(&token, "command"),
        }))
    }

    fn jump(&mut self, word: &str, node: Node) -> Parsed<Node> {
        let token = self.expect(Kind::RightDelim, &format!("{{{{{word}}}}}"))?;
        if self.range_depth == 0 {
            return self.fail(token.at, format!("{{{{{word}}}}} outside {{{{range}}}}"));
        }
        Ok(node)
    }

    /// `{{else}}`; in `{{else if ..}}` the rest is left to read.
    fn otherwise(&mut self) -> Parsed<Ending> {
        if !matches!(self.peek_non_space(), Kind::Keyword(Keyword::If | Keyword::With)) {
            self.expect(Kind::RightDelim, "else")?;
        }
        Ok(Ending::Else)
    }

    fn control(&mut self, context: &str) -> Parsed<Branch> {
        let scope = self.vars.len();
        let pipe = self.pipeline(context, Kind::RightDelim)?;
        let at = pipe.at;
        if context == "range" {
            self.range_depth += 1;
        }
        let (list, ending) = self.nested(at, Self::item_list)?;
        if context == "range" {
            self.range_depth -= 1;
        }
        let otherwise = match ending {
            Ending::End => None,
            Ending::Else => Some(self.nested(at, |parser| parser.alternative(context))?),
        };
        self.vars.truncate(scope);
        Ok(Branch { pipe, list, otherwise })
    }

    /// What follows `{{else`, up to the end of the whole.
    fn alternative(&mut self, context: &str) -> Parsed<List> {
        match (context, self.peek()) {
            ("if", Kind::Keyword(Keyword::If)) => {
                self.token();
                Ok(vec![Node::If(self.control("if")?)])
            }
            ("with", Kind::Keyword(Keyword::With)) => {
                self.token();
                Ok(vec![Node::With(self.control("with")?)])
            }
            _ => {
                let token = self.here();
                match self.item_list()? {
                    (list, Ending::End) => Ok(list),
                    (_, Ending::Else) => self.fail(token, "expected end; found {{else}}"),
                }
            }
        }
    }

    fn block(&mut self) -> Parsed<Node> {
        let token = self.non_space();
        let name = self.template_name(&token, "block clause")?;
        let pipe = self.pipeline("block clause", Kind::RightDelim)?;
        let list = self.separate_list(token.at, "block clause")?;
        self.add(&name, list, token.at)?;
        Ok(Node::Template { at: token.at, name, pipe: Some(pipe) })
    }

    fn template(&mut self) -> Parsed<Node> {
        let token = self.non_space();
        let name = self.template_name(&token, "template clause")?;
        let pipe = if self.peek_non_space() == Kind::RightDelim {
            self.token();
            None
        } else {
            Some(self.pipeline("template clause", Kind::RightDelim)?)
        };
        Ok(Node::Template { at: token.at, name, pipe })
    }
}
