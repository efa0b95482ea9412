//! `option spop-check`: the greeting of the stream processing offload protocol.
//!
//! A HAPROXY-HELLO frame that asks for a health check is sent; an AGENT-HELLO naming a version, a
//! frame size and capabilities this side knows is the right answer.

use lb_core::health::{Expect, Matcher, Pattern, Payload, Scene, Status, Step, Template};
use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

/// Largest frames that are accepted; the highest is offered: a buffer less the length in front.
const FRAMES: std::ops::RangeInclusive<u64> = 256..=16_380;

const HAPROXY_HELLO: u8 = 1;
const AGENT_HELLO: u8 = 101;
const AGENT_DISCONNECT: u8 = 102;
/// The only flag of a whole frame.
const FIN: u32 = 1;

/// What is wrong with an answer, by the numbers of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Invalid = 4,
    NoVersion = 5,
    NoFrameSize = 6,
    NoCapabilities = 7,
    BadVersion = 8,
    BadFrameSize = 9,
}

impl Refusal {
    const fn words(self) -> &'static str {
        match self {
            Self::Invalid => "invalid frame received",
            Self::NoVersion => "version value not found",
            Self::NoFrameSize => "max-frame-size value not found",
            Self::NoCapabilities => "capabilities value not found",
            Self::BadVersion => "unsupported version",
            Self::BadFrameSize => "max-frame-size too big or too small",
        }
    }
}

/// How a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    /// More has to arrive.
    Unfinished,
    Hello,
    /// The answer makes no sense, or offers what this side does not do.
    Refused(Refusal),
    /// The agent takes its leave: code and words.
    Disconnect(u64, Vec<u8>),
}

/// A typed value of a frame.
#[derive(Debug, PartialEq, Eq)]
enum Value<'a> {
    Number(u64),
    Text(&'a [u8]),
    Other,
}

/// The bytes of a frame not read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    /// Four bits in the first byte, seven in each that follows.
    fn varint(&mut self) -> Option<u64> {
        let first = self.byte()?;
        let mut value = u64::from(first);
        if first < 240 {
            return Some(value);
        }
        for shift in (4..64).step_by(7) {
            let next = self.byte()?;
            value = value.checked_add(u64::from(next).checked_shl(shift)?)?;
            if next < 128 {
                return Some(value);
            }
        }
        None
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        self.take(length)
    }

    fn value(&mut self) -> Option<Value<'a>> {
        Some(match self.byte()? & 0x0f {
            0 | 1 => Value::Other,
            2..=5 => Value::Number(self.varint()?),
            6 => self.take(4).map(|_| Value::Other)?,
            7 => self.take(16).map(|_| Value::Other)?,
            8 => Value::Text(self.text()?),
            9 => self.text().map(|_| Value::Other)?,
            _ => return None,
        })
    }

    fn items(mut self) -> Option<HashMap<&'a [u8], Value<'a>>> {
        let mut items = HashMap::new();
        while !self.0.is_empty() {
            let key = self.text().filter(|key| !key.is_empty())?;
            items.insert(key, self.value()?);
        }
        Some(items)
    }
}

/// Reads the answer to the greeting.
fn judge(received: &[u8]) -> Answer {
    let invalid = Answer::Refused(Refusal::Invalid);
    let Some((head, rest)) = received.split_first_chunk::<11>() else { return Answer::Unfinished };
    let [l0, l1, l2, l3, kind, f0, f1, f2, f3, stream, frame] = *head;
    let whole = matches!(kind, AGENT_HELLO | AGENT_DISCONNECT)
        && u32::from_be_bytes([f0, f1, f2, f3]) == FIN
        && (stream, frame) == (0, 0);
    let length = u64::from(u32::from_be_bytes([l0, l1, l2, l3]));
    if !whole || !(7..=*FRAMES.end()).contains(&length) {
        return invalid;
    }
    let Some(body) = rest.get(..length as usize - 7) else { return Answer::Unfinished };
    let Some(items) = Reader(body).items() else { return invalid };
    if kind == AGENT_HELLO {
        return hello(&items).map_or_else(Answer::Refused, |()| Answer::Hello);
    }
    match (items.get(&b"status-code"[..]), items.get(&b"message"[..])) {
        (Some(Value::Number(code)), Some(Value::Text(words))) => Answer::Disconnect(*code, words.to_vec()),
        (Some(Value::Number(code)), None) => Answer::Disconnect(*code, b"an unknown error occurred".to_vec()),
        _ => invalid,
    }
}

fn hello(items: &HashMap<&[u8], Value<'_>>) -> Result<(), Refusal> {
    match items.get(&b"version"[..]) {
        None => return Err(Refusal::NoVersion),
        Some(Value::Text(text)) => version(text)?,
        Some(_) => return Err(Refusal::Invalid),
    }
    match items.get(&b"max-frame-size"[..]) {
        None => return Err(Refusal::NoFrameSize),
        Some(Value::Number(size)) if FRAMES.contains(size) => {}
        Some(Value::Number(_)) => return Err(Refusal::BadFrameSize),
        Some(_) => return Err(Refusal::Invalid),
    }
    match items.get(&b"capabilities"[..]) {
        None => Err(Refusal::NoCapabilities),
        Some(Value::Text(_)) => Ok(()),
        Some(_) => Err(Refusal::Invalid),
    }
}

