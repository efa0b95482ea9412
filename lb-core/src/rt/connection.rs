//! An accepted connection and the seam through which protocols serve it.

use super::accept::{Limits, Target};
use super::generation::{Generation, ServerHooks};
use super::passage::Handover;
use super::sessions::Entry;
use super::{Stream, Timers, Worker};
use crate::engine::{ProxyPlan, ServerPlan, state::ListenerState};
use crate::expr::{Now, VarScope};
use crate::log::Cause;
use crate::pool::ServerCell;
use crate::rule::Place;
use crate::spec::{ListenerSpec, ProtocolSpec};
use crate::stick::{Event, Slots, Tracked};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A boxed future that can move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The driver of one protocol, as configured for one proxy.
pub trait Protocol: Send + Sync {
    /// Serves one client connection to its end.
    fn serve(self: Arc<Self>, connection: Connection) -> BoxFuture<'static, ()>;
}

/// Makes the driver for a [`ProtocolSpec`] of a kind it knows; `None` for others.
pub type ProtocolFactory = fn(&dyn ProtocolSpec) -> Option<Arc<dyn Protocol>>;

/// A moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the two clocks")]
pub struct Stamp {
    /// Monotonic.
    pub instant: Instant,
    /// Calendar, since the Unix epoch.
    pub date: Duration,
}

impl Stamp {
    /// Now.
    pub fn now() -> Self {
        Self {
            instant: Instant::now(),
            date: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        }
    }
}

impl From<Stamp> for Now {
    fn from(stamp: Stamp) -> Self {
        Self { date: stamp.date, instant: stamp.instant }
    }
}

/// One listener of the running server, as its connections see it.
#[derive(Debug)]
#[non_exhaustive]
pub struct ListenerHandle {
    /// What it was configured to be.
    pub spec: ListenerSpec,
    /// Its number within the proxy, from 1.
    pub id: u32,
    /// The address it is bound to; `None` for unix sockets.
    pub addr: Option<SocketAddr>,
    /// What it counts.
    pub state: Arc<ListenerState>,
    /// TLS, if it is spoken.
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<super::tls::Acceptor>,
}

/// What a PROXY header told beside addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyInfo {
    /// Types and values of its fields, in order.
    pub fields: Vec<(u8, Vec<u8>)>,
}

impl ProxyInfo {
    /// The value of the first field of a type.
    pub fn field(&self, kind: u8) -> Option<&[u8]> {
        self.fields.iter().find(|(own, _)| *own == kind).map(|(_, value)| &value[..])
    }
}

/// A connection that was accepted and counted, and everything its session starts from.
#[derive(Debug)]
#[non_exhaustive]
pub struct Connection {
    /// The bytes, after TLS and PROXY header.
    pub stream: Stream,
    /// Everything else.
    pub session: Session,
    /// What another protocol did before.
    pub handover: Option<Box<Handover>>,
}

impl Connection {
    /// A connection of which no protocol has seen anything.
    pub(super) fn new(stream: Stream, session: Session) -> Self {
        Self { stream, session, handover: None }
    }

    /// Parts with the stream, for a session that outlives or replaces it.
    pub fn split(self) -> (Stream, Session) {
        (self.stream, self.session)
    }

    /// The address the client connected to.
    pub fn local(&self) -> Option<SocketAddr> {
        self.session.local(&self.stream)
    }
}

/// A [`Connection`] without its stream; the counts of connections go with it. An idle client connection keeps one, so
/// what the list of sessions holds anyway is looked up there.
#[derive(Debug)]
#[non_exhaustive]
pub struct Session {
    /// The client's address as rules and logs see it; `None` for unix sockets.
    pub peer: Option<SocketAddr>,
    /// Milliseconds the handshakes took.
    pub handshake_ms: u32,
    /// Variables of the session.
    pub vars: VarScope,
    /// What few sessions need.
    notes: Option<Box<Notes>>,
    guard: ConnectionGuard,
}

/// What the PROXY header and the rules on the connection leave behind.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Notes {
    /// The address the client connected to, if a PROXY header or a rule told.
    pub announced: Option<SocketAddr>,
    /// The source of the connection itself, where that of the session is another one.
    connection_source: Option<SocketAddr>,
    /// The destination of the connection itself, where that of the session is another one.
    connection_destination: Option<SocketAddr>,
    /// The last rule that ended a ruleset.
    pub(super) last_rule: Option<Arc<Place>>,
    /// A rule asked for a PROXY header.
    pub(super) expects_proxy: bool,
    /// The PROXY header, if there was one.
    pub(super) proxied: Option<ProxyInfo>,
    /// Entries of stick tables the connection is counted in.
    pub tracked: Slots,
}

