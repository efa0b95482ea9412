//! What the kernel is told, and what it has left afterwards.

use vrrp::event::{Admin, NotifyState};
use vrrp::linux::Event;
use vrrp::spec::{
    NextHop, Peer, Prefix, Route, RoutePlace, Rule, RuleAction, Spec, Transport, VirtualAddress, Vmac,
};

use crate::lab::{Lab, Node, installed, possible, spec, until};

fn prefix(text: &str, length: u8) -> Prefix {
    Prefix::new(text.parse().unwrap(), length)
}

#[test]
fn routes_and_rules_come_and_go_with_the_mastership() {
    if !possible("routes_and_rules_come_and_go_with_the_mastership") {
        return;
    }
    let lab = Lab::new();
    let mut wanted = spec(150);
    let mut hop = NextHop::default();
    hop.via = Some("10.98.0.12".parse().unwrap());
    hop.interface = Some("eth0".into());
    let mut route = Route::new(prefix("10.1.0.0", 16));
    route.hops.push(hop);
    let mut tabled = Route::new(prefix("0.0.0.0", 0));
    tabled.hops.clone_from(&route.hops);
    tabled.table = Some(1000);
    tabled.metric = Some(7);
    let mut rule = Rule::default();
    rule.from = Some(prefix("10.98.0.200", 32));
    rule.action = RuleAction::Table(1000);
    rule.priority = Some(100);
    rule.track = true;
    wanted.instances[0].routes = vec![route, tabled];
    wanted.instances[0].rules = vec![rule];
    let node = lab.start(0, wanted, None);
    node.await_state(NotifyState::Master);
    until("route", || lab.ip(0, "route").contains("10.1.0.0/16 via 10.98.0.12 dev eth0"));
    until("table", || {
        lab.ip(0, "route show table all").contains("default via 10.98.0.12 dev eth0 table 1000")
    });
    until("rule", || lab.ip(0, "rule").contains("100:\tfrom 10.98.0.200 lookup 1000"));

    lab.ip(0, "route del 10.1.0.0/16");
    until("route restored", || lab.ip(0, "route").contains("10.1.0.0/16"));
    lab.ip(0, "rule del priority 100");
    until("rule restored", || lab.ip(0, "rule").contains("100:"));

    node.stop();
    assert!(!lab.ip(0, "route show table all").contains("10.1.0.0/16"));
    assert!(!lab.ip(0, "route show table all").contains("table 1000"));
    assert!(!lab.ip(0, "rule").contains("100:"));
}

#[test]
fn a_route_that_is_to_be_the_only_one_may_be_left_of_a_run_that_was_killed() {
    if !possible("a_route_that_is_to_be_the_only_one_may_be_left_of_a_run_that_was_killed") {
        return;
    }
    let lab = Lab::new();
    let mut wanted = spec(150);
    let mut hop = NextHop::default();
    (hop.via, hop.interface) = (Some("10.98.0.12".parse().unwrap()), Some("eth0".into()));
    let mut only = Route::new(prefix("10.1.0.0", 16));
    only.hops.push(hop);
    only.metric = Some(7);
    only.place = RoutePlace::Only;
    let mut strange = only.clone();
    strange.destination = prefix("10.2.0.0", 16);
    let mut six = only.clone();
    six.destination = prefix("2001:db8:1::", 48);
    six.hops[0].via = Some("fe80::12".parse().unwrap());
    lab.ip(0, "route add 10.1.0.0/16 via 10.98.0.12 dev eth0 metric 7 proto 18");
    lab.ip(0, "route add 10.2.0.0/16 via 10.98.0.12 dev eth0 metric 7 proto static");
    lab.ip(0, "-6 route add 2001:db8:1::/48 via fe80::12 dev eth0 metric 7 proto 18");
    wanted.instances[0].routes = vec![only, six, strange];
    let node = lab.start(0, wanted, None);
    node.await_state(NotifyState::Master);
    node.await_event(
        |event| matches!(event, Event::Log(log) if log.text.contains("the route to 10.2.0.0/16")),
    );
    assert!(!node.said("the route to 10.1.0.0/16") && !node.said("the route to 2001:db8:1::/48"));
    node.stop();
    assert!(!lab.ip(0, "route").contains("10.1.0.0/16"), "it is ours and goes with us");
}

