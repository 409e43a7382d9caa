//! Registries that are none: sockets that never answer, answer garbage, or do not end.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What a socket does with a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Manner {
    /// Nothing, for ever.
    Frozen,
    /// Bytes that are no HTTP.
    Garbage,
    /// Headers without end.
    EndlessHeaders,
    /// One header without end.
    EndlessHeader,
    /// A page for a browser, as a login page of a network in between.
    Page,
    /// One manifest; then it closes the connection, of which it said nothing.
    Closing,
}

/// A socket that is no registry.
pub(crate) struct Raw {
    pub(crate) url: String,
    connections: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

impl Raw {
    pub(crate) async fn start(manner: Manner) -> Raw {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicU64::new(0));
        let count = connections.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                open.spawn(behave(stream, manner));
            }
        });
        Raw { url, connections, _tasks: tasks }
    }

    /// How many came.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn behave(mut stream: TcpStream, manner: Manner) {
    if let Manner::Closing = manner {
        return manifest(stream).await;
    }
    let page =
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>";
    let start = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let (head, rest): (&str, Option<&str>) = match manner {
        Manner::Frozen | Manner::Closing => ("", None),
        Manner::Garbage => ("\u{0}\u{1}no HTTP at all\r\n\r\n", None),
        Manner::EndlessHeaders => (start, Some("X-More: and more\r\n")),
        Manner::EndlessHeader => ("HTTP/1.1 200 OK\r\nX-Long: ", Some("aaaaaaaaaaaaaaaa")),
        Manner::Page => (page, None),
    };
    let mut sent = stream.write_all(head.as_bytes()).await;
    while let (Ok(()), Some(rest)) = (&sent, rest) {
        sent = stream.write_all(rest.as_bytes()).await;
    }
    std::future::pending::<()>().await;
}

async fn manifest(mut stream: TcpStream) {
    let mut question = Vec::new();
    while !question.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut question).await.is_ok_and(|bytes| bytes > 0) {
            continue;
        }
        return;
    }
    let answer =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
    // Whoever asked may have gone.
    let _ = stream.write_all(answer.as_bytes()).await;
}
