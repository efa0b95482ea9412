//! `mode tcp`: one session from the choice of a backend to the log line.

use super::connection::{BoxFuture, Connection, Protocol, Session};
use super::dial::{Dial, DialError, Dialed, Trace};
use super::facts::SessionFacts;
use super::{Relay, RelayEnd, RelayLimits, Stream};
use crate::balance::Key;
use crate::engine::ProxyPlan;
use crate::expr::{Arena, Env, ProxyRef, Vars};
use crate::log::{Cause, Origin, Phase, Record, Termination, Timers};
use crate::pool::Request;
use crate::spec::{ProtocolSpec, TcpProxy};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The driver of [`TcpProxy`], for [`super::Server::new`].
pub fn tcp(spec: &dyn ProtocolSpec) -> Option<Arc<dyn Protocol>> {
    spec.as_any().downcast_ref::<TcpProxy>().map(|spec| Arc::new(Tcp { _spec: spec.clone() }) as _)
}

#[derive(Debug)]
struct Tcp {
    _spec: TcpProxy,
}

impl Protocol for Tcp {
    fn serve(self: Arc<Self>, connection: Connection) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let (stream, session) = connection.split();
            serve(stream, &session).await;
        })
    }
}

/// What is known at the end of a session.
struct End<'a> {
    backend: Option<&'a ProxyPlan>,
    trace: Trace,
    local: Option<SocketAddr>,
    cause: Cause,
    phase: Phase,
    bytes: (u64, u64),
    server_connections: u64,
    backend_addr: Option<SocketAddr>,
    server_addr: Option<SocketAddr>,
}

async fn serve(mut client: Stream, session: &Session) {
    let local = session.local(&client);
    let mut end = End {
        backend: None,
        trace: Trace::default(),
        local,
        cause: Cause::ServerAbort,
        phase: Phase::Connect,
        bytes: (0, 0),
        server_connections: 0,
        backend_addr: None,
        server_addr: None,
    };
    let plan = Arc::clone(&session.generation.plan);
    if let Some(index) = choose(session, local) {
        let backend = plan.proxy(index);
        end.backend = Some(backend);
        session.bound_for(index, None);
        let visit = backend.pool.visit(Instant::now());
        through(&mut client, session, backend, &mut end).await;
        finish(client, session, &end);
        // The line counts the session among those of the backend, as HAProxy's does.
        drop(visit);
        return;
    }
    finish(client, session, &end);
}

/// Lets the client go, counts the session and writes its line.
fn finish(client: Stream, session: &Session, end: &End<'_>) {
    let front = session.frontend();
    if end.cause != Cause::Normal && matches!(end.phase, Phase::Connect | Phase::Queue) {
        // The client must not wait for a server that will not come.
        client.reset_on_close();
    }
    account(session, end);
    log(session, front, end);
}

/// Index of the backend that the routes of the frontend lead to.
fn choose(session: &Session, local: Option<SocketAddr>) -> Option<usize> {
    let front = session.frontend();
    if front.spec.routes.is_empty() {
        return front.default_backend;
    }
    let facts = SessionFacts::new(session, local);
    let arena = Arena::new();
    let vars = Vars { process: Some(session.generation.plan.variables()), ..Vars::NONE };
    let env = Env::new(&facts, vars, &arena);
    front.route(&session.generation.plan, &env).or(front.default_backend)
}

async fn through(client: &mut Stream, session: &Session, backend: &ProxyPlan, end: &mut End<'_>) {
    let timer = session.worker.timers().timer();
    let dial = Dial {
        generation: &session.generation,
        backend,
        client: session.peer,
        destination: end.local,
        worker: session.worker.id(),
        timer: &timer,
    };
    let request = Request::new().with_key(key(session));
    let Dialed { lease, server, stream: mut upstream, trace } = match dial.run(&request).await {
        Ok(dialed) => dialed,
        Err((error, trace)) => {
            end.trace = trace;
            (end.cause, end.phase) = match error {
                DialError::QueueTimeout => (Cause::ServerTimeout, Phase::Queue),
                DialError::QueueFull => (Cause::ServerAbort, Phase::Queue),
                DialError::ConnectTimeout => (Cause::ServerTimeout, Phase::Connect),
                DialError::NoServer | DialError::Connect(_) => (Cause::ServerAbort, Phase::Connect),
            };
            return;
        }
    };
    end.trace = trace;
    session.bound_for(backend.index, Some(server.index));
    end.server_connections = lease.server().served().cur;
    end.backend_addr = upstream.local_addr();
    end.server_addr = upstream.peer_addr();
    let limits = RelayLimits::new(
        &session.frontend().spec.timeouts,
        &backend.spec.timeouts,
        session.generation.plan.process().tune.bufsize,
    );
    let mut relay = Relay::new(limits);
    let finished = {
        let killed = session.generation.ended(backend, &server);
        tokio::select! {
            finished = relay.run(client, &mut upstream, &timer) => Some(finished),
            () = killed => None,
        }
    };
    end.bytes = relay.bytes();
    (end.cause, end.phase) = match finished {
        None => (Cause::Down, Phase::Data),
        Some(RelayEnd::Finished) => (Cause::Normal, Phase::Done),
        Some(RelayEnd::ClientTimeout) => (Cause::ClientTimeout, Phase::Data),
        Some(RelayEnd::ServerTimeout) => (Cause::ServerTimeout, Phase::Data),
        Some(RelayEnd::Client(_)) => (Cause::ClientAbort, Phase::Data),
        Some(RelayEnd::Server(_)) => (Cause::ServerAbort, Phase::Data),
    };
    drop(lease);
}

