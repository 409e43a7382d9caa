//! The proxy as a server: settings read again, and an end that cuts nothing off.

use airlift_serve::access::Access;
use airlift_tests::{FaultPlan, TestRegistry};
use futures_util::StreamExt;
use reqwest::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Front, config, push, settings};

/// One request on a connection that stays open; the answer's status line.
async fn ask(stream: &mut TcpStream, path: &str) -> String {
    let request = format!("HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(answer).unwrap().lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn other_settings_take_force_without_losing_a_connection() {
    let (hot, cold) = (
        TestRegistry::start(FaultPlan::none()).await,
        TestRegistry::start(FaultPlan::none()).await,
    );
    let other = TestRegistry::start(FaultPlan::none()).await;
    push(&other, "a", "1", 1).await;
    let front = Front::start(&settings(&hot.url(), &cold.url(), "")).await;
    let mut connection = TcpStream::connect(front.addr).await.unwrap();
    assert_eq!(ask(&mut connection, "/v2/a/manifests/1").await, "HTTP/1.1 404 Not Found");
    let new = config(&settings(&hot.url(), &other.url(), ""));
    front.proxy.reload(new, Access::open()).unwrap();
    assert_eq!(ask(&mut connection, "/v2/a/manifests/1").await, "HTTP/1.1 200 OK");
    let broken = config("registry: {hot: {url: 'http://user:pw@nowhere'}}");
    assert!(front.proxy.reload(broken, Access::open()).is_err());
    assert_eq!(ask(&mut connection, "/v2/a/manifests/1").await, "HTTP/1.1 200 OK");
}

#[tokio::test]
async fn a_transfer_under_way_ends_well_when_the_proxy_is_stopped() {
    let hot = TestRegistry::start(FaultPlan::none().rate(2_000_000)).await;
    let cold = TestRegistry::start(FaultPlan::none()).await;
    let image = airlift_tests::image::image(
        airlift_tests::image::Flavour::Oci,
        "linux/amd64",
        &[airlift_tests::image::Layer::new(7, 2_000_000)],
        7,
    );
    image.push(hot.store("a").as_ref(), Some("1")).await;
    let large = image.blobs().iter().max_by_key(|blob| blob.descriptor().size).unwrap();
    let mut front = Front::start(&settings(&hot.url(), &cold.url(), "mode: relay")).await;
    let path = format!("/v2/a/blobs/{}", large.descriptor().digest);
    let mut body = front.get(&path).await.bytes_stream();
    let mut got = body.next().await.unwrap().unwrap().to_vec();
    front.stop.take().unwrap().send(()).unwrap();
    while TcpStream::connect(front.addr).await.is_ok() {
        tokio::task::yield_now().await;
    }
    while let Some(chunk) = body.next().await {
        got.extend_from_slice(&chunk.unwrap());
    }
    assert_eq!(got, large.bytes());
    drop(body);
    front.tasks.join_next().await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_transfer_that_does_not_end_is_given_up_after_the_grace() {
    let (hot, cold) = (
        TestRegistry::start(FaultPlan::none().delayed(std::time::Duration::from_secs(3600))).await,
        TestRegistry::start(FaultPlan::none()).await,
    );
    let more = "server: {grace: 50ms}\ntimeouts: {answer: 1h}";
    let mut front = Front::start(&settings(&hot.url(), &cold.url(), more)).await;
    let mut connection = TcpStream::connect(front.addr).await.unwrap();
    connection.write_all(b"GET /v2/a/manifests/1 HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    while hot.log().is_empty() {
        tokio::task::yield_now().await;
    }
    front.stop.take().unwrap().send(()).unwrap();
    front.tasks.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(connection.read(&mut [0; 1]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn many_slow_connections_do_not_stop_a_fast_one() {
    let (hot, cold) = (
        TestRegistry::start(FaultPlan::none()).await,
        TestRegistry::start(FaultPlan::none()).await,
    );
    push(&hot, "a", "1", 1).await;
    let front = Front::start(&settings(&hot.url(), &cold.url(), "")).await;
    let mut slow = Vec::new();
    for _ in 0..300 {
        let mut connection = TcpStream::connect(front.addr).await.unwrap();
        connection.write_all(b"GET /v2/a/manif").await.unwrap();
        slow.push(connection);
    }
    assert_eq!(front.get("/v2/a/manifests/1").await.status(), StatusCode::OK);
}
