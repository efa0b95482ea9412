//! Matching a sample against patterns (manual 7.1).
//!
//! A [`PatternSet`] is compiled for one matching method: exact strings and addresses are hash
//! look-ups, prefixes and suffixes one probe per distinct length, substrings one pass over the
//! text. Entries carry a number, by which maps find their value; where several entries match,
//! the order rules of the method decide.

pub(crate) mod hash;
mod ip;
mod keys;
mod number;
mod substring;

use std::net::Ipv4Addr;

use self::ip::Networks;
use self::keys::{Keys, Prefer};
use self::number::Ranges;
use self::substring::Substrings;
use super::regex::Regex;
use super::sample::{Sample, SampleType};

/// How a sample is compared with patterns (`-m`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the set of methods is fixed by the expression language")]
pub enum Method {
    /// Presence only.
    Found,
    /// Boolean value.
    Bool,
    /// Integers and ranges.
    Int,
    /// Dotted versions such as `3.1`, kept as two 16 bit halves.
    Version,
    /// Addresses and networks.
    Ip,
    /// Hexadecimal blocks.
    Bin,
    /// Integers and ranges compared with the length.
    Len,
    /// Exact.
    Str,
    /// Substring.
    Sub,
    /// Regular expression.
    Reg,
    /// Regular expression whose groups the output of a map refers to.
    RegGroups,
    /// Prefix.
    Beg,
    /// Suffix.
    End,
    /// `/`-delimited part.
    Dir,
    /// Domain-like part delimited by `.`, `:`, `/`, `?`.
    Dom,
}

impl Method {
    /// The method of that name in `-m name`.
    pub fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "found" => Self::Found,
            "bool" => Self::Bool,
            "int" => Self::Int,
            "ip" => Self::Ip,
            "bin" => Self::Bin,
            "len" => Self::Len,
            "str" => Self::Str,
            "sub" => Self::Sub,
            "reg" => Self::Reg,
            "regm" => Self::RegGroups,
            "beg" => Self::Beg,
            "end" => Self::End,
            "dir" => Self::Dir,
            "dom" => Self::Dom,
            _ => return None,
        })
    }

    /// The name `-m` knows it by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Bool => "bool",
            Self::Int | Self::Version => "int",
            Self::Ip => "ip",
            Self::Bin => "bin",
            Self::Len => "len",
            Self::Str => "str",
            Self::Sub => "sub",
            Self::Reg => "reg",
            Self::RegGroups => "regm",
            Self::Beg => "beg",
            Self::End => "end",
            Self::Dir => "dir",
            Self::Dom => "dom",
        }
    }

    /// The method implied by the output type of an expression.
    pub const fn default_for(ty: SampleType) -> Option<Self> {
        match ty {
            SampleType::Bool => Some(Self::Bool),
            SampleType::Int => Some(Self::Int),
            SampleType::Addr | SampleType::Ipv4 | SampleType::Ipv6 => Some(Self::Ip),
            SampleType::Str | SampleType::Method => Some(Self::Str),
            SampleType::Any | SampleType::Same | SampleType::Bin => None,
        }
    }

    /// The type samples are cast to before they are compared.
    pub const fn input(self) -> SampleType {
        match self {
            Self::Found => SampleType::Any,
            Self::Bool | Self::Int | Self::Version => SampleType::Int,
            Self::Ip => SampleType::Addr,
            Self::Bin => SampleType::Bin,
            _ => SampleType::Str,
        }
    }
}

/// Finds the first IPv4 address of a host name.
pub type Resolver<'a> = &'a dyn Fn(&str) -> Option<Ipv4Addr>;

/// How pattern texts are read.
#[derive(Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "the pattern flags of the language")]
pub struct Flags<'a> {
    /// `-i`.
    pub ignore_case: bool,
    /// Asked for host names among addresses; `None` refuses them (`-n`).
    pub resolve: Option<Resolver<'a>>,
}

impl std::fmt::Debug for Flags<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flags").field("ignore_case", &self.ignore_case).finish_non_exhaustive()
    }
}

/// Patterns compiled for one matching method.
#[derive(Clone, Debug)]
pub struct PatternSet {
    method: Method,
    ignore_case: bool,
    store: Store,
}

#[derive(Clone, Debug)]
enum Store {
    /// No pattern is needed; the first one is remembered for maps.
    Plain(Option<u32>),
    Keys(Keys),
    Substrings(Substrings),
    Ranges(Ranges),
    Networks(Networks),
    Regexes(Vec<(u32, Regex)>),
}