fn key(session: &Session) -> Key<'_> {
    session.peer.map_or(Key::None, |peer| Key::Address(peer.ip()))
}

/// Adds the session to the counters of everybody concerned.
fn account(session: &Session, end: &End<'_>) {
    let worker = session.worker.id();
    let (from_client, from_server) = end.bytes;
    let front = session.frontend().state.front.counters.of(worker);
    front.request_bytes_in.add(from_client);
    front.request_bytes_out.add(from_client);
    front.response_bytes_in.add(from_server);
    front.response_bytes_out.add(from_server);
    let listener = session.listener.state.counters.of(worker);
    listener.sessions.inc();
    listener.request_bytes_in.add(from_client);
    listener.response_bytes_out.add(from_server);
    let Some(backend) = end.backend else { return };
    let counters = backend.pool.counters().of(worker);
    counters.request_bytes_in.add(from_client);
    counters.request_bytes_out.add(from_client);
    counters.response_bytes_in.add(from_server);
    counters.response_bytes_out.add(from_server);
    if end.cause == Cause::ClientAbort {
        counters.client_aborts.inc();
    } else if end.cause == Cause::ServerAbort && end.phase == Phase::Data {
        counters.server_aborts.inc();
    }
    let server = end.trace.server.as_ref().and_then(|s| backend.pool.by_name(s.spec.name.as_str()));
    let Some(cell) = server.and_then(|id| backend.pool.server(id)) else { return };
    let counters = cell.counters().of(worker);
    counters.request_bytes_in.add(from_client);
    counters.request_bytes_out.add(from_client);
    counters.response_bytes_in.add(from_server);
    counters.response_bytes_out.add(from_server);
    let total = session.accepted.instant.elapsed();
    for meters in [cell.durations(), backend.pool.durations()] {
        meters.queue.record(millis(end.trace.queued.unwrap_or_default()));
        meters.connect.record(millis(end.trace.connect.unwrap_or_default()));
        meters.total.record(millis(total));
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn log(session: &Session, front: &ProxyPlan, end: &End<'_>) {
    if front.spec.log.dontlognull
        && end.bytes == (0, 0)
        && end.cause != Cause::Normal
        && end.backend.is_none()
    {
        return;
    }
    let logger = session.generation.logger(front.index);
    let termination = Termination { cause: end.cause, phase: end.phase, ..Termination::default() };
    if !logger.wants(&termination) {
        return;
    }
    let mut facts = SessionFacts::new(session, end.local);
    let listener = &session.listener;
    let or_unknown = |time: Option<Duration>| time.map_or(-1, |t| millis(t) as i64);
    let total = millis(session.accepted.instant.elapsed()) as i64;
    let record = Record {
        client: session.peer,
        frontend_addr: end.local,
        backend_addr: end.backend_addr,
        server_addr: end.server_addr,
        unix: session.peer.is_none(),
        frontend: ProxyRef { name: front.spec.name.as_str(), id: front.spec.id },
        listener: ProxyRef { name: listener.spec.name.as_deref().unwrap_or_default(), id: listener.id },
        tls: session.listener.spec.tls.is_some(),
        backend: end.backend.map(|b| ProxyRef { name: b.spec.name.as_str(), id: b.spec.id }),
        server: end.trace.server.as_ref().map(|s| s.spec.name.as_str()),
        accept_date: session.accepted.date,
        request_date: session.accepted.date,
        timers: Timers {
            handshake: i64::from(session.handshake_ms),
            idle: 0,
            request: 0,
            queue: or_unknown(end.trace.queued),
            connect: or_unknown(end.trace.connect),
            data: total,
            active: total,
            total,
            user: total,
            ..Timers::UNKNOWN
        },
        bytes_read: end.bytes.1,
        bytes_uploaded: end.bytes.0,
        termination,
        process_connections: session.process_connections() as u64,
        frontend_connections: front.state.front.sessions.level().cur,
        backend_connections: end.backend.map_or(0, |b| u64::from(b.pool.sessions())),
        server_connections: end.server_connections,
        retries: end.trace.retries,
        redispatched: end.trace.redispatched,
        server_queue: end.trace.server_queue,
        backend_queue: end.trace.backend_queue,
        origin: Origin::Close,
        ..Record::EMPTY
    };
    facts.record = Some(record);
    logger.traffic(session.worker.id(), &facts);
}
