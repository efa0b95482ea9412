//! How values become text, JSON or CBOR inside a log line.

mod cbor;
mod escape;

pub(super) use escape::{CAPTURE, HEADER, Map, URL};

use crate::expr::{push_hex, push_int};

/// What is done to a value; a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags(u16);

impl Flags {
    /// `X`: numbers and addresses in hexadecimal.
    pub(super) const HEX: Self = Self(1);
    /// An empty value is printed as `-`.
    pub(super) const MANDATORY: Self = Self(1 << 1);
    /// `Q`: in double quotes.
    pub(super) const QUOTE: Self = Self(1 << 2);
    /// `E`: RFC 5424 escaping.
    pub(super) const ESCAPE: Self = Self(1 << 3);
    /// `bin`: binary values as they are.
    pub(super) const BINARY: Self = Self(1 << 4);
    /// `json`.
    pub(super) const JSON: Self = Self(1 << 5);
    /// `cbor`.
    pub(super) const CBOR: Self = Self(1 << 6);
    /// For header values: only what HTTP forbids is encoded.
    pub(super) const HTTP: Self = Self(1 << 7);
    /// `json` or `cbor`.
    pub(super) const ENCODED: Self = Self(Self::JSON.0 | Self::CBOR.0);

    pub(super) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// The type an item is forced to (`%(name:type)`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Cast {
    /// As it comes.
    #[default]
    None,
    Str,
    Int,
    Bool,
    /// As it comes, without any encoding.
    Raw,
}

/// Appends one item to a line.
#[derive(Debug)]
pub(super) struct Writer<'o> {
    pub(super) out: &'o mut Vec<u8>,
    pub(super) flags: Flags,
    pub(super) cast: Cast,
    in_text: bool,
}

impl<'o> Writer<'o> {
    pub(super) const fn new(out: &'o mut Vec<u8>, flags: Flags, cast: Cast) -> Self {
        Self { out, flags, cast, in_text: false }
    }

    /// A whole text value: quoted if asked for, `-` if empty and mandatory.
    pub(super) fn text(&mut self, text: &[u8]) {
        let text = memchr::memchr(0, text).map_or(text, |end| &text[..end]);
        if self.flags.has(Flags::QUOTE.with(Flags::JSON)) {
            self.out.push(b'"');
            self.body(text);
            self.out.push(b'"');
        } else if text.is_empty() && self.flags.has(Flags::MANDATORY) && !self.flags.has(Flags::CBOR) {
            self.out.push(b'-');
        } else {
            self.body(text);
        }
    }

    /// A text value that is never quoted unless the encoding demands it.
    pub(super) fn raw(&mut self, text: &[u8]) {
        if !self.in_text && self.flags.has(Flags::JSON) {
            self.out.push(b'"');
            self.body(text);
            self.out.push(b'"');
        } else {
            self.body(text);
        }
    }

    fn body(&mut self, text: &[u8]) {
        if self.flags.has(Flags::CBOR) {
            if !text.is_empty() {
                cbor::string(self, cbor::TEXT, text);
            }
        } else if self.flags.has(Flags::JSON) {
            escape::backslash(self.out, text, b"\"\\");
        } else if self.flags.has(Flags::ESCAPE) {
            escape::backslash(self.out, text, b"\"\\]");
        } else {
            self.out.extend_from_slice(text);
        }
    }

    /// Starts a value made of several pieces.
    pub(super) fn open_text(&mut self) {
        self.in_text = true;
        if self.flags.has(Flags::CBOR) {
            cbor::byte(self, cbor::TEXT | cbor::INDEFINITE);
        } else if self.flags.has(Flags::QUOTE.with(Flags::JSON)) {
            self.out.push(b'"');
        }
    }

    /// Ends a value started by [`Writer::open_text`].
    pub(super) fn close_text(&mut self) {
        if !std::mem::take(&mut self.in_text) {
            return;
        }
        if self.flags.has(Flags::CBOR) {
            cbor::byte(self, cbor::BREAK);
        } else if self.flags.has(Flags::QUOTE.with(Flags::JSON)) {
            self.out.push(b'"');
        }
    }

    /// One literal byte inside an open text.
    pub(super) fn char(&mut self, byte: u8) {
        if self.flags.has(Flags::CBOR) {
            cbor::string(self, cbor::TEXT, &[byte]);
        } else {
            self.out.push(byte);
        }
    }

    /// A hint such as `+` that is no part of the value; encodings leave it out.
    pub(super) fn hint(&mut self, byte: u8) {
        if !self.flags.has(Flags::ENCODED) {
            self.out.push(byte);
        }
    }

