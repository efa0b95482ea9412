//! From a request to a connected server: slot, idle connection or new one, retries.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use lb_core::balance::{Algorithm, Key, ServerId, hash};
use lb_core::engine::ProxyPlan;
use lb_core::expr::{Env, Facts};
use lb_core::health::Observation;
use lb_core::log::{Cause, Phase};
use lb_core::pool::{Acquired, Lease, Outcome, Pool, Request};
use lb_core::rt::{Ends, Tally, open_server, server_endpoint, server_of};

use super::client::{Client, Private};
use super::identity;
use super::idle::{self, Mark, Wanted};
use super::io::{Presence, Watch};
use super::observed;
use super::reply::Answer;
use super::request::body_is_buffered;
use super::txn::{Live, Upstream};
use crate::exchange::{Attempt, RetryPolicy};
use crate::fetch::body;
use crate::head::Method;
use crate::persist::{Binding, Found};
use crate::rule::Session;
use crate::spec::{HttpProxy, Reuse};

/// Why there is no server connection.
pub(super) enum Failure {
    /// The client is told.
    Answer(Answer),
    /// The client went away.
    Gone(Phase),
}

fn failure(status: u16, cause: Cause, phase: Phase) -> Failure {
    Failure::Answer(Answer::Error { status, cause, phase })
}

/// What interrupted a wait.
enum Interrupt {
    Expired,
    /// The client closed its sending side, or broke the connection.
    Gone(Presence),
}

/// The client left while its request waited. That breaks off what it was sending, or all that it is sent, if it does not listen
/// any more.
fn left(live: &Live<'_>, how: Presence, phase: Phase) -> Failure {
    if how == Presence::Broken || !body_is_buffered(&live.txn.layer.request) {
        super::log::abort(live, Cause::ClientAbort);
    }
    Failure::Gone(phase)
}

/// What the pool says of a cookie value.
pub(super) fn find_cookie(pool: Option<&Arc<Pool>>, value: &[u8]) -> Found {
    let Some(pool) = pool else { return Found::Nobody };
    let Ok(value) = std::str::from_utf8(value) else { return Found::Nobody };
    let Some(id) = pool.by_cookie(value) else { return Found::Nobody };
    match pool.server(id) {
        Some(cell) if cell.accepts_persistent() => Found::Usable(id.0),
        Some(_) => Found::Down(id.0),
        None => Found::Nobody,
    }
}

/// Finds a server for the request and a connection to it.
pub(super) async fn attach(
    live: &mut Live<'_>,
    back: &HttpProxy,
    backend: &Arc<ProxyPlan>,
    avoid: Option<ServerId>,
) -> Result<(), Failure> {
    part(live);
    let mut policy = None;
    let (mut avoid, mut counted) = (avoid, true);
    loop {
        // Of the server before.
        live.txn.upstream.remaining = None;
        let slot = slot(live, back, backend, avoid).await;
        if let Some(failed) = avoid {
            let found = slot.as_ref().ok().and_then(|lease| lease.server().id());
            note_move(live, backend, failed, found, counted);
        }
        let lease = slot?;
        let Some(server) = server_of(live.client.session.generation(), backend, &lease) else {
            return Err(failure(503, Cause::ServerAbort, Phase::Connect));
        };
        live.client.session.bound_for(backend.index, Some(server.index));
        live.txn.upstream.ending = live.client.session.ending(backend, &server);
        let redirection = server.spec.redirect.clone();
        live.txn.server = Some(server);
        if let Some(prefix) = redirection.filter(|_| is_redirectable(live)) {
            live.txn.upstream.lease = Some(lease);
            return Err(Failure::Answer(Answer::ServerRedirect(prefix)));
        }
        live.txn.upstream.cell = Some(Arc::clone(lease.server()));
        live.txn.upstream.lease = Some(lease);
        match on_server(live, back, backend, &mut policy).await? {
            Some(elsewhere) => (avoid, counted) = (Some(elsewhere), false),
            None => return Ok(()),
        }
    }
}

