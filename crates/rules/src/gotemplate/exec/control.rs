//! `if`, `with`, `range` and `template`.

use super::{At, Flow, Run, State};
use crate::gotemplate::limits::MAX_TEMPLATE_DEPTH;
use crate::gotemplate::syntax::{Branch, Pipe};
use crate::gotemplate::value::{Value, truth};

impl<'t> State<'t> {
    pub(super) fn branch(&mut self, dot: &Value, branch: &'t Branch, with: bool) -> Run<Flow> {
        let mark = self.vars.len();
        let value = self.pipeline(dot, &branch.pipe)?;
        let flow = match (truth(&value), &branch.otherwise) {
            (true, _) if with => self.list(&value, &branch.list),
            (true, _) => self.list(dot, &branch.list),
            (false, Some(otherwise)) => self.list(dot, otherwise),
            (false, None) => Ok(Flow::Next),
        };
        self.vars.truncate(mark);
        flow
    }

    pub(super) fn range(&mut self, dot: &Value, branch: &'t Branch) -> Run<Flow> {
        let outer = self.vars.len();
        let value = self.pipeline(dot, &branch.pipe)?;
        let (ran, flow) = self.iterate(branch, &value)?;
        let flow = match &branch.otherwise {
            Some(otherwise) if !ran => self.list(dot, otherwise)?,
            _ => flow,
        };
        self.vars.truncate(outer);
        Ok(flow)
    }

    /// Runs the body for every element: whether there was one, and what follows.
    fn iterate(&mut self, branch: &'t Branch, value: &Value) -> Run<(bool, Flow)> {
        match value {
            Value::Int(count) => self.count(branch, value, *count, Value::Int),
            Value::Int64(count) => self.count(branch, value, *count, Value::Int64),
            Value::Month(count) => self.count(branch, value, *count, Value::Month),
            Value::Weekday(count) => self.count(branch, value, *count, Value::Weekday),
            Value::Duration(count) => self.count(branch, value, *count, Value::Duration),
            Value::Uint8(count) => {
                self.count(branch, value, i64::from(*count), |n| Value::Uint8(n as u8))
            }
            Value::Uint64(count) => {
                let count = i64::try_from(*count).unwrap_or(i64::MAX);
                self.count(branch, value, count, |n| Value::Uint64(n as u64))
            }
            Value::List(list) => self.each(
                branch,
                (0..list.len()).map_while(|index| Some((index_value(index), list.get(index)?))),
            ),
            Value::Bytes(bytes) => {
                let bytes = bytes.as_deref().unwrap_or_default().iter().enumerate();
                self.each(
                    branch,
                    bytes.map(|(index, byte)| (index_value(index), Value::Uint8(*byte))),
                )
            }
            Value::Dict(dict) => {
                let entries =
                    dict.as_ref().map(crate::gotemplate::value::Dict::entries).unwrap_or_default();
                self.each(branch, entries.into_iter().map(|(key, value)| (Value::Str(key), value)))
            }
            Value::StrMap(map) => {
                let entries = map.iter().flat_map(|map| map.iter());
                self.each(
                    branch,
                    entries.map(|(key, text)| (Value::Str(key.clone()), Value::Str(text.clone()))),
                )
            }
            Value::Invalid => Ok((false, Flow::Next)),
            other => {
                let shown =
                    crate::gotemplate::fmt::sprint(std::slice::from_ref(other), &self.env.budget);
                let shown = self.check(shown)?;
                self.error(format_args!(
                    "range can't iterate over {}",
                    String::from_utf8_lossy(&shown)
                ))
            }
        }
    }

    fn count(
        &mut self,
        branch: &'t Branch,
        value: &Value,
        count: i64,
        make: fn(i64) -> Value,
    ) -> Run<(bool, Flow)> {
        if branch.pipe.variables.len() > 1 {
            let message =
                format!("can't use {} to iterate over more than one variable", value.type_name());
            return self.error(message);
        }
        self.each(branch, (0..count.max(0)).map(|n| (Value::Invalid, make(n))))
    }

    fn each(
        &mut self,
        branch: &'t Branch,
        items: impl Iterator<Item = (Value, Value)>,
    ) -> Run<(bool, Flow)> {
        let mark = self.vars.len();
        let mut ran = false;
        for (index, item) in items {
            ran = true;
            let stepped = self.env.budget.step(1);
            self.check(stepped)?;
            self.bind(&branch.pipe, index, &item)?;
            let flow = self.list(&item, &branch.list)?;
            self.vars.truncate(mark);
            if flow == Flow::Break {
                break;
            }
        }
        Ok((ran, Flow::Next))
    }

    /// Gives the variables of a range their values for one element.
    fn bind(&mut self, pipe: &'t Pipe, index: Value, item: &Value) -> Run<()> {
        match (pipe.variables.as_slice(), pipe.assign) {
            ([], _) => {}
            ([one], true) => self.assign(one, item.clone())?,
            ([key, element, ..], true) => {
                self.assign(key, index)?;
                self.assign(element, item.clone())?;
            }
            (names, false) => {
                let top = self.vars.len();
                if let Some(variable) = top.checked_sub(1).and_then(|at| self.vars.get_mut(at)) {
                    variable.1 = item.clone();
                }
                if names.len() > 1
                    && let Some(variable) = top.checked_sub(2).and_then(|at| self.vars.get_mut(at))
                {
                    variable.1 = index;
                }
            }
        }
        Ok(())
    }

    pub(super) fn template(
        &mut self,
        dot: &Value,
        at: usize,
        name: &'t str,
        pipe: Option<&'t Pipe>,
    ) -> Run<()> {
        self.at = At::Template(at, name, pipe);
        let trees = self.program.trees;
        let Some(list) = trees.get(name) else {
            return self.error(format_args!("template {name:?} not defined"));
        };
        if self.template_depth >= MAX_TEMPLATE_DEPTH {
            return self
                .error(format_args!("exceeded maximum template depth ({MAX_TEMPLATE_DEPTH})"));
        }
        let dot = match pipe {
            Some(pipe) => self.pipeline(dot, pipe)?,
            None => Value::Invalid,
        };
        let vars = std::mem::replace(&mut self.vars, vec![("$", dot.clone())]);
        let outer = std::mem::replace(&mut self.template, name);
        self.template_depth += 1;
        let result = self.list(&dot, list);
        self.template_depth -= 1;
        if result.is_ok() {
            self.template = outer;
        }
        self.vars = vars;
        result.map(drop)
    }
}

fn index_value(index: usize) -> Value {
    Value::Int(i64::try_from(index).unwrap_or(i64::MAX))
}
