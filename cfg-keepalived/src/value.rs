//! Words to values, by the grammar in the table, with the original's words for what is wrong.

use crate::codes;
use crate::keyword::{Arg, Body, Keyword, Kind};
use crate::tree::Statement;
use crate::word::{self, Word};
use lb_core::diag::{Diagnostic, Diagnostics, Span, Spanned};
use std::net::IpAddr;
use std::time::Duration;

/// An argument that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Word(String),
    Bool(bool),
    Int(i64),
    Micros(u64),
    Address(IpAddr),
}

/// The arguments of a statement; those that were not understood are left out and reported.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values {
    items: Vec<Option<Spanned<Value>>>,
    head: Span,
}

impl Values {
    fn at(&self, index: usize) -> Option<Spanned<Value>> {
        self.items.get(index).cloned().flatten()
    }

    /// The first argument, if it is a number that fits.
    pub(crate) fn number<T: TryFrom<i64>>(&self) -> Option<Spanned<T>> {
        self.number_at(0)
    }

    pub(crate) fn number_at<T: TryFrom<i64>>(&self, index: usize) -> Option<Spanned<T>> {
        let Spanned { value: Value::Int(n), span } = self.at(index)? else { return None };
        T::try_from(n).ok().map(|n| Spanned::new(n, span))
    }

    /// Whole seconds.
    pub(crate) fn seconds(&self) -> Option<Spanned<Duration>> {
        self.number::<u64>().map(|n| n.map(Duration::from_secs))
    }

    /// Decimal seconds.
    pub(crate) fn duration(&self) -> Option<Spanned<Duration>> {
        let Spanned { value: Value::Micros(n), span } = self.at(0)? else { return None };
        Some(Spanned::new(Duration::from_micros(n), span))
    }

    pub(crate) fn word(&self) -> Option<Spanned<String>> {
        self.word_at(0)
    }

    pub(crate) fn word_at(&self, index: usize) -> Option<Spanned<String>> {
        let Spanned { value: Value::Word(text), span } = self.at(index)? else { return None };
        Some(Spanned::new(text, span))
    }

    pub(crate) fn address(&self) -> Option<Spanned<IpAddr>> {
        let Spanned { value: Value::Address(address), span } = self.at(0)? else { return None };
        Some(Spanned::new(address, span))
    }

    /// A switch: on if nothing follows it, otherwise what is said; nothing if that is no boolean.
    pub(crate) fn switch(&self) -> Option<Spanned<bool>> {
        if self.items.is_empty() {
            return Some(Spanned::new(true, self.head));
        }
        let Spanned { value: Value::Bool(on), span } = self.at(0)? else { return None };
        Some(Spanned::new(on, span))
    }

    /// The keyword alone says it.
    pub(crate) fn flag(&self) -> Option<Spanned<bool>> {
        Some(Spanned::new(true, self.head))
    }
}

/// Reads the arguments of `statement`. `owner` is the name of the block it stands in, for the original's messages.
/// Returns nothing if a required one is missing.
pub(crate) fn read(statement: &Statement, owner: &str, out: &mut Diagnostics) -> Option<Values> {
    let keyword = statement.keyword;
    let words = argument_words(statement, out)?;
    let mut values = Values { items: Vec::new(), head: statement.keyword_span() };
    let mut given = words.iter();
    for arg in keyword.args {
        if arg.many {
            let mut any = false;
            for word in given.by_ref() {
                any = true;
                values.items.push(one(keyword, arg, word, owner, out));
            }
            if !any && !arg.optional {
                missing(statement, owner, out);
                return None;
            }
            continue;
        }
        match given.next() {
            Some(word) => values.items.push(one(keyword, arg, word, owner, out)),
            None if arg.optional => {}
            None => {
                missing(statement, owner, out);
                return None;
            }
        }
    }
    let rest: Vec<&Word> = given.collect();
    if keyword.exact.is_some() && !rest.is_empty() {
        missing(statement, owner, out);
        return None;
    }
    // Words before or instead of a list's brace were told when the braces were sorted out.
    if matches!(keyword.body, Body::Values(_) | Body::Optional(_)) {
        return Some(values);
    }
    if let (Some(first), Some(last)) = (rest.first(), rest.last()) {
        extra(keyword, first.span.to(last.span), out);
    }
    Some(values)
}

