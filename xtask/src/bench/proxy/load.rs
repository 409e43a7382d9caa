//! Clients: connections that stay open and ask again as soon as they are answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// What is asked, by how many, for how long.
#[derive(Debug, Clone)]
pub(super) struct Load {
    /// One after another, every client from another one on.
    pub(super) paths: Arc<[String]>,
    pub(super) status: u16,
    pub(super) connections: usize,
    pub(super) time: Duration,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figures {
    /// Requests a second.
    pub(super) rate: f64,
    /// The time within which 99 of 100 were answered.
    pub(super) p99: Duration,
}

/// The round with the median rate.
pub(super) fn median(mut rounds: Vec<Figures>) -> Figures {
    rounds.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    rounds[rounds.len() / 2]
}

impl Load {
    /// Asks the server at `address`. An answer with another status is an error.
    pub(super) async fn run(&self, address: &str) -> anyhow::Result<Figures> {
        let mut clients = JoinSet::new();
        let begun = Instant::now();
        for number in 0..self.connections {
            let mut client = Client::connect(address).await?;
            let load = self.clone();
            clients.spawn(async move {
                let mut times = Vec::new();
                // Far from where the others are.
                let start = number * load.paths.len() / load.connections;
                let mut paths = load.paths.iter().cycle().skip(start);
                while begun.elapsed() < load.time {
                    let asked = Instant::now();
                    let path = paths.next().context("nothing is asked")?;
                    client.ask(path, load.status).await?;
                    times.push(asked.elapsed());
                }
                anyhow::Ok(times)
            });
        }
        let mut times = Vec::new();
        while let Some(client) = clients.join_next().await {
            times.extend(client??);
        }
        let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
        times.sort_unstable();
        let p99 = times.get(times.len() * 99 / 100).copied().context("nothing was answered")?;
        Ok(Figures { rate, p99 })
    }
}

/// Opens connections, asks once on each, and keeps them.
pub(super) async fn hold(address: &str, count: usize, path: &str) -> anyhow::Result<Vec<Client>> {
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(Client::connect(address).await?);
    }
    for client in &mut clients {
        client.ask(path, 200).await?;
    }
    Ok(clients)
}

/// One connection.
#[derive(Debug)]
pub(super) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    async fn connect(address: &str) -> anyhow::Result<Client> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Client { stream, buffer: Vec::with_capacity(16 << 10) })
    }

    async fn ask(&mut self, path: &str, wanted: u16) -> anyhow::Result<()> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n");
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the connection ended within an answer");
            }
            let Some(end) = self.buffer.windows(4).position(|part| part == b"\r\n\r\n") else {
                continue;
            };
            let head = std::str::from_utf8(&self.buffer[..end])?;
            let status: u16 = head.split(' ').nth(1).unwrap_or_default().parse()?;
            if status != wanted {
                bail!("{path} was answered with {status}: {head}");
            }
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
            });
            let length: usize = length.context("an answer without a length")?;
            if self.buffer.len() >= end + 4 + length {
                return Ok(());
            }
        }
    }
}
