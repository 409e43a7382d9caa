//! What reading archives back came to: lines for people, a report, a list of what is lost.

use airlift_oci::store::chain;
use airlift_oci::types::Location;
use airlift_tape::{Lost, Received};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::size::human;
use crate::table::quoted;

/// What is damaged, what is lost by it, and parts in the wrong order.
pub(crate) fn complaints(received: &Received) -> Vec<String> {
    let damage = received.damage.iter().map(|damage| format!("damaged: {damage}"));
    let lost = received.partial.iter().flat_map(|partial| &partial.lost);
    let order = received.disorder.iter().map(|disorder| format!("wrong order: {disorder}"));
    damage.chain(lost.map(|lost| format!("lost: {lost}"))).chain(order).collect()
}

/// The reference under which what came can be had.
pub(crate) fn delivered(image: &Location, received: &Received) -> Option<String> {
    let partial = received.partial.as_ref().filter(|partial| !partial.rooted);
    let Some(partial) = partial else {
        return Some(format!("{image}@{}", received.root));
    };
    let index = partial.index.as_ref()?;
    Some(format!("{}@{index}", partial_name(image, received)?))
}

fn partial_name(image: &Location, received: &Received) -> Option<Location> {
    let tag = received.partial.as_ref()?.tag.clone()?;
    Some(match image.clone() {
        Location::Registry(mut reference) => {
            reference.tag = Some(tag);
            Location::Registry(reference)
        }
        Location::Layout { directory, .. } => {
            Location::Layout { directory, tag: Some(tag.to_string()) }
        }
        archive @ Location::Archive { .. } => archive,
    })
}

/// What was read and moved, and what to do about what is lost.
pub(crate) fn summary(image: &Location, received: &Received) -> Vec<String> {
    let blobs = received.blobs;
    let mut lines = vec![format!(
        "deserialize: {} read, {} manifests; blobs: {} moved, {} mounted, {} skipped; {} sent",
        human(received.bytes),
        received.manifests,
        blobs.moved,
        blobs.mounted,
        blobs.skipped,
        human(blobs.bytes + received.manifest_bytes)
    )];
    let Some(partial) = &received.partial else { return lines };
    let count = partial.lost.len();
    lines.push(if partial.rooted {
        format!("{image} is whole; of what refers to its images, {count} could not be delivered")
    } else {
        let whole = received.images.len();
        format!("{image} was not tagged: {whole} images are whole, {count} could not be delivered")
    });
    if let Some(name) = partial_name(image, received).filter(|_| partial.index.is_some()) {
        lines.push(format!("the images that are whole: airlift scatter {name} RULESET"));
    }
    lines.push(
        "for the rest: read another copy into the same repository, or gather what is lost again \
         (--failed writes the list); what is there is not moved twice"
            .to_owned(),
    );
    lines
}

/// The sources of the images that are lost, as a list to be gathered.
pub(crate) fn lost(received: &Received) -> String {
    let mut text = String::new();
    for lost in received.partial.iter().flat_map(|partial| &partial.lost) {
        let Some(labels) = &lost.labels else { continue };
        text.push_str(&quoted(&lost.image));
        for (key, value) in labels {
            text.extend([",", &quoted(&format!("{key}={value}"))]);
        }
        text.push('\n');
    }
    text
}

/// The file of `--report`.
pub(crate) fn json(result: &anyhow::Result<Received>, exit: Exit) -> Value {
    let mut document = json!({
        "command": "deserialize",
        "version": env!("CARGO_PKG_VERSION"),
        "exit": exit as u8,
    });
    let received = match result {
        Ok(received) => received,
        Err(error) => {
            document["error"] = chain(error.as_ref()).into();
            return document;
        }
    };
    let whole = received.images.iter();
    let whole =
        whole.map(|(image, digest)| json!({"item": image, "status": "done", "digest": digest}));
    let lost = received.partial.iter().flat_map(|partial| &partial.lost).map(lost_json);
    document["root"] = json!(received.root);
    document["bytes"] = received.bytes.into();
    document["manifests"] = received.manifests.into();
    document["manifestBytes"] = received.manifest_bytes.into();
    document["totals"] = json!(received.blobs);
    document["items"] = whole.chain(lost).collect();
    document["damage"] = received.damage.iter().map(damage_json).collect();
    if let Some(disorder) = &received.disorder {
        document["disorder"] = json!({
            "newer": disorder.newer, "newerRoot": disorder.newer_root, "older": disorder.older,
        });
    }
    if let Some(partial) = &received.partial {
        document["partial"] = json!({
            "rooted": partial.rooted,
            "index": partial.index,
            "tag": partial.tag.as_ref().map(ToString::to_string),
        });
    }
    document
}

/// Damage as JSON.
pub(crate) fn damage_json(damage: &airlift_tape::Damage) -> Value {
    json!({
        "at": damage.at.to_string(), "place": damage.at.place, "entry": damage.at.entry,
        "offset": damage.at.offset, "reason": damage.reason, "images": damage.images,
    })
}

fn lost_json(lost: &Lost) -> Value {
    let needs = lost.needs.iter().map(|(missing, spot)| {
        json!({
            "digest": missing.descriptor.digest,
            "namedBy": missing.named_by,
            "expected": missing.expected,
            "damage": spot.as_ref().map(ToString::to_string),
        })
    });
    json!({
        "item": lost.image, "status": "failed", "digest": lost.digest,
        "error": lost.reason(), "needs": needs.collect::<Vec<_>>(),
    })
}
