//! Counters and the log line of a session in TCP mode.

use super::Stream;
use super::connection::Session;
use super::facts::SessionFacts;
use super::passage::Passage;
use super::tcp::End;
use crate::expr::{Arena, Env, ProxyRef, ServerRef};
use crate::log::{Cause, HttpRecord, Origin, Phase, Record, Termination, Timers};
use crate::stick::{Event, Slots};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Adds the session to the counters of everybody concerned.
pub(super) fn account(session: &mut Session, passage: Option<&mut Passage>, end: &End<'_>) {
    let worker = session.worker.id();
    let (from_client, from_server) = end.bytes;
    let mut none = Slots::new();
    let slots = passage.map_or(&mut none, |passage| &mut passage.tracked);
    session.count(slots, Event::BytesIn(from_client));
    session.count(slots, Event::BytesOut(from_server));
    let front = session.frontend().state.front.counters.of(worker);
    front.request_bytes_in.add(from_client);
    front.request_bytes_out.add(from_client);
    front.response_bytes_in.add(from_server);
    front.response_bytes_out.add(from_server);
    let listener = session.listener().state.counters.of(worker);
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
    let total = session.accepted().instant.elapsed();
    for meters in [cell.durations(), backend.pool.durations()] {
        meters.queue.record(millis(end.trace.queued.unwrap_or_default()));
        meters.connect.record(millis(end.trace.connect.unwrap_or_default()));
        meters.total.record(millis(total));
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Writes the line of a session.
pub(super) fn write(session: &Session, client: &Stream, passage: Option<&Passage>, end: &End<'_>) {
    let front = session.frontend();
    let silent = end.bytes == (0, 0) && end.cause != Cause::Normal && end.backend.is_none();
    if front.spec.log.dontlognull && silent {
        return;
    }
    let severity = match passage.and_then(|passage| passage.log_level) {
        Some(None) => return,
        Some(level) => level,
        None => None,
    };
    let logger = session.generation().logger(front.index);
    let record = record(session, passage, end);
    if !logger.is_enabled() {
        return;
    }
    let mut facts = SessionFacts::new(session, Some(client));
    facts.local = end.local;
    facts.passage = passage;
    facts.backend = record.backend;
    facts.server = end.backend.zip(end.trace.server.as_ref()).map(|(backend, server)| ServerRef {
        name: server.spec.name.as_str(),
        id: server.spec.id,
        backend: backend.spec.name.as_str(),
    });
    facts.record = Some(record);
    let arena = Arena::new();
    logger.traffic_in(session.worker.id(), severity, &Env::new(&facts, facts.vars(), &arena));
    front.state.front.log_lines.fetch_add(1, Relaxed);
}

/// What is known of every connection, from its beginning on.
pub(super) fn begun(session: &Session) -> Record<'_> {
    let (front, listener) = (session.frontend(), session.listener());
    Record {
        client: session.peer,
        unix: session.peer.is_none(),
        frontend: ProxyRef { name: front.spec.name.as_str(), id: front.spec.id },
        listener: ProxyRef { name: listener.spec.name.as_deref().unwrap_or_default(), id: listener.id },
        tls: listener.spec.tls.is_some(),
        accept_date: session.accepted().date,
        request_date: session.accepted().date,
        process_connections: session.process_connections() as u64,
        frontend_connections: front.state.front.sessions.level().cur,
        log_counter: front.state.front.log_lines.load(Relaxed),
        ..Record::EMPTY
    }
}

/// What the line prints.
fn record<'a>(session: &'a Session, passage: Option<&'a Passage>, end: &'a End<'_>) -> Record<'a> {
    let captures = passage.map_or(&[][..], |passage| &passage.captures);
    Record {
        client: passage.and_then(|passage| passage.source).or(session.peer),
        frontend_addr: end.local,
        backend_addr: end.backend_addr,
        server_addr: end.server_addr,
        backend: end.backend.map(|b| ProxyRef { name: b.spec.name.as_str(), id: b.spec.id }),
        server: end.trace.server.as_ref().map(|s| s.spec.name.as_str()),
        timers: timers(session, end),
        bytes_read: end.bytes.1,
        bytes_uploaded: end.bytes.0,
        termination: Termination { cause: end.cause, phase: end.phase, ..Termination::default() },
        backend_connections: end.backend.map_or(0, |b| u64::from(b.pool.sessions())),
        server_connections: end.server_connections,
        retries: end.trace.retries,
        redispatched: end.trace.redispatched,
        server_queue: end.trace.server_queue,
        backend_queue: end.trace.backend_queue,
        origin: Origin::Close,
        // A session that could have become one of HTTP, and did not, lacks a status.
        http_mode: session.generation().upgrade(session.proxy()).is_some(),
        http: (!captures.is_empty())
            .then_some(HttpRecord { request_captures: captures, ..HttpRecord::EMPTY }),
        ..begun(session)
    }
}

/// The durations of manual 8.4; the time spent on content rules counts as waiting.
fn timers(session: &Session, end: &End<'_>) -> Timers {
    let or_unknown = |time: Option<Duration>| time.map_or(-1, |t| millis(t) as i64);
    let age = session.accepted().instant.elapsed();
    let total = millis(age) as i64;
    let queue = end.trace.queued.map(|queued| queued + end.inspected);
    let data = queue.zip(end.trace.connect).map(|(queue, connect)| age.saturating_sub(queue + connect));
    Timers {
        handshake: i64::from(session.handshake_ms),
        idle: -1,
        queue: or_unknown(queue),
        connect: or_unknown(end.trace.connect),
        data: or_unknown(data),
        active: total,
        total,
        user: total,
        ..Timers::UNKNOWN
    }
}
