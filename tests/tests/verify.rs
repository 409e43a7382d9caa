//! Damage is found wherever it is, named with what it touches; deltas are refused before a blob moves.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::sync::Arc;

use airlift_oci::observe::silent;
use airlift_oci::store::{MemoryStore, Source, chain};
use airlift_oci::types::{Digest, media};
use airlift_tape::archive::ArchiveOptions;
use airlift_tape::device::Destination;
use airlift_tape::{
    Compression, DeserializeOptions, MbufferOptions, SerializeOptions, VerifyOptions, VerifyReport,
    deserialize, mbuffer, serialize, verify,
};
use airlift_tests::{FakeDrive, Sample, Tape, in_hand, noise};

const ALL: [Compression; 3] = [Compression::None, Compression::Zstd(3), Compression::Gzip(6)];

async fn written(sample: &Sample, archive: ArchiveOptions, compression: Compression) -> Vec<u8> {
    let tape = Tape::default();
    let destination = Destination::Device(Box::new(FakeDrive::new(&tape, 10_240)));
    let options =
        SerializeOptions { archive, compression, referrers: true, ..SerializeOptions::default() };
    let root = sample.root.clone();
    serialize(sample.store.clone(), root, destination, &options, silent()).await.unwrap();
    tape.bytes()
}

fn named() -> ArchiveOptions {
    ArchiveOptions {
        tag: Some("sync-1".parse().unwrap()),
        manifest_json: true,
        ..ArchiveOptions::default()
    }
}

