//! Counters and the log line of a session in TCP mode.

use super::connection::Session;
use super::facts::SessionFacts;
use super::logger::chosen_severity;
use super::passage::Passage;
use super::rules::Scene;
use super::tcp::End;
use super::{Stream, Tally};
use crate::expr::{Arena, Direction, Env, ProxyRef, ServerRef};
use crate::log::{Cause, HttpRecord, Origin, Phase, Record, Termination, Timers};
use crate::spec::{LogProfile, Mode};
use crate::stick::{Event, Slots};
use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Adds the session to the counters of everybody concerned.
pub(super) fn account(session: &mut Session, passage: Option<&mut Passage>, end: &End<'_>) {
    let worker = session.worker().id();
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
    let server = end.trace.server.as_ref().and_then(|s| backend.pool.by_name(s.spec.name.as_str()));
    let cell = server.and_then(|id| backend.pool.server(id));
    if let Some(broken) = broken_off(end) {
        let (tally, cell) = (Tally::new(&backend.pool, worker), cell.as_deref());
        if broken.client {
            tally.client_abort(cell)
        } else {
            tally.server_abort(cell)
        }
        if broken.error {
            tally.response_error(cell);
        }
    }
    let Some(cell) = cell else { return };
    let counters = cell.counters().of(worker);
    counters.request_bytes_in.add(from_client);
    counters.request_bytes_out.add(from_client);
    counters.response_bytes_in.add(from_server);
    counters.response_bytes_out.add(from_server);
    let (queued, connect) = (end.trace.queued.unwrap_or_default(), end.trace.connect.unwrap_or_default());
    let total = session.accepted().instant.elapsed();
    // TCP has no response that could be waited for.
    let times = [queued, connect, Duration::ZERO, total].map(millis);
    for meters in [cell.durations(), backend.pool.durations()] {
        meters.record(times);
    }
}

/// A transfer that did not come to its end.
#[derive(Debug, PartialEq, Eq)]
struct Broken {
    /// By the client, not by the server.
    client: bool,
    /// The server's connection failed.
    error: bool,
}

/// How a transfer was broken off, if it was under way and did not come to its end.
fn broken_off(end: &End<'_>) -> Option<Broken> {
    let client = match end.cause {
        Cause::ClientAbort => true,
        Cause::ClientTimeout if end.phase == Phase::Data => true,
        Cause::ServerAbort | Cause::ServerTimeout if end.phase == Phase::Data => false,
        _ => return None,
    };
    Some(Broken { client, error: end.cause == Cause::ServerAbort })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Writes the line of one step of a session, if one is due.
pub(super) fn write(
    session: &Session,
    (client, upstream): (&Stream, Option<&Stream>),
    passage: Option<&Passage>,
    end: &mut End<'_>,
    origin: Origin,
) {
    let front = session.frontend();
    let logger = session.generation().logger(front.index);
    if !logger.is_due(origin, end.written) {
        return;
    }
    // A client that sent nothing is not worth a line.
    if origin == Origin::Close && front.spec.log.dontlognull && end.bytes.0 == 0 {
        return;
    }
    let Some(severity) = chosen_severity(passage.and_then(|passage| passage.log_level)) else { return };
    let record = record(session, passage, end, origin);
    let mut facts = SessionFacts::new(session, Some(client));
    facts.upstream = upstream;
    facts.unreachable = end.unreachable;
    facts.local = end.local;
    facts.passage = passage;
    facts.backend = record.backend.or(Some(record.frontend));
    facts.server = end.backend.zip(end.trace.server.as_ref()).map(|(backend, server)| ServerRef {
        name: server.spec.name.as_str(),
        id: server.spec.id,
        backend: backend.spec.name.as_str(),
    });
    facts.record = Some(record);
    let arena = Arena::new();
    if logger.traffic(session.worker().id(), severity, &Env::new(&facts, facts.vars(), &arena)) {
        front.state.front.log_lines.fetch_add(1, Relaxed);
    }
    end.written = true;
}

/// Writes the line that a rule asks for.
pub(super) fn asked_for(scene: &Scene<'_>, profile: Option<&LogProfile>) {
    let session = &*scene.session;
    let logger = session.generation().logger(session.proxy());
    if !logger.is_enabled() {
        return;
    }
    let passage = scene.passage.as_deref();
    let Some(severity) = chosen_severity(passage.and_then(|passage| passage.log_level)) else { return };
    let origin = match (passage.is_some(), scene.established, scene.direction) {
        (true, _, Direction::Request) => Origin::TcpRequestContent,
        (true, _, Direction::Response) => Origin::TcpResponseContent,
        (false, true, _) => Origin::TcpRequestSession,
        (false, false, _) => Origin::TcpRequestConnection,
    };
    let mut facts = scene.facts();
    let refused = Termination { cause: Cause::Proxy, phase: Phase::Request, ..Termination::default() };
    facts.record = Some(Record {
        backend_addr: scene.upstream.and_then(Stream::local_addr),
        server_addr: scene.upstream.and_then(Stream::peer_addr),
        backend: facts.backend,
        server: scene.server.map(|server| server.name),
        termination: if passage.is_some() { Termination::default() } else { refused },
        // Neither the start nor the end of anything is known to a connection that has not begun.
        timers: Timers { active: i64::from(!scene.established), ..Timers::UNKNOWN },
        counter: passage.map_or_else(|| session.next_number(), |passage| passage.number),
        ..told(session, passage, facts.local, origin)
    });
    let arena = Arena::new();
    let env = Env::new(&facts, facts.vars(), &arena);
    logger.asked_for(session.worker().id(), severity, &env, profile);
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
        http_mode: front.spec.mode == Mode::Http,
        http_frontend: front.spec.mode == Mode::Http,
        early: session.generation().logger(front.index).is_early(),
        accept_date: session.accepted().date,
        request_date: session.accepted().date,
        process_connections: session.process_connections() as u64,
        frontend_connections: front.state.front.sessions.level().cur,
        log_counter: front.state.front.log_lines.load(Relaxed),
        ..Record::EMPTY
    }
}

