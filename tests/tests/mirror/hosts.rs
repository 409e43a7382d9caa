//! A host that keeps everybody waiting holds up nothing of another one.

use std::time::Duration;

use airlift_oci::inventory::Item;
use airlift_oci::mirror::copy::{CopyOptions, Keep, Place, Spec, copy};
use airlift_tests::{Fault, When};

use super::*;

/// More than are begun at once of one host.
const WAITING: usize = 60;
const READY: [&str; 3] = ["a", "b", "c"];

/// One that asks everybody to come again in half an hour.
async fn busy() -> TestRegistry {
    let wait = Fault::status(429).header("retry-after", "1800");
    TestRegistry::start(FaultPlan::none().on_any(When::Always, wait)).await
}

/// Until what is ready has its tags, while `run` goes on.
async fn meanwhile<T>(run: impl Future<Output = T>, there: &TestRegistry) {
    let arrived = async {
        for name in READY {
            let (store, version) = (there.store(name), Version::Tag(tag("1")));
            while store.resolve(&version).await.is_err() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    };
    first(arrived, run).await;
}

/// Until `arrived`, which is to be long before `run` ends, and before anybody's patience.
async fn first<T>(arrived: impl Future<Output = ()>, run: impl Future<Output = T>) {
    tokio::select! {
        _ = run => panic!("the other host is still waited for"),
        () = tokio::time::sleep(Duration::from_secs(60)) => panic!("the other host holds it up"),
        () = arrived => {}
    }
}

/// The names of images that come first, and of those that could be moved at once.
fn names() -> impl Iterator<Item = (String, bool)> {
    let waiting = (0..WAITING).map(|number| (format!("w{number}"), false));
    waiting.chain(READY.map(|name| (name.to_owned(), true)))
}

async fn destination(bench: &Bench, to: &TestRegistry, name: &str) -> Destination {
    let to = to.reference(&format!("{name}:1"));
    let opened = bench.stores.destination(&Location::Registry(to.clone())).await.unwrap();
    Destination { store: opened.store, tag: opened.tag, label: to.to_string() }
}

#[tokio::test(flavor = "multi_thread")]
async fn scattered_to() {
    let (bench, busy) = (Bench::start().await, busy().await);
    let [_, tool, _] = fill(&bench.low).await;
    let mut routed = Vec::new();
    for (name, ready) in names() {
        let to = if ready { &bench.near } else { &busy };
        let item =
            Item::new(&tool.descriptor().bare(), &format!("low/{name}:1"), Labels::new(), None);
        routed.push(Routed { item, destinations: vec![destination(&bench, to, &name).await] });
    }
    // They are carried out sorted by source.
    routed.iter_mut().skip(WAITING).for_each(|ready| ready.item.source.insert(0, 'z'));
    let from = bench.repository(&bench.low, "tool").await;
    let executor = executor();
    let run = scatter(&executor, from, None, routed, &ScatterOptions { referrers: false });
    meanwhile(run, &bench.near).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cloned_to() {
    let (bench, busy) = (Bench::start().await, busy().await);
    fill(&bench.low).await;
    let executor = executor();
    let mut routed = Vec::new();
    for (name, ready) in names() {
        let to = if ready { &bench.near } else { &busy };
        let (source, read) =
            read_sources(&executor, bench.sources(&["tool:1"]).await, &[]).await.remove(0);
        let destinations = vec![destination(&bench, to, &name).await];
        routed.push(RoutedSource { source, read: read.unwrap(), destinations });
    }
    meanwhile(clone(&executor, routed, &CloneOptions::default()), &bench.near).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copied_from() {
    let (bench, busy) = (Bench::start().await, busy().await);
    fill(&bench.low).await;
    let spec = |(name, ready): (String, bool)| {
        let from = if ready { bench.low.reference("tool:1") } else { busy.reference("tool:1") };
        let to = bench.near.reference(&format!("{name}:1"));
        let [from, to] = [from, to].map(Location::Registry);
        Spec::new(&from, &to, Arc::new(Keep::default()), Place::Line(1))
    };
    let specs = names().map(spec).collect();
    let executor = executor();
    meanwhile(copy(&executor, specs, &bench.stores, &CopyOptions::default()), &bench.near).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gathered_from() {
    let (bench, busy) = (Bench::start().await, busy().await);
    fill(&bench.low).await;
    let mut sources = Vec::new();
    for number in 0..WAITING {
        sources.push(bench.source(&format!("{}/w{number}:1", busy.host())).await);
    }
    sources.extend(bench.sources(&ALL).await);
    let store = bench.repository(&bench.near, "gathered").await;
    let (executor, name, options) = (executor(), tag("sync"), GatherOptions::default());
    let run = gather(&executor, sources, store, &name, &options);
    let arrived = async {
        // Without an index they have no tag yet.
        while bench.near.sent() < 10 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    first(arrived, run).await;
}
