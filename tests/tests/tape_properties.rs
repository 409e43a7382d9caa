//! Properties of archives, at every place of a small one and at random places of a larger one: a
//! flipped bit is found, a cut archive never has a tag for something incomplete, and a run that is
//! gone on with gives the archive it would have given.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::{Arc, LazyLock};

use airlift_oci::graph::{WalkOptions, walk};
use airlift_oci::observe::silent;
use airlift_oci::store::{MemoryStore, Source, chain};
use airlift_oci::types::Version;
use airlift_tape::archive::{ArchiveOptions, Parser, Step};
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
static WRITTEN: LazyLock<Written> =
    LazyLock::new(|| Written::of(Sample::build(&[150_000, 70_000]), None));
/// One that is so small that every place of it can be tried.
static TINY: LazyLock<Written> = LazyLock::new(|| Written::of(Sample::tiny(), Some(512)));

impl Written {
    fn of(sample: impl Future<Output = Sample>, block: Option<u64>) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let sample = runtime.block_on(sample);
        let directory = tempfile::tempdir().unwrap();
        let write = |compression| {
            let path = directory.path().join(format!("{compression:?}"));
            let run = to_file(&sample, &path, compression, Resume::No, block);
            runtime.block_on(run);
            std::fs::read(path).unwrap()
        };
        let archives = ALL.map(write).to_vec();
        Written { runtime, sample, archives }
    }
}

impl Written {
    /// Where the index is over in the archive that is not compressed; in others it is by here.
    fn after_index(&self, kind: usize) -> usize {
        match ALL[kind] {
            Compression::None => {
                let archive = &self.archives[kind];
                archive.windows(6).position(|name| name == b"blobs\0").unwrap()
            }
            _ => 4096,
        }
    }
}

async fn to_file(
    sample: &Sample,
    path: &std::path::Path,
    compression: Compression,
    resume: Resume,
    block: Option<u64>,
) {
    let archive =
        ArchiveOptions { tag: Some("sync-1".parse().unwrap()), ..ArchiveOptions::default() };
    let options = SerializeOptions {
        archive,
        compression,
        resume,
        block,
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

/// Reads an archive back, and whether what came of it is honest: every tag names what is there, and
/// the tag asked for is set exactly when the run says so.
async fn reads_honestly(bytes: &[u8], keep_going: bool) -> Result<(), String> {
    let store = Arc::new(MemoryStore::new());
    let tag = Some("in".parse().unwrap());
    let options = DeserializeOptions { tag, keep_going, ..DeserializeOptions::default() };
    let received = deserialize(vec![in_hand(bytes)], store.clone(), &options, silent()).await;
    let tags = store.tags().await.unwrap();
    let tagged = tags.iter().any(|tag| tag.as_str() == "in");
    let told = match &received {
        Ok(received) => received.partial.as_ref().is_none_or(|partial| partial.rooted) == tagged,
        Err(error) => tags.is_empty() && !chain(error).is_empty(),
    };
    if told && is_honest(store).await {
        return Ok(());
    }
    Err(format!("{received:?}, tags {tags:?}"))
}

#[test]
fn what_is_not_what_was_written_is_found_wherever_it_is() {
    for (kind, whole) in ALL.iter().zip(&TINY.archives) {
        TINY.runtime.block_on(async {
            // Most of a tar is zeros, alike for every entry.
            let step = if *kind == Compression::None { 3 } else { 1 };
            for at in (0..whole.len()).step_by(step) {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << (at % 8);
                let options = VerifyOptions::default();
                let found = verify(vec![in_hand(&bytes)], &options, silent()).await.unwrap();
                assert!(!found.is_good(), "{kind:?}: bit {} of byte {at}", at % 8);
            }
        });
    }
}

#[test]
fn an_archive_that_ends_anywhere_never_gives_a_tag_to_what_is_incomplete() {
    for (kind, whole) in ALL.iter().zip(&TINY.archives) {
        TINY.runtime.block_on(async {
            for length in 0..whole.len() {
                let keep_going = length % 2 == 0;
                let read = reads_honestly(&whole[..length], keep_going).await;
                read.unwrap_or_else(|text| panic!("{kind:?}, {length}: {text}"));
            }
        });
    }
}

/// Where headers, contents and paddings begin and end, and a place within each.
fn places(archive: &[u8]) -> Vec<usize> {
    let mut parser = Parser::new();
    parser.push(archive.to_vec().into());
    let mut all = vec![1];
    loop {
        match parser.step().unwrap() {
            Step::Entry(head) => {
                let (start, size) = (head.offset as usize, head.size as usize);
                let data = start + head.raw.len();
                all.extend([start, start + 200, data, data + size / 2, data + size]);
            }
            Step::EndOfArchive(end) => all.extend([end as usize - 512, end as usize]),
            Step::Starved => return all,
            _ => {}
        }
    }
}

#[test]
fn a_run_is_gone_on_with_from_every_boundary_and_from_within_every_entry() {
    for (kind, whole) in ALL.iter().zip(&TINY.archives) {
        let places = match kind {
            Compression::None => places(whole),
            // Of what is compressed the boundaries are unknown here; there are few bytes.
            _ => (0..=whole.len()).step_by(29).collect(),
        };
        for at in places {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("archive");
            std::fs::write(directory.path().join("archive.partial"), &whole[..at]).unwrap();
            let run = to_file(&TINY.sample, &path, *kind, Resume::Auto, Some(512));
            TINY.runtime.block_on(run);
            assert!(std::fs::read(&path).unwrap() == *whole, "{kind:?} at {at}");
        }
    }
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
        let read = WRITTEN.runtime.block_on(reads_honestly(&bytes, keep_going));
        prop_assert!(read.is_ok(), "{:?}, {} bytes, flip at {flip}: {read:?}", ALL[kind], bytes.len());
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
        let start = WRITTEN.after_index(kind);
        let at = start + at.index(whole.len() - start);
        let mut left = whole[..at].to_vec();
        if ALL[kind] == Compression::None {
            left.extend(garbage);
        }
        std::fs::write(directory.path().join("archive.partial"), &left).unwrap();
        let run = to_file(&WRITTEN.sample, &path, ALL[kind], Resume::Auto, None);
        WRITTEN.runtime.block_on(run);
        prop_assert!(std::fs::read(&path).unwrap() == *whole, "{:?} at {at}", ALL[kind]);
    }
}
