//! Errors of requests: which kind, in the registry's own words, without secrets.

use http::StatusCode;
use serde::Deserialize;
use url::Url;

use super::by_proxy::ByProxy;
use crate::store::{ErrorKind, StoreError, chain};

/// The most that is read of an error's body.
pub(super) const ERROR_BODY: usize = 8 * 1024;

/// A URL for messages: without user, query and fragment, which may hold signatures.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Fails only for URLs that can hold no user.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

/// An error of the connection.
pub(super) fn network(place: &str, error: reqwest::Error) -> StoreError {
    let error: Box<dyn std::error::Error + Send + Sync> = match ByProxy::explain(error) {
        Ok(error) => Box::new(error),
        Err(error) => Box::new(error),
    };
    let words = chain(&*error);
    if is_foreign(&words) {
        return foreign(place);
    }
    if !is_distrust(&words) {
        return StoreError::new(place, ErrorKind::Network(error));
    }
    let kind = ErrorKind::Tls(match told(&words) {
        Some(why) => Box::new(Distrust { why, source: error }),
        None => error,
    });
    StoreError::new(place, kind)
}

/// Why there is no secure connection, in words for people; the library's are behind them.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
struct Distrust {
    why: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// What the library's words mean, where they do not say it themselves.
fn told(words: &str) -> Option<&'static str> {
    let known = [
        (
            "certificate: UnknownIssuer",
            "its certificate comes from an authority that is not trusted here",
        ),
        (
            "certificate: BadSignature",
            "its certificate comes from an authority that is not trusted here",
        ),
        ("certificate expired", "its certificate has expired, or the clock here is wrong"),
        ("not valid yet", "its certificate is not valid yet, or the clock here is wrong"),
        ("InvalidContentType", "what listens there does not speak TLS"),
    ];
    known.into_iter().find_map(|(words_of, why)| words.contains(words_of).then_some(why))
}

/// Whether the words of an error tell that an answer was no HTTP.
pub(super) fn is_foreign(words: &str) -> bool {
    words.contains("invalid HTTP version parsed")
}

/// What was answered is no HTTP.
pub(super) fn foreign(place: &str) -> StoreError {
    let text = "what listens there does not speak plain HTTP; if it speaks TLS, name it by \
                an endpoint https://HOST in the configuration";
    protocol(place, text)
}

/// Whether the words of an error tell that one side will not have the other's certificate, or does
/// not speak TLS at all: what no second try mends. The library's own types are out of reach here.
fn is_distrust(words: &str) -> bool {
    const DISTRUST: [&str; 10] = [
        "invalid peer certificate",
        "corrupt message of type InvalidContentType",
        "fatal alert: BadCertificate",
        "fatal alert: CertificateExpired",
        "fatal alert: CertificateRequired",
        "fatal alert: CertificateRevoked",
        "fatal alert: CertificateUnknown",
        "fatal alert: DecryptError",
        "fatal alert: HandshakeFailure",
        "fatal alert: UnknownCA",
    ];
    DISTRUST.iter().any(|known| words.contains(known))
}

/// An answer that breaks the protocol.
pub(super) fn protocol(place: &str, text: impl Into<String>) -> StoreError {
    StoreError::new(place, ErrorKind::Protocol(text.into()))
}

/// Content that is not what it should be, and came packed.
pub(super) fn packed(place: &str, encoding: &str) -> StoreError {
    let text = format!(
        "the content came with Content-Encoding: {encoding}, which was not asked for, and is not the right one as it is; keep the registry, or the proxy in front of it, from packing its answers"
    );
    protocol(place, text)
}

