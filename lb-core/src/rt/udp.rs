//! Datagrams: what a client sends to a listener goes to one server, and what the server answers goes back, as long as
//! either speaks.
//!
//! Each worker has a socket of its own on the listener's address; the kernel gives all datagrams of one client to the same
//! socket, so the flows of a worker concern nobody else. A flow has its own socket towards its server and a task that waits
//! there. Which server serves a flow is decided as for a connection: persistence, algorithm, limits, health.

use super::accept::{Acceptor, ListenerRun, Target, admit, is_shortage};
use super::connection::Session;
use super::facts::SessionFacts;
use super::sessions::Served;
use super::tcp::End;
use super::tcp_server::Choice;
use super::{Trace, connect, server_endpoint, server_of, tcp_log};
use crate::engine::{ProxyPlan, ServerPlan};
use crate::expr::{Arena, Env, ProxyRef};
use crate::health::Observation;
use crate::log::{Cause, Phase};
use crate::pool::{Acquired, Lease};
use crate::spec::Datagrams;
use crate::stick::Pending;
use crate::udp::{FlowKey, Flows};
use socket2::SockRef;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::sync::Notify;

/// No datagram is larger.
pub(super) const LARGEST: usize = 1 << 16;
/// Datagrams taken at once before other tasks of the worker get their turn.
const BATCH: usize = 64;
/// Longest wait for the answer to a datagram that is a flow of its own.
const SINGLE: Duration = Duration::from_secs(10);

/// Takes the datagrams of one socket of a listener until that is stopped.
///
/// # Errors
/// When the socket cannot be watched.
pub(super) fn run(
    acceptor: Acceptor,
    socket: OwnedFd,
    datagrams: Datagrams,
) -> io::Result<impl Future<Output = ()> + Send> {
    let socket = UdpSocket::from_std(socket.into())?;
    let hall = Arc::new(Hall {
        socket,
        flows: Mutex::new(Flows::new(datagrams.flows)),
        buffer: Mutex::new(vec![0; LARGEST].into_boxed_slice()),
        epoch: Instant::now(),
        begun: AtomicU64::new(0),
    });
    Ok(async move { Receiver { acceptor, hall }.run().await })
}

/// Calls `receive` when datagrams have arrived for a listener that `takes` any, until it is stopped.
pub(super) async fn attend(
    acceptor: &Acceptor,
    socket: &UdpSocket,
    takes: impl Fn(&ListenerRun) -> bool,
    mut receive: impl FnMut(&ListenerRun),
) {
    while let Some(run) = acceptor.run.upgrade() {
        if run.is_stopped() {
            break;
        }
        let changed = run.changed();
        let open = takes(&run);
        tokio::select! {
            ready = socket.readable(), if open => if ready.is_ok() {
                receive(&run);
            },
            () = changed => continue,
        }
        tokio::task::yield_now().await;
    }
}

/// Takes what has arrived, but for a bounded number of datagrams.
pub(super) fn take_arrived(socket: &UdpSocket, buffer: &mut [u8], mut take: impl FnMut(&[u8], SocketAddr)) {
    for _ in 0..BATCH {
        match socket.try_recv_from(buffer) {
            Ok((length, sender)) => take(&buffer[..length], sender),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
            // An error of an earlier datagram; the next one is not concerned.
            Err(_) => {}
        }
    }
}

/// What the flows of one socket share.
#[derive(Debug)]
struct Hall {
    socket: UdpSocket,
    flows: Mutex<Flows<Arc<Flow>>>,
    /// One datagram on its way; never held across an await.
    buffer: Mutex<Box<[u8]>>,
    epoch: Instant,
    begun: AtomicU64,
}

/// One flow.
#[derive(Debug)]
struct Flow {
    /// Towards the server.
    socket: UdpSocket,
    idle: Duration,
    /// Milliseconds since the epoch of the hall.
    last: AtomicU64,
    from_client: AtomicU64,
    from_server: AtomicU64,
    /// The server refused a datagram of the client.
    refused: AtomicBool,
    /// It is displaced, its listener stops, or its server refuses.
    end: Notify,
}

