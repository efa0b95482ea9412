//! Sessions with neighbours over a real path.

use std::net::UdpSocket;
use std::time::Duration;

use vrrp::event::NotifyState;
use vrrp::spec::{Bfd, Spec, TrackRef, Weight};

use crate::lab::{Lab, VIP, possible, spec, until};

fn session(neighbor: &str, source: &str) -> Bfd {
    let mut session = Bfd::new("nbr", neighbor.parse().unwrap());
    session.source = Some(source.parse().unwrap());
    (session.min_rx, session.min_tx) = (Duration::from_millis(50), Duration::from_millis(50));
    session
}

/// One that answers, and has no virtual router.
fn neighbour(neighbor: &str, source: &str) -> Spec {
    let mut spec = Spec::new();
    spec.bfds.push(session(neighbor, source));
    spec
}

#[test]
fn the_loss_of_a_neighbour_is_a_fault_and_its_return_ends_it() {
    if !possible("the_loss_of_a_neighbour_is_a_fault_and_its_return_ends_it") {
        return;
    }
    let lab = Lab::new();
    let mut tracking = spec(100);
    tracking.bfds.push(session("10.98.0.12", "10.98.0.11"));
    tracking.instances[0].track.bfds.push(TrackRef::new("nbr"));
    let a = lab.start(0, tracking, None);
    a.await_state(NotifyState::Fault);
    let b = lab.start(1, neighbour("10.98.0.11", "10.98.0.12"), None);
    a.await_state(NotifyState::Master);
    until("added", || lab.holds(0, VIP));
    b.stop();
    a.await_state(NotifyState::Fault);
    assert!(a.said("(nbr) Expired after") && a.said("Tracked BFD instance nbr is DOWN"));
    until("removed", || !lab.holds(0, VIP));
    let b = lab.start(1, neighbour("10.98.0.11", "10.98.0.12"), None);
    a.await_state(NotifyState::Master);
    b.stop();
    a.stop();
}

#[test]
fn a_session_over_ipv6_changes_the_priority_and_survives_a_reload() {
    if !possible("a_session_over_ipv6_changes_the_priority_and_survives_a_reload") {
        return;
    }
    let lab = Lab::new();
    for (side, host) in [(0, 11), (1, 12)] {
        lab.ip(side, &format!("addr add 2001:db8::{host}/64 dev eth0 nodad"));
    }
    let mut tracking = spec(100);
    tracking.bfds.push(session("2001:db8::12", "2001:db8::11"));
    tracking.instances[0].track.bfds.push(TrackRef::weighted("nbr", Weight::new(20)));
    let (a, b) =
        (lab.start(0, tracking.clone(), None), lab.start(1, neighbour("2001:db8::11", "2001:db8::12"), None));
    let priority = || a.snapshot().instance("VI_1").unwrap().effective_priority;
    until("the session is up", || priority() == 120);
    tracking.bfds[0].min_tx = Duration::from_millis(20);
    a.reload(tracking);
    assert_eq!(priority(), 120);
    b.stop();
    until("the session is down", || priority() == 100);
    a.stop();
}

#[test]
fn packets_from_beyond_a_router_are_refused() {
    if !possible("packets_from_beyond_a_router_are_refused") {
        return;
    }
    let lab = Lab::new();
    let mut watching = spec(100);
    watching.bfds.push(session("10.98.0.12", "10.98.0.11"));
    watching.instances[0].track.bfds.push(TrackRef::weighted("nbr", Weight::new(20)));
    let a = lab.start(0, watching, None);
    until("it is refused", || {
        lab.inside(1, || {
            let socket = UdpSocket::bind("10.98.0.12:0").unwrap();
            socket.set_ttl(254).unwrap();
            let mut down = [0; 24];
            (down[0], down[1], down[2], down[3], down[7]) = (0x20, 0x40, 5, 24, 1);
            socket.send_to(&down, "10.98.0.11:3784").unwrap();
        });
        a.said("Discarding a BFD packet from 10.98.0.12: it came through too many routers")
    });
    assert!(!a.said("Entering Up state"));
    a.stop();
}
