//! `stick-table` lines, and `table` lines of peers sections (configuration manual 11.1).

use super::{Checker, Stmt};
use crate::codes;
use crate::config::{Config, StickTable, StoreItem};
use crate::tree::Word;
use crate::units::Unit;
use lb_core::diag::{Diagnostic, Span};
use std::collections::BTreeMap;

/// Elements of `gpc`, `gpc_rate` and `gpt` that a table can store (configuration manual, section 11.1).
pub(crate) const MAX_ARRAY: usize = 100;

const TYPES: &[(&str, &str)] = &[
    ("ip", "ip"),
    ("ipv4", "ip"),
    ("ipv6", "ipv6"),
    ("integer", "integer"),
    ("string", "string"),
    ("binary", "binary"),
];

/// Stored data: name, whether it is an array, whether it has a period.
const STORE: &[(&str, bool, bool)] = &[
    ("server_id", false, false),
    ("gpt", true, false),
    ("gpt0", false, false),
    ("gpc", true, false),
    ("gpc0", false, false),
    ("gpc1", false, false),
    ("gpc_rate", true, true),
    ("gpc0_rate", false, true),
    ("gpc1_rate", false, true),
    ("conn_cnt", false, false),
    ("conn_rate", false, true),
    ("conn_cur", false, false),
    ("sess_cnt", false, false),
    ("sess_rate", false, true),
    ("http_req_cnt", false, false),
    ("http_req_rate", false, true),
    ("http_err_cnt", false, false),
    ("http_err_rate", false, true),
    ("http_fail_cnt", false, false),
    ("http_fail_rate", false, true),
    ("bytes_in_cnt", false, false),
    ("bytes_in_rate", false, true),
    ("bytes_out_cnt", false, false),
    ("bytes_out_rate", false, true),
    ("server_key", false, false),
    ("glitch_cnt", false, false),
    ("glitch_rate", false, true),
];

