//! SIGINT and SIGTERM: the first ends the run cleanly, the second ends the process at once.

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

impl Interrupt {
    /// Begins to listen, on a thread of its own: it must still answer to the second signal when
    /// the runtime is busy with ending. When this returns, no signal goes unheard.
    pub(crate) fn listen() -> Self {
        let (sender, receiver) = watch::channel(false);
        let (ready, listening) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                runtime.block_on(wait_for_two(&sender, ready));
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

/// How long an interrupted run may take to end before it says why it does not.
const PATIENCE: Duration = Duration::from_secs(1);

async fn wait_for_two(sender: &watch::Sender<bool>, ready: std::sync::mpsc::Sender<()>) {
    let (Ok(mut int), Ok(mut term)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    // Without somebody who listens, a file that grows beyond the limit of the process ends it,
    // with nothing said; with one, it is an error of the write like any other.
    let _too_large = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
    let _ = ready.send(());
    next(&mut int, &mut term).await;
    // Nobody listens when the run has ended already: then there is nothing to tell.
    let _ = sender.send(true);
    if tokio::time::timeout(PATIENCE, next(&mut int, &mut term)).await.is_err() {
        let text = "\ninterrupted: waiting for what is in flight; interrupt again to end at once";
        Screen::default().line(text);
        next(&mut int, &mut term).await;
    }
    std::process::exit(Exit::Interrupted as i32);
}

async fn next(int: &mut Signal, term: &mut Signal) {
    tokio::select! {
        _ = int.recv() => {}
        _ = term.recv() => {}
    }
}
