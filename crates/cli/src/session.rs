//! What a command runs with: the configuration in force, who watches, who may interrupt.

use std::fs::File;

use anyhow::Context;

use crate::config::{Config, Environment};
use crate::global::Global;
use crate::logs;
use crate::progress::Watch;
use crate::screen::Screen;

/// The surroundings of one run.
#[derive(Debug)]
pub(crate) struct Session {
    /// What is in force.
    pub(crate) config: Config,
    /// What the process was started with.
    pub(crate) environment: Environment,
    /// Standard error.
    pub(crate) screen: Screen,
    global: Global,
}

impl Session {
    /// Reads the configuration and begins to log.
    pub(crate) fn open(global: Global, screen: &Screen) -> anyhow::Result<Self> {
        let environment = Environment::of_process();
        let config = Config::load(&global, &environment)?;
        logs::init(config.verbosity.value, config.log_format.value, screen);
        Ok(Session { config, environment, screen: screen.clone(), global })
    }

    /// Begins to show progress; it ends when the watch is dropped.
    pub(crate) fn watch(&self) -> anyhow::Result<Watch> {
        let debug = match &self.global.debug {
            Some(path) => Some(
                File::create(path)
                    .with_context(|| format!("creating {} failed", path.display()))?,
            ),
            None => None,
        };
        Ok(Watch::begin(self.config.progress.value, self.global.no_term, &self.screen, debug))
    }
}
