//! Machines that answer for an address without being heard, and what an operator is told about two masters.

use std::net::IpAddr;
use std::time::Duration;

use vrrp::event::{Asked, Claim, Datagram, InterfaceAddress};
use vrrp::spec::{Global, Peer, Prefix, Transport, VirtualAddress, Vmac};
use vrrp::stats::InstanceSnapshot;
use vrrp::{Input, Output};

use crate::common::*;

const SECOND: Duration = Duration::from_secs(1);
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];

fn probes(node: &Node) -> Vec<(Duration, IpAddr)> {
    let probe = |done: &Done| match &done.output {
        Output::Probe(probe) => Some((done.at, probe.address)),
        _ => None,
    };
    node.done.iter().filter_map(probe).collect()
}

fn claim(node: &mut Node) {
    node.input(Input::Claim(Claim::new("eth0", VIP, MAC)));
}

fn snapshot(node: &Node) -> InstanceSnapshot {
    node.router.snapshot(node.now).instances[0].clone()
}

#[test]
fn a_master_asks_before_each_advert_and_never_otherwise() {
    let mut node = Node::start(spec(|_| {}));
    node.advance(SECOND * 3);
    assert!(probes(&node).is_empty(), "a backup has nothing to ask");
    let mut node = Node::master(spec(|_| {}));
    node.advance(SECOND * 3);
    assert_eq!(probes(&node).len(), node.adverts().len());
    let order: Vec<bool> = node
        .done
        .iter()
        .filter(|done| matches!(done.output, Output::Probe(_) | Output::Transmit(_)))
        .map(|done| matches!(done.output, Output::Probe(_)))
        .collect();
    assert_eq!(order, [true, false, true, false, true, false]);
}

#[test]
fn over_ipv6_those_are_asked_who_have_the_address_and_over_unicast_the_peers() {
    let (vip, own) = (ip("fe80::3"), ip("fe80::12"));
    let mut six = spec(|i| {
        *i = i.clone().over_ipv6(&Global::default());
        i.addresses = vec![VirtualAddress::new(Prefix::host(vip))];
        i.excluded_addresses = vec![VirtualAddress::new(Prefix::host(VIP))];
    });
    six.global.probe_rivals = true;
    let mut node = Node::idle(six);
    node.surroundings();
    node.input(Input::AddressAdded(InterfaceAddress::new("eth0", Prefix::new(own, 64))));
    node.admin(vrrp::event::Admin::Start);
    node.advance(SECOND * 6);
    let asked = |node: &Node| {
        let probes = node.done.iter().filter_map(|done| match &done.output {
            Output::Probe(probe) => Some((probe.address, probe.of.clone())),
            _ => None,
        });
        probes.collect::<Vec<_>>()
    };
    let IpAddr::V6(source) = own else { unreachable!() };
    assert!(!asked(&node).is_empty());
    assert!(asked(&node).iter().all(|probe| *probe == (vip, Asked::Holders(source))), "{:?}", asked(&node));
    let peers = vec![Peer::new(HIGH), Peer::new(LOW)];
    let mut node = Node::master(spec(|i| i.transport = Transport::unicast(peers)));
    node.advance(SECOND);
    let (IpAddr::V4(high), IpAddr::V4(low)) = (HIGH, LOW) else { unreachable!() };
    assert_eq!(asked(&node), [(VIP, Asked::Peers(vec![high, low]))]);
}

#[test]
fn several_addresses_are_asked_for_in_turn() {
    let mut node = Node::master(spec(|i| i.addresses.push(VirtualAddress::new(Prefix::host(HIGH)))));
    node.advance(SECOND * 4);
    let asked: Vec<_> = probes(&node).into_iter().map(|(_, address)| address).collect();
    assert_eq!(asked.len(), 4);
    assert_ne!(asked[0], asked[1]);
    assert_eq!(asked[..2], asked[2..]);
}

#[test]
fn nobody_is_asked_where_the_answer_says_nothing() {
    let mut node = Node::idle(spec(|i| i.vmac = Some(Vmac::new("vrrp.50"))));
    node.surroundings();
    node.input(Input::Link(vrrp::event::Link::new("vrrp.50", true)));
    node.admin(vrrp::event::Admin::Start);
    node.advance(SECOND * 8);
    assert!(
        probes(&node).is_empty() && !node.adverts().is_empty(),
        "all routers share the address of a VMAC"
    );
    let mut quiet = spec(|_| {});
    quiet.global.probe_rivals = false;
    let mut node = Node::master(quiet);
    node.advance(SECOND * 3);
    assert!(probes(&node).is_empty());
}

