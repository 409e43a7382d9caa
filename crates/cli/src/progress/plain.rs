//! Plain lines every few seconds, for logs and pipes.

use std::time::{Duration, Instant};

use super::{Buffer, Pieces, Reading, View, Waiting};
use crate::screen::Screen;
use crate::size::human;

/// How long a line stands before the next.
const PERIOD: Duration = Duration::from_secs(5);

/// A line every few seconds while something changes.
pub(super) struct Plain {
    screen: Screen,
    last: Instant,
    shown: Reading,
}

impl Plain {
    pub(super) fn new(screen: &Screen) -> Self {
        Plain { screen: screen.clone(), last: Instant::now(), shown: Reading::default() }
    }
}

impl View for Plain {
    fn show(&mut self, reading: &Reading, ended: bool) {
        // A short run needs no progress, and the end is told by the command.
        if ended || self.last.elapsed() < PERIOD {
            return;
        }
        self.last = Instant::now();
        if *reading != self.shown {
            self.screen.line(&format!(
                "progress: {}{}",
                sentence(reading),
                detail(&reading.pieces)
            ));
            self.shown = reading.clone();
        }
    }
}

/// A reading in words: `3/60 images, 1.2 GB of 3.4 GB, 120 MB/s, 20 s left, waiting for a.io: it
/// answered 503 (try 2), 12 s more`.
pub(super) fn sentence(reading: &Reading) -> String {
    let mut parts = Vec::new();
    if reading.items > 0 {
        parts.push(format!("{}/{} images", reading.finished, reading.items));
    }
    if reading.failed > 0 {
        parts.push(format!("{} failed", reading.failed));
    }
    if reading.bytes > 0 {
        parts.push(format!("{} of {}", human(reading.done), human(reading.bytes)));
    } else if reading.done > 0 {
        parts.push(human(reading.done));
    }
    if reading.rate > 0 {
        parts.push(format!("{}/s", human(reading.rate)));
    }
    if let Some(left) = reading.left {
        parts.push(format!("{} left", duration(left)));
    }
    if let Some(buffer) = reading.buffer {
        parts.push(level(buffer));
    }
    if !reading.waiting.is_empty() {
        let one =
            |wait: &Waiting| format!("{}: {}, {} more", wait.host, wait.why, duration(wait.left));
        let all: Vec<_> = reading.waiting.iter().map(one).collect();
        parts.push(format!("waiting for {}", all.join(", ")));
    }
    if parts.is_empty() { "starting".to_owned() } else { parts.join(", ") }
}

/// The buffer in words: `buffer 43 %, stopped once`.
fn level(buffer: Buffer) -> String {
    let percent = buffer.filled * 100 / buffer.capacity.max(1);
    match buffer.stalls {
        0 => format!("buffer {percent} %"),
        1 => format!("buffer {percent} %, stopped once"),
        stalls => format!("buffer {percent} %, stopped {stalls} times"),
    }
}

/// The pieces in words: `; platforms 12/170; blobs 968: 200 moved, 60 mounted, 40 skipped`.
fn detail(pieces: &Pieces) -> String {
    if *pieces == Pieces::default() {
        return String::new();
    }
    let Pieces { platforms, platforms_done, blobs, moved, mounted, skipped } = pieces;
    let images = match platforms {
        0 => String::new(),
        _ => format!("; platforms {platforms_done}/{platforms}"),
    };
    format!("{images}; blobs {blobs}: {moved} moved, {mounted} mounted, {skipped} skipped")
}

fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, 0) => format!("{m} min"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Buffer, Pieces, Reading, Waiting, detail, sentence};

    fn waiting(host: &str, why: &str, left: u64) -> Waiting {
        let left = Duration::from_secs(left);
        Waiting { host: host.to_owned(), why: why.to_owned(), left }
    }

    #[test]
    fn a_reading_is_told_in_words() {
        assert_eq!(sentence(&Reading::default()), "starting");
        let reading = Reading {
            items: 60,
            finished: 3,
            failed: 1,
            bytes: 3_400_000_000,
            done: 1_200_000_000,
            passed: 1,
            rate: 120_000_000,
            left: Some(Duration::from_secs(3700)),
            buffer: Some(Buffer { filled: 43, capacity: 100, stalls: 2 }),
            waiting: vec![
                waiting("a.io", "connection refused (try 3)", 8),
                waiting("b.io", "it answered 429", 35 * 60),
            ],
            pieces: Pieces {
                platforms: 170,
                platforms_done: 12,
                blobs: 968,
                moved: 200,
                mounted: 60,
                skipped: 40,
            },
        };
        assert_eq!(detail(&Pieces::default()), "");
        assert_eq!(
            detail(&reading.pieces),
            "; platforms 12/170; blobs 968: 200 moved, 60 mounted, 40 skipped"
        );
        assert_eq!(
            sentence(&reading),
            "3/60 images, 1 failed, 1.2 GB of 3.4 GB, 120 MB/s, 1 h 1 min left, buffer 43 %, stopped 2 times, waiting for a.io: connection refused (try 3), 8 s more, b.io: it answered 429, 35 min more"
        );
    }
}
