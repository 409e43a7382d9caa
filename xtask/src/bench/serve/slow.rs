//! Clients that send one byte a second, and what a fast one notices of them.

use std::time::{Duration, Instant};

use anyhow::ensure;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// The longest of many requests, each on a connection of its own.
pub(super) async fn latency(address: &str) -> anyhow::Result<Duration> {
    let mut longest = Duration::ZERO;
    for _ in 0..200 {
        let asked = Instant::now();
        let mut stream = TcpStream::connect(address).await?;
        let request = b"GET /v2/ HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        longest = longest.max(asked.elapsed());
    }
    Ok(longest)
}

/// The same beside `count` slow clients.
pub(super) async fn beside(address: &str, count: usize) -> anyhow::Result<Duration> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    let mut slow = JoinSet::new();
    for number in 0..count {
        let mut stream = TcpStream::connect(address).await?;
        let head = "POST /v2/a/blobs/uploads/?digest=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 HTTP/1.1\r\n\
                    Host: bench\r\nContent-Length: 1000000\r\n\r\n";
        // Every other one does not even end its head.
        let begin = if number % 2 == 0 { head } else { "GET /v2/ HTTP/1.1\r\nX: " };
        stream.write_all(begin.as_bytes()).await?;
        slow.spawn(async move {
            while stream.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
    }
    println!("{count} slow clients are connected");
    let found = latency(address).await;
    println!("{} of them still are", {
        while slow.try_join_next().is_some() {}
        slow.len()
    });
    found
}
