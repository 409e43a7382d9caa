//! Archives: what is written is what the layout says, other tools read it, and it is read back whole.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "archive/order.rs"]
mod order;
#[path = "archive/packed.rs"]
mod packed;
#[path = "archive/strict.rs"]
mod strict;

use std::path::Path;
use std::sync::Arc;

use airlift_oci::graph::{WalkOptions, walk};
use airlift_oci::inventory::Inventory;
use airlift_oci::observe::silent;
use airlift_oci::store::{ArchiveStore, MemoryStore, Source, Store, chain};
use airlift_oci::types::{Digest, Manifest, Tag, Version};
use airlift_tape::archive::{ArchiveOptions, Body, Plan};
use airlift_tape::device::Destination;
use airlift_tape::{
    DeserializeError, DeserializeOptions, Received, SerializeOptions, deserialize, serialize,
};
use airlift_tests::{Sample, in_hand, noise};

fn fixture(name: &str) -> Vec<u8> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("data/ace-dt").join(format!("{name}.zst"));
    zstd::decode_all(std::fs::File::open(&path).unwrap()).unwrap()
}

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

fn options() -> SerializeOptions {
    let archive = ArchiveOptions { tag: Some(tag("sync-1")), ..ArchiveOptions::default() };
    SerializeOptions { archive, referrers: true, ..SerializeOptions::default() }
}

async fn written(sample: &Sample, options: &SerializeOptions) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("archive.tar");
    let destination = Destination::File(path.clone());
    let root = sample.root.clone();
    serialize(sample.store.clone(), root, destination, options, silent()).await.unwrap();
    std::fs::read(path).unwrap()
}

async fn read(
    media: &[&[u8]],
    sink: Arc<MemoryStore>,
    name: &str,
) -> Result<Received, DeserializeError> {
    let options = DeserializeOptions { tag: Some(tag(name)), ..DeserializeOptions::default() };
    let media = media.iter().map(|bytes| in_hand(bytes)).collect();
    deserialize(media, sink, &options, silent()).await
}

/// Reads everything reachable from `version` again, every blob to its end.
async fn everything(store: Arc<dyn Store>, version: &Version, referrers: bool) -> Vec<Digest> {
    let source: Arc<dyn Source> = store;
    let root = source.fetch(version).await.unwrap();
    let walking = WalkOptions { referrers, ..WalkOptions::default() };
    let graph = walk(&source, root, &walking).await.unwrap();
    for blob in graph.blobs() {
        source.open(blob, 0).await.unwrap().read_all().await.unwrap();
    }
    let blobs = graph.blobs().iter().map(|blob| &blob.digest);
    graph.manifests().iter().map(Manifest::digest).chain(blobs).cloned().collect()
}

#[tokio::test]
async fn what_is_written_is_read_back_whole() {
    let sample = Sample::build(&[300_000, 5_000_000]).await;
    let bytes = written(&sample, &options()).await;
    let sink = Arc::new(MemoryStore::new());
    let received = read(&[&bytes], sink.clone(), "in").await.unwrap();
    assert_eq!(received.root, *sample.root.digest());
    let before = everything(sample.store, &Version::Tag(tag("sync-1")), true).await;
    let after = everything(sink.clone(), &Version::Tag(tag("in")), true).await;
    assert_eq!(before, after);
    assert!(before.len() > 15, "the sample has {} parts", before.len());
    let tags = sink.tags().await.unwrap();
    assert!(tags.iter().any(|tag| tag.as_str().ends_with(".sbom")), "{tags:?}");
    assert_eq!(tags.len(), 2, "the archive's own tag is not the destination's: {tags:?}");
}

#[tokio::test]
async fn the_same_graph_gives_the_same_bytes() {
    let sample = Sample::build(&[2_000_000, 70_000]).await;
    let one = written(&sample, &options()).await;
    let other = SerializeOptions { concurrency: 1, memory: 3 << 20, ..options() };
    assert!(one == written(&sample, &other).await);
}

