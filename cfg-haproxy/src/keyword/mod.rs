//! The one table of every keyword: where it may stand, what it takes, where the manual explains it, what becomes of it.
//!
//! Parsing, did-you-mean and `docs/compat/haproxy.md` all read this table, so they cannot disagree. Of sample fetches and
//! converters only those are here that the expression registry lacks; which of those it has do less than the manual says is
//! told by [`fetch_status`] and [`converter_status`].

mod action;
mod alias;
mod bind;
pub mod doc;
pub mod explain;
mod fetches;
mod global;
mod known;
mod option;
mod other;
mod proxy;
mod sample;
mod server;
mod tune;

pub use fetches::section as fetch_section;
pub use known::{converter_status, fetch_status};

use crate::section::SectionKind;
use std::collections::HashMap;
use std::sync::LazyLock;

/// What becomes of HTTP/2.
const HTTP_2: &str = "HTTP/2 is not spoken; in HTTP mode `h2` is left out and HTTP/1.1 used";

/// Which key exchange groups there are.
const CURVES: &str = "X25519, P-256, P-384 and X25519MLKEM768 only; other names are dropped";

/// Which cipher suites of TLS 1.3 there are.
const SUITES: &str = "names the TLS library does not have are dropped";

/// What becomes of key exchange groups towards servers.
const SERVER_CURVES: &str = "key exchange groups are those of the TLS library";

