//! What a header says that has no room in it: pax records, and GNU's long names.

use tar::EntryType;

use super::super::header::padding;
use super::{ArchiveError, Parser, State, Step};

impl Parser {
    pub(super) fn extension(&mut self) -> Result<Option<Step>, ArchiveError> {
        let State::Extension { left, .. } = self.state else { return Ok(None) };
        let part = self.take(left);
        self.raw.extend_from_slice(&part);
        let State::Extension { kind, left, bytes } = &mut self.state else { return Ok(None) };
        bytes.extend_from_slice(&part);
        *left -= part.len() as u64;
        if *left > 0 {
            return Ok(None);
        }
        let (kind, bytes) = (*kind, std::mem::take(bytes));
        let fill = padding(bytes.len() as u64);
        self.state = State::ExtensionPadding(fill);
        match kind {
            EntryType::XHeader => self.read_pax(&bytes)?,
            EntryType::GNULongName => {
                let name = bytes.strip_suffix(&[0]).unwrap_or(&bytes).to_vec();
                let name = String::from_utf8(name).map_err(|_| {
                    self.field(self.entry_start, "its long name is not UTF-8".to_owned())
                })?;
                self.long_name = Some(name);
            }
            _ => {}
        }
        Ok(None)
    }

    fn read_pax(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        for record in tar::PaxExtensions::new(bytes) {
            let record = record.map_err(|error| self.field(self.entry_start, error.to_string()))?;
            let text = |what: Result<&str, _>| {
                what.map(str::to_owned).map_err(|_: std::str::Utf8Error| {
                    self.field(self.entry_start, "a pax record is not UTF-8".to_owned())
                })
            };
            match record.key_bytes() {
                b"path" => self.long_name = Some(text(record.value())?),
                b"size" => {
                    let size = text(record.value())?.parse().map_err(|_| {
                        self.field(self.entry_start, "its pax size is no number".to_owned())
                    })?;
                    self.long_size = Some(size);
                }
                _ => {}
            }
        }
        Ok(())
    }
}
