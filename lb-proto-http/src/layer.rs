//! The two messages of one exchange and what is remembered of them: the view expressions have of HTTP.

use std::any::Any;
use std::sync::Arc;

use lb_core::expr::Env;
use lb_core::log::{Capture, RequestLine};

use crate::auth::UserLists;
use crate::head::{Request, Response};

/// Everything of HTTP that expressions and rules see of one exchange. Meant to be reused: clearing keeps all memory.
///
/// A driver hands it out as [`Facts::layer`](lb_core::expr::Facts::layer).
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct HttpLayer {
    /// The request.
    pub request: Request,
    /// The head of the request is complete and valid.
    pub has_request: bool,
    /// All of the request's body is in its buffer.
    pub body_complete: bool,
    /// The response, from a server or made here.
    pub response: Response,
    /// The head of a response is there.
    pub has_response: bool,
    /// Status of the server's response, 0 before there is one; rules may change the response's own.
    pub server_status: u16,
    /// The first request of its connection.
    pub first_request: bool,
    /// Requests with an absolute target are to a proxy (`option http-use-proxy-header`).
    pub proxy_fields: bool,
    /// `capture request header` and its like.
    pub request_captures: Vec<Capture>,
    /// `capture response header` and its like.
    pub response_captures: Vec<Capture>,
    /// `capture cookie` in the request, `name=value`.
    pub request_cookie: Capture,
    /// `capture cookie` in the response.
    pub response_cookie: Capture,
    /// User lists that expressions may refer to.
    pub users: Option<Arc<UserLists>>,
}

impl HttpLayer {
    /// Forgets everything but the memory.
    pub fn clear(&mut self) {
        self.request.clear();
        self.has_request = false;
        self.body_complete = false;
        self.response.clear();
        self.has_response = false;
        self.server_status = 0;
        self.first_request = false;
        self.proxy_fields = false;
        for capture in self.request_captures.iter_mut().chain(&mut self.response_captures) {
            capture.clear();
        }
        self.request_cookie.clear();
        self.response_cookie.clear();
        self.users = None;
    }

    /// Whether the request is one to a proxy: its target is absolute, and that is looked at.
    pub fn is_proxied(&self) -> bool {
        self.proxy_fields && !matches!(self.request.target().first(), None | Some(b'/' | b'*'))
    }

    /// The request line as received, once it is known to be valid.
    pub fn request_line(&self) -> Option<RequestLine<'_>> {
        self.has_request.then(|| RequestLine {
            method: self.request.received_method(),
            uri: self.request.received_target(),
            version: match self.request.version_text() {
                b"" => b"HTTP/1.0",
                text => text,
            },
        })
    }

    /// The layer of an evaluation, if it is one of HTTP.
    pub fn of<'a>(env: &Env<'a>) -> Option<&'a Self> {
        env.facts.layer().and_then(<dyn Any>::downcast_ref)
    }
}
