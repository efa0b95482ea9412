//! The state of one exchange, and the view rules and logs have of it.

use std::any::Any;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use lb_core::balance::ServerId;
use lb_core::bandwidth::{Limiter, StreamLimits};
use lb_core::engine::{ProxyPlan, ServerPlan};
use lb_core::expr::{
    Arena, Direction, EngineView, Env, Facts, Now, ProxyRef, Sample, ServerRef, Side, StreamFact, TlsFact,
    VarScope, Vars,
};
use lb_core::log::{Origin, Record, Termination};
use lb_core::pool::{Lease, ServerCell, Visit};
use lb_core::rt::{Ending, Stream, connection_fact, is_own, unreachable_fact};
use lb_core::rule::Place;
use lb_core::rule::marks::ConnectionSide;
use lb_core::spec::Severity;
use lb_core::stick::{Event, Key, Pending, SharedTable, Slots, Tracked};

use super::client::Client;
use super::identity::Identity;
use super::upstream::Farewell;
use super::{front_of, http_of, io, log};
use crate::h1::{Cursor, Limits};
use crate::layer::HttpLayer;
use crate::persist;
use crate::rule::{self, Effect, Session};
use crate::spec::{CompressionAlgorithm, ConnectionMode, HttpProxy, Reuse, TimeoutKind, TrackSlot};

/// Requests up to this size leave their buffer while their response is waited for.
const SHELTER: usize = 2_048;

/// What every exchange wants to know of its frontend, which is found by a search through types.
#[derive(Default, Clone, Copy)]
pub(super) struct Front {
    pub(super) limits: Limits,
    pub(super) connection: ConnectionMode,
    /// It has `http-response` rules.
    pub(super) responds: bool,
    /// It has `http-after-response` rules.
    pub(super) responds_after: bool,
    /// It captures something of responses.
    pub(super) captures: bool,
    /// Names of fields are written to clients in a case of their own.
    pub(super) adjusts: bool,
    /// There is somewhere to log to.
    pub(super) logs: bool,
}

impl Front {
    pub(super) fn of(http: Option<&HttpProxy>, client: &Client) -> Self {
        let session = &client.session;
        let logs = session.generation().logger(session.proxy()).is_enabled();
        let Some(http) = http else { return Self { logs, ..Self::default() } };
        Self {
            limits: http.request_limits,
            connection: http.connection,
            responds: !http.response.is_empty(),
            responds_after: !http.after_response.is_empty(),
            captures: !http.captures.response.is_empty() || http.captures.cookie.is_some(),
            adjusts: http.case_adjust_client,
            logs,
        }
    }
}

/// What parting with a server connection depends on.
#[derive(Default, Clone, Copy)]
pub(super) struct Back {
    /// The connection may serve others.
    pub(super) shares: bool,
    /// Clients stay with servers to which connections are kept for them alone.
    pub(super) prefers_last: bool,
}

impl Back {
    pub(super) fn of(http: &HttpProxy) -> Self {
        Self { shares: http.reuse != Reuse::Never, prefers_last: http.prefer_last_server }
    }
}

/// Everything one exchange needs. Reused by the next one.
#[derive(Default)]
pub(super) struct Txn {
    pub(super) front: Front,
    /// Of the backend, once it is asked for a server.
    pub(super) back: Back,
    pub(super) layer: HttpLayer,
    pub(super) arena: Arena,
    pub(super) vars: Scopes,
    /// Where the request head stands.
    pub(super) cursor: Cursor,
    /// Scratch for formats.
    pub(super) text: Vec<u8>,
    /// Body of an answer made here.
    pub(super) body: Vec<u8>,
    /// Where a short request stands while its response is waited for.
    shelter: Vec<u8>,
    unique_id: UniqueId,
    pub(super) direction: Responding,
    pub(super) backend: Option<Arc<ProxyPlan>>,
    pub(super) server: Option<Arc<ServerPlan>>,
    pub(super) upstream: Upstream,
    pub(super) times: Times,
    pub(super) counts: Counts,
    pub(super) settings: Settings,
    pub(super) termination: Termination,
    pub(super) persistence: persist::State,
    /// Name of the service that answered, for logs.
    pub(super) applet: Option<&'static str>,
    /// The status to log, where the answer shows another one.
    pub(super) answered: Option<u16>,
    /// A line was written already.
    pub(super) logged: bool,
    /// The client left before its body was complete.
    pub(super) aborted: bool,
    /// The client closed its sending side while a rule paused.
    pub(super) deserted: bool,
    /// No time of the request is told: its body did not come in time, or it was dropped.
    pub(super) untimed: bool,
    /// The step that a line tells of.
    pub(super) origin: Origin,
    /// Number of the request.
    pub(super) number: u32,
    /// The last rule that ended a ruleset.
    pub(super) last_rule: Option<Arc<Place>>,
    /// Entries of stick tables the request is counted in.
    pub(super) tracked: Slots,
    /// Keys under which the server is to be remembered.
    pub(super) pending: Pending,
    pub(super) coding: Coding,
    /// Limits of the bandwidth, if rules have set some.
    pub(super) limits: Option<Box<StreamLimits>>,
}

