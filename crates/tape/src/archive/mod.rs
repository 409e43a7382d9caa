//! The archive as a format: what stands in it, where, and byte by byte how.
//!
//! Pure: nothing here reads or writes. `docs/formats.md` describes the same in words.

mod blob_path;
mod docker;
mod header;
mod index;
mod layout;
mod parse;
mod plan;
mod transfer;

pub use header::{BLOCK, Kind, padding};
pub use layout::{Body, Entry, Layout, Placed};
pub use parse::{ArchiveError, Head, Parser, Step};
pub use plan::{ArchiveOptions, DEFAULT_RECORD, Omitted, Plan, PlanError};
pub use transfer::{ListedBlob, ListedItem, TRANSFER_LIST, Transfer};

pub(crate) use blob_path::{blob_digest, blob_path};
pub(crate) use header::encode as encode_header;
pub(crate) use index::without as index_without;
pub(crate) use plan::MARKER;
