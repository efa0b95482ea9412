//! The `req*` and `rsp*` family: one expression for the request line and all headers became rules for each part.

use super::pattern::{
    HeaderLine, anchored, any_value, groups, header_line, is_name, request_line, shift_groups, target,
    without_end,
};
use super::{New, Outcome, new, words_of};

/// Alternatives of terms that must all hold.
type Condition = Vec<Vec<New>>;

/// Present lines, and what they depend on.
type Made = (Vec<Vec<New>>, Condition);

/// The present form of a line of this family.
pub(super) fn rule(words: &[&str]) -> Outcome {
    const WRITE: &str =
        "write an `http-request` or `http-response` rule for the header or path that is meant";
    let request = words[0].starts_with("req") || words[0] == "cliexp";
    let (verb, fold) = match words[0] {
        "cliexp" | "srvexp" => ("rep", false),
        word => match &word[3..] {
            "irep" | "idel" | "ideny" | "iallow" | "itarpit" | "isetbe" => (&word[4..], true),
            verb => (verb, false),
        },
    };
    let Some(pattern) = words.get(1) else { return Outcome::Impossible("it needs an argument") };
    let set = if request { "http-request" } else { "http-response" };
    let takes = if matches!(verb, "rep" | "setbe") { 3 } else { 2 };
    let second = words.get(2).copied().unwrap_or("");
    let old = Old { set, pattern, fold, request };
    let made = match verb {
        "add" => old.add(),
        "del" => old.delete(),
        "rep" => old.replace(second),
        "deny" | "allow" | "tarpit" => old.condition().map(|c| (vec![old.words(verb)], c)),
        "setbe" if second.is_empty() => None,
        "setbe" => old.condition().map(|c| (vec![vec![new("use_backend", 0), new(second, 2)]], c)),
        _ => None,
    };
    let tail: Vec<New> =
        words.get(takes..).unwrap_or_default().iter().enumerate().map(|(i, w)| new(*w, i + takes)).collect();
    let conditioned = |(lines, own): Made| -> Option<Vec<Vec<New>>> {
        lines.into_iter().map(|line| with_condition(line, &own, &tail)).collect()
    };
    made.and_then(conditioned).map_or(Outcome::Impossible(WRITE), Outcome::Lines)
}

/// An old line without its verb.
struct Old<'w> {
    set: &'static str,
    pattern: &'w str,
    fold: bool,
    request: bool,
}

