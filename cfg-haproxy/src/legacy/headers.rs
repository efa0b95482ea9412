//! The `req*` and `rsp*` family: one expression for the request line and all headers became rules for each part.

use super::names::spelled;
use super::pattern::{
    HeaderLine, anchored, any_value, groups, header_line, is_name, plain_position, request_line,
    shift_groups, target, without_end,
};
use super::{EMPTIED, New, Outcome, new, words_of};

/// Alternatives of terms that must all hold.
type Condition = Vec<Vec<New>>;

/// Present lines, and what they depend on.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// Lines that come first, under no condition.
    pub(super) before: Vec<Vec<New>>,
    pub(super) lines: Vec<Vec<New>>,
    /// When `lines` apply.
    pub(super) condition: Condition,
    /// Lines under conditions of their own.
    pub(super) more: Vec<(Vec<New>, Condition)>,
    /// Lines that come last and have their condition.
    pub(super) after: Vec<Vec<New>>,
    /// What is said of lines that do not do the whole of it.
    pub(super) note: Option<&'static str>,
}

impl Made {
    fn when(lines: Vec<Vec<New>>, condition: Condition) -> Self {
        Self { lines, condition, ..Self::default() }
    }

    /// All lines, with the condition of the old line added to those that have one.
    fn lines(self, tail: &[New]) -> Option<Vec<Vec<New>>> {
        let conditioned = self.lines.into_iter().map(|line| (line, self.condition.clone())).chain(self.more);
        let mut out = self.before;
        for (line, condition) in conditioned {
            out.push(with_condition(line, &condition, tail)?);
        }
        out.extend(self.after);
        Some(out)
    }
}

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
    let tail: Vec<New> =
        words.get(takes..).unwrap_or_default().iter().enumerate().map(|(i, w)| new(*w, i + takes)).collect();
    if verb == "rep" && !request && old.only_version(second) {
        return Outcome::Dropped("the version of a response is that of the connection");
    }
    let named = match verb {
        "rep" if header_line(pattern).is_none() => spelled(pattern, second),
        "del" if header_line(pattern).is_none() && !old.any_of_name() => spelled(pattern, second),
        _ => None,
    };
    let made: Option<Vec<Made>> = match &named {
        Some(names) => {
            let each = names.iter().map(|(pattern, second)| Old { pattern, ..old }.made(verb, second));
            each.collect()
        }
        None => old.made(verb, second).map(|made| vec![made]),
    };
    let note = made.iter().flatten().find_map(|made| made.note);
    let lines =
        made.and_then(|all| all.into_iter().map(|made| made.lines(&tail)).collect::<Option<Vec<_>>>());
    match lines {
        Some(lines) => match note {
            Some(note) => Outcome::Near(lines.concat(), note),
            None => Outcome::Lines(lines.concat()),
        },
        None => Outcome::Impossible(WRITE),
    }
}

/// An old line without its verb.
#[derive(Clone, Copy)]
pub(super) struct Old<'w> {
    pub(super) set: &'static str,
    pub(super) pattern: &'w str,
    pub(super) fold: bool,
    pub(super) request: bool,
}

