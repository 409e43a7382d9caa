//! One table: a kind of registry at the end of a line, every tool in turns, several rounds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use airlift_oci::observe;
use airlift_oci::registry::{Client, Settings};
use airlift_oci::store::{Hints, Sink as _};
use airlift_oci::types::Name;
use airlift_tests::corpus::Corpus;
use tokio::runtime::Runtime;

use super::bare::{self, Blobs, Origin, To};
use super::delay::Line;
use super::limits;
use super::peers::{self, Tool};
use super::registries::{Kind, Running};
use super::steps::{self, Bare, Sides};
use crate::meter::{Cost, measure};
use crate::stage::Stage;

/// What a benchmark works with.
pub(super) struct Bench<'a> {
    pub(super) stage: &'a Stage,
    pub(super) runtime: &'a Runtime,
    pub(super) corpus: &'a Corpus,
    pub(super) blobs: Blobs,
    pub(super) tools: Vec<Tool>,
    pub(super) rounds: usize,
    /// Rounds in which other programs take part; the first of `tools` is ours.
    pub(super) peer_rounds: usize,
    /// Where traces of our own steps go.
    pub(super) traces: Option<PathBuf>,
    /// The steps that are measured; all, when none is named.
    pub(super) steps: Vec<String>,
}

/// A kind of registry at the end of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scenario {
    pub(super) kind: Kind,
    pub(super) line: Option<Line>,
}

/// What was measured: by tool and step, one cost a round; and the bare loop.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) costs: BTreeMap<(&'static str, &'static str), Vec<Cost>>,
    pub(super) bare: BTreeMap<Bare, Vec<f64>>,
    /// Seconds in which the machine writes the file of a step of ours, by step.
    pub(super) copies: BTreeMap<&'static str, Vec<f64>>,
    /// What did not work, and why.
    pub(super) failures: BTreeMap<(&'static str, &'static str), String>,
}

/// The empty registries of a round.
const EMPTY: [&str; 5] = ["staging", "high", "other", "cloned", "unpacked"];

