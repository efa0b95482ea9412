//! The request of a check.

use std::io::Write;
use std::sync::Arc;

use lb_core::health::Target;

use crate::h1::push_decimal;
use crate::head::HeaderName;
use crate::head::Method;

/// `http-check send`, and what `option httpchk` says about the request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendStep {
    /// The method.
    pub method: Arc<[u8]>,
    /// The request target.
    pub uri: Arc<[u8]>,
    /// `HTTP/1.0` and the like.
    pub version: Arc<[u8]>,
    /// Fields in order.
    pub headers: Vec<(HeaderName, Arc<[u8]>)>,
    /// The body.
    pub body: Arc<[u8]>,
    /// Appended to error messages.
    pub comment: Option<Arc<str>>,
}

impl Default for SendStep {
    fn default() -> Self {
        Self {
            method: Arc::from(&b"OPTIONS"[..]),
            uri: Arc::from(&b"/"[..]),
            version: Arc::from(&b"HTTP/1.0"[..]),
            headers: Vec::new(),
            body: Arc::default(),
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
    pub(super) fn encode(&self, target: &Target, send_state: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        let version: &[u8] = if self.is_11() { b"HTTP/1.1" } else { &self.version };
        for part in [&self.method[..], b" ", &self.uri, b" ", version, b"\r\n"] {
            out.extend_from_slice(part);
        }
        let mut field = |name: &[u8], value: &[u8]| {
            for part in [name, b": ", value, b"\r\n"] {
                out.extend_from_slice(part);
            }
        };
        let mut connection = !self.is_11();
        for (name, value) in self.headers.iter().filter(|(_, value)| !value.is_empty()) {
            connection |= name.as_bytes() == b"connection";
            field(name.as_bytes(), value);
        }
        if send_state {
            field(b"x-haproxy-server-state", &state(target));
        }
        let bare = matches!(self.method(), Method::Options | Method::Get | Method::Head | Method::Delete);
        if !self.body.is_empty() || !bare {
            let mut length = Vec::new();
            push_decimal(&mut length, self.body.len() as u64);
            field(b"content-length", &length);
        }
        if !connection {
            field(b"connection", b"close");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
        out
    }
}

/// The value of `send-state`.
fn state(target: &Target) -> Vec<u8> {
    let snapshot = &target.snapshot;
    let mut out = Vec::new();
    let (addr, port) = target
        .server_addr
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
