//! The commands, one file each: arguments, options from them, one verb, what is printed.

pub(crate) mod archive;
pub(crate) mod batch_deserialize;
pub(crate) mod batch_serialize;
pub(crate) mod clone;
pub(crate) mod completion;
pub(crate) mod config;
pub(crate) mod copy;
pub(crate) mod deserialize;
pub(crate) mod diff;
pub(crate) mod gather;
pub(crate) mod inspect;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod man;
pub(crate) mod mbuffer;
pub(crate) mod proxy;
pub(crate) mod route;
pub(crate) mod scatter;
pub(crate) mod serialize;
pub(crate) mod serve;
pub(crate) mod unarchive;
pub(crate) mod verify;
