//! Credentials of every kind.

use super::secret::Secret;

/// What proves who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// User and password.
    Basic {
        /// The user.
        username: String,
        /// The password, or a token that is used as one.
        password: Secret,
    },
    /// An identity (refresh) token, exchanged for others.
    Identity(Secret),
    /// A token for the registry itself, used as it is.
    Registry(Secret),
}

impl Credential {
    /// User and password as docker writes them: a user `<token>` marks an identity token.
    pub(super) fn of_pair(username: String, password: String) -> Self {
        let password = Secret::new(password);
        if username == "<token>" {
            Credential::Identity(password)
        } else {
            Credential::Basic { username, password }
        }
    }
}