impl PatternSet {
    /// An empty set.
    pub fn new(method: Method, ignore_case: bool) -> Self {
        let store = match method {
            Method::Found | Method::Bool => Store::Plain(None),
            Method::Int | Method::Version | Method::Len => Store::Ranges(Ranges::default()),
            Method::Ip => Store::Networks(Networks::default()),
            Method::Sub => Store::Substrings(Substrings::default()),
            Method::Reg | Method::RegGroups => Store::Regexes(Vec::new()),
            Method::Bin | Method::Str | Method::Beg | Method::End | Method::Dir | Method::Dom => {
                Store::Keys(Keys::default())
            }
        };
        let ignore_case = ignore_case && method != Method::Bin;
        Self { method, ignore_case, store }
    }

    /// The method it was compiled for.
    pub const fn method(&self) -> Method {
        self.method
    }

    /// Whether case is ignored.
    pub const fn ignores_case(&self) -> bool {
        self.ignore_case
    }

    /// Makes room for many more patterns.
    pub fn reserve(&mut self, additional: usize) {
        if let Store::Keys(keys) = &mut self.store {
            keys.reserve(additional);
        }
    }

    /// Adds a pattern under a number; the message says why a text is no valid pattern.
    pub fn insert(&mut self, text: &str, id: u32, flags: Flags<'_>) -> Result<(), String> {
        if let (Store::Keys(keys), false, Method::Str | Method::Beg | Method::End) =
            (&mut self.store, self.ignore_case, self.method)
        {
            // The plain cases need no copy of the text.
            keys.insert(text.as_bytes(), id);
            return Ok(());
        }
        let key = self.key(text, flags)?;
        match (&mut self.store, key) {
            (Store::Plain(first), _) => *first = Some(first.map_or(id, |old| old.min(id))),
            (Store::Keys(keys), Key::Bytes(bytes)) => keys.insert(&bytes, id),
            (Store::Substrings(set), Key::Bytes(bytes)) => set.insert(&bytes, id),
            (Store::Ranges(ranges), Key::Range(range)) => ranges.insert(range, id),
            (Store::Networks(set), Key::Network(network)) => set.insert(network, id),
            (Store::Regexes(list), Key::Regex(regex)) => list.push((id, regex)),
            _ => {}
        }
        Ok(())
    }

    /// Removes what [`PatternSet::insert`] added with the same text and number.
    pub fn remove(&mut self, text: &str, id: u32, flags: Flags<'_>) {
        if let Store::Regexes(list) = &mut self.store {
            list.retain(|(old, _)| *old != id);
            return;
        }
        let Ok(key) = self.key(text, flags) else { return };
        match (&mut self.store, key) {
            (Store::Keys(keys), Key::Bytes(bytes)) => keys.remove(&bytes, id),
            (Store::Substrings(set), Key::Bytes(bytes)) => set.remove(&bytes, id),
            (Store::Ranges(ranges), Key::Range(range)) => ranges.remove(range, id),
            (Store::Networks(set), Key::Network(network)) => set.remove(network, id),
            _ => {}
        }
    }

    /// The number of the entry that matches. The sample must have the type of
    /// [`Method::input`]; any other type does not match.
    #[inline]
    pub fn find(&self, sample: &Sample<'_>) -> Option<u32> {
        match (&self.store, sample) {
            (Store::Plain(first), _) => {
                let matches = self.method == Method::Found || sample.to_bool() == Some(true);
                matches.then_some(first.unwrap_or(0))
            }
            (Store::Keys(keys), Sample::Str(text) | Sample::Bin(text)) => self.find_text(keys, text),
            (Store::Substrings(set), Sample::Str(text)) if self.ignore_case => {
                with_lower(text, |text| set.find(text))
            }
            (Store::Substrings(set), Sample::Str(text)) => set.find(text),
            (Store::Ranges(ranges), Sample::Int(value)) => ranges.find(*value),
            (Store::Ranges(ranges), Sample::Bool(value)) => ranges.find(i64::from(*value)),
            (Store::Ranges(ranges), Sample::Str(text)) if self.method == Method::Len => {
                ranges.find(text.len() as i64)
            }
            (Store::Networks(set), address) => set.find(address),
            (Store::Regexes(list), Sample::Str(text)) => {
                list.iter().find(|(_, regex)| regex.is_match(text)).map(|(id, _)| *id)
            }
            _ => None,
        }
    }

