//! Damage, and what is lost by it.

use airlift_oci::inventory::Labels;
use airlift_oci::types::{Digest, Tag};

use super::{Missing, Spot};

/// Damage at one place.
#[derive(Debug, Clone, PartialEq)]
pub struct Damage {
    /// The entry.
    pub at: Spot,
    /// What is wrong.
    pub reason: String,
    /// The gathered images that need it, as far as known.
    pub images: Vec<String>,
}

/// What was delivered of archives that could not be delivered as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Partial {
    /// Whether the root is whole, and has its tag: then only what refers to it, or to an image of
    /// it, is lost.
    pub rooted: bool,
    /// The index of the gathered images that are whole. None: no image is, or the root is no
    /// gathered index.
    pub index: Option<Digest>,
    /// The tag of that index.
    pub tag: Option<Tag>,
    /// The images, and whatever refers to one, that are lost.
    pub lost: Vec<Lost>,
}

/// An image that cannot be delivered.
#[derive(Debug, Clone, PartialEq)]
pub struct Lost {
    /// Its source, or its tag.
    pub image: String,
    /// Its manifest.
    pub digest: Digest,
    /// Its labels; none when it was not gathered.
    pub labels: Option<Labels>,
    /// What of it is missing, each with the place of the damage, where there is one.
    pub needs: Vec<(Missing, Option<Spot>)>,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.at, self.reason)?;
        if self.images.is_empty() {
            Ok(())
        } else {
            write!(f, "; needed by {}", self.images.join(", "))
        }
    }
}

impl Lost {
    /// Why, without saying which image.
    pub fn reason(&self) -> String {
        const SHOWN: usize = 3;
        let need = |(missing, spot): &(Missing, Option<Spot>)| {
            let digest = &missing.descriptor.digest;
            match (spot, &missing.expected) {
                (Some(spot), _) => format!("{digest} is damaged ({spot})"),
                (None, Some(expected)) => {
                    format!("{digest} is not there (left out as known from {expected})")
                }
                (None, None) => format!("{digest} is not there"),
            }
        };
        let mut parts: Vec<String> = self.needs.iter().take(SHOWN).map(need).collect();
        if self.needs.len() > SHOWN {
            parts.push(format!("and {} more", self.needs.len() - SHOWN));
        }
        parts.join("; ")
    }
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.image, self.reason())
    }
}
