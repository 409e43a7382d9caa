//! What a client may ask of an answer: a part, only what changed, the head alone, a page.

use std::io::{Seek, SeekFrom, Write};

use airlift_oci::types::Digest;
use reqwest::{Method, StatusCode};

use crate::{Registry, header, image, pages, registries};

/// The status of a request with one header.
async fn asked(
    registry: &Registry,
    method: Method,
    path: &str,
    name: &str,
    value: &str,
) -> reqwest::Response {
    registry.request(method, path).header(name, value).send().await.unwrap()
}

#[tokio::test]
async fn who_has_it_already_is_told_so() {
    for registry in registries().await {
        let blob = registry.push("a", b"0123456789").await;
        let config = registry.push("a", b"config").await;
        let text = image(&config, None, "k");
        registry.put_manifest("a", "t", &text).await;
        let manifest = Digest::of(text.as_bytes());
        for (path, digest) in [
            (format!("/v2/a/blobs/{}", blob.digest), &blob.digest),
            ("/v2/a/manifests/t".to_owned(), &manifest),
            (format!("/v2/a/manifests/{manifest}"), &manifest),
        ] {
            let tag = header(&registry.head(&path).await, "etag").to_owned();
            assert_eq!(tag, format!("\"{digest}\""));
            let weak = format!("\"x\", W/{tag}");
            for (value, status) in [(&*tag, 304), (&*weak, 304), ("*", 304), ("\"x\"", 200)] {
                for method in [Method::GET, Method::HEAD] {
                    let answer =
                        asked(&registry, method.clone(), &path, "if-none-match", value).await;
                    assert_eq!(answer.status().as_u16(), status, "{method} {path} {value}");
                    assert_eq!(header(&answer, "docker-content-digest"), digest.as_str());
                    let unchanged = status == 304;
                    assert_eq!(
                        answer.bytes().await.unwrap().is_empty(),
                        unchanged || method == Method::HEAD
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn a_part_is_given_of_the_same_content_only_and_never_of_a_head() {
    for registry in registries().await {
        let blob = registry.push("a", b"0123456789").await;
        let path = format!("/v2/a/blobs/{}", blob.digest);
        for (tag, status, text) in
            [(format!("\"{}\"", blob.digest), 206, "234"), ("\"x\"".to_owned(), 200, "0123456789")]
        {
            let request = registry.request(Method::GET, &path).header("range", "bytes=2-4");
            let answer = request.header("if-range", tag).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), status);
            assert_eq!(answer.text().await.unwrap(), text);
        }
        let head = asked(&registry, Method::HEAD, &path, "range", "bytes=2-4").await;
        assert_eq!((head.status(), header(&head, "content-length")), (StatusCode::OK, "10"));
        let empty = registry.push("a", b"").await;
        let path = format!("/v2/a/blobs/{}", empty.digest);
        let answer = registry.get(&path).await;
        assert_eq!((answer.status(), header(&answer, "content-length")), (StatusCode::OK, "0"));
        let beyond = asked(&registry, Method::GET, &path, "range", "bytes=0-").await;
        assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    }
}

#[tokio::test]
async fn what_was_damaged_on_the_disk_never_arrives_whole() {
    let registry = registries().await.pop().unwrap();
    let bytes: &'static [u8] = vec![7; 3 << 20].leak();
    let blob = registry.push("a", bytes).await;
    let path = format!("/v2/a/blobs/{}", blob.digest);
    // Twice: the second time it is known to be good.
    for _ in 0..2 {
        assert_eq!(registry.get(&path).await.bytes().await.unwrap(), bytes);
    }
    let root = registry.directory.as_ref().unwrap().path();
    let file = root.join("a/blobs/sha256").join(blob.digest.hex());
    let mut file = std::fs::File::options().write(true).open(file).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    file.seek(SeekFrom::Start(1 << 20)).unwrap();
    file.write_all(b"8").unwrap();
    // Not even when the file says that nothing happened.
    file.set_modified(modified).unwrap();
    for _ in 0..2 {
        let answer = registry.get(&path).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.bytes().await.is_err(), "it breaks off");
    }
    file.seek(SeekFrom::Start(1 << 20)).unwrap();
    file.write_all(&[7]).unwrap();
    assert_eq!(registry.get(&path).await.bytes().await.unwrap(), bytes);
}

#[tokio::test]
async fn a_damaged_manifest_is_the_servers_trouble_and_not_the_clients() {
    let registry = registries().await.pop().unwrap();
    let config = registry.push("a", b"config").await;
    let text = image(&config, None, "k");
    registry.put_manifest("a", "t", &text).await;
    let root = registry.directory.as_ref().unwrap().path();
    let digest = Digest::of(text.as_bytes());
    let path = root.join("a/blobs/sha256").join(digest.hex());
    std::fs::write(&path, text.to_uppercase()).unwrap();
    // Where the system's clock is coarse the file may look as it did when it was written.
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    for path in ["/v2/a/manifests/t".to_owned(), format!("/v2/a/manifests/{digest}")] {
        let answer = registry.get(&path).await;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let said = answer.text().await.unwrap();
        assert!(
            !said.contains(root.to_str().unwrap()),
            "paths are not the client's to see: {said}"
        );
    }
}

#[tokio::test]
async fn pages_end_where_there_is_no_more() {
    for registry in registries().await {
        let config = registry.push("a", b"config").await;
        let subject = Digest::of(b"subject");
        for n in 0..5 {
            let text = image(&config, Some(&subject), "k") + &" ".repeat(n);
            registry.put_manifest("a", &format!("t{n}"), &text).await;
            registry.push(["b", "c", "d", "e", "f"][n], b"x").await;
        }
        for (path, field, most) in [
            ("/v2/a/tags/list".to_owned(), "tags", 5),
            (format!("/v2/a/referrers/{subject}"), "manifests", 5),
            ("/v2/_catalog".to_owned(), "repositories", 6),
        ] {
            let all = pages(&registry, &path, field).await;
            assert_eq!(all.len(), most, "{path}");
            let last = all.last().unwrap();
            for (query, count, more) in [
                ("n=0".to_owned(), 0, false),
                ("n=2".to_owned(), 2, true),
                // More than one page may have.
                ("n=1000000".to_owned(), 3, true),
                (format!("n=2&last={}", all[most - 3]), 2, false),
                (format!("last={last}"), 0, false),
                ("n=2&last=zzzz".to_owned(), 0, false),
                ("n=2&last=".to_owned(), 2, true),
            ] {
                let answer = registry.get(&format!("{path}?{query}")).await;
                assert_eq!(answer.status(), StatusCode::OK, "{path} {query}");
                let link = header(&answer, "link").to_owned();
                assert_eq!(!link.is_empty(), more, "{path} {query}: {link}");
                assert!(!more || link.ends_with("; rel=\"next\""), "{link}");
                let body: serde_json::Value = answer.json().await.unwrap();
                assert_eq!(body[field].as_array().unwrap().len(), count, "{path} {query}");
            }
            let next = pages(&registry, &format!("{path}?n=2"), field).await;
            assert_eq!(next, all, "the next pages are as long, and nothing is left out");
        }
    }
}
