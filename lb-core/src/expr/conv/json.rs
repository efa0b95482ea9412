//! Look-ups in JSON documents and in the readable parts of JSON web tokens.
//!
//! The document is scanned, not built: a path is followed from value to value and everything
//! beside it is skipped. Nesting is limited, so hostile documents cost no more than their length.

use std::sync::Arc;

use super::base64;
use crate::expr::arg::{Arg, ArgType, Args};
use crate::expr::def::{Build, ConvDef};
use crate::expr::sample::{Sample, SampleType};
use crate::expr::{Env, leading_int};

/// Deepest nesting looked into.
const MAX_DEPTH: usize = 64;

const QUERY: &[ArgType] = &[ArgType::Str, ArgType::Str];

/// Converters on JSON text.
pub(super) static CONVERTERS: &[ConvDef] = &[
    ConvDef::new("json_query", SampleType::Str, SampleType::Any, |env, args, sample| {
        query(env, args, sample.bytes()?)
    })
    .args(1, QUERY)
    .prepare(prepare),
    ConvDef::new("jwt_header_query", SampleType::Bin, SampleType::Any, |env, args, sample| {
        token_part(env, args, sample, 0)
    })
    .args(0, QUERY)
    .prepare(prepare),
    ConvDef::new("jwt_payload_query", SampleType::Bin, SampleType::Any, |env, args, sample| {
        token_part(env, args, sample, 1)
    })
    .args(0, QUERY)
    .prepare(prepare),
];

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(Vec<u8>),
    Index(usize),
}

/// A compiled path and whether the value is wanted as an integer.
struct Query {
    path: Vec<Step>,
    as_int: bool,
}

fn prepare(args: &mut Args, _: &mut dyn Build) -> Result<(), String> {
    let Some(text) = args.str(0) else { return Ok(()) };
    let as_int = match args.str(1) {
        None => false,
        Some("int") => true,
        Some(other) => return Err(format!("output_type only supports \"int\" as argument, got '{other}'")),
    };
    let path = parse_path(text).ok_or_else(|| format!("json_path '{text}' is not a valid path"))?;
    args.set(0, Arg::Prepared(Arc::new(Query { path, as_int })));
    Ok(())
}

/// Parses `$.a.b[0].c\.d`.
fn parse_path(text: &str) -> Option<Vec<Step>> {
    let mut rest = text.as_bytes().strip_prefix(b"$")?;
    let mut path = Vec::new();
    loop {
        rest = match rest {
            [] => return Some(path),
            [b'.', tail @ ..] => {
                let (mut key, mut at) = (Vec::new(), 0);
                while let Some(&byte) = tail.get(at).filter(|byte| !matches!(byte, b'.' | b'[')) {
                    // A backslash takes the next byte as it is.
                    let escaped = byte == b'\\' && at + 1 < tail.len();
                    key.push(if escaped { tail[at + 1] } else { byte });
                    at += 1 + usize::from(escaped);
                }
                if key.is_empty() {
                    return None;
                }
                path.push(Step::Key(key));
                &tail[at..]
            }
            [b'[', tail @ ..] => {
                let end = memchr::memchr(b']', tail)?;
                path.push(Step::Index(std::str::from_utf8(&tail[..end]).ok()?.parse().ok()?));
                &tail[end + 1..]
            }
            _ => return None,
        };
    }
}

fn token_part<'a>(env: &Env<'a>, args: &Args, sample: Sample<'a>, part: usize) -> Option<Sample<'a>> {
    let encoded = sample.bytes()?.split(|byte| *byte == b'.').nth(part)?;
    let decoded = env.arena.try_build(|out| base64::decode(out, encoded, base64::URL))?;
    if args.is_empty() { Some(Sample::Str(decoded)) } else { query(env, args, decoded) }
}

fn query<'a>(env: &Env<'a>, args: &Args, document: &'a [u8]) -> Option<Sample<'a>> {
    let query = args.prepared::<Query>(0)?;
    let value = find(document, &query.path)?;
    match value.first()? {
        b't' => Some(Sample::Bool(true)),
        b'f' => Some(Sample::Bool(false)),
        b'"' => env.arena.try_build(|out| unescape(out, &value[1..value.len() - 1])).map(Sample::Str),
        b'[' => Some(Sample::Str(value)),
        b'{' | b'n' => None,
        _ if query.as_int => {
            // What JavaScript can hold exactly.
            const EXACT: i64 = 1 << 53;
            let number = leading_int(value).0;
            (-EXACT < number && number < EXACT).then_some(Sample::Int(number))
        }
        _ => {
            let number: f64 = std::str::from_utf8(value).ok()?.parse().ok()?;
            env.arena.build(|out| push_g(out, number)).map(Sample::Str)
        }
    }
}

/// The string at the end of a path of member names.
#[cfg(feature = "crypto")]
pub(super) fn text_at(document: &[u8], path: &[&str]) -> Option<Vec<u8>> {
    let path: Vec<Step> = path.iter().map(|name| Step::Key(name.as_bytes().to_vec())).collect();
    let value = find(document, &path)?;
    let inner = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let mut text = Vec::new();
    unescape(&mut text, inner)?;
    Some(text)
}

/// The text of the value at a path.
fn find<'d>(document: &'d [u8], path: &[Step]) -> Option<&'d [u8]> {
    let mut scanner = Scanner { text: document, at: 0 };
    scanner.blanks();
    for step in path {
        let wanted = match step {
            Step::Key(key) => scanner.member(key),
            Step::Index(index) => scanner.element(*index),
        };
        wanted?;
    }
    let start = scanner.at;
    scanner.value(0)?;
    Some(&document[start..scanner.at])
}

struct Scanner<'d> {
    text: &'d [u8],
    at: usize,
}

