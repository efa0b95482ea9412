//! Rules: which action, which arguments, in which order they were written.

use super::{Checker, Stmt};
use crate::codes;
use crate::config::{Acl, Capture, CaptureKind, Rule};
use crate::keyword::{self, HA, HQ, HR, Keyword, Place, QI, Sides, Status, TC, TQ, TR, TS};
use crate::suggest;
use crate::tree::Word;
use crate::units;
use lb_core::diag::{Diagnostic, Span};

/// Which kinds of rules the present proxy has had, in the order they are evaluated.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Order {
    seen: u32,
}

/// Rules in the order of their evaluation; a rule after one further down is still evaluated first.
const STAGES: &[&str] = &[
    "quic-initial",
    "tcp-request connection",
    "tcp-request session",
    "tcp-request content",
    "monitor fail",
    "http-request",
    "redirect",
    "use_backend",
    "use-server",
];

/// The rule set of a keyword.
fn set_of(name: &str) -> Sides {
    match name {
        "quic-initial" => QI,
        "tcp-request connection" => TC,
        "tcp-request session" => TS,
        "tcp-request content" => TQ,
        "tcp-response content" => TR,
        "http-request" => HQ,
        "http-response" => HR,
        _ => HA,
    }
}

impl<'t> Checker<'t, '_> {
    /// Warns when a rule stands after one that is evaluated later.
    pub(crate) fn rule_order(&mut self, name: &str, stmt: &Stmt<'t, '_>) {
        let Some(stage) = STAGES.iter().position(|s| *s == name) else { return };
        let later = (stage + 1..STAGES.len()).find(|i| self.order.seen & (1 << i) != 0);
        self.order.seen |= 1 << stage;
        let Some(later) = later.map(|i| STAGES[i]) else { return };
        let article = if later.starts_with("http") { "an" } else { "a" };
        let shown = if name == "monitor fail" { "monitor fail" } else { name };
        self.push(
            Diagnostic::warning(
                codes::RULE_ORDER,
                stmt.head(),
                format!("this `{shown}` rule is evaluated before the `{later}` rules above"),
            )
            .compat(format!(
                "a '{shown}' rule placed after {article} '{later}' rule will still be processed before."
            )),
        );
    }

    pub(crate) fn acl_line(&mut self, stmt: &Stmt<'t, '_>) {
        let args = stmt.args();
        let name = args[0];
        let bad = name.text.char_indices().find(|(_, c)| !(c.is_ascii_alphanumeric() || "-_.:".contains(*c)));
        if let Some((at, c)) = bad {
            return self.push(
                Diagnostic::error(
                    codes::NAME,
                    name.part(at..at + c.len_utf8()),
                    format!("`{c}` is not allowed in the name of an ACL"),
                )
                .compat(format!("character '{c}' is not permitted in acl name '{}'.", name.text)),
            );
        }
        if name.text == "or" {
            return self
                .push(Diagnostic::error(codes::NAME, name.span, "an ACL cannot be called `or`").compat(
                "acl name 'or' will never match. 'or' is used to express a disjunction within a condition.",
            ));
        }
        if args.len() < 2 {
            return self.push(
                Diagnostic::error(codes::MISSING_ARGUMENT, name.span.after(), "an ACL needs a criterion")
                    .compat(format!(
                        "error detected while parsing ACL '{}' : missing fetch method.",
                        name.text
                    )),
            );
        }
        let acl = Acl { name, words: args[1..].to_vec() };
        if let Some(proxy) = self.proxy() {
            proxy.lists.acls.push(acl);
        }
    }

    pub(crate) fn rule_line(&mut self, stmt: &Stmt<'t, '_>) {
        let set = set_of(stmt.keyword.name);
        let Some(action) = stmt.args().first().copied() else {
            return self.missing_action(stmt, set);
        };
        let Some(keyword) = find_action(action.text, set) else {
            return self.unknown_action(stmt, action, set);
        };
        self.rule_order(stmt.keyword.name, stmt);
        let Some((words, cond)) = self.split_condition(stmt.args(), stmt.keyword.name) else { return };
        if let Status::Refused(why) = keyword.status {
            return self.refused(action.span, keyword, why);
        }
        self.no_effect(action.span, keyword);
        if !self.action_args(stmt, keyword, &words) || !self.action_side(stmt, keyword, &words) {
            return;
        }
        if keyword.name == "redirect" {
            self.redirect_words(&words[1..], stmt.head(), stmt.keyword.name);
        }
        let slot = self.capture_slot(set, keyword.name, &words);
        let rule = Rule { set, action: keyword, words, cond, slot };
        self.unreachable(stmt, &rule);
        if let Some(proxy) = self.proxy() {
            proxy.lists.rules.push(rule);
        }
    }

    /// `capture <expression> len <n>` declares a slot of its own.
    fn capture_slot(&mut self, set: Sides, action: &str, words: &[Word<'t>]) -> Option<usize> {
        let [.., kind, length] = words else { return None };
        if action != "capture" || kind.text != "len" {
            return None;
        }
        let length = units::counted(length.text).filter(|length| *length > 0)?;
        let side = if set & (HR | HA | TR) != 0 { CaptureKind::Response } else { CaptureKind::Request };
        let proxy = self.proxy()?;
        let index = proxy.lists.captures.iter().filter(|c| c.kind == side).count();
        proxy.lists.captures.push(Capture { kind: side, name: None, length });
        Some(index)
    }

    fn action_args(&mut self, stmt: &Stmt<'t, '_>, action: &'static Keyword, words: &[Word<'t>]) -> bool {
        let name = format!("{} {}", stmt.keyword.name, action.name);
        let args = &words[1..];
        // `set-var(name) expr`: parentheses belong to the first word and are checked when the rule is made.
        let called = matches!(action.args.first(), Some(keyword::Arg::Free(text)) if text.starts_with('('));
        if !called && has_expression(action.name) {
            return self.expression_args(stmt, action, words);
        }
        if !called {
            return self.check_words(&name, action.args, args, words[0].span);
        }
        if !words[0].text.contains('(') {
            self.push(
                Diagnostic::error(
                    codes::RULE,
                    words[0].span,
                    format!("`{}` needs an argument in parentheses", action.name),
                )
                .compat(format!(
                    "error detected while parsing an '{}' rule : '{}' expects an argument in parentheses.",
                    stmt.keyword.name, action.name
                ))
                .note(action.reference()),
            );
            return false;
        }
        true
    }

    /// Whether the proxy has the side that an action changes something of.
    fn action_side(&mut self, stmt: &Stmt<'t, '_>, action: &'static Keyword, words: &[Word<'t>]) -> bool {
        let missing = self.proxy().and_then(|proxy| proxy.missing_side());
        let needed = match (action.name, words.get(1).map(|w| w.text)) {
            ("set-timeout", Some("client")) => "frontend",
            ("set-timeout", Some("connect" | "server" | "queue" | "tunnel")) | ("set-retries", _) => {
                "backend"
            }
            _ => return true,
        };
        if missing != Some(needed) {
            return true;
        }
        let (kind, id) = self.proxy().map_or(("proxy", ""), |p| (p.type_word(), p.name));
        let (rule, name) = (stmt.keyword.name, action.name);
        self.push(
            Diagnostic::error(
                codes::NOT_HERE,
                words[0].span,
                format!("`{name}` needs a section with a {needed} side"),
            )
            .compat(format!(
                "error detected in {kind} '{id}' while parsing '{rule} {name}' rule : '{id}' has no {needed} capability."
            ))
            .note(action.reference()),
        );
        false
    }

    /// Actions whose first argument is an expression, which may go on in further words.
    fn expression_args(&mut self, stmt: &Stmt<'t, '_>, action: &'static Keyword, words: &[Word<'t>]) -> bool {
        if words.len() < 2 {
            self.push(
                Diagnostic::error(
                    codes::RULE,
                    words[0].span.after(),
                    format!("`{}` needs an expression", action.name),
                )
                .compat(format!(
                    "error detected while parsing an '{} {}' rule : missing fetch method.",
                    stmt.keyword.name, action.name
                ))
                .note(action.reference()),
            );
            return false;
        }
        true
    }

    fn missing_action(&mut self, stmt: &Stmt<'t, '_>, set: Sides) {
        let listed = actions(set).join("', '");
        self.push(
            Diagnostic::error(
                codes::RULE,
                stmt.head().after(),
                format!("`{}` needs an action", stmt.keyword.name),
            )
            .compat(format!("'{}' expects '{listed}'.", stmt.keyword.name)),
        );
    }

    fn unknown_action(&mut self, stmt: &Stmt<'t, '_>, action: Word<'t>, set: Sides) {
        let name = action.text.split('(').next().unwrap_or("");
        let known = actions(set);
        let near = suggest::nearest(name, known.iter().copied());
        let owner = stmt.keyword.name;
        let mut diagnostic =
            Diagnostic::error(codes::RULE, action.span, format!("`{name}` is not an action of `{owner}`"))
                .note("see: configuration manual 4.3, \"Actions keywords matrix\"");
        let mut compat = format!("'{owner}' expects '{}', but got '{name}'", known.join("', '"));
        if let Some(near) = near {
            compat.push_str(&format!("; did you mean '{near}' maybe ?"));
            diagnostic = diagnostic.suggest(action.span, near, format!("did you mean `{near}`?"));
        } else if keyword::find(Place::Rule, &[name]).is_some() {
            diagnostic = diagnostic.note("the action exists in other rule sets");
        }
        self.push(diagnostic.compat(compat));
    }

    fn unreachable(&mut self, stmt: &Stmt<'t, '_>, rule: &Rule<'t>) {
        let http = rule.set & (HQ | HR | HA) != 0;
        let Some(proxy) = self.proxy() else { return };
        let Some(last) = proxy.lists.rules.iter().rev().find(|r| r.set == rule.set) else { return };
        let skips = last.words.iter().any(|w| w.text == "ignore-empty");
        let last_final = is_final(last.action.name) && last.cond.is_none() && !skips;
        if http && last_final {
            let span = last.words[0].span;
            let name = stmt.keyword.name;
            self.push(
                Diagnostic::warning(codes::UNREACHABLE, stmt.head(), "this rule is never reached")
                    .compat(format!(
                        "previous '{name}' action is final and has no condition attached, further entries are NOOP."
                    ))
                    .label(span, "this one always ends the evaluation"),
            );
        }
    }

    /// `redirect` and its options.
    pub(crate) fn redirect_words(&mut self, words: &[Word<'t>], head: Span, owner: &str) {
        let fail =
            |checker: &mut Self, span: Span, message: String, compat: String| {
                checker.push(Diagnostic::error(codes::RULE, span, message).compat(format!(
                    "error detected in proxy while parsing '{owner}' redirect rule : {compat}"
                )));
            };
        let (mut target, mut at) = (false, 0);
        while let Some(word) = words.get(at).copied() {
            match word.text {
                "location" | "prefix" | "scheme" | "set-cookie" | "clear-cookie" | "set-cookie-fmt" => {
                    target |= !word.text.contains("cookie");
                    at += 1;
                    if words.get(at).is_none() {
                        let compat = format!("missing argument for '{}'.", word.text);
                        return fail(
                            self,
                            word.span.after(),
                            format!("`{}` needs a value", word.text),
                            compat,
                        );
                    }
                }
                "code" => {
                    at += 1;
                    let code = words.get(at).copied();
                    if !code.is_some_and(|c| matches!(c.text, "301" | "302" | "303" | "307" | "308")) {
                        let span = code.map_or_else(|| word.span.after(), |c| c.span);
                        let compat =
                            "'code': unsupported HTTP code (must be one of 301, 302, 303, 307 or 308)."
                                .to_owned();
                        return fail(
                            self,
                            span,
                            "a redirect has code 301, 302, 303, 307 or 308".to_owned(),
                            compat,
                        );
                    }
                }
                "drop-query" | "append-slash" | "ignore-empty" | "keep-query" => {}
                other => {
                    let compat = format!(
                        "expects 'code', 'prefix', 'location', 'scheme', 'set-cookie', 'clear-cookie', 'drop-query', \
                         'ignore-empty' or 'append-slash' (was '{other}')."
                    );
                    let hint = match other.contains('/') {
                        true => format!("; a whole target is written `location {other}`"),
                        false => String::new(),
                    };
                    let message = format!("`{other}` is not an argument of `redirect`{hint}");
                    return fail(self, word.span, message, compat);
                }
            }
            at += 1;
        }
        if !target {
            let compat = "a redirect type must be specified ('prefix', 'location', 'scheme').".to_owned();
            fail(self, head, "`redirect` needs `location`, `prefix` or `scheme`".to_owned(), compat);
        }
    }
}

