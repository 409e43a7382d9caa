//! Tags that are put at once, and what they cost.

use std::sync::atomic::Ordering;

use futures_util::future::join_all;

use super::*;

fn manifest(number: usize) -> Manifest {
    let text = format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"m","digest":"{}","size":1}}}}"#,
        Digest::of(number.to_string().as_bytes())
    );
    Manifest::parse(media::OCI_MANIFEST, text.into()).unwrap()
}

fn tag(number: usize) -> Tag {
    format!("v{number}").parse().unwrap()
}

/// An index that nobody writes while the file is held: a lock as of another process.
fn held(root: &Path) -> (IndexFile, std::fs::File) {
    create(root).unwrap();
    let marker = std::fs::File::open(root.join(MARKER)).unwrap();
    rustix::fs::flock(&marker, FlockOperation::LockExclusive).unwrap();
    (IndexFile::new(root), marker)
}

#[tokio::test]
async fn tags_put_at_once_share_a_file_and_each_is_there_when_it_is_answered() {
    let root = tempfile::tempdir().unwrap();
    let (index, marker) = held(root.path());
    let manifests: Vec<Manifest> = (0..500).map(manifest).collect();
    let puts = manifests.iter().enumerate().map(|(number, manifest)| {
        let (index, root) = (&index, root.path());
        async move {
            let tag = tag(number);
            index.insert(manifest, Some(&tag)).await.unwrap();
            // As somebody else would read it who knows nothing but the file.
            let entries = IndexFile::new(root).read().unwrap();
            let entry = entries.iter().find(|entry| tag_of(entry) == Some(tag.as_str())).unwrap();
            assert_eq!(entry.digest, *manifest.digest());
        }
    });
    let mut puts = Box::pin(join_all(puts));
    while lock(&index.0.waiting).len() < manifests.len() {
        assert!(futures_util::poll!(&mut puts).is_pending());
    }
    drop(marker);
    puts.await;
    let written = index.0.written.load(Ordering::Relaxed);
    assert!((1..=2).contains(&written), "{written} files for 500 tags");
}

#[tokio::test]
async fn a_change_that_nobody_waits_for_is_left_undone() {
    let root = tempfile::tempdir().unwrap();
    let (index, marker) = held(root.path());
    let (first, second, third) = (manifest(1), manifest(2), manifest(3));
    let (one, two, three) = (tag(1), tag(2), tag(3));
    let mut writing = Box::pin(index.insert(&first, Some(&one)));
    let mut dropped = Box::pin(index.insert(&second, Some(&two)));
    assert!(futures_util::poll!(&mut writing).is_pending());
    assert!(futures_util::poll!(&mut dropped).is_pending());
    drop(dropped);
    drop(marker);
    writing.await.unwrap();
    index.insert(&third, Some(&three)).await.unwrap();
    let entries = index.read().unwrap();
    assert_eq!(entries.iter().filter_map(tag_of).collect::<Vec<_>>(), ["v1", "v3"]);
}

#[tokio::test]
async fn everybody_is_told_of_a_failure_and_the_next_change_is_made() {
    let root = tempfile::tempdir().unwrap();
    let (index, marker) = held(root.path());
    let path = root.path().join("index.json");
    let good = std::fs::read(&path).unwrap();
    std::fs::write(&path, "no index").unwrap();
    let manifests: Vec<Manifest> = (0..9).map(manifest).collect();
    let put = |number: usize| index.insert(&manifests[number], None);
    let mut puts = Box::pin(join_all((0..9).map(put)));
    assert!(futures_util::poll!(&mut puts).is_pending());
    drop(marker);
    for result in puts.await {
        let error = chain(&result.unwrap_err());
        assert!(error.contains("index.json") && error.contains("no image index"), "{error}");
    }
    std::fs::write(&path, good).unwrap();
    put(3).await.unwrap();
    assert_eq!(index.read().unwrap()[0].digest, *manifests[3].digest());
}

#[test]
fn what_is_known_of_a_file_ends_with_the_file() {
    let root = tempfile::tempdir().unwrap();
    create(root.path()).unwrap();
    let (one, other) = (IndexFile::new(root.path()), IndexFile::new(root.path()));
    let add = |index: &IndexFile, number| {
        let entry = manifest(number).descriptor().bare();
        index.change_now(move |root, entries| insert(root, entries, entry)).unwrap()
    };
    assert!(add(&one, 1) && add(&other, 2) && add(&one, 3) && !add(&other, 1));
    assert_eq!((one.read().unwrap().len(), other.read().unwrap().len()), (3, 3));
}
