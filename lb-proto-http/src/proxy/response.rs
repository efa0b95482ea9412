//! The server side of an exchange: sending the request, waiting for the response, passing it on.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use lb_core::engine::ProxyPlan;
use lb_core::health::Observation;
use lb_core::log::{Cause, Origin, Phase};
use lb_core::rt::Pace;
use lb_core::rule::RuleSet;
use lb_core::stick::Event;

use super::body::Sink;
use super::exchange::{After, end, fail, gone};
use super::flow::{Flow, FlowEnd};
use super::io::{BUFFER, Behind, Presence, Watch, give_fields, take_fields, take_scratch, write_in_time};
use super::reply::{self, Answer};
use super::request::{Fate, Parting};
use super::txn::{Back, Live};
use super::unread::Unread;
use super::upload::Upload;
use super::upstream::{self, Failure, Kept};
use super::{coding, content, deliver, front_of, http_of, log, observed, request, tunnel};
use crate::exchange::Attempt;
use crate::h1::{
    BodyLength, Cursor as HeadCursor, Reject, parse_response, trim, write_request, write_response,
};
use crate::head::{Fields, Method, Version};
use crate::rule::{Cursor, Outcome, Subject};
use crate::spec::{Action, ConnectionMode, HttpProxy};

/// Why there is no response.
pub(super) enum NoResponse {
    /// The server closed, or the connection broke, before a complete head.
    Closed,
    /// It is not a response.
    Bad,
    /// Nothing came in time.
    Late,
    /// The client did not send its body in time.
    ClientLate,
    /// The client went away.
    Gone,
    /// The client's connection broke.
    Broken,
    /// The client does not take what the server says.
    Deaf,
    /// The client's connection ended in the middle of its body.
    Cut,
    /// The client's body is not what its framing says.
    BadBody,
    /// Sessions on the server are ended.
    Killed,
}

/// Sends the request to a server and the response to the client.
pub(super) async fn forward(live: &mut Live<'_>, backend: &Arc<ProxyPlan>) -> After {
    let Some(back) = http_of(&*backend.spec.protocol) else {
        return fail(live, 503, Cause::Internal, Phase::Connect).await;
    };
    live.txn.back = Back::of(back);
    let mut avoid = None;
    loop {
        match upstream::attach(live, back, backend, avoid).await {
            Ok(()) => {
                upstream::note_addresses(live);
                log::write(live, Origin::Connect);
            }
            Err(Failure::Answer(Answer::Error {
                status,
                cause: Cause::ServerTimeout,
                phase: Phase::Connect,
            })) if live.client.requests > 0 => {
                Unread::count(live);
                live.txn.layer.response.status = status;
                end(live, Cause::ServerTimeout, Phase::Connect);
                log::close(live);
                return unanswered(live);
            }
            Err(Failure::Answer(answer)) => return reply::answer(live, answer).await,
            Err(Failure::Gone(phase)) => return client_aborted(live, phase, None).await,
        }
        let mut upload = std::future::poll_fn(|cx| Poll::Ready(begin(live, back, cx))).await;
        if upload.is_received() {
            live.txn.shelter();
        }
        let waited = wait(live, back, &mut upload).await;
        live.txn.counts.to_server += upload.moved();
        let seen = observed::first(live, &waited);
        if is_retried(live, back, &waited)
            && upload.is_repeatable()
            && let Some(id) = retry(live, back, &upload, waited.is_ok(), seen)
        {
            if matches!(waited, Err(NoResponse::Closed | NoResponse::Bad)) {
                log::response_error(live);
            }
            if let Some(limits) = &mut live.txn.limits {
                limits.request.extend(upload.take_limiters());
            }
            avoid = id;
            continue;
        }
        // Nothing of an attempt that is repeated was taken from the client for good.
        live.txn.counts.from_client += upload.bytes();
        return match waited {
            Ok(()) => {
                log::server_response(live);
                observed::tell(live, seen);
                pass_on(live, back, &mut upload).await
            }
            Err(none) => failed(live, none, seen, &mut upload).await,
        };
    }
}

/// Of the transfer codings a client accepts, only `trailers` holds beyond its own connection.
fn accept_trailers_only(fields: &mut Fields) {
    if fields.find(b"te", 0).is_none() {
        return;
    }
    let trailers = |value: &[u8]| {
        value.split(|byte| *byte == b',').any(|coding| trim(coding).eq_ignore_ascii_case(b"trailers"))
    };
    let wanted = fields.all(b"te").any(trailers);
    let mut first = fields.find(b"te", 0).filter(|_| wanted);
    if let Some(index) = first {
        fields.set_value(index, b"trailers");
    }
    fields.remove_if(|name, _| name == b"te" && first.take().is_none());
}

