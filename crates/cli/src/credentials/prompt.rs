//! Questions on the terminal, secrets without echo.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};

use anyhow::Context;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::failure::Usage;

/// Asks for a line.
pub(crate) fn ask(question: &str) -> anyhow::Result<String> {
    let terminal = terminal()?;
    read(&terminal, question)
}

/// Asks for a line that is not shown.
pub(crate) fn ask_secret(question: &str) -> anyhow::Result<String> {
    let terminal = terminal()?;
    let silence = Silence::begin(&terminal).context("turning off the echo failed")?;
    let secret = read(&terminal, question);
    drop(silence);
    // The newline that was typed was not shown either.
    let _ = (&terminal).write_all(b"\n");
    secret
}

fn terminal() -> anyhow::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(|_| {
        Usage::new(
            "there is no terminal to ask for user and password",
            "give --username NAME --password-stdin, and the password on standard input",
        )
        .into()
    })
}

fn read(mut terminal: &File, question: &str) -> anyhow::Result<String> {
    terminal.write_all(question.as_bytes())?;
    let mut line = String::new();
    BufReader::new(terminal).read_line(&mut line)?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// The terminal without echo, as long as this lives.
struct Silence<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Silence<'a> {
    fn begin(terminal: &'a File) -> std::io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(Silence { terminal, before })
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        // Nothing can be done for a terminal that is gone.
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}
