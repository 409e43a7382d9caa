//! How fast a blob comes: read and thrown away.

use std::time::Instant;

use airlift_oci::types::Digest;
use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// The middle one.
pub(crate) fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Pushes a blob.
pub(super) async fn push(
    address: &str,
    repository: &str,
    digest: &Digest,
    content: Vec<u8>,
) -> anyhow::Result<()> {
    let url = format!("http://{address}/v2/{repository}/blobs/uploads/?digest={digest}");
    reqwest::Client::new().post(url).body(content).send().await?.error_for_status()?;
    Ok(())
}

/// Bytes a second of `path`, read by several clients at once.
pub(super) async fn read(address: &str, path: &str, connections: usize) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..connections {
        clients.spawn(one(address.to_owned(), path.to_owned()));
    }
    let mut bytes = 0;
    while let Some(client) = clients.join_next().await {
        bytes += client??;
    }
    Ok(bytes as f64 / begun.elapsed().as_secs_f64())
}

async fn one(address: String, path: String) -> anyhow::Result<u64> {
    let mut stream = TcpStream::connect(&address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut buffer = vec![0; 1 << 18];
    let (mut head, mut bytes, mut wanted) = (Vec::new(), 0_u64, None);
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            break;
        }
        if wanted.is_some() {
            bytes += read as u64;
            continue;
        }
        head.extend_from_slice(&buffer[..read]);
        if let Some(end) = head.windows(4).position(|part| part == b"\r\n\r\n") {
            let text = std::str::from_utf8(&head[..end])?;
            ensure!(text.starts_with("HTTP/1.1 200"), "{path}: {text}");
            let length = text.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
            });
            wanted = Some(length.context("an answer without a length")?);
            bytes = (head.len() - end - 4) as u64;
        }
    }
    ensure!(wanted == Some(bytes), "{path} ended after {bytes} of {wanted:?} bytes");
    Ok(bytes)
}
