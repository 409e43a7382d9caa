//! Archives that another program compressed: what is wrong with one is told from a medium that
//! cannot be read.

use std::sync::Arc;

use airlift_oci::store::MemoryStore;
use airlift_tape::DeserializeError;

use super::{fixture, read};

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_cut_or_changed_is_damaged() {
    for name in ["08-zstd/archive.tar.zst", "09-gzip/archive.tar.gz"] {
        let whole = fixture(name);
        let places = (1..10).map(|tenth| whole.len() * tenth / 10).chain([whole.len() - 1]);
        for at in places {
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            for bytes in [&whole[..at], &changed] {
                let error = read(&[bytes], Arc::new(MemoryStore::new()), "x").await.unwrap_err();
                let blamed = match &error {
                    DeserializeError::Read(error) => error.is_damage(),
                    DeserializeError::Store(_) => false,
                    _ => true,
                };
                assert!(blamed, "{name} at {at}: {error:?}");
            }
        }
    }
}
