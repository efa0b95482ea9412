//! Accepting connections and giving them to workers.

use super::connection::{Connection, ConnectionGuard, ListenerHandle, Session, Stamp};
use super::generation::Generation;
use super::sessions::Sessions;
use super::{Stream, Worker, listener};
use crate::engine::{ProxyPlan, state::Running};
use crate::stats::counter::RateMeter;
use arc_swap::ArcSwap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Notify;

/// How long accepting pauses when the process has no descriptor left.
const PAUSE: Duration = Duration::from_millis(100);

/// Limits shared by all listeners of a server.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) total: AtomicUsize,
    pub(crate) maxconn: AtomicUsize,
    pub(crate) freed: Notify,
    /// Who is being served.
    pub(crate) sessions: Sessions,
    /// New connections of the process.
    pub(crate) rate: RateMeter,
    /// Connections a second; 0 is unlimited.
    pub(crate) connection_rate: AtomicU32,
    /// Sessions a second; 0 is unlimited.
    pub(crate) session_rate: AtomicU32,
}

impl Limits {
    pub(crate) fn new(workers: usize, maxconn: usize, rate: u32) -> Self {
        Self {
            total: AtomicUsize::new(0),
            maxconn: AtomicUsize::new(maxconn),
            freed: Notify::new(),
            sessions: Sessions::new(workers),
            rate: RateMeter::default(),
            connection_rate: AtomicU32::new(rate),
            session_rate: AtomicU32::new(0),
        }
    }

    /// Whether the process takes one more connection.
    fn allow(&self) -> bool {
        let rates = [&self.connection_rate, &self.session_rate].map(|rate| rate.load(Relaxed));
        self.total.load(Relaxed) < self.maxconn.load(Relaxed)
            && (rates == [0, 0] || {
                let rate = self.rate.rate(millis(Stamp::now()));
                rates.into_iter().all(|limit| limit == 0 || rate < u64::from(limit))
            })
    }
}

/// A listener that is running. It lives through reloads as long as the configuration names its address.
#[derive(Debug)]
pub(crate) struct ListenerRun {
    /// Where its connections go now.
    pub(crate) target: ArcSwap<Target>,
    /// Kept for handing over and for closing.
    pub(crate) sockets: Vec<OwnedFd>,
    stopped: AtomicBool,
    changed: Notify,
}

/// The frontend of a listener in one generation.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) generation: Arc<Generation>,
    pub(crate) proxy: usize,
    pub(crate) handle: Arc<ListenerHandle>,
}

impl Target {
    /// The frontend.
    pub(crate) fn proxy(&self) -> &Arc<ProxyPlan> {
        self.generation.plan.proxy(self.proxy)
    }
}

impl ListenerRun {
    pub(crate) fn new(sockets: Vec<OwnedFd>, target: Target) -> Self {
        Self {
            target: ArcSwap::from_pointee(target),
            sockets,
            stopped: AtomicBool::new(false),
            changed: Notify::new(),
        }
    }

    /// Starts accepting: each worker on its own socket, or one worker for all when there is only one.
    pub(crate) fn start(self: &Arc<Self>, workers: &[Worker], limits: &Arc<Limits>) -> io::Result<()> {
        let datagrams = self.target.load().handle.spec.datagrams;
        let spread = self.sockets.len() == 1 && workers.len() > 1;
        for (i, socket) in self.sockets.iter().enumerate() {
            let worker = &workers[i % workers.len()];
            let acceptor = Acceptor {
                run: Arc::downgrade(self),
                limits: Arc::clone(limits),
                worker: worker.clone(),
                others: if spread { workers.to_vec() } else { Vec::new() },
            };
            let socket = listener::duplicate(socket)?;
            let _inside = worker.enter();
            match datagrams {
                Some(datagrams) => drop(worker.spawn(super::udp::run(acceptor, socket, datagrams)?)),
                None => drop(worker.spawn(acceptor.run(Socket::new(socket)?))),
            }
        }
        Ok(())
    }

    /// Stops accepting; the sockets close when nobody holds the run any more.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Relaxed);
        self.changed.notify_waiters();
    }

    /// Whether nothing is to be accepted any more.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Relaxed)
    }

    /// Told when it is stopped, or limits may have changed.
    pub(super) fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    /// Makes waiting acceptors look at their limits again.
    pub(crate) fn wake(&self) {
        self.changed.notify_waiters();
    }
}

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

enum Accepted {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
    Here(Stream),
}

impl Socket {
    fn new(fd: OwnedFd) -> io::Result<Self> {
        if listener::is_unix(&fd) {
            return UnixListener::from_std(fd.into()).map(Self::Unix);
        }
        TcpListener::from_std(fd.into()).map(Self::Tcp)
    }