/// Which bodies of an exchange are compressed.
#[derive(Default, Clone, Copy)]
pub(super) struct Coding {
    /// The request's.
    pub(super) request: Option<CompressionAlgorithm>,
    /// The response's, if it turns out to be fit for it.
    pub(super) response: Option<CompressionAlgorithm>,
    pub(super) level: u32,
}

/// Which message is being processed.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Responding {
    #[default]
    Request,
    Response,
}

/// Variables of one exchange.
#[derive(Default)]
pub(super) struct Scopes {
    transaction: VarScope,
    request: VarScope,
    response: VarScope,
}

/// The server side.
#[derive(Default)]
pub(super) struct Upstream {
    pub(super) visit: Option<Visit>,
    pub(super) lease: Option<Lease>,
    pub(super) stream: Option<Stream>,
    /// The connection serves this client only.
    pub(super) private: bool,
    /// A connection of this exchange served a request before.
    pub(super) reused: bool,
    /// The connection did.
    pub(super) proven: bool,
    pub(super) local: Option<SocketAddr>,
    pub(super) peer: Option<SocketAddr>,
    /// Why the last attempt to connect failed, or the connection broke.
    pub(super) fault: Option<std::io::ErrorKind>,
    pub(super) retries: u32,
    pub(super) redispatched: bool,
    /// The server that the next attempt goes to once more.
    pub(super) again: Option<ServerId>,
    pub(super) server_queue: u32,
    pub(super) backend_queue: u32,
    /// The server's cell, also when the slot was given back.
    pub(super) cell: Option<Arc<ServerCell>>,
    /// Sessions on the server when the slot was given back: whoever waited may have taken it at once.
    pub(super) remaining: Option<u64>,
    /// What becomes of the connection once lines have told of it.
    pub(super) farewell: Option<Farewell>,
    /// What the connection must be like.
    pub(super) identity: Identity,
    /// Whether sessions on the server are to end.
    pub(super) ending: Ending,
}

impl Upstream {
    /// Gives the slot back, and notes who remains before anybody who waits takes it.
    pub(super) fn give_back(&mut self, lease: Lease) {
        self.remaining = Some(lease.server().served().cur.saturating_sub(1));
        drop(lease);
    }

    /// Our address towards the server.
    pub(super) fn local(&self) -> Option<SocketAddr> {
        self.local.or_else(|| self.stream.as_ref()?.local_addr())
    }

    /// The address of the server.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        self.peer.or_else(|| self.stream.as_ref()?.peer_addr())
    }
}

/// Moments of one exchange, as times since the connection was accepted. The clock is read when the exchange has waited
/// for something, and not for every step in between.
#[derive(Default, Clone, Copy)]
pub(super) struct Times {
    /// When the connection was ready for the request.
    pub(super) ready: Option<Duration>,
    /// First byte of the request.
    pub(super) begin: Option<Duration>,
    /// The head was complete.
    pub(super) request: Option<Duration>,
    /// A slot on a server was found.
    pub(super) queue: Option<Duration>,
    /// The server connection was there.
    pub(super) connect: Option<Duration>,
    /// The head of the response was complete.
    pub(super) response: Option<Duration>,
    /// Everything was sent.
    pub(super) end: Option<Duration>,
    /// Now, as expressions see it.
    pub(super) now: Option<Duration>,
}

/// Bytes of one exchange.
#[derive(Default, Clone, Copy)]
pub(super) struct Counts {
    pub(super) from_client: u64,
    pub(super) to_server: u64,
    pub(super) from_server: u64,
    pub(super) to_client: u64,
}

