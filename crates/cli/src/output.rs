//! Standard output: results, and nothing else. Progress, logs and errors go to standard error.
//!
//! A reader that closed it (`airlift … | head`) has seen enough: no failure, and no other exit code
//! than the run would have had.

use std::io::{self, Write};

/// Prints `text` and a newline.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    write_all(&[text.as_bytes(), b"\n"])
}

/// Prints `text` as it is.
pub(crate) fn text(text: &str) -> anyhow::Result<()> {
    write_all(&[text.as_bytes()])
}

/// Writes `content` as it is.
pub(crate) fn bytes(content: &[u8]) -> anyhow::Result<()> {
    write_all(&[content])
}

fn write_all(parts: &[&[u8]]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let result = parts.iter().try_for_each(|part| out.write_all(part));
    match result.and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(anyhow::Error::new(error).context("writing to standard output failed")),
    }
}
