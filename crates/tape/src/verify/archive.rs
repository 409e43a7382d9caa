//! Checks the entries of media as they pass.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::report::VerifyReport;
use crate::archive::{Head, Kind, MARKER, Transfer, blob_digest, encode_header, index_without};
use crate::deserialize::{
    Catalog, Damage, Role, Spot, check_marker, is_of_docker, may_be_manifest,
};
use crate::medium::{AT_ONCE, Chart, EntryReader, Fault, Medium, Passing, ReadError, Reading};
use airlift_oci::observe::{Event, Observer};
use airlift_oci::store::chain;
use airlift_oci::types::{Digest, Hasher, MAX_MANIFEST, Manifest, ManifestError};

/// Longest document that is kept.
const MAX_DOCUMENT: u64 = 256 << 20;
/// Bytes read ahead from a drive or a pipe.
const AHEAD: u64 = 64 << 20;
/// Bytes read ahead from a file, which the system reads ahead as well.
const AHEAD_IN_FILE: u64 = 16 << 20;

/// One archive of a medium, which may hold several: what can be said against it only once it is
/// known who wrote it.
#[derive(Default)]
struct Archive {
    /// Where its first entry begins.
    start: Option<u64>,
    /// Whether its `oci-layout` has passed: the next one is that of another archive.
    layout: bool,
    /// Whether its end mark has passed. Without one it was cut, and its length says nothing.
    ended: bool,
    transfer: Option<(Arc<Transfer>, Spot)>,
    transfer_manifest: Option<Manifest>,
    index: Option<(Bytes, Spot)>,
    manifest_json: Option<(Digest, Spot)>,
    odd: Vec<(Spot, &'static str)>,
    /// Whether there was a `manifest.json`.
    docker_document: bool,
}

/// The state of verifying.
pub(super) struct Checker {
    observer: Arc<dyn Observer>,
    catalog: Catalog,
    archive: Archive,
    report: VerifyReport,
    damaged: Vec<(usize, Digest)>,
    /// With their sizes, in bytes.
    seen: HashMap<Digest, u64>,
}

impl Checker {
    pub(super) fn new(observer: Arc<dyn Observer>) -> Self {
        Checker {
            observer,
            catalog: Catalog::default(),
            archive: Archive::default(),
            report: VerifyReport::default(),
            damaged: Vec::new(),
            seen: HashMap::new(),
        }
    }

    /// Reads a medium. One that ends too early is not damaged when another follows, which may
    /// hold the rest.
    pub(super) async fn medium(
        &mut self,
        medium: Medium,
        memory: Option<u64>,
        last: bool,
    ) -> Result<(), ReadError> {
        let observer = self.observer.clone();
        let memory = memory.unwrap_or(if medium.is_file() { AHEAD_IN_FILE } else { AHEAD });
        let reading = Reading { memory, whole: false, in_place: false, observer };
        let mut reader = EntryReader::open(medium, reading).await?;
        let done = self.entries(&mut reader).await;
        if let Err(error @ ReadError::DockerArchive(_)) = done {
            return Err(error);
        }
        let truncated = matches!(&done, Err(error) if error.is_truncated());
        for Fault { offset, entry, reason, touches } in reader.faults() {
            self.damaged.extend(touches.into_iter().map(|one| (self.report.damage.len(), one)));
            self.damage(spot(&reader, &entry, offset), reason);
        }
        if let Err(error) = done {
            if truncated && !last {
                let text = format!("{}; going on with the next medium", chain(&error));
                self.observer.event(&Event::Warning { text: &text });
            } else {
                let reason = match &error {
                    ReadError::Archive { source, .. } => chain(source),
                    other => chain(other),
                };
                self.damage(spot(&reader, "", reader.offset()), reason);
            }
        }
        self.report.bytes += reader.offset();
        let docker = self.archive.docker_document;
        let cut = (truncated && !last) || reader.ended_at_mark();
        let unchecked = reader.lacks_checks();
        self.close(spot(&reader, "", reader.offset()), cut, unchecked);
        if last && docker && self.catalog.roots.is_empty() && self.report.damage.is_empty() {
            return Err(ReadError::DockerArchive(reader.place().to_owned()));
        }
        Ok(())
    }

