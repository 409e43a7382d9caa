//! Files whose content had its digest, so that a server need not hash it each time.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Blob;
use crate::types::Digest;

/// The most that is remembered, some 200 bytes each; then everything is checked once more.
const MOST: usize = 32_768;

/// Files that get a further name at once, at most.
const LINKS: usize = 32;

/// What a file was when it was looked at. A change of its bytes changes this: the time of the last
/// change of anything about it can be set by nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// Of an open file.
    pub(super) fn of(file: &File) -> Option<Self> {
        file.metadata().ok().as_ref().map(Stamp::new)
    }

    fn new(meta: &Metadata) -> Self {
        Stamp {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }

    fn of_content(&self, digest: Digest) -> Key {
        (digest, self.device, self.inode)
    }
}

/// Content and the file that holds it, alone or among other content.
type Key = (Digest, u64, u64);

/// Files that are known to hold what their digest says, because they were read whole, or were hashed
/// while they were written. One is for all the layouts of a server, since a file that is mounted
/// has a name in several. Bounded; it ends with the process.
#[derive(Debug, Default)]
pub struct Checked {
    known: Mutex<HashMap<Key, Stamp>>,
    /// Who gives a further name to a file, by digest.
    links: [Mutex<()>; LINKS],
}

impl Checked {
    /// Has a blob from a file of this stamp checked, unless it was before; once it was and is good,
    /// that is remembered.
    pub(super) fn once(self: &Arc<Self>, blob: Blob, stamp: Option<Stamp>) -> Blob {
        let Some(stamp) = stamp else { return blob };
        let digest = blob.descriptor().digest.clone();
        if self.knows(&digest, &stamp) {
            return blob.known_good();
        }
        let known = self.clone();
        blob.once_good(move || known.learn(digest, stamp))
    }

    /// A file of this stamp holds what the digest says: its bytes were hashed.
    pub(super) fn learn(&self, digest: Digest, stamp: Stamp) {
        let mut known = self.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(stamp.of_content(digest), stamp);
    }

    /// Has `link` give a file a further name. That changes nothing about the file but the time of its
    /// last change, so what was known of it stays known.
    pub(super) fn linking<T>(&self, digest: &Digest, file: &Path, link: impl FnOnce() -> T) -> T {
        let stamp = || std::fs::metadata(file).ok().as_ref().map(Stamp::new);
        // The change between two looks is to be ours alone.
        let turn = digest.hex().bytes().fold(0, u8::wrapping_add);
        let _turn = self.links[usize::from(turn) % LINKS].lock();
        let before = stamp();
        let linked = link();
        if let (Some(before), Some(after)) = (before, stamp()) {
            let same = Stamp { changed: before.changed, ..after } == before;
            if same && self.knows(digest, &before) {
                self.learn(digest.clone(), after);
            }
        }
        linked
    }

    fn knows(&self, digest: &Digest, stamp: &Stamp) -> bool {
        self.lock().get(&stamp.of_content(digest.clone())) == Some(stamp)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Stamp>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Hints, InMemory, LayoutStore, Sink as _, Source as _};
    use crate::types::Descriptor;
    use std::time::SystemTime;

    struct Layouts {
        _root: tempfile::TempDir,
        checked: Arc<Checked>,
        one: LayoutStore,
        other: LayoutStore,
        blob: Descriptor,
    }

    impl Layouts {
        /// Two on one file system, the first with a blob.
        async fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let checked = Arc::default();
            let open = |name| LayoutStore::create(&root.path().join(name)).unwrap();
            let [one, other] = ["one", "other"].map(|name| open(name).checking_once(&checked));
            let content = InMemory::new("", "content".into());
            one.put(&content, &Hints::default()).await.unwrap();
            let blob = Descriptor::of("", b"content");
            Layouts { _root: root, checked, one, other, blob }
        }

        fn knows(&self, store: &LayoutStore) -> bool {
            let file = File::open(store.path(&self.blob.digest)).unwrap();
            self.checked.knows(&self.blob.digest, &Stamp::of(&file).unwrap())
        }

        fn damage(&self) {
            let path = self.one.path(&self.blob.digest);
            std::fs::write(&path, "c0ntent").unwrap();
            // Where the system's clock is coarse nothing else may tell the two apart.
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        }
    }

    #[tokio::test]
    async fn what_was_hashed_while_it_was_written_is_known_until_it_changes() {
        let layouts = Layouts::new().await;
        assert!(layouts.knows(&layouts.one));
        layouts.damage();
        assert!(!layouts.knows(&layouts.one));
        let blob = layouts.one.open(&layouts.blob, 0).await.unwrap();
        assert!(blob.read_all().await.unwrap_err().to_string().contains("sha256"));
        assert!(!layouts.knows(&layouts.one));
    }

    #[tokio::test]
    async fn a_further_name_changes_nothing_of_what_is_known() {
        let layouts = Layouts::new().await;
        assert!(layouts.other.share(&layouts.blob.digest, &layouts.one).await.unwrap());
        assert!(layouts.knows(&layouts.one) && layouts.knows(&layouts.other));
    }

    #[tokio::test]
    async fn damage_beside_a_further_name_is_seen() {
        let layouts = Layouts::new().await;
        let digest = &layouts.blob.digest;
        layouts.checked.linking(digest, &layouts.one.path(digest), || layouts.damage());
        assert!(!layouts.knows(&layouts.one));
        // Nor is what was not known before.
        layouts.checked.linking(digest, &layouts.one.path(digest), || ());
        assert!(!layouts.knows(&layouts.one));
    }
}
