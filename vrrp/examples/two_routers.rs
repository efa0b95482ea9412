//! Two routers on a simulated segment: an election, a failing check, a graceful stop.
//!
//! Shows everything a driver has to do, with a vector for a network and a number for a clock. Real code would open a
//! raw socket per interface, send and receive packets there, add and remove addresses by netlink, start the check
//! scripts it is told to, and sleep until `poll_timeout`; the feature `linux` contains such a driver.
//!
//! Run with `cargo run -p vrrp --example two_routers -- 192.0.2.10`; the argument is the shared address.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use vrrp::event::{Admin, Datagram, InterfaceAddress, Link, ScriptResult, Track};
use vrrp::spec::{Command, Instance, Prefix, Script, TrackRef, VirtualAddress, Weight};
use vrrp::{Input, Output, Router, Spec};

/// One machine with one interface.
struct Machine {
    name: &'static str,
    router: Router,
    /// What its check script would return.
    check: i32,
}

impl Machine {
    fn new(name: &'static str, priority: u8, shared: IpAddr) -> Result<Self, Box<dyn Error>> {
        let mut spec = Spec::new();
        let mut script = Script::new("check", Command::new(["/usr/bin/systemctl", "is-active", "haproxy"]));
        script.interval = Duration::from_secs(2);
        spec.scripts.push(script);

        let mut instance = Instance::new("VI_1", 51, &spec.global);
        instance.interface = Some("eth0".into());
        instance.priority = priority;
        instance.addresses.push(VirtualAddress::new(Prefix::host(shared)));
        instance.track.scripts.push(TrackRef::weighted("check", Weight::new(60)));
        spec.instances.push(instance);
        Ok(Self { name, router: Router::new(spec)?, check: 0 })
    }
}

/// The segment both are on.
struct Segment {
    machines: Vec<Machine>,
    begin: Instant,
    now: Instant,
}

impl Segment {
    fn input(&mut self, at: usize, input: Input) {
        self.machines[at].router.handle_input(self.now, input);
        self.perform(at);
    }

    /// Does what a router says, in that order.
    fn perform(&mut self, at: usize) {
        while let Some(output) = self.machines[at].router.poll_output() {
            match output {
                Output::Transmit(transmit) => {
                    // Everybody but the sender hears it at once.
                    let datagram =
                        Datagram::from_ipv4("eth0", &transmit.packet).expect("it was just written");
                    for to in (0..self.machines.len()).filter(|&to| to != at) {
                        self.input(to, Input::Datagram(datagram.clone()));
                    }
                }
                Output::RunScript(script, _) => {
                    let result = ScriptResult::Exited(self.machines[at].check);
                    self.input(at, Input::Track(Track::Script(script, result)));
                }
                Output::AddAddress(change) => self.say(at, &format!("+ {}", change.address.address())),
                Output::DelAddress(change) => self.say(at, &format!("- {}", change.address.address())),
                Output::Log(log) if !log.detail => self.say(at, &log.text),
                _ => {}
            }
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        let next = |machine: &Machine| machine.router.poll_timeout();
        while let Some(at) = self.machines.iter().filter_map(next).min().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            for machine in 0..self.machines.len() {
                self.machines[machine].router.handle_timeout(self.now);
                self.perform(machine);
            }
        }
        self.now = end;
    }

    #[expect(clippy::print_stdout, reason = "an example talks to its user")]
    fn say(&self, at: usize, text: &str) {
        let seconds = (self.now - self.begin).as_secs_f64();
        println!("{seconds:>9.3}  {}  {text}", self.machines[at].name);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let shared: IpAddr = std::env::args().nth(1).as_deref().unwrap_or("192.0.2.10").parse()?;
    #[expect(clippy::disallowed_methods, reason = "a virtual clock needs one real instant to begin with")]
    let begin = Instant::now();
    let machines = vec![Machine::new("red ", 101, shared)?, Machine::new("blue", 100, shared)?];
    let mut segment = Segment { machines, begin, now: begin };

    for at in 0..2_u8 {
        let own = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1 + at));
        let at = usize::from(at);
        segment.input(at, Input::Link(Link::new("eth0", true)));
        segment.input(at, Input::AddressAdded(InterfaceAddress::new("eth0", Prefix::new(own, 24))));
        segment.input(at, Input::Admin(Admin::Start));
    }
    segment.run(Duration::from_secs(10));
    segment.say(0, "— its check fails —");
    segment.machines[0].check = 1;
    segment.run(Duration::from_secs(10));
    segment.machines[0].check = 0;
    segment.say(1, "— is stopped —");
    segment.input(1, Input::Admin(Admin::Shutdown));
    segment.run(Duration::from_secs(10));
    Ok(())
}