/// What the line prints.
fn record<'a>(
    session: &'a Session,
    passage: Option<&'a Passage>,
    end: &'a End<'_>,
    origin: Origin,
) -> Record<'a> {
    let over = origin == Origin::Close;
    Record {
        backend_addr: end.backend_addr,
        server_addr: end.server_addr,
        backend: end.backend.map(|b| ProxyRef { name: b.spec.name.as_str(), id: b.spec.id }),
        server: end.trace.server.as_ref().map(|s| s.spec.name.as_str()),
        timers: timers(session, end, origin),
        bytes_read: end.bytes.1,
        bytes_uploaded: end.bytes.0,
        termination: match over {
            true => Termination { cause: end.cause, phase: end.phase, ..Termination::default() },
            false => Termination::default(),
        },
        backend_connections: end.backend.map_or(0, |b| u64::from(b.pool.sessions())),
        server_connections: end.server_connections,
        retries: end.trace.retries,
        redispatched: end.trace.redispatched,
        server_queue: end.trace.server_queue,
        backend_queue: end.trace.backend_queue,
        counter: end.number,
        ..told(session, passage, end.local, origin)
    }
}

/// What is known of a session with what rules did with it.
fn told<'a>(
    session: &'a Session,
    passage: Option<&'a Passage>,
    local: Option<SocketAddr>,
    origin: Origin,
) -> Record<'a> {
    let captures = passage.map_or(&[][..], |passage| &passage.captures);
    let begun = begun(session);
    Record {
        client: passage.and_then(|passage| passage.source).or(session.peer),
        frontend_addr: passage.and_then(|passage| passage.destination).or(local),
        origin,
        // A session that could have become one of HTTP, and did not, lacks a status; so does one that was asked for it.
        http_mode: begun.http_mode
            || passage.is_some_and(|passage| passage.glimpsed)
            || session.generation().upgrade(session.proxy()).is_some(),
        http: (!captures.is_empty())
            .then_some(HttpRecord { request_captures: captures, ..HttpRecord::EMPTY }),
        ..begun
    }
}

/// The durations of manual 8.4; the time spent on content rules counts as waiting.
fn timers(session: &Session, end: &End<'_>, origin: Origin) -> Timers {
    let or_unknown = |time: Option<Duration>| time.map_or(-1, |t| millis(t) as i64);
    let age = session.accepted().instant.elapsed();
    let total = match origin {
        Origin::Close | Origin::Connect => millis(age) as i64,
        _ => 0,
    };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_outs_break_transfers_off_and_failed_connections_do_not() {
        let broken = |cause, phase| {
            let mut end = End::new(None, 0);
            (end.cause, end.phase) = (cause, phase);
            broken_off(&end).map(|broken| (broken.client, broken.error))
        };
        assert_eq!(broken(Cause::Normal, Phase::Done), None);
        assert_eq!(broken(Cause::ClientTimeout, Phase::Data), Some((true, false)));
        assert_eq!(broken(Cause::ServerTimeout, Phase::Data), Some((false, false)));
        assert_eq!(broken(Cause::ServerAbort, Phase::Data), Some((false, true)));
        assert_eq!(broken(Cause::ServerAbort, Phase::Connect), None, "that is an error of the connection");
        assert_eq!(broken(Cause::ServerTimeout, Phase::Queue), None);
    }
}
