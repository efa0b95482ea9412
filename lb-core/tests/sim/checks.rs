//! Servers that fail and recover at random, checked over a lossy network, beside the truth about them.
//!
//! The driver of this simulation is what a real one would be, without sockets: it carries out the dialogues, keeps the
//! schedule, and reports the verdicts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lb_core::balance::{Algorithm, ServerId};
use lb_core::deadline::DeadlineHeap;
use lb_core::health::{
    CheckKind, ConnectFailure, ConnectProbe, Dialog, HealthEvent, Input, Intervals, Layer, Output, ProbeSpec,
    Spread, Target,
};
use lb_core::pool::{AdminState, CheckDef, OpState, Pool, PoolDef, PoolEvent, ServerDef};
use lb_core::rng::Rng;

const SERVERS: u32 = 20;
const INTERVAL: Duration = Duration::from_millis(1000);
const RISE: u32 = 2;
const FALL: u32 = 3;

struct Sim {
    rng: Rng,
    now: Instant,
    start: Instant,
    pool: Arc<Pool>,
    intervals: Intervals,
    /// Next start, or the time limit of the running check.
    timers: DeadlineHeap,
    running: Vec<Option<Running>>,
    /// Whether a server works, and since when.
    truth: Vec<(bool, Instant)>,
    lines: Vec<String>,
    seed: u64,
}

struct Running {
    dialog: Box<dyn Dialog>,
    started: Instant,
    /// When the connection attempt is answered, and how; never if the network lost it.
    answer: Option<(Instant, bool)>,
}

#[test]
fn states_follow_the_servers_within_the_time_the_checks_need() {
    for seed in super::seeds(20) {
        let mut sim = Sim::new(seed);
        for _ in 0..3000 {
            sim.advance();
            sim.compare();
        }
        sim.check_lines();
    }
}

#[test]
fn first_checks_are_spread_over_the_interval() {
    let sim = Sim::new(1);
    let mut starts: Vec<_> = (0..SERVERS).map(|server| sim.timers.get(server).unwrap() - sim.start).collect();
    starts.sort();
    assert!(starts.windows(2).all(|pair| pair[1] - pair[0] == INTERVAL / SERVERS));
}

impl Sim {
    fn new(seed: u64) -> Self {
        let start = Instant::now();
        let mut rng = Rng::new(seed);
        let servers = (0..SERVERS).map(|number| {
            let mut server = ServerDef::new(format!("s{number}").as_str(), number + 1);
            server.check = Some(CheckDef { rise: RISE, fall: FALL });
            server
        });
        let pool = Pool::new(PoolDef::new("be", Algorithm::LeastConn, servers.collect()), start).unwrap();
        let mut timers = DeadlineHeap::with_capacity(SERVERS as usize);
        let mut spread = Spread::new((0..SERVERS).map(|_| INTERVAL));
        for server in 0..SERVERS {
            timers.set(server, start + spread.first_delay(INTERVAL, 0, &mut rng));
        }
        let truth = vec![(true, start); SERVERS as usize];
        let running = (0..SERVERS).map(|_| None).collect();
        let intervals = Intervals::every(INTERVAL);
        Self { rng, now: start, start, pool, intervals, timers, running, truth, lines: Vec::new(), seed }
    }

    /// Goes to the next thing that happens and lets it happen.
    fn advance(&mut self) {
        if self.rng.below(100) == 0 {
            let server = self.rng.below(u64::from(SERVERS)) as usize;
            self.truth[server] = (!self.truth[server].0, self.now);
        }
        if self.rng.below(300) == 0 {
            let server = ServerId(self.rng.below(u64::from(SERVERS)) as u32);
            // After maintenance the server is taken to be up until a check says otherwise.
            self.truth[server.index()].1 = self.now;
            for state in [AdminState::Maint, AdminState::Ready] {
                let events = self.pool.set_state(server, state, self.now).unwrap();
                self.note(&events);
            }
        }
        self.now = self.timers.next().expect("checks go on for ever");
        let server = self.timers.expire(self.now).expect("it is time");
        match self.running[server as usize].take() {
            None => self.begin(server),
            Some(check) => self.go_on(server, check),
        }
    }

