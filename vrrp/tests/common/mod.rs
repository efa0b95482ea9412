//! One router on a virtual clock, with everything it does written down.

#![allow(dead_code, unreachable_pub, reason = "every test binary uses another part of it")]

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use vrrp::event::{Admin, Datagram, InterfaceAddress, Link, NotifyState, ScriptResult, Track, Transmit};
use vrrp::spec::{
    Auth, Command, Global, Instance, Password, Prefix, Script, TrackRef, Version, VirtualAddress, Weight,
};
use vrrp::stats::{InstanceSnapshot, StateKind};
use vrrp::wire::{Packet, v2, v3};
use vrrp::{Input, Output, Router, Spec};

pub const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 10, 3));
pub const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 10, 12));
pub const LOW: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 10, 11));
pub const HIGH: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 10, 13));
pub const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub fn us(us: u64) -> Duration {
    Duration::from_micros(us)
}

/// An address from its text.
pub fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[expect(clippy::disallowed_methods, reason = "a virtual clock needs one real instant to begin with")]
pub fn an_instant() -> Instant {
    Instant::now()
}

/// The instance of most tests: `i`, identifier 50, eth0, version 2, priority 100, one address.
pub fn instance() -> Instance {
    let mut instance = Instance::new("i", 50, &Global::default());
    instance.interface = Some("eth0".into());
    instance.addresses.push(VirtualAddress::new(Prefix::host(VIP)));
    instance
}

pub fn spec(change: impl FnOnce(&mut Instance)) -> Spec {
    let mut spec = Spec::new();
    let mut instance = instance();
    change(&mut instance);
    spec.instances.push(instance);
    spec
}

/// A specification with one script `c`, tracked with this weight.
pub fn with_script(weight: Weight, change: impl FnOnce(&mut Instance)) -> Spec {
    let mut spec = spec(change);
    let mut script = Script::new("c", Command::new(["/bin/check"]));
    script.interval = Duration::from_secs(2);
    spec.scripts.push(script);
    spec.instances[0].track.scripts.push(TrackRef::weighted("c", weight));
    spec
}

/// The configuration of the well-known tutorial: state MASTER, priority 101, password too long by four bytes.
pub fn tutorial() -> Spec {
    with_script(Weight::new(20), |instance| {
        instance.name = "dc1server".into();
        instance.priority = 101;
        instance.state = vrrp::spec::InitialState::Master;
        instance.auth = Auth::Pass(Password::new(b"SOMEPASSWORD"));
    })
}

/// What a router did, and when.
#[derive(Debug, Clone)]
pub struct Done {
    pub at: Duration,
    pub output: Output,
}

/// One router on a virtual clock.
pub struct Node {
    pub router: Router,
    pub begin: Instant,
    pub now: Instant,
    pub done: Vec<Done>,
}

impl Node {
    /// A router that has been told of nothing yet.
    pub fn idle(spec: Spec) -> Self {
        let begin = an_instant();
        let router = Router::new(spec).expect("the specification of a test is valid");
        Self { router, begin, now: begin, done: Vec::new() }
    }

    /// A router with eth0 up and one address, started.
    pub fn start(spec: Spec) -> Self {
        let mut node = Self::idle(spec);
        node.surroundings();
        node.admin(Admin::Start);
        node
    }

    /// A started router that has become master; what it did so far is forgotten.
    pub fn master(spec: Spec) -> Self {
        let mut node = Self::start(spec);
        node.pass_scripts();
        node.advance(Duration::from_secs(4));
        assert_eq!(node.state(), StateKind::Master);
        // Past everything that becoming master brings along.
        node.advance(Duration::from_secs(10));
        node.done.clear();
        node
    }

    pub fn surroundings(&mut self) {
        self.input(Input::Link(Link::new("eth0", true)));
        self.input(Input::AddressAdded(InterfaceAddress::new("eth0", Prefix::new(OWN, 24))));
    }

    /// All scripts report success once.
    pub fn pass_scripts(&mut self) {
        let names: Vec<_> = self.router.spec().scripts.iter().map(|script| script.name.clone()).collect();
        for name in names {
            self.input(Input::Track(Track::Script(name, ScriptResult::Exited(0))));
        }
    }

    pub fn script(&mut self, status: i32) {
        self.input(Input::Track(Track::Script("c".into(), ScriptResult::Exited(status))));
    }

    pub fn input(&mut self, input: Input) {
        self.router.handle_input(self.now, input);
        self.drain();
    }

