//! Going on with an archive that an interrupted run left: where, and whether it is the same archive.
//!
//! The layout says what must be there, byte by byte up to the first blob and by digest from there.
//! With a ledger only the start of the medium is compared; without one everything is read back.
//! Nothing is overwritten unless the medium holds the start of the very archive to be written.

mod compare;
mod error;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

pub use error::ResumeError;

use crate::archive::Layout;
use crate::device::Device;
use crate::device::PlainReader;
use crate::framing::{Compression, frame_end};
use crate::ledger::{Ledger, Line};
use compare::{Extent, Held};

/// Whether and how a run goes on with what is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Resume {
    /// It begins anew.
    #[default]
    No,
    /// It goes on after what the ledger says is there, or, without one, after what is found there
    /// by reading the medium back.
    Auto,
    /// It goes on with what a ledger says stands before an offset of the medium.
    From {
        /// The ledger of the interrupted run.
        ledger: PathBuf,
        /// Bytes on the medium that count, at most.
        offset: u64,
    },
}

/// Where a run begins.
#[derive(Debug, Default)]
pub(crate) struct Point {
    /// Bytes of the uncompressed archive that need not be made again.
    pub(crate) archive: u64,
    /// Bytes on the medium that hold these.
    pub(crate) medium: u64,
    /// Bytes on the medium that stay; what is made again up to here is dropped.
    pub(crate) at: u64,
    /// The ledger so far.
    pub(crate) lines: Vec<Line>,
}

/// The length of the file at `path`, when it holds the whole archive already: the run that is to
/// go on was interrupted behind its last step. Nothing is changed.
pub(crate) fn whole(
    path: &Path,
    layout: &Layout,
    compression: Compression,
) -> io::Result<Option<u64>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let length = file.metadata()?.len();
    if compression == Compression::None && length != layout.end() {
        return Ok(None);
    }
    let reader = Box::new(PlainReader::new(file, path.display().to_string()));
    let held = compare::read(reader, layout, compression, Extent::Everything)?;
    Ok(held.is_whole(layout).then_some(length))
}

/// Finds where to go on, and has the device go there.
pub(crate) fn prepare(
    device: &mut dyn Device,
    layout: &Layout,
    compression: Compression,
    resume: &Resume,
    checkpoint: Option<&Path>,
) -> Result<Point, ResumeError> {
    let known = match resume {
        Resume::No => return Ok(Point::default()),
        Resume::Auto => match checkpoint.filter(|path| path.exists()) {
            Some(path) => Some(claimed(layout, compression, path, None)?),
            None => None,
        },
        Resume::From { ledger, offset } => {
            Some(claimed(layout, compression, ledger, Some(*offset))?)
        }
    };
    let place = device.place();
    let reader = device.read_back().map_err(|source| ResumeError::read(&place, source))?;
    let Some(reader) = reader else {
        return match known {
            Some(lines) if !lines.is_empty() => Err(ResumeError::Nothing(place)),
            _ => Ok(Point::default()),
        };
    };
    let extent = if known.as_ref().is_some_and(|lines| !lines.is_empty()) {
        Extent::Start
    } else {
        Extent::Everything
    };
    let held = compare::read(reader, layout, compression, extent)
        .map_err(|source| ResumeError::read(&place, source))?;
    held.check(&place, layout)?;
    let lines = match known {
        Some(lines) if !lines.is_empty() => lines,
        _ => found(layout, &held),
    };
    let point = choose(layout, compression, lines, device.grain());
    device.resume_at(point.at).map_err(|source| ResumeError::read(&place, source))?;
    Ok(point)
}

/// What a ledger claims, once it is known to be one of this archive.
fn claimed(
    layout: &Layout,
    compression: Compression,
    path: &Path,
    limit: Option<u64>,
) -> Result<Vec<Line>, ResumeError> {
    let ledger = Ledger::read(path)?;
    let placed =
        layout.placed().iter().filter_map(|placed| Some((placed.entry.digest()?, placed.end)));
    let placed: Vec<_> = placed.collect();
    let mut last = 0;
    for (index, line) in ledger.lines.iter().enumerate() {
        let expected = placed.get(index);
        let right = expected.is_some_and(|(digest, end)| {
            **digest == line.descriptor.digest
                && (compression != Compression::None || *end == line.offset)
                && line.offset >= last
        });
        if !right {
            return Err(ResumeError::OtherLedger {
                path: path.to_owned(),
                line: index + 1,
                found: format!("{} at {}", line.descriptor.digest, line.offset),
                expected: expected.map_or_else(
                    || "the end".to_owned(),
                    |(digest, end)| format!("{digest} at {end}"),
                ),
            });
        }
        last = line.offset;
    }
    // A limit is what the operator found on the medium, as a rule more than the ledger knows of.
    let limit = limit.unwrap_or(u64::MAX);
    Ok(ledger.lines.into_iter().filter(|line| line.offset <= limit).collect())
}

/// The ledger lines of what was found on a medium.
fn found(layout: &Layout, held: &Held) -> Vec<Line> {
    let whole = layout.placed().iter().take(held.entries);
    let lines = whole.filter_map(|placed| {
        let descriptor = placed.entry.descriptor()?;
        let offset = match &held.frames {
            None => placed.end,
            Some(frames) => {
                let index = frames.partition_point(|(archive, _)| *archive < placed.end);
                frames.get(index)?.1
            }
        };
        Some(Line { descriptor, offset })
    });
    lines.collect()
}

/// The place to go on: behind as many lines as the device can go to.
fn choose(layout: &Layout, compression: Compression, mut lines: Vec<Line>, grain: u64) -> Point {
    let at = lines.last().map_or(0, |line| line.offset);
    let at = at - at % grain.max(1);
    lines.retain(|line| line.offset <= at);
    let (archive, medium) = match (compression, lines.last()) {
        (Compression::None, _) => (at, at),
        (_, None) => (0, 0),
        (_, Some(last)) => {
            let medium = last.offset;
            let placed = layout.placed().iter();
            let placed = placed.filter_map(|placed| Some((placed.entry.descriptor()?, placed.end)));
            let end = placed.clone().nth(lines.len() - 1).map_or(0, |(_, end)| end);
            let archive = frame_end(layout, end);
            // A ledger that was cut off may lack lines of the frame with its last one.
            let rest = placed.skip(lines.len()).take_while(|(_, end)| *end <= archive);
            lines.extend(rest.map(|(descriptor, _)| Line { descriptor, offset: medium }));
            (archive, medium)
        }
    };
    Point { archive, medium, at, lines }
}
