//! `cargo xtask docs`: `docs/cli/`, one page a command, as the program itself describes them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

use crate::process;

/// Writes the pages, or with `check` says which are not current.
pub(crate) fn run(check: bool) -> anyhow::Result<()> {
    let fresh = tempfile::tempdir()?;
    let arguments = ["run", "--quiet", "--package", "airlift", "--", "man", "--markdown", "--dir"];
    process::run(process::cargo().args(arguments).arg(fresh.path()))
        .context("the program did not write its pages")?;
    let wanted = pages(fresh.path())?;
    let directory = crate::root().join("docs/cli");
    let found = if directory.exists() { pages(&directory)? } else { BTreeMap::new() };
    let stale: Vec<_> = wanted
        .keys()
        .chain(found.keys().filter(|name| !wanted.contains_key(*name)))
        .filter(|name| wanted.get(*name) != found.get(*name))
        .cloned()
        .collect();
    if check {
        if !stale.is_empty() {
            bail!("not current in docs/cli: {}; run `cargo xtask docs`", stale.join(", "));
        }
        println!("docs/cli: {} pages are current", wanted.len());
        return Ok(());
    }
    fs::create_dir_all(&directory)?;
    for name in &stale {
        let path = directory.join(name);
        match wanted.get(name) {
            Some(text) => fs::write(&path, text)?,
            None => fs::remove_file(&path)?,
        }
        println!("docs/cli/{name}");
    }
    Ok(())
}

/// The pages in a directory by name.
fn pages(directory: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut pages = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            pages.insert(name, fs::read_to_string(&path)?);
        }
    }
    Ok(pages)
}
