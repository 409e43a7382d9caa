//! Limits and times of a registry, in one place.

use std::time::Duration;

/// Limits and times. The default is what a registry open to a site's network should have.
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
    /// Connections served at once; further ones wait to be accepted.
    pub connections: usize,
    /// How long requests that are under way may go on after the server was told to stop.
    pub grace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            page: 1000,
            upload_sessions: 1024,
            upload_idle: Duration::from_secs(3600),
            body_idle: Duration::from_secs(60),
            head: Duration::from_secs(30),
            connections: 10_000,
            grace: Duration::from_secs(10),
        }
    }
}
