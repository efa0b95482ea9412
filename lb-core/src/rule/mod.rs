//! Conditions and ordered rules.
//!
//! A [`RuleSet`] holds actions of one kind with optional conditions; the protocol that owns the
//! action type runs it.

pub mod cond;
pub mod counter;
pub mod tcp;

use cond::{Answer, Condition};

use crate::expr::Env;

/// One action and when it applies.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rule<A> {
    /// When; always if `None`.
    pub condition: Option<Condition>,
    /// What.
    pub action: A,
}

impl<A> Rule<A> {
    /// A rule.
    pub const fn new(action: A, condition: Option<Condition>) -> Self {
        Self { condition, action }
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
