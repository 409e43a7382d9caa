//! Why a request failed, in a few words: for a line on a screen that has to say more than this.

use std::error::Error;
use std::io;

use super::by_proxy::ByProxy;
use crate::store::{ErrorKind, StoreError};

/// What a resolver's failure begins with, in the standard library's words.
const NO_ADDRESS: &str = "failed to lookup address information";
/// What follows when the resolver itself could not be asked: by glibc and BSD, by musl.
const ASK_LATER: [&str; 2] = ["temporary failure in name resolution", "try again"];

/// Why nobody answers at a host, where that is as likely a mistake as trouble that passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absence {
    /// The machine is there, and nothing listens on it.
    Refused,
    /// There is no such name.
    Unknown,
    /// One of both, of the proxy that is asked in its place.
    Proxy,
}

/// Whether an error tells that nobody is there.
pub(super) fn absence(error: &StoreError) -> Option<Absence> {
    let ErrorKind::Network(cause) = error.kind() else { return None };
    let absence = causes(&**cause).find_map(|cause| {
        let refused = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        if refused == Some(io::ErrorKind::ConnectionRefused) {
            return Some(Absence::Refused);
        }
        let words = cause.to_string().to_lowercase();
        let unknown =
            words.contains(NO_ADDRESS) && !ASK_LATER.iter().any(|later| words.contains(later));
        unknown.then_some(Absence::Unknown)
    })?;
    let by_proxy = causes(&**cause).find_map(|cause| cause.downcast_ref::<ByProxy>()).is_some();
    Some(if by_proxy { Absence::Proxy } else { absence })
}

/// Why a request failed.
pub(super) fn brief(error: &StoreError) -> String {
    match (absence(error), error.kind()) {
        (Some(Absence::Refused), _) => "connection refused".to_owned(),
        (Some(Absence::Unknown), _) => "its name is not known".to_owned(),
        (Some(Absence::Proxy), _) => "its proxy cannot be reached".to_owned(),
        (None, ErrorKind::Network(cause)) => last(&**cause),
        (None, ErrorKind::Status { status, .. }) => format!("it answered {status}"),
        (None, kind) => kind.to_string(),
    }
}

/// The innermost cause, without the number that systems put behind their words.
fn last(error: &(dyn Error + 'static)) -> String {
    let text = causes(error).last().map(ToString::to_string).unwrap_or_default();
    let text = text.split(" (os error").next().unwrap_or_default();
    let text = text.strip_prefix(NO_ADDRESS).map_or(text, |rest| rest.trim_start_matches(": "));
    let mut letters = text.chars();
    let first = letters.next().map(char::to_lowercase);
    first.into_iter().flatten().chain(letters).take(80).collect()
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'a (dyn Error + 'static) = *error;
        error.source()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("client error (Connect)")]
    struct Outer(#[source] io::Error);

    fn network(cause: io::Error) -> StoreError {
        StoreError::new("a.io/x", ErrorKind::Network(Box::new(Outer(cause))))
    }

    #[test]
    fn nobody_is_there() {
        let refused = network(io::Error::from_raw_os_error(111));
        assert_eq!(absence(&refused), Some(Absence::Refused));
        assert_eq!(brief(&refused), "connection refused");
        let resolver = |words: &str| network(io::Error::other(format!("{NO_ADDRESS}: {words}")));
        let unknown = resolver("Name or service not known");
        assert_eq!(absence(&unknown), Some(Absence::Unknown));
        assert_eq!(brief(&unknown), "its name is not known");
        let later = resolver("Temporary failure in name resolution");
        assert_eq!(absence(&later), None);
        assert_eq!(brief(&later), "temporary failure in name resolution");
    }

    #[test]
    fn other_trouble() {
        let reset = network(io::Error::from_raw_os_error(104));
        assert_eq!(absence(&reset), None);
        assert_eq!(brief(&reset), "connection reset by peer");
        let late = StoreError::new("a.io/x", ErrorKind::TimedOut(60));
        assert_eq!(brief(&late), "no answer within 60 s");
        let (url, message) = ("http://a.io/v2/".to_owned(), "a page of text".to_owned());
        let busy = ErrorKind::Status { method: "GET", url, status: 503, message };
        assert_eq!(brief(&StoreError::new("a.io/x", busy)), "it answered 503");
    }
}
