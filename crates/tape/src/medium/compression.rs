//! How a medium is compressed, by how its content begins.

/// How a medium is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Zstd,
    Gzip,
}

impl Compression {
    /// Tells by the first bytes.
    pub(super) fn detect(first: &[u8]) -> Option<Self> {
        match first {
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                Some(Compression::Zstd)
            }
            [0x1f, 0x8b, ..] => Some(Compression::Gzip),
            _ => None,
        }
    }
}
