//! One session: its state, its timers, its packets (RFC 5880 §6.8).

use std::time::{Duration, Instant};

use super::Random;
use super::wire::{Control, Diagnostic, State};
use crate::spec::Bfd;
use crate::timer::{earliest, reached};

/// The slowest a session that is not up may send, at least (RFC 5880 §6.8.3).
const SLOW: Duration = Duration::from_secs(1);
/// Rounds at the slow pace in which a session known to have been up must come up again.
const RESUME_ROUNDS: u32 = 3;

#[derive(Debug)]
pub(super) struct Session {
    pub(super) spec: Bfd,
    pub(super) state: State,
    pub(super) diagnostic: Diagnostic,
    /// Our number of the session.
    pub(super) mine: u32,
    /// What the neighbour last said; before it has said anything, that it is down.
    pub(super) remote: Remote,
    /// The interval we say we would like to send in, and the one we still keep to while the neighbour does not know.
    desired: Agreed,
    /// The same for the least interval between packets to us.
    required: Agreed,
    /// A change of ours has not been acknowledged.
    polling: bool,
    /// Asked, and not answered.
    answer: bool,
    next_send: Option<Instant>,
    /// When the neighbour is lost.
    detect_at: Option<Instant>,
    last_heard: Option<Instant>,
    /// What those who track the session were told.
    pub(super) told: Option<bool>,
    /// Until then a session that was up in a former run of the program is taken to be up.
    resume_until: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Remote {
    pub(super) number: u32,
    pub(super) state: State,
    pub(super) diagnostic: Diagnostic,
    demand: bool,
    multiplier: u8,
    min_tx: Duration,
    min_rx: Duration,
}

/// A value that is told at once and kept to only when the neighbour has heard of it.
#[derive(Debug, Clone, Copy)]
struct Agreed {
    told: Duration,
    kept: Duration,
}

impl Agreed {
    const fn new(value: Duration) -> Self {
        Self { told: value, kept: value }
    }

    /// Keeps to what was told.
    fn settle(&mut self) {
        self.kept = self.told;
    }
}

/// What became of a session in one step.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// Send a packet now.
    pub(super) send: bool,
    /// Lines for the log.
    pub(super) logs: Vec<String>,
    /// What those who track it are to hear.
    pub(super) news: Option<bool>,
}

impl Session {
    pub(super) fn new(now: Instant, spec: Bfd, mine: u32, was_up: bool) -> Self {
        let idle = spec.idle_tx.max(SLOW);
        Self {
            state: State::Down,
            diagnostic: Diagnostic::NONE,
            mine,
            remote: Remote {
                number: 0,
                state: State::Down,
                diagnostic: Diagnostic::NONE,
                demand: false,
                multiplier: 0,
                min_tx: Duration::ZERO,
                // RFC 5880 §6.8.1
                min_rx: Duration::from_micros(1),
            },
            desired: Agreed::new(idle),
            required: Agreed::new(spec.min_rx),
            polling: false,
            answer: false,
            next_send: (!spec.passive).then_some(now),
            detect_at: None,
            last_heard: None,
            told: was_up.then_some(true),
            resume_until: was_up.then(|| now + idle * RESUME_ROUNDS),
            spec,
        }
    }

    /// Takes over other settings of the same session.
    pub(super) fn reconfigure(&mut self, now: Instant, spec: Bfd, random: &mut Random) {
        self.spec = spec;
        self.set_timers();
        self.schedule(now, random);
    }

    /// Takes in a packet that passed every test.
    pub(super) fn receive(&mut self, now: Instant, packet: &Control, random: &mut Random) -> Step {
        let mut step = Step::default();
        self.remote = Remote {
            number: packet.mine,
            state: packet.state,
            diagnostic: packet.diagnostic,
            demand: packet.demand,
            multiplier: packet.multiplier,
            min_tx: micros(packet.desired_min_tx),
            min_rx: micros(packet.required_min_rx),
        };
        if packet.fin && self.polling {
            self.polling = false;
            self.desired.settle();
            self.required.settle();
        }
        let before = self.state;
        self.transit(&mut step);
        self.answer |= packet.poll;
        step.send = self.answer || (self.state != before && self.may_send());
        self.last_heard = Some(now);
        self.detect_at = Some(now + self.detection_time());
        self.schedule(now, random);
        step
    }

    /// RFC 5880 §6.8.6, the part about states.
    fn transit(&mut self, step: &mut Step) {
        match (self.state, self.remote.state) {
            (State::Down, State::Down) => self.enter(State::Init, Diagnostic::NONE, step),
            (State::Down, State::Init) | (State::Init, State::Init | State::Up) => {
                self.enter(State::Up, Diagnostic::NONE, step);
            }
            (State::Init | State::Up, State::AdminDown) | (State::Up, State::Down) => {
                self.enter(State::Down, Diagnostic::NEIGHBOR_DOWN, step);
            }
            _ => {}
        }
    }

    fn enter(&mut self, state: State, diagnostic: Diagnostic, step: &mut Step) {
        let was_up = self.state == State::Up;
        self.state = state;
        self.diagnostic = diagnostic;
        self.set_timers();
        let name = &self.spec.name;
        if state == State::Up {
            self.resume_until = None;
            step.logs.push(format!("({name}) Entering Up state"));
            self.tell(true, step);
        } else if was_up {
            step.logs.push(format!(
                "({name}) Entering {} state (Local diagnostic - {diagnostic}, Remote diagnostic - {})",
                state.word(),
                self.remote.diagnostic
            ));
            if self.remote.state == State::AdminDown {
                step.logs
                    .push(format!("({name}) the neighbor is held down by its operator, which is no failure"));
            } else {
                self.tell(false, step);
            }
        }
    }