/// Begins to send the request, with what is there of its body, to the server.
fn begin(live: &mut Live<'_>, back: &HttpProxy, cx: &mut Context<'_>) -> Upload {
    let close = closes_server(live, back) && !back.pretend_keepalive;
    if let (Some(name), Some(server)) = (&back.send_name_header, &live.txn.server) {
        live.txn.layer.request.fields.set(name.as_bytes(), server.spec.name.as_str().as_bytes());
    }
    accept_trailers_only(&mut live.txn.layer.request.fields);
    let mut out = take_scratch();
    let request = &live.txn.layer.request;
    let option: &[(&[u8], &[u8])] = match (close, request.version) {
        (true, Version::Http11) => &[(b"connection", b"close")],
        (false, Version::Http10) if request.body != BodyLength::Chunked => &[(b"connection", b"keep-alive")],
        _ => &[],
    };
    write_request(&mut out, request, option);
    if back.case_adjust_server {
        reply::adjust_case(&mut out, &back.case_adjust);
    }
    let sink = if request.body == BodyLength::Chunked { Sink::Chunks } else { Sink::Plain };
    let coding = live.txn.coding;
    let mut transfer = coding::transfer(request.body, coding.request, coding.level, sink);
    // Without a body they are for what comes behind the head: a tunnel.
    let limiters = if transfer.is_done() { None } else { live.txn.take_limits(|limits| &mut limits.request) };
    let request = &live.txn.layer.request;
    let there = request.buffered_body();
    let mut broken = None;
    let mut pace = None;
    let there = if let Some(limiters) = limiters {
        // What came along with the head is subject to the limits, too.
        pace = Some(Pace::new(limiters, live.client.session.timers().timer(), there.to_vec()));
        live.txn.layer.request.body_at += there.len();
        &[]
    } else {
        there
    };
    match transfer.take(there, &mut out) {
        Ok(taken) => {
            if taken.verbatim {
                out.extend_from_slice(&there[..taken.used]);
            }
            live.txn.layer.request.body_at += taken.used;
        }
        Err(reject) => broken = Some(reject),
    }
    let moved = out.len() as u64;
    let started = Flow::start(cx, live.txn.upstream.stream.as_mut(), Behind::More, transfer, out, broken);
    let mut upload = Upload::begun(started, moved);
    if let Some(pace) = pace {
        upload.pace(pace);
    }
    upload
}

/// Whether the server connection ends with this exchange by configuration.
pub(super) fn closes_server(live: &Live<'_>, back: &HttpProxy) -> bool {
    let front = live.txn.front.connection;
    back.connection >= ConnectionMode::ServerClose || front == ConnectionMode::ServerClose
}

/// Sends what there is to send and waits for the head of the response.
async fn wait(live: &mut Live<'_>, back: &HttpProxy, upload: &mut Upload) -> Result<(), NoResponse> {
    let server_limit = live.server_limit();
    let client_limit = live.client_limit();
    give_fields(&mut live.txn.layer.response.fields);
    live.txn.layer.response.clear();
    let mut cursor = HeadCursor::default();
    let mut filled = 0;
    loop {
        filled += receive(live, back, upload, filled, (server_limit, client_limit)).await?;
        loop {
            match parse(live, back, &mut cursor, filled) {
                Ok(false) => break,
                Ok(true) if is_interim(live.txn.layer.response.status) => {
                    live.txn.counts.from_server += live.txn.layer.response.logged_len();
                    log::server_response(live);
                    observed::tell(live, Some(Observation::Response(live.txn.layer.response.status)));
                    filled = interim(live, filled, client_limit).await?;
                    cursor = HeadCursor::default();
                    if filled == 0 {
                        break;
                    }
                }
                Ok(true) => {
                    live.txn.times.response = Some(live.touch());
                    let response = &live.txn.layer.response;
                    let agreed = live.txn.layer.request.flags.upgrade && response.flags.upgrade;
                    let unasked = response.status == 101 && !agreed;
                    if unasked || super::body::check(response.body, response.buffered_body()).is_err() {
                        live.txn.times.response = None;
                        // It was well-formed, which is when bytes are counted.
                        let whole = response.logged_len() + response.buffered_body().len() as u64;
                        live.txn.counts.from_server += if unasked { whole } else { 0 };
                        return Err(NoResponse::Bad);
                    }
                    live.txn.counts.from_server += response.logged_len();
                    return Ok(());
                }
                Err(_) => return Err(NoResponse::Bad),
            }
        }
        // A server that has said something has its whole time again.
        live.touch();
    }
}

