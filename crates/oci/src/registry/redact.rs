//! What an answer repeats of what it was asked with. Gateways and debugging servers put the
//! credentials they refuse into their explanations; from there they would come into logs and reports.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderValue;
use url::form_urlencoded;

use super::call::{Call, Payload};
use super::kind::Kind;
use super::proof::Proof;

/// What stands in the place of a secret.
const MASK: &str = "***";

/// So much of the beginning of a secret, where an explanation was cut off, may be one.
const BEGINNING: usize = 4;

/// An explanation without the secrets that went out with the request.
pub(super) fn redact(body: Bytes, call: &Call, proof: &Proof) -> Bytes {
    match Secrets::of(call, proof) {
        Some(secrets) => secrets.mask(body),
        None => body,
    }
}

/// The secrets of a request, each in the ways that an answer may write it, longer ones first: they
/// may hold shorter ones.
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// Those of a request, if it had any.
    pub(super) fn of(call: &Call, proof: &Proof) -> Option<Self> {
        let mut secrets = secrets(call, proof);
        secrets.retain(|secret| !secret.is_empty());
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        (!secrets.is_empty()).then_some(Secrets(secrets))
    }

    /// A text without them.
    pub(super) fn mask(&self, body: Bytes) -> Bytes {
        let text = String::from_utf8_lossy(&body);
        match self.masked(&text) {
            Some(plain) => plain.into(),
            None => body,
        }
    }

    /// A header without them.
    pub(super) fn mask_header(&self, value: &mut HeaderValue) {
        let text = String::from_utf8_lossy(value.as_bytes());
        if let Some(plain) = self.masked(&text) {
            *value = HeaderValue::from_str(&plain).unwrap_or(HeaderValue::from_static(MASK));
        }
    }

    /// `None`: it has none of them.
    fn masked(&self, text: &str) -> Option<String> {
        let mut plain = text.to_owned();
        for secret in &self.0 {
            plain = plain.replace(secret, MASK);
        }
        // Where it was cut off it may hold a part.
        let cut = self.0.iter().filter_map(|secret| {
            let parts = (BEGINNING..secret.len()).rev().filter_map(|end| secret.get(..end));
            parts.into_iter().find(|part| plain.ends_with(part)).map(str::len)
        });
        if let Some(length) = cut.max() {
            plain.truncate(plain.len() - length);
            plain.push_str(MASK);
        }
        (plain != text).then_some(plain)
    }
}

/// The secrets of a request, each in the ways that an answer may write it.
fn secrets(call: &Call, proof: &Proof) -> Vec<String> {
    let sensitive = call.headers.values().filter(|value| value.is_sensitive()).cloned();
    let mut found: Vec<String> = sensitive.chain(proof.header()).flat_map(of_header).collect();
    if let (Kind::Token, Payload::Bytes(form)) = (call.kind, &call.payload) {
        let fields = form_urlencoded::parse(form);
        let secret = fields.filter(|(key, _)| matches!(&**key, "password" | "refresh_token"));
        found.extend(secret.map(|(_, value)| value.into_owned()));
    }
    let written = found.iter().flat_map(|secret| {
        let json = serde_json::to_string(secret).unwrap_or_default();
        let json = json.get(1..json.len().saturating_sub(1)).unwrap_or_default().to_owned();
        [json, form_urlencoded::byte_serialize(secret.as_bytes()).collect()]
    });
    let written: Vec<String> = written.collect();
    found.extend(written);
    found
}

/// The value behind the scheme, and of a user and password also the password.
fn of_header(value: HeaderValue) -> Vec<String> {
    let text = value.to_str().unwrap_or_default();
    let (scheme, secret) = text.split_once(' ').unwrap_or(("", text));
    let mut found = vec![secret.to_owned()];
    if scheme.eq_ignore_ascii_case("basic")
        && let Ok(pair) = STANDARD.decode(secret)
        && let Some((_, password)) = String::from_utf8_lossy(&pair).split_once(':')
    {
        found.push(password.to_owned());
    }
    found
}
