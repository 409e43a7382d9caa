//! Archives of `docker save`: images by `manifest.json`, with a configuration and layers but no
//! manifest of a registry's kind (moby's image spec, "Combined Image JSON + Filesystem Changeset
//! Format").
//!
//! Newer programs write an image layout with such a file beside it; there `index.json` counts. Of the
//! older form a manifest is made, always the same one of the same archive, with OCI's types.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Stretch;
use super::blob_path::blob_digest;
use crate::store::extent::{CHUNK, Extent};
use crate::types::{
    Algorithm, Descriptor, Digest, Hasher, MAX_MANIFEST, Platform, Reference, media,
};

/// More names than any such archive has, to bound what a hostile one makes us hold.
const MAX_NAMES: usize = 100_000;
/// As many links as may lead to one another.
const MAX_LINKS: usize = 8;
/// Where the manifests that were made stand: behind the end of any file.
const BEHIND: u64 = 1 << 62;
/// How content begins that gzip or zstd compressed.
const COMPRESSED: [(&[u8], &str); 2] =
    [(&[0x1f, 0x8b], "+gzip"), (&[0x28, 0xb5, 0x2f, 0xfd], "+zstd")];

/// The entries that are no blobs of an image layout, by their path.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<String, Name>);

#[derive(Debug)]
enum Name {
    File(Stretch),
    /// To another path, from the top of the archive.
    Link(String),
}

/// The images of such an archive.
pub(super) struct Images {
    /// One for each name of each image, as an index would have them.
    pub(super) entries: Vec<Descriptor>,
    pub(super) blobs: HashMap<Digest, Stretch>,
    /// The archive with the manifests that were made behind it.
    pub(super) extent: Arc<dyn Extent>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Vec<String>,
}

/// What is needed of a configuration (image-spec, config.md).
#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
    #[serde(default)]
    variant: Option<String>,
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<Digest>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Made<'a> {
    schema_version: u8,
    media_type: &'static str,
    config: &'a Descriptor,
    layers: &'a [Descriptor],
}

impl Names {
    /// Notes a file.
    pub(super) fn file(&mut self, path: &str, stretch: Stretch) {
        self.note(path, Name::File(stretch));
    }

    /// Notes a link; the target of a symbolic one is relative to where it stands.
    pub(super) fn link(&mut self, path: &str, target: &str, symbolic: bool) {
        let from =
            if symbolic { path.rsplit_once('/').map_or("", |(parent, _)| parent) } else { "" };
        self.note(path, Name::Link(joined(from, target)));
    }

    fn note(&mut self, path: &str, name: Name) {
        if self.0.len() < MAX_NAMES {
            self.0.insert(joined("", path), name);
        }
    }

    fn find(&self, path: &str, blobs: &HashMap<Digest, Stretch>) -> Option<Stretch> {
        let mut path = joined("", path);
        for _ in 0..=MAX_LINKS {
            if let Some(stretch) = blob_digest(&path).and_then(|digest| blobs.get(&digest)) {
                return Some(*stretch);
            }
            match self.0.get(&path)? {
                Name::File(stretch) => return Some(*stretch),
                Name::Link(target) => path.clone_from(target),
            }
        }
        None
    }
}

/// The images that `manifest.json` names; `None` when there is no such file. Reads it and every
/// configuration, and of layers that are compressed every byte, since only then their digest shows.
pub(super) fn images(
    names: &Names,
    blobs: &HashMap<Digest, Stretch>,
    extent: Arc<dyn Extent>,
) -> io::Result<Option<Images>> {
    let Some(list) = names.find("manifest.json", blobs) else { return Ok(None) };
    let list: Vec<Listed> = parse("manifest.json", &document(&extent, "manifest.json", list)?)?;
    let mut reading =
        Reading { names, known: blobs, extent, found: HashMap::new(), tail: Vec::new() };
    let mut entries = Vec::new();
    for image in &list {
        reading.image(image, &mut entries)?;
    }
    let Reading { extent, found, tail, .. } = reading;
    let extent = Arc::new(Extended { extent, tail: tail.into() });
    Ok(Some(Images { entries, blobs: found, extent }))
}

struct Reading<'a> {
    names: &'a Names,
    known: &'a HashMap<Digest, Stretch>,
    extent: Arc<dyn Extent>,
    found: HashMap<Digest, Stretch>,
    tail: Vec<u8>,
}

