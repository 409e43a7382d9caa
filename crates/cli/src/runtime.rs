//! The runtime of a run, and its end by an interrupt.

use std::future::Future;
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};

use crate::interrupt::{Hangup, Interrupt, Interrupted};

/// How long an interrupted run waits for reads and writes that cannot be called off. What they leave
/// behind is what any end of the process leaves: nothing under a final name.
const LAST: Duration = Duration::from_secs(10);

/// Runs `work` to its end, or drops it at the first interrupt.
pub(crate) fn guarded<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let interrupt = Interrupt::listen(Hangup::Ends);
    let runtime = runtime()?;
    let result = runtime.block_on(interrupt.guard(work));
    if result.as_ref().is_err_and(anyhow::Error::is::<Interrupted>) {
        runtime.shutdown_timeout(LAST);
    }
    result
}

/// Runs `work`, which ends by itself when it is interrupted.
pub(crate) fn until_interrupted<T, F>(
    hangup: Hangup,
    work: impl FnOnce(Interrupt) -> F,
) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<T>>,
{
    let interrupt = Interrupt::listen(hangup);
    runtime()?.block_on(work(interrupt))
}

fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the threads of the run failed")
}
