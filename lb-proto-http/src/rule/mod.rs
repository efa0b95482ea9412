//! Running of `http-request`, `http-response` and `http-after-response` rules.
//!
//! Rules change the [`HttpLayer`] of a [`Session`] in place. What concerns the session or the connections is handed to
//! the session as an [`Effect`]; what ends the ruleset or needs to wait is handed back as an [`Outcome`], because only
//! a driver can answer or wait. Nothing is allocated while rules run once the session's areas are warm.

mod edit;
mod packed;
mod rewrite;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use lb_core::bandwidth::Limiter;
use lb_core::expr::{Arena, Env, Facts, Sample, SampleType, Vars};
use lb_core::log::{Origin, Template};
use lb_core::rule::marks::{ConnectionSide, PacketMarks};
use lb_core::rule::resolve::Resolve;
use lb_core::rule::{Next, Place, RuleSet};
use lb_core::spec::{LogProfile, Severity};

use crate::head::HeaderName;
use crate::layer::HttpLayer;
use crate::spec::{Action, Redirect, Reply, ServiceKind, TimeoutKind, TrackSlot};

pub use edit::expand_groups;

/// What rules run on.
pub trait Session {
    /// Facts for expressions. Their layer must be the one of [`layer_mut`](Self::layer_mut).
    fn facts(&self) -> &dyn Facts;

    /// Variables.
    fn vars(&self) -> Vars<'_>;

    /// Where converter outputs live during one evaluation.
    fn arena(&self) -> &Arena;

    /// Takes the outputs back after an evaluation.
    fn reset_arena(&mut self);

    /// The messages.
    fn layer_mut(&mut self) -> &mut HttpLayer;

