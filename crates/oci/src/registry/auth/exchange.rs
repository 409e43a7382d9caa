//! Credentials for a token: by GET, or by POST where there is an identity token (distribution's
//! token and OAuth2 documents).

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::challenge::Bearer;
use super::scopes::Scopes;
use super::token::Token;
use super::trial::Trial;
use crate::registry::call::{Call, Insist, Lent, Payload, Read};
use crate::registry::course::Course;
use crate::registry::credential::Credential;
use crate::registry::failure::protocol;
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
    /// What is known of the credential.
    pub(super) trial: Option<Arc<Trial>>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<Value>,
}

impl Answer {
    fn token(&mut self) -> Option<String> {
        let tokens = [self.token.take(), self.access_token.take()];
        tokens.into_iter().flatten().find(|token| !token.is_empty())
    }

    /// In seconds. Some servers write it as text.
    fn life(&self) -> u64 {
        let stated = self.expires_in.as_ref().and_then(|stated| match stated {
            Value::String(text) => text.trim().parse().ok(),
            stated => stated.as_f64(),
        });
        stated.filter(|life| *life >= 1.0).map_or(LIFE, |life| life as u64)
    }
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
        let status = answer.status.as_u16();
        if let (Some(Credential::Basic { username, password }), 404 | 405 | 501, false) =
            (&self.credential, status, answer.foreign)
        {
            // Token servers that know OAuth2 alone, by their own word. The first answer's permit is
            // given back before another is waited for.
            drop(answer);
            let login = [("username", username.as_str()), ("password", password.expose())];
            let grant = [("grant_type", "password"), login[0], login[1]];
            answer = wire.plain(&self.post(self.realm()?, &scopes, &grant)).await?;
        }
        if !answer.status.is_success() {
            let text =
                format!("the token server refused the credentials: {}", answer.error().kind());
            if answer.status == StatusCode::UNAUTHORIZED
                && !answer.foreign
                && let Some(trial) = &self.trial
            {
                trial.refused(text.clone());
            }
            return Err(StoreError::new(self.account, ErrorKind::Denied(text)));
        }
        let token = self.read(&answer.body)?;
        self.trial.iter().for_each(|trial| trial.passed());
        Ok(token)
    }

    fn read(&self, body: &[u8]) -> Result<Token, StoreError> {
        let wrong = |what| protocol(self.account, format!("the token server's answer {what}"));
        let mut answer: Answer = serde_json::from_slice(body).map_err(|error| {
            wrong(if error.is_data() { "has another form than it should" } else { "is not JSON" })
        })?;
        let token = answer.token().filter(|text| HeaderValue::from_str(text).is_ok());
        let token = token.ok_or_else(|| wrong("holds no usable token"))?;
        Ok(Token::new(Secret::new(token), answer.life()))
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
