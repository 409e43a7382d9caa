//! What is to be moved: an image, where it is, and where it is to go.

use std::sync::Arc;

use crate::store::{Presence, Source, Store};
use crate::types::{Descriptor, Manifest, Name, Tag};

/// One image on its way.
#[derive(Clone)]
pub struct Transfer {
    /// What it is called in reports: its source as written.
    pub item: String,
    /// Where it is.
    pub from: Arc<dyn Source>,
    /// The repository that it is in, when other repositories of its registry could mount from it.
    pub mount_from: Option<(String, Name)>,
    /// The image.
    pub root: Root,
    /// Where it is to go.
    pub to: Vec<Target>,
    /// Take referrers and cosign's tags along.
    pub referrers: bool,
}

/// The manifest that a transfer begins at.
#[derive(Clone)]
pub enum Root {
    /// Its content is at hand. It need not be in the source, only what it names.
    Read(Manifest),
    /// Only what it is, is known.
    Known(Box<Descriptor>),
}

/// Where an image is to go.
#[derive(Clone)]
pub struct Target {
    /// The repository.
    pub store: Arc<dyn Store>,
    /// The tag; without one it is stored by digest only.
    pub tag: Option<Tag>,
    /// What it is called in reports.
    pub label: String,
    /// Whether the repository may hold anything of the image.
    pub presence: Presence,
    /// Whether to look for the image before moving it.
    pub look: bool,
}

impl Root {
    /// What is known of it.
    pub fn descriptor(&self) -> &Descriptor {
        match self {
            Root::Read(manifest) => manifest.descriptor(),
            Root::Known(descriptor) => descriptor,
        }
    }
}
