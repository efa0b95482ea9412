//! Log lines and counters of exchanges.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use lb_core::expr::{Env, ProxyRef};
use lb_core::log::{Cause, HttpRecord, Origin, Phase, Record, Termination, Timers};
use lb_core::rt::chosen_severity;
use lb_core::spec::{HttpCodes, LogProfile, Mode};
use lb_core::stick::Event;

use super::client::Client;
use super::txn::{Live, Times, Txn};
use super::upstream::{self, millis};
use crate::rule::Session;
use crate::spec::CookieMode;

/// Facts of an exchange for a line.
pub(super) fn record<'a>(client: &'a Client, txn: &'a Txn) -> Record<'a> {
    let session = &client.session;
    let upstream = &txn.upstream;
    let front = session.frontend();
    let listener = session.listener();
    let accepted = &session.accepted();
    let date = |age: Duration| accepted.date + age;
    let ready = txn.times.ready.unwrap_or_default();
    let begin = txn.times.begin.unwrap_or(ready);
    let origin = txn.origin;
    // Before the end nothing is known of what the client sends.
    let over = matches!(origin, Origin::Unspecified | Origin::Close | Origin::SessionError);
    let uri_limit = client.frontend().map_or(1024, |http| http.log_uri_limit.0);
    Record {
        client: client.source().or(session.peer),
        frontend_addr: client.destination().or_else(|| session.local(&client.stream)),
        backend_addr: upstream.local,
        server_addr: upstream.peer,
        unix: session.peer.is_none(),
        frontend: ProxyRef { name: front.spec.name.as_str(), id: front.spec.id },
        listener: ProxyRef { name: listener.spec.name.as_deref().unwrap_or_default(), id: listener.id },
        tls: client.stream.is_tls(),
        // As long as it was not taken over, it is a session of its frontend's mode.
        http_mode: !client.is_handed_over(),
        http_frontend: front.spec.mode == Mode::Http,
        backend: txn
            .backend
            .as_ref()
            .map(|backend| ProxyRef { name: backend.spec.name.as_str(), id: backend.spec.id }),
        server: txn.applet.or_else(|| txn.server.as_ref().map(|server| server.spec.name.as_str())),
        accept_date: date(ready),
        request_date: date(begin),
        timers: timers(client, txn),
        early: session.generation().logger(session.proxy()).is_early(),
        status: txn.answered.unwrap_or(txn.layer.response.status),
        bytes_read: if origin.is_before_end() { 0 } else { txn.counts.from_server },
        bytes_uploaded: if over { txn.counts.from_client } else { 0 },
        termination: termination(client, txn),
        process_connections: session.process_connections() as u64,
        frontend_connections: front.state.front.sessions.level().cur,
        log_counter: front.state.front.log_lines.load(Relaxed),
        backend_connections: txn.backend.as_ref().map_or(0, |backend| u64::from(backend.pool.sessions())),
        server_connections: upstream
            .remaining
            .unwrap_or_else(|| upstream.cell.as_ref().map_or(0, |cell| cell.served().cur)),
        retries: txn.upstream.retries,
        redispatched: txn.upstream.redispatched,
        server_queue: txn.upstream.server_queue,
        backend_queue: txn.upstream.backend_queue,
        counter: txn.number,
        origin,
        http: (origin != Origin::Accept).then(|| HttpRecord {
            request: txn.layer.request_line().filter(|_| origin != Origin::TcpRequestContent),
            uri_limit,
            request_cookie: txn.layer.request_cookie.get(),
            response_cookie: txn.layer.response_cookie.get(),
            // What is not a request has no place for captures.
            request_captures: if txn.layer.has_request { &txn.layer.request_captures } else { &[] },
            response_captures: if txn.layer.has_request { &txn.layer.response_captures } else { &[] },
        }),
        ..Record::EMPTY
    }
}

/// How it ended; where cookies are configured, what did not happen to them is an `N`.
fn termination(client: &Client, txn: &Txn) -> Termination {
    let mut letters = txn.termination;
    let serves = match &txn.backend {
        Some(backend) => super::http_of(&*backend.spec.protocol),
        None => client.frontend(),
    };
    let told = serves.and_then(|http| http.cookie.as_ref()).map(|cookie| cookie.mode);
    if told == Some(CookieMode::Passive) {
        // Nothing happens to a cookie that is only read.
        (letters.cookie_request, letters.cookie_response) = (b'-', b'-');
    } else if told.is_some() {
        for letter in [&mut letters.cookie_request, &mut letters.cookie_response] {
            if *letter == b'-' {
                *letter = b'N';
            }
        }
    }
    letters
}

