//! Which bytes are escaped, and how.

use crate::expr::push_hex;

/// A set of bytes.
pub(in crate::log) struct Map([bool; 256]);

impl Map {
    const fn controls(also: &[u8], high: bool) -> Self {
        let mut map = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            map[byte] = byte < 32 || byte == 127 || (byte > 127 && high);
            byte += 1;
        }
        let mut at = 0;
        while at < also.len() {
            map[also[at] as usize] = true;
            at += 1;
        }
        Self(map)
    }

    const fn without(mut self, byte: u8) -> Self {
        self.0[byte as usize] = false;
        self
    }

    pub(super) const fn has(&self, byte: u8) -> bool {
        self.0[byte as usize]
    }
}

/// Captured headers: non-printable bytes and the punctuation around captures.
pub(in crate::log) static CAPTURE: Map = Map::controls(b"\"#{|}", true);
/// Request lines: non-printable bytes, quotes and the escape itself.
pub(in crate::log) static URL: Map = Map::controls(b"\"#", true);
/// Header values: what HTTP forbids in them.
pub(in crate::log) static HEADER: Map = Map::controls(b"", false).without(b'\t');
/// Nothing at all.
pub(super) static NOTHING: Map = Map([false; 256]);

/// Appends `text` with a backslash in front of every byte of `special`.
pub(super) fn backslash(out: &mut Vec<u8>, text: &[u8], special: &[u8]) {
    for &byte in text {
        if special.contains(&byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
}

/// Appends `text`: bytes in `map` as `escape` and two digits, bytes of `special` with a backslash.
pub(super) fn mapped(out: &mut Vec<u8>, text: &[u8], escape: u8, map: &Map, special: &[u8]) {
    let mut clean = 0;
    for (at, &byte) in text.iter().enumerate() {
        let mark = map.has(byte);
        if mark || (!special.is_empty() && special.contains(&byte)) {
            out.extend_from_slice(&text[clean..at]);
            clean = at + 1;
            if mark {
                out.push(escape);
                push_hex(out, &[byte]);
            } else {
                out.extend_from_slice(&[b'\\', byte]);
            }
        }
    }
    out.extend_from_slice(&text[clean..]);
}