impl Session {
    /// A session that begins.
    pub(super) fn new(peer: Option<SocketAddr>, guard: ConnectionGuard) -> Self {
        Self { peer, handshake_ms: 0, vars: VarScope::new(), notes: None, guard }
    }

    /// The worker that serves it.
    pub fn worker(&self) -> &Worker {
        &self.guard.worker
    }

    /// The frontend.
    pub fn frontend(&self) -> &Arc<ProxyPlan> {
        self.guard.entry.target.proxy()
    }

    /// The listener it came in by.
    pub fn listener(&self) -> &Arc<ListenerHandle> {
        &self.guard.entry.target.handle
    }

    /// The plan it started with.
    pub fn generation(&self) -> &Arc<Generation> {
        &self.guard.entry.target.generation
    }

    /// Index of its frontend in the plan.
    pub fn proxy(&self) -> usize {
        self.guard.entry.target.proxy
    }

    /// When it was accepted.
    pub fn accepted(&self) -> Stamp {
        self.guard.entry.accepted
    }

    /// The timers of the worker.
    pub fn timers(&self) -> &Timers {
        self.worker().timers()
    }

    /// What few sessions need, if it was needed.
    pub fn notes(&self) -> Option<&Notes> {
        self.notes.as_deref()
    }

    /// What few sessions need.
    pub fn notes_mut(&mut self) -> &mut Notes {
        self.notes.get_or_insert_default()
    }

    /// The entry of a stick table that the connection is counted in by a slot.
    pub fn tracked(&self, slot: usize) -> Option<&Tracked> {
        self.notes()?.tracked.get(slot)
    }

    /// Counts something in the entries of stick tables that `stream` and the connection are counted in; the stream's hide
    /// the connection's.
    #[inline]
    pub fn count(&mut self, stream: &mut Slots, event: Event) {
        if self.may_count(stream) {
            self.count_there(stream, event);
        }
    }

    /// False when `stream` and the connection are counted in no entry, as most are.
    #[inline]
    pub fn may_count(&self, stream: &Slots) -> bool {
        !stream.is_empty() || self.notes.is_some()
    }

    fn count_there(&mut self, stream: &mut Slots, event: Event) {
        let behind =
            self.notes.as_deref_mut().map(|notes| &mut notes.tracked).filter(|slots| !slots.is_empty());
        if stream.is_empty() && behind.is_none() {
            return;
        }
        let now = Instant::now();
        stream.count(event, now);
        if let Some(behind) = behind {
            behind.count_behind(stream, event, now);
        }
    }

    /// Counts a request that a rule refused: where it came in and, if it was on its way to one, at the backend.
    pub fn deny_request(&self, backend: Option<&ProxyPlan>) {
        let worker = self.worker().id();
        self.frontend().state.front.counters.of(worker).denied_requests.inc();
        self.listener().state.counters.of(worker).denied_requests.inc();
        if let Some(backend) = backend {
            backend.pool.counters().of(worker).denied_requests.inc();
        }
    }

    /// Counts a response that a rule refused: where it was to go and where it came from.
    pub fn deny_response(&self, backend: Option<&ProxyPlan>, server: Option<&ServerCell>) {
        let worker = self.worker().id();
        self.frontend().state.front.counters.of(worker).denied_responses.inc();
        self.listener().state.counters.of(worker).denied_responses.inc();
        if let Some(backend) = backend {
            backend.pool.counters().of(worker).denied_responses.inc();
        }
        if let Some(server) = server {
            server.counters().of(worker).denied_responses.inc();
        }
    }

    /// What a PROXY header told beside addresses, if there was one.
    pub fn proxied(&self) -> Option<&ProxyInfo> {
        self.notes()?.proxied.as_ref()
    }

    /// The address the client connected to, if a PROXY header or a rule told.
    pub fn announced(&self) -> Option<SocketAddr> {
        self.notes()?.announced
    }

    /// The client's address as the connection has it, whatever a PROXY header or a rule on the session told.
    pub fn connection_source(&self) -> Option<SocketAddr> {
        self.notes().and_then(|notes| notes.connection_source).or(self.peer)
    }

    /// The address the client connected to as the connection has it, whatever a PROXY header or a rule on the session told.
    pub fn connection_destination(&self, stream: &Stream) -> Option<SocketAddr> {
        self.notes().and_then(|notes| notes.connection_destination).or_else(|| self.local(stream))
    }

    /// Replaces the client's address, of the session only if it is `established`.
    pub(super) fn set_source(&mut self, source: SocketAddr, established: bool) {
        let before = self.peer.replace(source);
        if established {
            let kept = &mut self.notes_mut().connection_source;
            *kept = kept.or(before);
        }
    }

