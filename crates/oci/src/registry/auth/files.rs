//! Files of credentials as docker and podman write them: `config.json`, `auth.json`
//! (containers-auth.json(5)).

use std::collections::BTreeMap;
use std::io::ErrorKind::NotFound;
use std::path::Path;

use base64::Engine;
use base64::engine::GeneralPurposeConfig;
use base64::engine::{DecodePaddingMode, GeneralPurpose};
use serde::Deserialize;

use crate::registry::credential::Credential;
use crate::registry::endpoint::canonical;
use crate::registry::secret::Secret;
use crate::store::{ErrorKind, StoreError, read_small};

/// One file.
#[derive(Debug)]
pub(super) struct AuthFile {
    path: String,
    auths: BTreeMap<String, Credential>,
    helpers: BTreeMap<String, String>,
    store: Option<String>,
}

/// A program that keeps credentials.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Helper<'a> {
    /// Named for this registry.
    Own(&'a str),
    /// For all registries.
    Store(&'a str),
}

impl<'a> Helper<'a> {
    pub(super) fn name(&self) -> &'a str {
        match self {
            Helper::Own(name) | Helper::Store(name) => name,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    #[serde(default)]
    auths: Option<BTreeMap<String, Option<RawEntry>>>,
    #[serde(default)]
    cred_helpers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
struct RawEntry {
    #[serde(default)]
    auth: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default, alias = "identityToken")]
    identitytoken: Option<String>,
    #[serde(default, alias = "registryToken")]
    registrytoken: Option<String>,
}

impl AuthFile {
    /// Reads a file; `None` when there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, StoreError> {
        let text = match read_small(path) {
            Ok(text) => text,
            Err(error) if error.kind() == NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("reading", path, error)),
        };
        let shown = path.display().to_string();
        AuthFile::parse(shown.clone(), &text).map(Some).map_err(|fault| {
            let text = format!("{shown} is no file of credentials: {fault}");
            StoreError::new("", ErrorKind::Configuration(text))
        })
    }

    fn parse(path: String, text: &[u8]) -> Result<Self, String> {
        let blank = text.iter().all(u8::is_ascii_whitespace);
        let raw: Raw =
            if blank { Raw::default() } else { serde_json::from_slice(text).map_err(place)? };
        let mut auths = BTreeMap::new();
        for (key, entry) in raw.auths.unwrap_or_default() {
            if let Some(credential) = credential(entry.unwrap_or_default())
                .map_err(|fault| format!("the entry {key:?} {fault}"))?
            {
                auths.insert(normal(&key), credential);
            }
        }
        let helpers = raw.cred_helpers.unwrap_or_default();
        let helpers = helpers.into_iter().filter(|(_, name)| !name.is_empty());
        let helpers = helpers.map(|(key, name)| (normal(&key), name)).collect();
        let store = raw.creds_store.filter(|name| !name.is_empty());
        Ok(AuthFile { path, auths, helpers, store })
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The program to ask for `registry`.
    pub(super) fn helper(&self, registry: &str) -> Option<Helper<'_>> {
        let own = self.helpers.get(registry).map(|name| Helper::Own(name));
        own.or_else(|| self.store.as_deref().map(Helper::Store))
    }

    /// The entry with the longest key that `registry/repository` lies under.
    pub(super) fn entry(&self, registry: &str, repository: &str) -> Option<Credential> {
        let full = format!("{registry}/{repository}");
        let mut key = full.trim_end_matches('/');
        loop {
            if let Some(credential) = self.auths.get(key) {
                return Some(credential.clone());
            }
            key = &key[..key.rfind('/')?];
        }
    }
}

/// Where JSON is wrong. Not the whole message, which may quote what must not be shown.
fn place(error: serde_json::Error) -> String {
    format!("bad JSON at line {}, column {}", error.line(), error.column())
}

/// A key without scheme and API version, Docker Hub under its one name.
fn normal(key: &str) -> String {
    let bare = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://"));
    let bare = bare.unwrap_or(key).trim_end_matches('/');
    let bare = bare.strip_suffix("/v1").or_else(|| bare.strip_suffix("/v2")).unwrap_or(bare);
    match bare.split_once('/') {
        Some((registry, path)) => format!("{}/{path}", canonical(registry)),
        None => canonical(bare).to_owned(),
    }
}

