//! From a request to a connected server: queue, connect, retry, redispatch.

use super::generation::Generation;
use super::{Stream, Tally, Timer};
use crate::addr::Endpoint;
use crate::balance::ServerId;
use crate::cache::expect;
use crate::engine::{ProxyPlan, ServerPlan};
use crate::health::Observation;
use crate::pool::{Acquired, Lease, Outcome, Request};
use crate::rule::marks::PacketMarks;
use crate::spec::ServerSpec;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

/// What a session knows when it asks for a server.
#[derive(Debug)]
#[non_exhaustive]
pub struct Dial<'a> {
    /// The plan of the session.
    pub generation: &'a Generation,
    /// The backend.
    pub backend: &'a ProxyPlan,
    /// The client's address, for sources and headers.
    pub client: Option<SocketAddr>,
    /// The address the client connected to.
    pub destination: Option<SocketAddr>,
    /// The worker, for counters.
    pub worker: usize,
    /// A timer of the session; its deadline is overwritten.
    pub timer: &'a Timer,
    /// What connections tell of the client's beside its addresses.
    pub tell: Tell<'a>,
}

/// Says what a connection to one server tells of the client's.
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "a function")]
pub struct Tell<'a>(pub &'a (dyn Fn(&ServerSpec) -> Told + Send + Sync));

impl std::fmt::Debug for Tell<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tell")
    }
}

/// What a connection to a server tells of the client's beside its addresses; see [`Ends`].
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Told {
    /// The name to announce in the TLS handshake.
    pub sni: Option<String>,
    /// Additional fields for a PROXY header of the binary form.
    pub fields: Vec<(u8, Vec<u8>)>,
    /// What its packets tell.
    pub marks: PacketMarks,
}

/// A connection to a server, and how it came about.
#[derive(Debug)]
#[non_exhaustive]
pub struct Dialed {
    /// The slot on the server.
    pub lease: Lease,
    /// The server.
    pub server: Arc<ServerPlan>,
    /// The connection; TLS and PROXY header are done.
    pub stream: Stream,
    /// How it came about.
    pub trace: Trace,
}

/// Times and counts for logs.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Trace {
    /// Time spent in queues, if a queue was reached or passed.
    pub queued: Option<Duration>,
    /// Time of the last connection attempt, if it succeeded.
    pub connect: Option<Duration>,
    /// Attempts after the first.
    pub retries: u32,
    /// The last attempt went to another server than the first.
    pub redispatched: bool,
    /// Requests served before this one by the queue of the server.
    pub server_queue: u32,
    /// Requests served before this one by the queue of the backend.
    pub backend_queue: u32,
    /// The last server that was tried.
    pub server: Option<Arc<ServerPlan>>,
}

/// Why there is no connection.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "every caller answers each of them")]
pub enum DialError {
    /// No server is usable.
    NoServer,
    /// The queue is full.
    QueueFull,
    /// Nobody served the request in time.
    QueueTimeout,
    /// The last attempt took too long.
    ConnectTimeout,
    /// The last attempt failed.
    Connect(io::Error),
}

