//! Conditions of `.if` and `-cc` (configuration manual 2.4).
//!
//! An expression is made of integers, predicates, parentheses, `!`, `&&` and `||`; the empty expression is false. All
//! operands are read even when their value no longer matters, so a mistake is found wherever it stands.

use crate::env::{Changes, Env, Facts};
use std::cmp::Ordering;

/// Why a condition cannot be evaluated, and where in its text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CondError {
    /// What is wrong, in HAProxy's words.
    pub message: String,
    /// Offset in the condition's text.
    pub at: usize,
}

/// Evaluates the condition `text` as `-cc` does.
pub fn evaluate(text: &str, env: &dyn Env, facts: &Facts) -> Result<bool, CondError> {
    let text = expand_quoted(text, env);
    Condition { env, changes: &Changes::default(), facts }.evaluate(&text)
}

/// Replaces variables between double quotes, as the reader of configuration files does before it looks at `.if`.
fn expand_quoted(text: &str, env: &dyn Env) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut quote, mut start) = (None, 0);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => (quote, start) = (Some(c), at + 1),
            (Some(q), c) if q == c => {
                let inner = &text[start..at];
                match q {
                    '"' => out.push_str(&crate::lex::expand(inner, env, &Changes::default())),
                    _ => out.push_str(inner),
                }
                quote = None;
            }
            (Some(_), _) => continue,
            (None, _) => {}
        }
        out.push(c);
    }
    if quote.is_some() {
        out.push_str(&text[start..]);
    }
    out
}

pub(crate) struct Condition<'a> {
    pub(crate) env: &'a dyn Env,
    pub(crate) changes: &'a Changes,
    pub(crate) facts: &'a Facts,
}

impl Condition<'_> {
    pub(crate) fn evaluate(&self, text: &str) -> Result<bool, CondError> {
        if text.trim().is_empty() {
            return Ok(false);
        }
        let mut reader = Reader { cond: self, text, at: 0, depth: 0 };
        let value = reader.any()?;
        reader.blanks();
        if reader.at < text.len() {
            return Err(reader.error(reader.at, "unexpected character at the end of conditional expression"));
        }
        Ok(value)
    }

    fn predicate(&self, name: &str, args: &[String]) -> Option<Result<bool, String>> {
        let arg = |i: usize| args.get(i).map_or("", String::as_str);
        let wants = match name {
            "streq" | "strneq" | "strstr" => 2,
            _ => 1,
        };
        let value = match name {
            "defined" => self.changes.var(self.env, arg(0)).is_some(),
            "feature" => self.facts.features.contains(&arg(0)),
            "streq" => arg(0) == arg(1),
            "strneq" => arg(0) != arg(1),
            "strstr" => arg(0).contains(arg(1)),
            "version_atleast" => compare(self.facts.version, arg(0)) != Ordering::Less,
            "version_before" => compare(self.facts.version, arg(0)) == Ordering::Less,
            "openssl_version_atleast" => compare(self.facts.openssl_version, arg(0)) != Ordering::Less,
            "openssl_version_before" => compare(self.facts.openssl_version, arg(0)) == Ordering::Less,
            "ssllib_name_startswith" => self.facts.ssl_library.starts_with(arg(0)),
            // These ask for the API number of a library this program does not expose.
            "awslc_api_atleast" | "awslc_api_before" => false,
            // What is not known is not there, as with `feature`.
            "enabled" => self.facts.enabled.contains(&arg(0)),
            _ => return None,
        };
        if args.len() != wants {
            return Some(Err(format!("'{name}' expects {wants} argument(s), got {}", args.len())));
        }
        Some(Ok(value))
    }
}

