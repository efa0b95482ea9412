//! Text to [`Program`].
//!
//! Errors carry byte ranges of the text given; the dialect crate turns them into spans of its
//! file. Quoting rules inside parentheses are those of the manual, 7.3: single and double quotes
//! group, a backslash escapes, commas separate.

use super::arg::{Arg, ArgType, Args};
use super::def::{Build, ConvDef, FetchDef, Prepare};
use super::net;
use super::program::Program;
use super::regex::Regex;
use super::registry::Registry;
use super::sample::{Cast, leading_int};
use super::vars::VarName;

/// What is wrong with an expression, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
#[non_exhaustive]
pub struct ParseError {
    /// Index of the word, for texts given as words; 0 otherwise.
    pub word: usize,
    /// First offending byte.
    pub start: usize,
    /// End of the offending part.
    pub end: usize,
    /// What is wrong.
    pub kind: ErrorKind,
}

impl ParseError {
    pub(crate) fn new(start: usize, end: usize, kind: ErrorKind) -> Self {
        Self { word: 0, start, end, kind }
    }

    pub(crate) const fn in_word(mut self, word: usize) -> Self {
        self.word = word;
        self
    }
}

/// The kinds of [`ParseError`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Nothing where a fetch was expected.
    #[error("missing fetch method")]
    MissingFetch,
    /// No fetch of that name.
    #[error("unknown fetch method '{0}'")]
    UnknownFetch(String),
    /// No converter of that name.
    #[error("unknown converter '{0}'")]
    UnknownConverter(String),
    /// Something other than a comma after a keyword.
    #[error("missing comma after '{0}'")]
    MissingComma(String),
    /// The converter cannot work on what comes before it.
    #[error("converter '{name}' cannot be applied")]
    Incompatible {
        /// The converter.
        name: String,
    },
    /// A problem in an argument list.
    #[error("{keyword} : {reason}")]
    Argument {
        /// `fetch method 'x'` or `converter 'x'`.
        keyword: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A problem outside of expressions proper: matching methods, patterns, conditions, formats.
    #[error("{0}")]
    Other(String),
}

/// Whether `byte` may be part of a keyword.
pub(crate) const fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'+')
}

/// Parses a complete expression.
pub fn parse(text: &str, registry: &Registry, build: &mut dyn Build) -> Result<Program, ParseError> {
    let (program, used) = parse_prefix(text, registry, build)?;
    if used < text.len() {
        let keyword = program.text().to_owned();
        return Err(ParseError::new(used, text.len(), ErrorKind::MissingComma(keyword)));
    }
    Ok(program)
}

/// Parses an expression at the beginning of `text`; also returns the bytes used. What follows
/// (such as the `]` of a log format) is left to the caller.
pub fn parse_prefix(
    text: &str,
    registry: &Registry,
    build: &mut dyn Build,
) -> Result<(Program, usize), ParseError> {
    let (fetch, after) = fetch_keyword(text, registry)?;
    let (args, at) = fetch_args(fetch, text, after, build)?;
    let mut program = Program::new(fetch, args);
    let end = converters(&mut program, text, at, registry, build)?;
    program.set_text(&text[..end]);
    Ok((program, end))
}

/// Parses an expression that may go on in the following words (`src ipmask(24)`); returns the
/// number of words used. A word that is no known converter ends the expression.
pub fn parse_words(
    words: &[&str],
    registry: &Registry,
    build: &mut dyn Build,
) -> Result<(Program, usize), ParseError> {
    let first = words.first().copied().unwrap_or("");
    let mut program = parse(first, registry, build)?;
    let mut used = 1;
    while let Some(word) = words.get(used) {
        let name = &word[..keyword_len(word)];
        if name.is_empty() || registry.converter(name).is_none() {
            break;
        }
        let end = one_converter(&mut program, word, 0, registry, build)
            .and_then(|at| converters(&mut program, word, at, registry, build))
            .map_err(|e| e.in_word(used))?;
        if end < word.len() {
            let kind = ErrorKind::MissingComma(name.to_owned());
            return Err(ParseError::new(end, word.len(), kind).in_word(used));
        }
        used += 1;
    }
    if used > 1 {
        program.set_text(&words[..used].join(" "));
    }
    Ok((program, used))
}

fn keyword_len(text: &str) -> usize {
    text.bytes().take_while(|b| is_id_byte(*b)).count()
}

fn fetch_keyword(text: &str, registry: &Registry) -> Result<(&'static FetchDef, usize), ParseError> {
    let len = keyword_len(text);
    if len == 0 {
        return Err(ParseError::new(0, text.len().min(1), ErrorKind::MissingFetch));
    }
    let name = &text[..len];
    match registry.fetch(name) {
        Some(def) => Ok((def, len)),
        None => Err(ParseError::new(0, len, ErrorKind::UnknownFetch(name.to_owned()))),
    }
}

