//! All sessions of a specification: which one a packet is for, and what they want done.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::Random;
use super::session::{Session, Step};
use super::wire::{self, Control, Refusal, State};
use crate::event::{Log, Severity};
use crate::spec::{Bfd, Name};
use crate::timer::earliest;

/// A received packet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Packet {
    /// The sender.
    pub source: IpAddr,
    /// Whom it was sent to, if the driver could learn it.
    pub destination: Option<IpAddr>,
    /// Hop limit on arrival, if the driver could learn it.
    pub ttl: Option<u8>,
    /// Came in on the port for several hops.
    pub multihop: bool,
    /// The payload of the UDP datagram.
    pub payload: Vec<u8>,
}

impl Packet {
    /// A packet over one hop that came directly from its sender.
    #[must_use]
    pub fn new(source: IpAddr, destination: IpAddr, payload: Vec<u8>) -> Self {
        Self { source, destination: Some(destination), ttl: Some(255), multihop: false, payload }
    }
}

/// Something to be done outside, in exactly this order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Send a packet.
    Transmit(Transmit),
    /// A session came up or went down.
    State(Name, bool),
    /// A line for the log.
    Log(Log),
}

/// A packet to be sent to the neighbour of a session, from a port between 49152 and 65535 that stays the same.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transmit {
    /// The session.
    pub session: Name,
    /// The payload of the UDP datagram.
    pub payload: [u8; wire::LEN],
}

/// What a session is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionSnapshot {
    /// Its name.
    pub name: Name,
    /// State of our end.
    pub state: State,
    /// State of the other end, as last heard.
    pub remote_state: State,
    /// Why our end last left Up.
    pub diagnostic: wire::Diagnostic,
    /// Time between our packets, before jitter.
    pub interval: Duration,
    /// How long the neighbour may be silent.
    pub detection_time: Duration,
    /// What those who track it were last told.
    pub told: bool,
}

/// All sessions.
#[derive(Debug)]
pub struct Sessions {
    sessions: Vec<Session>,
    random: Random,
    out: VecDeque<Output>,
    refused: [u64; Refusal::ALL.len()],
}

impl Sessions {
    /// No sessions. The seed decides discriminators and jitter; it should be hard to guess.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            sessions: Vec::new(),
            random: Random(seed),
            out: VecDeque::new(),
            refused: [0; Refusal::ALL.len()],
        }
    }

    /// Takes over a specification. Sessions with the same ends keep their state, and agree with their neighbours on new
    /// timers. Those named in `were_up` were up a moment ago in another process: their failure is told only when they
    /// do not come up again.
    pub fn configure(&mut self, now: Instant, specs: &[Bfd], were_up: &[Name]) {
        let mut old = std::mem::take(&mut self.sessions);
        for spec in specs {
            if let Some(at) = old.iter().position(|session| session.spec.is_same_session(spec)) {
                let mut session = old.swap_remove(at);
                session.reconfigure(now, spec.clone(), &mut self.random);
                self.sessions.push(session);
                continue;
            }
            let number = self.number(&old);
            let mut session = Session::new(now, spec.clone(), number, were_up.contains(&spec.name));
            if let Some(up) = session.first_news() {
                self.out.push_back(Output::State(spec.name.clone(), up));
            }
            self.sessions.push(session);
        }
    }

    /// A discriminator nobody uses.
    fn number(&mut self, old: &[Session]) -> u32 {
        loop {
            let number = (self.random.next() >> 32) as u32;
            if number != 0 && !self.sessions.iter().chain(old).any(|session| session.mine == number) {
                return number;
            }
        }
    }

    /// Takes in a packet. Outputs and timeout may change.
    ///
    /// # Errors
    ///
    /// If it was refused; then nothing has changed but a counter.
    pub fn handle_packet(&mut self, now: Instant, packet: &Packet) -> Result<(), Refusal> {
        let accepted = Control::parse(&packet.payload)
            .and_then(|control| Ok((self.find(&control, packet)?, control)))
            .inspect_err(|refusal| self.refused[*refusal as usize] += 1)?;
        let (at, control) = accepted;
        let step = self.sessions[at].receive(now, &control, &mut self.random);
        self.act(now, at, step);
        Ok(())
    }

    /// The session a packet is for: the one of our number in it, or the one between these two addresses.
    fn find(&self, control: &Control, packet: &Packet) -> Result<usize, Refusal> {
        let at = self.sessions.iter().position(|session| {
            let spec = &session.spec;
            if control.yours != 0 {
                return session.mine == control.yours;
            }
            let ours = spec.source.is_none_or(|own| packet.destination.is_none_or(|to| to == own));
            spec.neighbor == packet.source && spec.multihop == packet.multihop && ours
        });
        let spec = &self.sessions[at.ok_or(Refusal::UnknownSession)?].spec;
        if spec.neighbor != packet.source || spec.multihop != packet.multihop {
            return Err(Refusal::WrongSource);
        }
        if spec.min_ttl.is_some_and(|least| packet.ttl.is_some_and(|ttl| ttl < least)) {
            return Err(Refusal::HopLimit);
        }
        at.ok_or(Refusal::UnknownSession)
    }

    /// Does what is due. Call it at [`poll_timeout`](Self::poll_timeout); calling it earlier does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        for at in 0..self.sessions.len() {
            let step = self.sessions[at].handle_timeout(now, &mut self.random);
            self.act(now, at, step);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout). May change with every other call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        earliest(self.sessions.iter().map(Session::poll_timeout))
    }

    /// The next thing to do outside; None when all is done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// What every session is doing.
    #[must_use]
    pub fn snapshot(&self) -> Vec<SessionSnapshot> {
        let describe = |session: &Session| SessionSnapshot {
            name: session.spec.name.clone(),
            state: session.state,
            remote_state: session.remote.state,
            diagnostic: session.diagnostic,
            interval: session.interval(),
            detection_time: session.detection_time(),
            told: session.told == Some(true),
        };
        self.sessions.iter().map(describe).collect()
    }

    /// How many packets were refused for this reason.
    #[must_use]
    pub fn refused(&self, reason: Refusal) -> u64 {
        self.refused[reason as usize]
    }

    fn act(&mut self, now: Instant, at: usize, step: Step) {
        let session = &mut self.sessions[at];
        let name = &session.spec.name;
        for text in step.logs {
            self.out.push_back(Output::Log(Log { severity: Severity::Info, detail: false, text }));
        }
        if let Some(up) = step.news {
            self.out.push_back(Output::State(name.clone(), up));
        }
        if step.send {
            let session_name = name.clone();
            let payload = session.packet(now, &mut self.random).emit();
            self.out.push_back(Output::Transmit(Transmit { session: session_name, payload }));
        }
    }
}
