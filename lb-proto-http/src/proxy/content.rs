//! What works on connections of any protocol, here on requests: `tcp-request content`, `tcp-response content`, `stick`.

use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use lb_core::bandwidth::Limiter;
use lb_core::engine::ProxyPlan;
use lb_core::expr::Env;
use lb_core::log::Origin;
use lb_core::rt::remembered_server;
use lb_core::rule::Next;
use lb_core::rule::marks::{ConnectionSide, PacketMarks};
use lb_core::rule::tcp::{Outcome, TcpAction};
use lb_core::spec::{LogProfile, Severity};
use lb_core::stick::{Key, SharedTable};

use super::io::Watch;
use super::request::{Fate, Parting};
use super::txn::{Live, Responding};
use crate::rule::{Effect, Session};

/// What an action asks for, independent of what it was computed from.
enum Step {
    Next,
    End,
    Reject(Parting),
    Wait,
    Pause(Duration),
    /// The rule of this index wants a name looked up.
    Resolve(usize),
    Track(usize, Arc<SharedTable>, Key),
    Capture(usize, Vec<u8>),
    LogLevel(Option<Severity>),
    Source(IpAddr),
    SourcePort(u16),
    Destination(IpAddr),
    DestinationPort(u16),
    Mark(ConnectionSide, PacketMarks),
    Class(i32),
    Offset(i32),
    Log(Option<Arc<LogProfile>>),
    Limit(Box<Limiter>),
}

/// Runs the `tcp-request content` rules of a proxy on a request whose head is there. `Some` when it ends here.
pub(super) async fn request(live: &mut Live<'_>, owner: &Arc<ProxyPlan>) -> Option<Fate> {
    // Requests without such rules must not pay for them with a larger future.
    if owner.spec.tcp_rules.request.is_empty() { None } else { Box::pin(inspect(live, owner)).await }
}

async fn inspect(live: &mut Live<'_>, owner: &Arc<ProxyPlan>) -> Option<Fate> {
    let delay = owner.spec.tcp_rules.inspect_delay;
    let (mut deadline, mut from): (Option<Instant>, usize) = (None, 0);
    loop {
        live.touch();
        let now = live.instant();
        let late = deadline.is_some_and(|deadline| now >= deadline);
        let step = run(live, owner, &mut from, delay.is_some() && !late);
        let pause = match step {
            Step::Wait => {
                from = 0;
                *deadline.get_or_insert_with(|| now + delay.unwrap_or_default())
            }
            Step::Pause(time) => now + time,
            Step::Resolve(at) => {
                if let TcpAction::Resolve(rule) = &owner.spec.tcp_rules.request.rules()[at].action
                    && !super::resolve::run(live, rule).await
                {
                    return Some(Fate::Gone);
                }
                continue;
            }
            Step::Reject(parting) => {
                let dropped = matches!(parting, Parting::Silent(_));
                live.client.session.deny_request(live.txn.backend.as_deref().filter(|_| dropped));
                return Some(Fate::Drop(parting));
            }

            _ => return None,
        };
        if !sleep(live, pause).await {
            return Some(Fate::Gone);
        }
    }
}

/// Waits; false when the client goes away.
async fn sleep(live: &mut Live<'_>, until: Instant) -> bool {
    let client = &mut *live.client;
    client.timer.set(Some(until));
    let mut watch = Watch::new(true);
    std::future::poll_fn(|cx| {
        if watch.poll_gone(&mut client.stream, client.session.worker(), cx).is_ready() {
            return Poll::Ready(false);
        }
        client.timer.poll_expired(cx).map(|()| true)
    })
    .await
}

/// Runs the `tcp-response content` rules of the backend; how the client's connection ends when they refuse the response.
pub(super) fn response(live: &mut Live<'_>) -> Option<Parting> {
    let backend = live.txn.backend.as_ref().filter(|b| !b.spec.tcp_rules.response.is_empty()).cloned()?;
    let mut from = 0;
    loop {
        let step = next(live, &backend.spec.tcp_rules.response, &mut from, false);
        match step {
            // The whole head is there: nothing is waited for.
            Step::Wait | Step::End => return None,
            Step::Reject(parting) => {
                let (session, backend) = (&live.client.session, Some(&*backend));
                match parting {
                    Parting::Close => session.deny_response(backend, live.txn.upstream.cell.as_deref()),
                    Parting::Silent(_) => session.deny_request(backend),
                }
                return Some(parting);
            }
            step => take(live, step),
        }
    }
}

/// Runs rules of the request from `from` on until one ends the set, needs more or pauses.
fn run(live: &mut Live<'_>, owner: &Arc<ProxyPlan>, from: &mut usize, partial: bool) -> Step {
    loop {
        let step = next(live, &owner.spec.tcp_rules.request, from, partial);
        match step {
            Step::Next
            | Step::Track(..)
            | Step::Capture(..)
            | Step::LogLevel(_)
            | Step::Source(_)
            | Step::SourcePort(_)
            | Step::Destination(_)
            | Step::DestinationPort(_)
            | Step::Mark(..)
            | Step::Class(_)
            | Step::Offset(_)
            | Step::Log(_)
            | Step::Limit(_) => take(live, step),
            step => return step,
        }
    }
}

