//! What an HTTP proxy is configured to do, as plain data.
//!
//! Expressions, conditions and format strings are compiled already ([`Program`], [`Condition`], [`Template`]); a dialect
//! crate or an embedder makes them with a [`Registry`](lb_core::expr::Registry) that knows the fetches of this crate.
//! Header names are given in any case and held in lower case.

mod action;
mod cookie;
mod reply;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use lb_core::addr::Network;
use lb_core::expr::Program;
use lb_core::log::Template;
use lb_core::rule::RuleSet;
use lb_core::rule::cond::Condition;
use lb_core::spec::{ProtocolSpec, ServerChoice};

use crate::auth::UserLists;
use crate::forwarded::Forwarded;
use crate::h1::Limits;
use crate::head::HeaderName;

pub use action::{Action, NameMatch, NamePart, PackedFields, PackedUse, ServiceKind, TimeoutKind, TrackSlot};
pub use cookie::{CookieMode, CookieSpec};
pub use reply::{ErrorReply, Redirect, RedirectCookie, RedirectTarget, Reply, ReplyBody};

/// `mode http`.
///
/// A frontend and a backend each have one; a listen section has one that serves as both.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct HttpProxy {
    /// What happens to connections after a message.
    pub connection: ConnectionMode,
    /// Limits of request heads; lenient with `option accept-unsafe-violations-in-http-request`.
    pub request_limits: Limits,
    /// Limits of response heads.
    pub response_limits: Limits,
    /// `option forwardfor`.
    pub forward_for: Option<ForwardFor>,
    /// `option forwarded`. Backend.
    pub forwarded: Option<Forwarded>,
    /// `option originalto`.
    pub original_to: Option<OriginalTo>,
    /// `option http-buffer-request`: wait for the body before looking at the request.
    pub buffer_request: bool,
    /// `option http-ignore-probes`: neither log nor answer clients that send nothing.
    pub ignore_probes: bool,
    /// `option abortonclose`: a client that closes while its request waits loses its place. Backend.
    pub abort_on_close: bool,
    /// `option http-use-proxy-header`: requests with an absolute target authenticate to a proxy. Frontend.
    pub proxy_fields: bool,
    /// `option http-pretend-keepalive`: never ask servers to close. Backend.
    pub pretend_keepalive: bool,
    /// `http-reuse`. Backend.
    pub reuse: Reuse,
    /// `option prefer-last-server`. Backend.
    pub prefer_last_server: bool,
    /// `retry-on`: failures after which a request is sent again. Backend.
    pub retry_on: RetryOn,
    /// `compression`.
    pub compression: Option<Compression>,
    /// Captures of the frontend.
    pub captures: Captures,
    /// `errorfile`, `errorloc`, `http-error`: answers in place of the built-in ones; the last of a status counts.
    pub errors: Vec<(u16, Arc<ErrorReply>)>,
    /// `monitor-uri`. Frontend.
    pub monitor_uri: Option<Arc<[u8]>>,
    /// `monitor fail`.
    pub monitor_fail: Vec<Condition>,
    /// `unique-id-format`. Frontend.
    pub unique_id: Option<Template>,
    /// `unique-id-header`, in lower case.
    pub unique_id_header: Option<HeaderName>,
    /// `cookie`. Backend.
    pub cookie: Option<CookieSpec>,
    /// `http-request` rules.
    pub request: RuleSet<Action>,
    /// `http-response` rules.
    pub response: RuleSet<Action>,
    /// `http-after-response` rules.
    pub after_response: RuleSet<Action>,
    /// `redirect` rules, evaluated after the `http-request` rules.
    pub redirects: RuleSet<Redirect>,
    /// `use-server`. Backend.
    pub servers: RuleSet<ServerChoice>,
    /// `force-persist` and `ignore-persist`: true forces. Backend.
    pub persistence: RuleSet<bool>,
    /// Expression of `balance hash`. Backend.
    pub hash_key: Option<Program>,
    /// `stats`.
    pub stats: Option<StatsPage>,
    /// User lists that rules refer to by name.
    pub users: Arc<UserLists>,
    /// Names of header fields that peers need in another case (`h1-case-adjust`), with the lower-case form.
    pub case_adjust: Arc<[(HeaderName, Arc<[u8]>)]>,
    /// `option h1-case-adjust-bogus-client`.
    pub case_adjust_client: bool,
    /// `option h1-case-adjust-bogus-server`.
    pub case_adjust_server: bool,
    /// `http-send-name-header`, in lower case. Backend.
    pub send_name_header: Option<HeaderName>,
    /// `option http-restrict-req-hdr-names`.
    pub restrict_names: RestrictNames,
    /// `option http-no-delay` asks for no coalescing; nothing is ever delayed here, so it is kept for show only.
    pub no_delay: bool,
    /// `option contstats`: count bytes while they flow.
    pub continuous_stats: bool,
    /// Longest request line in logs (`tune.http.logurilen`).
    pub log_uri_limit: LogUriLimit,
    /// How much rules may add to messages.
    pub rewrite: RewriteRoom,
    /// What a failed rewriting rule does when the ruleset does not say (`http-request strict-mode`): true answers 500.
    pub lax_rewrite: bool,
    /// `h1-do-not-close-on-insecure-transfer-encoding`.
    pub keep_insecure: bool,
}

