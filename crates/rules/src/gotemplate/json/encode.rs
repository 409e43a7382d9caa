//! `json.Marshal` and `json.Indent`.

use crate::gotemplate::fmt::format_float;
use crate::gotemplate::limits::{Budget, check_depth};
use crate::gotemplate::text::{GoStr, RUNE_ERROR, runes};
use crate::gotemplate::value::{Descriptor, Fail, Platform, Value};

/// Writes a value as JSON, `<`, `>` and `&` escaped or not.
pub(crate) fn encode(value: &Value, escape_html: bool, budget: &Budget) -> Result<Vec<u8>, Fail> {
    let mut encoder = Encoder { out: Vec::new(), escape_html, budget };
    encoder.value(value, 0)?;
    Ok(encoder.out)
}

struct Encoder<'b> {
    out: Vec<u8>,
    escape_html: bool,
    budget: &'b Budget,
}

type Encoded = Result<(), Fail>;

impl Encoder<'_> {
    fn write(&mut self, text: impl AsRef<[u8]>) -> Encoded {
        let text = text.as_ref();
        self.budget.bytes(text.len())?;
        self.out.extend_from_slice(text);
        Ok(())
    }

    fn value(&mut self, value: &Value, depth: usize) -> Encoded {
        self.budget.step(1)?;
        check_depth(depth)?;
        match value {
            Value::Invalid | Value::Nil | Value::NilError | Value::Platform(None) => {
                self.write("null")
            }
            Value::Bool(b) => self.write(if *b { "true" } else { "false" }),
            Value::Int(n)
            | Value::Int64(n)
            | Value::Month(n)
            | Value::Weekday(n)
            | Value::Duration(n) => self.write(n.to_string()),
            Value::Uint8(n) => self.write(n.to_string()),
            Value::Uint64(n) => self.write(n.to_string()),
            Value::Float(f) => self.float(*f),
            Value::Complex(..) => Err("json: unsupported type: complex128".into()),
            Value::Str(text) | Value::Digest(text) | Value::Algorithm(text) => self.string(text),
            Value::Bytes(None) => self.write("null"),
            Value::Bytes(Some(bytes)) => {
                self.budget.bytes(bytes.len() * 2)?;
                self.write(format!("\"{}\"", data_encoding::BASE64.encode(bytes)))
            }
            Value::List(list) if list.is_nil() => self.write("null"),
            Value::List(list) => self.array(&list.to_vec(), depth),
            Value::Dict(None) | Value::StrMap(None) => self.write("null"),
            Value::Dict(Some(dict)) => self.object(dict.entries(), depth),
            Value::StrMap(Some(map)) => {
                let entries = map.iter().map(|(key, text)| (key.clone(), Value::Str(text.clone())));
                self.object(entries.collect(), depth)
            }
            Value::Time(time) => {
                let text = time.rfc3339();
                let text = text.map_err(|why| format!("json: error calling MarshalJSON for type time.Time: Time.MarshalJSON: {why}"))?;
                self.string(&text)
            }
            Value::Version(version) | Value::VersionPtr(version) => {
                self.string(version.to_string().as_bytes())
            }
            Value::Descriptor(descriptor) => self.object(descriptor_members(descriptor), depth),
            Value::Platform(Some(platform)) => self.object(platform_members(platform), depth),
            Value::Location(_) | Value::Error(..) | Value::Hash(_) => self.write("{}"),
        }
    }

    fn float(&mut self, float: f64) -> Encoded {
        if !float.is_finite() {
            return Err(
                format!("json: unsupported value: {}", format_float(float, 'g', None)).into()
            );
        }
        let magnitude = float.abs();
        if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
            let text = format_float(float, 'e', None);
            return self.write(text.replace("e-0", "e-"));
        }
        self.write(format_float(float, 'f', None))
    }

    fn string(&mut self, text: &[u8]) -> Encoded {
        let mut out = vec![b'"'];
        for (at, rune, width) in runes(text) {
            let escaped = match rune {
                '"' => "\\\"".to_owned(),
                '\\' => "\\\\".to_owned(),
                '\u{8}' => "\\b".to_owned(),
                '\u{c}' => "\\f".to_owned(),
                '\n' => "\\n".to_owned(),
                '\r' => "\\r".to_owned(),
                '\t' => "\\t".to_owned(),
                '\0'..='\u{1f}' | '\u{2028}' | '\u{2029}' => format!("\\u{:04x}", u32::from(rune)),
                '<' | '>' | '&' if self.escape_html => format!("\\u{:04x}", u32::from(rune)),
                RUNE_ERROR if width == 1 => "\\ufffd".to_owned(),
                _ => {
                    out.extend_from_slice(text.get(at..at + width).unwrap_or_default());
                    continue;
                }
            };
            out.extend_from_slice(escaped.as_bytes());
        }
        out.push(b'"');
        self.write(out)
    }

    fn array(&mut self, items: &[Value], depth: usize) -> Encoded {
        self.write("[")?;
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.write(",")?;
            }
            self.value(item, depth + 1)?;
        }
        self.write("]")
    }

    fn object(&mut self, members: Vec<(GoStr, Value)>, depth: usize) -> Encoded {
        self.write("{")?;
        for (index, (name, value)) in members.iter().enumerate() {
            if index > 0 {
                self.write(",")?;
            }
            self.string(name)?;
            self.write(":")?;
            self.value(value, depth + 1)?;
        }
        self.write("}")
    }
}

fn is_empty(value: &Value) -> bool {
    !crate::gotemplate::value::truth(value)
}

/// Members by their JSON names; those marked `true` are left out where they are empty.
fn members(fields: Vec<(&'static str, Value)>, names: &[(&str, bool)]) -> Vec<(GoStr, Value)> {
    let named = fields.into_iter().zip(names);
    named
        .filter(|((_, value), (_, optional))| !optional || !is_empty(value))
        .map(|((_, value), (name, _))| ((*name).into(), value))
        .collect()
}

fn descriptor_members(descriptor: &Descriptor) -> Vec<(GoStr, Value)> {
    let names = [
        ("mediaType", false),
        ("digest", false),
        ("size", false),
        ("urls", true),
        ("annotations", true),
        ("data", true),
        ("platform", true),
        ("artifactType", true),
    ];
    members(descriptor.fields(), &names)
}

fn platform_members(platform: &Platform) -> Vec<(GoStr, Value)> {
    let names = [
        ("architecture", false),
        ("os", false),
        ("os.version", true),
        ("os.features", true),
        ("variant", true),
    ];
    members(platform.fields(), &names)
}

/// `json.Indent`, by two spaces, of JSON without spaces.
pub(crate) fn indent(json: &[u8], budget: &Budget) -> Result<Vec<u8>, Fail> {
    let mut out = Vec::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut bytes = json.iter().peekable();
    while let Some(&byte) = bytes.next() {
        if in_string {
            out.push(byte);
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'{' | b'[' => {
                out.push(byte);
                if matches!(bytes.peek(), Some(b'}' | b']')) {
                    out.extend(bytes.next());
                } else {
                    depth += 1;
                    new_line(&mut out, depth, budget)?;
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth, budget)?;
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                new_line(&mut out, depth, budget)?;
            }
            b':' => out.extend_from_slice(b": "),
            _ => {
                out.push(byte);
                in_string = byte == b'"';
            }
        }
    }
    Ok(out)
}

fn new_line(out: &mut Vec<u8>, depth: usize, budget: &Budget) -> Encoded {
    budget.bytes(depth * 2 + 1)?;
    out.push(b'\n');
    out.resize(out.len() + depth * 2, b' ');
    Ok(())
}
