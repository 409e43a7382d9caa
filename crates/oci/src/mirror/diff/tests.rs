//! Tests of `diff`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::store::{MemoryStore, Sink};
use crate::types::{Manifest, Reference};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/ace-dt/diff")
}

/// The repositories of the reference program's runs, in one store.
async fn store() -> Arc<MemoryStore> {
    let store = MemoryStore::new();
    let read = |path: PathBuf| Manifest::parse("", std::fs::read(path).unwrap().into()).unwrap();
    for file in std::fs::read_dir(data().join("manifests")).unwrap() {
        store.put_manifest(&read(file.unwrap().path()), None).await.unwrap();
    }
    for tag in ["d1", "d2", "nested", "fallback", "platforms"] {
        let manifest = read(data().join(format!("{tag}.json")));
        store.put_manifest(&manifest, Some(&tag.parse().unwrap())).await.unwrap();
    }
    for (tag, digest) in [
        ("app001", "sha256:4c61c8ac09610be6814122dcdedd9516c7ac6406633552e4445a2666f9316d90"),
        ("twin", "sha256:6d70ab8ad9aa8b39dea3dd333e42ae9d1a490bc7a7f98660f00b807abd269e98"),
    ] {
        let version = crate::types::Version::Digest(digest.parse().unwrap());
        let manifest = crate::store::Source::fetch(&store, &version).await.unwrap();
        store.put_manifest(&manifest, Some(&tag.parse().unwrap())).await.unwrap();
    }
    Arc::new(store)
}

fn image(store: &Arc<MemoryStore>, tag: &str) -> SourceImage {
    let text = format!("127.0.9.3/gather:{tag}");
    SourceImage {
        version: text.parse::<Reference>().unwrap().version(),
        text,
        labels: crate::inventory::Labels::new(),
        store: store.clone(),
        mount_from: None,
    }
}

async fn run(tag: &str, existing: &[&str], expand: bool) -> Diff {
    let store = store().await;
    let existing: Vec<_> = existing.iter().map(|tag| image(&store, tag)).collect();
    let options = DiffOptions { expand, referrers: false };
    diff(&image(&store, tag), &existing, &options).await.unwrap()
}

/// Reference and digest of each row that the reference program printed.
fn printed(file: &str) -> Vec<(String, String)> {
    let text = std::fs::read(data().join(file)).unwrap();
    if file.ends_with(".csv") {
        return csv::Reader::from_reader(&*text).deserialize().map(Result::unwrap).collect();
    }
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&text).unwrap();
    let field = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap().to_owned();
    rows.iter().map(|row| (field(row, "reference"), field(row, "digest"))).collect()
}

fn facts(diff: &Diff) -> Vec<(String, String)> {
    diff.rows.iter().map(|row| (row.reference.clone(), row.digest.to_string())).collect()
}

const TWIN_TWO: &str = "127.0.9.2/edge/twin:2";

/// What the reference program printed, and the second name of a digest, which it drops.
fn with_twin_two(file: &str) -> Vec<(String, String)> {
    let mut rows = printed(file);
    let twin = rows.iter().find(|(reference, _)| reference.ends_with("twin:1"));
    rows.extend(twin.cloned().map(|(_, digest)| (TWIN_TWO.to_owned(), digest)));
    rows
}

#[tokio::test]
async fn the_same_images_as_the_reference_program() {
    for (tag, existing, file) in [
        ("d2", &[][..], "holds.csv"),
        ("d2", &[], "holds.txt"),
        ("d2", &["d1"], "new-since.txt"),
        ("d2", &["app001"], "new-since-image.txt"),
        ("d2", &["d1", "twin"], "new-since-two.csv"),
        ("nested", &[], "nested.csv"),
        ("fallback", &[], "fallback.csv"),
        ("platforms", &[], "platforms.csv"),
    ] {
        assert_eq!(facts(&run(tag, existing, false).await), with_twin_two(file), "{file}");
    }
}

#[tokio::test]
async fn expanded_as_the_reference_program_does() {
    for (existing, file) in
        [(&[][..], "nested-expand.csv"), (&["d1"], "nested-expand-new-since.csv")]
    {
        let mut expected = printed(file);
        expected.sort();
        assert_eq!(facts(&run("nested", existing, true).await), expected, "{file}");
    }
}

#[tokio::test]
async fn nothing_new_is_no_rows_and_no_bytes() {
    let diff = run("d1", &["d1"], false).await;
    assert_eq!((diff.rows.len(), diff.images, diff.new_bytes), (0, 3, 0));
    assert!(diff.bytes > 0);
}

/// The gathered index states the bytes of its distinct blobs: the rows must come to the same.
#[tokio::test]
async fn rows_add_up_and_everything_counts_once() {
    let all = run("d2", &[], false).await;
    let d2 = image(&store().await, "d2");
    let graph = read(&d2, &DiffOptions::default()).await.unwrap();
    let manifests: u64 = graph.manifests()[1..].iter().map(|m| m.descriptor().size).sum();
    let sum: u64 = all.rows.iter().map(|row| row.new).sum();
    assert_eq!(sum, 89_765 + manifests);
    assert_eq!(all.new_bytes, sum + graph.root().descriptor().size);
    assert_eq!(all.bytes, all.new_bytes);
    let twin = all.rows.iter().find(|row| row.reference == TWIN_TWO).unwrap();
    assert_eq!(twin.new, 0, "the row before has counted it");
    assert!(twin.size > 0);
    let since = run("d2", &["d1"], false).await;
    assert_eq!(since.bytes, all.bytes);
    assert!(since.new_bytes < all.new_bytes);
}

#[tokio::test]
async fn faults_name_the_image() {
    let store = store().await;
    let options = DiffOptions::default();
    let plain = diff(&image(&store, "app001"), &[], &options).await.unwrap_err();
    let text = crate::store::chain(&plain);
    assert!(text.contains("gather:app001") && text.contains("no gathered index"), "{text}");
    let gone = diff(&image(&store, "d1"), &[image(&store, "nope")], &options).await.unwrap_err();
    assert!(gone.to_string().contains("gather:nope"), "{gone}");
    // The reference program writes this when no platform matches.
    let raw = Bytes::from_static(
        br#"{"artifactType":"application/vnd.act3-ace.data.gather+json","manifests":null}"#,
    );
    let empty = Manifest::parse(crate::types::media::OCI_INDEX, raw).unwrap();
    store.put_manifest(&empty, Some(&"empty".parse().unwrap())).await.unwrap();
    let nothing = diff(&image(&store, "empty"), &[], &options).await.unwrap();
    assert_eq!((nothing.rows.len(), nothing.images), (0, 0));
}
