//! A registry in the test's own process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use airlift_oci::store::MemoryStore;
use airlift_oci::types::{Name, Reference};
use airlift_serve::storage::{Memory, Repositories};
use airlift_serve::{Options, router};
use axum::middleware::from_fn_with_state;
use tokio::task::JoinSet;

use crate::FaultPlan;
use crate::fault::{Faults, lay, lay_elsewhere};
use crate::listener::{listen, serve};
use crate::traffic::{Counts, Exchange, Kind};

/// A registry on a free port of the loopback interface, in memory, with faults laid over it, and a
/// second host beside it for redirects. Dropping it ends both, and every connection to them.
#[derive(Debug)]
pub struct TestRegistry {
    addr: SocketAddr,
    storage: Arc<Memory>,
    faults: Arc<Faults>,
    _tasks: JoinSet<()>,
}

impl TestRegistry {
    /// Starts an empty registry.
    pub async fn start(plan: FaultPlan) -> TestRegistry {
        TestRegistry::over(Arc::new(Memory::new()), plan).await
    }

    /// Starts a registry over what is there.
    pub async fn over(storage: Arc<Memory>, plan: FaultPlan) -> TestRegistry {
        let mut options = Options::default();
        options.page = plan.page.unwrap_or(options.page);
        let rate = plan.rate;
        let (listener, addr) = listen().await.expect("a free port on the loopback interface");
        let (second, other) = listen().await.expect("a free port on the loopback interface");
        let faults = Arc::new(Faults::new(plan, addr, other, storage.clone()));
        let plain = router(storage.clone() as Arc<dyn Repositories>, options);
        let faulty = plain.clone().layer(from_fn_with_state(faults.clone(), lay));
        let elsewhere = plain.layer(from_fn_with_state(faults.clone(), lay_elsewhere));
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, faulty, rate));
        tasks.spawn(serve(second, elsewhere, rate));
        TestRegistry { addr, storage, faults, _tasks: tasks }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://HOST:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// `HOST:PORT`, as it stands in references.
    pub fn host(&self) -> String {
        self.addr.to_string()
    }

    /// A repository in it.
    pub fn name(&self, repository: &str) -> Name {
        Name::new(&self.host(), repository).expect("a repository's name")
    }

    /// A reference in it: `repository`, `repository:tag`, `repository@digest`.
    pub fn reference(&self, rest: &str) -> Reference {
        format!("{}/{rest}", self.host()).parse().expect("a reference")
    }

    /// What it stores, beside all requests and faults.
    pub fn storage(&self) -> &Arc<Memory> {
        &self.storage
    }

    /// What it stores in one repository, made when there is none.
    pub fn store(&self, repository: &str) -> Arc<MemoryStore> {
        self.storage.store(&repository.parse().expect("a repository's name"))
    }

    /// How often what was asked of it since the start or the last reset.
    pub fn counts(&self) -> Counts {
        self.faults.traffic.counts()
    }

    /// Requests since the start or the last reset.
    pub fn heard(&self) -> usize {
        self.faults.traffic.len()
    }

    /// Blobs that were sent to it and taken since the start or the last reset: in two requests or more
    /// each, or in one, as small ones are where the registry answers as late as one far away. On a
    /// busy machine any does.
    pub fn sent(&self) -> u64 {
        let log = self.log();
        let taken = log.iter().filter(|exchange| {
            // A session is opened with 202, a blob taken with 201.
            matches!(exchange.kind, Kind::UploadPost | Kind::UploadPut)
                && exchange.status.is_some_and(|status| status.as_u16() == 201)
        });
        taken.count() as u64
    }

    /// Every request since the start or the last reset, in the order of their arrival.
    pub fn log(&self) -> Vec<Exchange> {
        self.faults.traffic.log()
    }

    /// Forgets the requests so far.
    pub fn reset_counts(&self) {
        self.faults.traffic.reset();
    }

    /// What was asked of the second host.
    pub fn log_elsewhere(&self) -> Vec<Exchange> {
        self.faults.elsewhere.log()
    }

    /// The scopes of every token that was given, in order.
    pub fn exchanges(&self) -> Vec<Vec<String>> {
        self.faults.gate.exchanges()
    }

    /// How often a rule of the plan struck.
    pub fn faults(&self) -> u64 {
        self.faults.struck.load(Ordering::Relaxed)
    }
}