struct Reader<'a> {
    cond: &'a Condition<'a>,
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn error(&self, at: usize, message: impl Into<String>) -> CondError {
        CondError { message: message.into(), at: at.min(self.text.len()) }
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.blanks();
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    fn any(&mut self) -> Result<bool, CondError> {
        let mut value = self.all()?;
        while self.eat("||") {
            value |= self.all()?;
        }
        Ok(value)
    }

    fn all(&mut self) -> Result<bool, CondError> {
        let mut value = self.term()?;
        while self.eat("&&") {
            value &= self.term()?;
        }
        Ok(value)
    }

    fn term(&mut self) -> Result<bool, CondError> {
        self.blanks();
        let start = self.at;
        if self.depth > 64 {
            return Err(self.error(start, "too many nested levels in conditional expression"));
        }
        if self.eat("!") {
            self.depth += 1;
            let value = self.term()?;
            self.depth -= 1;
            return Ok(!value);
        }
        if self.eat("(") {
            self.depth += 1;
            let value = self.any()?;
            self.depth -= 1;
            if !self.eat(")") {
                return Err(self.error(start, "unmatched parenthesis in conditional expression"));
            }
            return Ok(value);
        }
        let digits = self.rest().bytes().take_while(|b| b.is_ascii_digit() || *b == b'-').count();
        if digits > 0 {
            let value = self.rest()[..digits].parse::<i64>();
            self.at += digits;
            return value.map(|n| n != 0).map_err(|_| self.unparsable(start));
        }
        self.call(start)
    }

    fn unparsable(&self, at: usize) -> CondError {
        self.error(
            at,
            format!("unparsable conditional expression '{}'", &self.text[at.min(self.text.len())..]),
        )
    }

    fn call(&mut self, start: usize) -> Result<bool, CondError> {
        let length = self.rest().bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let name = self.rest()[..length].to_owned();
        self.at += length;
        if length == 0 || !self.rest().starts_with('(') {
            return Err(self.unparsable(start));
        }
        self.at += 1;
        let args = self.arguments(start)?;
        match self.cond.predicate(&name, &args) {
            None => {
                Err(self.error(start, format!("unknown predicate '{name}' used in conditional expression")))
            }
            Some(Err(message)) => Err(self.error(start, message)),
            Some(Ok(value)) => Ok(value),
        }
    }

    /// The arguments up to the closing parenthesis, with the second level of quotes removed (manual 2.2).
    fn arguments(&mut self, start: usize) -> Result<Vec<String>, CondError> {
        let mut args = Vec::new();
        let mut current = String::new();
        let mut quote = None;
        let mut chars = self.text[self.at..].char_indices();
        while let Some((i, c)) = chars.next() {
            match (quote, c) {
                (None, ')') => {
                    self.at += i + 1;
                    if !(args.is_empty() && current.is_empty()) {
                        args.push(current);
                    }
                    return Ok(args);
                }
                (None, ',') => args.push(std::mem::take(&mut current)),
                (None, '"' | '\'') => quote = Some(c),
                (Some(q), c) if q == c => quote = None,
                (None | Some('"'), '\\') => current.extend(chars.next().map(|(_, c)| c)),
                _ => current.push(c),
            }
        }
        Err(self.error(start, "unmatched parenthesis in conditional expression"))
    }
}

/// Compares versions such as `2.4`, `3.4.0`, `2.4-dev19`, `3.0-rc1`; missing parts are zero.
fn compare(a: &str, b: &str) -> Ordering {
    parts(a).cmp(&parts(b))
}

fn parts(version: &str) -> ([u64; 3], u8, u64) {
    let (numbers, suffix) = version.split_once('-').unwrap_or((version, ""));
    let mut out = [0; 3];
    for (slot, text) in out.iter_mut().zip(numbers.split('.')) {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        *slot = text[..digits].parse().unwrap_or(0);
    }
    let stage = match suffix.get(..2) {
        Some("de") => 0,
        Some("pr") => 1,
        Some("rc") => 2,
        _ => 3,
    };
    let digits = suffix.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let number = digits.split(|c: char| !c.is_ascii_digit()).next().and_then(|d| d.parse().ok()).unwrap_or(0);
    (out, stage, number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn eval(text: &str) -> Result<bool, String> {
        let env = BTreeMap::from([("SET".to_owned(), String::new())]);
        evaluate(text, &env, &Facts::default()).map_err(|e| e.message)
    }

    #[test]
    fn integers_operators_and_parentheses() {
        for (text, expected) in [
            ("", false),
            ("0", false),
            ("1", true),
            ("!1", false),
            ("!!1", true),
            ("1 && 0 || 1 && 1", true),
            ("1 && (0 || 1) && !0", true),
            ("(((1)))", true),
            ("0||0", false),
        ] {
            assert_eq!(eval(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn variables_stand_for_their_values_between_double_quotes() {
        let env = BTreeMap::from([("ONE".to_owned(), "1".to_owned())]);
        let eval = |text: &str| evaluate(text, &env, &Facts::default()).map_err(|e| e.message);
        for text in ["streq(\"$ONE\",1)", "streq(\"a${ONE}b\",'a1b')", "strneq('$ONE',1)"] {
            assert_eq!(eval(text), Ok(true), "{text}");
        }
        assert!(eval("streq(a,\"a)").is_err());
    }

    #[test]
    fn predicates_answer_from_environment_and_facts() {
        for (text, expected) in [
            ("defined(SET)", true),
            ("defined( SET )", false),
            ("feature(THREAD)", true),
            ("feature(QUIC)", false),
            ("streq(a,a)", true),
            ("streq(a, a)", false),
            ("strneq(\"a,b\",'a,b')", false),
            ("strstr(abcd,bc)", true),
            ("version_atleast(2.5-dev0)", true),
            ("version_atleast(3.4)", true),
            ("version_before(3.4-dev5)", false),
            ("version_before(3.5)", true),
            ("ssllib_name_startswith(OpenSSL)", false),
            ("enabled(SPLICE)", true),
            ("enabled(KQUEUE)", false),
            ("enabled(x)", false),
        ] {
            assert_eq!(eval(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for text in ["foo", "foo(1)", "(1", "1 &&", "1 1", "streq(a)", "defined(A", "!"] {
            assert!(eval(text).is_err(), "{text}");
        }
        assert!(eval(&"!".repeat(100)).is_err());
        assert!(eval("").is_ok());
    }
}