#[test]
fn an_ipv6_address_is_usable_at_once_and_never_a_preferred_source() {
    if !possible("an_ipv6_address_is_usable_at_once_and_never_a_preferred_source") {
        return;
    }
    let lab = Lab::new();
    let mut wanted = spec(150);
    let global = wanted.global.clone();
    let mut instance = wanted.instances.remove(0).over_ipv6(&global);
    instance.addresses = ["fe80::200", "2001:db8::200"]
        .map(|address| VirtualAddress::new(Prefix::host(address.parse().unwrap())))
        .to_vec();
    wanted.instances.push(instance);
    let node = lab.start(0, wanted, None);
    node.await_state(NotifyState::Master);
    until("added", || lab.holds(0, "2001:db8::200"));
    let shown = lab.ip(0, "-o -6 addr show dev eth0");
    let line = shown.lines().find(|line| line.contains("2001:db8::200/128")).unwrap();
    assert!(line.contains("deprecated") && line.contains("nodad") && !line.contains("tentative"), "{line}");
    node.stop();
    assert!(!lab.holds(0, "2001:db8::200"));
}

#[test]
fn a_vmac_is_made_with_the_virtual_hardware_address_and_removed_without_a_trace() {
    if !possible("a_vmac_is_made_with_the_virtual_hardware_address_and_removed_without_a_trace") {
        return;
    }
    let lab = Lab::new();
    let mut wanted = spec(150);
    wanted.instances[0].vmac = Some(Vmac::new("vrrp.51"));
    wanted.instances[0].promote_secondaries = true;
    let promotes = || lab.run(0, "cat /proc/sys/net/ipv4/conf/eth0/promote_secondaries");
    lab.run(0, "sysctl -qw net.ipv4.conf.eth0.promote_secondaries=0");
    let node = lab.start(0, wanted.clone(), None);
    node.await_state(NotifyState::Master);
    assert_eq!(promotes().trim(), "1");
    let silent = lab.run(0, "cat /proc/sys/net/ipv6/conf/vrrp.51/disable_ipv6");
    assert_eq!(silent.trim(), "1", "no IPv6 where no IPv6 address belongs");
    until("added", || lab.ip(0, "-o -4 addr show dev vrrp.51").contains("10.98.0.200/32"));
    let shown = lab.ip(0, "-d -o link show dev vrrp.51");
    assert!(shown.contains("00:00:5e:00:01:33") && shown.contains("mode private"), "{shown}");
    assert!(!lab.ip(0, "-o -6 addr show dev vrrp.51").contains("fe80"), "no link-local address of its own");

    // Without the VMAC the address moves to the base interface.
    wanted.instances[0].vmac = None;
    node.reload(wanted);
    until("moved", || lab.holds(0, "10.98.0.200") && !lab.ip(0, "link").contains("vrrp.51"));
    node.stop();
    assert!(!lab.ip(0, "link").contains("vrrp.51"));
    assert_eq!(promotes().trim(), "0", "put back");
}

fn with_vmac() -> Spec {
    let mut wanted = spec(150);
    wanted.instances[0].vmac = Some(Vmac::new("vrrp.51"));
    wanted
}

