//! A host that says what it is told to say, connection by connection.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;

/// What is said on each connection, one answer for each question; then it is closed.
struct Host {
    direct: Arc<Direct>,
    url: Url,
    _task: JoinSet<()>,
}

impl Host {
    async fn saying(connections: &[&[&str]]) -> Host {
        let own = |answers: &&[&str]| answers.iter().map(|text| (*text).to_owned()).collect();
        let connections: Vec<Vec<String>> = connections.iter().map(own).collect();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/v2/a?b=c", listener.local_addr().unwrap());
        let mut task = JoinSet::new();
        task.spawn(async move {
            for answers in connections {
                let (mut stream, _) = listener.accept().await.unwrap();
                for answer in answers {
                    let mut question = Vec::new();
                    while !question.ends_with(b"\r\n\r\n") {
                        assert_ne!(stream.read_buf(&mut question).await.unwrap(), 0);
                    }
                    assert!(question.starts_with(b"GET /v2/a?b=c HTTP/1.1\r\nhost: 127.0.0.1:"));
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            }
        });
        let url: Url = url.parse().unwrap();
        let direct = Direct::to(&url, &Settings::default()).unwrap();
        Host { direct, url, _task: task }
    }

    /// The whole answer to a question.
    async fn ask(&self) -> Result<Vec<u8>, Fault> {
        let mut reply = self.direct.ask(&Method::GET, &self.url, &HeaderMap::new()).await?;
        assert_eq!(reply.status, 200);
        let mut all = Vec::new();
        while let Some(bytes) = reply.chunk().await? {
            all.extend_from_slice(&bytes);
        }
        assert!(reply.chunk().await?.is_none(), "the end stays the end");
        Ok(all)
    }

    fn kept(&self) -> usize {
        self.direct.lock().len()
    }
}

const SHORT: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const IN_CHUNKS: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                         2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer: 1\r\n\r\n";

#[tokio::test]
async fn a_connection_serves_one_question_after_another() {
    let more = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    let host = Host::saying(&[&[SHORT, IN_CHUNKS, more, SHORT]]).await;
    for _ in 0..4 {
        assert_eq!(host.ask().await.unwrap(), b"hello", "the host takes one connection alone");
    }
}

#[tokio::test]
async fn what_a_closed_connection_lost_is_asked_on_a_new_one() {
    let host = Host::saying(&[&[SHORT], &[SHORT], &[SHORT]]).await;
    for _ in 0..3 {
        // Each is closed behind its answer, seen before the next question or only by it.
        assert_eq!(host.ask().await.unwrap(), b"hello");
    }
    assert!(matches!(host.ask().await, Err(Fault::Broken(_))), "nobody listens any more");
}

#[tokio::test]
async fn a_new_connection_that_gives_no_answer_is_an_error() {
    let host = Host::saying(&[&[""], &[SHORT]]).await;
    assert!(matches!(host.ask().await, Err(Fault::Broken(_))));
    assert_eq!(host.ask().await.unwrap(), b"hello", "the next one is asked");
}

#[tokio::test]
async fn half_a_body_is_an_error() {
    for half in [
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le",
    ] {
        let host = Host::saying(&[&[half]]).await;
        assert!(matches!(host.ask().await, Err(Fault::Broken(_))), "{half:?}");
        assert_eq!(host.kept(), 0);
    }
}

#[tokio::test]
async fn garbage_is_an_error() {
    for garbage in [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfive\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nNo header\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
    ] {
        let host = Host::saying(&[&[garbage]]).await;
        assert!(matches!(host.ask().await, Err(Fault::Broken(_))), "{garbage:?}");
        assert_eq!(host.kept(), 0);
    }
    let host = Host::saying(&[&["\u{0}\u{1}what is this\r\n\r\n"]]).await;
    assert!(matches!(host.ask().await, Err(Fault::Foreign)));
}

#[tokio::test]
async fn a_connection_that_says_too_much_is_not_used_again() {
    let more = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    let close = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    let to_the_end = "HTTP/1.1 200 OK\r\n\r\nhello";
    let old = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    let host = Host::saying(&[&[more], &[close], &[to_the_end], &[old]]).await;
    for _ in 0..4 {
        assert_eq!(host.ask().await.unwrap(), b"hello");
        assert_eq!(host.kept(), 0);
    }
}

#[tokio::test]
async fn no_more_connections_are_kept_than_may_be_and_none_for_long() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let url = format!("http://{address}/").parse().unwrap();
    let settings = Settings { max_connections_per_host: 3, ..Settings::default() };
    let direct = Direct::to(&url, &settings).unwrap();
    let now = Instant::now();
    let mut ends = Vec::new();
    for _ in 0..5 {
        direct.keep(direct.connect().await.unwrap(), now);
        ends.push(listener.accept().await.unwrap());
    }
    assert_eq!(direct.lock().len(), 3);
    assert!(direct.take(now + KEPT / 2).is_some());
    direct.keep(direct.connect().await.unwrap(), now + KEPT);
    assert_eq!(direct.lock().len(), 1, "the others are too old");
    assert!(direct.take(now + KEPT + KEPT).is_none());
}

#[test]
fn hosts_with_tls_are_for_others() {
    let to = |url: &str| Direct::to(&url.parse().unwrap(), &Settings::default());
    assert!(to("https://127.0.0.1:5000/v2/").is_none());
    let direct = to("http://127.0.0.1/v2/").unwrap();
    assert!(direct.reaches(&"http://127.0.0.1:80/x?y".parse().unwrap()));
    for other in ["https://127.0.0.1/v2/", "http://127.0.0.2/v2/", "http://127.0.0.1:81/v2/"] {
        assert!(!direct.reaches(&other.parse().unwrap()), "{other}");
    }
}
