//! Substring search over many patterns at once.

use memchr::memmem::Finder;

use super::keys::Keys;

/// Up to here every pattern is searched on its own.
const FEW: usize = 8;

/// Patterns to be found anywhere in a text.
///
/// Many patterns share one pass over the text: a bitmap of the first two bytes of all patterns
/// rejects most positions, a prefix look-up decides the others.
#[derive(Clone, Debug)]
pub(super) enum Substrings {
    Few(Vec<(Finder<'static>, u32)>),
    Many { keys: Keys, single: Keys, pairs: Box<[u64]> },
}

impl Default for Substrings {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Substrings {
    pub(super) fn insert(&mut self, key: &[u8], id: u32) {
        if key.is_empty() {
            return;
        }
        match self {
            Self::Few(list) if list.len() < FEW => list.push((Finder::new(key).into_owned(), id)),
            Self::Few(list) => {
                let list = std::mem::take(list);
                *self = Self::Many {
                    keys: Keys::default(),
                    single: Keys::default(),
                    pairs: vec![0; 1024].into_boxed_slice(),
                };
                for (finder, id) in list {
                    self.insert(finder.needle(), id);
                }
                self.insert(key, id);
            }
            Self::Many { keys, pairs, .. } if key.len() > 1 => {
                keys.insert(key, id);
                set_pair(pairs, key);
            }
            Self::Many { single, .. } => single.insert(key, id),
        }
    }

    pub(super) fn remove(&mut self, key: &[u8], id: u32) {
        match self {
            Self::Few(list) => list.retain(|(finder, old)| finder.needle() != key || *old != id),
            Self::Many { keys, pairs, .. } if key.len() > 1 => {
                keys.remove(key, id);
                pairs.fill(0);
                keys.for_each(|key, _| set_pair(pairs, key));
            }
            Self::Many { single, .. } => single.remove(key, id),
        }
    }

    /// The first pattern (in order of insertion) found in `text`.
    pub(super) fn find(&self, text: &[u8]) -> Option<u32> {
        match self {
            Self::Few(list) => list.iter().find(|(finder, _)| finder.find(text).is_some()).map(|(_, id)| *id),
            Self::Many { keys, single, pairs } => {
                let by_pair = (0..text.len().saturating_sub(1))
                    .filter(|&at| has_pair(pairs, &text[at..]))
                    .filter_map(|at| all_prefixes(keys, &text[at..]));
                let by_byte = text.iter().filter_map(|b| single.exact(std::slice::from_ref(b)));
                by_pair.chain(by_byte).min()
            }
        }
    }
}

fn all_prefixes(keys: &Keys, text: &[u8]) -> Option<u32> {
    keys.affix(text, false, super::keys::Prefer::First)
}

fn pair_of(text: &[u8]) -> usize {
    usize::from(text[0]) << 8 | usize::from(text[1])
}

fn set_pair(pairs: &mut [u64], key: &[u8]) {
    let pair = pair_of(key);
    pairs[pair / 64] |= 1 << (pair % 64);
}

fn has_pair(pairs: &[u64], text: &[u8]) -> bool {
    let pair = pair_of(text);
    pairs[pair / 64] & (1 << (pair % 64)) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_patterns_answer_alike() {
        let words = ["bot", "spider", "x", "curl/", "wget", "aa", "aab", "bb", "cc", "dd", "python"];
        let mut few = Substrings::default();
        let mut many = Substrings::default();
        for (id, word) in words.iter().enumerate() {
            if id < FEW {
                few.insert(word.as_bytes(), id as u32);
            }
            many.insert(word.as_bytes(), id as u32);
        }
        assert!(matches!(many, Substrings::Many { .. }));
        for text in ["", "b", "robot", "curl/7", "aaab", "zz", "xx", "spide", "wge"] {
            assert_eq!(few.find(text.as_bytes()), many.find(text.as_bytes()), "{text}");
        }
        assert_eq!(many.find(b"some python"), Some(10));
        many.remove(b"python", 10);
        assert_eq!(many.find(b"some python"), None);
        many.remove(b"x", 2);
        assert_eq!(many.find(b"xx"), None);
    }
}
