//! `examples/proxy`: everything that can be checked without a cluster.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::Place;
use crate::interop::installed;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/proxy").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(example(name)).expect(name)
}

/// Runs a program that must be content.
fn content(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
}

#[test]
fn the_settings_are_taken() {
    let place = Place::new();
    // Users are in a file beside, which is the operator's: here one with nobody the rules name.
    place.file("htpasswd", "ci:$2y$04$c42UrTsB5T9VWVDnVHR9F.VxI3eL5lCIC9z1sMdFaLt0Oh6aIvZK2\n");
    for name in ["config.yaml", "full.yaml"] {
        place.file("settings.yaml", text(name));
        place.airlift("proxy --check settings.yaml").with(0);
    }
    let map: serde_yaml::Value =
        serde_yaml::from_str(&text("kubernetes/config.yaml")).expect("YAML");
    let inner = map["data"]["config.yaml"].as_str().expect("a file");
    place.file("inner.yaml", inner);
    place.airlift("proxy --check inner.yaml").with(0);
}

#[test]
fn every_key_stands_in_the_full_example_and_in_the_page() {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/proxy.md"))
            .expect("the page");
    let value: serde_yaml::Value = serde_yaml::from_str(&text("full.yaml")).expect("YAML");
    for (section, content) in value.as_mapping().expect("a map") {
        let section = section.as_str().expect("text");
        assert!(page.contains(&format!("`{section}")), "{section} is not in the page");
        let Some(keys) = content.as_mapping().filter(|_| section != "registry") else { continue };
        for (key, _) in keys {
            let key = key.as_str().expect("text");
            let named = page.contains(&format!("`{section}.{key}`"))
                || page.lines().any(|l| {
                    l.contains(&format!("`{section}.")) && l.contains(&format!("`.{key}`"))
                });
            assert!(named, "{section}.{key} is not in the page");
        }
    }
}

/// The fields that a kind cannot do without, as its schema has them.
#[test]
fn the_manifests_have_what_their_kinds_need() {
    let load = |name: &str| -> serde_yaml::Value { serde_yaml::from_str(&text(name)).expect(name) };
    let deployment = load("kubernetes/deployment.yaml");
    assert_eq!(deployment["apiVersion"], "apps/v1");
    assert_eq!(deployment["kind"], "Deployment");
    let template = &deployment["spec"]["template"];
    assert_eq!(deployment["spec"]["selector"]["matchLabels"], template["metadata"]["labels"]);
    let pod = &template["spec"];
    let container = &pod["containers"][0];
    assert!(container["image"].is_string() && container["name"].is_string());
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/ready");
    assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/health");
    let port = &container["ports"][0];
    let (service, config) = (load("kubernetes/service.yaml"), load("kubernetes/config.yaml"));
    assert_eq!(service["spec"]["selector"], template["metadata"]["labels"]);
    assert_eq!(service["spec"]["ports"][0]["targetPort"], port["name"]);
    assert_eq!(config["metadata"]["name"], pod["volumes"][0]["configMap"]["name"]);
    assert_eq!(container["volumeMounts"][0]["name"], pod["volumes"][0]["name"]);
    let compose = load("compose.yaml");
    for name in compose["services"]["proxy"]["depends_on"].as_sequence().expect("a list") {
        assert!(compose["services"][name.as_str().expect("text")].is_mapping());
    }
    let variables = compose["services"]["proxy"]["environment"].as_mapping().expect("a map");
    let place = Place::new();
    place.file("config.yaml", text("config.yaml"));
    let mut command = place.command();
    for (name, value) in variables {
        command.env(name.as_str().expect("text"), value.as_str().expect("text"));
    }
    place.run(command.args(["proxy", "--check", "config.yaml"])).with(0);
}

#[test]
fn nginx_takes_its_file() {
    if !installed("nginx") || !installed("openssl") {
        return;
    }
    let place = Place::new();
    let (cert, key) = (place.path().join("c.pem"), place.path().join("k.pem"));
    content(
        Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-subj",
                "/CN=registry.example.com",
            ])
            .arg("-out")
            .arg(&cert)
            .arg("-keyout")
            .arg(&key),
    );
    let at = place.path().display();
    let server = text("nginx.conf")
        .replace("/etc/nginx/tls/registry.pem", &cert.display().to_string())
        .replace("/etc/nginx/tls/registry-key.pem", &key.display().to_string());
    let whole = format!(
        "pid {at}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\nclient_body_temp_path {at}/b;\n\
         proxy_temp_path {at}/p;\nfastcgi_temp_path {at}/f;\nuwsgi_temp_path {at}/u;\nscgi_temp_path {at}/s;\n{server}\n}}\n"
    );
    let file = place.file("nginx.conf", whole);
    content(Command::new("nginx").arg("-t").arg("-c").arg(file));
}

#[test]
fn caddy_takes_its_file() {
    if !installed("caddy") {
        return;
    }
    let place = Place::new();
    content(
        Command::new("caddy")
            .args(["validate", "--adapter", "caddyfile", "--config"])
            .arg(example("Caddyfile"))
            .env("HOME", place.path()),
    );
}

#[test]
fn systemd_takes_the_unit() {
    if !installed("systemd-analyze") {
        return;
    }
    let place = Place::new();
    // The program is not where packages put it, and where it is may be a name with spaces.
    let program = place.path().join("airlift");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_airlift"), &program).expect("a new name");
    let program = program.display().to_string();
    let unit = text("airlift-proxy.service").replace("/usr/bin/airlift", &program);
    let file = place.file("airlift-proxy.service", unit);
    let mut command = Command::new("systemd-analyze");
    let output = command.arg("verify").arg(&file).output().expect("starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("airlift-proxy.service:"), "{said}");
}

/// The last stage of the image, around an empty file in place of the program: what it takes to build
/// one is on the network.
#[test]
fn podman_builds_the_last_stage_of_the_image() {
    let place = Place::new();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Dockerfile");
    let whole = std::fs::read_to_string(file).expect("reads");
    let (_, last) =
        whole.split_once("FROM scratch").expect("the last stage has nothing else in it");
    let last = last.replace("COPY --from=build /out/airlift", "COPY airlift");
    place.file("Dockerfile", format!("FROM scratch{last}"));
    place.file("airlift", "");
    let podman = |words: &str| {
        let at = |name: &str| place.path().join(name).display().to_string();
        let mut command = Command::new("podman");
        command.args(["--root", &at("root"), "--runroot", &at("run"), "--storage-driver", "vfs"]);
        command.args(words.split_whitespace()).current_dir(place.path()).output()
    };
    let usable = installed("podman") && podman("info").is_ok_and(|info| info.status.success());
    if !usable {
        return;
    }
    let built = podman("build --isolation chroot --quiet --tag airlift .").expect("runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let found = podman("image inspect airlift").expect("runs").stdout;
    let found: serde_json::Value = serde_json::from_slice(&found).expect("JSON");
    let config = &found[0]["Config"];
    assert_eq!(config["User"], "65532:65532", "not root");
    assert_eq!(config["WorkingDir"], "/root");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/usr/bin/airlift"]));
    assert_eq!(config["Cmd"], serde_json::json!(["proxy"]));
    assert_eq!(config["StopSignal"], "SIGTERM");
}