    /// The regular expression of an entry, for outputs that refer to its groups.
    pub fn regex(&self, id: u32) -> Option<&Regex> {
        match &self.store {
            Store::Regexes(list) => list.iter().find(|(old, _)| *old == id).map(|(_, regex)| regex),
            _ => None,
        }
    }

    fn find_text(&self, keys: &Keys, text: &[u8]) -> Option<u32> {
        if self.ignore_case {
            if keys.is_few() {
                match self.method {
                    Method::Str => return keys.exact_folded(text),
                    Method::Beg => return keys.affix_folded(text, false),
                    Method::End => return keys.affix_folded(text, true),
                    _ => {}
                }
            }
            with_lower(text, |text| self.find_folded(keys, text))
        } else {
            self.find_folded(keys, text)
        }
    }

    fn find_folded(&self, keys: &Keys, text: &[u8]) -> Option<u32> {
        match self.method {
            Method::Str | Method::Bin => keys.exact(text),
            // Without -i prefixes form a tree, whose answer is the longest one.
            Method::Beg if self.ignore_case => keys.affix(text, false, Prefer::First),
            Method::Beg => keys.affix(text, false, Prefer::Longest),
            Method::End => keys.affix(text, true, Prefer::First),
            Method::Dir => keys.word(text, is_dir_delimiter),
            Method::Dom => keys.word(text, is_dom_delimiter),
            _ => None,
        }
    }

    fn key(&self, text: &str, flags: Flags<'_>) -> Result<Key, String> {
        Ok(match self.method {
            Method::Found | Method::Bool => Key::Nothing,
            Method::Int | Method::Len => Key::Range(number::parse_range(text, number::plain)?),
            Method::Version => Key::Range(number::parse_range(text, number::dotted)?),
            Method::Ip => Key::Network(ip::parse(text, flags.resolve)?),
            Method::Bin => Key::Bytes(
                parse_hex(text).ok_or_else(|| format!("'{text}' is not a valid hexadecimal block"))?,
            ),
            Method::Reg | Method::RegGroups => {
                Key::Regex(Regex::new(text, self.ignore_case).map_err(|e| e.to_string())?)
            }
            Method::Dir => Key::Bytes(self.folded(trim(text.as_bytes(), is_dir_delimiter))),
            Method::Dom => Key::Bytes(self.folded(trim(text.as_bytes(), is_dom_delimiter))),
            Method::Str | Method::Sub | Method::Beg | Method::End => Key::Bytes(self.folded(text.as_bytes())),
        })
    }

    fn folded(&self, text: &[u8]) -> Vec<u8> {
        if self.ignore_case { text.to_ascii_lowercase() } else { text.to_vec() }
    }
}

/// A pattern in the form its store takes.
enum Key {
    Nothing,
    Bytes(Vec<u8>),
    Range((i64, i64)),
    Network(ip::Network),
    Regex(Regex),
}

const fn is_dir_delimiter(byte: u8) -> bool {
    matches!(byte, b'/' | b'?')
}

const fn is_dom_delimiter(byte: u8) -> bool {
    matches!(byte, b'/' | b'?' | b'.' | b':')
}

fn trim(mut text: &[u8], is_delimiter: fn(u8) -> bool) -> &[u8] {
    while let [first, rest @ ..] = text {
        if !is_delimiter(*first) {
            break;
        }
        text = rest;
    }
    while let [rest @ .., last] = text {
        if !is_delimiter(*last) {
            break;
        }
        text = rest;
    }
    text
}

/// Parses an even number of hexadecimal digits.
pub(crate) fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return None;
    }
    digits
        .chunks(2)
        .map(|pair| {
            let high = char::from(pair[0]).to_digit(16)?;
            let low = char::from(pair[1]).to_digit(16)?;
            Some((high << 4 | low) as u8)
        })
        .collect()
}

/// Runs `look` on a lower-case copy, which stays on the stack for texts of usual length.
fn with_lower<R>(text: &[u8], look: impl FnOnce(&[u8]) -> R) -> R {
    const ON_STACK: usize = 256;
    if text.len() <= ON_STACK {
        let mut buffer = [0u8; ON_STACK];
        let lower = &mut buffer[..text.len()];
        lower.copy_from_slice(text);
        lower.make_ascii_lowercase();
        look(lower)
    } else {
        look(&text.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests;
