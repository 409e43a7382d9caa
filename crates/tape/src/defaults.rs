//! What holds when nothing else is asked for.

/// Bytes of the block buffer when nothing else is asked for.
pub const DEFAULT_MEMORY: u64 = 64 << 20;
/// What a plain file takes of that.
pub(crate) const FILE_MEMORY: u64 = 48 << 20;
/// Requests at once when nothing else is asked for. A registry's limits start with fewer and grow
/// only while requests wait for their turn, so fewer here would keep them from ever growing.
pub(crate) const CONCURRENCY: usize = 48;
