//! Files that a person or a program wrote to be read whole: lists, rules, settings, credentials.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// More than any of them holds, in bytes.
const MOST: u64 = 256 << 20;

/// The whole content of a file that is read at once. One larger than any such file is, or one
/// without an end as `/dev/zero`, is an error and does not fill the memory.
pub fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    read_small_from(File::open(path)?)
}

/// The same of what is open already.
pub fn read_small_from(reader: impl Read) -> io::Result<Vec<u8>> {
    within(reader, MOST)
}

fn within(reader: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    reader.take(most + 1).read_to_end(&mut content)?;
    if content.len() as u64 > most {
        let text = format!("it holds more than {} MiB, which no such file does", most >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn what_has_no_end_is_read_no_further_than_it_may_be() {
        assert_eq!(within(&b"text"[..], 4).unwrap(), b"text");
        assert!(within(&b"text"[..], 3).is_err());
        let error = within(std::io::repeat(0), 1 << 20).unwrap_err();
        assert_eq!(error.to_string(), "it holds more than 1 MiB, which no such file does");
    }
}
