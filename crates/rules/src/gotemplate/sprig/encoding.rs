//! Base64 and base32.

use data_encoding::{BASE32, BASE64};

use crate::gotemplate::functions::{Function, Ty, fixed};
use crate::gotemplate::value::Value;

const S: &[Ty] = &[Ty::Str];

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("b64enc", S, |_, args| Ok(Value::str(BASE64.encode(args.text(0))))),
    fixed("b64dec", S, |_, args| Ok(Value::str(decode(args.text(0), &BASE64_FORM)))),
    fixed("b32enc", S, |_, args| Ok(Value::str(BASE32.encode(args.text(0))))),
    fixed("b32dec", S, |_, args| Ok(Value::str(decode(args.text(0), &BASE32_FORM)))),
];

/// An encoding that packs bytes into characters of some bits.
struct Form {
    name: &'static str,
    bits: usize,
    /// Characters of a full group.
    group: usize,
    digit: fn(u8) -> Option<u8>,
}

static BASE64_FORM: Form = Form { name: "base64", bits: 6, group: 4, digit: digit64 };
static BASE32_FORM: Form = Form { name: "base32", bits: 5, group: 8, digit: digit32 };

fn digit64(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

fn digit32(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'2'..=b'7' => byte - b'2' + 26,
        _ => return None,
    })
}

/// The bytes, or Go's message of where they are not in the form.
fn decode(text: &[u8], form: &Form) -> Vec<u8> {
    match try_decode(text, form) {
        Ok(bytes) => bytes,
        Err(at) => format!("illegal {} data at input byte {at}", form.name).into_bytes(),
    }
}

fn try_decode(text: &[u8], form: &Form) -> Result<Vec<u8>, usize> {
    if form.bits == 5 { decode32(text, form) } else { decode64(text, form) }
}

fn is_newline(byte: u8) -> bool {
    byte == b'\r' || byte == b'\n'
}

/// The bytes that the digits of a group hold in full.
fn unpack(digits: &[u8], bits: usize, out: &mut Vec<u8>) {
    let packed = digits.iter().fold(0_u64, |packed, &digit| packed << bits | u64::from(digit));
    let total = digits.len() * bits;
    out.extend((1..=total / 8).map(|index| (packed >> (total - index * 8)) as u8));
}

fn decode64(text: &[u8], form: &Form) -> Result<Vec<u8>, usize> {
    let mut out = Vec::with_capacity(text.len());
    let mut digits: Vec<u8> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let byte = text.get(at).copied().unwrap_or_default();
        at += 1;
        if let Some(digit) = (form.digit)(byte) {
            digits.push(digit);
            if digits.len() == form.group {
                unpack(&digits, form.bits, &mut out);
                digits.clear();
            }
        } else if byte == b'=' {
            padding64(text, at, digits.len())?;
            unpack(&digits, form.bits, &mut out);
            return Ok(out);
        } else if !is_newline(byte) {
            return Err(at - 1);
        }
    }
    if digits.is_empty() { Ok(out) } else { Err(at - digits.len()) }
}

/// Checks what follows the first `=`, which stands before `at`.
fn padding64(text: &[u8], at: usize, digits: usize) -> Result<(), usize> {
    let skip = |mut at: usize| {
        while text.get(at).is_some_and(|&byte| is_newline(byte)) {
            at += 1;
        }
        at
    };
    let mut end = match digits {
        0 | 1 => return Err(at - 1),
        2 => {
            let second = skip(at);
            match text.get(second) {
                Some(b'=') => second + 1,
                Some(_) => return Err(second - 1),
                None => return Err(text.len()),
            }
        }
        _ => at,
    };
    end = skip(end);
    if end < text.len() { Err(end) } else { Ok(()) }
}

fn decode32(text: &[u8], form: &Form) -> Result<Vec<u8>, usize> {
    let text: Vec<u8> = text.iter().copied().filter(|&byte| !is_newline(byte)).collect();
    let mut out = Vec::with_capacity(text.len());
    for (index, group) in text.chunks(form.group).enumerate() {
        let start = index * form.group;
        let mut digits = Vec::with_capacity(form.group);
        for (offset, &byte) in group.iter().enumerate() {
            if byte == b'=' && offset >= 2 && text.len() - (start + offset) <= form.group {
                return padded32(&text, start + offset, &digits, form, out);
            }
            match (form.digit)(byte) {
                Some(digit) => digits.push(digit),
                None => return Err(start + offset),
            }
        }
        if digits.len() < form.group {
            return Err(start);
        }
        unpack(&digits, form.bits, &mut out);
    }
    Ok(out)
}

/// The last group, from its first `=` on.
fn padded32(
    text: &[u8],
    at: usize,
    digits: &[u8],
    form: &Form,
    mut out: Vec<u8>,
) -> Result<Vec<u8>, usize> {
    let wanted = form.group - digits.len();
    let rest = text.get(at..).unwrap_or_default();
    if rest.len() < wanted {
        return Err(text.len());
    }
    if let Some(wrong) = rest.iter().take(wanted).position(|&byte| byte != b'=') {
        return Err(at + wrong - 1);
    }
    if matches!(digits.len(), 1 | 3 | 6) {
        return Err(at);
    }
    unpack(digits, form.bits, &mut out);
    Ok(out)
}
