//! A blob on its way through: nothing is kept, and what came whole is checked before its end leaves.

use std::sync::Arc;

use airlift_oci::registry::Forwarded;
use airlift_oci::store::{StoreError, chain};
use airlift_oci::types::{Digest, Hasher};
use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;

use super::backend::Backend;

/// Why a body ends before its time. The client sees a broken connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the registry's answer broke off")]
    Off(#[source] StoreError),
    #[error("the blob is damaged: expected {expected}, found {found}")]
    Damaged { expected: Digest, found: Digest },
}

struct Passing {
    backend: Arc<Backend>,
    answer: Forwarded,
    /// What came last: it leaves when more comes, or when all is known to be right.
    held: Option<Bytes>,
    check: Option<(Digest, Hasher)>,
}

/// The body of an answer. A whole blob with the wrong digest never arrives whole.
pub(super) fn body(backend: &Arc<Backend>, answer: Forwarded, digest: &Digest) -> Body {
    let whole = answer.status == StatusCode::OK;
    let check = whole.then(|| (digest.clone(), Hasher::new(digest.algorithm())));
    let passing = Passing { backend: backend.clone(), answer, held: None, check };
    Body::from_stream(stream::try_unfold(passing, |mut passing| async move {
        Ok::<_, Broken>(passing.next().await?.map(|chunk| (chunk, passing)))
    }))
}

impl Passing {
    async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        loop {
            let chunk = self.answer.chunk().await.map_err(|error| {
                self.backend.broke_off(&chain(error.kind()));
                Broken::Off(error)
            })?;
            let Some(chunk) = chunk else { break };
            if chunk.is_empty() {
                continue;
            }
            self.backend.metrics.bytes(chunk.len());
            let Some((_, hasher)) = &mut self.check else { return Ok(Some(chunk)) };
            hasher.update(&chunk);
            if let Some(before) = self.held.replace(chunk) {
                return Ok(Some(before));
            }
        }
        if let Some((expected, hasher)) = self.check.take() {
            let found = hasher.finish();
            if found != expected {
                tracing::warn!(registry = self.backend.name, %expected, %found, "a blob is damaged");
                return Err(Broken::Damaged { expected, found });
            }
        }
        Ok(self.held.take())
    }
}