impl Reading<'_> {
    fn image(&mut self, image: &Listed, entries: &mut Vec<Descriptor>) -> io::Result<()> {
        let stretch = self.find(&image.config)?;
        let raw = document(&self.extent, &image.config, stretch)?;
        let config: Config = parse(&image.config, &raw)?;
        let (layers, ids) = (image.layers.len(), config.rootfs.diff_ids.len());
        if layers != ids {
            let of = &image.config;
            return Err(invalid(format!(
                "manifest.json names {layers} layers where {of} has {ids}"
            )));
        }
        let described = Descriptor::of(media::OCI_CONFIG, &raw);
        self.found.insert(described.digest.clone(), stretch);
        let layers = image.layers.iter().zip(&config.rootfs.diff_ids);
        let layers: Vec<Descriptor> =
            layers.map(|(path, id)| self.layer(path, id)).collect::<io::Result<_>>()?;
        let entry = self.manifest(&described, &layers, &config)?;
        let tags = image.repo_tags.as_deref().unwrap_or_default();
        entries.extend(tags.iter().map(|tag| named(entry.clone(), tag)));
        if tags.is_empty() {
            entries.push(entry);
        }
        Ok(())
    }

    fn layer(&mut self, path: &str, id: &Digest) -> io::Result<Descriptor> {
        let stretch = self.find(path)?;
        let start = read_at_most(&self.extent, stretch, 4)?;
        let compressed = COMPRESSED.iter().find(|(magic, _)| start.starts_with(magic));
        let (digest, suffix) = match compressed {
            // Checked against the bytes when they are read, as every digest is.
            None => (id.clone(), ""),
            Some((_, suffix)) => (digest_of(&self.extent, stretch)?, *suffix),
        };
        self.found.insert(digest.clone(), stretch);
        Ok(Descriptor::new(format!("{}{suffix}", media::OCI_LAYER), digest, stretch.size))
    }

    fn manifest(
        &mut self,
        config: &Descriptor,
        layers: &[Descriptor],
        told: &Config,
    ) -> io::Result<Descriptor> {
        let media_type = media::OCI_MANIFEST;
        let raw = serde_json::to_vec(&Made { schema_version: 2, media_type, config, layers })?;
        let mut entry = Descriptor::of(media_type, &raw);
        let stretch = Stretch { offset: BEHIND + self.tail.len() as u64, size: raw.len() as u64 };
        self.found.insert(entry.digest.clone(), stretch);
        self.tail.extend(raw);
        if !told.os.is_empty() && !told.architecture.is_empty() {
            entry.platform = Some(Box::new(Platform {
                architecture: told.architecture.clone(),
                os: told.os.clone(),
                os_version: None,
                os_features: Vec::new(),
                variant: told.variant.clone(),
                extra: BTreeMap::new(),
            }));
        }
        Ok(entry)
    }

    fn find(&self, path: &str) -> io::Result<Stretch> {
        let found = self.names.find(path, self.known);
        found.ok_or_else(|| invalid(format!("manifest.json names {path:?}, which is not there")))
    }
}

/// The entry under the name that the archive gives, and that name in full.
fn named(mut entry: Descriptor, tag: &str) -> Descriptor {
    if let Ok(whole) = Reference::parse_docker(tag) {
        entry.annotations.insert(media::IMAGE_NAME.to_owned(), whole.to_string());
    }
    entry.annotations.insert(media::REF_NAME.to_owned(), tag.to_owned());
    entry
}

/// A path from the top of the archive, without `.` and `..`; one that leaves the archive ends at its top.
fn joined(from: &str, path: &str) -> String {
    let mut parts = Vec::new();
    for part in from.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn parse<'a, T: Deserialize<'a>>(name: &str, text: &'a [u8]) -> io::Result<T> {
    serde_json::from_slice(text).map_err(|error| invalid(format!("{name} is malformed: {error}")))
}

fn document(extent: &Arc<dyn Extent>, name: &str, stretch: Stretch) -> io::Result<Vec<u8>> {
    if stretch.size > MAX_MANIFEST {
        return Err(invalid(format!("{name} is {} bytes long, over 4 MiB", stretch.size)));
    }
    let text = read_at_most(extent, stretch, MAX_MANIFEST)?;
    if text.len() as u64 == stretch.size {
        Ok(text)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn read_at_most(extent: &Arc<dyn Extent>, stretch: Stretch, most: u64) -> io::Result<Vec<u8>> {
    let wanted = usize::try_from(stretch.size.min(most)).unwrap_or(0);
    let mut text = Vec::with_capacity(wanted);
    while text.len() < wanted {
        let read = extent.read_at(stretch.offset + text.len() as u64, &mut text)?;
        // A vector may have more room than was asked for.
        text.truncate(wanted);
        if read == 0 {
            break;
        }
    }
    Ok(text)
}

fn digest_of(extent: &Arc<dyn Extent>, stretch: Stretch) -> io::Result<Digest> {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut done = 0;
    while done < stretch.size {
        let rest = Stretch { offset: stretch.offset + done, size: stretch.size - done };
        let chunk = read_at_most(extent, rest, CHUNK as u64)?;
        if chunk.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        hasher.update(&chunk);
        done += chunk.len() as u64;
    }
    Ok(hasher.finish())
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// An archive, and far behind its end the manifests that were made.
#[derive(Debug)]
struct Extended {
    extent: Arc<dyn Extent>,
    tail: Bytes,
}

impl Extent for Extended {
    fn read_at(&self, offset: u64, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let Some(start) = offset.checked_sub(BEHIND) else {
            return self.extent.read_at(offset, buffer);
        };
        let rest = usize::try_from(start).ok().and_then(|start| self.tail.get(start..));
        let rest = rest.unwrap_or_default();
        let part = &rest[..rest.len().min(buffer.capacity() - buffer.len())];
        buffer.extend_from_slice(part);
        Ok(part.len())
    }
}

#[cfg(test)]
mod tests;
