//! What a function is.

use std::cell::RefCell;

use super::limits::Budget;
use super::regexp::RegexCache;
use super::text::GoStr;
use super::time::{Clock, Time};
use super::value::{Dict, Out, Value};

/// The Go type of a parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ty {
    /// `interface {}`
    Any,
    /// `reflect.Value`: anything, even no value at all
    Reflect,
    /// `string`
    Str,
    /// `int`
    Int,
    /// `float64`
    Float,
    /// `bool`
    Bool,
    /// `map[string]interface {}`
    Dict,
    /// `[]uint8`
    Bytes,
    /// `time.Time`
    Time,
    /// `time.Duration`
    Duration,
    /// `*time.Location`
    Location,
    /// `*semver.Version`
    Version,
}

impl Ty {
    /// Go's name of the type.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Reflect => "reflect.Value",
            Self::Str => "string",
            Self::Int => "int",
            Self::Float => "float64",
            Self::Bool => "bool",
            Self::Dict => "map[string]interface {}",
            Self::Bytes => "[]uint8",
            Self::Time => "time.Time",
            Self::Duration => "time.Duration",
            Self::Location => "*time.Location",
            Self::Version => "*semver.Version",
        }
    }

    /// Its nil, where it has one.
    pub(crate) fn nil(self) -> Option<Value> {
        match self {
            Self::Any | Self::Location | Self::Version => Some(Value::Nil),
            Self::Reflect => Some(Value::Invalid),
            Self::Dict => Some(Value::Dict(None)),
            Self::Bytes => Some(Value::Bytes(None)),
            _ => None,
        }
    }

    /// Whether a value can be passed as it is.
    pub(crate) fn takes(self, value: &Value) -> bool {
        match self {
            Self::Any | Self::Reflect => true,
            Self::Str => matches!(value, Value::Str(_)),
            Self::Int => matches!(value, Value::Int(_)),
            Self::Float => matches!(value, Value::Float(_)),
            Self::Bool => matches!(value, Value::Bool(_)),
            Self::Dict => matches!(value, Value::Dict(_)),
            Self::Bytes => matches!(value, Value::Bytes(_)),
            Self::Time => matches!(value, Value::Time(_)),
            Self::Duration => matches!(value, Value::Duration(_)),
            Self::Location => matches!(value, Value::Location(_)),
            Self::Version => matches!(value, Value::VersionPtr(_)),
        }
    }
}

/// What functions may use beside their arguments.
pub(crate) struct Env<'t> {
    pub(crate) budget: Budget,
    pub(crate) regexes: &'t RegexCache,
    pub(crate) clock: &'t Clock,
    /// Dictionaries that were given a container after they were made: only these can come to hold themselves.
    changed: RefCell<Vec<Dict>>,
}

impl<'t> Env<'t> {
    /// The surroundings of one rendering.
    pub(crate) fn new(regexes: &'t RegexCache, clock: &'t Clock) -> Self {
        Self { budget: Budget::default(), regexes, clock, changed: RefCell::default() }
    }

    /// Sets the value of a key of a dictionary that others may hold already.
    pub(crate) fn set(&self, dict: &Dict, key: GoStr, value: Value) {
        if matches!(value, Value::Dict(_) | Value::List(_)) {
            self.changed.borrow_mut().push(dict.clone());
        }
        dict.set(key, value);
    }

    /// The moment that `ago` counts from.
    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }
}

impl Drop for Env<'_> {
    /// Counted references do not free a ring: it is cut where it was closed.
    fn drop(&mut self) {
        for dict in self.changed.take() {
            dict.clear();
        }
    }
}

/// Arguments, their number and types already checked against the parameters.
#[derive(Clone, Copy)]
pub(crate) struct Args<'a>(pub(crate) &'a [Value]);

impl<'a> Args<'a> {
    /// Any argument.
    pub(crate) fn value(self, index: usize) -> &'a Value {
        self.0.get(index).unwrap_or(&Value::Invalid)
    }

    /// A string's bytes.
    pub(crate) fn text(self, index: usize) -> &'a [u8] {
        self.value(index).text().map_or(b"", |text| text)
    }

    /// An `int` or duration.
    pub(crate) fn int(self, index: usize) -> i64 {
        match self.value(index) {
            Value::Int(n) | Value::Duration(n) => *n,
            _ => 0,
        }
    }

    /// A `map[string]interface {}` that is not nil.
    pub(crate) fn dict(self, index: usize) -> Option<&'a Dict> {
        match self.value(index) {
            Value::Dict(dict) => dict.as_ref(),
            _ => None,
        }
    }

    /// The arguments from `index` on.
    pub(crate) fn rest(self, index: usize) -> &'a [Value] {
        self.0.get(index..).unwrap_or_default()
    }
}

/// How a function is run.
#[derive(Clone, Copy)]
pub(crate) enum Call {
    /// Called with its arguments.
    Plain(fn(&Env<'_>, Args<'_>) -> Out),
    /// `and`: arguments are evaluated until one decides.
    And,
    /// `or`
    Or,
}

/// A function of the template language.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) signature: Signature,
    pub(crate) call: Call,
}

/// The parameters of a function or method.
#[derive(Clone, Copy)]
pub(crate) struct Signature {
    pub(crate) params: &'static [Ty],
    /// The type of any number of further arguments.
    pub(crate) variadic: Option<Ty>,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// A function of fixed parameters.
pub(crate) const fn fixed(
    name: &'static str,
    params: &'static [Ty],
    call: fn(&Env<'_>, Args<'_>) -> Out,
) -> Function {
    Function { name, signature: Signature { params, variadic: None }, call: Call::Plain(call) }
}

/// A function of fixed parameters and any number of further ones.
pub(crate) const fn variadic(
    name: &'static str,
    params: &'static [Ty],
    more: Ty,
    call: fn(&Env<'_>, Args<'_>) -> Out,
) -> Function {
    Function {
        name,
        signature: Signature { params, variadic: Some(more) },
        call: Call::Plain(call),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::rc::Rc;

    use super::*;

    #[test]
    fn a_dictionary_that_holds_itself_is_freed() {
        let held = Rc::new(BTreeMap::new());
        let (regexes, clock) = (RegexCache::default(), Clock::default());
        let env = Env::new(&regexes, &clock);
        let dict = Dict::new(BTreeMap::from([("held".into(), Value::StrMap(Some(held.clone())))]));
        env.set(&dict, "itself".into(), Value::Dict(Some(dict.clone())));
        drop(dict);
        assert_eq!(Rc::strong_count(&held), 2);
        drop(env);
        assert_eq!(Rc::strong_count(&held), 1);
    }
}
