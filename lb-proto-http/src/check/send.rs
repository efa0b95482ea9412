//! The request of a check.

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use lb_core::addr::Endpoint;
use lb_core::health::{Heard, Scene, Target};
use lb_core::log::Template;

use crate::h1::push_decimal;
use crate::head::HeaderName;
use crate::head::Method;

/// Text of a check that may be made anew each time.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "fixed or not")]
pub enum Text {
    /// These bytes.
    Fixed(Arc<[u8]>),
    /// What the format makes.
    Format(Template),
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Self::Fixed(Arc::from(bytes))
    }
}

impl Text {
    /// Appends the text.
    pub(super) fn render(&self, scene: &mut Scene, now: Instant, heard: Heard<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Fixed(bytes) => out.extend_from_slice(bytes),
            Self::Format(format) => scene.format(format, now, heard, out),
        }
    }
}

/// `http-check send`, and what `option httpchk` says about the request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SendStep {
    /// The method.
    pub method: Arc<[u8]>,
    /// The request target.
    pub uri: Text,
    /// `HTTP/1.0` and the like.
    pub version: Arc<[u8]>,
    /// Fields in order.
    pub headers: Vec<(HeaderName, Text)>,
    /// The body.
    pub body: Text,
    /// Appended to error messages.
    pub comment: Option<Arc<str>>,
}

impl Default for SendStep {
    fn default() -> Self {
        Self {
            method: Arc::from(&b"OPTIONS"[..]),
            uri: Text::from(&b"/"[..]),
            version: Arc::from(&b"HTTP/1.0"[..]),
            headers: Vec::new(),
            body: Text::from(&b""[..]),
            comment: None,
        }
    }
}

impl SendStep {
    /// The method, if it is a known one.
    pub(super) fn method(&self) -> Method {
        Method::of(&self.method)
    }

    fn is_11(&self) -> bool {
        match &*self.version {
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] => {
                *major > b'1' || (*major == b'1' && *minor >= b'1')
            }
            _ => false,
        }
    }

    /// Writes the request. Every check has a connection of its own, so 1.1 servers are told to close it.
    pub(super) fn encode(
        &self,
        scene: &mut Scene,
        now: Instant,
        heard: Heard<'_>,
        send_state: bool,
    ) -> Vec<u8> {
        let mut rendered = |text: &Text| {
            let mut out = Vec::new();
            text.render(scene, now, heard, &mut out);
            out
        };
        let (mut uri, body) = (rendered(&self.uri), rendered(&self.body));
        if uri.is_empty() {
            uri.push(b'/');
        }
        let headers: Vec<(&HeaderName, Vec<u8>)> =
            self.headers.iter().map(|(name, value)| (name, rendered(value))).collect();
        let mut out = Vec::with_capacity(256);
        let version: &[u8] = if self.is_11() { b"HTTP/1.1" } else { &self.version };
        for part in [&self.method[..], b" ", &uri, b" ", version, b"\r\n"] {
            out.extend_from_slice(part);
        }
        let mut field = |name: &[u8], value: &[u8]| {
            for part in [name, b": ", value, b"\r\n"] {
                out.extend_from_slice(part);
            }
        };
        let mut connection = !self.is_11();
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            connection |= name.as_bytes() == b"connection";
            field(name.as_bytes(), value);
        }
        if send_state {
            field(b"x-haproxy-server-state", &state(scene.target()));
        }
        let bare = matches!(self.method(), Method::Options | Method::Get | Method::Head | Method::Delete);
        if !body.is_empty() || !bare {
            let mut length = Vec::new();
            push_decimal(&mut length, body.len() as u64);
            field(b"content-length", &length);
        }
        if !connection {
            field(b"connection", b"close");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&body);
        out
    }
}

/// The value of `send-state`.
fn state(target: &Target) -> Vec<u8> {
    let snapshot = &target.snapshot;
    let mut out = Vec::new();
    let (addr, port) = target
        .server_endpoint
        .as_ref()
        .and_then(Endpoint::inet)
        .map_or((String::new(), String::new()), |addr| (addr.ip().to_string(), addr.port().to_string()));
    // Writing to a vector cannot fail.
    let _ = write!(
        out,
        "{}; address={addr}; port={port}; name={}/{}; node={}; weight={}/{}; scur={}/{}; qcur={}",
        snapshot.state,
        target.backend,
        target.server,
        snapshot.node,
        snapshot.weight,
        snapshot.total_weight,
        snapshot.sessions,
        snapshot.backend_sessions,
        snapshot.queued,
    );
    if let Some(throttle) = snapshot.throttle {
        let _ = write!(out, "; throttle={}%", throttle.as_secs().clamp(1, 100));
    }
    out
}
