//! What ace-dt's scatter does with real rulesets, and where we differ on purpose.
//!
//! `docs/decisions/rulesets-and-ace-dt.md` gives the reason for every exception below.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use airlift_oci::inventory::{Inventory, Item, parse_sources};
use airlift_oci::types::{Manifest, media};
use airlift_rules::{Routing, Ruleset, Selectors, subset};
use serde::Deserialize;

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(rename = "case")]
    name: String,
    gathered: String,
    ruleset: String,
    flags: Vec<String>,
    exit: i32,
    #[serde(default)]
    sent: BTreeSet<(String, String)>,
}

/// What a run does: pairs of source and destination, or why nothing is moved at all.
type Outcome = Result<BTreeSet<(String, String)>, String>;

/// Where we differ.
enum Exception {
    /// ace-dt fails; we send these, as source and destination.
    Sends(&'static [(&'static str, &'static str)]),
    /// ace-dt fails in the middle; we send something from every one of so many sources.
    Works(usize),
    /// ace-dt sends; we refuse with a message that holds this.
    Refuses(&'static str),
}

use Exception::{Refuses, Sends, Works};

const APP000: &str = "alpha.example.test/library/app000:v1.0";
const APP004: &str = "alpha.example.test/library/app004:v5.4";

const EXCEPTIONS: &[(&str, Exception)] = &[
    (
        "nest-source-with-port",
        Sends(&[(
            "beta.example.test:5000/edge/twin:1",
            "one.example.test/beta.example.test_5000/edge/twin:1",
        )]),
    ),
    (
        "all-space-after-comma",
        Sends(&[
            (APP000, "one.example.test/lib/app000:v1.0"),
            (APP004, "one.example.test/lib/app004:v5.4"),
        ]),
    ),
    (
        "all-indented-comment",
        Sends(&[
            (APP000, "one.example.test/lib/app000:v1.0"),
            (APP004, "one.example.test/lib/app004:v5.4"),
        ]),
    ),
    ("all-collision", Refuses("one.example.test/same:1 is claimed by 2 items")),
    (
        "longest-no-match",
        Sends(&[
            (APP000, "one.example.test/lib/app000:v1.0"),
            (APP004, "one.example.test/lib/app004:v5.4"),
        ]),
    ),
    ("digests-slash", Sends(&[(APP000, "one.example.test/docker/library/app000:v1.0")])),
    ("template-blank-output", Sends(&[])),
    ("template-blank-line-between", Works(11)),
    ("template-indented-second", Works(11)),
    ("template-crlf", Works(11)),
    (
        "selector-comma",
        Sends(&[(
            "beta.example.test/edge/nested:1",
            "one.example.test/beta.example.test/edge/nested:1",
        )]),
    ),
    (
        "selector-in-unquoted",
        Sends(&[
            (APP000, "one.example.test/alpha.example.test/library/app000:v1.0"),
            (
                "alpha.example.test/vendor/x/app003:v4.3",
                "one.example.test/alpha.example.test/vendor/x/app003:v4.3",
            ),
        ]),
    ),
    ("subset", Refuses("not.example.test/x:1")),
    ("subset-empty", Refuses("names no source")),
];

fn data(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/ace-dt")).join(name)
}

fn read(name: &str) -> io::Result<String> {
    std::fs::read_to_string(data(name))
}

fn run(case: &Case) -> Outcome {
    let text = |error: &dyn std::error::Error| error.to_string();
    let raw = std::fs::read(data(&format!("gathered-{}.json", case.gathered))).unwrap();
    let manifest = Manifest::parse(media::OCI_INDEX, raw.into()).unwrap();
    let mut items = Inventory::read(&manifest).unwrap().items;
    let rules = Ruleset::parse(&case.ruleset, &read).map_err(|error| text(&error))?;
    let flags = |flag: &str| -> Vec<&String> {
        case.flags.chunks(2).filter(|pair| pair[0] == flag).map(|pair| &pair[1]).collect()
    };
    let selectors = Selectors::parse(&flags("-l")).map_err(|error| text(&error))?;
    if let Some(list) = flags("--subset").first() {
        let lines = parse_sources(list, read(list).unwrap().as_bytes()).unwrap();
        let wanted: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        let kept = subset(&items, &wanted).map_err(|error| text(&error))?;
        items = kept.into_iter().map(|at| items[at].clone()).collect();
    }
    items.retain(|item| selectors.matches(&item.labels));
    let routing = Routing::plan(&rules, &items);
    routing.check().map_err(|error| text(&error))?;
    let pairs = |(at, item): (usize, &Item)| {
        let source = item.source.clone();
        let to = routing.destinations(at, item).unwrap();
        to.into_iter().map(move |to| (source.clone(), to.reference.to_string()))
    };
    Ok(items.iter().enumerate().flat_map(pairs).collect())
}

fn judge(case: &Case) -> Result<(), String> {
    let outcome = run(case);
    let exception = EXCEPTIONS.iter().find(|(name, _)| *name == case.name);
    let good = match (&outcome, exception.map(|(_, exception)| exception)) {
        (Ok(sent), None) => case.exit == 0 && *sent == case.sent,
        (Err(_), None) => case.exit != 0,
        (Ok(sent), Some(Sends(expected))) => {
            let own = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
            *sent == expected.iter().map(own).collect()
        }
        (Ok(sent), Some(Works(count))) => {
            sent.iter().map(|(source, _)| source).collect::<BTreeSet<_>>().len() == *count
        }
        (Err(error), Some(Refuses(part))) => case.exit == 0 && error.contains(part),
        _ => false,
    };
    if good { Ok(()) } else { Err(format!("{}: {outcome:#?}", case.name)) }
}

#[test]
fn rulesets_do_what_ace_dt_does_or_are_a_listed_exception() {
    let cases: Cases = serde_json::from_str(&read("cases.json").unwrap()).unwrap();
    let wrong: Vec<String> = cases.cases.iter().filter_map(|case| judge(case).err()).collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    for (name, _) in EXCEPTIONS {
        assert!(cases.cases.iter().any(|case| case.name == *name), "{name} is no case");
    }
    assert!(cases.cases.len() > 60, "{} cases", cases.cases.len());
}
