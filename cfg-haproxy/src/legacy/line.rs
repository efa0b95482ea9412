//! Expressions for which no present rule looks at the same part of a message: the first line is put together in a
//! variable, and the expression is applied to that.

use super::headers::{Made, Old};
use super::names::usual;
use super::pattern::{anchored, plain_position, shift_groups};
use super::{New, USUAL, new, words_of};

/// Holds the first line as it came.
const LINE: &str = "var(txn.old_line)";
/// Holds what becomes of it.
const CHANGED: &str = "var(txn.new_line)";

/// What a request came to in which a line was replaced by something that is none.
const BROKEN: &str = "deny deny_status 400";

impl Old<'_> {
    /// The rule that puts the first line together.
    pub(super) fn compose(&self) -> Vec<New> {
        let target = if self.pattern.contains("://") { "%[url]" } else { "%[pathq]" };
        let text = match self.request {
            true => format!("%[method] {target} HTTP/%[req.ver]"),
            false => "HTTP/%[res.ver] %[status]".to_owned(),
        };
        vec![new(self.set, 0), new("set-var-fmt(txn.old_line)", 0), new(text, 1)]
    }

    /// `{ var(txn.old_line) -m reg <pattern> }`.
    pub(super) fn first_line(&self) -> Vec<New> {
        let pattern = match (self.request, self.pattern.match_indices(' ').nth(1)) {
            // Nothing tells the reason of a status.
            (false, Some((at, _))) if self.pattern.trim_start_matches('^').starts_with("HTTP") => {
                &self.pattern[..at]
            }
            _ => self.pattern,
        };
        self.matches(LINE, pattern.to_owned())
    }

    /// `{ req.hdrs -m reg (?m)<pattern> }`: any header.
    pub(super) fn any_header(&self) -> Vec<New> {
        let fetch = if self.request { "req.hdrs" } else { "res.hdrs" };
        let lines = if self.pattern.starts_with('^') { "(?m)" } else { "" };
        self.matches(fetch, format!("{lines}{}", self.pattern))
    }

    /// Replaces what no simpler rule does.
    pub(super) fn replace_line(&self, template: &str) -> Option<Made> {
        if !self.request {
            return self.replace_any_header(template).or_else(|| self.broken(template));
        }
        if let Some(made) = self.broken(template) {
            return Some(made);
        }
        if self.names_a_header() {
            return self.replace_any_header(template);
        }
        let mut made = self.replace_any_header(template).unwrap_or_default();
        made.before = vec![self.compose(), self.words("unset-var(txn.new_line)")];
        // Headers are looked at when the expression is not found in the first line.
        if !made.lines.is_empty() {
            let mut unless = self.first_line();
            unless[0] = new("!{", 0);
            made.condition = vec![unless];
        }
        made.more = vec![(self.changed_line(template)?, vec![self.first_line()])];
        let found = || words_of("-m found }", 0);
        let absolute =
            template.split(' ').nth(1).is_some_and(|t| t.starts_with("http")) || self.pattern.contains("://");
        let target = if absolute { "set-uri" } else { "set-pathq" };
        for (action, word) in [("set-method", 1), (target, 2)] {
            let mut line = self.words(action);
            line.push(new(format!("%[{CHANGED},word({word},' ')]"), 2));
            line.extend([new("if", 0), new("{", 0), new(CHANGED, 0)]);
            line.extend(found());
            made.after.push(line);
        }
        Some(made)
    }

    /// The rule that keeps the changed line.
    fn changed_line(&self, template: &str) -> Option<Vec<New>> {
        let (pattern, template) = whole(self.pattern, template)?;
        let flags = if self.fold { ",i" } else { "" };
        let mut line = self.words("set-var(txn.new_line)");
        line.push(new(format!("{LINE},regsub('{pattern}','{template}'{flags})"), 1));
        Some(line)
    }

    /// A template that is neither a first line nor a header: servers and clients saw a broken message.
    fn broken(&self, template: &str) -> Option<Made> {
        let first = template.split(' ').next().unwrap_or("");
        let token = first.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if template.starts_with('\\') || template.contains(':') || (token && template.contains(' ')) {
            return None;
        }
        let line = match self.request {
            true => self.words(BROKEN),
            false => self.words("deny deny_status 502"),
        };
        let mut condition = vec![self.any_header()];
        if self.request {
            condition.insert(0, self.first_line());
        }
        let before = if self.request { vec![self.compose()] } else { Vec::new() };
        Some(Made { before, lines: vec![line], condition, ..Made::default() })
    }

    /// An expression for any header, once for each that is usual.
    fn replace_any_header(&self, template: &str) -> Option<Made> {
        let text = self.pattern.strip_prefix('^').unwrap_or(self.pattern);
        let (prefix, pattern, template) = match text.strip_prefix('(').and_then(|t| t.split_once("):")) {
            // `^([^:]*): (.*)` with `\1: \2`.
            Some((name, value)) if self.pattern.starts_with('^') && !name.contains(['(', ')']) => {
                let kept = template.strip_prefix("\\1:")?.trim_start();
                let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(name.len());
                (&name[..end], anchored(value.trim_start(), self.fold), shift_groups(kept, 1)?)
            }
            // `(.*)a(.*)` with `\1b\2`: the first group holds the name and the value's beginning.
            _ if text.starts_with("(.*") && template.starts_with("\\1") => {
                ("", anchored(text, self.fold), template.to_owned())
            }
            _ => return None,
        };
        let line = |name: &str| {
            let mut line = self.words("replace-header");
            line.extend([new(name, 1), new(&pattern, 1), new(template.replace('%', "%%"), 2)]);
            line
        };
        let lines: Vec<Vec<New>> = usual(self.request, prefix).into_iter().map(line).collect();
        (!lines.is_empty()).then(|| Made { lines, note: Some(USUAL), ..Made::default() })
    }
}

