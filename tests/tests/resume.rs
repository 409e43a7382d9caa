//! An archive that was interrupted anywhere and gone on with is the archive that never was.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "resume/once_more.rs"]
mod once_more;

use std::path::Path;
use std::sync::Arc;

use airlift_oci::graph::{WalkOptions, walk};
use airlift_oci::observe::silent;
use airlift_oci::store::{MemoryStore, Source, chain};
use airlift_tape::archive::{ArchiveOptions, Plan};
use airlift_tape::device::Destination;
use airlift_tape::ledger::Ledger;
use airlift_tape::{
    Compression, DeserializeOptions, Resume, SerializeError, SerializeOptions, Written,
    deserialize, serialize,
};
use airlift_tests::{FakeDrive, Sample, Tape};

const ALL: [Compression; 3] = [Compression::None, Compression::Zstd(3), Compression::Gzip(6)];

async fn sample() -> Sample {
    Sample::build(&[3_000_000, 90_000, 70_000]).await
}

fn options(compression: Compression) -> SerializeOptions {
    let tag = Some("sync-1".parse().unwrap());
    let archive = ArchiveOptions { tag, ..ArchiveOptions::default() };
    SerializeOptions { archive, compression, referrers: true, ..SerializeOptions::default() }
}

async fn to_file(
    sample: &Sample,
    path: &Path,
    options: &SerializeOptions,
) -> Result<Written, SerializeError> {
    let destination = Destination::File(path.to_owned());
    let root = sample.root.clone();
    serialize(sample.store.clone(), root, destination, options, silent()).await
}

/// The archive, and its ledger, of a run that nothing interrupts.
async fn whole(sample: &Sample, compression: Compression) -> (Vec<u8>, Ledger) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("whole");
    let ledger = directory.path().join("ledger");
    let checkpoint = Some(ledger.clone());
    to_file(sample, &path, &SerializeOptions { checkpoint, ..options(compression) }).await.unwrap();
    (std::fs::read(path).unwrap(), Ledger::read(&ledger).unwrap())
}

