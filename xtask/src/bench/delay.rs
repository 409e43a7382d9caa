//! A line to somewhere far: every byte arrives later, and no connection carries more than its rate.
//!
//! A TCP proxy. What comes in is passed on after half the round trip, in both directions, and each
//! direction of each connection is held to the rate. A new connection waits a round trip, as the
//! handshake of a real one does.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::{Instant, sleep, sleep_until};

use super::relay::Relay;

/// Most bytes that travel as one.
const PIECE: usize = 32 << 10;

/// How far away the other side is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    /// There and back.
    pub(super) round_trip: Duration,
    /// Bytes a second of each connection, in each direction.
    pub(super) rate: f64,
}

/// Starts a line to the address `to`, from a free port.
pub(super) async fn start(to: String, line: Line) -> anyhow::Result<Relay> {
    Relay::start(move |near| connect(near, to.clone(), line)).await
}

async fn connect(near: TcpStream, to: String, line: Line) {
    sleep(line.round_trip).await;
    let Ok(far) = TcpStream::connect(to).await else { return };
    // Without it small packets would wait for acknowledgements, on top of what is asked for.
    let _ = near.set_nodelay(true);
    let _ = far.set_nodelay(true);
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    tokio::join!(carry(near_read, far_write, line), carry(far_read, near_write, line));
}

/// One direction of a connection, until either end closes it.
async fn carry(from: OwnedReadHalf, to: OwnedWriteHalf, line: Line) {
    // As much as is under way at full rate; more waits at the sender's.
    let under_way = line.rate * line.round_trip.as_secs_f64() / PIECE as f64;
    let (send, receive) = mpsc::channel(under_way.ceil() as usize + 1);
    tokio::join!(depart(from, send, line), arrive(receive, to));
}

async fn depart(from: OwnedReadHalf, send: mpsc::Sender<(Instant, Vec<u8>)>, line: Line) {
    let mut free = Instant::now();
    loop {
        let mut piece = vec![0; PIECE];
        let (length, waited) = match from.try_read(&mut piece) {
            Ok(length) => (length, false),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if from.readable().await.is_err() {
                    return;
                }
                match from.try_read(&mut piece) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                    read => (read.unwrap_or(0), true),
                }
            }
            Err(_) => return,
        };
        if length == 0 {
            return;
        }
        piece.truncate(length);
        // Only what nobody used is lost. That a timer rang late is not: bytes were waiting.
        if waited {
            free = free.max(Instant::now());
        }
        free += Duration::from_secs_f64(length as f64 / line.rate);
        match send.try_send((free + line.round_trip / 2, piece)) {
            Ok(()) => {}
            Err(TrySendError::Closed(_)) => return,
            Err(TrySendError::Full(piece)) => {
                if send.send(piece).await.is_err() {
                    return;
                }
                free = free.max(Instant::now());
            }
        }
        // Timers are coarse: waiting for less than this would slow the line down.
        if free > Instant::now() + Duration::from_millis(5) {
            sleep_until(free).await;
        }
    }
}

async fn arrive(mut receive: mpsc::Receiver<(Instant, Vec<u8>)>, mut to: OwnedWriteHalf) {
    while let Some((due, piece)) = receive.recv().await {
        sleep_until(due).await;
        if to.write_all(&piece).await.is_err() {
            return;
        }
    }
    // Ended by the sender: the receiver may still answer.
    let _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn bytes_come_late_and_whole() {
        let echo = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let to = echo.local_addr().unwrap().to_string();
        let line = Line { round_trip: Duration::from_millis(40), rate: 10e6 };
        let delay = start(to, line).await.unwrap();
        let server = async {
            let (stream, _) = echo.accept().await.unwrap();
            let (mut read, mut write) = stream.into_split();
            tokio::io::copy(&mut read, &mut write).await.unwrap();
        };
        let begun = Instant::now();
        let client = async {
            let stream = TcpStream::connect(delay.address()).await.unwrap();
            let (mut read, mut write) = stream.into_split();
            let sent: Vec<u8> = (0..1_000_000_u32).map(|number| number as u8).collect();
            let send = async {
                write.write_all(&sent).await.unwrap();
                write.shutdown().await.unwrap();
            };
            let mut found = Vec::new();
            tokio::join!(send, async { read.read_to_end(&mut found).await.unwrap() });
            assert!(found == sent);
        };
        tokio::join!(server, client);
        // A handshake, a round trip, and the bytes at their rate.
        assert!(begun.elapsed() >= Duration::from_millis(80 + 100));
    }
}
