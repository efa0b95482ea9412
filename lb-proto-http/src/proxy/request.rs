//! The request: reading its head, running its rules, choosing where it goes.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use lb_core::balance::Algorithm;
use lb_core::engine::ProxyPlan;
use lb_core::expr::{Env, Facts};
use lb_core::log::{Cause, Origin, Phase, Template};
use lb_core::rule::RuleSet;
use lb_core::stick::Event;

use super::exchange::{After, end};
use super::handover::Settled;
use super::io::{BUFFER, Watch, can_wait, take_buffer, write_in_time};
use super::reply::{self, Answer};
use super::txn::{Live, Responding};
use super::{content, http_of, log, resolve};
use crate::h1::{Reject, parse_request, write_response};
use crate::head::{HeaderName, Method, Request, Version};
use crate::persist::Binding;
use crate::rule::{self, Cursor, Outcome, Session, Subject};
use crate::spec::{Action, ErrorReply, ForwardFor, HttpProxy, OriginalTo, RestrictNames};

/// Why there is no request.
pub(super) enum NoRequest {
    /// The client closed, or stayed silent, before it sent anything.
    Nothing,
    /// The client closed in the middle.
    Aborted,
    /// There is none yet: the connection is idle.
    Idle,
    /// The head did not arrive in time.
    Late,
    /// It is not a request.
    Bad(Reject),
}

/// Reads a request head. What arrived with the previous request may already be in the buffer.
pub(super) async fn read(live: &mut Live<'_>) -> Result<(), NoRequest> {
    let first = live.client.requests == 0;
    live.txn.times.ready = Some(live.client.idle_since());
    if live.txn.layer.request.fields.buffer().len() < BUFFER {
        live.txn.layer.request.fields.set_buffer(take_buffer());
    }
    let mut armed = false;
    let mut filled = live.txn.layer.request.filled;
    if filled > 0 {
        live.txn.times.begin = Some(live.client.age());
    }
    let mut last = live.txn.times.begin;
    loop {
        if filled > 0 && parse(live, filled, last)? {
            return Ok(());
        }
        let got = {
            let Live { client, txn } = live;
            let (since, session) = (client.idle_since(), &client.session);
            let spare = &mut txn.layer.request.fields.buffer_mut()[filled..];
            let (stream, timer) = (&mut client.stream, &client.timer);
            let idle = filled == 0 && can_wait(stream);
            let read = std::future::poll_fn(|cx| match stream.poll_read(cx, spare) {
                Poll::Ready(got) => Poll::Ready(Some(Ok(got))),
                Poll::Pending if !armed => {
                    armed = true;
                    // The head must be there some time after its first byte, the first one some time after the accept.
                    let timeouts = &session.frontend().spec.timeouts;
                    let (from, limit) = match txn.times.begin {
                        Some(begin) => (begin, timeouts.effective_http_request()),
                        None if first => (since, timeouts.effective_http_request()),
                        None => (since, timeouts.effective_keep_alive()),
                    };
                    let deadline = limit.map(|limit| session.accepted().instant + from + limit);
                    timer.set(deadline);
                    if idle && deadline.is_none_or(|deadline| Instant::now() < deadline) {
                        // Nobody is to hold a buffer before there is something to put into it.
                        return Poll::Ready(Some(Err(NoRequest::Idle)));
                    }
                    timer.poll_expired(cx).map(|()| None)
                }
                Poll::Pending => timer.poll_expired(cx).map(|()| None),
            });
            read.await.transpose()?
        };
        match got {
            Some(Ok(n)) if n > 0 => {
                last = Some(live.client.age());
                if filled == 0 {
                    live.txn.times.begin = last;
                    armed = false;
                }
                filled += n;
                live.txn.layer.request.filled = filled;
            }
            None if filled == 0 && !first => return Err(NoRequest::Nothing),
            None => return Err(NoRequest::Late),
            Some(_) if filled == 0 => return Err(NoRequest::Nothing),
            Some(_) => return Err(NoRequest::Aborted),
        }
    }
}

