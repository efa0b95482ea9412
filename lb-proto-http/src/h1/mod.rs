//! HTTP/1: parsing, framing and writing of messages.
//!
//! What is accepted, repaired and refused follows HAProxy rather than the letter of RFC 9112, because that is what
//! deployed clients and servers were tested with; every refusal is a [`Reject`] of its own. Parsing is incremental and
//! gives the same result however the bytes are split.

mod cacheable;
mod chunked;
mod encode;
mod framing;
mod lexer;
mod parse;
mod reject;
mod target;

pub use cacheable::cacheable;
pub use chunked::{Chunked, Piece};
pub use encode::{push_decimal, push_hex, write_request, write_response, write_trailers};
pub use framing::BodyLength;
pub(crate) use lexer::{Elements, token_len, trim};
pub use parse::{Cursor, Limits, parse_request, parse_response, parse_trailers};
pub use reject::Reject;
pub use target::{Target, authority_is_valid, default_port, split_port};
