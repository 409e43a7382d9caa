//! What `docker save` wrote, taken for what `airlift` writes: whoever does is told what to do with it.

use airlift_oci::types::Digest;
use airlift_tests::{FaultPlan, TestRegistry, image};
use serde_json::{Value, json};

use crate::harness::Place;

/// A tar of files.
fn tar_of<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, content).expect("is a name");
    }
    builder.into_inner().expect("in memory")
}

#[test]
fn what_docker_save_wrote_without_an_index_is_named_as_a_source() {
    let place = Place::new();
    let id = "0123456789abcdef".repeat(4);
    let docker = ["ID/VERSION", "ID/json", "ID/layer.tar", "ID.json", "manifest.json"];
    let skopeo = ["ID.tar", "ID.json", "manifest.json", "repositories"];
    // As others write it, only its end tells.
    let other = ["manifest.json"];
    for names in [&docker[..], &skopeo, &other] {
        let names: Vec<String> = names.iter().map(|name| name.replace("ID", &id)).collect();
        let files = names.iter().map(|name| (name.as_str(), &b"[]"[..]));
        place.file("saved.tar", tar_of(files));
        for line in [
            "deserialize saved.tar oci:landed:1",
            "deserialize saved.tar oci:landed:1 --strict",
            "deserialize saved.tar oci:landed:1 --keep-going",
            "verify saved.tar",
        ] {
            let ended = place.airlift(line).with(1);
            ended.says("saved.tar was written by docker save").says("docker-archive:FILE:NAME");
        }
    }
}

/// An image with one layer as `docker save` writes it: before it wrote layouts, when nothing but
/// `manifest.json` named the image, or since, with an `index.json`.
fn saved(layout: bool) -> Vec<u8> {
    const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
    let described = |kind: &str, text: &str| -> Value {
        json!({"mediaType": kind, "digest": Digest::of(text.as_bytes()), "size": text.len()})
    };
    let blob = |text: &str| format!("blobs/sha256/{}", Digest::of(text.as_bytes()).hex());
    let layer = "a layer";
    let hex = Digest::of(layer.as_bytes()).hex().to_owned();
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{hex}")]},
    });
    let config = config.to_string();
    let (config_name, layer_name) = if layout {
        (blob(&config), blob(layer))
    } else {
        let id = Digest::of(config.as_bytes());
        (format!("{}.json", id.hex()), format!("{hex}/layer.tar"))
    };
    let list =
        json!([{"Config": config_name, "RepoTags": ["a/b:1"], "Layers": [layer_name]}]).to_string();
    let repositories = json!({"a/b": {"1": hex}}).to_string();
    let image = json!({
        "schemaVersion": 2, "mediaType": IMAGE,
        "config": described("application/vnd.oci.image.config.v1+json", &config),
        "layers": [described("application/vnd.oci.image.layer.v1.tar", layer)],
    });
    let image = image.to_string();
    let mut entry = described(IMAGE, &image);
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": "1"});
    let index = json!({"schemaVersion": 2, "manifests": [entry]}).to_string();
    let marker = r#"{"imageLayoutVersion":"1.0.0"}"#;
    let image_name = blob(&image);
    let mut files = vec![(layer_name.as_str(), layer), (&config_name, &config)];
    if layout {
        files.extend([(image_name.as_str(), image.as_str()), ("index.json", &index)]);
        files.push(("oci-layout", marker));
    }
    files.extend([("manifest.json", list.as_str()), ("repositories", &repositories)]);
    tar_of(files.into_iter().map(|(name, text)| (name, text.as_bytes())))
}

#[test]
fn whoever_takes_what_docker_save_wrote_for_a_gathered_archive_is_told_how_to_use_it() {
    let place = Place::new();
    place.file("old.tar", saved(false));
    place.file("new.tar", saved(true));
    for line in [
        "unarchive FILE.tar nest=a.io",
        "unarchive FILE.tar nest=a.io --check",
        "scatter docker-archive:FILE.tar nest=a.io",
        "route oci-archive:FILE.tar nest=a.io",
        "diff oci-archive:FILE.tar",
    ] {
        for file in ["old", "new"] {
            let ended = place.airlift(&line.replace("FILE", file)).with(1);
            ended.says("is no gathered index").says("docker-archive:FILE:NAME");
        }
    }
    // Read as a stream, it is what `deserialize` takes it for.
    let strictly = |file: &str| place.airlift(&format!("unarchive {file}.tar nest=a.io --strict"));
    strictly("old").with(1).says("written by docker save").says("docker-archive:FILE:NAME");
    strictly("new").with(1).says("is no gathered index").says("docker-archive:FILE:NAME");
    place.airlift("verify old.tar").with(1).says("docker-archive:FILE:NAME");
    place.airlift("serve old.tar").with(2).says("docker-archive:FILE");
}

#[test]
fn what_docker_save_wrote_is_read_where_no_gathered_index_is_needed() {
    let place = Place::new();
    place.file("old.tar", saved(false));
    place.file("new.tar", saved(true));
    for line in [
        "inspect old.tar",
        "inspect docker-archive:new.tar",
        "verify new.tar",
        "deserialize new.tar oci:landed:1 --strict",
    ] {
        place.airlift(line).with(0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn images_beside_the_one_that_is_tagged_are_told_of() {
    let place = Place::new();
    let registry = TestRegistry::start(FaultPlan::none()).await;
    let host = registry.host();
    for (number, name) in [(1, "first"), (2, "second")] {
        image::simple(number).push(registry.store(name).as_ref(), Some("1")).await;
        let spec = json!({"src": format!("{host}/{name}:1"), "dst": format!("oci:layout:{name}")});
        place.file("specs.json", spec.to_string());
        place.airlift("copy --specs specs.json").with(0);
    }
    // As others name images, which is no tag.
    let index = place.read("layout/index.json").replace("\"second\"", "\"team/second:2\"");
    place.file("layout/index.json", index);
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_dir_all(".", place.path().join("layout")).expect("reads it");
    place.file("layout.tar", tar.into_inner().expect("in memory"));
    let ended = place.airlift("deserialize layout.tar oci:landed:1").with(0);
    ended.says("the archive holds team/second:2 (sha256:").says("beside what was tagged");
    place.airlift("serialize oci:landed:1 one.tar").with(0);
    let ended = place.airlift("deserialize one.tar oci:again:1").with(0);
    assert!(!ended.err.contains("beside"), "{}", ended.err);
}
