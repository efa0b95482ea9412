//! Some routers on one network segment: every datagram may be lost, delayed, reordered or kept from the other side of
//! a partition; every router may crash, freeze, lose its link or see its check fail; every clock runs at its own
//! speed. A client on the segment believes the last announcement it heard.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use vrrp::event::{Admin, Datagram, InterfaceAddress, Link, NotifyState, ScriptResult, Track};
use vrrp::spec::Prefix;
use vrrp::stats::StateKind;
use vrrp::{Input, Memory, Output, Router, Spec};

use crate::rng::Rng;

/// A router, its host and its clock.
pub(crate) struct Host {
    pub(crate) spec: Spec,
    pub(crate) address: IpAddr,
    /// None after a crash.
    pub(crate) router: Option<Router>,
    /// Until when the process is not scheduled.
    pub(crate) frozen: Option<Duration>,
    pub(crate) link_up: bool,
    pub(crate) check_ok: bool,
    /// Which side of a partition it is on.
    pub(crate) side: u8,
    /// Addresses on its interface: what a crash leaves behind stays.
    pub(crate) held: BTreeSet<IpAddr>,
    /// Memory written at the last change of state, and when.
    memory: Option<(Memory, Duration)>,
    /// Parts per million its clock is fast.
    drift: i64,
    waiting: Vec<Datagram>,
    pub(crate) transitions: usize,
}

pub(crate) struct World {
    pub(crate) hosts: Vec<Host>,
    pub(crate) rng: Rng,
    pub(crate) now: Duration,
    base: Instant,
    flying: BTreeMap<(Duration, u64), (usize, Datagram)>,
    counter: u64,
    /// Percent of datagrams lost.
    pub(crate) loss: u64,
    /// Longest time a datagram takes.
    pub(crate) delay: Duration,
    /// Datagrams of one sender may overtake each other, which a healthy segment never lets them.
    pub(crate) reorder: bool,
    /// Arrival of the last datagram, by sender and receiver.
    last_arrival: BTreeMap<(usize, usize), Duration>,
    /// Where the client sends packets for each address.
    pub(crate) client: BTreeMap<IpAddr, usize>,
    pub(crate) client_side: u8,
    pub(crate) journal: Vec<String>,
}

impl World {
    pub(crate) fn new(specs: Vec<Spec>, rng: Rng, base: Instant) -> Self {
        let mut world = Self {
            hosts: Vec::new(),
            rng,
            now: Duration::ZERO,
            base,
            flying: BTreeMap::new(),
            counter: 0,
            loss: 0,
            delay: Duration::from_micros(300),
            reorder: false,
            last_arrival: BTreeMap::new(),
            client: BTreeMap::new(),
            client_side: 0,
            journal: Vec::new(),
        };
        for (at, spec) in specs.into_iter().enumerate() {
            let drift = world.rng.below(2001) as i64 - 1000;
            world.hosts.push(Host {
                spec,
                address: IpAddr::from([10, 0, 10, 11 + at as u8]),
                router: None,
                frozen: None,
                link_up: true,
                check_ok: true,
                side: 0,
                held: BTreeSet::new(),
                memory: None,
                drift,
                waiting: Vec::new(),
                transitions: 0,
            });
        }
        world
    }

    /// Starts a process: the driver tells links and addresses, then says start.
    pub(crate) fn boot(&mut self, at: usize, with_memory: bool) {
        let host = &mut self.hosts[at];
        let mut router = Router::new(host.spec.clone()).expect("the specification of a simulation is valid");
        if let (true, Some((memory, when))) = (with_memory, host.memory.clone()) {
            router.resume(memory, self.now - when);
        }
        host.router = Some(router);
        let (up, own, held) = (host.link_up, host.address, host.held.clone());
        self.input(at, Input::Link(Link::new("eth0", up)));
        for address in std::iter::once(own).chain(held) {
            self.input(at, Input::AddressAdded(InterfaceAddress::new("eth0", Prefix::host(address))));
        }
        self.input(at, Input::Admin(Admin::Start));
    }

    /// Kills a process; its addresses stay on the interface.
    pub(crate) fn crash(&mut self, at: usize) {
        self.hosts[at].router = None;
        self.hosts[at].waiting.clear();
    }

    /// Stamps the remembered state with the present, as a supervisor does that saw the process die.
    pub(crate) fn refresh_memory(&mut self, at: usize) {
        if let Some((_, when)) = &mut self.hosts[at].memory {
            *when = self.now;
        }
    }

    /// Turns the whole machine off.
    pub(crate) fn power_off(&mut self, at: usize) {
        self.crash(at);
        self.hosts[at].held.clear();
        self.hosts[at].memory = None;
    }

    pub(crate) fn set_link(&mut self, at: usize, up: bool) {
        self.hosts[at].link_up = up;
        self.input(at, Input::Link(Link::new("eth0", up)));
    }

    pub(crate) fn set_check(&mut self, at: usize, ok: bool) {
        self.hosts[at].check_ok = ok;
    }

    pub(crate) fn input(&mut self, at: usize, input: Input) {
        let now = self.local_now(at);
        if let Some(router) = &mut self.hosts[at].router {
            router.handle_input(now, input);
            self.drain(at);
        }
    }

    /// Lets time pass. `watch` is called after everything that happens.
    pub(crate) fn run(&mut self, by: Duration, mut watch: impl FnMut(&Self)) {
        let end = self.now + by;
        loop {
            let datagram = self.flying.keys().next().map(|(at, _)| *at);
            let timer = (0..self.hosts.len()).filter_map(|at| self.due(at)).min();
            let Some(next) = datagram.into_iter().chain(timer).min().filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            self.deliver();
            for at in 0..self.hosts.len() {
                if self.due(at).is_some_and(|due| due <= self.now) {
                    self.wake(at);
                }
            }
            watch(self);
        }
        self.now = end;
    }

