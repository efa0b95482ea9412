//! Regular expressions over bytes.
//!
//! Patterns are written for PCRE without its UTF mode: a byte is a character and classes are
//! ASCII. What the linear-time engine accepts runs there; look-around and back-references fall
//! back to a backtracking engine with a step limit, for which bytes from 128 on are the characters of Latin-1:
//! to its classes, word boundaries and case some of them are letters. Without the `regex` feature every pattern is
//! refused with a clear message.

#[cfg(feature = "regex")]
pub use enabled::Regex;

#[cfg(not(feature = "regex"))]
pub use disabled::Regex;

/// Why a pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("regex '{pattern}' is invalid: {reason}")]
#[non_exhaustive]
pub struct RegexError {
    /// The pattern as written.
    pub pattern: String,
    /// What the engine says.
    pub reason: String,
}

/// Byte range of one captured group; `None` where the group took no part.
pub type Group = Option<(usize, usize)>;

#[cfg(not(feature = "regex"))]
mod disabled {
    use super::{Group, RegexError};

    /// A regular expression; cannot be built without the `regex` feature.
    #[derive(Clone, Debug)]
    pub struct Regex(std::convert::Infallible);

    impl Regex {
        /// Always an error in this build.
        pub fn new(pattern: &str, _ignore_case: bool) -> Result<Self, RegexError> {
            Err(RegexError {
                pattern: pattern.to_owned(),
                reason: "this build has no regular expressions (feature `regex`)".to_owned(),
            })
        }
        /// The pattern as written.
        pub fn pattern(&self) -> &str {
            match self.0 {}
        }
        /// Whether backtracking is needed.
        pub fn backtracks(&self) -> bool {
            match self.0 {}
        }
        /// Whether the pattern occurs in `text`.
        pub fn is_match(&self, _text: &[u8]) -> bool {
            match self.0 {}
        }
        /// Groups of the first match at or after `start`.
        pub fn captures_at(&self, _text: &[u8], _start: usize, _groups: &mut Vec<Group>) -> bool {
            match self.0 {}
        }
    }
}

#[cfg(feature = "regex")]
mod enabled {
    use std::sync::Arc;

    use regex_automata::{Input, meta, util::syntax};

    use super::{Group, RegexError};

    /// Steps the backtracking engine may take before a match counts as failed.
    const BACKTRACK_LIMIT: usize = 100_000;

    /// Upper bound of the compiled size of one pattern.
    const SIZE_LIMIT: usize = 8 << 20;

    /// A compiled regular expression. Cloning is cheap.
    #[derive(Clone, Debug)]
    pub struct Regex(Arc<Inner>);

    #[derive(Debug)]
    struct Inner {
        pattern: String,
        engine: Engine,
    }

    #[derive(Debug)]
    enum Engine {
        Linear(meta::Regex),
        Backtracking(fancy_regex::Regex),
    }

    impl Regex {
        /// Compiles a pattern.
        pub fn new(pattern: &str, ignore_case: bool) -> Result<Self, RegexError> {
            let engine = linear(pattern, ignore_case).or_else(|reason| {
                fancy_regex::RegexBuilder::new(pattern)
                    .case_insensitive(ignore_case)
                    .backtrack_limit(BACKTRACK_LIMIT)
                    .build()
                    .map(Engine::Backtracking)
                    .map_err(|_| RegexError { pattern: pattern.to_owned(), reason })
            })?;
            Ok(Self(Arc::new(Inner { pattern: pattern.to_owned(), engine })))
        }

        /// The pattern as written.
        pub fn pattern(&self) -> &str {
            &self.0.pattern
        }

        /// Whether the pattern needs the backtracking engine (worth a diagnostic).
        pub fn backtracks(&self) -> bool {
            matches!(self.0.engine, Engine::Backtracking(_))
        }

        /// Whether the pattern occurs in `text`.
        pub fn is_match(&self, text: &[u8]) -> bool {
            match &self.0.engine {
                Engine::Linear(regex) => regex.is_match(text),
                Engine::Backtracking(regex) => match Latin1::of(text) {
                    Latin1::Same(text) => regex.is_match(text).unwrap_or(false),
                    Latin1::Widened { text, .. } => regex.is_match(&text).unwrap_or(false),
                },
            }
        }

        /// Groups of the first match at or after `start`; group 0 is the whole match.
        pub fn captures_at(&self, text: &[u8], start: usize, groups: &mut Vec<Group>) -> bool {
            groups.clear();
            match &self.0.engine {
                Engine::Linear(regex) => {
                    let mut captures = regex.create_captures();
                    regex.search_captures(&Input::new(text).range(start..), &mut captures);
                    groups.extend(captures.iter().map(|span| span.map(|s| (s.start, s.end))));
                    captures.is_match()
                }
                Engine::Backtracking(regex) => backtrack(regex, text, start, groups),
            }
        }
    }

