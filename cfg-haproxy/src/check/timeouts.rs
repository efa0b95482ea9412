//! `timeout` lines.

use super::{Checker, Stmt};
use crate::codes;
use crate::section::SectionKind;
use crate::tree::Word;
use crate::units::Unit;
use lb_core::diag::{Diagnostic, Spanned};
use std::time::Duration;

impl<'t> Checker<'t, '_> {
    pub(crate) fn timeout_line(&mut self, _kind: SectionKind, name: &'static str, stmt: Stmt<'t, '_>) {
        let word = stmt.args()[0];
        let Some(time) = self.time(stmt.keyword.name, word, Unit::Milli) else { return };
        let bare = word.text.bytes().all(|b| b.is_ascii_digit());
        if bare && !time.is_zero() && time < Duration::from_millis(100) {
            self.small_time(stmt.keyword.name, word, "timeout");
        }
        let value = Spanned::new(time, stmt.span());
        if let Some(proxy) = self.proxy() {
            proxy.settings.timeouts.insert(name, value);
        }
    }

    /// `timeout client 5`: five milliseconds are hardly ever meant.
    pub(crate) fn small_time(&mut self, name: &str, word: Word<'t>, _owner: &str) {
        let text = word.text;
        let context =
            self.proxy().map_or_else(String::new, |p| format!(" in {} '{}'", p.kind.keyword(), p.name));
        self.push(
            Diagnostic::warning(codes::SMALL_TIME, word.span, format!("`{name} {text}` is {text} milliseconds, which is hardly meant"))
                .compat(format!(
                    "'{name} {text}'{context} is suspiciously small for a value in milliseconds. Please use an explicit \
                     unit ('{text}ms') if that was the intent."
                ))
                .suggest(word.span, format!("{text}s"), format!("did you mean `{text}s`?")),
        );
    }
}
