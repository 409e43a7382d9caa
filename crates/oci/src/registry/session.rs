//! One upload at a registry: opened, asked how far it came, ended, given up
//! (distribution-spec, "Pushing Blobs").

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use url::Url;

use super::answer::Answer;
use super::auth::Scopes;
use super::call::{Call, Insist, Payload, Read};
use super::identity::Identity;
use super::kind::Kind;
use super::limits::{Lane, Permit};
use super::redirect::same_host;
use super::repo::Repo;
use super::upload_body::Outgoing;
use super::wire::Wire;
use crate::store::StoreError;
use crate::types::Digest;

const ANSWER: usize = 8 * 1024;
/// What a 404 to the opening of an upload means.
const NO_REPOSITORY: &str = "the repository (which some registries want to be made before it is \
                             written to), or the right to write to it,";

/// An open upload. Where it is changes with every answer.
#[derive(Debug)]
pub(super) struct Session {
    location: Url,
    /// The smallest chunk the registry takes, the last one excepted; 0 when it does not say.
    pub(super) chunk_min: u64,
}

/// The answer to a request for a mount.
pub(super) enum Mounted {
    /// The blob is there now.
    Yes,
    /// It is not, but an upload is open.
    No(Session),
    /// The registry refuses to mount: no upload is open.
    Refused(StoreError),
}

impl Session {
    /// Opens an upload.
    pub(super) async fn start(repo: &Repo) -> Result<Self, StoreError> {
        Ok(Session::open(repo, None).await?.0)
    }

    /// Opens an upload by the right to send that `permit` is; it is given back, for the body.
    pub(super) async fn start_with(
        repo: &Repo,
        permit: Permit,
    ) -> Result<(Self, Option<Permit>), StoreError> {
        Session::open(repo, Some(permit)).await
    }

    async fn open(
        repo: &Repo,
        permit: Option<Permit>,
    ) -> Result<(Self, Option<Permit>), StoreError> {
        let read = Read::Whole(ANSWER);
        let mut call = repo.call(Kind::UploadStart, Method::POST, "blobs/uploads/", read);
        if permit.is_some() {
            call.lane = Lane::Up;
            call.permit = permit.into();
        }
        let mut answer = repo.push(&call).await?;
        if answer.status != StatusCode::ACCEPTED {
            return Err(answer.error_about(&NO_REPOSITORY));
        }
        let permit = answer.permit.take();
        Ok((Session::of(repo, &answer)?, permit))
    }

    /// Asks for `digest` to be taken over from the repository `from`.
    pub(super) async fn mount(
        repo: &Repo,
        digest: &Digest,
        from: &str,
        insist: Insist,
    ) -> Result<Mounted, StoreError> {
        let mut call = repo.call(Kind::Mount, Method::POST, "blobs/uploads/", Read::Whole(ANSWER));
        call.url.query_pairs_mut().append_pair("mount", digest.as_str()).append_pair("from", from);
        call.insist = insist;
        let mut scopes = Scopes::mount(&repo.path, from);
        if insist == Insist::Hardly {
            scopes = scopes.spare();
        }
        let answer = match repo.send(&call, &scopes).await {
            Ok(answer) => answer,
            Err(error) if error.is_denied() => return Ok(Mounted::Refused(error)),
            Err(error) => return Err(error),
        };
        match answer.status {
            StatusCode::CREATED => Ok(Mounted::Yes),
            // An upload that cannot be gone on with is as good as none.
            StatusCode::ACCEPTED => {
                Ok(Session::of(repo, &answer).map_or_else(Mounted::Refused, Mounted::No))
            }
            _ => Ok(Mounted::Refused(answer.error())),
        }
    }

    /// The request that carries a whole blob: 201 says that it is there, 202 that an upload was
    /// opened instead, and nothing of the blob is in it.
    pub(super) fn whole_call(repo: &Repo, digest: &Digest) -> Call {
        let read = Read::Whole(ANSWER);
        let mut call = repo.call(Kind::UploadWhole, Method::POST, "blobs/uploads/", read);
        call.url.query_pairs_mut().append_pair("digest", digest.as_str());
        octets(&mut call);
        call
    }

    pub(super) fn of(repo: &Repo, answer: &Answer) -> Result<Self, StoreError> {
        let minimum =
            answer.header("oci-chunk-min-length").and_then(|text| text.trim().parse().ok());
        let location = locate(repo, answer)?
            .ok_or_else(|| repo.protocol("an upload was opened, but not said where"))?;
        let session = Session { location, chunk_min: minimum.unwrap_or(0) };
        if !session.is_home(repo) {
            repo.host.facts.learn_uploads_away();
        }
        Ok(session)
    }