#[tokio::test]
async fn the_layout_is_the_bytes() {
    let sample = Sample::build(&[300_000]).await;
    let options = options();
    let bytes = written(&sample, &options).await;
    let source: Arc<dyn Source> = sample.store.clone();
    let walking = WalkOptions { referrers: true, ..WalkOptions::default() };
    let graph = walk(&source, sample.root.clone(), &walking).await.unwrap();
    let layout = Plan::new(&graph, &options.archive).unwrap().layout;
    assert_eq!(layout.end(), bytes.len() as u64);
    let mut archive = tar::Archive::new(&bytes[..]);
    let mut placed = layout.placed().iter();
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let place = placed.next().unwrap();
        assert_eq!(entry.path().unwrap().to_str().unwrap(), place.entry.name());
        assert_eq!((entry.raw_file_position(), entry.size()), (place.data, place.entry.size()));
        let start = place.data as usize;
        let content = &bytes[start..start + place.entry.size() as usize];
        match (&place.entry.body, place.entry.digest()) {
            (Body::Bytes(inline), _) => assert_eq!(content, inline),
            (Body::Blob, Some(digest)) => assert_eq!(digest.like(content), *digest),
            _ => {}
        }
    }
    assert!(placed.next().is_none());
    assert!(bytes[layout.content_end() as usize..].iter().all(|byte| *byte == 0));
}

#[tokio::test]
async fn the_index_names_everything_root_first() {
    let sample = Sample::build(&[]).await;
    let bytes = written(&sample, &options()).await;
    let mut archive = tar::Archive::new(&bytes[..]);
    let index = archive.entries().unwrap().nth(1).unwrap().unwrap();
    let index: serde_json::Value = serde_json::from_reader(index).unwrap();
    let manifests = index["manifests"].as_array().unwrap();
    let name = |entry: &serde_json::Value| {
        entry["annotations"]["org.opencontainers.image.ref.name"].as_str().map(str::to_owned)
    };
    assert_eq!(name(&manifests[0]).as_deref(), Some("sync-1"));
    assert_eq!(manifests[0]["digest"], sample.root.digest().as_str());
    let names: Vec<String> = manifests.iter().filter_map(name).collect();
    for source in ["one.example.test/team/multi:1", "two.example.test:5000/twin:2"] {
        assert!(names.iter().any(|name| name == source), "{names:?}");
    }
    let transfer = "application/vnd.airlift.transfer.v1+json";
    assert!(manifests.iter().any(|entry| entry["artifactType"] == transfer));
    let annotations = &index["annotations"];
    assert_eq!(annotations["vnd.act3-ace.data.serialization.version"], "2");
    assert_eq!(annotations["vnd.act3-ace.data.layer.size.deduplicated"], "4711");
}

