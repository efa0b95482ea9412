//! Entering and leaving the mastership.

use std::time::Duration;

use vrrp::event::{Admin, InterfaceAddress, Link, NotifyState};
use vrrp::spec::{AddressVmac, ExtraGarp, Prefix, VirtualAddress, Vmac};
use vrrp::stats::StateKind;
use vrrp::{Input, Output};

use crate::common::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_new_master_acts_in_the_order_of_keepalived() {
    let mut node = Node::start(spec(|i| {
        i.accept = false;
        i.excluded_addresses.push(VirtualAddress::new(Prefix::host(HIGH)));
        i.routes.push(vrrp::spec::Route::new(Prefix::new([10, 9, 0, 0].into(), 16)));
        i.rules.push(vrrp::spec::Rule::default());
    }));
    node.done.clear();
    node.advance(us(3_609_375));
    assert_eq!(
        outline(&node),
        [
            "log (i) Receive advertisement timeout",
            "advert 100",
            "log (i) Entering MASTER STATE",
            "log (i) setting firewall drop rule",
            "block",
            "block",
            "log (i) setting VIPs.",
            "add",
            "log (i) setting E-VIPs.",
            "add",
            "log (i) setting Virtual Routes",
            "add route",
            "log (i) setting Virtual Rules",
            "add rule",
            "log (i) Sending/queueing gratuitous ARPs on eth0 for 10.0.10.3",
            "log (i) Sending/queueing gratuitous ARPs on eth0 for 10.0.10.13",
            "10 × announce",
            "notify Master",
        ]
    );
    node.done.clear();
    node.hear("10.0.10.99".parse().unwrap(), 200);
    assert_eq!(
        outline(&node),
        [
            "advert 100",
            "log (i) Master received advert from 10.0.10.99 with higher priority 200, ours 100",
            "log (i) Entering BACKUP STATE",
            "log (i) removing Virtual Rules",
            "del rule",
            "log (i) removing Virtual Routes",
            "del route",
            "log (i) removing VIPs.",
            "del",
            "log (i) removing E-VIPs.",
            "del",
            "log (i) removing firewall drop rule",
            "unblock",
            "unblock",
            "notify Backup",
            // What keepalived does not do: look for the new master, to tell the clients.
            "ask",
            "ask",
        ]
    );
}

fn outline(node: &Node) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut announcements = 0;
    for done in &node.done {
        let line = match &done.output {
            Output::Log(log) if log.text.starts_with("Sending gratuitous ARP") => continue,
            Output::Garp(_) => {
                announcements += 1;
                if announcements > 1 {
                    lines.pop();
                }
                format!("{announcements} × announce")
            }
            Output::Log(log) => format!("log {}", log.text),
            Output::Transmit(transmit) => format!("advert {}", transmit.payload()[2]),
            Output::AddAddress(_) => "add".into(),
            Output::DelAddress(_) => "del".into(),
            Output::AddRoute(_) => "add route".into(),
            Output::DelRoute(_) => "del route".into(),
            Output::AddRule(_) => "add rule".into(),
            Output::DelRule(_) => "del rule".into(),
            Output::Block(_) => "block".into(),
            Output::Unblock(_) => "unblock".into(),
            Output::Probe(_) => "ask".into(),
            Output::Notify(notify) => format!("notify {:?}", notify.state),
            other => format!("{other:?}"),
        };
        lines.push(line);
    }
    lines
}

#[test]
fn two_sets_of_five_announcements_five_seconds_apart() {
    let mut node = Node::start(spec(|_| ()));
    node.advance(20 * SECOND);
    let first = us(3_609_375);
    assert_eq!(node.announcements(), [vec![first; 5], vec![first + 5 * SECOND; 5]].concat());
    let line = "Sending gratuitous ARP on eth0 for 10.0.10.3";
    assert_eq!(node.logs().iter().filter(|log| *log == line).count(), 10);
}

#[test]
fn the_second_set_is_cancelled_when_the_mastership_ends() {
    let mut node = Node::start(spec(|_| ()));
    node.advance(4 * SECOND);
    node.hear(HIGH, 150);
    node.done.clear();
    for _ in 0..10 {
        node.advance(SECOND);
        node.hear(HIGH, 150);
    }
    assert!(node.announcements().is_empty());
}

#[test]
fn refreshing_sets_start_counting_after_the_delay_of_the_second_set() {
    let mut node = Node::start(spec(|i| i.garp.refresh = 2 * SECOND));
    node.advance(us(3_609_375) + 9 * SECOND);
    let since: Vec<u64> = node.announcements().iter().map(|at| (*at - us(3_609_375)).as_secs()).collect();
    assert_eq!(since, [0, 0, 0, 0, 0, 5, 5, 5, 5, 5, 7, 9]);
}

