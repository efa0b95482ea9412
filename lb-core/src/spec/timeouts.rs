//! The timeouts of one proxy.

use std::time::Duration;

/// Timeouts as configured; `None` waits for ever or falls back as each field says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Timeouts {
    /// Inactivity of the client.
    pub client: Option<Duration>,
    /// Inactivity of the client once it has shut down its side; falls back to `client`.
    pub client_fin: Option<Duration>,
    /// TLS handshake with the client; falls back to `client`.
    pub client_hs: Option<Duration>,
    /// One attempt to connect to a server.
    pub connect: Option<Duration>,
    /// Inactivity of the server.
    pub server: Option<Duration>,
    /// Inactivity of the server once it has shut down its side; falls back to `server`.
    pub server_fin: Option<Duration>,
    /// Waiting for a free slot of a server; falls back to `connect`.
    pub queue: Option<Duration>,
    /// A complete request head; falls back to `client`.
    pub http_request: Option<Duration>,
    /// Idle time between two requests; falls back to `http_request`, then `client`.
    pub http_keep_alive: Option<Duration>,
    /// Inactivity of either side of a tunnel; falls back to `client` and `server`.
    pub tunnel: Option<Duration>,
    /// How long a tarpitted request is held; falls back to `connect`.
    pub tarpit: Option<Duration>,
    /// A check after its connection is established.
    pub check: Option<Duration>,
}

impl Timeouts {
    /// How long a request may wait in a queue.
    pub fn effective_queue(&self) -> Option<Duration> {
        self.queue.or(self.connect)
    }

    /// How long a client may be idle between two requests.
    pub fn effective_keep_alive(&self) -> Option<Duration> {
        self.http_keep_alive.or(self.http_request).or(self.client)
    }

    /// How long a client may take over a request head.
    pub fn effective_http_request(&self) -> Option<Duration> {
        self.http_request.or(self.client)
    }

    /// How long a client may take over its TLS handshake.
    pub fn effective_client_hs(&self) -> Option<Duration> {
        self.client_hs.or(self.client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unset_timeout_falls_back_as_documented() {
        let s = Duration::from_secs;
        let t = Timeouts { client: Some(s(1)), connect: Some(s(2)), ..Timeouts::default() };
        assert_eq!(t.effective_queue(), Some(s(2)));
        assert_eq!(t.effective_keep_alive(), Some(s(1)));
        let t = Timeouts { http_request: Some(s(3)), ..t };
        assert_eq!(t.effective_keep_alive(), Some(s(3)));
        assert_eq!(Timeouts::default().effective_queue(), None);
    }
}
