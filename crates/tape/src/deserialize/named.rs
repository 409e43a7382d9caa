//! What is named by something, and by what. There is one for each blob of an archive, so it says where
//! a manifest names it and holds no copy of what is said there.

use airlift_oci::types::{Descriptor, Digest, Manifest};

/// What names a manifest that `index.json` names.
const INDEX: &str = "index.json";
/// What names a manifest that the transfer list names.
const LIST: &str = "the transfer list";

/// Something that a manifest or a document of the archive names.
#[derive(Debug, Clone)]
pub(crate) struct Named(Mention);

#[derive(Debug, Clone)]
enum Mention {
    Index(Box<Descriptor>),
    List(Box<Descriptor>),
    /// The manifest at this place among those that one names.
    Child(Manifest, usize),
    /// The blob at this place among those that a manifest names.
    Blob(Manifest, usize),
}

impl Named {
    /// Named by `index.json`.
    pub(super) fn by_index(descriptor: Descriptor) -> Self {
        Named(Mention::Index(Box::new(descriptor)))
    }

    /// Named by the transfer list, which says no more than a digest.
    pub(super) fn by_list(descriptor: Descriptor) -> Self {
        Named(Mention::List(Box::new(descriptor)))
    }

    /// The manifests that `manifest` names.
    pub(super) fn children(manifest: &Manifest) -> impl Iterator<Item = Self> {
        (0..manifest.manifests().count()).map(|at| Named(Mention::Child(manifest.clone(), at)))
    }

    /// The blobs that `manifest` names.
    pub(super) fn blobs(manifest: &Manifest) -> impl Iterator<Item = Self> {
        (0..manifest.blobs().count()).map(|at| Named(Mention::Blob(manifest.clone(), at)))
    }

    /// What it is said to be.
    pub(crate) fn descriptor(&self) -> &Descriptor {
        let (found, by) = match &self.0 {
            Mention::Index(descriptor) | Mention::List(descriptor) => return descriptor,
            Mention::Child(manifest, at) => (manifest.manifests().nth(*at), manifest),
            Mention::Blob(manifest, at) => (manifest.blobs().nth(*at), manifest),
        };
        // A manifest names the same for as long as it lives, and is made here from one that named it.
        found.unwrap_or(by.descriptor())
    }

    /// Its digest.
    pub(crate) fn digest(&self) -> &Digest {
        &self.descriptor().digest
    }

    /// What names it, for messages.
    pub(crate) fn by(&self) -> &str {
        match &self.0 {
            Mention::Index(_) => INDEX,
            Mention::List(_) => LIST,
            Mention::Child(manifest, _) | Mention::Blob(manifest, _) => manifest.digest().as_str(),
        }
    }

    /// The manifest that names it, if it is one.
    pub(super) fn parent(&self) -> Option<&Digest> {
        match &self.0 {
            Mention::Index(_) | Mention::List(_) => None,
            Mention::Child(manifest, _) | Mention::Blob(manifest, _) => Some(manifest.digest()),
        }
    }

    /// Whether `index.json` names it.
    pub(super) fn is_by_index(&self) -> bool {
        matches!(self.0, Mention::Index(_))
    }

    /// Where a document says what it is, which may be corrected.
    pub(super) fn document_mut(&mut self) -> Option<&mut Descriptor> {
        match &mut self.0 {
            Mention::Index(descriptor) | Mention::List(descriptor) => Some(descriptor),
            Mention::Child(..) | Mention::Blob(..) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use airlift_oci::types::media;

    #[test]
    fn a_mention_says_what_its_manifest_says_and_holds_nothing_of_it() {
        let blob = |n: &str| Descriptor::of("m", n.as_bytes());
        let all = [blob("c"), blob("l1"), blob("l2"), blob("l1")];
        let text = serde_json::json!({
            "schemaVersion": 2, "config": all[0], "layers": all[1..],
            "manifests": [blob("child")],
        });
        let manifest = Manifest::parse(media::OCI_MANIFEST, text.to_string().into()).unwrap();
        let named: Vec<Named> = Named::blobs(&manifest).collect();
        assert!(named.iter().map(Named::descriptor).eq(&all));
        assert!(named.iter().all(|named| named.by() == manifest.digest().as_str()));
        let child = Named::children(&manifest).next().unwrap();
        assert_eq!((child.descriptor(), child.parent()), (&blob("child"), Some(manifest.digest())));
        assert!(size_of::<Named>() <= 24, "there is one for each blob");
    }

    #[test]
    fn what_a_document_says_can_be_corrected() {
        let mut named = Named::by_index(Descriptor::of("m", b"x"));
        assert!((named.by(), named.parent(), named.is_by_index()) == (INDEX, None, true));
        named.document_mut().unwrap().size = 7;
        assert_eq!(named.descriptor().size, 7);
        assert_eq!(Named::by_list(Descriptor::of("m", b"x")).by(), LIST);
    }
}
