//! What a round of VRRP costs: an advert written, read by a backup, and the timers of many instances looked at.

use std::hint::black_box;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use vrrp::event::{Admin, Datagram, InterfaceAddress, Link};
use vrrp::spec::{Instance, Prefix, VirtualAddress};
use vrrp::{Input, Output, Router, Spec};

#[expect(clippy::disallowed_methods, reason = "a virtual clock needs one real instant to begin with")]
fn start() -> Instant {
    Instant::now()
}

/// A started router with this many instances.
fn router(instances: u8, priority: u8, own: IpAddr, now: Instant) -> Router {
    let mut spec = Spec::new();
    for number in 1..=instances {
        let mut instance = Instance::new(format!("VI_{number}"), number, &spec.global);
        instance.interface = Some("eth0".into());
        instance.priority = priority;
        instance.addresses.push(VirtualAddress::new(Prefix::host([10, 0, 1, number].into())));
        spec.instances.push(instance);
    }
    let mut router = Router::new(spec).expect("a valid specification");
    router.handle_input(now, Input::Link(Link::new("eth0", true)));
    router.handle_input(now, Input::AddressAdded(InterfaceAddress::new("eth0", Prefix::host(own))));
    router.handle_input(now, Input::Admin(Admin::Start));
    router
}

/// Serves the next timers; the packets sent.
fn serve(router: &mut Router, now: &mut Instant) -> Vec<Vec<u8>> {
    *now = router.poll_timeout().expect("a running router has a timer").max(*now);
    router.handle_timeout(*now);
    drain(router)
}

fn drain(router: &mut Router) -> Vec<Vec<u8>> {
    let outputs = std::iter::from_fn(|| router.poll_output());
    outputs
        .filter_map(|output| match output {
            Output::Transmit(transmit) => Some(transmit.packet),
            _ => None,
        })
        .collect()
}

fn round(criterion: &mut Criterion) {
    for instances in [1, 16, 255] {
        let mut now = start();
        let mut master = router(instances, 150, [10, 0, 0, 1].into(), now);
        let mut backup = router(instances, 100, [10, 0, 0, 2].into(), now);
        drain(&mut backup);
        while serve(&mut master, &mut now).is_empty() {}
        // Past the announcements that becoming master brings along.
        let settled = now + Duration::from_secs(10);
        while now < settled {
            deliver(&mut master, &mut backup, &mut now);
        }
        criterion.bench_function(&format!("vrrp round, {instances} instances"), |bencher| {
            bencher.iter(|| deliver(black_box(&mut master), black_box(&mut backup), &mut now));
        });
    }
}

/// One advert of every instance, from the master to the backup.
fn deliver(master: &mut Router, backup: &mut Router, now: &mut Instant) {
    for packet in serve(master, now) {
        let datagram = Datagram::from_ipv4("eth0", &packet).expect("it was just written");
        backup.handle_input(*now, Input::Datagram(datagram));
        drain(backup);
    }
}

criterion_group!(benches, round);
criterion_main!(benches);
