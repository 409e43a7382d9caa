//! What `docker save` wrote is read as images, in each form it has had.

use std::io::Write as _;
use std::path::Path;

use super::super::ArchiveStore;
use super::*;
use crate::store::Source;
use crate::types::Version;

/// What stands in an archive.
enum Entry<'a> {
    File(&'a str, &'a [u8]),
    Symlink(&'a str, &'a str),
}

fn archive(entries: &[Entry<'_>]) -> tempfile::NamedTempFile {
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        match entry {
            Entry::File(path, bytes) => {
                header.set_size(bytes.len() as u64);
                builder.append_data(&mut header, path, *bytes).unwrap();
            }
            Entry::Symlink(path, target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                builder.append_link(&mut header, path, target).unwrap();
            }
        }
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&builder.into_inner().unwrap()).unwrap();
    file
}

fn config(layers: &[&[u8]]) -> Vec<u8> {
    let ids: Vec<String> = layers.iter().map(|layer| Digest::of(layer).to_string()).collect();
    let rootfs = serde_json::json!({"type": "layers", "diff_ids": ids});
    let config = serde_json::json!({"architecture": "arm64", "os": "linux", "rootfs": rootfs});
    serde_json::to_vec(&config).unwrap()
}

fn open(path: &Path) -> Result<ArchiveStore, String> {
    ArchiveStore::open(path).map_err(|error| crate::store::chain(&error))
}

/// The layers of an image, read and checked.
async fn layers(store: &ArchiveStore, name: &str) -> Vec<(String, Vec<u8>)> {
    let entry = store.named(Some(name)).unwrap();
    let manifest = store.fetch(&Version::Digest(entry.digest)).await.unwrap();
    let mut layers = Vec::new();
    for blob in manifest.blobs() {
        let read = store.open(blob, 0).await.unwrap().read_all().await.unwrap();
        layers.push((blob.media_type.to_string(), read.to_vec()));
    }
    layers
}

#[tokio::test]
async fn layers_by_directory_with_links_among_them() {
    let (base, own) = (vec![1; 70_000], vec![2; 10]);
    let (one, two) = (config(&[&base]), config(&[&base, &own]));
    let list = br#"[
        {"Config": "one.json", "RepoTags": ["app:1", "reg.io/app:one"], "Layers": ["a/layer.tar"]},
        {"Config": "two.json", "RepoTags": ["app:2"], "Layers": ["b/layer.tar", "c/layer.tar"]}]"#;
    let file = archive(&[
        Entry::File("a/layer.tar", &base),
        Entry::File("a/VERSION", b"1.0"),
        Entry::Symlink("b/layer.tar", "../a/layer.tar"),
        Entry::File("c/layer.tar", &own),
        Entry::File("one.json", &one),
        Entry::File("two.json", &two),
        Entry::File("manifest.json", list),
        Entry::File("repositories", b"{}"),
    ]);
    let store = open(file.path()).unwrap();
    let names: Vec<_> = store.entries().iter().map(|entry| entry.annotations.clone()).collect();
    let named = |tag: &str, whole: &str| {
        let both = [(media::REF_NAME, tag), (media::IMAGE_NAME, whole)];
        both.map(|(key, name)| (key.to_owned(), name.to_owned())).into()
    };
    let expected = [
        named("app:1", "docker.io/library/app:1"),
        named("reg.io/app:one", "reg.io/app:one"),
        named("app:2", "docker.io/library/app:2"),
    ];
    assert_eq!(names, expected);
    let platform = store.entries()[0].platform.as_ref().unwrap();
    assert_eq!((platform.os.as_str(), platform.architecture.as_str()), ("linux", "arm64"));
    let plain = media::OCI_LAYER.to_owned();
    let kind = media::OCI_CONFIG.to_owned();
    let first = vec![(kind.clone(), one), (plain.clone(), base.clone())];
    let second = vec![(kind, two), (plain.clone(), base), (plain, own)];
    assert_eq!(layers(&store, "app:1").await, first);
    assert_eq!(layers(&store, "reg.io/app:one").await, first);
    assert_eq!(layers(&store, "docker.io/library/app:2").await, second);
}

#[tokio::test]
async fn a_compressed_layer_has_the_digest_of_its_bytes() {
    let plain = vec![3; 500_000];
    let mut packed = vec![0x28, 0xb5, 0x2f, 0xfd];
    packed.extend(vec![7; 800_000]);
    let list = br#"[{"Config": "c.json", "RepoTags": null, "Layers": ["l.tar.zst"]}]"#;
    let file = archive(&[
        Entry::File("manifest.json", list),
        Entry::File("c.json", &config(&[&plain])),
        Entry::File("l.tar.zst", &packed),
    ]);
    let store = open(file.path()).unwrap();
    let entry = store.named(None).unwrap();
    let manifest = store.fetch(&Version::Digest(entry.digest)).await.unwrap();
    let layer = &manifest.layers()[0];
    assert_eq!(layer.media_type.as_str(), format!("{}+zstd", media::OCI_LAYER));
    assert_eq!(layer.digest, Digest::of(&packed));
    assert_eq!(store.open(layer, 0).await.unwrap().read_all().await.unwrap(), packed);
}

#[tokio::test]
async fn content_that_its_configuration_does_not_describe_is_damage() {
    let list = br#"[{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["l.tar"]}]"#;
    let file = archive(&[
        Entry::File("manifest.json", list),
        Entry::File("c.json", &config(&[b"what was saved"])),
        Entry::File("l.tar", b"what is there."),
    ]);
    let store = open(file.path()).unwrap();
    let manifest = store.fetch(&Version::Digest(store.named(None).unwrap().digest)).await.unwrap();
    let layer = store.open(&manifest.layers()[0], 0).await.unwrap().read_all().await;
    let error = crate::store::chain(&layer.unwrap_err());
    assert!(error.contains("damaged"), "{error}");
}

#[test]
fn what_is_malformed_is_named() {
    let one: &[u8] = br#"[{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["l.tar"]}]"#;
    let circle = br#"[{"Config": "x", "Layers": []}]"#;
    let described = config(&[b"a", b"b"]);
    let cases: [(&[Entry<'_>], &str); 6] = [
        (&[Entry::File("manifest.json", b"[{]")], "manifest.json is malformed"),
        (&[Entry::File("manifest.json", one)], "\"c.json\", which is not there"),
        (&[Entry::File("manifest.json", one), Entry::File("c.json", b"{}")], "c.json is malformed"),
        (
            &[Entry::File("manifest.json", one), Entry::File("c.json", &described)],
            "names 1 layers where c.json has 2",
        ),
        (
            &[
                Entry::File("manifest.json", circle),
                Entry::Symlink("x", "y"),
                Entry::Symlink("y", "../../x"),
            ],
            "\"x\", which is not there",
        ),
        (&[Entry::File("readme", b"")], "no index.json"),
    ];
    for (entries, expected) in cases {
        let said = open(archive(entries).path()).err().unwrap_or_default();
        assert!(said.contains(expected), "{said}");
    }
}
