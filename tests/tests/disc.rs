//! Block devices: what is behind the archive is not read, and a full one is an end to go on from.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use airlift_oci::observe::silent;
use airlift_oci::store::{MemoryStore, Source};
use airlift_tape::archive::ArchiveOptions;
use airlift_tape::device::Destination;
use airlift_tape::ledger::Ledger;
use airlift_tape::{
    Compression, DeserializeOptions, Medium, Resume, SerializeError, SerializeOptions,
    VerifyOptions, Written, deserialize, serialize, verify,
};
use airlift_tests::{Sample, noise};

async fn write(
    sample: &Sample,
    destination: Destination,
    options: SerializeOptions,
) -> Result<Written, SerializeError> {
    let root = sample.root.clone();
    serialize(sample.store.clone(), root, destination, &options, silent()).await
}

fn forced(compression: Compression) -> SerializeOptions {
    SerializeOptions { compression, referrers: true, force: true, ..SerializeOptions::default() }
}

async fn is_whole(media: Vec<Medium>) -> Result<usize, String> {
    let sink = Arc::new(MemoryStore::new());
    let options =
        DeserializeOptions { tag: Some("in".parse().unwrap()), ..DeserializeOptions::default() };
    let read = deserialize(media, sink.clone(), &options, silent()).await;
    read.map_err(|error| error.to_string())?;
    Ok(sink.tags().await.unwrap().len())
}

/// What a disc does, on `path`, which holds something else already.
async fn go_through(sample: &Sample, path: &Path, fill: impl Fn()) {
    let disc = || Destination::Block(path.to_owned());
    let medium = || vec![Medium::Disc(path.to_owned())];
    let text = |error: SerializeError| error.to_string();
    fill();
    let careful = SerializeOptions { force: false, ..forced(Compression::None) };
    let error = write(sample, disc(), careful.clone()).await.map_err(text).unwrap_err();
    assert!(error.contains("holds data; say --force"), "{error}");
    for compression in [Compression::None, Compression::Zstd(3), Compression::Gzip(6)] {
        fill();
        write(sample, disc(), forced(compression)).await.unwrap();
        assert_eq!(is_whole(medium()).await, Ok(2), "{compression:?}");
        let found = verify(medium(), &VerifyOptions::default(), silent()).await.unwrap();
        assert!(found.is_good(), "{compression:?}: {found:?}");
    }
    // What is there already is gone on with.
    let resumed = SerializeOptions { resume: Resume::Auto, ..forced(Compression::Gzip(6)) };
    write(sample, disc(), resumed).await.unwrap();
    assert_eq!(is_whole(medium()).await, Ok(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disc_is_read_to_the_end_mark() {
    let sample = Sample::build(&[300_000]).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let fill = || std::fs::write(file.path(), noise(40, 3 << 20)).unwrap();
    go_through(&sample, file.path(), fill).await;
}

/// A loop device; detached when dropped.
struct Loop(PathBuf);

impl Loop {
    /// Over `file`, where this system and its user can have one.
    fn over(file: &Path) -> Option<Loop> {
        let made = Command::new("losetup").args(["--find", "--show"]).arg(file).output().ok()?;
        let path = String::from_utf8(made.stdout).ok()?;
        made.status.success().then(|| Loop(path.trim().into()))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disc_that_is_full_is_gone_on_from_on_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, length: u64| {
        let path = directory.path().join(name);
        std::fs::File::create(&path).unwrap().set_len(length).unwrap();
        path
    };
    let (small, large) = (file("small", 1 << 20), file("large", 8 << 20));
    let (Some(small), Some(large)) = (Loop::over(&small), Loop::over(&large)) else {
        eprintln!("skipped: no loop device can be made here");
        return;
    };
    assert!(matches!(Destination::at(&small.0), Ok(Destination::Block(_))));
    assert!(matches!(Medium::at(&small.0), Medium::Disc(_)));
    let sample = Sample::build(&[300_000, 900_000]).await;
    let fill = || std::fs::write(&large.0, noise(41, 4 << 20)).unwrap();
    go_through(&sample, &large.0, fill).await;

    let ledger = directory.path().join("ledger");
    let options =
        SerializeOptions { checkpoint: Some(ledger.clone()), ..forced(Compression::None) };
    let full = write(&sample, Destination::Block(small.0.clone()), options).await;
    let Err(SerializeError::EndOfMedium { safe, .. }) = full else { panic!("{full:?}") };
    assert!(safe > 0 && safe <= 1 << 20);
    let existing = Ledger::read(&ledger).unwrap().existing(&ledger, safe + 1);
    assert!(!existing.is_empty());
    let archive = ArchiveOptions { existing, ..ArchiveOptions::default() };
    let rest = SerializeOptions { archive, ..forced(Compression::None) };
    write(&sample, Destination::Block(large.0.clone()), rest).await.unwrap();
    let media = vec![Medium::at(&small.0), Medium::at(&large.0)];
    assert_eq!(is_whole(media).await, Ok(2));
    assert!(is_whole(vec![Medium::at(&large.0)]).await.unwrap_err().contains("neither"));
}