    /// Replaces the address the client connected to, of the session only if it is `established`.
    pub(super) fn set_destination(&mut self, destination: SocketAddr, stream: &Stream, established: bool) {
        let before = self.local(stream);
        let notes = self.notes_mut();
        notes.announced = Some(destination);
        if established {
            notes.connection_destination = notes.connection_destination.or(before);
        }
    }

    /// Connections of the process.
    pub fn process_connections(&self) -> usize {
        self.guard.limits.total.load(Relaxed)
    }

    /// The number of a stream that begins, or of a line without one, counted by the process from 0; 0 if nothing reads it.
    pub fn next_number(&self) -> u32 {
        if self.generation().plan.process().unnumbered {
            return 0;
        }
        self.guard.limits.streams.0.fetch_add(1, Relaxed)
    }

    /// Takes note of where the session goes, by places in its plan, for those who list sessions.
    pub fn bound_for(&self, backend: usize, server: Option<usize>) {
        self.guard.entry.bound_for(backend, server);
    }

    /// Begins to look whether sessions on `server` are to end; the session's task is woken when that changes.
    pub fn ending(&self, backend: &ProxyPlan, server: &ServerPlan) -> Ending {
        let hooks = self.generation().hooks(backend, server);
        let (since, epoch) = hooks.as_ref().map_or((0, 0), |hooks| (hooks.ends(), hooks.idle_epoch()));
        Ending { hooks, since, epoch }
    }

    /// Waits until sessions on a server are to end. Cancel safe.
    pub async fn ended(&self, ending: &Ending) {
        std::future::poll_fn(|_| if ending.is_due() { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Its place in the list of sessions.
    pub(super) fn entry(&self) -> Arc<Entry> {
        Arc::clone(&self.guard.entry)
    }

    /// The address the client connected to by `stream`.
    pub fn local(&self, stream: &Stream) -> Option<SocketAddr> {
        self.announced().or_else(|| match self.listener().addr {
            Some(addr) if !addr.ip().is_unspecified() => Some(addr),
            _ => stream.local_addr(),
        })
    }
}

/// Whether the sessions on a server are to end. The task of the session that gave it is woken when that changes.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    hooks: Option<Arc<ServerHooks>>,
    since: u64,
    epoch: u64,
}

impl Ending {
    /// True once they are to end.
    pub fn is_due(&self) -> bool {
        self.hooks.as_ref().is_some_and(|hooks| hooks.ends() != self.since)
    }

    /// Why they are to end.
    pub fn cause(&self) -> Cause {
        self.hooks.as_ref().map_or(Cause::Down, |hooks| hooks.end_cause())
    }

    /// Whether both are of the same server.
    pub fn is_like(&self, other: &Self) -> bool {
        match (&self.hooks, &other.hooks) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (own, other) => own.is_none() && other.is_none(),
        }
    }

    /// See [`ServerHooks::idle_epoch`]; 0 without a server.
    pub fn idle_epoch(&self) -> u64 {
        self.hooks.as_ref().map_or(0, |hooks| hooks.idle_epoch())
    }

    /// [`idle_epoch`](Self::idle_epoch) when the session came to the server: a connection that was opened before the server's
    /// address changed is none to the new address.
    pub const fn epoch_then(&self) -> u64 {
        self.epoch
    }
}

/// Counts and lists a connection for as long as it lives. Every idle connection has one of these, so it holds nothing
/// that can be found through its entry.
#[derive(Debug)]
pub(crate) struct ConnectionGuard {
    pub(crate) entry: Arc<Entry>,
    limits: Arc<Limits>,
    worker: Worker,
    /// Place in the list of sessions.
    place: usize,
}

impl ConnectionGuard {
    /// Counts and lists a connection.
    pub(crate) fn new(
        worker: &Worker,
        limits: &Arc<Limits>,
        target: Target,
        peer: Option<SocketAddr>,
        accepted: Stamp,
    ) -> Self {
        let (entry, place) = limits.sessions.enter(worker.id(), target, peer, accepted);
        worker.count(1);
        entry.target.proxy().state.front.sessions.enter();
        entry.target.handle.state.sessions.enter();
        limits.total.fetch_add(1, Relaxed);
        Self { entry, limits: Arc::clone(limits), worker: worker.clone(), place }
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.limits.sessions.leave(self.worker.id(), self.place);
        self.worker.count(-1);
        self.entry.target.proxy().state.front.sessions.leave();
        self.entry.target.handle.state.sessions.leave();
        self.limits.free();
    }
}
