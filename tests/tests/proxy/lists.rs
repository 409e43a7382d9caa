//! Tags and referrers: what all registries have, as one list.

use airlift_tests::{FaultPlan, image};
use reqwest::StatusCode;
use serde_json::Value;

use crate::{both, header, push};

async fn tags(response: reqwest::Response) -> Vec<String> {
    let body: Value = response.json().await.unwrap();
    body["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn tags_of_all_registries_are_one_list_in_pages() {
    let (hot, cold, front) = both(FaultPlan::none().paged(2), FaultPlan::none().paged(1), "").await;
    for tag in ["b", "d", "e"] {
        push(&hot, "a", tag, 1).await;
    }
    for tag in ["a", "b", "c"] {
        push(&cold, "a", tag, 2).await;
    }
    assert_eq!(tags(front.get("/v2/a/tags/list").await).await, ["a", "b", "c", "d", "e"]);
    let mut path = "/v2/a/tags/list?n=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = front.get(&path).await;
        let next = header(&page, "link").map(str::to_owned);
        seen.push(tags(page).await);
        let Some(next) = next else { break };
        path = next.strip_prefix('<').unwrap().split_once('>').unwrap().0.to_owned();
    }
    assert_eq!(seen, [vec!["a", "b"], vec!["c", "d"], vec!["e"]]);
    assert_eq!(tags(front.get("/v2/a/tags/list?last=c").await).await, ["d", "e"]);
    let wrong = front.get("/v2/a/tags/list?n=many").await;
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn referrers_of_all_registries_are_one_index() {
    let (hot, cold, front) =
        both(FaultPlan::none(), FaultPlan::none().without_referrers(), "").await;
    let image = push(&cold, "a", "1", 1).await;
    let (signature, sbom) = (image::signature(image.root()), image::sbom(image.root()));
    signature.push(hot.store("a").as_ref(), None).await;
    sbom.push(hot.store("a").as_ref(), None).await;
    let path = format!("/v2/a/referrers/{}", image.root().digest());
    let response = front.get(&path).await;
    assert_eq!(header(&response, "content-type"), Some("application/vnd.oci.image.index.v1+json"));
    let body: Value = response.json().await.unwrap();
    let digests: Vec<&str> = body["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|descriptor| descriptor["digest"].as_str().unwrap())
        .collect();
    let mut wanted = [signature.root().digest().as_str(), sbom.root().digest().as_str()];
    wanted.sort_unstable();
    assert_eq!(digests, wanted);
    let kind = body["manifests"][0]["artifactType"].as_str().unwrap().replace('+', "%2B");
    let response = front.get(&format!("{path}?artifactType={kind}")).await;
    assert_eq!(header(&response, "oci-filters-applied"), Some("artifactType"));
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["manifests"].as_array().unwrap().len(), 1);
    let none = front.get(&format!("/v2/b/referrers/{}", image.root().digest())).await;
    assert_eq!(none.status(), StatusCode::OK);
    assert_eq!(none.json::<Value>().await.unwrap()["manifests"], Value::Array(Vec::new()));
}