/// Milliseconds between two moments that were reached.
fn span(from: Option<Duration>, to: Option<Duration>) -> Option<u64> {
    Some(millis(to?.saturating_sub(from?)))
}

/// The durations of manual 8.4; -1 for phases that were not reached.
fn timers(client: &Client, txn: &Txn) -> Timers {
    let times = &txn.times;
    let between =
        |from: Option<Duration>, to: Option<Duration>| span(from, to).map_or(-1, |span| span as i64);
    let handshake = if client.requests == 0 { i64::from(client.session.handshake_ms) } else { 0 };
    let begin = times.begin.or(times.ready);
    // Who is not at the end yet counts from the beginning of all times, as HAProxy does.
    let now =
        (!txn.origin.is_before_end()).then(|| moment(times, txn.origin).unwrap_or_else(|| client.age()));
    let request = times.request.filter(|_| txn.layer.has_request && !txn.untimed);
    let tarpitted = txn.termination.phase == Phase::Tarpit;
    let analysed = match txn.origin {
        Origin::Accept | Origin::Request | Origin::HttpRequest | Origin::TcpRequestContent => false,
        Origin::HttpAfterResponse => txn.termination.cause != Cause::Local,
        _ => true,
    };
    // In the pit a request is never done with, but one that had to be whole before was so at some time.
    let whole = !tarpitted || client.frontend().is_some_and(|http| http.buffer_request);
    let request = request.filter(|_| whole && analysed);
    let idle = between(times.ready, times.begin).max(0);
    let active = now.map_or(-handshake - idle, |now| between(begin, Some(now)));
    let data = match (now, times.response) {
        (None, Some(response)) => -(millis(response.saturating_sub(begin.unwrap_or_default())) as i64),
        _ => between(times.response, now),
    };
    Timers {
        handshake,
        idle,
        request: between(times.begin, request),
        queue: between(if tarpitted { times.begin } else { request }, times.queue),
        connect: between(times.queue, times.connect),
        response: between(times.connect, times.response),
        data,
        active,
        total: handshake + idle + active,
        user: handshake + active,
    }
}

/// Writes the line of one step of an exchange, if one is due.
#[inline(always)]
pub(super) fn write(live: &mut Live<'_>, origin: Origin) {
    if live.txn.front.logs || !live.txn.layer.has_request {
        write_line(live, origin);
    }
}

fn write_line(live: &mut Live<'_>, origin: Origin) {
    if !live.txn.layer.has_request {
        if !std::mem::replace(&mut live.txn.logged, true) {
            no_request(live);
        }
        return;
    }
    if !is_due(live, origin) {
        return;
    }
    let session = &live.client.session;
    let generation = Arc::clone(session.generation());
    let logger = generation.logger(session.proxy());
    let Some(level) = chosen_severity(live.txn.settings.log_level) else { return };
    let before = live.txn.times.now;
    live.txn.times.now = Some(moment(&live.txn.times, origin).unwrap_or_else(|| live.client.age()));
    live.txn.origin = origin;
    let written = {
        let env = Env::new(&*live, live.vars(), live.arena());
        logger.traffic(live.client.session.worker().id(), level, &env)
    };
    live.txn.logged |= written;
    // A line of an earlier moment does not turn the clock back.
    live.txn.times.now = live.txn.times.now.max(before);
    finish(live, written);
}

/// When a step was reached; none while the exchange is not at its end.
fn moment(times: &Times, step: Origin) -> Option<Duration> {
    match step {
        Origin::Connect => times.connect,
        Origin::Response => times.response,
        _ => times.end,
    }
}

/// Whether a line is due at a step.
pub(super) fn is_due(live: &Live<'_>, origin: Origin) -> bool {
    let session = &live.client.session;
    live.txn.front.logs && session.generation().logger(session.proxy()).is_due(origin, live.txn.logged)
}

/// Writes the line that a rule asks for.
pub(super) fn asked_for(live: &mut Live<'_>, origin: Origin, profile: Option<&LogProfile>) {
    let session = &live.client.session;
    let generation = Arc::clone(session.generation());
    let logger = generation.logger(session.proxy());
    let level = chosen_severity(live.txn.settings.log_level);
    let Some(level) = level.filter(|_| logger.is_enabled()) else { return };
    live.txn.origin = origin;
    if profile.is_some() {
        // Its formats are the rule's: what they read is not known before.
        upstream::look_up_addresses(&mut live.txn.upstream);
    }
    {
        let env = Env::new(&*live, live.vars(), live.arena());
        logger.asked_for(live.client.session.worker().id(), level, &env, profile);
    }
    finish(live, false);
}

