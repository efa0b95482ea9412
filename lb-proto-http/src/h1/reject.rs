//! Why a message was refused.

/// A rule of the message format that a peer broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Reject {
    /// Something before the start line that is neither a line end nor the beginning of a word.
    #[error("the message does not begin with a start line")]
    NotAMessage,
    /// A carriage return that does not end a line.
    #[error("carriage return inside a line")]
    BareCr,
    /// A method with a character that words must not have.
    #[error("invalid method")]
    Method,
    /// A control character, a byte above 126 or a `#` in the request target.
    #[error("invalid character in the request target")]
    TargetCharacter,
    /// A start line without version (HTTP/0.9).
    #[error("no protocol version")]
    NoVersion,
    /// A version that is not `HTTP/` digit `.` digit.
    #[error("invalid protocol version")]
    Version,
    /// The preface of HTTP/2 where HTTP/1 is spoken.
    #[error("HTTP/2 preface")]
    Http2Preface,
    /// A status that is not up to three digits.
    #[error("invalid status code")]
    Status,
    /// A field without name, or with a character that names must not have.
    #[error("invalid field name")]
    FieldName,
    /// A NUL in a field value.
    #[error("invalid character in a field value")]
    FieldValue,
    /// More fields than are accepted.
    #[error("too many fields")]
    TooManyFields,
    /// The start line does not fit into the buffer.
    #[error("request target too long")]
    TargetTooLong,
    /// The head does not fit into the buffer.
    #[error("head too large")]
    HeadTooLarge,
    /// The trailers do not fit into the buffer.
    #[error("trailers too large")]
    TrailersTooLarge,
    /// `Content-Length` that is not a number, or two that differ.
    #[error("invalid Content-Length")]
    ContentLength,
    /// `Transfer-Encoding` that is empty, or in a request does not end in `chunked`.
    #[error("invalid Transfer-Encoding")]
    TransferEncoding,
    /// A transfer coding other than `chunked`.
    #[error("unsupported transfer coding")]
    TransferCoding,
    /// Two different `Host` fields, or one with characters that no authority has.
    #[error("invalid Host")]
    Host,
    /// A form of request target that the method does not have, or a broken one.
    #[error("invalid request target")]
    Target,
    /// An absolute target whose authority is not the one in `Host`.
    #[error("target and Host differ")]
    HostMismatch,
    /// An HTTP/1.0 GET, HEAD or DELETE with a body.
    #[error("HTTP/1.0 request with an unexpected body")]
    UnexpectedBody,
    /// A WebSocket handshake without key.
    #[error("WebSocket handshake without key")]
    WebSocketKey,
    /// A chunk size that is not hexadecimal, or too large.
    #[error("invalid chunk size")]
    ChunkSize,
    /// A chunk extension with unbalanced quotes or control characters.
    #[error("invalid chunk extension")]
    ChunkExtension,
    /// A chunk that does not end where its size says.
    #[error("chunk not followed by a line end")]
    ChunkEnd,
}

impl Reject {
    /// The status a client gets for it.
    pub const fn status(self) -> u16 {
        match self {
            Self::UnexpectedBody => 413,
            Self::TargetTooLong => 414,
            Self::TransferCoding => 422,
            Self::HeadTooLarge => 431,
            _ => 400,
        }
    }
}