/// Parses what is there, the last of which came at the age `last`; true when the head is complete.
fn parse(live: &mut Live<'_>, filled: usize, last: Option<Duration>) -> Result<bool, NoRequest> {
    let txn = &mut *live.txn;
    match parse_request(&mut txn.layer.request, &mut txn.cursor, filled, &txn.front.limits) {
        Ok(true) => {
            let request = &txn.layer.request;
            super::body::check(request.body, request.buffered_body()).map_err(NoRequest::Bad)?;
            txn.layer.has_request = true;
            txn.times.request = last;
            if live.client.session.listener().spec.delay_ack && !body_is_buffered(request) {
                live.client.acknowledge();
            }
            Ok(true)
        }
        Ok(false) if filled >= BUFFER => Err(NoRequest::Bad(Reject::HeadTooLarge)),
        Ok(false) => Ok(false),
        Err(reject) => Err(NoRequest::Bad(reject)),
    }
}

/// What becomes of a request that does not go to a server.
pub(super) enum Fate {
    /// It is answered here.
    Answer(Answer),
    /// The connection ends without an answer.
    Drop(Parting),
    /// The client went away.
    Gone,
}

fn error(status: u16, cause: Cause, phase: Phase) -> Fate {
    Fate::Answer(Answer::Error { status, cause, phase })
}

/// How a rule ends a connection without an answer.
#[derive(Clone, Copy)]
pub(super) enum Parting {
    /// It is closed.
    Close,
    /// The client is not told, or gets a reset of this TTL.
    Silent(Option<u8>),
}

impl From<Parting> for After {
    fn from(parting: Parting) -> Self {
        match parting {
            Parting::Close => Self::Close,
            Parting::Silent(ttl) => Self::Silence(ttl),
        }
    }
}

/// Runs everything that is configured for requests; the backend it goes to, which is that of the transaction.
pub(super) async fn process(
    live: &mut Live<'_>,
    plan: &Arc<ProxyPlan>,
    front: Option<&HttpProxy>,
    settled: Settled,
) -> Result<Arc<ProxyPlan>, Fate> {
    let Some(front) = front else { return Err(Fate::Drop(Parting::Close)) };
    prepare(live, front);
    if !settled.inspected
        && !plan.spec.tcp_rules.request.is_empty()
        && let Some(fate) = content::request(live, plan).await
    {
        return Err(fate);
    }
    log::write(live, Origin::Request);
    live.count_tracked(Event::HttpRequest);
    if let Some(fate) = monitor(live, front) {
        return Err(fate);
    }
    if front.restrict_names != RestrictNames::Preserve
        && let Some(fate) = restrict(live, front)
    {
        return Err(fate);
    }
    if front.buffer_request
        && let Some(fate) = whole_body(live, plan.spec.timeouts.effective_http_request(), 0).await
    {
        return Err(fate);
    }
    // Not even asked where there are none, which is told by a look.
    if has_rules(front)
        && let Some(fate) = rules_of(live, front, plan).await
    {
        return Err(fate);
    }
    let Some(backend) = route(live, plan, settled.backend) else {
        return Err(error(503, Cause::ServerAbort, Phase::Connect));
    };
    live.txn.backend = Some(Arc::clone(&backend));
    live.txn.upstream.visit = Some(backend.pool.visit(live.instant()));
    let Some(back) = http_of(&*backend.spec.protocol) else {
        // A request cannot go to servers of another protocol.
        live.txn.answered = Some(500);
        end(live, Cause::Internal, Phase::Request);
        return Err(Fate::Drop(Parting::Close));
    };
    if backend.index != plan.index
        && !live.txn.aborted
        && has_words(back, &backend)
        && let Some(fate) = rules_of_backend(live, back, &backend).await
    {
        return Err(fate);
    }
    if live.txn.aborted {
        return Err(left(live));
    }
    finish(live, front, back);
    form(live, backend).await
}

/// Waits for the body of a request whose server may depend on a parameter in it.
async fn form(live: &mut Live<'_>, backend: Arc<ProxyPlan>) -> Result<Arc<ProxyPlan>, Fate> {
    let algorithm = &backend.spec.pool.algorithm;
    if live.txn.layer.request.method == Method::Post
        && matches!(algorithm, Algorithm::UrlParam { .. })
        && !live.txn.persistence.direct
    {
        if let Some(fate) = whole_body(live, backend.spec.timeouts.effective_http_request(), 0).await {
            return Err(fate);
        }
        if live.txn.aborted {
            return Err(left(live));
        }
    }
    Ok(backend)
}