    fn begin(&mut self, server: u32) {
        let target = Target::new("be", format!("s{server}"), None);
        let mut dialog = ConnectProbe::new().start(&target, self.now);
        assert!(matches!(dialog.poll_output(), Some(Output::Connect(_))));
        let lost = self.rng.below(200) == 0;
        let delay = Duration::from_millis(1 + self.rng.below(50));
        let answer = (!lost).then(|| (self.now + delay, self.truth[server as usize].0));
        self.wait(server, Running { dialog, started: self.now, answer });
    }

    fn wait(&mut self, server: u32, check: Running) {
        let limit = check.dialog.poll_timeout().expect("an unfinished check has a time limit");
        self.timers.set(server, check.answer.map_or(limit, |(at, _)| at.min(limit)));
        self.running[server as usize] = Some(check);
    }

    fn go_on(&mut self, server: u32, mut check: Running) {
        match check.answer {
            Some((at, true)) if at <= self.now => check.dialog.handle_input(self.now, Input::Connected),
            Some((at, false)) if at <= self.now => {
                let failure = ConnectFailure::new(Layer::Connection, "Connection refused");
                check.dialog.handle_input(self.now, Input::Failed(failure));
            }
            _ => check.dialog.handle_timeout(self.now),
        }
        while let Some(output) = check.dialog.poll_output() {
            assert!(matches!(output, Output::Close(_)));
        }
        let verdict = check.dialog.verdict().expect("one answer ends a plain check").clone();
        let took = self.now - check.started;
        let id = ServerId(server);
        let events = self.pool.report_check(id, CheckKind::Health, &verdict, took, self.now);
        self.note(&events);
        let delay = self.pool.next_check(id, CheckKind::Health, &self.intervals, 0, &mut self.rng).unwrap();
        self.timers.set(server, self.now + delay);
    }

    fn note(&mut self, events: &[PoolEvent]) {
        let line = |event: &PoolEvent| match event {
            PoolEvent::Log(HealthEvent::Server(change)) => Some(change.to_string()),
            _ => None,
        };
        self.lines.extend(events.iter().filter_map(line));
    }

    /// A server that has not changed for as long as the checks need, with one of them lost, is known for what it is.
    fn compare(&self) {
        let settled = (INTERVAL * 2 + Duration::from_millis(100)) * (RISE + FALL + 2);
        for (server, &(works, since)) in self.truth.iter().enumerate() {
            let cell = self.pool.server(ServerId(server as u32)).unwrap();
            let up = cell.op() == OpState::Running;
            if self.now - since > settled && !works {
                assert!(!up, "seed {}: s{server} is dead but up at {:?}", self.seed, self.now - self.start);
            }
        }
        let census = self.pool.census();
        let up = (0..SERVERS)
            .filter(|&server| self.pool.server(ServerId(server)).unwrap().op() == OpState::Running);
        assert_eq!(up.count() as u32, census.active, "seed {}", self.seed);
    }

    /// The lines of every server alternate between down and up.
    fn check_lines(&self) {
        assert!(self.lines.len() > 20, "seed {}: too little happened", self.seed);
        for server in 0..SERVERS {
            let prefix = format!("Server be/s{server} ");
            let states = self.lines.iter().filter_map(|line| line.strip_prefix(&prefix)).map(|line| {
                !line.starts_with("is DOWN")
                    && !line.starts_with("is going DOWN")
                    && !line.starts_with("was DOWN")
            });
            let mut up = true;
            for (state, line) in states.zip(self.lines.iter().filter(|line| line.starts_with(&prefix))) {
                let maintenance = line.contains("was DOWN and now enters maintenance");
                assert!(state != up || maintenance, "seed {}: {line}", self.seed);
                up = state;
            }
        }
    }
}
