//! `docs/from-ace-dt.md` against the parser: every documented command line is one.

use std::collections::BTreeSet;

use crate::cli::definition;

const PAGE: &str = include_str!("../../../docs/from-ace-dt.md");

/// Every command of ace-dt's group, as its own help lists them.
const COMMANDS: [&str; 10] = [
    "archive",
    "batch-deserialize",
    "batch-serialize",
    "clone",
    "deserialize",
    "diff",
    "gather",
    "scatter",
    "serialize",
    "unarchive",
];

/// The texts in back ticks of the tables' first two columns.
fn lines() -> Vec<(String, String)> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `ace-dt mirror"));
    let cell = |cell: &str| cell.trim().trim_matches('`').to_owned();
    let row = |row: &str| {
        let mut cells = row.trim_matches('|').split(" | ").map(cell);
        (cells.next().expect("a first column"), cells.next().expect("a second column"))
    };
    rows.map(row).collect()
}

fn parses(line: &str) {
    if let Err(error) = definition().try_get_matches_from(line.split_whitespace()) {
        panic!("{line}\n{error}");
    }
}

#[test]
fn every_documented_line_parses_in_both_spellings() {
    for (theirs, ours) in lines() {
        parses(&ours);
        parses(&theirs.replacen("ace-dt", "airlift", 1));
    }
}

#[test]
fn every_command_and_every_flag_of_ace_dt_stands_on_the_page() {
    let lines = lines();
    let theirs: Vec<&str> = lines.iter().map(|(theirs, _)| theirs.as_str()).collect();
    let commands: BTreeSet<&str> =
        theirs.iter().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(commands, BTreeSet::from(COMMANDS));
    let of = |command: &str| -> Vec<&str> {
        let named = |line: &&&str| line.split(' ').nth(2) == Some(command);
        theirs.iter().filter(named).flat_map(|line| line.split(' ')).collect()
    };
    for (command, flags) in [
        ("gather", &["--index-fallback", "--annotations", "-p", "-r"][..]),
        (
            "serialize",
            &[
                "-b",
                "-m",
                "--hwm",
                "--checkpoint",
                "--existing-from-checkpoint",
                "--manifest-json",
                "--compression",
            ],
        ),
        ("deserialize", &["--strict", "--block-size"]),
        ("scatter", &["--check", "--subset", "-l"]),
        ("clone", &["--check", "--continue", "-p", "-l"]),
        (
            "archive",
            &[
                "-a",
                "-p",
                "-b",
                "-m",
                "--hwm",
                "--checkpoint",
                "--existing-from-checkpoint",
                "--compression",
                "--index-fallback",
                "--manifest-json",
                "--reference",
            ],
        ),
        ("unarchive", &["--check", "--subset", "-l", "--strict", "--block-size", "--reference"]),
        ("batch-serialize", &["--tracker-filename", "--manifest-json", "--compression"]),
        ("batch-deserialize", &["--sync-filename"]),
        ("diff", &["-o", "--expand"]),
    ] {
        for flag in flags {
            assert!(of(command).contains(flag), "{command} {flag} is not on the page");
        }
    }
}
