//! What arguments name or hold: lists of sources, locations, annotations, platforms, rulesets.
//!
//! Everything here is checked before any byte moves; what is wrong ends the run with code 2.

use std::io;
use std::path::Path;

use airlift_oci::inventory::{Item, SourceLine, parse_sources};
use airlift_oci::mirror::{ItemReport, Report, SourceImage};
use airlift_oci::store::{read_small, read_small_from};
use airlift_oci::stores::Stores;
use airlift_oci::types::{Annotations, Location, Platform, Tag};
use airlift_rules::{Routing, Ruleset, RulesetError, Selectors};
use anyhow::Context;

use crate::failure::Usage;

/// A file with a list of sources, `-` being standard input.
pub(crate) fn sources(path: &Path) -> anyhow::Result<Vec<SourceLine>> {
    let (name, text) = read(path)?;
    let lines = parse_sources(&name, &text).map_err(|error| {
        Usage::new(
            error.to_string(),
            "one source a line: REGISTRY/REPOSITORY[:TAG][@DIGEST][,LABEL=VALUE]..",
        )
    })?;
    if lines.is_empty() {
        return Err(Usage::new(
            format!("{name} names no source"),
            "one source a line: REGISTRY/REPOSITORY[:TAG][@DIGEST][,LABEL=VALUE]..",
        )
        .into());
    }
    Ok(lines)
}

/// The sources of a list, opened, and those that cannot be: a layout or archive that is not there
/// is a failure of its own line. Nothing is asked of registries yet.
pub(crate) struct Opened {
    /// Those that can be read.
    pub(crate) sources: Vec<SourceImage>,
    /// The others.
    pub(crate) failed: Vec<ItemReport>,
}

impl Opened {
    /// The report of all: what became of those that were opened, and that the others were not.
    pub(crate) fn join(failed: Vec<ItemReport>, mut report: Report) -> Report {
        report.items.extend(failed);
        report.items.sort_by(|one, other| one.item.cmp(&other.item));
        report
    }
}

/// Opens the sources of a list.
pub(crate) async fn open(lines: &[SourceLine], stores: &Stores) -> Opened {
    let mut all = Opened { sources: Vec::with_capacity(lines.len()), failed: Vec::new() };
    for line in lines {
        match stores.source(&line.location).await {
            Ok(opened) => all.sources.push(SourceImage {
                text: line.text.clone(),
                labels: line.labels.clone(),
                store: opened.store,
                mount_from: opened.mount_from,
                version: opened.version,
            }),
            Err(error) => {
                let mut report = ItemReport::new(&line.text);
                report.fail_by(&error);
                all.failed.push(report);
            }
        }
    }
    all
}

/// `-a KEY=VALUE[,KEY=VALUE]..`, repeatable. A value may hold a comma when the option holds one pair,
/// or the pair stands in quotes, as in CSV.
pub(crate) fn annotations(texts: &[String]) -> anyhow::Result<Annotations> {
    let mut annotations = Annotations::new();
    for text in texts {
        let pairs = match text.matches('=').count() {
            1 => vec![unquoted(text).to_owned()],
            _ => fields(text),
        };
        for pair in &pairs {
            let Some((key, value)) = pair.split_once('=').filter(|(key, _)| !key.is_empty()) else {
                return Err(Usage::new(
                    format!("`{pair}` is no annotation"),
                    "write --annotations KEY=VALUE, once for each annotation",
                )
                .into());
            };
            annotations.insert(key.to_owned(), value.to_owned());
        }
    }
    Ok(annotations)
}

/// A pair without the quotes around it. One that only the value has is a part of it.
fn unquoted(pair: &str) -> &str {
    let within = pair.strip_prefix('"').and_then(|pair| pair.strip_suffix('"'));
    within.unwrap_or(pair)
}

/// The fields of a line of CSV. A quote that is not closed closes at the end.
fn fields(line: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let (mut quoted, mut rest) = (false, line.chars().peekable());
    while let Some(char) = rest.next() {
        match char {
            '"' if quoted && rest.next_if_eq(&'"').is_some() => field.push('"'),
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            char => field.push(char),
        }
    }
    fields.push(field);
    fields
}

/// Platforms, as clap wants the parser.
pub(crate) fn platform(text: &str) -> Result<Platform, String> {
    text.parse().map_err(|error: airlift_oci::types::PlatformError| error.to_string())
}

/// A location, as clap wants the parser.
pub(crate) fn location(text: &str) -> Result<Location, String> {
    text.parse().map_err(|error: airlift_oci::types::LocationError| error.to_string())
}

/// The tag by which a destination will be named. What cannot be one is refused: an archive, and a
/// digest, which nobody knows of what is yet to be written.
pub(crate) fn destination_tag(image: &Location) -> anyhow::Result<Tag> {
    let by_digest = image.reference().is_some_and(|reference| reference.digest.is_some());
    let fault = match (image, image.destination_tag()) {
        (Location::Archive { .. }, _) => {
            let hint = "`airlift serialize` and `airlift archive` write archives";
            Usage::new(format!("{image} cannot be a destination: an archive is read only"), hint)
        }
        (_, Some(tag)) if !by_digest => return Ok(tag),
        _ => Usage::new(
            format!("the destination {image} is named by digest: it has no tag of its own to get"),
            "name the destination by tag: REGISTRY/REPOSITORY:TAG",
        ),
    };
    Err(fault.into())
}

