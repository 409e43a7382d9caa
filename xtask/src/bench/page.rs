//! `docs/benchmarks.md`: medians and ratios, written from what was measured.

use std::fmt::Write as _;

use super::chart::{self, Bar, Panel};
use super::limits::Limits;
use super::peers::Tool;
use super::requests::Asked;
use super::scenario::{Figures, Scenario};
use super::steps::{Bare, Sides, Step, steps};
use crate::meter::Cost;

/// Everything that the page says.
pub(super) struct Page {
    /// How the run was called and what machine it ran on: a paragraph.
    pub(super) setting: String,
    pub(super) limits: Limits,
    /// Bytes of the distinct blobs.
    pub(super) bytes: u64,
    pub(super) tools: Vec<Tool>,
    pub(super) tables: Vec<(Scenario, Figures)>,
    pub(super) asked: Vec<Asked>,
    /// A table on growth, when one was given.
    pub(super) growth: Option<String>,
    /// The file name of the picture, beside the page.
    pub(super) picture: String,
}

impl Page {
    /// The page as text.
    pub(super) fn text(&self) -> String {
        let mut text = String::from(INTRODUCTION);
        let _ = writeln!(text, "\n{}", self.setting);
        let Limits { write, hash } = self.limits;
        let _ = writeln!(
            text,
            "\nThe machine alone writes {write:.0} MB/s to a file that is then made durable, and \
             hashes {hash:.0} MB/s on one core (SHA-256). The distinct blobs are {:.0} MB.",
            self.bytes as f64 / 1e6
        );
        let _ = writeln!(text, "\n![Seconds of every step]({})", self.picture);
        for (scenario, figures) in &self.tables {
            text += &self.table(*scenario, figures);
        }
        text += &self.requests();
        if let Some(growth) = &self.growth {
            let _ = writeln!(text, "{GROWTH}{}", growth.trim());
        }
        text
    }

    /// The picture, as SVG.
    pub(super) fn picture(&self) -> String {
        let panels = self.tables.iter().map(|(scenario, figures)| {
            let steps = names().into_iter().filter_map(|step| {
                let wall = |who| Some(Bar { who, seconds: figures.median(who, step.name)?.wall });
                let own = wall("airlift")?;
                let bare = step.bare.and_then(|way| median(figures.bare.get(&way)?.clone()));
                let bare = bare.map(|seconds| Bar { who: "bare loop", seconds });
                let others = self.tools.iter().map(|tool| tool.name());
                let others = others.filter(|name| *name != "airlift").filter_map(wall);
                let bars = [own].into_iter().chain(bare).chain(others).collect();
                Some((step.name.to_owned(), bars))
            });
            Panel { title: title(*scenario), steps: steps.collect() }
        });
        chart::svg(&panels.collect::<Vec<_>>())
    }

    fn table(&self, scenario: Scenario, figures: &Figures) -> String {
        let peers = || self.tools.iter().map(|tool| tool.name()).filter(|name| *name != "airlift");
        let mut text = format!("\n## {}\n\n", title(scenario));
        text += "| | airlift | MB/s | CPU | memory | bare loop | ratio |";
        for peer in peers() {
            let _ = write!(text, " {peer} | CPU | memory | ratio |");
        }
        text += "\n| --- |";
        text += &" --- |".repeat(6 + 4 * peers().count());
        for step in names() {
            let Some(own) = figures.median("airlift", step.name) else { continue };
            let bare = step.bare.and_then(|way| median(figures.bare.get(&way)?.clone()));
            let speed = step.bare.map(|_| self.bytes as f64 / 1e6 / own.wall);
            let _ = write!(
                text,
                "\n| {} | {:.2} s | {} | {:.1} s | {} | {} | {} |",
                step.name,
                own.wall,
                or_none(speed, "", 0),
                own.cpu,
                mib(own.peak),
                or_none(bare, " s", 2),
                or_none(bare.map(|bare| own.wall / bare), "", 2),
            );
            for peer in peers() {
                text += &other(figures, peer, step.name, own);
            }
            if step.file.is_some() {
                text += &self.beside(figures, &step, own, peers().count());
            }
        }
        text += "\n";
        for ((tool, step), why) in &figures.failures {
            let _ = writeln!(text, "\n{tool}, {step}: failed. `{}`", why.replace('`', "'"));
        }
        text
    }

    /// Beside a step that writes a file: what else can be done with one in that time.
    fn beside(&self, figures: &Figures, step: &Step, own: Cost, peers: usize) -> String {
        let mut text = String::new();
        let loops = figures.bare.get(&Bare::GetFile);
        let rows = [
            (format!("bare loop with file, for {}", step.name), loops),
            (format!("`dd` of the file of {}", step.name), figures.copies.get(step.name)),
        ];
        for (name, took) in rows {
            let Some(took) = took.cloned().and_then(median) else { continue };
            let (speed, ratio) = (self.bytes as f64 / 1e6 / took, own.wall / took);
            let _ = write!(text, "\n| *{name}* | {took:.2} s | {speed:.0} | | | | {ratio:.2} |");
            text += &" |".repeat(4 * peers);
        }
        text
    }

