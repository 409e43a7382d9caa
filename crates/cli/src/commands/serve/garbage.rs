//! `airlift serve --gc`: what no tag reaches goes, beside a server that runs or not.

use std::time::Duration;

use airlift_oci::types::Location;
use airlift_serve::storage::Directory;
use clap::Args as Derive;

use crate::exit::Exit;
use crate::failure::Usage;
use crate::{duration, output};

/// The least age beside servers: they look at files for which this has not passed as just written.
const LEAST: Duration = Duration::from_secs(3600);

/// The flags of garbage collection.
#[derive(Debug, Derive)]
pub(crate) struct Garbage {
    /// Remove what no tag, and no referrer of anything tagged, reaches from each oci:DIR, then end.
    /// Servers of the directory may run meanwhile
    #[arg(long, conflicts_with_all = ["route", "users", "rules", "tls_cert"])]
    gc: bool,
    /// Only say what would be removed
    #[arg(long, requires = "gc")]
    dry_run: bool,
    /// Leave alone what was written, or relied on by a push, within this time; at least 1h, or 0
    /// while nobody pushes
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration::parse)]
    gc_age: Duration,
}

impl Garbage {
    /// Whether this run collects instead of serving.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.gc
    }

    /// Collects in each location and prints what it removed: repository, digest, bytes freed.
    pub(crate) fn collect(&self, locations: &[String]) -> anyhow::Result<Exit> {
        if self.gc_age < LEAST && !self.gc_age.is_zero() {
            let hint = "say 1h or more, or 0 while nobody pushes";
            return Err(Usage::new("--gc-age is too short to be safe beside a push", hint).into());
        }
        let directories =
            locations.iter().map(|text| directory(text)).collect::<Result<Vec<_>, _>>()?;
        let (mut count, mut bytes, mut young) = (0_usize, 0_u64, 0_usize);
        for directory in directories {
            for (name, collection) in directory.collect(self.gc_age, self.dry_run)? {
                for garbage in &collection.removed {
                    output::line(&format!("{name} {} {}", garbage.digest, garbage.freed))?;
                    bytes += garbage.freed;
                }
                count += collection.removed.len();
                young += collection.young;
            }
        }
        let verb = if self.dry_run { "would be removed" } else { "removed" };
        output::line(&format!(
            "{count} manifests and blobs {verb}, {bytes} bytes freed; {young} that nothing reaches \
             are younger than the age asked for"
        ))?;
        Ok(Exit::Done)
    }
}

fn directory(text: &str) -> anyhow::Result<Directory> {
    match text.parse() {
        Ok(Location::Layout { directory, tag: None }) if directory.is_dir() => {
            Ok(Directory::open(&directory)?)
        }
        _ => {
            let hint = "--gc works on oci:DIR, a directory that is there";
            Err(Usage::new(format!("nothing can be collected in {text}"), hint).into())
        }
    }
}