const fn is_interim(status: u16) -> bool {
    status >= 100 && status < 200 && status != 101
}

fn parse(
    live: &mut Live<'_>,
    back: &HttpProxy,
    cursor: &mut HeadCursor,
    filled: usize,
) -> Result<bool, Reject> {
    let layer = &mut live.txn.layer;
    let method = layer.request.method;
    match parse_response(&mut layer.response, cursor, filled, method, &back.response_limits) {
        Ok(false) if filled >= BUFFER => Err(Reject::HeadTooLarge),
        other => other,
    }
}

/// Passes an interim response on to the client. What was received behind it moves to the front
/// of the buffer.
async fn interim(live: &mut Live<'_>, filled: usize, limit: Option<Duration>) -> Result<usize, NoResponse> {
    let layer = &mut live.txn.layer;
    let mut out = Vec::new();
    write_response(&mut out, &layer.response, &[]);
    write_in_time(live.client, &out, limit).await.map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => NoResponse::Deaf,
        _ => NoResponse::Broken,
    })?;
    let layer = &mut live.txn.layer;
    let from = layer.response.body_at;
    let mut buffer = layer.response.fields.take_buffer();
    buffer.copy_within(from..filled, 0);
    layer.response.clear();
    layer.response.fields.set_buffer(buffer);
    Ok(filled - from)
}

/// Receives once from the server while the request is being sent.
async fn receive(
    live: &mut Live<'_>,
    back: &HttpProxy,
    upload: &mut Upload,
    filled: usize,
    (server_limit, client_limit): (Option<Duration>, Option<Duration>),
) -> Result<usize, NoResponse> {
    let Live { client, txn } = live;
    let started = txn.times.now.unwrap_or_default();
    let Some(server) = txn.upstream.stream.as_mut() else { return Err(NoResponse::Closed) };
    let (ending, fault) = (&txn.upstream.ending, &mut txn.upstream.fault);
    let fields = &mut txn.layer.response.fields;
    let mut sending = !upload.is_over();
    let mut watch = Watch::new(upstream::heeds_leaving(&txn.layer.request, back));
    let mut armed = None;
    std::future::poll_fn(|cx| {
        if sending {
            match upload.poll(cx, &mut client.stream, server) {
                Poll::Pending => {}
                Poll::Ready(FlowEnd::Done) => sending = false,
                // The server may have answered before it closed: what it said is read first.
                Poll::Ready(FlowEnd::SinkFailed) => sending = false,
                Poll::Ready(FlowEnd::SourceClosed | FlowEnd::SourceFailed) => {
                    return Poll::Ready(Err(NoResponse::Cut));
                }
                Poll::Ready(FlowEnd::Broken(_)) => return Poll::Ready(Err(NoResponse::BadBody)),
            }
        }
        // While nothing has come, the buffer is lent for the attempt only: all who wait share the one that is warm.
        let read = server.poll_read_into(cx, &mut *fields, |fields: &mut Fields| {
            if fields.buffer().is_empty() {
                *fields = take_fields();
            }
            &mut fields.buffer_mut()[filled..]
        });
        match read {
            Poll::Ready(Ok(n)) if n > 0 => return Poll::Ready(Ok(n)),
            Poll::Ready(end) => {
                *fault = end.err().map(|error| error.kind());
                return Poll::Ready(Err(NoResponse::Closed));
            }
            Poll::Pending if filled == 0 => give_fields(fields),
            Poll::Pending => {}
        }
        if ending.is_due() {
            return Poll::Ready(Err(NoResponse::Killed));
        }
        if !sending && let Poll::Ready(end) = watch.poll_gone(&mut client.stream, client.session.worker(), cx)
        {
            let broken = end == Presence::Broken;
            return Poll::Ready(Err(if broken { NoResponse::Broken } else { NoResponse::Gone }));
        }
        // The side that is waited for has its time; progress of the upload gives a new one.
        let on_client = sending && !upload.is_blocked();
        let progress = (on_client, upload.moved(), upload.is_paused());
        if armed != Some(progress) {
            let first = armed.is_none();
            armed = Some(progress);
            let limit = if on_client { client_limit } else { server_limit }.filter(|_| !upload.is_paused());
            let from = if first { started } else { client.age() };
            client.timer.set_since(limit.map(|limit| from + limit));
        }
        client
            .timer
            .poll_expired(cx)
            .map(|()| Err(if on_client { NoResponse::ClientLate } else { NoResponse::Late }))
    })
    .await
}

