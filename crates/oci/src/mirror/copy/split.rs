//! Cuts a stream of JSON objects and arrays of them into the objects, each with its offset.
//!
//! Only the outermost structure is looked at; what is within an object is the parser's business.
//! So a fault in one object does not hide those behind it, and memory is that of one object.

use std::io::{self, Read};

/// The longest object that is read, in bytes: a spec has two names and some platforms.
const LONGEST: usize = 1024 * 1024;

/// Where an object begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    /// Which one it is, from 1.
    pub(super) number: u64,
    /// Offset of its brace.
    pub(super) byte: u64,
}

/// Why the stream cannot be read on.
#[derive(Debug)]
pub(super) enum SplitFault {
    /// Its structure is broken: at which byte, within or before which object.
    Structure { what: String, byte: u64, within: Start },
    /// Reading failed.
    Read(io::Error),
}

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// An object, an array, or the end.
    Value,
    /// The first object of an array, or its end.
    First,
    /// An object, for a comma stands before.
    Next,
    /// A comma, or the array's end.
    Comma,
}

/// The cutter.
pub(super) struct Splitter<R> {
    input: R,
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
    /// Offset of the buffer's first byte.
    base: u64,
    number: u64,
    expect: Expect,
}

impl<R: Read> Splitter<R> {
    pub(super) fn new(input: R) -> Self {
        Splitter {
            input,
            buffer: vec![0; 64 * 1024],
            at: 0,
            filled: 0,
            base: 0,
            number: 0,
            expect: Expect::Value,
        }
    }

    /// Puts the next object's bytes into `object`; `None` at the end of the stream.
    pub(super) fn next(&mut self, object: &mut Vec<u8>) -> Result<Option<Start>, SplitFault> {
        object.clear();
        loop {
            let Some(byte) = self.peek()? else { return self.end() };
            let (expect, after) = match (self.expect, byte) {
                (_, b' ' | b'\t' | b'\r' | b'\n') => (true, self.expect),
                (Expect::Value | Expect::First | Expect::Next, b'{') => {
                    self.number += 1;
                    let start = Start { number: self.number, byte: self.offset() };
                    let inside = self.expect != Expect::Value;
                    self.expect = if inside { Expect::Comma } else { Expect::Value };
                    return self.object(start, object).map(Some);
                }
                (Expect::Value, b'[') => (true, Expect::First),
                (Expect::First | Expect::Comma, b']') => (true, Expect::Value),
                (Expect::Comma, b',') => (true, Expect::Next),
                _ => (false, self.expect),
            };
            if !expect {
                return Err(self.unexpected(byte));
            }
            (self.expect, self.at) = (after, self.at + 1);
        }
    }

