//! How rule files are read: the one way this crate reaches outside itself.

use std::io;

/// Where rule files come from.
pub trait Files {
    /// The whole text of the file that the user named `path`.
    fn read(&self, path: &str) -> io::Result<String>;
}

/// A function is a source of files.
impl<F: Fn(&str) -> io::Result<String>> Files for F {
    fn read(&self, path: &str) -> io::Result<String> {
        self(path)
    }
}
