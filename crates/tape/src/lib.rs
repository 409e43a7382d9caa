//! Archives on tape, disc and file: layout, writer, reader, ledger, device.
//!
//! An archive is a tar that is an OCI image layout ([`archive`], `docs/formats.md`). Its layout is
//! known before any byte is written, and its bytes depend only on the graph and the options, so
//! writing, resuming, estimating and checking are one calculation.

mod apart;
pub mod archive;
pub mod batch;
pub mod buffer;
mod defaults;
mod deserialize;
pub mod device;
mod framing;
mod input;
pub mod ledger;
mod mbuffer;
mod medium;
mod needed;
mod pool;
mod prefetch;
mod resume;
mod serialize;
mod units;
mod verify;
mod writer;

pub use defaults::DEFAULT_MEMORY;
pub use deserialize::{
    Damage, DeserializeError, DeserializeOptions, Disorder, Lost, Missing, PARTIAL_OF, Partial,
    Received, Spot, deserialize,
};
pub use device::ReadDevice;
pub use framing::{Compression, CompressionError, Framed};
pub use input::read_apart;
pub use mbuffer::{MbufferError, MbufferOptions, mbuffer};
pub use medium::{Medium, ReadError, ready};
pub use resume::{Resume, ResumeError};
pub use serialize::{SerializeError, SerializeOptions, Written, serialize};
pub use verify::{VerifyOptions, VerifyReport, verify};
