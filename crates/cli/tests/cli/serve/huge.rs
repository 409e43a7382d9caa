//! Archives larger than any disk here: files with holes, of which next to nothing may be read.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

use airlift_oci::types::{Digest, media};
use reqwest::StatusCode;

use super::Served;
use crate::harness::Place;

/// Bytes of the layer: a hole that takes minutes to read.
const HOLE: u64 = 1 << 40;

/// Appends an entry; of a hole only the length.
fn append(file: &mut File, name: &str, content: Option<&[u8]>) {
    let size = content.map_or(HOLE, |content| content.len() as u64);
    let mut header = tar::Header::new_gnu();
    header.set_path(name).expect("fits");
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    file.write_all(header.as_bytes()).expect("writes");
    file.write_all(content.unwrap_or_default()).expect("writes");
    let rest = if content.is_some() { 0 } else { size };
    let end = file.stream_position().expect("tells") + rest;
    file.seek(SeekFrom::Start(end.next_multiple_of(512))).expect("seeks");
}

/// An archive with one image, whose one layer is a hole with a few bytes at its end.
fn write(path: &std::path::Path) -> Digest {
    let layer = Digest::of(b"never read whole");
    let config = b"{}";
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": media::OCI_MANIFEST,
        "config": {"mediaType": media::OCI_CONFIG, "digest": Digest::of(config), "size": config.len()},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": HOLE}],
    })
    .to_string();
    let root = Digest::of(manifest.as_bytes());
    let index = serde_json::json!({
        "schemaVersion": 2,
        "manifests": [{
            "mediaType": media::OCI_MANIFEST, "digest": root, "size": manifest.len(),
            "annotations": {"org.opencontainers.image.ref.name": "example.com/team/huge:1"},
        }],
    })
    .to_string();
    let mut file = File::create(path).expect("makes it");
    let blob = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
    append(&mut file, "oci-layout", Some(br#"{"imageLayoutVersion":"1.0.0"}"#));
    append(&mut file, &blob(&layer), None);
    let end = file.stream_position().expect("tells");
    file.seek(SeekFrom::Start(end - 4)).expect("seeks");
    file.write_all(b"tail").expect("writes");
    append(&mut file, &blob(&Digest::of(config)), Some(config));
    append(&mut file, &blob(&root), Some(manifest.as_bytes()));
    append(&mut file, "index.json", Some(index.as_bytes()));
    file.write_all(&[0; 1024]).expect("writes");
    layer
}

#[test]
fn an_archive_of_a_tebibyte_is_served_as_soon_as_its_headers_were_read() {
    let place = Place::new();
    let layer = write(&place.path().join("huge.tar"));
    let begun = Instant::now();
    let served = Served::start(&place, "oci-archive:huge.tar");
    // Reading it whole would take minutes on any machine.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let client = reqwest::blocking::Client::new();
    let at = |path: String| format!("http://{}/v2/example.com/team/huge/{path}", served.host);
    let manifest = client.get(at("manifests/1".to_owned())).send().expect("an answer");
    assert_eq!(manifest.status(), StatusCode::OK);
    let head = client.head(at(format!("blobs/{layer}"))).send().expect("an answer");
    assert_eq!(head.headers()["content-length"], HOLE.to_string());
    let end = client.get(at(format!("blobs/{layer}"))).header("range", "bytes=-4");
    let end = end.send().expect("an answer");
    assert_eq!(end.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(end.text().expect("text"), "tail");
}