struct Receiver {
    acceptor: Acceptor,
    hall: Arc<Hall>,
}

impl Receiver {
    async fn run(self) {
        attend(
            &self.acceptor,
            &self.hall.socket,
            |_| true,
            |run| {
                let mut buffer = self.hall.buffer();
                take_arrived(&self.hall.socket, &mut buffer, |datagram, client| {
                    self.take(run, client, datagram)
                });
            },
        )
        .await;
        // Nobody takes datagrams of these clients here any more.
        while let Some(flow) = self.hall.flows().displace() {
            flow.end.notify_one();
        }
    }

    fn take(&self, run: &ListenerRun, client: SocketAddr, datagram: &[u8]) {
        let target = run.target.load();
        let Some(datagrams) = target.handle.spec.datagrams else { return };
        let mut key = FlowKey::of(client);
        if datagrams.single {
            key.serial = self.hall.begun.fetch_add(1, Relaxed) + 1;
        } else if let Some(flow) = self.hall.flows().touch(&key) {
            return self.hall.forward(flow, datagram);
        }
        if !self.acceptor.may_accept(run) {
            return;
        }
        let target = Target::clone(&target);
        if let Some(flow) = self.begin(target, key, datagrams) {
            self.hall.forward(&flow, datagram);
        }
    }

    /// Begins a flow: finds its server and starts waiting for answers. None if no server has room.
    fn begin(&self, target: Target, key: FlowKey, datagrams: Datagrams) -> Option<Arc<Flow>> {
        let Acceptor { limits, worker, .. } = &self.acceptor;
        let session = admit(&target, Some(key.client), worker, limits);
        let plan = Arc::clone(&target.generation.plan);
        let backend = Arc::clone(plan.proxy(target.proxy().default_backend?));
        let (lease, server, opened) = place(&session, &backend)?;
        let socket = match opened {
            Err(e) if is_shortage(&e) => {
                // The place of whoever was silent for longest; its descriptor is free when its task has ended.
                if let Some(flow) = self.hall.flows().displace() {
                    flow.end.notify_one();
                }
                return None;
            }
            opened => opened.ok()?,
        };
        let flow = Arc::new(Flow {
            socket,
            idle: if datagrams.single { datagrams.idle.min(SINGLE) } else { datagrams.idle },
            last: AtomicU64::new(self.hall.millis()),
            from_client: AtomicU64::new(0),
            from_server: AtomicU64::new(0),
            refused: AtomicBool::new(false),
            end: Notify::new(),
        });
        if let Some(displaced) = self.hall.flows().insert(key, Arc::clone(&flow)) {
            displaced.end.notify_one();
        }
        let entry = session.entry();
        let life = Life {
            hall: Arc::clone(&self.hall),
            flow: Arc::clone(&flow),
            key,
            session,
            backend,
            lease,
            server,
        };
        drop(worker.spawn(Served::new(entry, Box::pin(life.run()))));
        Some(flow)
    }
}

/// Finds a server for a client and a socket towards it.
fn place(session: &Session, backend: &ProxyPlan) -> Option<(Lease, Arc<ServerPlan>, io::Result<UdpSocket>)> {
    let generation = session.generation();
    let mut facts = SessionFacts::new(session, None);
    facts.local = session.listener().addr;
    facts.backend = Some(ProxyRef { name: backend.spec.name.as_str(), id: backend.spec.id });
    let arena = Arena::new();
    let env = Env::new(&facts, facts.vars(), &arena);
    let mut pending = Pending::default();
    let choice = Choice::new(backend, &env, None, &mut pending);
    let mut request = choice.request();
    request.avoid = generation.suspected(backend);
    // A datagram does not wait: who asks sends it again.
    let Acquired::Leased(lease) = backend.pool.acquire(Instant::now(), &request) else { return None };
    let server = server_of(generation, backend, &lease)?;
    session.bound_for(backend.index, Some(server.index));
    let endpoint = server_endpoint(backend, &server, lease.server().id(), choice.destination);
    let opened = connect::datagram(&endpoint, server.spec.source.as_deref(), choice.source);
    pending.store(opened.is_ok().then_some(&server.spec), Instant::now());
    Some((lease, server, opened))
}