/// What this program does with a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// Does what the manual says.
    Full,
    /// Does part of it; the note says which.
    Partial(&'static str),
    /// Accepted without effect; the note says why that is harmless.
    NoEffect(&'static str),
    /// A sample that never has a value, accepted with a warning; the note says why or what to use instead.
    NoValue(&'static str),
    /// An error; the note says why and what to use instead.
    Refused(&'static str),
    /// No longer in HAProxy; translated with a warning to what the note says.
    Translated(&'static str),
}

/// Where a keyword stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Place {
    /// The first word of a line in `global`.
    Global,
    /// The first words of a line in `defaults`, `frontend`, `listen` or `backend`.
    Proxy,
    /// The word after `option`.
    Option,
    /// A word of a `bind` line.
    Bind,
    /// A word of a `server` line.
    Server,
    /// An action of a rule set.
    Rule,
    /// A line of this other kind of section.
    Section(SectionKind),
    /// A word of a `load` line or of a `crt-list` file.
    Load,
    /// A named item of a log format.
    Alias,
    /// The word after `filter`.
    Filter,
    /// A sample fetch that is not in the registry.
    Fetch,
    /// A converter that is not in the registry.
    Converter,
}

/// Arguments of a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Arg {
    /// An integer between these two.
    Int(i64, i64),
    /// An integer between these two, which ends where its digits do: HAProxy does not look at what follows them.
    Digits(i64, i64),
    /// The same, which HAProxy takes beyond the two as well.
    Unchecked(i64, i64),
    /// A time, in milliseconds without a unit.
    Time,
    /// A time, in seconds without a unit.
    Seconds,
    /// A size.
    Size,
    /// One word of this meaning.
    Any(&'static str),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// These arguments may be left out.
    Opt(&'static [Self]),
    /// Any number of words of this meaning.
    Rest(&'static str),
    /// Words of this syntax, checked by the keyword's own code.
    Free(&'static str),
}

/// A set of sections or rule sets, see the constants of [`Keyword`].
pub type Sides = u16;

/// `defaults`.
pub const D: Sides = 1;
/// `frontend`.
pub const F: Sides = 2;
/// `listen`.
pub const L: Sides = 4;
/// `backend`.
pub const B: Sides = 8;
/// `quic-initial`.
pub const QI: Sides = 16;
/// `tcp-request connection`.
pub const TC: Sides = 32;
/// `tcp-request session`.
pub const TS: Sides = 64;
/// `tcp-request content`.
pub const TQ: Sides = 128;
/// `tcp-response content`.
pub const TR: Sides = 256;
/// `http-request`.
pub const HQ: Sides = 512;
/// `http-response`.
pub const HR: Sides = 1024;
/// `http-after-response`.
pub const HA: Sides = 2048;

/// One entry of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Keyword {
    /// One or several words, for example `timeout client`.
    pub name: &'static str,
    /// Where it stands.
    pub place: Place,
    /// In which sections or rule sets; zero where the place says everything.
    pub sides: Sides,
    /// What it takes.
    pub args: &'static [Arg],
    /// The section of the configuration manual that explains it.
    pub manual: &'static str,
    /// What it is for, in a few words.
    pub doc: &'static str,
    /// What becomes of it.
    pub status: Status,
    /// Whether `no` and `default` may stand before it.
    pub negatable: bool,
    /// Whether HAProxy never looks at what follows its arguments on the line.
    pub ignores_more: bool,
    /// Whether HAProxy takes its number to be 0 when the line ends before it.
    pub zero_if_missing: bool,
}

impl Keyword {
    const fn new(
        place: Place,
        name: &'static str,
        args: &'static [Arg],
        manual: &'static str,
        doc: &'static str,
    ) -> Self {
        Self {
            name,
            place,
            sides: 0,
            args,
            manual,
            doc,
            status: Status::Full,
            negatable: false,
            ignores_more: false,
            zero_if_missing: false,
        }
    }

    const fn sides(mut self, sides: Sides) -> Self {
        self.sides = sides;
        self
    }

    const fn partial(mut self, note: &'static str) -> Self {
        self.status = Status::Partial(note);
        self
    }

    const fn no_effect(mut self, why: &'static str) -> Self {
        self.status = Status::NoEffect(why);
        self
    }

    const fn refused(mut self, why: &'static str) -> Self {
        self.status = Status::Refused(why);
        self
    }

    const fn translated(mut self, to: &'static str) -> Self {
        self.status = Status::Translated(to);
        self
    }

    const fn zero_if_missing(mut self) -> Self {
        self.zero_if_missing = true;
        self
    }

    const fn ignores_more(mut self) -> Self {
        self.ignores_more = true;
        self
    }

    const fn negatable(mut self) -> Self {
        self.negatable = true;
        self
    }

    /// How many words the name has.
    pub fn words(&self) -> usize {
        1 + self.name.bytes().filter(|b| *b == b' ').count()
    }

    /// The arguments as the manual would write them.
    pub fn syntax(&self) -> String {
        let mut out = String::new();
        doc::syntax(&mut out, self.args);
        out
    }

    /// The reference shown in diagnostics: section and quoted name.
    pub fn reference(&self) -> String {
        format!("see: configuration manual {}, \"{}\"", self.manual, self.name)
    }
}

/// Every keyword, family after family.
pub fn all() -> impl Iterator<Item = &'static Keyword> {
    [
        global::KEYWORDS,
        tune::KEYWORDS,
        proxy::KEYWORDS,
        proxy::REMOVED,
        option::KEYWORDS,
        bind::KEYWORDS,
        server::KEYWORDS,
        action::KEYWORDS,
        other::KEYWORDS,
        alias::KEYWORDS,
        sample::FILTERS,
        sample::FETCHES,
        sample::CONVERTERS,
    ]
    .into_iter()
    .flatten()
}

type Index = HashMap<Place, HashMap<&'static str, Vec<&'static Keyword>>>;

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index::new();
    for keyword in all() {
        let first = keyword.name.split(' ').next().unwrap_or(keyword.name);
        index.entry(keyword.place).or_default().entry(first).or_default().push(keyword);
    }
    for entries in index.values_mut().flat_map(HashMap::values_mut) {
        entries.sort_by_key(|k| std::cmp::Reverse(k.words()));
    }
    index
});

/// The keyword at the start of `words`; the longest name wins.
pub fn find(place: Place, words: &[&str]) -> Option<&'static Keyword> {
    let entries = INDEX.get(&place)?.get(*words.first()?)?;
    entries.iter().copied().find(|keyword| {
        keyword.name.split(' ').skip(1).enumerate().all(|(i, word)| words.get(i + 1) == Some(&word))
    })
}

/// The keywords whose first word is `first`.
pub fn family(place: Place, first: &str) -> &'static [&'static Keyword] {
    INDEX.get(&place).and_then(|names| names.get(first)).map_or(&[], Vec::as_slice)
}

/// The first words of all keywords of `place` that stand in one of `sides` (all, if zero).
pub fn first_words(place: Place, sides: Sides) -> impl Iterator<Item = &'static str> {
    INDEX
        .get(&place)
        .into_iter()
        .flatten()
        .filter(move |(_, entries)| {
            sides == 0 || entries.iter().any(|k| k.sides == 0 || k.sides & sides != 0)
        })
        .map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_keyword_is_listed_twice() {
        let mut seen = std::collections::HashSet::new();
        for keyword in all() {
            assert!(seen.insert((keyword.place, keyword.name)), "{:?} {}", keyword.place, keyword.name);
        }
    }

    #[test]
    fn every_keyword_is_found_by_its_own_words() {
        for keyword in all() {
            let words: Vec<&str> = keyword.name.split(' ').collect();
            assert_eq!(find(keyword.place, &words), Some(keyword), "{}", keyword.name);
        }
    }

    #[test]
    fn every_keyword_is_documented() {
        for keyword in all() {
            assert!(!keyword.doc.is_empty() && !keyword.manual.is_empty(), "{}", keyword.name);
            assert!(!keyword.doc.ends_with('.'), "{}", keyword.name);
        }
    }
}
