//! Accepting connections and giving them to workers.

use super::connection::{Connection, ConnectionGuard, ListenerHandle, Session, Stamp};
use super::generation::Generation;
use super::sessions::Sessions;
use super::{Stream, Tcp, Worker, listener, sys};
use crate::engine::{ProxyPlan, state::Running};
use crate::stats::counter::{Padded, RateMeter};
use arc_swap::ArcSwap;
use rustix::net::{SocketFlags, acceptfrom_with};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, fence};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::io::{Interest, unix::AsyncFd};
use tokio::net::UnixStream;
use tokio::sync::Notify;

/// How long accepting pauses when the process has no descriptor left.
const PAUSE: Duration = Duration::from_millis(100);
/// Connections that are taken before the sessions of others go on.
const BATCH: usize = 64;

/// Limits shared by all listeners of a server.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) total: AtomicUsize,
    /// Streams that were begun, and lines about connections that had none.
    pub(crate) streams: Padded<AtomicU32>,
    pub(crate) maxconn: AtomicUsize,
    freed: Notify,
    /// How many wait for `freed`.
    waiting: AtomicUsize,
    /// Held by whoever takes a connection that may be the last one some limit allows.
    turn: Mutex<()>,
    workers: u64,
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
            streams: Padded::default(),
            maxconn: AtomicUsize::new(maxconn),
            freed: Notify::new(),
            waiting: AtomicUsize::new(0),
            turn: Mutex::new(()),
            workers: workers as u64,
            sessions: Sessions::new(workers),
            rate: RateMeter::default(),
            connection_rate: AtomicU32::new(rate),
            session_rate: AtomicU32::new(0),
        }
    }

    /// Whether the rates of the process allow one more connection.
    fn allow(&self) -> bool {
        let rates = [&self.connection_rate, &self.session_rate].map(|rate| rate.load(Relaxed));
        rates == [0, 0] || {
            let rate = self.rate.rate(millis(Stamp::now()));
            rates.into_iter().all(|limit| limit == 0 || rate < u64::from(limit))
        }
    }

    /// Counts a connection that ended.
    pub(crate) fn free(&self) {
        // Whoever waits announced it before looking at the number once more.
        self.total.fetch_sub(1, SeqCst);
        if self.waiting.load(SeqCst) > 0 {
            self.freed.notify_waiters();
        }
    }

    /// Waits for a connection to end, unless `look` finds that this is not necessary. Cancel safe.
    pub(crate) async fn freed(&self, look: impl FnOnce() -> bool) {
        let _waiting = Waiting::new(&self.waiting);
        let freed = self.freed.notified();
        fence(SeqCst);
        if !look() {
            freed.await;
        }
    }

    /// How many more connections the process takes at the same time.
    fn room(&self) -> u64 {
        self.maxconn.load(Relaxed).saturating_sub(self.total.load(Relaxed)) as u64
    }
}

/// One of those who wait, counted as long as it is there.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(number: &'a AtomicUsize) -> Self {
        number.fetch_add(1, SeqCst);
        Self(number)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
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
        let target = self.target.load();
        let (datagrams, messages) = (target.handle.spec.datagrams, target.proxy().spec.is_hidden());
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
                Some(_) if messages => drop(worker.spawn(super::log_forward::datagrams(acceptor, socket)?)),
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

/// A listening socket.
struct Socket {
    socket: AsyncFd<OwnedFd>,
    /// A unix socket, of which the system does not say how many connections wait.
    unix: bool,
    /// Whether the last attempt took a connection, so that the event loop has not said that there is another one.
    took: bool,
    /// Further ones that were seen.
    seen: u32,
}

enum Accepted {
    Tcp(OwnedFd),
    Unix(OwnedFd),
}

impl Socket {
    fn new(fd: OwnedFd) -> io::Result<Self> {
        let unix = listener::is_unix(&fd);
        Ok(Self { socket: sys::watch(fd, Interest::READABLE)?, unix, took: false, seen: 0 })
    }

    /// Lets `take` have the connections that wait and those that come later, until it refuses one or it is somebody else's turn.
    /// What it refuses stays in the queue.
    async fn accept(&mut self, mut take: impl FnMut(&OwnedFd) -> io::Result<bool>) -> io::Result<Taken> {
        let Self { socket, unix, took, seen } = self;
        let accept = |fd: &OwnedFd| {
            for _ in 0..BATCH {
                // The kernel makes a socket before it looks whether there is a connection for it, and then destroys it again:
                // an attempt in vain costs six times what asking costs.
                if std::mem::take(took) && *seen == 0 {
                    *seen = waiting(fd);
                    if *seen == 0 {
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                }
                let left = std::mem::take(seen).saturating_sub(1);
                if !take(fd)? {
                    return Ok(Taken::Some);
                }
                (*took, *seen) = (!*unix, left);
            }
            Ok(Taken::Batch)
        };
        socket.async_io(Interest::READABLE, accept).await
    }
}

/// How taking connections ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// The next one may not be let in, or is to be looked at anew.
    Some,
    /// There may be more, but it is the turn of others.
    Batch,
}

