//! The bare loop: what the line and the registries can do at best.
//!
//! Every blob is known before, nothing is hashed, checked, counted or tried again: a number of
//! connections GET and PUT until all are through, or GET and write what comes to a file, or PUT what
//! is read from that file.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use airlift_oci::types::Digest;
use airlift_tests::corpus::Corpus;
use anyhow::{Context, bail, ensure};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::{Body, Client, header};

/// Bytes that are read from a file at once.
const PART: u64 = 256 << 10;

/// Every distinct blob: where it is, and how long.
pub(super) type Blobs = BTreeMap<Digest, (String, u64)>;

/// Where the bytes come from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin<'a> {
    /// The registry at this address.
    Registry(&'a str),
    /// A file that was written as [`To::File`].
    File(&'a Path),
}

/// Where the bytes go.
#[derive(Debug, Clone, Copy)]
pub(super) enum To<'a> {
    /// Nowhere.
    Nothing,
    /// To the registry at this address.
    Registry(&'a str),
    /// To a file, one blob behind the other, the largest first. It is on the disk at the end.
    File(&'a Path),
}

/// One blob.
struct Job<'a> {
    digest: &'a Digest,
    repository: &'a str,
    size: u64,
    /// Its place in a file.
    place: u64,
}

/// What all blobs have in common.
struct Run<'a> {
    client: Client,
    from: Origin<'a>,
    to: To<'a>,
    /// Where it is a file.
    read: Option<Arc<File>>,
    written: Option<Arc<File>>,
}

type Bytes = BoxStream<'static, anyhow::Result<bytes::Bytes>>;

/// The distinct blobs of the corpus, each in the first repository that has it.
pub(super) fn blobs(corpus: &Corpus) -> Blobs {
    let mut blobs = Blobs::new();
    for (repository, _, graph) in corpus.images() {
        for blob in graph.blobs() {
            let blob = blob.descriptor();
            blobs.entry(blob.digest.clone()).or_insert_with(|| (repository.to_string(), blob.size));
        }
    }
    blobs
}

/// Reads every blob, and has it go to `to`; the time that took.
pub(super) async fn run(
    blobs: &Blobs,
    from: Origin<'_>,
    to: To<'_>,
    connections: usize,
) -> anyhow::Result<Duration> {
    let client = Client::builder().http1_only().pool_max_idle_per_host(connections).build()?;
    let mut blobs: Vec<_> = blobs.iter().collect();
    blobs.sort_by_key(|(_, (_, size))| std::cmp::Reverse(*size));
    let begun = Instant::now();
    let read = if let Origin::File(path) = from { Some(File::open(path)?.into()) } else { None };
    let written = if let To::File(path) = to { Some(File::create(path)?.into()) } else { None };
    let run = Run { client, from, to, read, written };
    let mut free = 0;
    let copies = blobs.into_iter().map(|(digest, (repository, size))| {
        let place = free;
        free += size;
        run.copy(Job { digest, repository, size: *size, place })
    });
    stream::iter(copies).buffer_unordered(connections).try_collect::<Vec<()>>().await?;
    if let Some(file) = &run.written {
        file.sync_all()?;
    }
    Ok(begun.elapsed())
}

impl Run<'_> {
    async fn copy(&self, job: Job<'_>) -> anyhow::Result<()> {
        let bytes = self.read(&job).await?;
        match self.to {
            To::Registry(to) => self.send(&job, bytes, to).await,
            _ => self.write(&job, bytes).await,
        }
    }

    async fn read(&self, job: &Job<'_>) -> anyhow::Result<Bytes> {
        let Job { digest, repository, size, place } = *job;
        if let Some(file) = &self.read {
            return Ok(parts(file.clone(), place, place + size));
        }
        let Origin::Registry(from) = self.from else { bail!("nothing to read from") };
        let url = format!("http://{from}/v2/{repository}/blobs/{digest}");
        let answer = self.client.get(url).send().await?.error_for_status()?;
        Ok(answer.bytes_stream().map_err(Into::into).boxed())
    }

    async fn write(&self, job: &Job<'_>, mut bytes: Bytes) -> anyhow::Result<()> {
        let mut read = 0;
        while let Some(chunk) = bytes.next().await {
            let chunk = chunk?;
            if let Some(file) = &self.written {
                // The connections are read by tasks of their own meanwhile.
                tokio::task::block_in_place(|| file.write_all_at(&chunk, job.place + read))?;
            }
            read += chunk.len() as u64;
        }
        ensure!(read == job.size, "{} has {read} bytes instead of {}", job.digest, job.size);
        Ok(())
    }

    async fn send(&self, job: &Job<'_>, bytes: Bytes, to: &str) -> anyhow::Result<()> {
        let uploads = format!("http://{to}/v2/bare/loop/blobs/uploads/");
        let opened = self.client.post(uploads).header(header::CONTENT_LENGTH, 0).send().await?;
        let opened = opened.error_for_status()?;
        let place = opened.headers().get(header::LOCATION).context("an upload without a place")?;
        let mut place = opened.url().join(place.to_str()?)?;
        place.query_pairs_mut().append_pair("digest", job.digest.as_str());
        let sent = self
            .client
            .put(place)
            .header(header::CONTENT_LENGTH, job.size)
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .body(Body::wrap_stream(bytes))
            .send()
            .await?;
        sent.error_for_status().with_context(|| format!("{to} refuses {}", job.digest))?;
        Ok(())
    }
}

/// The bytes of a file between two places.
fn parts(file: Arc<File>, start: u64, end: u64) -> Bytes {
    let next = move |at: u64| {
        let file = file.clone();
        async move {
            if at == end {
                return Ok(None);
            }
            let mut part = vec![0; (end - at).min(PART) as usize];
            tokio::task::block_in_place(|| file.read_exact_at(&mut part, at))?;
            let after = at + part.len() as u64;
            anyhow::Ok(Some((bytes::Bytes::from(part), after)))
        }
    };
    stream::try_unfold(start, next).boxed()
}