/// Accepts version 2.0, the only one there is.
fn version(text: &[u8]) -> Result<(), Refusal> {
    let text = text.trim_ascii();
    let dot = text.iter().position(|b| *b == b'.').ok_or(Refusal::Invalid)?;
    let number = |digits: &[u8]| -> Option<u32> { std::str::from_utf8(digits).ok()?.parse().ok() };
    match (number(&text[..dot]), number(&text[dot + 1..])) {
        (Some(2), Some(0)) => Ok(()),
        (Some(_), Some(_)) => Err(Refusal::BadVersion),
        _ => Err(Refusal::Invalid),
    }
}

/// A look at the answer.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    /// All of it is there.
    Finished,
    /// It is a greeting this side accepts.
    Accepted,
}

impl Matcher for Look {
    fn is_match(&self, data: &[u8]) -> bool {
        match self {
            Self::Finished => judge(data) != Answer::Unfinished,
            Self::Accepted => judge(data) == Answer::Hello,
        }
    }

    fn same_as(&self, other: &dyn Matcher) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What is said of an answer that is not accepted.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Words,
    Code,
}

impl Template for Told {
    fn render(&self, _scene: &mut Scene, _now: Instant, received: &[u8], out: &mut Vec<u8>) {
        let (code, words) = match judge(received) {
            Answer::Hello => (0, Vec::new()),
            // Nothing more will come, or the words would not be asked for.
            Answer::Unfinished => (Refusal::Invalid as u64, Refusal::Invalid.words().into()),
            Answer::Refused(refusal) => (refusal as u64, refusal.words().into()),
            Answer::Disconnect(code, words) => (code, words),
        };
        match self {
            Self::Words => out.extend(words),
            Self::Code => out.extend(code.to_string().bytes()),
        }
    }

    fn same_as(&self, other: &dyn Template) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The frame that asks an agent how it is.
fn question() -> Vec<u8> {
    let mut body = vec![HAPROXY_HELLO];
    body.extend(FIN.to_be_bytes());
    body.extend([0, 0]);
    let mut item = |key: &[u8], value: &[u8]| {
        body.push(key.len() as u8);
        body.extend_from_slice(key);
        body.extend_from_slice(value);
    };
    item(b"supported-versions", b"\x08\x032.0");
    // 16380 as an unsigned 32-bit number.
    item(b"max-frame-size", b"\x03\xfc\xf0\x06");
    item(b"capabilities", b"\x08\x00");
    item(b"healthcheck", b"\x11");
    let mut frame = (body.len() as u32).to_be_bytes().to_vec();
    frame.extend(body);
    frame
}

/// The steps of the check.
pub(super) fn steps() -> Vec<Step> {
    let expect = |look, min_recv| {
        let mut expect = Expect::new(Pattern::Regex(Arc::new(look)));
        expect.min_recv = min_recv;
        expect.error_status = Status::L7Response;
        expect.on_error = Some(Arc::new(Told::Words));
        expect.status_code = Some(Arc::new(Told::Code));
        expect
    };
    let mut accepted = expect(Look::Accepted, Some(0));
    accepted.on_success = super::script::said("SPOA server is ok");
    vec![
        Step::Send { payload: Payload::Bytes(question().into()), comment: None },
        Step::Expect(Box::new(expect(Look::Finished, None))),
        Step::Expect(Box::new(accepted)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, items: &[u8]) -> Vec<u8> {
        let mut bytes = (items.len() as u32 + 7).to_be_bytes().to_vec();
        bytes.extend([kind, 0, 0, 0, 1, 0, 0]);
        bytes.extend_from_slice(items);
        bytes
    }

    #[test]
    fn the_question_is_a_frame_of_82_bytes() {
        let question = question();
        assert_eq!(question.len(), 82);
        assert!(question.starts_with(&[0, 0, 0, 0x4e, 1, 0, 0, 0, 1, 0, 0, 18]));
        assert!(question.ends_with(b"\x0bhealthcheck\x11"));
    }

    #[test]
    fn a_greeting_is_accepted_once_all_of_it_is_there() {
        let items = b"\x07version\x08\x032.0\x0emax-frame-size\x03\xfc\xf0\x06\x0ccapabilities\x08\x00";
        let whole = frame(AGENT_HELLO, items);
        assert_eq!(judge(&whole), Answer::Hello);
        for cut in 0..whole.len() {
            assert_eq!(judge(&whole[..cut]), Answer::Unfinished, "{cut}");
        }
    }

    #[test]
    fn what_is_missing_or_unknown_is_named() {
        let refused = |items: &[u8]| match judge(&frame(AGENT_HELLO, items)) {
            Answer::Refused(refusal) => refusal.words(),
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(b""), "version value not found");
        assert_eq!(refused(b"\x07version\x08\x031.0"), "unsupported version");
        assert_eq!(refused(b"\x07version\x08\x032.0"), "max-frame-size value not found");
        assert_eq!(
            refused(b"\x07version\x08\x032.0\x0emax-frame-size\x03\x01"),
            "max-frame-size too big or too small"
        );
        assert_eq!(refused(b"\x07version\x03\x03"), "invalid frame received");
        assert_eq!(refused(b"\x00"), "invalid frame received");
    }

    #[test]
    fn a_disconnect_says_why() {
        let items = b"\x0bstatus-code\x03\x02\x07message\x08\x04busy";
        assert_eq!(judge(&frame(AGENT_DISCONNECT, items)), Answer::Disconnect(2, b"busy".to_vec()));
    }
}