/// The connection that waits.
fn accepted(socket: &OwnedFd) -> io::Result<(OwnedFd, Option<SocketAddr>)> {
    let (fd, peer) = acceptfrom_with(socket, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
    Ok((fd, peer.and_then(|peer| SocketAddr::try_from(peer).ok())))
}

/// How many connections wait to be taken.
fn waiting(socket: &OwnedFd) -> u32 {
    // For a listening socket this number is the length of its queue. If the system cannot say, an attempt will tell.
    sys::tcp_info(socket.as_fd()).map_or(1, |info| info.unacked)
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
    async fn run(self, mut socket: Socket) {
        while let Some(run) = self.run.upgrade() {
            // Asked for before anything is looked at: what changes from now on is told.
            let changed = run.changed();
            if run.is_stopped() {
                break;
            }
            if !self.may_accept(&run) {
                self.wait(&run).await;
                continue;
            }
            let taken = tokio::select! {
                biased;
                taken = self.take(&mut socket, &run) => taken,
                () = changed => continue,
            };
            match taken {
                Ok(Taken::Batch) => tokio::task::yield_now().await,
                Ok(Taken::Some) => {}
                Err(e) if is_shortage(&e) => tokio::time::sleep(PAUSE).await,
                // The client went away before it was accepted; the next one is not concerned.
                Err(_) => {}
            }
        }
    }

    /// Takes connections as long as they may be let in when they come: other workers have gone on since this one began to wait.
    async fn take(&self, socket: &mut Socket, run: &ListenerRun) -> io::Result<Taken> {
        let unix = socket.unix;
        socket.accept(|fd| self.take_from(fd, unix, run)).await
    }

    /// Takes one connection; false if it may not be let in.
    fn take_from(&self, socket: &OwnedFd, unix: bool, run: &ListenerRun) -> io::Result<bool> {
        let target = run.target.load();
        // While there is room for one connection of each worker, nobody has to wait for the others.
        let near = self.room(&target) <= self.limits.workers;
        let _turn = near.then(|| self.limits.turn.lock().unwrap_or_else(PoisonError::into_inner));
        if run.is_stopped() || !self.is_open(&target) || (near && self.room(&target) == 0) {
            return Ok(false);
        }
        let (stream, peer) = accepted(socket)?;
        let accepted = if unix { Accepted::Unix(stream) } else { Accepted::Tcp(stream) };
        self.deliver(&target, accepted, peer);
        Ok(true)
    }

    /// How many more connections may be served at the same time.
    fn room(&self, target: &Target) -> u64 {
        let proxy = target.proxy();
        let front = &proxy.state.front;
        let maxconn = front.maxconn().or(proxy.spec.maxconn).map_or(u64::MAX, u64::from);
        let listener = target.handle.spec.maxconn.map_or(u64::MAX, u64::from);
        let own = maxconn.saturating_sub(front.sessions.level().cur);
        own.min(listener.saturating_sub(target.handle.state.sessions.level().cur)).min(self.limits.room())
    }

    /// Whether rates and the operator let one more in.
    fn is_open(&self, target: &Target) -> bool {
        let proxy = target.proxy();
        let front = &proxy.state.front;
        front.running() == Running::Open
            && self.limits.allow()
            && (proxy.spec.rate_limit == 0
                || front.session_rate.rate(millis(Stamp::now())) < u64::from(proxy.spec.rate_limit))
    }

    /// Whether limits and the operator let one more in.
    pub(super) fn may_accept(&self, run: &ListenerRun) -> bool {
        let target = run.target.load();
        self.is_open(&target) && self.room(&target) > 0
    }

    /// Connections wait in the kernel's queue until one ends, an operator changes something, or the rate falls.
    async fn wait(&self, run: &ListenerRun) {
        let changed = run.changed.notified();
        tokio::select! {
            () = changed => {}
            () = self.limits.freed(|| self.may_accept(run)) => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
    }

    fn deliver(&self, target: &Target, accepted: Accepted, peer: Option<SocketAddr>) {
        let worker = self.others.iter().min_by_key(|w| w.connections()).unwrap_or(&self.worker);
        start(accepted, peer, target, worker, &self.limits);
    }
}

fn start(
    accepted: Accepted,
    peer: Option<SocketAddr>,
    target: &Target,
    worker: &Worker,
    limits: &Arc<Limits>,
) {
    let proxy = target.proxy();
    let session = admit(target, peer, worker, limits);
    let stream = match accepted {
        Accepted::Tcp(s) => Ok(Stream::Tcp(Tcp::bare(s))),
        Accepted::Unix(s) => {
            // It belongs to the event loop of the worker that serves it.
            let _inside = worker.enter();
            UnixStream::from_std(s.into()).map(Stream::Unix)
        }
    };
    let Ok(stream) = stream else { return };
    stream.configure(proxy.spec.client_keepalive, proxy.spec.nolinger);
    super::handshake::start(Connection::new(stream, session));
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
    // This may be the thread of another worker.
    front.counters.of(worker.id()).connections.inc_shared();
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn the_system_says_how_many_connections_wait() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let clients: Vec<_> = (0..3).map(|_| TcpStream::connect(addr).unwrap()).collect();
        let socket = OwnedFd::from(listener.try_clone().unwrap());
        for left in (0..clients.len() as u32).rev() {
            drop(listener.accept().unwrap());
            assert_eq!(waiting(&socket), left);
        }
    }

    /// A listener that the event loop knows, and its address.
    fn listening() -> (SocketAddr, Socket) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let addr = listener.local_addr().unwrap();
        (addr, Socket::new(listener.into()).unwrap())
    }

    #[tokio::test]
    async fn all_that_wait_are_taken_and_those_that_come_later() {
        let (addr, mut socket) = listening();
        for round in [1, 3, 0, 2] {
            let clients: Vec<_> = (0..round).map(|_| TcpStream::connect(addr).unwrap()).collect();
            let expected: Vec<_> = clients.iter().map(|client| client.local_addr().unwrap()).collect();
            let mut came = Vec::new();
            let all = {
                let mut more = std::pin::pin!(socket.accept(|fd| {
                    came.extend(accepted(fd)?.1);
                    Ok(true)
                }));
                // The event loop has to run for the listener to be reported.
                tokio::task::yield_now().await;
                std::future::poll_fn(|cx| std::task::Poll::Ready(more.as_mut().poll(cx))).await
            };
            assert!(all.is_pending(), "more are waited for");
            assert_eq!(came, expected);
        }
    }

    #[tokio::test]
    async fn it_is_the_turn_of_others_after_a_batch() {
        let (addr, mut socket) = listening();
        let _clients: Vec<_> = (0..BATCH + 1).map(|_| TcpStream::connect(addr).unwrap()).collect();
        let mut came = 0;
        let mut take = |fd: &OwnedFd| {
            came += usize::from(accepted(fd)?.1.is_some());
            Ok(true)
        };
        assert_eq!(socket.accept(&mut take).await.unwrap(), Taken::Batch);
        assert_eq!(came, BATCH);
    }

    #[tokio::test]
    async fn a_connection_that_may_not_be_let_in_stays_in_the_queue() {
        let (addr, mut socket) = listening();
        let clients: Vec<_> = (0..3).map(|_| TcpStream::connect(addr).unwrap()).collect();
        let mut came = Vec::new();
        for most in 1..clients.len() {
            socket.accept(|_| Ok(false)).await.unwrap();
            let next = |fd: &OwnedFd| {
                let allowed = came.len() < most;
                if allowed {
                    came.extend(accepted(fd)?.1);
                }
                Ok(allowed)
            };
            socket.accept(next).await.unwrap();
        }
        let mut last = None;
        socket
            .accept(|fd| {
                last = accepted(fd)?.1;
                Ok(false)
            })
            .await
            .unwrap();
        came.extend(last);
        assert_eq!(came, clients.iter().map(|client| client.local_addr().unwrap()).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_unix_connection_that_may_not_be_let_in_stays_in_the_queue() {
        let path = std::env::temp_dir().join(format!("accept-{}.sock", std::process::id()));
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        let mut socket = Socket::new(listener.into()).unwrap();
        let _clients = [(); 3].map(|()| std::os::unix::net::UnixStream::connect(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
        let mut came = 0;
        for most in [0, 2] {
            let next = |fd: &OwnedFd| {
                let allowed = came < most;
                if allowed {
                    accepted(fd)?;
                    came += 1;
                }
                Ok(allowed)
            };
            assert_eq!(socket.accept(next).await.unwrap(), Taken::Some);
        }
        assert_eq!(came, 2, "the third one waits");
        assert!(socket.accept(|fd| accepted(fd).map(|_| false)).await.is_ok());
    }
}
