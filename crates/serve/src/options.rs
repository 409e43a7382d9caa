//! Limits and times of a registry, in one place.

use std::sync::Arc;
use std::time::Duration;

use crate::access::Access;

/// Limits, times and rights. The default is what a registry open to a site's network should have,
/// but for the rights: everybody may do everything.
#[derive(Debug, Clone)]
pub struct Options {
    /// Tags, referrers or repositories in one answer when the client asks for no number or a
    /// larger one; the rest follows by `Link`.
    pub page: usize,
    /// Uploads open at once; one more is answered with 429.
    pub upload_sessions: usize,
    /// An upload to which nothing was sent for this long is dropped.
    pub upload_idle: Duration,
    /// A request body that brings nothing for this long ends the request with 408.
    pub body_idle: Duration,
    /// A connection that has not sent a request's head within this time is closed.
    pub head: Duration,
    /// A connection whose client takes nothing of its answer for this long is closed. Longer than
    /// a tape takes to be changed: the content may be on its way to one.
    pub answer_idle: Duration,
    /// Connections served at once. One more takes the place of the idlest, else of the slowest that
    /// is slower than [`Options::slow`]; when there is none it waits.
    pub connections: usize,
    /// Bytes a second below which a client that is waited for loses its place, when places are short.
    pub slow: u64,
    /// How long requests that are under way may go on after the server was told to stop.
    pub grace: Duration,
    /// Who may do what.
    pub access: Arc<Access>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            page: 1000,
            upload_sessions: 1024,
            upload_idle: Duration::from_secs(3600),
            body_idle: Duration::from_secs(60),
            head: Duration::from_secs(30),
            answer_idle: Duration::from_secs(900),
            connections: 10_000,
            slow: 1024,
            grace: Duration::from_secs(10),
            access: Arc::new(Access::open()),
        }
    }
}
