//! Arguments against the grammar of the keyword table.

use super::{Checker, Stmt};
use crate::codes;
use crate::keyword::Arg;
use crate::suggest;
use crate::tree::Word;
use crate::units::{self, Unit, UnitError};
use lb_core::diag::{Diagnostic, Severity, Span};
use std::time::Duration;

/// Numbers that HAProxy takes without checking them, whatever follows the digits.
const UNCHECKED: &[&str] = &[
    "maxconn",
    "backlog",
    "fullconn",
    "retries",
    "redispatch",
    "ulimit-n",
    "tune.maxaccept",
    "uid",
    "gid",
    "capture cookie",
    "capture request header",
    "capture response header",
    "minconn",
    "maxqueue",
    "port",
    "max-session-srv-conns",
];

/// Keywords whose number HAProxy reads as far as the digits go, and whose bounds it knows.
const LEADING: &[&str] = &[
    "agent-port",
    "error-limit",
    "fall",
    "hash-balance-factor",
    "id",
    "log-bufsize",
    "max-reuse",
    "mss",
    "nice",
    "pool-low-conn",
    "pool-max-conn",
    "rise",
    "shard",
    "weight",
];

/// Keywords after whose arguments HAProxy never looks at the line again.
const IGNORES_MORE: &[&str] = &[
    "log-tag",
    "http-send-name-header",
    "unique-id-header",
    "rate-limit sessions",
    "tcp-request inspect-delay",
    "tcp-response inspect-delay",
    "compression offload",
    "hash-balance-factor",
    "dynamic-cookie-key",
    "max-session-srv-conns",
    "load-server-state-from-file",
    "httpchk",
    "capture cookie",
    "declare capture",
    "compression algo-req",
    "compression direction",
    "compression minsize-req",
    "compression minsize-res",
    "guid",
    "log-steps",
    "persist rdp-cookie",
    "tcp-check comment",
];

