//! Many at once: pushes of one blob, deletions, garbage, uploads that are open meanwhile.

use std::sync::Arc;
use std::time::Duration;

use airlift_oci::types::{Descriptor, Digest, media};
use airlift_serve::storage::Directory;
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};

use crate::{Registry, header, image, registries, start};

/// The names of the files in a directory; none when it is not there.
fn files(path: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Pushes a blob in two chunks.
async fn in_chunks(registry: &Registry, name: &str, bytes: &'static str) -> StatusCode {
    let upload = registry.open_upload(name).await;
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let range = format!("0-{}", first.len() - 1);
    assert_eq!(registry.patch(&upload, &range, first).await.status(), StatusCode::ACCEPTED);
    let path = format!("{upload}?digest={}", Digest::of(bytes.as_bytes()));
    registry.request(Method::PUT, &path).body(second).send().await.unwrap().status()
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_of_one_blob_at_once_are_one() {
    for registry in registries().await {
        let bytes: &'static str = "one blob ".repeat(20_000).leak();
        let digest = Digest::of(bytes.as_bytes());
        let whole = (0..12).map(|_| async {
            let path = format!("/v2/a/blobs/uploads/?digest={digest}");
            registry.request(Method::POST, &path).body(bytes).send().await.unwrap().status()
        });
        let chunks = (0..12).map(|_| in_chunks(&registry, "a", bytes));
        let (whole, chunks) = futures_util::join!(join_all(whole), join_all(chunks));
        assert!(whole.iter().chain(&chunks).all(|status| *status == StatusCode::CREATED));
        let got = registry.get(&format!("/v2/a/blobs/{digest}")).await;
        assert_eq!(got.text().await.unwrap(), bytes);
        if let Some(directory) = &registry.directory {
            assert_eq!(files(&directory.path().join("a/blobs/sha256")), [digest.hex()]);
            assert!(files(&directory.path().join("a/ingest")).is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_are_open_outlive_a_collection_of_garbage() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().to_owned();
    let registry = start(Arc::new(Directory::open(&root).unwrap()), Some(place)).await;
    let garbage = registry.push("a", b"nobody names it").await;
    let kept = registry.push("a", b"config").await;
    let text = image(&kept, None, "k");
    registry.put_manifest("a", "t", &text).await;
    let upload = registry.open_upload("a").await;
    registry.patch(&upload, "0-4", "01234").await;
    // By another process, as it were: it knows nothing of the server's uploads.
    let other = Directory::open(&root).unwrap();
    let collected = other.collect(Duration::ZERO, false).unwrap();
    let removed: Vec<_> = collected.iter().flat_map(|(_, found)| &found.removed).collect();
    assert_eq!(removed.len(), 1, "{removed:?}");
    assert_eq!(removed[0].digest, garbage.digest);
    let path = format!("{upload}?digest={}", Digest::of(b"0123456789"));
    let last = registry.request(Method::PUT, &path).header("content-range", "5-9");
    let done = last.body("56789").send().await.unwrap();
    assert_eq!(done.status(), StatusCode::CREATED);
    assert_eq!(registry.get(header(&done, "location")).await.text().await.unwrap(), "0123456789");
    assert_eq!(registry.get("/v2/a/manifests/t").await.text().await.unwrap(), text);
    let blob = registry.get(&format!("/v2/a/blobs/{}", kept.digest)).await;
    assert_eq!(blob.text().await.unwrap(), "config");
}

/// Whatever is asked in whatever order, no answer is 5xx, and a manifest that is served names what
/// is there, or was deleted by somebody.
#[tokio::test(flavor = "multi_thread")]
async fn pushes_deletions_and_reading_at_once_break_nothing() {
    for registry in registries().await {
        let registry = &registry;
        let worker = |worker: u64| async move {
            for round in 0..12_u64 {
                let (tag, name) = ((worker + round) % 3, format!("r{}", (worker * 7 + round) % 2));
                let bytes: &'static [u8] = format!("blob {tag}").leak().as_bytes();
                let digest = Digest::of(bytes);
                let push = format!("/v2/{name}/blobs/uploads/?digest={digest}");
                let blob = format!("/v2/{name}/blobs/{digest}");
                let manifest = format!("/v2/{name}/manifests/t{tag}");
                let config = Descriptor::new(media::OCTET_STREAM, digest, bytes.len() as u64);
                let text = image(&config, None, "k");
                let requests = [
                    registry.request(Method::POST, &push).body(bytes),
                    registry
                        .request(Method::PUT, &manifest)
                        .header("content-type", media::OCI_MANIFEST)
                        .body(text),
                    registry.request(Method::GET, &manifest),
                    registry.request(Method::GET, &blob),
                    registry.request(Method::GET, &format!("/v2/{name}/tags/list")),
                    registry
                        .request(Method::DELETE, if round % 2 == 0 { &manifest } else { &blob }),
                    registry.request(Method::GET, "/v2/_catalog"),
                ];
                for request in requests {
                    let answer = request.send().await.unwrap();
                    let (status, url) = (answer.status(), answer.url().clone());
                    let body = answer.bytes().await.unwrap();
                    assert!(!status.is_server_error(), "{url}: {status} {body:?}");
                }
            }
        };
        join_all((0..8).map(worker)).await;
        let tags = registry.get("/v2/r0/tags/list").await;
        assert_eq!(tags.status(), StatusCode::OK);
    }
}