fn credential(entry: RawEntry) -> Result<Option<Credential>, &'static str> {
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    if let Some(token) = some(entry.registrytoken) {
        return Ok(Some(Credential::Registry(Secret::new(token))));
    }
    if let Some(token) = some(entry.identitytoken) {
        return Ok(Some(Credential::Identity(Secret::new(token))));
    }
    let (username, password) = match some(entry.auth) {
        Some(auth) => decode(&auth)?,
        None => match (some(entry.username), some(entry.password)) {
            (Some(username), Some(password)) => (username, password),
            _ => return Ok(None),
        },
    };
    Ok(Some(Credential::of_pair(username, password)))
}

fn decode(auth: &str) -> Result<(String, String), &'static str> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let bytes = LENIENT.decode(auth.trim()).map_err(|_| "holds an `auth` that is not base64")?;
    let text = String::from_utf8(bytes).map_err(|_| "holds an `auth` that is not UTF-8")?;
    let (username, password) =
        text.split_once(':').ok_or("holds an `auth` without a colon between user and password")?;
    // Docker once padded passwords with zero bytes.
    Ok((username.to_owned(), password.trim_end_matches('\0').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> AuthFile {
        AuthFile::parse("f".to_owned(), text.as_bytes()).unwrap()
    }

    fn user(credential: Option<Credential>) -> Option<String> {
        match credential? {
            Credential::Basic { username, password } => {
                Some(format!("{username}/{}", password.expose()))
            }
            Credential::Identity(token) => Some(format!("identity {}", token.expose())),
            Credential::Registry(token) => Some(format!("registry {}", token.expose())),
        }
    }

    #[test]
    fn every_form_of_an_entry() {
        let found = file(
            r#"{"auths":{
                "a.io":{"auth":"dTpwOnE="}, "b.io":{"auth":"dTpw"}, "c.io":{"username":"u","password":"p"},
                "d.io":{"identitytoken":"i","auth":"dTpw"}, "e.io":{"registrytoken":"r"}, "f.io":{},
                "https://g.io/v1/":{"auth":"dTpw"}, "h.io":{"auth":""}, "i.io":null,
                "j.io":{"auth":"PHRva2VuPjp0"}, "k.io:5000":{"auth":"dTpw"}
            }, "somethingElse": {"x": 1}}"#,
        );
        let expected = [
            ("a.io", Some("u/p:q")),
            ("b.io", Some("u/p")),
            ("c.io", Some("u/p")),
            ("d.io", Some("identity i")),
            ("e.io", Some("registry r")),
            ("f.io", None),
            ("g.io", Some("u/p")),
            ("h.io", None),
            ("i.io", None),
            ("j.io", Some("identity t")),
            ("k.io:5000", Some("u/p")),
            ("k.io", None),
        ];
        for (registry, credential) in expected {
            assert_eq!(user(found.entry(registry, "r")).as_deref(), credential, "{registry}");
        }
    }

    #[test]
    fn the_longest_key_wins() {
        let found = file(
            r#"{"auths":{"q.io":{"username":"host","password":"p"},
                "q.io/org":{"username":"org","password":"p"},
                "q.io/org/repo":{"username":"repo","password":"p"}}}"#,
        );
        for (repository, expected) in [
            ("x", "host/p"),
            ("org/x", "org/p"),
            ("org/repo", "repo/p"),
            ("org/repository", "org/p"),
        ] {
            assert_eq!(user(found.entry("q.io", repository)).unwrap(), expected);
        }
    }

    #[test]
    fn docker_hub_by_every_name() {
        for key in
            ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"]
        {
            let found = file(&format!(r#"{{"auths":{{"{key}":{{"auth":"dTpw"}}}}}}"#));
            assert_eq!(user(found.entry("docker.io", "library/a")).unwrap(), "u/p", "{key}");
        }
    }

    #[test]
    fn helpers() {
        let found = file(
            r#"{"credsStore":"s","credHelpers":{"https://index.docker.io/v1/":"h","e.io":""}}"#,
        );
        assert_eq!(found.helper("docker.io"), Some(Helper::Own("h")));
        assert_eq!(found.helper("e.io"), Some(Helper::Store("s")));
        assert_eq!(file("{}").helper("e.io"), None);
        assert_eq!(file(" ").helper("e.io"), None);
    }

    #[test]
    fn faults_name_the_entry_and_show_no_secret() {
        let fault = |text: &str| AuthFile::parse("f".to_owned(), text.as_bytes()).unwrap_err();
        assert!(fault(r#"{"auths":{"a.io":{"auth":"hunter2!"}}}"#).contains("a.io"));
        assert!(!fault(r#"{"auths":{"a.io":{"auth":"hunter2!"}}}"#).contains("hunter2"));
        assert!(!fault(r#"{"auths":"hunter2"}"#).contains("hunter2"));
        assert!(fault("{").contains("line 1"));
    }
}
