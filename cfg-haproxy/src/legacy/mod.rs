//! Keywords that HAProxy no longer has, put into present words (one warning each).
//!
//! The tree keeps the old line; next to it stand the words that replace it, which is what gets checked. What has no
//! faithful replacement is an error that says what to write.

mod headers;
mod line;
mod names;
mod pattern;
mod twice;

use crate::codes;
use crate::lex::RawWord;
use crate::section::SectionKind;
use crate::tree::{Role, Tree};
use lb_core::diag::{Diagnostic, Diagnostics, Span};

/// A word of a replacement: its text, and which word of the old line it comes from.
type New = (String, usize);

/// What becomes of an old line.
enum Outcome {
    /// These lines instead.
    Lines(Vec<Vec<New>>),
    /// These, which do not do the whole of it, with what is said of that.
    Near(Vec<Vec<New>>, &'static str),
    /// Nothing; it had no effect worth keeping.
    Dropped(&'static str),
    /// Nobody can say what it should mean now.
    Impossible(&'static str),
}

/// What is said where fields are deleted by their value.
const EMPTIED: &str = "where a message has several fields of this name, those that match stay, without a value; \
    no rule deletes one of several fields";

/// What is said where an expression does not name a header.
const USUAL: &str = "an expression for any header is applied to the usual ones only; \
    write a `replace-header` rule for each other one that is meant";

/// Translates every old line of `tree`.
pub(crate) fn translate(tree: &mut Tree, diagnostics: &mut Diagnostics) {
    twice::find(tree);
    for section in tree.sections.clone() {
        if !section.kind.is_proxy() {
            continue;
        }
        for index in section.lines.clone() {
            let line = &tree.lines[index as usize];
            if line.role != Role::Keyword {
                continue;
            }
            let Some(first) = tree.words(line).next() else { continue };
            let second = tree.words(line).nth(1).map_or("", |w| w.text);
            if is_old(first.text, second) {
                let diagnostic = line_to_present(tree, index, section.kind);
                diagnostics.push(diagnostic);
            }
        }
    }
}

/// Whether `keyword` is one of those this module knows.
fn is_old(keyword: &str, argument: &str) -> bool {
    match keyword.as_bytes().first() {
        Some(b'r') => {
            let rest = keyword.strip_prefix("req").or_else(|| keyword.strip_prefix("rsp"));
            rest.is_some_and(|r| {
                matches!(
                    r,
                    "add"
                        | "allow"
                        | "del"
                        | "deny"
                        | "iallow"
                        | "idel"
                        | "ideny"
                        | "ipass"
                        | "irep"
                        | "isetbe"
                        | "itarpit"
                        | "pass"
                        | "rep"
                        | "setbe"
                        | "tarpit"
                )
            }) || matches!(keyword, "redisp" | "redispatch")
        }
        Some(b'c') => keyword == "cliexp" || old_timeout(keyword).is_some(),
        Some(b's') => keyword == "srvexp" || old_timeout(keyword).is_some(),
        Some(b'b') => matches!(keyword, "block" | "bind-process"),
        Some(b'a') => keyword == "appsession",
        Some(b'm') => keyword == "monitor-net" || (keyword == "mode" && argument == "health"),
        Some(b'g') => keyword == "grace",
        Some(b't') => keyword == "timeout" && old_timeout(argument).is_some(),
        Some(b'o') => keyword == "option" && argument == "http_proxy",
        _ => false,
    }
}

fn line_to_present(tree: &mut Tree, index: u32, kind: SectionKind) -> Diagnostic {
    let line = tree.lines[index as usize].clone();
    let words: Vec<(String, Span)> = tree.words(&line).map(|w| (w.text.to_owned(), w.span)).collect();
    let texts: Vec<&str> = words.iter().map(|(t, _)| t.as_str()).collect();
    let (keyword, head) = (texts[0], words[0].1);
    let whole = head.to(words[words.len() - 1].1);
    let compat = match old_timeout(texts.get(1).copied().unwrap_or("")) {
        Some(side) if keyword == "timeout" => timeout_compat(texts[1], side),
        _ => compat(keyword, texts.get(1).copied().unwrap_or("")),
    };
    let outcome = outcome(kind, &texts);
    let note = if let Outcome::Near(_, note) = outcome { Some(note) } else { None };
    match outcome {
        Outcome::Lines(lines) | Outcome::Near(lines, _) => {
            let written: Vec<&str> = words.iter().map(|(_, span)| tree.sources.text(*span)).collect();
            let shown = lines.iter().map(|l| show(l, &texts, &written)).collect::<Vec<_>>().join("\n");
            let ranges = lines.iter().map(|l| store(tree, l, &words)).collect();
            tree.translated.insert(index, ranges);
            let diagnostic = Diagnostic::warning(
                codes::TRANSLATED,
                head,
                format!("`{keyword}` no longer exists; read as `{shown}`"),
            )
            .compat(compat)
            .suggest(whole, shown, "write it so");
            match note {
                Some(note) => diagnostic.note(note),
                None => diagnostic,
            }
        }
        Outcome::Dropped(why) => {
            tree.translated.insert(index, Vec::new());
            Diagnostic::warning(
                codes::TRANSLATED,
                head,
                format!("`{keyword}` no longer exists and is left out: {why}"),
            )
            .compat(compat)
            .suggest(whole, "", "remove the line")
        }
        Outcome::Impossible(what) => {
            tree.translated.insert(index, Vec::new());
            Diagnostic::error(
                codes::TRANSLATED,
                head,
                format!("`{keyword}` no longer exists and this use cannot be translated"),
            )
            .compat(compat)
            .note(what)
        }
    }
}

/// HAProxy's words for the same finding.
fn compat(keyword: &str, argument: &str) -> String {
    let instead = match keyword {
        "clitimeout" | "contimeout" | "srvtimeout" => {
            return timeout_compat(keyword, old_timeout(keyword).unwrap_or_default());
        }
        "redispatch" | "redisp" => {
            return format!(
                "keyword '{keyword}' directive is not supported anymore since HAProxy 2.1. Use 'option redispatch'."
            );
        }
        "option" => return "option 'http_proxy' is not supported any more since HAProxy 2.5.".to_owned(),
        "appsession" => return "'appsession' is not supported anymore since HAProxy 1.6.".to_owned(),
        "bind-process" => return "'bind-process' is not supported anymore.".to_owned(),
        "mode" => {
            return "'mode health' doesn't exist anymore. Please use 'http-request return status 200' instead."
                .to_owned();
        }
        "grace" => {
            return "the 'grace' keyword is not supported any more since HAProxy version 2.5.".to_owned();
        }
        "monitor-net" => {
            return format!(
                "'monitor-net' doesn't exist anymore. Please use 'http-request return status 200 if {{ src {argument} }}' instead."
            );
        }
        "block" => {
            return "The 'block' directive is not supported anymore since HAProxy 2.1. Use 'http-request deny' which uses the exact same syntax.".to_owned();
        }
        _ => replacement(keyword),
    };
    match instead {
        Some(instead) => {
            format!(
                "The '{keyword}' directive is not supported anymore since HAProxy 2.1. Use '{instead}' instead."
            )
        }
        None => format!("The '{keyword}' directive is not supported anymore since HAProxy 2.1."),
    }
}

fn timeout_compat(keyword: &str, side: &str) -> String {
    format!("the '{keyword}' directive is not supported anymore since HAProxy 2.1. Use 'timeout {side}'.")
}

/// The present name of what `clitimeout` and its kin limit; they stand alone or behind `timeout`.
fn old_timeout(word: &str) -> Option<&'static str> {
    Some(match word {
        "clitimeout" => "client",
        "contimeout" => "connect",
        "srvtimeout" => "server",
        _ => return None,
    })
}

fn replacement(keyword: &str) -> Option<&'static str> {
    Some(match keyword {
        "reqadd" => "http-request add-header",
        "rspadd" => "http-response add-header",
        "reqdel" | "reqidel" => "http-request del-header",
        "rspdel" | "rspidel" => "http-response del-header",
        "reqrep" | "reqirep" | "cliexp" => "http-request replace-header",
        "rsprep" | "rspirep" | "srvexp" => "http-response replace-header",
        "reqdeny" | "reqideny" => "http-request deny",
        "rspdeny" | "rspideny" => "http-response deny",
        "reqallow" | "reqiallow" => "http-request allow",
        "reqtarpit" | "reqitarpit" => "http-request tarpit",
        "reqsetbe" | "reqisetbe" => "use_backend",
        _ => return None,
    })
}

fn new(text: impl Into<String>, from: usize) -> New {
    (text.into(), from)
}

fn words_of(text: &str, from: usize) -> Vec<New> {
    text.split(' ').map(|w| new(w, from)).collect()
}

fn outcome(kind: SectionKind, words: &[&str]) -> Outcome {
    match words[0] {
        "option" => open_proxy(kind),
        "clitimeout" | "contimeout" | "srvtimeout" | "timeout" => {
            let at = usize::from(words[0] == "timeout");
            let side = words.get(at).and_then(|w| old_timeout(w)).unwrap_or_default();
            let mut line = vec![new("timeout", 0), new(side, at)];
            line.extend(words[at + 1..].iter().enumerate().map(|(i, w)| new(*w, at + 1 + i)));
            Outcome::Lines(vec![line])
        }
        "redispatch" | "redisp" => Outcome::Lines(vec![words_of("option redispatch", 0)]),
        "bind-process" => Outcome::Dropped("there is one process"),
        "grace" => Outcome::Dropped("`grace` in the global section remains"),
        "reqpass" | "reqipass" => Outcome::Dropped("it only ended the evaluation of the other old keywords"),
        "block" => {
            let mut line = words_of("http-request deny", 0);
            line.extend(words[1..].iter().enumerate().map(|(i, w)| new(*w, i + 1)));
            Outcome::Lines(vec![line])
        }
        "monitor-net" => match words.get(1) {
            Some(net) => {
                let mut line = words_of("http-request return status 200 if { src", 0);
                line.push(new(*net, 1));
                line.push(new("}", 0));
                Outcome::Lines(vec![line])
            }
            None => Outcome::Impossible("it needs a network"),
        },
        "mode" => {
            Outcome::Lines(vec![words_of("mode http", 0), words_of("http-request return status 200", 0)])
        }
        "appsession" => appsession(words),
        _ => headers::rule(words),
    }
}

/// `option http_proxy`: requests go to the address in their target.
fn open_proxy(kind: SectionKind) -> Outcome {
    const SERVER: &[&str] = &[
        "http-request deny deny_status 400 if !{ url_ip -m found }",
        "http-request set-dst url_ip",
        "http-request set-dst-port url_port",
        "http-request set-uri %[pathq]",
        "server http_proxy 0.0.0.0:0",
    ];
    // A frontend and its backend may both inherit these, and the target has no address the second time.
    const DEFAULTS: &[&str] = &[
        "option transparent",
        "http-request deny deny_status 400 if !{ url_ip -m found } !{ var(txn.http_proxy) -m found }",
        "http-request set-var(txn.http_proxy) bool(true)",
        "http-request set-dst url_ip if { url_ip -m found }",
        "http-request set-dst-port url_port if { url_ip -m found }",
        "http-request set-uri %[pathq] if { url_ip -m found }",
    ];
    let lines = match kind {
        SectionKind::Frontend => return Outcome::Dropped("only a backend connects to servers"),
        SectionKind::Defaults => DEFAULTS,
        _ => SERVER,
    };
    Outcome::Lines(lines.iter().map(|line| words_of(line, 0)).collect())
}

/// `appsession <cookie> len <n> timeout <t>` as a table of cookies.
fn appsession(words: &[&str]) -> Outcome {
    let value = |name: &str| {
        words.iter().position(|w| *w == name).and_then(|i| words.get(i + 1).map(|w| (*w, i + 1)))
    };
    let (Some(cookie), Some(length), Some(timeout)) = (words.get(1), value("len"), value("timeout")) else {
        return Outcome::Impossible(
            "write a `stick-table type string` and `stick store-response res.cook(<name>)`",
        );
    };
    let mut table = words_of("stick-table type string len", 0);
    table.push(new(length.0, length.1));
    table.extend(words_of("size 1m expire", 0));
    table.push(new(timeout.0, timeout.1));
    Outcome::Lines(vec![
        table,
        vec![new("stick", 0), new("store-response", 0), new(format!("res.cook({cookie})"), 1)],
        vec![new("stick", 0), new("match", 0), new(format!("req.cook({cookie})"), 1)],
    ])
}

/// The replacement as one would write it; words that stay are written as they were, variables and all.
fn show(line: &[New], old: &[&str], written: &[&str]) -> String {
    let shown = |(text, from): &New| match (old.get(*from), written.get(*from)) {
        (Some(old), Some(written)) if old == text => (*written).to_owned(),
        _ => quote(text),
    };
    line.iter().map(shown).collect::<Vec<_>>().join(" ")
}

/// `text` as one word of a file.
pub(crate) fn quote(text: &str) -> String {
    let plain = !text.is_empty() && !text.contains([' ', '\t', '#', '"', '\'', '\\', '\r', '\n']);
    if plain {
        return text.to_owned();
    }
    if text.contains(['\r', '\n', '\'']) {
        // Only weak quotes can hold line ends, as escapes, and strong ones.
        let mut out = String::from("\"");
        for c in text.chars() {
            match c {
                '\r' => out.push_str("\\r"),
                '\n' => out.push_str("\\n"),
                '"' | '\\' | '$' => out.extend(['\\', c]),
                c => out.push(c),
            }
        }
        out.push('"');
        return out;
    }
    format!("'{text}'")
}

fn store(tree: &mut Tree, line: &[New], old: &[(String, Span)]) -> std::ops::Range<u32> {
    let from = tree.words.len() as u32;
    for (text, origin) in line {
        let span = old.get(*origin).map_or_else(Span::default, |(_, span)| *span);
        let at = tree.arena.len() as u32;
        tree.arena.push_str(text);
        let owned = Some((at, text.len() as u32));
        tree.words.push(RawWord { start: span.start, end: span.end, owned, unset: false });
    }
    from..tree.words.len() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(old: &[&str], expected: &[&str]) {
        let (Outcome::Lines(lines) | Outcome::Near(lines, _)) = outcome(SectionKind::Listen, old) else {
            panic!("{old:?} is not translated")
        };
        let quoted: Vec<String> = old.iter().map(|w| quote(w)).collect();
        let written: Vec<&str> = quoted.iter().map(String::as_str).collect();
        let shown: Vec<String> = lines.iter().map(|l| show(l, old, &written)).collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn headers_are_added_deleted_and_replaced() {
        check(
            &["rspadd", r"X-Forwarded-Host: http:\\example.com"],
            &[r"http-response add-header X-Forwarded-Host 'http:\\example.com'"],
        );
        check(
            &["reqadd", "X-Proto: https", "if", "secure"],
            &["http-request add-header X-Proto https if secure"],
        );
        check(&["rspidel", "^Server:.*"], &["http-response del-header Server"]);
        check(&["reqirep", "^Host:", "Host: a.example"], &["http-request replace-header Host ^.* a.example"]);
        check(
            &["rsprep", "^Set-Cookie: (.*)", r"Set-Cookie: \1; Secure", "if", "secure"],
            &[r"http-response replace-header Set-Cookie ^(.*) '\1; Secure' if secure"],
        );
    }

    #[test]
    fn the_request_line_becomes_the_path() {
        check(
            &["reqrep", "^([^ ]*) /openig/(.*)", r"\1 /\2"],
            &[r"http-request replace-pathq ^/openig/(.*) '/\1'"],
        );
        check(&["reqrep", "^POST (.*)", r"GET \1"], &["http-request set-method GET if { method POST }"]);
        check(
            &["rsprep", "^HTTP/1.1 404.*", "HTTP/1.1 200 All right"],
            &["http-response set-status 200 reason 'All right' if { status 404 }"],
        );
        check(
            &["reqdeny", "evil"],
            &["http-request deny if { url -m reg evil } or { req.hdrs -m reg evil }"],
        );
        check(&["reqideny", "^[^ ]* /admin"], &["http-request deny if { pathq -m reg -i ^/admin }"]);
        check(
            &["reqrep", "^([^ ]* /)bin[/]?(.*)", r"\1\2"],
            &[r"http-request replace-pathq ^/bin[/]?(.*) '/\1'"],
        );
        check(
            &["reqirep", "^(GET|POST) /a(.*)", r"\1 /\2", "if", "x"],
            &[r"http-request replace-pathq (?i)^/a(.*) '/\1' if { method GET POST } x"],
        );
        check(
            &["reqrep", "^GET /foo(.*)", r"GET /bar\1"],
            &[r"http-request replace-pathq ^/foo(.*) '/bar\1' if { method GET }"],
        );
        check(
            &["reqrep", "^([^ ]*) ([^ ]*) (.*)$", r"\1 /pre\2 \3"],
            &[r"http-request replace-pathq '^([^ ]*)' '/pre\1'"],
        );
        check(
            &["reqitarpit", r"^[^ :]* .*\.php"],
            &[r"http-request tarpit if { pathq -m reg -i '^.*\.php' }"],
        );
    }

    #[test]
    fn names_inside_groups_and_expressions_for_names_are_understood() {
        check(
            &["rspirep", "^(Location:) http://(.*)", r"\1 https://\2"],
            &[r"http-response replace-header Location (?i)^http://(.*) 'https://\1'"],
        );
        check(
            &["rspirep", "^(set-cookie:.*)", r"\1; Secure"],
            &[r"http-response replace-header set-cookie (?i)^(.*) '\1; Secure'"],
        );
        check(
            &["reqirep", "^(X-Forwarded-For:)(.*)", r"X-Forwarded-For2:\2"],
            &[
                "http-request set-header X-Forwarded-For2 %[req.fhdr(X-Forwarded-For)] if { req.fhdr(X-Forwarded-For) -m found }",
                "http-request del-header X-Forwarded-For if { req.fhdr(X-Forwarded-For) -m found }",
            ],
        );
        check(
            &["reqirep", "^[^: ]* /img[/ ].*", "\\0\nCookie: backend=2"],
            &["http-request add-header Cookie backend=2 if { pathq -m reg -i ^/img([/]|$).* }"],
        );
        check(&["rspidel", "^Server"], &["http-response del-header Server -m beg"]);
        check(&["reqidel", "^X-(A|B):.*"], &["http-request del-header (?i)^X-(A|B)$ -m reg"]);
    }

    #[test]
    fn conditions_of_pattern_and_line_must_both_hold() {
        check(
            &["reqdeny", "^Host: evil", "if", "a", "b", "or", "{", "src", "::1", "}"],
            &[
                "http-request deny if { req.fhdr(Host) -m reg ^evil } a b or { req.fhdr(Host) -m reg ^evil } { src ::1 }",
            ],
        );
        check(
            &["reqisetbe", "^[^ ]* /img", "images", "unless", "a", "or", "!b"],
            &["use_backend images if { pathq -m reg -i ^/img } !a b"],
        );
        assert!(matches!(
            outcome(SectionKind::Listen, &["reqdeny", "^Host: x", "unless", "a", "b"]),
            Outcome::Impossible(_)
        ));
    }

    #[test]
    fn old_timeouts_stand_alone_or_behind_the_present_word() {
        check(&["timeout", "clitimeout", "5s"], &["timeout client 5s"]);
        check(&["timeout", "srvtimeout", "5s"], &["timeout server 5s"]);
        assert!(!is_old("timeout", "client"));
    }

    #[test]
    fn simple_keywords_get_their_present_name() {
        check(&["clitimeout", "50000"], &["timeout client 50000"]);
        check(&["redispatch"], &["option redispatch"]);
        check(&["block", "if", "bad"], &["http-request deny if bad"]);
        check(
            &["appsession", "JSESSIONID", "len", "52", "timeout", "3h"],
            &[
                "stick-table type string len 52 size 1m expire 3h",
                "stick store-response res.cook(JSESSIONID)",
                "stick match req.cook(JSESSIONID)",
            ],
        );
    }

    #[test]
    fn names_of_few_headers_are_written_out() {
        check(
            &["reqirep", r"^X-(A|B): (.*)", r"X-\1: n\2"],
            &[
                r"http-request replace-header X-A (?i)^(.*) 'n\1'",
                r"http-request replace-header X-B (?i)^(.*) 'n\1'",
            ],
        );
        check(
            &["rsprep", "^(Location|Link): http://(.*)", r"\1: https://\2", "if", "x"],
            &[
                r"http-response replace-header Location ^http://(.*) 'https://\1' if x",
                r"http-response replace-header Link ^http://(.*) 'https://\1' if x",
            ],
        );
    }

    #[test]
    fn lines_that_no_rule_knows_are_put_together_first() {
        check(
            &["reqrep", "^POST /a(.*)", r"GET /b\1"],
            &[
                "http-request set-var-fmt(txn.old_line) '%[method] %[pathq] HTTP/%[req.ver]'",
                "http-request unset-var(txn.new_line)",
                r#"http-request set-var(txn.new_line) "var(txn.old_line),regsub('^POST /a(.*)','GET /b\\1')" if { var(txn.old_line) -m reg '^POST /a(.*)' }"#,
                "http-request set-method \"%[var(txn.new_line),word(1,' ')]\" if { var(txn.new_line) -m found }",
                "http-request set-pathq \"%[var(txn.new_line),word(2,' ')]\" if { var(txn.new_line) -m found }",
            ],
        );
        check(
            &["reqdeny", "^[^: ]*: evil"],
            &["http-request deny if { req.hdrs -m reg '(?m)^[^: ]*: evil' }"],
        );
        check(
            &["rspdeny", "^HTTP/1.. 5"],
            &[
                "http-response set-var-fmt(txn.old_line) 'HTTP/%[res.ver] %[status]'",
                "http-response deny if { var(txn.old_line) -m reg '^HTTP/1.. 5' }",
            ],
        );
        check(
            &["rsprep", "^HTTP/1.1 (4..).*", "HTTP/1.1 500 Broken"],
            &[
                "http-response set-var-fmt(txn.old_line) 'HTTP/%[res.ver] %[status]'",
                "http-response set-status 500 reason Broken if { var(txn.old_line) -m reg '^HTTP/1.1 (4..).*' }",
            ],
        );
    }

    #[test]
    fn what_broke_messages_refuses_them() {
        check(
            &["reqrep", "foo", "bar"],
            &[
                "http-request set-var-fmt(txn.old_line) '%[method] %[pathq] HTTP/%[req.ver]'",
                "http-request deny deny_status 400 if { var(txn.old_line) -m reg foo } or { req.hdrs -m reg foo }",
            ],
        );
        check(
            &["rsprep", "^X-A:.*", "junk"],
            &["http-response del-header X-A if { res.fhdr(X-A) -m found }"],
        );
        check(&["reqrep", "^Host:.*", "Host:"], &["http-request replace-header Host ^.* %[str()]"]);
    }

    #[test]
    fn fields_are_deleted_by_their_value() {
        check(
            &["reqidel", "^X-Foo: bar", "if", "a"],
            &[
                "http-request del-header X-Foo if { req.fhdr_cnt(X-Foo) 1 } { req.fhdr(X-Foo) -m reg -i ^bar } a",
                "http-request replace-header X-Foo (?i)^bar %[str()] if a",
            ],
        );
        check(
            &["rspdel", "^Set-Cookie: IP="],
            &[
                "http-response del-header Set-Cookie if { res.fhdr_cnt(Set-Cookie) 1 } { res.fhdr(Set-Cookie) -m reg ^IP= }",
                "http-response replace-header Set-Cookie ^IP= %[str()]",
            ],
        );
    }

    #[test]
    fn headers_get_other_names_by_their_values() {
        check(
            &["reqirep", r"^Host: old\.(.*)", r"X-Old: \1"],
            &[
                r#"http-request set-var(txn.new_line) "req.fhdr(Host),regsub('^old\\.(.*)','\\1',i)" if { req.fhdr(Host) -m reg -i '^old\.(.*)' }"#,
                r"http-request add-header X-Old %[var(txn.new_line)] if { req.fhdr(Host) -m reg -i '^old\.(.*)' }",
                r"http-request del-header Host if { req.fhdr(Host) -m reg -i '^old\.(.*)' }",
            ],
        );
    }

    #[test]
    fn expressions_for_any_header_are_applied_to_the_usual_ones() {
        let old = ["rspirep", "^([^:]*): (.*)http://a(.*)", r"\1: \2https://b\3"];
        let Outcome::Near(lines, _) = outcome(SectionKind::Listen, &old) else { panic!("not translated") };
        let shown = show(&lines[0], &old, &old);
        assert_eq!(shown, r"http-response replace-header Location (?i)^(.*)http://a(.*) '\1https://b\2'");
        assert!(lines.len() > 5);
    }

    #[test]
    fn open_proxies_go_where_the_target_says() {
        check(
            &["option", "http_proxy"],
            &[
                "http-request deny deny_status 400 if !{ url_ip -m found }",
                "http-request set-dst url_ip",
                "http-request set-dst-port url_port",
                "http-request set-uri %[pathq]",
                "server http_proxy 0.0.0.0:0",
            ],
        );
    }

    #[test]
    fn what_cannot_be_translated_is_said() {
        assert!(matches!(outcome(SectionKind::Listen, &["reqdel", "foo bar"]), Outcome::Impossible(_)));
        assert!(matches!(outcome(SectionKind::Listen, &["reqadd", "nocolon"]), Outcome::Impossible(_)));
        assert!(matches!(outcome(SectionKind::Listen, &["bind-process", "1"]), Outcome::Dropped(_)));
    }
}
