//! The examples of `docs/rules.md`: every rule file in it is read and does what the page says.

#![allow(clippy::unwrap_used)]

use std::io;

use airlift_oci::inventory::{Item, parse_sources};
use airlift_oci::types::{Descriptor, media};
use airlift_rules::{Ruleset, Selector};

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rules.md");
    std::fs::read_to_string(path).unwrap()
}

/// The code block that starts with `first`.
fn block<'a>(page: &'a str, first: &str) -> &'a str {
    let start = page.find(&format!("\n{first}")).unwrap() + 1;
    &page[start..start + page[start..].find("```").unwrap()]
}

fn route(kind: &str, file: &str, source: &str, labels: &[(&str, &str)]) -> Vec<String> {
    let read = |_: &str| -> io::Result<String> { Ok(file.to_owned()) };
    let rules = Ruleset::parse(&format!("{kind}=file"), &read).unwrap();
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let descriptor = Descriptor::of(media::OCI_MANIFEST, b"x");
    let item = Item::new(&descriptor, source, labels.collect(), None);
    rules.route(&item).unwrap().iter().map(|to| to.reference.to_string()).collect()
}

#[test]
fn tables() {
    let page = page();
    let table = block(&page, "# prefix, destination");
    let to = |kind, source| route(kind, table, source, &[]);
    assert_eq!(to("first-prefix", "docker.io/a/b:1"), ["secret.reg.example.com/docker.io/a/b:1"]);
    assert_eq!(to("all-prefix", "docker.io/library/b:1").len(), 2);
    assert_eq!(to("longest-prefix", "quay.io/a:1"), ["secret.reg.example.com/quay.io/a:1"]);
    let tag = block(&page, "docker.io/library/busybox:1.36,");
    assert_eq!(
        route("all-prefix", tag, "docker.io/library/busybox:1.36.1", &[]),
        ["reg.example.com/busybox:tested-1.36.1"]
    );
    let digests = block(&page, "sha256:a203");
    assert_eq!(route("digests", digests, "docker.io/a/b:1", &[]), [""; 0]);
}

#[test]
fn templates() {
    let page = page();
    let source = "docker.io/library/busybox:1.36.1";
    let expected = [
        "secret.reg.example.com/docker.io/library/busybox:1.36.1",
        "secret.reg.example.com/hub/library/busybox:1.36.1",
        "secret.reg.example.com/teams/core/library/busybox:1.36.1",
    ];
    let tera = block(&page, "secret.reg.example.com/{{ source }}");
    assert_eq!(route("template", tera, source, &[("team", "core")]), expected);
    assert_eq!(route("template", tera, "quay.io/a:1", &[]).len(), 1);
    let go = block(&page, "{{- $name");
    assert_eq!(route("go-template", go, source, &[]), expected[..2]);
}

#[test]
fn selectors() {
    let page = page();
    let sources =
        parse_sources("s", block(&page, "docker.io/library/busybox:1.36.1,team").as_bytes())
            .unwrap();
    let matching = |selector: &str| {
        let selector = Selector::parse(selector).unwrap();
        sources.iter().filter(|line| selector.matches(&line.labels)).count()
    };
    assert_eq!(matching("team=core,tier=edge"), 1);
    assert_eq!(matching("team in (core,storage)"), 2);
    assert_eq!(matching("order>5"), 1);
    let error = Selector::parse("team in core").unwrap_err().to_string();
    assert!(page.contains(&error), "{error}");
}
