//! Copy specs: a stream of JSON objects and arrays of them.
//!
//! `{"src": …, "dst": …, "transform": {"limitPlatforms": […]}}`, names as for `docker pull` and
//! `docker push`, or `oci:` locations. Fields that are not known are refused.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::Arc;

use serde::Deserialize;

use super::keep::{Keep, parse_platform};
use super::spec::{Place, Spec};
use super::split::{SplitFault, Splitter, Start};
use super::validate::validate;
use super::violation::{Fault, Violation, Violations};
use crate::types::Location;

/// Why specs were not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpecsError {
    /// The input could not be read.
    #[error("reading {0} failed")]
    Read(String, #[source] io::Error),
    /// The input breaks the rules.
    #[error(transparent)]
    Violations(#[from] Violations),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSpec<'a> {
    #[serde(borrow, default)]
    src: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    dst: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    transform: Option<RawTransform<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTransform<'a> {
    #[serde(rename = "limitPlatforms", borrow, default)]
    limit_platforms: Option<Vec<Cow<'a, str>>>,
}

/// Reads every copy spec of `input` and checks them all together; a spec that repeats another is
/// left out. `name` is the input's in errors. All violations are found in one go.
pub fn read_specs(name: &str, input: impl Read) -> Result<Vec<Spec>, SpecsError> {
    let mut splitter = Splitter::new(input);
    let mut reader = Reader::default();
    let mut object = Vec::new();
    loop {
        match splitter.next(&mut object) {
            Ok(Some(start)) => reader.take(start, &object),
            Ok(None) => break,
            Err(SplitFault::Read(error)) => return Err(SpecsError::Read(name.to_owned(), error)),
            Err(SplitFault::Structure { what, byte, within }) => {
                reader.violation(within, Fault::Stream { what, byte });
                break;
            }
        }
    }
    Ok(validate(name, reader.specs, reader.violations)?)
}

#[derive(Default)]
struct Reader {
    specs: Vec<Spec>,
    violations: Vec<Violation>,
    /// The transformations seen so far, by their platforms as written: most inputs have few.
    keeps: HashMap<Vec<String>, Arc<Keep>>,
    all: Arc<Keep>,
}

impl Reader {
    fn take(&mut self, start: Start, object: &[u8]) {
        let raw: RawSpec<'_> = match serde_json::from_slice(object) {
            Ok(raw) => raw,
            Err(error) => {
                let byte = start.byte + offset_of(&error, object);
                return self.violation(start, Fault::Malformed { what: words_of(&error), byte });
            }
        };
        let source = self.location(start, raw.src, "src", Fault::Source);
        let destination = self.location(start, raw.dst, "dst", Fault::Destination);
        let limit = raw.transform.and_then(|transform| transform.limit_platforms);
        let keep = self.keep(start, limit.unwrap_or_default());
        if let (Some(source), Some(destination), Some(keep)) = (source, destination, keep) {
            let place = Place::Spec { number: start.number, byte: start.byte };
            self.specs.push(Spec::new(&source, &destination, keep, place));
        }
    }

    fn location(
        &mut self,
        start: Start,
        text: Option<Cow<'_, str>>,
        field: &'static str,
        fault: fn(crate::types::LocationError) -> Fault,
    ) -> Option<Location> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            self.violation(start, Fault::Missing(field));
            return None;
        };
        match Location::parse_docker(&text) {
            Ok(location) => Some(location),
            Err(error) => {
                self.violation(start, fault(error));
                None
            }
        }
    }

    fn keep(&mut self, start: Start, platforms: Vec<Cow<'_, str>>) -> Option<Arc<Keep>> {
        if platforms.is_empty() {
            return Some(self.all.clone());
        }
        let key: Vec<String> = platforms.into_iter().map(Cow::into_owned).collect();
        if let Some(keep) = self.keeps.get(&key) {
            return Some(keep.clone());
        }
        let mut parsed = Vec::new();
        for text in &key {
            match parse_platform(text) {
                Ok(platform) => parsed.push(platform),
                Err(error) => self.violation(start, error.into()),
            }
        }
        let keep = (parsed.len() == key.len()).then(|| Arc::new(Keep::Platforms(parsed)))?;
        self.keeps.insert(key, keep.clone());
        Some(keep)
    }

    fn violation(&mut self, start: Start, fault: Fault) {
        let place = Place::Spec { number: start.number, byte: start.byte };
        self.violations.push(Violation { place, fault });
    }
}

