//! Real counterparts, where they are installed: Debian's `docker-registry` and `skopeo`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use airlift_oci::types::Digest;
use airlift_tests::image::{self, Flavour, cosign_signature, cosign_tag, sbom};
use airlift_tests::{FaultPlan, TestRegistry};

use crate::harness::Place;

/// Whether a program is there; says so when it is not.
#[expect(clippy::print_stdout, reason = "what was skipped must be seen")]
pub(crate) fn installed(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    let found = command.status().is_ok();
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

/// Debian's registry, on a port that is free, until it is dropped.
pub(crate) struct Distribution {
    child: Child,
    host: String,
}

impl Distribution {
    pub(crate) fn start(place: &Place) -> Self {
        let storage = place.path().join("storage");
        let config = format!(
            "version: 0.1\nlog: {{level: info, formatter: json}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '127.0.0.1:0'}}\n",
            storage.display()
        );
        let config = place.file("registry.yml", config);
        let mut child = Command::new("docker-registry")
            .arg("serve")
            .arg(config)
            .env("OTEL_TRACES_EXPORTER", "none")
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("starts");
        let mut lines = BufReader::new(child.stderr.take().expect("is piped")).lines();
        let host = loop {
            let line = lines.next().expect("it tells its address").expect("text");
            if let Some((_, rest)) = line.split_once("listening on ") {
                break rest.split(['"', ' ', ',']).next().expect("an address").to_owned();
            }
        };
        // What it says later must be read, or it would stand still.
        std::thread::spawn(move || lines.for_each(drop));
        Distribution { child, host }
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        &self.host
    }
}

impl Drop for Distribution {
    fn drop(&mut self) {
        // It may have ended; there is nothing to be done about it here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn skopeo(place: &Place, arguments: &str) -> String {
    let policy = place.file("policy.json", r#"{"default":[{"type":"insecureAcceptAnything"}]}"#);
    let output = Command::new("skopeo")
        .current_dir(place.path())
        .arg("--policy")
        .arg(policy)
        .args(arguments.split_whitespace())
        .output()
        .expect("starts");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "skopeo {arguments}: {text}");
    String::from_utf8(output.stdout).expect("text")
}

fn digest_of(path: &Path) -> Digest {
    Digest::of(&std::fs::read(path).expect("reads it"))
}

/// Three images on the low side, one of them with an SBOM and a signature; their sources.
async fn low() -> (TestRegistry, Vec<(String, Digest)>) {
    let low = TestRegistry::start(FaultPlan::none()).await;
    let images = [
        ("team/app", image::multi(Flavour::Oci, 1, &["linux/amd64", "linux/arm64"])),
        ("other/tool", image::multi(Flavour::Docker, 9, &["linux/amd64", "linux/arm/v7"])),
        ("one", image::simple(5)),
    ];
    let mut sources = Vec::new();
    for (repository, image) in &images {
        image.push(low.store(repository).as_ref(), Some("1")).await;
        let source = format!("{}/{repository}:1", low.host());
        sources.push((source, image.root().digest().clone()));
    }
    let app = low.store("team/app");
    sbom(images[0].1.root()).push(app.as_ref(), None).await;
    let tag = cosign_tag(images[0].1.root().digest(), "sig");
    cosign_signature(images[0].1.root()).push(app.as_ref(), Some(&tag)).await;
    (low, sources)
}

#[tokio::test(flavor = "multi_thread")]
async fn debians_registry_on_both_sides() {
    if !installed("docker-registry") || !installed("skopeo") {
        return;
    }
    let (_low, sources) = low().await;
    let place = Place::new();
    let registry = Distribution::start(&place);
    let host = &registry.host;
    let list: Vec<&str> = sources.iter().map(|(source, _)| source.as_str()).collect();
    place.file("s.list", list.join("\n"));
    place.airlift(&format!("gather s.list {host}/gather:1 -r")).with(0);
    place.airlift(&format!("serialize {host}/gather:1 a.tar -r")).with(0);
    place.airlift(&format!("deserialize a.tar {host}/landed:1")).with(0);
    place.airlift(&format!("scatter {host}/landed:1 nest={host}/m -r")).with(0).says("3 done");
    for (source, digest) in &sources {
        let arrived = format!("{host}/m/{}", source.replacen(':', "_", 1));
        let raw = skopeo(&place, &format!("inspect --tls-verify=false --raw docker://{arrived}"));
        assert_eq!(Digest::of(raw.as_bytes()), *digest, "{arrived}");
    }
    // It has no referrers API: the SBOM is found by the fallback tag, the signature by cosign's.
    let app = format!("{host}/m/{}", sources[0].0.replacen(':', "_", 1));
    let app = app.strip_suffix(":1").expect("ends so");
    let tags = skopeo(&place, &format!("list-tags --tls-verify=false docker://{app}"));
    assert!(tags.contains(&format!("\"{}\"", sources[0].1.fallback_tag())), "{tags}");
    assert!(tags.contains(&cosign_tag(&sources[0].1, "sig")), "{tags}");
}

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_reads_every_image_of_an_archive_and_its_own_are_read() {
    if !installed("skopeo") {
        return;
    }
    let (low, sources) = low().await;
    let place = Place::new();
    let list: Vec<&str> = sources.iter().map(|(source, _)| source.as_str()).collect();
    place.file("s.list", list.join("\n"));
    let host = low.host();
    place.airlift(&format!("gather s.list {host}/gather:1 -r")).with(0);
    place.airlift(&format!("serialize {host}/gather:1 a.tar -r --manifest-json")).with(0);
    // From a layout, whoever wrote it, skopeo takes manifests of OCI's types only.
    let ours = |source: &&(String, Digest)| !source.0.contains("/other/tool");
    for (number, (source, digest)) in sources.iter().filter(ours).enumerate() {
        skopeo(&place, &format!("copy --quiet --all oci-archive:a.tar:{source} dir:out-{number}"));
        assert_eq!(digest_of(&place.path().join(format!("out-{number}/manifest.json"))), *digest);
        // And back: what skopeo wrote, we read.
        skopeo(
            &place,
            &format!("copy --quiet --all oci-archive:a.tar:{source} oci-archive:s-{number}.tar:x"),
        );
        place
            .airlift(&format!("deserialize s-{number}.tar {host}/back-{number}:1"))
            .with(0)
            .says(if number == 1 { "1 manifests" } else { "3 manifests" });
        let back = format!("inspect --tls-verify=false --raw docker://{host}/back-{number}:1");
        assert_eq!(Digest::of(skopeo(&place, &back).as_bytes()), *digest);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_docker_save_writes_is_a_source() {
    if !installed("skopeo") {
        return;
    }
    let (low, sources) = low().await;
    let place = Place::new();
    let (host, (source, _)) = (low.host(), &sources[2]);
    let copy = "copy --quiet --src-tls-verify=false docker";
    skopeo(&place, &format!("{copy}://{source} docker-archive:d.tar:team/saved:3"));
    let saved = "docker-archive:d.tar:docker.io/team/saved:3";
    place.file("s.list", saved);
    place.airlift(&format!("gather s.list {host}/gather:1")).with(0).says("1 done");
    place.file("specs", format!(r#"{{"src": "{saved}", "dst": "{host}/m/saved:3"}}"#));
    place.airlift("copy --specs specs").with(0).says("1 done");
    // The configuration is the image's identity, and names the layers as they are unpacked.
    let config = |reference: &str| {
        skopeo(&place, &format!("inspect --tls-verify=false --config --raw docker://{reference}"))
    };
    assert_eq!(config(&format!("{host}/m/saved:3")), config(source));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_credential_helper_is_asked() {
    use std::os::unix::fs::PermissionsExt;

    use airlift_tests::Auth;

    let plan = FaultPlan::none().auth(Auth::basic("robot", "s3cret"));
    let registry = TestRegistry::start(plan).await;
    image::simple(1).push(registry.store("tool").as_ref(), Some("1")).await;
    let place = Place::new();
    let host = registry.host();
    let answer = format!(r#"{{"ServerURL":"{host}","Username":"robot","Secret":"s3cret"}}"#);
    let script = format!(
        "#!/bin/sh\nread server\n[ \"$1 $server\" = 'get {host}' ] || exit 1\necho '{answer}'\n"
    );
    let helper = place.file("bin/docker-credential-vault", script);
    std::fs::set_permissions(helper, std::fs::Permissions::from_mode(0o755)).expect("may run");
    place.file("home/.docker/config.json", format!(r#"{{"credHelpers":{{"{host}":"vault"}}}}"#));
    place.file("s.list", format!("{host}/tool:1\n"));
    let path = std::env::var("PATH").expect("is set");
    let path = format!("{}:{path}", place.path().join("bin").display());
    let gather = format!("gather s.list {host}/g:1");
    let mut command = place.command();
    command.env("PATH", path).args(gather.split_whitespace());
    let ended = place.run(&mut command).with(0);
    assert!(!ended.err.contains("s3cret"), "{}", ended.err);
}
