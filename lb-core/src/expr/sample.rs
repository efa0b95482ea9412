//! The typed value an expression works on, and the implicit conversions between its types.
//!
//! HAProxy manual 7.1 (types) and the cast table behind 7.3.1: a fetch yields one type, each
//! converter asks for another, and the engine converts in between when that is possible.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::arena::Arena;
use super::net;

/// A value fetched from traffic or computed by a converter.
///
/// Bytes are borrowed from the traffic, from the compiled program or from the [`Arena`] of the
/// evaluation, so a sample is `Copy` and costs no allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the set of sample types is fixed by the expression language")]
pub enum Sample<'a> {
    /// Boolean.
    Bool(bool),
    /// Signed 64 bit integer.
    Int(i64),
    /// IPv4 address.
    Ipv4(Ipv4Addr),
    /// IPv6 address.
    Ipv6(Ipv6Addr),
    /// Text (any bytes; not necessarily UTF-8).
    Str(&'a [u8]),
    /// Binary block.
    Bin(&'a [u8]),
    /// An HTTP method.
    Method(&'a [u8]),
}

/// The type of a [`Sample`], as declared by fetches and converters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the set of sample types is fixed by the expression language")]
pub enum SampleType {
    /// Anything; as an output type: known only when evaluated.
    Any,
    /// Converters only: the output has the type of the input.
    Same,
    /// [`Sample::Bool`].
    Bool,
    /// [`Sample::Int`].
    Int,
    /// An address of either family.
    Addr,
    /// [`Sample::Ipv4`].
    Ipv4,
    /// [`Sample::Ipv6`].
    Ipv6,
    /// [`Sample::Str`].
    Str,
    /// [`Sample::Bin`].
    Bin,
    /// [`Sample::Method`].
    Method,
}

/// What it takes to turn one type into another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "three outcomes by nature")]
pub enum Cast {
    /// Not possible.
    Never,
    /// The value can be used as it is.
    Free,
    /// The value is converted, which may fail for some values.
    Convert,
}

impl SampleType {
    /// Whether and how a value of this type becomes a value of type `to`.
    pub const fn cast_to(self, to: Self) -> Cast {
        use Cast::{Convert, Free, Never};
        match (self, to) {
            (Self::Same, _) | (_, Self::Same) => Never,
            (_, Self::Any) => Free,
            (Self::Any, _) => Convert,
            (Self::Bool, Self::Bool | Self::Int) => Free,
            (Self::Bool, Self::Str | Self::Bin) => Convert,
            (Self::Bool, _) => Never,
            (Self::Int, Self::Bool | Self::Int) => Free,
            (Self::Int, Self::Method) => Never,
            (Self::Int, _) => Convert,
            (Self::Addr, Self::Addr | Self::Ipv4 | Self::Ipv6 | Self::Str | Self::Bin) => Convert,
            (Self::Ipv4, Self::Addr | Self::Ipv4) | (Self::Ipv6, Self::Addr | Self::Ipv6) => Free,
            (Self::Ipv4, Self::Int | Self::Ipv6 | Self::Str | Self::Bin) => Convert,
            (Self::Ipv6, Self::Ipv4 | Self::Str | Self::Bin) => Convert,
            (Self::Addr | Self::Ipv4 | Self::Ipv6, _) => Never,
            (Self::Str, Self::Str | Self::Bin) => Free,
            (Self::Str, _) => Convert,
            (Self::Bin, Self::Bin) => Free,
            (Self::Bin, Self::Str | Self::Method) => Convert,
            (Self::Bin, _) => Never,
            (Self::Method, Self::Method) => Free,
            (Self::Method, Self::Str | Self::Bin) => Convert,
            (Self::Method, _) => Never,
        }
    }

    /// The name used in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Same => "same",
            Self::Bool => "bool",
            Self::Int => "sint",
            Self::Addr => "addr",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Str => "str",
            Self::Bin => "bin",
            Self::Method => "meth",
        }
    }
}