    /// What is known at the end.
    pub(super) fn finish(mut self) -> VerifyReport {
        while let Err(error) = self.catalog.settle() {
            self.damage(Spot::nowhere(), chain(&error));
        }
        for (digest, reason) in self.catalog.missized(&self.seen) {
            self.damaged.push((self.report.damage.len(), digest));
            self.damage(Spot::nowhere(), reason);
        }
        for (index, digest) in std::mem::take(&mut self.damaged) {
            let images = &mut self.report.damage[index].images;
            images.extend(self.catalog.images_with(&digest));
            images.sort();
            images.dedup();
        }
        for missing in self.catalog.absent(&self.seen) {
            if missing.expected.is_some() {
                self.report.omitted.push(missing);
            } else {
                self.report.missing.push(missing);
            }
        }
        self.report.roots = std::mem::take(&mut self.catalog.roots);
        if self.report.roots.is_empty() && self.report.damage.is_empty() {
            self.damage(Spot::nowhere(), "there is no index.json".to_owned());
        }
        self.report
    }

    fn damage(&mut self, at: Spot, reason: String) {
        self.report.damage.push(Damage { at, reason, images: Vec::new() });
    }

    async fn entries(&mut self, reader: &mut EntryReader) -> Result<(), ReadError> {
        loop {
            match reader.next().await? {
                Passing::Entry(head) => self.entry(reader, &head).await?,
                Passing::EndOfArchive => self.archive.ended = true,
                Passing::End => return Ok(()),
            }
        }
    }

    async fn entry(&mut self, reader: &mut EntryReader, head: &Head) -> Result<(), ReadError> {
        self.report.entries += 1;
        if head.name == "oci-layout" {
            if self.archive.layout {
                let cut = !self.archive.ended;
                self.close(spot(reader, "", head.offset), cut, false);
            }
            self.archive.layout = true;
        }
        self.archive.start.get_or_insert(head.offset);
        let at = spot(reader, &head.name, head.offset);
        if head.raw != encode_header(&head.name, head.size, head.kind) {
            self.archive.odd.push((at.clone(), "its header is not what it was written as"));
        }
        if head.kind == Kind::Directory {
            return Ok(());
        }
        if self.catalog.roots.is_empty() && is_of_docker(&head.name) {
            return Err(ReadError::DockerArchive(at.place));
        }
        let Some(digest) = blob_digest(&head.name) else {
            return self.document(reader, head, at).await;
        };
        let small = head.size <= MAX_MANIFEST;
        let role = self.catalog.role(&digest);
        let keep = matches!(role, Role::Transfer) || small && !matches!(role, Role::Blob(_));
        let digest = self.catalog.shared(digest);
        let mut hasher = Hasher::new(digest.algorithm());
        let room = if keep { head.size } else { 0 };
        let mut kept = Vec::with_capacity(usize::try_from(room).unwrap_or(0).min(AT_ONCE));
        while let Some(bytes) = reader.data().await? {
            hasher.update(&bytes);
            self.observer.event(&Event::Moved { bytes: bytes.len() as u64 });
            if keep {
                kept.extend_from_slice(&bytes);
            }
        }
        let found = hasher.finish();
        if found == digest {
            self.seen.insert(digest.clone(), head.size);
            if !small && matches!(role, Role::Manifest(_)) {
                self.damaged.push((self.report.damage.len(), digest));
                self.damage(at, ManifestError::TooLarge(head.size).to_string());
                return Ok(());
            }
            if let Some(transfer) = self.good(&digest, role, kept.into(), at) {
                reader.follow(Chart::of(&transfer, head));
            }
        } else {
            self.damaged.push((self.report.damage.len(), digest));
            self.damage(at, format!("its content has the digest {found}"));
        }
        Ok(())
    }

