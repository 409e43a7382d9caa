//! The layer: every request passes here on its way to the registry, and every answer.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use airlift_serve::storage::Memory;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode};

use super::auth::Gate;
use super::body::{Damage, damaged};
use super::quirk::Quirk;
use super::quirks;
use super::remembered::Remembered;
use super::rule::Fault;
use crate::listener::Break;
use crate::traffic::Traffic;
use crate::{FaultPlan, Kind};

/// A plan in force.
#[derive(Debug)]
pub(crate) struct Faults {
    pub(super) plan: FaultPlan,
    /// Where the registry listens.
    pub(super) addr: SocketAddr,
    /// Where the second host listens.
    pub(super) other: SocketAddr,
    pub(crate) traffic: Traffic,
    /// What was asked of the second host.
    pub(crate) elsewhere: Traffic,
    pub(crate) gate: Gate,
    pub(crate) struck: AtomicU64,
    pub(super) remembered: Remembered,
    /// What the registry stores.
    pub(super) storage: Arc<Memory>,
    window: Mutex<Window>,
}

/// The requests of the current second.
#[derive(Debug)]
struct Window {
    start: Instant,
    count: u32,
}

impl Faults {
    pub(crate) fn new(
        plan: FaultPlan,
        addr: SocketAddr,
        other: SocketAddr,
        storage: Arc<Memory>,
    ) -> Faults {
        Faults {
            gate: Gate::new(plan.auth.clone(), addr, other),
            plan,
            addr,
            other,
            traffic: Traffic::default(),
            elsewhere: Traffic::default(),
            struck: AtomicU64::new(0),
            remembered: Remembered::default(),
            storage,
            window: Mutex::new(Window { start: Instant::now(), count: 0 }),
        }
    }

    /// The answer where one more request is too many.
    fn over_limit(&self) -> Option<Response> {
        let limit = self.plan.limit?;
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.start.elapsed() >= Duration::from_secs(1) {
            *window = Window { start: Instant::now(), count: 0 };
        }
        window.count += 1;
        if window.count <= limit.requests_per_second {
            return None;
        }
        // Whoever does not wait makes everybody wait longer.
        window.start = Instant::now();
        Some(limited(limit.wait))
    }

    async fn answer(&self, request: Request, next: Next) -> Response {
        tokio::time::sleep(self.plan.delay).await;
        if let Some(refusal) = self.over_limit() {
            return refusal;
        }
        let kind = Kind::of(request.method(), request.uri());
        if kind != Kind::Token
            && let Some(refusal) = self.gate.refusal(kind, &request)
        {
            return refusal;
        }
        let path = request.uri().path().to_owned();
        let faults: Vec<Fault> =
            self.plan.rules.iter().filter_map(|rule| rule.strike(kind, &path)).collect();
        self.struck.fetch_add(faults.len() as u64, Ordering::Relaxed);
        self.suffer(&faults, kind, request, next).await
    }

    async fn suffer(&self, faults: &[Fault], kind: Kind, request: Request, next: Next) -> Response {
        let cut = Arc::new(AtomicBool::new(false));
        let mut request = request;
        for fault in faults {
            match fault {
                Fault::Answer { status, headers, body } => return canned(*status, headers, body),
                Fault::Delay(delay) => tokio::time::sleep(*delay).await,
                Fault::Hang => std::future::pending().await,
                Fault::Break => return broken(),
                Fault::CutUpload(after) => {
                    let cut = cut.clone();
                    request = request.map(|body| damaged(body, Damage::Cut(*after), cut));
                }
                Fault::StallUpload(after) => {
                    request =
                        request.map(|body| damaged(body, Damage::Stall(*after), Arc::default()));
                }
                _ => {}
            }
        }
        let path = request.uri().path().to_owned();
        let mut response = self.pass(kind, request, next).await;
        let breaks = cut.load(Ordering::Relaxed) || response.extensions().get::<Break>().is_some();
        if breaks && self.plan.quirks.contains(&Quirk::BrokenUploadsForgotten) {
            self.remembered.forget(&path);
        }
        if cut.load(Ordering::Relaxed) || faults.contains(&Fault::LoseAnswer) {
            return broken();
        }
        for fault in faults {
            let length = response.headers().get(http::header::CONTENT_LENGTH);
            let length = length.and_then(|text| text.to_str().ok()?.parse::<u64>().ok());
            let length = length.unwrap_or(0).max(1);
            let damage = match fault {
                Fault::HalveDownload => Damage::Cut(length / 2),
                Fault::CorruptDownload => {
                    let times = self.struck.load(Ordering::Relaxed);
                    Damage::Flip(times.wrapping_mul(7919) % length)
                }
                Fault::CutDownload(after) => Damage::Cut(*after),
                Fault::StallDownload(after) => Damage::Stall(*after),
                Fault::FlipDownload(at) => Damage::Flip(*at),
                _ => continue,
            };
            response = response.map(|body| damaged(body, damage, Arc::default()));
        }
        response
    }

    /// The registry with its quirks.
    async fn pass(&self, kind: Kind, request: Request, next: Next) -> Response {
        if kind == Kind::Token {
            return self.gate.token(request).await;
        }
        let _entering = self.remembered.enter(kind);
        match quirks::before(self, kind, request).await {
            Ok(request) => quirks::after(self, kind, next.run(request).await),
            Err(answer) => answer,
        }
    }
}

/// Lays the faults over the registry.
pub(crate) async fn lay(
    State(faults): State<Arc<Faults>>,
    request: Request,
    next: Next,
) -> Response {
    let request = quirks::inward(request);
    let ticket = faults.traffic.begin(request.method(), request.uri(), request.headers());
    let response = faults.answer(request, next).await;
    if response.extensions().get::<Break>().is_none() {
        faults.traffic.end(ticket, response.status());
    }
    response
}

/// The second host: the same content and uploads, tokens, no credentials asked for, no faults.
pub(crate) async fn lay_elsewhere(
    State(faults): State<Arc<Faults>>,
    request: Request,
    next: Next,
) -> Response {
    let ticket = faults.elsewhere.begin(request.method(), request.uri(), request.headers());
    let response = match Kind::of(request.method(), request.uri()) {
        Kind::Token => faults.gate.token(request).await,
        kind => quirks::after_elsewhere(&faults, kind, next.run(request).await),
    };
    faults.elsewhere.end(ticket, response.status());
    response
}

fn canned(status: u16, headers: &[(String, String)], body: &str) -> Response {
    let mut response = Response::new(Body::from(body.to_owned()));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    for (name, value) in headers {
        let name: HeaderName = name.parse().expect("a header's name");
        response
            .headers_mut()
            .append(name, HeaderValue::from_str(value).expect("a header's value"));
    }
    response
}

fn limited(wait: u32) -> Response {
    let body = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#;
    canned(429, &[("Retry-After".to_owned(), wait.to_string())], body)
}

/// Ends the connection without an answer.
pub(super) fn broken() -> Response {
    let mut response = StatusCode::BAD_GATEWAY.into_response();
    response.extensions_mut().insert(Break);
    response
}
