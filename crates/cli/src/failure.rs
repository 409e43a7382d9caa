//! The one place where an error becomes words for a person and a code for a script.

mod hint;

use std::error::Error;

use airlift_oci::store::{ErrorKind, StoreError, Trouble, chain};
use airlift_tape::device::DeviceError;
use airlift_tape::ledger::LedgerError;
use airlift_tape::{DeserializeError, MbufferError, ReadError, ResumeError, SerializeError};

use crate::config::ConfigError;
use crate::exit::Exit;
use crate::interrupt::Interrupted;
use crate::screen::Screen;

pub(crate) use hint::trouble_hint;

/// Something on the command line, or in a file that it names, is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Usage {
    message: String,
    hint: Option<String>,
}

impl Usage {
    /// An error with one sentence on what to do next.
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Usage { message: message.into(), hint: Some(hint.into()) }
    }
}

/// Shows `error` with all its causes, once, and what to do next; says with which code to end.
pub(crate) fn tell(error: &anyhow::Error, screen: &Screen) -> Exit {
    screen.set_bar(None);
    for line in message(error) {
        screen.line(&line);
    }
    exit(error)
}

/// What is shown.
fn message(error: &anyhow::Error) -> impl Iterator<Item = String> {
    let hint = hint::of(error).map(|hint| format!("hint: {hint}"));
    std::iter::once(format!("error: {}", chain(error.as_ref()))).chain(hint)
}

/// The code that an error ends with: causes decide, however deep they are.
pub(crate) fn exit(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        if cause.is::<Interrupted>() {
            return Exit::Interrupted;
        }
        if cause.is::<Usage>() || cause.is::<ConfigError>() || is_setting(cause) {
            return Exit::Usage;
        }
        let store = cause.downcast_ref::<StoreError>();
        if cause.downcast_ref::<DeserializeError>().is_some_and(is_damage)
            || cause.downcast_ref::<ReadError>().is_some_and(ReadError::is_damage)
            || store.is_some_and(is_of_archive)
            || matches!(cause.downcast_ref(), Some(SerializeError::EndOfMedium { .. }))
        {
            return Exit::Damaged;
        }
    }
    Exit::Failed
}

