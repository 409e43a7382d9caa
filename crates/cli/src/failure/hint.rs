//! What to do next about an error.

use std::error::Error;
use std::io;

use airlift_oci::inventory::InventoryError;
use airlift_oci::store::{ErrorKind, StoreError, Trouble};
use airlift_tape::device::DeviceError;
use airlift_tape::ledger::LedgerError;
use airlift_tape::{DeserializeError, MbufferError, ReadError, ResumeError, SerializeError};

use super::{Usage, is_damage};
use crate::config::ConfigError;
use crate::interrupt::Interrupted;

/// One sentence, where there is one to be said: the outermost cause that has one gives it.
pub(super) fn of(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(of_cause)
}

fn of_cause(cause: &(dyn Error + 'static)) -> Option<String> {
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
    if let Some(error) = cause.downcast_ref::<DeserializeError>() {
        return of_reading_back(error);
    }
    if let Some(error) = cause.downcast_ref::<SerializeError>() {
        return of_writing(error);
    }
    if let Some(MbufferError::Device(error)) = cause.downcast_ref() {
        return match error {
            DeviceError::Full { .. } => Some(trouble_hint(Trouble::Full, "", None)),
            error => {
                of_device(error, "run the same command again, with --force or to another place")
            }
        };
    }
    if let Some(error) = cause.downcast_ref::<DeviceError>() {
        return of_device(error, RESUME);
    }
    if let Some(error) = cause.downcast_ref::<LedgerError>() {
        return of_ledger(error);
    }
    if let Some(error) = cause.downcast_ref::<ReadError>() {
        return of_medium(error);
    }
    if let Some(InventoryError::NotGathered { .. }) = cause.downcast_ref() {
        return Some(NOT_GATHERED.to_owned());
    }
    of_store(cause.downcast_ref::<StoreError>()?)
}

const RESUME: &str = "when the cause is mended, run the same command again with --resume";
const LARGER: &str =
    "write to another file system (FAT takes 4 GiB), or raise the limit (`ulimit -f`)";
const BLOB: &str = "bring the blob back to where it is read from, by gathering or copying those images there again, and say --resume; or gather without them, and write that";
const EMPTY: &str = "it holds nothing: was the run that wrote it interrupted, or the copy of it? if so, write it again; a tape may stand behind its archive, and is taken back with `mt rewind`";
const NO_ARCHIVE: &str = "check the name: an archive is what `airlift serialize` and `airlift archive` write; if it should be one, read the medium again, or write it again";
const DOCKER_ARCHIVE: &str = "name it as a source instead, docker-archive:FILE:NAME, in `airlift copy` or in the list for `airlift gather`";
const NOT_GATHERED: &str = "an image that was not gathered is carried by `airlift copy`, or is named as a source in the list for `airlift gather`; in the file of an archive it is oci-archive:FILE:NAME, and where docker save wrote it docker-archive:FILE:NAME";
const DAMAGED: &str = "nothing was tagged; read the medium again, and if it stays so, write it again; --keep-going delivers the images that are whole";

// Transparent errors hide what they stand for from the chain, so it is asked for here.

fn of_reading_back(error: &DeserializeError) -> Option<String> {
    match error {
        DeserializeError::Store(error) => of_store(error),
        // Its list says what to do.
        DeserializeError::Missing(_) => None,
        DeserializeError::NoIndex(_) => Some(NO_ARCHIVE.to_owned()),
        DeserializeError::Read(error) => of_medium(error),
        error => is_damage(error).then(|| DAMAGED.to_owned()),
    }
}

fn of_medium(error: &ReadError) -> Option<String> {
    let hint = match error {
        ReadError::Archive { source, .. } if source.is_empty() => EMPTY,
        ReadError::Archive { source, .. } if source.offset() < 512 => NO_ARCHIVE,
        ReadError::Archive { .. } => DAMAGED,
        ReadError::Io { .. } => {
            "read it again, in another drive if there is one; --keep-going reads on behind what cannot be read"
        }
        ReadError::Open { source, .. } => return of_name(source, "the archive's file"),
        ReadError::DockerArchive(_) => DOCKER_ARCHIVE,
        _ => return None,
    };
    Some(hint.to_owned())
}

fn of_writing(error: &SerializeError) -> Option<String> {
    match error {
        SerializeError::Store(error) => of_store(error),
        SerializeError::Blob { source, .. } => match source.trouble() {
            Some(Trouble::Damaged | Trouble::Missing) | None => Some(BLOB.to_owned()),
            Some(_) => of_store(source).map(|hint| format!("{hint}; then say --resume")),
        },
        SerializeError::Device(error) => of_device(error, RESUME),
        SerializeError::Resume(ResumeError::Ledger(error)) => of_ledger(error),
        _ => None,
    }
}

fn of_device(error: &DeviceError, again: &str) -> Option<String> {
    let hint = match error {
        DeviceError::Full { kept: true, .. } => {
            "make room there and say --resume, or write to another place"
        }
        DeviceError::Full { .. } => return Some(trouble_hint(Trouble::Full, "", None)),
        DeviceError::TooLarge { written: 0, .. } => LARGER,
        DeviceError::TooLarge { .. } => return Some(format!("{LARGER} and say --resume")),
        DeviceError::Write { .. } => again,
        DeviceError::Open { source, .. } => return of_name(source, "a file or drive"),
        DeviceError::Ledger { source, .. } => return of_name(source, "a file for it"),
        _ => return None,
    };
    Some(hint.to_owned())
}

fn of_ledger(error: &LedgerError) -> Option<String> {
    match error {
        LedgerError::Open { source, .. } => of_name(source, "the file of --checkpoint"),
        LedgerError::Malformed { .. } => {
            Some("name the file that --checkpoint wrote, not the archive".to_owned())
        }
        _ => None,
    }
}

/// About a file that cannot be opened, where `what` was wanted.
fn of_name(error: &io::Error, what: &str) -> Option<String> {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Some("check the name".to_owned()),
        io::ErrorKind::IsADirectory => {
            Some(format!("name {what}; the directory of an image layout is named oci:DIR"))
        }
        io::ErrorKind::PermissionDenied => Some(format!(
            "{what} must be open to whoever runs this: ask for the right, or choose another"
        )),
        io::ErrorKind::ReadOnlyFilesystem => {
            Some("nothing can be written there: choose another place".to_owned())
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some("make room there, or choose another place".to_owned())
        }
        io::ErrorKind::ResourceBusy => {
            Some("it is in use: wait for whoever uses it, or choose another".to_owned())
        }
        _ => None,
    }
}

