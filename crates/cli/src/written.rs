//! What writing an archive came to, as a report for programs.

use std::path::Path;

use airlift_oci::store::chain;
use airlift_oci::types::Location;
use airlift_tape::Written;
use airlift_tape::archive::Omitted;
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::session::Session;

/// The file of `--report`.
pub(crate) fn json(
    image: &Location,
    dest: &Path,
    result: &anyhow::Result<Written>,
    exit: Exit,
    session: &Session,
) -> Value {
    let mut document = json!({
        "command": "serialize",
        "version": env!("CARGO_PKG_VERSION"),
        "exit": exit as u8,
        "image": image.to_string(),
        "destination": dest.display().to_string(),
        "requests": session.requests(),
        "waits": session.waits().read(),
    });
    let written = match result {
        Ok(written) => written,
        Err(error) => {
            document["error"] = chain(error.as_ref()).into();
            return document;
        }
    };
    document["root"] = json!(written.root);
    document["bytes"] = written.bytes.into();
    document["entries"] = written.entries.into();
    document["manifests"] = written.manifests.into();
    document["blobs"] = written.blobs.into();
    let images = written.images.iter();
    document["items"] = images
        .map(|(image, digest)| json!({"item": image, "status": "done", "digest": digest}))
        .collect();
    document["leftOut"] = written.omitted.iter().map(left_out).collect();
    let flow = written.flow;
    document["buffer"] = json!({ "empty": flow.empty, "stalls": flow.stalls, "full": flow.full });
    document
}

/// A blob that is not in the archive: the far side has it, or it may be had from an address alone.
fn left_out(blob: &Omitted) -> Value {
    let Omitted { descriptor, expected } = blob;
    json!({
        "digest": descriptor.digest, "size": descriptor.size, "mediaType": descriptor.media_type,
        "expected": expected, "foreign": descriptor.is_foreign(),
    })
}
