//! Words of one line: quotes, escapes, comments and variables (configuration manual 2.2 and 2.3).
//!
//! A word that is written plainly is a range of the source and copies nothing; a word with quotes, escapes or variables
//! has its value in the tree's arena. Backslash, double and single quotes and `#` are treated as the manual says; a
//! carriage return ends a line, because files edited elsewhere end in CR LF.

use crate::env::{Changes, Env};
use std::ops::Range;

/// A line may have at most this many words; HAProxy's own limit.
pub(crate) const MAX_WORDS: usize = 64;

/// One word of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RawWord {
    /// Where it is written, as offsets into the file.
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Where its value is in the arena; `None` if the value is what is written.
    pub(crate) owned: Option<(u32, u32)>,
    /// The value contains an unset variable and nothing else.
    pub(crate) unset: bool,
}

/// Why a line cannot be cut into words. The offset is in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LexError {
    Quote(usize),
    Brace(usize),
    VariableName(usize),
    Hex(usize),
    Expansion(usize),
    TooMany(usize),
    NotText(usize),
    Nul(usize),
}

impl LexError {
    pub(crate) fn offset(self) -> usize {
        match self {
            Self::Quote(at) | Self::Brace(at) | Self::VariableName(at) | Self::Hex(at) => at,
            Self::Expansion(at) | Self::TooMany(at) | Self::NotText(at) | Self::Nul(at) => at,
        }
    }
}

/// What variables may refer to while a line is read.
pub(crate) struct Scope<'a> {
    pub(crate) env: &'a dyn Env,
    pub(crate) changes: &'a Changes,
    pub(crate) branch: &'a str,
    pub(crate) version: &'a str,
    pub(crate) file: &'a str,
    pub(crate) line: u32,
    pub(crate) section: &'a str,
}

impl Scope<'_> {
    fn lookup(&self, name: &str) -> Option<String> {
        match name {
            "HAPROXY_BRANCH" => Some(self.branch.to_owned()),
            "HAPROXY_STARTUP_VERSION" => Some(self.version.to_owned()),
            _ => match self.changes.var(self.env, name) {
                Some(value) => Some(value.into_owned()),
                None => crate::formats::variable(name).map(str::to_owned),
            },
        }
    }
}

/// Cuts the line at `range` of `text` into words.
pub(crate) fn words(
    text: &str,
    range: Range<usize>,
    scope: &Scope<'_>,
    arena: &mut String,
    out: &mut Vec<RawWord>,
) -> Result<(), LexError> {
    let first = out.len();
    let end = range.end;
    let bytes = text.as_bytes();
    let mut at = range.start;
    loop {
        while at < end && is_space(bytes[at]) {
            at += 1;
        }
        if at >= end || matches!(bytes[at], b'#' | b'\n' | b'\r') {
            break;
        }
        if bytes[at] == 0 {
            return Err(LexError::Nul(at));
        }
        at = word(text, at..end, scope, arena, out)?;
        if out.len() - first > MAX_WORDS {
            return Err(LexError::TooMany(out[first + MAX_WORDS].start as usize));
        }
    }
    Ok(())
}

/// Replaces `$NAME` and `${NAME}` in `text`; unset variables become nothing.
pub(crate) fn expand(text: &str, env: &dyn Env, changes: &Changes) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let brace = rest.starts_with('{');
        let name_at = usize::from(brace);
        let length = rest[name_at..].bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let name = &rest[name_at..name_at + length];
        out.push_str(changes.var(env, name).as_deref().unwrap_or(""));
        rest = &rest[name_at + length..];
        rest = if brace { rest.strip_prefix('}').unwrap_or(rest) } else { rest };
    }
    out.push_str(rest);
    out
}

/// Reads one word (or, by `${X[*]}`, several or none) and says where it ends.
fn word(
    text: &str,
    range: Range<usize>,
    scope: &Scope<'_>,
    arena: &mut String,
    out: &mut Vec<RawWord>,
) -> Result<usize, LexError> {
    let bytes = text.as_bytes();
    let mut at = range.start;
    while at < range.end && is_plain(bytes[at]) {
        at += 1;
    }
    let done = at >= range.end || is_space(bytes[at]) || matches!(bytes[at], b'#' | b'\n' | b'\r');
    if done {
        out.push(RawWord { start: range.start as u32, end: at as u32, owned: None, unset: false });
        return Ok(at);
    }
    let mut rich = Rich {
        bytes,
        text,
        end: range.end,
        at,
        start: range.start,
        value: bytes[range.start..at].to_vec(),
        started: at > range.start,
        unset: false,
        expanded: false,
        emitted: 0,
    };
    rich.run(scope, arena, out)?;
    Ok(rich.at)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0x0b | 0x0c)
}

fn is_plain(byte: u8) -> bool {
    !matches!(byte, b' ' | b'\t' | 0x0b | 0x0c | b'"' | b'\'' | b'\\' | b'#' | b'\n' | b'\r' | 0)
}

