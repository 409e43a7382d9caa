//! What the fuzz targets do with a text; the quick suite does it with the corpus.

use std::io;

use airlift_oci::types::{Descriptor, media};
use airlift_rules::{KINDS, Origin, Routing, Ruleset, Selector};

/// Sources to route: with tag, without, by digest, with a port, and one that is no reference.
const SOURCES: [&str; 5] = [
    "docker.io/library/busybox:1.36.1",
    "quay.io/ceph/ceph",
    "docker.io/konstin2/maturin@sha256:a203e1071d73c6452715eb819701cb49ca18e0dcd82fe13928de2724c4f2861f",
    "localhost:5000/a/b:c",
    "oci:dir:1",
];

/// A table of every kind is read or refused, and routes or explains why not.
pub(crate) fn tables(text: &str) {
    for (kind, _) in KINDS.iter().filter(|(kind, _)| !kind.ends_with("template")) {
        route(kind, text);
    }
    let nothing = |_: &str| -> io::Result<String> { Ok(String::new()) };
    if let Ok(rules) = Ruleset::parse(&format!("nest={text}"), &nothing) {
        check(&rules);
    }
}

/// A selector is read or refused with a place in it.
pub(crate) fn selectors(text: &str) {
    match Selector::parse(text) {
        Ok(selector) => drop(selector.matches(&[("a".to_owned(), "1".to_owned())].into())),
        Err(error) => assert!((1..=text.chars().count() + 1).contains(&error.column)),
    }
}

/// A template of either kind ends.
pub(crate) fn templates(text: &str) {
    for (kind, _) in KINDS.iter().filter(|(kind, _)| kind.ends_with("template")) {
        route(kind, text);
    }
}

fn route(kind: &str, text: &str) {
    let read = |_: &str| -> io::Result<String> { Ok(text.to_owned()) };
    if let Ok(rules) = Ruleset::parse(&format!("{kind}=rules"), &read) {
        check(&rules);
    }
}

fn check(rules: &Ruleset) {
    let descriptors = SOURCES.map(|source| {
        let mut descriptor = Descriptor::of(media::OCI_MANIFEST, source.as_bytes());
        descriptor.annotations.insert(media::SOURCE.to_owned(), source.to_owned());
        descriptor
    });
    let items: Vec<Origin<'_>> = SOURCES
        .iter()
        .zip(&descriptors)
        .map(|(source, descriptor)| Origin { source, descriptor, source_index: None })
        .collect();
    let routing = Routing::plan(rules, &items);
    let rows = routing.rows(&items).count();
    assert!(rows >= items.len());
    for (position, item) in items.iter().enumerate() {
        let planned = routing.destinations(position, item).map_err(|error| error.to_string());
        if let Ok(alone) = rules.route(item) {
            assert_eq!(planned, Ok(alone));
        }
    }
}
