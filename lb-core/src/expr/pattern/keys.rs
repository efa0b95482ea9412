//! Sets of byte strings with a number behind each, for exact, prefix, suffix and word matching.
//!
//! Few keys are compared one by one; many go into a hash table together with the lengths that
//! occur, so that a prefix look-up costs one probe per distinct length. Keys can be added and
//! removed at any time.

use super::hash::FastMap;

/// Up to here a linear scan is faster than hashing.
const FEW: usize = 8;

/// Numbers of the entries with one key, smallest first. Nearly always one.
#[derive(Clone, Debug)]
pub(super) enum Ids {
    /// One entry.
    One(u32),
    /// Several entries with the same key.
    Many(Vec<u32>),
}

impl Ids {
    pub(super) fn first(&self) -> u32 {
        match self {
            Self::One(id) => *id,
            Self::Many(ids) => ids[0],
        }
    }

    pub(super) fn add(&mut self, id: u32) {
        match self {
            Self::One(old) => *self = Self::Many(vec![(*old).min(id), (*old).max(id)]),
            Self::Many(ids) => {
                let at = ids.partition_point(|old| *old < id);
                ids.insert(at, id);
            }
        }
    }

    /// Removes one number; true when none is left.
    pub(super) fn remove(&mut self, id: u32) -> bool {
        match self {
            Self::One(old) => *old == id,
            Self::Many(ids) => {
                ids.retain(|old| *old != id);
                match ids[..] {
                    [] => true,
                    [only] => {
                        *self = Self::One(only);
                        false
                    }
                    _ => false,
                }
            }
        }
    }
}

/// Which of several matching keys wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefer {
    /// The one added first.
    First,
    /// The longest one.
    Longest,
}

/// A set of byte strings. See the module text.
#[derive(Clone, Debug)]
pub(super) enum Keys {
    Few(Vec<(Box<[u8]>, u32)>),
    Many {
        map: FastMap<Box<[u8]>, Ids>,
        /// Lengths that occur, longest first, with the number of keys of each.
        lengths: Vec<(usize, usize)>,
    },
}

impl Default for Keys {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Keys {
    pub(super) fn insert(&mut self, key: &[u8], id: u32) {
        match self {
            Self::Few(list) if list.len() < FEW => list.push((key.into(), id)),
            Self::Few(list) => {
                let list = std::mem::take(list);
                *self = Self::Many { map: FastMap::default(), lengths: Vec::new() };
                for (key, id) in list {
                    self.insert(&key, id);
                }
                self.insert(key, id);
            }
            Self::Many { map, lengths } => {
                if let Some(ids) = map.get_mut(key) {
                    ids.add(id);
                    return;
                }
                map.insert(key.into(), Ids::One(id));
                match lengths.binary_search_by(|(len, _)| key.len().cmp(len)) {
                    Ok(at) => lengths[at].1 += 1,
                    Err(at) => lengths.insert(at, (key.len(), 1)),
                }
            }
        }
    }

    pub(super) fn remove(&mut self, key: &[u8], id: u32) {
        match self {
            Self::Few(list) => list.retain(|(old, old_id)| **old != *key || *old_id != id),
            Self::Many { map, lengths } => {
                let Some(ids) = map.get_mut(key) else { return };
                if !ids.remove(id) {
                    return;
                }
                map.remove(key);
                if let Ok(at) = lengths.binary_search_by(|(len, _)| key.len().cmp(len)) {
                    lengths[at].1 -= 1;
                    if lengths[at].1 == 0 {
                        lengths.remove(at);
                    }
                }
            }
        }
    }

    /// Whether few enough keys are held that comparing them without regard to case is cheaper
    /// than folding the text; see [`Keys::exact_folded`] and [`Keys::affix_folded`].
    #[inline]
    pub(super) const fn is_few(&self) -> bool {
        matches!(self, Self::Few(_))
    }

    /// As [`Keys::exact`] on few lower-case keys, ignoring the case of `text`.
    pub(super) fn exact_folded(&self, text: &[u8]) -> Option<u32> {
        let Self::Few(list) = self else { return None };
        list.iter().find(|(key, _)| key.eq_ignore_ascii_case(text)).map(|(_, id)| *id)
    }

    /// As [`Keys::affix`] preferring the first of few lower-case keys, ignoring the case of `text`.
    pub(super) fn affix_folded(&self, text: &[u8], from_end: bool) -> Option<u32> {
        let Self::Few(list) = self else { return None };
        let fits = |key: &[u8]| {
            let at = text.len().checked_sub(key.len());
            at.is_some_and(|at| {
                let part = if from_end { &text[at..] } else { &text[..key.len()] };
                part.eq_ignore_ascii_case(key)
            })
        };
        list.iter().find(|(key, _)| fits(key)).map(|(_, id)| *id)
    }

    /// Makes room for many more keys.
    pub(super) fn reserve(&mut self, additional: usize) {
        if additional > FEW {
            if let Self::Few(list) = self {
                let list = std::mem::take(list);
                *self = Self::Many { map: FastMap::default(), lengths: Vec::new() };
                for (key, id) in list {
                    self.insert(&key, id);
                }
            }
            if let Self::Many { map, .. } = self {
                map.reserve(additional);
            }
        }
    }

    /// The entry whose key equals `text`.
    #[inline]
    pub(super) fn exact(&self, text: &[u8]) -> Option<u32> {
        match self {
            Self::Few(list) => list.iter().find(|(key, _)| **key == *text).map(|(_, id)| *id),
            Self::Many { map, .. } => map.get(text).map(Ids::first),
        }
    }

