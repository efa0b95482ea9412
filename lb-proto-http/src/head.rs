//! The head of a message: start line and header fields, kept as slices of the bytes they arrived in.
//!
//! Nothing is copied when a message is parsed, and a message that no rule touches allocates nothing: a [`Request`] or
//! [`Response`] is meant to be reused, and its lists keep their capacity. What rules add or replace is written to a
//! second area; the received bytes stay where they are, so that logs, rules and a second attempt see the original body.
//!
//! Field names are held in lower case, the form in which they are forwarded. Order and duplicates are kept.

mod fields;
mod name;
mod request;
mod response;

pub use fields::{Fields, MAX_ADDED, Span};
pub use name::HeaderName;
pub use request::{Flags, Method, Request, Version};
pub use response::Response;
