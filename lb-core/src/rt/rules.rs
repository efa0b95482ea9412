//! Running the rules on connections, sessions and their first bytes.
//!
//! A [`Scene`] is everything rules can see and change at one moment. It runs rules until one of them ends the set, needs
//! more bytes, or wants to pause; waiting is the business of the caller.

use super::connection::Session;
use super::facts::SessionFacts;
use super::passage::Passage;
use super::{Stream, tcp_log};
use crate::bandwidth::Limiter;
use crate::engine::ProxyPlan;
use crate::expr::{Arena, Direction, Env, Facts, Glimpse, Peek, ProxyRef, ServerRef};
use crate::log::Capture;
use crate::rule::marks::{ConnectionSide, PacketMarks};
use crate::rule::tcp::{Outcome, TcpAction};
use crate::rule::{Next, Place, RuleSet};
use crate::spec::{LogProfile, Severity};
use crate::stick::{Key, SharedTable};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// The decision of a set of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The session goes on.
    Accept,
    /// It goes on with another protocol.
    Switch,
    /// It ends.
    Reject,
    /// The connection to the server ends.
    Close,
    /// The client's connection is forgotten.
    SilentDrop(Option<u8>),
    /// More bytes are needed; then the rules run again from the beginning.
    Wait,
    /// The rule of this index wants a name looked up; then they go on behind it.
    Resolve(usize),
    /// The rules go on from this one after some time.
    Pause(usize, Duration),
}

/// What rules see and change.
pub(super) struct Scene<'a> {
    pub(super) session: &'a mut Session,
    pub(super) client: &'a Stream,
    pub(super) upstream: Option<&'a Stream>,
    /// What they leave behind on the stream; without one, on the session.
    pub(super) passage: Option<&'a mut Passage>,
    pub(super) request: Option<Peek<'a>>,
    /// What a protocol made of it.
    glimpse: Glimpse,
    pub(super) response: Option<Peek<'a>>,
    pub(super) direction: Direction,
    pub(super) backend: Option<&'a ProxyPlan>,
    pub(super) server: Option<ServerRef<'a>>,
    /// More bytes may come, and they may be waited for.
    pub(super) partial: bool,
    /// The handshakes are done: what changes from here on concerns the session, no longer its connection.
    pub(super) established: bool,
}

/// What an action asks for, independent of what it was computed from.
enum Step {
    Next,
    End(Verdict),
    Source(IpAddr),
    SourcePort(u16),
    Destination(IpAddr),
    DestinationPort(u16),
    Track(usize, Arc<SharedTable>, Key),
    Capture(usize, Capture),
    LogLevel(Option<Severity>),
    Class(i64),
    Offset(i64),
    ExpectProxy,
    Resolve,
    Mark(ConnectionSide, PacketMarks),
    Pause(Duration),
    Log(Option<Arc<LogProfile>>),
    Limit(Box<Limiter>),
}

impl<'a> Scene<'a> {
    /// Before anything but the connection is there.
    pub(super) fn new(session: &'a mut Session, client: &'a Stream) -> Self {
        Self {
            session,
            client,
            upstream: None,
            passage: None,
            request: None,
            glimpse: Glimpse::new(),
            response: None,
            direction: Direction::Request,
            backend: None,
            server: None,
            partial: false,
            established: false,
        }
    }

