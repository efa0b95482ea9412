//! Answers that do not come from a server: error pages, redirections, requests for a password.
//!
//! Every function makes a response: the head in the layer's response, the body in a buffer of the caller. The driver
//! then runs the `http-after-response` rules over it and writes it like any other.

mod error_page;
mod redirect;
mod status;

use lb_core::log::Template;

use crate::h1::{BodyLength, Cursor, Limits, parse_response, push_decimal};
use crate::head::{Method, Response};
use crate::rule::{Session, format};
use crate::spec::{ErrorReply, Reply, ReplyBody};

pub use error_page::{early_error, error_page};
pub use redirect::redirect;
pub use status::reason;

/// Whether an answer was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "there is one or there is none")]
pub enum Made {
    /// The response is ready.
    Response,
    /// The configuration says to close without a word.
    Nothing,
}

/// Starts a response of `status` with the standard's words.
pub fn start(response: &mut Response, status: u16) {
    response.clear();
    response.status = status;
    response.set_reason(reason(status).as_bytes());
}

/// Sets `content-length` and the body's framing.
pub(crate) fn finish(response: &mut Response, body: usize) {
    let mut digits = Vec::with_capacity(20);
    push_decimal(&mut digits, body as u64);
    response.fields.set(b"content-length", &digits);
    response.body = if body == 0 { BodyLength::Empty } else { BodyLength::Known(body as u64) };
}

/// Makes a response of `status` with these fields, for a body of `body` bytes.
pub fn page(response: &mut Response, status: u16, fields: &[(&[u8], &[u8])], body: usize) -> Made {
    start(response, status);
    for (name, value) in fields {
        response.fields.push(name, value);
    }
    finish(response, body);
    Made::Response
}

/// Makes a response of raw HTTP, as an `errorfile` has it. What is not a valid response makes nothing.
pub fn raw(response: &mut Response, text: &[u8], body: &mut Vec<u8>) -> Made {
    response.clear();
    let mut buffer = response.fields.take_buffer();
    let len = text.len();
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
    buffer[..len].copy_from_slice(text);
    response.fields.set_buffer(buffer);
    let limits = Limits { head: usize::MAX, ..Limits::default() };
    match parse_response(response, &mut Cursor::default(), len, Method::Get, &limits) {
        Ok(true) => {
            body.clear();
            body.extend_from_slice(response.buffered_body());
            Made::Response
        }
        _ => Made::Nothing,
    }
}

/// Makes the answer for an error: the first of `configured` for the status, or the built-in page.
pub fn error(
    session: &mut dyn Session,
    status: u16,
    configured: Option<&ErrorReply>,
    scratch: &mut Vec<u8>,
    body: &mut Vec<u8>,
) -> Made {
    match configured {
        Some(ErrorReply::Raw(text)) => raw(&mut session.layer_mut().response, text, body),
        Some(ErrorReply::Location(code, address)) => {
            let response = &mut session.layer_mut().response;
            start(response, *code);
            body.clear();
            response.fields.push(b"cache-control", b"no-cache");
            finish(response, 0);
            response.fields.push(b"location", address.as_bytes());
            Made::Response
        }
        Some(ErrorReply::Reply(reply)) => self::reply(session, reply, None, scratch, body),
        None => error_page(&mut session.layer_mut().response, status, body),
    }
}

/// Makes the answer of a `deny`, `return` or `tarpit` rule. `configured` is what the proxy answers for that status.
pub fn reply(
    session: &mut dyn Session,
    reply: &Reply,
    configured: Option<&ErrorReply>,
    scratch: &mut Vec<u8>,
    body: &mut Vec<u8>,
) -> Made {
    match &reply.body {
        ReplyBody::ErrorPage => {
            // A configured reply refers to no other, so this does not go round in circles.
            let configured = configured.filter(|configured| {
                !matches!(configured, ErrorReply::Reply(other) if matches!(other.body, ReplyBody::ErrorPage))
            });
            let made = error(session, reply.status, configured, scratch, body);
            if made == Made::Response {
                add_headers(session, reply, scratch);
            }
            return made;
        }
        ReplyBody::File(file) => {
            let made = error(session, reply.status, Some(file), scratch, body);
            if made == Made::Response {
                add_headers(session, reply, scratch);
            }
            return made;
        }
        ReplyBody::Empty => body.clear(),
        ReplyBody::Bytes(bytes) => {
            body.clear();
            body.extend_from_slice(bytes);
        }
        ReplyBody::Format(template) => format(session, template, body),
    }
    start(&mut session.layer_mut().response, reply.status);
    add_headers(session, reply, scratch);
    finish(&mut session.layer_mut().response, body.len());
    if let Some(kind) = reply.content_type.as_ref().filter(|_| !body.is_empty()) {
        session.layer_mut().response.fields.push(b"content-type", kind.as_bytes());
    }
    Made::Response
}

fn add_headers(session: &mut dyn Session, reply: &Reply, scratch: &mut Vec<u8>) {
    for (name, value) in &reply.headers {
        format(session, value, scratch);
        // A header whose value comes out empty is left out, as HAProxy does.
        if scratch.is_empty() {
            continue;
        }
        session.layer_mut().response.fields.push(name.as_bytes(), scratch);
    }
}

/// Makes the answer that asks for a password: 401, or 407 when the request was to a proxy.
pub fn auth(
    session: &mut dyn Session,
    realm: Option<&Template>,
    default_realm: &str,
    configured: (Option<&ErrorReply>, Option<&ErrorReply>),
    scratch: &mut Vec<u8>,
    body: &mut Vec<u8>,
) -> Made {
    let mut value = b"Basic realm=\"".to_vec();
    match realm {
        Some(realm) => {
            format(session, realm, scratch);
            value.extend_from_slice(scratch);
        }
        None => value.extend_from_slice(default_realm.as_bytes()),
    }
    value.push(b'"');
    let (status, name, configured): (_, &[u8], _) = if session.layer_mut().is_proxied() {
        (407, b"proxy-authenticate", configured.1)
    } else {
        (401, b"www-authenticate", configured.0)
    };
    let made = error(session, status, configured, scratch, body);
    if made == Made::Response {
        session.layer_mut().response.fields.push(name, &value);
    }
    made
}
