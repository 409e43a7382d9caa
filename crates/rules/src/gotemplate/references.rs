//! ace-dt's own functions: the parts of an image reference, read as oras reads them.

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::fmt::quote;
use super::functions::{Args, Function, Ty, fixed};
use super::methods::validate_digest;
use super::url::Url;
use super::value::{Fail, Value};

const S: &[Ty] = &[Ty::Str];

/// As the guide spells them, and as ace-dt's program does.
pub(crate) static FUNCTIONS: &[Function] = &[
    fixed("tag", S, |_, args| Ok(Value::str(Reference::parse(args)?.version))),
    fixed("Tag", S, |_, args| Ok(Value::str(Reference::parse(args)?.version))),
    fixed("repository", S, |_, args| Ok(Value::str(Reference::parse(args)?.repository))),
    fixed("Repository", S, |_, args| Ok(Value::str(Reference::parse(args)?.repository))),
    fixed("registry", S, |_, args| Ok(Value::str(Reference::parse(args)?.registry))),
    fixed("Registry", S, |_, args| Ok(Value::str(Reference::parse(args)?.registry))),
    fixed("package", S, |_, args| Ok(Value::str(Reference::parse(args)?.path))),
    fixed("Package", S, |_, args| Ok(Value::str(Reference::parse(args)?.path))),
];

struct Patterns {
    repository: Regex,
    tag: Regex,
}

static PATTERNS: LazyLock<Option<Patterns>> = LazyLock::new(|| {
    let name = "[a-z0-9]+(?:(?:[._]|__|[-]*)[a-z0-9]+)*";
    Some(Patterns {
        repository: Regex::new(&format!("^{name}(?:/{name})*$")).ok()?,
        tag: Regex::new("^[0-9A-Za-z_][0-9A-Za-z_.-]{0,127}$").ok()?,
    })
});

/// A reference to an image. No tag is implied, no registry either.
struct Reference<'t> {
    registry: &'t [u8],
    repository: &'t [u8],
    /// The digest where there is one, else the tag; empty where there is neither.
    version: &'t [u8],
    /// All after the registry.
    path: &'t [u8],
}

/// The text before the first `mark`, and what follows it if it is there.
fn cut(text: &[u8], mark: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|&b| b == mark) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
        None => (text, None),
    }
}

fn invalid(what: &str, text: &[u8]) -> Fail {
    let shown = quote(text);
    format!(
        "error parsing the reference: invalid reference: invalid {what} {}",
        String::from_utf8_lossy(&shown)
    )
    .into()
}

impl<'t> Reference<'t> {
    fn parse(args: Args<'t>) -> Result<Self, Fail> {
        let (registry, path) = cut(args.text(0), b'/');
        let Some(path) = path else {
            return Err(
                "error parsing the reference: invalid reference: missing registry or repository"
                    .into(),
            );
        };
        let (name, digest) = cut(path, b'@');
        let (repository, tag) = cut(name, b':');
        let reference =
            Self { registry, repository, version: digest.or(tag).unwrap_or_default(), path };
        reference.check(digest.is_some())?;
        Ok(reference)
    }

    fn check(&self, by_digest: bool) -> Result<(), Fail> {
        let patterns = PATTERNS.as_ref().ok_or("references cannot be read")?;
        if !Url::is_host(self.registry) {
            return Err(invalid("registry", self.registry));
        }
        if !patterns.repository.is_match(self.repository) {
            return Err(invalid("repository", self.repository));
        }
        if self.version.is_empty() {
            return Ok(());
        }
        if by_digest {
            return validate_digest(self.version).map_err(|why| {
                match invalid("digest", self.version) {
                    Fail::Error(message) => format!("{message}: {why}").into(),
                    limit @ Fail::Limit(_) => limit,
                }
            });
        }
        if patterns.tag.is_match(self.version) { Ok(()) } else { Err(invalid("tag", self.version)) }
    }
}
