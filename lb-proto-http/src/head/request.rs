//! A request.

use std::fmt;

use super::fields::{Fields, Span};
use crate::h1::BodyLength;

/// The methods this crate treats differently from others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "everything that has no rule of its own is Other")]
pub enum Method {
    /// OPTIONS.
    Options,
    /// GET.
    #[default]
    Get,
    /// HEAD.
    Head,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// DELETE.
    Delete,
    /// TRACE.
    Trace,
    /// CONNECT.
    Connect,
    /// Any other word.
    Other,
}

impl Method {
    /// Recognises a method; the comparison is exact, `get` is another method.
    pub fn of(word: &[u8]) -> Self {
        match word {
            b"GET" => Self::Get,
            b"POST" => Self::Post,
            b"HEAD" => Self::Head,
            b"OPTIONS" => Self::Options,
            b"PUT" => Self::Put,
            b"DELETE" => Self::Delete,
            b"TRACE" => Self::Trace,
            b"CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }
}

/// Protocol version of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "HTTP/1 has two versions; later ones are treated as 1.1")]
pub enum Version {
    /// HTTP/1.0 and older.
    Http10,
    /// HTTP/1.1, and anything that announces itself as later.
    #[default]
    Http11,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
        })
    }
}

/// What the connection-related fields of a message said. The fields themselves are removed or cleaned while parsing,
/// because they concern one connection only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Flags {
    /// `Connection: close`, or framing so doubtful that the connection must not be used again.
    pub close: bool,
    /// `Connection: keep-alive`.
    pub keep_alive: bool,
    /// `Connection: upgrade` together with an `Upgrade` field.
    pub upgrade: bool,
    /// The upgrade asked for is to WebSocket.
    pub websocket: bool,
    /// `Content-Length` was given, with or without effect.
    pub has_length: bool,
    /// `Transfer-Encoding: chunked` was given.
    pub chunked: bool,
}

/// A request, its head parsed, together with the buffer it arrived in.
#[derive(Debug, Default)]
pub struct Request {
    /// Header fields.
    pub fields: Fields,
    /// The method, if known.
    pub method: Method,
    /// Protocol version.
    pub version: Version,
    /// How long the body is.
    pub body: BodyLength,
    /// What the connection-related fields said.
    pub flags: Flags,
    pub(crate) method_span: Span,
    pub(crate) target: Span,
    /// As received, for logs.
    pub(crate) received: (Span, Span),
    pub(crate) version_span: Span,
    /// Where the head ends.
    pub(crate) head_end: usize,
    /// Where the part of the body begins that was not passed on.
    pub(crate) body_at: usize,
    pub(crate) filled: usize,
}

impl Request {
    /// Forgets everything but the memory it has.
    pub fn clear(&mut self) {
        self.fields.clear();
        self.method = Method::default();
        self.version = Version::default();
        self.body = BodyLength::default();
        self.flags = Flags::default();
        self.method_span = Span::default();
        self.target = Span::default();
        self.received = Default::default();
        self.version_span = Span::default();
        self.head_end = 0;
        self.body_at = 0;
        self.filled = 0;
    }

    /// The method as received.
    pub fn method_text(&self) -> &[u8] {
        self.fields.bytes(self.method_span)
    }

    /// The request target as received or as rewritten.
    pub fn target(&self) -> &[u8] {
        self.fields.bytes(self.target)
    }

    /// The version as received.
    pub fn version_text(&self) -> &[u8] {
        self.fields.bytes(self.version_span)
    }

    /// The method as received, whatever rules made of it.
    pub fn received_method(&self) -> &[u8] {
        self.fields.bytes(self.received.0)
    }

    /// The target as received, whatever rules made of it.
    pub fn received_target(&self) -> &[u8] {
        self.fields.bytes(self.received.1)
    }

    /// Replaces the method. Returns false when there is no room for it.
    pub fn set_method(&mut self, method: &[u8]) -> bool {
        let Some(span) = self.fields.store(method) else { return false };
        self.set_method_span(span);
        true
    }

    /// Replaces the method by bytes that are stored already.
    pub(crate) fn set_method_span(&mut self, span: Span) {
        self.method_span = span;
        self.method = Method::of(self.fields.bytes(span));
    }

    /// Replaces the request target. Returns false when there is no room for it.
    pub fn set_target(&mut self, target: &[u8]) -> bool {
        let Some(span) = self.fields.store(target) else { return false };
        self.target = span;
        true
    }

    /// What logs count for the head. The figure is that of HAProxy's internal form, which people compare.
    #[cfg(feature = "tokio")]
    pub(crate) fn logged_len(&self) -> u64 {
        (20 + self.method_text().len() + self.target().len() + 8 + self.fields.text_len() + 1) as u64
    }

    /// The part of the body that arrived with the head or was read into the same buffer.
    pub fn buffered_body(&self) -> &[u8] {
        self.fields.buffer().get(self.body_at..self.filled).unwrap_or_default()
    }

    /// Whether the client asks for the connection to be kept.
    pub fn wants_keep_alive(&self) -> bool {
        match self.version {
            Version::Http11 => !self.flags.close,
            Version::Http10 => self.flags.keep_alive && !self.flags.close,
        }
    }
}
