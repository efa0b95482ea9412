//! The few CBOR items a log line needs (RFC 8949), in hexadecimal unless binary is asked for.

use super::escape::Map;
use super::{Flags, Writer};
use crate::expr::push_hex;

/// Major types and simple values.
pub(super) const BYTES: u8 = 0x40;
pub(super) const TEXT: u8 = 0x60;
pub(super) const ARRAY: u8 = 0x80;
pub(super) const MAP: u8 = 0xa0;
pub(super) const INDEFINITE: u8 = 0x1f;
pub(super) const FALSE: u8 = 0xf4;
pub(super) const TRUE: u8 = 0xf5;
pub(super) const NULL: u8 = 0xf6;
pub(super) const BREAK: u8 = 0xff;

pub(super) fn byte(writer: &mut Writer<'_>, value: u8) {
    bytes(writer, &[value]);
}

fn bytes(writer: &mut Writer<'_>, bytes: &[u8]) {
    if writer.flags.has(Flags::BINARY) {
        writer.out.extend_from_slice(bytes);
    } else {
        push_hex(writer.out, bytes);
    }
}

/// The head of an item: major type and argument.
fn head(writer: &mut Writer<'_>, major: u8, value: u64) {
    let raw = value.to_be_bytes();
    match value {
        0..=23 => byte(writer, major | raw[7]),
        24..=0xff => bytes(writer, &[major | 24, raw[7]]),
        0x100..=0xffff => bytes(writer, &[major | 25, raw[6], raw[7]]),
        0x1_0000..=0xffff_ffff => {
            byte(writer, major | 26);
            bytes(writer, &raw[4..]);
        }
        _ => {
            byte(writer, major | 27);
            bytes(writer, &raw);
        }
    }
}

/// An integer.
pub(super) fn int(writer: &mut Writer<'_>, value: i64) {
    if value >= 0 {
        head(writer, 0, value as u64);
    } else {
        head(writer, 0x20, !value as u64);
    }
}

/// A text or byte string of known length.
pub(super) fn string(writer: &mut Writer<'_>, major: u8, text: &[u8]) {
    head(writer, major, text.len() as u64);
    bytes(writer, text);
}

/// A string in chunks, because escaping makes its length unknown; with its own frame unless it
/// continues an open one.
pub(super) fn encoded(writer: &mut Writer<'_>, major: u8, text: &[u8], escape: u8, map: &Map, framed: bool) {
    if framed {
        byte(writer, major | INDEFINITE);
    }
    let mut clean = 0;
    for (at, &value) in text.iter().enumerate().filter(|(_, value)| map.has(**value)) {
        if clean < at {
            string(writer, major, &text[clean..at]);
        }
        let mut mark = vec![escape];
        push_hex(&mut mark, &[value]);
        string(writer, major, &mark);
        clean = at + 1;
    }
    if clean < text.len() {
        string(writer, major, &text[clean..]);
    }
    if framed {
        byte(writer, BREAK);
    }
}
