//! What a command runs with: the configuration in force, who watches, who may interrupt.

use std::fs::File;
use std::sync::Arc;

use airlift_oci::mirror::{Executor, ExecutorOptions};
use airlift_oci::observe::Observer;
use airlift_oci::registry::Client;
use airlift_oci::stores::Stores;
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
    screen: Screen,
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

    /// The stores that references lead to, by the configuration in force.
    pub(crate) fn stores(&self, observer: Arc<dyn Observer>) -> anyhow::Result<Stores> {
        Ok(Stores::new(Client::new(self.config.settings()?, observer)?))
    }

    /// The executor of a run that moves images.
    pub(crate) fn executor(&self, observer: Arc<dyn Observer>) -> Executor {
        let mut options = ExecutorOptions::default();
        if let Some(number) = self.config.concurrent_http.value {
            let number = usize::from(number);
            options.images = options.images.min(number);
            options.blobs = options.blobs.min(2 * number);
        }
        Executor::new(options, observer)
    }

    /// Tells the operator what went wrong, whatever was asked for.
    pub(crate) fn complain(&self, text: &str) {
        self.screen.line(&format!("error: {text}"));
    }

    /// Tells the operator what to do about what went wrong.
    pub(crate) fn advise(&self, text: &str) {
        self.screen.line(&format!("hint: {text}"));
    }

    /// Tells the operator something, unless silence was asked for.
    pub(crate) fn say(&self, text: &str) {
        if !self.global.quiet {
            self.screen.line(text);
        }
    }
}
