//! The examples of the mirror guide, word for word; `docs/decisions/` says where it contradicts
//! itself and what is done instead.

#![allow(clippy::unwrap_used)]

use std::io;

use airlift_oci::types::{Descriptor, Digest, media};
use airlift_rules::{Origin, Ruleset};

const MATURIN: &str = "docker.io/konstin2/maturin";
const MATURIN_DIGEST: &str =
    "sha256:a203e1071d73c6452715eb819701cb49ca18e0dcd82fe13928de2724c4f2861f";

fn ruleset(text: &str, file: &str) -> Ruleset {
    let read = |_: &str| -> io::Result<String> { Ok(file.to_owned()) };
    Ruleset::parse(text, &read).unwrap()
}

fn route_digest(rules: &Ruleset, source: &str, digest: &str) -> Vec<String> {
    let digest: Digest = digest.parse().unwrap();
    let mut descriptor = Descriptor::new(media::OCI_MANIFEST, digest, 500);
    for key in [media::SOURCE, media::REF_NAME] {
        descriptor.annotations.insert(key.to_owned(), source.to_owned());
    }
    let origin = Origin { source, descriptor: &descriptor, source_index: None };
    rules.route(&origin).unwrap().iter().map(|to| to.reference.to_string()).collect()
}

fn route(rules: &Ruleset, source: &str) -> Vec<String> {
    route_digest(rules, source, MATURIN_DIGEST)
}

#[test]
fn all_prefix() {
    let rules = ruleset(
        "all-prefix=destfile.csv",
        "docker.io/,secret.reg.example.com/docker.io/\n\
         docker.io/,secret.froggy.example.com/docker.io/\n\
         docker.io/library/,secret.reg.example.com/docker.io/library\n",
    );
    assert_eq!(
        route(&rules, MATURIN),
        [
            "secret.reg.example.com/docker.io/konstin2/maturin",
            "secret.froggy.example.com/docker.io/konstin2/maturin"
        ]
    );
}

#[test]
fn first_prefix() {
    let rules = ruleset(
        "first-prefix=destfile.csv",
        "docker.io/,secret.reg.example.com/docker.io/\n\
         docker.io/,secret.froggy.example.com/docker.io/\n\
         docker.io/library/,secret.reg.example.com/docker.io/library\n",
    );
    assert_eq!(route(&rules, MATURIN), ["secret.reg.example.com/docker.io/konstin2/maturin"]);
}

#[test]
fn longest_prefix() {
    let rules = ruleset(
        "longest-prefix=destfile.csv",
        "docker.io/,secret.reg.example.com/docker.io/\n\
         docker.io/konstin2/,secret.froggy.example.com/docker.io/\n\
         docker.io/library/,secret.reg.example.com/docker.io/library\n",
    );
    // The guide writes .../docker.io/konstin2/maturin here, though the prefix that its table
    // replaces ends behind konstin2/.
    assert_eq!(route(&rules, MATURIN), ["secret.froggy.example.com/docker.io/maturin"]);
}

#[test]
fn digests() {
    let rules = ruleset(
        "digests=destfile.csv",
        "sha256:a203e1071d73c6452715eb819701cb49ca18e0dcd82fe13928de2724c4f2861f,secret.reg.example.com/docker.io/\n\
         sha256:4a59234a43f552820a807abafd092ccfd2786440de873e12588d9926e3216f02,secret.froggy.example.com/docker.io/\n\
         sha256:ed5262412dc05cfd143d62c7791a04bf5694ad68c0663a4b42cf0c09a2716733,secret.reg.example.com/docker.io/library\n",
    );
    let source = format!("{MATURIN}@{MATURIN_DIGEST}");
    assert_eq!(route(&rules, &source), ["secret.reg.example.com/docker.io/konstin2/maturin"]);
    let third = "sha256:ed5262412dc05cfd143d62c7791a04bf5694ad68c0663a4b42cf0c09a2716733";
    assert_eq!(
        route_digest(&rules, "quay.io/a/b:1", third),
        ["secret.reg.example.com/docker.io/library"]
    );
}

#[test]
fn nest() {
    let rules = ruleset("nest=localhost:5000", "");
    let by_digest = format!("{MATURIN}@{MATURIN_DIGEST}");
    for source in ["quay.io/ceph/ceph:v17.2", "docker.io/curlimages/curl:7.73.0", &by_digest] {
        assert_eq!(route(&rules, source), [format!("localhost:5000/{source}")]);
    }
}

#[test]
fn scatter_template() {
    let rules = ruleset(
        "go-template=scatter.tmpl",
        "{{- $annotation := index .Annotations \"org.opencontainers.image.ref.name\" -}}\n\
         localhost:5000/{{ $annotation }}\n",
    );
    for source in [
        "index.docker.io/library/busybox:1.36.1",
        "reg.git.act3-ace.com/ace/data/tool/bottle/mnist:v1.6",
    ] {
        assert_eq!(route(&rules, source), [format!("localhost:5000/{source}")]);
    }
}

/// The two-rule template without the numbers in front of its lines and with the quote it lacks.
const TWO_RULES: &str = r#"{{- $name := index .Annotations "vnd.act3-ace.manifest.source" -}}
secret.reg.example.com/{{ trimPrefix "reg.example.com/" $name -}}
{{ if hasPrefix "docker.io" $name }}
secret.reg.example.com/high/scatter/{{ trimPrefix "reg.example.com" $name -}}
{{- end -}}
"#;

#[test]
fn two_rules() {
    let rules = ruleset("go-template=destfile.tmpl", TWO_RULES);
    assert_eq!(
        route(&rules, MATURIN),
        [
            "secret.reg.example.com/docker.io/konstin2/maturin",
            "secret.reg.example.com/high/scatter/docker.io/konstin2/maturin"
        ]
    );
    assert_eq!(
        route(&rules, "quay.io/ceph/ceph:v17.2"),
        ["secret.reg.example.com/quay.io/ceph/ceph:v17.2"]
    );
}

#[test]
fn the_clone_template_keeps_tags_and_digests() {
    let first: Vec<&str> = TWO_RULES.lines().take(2).collect();
    let rules = ruleset("go-template=destfile.tmpl", &first.join("\n"));
    let by_digest = format!("{MATURIN}@{MATURIN_DIGEST}");
    for source in ["quay.io/ceph/ceph:v17.2", "docker.io/curlimages/curl:7.73.0", &by_digest] {
        assert_eq!(route(&rules, source), [format!("secret.reg.example.com/{source}")]);
    }
}

/// As printed, the template lacks a quote: refused with its place, not guessed.
#[test]
fn the_missing_quote_is_an_error_with_its_line() {
    let printed = "{{- $name := index .Annotations \"vnd.act3-ace.manifest.source -}}\n\
                   secret.reg.example.com/{{ trimPrefix \"reg.example.com/\" $name -}}\n";
    let read = |_: &str| -> io::Result<String> { Ok(printed.to_owned()) };
    let error = Ruleset::parse("go-template=destfile.tmpl", &read).unwrap_err();
    assert!(error.to_string().starts_with("destfile.tmpl:1: "), "{error}");
}
