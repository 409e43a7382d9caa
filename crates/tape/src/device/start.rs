//! Where a run begins, so that another one can begin there in its place.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::tape::Standing;
use super::{Destination, FileDevice};
use crate::apart::apart;

/// The place at which an archive begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    File(PathBuf),
    Block(PathBuf),
    /// A tape, and where it stands.
    Tape(PathBuf, Standing),
}

impl Destination {
    /// Where the archive will begin; `None` where nothing can be begun twice (a pipe), or where it
    /// is not known. To be asked before the destination is opened. A drive may take its time.
    pub async fn start(&self) -> Option<Start> {
        let kind = match self {
            Destination::File(path) => Kind::File(path.clone()),
            Destination::Block(path) => Kind::Block(path.clone()),
            Destination::Tape(path) => {
                let drive = path.clone();
                let standing = apart(move || Standing::of(&File::open(drive).ok()?)).await;
                Kind::Tape(path.clone(), standing.flatten()?)
            }
            Destination::Pipe(_) | Destination::Stdout | Destination::Device(_) => return None,
        };
        Some(Start(kind))
    }
}

impl Start {
    /// The destination once more, with what is written to it going over what was. Takes a tape back,
    /// which may take minutes.
    pub async fn again(&self) -> io::Result<Destination> {
        Ok(match &self.0 {
            Kind::File(path) => Destination::File(path.clone()),
            Kind::Block(path) => Destination::Block(path.clone()),
            Kind::Tape(path, standing) => {
                let (drive, standing) = (path.clone(), *standing);
                let gone = apart(move || standing.go_back(&File::open(drive)?)).await;
                gone.unwrap_or_else(|| Err(io::Error::other("the thread that winds it ended")))?;
                Destination::Tape(path.clone())
            }
        })
    }

    /// Removes the file that a run began in vain. On a medium what was written stays.
    pub fn clear(&self) -> io::Result<()> {
        let Kind::File(path) = &self.0 else { return Ok(()) };
        match std::fs::remove_file(FileDevice::partial(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
