//! Whole runs at registries that differ, and at hosts that mean harm: what can be delivered is.

use airlift_oci::graph::cosign_tags;
use airlift_tests::{Fault, Kind, Quirk, Raw, When};

use super::*;

/// As [`Bench::start`], with the registry that is gathered into under a plan.
async fn near(plan: FaultPlan) -> Bench {
    Bench { near: TestRegistry::start(plan).await, ..Bench::start().await }
}

#[tokio::test]
async fn referrers_come_after_their_subjects_and_are_found_where_nothing_lists_them() {
    let plan = FaultPlan::none().with(Quirk::SubjectRequired).with(Quirk::ReferrersUnlisted);
    let mut bench = near(plan).await;
    let [_, tool, _] = fill(&bench.low).await;
    let store = bench.low.store("tool");
    let sbom = image(&store, "none", &["sbom"], Some(&tool)).await;
    let signature = image(&store, "none", &["signature"], Some(&sbom)).await;
    let options = GatherOptions { referrers: true, ..GatherOptions::default() };
    let report = bench.gather(&ALL, &options).await;
    assert_eq!(report.count(Status::Done), 3, "{report:?}");
    bench.forget();
    let gathered = bench.repository(&bench.near, "gathered").await;
    for (subject, referrer) in [(&tool, &sbom), (&sbom, &signature)] {
        let found = gathered.referrers(subject.digest()).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].digest, *referrer.digest());
    }
}

#[tokio::test]
async fn where_no_tags_are_listed_signatures_are_found_all_the_same() {
    // So distribution answers for a repository of which nothing has a tag.
    let unknown = Fault::status(404).body(r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#);
    let plan = FaultPlan::none().on(Kind::Tags, When::Always, unknown);
    let bench = Bench { low: TestRegistry::start(plan).await, ..Bench::start().await };
    let [_, tool, _] = fill(&bench.low).await;
    let store = bench.low.store("tool");
    let signature = image(&store, "none", &["signature"], None).await;
    let name = cosign_tags(tool.digest()).remove(0);
    store.put_manifest(&signature, Some(&name)).await.unwrap();
    let options = GatherOptions { referrers: true, ..GatherOptions::default() };
    let by_digest = format!("tool@{}", tool.digest());
    let report = bench.gather(&[&by_digest, "other:1"], &options).await;
    assert_eq!(report.count(Status::Done), 2, "{report:?}");
    let arrived = bench.near.store("gathered").resolve(&Version::Tag(name)).await.unwrap();
    assert_eq!(arrived.digest, *signature.digest());
}

#[tokio::test]
async fn an_image_that_a_registry_will_not_take_loses_no_other() {
    let bench = Bench::start().await;
    fill(&bench.low).await;
    airlift_tests::image::nested(1).push(&*bench.low.store("nested"), Some("1")).await;
    let names = [&ALL[..], &["nested:1"]].concat();
    bench.gather(&names, &GatherOptions::default()).await;
    let high = TestRegistry::start(FaultPlan::none().with(Quirk::NestedIndexRefused)).await;
    let report = bench.scatter(&high, &ScatterOptions::default()).await;
    assert_eq!((report.count(Status::Done), report.count(Status::Failed)), (3, 1), "{report:?}");
    let failure = report.failed().next().unwrap();
    assert!(failure.item.ends_with("/nested:1"));
    assert!(failure.error.as_ref().unwrap().contains("MANIFEST_INVALID"), "{failure:?}");
    assert!(high.store("high/nested").tags().await.unwrap().is_empty());
}

#[tokio::test]
async fn where_indexes_cannot_be_nested_gathering_without_nesting_works() {
    let bench = near(FaultPlan::none().with(Quirk::NestedIndexRefused)).await;
    fill(&bench.low).await;
    let options = GatherOptions { index_fallback: true, ..GatherOptions::default() };
    let report = bench.gather(&ALL, &options).await;
    assert_eq!(report.count(Status::Done), 3, "{report:?}");
    let report = bench.scatter(&bench.near, &ScatterOptions::default()).await;
    assert_eq!(report.count(Status::Done), 3, "{report:?}");
}

#[tokio::test]
async fn a_host_that_means_harm_loses_its_own_image_alone() {
    let bench = Bench::start().await;
    fill(&bench.low).await;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
    let endless = Raw::start(move |_| Raw::then_endless(head.to_owned(), "[")).await;
    let deep = format!("{head}{}", "[".repeat(100_000));
    let deep = Raw::start(move |_| Raw::once(&deep)).await;
    let mut sources = bench.sources(&ALL).await;
    for host in [&endless, &deep] {
        sources.push(bench.source(&format!("{}/x:1", host.addr())).await);
    }
    let store = bench.repository(&bench.near, "gathered").await;
    let options = GatherOptions::default();
    let report = gather(&executor(), sources, store, &tag("sync"), &options).await.unwrap();
    assert_eq!((report.count(Status::Done), report.count(Status::Failed)), (3, 2), "{report:?}");
    for failure in report.failed() {
        let host = failure.item.split('/').next().unwrap();
        assert!(failure.error.as_ref().unwrap().contains(host), "{failure:?}");
    }
}
