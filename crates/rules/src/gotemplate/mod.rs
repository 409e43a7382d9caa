//! Go templates: `text/template` with sprig's functions over an OCI descriptor, byte for byte as Go renders them.
//!
//! A rule file of ace-dt is such a template. It is parsed once and rendered for every descriptor:
//!
//! - `syntax` reads the text into a tree; functions are found while it is read;
//! - `value` knows Go's types, for what a function accepts depends on them;
//! - `exec` walks the tree; `functions` says what a function is, `catalog` knows them all, `builtins`, `sprig`, `references` and `methods` are what it calls;
//! - `limits` bounds steps, memory, output and depth, so that no template hangs or exhausts the machine.
//!
//! Nothing is read but the template and the descriptor: no environment, no network, no files. The one exception is the
//! clock, for `ago`, and it is read once.

#![allow(
    clippy::unnecessary_wraps,
    clippy::match_same_arms,
    clippy::many_single_char_names,
    clippy::format_push_string,
    clippy::naive_bytecount,
    clippy::single_match_else,
    reason = "functions of a table share one signature, and arms are kept in the order of Go's own cases"
)]

mod builtins;
mod catalog;
mod decimal;
mod descriptor;
mod error;
mod escape;
mod exec;
mod fmt;
mod functions;
mod json;
mod limits;
mod methods;
mod parse_number;
mod references;
mod regexp;
mod semver;
mod sprig;
mod syntax;
mod text;
mod time;
mod unicode;
mod url;
mod value;

use std::rc::Rc;

pub use descriptor::{DescriptorData, PlatformData};
pub use error::{ExecError, ParseError};

use exec::Program;
use regexp::RegexCache;
use syntax::Trees;
use time::Clock;
use value::{Descriptor, Value};

/// A parsed template. It can be rendered from several threads at once.
pub struct GoTemplate {
    name: String,
    text: String,
    trees: Trees,
    regexes: RegexCache,
    clock: Clock,
}

impl GoTemplate {
    /// Parses a template file; `name` stands for it in messages.
    pub fn parse(name: &str, text: &str) -> Result<Self, ParseError> {
        Ok(Self {
            name: name.to_owned(),
            text: text.to_owned(),
            trees: syntax::parse(name, text)?,
            regexes: RegexCache::default(),
            clock: Clock::default(),
        })
    }

    /// Renders the template for a descriptor.
    ///
    /// The output is what Go would write, before anything is split or trimmed. Output that is no UTF-8 is an error.
    pub fn render(&self, data: &DescriptorData) -> Result<String, ExecError> {
        let program = Program {
            name: &self.name,
            text: &self.text,
            trees: &self.trees,
            regexes: &self.regexes,
            clock: &self.clock,
        };
        let output = program.run(&|| Value::Descriptor(Rc::new(Descriptor::new(data))))?;
        String::from_utf8(output)
            .map_err(|_| ExecError(format!("template: {}: the output is no UTF-8", self.name)))
    }
}
