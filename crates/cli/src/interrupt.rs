//! SIGINT, SIGTERM and SIGHUP: the first ends the run cleanly, the second ends the process at once.
//!
//! A terminal that is closed sends SIGHUP. Who started the run with `nohup` wants it to go on then;
//! a server reads its files again instead.

use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::exit::Exit;
use crate::screen::Screen;

/// Tells that an interrupt came. Clones tell the same.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(watch::Receiver<bool>);

/// The run was interrupted before it ended.
#[derive(Debug, Default, thiserror::Error)]
#[error("interrupted")]
pub(crate) struct Interrupted {
    /// How to go on, where running the same command again is not it.
    pub(crate) go_on: Option<String>,
}

/// Says in an error that is an interrupt how to go on.
pub(crate) fn go_on(error: anyhow::Error, how: impl FnOnce() -> String) -> anyhow::Error {
    if error.is::<Interrupted>() { Interrupted { go_on: Some(how()) }.into() } else { error }
}

/// The same for a run that only reads.
pub(crate) fn read_again(error: anyhow::Error) -> anyhow::Error {
    go_on(error, || "nothing was changed; the same command begins anew".to_owned())
}

impl Interrupt {
    /// Begins to listen, on a thread of its own: it must still answer to the second signal when
    /// the runtime is busy with ending. When this returns, no signal goes unheard.
    pub(crate) fn listen(hangup: Hangup) -> Self {
        let (sender, receiver) = watch::channel(false);
        let (ready, listening) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                runtime.block_on(wait_for_two(&sender, ready, hangup));
            }
        });
        // An error means that signals cannot be heard here: then they do what they always do.
        let _ = listening.recv();
        Interrupt(receiver)
    }

    /// Waits for the first interrupt.
    pub(crate) async fn wait(&mut self) {
        if self.0.wait_for(|interrupted| *interrupted).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Runs `work` to its end, or drops it at the first interrupt: every verb leaves a clean state
    /// when it is dropped.
    pub(crate) async fn guard<T>(
        &self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let mut interrupt = self.clone();
        tokio::select! {
            biased;
            () = interrupt.wait() => Err(Interrupted::default().into()),
            result = work => result,
        }
    }
}

/// What SIGHUP means to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hangup {
    /// The same as SIGTERM, unless the process was started to ignore it.
    Ends,
    /// Something else, which others listen for.
    IsTaken,
}

/// How long an interrupted run may take to end before it says why it does not.
const PATIENCE: Duration = Duration::from_secs(1);

async fn wait_for_two(
    sender: &watch::Sender<bool>,
    ready: std::sync::mpsc::Sender<()>,
    hangup: Hangup,
) {
    let (Ok(int), Ok(term)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    let hangup = match hangup {
        Hangup::Ends if !ignores_hangup() => signal(SignalKind::hangup()).ok(),
        _ => None,
    };
    let mut signals = Signals { int, term, hangup };
    // Without somebody who listens, a file that grows beyond the limit of the process ends it,
    // with nothing said; with one, it is an error of the write like any other.
    let _too_large = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
    let _ = ready.send(());
    signals.next().await;
    // Nobody listens when the run has ended already: then there is nothing to tell.
    let _ = sender.send(true);
    if tokio::time::timeout(PATIENCE, signals.next()).await.is_err() {
        let text = "\ninterrupted: waiting for what is in flight; interrupt again to end at once";
        Screen::default().line(text);
        signals.next().await;
    }
    std::process::exit(Exit::Interrupted as i32);
}

/// The signals that interrupt.
struct Signals {
    int: Signal,
    term: Signal,
    hangup: Option<Signal>,
}

impl Signals {
    /// Waits for any of them.
    async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.int.recv() => {}
            _ = self.term.recv() => {}
            _ = hangup => {}
        }
    }
}

/// Whether the process was started to ignore SIGHUP, as by `nohup`. Where the system does not tell,
/// it was not.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // Bits from the signal with the number 1 on, which is SIGHUP.
    ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}
