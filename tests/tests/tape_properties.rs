//! Properties of archives, at random places: a flipped bit is found, a cut archive never has a tag
//! for something incomplete, and a run that is gone on with gives the archive it would have given.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::{Arc, LazyLock};

use airlift_oci::graph::{WalkOptions, walk};
use airlift_oci::observe::silent;
use airlift_oci::store::{MemoryStore, Source};
use airlift_oci::types::Version;
use airlift_tape::archive::ArchiveOptions;
use airlift_tape::device::Destination;
use airlift_tape::{
    Compression, DeserializeOptions, Resume, SerializeOptions, VerifyOptions, deserialize,
    serialize, verify,
};
use airlift_tests::{Sample, in_hand};
use proptest::prelude::*;
use proptest::sample::Index;

const ALL: [Compression; 3] = [Compression::None, Compression::Zstd(3), Compression::Gzip(6)];

struct Written {
    runtime: tokio::runtime::Runtime,
    sample: Sample,
    archives: Vec<Vec<u8>>,
}

/// One sample, in every compression, for all cases.
static WRITTEN: LazyLock<Written> = LazyLock::new(|| {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sample = runtime.block_on(Sample::build(&[150_000, 70_000]));
    let directory = tempfile::tempdir().unwrap();
    let write = |compression| {
        let path = directory.path().join(format!("{compression:?}"));
        let run = to_file(&sample, &path, compression, Resume::No);
        runtime.block_on(run);
        std::fs::read(path).unwrap()
    };
    let archives = ALL.map(write).to_vec();
    Written { runtime, sample, archives }
});

async fn to_file(
    sample: &Sample,
    path: &std::path::Path,
    compression: Compression,
    resume: Resume,
) {
    let archive =
        ArchiveOptions { tag: Some("sync-1".parse().unwrap()), ..ArchiveOptions::default() };
    let options = SerializeOptions {
        archive,
        compression,
        resume,
        referrers: true,
        ..SerializeOptions::default()
    };
    let (store, root) = (sample.store.clone(), sample.root.clone());
    let destination = Destination::File(path.to_owned());
    serialize(store, root, destination, &options, silent()).await.unwrap();
}

/// Whether everything that the tags of a store name is there.
async fn is_honest(store: Arc<MemoryStore>) -> bool {
    let source: Arc<dyn Source> = store.clone();
    for tag in store.tags().await.unwrap() {
        let root = source.fetch(&Version::Tag(tag)).await.unwrap();
        let Ok(graph) = walk(&source, root, &WalkOptions::default()).await else { return false };
        for blob in graph.blobs() {
            let Ok(blob) = source.open(blob, 0).await else { return false };
            blob.read_all().await.unwrap();
        }
    }
    true
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_flipped_bit_is_found(kind in 0..3_usize, at in any::<Index>(), bit in 0..8_u32) {
        let mut bytes = WRITTEN.archives[kind].clone();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let found = WRITTEN.runtime.block_on(async {
            verify(vec![in_hand(&bytes)], &VerifyOptions::default(), silent()).await.unwrap()
        });
        prop_assert!(!found.is_good(), "{:?}: bit {bit} of byte {at}", ALL[kind]);
    }

    #[test]
    fn damage_and_cuts_never_give_a_tag_to_what_is_incomplete(
        kind in 0..3_usize,
        cut in any::<Index>(),
        flip in any::<Index>(),
        keep_going in any::<bool>(),
        whole in any::<bool>(),
    ) {
        let mut bytes = WRITTEN.archives[kind].clone();
        let flip = flip.index(bytes.len());
        bytes[flip] ^= 0x20;
        if !whole {
            bytes.truncate(cut.index(bytes.len()));
        }
        let store = Arc::new(MemoryStore::new());
        let sink = store.clone();
        let (received, honest) = WRITTEN.runtime.block_on(async {
            let tag = Some("in".parse().unwrap());
            let options =
                DeserializeOptions { tag, keep_going, ..DeserializeOptions::default() };
            let received = deserialize(vec![in_hand(&bytes)], sink, &options, silent()).await;
            (received, is_honest(store.clone()).await)
        });
        prop_assert!(honest, "{:?}, {} bytes, flip at {flip}", ALL[kind], bytes.len());
        let tags = WRITTEN.runtime.block_on(store.tags()).unwrap();
        if let Ok(received) = received {
            // What is told to be whole is tagged, and nothing else.
            let rooted = received.partial.as_ref().is_none_or(|partial| partial.rooted);
            prop_assert_eq!(rooted, tags.iter().any(|tag| tag.as_str() == "in"));
        } else {
            prop_assert!(tags.is_empty());
        }
    }

    #[test]
    fn a_run_that_is_gone_on_with_gives_the_same_archive(
        kind in 0..3_usize,
        at in any::<Index>(),
        garbage in proptest::collection::vec(any::<u8>(), 0..2000),
    ) {
        let whole = &WRITTEN.archives[kind];
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("archive");
        // The start tells which archive it is; behind it anything may have been left. Of a
        // compressed archive the start is a frame, which nothing may follow before it is whole.
        let at = 4096 + at.index(whole.len() - 4096);
        let mut left = whole[..at].to_vec();
        if ALL[kind] == Compression::None {
            left.extend(garbage);
        }
        std::fs::write(directory.path().join("archive.partial"), &left).unwrap();
        let run = to_file(&WRITTEN.sample, &path, ALL[kind], Resume::Auto);
        WRITTEN.runtime.block_on(run);
        prop_assert!(std::fs::read(&path).unwrap() == *whole, "{:?} at {at}", ALL[kind]);
    }
}
