//! What rules and logs know about a session, from the first rule on its connection to its log line.

use super::connection::Session;
use super::passage::Passage;
use super::{ProxyInfo, Stamp, Stream, sys};
use crate::expr::{
    Direction, EngineView, Facts, Glimpse, Now, Peek, ProxyRef, Sample, ServerRef, Side, StreamFact, TlsFact,
    Vars,
};
use crate::log::Record;
use crate::proxyproto::tlv;
use crate::stick::Tracked;
use std::net::SocketAddr;

/// The facts of a session, gathered once.
#[derive(Debug)]
#[non_exhaustive]
pub struct SessionFacts<'a> {
    /// The session.
    pub session: &'a Session,
    /// The client's connection, while there is one.
    pub client: Option<&'a Stream>,
    /// The connection to the server, once there is one.
    pub upstream: Option<&'a Stream>,
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
    /// What the client sent and nobody has taken yet.
    pub request: Option<Peek<'a>>,
    /// What the server sent and nobody has taken yet.
    pub response: Option<Peek<'a>>,
    /// Which of them is looked at.
    pub direction: Direction,
    /// Number and name of what made the client's connection fail.
    pub(super) failure: Option<(u8, &'static str)>,
    /// Why the server could not be reached.
    pub(super) unreachable: Option<std::io::ErrorKind>,
    /// What rules did with the stream in TCP mode.
    pub(super) passage: Option<&'a Passage>,
    /// What a protocol made of `request`.
    pub(super) glimpse: Glimpse,
}

impl<'a> SessionFacts<'a> {
    /// Of a session whose backend is not chosen yet.
    pub fn new(session: &'a Session, client: Option<&'a Stream>) -> Self {
        Self {
            session,
            client,
            upstream: None,
            local: client.map_or_else(|| session.announced(), |client| session.local(client)),
            now: Stamp::now(),
            backend: None,
            server: None,
            record: None,
            request: None,
            response: None,
            direction: Direction::Request,
            failure: None,
            unreachable: None,
            passage: None,
            glimpse: Glimpse::new(),
        }
    }

    /// Whether a protocol was asked what it makes of the request's bytes.
    pub(super) fn is_glimpsed(&self) -> bool {
        self.glimpse.get().is_some()
    }

    /// The variables within reach.
    pub fn vars(&self) -> Vars<'a> {
        let vars = Vars {
            process: Some(self.session.generation().plan.variables()),
            session: Some(&self.session.vars),
            ..Vars::NONE
        };
        match self.passage {
            Some(passage) => Vars {
                transaction: Some(&passage.transaction),
                request: Some(&passage.request),
                response: Some(&passage.response),
                ..vars
            },
            None => vars,
        }
    }
}

impl Facts for SessionFacts<'_> {
    fn now(&self) -> Now {
        Now { date: self.now.date, instant: self.now.instant }
    }

    fn src(&self) -> Option<SocketAddr> {
        self.passage.and_then(|passage| passage.source).or(self.session.peer)
    }

    fn dst(&self) -> Option<SocketAddr> {
        self.passage.and_then(|passage| passage.destination).or(self.local)
    }

    fn client_src(&self) -> Option<SocketAddr> {
        self.session.connection_source()
    }

    fn client_dst(&self) -> Option<SocketAddr> {
        match self.client {
            Some(client) => self.session.connection_destination(client),
            None => self.local,
        }
    }

    fn server_src(&self) -> Option<SocketAddr> {
        self.record.and_then(|record| record.backend_addr).or_else(|| self.upstream?.local_addr())
    }

    fn server_dst(&self) -> Option<SocketAddr> {
        // A connection that is over no longer tells, but its line may.
        self.record.and_then(|record| record.server_addr).or_else(|| self.upstream?.peer_addr())
    }

    fn listener(&self) -> Option<ProxyRef<'_>> {
        let listener = &self.session.listener();
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
        &**self.session.generation()
    }

    fn server(&self) -> Option<ServerRef<'_>> {
        self.server
    }

    fn record(&self) -> Option<Record<'_>> {
        self.record
    }

    fn tls(&self, side: Side, fact: TlsFact) -> Option<Sample<'_>> {
        let stream = match side {
            Side::Client => self.client?,
            Side::Server => self.upstream?,
        };
        stream.tls_fact(fact)
    }

    fn buffer(&self, direction: Direction) -> Option<Peek<'_>> {
        match direction {
            Direction::Request => self.request,
            Direction::Response => self.response,
        }
    }

    fn direction(&self) -> Direction {
        self.direction
    }

    fn glimpse(&self) -> Option<&Glimpse> {
        self.request.map(|_| &self.glimpse)
    }

    fn random(&self) -> u64 {
        random()
    }

    fn tracked(&self, slot: usize) -> Option<&Tracked> {
        let own = self.passage.and_then(|passage| passage.tracked.get(slot));
        own.or_else(|| self.session.tracked(slot))
    }

    fn stream(&self, fact: StreamFact) -> Option<Sample<'_>> {
        match fact {
            StreamFact::SourceIsLocal => is_own(self.src()),
            StreamFact::DestinationIsLocal => is_own(self.dst()),
            StreamFact::PriorityClass => self.passage.map(|p| Sample::Int(p.class.into())),
            StreamFact::PriorityOffset => self.passage.map(|p| Sample::Int(p.offset.into())),
            StreamFact::ConnectionError(Side::Client) if self.failure.is_some() => {
                self.failure.map(|(code, _)| Sample::Int(code.into()))
            }
            StreamFact::ConnectionErrorName(Side::Client) if self.failure.is_some() => {
                self.failure.map(|(_, name)| Sample::Str(name.as_bytes()))
            }
            StreamFact::ConnectionErrorText(Side::Client) if self.failure.is_some() => {
                self.record.and_then(|record| record.error).map(|words| Sample::Str(words.as_bytes()))
            }
            StreamFact::LastRuleFile | StreamFact::LastRuleLine => {
                let last = self.passage.and_then(|passage| passage.last_rule.as_ref());
                last.map_or_else(|| self.session.fact(fact), |place| place.fact(fact))
            }
            _ => unreachable_fact(fact, self.unreachable).or_else(|| self.session.fact(fact)).or_else(|| {
                connection_fact(fact, self.session.proxied(), |side| match side {
                    Side::Client => self.client,
                    Side::Server => self.upstream,
                })
            }),
        }
    }
}

