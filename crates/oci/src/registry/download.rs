//! One connection that reads a blob or a part of one, and goes on from where it broke.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio::time::Instant;

use super::body::{self, Body};
use super::brief::brief;
use super::endpoints;
use super::flow::LEAST;
use super::limits::Permit;
use super::pace::Direction;
use super::repo::Repo;
use super::retry::Backoff;
use super::wire::Why;
use crate::observe::{Meter, Pause};
use crate::store::{ErrorKind, StoreError, chain};
use crate::types::Descriptor;

/// Bytes of a blob on their way here.
pub(super) struct Download {
    /// The endpoints that can be asked, the one in use at `at`.
    repos: Arc<[Repo]>,
    at: usize,
    descriptor: Descriptor,
    /// Bytes from the blob's start to the next that is handed out.
    position: u64,
    /// Where to end: the blob's end, or before.
    end: u64,
    /// How often it broke without progress.
    breaks: u32,
    /// Where it broke last.
    broke_at: u64,
    body: Option<Body>,
    /// When that was asked for.
    asked: Instant,
    /// The other endpoints had nothing to go on with when it broke last.
    alone: bool,
}

enum Step {
    Chunk(Bytes),
    End,
    /// The answer brought less than was asked for, and all that it said.
    Capped,
    Broken(StoreError),
}

impl Download {
    /// Asks for the bytes from `position` to `end`, at the first of `repos` that gives them.
    /// `permit` is the right to send, when it was had before.
    pub(super) async fn open(
        repos: Arc<[Repo]>,
        descriptor: &Descriptor,
        position: u64,
        end: u64,
        permit: Option<Permit>,
    ) -> Result<Self, StoreError> {
        let descriptor = descriptor.clone();
        let mut download = Download {
            repos,
            at: 0,
            descriptor,
            position,
            end,
            breaks: 0,
            broke_at: position,
            body: None,
            asked: Instant::now(),
            alone: false,
        };
        if position < end {
            download.connect(permit).await?;
        }
        Ok(download)
    }

    pub(super) fn into_stream(self) -> BoxStream<'static, Result<Bytes, StoreError>> {
        stream::try_unfold(self, |mut download| async move {
            Ok(download.next().await?.map(|chunk| (chunk, download)))
        })
        .boxed()
    }

    /// Whether what comes goes on to the blob's end, whatever was asked for.
    pub(super) fn is_whole(&self) -> bool {
        self.body.as_ref().is_some_and(|body| body.whole)
    }

    /// Ends at the blob's end.
    pub(super) fn read_whole(&mut self) {
        self.end = self.descriptor.size;
    }

    /// The endpoint that is read from.
    pub(super) fn repo(&self) -> &Repo {
        &self.repos[self.at]
    }

    /// The next bytes, over as many requests as it takes.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let repos = self.repos.clone();
        let settings = &repos[0].host.wire.common.settings;
        loop {
            let error = match self.step(settings.stall_timeout).await {
                Step::Chunk(chunk) => {
                    let pace = &repos[0].host.wire.common.pace;
                    pace.pass(Direction::Received, chunk.len() as u64).await;
                    self.position += chunk.len() as u64;
                    return Ok(Some(chunk));
                }
                Step::End => {
                    if self.body.take().is_some() {
                        self.repo().host.facts.health.well(self.asked);
                    }
                    return Ok(None);
                }
                Step::Capped => {
                    self.body = None;
                    self.connect(None).await?;
                    continue;
                }
                Step::Broken(error) => error,
            };
            let elsewhere = self.body.take().and_then(|body| body.elsewhere.clone());
            let error = match &elsewhere {
                Some(host) => error.sent_on_to(host),
                None => error,
            };
            if self.position.saturating_sub(self.broke_at) >= LEAST {
                self.breaks = 0;
            }
            (self.breaks, self.broke_at) = (self.breaks + 1, self.position);
            let backoff = Backoff::new(&settings.retries);
            let Some(mut wait) = backoff.after(self.breaks) else {
                return Err(self.repo().at(error));
            };
            if self.turn_away() {
                wait = Duration::ZERO;
            }
            let cause = format!(
                "{}: {} broke at byte {}: {}, going on from there",
                self.repo().place,
                self.descriptor.digest.short(),
                self.position,
                chain(error.kind())
            );
            let why = Why { cause: &cause, brief: &brief(&error), tries: self.breaks };
            let wire = &self.repo().host.wire;
            wire.tell_of(error.sent_on(), wait, Pause::Broken, &why);
            Meter::again();
            Meter::waited(wait);
            tokio::time::sleep(wait).await;
            let before = self.at;
            self.at = (self.at + 1) % repos.len();
            self.connect(None).await?;
            self.alone = self.at == before;
        }
    }

    /// What was read from broke: another endpoint is to go on, where there is one. Whether that is
    /// tried at once, which it is but once for each.
    fn turn_away(&mut self) -> bool {
        let several = self.repos.len();
        if several < 2 {
            return false;
        }
        endpoints::failed(self.repo());
        !self.alone && (self.breaks as usize) < several
    }

    async fn connect(&mut self, permit: Option<Permit>) -> Result<(), StoreError> {
        let permit = std::sync::Mutex::new(permit);
        let (descriptor, position, end) = (&self.descriptor, self.position, self.end);
        let asked = endpoints::begin(&self.repos, self.at, |repo| {
            let permit = permit.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
            // Which endpoint is asked first may have changed since.
            let permit = permit.filter(|permit| permit.is_of(&repo.host.wire.limits));
            async move { body::connect(&repo, descriptor, position, end, permit).await }
        });
        let (at, asked, body) = asked.await?;
        (self.at, self.asked, self.body) = (at, asked, Some(body));
        Ok(())
    }

    async fn step(&mut self, stall: Duration) -> Step {
        let (size, end) = (self.descriptor.size, self.end);
        loop {
            let Some(body) = &mut self.body else { return Step::End };
            if self.position >= end && (end < size || body.sized) {
                return Step::End;
            }
            let begun = Instant::now();
            let next = tokio::time::timeout(body.flow.patience(), body.bytes.next()).await;
            let place = &self.repos[self.at].place;
            let Ok(next) = next else {
                let kind = ErrorKind::TimedOut(stall.as_secs());
                return Step::Broken(StoreError::new(&**place, kind));
            };
            match next {
                Some(Ok(mut chunk)) => {
                    let took = begun.elapsed();
                    body.flow.came(chunk.len(), took);
                    body.measure(chunk.len() as u64, took, &self.repos[self.at]);
                    let known = body.drop.min(chunk.len() as u64);
                    body.drop -= known;
                    let mut chunk = chunk.split_off(known as usize);
                    if end < size {
                        let left = usize::try_from(end - self.position).unwrap_or(usize::MAX);
                        chunk.truncate(left);
                    }
                    if !chunk.is_empty() {
                        return Step::Chunk(chunk);
                    }
                }
                Some(Err(error)) => return Step::Broken(super::failure::network(place, error)),
                None if self.position < end && body.is_capped(self.position) => {
                    return Step::Capped;
                }
                None if self.position < end => {
                    let short = "the connection ended early".into();
                    return Step::Broken(StoreError::new(&**place, ErrorKind::Network(short)));
                }
                None => return Step::End,
            }
        }
    }
}
