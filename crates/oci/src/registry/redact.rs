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

/// An explanation without the secrets that went out with the request, however they are written.
pub(super) fn redact(body: Bytes, call: &Call, proof: &Proof) -> Bytes {
    let mut secrets = secrets(call, proof);
    secrets.retain(|secret| !secret.is_empty());
    if body.is_empty() || secrets.is_empty() {
        return body;
    }
    // A longer one may hold a shorter one.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let text = String::from_utf8_lossy(&body);
    let mut plain = text.clone().into_owned();
    for secret in &secrets {
        plain = plain.replace(secret, MASK);
    }
    if plain == text { body } else { plain.into() }
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
