//! Many who ask at once, and what is known of what was asked before.

use std::time::Duration;

use airlift_tests::{Fault, FaultPlan, Kind, TestRegistry, When};
use futures_util::future::join_all;
use reqwest::StatusCode;

use crate::{Front, both, error, push, settings};

/// `ci` with the password `secret`; bcrypt with cost 4.
const USERS: &str = "ci:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n";

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_a_tag_at_the_same_time_shares_a_few_questions() {
    let slow = FaultPlan::none().delayed(Duration::from_secs(2));
    let (hot, _cold, front) = both(slow, FaultPlan::none(), "").await;
    let image = push(&hot, "a", "1", 1).await;
    let answers = join_all((0..200).map(|_| front.get("/v2/a/manifests/1"))).await;
    for answer in answers {
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.bytes().await.unwrap(), image.root().raw());
    }
    // The registry's answer under a request takes longer than all of them take to come.
    assert!(hot.counts().manifest_get <= 20, "{}", hot.counts().manifest_get);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_pushed_before_a_request_is_seen_by_it() {
    let slow = FaultPlan::none().delayed(Duration::from_millis(50));
    let (hot, _cold, front) = both(slow, FaultPlan::none(), "").await;
    push(&hot, "a", "1", 0).await;
    let front = &front;
    // Others ask all the time, so that there is always a question under way.
    let others = async {
        loop {
            join_all((0..20).map(|_| front.get("/v2/a/manifests/1"))).await;
        }
    };
    let pushes = async {
        for seed in 1..15 {
            let image = push(&hot, "a", "1", seed).await;
            let got = front.get("/v2/a/manifests/1").await.bytes().await.unwrap();
            assert_eq!(got, image.root().raw(), "an answer that is older than the push");
        }
    };
    tokio::select! {
        () = others => {}
        () = pushes => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_told_to_all_who_share_it_and_counts_once() {
    let plan = FaultPlan::none().on(Kind::ManifestGet, When::Always, Fault::Hang);
    let more = "timeouts: {answer: 1s}\nbreaker: {failures: 100, pause: 1h}";
    let (hot, _cold, front) = both(plan, FaultPlan::none(), more).await;
    let answers = join_all((0..60).map(|_| front.get("/v2/a/manifests/1"))).await;
    for answer in answers {
        assert_eq!(error(answer).await.0, StatusCode::BAD_GATEWAY);
    }
    assert!(hot.counts().manifest_get <= 20, "{}", hot.counts().manifest_get);
}

#[tokio::test]
async fn what_a_digest_names_is_asked_for_once() {
    let (hot, cold, front) = both(FaultPlan::none(), FaultPlan::none(), "").await;
    let image = push(&hot, "a", "1", 1).await;
    push(&cold, "b", "1", 2).await;
    let digest = image.root().digest();
    let path = format!("/v2/a/manifests/{digest}");
    // As clients do: the tag, and then what it named.
    assert_eq!(front.get("/v2/a/manifests/1").await.status(), StatusCode::OK);
    for _ in 0..3 {
        let got = front.get(&path).await;
        assert_eq!(got.headers()["docker-content-digest"], digest.as_str());
        assert_eq!(got.bytes().await.unwrap(), image.root().raw());
        let head = front.head(&path).await;
        assert_eq!(head.headers()["content-length"], image.root().raw().len().to_string());
    }
    assert_eq!((hot.counts().manifest_get, hot.counts().manifest_head), (1, 0));
    // In another repository it is not, whoever asks.
    let elsewhere = front.get(&format!("/v2/b/manifests/{digest}")).await;
    assert_eq!(elsewhere.status(), StatusCode::NOT_FOUND);
    // A tag may name something else the next time.
    let other = push(&hot, "a", "1", 3).await;
    assert_eq!(front.get("/v2/a/manifests/1").await.bytes().await.unwrap(), other.root().raw());
}

#[tokio::test]
async fn what_is_remembered_is_shown_to_nobody_who_may_not_read_it() {
    let (hot, cold) = (
        TestRegistry::start(FaultPlan::none()).await,
        TestRegistry::start(FaultPlan::none()).await,
    );
    let image = push(&hot, "team/app", "1", 1).await;
    let users = "users: {file: users, rules: ['ci:read', 'anonymous:read:public/*']}";
    let front = Front::with_users(&settings(&hot.url(), &cold.url(), users), Some(USERS)).await;
    let path = format!("/v2/team/app/manifests/{}", image.root().digest());
    let known = front.client.get(front.url(&path)).basic_auth("ci", Some("secret"));
    assert_eq!(known.send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(front.get(&path).await.status(), StatusCode::UNAUTHORIZED);
    let public = path.replace("team/app", "public/app");
    assert_eq!(front.get(&public).await.status(), StatusCode::NOT_FOUND);
}
