//! Numbers, times and sizes (configuration manual 2.5 and 2.6).

use std::time::Duration;

/// Why a number with a unit is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnitError {
    /// This character is neither digit nor unit.
    Unexpected(char),
    /// Nothing is written.
    Empty,
    /// Larger than the largest value.
    Overflow,
    /// Not zero, but less than the smallest unit.
    Underflow,
}

/// The unit of a number without one, and of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "keywords count in one of these two")]
pub enum Unit {
    /// Milliseconds, what nearly every keyword uses.
    Milli,
    /// Seconds.
    Second,
}

/// Largest time HAProxy accepts: 2^31 - 1 units.
const MAX: u64 = i32::MAX as u64;

/// A time such as `30s`; a plain number counts in `unit`, and so does the precision. What follows a unit, as in `5sec`,
/// is not looked at, see [`after_unit`].
pub fn time(text: &str, unit: Unit) -> Result<Duration, UnitError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, suffix) = text.split_at(digits);
    if digits == 0 {
        return Err(suffix.chars().next().map_or(UnitError::Empty, UnitError::Unexpected));
    }
    let value: u64 = number.parse().map_err(|_| UnitError::Overflow)?;
    let micros = match suffix.as_bytes() {
        [] if unit == Unit::Milli => 1_000,
        [] => 1_000_000,
        [b'u', b's', ..] => 1,
        [b'm', b's', ..] => 1_000,
        [b's', ..] => 1_000_000,
        [b'm', ..] => 60_000_000,
        [b'h', ..] => 3_600_000_000,
        [b'd', ..] => 86_400_000_000,
        _ => return Err(suffix.chars().next().map_or(UnitError::Empty, UnitError::Unexpected)),
    };
    let total = value.checked_mul(micros).ok_or(UnitError::Overflow)?;
    let per_unit = if unit == Unit::Milli { 1_000 } else { 1_000_000 };
    // Fractions of the unit are rounded up, so that a short time never becomes "none".
    let units = total.div_ceil(per_unit);
    if units > MAX {
        return Err(UnitError::Overflow);
    }
    Ok(Duration::from_micros(units * per_unit))
}

/// The first character behind the unit of a time; HAProxy takes such times, so far, and warns.
pub fn after_unit(text: &str) -> Option<char> {
    let suffix = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let rest = suffix.strip_prefix("us").or_else(|| suffix.strip_prefix("ms"));
    rest.or_else(|| suffix.strip_prefix(['s', 'm', 'h', 'd']))?.chars().next()
}

/// A 32-bit number: decimal, hexadecimal behind `0x`, octal behind `0`.
pub fn any_base(text: &str) -> Option<u64> {
    let (digits, base) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    // A sign in front of digits would be taken, too.
    let number = digits.starts_with(|c: char| c.is_ascii_hexdigit());
    number.then(|| u32::from_str_radix(digits, base).ok().map(u64::from))?
}

/// A size such as `16k`, in bytes.
pub fn size(text: &str) -> Result<u64, UnitError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, suffix) = text.split_at(digits);
    if digits == 0 {
        return Err(suffix.chars().next().map_or(UnitError::Empty, UnitError::Unexpected));
    }
    let value: u64 = number.parse().map_err(|_| UnitError::Overflow)?;
    let shift = match suffix {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        _ => {
            let bad = suffix.chars().find(|c| !"kKmMgG".contains(*c)).or_else(|| suffix.chars().nth(1));
            return Err(UnitError::Unexpected(bad.unwrap_or(' ')));
        }
    };
    value.checked_mul(1 << shift).ok_or(UnitError::Overflow)
}

/// The integer at the beginning of `text`, 0 if there is none: how HAProxy reads numbers it does not check.
pub fn leading(text: &str) -> i64 {
    let sign = usize::from(text.starts_with(['-', '+']));
    let digits = text[sign..].bytes().take_while(u8::is_ascii_digit).count();
    let number = &text[..sign + digits];
    let beyond = if number.starts_with('-') { i64::MIN } else { i64::MAX };
    number.trim_start_matches('+').parse().unwrap_or(if digits == 0 { 0 } else { beyond })
}

/// The number that an argument which passed its check stands for: as far as its digits go, and what a `T` can hold of it.
pub fn counted<T: TryFrom<i64>>(text: &str) -> Option<T> {
    let number = leading(text);
    let bounded = [number, number.clamp(0, i32::MAX.into()), number.clamp(0, u16::MAX.into())];
    bounded.into_iter().find_map(|number| T::try_from(number).ok())
}

/// A decimal integer, with an optional sign.
pub fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_be_written_in_three_bases() {
        assert_eq!(["12", "0x1F", "017", "0"].map(any_base), [Some(12), Some(31), Some(15), Some(0)]);
        assert_eq!(["", "0x", "08", "1k", "+1", "4294967296"].map(any_base), [None; 6]);
    }

    #[test]
    fn times_take_every_unit_and_no_fraction() {
        for (text, millis) in
            [("5000", 5000), ("5s", 5000), ("2m", 120_000), ("1h", 3_600_000), ("1d", 86_400_000)]
        {
            assert_eq!(time(text, Unit::Milli), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(time("1500us", Unit::Milli), Ok(Duration::from_millis(2)));
        assert_eq!(time("30", Unit::Second), Ok(Duration::from_secs(30)));
        assert_eq!(time("1.5s", Unit::Milli), Err(UnitError::Unexpected('.')));
        assert_eq!(time("5x", Unit::Milli), Err(UnitError::Unexpected('x')));
        assert_eq!(time("5sec", Unit::Milli), Ok(Duration::from_secs(5)));
        assert_eq!(time("2min", Unit::Milli), Ok(Duration::from_secs(120)));
        assert_eq!((after_unit("5sec"), after_unit("5ms"), after_unit("5")), (Some('e'), None, None));
        assert_eq!(time("", Unit::Milli), Err(UnitError::Empty));
        assert_eq!(time("25d", Unit::Milli), Err(UnitError::Overflow));
        assert_eq!(time("99999999999999999999", Unit::Milli), Err(UnitError::Overflow));
    }

    #[test]
    fn sizes_count_in_powers_of_1024() {
        assert_eq!(size("16384"), Ok(16384));
        assert_eq!(size("1m"), Ok(1 << 20));
        assert_eq!(size("2G"), Ok(2 << 30));
        assert_eq!(size("1kb"), Err(UnitError::Unexpected('b')));
        assert_eq!(size("x"), Err(UnitError::Unexpected('x')));
    }
}
