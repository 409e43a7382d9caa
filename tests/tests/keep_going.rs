//! What is whole of a damaged archive arrives, what is lost is named, and nothing incomplete has a
//! tag.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use airlift_oci::graph::{WalkOptions, walk};
use airlift_oci::inventory::Inventory;
use airlift_oci::observe::silent;
use airlift_oci::store::{MemoryStore, Source};
use airlift_oci::types::{Digest, Version};
use airlift_tape::archive::{ArchiveOptions, Parser, Step};
use airlift_tape::device::Destination;
use airlift_tape::{
    Compression, DeserializeError, DeserializeOptions, Medium, PARTIAL_OF, Received,
    SerializeOptions, VerifyOptions, deserialize, serialize, verify,
};
use airlift_tests::{FakeDrive, Sample, Tape, in_hand, noise};

const BLOCK: u64 = 10_240;

async fn sample() -> Sample {
    Sample::build(&[300_000, 70_000]).await
}

async fn tape(sample: &Sample, compression: Compression) -> Tape {
    let tape = Tape::default();
    let destination = Destination::Device(Box::new(FakeDrive::new(&tape, BLOCK)));
    let archive = ArchiveOptions {
        tag: Some("sync-1".parse().unwrap()),
        manifest_json: true,
        ..ArchiveOptions::default()
    };
    let block = Some(BLOCK);
    let options = SerializeOptions {
        archive,
        compression,
        block,
        referrers: true,
        ..SerializeOptions::default()
    };
    let root = sample.root.clone();
    serialize(sample.store.clone(), root, destination, &options, silent()).await.unwrap();
    tape
}

async fn read(media: Vec<Medium>) -> (Result<Received, DeserializeError>, Arc<MemoryStore>) {
    let sink = Arc::new(MemoryStore::new());
    let options = DeserializeOptions {
        tag: Some("in".parse().unwrap()),
        keep_going: true,
        ..DeserializeOptions::default()
    };
    (deserialize(media, sink.clone(), &options, silent()).await, sink)
}

async fn walks(store: &Arc<MemoryStore>, version: &Version) -> bool {
    let source: Arc<dyn Source> = store.clone();
    let Ok(root) = source.fetch(version).await else { return false };
    let Ok(graph) = walk(&source, root, &WalkOptions::default()).await else { return false };
    for blob in graph.blobs() {
        match source.open(blob, 0).await {
            Ok(blob) => drop(blob.read_all().await.unwrap()),
            Err(_) => return false,
        }
    }
    true
}

/// What holds of every run: every tag names something whole, the root's tag the root alone, and
/// every image is either there or named as lost.
async fn assert_honest(sample: &Sample, received: &Received, store: &Arc<MemoryStore>, what: &str) {
    for tag in store.tags().await.unwrap() {
        assert!(walks(store, &Version::Tag(tag.clone())).await, "{what}: {tag} is not whole");
    }
    for (image, digest) in &received.images {
        let version = Version::Digest(digest.clone());
        assert!(walks(store, &version).await, "{what}: {image} is not whole");
    }
    let tagged = store.fetch(&Version::Tag("in".parse().unwrap())).await.ok();
    let all: BTreeSet<String> = images(&Inventory::read(&sample.root).unwrap());
    let mut told: BTreeSet<String> =
        received.images.iter().map(|(image, _)| image.clone()).collect();
    match &received.partial {
        None => assert_eq!(tagged.unwrap().digest(), sample.root.digest(), "{what}"),
        Some(partial) if partial.rooted => {
            assert_eq!(tagged.unwrap().digest(), sample.root.digest(), "{what}");
            assert!(!partial.lost.is_empty() && partial.index.is_none(), "{what}");
        }
        Some(partial) => {
            assert!(tagged.is_none(), "{what}: {received:?}");
            assert!(
                !partial.lost.is_empty() && !received.damage.is_empty(),
                "{what}: {received:?}"
            );
            told.extend(partial.lost.iter().map(|lost| lost.image.clone()));
        }
    }
    assert!(told.is_superset(&all), "{what}: of {all:?} only {told:?} are told of");
}

fn images(inventory: &Inventory) -> BTreeSet<String> {
    inventory.items.iter().map(|item| item.source.clone()).collect()
}