/// Whether what was waited for leads to another attempt by configuration, and one is left.
fn is_retried(live: &Live<'_>, back: &HttpProxy, waited: &Result<(), NoResponse>) -> bool {
    let on = &back.retry_on;
    let wanted = match waited {
        Ok(()) => on.statuses.contains(&live.txn.layer.response.status),
        // A part of a head is no response, but not nothing.
        Err(NoResponse::Closed) if live.txn.layer.response.filled > 0 => on.junk,
        Err(NoResponse::Closed) => on.empty,
        Err(NoResponse::Bad) => on.junk,
        Err(NoResponse::Late) => on.timeout,
        Err(_) => false,
    };
    // What may follow CONNECT is no part of it, so nobody knows whether all of it is still there.
    let is_tunnel = live.txn.layer.request.method == Method::Connect;
    if !wanted || is_tunnel || live.txn.settings.no_retry {
        return false;
    }
    let retries = live.txn.backend.as_ref().map_or(0, |backend| backend.spec.pool.retry.retries);
    live.txn.upstream.retries < live.txn.settings.retries.unwrap_or(retries)
}

/// Prepares another attempt. `Some` holds the server to avoid.
fn retry(
    live: &mut Live<'_>,
    back: &HttpProxy,
    upload: &Upload,
    answered: bool,
    seen: Option<Observation>,
) -> Option<Option<lb_core::balance::ServerId>> {
    let backend = live.txn.backend.clone()?;
    // The limits of the next attempt count from here.
    live.touch();
    let cell = live.txn.upstream.lease.as_ref().map(|lease| lease.server());
    upstream::tally(live, &backend).retry(cell.map(|cell| &**cell));
    let id = cell.and_then(|cell| cell.id());
    let kept = if answered { leaves(live, back, upload) } else { Kept::No };
    upstream::detach(live, kept);
    upstream::part(live);
    observed::tell(live, seen);
    // The body in the buffer is sent once more, and nothing of this attempt counts.
    let request = &mut live.txn.layer.request;
    request.body_at = request.head_end;
    live.txn.counts.from_server = 0;
    let mut policy = upstream::policy(live, &backend);
    let attempt = policy.failed(upstream::is_lame(live));
    live.txn.upstream.retries = policy.used;
    if attempt == Attempt::Elsewhere {
        live.txn.persistence.untie();
        return Some(id);
    }
    live.txn.upstream.again = id;
    Some(None)
}

/// What becomes of the connection of a response that nobody gets.
fn leaves(live: &Live<'_>, back: &HttpProxy, upload: &Upload) -> Kept {
    let response = &live.txn.layer.response;
    let body = response.buffered_body();
    let whole = upload.is_over() && super::body::end_of(response.body, body) == Some(body.len());
    let reusable = whole && response.keeps_alive() && !closes_server(live, back);
    deliver::kept(live, response.status, reusable)
}

/// Ends the connection without a word: a client that sees a connection closed that worked before will ask again.
fn unanswered(live: &mut Live<'_>) -> After {
    upstream::detach(live, Kept::No);
    After::Close
}

/// Ends the connection without a word, but not without a line.
fn untold(live: &mut Live<'_>, status: u16, cause: Cause, phase: Phase) -> After {
    end(live, cause, phase);
    log::abort(live, cause);
    live.txn.layer.response.status = status;
    log::account(live);
    let after = unanswered(live);
    log::write(live, Origin::Close);
    after
}