async fn report(media: &[&[u8]]) -> VerifyReport {
    let media = media.iter().map(|bytes| in_hand(bytes)).collect();
    verify(media, &VerifyOptions::default(), silent()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_told_with_the_image_that_needs_it() {
    let sample = Sample::build(&[70_000]).await;
    let bytes = written(&sample, named(), Compression::None).await;
    // Behind the manifests: a platform's blobs, too, belong to the image that has the platform.
    let front = bytes.len() - 300_000;
    let found = report(&[&bytes[..front]]).await;
    let of_platforms = found
        .missing
        .iter()
        .filter(|missing| missing.image.as_deref() == Some("one.example.test/team/multi:1"));
    assert!(of_platforms.count() > 0, "{:?}", found.missing);
    let lone: Vec<_> = found.missing.iter().filter(|missing| missing.image.is_none()).collect();
    // Signatures are of no image that was gathered.
    assert!(lone.len() < 4, "{lone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_archive_of_a_medium_is_held_to_its_own_transfer_list() {
    let sample = Sample::build(&[70_000]).await;
    let bytes = written(&sample, named(), Compression::None).await;
    // The first was cut behind `oci-layout`, and the next begun there: its length counts from there.
    let after_a_cut = [&bytes[..1024], &bytes].concat();
    let found = report(&[&after_a_cut]).await;
    assert!(found.is_good(), "{found:?}");
    let two = [&bytes[..], &bytes].concat();
    assert!(report(&[&two]).await.is_good());
    for position in (1536..3000).step_by(61) {
        let mut damaged = two.clone();
        damaged[position] ^= 1;
        let found = report(&[&damaged]).await;
        assert!(!found.is_good(), "a flip at {position}, in the first index.json, was not found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_is_found_wherever_it_is() {
    let sample = Sample::build(&[70_000]).await;
    for compression in ALL {
        let bytes = written(&sample, named(), compression).await;
        let good = report(&[&bytes]).await;
        assert!(good.is_good(), "{compression:?}: {good:?}");
        // A close sample where headers and documents are, then a wider one, of steps that meet
        // every position in a block.
        let dense = (0..bytes.len().min(6000)).step_by(29);
        let sparse = (6000..bytes.len()).step_by(4111);
        for position in dense.chain(sparse).chain([bytes.len() - 1]) {
            let mut damaged = bytes.clone();
            damaged[position] ^= 1 << (position % 8);
            let found = report(&[&damaged]).await;
            assert!(!found.is_good(), "{compression:?}: a flip at {position} was not found");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_is_found_wherever_it_is() {
    let sample = Sample::build(&[70_000]).await;
    for compression in ALL {
        let bytes = written(&sample, named(), compression).await;
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        for length in (0..end).step_by(9973) {
            assert!(
                !report(&[&bytes[..length]]).await.is_good(),
                "{compression:?} cut at {length}"
            );
        }
    }
}

#[tokio::test]
async fn damage_is_named_with_its_place_and_images() {
    let sample = Sample::build(&[70_000]).await;
    let mut bytes = written(&sample, named(), Compression::None).await;
    let blob = noise(10, 70_000);
    let start = bytes.windows(64).position(|window| window == &blob[..64]).unwrap();
    bytes[start + 100] ^= 1;
    let found = report(&[&bytes]).await;
    assert_eq!(found.damage.len(), 1, "{found:?}");
    let text = found.damage[0].to_string();
    assert!(text.contains(&format!("at byte {}", start - 512)), "{text}");
    assert!(text.contains("one.example.test/single:2, two.example.test:5000/twin:2"), "{text}");
    assert!(!text.contains("multi"), "{text}");
}

#[tokio::test]
async fn archives_of_ace_dt_are_good() {
    for name in ["01-plain/archive.tar", "03-recursive/archive.tar", "09-gzip/archive.tar.gz"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"));
        let path = path.join("data/ace-dt").join(format!("{name}.zst"));
        let bytes = zstd::decode_all(std::fs::File::open(path).unwrap()).unwrap();
        let found = report(&[&bytes]).await;
        assert!(found.is_good(), "{name}: {found:?}");
    }
}

#[tokio::test]
async fn a_delta_without_its_base_is_refused_before_its_first_blob() {
    let sample = Sample::build(&[70_000]).await;
    let base = written(&sample, named(), Compression::None).await;
    let known = sample.store.digests().into_iter();
    let existing = known.map(|digest| (digest, "low.example.test/gather:sync-1".to_owned()));
    let existing = existing.collect();
    let grown = Sample { root: sample.grown().await, store: sample.store.clone() };
    let tag = Some("sync-2".parse().unwrap());
    let options = ArchiveOptions { tag, existing, ..ArchiveOptions::default() };
    let delta = written(&grown, options, Compression::None).await;
    assert!(delta.len() < base.len());

    let sink = Arc::new(MemoryStore::new());
    let options =
        DeserializeOptions { tag: Some("in".parse().unwrap()), ..DeserializeOptions::default() };
    let error = deserialize(vec![in_hand(&delta)], sink.clone(), &options, silent()).await;
    let text = chain(&error.unwrap_err());
    assert!(text.contains("low.example.test/gather:sync-1"), "{text}");
    assert!(sink.digests().is_empty(), "a blob moved");

    // The base may be in another repository of the destination.
    let other = Arc::new(MemoryStore::new());
    deserialize(vec![in_hand(&base)], other.clone(), &options, silent()).await.unwrap();
    let options = DeserializeOptions { existing: vec![other], ..options };
    let received = deserialize(vec![in_hand(&delta)], sink.clone(), &options, silent()).await;
    assert_eq!(received.unwrap().root, *grown.root.digest());
    assert_eq!(sink.tags().await.unwrap().len(), 2, "the tag, and the SBOM's");

    let found = report(&[&delta]).await;
    assert!(found.is_good() && !found.omitted.is_empty(), "{found:?}");
    assert!(report(&[&base, &delta]).await.omitted.is_empty());
}

#[tokio::test]
async fn mbuffer_writes_whole_blocks_and_the_rest() {
    let bytes = noise(5, 1_000_001);
    let tape = Tape::default();
    let destination = Destination::Device(Box::new(FakeDrive::new(&tape, 65_536)));
    let options =
        MbufferOptions { block: Some(65_536), memory: 1 << 20, ..MbufferOptions::default() };
    let flow = mbuffer(&bytes[..], destination, &options, silent()).await.unwrap();
    assert_eq!(flow.written, 1_000_001);
    assert_eq!(tape.bytes(), bytes);
    let sizes = tape.block_sizes();
    assert!(sizes[..15].iter().all(|size| *size == 65_536) && sizes[15..] == [16_961]);
}

/// Another program's archive of an image whose layer is named with a size.
fn foreign(size: u64) -> Vec<u8> {
    let (config, layer) = (&b"{}"[..], &b"a layer"[..]);
    let named = |bytes: &[u8], size: u64| {
        let digest = Digest::of(bytes);
        format!(r#"{{"mediaType":"application/octet-stream","digest":"{digest}","size":{size}}}"#)
    };
    let (first, second) = (named(config, config.len() as u64), named(layer, size));
    let image = format!(r#"{{"schemaVersion":2,"config":{first},"layers":[{second}]}}"#);
    let listed = named(image.as_bytes(), image.len() as u64);
    let listed = listed.replace("application/octet-stream", media::OCI_MANIFEST);
    let mut builder = tar::Builder::new(Vec::new());
    let blob = |bytes: &[u8]| format!("blobs/sha256/{}", Digest::of(bytes).hex());
    for (name, bytes) in [
        ("oci-layout".to_owned(), &br#"{"imageLayoutVersion":"1.0.0"}"#[..]),
        // The layer before what names it: the order of other programs.
        (blob(layer), layer),
        (blob(config), config),
        (blob(image.as_bytes()), image.as_bytes()),
        (
            "index.json".to_owned(),
            format!(r#"{{"schemaVersion":2,"manifests":[{listed}]}}"#).as_bytes(),
        ),
    ] {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn content_of_another_size_than_it_is_named_with_is_damage() {
    assert!(report(&[&foreign(7)]).await.is_good());
    for size in [6, 8, u64::MAX] {
        let found = report(&[&foreign(size)]).await;
        let told = " has 7 bytes where ";
        assert!(found.damage.len() == 1 && !found.is_good(), "{:?}", found.damage);
        let reason = &found.damage[0].reason;
        assert!(reason.contains(told) && reason.ends_with(&format!(" says {size}")), "{reason}");
    }
}
