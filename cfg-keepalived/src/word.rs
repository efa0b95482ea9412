//! Lines to words.

use crate::codes;
use crate::mapped::Mapped;
use lb_core::diag::{Diagnostic, Span};
use std::ops::Range;

/// A word of a line, without its quotes, and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "text and place is all a word can be")]
pub struct Word {
    /// The text.
    pub text: String,
    /// Where it was written; the use of a definition if it came from one.
    pub span: Span,
}

impl Word {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

const BLANK: [char; 6] = [' ', '\t', '\n', '\r', '\u{b}', '\u{c}'];

/// Splits at blanks; `"a b"` is one word, and a quote in the middle of a word begins a new one.
pub(crate) fn split(line: &Mapped) -> Vec<Word> {
    let text = line.text();
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find(|c| !BLANK.contains(&c)).map(|n| at + n) {
        if text[start..].starts_with('"') {
            // An open quote was reported when the line was read; what follows it is not read.
            let Some(end) = text[start + 1..].find('"').map(|n| start + 1 + n) else { break };
            words.push(word(line, start + 1..end, start..end + 1));
            at = end + 1;
        } else {
            let end =
                text[start..].find(|c| c == '"' || BLANK.contains(&c)).map_or(text.len(), |n| start + n);
            words.push(word(line, start..end, start..end));
            at = end;
        }
    }
    words
}

fn word(line: &Mapped, text: Range<usize>, place: Range<usize>) -> Word {
    Word { text: line.text()[text].to_owned(), span: line.span(place) }
}

/// Splits a line whose arguments are commands: single and double quotes group, a backslash keeps the next character,
/// and quotes inside a word do not end it. With `escapes`, sequences such as `\n` and `\x41` are replaced.
pub(crate) fn split_quoted(line: &Mapped, escapes: bool) -> Result<Vec<Word>, Box<Diagnostic>> {
    let text = line.text();
    let bytes = text.as_bytes();
    let mut words = Vec::new();
    let mut at = 0;
    loop {
        at += text[at..].len() - text[at..].trim_start_matches(BLANK).len();
        if at >= bytes.len() {
            return Ok(words);
        }
        let start = at;
        let mut out = Vec::new();
        let mut quote = None;
        while at < bytes.len() {
            match (bytes[at], quote) {
                (b'\\', _) => at += escape(&bytes[at..], escapes, &mut out),
                (b, Some(q)) if b == q => {
                    quote = None;
                    at += 1;
                }
                (b @ (b'"' | b'\''), None) => {
                    quote = Some(b);
                    at += 1;
                }
                (b, None) if BLANK.contains(&char::from(b)) => break,
                (b, _) => {
                    out.push(b);
                    at += 1;
                }
            }
        }
        if let Some(quote) = quote {
            let quote = char::from(quote);
            let span = line.span(start..text.len());
            return Err(Box::new(
                Diagnostic::warning(codes::BAD_SCRIPT, span, format!("the quote `{quote}` is not closed"))
                    .compat(format!("String '{text}': missing terminating {quote}"))
                    .note("the line is ignored; keepalived crashes on it"),
            ));
        }
        words.push(Word { text: String::from_utf8_lossy(&out).into_owned(), span: line.span(start..at) });
    }
}

/// Reads the escape at the start of `rest`; returns how many bytes it takes.
fn escape(rest: &[u8], escapes: bool, out: &mut Vec<u8>) -> usize {
    let Some(&c) = rest.get(1) else {
        out.push(b'\\');
        return 1;
    };
    if !escapes {
        out.extend([b'\\', c]);
        return 2;
    }
    let hex: Vec<u8> = rest[2..].iter().take(2).copied().take_while(u8::is_ascii_hexdigit).collect();
    match c {
        b'x' if !hex.is_empty() => {
            out.push(number(&hex, 16));
            2 + hex.len()
        }
        b'c' if rest.len() > 2 => {
            out.push(rest[2] & 0x1f);
            3
        }
        b'0'..=b'7' => {
            let digits: Vec<u8> =
                rest[1..].iter().take(3).copied().take_while(|b| (b'0'..=b'7').contains(b)).collect();
            out.push(number(&digits, 8));
            1 + digits.len()
        }
        _ => {
            out.push(match c {
                b'a' => 0x07,
                b'b' => 0x08,
                b'E' => 0x1b,
                b'f' => 0x0c,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'v' => 0x0b,
                other => other,
            });
            2
        }
    }
}

/// The low eight bits of the number the digits stand for.
fn number(digits: &[u8], base: u32) -> u8 {
    let value = digits.iter().fold(0u32, |n, &d| (n * base) | char::from(d).to_digit(base).unwrap_or(0));
    value.to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use lb_core::diag::FileId;

    fn line(text: &str) -> Mapped {
        Mapped::verbatim(text, Span::new(FileId::default(), 0..text.len()))
    }

    fn plain(text: &str) -> Vec<String> {
        split(&line(text)).into_iter().map(|w| w.text).collect()
    }

    fn command(text: &str) -> Vec<String> {
        split_quoted(&line(text), true).unwrap().into_iter().map(|w| w.text).collect()
    }

    #[test]
    fn a_quote_in_the_middle_begins_a_new_word() {
        assert_eq!(plain("ab\"cd\" \"\" e"), ["ab", "cd", "", "e"]);
        assert_eq!(plain("script \"/bin/x 'a b'\" root"), ["script", "/bin/x 'a b'", "root"]);
        assert_eq!(plain("a \"b"), ["a"]);
    }

    #[test]
    fn commands_know_both_quotes_and_escapes() {
        assert_eq!(
            command("/x ' spaces\\\\x20f\\x69le ' '\\\"s p\\\"' plain"),
            ["/x", " spaces\\x20file ", "\"s p\"", "plain"]
        );
        assert_eq!(command("abcd\" efg h\"\" \"mn"), ["abcd efg h mn"]);
        assert_eq!(command("\\101\\t\\cA\\q"), ["A\t\u{1}q"]);
        assert!(split_quoted(&line("/x 'open"), true).is_err());
    }
}