/// The words after the keyword; those of a script line are split by the rules of commands.
fn argument_words(statement: &Statement, out: &mut Diagnostics) -> Option<Vec<Word>> {
    if !statement.keyword.is_script() {
        return Some(statement.args().to_vec());
    }
    match word::split_quoted(&statement.line, false) {
        Ok(words) => Some(words.into_iter().skip(1).collect()),
        Err(diagnostic) => {
            // A quote open at the end of the line was reported when the line was read.
            if statement.line.text().bytes().filter(|&b| b == b'"').count() % 2 == 0 {
                out.push(*diagnostic);
            }
            None
        }
    }
}

fn missing(statement: &Statement, owner: &str, out: &mut Diagnostics) {
    let keyword = statement.keyword;
    let name = keyword.name;
    let end = statement.words.last().map_or(statement.span, |w| w.span).after();
    let given = !statement.args().is_empty();
    let message = format!("`{name}` {}", if given { "takes no further words" } else { "lacks its value" });
    let usage = format!("usage: `{}`", keyword.usage());
    let of_more = keyword.exact.filter(|words| given && !words.is_empty());
    let compat = of_more.unwrap_or(keyword.when_missing);
    if compat.is_empty() {
        out.push(lacking(&statement.words, message).note(usage));
    } else {
        let diagnostic = Diagnostic::warning(codes::NOT_SET, end, message);
        out.push(diagnostic.compat(compat.replace("{name}", owner)).note(usage).note("it is ignored"));
    }
}

/// What is said of a line that ends before it has said everything. The original ends then.
pub(crate) fn lacking(words: &[Word], message: String) -> Diagnostic {
    let (first, last) = (words.first().map_or("", Word::as_str), words.last().map_or("", Word::as_str));
    let end = words.last().map_or_else(Span::default, |word| word.span).after();
    let compat = format!(
        "*** Configuration line starting `{first}` is missing a parameter after keyword `{last}` at word position {}",
        words.len() + 1
    );
    Diagnostic::error(codes::MISSING_VALUE, end, message).compat(compat)
}

fn extra(keyword: &Keyword, span: Span, out: &mut Diagnostics) {
    let name = keyword.name;
    let mut diagnostic = Diagnostic::warning(
        codes::EXTRA_WORDS,
        span,
        format!("`{name}` takes no further words; these are ignored"),
    )
    .note(format!("usage: `{}`", keyword.usage()));
    if keyword.is_script() {
        diagnostic = diagnostic.note("put the command and its arguments in double quotes to pass them on");
    }
    out.push(diagnostic);
}

fn one(
    keyword: &Keyword,
    arg: &Arg,
    word: &Word,
    owner: &str,
    out: &mut Diagnostics,
) -> Option<Spanned<Value>> {
    let text = word.text.as_str();
    let value = match arg.kind {
        Kind::Word | Kind::Script => Ok(Value::Word(text.to_owned())),
        Kind::Bool => boolean(text).map(Value::Bool).ok_or_else(|| Problem::word("one of `on` and `off`")),
        Kind::OneOf(list) => {
            // The original compares protocols alone without regard to case.
            let same =
                |w: &&&str| **w == text || (keyword.name == "protocol" && w.eq_ignore_ascii_case(text));
            if let Some(word) = list.iter().find(same) {
                Ok(Value::Word((*word).to_owned()))
            } else {
                Err(Problem::choice(text, list))
            }
        }
        Kind::Int(low, high) => integer(text, low, high, !keyword.strict).map(Value::Int),
        Kind::Seconds(low, high) => decimal(text, low, high).map(Value::Micros),
        Kind::Milliseconds(low, high) => scaled(text, low * 1000, high * 1000, 3).map(Value::Micros),
        Kind::Address => host(word, out).map(Value::Address).ok_or_else(Problem::address),
    };
    match value {
        Ok(value) => Some(Spanned::new(value, word.span)),
        Err(problem) => {
            let option = arg.optional && !keyword.option_complaint.is_empty();
            let complaint = if option { keyword.option_complaint } else { keyword.complaint };
            let complaint = named(keyword, complaint, owner, text);
            let taken = problem.taken.clone();
            out.push(problem.diagnostic(keyword, word, complaint));
            taken.map(|value| Spanned::new(value, word.span))
        }
    }
}

/// The original's second message, with the names put in.
pub(crate) fn complaint(keyword: &Keyword, owner: &str, value: &str) -> String {
    named(keyword, keyword.complaint, owner, value)
}

fn named(keyword: &Keyword, complaint: &str, owner: &str, value: &str) -> String {
    complaint.replace("{name}", owner).replace("{value}", value).replace("{keyword}", keyword.name)
}