    /// Ends the upload with `bytes`, which can be sent again as often as it takes; by `permit`, when
    /// the right to send was had before.
    pub(super) async fn finish_with(
        &self,
        repo: &Repo,
        digest: &Digest,
        bytes: Bytes,
        permit: Option<Permit>,
    ) -> Result<Answer, StoreError> {
        let mut call = self.finish_call(repo, digest);
        if permit.is_some() {
            call.lane = Lane::Up;
            call.permit = permit.into();
        }
        call.payload = Payload::Bytes(bytes);
        self.send(repo, &call).await
    }

    /// Ends the upload with a body that begins at `offset`: 0 when it is the whole blob.
    pub(super) async fn finish(
        &self,
        repo: &Repo,
        digest: &Digest,
        offset: u64,
        body: Option<(Outgoing, Permit, u64)>,
    ) -> Result<Answer, StoreError> {
        let mut call = self.finish_call(repo, digest);
        match body {
            Some((outgoing, permit, length)) => {
                call.payload = Payload::Streamed;
                if offset > 0 {
                    range(&mut call, offset, length);
                }
                self.send_once(repo, &call, outgoing, permit).await
            }
            None => self.send(repo, &call).await,
        }
    }

    /// Sends the chunk of `length` bytes that begins at `offset`; the answer, and where the next one
    /// begins when it is good.
    pub(super) async fn chunk(
        &mut self,
        repo: &Repo,
        offset: u64,
        length: u64,
        outgoing: Outgoing,
        permit: Permit,
    ) -> Result<(Answer, u64), StoreError> {
        let mut call = self.call(repo, Kind::UploadChunk, Method::PATCH);
        octets(&mut call);
        range(&mut call, offset, length);
        call.payload = Payload::Streamed;
        let answer = self.send_once(repo, &call, outgoing, permit).await?;
        self.moved(repo, &answer)?;
        let next = offset_of(&answer);
        // One that says to have nothing of it says nothing: some always answer so.
        let next = next.filter(|next| *next > offset && *next < offset + length);
        Ok((answer, next.unwrap_or(offset + length)))
    }

    /// How many bytes the registry has; `None` when it knows nothing of this upload any more. Not
    /// asked for long: an upload that cannot be gone on with is begun anew.
    pub(super) async fn status(&mut self, repo: &Repo) -> Result<Option<u64>, StoreError> {
        let mut call = self.call(repo, Kind::UploadStatus, Method::GET);
        call.insist = Insist::Somewhat;
        let answer = self.send(repo, &call).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !answer.status.is_success() {
            return Err(answer.error());
        }
        self.moved(repo, &answer)?;
        Ok(offset_of(&answer))
    }

    /// Gives the upload up. That this fails does no harm: registries clear away what is left.
    pub(super) async fn cancel(self, repo: &Repo) {
        let mut call = self.call(repo, Kind::UploadCancel, Method::DELETE);
        call.insist = Insist::Hardly;
        if let Err(error) = self.send(repo, &call).await {
            tracing::debug!(place = repo.place, %error, "an upload was left behind");
        }
    }

    /// Follows the upload to where `answer` says it is now.
    pub(super) fn moved(&mut self, repo: &Repo, answer: &Answer) -> Result<(), StoreError> {
        if let Some(location) = locate(repo, answer)? {
            self.location = location;
        }
        Ok(())
    }

    fn finish_call(&self, repo: &Repo, digest: &Digest) -> Call {
        let mut call = self.call(repo, Kind::UploadFinish, Method::PUT);
        // Where a redirect led, it is said already.
        let said = |(name, value): (Cow<'_, str>, Cow<'_, str>)| {
            name == "digest" && value == digest.as_str()
        };
        if !call.url.query_pairs().any(said) {
            call.url.query_pairs_mut().append_pair("digest", digest.as_str());
        }
        octets(&mut call);
        call
    }

    fn call(&self, repo: &Repo, kind: Kind, method: Method) -> Call {
        let mut call = repo.call(kind, method, "", Read::Whole(ANSWER));
        call.url = self.location.clone();
        if !same_host(&self.location, &repo.host.base) {
            call.headers.clear();
        }
        call
    }

    async fn send(&self, repo: &Repo, call: &Call) -> Result<Answer, StoreError> {
        if same_host(&call.url, &repo.host.base) {
            return repo.push(call).await;
        }
        repo.host.wires.wire(&call.url, &repo.host.base)?.plain(call).await
    }

    async fn send_once(
        &self,
        repo: &Repo,
        call: &Call,
        outgoing: Outgoing,
        permit: Permit,
    ) -> Result<Answer, StoreError> {
        if same_host(&call.url, &repo.host.base) {
            let scopes = &Scopes::push(&repo.path);
            let who = Identity { authority: &repo.host.authority, scopes };
            return repo.host.wire.call_once(call, outgoing, Some(&who), permit).await;
        }
        let wire = repo.host.wires.wire(&call.url, &repo.host.base)?;
        wire.call_once(call, outgoing, None, permit).await
    }