/// The client left before its body was complete: that counts as given up by it and as status 400, which nobody is told of.
fn left(live: &mut Live<'_>) -> Fate {
    log::abort(live, Cause::ClientAbort);
    live.txn.layer.response.status = 400;
    let request = &live.txn.layer.request;
    let there = super::body::extent(request.body, request.buffered_body()).data;
    live.txn.counts.from_client += there as u64;
    Fate::Gone
}

/// Whether a proxy has anything to run for requests.
fn has_rules(http: &HttpProxy) -> bool {
    !http.request.is_empty() || http.stats.is_some() || !http.redirects.is_empty()
}

/// Whether a backend beside the frontend says anything of requests.
fn has_words(http: &HttpProxy, plan: &ProxyPlan) -> bool {
    has_rules(http)
        || http.buffer_request
        || http.restrict_names != RestrictNames::Preserve
        || !plan.spec.tcp_rules.request.is_empty()
}

/// What a backend beside the frontend says of the request.
async fn rules_of_backend(live: &mut Live<'_>, back: &HttpProxy, backend: &Arc<ProxyPlan>) -> Option<Fate> {
    if let Some(fate) = content::request(live, backend).await {
        return Some(fate);
    }
    if let Some(fate) = restrict(live, back) {
        return Some(fate);
    }
    if back.buffer_request
        && let Some(fate) = whole_body(live, backend.spec.timeouts.effective_http_request(), 0).await
    {
        return Some(fate);
    }
    rules_of(live, back, backend).await
}

/// Counts the request and takes its captures.
fn prepare(live: &mut Live<'_>, front: &HttpProxy) {
    log::request(live);
    let session = &live.client.session;
    if let Some(now) = live.txn.times.request {
        live.txn.times.now = Some(now);
        let date = session.accepted().date + now;
        let millis = super::upstream::millis(date);
        session.frontend().state.front.request_rate.tick(millis);
    }
    let layer = &mut live.txn.layer;
    layer.first_request = live.client.requests == 0;
    layer.proxy_fields = front.proxy_fields;
    if layer.users.is_none() && !front.users.is_empty() {
        layer.users = Some(Arc::clone(&front.users));
    }
    let captures = &front.captures;
    layer.request_captures.resize_with(captures.request.len(), Default::default);
    layer.response_captures.resize_with(captures.response.len(), Default::default);
    for (slot, spec) in layer.response_captures.iter_mut().zip(&captures.response) {
        slot.limit(spec.limit);
    }
    for (slot, spec) in layer.request_captures.iter_mut().zip(&captures.request) {
        slot.limit(spec.limit);
        let Some(name) = &spec.header else { continue };
        if let Some(index) = layer.request.fields.rfind(name.as_bytes(), usize::MAX) {
            slot.set(layer.request.fields.value(index), spec.limit);
        }
    }
    if let Some((name, limit)) = &captures.cookie {
        capture_cookie(layer, name, *limit);
    }
}

/// Captures the first cookie whose name begins as configured, as `name=value`.
fn capture_cookie(layer: &mut crate::layer::HttpLayer, name: &[u8], limit: usize) {
    let (request, capture) = (&layer.request, &mut layer.request_cookie);
    for value in request.fields.all(b"cookie") {
        for cookie in crate::cookie::Cookies::new(value) {
            if cookie.name.starts_with(name) && cookie.value.is_some() {
                capture.set(crate::h1::trim(&value[cookie.start..cookie.end]), limit);
                return;
            }
        }
    }
}