impl Hall {
    fn flows(&self) -> MutexGuard<'_, Flows<Arc<Flow>>> {
        self.flows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn buffer(&self) -> MutexGuard<'_, Box<[u8]>> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// When a flow has been idle for too long, if nothing passes.
    fn deadline(&self, flow: &Flow) -> Instant {
        self.epoch + Duration::from_millis(flow.last.load(Relaxed)) + flow.idle
    }

    /// Sends a datagram of the client to the server. What the server's buffer does not take is lost, as datagrams are.
    fn forward(&self, flow: &Flow, datagram: &[u8]) {
        flow.last.store(self.millis(), Relaxed);
        // Straight to the system: whether a new socket may be written to is not known before the next turn of the worker.
        match SockRef::from(&flow.socket).send(datagram) {
            Ok(_) => drop(flow.from_client.fetch_add(datagram.len() as u64, Relaxed)),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            // What an earlier datagram met is told by the next one.
            Err(_) => {
                flow.refused.store(true, Relaxed);
                flow.end.notify_one();
            }
        }
    }

    /// Sends what the server of a flow has answered to its client.
    ///
    /// # Errors
    /// What the server's side reports, for instance that nothing listens there.
    fn answer(&self, flow: &Flow, client: SocketAddr) -> io::Result<()> {
        let mut buffer = self.buffer();
        for _ in 0..BATCH {
            let length = match flow.socket.try_recv(&mut buffer) {
                Ok(length) => length,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            };
            flow.last.store(self.millis(), Relaxed);
            if SockRef::from(&self.socket).send_to(&buffer[..length], &client.into()).is_ok() {
                flow.from_server.fetch_add(length as u64, Relaxed);
            }
        }
        Ok(())
    }
}

/// A flow from its first datagram to its end, on the side of the server.
struct Life {
    hall: Arc<Hall>,
    flow: Arc<Flow>,
    key: FlowKey,
    session: Session,
    backend: Arc<ProxyPlan>,
    lease: Lease,
    server: Arc<ServerPlan>,
}

impl Life {
    async fn run(mut self) {
        let _visit = self.backend.pool.visit(Instant::now());
        let (cause, phase) = self.relay().await;
        self.hall.flows().remove(&self.key, |flow| Arc::ptr_eq(flow, &self.flow));
        let trace = Trace { server: Some(Arc::clone(&self.server)), ..Trace::default() };
        let end = End {
            backend: Some(&self.backend),
            trace,
            cause,
            phase,
            bytes: (self.flow.from_client.load(Relaxed), self.flow.from_server.load(Relaxed)),
            // No line tells of it, so it needs no number.
            ..End::new(self.session.listener().addr, 0)
        };
        tcp_log::account(&mut self.session, None, &end);
    }

    async fn relay(&self) -> (Cause, Phase) {
        let timer = self.session.timers().timer();
        let ending = self.session.ending(&self.backend, &self.server);
        loop {
            let deadline = self.hall.deadline(&self.flow);
            timer.set(Some(deadline));
            tokio::select! {
                ready = self.flow.socket.readable() => {
                    let passed = ready.and_then(|()| self.hall.answer(&self.flow, self.key.client));
                    self.observe(passed.is_ok());
                    if passed.is_err() {
                        return (Cause::ServerAbort, Phase::Data);
                    }
                }
                () = timer.expired() => if Instant::now() >= self.hall.deadline(&self.flow) {
                    return (Cause::Normal, Phase::Done);
                },
                () = self.flow.end.notified() => {
                    if !self.flow.refused.load(Relaxed) {
                        return (Cause::Normal, Phase::Done);
                    }
                    self.observe(false);
                    return (Cause::ServerAbort, Phase::Data);
                }
                () = self.session.ended(&ending) => return (ending.cause(), Phase::Data),
            }
        }
    }

    /// Whether the server spoke or refused says something of its health.
    fn observe(&self, good: bool) {
        let seen = if good { Observation::Connected } else { Observation::NotConnected };
        let events = self.backend.pool.observe(self.lease.server(), seen, Instant::now());
        self.session.generation().report(&self.backend, events);
    }
}
