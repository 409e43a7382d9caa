//! Damaged content: whether one more try may help.
//!
//! What is damaged on its way comes differently each time; what comes wrong in the same way twice is
//! wrong where it is kept.

use super::{ErrorKind, StoreError};

/// Tries after the first.
const MOST: u32 = 4;

/// How one piece of content came damaged so far.
#[derive(Debug, Default)]
pub struct Damage {
    times: u32,
    last: Option<String>,
}

impl Damage {
    /// Notes one more damage. Whether another try may bring it whole.
    pub fn may_pass(&mut self, error: &StoreError) -> bool {
        let found = match error.kind() {
            ErrorKind::Digest { found, .. } => Some(found.to_string()),
            ErrorKind::Size { found, .. } => Some(found.to_string()),
            _ => None,
        };
        let other = found.is_some() && found != self.last;
        self.times += 1;
        self.last = found;
        self.times == 1 || (other && self.times <= MOST)
    }
}

impl StoreError {
    /// Whether this says that content is not what it should be.
    pub fn is_damage(&self) -> bool {
        matches!(self.kind(), ErrorKind::Digest { .. } | ErrorKind::Size { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Digest;

    fn found(text: &str) -> StoreError {
        let (expected, found) = (Digest::of(b"good"), Digest::of(text.as_bytes()));
        StoreError::new("here", ErrorKind::Digest { expected, found })
    }

    #[test]
    fn damage_on_the_way_differs_and_is_put_up_with_for_a_while() {
        let mut same = Damage::default();
        assert!(same.may_pass(&found("a")));
        assert!(!same.may_pass(&found("a")));
        let mut other = Damage::default();
        let tries = ["a", "b", "c", "d", "e"].map(|text| other.may_pass(&found(text)));
        assert_eq!(tries, [true, true, true, true, false]);
        let mut unknown = Damage::default();
        let refused = || StoreError::new("here", ErrorKind::Protocol("bad".to_owned()));
        assert!(unknown.may_pass(&refused()));
        assert!(!unknown.may_pass(&refused()));
    }
}