/// Why a word is no value.
pub(crate) struct Problem {
    expected: String,
    compat: String,
    suggestion: Option<String>,
    code: lb_core::diag::Code,
    /// What the original takes nevertheless.
    taken: Option<Value>,
}

impl Problem {
    fn word(expected: &str) -> Self {
        Self {
            expected: format!("expected {expected}"),
            compat: String::new(),
            suggestion: None,
            code: codes::BAD_WORD,
            taken: None,
        }
    }

    fn choice(text: &str, list: &[&str]) -> Self {
        let quoted: Vec<String> = list.iter().map(|w| format!("`{w}`")).collect();
        let folded = list.iter().find(|w| w.eq_ignore_ascii_case(text)).copied();
        let suggestion = folded.or_else(|| crate::suggest::nearest(text, list.iter().copied()));
        let mut problem = Self::word(&quoted.join(" or "));
        problem.suggestion = suggestion.map(str::to_owned);
        problem
    }

    fn address() -> Self {
        Self { code: codes::BAD_ADDRESS, ..Self::word("an IPv4 or IPv6 address") }
    }

    fn number(expected: String, compat: String) -> Self {
        Self { expected, compat, suggestion: None, code: codes::BAD_NUMBER, taken: None }
    }

    /// The original's message about the number alone.
    pub(crate) fn compat(&self) -> &str {
        &self.compat
    }

    pub(crate) fn expected(&self) -> &str {
        &self.expected
    }

    fn diagnostic(self, keyword: &Keyword, word: &Word, complaint: String) -> Diagnostic {
        let message = format!("`{}` is no value for `{}`", word.text, keyword.name);
        let mut diagnostic = Diagnostic::warning(self.code, word.span, message).note(self.expected);
        let compat =
            [self.compat, complaint].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join("\n");
        let compat = if compat.is_empty() {
            format!("invalid {} {} specified", keyword.name, word.text)
        } else {
            compat
        };
        diagnostic = diagnostic.compat(compat);
        if let Some(better) = self.suggestion {
            diagnostic = diagnostic.suggest(word.span, better.clone(), format!("did you mean `{better}`?"));
        }
        match self.taken {
            Some(Value::Int(n)) => diagnostic.note(format!("{n} is taken")),
            _ => diagnostic.note("it is ignored"),
        }
    }
}

/// The words for true and false.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        "on" | "true" | "yes" => Some(true),
        "off" | "false" | "no" => Some(false),
        _ => None,
    }
}

/// An address, without brackets or prefix.
pub(crate) fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

/// The address of a host. The original cuts off a prefix length or the end of a range in silence.
pub(crate) fn host(word: &Word, out: &mut Diagnostics) -> Option<IpAddr> {
    let text = word.text.as_str();
    let end = text.find(['/', '-']).unwrap_or(text.len());
    let address = address(&text[..end])?;
    if end < text.len() {
        let message = format!("an address is expected here; `{}` is ignored", &text[end..]);
        out.push(Diagnostic::warning(codes::EXTRA_WORDS, word.span, message));
    }
    Some(address)
}

/// A whole number in a range. With `lenient`, digits followed by something else are taken, as the original does.
pub(crate) fn integer(text: &str, low: i64, high: i64, lenient: bool) -> Result<i64, Problem> {
    let expected = format!("expected a whole number from {low} to {high}");
    let trimmed = text.trim_start();
    let signed = low < 0;
    if !signed && trimmed.starts_with('-') {
        return Err(Problem::number(expected, format!("negative number '{text}'")));
    }
    let digits_from = usize::from(trimmed.starts_with(['-', '+']));
    let length = trimmed[digits_from..].bytes().take_while(u8::is_ascii_digit).count();
    let number = &trimmed[..digits_from + length];
    // An empty word counts as 0, as the C library reads it.
    let value = if length == 0 { Some(0) } else { number.parse::<i64>().ok() };
    if digits_from + length != trimmed.len() {
        let mut problem = Problem::number(expected, format!("invalid number '{text}'"));
        problem.taken = value.filter(|n| lenient && length > 0 && (low..=high).contains(n)).map(Value::Int);
        return Err(problem);
    }
    let (least, most, kind) = if signed {
        (i64::from(i32::MIN), i64::from(i32::MAX), "integer")
    } else {
        (0, i64::from(u32::MAX), "unsigned integer")
    };
    match value {
        Some(n) if (low..=high).contains(&n) => Ok(n),
        Some(n) if (least..=most).contains(&n) => {
            Err(Problem::number(expected, format!("number '{text}' outside range [{low}, {high}]")))
        }
        _ => Err(Problem::number(expected, format!("number '{text}' outside {kind} range"))),
    }
}