impl Bench<'_> {
    /// `REPOSITORY:TAG` of every image.
    pub(super) fn images(&self) -> Vec<String> {
        self.corpus.images().map(|(name, tag, _)| format!("{name}:{tag}")).collect()
    }

    /// Measures one scenario.
    pub(super) fn run(&self, scenario: Scenario) -> anyhow::Result<Figures> {
        let mut figures = Figures::default();
        let low = self.start(scenario, "low")?;
        self.runtime.block_on(self.fill(low.near()))?;
        for round in 1..=self.rounds {
            let peers = if round <= self.peer_rounds { self.tools.len() } else { 1 };
            // Each is once the first: what comes later finds a machine that has worked.
            let mut turns: Vec<_> = self.tools[..peers].iter().copied().map(Some).collect();
            turns.push(None);
            let first = (round - 1) % turns.len();
            turns.rotate_left(first);
            for turn in turns {
                println!("round {round}: {}", turn.map_or("bare loop", Tool::name));
                match turn {
                    Some(tool) => self.tool(scenario, &low, tool, &mut figures)?,
                    None => self.bare(scenario, &low, &mut figures)?,
                }
            }
        }
        drop(low);
        self.stage.retire("low")?;
        Ok(figures)
    }

    fn start(&self, scenario: Scenario, name: &str) -> anyhow::Result<Running> {
        Running::start(self.stage, self.runtime, scenario.kind, name, scenario.line)
    }

    /// Every step of one tool, on empty registries.
    fn tool(
        &self,
        scenario: Scenario,
        low: &Running,
        tool: Tool,
        figures: &mut Figures,
    ) -> anyhow::Result<()> {
        let running =
            EMPTY.map(|name| self.start(scenario, name)).into_iter().collect::<Result<Vec<_>, _>>();
        let running = running?;
        let sides = sides(low.address(), &|at| running[at].address());
        let images = self.images();
        steps::write(self.stage, &sides, &images)?;
        peers::write(self.stage, &sides, &images)?;
        for step in steps::chosen(tool.steps(&sides), &self.steps) {
            let key = (tool.name(), step.name);
            self.forget();
            let mut command = tool.command(self.stage, &step);
            if let (Tool::Airlift, Some(directory)) = (tool, &self.traces) {
                let name = step.name.replace([' ', ','], "-");
                command.arg("--trace").arg(directory.join(format!("{name}.json")));
            }
            match measure(&mut command) {
                Ok(cost) => {
                    let Cost { wall, cpu, peak, .. } = cost;
                    let peak = peak >> 20;
                    println!("  {:<24} {wall:>7.2} s {cpu:>6.2} s CPU {peak:>5} MiB", step.name);
                    figures.costs.entry(key).or_default().push(cost);
                    if let (Tool::Airlift, Some(file)) = (tool, step.file) {
                        let took = limits::copy(self.stage, file)?;
                        println!("  {:<24} {took:>7.2} s", format!("dd of {file}"));
                        figures.copies.entry(step.name).or_default().push(took);
                    }
                }
                Err(error) => {
                    println!("  {:<24} {error:#}", step.name);
                    figures.failures.insert(key, format!("{error:#}"));
                }
            }
        }
        drop(running);
        self.clean(&EMPTY)?;
        Ok(())
    }

    fn bare(&self, scenario: Scenario, low: &Running, figures: &mut Figures) -> anyhow::Result<()> {
        let (near, far) = (low.near().to_owned(), low.address());
        let steps = steps::chosen(steps::steps(&Sides::unknown()), &self.steps);
        let mut ways: BTreeSet<Bare> = steps.iter().filter_map(|step| step.bare).collect();
        ways.extend(steps.iter().filter(|step| step.file.is_some()).map(|_| Bare::GetFile));
        let path = self.stage.path("bare.file");
        let whole = self.stage.path("bare.whole");
        if ways.contains(&Bare::Put) {
            let write = bare::run(&self.blobs, Origin::Registry(&near), To::File(&whole), 10);
            self.runtime.block_on(write)?;
        }
        for way in ways {
            let mut best = f64::INFINITY;
            for connections in [10, 32] {
                let sends = matches!(way, Bare::Put | Bare::GetPut);
                let registry = if sends { Some(self.start(scenario, "bare")?) } else { None };
                let from = match way {
                    Bare::Put => Origin::File(&whole),
                    _ => Origin::Registry(&far),
                };
                let address = registry.as_ref().map(Running::address);
                let to = match &address {
                    Some(address) => To::Registry(address),
                    None if way == Bare::GetFile => To::File(&path),
                    None => To::Nothing,
                };
                let run = bare::run(&self.blobs, from, to, connections);
                best = best.min(self.runtime.block_on(run)?.as_secs_f64());
                drop(registry);
                self.clean(&["bare"])?;
                // Not every way writes it.
                let _ = fs::remove_file(&path);
            }
            println!("  {:<24} {best:>7.2} s", format!("{way:?}"));
            figures.bare.entry(way).or_default().push(best);
        }
        // Not every step needs it.
        let _ = fs::remove_file(&whole);
        Ok(())
    }

    /// Puts the corpus into a registry, each blob once.
    async fn fill(&self, address: &str) -> anyhow::Result<()> {
        println!("filling a registry");
        let client = Client::new(Settings::default(), observe::silent())?;
        let mut known: BTreeMap<_, Name> = BTreeMap::new();
        for (repository, tag, graph) in self.corpus.images() {
            let name = Name::new(address, repository.as_str())?;
            let store = client.repository(name.clone());
            for blob in graph.blobs() {
                let digest = &blob.descriptor().digest;
                let mount_from = known.get(digest).filter(|from| **from != name).cloned();
                store.put(blob, &Hints { mount_from, ..Hints::default() }).await?;
                known.entry(digest.clone()).or_insert_with(|| name.clone());
            }
            graph.push_manifests(store.as_ref(), Some(tag.as_str())).await;
        }
        Ok(())
    }

    /// Removes what a tool kept of an earlier step, which would spare it the registry.
    pub(super) fn forget(&self) {
        // It is not there before the first step.
        let _ = fs::remove_dir_all(self.stage.path("cache"));
    }

    /// Takes away what a round left.
    fn clean(&self, directories: &[&str]) -> anyhow::Result<()> {
        // Not all are there.
        self.forget();
        for name in directories.iter().filter(|name| self.stage.path(name).exists()) {
            self.stage.retire(name)?;
        }
        for name in steps::ARCHIVES {
            let _ = fs::remove_file(self.stage.path(name));
        }
        Ok(())
    }
}

/// The registries of a round: `empty` gives the address of each that is empty.
pub(super) fn sides(low: String, empty: &dyn Fn(usize) -> String) -> Sides {
    let [staging, high, other, cloned, unpacked] = [0, 1, 2, 3, 4].map(empty);
    Sides { low, staging, high, other, cloned, unpacked }
}
