//! Rules that count: what they track, in which table, and the counters they change.

use super::Lowerer;
use super::action::At;
use crate::check::MAX_ARRAY;
use crate::codes;
use crate::tree::Word;
use lb_core::diag::Diagnostic;
use lb_core::expr::{Build, Program};
use lb_core::rule::counter::{Amount, CounterAction, GpcIndex};
use std::sync::Arc;

impl<'t> Lowerer<'_, 't, '_, '_> {
    /// `track-sc0 <key> [table <name>]`: counter, key, table.
    pub(super) fn track(&mut self, at: &At<'_, 't>) -> Option<(usize, Program, Option<Arc<str>>)> {
        let counter: usize = at.head().text.trim_start_matches("track-sc").parse().ok()?;
        self.counter_exists(counter, at)?;
        let (key, used) = self.program_prefix(at.rest(), &at.owner)?;
        let rest = at.rest().get(used..).unwrap_or_default();
        let table = match rest {
            [] => {
                self.own_table(at)?;
                None
            }
            [word] if word.text == "table" => {
                self.action_error(*word, &at.owner, "missing table name");
                return None;
            }
            [word, name] if word.text == "table" => Some(self.table(*name, &at.owner)?),
            [word, ..] => {
                let extra = if word.text == "table" { rest[2] } else { *word };
                self.action_error(extra, &at.owner, &format!("unexpected argument '{}'", extra.text));
                return None;
            }
        };
        Some((counter, key, table))
    }

    /// Counters that a session can hold have numbers below a limit.
    fn counter_exists(&mut self, number: usize, at: &At<'_, 't>) -> Option<()> {
        let limit = self.value("tune.stick-counters").unwrap_or(3) as usize;
        if number < limit {
            return Some(());
        }
        let message = format!("there are {limit} counters, from sc0 on; see tune.stick-counters");
        self.action_error(at.head(), &at.owner, &message);
        None
    }

    /// A rule that names no table counts in that of its proxy, which must be there.
    fn own_table(&mut self, at: &At<'_, 't>) -> Option<()> {
        let proxy = Build::proxy(&self.context).unwrap_or_default().to_owned();
        if self.context.has_table(&proxy) {
            return Some(());
        }
        let action = at.head().text;
        let error = Diagnostic::error(
            codes::UNKNOWN_NAME,
            at.head().span,
            format!("`{action}` counts in the stick table of `{proxy}`, which has none"),
        )
        .compat(format!("Proxy '{proxy}': unable to find table '{proxy}' referenced by {action}."))
        .note("add `stick-table ...` to the section, or `table <name>` to the rule");
        self.out.push(error);
        None
    }

    /// The name of a stick table that exists.
    pub(super) fn table(&mut self, word: Word<'t>, owner: &str) -> Option<Arc<str>> {
        if self.context.has_table(word.text) {
            return Some(Arc::from(word.text));
        }
        self.error(
            codes::UNKNOWN_NAME,
            word.span,
            format!("there is no stick table `{}`", word.text),
            format!("unable to find table '{}' referenced by {owner}.", word.text),
        );
        None
    }

    /// `sc-inc-gpc0(0)` and its kin.
    pub(super) fn counter(&mut self, name: &str, at: &At<'_, 't>) -> Option<CounterAction> {
        let inner = at.inner()?;
        let mut numbers = inner.text.split(',').map(|n| n.trim().parse::<usize>());
        let array = matches!(name, "sc-inc-gpc" | "sc-add-gpc" | "sc-set-gpt");
        let first = if array { numbers.next() } else { None };
        let slot = numbers.next();
        let (Some(Ok(slot)), Some(Ok(_)) | None) = (slot, &first) else {
            self.action_error(inner, &at.owner, "expects the numbers of the counter in parentheses");
            return None;
        };
        self.counter_exists(slot, at)?;
        let index = match first {
            Some(Ok(n)) if n >= MAX_ARRAY => {
                let message = format!("the elements of an array have numbers below {MAX_ARRAY}");
                self.action_error(inner, &at.owner, &message);
                return None;
            }
            Some(Ok(n)) => GpcIndex::Array(n as u8),
            _ if name.ends_with('1') => GpcIndex::One,
            _ => GpcIndex::Zero,
        };
        Some(match name {
            "sc-inc-gpc" | "sc-inc-gpc0" | "sc-inc-gpc1" => CounterAction::Increment { slot, counter: index },
            "sc-add-gpc" => CounterAction::Add { slot, counter: index, amount: self.amount(at)? },
            _ => CounterAction::SetTag { slot, tag: index, value: self.amount(at)? },
        })
    }

    fn amount(&mut self, at: &At<'_, 't>) -> Option<Amount> {
        match at.arg(0).map(|w| w.text.parse()) {
            Some(Ok(number)) => {
                self.nothing_behind(at.arg(1), at)?;
                Some(Amount::Fixed(number))
            }
            Some(Err(_)) => {
                self.program_in(at.rest(), at.phases, &at.owner).map(|p| Amount::Computed(Box::new(p)))
            }
            None => {
                self.action_error(at.head(), &at.owner, "expects a number or an expression");
                None
            }
        }
    }
}
