//! The layers of the design, read from the names that sources mention.
//!
//! Between crates: `cli → {tape, rules, serve} → oci`. Inside `oci`, a module may mention only
//! those that stand before it in [`OCI`].

use super::Source;

/// Which of our crates each may mention.
const CRATES: [(&str, &[&str]); 5] = [
    ("crates/oci/", &[]),
    ("crates/tape/", &["airlift_oci"]),
    ("crates/rules/", &["airlift_oci"]),
    ("crates/serve/", &["airlift_oci"]),
    (
        "crates/cli/",
        &["airlift_oci", "airlift_tape", "airlift_rules", "airlift_serve", "airlift_tests"],
    ),
];

/// The modules of `oci` in their order.
const OCI: [&str; 8] =
    ["types", "observe", "inventory", "store", "registry", "graph", "stores", "mirror"];

/// A fault for each line that mentions what it must not know.
pub(super) fn faults(source: &Source) -> Vec<String> {
    let mut faults = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        if let Some(name) = foreign_crate(&source.path, code) {
            faults.push(format!("{}:{}: must not know {name}", source.path, index + 1));
        }
        if let Some(name) = later_module(&source.path, code) {
            let own = own_module(&source.path).unwrap_or_default();
            faults.push(format!("{}:{}: {own} stands before {name}", source.path, index + 1));
        }
    }
    faults
}

fn foreign_crate<'a>(path: &str, code: &'a str) -> Option<&'a str> {
    let (prefix, allowed) = CRATES.iter().find(|(prefix, _)| path.starts_with(prefix))?;
    let own = short(prefix);
    mentions(code, "airlift_", 0).find(|name| {
        let crate_name = name.strip_prefix("airlift_").unwrap_or_default();
        let known = CRATES.iter().any(|(prefix, _)| crate_name == short(prefix));
        (known || crate_name == "tests") && crate_name != own && !allowed.contains(name)
    })
}

/// `oci` of `crates/oci/`.
fn short(prefix: &str) -> &str {
    prefix.trim_start_matches("crates/").trim_end_matches('/')
}

fn later_module<'a>(path: &str, code: &'a str) -> Option<&'a str> {
    let own = position(own_module(path)?)?;
    let paths = mentions(code, "crate::", "crate::".len());
    let grouped = code.split_once("use crate::{").map(|(_, list)| list).into_iter();
    paths
        .chain(
            grouped
                .flat_map(|list| list.split([',', '{', '}', ' ']))
                .filter_map(|name| name.split("::").next()),
        )
        .find(|name| position(name).is_some_and(|other| other > own))
}

/// The module of `oci` that a file belongs to.
fn own_module(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("crates/oci/src/")?;
    rest.split(['/', '.']).next()
}

fn position(name: &str) -> Option<usize> {
    OCI.iter().position(|module| *module == name)
}

/// The identifiers in `code` that begin `skip` bytes after each `marker`.
fn mentions<'a>(code: &'a str, marker: &'a str, skip: usize) -> impl Iterator<Item = &'a str> {
    code.match_indices(marker).map(move |(start, _)| {
        let rest = &code[start + skip..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    })
}

#[cfg(test)]
mod tests {
    use super::{Source, faults};

    fn found(path: &str, text: &str) -> usize {
        faults(&Source { path: path.to_owned(), text: text.to_owned() }).len()
    }

    #[test]
    fn crates_know_only_those_below_them() {
        assert_eq!(found("crates/tape/src/a.rs", "use airlift_oci::types;"), 0);
        assert_eq!(found("crates/tape/src/a.rs", "use airlift_rules::Ruleset;"), 1);
        assert_eq!(found("crates/rules/src/a.rs", "let x = airlift_tape::y();"), 1);
        assert_eq!(found("crates/oci/src/types/a.rs", "use airlift_serve::x;"), 1);
        assert_eq!(found("crates/rules/tests/a.rs", "use airlift_rules::Ruleset;"), 0);
        assert_eq!(found("crates/cli/src/a.rs", "use airlift_tape::x;"), 0);
        assert_eq!(found("crates/oci/src/types/a.rs", "// as airlift_serve does"), 0);
    }

    #[test]
    fn modules_know_only_those_before_them() {
        assert_eq!(found("crates/oci/src/store/a.rs", "use crate::types::Digest;"), 0);
        assert_eq!(found("crates/oci/src/store/a.rs", "use crate::mirror::Plan;"), 1);
        assert_eq!(found("crates/oci/src/store/a.rs", "use crate::{types::X, graph::walk};"), 1);
        assert_eq!(found("crates/oci/src/mirror/a.rs", "use crate::{types::X, graph::walk};"), 0);
        assert_eq!(found("crates/oci/src/types.rs", "fn f(x: &crate::store::Blob) {}"), 1);
    }
}
