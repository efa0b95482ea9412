//! What was found out about names, on its way to a process that cannot look for itself.
//!
//! A process that is confined sees neither the accounts of the machine nor, often, its name servers. Who looks first does it
//! through [`Answers`] and hands over what it [knows](Answers::known); the other one falls back on what it was
//! [told](Answers::told).

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

/// Questions and the answers to them, both as text.
pub type Known = BTreeMap<String, String>;

/// Answers that were found here, and those that somebody else found. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    told: Arc<Known>,
    found: Arc<Mutex<Known>>,
}

impl Answers {
    /// Nothing is found here yet, and somebody else knows this.
    pub fn told(known: Known) -> Self {
        Self { told: Arc::new(known), found: Arc::default() }
    }

    /// What was `found` just now, which is remembered, or else what somebody else found.
    pub fn recall<T: FromStr + ToString>(&self, question: &str, found: Option<T>) -> Option<T> {
        let Some(answer) = found else { return self.told.get(question)?.parse().ok() };
        let mut all = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(question.to_owned(), answer.to_string());
        Some(answer)
    }

    /// Everything that was found here so far.
    pub fn known(&self) -> Known {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_process_finds_another_one_knows_unless_it_finds_something_itself() {
        let here = Answers::default();
        assert_eq!(here.recall("user a", Some(7)), Some(7));
        assert_eq!(here.recall::<u32>("user b", None), None);
        // A clone finds for all.
        here.clone().recall("user c", Some(8));
        let there = Answers::told(here.known());
        assert_eq!(["user a", "user b", "user c"].map(|q| there.recall(q, None)), [Some(7), None, Some(8)]);
        assert_eq!(there.recall("user a", Some(9)), Some(9));
        assert_eq!(
            there.known(),
            Known::from([("user a".to_owned(), "9".to_owned())]),
            "what was told is not found"
        );
    }

    #[test]
    fn an_answer_to_another_kind_of_question_is_none() {
        let there = Answers::told(Known::from([("user a".to_owned(), "name".to_owned())]));
        assert_eq!(there.recall::<u32>("user a", None), None);
    }
}