impl HttpProxy {
    /// A proxy with HAProxy 3.4's defaults.
    pub fn new() -> Self {
        Self { abort_on_close: true, ..Self::default() }
    }
}

/// How much rules may add to a message: what it leaves free of a buffer, but at least a reserve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "two sizes")]
pub struct RewriteRoom {
    /// Size of a buffer (`tune.bufsize`).
    pub buffer: usize,
    /// What is never filled by what is received (`tune.maxrewrite`).
    pub reserve: usize,
}

impl RewriteRoom {
    /// Room beside a message of which so many bytes were received.
    pub fn beside(self, received: usize) -> usize {
        self.buffer.saturating_sub(received).max(self.reserve)
    }
}

impl Default for RewriteRoom {
    fn default() -> Self {
        Self { buffer: 16_384, reserve: 1024 }
    }
}

/// Longest request line in logs; 1024 unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a number with a default")]
pub struct LogUriLimit(pub usize);

impl Default for LogUriLimit {
    fn default() -> Self {
        Self(1024)
    }
}

impl ProtocolSpec for HttpProxy {
    fn kind(&self) -> &'static str {
        "http"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn same_as(&self, other: &dyn ProtocolSpec) -> bool {
        // Compiled expressions cannot be compared; replacing an equal one costs nothing but the swap.
        other.as_any().downcast_ref::<Self>().is_some_and(|other| std::ptr::eq(self, other))
    }
}

/// What happens to connections after a message. The stronger of frontend and backend wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[expect(clippy::exhaustive_enums, reason = "the modes of the configuration")]
pub enum ConnectionMode {
    /// Both sides are kept (`option http-keep-alive`, the default).
    #[default]
    KeepAlive,
    /// The server side is closed (`option http-server-close`).
    ServerClose,
    /// Closed on the side where it is configured (`option httpclose`).
    Close,
}

/// `http-reuse`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(clippy::exhaustive_enums, reason = "the modes of the configuration")]
pub enum Reuse {
    /// A server connection serves one client connection.
    Never,
    /// Shared, but not for the first request of a client connection.
    #[default]
    Safe,
    /// As `Safe`, and first requests may use connections that were reused before.
    Aggressive,
    /// Always shared.
    Always,
}

/// `option forwardfor`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForwardFor {
    /// Name of the field; `x-forwarded-for` when unset.
    pub header: Option<HeaderName>,
    /// Clients whose address is not added.
    pub except: Option<Network>,
    /// Add nothing when the field is there already.
    pub if_none: bool,
}

impl ForwardFor {
    /// Without exceptions, under the usual name.
    pub const fn new() -> Self {
        Self { header: None, except: None, if_none: false }
    }
}

impl Default for ForwardFor {
    fn default() -> Self {
        Self::new()
    }
}

/// `option originalto`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct OriginalTo {
    /// Name of the field; `x-original-to` when unset.
    pub header: Option<HeaderName>,
    /// Destinations that are not added.
    pub except: Option<Network>,
}

/// `retry-on`: failures after which a request is sent again while nothing was forwarded to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryOn {
    /// The connection could not be established (`conn-failure`).
    pub connect: bool,
    /// The connection closed without a response (`empty-response`).
    pub empty: bool,
    /// The response was not HTTP (`junk-response`).
    pub junk: bool,
    /// No response in time (`response-timeout`).
    pub timeout: bool,
    /// The server refused early data (`0rtt-rejected`).
    pub early_data: bool,
    /// These statuses.
    pub statuses: Vec<u16>,
}

impl RetryOn {
    /// Whether a request is sent again whatever way its server is found gone.
    pub const fn covers_closed(&self) -> bool {
        self.connect && self.empty && self.timeout
    }
}

impl Default for RetryOn {
    fn default() -> Self {
        Self {
            connect: true,
            empty: false,
            junk: false,
            timeout: false,
            early_data: false,
            statuses: Vec::new(),
        }
    }
}

