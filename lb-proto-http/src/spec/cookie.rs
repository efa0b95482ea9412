//! Persistence by cookie.

use std::sync::Arc;
use std::time::Duration;

/// `cookie`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CookieSpec {
    /// Name of the cookie.
    pub name: Arc<[u8]>,
    /// How the server's name gets into it.
    pub mode: CookieMode,
    /// Servers do not see the cookie, and clients that have it do not get it again (`indirect`).
    pub indirect: bool,
    /// Responses that set the cookie are marked as not to be cached (`nocache`).
    pub nocache: bool,
    /// Set only in responses to POST (`postonly`).
    pub postonly: bool,
    /// A cookie that the server sets itself is left alone (`preserve`).
    pub preserve: bool,
    /// `HttpOnly`.
    pub httponly: bool,
    /// `Secure`.
    pub secure: bool,
    /// Domains, each as one `domain` attribute.
    pub domains: Vec<Arc<str>>,
    /// The cookie is ignored when not seen for so long.
    pub maxidle: Option<Duration>,
    /// The cookie is ignored so long after it was set first.
    pub maxlife: Option<Duration>,
    /// Further attributes as they are written.
    pub attributes: Vec<Arc<str>>,
}

impl CookieSpec {
    /// A cookie without options.
    pub fn new(name: impl AsRef<[u8]>, mode: CookieMode) -> Self {
        Self {
            name: name.as_ref().into(),
            mode,
            indirect: false,
            nocache: false,
            postonly: false,
            preserve: false,
            httponly: false,
            secure: false,
            domains: Vec::new(),
            maxidle: None,
            maxlife: None,
            attributes: Vec::new(),
        }
    }

    /// Whether the cookie has dates.
    pub(crate) const fn is_dated(&self) -> bool {
        self.maxidle.is_some() || self.maxlife.is_some()
    }
}

/// How a server's name gets into the cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the modes of the configuration")]
pub enum CookieMode {
    /// The proxy sets a cookie of its own.
    Insert,
    /// The value of the server's cookie is replaced.
    Rewrite,
    /// The server's cookie gets the name and `~` in front.
    Prefix,
    /// The server sets the cookie itself; the proxy only reads it.
    Passive,
}
