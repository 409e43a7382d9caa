//! Before a blob is sent: is it there, can it be mounted, or is an upload to be opened? Decided in
//! as few requests as what is known allows.
//!
//! Where mounts are known to work, asking to mount a blob from the very repository it is put into
//! is both question and upload: 201 means that it is there, 202 that it is not and the upload is
//! open. Where that is not known, one HEAD decides, if finding the blob would save more than the
//! HEAD costs; by what was found so far, that is seldom so for small blobs and in new repositories.
//! What earlier runs left as hints ([`super::hints`]) comes first: one request shows whether it holds.

use http::Method;

use super::blob_read;
use super::call::Read;
use super::kind::Kind;
use super::repo::Repo;
use super::session::{Mounted, Session};
use crate::store::{Presence, Put, StoreError};
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
) -> Result<Opening, StoreError> {
    let digest = &descriptor.digest;
    if repo.facts.knows(digest) {
        return Ok(Opening::There(Put::Existed));
    }
    let (here, elsewhere) = repo.facts.hinted(digest);
    let mut presence = presence;
    if here && presence == Presence::Unknown {
        if seen(repo, descriptor).await {
            return Ok(Opening::There(Put::Existed));
        }
        repo.facts.hint_was_wrong(digest, &repo.path);
        presence = Presence::Absent;
    }
    let known = from.filter(|from| *from != repo.path);
    if let Some(from) = known.or(elsewhere.as_deref()) {
        let mounted = Session::mount(repo, digest, from).await?;
        if known.is_none() && !matches!(mounted, Mounted::Yes) {
            repo.facts.hint_was_wrong(digest, from);
        }
        match mounted {
            Mounted::Yes => {
                repo.host.facts.mounts.set(true);
                repo.facts.learn(digest);
                return Ok(Opening::There(Put::Mounted));
            }
            // An upload that is open is used: whether the blob is there already is asked only
            // where that may save much.
            Mounted::No(session) => return look_first(repo, descriptor, presence, session).await,
            Mounted::Refused(error) => {
                tracing::debug!(place = repo.place, %error, "a mount was refused");
            }
        }
    }
    match repo.host.facts.mounts.get() {
        _ if presence == Presence::Absent => {}
        Some(true) => return ask_by_mount(repo, descriptor).await,
        None if worth_looking(repo, descriptor).await => {
            return ask_both_ways(repo, descriptor).await;
        }
        Some(false) if worth_looking(repo, descriptor).await && seen(repo, descriptor).await => {
            return Ok(Opening::There(Put::Existed));
        }
        _ => {}
    }
    Ok(Opening::Upload(None))
}

/// One request, where mounts are known to work.
async fn ask_by_mount(repo: &Repo, descriptor: &Descriptor) -> Result<Opening, StoreError> {
    match Session::mount(repo, &descriptor.digest, &repo.path).await? {
        Mounted::Yes => Ok(found(repo, descriptor)),
        Mounted::No(session) => {
            repo.facts.looked(false);
            Ok(Opening::Upload(Some(session)))
        }
        Mounted::Refused(_) => Ok(Opening::Upload(None)),
    }
}

/// Where it is not known whether mounts work, the question is also how to learn it.
async fn ask_both_ways(repo: &Repo, descriptor: &Descriptor) -> Result<Opening, StoreError> {
    match Session::mount(repo, &descriptor.digest, &repo.path).await? {
        Mounted::Yes => {
            repo.host.facts.mounts.set(true);
            Ok(found(repo, descriptor))
        }
        Mounted::No(session) => {
            if !seen(repo, descriptor).await {
                return Ok(Opening::Upload(Some(session)));
            }
            repo.host.facts.mounts.set(false);
            session.cancel(repo).await;
            Ok(Opening::There(Put::Existed))
        }
        Mounted::Refused(_) => {
            repo.host.facts.mounts.set(false);
            if seen(repo, descriptor).await {
                return Ok(Opening::There(Put::Existed));
            }
            Ok(Opening::Upload(None))
        }
    }
}

async fn look_first(
    repo: &Repo,
    descriptor: &Descriptor,
    presence: Presence,
    session: Session,
) -> Result<Opening, StoreError> {
    let look = presence == Presence::Unknown && worth_looking(repo, descriptor).await;
    if look && seen(repo, descriptor).await {
        session.cancel(repo).await;
        return Ok(Opening::There(Put::Existed));
    }
    Ok(Opening::Upload(Some(session)))
}

/// Whether a HEAD finds it. One that fails answers nothing: what is wrong shows when the blob is sent.
async fn seen(repo: &Repo, descriptor: &Descriptor) -> bool {
    match blob_read::has(repo, &descriptor.digest).await {
        Ok(found) => found,
        Err(error) => {
            tracing::debug!(place = repo.place, %error, "a blob could not be looked for");
            false
        }
    }
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
async fn exists(repo: &Repo) -> bool {
    let call = repo.call(Kind::Tags, Method::GET, "tags/list?n=1", Read::Whole(8 * 1024));
    match repo.pull(&call).await {
        Ok(answer) => answer.status != http::StatusCode::NOT_FOUND,
        // Whatever is wrong shows when the blob is sent.
        Err(_) => true,
    }
}