/// `monitor-uri`: an answer for those who watch the balancer itself.
fn monitor(live: &mut Live<'_>, front: &HttpProxy) -> Option<Fate> {
    let uri = front.monitor_uri.as_ref()?;
    // A path is compared with the path, in whatever form the target came; anything else with the whole target.
    let target = live.txn.layer.request.target();
    let compared = if uri.starts_with(b"/") { crate::h1::Target::parse(target).path_query } else { target };
    if compared != &**uri {
        return None;
    }
    let failing = {
        let env = Env::new(live.facts(), live.vars(), live.arena());
        front.monitor_fail.iter().any(|condition| condition.holds(&env))
    };
    live.reset_arena();
    live.txn.logged = true;
    let status = if failing { 503 } else { 200 };
    Some(error(status, Cause::Local, Phase::Request))
}

/// `option http-restrict-req-hdr-names`.
fn restrict(live: &mut Live<'_>, http: &HttpProxy) -> Option<Fate> {
    let plain = |name: &[u8]| name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    match http.restrict_names {
        RestrictNames::Preserve => None,
        RestrictNames::Delete => {
            live.txn.layer.request.fields.remove_if(|name, _| !plain(name));
            None
        }
        RestrictNames::Reject => {
            let bad = live.txn.layer.request.fields.iter().any(|(name, _)| !plain(name));
            bad.then_some(error(403, Cause::Proxy, Phase::Request))
        }
    }
}

/// The rulesets of one proxy: `http-request`, the statistics page, `redirect`.
async fn rules_of(live: &mut Live<'_>, http: &HttpProxy, plan: &Arc<ProxyPlan>) -> Option<Fate> {
    if let Some(fate) = run(live, &http.request, http).await {
        return Some(fate);
    }
    if let Some(stats) = &http.stats
        && live.txn.layer.request.target().starts_with(&stats.uri)
    {
        if let Some(fate) = run(live, &stats.rules, http).await {
            return Some(fate);
        }
        return Some(Fate::Answer(Answer::Stats(Arc::clone(plan))));
    }
    if http.redirects.is_empty() {
        return None;
    }
    let found = {
        let env = Env::new(live.facts(), live.vars(), live.arena());
        match http.redirects.next(0, &env) {
            lb_core::rule::Next::Apply(index, _) => Some(index),
            _ => None,
        }
    };
    live.reset_arena();
    found.map(|index| Fate::Answer(Answer::Redirect(http.redirects.rules()[index].action.clone())))
}

/// Counts a request that a rule ends without an answer. Where it is rejected, a proxy that is both counts as its own backend.
fn refuse(live: &Live<'_>, parting: Parting) -> Option<Fate> {
    let session = &live.client.session;
    let rejected = matches!(parting, Parting::Close);
    let own = Some(session.frontend()).filter(|own| rejected && own.spec.capability.is_backend());
    session.deny_request(live.txn.backend.as_ref().or(own).map(|backend| &**backend));
    Some(Fate::Drop(parting))
}

/// Runs one ruleset of requests to its end.
async fn run(live: &mut Live<'_>, rules: &RuleSet<Action>, http: &HttpProxy) -> Option<Fate> {
    if rules.is_empty() {
        return None;
    }
    let request = &mut live.txn.layer.request;
    request.fields.limit_growth(http.rewrite.beside(request.filled));
    let mut cursor = Cursor::new(!http.lax_rewrite);
    loop {
        let answer = match step(live, rules, Subject::Request, &mut cursor) {
            Outcome::Done => return None,
            Outcome::Deny(reply) => Answer::Deny(reply.clone()),
            Outcome::Return(reply) => Answer::Return(reply.clone()),
            Outcome::Tarpit(reply) => Answer::Tarpit(reply.clone()),
            Outcome::Redirect(redirect) => match reply::try_redirect(live, redirect) {
                // An empty address that is to be ignored: the next rule.
                None => continue,
                Some(answer) => answer,
            },
            Outcome::Auth(realm) => Answer::Auth(realm.cloned()),
            Outcome::Service(kind) => Answer::Service(kind),
            Outcome::Reject => return refuse(live, Parting::Close),
            Outcome::SilentDrop(ttl) => return refuse(live, Parting::Silent(ttl)),
            Outcome::BadTarget => Answer::Error { status: 400, cause: Cause::Proxy, phase: Phase::Request },
            Outcome::Failed => {
                log::mishap(live, log::Mishap::Internal);
                live.txn.untimed = true;
                Answer::Error { status: 500, cause: Cause::Proxy, phase: Phase::Request }
            }
            Outcome::EarlyHint(name, value) => {
                if Box::pin(early_hint(live, name, value)).await.is_err() {
                    return Some(Fate::Gone);
                }
                continue;
            }
            Outcome::WaitForBody { time, at_least } => match whole_body(live, Some(time), at_least).await {
                None => continue,
                fate => return fate,
            },
            Outcome::Resolve(rule) => {
                if !Box::pin(resolve::run(live, rule)).await {
                    return Some(Fate::Gone);
                }
                waited(live);
                continue;
            }
            Outcome::Pause(time) => {
                hold(live, time).await;
                continue;
            }
            Outcome::Wait => {
                let limit = live.client.session.frontend().spec.timeouts.effective_http_request();
                if let Err(fate) = buffer_body(live, limit, 0, false).await {
                    return Some(fate);
                }
                waited(live);
                continue;
            }
        };
        return Some(Fate::Answer(answer));
    }
}

