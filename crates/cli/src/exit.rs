//! Exit codes: the part of the interface that scripts read.

/// What a run came to, as the process says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Everything asked for is done.
    Done = 0,
    /// Nothing useful was done.
    Failed = 1,
    /// The command line, a file that it names or the configuration is wrong; nothing was begun.
    Usage = 2,
    /// Some items failed; the others are delivered.
    Partial = 3,
    /// A medium is damaged or incomplete.
    Damaged = 4,
    /// Interrupted: what was complete stays complete.
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        std::process::ExitCode::from(exit as u8)
    }
}

/// The last paragraph of every long help, as a literal for `concat!`.
macro_rules! exit_codes {
    () => {
        "\n\nExit codes:\n  \
         0    all done\n  \
         1    nothing useful done\n  \
         2    usage or configuration\n  \
         3    some items failed, the others are delivered\n  \
         4    damage or gaps found on a medium\n  \
         130  interrupted: what is complete stays complete"
    };
}
pub(crate) use exit_codes;
