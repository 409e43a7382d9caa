//! What templates can call: parts of a reference, and Tera's filters that multiply text, bounded.

use tera::{Error, Kwargs, State, Tera, TeraResult, Value};

use super::guard;

/// The parts of a reference, as functions of one argument and as filters.
const PARTS: &[(&str, Part)] = &[
    ("tag", tag),
    ("repository", repository),
    ("registry", registry),
    ("package", package),
    ("Tag", tag),
    ("Repository", repository),
    ("Registry", registry),
    ("Package", package),
];

/// Takes a part of a reference; none when the text is no reference.
type Part = fn(&str) -> Option<String>;

/// A text that one filter makes is no longer than this, in bytes.
const LONGEST: usize = 1024 * 1024;

pub(super) fn register(tera: &mut Tera) {
    for (name, part) in PARTS {
        let take = move |text: &str| {
            part(text).ok_or_else(|| Error::message(format!("{name}: {text:?} is no reference")))
        };
        tera.register_function(*name, move |arguments: Kwargs, state: &State<'_>| {
            take(&reference(name, &arguments, state)?)
        });
        tera.register_filter(*name, move |text: &str, _: Kwargs, _: &State<'_>| take(text));
    }
    tera.register_filter("replace", replace);
    tera.register_filter("join", join);
    guard::register(tera);
}

/// The only argument, whatever its name; without one the item's source.
fn reference(name: &str, arguments: &Kwargs, state: &State<'_>) -> TeraResult<String> {
    let mut values = arguments.iter().map(|(_, value)| value);
    match (values.next(), values.next()) {
        (None, _) => Ok(state.get::<String>("source")?.unwrap_or_default()),
        (Some(value), None) => match value.as_str() {
            Some(text) => Ok(text.to_owned()),
            None => Err(Error::message(format!("{name} needs a text, not {}", value.name()))),
        },
        _ => Err(Error::message(format!("{name} takes one argument, a reference"))),
    }
}

fn registry(text: &str) -> Option<String> {
    text.split_once('/').map(|(registry, _)| registry.to_owned())
}

fn package(text: &str) -> Option<String> {
    text.split_once('/').map(|(_, package)| package.to_owned())
}

fn repository(text: &str) -> Option<String> {
    let package = package(text)?;
    let end = package.find(['@', ':']).unwrap_or(package.len());
    Some(package[..end].to_owned())
}

/// The digest when there is one, else the tag, else nothing.
fn tag(text: &str) -> Option<String> {
    let package = package(text)?;
    let version = package.split_once('@').or_else(|| package.split_once(':'));
    Some(version.map_or_else(String::new, |(_, version)| version.to_owned()))
}

fn replace(text: &str, arguments: Kwargs, _: &State<'_>) -> TeraResult<String> {
    let from = arguments.must_get::<&str>("from")?;
    let to = arguments.must_get::<&str>("to")?;
    let grows = to.len().saturating_sub(from.len());
    bounded(text.len().saturating_add(grows.saturating_mul(text.matches(from).count())))?;
    Ok(text.replace(from, to))
}

fn join(values: &[Value], arguments: Kwargs, _: &State<'_>) -> TeraResult<String> {
    let separator = arguments.get::<&str>("sep")?.unwrap_or("");
    let mut text = String::new();
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            text.push_str(separator);
        }
        bounded(guard::weight(value, LONGEST))?;
        text.push_str(&value.to_string());
        bounded(text.len())?;
    }
    Ok(text)
}

fn bounded(length: usize) -> TeraResult<()> {
    if length <= LONGEST {
        return Ok(());
    }
    Err(Error::message(format!("a text would be longer than {LONGEST} bytes")))
}