fn of_store(error: &StoreError) -> Option<String> {
    match (error.trouble(), error.kind()) {
        (_, ErrorKind::Stub { bytes: 0 }) => Some(EMPTY.to_owned()),
        (_, ErrorKind::Stub { .. }) => Some(NO_ARCHIVE.to_owned()),
        (None, ErrorKind::Open { source, .. }) => of_name(source, "the archive's file"),
        (Some(trouble), _) => {
            let asked = error.sent_on().or(error.endpoint());
            Some(trouble_hint(trouble, error.place(), asked))
        }
        (None, ErrorKind::Io { source, .. }) => of_name(source, "a place for it"),
        _ => None,
    }
}

/// What to do about a trouble at a place, which is asked for at an endpoint, or was sent on to a host.
pub(crate) fn trouble_hint(trouble: Trouble, place: &str, endpoint: Option<&str>) -> String {
    let local = ["oci:", "oci-archive:", "/", "."].iter().any(|with| place.starts_with(with));
    // Credentials go by the host that is asked.
    let asked = endpoint.unwrap_or(place);
    let asked = asked.split_once("://").map_or(asked, |(_, rest)| rest);
    let host = asked.split('/').next().unwrap_or_default();
    let hint = match trouble {
        Trouble::Full => "make room there, or write to another place",
        Trouble::Missing if local || host.is_empty() => "check the name",
        Trouble::Damaged => {
            "the content was damaged on its way or at its place: get it from another copy"
        }
        Trouble::Busy => {
            "the registry is in trouble or busy: run the same command again later; \
             --patience sets how long a wait it may ask for"
        }
        Trouble::Denied => {
            return format!("`airlift login {host}`, or ask for access to this repository");
        }
        Trouble::Missing => {
            return format!(
                "check the name, and with `airlift login {host}` whether it is hidden from strangers"
            );
        }
        Trouble::Untrusted => {
            return format!(
                "if its authority is a private one, put that into \
                 ~/.config/airlift/certs.d/{host}/ca.pem; if it speaks no TLS, name it by an endpoint \
                 http://{host} in the configuration; `airlift config` shows what is in force"
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
