//! The commands, one file each: arguments, options from them, one verb, what is printed.

pub(crate) mod completion;
pub(crate) mod config;
pub(crate) mod man;