/// Parses the arguments of a fetch whose keyword ends at `at`; used for ACL keywords too.
pub(crate) fn fetch_args(
    fetch: &'static FetchDef,
    text: &str,
    at: usize,
    build: &mut dyn Build,
) -> Result<(Args, usize), ParseError> {
    let what = || format!("fetch method '{}'", fetch.name);
    let list = ArgList { types: fetch.args, required: fetch.required, prepare: fetch.prepare, what: &what };
    build.uses_fetch(fetch);
    list.parse(text, at, build)
}

/// Parses `,conv(args),conv…` from `at` on; returns where it stopped (end of text or the first
/// byte that is not a comma).
pub(crate) fn converters(
    program: &mut Program,
    text: &str,
    mut at: usize,
    registry: &Registry,
    build: &mut dyn Build,
) -> Result<usize, ParseError> {
    loop {
        let commas = text[at..].bytes().take_while(|b| *b == b',').count();
        if commas == 0 {
            return Ok(at);
        }
        at += commas;
        if at == text.len() {
            return Ok(at);
        }
        at = one_converter(program, text, at, registry, build)?;
    }
}

fn one_converter(
    program: &mut Program,
    text: &str,
    at: usize,
    registry: &Registry,
    build: &mut dyn Build,
) -> Result<usize, ParseError> {
    let len = keyword_len(&text[at..]);
    let name = &text[at..at + len];
    let Some(conv) = registry.converter(name) else {
        return Err(ParseError::new(at, at + len, ErrorKind::UnknownConverter(name.to_owned())));
    };
    if program.out().cast_to(conv.input) == Cast::Never {
        return Err(ParseError::new(at, at + len, ErrorKind::Incompatible { name: name.to_owned() }));
    }
    let (args, end) = conv_args(conv, text, at + len, build)?;
    program.push(conv, args);
    Ok(end)
}

fn conv_args(
    conv: &'static ConvDef,
    text: &str,
    at: usize,
    build: &mut dyn Build,
) -> Result<(Args, usize), ParseError> {
    let what = || format!("converter '{}'", conv.name);
    let list = ArgList { types: conv.args, required: conv.required, prepare: conv.prepare, what: &what };
    build.uses_converter(conv);
    list.parse(text, at, build)
}

/// One argument list to parse.
struct ArgList<'a> {
    types: &'static [ArgType],
    required: usize,
    prepare: Option<Prepare>,
    what: &'a dyn Fn() -> String,
}

impl ArgList<'_> {
    fn parse(&self, text: &str, at: usize, build: &mut dyn Build) -> Result<(Args, usize), ParseError> {
        let present = text[at..].starts_with('(');
        let (mut values, end) = if present {
            self.parenthesised(text, at, build)?
        } else {
            let mut values = Vec::new();
            if self.required > 0 {
                // Mandatory arguments that default to the current proxy may be left out entirely.
                self.value(self.types[0], "", build)
                    .map(|value| values.push(value))
                    .map_err(|_| self.error(at, at, self.missing(0)))?;
            }
            (values, at)
        };
        if values.len() < self.required {
            return Err(self.error(at, end, self.missing(values.len())));
        }
        values.truncate(self.types.len());
        let mut args = Args::new(values);
        if let Some(prepare) = self.prepare {
            prepare(&mut args, build).map_err(|reason| self.error(at, end, reason))?;
        }
        Ok((args, end))
    }

    fn parenthesised(
        &self,
        text: &str,
        at: usize,
        build: &mut dyn Build,
    ) -> Result<(Vec<Arg>, usize), ParseError> {
        let mut values = Vec::new();
        let mut pos = at + 1;
        loop {
            let start = pos;
            let (word, end) = unquote(text, start).map_err(|reason| self.error(start, text.len(), reason))?;
            let last = text[end..].starts_with(')');
            let index = values.len();
            match self.types.get(index) {
                // `name()` with nothing inside is an empty list, unless an argument is mandatory.
                None if index == 0 && word.is_empty() && last => {}
                None => {
                    let reason = format!("expected ')' before '{}'", &text[start..]);
                    return Err(self.error(start, end, reason));
                }
                Some(_) if index == 0 && word.is_empty() && last && self.required == 0 => {}
                Some(ty) => values.push(self.value(*ty, &word, build).map_err(|e| {
                    self.error(start, end, e.unwrap_or_else(|| self.wrong(&word, *ty, index)))
                })?),
            }
            if last {
                return Ok((values, end + 1));
            }
            pos = end + 1;
        }
    }

    /// Parses one value; `Err(None)` asks for the generic message.
    fn value(&self, ty: ArgType, word: &str, build: &mut dyn Build) -> Result<Arg, Option<String>> {
        match ty {
            ArgType::Str => Ok(Arg::Str(word.into())),
            ArgType::Userlist => {
                build.refers(ty, word).map_err(Some)?;
                Ok(Arg::Str(word.into()))
            }
            ArgType::Int => {
                let (value, used) = leading_int(word.as_bytes());
                if word.is_empty() || used != word.len() { Err(None) } else { Ok(Arg::Int(value)) }
            }
            ArgType::Time => parse_time_ms(word).map(Arg::Int).ok_or(None),
            ArgType::Size => parse_size(word).map(Arg::Int).ok_or(None),
            ArgType::Ipv4 => net::parse_ipv4(word.as_bytes()).map(Arg::Ipv4).ok_or(None),
            ArgType::Mask4 => net::parse_mask4(word).map(|m| Arg::Ipv4(m.into())).ok_or(None),
            ArgType::Mask6 => net::parse_mask6(word).map(|m| Arg::Ipv6(m.into())).ok_or(None),
            ArgType::Frontend | ArgType::Backend | ArgType::Table => {
                let name = implied_proxy(word, build)?;
                if ty == ArgType::Table {
                    build.uses_table(&name);
                }
                build.refers(ty, &name).map_err(Some)?;
                Ok(Arg::Str(name))
            }
            ArgType::Server => {
                let arg = server_arg(word, build)?;
                if let Arg::Server { backend, server } = &arg {
                    build.refers(ty, &format!("{backend}/{server}")).map_err(Some)?;
                }
                Ok(arg)
            }
            ArgType::Regex => match Regex::new(word, false) {
                Ok(regex) => Ok(Arg::Regex(note_backtracking(regex, build))),
                Err(e) => Err(Some(e.to_string())),
            },
            ArgType::Var => VarName::parse(word).map(Arg::Var).map_err(Some),
            ArgType::Fields => word
                .split('.')
                .map(|part| part.parse::<u64>().ok())
                .collect::<Option<_>>()
                .map(Arg::Fields)
                .ok_or(None),
        }
    }

    fn missing(&self, got: usize) -> String {
        format!(
            "missing arguments (got {got}/{}), type '{}' expected",
            self.required,
            self.types.get(got).map_or("any", |ty| ty.name())
        )
    }

    fn wrong(&self, word: &str, ty: ArgType, index: usize) -> String {
        if word.is_empty() {
            format!("expected type '{}' at position {}, but got nothing", ty.name(), index + 1)
        } else {
            format!("failed to parse '{word}' as type '{}' at position {}", ty.name(), index + 1)
        }
    }

    fn error(&self, start: usize, end: usize, reason: String) -> ParseError {
        ParseError::new(start, end.max(start), ErrorKind::Argument { keyword: (self.what)(), reason })
    }
}

