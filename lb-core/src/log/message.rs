//! Messages of others, as syslog brings them: what their header says, and the rest.
//!
//! RFC 3164 as it is found (host name always, tag maybe), RFC 5424, or nothing but a priority. What does not look like any
//! of them is passed on as it is: nothing a sender writes is an error.

use super::syslog::Time;
use crate::expr::date;
use crate::spec::{Facility, LogFormat, Severity};

/// Bytes of a date of RFC 3164.
const OLD: usize = 15;
/// Bytes of the shortest date of RFC 5424.
const ISO: usize = 20;

/// One message. Fields that it lacks are empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Message<'a> {
    /// Facility and severity, if it has any.
    pub priority: Option<(Facility, Severity)>,
    /// When it was written.
    pub time: Time<'a>,
    /// Name of the machine.
    pub hostname: &'a [u8],
    /// Name of the program.
    pub tag: &'a [u8],
    /// Number of the process.
    pub pid: &'a [u8],
    /// Kind of message.
    pub message_id: &'a [u8],
    /// Structured data.
    pub structured: &'a [u8],
    /// What it says.
    pub text: &'a [u8],
}

impl<'a> Message<'a> {
    /// A message whose header is not looked at.
    pub fn unread(text: &'a [u8]) -> Self {
        Self { text, ..Self::default() }
    }

    /// Reads a message.
    pub fn parse(bytes: &'a [u8]) -> Self {
        let Some((priority, rest)) = priority(bytes) else { return Self::unread(bytes) };
        let bare = Self { priority: Some(priority), text: rest, ..Self::default() };
        let read = match rest.strip_prefix(b"1 ") {
            Some(fields) if !fields.is_empty() => bare.with_fields(fields),
            _ if rest.len() > OLD => bare.with_names(rest),
            _ => None,
        };
        read.unwrap_or(bare)
    }

    /// The form that has a place for all that is known of the message.
    pub fn form(&self) -> LogFormat {
        match self.time {
            Time::Untold | Time::Iso(_) if !self.hostname.is_empty() => LogFormat::Rfc5424,
            _ if !self.hostname.is_empty() => LogFormat::Rfc3164,
            _ if !self.tag.is_empty() => LogFormat::Local,
            _ if self.priority.is_some() => LogFormat::Priority,
            _ => LogFormat::Raw,
        }
    }

    /// What follows the version of RFC 5424.
    fn with_fields(self, bytes: &'a [u8]) -> Option<Self> {
        let (time, rest) = match bytes.strip_prefix(b"- ") {
            Some(rest) if !rest.is_empty() => (Time::Untold, rest),
            _ => iso(bytes)?,
        };
        let (hostname, rest) = field(rest)?;
        let (tag, rest) = field(rest)?;
        let (pid, rest) = field(rest)?;
        let (message_id, rest) = field(rest)?;
        let (structured, text) = structured(rest)?;
        Some(Self { time, hostname, tag, pid, message_id, structured, text, ..self })
    }

    /// `Jan  1 00:00:00 host tag[pid]: text`.
    fn with_names(self, bytes: &'a [u8]) -> Option<Self> {
        date::month(bytes)?;
        let (time, rest) = bytes.split_at_checked(OLD)?;
        let (hostname, text) = word(rest.strip_prefix(b" ")?)?;
        let named = Self { time: Time::Old(time), hostname, text, ..self };
        Some(named.with_tag().unwrap_or(named))
    }

    fn with_tag(self) -> Option<Self> {
        let end = self.text.iter().position(|byte| matches!(byte, b' ' | b':'))?;
        let text = self.text[end..].strip_prefix(b": ")?;
        let name = &self.text[..end];
        let (mut tag, mut pid, mut open) = (name, &b""[..], None);
        for (at, byte) in name.iter().enumerate() {
            match (byte, open) {
                (b'[', _) => (tag, open) = (&name[..at], Some(at + 1)),
                (b']', Some(start)) if at + 1 == end => pid = &name[start..at],
                // The tag ends where the number should, but there is more of it: it stays where it is, too.
                (b']', Some(_)) => return Some(Self { tag, ..self }),
                _ => {}
            }
        }
        // Without a name in front of the bracket all of it is one.
        let tag = if tag.is_empty() { name } else { tag };
        Some(Self { tag, pid, text, ..self })
    }
}

/// `<134>`
fn priority(bytes: &[u8]) -> Option<((Facility, Severity), &[u8])> {
    let rest = bytes.strip_prefix(b"<")?;
    let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let text = rest[end..].strip_prefix(b">")?;
    // Three digits are all that is ever written.
    let number = rest[..end].iter().fold(0, |sum: u32, digit| (sum * 10 + u32::from(digit - b'0')) % 1000);
    Some(((Facility((number >> 3) as u8), Severity::of_number((number & 7) as u8)), text))
}

/// A word that is not empty, and what follows the blank behind it.
fn word(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b' ').filter(|end| *end > 0)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

/// A word, empty for `-`.
fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    word(bytes).map(|(word, rest)| (if word == b"-" { b"" } else { word }, rest))
}

/// A date with the optional fraction of its seconds, `Z` or an offset. Its digits are not looked at.
fn iso(bytes: &[u8]) -> Option<(Time<'_>, &[u8])> {
    let mut end = ISO - 1;
    if bytes.get(end) == Some(&b'.') {
        let fraction = bytes[end + 1..].iter().position(|byte| !byte.is_ascii_digit())?;
        end += 1 + fraction;
        if !matches!(bytes[end], b'Z' | b'+' | b'-') {
            return None;
        }
    }
    end += if *bytes.get(end)? == b'Z' { 1 } else { "+00:00".len() };
    let (time, rest) = bytes.split_at_checked(end)?;
    Some((Time::Iso(time), rest.strip_prefix(b" ")?))
}

