//! The observer of a run, and the thread that shows what it counted.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use airlift_oci::observe::{Event, Observer};

use super::trace::Trace;
use super::{Counts, View, Waits, json, view};
use crate::global::ProgressStyle;
use crate::screen::Screen;

/// How often a view may change.
const PERIOD: Duration = Duration::from_millis(200);

/// Watches a run: takes its events and shows them until it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    observer: Arc<Feed>,
    ticker: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
}

/// Takes events in.
#[derive(Debug)]
struct Feed {
    counts: Arc<Counts>,
    screen: Screen,
    style: ProgressStyle,
    debug: Option<Mutex<BufWriter<File>>>,
    trace: Option<Trace>,
    waits: Arc<Waits>,
    /// Why the file with the events is not complete.
    failed: OnceLock<io::Error>,
}

/// What is written beside what is shown.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// Gets every event as a JSON line.
    pub(crate) debug: Option<File>,
    /// Gets a trace.
    pub(crate) trace: Option<File>,
}

impl Watch {
    /// Begins to watch. `waits` takes in why the run waits.
    pub(crate) fn begin(
        style: ProgressStyle,
        no_term: bool,
        screen: &Screen,
        files: Files,
        waits: Arc<Waits>,
    ) -> Self {
        let counts = Arc::new(Counts::default());
        let terminal = Screen::is_terminal() && !no_term;
        let style =
            if no_term && style == ProgressStyle::Bar { ProgressStyle::Auto } else { style };
        let ticker = view(style, terminal, screen).map(|view| tick(view, Arc::clone(&counts)));
        let debug = files.debug.map(|file| Mutex::new(BufWriter::new(file)));
        let trace = files.trace.map(Trace::new);
        let screen = screen.clone();
        let observer =
            Arc::new(Feed { counts, screen, style, debug, trace, waits, failed: OnceLock::new() });
        Watch { observer, ticker }
    }

    /// What the libraries report to.
    pub(crate) fn observer(&self) -> Arc<dyn Observer> {
        Arc::clone(&self.observer) as Arc<dyn Observer>
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.ticker.take() {
            drop(stop);
            // A view that panicked has shown what it could.
            let _ = thread.join();
        }
    }
}

fn tick(mut view: Box<dyn View>, counts: Arc<Counts>) -> (mpsc::Sender<()>, JoinHandle<()>) {
    let (stop, stopped) = mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        while stopped.recv_timeout(PERIOD) == Err(mpsc::RecvTimeoutError::Timeout) {
            view.show(&counts.read(Instant::now()), false);
        }
        view.show(&counts.read(Instant::now()), true);
    });
    (stop, thread)
}

impl Observer for Feed {
    fn event(&self, event: &Event<'_>) {
        self.counts.add(event);
        self.waits.add(event);
        self.record(event);
        match self.style {
            ProgressStyle::Json => self.print(event),
            _ => tell(event),
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let flushed = self
            .debug
            .as_ref()
            .map(|file| file.lock().unwrap_or_else(PoisonError::into_inner).flush());
        self.note(flushed.unwrap_or(Ok(())));
        if let Some(error) = self.failed.get() {
            tracing::warn!("the file of --debug is not complete: {error}");
        }
    }
}

impl Feed {
    /// Keeps the first failure.
    fn note(&self, result: io::Result<()>) {
        if let Err(error) = result {
            // Further ones say the same.
            let _ = self.failed.set(error);
        }
    }

    /// Writes the event to the files that were asked for.
    fn record(&self, event: &Event<'_>) {
        if let Some(trace) = &self.trace {
            trace.add(event);
        }
        if let Some(file) = &self.debug
            && let Some(line) = json::event(event)
        {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            // A file that cannot be written must not stop the run.
            let result = writeln!(file, "{line}");
            self.note(result);
        }
    }

    /// Prints the event as JSON; those that come by the thousand are in the counts.
    fn print(&self, event: &Event<'_>) {
        if let Event::Moved { .. }
        | Event::Stored { .. }
        | Event::Buffer { .. }
        | Event::Platforms { .. }
        | Event::Manifest { .. }
        | Event::Request { .. }
        | Event::Blob { .. } = event
        {
            return;
        }
        if let Some(line) = json::event(event) {
            self.screen.object(&line);
        }
    }
}

/// Logs what must not be missed.
fn tell(event: &Event<'_>) {
    match event {
        Event::Warning { text } => tracing::warn!("{text}"),
        // Failures are listed at the end of the run, whatever is logged.
        Event::Finished { item, error: Some(error) } => tracing::info!("{item}: {error}"),
        Event::Finished { item, error: None } => tracing::info!("{item}: done"),
        Event::Started { item } => tracing::debug!("{item}: begun"),
        Event::Waiting { host, wait, cause, tries, .. } => {
            let tried = if *tries == 0 { String::new() } else { format!(" (try {tries})") };
            tracing::info!("{host}: waiting {} s: {cause}{tried}", wait.as_secs_f32().ceil());
        }
        _ => {}
    }
}
