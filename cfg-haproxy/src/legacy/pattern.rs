//! Regular expressions that the old keywords applied to the request line or to a header line as a whole, taken apart
//! into what the present rules look at separately: method, target, header name, header value.

/// The `find`th character of an expression that is neither escaped nor in a class, from the left.
pub(super) fn plain_position(pattern: &str, wanted: char) -> impl Iterator<Item = usize> + '_ {
    let mut escaped = false;
    let mut class = false;
    pattern.char_indices().filter_map(move |(at, c)| {
        let free = !escaped && !class;
        escaped = c == '\\' && !escaped;
        match c {
            '[' if free => class = true,
            ']' if class && !escaped => class = false,
            _ => {}
        }
        (free && c == wanted).then_some(at)
    })
}

/// How many groups an expression captures.
pub(super) fn groups(pattern: &str) -> usize {
    plain_position(pattern, '(').filter(|at| !pattern[at + 1..].starts_with('?')).count()
}

/// Where the group that starts `pattern` (behind its parenthesis) ends.
fn group_end(pattern: &str) -> Option<usize> {
    let mut depth = 0;
    let mut marks: Vec<(usize, char)> = plain_position(pattern, '(').map(|at| (at, '(')).collect();
    marks.extend(plain_position(pattern, ')').map(|at| (at, ')')));
    marks.sort_unstable();
    for (at, c) in marks {
        match c {
            '(' => depth += 1,
            _ if depth == 0 => return Some(at),
            _ => depth -= 1,
        }
    }
    None
}

/// What an expression says of a request line's method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequestLine<'p> {
    /// The methods it asks for; none if any will do.
    pub(super) methods: Vec<&'p str>,
    /// The text of the first group's end, if the method is captured: ` ` and `/` may belong to it.
    pub(super) captured: Option<&'p str>,
    /// What is left: the target, and perhaps the version.
    pub(super) rest: &'p str,
}

/// Expressions for "any method".
const ANY_METHOD: &[&str] = &[
    "[^ :]*",
    "[^ :]+",
    "[^: ]*",
    "[^: ]+",
    "[^ ]*",
    "[^ ]+",
    "[^:]*",
    "[^:]+",
    "[^\\s]*",
    "[^\\s]+",
    "[^\\ :]*",
    "[^\\ ]*",
    "\\S*",
    "\\S+",
    "\\w*",
    "\\w+",
    "[A-Z]*",
    "[A-Z]+",
    "[a-zA-Z]*",
    "[a-zA-Z]+",
    "[^\t :]*",
    ".*",
    ".+",
    ".*?",
    ".+?",
];

/// Takes the method off an expression for request lines.
pub(super) fn request_line(pattern: &str) -> Option<RequestLine<'_>> {
    let pattern = pattern.strip_prefix('^')?;
    let method = |text: &'_ str| -> bool { !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase()) };
    if let Some(inside) = pattern.strip_prefix('(').filter(|p| !p.starts_with('?')) {
        let end = group_end(inside)?;
        let (group, after) = (&inside[..end], &inside[end + 1..]);
        let text = group.trim_end_matches('/').trim_end_matches(' ');
        let captured = &group[text.len()..];
        if captured.contains('/') && !captured.starts_with(' ') {
            return None;
        }
        let methods: Vec<&str> =
            if ANY_METHOD.contains(&text) { Vec::new() } else { text.split('|').collect() };
        if !methods.iter().all(|m| method(m)) {
            return None;
        }
        let rest = if captured.is_empty() { after.strip_prefix(' ')? } else { after };
        return Some(RequestLine { methods, captured: Some(captured), rest });
    }
    if let Some(rest) = ANY_METHOD.iter().find_map(|m| pattern.strip_prefix(m)?.strip_prefix(' ')) {
        return Some(RequestLine { methods: Vec::new(), captured: None, rest });
    }
    let (name, rest) = pattern.split_once(' ')?;
    method(name).then(|| RequestLine { methods: vec![name], captured: None, rest })
}

/// A target's expression and what follows for the version, which is the part behind the last blank if there is one.
pub(super) fn target(rest: &str) -> (&str, Option<&str>) {
    match plain_position(rest, ' ').last() {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    }
}

/// A target's expression in which the blank that followed the target, where a class names it, is the target's end.
pub(super) fn without_end(target: &str) -> String {
    let mut out = String::new();
    let mut rest = target;
    while let Some(open) = plain_position(rest, '[').next() {
        let Some(close) = rest[open..].find(']').map(|at| open + at) else { break };
        let class = &rest[open + 1..close];
        out.push_str(&rest[..open]);
        match class.contains(' ') && !class.starts_with('^') {
            true => out.push_str(&format!("([{}]|$)", class.replace(' ', ""))),
            false => out.push_str(&rest[open..=close]),
        }
        rest = &rest[close + 1..];
    }
    out + rest
}

