//! Refuses command lines that would write one file for two purposes, or over what they read.
//!
//! Otherwise the last writer wins in silence: a report would take the place of the archive.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use airlift_oci::types::Location;
use clap::ArgMatches;

use crate::failure::Usage;
use crate::ledger_parts::LedgerParts;
use crate::whole::is_stdout;

/// Arguments that name a file to be written.
const WRITTEN: [&str; 7] = ["dest", "report", "failed", "debug", "trace", "checkpoint", "output"];

/// Pairs that may be one file: it is read whole before it is written, and what is written goes on
/// from what was read.
const TOGETHER: [(&str, &str); 6] = [
    ("failed", "sources"),
    ("failed", "list"),
    ("failed", "specs"),
    ("output", "list"),
    ("checkpoint", "resume_from_checkpoint"),
    ("output", "specs"),
];

/// A file that an argument names.
struct Named {
    argument: String,
    path: PathBuf,
    identity: Identity,
}

/// What makes two paths one file.
#[derive(PartialEq)]
enum Identity {
    /// Device and number.
    File(u64, u64),
    /// The name that it will have.
    Name(PathBuf),
    /// Standard output.
    Stdout,
}

/// Looks for a file that is to be written and is named by another argument, too.
pub(crate) fn check(matches: &ArgMatches) -> Result<(), Usage> {
    let named: Vec<Named> = matches.ids().flat_map(|id| files(matches, id.as_str())).collect();
    let written = |file: &Named| WRITTEN.contains(&file.argument.as_str());
    for (position, file) in named.iter().enumerate().filter(|(_, file)| written(file)) {
        let other = named.iter().enumerate().find(|(at, other)| {
            let may = TOGETHER.contains(&(&file.argument, &other.argument));
            *at != position && other.identity == file.identity && !may
        });
        if let Some((_, other)) = other {
            let path = file.path.display();
            let (one, two) = (shown(&file.argument), shown(&other.argument));
            let hint = "name another file: it would be overwritten";
            return Err(Usage::new(format!("{path} is both {one} and {two}"), hint));
        }
    }
    Ok(())
}

/// The files that an argument names: as paths, locations, parts of ledgers, listings or rulesets.
fn files(matches: &ArgMatches, id: &str) -> Vec<Named> {
    let mut paths: Vec<PathBuf> = Vec::new();
    if let Ok(Some(values)) = matches.try_get_many::<PathBuf>(id) {
        paths.extend(values.cloned());
    } else if let Ok(Some(values)) = matches.try_get_many::<LedgerParts>(id) {
        paths.extend(values.flat_map(LedgerParts::each).map(|(path, _)| path.clone()));
    } else if let Ok(Some(values)) = matches.try_get_many::<Location>(id) {
        paths.extend(values.filter_map(|location| match location {
            Location::Archive { file, .. } => Some(file.clone()),
            _ => None,
        }));
    } else if matches!(id, "ruleset" | "output") {
        // KIND=FILE and FORMAT=FILE.
        let values = matches.try_get_raw(id).ok().flatten().into_iter().flatten();
        let files = values.filter_map(|value| value.to_str()?.split_once('='));
        paths.extend(files.map(|(_, file)| PathBuf::from(file)));
    }
    let named = paths.into_iter().filter_map(|path| {
        // Written to, `-` is standard output; read, it is standard input.
        let identity = if is_stdout(&path) {
            WRITTEN.contains(&id).then_some(Identity::Stdout)
        } else {
            identity(&path)
        };
        Some(Named { argument: id.to_owned(), path, identity: identity? })
    });
    named.collect()
}

/// None of what may be named twice: devices, pipes, and directories, which are refused elsewhere.
fn identity(path: &Path) -> Option<Identity> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_file() => Some(Identity::File(meta.dev(), meta.ino())),
        Ok(_) => None,
        Err(_) => {
            let directory = path.parent().filter(|parent| *parent != Path::new(""));
            let directory = directory.unwrap_or_else(|| Path::new(".")).canonicalize().ok()?;
            Some(Identity::Name(directory.join(path.file_name()?)))
        }
    }
}

/// An argument as a user knows it.
fn shown(id: &str) -> String {
    match id {
        "dest" | "sources" | "source" | "image" | "existing" | "ruleset" | "batch_list" => {
            id.replace('_', "-").to_uppercase()
        }
        _ => format!("--{}", id.replace('_', "-")),
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::cli::definition;

    /// What is said of a command line, if anything.
    fn said(line: &str) -> Option<String> {
        let matches = definition().try_get_matches_from(line.split(' ')).expect(line);
        let (_, inner) = matches.subcommand().expect(line);
        check(inner).err().map(|error| error.to_string())
    }

    #[test]
    fn one_file_is_not_written_for_two_purposes() {
        for (line, wanted) in [
            ("serialize a.io/g:1 o.tar --report o.tar", "--report"),
            ("serialize a.io/g:1 o.tar --checkpoint ./o.tar", "o.tar is both"),
            ("serialize a.io/g:1 o.tar --debug t --trace t", "--trace"),
            ("serialize a.io/g:1 - --report -", "DEST"),
            ("serialize oci-archive:Cargo.toml:1 Cargo.toml", "IMAGE"),
            ("serialize a.io/g:1 o.tar --checkpoint l --existing-from-checkpoint l:5", "l is both"),
            ("deserialize Cargo.toml a.io/g:1 --report Cargo.toml", "SOURCE"),
            ("gather s.list a.io/g:1 --report s.list", "SOURCES"),
            ("scatter a.io/g:1 all-prefix=d.csv --failed d.csv", "RULESET"),
            ("diff a.io/g:1 -o json=x -o csv=x", "x is both"),
        ] {
            let said = said(&format!("airlift {line}")).unwrap_or_else(|| panic!("{line}"));
            assert!(said.contains(wanted), "{line}: {said}");
        }
    }

    #[test]
    fn what_goes_on_from_what_was_read_is_allowed() {
        for line in [
            "gather again.list a.io/g:1 --failed again.list",
            "copy --list mirror-failed.txt -o mirror-failed.txt",
            "archive s.list sync-1 sync-1",
            "serialize a.io/g:1 o.tar --resume-from-checkpoint l --resume-from-offset 5 --checkpoint l",
            "gather - a.io/g:1 --report -",
            "serialize a.io/g:1 /dev/null --report /dev/null",
            "route json nest=a.io -o json",
        ] {
            assert_eq!(said(&format!("airlift {line}")), None, "{line}");
        }
    }
}
