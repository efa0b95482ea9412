//! Files of `crt-list`: a certificate a line, options in brackets, the names it is shown for (configuration manual 5.1).

use crate::keyword::{self, Place};

/// A line that names a certificate.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry<'l> {
    /// Counted from one.
    pub(crate) line: usize,
    pub(crate) certificate: &'l str,
    /// Words in the brackets.
    pub(crate) options: Vec<&'l str>,
    pub(crate) filters: Vec<&'l str>,
}

/// A line that cannot be understood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Counted from one.
    pub(crate) line: usize,
    pub(crate) reason: String,
}

/// Options of `bind` lines that may stand in brackets, and whether a value follows.
const OPTIONS: [(&str, bool); 17] = [
    ("allow-0rtt", false),
    ("alpn", true),
    ("ca-file", true),
    ("ca-verify-file", true),
    ("ciphers", true),
    ("ciphersuites", true),
    ("client-sigalgs", true),
    ("crl-file", true),
    ("curves", true),
    ("ecdhe", true),
    ("no-alpn", false),
    ("no-ca-names", false),
    ("npn", true),
    ("sigalgs", true),
    ("ssl-max-ver", true),
    ("ssl-min-ver", true),
    ("verify", true),
];

/// The lines of a list, without comments and empty ones.
pub(crate) fn entries(text: &str) -> impl Iterator<Item = Result<Entry<'_>, Wrong>> {
    let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).map(|(number, line)| {
        entry(line, number).map_err(|reason| Wrong { line: number, reason: reason.to_owned() })
    })
}

fn entry(line: &str, number: usize) -> Result<Entry<'_>, &'static str> {
    let (before, options, after) = match line.split_once('[') {
        None if line.contains(']') => return Err("there is a `]` without `[`"),
        None => (line, "", ""),
        Some((before, rest)) => {
            let (options, after) = rest.split_once(']').ok_or("there is a `[` without `]`")?;
            (before, options, after)
        }
    };
    if options.contains('[') || after.contains(['[', ']']) {
        return Err("options stand in one pair of brackets");
    }
    let mut words = before.split_whitespace();
    let certificate = words.next().ok_or("a line starts with a certificate")?;
    let mut filters: Vec<&str> = words.collect();
    if !filters.is_empty() && !options.is_empty() {
        return Err("names stand behind the options");
    }
    filters.extend(after.split_whitespace());
    Ok(Entry { line: number, certificate, options: options.split_whitespace().collect(), filters })
}

impl<'l> Entry<'l> {
    /// The options with their values.
    pub(crate) fn options(&self) -> Result<Vec<(&'l str, Option<&'l str>)>, Wrong> {
        let wrong = |reason: String| Wrong { line: self.line, reason };
        let mut out = Vec::new();
        let mut words = self.options.iter().copied();
        while let Some(name) = words.next() {
            let known = OPTIONS.iter().find(|(option, _)| *option == name).map(|(_, value)| *value);
            let stored = || keyword::find(Place::Load, &[name]).map(|_| true);
            let with_value =
                known.or_else(stored).ok_or_else(|| wrong(format!("unknown option `{name}`")))?;
            let value = if with_value {
                Some(words.next().ok_or_else(|| wrong(format!("`{name}` needs a value")))?)
            } else {
                None
            };
            out.push((name, value));
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_a_certificate_options_and_names() {
        let text =
            "# comment\n\na.pem\n b.pem [alpn h2 no-ca-names] *.x.org !y.x.org\nc.pem[]z.org\nd.pem e.org";
        let all: Vec<_> = entries(text).map(Result::unwrap).collect();
        let names: Vec<_> = all.iter().map(|e| (e.line, e.certificate, e.filters.join(" "))).collect();
        assert_eq!(
            names,
            [
                (3, "a.pem", String::new()),
                (4, "b.pem", "*.x.org !y.x.org".to_owned()),
                (5, "c.pem", "z.org".to_owned()),
                (6, "d.pem", "e.org".to_owned())
            ]
        );
        assert_eq!(all[1].options(), Ok(vec![("alpn", Some("h2")), ("no-ca-names", None)]));
    }

    #[test]
    fn what_cannot_be_meant_is_told_with_its_line() {
        for line in
            ["a.pem [alpn h2", "a.pem alpn]", "[alpn h2] a.pem", "a.pem [x] [y]", "a.pem x.org [alpn h2]"]
        {
            let text = format!("ok.pem\n{line}");
            assert_eq!(entries(&text).nth(1).unwrap().unwrap_err().line, 2, "{line}");
        }
        for (options, word) in [("alpn", "needs a value"), ("mode http", "unknown option `mode`")] {
            let text = format!("a.pem [{options}]");
            let wrong = entries(&text).next().unwrap().unwrap().options().unwrap_err();
            assert!(wrong.reason.contains(word), "{}", wrong.reason);
        }
    }
}