    fn linear(pattern: &str, ignore_case: bool) -> Result<Engine, String> {
        meta::Regex::builder()
            .syntax(syntax::Config::new().unicode(false).utf8(false).case_insensitive(ignore_case))
            .configure(meta::Config::new().utf8_empty(false).nfa_size_limit(Some(SIZE_LIMIT)))
            .build(pattern)
            .map(Engine::Linear)
            .map_err(|e| e.syntax_error().map_or_else(|| e.to_string(), |e| last_line(&e.to_string())))
    }

    /// What is wrong, without the drawing of the place before it: messages stand on one line.
    fn last_line(text: &str) -> String {
        let last = text.lines().last().unwrap_or(text);
        last.strip_prefix("error: ").unwrap_or(last).to_owned()
    }

    fn backtrack(regex: &fancy_regex::Regex, text: &[u8], start: usize, groups: &mut Vec<Group>) -> bool {
        let input = Latin1::of(text);
        let (text, back): (&str, Option<&[u32]>) = match &input {
            Latin1::Same(text) => (text, None),
            Latin1::Widened { text, offsets } => (text, Some(offsets)),
        };
        // Position in the widened text of byte `start`.
        let from = back.map_or(start, |offsets| {
            offsets.iter().position(|&byte| byte as usize >= start).unwrap_or(text.len())
        });
        let Ok(Some(captures)) = regex.captures_from_pos(text, from) else { return false };
        let map = |at: usize| back.map_or(at, |offsets| offsets[at] as usize);
        groups.extend(captures.iter().map(|group| group.map(|g| (map(g.start()), map(g.end())))));
        true
    }

    /// Bytes as text for an engine that only takes `str`: ASCII as it is, other bytes as the
    /// characters of the same number, so that one byte stays one character.
    enum Latin1<'a> {
        Same(&'a str),
        Widened { text: String, offsets: Vec<u32> },
    }

    impl<'a> Latin1<'a> {
        fn of(bytes: &'a [u8]) -> Self {
            if bytes.is_ascii()
                && let Ok(text) = std::str::from_utf8(bytes)
            {
                return Self::Same(text);
            }
            let mut text = String::with_capacity(bytes.len() * 2);
            let mut offsets = Vec::with_capacity(bytes.len() * 2 + 1);
            for (at, &byte) in bytes.iter().enumerate() {
                let before = text.len();
                text.push(char::from(byte));
                offsets.extend(std::iter::repeat_n(at as u32, text.len() - before));
            }
            offsets.push(bytes.len() as u32);
            Self::Widened { text, offsets }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn groups(pattern: &str, text: &[u8]) -> Option<Vec<Group>> {
            let mut groups = Vec::new();
            Regex::new(pattern, false).unwrap().captures_at(text, 0, &mut groups).then_some(groups)
        }

        #[test]
        fn what_is_wrong_is_told_on_one_line() {
            let error = Regex::new("^/(a", false).unwrap_err();
            assert_eq!(error.to_string(), "regex '^/(a' is invalid: unclosed group");
        }

        #[test]
        fn bytes_outside_ascii_are_characters() {
            assert!(Regex::new("^.\\xff$", false).unwrap().is_match(b"\x80\xff"));
            let look = Regex::new("^(?!x)(.)$", false).unwrap();
            assert!(look.backtracks());
            assert!(look.is_match(b"\x80"));
            assert!(!look.is_match(b"\x80\x81"));
        }

        #[test]
        fn both_engines_report_groups_in_bytes() {
            assert_eq!(groups("(b+)(x)?", b"aabb"), Some(vec![Some((2, 4)), Some((2, 4)), None]));
            assert_eq!(groups("(?=b)(b+)", b"\xe9\xe9bb"), Some(vec![Some((2, 4)), Some((2, 4))]));
            assert_eq!(groups("(a)\\1", b"xaa"), Some(vec![Some((1, 3)), Some((1, 2))]));
            assert_eq!(groups("q", b"aabb"), None);
        }

        /// The engine asks a table for it that a build may lack.
        #[test]
        fn words_have_boundaries_in_both_engines() {
            for (pattern, backtracks) in
                [("\\bab\\b", false), ("\\b(a|b)(?!a)b\\b", true), ("(x?)\\1\\Bb\\b", true)]
            {
                let regex = Regex::new(pattern, false).unwrap();
                assert_eq!(regex.backtracks(), backtracks, "{pattern}");
                assert!(regex.is_match(b"- ab -") && regex.is_match(b"ab"), "{pattern}");
                assert!(!regex.is_match(b"abc \xff"), "{pattern}");
            }
        }

        #[test]
        fn case_is_ignored_in_ascii_only() {
            assert!(Regex::new("ABC", true).unwrap().is_match(b"xabcx"));
            assert!(Regex::new("(", true).is_err());
        }
    }
}
