//! What is where in an archive: from its front where a transfer manifest tells, else by one pass
//! over the headers.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use serde::Deserialize;

use super::super::extent::{Cursor, Extent};
use super::Stretch;
use super::blob_path::blob_digest;
use super::docker::Names;
use super::fault::{BLOCK, Fault, Place, ends};
use crate::types::{Descriptor, Digest, MAX_MANIFEST, Manifest, media};

/// More than any index or list of a real archive, to bound what a hostile one can make us read.
const MAX_INDEX: u64 = 512 * 1024 * 1024;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Every descriptor of every `index.json`, each once.
    pub(super) entries: Vec<Descriptor>,
    pub(super) blobs: HashMap<Digest, Stretch>,
    pub(super) omitted: Vec<Omitted>,
    /// What the archive is of, where its `index.json` tells: the last, when archives follow one
    /// another.
    pub(super) root: Option<Descriptor>,
    /// How many `index.json` there were.
    pub(super) indexes: usize,
    /// The rest, for as long as there is no `index.json`.
    pub(super) others: Names,
    /// What is looked for, so that the rest need not be read.
    wanted: Wanted,
}

/// A blob that belongs to an archive and was left out of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Omitted {
    /// Its digest.
    pub digest: Digest,
    /// Where whoever wrote the archive expects it: an image, an earlier archive.
    pub expected: String,
}

/// The way to the list of a transfer manifest.
#[derive(Debug, Default)]
enum Wanted {
    #[default]
    Index,
    Manifest(Digest),
    List(Digest),
    Nothing,
}

/// The parts of a transfer list that tell where blobs are (`docs/formats.md`).
#[derive(Deserialize)]
struct List {
    version: u64,
    #[serde(default)]
    blobs: Vec<Listed>,
    #[serde(default)]
    omitted: Vec<Omitted>,
}

#[derive(Deserialize)]
struct Listed {
    digest: Digest,
    size: u64,
    offset: u64,
}

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

/// Reads as much of an archive as must be read.
pub(super) fn scan(extent: &Arc<dyn Extent>) -> Result<Found, Fault> {
    let mut archive = tar::Archive::new(Cursor::new(extent.clone()));
    // Archives may follow one another.
    archive.set_ignore_zeros(true);
    let mut found = Found::default();
    let mut place = Place::default();
    for entry in archive.entries_with_seek().map_err(Fault::Io)? {
        let entry = entry.map_err(|_| place.fault(extent))?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        place = Place::behind(&path, entry.raw_file_position(), entry.size());
        if found.take(entry, &path)? {
            break;
        }
    }
    if place.next == 0 {
        return Err(place.fault(extent));
    }
    found.forget_cut_off(extent);
    Ok(found)
}

impl Found {
    /// Notes an entry. Whether everything is known now.
    fn take(&mut self, mut entry: tar::Entry<'_, impl Read>, path: &str) -> Result<bool, Fault> {
        let path = path.strip_prefix("./").unwrap_or(path);
        let kind = entry.header().entry_type();
        if kind.is_symlink() || kind.is_hard_link() {
            if let Some(target) = entry.link_name_bytes() {
                self.others.link(path, &String::from_utf8_lossy(&target), kind.is_symlink());
            }
            return Ok(false);
        }
        // Contiguous ones are files to every program that knows them no better.
        if !(kind.is_file() || kind.is_contiguous()) {
            return Ok(false);
        }
        if path == "index.json" {
            let start = entry.raw_file_position();
            let text = read(&mut entry, MAX_INDEX, path)?;
            self.index(&text).map_err(|error| {
                Fault::Archive(format!("its index.json, at byte {start}, is malformed: {error}"))
            })?;
            return Ok(false);
        }
        let stretch = Stretch { offset: entry.raw_file_position(), size: entry.size() };
        let Some(digest) = blob_digest(path) else {
            self.others.file(path, stretch);
            return Ok(false);
        };
        self.blobs.entry(digest.clone()).or_insert(stretch);
        match &self.wanted {
            Wanted::Manifest(wanted) if *wanted == digest => {
                self.wanted = list_of(&read(&mut entry, MAX_MANIFEST, path)?, digest);
            }
            Wanted::List(wanted) if *wanted == digest => {
                let end = stretch.offset.saturating_add(stretch.size).next_multiple_of(BLOCK);
                return Ok(self.list(&read(&mut entry, MAX_INDEX, path)?, end, &digest));
            }
            _ => {}
        }
        Ok(false)
    }