impl Old<'_> {
    pub(super) fn words(&self, action: &str) -> Vec<New> {
        words_of(&format!("{} {action}", self.set), 0)
    }

    fn made(&self, verb: &str, second: &str) -> Option<Made> {
        match verb {
            "add" => self.add(),
            "del" => self.delete(),
            "rep" => self.replace(second),
            "deny" | "allow" | "tarpit" => self.under_condition(self.words(verb)),
            "setbe" if second.is_empty() => None,
            "setbe" => self.under_condition(vec![new("use_backend", 0), new(second, 2)]),
            _ => None,
        }
    }

    /// `line` when the expression matches the first line or a header.
    fn under_condition(&self, line: Vec<New>) -> Option<Made> {
        if let Some(condition) = self.condition() {
            return Some(Made::when(vec![line], condition));
        }
        if self.names_a_header() {
            return Some(Made::when(vec![line], vec![self.any_header()]));
        }
        let status = !self.request && self.pattern.trim_start_matches('^').starts_with("HTTP");
        let mut condition = vec![self.first_line()];
        if !status {
            condition.push(self.any_header());
        }
        Some(Made { before: vec![self.compose()], ..Made::when(vec![line], condition) })
    }

    /// Whether the expression begins with one for the name of a header: its colon stands before any blank.
    pub(super) fn names_a_header(&self) -> bool {
        let colon = plain_position(self.pattern, ':').next();
        let blank = plain_position(self.pattern, ' ').next();
        let first = colon.is_some_and(|colon| blank.is_none_or(|blank| colon < blank));
        first && self.pattern.starts_with('^') && !self.pattern.starts_with("^HTTP")
    }

    /// Whether every value of the header is meant.
    fn any_of_name(&self) -> bool {
        self.pattern.split_once(':').is_some_and(|(_, value)| any_value(value.trim_start()))
    }

    /// `^HTTP/1.0 (.*)` with `HTTP/1.1 \1`: the status stays.
    fn only_version(&self, template: &str) -> bool {
        let status = template.strip_prefix("HTTP/").and_then(|t| t.split_once(' '));
        self.pattern.trim_start_matches('^').starts_with("HTTP/")
            && status.is_some_and(|(_, s)| s.starts_with('\\'))
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
        Some(Made::when(vec![line], Vec::new()))
    }

    fn delete(&self) -> Option<Made> {
        let mut line = self.words("del-header");
        if let Some(HeaderLine { name, value, .. }) = header_line(self.pattern) {
            if any_value(&value) {
                line.push(new(name, 1));
                return Some(Made::when(vec![line], Vec::new()));
            }
            return Some(self.delete_value(name, line, &value));
        }
        let name = self.pattern.strip_prefix('^').unwrap_or(self.pattern);
        let from_start = name.len() < self.pattern.len();
        if is_name(name) {
            line.push(new(name, 1));
            line.extend(words_of(if from_start { "-m beg" } else { "-m sub" }, 0));
            return Some(Made::when(vec![line], Vec::new()));
        }
        // An expression for the name, such as `^X-(A|B):`; a value behind it cannot be looked at.
        let (name, value) = name.split_once(':').unwrap_or((name, ""));
        if name.contains(' ') || !any_value(value.trim_start()) {
            return None;
        }
        let end = if self.pattern.contains(':') { "$" } else { "" };
        let start = if from_start { "^" } else { "" };
        line.push(new(format!("(?i){start}{name}{end}"), 1));
        line.extend(words_of("-m reg", 0));
        Some(Made::when(vec![line], Vec::new()))
    }

    /// Only fields of that value are meant, the others must stay, and no rule deletes by value: of several fields, those
    /// that are meant become empty. An empty word would end the line; an expression may be empty.
    fn delete_value(&self, name: &str, mut delete: Vec<New>, value: &str) -> Made {
        delete.push(new(name, 1));
        let fetch = self.header(name);
        let mut only = vec![new("{", 0), new(fetch.replace("fhdr", "fhdr_cnt"), 1)];
        only.extend(words_of("1 }", 0));
        only.extend(self.matches(&fetch, anchored(value, false)));
        let mut empty = self.words("replace-header");
        empty.extend([new(name, 1), new(anchored(value, self.fold), 1), new("%[str()]", 1)]);
        let more = vec![(empty, Vec::new())];
        Made { more, note: Some(EMPTIED), ..Made::when(vec![delete], vec![only]) }
    }

    fn replace(&self, template: &str) -> Option<Made> {
        if let Some(header) = header_line(self.pattern) {
            let made =
                self.replace_header(&header, template).or_else(|| self.rename_header(&header, template));
            return made.or_else(|| self.other_header(&header, template));
        }
        let made = match self.request {
            true if template.starts_with("\\0\n") => self.add_to_request(&template[3..]),
            true => self.replace_target(template).or_else(|| self.set_method(template)),
            false => self.set_status(template),
        };
        made.or_else(|| self.replace_line(template))
    }

    fn replace_header(&self, header: &HeaderLine<'_>, template: &str) -> Option<Made> {
        let name = header.name;
        let text = match header.captured {
            // The template names the header again, or repeats all of it.
            None if template.starts_with("\\0") => template.to_owned(),
            None => {
                let (own, text) = template.split_once(':')?;
                own.trim().eq_ignore_ascii_case(name).then(|| text.trim_start().to_owned())?
            }
            // It begins with the group that held the name.
            Some(false) => shift_groups(template.strip_prefix("\\1")?.trim_start(), 1)?,
            Some(true) => template.starts_with("\\1").then(|| template.to_owned())?,
        };
        // An empty word would end the line; an expression may be empty.
        let text = if text.is_empty() { "%[str()]".to_owned() } else { text.replace('%', "%%") };
        let mut line = self.words("replace-header");
        let pattern = match header.value.as_str() {
            "" => "^.*".to_owned(),
            value => anchored(value, self.fold),
        };
        line.extend([new(name, 1), new(pattern, 1), new(text, 2)]);
        Some(Made::when(vec![line], Vec::new()))
    }

    /// `^(Old:)(.*)` with `New:\2`: the field gets another name.
    fn rename_header(&self, header: &HeaderLine<'_>, template: &str) -> Option<Made> {
        let (name, value) = template.split_once(':').filter(|(name, _)| is_name(name))?;
        let group = if header.captured.is_some() { "\\2" } else { "\\1" };
        if !any_value(&header.value) || value.trim() != group {
            return None;
        }
        let fetch = self.header(header.name);
        let mut set = self.words("set-header");
        set.extend([new(name, 2), new(format!("%[{fetch}]"), 1)]);
        let mut delete = self.words("del-header");
        delete.push(new(header.name, 1));
        let mut term = vec![new("{", 0), new(fetch, 1)];
        term.extend(words_of("-m found }", 0));
        Some(Made::when(vec![set, delete], vec![term]))
    }

    /// Another header by an expression for the value, or a template that is no header at all.
    fn other_header(&self, header: &HeaderLine<'_>, template: &str) -> Option<Made> {
        let fetch = self.header(header.name);
        let found = match any_value(&header.value) || header.value.is_empty() {
            true => [vec![new("{", 0), new(&fetch, 1)], words_of("-m found }", 0)].concat(),
            false => self.matches(&fetch, anchored(&header.value, false)),
        };
        let mut delete = self.words("del-header");
        delete.push(new(header.name, 1));
        let Some((name, text)) = template.split_once(':').filter(|(name, _)| is_name(name)) else {
            // Servers refused what was left; clients overlooked it.
            let line = if self.request { self.words("deny deny_status 400") } else { delete };
            return (!template.starts_with('\\')).then(|| Made::when(vec![line], vec![found]));
        };
        let text = shift_groups(text.trim_start(), u32::from(header.captured.is_some()))?;
        let mut add = self.words("add-header");
        let mut lines = Vec::new();
        if text.contains('\\') {
            let (pattern, text) = super::line::whole(&anchored(&header.value, false), &text)?;
            let flags = if self.fold { ",i" } else { "" };
            let mut keep = self.words("set-var(txn.new_line)");
            keep.push(new(format!("{fetch},regsub('{pattern}','{text}'{flags})"), 1));
            lines.push(keep);
            add.extend([new(name, 2), new("%[var(txn.new_line)]", 2)]);
        } else {
            let text = if text.is_empty() { "%[str()]".to_owned() } else { text.replace('%', "%%") };
            add.extend([new(name, 2), new(text, 2)]);
        }
        lines.extend([add, delete]);
        Some(Made::when(lines, vec![found]))
    }

    /// The fetch for whole values of a header.
    fn header(&self, name: &str) -> String {
        format!("{}.fhdr({name})", if self.request { "req" } else { "res" })
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
        self.condition().map(|c| Made::when(vec![line], c))
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
        // A target with its scheme and host is more than a path.
        let action = if rest.contains("://") { "replace-uri" } else { "replace-pathq" };
        let mut out = self.words(action);
        out.extend([new(pattern, 1), new(text, 2)]);
        let condition = if line.methods.is_empty() { Vec::new() } else { vec![method_term(&line.methods)] };
        Some(Made::when(vec![out], condition))
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
        Some(Made::when(vec![out], vec![method_term(&line.methods)]))
    }

    /// `^HTTP/1.1 404.*` with `HTTP/1.1 200 OK`: the status line.
    fn set_status(&self, template: &str) -> Option<Made> {
        let (version, rest) = self.pattern.strip_prefix('^').unwrap_or(self.pattern).split_once(' ')?;
        let code = |text: &str| text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
        if !version.starts_with("HTTP") {
            return None;
        }
        let old = rest.get(..3).filter(|c| code(c));
        let mut words = template.splitn(3, ' ').skip(1);
        let status = words.next().filter(|c| code(c))?;
        let mut line = self.words("set-status");
        line.push(new(status, 2));
        if let Some(reason) = words.next().filter(|r| !r.contains('\\')) {
            line.extend([new("reason", 0), new(reason, 2)]);
        }
        let Some(old) = old else {
            let condition = vec![self.first_line()];
            return Some(Made { before: vec![self.compose()], ..Made::when(vec![line], condition) });
        };
        let mut term = words_of("{ status", 0);
        term.extend([new(old, 1), new("}", 0)]);
        Some(Made::when(vec![line], vec![term]))
    }

    /// What holds when the expression matches the first line or a header.
    fn condition(&self) -> Option<Condition> {
        if let Some(HeaderLine { name, value, .. }) = header_line(self.pattern) {
            let fetch = self.header(name);
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
        // What may be a method, a version or two parts of the line is not in the target alone.
        let upper = self.pattern.as_bytes().windows(3).any(|w| w.iter().all(u8::is_ascii_uppercase));
        if upper || self.pattern.contains([' ', '^']) {
            return None;
        }
        let places: &[&str] = if self.request { &["url", "req.hdrs"] } else { &["res.hdrs"] };
        Some(places.iter().map(|place| self.matches(place, self.pattern.to_owned())).collect())
    }

    /// `{ <fetch> -m reg <pattern> }`.
    pub(super) fn matches(&self, fetch: &str, pattern: String) -> Vec<New> {
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
