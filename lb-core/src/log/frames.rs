//! Messages in a stream (RFC 6587): counted by their sender, or ended by line feeds.

/// What a stream begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "what can be said of the beginning of a stream")]
pub enum Frame<'a> {
    /// A message, and how many bytes of the stream it takes.
    Message(&'a [u8], usize),
    /// A part of one.
    Partial,
    /// Nothing that could become one.
    Broken,
}

/// Digits of the longest count.
const DIGITS: usize = 10;

/// Reads the first message of `bytes`, which may be as long as `limit`; with `lines` it ends at a line feed whatever it begins
/// with.
pub fn frame(bytes: &[u8], limit: usize, lines: bool) -> Frame<'_> {
    match bytes.first() {
        None => Frame::Partial,
        Some(b'<') => line(bytes, limit),
        Some(_) if lines => line(bytes, limit),
        Some(b'1'..=b'9') => counted(bytes, limit),
        Some(_) => Frame::Broken,
    }
}

fn line(bytes: &[u8], limit: usize) -> Frame<'_> {
    match memchr::memchr(b'\n', &bytes[..bytes.len().min(limit)]) {
        Some(end) => {
            let text = &bytes[..end];
            Frame::Message(text.strip_suffix(b"\r").unwrap_or(text), end + 1)
        }
        None if bytes.len() < limit => Frame::Partial,
        None => Frame::Broken,
    }
}

fn counted(bytes: &[u8], limit: usize) -> Frame<'_> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits > DIGITS {
        return Frame::Broken;
    }
    let length = bytes[..digits].iter().fold(0_usize, |sum, digit| sum * 10 + usize::from(digit - b'0'));
    match bytes.get(digits) {
        None if length <= limit => Frame::Partial,
        Some(b' ') if length <= limit => match bytes[digits + 1..].get(..length) {
            Some(message) => Frame::Message(message, digits + 1 + length),
            None => Frame::Partial,
        },
        _ => Frame::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_may_follow_one_another() {
        let mut rest = &b"5 <1>ab<2>c\r\n3 x\nz<4>d\n<5>"[..];
        let mut found = Vec::new();
        while let Frame::Message(message, used) = frame(rest, 100, false) {
            found.push(message);
            rest = &rest[used..];
        }
        assert_eq!(found, [&b"<1>ab"[..], b"<2>c", b"x\nz", b"<4>d"]);
        assert_eq!(frame(rest, 100, false), Frame::Partial);
    }

    #[test]
    fn what_cannot_become_a_message_is_broken() {
        for text in ["0 x", "x", "12x ", "101 ", "99999999999", "\n"] {
            assert_eq!(frame(text.as_bytes(), 100, false), Frame::Broken, "{text}");
        }
        assert_eq!(frame(b"<1>too long\n", 5, false), Frame::Broken);
        assert_eq!(frame(b"x\n", 100, true), Frame::Message(b"x", 2));
        assert_eq!(frame(b"5 ab\n", 100, true), Frame::Message(b"5 ab", 5));
    }
}