/// Notes what became of leaving the server `failed`: there may be no other. The retry may have been `counted` before.
fn note_move(
    live: &mut Live<'_>,
    backend: &ProxyPlan,
    failed: ServerId,
    found: Option<ServerId>,
    counted: bool,
) {
    if tally(live, backend).departure(failed, found, counted) {
        live.txn.upstream.redispatched = true;
        live.txn.persistence.leave();
        live.txn.termination.cookie_request = live.txn.persistence.letters().0;
    }
}

/// What counts attempts and transfers at the servers of `backend`.
pub(super) fn tally<'p>(live: &Live<'_>, backend: &'p ProxyPlan) -> Tally<'p> {
    Tally::new(&backend.pool, live.client.session.worker().id())
}

/// What becomes of failed attempts.
pub(super) fn policy(live: &Live<'_>, backend: &ProxyPlan) -> RetryPolicy {
    let mut retry = backend.spec.pool.retry;
    let persistence = &live.txn.persistence;
    if persistence.binding == Binding::Forced {
        retry.redispatch = 0;
    }
    let tied = backend.spec.pool.algorithm.needs_key() || persistence.direct;
    RetryPolicy {
        retries: live.txn.settings.retries.unwrap_or(retry.retries),
        retry,
        free: !tied && backend.pool.census().active > 1,
        connect: live.txn.settings.connect.or(backend.spec.timeouts.connect),
        used: live.txn.upstream.retries,
    }
}

/// Only what changes nothing is asked for again elsewhere (`redir`).
fn is_redirectable(live: &Live<'_>) -> bool {
    matches!(live.txn.layer.request.method, Method::Get | Method::Head)
}

/// A slot on a server, waiting for it if need be.
async fn slot(
    live: &mut Live<'_>,
    back: &HttpProxy,
    backend: &Arc<ProxyPlan>,
    avoid: Option<ServerId>,
) -> Result<Lease, Failure> {
    let start = live.instant();
    let limit = live.txn.settings.queue.or_else(|| backend.spec.timeouts.effective_queue());
    let mut pinned = true;
    loop {
        let acquired = acquire(live, back, backend, avoid, pinned, start);
        let mut ticket = match acquired {
            Acquired::Leased(lease) => {
                live.txn.times.queue = live.txn.times.queue.or(live.txn.times.now);
                return Ok(lease);
            }
            Acquired::Queued(ticket) => ticket,
            Acquired::NoServer => {
                (live.txn.server, live.txn.upstream.cell) = (None, None);
                forget(&mut live.txn.upstream);
                tally(live, backend).failure(None);
                return Err(failure(503, Cause::ServerAbort, Phase::Connect));
            }
            Acquired::QueueFull(id) if pinned && may_leave(live, backend) => {
                pinned = false;
                live.txn.persistence.untie();
                note_move(live, backend, id, None, false);
                continue;
            }
            Acquired::QueueFull(id) => {
                live.txn.server = backend.servers.get(id.index()).cloned();
                live.txn.upstream.cell = backend.pool.server(id);
                tally(live, backend).failure(live.txn.upstream.cell.as_deref());
                return Err(failure(503, Cause::ServerAbort, Phase::Queue));
            }
        };
        let queue_of = ticket.server();
        let outcome = guarded(live, back, limit.map(|limit| start + limit), &mut ticket).await;
        live.txn.times.queue = Some(live.touch());
        let position = u32::try_from(ticket.position()).unwrap_or(u32::MAX);
        let upstream = &mut live.txn.upstream;
        *(if queue_of.is_some() { &mut upstream.server_queue } else { &mut upstream.backend_queue }) =
            position;
        if outcome.is_err() {
            let id = queue_of.as_ref().and_then(|cell| cell.id());
            live.txn.server = id.and_then(|id| backend.servers.get(id.index()).cloned());
            live.txn.upstream.cell = queue_of.clone();
        }
        match outcome {
            Ok(Outcome::Leased(lease)) => return Ok(lease),
            // The queue was dissolved because its server went away: the others may have room.
            Ok(Outcome::Evicted) => {
                if let Some(id) = queue_of.and_then(|cell| cell.id()) {
                    note_move(live, backend, id, None, false);
                }
            }
            Err(Interrupt::Expired) => {
                tally(live, backend).failure(live.txn.upstream.cell.as_deref());
                return Err(failure(503, Cause::ServerTimeout, Phase::Queue));
            }
            Err(Interrupt::Gone(how)) => return Err(left(live, how, Phase::Queue)),
        }
    }
}