    pub fn admin(&mut self, admin: Admin) {
        self.input(Input::Admin(admin));
    }

    /// Lets time pass, with every timer served exactly when it is due.
    pub fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(at) = self.router.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.router.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// Lets time pass without serving any timer, as if the process had been stopped.
    pub fn freeze(&mut self, by: Duration) {
        self.now += by;
    }

    pub fn drain(&mut self) {
        while let Some(output) = self.router.poll_output() {
            self.done.push(Done { at: self.now - self.begin, output });
        }
    }

    pub fn elapsed(&self) -> Duration {
        self.now - self.begin
    }

    pub fn state(&self) -> StateKind {
        self.snapshot().state
    }

    pub fn snapshot(&self) -> InstanceSnapshot {
        self.router.snapshot(self.now).instances.remove(0)
    }

    /// What was done since the last look.
    pub fn take(&mut self) -> Vec<Done> {
        std::mem::take(&mut self.done)
    }

    pub fn logs(&self) -> Vec<String> {
        self.done
            .iter()
            .filter_map(|done| match &done.output {
                Output::Log(log) => Some(log.text.clone()),
                _ => None,
            })
            .collect()
    }

    pub fn has_log(&self, text: &str) -> bool {
        self.logs().iter().any(|log| log == text)
    }

    pub fn transmits(&self) -> Vec<(Duration, Transmit)> {
        self.done
            .iter()
            .filter_map(|done| match &done.output {
                Output::Transmit(transmit) => Some((done.at, transmit.clone())),
                _ => None,
            })
            .collect()
    }

    /// When adverts were sent, and with which priority.
    pub fn adverts(&self) -> Vec<(Duration, u8)> {
        let priority = |transmit: &Transmit| {
            Packet::new(transmit.payload(), transmit.source.is_ipv6())
                .expect("adverts have a header")
                .priority()
        };
        self.transmits().into_iter().map(|(at, transmit)| (at, priority(&transmit))).collect()
    }

    /// When announcements were sent.
    pub fn announcements(&self) -> Vec<Duration> {
        let is = |done: &&Done| matches!(done.output, Output::Garp(_) | Output::NeighborAdvert(_));
        self.done.iter().filter(is).map(|done| done.at).collect()
    }

    pub fn notifications(&self) -> Vec<NotifyState> {
        self.done
            .iter()
            .filter_map(|done| match &done.output {
                Output::Notify(notify) => Some(notify.state),
                _ => None,
            })
            .collect()
    }

    /// When the first address was added or removed.
    pub fn added(&self) -> Option<Duration> {
        self.done.iter().find(|done| matches!(done.output, Output::AddAddress(_))).map(|done| done.at)
    }

    pub fn removed(&self) -> Option<Duration> {
        self.done.iter().find(|done| matches!(done.output, Output::DelAddress(_))).map(|done| done.at)
    }

    /// Receives an advert that fits the first instance.
    pub fn hear(&mut self, source: IpAddr, priority: u8) {
        let datagram = self.advert(source, priority);
        self.input(Input::Datagram(datagram));
    }

    pub fn advert(&self, source: IpAddr, priority: u8) -> Datagram {
        advert_for(&self.router.spec().instances[0], source, priority)
    }
}

/// An advert as another router with the settings of this instance would send it.
pub fn advert_for(instance: &Instance, source: IpAddr, priority: u8) -> Datagram {
    let addresses: Vec<IpAddr> = instance.addresses.iter().map(VirtualAddress::address).collect();
    let destination = match &instance.transport {
        vrrp::spec::Transport::Multicast { group, .. } => *group,
        _ => instance.source.unwrap_or(OWN),
    };
    let mut payload = Vec::new();
    match instance.version {
        Version::V2 => {
            let (auth_type, auth_data) = match &instance.auth {
                Auth::Pass(password) => (1, *password.bytes()),
                _ => (0, [0; 8]),
            };
            let interval = instance.advert_interval.secs() as u8;
            v2::Repr { vrid: instance.vrid, priority, auth_type, interval, addresses: &addresses, auth_data }
                .emit(instance.ipv6.then_some((source, destination)), &mut payload);
        }
        _ => v3::Repr {
            vrid: instance.vrid,
            priority,
            interval: instance.advert_interval.centis(),
            addresses: &addresses,
        }
        .emit(Some((source, destination)), &mut payload),
    }
    let interface = instance.interface.clone().unwrap_or_default();
    Datagram::new(interface, source, destination, Some(255), payload)
}