/// What rules changed for this exchange.
#[derive(Default, Clone, Copy)]
pub(super) struct Settings {
    pub(super) log_level: Option<Option<Severity>>,
    pub(super) client: Option<Duration>,
    pub(super) server: Option<Duration>,
    pub(super) tunnel: Option<Duration>,
    pub(super) connect: Option<Duration>,
    pub(super) queue: Option<Duration>,
    pub(super) tarpit: Option<Duration>,
    pub(super) retries: Option<u32>,
    pub(super) class: i32,
    pub(super) offset: i32,
    pub(super) no_retry: bool,
}

impl Txn {
    /// Forgets the exchange; what is left of the buffers' contents is gone with it.
    pub(super) fn reset(&mut self) {
        self.layer.clear();
        self.arena.reset();
        self.vars.clear();
        self.cursor = Cursor::default();
        self.text.clear();
        self.body.clear();
        self.unique_id = UniqueId::default();
        self.direction = Responding::Request;
        self.backend = None;
        self.server = None;
        self.upstream = Upstream::default();
        self.times = Times::default();
        self.counts = Counts::default();
        self.settings = Settings::default();
        self.termination = Termination::default();
        self.persistence = persist::State::default();
        self.applet = None;
        self.answered = None;
        self.tracked.clear();
        self.coding = Coding::default();
        self.limits = None;
        self.pending.clear();
        self.aborted = false;
        self.deserted = false;
        self.untimed = false;
        self.last_rule = None;
        self.origin = Origin::Unspecified;
        self.logged = false;
    }

    /// Moves a short request out of its buffer: exchanges that wait hold little, and those that come share the buffer
    /// that is warm.
    pub(super) fn shelter(&mut self) {
        let request = &mut self.layer.request;
        if request.filled > SHELTER || request.fields.buffer().len() < io::BUFFER {
            return;
        }
        let mut shelter = std::mem::take(&mut self.shelter);
        shelter.clear();
        shelter.extend_from_slice(&request.fields.buffer()[..request.filled]);
        io::give_buffer(request.fields.move_to(shelter));
    }

    /// The buffer of the request with what is left of it, from a place on, at its front; `None` if there is nothing left
    /// and no buffer that could be used again. A shelter is kept for the next request.
    pub(super) fn leftover(&mut self, from: usize) -> Option<(Vec<u8>, usize)> {
        let filled = self.layer.request.filled;
        let from = from.min(filled);
        let mut buffer = self.layer.request.fields.take_buffer();
        if buffer.len() == io::BUFFER {
            buffer.copy_within(from..filled, 0);
            return Some((buffer, filled - from));
        }
        let rest = (from < filled && filled <= buffer.len()).then(|| {
            let mut whole = io::take_buffer();
            whole[..filled - from].copy_from_slice(&buffer[from..filled]);
            (whole, filled - from)
        });
        if !buffer.is_empty() {
            self.shelter = buffer;
        }
        rest
    }

    /// Gives the buffers back and forgets the exchange.
    pub(super) fn recycle(&mut self) {
        if let Some((buffer, _)) = self.leftover(usize::MAX) {
            io::give_buffer(buffer);
        }
        io::give_fields(&mut self.layer.response.fields);
        self.reset();
        for scratch in [&mut self.text, &mut self.body] {
            if scratch.capacity() > io::KEEP_SCRATCH {
                *scratch = Vec::new();
            }
        }
    }

    /// Takes the limits of one direction, if there are any.
    #[inline]
    pub(super) fn take_limits(
        &mut self,
        which: impl FnOnce(&mut StreamLimits) -> &mut Vec<Limiter>,
    ) -> Option<Vec<Limiter>> {
        let limits = self.limits.as_mut()?;
        Some(std::mem::take(which(limits))).filter(|limiters| !limiters.is_empty())
    }

    /// What the backend is configured to do.
    pub(super) fn backend_http(&self) -> Option<&HttpProxy> {
        self.backend.as_ref().and_then(|backend| http_of(&*backend.spec.protocol))
    }
}

/// The id of a request (`unique-id-format`), made when a rule, a header or a log asks for it first.
#[derive(Default)]
struct UniqueId {
    text: OnceLock<Vec<u8>>,
    /// It is being made: a format that names the id itself finds none.
    making: AtomicBool,
}