    /// Text of unknown content: bytes in `map` become `escape` and two digits.
    pub(super) fn encoded(&mut self, text: &[u8], escape: u8, map: &Map) {
        if self.flags.has(Flags::CBOR) {
            let kind = if self.in_text { cbor::TEXT } else { cbor::BYTES };
            cbor::encoded(self, kind, text, escape, map, !self.in_text);
        } else if self.flags.has(Flags::JSON) {
            escape::mapped(self.out, text, escape, map, b"\"\\");
        } else if self.flags.has(Flags::ESCAPE) {
            escape::mapped(self.out, text, escape, map, b"\"\\]");
        } else {
            escape::mapped(self.out, text, escape, map, b"");
        }
    }

    /// A number.
    pub(super) fn int(&mut self, value: i64) {
        if !self.flags.has(Flags::ENCODED) {
            push_int(self.out, value);
        } else if self.cast == Cast::Bool {
            self.bool(value != 0);
        } else if self.flags.has(Flags::CBOR) {
            cbor::int(self, value);
        } else if self.cast == Cast::Str {
            self.out.push(b'"');
            push_int(self.out, value);
            self.out.push(b'"');
        } else {
            push_int(self.out, value);
        }
    }

    /// A boolean; only encodings know them.
    pub(super) fn bool(&mut self, value: bool) {
        if self.flags.has(Flags::CBOR) {
            cbor::byte(self, if value { cbor::TRUE } else { cbor::FALSE });
        } else if self.flags.has(Flags::JSON) {
            self.out.extend_from_slice(if value { b"true" } else { b"false" });
        } else {
            push_int(self.out, i64::from(value));
        }
    }

    /// Bytes as they are (CBOR frames them).
    pub(super) fn binary(&mut self, bytes: &[u8]) {
        if self.flags.has(Flags::CBOR) {
            cbor::encoded(self, cbor::BYTES, bytes, 0, &escape::NOTHING, true);
        } else if self.flags.has(Flags::JSON) {
            self.encoded(bytes, b'#', &escape::NOTHING);
        } else {
            self.out.extend_from_slice(bytes);
        }
    }

    /// A number in hexadecimal with at least `width` digits if `X` asks for it.
    pub(super) fn int_or_hex(&mut self, value: i64, width: usize) {
        if self.flags.has(Flags::HEX) {
            let text = format!("{value:0width$X}");
            self.raw(text.as_bytes());
        } else {
            self.int(value);
        }
    }

    /// An address.
    pub(super) fn ip(&mut self, address: std::net::IpAddr) {
        use std::net::IpAddr;
        if self.flags.has(Flags::HEX) {
            let mut digits = Vec::with_capacity(32);
            match address {
                IpAddr::V4(address) => push_hex(&mut digits, &address.octets()),
                IpAddr::V6(address) => push_hex(&mut digits, &address.octets()),
            }
            self.raw(&digits);
        } else if self.flags.has(Flags::QUOTE.with(Flags::ENCODED)) {
            let text = address.to_string();
            self.text(text.as_bytes());
        } else {
            match address {
                IpAddr::V4(address) => crate::expr::push_ipv4(self.out, address),
                IpAddr::V6(address) => crate::expr::push_ipv6(self.out, address),
            }
        }
    }

    /// Opens the map that holds all named items of a line.
    pub(super) fn open_map(&mut self) {
        if self.flags.has(Flags::JSON) {
            self.out.push(b'{');
        } else if self.flags.has(Flags::CBOR) {
            cbor::byte(self, cbor::MAP | cbor::INDEFINITE);
        }
    }

    /// Closes the map.
    pub(super) fn close_map(&mut self) {
        if self.flags.has(Flags::JSON) {
            self.out.push(b'}');
        } else if self.flags.has(Flags::CBOR) {
            cbor::byte(self, cbor::BREAK);
        }
    }

    /// The key of the next item.
    pub(super) fn key(&mut self, name: &str, first: bool) {
        if self.flags.has(Flags::CBOR) {
            cbor::string(self, cbor::TEXT, name.as_bytes());
            return;
        }
        if !first {
            self.out.extend_from_slice(b", ");
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\": ");
    }

    /// What stands for a value that printed nothing.
    pub(super) fn null(&mut self) {
        if self.flags.has(Flags::JSON) {
            self.out.extend_from_slice(b"null");
        } else if self.flags.has(Flags::CBOR) {
            cbor::byte(self, cbor::NULL);
        }
    }

    /// Starts a list of texts.
    pub(super) fn open_list(&mut self) {
        if self.flags.has(Flags::JSON) {
            self.out.push(b'[');
        } else if self.flags.has(Flags::CBOR) {
            cbor::byte(self, cbor::ARRAY | cbor::INDEFINITE);
        }
    }

    /// Separates two elements of a list.
    pub(super) fn next_element(&mut self) {
        if self.flags.has(Flags::JSON) {
            self.out.extend_from_slice(b", ");
        } else if !self.flags.has(Flags::CBOR) {
            self.out.push(b' ');
        }
    }

    /// Ends a list.
    pub(super) fn close_list(&mut self) {
        if self.flags.has(Flags::JSON) {
            self.out.push(b']');
        } else if self.flags.has(Flags::CBOR) {
            cbor::byte(self, cbor::BREAK);
        }
    }
}
