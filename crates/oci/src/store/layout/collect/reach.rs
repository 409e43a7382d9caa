//! What is reached from tags, from referrers of what is reached, and from what is young.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::Path;
use std::time::Duration;

use super::{Files, read};
use crate::store::{ErrorKind, StoreError};
use crate::types::{Descriptor, Digest, MAX_MANIFEST, Manifest, ManifestKind, media};

/// The digests that are reached.
#[derive(Debug, Default)]
pub(super) struct Reach(HashSet<Digest>);

impl Reach {
    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.0.contains(digest)
    }

    /// Reads every manifest that is reached from the entries of an index.
    pub(super) fn of(
        root: &Path,
        entries: &[Descriptor],
        files: &Files,
        age: Duration,
    ) -> Result<Self, StoreError> {
        let mut reach = Reach::default();
        let is_young = |digest: &Digest| files.get(digest).is_some_and(|file| file.is_young(age));
        let mut waiting = Vec::new();
        for entry in entries {
            let tagged = entry.annotation(media::REF_NAME).is_some();
            if tagged || is_young(&entry.digest) {
                reach.follow(root, &entry.digest, &entry.media_type)?;
                continue;
            }
            // Listed without a tag: to be found by its subject, or for its type alone.
            let manifest = manifest(root, &entry.digest, &entry.media_type)?;
            let subject = manifest.and_then(|manifest| manifest.subject().cloned());
            if let Some(subject) = subject {
                waiting.push((entry, subject.digest));
            }
        }
        for digest in files.keys().filter(|digest| is_young(digest)) {
            if let Some(manifest) = likely_manifest(root, digest, files)? {
                reach.follow_manifest(root, &manifest)?;
            }
        }
        reach.follow_referrers(root, waiting, files)?;
        Ok(reach)
    }

    /// Referrers of what is reached, and those that came before their subject.
    fn follow_referrers(
        &mut self,
        root: &Path,
        mut waiting: Vec<(&Descriptor, Digest)>,
        files: &Files,
    ) -> Result<(), StoreError> {
        loop {
            let before = waiting.len();
            let mut left = Vec::new();
            for (entry, subject) in waiting {
                if self.has(&subject) || !files.contains_key(&subject) {
                    self.follow(root, &entry.digest, &entry.media_type)?;
                } else {
                    left.push((entry, subject));
                }
            }
            if left.len() == before {
                return Ok(());
            }
            waiting = left;
        }
    }

    /// Notes a manifest and what it names.
    fn follow(&mut self, root: &Path, digest: &Digest, media_type: &str) -> Result<(), StoreError> {
        if self.0.insert(digest.clone())
            && let Some(manifest) = manifest(root, digest, media_type)?
        {
            self.follow_manifest(root, &manifest)?;
        }
        Ok(())
    }

    fn follow_manifest(&mut self, root: &Path, manifest: &Manifest) -> Result<(), StoreError> {
        self.0.insert(manifest.digest().clone());
        self.0.extend(manifest.blobs().map(|blob| blob.digest.clone()));
        for child in manifest.manifests() {
            self.follow(root, &child.digest, &child.media_type)?;
        }
        Ok(())
    }
}

/// A manifest by its descriptor; `None` when it is not there. Unreadable, it is an error: what it
/// names must not be taken for garbage.
fn manifest(
    root: &Path,
    digest: &Digest,
    media_type: &str,
) -> Result<Option<Manifest>, StoreError> {
    let Some(raw) = read(root, digest)? else { return Ok(None) };
    match Manifest::parse_as(media_type, digest.clone(), raw.into()) {
        Ok(manifest) => Ok(Some(manifest)),
        // An index may list what is no manifest at all: it names nothing.
        Err(_) if !media::is_manifest(media_type) => Ok(None),
        Err(error) => Err(StoreError::new(root.display().to_string(), ErrorKind::Manifest(error))),
    }
}

/// A file that looks like a manifest.
fn likely_manifest(
    root: &Path,
    digest: &Digest,
    files: &Files,
) -> Result<Option<Manifest>, StoreError> {
    if files.get(digest).is_none_or(|file| file.size > MAX_MANIFEST) {
        return Ok(None);
    }
    let Some(raw) = read(root, digest)? else { return Ok(None) };
    if raw.first() != Some(&b'{') {
        return Ok(None);
    }
    let manifest = Manifest::parse_as("", digest.clone(), raw.into()).ok();
    Ok(manifest.filter(|manifest| manifest.kind() != ManifestKind::Other))
}

/// All garbage, manifests before what they name, each with what it names directly.
pub(super) fn parents_first(
    root: &Path,
    garbage: &Files,
) -> Result<Vec<(Digest, Vec<Digest>)>, StoreError> {
    let mut children: BTreeMap<&Digest, Vec<Digest>> = BTreeMap::new();
    let mut parents: HashMap<Digest, usize> = HashMap::new();
    for digest in garbage.keys() {
        let named: Vec<Digest> = match likely_manifest(root, digest, garbage)? {
            Some(manifest) => {
                let all = manifest.manifests().chain(manifest.blobs());
                all.map(|named| named.digest.clone()).collect()
            }
            None => Vec::new(),
        };
        for child in &named {
            *parents.entry(child.clone()).or_default() += 1;
        }
        children.insert(digest, named);
    }
    let mut ready: VecDeque<&Digest> =
        garbage.keys().filter(|digest| !parents.contains_key(digest)).collect();
    let mut ordered = Vec::new();
    while let Some(digest) = ready.pop_front() {
        let named = children.remove(digest).unwrap_or_default();
        for child in &named {
            let Some(left) = parents.get_mut(child) else { continue };
            *left -= 1;
            if *left == 0
                && let Some((child, _)) = garbage.get_key_value(child)
            {
                ready.push_back(child);
            }
        }
        ordered.push((digest.clone(), named));
    }
    Ok(ordered)
}