impl<'a> Sample<'a> {
    /// The type of this value.
    pub const fn ty(&self) -> SampleType {
        match self {
            Self::Bool(_) => SampleType::Bool,
            Self::Int(_) => SampleType::Int,
            Self::Ipv4(_) => SampleType::Ipv4,
            Self::Ipv6(_) => SampleType::Ipv6,
            Self::Str(_) => SampleType::Str,
            Self::Bin(_) => SampleType::Bin,
            Self::Method(_) => SampleType::Method,
        }
    }

    /// Converts to `to`; `None` where that is impossible for this value.
    pub fn cast(self, to: SampleType, arena: &'a Arena) -> Option<Self> {
        match to {
            SampleType::Any | SampleType::Same => Some(self),
            SampleType::Bool => self.to_int().map(|n| Self::Bool(n != 0)),
            SampleType::Int => self.to_int().map(Self::Int),
            SampleType::Addr => self.to_addr(),
            SampleType::Ipv4 => self.to_ipv4().map(Self::Ipv4),
            SampleType::Ipv6 => self.to_ipv6().map(Self::Ipv6),
            SampleType::Str => self.to_str(arena).map(Self::Str),
            SampleType::Bin => self.to_bin(arena).map(Self::Bin),
            SampleType::Method => match self {
                Self::Method(b) | Self::Str(b) | Self::Bin(b) => Some(Self::Method(b)),
                _ => None,
            },
        }
    }

    /// The value as an integer, where the language allows it.
    pub fn to_int(&self) -> Option<i64> {
        match *self {
            Self::Bool(b) => Some(i64::from(b)),
            Self::Int(n) => Some(n),
            Self::Ipv4(a) => Some(i64::from(u32::from(a))),
            Self::Str(s) if !s.is_empty() => Some(leading_int(s).0),
            _ => None,
        }
    }

    /// The value as a boolean, where the language allows it.
    pub fn to_bool(&self) -> Option<bool> {
        match *self {
            Self::Ipv4(_) => None,
            _ => self.to_int().map(|n| n != 0),
        }
    }

    /// The value as an address of either family.
    pub fn to_addr(self) -> Option<Self> {
        match self {
            Self::Ipv4(_) | Self::Ipv6(_) => Some(self),
            Self::Int(n) => Some(Self::Ipv4(Ipv4Addr::from(n as u32))),
            Self::Str(s) => net::parse_ipv4(s).map(Self::Ipv4).or_else(|| net::parse_ipv6(s).map(Self::Ipv6)),
            _ => None,
        }
    }

    /// The value as an IPv4 address; mapped IPv6 addresses count.
    pub fn to_ipv4(self) -> Option<Ipv4Addr> {
        match self {
            Self::Ipv4(a) => Some(a),
            Self::Ipv6(a) => net::v6_to_v4(a),
            Self::Int(n) => Some(Ipv4Addr::from(n as u32)),
            Self::Str(s) => net::parse_ipv4(s),
            _ => None,
        }
    }

    /// The value as an IPv6 address; IPv4 becomes its mapped form.
    pub fn to_ipv6(self) -> Option<Ipv6Addr> {
        match self {
            Self::Ipv6(a) => Some(a),
            Self::Ipv4(a) => Some(a.to_ipv6_mapped()),
            Self::Int(n) => Some(Ipv4Addr::from(n as u32).to_ipv6_mapped()),
            Self::Str(s) => net::parse_ipv6(s),
            _ => None,
        }
    }