#[test]
fn an_interval_between_announcements_paces_them() {
    let mut node = Node::start(spec(|i| {
        i.garp.garp_interval = ms(10);
        i.garp.delay = Duration::ZERO;
    }));
    node.advance(5 * SECOND);
    let since: Vec<u128> = node.announcements().iter().map(|at| (*at - us(3_609_375)).as_millis()).collect();
    assert_eq!(since, [0, 10, 20, 30, 40]);
}

#[test]
fn what_waits_for_its_turn_is_dropped_when_the_mastership_ends() {
    let mut node = Node::start(spec(|i| i.garp.garp_interval = SECOND));
    node.advance(5 * SECOND);
    assert_eq!(node.announcements().len(), 2);
    node.hear(HIGH, 150);
    node.advance(3 * SECOND);
    assert_eq!(node.announcements().len(), 2);
}

/// The interval spares what is behind the wire, and that is one for all.
#[test]
fn routers_with_hardware_addresses_of_their_own_share_the_interval_of_the_interface_below() {
    let own = |vrid: u8| {
        let mut instance = instance();
        (instance.name, instance.vrid) = (format!("i{vrid}").as_str().into(), vrid);
        instance.vmac = Some(Vmac::new(format!("vrrp.{vrid}").as_str()));
        instance.garp.garp_interval = ms(100);
        instance.garp.delay = Duration::ZERO;
        instance
    };
    let mut spec = vrrp::Spec::new();
    spec.instances = vec![own(50), own(51)];
    let mut node = Node::start(spec);
    for vrid in [50, 51] {
        node.input(Input::Link(Link::new(format!("vrrp.{vrid}").as_str(), true)));
    }
    node.advance(4 * SECOND);
    let at = node.announcements();
    assert!(at.len() >= 4 && at.windows(2).all(|pair| pair[1] - pair[0] >= ms(100)), "{at:?}");
}

#[test]
fn left_over_addresses_are_removed_at_the_start() {
    let node = Node::start(spec(|_| ()));
    assert_eq!(node.removed(), Some(Duration::ZERO));
    assert!(node.has_log("(i) removing VIPs."));
}

#[test]
fn an_address_removed_by_somebody_else_is_put_back_at_once_and_announced() {
    let mut node = Node::master(spec(|_| ()));
    node.input(Input::AddressRemoved(InterfaceAddress::new("eth0", Prefix::host(VIP))));
    assert_eq!(node.added(), Some(node.elapsed()));
    assert_eq!(node.announcements().len(), 5);
    assert_eq!(node.state(), StateKind::Master);
    assert!(node.adverts().is_empty(), "nobody else needs to know");
    assert_eq!(node.snapshot().stats.addresses_restored, 1);
}

#[test]
fn an_address_that_is_not_tracked_stays_away() {
    let mut node = Node::master(spec(|i| i.addresses[0].track = false));
    node.input(Input::AddressRemoved(InterfaceAddress::new("eth0", Prefix::host(VIP))));
    assert_eq!(node.added(), None);
}

#[test]
fn a_fight_over_an_address_is_given_up_for_a_while() {
    let mut node = Node::master(spec(|_| ()));
    for _ in 0..1000 {
        node.input(Input::AddressRemoved(InterfaceAddress::new("eth0", Prefix::host(VIP))));
        node.advance(ms(1));
    }
    assert_eq!(node.snapshot().stats.addresses_restored, 10);
    node.advance(11 * SECOND);
    node.input(Input::AddressRemoved(InterfaceAddress::new("eth0", Prefix::host(VIP))));
    assert_eq!(node.snapshot().stats.addresses_restored, 11);
}

#[test]
fn a_graceful_stop_keeps_the_addresses_until_the_successor_is_heard() {
    let mut node = Node::master(spec(|_| ()));
    node.admin(Admin::Shutdown);
    assert_eq!(node.adverts().last().map(|(_, priority)| *priority), Some(0));
    assert_eq!((node.removed(), node.router.is_finished()), (None, false));
    node.advance(ms(609));
    assert_eq!(node.removed(), None);
    node.hear(LOW, 50);
    assert_eq!(node.removed(), Some(node.elapsed()));
    assert_eq!(node.notifications(), [NotifyState::Stop]);
    assert!(node.router.is_finished());
}

#[test]
fn a_stop_leaves_the_addresses_where_that_is_wanted() {
    let mut wanted = spec(|_| ());
    wanted.global.keep_on_stop = true;
    let mut node = Node::master(wanted);
    node.admin(Admin::Shutdown);
    assert_eq!((node.removed(), node.router.is_finished()), (None, true));
    // A farewell would have the successor take the addresses that are still here.
    assert_eq!((node.adverts(), node.notifications()), (vec![], vec![NotifyState::Stop]));
}

