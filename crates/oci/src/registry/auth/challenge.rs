//! `WWW-Authenticate` headers (RFC 9110, section 11.6.1).

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// What a host wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User and password.
    Basic,
    /// A token.
    Bearer(Bearer),
}

/// Where a token is to be had.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Bearer {
    /// URL of the token server.
    pub(super) realm: String,
    /// The service the token is for.
    pub(super) service: Option<String>,
    /// The scopes the refused request needed.
    pub(super) scope: Option<String>,
}

impl Challenge {
    /// Whether the same credentials are asked for in the same way; the scope may differ.
    pub(super) fn same_door(&self, other: &Challenge) -> bool {
        match (self, other) {
            (Challenge::Basic, Challenge::Basic) => true,
            (Challenge::Bearer(a), Challenge::Bearer(b)) => {
                a.realm == b.realm && a.service == b.service
            }
            _ => false,
        }
    }
}

/// The challenge to answer: a bearer one before a basic one. Others are passed over.
pub(super) fn choose(headers: &HeaderMap) -> Option<Challenge> {
    let values = headers.get_all(WWW_AUTHENTICATE).iter();
    // A realm for people may be written in any encoding, and says nothing to us.
    let texts = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
    let found: Vec<_> = texts.flat_map(|text| parse(&text)).collect();
    let bearer = found.iter().find(|challenge| matches!(challenge, Challenge::Bearer(_)));
    bearer.or(found.first()).cloned()
}

/// Every basic and bearer challenge of one header.
fn parse(text: &str) -> Vec<Challenge> {
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            break;
        }
        let (word, after) = token(rest);
        if word.is_empty() {
            // Not what the grammar allows: pass over it.
            let skip = rest.chars().next().map_or(1, char::len_utf8);
            rest = &rest[skip..];
            continue;
        }
        let follows = after.trim_start_matches([' ', '\t']);
        match (follows.strip_prefix('='), found.last_mut()) {
            (Some(value), Some((_, parameters))) if !value.starts_with('=') => {
                let (value, after) = parameter_value(value.trim_start_matches([' ', '\t']));
                parameters.push((word.to_ascii_lowercase(), value));
                rest = after;
            }
            (Some(value), _) => rest = value,
            (None, _) => {
                found.push((word.to_ascii_lowercase(), Vec::new()));
                rest = after;
            }
        }
    }
    found.into_iter().filter_map(challenge).collect()
}

fn challenge((scheme, parameters): (String, Vec<(String, String)>)) -> Option<Challenge> {
    let find = |name: &str| {
        let found = parameters.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
    };
    match scheme.as_str() {
        "basic" => Some(Challenge::Basic),
        "bearer" => {
            let (service, scope) = (find("service"), find("scope"));
            Some(Challenge::Bearer(Bearer { realm: find("realm")?, service, scope }))
        }
        _ => None,
    }
}

fn token(text: &str) -> (&str, &str) {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~/".contains(c));
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

/// A token or a quoted string. Values that should be quoted and are not (URLs) are taken up to the
/// next comma or space.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in quoted.char_indices() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return (value, &quoted[at + 1..]),
            _ => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(lines: &[&str]) -> Option<Challenge> {
        let lines = lines.iter().map(|line| (WWW_AUTHENTICATE, line.parse().unwrap()));
        choose(&lines.collect())
    }

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        let own = |text: Option<&str>| text.map(str::to_owned);
        let realm = realm.to_owned();
        Challenge::Bearer(Bearer { realm, service: own(service), scope: own(scope) })
    }

    #[test]
    fn bearer_challenges() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
        let scope = Some("repository:a/b:pull,push");
        assert_eq!(
            of(&[hub]),
            Some(bearer("https://auth.docker.io/token", Some("registry.docker.io"), scope))
        );
        assert_eq!(
            of(&[r#"bearer  REALM = "https://h/t" "#]),
            Some(bearer("https://h/t", None, None))
        );
        assert_eq!(
            of(&["Bearer realm=https://h/t?a=b,service=s"]),
            Some(bearer("https://h/t?a=b", Some("s"), None))
        );
        assert_eq!(of(&[r#"Bearer realm="a\"b", scope="""#]), Some(bearer("a\"b", None, None)));
    }

    #[test]
    fn bearer_goes_before_basic() {
        let both = r#"Basic realm="x, y", Bearer realm="https://h/t""#;
        assert_eq!(of(&[both]), Some(bearer("https://h/t", None, None)));
        let lines = ["Negotiate abc==", "BASIC realm=\"r\"", r#"Bearer realm="https://h/t""#];
        assert_eq!(of(&lines), Some(bearer("https://h/t", None, None)));
        assert_eq!(of(&lines[..2]), Some(Challenge::Basic));
        assert_eq!(of(&["Basic"]), Some(Challenge::Basic));
    }

    #[test]
    fn a_realm_in_another_encoding_is_one_all_the_same() {
        for (line, expected) in [
            (&b"Basic realm=\"Zugriff f\xfcr Ger\xe4te\""[..], Challenge::Basic),
            (
                b"Basic realm=\"\xfc\", Bearer realm=\"https://h/t\"",
                bearer("https://h/t", None, None),
            ),
        ] {
            let value = http::HeaderValue::from_bytes(line).unwrap();
            let headers = HeaderMap::from_iter([(WWW_AUTHENTICATE, value)]);
            assert_eq!(choose(&headers), Some(expected));
        }
    }

    #[test]
    fn others_are_none() {
        for nothing in ["", "Digest realm=\"x\"", "Bearer", "Bearer service=\"s\"", ",,,=\"", "é"]
        {
            assert_eq!(parse(nothing), [], "{nothing}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in ".{0,80}") {
            parse(&text);
        }
    }
}
