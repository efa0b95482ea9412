//! `stats` lines of proxies.

use super::{Checker, Stmt};
use crate::codes;
use crate::config::Stats;
use crate::section::SectionKind;
use crate::units::Unit;
use lb_core::diag::{Diagnostic, Spanned};

impl<'t> Checker<'t, '_> {
    pub(crate) fn stats_line(&mut self, _kind: SectionKind, stmt: &Stmt<'t, '_>) {
        let name = stmt.keyword.name.trim_start_matches("stats ");
        if matches!(name, "admin" | "http-request") {
            return self.stats_rule(name, stmt);
        }
        let refresh =
            if name == "refresh" { self.time("stats refresh", stmt.args()[0], Unit::Second) } else { None };
        if name == "show-desc" && stmt.args().is_empty() && self.config.global.description.is_none() {
            self.push(
                Diagnostic::warning(
                    codes::USELESS,
                    stmt.head(),
                    "`stats show-desc` has no description to show",
                )
                .compat("'show-desc' requires a parameter or 'desc' to be set in the global section."),
            );
            return;
        }
        let (arg, text, span) = (stmt.arg(0), stmt.text(), stmt.span());
        let valid_node = name != "show-node" || self.valid_node(stmt);
        let Some(proxy) = self.proxy() else { return };
        let stats =
            &mut proxy.settings.stats.get_or_insert_with(|| Spanned::new(Stats::default(), span)).value;
        match name {
            "uri" => stats.uri = Some(arg),
            "realm" => stats.realm = Some(arg),
            "auth" => stats.accounts.push(arg),
            "scope" => stats.scopes.push(arg),
            "refresh" => stats.refresh = refresh,
            "hide-version" => stats.hide_version = true,
            "show-version" => stats.hide_version = false,
            "show-legends" => stats.legends = true,
            "show-node" => stats.node = Some(arg).filter(|_| valid_node),
            "show-desc" => stats.description = Some(text),
            // `enable` alone makes the page exist; `show-modules` has no effect.
            _ => {}
        }
    }

    /// Whether the name that the page shows for this node has only characters that such names may have.
    fn valid_node(&mut self, stmt: &Stmt<'t, '_>) -> bool {
        let Some(word) = stmt.args().first() else { return true };
        let valid = word.text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !valid {
            self.push(
                Diagnostic::error(codes::NAME, word.span, format!("`{}` is not the name of a node", word.text))
                    .compat("'stats show-node' invalid node name - should be a string with digits(0-9), letters(A-Z, a-z), hyphen(-) or underscode(_).")
                    .note("names of nodes are made of letters, digits and the characters `-`, `_`"),
            );
        }
        valid
    }

    fn stats_rule(&mut self, name: &str, stmt: &Stmt<'t, '_>) {
        let Some(clause) = self.clause(stmt) else { return };
        if name == "admin" && clause.cond.is_none() {
            return self.push(
                Diagnostic::error(
                    codes::MISSING_ARGUMENT,
                    stmt.span().after(),
                    "`stats admin` needs a condition",
                )
                .compat("'stats admin' requires either 'if' or 'unless' followed by a condition."),
            );
        }
        if name == "http-request" {
            let action = clause.words.first().copied();
            if !action.is_some_and(|a| matches!(a.text, "allow" | "deny" | "auth")) {
                let span = action.map_or_else(|| stmt.head().after(), |a| a.span);
                return self.push(
                    Diagnostic::error(
                        codes::RULE,
                        span,
                        "`stats http-request` takes `allow`, `deny` or `auth`",
                    )
                    .compat("'stats http-request' expects 'allow', 'deny' or 'auth'."),
                );
            }
        }
        let span = stmt.span();
        let Some(proxy) = self.proxy() else { return };
        proxy.settings.stats.get_or_insert_with(|| Spanned::new(Stats::default(), span));
        if name == "admin" {
            proxy.lists.stats_admin.push(clause);
        } else {
            proxy.lists.stats_rules.push(clause);
        }
    }
}
