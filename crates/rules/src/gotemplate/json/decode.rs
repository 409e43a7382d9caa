//! `json.Unmarshal` into an `interface{}`: objects become dictionaries, numbers floats.

use std::collections::BTreeMap;

use crate::gotemplate::limits::{Budget, MAX_VALUE_DEPTH};
use crate::gotemplate::parse_number::parse_float;
use crate::gotemplate::text::{GoStr, push_rune, runes};
use crate::gotemplate::value::{Dict, Fail, Value};

/// What a text holds, and what was wrong with it although it could be read.
pub(crate) struct Decoded {
    pub(crate) value: Value,
    pub(crate) problem: Option<String>,
}

/// Reads a JSON text.
pub(crate) fn decode(text: &[u8], budget: &Budget) -> Result<Decoded, Fail> {
    budget.bytes(text.len())?;
    let mut decoder = Decoder { text, at: 0, depth: 0, budget, problem: None };
    decoder.spaces();
    let value = decoder.value()?;
    decoder.spaces();
    if decoder.at < text.len() {
        return Err(decoder.unexpected("after top-level value"));
    }
    Ok(Decoded { value, problem: decoder.problem })
}

struct Decoder<'t> {
    text: &'t [u8],
    at: usize,
    depth: usize,
    budget: &'t Budget,
    problem: Option<String>,
}

impl Decoder<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn spaces(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn unexpected(&self, place: &str) -> Fail {
        match self.peek() {
            None => Fail::from("unexpected end of JSON input"),
            Some(byte) => format!("invalid character {:?} {place}", char::from(byte)).into(),
        }
    }

    fn value(&mut self) -> Result<Value, Fail> {
        self.budget.elements(1)?;
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => Ok(Value::Str(self.string()?)),
            Some(b't') => self.word(b"true", Value::Bool(true)),
            Some(b'f') => self.word(b"false", Value::Bool(false)),
            Some(b'n') => self.word(b"null", Value::Nil),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.unexpected("looking for beginning of value")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, Fail>) -> Result<Value, Fail> {
        if self.depth >= MAX_VALUE_DEPTH {
            return Err(Fail::Limit(format!(
                "JSON is nested more than {MAX_VALUE_DEPTH} levels deep"
            )));
        }
        self.depth += 1;
        self.at += 1;
        self.spaces();
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn word(&mut self, word: &[u8], value: Value) -> Result<Value, Fail> {
        for &byte in word {
            if !self.take(byte) {
                let name = String::from_utf8_lossy(word).into_owned();
                return Err(self
                    .unexpected(&format!("in literal {name} (expecting {:?})", char::from(byte))));
            }
        }
        Ok(value)
    }

    fn array(&mut self) -> Result<Value, Fail> {
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(Value::list(items));
        }
        loop {
            self.spaces();
            items.push(self.value()?);
            self.spaces();
            if self.take(b']') {
                return Ok(Value::appended(items));
            }
            if !self.take(b',') {
                return Err(self.unexpected("after array element"));
            }
        }
    }

    fn object(&mut self) -> Result<Value, Fail> {
        let mut entries = BTreeMap::new();
        if !self.take(b'}') {
            loop {
                self.spaces();
                if self.peek() != Some(b'"') {
                    return Err(self.unexpected("looking for beginning of object key string"));
                }
                let key = self.string()?;
                self.spaces();
                if !self.take(b':') {
                    return Err(self.unexpected("after object key"));
                }
                self.spaces();
                entries.insert(key, self.value()?);
                self.spaces();
                if self.take(b'}') {
                    break;
                }
                if !self.take(b',') {
                    return Err(self.unexpected("after object key:value pair"));
                }
            }
        }
        Ok(Value::Dict(Some(Dict::new(entries))))
    }

    fn number(&mut self) -> Result<Value, Fail> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits("in numeric literal")?;
        }
        if self.take(b'.') {
            self.digits("after decimal point in numeric literal")?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits("in exponent of numeric literal")?;
        }
        let written =
            String::from_utf8_lossy(self.text.get(start..self.at).unwrap_or_default()).into_owned();
        if let Ok(float) = parse_float(&written) {
            Ok(Value::Float(float))
        } else {
            let problem =
                format!("json: cannot unmarshal number {written} into Go value of type float64");
            self.problem.get_or_insert(problem);
            Ok(Value::Nil)
        }
    }

    fn digits(&mut self, place: &str) -> Result<(), Fail> {
        if !self.peek().is_some_and(|b| b.is_ascii_digit()) {
            return Err(self.unexpected(place));
        }
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    fn string(&mut self) -> Result<GoStr, Fail> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            let start = self.at;
            while self.peek().is_some_and(|b| !matches!(b, b'"' | b'\\' | 0..=0x1f)) {
                self.at += 1;
            }
            let plain = self.text.get(start..self.at).unwrap_or_default();
            runes(plain).for_each(|(_, rune, _)| push_rune(&mut out, rune));
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out.into());
                }
                Some(b'\\') => self.escape(&mut out)?,
                _ => return Err(self.unexpected("in string literal")),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), Fail> {
        self.at += 1;
        let byte = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                self.at += 1;
                let rune = self.code_point()?;
                push_rune(out, rune);
                return Ok(());
            }
            _ => return Err(self.unexpected("in string escape code")),
        };
        self.at += 1;
        out.push(byte);
        Ok(())
    }

    /// Four digits; two such escapes where they are a pair of surrogates.
    fn code_point(&mut self) -> Result<char, Fail> {
        let high = self.hex()?;
        if (0xd800..0xdc00).contains(&high)
            && self.text.get(self.at..).is_some_and(|rest| rest.starts_with(b"\\u"))
        {
            let start = self.at;
            self.at += 2;
            let low = self.hex()?;
            if (0xdc00..0xe000).contains(&low) {
                return Ok(char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
                    .unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = start;
        }
        Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Result<u32, Fail> {
        let mut value = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(16)) else {
                return Err(self.unexpected("in \\u hexadecimal character escape"));
            };
            value = value * 16 + digit;
            self.at += 1;
        }
        Ok(value)
    }
}
