use super::*;
use crate::event::{Admin, Datagram, InterfaceAddress, Link};
use crate::spec::{Auth, Instance, Password, Prefix, Spec, VirtualAddress};
use crate::stats::Snapshot;
use crate::{Input, Router};
use std::time::Instant;

/// 2026-11-22 18:43:05.226419 UTC.
const WALL: Duration = Duration::from_micros(1_795_372_985_226_419);

fn spec() -> Spec {
    let mut spec = Spec::new();
    spec.global.router_id = "node1".to_owned();
    let mut instance = Instance::new("VI_1", 51, &spec.global);
    instance.interface = Some("v0".into());
    instance.priority = 101;
    instance.auth = Auth::Pass(Password::new(b"se/\"cret"));
    instance.addresses.push(VirtualAddress::new(Prefix::new([10, 77, 0, 200].into(), 24)));
    instance.addresses.push(VirtualAddress::new(Prefix::host([10, 77, 0, 201].into())));
    spec.instances.push(instance);
    spec
}

/// A router that became master, and heard one advert with a wrong length meanwhile.
#[expect(clippy::disallowed_methods, reason = "a virtual clock needs one real instant to begin with")]
fn master() -> (Spec, Snapshot) {
    let spec = spec();
    let mut router = Router::new(spec.clone()).unwrap();
    let mut now = Instant::now();
    router.handle_input(now, Input::Link(Link::new("v0", true)));
    let own = InterfaceAddress::new("v0", Prefix::new([10, 77, 0, 1].into(), 24));
    router.handle_input(now, Input::AddressAdded(own));
    router.handle_input(now, Input::Admin(Admin::Start));
    while !router.snapshot(now).instances[0].holds_addresses {
        now = router.poll_timeout().unwrap();
        router.handle_timeout(now);
    }
    let payload = vec![0x21, 51, 100, 3, 1, 1, 0, 0];
    let datagram = Datagram::new("v0", [10, 77, 0, 2].into(), [224, 0, 0, 18].into(), Some(255), payload);
    router.handle_input(now, Input::Datagram(datagram));
    now += Duration::from_millis(400);
    (spec, router.snapshot(now))
}

#[test]
fn dates_are_those_of_the_calendar() {
    assert_eq!(moment(WALL, 0), "1795372985.226419 (Sun Nov 22 18:43:05.226419 2026)");
    assert_eq!(moment(WALL, 3600), "1795372985.226419 (Sun Nov 22 19:43:05.226419 2026)");
    assert_eq!(
        moment(Duration::from_secs(951_782_400), 0),
        "951782400.000000 (Tue Feb 29 00:00:00.000000 2000)"
    );
    assert_eq!(moment(Duration::ZERO, -3600), "0.000000 (Thu Jan  1 00:00:00.000000 1970)");
}

#[test]
fn the_statistics_have_the_known_layout() {
    let (_, snapshot) = master();
    let text = stats(&snapshot);
    assert!(
        text.starts_with("VRRP Instance: VI_1\n  Advertisements:\n    Received: 0\n    Sent: 1\n"),
        "{text}"
    );
    assert!(text.contains("  Packet Errors:\n    Length: 1\n    TTL: 0\n    Invalid Type: 0\n"), "{text}");
    assert!(text.ends_with("  Priority Zero:\n    Received: 0\n    Sent: 0\n"), "{text}");
}

#[test]
fn flags_are_none_only_where_everything_is_ordinary() {
    let (mut spec, snapshot) = master();
    let told =
        |spec: &Spec, line: &str| data(spec, &snapshot, WALL, 0).contains(&format!("\n   Flags:{line}\n"));
    assert!(told(&spec, " none"));
    spec.instances[0].preempt = crate::spec::Preempt::Never;
    assert!(told(&spec, ""));
}

