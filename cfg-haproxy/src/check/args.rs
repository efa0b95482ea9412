//! Arguments against the grammar of the keyword table.

use super::{Checker, Stmt};
use crate::codes;
use crate::keyword::Arg;
use crate::suggest;
use crate::tree::Word;
use crate::units::{self, Unit, UnitError};
use lb_core::diag::{Diagnostic, Severity, Span};
use std::time::Duration;

/// Arguments that are not as they should be; what is wrong has been said.
struct Wrong;

impl<'t> Checker<'t, '_> {
    /// Checks the arguments of `stmt`; true if they are right.
    pub(crate) fn check_args(&mut self, stmt: &Stmt<'t, '_>) -> bool {
        let (name, args) = (stmt.keyword.name, stmt.keyword.args);
        match self.walk(name, args, stmt.args(), stmt.head()) {
            Ok(Some(extra)) if stmt.keyword.ignores_more => {
                self.push(
                    Diagnostic::warning(
                        codes::TOO_MANY_ARGUMENTS,
                        extra.span,
                        format!("`{name}` ignores what follows its argument"),
                    )
                    .compat(format!("'{name}' ignores the argument '{}' and what follows it.", extra.text))
                    .note("a value with blanks needs quotes"),
                );
                true
            }
            Ok(extra) => self.ends(name, args, extra),
            Err(Wrong) => false,
        }
    }

    /// Checks `words` against `args`, for the keyword `name` at `head`.
    pub(crate) fn check_words(&mut self, name: &str, args: &[Arg], words: &[Word<'t>], head: Span) -> bool {
        self.walk(name, args, words, head).is_ok_and(|extra| self.ends(name, args, extra))
    }

    /// Checks `words` against `args`; the first word behind them, if there is one.
    fn walk(
        &mut self,
        name: &str,
        args: &[Arg],
        words: &[Word<'t>],
        head: Span,
    ) -> Result<Option<Word<'t>>, Wrong> {
        let before = self.diagnostics.len();
        let mut at = 0;
        let open = self.consume(name, args, words, &mut at, head);
        if self.errors_since(before) {
            return Err(Wrong);
        }
        Ok(words.get(at).copied().filter(|_| !open))
    }

    /// Nothing follows the arguments; true if that is so.
    fn ends(&mut self, name: &str, args: &[Arg], extra: Option<Word<'t>>) -> bool {
        let Some(extra) = extra else { return true };
        self.push(
            Diagnostic::error(
                codes::TOO_MANY_ARGUMENTS,
                extra.span,
                format!("`{name}` takes no further argument"),
            )
            .compat(format!("'{name}' cannot handle unexpected argument '{}'.", extra.text))
            .note(format!("syntax: {name}{}", pretty(args))),
        );
        false
    }

    /// Whether there are errors among what was said since there were `before` diagnostics.
    pub(crate) fn errors_since(&self, before: usize) -> bool {
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
            Arg::Int(..) | Arg::Digits(..) | Arg::Unchecked(..) => "an integer argument".to_owned(),
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
            Arg::Int(..) | Arg::Digits(..) | Arg::Unchecked(..) => {
                self.number(name, word, arg);
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
        self.number(name, word, Arg::Int(low, high))
    }

    /// A number as `arg` describes it.
    fn number(&mut self, name: &str, word: Word<'t>, arg: Arg) -> Option<i64> {
        let (low, high, digits, unchecked) = match arg {
            Arg::Digits(low, high) => (low, high, true, false),
            Arg::Unchecked(low, high) => (low, high, true, true),
            Arg::Int(low, high) => (low, high, false, false),
            _ => return None,
        };
        let (text, span) = (word.text, word.span);
        let range = format!("`{name}` takes a number between {low} and {high}");
        let whole = units::integer(text);
        // HAProxy reads what the whole process is told without looking behind the digits; a unit is meant as one.
        let sized = units::size(text).ok().filter(|_| whole.is_none() && whole_process(name));
        if let Some(size) = sized {
            return i64::try_from(size).ok();
        }
        let value = whole.unwrap_or_else(|| units::leading(text));
        let within = (low..=high).contains(&value);
        let diagnostic = match whole {
            Some(_) if within => return whole,
            Some(_) if unchecked => Diagnostic::warning(codes::NUMBER, span, format!("{range}, not {value}"))
                .compat(format!("'{name}' : value '{text}' is out of range.")),
            Some(_) => {
                let compat = format!("'{name}' : invalid value '{text}', must be between {low} and {high}.");
                self.push(
                    Diagnostic::error(codes::NUMBER, span, format!("{range}, not {value}")).compat(compat),
                );
                return None;
            }
            None if unchecked || digits && within => Diagnostic::warning(
                codes::NUMBER,
                span,
                format!("`{text}` is not a number and counts as {value}"),
            )
            .compat(format!("'{name}' expects an integer argument (got '{text}', taken as {value}).")),
            None => {
                let compat = format!("'{name}' expects an integer argument (got '{text}').");
                self.push(
                    Diagnostic::error(codes::NUMBER, span, format!("`{text}` is not a number"))
                        .compat(compat),
                );
                return None;
            }
        };
        self.push(diagnostic);
        Some(value.clamp(low, high))
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
            Ok(size) if size <= u64::from(u32::MAX) => Some(size),
            _ => {
                let text = word.text;
                self.push(
                    Diagnostic::error(codes::SIZE, word.span, format!("`{text}` is not a size"))
                        .compat(format!("'{name}' : unexpected character in size '{text}'."))
                        .note("a size is an integer with one of the units k, m, g, and less than 4g"),
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
pub(super) fn whole_process(name: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use crate::load::tests::load_text;

    /// What is said, and what the process is told.
    fn process(line: &str) -> (Vec<String>, String) {
        let loaded = load_text(&format!("global\n {line}\nlisten a\n mode tcp\n bind :80\n"));
        let told = loaded.diagnostics.iter().filter_map(|d| d.compat.clone());
        let told = told.filter(|text| text.contains(line.split(' ').next().unwrap_or("")));
        (told.collect(), format!("{:?}", loaded.spec.process))
    }

    #[test]
    fn numbers_that_are_taken_as_others_are_taken_so() {
        for (line, taken) in [
            ("ulimit-n 1000x", "1000"),
            ("ulimit-n 1000k", "1000"),
            ("maxconnrate 77x", "77"),
            ("tune.http.maxhdr 120x", "120"),
            ("maxconn 5000000000", "2147483647"),
        ] {
            let (told, spec) = process(line);
            assert_eq!(told.len(), 1, "{line}: {told:?}");
            assert!(spec.contains(taken), "{line}: {spec}");
        }
    }

    #[test]
    fn numbers_outside_proxies_are_read_as_far_as_their_digits_go() {
        for line in ["maxconn 10x", "backlog 12x"] {
            let loaded = load_text(&format!(
                "log-forward f\n bind 127.0.0.1:514\n {line}\n log 127.0.0.1:515 local0\n"
            ));
            assert!(!loaded.diagnostics.has_errors(), "{line}: {:?}", loaded.diagnostics);
        }
        let loaded = load_text("log-profile p\n log-tag a b\n");
        assert!(!loaded.diagnostics.has_errors(), "{:?}", loaded.diagnostics);
        let redispatch = |text: &str| {
            let loaded = load_text(&format!("backend b\n option redispatch {text}\n"));
            format!("{:?}", loaded.spec.proxies[0])
        };
        assert_eq!(redispatch("3x"), redispatch("3"));
        assert_ne!(redispatch("3"), redispatch(""));
        let captured = |text: &str| {
            let loaded =
                load_text(&format!("frontend f\n bind :80\n capture request header host len {text}\n"));
            format!("{:?}", loaded.spec.proxies[0])
        };
        assert_eq!(captured("99999999999"), captured("2147483647"));
    }

    #[test]
    fn limits_of_proxies_that_are_too_large_are_the_largest_ones() {
        let limit = |text: &str| {
            let loaded = load_text(&format!("frontend f\n bind :80\n maxconn {text}\n"));
            loaded.spec.proxies[0].maxconn
        };
        assert_eq!(limit("12x"), Some(12));
        assert_eq!(limit("5000000000"), Some(i32::MAX as u32));
        assert_eq!(limit("99999999999999999999"), Some(i32::MAX as u32));
        assert_eq!(limit("-1"), limit("0"));
    }

    #[test]
    fn a_number_of_a_server_that_is_not_there_is_0_where_haproxy_takes_it_so() {
        let server =
            |words: &str| load_text(&format!("backend b\n mode tcp\n server s 192.0.2.1:80 {words}\n"));
        let loaded = server("weight");
        assert!(!loaded.diagnostics.has_errors());
        assert_eq!(loaded.spec.proxies[0].pool.servers[0].weight, 0);
        assert!(!server("maxconn").diagnostics.has_errors());
        assert!(server("check rise").diagnostics.has_errors());
    }

    #[test]
    fn expectations_that_are_incomplete_are_told() {
        let errors = |step: &str| {
            load_text(&format!("backend b\n mode http\n option httpchk\n http-check expect {step}\n"))
                .diagnostics
                .has_errors()
        };
        for wrong in ["hdr name x -m", "hdr name -m beg", "hdr name x value -m", "min-recv -2 status 200"] {
            assert!(errors(wrong), "{wrong}");
        }
        assert!(!errors("min-recv -1 hdr name -m beg x value -m str y"));
    }

    #[test]
    fn what_follows_is_an_error_unless_it_is_never_looked_at() {
        let errors = |line: &str| load_text(&format!("backend b\n {line}\n")).diagnostics.has_errors();
        for line in ["compression algo-req gzip x", "compression direction both x", "log-tag a b"] {
            assert!(!errors(line), "{line}");
        }
        for line in [
            "compression algo-req bogus",
            "compression minsize-req 4g",
            "filter comp-req x",
            "filter trace x",
            "filter trace name",
            "filter cache nosuch",
            "timeout server 1s x",
        ] {
            assert!(errors(line), "{line}");
        }
        assert!(!errors("filter trace name t hexdump"));
    }
}