impl Session {
    /// A property of the session that does not depend on what its protocol does.
    pub fn fact(&self, fact: StreamFact) -> Option<Sample<'_>> {
        match fact {
            StreamFact::ListenerConnections => {
                i64::try_from(self.listener().state.sessions.level().cur).ok().map(Sample::Int)
            }
            StreamFact::DefaultBackend => {
                let name = self.frontend().spec.default_backend.as_ref()?;
                Some(Sample::Str(name.as_str().as_bytes()))
            }
            StreamFact::LastRuleFile | StreamFact::LastRuleLine => {
                self.notes()?.last_rule.as_ref()?.fact(fact)
            }
            StreamFact::Thread => i64::try_from(self.worker().id()).ok().map(Sample::Int),
            _ => None,
        }
    }
}

/// Whether an address is this machine's own: only such addresses can be bound.
pub fn is_own(addr: Option<SocketAddr>) -> Option<Sample<'static>> {
    let own = std::net::UdpSocket::bind(SocketAddr::new(addr?.ip(), 0)).is_ok();
    Some(Sample::Bool(own))
}

/// Random bits: fast, and different in every process and thread.
pub fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    thread_local! {
        static STATE: std::cell::Cell<u64> = std::cell::Cell::new(RandomState::new().hash_one(0));
    }
    // Sebastiano Vigna's SplitMix64 (public domain).
    let state = STATE.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    STATE.set(state);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Why a server could not be reached: number, name and words.
pub fn unreachable_fact(fact: StreamFact, error: Option<std::io::ErrorKind>) -> Option<Sample<'static>> {
    use std::io::ErrorKind;
    let (number, name, words) = match error? {
        ErrorKind::ConnectionRefused => (47, "EREFUSED", "ECONNREFUSED returned by OS"),
        ErrorKind::ConnectionReset => (48, "ERESET", "ECONNRESET returned by OS"),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            (49, "EUNREACH", "ENETUNREACH returned by OS")
        }
        ErrorKind::OutOfMemory => (50, "ENOMEM", "ENOMEM returned by OS"),
        ErrorKind::InvalidInput => (53, "EINVAL", "EINVAL returned by OS"),
        ErrorKind::NotConnected => (54, "ENCONN", "ENCONN returned by OS"),
        ErrorKind::BrokenPipe => (57, "EPIPE", "EPIPE returned by OS"),
        // Of a connection that only took too long there is nothing to say yet.
        ErrorKind::TimedOut => return None,
        _ => (6, "SOCK_ERR", "General socket error"),
    };
    match fact {
        StreamFact::ConnectionError(Side::Server) => Some(Sample::Int(number)),
        StreamFact::ConnectionErrorName(Side::Server) => Some(Sample::Str(name.as_bytes())),
        StreamFact::ConnectionErrorText(Side::Server) => Some(Sample::Str(words.as_bytes())),
        _ => None,
    }
}

/// Facts that every protocol answers alike: what a PROXY header told, and what the system knows of a connection.
pub fn connection_fact<'a>(
    fact: StreamFact,
    proxied: Option<&'a ProxyInfo>,
    stream: impl Fn(Side) -> Option<&'a Stream>,
) -> Option<Sample<'a>> {
    let field = |kind| proxied.and_then(|info| info.field(kind));
    let tcp = |side| {
        let socket = stream(side)?.socket()?;
        sys::tcp_info(std::os::fd::AsFd::as_fd(&*socket)).ok()
    };
    let number = |number: u32| Some(Sample::Int(i64::from(number)));
    match fact {
        // A connection that carries a session has no error.
        StreamFact::ConnectionError(side) => stream(side).map(|_| Sample::Int(0)),
        StreamFact::ConnectionErrorText(side) => stream(side).map(|_| Sample::Str(b"Success")),
        StreamFact::ConnectionErrorName(side) => stream(side).map(|_| Sample::Str(b"")),
        StreamFact::ReceivedProxy => Some(Sample::Bool(proxied.is_some())),
        StreamFact::ProxyAuthority => field(tlv::AUTHORITY).map(Sample::Str),
        StreamFact::ProxyUniqueId => field(tlv::UNIQUE_ID).map(Sample::Bin),
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
