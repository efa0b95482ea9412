//! Which body length rule applies (RFC 9112 §6.3), collected field by field while a head is parsed.

use super::lexer::{Elements, is_blank};
use super::reject::Reject;
use crate::head::{Fields, Flags, Span};

/// How long a body is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the rules of the standard")]
pub enum BodyLength {
    /// There is none.
    #[default]
    Empty,
    /// This many bytes.
    Known(u64),
    /// Chunks.
    Chunked,
    /// Everything until the server closes; responses only.
    UntilClose,
    /// What follows is another protocol (after 101, or 2xx to CONNECT).
    Tunnel,
}

/// Which kind of message is being parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Request,
    Response,
}

/// What the fields seen so far say about framing and connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Framing {
    pub(crate) length: Option<u64>,
    pub(crate) transfer_encoding: bool,
    /// The last transfer coding was `chunked`.
    pub(crate) chunked: bool,
    chunked_seen: bool,
    pub(crate) other_coding: bool,
    pub(crate) host: Option<usize>,
    pub(crate) upgrade_field: bool,
    pub(crate) flags: Flags,
}

impl Framing {
    /// Whether a field of this name, in lower case, says something of framing or connection.
    #[inline(always)]
    pub(crate) fn concerns(name: &[u8]) -> bool {
        matches!(name, b"host" | b"upgrade" | b"connection" | b"content-length" | b"transfer-encoding")
    }

    /// Takes note of one field and appends it to `fields`, cleaned, unless it says nothing new or concerns the
    /// connection only; true if it is there as it was. `name` is in lower case.
    pub(crate) fn field(
        &mut self,
        kind: Kind,
        fields: &mut Fields,
        name: Span,
        value: Span,
    ) -> Result<bool, Reject> {
        let kept = match name.len() {
            4 if kind == Kind::Request && fields.bytes(name) == b"host" => self.host(fields, value)?,
            7 if fields.bytes(name) == b"upgrade" => self.upgrade(fields, value),
            10 if fields.bytes(name) == b"connection" => self.connection(fields, value),
            14 if fields.bytes(name) == b"content-length" => {
                self.content_length(fields.bytes(value), value)?
            }
            17 if fields.bytes(name) == b"transfer-encoding" => {
                self.transfer_encoding(kind, fields.bytes(value))?;
                Some(value)
            }
            _ => Some(value),
        };
        let Some(kept) = kept else { return Ok(false) };
        fields.push_spans(name, kept);
        Ok(kept == value)
    }

    /// A second `Host` must be the same and is dropped.
    fn host(&mut self, fields: &Fields, value: Span) -> Result<Option<Span>, Reject> {
        match self.host {
            None => {
                if !super::target::authority_is_valid(fields.bytes(value)) {
                    return Err(Reject::Host);
                }
                self.host = Some(fields.len());
                Ok(Some(value))
            }
            Some(first) if fields.value(first).eq_ignore_ascii_case(fields.bytes(value)) => Ok(None),
            Some(_) => Err(Reject::Host),
        }
    }

    fn upgrade(&mut self, fields: &mut Fields, value: Span) -> Option<Span> {
        let mut websocket = false;
        let value = keep_elements(fields, value, |word| {
            websocket |= word.eq_ignore_ascii_case(b"websocket");
            !word.eq_ignore_ascii_case(b"h2c") && !word.eq_ignore_ascii_case(b"h2")
        });
        self.flags.websocket |= websocket;
        self.upgrade_field |= value.is_some();
        value
    }

    fn connection(&mut self, fields: &mut Fields, value: Span) -> Option<Span> {
        let flags = &mut self.flags;
        keep_elements(fields, value, |word| {
            if word.eq_ignore_ascii_case(b"keep-alive") {
                flags.keep_alive = true;
                return false;
            }
            if word.eq_ignore_ascii_case(b"close") {
                flags.close = true;
                return false;
            }
            flags.upgrade |= word.eq_ignore_ascii_case(b"upgrade");
            true
        })
    }