/// There is no response.
async fn failed(
    live: &mut Live<'_>,
    none: NoResponse,
    seen: Option<Observation>,
    upload: &mut Upload,
) -> After {
    let (status, cause, phase) = match none {
        NoResponse::Closed if live.txn.upstream.reused && live.txn.layer.response.filled == 0 => {
            // The server closed an idle connection at the wrong moment.
            end(live, Cause::ServerAbort, Phase::Headers);
            log::abort(live, Cause::ServerAbort);
            log::response_error(live);
            live.txn.logged = true;
            log::moved(live);
            return unanswered(live);
        }
        // A part of a head is no response.
        NoResponse::Closed if live.txn.layer.response.filled > 0 => (502, Cause::Proxy, Phase::Headers),
        NoResponse::Closed => (502, Cause::ServerAbort, Phase::Headers),
        NoResponse::Bad => (502, Cause::Proxy, Phase::Headers),
        NoResponse::Late => (504, Cause::ServerTimeout, Phase::Headers),
        NoResponse::ClientLate => (400, Cause::ClientTimeout, Phase::Headers),
        NoResponse::Gone => {
            let unread = Unread::of_upload(live, upload);
            return client_aborted(live, Phase::Headers, unread).await;
        }
        // Where the rest of a message would begin is not known, so there is no place for an answer.
        NoResponse::BadBody => {
            log::bad_request(live);
            return untold(live, 400, Cause::Proxy, Phase::Headers);
        }
        NoResponse::Cut => return untold(live, 400, Cause::ClientAbort, Phase::Headers),
        NoResponse::Deaf => return untold(live, 400, Cause::ClientTimeout, Phase::Headers),
        NoResponse::Broken => return untold(live, 400, Cause::ClientAbort, Phase::Data),
        NoResponse::Killed => {
            let cause = live.txn.upstream.ending.cause();
            return untold(live, 500, cause, Phase::Connect);
        }
    };
    if matches!(cause, Cause::ServerAbort | Cause::Proxy | Cause::ServerTimeout) && status > 500 {
        log::response_error(live);
        live.count_tracked(Event::HttpFailure);
    }
    if cause == Cause::ClientTimeout {
        log::abort(live, cause);
    }
    upstream::detach(live, Kept::No);
    observed::tell(live, seen);
    // A client that is late is not waited for once more.
    let unread = Unread::of_upload(live, upload).filter(|_| cause != Cause::ClientTimeout);
    reply::answer_instead(live, Answer::Error { status, cause, phase }, unread).await
}

/// The client closed while its request waited: it is told, in case it only closed its sending side.
async fn client_aborted(live: &mut Live<'_>, phase: Phase, unread: Option<Unread>) -> After {
    end(live, Cause::ClientAbort, phase);
    // Nothing was sent to a server yet: then there is nothing to answer, and nothing that was broken off.
    let early = matches!(phase, Phase::Queue | Phase::Connect);
    if early {
        Unread::count(live);
    } else {
        log::abort(live, Cause::ClientAbort);
    }
    upstream::detach(live, Kept::No);
    if early || live.client.stream.is_tls() {
        return gone(live, phase);
    }
    let answer = Answer::Error { status: 400, cause: Cause::ClientAbort, phase };
    reply::answer_instead(live, answer, unread).await;
    After::Close
}

/// Runs the response's rules and sends it.
async fn pass_on(live: &mut Live<'_>, back: &HttpProxy, upload: &mut Upload) -> After {
    request::turn(live);
    let layer = &mut live.txn.layer;
    layer.has_response = true;
    layer.server_status = layer.response.status;
    let received = layer.response.filled;
    layer.response.fields.limit_growth(back.rewrite.beside(received));
    let status = layer.response.status;
    coding::judge(live, back);
    log::tracked_status(live, status);
    if let Some(parting) = content::response(live) {
        upstream::detach(live, Kept::No);
        // Nothing of it is told.
        (live.txn.counts.from_server, live.txn.layer.response.status) = (0, 0);
        end(live, Cause::Proxy, Phase::Data);
        log::close(live);
        return parting.into();
    }
    content::store(live);
    let any = !back.response.is_empty() || live.txn.front.responds;
    match if any { rules(live, back).await } else { None } {
        None => {}
        Some(Fate::Answer(answer)) => return answer_instead(live, answer, upload).await,
        Some(Fate::Drop(parting)) => return refused(live, parting),
        Some(Fate::Gone) => return gone(live, Phase::Headers),
    }
    if live.txn.front.captures {
        log::capture_response(live);
    }
    if let Some(spec) = &back.cookie {
        let cookie = live.txn.server.as_ref().and_then(|server| server.spec.cookie.clone());
        let now = lb_core::expr::Facts::now(live).date;
        let txn = &mut *live.txn;
        let method = txn.layer.request.method;
        let response = &mut txn.layer.response;
        crate::persist::write_response(spec, &mut txn.persistence, response, method, cookie.as_deref(), now);
        txn.termination.cookie_response = txn.persistence.letters().1;
    }
    if reply::runs_after(live, Some(back)) && !reply::run_after(live, Some(back)).await {
        return answer_instead(live, FAILED, upload).await;
    }
    coding::announce_response(live);
    if live.txn.layer.response.body == BodyLength::Tunnel {
        return Box::pin(tunnel::run(live, upload)).await;
    }
    deliver::send(live, back, upload).await
}

