//! Why archives cannot be read back.

use airlift_oci::store::{StoreError, chain};
use airlift_oci::types::{Descriptor, Digest, ManifestError};

use crate::medium::ReadError;

/// Why archives were not read back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeserializeError {
    /// The medium cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The destination failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An entry is not what its name says.
    #[error("{at} is damaged: its content has the digest {found}")]
    Damaged {
        /// The entry.
        at: Box<Spot>,
        /// Digest of what is there.
        found: Digest,
    },
    /// An entry that an image archive does not have.
    #[error("{at} is unexpected: {reason}")]
    Unexpected {
        /// The entry.
        at: Box<Spot>,
        /// Why.
        reason: &'static str,
    },
    /// A document of the archive cannot be read.
    #[error("{at} is malformed")]
    Malformed {
        /// The entry.
        at: Box<Spot>,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A manifest of the archive cannot be carried.
    #[error("{at} is needed as a manifest and cannot be used as one")]
    Manifest {
        /// The entry.
        at: Box<Spot>,
        /// What is wrong.
        source: Box<ManifestError>,
    },
    /// The content has another size than the manifest that names it says.
    #[error("{at} has {found} bytes where {named_by} says {expected}")]
    Size {
        /// The entry.
        at: Box<Spot>,
        /// By the header.
        found: u64,
        /// By the manifest.
        expected: u64,
        /// The manifest, or `index.json`.
        named_by: String,
    },
    /// There is no `index.json`.
    #[error("{0} holds no index.json: it is no image archive")]
    NoIndex(String),
    /// The index of what is whole cannot be made.
    #[error("the index of the images that are whole cannot be made")]
    Partial {
        /// Why.
        source: Box<airlift_oci::inventory::InventoryError>,
    },
    /// Content is needed that is neither in the archives nor at the destination.
    #[error("{}", list(.0))]
    Missing(Vec<Missing>),
}

impl DeserializeError {
    /// What is wrong with an entry, and where it stands, when that is the error.
    pub(super) fn damage(&self) -> Option<(&Spot, String)> {
        match self {
            DeserializeError::Damaged { at, found } => {
                Some((at, format!("its content has the digest {found}")))
            }
            DeserializeError::Unexpected { at, reason } => Some((at, (*reason).to_owned())),
            DeserializeError::Malformed { at, source } => {
                Some((at, format!("it is malformed: {source}")))
            }
            DeserializeError::Manifest { at, source } => {
                let source = chain(source.as_ref());
                Some((at, format!("it cannot be used as a manifest: {source}")))
            }
            DeserializeError::Size { at, found, expected, named_by } => {
                Some((at, format!("it has {found} bytes where {named_by} says {expected}")))
            }
            DeserializeError::Read(_)
            | DeserializeError::Store(_)
            | DeserializeError::NoIndex(_)
            | DeserializeError::Partial { .. }
            | DeserializeError::Missing(_) => None,
        }
    }
}

/// Where an entry stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The medium.
    pub place: String,
    /// Name of the entry.
    pub entry: String,
    /// First byte of its header, in the uncompressed archive.
    pub offset: u64,
}

impl Spot {
    /// Of what belongs to no entry.
    pub(crate) fn nowhere() -> Self {
        Spot { place: "the media".to_owned(), entry: String::new(), offset: 0 }
    }
}

impl std::fmt::Display for Spot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.entry.is_empty() {
            return write!(f, "{} at byte {}", self.place, self.offset);
        }
        write!(f, "{}: the entry {:?} at byte {}", self.place, self.entry, self.offset)
    }
}

/// Content that is needed and not there.
#[derive(Debug, Clone, PartialEq)]
pub struct Missing {
    /// What is missing.
    pub descriptor: Descriptor,
    /// The manifest that names it, or `index.json`.
    pub named_by: String,
    /// The image that needs it, as far as known.
    pub image: Option<String>,
    /// Where the archive expects it: an earlier archive, an image.
    pub expected: Option<String>,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, named by {}", self.descriptor.digest, self.named_by)?;
        if let Some(image) = &self.image {
            write!(f, " for {image}")?;
        }
        match &self.expected {
            Some(expected) => write!(f, " (left out as known from {expected})"),
            None => Ok(()),
        }
    }
}

fn list(missing: &[Missing]) -> String {
    const SHOWN: usize = 10;
    let what = match missing.len() {
        1 => "one blob or manifest that is needed is".to_owned(),
        count => format!("{count} blobs and manifests that are needed are"),
    };
    let mut text = format!(
        "{what} neither in the archive nor at the destination; nothing was tagged. Give the earlier archives too, or name with --existing an image that has what is missing:",
    );
    for one in missing.iter().take(SHOWN) {
        text.push_str("\n  ");
        text.push_str(&one.to_string());
    }
    if missing.len() > SHOWN {
        let more = missing.len() - SHOWN;
        text.push_str("\n  and ");
        text.push_str(&more.to_string());
        text.push_str(" more");
    }
    text
}
