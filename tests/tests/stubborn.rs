//! The corpus of sixty images over lines and registries that misbehave all the time: every image is
//! delivered, whole. The quick cases have small layers; those with the corpus at its full size, or
//! with a host that admits few requests, run by `cargo test --test stubborn -- --ignored`.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "stubborn/mixes.rs"]
mod mixes;
#[path = "stubborn/profiles.rs"]
mod profiles;

use std::time::{Duration, Instant};

use airlift_oci::inventory::Labels;
use airlift_oci::mirror::clone::{CloneOptions, RoutedSource, clone, read_sources};
use airlift_oci::mirror::scatter::Destination;
use airlift_oci::mirror::{Executor, ExecutorOptions, SourceImage, Status};
use airlift_oci::observe::silent;
use airlift_oci::registry::{Client, Credential, Retries, Secret, Settings};
use airlift_oci::store::Source;
use airlift_oci::stores::Stores;
use airlift_oci::types::{Location, Reference, Version};
use airlift_tests::corpus::{Corpus, IMAGES};
use airlift_tests::{Fault, FaultPlan, Kind, TestRegistry, USER, When};

/// A run of which no registry hears anything for so long stands still: longer than any wait that is
/// asked for here, on a machine that is busy with other things as well.
const STILL: Duration = Duration::from_secs(120);
/// More requests than any of these runs needs, many times over: one that asks for more goes round in
/// circles.
const MOST: usize = 60_000;

/// One in so many downloads ends half way.
fn cut() -> FaultPlan {
    FaultPlan::none().on(Kind::BlobGet, When::Every(3), Fault::HalveDownload)
}

/// So many percent of the downloads are damaged.
fn damaged() -> FaultPlan {
    let when = When::Chance { percent: 5, seed: 11 };
    FaultPlan::none().on(Kind::BlobGet, when, Fault::CorruptDownload)
}

/// Every tenth request is answered with 503.
fn unavailable() -> FaultPlan {
    FaultPlan::none().on_any(When::Every(10), Fault::status(503))
}

/// A low side under a plan; faults begin once it is filled.
async fn low(plan: FaultPlan, corpus: Corpus) -> (TestRegistry, Vec<Reference>) {
    let registry = TestRegistry::start(plan).await;
    let sources = corpus.fill(&registry).await;
    (registry, sources)
}

async fn deliver(from: FaultPlan, to: FaultPlan, corpus: Corpus) -> Duration {
    let (took, struck) = carry(from, to, corpus).await;
    assert!(struck > 0);
    took
}

/// Brings every image from one registry to another; the time it took, and how often faults struck.
async fn carry(from: FaultPlan, to: FaultPlan, corpus: Corpus) -> (Duration, u64) {
    let (low, sources) = low(from, corpus).await;
    let high = TestRegistry::start(to).await;
    let retries = Retries { first_wait: Duration::from_millis(50), ..Retries::default() };
    let mut settings = Settings {
        retries,
        stall_timeout: Duration::from_secs(3),
        answer_timeout: Duration::from_secs(5),
        chunk_size: 1 << 20,
        ..Settings::default()
    };
    for registry in [&low, &high] {
        let (username, password) = (USER.0.to_owned(), Secret::new(USER.1));
        let user = Credential::Basic { username, password };
        settings.credentials.fixed.insert(registry.host(), user);
    }
    let stores = Stores::new(Client::new(settings, silent()).unwrap());
    let executor = Executor::new(ExecutorOptions::default(), silent());
    let begun = Instant::now();
    let mut images = Vec::new();
    for reference in &sources {
        let opened = stores.source(&Location::Registry(reference.clone())).await.unwrap();
        images.push(SourceImage {
            text: reference.to_string(),
            labels: Labels::new(),
            store: opened.store,
            mount_from: opened.mount_from,
            version: opened.version,
        });
    }
    let mut routed = Vec::new();
    for (source, read) in read_sources(&executor, images, &[]).await {
        let rest = source.text.split_once('/').unwrap().1;
        let target = high.reference(&format!("high/{rest}"));
        let opened = stores.destination(&Location::Registry(target.clone())).await.unwrap();
        let label = target.to_string();
        let destinations = vec![Destination { store: opened.store, tag: opened.tag, label }];
        routed.push(RoutedSource { source, read: read.unwrap(), destinations });
    }
    let options = CloneOptions::default();
    let report = tokio::select! {
        report = clone(&executor, routed, &options) => report,
        why = trouble(&low, &high) => {
            panic!("{why}\nlow: {}\nhigh: {}", last(&low), last(&high))
        }
    };
    let took = begun.elapsed();
    let failed: Vec<_> = report.failed().collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(report.count(Status::Done), IMAGES);
    for reference in &sources {
        let (name, version) = (reference.name.repository(), reference.version());
        let (low, high) = (low.store(name), high.store(&format!("high/{name}")));
        let digest = low.resolve(&version).await.unwrap().digest;
        assert_eq!(high.resolve(&version).await.unwrap().digest, digest);
        assert!(high.fetch(&Version::Digest(digest)).await.is_ok());
    }
    let limited = low.counts().limited + high.counts().limited;
    (took, low.faults() + high.faults() + limited)
}

/// Returns when nothing happens any more, or the same again and again. How long a run takes in all
/// says more of the machine than of the run.
async fn trouble(low: &TestRegistry, high: &TestRegistry) -> String {
    let (mut known, mut since) = (0, Instant::now());
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let heard = low.heard() + high.heard();
        if heard > known {
            (known, since) = (heard, Instant::now());
        }
        if since.elapsed() > STILL {
            return format!("nothing happened for {} s", STILL.as_secs());
        }
        if heard > MOST {
            return format!("{heard} requests, and no end");
        }
    }
}

/// The last requests to a registry, and how many have no answer.
fn last(registry: &TestRegistry) -> String {
    let log = registry.log();
    let line = |exchange: &airlift_tests::Exchange| {
        let (kind, status) = (exchange.kind, exchange.status);
        format!("{kind:?} {} {} {status:?}\n", exchange.path, exchange.query)
    };
    let last: String = log.iter().rev().take(12).rev().map(line).collect();
    let open = log.iter().filter(|exchange| exchange.status.is_none()).count();
    format!("{open} of {} without an answer, the last:\n{last}", log.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_download_in_three_is_cut_half_way() {
    deliver(cut(), FaultPlan::none(), Corpus::tiny()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_download_in_twenty_is_damaged() {
    deliver(damaged(), FaultPlan::none(), Corpus::tiny()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_request_in_ten_is_answered_with_503() {
    deliver(unavailable(), unavailable(), Corpus::tiny()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_hosts_limit_requests() {
    // A slow machine may never come to the limit.
    carry(FaultPlan::none().limited(250), FaultPlan::none().limited(250), Corpus::tiny()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute and more: 60 requests a second"]
async fn hosts_that_admit_sixty_requests_a_second() {
    let plan = || FaultPlan::none().limited(60);
    let took = deliver(plan(), plan(), Corpus::tiny()).await;
    // Some 1700 requests to the busier one, at 60 a second with pauses of one second.
    assert!(took < Duration::from_secs(150), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "holds the corpus in memory at its full size, twice"]
async fn the_full_corpus_under_every_fault_at_once() {
    let plan = cut()
        .on(Kind::BlobGet, When::Chance { percent: 5, seed: 11 }, Fault::CorruptDownload)
        .on_any(When::Every(10), Fault::status(503));
    deliver(plan, unavailable(), Corpus::full()).await;
}