    /// Takes the object that begins here.
    fn object(&mut self, start: Start, object: &mut Vec<u8>) -> Result<Start, SplitFault> {
        let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
        while self.peek()?.is_some() {
            let mut end = None;
            for (index, byte) in self.buffer[self.at..self.filled].iter().enumerate() {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' if quoted => escaped = true,
                    b'"' => quoted = !quoted,
                    b'{' if !quoted => depth += 1,
                    b'}' if !quoted => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    end = Some(index + 1);
                    break;
                }
            }
            let upto = end.map_or(self.filled, |end| self.at + end);
            object.extend_from_slice(&self.buffer[self.at..upto]);
            self.at = upto;
            if end.is_some() {
                return Ok(start);
            }
            if object.len() > LONGEST {
                let what = format!("the spec does not end within {LONGEST} bytes");
                return Err(SplitFault::Structure { what, byte: self.offset(), within: start });
            }
        }
        let what = "the input ends in the middle of the spec".to_owned();
        Err(SplitFault::Structure { what, byte: self.offset(), within: start })
    }

    fn end(&self) -> Result<Option<Start>, SplitFault> {
        if self.expect == Expect::Value {
            return Ok(None);
        }
        Err(self.fault("the input ends in the middle of an array".to_owned()))
    }

    fn unexpected(&self, byte: u8) -> SplitFault {
        let wanted = match self.expect {
            Expect::Value => "a copy spec or an array of them",
            Expect::First => "a copy spec or ']'",
            Expect::Next => "a copy spec",
            Expect::Comma => "',' or ']'",
        };
        self.fault(format!("expected {wanted}, found {:?}", char::from(byte)))
    }

    fn fault(&self, what: String) -> SplitFault {
        let byte = self.offset();
        let within = Start { number: self.number + 1, byte };
        SplitFault::Structure { what, byte, within }
    }

    fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// The byte that comes next, reading when there is none at hand.
    fn peek(&mut self) -> Result<Option<u8>, SplitFault> {
        while self.at == self.filled {
            self.base += self.filled as u64;
            (self.at, self.filled) = (0, 0);
            match self.input.read(&mut self.buffer) {
                Ok(0) => return Ok(None),
                Ok(count) => self.filled = count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(SplitFault::Read(error)),
            }
            // Only the very first three bytes may be a byte order mark.
            if self.base == 0 && self.buffer[..self.filled].starts_with(b"\xef\xbb\xbf") {
                self.at = 3;
            }
        }
        Ok(self.buffer.get(self.at).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, so that every boundary falls between two reads.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            (buffer[0], self.0) = (*first, rest);
            Ok(1)
        }
    }

    /// What broke the stream, at which byte, within the spec that begins at which.
    type Broken = (String, u64, u64);

    fn split(input: impl Read) -> (Vec<(u64, String)>, Option<Broken>) {
        let mut splitter = Splitter::new(input);
        let (mut found, mut object) = (Vec::new(), Vec::new());
        loop {
            match splitter.next(&mut object) {
                Ok(Some(start)) => {
                    assert_eq!(start.number, found.len() as u64 + 1);
                    found.push((start.byte, String::from_utf8(object.clone()).unwrap()));
                }
                Ok(None) => return (found, None),
                Err(SplitFault::Structure { what, byte, within }) => {
                    return (found, Some((what, byte, within.byte)));
                }
                Err(SplitFault::Read(error)) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn objects_and_arrays_mix_and_offsets_are_exact() {
        let text = " {\"a\":\"}]\\\"\"}[{},{\"b\":{\"c\":[1]}} ]\n[ ]{}";
        for (found, fault) in [split(text.as_bytes()), split(Drip(text.as_bytes()))] {
            assert_eq!(fault, None);
            for (byte, object) in &found {
                assert!(text[usize::try_from(*byte).unwrap()..].starts_with(object.as_str()));
            }
            let objects: Vec<_> = found.iter().map(|(_, object)| object.as_str()).collect();
            assert_eq!(objects, ["{\"a\":\"}]\\\"\"}", "{}", "{\"b\":{\"c\":[1]}}", "{}"]);
        }
    }

    #[test]
    fn faults_name_the_byte() {
        for (text, what, byte) in [
            ("{} {\"src\":\"a", "the input ends in the middle of the spec", 12),
            ("[{},", "the input ends in the middle of an array", 4),
            ("[{} {}]", "expected ',' or ']', found '{'", 4),
            ("[{},]", "expected a copy spec, found ']'", 4),
            ("[[{}]]", "expected a copy spec or ']', found '['", 1),
            ("{},{}", "expected a copy spec or an array of them, found ','", 2),
            ("alpine", "expected a copy spec or an array of them, found 'a'", 0),
        ] {
            let (_, fault) = split(text.as_bytes());
            let (found, at, _) = fault.unwrap();
            assert_eq!((found.as_str(), at), (what, byte), "{text}");
        }
        let endless = [b"{\"".as_slice(), &vec![b'x'; 2 * LONGEST]].concat();
        assert!(split(endless.as_slice()).1.unwrap().0.contains("does not end within"));
    }
}