/// A word with quotes, escapes or variables, being read.
struct Rich<'a> {
    bytes: &'a [u8],
    text: &'a str,
    end: usize,
    at: usize,
    start: usize,
    value: Vec<u8>,
    /// Something was written that makes a word even if its value is empty.
    started: bool,
    unset: bool,
    /// The word holds a `${X[*]}`, so an empty rest is no word.
    expanded: bool,
    emitted: usize,
}

impl Rich<'_> {
    fn run(&mut self, scope: &Scope<'_>, arena: &mut String, out: &mut Vec<RawWord>) -> Result<(), LexError> {
        while self.at < self.end {
            let at = self.at;
            match self.bytes[at] {
                b if is_space(b) => break,
                b'#' | b'\n' | b'\r' => break,
                0 => return Err(LexError::Nul(at)),
                b'\'' => self.single(at)?,
                b'"' => self.double(at, scope, arena, out)?,
                b'\\' => self.escape(false)?,
                b => self.push(b),
            }
        }
        if self.started || !self.value.is_empty() {
            self.emit(arena, out)?;
        }
        Ok(())
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        let at = self.at + ahead;
        if at < self.end { self.bytes.get(at).copied() } else { None }
    }

    fn push(&mut self, byte: u8) {
        self.value.push(byte);
        self.started = true;
        self.at += 1;
    }

    /// Strong quotes: nothing is interpreted.
    fn single(&mut self, quote: usize) -> Result<(), LexError> {
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\'' => {
                    self.at += 1;
                    self.started = true;
                    return Ok(());
                }
                b'\n' | b'\r' => break,
                0 => return Err(LexError::Nul(self.at)),
                _ => self.push(byte),
            }
        }
        Err(LexError::Quote(quote))
    }

    /// Weak quotes: escapes and variables are interpreted.
    fn double(
        &mut self,
        quote: usize,
        scope: &Scope<'_>,
        arena: &mut String,
        out: &mut Vec<RawWord>,
    ) -> Result<(), LexError> {
        self.at += 1;
        let mut only_expansion = false;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'"' => {
                    self.at += 1;
                    self.started |= !only_expansion;
                    return Ok(());
                }
                b'\\' => self.escape(true)?,
                b'$' => only_expansion |= self.variable(scope, arena, out)?,
                b'\n' | b'\r' => break,
                0 => return Err(LexError::Nul(self.at)),
                _ => self.push(byte),
            }
        }
        Err(LexError::Quote(quote))
    }

    fn escape(&mut self, quoted: bool) -> Result<(), LexError> {
        let (byte, length) = match self.peek(1) {
            Some(b @ (b' ' | b'\\' | b'#' | b'\'' | b'"')) => (b, 2),
            Some(b't') => (b'\t', 2),
            Some(b'n') => (b'\n', 2),
            Some(b'r') => (b'\r', 2),
            Some(b'$') if quoted => (b'$', 2),
            Some(b'x') => {
                let digit = |b: Option<u8>| b.and_then(|b| (b as char).to_digit(16));
                match (digit(self.peek(2)), digit(self.peek(3))) {
                    (Some(high), Some(low)) => ((high * 16 + low) as u8, 4),
                    _ => return Err(LexError::Hex(self.at)),
                }
            }
            // A backslash before anything else stays, which is what lets regular expressions be written plainly.
            _ => (b'\\', 1),
        };
        self.value.push(byte);
        self.started = true;
        self.at += length;
        Ok(())
    }

    /// `$NAME`, `${NAME}`, `${NAME-default}`, `${NAME[*]}`; says whether it was a word expansion.
    fn variable(
        &mut self,
        scope: &Scope<'_>,
        arena: &mut String,
        out: &mut Vec<RawWord>,
    ) -> Result<bool, LexError> {
        let dollar = self.at;
        self.at += 1;
        let brace = self.peek(0) == Some(b'{');
        self.at += usize::from(brace);
        let name_at = self.at;
        if !matches!(self.peek(0), Some(b) if b.is_ascii_alphabetic() || b == b'_' || b == b'.') {
            return Err(LexError::VariableName(self.at));
        }
        self.at += 1;
        while matches!(self.peek(0), Some(b) if b.is_ascii_alphanumeric() || b == b'_') {
            self.at += 1;
        }
        let name = &self.text[name_at..self.at];
        let mut value = match name {
            ".LINE" => Some(scope.line.to_string()),
            ".FILE" => Some(scope.file.to_owned()),
            ".SECTION" => Some(scope.section.to_owned()),
            _ if name.starts_with('.') => return Err(LexError::VariableName(name_at)),
            _ => scope.lookup(name),
        };
        let split = brace && self.peek(0) == Some(b'[');
        if split {
            if self.peek(1) != Some(b'*') || self.peek(2) != Some(b']') {
                return Err(LexError::Expansion(self.at));
            }
            self.at += 3;
        }
        if brace {
            if self.peek(0) == Some(b'-') {
                let from = self.at + 1;
                while matches!(self.peek(0), Some(b) if b != b'}') {
                    self.at += 1;
                }
                value.get_or_insert_with(|| self.text[from..self.at].to_owned());
            }
            if self.peek(0) != Some(b'}') {
                return Err(LexError::Brace(dollar));
            }
            self.at += 1;
        }
        self.insert(value, split, arena, out)?;
        Ok(split)
    }

    fn insert(
        &mut self,
        value: Option<String>,
        split: bool,
        arena: &mut String,
        out: &mut Vec<RawWord>,
    ) -> Result<(), LexError> {
        let Some(value) = value else {
            self.started |= !split;
            self.unset |= !split && self.value.is_empty();
            return Ok(());
        };
        if !split {
            self.value.extend_from_slice(value.as_bytes());
            self.started = true;
            return Ok(());
        }
        self.expanded = true;
        for (i, piece) in value.split(|c: char| c.is_ascii_whitespace()).enumerate() {
            if i > 0 && (self.started || !self.value.is_empty()) {
                self.emit(arena, out)?;
            }
            self.value.extend_from_slice(piece.as_bytes());
            self.started |= !piece.is_empty();
        }
        Ok(())
    }

    fn emit(&mut self, arena: &mut String, out: &mut Vec<RawWord>) -> Result<(), LexError> {
        // Only \xNN can make bytes that are no text; they would not survive as a Rust string.
        let Ok(value) = std::str::from_utf8(&self.value) else { return Err(LexError::NotText(self.start)) };
        let from = arena.len() as u32;
        arena.push_str(value);
        let unset = self.unset && value.is_empty();
        out.push(RawWord {
            start: self.start as u32,
            end: self.at as u32,
            owned: Some((from, value.len() as u32)),
            unset,
        });
        self.value.clear();
        self.started = false;
        self.unset = false;
        self.emitted += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn cut(line: &str) -> Result<Vec<String>, LexError> {
        let env = BTreeMap::from([
            ("A".to_owned(), "one two".to_owned()),
            ("E".to_owned(), String::new()),
            ("PORT".to_owned(), "80".to_owned()),
        ]);
        let changes = Changes::default();
        let scope = Scope {
            env: &env,
            changes: &changes,
            branch: "3.4",
            version: "3.4.0",
            file: "a.cfg",
            line: 7,
            section: "www",
        };
        let (mut arena, mut out) = (String::new(), Vec::new());
        words(line, 0..line.len(), &scope, &mut arena, &mut out)?;
        Ok(out
            .iter()
            .map(|w| match w.owned {
                Some((at, len)) => arena[at as usize..(at + len) as usize].to_owned(),
                None => line[w.start as usize..w.end as usize].to_owned(),
            })
            .collect())
    }

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        assert_eq!(cut(line).unwrap(), expected, "{line}");
    }

    #[test]
    fn blanks_separate_and_a_hash_ends_even_inside_a_word() {
        check("  bind\t*:80  # web", &["bind", "*:80"]);
        check("global#this", &["global"]);
        check("mode http\r", &["mode", "http"]);
        check("", &[]);
    }

    #[test]
    fn a_backslash_escapes_what_the_manual_lists_and_stays_otherwise() {
        check(r"a\ b \# \\ \' \x41 \n", &["a b", "#", "\\", "'", "A", "\n"]);
        check(r"reqrep ^([^\ :]*)\ /a\.b \1", &["reqrep", r"^([^ :]*) /a\.b", r"\1"]);
        check(
            r"rspadd X-Forwarded-Host:\ http:\\\\example.com",
            &["rspadd", r"X-Forwarded-Host: http:\\example.com"],
        );
        assert_eq!(cut(r"a \x4"), Err(LexError::Hex(2)));
    }

    #[test]
    fn quotes_join_with_what_touches_them() {
        check(r#"a"b c"d 'e "f'"#, &["ab cd", "e \"f"]);
        check(r#"x "" ''"#, &["x", "", ""]);
        check(r#""a\"b" '\n'"#, &["a\"b", r"\n"]);
        assert_eq!(cut(r#"a "b"#), Err(LexError::Quote(2)));
        assert_eq!(cut("a 'b"), Err(LexError::Quote(2)));
    }

    #[test]
    fn variables_live_in_double_quotes_only() {
        check(r#"":$PORT" $PORT '$PORT' "\$PORT""#, &[":80", "$PORT", "$PORT", "$PORT"]);
        check(r#""${NOPE-5s}" "${E-5s}" "${NOPE}""#, &["5s", "", ""]);
        check(r#""${.LINE}:${.FILE}:${.SECTION}""#, &["7:a.cfg:www"]);
        assert_eq!(cut(r#""${A""#), Err(LexError::Brace(1)));
        assert_eq!(cut(r#""$5""#), Err(LexError::VariableName(2)));
    }

    #[test]
    fn a_star_splits_a_variable_into_words() {
        check(r#"a "${A[*]}" b"#, &["a", "one", "two", "b"]);
        check(r#"a "${NOPE[*]}" b"#, &["a", "b"]);
        check(r#""x${A[*]}y""#, &["xone", "twoy"]);
        assert_eq!(cut(r#""${A[1]}""#), Err(LexError::Expansion(4)));
    }
}