    /// The value as text. Binary stops at its first zero byte, as everywhere in the language.
    pub fn to_str(self, arena: &'a Arena) -> Option<&'a [u8]> {
        match self {
            Self::Str(s) | Self::Method(s) => Some(s),
            Self::Bin(b) => Some(memchr::memchr(0, b).map_or(b, |end| &b[..end])),
            Self::Bool(b) => Some(if b { b"1" } else { b"0" }),
            Self::Int(n) => arena.build(|out| push_int(out, n)),
            Self::Ipv4(a) => arena.build(|out| net::push_ipv4(out, a)),
            Self::Ipv6(a) => arena.build(|out| net::push_ipv6(out, a)),
        }
    }

    /// The value as raw bytes: integers as eight bytes in network order, addresses as they are.
    pub fn to_bin(self, arena: &'a Arena) -> Option<&'a [u8]> {
        match self {
            Self::Str(b) | Self::Method(b) | Self::Bin(b) => Some(b),
            Self::Bool(b) => arena.copy(&i64::from(b).to_be_bytes()),
            Self::Int(n) => arena.copy(&n.to_be_bytes()),
            Self::Ipv4(a) => arena.copy(&a.octets()),
            Self::Ipv6(a) => arena.copy(&a.octets()),
        }
    }

    /// The bytes of a text, binary or method value.
    pub const fn bytes(&self) -> Option<&'a [u8]> {
        match *self {
            Self::Str(b) | Self::Bin(b) | Self::Method(b) => Some(b),
            _ => None,
        }
    }

    /// Appends the textual form (the one logs and headers show) to `out`.
    pub fn write_text(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Bool(b) => out.push(if b { b'1' } else { b'0' }),
            Self::Int(n) => push_int(out, n),
            Self::Ipv4(a) => net::push_ipv4(out, a),
            Self::Ipv6(a) => net::push_ipv6(out, a),
            Self::Str(b) | Self::Method(b) => out.extend_from_slice(b),
            Self::Bin(b) => out.extend_from_slice(memchr::memchr(0, b).map_or(b, |end| &b[..end])),
        }
    }

    /// Copies the value out of the evaluation it belongs to.
    pub fn to_owned_sample(&self) -> OwnedSample {
        match *self {
            Self::Bool(b) => OwnedSample::Bool(b),
            Self::Int(n) => OwnedSample::Int(n),
            Self::Ipv4(a) => OwnedSample::Ipv4(a),
            Self::Ipv6(a) => OwnedSample::Ipv6(a),
            Self::Str(b) => OwnedSample::Str(b.into()),
            Self::Bin(b) => OwnedSample::Bin(b.into()),
            Self::Method(b) => OwnedSample::Method(b.into()),
        }
    }
}

/// A [`Sample`] that owns its bytes: constants, variables, map outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "mirrors Sample")]
pub enum OwnedSample {
    /// Boolean.
    Bool(bool),
    /// Integer.
    Int(i64),
    /// IPv4 address.
    Ipv4(Ipv4Addr),
    /// IPv6 address.
    Ipv6(Ipv6Addr),
    /// Text.
    Str(Vec<u8>),
    /// Binary block.
    Bin(Vec<u8>),
    /// HTTP method.
    Method(Vec<u8>),
}

impl OwnedSample {
    /// The same value, borrowed.
    pub fn as_sample(&self) -> Sample<'_> {
        match self {
            Self::Bool(b) => Sample::Bool(*b),
            Self::Int(n) => Sample::Int(*n),
            Self::Ipv4(a) => Sample::Ipv4(*a),
            Self::Ipv6(a) => Sample::Ipv6(*a),
            Self::Str(b) => Sample::Str(b),
            Self::Bin(b) => Sample::Bin(b),
            Self::Method(b) => Sample::Method(b),
        }
    }

    /// Overwrites with `value`, keeping the allocation where both hold bytes of the same type.
    pub fn assign(&mut self, value: &Sample<'_>) {
        match (&mut *self, value) {
            (Self::Str(own), Sample::Str(new))
            | (Self::Bin(own), Sample::Bin(new))
            | (Self::Method(own), Sample::Method(new)) => {
                own.clear();
                own.extend_from_slice(new);
            }
            _ => *self = value.to_owned_sample(),
        }
    }
}

/// Reads an optional sign and the leading digits; returns the value (saturating) and the bytes
/// read. Text without digits is zero.
pub(crate) fn leading_int(text: &[u8]) -> (i64, usize) {
    let negative = text.first() == Some(&b'-');
    let skip = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let digits = text[skip..].iter().take_while(|b| b.is_ascii_digit()).count();
    if digits == 0 {
        return (0, 0);
    }
    let mut value: i64 = 0;
    for digit in &text[skip..skip + digits] {
        let digit = i64::from(digit - b'0');
        value = value.saturating_mul(10);
        value = if negative { value.saturating_sub(digit) } else { value.saturating_add(digit) };
    }
    (value, skip + digits)
}

