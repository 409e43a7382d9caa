//! Lines typed at a terminal.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use airlift_tests::image;

use super::Site;

/// The binary on a terminal of its own.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: ChildStdout,
    /// What was shown and not yet expected.
    shown: String,
}

impl Terminal {
    fn start(site: &Site, line: &str) -> Terminal {
        let line = format!("'{}' {line}", env!("CARGO_BIN_EXE_airlift"));
        let ours = site.place.command();
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).current_dir(site.place.path()).env_clear();
        for (name, value) in ours.get_envs() {
            command.envs(value.map(|value| (name, value)));
        }
        command.env("TERM", "xterm").env("SHELL", "/bin/sh");
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script starts");
        let keys = child.stdin.take().expect("piped");
        let screen = child.stdout.take().expect("piped");
        Terminal { child, keys, screen, shown: String::new() }
    }

    /// Reads the screen until a text was shown.
    fn expect(&mut self, text: &str) {
        let mut buffer = [0; 4096];
        while !self.shown.contains(text) {
            let count = self.screen.read(&mut buffer).expect("a screen");
            assert!(count > 0, "no {text:?} before the end of:\n{}", self.shown);
            self.shown += &String::from_utf8_lossy(&buffer[..count]);
        }
        let end = self.shown.find(text).expect("it was shown") + text.len();
        self.shown.drain(..end);
    }

    fn send(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("a keyboard");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_not_written_to_a_terminal() {
    let site = Site::new().await;
    let mut terminal = Terminal::start(&site, "serialize oci:none:1 -");
    terminal.expect("error: an archive is not for a terminal");
    terminal.expect("hint: redirect standard output");
    assert_eq!(terminal.child.wait().expect("a child").code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_image_a_line_until_the_end_of_input() {
    let site = Site::new().await;
    image::simple(1).push(site.low.store("library/hello-world").as_ref(), Some("latest")).await;
    let mut terminal = Terminal::start(&site, "copy -d custom.example.org");
    terminal.expect(">>> ");
    terminal.send("hello-world\r");
    terminal.expect("expected `SOURCE DEST TAG`, found 1 field");
    terminal.expect(">>> ");
    // Typed wrongly, and put right with the cursor keys.
    terminal.send("ello-world library/hello-world latest\u{1b}[Hh\r");
    terminal.expect("-> custom.example.org/library/hello-world:latest: done");
    terminal.expect(">>> ");
    // The line before once more, from the history.
    terminal.send("\u{1b}[A\r");
    terminal.expect("-> custom.example.org/library/hello-world:latest: done");
    terminal.expect(">>> ");
    terminal.send("\u{1b}[200~# pasted\nno/such no/such 1\u{1b}[201~\r");
    terminal.expect("docker.io/no/such:1: ");
    terminal.expect(">>> ");
    terminal.send("\u{4}");
    terminal.expect("copy: 1 done, 1 unchanged, 1 failed");
    assert_eq!(terminal.child.wait().expect("a child").code(), Some(3));
    assert_eq!(site.place.read("mirror-failed.txt"), "no/such no/such 1\n");
    let hello = ("library/hello-world", "latest");
    site.assert_same(hello, hello).await;
}