/// Without them the kernel answers for the address with the hardware address of the base, or drops what arrives on an interface
/// whose address is elsewhere.
#[test]
fn a_vmac_changes_the_settings_it_needs_and_puts_those_of_others_back() {
    if !possible("a_vmac_changes_the_settings_it_needs_and_puts_those_of_others_back") {
        return;
    }
    let lab = Lab::new();
    let setting = |name: &str| lab.run(0, &format!("sysctl -n net/ipv4/conf/{name}")).trim().to_owned();
    let shared = || {
        ["eth0/arp_ignore", "eth0/arp_filter", "eth0/rp_filter", "all/rp_filter", "lo/rp_filter"].map(setting)
    };
    for (name, value) in
        [("eth0/arp_ignore", 0), ("eth0/arp_filter", 0), ("eth0/rp_filter", 0), ("all/rp_filter", 2)]
    {
        lab.run(0, &format!("sysctl -qw net/ipv4/conf/{name}={value}"));
    }
    let before = shared();
    let node = lab.start(0, with_vmac(), None);
    node.await_state(NotifyState::Master);
    let own = ["arp_ignore", "accept_local", "rp_filter"].map(|key| setting(&format!("vrrp.51/{key}")));
    assert_eq!(own, ["1", "1", "0"]);
    // The filter that was common to all is that of each of the others now.
    assert_eq!(shared(), ["1", "1", "2", "0", "2"]);
    node.stop();
    assert_eq!(shared(), before);
}

#[test]
fn a_vmac_that_somebody_switches_off_is_a_fault_and_one_that_is_removed_is_made_again() {
    if !possible("a_vmac_that_somebody_switches_off_is_a_fault_and_one_that_is_removed_is_made_again") {
        return;
    }
    let lab = Lab::new();
    let held = || lab.ip(0, "-o -4 addr show").contains("vrrp.51    inet 10.98.0.200/32");
    let node = lab.start(0, with_vmac(), None);
    node.await_event(|event| {
        let fault = matches!(event, Event::Notify(notify) if notify.state == NotifyState::Fault);
        assert!(!fault, "a new interface is none");
        matches!(event, Event::Notify(notify) if notify.state == NotifyState::Master)
    });
    lab.ip(0, "link set vrrp.51 down");
    node.await_state(NotifyState::Fault);
    until("removed", || !held());
    lab.ip(0, "link set vrrp.51 up");
    node.await_state(NotifyState::Master);
    until("added", held);
    lab.ip(0, "link del vrrp.51");
    until("made again, with its address", held);
    node.stop();
}

#[test]
fn a_vmac_whose_cable_is_pulled_and_plugged_in_again_is_master_again() {
    if !possible("a_vmac_whose_cable_is_pulled_and_plugged_in_again_is_master_again") {
        return;
    }
    let lab = Lab::new();
    let node = lab.start(0, with_vmac(), None);
    node.await_state(NotifyState::Master);
    lab.ip(1, "link set eth0 down");
    node.await_state(NotifyState::Fault);
    lab.ip(1, "link set eth0 up");
    node.await_state(NotifyState::Master);
    until("added", || lab.ip(0, "-o -4 addr show dev vrrp.51").contains("10.98.0.200/32"));
    let stats = || node.snapshot().instance("VI_1").unwrap().stats.clone();
    let before = stats().adverts_sent;
    until("it speaks", || stats().adverts_sent > before + 3);
    assert_eq!(stats().became_master, 2, "once for each time that there was a link");
    node.stop();
}

#[test]
fn a_vmac_left_by_a_killed_process_is_taken_over_and_its_address_removed() {
    if !possible("a_vmac_left_by_a_killed_process_is_taken_over_and_its_address_removed") {
        return;
    }
    let lab = Lab::new();
    let node = lab.start(0, with_vmac(), None);
    node.await_state(NotifyState::Master);
    until("added", || lab.ip(0, "addr show dev vrrp.51").contains("10.98.0.200"));
    node.admin(Admin::Abandon);
    node.join();
    let index = || lab.ip(0, "-o link show dev vrrp.51").split(':').next().map(str::to_owned);
    let before = index();
    assert!(lab.ip(0, "addr show dev vrrp.51").contains("10.98.0.200"));
    // Another one serves: here it is not to be answered for any more.
    let mut backup = with_vmac();
    backup.instances[0].priority = 100;
    let (master, backup) = (lab.start(1, with_vmac(), None), lab.start(0, backup, None));
    backup.await_state(NotifyState::Backup);
    until("removed", || !lab.ip(0, "addr show dev vrrp.51").contains("10.98.0.200"));
    assert_eq!(index(), before);
    master.await_state(NotifyState::Master);
    backup.stop();
    master.stop();
    assert!(!lab.ip(0, "link").contains("vrrp.51"));
}