impl Old<'_> {
    fn words(&self, action: &str) -> Vec<New> {
        words_of(&format!("{} {action}", self.set), 0)
    }

    fn add(&self) -> Option<Made> {
        let (name, value) = self.pattern.split_once(':')?;
        let mut line = self.words("add-header");
        line.push(new(name.trim(), 1));
        // An empty word would end the line; an expression may be empty.
        let value = if value.trim().is_empty() {
            "%[str()]".to_owned()
        } else {
            value.trim_start().replace('%', "%%")
        };
        line.push(new(value, 1));
        Some((vec![line], Vec::new()))
    }

    fn delete(&self) -> Option<Made> {
        let mut line = self.words("del-header");
        if let Some(HeaderLine { name, value, .. }) = header_line(self.pattern) {
            if any_value(&value) {
                line.push(new(name, 1));
                return Some((vec![line], Vec::new()));
            }
            // Only fields of that value are meant, the others must stay, and no rule deletes by value: emptied fields
            // are what comes nearest. An empty word would end the line; an expression may be empty.
            let mut line = self.words("replace-header");
            line.extend([new(name, 1), new(anchored(&value, self.fold), 1), new("%[str()]", 1)]);
            return Some((vec![line], Vec::new()));
        }
        let name = self.pattern.strip_prefix('^')?;
        if is_name(name) {
            line.push(new(name, 1));
            line.extend(words_of("-m beg", 0));
            return Some((vec![line], Vec::new()));
        }
        // An expression for the name, such as `^X-(A|B):`; a value behind it cannot be looked at.
        let (name, value) = name.split_once(':').unwrap_or((name, ""));
        if name.contains(' ') || !any_value(value.trim_start()) {
            return None;
        }
        let end = if self.pattern.contains(':') { "$" } else { "" };
        line.push(new(format!("(?i)^{name}{end}"), 1));
        line.extend(words_of("-m reg", 0));
        Some((vec![line], Vec::new()))
    }

    fn replace(&self, template: &str) -> Option<Made> {
        if let Some(header) = header_line(self.pattern) {
            return self.replace_header(&header, template).or_else(|| self.rename_header(&header, template));
        }
        match self.request {
            true if template.starts_with("\\0\n") => self.add_to_request(&template[3..]),
            true => self.replace_target(template).or_else(|| self.set_method(template)),
            false => self.set_status(template),
        }
    }

    fn replace_header(&self, header: &HeaderLine<'_>, template: &str) -> Option<Made> {
        let name = header.name;
        let text = match header.captured {
            // The template names the header again.
            None => {
                let (own, text) = template.split_once(':')?;
                own.trim().eq_ignore_ascii_case(name).then(|| text.trim_start().to_owned())?
            }
            // It begins with the group that held the name.
            Some(false) => shift_groups(template.strip_prefix("\\1")?.trim_start(), 1)?,
            Some(true) => template.starts_with("\\1").then(|| template.to_owned())?,
        };
        if text.is_empty() {
            return None;
        }
        let mut line = self.words("replace-header");
        let pattern = match header.value.as_str() {
            "" => "^.*".to_owned(),
            value => anchored(value, self.fold),
        };
        line.extend([new(name, 1), new(pattern, 1), new(text.replace('%', "%%"), 2)]);
        Some((vec![line], Vec::new()))
    }

    /// `^(Old:)(.*)` with `New:\2`: the field gets another name.
    fn rename_header(&self, header: &HeaderLine<'_>, template: &str) -> Option<Made> {
        let (name, value) = template.split_once(':').filter(|(name, _)| is_name(name))?;
        let group = if header.captured.is_some() { "\\2" } else { "\\1" };
        if !any_value(&header.value) || value.trim() != group {
            return None;
        }
        let fetch = format!("{}.hdr({})", if self.request { "req" } else { "res" }, header.name);
        let mut set = self.words("set-header");
        set.extend([new(name, 2), new(format!("%[{fetch}]"), 1)]);
        let mut delete = self.words("del-header");
        delete.push(new(header.name, 1));
        let mut term = vec![new("{", 0), new(fetch, 1)];
        term.extend(words_of("-m found }", 0));
        Some((vec![set, delete], vec![term]))
    }

    /// `\0`, a line end and a header: the request line stays and a header comes behind it.
    fn add_to_request(&self, header: &str) -> Option<Made> {
        let (name, value) = header.split_once(':').filter(|(name, _)| is_name(name))?;
        let value = value.trim();
        if value.is_empty() || value.contains(['\\', '\n']) {
            return None;
        }
        let mut line = self.words("add-header");
        line.extend([new(name, 2), new(value.replace('%', "%%"), 2)]);
        self.condition().map(|c| (vec![line], c))
    }

    /// `^([^ ]*) /a(.*)` with `\1 /b\2` works on the request line; the part after the method is the path with its query.
    fn replace_target(&self, template: &str) -> Option<Made> {
        let line = request_line(self.pattern)?;
        let (mut rest, version) = target(line.rest);
        // What the template says before the target, and how many groups that takes.
        let slash = matches!(line.captured, Some(text) if text.ends_with('/'));
        let (mut text, gone) = match (line.captured, line.methods.as_slice()) {
            (Some(""), _) => (template.strip_prefix("\\1 ")?, 1),
            (Some(_), _) => (template.strip_prefix("\\1")?, 1),
            (None, [one]) => (template.strip_prefix(*one)?.strip_prefix(' ')?, 0),
            (None, _) => return None,
        };
        match version {
            // The last group, or `HTTP/1.1`, on both sides.
            Some(version) => {
                let group = if version.starts_with('(') { groups(self.pattern) } else { 0 };
                let same = [format!(" \\{group}"), format!(" {version}")];
                let cut = same.iter().find_map(|end| text.strip_suffix(end.as_str()));
                text = match cut {
                    Some(cut) => cut,
                    None if group == 0 => &text[..text.find(" HTTP/").unwrap_or(text.len())],
                    None => return None,
                };
            }
            None => {
                text = &text[..text.find(" HTTP/").unwrap_or(text.len())];
                rest = rest.trim_end();
            }
        }
        let mut text = shift_groups(text, gone).filter(|text| slash || !text.is_empty())?.replace('%', "%%");
        let mut pattern = anchored(rest, false);
        if slash {
            text.insert(0, '/');
            pattern.insert(1, '/');
        }
        // Between target and version the old expression may have said "the end".
        if version.is_some() && !pattern.ends_with(['$', '*', '+']) && !pattern.ends_with("*)") {
            pattern.push('$');
        }
        let pattern = if self.fold { format!("(?i){pattern}") } else { pattern };
        let mut out = self.words("replace-pathq");
        out.extend([new(pattern, 1), new(text, 2)]);
        let condition = if line.methods.is_empty() { Vec::new() } else { vec![method_term(&line.methods)] };
        Some((vec![out], condition))
    }

    /// `^POST (.*)` with `GET \1`: only the method changes.
    fn set_method(&self, template: &str) -> Option<Made> {
        let line = request_line(self.pattern).filter(|l| l.captured.is_none() && l.methods.len() == 1)?;
        let (new_method, target) = template.split_once(' ')?;
        let word = !new_method.is_empty() && new_method.bytes().all(|b| b.is_ascii_uppercase());
        if !word || !any_value(line.rest) || target != "\\1" {
            return None;
        }
        let mut out = self.words("set-method");
        out.push(new(new_method, 2));
        Some((vec![out], vec![method_term(&line.methods)]))
    }

    /// `^HTTP/1.1 404.*` with `HTTP/1.1 200 OK`: the status line.
    fn set_status(&self, template: &str) -> Option<Made> {
        let (version, rest) = self.pattern.strip_prefix('^').unwrap_or(self.pattern).split_once(' ')?;
        let code = |text: &str| text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
        let old = rest.get(..3).filter(|c| version.starts_with("HTTP") && code(c))?;
        let mut words = template.splitn(3, ' ').skip(1);
        let status = words.next().filter(|c| code(c))?;
        let mut line = self.words("set-status");
        line.push(new(status, 2));
        if let Some(reason) = words.next().filter(|r| !r.contains('\\')) {
            line.extend([new("reason", 0), new(reason, 2)]);
        }
        let mut term = words_of("{ status", 0);
        term.extend([new(old, 1), new("}", 0)]);
        Some((vec![line], vec![term]))
    }

    /// What holds when the expression matches the first line or a header.
    fn condition(&self) -> Option<Condition> {
        let side = if self.request { "req" } else { "res" };
        if let Some(HeaderLine { name, value, .. }) = header_line(self.pattern) {
            let fetch = format!("{side}.hdr({name})");
            return Some(vec![if any_value(&value) {
                let mut term = vec![new("{", 0), new(fetch, 1)];
                term.extend(words_of("-m found }", 0));
                term
            } else {
                self.matches(&fetch, anchored(&value, false))
            }]);
        }
        if !self.pattern.starts_with('^') {
            return self.anywhere();
        }
        if !self.request {
            return None;
        }
        if let Some(line) = request_line(self.pattern) {
            let (rest, _) = target(line.rest);
            let mut term = if line.methods.is_empty() { Vec::new() } else { method_term(&line.methods) };
            if !any_value(rest) {
                term.extend(self.matches("pathq", anchored(&without_end(rest), false)));
            }
            return (!term.is_empty()).then(|| vec![term]);
        }
        // `^TRACE` and `^(PUT|DELETE)`: nothing but methods.
        let names = self.pattern[1..].trim_start_matches('(').trim_end_matches([')', '*', '.', ' ']);
        let plain = |m: &str| !m.is_empty() && m.bytes().all(|b| b.is_ascii_uppercase());
        let methods: Vec<&str> = names.split('|').collect();
        methods.iter().all(|m| plain(m)).then(|| vec![method_term(&methods)])
    }

    /// A pattern without a beginning was looked for in the first line and in every header.
    fn anywhere(&self) -> Option<Condition> {
        let places: &[&str] = if self.request { &["url", "req.hdrs"] } else { &["res.hdrs"] };
        Some(places.iter().map(|place| self.matches(place, self.pattern.to_owned())).collect())
    }

    /// `{ <fetch> -m reg <pattern> }`.
    fn matches(&self, fetch: &str, pattern: String) -> Vec<New> {
        let mut term = vec![new("{", 0), new(fetch, 1)];
        term.extend(words_of(if self.fold { "-m reg -i" } else { "-m reg" }, 0));
        term.extend([new(pattern, 1), new("}", 0)]);
        term
    }
}

