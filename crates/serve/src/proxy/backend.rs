//! One registry behind the proxy: asked within bounds, and left alone while it does not answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use airlift_oci::observe::silent;
use airlift_oci::registry::{Client, Forward, Forwarded, RegistryStore, Settings};
use airlift_oci::store::{StoreError, chain};
use airlift_oci::types::Name;
use bytes::Bytes;
use http::StatusCode;
use url::Url;

use super::asked::{Asked, Head, Outage, words_of};
use super::away::Away;
use super::breaker::Breaker;
use super::client::{host, patient, settings};
use super::config::{self, Config, ConfigError, Mode, Registry};
use super::flight::Flights;
use super::found::Found;
use super::metrics::{BackendMetrics, Metrics, Said};
use super::redirects::Follow;

/// One registry.
#[derive(Debug)]
pub(super) struct Backend {
    pub(super) name: String,
    pub(super) mode: Mode,
    /// Its `/v2/`.
    pub(super) base: Url,
    pub(super) metrics: Arc<BackendMetrics>,
    pub(super) storage: Vec<String>,
    /// The manifests that it is being asked for.
    pub(super) manifests: Flights<Asked<Arc<Found>>>,
    /// Uploads that go on elsewhere at it.
    pub(super) away: Away,
    /// What its client knows it by: its host, and its port where it is not the usual.
    host: String,
    client: Client,
    patient: OnceLock<Option<Client>>,
    /// Requests carry what no client of ours has.
    secret: bool,
    /// It answered only to a request with a token.
    wants_token: AtomicBool,
    breaker: Breaker,
    answer: Duration,
    settings: Settings,
    /// What it was made from, to see whether it can stay as it is.
    origin: (Registry, config::Timeouts, config::Breaker, Mode),
}

impl Backend {
    /// Makes the client of a registry. What it says is wrong names the registry.
    pub(super) fn new(
        name: &str,
        config: &Config,
        registry: &Registry,
        metrics: &Metrics,
    ) -> Result<Self, ConfigError> {
        let wrong =
            |source| ConfigError::Registry { name: name.to_owned(), source: Box::new(source) };
        let host = host(&registry.url).unwrap_or_else(|| name.to_owned());
        let settings = settings(&host, registry, &config.timeouts);
        let client = Client::new(settings.clone(), silent()).map_err(wrong)?;
        let base = client.base(&host).map_err(wrong)?;
        let own_headers =
            registry.headers.keys().any(|name| !name.eq_ignore_ascii_case("user-agent"));
        Ok(Backend {
            name: name.to_owned(),
            mode: registry.mode.unwrap_or(config.mode),
            base,
            metrics: metrics.backend(name),
            storage: registry.storage.clone(),
            manifests: Flights::default(),
            away: Away::new(registry),
            host,
            client,
            patient: OnceLock::new(),
            secret: !registry.username.is_empty() || own_headers || registry.tls.cert.is_some(),
            wants_token: AtomicBool::new(false),
            breaker: Breaker::new(config.breaker.failures, config.breaker.pause.0),
            answer: config.timeouts.answer.0,
            settings,
            origin: origin(config, registry),
        })
    }

    /// Whether this is what the settings would make.
    pub(super) fn is_as(&self, config: &Config, registry: &Registry) -> bool {
        self.origin == origin(config, registry)
    }

    /// One repository, by way of a client with the patience of somebody whom nobody waits for.
    pub(super) fn store(&self, repository: &str) -> Option<Arc<RegistryStore>> {
        let client =
            self.patient.get_or_init(|| Client::new(patient(&self.settings), silent()).ok());
        let name = Name::new(&self.host, repository).ok()?;
        Some(client.as_ref()?.repository(name))
    }

    /// Whether a client that is sent to the registry is let in as we are.
    pub(super) fn open_to_strangers(&self) -> bool {
        !self.secret && !self.wants_token.load(Ordering::Relaxed)
    }

    /// Whether it is not being left alone.
    pub(super) fn is_up(&self) -> bool {
        self.breaker.is_closed()
    }

    /// The client, and what it knows the registry by.
    pub(super) fn client(&self) -> (&Client, &str) {
        (&self.client, &self.host)
    }

    /// Where a client finds something: `path`, made of names and digests, is below `/v2/`.
    pub(super) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Asks for an answer of which the body is still to come.
    pub(super) async fn ask(&self, request: Forward<'_>, follow: Follow) -> Asked<Forwarded> {
        self.timed(Box::pin(self.sent(request, follow))).await
    }

    /// Asks for an answer and takes it in whole; `take` makes something of a good one. What `take`
    /// cannot use counts as if the registry had not answered, for this one request.
    pub(super) async fn ask_whole<T>(
        &self,
        request: Forward<'_>,
        limit: u64,
        take: impl FnOnce(Head, Bytes) -> Result<T, String>,
    ) -> Asked<T> {
        // In a box, because it is handed on: as a value it would be copied each time.
        let whole = Box::pin(async {
            let mut answer = match self.sent(request, Follow::Storage).await? {
                Asked::Answer(answer) => answer,
                Asked::Missing => return Ok(Asked::Missing),
                Asked::Refused(status, words) => return Ok(Asked::Refused(status, words)),
                Asked::Out(outage) => return Ok(Asked::Out(outage)),
            };
            let headers = std::mem::take(&mut answer.headers);
            let head = Head { status: answer.status, headers };
            let Some(body) = answer.whole(usize::try_from(limit).unwrap_or(usize::MAX)).await?
            else {
                return Ok(Asked::Refused(
                    StatusCode::BAD_GATEWAY,
                    format!("its answer has more than {limit} bytes"),
                ));
            };
            self.metrics.bytes(body.len());
            Ok(match take(head, body) {
                Ok(taken) => Asked::Answer(taken),
                Err(reason) => Asked::Refused(StatusCode::BAD_GATEWAY, reason),
            })
        });
        self.timed(whole).await
    }

