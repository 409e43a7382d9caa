//! Archives that other programs cut, or that nobody should have written: every verb says so.

use airlift_oci::types::Digest;
use serde_json::{Value, json};

use crate::harness::Place;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// An archive in the making.
#[derive(Default)]
struct Archive(Vec<(String, tar::EntryType, Vec<u8>)>);

impl Archive {
    /// With the root that `root` describes.
    fn of(root: &Value) -> Self {
        let index = json!({"schemaVersion": 2, "manifests": [root]});
        let marker = br#"{"imageLayoutVersion":"1.0.0"}"#;
        Archive::default().entry("oci-layout", tar::EntryType::Regular, marker).entry(
            "index.json",
            tar::EntryType::Regular,
            index.to_string().as_bytes(),
        )
    }

    fn entry(mut self, name: &str, kind: tar::EntryType, bytes: &[u8]) -> Self {
        self.0.push((name.to_owned(), kind, bytes.to_vec()));
        self
    }

    fn blob(self, text: &str) -> Self {
        let name = format!("blobs/{}", Digest::of(text.as_bytes()).to_string().replace(':', "/"));
        self.entry(&name, tar::EntryType::Regular, text.as_bytes())
    }

    fn bytes(&self) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, bytes) in &self.0 {
            let mut header = tar::Header::new_ustar();
            header.set_entry_type(*kind);
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, name, &bytes[..]).expect("is written");
        }
        builder.into_inner().expect("is written")
    }
}

fn named(media_type: &str, text: &str) -> Value {
    let digest = Digest::of(text.as_bytes()).to_string();
    json!({"mediaType": media_type, "digest": digest, "size": text.len()})
}

fn image(layer: &str) -> String {
    let config = named("application/vnd.oci.image.config.v1+json", "{}");
    json!({"schemaVersion": 2, "config": config, "layers": [named("layer", layer)]}).to_string()
}

#[test]
fn inspect_shows_what_is_there_of_a_part() {
    let place = Place::new();
    let (here, gone) = (image("one"), image("two"));
    let images = [named(MANIFEST, &here), named(MANIFEST, &gone)];
    let root = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": images}).to_string();
    let part = Archive::of(&named(INDEX, &root)).blob(&here).blob("{}").blob("one");
    place.file("rest.tar", part.bytes());
    place.file("part.tar", part.blob(&root).bytes());
    let short = |text: &str| Digest::of(text.as_bytes()).short().to_string();
    let missing = format!("{} {} B MISSING", short(&gone), gone.len());
    for from in ["inspect part.tar", "inspect -"] {
        let input = std::fs::File::open(place.path().join("part.tar")).expect("opens");
        let mut command = place.command();
        let ended = place.run(command.args(from.split(' ')).stdin(input)).with(4);
        assert!(ended.out.contains(&missing), "{from}: {}", ended.out);
        assert!(ended.out.contains(&short(&here)), "{from}: {}", ended.out);
        ended.says("1 blobs and manifests").says("named and not there");
    }
    let found = place.airlift("inspect part.tar -o json").with(4).out;
    let found: Value = serde_json::from_str(&found).expect("JSON");
    assert_eq!(found["totals"]["missingBytes"], gone.len());
    // Without its root nothing can be drawn.
    place.airlift("inspect rest.tar").with(4).says("holds only part of what belongs to it");
    place.airlift("inspect oci-archive:rest.tar:no").with(1).says("hint: check the name");
}

#[test]
fn a_damaged_manifest_is_damage_to_inspect() {
    let place = Place::new();
    let image = image("one");
    let archive = Archive::of(&named(MANIFEST, &image)).blob(&image).blob("{}").blob("one");
    let mut bytes = archive.bytes();
    let at = bytes.windows(image.len()).rposition(|part| part == image.as_bytes());
    bytes[at.expect("is there") + 3] ^= 1;
    place.file("bad.tar", bytes);
    place.airlift("inspect bad.tar").with(4).says("the content is damaged: expected sha256:");
}

#[test]
fn a_manifest_that_no_registry_takes_is_never_delivered() {
    let place = Place::new();
    let mut image: Value = serde_json::from_str(&image("one")).expect("JSON");
    image["annotations"] = json!({"long": "x".repeat(5_000_000)});
    let image = image.to_string();
    let archive = Archive::of(&named(MANIFEST, &image)).blob(&image).blob("{}").blob("one");
    place.file("long.tar", archive.bytes());
    let words = "over the limit of 4 MiB";
    place.airlift("deserialize long.tar oci:out:1").with(4).says(words);
    place.airlift("deserialize long.tar oci:out:1 --keep-going").with(4).says(words);
    let verified = place.airlift("verify long.tar").with(4);
    assert!(format!("{}{}", verified.out, verified.err).contains(words), "{verified:?}");
}

#[test]
fn verify_refuses_a_layout_that_deserialize_refuses() {
    let place = Place::new();
    let image = image("one");
    for marker in [r#"{"imageLayoutVersion":"9.0.0"}"#, "none"] {
        let mut archive = Archive::of(&named(MANIFEST, &image)).blob(&image).blob("{}").blob("one");
        archive.0[0].2 = marker.as_bytes().to_vec();
        place.file("odd.tar", archive.bytes());
        place.airlift("deserialize odd.tar oci:out:1").with(4).says("oci-layout");
        let verified = place.airlift("verify odd.tar").with(4);
        assert!(verified.out.contains("oci-layout"), "{verified:?}");
    }
}

#[test]
fn what_one_reader_takes_for_a_file_is_one_to_the_other() {
    let place = Place::new();
    let image = image("one");
    let mut archive = Archive::of(&named(MANIFEST, &image)).blob(&image).blob("{}").blob("one");
    archive.0[4].1 = tar::EntryType::Continuous;
    place.file("a.tar", archive.bytes());
    place.airlift("verify a.tar").with(0);
    place.airlift("inspect a.tar").with(0);
}

#[test]
fn a_size_that_no_file_can_have_is_damage() {
    let place = Place::new();
    let image = image("one");
    let archive = Archive::of(&named(MANIFEST, &image)).blob(&image).blob("{}").blob("one");
    let mut bytes = archive.bytes();
    // The last header, in the form for large numbers.
    let at = bytes.len() - 1024 - 1024;
    let mut header = tar::Header::from_byte_slice(&bytes[at..at + 512]).clone();
    header.set_size(u64::MAX / 2);
    header.set_cksum();
    bytes[at..at + 512].copy_from_slice(header.as_bytes());
    place.file("a.tar", bytes);
    place.airlift("verify a.tar").with(4);
    place.airlift("inspect a.tar").with(4);
}
