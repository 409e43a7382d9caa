//! The configuration of registries at work: endpoints in their order, rewritten pulls, referrers.

use airlift_oci::store::Source;
use airlift_oci::types::{Tag, Version};
use airlift_tests::image;
use airlift_tests::model::Model;
use airlift_tests::{Fault, FaultPlan, Kind, TestRegistry, When};

use crate::harness::Place;

fn version(tag: &str) -> Version {
    Version::Tag(tag.parse::<Tag>().expect("a tag"))
}

/// Writes the configuration of `registry.example.com`, as ace-dt's file has it.
fn configure(place: &Place, endpoints: &[String], more: &str) {
    let list: String = endpoints.concat();
    let text = format!(
        "registryConfig:\n  registries:\n    registry.example.com:\n      endpoints:\n{list}{more}"
    );
    place.file("ace-dt-config.yaml", text);
}

fn endpoint(url: &str) -> String {
    format!("        - {url}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_are_tried_in_their_order() {
    let broken = TestRegistry::start(FaultPlan::none().on_any(When::Always, Fault::status(502)));
    let broken = broken.await;
    let empty = TestRegistry::start(FaultPlan::none()).await;
    let whole = TestRegistry::start(FaultPlan::none()).await;
    image::simple(1).push(whole.store("team/app").as_ref(), Some("1")).await;
    let place = Place::new();
    place.file("s.list", "registry.example.com/team/app:1\n");
    // Nothing listens at the first, the second is in trouble, the third has it not.
    let urls = ["http://127.0.0.1:1".to_owned(), broken.url(), empty.url(), whole.url()];
    configure(&place, &urls.map(|url| endpoint(&url)), "");
    place.airlift("gather s.list oci:out:1").with(0).says("1 done");
    assert!(broken.counts().total() > 0 && empty.counts().total() > 0, "in their order");
    place.airlift("inspect oci:out:1").with(0);
    // What is written goes to the first that is meant to take it, never to another in silence.
    configure(&place, &[endpoint(&whole.url()), endpoint(&empty.url())], "");
    empty.reset_counts();
    place.airlift("gather s.list registry.example.com/g:1").with(0);
    assert_eq!(empty.counts().manifest_put, 0);
    Model::walk(whole.store("g").as_ref(), &version("1")).await.expect("whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn pulls_are_rewritten_and_pushes_are_not() {
    let registry = TestRegistry::start(FaultPlan::none()).await;
    let image = image::simple(1);
    image.push(registry.store("ace/dt/rancher-images/agent").as_ref(), Some("v2")).await;
    let place = Place::new();
    let rewrite = "      rewritePull:\n        \"^rancher/(.*)\": \"ace/dt/rancher-images/$1\"\n";
    configure(&place, &[endpoint(&registry.url())], rewrite);
    let line = "copy --specs specs.json";
    let spec = r#"{"src":"registry.example.com/rancher/agent:v2","dst":"registry.example.com/rancher/copy:1"}"#;
    place.file("specs.json", spec);
    place.airlift(line).with(0);
    let found = registry.store("rancher/copy").resolve(&version("1")).await.expect("is there");
    assert_eq!(&found.digest, image.root().digest());
}

#[tokio::test(flavor = "multi_thread")]
async fn referrers_are_found_as_the_endpoint_has_them() {
    let registry = TestRegistry::start(FaultPlan::none()).await;
    let image = image::simple(1);
    let store = registry.store("team/app");
    image.push(store.as_ref(), Some("1")).await;
    image::sbom(image.root()).push(store.as_ref(), None).await;
    let place = Place::new();
    place.file("s.list", "registry.example.com/team/app:1\n");
    for (how, asked) in [("tag", false), ("api", true), ("auto", true)] {
        let url = registry.url();
        let more = format!("  endpointConfig:\n    {url}:\n      supportsReferrers: {how}\n");
        configure(&place, &[endpoint(&url)], &more);
        registry.reset_counts();
        place.airlift(&format!("gather s.list oci:{how}:1 -r")).with(0);
        assert_eq!(registry.counts().referrers > 0, asked, "{how}");
        let found = place.airlift(&format!("inspect oci:{how}:1 -r")).with(0).out;
        assert_eq!(found.contains("refers to it"), asked, "{how}: it has no fallback tag");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_names_the_endpoint_that_failed() {
    let refusing = FaultPlan::none().on_any(When::Always, Fault::status(403));
    let refusing = TestRegistry::start(refusing).await;
    let odd = FaultPlan::none().on(Kind::ManifestPut, When::Always, Fault::status(400));
    let odd = TestRegistry::start(odd).await;
    image::simple(1).push(odd.store("team/app").as_ref(), Some("1")).await;
    let place = Place::new();
    place.file("s.list", "registry.example.com/team/app:1\n");
    let nobody = "http://127.0.0.1:1".to_owned();
    for (urls, failed, hint) in [
        (vec![refusing.url()], &refusing.url(), "`airlift login 127.0.0.1:"),
        (vec![refusing.url(), nobody.clone()], &refusing.url(), "`airlift login 127.0.0.1:"),
    ] {
        let urls: Vec<String> = urls.iter().map(|url| endpoint(url)).collect();
        configure(&place, &urls, "");
        let told = format!("registry.example.com/team/app (at {failed}): ");
        let line = "gather s.list oci:out:1 --report r.json";
        place.airlift(line).with(1).says(&told).says(hint);
        assert!(place.read("r.json").contains(&format!("\"endpoint\": \"{failed}\"")));
    }
    // What is read is told of where it is read from, what is written of where it is written to.
    configure(&place, &[endpoint(&odd.url())], "");
    let told = format!("registry.example.com/high (at {}): ", odd.url());
    place.airlift("gather s.list registry.example.com/high:1").with(1).says(&told);
}
