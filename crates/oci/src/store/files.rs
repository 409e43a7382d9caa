//! Reading a stretch of a file as a stream of chunks.

use std::path::Path;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::StoreError;

/// Bytes read or written at once.
pub(super) const CHUNK: usize = 256 * 1024;

/// The bytes of `path` from `start` on, at most `length` of them, as the file is when read.
pub(super) async fn stream(
    path: &Path,
    start: u64,
    length: u64,
) -> std::io::Result<BoxStream<'static, Result<Bytes, StoreError>>> {
    let mut file = tokio::fs::File::open(path).await?;
    if start > 0 {
        file.seek(std::io::SeekFrom::Start(start)).await?;
    }
    file.set_max_buf_size(CHUNK);
    let state = (file.take(length), path.to_owned());
    let chunks = stream::try_unfold(state, |(mut file, path)| async move {
        let mut chunk = BytesMut::with_capacity(
            CHUNK.min(usize::try_from(file.limit()).unwrap_or(CHUNK)).max(1),
        );
        let read = file.read_buf(&mut chunk).await;
        let read = read.map_err(|source| StoreError::io("reading", &path, source))?;
        Ok((read > 0).then(|| (chunk.freeze(), (file, path))))
    });
    Ok(chunks.boxed())
}
