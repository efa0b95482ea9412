//! `http-check` and `tcp-check` lines: the grammar of each step.

use super::{Checker, Stmt};
use crate::codes;
use crate::suggest;
use crate::tree::Word;
use crate::units;
use lb_core::diag::Diagnostic;

/// Options with a value around the pattern of `expect`.
const EXPECT_OPTIONS: &[&str] = &[
    "min-recv",
    "comment",
    "ok-status",
    "error-status",
    "tout-status",
    "on-success",
    "on-error",
    "status-code",
];
/// How many words behind the name of a match belong to it; options may stand behind them.
pub(crate) fn match_words(kind: &str, rest: &[Word<'_>]) -> usize {
    match kind {
        "custom" => 0,
        "hdr" | "fhdr" => {
            let option = |word: &Word<'_>| EXPECT_OPTIONS.contains(&word.text);
            rest.iter().skip(1).position(option).map_or(rest.len(), |behind| behind + 1)
        }
        _ => rest.len().min(1),
    }
}

const HTTP_MATCHES: &[&str] = &["status", "rstatus", "string", "rstring", "string-lf", "hdr", "fhdr"];
const TCP_MATCHES: &[&str] = &["string", "rstring", "string-lf", "binary", "rbinary", "binary-lf", "custom"];

impl<'t> Checker<'t, '_> {
    pub(crate) fn check_step_line(&mut self, stmt: &Stmt<'t, '_>) {
        let words = stmt.words[1..].to_vec();
        if !self.check_step(stmt.words[0].text, &words) {
            return;
        }
        let http = stmt.words[0].text == "http-check";
        if let Some(proxy) = self.proxy() {
            if http {
                proxy.lists.http_check.push(words);
            } else {
                proxy.lists.tcp_check.push(words);
            }
        }
    }

    /// Checks the words of a step, the step's name first; true if they are right.
    pub(crate) fn check_step(&mut self, owner: &str, words: &[Word<'t>]) -> bool {
        let before = self.diagnostics.len();
        match words[0].text.split('(').next().unwrap_or("") {
            "expect" => self.expect_step(owner, words),
            "connect" => self.connect_step(owner, words),
            "send" if owner == "http-check" => self.send_step(words),
            "send-binary" => {
                if let Some(data) = words.get(1).copied() {
                    self.hex(data);
                }
            }
            "set-var" | "set-var-fmt" if words.len() < 2 => {
                self.error(codes::MISSING_ARGUMENT, words[0].span.after(), "a variable needs a value");
            }
            _ => {}
        }
        !self.errors_since(before)
    }

    fn hex(&mut self, data: Word<'t>) {
        if data.text.len() % 2 == 1 || !data.text.bytes().all(|b| b.is_ascii_hexdigit()) {
            self.push(
                Diagnostic::error(codes::NUMBER, data.span, "an even number of hexadecimal digits is needed")
                    .compat(format!("'send-binary' : invalid hex string '{}'.", data.text)),
            );
        }
    }

    fn expect_step(&mut self, owner: &str, words: &[Word<'t>]) {
        let http = owner == "http-check";
        let matches = if http { HTTP_MATCHES } else { TCP_MATCHES };
        let (mut at, mut found) = (1, false);
        while let Some(word) = words.get(at).copied() {
            // The exclamation mark may touch what it negates.
            let text = if word.text == "!" { "!" } else { word.text.trim_start_matches('!') };
            match text {
                "!" => at += 1,
                option if EXPECT_OPTIONS.contains(&option) => {
                    let Some(value) = self.follow(words, at, owner) else { return };
                    if option == "min-recv" {
                        self.received(owner, value);
                    }
                    at += 2;
                }
                name if matches.contains(&name) && !found => {
                    if name != "custom" && words.get(at + 1).is_none() {
                        self.push(
                            Diagnostic::error(
                                codes::MISSING_ARGUMENT,
                                word.span.after(),
                                format!("`expect {name}` needs a pattern"),
                            )
                            .compat(format!("'{owner} expect {name}' expects a pattern as an argument.")),
                        );
                    }
                    found = true;
                    at += 1 + match_words(name, &words[at + 1..]);
                }
                _ if found => return self.second_pattern(owner, word),
                other => {
                    let listed = matches.join("', '");
                    let mut diagnostic = Diagnostic::error(
                        codes::WORD,
                        word.span,
                        format!("`{other}` is nothing a check can expect"),
                    )
                    .compat(format!("'{owner} expect' only supports '{listed}' (got '{other}')."))
                    .note(format!("one of: {}", matches.join(", ")));
                    if let Some(near) = suggest::nearest(other, matches.iter().copied()) {
                        diagnostic = diagnostic.suggest(word.span, near, format!("did you mean `{near}`?"));
                    }
                    return self.push(diagnostic);
                }
            }
        }
        if found {
            return;
        }
        self.push(
            Diagnostic::error(
                codes::MISSING_ARGUMENT,
                words[0].span.after(),
                "`expect` needs something to expect",
            )
            .compat(format!("'{owner} expect' expects a pattern.")),
        );
    }

    /// The value of `min-recv`.
    fn received(&mut self, owner: &str, value: Word<'t>) {
        if !(-1..=i64::from(i32::MAX)).contains(&units::leading(value.text)) {
            let message = "`min-recv` is a number of bytes, or -1 for any";
            let compat = format!("'{owner} expect' : 'min-recv' expects -1 or an integer from 0 to INT_MAX.");
            self.push(Diagnostic::error(codes::NUMBER, value.span, message).compat(compat));
        }
    }

    /// Something behind the pattern that is no option.
    fn second_pattern(&mut self, owner: &str, word: Word<'t>) {
        let message = format!("`{}` is not an option of `expect`", word.text);
        self.push(
            Diagnostic::error(codes::WORD, word.span, message)
                .compat(format!("'{owner} expect' : only one pattern expected (got '{}').", word.text))
                .note(format!("options are: {}", EXPECT_OPTIONS.join(", "))),
        );
    }

    fn connect_step(&mut self, owner: &str, words: &[Word<'t>]) {
        let mut at = 1;
        while let Some(word) = words.get(at).copied() {
            match word.text {
                "default" | "send-proxy" | "via-socks4" | "linger" | "ssl" => at += 1,
                "port" | "addr" | "sni" | "alpn" | "proto" | "comment" => {
                    if self.follow(words, at, owner).is_none() {
                        return;
                    }
                    at += 2;
                }
                other => {
                    return self.push(
                        Diagnostic::error(codes::WORD, word.span, format!("`{other}` is not an argument of `connect`"))
                            .compat(format!(
                                "expects 'comment', 'port', 'addr', 'send-proxy', 'ssl', 'sni', 'alpn', 'via-socks4', 'linger', 'default' but got '{other}' as argument."
                            )),
                    );
                }
            }
        }
    }

    fn send_step(&mut self, words: &[Word<'t>]) {
        let mut at = 1;
        while let Some(word) = words.get(at).copied() {
            let values = match word.text {
                "meth" | "uri" | "uri-lf" | "ver" | "body" | "body-lf" | "comment" => 1,
                "hdr" => 2,
                other => {
                    return self.push(
                        Diagnostic::error(codes::WORD, word.span, format!("`{other}` is not an argument of `http-check send`"))
                            .compat(format!(
                                "'http-check send' expects 'comment', 'meth', 'uri', 'uri-lf', 'ver', 'hdr', 'body' or 'body-lf' but got '{other}' as argument."
                            )),
                    );
                }
            };
            if words.len() <= at + values {
                return self.push(
                    Diagnostic::error(
                        codes::MISSING_ARGUMENT,
                        word.span.after(),
                        format!("`{}` needs {values} argument(s)", word.text),
                    )
                    .compat(format!("'http-check send' : '{}' expects a value.", word.text)),
                );
            }
            at += 1 + values;
        }
    }
}
