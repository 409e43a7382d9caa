//! Credentials for a token: by GET, or by POST where there is an identity token (distribution's
//! token and OAuth2 documents).

use std::sync::atomic::AtomicU32;

use http::{HeaderMap, HeaderValue, Method, header};
use serde::Deserialize;
use url::Url;

use super::challenge::Bearer;
use super::scopes::Scopes;
use super::token::Token;
use crate::registry::call::{Call, Insist, Lent, Payload, Read};
use crate::registry::credential::Credential;
use crate::registry::failure::protocol;
use crate::registry::haste::Course;
use crate::registry::kind::Kind;
use crate::registry::limits::Lane;
use crate::registry::proof::Proof;
use crate::registry::secret::Secret;
use crate::registry::transport::is_loopback;
use crate::registry::wires::Wires;
use crate::store::{ErrorKind, StoreError};

/// The most that is read of a token server's answer, in bytes.
const ANSWER: usize = 1 << 20;
/// How long a token lives whose server does not say (distribution's token document).
const LIFE: u64 = 60;
const CLIENT: &str = "airlift";

/// All that an exchange needs.
pub(super) struct Exchange<'a> {
    pub(super) wires: &'a Wires,
    /// The endpoint that sent the challenge.
    pub(super) base: &'a Url,
    pub(super) account: &'a str,
    pub(super) bearer: &'a Bearer,
    pub(super) credential: Option<Credential>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
    #[serde(default)]
    expires_in: Option<f64>,
}

impl Exchange<'_> {
    /// Gets a token for `scopes` and what a challenge asked for in `extra`.
    pub(super) async fn run(&self, scopes: &Scopes, extra: &str) -> Result<Token, StoreError> {
        let realm = self.realm()?;
        let (spare, scopes) = (scopes.is_spare(), scopes.strings(extra));
        let mut call = match &self.credential {
            Some(Credential::Identity(token)) => {
                let grant = [("grant_type", "refresh_token"), ("refresh_token", token.expose())];
                self.post(realm, &scopes, &grant)
            }
            Some(Credential::Basic { username, password }) => {
                self.get(realm, &scopes, Some((username, password)))
            }
            _ => self.get(realm, &scopes, None),
        };
        if spare {
            call.insist = Insist::Hardly;
        }
        let wire = self.wires.wire(&call.url, self.base)?;
        let mut answer = wire.plain(&call).await?;
        if let (Some(Credential::Basic { username, password }), 404 | 405 | 501) =
            (&self.credential, answer.status.as_u16())
        {
            // Token servers that know OAuth2 alone. The first answer's permit is given back before
            // another is waited for.
            drop(answer);
            let login = [("username", username.as_str()), ("password", password.expose())];
            let grant = [("grant_type", "password"), login[0], login[1]];
            answer = wire.plain(&self.post(self.realm()?, &scopes, &grant)).await?;
        }
        if !answer.status.is_success() {
            return Err(self.refused(&answer.error()));
        }
        self.read(&answer.body)
    }

    fn refused(&self, error: &StoreError) -> StoreError {
        let text = format!("the token server refused the credentials: {}", error.kind());
        StoreError::new(self.account, ErrorKind::Denied(text))
    }

    fn read(&self, body: &[u8]) -> Result<Token, StoreError> {
        let answer: Answer = serde_json::from_slice(body)
            .map_err(|_| protocol(self.account, "the token server's answer is not JSON"))?;
        let text = if answer.token.is_empty() { answer.access_token } else { answer.token };
        if text.is_empty() || HeaderValue::from_str(&text).is_err() {
            return Err(protocol(self.account, "the token server's answer holds no usable token"));
        }
        let life = answer.expires_in.filter(|life| *life >= 1.0).map_or(LIFE, |life| life as u64);
        Ok(Token::new(Secret::new(text), life))
    }

    fn get(&self, mut realm: Url, scopes: &[String], basic: Option<(&String, &Secret)>) -> Call {
        {
            let mut query = realm.query_pairs_mut();
            if let Some(service) = &self.bearer.service {
                query.append_pair("service", service);
            }
            for scope in scopes {
                query.append_pair("scope", scope);
            }
            if let Some((username, _)) = basic {
                query.append_pair("account", username);
            }
        }
        let mut headers = HeaderMap::new();
        if let Some((username, password)) = basic {
            let proof = Proof::basic(username, password);
            headers.extend(proof.header().map(|value| (header::AUTHORIZATION, value)));
        }
        self.call(Method::GET, realm, headers, Payload::None)
    }

    fn post(&self, realm: Url, scopes: &[String], grant: &[(&str, &str)]) -> Call {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(grant).append_pair("client_id", CLIENT);
        form.append_pair("scope", &scopes.join(" "));
        if let Some(service) = &self.bearer.service {
            form.append_pair("service", service);
        }
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, form_type)]);
        self.call(Method::POST, realm, headers, Payload::Bytes(form.finish().into()))
    }

    fn call(&self, method: Method, url: Url, headers: HeaderMap, payload: Payload) -> Call {
        Call {
            kind: Kind::Token,
            method,
            url,
            headers,
            payload,
            lane: Lane::Small,
            place: self.account.to_owned(),
            read: Read::Whole(ANSWER),
            hasty: false,
            insist: Insist::default(),
            permit: Lent::default(),
            course: Course::default(),
            cuts: AtomicU32::new(0),
        }
    }

    /// The token server. Another host than the registry's is usual, but credentials go there only
    /// under TLS, or to this machine, or where the registry itself is spoken to without TLS.
    fn realm(&self) -> Result<Url, StoreError> {
        let text = &self.bearer.realm;
        let realm = self.base.join(text).ok().filter(|url| url.host().is_some());
        let Some(realm) = realm.filter(|url| matches!(url.scheme(), "https" | "http")) else {
            return Err(protocol(
                self.account,
                format!("the token server's URL {text:?} is invalid"),
            ));
        };
        let at_home = realm.host() == self.base.host() && self.base.scheme() == "http";
        if realm.scheme() == "https" || is_loopback(&realm) || at_home {
            return Ok(realm);
        }
        let place = realm.host_str().unwrap_or_default();
        let text = format!(
            "the token server {place} is not reached by https: refused, to keep credentials from being read on the way"
        );
        Err(StoreError::new(self.account, ErrorKind::Denied(text)))
    }
}
