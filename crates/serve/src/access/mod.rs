//! Who may do what: users from an htpasswd file, rights by repository pattern.
//!
//! [`Access::check`] answers for one request; the registry and the proxy ask the same. Passwords are
//! checked against bcrypt hashes away from the threads that serve, few at a time; who was right
//! once is remembered by a keyed hash, so that a client's further requests cost nothing. Secrets
//! are never shown, and somebody who guesses names learns nothing from how long an answer takes.

mod credentials;
mod htpasswd;
mod pattern;
mod refusal;
mod remembered;
mod rule;
mod verify;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use http::{HeaderValue, Method};

pub use self::htpasswd::{HtpasswdError, Users};
pub use self::pattern::{Pattern, PatternError};
pub use self::refusal::Refusal;
pub use self::rule::{Right, Rule, RuleError, Who};

use self::credentials::Credentials;
use self::verify::Verifier;
use crate::storage::RepositoryName;

/// Users and their rights.
#[derive(Debug)]
pub struct Access(RwLock<Arc<Known>>);

/// What is in force.
#[derive(Debug)]
struct Known {
    users: Option<Verifier>,
    rules: Arc<[Rule]>,
}

/// What may be done about a request.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It may go on, as this visitor's.
    Allowed(Visitor),
    /// It may not; [`Refusal`] is the answer to give.
    Refused(Refusal),
}

/// Somebody at the door: a user whose password was right, or nobody in particular.
#[derive(Clone)]
pub struct Visitor {
    name: Option<Arc<str>>,
    rules: Arc<[Rule]>,
}

/// Rules that cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// A rule is about a user whom the htpasswd file does not have.
    #[error("a rule names the user {0:?}, who is not in the htpasswd file")]
    NoSuchUser(String),
    /// Rules are about users, but there are none.
    #[error("a rule is about users, but there is no htpasswd file to know them by")]
    NoUsers,
}

impl Access {
    /// Everybody may do everything: for a registry that only those reach who may.
    pub fn open() -> Self {
        let rule = Rule { who: Who::Anonymous, right: Right::ReadWrite, pattern: Pattern::all() };
        Access::of(None, [rule].into())
    }

    /// Access by `rules`. Without any rule every user may do everything, and nobody else anything.
    /// Without `users` there can be rules about anonymous access only.
    pub fn new(users: Option<Users>, rules: Vec<Rule>) -> Result<Self, AccessError> {
        for rule in &rules {
            match (&rule.who, &users) {
                (Who::Anonymous, _) | (Who::Everyone, Some(_)) => {}
                (Who::User(name), Some(users)) if users.has(name) => {}
                (Who::User(name), Some(_)) => return Err(AccessError::NoSuchUser(name.clone())),
                (Who::User(_) | Who::Everyone, None) => return Err(AccessError::NoUsers),
            }
        }
        if users.is_none() && rules.is_empty() {
            return Ok(Access::open());
        }
        let every = Rule { who: Who::Everyone, right: Right::ReadWrite, pattern: Pattern::all() };
        let rules = if rules.is_empty() { vec![every] } else { rules };
        Ok(Access::of(users.map(Verifier::new), rules.into()))
    }

    fn of(users: Option<Verifier>, rules: Arc<[Rule]>) -> Self {
        Access(RwLock::new(Arc::new(Known { users, rules })))
    }

    /// Takes over another's users and rights. Requests that were let in go on.
    pub fn replace(&self, with: &Access) {
        let known = with.known();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = known;
    }

    fn known(&self) -> Arc<Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a request may go on: by its `Authorization` header, its method, and the repository
    /// it is about; without one it is about the registry as such (`/v2/`, `/v2/_catalog`), for which
    /// any right at all is enough. Reading is GET and HEAD, everything else writes.
    pub async fn check(
        &self,
        authorization: Option<&HeaderValue>,
        method: &Method,
        repository: Option<&RepositoryName>,
    ) -> Verdict {
        let known = self.known();
        let visitor = match known.visitor(authorization).await {
            Ok(visitor) => visitor,
            Err(refusal) => return Verdict::Refused(refusal),
        };
        let allowed = match repository {
            Some(name) => visitor.may(Right::for_method(method), name),
            None => visitor.may_enter(),
        };
        if allowed { Verdict::Allowed(visitor) } else { Verdict::Refused(known.refuse(&visitor)) }
    }

    /// Who sent a request, by its `Authorization` header.
    pub async fn visitor(&self, authorization: Option<&HeaderValue>) -> Result<Visitor, Refusal> {
        self.known().visitor(authorization).await
    }
}

impl Known {
    /// Who sent a request, by its `Authorization` header. Wrong credentials are refused even where
    /// none are needed, so that nobody works as another than they think.
    async fn visitor(&self, authorization: Option<&HeaderValue>) -> Result<Visitor, Refusal> {
        let (Some(header), Some(users)) = (authorization, &self.users) else {
            return Ok(Visitor { name: None, rules: self.rules.clone() });
        };
        let credentials = Credentials::parse(header).ok_or(Refusal::Unauthorized)?;
        let name = users.verify(credentials).await?;
        Ok(Visitor { name: Some(name), rules: self.rules.clone() })
    }

    /// What to say to a visitor who may not: to nobody in particular, to come back as somebody.
    fn refuse(&self, visitor: &Visitor) -> Refusal {
        if visitor.name.is_none() && self.users.is_some() {
            Refusal::Unauthorized
        } else {
            Refusal::Denied
        }
    }
}

impl Visitor {
    /// The user's name; `None` for nobody in particular.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether the visitor has `right` in a repository.
    pub fn may(&self, right: Right, repository: &RepositoryName) -> bool {
        self.own_rules()
            .any(|rule| rule.right >= right && rule.pattern.matches(repository.as_str()))
    }

    /// Whether the visitor has any right anywhere.
    pub fn may_enter(&self) -> bool {
        self.own_rules().next().is_some()
    }

    /// The rules that are about this visitor. What is granted to anybody is granted to users too.
    fn own_rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.is_about(self.name()))
    }
}

impl fmt::Debug for Visitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Visitor({})", self.name().unwrap_or("anonymous"))
    }
}

#[cfg(test)]
mod tests;
