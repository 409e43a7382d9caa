//! An input that may be silent for ever, as standard input at a terminal or a pipe.

use std::io::{self, ErrorKind, Read};

use bytes::Bytes;
use futures_util::stream;
use tokio::io::AsyncRead;
use tokio::sync::mpsc;
use tokio_util::io::StreamReader;

/// Bytes of a read.
const CHUNK: usize = 1 << 20;
/// Reads that are held until somebody takes them.
const AHEAD: usize = 2;

/// Reads `input` on a thread of its own. A read that does not return cannot be called off: nobody
/// waits for the thread when what is returned is dropped, and what it reads then is lost.
pub fn read_apart(
    mut input: impl Read + Send + 'static,
) -> io::Result<impl AsyncRead + Unpin + Send> {
    let (sender, mut receiver) = mpsc::channel::<io::Result<Bytes>>(AHEAD);
    std::thread::Builder::new().name("input".to_owned()).spawn(move || {
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = match input.read(&mut chunk) {
                Ok(0) => return,
                Ok(read) => Ok(Bytes::copy_from_slice(&chunk[..read])),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let failed = read.is_err();
            if sender.blocking_send(read).is_err() || failed {
                return;
            }
        }
    })?;
    Ok(StreamReader::new(stream::poll_fn(move |context| receiver.poll_recv(context))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn everything_comes_in_order_and_an_error_after_what_came_before_it() {
        let bytes: Vec<u8> = (0..1_200_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut all = Vec::new();
        let mut input = read_apart(io::Cursor::new(bytes.clone())).unwrap();
        input.read_to_end(&mut all).await.unwrap();
        assert!(all == bytes);

        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the cable"))
            }
        }
        let mut all = Vec::new();
        let mut input = read_apart(Read::chain(&b"good"[..], Failing)).unwrap();
        let error = input.read_to_end(&mut all).await.unwrap_err();
        assert_eq!((&*all, error.to_string()), (&b"good"[..], "the cable".to_owned()));
    }
}
