//! Rulesets: `KIND=ARGUMENT`, and what each kind gives for an item.

mod go;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use airlift_oci::types::{Reference, ReferenceError};

use go::Go;

use crate::nearest::nearest;
use crate::rule::{Destination, Place, RouteError, destination};
use crate::table::{self, DigestTable, Matching, PrefixTable, TableError};
use crate::template::Template;
use crate::{Files, Origin, Routable};

/// Every kind of ruleset, with what stands behind its `=`.
pub const KINDS: &[(&str, &str)] = &[
    ("nest", "REPOSITORY"),
    ("all-prefix", "FILE"),
    ("first-prefix", "FILE"),
    ("longest-prefix", "FILE"),
    ("digests", "FILE"),
    ("go-template", "FILE"),
    ("template", "FILE"),
];

/// Rules that give every item its destinations. Immutable: the same item always gets the same.
#[derive(Debug)]
pub struct Ruleset {
    /// The file as the user named it, or the whole `nest=…`.
    file: Arc<str>,
    rules: Rules,
}

#[derive(Debug)]
enum Rules {
    Nest(String),
    Prefix(PrefixTable),
    Digests(DigestTable),
    Go(Box<Go>),
    Template(Box<Template>),
}

/// Why a text is no ruleset.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RulesetError {
    /// There is no `KIND=ARGUMENT`.
    #[error(
        "{text:?} is no ruleset: expected KIND=ARGUMENT, for example nest=registry.example.com"
    )]
    Form {
        /// The text.
        text: String,
    },
    /// The kind does not exist.
    #[error("there is no ruleset of the kind {kind:?}{}", hint(kind))]
    Kind {
        /// The kind as written.
        kind: String,
    },
    /// The argument is missing.
    #[error("{kind}= needs a {argument} behind it")]
    Argument {
        /// The kind.
        kind: &'static str,
        /// What is expected.
        argument: &'static str,
    },
    /// The repository of `nest` is none.
    #[error("nest={repository}: not a registry or repository to nest below")]
    Nest {
        /// The text behind `nest=`.
        repository: String,
        /// What is wrong.
        #[source]
        cause: ReferenceError,
    },
    /// The file cannot be read.
    #[error("cannot read the ruleset file {file:?}")]
    Read {
        /// The file as the user named it.
        file: String,
        /// What is wrong.
        #[source]
        cause: io::Error,
    },
    /// A line of a table cannot be understood.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A template cannot be understood.
    #[error("{place}: the template cannot be read")]
    Template {
        /// File and line.
        place: Place,
        /// What is wrong.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn hint(kind: &str) -> String {
    let kinds: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
    let all = || format!("; the kinds are {}", kinds.join(", "));
    let meant = nearest(kind, kinds.iter().copied());
    meant.map_or_else(all, |meant| format!("; did you mean {meant:?}?"))
}

/// A destination as a rule gives it, before it is checked.
pub(crate) struct Proposal {
    pub(crate) text: String,
    pub(crate) line: Option<u32>,
}

impl Ruleset {
    /// Reads `KIND=ARGUMENT`; a kind with a file reads it through `files`.
    pub fn parse(text: &str, files: &dyn Files) -> Result<Self, RulesetError> {
        let form = || RulesetError::Form { text: text.to_owned() };
        let (kind, argument) = text.split_once('=').ok_or_else(form)?;
        let unknown = || RulesetError::Kind { kind: kind.to_owned() };
        let (kind, needed) = KINDS.iter().find(|known| known.0 == kind).ok_or_else(unknown)?;
        if argument.is_empty() {
            return Err(RulesetError::Argument { kind, argument: needed });
        }
        if *kind == "nest" {
            let rules = Rules::Nest(nest_below(argument)?);
            return Ok(Ruleset { file: text.into(), rules });
        }
        let rules = Rules::read(kind, argument, files)?;
        Ok(Ruleset { file: argument.into(), rules })
    }

    /// The item's destinations in the order of the rules, without repeats; none when no rule
    /// matches. The first invalid one is an error; [`crate::Routing::plan`] finds all.
    pub fn route(&self, item: &impl Routable) -> Result<Vec<Destination>, RouteError> {
        let origin = &item.origin();
        let mut destinations: Vec<Destination> = Vec::new();
        for proposal in self.propose(origin)? {
            let next = self.check(&proposal, origin)?;
            if destinations.iter().all(|known| known.reference != next.reference) {
                destinations.push(next);
            }
        }
        Ok(destinations)
    }

    /// Whether the rules may look at more of an item than its source: at its digest, its type, its
    /// annotations. When they do not, items can be routed that nobody has read.
    pub fn reads_content(&self) -> bool {
        match &self.rules {
            Rules::Nest(_) => false,
            Rules::Prefix(table) => table.names_digests(),
            Rules::Digests(_) | Rules::Go(_) | Rules::Template(_) => true,
        }
    }

    /// What the rules give, unchecked.
    pub(crate) fn propose(&self, origin: &Origin<'_>) -> Result<Vec<Proposal>, RouteError> {
        let source = origin.source;
        match &self.rules {
            Rules::Nest(below) => {
                let (host, rest) = self.split(source, origin)?;
                let host = as_path(host);
                Ok(vec![Proposal { text: format!("{below}/{host}/{rest}"), line: None }])
            }
            Rules::Prefix(table) => Ok(propose(table.find(source), |line| {
                let rest = source.get(line.key.text.len()..).unwrap_or_default();
                format!("{}{rest}", line.destination.text)
            })),
            Rules::Digests(table) => {
                let lines = table.find(origin);
                let appends = lines.iter().any(|line| line.destination.text.ends_with('/'));
                let path = if appends { self.path(origin)? } else { String::new() };
                Ok(propose(lines, |line| match line.destination.text.as_str() {
                    text if text.ends_with('/') => format!("{text}{path}"),
                    text => text.to_owned(),
                }))
            }
            Rules::Go(template) => template
                .render(origin)
                .map(|output| lines(&output))
                .map_err(|(line, cause)| self.template_error(line, cause, origin)),
            Rules::Template(template) => template
                .render(origin)
                .map(|output| lines(&output))
                .map_err(|fault| self.template_error(fault.line, fault.into(), origin)),
        }
    }

