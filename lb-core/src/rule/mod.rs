//! Conditions and ordered rules.
//!
//! A [`RuleSet`] holds actions of one kind with optional conditions; the protocol that owns the
//! action type runs it.

pub mod cond;
pub mod counter;
pub mod marks;
pub mod resolve;
pub mod tcp;

use cond::{Answer, Condition};

use std::fmt;
use std::sync::Arc;

use crate::expr::{Env, Sample, StreamFact};

/// Where a rule is written, for `last_rule_file` and `last_rule_line`.
#[derive(Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Place {
    /// Name of the file as it was given.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
}

/// The same for all: a rule that moved within its file is the same rule, and specifications are compared by what they
/// print.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Place")
    }
}

impl Place {
    /// What the fetches tell of it.
    pub fn fact(&self, fact: StreamFact) -> Option<Sample<'_>> {
        match fact {
            StreamFact::LastRuleFile => Some(Sample::Str(self.file.as_bytes())),
            StreamFact::LastRuleLine => Some(Sample::Int(self.line.into())),
            _ => None,
        }
    }
}

/// One action and when it applies.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rule<A> {
    /// When; always if `None`.
    pub condition: Option<Condition>,
    /// What.
    pub action: A,
    /// Where it is written, if anybody is to be told.
    pub place: Option<Arc<Place>>,
}

impl<A> Rule<A> {
    /// A rule.
    pub const fn new(action: A, condition: Option<Condition>) -> Self {
        Self { condition, action, place: None }
    }

    /// The same rule, written at this place.
    #[must_use]
    pub fn at(mut self, place: Option<Arc<Place>>) -> Self {
        self.place = place;
        self
    }

    /// Whether the rule applies.
    pub fn applies(&self, env: &Env<'_>) -> Answer {
        self.condition.as_ref().map_or(Answer::Yes, |condition| condition.eval(env))
    }
}

/// Rules in the order they are evaluated.
#[derive(Clone, Debug)]
pub struct RuleSet<A> {
    rules: Vec<Rule<A>>,
}

impl<A> Default for RuleSet<A> {
    fn default() -> Self {
        Self { rules: Vec::new() }
    }
}

/// The next step of a [`RuleSet`], see [`RuleSet::next`].
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "three outcomes by nature")]
pub enum Next<'r, A> {
    /// This rule applies; continue from the index after it unless its action ends the set.
    Apply(usize, &'r A),
    /// Evaluation cannot go on before more data arrives; resume at this index.
    Wait(usize),
    /// No further rule applies.
    End,
}

impl<A> RuleSet<A> {
    /// No rules.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a rule.
    pub fn push(&mut self, rule: Rule<A>) {
        self.rules.push(rule);
    }

    /// The rules in order.
    pub fn rules(&self) -> &[Rule<A>] {
        &self.rules
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Number of rules.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// The first rule from index `from` on that applies.
    ///
    /// The action is handed back instead of being run here, because actions change what `env`
    /// borrows: the caller drops its environment, acts, builds a new one and asks again.
    pub fn next(&self, from: usize, env: &Env<'_>) -> Next<'_, A> {
        for (index, rule) in self.rules.iter().enumerate().skip(from) {
            match rule.applies(env) {
                Answer::Yes => return Next::Apply(index, &rule.action),
                Answer::NotYet => return Next::Wait(index),
                Answer::No => {}
            }
        }
        Next::End
    }
}

impl<A> FromIterator<Rule<A>> for RuleSet<A> {
    fn from_iter<I: IntoIterator<Item = Rule<A>>>(rules: I) -> Self {
        Self { rules: rules.into_iter().collect() }
    }
}