impl UniqueId {
    fn made(&self, make: impl FnOnce(&mut Vec<u8>)) -> Option<&[u8]> {
        if self.text.get().is_none() && !self.making.swap(true, Ordering::Relaxed) {
            let mut text = Vec::new();
            make(&mut text);
            // Only the one that set the mark comes here.
            let _ = self.text.set(text);
        }
        self.text.get().map(Vec::as_slice)
    }
}

impl Scopes {
    fn clear(&mut self) {
        self.transaction.clear();
        self.request.clear();
        self.response.clear();
    }

    /// Variables that were set before.
    pub(super) fn restore(&mut self, transaction: VarScope, request: VarScope, response: VarScope) {
        *self = Self { transaction, request, response };
    }

    /// The request's variables end with it.
    pub(super) fn end_request(&mut self) {
        self.request.clear();
    }
}

/// An exchange together with its client.
pub(super) struct Live<'a> {
    pub(super) client: &'a mut Client,
    pub(super) txn: &'a mut Txn,
}

impl Live<'_> {
    /// Takes the time for expressions.
    pub(super) fn touch(&mut self) -> Duration {
        let now = self.client.age();
        self.txn.times.now = Some(now);
        now
    }

    /// The time that was taken last.
    pub(super) fn instant(&self) -> Instant {
        self.client.at(self.txn.times.now.unwrap_or_default())
    }

    /// Begins to count the request under a key; a slot that is taken stays as it is. A request that was known before is
    /// counted at once.
    fn track(&mut self, slot: &TrackSlot) {
        let key = {
            let env = Env::new(self.facts(), self.vars(), self.arena());
            self.key_of(slot.table.as_deref(), || slot.key.eval(&env))
        };
        let Some((table, key)) = key else { return };
        let now = self.instant();
        if let Some(tracked) = self.txn.tracked.start(slot.counter, &table, key, now) {
            tracked.count(Event::HttpRequest, now);
            // A response that is here already is counted, too.
            let (status, codes) = (self.txn.layer.server_status, log::codes(self.client));
            if codes.errors.has(status) {
                tracked.count(Event::HttpError, now);
            }
            if codes.failures.has(status) {
                tracked.count(Event::HttpFailure, now);
            }
        }
    }

    /// A key for a table, which is the present proxy's own one without a name.
    pub(super) fn key_of<'s>(
        &self,
        table: Option<&str>,
        sample: impl FnOnce() -> Option<Sample<'s>>,
    ) -> Option<(Arc<SharedTable>, Key)> {
        let own = self.txn.backend.as_ref().unwrap_or_else(|| self.client.session.frontend());
        let name = table.unwrap_or_else(|| own.spec.name.as_str());
        let table = self.client.session.generation().plan.table(name)?;
        let key = table.key(&sample()?)?;
        Some((Arc::clone(table), key))
    }

    /// How long the server may be silent.
    pub(super) fn server_limit(&self) -> Option<Duration> {
        let configured = || self.txn.backend.as_ref().and_then(|backend| backend.spec.timeouts.server);
        self.txn.settings.server.or_else(configured)
    }

    /// How long the client may be silent.
    pub(super) fn client_limit(&self) -> Option<Duration> {
        self.txn.settings.client.or_else(|| self.client.session.frontend().spec.timeouts.client)
    }

    /// Counts something in every entry that the request and its connection are counted in.
    pub(super) fn count_tracked(&mut self, event: Event) {
        self.client.session.count(&mut self.txn.tracked, event);
    }

    /// Facts for a log line.
    pub(super) fn record(&self) -> Record<'_> {
        log::record(self.client, self.txn)
    }
}