/// A header's name and the expression for its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HeaderLine<'p> {
    pub(super) name: &'p str,
    /// The expression for the value, without its anchor.
    pub(super) value: String,
    /// The first group held the name; with `true` it held (a part of) the value as well.
    pub(super) captured: Option<bool>,
}

/// Takes the name off an expression for header lines.
pub(super) fn header_line(pattern: &str) -> Option<HeaderLine<'_>> {
    let text = pattern.strip_prefix('^').unwrap_or(pattern);
    let inside = text.strip_prefix('(').filter(|p| !p.starts_with('?'));
    let (name, value) = inside.unwrap_or(text).split_once(':')?;
    if !is_name(name) {
        return None;
    }
    if inside.is_none() {
        return Some(HeaderLine { name, value: without_blanks(value).to_owned(), captured: None });
    }
    let end = group_end(value)?;
    let (group, after) = (without_blanks(&value[..end]), &value[end + 1..]);
    Some(match group {
        "" => HeaderLine { name, value: without_blanks(after).to_owned(), captured: Some(false) },
        group => HeaderLine { name, value: format!("({group}){after}"), captured: Some(true) },
    })
}

/// Whether `text` is the name of a header and no expression.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// The blanks behind the colon are no part of a value.
fn without_blanks(value: &str) -> &str {
    let starts = ["\\s*", "\\s+", "\\s?", " *", " +", " ?", "[ ]*", "[ \t]*", "[[:space:]]*"];
    starts.iter().find_map(|blank| value.strip_prefix(blank)).unwrap_or(value).trim_start()
}

/// Whether an expression matches every value.
pub(super) fn any_value(pattern: &str) -> bool {
    matches!(pattern, "" | "$" | ".*" | ".*$" | "(.*)" | "(.*)$" | ".+" | ".+$" | ".?")
}

/// `pattern` anchored at the beginning, and regardless of case if `fold`.
pub(super) fn anchored(pattern: &str, fold: bool) -> String {
    let anchored = if pattern.starts_with('^') { pattern.to_owned() } else { format!("^{pattern}") };
    if fold { format!("(?i){anchored}") } else { anchored }
}

/// The template without the first `by` groups, which are gone; nothing if it names one of them.
pub(super) fn shift_groups(template: &str, by: u32) -> Option<String> {
    let mut out = String::with_capacity(template.len());
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        let group = if c == '\\' { chars.peek().and_then(|d| d.to_digit(10)) } else { None };
        match group {
            None => out.push(c),
            Some(group) if group <= by && by > 0 => return None,
            Some(group) => {
                chars.next();
                out.push('\\');
                out.push_str(&(group - by).to_string());
            }
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_found_in_all_their_forms() {
        let line = |p| request_line(p).map(|l| (l.methods, l.captured, l.rest));
        assert_eq!(line("^([^ :]*) /a(.*)"), Some((vec![], Some(""), "/a(.*)")));
        assert_eq!(line("^([^ ]* /)foo[/]?(.*)"), Some((vec![], Some(" /"), "foo[/]?(.*)")));
        assert_eq!(line("^(GET|POST) /a"), Some((vec!["GET", "POST"], Some(""), "/a")));
        assert_eq!(line("^GET /foo"), Some((vec!["GET"], None, "/foo")));
        assert_eq!(line("^[^ ]* .*php"), Some((vec![], None, ".*php")));
        assert_eq!(line("^Host: a"), None);
        assert_eq!(line("(.*)foo"), None);
    }

    #[test]
    fn versions_are_told_from_targets() {
        assert_eq!(target("([^ ]*) (.*)$"), ("([^ ]*)", Some("(.*)$")));
        assert_eq!(target("/a HTTP/1.1"), ("/a", Some("HTTP/1.1")));
        assert_eq!(target("/[a b]"), ("/[a b]", None));
        assert_eq!(without_end("/img[/ ].*[^ ]"), "/img([/]|$).*[^ ]");
    }

    #[test]
    fn names_are_taken_off_header_lines() {
        let line = |p| header_line(p).map(|l| (l.name, l.value, l.captured));
        assert_eq!(line("^Host: (.*)"), Some(("Host", "(.*)".into(), None)));
        assert_eq!(line("^(Location:) http://(.*)"), Some(("Location", "http://(.*)".into(), Some(false))));
        assert_eq!(line("^(set-cookie:.*)"), Some(("set-cookie", "(.*)".into(), Some(true))));
        assert_eq!(line("^([^ :]*:) (.*)"), None);
        assert_eq!(line("^Server"), None);
    }

    #[test]
    fn groups_are_counted_outside_classes() {
        assert_eq!(groups("^([^ (]*) (?:a)(b)\\("), 2);
        assert_eq!(shift_groups("/\\2x\\3", 1).as_deref(), Some("/\\1x\\2"));
        assert_eq!(shift_groups("\\1", 1), None);
        assert_eq!(shift_groups("\\0\\1", 0).as_deref(), Some("\\0\\1"));
    }
}