/// The request was not had before this moment, for what rules had to wait.
fn waited(live: &mut Live<'_>) {
    let times = &mut live.txn.times;
    times.request = times.request.and(times.now);
}

/// Pauses for a rule of the request.
async fn hold(live: &mut Live<'_>, time: Duration) {
    pause(live, time).await;
    waited(live);
}

/// Runs rules up to the next outcome.
pub(super) fn step<'r>(
    live: &mut Live<'_>,
    rules: &'r RuleSet<Action>,
    subject: Subject,
    cursor: &mut Cursor,
) -> Outcome<'r> {
    let mut text = std::mem::take(&mut live.txn.text);
    let outcome = rule::run(rules, subject, live, cursor, &mut text);
    live.txn.text = text;
    outcome
}

/// Waits for a rule that asks for it. Whether the client has left meanwhile matters once a server is to be asked.
pub(super) async fn pause(live: &mut Live<'_>, time: Duration) {
    live.client.timer.set_after(Some(time));
    let Live { client, txn } = &mut *live;
    let mut watch = Watch::new(true);
    std::future::poll_fn(|cx| {
        if !txn.deserted {
            txn.deserted = watch.poll_gone(&mut client.stream, client.session.worker(), cx).is_ready();
        }
        client.timer.poll_expired(cx)
    })
    .await;
    live.touch();
}

/// Sends a 103 response with one field.
async fn early_hint(live: &mut Live<'_>, name: &HeaderName, value: &Template) -> io::Result<()> {
    if live.txn.layer.request.version == Version::Http10 {
        // Such a client would take it for the response.
        return Ok(());
    }
    let mut text = Vec::new();
    rule::format(live, value, &mut text);
    let mut response = crate::head::Response::default();
    crate::answer::start(&mut response, 103);
    response.fields.push(name.as_bytes(), &text);
    let mut out = Vec::new();
    write_response(&mut out, &response, &[]);
    let limit = live.client_limit();
    write_in_time(live.client, &out, limit).await
}

/// Waits for the body, or `at_least` bytes of it, which must come in time. A client that leaves in the middle is counted
/// where its request would have gone.
async fn whole_body(live: &mut Live<'_>, limit: Option<Duration>, at_least: usize) -> Option<Fate> {
    match buffer_body(live, limit, at_least, true).await {
        Ok(()) => {}
        Err(Fate::Gone) => {
            live.txn.aborted = true;
            live.touch();
        }
        Err(fate) => {
            log::bad_request(live);
            return Some(fate);
        }
    }
    waited(live);
    None
}