#[test]
fn an_address_that_is_on_no_vmac_is_asked_for_though_its_instance_has_one() {
    let mut address = VirtualAddress::new(Prefix::host("10.9.0.3".parse().unwrap()));
    address.interface = Some("eth1".into());
    let mut node = Node::idle(spec(|i| {
        i.vmac = Some(Vmac::new("vrrp.50"));
        i.excluded_addresses.push(address.clone());
    }));
    node.surroundings();
    for name in ["vrrp.50", "eth1"] {
        node.input(Input::Link(vrrp::event::Link::new(name, true)));
    }
    node.admin(vrrp::event::Admin::Start);
    node.advance(SECOND * 8);
    let asked = probes(&node);
    assert!(!asked.is_empty());
    assert!(asked.iter().all(|(_, asked)| *asked == address.address()), "{asked:?}");
}

/// An answer of the old master that was on its way may lead the switches back to its port.
#[test]
fn a_new_master_with_a_virtual_hardware_address_shows_it_again_within_half_a_second() {
    let mut node = Node::idle(spec(|i| i.vmac = Some(Vmac::new("vrrp.50"))));
    node.surroundings();
    node.input(Input::Link(vrrp::event::Link::new("vrrp.50", true)));
    node.admin(vrrp::event::Admin::Start);
    node.advance(SECOND * 5);
    let mut moments = node.announcements();
    moments.dedup();
    let first = moments[0];
    let later: Vec<_> = moments[1..].iter().map(|at| (*at - first).as_millis()).collect();
    assert_eq!(later, [20, 80, 200, 440]);
    let plain = Node::master(spec(|_| {}));
    assert!(
        plain.announcements().windows(2).all(|pair| pair[0] == pair[1]),
        "an address of its own needs none"
    );
}

/// The false master of a healed partition steps back silently when it hears our advert; its answer to our question is the
/// only sign that the clients know its hardware address.
#[test]
fn a_machine_that_answers_for_the_address_is_announced_against() {
    let mut node = Node::master(spec(|_| {}));
    claim(&mut node);
    assert_eq!(node.announcements().len(), 5);
    assert_eq!(snapshot(&node).stats.claims_heard, 1);
}

/// At the end of a split both masters ask, both find the other and announce; then the false one hears the true one's advert and
/// says its last one. The clients follow whoever announced last.
#[test]
fn the_last_sign_of_a_rival_is_announced_against_as_soon_as_the_first() {
    let mut node = Node::master(spec(|_| {}));
    claim(&mut node);
    node.advance(ms(10));
    let before = node.announcements().len();
    node.hear(LOW, 50);
    assert_eq!(node.announcements().len(), before + 5, "not a second later");
}

/// Before that the false one may have been heard in its turn, too: its advert, its answer to our question and its last advert.
#[test]
fn three_signs_of_a_rival_are_each_announced_against_at_once() {
    let mut node = Node::master(spec(|_| {}));
    node.hear(LOW, 50);
    node.advance(ms(200));
    claim(&mut node);
    node.advance(ms(10));
    let before = node.announcements().len();
    node.hear(LOW, 50);
    assert_eq!(node.announcements().len(), before + 5, "not a second later");
}

fn introduced(node: &Node) -> Vec<(IpAddr, [u8; 6])> {
    let foreign = |done: &Done| match &done.output {
        Output::Garp(announcement) => announcement.mac.map(|mac| (announcement.address, mac)),
        _ => None,
    };
    node.done.iter().filter_map(foreign).collect()
}

/// Not every router announces itself again when it hears a rival, as FRR does not: after the heal its clients would go on sending to
/// the machine that gave way until they look by themselves.
#[test]
fn who_gave_way_tells_the_clients_where_the_address_is_now() {
    let mut node = Node::master(spec(|_| {}));
    let asked = probes(&node).len();
    node.hear(HIGH, 250);
    assert_eq!(probes(&node)[asked..], [(node.elapsed(), VIP)]);
    let place = |wanted: fn(&Output) -> bool| node.done.iter().rposition(|done| wanted(&done.output));
    assert!(
        place(|output| matches!(output, Output::DelAddress(_)))
            < place(|output| matches!(output, Output::Probe(_)))
    );
    for _ in 0..3 {
        claim(&mut node);
    }
    assert_eq!(introduced(&node), [(VIP, MAC); 5], "once, as often as its own are announced");
    let everybody =
        |done: &Done| matches!(&done.output, Output::Probe(probe) if probe.of == Asked::Everybody);
    assert_eq!(node.done.iter().filter(|done| everybody(done)).count(), 1);
    assert_eq!(snapshot(&node).stats.claims_heard, 0, "a successor is no rival");
}

#[test]
fn late_answers_and_those_nobody_asked_for_are_told_to_nobody() {
    let mut node = Node::master(spec(|_| {}));
    node.hear(HIGH, 250);
    node.advance(SECOND);
    claim(&mut node);
    let mut backup = Node::start(spec(|_| {}));
    backup.hear(HIGH, 250);
    claim(&mut backup);
    let mut quiet = spec(|_| {});
    quiet.global.probe_rivals = false;
    let mut incurious = Node::master(quiet);
    incurious.hear(HIGH, 250);
    claim(&mut incurious);
    assert!([node, backup, incurious].iter().all(|node| introduced(node).is_empty()));
}

