//! Answers made here: filled in, run through the `http-after-response` rules, written and logged.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use lb_core::engine::ProxyPlan;
use lb_core::log::{Cause, Phase, Template};
use lb_core::stick::Event;

use super::deliver::is_head;
use super::exchange::{After, end};
use super::io::{Presence, Watch, give_scratch, take_scratch, write_in_time};
use super::request::{self, body_is_buffered, configured_error};
use super::txn::Live;
use super::unread::Unread;
use super::{front_of, http_of, log, upstream};
use crate::answer::{self, Made};
use crate::h1::{BodyLength, write_response};
use crate::head::{HeaderName, Version};
use crate::rule::{Cursor, Outcome, Subject};
use crate::spec::{ConnectionMode, ErrorReply, HttpProxy, Redirect, Reply, ServiceKind};

/// An answer that is not a server's.
pub(super) enum Answer {
    /// The proxy's answer for an error.
    Error {
        /// Status.
        status: u16,
        /// For the log.
        cause: Cause,
        /// For the log.
        phase: Phase,
    },
    /// `deny` of a request.
    Deny(Reply),
    /// `deny` of a response.
    DenyResponse(Reply),
    /// `return`.
    Return(Reply),
    /// `tarpit`.
    Tarpit(Reply),
    /// `redirect`.
    Redirect(Redirect),
    /// A redirection that is in the response already.
    Redirected,
    /// `auth`.
    Auth(Option<Template>),
    /// A server's own redirection (`redir`): this in front of the request's path.
    ServerRedirect(Arc<str>),
    /// The statistics page of this proxy.
    Stats(Arc<ProxyPlan>),
    /// A service.
    Service(ServiceKind),
}

impl Answer {
    /// Whether it is what was asked for, given without asking a server.
    const fn intercepts(&self) -> bool {
        matches!(
            self,
            Self::Error { cause: Cause::Local, .. }
                | Self::Auth(_)
                | Self::Return(_)
                | Self::Redirect(_)
                | Self::Redirected
                | Self::Stats(_)
                | Self::Service(_)
        )
    }
}

/// Makes the redirection of a rule; `None` if its address is empty and that is to be ignored.
pub(super) fn try_redirect(live: &mut Live<'_>, redirect: &Redirect) -> Option<Answer> {
    match make_redirect(live, redirect) {
        Made::Response => Some(Answer::Redirected),
        Made::Nothing => None,
    }
}

fn make_redirect(live: &mut Live<'_>, redirect: &Redirect) -> Made {
    let mut text = std::mem::take(&mut live.txn.text);
    let made = answer::redirect(live, redirect, &mut text);
    live.txn.text = text;
    live.txn.arena.reset();
    live.txn.body.clear();
    made
}

/// Answers a request that is on its way to no server.
pub(super) async fn answer(live: &mut Live<'_>, answer: Answer) -> After {
    let unread = Unread::count(live);
    answer_instead(live, answer, unread).await
}

/// Answers a request of which so much is left to be read: nothing if its end cannot be found.
pub(super) async fn answer_instead(live: &mut Live<'_>, answer: Answer, unread: Option<Unread>) -> After {
    if live.txn.times.request.is_none() {
        live.txn.times.request = live.txn.times.begin;
    }
    if let Answer::Tarpit(_) = answer
        && let Some(after) = tarpit(live, &answer).await
    {
        return after;
    }
    let made = make(live, &answer).await;
    account(live, &answer);
    if live.txn.applet.is_some() {
        let now = live.touch();
        let times = &mut live.txn.times;
        (times.queue, times.connect, times.response) = (times.request, times.request, Some(now));
    }
    if made == Made::Nothing {
        upstream::detach(live, upstream::Kept::No);
        log::close(live);
        return After::Close;
    }
    live.txn.layer.has_response = true;
    let backend = live.txn.backend.clone();
    let back = backend.as_ref().and_then(|backend| http_of(&*backend.spec.protocol));
    let status = live.txn.layer.response.status;
    if run_after(live, back).await {
        let changed = live.txn.layer.response.status;
        if changed != status {
            live.txn.answered = Some(changed);
        }
        let own = backend.as_ref().is_none_or(|b| b.index == live.client.session.frontend().index);
        if own && answer.intercepts() {
            let counters = &live.client.session.frontend().state.front.counters;
            counters.of(live.client.session.worker().id()).intercepted.inc();
        }
    } else {
        Box::pin(give_way(live, back, &answer)).await;
    }
    send(live, unread).await
}