/// The next rule that applies, computed.
fn next(
    live: &mut Live<'_>,
    rules: &lb_core::rule::RuleSet<TcpAction>,
    from: &mut usize,
    partial: bool,
) -> Step {
    let (step, place) = {
        let mut env = Env::new(live.facts(), live.vars(), live.arena());
        env.last = !partial;
        match rules.next(*from, &env) {
            Next::Apply(at, action) => {
                *from = at + 1;
                let step = match action {
                    TcpAction::Resolve(_) => Step::Resolve(at),
                    action => compute(live, action, &mut env),
                };
                let place =
                    matches!(step, Step::End | Step::Reject { .. }).then_some(&rules.rules()[at].place);
                (step, place)
            }
            Next::Wait(_) => (Step::Wait, None),
            Next::End => (Step::End, None),
        }
    };
    live.reset_arena();
    if let Some(Some(place)) = place {
        live.effect(Effect::LastRule(place));
    }
    step
}

/// Only keys to be tracked are waited for; everything else is computed from what is there.
fn compute<'e>(live: &'e Live<'_>, action: &'e TcpAction, env: &mut Env<'e>) -> Step {
    let partial = !env.last && matches!(action, TcpAction::Track(_));
    env.last = !partial;
    env.take_unsettled();
    let outcome = action.apply(env);
    if partial && env.take_unsettled() {
        return Step::Wait;
    }
    match outcome {
        Outcome::Accept | Outcome::SwitchMode => Step::End,
        Outcome::Reject | Outcome::Close => Step::Reject(Parting::Close),
        Outcome::SilentDrop(ttl) => Step::Reject(Parting::Silent(ttl)),
        Outcome::SetSrc(ip) => Step::Source(ip),
        Outcome::SetSrcPort(port) => Step::SourcePort(port),
        Outcome::SetDst(ip) => Step::Destination(ip),
        Outcome::SetDstPort(port) => Step::DestinationPort(port),
        Outcome::Track { slot, key, table } => match live.key_of(table, || Some(key)) {
            Some((table, key)) => Step::Track(slot, table, key),
            None => Step::Next,
        },
        Outcome::Capture(slot, bytes) => Step::Capture(slot, bytes.to_vec()),
        Outcome::SetLogLevel(level) => Step::LogLevel(level),
        Outcome::Mark(side, marks) => Step::Mark(side, marks),
        Outcome::SetPriorityClass(class) => Step::Class(i32::try_from(class).unwrap_or_default()),
        Outcome::SetPriorityOffset(offset) => Step::Offset(i32::try_from(offset).unwrap_or_default()),
        Outcome::Pause(millis) => Step::Pause(Duration::from_millis(millis)),
        Outcome::DoLog(profile) => Step::Log(profile.cloned()),
        Outcome::Bandwidth(set) => {
            set.limiter(env).map_or(Step::Next, |limiter| Step::Limit(Box::new(limiter)))
        }
        _ => Step::Next,
    }
}

/// Does what a rule asks for.
fn take(live: &mut Live<'_>, step: Step) {
    match step {
        Step::Track(slot, table, key) => {
            let now = live.instant();
            live.txn.tracked.start(slot, &table, key, now);
        }
        Step::Capture(slot, bytes) => {
            if let Some(slot) = live.txn.layer.request_captures.get_mut(slot) {
                slot.set(&bytes, bytes.len());
            }
        }
        Step::LogLevel(level) => live.effect(Effect::LogLevel(level)),
        Step::Source(ip) => live.effect(Effect::Source(ip)),
        Step::SourcePort(port) => live.effect(Effect::SourcePort(port)),
        Step::Destination(ip) => live.effect(Effect::Destination(ip)),
        Step::DestinationPort(port) => live.effect(Effect::DestinationPort(port)),
        Step::Mark(side, marks) => live.effect(Effect::Mark(side, marks)),
        Step::Class(class) => live.effect(Effect::PriorityClass(class)),
        Step::Offset(offset) => live.effect(Effect::PriorityOffset(offset)),
        Step::Limit(limiter) => live.effect(Effect::Limit(limiter)),
        Step::Log(profile) => {
            let origin = match live.txn.direction {
                Responding::Request => Origin::TcpRequestContent,
                Responding::Response => Origin::TcpResponseContent,
            };
            live.effect(Effect::Log(origin, profile.as_deref()));
        }
        _ => {}
    }
}

/// The backend, if its stick tables remember servers.
fn sticking(live: &Live<'_>) -> Option<Arc<ProxyPlan>> {
    live.txn.backend.as_ref().filter(|backend| !backend.spec.stick.is_empty()).cloned()
}

/// Looks up the server that a stick table remembers for the request.
pub(super) fn look_up(live: &mut Live<'_>) {
    let Some(backend) = sticking(live) else { return };
    let mut pending = std::mem::take(&mut live.txn.pending);
    let found = {
        let env = Env::new(live.facts(), live.vars(), live.arena());
        let find = &mut |remembered: &_| remembered_server(&backend, remembered);
        pending.on_request(&backend.spec.stick, backend.spec.name.as_str(), &env, find)
    };
    live.reset_arena();
    if let Some(id) = found.filter(|_| !live.txn.persistence.direct) {
        (live.txn.persistence.server, live.txn.persistence.direct) = (Some(id.0), true);
    }
    live.txn.pending = pending;
}

/// Stores the server under the keys of the request and of the response.
pub(super) fn store(live: &mut Live<'_>) {
    let Some(backend) = sticking(live) else { return };
    let mut pending = std::mem::take(&mut live.txn.pending);
    {
        let env = Env::new(live.facts(), live.vars(), live.arena());
        pending.on_response(&backend.spec.stick, backend.spec.name.as_str(), &env);
    }
    live.reset_arena();
    pending.store(live.txn.server.as_ref().map(|server| &server.spec), live.instant());
    live.txn.pending = pending;
}
