//! Ledgers of media that the far side has, as they are named on the command line.

use std::path::PathBuf;

/// Ledgers, and how much of the medium of each counts, in bytes: `FILE:BYTES[,FILE:BYTES]..`.
#[derive(Debug, Clone)]
pub(crate) struct LedgerParts(Vec<(PathBuf, u64)>);

impl LedgerParts {
    /// One ledger, or several; a comma that does not part two of them belongs to a path.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let several: Result<Vec<_>, _> = text.split(',').map(|part| one(part.trim())).collect();
        several.or_else(|_| Ok(vec![one(text)?])).map(LedgerParts)
    }

    /// Each of them.
    pub(crate) fn each(&self) -> &[(PathBuf, u64)] {
        &self.0
    }
}

fn one(text: &str) -> Result<(PathBuf, u64), String> {
    let fail = || format!("expected FILE:BYTES, such as tape-1.ledger:34752000, not {text:?}");
    let (path, offset) = text.rsplit_once(':').ok_or_else(fail)?;
    Ok((PathBuf::from(path), offset.parse().map_err(|_| fail())?))
}