/// The expression for the whole line in which `pattern` is found, as what replaces it replaces all of the line.
pub(super) fn whole(pattern: &str, template: &str) -> Option<(String, String)> {
    if template.contains('\'') {
        return None;
    }
    let pattern = pattern.replace('\'', "\\x27");
    let all = template.contains("\\0");
    let kept = match all {
        true => renumbered(template)?,
        false => template.to_owned(),
    };
    let open = if all { "(" } else { "(?:" };
    let plain = pattern.strip_prefix('^').filter(|p| !all && plain_position(p, '|').next().is_none());
    let whole = match plain {
        Some(rest) if rest.ends_with('$') || rest.ends_with("(.*)") => format!("^{rest}"),
        Some(rest) => format!("^{rest}.*$"),
        None => format!("^.*?{open}{pattern}).*$"),
    };
    Some((whole, kept))
}

/// `template` with every group counted one higher.
fn renumbered(template: &str) -> Option<String> {
    let mut out = String::with_capacity(template.len());
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        if c == '\\'
            && let Some(group) = chars.peek().and_then(|d| d.to_digit(10))
        {
            chars.next();
            out.push(char::from_digit(group + 1, 10)?);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_line_is_replaced_whatever_part_of_it_matches() {
        let of = |p: &str, t: &str| whole(p, t).map(|(p, t)| format!("{p} {t}")).unwrap_or_default();
        assert_eq!(of("^POST /a(.*)", "x\\1"), "^POST /a(.*) x\\1");
        assert_eq!(of("^POST /a", "x"), "^POST /a.*$ x");
        assert_eq!(of("/a(.*)", "x\\1"), "^.*?(?:/a(.*)).*$ x\\1");
        assert_eq!(of("^a|b", "x"), "^.*?(?:^a|b).*$ x");
        assert_eq!(of("a(.)", "\\0\\1"), "^.*?(a(.)).*$ \\1\\2");
        assert_eq!(of("it's", "x"), "^.*?(?:it\\x27s).*$ x");
        assert!(whole("a", "it's").is_none());
        assert!(whole("a", "\\0\\9").is_none());
    }
}