/// Replaces an answer that an `http-after-response` rule failed on by that of an internal error. The rules have another
/// try on it, unless it was one already; if they fail again, it is sent as it is.
async fn give_way(live: &mut Live<'_>, back: Option<&HttpProxy>, failed: &Answer) {
    const INTERNAL: Answer = Answer::Error { status: 500, cause: Cause::Proxy, phase: Phase::Request };
    let error = live.txn.layer.response.status == 500;
    let deliberate = matches!(
        failed,
        Answer::Error { .. } | Answer::Deny(_) | Answer::DenyResponse(_) | Answer::Tarpit(_)
    );
    if !deliberate {
        log::mishap(live, log::Mishap::Internal);
    }
    if matches!(failed, Answer::Auth(_)) {
        live.txn.termination.cause = Cause::Proxy;
    }
    if live.txn.termination.phase == Phase::Request && live.txn.applet.is_none() && !deliberate {
        live.txn.times.request = None;
    }
    live.txn.answered = None;
    let _ = make(live, &INTERNAL).await;
    if !error && !run_after(live, back).await {
        let _ = make(live, &INTERNAL).await;
    }
}

/// Notes how the exchange ended and counts it.
fn account(live: &mut Live<'_>, answer: &Answer) {
    let (session, backend) = (&live.client.session, live.txn.backend.as_deref());
    let (cause, phase) = match answer {
        Answer::Error { cause, phase, .. } => (*cause, *phase),
        Answer::Auth(_) => (Cause::Local, Phase::Request),
        Answer::ServerRedirect(_) => (Cause::Local, Phase::Connect),
        Answer::Deny(_) => {
            session.deny_request(backend);
            (Cause::Proxy, Phase::Request)
        }
        Answer::Tarpit(_) => {
            session.deny_request(backend);
            (Cause::Proxy, Phase::Tarpit)
        }
        Answer::DenyResponse(_) => {
            session.deny_response(backend, live.txn.upstream.cell.as_deref());
            (Cause::Proxy, Phase::Headers)
        }
        Answer::Return(_)
        | Answer::Redirect(_)
        | Answer::Redirected
        | Answer::Stats(_)
        | Answer::Service(_) => {
            let phase = if live.txn.layer.has_response { Phase::Headers } else { Phase::Request };
            (Cause::Local, phase)
        }
    };
    end(live, cause, phase);
    // What clients did wrong, and what was refused to them.
    let refused = matches!(answer, Answer::Deny(_) | Answer::Auth(_) | Answer::Tarpit(_));
    let wrong = matches!(answer, Answer::Error { status: 400..=499, cause: Cause::Proxy, .. });
    if refused || wrong {
        live.count_tracked(Event::HttpError);
    }
}

/// Holds the client for the tarpit's time, or until it closes its sending side; an end if its connection breaks, as it does
/// for a request whose body is not whole.
async fn tarpit(live: &mut Live<'_>, answer: &Answer) -> Option<After> {
    let timeouts = match &live.txn.backend {
        Some(backend) => backend.spec.timeouts,
        None => live.client.session.frontend().spec.timeouts,
    };
    let time = live.txn.settings.tarpit.or(timeouts.tarpit).or(timeouts.connect).unwrap_or(Duration::ZERO);
    live.client.timer.set_after(Some(time));
    let whole = body_is_buffered(&live.txn.layer.request);
    let client = &mut *live.client;
    let mut watch = Watch::new(true);
    let broken = std::future::poll_fn(|cx| {
        if let Poll::Ready(how) = watch.poll_gone(&mut client.stream, client.session.worker(), cx) {
            return Poll::Ready(how == Presence::Broken || !whole);
        }
        client.timer.poll_expired(cx).map(|()| false)
    })
    .await;
    // The time in the pit is told as time spent waiting.
    let now = live.touch();
    let times = &mut live.txn.times;
    (times.queue, times.connect) = (Some(now), None);
    if !broken {
        return None;
    }
    account(live, answer);
    live.txn.layer.response.status = 500;
    log::close(live);
    Some(After::Close)
}