    fn tell(&mut self, up: bool, step: &mut Step) {
        if self.told != Some(up) {
            self.told = Some(up);
            step.news = Some(up);
        }
    }

    /// What has never been told is told now: a new session is down.
    pub(super) fn first_news(&mut self) -> Option<bool> {
        (self.told.is_none()).then(|| *self.told.insert(false))
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, now: Instant, random: &mut Random) -> Step {
        let mut step = Step::default();
        if reached(self.detect_at, now) {
            self.detect_at = None;
            self.expire(now, &mut step);
        }
        if reached(self.resume_until, now) {
            self.resume_until = None;
            self.tell(false, &mut step);
        }
        if reached(self.next_send, now) {
            step.send = true;
        }
        self.schedule(now, random);
        step
    }

    /// Nothing was heard for the detection time (RFC 5880 §6.8.4, and §6.8.1 about the number of the neighbour).
    fn expire(&mut self, now: Instant, step: &mut Step) {
        let silence = self.last_heard.map_or(Duration::ZERO, |heard| now.saturating_duration_since(heard));
        self.remote.number = 0;
        if matches!(self.state, State::Init | State::Up) {
            if self.state == State::Up {
                let late = silence.saturating_sub(self.detection_time()).as_micros();
                let (name, silence) = (&self.spec.name, silence.as_millis());
                step.logs.push(format!("({name}) Expired after {silence} ms ({late} usec overdue)"));
            }
            // What it said last is no reason of this.
            self.remote.state = State::Down;
            self.enter(State::Down, Diagnostic::EXPIRED, step);
            step.send = self.may_send();
        }
    }

    /// When [`Session::handle_timeout`] has something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        earliest([self.next_send, self.detect_at, self.resume_until])
    }

    /// The packet to send now; the next one follows after an interval.
    pub(super) fn packet(&mut self, now: Instant, random: &mut Random) -> Control {
        let fin = std::mem::take(&mut self.answer);
        let packet = Control {
            diagnostic: self.diagnostic,
            state: self.state,
            // Never both; the question is asked by the next packet.
            poll: self.polling && !fin,
            fin,
            independent: false,
            demand: false,
            multiplier: self.spec.multiplier,
            mine: self.mine,
            yours: self.remote.number,
            desired_min_tx: count(self.desired.told),
            required_min_rx: count(self.required.told),
            required_min_echo_rx: 0,
        };
        // An answer to a question is outside of the rhythm (RFC 5880 §6.8.7).
        if !fin || reached(self.next_send, now) {
            self.next_send = None;
        }
        self.schedule(now, random);
        packet
    }

    /// How long the neighbour may be silent.
    pub(super) fn detection_time(&self) -> Duration {
        self.required.kept.max(self.remote.min_tx) * u32::from(self.remote.multiplier)
    }

    /// The interval between our packets, before jitter.
    pub(super) fn interval(&self) -> Duration {
        self.desired.kept.max(self.remote.min_rx)
    }

    /// Whether periodic packets are to be sent (RFC 5880 §6.8.7).
    fn may_send(&self) -> bool {
        let waits = self.spec.passive && self.remote.number == 0;
        let unwanted = self.remote.min_rx.is_zero();
        let both_up = self.state == State::Up && self.remote.state == State::Up;
        let spared = self.remote.demand && both_up && !self.polling;
        !(waits || unwanted || spared)
    }

    /// Sees to it that the next packet is no later than an interval from now, or that there is none.
    fn schedule(&mut self, now: Instant, random: &mut Random) {
        if !self.may_send() {
            self.next_send = None;
            return;
        }
        let interval = self.interval();
        if self.next_send.is_none_or(|at| at > now + interval) {
            self.next_send = Some(now + jittered(interval, self.spec.multiplier, random));
        }
    }

    /// Our two intervals, as they are to be in this state. While the session is up, what would surprise the neighbour,
    /// sending less often and expecting more, waits for its acknowledgement (RFC 5880 §6.8.3).
    fn set_timers(&mut self) {
        let idle = self.spec.idle_tx.max(SLOW);
        let desired = if self.state == State::Up { self.spec.min_tx } else { idle };
        let changed = (desired, self.spec.min_rx) != (self.desired.told, self.required.told);
        self.desired.told = desired;
        self.required.told = self.spec.min_rx;
        if self.state == State::Up {
            self.polling |= changed;
            self.desired.kept = self.desired.kept.min(desired);
            self.required.kept = self.required.kept.max(self.spec.min_rx);
        } else {
            self.polling = false;
            self.desired.settle();
            self.required.settle();
        }
    }
}

/// Up to a quarter less than the interval; with a multiplier of one at least a tenth less (RFC 5880 §6.8.7).
fn jittered(interval: Duration, multiplier: u8, random: &mut Random) -> Duration {
    let micros = u64::from(count(interval));
    let least = if multiplier == 1 { micros.div_ceil(10) } else { 0 };
    Duration::from_micros(micros - random.between(least, (micros / 4).max(least)))
}

const fn micros(count: u32) -> Duration {
    Duration::from_micros(count as u64)
}

fn count(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}