    fn requests(&self) -> String {
        let mut text = String::from(REQUESTS);
        for asked in &self.asked {
            let manifests = asked.sum(|counts| counts.manifest_get + counts.manifest_head);
            let uploads = |counts: &airlift_tests::Counts| {
                counts.upload_post + counts.upload_patch + counts.upload_put
            };
            let _ = write!(
                text,
                "\n| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                asked.step,
                asked.tool,
                asked.sum(airlift_tests::Counts::total),
                manifests,
                asked.sum(|counts| counts.manifest_put),
                asked.sum(|counts| counts.blob_get),
                asked.sum(|counts| counts.blob_head),
                asked.sum(uploads),
                asked.sum(|counts| counts.mount_ok + counts.mount_refused + counts.mount_failed),
            );
        }
        text + "\n"
    }
}

/// What a table and a panel are about.
fn title(scenario: Scenario) -> String {
    let line = scenario.line.map_or("loopback".to_owned(), |line| {
        let (delay, rate) = (line.round_trip.as_millis(), line.rate / 1e6);
        format!("{delay} ms round trip, {rate:.0} MB/s a connection")
    });
    format!("{line}: {}", scenario.kind.name())
}

impl Figures {
    /// The median of each figure, but the largest of the peaks.
    fn median(&self, tool: &'static str, step: &'static str) -> Option<Cost> {
        let costs = self.costs.get(&(tool, step))?;
        let of = |figure: fn(&Cost) -> f64| median(costs.iter().map(figure).collect());
        let (wall, cpu) = (of(|cost| cost.wall)?, of(|cost| cost.cpu)?);
        // A bound is kept in every round, or it is none.
        let peak = costs.iter().map(|cost| cost.peak).max()?;
        Some(Cost { wall, cpu, peak, ..Cost::default() })
    }
}

/// The cells of another tool; `own` is what ours took.
fn other(figures: &Figures, tool: &'static str, step: &'static str, own: Cost) -> String {
    figures.median(tool, step).map_or_else(
        || " – | – | – | – |".to_owned(),
        |cost| {
            let (cpu, memory) = (cost.cpu, mib(cost.peak));
            format!(" {:.2} s | {cpu:.1} s | {memory} | {:.2} |", cost.wall, own.wall / cost.wall)
        },
    )
}

/// The steps without their words.
fn names() -> Vec<Step> {
    steps(&Sides::unknown())
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.is_empty() {
        None
    } else if values.len().is_multiple_of(2) {
        Some(f64::midpoint(values[middle - 1], values[middle]))
    } else {
        Some(values[middle])
    }
}

fn or_none(value: Option<f64>, unit: &str, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}{unit}"))
}

fn mib(bytes: u64) -> String {
    format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20))
}

const INTRODUCTION: &str = "# Benchmarks

Written by `cargo xtask bench`; run it again to see these figures on another machine. Sixty images
(170 manifests, 968 mentions of 629 distinct blobs) with sizes and sharing like real ones go through
every verb; each tool in its turn, several rounds, each round beginning with another one, on
registries that are empty at the start of each. A cell is the median of the rounds. What earlier
registries held stays on the disk as empty files, and on ext4 registries lie apart, since without a
journal it slows down whoever makes files where others were removed in the last minutes.

The *bare loop* reads and sends the same blobs with 10 or 32 connections, the better of the two,
every digest known before, nothing hashed or checked: what registries and line can do at best. What
is only sent it reads from one file with all blobs. A
*ratio* is our time divided by the other's: below 1 we are faster. *CPU* is that of the tool alone,
*memory* its peak, the largest of the rounds. The tools share the machine with the registries.
Programs that copy one image at a time are run by `xargs`, four at once. `docker-registry` has the cache
that Debian's package configures, and keeps no log.

What a step writes to an archive the machine can write only so fast, so two rows stand below it, each
with its own time and the ratio of the step to it. The *bare loop with file* reads as the bare loop
does and writes what comes to one file, through the page cache, each blob at a place of its own, and
syncs it at the end. `dd` with `conv=fsync` copies the step's own file, which nobody has to send.
";

const GROWTH: &str = "
## Growth

Images of eight tiny blobs, ten times as many each time (`cargo xtask soak --only growth`).

";

const REQUESTS: &str = "
## Requests

Over all registries of the step, on a corpus of the same shape with smaller layers.

| | | all | manifests asked | manifests put | blobs read | blobs asked | uploads | mounts |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
