//! Expressions for the names of headers: which names one stands for.

use super::pattern::plain_position;

/// More names than this are not written out.
const MOST: usize = 16;

/// Request headers that an expression for any name is applied to.
const REQUEST: &[&str] = &[
    "Host",
    "Referer",
    "Origin",
    "Cookie",
    "Destination",
    "User-Agent",
    "Authorization",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
];

/// Response headers that an expression for any name is applied to.
const RESPONSE: &[&str] = &[
    "Location",
    "Content-Location",
    "Refresh",
    "Link",
    "Set-Cookie",
    "Content-Type",
    "Server",
    "X-Powered-By",
    "Access-Control-Allow-Origin",
];

/// The headers that are looked at when an expression stands for more names than can be written out.
pub(super) fn usual(request: bool, prefix: &str) -> Vec<&'static str> {
    let all = if request { REQUEST } else { RESPONSE };
    let starts =
        |name: &&str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    all.iter().copied().filter(starts).collect()
}

/// `pattern` and `template` once for every name: `^X-(A|B): (.*)` becomes `^X-A: (.*)` and `^X-B: (.*)`, and what the
/// groups of the name held is written into the template. Nothing if there are too many names.
pub(super) fn spelled(pattern: &str, template: &str) -> Option<Vec<(String, String)>> {
    let mut names = Names { rest: pattern.strip_prefix('^').unwrap_or(pattern), groups: 0 };
    let found = names.sequence()?;
    let value = names.rest.strip_prefix(':')?;
    if found.iter().any(|f| f.text.is_empty())
        || plain_position(value, '|').next().is_some() && !grouped(value)
    {
        return None;
    }
    let line = |f: &Found| (format!("^{}:{value}", f.text), written(template, &f.groups, names.groups));
    let mut out: Vec<(String, String)> = Vec::new();
    for name in &found {
        let (pattern, template) = line(name);
        if !out.iter().any(|(known, _)| known.eq_ignore_ascii_case(&pattern)) {
            out.push((pattern, template));
        }
    }
    Some(out)
}

/// Whether all alternatives stand inside groups.
fn grouped(value: &str) -> bool {
    plain_position(value, '|').all(|at| {
        let open = plain_position(&value[..at], '(').count();
        open > plain_position(&value[..at], ')').count()
    })
}

/// `template` with the first `own` groups written out and the others counted from one.
fn written(template: &str, groups: &[(usize, String)], own: usize) -> String {
    let mut out = String::with_capacity(template.len());
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        let digit = if c == '\\' { chars.peek().and_then(|d| d.to_digit(10)) } else { None };
        match digit.map(|d| d as usize) {
            None | Some(0) => out.push(c),
            Some(group) => {
                chars.next();
                match groups.iter().find(|(number, _)| *number == group) {
                    Some((_, text)) => out.push_str(text),
                    None if group <= own => {}
                    None => out.push_str(&format!("\\{}", group - own)),
                }
            }
        }
    }
    out
}

/// One name, and what each group held.
#[derive(Debug, Clone, Default)]
struct Found {
    text: String,
    groups: Vec<(usize, String)>,
}

/// Reads an expression for names from the left.
struct Names<'p> {
    rest: &'p str,
    groups: usize,
}

impl Names<'_> {
    fn eat(&mut self, wanted: char) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn alternatives(&mut self) -> Option<Vec<Found>> {
        let mut all = self.sequence()?;
        while self.eat('|') {
            all.extend(self.sequence()?);
        }
        Some(all)
    }

    /// Atoms one after the other, up to what ends a name.
    fn sequence(&mut self) -> Option<Vec<Found>> {
        let mut all = vec![Found::default()];
        while !self.rest.is_empty() && !self.rest.starts_with([':', ')', '|']) {
            let mut atom = self.atom()?;
            if self.eat('?') {
                atom.push(Found::default());
            } else if self.rest.starts_with(['*', '+', '{']) {
                return None;
            }
            let join = |a: &Found, b: &Found| Found {
                text: format!("{}{}", a.text, b.text),
                groups: [a.groups.as_slice(), b.groups.as_slice()].concat(),
            };
            all = all.iter().flat_map(|a| atom.iter().map(move |b| join(a, b))).collect();
            if all.len() > MOST {
                return None;
            }
        }
        Some(all)
    }

    fn atom(&mut self) -> Option<Vec<Found>> {
        let one = |c: char| Found { text: c.to_string(), groups: Vec::new() };
        let name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let first = self.rest.chars().next()?;
        self.rest = &self.rest[first.len_utf8()..];
        match first {
            '(' => {
                let number = if self.rest.starts_with("?:") {
                    self.rest = &self.rest[2..];
                    None
                } else {
                    self.groups += 1;
                    Some(self.groups)
                };
                let mut inside = self.alternatives().filter(|_| self.eat(')'))?;
                if let Some(number) = number {
                    inside.iter_mut().for_each(|f| f.groups.push((number, f.text.clone())));
                }
                Some(inside)
            }
            '[' => {
                let end = self.rest.find(']')?;
                let class = &self.rest[..end];
                self.rest = &self.rest[end + 1..];
                // A hyphen between two others is a range.
                let range = class.trim_matches('-').contains('-');
                (!class.is_empty() && class.len() <= MOST && !range && class.chars().all(name))
                    .then(|| class.chars().map(one).collect())
            }
            '\\' => {
                let next = self.rest.chars().next().filter(|c| *c == '-' || *c == '_')?;
                self.rest = &self.rest[1..];
                Some(vec![one(next)])
            }
            c => name(c).then(|| vec![one(c)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pattern: &str, template: &str) -> Vec<String> {
        let all = spelled(pattern, template).unwrap_or_default();
        all.into_iter().map(|(pattern, template)| format!("{pattern} {template}")).collect()
    }

    #[test]
    fn few_names_are_written_out_with_their_groups() {
        assert_eq!(lines(r"^X-(A|B):(.*)", r"X-\1:\2"), [r"^X-A:(.*) X-A:\1", r"^X-B:(.*) X-B:\1"]);
        assert_eq!(lines("^[Hh]osts?:a", "x"), ["^Hosts:a x", "^Host:a x"]);
        assert_eq!(lines(r"^(Y(-Z)?):(a|b)", r"\1\2:\3\0"), [r"^Y-Z:(a|b) Y-Z-Z:\1\0", r"^Y:(a|b) Y:\1\0"]);
        assert_eq!(lines(r"^(?:A\-b):", ""), ["^A-b: "]);
    }

    #[test]
    fn endless_and_unclear_names_are_left_to_others() {
        for pattern in
            ["^X-.*:", "^[a-z]:", "^[^:]*:", "^A", "^(A:|B:)x", "^A:x|B", "^(A|B|C|D)(E|F|G|H)(I|J):"]
        {
            assert!(spelled(pattern, "").is_none(), "{pattern}");
        }
        assert_eq!(usual(true, "x-"), ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"]);
        assert!(usual(false, "X-Unheard-Of-And-Longer-Than-Any-Of-Them").is_empty());
    }
}