fn implied_proxy(word: &str, build: &dyn Build) -> Result<Box<str>, Option<String>> {
    if !word.is_empty() {
        return Ok(word.into());
    }
    build.proxy().map(Into::into).ok_or(None)
}

fn server_arg(word: &str, build: &dyn Build) -> Result<Arg, Option<String>> {
    let (backend, server) = match word.split_once('/') {
        Some((backend, server)) => (backend.into(), server),
        None => (implied_proxy("", build)?, word),
    };
    if server.is_empty() {
        return Err(None);
    }
    Ok(Arg::Server { backend, server: server.into() })
}

fn note_backtracking(regex: Regex, build: &mut dyn Build) -> Regex {
    if regex.backtracks() {
        build.backtracking_regex(regex.pattern());
    }
    regex
}

/// Reads one argument from `start`: returns its unquoted text and the position of the `,` or `)`
/// behind it.
fn unquote(text: &str, start: usize) -> Result<(String, usize), String> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let (mut at, mut quote) = (start, None);
    while let Some(&byte) = bytes.get(at) {
        match (byte, quote) {
            (b'"' | b'\'', None) => quote = Some(byte),
            (_, Some(open)) if byte == open => quote = None,
            (b'\\', None | Some(b'"')) if at + 1 < bytes.len() => {
                let escaped = match bytes[at + 1] {
                    same @ (b'\\' | b' ' | b'"' | b'\'') => Some(same),
                    b'r' => Some(b'\r'),
                    b'n' => Some(b'\n'),
                    b't' => Some(b'\t'),
                    _ => None,
                };
                out.push(escaped.unwrap_or(b'\\'));
                at += usize::from(escaped.is_some());
            }
            (b',' | b')', None) => {
                let word = String::from_utf8(out).map_err(|_| "invalid quoting".to_owned())?;
                return Ok((word, at));
            }
            _ => out.push(byte),
        }
        at += 1;
    }
    Err("expected ')'".to_owned())
}

/// Parses a duration such as `10s` into milliseconds.
pub fn parse_time_ms(text: &str) -> Option<i64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let value: i64 = text[..digits].parse().ok()?;
    match &text[digits..] {
        "" | "ms" => Some(value),
        "us" => Some(value.checked_add(999)? / 1000),
        "s" => value.checked_mul(1000),
        "m" => value.checked_mul(60_000),
        "h" => value.checked_mul(3_600_000),
        "d" => value.checked_mul(86_400_000),
        _ => None,
    }
}

/// Parses a size such as `10k` into bytes.
pub fn parse_size(text: &str) -> Option<i64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let value: i64 = text[..digits].parse().ok()?;
    let shift = match &text[digits..] {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        _ => return None,
    };
    value.checked_mul(1 << shift)
}
