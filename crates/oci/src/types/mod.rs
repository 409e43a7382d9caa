//! The base types that every module may import: pure data, no I/O, no async.

mod descriptor;
mod digest;
mod location;
mod manifest;
pub mod media;
mod media_type;
mod platform;
mod reference;

pub use descriptor::{Annotations, Descriptor};
pub use digest::{Algorithm, Digest, DigestError, Hasher};
pub use location::{Location, LocationError};
pub use manifest::{Manifest, ManifestError, ManifestKind};
pub use media_type::MediaType;
pub use platform::{Platform, PlatformError};
pub use reference::{Name, Reference, ReferenceError, Tag, Version};

/// The largest manifest that is read or written, in bytes: the limit that the distribution
/// specification tells registries to enforce at least and most enforce exactly.
pub const MAX_MANIFEST: u64 = 4 * 1024 * 1024;