    /// What is known.
    pub(super) fn facts(&self) -> SessionFacts<'_> {
        let mut facts = SessionFacts::new(self.session, Some(self.client));
        facts.upstream = self.upstream;
        facts.request = self.request;
        facts.response = self.response;
        facts.direction = self.direction;
        facts.backend = self.backend.map(|b| ProxyRef { name: b.spec.name.as_str(), id: b.spec.id });
        facts.server = self.server;
        facts.passage = self.passage.as_deref();
        facts
    }

    /// Evaluates `rules` of `owner` from index `from` on; what they change applies to the rules behind them.
    pub(super) fn run(&mut self, rules: &RuleSet<TcpAction>, from: usize, owner: &ProxyPlan) -> Verdict {
        let mut from = from;
        loop {
            let glimpse = std::mem::take(&mut self.glimpse);
            let (step, glimpse) = {
                let mut facts = self.facts();
                facts.glimpse = glimpse;
                let arena = Arena::new();
                let mut env = Env::new(&facts, facts.vars(), &arena);
                env.last = !self.partial;
                let step = match rules.next(from, &env) {
                    Next::Apply(at, action) => {
                        from = at + 1;
                        Ok(step(action, &mut env, owner))
                    }
                    Next::Wait(_) => Err(Verdict::Wait),
                    Next::End => Err(Verdict::Accept),
                };
                (step, facts.glimpse)
            };
            self.glimpse = glimpse;
            if let Some(passage) = &mut self.passage {
                passage.glimpsed |= self.glimpse.get().is_some();
            }
            let step = match step {
                Ok(step) => step,
                Err(verdict) => return verdict,
            };
            match step {
                Step::End(verdict) => {
                    if verdict != Verdict::Wait
                        && let Some(place) = &rules.rules()[from - 1].place
                    {
                        self.note(place);
                    }
                    return verdict;
                }
                Step::Pause(time) => return Verdict::Pause(from, time),
                Step::Resolve => return Verdict::Resolve(from - 1),
                step => self.take(step),
            }
        }
    }

    /// Remembers the rule that ended a ruleset.
    fn note(&mut self, place: &Arc<Place>) {
        let last = match &mut self.passage {
            Some(passage) => &mut passage.last_rule,
            None => &mut self.session.notes_mut().last_rule,
        };
        *last = Some(Arc::clone(place));
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Source(ip) => self.source(|old| SocketAddr::new(ip, old.map_or(0, |old| old.port()))),
            Step::SourcePort(port) => self.source(|old| SocketAddr::new(or_any(old), port)),
            Step::Destination(ip) => {
                self.destination(|old| SocketAddr::new(ip, old.map_or(0, |old| old.port())));
            }
            Step::DestinationPort(port) => self.destination(|old| SocketAddr::new(or_any(old), port)),
            Step::Track(slot, table, key) => {
                let now = super::Stamp::now().instant;
                let slots = match &mut self.passage {
                    Some(passage) => &mut passage.tracked,
                    None => &mut self.session.notes_mut().tracked,
                };
                slots.start(slot, &table, key, now);
            }
            Step::ExpectProxy => self.session.notes_mut().expects_proxy = true,
            Step::Mark(ConnectionSide::Front, marks) => self.client.mark_packets(marks),
            Step::Log(profile) => tcp_log::asked_for(self, profile.as_deref()),
            step => self.take_on_stream(step),
        }
    }

    /// What only streams have.
    fn take_on_stream(&mut self, step: Step) {
        let Some(passage) = &mut self.passage else { return };
        match step {
            // A backend's rule may name a slot that this frontend does not declare.
            Step::Capture(slot, value) => {
                if let Some(place) = passage.captures.get_mut(slot) {
                    *place = value;
                }
            }
            Step::LogLevel(level) => passage.log_level = Some(level),
            Step::Class(class) => passage.class = i16::try_from(class).unwrap_or_default(),
            Step::Offset(offset) => passage.offset = i32::try_from(offset).unwrap_or_default(),
            Step::Mark(_, marks) => passage.marks = passage.marks.updated(marks),
            Step::Limit(limiter) => passage.limits.get_or_insert_default().set(*limiter),
            _ => {}
        }
    }

    fn source(&mut self, change: impl FnOnce(Option<SocketAddr>) -> SocketAddr) {
        let new = change(self.facts().src());
        match &mut self.passage {
            Some(passage) => passage.source = Some(new),
            None => self.session.set_source(new, self.established),
        }
    }

    fn destination(&mut self, change: impl FnOnce(Option<SocketAddr>) -> SocketAddr) {
        let new = change(self.facts().dst());
        match &mut self.passage {
            Some(passage) => passage.destination = Some(new),
            None => self.session.set_destination(new, self.client, self.established),
        }
    }
}

fn or_any(old: Option<SocketAddr>) -> IpAddr {
    old.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |old| old.ip())
}

/// Evaluates an action. Only keys to be tracked are waited for; everything else is computed from what is there.
fn step<'e>(action: &'e TcpAction, env: &mut Env<'e>, owner: &ProxyPlan) -> Step {
    let partial = !env.last && matches!(action, TcpAction::Track(_));
    env.last = !partial;
    env.take_unsettled();
    let outcome = action.apply(env);
    if partial && env.take_unsettled() {
        return Step::End(Verdict::Wait);
    }
    match outcome {
        Outcome::Accept => Step::End(Verdict::Accept),
        Outcome::SwitchMode => Step::End(Verdict::Switch),
        Outcome::Reject => Step::End(Verdict::Reject),
        Outcome::Close => Step::End(Verdict::Close),
        Outcome::SilentDrop(ttl) => Step::End(Verdict::SilentDrop(ttl)),
        Outcome::ExpectProxy => Step::ExpectProxy,
        Outcome::SetSrc(ip) => Step::Source(ip),
        Outcome::SetSrcPort(port) => Step::SourcePort(port),
        Outcome::SetDst(ip) => Step::Destination(ip),
        Outcome::SetDstPort(port) => Step::DestinationPort(port),
        Outcome::Track { slot, key, table } => {
            let table = env.facts.engine().table(table.unwrap_or_else(|| owner.spec.name.as_str()));
            match table.and_then(|table| Some((table, table.key(&key)?))) {
                Some((table, key)) => Step::Track(slot, Arc::clone(table), key),
                None => Step::Next,
            }
        }
        Outcome::Capture(slot, bytes) => {
            let mut value = Capture::default();
            value.set(bytes, bytes.len());
            Step::Capture(slot, value)
        }
        Outcome::SetLogLevel(level) => Step::LogLevel(level),
        Outcome::SetPriorityClass(class) => Step::Class(class),
        Outcome::SetPriorityOffset(offset) => Step::Offset(offset),
        Outcome::Mark(side, marks) => Step::Mark(side, marks),
        Outcome::Resolve => Step::Resolve,
        Outcome::Pause(millis) => Step::Pause(Duration::from_millis(millis)),
        Outcome::DoLog(profile) => Step::Log(profile.cloned()),
        Outcome::Bandwidth(set) => {
            set.limiter(env).map_or(Step::Next, |limiter| Step::Limit(Box::new(limiter)))
        }
        Outcome::Next => Step::Next,
    }
}