/// Fills in the response.
async fn make(live: &mut Live<'_>, answer: &Answer) -> Made {
    let mut text = std::mem::take(&mut live.txn.text);
    let mut body = std::mem::take(&mut live.txn.body);
    body.clear();
    let made = match answer {
        Answer::Error { status, .. } => {
            let configured = configured_error(live, *status);
            answer::error(live, *status, configured.as_deref(), &mut text, &mut body)
        }
        Answer::Deny(reply) | Answer::DenyResponse(reply) | Answer::Return(reply) | Answer::Tarpit(reply) => {
            let configured = configured_error(live, reply.status);
            let made = answer::reply(live, reply, configured.as_deref(), &mut text, &mut body);
            // The log tells what the rule says, whatever the file that stands for it says.
            live.txn.answered = Some(reply.status);
            made
        }
        Answer::Redirect(redirect) => answer::redirect(live, redirect, &mut text),
        Answer::ServerRedirect(prefix) => server_redirect(live, prefix),
        Answer::Redirected => Made::Response,
        Answer::Auth(realm) => {
            let configured = (configured_error(live, 401), configured_error(live, 407));
            let name = proxy_name(live);
            let pages: (Option<&ErrorReply>, _) = (configured.0.as_deref(), configured.1.as_deref());
            answer::auth(live, realm.as_ref(), &name, pages, &mut text, &mut body)
        }
        // Pages are rare: exchanges without them must not pay for them with a larger future.
        Answer::Stats(plan) => Box::pin(super::stats::page(live, plan, &mut body)).await,
        Answer::Service(ServiceKind::Prometheus) => Box::pin(super::stats::prometheus(live, &mut body)).await,
    };
    live.txn.arena.reset();
    live.txn.text = text;
    live.txn.body = body;
    made
}

/// A prefix of one slash stands for none.
fn server_redirect(live: &mut Live<'_>, prefix: &str) -> Made {
    let prefix = if prefix == "/" { "" } else { prefix };
    let target = crate::h1::Target::parse(live.txn.layer.request.target()).path_query;
    let location = [prefix.as_bytes(), target].concat();
    let fields = [(&b"cache-control"[..], &b"no-cache"[..])];
    let made = answer::page(&mut live.txn.layer.response, 302, &fields, 0);
    live.txn.layer.response.fields.push(b"location", &location);
    made
}

/// The name of the proxy whose rules are being run.
fn proxy_name(live: &Live<'_>) -> String {
    let plan = live.txn.backend.as_ref().unwrap_or_else(|| live.client.session.frontend());
    plan.spec.name.as_str().to_owned()
}

/// Whether [`run_after`] has anything to run.
pub(super) fn runs_after(live: &Live<'_>, back: Option<&HttpProxy>) -> bool {
    live.txn.front.responds_after || back.is_some_and(|back| !back.after_response.is_empty())
}

/// Runs the `http-after-response` rules of both sides, which only edit; false if one of them could not.
pub(super) async fn run_after(live: &mut Live<'_>, back: Option<&HttpProxy>) -> bool {
    if !runs_after(live, back) {
        return true;
    }
    let plan = Arc::clone(live.client.session.frontend());
    let front = front_of(&*plan.spec.protocol);
    let same = front.zip(back).is_some_and(|(front, back)| std::ptr::eq(front, back));
    for http in [back, front.filter(|_| !same)].into_iter().flatten() {
        if http.after_response.is_empty() {
            continue;
        }
        live.txn.direction = super::txn::Responding::Response;
        let mut cursor = Cursor::new(!http.lax_rewrite);
        loop {
            match request::step(live, &http.after_response, Subject::Response, &mut cursor) {
                Outcome::Pause(time) => request::pause(live, time).await,
                Outcome::Failed => return false,
                _ => break,
            }
        }
    }
    true
}

