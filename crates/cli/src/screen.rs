//! Standard error, shared by the progress line, the logs and the messages: nothing overwrites another.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::ProgressBar;

/// Standard error. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Screen(Arc<Mutex<Option<ProgressBar>>>);

impl Screen {
    /// Whether a person watches standard error.
    pub(crate) fn is_terminal() -> bool {
        io::stderr().is_terminal()
    }

    /// Lets a progress line live at the bottom, or takes it away.
    pub(crate) fn set_bar(&self, bar: Option<ProgressBar>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = bar;
    }

    /// Writes whole lines above the progress line. Errors are dropped: there is no other place to
    /// tell them.
    pub(crate) fn write(&self, bytes: &[u8]) {
        let bar = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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

    /// Writes a line, or several.
    pub(crate) fn line(&self, text: &str) {
        self.write(format!("{}\n", plain(text)).as_bytes());
    }
}

/// A message as a terminal may have it: it can hold what a foreign registry or archive says.
fn plain(text: &str) -> Cow<'_, str> {
    let moves = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(moves) {
        return text.into();
    }
    let plain = |c: char| if moves(c) { c.escape_default().to_string() } else { c.into() };
    text.chars().map(plain).collect::<String>().into()
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
    }
}
