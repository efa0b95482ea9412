//! Integers and integer ranges.

use super::hash::FastMap;
use super::keys::Ids;

/// Ranges of integers, both ends included.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranges {
    singles: FastMap<i64, Ids>,
    ranges: Vec<(i64, i64, u32)>,
}

impl Ranges {
    pub(super) fn insert(&mut self, (min, max): (i64, i64), id: u32) {
        if min != max {
            self.ranges.push((min, max, id));
        } else if let Some(ids) = self.singles.get_mut(&min) {
            ids.add(id);
        } else {
            self.singles.insert(min, Ids::One(id));
        }
    }

    pub(super) fn remove(&mut self, (min, max): (i64, i64), id: u32) {
        if min != max {
            self.ranges.retain(|range| *range != (min, max, id));
        } else if self.singles.get_mut(&min).is_some_and(|ids| ids.remove(id)) {
            self.singles.remove(&min);
        }
    }

    /// The first range (in order of insertion) holding `value`.
    pub(super) fn find(&self, value: i64) -> Option<u32> {
        let single = if self.singles.is_empty() { None } else { self.singles.get(&value).map(Ids::first) };
        let range = self.ranges.iter().find(|(min, max, _)| (*min..=*max).contains(&value));
        single.into_iter().chain(range.map(|(_, _, id)| *id)).min()
    }
}

/// Parses `5`, `1:10`, `1:`, `:10`; a dash works like the colon, as it always did.
pub(super) fn parse_range(text: &str, number: fn(&str) -> Option<i64>) -> Result<(i64, i64), String> {
    let invalid = || format!("'{text}' is not a valid number range");
    // A dash in front of a number that ends at a colon is a sign: `ge -60` is written `-60:`.
    let signed = text.starts_with('-').then(|| text.find(':')).flatten();
    let Some(at) = signed.or_else(|| text.find([':', '-'])) else {
        if text.is_empty() {
            return Err(invalid());
        }
        let value = number(text).ok_or_else(|| format!("'{text}' is not a number"))?;
        return Ok((value, value));
    };
    let (low, high) = (&text[..at], &text[at + 1..]);
    if low.is_empty() && high.is_empty() {
        return Err(invalid());
    }
    let min = if low.is_empty() { i64::MIN } else { number(low).ok_or_else(invalid)? };
    let max = if high.is_empty() { i64::MAX } else { number(high).ok_or_else(invalid)? };
    if min > max { Err(invalid()) } else { Ok((min, max)) }
}

/// Parses a plain number; the sign is taken by the range syntax.
pub(super) fn plain(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// Parses `3` or `3.1` as two 16 bit halves; a missing half is zero.
pub(super) fn dotted(text: &str) -> Option<i64> {
    let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
    let major: u16 = major.parse().ok()?;
    let minor: u16 = minor.parse().ok()?;
    Some(i64::from(major) << 16 | i64::from(minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_open_or_closed() {
        assert_eq!(parse_range("5", plain), Ok((5, 5)));
        assert_eq!(parse_range("1:10", plain), Ok((1, 10)));
        assert_eq!(parse_range("1024:", plain), Ok((1024, i64::MAX)));
        assert_eq!(parse_range(":1023", plain), Ok((i64::MIN, 1023)));
        assert_eq!(parse_range("-5", plain), Ok((i64::MIN, 5)));
        assert_eq!(parse_range("-60:", plain), Ok((-60, i64::MAX)));
        assert_eq!(parse_range("-60:-10", plain), Ok((-60, -10)));
        assert!(parse_range("10:1", plain).is_err());
        assert!(parse_range(":", plain).is_err());
        assert!(parse_range("", plain).is_err());
        assert!(parse_range("x", plain).is_err());
        assert_eq!(parse_range("3:3.1", dotted), Ok((0x30000, 0x30001)));
    }

    #[test]
    fn the_first_inserted_range_wins() {
        let mut ranges = Ranges::default();
        ranges.insert((1, 100), 0);
        ranges.insert((5, 5), 1);
        assert_eq!(ranges.find(5), Some(0));
        ranges.remove((1, 100), 0);
        assert_eq!(ranges.find(5), Some(1));
        assert_eq!(ranges.find(6), None);
        ranges.remove((5, 5), 1);
        assert_eq!(ranges.find(5), None);
    }
}