/// Writes the answer in the transaction.
async fn send(live: &mut Live<'_>, unread: Option<Unread>) -> After {
    upstream::detach(live, upstream::Kept::No);
    let keep = live.txn.layer.request.wants_keep_alive()
        && live.txn.layer.has_request
        && live.txn.front.connection != ConnectionMode::Close
        && !live.client.session.generation().is_stopping()
        && !live.txn.layer.response.flags.close
        && live.txn.layer.response.body != BodyLength::UntilClose
        && unread.is_some();
    let mut out = take_scratch();
    write_head(live, keep, &mut out);
    if !is_head(live) && live.txn.layer.response.body != BodyLength::Empty {
        out.extend_from_slice(&live.txn.body);
    }
    let limit = live.client.session.frontend().spec.timeouts.client;
    let sent = write_in_time(live.client, &out, limit).await.is_ok();
    live.txn.times.end = Some(live.client.age());
    live.txn.counts.to_client += out.len() as u64;
    if live.txn.applet.is_some() {
        // A service is logged like a server that answered at once.
        live.txn.counts.from_server = out.len() as u64;
    }
    give_scratch(out);
    if !sent {
        end(live, Cause::ClientAbort, Phase::Last);
    }
    log::close(live);
    upstream::part(live);
    match unread {
        Some(unread) if sent => unread.settle(live, keep, limit).await,
        _ => After::Close,
    }
}

/// Writes the head of the response with what is to be said about the connection.
pub(super) fn write_head(live: &mut Live<'_>, keep: bool, out: &mut Vec<u8>) {
    let http10 = live.txn.layer.request.version == Version::Http10 && live.txn.layer.has_request;
    let response = &mut live.txn.layer.response;
    // What goes without saying in the version that is announced is not said.
    let option: &[u8] = match (keep, response.version) {
        // Of a tunnel nothing is kept.
        _ if response.body == BodyLength::Tunnel => b"",
        (true, Version::Http11) if !http10 => b"",
        (true, _) if response.flags.chunked && !http10 => b"",
        (true, _) => b"keep-alive",
        (false, Version::Http11) => b"close",
        (false, Version::Http10) => b"",
    };
    let mut extra: &[(&[u8], &[u8])] = &[];
    let pair = [(&b"connection"[..], option)];
    if !option.is_empty() {
        match response.fields.find(b"connection", 0).filter(|_| !http10) {
            Some(index) => {
                let joined = [response.fields.value(index), b", ", option].concat();
                response.fields.set_value(index, &joined);
            }
            None => extra = &pair,
        }
    }
    write_response(out, response, extra);
    if live.txn.front.adjusts
        && let Some(front) = live.client.frontend()
    {
        adjust_case(out, &front.case_adjust);
    }
}

/// Gives field names the case that a peer insists on.
pub(super) fn adjust_case(out: &mut [u8], names: &[(HeaderName, Arc<[u8]>)]) {
    let mut at = memchr::memchr(b'\n', out).map_or(out.len(), |at| at + 1);
    while let Some(len) = memchr::memchr(b'\n', &out[at..]) {
        let line = &mut out[at..at + len];
        let Some(colon) = memchr::memchr(b':', line) else { return };
        let found = names.iter().find(|(name, _)| name.as_bytes() == &line[..colon]);
        if let Some((_, text)) = found.filter(|(_, text)| text.len() == colon) {
            line[..colon].copy_from_slice(text);
        }
        at += len + 1;
    }
}

/// Answers what is not a request: as configured, else with the built-in page as it is.
pub(super) async fn early(live: &mut Live<'_>, status: u16) {
    let configured = configured_error(live, status);
    live.txn.layer.response.status = status;
    let text = match configured.as_deref() {
        Some(ErrorReply::Raw(text)) => text.to_vec(),
        Some(_) => {
            answer(live, Answer::Error { status, cause: Cause::Normal, phase: Phase::Done }).await;
            return;
        }
        None => answer::early_error(status),
    };
    let limit = live.client.session.frontend().spec.timeouts.client;
    // Who does not listen is not told.
    let _ = write_in_time(live.client, &text, limit).await;
    live.txn.counts.to_client += text.len() as u64;
    log::close(live);
}
