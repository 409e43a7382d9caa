//! Uploads that go on somewhere else at the registry than below their repository: ids that carry
//! the way there, so that no proxy has to remember it.
//!
//! Whoever has such an id makes the proxy send to that place with its own credentials. So each is
//! sealed, for one repository, with a key that comes from those credentials: replicas have the same
//! one. A registry without credentials has a key of this process alone.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::config::Registry;

/// What such an id begins with. It holds what every id may hold: letters, digits and hyphens.
const MARK: &str = "at-";
/// Bytes of the seal.
const SEAL: usize = 16;

/// Makes ids and reads them.
pub(super) struct Away(Hmac<Sha256>);

impl Away {
    /// For one registry.
    pub(super) fn new(registry: &Registry) -> Self {
        let mut key = Vec::new();
        let mut mix = |text: &str| {
            key.extend_from_slice(&(text.len() as u64).to_le_bytes());
            key.extend_from_slice(text.as_bytes());
        };
        mix("uploads of airlift proxy");
        mix(&registry.url);
        mix(&registry.username);
        mix(registry.password.0.expose());
        for (name, value) in &registry.headers {
            mix(name);
            mix(value.0.expose());
        }
        if registry.username.is_empty() && registry.headers.is_empty() {
            key.extend(rand::random::<[u8; 32]>());
        }
        // As long as a key of HMAC-SHA-256 is to be, whatever it is made of.
        let mut whole = hmac::digest::Key::<Hmac<Sha256>>::default();
        let digest = Sha256::digest(&key);
        for (into, byte) in whole.iter_mut().zip(digest) {
            *into = byte;
        }
        Away(Hmac::new(&whole))
    }

    /// The id of an upload to `repository` that goes on at `target`, a path from the root with its
    /// query.
    pub(super) fn id(&self, repository: &str, target: &str) -> String {
        let mut id = MARK.to_owned();
        for byte in self.sealed(repository, target).finalize().into_bytes().iter().take(SEAL) {
            // Writing to a string cannot fail.
            let _ = write!(id, "{byte:02x}");
        }
        for byte in target.bytes() {
            let _ = write!(id, "{byte:02x}");
        }
        id
    }

    /// Where the upload of an id goes on, when the id is one of ours for this repository.
    pub(super) fn target(&self, repository: &str, id: &str) -> Option<String> {
        let hex = id.strip_prefix(MARK)?.as_bytes();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Vec<u8> = hex.chunks(2).map(byte).collect::<Option<_>>()?;
        let (seal, target) = bytes.split_at_checked(SEAL)?;
        let target = std::str::from_utf8(target).ok()?;
        self.sealed(repository, target).verify_truncated_left(seal).ok()?;
        Some(target.to_owned())
    }

    fn sealed(&self, repository: &str, target: &str) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(repository.as_bytes());
        mac.update(b"\n");
        mac.update(target.as_bytes());
        mac
    }
}

impl std::fmt::Debug for Away {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Away")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(password: &str) -> Registry {
        let (url, username) = ("https://a.example.com".to_owned(), "robot".to_owned());
        let password = serde_json::from_value(password.into()).unwrap();
        Registry { url, username, password, ..Registry::default() }
    }

    #[test]
    fn an_id_leads_back_and_no_other_does() {
        let (away, replica) = (Away::new(&registry("a")), Away::new(&registry("a")));
        let target = "/uploads/x_y.z?state=%2F&b=1";
        let id = away.id("team/app", target);
        assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{id}");
        assert_eq!(replica.target("team/app", &id).as_deref(), Some(target));
        assert_eq!(away.target("team/other", &id), None);
        assert_eq!(Away::new(&registry("b")).target("team/app", &id), None);
        let open = Registry::default();
        let id = Away::new(&open).id("a", "/x");
        assert_eq!(Away::new(&open).target("a", &id), None, "nobody can make one up");
    }

    #[test]
    fn what_was_changed_is_none_of_ours() {
        let away = Away::new(&registry("a"));
        let id = away.id("a", "/x");
        for other in [
            format!("{id}2f"),
            id[..id.len() - 2].to_owned(),
            id[..id.len() - 1].to_owned(),
            id.replace("at-", "at-00"),
            "at-".to_owned(),
            "at-+f".to_owned(),
            "4f-2".to_owned(),
        ] {
            assert_eq!(away.target("a", &other), None, "{other}");
        }
    }
}