/// Waits until the body, or `at_least` bytes of it, is in the buffer, or the buffer is full. With `strict` a body
/// that does not come in time is an error.
pub(super) async fn buffer_body(
    live: &mut Live<'_>,
    limit: Option<Duration>,
    at_least: usize,
    strict: bool,
) -> Result<(), Fate> {
    let deadline = limit.map(|limit| Instant::now() + limit);
    continue_if_asked(live).await.map_err(|_| Fate::Gone)?;
    live.client.timer.set(deadline);
    loop {
        let request = &mut live.txn.layer.request;
        let filled = request.filled;
        let there = super::body::extent(request.body, request.buffered_body());
        if there.is_enough(at_least) || filled >= BUFFER {
            live.txn.layer.body_complete = there.end.is_some();
            return Ok(());
        }
        let spare = &mut request.fields.buffer_mut()[filled..];
        let (stream, timer) = (&mut live.client.stream, &live.client.timer);
        let got = std::future::poll_fn(|cx| match stream.poll_read(cx, spare) {
            Poll::Ready(got) => Poll::Ready(Some(got)),
            Poll::Pending => timer.poll_expired(cx).map(|()| None),
        })
        .await;
        match got {
            Some(Ok(n)) if n > 0 => {
                live.txn.layer.request.filled += n;
                live.touch();
            }
            Some(_) => return Err(Fate::Gone),
            None if strict => {
                live.txn.untimed = true;
                return Err(error(408, Cause::ClientTimeout, Phase::Request));
            }
            None => return Ok(()),
        }
    }
}

/// Answers `Expect: 100-continue` when the body is needed here.
async fn continue_if_asked(live: &mut Live<'_>) -> io::Result<()> {
    let request = &live.txn.layer.request;
    let asked = request.version == Version::Http11
        && request.fields.get(b"expect").is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"));
    if !asked || body_is_buffered(request) {
        return Ok(());
    }
    let limit = live.client_limit();
    write_in_time(live.client, b"HTTP/1.1 100 Continue\r\n\r\n", limit).await?;
    live.txn.layer.request.fields.remove_all(b"expect");
    Ok(())
}

/// Whether the whole body is in the buffer.
pub(super) fn body_is_buffered(request: &Request) -> bool {
    super::body::end_of(request.body, request.buffered_body()).is_some()
}

/// The backend the request goes to.
fn route(live: &mut Live<'_>, front: &Arc<ProxyPlan>, settled: Option<usize>) -> Option<Arc<ProxyPlan>> {
    let mut chosen = settled;
    if chosen.is_none() && !front.spec.routes.is_empty() {
        let env = Env::new(live.facts(), live.vars(), live.arena());
        chosen = front.route(&live.client.session.generation().plan, &env);
        live.reset_arena();
    }
    let plan = &live.client.session.generation().plan;
    chosen.or(front.default_backend).map(|index| Arc::clone(plan.proxy(index)))
}

/// What is done last, after every rule: cookies, ids, addresses.
fn finish(live: &mut Live<'_>, front: &HttpProxy, back: &HttpProxy) {
    let binding = binding(live, back);
    live.txn.persistence.binding = binding;
    if let Some(id) = super::upstream::named_server(live, back) {
        (live.txn.persistence.server, live.txn.persistence.direct) = (Some(id.0), true);
    }
    if let Some(spec) = &back.cookie {
        let now = live.now().date;
        let named = live.txn.persistence.server;
        let pool = live.txn.backend.as_ref().map(|backend| Arc::clone(&backend.pool));
        let mut find = |value: &[u8]| super::upstream::find_cookie(pool.as_ref(), value);
        let fields = &mut live.txn.layer.request.fields;
        live.txn.persistence = crate::persist::read_request(spec, fields, now, binding, named, &mut find);
        let (request, _) = live.txn.persistence.letters();
        live.txn.termination.cookie_request = request;
    }
    if let Some(name) = &front.unique_id_header
        && front.unique_id.is_some()
    {
        let id = live.unique_id().unwrap_or_default().to_vec();
        live.reset_arena();
        live.txn.layer.request.fields.push(name.as_bytes(), &id);
    }
    forwarded(live, back);
    forward_for(live, front, back);
    original_to(live, front, back);
    super::coding::choose(live, front, back);
    content::look_up(live);
}

