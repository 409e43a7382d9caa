//! Many gathered artifacts as numbered archives in one directory, each a delta to those before.
//!
//! The directory and its two records are the reference program's (`docs/from-ace-dt.md`):
//! `NNNNNN-NAME.tar` (`.tar.zst`, `.tar.gz`), [`Sent`] by whoever writes archives, [`Arrived`] by
//! whoever reads them. Files are taken in the order of their numbers; a name is the tag that its
//! latest archive gets on the far side.

mod list;
mod name;
mod record;
mod time;

pub use list::{BatchLine, ListError, ListFault, parse_list};
pub use name::{ArchiveName, NameError};
pub use record::{Arrived, Record, RecordError, Row, Sent};
pub use time::timestamp;

/// The record of what was written, in the directory of the archives.
pub const SENT_FILE: &str = "record-keeping.csv";
/// The record of what was read, in the directory of the archives.
pub const ARRIVED_FILE: &str = "successful-syncs.csv";
