//! What there is to say when no registry gave what it was asked for.

use http::StatusCode;

use super::asked::{Asked, Outage};
use super::failure::Failure;

/// What was said by registries that gave nothing.
#[derive(Debug, Default)]
pub(super) struct Silence {
    out: Vec<(String, Outage)>,
    refused: Vec<(String, StatusCode, String)>,
    missing: Vec<String>,
}

impl Silence {
    /// Takes in an answer of the registry that is called `backend`; gives it back if it is one to go on with.
    pub(super) fn unless<T>(&mut self, backend: &str, asked: Asked<T>) -> Option<T> {
        let name = || backend.to_owned();
        match asked {
            Asked::Answer(answer) => return Some(answer),
            Asked::Missing => self.missing.push(name()),
            Asked::Refused(status, reason) => self.refused.push((name(), status, reason)),
            Asked::Out(outage) => self.out.push((name(), outage)),
        }
        None
    }

    /// Whether every registry that was asked said that it has it not.
    pub(super) fn is_plain(&self) -> bool {
        self.out.is_empty() && self.refused.is_empty()
    }

    /// The registries that gave no answer, with the reasons.
    pub(super) fn troubles(&self) -> String {
        let out = self.out.iter().map(|(name, outage)| format!("{name}: {}", outage.reason));
        let refused = self.refused.iter().map(|(name, _, reason)| format!("{name}: {reason}"));
        let missing = self.missing.iter().map(|name| format!("{name} has it not"));
        out.chain(refused).chain(missing).collect::<Vec<_>>().join("; ")
    }

    /// The answer for the client: `nothing` only when every registry said that it has it not.
    /// Somebody whom an outage tells "no such image" would believe it.
    pub(super) fn failure(&self, nothing: Failure) -> Failure {
        let message = self.troubles();
        let garbage = self.refused.iter().any(|(_, status, _)| status.is_server_error());
        if !self.out.is_empty() || garbage {
            let retry = self.out.iter().filter_map(|(_, outage)| outage.retry).min();
            let known = !garbage && self.out.iter().all(|(_, outage)| outage.retry.is_some());
            let status =
                if known { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::BAD_GATEWAY };
            return Failure { status, code: "UNAVAILABLE", message, retry };
        }
        match self.refused.first() {
            None => nothing,
            // 401 would make the client look for credentials for us.
            Some((_, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _)) => {
                Failure::new(StatusCode::FORBIDDEN, "DENIED", message)
            }
            Some((_, status, _)) => Failure::new(*status, "UNKNOWN", message),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_when_all_say_so_is_it_missing() {
        let nothing = || Failure::new(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "none");
        let verdict = |asked: Vec<Asked<()>>| {
            let mut silence = Silence::default();
            for (backend, asked) in ["hot", "cold"].into_iter().zip(asked) {
                assert!(silence.unless(backend, asked).is_none());
            }
            let failure = silence.failure(nothing());
            (failure.status.as_u16(), failure.code, failure.retry.map(|retry| retry.as_secs()))
        };
        let out = |seconds: Option<u64>| {
            let retry = seconds.map(Duration::from_secs);
            Asked::Out(Outage { reason: "x".to_owned(), retry })
        };
        let refused =
            |status: u16| Asked::Refused(StatusCode::from_u16(status).unwrap(), "x".to_owned());
        let missing = || Asked::Missing;
        assert_eq!(verdict(vec![missing(), missing()]), (404, "MANIFEST_UNKNOWN", None));
        assert_eq!(verdict(vec![missing(), out(None)]), (502, "UNAVAILABLE", None));
        assert_eq!(verdict(vec![out(Some(7)), missing()]), (503, "UNAVAILABLE", Some(7)));
        assert_eq!(verdict(vec![out(Some(7)), out(None)]), (502, "UNAVAILABLE", Some(7)));
        assert_eq!(verdict(vec![out(Some(7)), out(Some(3))]), (503, "UNAVAILABLE", Some(3)));
        assert_eq!(verdict(vec![missing(), refused(401)]), (403, "DENIED", None));
        assert_eq!(verdict(vec![refused(403), out(None)]), (502, "UNAVAILABLE", None));
        assert_eq!(verdict(vec![refused(502), missing()]), (502, "UNAVAILABLE", None));
    }
}
