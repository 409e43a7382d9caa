//! Checking passwords: slow on purpose, so away from the threads that serve, and bounded.

use std::fmt;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::credentials::Credentials;
use super::htpasswd::Users;
use super::refusal::Refusal;
use super::remembered::Remembered;

/// Checks that may wait for their turn. One takes some 50 ms, so the last waits for seconds.
const WAITING: usize = 64;

/// Users, and who was right before.
pub(super) struct Verifier {
    users: Users,
    /// A hash for names that are not there: no password has it.
    nobody: String,
    remembered: Remembered,
    waiting: Arc<Semaphore>,
    working: Arc<Semaphore>,
}

impl Verifier {
    pub(super) fn new(users: Users) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let nobody = format!("$2b${:02}${}", users.cost(), ".".repeat(53));
        Verifier {
            users,
            nobody,
            remembered: Remembered::new(),
            waiting: Arc::new(Semaphore::new(WAITING)),
            // Half of the processors go on serving whatever strangers try.
            working: Arc::new(Semaphore::new((processors / 2).max(1))),
        }
    }

    /// The user's name when the password is right.
    pub(super) async fn verify(&self, credentials: Credentials) -> Result<Arc<str>, Refusal> {
        let key = self.remembered.hash(&credentials);
        let name: Arc<str> = credentials.name.as_str().into();
        if self.remembered.has(&key) {
            return Ok(name);
        }
        let _place = self.waiting.try_acquire().map_err(|_| Refusal::Busy)?;
        let turn = self.working.clone().acquire_owned().await.map_err(|_| Refusal::Busy)?;
        // A client opens several connections at once: the first to have its turn checked for all.
        if self.remembered.has(&key) {
            return Ok(name);
        }
        let known = self.users.find(&credentials.name);
        let hash = known.map_or(self.nobody.as_str(), |(_, hash)| hash).to_owned();
        let checked = tokio::task::spawn_blocking(move || {
            // Given up by its client, the check still runs to its end: so long it has its turn.
            let _turn = turn;
            bcrypt::verify(&credentials.password, &hash).unwrap_or(false)
        });
        if checked.await.unwrap_or(false) && known.is_some() {
            self.remembered.add(key);
            return Ok(name);
        }
        Err(Refusal::Unauthorized)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("users", &self.users).finish_non_exhaustive()
    }
}
