//! An archive of many sources of which some turn out, while it is written, to lack a blob.
//!
//! An archive names in front everything that is in it. So one of which a blob cannot be had is begun
//! anew, in the same place, without the images that need it: those are listed, the others arrive.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use airlift_oci::mirror::gather::GatherOptions;
use airlift_oci::mirror::{Executor, Report, SourceImage, Union, unite, unite_without};
use airlift_oci::observe::{Event, Observer};
use airlift_oci::store::chain;
use airlift_oci::types::Digest;
use airlift_tape::device::Destination;
use airlift_tape::{Resume, SerializeError, SerializeOptions, Written, serialize};
use anyhow::Context;

/// What is to be written.
pub(super) struct Archive {
    pub(super) executor: Executor,
    pub(super) sources: Vec<SourceImage>,
    pub(super) options: GatherOptions,
    pub(super) writing: SerializeOptions,
    pub(super) observer: Arc<dyn Observer>,
}

impl Archive {
    /// Writes it: what became of each source, and of the archive if there is one.
    pub(super) async fn write(
        mut self,
        mut medium: Destination,
    ) -> anyhow::Result<(Report, Option<Written>)> {
        // What a run that goes on finds there stays.
        let start = medium.start().await.filter(|_| self.writing.resume == Resume::No);
        let existing = &self.writing.archive.existing;
        let mut union =
            unite(&self.executor, self.sources.clone(), &self.options, existing).await?;
        let mut lost = BTreeMap::new();
        loop {
            let Union { source, index, report } = union;
            let Some(index) = index else {
                if let Some(start) = start.filter(|_| !lost.is_empty()) {
                    start.clear().context("removing what was begun in vain failed")?;
                    self.forget()
                        .context("removing the ledger of what was begun in vain failed")?;
                }
                return Ok((report, None));
            };
            let (writing, observer) = (&self.writing, self.observer.clone());
            let error = match serialize(source, index, medium, writing, observer).await {
                Ok(written) => return Ok((report, Some(written))),
                Err(error) => error,
            };
            let known = lost.len();
            lost.extend(lacks(&error));
            let again = start.as_ref().filter(|_| lost.len() > known);
            let Some(again) = again else { return Err(error.into()) };
            let text = format!("{}; the archive is begun anew without it", chain(&error));
            self.observer.event(&Event::Warning { text: &text });
            medium = again.again().await.context("going back to where the archive began failed")?;
            self.writing.force = true;
            let (sources, lost) = (self.sources.clone(), lost.clone());
            let existing = &self.writing.archive.existing;
            union = unite_without(&self.executor, sources, &self.options, lost, existing).await?;
        }
    }

    /// Removes the ledger, which this run began: it speaks of an archive that is not made, and would
    /// keep the next run from beginning its own.
    fn forget(&self) -> io::Result<()> {
        let Some(ledger) = &self.writing.checkpoint else { return Ok(()) };
        match std::fs::canonicalize(ledger).and_then(std::fs::remove_file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// The blob that an archive failed for, if it cannot be had later either.
fn lacks(error: &SerializeError) -> Option<(Digest, String)> {
    match error {
        SerializeError::Blob { digest, source, .. } if source.is_final() => {
            Some((digest.clone(), chain(&**source)))
        }
        _ => None,
    }
}