    /// The entry whose key is a prefix (or, from the end, a suffix) of `text`.
    #[inline]
    pub(super) fn affix(&self, text: &[u8], from_end: bool, prefer: Prefer) -> Option<u32> {
        let fits = |key: &[u8]| if from_end { text.ends_with(key) } else { text.starts_with(key) };
        match self {
            Self::Few(list) if prefer == Prefer::First => {
                list.iter().find(|(key, _)| fits(key)).map(|(_, id)| *id)
            }
            Self::Few(list) => {
                let mut best: Option<&(Box<[u8]>, u32)> = None;
                for entry in list.iter().filter(|(key, _)| fits(key)) {
                    if best.is_none_or(|(key, _)| entry.0.len() > key.len()) {
                        best = Some(entry);
                    }
                }
                best.map(|(_, id)| *id)
            }
            Self::Many { map, lengths } => {
                let shorter = lengths.partition_point(|(len, _)| *len > text.len());
                let mut found = lengths[shorter..].iter().filter_map(|(len, _)| {
                    let part = if from_end { &text[text.len() - len..] } else { &text[..*len] };
                    map.get(part).map(Ids::first)
                });
                if prefer == Prefer::Longest { found.next() } else { found.min() }
            }
        }
    }

    /// The first entry found as a whole word of `text` between delimiters.
    pub(super) fn word(&self, text: &[u8], is_delimiter: fn(u8) -> bool) -> Option<u32> {
        match self {
            Self::Few(list) => {
                list.iter().find(|(key, _)| has_word(text, key, is_delimiter)).map(|(_, id)| *id)
            }
            Self::Many { map, lengths } => {
                let mut best: Option<u32> = None;
                for start in word_starts(text, is_delimiter) {
                    let rest = &text[start..];
                    let shorter = lengths.partition_point(|(len, _)| *len > rest.len());
                    for (len, _) in &lengths[shorter..] {
                        if *len > 0 && rest.get(*len).is_none_or(|b| is_delimiter(*b)) {
                            let found = map.get(&rest[..*len]).map(Ids::first);
                            best = best.into_iter().chain(found).min();
                        }
                    }
                }
                best
            }
        }
    }

    /// Calls `visit` for every key.
    pub(super) fn for_each(&self, mut visit: impl FnMut(&[u8], u32)) {
        match self {
            Self::Few(list) => list.iter().for_each(|(key, id)| visit(key, *id)),
            Self::Many { map, .. } => map.iter().for_each(|(key, ids)| visit(key, ids.first())),
        }
    }
}

fn word_starts(text: &[u8], is_delimiter: fn(u8) -> bool) -> impl Iterator<Item = usize> + '_ {
    (0..text.len()).filter(move |&at| !is_delimiter(text[at]) && (at == 0 || is_delimiter(text[at - 1])))
}

fn has_word(text: &[u8], key: &[u8], is_delimiter: fn(u8) -> bool) -> bool {
    !key.is_empty()
        && word_starts(text, is_delimiter).any(|start| {
            let rest = &text[start..];
            rest.starts_with(key) && rest.get(key.len()).is_none_or(|b| is_delimiter(*b))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same keys as a small and as a large set must answer alike.
    fn both(keys: &[&str]) -> [Keys; 2] {
        let (mut few, mut many) = (Keys::default(), Keys::default());
        for n in 0..20 {
            many.insert(format!("~~filler{n}").as_bytes(), 1000 + n);
        }
        for (id, key) in keys.iter().enumerate() {
            few.insert(key.as_bytes(), id as u32);
            many.insert(key.as_bytes(), id as u32);
        }
        assert!(matches!(few, Keys::Few(_)) && matches!(many, Keys::Many { .. }));
        [few, many]
    }

    #[test]
    fn prefixes_and_suffixes_follow_the_preference() {
        for keys in both(&["/a", "/a/b", "", "b"]) {
            assert_eq!(keys.affix(b"/a/b/c", false, Prefer::Longest), Some(1));
            assert_eq!(keys.affix(b"/a/b/c", false, Prefer::First), Some(0));
            assert_eq!(keys.affix(b"zzz", false, Prefer::Longest), Some(2));
            assert_eq!(keys.affix(b"/a/b", true, Prefer::First), Some(1));
        }
    }

    #[test]
    fn words_need_delimiters_on_both_sides() {
        let slash = |b: u8| b == b'/' || b == b'?';
        for keys in both(&["images/png", "logo"]) {
            assert_eq!(keys.word(b"/images/png/x", slash), Some(0));
            assert_eq!(keys.word(b"images/png", slash), Some(0));
            assert_eq!(keys.word(b"/images/pngs", slash), None);
            assert_eq!(keys.word(b"/x/logo?y", slash), Some(1));
            assert_eq!(keys.word(b"", slash), None);
        }
    }

    #[test]
    fn duplicates_are_removed_one_at_a_time() {
        for mut keys in both(&["k", "k", "k"]) {
            assert_eq!(keys.exact(b"k"), Some(0));
            keys.remove(b"k", 0);
            assert_eq!(keys.exact(b"k"), Some(1));
            keys.remove(b"k", 2);
            assert_eq!(keys.exact(b"k"), Some(1));
            keys.remove(b"k", 1);
            assert_eq!(keys.exact(b"k"), None);
            assert_eq!(keys.affix(b"k", false, Prefer::First), None);
        }
    }
}