    async fn accept(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        match self {
            Self::Tcp(socket) => socket.accept().await.map(|(s, peer)| (Stream::Tcp(s), Some(peer))),
            Self::Unix(socket) => socket.accept().await.map(|(s, _)| (Stream::Unix(s), None)),
        }
    }
}

/// Who takes what comes to one socket of a listener.
pub(super) struct Acceptor {
    pub(super) run: Weak<ListenerRun>,
    pub(super) limits: Arc<Limits>,
    pub(super) worker: Worker,
    /// Workers to choose from when this socket is the only one.
    others: Vec<Worker>,
}

impl Acceptor {
    async fn run(self, socket: Socket) {
        while let Some(run) = self.run.upgrade() {
            if run.is_stopped() {
                break;
            }
            if !self.may_accept(&run) {
                self.wait(&run).await;
                continue;
            }
            let changed = run.changed();
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                () = changed => continue,
            };
            match accepted {
                Ok((stream, peer)) => self.deliver(&run, stream, peer),
                Err(e) if is_shortage(&e) => tokio::time::sleep(PAUSE).await,
                // The client went away before it was accepted; the next one is not concerned.
                Err(_) => {}
            }
        }
    }

    /// Whether limits and the operator let one more in.
    pub(super) fn may_accept(&self, run: &ListenerRun) -> bool {
        let target = run.target.load();
        let proxy = target.proxy();
        let front = &proxy.state.front;
        let maxconn = front.maxconn().or(proxy.spec.maxconn).map_or(u64::MAX, u64::from);
        let listener = target.handle.spec.maxconn.map_or(u64::MAX, u64::from);
        front.running() == Running::Open
            && self.limits.allow()
            && front.sessions.level().cur < maxconn
            && target.handle.state.sessions.level().cur < listener
            && (proxy.spec.rate_limit == 0
                || front.session_rate.rate(millis(Stamp::now())) < u64::from(proxy.spec.rate_limit))
    }

    /// Connections wait in the kernel's queue until one ends, an operator changes something, or the rate falls.
    async fn wait(&self, run: &ListenerRun) {
        let changed = run.changed.notified();
        let freed = self.limits.freed.notified();
        tokio::select! {
            () = changed => {}
            () = freed => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
    }

    fn deliver(&self, run: &ListenerRun, stream: Stream, peer: Option<SocketAddr>) {
        let target = Target::clone(&run.target.load());
        let Some(other) = self.others.iter().min_by_key(|w| w.connections()) else {
            return start(Accepted::Here(stream), peer, target, &self.worker, &self.limits);
        };
        if other.id() == self.worker.id() {
            return start(Accepted::Here(stream), peer, target, &self.worker, &self.limits);
        }
        // The stream is bound to this worker's event loop; the other one takes the bare socket.
        let bare = match stream {
            Stream::Tcp(s) => s.into_std().map(Accepted::Tcp),
            Stream::Unix(s) => s.into_std().map(Accepted::Unix),
            #[cfg(feature = "tls")]
            other => Ok(Accepted::Here(other)),
        };
        if let Ok(bare) = bare {
            start(bare, peer, target, other, &self.limits);
        }
    }
}

fn start(
    accepted: Accepted,
    peer: Option<SocketAddr>,
    target: Target,
    worker: &Worker,
    limits: &Arc<Limits>,
) {
    let proxy = target.proxy();
    let session = admit(&target, peer, worker, limits);
    let stream = match accepted {
        Accepted::Here(stream) => Ok(stream),
        Accepted::Tcp(s) => {
            let _inside = worker.enter();
            TcpStream::from_std(s).map(Stream::Tcp)
        }
        Accepted::Unix(s) => {
            let _inside = worker.enter();
            UnixStream::from_std(s).map(Stream::Unix)
        }
    };
    let Ok(stream) = stream else { return };
    stream.configure(proxy.spec.client_keepalive, proxy.spec.nolinger);
    super::handshake::start(Connection { stream, session });
}

/// Counts a client that was let in.
pub(super) fn admit(
    target: &Target,
    peer: Option<SocketAddr>,
    worker: &Worker,
    limits: &Arc<Limits>,
) -> Session {
    let now = Stamp::now();
    let front = &target.proxy().state.front;
    front.counters.of(worker.id()).connections.inc();
    front.connection_rate.tick(millis(now));
    front.session_rate.tick(millis(now));
    limits.rate.tick(millis(now));
    Session::new(peer, ConnectionGuard::new(worker, limits, target.clone(), peer, now))
}

pub(crate) fn millis(stamp: Stamp) -> u64 {
    u64::try_from(stamp.date.as_millis()).unwrap_or(u64::MAX)
}

/// True if accepting failed for want of descriptors or memory.
pub(super) fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}
