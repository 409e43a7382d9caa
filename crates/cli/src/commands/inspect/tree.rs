//! An inspection drawn as a tree, a line a manifest or blob.

use std::fmt::Write as _;

use airlift_oci::mirror::inspect::{BlobLine, Inspection, Kind, Node};

use crate::screen::is_unsafe;
use crate::size::human;

/// Draws the whole; blobs only when they are asked for, or not there.
pub(super) fn draw(inspection: &Inspection, blobs: bool) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(text, "{} {}", inspection.place, label(&inspection.root, None));
    branches(&mut text, &inspection.root, "", blobs);
    text
}

/// One line below a manifest.
enum Line<'a> {
    Manifest(&'a Node),
    Referrer(&'a Node),
    Blob(&'a BlobLine),
}

fn branches(text: &mut String, node: &Node, indent: &str, blobs: bool) {
    let shown = node
        .blobs
        .iter()
        .filter(|blob| blobs || blob.missing || blob.expected.is_some())
        .map(Line::Blob);
    let lines: Vec<Line<'_>> = shown
        .chain(node.manifests.iter().map(Line::Manifest))
        .chain(node.referrers.iter().map(Line::Referrer))
        .collect();
    let last = lines.len().saturating_sub(1);
    for (number, line) in lines.iter().enumerate() {
        let (corner, below) =
            if number == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let (label, node) = match line {
            Line::Manifest(node) => (label(node, None), Some(*node)),
            Line::Referrer(node) => (label(node, Some("refers to it: ")), Some(*node)),
            Line::Blob(blob) => (blob_label(blob), None),
        };
        let _ = writeln!(text, "{indent}{corner}{label}");
        if let Some(node) = node {
            branches(text, node, &format!("{indent}{below}"), blobs);
        }
    }
}

fn label(node: &Node, before: Option<&str>) -> String {
    let kind = match node.kind {
        Kind::Gathered => "gathered",
        Kind::Index => "index",
        Kind::Image => "image",
        Kind::Artifact => "artifact",
    };
    let mut label = before.unwrap_or_default().to_owned();
    for part in
        [node.name.as_deref(), Some(kind), node.platform.as_deref(), node.artifact_type.as_deref()]
    {
        if let Some(part) = part.filter(|part| !part.is_empty()) {
            let _ = write!(label, "{} ", printable(part));
        }
    }
    for (key, value) in &node.labels {
        let _ = write!(label, "{}={} ", printable(key), printable(value));
    }
    let _ = write!(label, "{} {}", node.digest.short(), human(node.total));
    if node.repeated {
        label.push_str(" (see above)");
    }
    absence(&mut label, node.missing, node.expected.as_deref());
    label
}

/// That something is not there, and where it is expected.
fn absence(label: &mut String, missing: bool, expected: Option<&str>) {
    if missing {
        label.push_str(" MISSING");
    }
    if let Some(place) = expected {
        let _ = write!(label, " left out, expected in {}", printable(place));
    }
}

fn blob_label(blob: &BlobLine) -> String {
    let what = if blob.config { "config" } else { "layer" };
    let mut label = format!("{what} {} {}", blob.digest.short(), human(blob.size));
    if let Some(title) = &blob.title {
        let _ = write!(label, " {}", printable(title));
    }
    if blob.images > 1 {
        let _ = write!(label, ", in {} images", blob.images);
    }
    absence(&mut label, blob.missing, blob.expected.as_deref());
    label
}

/// A foreign text without what would move the cursor of a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|char| if is_unsafe(char) { '\u{fffd}' } else { char }).collect()
}
