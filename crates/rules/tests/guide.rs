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