fn method_term(methods: &[&str]) -> Vec<New> {
    let mut term = words_of("{ method", 0);
    term.extend(methods.iter().map(|m| new(*m, 1)));
    term.push(new("}", 0));
    term
}

/// `line` under the condition of the old expression and that of the old line.
fn with_condition(mut line: Vec<New>, own: &Condition, tail: &[New]) -> Option<Vec<New>> {
    if own.is_empty() || tail.is_empty() {
        if !own.is_empty() {
            line.push(new("if", 0));
            line.extend(own.join(&new("or", 0)));
        }
        line.extend_from_slice(tail);
        return Some(line);
    }
    let theirs: Condition = tail[1..].split(|(w, _)| w == "or" || w == "||").map(<[New]>::to_vec).collect();
    let theirs = match tail[0].0.as_str() {
        "if" => theirs,
        "unless" => vec![negated(theirs)?],
        _ => return None,
    };
    line.push(new("if", 0));
    let both = own.iter().flat_map(|a| theirs.iter().map(|b| [a.as_slice(), b.as_slice()].concat()));
    line.extend(both.collect::<Condition>().join(&new("or", 0)));
    Some(line)
}

/// Terms that hold when none of `alternatives` does; each must be a single one.
fn negated(alternatives: Condition) -> Option<Vec<New>> {
    let mut out = Vec::new();
    for mut term in alternatives {
        let braces = term.first().is_some_and(|(w, _)| w == "{" || w == "!{");
        let single = if braces { term.iter().position(|(w, _)| w == "}") } else { Some(0) };
        if term.is_empty() || single != Some(term.len() - 1) {
            return None;
        }
        let head = &mut term[0].0;
        *head = head.strip_prefix('!').map_or_else(|| format!("!{head}"), str::to_owned);
        out.extend(term);
    }
    Some(out)
}
