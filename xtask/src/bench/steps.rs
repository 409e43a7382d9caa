//! The verbs of a mirror in the order in which they are measured, as a user would type them.
//!
//! ace-dt takes the same words, so both are given the same lines.

use std::fs;

use anyhow::ensure;

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

impl Sides {
    /// For what the steps are, where their words do not matter.
    pub(super) fn unknown() -> Self {
        let [low, staging, high, other, cloned, unpacked] = [const { String::new() }; 6];
        Sides { low, staging, high, other, cloned, unpacked }
    }
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
    /// The step that leaves what it needs, when one does.
    pub(super) after: Option<&'static str>,
    /// The words after the program's name.
    pub(super) words: Vec<String>,
}

/// What the bare loop does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bare {
    /// Every blob is read.
    Get,
    /// Every blob is sent, read from one file that holds them all.
    Put,
    /// Every blob is read and sent.
    GetPut,
    /// Every blob is read and written to a file, which is made durable at the end.
    GetFile,
}

/// Steps that others stand on.
const GATHER: &str = "gather";
const SERIALIZE: &str = "serialize";
const DESERIALIZE: &str = "deserialize";
const SCATTER: &str = "scatter, one registry";
const ARCHIVE: &str = "archive";

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
        let words = words.map(ToString::to_string).collect();
        Step { name, bare, file: None, after: None, words }
    };
    let after = |name, step| Step { after: Some(name), ..step };
    let writing = |file, step| Step { file: Some(file), ..step };
    let (get, put, all) = (Some(Bare::Get), Some(Bare::Put), Some(Bare::GetPut));
    let [same, other] = ["first-prefix=high.csv", "first-prefix=other.csv"];
    let [cloned, unpacked] = ["first-prefix=cloned.csv", "first-prefix=unpacked.csv"];
    vec![
        step(GATHER, all, &["gather", SOURCES, &gathered]),
        after(GATHER, step("gather again", None, &["gather", SOURCES, &gathered])),
        writing(SYNCED, after(GATHER, step(SERIALIZE, get, &["serialize", &gathered, SYNCED]))),
        after(SERIALIZE, step(DESERIALIZE, put, &["deserialize", SYNCED, &landed])),
        after(DESERIALIZE, step(SCATTER, None, &["scatter", &landed, same])),
        after(SCATTER, step("scatter again", None, &["scatter", &landed, same])),
        after(DESERIALIZE, step("scatter, other registry", all, &["scatter", &landed, other])),
        step("clone", all, &["clone", SOURCES, cloned]),
        writing(ARCHIVED, step(ARCHIVE, get, &["archive", SOURCES, ARCHIVED])),
        after(ARCHIVE, step("unarchive", put, &["unarchive", ARCHIVED, unpacked])),
    ]
}

/// Whether there are steps of these names.
pub(super) fn check(asked: &[String]) -> anyhow::Result<()> {
    let known: Vec<_> = steps(&Sides::unknown()).iter().map(|step| step.name).collect();
    for name in asked {
        let names = known.join("; ");
        ensure!(known.iter().any(|known| known == name), "no step {name}; there are: {names}");
    }
    Ok(())
}

/// Of `steps` those that are asked for, with all that they stand on; all when none is.
pub(super) fn chosen(steps: Vec<Step>, asked: &[String]) -> Vec<Step> {
    if asked.is_empty() {
        return steps;
    }
    let mut wanted: Vec<&str> = asked.iter().map(String::as_str).collect();
    for step in steps.iter().rev().filter(|step| step.after.is_some()) {
        if wanted.contains(&step.name) {
            wanted.extend(step.after);
        }
    }
    let kept = steps.iter().filter(|step| wanted.contains(&step.name));
    kept.cloned().collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_brings_what_it_stands_on() {
        let all = || steps(&Sides::unknown());
        let names = |asked: &[&str]| {
            let asked: Vec<String> = asked.iter().map(ToString::to_string).collect();
            chosen(all(), &asked).into_iter().map(|step| step.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&[]).len(), all().len());
        assert_eq!(names(&["archive"]), ["archive"]);
        assert_eq!(
            names(&["scatter again", "unarchive"]),
            [GATHER, SERIALIZE, DESERIALIZE, SCATTER, "scatter again", ARCHIVE, "unarchive"]
        );
        assert_eq!(names(&["nothing"]), [""; 0]);
    }
}
