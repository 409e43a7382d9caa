//! Standard error, shared by the progress line, the logs and the messages: nothing overwrites another.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::ProgressBar;
use serde_json::{Value, json};

/// Standard error. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Screen(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    bar: Mutex<Option<ProgressBar>>,
    /// Whether every line is to be a JSON object.
    objects: AtomicBool,
}

impl Screen {
    /// Whether a person watches standard error.
    pub(crate) fn is_terminal() -> bool {
        io::stderr().is_terminal()
    }

    /// Lets a progress line live at the bottom, or takes it away.
    pub(crate) fn set_bar(&self, bar: Option<ProgressBar>) {
        *self.0.bar.lock().unwrap_or_else(PoisonError::into_inner) = bar;
    }

    /// From now on every line is a JSON object, as those of the logs are.
    pub(crate) fn write_objects(&self) {
        self.0.objects.store(true, Ordering::Relaxed);
    }

    /// Writes whole lines above the progress line. Errors are dropped: there is no other place to
    /// tell them.
    pub(crate) fn write(&self, bytes: &[u8]) {
        let bar = self.0.bar.lock().unwrap_or_else(PoisonError::into_inner);
        let write = || {
            let mut err = io::stderr().lock();
            let _ = err.write_all(bytes);
            let _ = err.flush();
        };
        match bar.as_ref() {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Writes a line, or several: a message, which in JSON is one object.
    pub(crate) fn line(&self, text: &str) {
        if self.0.objects.load(Ordering::Relaxed) {
            let level = if text.starts_with("error: ") { "ERROR" } else { "INFO" };
            let timestamp = jiff::Timestamp::now().to_string();
            let line = json!({ "timestamp": timestamp, "level": level, "message": text });
            return self.object(&line);
        }
        self.write(format!("{}\n", plain(text)).as_bytes());
    }

    /// Writes an object as a line of JSON.
    pub(crate) fn object(&self, object: &Value) {
        self.write(format!("{}\n", plain(&object.to_string())).as_bytes());
    }
}

/// Bytes of a line that a person reads; more is a file or an answer that came in whole.
const LONGEST: usize = 16 << 10;

/// A message as a terminal may have it: it can hold what a foreign registry or archive says, or a
/// file that is one line.
fn plain(text: &str) -> Cow<'_, str> {
    let moves = |c: char| is_unsafe(c) && !matches!(c, '\n' | '\t');
    let long = |line: &str| line.len() > LONGEST;
    if !text.contains(moves) && !text.lines().any(long) {
        return text.into();
    }
    let plain = |c: char| if moves(c) { c.escape_default().to_string() } else { c.into() };
    let mut shown = String::new();
    for line in text.split_inclusive('\n') {
        if long(line) {
            let (head, tail) = ends(line, LONGEST / 4);
            shown.extend(head.chars().map(plain));
            // Writing to a string cannot fail.
            let _ = write!(shown, " [… {} bytes …] ", line.len() - head.len() - tail.len());
            shown.extend(tail.chars().map(plain));
        } else {
            shown.extend(line.chars().map(plain));
        }
    }
    shown.into()
}

/// The first `most` bytes of a text and the last, as far as they are whole characters.
fn ends(text: &str, most: usize) -> (&str, &str) {
    let is_between = |at: &usize| text.is_char_boundary(*at);
    let head = (0..=most.min(text.len())).rfind(is_between).unwrap_or_default();
    let tail = (text.len().saturating_sub(most)..=text.len()).find(is_between);
    (&text[..head], &text[tail.unwrap_or(text.len())..])
}

/// Whether a character moves the cursor, or turns the text around it so that it reads otherwise
/// than it is (Unicode's controls of direction).
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Collects one log record and writes it as a whole.
#[derive(Debug)]
pub(crate) struct Record {
    screen: Screen,
    bytes: Vec<u8>,
}

impl Write for Record {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.screen.write(&self.bytes);
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Screen {
    type Writer = Record;

    fn make_writer(&self) -> Record {
        Record { screen: self.clone(), bytes: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn no_message_moves_the_cursor() {
        assert_eq!(plain("one\n\ttwo ü"), "one\n\ttwo ü");
        assert_eq!(plain("a\u{1b}]0;x\u{7}\r\u{9b}b"), "a\\u{1b}]0;x\\u{7}\\r\\u{9b}b");
        assert_eq!(plain("a\u{202e}b"), "a\\u{202e}b");
    }

    #[test]
    fn of_an_endless_line_both_ends_are_shown() {
        let text = format!("one\nerror: {}: two\nthree", "ü".repeat(1 << 20));
        let shown = plain(&text);
        assert!(shown.len() < 10_000, "{}", shown.len());
        assert!(shown.starts_with("one\nerror: üü") && shown.ends_with("ü: two\nthree"), "{shown}");
        assert!(shown.contains("bytes …]"));
    }
}
