//! The table of all functions.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::functions::Function;
use super::{builtins, references, sprig};

static TABLE: LazyLock<HashMap<&'static str, &'static Function>> = LazyLock::new(|| {
    let groups =
        [builtins::FUNCTIONS].into_iter().chain(sprig::GROUPS).chain([references::FUNCTIONS]);
    groups.flatten().map(|function| (function.name, function)).collect()
});

/// The function of that name; sprig's hide Go's own.
pub(crate) fn lookup(name: &str) -> Option<&'static Function> {
    TABLE.get(name).copied()
}