/// What is answered when a rule cannot change the response.
const FAILED: Answer = Answer::Error { status: 500, cause: Cause::Proxy, phase: Phase::Headers };

/// Answers instead of the server, whose response is not passed on.
async fn answer_instead(live: &mut Live<'_>, answer: Answer, upload: &mut Upload) -> After {
    if let Answer::Error { status: 500, .. } = answer {
        log::mishap(live, log::Mishap::Internal);
    }
    live.txn.counts.from_server += live.txn.layer.response.buffered_body().len() as u64;
    let unread = Unread::of_upload(live, upload);
    reply::answer_instead(live, answer, unread).await
}

/// A rule ends the connection without a word; it is logged, and counted as requests are.
fn refused(live: &mut Live<'_>, parting: Parting) -> After {
    live.client.session.deny_request(live.txn.backend.as_deref());
    end(live, Cause::Proxy, Phase::Request);
    upstream::detach(live, Kept::No);
    log::close(live);
    parting.into()
}

/// `http-response` rules of the backend, then of the frontend.
async fn rules(live: &mut Live<'_>, back: &HttpProxy) -> Option<Fate> {
    let fate = run(live, &back.response, !back.lax_rewrite).await;
    if fate.is_some() {
        return fate;
    }
    let plan = Arc::clone(live.client.session.frontend());
    match front_of(&*plan.spec.protocol).filter(|front| !std::ptr::eq(*front, back)) {
        Some(front) => run(live, &front.response, !front.lax_rewrite).await,
        None => None,
    }
}

async fn run(live: &mut Live<'_>, rules: &RuleSet<Action>, strict: bool) -> Option<Fate> {
    if rules.is_empty() {
        return None;
    }
    let mut cursor = Cursor::new(strict);
    loop {
        return Some(Fate::Answer(match request::step(live, rules, Subject::Response, &mut cursor) {
            Outcome::Done | Outcome::Wait => return None,
            Outcome::Reject => return Some(Fate::Drop(Parting::Close)),
            Outcome::SilentDrop(ttl) => return Some(Fate::Drop(Parting::Silent(ttl))),
            Outcome::Deny(reply) | Outcome::Tarpit(reply) => Answer::DenyResponse(reply.clone()),
            Outcome::Return(reply) => Answer::Return(reply.clone()),
            Outcome::Redirect(redirect) => Answer::Redirect(redirect.clone()),
            Outcome::Failed => FAILED,
            Outcome::Pause(time) => {
                request::pause(live, time).await;
                continue;
            }
            Outcome::WaitForBody { time, at_least } => {
                let heeds = live.txn.backend_http().is_some_and(|back| deliver::heeds_leaving(live, back));
                let complete = buffer_body(live, time, at_least, heeds).await;
                live.touch();
                if complete {
                    continue;
                }
                Answer::Error { status: 504, cause: Cause::ServerTimeout, phase: Phase::Data }
            }
            _ => continue,
        }));
    }
}

/// Waits until the body, or `at_least` bytes of it, is in the buffer, or the buffer is full; false when that took too
/// long. What ends early is found out when the body is sent, and so is a client that has left.
async fn buffer_body(live: &mut Live<'_>, time: Duration, at_least: usize, heeds: bool) -> bool {
    live.client.timer.set_after(Some(time));
    let mut watch = Watch::new(true);
    loop {
        let Live { client, txn } = &mut *live;
        let response = &mut txn.layer.response;
        let filled = response.filled;
        let there = super::body::extent(response.body, response.buffered_body());
        if there.is_enough(at_least) || filled >= BUFFER {
            return true;
        }
        let Some(server) = txn.upstream.stream.as_mut() else { return true };
        let spare = &mut response.fields.buffer_mut()[filled..];
        let got = std::future::poll_fn(|cx| match server.poll_read(cx, spare) {
            Poll::Ready(got) => Poll::Ready(Some(got.unwrap_or(0))),
            Poll::Pending => {
                if watch.poll_left(&mut client.stream, client.session.worker(), cx, heeds).is_ready() {
                    return Poll::Ready(Some(0));
                }
                client.timer.poll_expired(cx).map(|()| None)
            }
        })
        .await;
        match got {
            Some(0) => return true,
            Some(n) => txn.layer.response.filled += n,
            None => return false,
        }
    }
}