impl Facts for Live<'_> {
    fn now(&self) -> Now {
        let age = self.txn.times.now.unwrap_or_default();
        Now { date: self.client.session.accepted().date + age, instant: self.client.at(age) }
    }

    fn src(&self) -> Option<SocketAddr> {
        self.client.source().or(self.client.session.peer)
    }

    fn dst(&self) -> Option<SocketAddr> {
        self.client.destination().or_else(|| self.client.session.local(&self.client.stream))
    }

    fn client_src(&self) -> Option<SocketAddr> {
        self.client.session.connection_source()
    }

    fn client_dst(&self) -> Option<SocketAddr> {
        self.client.session.connection_destination(&self.client.stream)
    }

    fn server_src(&self) -> Option<SocketAddr> {
        self.txn.upstream.local()
    }

    fn server_dst(&self) -> Option<SocketAddr> {
        self.txn.upstream.peer()
    }

    fn listener(&self) -> Option<ProxyRef<'_>> {
        let listener = self.client.session.listener();
        Some(ProxyRef { name: listener.spec.name.as_deref().unwrap_or_default(), id: listener.id })
    }

    fn frontend(&self) -> Option<ProxyRef<'_>> {
        let spec = &self.client.session.frontend().spec;
        Some(ProxyRef { name: spec.name.as_str(), id: spec.id })
    }

    fn backend(&self) -> Option<ProxyRef<'_>> {
        // The frontend stands in until there is a backend; what is no request never has one.
        let none = || (self.txn.layer.has_request).then(|| self.client.session.frontend());
        let spec = &self.txn.backend.as_ref().or_else(none)?.spec;
        Some(ProxyRef { name: spec.name.as_str(), id: spec.id })
    }

    fn server(&self) -> Option<ServerRef<'_>> {
        let backend = self.txn.backend.as_ref()?;
        let server = &self.txn.server.as_ref()?.spec;
        Some(ServerRef { name: server.name.as_str(), id: server.id, backend: backend.spec.name.as_str() })
    }

    fn tls(&self, side: Side, fact: TlsFact) -> Option<Sample<'_>> {
        let stream = match side {
            Side::Client => &self.client.stream,
            Side::Server => self.txn.upstream.stream.as_ref()?,
        };
        stream.tls_fact(fact)
    }

    fn direction(&self) -> Direction {
        match self.txn.direction {
            Responding::Request => Direction::Request,
            Responding::Response => Direction::Response,
        }
    }

    fn unique_id(&self) -> Option<&[u8]> {
        let format = front_of(&*self.client.session.frontend().spec.protocol)?.unique_id.as_ref()?;
        self.txn.unique_id.made(|text| rule::format(self, format, text)).filter(|id| !id.is_empty())
    }

    fn record(&self) -> Option<Record<'_>> {
        Some(Live::record(self))
    }

    fn engine(&self) -> &dyn EngineView {
        &**self.client.session.generation()
    }

    fn random(&self) -> u64 {
        lb_core::rt::random()
    }

    fn tracked(&self, slot: usize) -> Option<&Tracked> {
        self.txn.tracked.get(slot).or_else(|| self.client.session.tracked(slot))
    }

    fn stream(&self, fact: StreamFact) -> Option<Sample<'_>> {
        let front = &self.client.session.frontend().spec.timeouts;
        let back = self.txn.backend.as_ref().map(|backend| &backend.spec.timeouts);
        let settings = &self.txn.settings;
        let millis = |time: Option<Duration>| Some(Sample::Int(i64::try_from(time?.as_millis()).ok()?));
        match fact {
            StreamFact::ClientTimeout => millis(settings.client.or(front.client)),
            StreamFact::ServerTimeout => millis(settings.server.or(back?.server)),
            StreamFact::TunnelTimeout => millis(settings.tunnel.or(back?.tunnel).or(front.tunnel)),
            StreamFact::ConnectTimeout => millis(settings.connect.or(back?.connect)),
            StreamFact::QueueTimeout => millis(settings.queue.or_else(|| back?.effective_queue())),
            StreamFact::TarpitTimeout => millis(settings.tarpit.or_else(|| back.unwrap_or(front).tarpit)),
            StreamFact::Reused if !self.txn.layer.has_request => None,
            StreamFact::Reused => Some(Sample::Bool(self.txn.upstream.reused)),
            StreamFact::HttpMajor(Side::Server) if self.txn.upstream.stream.is_none() => None,
            StreamFact::Streams(Side::Server)
            | StreamFact::StreamLimit(Side::Server)
            | StreamFact::Glitches(Side::Server)
                if self.txn.upstream.stream.is_none() =>
            {
                None
            }
            StreamFact::HttpMajor(_) | StreamFact::Streams(_) | StreamFact::StreamLimit(_) => {
                Some(Sample::Int(1))
            }
            StreamFact::Glitches(_) => Some(Sample::Int(0)),
            StreamFact::SourceIsLocal => is_own(self.src()),
            StreamFact::DestinationIsLocal => is_own(self.dst()),
            StreamFact::PriorityClass => Some(Sample::Int(i64::from(settings.class))),
            StreamFact::PriorityOffset => Some(Sample::Int(i64::from(settings.offset))),
            StreamFact::BufferedLength(direction) => {
                let layer = &self.txn.layer;
                let length = match direction {
                    Direction::Request => layer.request.filled,
                    Direction::Response => layer.response.filled,
                };
                i64::try_from(length).ok().map(Sample::Int)
            }
            StreamFact::LastRuleFile | StreamFact::LastRuleLine if self.txn.last_rule.is_some() => {
                self.txn.last_rule.as_ref()?.fact(fact)
            }
            _ => unreachable_fact(fact, self.txn.upstream.fault)
                .or_else(|| self.client.session.fact(fact))
                .or_else(|| {
                    connection_fact(fact, self.client.session.proxied(), |side| match side {
                        Side::Client => Some(&self.client.stream),
                        Side::Server => self.txn.upstream.stream.as_ref(),
                    })
                }),
        }
    }

    fn layer(&self) -> Option<&dyn Any> {
        Some(&self.txn.layer)
    }
}

