//! `airlift proxy` as a process: settings, signals, real clients and registries.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use airlift_oci::types::Digest;
use airlift_tests::image::{self, Flavour};
use airlift_tests::{FaultPlan, TestRegistry};

use crate::harness::Place;
use crate::interop::{Distribution, installed, skopeo};

/// A proxy in a process, until it is dropped.
struct Running {
    child: Child,
    host: String,
    /// What it logs, line by line.
    logs: std::sync::mpsc::Receiver<String>,
}

impl Running {
    fn start(place: &Place, settings: &str) -> Running {
        place.file("config.yaml", settings);
        let mut command = place.command();
        command.arg("proxy").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("is piped");
        BufReader::new(output).read_line(&mut line).expect("text");
        let host = line.trim().split_once("://").expect("an address").1.to_owned();
        let (sender, logs) = std::sync::mpsc::channel();
        let errors = BufReader::new(child.stderr.take().expect("is piped")).lines();
        std::thread::spawn(move || {
            errors.map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Running { child, host, logs }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").arg(format!("-{name}")).arg(id).status();
        assert!(status.expect("kill runs").success());
    }

    /// Waits for a line of the log.
    fn logs(&self, part: &str) -> String {
        let patience = std::time::Duration::from_secs(60);
        loop {
            let line = self.logs.recv_timeout(patience).expect("it logs");
            if line.contains(part) {
                return line;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended; there is nothing to be done about it here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn settings(hot: &str, cold: &str) -> String {
    format!(
        "server: {{address: 127.0.0.1, port: 0}}\nregistry:\n  hot: {{url: 'http://{hot}'}}\n  cold: {{url: 'http://{cold}'}}\n"
    )
}

#[test]
fn settings_that_cannot_be_are_refused_with_what_was_meant() {
    let place = Place::new();
    for (text, said, hint) in [
        ("sever: {port: 1}", "bad.yaml:1:1: unknown key `sever`", "did you mean `server`?"),
        ("logging: {level: 7}", "unknown value `7`", "it can be debug, info, warn, error"),
        (
            "registry: {hot: {url: 'http://a'}}\nroutes: [{prefix: a, registries: [hott]}]",
            "unknown registry `hott`",
            "did you mean `hot`?",
        ),
        ("registry: {hot: {url: 'a.example.com'}}", "must begin with https://", ""),
        ("registry: {hot: {url: 'http://u:s3cret@a.example.com'}}", "holds credentials", ""),
        ("", "MIRROR_REGISTRY_HOT_URL", ""),
    ] {
        place.file("bad.yaml", text);
        let ended = place.airlift("proxy bad.yaml").with(2).says(said).says(hint);
        assert!(!ended.err.contains("s3cret"), "{}", ended.err);
    }
    place.airlift("proxy none.yaml").with(2).says("none.yaml");
    let mut command = place.command();
    command.args(["proxy", "--check"]).env("MIRROR_REGISTRY_HOT_ULR", "http://a");
    place.run(&mut command).with(2).says("did you mean `MIRROR_REGISTRY_HOT_URL`?");
    let mut command = place.command();
    command.args(["proxy", "--check"]).env("MIRROR_REGISTRY_HOT_URL", "http://a.example.com");
    assert_eq!(place.run(&mut command).with(0).out, "the settings can be used\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_change_the_settings_and_end_it_cleanly() {
    let (hot, cold) = (
        TestRegistry::start(FaultPlan::none()).await,
        TestRegistry::start(FaultPlan::none()).await,
    );
    image::simple(1).push(cold.store("a").as_ref(), Some("1")).await;
    let place = Place::new();
    let mut proxy = Running::start(&place, &settings(&hot.host(), &hot.host()));
    let ask = format!("gather s.list {}/g:1", cold.host());
    place.file("s.list", format!("{}/a:1\n", proxy.host));
    assert_ne!(place.airlift(&ask).code, 0);
    place.file("config.yaml", settings(&hot.host(), &cold.host()));
    proxy.signal("HUP");
    let line = proxy.logs("the settings were read again");
    assert!(line.starts_with('{') && line.ends_with('}'), "JSON: {line}");
    place.airlift(&ask).with(0);
    place.file("config.yaml", "mode: fast");
    proxy.signal("HUP");
    proxy.logs("the settings stay as they were");
    place.airlift(&ask).with(0);
    proxy.signal("TERM");
    let ended = proxy.child.wait().expect("ends");
    assert_eq!(ended.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_and_level_are_taken_and_a_new_address_is_not() {
    let hot = TestRegistry::start(FaultPlan::none()).await;
    let place = Place::new();
    let change = |more: &str| {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("makes one");
        place.file("cert.pem", made.cert.pem());
        place.file("key.pem", made.signing_key.serialize_pem());
        let server = "address: 127.0.0.1, port: 0, tls: {cert: cert.pem, key: key.pem}";
        let settings = settings(&hot.host(), &hot.host());
        let settings = settings.replace("address: 127.0.0.1, port: 0", server) + more;
        (made.cert.pem(), settings)
    };
    let (old, first) = change("logging: {level: warn}\n");
    let proxy = Running::start(&place, &first);
    let url = format!("https://{}/v2/", proxy.host.replace("127.0.0.1", "localhost"));
    let ask = async |pem: &str| {
        let trusted = reqwest::Certificate::from_pem(pem.as_bytes()).expect("is one");
        let client = reqwest::Client::builder().tls_certs_only([trusted]).build().expect("builds");
        client.get(&url).send().await.is_ok()
    };
    assert!(ask(&old).await);
    let (new, second) = change("logging: {level: info, format: console}\n");
    place.file("config.yaml", second.replace("port: 0", "port: 1"));
    proxy.signal("HUP");
    // Of what takes a restart it warns, one by one; and at this level it says that it is done.
    for said in ["server.address, server.port", "logging.format"] {
        let line = proxy.logs("takes a restart");
        assert!(line.contains(said) && line.starts_with('{'), "{line}");
    }
    proxy.logs("the settings were read again");
    assert!(ask(&new).await, "whoever connects now sees the new certificate");
    assert!(!ask(&old).await);
    place.file("key.pem", "no key");
    proxy.signal("HUP");
    proxy.logs("the settings stay as they were");
    assert!(ask(&new).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_pulls_and_pushes_through_the_proxy_with_debians_registries_behind_it() {
    if !installed("docker-registry") || !installed("skopeo") {
        return;
    }
    let (one, two, place) = (Place::new(), Place::new(), Place::new());
    let (hot, cold) = (Distribution::start(&one), Distribution::start(&two));
    let source = TestRegistry::start(FaultPlan::none()).await;
    let app = image::multi(Flavour::Docker, 1, &["linux/amd64", "linux/arm64"]);
    app.push(source.store("app").as_ref(), Some("1")).await;
    let more = "warming: {enabled: true}\npush: {registry: cold, anyone: true}\n";
    let proxy = Running::start(&place, &(settings(hot.address(), cold.address()) + more));
    let (from, through) = (source.host(), &proxy.host);
    skopeo(
        &place,
        &format!(
            "copy --quiet --all --src-tls-verify=false --dest-tls-verify=false docker://{from}/app:1 docker://{through}/team/app:1"
        ),
    );
    let at =
        |registry: &str| format!("inspect --tls-verify=false --raw docker://{registry}/team/app:1");
    let raw = skopeo(&place, &at(cold.address()));
    assert_eq!(Digest::of(raw.as_bytes()), *app.root().digest(), "pushed to the cold one");
    assert_eq!(skopeo(&place, &at(through)), raw);
    proxy.logs("copied to the first registry");
    assert_eq!(skopeo(&place, &at(hot.address())), raw, "warmed");
    skopeo(
        &place,
        &format!("copy --quiet --all --src-tls-verify=false docker://{through}/team/app:1 dir:out"),
    );
    for blob in app.blobs() {
        let file = place.path().join("out").join(blob.descriptor().digest.hex());
        assert_eq!(std::fs::read(file).expect("came"), blob.bytes());
    }
    let tags = skopeo(&place, &format!("list-tags --tls-verify=false docker://{through}/team/app"));
    assert!(tags.contains("\"1\""), "{tags}");
    let config = skopeo(
        &place,
        &format!("inspect --config --tls-verify=false docker://{through}/team/app:1"),
    );
    assert!(config.contains("linux"), "{config}");
}

#[tokio::test(flavor = "multi_thread")]
async fn podman_pulls_an_image_through_the_proxy() {
    let place = Place::new();
    let at = |name: &str| place.path().join(name).display().to_string();
    let podman = |arguments: &str| {
        let mut command = Command::new("podman");
        command.args(["--root", &at("root"), "--runroot", &at("run"), "--storage-driver", "vfs"]);
        command.args(arguments.split_whitespace()).output()
    };
    if !installed("podman") || !podman("info").is_ok_and(|output| output.status.success()) {
        skipped("podman cannot keep images here");
        return;
    }
    let (hot, cold) = (
        TestRegistry::start(FaultPlan::none()).await,
        TestRegistry::start(FaultPlan::none()).await,
    );
    let app = image::multi(Flavour::Oci, 1, &["linux/amd64", "linux/arm64"]);
    app.push(cold.store("team/app").as_ref(), Some("1")).await;
    // One by redirects, one through the proxy.
    for mode in ["redirect", "relay"] {
        let settings = settings(&hot.host(), &cold.host()) + &format!("mode: {mode}\n");
        let proxy = Running::start(&place, &settings);
        let reference = format!("{}/team/app:1", proxy.host);
        let pulled = podman(&format!("pull --quiet --tls-verify=false {reference}")).expect("runs");
        let said = String::from_utf8_lossy(&pulled.stderr);
        assert!(pulled.status.success(), "{mode}: {said}");
        let listed = podman(&format!("image exists {reference}")).expect("runs");
        assert!(listed.status.success(), "{mode}");
    }
}

#[expect(clippy::print_stdout, reason = "what was skipped must be seen")]
fn skipped(why: &str) {
    println!("skipped: {why}");
}
