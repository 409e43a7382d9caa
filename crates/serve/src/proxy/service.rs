//! The proxy as a service: a request is understood, allowed, answered, counted.

use std::future::Future;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use tokio::net::TcpListener;

use super::call::{Call, Via};
use super::config::{Config, ConfigError};
use super::failure::{Failure, Reply};
use super::health::{self, Readiness};
use super::metrics::Metrics;
use super::setup::Setup;
use super::warm::{Queue, Warmer};
use super::{blobs, lists, manifests, push};
use crate::access::{Access, Refusal, Verdict};
use crate::storage::RepositoryName;
use crate::{Endpoint, Options, Route, RouteError, Server, Tls};

/// A proxy. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Proxy(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    current: RwLock<Current>,
    metrics: Arc<Metrics>,
    readiness: Readiness,
    queue: Queue,
}

/// What requests are served by.
#[derive(Debug, Clone)]
struct Current {
    setup: Arc<Setup>,
    access: Arc<Access>,
}

impl Proxy {
    /// Makes a proxy. What settings can get wrong is said here.
    pub fn new(config: Config, access: Access) -> Result<Self, ConfigError> {
        let metrics = Arc::new(Metrics::default());
        let setup = Arc::new(Setup::new(config, &metrics, None)?);
        let queue = Queue::new(metrics.clone());
        let current = RwLock::new(Current { setup, access: Arc::new(access) });
        Ok(Proxy(Arc::new(Inner { current, metrics, readiness: Readiness::default(), queue })))
    }

    /// Takes other settings into force. Requests that are under way end by the ones that they began
    /// with; on an error nothing changes. Where it listens, and its certificate, stay as they are.
    pub fn reload(&self, config: Config, access: Access) -> Result<(), ConfigError> {
        let before = self.0.current();
        let setup = Arc::new(Setup::new(config, &self.0.metrics, Some(&before.setup))?);
        let mut current = self.0.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = Current { setup, access: Arc::new(access) };
        Ok(())
    }

    /// The proxy as a service.
    pub fn router(&self) -> Router {
        Router::new().fallback(dispatch).with_state(self.0.clone())
    }

    /// Serves until `shutdown` is ready, then lets transfers end within the settings' grace. Images
    /// on their way to the first registry are given up then: what is complete stays.
    pub async fn run(
        self,
        listener: TcpListener,
        tls: Option<Tls>,
        shutdown: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        let server = self.0.current().setup.config.server.clone();
        let options = Options {
            connections: server.connections,
            grace: server.grace.0,
            ..Options::default()
        };
        let server = Server::new(listener, self.router(), options);
        let server = match tls {
            Some(tls) => server.with_tls(tls),
            None => server,
        };
        let warmer = Warmer::new(&self.0.queue);
        tokio::select! {
            ended = server.run(shutdown) => ended,
            () = warmer.run() => Ok(()),
        }
    }
}

impl Inner {
    fn current(&self) -> Current {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn dispatch(State(proxy): State<Arc<Inner>>, request: Request) -> Response {
    let begun = Instant::now();
    let (head, body) = request.into_parts();
    let (endpoint, reply) = answer(&proxy, &head, body).await;
    let mut response = reply.unwrap_or_else(|failure| {
        if failure.status.is_server_error() {
            tracing::warn!(path = head.uri.path(), reason = failure.message, "no answer to give");
        }
        failure.into_response()
    });
    if head.method == Method::HEAD {
        // Not even an error has a body then.
        *response.body_mut() = Body::empty();
    }
    let version = HeaderName::from_static("docker-distribution-api-version");
    response.headers_mut().insert(version, HeaderValue::from_static("registry/2.0"));
    let status = response.status().as_u16();
    proxy.metrics.request(endpoint, status);
    let via = response.extensions().get::<Via>();
    tracing::info!(
        method = head.method.as_str(),
        path = head.uri.path(),
        status,
        registry = via.map(|via| via.0.as_str()),
        how = via.map(|via| via.1),
        ms = begun.elapsed().as_millis() as u64,
        "request"
    );
    response
}

async fn answer(proxy: &Inner, head: &Parts, body: Body) -> (&'static str, Reply) {
    let reading = matches!(head.method, Method::GET | Method::HEAD);
    let Current { setup, access } = proxy.current();
    match head.uri.path() {
        "/health" if reading => return ("health", Ok(health::health())),
        "/ready" if reading => return ("ready", Ok(proxy.readiness.answer(&setup).await)),
        "/metrics" if reading && setup.config.server.metrics => {
            return ("metrics", Ok(metrics(proxy, &setup)));
        }
        _ => {}
    }
    match Route::parse(head.uri.path()) {
        Ok(Route::Base) if reading => {
            ("base", allowed(&access, head, None).await.map_or_else(refused, |()| Ok(base())))
        }
        Ok(Route::Base | Route::Catalog) => ("other", Err(Failure::unknown_endpoint())),
        Ok(Route::Repository(name, endpoint)) => {
            let label = label(&endpoint);
            if let Err(refusal) = allowed(&access, head, Some(&name)).await {
                return (label, refused(refusal));
            }
            let queue = &proxy.queue;
            let call = Call { queue, setup: &setup, access: &access, name: &name, head };
            (label, in_repository(&call, endpoint, body).await)
        }
        // A tag that cannot be is a tag that is not there, except to whoever wants to make it.
        Err(RouteError::Tag(message)) if reading => {
            let status = StatusCode::NOT_FOUND;
            ("manifest", Err(Failure::new(status, "MANIFEST_UNKNOWN", message)))
        }
        Err(error) => ("other", Err(error.into())),
    }
}

async fn in_repository(call: &Call<'_>, endpoint: Endpoint, body: Body) -> Reply {
    // Each in a box of its own size: else every request would move as many bytes as the largest.
    match (endpoint, call.head.method.as_str()) {
        (Endpoint::Manifest(version), "GET" | "HEAD") => {
            Box::pin(manifests::get(call, &version)).await
        }
        (Endpoint::Blob(digest), "HEAD") if call.setup.push_to().is_some() => {
            Box::pin(push::has(call, &digest)).await
        }
        (Endpoint::Blob(digest), "GET" | "HEAD") => Box::pin(blobs::get(call, &digest)).await,
        (Endpoint::Tags, "GET" | "HEAD") => Box::pin(lists::tags(call)).await,
        (Endpoint::Referrers(digest), "GET" | "HEAD") => {
            Box::pin(lists::referrers(call, &digest)).await
        }
        (endpoint, _) => Box::pin(push::write(call, &endpoint, body)).await,
    }
}

async fn allowed(
    access: &Access,
    head: &Parts,
    name: Option<&RepositoryName>,
) -> Result<(), Refusal> {
    let authorization = head.headers.get(header::AUTHORIZATION);
    match access.check(authorization, &head.method, name).await {
        Verdict::Allowed(_) => Ok(()),
        Verdict::Refused(refusal) => Err(refusal),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "an answer like others")]
fn refused(refusal: Refusal) -> Reply {
    Ok(refusal.into_response())
}

fn base() -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], "{}").into_response()
}

fn metrics(proxy: &Inner, setup: &Setup) -> Response {
    let up: Vec<(&str, bool)> =
        setup.backends.iter().map(|backend| (backend.name.as_str(), backend.is_up())).collect();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], proxy.metrics.text(&up)).into_response()
}

fn label(endpoint: &Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Manifest(_) => "manifest",
        Endpoint::Blob(_) => "blob",
        Endpoint::Uploads | Endpoint::Upload(_) => "upload",
        Endpoint::Tags => "tags",
        Endpoint::Referrers(_) => "referrers",
    }
}
