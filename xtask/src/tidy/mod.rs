//! `cargo xtask tidy`: what the compiler does not check about our sources.
//!
//! Every module begins with its purpose; imports go in one direction; files stay small; no line
//! ends in blanks.

mod layers;
mod sizes;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// A source file: its path from the root, with slashes, and its text.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Checks everything and prints every fault.
pub(crate) fn run() -> anyhow::Result<()> {
    let sources = sources(&crate::root())?;
    let mut faults = Vec::new();
    for source in &sources {
        faults.extend(purpose(source));
        faults.extend(blanks(source));
        faults.extend(layers::faults(source));
    }
    faults.extend(sizes::faults(&sources));
    for fault in &faults {
        println!("{fault}");
    }
    if !faults.is_empty() {
        bail!("{} faults in {} files", faults.len(), sources.len());
    }
    println!("{} files are tidy", sources.len());
    Ok(())
}

/// Our sources, sorted by path.
fn sources(root: &Path) -> anyhow::Result<Vec<Source>> {
    let mut paths = Vec::new();
    for top in ["crates", "tests", "xtask"] {
        collect(&root.join(top), &mut paths)?;
    }
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path)
            .with_context(|| format!("reading {} failed", path.display()))?;
        let path = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        Ok(Source { path, text })
    };
    paths.into_iter().map(read).collect()
}

fn collect(directory: &Path, paths: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = fs::read_dir(directory)
        .with_context(|| format!("reading {} failed", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "target" && name != "fixtures" {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
    Ok(())
}

/// A module begins with `//!` and words.
fn purpose(source: &Source) -> Option<String> {
    let first = source.text.lines().next().unwrap_or_default();
    let words = first.strip_prefix("//!").unwrap_or_default().trim();
    (words.len() < 10).then(|| format!("{}:1: no `//!` line that says the purpose", source.path))
}

/// No blanks at the end of a line, one newline at the end of the file.
fn blanks(source: &Source) -> Vec<String> {
    let mut faults: Vec<_> = source
        .text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.ends_with([' ', '\t', '\r']))
        .map(|(index, _)| format!("{}:{}: blanks at the end", source.path, index + 1))
        .collect();
    if !source.text.ends_with('\n') || source.text.ends_with("\n\n") {
        faults.push(format!("{}: does not end with one newline", source.path));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::{Source, blanks, purpose};

    fn source(text: &str) -> Source {
        Source { path: "a.rs".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_module_without_a_purpose_is_found() {
        assert!(purpose(&source("//! Says what it is for.\n")).is_none());
        assert!(purpose(&source("use a;\n")).is_some());
        assert!(purpose(&source("//!\n")).is_some());
    }

    #[test]
    fn blanks_are_found_with_their_line() {
        assert_eq!(blanks(&source("a\nb \n")), ["a.rs:2: blanks at the end"]);
        assert_eq!(blanks(&source("a\n\n")), ["a.rs: does not end with one newline"]);
        assert!(blanks(&source("a\n")).is_empty());
    }
}
