//! Whether asking first is worth a request.
//!
//! "Is the image there already?" costs one request and saves many when the answer is yes. On a
//! destination that is filled for the first time the answer is always no. The chance of a yes is
//! estimated from the answers so far (Laplace's rule of succession), per registry.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Answers so far, by domain.
#[derive(Debug, Default)]
pub(super) struct Odds(Mutex<HashMap<String, Answers>>);

#[derive(Debug, Default, Clone, Copy)]
struct Answers {
    asked: u32,
    yes: u32,
}

impl Odds {
    /// Whether one request is a good price for the chance to save `saved` requests.
    pub(super) fn worth_asking(&self, domain: &str, saved: usize) -> bool {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Answers { asked, yes } = answers.get(domain).copied().unwrap_or_default();
        let chance = f64::from(yes + 1) / f64::from(asked + 2);
        chance * saved as f64 >= 1.0
    }

    /// Takes in an answer.
    pub(super) fn learn(&self, domain: &str, yes: bool) {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = answers.entry(domain.to_owned()).or_default();
        answers.asked = answers.asked.saturating_add(1);
        answers.yes = answers.yes.saturating_add(u32::from(yes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_up_asking_where_nothing_is_and_goes_on_where_something_was() {
        let odds = Odds::default();
        let ask = |domain: &str, answer: bool| {
            let asked = odds.worth_asking(domain, 10);
            if asked {
                odds.learn(domain, answer);
            }
            asked
        };
        assert_eq!((0..100).filter(|_| ask("new", false)).count(), 9);
        assert_eq!((0..100).filter(|_| ask("full", true)).count(), 100);
    }
}