/// What the first `force-persist` or `ignore-persist` that holds says, else `option persist`.
fn binding(live: &mut Live<'_>, back: &HttpProxy) -> Binding {
    if !back.persistence.is_empty() {
        let said = {
            let env = Env::new(live.facts(), live.vars(), live.arena());
            match back.persistence.next(0, &env) {
                lb_core::rule::Next::Apply(_, force) => Some(*force),
                _ => None,
            }
        };
        live.reset_arena();
        if let Some(force) = said {
            return if force { Binding::Forced } else { Binding::Ignored };
        }
    }
    match &live.txn.backend {
        Some(backend) if backend.spec.pool.persist => Binding::Forced,
        _ => Binding::Usual,
    }
}

/// `option forwardfor`: the backend's name of the field wins, an exception of either side counts.
fn forward_for(live: &mut Live<'_>, front: &HttpProxy, back: &HttpProxy) {
    let both: [Option<&ForwardFor>; 2] = [front.forward_for.as_ref(), back.forward_for.as_ref()];
    if both.iter().all(Option::is_none) {
        return;
    }
    let Some(ip) = live.src().map(|addr| addr.ip()) else { return };
    let options = || both.iter().flatten();
    if options().any(|option| option.except.is_some_and(|net| net.contains(ip))) {
        return;
    }
    let name = options().rev().find_map(|option| option.header.as_ref());
    let name: &[u8] = name.map_or(b"x-forwarded-for", HeaderName::as_bytes);
    let fields = &mut live.txn.layer.request.fields;
    if options().all(|option| option.if_none) && fields.find(name, 0).is_some() {
        return;
    }
    push_address(fields, name, ip);
}

/// `option forwarded`, of the backend.
fn forwarded(live: &mut Live<'_>, back: &HttpProxy) {
    let Some(spec) = &back.forwarded else { return };
    let mut text = Vec::new();
    {
        let facts = crate::forwarded::Facts {
            tls: live.client.stream.is_tls(),
            host: live.txn.layer.request.fields.get(b"host"),
            client: live.src(),
            local: live.dst(),
        };
        let env = Env::new(live.facts(), live.vars(), live.arena());
        spec.write(&facts, &env, &mut text);
    }
    live.reset_arena();
    if !text.is_empty() {
        live.txn.layer.request.fields.push(b"forwarded", &text);
    }
}

/// `option originalto`.
fn original_to(live: &mut Live<'_>, front: &HttpProxy, back: &HttpProxy) {
    let both: [Option<&OriginalTo>; 2] = [front.original_to.as_ref(), back.original_to.as_ref()];
    if both.iter().all(Option::is_none) {
        return;
    }
    let Some(ip) = live.dst().map(|addr: SocketAddr| addr.ip()) else { return };
    let options = || both.iter().flatten();
    if options().any(|option| option.except.is_some_and(|net| net.contains(ip))) {
        return;
    }
    let name = options().rev().find_map(|option| option.header.as_ref());
    let name: &[u8] = name.map_or(b"x-original-to", HeaderName::as_bytes);
    push_address(&mut live.txn.layer.request.fields, name, ip);
}

/// Appends a field with an address, without allocating.
fn push_address(fields: &mut crate::head::Fields, name: &[u8], ip: IpAddr) {
    use std::io::Write;
    let span = fields.store_with(|out| match ip {
        IpAddr::V4(ip) => {
            for (at, octet) in ip.octets().into_iter().enumerate() {
                if at > 0 {
                    out.push(b'.');
                }
                crate::h1::push_decimal(out, u64::from(octet));
            }
        }
        // Writing to a vector cannot fail.
        IpAddr::V6(ip) => _ = write!(out, "{ip}"),
    });
    if let Some(span) = span {
        fields.push_value(name, span);
    }
}

/// The answer configured for a status: the backend's, if a backend was chosen, else the frontend's.
pub(super) fn configured_error(live: &Live<'_>, status: u16) -> Option<Arc<ErrorReply>> {
    let find = |http: &HttpProxy| {
        http.errors.iter().rev().find(|(own, _)| *own == status).map(|(_, reply)| Arc::clone(reply))
    };
    // A backend that has nothing to say of the status leaves it to the frontend.
    live.txn.backend_http().and_then(find).or_else(|| live.client.frontend().and_then(find))
}

/// Marks the beginning of the response.
pub(super) fn turn(live: &mut Live<'_>) {
    live.txn.direction = Responding::Response;
}
