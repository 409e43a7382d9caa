//! The runtime of a run, and its end by an interrupt.

use std::future::Future;

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};

use crate::interrupt::Interrupt;

/// Runs `work` to its end, or drops it at the first interrupt.
pub(crate) fn guarded<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let interrupt = Interrupt::listen();
    runtime()?.block_on(interrupt.guard(work))
}

/// Runs `work`, which ends by itself when it is interrupted.
pub(crate) fn until_interrupted<T, F>(work: impl FnOnce(Interrupt) -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<T>>,
{
    let interrupt = Interrupt::listen();
    runtime()?.block_on(work(interrupt))
}

fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the threads of the run failed")
}
