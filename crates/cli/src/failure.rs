//! The one place where an error becomes words for a person and a code for a script.

use std::error::Error;
use std::fmt::Write as _;

use airlift_oci::store::{ErrorKind, StoreError, Trouble, chain};
use airlift_tape::device::DeviceError;
use airlift_tape::{DeserializeError, MbufferError, ReadError, SerializeError};

use crate::config::ConfigError;
use crate::exit::Exit;
use crate::interrupt::Interrupted;
use crate::output::Closed;
use crate::screen::Screen;

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
    if error.downcast_ref::<Closed>().is_some() {
        return Exit::Done;
    }
    screen.set_bar(None);
    screen.write(message(error).as_bytes());
    exit(error)
}

/// The lines that are shown.
fn message(error: &anyhow::Error) -> String {
    let mut text = format!("error: {}\n", chain(error.as_ref()));
    if let Some(hint) = hint(error) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "hint: {hint}");
    }
    text
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
        if cause.downcast_ref::<DeserializeError>().is_some_and(is_damage)
            || matches!(cause.downcast_ref(), Some(SerializeError::EndOfMedium { .. }))
        {
            return Exit::Damaged;
        }
    }
    Exit::Failed
}

/// Whether a setting is at fault that only the library could judge.
fn is_setting(cause: &(dyn Error + 'static)) -> bool {
    let kind = cause.downcast_ref::<StoreError>().map(StoreError::kind);
    let archive = cause.downcast_ref::<SerializeError>();
    let buffer = cause.downcast_ref::<MbufferError>();
    matches!(kind, Some(ErrorKind::Configuration(_)))
        || matches!(archive, Some(SerializeError::Device(DeviceError::Settings(_))))
        || matches!(buffer, Some(MbufferError::Device(DeviceError::Settings(_))))
}

/// Whether the medium is at fault, rather than the way to it or the destination.
fn is_damage(error: &DeserializeError) -> bool {
    match error {
        DeserializeError::Read(error) => matches!(error, ReadError::Archive { .. }),
        DeserializeError::Store(_) => false,
        _ => true,
    }
}

/// What to do next.
fn hint(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(hint_of)
}

fn hint_of(cause: &(dyn Error + 'static)) -> Option<String> {
    if let Some(usage) = cause.downcast_ref::<Usage>() {
        return usage.hint.clone();
    }
    if let Some(config) = cause.downcast_ref::<ConfigError>() {
        return config.hint();
    }
    if let Some(interrupted) = cause.downcast_ref::<Interrupted>() {
        let again = "run the same command again: what is complete is not moved again";
        return Some(interrupted.go_on.clone().unwrap_or_else(|| again.to_owned()));
    }
    match cause.downcast_ref::<DeserializeError>() {
        // A transparent error hides what it stands for from the chain; its list says what to do.
        Some(DeserializeError::Store(error)) => return store_hint(error),
        Some(DeserializeError::Missing(_)) => return None,
        _ => {}
    }
    match cause.downcast_ref::<SerializeError>() {
        Some(SerializeError::Store(error)) => return store_hint(error),
        Some(SerializeError::Device(DeviceError::Full { .. })) => {
            let hint = "make room there and say --resume, or write to another place";
            return Some(hint.to_owned());
        }
        _ => {}
    }
    if cause.downcast_ref::<DeserializeError>().is_some_and(is_damage) {
        let hint = "nothing was tagged; read the medium again, and if it stays so, write it again";
        return Some(hint.to_owned());
    }
    store_hint(cause.downcast_ref::<StoreError>()?)
}

fn store_hint(error: &StoreError) -> Option<String> {
    error.trouble().map(|trouble| trouble_hint(trouble, error.place()))
}

/// What to do about a trouble at a place.
pub(crate) fn trouble_hint(trouble: Trouble, place: &str) -> String {
    let local = ["oci:", "oci-archive:", "/", "."].iter().any(|with| place.starts_with(with));
    let host = place.split('/').next().unwrap_or_default();
    let hint = match trouble {
        Trouble::Full => "make room there, or write to another place",
        Trouble::Missing if local || host.is_empty() => "check the name",
        Trouble::Damaged => {
            "the content was damaged on its way or at its place: get it from another copy"
        }
        Trouble::Busy => "the registry is in trouble or busy: run the same command again later",
        Trouble::Denied => {
            return format!("`airlift login {host}`, or ask for access to this repository");
        }
        Trouble::Missing => {
            return format!(
                "check the name, and with `airlift login {host}` whether it is hidden from strangers"
            );
        }
        _ => {
            return format!(
                "check that {host} can be reached from here; `airlift config` shows endpoints, \
                 certificates and what else is in force"
            );
        }
    };
    hint.to_owned()
}

#[cfg(test)]
mod tests {
    use airlift_oci::store::{ErrorKind, StoreError};
    use airlift_tape::DeserializeError;
    use anyhow::Context;

    use super::{Usage, exit, message};
    use crate::exit::Exit;
    use crate::interrupt::Interrupted;

    #[test]
    fn the_chain_is_told_once_and_with_a_hint() {
        let denied = StoreError::new("reg.example.com/a", ErrorKind::Denied("no".to_owned()));
        let error = Err::<(), _>(denied).context("gathering x failed").expect_err("is one");
        assert_eq!(
            message(&error),
            "error: gathering x failed: reg.example.com/a: access denied: no\n\
             hint: `airlift login reg.example.com`, or ask for access to this repository\n"
        );
        assert_eq!(exit(&error), Exit::Failed);
    }

    #[test]
    fn causes_within_transparent_errors_give_their_hint() {
        let lost = StoreError::new("reg.example.com/a", ErrorKind::TimedOut(30));
        let error = anyhow::Error::new(DeserializeError::Store(lost));
        assert!(message(&error).contains("hint: check that reg.example.com can be reached"));
        let gone = StoreError::new("oci:dir", ErrorKind::NotFound("x".to_owned()));
        assert!(message(&gone.into()).ends_with("hint: check the name\n"));
        let lacking = anyhow::Error::new(DeserializeError::Missing(Vec::new()));
        assert!(!message(&lacking).contains("hint:"));
        assert_eq!(exit(&lacking), Exit::Damaged);
    }

    #[test]
    fn causes_decide_the_code_however_deep_they_are() {
        let usage = anyhow::Error::new(Usage::new("bad", "do better")).context("outer");
        assert_eq!(exit(&usage), Exit::Usage);
        let stopped = anyhow::Error::new(Interrupted::default()).context("outer");
        assert_eq!(exit(&stopped), Exit::Interrupted);
    }
}
