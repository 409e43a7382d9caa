//! The bare loop: what the line and the registries can do at best.
//!
//! Every blob is known before, nothing is hashed, checked, counted or tried again: a number of
//! connections GET and PUT until all are through, or GET and write what comes to a file.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use airlift_oci::types::Digest;
use airlift_tests::corpus::Corpus;
use anyhow::{Context, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::{Body, Client, header};

/// Every distinct blob: where it is, and how long.
pub(super) type Blobs = BTreeMap<Digest, (String, u64)>;

/// Where the bytes go.
#[derive(Debug, Clone, Copy)]
pub(super) enum To<'a> {
    /// Nowhere.
    Nothing,
    /// To the registry at this address.
    Registry(&'a str),
    /// To a file, one blob behind the other. It is on the disk at the end.
    File(&'a Path),
}

/// What is done with one blob.
#[derive(Clone, Copy)]
enum Target<'a> {
    Nothing,
    Registry(&'a str),
    /// Its place in the file.
    File(&'a File, u64),
}

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
    from: &str,
    to: To<'_>,
    connections: usize,
) -> anyhow::Result<Duration> {
    let client = Client::builder().http1_only().pool_max_idle_per_host(connections).build()?;
    let mut blobs: Vec<_> = blobs.iter().collect();
    blobs.sort_by_key(|(_, (_, size))| std::cmp::Reverse(*size));
    let begun = Instant::now();
    let file = if let To::File(path) = to { Some(File::create(path)?) } else { None };
    let mut free = 0;
    let copies = blobs.into_iter().map(|(digest, (repository, size))| {
        let url = format!("http://{from}/v2/{repository}/blobs/{digest}");
        let target = match (to, &file) {
            (To::Registry(to), _) => Target::Registry(to),
            (To::File(_), Some(file)) => Target::File(file, free),
            _ => Target::Nothing,
        };
        free += size;
        copy(&client, url, digest, *size, target)
    });
    stream::iter(copies).buffer_unordered(connections).try_collect::<Vec<()>>().await?;
    if let Some(file) = &file {
        file.sync_all()?;
    }
    Ok(begun.elapsed())
}

async fn copy(
    client: &Client,
    url: String,
    digest: &Digest,
    size: u64,
    to: Target<'_>,
) -> anyhow::Result<()> {
    let answer = client.get(url).send().await?.error_for_status()?;
    let Target::Registry(to) = to else {
        let mut bytes = answer.bytes_stream();
        let mut read = 0;
        while let Some(chunk) = bytes.next().await {
            let chunk = chunk?;
            if let Target::File(file, start) = to {
                // The connections are read by tasks of their own meanwhile.
                tokio::task::block_in_place(|| file.write_all_at(&chunk, start + read))?;
            }
            read += chunk.len() as u64;
        }
        ensure!(read == size, "{digest} has {read} bytes instead of {size}");
        return Ok(());
    };
    let uploads = format!("http://{to}/v2/bare/loop/blobs/uploads/");
    let opened = client.post(uploads).header(header::CONTENT_LENGTH, 0).send().await?;
    let opened = opened.error_for_status()?;
    let location = opened.headers().get(header::LOCATION).context("an upload without a place")?;
    let mut place = opened.url().join(location.to_str()?)?;
    place.query_pairs_mut().append_pair("digest", digest.as_str());
    let sent = client
        .put(place)
        .header(header::CONTENT_LENGTH, size)
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .body(Body::wrap_stream(answer.bytes_stream()))
        .send()
        .await?;
    sent.error_for_status().with_context(|| format!("{to} refuses {digest}"))?;
    Ok(())
}