#[test]
fn the_data_file_has_the_known_lines() {
    let (spec, snapshot) = master();
    let text = data(&spec, &snapshot, WALL + Duration::from_millis(400), 0);
    for line in [
        " Router ID = node1",
        " VRRP Instance = VI_1",
        "   VRRP Version = 2",
        "   State = MASTER",
        "   Last transition = 1795372985.226419 (Sun Nov 22 18:43:05.226419 2026)",
        "   Using src_ip = 10.77.0.1",
        "   Multicast address 224.0.0.18",
        "   Effective priority = 101",
        "   Advert interval = 1 sec",
        "   Authentication type = SIMPLE_PASSWORD",
        "   Virtual IP (2):",
        "     10.77.0.200/24 dev v0 scope global set",
        "     10.77.0.201 dev v0 scope global set",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
}

#[test]
fn the_json_is_what_exporters_read() {
    let (spec, snapshot) = master();
    let text = json(&spec, &snapshot, WALL + Duration::from_millis(400));
    for part in [
        "[{\"data\":{\"iname\":\"VI_1\",\"dont_track_primary\":0,",
        "\"last_transition\":1795372985.226419,",
        "\"vipset\":true,",
        "\"adver_int\":1,\"master_adver_int\":1,",
        "\"state\":2,\"wantstate\":2,\"version\":2,",
        "\"vips\":[\"10.77.0.200\\/24 dev v0 scope global set\",\"10.77.0.201 dev v0 scope global set\"],",
        "\"auth_type\":1,\"auth_data\":\"se\\/\\\"cret\"},\"stats\":{\"advert_rcvd\":0,\"advert_sent\":1,",
        "\"packet_len_err\":1,",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert_eq!(json(&Spec::new(), &Router::new(Spec::new()).unwrap().snapshot(far()), WALL), "[]\n");
}

#[expect(clippy::disallowed_methods, reason = "any instant will do")]
fn far() -> Instant {
    Instant::now()
}

#[test]
fn metrics_have_a_line_per_instance_and_refusals_their_reason() {
    let (_, snapshot) = master();
    let text = metrics(&snapshot);
    assert!(text.contains("\nlb_vrrp_state{instance=\"VI_1\",vrid=\"51\"} 2\n"), "{text}");
    assert!(text.contains("\nlb_vrrp_split_brain{instance=\"VI_1\",vrid=\"51\"} 1\n"), "{text}");
    assert!(text.ends_with(",reason=\"wrong-length\"} 1\n"), "{text}");
}

#[test]
fn the_table_has_a_line_per_instance_and_shows_the_split() {
    let (_, snapshot) = master();
    let text = table(&snapshot).replace('\t', "|");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "Virtual routers|Router|VRID|State|Since|Why|Priority|Addresses|Heard|Trouble|");
    let start = "b|VI_1|51 on v0|MASTER|0.4 s|no other master was heard|101 = 101 configured|";
    assert!(lines[1].starts_with(start), "{text}");
    let end = "|10.77.0.200 10.77.0.201|0 adverts, 1 refused|SPLIT BRAIN (wrong-length): ";
    assert!(lines[1].contains(end) && lines.len() == 2, "{text}");
    assert_eq!(lines[0].matches('|').count(), lines[1].matches('|').count());
}

#[test]
fn the_status_says_why_and_names_the_split() {
    let (spec, snapshot) = master();
    let text = status(&spec, &snapshot);
    assert!(text.starts_with("VI_1: MASTER for 0.4 s, since: no other master was heard\n"), "{text}");
    assert!(text.contains("  SPLIT BRAIN (wrong-length): adverts of 10.77.0.2 are refused:"), "{text}");
    assert!(
        text.contains(
            "  priority: 101 = 101 configured\n  tracks interface v0: up, its failure is a fault\n"
        ),
        "{text}"
    );
    assert!(text.contains("1 refused, the last 0.4 s ago (wrong-length:"), "{text}");
}

#[test]
fn addresses_are_written_with_all_their_options() {
    let (mut spec, snapshot) = master();
    let instance = &mut spec.instances[0];
    let prefix = |text: &str, length| Prefix::new(text.parse().unwrap(), length);
    instance.addresses[0].broadcast = crate::spec::Broadcast::HostBitsSet;
    let mut six = VirtualAddress::new(prefix("2001:db8::1", 64));
    six.no_dad = false;
    instance.excluded_addresses = vec![six, VirtualAddress::new(prefix("2001:db8::2", 128))];
    instance.auth = Auth::None;
    let text = data(&spec, &snapshot, WALL, 0);
    for line in [
        "   Authentication type = none",
        "     10.77.0.200/24 brd 10.77.0.255 dev v0 scope global set",
        "   Virtual IP Excluded :",
        "     2001:db8::1/64 dev v0 scope global -nodad preferred_lft forever set",
        "     2001:db8::2 dev v0 scope global deprecated set",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
}

#[test]
fn routes_are_written_with_all_their_options() {
    use crate::spec::{Encapsulation, NextHop, Realms, Route, RouteMetric, RoutePlace, Tunnel};
    let mut of = Route::new(Prefix::new([10, 8, 0, 0].into(), 16));
    of.place = RoutePlace::Only;
    of.vrf = Some("blue".into());
    of.realms = Some(Realms { from: 3, to: 4 });
    of.congestion = Some(("dctcp".to_owned(), true));
    of.ttl_propagate = Some(false);
    of.metrics = vec![
        RouteMetric { number: 12, value: 1, locked: false },
        RouteMetric { number: 5, value: 6000, locked: true },
    ];
    of.hops = vec![NextHop {
        via: Some("fe80::1".parse().unwrap()),
        realms: Some(Realms { from: 0, to: 9 }),
        encapsulation: Some(Encapsulation::Mpls(vec![100, 200])),
        onlink: true,
        ..NextHop::default()
    }];
    let start = "add 10.8.0.0/16 encap mpls 100/200 via inet6 fe80::1 vrf blue proto 18 onlink realm 9";
    let end = "congctl lock dctcp rttvar lock 1.5s features ecn ttl-propagate disabled";
    assert_eq!(route::route(&of), format!("{start} {end}"));
    of.hops[0].encapsulation = Some(Encapsulation::Ip(Tunnel {
        id: Some(7),
        destination: Some([10, 0, 0, 9].into()),
        ttl: Some(5),
        flags: Some(4),
        ..Tunnel::default()
    }));
    let text = route::route(&of);
    assert!(text.contains(" encap ip id 7 dst 10.0.0.9 ttl 5 flags 0x4 via inet6"), "{text}");
}

#[test]
fn rules_are_written_with_all_their_options() {
    use crate::spec::{Realms, Rule, RuleAction};
    let mut of = Rule { ipv6: true, invert: true, tos: Some(16), ..Rule::default() };
    (of.uids, of.suppress_prefix_length, of.suppress_group) = (Some((1, 9)), Some(8), Some(2));
    (of.tunnel, of.realms, of.action) = (Some(77), Some(Realms { from: 1, to: 2 }), RuleAction::DeviceTable);
    assert_eq!(
        route::rule(&of),
        "inet6 not from all tos 0x10 suppress_prefixlen 8 suppress_ifgroup 2 tunnel-id 77 uidrange 1-9 l3mdev \
         realms 1/2 lookup 0 no_track"
    );
    (of.mark, of.action) = (Some((5, Some(u32::MAX))), RuleAction::Nop);
    let text = route::rule(&of);
    assert!(text.contains(" fwmark 0x5 ") && text.ends_with(" nop no_track"), "{text}");
}
