//! Go's names of types and kinds.

use super::{Elem, HashKind, Value};

/// `reflect.Kind`, as far as values here have one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Invalid,
    Bool,
    Int,
    Int64,
    Uint8,
    Uint64,
    Float64,
    Complex128,
    String,
    Struct,
    Ptr,
    Slice,
    Map,
}

impl Kind {
    /// Go's name of the kind.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Uint8 => "uint8",
            Self::Uint64 => "uint64",
            Self::Float64 => "float64",
            Self::Complex128 => "complex128",
            Self::String => "string",
            Self::Struct => "struct",
            Self::Ptr => "ptr",
            Self::Slice => "slice",
            Self::Map => "map",
        }
    }
}

impl Value {
    /// Go's name of the value's own type, as `%T` prints it.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Invalid | Self::Nil | Self::NilError => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Int64(_) => "int64",
            Self::Uint8(_) => "uint8",
            Self::Uint64(_) => "uint64",
            Self::Float(_) => "float64",
            Self::Complex(..) => "complex128",
            Self::Str(_) => "string",
            Self::Digest(_) => "digest.Digest",
            Self::Algorithm(_) => "digest.Algorithm",
            Self::Month(_) => "time.Month",
            Self::Weekday(_) => "time.Weekday",
            Self::Duration(_) => "time.Duration",
            Self::Time(_) => "time.Time",
            Self::Location(_) => "*time.Location",
            Self::Bytes(_) => "[]uint8",
            Self::List(list) => match list.elem() {
                Elem::Any => "[]interface {}",
                Elem::Str => "[]string",
                Elem::Int => "[]int",
                Elem::List => "[][]interface {}",
            },
            Self::Dict(_) => "map[string]interface {}",
            Self::StrMap(_) => "map[string]string",
            Self::Descriptor(_) => "v1.Descriptor",
            Self::Platform(_) => "*v1.Platform",
            Self::VersionPtr(_) => "*semver.Version",
            Self::Version(_) => "semver.Version",
            Self::Error(name, _) => name,
            Self::Hash(hash) => hash.type_name(),
        }
    }

    /// The kind of the value's type.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Invalid | Self::Nil | Self::NilError => Kind::Invalid,
            Self::Bool(_) => Kind::Bool,
            Self::Int(_) | Self::Month(_) | Self::Weekday(_) => Kind::Int,
            Self::Int64(_) | Self::Duration(_) => Kind::Int64,
            Self::Uint8(_) => Kind::Uint8,
            Self::Uint64(_) => Kind::Uint64,
            Self::Float(_) => Kind::Float64,
            Self::Complex(..) => Kind::Complex128,
            Self::Str(_) | Self::Digest(_) | Self::Algorithm(_) => Kind::String,
            Self::Time(_) | Self::Descriptor(_) | Self::Version(_) => Kind::Struct,
            Self::Bytes(_) | Self::List(_) => Kind::Slice,
            Self::Dict(_) | Self::StrMap(_) => Kind::Map,
            Self::Location(_) | Self::Platform(_) | Self::VersionPtr(_) | Self::Error(..) => {
                Kind::Ptr
            }
            Self::Hash(hash) => match hash.kind() {
                HashKind::Verifier(_) => Kind::Struct,
                _ => Kind::Ptr,
            },
        }
    }
}
