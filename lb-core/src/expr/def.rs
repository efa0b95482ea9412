//! Definitions of fetches, converters and ACL keywords as data.
//!
//! One line per keyword: name, argument types, input and output types, where it is valid, and
//! the function. A [`super::Registry`] collects tables of these; nothing registers itself.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::arg::{ArgType, Args};
use super::context::Env;
use super::map::Reference;
use super::pattern::Method;
use super::sample::{Sample, SampleType};
use super::token::{TokenAlgorithms, TokenKeys};
use crate::rule::cond::Acl;

/// Computes one sample. `None` means "not found": conditions fail, logs print `-`.
pub type FetchFn = for<'a> fn(&Env<'a>, &'a Args) -> Option<Sample<'a>>;

/// Hands every occurrence to the callback until it breaks; used by conditions on fetches that
/// can find several values (headers, cookies).
pub type EachFn = for<'a> fn(&Env<'a>, &'a Args, &mut dyn FnMut(Sample<'a>) -> ControlFlow<()>);

/// Transforms a sample already cast to the declared input type.
pub type ConvFn = for<'a> fn(&Env<'a>, &'a Args, Sample<'a>) -> Option<Sample<'a>>;

/// Checks arguments after their types and computes what evaluation should not repeat
/// (lower-casing, table look-ups, regular expressions). The error text names the problem.
pub type Prepare = fn(&mut Args, &mut dyn Build) -> Result<(), String>;

/// A fetch keyword.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FetchDef {
    /// Keyword.
    pub name: &'static str,
    /// Types of the arguments, mandatory ones first.
    pub args: &'static [ArgType],
    /// How many arguments are mandatory.
    pub required: usize,
    /// Output type.
    pub out: SampleType,
    /// What the fetch reads, which decides where it may be used.
    pub needs: Needs,
    /// Optional argument check.
    pub prepare: Option<Prepare>,
    /// The function.
    pub eval: FetchFn,
    /// Enumerates all occurrences, where there can be several.
    pub each: Option<EachFn>,
}

impl FetchDef {
    /// A fetch without arguments.
    pub const fn new(name: &'static str, out: SampleType, needs: Needs, eval: FetchFn) -> Self {
        Self { name, args: &[], required: 0, out, needs, prepare: None, eval, each: None }
    }

    /// Declares arguments, the first `required` of them mandatory.
    #[must_use]
    pub const fn args(mut self, required: usize, args: &'static [ArgType]) -> Self {
        self.required = required;
        self.args = args;
        self
    }

    /// Adds an argument check.
    #[must_use]
    pub const fn prepare(mut self, prepare: Prepare) -> Self {
        self.prepare = Some(prepare);
        self
    }

    /// Adds the enumeration of all occurrences.
    #[must_use]
    pub const fn each(mut self, each: EachFn) -> Self {
        self.each = Some(each);
        self
    }
}

/// A converter keyword.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConvDef {
    /// Keyword.
    pub name: &'static str,
    /// Types of the arguments, mandatory ones first.
    pub args: &'static [ArgType],
    /// How many arguments are mandatory.
    pub required: usize,
    /// Input type; the sample is cast to it before.
    pub input: SampleType,
    /// Output type; [`SampleType::Same`] passes the input's type on.
    pub out: SampleType,
    /// Optional argument check.
    pub prepare: Option<Prepare>,
    /// The function.
    pub eval: ConvFn,
}

impl ConvDef {
    /// A converter without arguments.
    pub const fn new(name: &'static str, input: SampleType, out: SampleType, eval: ConvFn) -> Self {
        Self { name, args: &[], required: 0, input, out, prepare: None, eval }
    }

    /// Declares arguments, the first `required` of them mandatory.
    #[must_use]
    pub const fn args(mut self, required: usize, args: &'static [ArgType]) -> Self {
        self.required = required;
        self.args = args;
        self
    }

    /// Adds an argument check.
    #[must_use]
    pub const fn prepare(mut self, prepare: Prepare) -> Self {
        self.prepare = Some(prepare);
        self
    }
}

