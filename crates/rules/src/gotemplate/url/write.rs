//! `URL.String`

use super::escape::{Part, escape};
use super::{Url, User};

impl User {
    /// Name and password with escapes.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut out = escape(&self.name, Part::User);
        if let Some(password) = &self.password {
            out.push(b':');
            out.extend(escape(password, Part::User));
        }
        out
    }
}

impl Url {
    /// The URL as a text.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.scheme.is_empty() {
            out.extend_from_slice(&self.scheme);
            out.push(b':');
        }
        if self.opaque.is_empty() {
            self.write_place(&mut out);
        } else {
            out.extend_from_slice(&self.opaque);
        }
        if !self.query.is_empty() {
            out.push(b'?');
            out.extend_from_slice(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push(b'#');
            out.extend(escape(&self.fragment, Part::Fragment));
        }
        out
    }

    /// Authority and path.
    fn write_place(&self, out: &mut Vec<u8>) {
        let named = !self.scheme.is_empty() || !self.host.is_empty() || self.user.is_some();
        if named && (!self.host.is_empty() || !self.path.is_empty() || self.user.is_some()) {
            out.extend_from_slice(b"//");
            if let Some(user) = &self.user {
                out.extend(user.text());
                out.push(b'@');
            }
            out.extend(escape(&self.host, Part::Host));
        }
        let path =
            if self.path == b"*" { self.path.clone() } else { escape(&self.path, Part::Path) };
        if !path.is_empty() && !path.starts_with(b"/") && !self.host.is_empty() {
            out.push(b'/');
        }
        if out.is_empty()
            && path.split(|&b| b == b'/').next().is_some_and(|segment| segment.contains(&b':'))
        {
            out.extend_from_slice(b"./");
        }
        out.extend(path);
    }
}
