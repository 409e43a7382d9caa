//! `cargo xtask rough-registry`: an empty registry in memory from which downloads come damaged now and
//! then. For scenarios that run where there is no cargo, as in the tape lab.

use std::io::Write;

use airlift_tests::{Fault, FaultPlan, Kind, TestRegistry, When};

/// One download in so many has a wrong byte, somewhere else each time.
const EVERY: u64 = 5;

/// Prints `HOST:PORT` and serves until it is killed.
pub(crate) fn run() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let plan = FaultPlan::none().on(Kind::BlobGet, When::Every(EVERY), Fault::CorruptDownload);
        let registry = TestRegistry::start(plan).await;
        println!("{}", registry.host());
        std::io::stdout().flush()?;
        std::future::pending().await
    })
}