    /// Whether it is where the repository is.
    pub(super) fn is_home(&self, repo: &Repo) -> bool {
        same_host(&self.location, &repo.host.base)
    }

    /// The way to where the upload is.
    pub(super) fn wire(&self, repo: &Repo) -> Result<Arc<Wire>, StoreError> {
        if self.is_home(repo) {
            return Ok(repo.host.wire.clone());
        }
        repo.host.wires.wire(&self.location, &repo.host.base)
    }

    /// Waits until a body may be sent.
    pub(super) async fn admit(&self, repo: &Repo) -> Result<Permit, StoreError> {
        Ok(self.wire(repo)?.admit(Lane::Up).await)
    }

    /// Waits until another body may be sent by a permit that one was sent by. `None`: the upload goes
    /// on at another host.
    pub(super) async fn again(
        &self,
        repo: &Repo,
        mut permit: Permit,
    ) -> Result<Option<Permit>, StoreError> {
        let wire = self.wire(repo)?;
        if !permit.is_of(&wire.limits) {
            return Ok(None);
        }
        wire.again(&mut permit).await;
        Ok(Some(permit))
    }
}

/// Bytes that a registry reports to have, by the `Range` header of an answer: `0-LAST`. The header
/// of an empty upload is `0-0`, as is that of one byte: sending that byte again is refused by no
/// registry that tells them apart, so the smaller is meant.
fn offset_of(answer: &Answer) -> Option<u64> {
    let text = answer.header("range")?.trim();
    let text = text.strip_prefix("bytes=").unwrap_or(text);
    let (first, last) = text.split_once('-')?;
    if first.trim() != "0" {
        return None;
    }
    match last.trim().parse::<u64>().ok()? {
        0 => Some(0),
        last => last.checked_add(1),
    }
}

/// The upload's place by the `Location` header: relative or absolute, with its query kept.
fn locate(repo: &Repo, answer: &Answer) -> Result<Option<Url>, StoreError> {
    let Some(text) = answer.header("location") else { return Ok(None) };
    let place = place(&repo.host.base, &answer.url, text);
    place.map(Some).map_err(|fault| repo.protocol(fault))
}

/// Where `text` leads, which an answer from `at` said, asked for below `base`; an error is a sentence.
fn place(base: &Url, at: &Url, text: &str) -> Result<Url, String> {
    // Without its query, which may hold a signature.
    let shown = text.split('?').next().unwrap_or("");
    let mut url = at.join(text).ok().filter(|url| url.host().is_some());
    url = url.filter(|url| matches!(url.scheme(), "http" | "https"));
    let mut url = url.ok_or_else(|| format!("the upload's location {shown:?} is no URL"))?;
    if base.scheme() == "https" && url.scheme() == "http" {
        if url.host() != base.host() {
            let place = url.host_str().unwrap_or_default();
            return Err(format!("an upload to {place} without TLS was refused"));
        }
        // Behind a proxy that ends TLS, registries write http.
        let _ = url.set_scheme("https");
        let _ = url.set_port(base.port());
    }
    Ok(url)
}

fn octets(call: &mut Call) {
    let octets = HeaderValue::from_static(crate::types::media::OCTET_STREAM);
    call.headers.insert(header::CONTENT_TYPE, octets);
}

fn range(call: &mut Call, offset: u64, length: u64) {
    let last = (offset + length).saturating_sub(1);
    let value = HeaderValue::from_str(&format!("{offset}-{last}"));
    call.headers.extend(value.ok().map(|value| (header::CONTENT_RANGE, value)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_uploads() {
        let base: Url = "https://reg:5000/v2/".parse().unwrap();
        let at: Url = "https://reg:5000/v2/a/blobs/uploads/".parse().unwrap();
        let place = |text: &str| place(&base, &at, text).map(String::from);
        for (text, url) in [
            ("/v2/a/u?state=x%2F", "https://reg:5000/v2/a/u?state=x%2F"),
            ("u", "https://reg:5000/v2/a/blobs/uploads/u"),
            ("//other/u", "https://other/u"),
            ("https://other/u", "https://other/u"),
            ("http://reg/u", "https://reg:5000/u"),
            ("http://reg:80/u?a", "https://reg:5000/u?a"),
        ] {
            assert_eq!(place(text).as_deref(), Ok(url), "{text}");
        }
        assert!(place("http://other/u?secret").unwrap_err().contains("without TLS"));
        for none in ["data:x", "ftp://reg/u", "http://", "http://[bad?secret"] {
            let error = place(none).unwrap_err();
            assert!(error.contains("no URL") && !error.contains("secret"), "{error}");
        }
    }
}