    async fn sent(
        &self,
        request: Forward<'_>,
        follow: Follow,
    ) -> Result<Asked<Forwarded>, StoreError> {
        let answer = self.follow(request, follow).await?;
        if answer.authorized && !self.secret {
            self.wants_token.store(true, Ordering::Relaxed);
        }
        Ok(match answer.status.as_u16() {
            404 => Asked::Missing,
            // Of something that is there, and part of what was asked for.
            304 | 416 => Asked::Answer(answer),
            429 | 500..=599 => {
                let (status, retry) = (answer.status, answer.retry_after());
                let reason = words_of(status, &answer.words().await);
                Asked::Out(Outage { reason, retry })
            }
            400..=499 => {
                let status = answer.status;
                Asked::Refused(status, words_of(status, &answer.words().await))
            }
            _ => Asked::Answer(answer),
        })
    }

    /// Runs `work` within the time that an answer may take, and keeps the books.
    async fn timed<T>(&self, work: impl Future<Output = Result<Asked<T>, StoreError>>) -> Asked<T> {
        let begun = Instant::now();
        let pass = match self.breaker.admit(begun) {
            Ok(pass) => pass,
            Err(left) => return Asked::Out(self.left_alone(left)),
        };
        let outcome = tokio::time::timeout(self.answer, work).await;
        let outcome = match outcome {
            Ok(Ok(Asked::Out(outage))) => Err(outage),
            Ok(Ok(asked)) => Ok(asked),
            Ok(Err(error)) if error.is_denied() => {
                Ok(Asked::Refused(StatusCode::FORBIDDEN, chain(error.kind())))
            }
            Ok(Err(error)) => Err(Outage { reason: chain(error.kind()), retry: None }),
            Err(_) => {
                let reason = format!("no answer within {:?}", self.answer);
                Err(Outage { reason, retry: None })
            }
        };
        self.metrics.took(begun.elapsed());
        match outcome {
            Ok(asked) => {
                if pass.good() {
                    tracing::info!(registry = self.name, "the registry answers again");
                }
                self.metrics.said(asked.said());
                asked
            }
            Err(outage) => {
                let wish = outage.retry.filter(|wish| !wish.is_zero());
                let paused = pass.bad(Instant::now(), wish);
                self.complain(&outage.reason, paused);
                self.metrics.said(Said::Outage);
                Asked::Out(Outage { retry: wish, ..outage })
            }
        }
    }

    /// Passes on a request that writes. Any answer is one, unless it tells of trouble or of rights
    /// that are ours and not the client's. How long it may take is for the caller to say, and whether
    /// it was the client that ended it.
    pub(super) async fn send(
        &self,
        request: Forward<'_>,
        given_up: impl Fn() -> bool,
    ) -> Asked<Forwarded> {
        let pass = match self.breaker.admit(Instant::now()) {
            Ok(pass) => pass,
            Err(left) => return Asked::Out(self.left_alone(left)),
        };
        let answer = match self.client.forward(&self.host, request).await {
            Ok(answer) => answer,
            Err(error) if error.is_denied() => {
                pass.good();
                return Asked::Refused(StatusCode::FORBIDDEN, chain(error.kind()));
            }
            Err(error) => {
                let reason = chain(error.kind());
                if !given_up() {
                    self.complain(&reason, false);
                }
                return Asked::Out(Outage { reason, retry: None });
            }
        };
        let (status, retry) = (answer.status, answer.retry_after());
        match status.as_u16() {
            401 | 403 => {
                pass.good();
                Asked::Refused(status, words_of(status, &answer.words().await))
            }
            429 | 500 | 502..=504 => {
                let paused = pass.bad(Instant::now(), retry);
                let reason = words_of(status, &answer.words().await);
                self.complain(&reason, paused);
                Asked::Out(Outage { reason, retry })
            }
            _ => {
                pass.good();
                Asked::Answer(answer)
            }
        }
    }

    /// What is sent to it stands still.
    pub(super) fn stalled(&self, reason: &str) -> Outage {
        self.broke_off(reason);
        Outage { reason: reason.to_owned(), retry: None }
    }

    fn left_alone(&self, left: Duration) -> Outage {
        self.metrics.said(Said::Skipped);
        let reason = "it failed a short time ago and is left alone for now".to_owned();
        Outage { reason, retry: Some(left) }
    }

    /// A body broke off after its answer had begun well.
    pub(super) fn broke_off(&self, reason: &str) {
        self.breaker.failed_later(Instant::now());
        self.complain(reason, false);
    }

    fn complain(&self, reason: &str, paused: bool) {
        if paused {
            tracing::warn!(registry = self.name, reason, "the registry is left alone for a while");
        } else {
            tracing::warn!(registry = self.name, reason, "the registry failed");
        }
    }
}

fn origin(
    config: &Config,
    registry: &Registry,
) -> (Registry, config::Timeouts, config::Breaker, Mode) {
    (registry.clone(), config.timeouts, config.breaker, config.mode)
}
