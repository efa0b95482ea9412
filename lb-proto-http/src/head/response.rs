//! A response.

use super::fields::{Fields, Span};
use super::request::{Flags, Version};
use crate::h1::BodyLength;

/// A response, its head parsed or made, together with the buffer it arrived in.
#[derive(Debug, Default)]
pub struct Response {
    /// Header fields.
    pub fields: Fields,
    /// Status code; the three digits as a number.
    pub status: u16,
    /// Protocol version of the server.
    pub version: Version,
    /// How long the body is.
    pub body: BodyLength,
    /// What the connection-related fields said.
    pub flags: Flags,
    pub(crate) reason: Span,
    pub(crate) body_at: usize,
    pub(crate) filled: usize,
}

impl Response {
    /// Forgets everything but the memory it has.
    pub fn clear(&mut self) {
        self.fields.clear();
        self.status = 0;
        self.version = Version::default();
        self.body = BodyLength::default();
        self.flags = Flags::default();
        self.reason = Span::default();
        self.body_at = 0;
        self.filled = 0;
    }

    /// The words after the status code.
    pub fn reason(&self) -> &[u8] {
        self.fields.bytes(self.reason)
    }

    /// Replaces the words after the status code. Returns false when there is no room for them.
    pub fn set_reason(&mut self, reason: &[u8]) -> bool {
        let Some(span) = self.fields.store(reason) else { return false };
        self.reason = span;
        true
    }

    /// What logs count for the head. The figure is that of HAProxy's internal form, which people compare.
    #[cfg(feature = "tokio")]
    pub(crate) fn logged_len(&self) -> u64 {
        let digits = if self.status < 100 { 2 } else { 3 };
        (20 + 8 + digits + self.reason().len() + self.fields.text_len() + 1) as u64
    }

    /// The part of the body that arrived with the head.
    pub fn buffered_body(&self) -> &[u8] {
        self.fields.buffer().get(self.body_at..self.filled).unwrap_or_default()
    }

    /// Whether the server keeps the connection open after this response.
    pub fn keeps_alive(&self) -> bool {
        match self.version {
            Version::Http11 => !self.flags.close,
            Version::Http10 => self.flags.keep_alive && !self.flags.close,
        }
    }
}