#[tokio::test]
async fn a_file_is_not_overwritten_and_has_its_name_only_when_whole() {
    let sample = Sample::build(&[]).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.tar");
    let write = |force| {
        let options = SerializeOptions { force, ..options() };
        let (store, root) = (sample.store.clone(), sample.root.clone());
        let path = path.clone();
        async move { serialize(store, root, Destination::File(path), &options, silent()).await }
    };
    std::fs::write(&path, "mine").unwrap();
    let error = write(false).await.unwrap_err();
    assert!(error.to_string().contains("exists already"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    write(true).await.unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() > 4);

    std::fs::remove_file(&path).unwrap();
    let lost = Inventory::read(&sample.root).unwrap().items.swap_remove(0).descriptor;
    let lost = sample.store.manifest(&lost).await.unwrap();
    let lost = lost.layers().last().unwrap().digest.clone();
    sample.store.remove_blob(&lost);
    let error = write(false).await.unwrap_err();
    let text = error.to_string();
    let images =
        "one.example.test/single:2, one.example.test/team/multi:1, two.example.test:5000/twin:2";
    assert!(text.contains(lost.as_str()) && text.ends_with(images), "{text}");
    assert!(chain(&error).ends_with("was not found"), "{}", chain(&error));
    assert!(!path.exists());
}

#[tokio::test]
async fn archives_of_ace_dt_are_read() {
    let plain = [
        ("01-plain/archive.tar", "sha256:4fd943cc86e0"),
        ("02-odd-content/archive.tar", "sha256:80eaf81a6a93"),
        ("03-recursive/archive.tar", "sha256:6373b3b02daf"),
        ("03-recursive/archive-not-recursive.tar", "sha256:6373b3b02daf"),
        ("04-index-fallback/archive.tar", "sha256:e84eecc2998d"),
        ("05-platform-one/archive.tar", "sha256:d8973cba7da5"),
        ("06-platforms-several/archive.tar", "sha256:59d7b6f41cea"),
        ("07-annotations-labels/archive.tar", "sha256:536d97f5fbad"),
        ("08-zstd/archive.tar.zst", "sha256:4fd943cc86e0"),
        ("09-gzip/archive.tar.gz", "sha256:4fd943cc86e0"),
        ("10-delta/base.tar", "sha256:8e1d3acefd09"),
        ("11-resume/complete.tar", "sha256:da1e4b7aa195"),
        ("11-resume/continued.tar", "sha256:da1e4b7aa195"),
        ("12-manifest-json/archive.tar", "sha256:98fb21e81bc3"),
        ("13-block-size/archive.tar", "sha256:169580a6f954"),
        ("14-archive-command/archive.tar", "sha256:62f01911f066"),
        ("14-archive-command/archive-flags.tar.gz", "sha256:7fc2ae55fa8e"),
        ("14-archive-command/archive-recursive.tar", "sha256:62f01911f066"),
        ("15-batch/sync/000001-tools.tar", "sha256:092a51892b22"),
        ("15-batch/sync/000003-ops.tar", "sha256:4f316640776e"),
        ("17-named-registries/archive.tar", "sha256:2c13d1ad4d58"),
        ("18-sha512/archive.tar", "sha256:5b1407b880a1"),
        ("19-not-gathered/index.tar", "sha256:688a831ad092"),
        ("19-not-gathered/manifest.tar", "sha256:6d70ab8ad9aa"),
    ];
    for (name, root) in plain {
        let sink = Arc::new(MemoryStore::new());
        let received = read(&[&fixture(name)], sink.clone(), "in").await;
        let received = received.unwrap_or_else(|error| panic!("{name}: {}", chain(&error)));
        assert_eq!(received.root.short(), root, "{name}");
        let parts = everything(sink.clone(), &Version::Tag(tag("in")), true).await;
        assert!(parts.len() > 1, "{name}");
        if name.ends_with(".tar") {
            assert_eq!(in_place(&fixture(name)), received.root, "{name}");
        }
    }
    let sink = Arc::new(MemoryStore::new());
    let appended = fixture("16-appended/archive.tar");
    let received = read(&[&appended], sink, "in").await.unwrap();
    assert_eq!(in_place(&appended), received.root, "of archives in one file it is the last");
}

/// What an archive is of, when nobody says which of its images is meant.
fn in_place(archive: &[u8]) -> Digest {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), archive).unwrap();
    ArchiveStore::open(file.path()).unwrap().named(None).unwrap().digest
}

#[tokio::test]
async fn referrers_in_an_archive_of_ace_dt_are_found_afterwards() {
    let sink = Arc::new(MemoryStore::new());
    read(&[&fixture("03-recursive/archive.tar")], sink.clone(), "in").await.unwrap();
    let with = everything(sink.clone(), &Version::Tag(tag("in")), true).await;
    let without = everything(sink, &Version::Tag(tag("in")), false).await;
    assert!(with.len() > without.len(), "{} of {}", without.len(), with.len());
}

#[tokio::test]
async fn deltas_and_parts_of_ace_dt_are_read_in_their_order() {
    let cases: [(&[&str], &str); 6] = [
        (&["10-delta/base.tar", "10-delta/delta-existing-image.tar"], "sha256:ec1001efdc26"),
        (&["10-delta/base.tar", "10-delta/delta-existing-checkpoint.tar"], "sha256:ec1001efdc26"),
        (
            &[
                "10-delta/base.tar",
                "10-delta/delta-existing-image.tar",
                "10-delta/delta-two-existing.tar",
            ],
            "sha256:ec1001efdc26",
        ),
        (&["11-resume/part1.tar", "11-resume/part2.tar"], "sha256:da1e4b7aa195"),
        (&["16-appended/archive.tar"], ""),
        (
            &["15-batch/sync/000001-tools.tar", "15-batch/sync/000002-tools.tar"],
            "sha256:8e1d3acefd09",
        ),
    ];
    for (names, root) in cases {
        let media: Vec<Vec<u8>> = names.iter().map(|name| fixture(name)).collect();
        let media: Vec<&[u8]> = media.iter().map(Vec::as_slice).collect();
        let sink = Arc::new(MemoryStore::new());
        let received = read(&media, sink.clone(), "in").await;
        let received = received.unwrap_or_else(|error| panic!("{names:?}: {}", chain(&error)));
        assert!(received.root.as_str().starts_with(root), "{names:?}");
        assert_eq!(received.disorder, None, "{names:?}");
        everything(sink.clone(), &Version::Tag(tag("in")), false).await;
        for (root, _) in &received.roots {
            everything(sink.clone(), &Version::Digest(root.clone()), false).await;
        }
    }
}

