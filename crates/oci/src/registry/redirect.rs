//! Where an answer sends us on to, and whether that is still the same host.

use http::{Method, header};
use url::Url;

use super::call::{Call, Payload, Read};
use super::endpoint::authority;
use super::failure;
use super::kind::Kind;
use super::reply::Reply;
use crate::store::StoreError;

/// Whether two URLs lead to the same host by the same protocol: credentials may go along.
pub(super) fn same_host(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme() && authority(a) == authority(b)
}

/// Where an answer redirects to, when it does.
pub(super) fn redirect(
    call: &Call,
    url: &Url,
    response: &Reply,
) -> Result<Option<Url>, StoreError> {
    let reads = call.method == Method::GET || call.method == Method::HEAD;
    let follow = match response.status().as_u16() {
        _ if matches!(call.read, Read::Answer) => false,
        301..=303 => reads,
        307 | 308 => true,
        _ => false,
    };
    let Some(location) = response.headers().get(header::LOCATION).filter(|_| follow) else {
        return Ok(None);
    };
    let next = location.to_str().ok().and_then(|location| target(url, location));
    let Some(next) = next else {
        return Err(failure::protocol(&call.place, "a redirect leads nowhere"));
    };
    let elsewhere = next.host() != url.host() || next.port() != url.port();
    if call.kind == Kind::BlobHead
        && elsewhere
        && matches!(response.status().as_u16(), 302 | 303 | 307)
    {
        // That is answer enough, and stores of blobs often refuse HEAD.
        return Ok(None);
    }
    let holds_secret = call.kind == Kind::Token && matches!(call.payload, Payload::Bytes(_));
    if holds_secret && !same_host(&call.url, &next) {
        // What a token is exchanged for stands in the body, which would go along.
        let text = format!(
            "the token server redirects to {}, which is another host: refused, to keep credentials from it; ask its operator, or name the registry by the endpoint that is right",
            failure::shown(&next)
        );
        return Err(failure::protocol(&call.place, text));
    }
    if gives_up_tls(url, &next) {
        let text =
            format!("a redirect from https to {} without TLS was refused", failure::shown(&next));
        return Err(failure::protocol(&call.place, text));
    }
    Ok(Some(next))
}

fn target(from: &Url, location: &str) -> Option<Url> {
    from.join(location).ok().filter(|next| matches!(next.scheme(), "http" | "https"))
}

fn gives_up_tls(from: &Url, to: &Url) -> bool {
    from.scheme() == "https" && to.scheme() == "http"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_redirects_lead() {
        let from: Url = "https://reg:5000/v2/a/blobs/x?y".parse().unwrap();
        let to = |location: &str| target(&from, location);
        for (location, same, plain) in [
            ("/b", true, false),
            ("?again", true, false),
            ("https://reg:5000/b", true, false),
            ("https://reg/b", false, false),
            ("https://reg:5001/b", false, false),
            ("//reg.example.com/b", false, false),
            ("http://reg:5000/b", false, true),
        ] {
            let next = to(location).unwrap();
            assert_eq!(same_host(&from, &next), same, "{location}");
            assert_eq!(gives_up_tls(&from, &next), plain, "{location}");
        }
        for nowhere in ["ftp://reg/b", "javascript:alert(1)", "http://", "https://[x"] {
            assert_eq!(to(nowhere), None, "{nowhere}");
        }
    }
}
