//! Connections of our own to a host that is reached directly and without TLS, for small questions
//! of which a server passes on many: nothing stands between a question and its socket.
//!
//! A question has no body and changes nothing, so one that fails on a kept connection, mostly because
//! the host closed it meanwhile, is asked once more on a new one. What needs TLS or goes by way of a
//! proxy, what has a body, and what brings a blob, is for [`super::transport`].

mod body;
mod connection;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, Method, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::proxy::matcher::Matcher;
use tower_service::Service;
use url::Url;

pub(super) use self::body::Reply;
use self::connection::Connection;
use super::failure::is_foreign;
use super::settings::Settings;
use super::transport::is_loopback;
use crate::store::chain;

/// For how long a connection is kept for the next question.
const KEPT: Duration = Duration::from_secs(30);

/// The connections to one host.
#[derive(Debug)]
pub(super) struct Direct {
    connector: HttpConnector,
    host: Url,
    /// The same, as the connector wants it.
    uri: Uri,
    agent: HeaderValue,
    /// So many are kept.
    most: usize,
    idle: Mutex<VecDeque<(Instant, Connection)>>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Fault {
    /// What is there does not speak HTTP.
    Foreign,
    /// The connection could not be had, or broke.
    Broken(Box<dyn std::error::Error + Send + Sync>),
}

impl Direct {
    /// The connections to the host of `url`, if it is one for them.
    pub(super) fn to(url: &Url, settings: &Settings) -> Option<Arc<Self>> {
        let uri: Uri = url.as_str().parse().ok()?;
        let direct = || is_loopback(url) || Matcher::from_system().intercept(&uri).is_none();
        if url.scheme() != "http" || !direct() {
            return None;
        }
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_keepalive(Some(Duration::from_secs(30)));
        connector.set_connect_timeout(Some(settings.connect_timeout));
        let (agent, most) = (settings.user_agent.parse().ok()?, settings.most_far());
        let (host, idle) = (url.clone(), Mutex::default());
        Some(Arc::new(Direct { connector, host, uri, agent, most, idle }))
    }

    /// Whether `url` is at the host, without TLS: the same name may be asked for with it.
    pub(super) fn reaches(&self, url: &Url) -> bool {
        let host = &self.host;
        url.scheme() == host.scheme()
            && url.host_str() == host.host_str()
            && url.port() == host.port()
    }

    /// Asks for `url`, which it reaches, and waits until the head of the answer is there.
    pub(super) async fn ask(
        self: &Arc<Self>,
        method: &Method,
        url: &Url,
        headers: &HeaderMap,
    ) -> Result<Reply, Fault> {
        if let Some(mut connection) = self.take(Instant::now())
            && let Ok(answer) = connection.ask(method, url, headers, &self.agent).await
        {
            return Ok(Reply::new(answer, connection, self));
        }
        let mut connection = self.connect().await?;
        match connection.ask(method, url, headers, &self.agent).await {
            Ok(answer) => Ok(Reply::new(answer, connection, self)),
            Err(error) => Err(Fault::of(error)),
        }
    }

    async fn connect(&self) -> Result<Connection, Fault> {
        let mut connector = self.connector.clone();
        // Always ready.
        let stream = connector.call(self.uri.clone()).await.map_err(Fault::of)?;
        Connection::over(stream.into_inner()).await.map_err(Fault::of)
    }

    /// A kept connection that still stands, as far as can be told: the one that was used last.
    fn take(&self, now: Instant) -> Option<Connection> {
        loop {
            let (since, mut connection) = self.lock().pop_back()?;
            if now.saturating_duration_since(since) < KEPT && connection.stands() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection on which nothing is under way for the next question.
    fn keep(&self, connection: Connection, now: Instant) {
        let mut gone = Vec::new();
        let mut idle = self.lock();
        let old = |since: Instant| now.saturating_duration_since(since) >= KEPT;
        while idle.front().is_some_and(|(since, _)| old(*since)) || idle.len() >= self.most.max(1) {
            gone.extend(idle.pop_front());
        }
        idle.push_back((now, connection));
        drop(idle);
        // Closed when nobody waits for the lock.
        drop(gone);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<(Instant, Connection)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fault {
    fn of(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let error = error.into();
        if is_foreign(&chain(&*error)) { Fault::Foreign } else { Fault::Broken(error) }
    }
}

#[cfg(test)]
mod tests;