/// Writes the line of what was not a request.
fn no_request(live: &mut Live<'_>) {
    let session = &live.client.session;
    let generation = Arc::clone(session.generation());
    let logger = generation.logger(session.proxy());
    if !logger.is_enabled() {
        return;
    }
    live.txn.number = session.next_number();
    live.txn.times.now = Some(live.txn.times.end.unwrap_or_else(|| live.client.age()));
    live.txn.origin = Origin::SessionError;
    {
        let env = Env::new(&*live, live.vars(), live.arena());
        logger.no_stream(live.client.session.worker().id(), &env);
    }
    finish(live, true);
}

/// A line was made, and `counted` if it is one of the frontend's.
fn finish(live: &mut Live<'_>, counted: bool) {
    live.txn.origin = Origin::Unspecified;
    if counted {
        live.client.session.frontend().state.front.log_lines.fetch_add(1, Relaxed);
    }
    live.txn.arena.reset();
}

/// Counts an exchange that is over, and writes its line.
pub(super) fn close(live: &mut Live<'_>) {
    account(live);
    write(live, Origin::Close);
}

/// Adds an exchange that is over to the counters of everybody concerned.
pub(super) fn account(live: &mut Live<'_>) {
    add(live, Some(live.txn.layer.response.status));
    let Some(backend) = &live.txn.backend else { return };
    let times = averaged(live.client, live.txn);
    if let (Some(cell), Some(times)) = (&live.txn.upstream.cell, times) {
        cell.durations().record(times);
    }
    // A backend's averages are those of all its requests: what was answered without a server took none of these times.
    backend.pool.durations().record(times.unwrap_or_default());
}

/// Adds what was moved to the counters of everybody concerned, which is all that counts of an exchange that the client
/// has to repeat.
pub(super) fn moved(live: &mut Live<'_>) {
    add(live, None);
}

/// Adds what was moved, and the status if the client was `answered`.
fn add(live: &mut Live<'_>, answered: Option<u16>) {
    live.count_tracked(Event::BytesIn(live.txn.counts.from_client));
    live.count_tracked(Event::BytesOut(live.txn.counts.from_server));
    let session = &live.client.session;
    let worker = session.worker().id();
    let counts = &live.txn.counts;
    let front = session.frontend().state.front.counters.of(worker);
    front.request_bytes_in.add(counts.from_client);
    front.request_bytes_out.add(counts.to_server);
    front.response_bytes_in.add(counts.from_server);
    front.response_bytes_out.add(counts.to_client);
    if let Some(status) = answered {
        front.response(status);
    }
    let listener = session.listener().state.counters.of(worker);
    listener.request_bytes_in.add(counts.from_client);
    listener.response_bytes_out.add(counts.to_client);
    let Some(backend) = &live.txn.backend else { return };
    let own = backend.pool.counters().of(worker);
    own.request_bytes_in.add(counts.from_client);
    own.request_bytes_out.add(counts.to_server);
    own.response_bytes_in.add(counts.from_server);
    own.response_bytes_out.add(counts.to_client);
    if let Some(status) = answered {
        own.requests.inc();
        own.response(status);
    }
    let Some(cell) = &live.txn.upstream.cell else { return };
    let own = cell.counters().of(worker);
    own.request_bytes_in.add(counts.from_client);
    own.request_bytes_out.add(counts.to_server);
    own.response_bytes_in.add(counts.from_server);
    own.response_bytes_out.add(counts.to_client);
}

/// Counts a response, which may be an interim one, at the server that gave it.
pub(super) fn server_response(live: &Live<'_>) {
    if let Some(cell) = &live.txn.upstream.cell {
        let own = cell.counters().of(live.client.session.worker().id());
        own.requests.inc();
        own.response(live.txn.layer.response.status);
    }
}

/// What averages are made of: the milliseconds in the queue, to connect, to the response, and altogether, as [`timers`]
/// says them at the end; nothing where neither a server nor a service answered.
fn averaged(client: &Client, txn: &Txn) -> Option<[u64; 4]> {
    let times = &txn.times;
    let (connect, response) = (times.connect?, times.response?);
    let between = |from: Option<Duration>, to: Option<Duration>| span(from, to).unwrap_or(0);
    let placed = match txn.termination.phase {
        Phase::Tarpit => times.begin,
        _ => times.request.filter(|_| txn.layer.has_request && !txn.untimed),
    };
    let end = times.end.unwrap_or_else(|| client.age());
    Some([
        between(placed, times.queue),
        between(times.queue, Some(connect)),
        between(Some(connect), Some(response)),
        between(times.begin.or(times.ready), Some(end)),
    ])
}