    /// A list of equal numbers counts as one; leading zeros are not forwarded.
    fn content_length(&mut self, text: &[u8], span: Span) -> Result<Option<Span>, Reject> {
        let first = self.length.is_none();
        // Nearly all are a plain number.
        if let [b'1'..=b'9', ..] = text
            && first
            && let Some(number) = decimal(text)
        {
            self.length = Some(number);
            self.flags.has_length = true;
            return Ok(Some(span));
        }
        let mut kept = None;
        let mut at = 0;
        loop {
            while at < text.len() && is_blank(text[at]) {
                at += 1;
            }
            let digits = text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let number = decimal(&text[at..at + digits]).ok_or(Reject::ContentLength)?;
            if self.length.is_some_and(|known| known != number) {
                return Err(Reject::ContentLength);
            }
            self.length = Some(number);
            let zeros = text[at..at + digits - 1].iter().take_while(|byte| **byte == b'0').count();
            kept = Some(span.part(at + zeros, digits - zeros)).or(kept);
            at += digits;
            while at < text.len() && is_blank(text[at]) {
                at += 1;
            }
            match text.get(at) {
                None => break,
                Some(b',') => at += 1,
                Some(_) => return Err(Reject::ContentLength),
            }
        }
        self.flags.has_length = true;
        Ok(kept.filter(|_| first))
    }

    fn transfer_encoding(&mut self, kind: Kind, text: &[u8]) -> Result<(), Reject> {
        if text.is_empty() || text.ends_with(b",") {
            return Err(Reject::TransferEncoding);
        }
        self.transfer_encoding = true;
        for (at, end) in Elements::new(text) {
            let coding = &text[at..end];
            self.chunked = false;
            if coding.eq_ignore_ascii_case(b"chunked") {
                // RFC 9112 §6.1: chunked is applied once and last.
                if self.chunked_seen {
                    return Err(Reject::TransferEncoding);
                }
                self.chunked_seen = true;
                self.chunked = true;
            } else if coding.is_empty() || (kind == Kind::Request && self.chunked_seen) {
                return Err(Reject::TransferEncoding);
            } else {
                self.other_coding = true;
            }
        }
        Ok(())
    }
}

/// A non-empty decimal number that fits.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    let (short, rest) = digits.split_at(digits.len().min(19));
    let mut number = 0;
    for digit in short {
        // Nineteen digits are never too large.
        let value = digit.wrapping_sub(b'0');
        if value > 9 {
            return None;
        }
        number = number * 10 + u64::from(value);
    }
    rest.iter().try_fold(number, |number: u64, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Removes the elements of a list for which `keep` says no; `None` when nothing is left. The text before the first
/// removed element stays as it was received.
pub(crate) fn keep_elements(
    fields: &mut Fields,
    value: Span,
    mut keep: impl FnMut(&[u8]) -> bool,
) -> Option<Span> {
    let mut untouched = 0;
    let mut removed = false;
    let mut any_after = false;
    let text = fields.bytes(value);
    for (at, end) in Elements::new(text) {
        if !keep(&text[at..end]) {
            removed = true;
        } else if removed {
            any_after = true;
        } else {
            untouched = end;
        }
    }
    if !removed {
        return (untouched > 0).then_some(value);
    }
    if !any_after {
        return (untouched > 0).then(|| value.part(0, untouched));
    }
    let mut out = fields.begin_addition();
    let start = out.len();
    let text = fields.bytes(value);
    out.extend_from_slice(&text[..untouched]);
    for (at, end) in Elements::new(text).filter(|(at, _)| *at >= untouched) {
        if keep(&text[at..end]) {
            if out.len() > start {
                out.push(b',');
            }
            out.extend_from_slice(&text[at..end]);
        }
    }
    fields.end_addition(out, start)
}