impl Session for Live<'_> {
    fn facts(&self) -> &dyn Facts {
        self
    }

    fn vars(&self) -> Vars<'_> {
        let scopes = &self.txn.vars;
        Vars {
            process: Some(self.client.session.generation().plan.variables()),
            session: Some(&self.client.session.vars),
            transaction: Some(&scopes.transaction),
            request: Some(&scopes.request),
            response: Some(&scopes.response),
            ..Vars::NONE
        }
    }

    fn arena(&self) -> &Arena {
        &self.txn.arena
    }

    fn reset_arena(&mut self) {
        self.txn.arena.reset();
    }

    fn layer_mut(&mut self) -> &mut HttpLayer {
        &mut self.txn.layer
    }

    fn effect(&mut self, effect: Effect<'_>) {
        let settings = &mut self.txn.settings;
        match effect {
            Effect::LogLevel(level) => settings.log_level = Some(level),
            Effect::LastRule(place) => self.txn.last_rule = Some(Arc::clone(place)),
            Effect::Source(ip) => {
                let old = self.src();
                self.client.extras().source = Some(with_ip(old, ip));
            }
            Effect::SourcePort(port) => {
                let new = self.src().map(|addr| with_port(addr, port));
                self.client.extras().source = new;
            }
            Effect::Destination(ip) => {
                let old = self.dst();
                self.client.extras().destination = Some(with_ip(old, ip));
            }
            Effect::DestinationPort(port) => {
                let new = self.dst().map(|addr| with_port(addr, port));
                self.client.extras().destination = new;
            }
            Effect::Mark(ConnectionSide::Front, marks) => self.client.stream.mark_packets(marks),
            Effect::Mark(ConnectionSide::Back, marks) => {
                let extras = self.client.extras();
                extras.marks = extras.marks.updated(marks);
            }
            Effect::Timeout(kind, time) => {
                let slot = match kind {
                    TimeoutKind::Client => &mut settings.client,
                    TimeoutKind::Server => &mut settings.server,
                    TimeoutKind::Tunnel => &mut settings.tunnel,
                    TimeoutKind::Connect => &mut settings.connect,
                    TimeoutKind::Queue => &mut settings.queue,
                    TimeoutKind::Tarpit => &mut settings.tarpit,
                };
                *slot = Some(time);
            }
            Effect::Retries(count) => settings.retries = Some(count),
            Effect::PriorityClass(class) => settings.class = class,
            Effect::PriorityOffset(offset) => settings.offset = offset,
            Effect::NoRetry => settings.no_retry = true,
            Effect::Log(origin, profile) => log::asked_for(self, origin, profile),
            Effect::Track(slot) => self.track(slot),
            Effect::Limit(limiter) => self.txn.limits.get_or_insert_default().set(*limiter),
            Effect::RewriteFailed => log::mishap(self, log::Mishap::Rewrite),
        }
    }
}

fn with_ip(old: Option<SocketAddr>, ip: IpAddr) -> SocketAddr {
    SocketAddr::new(ip, old.map_or(0, |old| old.port()))
}

fn with_port(addr: SocketAddr, port: u16) -> SocketAddr {
    SocketAddr::new(addr.ip(), port)
}
