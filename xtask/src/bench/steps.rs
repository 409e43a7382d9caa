//! The verbs of a mirror in the order in which they are measured, as a user would type them.
//!
//! ace-dt takes the same words, so both are given the same lines.

use std::fs;

use crate::stage::Stage;

/// The registries of one round, by address.
#[derive(Debug, Clone)]
pub(super) struct Sides {
    /// Holds the images.
    pub(super) low: String,
    /// Empty: for what is gathered.
    pub(super) staging: String,
    /// Empty: for what has crossed the gap, and for scattering within one registry.
    pub(super) high: String,
    /// Empty: for scattering to another registry.
    pub(super) other: String,
    /// Empty: for cloning.
    pub(super) cloned: String,
    /// Empty: for unarchiving.
    pub(super) unpacked: String,
}

/// One run of a verb.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// What it is called in tables.
    pub(super) name: &'static str,
    /// What the bare loop has to do for the same.
    pub(super) bare: Option<Bare>,
    /// The file that it writes, which the machine can write only so fast.
    pub(super) file: Option<&'static str>,
    /// The words after the program's name.
    pub(super) words: Vec<String>,
}

/// What the bare loop does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bare {
    /// Every blob is read.
    Get,
    /// Every blob is sent, having been read from beside the line.
    Put,
    /// Every blob is read and sent.
    GetPut,
}

/// The file with the sources.
pub(super) const SOURCES: &str = "sources.list";
/// The archives that steps write.
const SYNCED: &str = "sync.tar";
const ARCHIVED: &str = "archive.tar";
pub(super) const ARCHIVES: [&str; 2] = [SYNCED, ARCHIVED];

/// Every step, each on what those before it left.
pub(super) fn steps(sides: &Sides) -> Vec<Step> {
    let gathered = format!("{}/gather:sync", sides.staging);
    let landed = format!("{}/landed:sync", sides.high);
    let step = |name, bare, words: &[&str]| {
        let words = ["mirror"].iter().chain(words).chain(&["--quiet"]);
        Step { name, bare, file: None, words: words.map(ToString::to_string).collect() }
    };
    let writing = |file, step| Step { file: Some(file), ..step };
    let (get, put, all) = (Some(Bare::Get), Some(Bare::Put), Some(Bare::GetPut));
    let [same, other] = ["first-prefix=high.csv", "first-prefix=other.csv"];
    let [cloned, unpacked] = ["first-prefix=cloned.csv", "first-prefix=unpacked.csv"];
    vec![
        step("gather", all, &["gather", SOURCES, &gathered]),
        step("gather again", None, &["gather", SOURCES, &gathered]),
        writing(SYNCED, step("serialize", get, &["serialize", &gathered, SYNCED])),
        step("deserialize", put, &["deserialize", SYNCED, &landed]),
        step("scatter, one registry", None, &["scatter", &landed, same]),
        step("scatter again", None, &["scatter", &landed, same]),
        step("scatter, other registry", all, &["scatter", &landed, other]),
        step("clone", all, &["clone", SOURCES, cloned]),
        writing(ARCHIVED, step("archive", get, &["archive", SOURCES, ARCHIVED])),
        step("unarchive", put, &["unarchive", ARCHIVED, unpacked]),
    ]
}

/// Writes the rules that the steps name, and the list of the sources `images` of the low side.
pub(super) fn write(stage: &Stage, sides: &Sides, images: &[String]) -> anyhow::Result<()> {
    let low = &sides.low;
    let to = [
        ("high.csv", &sides.high),
        ("other.csv", &sides.other),
        ("cloned.csv", &sides.cloned),
        ("unpacked.csv", &sides.unpacked),
    ];
    for (file, address) in to {
        fs::write(stage.path(file), format!("{low}/,{address}/mirror/\n"))?;
    }
    let lines: Vec<String> = images.iter().map(|image| format!("{low}/{image}")).collect();
    Ok(fs::write(stage.path(SOURCES), lines.join("\n"))?)
}
