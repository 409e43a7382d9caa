//! One token, and how long it is good for.

use std::time::Duration;

use tokio::time::Instant;

use crate::registry::secret::Secret;

/// A token and when it is to be replaced.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) secret: Secret,
    /// When it came.
    pub(super) since: Instant,
    pub(super) until: Instant,
}

impl Token {
    /// A token that lives for `seconds` from now. It is replaced a little before.
    pub(super) fn new(secret: Secret, seconds: u64) -> Self {
        let life = Duration::from_secs(seconds.clamp(1, 24 * 3600));
        let margin = (life / 4).min(Duration::from_secs(30));
        let since = Instant::now();
        Token { secret, since, until: since + life - margin }
    }

    /// Whether it is not to be replaced yet.
    pub(super) fn good(&self) -> bool {
        Instant::now() < self.until
    }
}