impl Dial<'_> {
    /// Finds a server for `request` and connects to it. Cancel safe: dropping the future gives up slot and place.
    ///
    /// # Errors
    /// Why there is none, with what was tried.
    pub async fn run(&self, request: &Request<'_>) -> Result<Dialed, (DialError, Trace)> {
        let mut trace = Trace::default();
        let mut request = *request;
        if request.avoid.is_none() {
            request.avoid = self.generation.suspected(self.backend);
        }
        let mut failed = None;
        loop {
            let slot = self.slot(&mut request, &mut trace).await;
            if let Some(failed) = failed.take() {
                let found = slot.as_ref().ok().and_then(|lease| lease.server().id());
                trace.redispatched |= self.tally().departure(failed, found, false);
            }
            let lease = match slot {
                Ok(lease) => lease,
                Err(error) => return Err((error, trace)),
            };
            let Some(server) = server_of(self.generation, self.backend, &lease) else {
                return Err((DialError::NoServer, trace));
            };
            trace.server = Some(Arc::clone(&server));
            match self.attempts(lease, &server, &mut trace, &request).await {
                Ok((lease, stream)) => return Ok(Dialed { lease, server, stream, trace }),
                Err(Failed::Elsewhere(id)) => {
                    failed = Some(id);
                    request.avoid = failed;
                    request.direct = None;
                }
                Err(Failed::Finally(error)) => return Err((error, trace)),
            }
        }
    }

    /// A slot, waiting for it if need be.
    async fn slot(&self, request: &mut Request<'_>, trace: &mut Trace) -> Result<Lease, DialError> {
        let start = Instant::now();
        let redispatches = self.backend.spec.pool.retry.redispatch != 0;
        let pool = &self.backend.pool;
        let limit = self.backend.spec.timeouts.effective_queue();
        loop {
            let now = Instant::now();
            let mut ticket = match pool.acquire(now, request) {
                Acquired::Leased(lease) => {
                    trace.queued = Some(start.elapsed());
                    return Ok(lease);
                }
                Acquired::Queued(ticket) => ticket,
                Acquired::NoServer => {
                    trace.server = None;
                    self.tally().failure(None);
                    return Err(DialError::NoServer);
                }
                Acquired::QueueFull(id) if redispatches && request.direct.is_some() && !request.force => {
                    request.direct = None;
                    trace.redispatched |= self.tally().departure(id, None, false);
                    continue;
                }
                Acquired::QueueFull(id) => {
                    trace.server = self.backend.servers.get(id.index()).cloned();
                    self.tally().failure(pool.server(id).as_deref());
                    return Err(DialError::QueueFull);
                }
            };
            let queue_of = ticket.server();
            self.timer.set(limit.map(|d| start + d));
            let outcome = self.unless_late(&mut ticket).await;
            trace.queued = Some(start.elapsed());
            let position = u32::try_from(ticket.position()).unwrap_or(u32::MAX);
            *(if queue_of.is_some() { &mut trace.server_queue } else { &mut trace.backend_queue }) = position;
            match outcome {
                Some(Outcome::Leased(lease)) => return Ok(lease),
                // The queue was dissolved because its server went away: the others may have room.
                Some(Outcome::Evicted) => {
                    if let Some(id) = queue_of.and_then(|cell| cell.id()) {
                        trace.redispatched |= self.tally().departure(id, None, false);
                    }
                }
                None => {
                    let id = queue_of.as_ref().and_then(|cell| cell.id());
                    trace.server = id.and_then(|id| self.backend.servers.get(id.index()).cloned());
                    self.tally().failure(queue_of.as_deref());
                    return Err(DialError::QueueTimeout);
                }
            }
        }
    }

    /// Attempts on one server until one succeeds, another server should be tried, or all are used up.
    async fn attempts(
        &self,
        lease: Lease,
        server: &Arc<ServerPlan>,
        trace: &mut Trace,
        request: &Request<'_>,
    ) -> Result<(Lease, Stream), Failed> {
        let retry = self.backend.spec.pool.retry;
        loop {
            let start = Instant::now();
            let hooks = self.generation.hooks(self.backend, server);
            let suspect = hooks.is_some_and(|h| h.is_suspect());
            let limit = self.backend.spec.timeouts.connect;
            let limit = if suspect { Some(limit.map_or(SUSPECT, |d| d.min(SUSPECT))) } else { limit };
            self.timer.set(limit.map(|d| start + d));
            self.tally().attempt(Some(lease.server()));
            let result =
                self.unless_late(&mut std::pin::pin!(self.connect(server, lease.server().id()))).await;
            let error = match result {
                Some(Ok(stream)) => {
                    trace.connect = Some(start.elapsed());
                    self.observe(&lease, true);
                    return Ok((lease, stream));
                }
                Some(Err(e)) => DialError::Connect(e),
                None => DialError::ConnectTimeout,
            };
            self.observe(&lease, false);
            if trace.retries >= retry.retries {
                self.tally().failure(Some(lease.server()));
                return Err(Failed::Finally(error));
            }
            trace.retries += 1;
            // A server that is probably gone is not worth a second attempt while there is another one.
            let elsewhere = suspect && self.backend.pool.census().active > 1;
            if elsewhere || self.moves(&lease, request, trace.retries) {
                return match lease.server().id() {
                    Some(id) => Err(Failed::Elsewhere(id)),
                    None => Err(Failed::Finally(error)),
                };
            }
            self.tally().retry(Some(lease.server()));
            // The same server again: not before the rest of a short pause is over.
            self.timer.set(Some(start + retry.pause(self.backend.spec.timeouts.connect)));
            self.timer.expired().await;
            lease.again();
        }
    }

    /// Whether the retry that has just begun goes to another server. Who belongs to a server stays with it for longer.
    fn moves(&self, lease: &Lease, request: &Request<'_>, used: u32) -> bool {
        let chosen = request.direct.is_none() && !self.backend.spec.pool.algorithm.needs_key();
        let free = chosen && self.backend.pool.census().active > 1;
        let retry = self.backend.spec.pool.retry;
        !request.force && retry.moves(used, retry.retries, free, lease.server().is_lame())
    }

    async fn connect(&self, server: &ServerPlan, id: Option<ServerId>) -> io::Result<Stream> {
        let told = (self.tell.0)(&server.spec);
        let mut ends = Ends::new(self.client, self.destination);
        ends.sni = told.sni.as_deref();
        ends.marks = told.marks;
        ends.fields = told.fields.iter().map(|(kind, value)| (*kind, &value[..])).collect();
        open_server(self.generation, self.backend, server, id, &ends).await
    }

    fn observe(&self, lease: &Lease, good: bool) {
        let seen = if good { Observation::Connected } else { Observation::NotConnected };
        let events = self.backend.pool.observe(lease.server(), seen, Instant::now());
        self.generation.report(self.backend, events);
    }

    fn tally(&self) -> Tally<'_> {
        Tally::new(&self.backend.pool, self.worker)
    }

    /// The result of `work`, or nothing if the session's timer ends first.
    async fn unless_late<F: Future + Unpin>(&self, work: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|cx| {
            if let Poll::Ready(done) = std::pin::Pin::new(&mut *work).poll(cx) {
                return Poll::Ready(Some(done));
            }
            self.timer.poll_expired(cx).map(|()| None)
        })
        .await
    }
}

