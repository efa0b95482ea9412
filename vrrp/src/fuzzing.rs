//! Entry points for fuzzers, also used to replay their corpora in tests. Not part of the public interface.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use crate::advert;
use crate::bfd::{self, Sessions};
use crate::event::{Admin, Datagram, InterfaceAddress, Link, ScriptResult, Track};
use crate::spec::{
    AdvertInterval, Auth, Bfd, Command, External, Global, Instance, Password, Peer, Preempt, Prefix, Script,
    SyncGroup, TrackRef, Transport, Version, VirtualAddress, Weight,
};
use crate::{Input, Output, Router, Spec};

const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9));
const MAX_OUTPUTS_PER_STEP: usize = 100_000;

/// Puts arbitrary bytes through the parser and the acceptance tests of every kind of instance: as a whole IPv4 packet
/// and as a payload.
pub fn packet(bytes: &[u8]) {
    let whole = Datagram::from_ipv4("eth0", bytes).ok();
    let v4 = Datagram::new("eth0", OWN, IpAddr::from([224, 0, 0, 18]), Some(255), bytes.to_vec());
    let local = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));
    let v6 =
        Datagram::new("eth0", local, IpAddr::V6(Global::default().multicast_v6), Some(255), bytes.to_vec());
    for instance in kinds() {
        for datagram in whole.iter().chain([&v4, &v6]) {
            let _ = advert::vrid(datagram);
            if let Ok(advert) = advert::check(&instance, &[VIP], 0, datagram) {
                assert_eq!(advert.source, datagram.source);
                assert!(advert.interval.centis() > 0, "an accepted interval is an interval");
            }
        }
    }
}

/// Every kind of instance that reads packets differently.
fn kinds() -> Vec<Instance> {
    let global = Global::default();
    let plain = Instance::new("i", 1, &global);
    let mut v3 = plain.clone();
    v3.version = Version::V3;
    let mut pass = plain.clone();
    pass.auth = Auth::Pass(Password::new(b"secret"));
    let mut ah = plain.clone();
    ah.auth = Auth::Ah(Password::new(b"secret"));
    let mut unicast = v3.clone();
    unicast.transport = Transport::unicast(vec![Peer::new(OWN)]);
    let v6 = Instance::new("i", 1, &global).over_ipv6(&global);
    vec![plain, v3, pass, ah, unicast, v6]
}

/// Reads bytes as a sequence of operations on a router and lets its invariants watch.
pub fn router_ops(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let spec = spec(&mut bytes);
    let mut run =
        Run { now: an_instant(), router: Router::new(spec).expect("a generated specification is valid") };
    run.tell_surroundings();
    while let Some(operation) = bytes.next() {
        run.step(operation, &mut bytes);
        run.drain();
    }
    run.input(Input::Admin(Admin::Shutdown));
    for _ in 0..1000 {
        let Some(at) = run.router.poll_timeout() else { break };
        run.now = run.now.max(at);
        run.router.handle_timeout(run.now);
        run.drain();
    }
    assert!(run.router.is_finished(), "a shutdown comes to an end");
}

/// Reads bytes as packets and pauses of a neighbour, and watches what a session makes of them.
pub fn bfd(bytes: &[u8]) {
    let (mut now, mut bytes) = (an_instant(), Bytes(bytes));
    let mut spec = Bfd::new("b", OWN);
    (spec.passive, spec.min_ttl) = (bytes.byte() & 1 == 1, None);
    let (mut sessions, mut number, mut told) = (Sessions::new(bytes.byte().into()), 0_u32, None);
    sessions.configure(now, &[spec], &[]);
    while let Some(pause) = bytes.next() {
        now += Duration::from_millis(u64::from(pause) * 4);
        sessions.handle_timeout(now);
        let mut payload: Vec<u8> = (0..24).map(|_| bytes.byte()).collect();
        // Mostly whole packets for this session, which random octets hardly ever are.
        let whole = payload[20] & 3 != 0;
        if whole {
            (payload[0], payload[1], payload[3]) = (0x20 | payload[0] & 0x1f, payload[1] & 0xfa, 24);
            payload[8..12].copy_from_slice(&number.to_be_bytes());
        }
        let _ = sessions.handle_packet(now, &bfd::Packet::new(OWN, VIP, payload));
        for _ in 0..MAX_OUTPUTS_PER_STEP {
            match sessions.poll_output() {
                None => break,
                Some(bfd::Output::Transmit(transmit)) => {
                    let sent =
                        bfd::wire::Control::parse(&transmit.payload).expect("what is sent is accepted");
                    number = sent.mine;
                }
                Some(bfd::Output::State(_, up)) => {
                    assert_ne!(told, Some(up), "only changes are told");
                    told = Some(up);
                }
                Some(_) => {}
            }
        }
        assert!(sessions.poll_output().is_none(), "what a session wants comes to an end");
        let session = &sessions.snapshot()[0];
        assert_eq!(told, Some(session.told));
        assert!(session.told || session.state != bfd::wire::State::Up, "a session that is up is told to be");
    }
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// The next byte, or zero at the end.
    fn byte(&mut self) -> u8 {
        self.next().unwrap_or(0)
    }

    fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }
}