/// Decimal seconds in a range of microseconds.
pub(crate) fn decimal(text: &str, low: u64, high: u64) -> Result<u64, Problem> {
    scaled(text, low, high, 6)
}

/// A decimal number with so many places at most, in a range of its smallest units.
pub(crate) fn scaled(text: &str, low: u64, high: u64, places: usize) -> Result<u64, Problem> {
    let unit = 10u64.pow(u32::try_from(places).unwrap_or(0));
    let shown = |n: u64| format!("{}.{:0places$}", n / unit, n % unit);
    let expected = if high == u64::MAX {
        format!("expected a number from {}", shown(low))
    } else {
        format!("expected a number from {} to {}", shown(low), shown(high))
    };
    if text.starts_with('-') {
        return Err(Problem::number(expected, format!("negative number '{text}'")));
    }
    // Blanks and a sign may stand before it, as the C library reads numbers.
    let unsigned = text.trim_start();
    let unsigned = unsigned.strip_prefix('+').unwrap_or(unsigned);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let plain = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let long = (fraction.len() > places).then(|| format!("number '{text}' has too many decimal places"));
    let bare = whole.is_empty() && fraction.is_empty() && !unsigned.is_empty();
    if !plain(whole) || !plain(fraction) || bare {
        let all: Vec<String> = long.into_iter().chain([format!("invalid number '{text}'")]).collect();
        return Err(Problem::number(expected, all.join("\n")));
    }
    if let Some(long) = long {
        return Err(Problem::number(expected, long));
    }
    let whole: Option<u64> = if whole.is_empty() { Some(0) } else { whole.parse().ok() };
    let rest: u64 = format!("{fraction:0<places$}").parse().unwrap_or(0);
    match whole.and_then(|n| n.checked_mul(unit)).and_then(|n| n.checked_add(rest)) {
        Some(n) if (low..=high).contains(&n) => Ok(n),
        Some(_) => Err(Problem::number(
            expected,
            format!("number '{text}' outside range [{}, {}]", shown(low), shown(high)),
        )),
        None => Err(Problem::number(expected, format!("number '{text}' outside unsigned decimal range"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint_of<T>(result: Result<T, Problem>) -> String {
        result.err().map(|p| p.compat).unwrap_or_default()
    }

    #[test]
    fn numbers_are_refused_with_the_original_words() {
        assert_eq!(complaint_of(integer("0", 1, 255, true)), "number '0' outside range [1, 255]");
        assert_eq!(complaint_of(integer("100abc", 1, 255, true)), "invalid number '100abc'");
        assert_eq!(complaint_of(integer("-1", 0, 9, true)), "negative number '-1'");
        assert_eq!(
            complaint_of(integer("99999999999", 0, 9, true)),
            "number '99999999999' outside unsigned integer range"
        );
        assert_eq!(complaint_of(integer("300", -254, 254, true)), "number '300' outside range [-254, 254]");
        assert_eq!(
            complaint_of(decimal("0", 1, 4_294_967_295)),
            "number '0' outside range [0.000001, 4294.967295]"
        );
        assert_eq!(
            complaint_of(decimal("1.2345678", 0, u64::MAX)),
            "number '1.2345678' has too many decimal places"
        );
        assert_eq!(decimal("2.71828", 0, u64::MAX).ok(), Some(2_718_280));
        assert_eq!(integer(" +7", 1, 9, true).ok(), Some(7));
        assert_eq!(decimal(".5", 0, u64::MAX).ok(), Some(500_000));
        assert_eq!(decimal(" +1.5", 0, u64::MAX).ok(), Some(1_500_000));
        assert_eq!(complaint_of(decimal("+-5", 0, 9)), "invalid number '+-5'");
        assert_eq!(complaint_of(decimal("+", 1, 9)), "number '+' outside range [0.000001, 0.000009]");
    }

    #[test]
    fn a_lenient_number_gives_its_digits() {
        let problem = integer("5s", 1, 9, true).err().unwrap();
        assert_eq!(problem.taken, Some(Value::Int(5)));
        assert!(integer("5s", 1, 9, false).err().unwrap().taken.is_none());
    }
}
