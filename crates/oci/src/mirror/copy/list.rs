//! Lists of images: a line `SOURCE DEST TAG` for each, `#` and `//` before comments.
//!
//! A registry that is given for all sources or all destinations goes before the one in the list;
//! a name that is left without any is one of docker.io.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use super::keep::Keep;
use super::spec::{Place, Spec};
use super::validate::validate;
use super::violation::{Fault, Violation, Violations};
use crate::types::{Location, LocationError, Reference, ReferenceError, Tag};

/// How a list is read.
#[derive(Debug, Clone, Default)]
pub struct ListOptions {
    source: Option<String>,
    destination: Option<String>,
    keep: Arc<Keep>,
}

/// Why a list was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// The input could not be read.
    #[error("reading {0} failed")]
    Read(String, #[source] io::Error),
    /// The input breaks the rules.
    #[error(transparent)]
    Violations(#[from] Violations),
}

impl ListOptions {
    /// Options with the registry of all sources, that of all destinations (each `HOST[:PORT]`,
    /// with a path if need be), and what is kept of each image.
    pub fn new(
        source: Option<&str>,
        destination: Option<&str>,
        keep: Keep,
    ) -> Result<Self, ReferenceError> {
        let checked = |text: &str| {
            let text = text.trim_end_matches('/');
            format!("{text}/x").parse::<Reference>().map(|_| text.to_owned())
        };
        let (source, destination) = (source.map(checked), destination.map(checked));
        let keep = Arc::new(keep);
        Ok(ListOptions { source: source.transpose()?, destination: destination.transpose()?, keep })
    }
}

/// Reads a list and checks it as a whole; a line that repeats another is left out. `name` is the
/// input's in errors. All violations are found in one go.
pub fn read_list(
    name: &str,
    input: impl Read,
    options: &ListOptions,
) -> Result<Vec<Spec>, ListError> {
    let (mut specs, mut violations) = (Vec::new(), Vec::new());
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = input.read_until(b'\n', &mut line);
        if read.map_err(|error| ListError::Read(name.to_owned(), error))? == 0 {
            break;
        }
        let place = Place::Line(number);
        let text = std::str::from_utf8(&line).map_err(|_| Fault::Encoding);
        match text.and_then(|text| read_line(text, place, options)) {
            Ok(spec) => specs.extend(spec),
            Err(fault) => violations.push(Violation { place, fault }),
        }
    }
    Ok(validate(name, specs, violations)?)
}

/// Reads one line; `None` when it asks for nothing.
pub fn read_line(line: &str, place: Place, options: &ListOptions) -> Result<Option<Spec>, Fault> {
    let line = line.trim_start_matches('\u{feff}').trim();
    if line.is_empty() || line.starts_with('#') || line.starts_with("//") {
        return Ok(None);
    }
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [source, destination, tag] = fields[..] else { return Err(Fault::Fields(fields.len())) };
    let tag: Tag = tag.parse().map_err(Fault::Tag)?;
    let source = located(source, options.source.as_deref(), &tag, Fault::Source)?;
    let destination =
        located(destination, options.destination.as_deref(), &tag, Fault::Destination)?;
    let spec = Spec::new(&source, &destination, options.keep.clone(), place);
    Ok(Some(spec.written_as(&fields.join(" "))))
}

/// The image `tag` of the repository or layout `name`.
fn located(
    name: &str,
    registry: Option<&str>,
    tag: &Tag,
    fault: fn(LocationError) -> Fault,
) -> Result<Location, Fault> {
    let location = Location::parse_docker(&in_registry(name, registry)).map_err(fault)?;
    let tagged = || Err(Fault::Tagged(name.to_owned()));
    Ok(match location {
        Location::Registry(Reference { tag: None, digest: None, name }) => {
            Location::Registry(Reference { name, tag: Some(tag.clone()), digest: None })
        }
        Location::Layout { directory, tag: None } => {
            Location::Layout { directory, tag: Some(tag.to_string()) }
        }
        Location::Archive { file, tag: None } => {
            Location::Archive { file, tag: Some(tag.to_string()) }
        }
        _ => return tagged(),
    })
}

