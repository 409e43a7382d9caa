//! Tags and referrers, page by page and with or without the API.

use super::*;

async fn referrers_of(store: &dyn Source, subject: &Manifest) -> Vec<Digest> {
    let found = store.referrers(subject.digest()).await.unwrap();
    found.into_iter().map(|descriptor| descriptor.digest).collect()
}

#[tokio::test]
async fn tags_come_in_pages() {
    let registry = TestRegistry::start(FaultPlan::none().paged(3)).await;
    let graph = image::simple(1);
    let names: Vec<String> = (0..10).map(|n| format!("v{n:02}")).collect();
    for name in &names {
        graph.push(&*registry.store("a"), Some(name)).await;
    }
    let store = open(&registry);
    let tags: Vec<String> = store.tags().await.unwrap().iter().map(Tag::to_string).collect();
    assert_eq!(tags, names);
    assert_eq!(registry.counts().tags, 4);
}

#[tokio::test]
async fn pages_that_lead_astray_are_refused() {
    let page = |link: &str| {
        let page = Fault::status(200).header("Link", &format!("<{link}>; rel=\"next\""));
        FaultPlan::none().on(Kind::Tags, When::Always, page.body(r#"{"tags":["a"]}"#))
    };
    for (link, said) in [("?again", "circle"), ("http://elsewhere.example.com/", "another host")] {
        let registry = TestRegistry::start(page(link)).await;
        let error = open(&registry).tags().await.unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[tokio::test]
async fn referrers_by_the_api() {
    let registry = TestRegistry::start(FaultPlan::none().paged(1)).await;
    let store = open(&registry);
    let graph = image::simple(1);
    let (signature, sbom) = (image::signature(graph.root()), image::sbom(graph.root()));
    for graph in [&graph, &signature, &sbom] {
        graph.push(&*store, None).await;
    }
    let mut expected = vec![signature.root().digest().clone(), sbom.root().digest().clone()];
    expected.sort();
    registry.reset_counts();
    assert_eq!(referrers_of(&*store, graph.root()).await, expected);
    assert_eq!(registry.counts().referrers, registry.counts().total());
    assert!(registry.store("a").tags().await.unwrap().is_empty(), "no fallback tag is needed");
    assert_eq!(referrers_of(&*store, sbom.root()).await, []);
}

#[tokio::test]
async fn referrers_by_the_fallback_tag() {
    let registry = TestRegistry::start(FaultPlan::none().without_referrers()).await;
    let store = open(&registry);
    let graph = image::simple(1);
    graph.push(&*store, None).await;
    let artifacts: Vec<_> = (0..8)
        .map(|n| {
            let config = image::Piece::of(media::OCI_EMPTY, format!("{{\"n\":{n}}}"));
            image::artifact(Some("application/x.n"), config, vec![], Some(graph.root()))
        })
        .collect();
    futures_util::future::join_all(artifacts.iter().map(|a| a.push(&*store, None))).await;
    let mut expected: Vec<_> = artifacts.iter().map(|a| a.root().digest().clone()).collect();
    expected.sort();
    assert_eq!(referrers_of(&*store, graph.root()).await, expected);
    let fallback: Tag = graph.root().digest().fallback_tag().parse().unwrap();
    let list = store.fetch(&Version::Tag(fallback.clone())).await.unwrap();
    assert_eq!(registry.store("a").tags().await.unwrap(), [fallback]);
    assert!(
        list.manifests().all(|entry| entry.artifact_type.as_deref() == Some("application/x.n"))
    );
    registry.reset_counts();
    assert_eq!(referrers_of(&*store, artifacts[0].root()).await, []);
    assert_eq!(registry.counts().referrers, 0, "that there is no API is remembered");
    artifacts[0].push(&*store, None).await;
    assert_eq!(referrers_of(&*store, graph.root()).await, expected, "twice is once");
}

#[tokio::test]
async fn no_failure_is_taken_for_an_empty_list() {
    for status in [401, 403, 429, 500] {
        let plan = FaultPlan::none().on(Kind::Referrers, When::Always, Fault::status(status));
        let registry = TestRegistry::start(plan).await;
        let subject = image::simple(1);
        let error = open(&registry).referrers(subject.root().digest()).await;
        assert!(error.is_err(), "{status} from the API");
        let plan = FaultPlan::none().without_referrers().on(
            Kind::ManifestGet,
            When::Always,
            Fault::status(status).body(r#"{"errors":[{"code":"TOOMANYREQUESTS"}]}"#),
        );
        let registry = TestRegistry::start(plan).await;
        let error = open(&registry).referrers(subject.root().digest()).await;
        assert!(error.is_err(), "{status} from the fallback tag");
    }
}

#[tokio::test]
async fn older_registries_refuse_the_api_in_many_ways() {
    for status in [400, 404, 405, 501] {
        let plan = FaultPlan::none().on(Kind::Referrers, When::Always, Fault::status(status));
        let registry = TestRegistry::start(plan).await;
        let subject = image::simple(1);
        assert_eq!(open(&registry).referrers(subject.root().digest()).await.unwrap(), []);
    }
    let page = Fault::status(200).header("Content-Type", "text/html").body("<html>hello</html>");
    let plan = FaultPlan::none().on(Kind::Referrers, When::Always, page);
    let registry = TestRegistry::start(plan).await;
    let subject = image::simple(1);
    assert_eq!(open(&registry).referrers(subject.root().digest()).await.unwrap(), []);
}