#[tokio::test]
async fn both_of_two_appended_archives_are_read() {
    let sink = Arc::new(MemoryStore::new());
    let received = read(&[&fixture("16-appended/archive.tar")], sink.clone(), "in").await.unwrap();
    assert_eq!(received.roots.len(), 2);
    assert!(sink.tags().await.unwrap().contains(&tag("ap1")), "the first keeps its own tag");
    assert_eq!(received.root, received.roots[1].0);
}

#[tokio::test]
async fn a_delta_alone_is_refused_and_nothing_is_tagged() {
    for name in ["10-delta/delta-existing-image.tar", "11-resume/part1.tar", "11-resume/part2.tar"]
    {
        let sink = Arc::new(MemoryStore::new());
        let error = read(&[&fixture(name)], sink.clone(), "in").await.unwrap_err();
        assert!(sink.tags().await.unwrap().is_empty());
        let text = chain(&error);
        assert!(
            text.contains("neither in the archive") || text.contains("ends too early"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn an_archive_cut_off_anywhere_is_refused_and_nothing_is_tagged() {
    let sample = Sample::build(&[40_000]).await;
    let bytes = written(&sample, &options()).await;
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    for length in (0..end).step_by(1499).chain([0, 1, 511, 512, 513, 1024, end]) {
        let sink = Arc::new(MemoryStore::new());
        let error = read(&[&bytes[..length]], sink.clone(), "in").await.unwrap_err();
        assert!(sink.tags().await.unwrap().is_empty(), "cut at {length}");
        let text = chain(&error);
        assert!(text.contains("ends too early") && text.contains("the medium"), "{length}: {text}");
    }
}

#[tokio::test]
async fn a_damaged_blob_is_named_though_the_store_has_it() {
    let sample = Sample::build(&[40_000, 20_000_000]).await;
    let bytes = written(&sample, &options()).await;
    let sink = Arc::new(MemoryStore::new());
    read(&[&bytes], sink.clone(), "in").await.unwrap();
    for (needle, flip) in [(noise(10, 40_000), 39_999), (noise(11, 20_000_000), 17_000_000)] {
        let start = bytes.windows(64).position(|window| window == &needle[..64]).unwrap();
        let mut damaged = bytes.clone();
        damaged[start + flip] ^= 4;
        let error = read(&[&damaged], sink.clone(), "again").await.unwrap_err();
        let name = Digest::of(&needle);
        let text = chain(&error);
        let offset = format!("at byte {}", start - 512);
        assert!(text.contains(name.hex()) && text.contains(&offset), "{text}");
        assert_eq!(sink.tags().await.unwrap().len(), 2, "nothing new was tagged");
    }
}

#[tokio::test]
async fn strangers_in_an_archive_are_refused() {
    let cases: [(&str, tar::EntryType, &str); 5] = [
        ("etc/passwd", tar::EntryType::Regular, "no such file"),
        ("blobs/sha256/../../../x", tar::EntryType::Regular, "no such file"),
        ("/blobs/sha256/x", tar::EntryType::Regular, "no such file"),
        ("blobs/sha256/link", tar::EntryType::Symlink, "symbolic link"),
        ("secrets", tar::EntryType::Directory, "no such directory"),
    ];
    for (name, kind, reason) in cases {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_cksum();
        builder.append(&header, &[][..]).unwrap();
        let bytes = builder.into_inner().unwrap();
        let error = read(&[&bytes], Arc::new(MemoryStore::new()), "in").await.unwrap_err();
        let text = chain(&error);
        assert!(text.contains(reason) && text.contains("at byte 0"), "{name}: {text}");
    }
    let error = read(&[b"no tar at all".repeat(99).as_slice()], Arc::default(), "in").await;
    assert!(chain(&error.unwrap_err()).contains("no tar header"));
}