#[test]
fn a_stop_says_goodbye_before_it_removes_rules_routes_and_addresses() {
    let mut node = Node::master(spec(|i| {
        i.excluded_addresses.push(VirtualAddress::new(Prefix::host(HIGH)));
        i.routes.push(vrrp::spec::Route::new(Prefix::new([10, 9, 0, 0].into(), 16)));
        i.rules.push(vrrp::spec::Rule::default());
    }));
    node.admin(Admin::Shutdown);
    node.advance(SECOND);
    let mut done = outline(&node);
    done.retain(|line| !line.starts_with("log "));
    assert_eq!(done, ["advert 0", "del rule", "del route", "del", "del", "notify Stop"]);
}

/// Whoever filters the log finds the same lines without `-D` as with keepalived.
#[test]
fn states_and_rivals_are_logged_always_and_what_is_done_about_them_in_detail_alone() {
    let mut node = Node::start(spec(|i| i.priority = 150));
    node.hear(LOW, 100);
    node.hear(LOW, 0);
    node.advance(SECOND);
    node.hear(LOW, 0);
    node.hear(HIGH, 200);
    node.advance(4 * SECOND);
    node.input(Input::Link(Link::new("eth0", false)));
    let lines = |detail: bool| -> Vec<String> {
        let one = |done: &Done| match &done.output {
            Output::Log(log) if log.detail == detail => Some(log.text.clone()),
            _ => None,
        };
        let mut lines: Vec<String> = node.done.iter().filter_map(one).collect();
        lines.dedup();
        lines
    };
    assert_eq!(
        lines(false),
        [
            "(i) Entering BACKUP STATE (init)",
            "(i) received lower priority (100) advert from 10.0.10.11 - discarding",
            "(i) Entering MASTER STATE",
            "(i) Master received advert from 10.0.10.13 with higher priority 200, ours 150",
            "(i) Entering BACKUP STATE",
            "(i) Entering MASTER STATE",
            "Netlink reports eth0 down",
            "(i): entering FAULT state (interface eth0 down)",
            "(i) Entering FAULT STATE",
        ]
    );
    for line in [
        "(i) removing VIPs.",
        "(i) Backup received priority 0 advertisement",
        "(i) Receive advertisement timeout",
        "(i) setting VIPs.",
        "(i) Sending/queueing gratuitous ARPs on eth0 for 10.0.10.3",
        "Sending gratuitous ARP on eth0 for 10.0.10.3",
        "(i) Master received priority 0 message",
        "(i) sent 0 priority",
    ] {
        assert!(lines(true).iter().any(|detail| detail == line), "{line}");
    }
}

#[test]
fn a_graceful_stop_does_not_wait_for_ever() {
    let mut node = Node::master(spec(|_| ()));
    node.admin(Admin::Shutdown);
    node.advance(SECOND);
    assert!(node.removed().is_some() && node.router.is_finished());
    assert_eq!(node.router.poll_timeout(), None);
}

/// Adverts keep a hardware address known to the switches; where none are sent, something else must.
#[test]
fn an_announcement_goes_out_on_each_interface_where_no_adverts_are_sent() {
    let on = |address: &str, interface: &str, own: bool| {
        let mut address = VirtualAddress::new(Prefix::host(address.parse().unwrap()));
        (address.interface, address.use_vmac) = (Some(interface.into()), own);
        address
    };
    let announced = |all: bool| {
        let mut node = Node::idle(spec(|i| {
            i.vmac = Some(Vmac::new("vrrp.50"));
            i.address_vmacs = vec![AddressVmac::new(Vmac::new("vrrp1.50"), "eth1".into(), false)];
            i.extra_garp = Some(ExtraGarp { interval: Duration::from_secs(60), all });
            i.excluded_addresses = vec![
                on("10.1.0.3", "eth1", true),
                on("10.1.0.4", "eth1", true),
                on("10.2.0.3", "eth2", false),
            ];
        }));
        node.surroundings();
        for name in ["vrrp.50", "vrrp1.50", "eth1", "eth2"] {
            node.input(Input::Link(Link::new(name, true)));
        }
        node.admin(Admin::Start);
        node.advance(Duration::from_secs(40));
        node.done.clear();
        node.advance(Duration::from_secs(60));
        let interface = |done: &Done| match &done.output {
            Output::Garp(announcement) => Some(announcement.interface.to_string()),
            _ => None,
        };
        node.done.iter().filter_map(interface).collect::<Vec<_>>()
    };
    assert_eq!(announced(false), ["vrrp1.50"]);
    assert_eq!(announced(true), ["vrrp1.50", "eth2"]);
}