/// An error status.
pub(super) fn status(
    place: &str,
    method: &http::Method,
    url: &Url,
    status: StatusCode,
    body: &[u8],
) -> StoreError {
    let message = words(body);
    let kind = match status.as_u16() {
        401 | 403 => {
            let message = if message.is_empty() { String::new() } else { format!(": {message}") };
            ErrorKind::Denied(format!(
                "{method} {} was answered with {status}{message}",
                shown(url)
            ))
        }
        code => ErrorKind::Status {
            method: method_name(method),
            url: shown(url),
            status: code,
            message,
        },
    };
    StoreError::new(place, kind)
}

/// The codes of an OCI error answer.
pub(super) fn codes(body: &[u8]) -> Vec<String> {
    let envelope: Envelope = serde_json::from_slice(body).unwrap_or_default();
    envelope.errors.into_iter().map(|error| error.code).collect()
}

/// Whether a refusal says that there were too many requests, as some registries do without 429.
pub(super) fn tells_of_throttling(body: &[u8]) -> bool {
    const WORDS: [&str; 6] = [
        "toomanyrequests",
        "too many requests",
        "rate exceeded",
        "rate limit exceeded",
        "secondary rate limit",
        "throttlingexception",
    ];
    let said = words(body).to_ascii_lowercase();
    WORDS.iter().any(|known| said.contains(known))
}

#[derive(Default, Deserialize)]
struct Envelope {
    #[serde(default)]
    errors: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// What the other side says, on one short line: the entries of an OCI error answer, else the text.
pub(super) fn words(body: &[u8]) -> String {
    let text = match serde_json::from_slice::<Envelope>(body) {
        Ok(envelope) if !envelope.errors.is_empty() => {
            let line = |error: &Entry| match (error.code.as_str(), error.message.as_str()) {
                (code, "") => code.to_owned(),
                ("", message) => message.to_owned(),
                (code, message) => format!("{code}: {message}"),
            };
            envelope.errors.iter().map(line).collect::<Vec<_>>().join("; ")
        }
        _ => String::from_utf8_lossy(body).into_owned(),
    };
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let clean = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    // A page for a browser tells a person at a terminal nothing.
    if clean.starts_with('<') { String::new() } else { clean.chars().take(300).collect() }
}

fn method_name(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "request",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registrys_own_words() {
        let body = br#"{"errors":[{"code":"DENIED","message":"no\u001b[31m way"},{"code":"X"}]}"#;
        assert_eq!(words(body), "DENIED: no [31m way; X");
        assert_eq!(codes(body), ["DENIED", "X"]);
        assert_eq!(words(b"plain\r\ntext"), "plain text");
        assert_eq!(words(b"<html><body>502</body></html>"), "");
        assert_eq!(words(&[0xff; 2000]).chars().count(), 300);
    }

    #[test]
    fn distrust_is_told_in_words_for_people() {
        for (words, wanted) in [
            ("invalid peer certificate: UnknownIssuer", "an authority that is not trusted"),
            ("invalid peer certificate: BadSignature", "an authority that is not trusted"),
            ("invalid peer certificate: certificate expired: …", "has expired"),
            ("invalid peer certificate: certificate not valid yet: …", "not valid yet"),
            ("received corrupt message of type InvalidContentType", "does not speak TLS"),
        ] {
            assert!(is_distrust(words), "{words}");
            assert!(told(words).is_some_and(|told| told.contains(wanted)), "{words}");
        }
        assert_eq!(told("fatal alert: HandshakeFailure"), None);
    }

    #[test]
    fn refusals_that_ask_for_patience() {
        for body in [
            r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"x"}]}"#,
            "Rate exceeded",
            r#"{"message":"You have exceeded a secondary rate limit."}"#,
        ] {
            assert!(tells_of_throttling(body.as_bytes()), "{body}");
        }
        for body in ["", "denied", r#"{"errors":[{"code":"DENIED","message":"quota exceeded"}]}"#] {
            assert!(!tells_of_throttling(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn urls_are_shown_without_secrets() {
        let url = "https://u:p@h/v2/a?X-Signature=s#f".parse().unwrap();
        assert_eq!(shown(&url), "https://h/v2/a");
    }
}