#[test]
fn a_stop_that_keeps_the_addresses_keeps_the_vmac_they_are_on() {
    if !possible("a_stop_that_keeps_the_addresses_keeps_the_vmac_they_are_on") {
        return;
    }
    let lab = Lab::new();
    let mut wanted = with_vmac();
    wanted.global.keep_on_stop = true;
    let node = lab.start(0, wanted, None);
    node.await_state(NotifyState::Master);
    until("added", || lab.ip(0, "addr show dev vrrp.51").contains("10.98.0.200"));
    node.stop();
    assert!(lab.ip(0, "addr show dev vrrp.51").contains("10.98.0.200"));
}

#[test]
fn a_unicast_router_binds_to_a_source_address_that_is_not_there_yet() {
    if !possible("a_unicast_router_binds_to_a_source_address_that_is_not_there_yet") {
        return;
    }
    let lab = Lab::new();
    let between = |priority, own: &str, peer: &str| {
        let mut wanted = spec(priority);
        wanted.instances[0].source = Some(own.parse().unwrap());
        wanted.instances[0].transport = Transport::unicast(vec![Peer::new(peer.parse().unwrap())]);
        wanted
    };
    let a = lab.start(0, between(150, "10.98.0.21", "10.98.0.12"), None);
    let b = lab.start(1, between(100, "10.98.0.12", "10.98.0.21"), None);
    a.await_state(NotifyState::Master);
    assert!(!a.said("cannot open the socket"));
    let heard = |node: &Node| node.snapshot().instance("VI_1").unwrap().stats.adverts_received;
    let before = heard(&b);
    lab.ip(0, "addr add 10.98.0.21/24 dev eth0");
    until("adverts from it arrive", || heard(&b) > before + 3);
    assert_eq!(a.snapshot().instance("VI_1").unwrap().stats.released_master, 0);
    a.stop();
    b.stop();
}

#[test]
fn a_vmac_moves_to_another_interface_with_its_instance() {
    if !possible("a_vmac_moves_to_another_interface_with_its_instance") {
        return;
    }
    let lab = Lab::new();
    lab.ip(0, "link add eth1 type veth peer name eth2");
    lab.ip(0, "addr add 10.98.1.11/24 dev eth1");
    lab.ip(0, "link set eth1 up");
    lab.ip(0, "link set eth2 up");
    let on = |interface: &str| {
        let mut spec = spec(150);
        spec.instances[0].interface = Some(interface.into());
        spec.instances[0].vmac = Some(Vmac::new("vrrp.51"));
        spec
    };
    let node = lab.start(0, on("eth0"), None);
    until("made", || lab.ip(0, "-o link").contains("vrrp.51@eth0"));
    node.reload(on("eth1"));
    until("moved", || lab.ip(0, "-o link").contains("vrrp.51@eth1"));
    node.stop();
    assert!(!lab.ip(0, "-o link").contains("vrrp.51"));
}

#[test]
fn attributes_of_an_address_reach_the_kernel() {
    if !possible("attributes_of_an_address_reach_the_kernel") {
        return;
    }
    let lab = Lab::new();
    let mut wanted = spec(150);
    let mut address = VirtualAddress::new(prefix("10.97.0.1", 24));
    address.label = Some("eth0:vip".to_owned());
    address.scope = 253;
    address.broadcast = vrrp::spec::Broadcast::HostBitsSet;
    address.no_prefix_route = true;
    wanted.instances[0].addresses.push(address);
    let node = lab.start(0, wanted, None);
    node.await_state(NotifyState::Master);
    until("added", || lab.holds(0, "10.97.0.1"));
    let shown = lab.ip(0, "-o -4 addr show dev eth0");
    let line = shown.lines().find(|line| line.contains("10.97.0.1/24")).unwrap();
    for word in ["brd 10.97.0.255", "scope link", "eth0:vip", "noprefixroute"] {
        assert!(line.contains(word), "{word} in {line}");
    }
    node.stop();
    assert!(!lab.holds(0, "10.97.0.1"));
}

