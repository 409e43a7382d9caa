//! A host that answers with bytes as they are: what no server would send.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use airlift_oci::types::Name;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A host on a free port of the loopback interface. Dropping it ends it.
#[derive(Debug)]
pub struct Raw {
    addr: SocketAddr,
    seen: Arc<Seen>,
    _tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Seen {
    requests: Mutex<Vec<String>>,
    sent: AtomicU64,
}

/// What is sent in answer to one request.
#[derive(Debug, Clone)]
pub struct Reply {
    first: Vec<u8>,
    /// Sent over and over behind it, so long apart.
    then: Option<(Vec<u8>, Duration)>,
    /// The connection takes further requests.
    keeps: bool,
}

impl Raw {
    /// Starts a host that answers each request, given as its head, with what `answer` makes of it.
    pub async fn start(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Raw {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let seen = Arc::<Seen>::default();
        let (answer, known) = (Arc::new(answer), seen.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, seen) = (answer.clone(), known.clone());
                connections.spawn(async move { converse(stream, &*answer, &seen).await });
                while connections.try_join_next().is_some() {}
            }
        });
        Raw { addr, seen, _tasks: tasks }
    }

    /// These bytes, then the end of the connection.
    pub fn bytes(first: &[u8]) -> Reply {
        Reply { first: first.to_vec(), then: None, keeps: false }
    }

    /// This text, then the end of the connection.
    pub fn once(first: &str) -> Reply {
        Raw::bytes(first.as_bytes())
    }

    /// This text; the connection goes on.
    pub fn kept(first: &str) -> Reply {
        Reply { keeps: true, ..Raw::once(first) }
    }

    /// This text, then `more` without end.
    pub fn then_endless(first: String, more: &str) -> Reply {
        let then = more.repeat((64 << 10) / more.len());
        Reply { first: first.into(), then: Some((then.into(), Duration::ZERO)), keeps: false }
    }

    /// This text, then `drop` every so often, without end.
    pub fn drip(first: String, drop: &str, every: Duration) -> Reply {
        Reply { first: first.into(), then: Some((drop.into(), every)), keeps: false }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A repository at it.
    pub fn name(&self, repository: &str) -> Name {
        Name::new(&self.addr.to_string(), repository).expect("a repository's name")
    }

    /// The heads of the requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Bytes that the other side took, or the system holds for it.
    pub fn sent(&self) -> u64 {
        self.seen.sent.load(Ordering::Relaxed)
    }
}

/// Answers the requests of one connection until it ends.
async fn converse(mut stream: TcpStream, answer: &(dyn Fn(&str) -> Reply + Sync), seen: &Seen) {
    let mut read = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            let mut chunk = [0; 8192];
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(length) => read.extend_from_slice(&chunk[..length]),
            }
        };
        let head = String::from_utf8_lossy(&read[..end]).into_owned();
        read.drain(..end);
        seen.requests.lock().unwrap_or_else(PoisonError::into_inner).push(head.clone());
        let reply = answer(&head);
        if send(&mut stream, &reply.first, seen).await.is_none() {
            return;
        }
        while let Some((then, every)) = &reply.then {
            tokio::time::sleep(*every).await;
            if send(&mut stream, then, seen).await.is_none() {
                return;
            }
        }
        if !reply.keeps {
            // What was sent must arrive before the end of the connection does.
            let _ = stream.shutdown().await;
            let mut rest = [0; 8192];
            while matches!(stream.read(&mut rest).await, Ok(length) if length > 0) {}
            return;
        }
    }
}

async fn send(stream: &mut TcpStream, bytes: &[u8], seen: &Seen) -> Option<()> {
    stream.write_all(bytes).await.ok()?;
    seen.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    Some(())
}