impl<'t> Checker<'t, '_> {
    /// Checks the arguments of `stmt`; true if they are right.
    pub(crate) fn check_args(&mut self, stmt: &Stmt<'t, '_>) -> bool {
        self.check_words(stmt.keyword.name, stmt.keyword.args, stmt.args(), stmt.head())
    }

    /// Checks `words` against `args`, for the keyword `name` at `head`.
    pub(crate) fn check_words(&mut self, name: &str, args: &[Arg], words: &[Word<'t>], head: Span) -> bool {
        let before = self.diagnostics.len();
        let mut at = 0;
        let open = self.consume(name, args, words, &mut at, head);
        if !open && at < words.len() && !self.errors_since(before) {
            let extra = words[at];
            if IGNORES_MORE.contains(&name) || name.starts_with("stats ") || name.starts_with("email-alert ")
            {
                self.push(
                    Diagnostic::warning(
                        codes::TOO_MANY_ARGUMENTS,
                        extra.span,
                        format!("`{name}` ignores what follows its argument"),
                    )
                    .compat(format!("'{name}' ignores the argument '{}' and what follows it.", extra.text))
                    .note("a value with blanks needs quotes"),
                );
                return true;
            }
            self.push(
                Diagnostic::error(
                    codes::TOO_MANY_ARGUMENTS,
                    extra.span,
                    format!("`{name}` takes no further argument"),
                )
                .compat(format!("'{name}' cannot handle unexpected argument '{}'.", extra.text))
                .note(format!("syntax: {name}{}", pretty(args))),
            );
        }
        !self.errors_since(before)
    }

    fn errors_since(&self, before: usize) -> bool {
        self.diagnostics.iter().skip(before).any(|d| d.severity == Severity::Error)
    }

    /// Walks over `args`; true if the rest of the words is free.
    fn consume(&mut self, name: &str, args: &[Arg], words: &[Word<'t>], at: &mut usize, head: Span) -> bool {
        for arg in args {
            match arg {
                Arg::Rest(_) | Arg::Free(_) => return true,
                Arg::Opt(inner) => {
                    if *at < words.len() && self.consume(name, inner, words, at, head) {
                        return true;
                    }
                }
                _ => {
                    let Some(word) = words.get(*at) else {
                        self.missing(name, args, arg, words.last().map_or(head, |w| w.span));
                        return true;
                    };
                    self.value(name, *arg, *word);
                    *at += 1;
                }
            }
        }
        false
    }

    fn missing(&mut self, name: &str, args: &[Arg], arg: &Arg, last: Span) {
        let what = match arg {
            Arg::Int(..) => "an integer argument".to_owned(),
            Arg::Time | Arg::Seconds => "a time value as argument".to_owned(),
            Arg::Size => "a size as argument".to_owned(),
            Arg::OneOf(words) => format!("'{}'", words.join("', '")),
            Arg::Any(what) => format!("<{what}> as argument"),
            _ => "an argument".to_owned(),
        };
        self.push(
            Diagnostic::error(
                codes::MISSING_ARGUMENT,
                last.after(),
                format!("`{name}` needs {}", what.replace('\'', "`")),
            )
            .compat(format!("'{name}' expects {what}."))
            .note(format!("syntax: {name}{}", pretty(args))),
        );
    }

    fn value(&mut self, name: &str, arg: Arg, word: Word<'t>) {
        match arg {
            Arg::Int(low, high) => {
                self.integer(name, word, low, high);
            }
            Arg::Time => {
                self.time(name, word, Unit::Milli);
            }
            Arg::Seconds => {
                self.time(name, word, Unit::Second);
            }
            Arg::Size => {
                self.size(name, word);
            }
            Arg::OneOf(choices) => {
                self.choice(name, word, choices);
            }
            _ => {}
        }
    }

    /// One of `choices`.
    pub(crate) fn choice(
        &mut self,
        name: &str,
        word: Word<'t>,
        choices: &'static [&'static str],
    ) -> Option<&'static str> {
        if let Some(found) = choices.iter().find(|c| **c == word.text) {
            return Some(found);
        }
        let listed = choices.join("', '");
        let mut diagnostic =
            Diagnostic::error(codes::WORD, word.span, format!("`{}` is not a value of `{name}`", word.text))
                .compat(format!("'{name}' only supports '{listed}' (got '{}').", word.text))
                .note(format!("one of: {}", choices.join(", ")));
        if let Some(near) = suggest::nearest(word.text, choices.iter().copied()) {
            diagnostic = diagnostic.suggest(word.span, near, format!("did you mean `{near}`?"));
        }
        self.push(diagnostic);
        None
    }

    /// An integer between `low` and `high`.
    pub(crate) fn integer(&mut self, name: &str, word: Word<'t>, low: i64, high: i64) -> Option<i64> {
        let text = word.text;
        match units::integer(text) {
            Some(n) if (low..=high).contains(&n) => Some(n),
            Some(n) if UNCHECKED.contains(&name) => {
                self.push(
                    Diagnostic::warning(
                        codes::NUMBER,
                        word.span,
                        format!("`{name}` takes a number between {low} and {high}, not {n}"),
                    )
                    .compat(format!("'{name}' : value '{text}' is out of range.")),
                );
                Some(n.clamp(low, high))
            }
            Some(n) => {
                self.push(
                    Diagnostic::error(
                        codes::NUMBER,
                        word.span,
                        format!("`{name}` takes a number between {low} and {high}, not {n}"),
                    )
                    .compat(format!("'{name}' : invalid value '{text}', must be between {low} and {high}.")),
                );
                None
            }
            // HAProxy reads what the whole process is told without looking behind the digits; a unit is meant as one.
            None if whole_process(name) && units::size(text).is_ok() => {
                units::size(text).ok().and_then(|size| i64::try_from(size).ok())
            }
            None if UNCHECKED.contains(&name)
                || LEADING.contains(&name) && (low..=high).contains(&units::leading(text)) =>
            {
                let value = units::leading(text);
                self.push(
                    Diagnostic::warning(
                        codes::NUMBER,
                        word.span,
                        format!("`{text}` is not a number and counts as {value}"),
                    )
                    .compat(format!(
                        "'{name}' expects an integer argument (got '{text}', taken as {value})."
                    )),
                );
                Some(value)
            }
            None => {
                self.push(
                    Diagnostic::error(codes::NUMBER, word.span, format!("`{text}` is not a number"))
                        .compat(format!("'{name}' expects an integer argument (got '{text}').")),
                );
                None
            }
        }
    }

    /// A time.
    pub(crate) fn time(&mut self, name: &str, word: Word<'t>, unit: Unit) -> Option<Duration> {
        let text = word.text;
        let error = match units::time(text, unit) {
            Ok(time) => {
                if let Some(c) = units::after_unit(text) {
                    self.push(
                        Diagnostic::warning(
                            codes::TIME,
                            word.span,
                            format!("`{c}` behind the unit of `{text}` is not looked at"),
                        )
                        .compat(format!(
                            "unexpected character '{c}' after the timer value '{text}', only (us=microseconds,\
                             ms=milliseconds,s=seconds,m=minutes,h=hours,d=days) are supported."
                        ))
                        .note("the units are us, ms, s, m, h, d; HAProxy will refuse anything else one day"),
                    );
                }
                return Some(time);
            }
            Err(error) => error,
        };
        let (message, compat) = match error {
            UnitError::Unexpected(c) => (
                format!("`{text}` is not a time: unexpected character `{c}`"),
                format!("unexpected character '{c}' in argument to '{name}'."),
            ),
            UnitError::Empty => (format!("`{name}` needs a time"), format!("'{name}' expects a time value.")),
            UnitError::Overflow => (
                format!("`{text}` is too long a time"),
                format!(
                    "timer overflow in argument '{text}' to '{name}' (maximum value is 2147483647 ms or ~24.8 days)."
                ),
            ),
            UnitError::Underflow => (
                format!("`{text}` is too short a time"),
                format!("timer underflow in argument '{text}' to '{name}' (minimum value is 1 ms)."),
            ),
        };
        self.push(Diagnostic::error(codes::TIME, word.span, message).compat(compat).note(
            "a time is an integer with one of the units us, ms, s, m, h, d; fractions are not possible",
        ));
        None
    }

    /// A size.
    pub(crate) fn size(&mut self, name: &str, word: Word<'t>) -> Option<u64> {
        match units::size(word.text) {
            Ok(size) => Some(size),
            Err(_) => {
                let text = word.text;
                self.push(
                    Diagnostic::error(codes::SIZE, word.span, format!("`{text}` is not a size"))
                        .compat(format!("'{name}' : unexpected character in size '{text}'."))
                        .note("a size is an integer with one of the units k, m, g"),
                );
                None
            }
        }
    }

    /// The word after `words[at]`, which names an option that needs a value.
    pub(crate) fn follow(&mut self, words: &[Word<'t>], at: usize, owner: &str) -> Option<Word<'t>> {
        match words.get(at + 1) {
            Some(word) => Some(*word),
            None => {
                let option = words[at];
                self.push(
                    Diagnostic::error(
                        codes::MISSING_ARGUMENT,
                        option.span.after(),
                        format!("`{}` needs a value", option.text),
                    )
                    .compat(format!("'{owner}' : '{}' expects a value.", option.text)),
                );
                None
            }
        }
    }
}

/// Keywords of the global section that count something.
fn whole_process(name: &str) -> bool {
    name.starts_with("tune.") || matches!(name, "fd-hard-limit" | "maxcomprate" | "maxpipes" | "maxzlibmem")
}

/// ` <syntax>`, or nothing.
fn pretty(args: &[Arg]) -> String {
    let mut out = String::from(" ");
    crate::keyword::doc::syntax(&mut out, args);
    if out.len() == 1 {
        out.clear();
    }
    out
}