/// Whether a request may leave the server it is bound to because that has no room for it.
fn may_leave(live: &Live<'_>, backend: &ProxyPlan) -> bool {
    let persistence = &live.txn.persistence;
    persistence.direct && persistence.binding != Binding::Forced && backend.spec.pool.retry.redispatch != 0
}

/// Asks the pool, with what the algorithm wants to know of the request.
fn acquire(
    live: &mut Live<'_>,
    back: &HttpProxy,
    backend: &Arc<ProxyPlan>,
    avoid: Option<ServerId>,
    pinned: bool,
    now: Instant,
) -> Acquired {
    let again = live.txn.upstream.again.take();
    let pinned = again.or_else(|| if pinned { pinned_server(live, backend) } else { None });
    let source = live.src().map(|addr| addr.ip());
    let env = Env::new(live.facts(), live.vars(), live.arena());
    let request = &live.txn.layer.request;
    let key = match &backend.spec.pool.algorithm {
        Algorithm::Source => source.map_or(Key::None, Key::Address),
        Algorithm::Uri { whole, len, depth, path_only } => {
            let uri = if *path_only { hash::uri_path(request.target()) } else { request.target() };
            Key::Bytes(hash::uri_key(uri, *whole, *len, *depth))
        }
        Algorithm::Hdr { name, use_domain_only } => {
            let name = name.to_ascii_lowercase();
            match request.fields.get(name.as_bytes()) {
                Some(value) if *use_domain_only => Key::Bytes(hash::domain_label(value)),
                Some(value) => Key::Bytes(value),
                None => Key::None,
            }
        }
        Algorithm::UrlParam { name, .. } => {
            let in_body = || {
                if request.method != Method::Post {
                    return None;
                }
                let body = body::decoded(&env, request.buffered_body(), request.body)?;
                body::param(body, name)
            };
            hash::url_param(request.target(), name.as_bytes()).or_else(in_body).map_or(Key::None, Key::Bytes)
        }
        Algorithm::Hash => {
            let value = back.hash_key.as_ref().and_then(|program| program.eval(&env));
            let value = value.and_then(|value| backend.spec.pool.hash_key(value, env.arena));
            value.map_or(Key::None, Key::Bytes)
        }
        _ => Key::None,
    };
    let settings = &live.txn.settings;
    let mut wanted = Request::new().with_key(key).avoiding(avoid);
    let class = settings.class.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
    wanted = wanted.with_priority(class, settings.offset);
    if let Some(id) = pinned.filter(|id| Some(*id) != avoid) {
        wanted = wanted.direct(id);
        // What is asked for once more goes where it went before, even if that is down now.
        if again.is_some() || live.txn.persistence.binding == Binding::Forced {
            wanted = wanted.forced();
        }
    }
    let acquired = backend.pool.acquire(now, &wanted);
    live.reset_arena();
    acquired
}

/// The server the request is tied to, or whose connection is the client's.
fn pinned_server(live: &mut Live<'_>, backend: &ProxyPlan) -> Option<ServerId> {
    let tied = live.txn.persistence.server.filter(|_| live.txn.persistence.direct).map(ServerId);
    let kept = || {
        if backend.spec.pool.algorithm.needs_key() {
            return None;
        }
        live.client.preferred(live.txn.back.prefers_last).find_map(|cell| {
            let id = cell.id().filter(|_| cell.takes_new())?;
            // The number alone could be that of a server of another backend.
            backend.pool.server(id).filter(|own| Arc::ptr_eq(own, cell)).map(|_| id)
        })
    };
    tied.or_else(kept)
}

/// The server a rule names (`use-server`).
pub(super) fn named_server(live: &mut Live<'_>, back: &HttpProxy) -> Option<ServerId> {
    let backend = live.txn.backend.as_ref().filter(|_| !back.servers.is_empty())?;
    let forced = live.txn.persistence.binding == Binding::Forced;
    let usable =
        |id: ServerId| backend.pool.server(id).is_some_and(|cell| forced || cell.accepts_persistent());
    let chosen = {
        let env = Env::new(live.facts(), live.vars(), live.arena());
        backend.chosen_server(&back.servers, &env, usable)
    };
    live.reset_arena();
    chosen
}

