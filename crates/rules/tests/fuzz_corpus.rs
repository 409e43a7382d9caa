//! The fuzz targets over their corpus of regressions.

#![allow(clippy::unwrap_used)]

use std::path::Path;

#[path = "../fuzz/bodies.rs"]
mod bodies;

fn each(target: &str, body: fn(&str)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        body(&std::fs::read_to_string(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "no corpus for {target}");
}

#[test]
fn tables() {
    each("tables", bodies::tables);
}

#[test]
fn selectors() {
    each("selectors", bodies::selectors);
}

#[test]
fn templates() {
    each("templates", bodies::templates);
}