#[test]
fn a_machine_that_insists_is_announced_against_ever_more_rarely() {
    let mut node = Node::master(spec(|_| {}));
    for _ in 0..600 {
        node.advance(SECOND);
        claim(&mut node);
    }
    let announced = node.announcements().len();
    assert!((50..=300).contains(&announced), "{announced} announcements in ten minutes");
}

#[test]
fn claims_for_other_addresses_and_on_other_links_mean_nothing() {
    let mut node = Node::master(spec(|_| {}));
    node.input(Input::Claim(Claim::new("eth0", HIGH, MAC)));
    node.input(Input::Claim(Claim::new("eth1", VIP, MAC)));
    assert!(node.announcements().is_empty());
    let mut node = Node::start(spec(|_| {}));
    claim(&mut node);
    assert!(node.announcements().is_empty(), "a backup does not own the address");
}

#[test]
fn a_rival_without_adverts_is_a_split_with_its_reason() {
    let mut node = Node::master(spec(|_| {}));
    assert!(snapshot(&node).findings.is_empty());
    claim(&mut node);
    let findings = snapshot(&node).findings;
    assert_eq!((findings[0].reason.as_str(), findings[0].split), ("unheard-rival", true));
    assert!(
        findings[0].text.contains("02:00:00:00:00:09") && findings[0].text.contains("112"),
        "{findings:?}"
    );
    node.advance(Duration::from_secs(20));
    assert!(snapshot(&node).findings.is_empty(), "it is over");
}

#[test]
fn a_rival_that_does_not_hear_us_is_a_split() {
    let mut node = Node::master(spec(|_| {}));
    for _ in 0..5 {
        node.advance(SECOND);
        node.hear(LOW, 50);
    }
    let findings = snapshot(&node).findings;
    assert_eq!((findings[0].reason.as_str(), findings[0].split), ("second-master", true));
    assert!(findings[0].text.contains("10.0.10.11"), "{findings:?}");
}

#[test]
fn a_refused_rival_is_a_split_for_a_master_and_a_warning_for_a_backup() {
    let wrong = |i: &mut vrrp::spec::Instance| {
        i.auth = vrrp::spec::Auth::Pass(vrrp::spec::Password::new(b"right"));
    };
    let mut node = Node::master(spec(wrong));
    node.input(Input::Datagram(advert_for(&instance(), LOW, 50)));
    let found = snapshot(&node);
    assert_eq!((found.findings[0].reason.as_str(), found.findings[0].split), ("wrong-auth-type", true));
    assert_eq!((found.senders[0].accepted, found.senders[0].refused), (0, 1));
    let mut node = Node::start(spec(wrong));
    node.input(Input::Datagram(advert_for(&instance(), LOW, 50)));
    let found = snapshot(&node);
    assert_eq!((found.findings[0].reason.as_str(), found.findings[0].split), ("wrong-auth-type", false));
}

#[test]
fn our_addresses_under_another_identifier_are_found() {
    let mut other = Node::master(spec(|i| i.vrid = 51));
    other.advance(SECOND);
    let packet = other.transmits().remove(0).1.payload().to_vec();
    let mut node = Node::master(spec(|_| {}));
    node.input(Input::Datagram(Datagram::new("eth0", LOW, GROUP, Some(255), packet)));
    let findings = snapshot(&node).findings;
    assert_eq!((findings[0].reason.as_str(), findings[0].split), ("other-vrid", true));
    assert!(findings[0].text.contains("virtual router 51"), "{findings:?}");
}

#[test]
fn a_state_says_why_it_is_what_it_is() {
    let mut node = Node::master(spec(|_| {}));
    assert_eq!(snapshot(&node).why.as_deref(), Some("no other master was heard"));
    node.hear(HIGH, 200);
    assert_eq!(snapshot(&node).why.as_deref(), Some("advert of 10.0.10.13 with priority 200, ours 100"));
    node.advance(SECOND * 5);
    let why = snapshot(&node).why.unwrap_or_default();
    assert!(why.contains("last master 10.0.10.13, priority 200"), "{why}");
}

#[test]
fn a_priority_is_shown_with_each_part_of_it() {
    let mut node = Node::start(with_script(vrrp::spec::Weight::new(20), |_| {}));
    node.script(0);
    let parts = snapshot(&node).contributions;
    let shown: Vec<_> = parts.iter().map(|p| (p.kind.as_str(), &*p.name, p.adds, p.up)).collect();
    assert_eq!(shown, [("interface", "eth0", 0, Some(true)), ("script", "c", 20, Some(true))]);
}