    /// Takes in content that is what it says; of a transfer list, says what it says.
    fn good(&mut self, digest: &Digest, role: Role, raw: Bytes, at: Spot) -> Option<Arc<Transfer>> {
        let failed = match role {
            Role::Blob(_) => return None,
            Role::Transfer => match self.catalog.transfer(&raw) {
                Ok(transfer) => {
                    self.archive.transfer = Some((transfer.clone(), at));
                    return Some(transfer);
                }
                Err(error) => error.to_string(),
            },
            Role::Manifest(named) => {
                match Manifest::parse_as(&named.media_type, digest.clone(), raw) {
                    Ok(manifest) => {
                        if Transfer::is_transfer(&manifest) {
                            self.archive.transfer_manifest = Some(manifest.clone());
                        }
                        self.catalog.hold(manifest);
                        return None;
                    }
                    Err(error) => chain(&error),
                }
            }
            Role::Unknown => {
                if may_be_manifest(&raw) {
                    self.catalog.candidates.insert(digest.clone(), (raw, at));
                }
                return None;
            }
        };
        self.damage(at, failed);
        None
    }

    async fn document(
        &mut self,
        reader: &mut EntryReader,
        head: &Head,
        at: Spot,
    ) -> Result<(), ReadError> {
        if head.size > MAX_DOCUMENT {
            self.damage(at, "it is too large for a document".to_owned());
            return Ok(());
        }
        let text = reader.read_all(head.size).await?;
        match head.name.as_str() {
            "index.json" => {
                if let Err(error) = self.catalog.index(&text) {
                    self.damage(at.clone(), error.to_string());
                }
                self.archive.index = Some((text, at));
            }
            "oci-layout" => match check_marker(&text) {
                Err(error) => self.damage(at, format!("it is malformed: {error}")),
                Ok(()) if text != MARKER => {
                    self.archive.odd.push((at, "its content is not what it was written as"));
                }
                Ok(()) => {}
            },
            "manifest.json" => {
                self.archive.docker_document = true;
                self.archive.manifest_json = Some((Digest::of(&text), at));
            }
            // Another program's, beside its `manifest.json`.
            "repositories" => self.archive.odd.push((at, "an image archive has no such file")),
            _ => self.damage(at, "an image archive has no such file".to_owned()),
        }
        Ok(())
    }

    /// The end of an archive, which is at `end`: what its transfer manifest says of it. When it is
    /// `cut`, its length says nothing.
    fn close(&mut self, end: Spot, cut: bool, unchecked: bool) {
        let archive = std::mem::take(&mut self.archive);
        let Some((transfer, list)) = archive.transfer else { return };
        for (at, reason) in archive.odd {
            self.damage(at, reason.to_owned());
        }
        if let (Some((text, at)), Some(manifest)) = (archive.index, archive.transfer_manifest) {
            let bare = index_without(&text, &manifest);
            if bare.map(|text| Digest::of(&text)).as_ref() != Some(&transfer.index) {
                self.damage(at, "its content is not what it was written as".to_owned());
            }
        }
        if let (Some((found, at)), Some(expected)) =
            (archive.manifest_json, &transfer.manifest_json)
            && found != *expected
        {
            self.damage(at, format!("its content has the digest {found}"));
        }
        let length = end.offset - archive.start.unwrap_or(0);
        if !cut && transfer.record > 0 && !length.is_multiple_of(transfer.record) {
            let reason = format!("the archive's length is no multiple of {}", transfer.record);
            self.damage(end, reason);
        }
        if unchecked {
            self.damage(list, "the compressed frames have lost their checksums".to_owned());
        }
    }
}

fn spot(reader: &EntryReader, entry: &str, offset: u64) -> Spot {
    Spot { place: reader.place().to_owned(), entry: entry.to_owned(), offset }
}