/// Gets a connection to the server of the lease. `Some` names the server to avoid when another is to be tried. The policy is
/// made when a connection is to be opened: most exchanges find one.
async fn on_server(
    live: &mut Live<'_>,
    back: &HttpProxy,
    backend: &Arc<ProxyPlan>,
    policy: &mut Option<RetryPolicy>,
) -> Result<Option<ServerId>, Failure> {
    if live.txn.deserted && heeds_leaving(&live.txn.layer.request, back) {
        abandon(live);
        return Err(Failure::Gone(Phase::Connect));
    }
    live.txn.upstream.identity = identity::of(live, backend);
    forget(&mut live.txn.upstream);
    let mark = mark(live);
    let Live { client, txn } = &mut *live;
    let Some(cell) = &txn.upstream.cell else {
        return Err(failure(503, Cause::ServerAbort, Phase::Connect));
    };
    let own = client.private(cell, mark);
    txn.upstream.private = own.is_some();
    let wanted = if own.is_some() { None } else { wanted(client, back) };
    if let Some(stream) = idle::begin(cell, wanted, mark).or(own) {
        tally(live, backend).reuse(live.txn.upstream.cell.as_deref());
        let now = live.txn.times.now;
        live.txn.times.connect = now;
        (live.txn.upstream.reused, live.txn.upstream.proven) = (true, true);
        live.txn.upstream.stream = Some(stream);
        observed::tell(live, Some(Observation::Connected));
        return Ok(None);
    }
    live.txn.upstream.proven = false;
    let policy = policy.get_or_insert_with(|| self::policy(live, backend));
    loop {
        let start = Instant::now();
        // Most exchanges open none and must not pay for it with a larger future.
        let deadline = policy.connect.map(|limit| start + limit);
        let error = match Box::pin(open(live, back, backend, deadline)).await {
            Ok(()) => return Ok(None),
            Err(Some(cause)) => cause,
            Err(None) => {
                abandon(live);
                return Err(Failure::Gone(Phase::Connect));
            }
        };
        observed::tell(live, Some(Observation::NotConnected));
        match after_failure(live, back, policy) {
            Attempt::Last => {
                tally(live, backend).failure(live.txn.upstream.cell.as_deref());
                abandon(live);
                return Err(failure(503, error, Phase::Connect));
            }
            Attempt::Elsewhere => {
                live.txn.upstream.retries = policy.used;
                live.txn.persistence.untie();
                let id = live.txn.upstream.cell.as_ref().and_then(|cell| cell.id());
                abandon(live);
                // What comes next may be a connection that is there, whose server has all its time from here.
                live.touch();
                return Ok(id);
            }
            Attempt::Same(pause) => {
                live.txn.upstream.retries = policy.used;
                turn_around(live, back, backend, start + pause).await?;
            }
        }
    }
}

/// Waits until another attempt on the same server is due, which is another session of it.
async fn turn_around(
    live: &mut Live<'_>,
    back: &HttpProxy,
    backend: &ProxyPlan,
    due: Instant,
) -> Result<(), Failure> {
    tally(live, backend).retry(live.txn.upstream.cell.as_deref());
    let mut never = std::future::pending::<()>();
    if let Err(Interrupt::Gone(how)) = guarded(live, back, Some(due), &mut never).await {
        abandon(live);
        return Err(left(live, how, Phase::Connect));
    }
    if let Some(lease) = &live.txn.upstream.lease {
        lease.again();
    }
    Ok(())
}

/// What a connection that failed leads to (`retry-on`).
fn after_failure(live: &Live<'_>, back: &HttpProxy, policy: &mut RetryPolicy) -> Attempt {
    if back.retry_on.connect { policy.failed(is_lame(live)) } else { Attempt::Last }
}

/// Whether the server of the last attempt is not, or not quite, up.
pub(super) fn is_lame(live: &Live<'_>) -> bool {
    live.txn.upstream.cell.as_ref().is_some_and(|cell| cell.is_lame())
}