#[test]
fn traffic_to_an_address_that_must_not_be_accepted_is_dropped() {
    let test = "traffic_to_an_address_that_must_not_be_accepted_is_dropped";
    if !possible(test) || !installed(test, "nft") {
        return;
    }
    let lab = Lab::new();
    let mut wanted = spec(150);
    wanted.instances[0].accept = false;
    let node = lab.start(0, wanted, None);
    node.await_state(NotifyState::Master);
    until("blocked", || lab.run(0, "nft list ruleset").contains("elements = { 10.98.0.200 }"));
    until("added", || lab.holds(0, "10.98.0.200"));
    node.stop();
    assert_eq!(lab.run(0, "nft list ruleset"), "");
}

#[test]
fn an_ipv6_vmac_speaks_before_it_has_an_address() {
    if !possible("an_ipv6_vmac_speaks_before_it_has_an_address") {
        return;
    }
    let lab = Lab::new();
    let wanted = |priority| {
        let mut wanted = spec(priority);
        let global = wanted.global.clone();
        let mut instance = wanted.instances.remove(0).over_ipv6(&global);
        instance.vmac = Some(Vmac::new("vrrp6.51"));
        instance.addresses = vec![VirtualAddress::new(prefix("fe80::200", 128))];
        wanted.instances.push(instance);
        wanted
    };
    let (a, b) = (lab.start(0, wanted(150), None), lab.start(1, wanted(100), None));
    a.await_state(NotifyState::Master);
    until("heard", || b.snapshot().instance("VI_1").unwrap().stats.adverts_received > 0);
    let stats = |node: &Node| node.snapshot().instance("VI_1").unwrap().stats.clone();
    assert_eq!((stats(&a).adverts_received, stats(&b).became_master), (0, 0));
    assert!(!a.said("cannot send"));
    b.stop();
    a.stop();
}

/// The kernel makes the second address of a subnet a secondary one, and removes it together with the first.
#[test]
fn addresses_that_the_kernel_takes_along_with_another_come_back_too() {
    if !possible("addresses_that_the_kernel_takes_along_with_another_come_back_too") {
        return;
    }
    let lab = Lab::new();
    let mut spec = spec(150);
    spec.instances[0].addresses =
        ["10.77.0.1", "10.77.0.2"].map(|text| VirtualAddress::new(prefix(text, 24))).to_vec();
    let node = lab.start(0, spec, None);
    node.await_state(NotifyState::Master);
    until("both are there", || lab.holds(0, "10.77.0.1") && lab.holds(0, "10.77.0.2"));
    lab.ip(0, "addr del 10.77.0.1/24 dev eth0");
    until("noticed", || node.snapshot().instance("VI_1").unwrap().stats.addresses_restored > 0);
    until("both are back", || lab.holds(0, "10.77.0.1") && lab.holds(0, "10.77.0.2"));
    assert_eq!(node.snapshot().instance("VI_1").unwrap().stats.released_master, 0);
    node.stop();
}

#[test]
fn memberships_of_groups_of_the_link_go_unreported_while_that_is_asked_for() {
    if !possible("memberships_of_groups_of_the_link_go_unreported_while_that_is_asked_for") {
        return;
    }
    let lab = Lab::new();
    let setting = || lab.run(0, "cat /proc/sys/net/ipv4/igmp_link_local_mcast_reports");
    lab.run(0, "sysctl -qw net.ipv4.igmp_link_local_mcast_reports=1");
    let mut wanted = spec(150);
    wanted.global.no_local_reports = true;
    let node = lab.start(0, wanted, None);
    node.await_state(NotifyState::Master);
    assert_eq!(setting().trim(), "0");
    node.reload(spec(150));
    until("reported again", || setting().trim() == "1");
    let mut wanted = spec(150);
    wanted.global.no_local_reports = true;
    node.reload(wanted);
    until("silent again", || setting().trim() == "0");
    node.stop();
    assert_eq!(setting().trim(), "1");
}
