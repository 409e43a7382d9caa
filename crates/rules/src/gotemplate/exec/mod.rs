//! Runs a template on a value.

mod call;
mod control;
mod field;
mod pipeline;

use super::error::{ExecError, location};
use super::fmt;
use super::functions::Env;
use super::limits::MAX_OUTPUT;
use super::regexp::RegexCache;
use super::syntax::{Command, Expr, Node, Pipe, Trees};
use super::time::Clock;
use super::value::{Fail, Value};

/// How deep a run may go on the stack of its caller.
const SHALLOW: usize = 60;
/// How deep it may go on a stack of its own.
const DEEP: usize = 50_000;
/// The size of that stack; memory is taken as it is used.
const STACK: usize = 512 << 20;

/// A template to run.
#[derive(Clone, Copy)]
pub(crate) struct Program<'t> {
    pub(crate) name: &'t str,
    pub(crate) text: &'t str,
    pub(crate) trees: &'t Trees,
    pub(crate) regexes: &'t RegexCache,
    pub(crate) clock: &'t Clock,
}

/// Why a run stopped.
enum Stop {
    Error(ExecError),
    /// It needs more stack than it may use here.
    TooDeep,
}

/// What to do after a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

type Run<T> = Result<T, Stop>;

/// What is being evaluated, for messages.
#[derive(Clone, Copy)]
enum At<'t> {
    Start,
    Template(usize, &'t str, Option<&'t Pipe>),
    Pipe(&'t Pipe),
    Command(&'t Command),
    Expr(&'t Expr),
}

struct State<'t> {
    program: Program<'t>,
    env: Env<'t>,
    out: Vec<u8>,
    vars: Vec<(&'t str, Value)>,
    at: At<'t>,
    /// The template being run.
    template: &'t str,
    template_depth: usize,
    depth: usize,
    max_depth: usize,
}

impl Program<'_> {
    /// Runs the template; `data` makes the value it is run on.
    pub(crate) fn run(self, data: &(dyn Fn() -> Value + Sync)) -> Result<Vec<u8>, ExecError> {
        match self.attempt(data(), SHALLOW) {
            Ok(out) => Ok(out),
            Err(Stop::Error(error)) => Err(error),
            Err(Stop::TooDeep) => self.run_deep(data),
        }
    }

    /// Runs it once more, from the start, on a larger stack.
    fn run_deep(self, data: &(dyn Fn() -> Value + Sync)) -> Result<Vec<u8>, ExecError> {
        let failed =
            || ExecError(format!("template: {}: nested too deeply for this machine", self.name));
        std::thread::scope(|scope| {
            let builder = std::thread::Builder::new().stack_size(STACK);
            let thread = builder
                .spawn_scoped(scope, move || self.attempt(data(), DEEP))
                .map_err(|_| failed())?;
            match thread.join() {
                Ok(Ok(out)) => Ok(out),
                Ok(Err(Stop::Error(error))) => Err(error),
                Ok(Err(Stop::TooDeep)) => {
                    Err(ExecError(format!("template: {}: nested too deeply", self.name)))
                }
                Err(_) => Err(failed()),
            }
        })
    }

    fn attempt(self, data: Value, max_depth: usize) -> Run<Vec<u8>> {
        let env = Env::new(self.regexes, self.clock);
        let mut state = State {
            program: self,
            env,
            out: Vec::new(),
            vars: vec![("$", data.clone())],
            at: At::Start,
            template: self.name,
            template_depth: 0,
            depth: 0,
            max_depth,
        };
        if let Some(list) = self.trees.get(self.name) {
            state.list(&data, list)?;
        }
        Ok(state.out)
    }
}

impl<'t> State<'t> {
    /// Stops with Go's message about what is at hand.
    fn error<T>(&self, message: impl std::fmt::Display) -> Run<T> {
        let (at, context) = match self.at {
            At::Start => (0, String::new()),
            At::Template(at, name, None) => (at, format!("{{{{template {name:?}}}}}")),
            At::Template(at, name, Some(pipe)) => (at, format!("{{{{template {name:?} {pipe}}}}}")),
            At::Pipe(pipe) => (pipe.at, pipe.to_string()),
            At::Command(command) => (command.at, command.to_string()),
            At::Expr(expr) => (expr.at(), expr.to_string()),
        };
        let (line, column) = location(self.program.text, at);
        let (name, template) = (self.program.name, self.template);
        let text = format!(
            "template: {name}:{line}:{column}: executing {template:?} at <{context}>: {message}"
        );
        Err(Stop::Error(ExecError(text)))
    }

    /// Stops where a limit was passed.
    fn check<T>(&self, result: Result<T, Fail>) -> Run<T> {
        result.or_else(|fail| match fail {
            Fail::Error(message) | Fail::Limit(message) => self.error(message),
        })
    }

    /// Goes one level deeper.
    fn nested<T>(&mut self, run: impl FnOnce(&mut Self) -> Run<T>) -> Run<T> {
        if self.depth >= self.max_depth {
            return Err(Stop::TooDeep);
        }
        self.depth += 1;
        let result = run(self);
        self.depth -= 1;
        result
    }

    fn write(&mut self, bytes: &[u8]) -> Run<()> {
        if self.out.len() + bytes.len() > MAX_OUTPUT {
            return self.error(format_args!(
                "the template gives more than {} MiB of output",
                MAX_OUTPUT >> 20
            ));
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn print(&mut self, value: &Value) -> Run<()> {
        if let Value::Str(text) = value {
            return self.write(text);
        }
        let text = self.check(fmt::print_value(value, &self.env.budget))?;
        self.write(&text)
    }

    fn list(&mut self, dot: &Value, list: &'t [Node]) -> Run<Flow> {
        self.nested(|state| {
            for node in list {
                let flow = state.node(dot, node)?;
                if flow != Flow::Next {
                    return Ok(flow);
                }
            }
            Ok(Flow::Next)
        })
    }

    fn node(&mut self, dot: &Value, node: &'t Node) -> Run<Flow> {
        let stepped = self.env.budget.step(1);
        self.check(stepped)?;
        match node {
            Node::Text(text) => self.write(text)?,
            Node::Action(pipe) => {
                let value = self.pipeline(dot, pipe)?;
                if pipe.variables.is_empty() {
                    self.at = At::Pipe(pipe);
                    self.print(&value)?;
                }
            }
            Node::If(branch) => return self.branch(dot, branch, false),
            Node::With(branch) => return self.branch(dot, branch, true),
            Node::Range(branch) => return self.range(dot, branch),
            Node::Template { at, name, pipe } => self.template(dot, *at, name, pipe.as_ref())?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }
}
