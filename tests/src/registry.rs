//! A registry in the test's own process.

use std::net::SocketAddr;
use std::sync::Arc;

use airlift_oci::store::MemoryStore;
use airlift_oci::types::{Name, Reference};
use airlift_serve::storage::{Memory, Repositories};
use airlift_serve::{Options, router};
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use tokio::task::JoinSet;

use crate::FaultPlan;
use crate::listener::{listen, serve};
use crate::traffic::{Counts, Exchange, Traffic};

/// A registry on a free port of the loopback interface, in memory, with faults laid over it.
/// Dropping it ends it, and every connection to it.
#[derive(Debug)]
pub struct TestRegistry {
    addr: SocketAddr,
    storage: Arc<Memory>,
    traffic: Arc<Traffic>,
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
        let traffic = Arc::new(Traffic::default());
        let router = router(storage.clone() as Arc<dyn Repositories>, options);
        let router = router.layer(from_fn_with_state(traffic.clone(), observe));
        let (listener, addr) = listen().await.expect("a free port on the loopback interface");
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, router));
        TestRegistry { addr, storage, traffic, _tasks: tasks }
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
        self.traffic.counts()
    }

    /// Every request since the start or the last reset, in the order of their arrival.
    pub fn log(&self) -> Vec<Exchange> {
        self.traffic.log()
    }

    /// Forgets the requests so far.
    pub fn reset_counts(&self) {
        self.traffic.reset();
    }
}

async fn observe(State(traffic): State<Arc<Traffic>>, request: Request, next: Next) -> Response {
    let ticket = traffic.begin(request.method(), request.uri(), request.headers());
    let response = next.run(request).await;
    traffic.end(ticket, response.status());
    response
}
