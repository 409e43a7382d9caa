//! The embedded registry over HTTP: what a client may rely on, endpoint by endpoint.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "serve/conditions.rs"]
mod conditions;
#[path = "serve/together.rs"]
mod together;

use std::sync::Arc;

use airlift_oci::types::{Descriptor, Digest, media};
use airlift_serve::storage::{Directory, Memory, Repositories};
use airlift_serve::{Options, Server};
use reqwest::{Client, Method, Response, StatusCode};

/// A registry over one kind of storage, until it is dropped.
struct Registry {
    url: String,
    client: Client,
    _tasks: tokio::task::JoinSet<std::io::Result<()>>,
    directory: Option<tempfile::TempDir>,
}

async fn registries() -> Vec<Registry> {
    let directory = tempfile::tempdir().unwrap();
    let on_disk = Arc::new(Directory::open(directory.path()).unwrap());
    vec![start(Arc::new(Memory::new()), None).await, start(on_disk, Some(directory)).await]
}

async fn start(storage: Arc<dyn Repositories>, directory: Option<tempfile::TempDir>) -> Registry {
    let options = Options { page: 3, ..Options::default() };
    let server = Server::bind(([127, 0, 0, 1], 0).into(), storage, options).await.unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(server.run(std::future::pending()));
    Registry { url, client: Client::new(), _tasks: tasks, directory }
}

