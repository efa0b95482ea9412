//! Keywords that HAProxy no longer has, put into present words (one warning each).
//!
//! The tree keeps the old line; next to it stand the words that replace it, which is what gets checked. What has no
//! faithful replacement is an error that says what to write.

use crate::codes;
use crate::lex::RawWord;
use crate::tree::{Role, Tree};
use lb_core::diag::{Diagnostic, Diagnostics, Span};

/// A word of a replacement: its text, and which word of the old line it comes from.
type New = (String, usize);

/// What becomes of an old line.
enum Outcome {
    /// These lines instead.
    Lines(Vec<Vec<New>>),
    /// Nothing; it had no effect worth keeping.
    Dropped(&'static str),
    /// Nobody can say what it should mean now.
    Impossible(&'static str),
}

/// Translates every old line of `tree`.
pub(crate) fn translate(tree: &mut Tree, diagnostics: &mut Diagnostics) {
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
                let diagnostic = line_to_present(tree, index);
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
        Some(b'c') => matches!(keyword, "clitimeout" | "contimeout" | "cliexp"),
        Some(b's') => matches!(keyword, "srvtimeout" | "srvexp"),
        Some(b'b') => matches!(keyword, "block" | "bind-process"),
        Some(b'a') => keyword == "appsession",
        Some(b'm') => keyword == "monitor-net" || (keyword == "mode" && argument == "health"),
        Some(b'g') => keyword == "grace",
        _ => false,
    }
}

fn line_to_present(tree: &mut Tree, index: u32) -> Diagnostic {
    let line = tree.lines[index as usize].clone();
    let words: Vec<(String, Span)> = tree.words(&line).map(|w| (w.text.to_owned(), w.span)).collect();
    let texts: Vec<&str> = words.iter().map(|(t, _)| t.as_str()).collect();
    let (keyword, head) = (texts[0], words[0].1);
    let whole = head.to(words[words.len() - 1].1);
    let compat = compat(keyword, texts.get(1).copied().unwrap_or(""));
    match outcome(&texts) {
        Outcome::Lines(lines) => {
            let written: Vec<&str> = words.iter().map(|(_, span)| tree.sources.text(*span)).collect();
            let shown = lines.iter().map(|l| show(l, &texts, &written)).collect::<Vec<_>>().join("\n");
            let ranges = lines.iter().map(|l| store(tree, l, &words)).collect();
            tree.translated.insert(index, ranges);
            Diagnostic::warning(
                codes::TRANSLATED,
                head,
                format!("`{keyword}` no longer exists; read as `{shown}`"),
            )
            .compat(compat)
            .suggest(whole, shown, "write it so")
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
        "clitimeout" => return timeout_compat(keyword, "timeout client"),
        "contimeout" => return timeout_compat(keyword, "timeout connect"),
        "srvtimeout" => return timeout_compat(keyword, "timeout server"),
        "redispatch" | "redisp" => {
            return format!(
                "keyword '{keyword}' directive is not supported anymore since HAProxy 2.1. Use 'option redispatch'."
            );
        }
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

fn timeout_compat(keyword: &str, instead: &str) -> String {
    format!("the '{keyword}' directive is not supported anymore since HAProxy 2.1. Use '{instead}'.")
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

fn outcome(words: &[&str]) -> Outcome {
    match words[0] {
        "clitimeout" | "contimeout" | "srvtimeout" => {
            let side = match words[0] {
                "clitimeout" => "client",
                "contimeout" => "connect",
                _ => "server",
            };
            let mut line = vec![new("timeout", 0), new(side, 0)];
            line.extend(words[1..].iter().enumerate().map(|(i, w)| new(*w, i + 1)));
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
        _ => header_rule(words),
    }
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

/// The `req*` and `rsp*` family.
fn header_rule(words: &[&str]) -> Outcome {
    const WRITE: &str =
        "write an `http-request` or `http-response` rule for the header or path that is meant";
    let request = words[0].starts_with("req") || words[0] == "cliexp";
    let verb = match words[0] {
        "cliexp" | "srvexp" => "rep",
        word => &word[3..],
    };
    let (verb, fold) = match verb {
        "irep" | "idel" | "ideny" | "iallow" | "itarpit" | "isetbe" => (&verb[1..], true),
        verb => (verb, false),
    };
    let Some(pattern) = words.get(1) else { return Outcome::Impossible("it needs an argument") };
    let set = if request { "http-request" } else { "http-response" };
    let takes = if matches!(verb, "rep" | "setbe") { 3 } else { 2 };
    let tail: Vec<New> =
        words.get(takes..).unwrap_or_default().iter().enumerate().map(|(i, w)| new(*w, i + takes)).collect();
    let line = match verb {
        "add" => add(set, pattern),
        "del" => delete(set, pattern, fold),
        "rep" => replace(set, pattern, words.get(2).copied().unwrap_or(""), fold, request),
        "deny" | "allow" | "tarpit" => decide(set, verb, pattern, fold, request),
        "setbe" => set_backend(pattern, words.get(2).copied().unwrap_or(""), fold),
        _ => None,
    };
    match line {
        // A condition of the rule's own and one of the line cannot be joined with simple words.
        Some(line) if !tail.is_empty() && line.iter().any(|(w, _)| w == "if") => Outcome::Impossible(WRITE),
        Some(mut line) => {
            line.extend(tail);
            Outcome::Lines(vec![line])
        }
        None => Outcome::Impossible(WRITE),
    }
}

fn add(set: &str, text: &str) -> Option<Vec<New>> {
    let (name, value) = text.split_once(':')?;
    let mut line = words_of(&format!("{set} add-header"), 0);
    line.push(new(name.trim(), 1));
    line.push(new(value.trim_start().replace('%', "%%"), 1));
    Some(line)
}

/// A pattern on a header line as header name and pattern on the value.
fn header_pattern(pattern: &str) -> Option<(&str, &str)> {
    let (name, value) = pattern.strip_prefix('^').unwrap_or(pattern).split_once(':')?;
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let value = value
        .strip_prefix("\\s*")
        .or_else(|| value.strip_prefix(" *"))
        .or_else(|| value.strip_prefix("[ ]*"))
        .unwrap_or(value);
    plain.then(|| (name, value.trim_start()))
}

/// A pattern that matches every value.
fn any_value(pattern: &str) -> bool {
    matches!(pattern, "" | ".*" | ".*$" | "(.*)" | "(.*)$")
}

fn folded(pattern: &str, fold: bool) -> String {
    let anchored = if pattern.starts_with('^') { pattern.to_owned() } else { format!("^{pattern}") };
    if fold { format!("(?i){anchored}") } else { anchored }
}

fn delete(set: &str, pattern: &str, fold: bool) -> Option<Vec<New>> {
    let (name, value) = header_pattern(pattern)?;
    if any_value(value) {
        let mut line = words_of(&format!("{set} del-header"), 0);
        line.push(new(name, 1));
        return Some(line);
    }
    // Only fields of that value are meant, the others must stay, and no rule deletes by value: emptied fields are what
    // comes nearest. An empty word would end the line; an expression may be empty.
    let mut line = words_of(&format!("{set} replace-header"), 0);
    line.extend([new(name, 1), new(folded(value, fold), 1), new("%[str()]", 1)]);
    Some(line)
}

fn replace(set: &str, pattern: &str, template: &str, fold: bool, request: bool) -> Option<Vec<New>> {
    if let Some((name, value)) = header_pattern(pattern) {
        let (own, text) = template.split_once(':')?;
        if !own.trim().eq_ignore_ascii_case(name) {
            return None;
        }
        let mut line = words_of(&format!("{set} replace-header"), 0);
        let pattern = if value.is_empty() { "^.*".to_owned() } else { folded(value, fold) };
        line.extend([new(name, 1), new(pattern, 1), new(text.trim_start().replace('%', "%%"), 2)]);
        return Some(line);
    }
    if request {
        replace_path(pattern, template, fold).or_else(|| set_method(pattern, template))
    } else {
        set_status(pattern, template)
    }
}

/// `^POST (.*)` with `GET \1`: only the method changes.
fn set_method(pattern: &str, template: &str) -> Option<Vec<New>> {
    let (old, rest) = pattern.strip_prefix('^')?.split_once(' ')?;
    let (new_method, target) = template.split_once(' ')?;
    let word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase());
    if !word(old) || !word(new_method) || !any_value(rest) || target != "\\1" {
        return None;
    }
    let mut line = words_of("http-request set-method", 0);
    line.push(new(new_method, 2));
    line.extend(words_of("if { method", 0));
    line.push(new(old, 1));
    line.push(new("}", 0));
    Some(line)
}

/// `^HTTP/1.1 404.*` with `HTTP/1.1 200 OK`: the status line.
fn set_status(pattern: &str, template: &str) -> Option<Vec<New>> {
    let (version, rest) = pattern.strip_prefix('^').unwrap_or(pattern).split_once(' ')?;
    let code = |text: &str| text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
    let old = rest.get(..3).filter(|c| version.starts_with("HTTP") && code(c))?;
    let mut words = template.splitn(3, ' ').skip(1);
    let status = words.next().filter(|c| code(c))?;
    let mut line = words_of("http-response set-status", 0);
    line.push(new(status, 2));
    if let Some(reason) = words.next().filter(|r| !r.contains('\\')) {
        line.extend([new("reason", 0), new(reason, 2)]);
    }
    line.extend(words_of("if { status", 0));
    line.extend([new(old, 1), new("}", 0)]);
    Some(line)
}

/// `^([^ ]*) /a(.*)` with `\1 /b\2` works on the request line; the part after the method is the path with its query.
fn replace_path(pattern: &str, template: &str, fold: bool) -> Option<Vec<New>> {
    const METHODS: &[&str] = &[
        "^([^ :]*) ",
        "^([^ ]*) ",
        "^([^ ]+) ",
        "^([^ :]+) ",
        "^([^:]*) ",
        "^(.*) ",
        "^(\\w+) ",
        "^([A-Z]*) ",
        "^([A-Z]+) ",
    ];
    let rest = METHODS.iter().find_map(|m| pattern.strip_prefix(m))?;
    let target = template.strip_prefix("\\1 ")?;
    let version = |text: &str| text.find(" HTTP/").map_or(text.len(), |i| i);
    let (rest, target) = (&rest[..version(rest)], &target[..version(target)]);
    let mut line = words_of("http-request replace-pathq", 0);
    line.extend([new(folded(rest, fold), 1), new(shift_groups(target)?.replace('%', "%%"), 2)]);
    Some(line)
}

/// `\2` becomes `\1` and so on, because the method's group is gone; `\1` itself cannot be kept.
fn shift_groups(template: &str) -> Option<String> {
    let mut out = String::with_capacity(template.len());
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        let group = if c == '\\' { chars.peek().and_then(|d| d.to_digit(10)) } else { None };
        match group {
            None => out.push(c),
            Some(0 | 1) => return None,
            Some(group) => {
                chars.next();
                out.push('\\');
                out.push_str(&(group - 1).to_string());
            }
        }
    }
    Some(out)
}

fn decide(set: &str, verb: &str, pattern: &str, fold: bool, request: bool) -> Option<Vec<New>> {
    let mut line = words_of(&format!("{set} {verb} if {{"), 0);
    let fetch = match header_pattern(pattern) {
        Some((name, value)) if any_value(value) => {
            let side = if request { "req" } else { "res" };
            line.push(new(format!("{side}.hdr({name})"), 1));
            line.extend(words_of("-m found }", 0));
            return Some(line);
        }
        Some((name, value)) => {
            line.push(new(format!("{}.hdr({name})", if request { "req" } else { "res" }), 1));
            folded(value, false)
        }
        None if request => {
            // `^[^ ]* /path` and `^GET /path`: the path is what is meant.
            let Some(slash) = pattern.find(" /") else { return anywhere(line, pattern, fold, request) };
            line.push(new("path", 1));
            format!("^{}", &pattern[slash + 1..])
        }
        None => return anywhere(line, pattern, fold, request),
    };
    line.extend(words_of(if fold { "-m reg -i" } else { "-m reg" }, 0));
    line.extend([new(fetch, 1), new("}", 0)]);
    Some(line)
}

/// A pattern without a beginning was looked for in the first line and in every header.
fn anywhere(mut line: Vec<New>, pattern: &str, fold: bool, request: bool) -> Option<Vec<New>> {
    if pattern.starts_with('^') {
        return None;
    }
    let method = if fold { "-m reg -i" } else { "-m reg" };
    let places: &[&str] = if request { &["url", "req.hdrs"] } else { &["res.hdrs"] };
    for (i, place) in places.iter().enumerate() {
        if i > 0 {
            line.extend(words_of("or {", 0));
        }
        line.push(new(*place, 0));
        line.extend(words_of(method, 0));
        line.extend([new(pattern, 1), new("}", 0)]);
    }
    Some(line)
}

fn set_backend(pattern: &str, backend: &str, fold: bool) -> Option<Vec<New>> {
    let (name, value) = header_pattern(pattern)?;
    let mut line = vec![new("use_backend", 0), new(backend, 2), new("if", 0), new("{", 0)];
    line.push(new(format!("req.hdr({name})"), 1));
    line.extend(words_of(if fold { "-m reg -i" } else { "-m reg" }, 0));
    line.extend([new(folded(value, false), 1), new("}", 0)]);
    Some(line)
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
    if text.contains(['\r', '\n']) {
        // Only weak quotes can hold line ends, as escapes.
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
    format!("'{}'", text.replace('\'', "'\\''"))
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
        let Outcome::Lines(lines) = outcome(old) else { panic!("{old:?} is not translated") };
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
        check(&["reqideny", "^[^ ]* /admin"], &["http-request deny if { path -m reg -i ^/admin }"]);
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
    fn what_cannot_be_translated_is_said() {
        assert!(matches!(outcome(&["reqrep", "foo", "bar"]), Outcome::Impossible(_)));
        assert!(matches!(outcome(&["reqadd", "nocolon"]), Outcome::Impossible(_)));
        assert!(matches!(outcome(&["bind-process", "1"]), Outcome::Dropped(_)));
    }
}
