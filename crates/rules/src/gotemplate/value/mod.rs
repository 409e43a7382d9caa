//! Values as a Go template sees them: every one has a Go type, and nil comes in several kinds.

mod compare;
mod deep;
mod dict;
mod growth;
mod hashing;
mod host;
mod list;
mod numbers;
mod types;

use std::collections::BTreeMap;
use std::rc::Rc;

pub(crate) use compare::{equal, less, truth};
pub(crate) use deep::{deep_copy, deep_equal};
pub(crate) use dict::Dict;
pub(crate) use hashing::{Algorithm as HashAlgorithm, Hash, HashKind};
pub(crate) use host::{Descriptor, Platform};
pub(crate) use list::{Elem, List};
pub(crate) use numbers::{to_float, to_int};
pub(crate) use types::Kind;

use super::semver::Version;
use super::text::GoStr;
use super::time::Time;

/// Why a function could not give a value.
#[derive(Debug)]
pub(crate) enum Fail {
    /// What Go calls an error of the function.
    Error(String),
    /// A limit was passed; no Go counterpart.
    Limit(String),
}

impl From<String> for Fail {
    fn from(message: String) -> Self {
        Self::Error(message)
    }
}

impl From<&str> for Fail {
    fn from(message: &str) -> Self {
        Self::Error(message.to_owned())
    }
}

/// What a function gives.
pub(crate) type Out = Result<Value, Fail>;

/// `map[string]string`, never changed once made; `None` is Go's nil map.
pub(crate) type StrMap = Option<Rc<BTreeMap<GoStr, GoStr>>>;

/// One Go value with its type. Lists and dictionaries are shared by their clones, as in Go.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// The zero `reflect.Value`: what a missing map key gives.
    Invalid,
    /// A nil `interface{}`.
    Nil,
    /// A nil `error`.
    NilError,
    /// `bool`
    Bool(bool),
    /// `int`
    Int(i64),
    /// `int64`
    Int64(i64),
    /// `uint8`
    Uint8(u8),
    /// `uint64`
    Uint64(u64),
    /// `float64`
    Float(f64),
    /// `complex128`
    Complex(f64, f64),
    /// `string`
    Str(GoStr),
    /// `digest.Digest`
    Digest(GoStr),
    /// `digest.Algorithm`
    Algorithm(GoStr),
    /// `time.Month`
    Month(i64),
    /// `time.Weekday`
    Weekday(i64),
    /// `time.Duration`
    Duration(i64),
    /// `time.Time`
    Time(Rc<Time>),
    /// `*time.Location`, by its name
    Location(GoStr),
    /// `[]uint8`; `None` is Go's nil slice
    Bytes(Option<Rc<[u8]>>),
    /// Any other slice
    List(List),
    /// `map[string]interface {}`; `None` is Go's nil map
    Dict(Option<Dict>),
    /// `map[string]string`
    StrMap(StrMap),
    /// `v1.Descriptor`
    Descriptor(Rc<Descriptor>),
    /// `*v1.Platform`
    Platform(Option<Rc<Platform>>),
    /// `*semver.Version`
    VersionPtr(Rc<Version>),
    /// `semver.Version`
    Version(Rc<Version>),
    /// A non-nil `error` and the type behind it.
    Error(&'static str, GoStr),
    /// What digests compute with.
    Hash(Hash),
}

impl Value {
    /// A Go `string`.
    pub(crate) fn str(text: impl Into<GoStr>) -> Self {
        Self::Str(text.into())
    }

    /// A `[]string`.
    pub(crate) fn strings(items: Vec<GoStr>) -> Self {
        Self::List(List::new(Elem::Str, items.into_iter().map(Self::Str).collect()))
    }

    /// A `[]interface {}`; invalid elements become nil ones.
    pub(crate) fn list(items: Vec<Self>) -> Self {
        Self::List(List::new(Elem::Any, items))
    }

    /// A `[]interface {}` that Go appends to one by one.
    pub(crate) fn appended(items: Vec<Self>) -> Self {
        Self::List(List::appended(Elem::Any, items, 0))
    }

    /// An `error` made by `errors.New`.
    pub(crate) fn error(message: &str) -> Self {
        Self::Error("*errors.errorString", message.into())
    }

    /// What the value is once it is stored in an `interface{}`.
    pub(crate) fn boxed(self) -> Self {
        match self {
            Self::Invalid | Self::NilError => Self::Nil,
            other => other,
        }
    }

    /// Whether it is no value or a nil interface.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Self::Invalid | Self::Nil | Self::NilError)
    }

    /// The elements, where the value is a slice of any type.
    pub(crate) fn elements(&self) -> Option<Vec<Self>> {
        match self {
            Self::List(list) => Some(list.to_vec()),
            Self::Bytes(bytes) => {
                Some(bytes.as_deref().unwrap_or_default().iter().map(|&b| Self::Uint8(b)).collect())
            }
            _ => None,
        }
    }

    /// The bytes of a value whose kind is string.
    pub(crate) fn text(&self) -> Option<&GoStr> {
        match self {
            Self::Str(text) | Self::Digest(text) | Self::Algorithm(text) => Some(text),
            _ => None,
        }
    }
}