impl Registry {
    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let base = if path.starts_with("http") { "" } else { self.url.as_str() };
        self.client.request(method, format!("{base}{path}"))
    }

    async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    async fn head(&self, path: &str) -> Response {
        self.request(Method::HEAD, path).send().await.unwrap()
    }

    async fn push(&self, name: &str, bytes: &'static [u8]) -> Descriptor {
        let digest = Digest::of(bytes);
        let path = format!("/v2/{name}/blobs/uploads/?digest={digest}");
        let answer = self.request(Method::POST, &path).body(bytes).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        assert_eq!(header(&answer, "location"), format!("/v2/{name}/blobs/{digest}"));
        Descriptor::new(media::OCTET_STREAM, digest, bytes.len() as u64)
    }

    async fn put_manifest(&self, name: &str, version: &str, manifest: &str) -> Response {
        self.request(Method::PUT, &format!("/v2/{name}/manifests/{version}"))
            .header("content-type", media::OCI_MANIFEST)
            .body(manifest.to_owned())
            .send()
            .await
            .unwrap()
    }

    async fn open_upload(&self, name: &str) -> String {
        let path = format!("/v2/{name}/blobs/uploads/");
        let answer = self.request(Method::POST, &path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        assert!(header(&answer, "location").ends_with(header(&answer, "docker-upload-uuid")));
        header(&answer, "location").to_owned()
    }

    async fn patch(&self, upload: &str, range: &str, bytes: &'static str) -> Response {
        let request = self.request(Method::PATCH, upload).header("content-range", range);
        request.body(bytes).send().await.unwrap()
    }
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

async fn code(answer: Response) -> String {
    let body: serde_json::Value = answer.json().await.unwrap();
    body["errors"][0]["code"].as_str().unwrap().to_owned()
}

/// An image manifest, written as no serializer would, so that a rewritten one is found out.
fn image(config: &Descriptor, subject: Option<&Digest>, kind: &str) -> String {
    let part = |d: &Descriptor| {
        let (digest, size) = (&d.digest, d.size);
        format!(r#"{{ "mediaType": "application/x.config", "digest":"{digest}","size": {size} }}"#)
    };
    let subject = subject.map_or_else(String::new, |digest| {
        let (media_type, size) = (media::OCI_MANIFEST, 7);
        format!(r#""subject":{{"mediaType":"{media_type}","digest":"{digest}","size":{size}}},"#)
    });
    format!(
        "{{\n\"schemaVersion\":2,{subject}\"artifactType\":\"{kind}\",\"config\":{},\n\"layers\":[]}}\n",
        part(config)
    )
}

#[tokio::test]
async fn manifests_come_back_byte_for_byte_by_tag_and_digest() {
    for registry in registries().await {
        let config = registry.push("a/b", b"config").await;
        let text = image(&config, None, "application/x.kind");
        let answer = registry.put_manifest("a/b", "v1", &text).await;
        assert_eq!(answer.status(), StatusCode::CREATED);
        let digest = Digest::of(text.as_bytes());
        assert_eq!(header(&answer, "docker-content-digest"), digest.as_str());
        for version in ["v1".to_owned(), digest.to_string()] {
            let path = format!("/v2/a/b/manifests/{version}");
            let head = registry.head(&path).await;
            assert_eq!(header(&head, "content-length"), text.len().to_string());
            let answer = registry.get(&path).await;
            for answer in [&head, &answer] {
                assert_eq!(answer.status(), StatusCode::OK);
                assert_eq!(header(answer, "content-type"), media::OCI_MANIFEST);
                assert_eq!(header(answer, "docker-content-digest"), digest.as_str());
            }
            assert_eq!(answer.text().await.unwrap(), text);
        }
        let etag = format!("\"{digest}\"");
        let request = registry.request(Method::GET, "/v2/a/b/manifests/v1");
        let answer = request.header("if-none-match", etag).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
    }
}

#[tokio::test]
async fn a_manifest_needs_its_children_but_not_its_subject() {
    for registry in registries().await {
        let absent = Descriptor::of("m", b"absent");
        let answer = registry.put_manifest("a", "t", &image(&absent, None, "k")).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert_eq!(code(answer).await, "MANIFEST_BLOB_UNKNOWN");
        assert_eq!(registry.get("/v2/a/manifests/t").await.status(), StatusCode::NOT_FOUND);
        let config = registry.push("a", b"config").await;
        let subject = Digest::of(b"a subject to come");
        let answer = registry.put_manifest("a", "t", &image(&config, Some(&subject), "k")).await;
        assert_eq!(answer.status(), StatusCode::CREATED);
        assert_eq!(header(&answer, "oci-subject"), subject.as_str());
    }
}

#[tokio::test]
async fn blobs_by_range() {
    for registry in registries().await {
        let blob = registry.push("a", b"0123456789").await;
        let path = format!("/v2/a/blobs/{}", blob.digest);
        let head = registry.head(&path).await;
        assert_eq!(
            (header(&head, "content-length"), header(&head, "accept-ranges")),
            ("10", "bytes")
        );
        for (range, status, content_range, text) in [
            ("bytes=2-4", 206, "bytes 2-4/10", "234"),
            ("bytes=7-", 206, "bytes 7-9/10", "789"),
            ("bytes=-1", 206, "bytes 9-9/10", "9"),
            ("bytes=10-", 416, "bytes */10", ""),
            ("bytes=0-1,3-4", 200, "", "0123456789"),
        ] {
            let request = registry.request(Method::GET, &path).header("range", range);
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status().as_u16(), status, "{range}");
            assert_eq!(header(&answer, "content-range"), content_range, "{range}");
            assert_eq!(answer.text().await.unwrap(), text, "{range}");
        }
    }
}

#[tokio::test]
async fn chunks_must_follow_each_other() {
    for registry in registries().await {
        let upload = registry.open_upload("a").await;
        let answer = registry.patch(&upload, "0-3", "0123").await;
        assert_eq!((answer.status(), header(&answer, "range")), (StatusCode::ACCEPTED, "0-3"));
        for out_of_order in ["0-3", "5-8"] {
            let answer = registry.patch(&upload, out_of_order, "abcd").await;
            assert_eq!(answer.status(), StatusCode::RANGE_NOT_SATISFIABLE);
            assert_eq!((header(&answer, "range"), header(&answer, "location")), ("0-3", &*upload));
        }
        let answer = registry.patch(&upload, "4-9", "abcd").await;
        assert_eq!(
            (answer.status(), code(answer).await),
            (StatusCode::BAD_REQUEST, "SIZE_INVALID".into())
        );
        let status = registry.get(&upload).await;
        assert_eq!((status.status(), header(&status, "range")), (StatusCode::NO_CONTENT, "0-3"));
        let digest = Digest::of(b"012345");
        let last = registry.request(Method::PUT, &format!("{upload}?digest={digest}"));
        let answer = last.header("content-range", "4-5").body("45").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        let got = registry.get(header(&answer, "location")).await;
        assert_eq!(got.text().await.unwrap(), "012345");
        assert_eq!(registry.get(&upload).await.status(), StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_wrong_digest_leaves_nothing() {
    for registry in registries().await {
        let wrong = Digest::of(b"something else");
        let path = format!("/v2/a/blobs/uploads/?digest={wrong}");
        let answer = registry.request(Method::POST, &path).body("bytes").send().await.unwrap();
        assert_eq!(code(answer).await, "DIGEST_INVALID");
        let upload = registry.open_upload("a").await;
        let put = registry.request(Method::PUT, &format!("{upload}?digest={wrong}"));
        assert_eq!(code(put.body("bytes").send().await.unwrap()).await, "DIGEST_INVALID");
        for digest in [wrong, Digest::of(b"bytes")] {
            let answer = registry.head(&format!("/v2/a/blobs/{digest}")).await;
            assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        }
        let manifest = registry.put_manifest("a", Digest::of(b"x").as_str(), "{}").await;
        assert_eq!(code(manifest).await, "DIGEST_INVALID");
    }
}

#[tokio::test]
async fn mounts_share_and_refusals_open_an_upload() {
    for registry in registries().await {
        let blob = registry.push("from", b"shared").await;
        let mount = format!("/v2/to/blobs/uploads/?mount={}&from=from", blob.digest);
        let answer = registry.request(Method::POST, &mount).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        let got = registry.get(header(&answer, "location")).await;
        assert_eq!(got.text().await.unwrap(), "shared");
        for refused in [
            format!("/v2/to/blobs/uploads/?mount={}&from=from", Digest::of(b"absent")),
            format!("/v2/to/blobs/uploads/?mount={}&from=nowhere", blob.digest),
            format!("/v2/to/blobs/uploads/?mount={}&from=../from", blob.digest),
        ] {
            let answer = registry.request(Method::POST, &refused).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::ACCEPTED, "{refused}");
            let cancel = registry.request(Method::DELETE, header(&answer, "location"));
            assert_eq!(cancel.send().await.unwrap().status(), StatusCode::NO_CONTENT);
        }
    }
}

#[tokio::test]
async fn lists_come_in_pages() {
    for registry in registries().await {
        let config = registry.push("a", b"config").await;
        let subject = Digest::of(b"subject");
        for n in 0..7 {
            let kind = if n == 0 { "application/odd" } else { "application/even+json" };
            let text = image(&config, Some(&subject), kind) + &" ".repeat(n);
            let answer = registry.put_manifest("a", &format!("t{n}"), &text).await;
            assert_eq!(answer.status(), StatusCode::CREATED);
        }
        let tags = pages(&registry, "/v2/a/tags/list", "tags").await;
        assert_eq!(tags, ["t0", "t1", "t2", "t3", "t4", "t5", "t6"]);
        assert_eq!(pages(&registry, "/v2/a/tags/list?n=2&last=t4", "tags").await, ["t5", "t6"]);
        assert!(pages(&registry, "/v2/a/tags/list?n=0", "tags").await.is_empty());
        let path = format!("/v2/a/referrers/{subject}");
        assert_eq!(pages(&registry, &path, "manifests").await.len(), 7);
        let filtered = format!("{path}?artifactType=application/even%2Bjson");
        assert_eq!(pages(&registry, &filtered, "manifests").await.len(), 6);
        let answer = registry.get(&filtered).await;
        assert_eq!(header(&answer, "oci-filters-applied"), "artifactType");
        let absent = format!("/v2/a/referrers/{}", Digest::of(b"nobody"));
        assert!(pages(&registry, &absent, "manifests").await.is_empty());
        assert_eq!(pages(&registry, "/v2/_catalog", "repositories").await, ["a"]);
    }
}

/// Every item of a list, page by page.
async fn pages(registry: &Registry, path: &str, field: &str) -> Vec<String> {
    let (mut next, mut all) = (Some(path.to_owned()), Vec::new());
    while let Some(path) = next {
        let answer = registry.get(&path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let link =
            header(&answer, "link").split('>').next().and_then(|link| link.strip_prefix('<'));
        next = link.map(str::to_owned);
        let body: serde_json::Value = answer.json().await.unwrap();
        let page = body[field].as_array().unwrap();
        assert!(page.len() <= 3);
        all.extend(
            page.iter().map(|item| item["digest"].as_str().or(item.as_str()).unwrap().to_owned()),
        );
    }
    all
}

#[tokio::test]
async fn deleted_content_is_gone() {
    for registry in registries().await {
        let config = registry.push("a", b"config").await;
        let text = image(&config, None, "k");
        let digest = Digest::of(text.as_bytes());
        for tag in ["one", "two"] {
            registry.put_manifest("a", tag, &text).await;
        }
        let delete = async |path: &str| {
            registry.request(Method::DELETE, path).send().await.unwrap().status()
        };
        assert_eq!(delete("/v2/a/manifests/one").await, StatusCode::ACCEPTED);
        assert_eq!(registry.get("/v2/a/manifests/one").await.status(), StatusCode::NOT_FOUND);
        assert_eq!(registry.get("/v2/a/manifests/two").await.status(), StatusCode::OK);
        assert_eq!(delete(&format!("/v2/a/manifests/{digest}")).await, StatusCode::ACCEPTED);
        assert_eq!(registry.get("/v2/a/manifests/two").await.status(), StatusCode::NOT_FOUND);
        assert_eq!(delete(&format!("/v2/a/blobs/{}", config.digest)).await, StatusCode::ACCEPTED);
        assert_eq!(delete(&format!("/v2/a/blobs/{}", config.digest)).await, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused_with_a_code() {
    for registry in registries().await {
        registry.push("a", b"x").await;
        for (path, status, expected) in [
            ("/v2/none/tags/list", 404, "NAME_UNKNOWN"),
            ("/v2/a/manifests/none", 404, "MANIFEST_UNKNOWN"),
            ("/v2/a/manifests/.none", 404, "MANIFEST_UNKNOWN"),
            ("/v2/a/blobs/sha256:12", 400, "DIGEST_INVALID"),
            ("/v2/A/tags/list", 400, "NAME_INVALID"),
            ("/v2/a/tags/list?n=many", 400, "PAGINATION_NUMBER_INVALID"),
            ("/v2/a/blobs/uploads/none", 404, "BLOB_UPLOAD_UNKNOWN"),
        ] {
            let answer = registry.get(path).await;
            assert_eq!(
                (answer.status().as_u16(), &*code(answer).await),
                (status, expected),
                "{path}"
            );
        }
        let schema1 = registry.put_manifest("a", "t", r#"{"schemaVersion":1}"#).await;
        assert_eq!(code(schema1).await, "MANIFEST_INVALID");
        let large = registry.put_manifest("a", "t", &" ".repeat(4 * 1024 * 1024 + 1)).await;
        assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
        let post = registry.request(Method::POST, "/v2/a/tags/list").send().await.unwrap();
        assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}