fn spec(bytes: &mut Bytes<'_>) -> Spec {
    let mut spec = Spec::new();
    spec.scripts.push(Script::new("c", Command::new(["/bin/check"])));
    spec.externals.push(External::new("b"));
    for number in 0..2_u8 {
        let mut instance = Instance::new(format!("i{number}"), number + 1, &spec.global);
        instance.interface = Some("eth0".into());
        instance.priority = bytes.byte().max(1);
        if bytes.flag() {
            (instance.version, instance.advert_interval) = (Version::V3, AdvertInterval::from_centis(10));
        }
        instance.preempt = match bytes.byte() % 3 {
            0 => Preempt::Immediate,
            1 => Preempt::Never,
            _ => Preempt::After(Duration::from_secs(2)),
        };
        let weight = i32::from(bytes.byte() as i8);
        instance.track.scripts.push(TrackRef::weighted("c", Weight { value: weight, reverse: bytes.flag() }));
        instance.track.externals.push(TrackRef::weighted("b", Weight::new(i32::from(bytes.byte() as i8))));
        instance.addresses.push(VirtualAddress::new(Prefix::host(VIP)));
        spec.instances.push(instance);
    }
    if bytes.flag() {
        let mut group = SyncGroup::new("G", vec!["i0".into(), "i1".into()]);
        group.tracking_weight = bytes.flag();
        spec.groups.push(group);
    }
    spec
}

struct Run {
    router: Router,
    now: Instant,
}

impl Run {
    fn tell_surroundings(&mut self) {
        self.input(Input::Link(Link::new("eth0", true)));
        self.input(Input::AddressAdded(InterfaceAddress::new("eth0", Prefix::host(OWN))));
        self.input(Input::Admin(Admin::Start));
    }

    fn input(&mut self, input: Input) {
        self.router.handle_input(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        for _ in 0..MAX_OUTPUTS_PER_STEP {
            let Some(output) = self.router.poll_output() else { return };
            if let Output::Transmit(transmit) = output {
                assert!(Datagram::from_ipv4("eth0", &transmit.packet).is_ok(), "what is sent can be read");
            }
        }
        panic!("outputs without end");
    }

    fn step(&mut self, operation: u8, bytes: &mut Bytes<'_>) {
        match operation % 12 {
            0 => self.now += Duration::from_millis(u64::from(bytes.byte()) * 40),
            1 | 2 => {
                if let Some(at) = self.router.poll_timeout() {
                    self.now = self.now.max(at);
                }
                self.router.handle_timeout(self.now);
            }
            3 | 4 => self.advert(bytes),
            5 => self.input(Input::Link(Link::new("eth0", bytes.flag()))),
            6 => self.script(bytes),
            7 => self.input(Input::Track(Track::External("b".into(), bytes.flag()))),
            8 => {
                let address =
                    InterfaceAddress::new("eth0", Prefix::host(if bytes.flag() { OWN } else { VIP }));
                let added = bytes.flag();
                self.input(if added { Input::AddressAdded(address) } else { Input::AddressRemoved(address) });
            }
            9 => {
                let payload: Vec<u8> = (0..bytes.byte() % 32).map(|_| bytes.byte()).collect();
                let group = IpAddr::from([224, 0, 0, 18]);
                let datagram = Datagram::new("eth0", [10, 0, 0, 2].into(), group, Some(255), payload);
                self.input(Input::Datagram(datagram));
            }
            10 => {
                let spec = spec(bytes);
                self.router.reconfigure(self.now, spec).expect("a generated specification is valid");
            }
            _ => match bytes.byte() % 4 {
                0 => self.input(Input::Admin(Admin::StepDown("i0".into()))),
                1 => self.input(Input::Admin(Admin::Announce(None))),
                2 => self.input(Input::ClockJump(Duration::from_secs(u64::from(bytes.byte())))),
                _ => {
                    let memory = self.router.memory();
                    let spec = self.router.spec().clone();
                    self.router = Router::new(spec).expect("it was valid before");
                    self.router.resume(memory, Duration::from_millis(u64::from(bytes.byte()) * 20));
                    self.tell_surroundings();
                }
            },
        }
    }

    fn advert(&mut self, bytes: &mut Bytes<'_>) {
        let at = usize::from(bytes.flag());
        let instance = self.router.spec().instances[at].clone();
        let (source, group) = (IpAddr::from([10, 0, 0, bytes.byte() % 4]), IpAddr::from([224, 0, 0, 18]));
        let (priority, mut payload) = (bytes.byte(), Vec::new());
        match instance.version {
            Version::V2 => {
                let addresses = [IpAddr::from([10, 0, 0, 9])];
                let repr = crate::wire::v2::Repr {
                    vrid: instance.vrid,
                    priority,
                    auth_type: 0,
                    interval: 1,
                    addresses: &addresses,
                    auth_data: [0; 8],
                };
                repr.emit(None, &mut payload);
            }
            Version::V3 => {
                let interval = u16::from(bytes.byte());
                let repr =
                    crate::wire::v3::Repr { vrid: instance.vrid, priority, interval, addresses: &[VIP] };
                repr.emit(Some((source, group)), &mut payload);
            }
        }
        self.input(Input::Datagram(Datagram::new("eth0", source, group, Some(255), payload)));
    }

    fn script(&mut self, bytes: &mut Bytes<'_>) {
        let result = match bytes.byte() % 4 {
            0 | 1 => ScriptResult::Exited(0),
            2 => ScriptResult::Exited(1),
            _ => ScriptResult::NotStarted(2),
        };
        self.input(Input::Track(Track::Script("c".into(), result)));
    }
}

#[expect(clippy::disallowed_methods, reason = "a virtual clock needs one real instant to begin with")]
fn an_instant() -> Instant {
    Instant::now()
}