/// Opens a connection to the server of the transaction. Without a cause the client went away.
async fn open(
    live: &mut Live<'_>,
    back: &HttpProxy,
    backend: &Arc<ProxyPlan>,
    deadline: Option<Instant>,
) -> Result<(), Option<Cause>> {
    let Some(server) = live.txn.server.clone() else { return Err(Some(Cause::Internal)) };
    tally(live, backend).attempt(live.txn.upstream.cell.as_deref());
    let generation = Arc::clone(live.client.session.generation());
    let id = live.txn.upstream.cell.as_ref().and_then(|cell| cell.id());
    let identity = std::mem::take(&mut live.txn.upstream.identity);
    let mut ends = Ends::new(live.src(), live.dst());
    ends.sni = identity.sni.as_deref();
    ends.speaks = true;
    ends.marks = live.client.marks();
    ends.fields = identity.fields.iter().map(|(kind, value)| (*kind, &value[..])).collect();
    let done = {
        let mut attempt = std::pin::pin!(open_server(&generation, backend, &server, id, &ends));
        guarded(live, back, deadline, &mut attempt).await
    };
    live.txn.upstream.identity = identity;
    match done {
        Ok(Ok(stream)) => {
            live.txn.times.connect = Some(live.touch());
            live.txn.upstream.stream = Some(stream);
            forget(&mut live.txn.upstream);
            observed::tell(live, Some(Observation::Connected));
            Ok(())
        }
        Ok(Err(error)) => {
            unreached(live, backend, error.kind());
            Err(Some(Cause::ServerAbort))
        }
        Err(Interrupt::Expired) => {
            unreached(live, backend, io::ErrorKind::TimedOut);
            Err(Some(Cause::ServerTimeout))
        }
        Err(Interrupt::Gone(_)) => Err(None),
    }
}

/// Forgets the attempt before.
fn forget(upstream: &mut Upstream) {
    (upstream.fault, upstream.local, upstream.peer) = (None, None, None);
}

/// Looks up the addresses of the server connection for lines that tell of it: one that is over no longer has them.
pub(super) fn note_addresses(live: &mut Live<'_>) {
    let session = &live.client.session;
    if session.generation().logger(session.proxy()).reads_server() {
        look_up_addresses(&mut live.txn.upstream);
    }
}

/// Looks up the addresses of the server connection, if there is one and that was not done before.
pub(super) fn look_up_addresses(upstream: &mut Upstream) {
    (upstream.local, upstream.peer) = (upstream.local(), upstream.peer());
}

/// Notes, for lines that may tell of it, which server could not be reached and why.
fn unreached(live: &mut Live<'_>, backend: &ProxyPlan, error: io::ErrorKind) {
    let (destination, upstream) = (live.dst(), &mut live.txn.upstream);
    upstream.fault = Some(error);
    let id = upstream.cell.as_ref().and_then(|cell| cell.id());
    let server = live.txn.server.as_ref();
    upstream.peer = server.and_then(|server| server_endpoint(backend, server, id, destination).inet());
}

/// Gives the slot back without a connection.
fn abandon(live: &mut Live<'_>) {
    if let Some(lease) = live.txn.upstream.lease.take() {
        idle::end(lease.server());
        live.txn.upstream.give_back(lease);
    }
}

/// Which idle connections the request may use.
fn wanted(client: &Client, back: &HttpProxy) -> Option<Wanted> {
    match back.reuse {
        Reuse::Never => None,
        Reuse::Always => Some(Wanted::Any),
        // A connection that turns out to be closed costs an attempt, which must be repeated then.
        _ if client.requests > 0 || back.retry_on.covers_closed() => Some(Wanted::Any),
        Reuse::Aggressive => Some(Wanted::Proven),
        Reuse::Safe => None,
    }
}

/// What idle connections for this request are marked with.
fn mark(live: &Live<'_>) -> Mark {
    let upstream = &live.txn.upstream;
    Mark { epoch: upstream.ending.epoch_then(), key: upstream.identity.key }
}

