//! The bare loop: what the line and the registries can do at best.
//!
//! Every blob is known before, nothing is hashed, checked, counted or tried again: a number of
//! connections GET and PUT until all are through.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use airlift_oci::types::Digest;
use airlift_tests::corpus::Corpus;
use anyhow::{Context, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::{Body, Client, header};

/// Every distinct blob: where it is, and how long.
pub(super) type Blobs = BTreeMap<Digest, (String, u64)>;

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

/// Reads every blob, and sends it to `to` when there is one; the time that took.
pub(super) async fn run(
    blobs: &Blobs,
    from: &str,
    to: Option<&str>,
    connections: usize,
) -> anyhow::Result<Duration> {
    let client = Client::builder().http1_only().pool_max_idle_per_host(connections).build()?;
    let mut blobs: Vec<_> = blobs.iter().collect();
    blobs.sort_by_key(|(_, (_, size))| std::cmp::Reverse(*size));
    let begun = Instant::now();
    let copies = blobs.into_iter().map(|(digest, (repository, size))| {
        let url = format!("http://{from}/v2/{repository}/blobs/{digest}");
        copy(&client, url, digest, *size, to)
    });
    stream::iter(copies).buffer_unordered(connections).try_collect::<Vec<()>>().await?;
    Ok(begun.elapsed())
}

async fn copy(
    client: &Client,
    url: String,
    digest: &Digest,
    size: u64,
    to: Option<&str>,
) -> anyhow::Result<()> {
    let answer = client.get(url).send().await?.error_for_status()?;
    let Some(to) = to else {
        let mut bytes = answer.bytes_stream();
        let mut read = 0;
        while let Some(chunk) = bytes.next().await {
            read += chunk?.len() as u64;
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