/// Offsets to interrupt at: every ledger line, its neighbours, and some in between.
fn offsets(bytes: &[u8], ledger: &Ledger) -> Vec<usize> {
    let mut all: Vec<usize> = vec![0, 1, 700, bytes.len() - 1, bytes.len()];
    for line in &ledger.lines {
        let offset = line.offset as usize;
        all.extend([offset - 1, offset, offset + 1]);
    }
    all.extend((0..bytes.len()).step_by(bytes.len() / 23));
    all.retain(|offset| *offset <= bytes.len());
    all.sort_unstable();
    all.dedup();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_ledger_every_offset_gives_the_same_archive() {
    let sample = sample().await;
    for compression in ALL {
        let (bytes, ledger) = whole(&sample, compression).await;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("archive");
        let partial = directory.path().join("archive.partial");
        for offset in offsets(&bytes, &ledger) {
            std::fs::write(&partial, &bytes[..offset]).unwrap();
            let options = SerializeOptions { resume: Resume::Auto, ..options(compression) };
            let written = to_file(&sample, &path, &options).await;
            written.unwrap_or_else(|error| panic!("{compression:?} {offset}: {}", chain(&error)));
            assert!(std::fs::read(&path).unwrap() == bytes, "{compression:?} at {offset}");
            assert!(!partial.exists());
            std::fs::remove_file(&path).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_ledger_every_line_gives_the_same_archive_and_ledger() {
    let sample = sample().await;
    for compression in ALL {
        let (bytes, ledger) = whole(&sample, compression).await;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("archive");
        let partial = directory.path().join("archive.partial");
        let checkpoint = directory.path().join("ledger");
        for count in 1..=ledger.lines.len() {
            let offset = ledger.lines[count - 1].offset as usize;
            // The medium holds more than the ledger knows of.
            let garbage = (offset + 5000).min(bytes.len());
            std::fs::write(&partial, &bytes[..garbage]).unwrap();
            write_ledger(&checkpoint, &ledger.lines[..count]);
            let options = SerializeOptions {
                resume: if count % 2 == 0 {
                    Resume::Auto
                } else {
                    // The length of the file is what an operator sees.
                    Resume::From { ledger: checkpoint.clone(), offset: garbage as u64 }
                },
                checkpoint: Some(checkpoint.clone()),
                ..options(compression)
            };
            let written = to_file(&sample, &path, &options).await;
            written.unwrap_or_else(|error| panic!("{compression:?} {count}: {}", chain(&error)));
            assert!(std::fs::read(&path).unwrap() == bytes, "{compression:?} after line {count}");
            assert_eq!(Ledger::read(&checkpoint).unwrap(), ledger, "{compression:?} {count}");
            std::fs::remove_file(&path).unwrap();
        }
    }
}

fn write_ledger(path: &Path, lines: &[airlift_tape::ledger::Line]) {
    airlift_tape::ledger::LedgerWriter::create(path, lines).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tape_is_gone_on_with_at_a_block() {
    let sample = sample().await;
    let block = 64 << 10;
    for compression in ALL {
        let run = |tape: Tape, fails, resume, ledger: Option<std::path::PathBuf>| {
            let (store, root) = (sample.store.clone(), sample.root.clone());
            async move {
                let mut drive = FakeDrive::new(&tape, block);
                drive.fails = fails;
                let destination = Destination::Device(Box::new(drive));
                let options = SerializeOptions {
                    block: Some(block),
                    resume,
                    checkpoint: ledger,
                    ..options(compression)
                };
                serialize(store, root, destination, &options, silent()).await
            }
        };
        let uncut = Tape::default();
        run(uncut.clone(), None, Resume::No, None).await.unwrap();
        assert_eq!(uncut.marks(), 1);
        assert!(uncut.block_sizes().iter().all(|size| *size as u64 == block));
        let count = uncut.block_sizes().len();
        let directory = tempfile::tempdir().unwrap();
        for fail in (0..count).step_by(3) {
            for with_ledger in [true, false] {
                let ledger = directory.path().join(format!("{fail}"));
                let ledger = with_ledger.then_some(ledger);
                let tape = Tape::default();
                let fails = Some((fail, std::io::ErrorKind::TimedOut));
                let error = run(tape.clone(), fails, Resume::No, ledger.clone()).await;
                assert!(chain(&error.unwrap_err()).contains("writing the drive failed"));
                assert_eq!(tape.bytes(), uncut.bytes()[..fail * block as usize]);
                run(tape.clone(), None, Resume::Auto, ledger).await.unwrap();
                assert!(tape.bytes() == uncut.bytes(), "{compression:?} at block {fail}");
                assert!(compression != Compression::None || tape.writes() <= count + 50);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_tape_is_continued_on_the_next_and_both_are_read_together() {
    let sample = sample().await;
    let block = 64 << 10;
    for compression in ALL {
        let directory = tempfile::tempdir().unwrap();
        let ledger = directory.path().join("ledger");
        let (first, second) = (Tape::default(), Tape::default());
        let mut drive = FakeDrive::new(&first, block);
        drive.capacity = 20;
        let options = SerializeOptions {
            block: Some(block),
            checkpoint: Some(ledger.clone()),
            ..options(compression)
        };
        let destination = Destination::Device(Box::new(drive));
        let (store, root) = (sample.store.clone(), sample.root.clone());
        let full = serialize(store, root.clone(), destination, &options, silent()).await;
        let Err(error @ SerializeError::EndOfMedium { safe, .. }) = full else {
            panic!("{full:?}");
        };
        assert_eq!(safe, 20 * block);
        assert!(error.to_string().contains("--existing-from-checkpoint"), "{error}");
        let known = Ledger::read(&ledger).unwrap();
        assert!(known.lines.iter().all(|line| line.offset <= safe) && !known.lines.is_empty());

        let mut rest = SerializeOptions { checkpoint: None, ..options };
        rest.archive.existing = known.existing(&ledger, safe + 1);
        let destination = Destination::Device(Box::new(FakeDrive::new(&second, block)));
        let written = serialize(sample.store.clone(), root, destination, &rest, silent()).await;
        assert!(!written.unwrap().omitted.is_empty());

        let sink = Arc::new(MemoryStore::new());
        let options = DeserializeOptions {
            tag: Some("in".parse().unwrap()),
            ..DeserializeOptions::default()
        };
        let error = deserialize(vec![second.medium()], sink.clone(), &options, silent()).await;
        let text = chain(&error.unwrap_err());
        assert!(text.contains("ledger") && text.contains("neither in the archive"), "{text}");
        assert!(sink.tags().await.unwrap().is_empty());
        let media = vec![first.medium(), second.medium()];
        deserialize(media, sink.clone(), &options, silent()).await.unwrap();
        let source: Arc<dyn Source> = sink;
        let walking = WalkOptions { referrers: true, ..WalkOptions::default() };
        let graph = walk(&source, sample.root.clone(), &walking).await.unwrap();
        for blob in graph.blobs() {
            source.open(blob, 0).await.unwrap().read_all().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_interrupted_behind_its_last_step_is_gone_on_with() {
    let sample = sample().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("archive");
    for compression in ALL {
        let (bytes, _) = whole(&sample, compression).await;
        let options = SerializeOptions { resume: Resume::Auto, ..options(compression) };
        std::fs::write(&path, &bytes).unwrap();
        let written = to_file(&sample, &path, &options).await.unwrap();
        assert!(written.found && written.bytes == bytes.len() as u64, "{written:?}");
        // Anything else of that name is somebody else's.
        let damaged = [&bytes[..bytes.len() - 70_000], &[bytes.as_slice(), b"x"].concat()[1..]];
        for other in damaged {
            std::fs::write(&path, other).unwrap();
            let error = to_file(&sample, &path, &options).await.unwrap_err();
            assert!(chain(&error).contains("exists already"), "{}", chain(&error));
            assert!(std::fs::read(&path).unwrap() == other);
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_this_archive_is_refused_and_kept() {
    let sample = sample().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("archive");
    let partial = directory.path().join("archive.partial");
    let ledger = directory.path().join("ledger");
    let (bytes, known) = whole(&sample, Compression::None).await;
    let refused = |resume, compression, tag: &str| {
        let mut options = SerializeOptions { resume, ..options(compression) };
        options.archive.tag = Some(tag.parse().unwrap());
        let (path, partial, sample) = (&path, &partial, &sample);
        async move {
            let before = std::fs::read(partial).unwrap();
            let error = to_file(sample, path, &options).await.unwrap_err();
            assert_eq!(std::fs::read(partial).unwrap(), before, "what is there was touched");
            assert!(!path.exists());
            chain(&error)
        }
    };
    std::fs::write(&partial, &bytes[..100_000]).unwrap();
    let text = refused(Resume::Auto, Compression::None, "sync-2").await;
    assert!(text.contains("does not hold the start of this archive"), "{text}");
    let text = refused(Resume::Auto, Compression::Zstd(3), "sync-1").await;
    assert!(text.contains("not compressed"), "{text}");
    std::fs::write(&partial, "something else entirely".repeat(100)).unwrap();
    let text = refused(Resume::Auto, Compression::None, "sync-1").await;
    assert!(text.contains("does not hold the start"), "{text}");

    std::fs::write(&partial, &bytes[..60_000]).unwrap();
    write_ledger(&ledger, &known.lines);
    let last = known.lines.last().unwrap().offset;
    let from = |offset| Resume::From { ledger: ledger.clone(), offset };
    let text = refused(from(last), Compression::None, "sync-1").await;
    assert!(text.contains("it has 60000 bytes"), "{text}");
    let mut other = known.lines.clone();
    other.swap(2, 3);
    write_ledger(&ledger, &other);
    let text = refused(from(last), Compression::None, "sync-1").await;
    assert!(text.contains("line 3") && text.contains("not of this archive"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_dropped_leaves_what_can_be_gone_on_with() {
    let sample = sample().await;
    let (bytes, _) = whole(&sample, Compression::None).await;
    let tape = Tape::default();
    let mut drive = FakeDrive::new(&tape, 10_240);
    drive.pace = std::time::Duration::from_millis(2);
    let destination = Destination::Device(Box::new(drive));
    let (store, root) = (sample.store.clone(), sample.root.clone());
    let options = SerializeOptions { block: Some(10_240), ..options(Compression::None) };
    let run = serialize(store, root, destination, &options, silent());
    let watch = async {
        while tape.writes() < 20 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = run => panic!("it ended first"),
        () = watch => {}
    }
    let written = tape.bytes();
    assert!(written.len() >= 20 * 10_240 && written.len() < bytes.len());
    assert!(bytes.starts_with(&written));
}

#[tokio::test]
async fn bad_settings_are_refused_before_anything_moves() {
    let sample = Sample::build(&[]).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("archive");
    let ledger = directory.path().join("ledger");
    std::fs::write(&ledger, "precious").unwrap();
    let base = options(Compression::None);
    let cases = [
        (SerializeOptions { block: Some(1000), ..base.clone() }, "no multiple of 512"),
        (
            SerializeOptions { block: Some(1 << 20), memory: 1 << 20, ..base.clone() },
            "less than two blocks",
        ),
        (SerializeOptions { checkpoint: Some(ledger.clone()), ..base.clone() }, "exists already"),
        (
            SerializeOptions {
                checkpoint: Some(directory.path().join("none/ledger")),
                ..base.clone()
            },
            "cannot be written",
        ),
        (
            SerializeOptions {
                resume: Resume::From { ledger: ledger.clone(), offset: 5 },
                ..base.clone()
            },
            "no whole line",
        ),
        (
            SerializeOptions { checkpoint: Some(directory.path().to_owned()), ..base },
            "is a directory",
        ),
    ];
    for (options, reason) in cases {
        let error = to_file(&sample, &path, &options).await.unwrap_err();
        assert!(chain(&error).contains(reason), "{}", chain(&error));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
    assert_eq!(std::fs::read(&ledger).unwrap(), b"precious");
    let error = Destination::at(Path::new("/dev/nst77")).err().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}

#[tokio::test]
async fn frames_end_where_the_layout_says() {
    let sample = sample().await;
    let source: Arc<dyn Source> = sample.store.clone();
    let walking = WalkOptions { referrers: true, ..WalkOptions::default() };
    let graph = walk(&source, sample.root.clone(), &walking).await.unwrap();
    let plan = Plan::new(&graph, &options(Compression::None).archive).unwrap();
    for compression in [Compression::Zstd(1), Compression::Gzip(1)] {
        let (bytes, ledger) = whole(&sample, compression).await;
        assert_eq!(
            ledger.lines.len(),
            plan.layout.placed().iter().filter(|placed| placed.entry.digest().is_some()).count()
        );
        // Up to every line the medium can be decompressed by itself.
        for line in &ledger.lines {
            let part = &bytes[..line.offset as usize];
            let length = if compression == Compression::Zstd(1) {
                zstd::decode_all(part).unwrap().len()
            } else {
                let mut all = Vec::new();
                let mut decoder = flate2::read::MultiGzDecoder::new(part);
                std::io::Read::read_to_end(&mut decoder, &mut all).unwrap()
            };
            let digest = Some(&line.descriptor.digest);
            let mut placed = plan.layout.placed().iter();
            let placed = placed.find(|placed| placed.entry.digest() == digest);
            assert!(length as u64 >= placed.unwrap().end);
        }
    }
}

#[tokio::test]
async fn a_foreign_layer_that_the_source_lacks_stays_behind() {
    use airlift_oci::store::{Hints, InMemory, Sink};
    use airlift_oci::types::{Manifest, media};
    let store = Arc::new(MemoryStore::new());
    let config = InMemory::new(media::OCI_CONFIG, "{}".into());
    store.put(&config, &Hints::default()).await.unwrap();
    let layer = airlift_oci::types::Descriptor::of("x", b"never had");
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": media::OCI_MANIFEST,
        "config": {"mediaType": media::OCI_CONFIG, "digest": layer_digest(b"{}"), "size": 2},
        "layers": [{
            "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            "digest": layer.digest, "size": layer.size, "urls": ["https://vendor.test/layer"],
        }],
    });
    let root = Manifest::parse(media::OCI_MANIFEST, manifest.to_string().into()).unwrap();
    store.put_manifest(&root, None).await.unwrap();
    let tape = Tape::default();
    let destination = Destination::Device(Box::new(FakeDrive::new(&tape, 10_240)));
    let options = options(Compression::None);
    let written = serialize(store, root.clone(), destination, &options, silent()).await.unwrap();
    assert_eq!(
        (written.blobs, written.omitted.len()),
        (0, 1),
        "the empty configuration goes in any case"
    );

    let sink = Arc::new(MemoryStore::new());
    let options =
        DeserializeOptions { tag: Some("in".parse().unwrap()), ..DeserializeOptions::default() };
    let received = deserialize(vec![tape.medium()], sink.clone(), &options, silent()).await;
    assert_eq!(received.unwrap().root, *root.digest());
    assert_eq!(sink.tags().await.unwrap().len(), 1);
}

fn layer_digest(bytes: &[u8]) -> String {
    airlift_oci::types::Digest::of(bytes).to_string()
}