/// Refuses a list that names `image` itself: what is written there would take the source's name.
pub(crate) fn distinct(lines: &[SourceLine], image: &Location) -> anyhow::Result<()> {
    match lines.iter().find(|line| same_name(&line.location, image)) {
        None => Ok(()),
        Some(line) => Err(Usage::new(
            format!(
                "the destination {image} is the source {} too, and would replace it",
                line.text
            ),
            "choose another tag or repository for the destination",
        )
        .into()),
    }
}

/// Refuses rules that send an item to where the gathered index itself is: it would be lost there.
pub(crate) fn spared(
    image: &Location,
    routing: &Routing<'_>,
    items: &[Item],
) -> anyhow::Result<()> {
    for (position, item) in items.iter().enumerate() {
        for to in routing.destinations(position, item)? {
            let label = to.reference.to_string();
            if same_name(&Location::Registry(to.reference), image) {
                let (source, rule) = (&item.source, to.rule);
                return Err(Usage::new(
                    format!(
                        "{label}, the destination of {source} ({rule}), is the gathered index itself, and would replace it"
                    ),
                    "choose another tag or repository for the destination",
                )
                .into());
            }
        }
    }
    Ok(())
}

/// Whether two locations are one tag at one place.
fn same_name(one: &Location, other: &Location) -> bool {
    let place = match (one, other) {
        (Location::Registry(one), Location::Registry(other)) => {
            // Hosts have no case.
            one.name.registry().eq_ignore_ascii_case(other.name.registry())
                && one.name.repository() == other.name.repository()
        }
        (Location::Layout { directory: one, .. }, Location::Layout { directory: other, .. }) => {
            let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
            real(one) == real(other)
        }
        _ => false,
    };
    place && one.destination_tag().is_some_and(|tag| other.destination_tag() == Some(tag))
}

/// A ruleset; the files that it names are read.
pub(crate) fn ruleset(text: &str) -> anyhow::Result<Ruleset> {
    let files = |path: &str| file_text(Path::new(path));
    Ruleset::parse(text, &files).map_err(|error| {
        let message = airlift_oci::store::chain(&error);
        let kinds = "`airlift route --help` lists the kinds of rulesets";
        let hint = match &error {
            RulesetError::Form { text } if Path::new(text).exists() => {
                format!("say of which kind the file is, as in go-template={text}; {kinds}")
            }
            RulesetError::Read { .. } => "name a file that can be read, in UTF-8".to_owned(),
            RulesetError::Form { .. }
            | RulesetError::Kind { .. }
            | RulesetError::Argument { .. }
            | RulesetError::Nest { .. } => kinds.to_owned(),
            _ => "put the file right; nothing was moved".to_owned(),
        };
        Usage::new(message, hint).into()
    })
}

/// Selectors of labels.
pub(crate) fn selectors(texts: &[String]) -> anyhow::Result<Selectors> {
    Selectors::parse(texts).map_err(|error| {
        let hint = "as in Kubernetes: -l 'team=core,tier in (a,b)'; several -l mean any of them";
        Usage::new(airlift_oci::store::chain(&error), hint).into()
    })
}

/// The text of a file that is small enough to be read whole.
pub(crate) fn file_text(path: &Path) -> io::Result<String> {
    let invalid = |_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8");
    String::from_utf8(read_small(path)?).map_err(invalid)
}

fn read(path: &Path) -> anyhow::Result<(String, Vec<u8>)> {
    if path == Path::new("-") {
        let text = read_small_from(std::io::stdin()).context("reading standard input failed")?;
        return Ok(("standard input".to_owned(), text));
    }
    let name = path.display().to_string();
    let text = read_small(path).map_err(|error| {
        Usage::new(format!("reading {name} failed: {error}"), "name a file that can be read")
    })?;
    Ok((name, text))
}

#[cfg(test)]
mod tests {
    use super::annotations;

    #[test]
    fn annotations_come_in_pairs_and_lists() {
        let texts = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        let read = annotations(&texts(&["a=1,b=2", "c=x,y"])).expect("reads");
        let pairs: Vec<_> = read.iter().map(|(k, v)| format!("{k}:{v}")).collect();
        assert_eq!(pairs, ["a:1", "b:2", "c:x,y"]);
        let quoted = [r#"a=1,"b=x,y","c=say ""so""""#, r#""d=x,y""#, r#"e=1,f="g""#, r#"h="i""#];
        let read = annotations(&texts(&quoted)).expect("reads");
        let pairs: Vec<_> = read.iter().map(|(k, v)| format!("{k}:{v}")).collect();
        assert_eq!(pairs, ["a:1", "b:x,y", "c:say \"so\"", "d:x,y", "e:1", "f:\"g\"", "h:\"i\""]);
        for wrong in ["a", "=1", "a=1,b=2,c"] {
            assert!(annotations(&texts(&[wrong])).is_err(), "{wrong}");
        }
    }
}