impl RetryOn {
    /// Whether it asks for more than repeating connection attempts, so that the request must be kept.
    pub fn keeps_request(&self) -> bool {
        self.empty || self.junk || self.timeout || self.early_data || !self.statuses.is_empty()
    }
}

/// `compression`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compression {
    /// Responses are compressed (`direction`).
    pub responses: bool,
    /// Requests are compressed (`direction`).
    pub requests: bool,
    /// Algorithms for responses; the first one serves clients that take anything.
    pub algorithms: Vec<CompressionAlgorithm>,
    /// Content types of responses, as prefixes; empty means all.
    pub types: Vec<Arc<str>>,
    /// `offload`: servers are not told that clients accept compression.
    pub offload: bool,
    /// Responses of a known length below this are left alone.
    pub min_size: u64,
    /// Algorithm for requests.
    pub request_algorithm: Option<CompressionAlgorithm>,
    /// Content types of requests, as prefixes; empty means all.
    pub request_types: Vec<Arc<str>>,
    /// Requests of a known length below this are left alone.
    pub request_min_size: u64,
    /// Level from 1, the fastest, to 9 (`tune.comp.maxlevel`).
    pub level: u32,
}

impl Default for Compression {
    fn default() -> Self {
        Self {
            responses: true,
            requests: false,
            algorithms: Vec::new(),
            types: Vec::new(),
            offload: false,
            min_size: 0,
            request_algorithm: None,
            request_types: Vec::new(),
            request_min_size: 0,
            level: 1,
        }
    }
}

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the algorithms of the configuration")]
pub enum CompressionAlgorithm {
    /// None; for tests.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 1950.
    Deflate,
    /// RFC 1951, which some browsers mean by deflate.
    RawDeflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

impl CompressionAlgorithm {
    /// The algorithm of a name in the configuration.
    pub fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "identity" => Self::Identity,
            "gzip" => Self::Gzip,
            "deflate" => Self::Deflate,
            "raw-deflate" => Self::RawDeflate,
            "br" => Self::Brotli,
            "zstd" => Self::Zstd,
            _ => return None,
        })
    }

    /// The coding's name in header fields.
    pub const fn coding(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Deflate | Self::RawDeflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// What is remembered of messages for logs.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Captures {
    /// `capture cookie`: beginning of the name and longest value.
    pub cookie: Option<(Arc<[u8]>, usize)>,
    /// `capture request header` and `declare capture request`, in order of declaration.
    pub request: Vec<CaptureSlot>,
    /// `capture response header` and `declare capture response`.
    pub response: Vec<CaptureSlot>,
}

/// One capture.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct CaptureSlot {
    /// The field to capture; `None` when only rules fill it.
    pub header: Option<HeaderName>,
    /// Longest value.
    pub limit: usize,
}

/// `option http-restrict-req-hdr-names`: what happens to fields with other characters than letters, digits and `-`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(clippy::exhaustive_enums, reason = "the choices of the configuration")]
pub enum RestrictNames {
    /// Nothing.
    #[default]
    Preserve,
    /// They are removed.
    Delete,
    /// The request is refused with 403.
    Reject,
}

/// `stats`: the statistics page.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StatsPage {
    /// Beginning of the request target; `/haproxy?stats` by default.
    pub uri: Arc<[u8]>,
    /// `stats auth`: name of a user list with the allowed users; no authentication when unset.
    pub users: Option<Arc<str>>,
    /// `stats realm`.
    pub realm: Arc<str>,
    /// `stats http-request` rules, before the authentication by `users`.
    pub rules: RuleSet<Action>,
    /// `stats admin`: changes are allowed when one of these holds.
    pub admin: Vec<Condition>,
    /// `stats refresh`.
    pub refresh: Option<Duration>,
    /// `stats hide-version` inverted.
    pub show_version: bool,
    /// `stats show-legends`.
    pub show_legends: bool,
    /// `stats show-modules`.
    pub show_modules: bool,
    /// `stats show-node`: the name to show.
    pub node: Option<Arc<str>>,
    /// `stats show-desc`: the text to show.
    pub description: Option<Arc<str>>,
    /// `stats scope`: only these proxies; empty means all. `.` is the proxy itself.
    pub scope: Vec<Arc<str>>,
}

impl StatsPage {
    /// The page under its usual address, open to all.
    pub fn new() -> Self {
        Self {
            uri: Arc::from(&b"/haproxy?stats"[..]),
            users: None,
            realm: Arc::from("HAProxy Statistics"),
            rules: RuleSet::default(),
            admin: Vec::new(),
            refresh: None,
            show_version: true,
            show_legends: false,
            show_modules: false,
            node: None,
            description: None,
            scope: Vec::new(),
        }
    }
}

impl Default for StatsPage {
    fn default() -> Self {
        Self::new()
    }
}