    /// Blobs that headers or the list tell of are not there when the file ends before them.
    fn forget_cut_off(&mut self, extent: &Arc<dyn Extent>) {
        let is_there = |stretch: &Stretch| {
            let end = stretch.offset.saturating_add(stretch.size);
            // What cannot be read says so when it is.
            end == 0
                || extent.read_at(end - 1, &mut Vec::with_capacity(1)).map_or(true, |read| read > 0)
        };
        let last =
            self.blobs.values().max_by_key(|stretch| stretch.offset.saturating_add(stretch.size));
        if !last.is_none_or(is_there) {
            self.blobs.retain(|_, stretch| is_there(stretch));
        }
    }

    fn index(&mut self, text: &[u8]) -> serde_json::Result<()> {
        let index: Index = serde_json::from_slice(text)?;
        let transfer = index.manifests.iter().find(|descriptor| is_transfer(descriptor));
        if let (Wanted::Index, Some(transfer)) = (&self.wanted, transfer) {
            self.wanted = Wanted::Manifest(transfer.digest.clone());
        }
        // ace-dt writes a short index in front, which names nothing but the root.
        let gathered = |first: &Descriptor| first.artifact_type.as_deref() == Some(media::GATHERED);
        let told = index.manifests.len() == 1 || transfer.is_some();
        if let Some(first) = index.manifests.first().filter(|first| told || gathered(first)) {
            self.root = Some(first.clone());
        }
        self.indexes += 1;
        for descriptor in index.manifests {
            let same = |known: &Descriptor| {
                known.digest == descriptor.digest
                    && known.annotation(media::REF_NAME) == descriptor.annotation(media::REF_NAME)
            };
            // Of several indexes the first one is short: what it names is named again.
            if self.indexes == 1 || !self.entries.iter().any(same) {
                self.entries.push(descriptor);
            }
        }
        Ok(())
    }

    /// Takes over a transfer list whose entry ends at `end`. `false`: it cannot be used, so the
    /// headers must tell.
    fn list(&mut self, text: &[u8], end: u64, digest: &Digest) -> bool {
        self.wanted = Wanted::Nothing;
        let list = match serde_json::from_slice::<List>(text) {
            Ok(list) if list.version == 1 && digest.like(text) == *digest => list,
            _ => return false,
        };
        for blob in list.blobs {
            let stretch = Stretch { offset: end.saturating_add(blob.offset), size: blob.size };
            self.blobs.entry(blob.digest).or_insert(stretch);
        }
        self.omitted = list.omitted;
        true
    }
}

fn is_transfer(descriptor: &Descriptor) -> bool {
    descriptor.artifact_type.as_deref() == Some(media::TRANSFER)
}

fn list_of(raw: &[u8], digest: Digest) -> Wanted {
    let raw = bytes::Bytes::copy_from_slice(raw);
    let manifest = Manifest::parse_as("", digest, raw).ok();
    let list = manifest.and_then(|manifest| manifest.layers().first().cloned());
    list.map_or(Wanted::Nothing, |list| Wanted::List(list.digest))
}

fn read(entry: &mut tar::Entry<'_, impl Read>, most: u64, path: &str) -> Result<Vec<u8>, Fault> {
    let mut text = Vec::new();
    entry.by_ref().take(most).read_to_end(&mut text).map_err(Fault::Io)?;
    if (text.len() as u64) < entry.size().min(most) {
        let at = entry.raw_file_position().saturating_add(text.len() as u64);
        return Err(Fault::Archive(ends(at, &format!("within the entry {path:?}"))));
    }
    Ok(text)
}