/// An ACL keyword: a fetch with an implied matching method (`path_beg`, `hdr_dom`).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AclDef {
    /// Keyword.
    pub name: &'static str,
    /// The fetch it stands for.
    pub fetch: &'static str,
    /// The matching method, unless `-m` or a converter overrides it.
    pub method: Method,
}

impl AclDef {
    /// One alias.
    pub const fn new(name: &'static str, fetch: &'static str, method: Method) -> Self {
        Self { name, fetch, method }
    }
}

/// A part of a certificate that the configuration names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a pair of keys has two")]
pub enum CertificatePart {
    /// The certificate with its public key.
    Public,
    /// The private key.
    Private,
}

/// What a dialect provides while expressions are built. All methods default to "not available".
pub trait Build {
    /// The proxy being configured; the implied argument of `nbsrv()` and the like.
    fn proxy(&self) -> Option<&str> {
        None
    }
    /// The pattern file of that name, loaded as keys or as keys and values. The same name gives
    /// the same reference, so that runtime changes reach every user.
    fn patterns(&mut self, file: &str, _as_map: bool) -> Result<Arc<Reference>, String> {
        Err(format!("file '{file}' cannot be read here"))
    }
    /// Told of every list made from patterns written in place, for the control socket.
    fn inline_patterns(&mut self, _reference: &Arc<Reference>) {}
    /// The first IPv4 address of a host name used as a pattern.
    fn resolve(&self, _host: &str) -> Option<std::net::Ipv4Addr> {
        None
    }
    /// The ACL declared under that name in the current proxy, or a predefined one.
    fn acl(&self, _name: &str) -> Option<Arc<Acl>> {
        None
    }
    /// The contents of a file named in arguments (certificates, keys).
    fn file(&mut self, name: &str) -> Result<Vec<u8>, String> {
        Err(format!("file '{name}' cannot be read here"))
    }
    /// The names of the certificates that the configuration holds, and whether tokens may be verified and decrypted
    /// with them.
    fn certificates(&self) -> Vec<(String, bool)> {
        Vec::new()
    }
    /// The PEM text that holds a part of the certificate of this name, if there is one.
    fn certificate(&mut self, _name: &str, _part: CertificatePart) -> Option<Vec<u8>> {
        None
    }
    /// Where keys are kept that all expressions of the configuration share.
    fn token_keys(&mut self) -> Arc<TokenKeys> {
        Arc::default()
    }
    /// The algorithms that tokens may be protected with.
    fn token_algorithms(&self) -> TokenAlgorithms {
        TokenAlgorithms::default()
    }
    /// An environment variable.
    fn env(&self, _name: &str) -> Option<String> {
        None
    }
    /// Told of every regular expression that needs backtracking.
    fn backtracking_regex(&mut self, _pattern: &str) {}
    /// Told of the fetch of every expression.
    fn uses_fetch(&mut self, _fetch: &'static FetchDef) {}
    /// Told of every format that prints the number of a stream.
    fn uses_number(&mut self) {}
    /// Told of every converter of an expression.
    fn uses_converter(&mut self, _converter: &'static ConvDef) {}
    /// Told of every stick table an expression names.
    fn uses_table(&mut self, _table: &str) {}
    /// Told of every frontend, backend, table, user list and `backend/server` an expression names; an error refuses a
    /// name that does not exist.
    fn refers(&mut self, _kind: ArgType, _name: &str) -> Result<(), String> {
        Ok(())
    }
}

/// A [`Build`] with nothing behind it.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "has nothing to hide")]
pub struct NoBuild;

impl Build for NoBuild {}

/// What a fetch reads; a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs(u32);

/// The places where expressions are evaluated; a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases(u32);

impl Needs {
    /// Nothing: a constant.
    pub const CONST: Self = Self(0);
    /// Process state.
    pub const INTERNAL: Self = Self(1);
    /// The listener.
    pub const LISTENER: Self = Self(1 << 1);
    /// The frontend.
    pub const FRONTEND: Self = Self(1 << 2);
    /// The client's addresses.
    pub const L4_CLIENT: Self = Self(1 << 3);
    /// The client connection's TLS layer.
    pub const L5_CLIENT: Self = Self(1 << 4);
    /// Tracked counters.
    pub const TRACKED: Self = Self(1 << 5);
    /// Raw request bytes.
    pub const L6_REQUEST: Self = Self(1 << 6);
    /// HTTP request headers.
    pub const HTTP_REQUEST: Self = Self(1 << 7);
    /// HTTP request properties kept for the response (method, path).
    pub const HTTP_REQUEST_KEPT: Self = Self(1 << 8);
    /// HTTP request body.
    pub const HTTP_REQUEST_BODY: Self = Self(1 << 9);
    /// The backend.
    pub const BACKEND: Self = Self(1 << 10);
    /// The server.
    pub const SERVER: Self = Self(1 << 11);
    /// The server connection's addresses.
    pub const L4_SERVER: Self = Self(1 << 12);
    /// The server connection's TLS layer.
    pub const L5_SERVER: Self = Self(1 << 13);
    /// Raw response bytes.
    pub const L6_RESPONSE: Self = Self(1 << 14);
    /// HTTP response headers.
    pub const HTTP_RESPONSE: Self = Self(1 << 15);
    /// HTTP response properties kept for logs (status).
    pub const HTTP_RESPONSE_KEPT: Self = Self(1 << 16);
    /// HTTP response body.
    pub const HTTP_RESPONSE_BODY: Self = Self(1 << 17);
    /// Totals of the request.
    pub const REQUEST_TOTALS: Self = Self(1 << 18);
    /// Totals of the response.
    pub const RESPONSE_TOTALS: Self = Self(1 << 19);
    /// Totals of the transaction or stream.
    pub const STREAM_TOTALS: Self = Self(1 << 20);
    /// HTTP headers of the message that is looked at.
    pub const HTTP_MESSAGE: Self = Self(1 << 21);

    /// Anything HTTP.
    pub const HTTP: Self = Self(
        Self::HTTP_REQUEST.0
            | Self::HTTP_REQUEST_KEPT.0
            | Self::HTTP_REQUEST_BODY.0
            | Self::HTTP_RESPONSE.0
            | Self::HTTP_RESPONSE_KEPT.0
            | Self::HTTP_RESPONSE_BODY.0
            | Self::HTTP_MESSAGE.0,
    );

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the sets share anything.
    pub const fn any_of(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Where everything in this set can be read at once.
    pub const fn phases(self) -> Phases {
        let mut phases = Phases::ALL.0;
        let mut bit = 0;
        while bit < VALID.len() {
            if self.0 & (1 << bit) != 0 {
                phases &= VALID[bit].0;
            }
            bit += 1;
        }
        Phases(phases)
    }
}

impl Phases {
    /// `tcp-request connection`.
    pub const CONNECTION: Self = Self(1);
    /// `tcp-request session`.
    pub const SESSION: Self = Self(1 << 1);
    /// Frontend `tcp-request content`.
    pub const FE_REQUEST_CONTENT: Self = Self(1 << 2);
    /// Frontend `http-request`, redirects, monitor.
    pub const FE_REQUEST_HEADERS: Self = Self(1 << 3);
    /// Frontend request body.
    pub const FE_REQUEST_BODY: Self = Self(1 << 4);
    /// `use_backend`.
    pub const SET_BACKEND: Self = Self(1 << 5);
    /// Backend `tcp-request content`.
    pub const BE_REQUEST_CONTENT: Self = Self(1 << 6);
    /// Backend `http-request`.
    pub const BE_REQUEST_HEADERS: Self = Self(1 << 7);
    /// Backend request body.
    pub const BE_REQUEST_BODY: Self = Self(1 << 8);
    /// `use-server`, `balance`, `stick`.
    pub const SET_SERVER: Self = Self(1 << 9);
    /// Connecting to the server (`source`, `sni`).
    pub const SERVER_CONNECT: Self = Self(1 << 10);
    /// Backend `tcp-response content`.
    pub const BE_RESPONSE_CONTENT: Self = Self(1 << 11);
    /// Backend `http-response`.
    pub const BE_RESPONSE_HEADERS: Self = Self(1 << 12);
    /// Backend response body.
    pub const BE_RESPONSE_BODY: Self = Self(1 << 13);
    /// `stick store-response`.
    pub const STORE_RULES: Self = Self(1 << 14);
    /// Frontend `tcp-response content`.
    pub const FE_RESPONSE_CONTENT: Self = Self(1 << 15);
    /// Frontend `http-response`.
    pub const FE_RESPONSE_HEADERS: Self = Self(1 << 16);
    /// Frontend response body.
    pub const FE_RESPONSE_BODY: Self = Self(1 << 17);
    /// Logging at the end.
    pub const LOG: Self = Self(1 << 18);
    /// Health check rules.
    pub const CHECK: Self = Self(1 << 19);
    /// While the configuration is read.
    pub const CONFIG: Self = Self(1 << 20);
    /// From the control socket.
    pub const CLI: Self = Self(1 << 21);
    /// Everywhere.
    pub const ALL: Self = Self((1 << 22) - 1);

    /// Both sets together.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What both sets share.
    #[must_use]
    pub const fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether the sets share a place.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether nothing is left.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    const fn range(from: u32, to: u32) -> Self {
        Self(((1 << (to + 1)) - 1) & !((1 << from) - 1))
    }
}

/// Where each bit of [`Needs`] can be read, in the order of its bits.
const VALID: [Phases; 22] = [
    Phases(Phases::ALL.0 & !Phases::CONFIG.0), // INTERNAL
    Phases::range(0, 18),                      // LISTENER
    Phases::range(0, 18),                      // FRONTEND
    Phases::range(0, 19),                      // L4_CLIENT
    Phases::range(1, 18),                      // L5_CLIENT
    Phases::range(0, 18),                      // TRACKED
    Phases::range(2, 10),                      // L6_REQUEST
    Phases::range(2, 10),                      // HTTP_REQUEST
    Phases::range(2, 18),                      // HTTP_REQUEST_KEPT
    Phases::range(4, 10),                      // HTTP_REQUEST_BODY
    Phases::range(6, 19),                      // BACKEND
    Phases::range(10, 19),                     // SERVER
    Phases::range(11, 19),                     // L4_SERVER
    Phases::range(11, 19),                     // L5_SERVER
    Phases::range(11, 17).or(Phases::CHECK),   // L6_RESPONSE
    Phases::range(11, 17).or(Phases::CHECK),   // HTTP_RESPONSE
    Phases::range(11, 19),                     // HTTP_RESPONSE_KEPT
    Phases::range(13, 17).or(Phases::CHECK),   // HTTP_RESPONSE_BODY
    Phases::range(2, 18),                      // REQUEST_TOTALS
    Phases::range(9, 18),                      // RESPONSE_TOTALS
    Phases::range(0, 18),                      // STREAM_TOTALS
    Phases::range(2, 17).or(Phases::CHECK),    // HTTP_MESSAGE
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_data_is_gone_when_the_response_is_processed() {
        let phases = Needs::HTTP_REQUEST.phases();
        assert!(phases.intersects(Phases::FE_REQUEST_HEADERS));
        assert!(!phases.intersects(Phases::BE_RESPONSE_HEADERS));
        assert!(!phases.intersects(Phases::LOG));
        assert!(Needs::HTTP_REQUEST_KEPT.phases().intersects(Phases::LOG));
    }

    #[test]
    fn a_set_is_valid_only_where_all_its_parts_are() {
        assert!(Needs::HTTP_REQUEST.and(Needs::HTTP_RESPONSE).phases().is_empty());
        assert_eq!(Needs::CONST.phases(), Phases::ALL);
        assert!(!Needs::L5_CLIENT.phases().intersects(Phases::CONNECTION));
    }
}
