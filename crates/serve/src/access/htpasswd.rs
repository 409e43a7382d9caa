//! htpasswd files: `NAME:HASH` a line, bcrypt only (`htpasswd -B`).

use std::collections::BTreeMap;
use std::fmt;

use bcrypt::HashParts;

/// A hash costs twice the time of one with a cost less by one; beyond this it is a mistake, or an
/// attack on whoever serves.
const MOST_COST: u32 = 16;

/// Users with the hashes of their passwords.
pub struct Users(BTreeMap<String, String>);

/// A line that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct HtpasswdError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it, without the hash.
    pub reason: String,
}

impl Users {
    /// Reads the text of an htpasswd file; blank lines and those that begin with `#` are left out.
    pub fn parse(text: &str) -> Result<Self, HtpasswdError> {
        let mut users = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = |reason: String| HtpasswdError { line: index + 1, reason };
            let (name, hash) = user(line).map_err(at)?;
            if users.insert(name.to_owned(), hash.to_owned()).is_some() {
                return Err(at(format!("the user {name:?} stands there for the second time")));
            }
        }
        Ok(Users(users))
    }

    /// Whether there is a user of that name.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Name and hash of a user.
    pub(super) fn find(&self, name: &str) -> Option<(&str, &str)> {
        self.0.get_key_value(name).map(|(name, hash)| (name.as_str(), hash.as_str()))
    }

    /// The highest cost of all hashes.
    pub(super) fn cost(&self) -> u32 {
        let costs = self.0.values().filter_map(|hash| cost(hash));
        costs.max().unwrap_or(bcrypt::DEFAULT_COST)
    }
}

fn user(line: &str) -> Result<(&str, &str), String> {
    let (name, hash) = line.split_once(':').ok_or("it is not NAME:HASH")?;
    if name.is_empty() || name == "*" || name == "anonymous" {
        return Err(format!("a user cannot be called {name:?}: it stands for others in rules"));
    }
    match cost(hash) {
        None => Err(format!(
            "the password of {name:?} is not hashed with bcrypt; make the line with `htpasswd -nB {name}`"
        )),
        Some(cost) if cost > MOST_COST => {
            Err(format!("the hash of {name:?} has cost {cost}, more than {MOST_COST}"))
        }
        Some(_) => Ok((name, hash)),
    }
}

fn cost(hash: &str) -> Option<u32> {
    hash.parse::<HashParts>().ok().map(|parts| parts.get_cost())
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2y$04$c42UrTsB5T9VWVDnVHR9F.VxI3eL5lCIC9z1sMdFaLt0Oh6aIvZK2";

    #[test]
    fn users_are_read() {
        let users = Users::parse(&format!("# who\n\nann:{HASH}\r\n bob:{HASH}\n")).unwrap();
        assert!(users.has("ann") && users.has("bob") && !users.has("# who"));
        assert_eq!(users.cost(), 4);
        assert!(!format!("{users:?}").contains("$2y$"));
    }

    #[test]
    fn what_cannot_be_checked_is_refused_with_its_line() {
        for (text, part) in [
            ("ann", "not NAME:HASH"),
            ("ann:secret", "not hashed with bcrypt"),
            ("ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "htpasswd -nB ann"),
            ("ann:$2y$31$c42UrTsB5T9VWVDnVHR9F.VxI3eL5lCIC9z1sMdFaLt0Oh6aIvZK2", "cost 31"),
            (&format!("*:{HASH}"), "cannot be called"),
            (&format!("x:{HASH}\nx:{HASH}"), "second time"),
        ] {
            let error = Users::parse(&format!("ann2:{HASH}\n{text}")).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            assert!(!error.to_string().contains("secret"), "{error}");
            assert!(error.line >= 2, "{error}");
        }
    }
}