    pub(crate) fn state(&self, at: usize) -> Option<StateKind> {
        self.hosts[at].router.as_ref()?.state("i0")
    }

    pub(crate) fn masters(&self) -> Vec<usize> {
        (0..self.hosts.len()).filter(|&at| self.state(at) == Some(StateKind::Master)).collect()
    }

    /// Hosts whose processes run, with the priority they would win or lose an election with; faulty ones left out.
    pub(crate) fn able(&self) -> Vec<(usize, u8)> {
        (0..self.hosts.len())
            .filter_map(|at| {
                let router = self.hosts[at].router.as_ref()?;
                let instance = &router.snapshot(self.local_now(at)).instances[0];
                let able = matches!(instance.state, StateKind::Master | StateKind::Backup);
                able.then_some((at, instance.effective_priority))
            })
            .collect()
    }

    pub(crate) fn note(&mut self, text: String) {
        self.journal.push(format!("{:>10.6} {text}", self.now.as_secs_f64()));
    }

    // --- clocks ---

    fn local_now(&self, at: usize) -> Instant {
        self.base + self.to_local(at, self.now)
    }

    fn to_local(&self, at: usize, global: Duration) -> Duration {
        let nanos = global.as_nanos() as i128;
        Duration::from_nanos((nanos + nanos * i128::from(self.hosts[at].drift) / 1_000_000) as u64)
    }

    fn to_global(&self, at: usize, local: Duration) -> Duration {
        let nanos = local.as_nanos() as i128 * 1_000_000 / (1_000_000 + i128::from(self.hosts[at].drift));
        // Rounded up, so that the timer has surely expired.
        Duration::from_nanos(nanos as u64 + 2)
    }

    /// When a host has to be woken up.
    fn due(&self, at: usize) -> Option<Duration> {
        let host = &self.hosts[at];
        let timeout = host.router.as_ref()?.poll_timeout()?;
        let due = self.to_global(at, timeout.saturating_duration_since(self.base));
        match host.frozen {
            Some(until) => Some(until),
            None => Some(due.max(self.now)),
        }
    }

    /// A frozen process that is woken serves its timers or its sockets first, as it happens.
    fn wake(&mut self, at: usize) {
        let was_frozen = self.hosts[at].frozen.take().is_some();
        let timer_first = !was_frozen || self.rng.chance(50);
        if timer_first {
            self.timeout(at);
        }
        for datagram in std::mem::take(&mut self.hosts[at].waiting) {
            self.input(at, Input::Datagram(datagram));
        }
        if !timer_first {
            self.timeout(at);
        }
    }

    fn timeout(&mut self, at: usize) {
        let now = self.local_now(at);
        if let Some(router) = &mut self.hosts[at].router {
            router.handle_timeout(now);
            self.drain(at);
        }
    }

    // --- network ---

    fn deliver(&mut self) {
        while let Some(entry) = self.flying.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            let (to, datagram) = entry.remove();
            let host = &mut self.hosts[to];
            if host.frozen.is_some() {
                host.waiting.push(datagram);
            } else {
                self.input(to, Input::Datagram(datagram));
            }
        }
    }

    fn send(&mut self, from: usize, source: IpAddr, destination: IpAddr, payload: &[u8]) {
        for to in 0..self.hosts.len() {
            let (sender, receiver) = (&self.hosts[from], &self.hosts[to]);
            let connected = sender.link_up && receiver.link_up && sender.side == receiver.side;
            if to == from || !connected || receiver.router.is_none() || self.rng.chance(self.loss) {
                continue;
            }
            let delay = Duration::from_nanos(self.rng.below(self.delay.as_nanos() as u64 + 1));
            let datagram = Datagram::new("eth0", source, destination, Some(255), payload.to_vec());
            self.counter += 1;
            let last = self.last_arrival.entry((from, to)).or_default();
            let arrival = if self.reorder { self.now + delay } else { (self.now + delay).max(*last) };
            *last = arrival;
            self.flying.insert((arrival, self.counter), (to, datagram));
        }
    }

    // --- the driver's part ---

    fn drain(&mut self, at: usize) {
        while let Some(output) = self.hosts[at].router.as_mut().and_then(Router::poll_output) {
            self.perform(at, output);
        }
    }

    fn perform(&mut self, at: usize, output: Output) {
        match output {
            Output::Transmit(transmit) => {
                self.send(at, transmit.source, transmit.destination, transmit.payload());
            }
            Output::AddAddress(change) => drop(self.hosts[at].held.insert(change.address.address())),
            Output::DelAddress(change) => drop(self.hosts[at].held.remove(&change.address.address())),
            Output::Garp(announcement) => {
                let host = &self.hosts[at];
                assert!(host.held.contains(&announcement.address), "only held addresses are announced");
                if host.link_up && host.side == self.client_side {
                    self.client.insert(announcement.address, at);
                }
            }
            Output::RunScript(name, _) => {
                let status = i32::from(!self.hosts[at].check_ok);
                self.input(at, Input::Track(Track::Script(name, ScriptResult::Exited(status))));
            }
            Output::Notify(notify) => {
                let counts =
                    matches!(notify.state, NotifyState::Master | NotifyState::Backup | NotifyState::Fault);
                self.hosts[at].transitions += usize::from(counts);
                let memory = self.hosts[at].router.as_ref().map(Router::memory);
                self.hosts[at].memory = memory.map(|memory| (memory, self.now));
                self.note(format!("host {at} {} {:?}", notify.name, notify.state));
            }
            _ => {}
        }
    }
}
