//! What a client says in `Authorization` (RFC 7617).

use std::fmt;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderValue;

/// Clients differ in whether they pad.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A name and a password, as they were sent.
pub(super) struct Credentials {
    pub(super) name: String,
    pub(super) password: Vec<u8>,
}

impl Credentials {
    /// Reads the header. `None`: it is none of the scheme Basic.
    pub(super) fn parse(header: &HeaderValue) -> Option<Self> {
        let (scheme, encoded) = header.to_str().ok()?.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let mut text = BASE64.decode(encoded.trim()).ok()?;
        let colon = text.iter().position(|byte| *byte == b':')?;
        let password = text.split_off(colon + 1);
        text.pop();
        Some(Credentials { name: String::from_utf8(text).ok()?, password })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({:?}, ***)", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials() {
        let parse = |text: &'static str| Credentials::parse(&HeaderValue::from_static(text));
        // u:p:w
        for text in ["Basic dTpwOnc=", "basic dTpwOnc=", "BASIC  dTpwOnc"] {
            let found = parse(text).unwrap();
            assert_eq!((found.name.as_str(), found.password.as_slice()), ("u", &b"p:w"[..]));
            assert!(!format!("{found:?}").contains("p:w"));
        }
        for text in ["", "Basic", "Basic ", "Basic !", "Basic dQ==", "Bearer dTpw", "Basic /zpw"] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