    /// Checks what the rules gave.
    pub(crate) fn check(
        &self,
        proposal: &Proposal,
        origin: &Origin<'_>,
    ) -> Result<Destination, RouteError> {
        destination(&proposal.text, self.place(proposal.line), origin)
    }

    /// The place of a line of the ruleset's file.
    pub(crate) fn place(&self, line: Option<u32>) -> Place {
        Place { file: Arc::clone(&self.file), line }
    }

    fn template_error(
        &self,
        line: Option<u32>,
        cause: Box<dyn std::error::Error + Send + Sync>,
        origin: &Origin<'_>,
    ) -> RouteError {
        RouteError::Template { rule: self.place(line), item: origin.source.to_owned(), cause }
    }

    /// Host and rest of a source that is a reference.
    fn split<'a>(
        &self,
        source: &'a str,
        origin: &Origin<'_>,
    ) -> Result<(&'a str, &'a str), RouteError> {
        self.reference(origin)?;
        Ok(source.split_once('/').unwrap_or(("", source)))
    }

    /// Repository and tag of the source, as appended to a destination that ends in a slash.
    fn path(&self, origin: &Origin<'_>) -> Result<String, RouteError> {
        let reference = self.reference(origin)?;
        let repository = reference.name.repository();
        Ok(match reference.tag {
            Some(tag) => format!("{repository}:{tag}"),
            None => repository.to_owned(),
        })
    }

    fn reference(&self, origin: &Origin<'_>) -> Result<Reference, RouteError> {
        origin.source.parse().map_err(|cause| RouteError::Source {
            rule: self.place(None),
            item: origin.source.to_owned(),
            cause: Box::new(cause),
        })
    }
}

impl Rules {
    fn read(kind: &str, file: &str, files: &dyn Files) -> Result<Self, RulesetError> {
        let text = files
            .read(file)
            .map_err(|cause| RulesetError::Read { file: file.to_owned(), cause })?;
        let prefixes = |matching| {
            let lines = table::parse(file, "PREFIX", &text)?;
            Ok(Rules::Prefix(PrefixTable::new(lines, matching)))
        };
        match kind {
            "all-prefix" => prefixes(Matching::All),
            "first-prefix" => prefixes(Matching::First),
            "longest-prefix" => prefixes(Matching::Longest),
            "go-template" => {
                let template = Go::parse(file, &text).map_err(|error| {
                    template_error(file, u32::try_from(error.line).ok(), error.into())
                })?;
                Ok(Rules::Go(Box::new(template)))
            }
            "template" => Template::parse(&text)
                .map(|template| Rules::Template(Box::new(template)))
                .map_err(|fault| template_error(file, fault.line, fault.into())),
            _ => {
                let lines = table::parse(file, "DIGEST", &text)?;
                Ok(Rules::Digests(DigestTable::new(file, lines)?))
            }
        }
    }
}

fn propose(lines: Vec<&table::Line>, text: impl Fn(&table::Line) -> String) -> Vec<Proposal> {
    let proposal = |line: &table::Line| Proposal { text: text(line), line: Some(line.number) };
    lines.into_iter().map(proposal).collect()
}

fn template_error(
    file: &str,
    line: Option<u32>,
    cause: Box<dyn std::error::Error + Send + Sync>,
) -> RulesetError {
    RulesetError::Template { place: Place { file: file.into(), line }, cause }
}

/// The destinations of a template's output: its lines without the white space around them; blank
/// ones are none.
fn lines(output: &str) -> Vec<Proposal> {
    let lines = output.split('\n').map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| Proposal { text: line.to_owned(), line: None }).collect()
}

/// A host as part of a repository's name, which has neither colons nor brackets nor upper case:
/// `a.example:5000` is `a.example_5000`, and `[fe80::1]:5000` is `ip6-fe80--1_5000`.
fn as_path(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            let end = if address.ends_with(':') { "0" } else { "" };
            format!("ip6-{}{end}{}", address.replace(':', "-"), port.replace(':', "_"))
        }
        None => host.replace(':', "_"),
    }
}

/// The repository of `nest=`, without superfluous slashes; a registry alone will do.
fn nest_below(text: &str) -> Result<String, RulesetError> {
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
    let below = parts.join("/");
    let wrong = |cause| RulesetError::Nest { repository: text.to_owned(), cause };
    if let Some((scheme, _)) = text.split_once("//").filter(|(scheme, _)| scheme.ends_with(':')) {
        let (text, registry) = (text.to_owned(), scheme.to_owned());
        return Err(wrong(ReferenceError::Registry { text, registry }));
    }
    let sample: Reference = format!("{below}/x").parse().map_err(wrong)?;
    if sample.tag.is_some() || sample.digest.is_some() {
        let cause = ReferenceError::Repository {
            text: text.to_owned(),
            repository: below,
            reason: "it has a tag or a digest",
        };
        return Err(wrong(cause));
    }
    Ok(below)
}
