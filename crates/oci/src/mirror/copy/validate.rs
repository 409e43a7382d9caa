//! The rules for all copies of one run together.
//!
//! - No image is both a source and a destination.
//! - Copies to one destination are the same copy, and then are one.
//! - A destination with a digest has a source with the same digest, and no transformations.

use std::borrow::Cow;
use std::collections::HashMap;

use super::spec::{Spec, digest_of, same_place};
use super::violation::{Fault, Violation, Violations};

/// Checks `specs` and leaves out repetitions. `found` are the violations so far: all come
/// together.
pub(super) fn validate(
    input: &str,
    specs: Vec<Spec>,
    found: Vec<Violation>,
) -> Result<Vec<Spec>, Violations> {
    let mut violations = found;
    let mut repeated = Vec::new();
    {
        let mut sources: HashMap<Cow<'_, str>, usize> = HashMap::with_capacity(specs.len());
        for (index, spec) in specs.iter().enumerate() {
            sources.entry(same_place(spec.source())).or_insert(index);
        }
        let mut written: HashMap<Cow<'_, str>, usize> = HashMap::with_capacity(specs.len());
        for (index, spec) in specs.iter().enumerate() {
            violations.extend(own_faults(spec));
            let (whole, place) = (same_place(spec.destination()), same_place(spec.written()));
            let source = sources.get(&whole).or_else(|| sources.get(&place));
            if let Some(other) = source {
                let (reference, other) = (spec.destination().to_owned(), specs[*other].place);
                let fault = Fault::BothSides { reference, other };
                violations.push(Violation { place: spec.place, fault });
            }
            let first = *written.entry(place).or_insert(index);
            if first == index {
                continue;
            }
            if spec.is_same(&specs[first]) {
                repeated.push(index);
            } else {
                violations
                    .push(Violation { place: spec.place, fault: conflict(spec, &specs[first]) });
            }
        }
    }
    Violations::check(input, violations)?;
    let mut repeated = repeated.into_iter().peekable();
    let numbered = specs.into_iter().enumerate();
    Ok(numbered
        .filter(|(index, _)| repeated.next_if_eq(index).is_none())
        .map(|(_, spec)| spec)
        .collect())
}

/// What is wrong with one copy whatever the others are.
fn own_faults(spec: &Spec) -> impl Iterator<Item = Violation> {
    let destination = || spec.destination().to_owned();
    let archive = spec.destination().starts_with("oci-archive:");
    let digest = digest_of(spec.destination());
    let differs = digest.is_some() && digest != digest_of(spec.source());
    let transformed = digest.is_some() && !spec.keep.is_all();
    let from = || spec.source().to_owned();
    let faults = [
        archive.then(|| Fault::Archive(destination())),
        differs.then(|| Fault::Digest { destination: destination(), from: from() }),
        transformed.then(|| Fault::Transformed(destination())),
    ];
    faults.into_iter().flatten().map(|fault| Violation { place: spec.place, fault })
}

fn conflict(spec: &Spec, first: &Spec) -> Fault {
    Fault::Conflict {
        destination: spec.written().to_owned(),
        from: spec.source().to_owned(),
        first_from: first.source().to_owned(),
        first: first.place,
    }
}
