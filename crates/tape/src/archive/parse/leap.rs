//! Passing over content that somebody else reads.

use super::{Parser, State};

impl Parser {
    /// Goes on behind the rest of the entry's content, as though it had been pushed. How many bytes
    /// of it were not pushed yet: they must not be.
    pub(crate) fn leap(&mut self) -> u64 {
        let State::Body { left, size } = self.state else { return 0 };
        let unread = left - self.take(left).len() as u64;
        self.offset += unread;
        self.state = State::Body { left: 0, size };
        unread
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::archive::{Kind, Step, encode_header};

    #[test]
    fn what_is_passed_over_counts_as_read() {
        let mut archive = encode_header("index.json", 700, Kind::File);
        archive.resize(archive.len() + 1024, 0);
        archive.extend(encode_header("oci-layout", 0, Kind::File));
        for pushed in [512, 600, 512 + 700, 512 + 1024, archive.len()] {
            let mut parser = Parser::new();
            parser.push(Bytes::copy_from_slice(&archive[..pushed]));
            assert!(matches!(parser.step().unwrap(), Step::Entry(_)));
            let unread = parser.leap();
            assert_eq!(unread, 700_u64.saturating_sub(pushed as u64 - 512));
            assert_eq!(parser.offset(), 512 + 700);
            let mut rest = &archive[pushed.max(512 + 700)..];
            let head = loop {
                match parser.step().unwrap() {
                    Step::Starved => parser.push(Bytes::copy_from_slice(std::mem::take(&mut rest))),
                    Step::Entry(head) => break head,
                    _ => {}
                }
            };
            assert_eq!((head.name.as_str(), head.offset), ("oci-layout", 512 + 1024));
        }
    }
}
