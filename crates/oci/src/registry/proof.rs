//! What a request shows of who we are.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use super::secret::Secret;

/// What a request carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// Nothing.
    None,
    /// User and password, encoded.
    Basic(Secret),
    /// A token. `fresh`: exchanged for this very request.
    Bearer {
        /// The token.
        token: Secret,
        /// Whether it cannot be a stale one.
        fresh: bool,
    },
}

impl Proof {
    /// User and password as basic authentication wants them.
    pub(super) fn basic(username: &str, password: &Secret) -> Self {
        let pair = format!("{username}:{}", password.expose());
        Proof::Basic(Secret::new(STANDARD.encode(pair)))
    }

    /// The `Authorization` header.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let text = match self {
            Proof::None => return None,
            Proof::Basic(encoded) => format!("Basic {}", encoded.expose()),
            Proof::Bearer { token, .. } => format!("Bearer {}", token.expose()),
        };
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}
