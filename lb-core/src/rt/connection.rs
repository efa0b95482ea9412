//! An accepted connection and the seam through which protocols serve it.

use super::generation::Generation;
use super::sessions::Place;
use super::{Stream, Timers, Worker};
use crate::engine::{ProxyPlan, state::ListenerState};
use crate::expr::{Now, VarScope};
use crate::spec::{ListenerSpec, ProtocolSpec};
use crate::stick::{Event, Slots, Tracked};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
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
}

impl Connection {
    /// Parts with the stream, for a session that outlives or replaces it.
    pub fn split(self) -> (Stream, Session) {
        (self.stream, self.session)
    }

    /// The address the client connected to.
    pub fn local(&self) -> Option<SocketAddr> {
        self.session.local(&self.stream)
    }
}

/// A [`Connection`] without its stream; the counts of connections go with it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Session {
    /// The client's address as rules and logs see it; `None` for unix sockets.
    pub peer: Option<SocketAddr>,
    /// The worker that serves it.
    pub worker: Worker,
    /// The listener it came in by.
    pub listener: Arc<ListenerHandle>,
    /// The plan it started with.
    pub generation: Arc<Generation>,
    /// Index of its frontend in the plan.
    pub proxy: usize,
    /// When it was accepted.
    pub accepted: Stamp,
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
    /// A rule asked for a PROXY header.
    pub(super) expects_proxy: bool,
    /// The PROXY header, if there was one.
    pub(super) proxied: Option<ProxyInfo>,
    /// Entries of stick tables the connection is counted in.
    pub tracked: Slots,
}

impl Session {
    /// A session that begins.
    pub(super) fn new(
        target: super::accept::Target,
        peer: Option<SocketAddr>,
        accepted: Stamp,
        guard: ConnectionGuard,
    ) -> Self {
        Self {
            peer,
            worker: guard.worker.clone(),
            listener: target.handle,
            generation: target.generation,
            proxy: target.proxy,
            accepted,
            handshake_ms: 0,
            vars: VarScope::new(),
            notes: None,
            guard,
        }
    }

    /// The frontend.
    pub fn frontend(&self) -> &Arc<ProxyPlan> {
        self.generation.plan.proxy(self.proxy)
    }

    /// The timers of the worker.
    pub fn timers(&self) -> &Timers {
        self.worker.timers()
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
    pub fn count(&mut self, stream: &mut Slots, event: Event) {
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

    /// What a PROXY header told beside addresses, if there was one.
    pub fn proxied(&self) -> Option<&ProxyInfo> {
        self.notes()?.proxied.as_ref()
    }

    /// The address the client connected to, if a PROXY header or a rule told.
    pub fn announced(&self) -> Option<SocketAddr> {
        self.notes()?.announced
    }

    /// Connections of the process.
    pub fn process_connections(&self) -> usize {
        self.guard.total.load(Relaxed)
    }

    /// Takes note of where the session goes, by places in its plan, for those who list sessions.
    pub fn bound_for(&self, backend: usize, server: Option<usize>) {
        self.guard.place.entry.bound_for(backend, server);
    }

    /// Its place in the list of sessions.
    pub(super) fn entry(&self) -> Arc<super::sessions::Entry> {
        Arc::clone(&self.guard.place.entry)
    }

    /// The address the client connected to by `stream`.
    pub fn local(&self, stream: &Stream) -> Option<SocketAddr> {
        self.announced().or_else(|| match self.listener.addr {
            Some(addr) if !addr.ip().is_unspecified() => Some(addr),
            _ => stream.local_addr(),
        })
    }
}

/// Counts a connection for as long as it lives.
#[derive(Debug)]
pub(crate) struct ConnectionGuard {
    pub(crate) worker: Worker,
    pub(crate) frontend: Arc<crate::engine::state::ProxyState>,
    pub(crate) listener: Arc<ListenerState>,
    pub(crate) total: Arc<AtomicUsize>,
    pub(crate) freed: Arc<tokio::sync::Notify>,
    pub(crate) place: Place,
}

impl ConnectionGuard {
    /// Counts a connection.
    pub(crate) fn new(
        worker: &Worker,
        frontend: &Arc<crate::engine::state::ProxyState>,
        listener: &Arc<ListenerState>,
        limits: (&Arc<AtomicUsize>, &Arc<tokio::sync::Notify>),
        place: Place,
    ) -> Self {
        worker.count(1);
        frontend.front.sessions.enter();
        listener.sessions.enter();
        limits.0.fetch_add(1, Relaxed);
        Self {
            worker: worker.clone(),
            frontend: Arc::clone(frontend),
            listener: Arc::clone(listener),
            total: Arc::clone(limits.0),
            freed: Arc::clone(limits.1),
            place,
        }
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.worker.count(-1);
        self.frontend.front.sessions.leave();
        self.listener.sessions.leave();
        self.total.fetch_sub(1, Relaxed);
        self.freed.notify_waiters();
    }
}
