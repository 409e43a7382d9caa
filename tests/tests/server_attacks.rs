//! What a hostile client sends: everything oversized, headers within names, two lengths.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use airlift_oci::types::Digest;
use airlift_serve::storage::Memory;
use airlift_serve::{Options, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// A server until it is dropped.
struct Running {
    addr: std::net::SocketAddr,
    _tasks: JoinSet<std::io::Result<()>>,
}

async fn start() -> Running {
    let options = Options { upload_sessions: 4, ..Options::default() };
    let server = Server::bind(([127, 0, 0, 1], 0).into(), Arc::new(Memory::new()), options);
    let server = server.await.unwrap();
    let addr = server.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(server.run(std::future::pending()));
    Running { addr, _tasks: tasks }
}

impl Running {
    /// Sends bytes as they are; everything that comes back until the connection ends.
    async fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        // It may be refused before it is sent whole.
        let _ = stream.write_all(request).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn is_well(&self) {
        let answer = self.raw(b"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[tokio::test]
async fn what_is_too_large_is_refused_and_the_server_goes_on() {
    let server = start().await;
    let long = "a".repeat(1 << 20);
    let many = "X-Many: y\r\n".repeat(2000);
    for request in [
        format!("GET /v2/{long}/tags/list HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n"),
        format!("GET /v2/ HTTP/1.1\r\nHost: x\r\n{many}\r\n"),
        format!("GET /v2/ HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {long}\r\n\r\n"),
        format!("{long} /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"),
    ] {
        let answer = server.raw(request.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        server.is_well().await;
    }
    // A manifest is refused once it is longer than one may be, not when it ends.
    let head = "PUT /v2/a/manifests/t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, " ".repeat(1 << 20));
    let endless = [head.to_owned(), chunk.repeat(6)].concat();
    let answer = server.raw(endless.as_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{answer}");
    let declared =
        "PUT /v2/a/manifests/t HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\n{";
    let answer = server.raw(declared.as_bytes()).await;
    assert!(!answer.contains("HTTP/1.1 2"), "{answer}");
    server.is_well().await;
}

#[tokio::test]
async fn nothing_from_a_request_becomes_a_header() {
    let server = start().await;
    let digest = Digest::of(b"x");
    let evil = "%0d%0aX-Evil:%20yes%0d%0a";
    for path in [
        format!("/v2/a{evil}/tags/list"),
        format!("/v2/a/manifests/t{evil}"),
        format!("/v2/a/blobs/sha256:{evil}"),
        format!("/v2/a/blobs/uploads/{evil}"),
        format!("/v2/a/referrers/{digest}?artifactType={evil}"),
        format!("/v2/a/referrers/{digest}?artifactType=a&n=1&last={evil}"),
        format!("/v2/_catalog?n=1&last={evil}"),
        format!("/v2/a/manifests/{digest}?tag={evil}"),
        "/v2/a/tags/list?n=99999999999999999999999".to_owned(),
        "/v2/a/tags/list?n=-1".to_owned(),
    ] {
        for method in ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "TRACE", "CONNECT"] {
            let head = "Host: x\r\nConnection: close\r\nContent-Length: 2";
            let request = format!("{method} {path} HTTP/1.1\r\n{head}\r\n\r\n{{}}");
            let answer = server.raw(request.as_bytes()).await;
            let headers = answer.split("\r\n\r\n").next().unwrap();
            assert!(answer.starts_with("HTTP/1.1 "), "{method} {path}: {answer}");
            assert!(!headers.to_lowercase().contains("\nx-evil"), "{method} {path}: {answer}");
            assert!(!answer.starts_with("HTTP/1.1 5"), "{method} {path}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_media_type_that_no_header_can_hold_is_refused() {
    let server = start().await;
    let manifest = r#"{"schemaVersion":2,"mediaType":"application/x\r\nX-Evil: yes","layers":[]}"#;
    let request = format!(
        "PUT /v2/a/manifests/t HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{manifest}",
        manifest.len()
    );
    server.raw(request.as_bytes()).await;
    let get = b"GET /v2/a/manifests/t HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = server.raw(get).await;
    assert!(!answer.split("\r\n\r\n").next().unwrap().contains("X-Evil"), "{answer}");
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
}

#[tokio::test]
async fn a_body_is_never_taken_for_a_request() {
    let server = start().await;
    let hidden = "GET /v2/_catalog HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for framing in [
        format!("Content-Length: {}\r\nTransfer-Encoding: chunked", hidden.len()),
        "Transfer-Encoding: xchunked".to_owned(),
        "Transfer-Encoding: chunked, identity".to_owned(),
        "Transfer-Encoding:\x0bchunked".to_owned(),
        "Content-Length: +5".to_owned(),
        "Content-Length: 5, 6".to_owned(),
        "Content-Length: 0x5".to_owned(),
        "Content-Length: 5\r\nContent-Length: 6".to_owned(),
        "X: y\r\n Content-Length: 0".to_owned(),
        "X: y\r\n\tTransfer-Encoding: chunked".to_owned(),
        "Transfer-Encoding: identity\r\nContent-Length: 3".to_owned(),
        "Content-Length : 5".to_owned(),
        "Content-Length: 5\nX: y".to_owned(),
    ] {
        let request =
            format!("POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n{hidden}");
        let answer = server.raw(request.as_bytes()).await;
        assert!(!answer.contains("repositories"), "{framing:?}: {answer}");
    }
}

/// Requests made wrong in many ways, the same each time: what comes back is HTTP, no 5xx, and the
/// server goes on.
#[tokio::test]
async fn whatever_is_sent_is_refused_and_never_an_error_of_ours() {
    let server = start().await;
    let digest = Digest::of(b"x");
    let good = [
        "GET /v2/a/tags/list?n=3&last=b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(),
        format!("GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1\r\nConnection: close\r\n\r\n"),
        format!("POST /v2/a/blobs/uploads/?digest={digest} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"),
        "PUT /v2/a/manifests/t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\n{}\r\n0\r\n\r\n".to_owned(),
        "PATCH /v2/a/blobs/uploads/x HTTP/1.1\r\nHost: x\r\nContent-Range: 0-0\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx".to_owned(),
    ];
    let mut state = 1_u64;
    let mut next = |most: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % most
    };
    let odd: &[&[u8]] = &[
        b"%00",
        b"%",
        b"%zz",
        b"\0",
        b"\xff",
        b"\r\n",
        b"\n",
        b" ",
        b"//",
        b"/../",
        b"?",
        b"#",
        b":",
        b"99999999999999999999",
        b"-1",
        b"\r\nX: y",
        b"%2f",
        b"%252f",
        b"&n=&n=",
        b"sha512:",
        b",",
    ];
    for _ in 0..600 {
        let mut request = good[next(good.len())].clone().into_bytes();
        for _ in 0..=next(3) {
            // One that is empty is none.
            if request.len() < 2 {
                break;
            }
            let at = next(request.len());
            match next(4) {
                0 => request[at] = next(256) as u8,
                1 => {
                    request.remove(at);
                }
                2 => request.truncate(at.max(1)),
                _ => {
                    let odd = odd[next(odd.len())];
                    request.splice(at..at, odd.iter().copied());
                }
            }
        }
        let answer = server.raw(&request).await;
        let shown = String::from_utf8_lossy(&request);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1."), "{shown:?}: {answer}");
        assert!(
            !answer.contains("HTTP/1.1 5") && !answer.contains("HTTP/1.0 5"),
            "{shown:?}: {answer}"
        );
    }
    server.is_well().await;
}