/// `[id key="value"][id]` or `-`, and the text behind it.
fn structured(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    if bytes.first() != Some(&b'[') {
        return bytes.strip_prefix(b"- ").map(|text| (&b""[..], text));
    }
    let (mut inside, mut before) = (false, b' ');
    for (at, &byte) in bytes.iter().enumerate() {
        match (inside, byte) {
            (true, b']') if before != b'\\' => inside = false,
            (true, _) => {}
            (false, b'[') => inside = true,
            (false, b' ') => return Some((&bytes[..at], &bytes[at + 1..])),
            (false, _) => return None,
        }
        before = byte;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told<'a>(message: &Message<'a>) -> [&'a [u8]; 6] {
        [message.hostname, message.tag, message.pid, message.message_id, message.structured, message.text]
    }

    #[test]
    fn all_fields_of_the_new_form_are_found() {
        let message = Message::parse(
            b"<165>1 2003-10-11T22:14:15.003Z mymachine evntslog 17 ID47 [a@1 k=\"v\\]w\"][b] text of it",
        );
        assert_eq!(message.priority, Some((Facility(20), Severity::Notice)));
        assert_eq!(message.time, Time::Iso(b"2003-10-11T22:14:15.003Z"));
        let expected: [&[u8]; 6] =
            [b"mymachine", b"evntslog", b"17", b"ID47", b"[a@1 k=\"v\\]w\"][b]", b"text of it"];
        assert_eq!(told(&message), expected);
        assert_eq!(message.form(), LogFormat::Rfc5424);
        let nothing = Message::parse(b"<0>1 - - - - - - ");
        assert_eq!(told(&nothing), [&b""[..]; 6]);
        assert_eq!((nothing.time, nothing.form()), (Time::Untold, LogFormat::Priority));
    }

    #[test]
    fn the_old_form_has_a_host_and_may_have_a_tag() {
        let read = |text: &'static [u8]| {
            let message = Message::parse(text);
            assert_eq!(message.priority, Some((Facility(4), Severity::Crit)));
            let [host, tag, pid, _, _, text] =
                told(&message).map(|field| std::str::from_utf8(field).unwrap());
            (host, tag, pid, text)
        };
        assert_eq!(read(b"<34>Oct 11 22:14:15 m su[12]: failed"), ("m", "su", "12", "failed"));
        assert_eq!(read(b"<34>Oct 11 22:14:15 m su: failed"), ("m", "su", "", "failed"));
        assert_eq!(read(b"<34>Oct 11 22:14:15 m no tag: here"), ("m", "", "", "no tag: here"));
        assert_eq!(read(b"<34>Oct 11 22:14:15 m a:b c"), ("m", "", "", "a:b c"));
        assert_eq!(read(b"<34>Oct 11 22:14:15 m "), ("m", "", "", ""));
        assert_eq!(read(b"<34>Oct 11 22:14:15 m su[1]x: t"), ("m", "su", "", "su[1]x: t"));
        assert_eq!(read(b"<34>Oct 11 22:14:15 m a[b[2]: t"), ("m", "a[b", "2", "t"));
        assert_eq!(read(b"<34>Oct 11 22:14:15 m [2]: t"), ("m", "[2]", "2", "t"));
    }

    #[test]
    fn what_is_no_header_belongs_to_the_text() {
        for text in ["", "<", "<>", "<1", "<x>hi", "hello", "Oct 11 22:14:15 m su: failed"] {
            let message = Message::parse(text.as_bytes());
            let expected = if text == "<>" { "" } else { text };
            assert_eq!(
                (message.text, message.priority.is_some()),
                (expected.as_bytes(), text == "<>"),
                "{text}"
            );
        }
        for text in [
            "short",
            "Foo 11 22:14:15 m su: failed",
            "Oct 11 22:14:15  m su: failed",
            "Oct 11 22:14:15 hostalone",
            "1 2003-10-11T22:14:15.003 m t 1 i - x",
            "1 2003-10-11T22:14:15.x03Z m t 1 i - x",
            "1 2003-10-11T22:14:15Z m t 1 i x y",
            "1 2003-10-11T22:14:15Z m t 1 i [a x",
            "1 2003-10-11T22:14:15Z m t 1  - x",
            "1 - m t",
        ] {
            let bytes = format!("<14>{text}").into_bytes();
            let message = Message::parse(&bytes);
            assert_eq!(
                message,
                Message { text: text.as_bytes(), priority: message.priority, ..Message::default() }
            );
            assert_eq!(message.form(), LogFormat::Priority);
        }
    }

    #[test]
    fn the_form_follows_what_is_known() {
        let form = |text: &[u8]| Message::parse(text).form();
        assert_eq!(form(b"<14>Oct 11 22:14:15 m su: failed"), LogFormat::Rfc3164);
        assert_eq!(form(b"<14>1 - - t - - - x"), LogFormat::Local);
        assert_eq!(form(b"<14>x"), LogFormat::Priority);
        assert_eq!(form(b"x"), LogFormat::Raw);
    }

    #[test]
    fn priorities_beyond_three_digits_keep_the_last_three() {
        assert_eq!(Message::parse(b"<1191>x").priority, Some((Facility(23), Severity::Debug)));
        assert_eq!(
            Message::parse(b"<99999999999999999999>x").priority,
            Some((Facility(124), Severity::Debug))
        );
    }
}
