//! Which bytes are escaped, and how.

use crate::expr::push_hex;

/// A set of bytes.
pub(in crate::log) struct Map {
    bytes: [bool; 256],
    /// Whether bytes above ASCII are in it.
    high: bool,
    /// What is in it besides control characters.
    also: &'static [u8],
}

impl Map {
    const fn controls(also: &'static [u8], high: bool) -> Self {
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
        Self { bytes: map, high, also }
    }

    const fn without(mut self, byte: u8) -> Self {
        self.bytes[byte as usize] = false;
        self
    }

    pub(super) const fn has(&self, byte: u8) -> bool {
        self.bytes[byte as usize]
    }

    /// Whether no byte of `text` can be in the set. Comparisons only, so that the compiler can
    /// look at many bytes at once; some texts without such a byte are not recognised.
    fn surely_absent_from(&self, text: &[u8]) -> bool {
        let printable = if self.high {
            text.iter().fold(true, |all, byte| all & (0x20..0x7f).contains(byte))
        } else {
            text.iter().fold(true, |all, byte| all & (*byte >= 0x20) & (*byte != 0x7f))
        };
        printable
            && self.also.iter().all(|special| !text.iter().fold(false, |any, byte| any | (byte == special)))
    }
}

/// Captured headers: non-printable bytes and the punctuation around captures.
pub(in crate::log) static CAPTURE: Map = Map::controls(b"\"#{|}", true);
/// Request lines: non-printable bytes, quotes and the escape itself.
pub(in crate::log) static URL: Map = Map::controls(b"\"#", true);
/// Header values: what HTTP forbids in them.
pub(in crate::log) static HEADER: Map = Map::controls(b"", false).without(b'\t');
/// Nothing at all.
pub(super) static NOTHING: Map = Map { bytes: [false; 256], high: false, also: b"" };

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
    if special.is_empty() && map.surely_absent_from(text) {
        out.extend_from_slice(text);
        return;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_cut_changes_nothing() {
        for map in [&CAPTURE, &URL, &HEADER, &NOTHING] {
            for byte in 0..=255u8 {
                let text = [b'a', byte, b'b'];
                let mut out = Vec::new();
                mapped(&mut out, &text, b'#', map, b"");
                let expected =
                    if map.has(byte) { format!("a#{byte:02X}b").into_bytes() } else { text.to_vec() };
                assert_eq!(out, expected, "{byte}");
            }
        }
    }
}