/// What goes wrong here, not at a client or a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mishap {
    /// A rule could not change a message.
    Rewrite,
    /// The exchange ended with an internal error.
    Internal,
}

/// Counts a mishap of everything that the exchange concerns so far.
pub(super) fn mishap(live: &Live<'_>, mishap: Mishap) {
    let session = &live.client.session;
    let worker = session.worker().id();
    let rewrite = mishap == Mishap::Rewrite;
    let own = session.frontend().state.front.counters.of(worker);
    (if rewrite { &own.failed_rewrites } else { &own.internal_errors }).inc();
    let own = session.listener().state.counters.of(worker);
    (if rewrite { &own.failed_rewrites } else { &own.internal_errors }).inc();
    if let Some(backend) = &live.txn.backend {
        let own = backend.pool.counters().of(worker);
        (if rewrite { &own.failed_rewrites } else { &own.internal_errors }).inc();
    }
    if let Some(cell) = &live.txn.upstream.cell {
        let own = cell.counters().of(worker);
        (if rewrite { &own.failed_rewrites } else { &own.internal_errors }).inc();
    }
}

/// Counts a response that is none, or is not whole.
pub(super) fn response_error(live: &Live<'_>) {
    if let (Some(cell), Some(backend)) = (&live.txn.upstream.cell, &live.txn.backend) {
        upstream::tally(live, backend).response_error(Some(cell));
    }
}

/// Counts a transfer that one side ended.
pub(super) fn abort(live: &Live<'_>, cause: Cause) {
    let Some(backend) = &live.txn.backend else { return };
    let (tally, cell) = (upstream::tally(live, backend), live.txn.upstream.cell.as_deref());
    match cause {
        Cause::ClientAbort | Cause::ClientTimeout => tally.client_abort(cell),
        Cause::ServerAbort | Cause::ServerTimeout => tally.server_abort(cell),
        _ => {}
    }
}

/// `capture response header` and `capture cookie`.
pub(super) fn capture_response(live: &mut Live<'_>) {
    let Live { client, txn } = live;
    let Some(front) = client.frontend() else { return };
    let layer = &mut txn.layer;
    for (slot, spec) in layer.response_captures.iter_mut().zip(&front.captures.response) {
        let Some(name) = &spec.header else { continue };
        if let Some(index) = layer.response.fields.rfind(name.as_bytes(), usize::MAX) {
            slot.set(layer.response.fields.value(index), spec.limit);
        }
    }
    if let Some((name, limit)) = &front.captures.cookie {
        let found = layer.response.fields.all(b"set-cookie").find(|value| value.starts_with(name));
        if let Some(value) = found {
            let end = memchr::memchr(b';', value).unwrap_or(value.len());
            layer.response_cookie.set(&value[..end], *limit);
        }
    }
}

/// Counts a request, or what came in the place of one.
pub(super) fn request(live: &Live<'_>) {
    let session = &live.client.session;
    let counters = session.frontend().state.front.counters.of(session.worker().id());
    counters.requests.inc();
    counters.h1_requests.inc();
}

/// Counts what is wrong with a request.
pub(super) fn bad_request(live: &Live<'_>) {
    let session = &live.client.session;
    session.frontend().state.front.counters.of(session.worker().id()).request_errors.inc();
}

/// The exchange is over: what its variables held is gone.
pub(super) fn session_end(client: &mut Client, txn: &mut Txn) {
    upstream::part(&mut Live { client, txn });
    txn.vars.end_request();
}

/// Which statuses are errors of clients, which failures of servers.
pub(super) fn codes(client: &Client) -> HttpCodes {
    client.session.generation().plan.process().http_codes
}

/// Counts a server's response in stick tables by what its status is said to mean.
#[inline]
pub(super) fn tracked_status(live: &mut Live<'_>, status: u16) {
    if live.client.session.may_count(&live.txn.tracked) {
        count_status(live, status);
    }
}

fn count_status(live: &mut Live<'_>, status: u16) {
    let codes = codes(live.client);
    let (error, failure) = (codes.errors.has(status), codes.failures.has(status));
    if error {
        live.count_tracked(Event::HttpError);
    }
    if failure {
        live.count_tracked(Event::HttpFailure);
    }
}
