//! What rules and logs of layer 4 know about a session.

use super::Stamp;
use super::connection::Session;
use super::{ProxyInfo, Stream, sys};
use crate::expr::{EngineView, Facts, Now, ProxyRef, Sample, ServerRef, Side, StreamFact};
use crate::log::Record;
use std::net::SocketAddr;

/// The facts of a session, gathered once.
#[derive(Debug)]
#[non_exhaustive]
pub struct SessionFacts<'a> {
    /// The session.
    pub session: &'a Session,
    /// The address the client connected to.
    pub local: Option<SocketAddr>,
    /// Now.
    pub now: Stamp,
    /// The backend, once chosen.
    pub backend: Option<ProxyRef<'a>>,
    /// The server, once chosen.
    pub server: Option<ServerRef<'a>>,
    /// What logs print, once the session has ended.
    pub record: Option<Record<'a>>,
}

impl<'a> SessionFacts<'a> {
    /// Of a session whose backend is not chosen yet.
    pub fn new(session: &'a Session, local: Option<SocketAddr>) -> Self {
        Self { session, local, now: Stamp::now(), backend: None, server: None, record: None }
    }
}

impl Facts for SessionFacts<'_> {
    fn now(&self) -> Now {
        Now { date: self.now.date, instant: self.now.instant }
    }

    fn src(&self) -> Option<SocketAddr> {
        self.session.peer
    }

    fn dst(&self) -> Option<SocketAddr> {
        self.local
    }

    fn listener(&self) -> Option<ProxyRef<'_>> {
        let listener = &self.session.listener;
        Some(ProxyRef { name: listener.spec.name.as_deref().unwrap_or_default(), id: listener.id })
    }

    fn frontend(&self) -> Option<ProxyRef<'_>> {
        let spec = &self.session.frontend().spec;
        Some(ProxyRef { name: spec.name.as_str(), id: spec.id })
    }

    fn backend(&self) -> Option<ProxyRef<'_>> {
        self.backend
    }

    fn engine(&self) -> &dyn EngineView {
        &*self.session.generation
    }

    fn server(&self) -> Option<ServerRef<'_>> {
        self.server
    }

    fn stream(&self, fact: StreamFact) -> Option<Sample<'_>> {
        connection_fact(fact, self.session.proxied.as_deref(), |_| None)
    }

    fn record(&self) -> Option<Record<'_>> {
        self.record
    }
}

/// Type of the PROXY header field with the name the client announced.
const AUTHORITY: u8 = 0x02;
/// Type of the PROXY header field with a unique id.
const UNIQUE_ID: u8 = 0x05;

/// Facts that every protocol answers alike: what a PROXY header told, and what the system knows of a connection.
pub fn connection_fact<'a>(
    fact: StreamFact,
    proxied: Option<&'a ProxyInfo>,
    stream: impl Fn(Side) -> Option<&'a Stream>,
) -> Option<Sample<'a>> {
    let field = |kind| proxied.and_then(|info| info.field(kind));
    let tcp = |side| {
        let tcp = stream(side)?.tcp()?;
        sys::tcp_info(std::os::fd::AsFd::as_fd(tcp)).ok()
    };
    let number = |number: u32| Some(Sample::Int(i64::from(number)));
    match fact {
        StreamFact::ReceivedProxy => Some(Sample::Bool(proxied.is_some())),
        StreamFact::ProxyAuthority => field(AUTHORITY).map(Sample::Str),
        StreamFact::ProxyUniqueId => field(UNIQUE_ID).map(Sample::Bin),
        StreamFact::ProxyTlv(kind) => field(kind).map(Sample::Str),
        StreamFact::RoundTrip(side) => number(tcp(side)?.round_trip),
        StreamFact::RoundTripVariance(side) => number(tcp(side)?.variance),
        StreamFact::Retransmits => number(tcp(Side::Client)?.retransmits),
        StreamFact::Lost => number(tcp(Side::Client)?.lost),
        StreamFact::Unacked => number(tcp(Side::Client)?.unacked),
        StreamFact::Sacked => number(tcp(Side::Client)?.sacked),
        StreamFact::Reordering => number(tcp(Side::Client)?.reordering),
        _ => None,
    }
}