    /// Does what only the session can.
    fn effect(&mut self, effect: Effect<'_>);
}

/// What a rule asks of its session.
#[derive(Debug)]
#[non_exhaustive]
pub enum Effect<'a> {
    /// Log at this level; `None` logs nothing.
    LogLevel(Option<Severity>),
    /// The client's address is this one from now on; the port stays.
    Source(IpAddr),
    /// The client's port.
    SourcePort(u16),
    /// The address the client connected to.
    Destination(IpAddr),
    /// The port the client connected to.
    DestinationPort(u16),
    /// Mark the packets of a connection.
    Mark(ConnectionSide, PacketMarks),
    /// Another timeout for this exchange.
    Timeout(TimeoutKind, Duration),
    /// Another number of retries for this exchange.
    Retries(u32),
    /// Place in queues: class first.
    PriorityClass(i32),
    /// Place in queues within the class, in milliseconds.
    PriorityOffset(i32),
    /// No retry once the request was sent.
    NoRetry,
    /// Write a log line now, of this step and as this profile says if there is one.
    Log(Origin, Option<&'a LogProfile>),
    /// A rule at this place ended its ruleset.
    LastRule(&'a Arc<Place>),
    /// Count the request under this key.
    Track(&'a TrackSlot),
    /// Limit the bandwidth.
    Limit(Box<Limiter>),
    /// A rule could not change the message.
    RewriteFailed,
}

/// Why running stopped.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome<'r> {
    /// No rule is left, or one said `allow`.
    Done,
    /// Refuse with this reply.
    Deny(&'r Reply),
    /// Answer with this reply.
    Return(&'r Reply),
    /// Refuse with this reply after the tarpit's time.
    Tarpit(&'r Reply),
    /// Redirect.
    Redirect(&'r Redirect),
    /// Ask for a password.
    Auth(Option<&'r Template>),
    /// Close without an answer.
    Reject,
    /// Forget the connection without telling the client, or with a reset of this TTL.
    SilentDrop(Option<u8>),
    /// Let a service answer.
    Service(ServiceKind),
    /// Send this field to the client in an early 103 response, then go on.
    EarlyHint(&'r HeaderName, &'r Template),
    /// Wait for the body, then go on.
    WaitForBody {
        /// How long.
        time: Duration,
        /// Until so many bytes are there; everything when 0.
        at_least: usize,
    },
    /// Look a name up, then go on.
    Resolve(&'r Resolve),
    /// Wait, then go on.
    Pause(Duration),
    /// A condition cannot be decided before more of the message is there.
    Wait,
    /// A field or target did not fit.
    Failed,
    /// The target is not acceptable.
    BadTarget,
}

impl Outcome<'_> {
    /// Whether no further rule is looked at.
    const fn is_final(&self) -> bool {
        !matches!(
            self,
            Self::EarlyHint(..) | Self::WaitForBody { .. } | Self::Resolve(_) | Self::Pause(_) | Self::Wait
        )
    }
}

/// Where a ruleset stands, so that it can go on after a wait.
#[derive(Clone, Copy, Debug)]
pub struct Cursor {
    next: usize,
    /// A rewriting rule that fails ends the exchange with an error.
    strict: bool,
}

impl Cursor {
    /// At the beginning.
    pub const fn new(strict: bool) -> Self {
        Self { next: 0, strict }
    }
}

/// Which message the rules change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are two messages")]
pub enum Subject {
    /// The request.
    Request,
    /// The response.
    Response,
}

/// Runs rules from `cursor` on until one has an outcome.
///
/// `text` is scratch space.
pub fn run<'r>(
    rules: &'r RuleSet<Action>,
    subject: Subject,
    session: &mut dyn Session,
    cursor: &mut Cursor,
    text: &mut Vec<u8>,
) -> Outcome<'r> {
    loop {
        let next = {
            let env = Env::new(session.facts(), session.vars(), session.arena());
            rules.next(cursor.next, &env)
        };
        session.reset_arena();
        let action = match next {
            Next::Apply(index, action) => {
                cursor.next = index + 1;
                action
            }
            Next::Wait(index) => {
                cursor.next = index;
                return Outcome::Wait;
            }
            Next::End => return Outcome::Done,
        };
        if let Some(outcome) = finish(action) {
            if let Some(place) = &rules.rules()[cursor.next - 1].place
                && outcome.is_final()
            {
                session.effect(Effect::LastRule(place));
            }
            return outcome;
        }
        if let Action::StrictMode(strict) = action {
            cursor.strict = *strict;
        } else if let Action::Pause(program) = action {
            let time = number(session, program).map_or(Duration::ZERO, Duration::from_millis);
            if !time.is_zero() {
                return Outcome::Pause(time);
            }
        } else {
            let done = if let Action::NormalizeUri(normalizer) = action {
                let normalized = rewrite::normalize(*normalizer, &mut session.layer_mut().request);
                let Ok(done) = normalized else { return Outcome::BadTarget };
                done
            } else {
                let done = apply(action, subject, session, text);
                session.reset_arena();
                done
            };
            if !done {
                session.effect(Effect::RewriteFailed);
                if cursor.strict {
                    return Outcome::Failed;
                }
            }
        }
    }
}

/// The outcome of an action that stops the run without anything to compute.
fn finish(action: &Action) -> Option<Outcome<'_>> {
    Some(match action {
        Action::Allow => Outcome::Done,
        Action::Deny(reply) => Outcome::Deny(reply),
        Action::Return(reply) => Outcome::Return(reply),
        Action::Tarpit(reply) => Outcome::Tarpit(reply),
        Action::Redirect(redirect) => Outcome::Redirect(redirect),
        Action::Auth(realm) => Outcome::Auth(realm.as_ref()),
        Action::Reject => Outcome::Reject,
        Action::SilentDrop(ttl) => Outcome::SilentDrop(*ttl),
        Action::UseService(kind) => Outcome::Service(*kind),
        Action::EarlyHint(name, value) => Outcome::EarlyHint(name, value),
        Action::Resolve(rule) => Outcome::Resolve(rule),
        Action::WaitForBody { time, at_least } => Outcome::WaitForBody { time: *time, at_least: *at_least },
        _ => return None,
    })
}

/// Carries out an action; false when something did not fit.
fn apply(action: &Action, subject: Subject, session: &mut dyn Session, text: &mut Vec<u8>) -> bool {
    match action {
        Action::SetHeader(..)
        | Action::AddHeader(..)
        | Action::DelHeader(_)
        | Action::ReplaceHeader(..)
        | Action::ReplaceValue(..) => edit::fields(action, subject, session, text),
        Action::PackedFields(fields) => packed::run(fields, subject, session, text),
        Action::SetMethod(_)
        | Action::SetPath(_)
        | Action::SetPathQuery(_)
        | Action::SetQuery(_)
        | Action::SetUri(_)
        | Action::ReplacePath(..)
        | Action::ReplacePathQuery(..)
        | Action::ReplaceUri(..)
        | Action::SetStatus(..) => rewrite::start_line(action, session, text),
        Action::SetVar(..) | Action::SetVarFmt(..) | Action::UnsetVar(_) | Action::Capture { .. } => {
            remember(action, session, text);
            true
        }
        Action::SetMap(..) | Action::DelMap(..) | Action::AddAcl(..) => maps(action, session, text),
        Action::Counter(counter) => {
            counter.run(&env(session));
            true
        }
        _ => {
            effect(action, session);
            true
        }
    }
}

/// Variables and captures.
fn remember(action: &Action, session: &mut dyn Session, text: &mut Vec<u8>) {
    match action {
        Action::SetVar(name, program, conditions) => {
            let env = env(session);
            if let Some(sample) = program.eval(&env)
                && conditions.hold(&env.vars, name, &sample)
            {
                env.vars.set(name, &sample);
            }
        }
        Action::SetVarFmt(name, template, conditions) => {
            format(session, template, text);
            let vars = session.vars();
            if conditions.hold(&vars, name, &Sample::Str(text)) {
                vars.set(name, &Sample::Str(text));
            }
        }
        Action::UnsetVar(name) => {
            session.vars().unset(name);
        }
        Action::Capture { value, slot, response, limit } => {
            text.clear();
            let found = {
                let env = env(session);
                value.eval_str(&env).map(|bytes| text.extend_from_slice(bytes)).is_some()
            };
            let layer = session.layer_mut();
            let slots = if *response { &mut layer.response_captures } else { &mut layer.request_captures };
            if let Some(slot) = slots.get_mut(*slot).filter(|_| found) {
                slot.set(text, *limit);
            }
        }
        _ => {}
    }
}

/// Changes of maps and pattern lists; false when the list did not take the change.
fn maps(action: &Action, session: &mut dyn Session, text: &mut Vec<u8>) -> bool {
    let (Action::SetMap(map, key, _) | Action::DelMap(map, key) | Action::AddAcl(map, key)) = action else {
        return true;
    };
    format(session, key, text);
    let key = String::from_utf8_lossy(text).into_owned();
    match action {
        Action::SetMap(_, _, value) => {
            format(session, value, text);
            map.upsert(&key, &String::from_utf8_lossy(text)).is_ok()
        }
        Action::DelMap(..) => map.remove(&key).is_ok(),
        // One entry of a key is enough.
        _ => map.entries().iter().any(|entry| *entry.key == *key) || map.add(&key, None).is_ok(),
    }
}

/// Actions that concern the session.
fn effect(action: &Action, session: &mut dyn Session) {
    let effect = match action {
        Action::SetLogLevel(level) => Some(Effect::LogLevel(*level)),
        Action::SetSrc(program) => address(session, program).map(Effect::Source),
        Action::SetDst(program) => address(session, program).map(Effect::Destination),
        Action::SetSrcPort(program) => port(session, program).map(Effect::SourcePort),
        Action::SetDstPort(program) => port(session, program).map(Effect::DestinationPort),
        Action::SetMark(set) => Some(Effect::Mark(set.side, set.eval(&env(session)))),
        Action::SetTimeout(kind, program) => {
            number(session, program).map(|ms| Effect::Timeout(*kind, Duration::from_millis(ms)))
        }
        Action::SetRetries(program) => {
            number(session, program).map(|count| Effect::Retries(u32::try_from(count).unwrap_or(u32::MAX)))
        }
        Action::SetPriorityClass(program) => priority(session, program, 2047).map(Effect::PriorityClass),
        Action::SetPriorityOffset(program) => priority(session, program, 524_287).map(Effect::PriorityOffset),
        Action::DisableRetry => Some(Effect::NoRetry),
        Action::DoLog(origin, profile) => Some(Effect::Log(*origin, profile.as_deref())),
        Action::Track(slot) => Some(Effect::Track(slot)),
        Action::SetBandwidth(set) => {
            set.limiter(&env(session)).map(|limiter| Effect::Limit(Box::new(limiter)))
        }
        _ => None,
    };
    if let Some(effect) = effect {
        session.effect(effect);
    }
}

fn env(session: &dyn Session) -> Env<'_> {
    Env::new(session.facts(), session.vars(), session.arena())
}

/// Formats into `text`, which is emptied first.
pub(crate) fn format(session: &dyn Session, template: &Template, text: &mut Vec<u8>) {
    text.clear();
    match template.as_literal() {
        Some(literal) => text.extend_from_slice(literal),
        None => template.write(&env(session), text),
    }
}

fn address(session: &dyn Session, program: &lb_core::expr::Program) -> Option<IpAddr> {
    match program.eval_as(&env(session), SampleType::Addr)? {
        Sample::Ipv4(addr) => Some(addr.into()),
        Sample::Ipv6(addr) => Some(addr.into()),
        _ => None,
    }
}

fn integer(session: &dyn Session, program: &lb_core::expr::Program) -> Option<i64> {
    program.eval(&env(session))?.to_int()
}

fn number(session: &dyn Session, program: &lb_core::expr::Program) -> Option<u64> {
    integer(session, program).and_then(|number| u64::try_from(number).ok())
}

fn port(session: &dyn Session, program: &lb_core::expr::Program) -> Option<u16> {
    integer(session, program).and_then(|number| u16::try_from(number).ok())
}

fn priority(session: &dyn Session, program: &lb_core::expr::Program, limit: i64) -> Option<i32> {
    integer(session, program).map(|number| number.clamp(-limit, limit) as i32)
}

#[cfg(test)]
mod tests;
