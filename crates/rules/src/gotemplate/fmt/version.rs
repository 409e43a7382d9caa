//! A semantic version, as `fmt` sees it: a structure with its fields.

use crate::gotemplate::semver::Version;
use crate::gotemplate::value::Value;

/// Every field, under its Go name.
pub(super) fn version_fields(version: &Version) -> Vec<(&'static str, Value)> {
    vec![
        ("major", Value::Uint64(version.major)),
        ("minor", Value::Uint64(version.minor)),
        ("patch", Value::Uint64(version.patch)),
        ("pre", Value::str(version.pre.as_str())),
        ("metadata", Value::str(version.metadata.as_str())),
        ("original", Value::str(version.original.as_str())),
    ]
}
