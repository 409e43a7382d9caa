//! Images under the names that a ruleset gives, whatever the medium is.

use airlift_oci::store::LayoutStore;
use airlift_oci::types::Version;
use airlift_tests::{FaultPlan, TestRegistry, image};
use reqwest::StatusCode;

use super::Served;
use crate::harness::Place;

#[tokio::test(flavor = "multi_thread")]
async fn layouts_and_compressed_archives_are_shown_under_the_names_of_a_ruleset() {
    let registry = TestRegistry::start(FaultPlan::none()).await;
    let place = Place::new();
    let app = image::simple(1);
    app.push(registry.store("library/nginx").as_ref(), Some("1.27")).await;
    let host = registry.host();
    place.file("s.list", format!("{host}/library/nginx:1.27\n"));
    place.file(
        "names.csv",
        format!("{host}/,high.example.com/\nlocalhost/,high.example.com/own/\n"),
    );
    place.airlift("gather s.list oci:medium:45").with(0);
    for compression in ["none", "zstd", "gzip"] {
        let file = format!("{compression}.tar");
        let line = format!("serialize oci:medium:45 {file} --compression {compression}");
        place.airlift(&line).with(0);
    }
    let raw = app.root().raw().clone();
    tokio::task::block_in_place(|| {
        for (location, own) in [
            ("oci:medium:45", "medium"),
            ("oci-archive:none.tar", "none"),
            ("oci-archive:zstd.tar", "zstd"),
            ("oci-archive:gzip.tar", "gzip"),
            ("oci:medium", "medium"),
        ] {
            let served =
                Served::start(&place, &format!("{location} --route first-prefix=names.csv"));
            let client = reqwest::blocking::Client::new();
            let get = |method: reqwest::Method, path: &str| {
                let url = format!("http://{}/v2/{path}", served.host);
                client.request(method, url).send().expect("an answer")
            };
            let manifest = get(reqwest::Method::GET, "library/nginx/manifests/1.27");
            assert_eq!(manifest.status(), StatusCode::OK, "{location}");
            assert_eq!(manifest.bytes().expect("whole"), raw, "{location}");
            for blob in app.blobs() {
                let path = format!("library/nginx/blobs/{}", blob.descriptor().digest);
                assert_eq!(get(reqwest::Method::GET, &path).bytes().expect("whole"), blob.bytes());
            }
            // The gathered artifact as well; the names that were are none any more.
            let artifact = get(reqwest::Method::GET, &format!("own/{own}/manifests/45"));
            assert_eq!(artifact.status(), StatusCode::OK, "{location}");
            let before = format!("{}/library/nginx/manifests/1.27", host.replace(':', "_"));
            assert_eq!(get(reqwest::Method::GET, &before).status(), StatusCode::NOT_FOUND);
            let pushed = get(reqwest::Method::POST, "library/nginx/blobs/uploads/");
            assert_eq!(pushed.status(), StatusCode::METHOD_NOT_ALLOWED, "it can only be read");
        }
    });
    // The layout is as it was.
    let layout = LayoutStore::open(&place.path().join("medium")).expect("opens");
    let version = Version::Tag("45".parse().expect("a tag"));
    use airlift_oci::store::Source;
    layout.resolve(&version).await.expect("is there");
}
