//! The verb verify: reads media whole, checks every byte that can be checked, writes nothing.
//!
//! Of an archive of this program that is every byte: contents by their digests, headers because
//! they follow from name and size, `index.json` by the transfer manifest, padding because it is
//! zero, compressed frames by their checksums. Of other archives it is the contents.

mod archive;
mod report;

use std::sync::Arc;

use airlift_oci::observe::Observer;

pub use report::VerifyReport;

use crate::medium::{Medium, ReadError};
use archive::Checker;

/// How media are verified.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    /// Bytes read ahead from a medium. None: as many as its kind asks for, 64 MiB from a drive or a
    /// pipe and 16 MiB from a file.
    pub memory: Option<u64>,
}

/// Reads `media`, in this order, as parts of one whole. Damage is no error here: it is what the
/// report says. Fails only when a medium cannot be opened, or is an archive of another kind.
pub async fn verify(
    media: Vec<Medium>,
    options: &VerifyOptions,
    observer: Arc<dyn Observer>,
) -> Result<VerifyReport, ReadError> {
    for medium in &media {
        medium.present()?;
    }
    let mut checker = Checker::new(observer);
    let count = media.len();
    for (index, medium) in media.into_iter().enumerate() {
        checker.medium(medium, options.memory, index + 1 == count).await?;
    }
    Ok(checker.finish())
}