/// What a connection to a server tells of the client's.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Ends<'a> {
    /// The client's address.
    pub client: Option<SocketAddr>,
    /// The address the client connected to.
    pub destination: Option<SocketAddr>,
    /// The name to announce in the TLS handshake, in place of the configured one.
    pub sni: Option<&'a str>,
    /// Additional fields for a PROXY header of the binary form.
    pub fields: Vec<(u8, &'a [u8])>,
    /// What its packets tell.
    pub marks: PacketMarks,
    /// Something will be sent as soon as the connection is there.
    pub speaks: bool,
}

impl Ends<'_> {
    /// These addresses and nothing else.
    pub fn new(client: Option<SocketAddr>, destination: Option<SocketAddr>) -> Self {
        Self { client, destination, ..Self::default() }
    }
}

/// Where a server is for a client that connected to `destination`: an unspecified address stands for the one the client
/// asked for, a port may follow the client's.
pub fn server_endpoint(
    backend: &ProxyPlan,
    server: &ServerPlan,
    id: Option<ServerId>,
    destination: Option<SocketAddr>,
) -> Endpoint {
    let known = id.and_then(|id| backend.pool.address(id));
    let mut endpoint = known.unwrap_or_else(|| server.spec.fallback());
    let Some(destination) = destination else { return endpoint };
    if let Endpoint::Inet(addr) = &mut endpoint
        && addr.ip().is_unspecified()
    {
        addr.set_ip(destination.ip());
    }
    match server.spec.addr.port_offset {
        Some(offset) => endpoint.with_port((i32::from(destination.port()) + offset).clamp(0, 65535) as u16),
        None => endpoint,
    }
}

/// The PROXY header of a connection to `server`, if it begins with one.
fn proxy_header(server: &ServerPlan, ends: &Ends<'_>) -> Option<Vec<u8>> {
    use crate::proxyproto::{Tlv, write_v1, write_v2};
    let mut header = Vec::new();
    let tlvs: Vec<Tlv<'_>> = ends.fields.iter().map(|(kind, value)| Tlv { kind: *kind, value }).collect();
    match server.spec.send_proxy? {
        crate::spec::ProxyHeaderVersion::V1 => write_v1(&mut header, ends.client, ends.destination),
        _ => write_v2(&mut header, ends.client, ends.destination, &tlvs),
    }
    Some(header)
}

/// One attempt to connect to a server: from its source, with its PROXY header and TLS. The caller bounds the time.
///
/// # Errors
/// What the system, the server or TLS reports.
pub async fn open_server(
    generation: &Generation,
    backend: &ProxyPlan,
    server: &ServerPlan,
    id: Option<ServerId>,
    ends: &Ends<'_>,
) -> io::Result<Stream> {
    let endpoint = server_endpoint(backend, server, id, ends.destination);
    let stream = begin(&endpoint, server, ends).await?;
    stream.configure(backend.spec.server_keepalive, backend.spec.nolinger);
    #[cfg(feature = "tls")]
    if let Some(connector) = generation.connector(backend, server) {
        return connector.connect(stream, ends.sni).await;
    }
    #[cfg(not(feature = "tls"))]
    let _ = generation;
    Ok(stream)
}

/// Connects to a server from its source and sends its PROXY header.
pub(super) async fn begin(endpoint: &Endpoint, server: &ServerPlan, ends: &Ends<'_>) -> io::Result<Stream> {
    let speaks = ends.speaks || server.spec.send_proxy.is_some();
    let source = server.spec.source.as_deref();
    let mut stream = super::connect(endpoint, source, ends.client, speaks, ends.marks).await?;
    if let Some(header) = proxy_header(server, ends) {
        stream.write_all(&header).await?;
    }
    Ok(stream)
}

/// What `work` comes to, unless that takes until `deadline`.
pub(super) async fn within<T>(deadline: Option<Instant>, work: impl Future<Output = T>) -> Option<T> {
    match deadline {
        Some(at) => tokio::time::timeout_at(at.into(), work).await.ok(),
        None => Some(work.await),
    }
}

/// The server of a slot, as the session's plan has it.
pub fn server_of(generation: &Generation, backend: &ProxyPlan, lease: &Lease) -> Option<Arc<ServerPlan>> {
    // The pool may know servers of a newer plan; a session of an older one finds them by name.
    let name = lease.server().name();
    let by_place = lease.server().id().and_then(|id| {
        generation.expect(backend, id.index());
        backend.servers.get(id.index())
    });
    if let Some(server) = by_place {
        expect(&**server, backend.servers.len());
    }
    let same = by_place.filter(|s| s.spec.name == *name);
    let same = same.or_else(|| backend.servers.iter().find(|s| s.spec.name == *name)).cloned();
    same.or_else(|| generation.newer_server(backend, name))
}

/// Longest time to connect to a server that is probably gone.
const SUSPECT: Duration = Duration::from_millis(200);

enum Failed {
    Elsewhere(ServerId),
    Finally(DialError),
}