impl<'t> Checker<'t, '_> {
    pub(crate) fn stick_table_line(&mut self, stmt: &Stmt<'t, '_>) {
        let Some(table) = self.stick_table(stmt.args(), stmt.head()) else { return };
        let Some(proxy) = self.proxy() else { return };
        if let Some(first) = proxy.table.as_ref().map(|t| t.span) {
            return self.push(
                Diagnostic::error(codes::DUPLICATE, stmt.head(), "a proxy has one stick table")
                    .compat("stick-table name conflicts with table declared in the same proxy.")
                    .label(first, "the first one is here"),
            );
        }
        proxy.table = Some(table);
    }

    /// The words of a table.
    pub(crate) fn stick_table(&mut self, words: &[Word<'t>], head: Span) -> Option<StickTable<'t>> {
        let mut table = StickTable {
            kind: "",
            length: None,
            size: 0,
            expire: None,
            nopurge: false,
            peers: None,
            write_to: None,
            srvkey_addr: false,
            recv_only: false,
            bytes_factor: 1,
            store: Vec::new(),
            span: head,
        };
        let mut at = 0;
        while let Some(word) = words.get(at).copied() {
            if word.text == "nopurge" || word.text == "recv-only" {
                table.nopurge |= word.text == "nopurge";
                table.recv_only |= word.text == "recv-only";
                at += 1;
                continue;
            }
            let value = self.follow(words, at, "stick-table")?;
            at += 2;
            match word.text {
                "type" => {
                    table.kind = self.table_type(value)?;
                    if let Some(length) = words.get(at).filter(|w| w.text == "len") {
                        let _ = length;
                        let value = self.follow(words, at, "stick-table")?;
                        table.length = Some(self.integer("len", value, 1, i64::from(i32::MAX))? as u32);
                        at += 2;
                    }
                }
                "size" => table.size = self.size("size", value)?,
                "expire" => table.expire = Some(self.time("expire", value, Unit::Milli)?),
                "peers" => table.peers = Some(value),
                "srvkey" => table.srvkey_addr = self.choice("srvkey", value, &["name", "addr"])? == "addr",
                "store" => self.store(value, &mut table)?,
                "brates-factor" => {
                    table.bytes_factor = self.integer("brates-factor", value, 1, i64::from(i32::MAX))? as u32;
                }
                "write-to" => {
                    self.no_write_to(word);
                    table.write_to = Some(value);
                }
                other => {
                    self.push(
                        Diagnostic::error(
                            codes::WORD,
                            word.span,
                            format!("`{other}` is not an argument of `stick-table`"),
                        )
                        .compat(format!("stick-table: unknown argument '{other}'.")),
                    );
                    return None;
                }
            }
        }
        self.complete_table(table, head)
    }

    fn no_write_to(&mut self, word: Word<'t>) {
        let why = "peers send no updates here that could be written to another table";
        self.push(
            Diagnostic::notice(codes::NO_EFFECT, word.span, format!("`write-to` has no effect here: {why}"))
                .compat(format!("stick-table: 'write-to' has no effect here: {why}.")),
        );
    }

    fn complete_table(&mut self, table: StickTable<'t>, head: Span) -> Option<StickTable<'t>> {
        for (missing, name) in [(table.size == 0, "size"), (table.kind.is_empty(), "type")] {
            if missing {
                self.push(
                    Diagnostic::error(codes::MISSING_ARGUMENT, head, format!("`stick-table` needs `{name}`"))
                        .compat(format!("stick-table: missing {name}.")),
                );
                return None;
            }
        }
        Some(table)
    }

    fn table_type(&mut self, value: Word<'t>) -> Option<&'static str> {
        if let Some((_, kind)) = TYPES.iter().find(|(name, _)| *name == value.text) {
            return Some(kind);
        }
        self.push(
            Diagnostic::error(codes::WORD, value.span, format!("`{}` is not a type of key", value.text))
                .compat(format!("stick-table: unknown type '{}'.", value.text))
                .note("one of: ip, ipv4, ipv6, integer, string, binary"),
        );
        None
    }

    /// `gpc0,conn_rate(10s)`.
    fn store(&mut self, value: Word<'t>, table: &mut StickTable<'t>) -> Option<()> {
        let mut rest = value.text;
        while !rest.is_empty() {
            let end = rest.find([',', '(']).unwrap_or(rest.len());
            let name = &rest[..end];
            let (argument, next) = match rest[end..].strip_prefix('(') {
                Some(inner) => {
                    let close = inner.find(')').unwrap_or(inner.len());
                    (Some(&inner[..close]), inner.get(close + 1..).unwrap_or(""))
                }
                None => (None, &rest[end..]),
            };
            rest = next.strip_prefix(',').unwrap_or(next);
            let item = self.store_item(value, name, argument)?;
            if table.store.iter().any(|s| s.name == item.name) {
                self.push(
                    Diagnostic::error(codes::DUPLICATE, value.span, format!("`{name}` is stored twice"))
                        .compat(format!("stick-table: '{name}' already defined.")),
                );
            }
            table.store.push(item);
        }
        self.arrays_alone(value, table)
    }

    /// An array stands in for its first elements: both together would be two places for one value.
    fn arrays_alone(&mut self, value: Word<'t>, table: &StickTable<'t>) -> Option<()> {
        let has = |names: &[&str]| table.store.iter().any(|item| names.contains(&item.name));
        let clashes = [
            ("gpt", &["gpt0"][..], "gpt0"),
            ("gpc", &["gpc0", "gpc1"], "gpc[0/1]"),
            ("gpc_rate", &["gpc0_rate", "gpc1_rate"], "gpc[0/1]_rate"),
        ];
        let found = clashes.iter().find(|(array, single, _)| has(&[array]) && has(single));
        let Some((array, _, single)) = found else { return Some(()) };
        self.push(
            Diagnostic::error(
                codes::DUPLICATE,
                value.span,
                format!("`{array}` and `{single}` cannot be stored in the same table"),
            )
            .compat(format!(
                "stick-table: simultaneous usage of '{array}' and '{single}' in a same table is not permitted as \
                 '{array}' overrides '{single}'."
            ))
            .note(format!("the first elements of `{array}` answer to the names of the single ones")),
        );
        None
    }

    fn store_item(&mut self, value: Word<'t>, name: &str, argument: Option<&'t str>) -> Option<StoreItem> {
        let Some(&(name, array, rate)) = STORE.iter().find(|(known, ..)| *known == name) else {
            let near = crate::suggest::nearest(name, STORE.iter().map(|s| s.0));
            let mut diagnostic =
                Diagnostic::error(codes::WORD, value.span, format!("`{name}` cannot be stored in a table"))
                    .compat(format!("stick-table: invalid store option '{name}'."));
            if let Some(near) = near {
                diagnostic = diagnostic.suggest(value.span, near, format!("did you mean `{near}`?"));
            }
            self.push(diagnostic);
            return None;
        };
        let mut parts = argument.unwrap_or("").split(',').filter(|p| !p.is_empty());
        let mut item = StoreItem { name, count: None, period: None };
        if array {
            let count =
                parts.next().and_then(|p| p.parse().ok()).filter(|n| (1..=MAX_ARRAY as u32).contains(n));
            if count.is_none() {
                self.error(
                    codes::NUMBER,
                    value.span,
                    format!("`{name}` needs its number of elements, from 1 to {MAX_ARRAY}: `{name}(2)`"),
                );
                return None;
            }
            item.count = count;
        }
        if rate {
            let Some(text) = parts.next() else {
                self.push(
                    Diagnostic::error(
                        codes::MISSING_ARGUMENT,
                        value.span,
                        format!("`{name}` needs a period: `{name}(10s)`"),
                    )
                    .compat(format!("stick-table: missing argument to store option '{name}'.")),
                );
                return None;
            };
            let word = Word { text, span: value.span, plain: false };
            item.period = Some(self.time(name, word, Unit::Milli)?);
        }
        if parts.next().is_some() {
            self.push(
                Diagnostic::error(
                    codes::TOO_MANY_ARGUMENTS,
                    value.span,
                    format!("`{name}` takes no further argument"),
                )
                .compat(format!("stick-table: unexpected argument to store option '{name}'.")),
            );
            return None;
        }
        Some(item)
    }
}

/// The tables that `write-to` names must exist, have keys of the same kind and be written to by nobody's choice but that.
pub(crate) fn write_to_targets(config: &Config<'_>) -> Vec<Diagnostic> {
    let tables: BTreeMap<String, &StickTable<'_>> = config.tables().collect();
    let wrong = |(name, table): (&String, &&StickTable<'_>)| {
        let word = table.write_to?;
        let reason = match tables.get(word.text) {
            None => format!("table '{}' doesn't exist", word.text),
            Some(_) if word.text == name => "a table is not its own target".to_owned(),
            Some(target) if target.write_to.is_some() => {
                format!("table '{}' is already used as a source table", word.text)
            }
            Some(target) if target.kind != table.kind => format!(
                "cannot mix table types ('{}' has '{}' type and '{name}' has '{}' type)",
                word.text, target.kind, table.kind
            ),
            Some(target) if target.length != table.length => {
                format!("cannot mix key sizes: those of '{}' and '{name}' differ", word.text)
            }
            Some(_) => return None,
        };
        let message = format!("`write-to {}`: {reason}", word.text);
        let compat = format!("Proxy '{name}': stick-table: write-to: {reason}.");
        Some(Diagnostic::error(codes::UNKNOWN_NAME, word.span, message).compat(compat))
    };
    tables.iter().filter_map(wrong).collect()
}

#[cfg(test)]
mod tests {
    use crate::load::tests::load_text;

    fn errors(table: &str) -> Vec<String> {
        let text = format!(
            "backend a\n stick-table type string len 20 size 1k {table}\n\
             backend b\n stick-table type string len 20 size 1k\n\
             backend c\n stick-table type ip size 1k write-to p/d\n\
             peers p\n table d type ip size 1k\n table e type string size 1k\n"
        );
        let loaded = load_text(&text);
        let about = |message: &&str| message.contains("write-to");
        let noted =
            loaded.diagnostics.iter().filter(|d| d.message.contains("`write-to` has no effect")).count();
        assert_eq!(noted, 1 + usize::from(table.contains("write-to")), "{table}");
        let messages = loaded.diagnostics.iter().map(|d| d.message.as_str()).filter(about);
        messages.filter(|message| !message.contains("no effect")).map(str::to_owned).collect()
    }

    #[test]
    fn a_table_that_updates_are_written_to_has_the_same_keys() {
        for ok in ["", "write-to b"] {
            assert_eq!(errors(ok), [""; 0], "{ok}");
        }
        for (target, reason) in [
            ("nosuch", "doesn't exist"),
            ("a", "not its own target"),
            ("c", "already used as a source"),
            ("p/d", "cannot mix table types ('p/d' has 'ip' type and 'a' has 'string' type)"),
            ("p/e", "cannot mix key sizes"),
        ] {
            let errors = errors(&format!("write-to {target}"));
            assert!(errors.len() == 1 && errors[0].contains(reason), "{target}: {errors:?}");
        }
    }
}