impl<'d> Scanner<'d> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Moves to the value of an object's member.
    fn member(&mut self, wanted: &[u8]) -> Option<()> {
        self.eat(b'{')?;
        loop {
            self.blanks();
            let key = self.string()?;
            self.blanks();
            self.eat(b':')?;
            self.blanks();
            if key == wanted {
                return Some(());
            }
            self.value(0)?;
            self.blanks();
            self.eat(b',')?;
        }
    }

    /// Moves to an element of an array.
    fn element(&mut self, mut index: usize) -> Option<()> {
        self.eat(b'[')?;
        self.blanks();
        if self.peek()? == b']' {
            return None;
        }
        while index > 0 {
            self.value(0)?;
            self.blanks();
            self.eat(b',')?;
            self.blanks();
            index -= 1;
        }
        Some(())
    }

    /// Moves behind the value here.
    fn value(&mut self, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match self.peek()? {
            b'"' => self.string().map(drop),
            b'{' => self.list(depth, b'}', true),
            b'[' => self.list(depth, b']', false),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            b'-' | b'0'..=b'9' => {
                self.at += 1;
                while matches!(self.peek(), Some(b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) {
                    self.at += 1;
                }
                Some(())
            }
            _ => None,
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.text[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    fn list(&mut self, depth: usize, close: u8, keyed: bool) -> Option<()> {
        self.at += 1;
        self.blanks();
        if self.eat(close).is_some() {
            return Some(());
        }
        loop {
            self.blanks();
            if keyed {
                self.string()?;
                self.blanks();
                self.eat(b':')?;
                self.blanks();
            }
            self.value(depth + 1)?;
            self.blanks();
            if self.eat(close).is_some() {
                return Some(());
            }
            self.eat(b',')?;
        }
    }

    /// The raw contents of the string here.
    fn string(&mut self) -> Option<&'d [u8]> {
        self.eat(b'"')?;
        let start = self.at;
        loop {
            match self.peek()? {
                b'"' => {
                    let text = &self.text[start..self.at];
                    self.at += 1;
                    return Some(text);
                }
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
    }
}

/// Appends a string's contents with its escapes resolved.
fn unescape(out: &mut Vec<u8>, mut text: &[u8]) -> Option<()> {
    while let Some(at) = memchr::memchr(b'\\', text) {
        out.extend_from_slice(&text[..at]);
        let (code, tail) = text[at + 1..].split_first()?;
        text = tail;
        match code {
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'"' | b'\\' | b'/' => out.push(*code),
            b'u' => {
                let mut unit = hex4(tail)?;
                text = &tail[4..];
                if (0xd800..0xdc00).contains(&unit) {
                    let low = hex4(text.strip_prefix(b"\\u")?)?;
                    if !(0xdc00..0xe000).contains(&low) {
                        return None;
                    }
                    text = &text[6..];
                    unit = 0x1_0000 + ((unit - 0xd800) << 10 | (low - 0xdc00));
                }
                let mut buffer = [0; 4];
                out.extend_from_slice(char::from_u32(unit)?.encode_utf8(&mut buffer).as_bytes());
            }
            _ => return None,
        }
    }
    out.extend_from_slice(text);
    Some(())
}

fn hex4(text: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(text.get(..4)?).ok()?;
    u32::from_str_radix(digits, 16).ok()
}

/// Appends a number as C's `%g` does: six significant digits, no trailing zeros.
fn push_g(out: &mut Vec<u8>, number: f64) {
    if number == 0.0 || !number.is_finite() {
        let text: &[u8] = if number == 0.0 { b"0" } else { b"inf" };
        out.extend_from_slice(text);
        return;
    }
    let scientific = format!("{number:.5e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| {
        let cut = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
        cut.to_owned()
    };
    let text = if (-4..6).contains(&exponent) {
        trim(&format!("{number:.*}", (5 - exponent).max(0) as usize))
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{}e{sign}{:02}", trim(mantissa), exponent.unsigned_abs())
    };
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(document: &str, path: &str) -> Option<String> {
        let path = parse_path(path)?;
        find(document.as_bytes(), &path).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    #[test]
    fn paths_lead_to_values() {
        let document = r#" {"a": {"b.c": [1, {"d": "x\"y"}, []]}, "e": null} "#;
        assert_eq!(look(document, "$.a.b\\.c[0]").as_deref(), Some("1"));
        assert_eq!(look(document, "$.a.b\\.c[1].d").as_deref(), Some(r#""x\"y""#));
        assert_eq!(look(document, "$.e").as_deref(), Some("null"));
        assert_eq!(look(document, "$.a.b\\.c[3]"), None);
        assert_eq!(look(document, "$.a.b\\.c[2][0]"), None);
        assert_eq!(look(document, "$.x"), None);
        assert_eq!(look("[[1],[2,3]]", "$[1][1]").as_deref(), Some("3"));
        for bad in ["a", "$a", "$.", "$[x]", "$[1"] {
            assert_eq!(parse_path(bad), None, "{bad}");
        }
    }

    #[test]
    fn broken_and_deep_documents_fail_without_harm() {
        for document in ["", "{", "{\"a\"", "{\"a\":", "[1,", "\"abc", "{\"a\":tru}", "\"a\\"] {
            look(document, "$.a");
            look(document, "$[1]");
            look(document, "$");
        }
        assert_eq!(look(&"[".repeat(100_000), "$"), None);
    }

    #[test]
    fn numbers_print_like_c() {
        for (number, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (100_000.0, "100000"),
            (1_234_567.0, "1.23457e+06"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (2.34567891, "2.34568"),
            (999_999.5, "1e+06"),
        ] {
            let mut out = Vec::new();
            push_g(&mut out, number);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
