//! An accepted connection and the seam through which protocols serve it.

use super::generation::Generation;
use super::sessions::Place;
use super::{Stream, Timers, Worker};
use crate::engine::{ProxyPlan, state::ListenerState};
use crate::spec::{ListenerSpec, ProtocolSpec};
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
    /// The client's address as rules and logs see it; `None` for unix sockets.
    pub peer: Option<SocketAddr>,
    /// The address the client connected to, if a PROXY header told; else ask the stream.
    pub announced: Option<SocketAddr>,
    /// Fields of the PROXY header it began with.
    pub proxied: Option<Box<ProxyInfo>>,
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
    /// Keeps the counts of connections right.
    pub(crate) guard: ConnectionGuard,
}

impl Connection {
    /// The frontend.
    pub fn frontend(&self) -> &Arc<ProxyPlan> {
        self.generation.plan.proxy(self.proxy)
    }

    /// The timers of the worker.
    pub fn timers(&self) -> &Timers {
        self.worker.timers()
    }

    /// Connections of the process.
    pub fn process_connections(&self) -> usize {
        self.guard.total.load(Relaxed)
    }

    /// The address the client connected to.
    pub fn local(&self) -> Option<SocketAddr> {
        self.announced.or_else(|| match self.listener.addr {
            Some(addr) if !addr.ip().is_unspecified() => Some(addr),
            _ => self.stream.local_addr(),
        })
    }

    /// Takes note of where the session goes, by places in its plan, for those who list sessions.
    pub fn bound_for(&self, backend: usize, server: Option<usize>) {
        self.guard.place.entry.bound_for(backend, server);
    }

    /// Parts with the stream, for a session that outlives or replaces it; the counts go with the guard.
    pub fn split(self) -> (Stream, Session) {
        let session = Session {
            peer: self.peer,
            announced: self.announced,
            proxied: self.proxied,
            worker: self.worker,
            listener: self.listener,
            generation: self.generation,
            proxy: self.proxy,
            accepted: self.accepted,
            handshake_ms: self.handshake_ms,
            guard: self.guard,
        };
        (self.stream, session)
    }
}

/// A [`Connection`] without its stream.
#[derive(Debug)]
#[non_exhaustive]
pub struct Session {
    /// The client's address.
    pub peer: Option<SocketAddr>,
    /// The address the client connected to, if a PROXY header told.
    pub announced: Option<SocketAddr>,
    /// Fields of the PROXY header it began with.
    pub proxied: Option<Box<ProxyInfo>>,
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
    guard: ConnectionGuard,
}

impl Session {
    /// The frontend.
    pub fn frontend(&self) -> &Arc<ProxyPlan> {
        self.generation.plan.proxy(self.proxy)
    }

    /// Connections of the process.
    pub fn process_connections(&self) -> usize {
        self.guard.total.load(Relaxed)
    }

    /// Takes note of where the session goes, by places in its plan, for those who list sessions.
    pub fn bound_for(&self, backend: usize, server: Option<usize>) {
        self.guard.place.entry.bound_for(backend, server);
    }

    /// The address the client connected to by `stream`.
    pub fn local(&self, stream: &Stream) -> Option<SocketAddr> {
        self.announced.or_else(|| match self.listener.addr {
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
