//! Answers that do not come from a server.

use std::sync::Arc;

use lb_core::log::Template;

use crate::head::HeaderName;

/// An answer of `deny`, `return`, `tarpit` or `http-error`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Reply {
    /// Status.
    pub status: u16,
    /// `content-type`, when there is a body.
    pub content_type: Option<Arc<str>>,
    /// Fields to add.
    pub headers: Vec<(HeaderName, Template)>,
    /// The body.
    pub body: ReplyBody,
}

impl Reply {
    /// The proxy's answer for `status`.
    pub const fn error(status: u16) -> Self {
        Self { status, content_type: None, headers: Vec::new(), body: ReplyBody::ErrorPage }
    }

    /// An answer without body.
    pub const fn empty(status: u16) -> Self {
        Self { status, content_type: None, headers: Vec::new(), body: ReplyBody::Empty }
    }
}

/// The body of a [`Reply`].
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "the kinds of the configuration")]
pub enum ReplyBody {
    /// None.
    Empty,
    /// Whatever the proxy answers for that status: its `errorfile` or the built-in page.
    ErrorPage,
    /// This answer (`errorfile` and `errorfiles` arguments).
    File(Arc<ErrorReply>),
    /// These bytes (`string`, `file`).
    Bytes(Arc<[u8]>),
    /// This format (`lf-string`, `lf-file`).
    Format(Template),
}

/// A configured answer for one status.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "the ways of the configuration")]
pub enum ErrorReply {
    /// A whole response as in a file of `errorfile`. Empty means: close without an answer.
    Raw(Arc<[u8]>),
    /// A redirection with this status to this address (`errorloc302`, `errorloc303`).
    Location(u16, Arc<str>),
    /// `http-error`.
    Reply(Reply),
}

/// A redirection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub code: u16,
    /// Where to.
    pub target: RedirectTarget,
    /// Leave the query string out (`drop-query`).
    pub drop_query: bool,
    /// Keep the query string with `location` (`keep-query`).
    pub keep_query: bool,
    /// Add a slash to a prefix path that does not end in one (`append-slash`).
    pub append_slash: bool,
    /// Do nothing when the address comes out empty (`ignore-empty`).
    pub ignore_empty: bool,
    /// A cookie to set or to clear (`set-cookie`, `set-cookie-fmt`, `clear-cookie`).
    pub set_cookie: Option<RedirectCookie>,
}

/// What a redirection does with a cookie.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "the two ways of the configuration")]
pub enum RedirectCookie {
    /// Sets it to this, `NAME[=value]`.
    Set(Template),
    /// Clears what is named so, `NAME[=]`.
    Clear(Template),
}

impl Redirect {
    /// A redirection by `code` without options.
    pub const fn new(code: u16, target: RedirectTarget) -> Self {
        Self {
            code,
            target,
            drop_query: false,
            keep_query: false,
            append_slash: false,
            ignore_empty: false,
            set_cookie: None,
        }
    }
}

/// Where a redirection leads.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "the kinds of the configuration")]
pub enum RedirectTarget {
    /// Exactly there.
    Location(Template),
    /// The request's path behind this.
    Prefix(Template),
    /// The same address with another scheme.
    Scheme(Template),
}