/// Where in `object` the parser stopped.
fn offset_of(error: &serde_json::Error, object: &[u8]) -> u64 {
    let before: usize = object
        .split_inclusive(|byte| *byte == b'\n')
        .take(error.line().max(1) - 1)
        .map(<[u8]>::len)
        .sum();
    (before + error.column().max(1) - 1) as u64
}

/// What the parser says, without its own idea of the place.
fn words_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Digest;

    fn read(text: &str) -> Vec<Spec> {
        read_specs("specs.json", text.as_bytes()).unwrap()
    }

    fn fails(text: &str) -> Vec<String> {
        let error = read_specs("specs.json", text.as_bytes()).unwrap_err().to_string();
        error.lines().map(|line| line.trim().to_owned()).collect()
    }

    #[test]
    fn objects_and_arrays_with_every_field() {
        let text = r#"{"src":"alpine","dst":"localhost:5000/alpine"}
            [{"dst":"reg.io/b:1","src":"a/b:1","transform":{"limitPlatforms":["linux/arm/v7","arm64"]}},
             {"src":"a/c","dst":"oci:dir","transform":{}}] [] {"src":"oci:x:1","dst":"reg.io/d","transform":null}"#;
        let specs = read(text);
        let ends: Vec<_> = specs.iter().map(|spec| (spec.source(), spec.destination())).collect();
        assert_eq!(
            ends,
            [
                ("docker.io/library/alpine:latest", "localhost:5000/alpine:latest"),
                ("docker.io/a/b:1", "reg.io/b:1"),
                ("docker.io/a/c:latest", "oci:dir:latest"),
                ("oci:x:1", "reg.io/d:latest"),
            ]
        );
        assert_eq!(specs[1].keep.words(), "linux/arm/v7, linux/arm64");
        assert!(specs[2].keep.is_all() && specs[3].keep.is_all());
        for spec in &specs {
            let again = &read(&spec.again())[0];
            assert!(again.is_same(spec), "{}", spec.again());
        }
    }

    #[test]
    fn repetitions_are_left_out() {
        let one = r#"{"src":"a","dst":"r.io/a","transform":{"limitPlatforms":["linux/amd64","linux/arm64"]}}"#;
        let two = r#"{"src":"docker.io/library/a:latest","dst":"r.io/a:latest","transform":{"limitPlatforms":["arm64/v8","linux/amd64"]}}"#;
        let two = two.replace("arm64/v8", "linux/arm64/v8");
        assert_eq!(
            read(&format!("{one}[{two},{one}]{{\"src\":\"a\",\"dst\":\"r.io/b\"}}")).len(),
            2
        );
    }

    #[test]
    fn a_place_is_one_in_every_spelling() {
        let pair = |a: &str, b: &str, c: &str, d: &str| {
            format!(r#"[{{"src":"{a}","dst":"{b}"}},{{"src":"{c}","dst":"{d}"}}]"#)
        };
        for (first, second) in [("R.io/x:1", "r.io/x:1"), ("oci:d:1", "oci:.//d/:1")] {
            let found = fails(&pair("q.io/a:1", first, "q.io/b:1", second));
            assert!(found[0].contains("differently from q.io/a:1"), "{found:?}");
            let found = fails(&pair("q.io/a:1", first, second, "q.io/b:1"));
            assert!(found[0].contains("and a source at spec 2"), "{found:?}");
        }
        assert_eq!(read(&pair("Q.io/a:1", "R.io/x:1", "q.io/a:1", "r.io/x:1")).len(), 1);
        assert_eq!(read(&pair("q.io/a:1", "oci:d:A", "q.io/b:1", "oci:d:a")).len(), 2);
    }

    #[test]
    fn every_rule_and_all_violations_at_once() {
        let (x, y) = (Digest::of(b"x"), Digest::of(b"y"));
        let text = format!(
            r#"{{"src":"r.io/a:1","dst":"r.io/b:1"}}
{{"src":"r.io/b:1","dst":"r.io/c:1"}}
{{"src":"r.io/x:1","dst":"r.io/d:1"}}
{{"src":"r.io/y:1","dst":"r.io/d:1"}}
{{"src":"r.io/x:1","dst":"r.io/d:1","transform":{{"limitPlatforms":["linux/amd64"]}}}}
{{"src":"r.io/x:1","dst":"r.io/e@{x}"}}
{{"src":"r.io/x@{y}","dst":"r.io/f@{x}"}}
{{"src":"r.io/x@{x}","dst":"r.io/g@{x}","transform":{{"limitPlatforms":["linux/amd64"]}}}}
{{"src":"r.io/x","dst":"r.io/h","force":true}}
{{"src":"r.io/x"}}
{{"src":"r.io/X","dst":"r.io/i"}}
{{"src":"r.io/x","dst":"r.io/j","transform":{{"limitPlatforms":["linux"]}}}}
{{"src":"r.io/x","dst":"oci-archive:x.tar"}}
{{"src":1,"dst":"r.io/k"}}
"#
        );
        let found = fails(&text);
        let mut starts = text.match_indices("{\"src\"").map(|(byte, _)| byte);
        let mut at = |number: usize| {
            let byte = starts.next().unwrap();
            format!("spec {number} (byte {byte}): ")
        };
        let places: Vec<String> = (1..=14).map(&mut at).collect();
        let expected = [
            (1, "r.io/b:1 is a destination here and a source at spec 2".to_owned()),
            (
                4,
                "r.io/d:1 is given from r.io/y:1 here and differently from r.io/x:1 at spec 3"
                    .to_owned(),
            ),
            (
                5,
                "r.io/d:1 is given from r.io/x:1 here and differently from r.io/x:1 at spec 3"
                    .to_owned(),
            ),
            (
                6,
                format!(
                    "the destination r.io/e@{x} names a digest, so the source must name the same one; it is r.io/x:1"
                ),
            ),
            (
                7,
                format!(
                    "the destination r.io/f@{x} names a digest, so the source must name the same one; it is r.io/x@{y}"
                ),
            ),
            (8, format!("the destination r.io/g@{x} names a digest, but transformations")),
            (9, "unknown field `force`, expected one of `src`, `dst`, `transform`".to_owned()),
            (10, "`dst` is missing".to_owned()),
            (11, "the source: \"r.io/X\" has an invalid repository".to_owned()),
            (12, "invalid platform \"linux\"".to_owned()),
            (13, "oci-archive:x.tar cannot be a destination".to_owned()),
            (14, "invalid type: integer `1`, expected a string".to_owned()),
        ];
        assert_eq!(
            found[0],
            format!("specs.json: {} violations, nothing was done", expected.len())
        );
        assert_eq!(found.len(), expected.len() + 1);
        for (line, (number, text)) in found[1..].iter().zip(expected) {
            let start = format!("{}{text}", places[number - 1]);
            assert!(line.starts_with(&start), "{line}\n{start}");
        }
    }

    #[test]
    fn tags_with_a_digest_are_still_the_tag() {
        let x = Digest::of(b"x");
        let text = format!(
            r#"{{"src":"s.io/a@{x}","dst":"r.io/a:1@{x}"}}{{"src":"s.io/b","dst":"r.io/a:1"}}
               {{"src":"r.io/a:1","dst":"t.io/a"}}"#
        );
        let found = fails(&text);
        assert!(found[1].contains("is a destination here and a source at spec 3"), "{found:?}");
        assert!(found.iter().any(|line| line.contains("spec 2") && line.contains("differently")));
    }

    #[test]
    fn a_stream_that_is_cut_names_the_byte() {
        let whole = r#"{"src":"a","dst":"r.io/a"} {"src":"b","dst":"r.io/b"}"#;
        let found = fails(&whole[..40]);
        assert_eq!(
            found,
            ["specs.json: spec 2 (byte 27): the input ends in the middle of the spec at byte 40"]
        );
        let broken = fails(r#"{"src":"a","dst":"r.io/a"} {"src" "b"}"#);
        assert_eq!(broken, ["specs.json: spec 2 (byte 27): expected `:` at byte 34"]);
    }

    #[test]
    fn nothing_is_asked_for_by_nothing() {
        assert!(read("").is_empty() && read(" \n[]\n").is_empty());
    }
}
