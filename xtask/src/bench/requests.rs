//! How many requests each step takes, counted by registries in this process.

use std::fs;

use airlift_tests::corpus::Corpus;
use airlift_tests::{Counts, FaultPlan, TestRegistry};

use super::peers;
use super::scenario::{Bench, sides};
use super::steps;
use crate::meter::measure;

/// The requests of one step, over all registries.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) tool: &'static str,
    pub(super) step: &'static str,
    pub(super) counts: Vec<Counts>,
}

/// Counts the requests of every tool, on a small corpus of the same shape.
pub(super) fn count(bench: &Bench<'_>) -> anyhow::Result<Vec<Asked>> {
    let corpus = Corpus::tiny();
    let mut asked = Vec::new();
    for tool in &bench.tools {
        let registries: Vec<TestRegistry> = bench.runtime.block_on(async {
            let mut registries = Vec::new();
            for _ in 0..6 {
                registries.push(TestRegistry::start(FaultPlan::default()).await);
            }
            corpus.push(registries[0].storage().as_ref()).await;
            registries
        });
        let sides = sides(registries[0].host(), &|at| registries[at + 1].host());
        let images = bench.images();
        steps::write(bench.stage, &sides, &images)?;
        peers::write(bench.stage, &sides, &images)?;
        for step in steps::chosen(tool.steps(&sides), &bench.steps) {
            registries.iter().for_each(TestRegistry::reset_counts);
            bench.forget();
            let done = measure(&mut tool.command(bench.stage, &step));
            if done.is_ok() {
                let counts = registries.iter().map(TestRegistry::counts).collect();
                asked.push(Asked { tool: tool.name(), step: step.name, counts });
            }
        }
        for name in steps::ARCHIVES {
            // A tool may have failed to write it.
            let _ = fs::remove_file(bench.stage.path(name));
        }
        bench.forget();
    }
    Ok(asked)
}

impl Asked {
    /// A sum over all registries.
    pub(super) fn sum(&self, of: impl Fn(&Counts) -> u64) -> u64 {
        self.counts.iter().map(of).sum()
    }
}