/// Whether a setting is at fault, or what a name stands for, that only the library could judge:
/// nothing was begun.
fn is_setting(cause: &(dyn Error + 'static)) -> bool {
    if let Some(error) = cause.downcast_ref::<StoreError>() {
        return match error.kind() {
            ErrorKind::Configuration(_) => true,
            ErrorKind::Open { source, .. } => is_wrong_name(source),
            _ => false,
        };
    }
    if let Some(error) = cause.downcast_ref::<ReadError>() {
        return is_absent(error);
    }
    if let Some(error) = cause.downcast_ref::<LedgerError>() {
        return is_no_ledger(error);
    }
    if let Some(error) = cause.downcast_ref::<DeviceError>() {
        return is_refused(error);
    }
    match (cause.downcast_ref(), cause.downcast_ref(), cause.downcast_ref()) {
        // Transparent errors hide what they stand for from the chain.
        (Some(SerializeError::Device(error)), _, _) | (_, Some(MbufferError::Device(error)), _) => {
            is_refused(error)
        }
        (Some(SerializeError::Resume(error)), _, _) => match error {
            ResumeError::Ledger(error) => is_no_ledger(error),
            ResumeError::Read { .. } => false,
            _ => true,
        },
        (_, _, Some(DeserializeError::Read(error))) => is_absent(error),
        _ => false,
    }
}

/// Whether a medium is not there, or is no medium.
fn is_absent(error: &ReadError) -> bool {
    matches!(error, ReadError::Open { source, .. } if is_wrong_name(source))
}

fn is_no_ledger(error: &LedgerError) -> bool {
    match error {
        LedgerError::Open { source, .. } => is_wrong_name(source),
        _ => true,
    }
}

/// Whether a device was not touched, because of what it was asked for or what is there.
fn is_refused(error: &DeviceError) -> bool {
    match error {
        DeviceError::Exists(_)
        | DeviceError::Partial(_)
        | DeviceError::NoDirectory(_)
        | DeviceError::Directory(_)
        | DeviceError::Settings(_) => true,
        DeviceError::Open { source, .. } => is_wrong_name(source),
        DeviceError::Ledger { source, .. } => {
            is_wrong_name(source) || source.kind() == std::io::ErrorKind::InvalidInput
        }
        _ => false,
    }
}

fn is_wrong_name(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as Io;
    let kind = error.kind();
    matches!(kind, Io::NotFound | Io::NotADirectory | Io::IsADirectory | Io::PermissionDenied)
}

/// Whether what was opened is no archive, or a damaged one.
fn is_of_archive(error: &StoreError) -> bool {
    let within = error.place().starts_with("oci-archive:");
    matches!(error.kind(), ErrorKind::Archive(_) | ErrorKind::Stub { .. })
        || (within && matches!(error.trouble(), Some(Trouble::Damaged)))
}

/// Whether the medium is at fault, rather than the way to it or the destination.
fn is_damage(error: &DeserializeError) -> bool {
    match error {
        DeserializeError::Read(error) => error.is_damage(),
        DeserializeError::Store(error) => is_of_archive(error),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use airlift_oci::store::{ErrorKind, StoreError};
    use airlift_tape::device::DeviceError;
    use airlift_tape::ledger::LedgerError;
    use airlift_tape::{DeserializeError, ReadError};
    use anyhow::Context;

    use super::{Usage, exit, message};
    use crate::exit::Exit;
    use crate::interrupt::Interrupted;

    #[test]
    fn the_chain_is_told_once_and_with_a_hint() {
        let denied = StoreError::new("reg.example.com/a", ErrorKind::Denied("no".to_owned()));
        let error = Err::<(), _>(denied).context("gathering x failed").expect_err("is one");
        assert_eq!(
            message(&error).collect::<Vec<_>>(),
            [
                "error: gathering x failed: reg.example.com/a: access denied: no",
                "hint: `airlift login reg.example.com`, or ask for access to this repository",
            ]
        );
        assert_eq!(exit(&error), Exit::Failed);
    }

    #[test]
    fn causes_within_transparent_errors_give_their_hint() {
        let lost = StoreError::new("reg.example.com/a", ErrorKind::TimedOut(30));
        let error = anyhow::Error::new(DeserializeError::Store(lost));
        let hint = |error: &anyhow::Error| message(error).nth(1).unwrap_or_default();
        assert!(hint(&error).contains("hint: check that reg.example.com can be reached"));
        let lost = StoreError::new("reg.example.com/a", ErrorKind::TimedOut(30));
        let error = anyhow::Error::new(lost.sent_on_to("cdn.example.com:8443"));
        let said = message(&error).next().unwrap_or_default();
        assert!(said.contains("reg.example.com/a: sent on to cdn.example.com:8443: no"), "{said}");
        let said = hint(&error);
        assert!(said.contains("hint: check that cdn.example.com:8443 can be reached"), "{said}");
        let gone = StoreError::new("oci:dir", ErrorKind::NotFound("x".to_owned()));
        assert_eq!(hint(&gone.into()), "hint: check the name");
        let lacking = anyhow::Error::new(DeserializeError::Missing(Vec::new()));
        assert_eq!(hint(&lacking), "");
        assert_eq!(exit(&lacking), Exit::Damaged);
    }

    #[test]
    fn what_cannot_be_opened_is_a_wrong_name_to_every_verb() {
        use std::io::{Error, ErrorKind as Io};
        use std::path::Path;

        let codes = |kind: Io| {
            let (path, place) = (Path::new("x"), || "x".to_owned());
            let of = |source: Error| -> [anyhow::Error; 5] {
                let again = || Error::from(source.kind());
                [
                    StoreError::open(path, again()).into(),
                    ReadError::Open { place: place(), source: again() }.into(),
                    LedgerError::Open { path: path.to_owned(), source: again() }.into(),
                    DeviceError::Open { place: place(), source: again() }.into(),
                    DeviceError::Ledger { path: path.to_owned(), source: again() }.into(),
                ]
            };
            of(kind.into()).map(|error| exit(&error))
        };
        for kind in [Io::NotFound, Io::NotADirectory, Io::IsADirectory, Io::PermissionDenied] {
            assert_eq!(codes(kind), [Exit::Usage; 5], "{kind:?}");
        }
        assert_eq!(codes(Io::TimedOut), [Exit::Failed; 5], "the name is right");
    }

    #[test]
    fn damage_is_told_from_a_medium_that_cannot_be_read() {
        let read = |source: std::io::Error| {
            let read = ReadError::Io { place: "x".to_owned(), offset: 0, source };
            exit(&anyhow::Error::new(DeserializeError::Read(read)))
        };
        assert_eq!(read(std::io::ErrorKind::InvalidData.into()), Exit::Damaged);
        assert_eq!(read(std::io::ErrorKind::UnexpectedEof.into()), Exit::Damaged);
        assert_eq!(read(std::io::Error::from_raw_os_error(5)), Exit::Failed);
    }

    #[test]
    fn causes_decide_the_code_however_deep_they_are() {
        let usage = anyhow::Error::new(Usage::new("bad", "do better")).context("outer");
        assert_eq!(exit(&usage), Exit::Usage);
        let stopped = anyhow::Error::new(Interrupted::default()).context("outer");
        assert_eq!(exit(&stopped), Exit::Interrupted);
    }
}
