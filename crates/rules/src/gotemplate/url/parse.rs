//! `url.Parse`

use std::net::Ipv6Addr;

use super::escape::{Part, unescape};
use super::{Url, User};
use crate::gotemplate::fmt::quote;
use crate::gotemplate::text::find;

type Parsed<T> = Result<T, String>;

fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(&quote(text)).into_owned()
}

/// The text before the first `mark` and the text after it.
fn cut(text: &[u8], mark: u8) -> (&[u8], &[u8]) {
    match text.iter().position(|&b| b == mark) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default()),
        None => (text, b""),
    }
}

impl Url {
    /// Reads a URL.
    pub(crate) fn parse(text: &[u8]) -> Parsed<Self> {
        let (body, fragment) = cut(text, b'#');
        let mut url =
            Self::parse_body(body).map_err(|why| format!("parse {}: {why}", shown(body)))?;
        url.fragment = unescape(fragment, Part::Fragment)
            .map_err(|why| format!("parse {}: {why}", shown(text)))?;
        Ok(url)
    }

    /// Whether the text is a host, and a port perhaps, and nothing else, as Go's `ParseRequestURI` sees it.
    pub(crate) fn is_host(text: &[u8]) -> bool {
        let with_scheme = [b"dummy://", text].concat();
        Self::parse_body(&with_scheme).is_ok_and(|url| !url.host.is_empty() && url.host == text)
    }

    fn parse_body(text: &[u8]) -> Parsed<Self> {
        if text.iter().any(u8::is_ascii_control) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        let mut url = Self::default();
        if text == b"*" {
            url.path = text.to_vec();
            return Ok(url);
        }
        let (scheme, rest) = split_scheme(text)?;
        url.scheme = scheme.to_ascii_lowercase();
        let (mut rest, query) = cut(rest, b'?');
        url.query = query.to_vec();
        if !rest.starts_with(b"/") {
            if !scheme.is_empty() {
                url.opaque = rest.to_vec();
                return Ok(url);
            }
            if cut(rest, b'/').0.contains(&b':') {
                return Err("first path segment in URL cannot contain colon".to_owned());
            }
        }
        if rest.starts_with(b"//") && (!scheme.is_empty() || !rest.starts_with(b"///")) {
            let after = rest.get(2..).unwrap_or_default();
            let end = after.iter().position(|&b| b == b'/').unwrap_or(after.len());
            (url.user, url.host) = authority(after.get(..end).unwrap_or_default())?;
            rest = after.get(end..).unwrap_or_default();
        }
        url.path = unescape(rest, Part::Path)?;
        Ok(url)
    }

    /// The host without its port and brackets.
    pub(crate) fn hostname(&self) -> &[u8] {
        let host = self.host.as_slice();
        let colon = host
            .iter()
            .rposition(|&b| b == b':')
            .filter(|&at| valid_port(host.get(at..).unwrap_or_default()));
        let host = colon.and_then(|at| host.get(..at)).unwrap_or(host);
        host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host)
    }
}

fn split_scheme(text: &[u8]) -> Parsed<(&[u8], &[u8])> {
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => return Ok(cut(text, b':')),
            _ => break,
        }
    }
    Ok((b"", text))
}

fn authority(text: &[u8]) -> Parsed<(Option<User>, Vec<u8>)> {
    let Some(at) = text.iter().rposition(|&b| b == b'@') else {
        return Ok((None, host(text)?));
    };
    let (userinfo, after) = text.split_at(at);
    let host = host(after.get(1..).unwrap_or_default())?;
    let valid = |b: &u8| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(b);
    if !userinfo.iter().all(valid) {
        return Err("net/url: invalid userinfo".to_owned());
    }
    let (name, password) = cut(userinfo, b':');
    let password = userinfo.contains(&b':').then(|| unescape(password, Part::User)).transpose()?;
    Ok((Some(User { name: unescape(name, Part::User)?, password }), host))
}

fn valid_port(text: &[u8]) -> bool {
    match text.split_first() {
        None => true,
        Some((b':', digits)) => digits.iter().all(u8::is_ascii_digit),
        Some(_) => false,
    }
}

fn host(text: &[u8]) -> Parsed<Vec<u8>> {
    let bad_port = |port: &[u8]| format!("invalid port {} after host", shown(port));
    match text.iter().rposition(|&b| b == b'[') {
        Some(0) => {}
        Some(_) => return Err("invalid IP-literal".to_owned()),
        None => {
            let colon = text.iter().rposition(|&b| b == b':').unwrap_or(text.len());
            let port = text.get(colon..).unwrap_or_default();
            return if valid_port(port) { unescape(text, Part::Host) } else { Err(bad_port(port)) };
        }
    }
    let close = text.iter().rposition(|&b| b == b']').ok_or("missing ']' in host")?;
    let port = text.get(close + 1..).unwrap_or_default();
    if !valid_port(port) {
        return Err(bad_port(port));
    }
    let address = ip_literal(text.get(1..close).unwrap_or_default())?;
    Ok([b"[", address.as_slice(), b"]", port].concat())
}

/// An IPv6 address and perhaps a zone, unescaped.
fn ip_literal(text: &[u8]) -> Parsed<Vec<u8>> {
    let zone_at = find(text, b"%25").unwrap_or(text.len());
    let (address, zone) = text.split_at(zone_at);
    let mut literal = unescape(address, Part::Host)?;
    literal.extend(unescape(zone, Part::Zone)?);
    let (address, zone) = cut(&literal, b'%');
    let parsed =
        std::str::from_utf8(address).ok().and_then(|address| address.parse::<Ipv6Addr>().ok());
    let empty_zone = zone.is_empty() && literal.contains(&b'%');
    if parsed.is_none() || empty_zone {
        return Err(format!("invalid host: ParseAddr({}): unable to parse IP", shown(&literal)));
    }
    Ok(literal)
}
