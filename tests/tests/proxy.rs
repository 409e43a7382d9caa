//! The proxy before registries that work, misbehave or attack: each promise it makes, one by one.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "proxy/lists.rs"]
mod lists;
#[path = "proxy/outage.rs"]
mod outage;
#[path = "proxy/pull.rs"]
mod pull;
#[path = "proxy/push.rs"]
mod push;
#[path = "proxy/raw.rs"]
mod raw;
#[path = "proxy/relay.rs"]
mod relay;
#[path = "proxy/running.rs"]
mod running;
#[path = "proxy/security.rs"]
mod security;
#[path = "proxy/together.rs"]
mod together;
#[path = "proxy/warming.rs"]
mod warming;

use std::net::{Ipv4Addr, SocketAddr};

use airlift_serve::proxy::{Config, Proxy};
use airlift_tests::image::{self, Graph};
use airlift_tests::{FaultPlan, TestRegistry};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// A proxy until it is stopped or dropped.
struct Front {
    addr: SocketAddr,
    proxy: Proxy,
    /// Follows no redirect.
    client: Client,
    stop: Option<oneshot::Sender<()>>,
    tasks: JoinSet<std::io::Result<()>>,
}

impl Front {
    /// Starts one with settings as they stand in a file.
    async fn start(settings: &str) -> Front {
        Front::with_users(settings, None).await
    }

    async fn with_users(settings: &str, htpasswd: Option<&str>) -> Front {
        let config = config(settings);
        let access = config.access(htpasswd).unwrap();
        let proxy = Proxy::new(config, access).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let mut tasks = JoinSet::new();
        let shutdown = async { stopped.await.unwrap_or_default() };
        tasks.spawn(proxy.clone().run(listener, None, shutdown));
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        Front { addr, proxy, client: client.build().unwrap(), stop: Some(stop), tasks }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    async fn get(&self, path: &str) -> Response {
        self.client.get(self.url(path)).send().await.unwrap()
    }

    async fn head(&self, path: &str) -> Response {
        self.client.head(self.url(path)).send().await.unwrap()
    }

    async fn send(&self, method: Method, path: &str) -> Response {
        self.client.request(method, self.url(path)).send().await.unwrap()
    }

    /// Sends bytes as they are; everything that comes back until the connection ends.
    async fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        // The proxy may have seen enough before it has everything.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// A figure of `/metrics`.
    async fn metric(&self, line: &str) -> f64 {
        let text = self.get("/metrics").await.text().await.unwrap();
        let found = text.lines().find_map(|known| known.strip_prefix(line)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("no {line} in\n{text}")).parse().unwrap()
    }
}

fn config(settings: &str) -> Config {
    Config::read("config.yaml", settings, []).unwrap()
}

/// Settings with a hot and a cold registry and time enough for a busy machine.
fn settings(hot: &str, cold: &str, more: &str) -> String {
    format!("registry:\n  hot: {{url: '{hot}'}}\n  cold: {{url: '{cold}'}}\n{more}\n")
}

/// A hot and a cold registry, and a proxy before them.
async fn both(hot: FaultPlan, cold: FaultPlan, more: &str) -> (TestRegistry, TestRegistry, Front) {
    let (hot, cold) = (TestRegistry::start(hot).await, TestRegistry::start(cold).await);
    let front = Front::start(&settings(&hot.url(), &cold.url(), more)).await;
    (hot, cold, front)
}

/// Puts an image into a registry.
async fn push(registry: &TestRegistry, repository: &str, tag: &str, seed: u64) -> Graph {
    let image = image::simple(seed);
    image.push(registry.store(repository).as_ref(), Some(tag)).await;
    image
}

/// Status, code and message of an answer that is an error of the specification.
async fn error(response: Response) -> (StatusCode, String, String) {
    let status = response.status();
    assert_eq!(response.headers()["content-type"], "application/json");
    let body: Value = response.json().await.unwrap();
    let text = |key: &str| body["errors"][0][key].as_str().unwrap().to_owned();
    (status, text("code"), text("message"))
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}
