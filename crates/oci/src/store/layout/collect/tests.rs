//! What stays and what goes.

use bytes::Bytes;

use super::*;
use crate::store::{Hints, InMemory, Sink, Source};
use crate::types::{Manifest, Tag};

const DAY: Duration = Duration::from_secs(24 * 3600);

struct Place {
    _directory: tempfile::TempDir,
    store: LayoutStore,
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let store = LayoutStore::create(&directory.path().join("layout")).unwrap();
    Place { _directory: directory, store }
}

impl Place {
    async fn blob(&self, text: &str) -> Descriptor {
        let content = InMemory::new(media::OCTET_STREAM, Bytes::from(text.to_owned()));
        self.store.put(&content, &Hints::default()).await.unwrap();
        Descriptor::of(media::OCTET_STREAM, text.as_bytes())
    }

    async fn image(
        &self,
        text: &str,
        tag: Option<&str>,
        subject: Option<&Descriptor>,
    ) -> Descriptor {
        let (config, layer) = (self.blob("{}").await, self.blob(text).await);
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": media::OCI_MANIFEST, "config": config,
            "layers": [layer], "subject": subject,
        });
        self.put(manifest, tag).await
    }

    async fn index(&self, children: &[&Descriptor], tag: Option<&str>) -> Descriptor {
        let index = serde_json::json!({
            "schemaVersion": 2, "mediaType": media::OCI_INDEX, "manifests": children,
        });
        self.put(index, tag).await
    }

    async fn put(&self, manifest: serde_json::Value, tag: Option<&str>) -> Descriptor {
        let manifest = Manifest::parse("", manifest.to_string().into()).unwrap();
        let tag: Option<Tag> = tag.map(|tag| tag.parse().unwrap());
        self.store.put_manifest(&manifest, tag.as_ref()).await.unwrap();
        manifest.descriptor().bare()
    }

    /// Makes everything two days old.
    fn age(&self) {
        for digest in scan(self.store.root()).unwrap().keys() {
            let file = std::fs::File::options().append(true).open(self.store.path(digest));
            file.unwrap().set_modified(SystemTime::now() - 2 * DAY).unwrap();
        }
    }

    fn collect(&self) -> Vec<Digest> {
        let dry = self.store.collect(DAY, true).unwrap();
        let done = self.store.collect(DAY, false).unwrap();
        assert_eq!(dry.removed, done.removed);
        done.removed.into_iter().map(|garbage| garbage.digest).collect()
    }

    fn has(&self, digest: &Digest) -> bool {
        self.store.path(digest).exists()
    }
}

#[tokio::test]
async fn what_tags_and_referrers_reach_stays() {
    let place = place();
    let one = place.image("one", None, None).await;
    let two = place.image("two", None, None).await;
    let index = place.index(&[&one, &two], Some("v1")).await;
    let referrer = place.image("referrer", None, Some(&one)).await;
    let of_referrer = place.image("deeper", None, Some(&referrer)).await;
    let early = Descriptor::of(media::OCI_MANIFEST, b"not here yet");
    let early = place.image("early", None, Some(&early)).await;
    let lost = place.image("lost", Some("old"), None).await;
    let of_lost = place.image("of lost", None, Some(&lost)).await;
    place.store.remove_tag(&"old".parse().unwrap()).await.unwrap();
    let stray = place.blob("stray").await;
    assert!(place.collect().is_empty(), "everything is young");
    place.age();
    let mut removed = place.collect();
    removed.sort();
    let layer = |text: &str| Digest::of(text.as_bytes());
    let mut expected =
        vec![lost.digest, of_lost.digest, stray.digest, layer("lost"), layer("of lost")];
    expected.sort();
    assert_eq!(removed, expected);
    for kept in [index, one.clone(), two, referrer, of_referrer, early] {
        assert!(place.store.has(&kept).await.unwrap());
    }
    assert_eq!(place.store.referrers(&one.digest).await.unwrap().len(), 1);
    assert!(place.collect().is_empty());
}

#[tokio::test]
async fn whoever_relies_on_old_content_renews_it() {
    let place = place();
    let image = place.image("image", None, None).await;
    let stray = place.blob("stray").await;
    place.age();
    // A client that looks for a manifest and finds it will not send what it names.
    assert!(place.store.has(&image).await.unwrap());
    assert_eq!(place.collect(), [stray.digest]);
    assert!(place.has(&Digest::of(b"image")) && place.has(&Digest::of(b"{}")));
}

#[tokio::test]
async fn what_was_moved_aside_comes_back_with_the_next_start() {
    let place = place();
    let blob = place.blob("content").await;
    let aside = place.store.root().join(".removing");
    std::fs::create_dir(&aside).unwrap();
    let name = format!("sha256-{}", blob.digest.hex());
    std::fs::rename(place.store.path(&blob.digest), aside.join(name)).unwrap();
    assert!(!place.store.has(&blob).await.unwrap());
    place.store.sweep().unwrap();
    assert!(place.store.has(&blob).await.unwrap());
}

#[tokio::test]
async fn nothing_goes_when_a_manifest_cannot_be_read() {
    let place = place();
    let image = place.image("image", Some("v1"), None).await;
    place.blob("stray").await;
    place.age();
    std::fs::write(place.store.path(&image.digest), "{ damaged").unwrap();
    assert!(place.store.collect(DAY, false).is_err());
    assert!(place.has(&Digest::of(b"stray")) && place.has(&Digest::of(b"image")));
}

#[tokio::test]
async fn a_shared_blob_frees_nothing() {
    let (one, other) = (place(), place());
    let blob = one.blob("shared by a link").await;
    assert!(other.store.share(&blob.digest, &one.store).await.unwrap());
    one.age();
    let removed = one.store.collect(DAY, false).unwrap().removed;
    assert_eq!(removed, [Garbage { digest: blob.digest.clone(), freed: 0 }]);
    assert!(other.has(&blob.digest));
}