/// What becomes of a server connection after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// It is closed, whatever is still under way in it.
    No,
    /// It has ended: what was sent last arrives.
    Ended,
    /// It may serve any client.
    ByAll,
    /// It may serve this client.
    ByClient,
}

/// Parts with the server connection.
pub(super) fn detach(live: &mut Live<'_>, kept: Kept) {
    live.txn.upstream.visit = None;
    let Some(lease) = live.txn.upstream.lease.take() else {
        // Unless it was parted with before, and is held for the lines that tell of it.
        if live.txn.upstream.farewell.is_none() {
            live.txn.upstream.stream = None;
        }
        return;
    };
    let bound = kept == Kept::ByClient;
    let alone = bound || !live.txn.back.shares || live.txn.upstream.private;
    if bound {
        live.client.extras().bound = true;
    }
    let farewell = Farewell { mark: mark(live), kept, alone };
    live.txn.upstream.give_back(lease);
    let session = &live.client.session;
    if live.txn.upstream.stream.is_some() && session.generation().logger(session.proxy()).reads_server() {
        live.txn.upstream.farewell = Some(farewell);
    } else {
        farewell.run(live);
    }
}

/// Parts with a connection that was held for the lines that tell of it.
pub(super) fn part(live: &mut Live<'_>) {
    if let Some(farewell) = live.txn.upstream.farewell.take() {
        farewell.run(live);
    }
}

/// What becomes of a server connection whose exchange is over.
pub(super) struct Farewell {
    mark: Mark,
    kept: Kept,
    /// It serves this client only.
    alone: bool,
}

impl Farewell {
    fn run(self, live: &mut Live<'_>) {
        let Self { mark, kept, alone } = self;
        let Some(cell) = live.txn.upstream.cell.take() else { return };
        match live.txn.upstream.stream.take() {
            Some(stream) if kept == Kept::Ended => {
                idle::end(&cell);
                drop(stream);
            }
            Some(stream) if kept != Kept::No && alone => {
                idle::end(&cell);
                live.client.extras().keep(Private::new(Arc::clone(&cell), stream, mark));
            }
            Some(stream) if kept == Kept::ByAll => {
                let server = live.txn.server.as_ref().map(|server| &server.spec);
                let room = idle::Room {
                    most: server.and_then(|spec| spec.pool_max_conn),
                    spare: server.map_or(0, |spec| spec.pool_low_conn as usize),
                    delay: server.map_or(Duration::ZERO, |spec| spec.pool_purge_delay),
                    ending: &live.txn.upstream.ending,
                };
                let proven = live.txn.upstream.proven;
                idle::keep(&cell, stream, mark, proven, room, &live.client.session);
            }
            stream => {
                idle::end(&cell);
                if let Some(stream) = stream {
                    idle::close(&stream);
                }
            }
        }
        live.txn.upstream.cell = Some(cell);
    }
}

/// Whether a client that closes its sending side is taken to have left. One that asked for a tunnel has said what it had
/// to say through it.
pub(super) fn heeds_leaving(request: &crate::head::Request, back: &HttpProxy) -> bool {
    back.abort_on_close && request.method != Method::Connect
}

/// The result of `work`, unless its time is over or the client goes away and that matters.
async fn guarded<F: Future + Unpin>(
    live: &mut Live<'_>,
    back: &HttpProxy,
    deadline: Option<Instant>,
    work: &mut F,
) -> Result<F::Output, Interrupt> {
    let mut armed = false;
    let mut watch = Watch::new(heeds_leaving(&live.txn.layer.request, back));
    let client = &mut *live.client;
    std::future::poll_fn(|cx| {
        if let Poll::Ready(done) = std::pin::Pin::new(&mut *work).poll(cx) {
            return Poll::Ready(Ok(done));
        }
        if !armed {
            armed = true;
            client.timer.set(deadline);
        }
        if let Poll::Ready(how) = watch.poll_gone(&mut client.stream, client.session.worker(), cx) {
            return Poll::Ready(Err(Interrupt::Gone(how)));
        }
        client.timer.poll_expired(cx).map(|()| Err(Interrupt::Expired))
    })
    .await
}

/// Milliseconds of a duration.
pub(super) fn millis(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1000).saturating_add(u64::from(time.subsec_millis()))
}
