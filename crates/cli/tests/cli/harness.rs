//! A run of the binary in a directory of its own, with nothing of the user's configuration.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A directory in which the binary runs.
pub(crate) struct Place {
    directory: tempfile::TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Place { directory: tempfile::tempdir().expect("a directory") }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file into the directory.
    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("has one")).expect("makes it");
        std::fs::write(&path, text).expect("writes it");
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).expect(name)
    }

    /// The binary, ready to run here.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_airlift"));
        command
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path().join("home"))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::null());
        command
    }

    /// A command made by [`Place::command`], as another program starts it: with these arguments of
    /// its own, and then the binary and the arguments of that.
    pub(crate) fn started_by(&self, program: &str, own: &[&str], binary: &Command) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(binary.get_envs().filter_map(|(name, to)| Some((name, to?))));
        command.args(own).arg(binary.get_program()).args(binary.get_args());
        command.current_dir(self.path()).stdin(Stdio::null());
        command
    }

    /// Runs a line of words.
    pub(crate) fn airlift(&self, line: &str) -> Ended {
        self.run(self.command().args(line.split_whitespace()))
    }

    /// Runs a command made by [`Place::command`].
    #[expect(clippy::unused_self, reason = "the command runs in this place")]
    pub(crate) fn run(&self, command: &mut Command) -> Ended {
        let Output { status, stdout, stderr } = command.output().expect("the binary starts");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Ended { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
    }
}

impl Ended {
    /// Asserts the exit code, showing everything when it is another.
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Asserts that the messages hold a text.
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.err.contains(text), "no {text:?} in:\n{}", self.err);
        self
    }
}
