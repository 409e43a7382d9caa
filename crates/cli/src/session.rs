//! What a command runs with: the configuration in force, who watches, who may interrupt.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use airlift_oci::mirror::{Ended, Executor, ExecutorOptions, Report};
use airlift_oci::observe::Observer;
use airlift_oci::registry::{Client, Kind, Settings};
use airlift_oci::store::{ErrorKind, StoreError, chain};
use airlift_oci::stores::Stores;

use crate::config::{Config, Environment};
use crate::failure::Usage;
use crate::global::Global;
use crate::logs;
use crate::progress::{Files, Waits, Watch};
use crate::screen::Screen;
use crate::whole::is_stdout;

/// Standard output, as a file of its own.
fn stdout() -> io::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

/// A file of the configuration that cannot be read is a fault of the configuration.
fn unreadable(error: StoreError) -> anyhow::Error {
    match error.kind() {
        ErrorKind::Io { .. } => Usage::new(chain(&error), "name a file that can be read").into(),
        _ => error.into(),
    }
}

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
    /// Those made for this run, whose requests the report counts.
    clients: Mutex<Vec<Client>>,
    waits: Arc<Waits>,
    /// What became of images so far.
    ended: Ended,
}

impl Session {
    /// Reads the configuration and begins to log.
    pub(crate) fn open(global: Global, screen: &Screen) -> anyhow::Result<Self> {
        let environment = Environment::of_process();
        let config = Config::load(&global, &environment)?;
        logs::init(config.verbosity.value, config.log_format.value, screen);
        Ok(Session {
            config,
            environment,
            screen: screen.clone(),
            global,
            clients: Mutex::default(),
            waits: Arc::default(),
            ended: Ended::default(),
        })
    }

    /// Begins to show progress; it ends when the watch is dropped.
    pub(crate) fn watch(&self) -> anyhow::Result<Watch> {
        let create = |path: &Option<PathBuf>| {
            let create = |path: &PathBuf| {
                let file = if is_stdout(path) { stdout() } else { File::create(path) };
                file.map_err(|error| {
                    let message = format!("creating {} failed: {error}", path.display());
                    Usage::new(message, "name a file that can be made")
                })
            };
            path.as_ref().map(create).transpose()
        };
        let (debug, trace) = (create(&self.global.debug)?, create(&self.global.trace)?);
        let (style, no_term) = (self.config.progress.value, self.global.no_term);
        let files = Files { debug, trace };
        Ok(Watch::begin(style, no_term, &self.screen, files, self.waits.clone()))
    }

    /// The stores that references lead to, by the configuration in force.
    pub(crate) fn stores(&self, observer: Arc<dyn Observer>) -> anyhow::Result<Stores> {
        self.stores_by(self.config.settings()?, observer)
    }

    /// The same by `settings`.
    pub(crate) fn stores_by(
        &self,
        settings: Settings,
        observer: Arc<dyn Observer>,
    ) -> anyhow::Result<Stores> {
        let client = Client::new(settings, observer).map_err(unreadable)?;
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).push(client.clone());
        Ok(Stores::new(client))
    }

    /// Requests sent so far, by host and kind.
    pub(crate) fn requests(&self) -> BTreeMap<String, BTreeMap<Kind, u64>> {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: BTreeMap<String, BTreeMap<Kind, u64>> = BTreeMap::new();
        for (host, kinds) in clients.iter().flat_map(Client::counts) {
            let sums = all.entry(host).or_default();
            for (kind, count) in kinds {
                *sums.entry(kind).or_default() += count;
            }
        }
        all
    }

    /// Waits so far.
    pub(crate) fn waits(&self) -> &Waits {
        &self.waits
    }

    /// The executor of a run that moves images.
    pub(crate) fn executor(&self, observer: Arc<dyn Observer>) -> Executor {
        let ended = self.ended.clone();
        let mut options = ExecutorOptions { ended, ..ExecutorOptions::default() };
        if let Some(number) = self.config.concurrent_http.value {
            let number = usize::from(number);
            options.images = options.images.min(number);
            options.blobs = options.blobs.min(2 * number);
        }
        Executor::new(options, observer)
    }

    /// One that begins so many images at once, and no more.
    pub(crate) fn executor_of(&self, images: usize, observer: Arc<dyn Observer>) -> Executor {
        let ended = self.ended.clone();
        let options = ExecutorOptions { images, all_images: images, ended, ..Default::default() };
        Executor::new(options, observer)
    }

    /// What became of images so far.
    pub(crate) fn ended(&self) -> Report {
        self.ended.report()
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