/// The action called `word`, which may carry arguments in parentheses.
fn find_action(word: &str, set: Sides) -> Option<&'static Keyword> {
    let name = word.split('(').next().unwrap_or("");
    let counter =
        name.strip_prefix("track-sc").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    let keyword = match keyword::find(Place::Rule, &[name]) {
        None if counter => keyword::find(Place::Rule, &["track-sc"])?,
        // The bare entry stands for counters of any number and is no action itself.
        Some(k) if k.name == "track-sc" => return None,
        other => other?,
    };
    (keyword.sides & set != 0).then_some(keyword)
}

fn actions(set: Sides) -> Vec<&'static str> {
    let mut names: Vec<&str> = keyword::all()
        .filter(|k| k.place == Place::Rule && k.sides & set != 0 && !matches!(k.status, Status::Refused(_)))
        .map(|k| k.name)
        .collect();
    names.sort_unstable();
    names
}

/// Whether the first argument of `action` is an expression.
fn has_expression(action: &str) -> bool {
    matches!(
        action,
        "capture"
            | "set-src"
            | "set-src-port"
            | "set-dst"
            | "set-dst-port"
            | "set-priority-class"
            | "set-priority-offset"
            | "set-retries"
            | "pause"
            | "add-headers-bin"
            | "set-headers-bin"
            | "del-headers-bin"
            | "set-mark"
            | "set-tos"
            | "set-fc-mark"
            | "set-fc-tos"
            | "set-bc-mark"
            | "set-bc-tos"
    ) || action.starts_with("track-sc")
}

/// Whether an action always ends the evaluation of its rule set.
fn is_final(action: &str) -> bool {
    matches!(
        action,
        "allow"
            | "deny"
            | "return"
            | "redirect"
            | "reject"
            | "tarpit"
            | "auth"
            | "silent-drop"
            | "use-service"
            | "accept"
    )
}
