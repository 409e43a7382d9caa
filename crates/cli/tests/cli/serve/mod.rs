//! `airlift serve` from outside: what it serves, who may come in, what a kill leaves.

mod door;
mod durable;
mod huge;
mod media;
mod page;
mod route;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use crate::harness::Place;

/// A server that runs, until it is dropped.
pub(super) struct Served {
    child: Child,
    /// `HOST:PORT`.
    pub(super) host: String,
    /// `http` or `https`.
    pub(super) scheme: String,
}

impl Served {
    /// Serves what the words say, on a free port.
    pub(super) fn start(place: &Place, words: &str) -> Self {
        let mut command = place.command();
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(words.split_whitespace());
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("is piped");
        BufReader::new(output).read_line(&mut line).expect("text");
        let mut errors = child.stderr.take().expect("is piped");
        let Some(url) = line.trim().strip_prefix("listening on ") else {
            let mut text = String::new();
            errors.read_to_string(&mut text).expect("text");
            panic!("it does not listen: {line}{text}");
        };
        // What it says later must be read, or it would stand still.
        std::thread::spawn(move || errors.read_to_end(&mut Vec::new()));
        let (scheme, host) = url.split_once("://").expect("a URL");
        Served { child, host: host.to_owned(), scheme: scheme.to_owned() }
    }

    /// Sends it a signal by its name.
    pub(super) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = std::process::Command::new("kill").arg(format!("-{name}")).arg(id).status();
        assert!(status.expect("kill runs").success());
    }

    /// Ends it as a loss of power would.
    pub(super) fn kill(&mut self) {
        // It may have ended; there is nothing to be done about it here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.kill();
    }
}
