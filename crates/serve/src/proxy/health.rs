//! Whether the proxy lives, and which registries answer.

use std::time::{Duration, Instant};

use airlift_oci::registry::{Access, Forward, Kind};
use axum::response::{IntoResponse, Response};
use futures_util::future::join_all;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use super::asked::Asked;
use super::backend::Backend;
use super::redirects::Follow;
use super::setup::Setup;

/// For how long an answer is given again, so that many who ask do not make us ask many times.
const FRESH: Duration = Duration::from_secs(1);

/// What was found last. Whoever asks while it is being found waits for that.
#[derive(Debug, Default)]
pub(super) struct Readiness(Mutex<Option<(Instant, StatusCode, String)>>);

/// The proxy is there, whatever is behind it.
pub(super) fn health() -> Response {
    json_text(StatusCode::OK, "{\"status\":\"healthy\"}".to_owned())
}

impl Readiness {
    /// 200 while any registry answers, else 503; the body says which.
    pub(super) async fn answer(&self, setup: &Setup) -> Response {
        let mut last = self.0.lock().await;
        let (status, body) = match last.take() {
            Some((at, status, body)) if at.elapsed() < FRESH => {
                *last = Some((at, status, body.clone()));
                (status, body)
            }
            _ => {
                let (status, body) = find(setup).await;
                *last = Some((Instant::now(), status, body.clone()));
                (status, body)
            }
        };
        json_text(status, body)
    }
}

async fn find(setup: &Setup) -> (StatusCode, String) {
    let asked = setup
        .backends
        .iter()
        .map(|backend| async move { (backend.name.clone(), trouble(backend).await) });
    let found = join_all(asked).await;
    let any = found.iter().any(|(_, trouble)| trouble.is_none());
    let mut registries = Map::new();
    for (name, trouble) in found {
        let state = match trouble {
            None => json!({ "status": "up" }),
            Some(reason) => json!({ "status": "down", "reason": reason }),
        };
        registries.insert(name, state);
    }
    let word = if any { "ready" } else { "unready" };
    let status = if any { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body: Value = json!({ "status": word, "registries": registries });
    (status, body.to_string())
}

/// Why a registry does not answer. One that refuses us does: what it keeps may still be public.
async fn trouble(backend: &Backend) -> Option<String> {
    let request = Forward {
        kind: Kind::Base,
        method: Method::GET,
        path: "",
        headers: HeaderMap::new(),
        access: Access::None,
        body: None,
    };
    match backend.ask(request, Follow::Nothing).await {
        Asked::Out(outage) => Some(outage.reason),
        _ => None,
    }
}

fn json_text(status: StatusCode, body: String) -> Response {
    let json = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, json)], body).into_response()
}