/// Appends a decimal integer.
pub(crate) fn push_int(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    push_uint(out, value.unsigned_abs());
}

/// Appends bytes as upper-case hexadecimal digits.
pub(crate) fn push_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// Appends a decimal unsigned integer. Short numbers, which logs and addresses are full of, are
/// written without a buffer.
#[inline]
pub(crate) fn push_uint(out: &mut Vec<u8>, value: u64) {
    let digit = |value: u64| b'0' + (value % 10) as u8;
    match value {
        0..10 => out.push(digit(value)),
        10..100 => out.extend_from_slice(&[digit(value / 10), digit(value)]),
        100..1000 => out.extend_from_slice(&[digit(value / 100), digit(value / 10), digit(value)]),
        1000..10_000 => {
            out.extend_from_slice(&[digit(value / 1000), digit(value / 100), digit(value / 10), digit(value)])
        }
        _ => push_long(out, value),
    }
}

fn push_long(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    while value > 0 {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_an_integer_up_to_the_first_other_byte() {
        assert_eq!(Sample::Str(b"12ab").to_int(), Some(12));
        assert_eq!(Sample::Str(b"-7").to_int(), Some(-7));
        assert_eq!(Sample::Str(b"ab").to_int(), Some(0));
        assert_eq!(Sample::Str(b"").to_int(), None);
        assert_eq!(Sample::Str(b"99999999999999999999").to_int(), Some(i64::MAX));
        assert_eq!(Sample::Str(b"-99999999999999999999").to_int(), Some(i64::MIN));
    }

    #[test]
    fn integers_of_every_length_are_written() {
        let mut value = 1u64;
        for _ in 0..20 {
            for value in [value - 1, value, value + 1] {
                let mut out = Vec::new();
                push_uint(&mut out, value);
                assert_eq!(out, value.to_string().as_bytes());
            }
            value = value.saturating_mul(10).min(u64::MAX - 1);
        }
    }

    #[test]
    fn binary_becomes_text_up_to_its_first_zero() {
        let arena = Arena::new();
        assert_eq!(Sample::Bin(b"ab\0c").cast(SampleType::Str, &arena), Some(Sample::Str(b"ab")));
        assert_eq!(Sample::Int(-12).cast(SampleType::Str, &arena), Some(Sample::Str(b"-12")));
        assert_eq!(Sample::Int(1).cast(SampleType::Bin, &arena), Some(Sample::Bin(b"\0\0\0\0\0\0\0\x01")));
    }

    #[test]
    fn addresses_convert_between_families() {
        let arena = Arena::new();
        let v4 = Sample::Ipv4(Ipv4Addr::new(10, 0, 0, 1));
        assert_eq!(v4.cast(SampleType::Int, &arena), Some(Sample::Int(0x0a00_0001)));
        let v6 = v4.cast(SampleType::Ipv6, &arena).unwrap();
        assert_eq!(v6.cast(SampleType::Str, &arena), Some(Sample::Str(b"::ffff:10.0.0.1")));
        assert_eq!(v6.cast(SampleType::Ipv4, &arena), Some(v4));
        assert_eq!(Sample::Str(b"10.0.0.1").cast(SampleType::Addr, &arena), Some(v4));
        assert_eq!(Sample::Bool(true).cast(SampleType::Ipv4, &arena), None);
    }

    #[test]
    fn what_the_table_calls_impossible_never_converts() {
        use SampleType as T;
        let arena = Arena::new();
        let all = [T::Bool, T::Int, T::Addr, T::Ipv4, T::Ipv6, T::Str, T::Bin, T::Method];
        let values = [
            Sample::Bool(true),
            Sample::Int(5),
            Sample::Ipv4(Ipv4Addr::LOCALHOST),
            Sample::Ipv6(Ipv6Addr::LOCALHOST),
            Sample::Str(b"1"),
            Sample::Bin(b"1"),
            Sample::Method(b"GET"),
        ];
        for value in values {
            for to in all {
                if value.ty().cast_to(to) == Cast::Never && !(value.ty() == T::Ipv4 && to == T::Bool) {
                    assert_eq!(value.cast(to, &arena), None, "{value:?} to {to:?}");
                }
            }
        }
    }
}
