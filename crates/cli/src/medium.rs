//! What a path to an archive is: a file that can be read at any place, or something that passes.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Context;

/// Whether `path` is a regular file with an archive that is not compressed.
pub(crate) fn is_plain_file(path: &Path) -> anyhow::Result<bool> {
    let failed = || format!("opening {} failed", path.display());
    if !std::fs::metadata(path).with_context(failed)?.is_file() {
        return Ok(false);
    }
    let mut first = Vec::new();
    File::open(path).with_context(failed)?.take(4).read_to_end(&mut first).with_context(failed)?;
    let zstd = first.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    // A skippable frame may stand in front, in the format of zstd.
    let skippable = matches!(first[..], [0x50..=0x5f, 0x2a, 0x4d, 0x18]);
    Ok(!zstd && !skippable && !first.starts_with(&[0x1f, 0x8b]))
}
