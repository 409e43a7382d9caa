//! Before a blob is sent: is it there, can it be mounted, or is an upload to be opened? Decided in
//! as few requests as what is known allows.
//!
//! Where mounts are known to work, asking to mount a blob from the very repository it is put into
//! is both question and upload: 201 means that it is there, 202 that it is not and the upload is
//! open. Where that is not known, one HEAD decides, if finding the blob would save more than the
//! HEAD costs; by what was found so far, that is seldom so for small blobs and in new repositories.
//! What earlier runs left as hints ([`super::hints`]) comes first: one request shows whether it holds.
//!
//! All of these questions can be done without, so that none is a failure of the blob: one that has no
//! answer is tried once more, and a host that does not answer those of one kind is not asked them for
//! a while.

use http::Method;
use tokio::time::Instant;

use super::blob_read;
use super::call::{Insist, Read};
use super::kind::Kind;
use super::mount;
use super::repo::Repo;
use super::session::{Mounted, Session};
use crate::store::{Presence, Put};
use crate::types::Descriptor;

/// Sending this many bytes costs about as much as one request.
const REQUEST_WORTH: f64 = 512.0 * 1024.0;

/// What is to be done.
pub(super) enum Opening {
    /// Nothing.
    There(Put),
    /// Bytes are to be sent, into the upload that is open or into one still to be opened.
    Upload(Option<Session>),
}

pub(super) async fn open(
    repo: &Repo,
    descriptor: &Descriptor,
    from: Option<&str>,
    presence: Presence,
) -> Opening {
    let digest = &descriptor.digest;
    if repo.facts.knows(digest) {
        return Opening::There(Put::Existed);
    }
    let (here, elsewhere) = repo.facts.hinted(digest);
    let mut presence = presence;
    if here && presence == Presence::Unknown {
        if blob_read::seen(repo, digest).await {
            return Opening::There(Put::Existed);
        }
        repo.facts.hint_was_wrong(digest, &repo.path);
        presence = Presence::Absent;
    }
    let mut mounts = repo.host.facts.mounting.is();
    let known = from.filter(|from| *from != repo.path);
    if let Some(from) = known.or(elsewhere.as_deref()).filter(|_| mounts) {
        let mounted = mount::ask(repo, digest, from).await;
        if known.is_none() && !matches!(mounted, Some(Mounted::Yes)) {
            repo.facts.hint_was_wrong(digest, from);
        }
        match mounted {
            Some(Mounted::Yes) => {
                repo.host.facts.mounts.set(true);
                repo.facts.learn(digest);
                return Opening::There(Put::Mounted);
            }
            // An upload that is open is used: whether the blob is there already is asked only
            // where that may save much.
            Some(Mounted::No(session)) => {
                return look_first(repo, descriptor, presence, session).await;
            }
            Some(Mounted::Refused(_)) => {}
            None => mounts = false,
        }
    }
    if presence == Presence::Absent {
        return Opening::Upload(None);
    }
    // Whoever does not answer to mounts is asked as one who has none.
    match if mounts { repo.host.facts.mounts.get() } else { Some(false) } {
        Some(true) => ask_by_mount(repo, descriptor).await,
        None if worth_looking(repo, descriptor).await => ask_both_ways(repo, descriptor).await,
        Some(false) => look(repo, descriptor).await,
        None => Opening::Upload(None),
    }
}

/// One request, where mounts are known to work.
async fn ask_by_mount(repo: &Repo, descriptor: &Descriptor) -> Opening {
    match mount::ask(repo, &descriptor.digest, &repo.path).await {
        Some(Mounted::Yes) => found(repo, descriptor),
        Some(Mounted::No(session)) => {
            repo.facts.looked(false);
            Opening::Upload(Some(session))
        }
        Some(Mounted::Refused(_)) => Opening::Upload(None),
        None => look(repo, descriptor).await,
    }
}

/// Where it is not known whether mounts work, the question is also how to learn it.
async fn ask_both_ways(repo: &Repo, descriptor: &Descriptor) -> Opening {
    let mounted = mount::ask(repo, &descriptor.digest, &repo.path).await;
    let (session, answered) = match mounted {
        Some(Mounted::Yes) => {
            repo.host.facts.mounts.set(true);
            return found(repo, descriptor);
        }
        Some(Mounted::No(session)) => (Some(session), true),
        Some(Mounted::Refused(_)) => {
            repo.host.facts.mounts.set(false);
            (None, true)
        }
        None => (None, false),
    };
    if !blob_read::seen(repo, &descriptor.digest).await {
        return Opening::Upload(session);
    }
    if answered {
        repo.host.facts.mounts.set(false);
    }
    if let Some(session) = session {
        session.cancel(repo).await;
    }
    Opening::There(Put::Existed)
}

/// By a HEAD, where finding the blob may save more than that costs.
async fn look(repo: &Repo, descriptor: &Descriptor) -> Opening {
    if worth_looking(repo, descriptor).await && blob_read::seen(repo, &descriptor.digest).await {
        return Opening::There(Put::Existed);
    }
    Opening::Upload(None)
}

async fn look_first(
    repo: &Repo,
    descriptor: &Descriptor,
    presence: Presence,
    session: Session,
) -> Opening {
    let look = presence == Presence::Unknown && worth_looking(repo, descriptor).await;
    if look && blob_read::seen(repo, &descriptor.digest).await {
        session.cancel(repo).await;
        return Opening::There(Put::Existed);
    }
    Opening::Upload(Some(session))
}

fn found(repo: &Repo, descriptor: &Descriptor) -> Opening {
    repo.facts.looked(true);
    repo.facts.learn(&descriptor.digest);
    Opening::There(Put::Existed)
}

/// Whether finding the blob is likely enough to be worth a request.
async fn worth_looking(repo: &Repo, descriptor: &Descriptor) -> bool {
    let size = descriptor.size as f64;
    if size <= REQUEST_WORTH {
        return false;
    }
    // What the answer to another question cannot change is not asked.
    if repo.facts.least_likelihood() * size > REQUEST_WORTH {
        return true;
    }
    repo.facts.existed.get_or_init(|| exists(repo)).await;
    repo.facts.likelihood() * size > REQUEST_WORTH
}

/// Whether the repository exists, asked once: one that does not exist has nothing to look for.
/// Whatever is wrong shows when the blob is sent.
async fn exists(repo: &Repo) -> bool {
    let (listing, begun) = (&repo.host.facts.listing, Instant::now());
    if !listing.is() {
        return true;
    }
    let mut call = repo.call(Kind::Tags, Method::GET, "tags/list?n=1", Read::Whole(8 * 1024));
    call.insist = Insist::Hardly;
    match repo.pull(&call).await {
        Ok(answer) => {
            listing.answered();
            answer.status != http::StatusCode::NOT_FOUND
        }
        Err(error) => {
            tracing::debug!(place = repo.place, %error, "a repository could not be looked for");
            listing.failed(begun, Instant::now());
            true
        }
    }
}