/// Name, header and content of every entry.
fn entries(bytes: &[u8]) -> Vec<(String, Range<usize>, Range<usize>)> {
    let mut parser = Parser::new();
    parser.push(bytes.to_vec().into());
    let mut all = Vec::new();
    loop {
        match parser.step().unwrap() {
            Step::Starved => return all,
            Step::Entry(head) => {
                let start = head.offset as usize;
                let data = start + head.raw.len();
                all.push((head.name, start..data, data..data + head.size as usize));
            }
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_content_loses_the_images_that_need_it_and_no_other() {
    let sample = sample().await;
    let bytes = tape(&sample, Compression::None).await.bytes();
    let mut lossless = 0;
    for (name, _, content) in entries(&bytes) {
        if content.is_empty() {
            continue;
        }
        let mut damaged = bytes.clone();
        damaged[content.start + content.len() / 2] ^= 4;
        let (received, store) = read(vec![in_hand(&damaged)]).await;
        let received = received.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_honest(&sample, &received, &store, &name).await;
        let Some(partial) = &received.partial else {
            lossless += 1;
            continue;
        };
        let digest = name.strip_prefix("blobs/");
        let digest = digest.unwrap_or_else(|| panic!("{name}: {partial:?}")).replace('/', ":");
        for lost in &partial.lost {
            let text = lost.to_string();
            assert!(text.contains(&format!("{digest} is damaged")), "{text}");
            let at = format!("{name:?} at byte {}", content.start - 512);
            assert!(text.contains(&at) || digest.starts_with("sha512"), "{text}");
        }
        if digest != sample.root.digest().to_string() {
            let index = store.fetch(&Version::Tag("in-partial".parse().unwrap())).await;
            let Ok(index) = index else { continue };
            assert_eq!(index.annotation(PARTIAL_OF).unwrap(), sample.root.digest().as_str());
            let inventory = Inventory::read(&index).unwrap();
            assert_eq!(images(&inventory), received.images.iter().map(|i| i.0.clone()).collect());
            assert_eq!(index.digest(), partial.index.as_ref().unwrap());
        }
    }
    assert!(lossless >= 2, "oci-layout, manifest.json and index.json are not what images need");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_layer_leaves_three_of_four_images() {
    let sample = sample().await;
    let mut bytes = tape(&sample, Compression::None).await.bytes();
    let layer = noise(2, 511);
    let at = bytes.windows(64).position(|window| window == &layer[..64]).unwrap();
    bytes[at + 100] ^= 1;
    let (received, store) = read(vec![in_hand(&bytes)]).await;
    let received = received.unwrap();
    let lost = &received.partial.as_ref().unwrap().lost;
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert_eq!(lost[0].image, "one.example.test/team/multi:1");
    assert_eq!(received.images.len(), 3);
    let partial = Version::Tag("in-partial".parse().unwrap());
    assert!(walks(&store, &partial).await);
    // The signature of a whole image came with it.
    let single = received.images[0].1.clone();
    assert!(received.images[0].0.contains("single"));
    assert_eq!(store.referrers(&single).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_header_of_a_blob_loses_nothing() {
    let sample = sample().await;
    let bytes = tape(&sample, Compression::None).await.bytes();
    let all = entries(&bytes);
    let first_blob = all.iter().rposition(|(name, ..)| name == "blobs/sha256").unwrap();
    let mut manifests = 0;
    for (name, header, _) in all {
        let mut damaged = bytes.clone();
        damaged[header.start + 150] ^= 0x10;
        let (received, store) = read(vec![in_hand(&damaged)]).await;
        let received = received.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_honest(&sample, &received, &store, &name).await;
        assert!(!received.damage.is_empty(), "{name}");
        let found = verify(vec![in_hand(&damaged)], &VerifyOptions::default(), silent()).await;
        assert!(!found.unwrap().is_good(), "{name}");
        manifests += usize::from(received.partial.is_some());
    }
    // The manifests stand before the list that says where everything is.
    let source: Arc<dyn Source> = sample.store.clone();
    let options = WalkOptions { referrers: true, ..WalkOptions::default() };
    let graph = walk(&source, sample.root.clone(), &options);
    let known = graph.await.unwrap().manifests().len();
    assert!(manifests <= known + 3, "{manifests} of {known}, after entry {first_blob}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_blocks_are_damage_and_no_end() {
    let sample = sample().await;
    for compression in [Compression::None, Compression::Zstd(3), Compression::Gzip(6)] {
        let tape = tape(&sample, compression).await;
        let count = tape.block_sizes().len();
        for measured in [true, false] {
            let mut most = 0;
            // Of a compressed archive most blocks are of the same stored layer.
            let step = if compression == Compression::None { 1 } else { 4 };
            for bad in (0..count).step_by(step) {
                let what = format!("{compression:?}, block {bad}, {measured}");
                let (received, store) = read(vec![tape.damaged(&[bad], measured)]).await;
                let found = vec![tape.damaged(&[bad], measured)];
                let found = verify(found, &VerifyOptions::default(), silent()).await.unwrap();
                assert!(!found.is_good(), "{what}");
                let Ok(received) = received else {
                    assert!(bad < 6, "{what}: {received:?}");
                    continue;
                };
                assert_honest(&sample, &received, &store, &what).await;
                let told = received.damage.iter().any(|damage| damage.reason.contains("block"));
                assert!(told || compression != Compression::None, "{what}: {:?}", received.damage);
                most = most.max(received.images.len());
                if compression == Compression::None && bad > 6 && bad + 1 < count {
                    assert!(received.images.len() >= 2, "{what}: {received:?}");
                }
            }
            assert!(most >= 2, "{compression:?}: at most {most} images");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_archive_gives_its_whole_images() {
    let sample = sample().await;
    for compression in [Compression::None, Compression::Zstd(3)] {
        let bytes = tape(&sample, compression).await.bytes();
        for length in (0..bytes.len()).step_by(7919) {
            let what = format!("{compression:?} cut at {length}");
            let (received, store) = read(vec![in_hand(&bytes[..length])]).await;
            match received {
                Ok(received) => assert_honest(&sample, &received, &store, &what).await,
                Err(_) => assert!(store.tags().await.unwrap().is_empty(), "{what}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_copy_makes_good_what_the_first_lacks() {
    let sample = sample().await;
    let tape = tape(&sample, Compression::None).await;
    let all = entries(&tape.bytes());
    let block = |at: usize| at / BLOCK as usize;
    // No entry is damaged on both; those in front, which say what there is, on neither.
    let (_, _, large) = all.iter().find(|(.., content)| content.len() == 300_000).unwrap();
    let last = block(all.last().unwrap().2.end);
    let first: Vec<usize> = (block(large.start) + 1..block(large.end)).collect();
    let second: Vec<usize> = (block(large.end) + 1..last).collect();
    assert!(first.len() > 20 && second.len() > 5);
    let media = vec![tape.damaged(&first, true), tape.damaged(&second, true)];
    let (received, store) = read(media).await;
    let received = received.unwrap();
    assert_honest(&sample, &received, &store, "both").await;
    assert!(received.partial.is_none(), "{received:?}");
    let root: &Digest = sample.root.digest();
    assert_eq!(received.root, *root);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_first_frame_loses_what_stands_in_it_and_no_more() {
    let sample = sample().await;
    for compression in [Compression::Zstd(3), Compression::Gzip(6)] {
        let bytes = tape(&sample, compression).await.bytes();
        let found = verify(vec![in_hand(&bytes)], &VerifyOptions::default(), silent()).await;
        let entries = found.unwrap().entries;
        // The last stored layer is on the other copy alone.
        let layer = noise(11, 70_000);
        let at = bytes.windows(64).position(|window| window == &layer[100..164]).unwrap();
        let mut other = bytes.clone();
        other[at] ^= 1;
        for damage in [0..1, 3..9, 20..21, 0..600] {
            let what = format!("{compression:?}, {damage:?}");
            let mut copy = bytes.clone();
            copy[damage].iter_mut().for_each(|byte| *byte ^= 0x55);
            let found = verify(vec![in_hand(&copy)], &VerifyOptions::default(), silent()).await;
            let found = found.unwrap();
            assert!(!found.is_good() && found.entries > 0 && found.entries < entries, "{what}");
            let (received, store) = read(vec![in_hand(&copy), in_hand(&other)]).await;
            let received = received.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(received.partial.is_none(), "{what}: {received:?}");
            assert_honest(&sample, &received, &store, &what).await;
        }
    }
}

#[tokio::test]
async fn strict_reading_refuses_what_nothing_accounts_for() {
    let sample = sample().await;
    let bytes = tape(&sample, Compression::None).await.bytes();
    let all = entries(&bytes);
    let strict = |bytes: Vec<u8>| async move {
        let sink = Arc::new(MemoryStore::new());
        let tag = Some("in".parse().unwrap());
        let options = DeserializeOptions { tag, strict: true, ..DeserializeOptions::default() };
        let read = deserialize(vec![in_hand(&bytes)], sink.clone(), &options, silent()).await;
        assert!(read.is_ok() || sink.tags().await.unwrap().is_empty());
        read.map_err(|error| error.to_string())
    };
    strict(bytes.clone()).await.unwrap();
    // In front of the last entry, manifest.json: a blob that nothing names, and one twice.
    let last = all.last().unwrap().1.start;
    let with = |content: &[u8]| {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o666);
        let name = format!("blobs/sha256/{}", Digest::of(content).hex());
        tar.append_data(&mut header, name, content).unwrap();
        let entry = tar.into_inner().unwrap();
        [&bytes[..last], &entry[..entry.len() - 1024], &bytes[last..]].concat()
    };
    let error = strict(with(b"smuggled")).await.unwrap_err();
    assert!(error.contains("nothing in the archive names it"), "{error}");
    let error = strict(with(&noise(2, 511))).await.unwrap_err();
    assert!(error.contains("twice"), "{error}");
    let mut other = bytes.clone();
    other[all.last().unwrap().2.start + 5] ^= 1;
    let error = strict(other).await.unwrap_err();
    assert!(error.contains("manifest.json") && error.contains("accounts for"), "{error}");
}
