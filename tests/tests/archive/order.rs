//! Parts of one whole, given in the order in which they were written and in others.

use std::collections::BTreeMap;

use super::*;

/// What is left out of an archive of `root` because `earlier` has it.
async fn existing(sample: &Sample, earlier: &Manifest) -> BTreeMap<Digest, String> {
    let source: Arc<dyn Source> = sample.store.clone();
    let walking = WalkOptions { referrers: true, ..WalkOptions::default() };
    let graph = walk(&source, earlier.clone(), &walking).await.unwrap();
    graph.blobs().iter().map(|blob| (blob.digest.clone(), "earlier".to_owned())).collect()
}

/// An archive of `root` without what `earlier` has.
async fn part(sample: &Sample, root: &Manifest, name: &str, earlier: &[&Manifest]) -> Vec<u8> {
    let mut left_out = BTreeMap::new();
    for image in earlier {
        left_out.append(&mut existing(sample, image).await);
    }
    let archive =
        ArchiveOptions { tag: Some(tag(name)), existing: left_out, ..ArchiveOptions::default() };
    let sample = Sample { store: sample.store.clone(), root: root.clone() };
    written(&sample, &SerializeOptions { archive, ..options() }).await
}

#[tokio::test]
async fn a_part_that_builds_upon_a_later_one_is_told_of() {
    let sample = Sample::build(&[40_000]).await;
    let grown = sample.grown().await;
    let base = part(&sample, &sample.root, "sync-1", &[]).await;
    let delta = part(&sample, &grown, "sync-2", &[&sample.root]).await;

    let sink = Arc::new(MemoryStore::new());
    let right = read(&[&base, &delta], sink.clone(), "in").await.unwrap();
    assert_eq!((right.root, right.disorder), (grown.digest().clone(), None));

    let sink = Arc::new(MemoryStore::new());
    let wrong = read(&[&delta, &base], sink.clone(), "in").await.unwrap();
    assert_eq!(wrong.root, *sample.root.digest());
    let disorder = wrong.disorder.unwrap();
    assert_eq!(disorder.newer_root, *grown.digest());
    let text = disorder.to_string();
    assert!(text.contains("in the order in which they were written"), "{text}");
    // Nothing is lost by it: the newer root has the tag of its own archive.
    everything(sink.clone(), &Version::Tag(tag("sync-2")), true).await;
}

#[tokio::test]
async fn a_whole_archive_after_a_delta_is_in_order() {
    let sample = Sample::build(&[40_000]).await;
    let grown = sample.grown().await;
    let base = part(&sample, &sample.root, "sync-1", &[]).await;
    let delta = part(&sample, &grown, "sync-2", &[&sample.root]).await;
    let whole = part(&sample, &grown, "sync-2", &[]).await;
    for media in [
        &[&delta[..], &whole[..]][..],
        &[&base[..], &whole[..]],
        &[&base[..], &delta[..], &whole[..]],
        // The same twice, and copies.
        &[&whole[..], &whole[..]],
        &[&base[..], &delta[..], &delta[..]],
        &[&delta[..], &base[..], &delta[..]],
    ] {
        let received = read(media, Arc::new(MemoryStore::new()), "in").await.unwrap();
        assert_eq!((received.root, received.disorder), (grown.digest().clone(), None));
    }
}

#[tokio::test]
async fn archives_of_ace_dt_the_wrong_way_round_are_told_of() {
    for names in [
        ["10-delta/delta-existing-image.tar", "10-delta/base.tar"],
        ["10-delta/delta-existing-checkpoint.tar", "10-delta/base.tar"],
        ["15-batch/sync/000002-tools.tar", "15-batch/sync/000001-tools.tar"],
    ] {
        let media = names.map(fixture);
        let received = read(&[&media[0], &media[1]], Arc::new(MemoryStore::new()), "in").await;
        assert!(received.unwrap().disorder.is_some(), "{names:?}");
    }
    // Parts of one archive, and archives of which neither builds upon the other.
    for names in [
        ["11-resume/part1.tar", "11-resume/part2.tar"],
        ["15-batch/sync/000003-ops.tar", "15-batch/sync/000001-tools.tar"],
        ["01-plain/archive.tar", "03-recursive/archive.tar"],
        ["03-recursive/archive.tar", "01-plain/archive.tar"],
    ] {
        let media = names.map(fixture);
        let received = read(&[&media[0], &media[1]], Arc::new(MemoryStore::new()), "in").await;
        assert_eq!(received.unwrap().disorder, None, "{names:?}");
    }
}
