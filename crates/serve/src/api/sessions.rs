//! Uploads that are open, by their id.
//!
//! A session belongs to one repository. One request writes to it at a time; a further one takes it
//! over from whoever had it, because a client that comes back has given up the connection before,
//! even when the server has not noticed yet. A session to which nothing was sent for too long is
//! dropped, and with it what it took in.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use airlift_oci::store::Ingest;
use http::StatusCode;
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use super::error::Failure;
use crate::storage::RepositoryName;

/// How long the status of an upload waits for a request that is still writing.
const SETTLE: Duration = Duration::from_secs(1);

/// What a session takes in; `None` once it was finished.
pub(super) type Taken = OwnedMutexGuard<Option<Box<dyn Ingest>>>;

pub(super) struct Sessions {
    open: Mutex<HashMap<String, Arc<Session>>>,
    most: usize,
    idle: Duration,
}

pub(super) struct Session {
    repository: RepositoryName,
    ingest: Arc<tokio::sync::Mutex<Option<Box<dyn Ingest>>>>,
    received: AtomicU64,
    writer: Mutex<CancellationToken>,
    used: Mutex<Instant>,
}

impl Sessions {
    pub(super) fn new(most: usize, idle: Duration) -> Self {
        Sessions { open: Mutex::default(), most, idle }
    }

    /// Opens a session; its id.
    pub(super) fn open(
        &self,
        repository: &RepositoryName,
        ingest: Box<dyn Ingest>,
    ) -> Result<String, Failure> {
        let mut open = self.lock();
        open.retain(|_, session| session.idle() < self.idle);
        if open.len() >= self.most {
            let message = "too many uploads are open";
            return Err(Failure::new(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", message));
        }
        let id = new_id();
        let session = Session {
            repository: repository.clone(),
            ingest: Arc::new(tokio::sync::Mutex::new(Some(ingest))),
            received: AtomicU64::new(0),
            writer: Mutex::default(),
            used: Mutex::new(Instant::now()),
        };
        open.insert(id.clone(), Arc::new(session));
        Ok(id)
    }

    pub(super) fn find(
        &self,
        repository: &RepositoryName,
        id: &str,
    ) -> Result<Arc<Session>, Failure> {
        let found = self.lock().get(id).cloned();
        found
            .filter(|session| session.repository == *repository)
            .ok_or_else(Failure::upload_unknown)
    }

    /// Forgets a session. What it took in goes when the last request on it ends.
    pub(super) fn close(&self, id: &str) {
        self.lock().remove(id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// Takes the session over: ends whichever request writes to it, then has it alone. The token
    /// tells when the next one wants it.
    pub(super) async fn take(&self) -> Result<(Taken, CancellationToken), Failure> {
        let token = CancellationToken::new();
        self.supersede(token.clone());
        let taken = self.ingest.clone().lock_owned().await;
        if taken.is_none() || token.is_cancelled() {
            return Err(Failure::upload_unknown());
        }
        self.touch();
        Ok((taken, token))
    }

    /// Ends whichever request writes to the session.
    pub(super) fn interrupt(&self) {
        let gone = CancellationToken::new();
        gone.cancel();
        self.supersede(gone);
    }

    /// Notes how much was taken in.
    pub(super) fn note(&self, received: u64) {
        self.received.store(received, Ordering::Relaxed);
        self.touch();
    }

    /// How much was taken in. A request whose connection is being given up is waited for.
    pub(super) async fn received(&self) -> u64 {
        if let Ok(ingest) = tokio::time::timeout(SETTLE, self.ingest.lock()).await
            && let Some(ingest) = ingest.as_ref()
        {
            self.note(ingest.written());
        }
        self.received.load(Ordering::Relaxed)
    }

    fn supersede(&self, token: CancellationToken) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *writer, token).cancel();
    }

    fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// For how long nobody has used the session: not at all while a request holds it.
    fn idle(&self) -> Duration {
        if self.ingest.try_lock().is_err() {
            return Duration::ZERO;
        }
        self.used.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

/// An id that nobody can guess: whoever knows it may write to the upload.
fn new_id() -> String {
    let bits: u128 = rand::random();
    let text = format!("{bits:032x}");
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}