/// The name in `registry`, when there is one: in place of its own, if it has its own.
fn in_registry(name: &str, registry: Option<&str>) -> String {
    let kinds = ["oci:", "oci-archive:", "docker-archive:"];
    let is_path = kinds.iter().any(|kind| name.starts_with(kind));
    let Some(registry) = registry.filter(|_| !is_path) else { return name.to_owned() };
    let rest = match name.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => rest,
        _ => name,
    };
    format!("{registry}/{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, source: Option<&str>, destination: Option<&str>) -> Vec<(String, String)> {
        let options = ListOptions::new(source, destination, Keep::All).unwrap();
        let specs = read_list("list.txt", text.as_bytes(), &options).unwrap();
        specs.iter().map(|spec| (spec.source().to_owned(), spec.destination().to_owned())).collect()
    }

    fn pair(source: &str, destination: &str) -> (String, String) {
        (source.to_owned(), destination.to_owned())
    }

    #[test]
    fn the_sample_and_its_comments() {
        let text = "# <SOURCE> <DEST> <TAG>\n// so is this\n\nhello-world private.io/library/hello-world latest\r\n";
        let hello =
            pair("docker.io/library/hello-world:latest", "private.io/library/hello-world:latest");
        assert_eq!(read(text, None, None), [hello]);
    }

    #[test]
    fn registries_by_priority() {
        let nginx = "nginx nginx 1";
        let (hub, own) = ("docker.io/library/nginx:1", "custom.example.org/nginx:1");
        assert_eq!(
            read("nginx private.io/nginx 1", None, Some("custom.example.org")),
            [pair(hub, own)]
        );
        assert_eq!(
            read("nginx library/nginx 1", None, Some("custom.example.org")),
            [pair(hub, "custom.example.org/library/nginx:1")]
        );
        assert_eq!(read(nginx, Some("docker.io"), Some("custom.example.org/")), [pair(hub, own)]);
        assert_eq!(
            read("quay.io/a/b oci:dir 1", Some("localhost:5000/mirror"), Some("x.io")),
            [pair("localhost:5000/mirror/a/b:1", "oci:dir:1")]
        );
        assert_eq!(
            read("quay.io/a/b a/b 1", None, None),
            [pair("quay.io/a/b:1", "docker.io/a/b:1")]
        );
        assert!(ListOptions::new(Some("mirror"), None, Keep::All).is_err());
    }

    #[test]
    fn all_faults_come_together_with_their_lines() {
        let text =
            b"a b\na b c d\na:1 x.io/b 1\na x.io/B 1\n\xff\na x.io/b @\na x.io/b 1\nc x.io/b 1";
        let options = ListOptions::default();
        let error = read_list("list.txt", &text[..], &options).unwrap_err().to_string();
        let lines: Vec<&str> = error.lines().collect();
        assert_eq!(lines[0], "list.txt: 7 violations, nothing was done");
        for (line, start) in lines[1..].iter().zip([
            "  line 1: expected `SOURCE DEST TAG`, found 2 fields",
            "  line 2: expected `SOURCE DEST TAG`, found 4 fields",
            "  line 3: \"a:1\" has a tag or digest of its own",
            "  line 4: the destination: \"x.io/B\" has an invalid repository",
            "  line 5: the line is not UTF-8",
            "  line 6: invalid tag \"@\"",
            "  line 8: x.io/b:1 is given from docker.io/library/c:1 here and differently from docker.io/library/a:1 at line 7",
        ]) {
            assert!(line.starts_with(start), "{line}");
        }
    }

    #[test]
    fn a_failed_line_is_given_back_as_it_was() {
        let options = ListOptions::new(None, Some("x.io"), Keep::All).unwrap();
        let spec = read_line("  nginx \t private.io/nginx  1 ", Place::Line(1), &options);
        assert_eq!(spec.unwrap().unwrap().again(), "nginx private.io/nginx 1");
    }
}
