//! Names of the archives in a batch directory: `000001-tools.tar`.

use std::fmt;

use airlift_oci::types::Tag;

/// Endings of archives, the longest first of those that end alike.
const ENDINGS: [&str; 3] = [".tar.zst", ".tar.gz", ".tar"];

/// The name of one archive in the directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArchiveName {
    /// Its place in the order of all.
    pub number: u64,
    /// The artifact's name, which is its tag on the far side.
    pub name: String,
    /// `.tar`, `.tar.zst` or `.tar.gz`.
    pub ending: &'static str,
}

/// Why a text is no name for an artifact, or a file none of a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name would be read back as another, or not at all.
    #[error(
        "invalid name {0:?}: expected up to 128 letters, digits and '_', since the name is part of a file's name, where '-' ends the number and '.' begins the ending"
    )]
    Name(String),
    /// The file is no archive of a batch.
    #[error("unexpected file name {0:?}: expected NUMBER-NAME.tar, .tar.zst or .tar.gz")]
    File(String),
}

impl ArchiveName {
    /// Whether `name` can be an artifact's: it must come out of a file's name unchanged, in the
    /// reference program too, and be a tag.
    pub fn check(name: &str) -> Result<(), NameError> {
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if plain && name.parse::<Tag>().is_ok() {
            Ok(())
        } else {
            Err(NameError::Name(name.to_owned()))
        }
    }

    /// Whether a file's name has the ending of an archive.
    pub fn is_archive(file: &str) -> bool {
        ENDINGS.iter().any(|ending| file.ends_with(ending))
    }

    /// Reads a file's name. Hyphens and dots in the artifact's name are taken as they are: other
    /// programs write such files and cannot read them.
    pub fn parse(file: &str) -> Result<Self, NameError> {
        let wrong = || NameError::File(file.to_owned());
        let ending = ENDINGS.into_iter().find(|ending| file.ends_with(ending)).ok_or_else(wrong)?;
        let stem = &file[..file.len() - ending.len()];
        let (number, name) = stem.split_once('-').ok_or_else(wrong)?;
        let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        let number = number.parse().ok().filter(|_| digits).ok_or_else(wrong)?;
        name.parse::<Tag>().map_err(|_| wrong())?;
        Ok(ArchiveName { number, name: name.to_owned(), ending })
    }

    /// The tag of its content on the far side.
    pub fn tag(&self) -> Result<Tag, NameError> {
        self.name.parse().map_err(|_| NameError::File(self.to_string()))
    }
}

impl fmt::Display for ArchiveName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}-{}{}", self.number, self.name, self.ending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn files_of_the_reference_program() {
        for (file, number, name) in [
            ("000001-tools.tar", 1, "tools"),
            ("000012-ops.tar.zst", 12, "ops"),
            ("1000000-a_b.tar.gz", 1_000_000, "a_b"),
            ("000001-my-tools.tar", 1, "my-tools"),
        ] {
            let read = ArchiveName::parse(file).unwrap();
            assert_eq!((read.number, read.name.as_str()), (number, name));
            assert_eq!(read.to_string(), file);
        }
        assert_eq!(ArchiveName::parse("7-x.tar").unwrap().to_string(), "000007-x.tar");
        for file in ["tools.tar", "-x.tar", "1-.tar", "1-x", "1-x.zip", "+1-x.tar", "1-a b.tar"] {
            assert!(ArchiveName::parse(file).is_err(), "{file}");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_accepted_exactly_when_every_reader_gets_it_back(
            name in "[a-zA-Z0-9_]{0,130}|[a-c_.,/ \u{e9}-]{1,3}", number: u64
        ) {
            let good = (1..=128).contains(&name.len())
                && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
            prop_assert_eq!(ArchiveName::check(&name).is_ok(), good);
            for ending in ENDINGS.into_iter().filter(|_| good) {
                let written = ArchiveName { number, name: name.clone(), ending };
                prop_assert_eq!(ArchiveName::parse(&written.to_string()).unwrap(), written);
            }
        }
    }
}
