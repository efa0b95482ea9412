//! What is said of a host that lacks something, and of words that are judged with what it has.

use crate::env::{NoIncludes, StaticEnv};
use crate::load;

const TEXT: &str = "global_defs {\n script_user nobody\n}\nvrrp_script c {\n script /opt/check\n}\n\
                    vrrp_instance v {\n interface eth0\n virtual_router_id 1\n track_script { c }\n \
                    virtual_ipaddress { 10.0.0.3 }\n}\n";

/// The exit code of the original's test and its messages.
fn judged(text: &str, env: &StaticEnv) -> (u8, Vec<String>) {
    let loaded = load("k.conf", text, &mut NoIncludes, env);
    let messages = loaded.diagnostics.iter().filter_map(|d| d.compat.as_deref());
    (loaded.test_exit_code(), messages.map(str::to_owned).collect())
}

fn host() -> StaticEnv {
    StaticEnv::new("h").with_interfaces(&["eth0"]).with_programs(&["/opt/check"]).with_users(&["nobody"])
}

#[test]
fn a_host_that_has_everything_leaves_the_missing_security() {
    let (code, messages) = judged(TEXT, &host());
    assert_eq!((code, messages.len()), (6, 1), "{messages:?}");
}

#[test]
fn a_program_that_is_not_there_is_told_and_is_no_danger() {
    let (code, messages) = judged(TEXT, &host().with_programs(&[]));
    assert_eq!(code, 5);
    assert_eq!(messages, ["Disabling track script c since not found/accessible"]);
}

#[test]
fn instances_without_their_interfaces_run_no_scripts() {
    let (code, messages) = judged(TEXT, &host().with_interfaces(&["lo"]));
    assert_eq!(code, 5);
    assert!(messages.contains(&"Non-existent interface specified in configuration".to_owned()));
    let dynamic = TEXT.replace("global_defs {\n", "global_defs {\n dynamic_interfaces\n");
    assert_eq!(judged(&dynamic, &host().with_interfaces(&["lo"])).0, 6);
}

#[test]
fn what_names_an_absent_interface_is_told_unless_interfaces_may_be_absent() {
    let text = "vrrp_instance v {\n interface eth7\n virtual_router_id 1\n virtual_ipaddress {\n 10.0.0.3\n \
                10.0.0.4 dev eth8\n }\n virtual_routes {\n 10.1.0.0/16 dev eth8\n 10.2.0.1 via 10.0.0.9\n }\n}\n\
                garp_group {\n garp_interval 1\n interface eth9\n}\n";
    let dynamic = "global_defs {\n dynamic_interfaces\n}\n";
    let untracked = "Warning - cannot track route 10.2.0.1/32 with no interface specified, not tracking";
    let (code, mut messages) = judged(text, &host());
    messages.sort();
    let told = [
        "Non-existent interface specified in configuration",
        "WARNING - interface eth7 for vrrp_instance v doesn't exist",
        "WARNING - interface eth8 for VROUTE nexthop doesn't exist",
        "WARNING - interface eth8 for ip address 10.0.0.4 doesn't exist",
        "WARNING - interface eth9 specified for garp_group doesn't exist",
        untracked,
    ];
    assert_eq!((code, messages), (5, told.map(str::to_owned).to_vec()));
    for text in [format!("{dynamic}{text}"), format!("{text}{dynamic}")] {
        assert_eq!(judged(&text, &host()), (5, vec![untracked.to_owned()]));
    }
}

#[test]
fn the_length_of_a_prefix_is_judged_whatever_stands_before_it() {
    let text = TEXT.replace("10.0.0.3", "\nhere/33\n10.0.0.3/x\n").replace(" track_script { c }\n", "");
    let rules = " virtual_rules {\n from 10.1.0./24 table 5 priority 9\n }\n}\n";
    let text = text.replace("vrrp_script c {\n script /opt/check\n}\n", "");
    let text = format!("{}{rules}", text.trim_end().trim_end_matches('}'));
    let (code, messages) = judged(&text, &host());
    let messages: Vec<&str> = messages.iter().flat_map(|message| message.lines()).collect();
    let told = [
        "number '33' outside range [0, 32]",
        "Invalid address prefix len 33 for address here/33 - using 32",
        "VRRP parsed invalid IP here/33. skipping IP...",
        "invalid number 'x'",
        "Invalid address prefix len x for address 10.0.0.3/x - using 32",
        "VRRP parsed invalid IP 10.1.0./24. skipping IP...",
        "Invalid rule from address 10.1.0./24",
    ];
    assert_eq!((code, messages), (5, told.to_vec()));
}

#[test]
fn a_notification_that_nobody_can_run_is_left_out() {
    let text =
        TEXT.replace(" track_script { c }", " notify_master /opt/check").replace("script_user nobody", "");
    let text = text.replace("vrrp_script c {\n script /opt/check\n}\n", "");
    let secure = text.replace("global_defs {", "global_defs {\n enable_script_security");
    let said = vec!["Unable to set default user keepalived_script for script".to_owned()];
    assert_eq!(judged(&secure, &host()), (5, said));
    assert_eq!(judged(&secure, &host().with_users(&["keepalived_script"])).0, 0);
    // Words that cannot be a user are logged and no more.
    let shell = text.replace("notify_master /opt/check", "notify_master /opt/check /a.sh 3");
    assert_eq!(judged(&shell, &host()), (0, Vec::new()));
}

#[test]
fn a_command_of_nobody_is_told_and_is_no_danger() {
    let text = TEXT.replace("script /opt/check", "script /opt/check\n user nobody");
    let text = text.replace(" track_script { c }", " track_script { c }\n notify_master /opt/check someone");
    let (code, messages) = judged(&text, &host());
    assert_eq!((code, messages.len()), (6, 1), "{messages:?}");
    let (code, messages) = judged(&text, &host().with_users(&[]));
    assert_eq!(code, 5, "{messages:?}");
}

#[test]
fn scripts_that_nobody_can_run_are_told_and_gone() {
    const REMOVED: [&str; 2] = [
        "Unable to set default user for vrrp script c - removing",
        "(v) track script c not found, ignoring...",
    ];
    for (user, known) in [("nobody", "root"), ("nobody nogroup", "nobody")] {
        let text = TEXT.replace("script_user nobody", &format!("script_user {user}"));
        let (code, messages) = judged(&text, &host().with_users(&[known]));
        let all = [&["Error setting global script uid/gid"], &REMOVED[..]].concat();
        assert_eq!((code, messages), (5, all.iter().map(|&m| m.to_owned()).collect()));
    }
    // Wherever it is said, it holds for the whole file.
    let secure = TEXT.replace("script_user nobody\n", "");
    let secure = format!("{secure}global_defs {{\n enable_script_security\n}}\n");
    let (code, messages) = judged(&secure, &host());
    let all = [&["Unable to set default user keepalived_script for script"], &REMOVED[..]].concat();
    assert_eq!((code, messages), (5, all.iter().map(|&m| m.to_owned()).collect()));
    assert_eq!(judged(&secure, &host().with_users(&["keepalived_script"])).0, 0);
}

#[test]
fn a_mail_relay_must_have_an_address() {
    let text = |relay: &str| format!("global_defs {{\n smtp_server {relay}\n}}\n");
    let host = host().with_hosts(&["mail", "10.0.0.1"]);
    assert_eq!(judged(&text("mail 25"), &host), (0, Vec::new()));
    assert_eq!(judged(&text("nosuch"), &host), (5, vec!["Invalid smtp server nosuch 25".to_owned()]));
    let (code, messages) = judged(&text("10.0.0.1 99999"), &host);
    assert!(code == 5 && messages.contains(&"Invalid smtp server 10.0.0.1 99999".to_owned()), "{messages:?}");
}

#[test]
fn further_words_are_as_wrong_as_none_where_a_name_is_all() {
    for (text, said) in [
        ("vrrp_instance v x {\n interface eth0\n virtual_router_id 1\n}\n", "vrrp_instance must have a name"),
        ("vrrp_sync_group g x {\n}\n", "vrrp_sync_group must have a name - skipping"),
    ] {
        assert_eq!(judged(text, &host()), (5, vec![said.to_owned()]));
    }
}

#[test]
fn a_check_of_a_session_names_exactly_one_that_is_there() {
    for (lines, said) in [
        ("", "No name has been specified for BFD_CHECKER - skipping"),
        ("name", "BFD_CHECK - No or too many names specified - skipping checker"),
        ("name t x", "BFD_CHECK - No or too many names specified - skipping checker"),
        ("name u", "BFD_CHECK - BFD u not configured"),
        ("name t\n name t", "BFD_CHECK - BFD t already specified as t"),
    ] {
        let text = format!(
            "bfd_instance t {{\n neighbor_ip 10.0.0.9\n}}\nvirtual_server 10.0.0.1 80 {{\n lb_algo rr\n \
             lb_kind NAT\n protocol TCP\n real_server 10.0.0.2 80 {{\n BFD_CHECK {{\n {lines}\n }}\n }}\n}}\n"
        );
        assert_eq!(judged(&text, &host()), (5, vec![said.to_owned()]), "{lines}");
    }
}

#[test]
fn a_route_of_a_kind_names_its_destination_next() {
    let judged = |route: &str| {
        let text = format!(
            "vrrp_instance v {{\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {{ 10.0.0.3 }}\n \
             virtual_routes {{\n {route}\n }}\n}}\n"
        );
        judged(&text, &host())
    };
    assert_eq!(judged("unreachable 10.1.0.0/24 dev eth0"), (0, Vec::new()));
    let wrong =
        |word| vec![format!("VRRP parsed invalid IP {word}. skipping IP...\nunknown route keyword {word}")];
    assert_eq!(judged("blackhole dev eth0"), (5, wrong("dev")));
    assert_eq!(judged("prohibit to 10.1.0.0/24 dev eth0"), (5, wrong("to")));
    assert_eq!(judged("blackhole").0, 2);
}

#[test]
fn a_check_of_nobody_and_a_mark_of_no_family_are_gone() {
    let text = "virtual_server 10.0.0.1 80 {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n real_server 10.0.0.2 80 \
                {\n MISC_CHECK {\n misc_path /opt/check\n user someone\n }\n }\n}\n";
    let said = "Failed to set uid/gid for misc checker script '/opt/check' - removing";
    assert_eq!(judged(text, &host()), (5, vec![said.to_owned()]));
    let text = "virtual_server_group g {\n fwmark 2 inet7\n fwmark 3 inet6\n}\n";
    assert_eq!(
        judged(text, &host()),
        (5, vec!["(g): fwmark '2' family inet7 unknown - ignoring".to_owned()])
    );
}

#[test]
fn words_that_a_virtual_server_and_its_group_do_not_know_are_judged_as_the_original_judges_them() {
    let judged = |before: &str, lines: &str, real: &str| {
        let text = format!(
            "{before}\nvirtual_server 10.0.0.1 80 {{\n lb_algo rr\n lb_kind NAT\n protocol TCP\n {lines}\n real_server \
             10.0.0.2 80 {{\n {real}\n }}\n}}\n"
        );
        judged(&text, &host())
    };
    assert_eq!(judged("", "alpha x\n omega 5\n inhibit_on_failure maybe", ""), (0, Vec::new()));
    let said = vec!["Invalid inhibit_on_failure parameter maybe".to_owned()];
    assert_eq!(judged("", "", "inhibit_on_failure maybe"), (5, said));
    let said = vec!["Invalid hex string for UDP_CHECK reply".to_owned()];
    assert_eq!(judged("", "", "UDP_CHECK {\n require_reply \"\"\n }"), (5, said));
    assert_eq!(judged("", "", "UDP_CHECK {\n require_reply\n }"), (0, Vec::new()));
    for (entry, said) in [
        ("here", "Invalid virtual server group IP address here  - skipping"),
        ("here 80", "Invalid virtual server group IP address here /port/80 - skipping"),
    ] {
        let group = format!("virtual_server_group g {{\n {entry}\n fwmark 7\n}}");
        assert_eq!(judged(&group, "", ""), (5, vec![said.to_owned()]));
    }
    assert_eq!(judged("virtual_server_group g {\n fwmark\n}", "", "").0, 2);
}

#[test]
fn a_second_line_without_its_value_ends_the_original_as_a_first_one_does() {
    let text = TEXT.replace(" track_script", " notify_fault /opt/check\n notify_fault\n track_script");
    assert_eq!(judged(&text, &host()).0, 2);
}

#[test]
fn the_last_destination_of_a_route_counts() {
    let text = TEXT.replace(" track_script { c }", " virtual_routes {\n 10.1.0.0/16 10.0.0.1 dev eth0\n }");
    let text = text.replace("vrrp_script c {\n script /opt/check\n}\n", "");
    assert_eq!(judged(&text, &host()), (0, Vec::new()));
    let loaded = load("k.conf", &text, &mut NoIncludes, &host());
    let route = &loaded.config.instances[0].routes[0];
    assert_eq!(route.value.destination.to_string(), "10.0.0.1");
    assert!(loaded.diagnostics.iter().any(|d| d.message.contains("a destination already")));
}

/// The file `before`, an instance with `lines`, and what the original says of it.
fn said_of(before: &str, lines: &str) -> Vec<String> {
    let text = format!(
        "{before}\nvrrp_instance v {{\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {{ 10.0.0.3 }}\n \
         {lines}\n}}\n"
    );
    let (code, messages) = judged(&text, &host().with_users(&["root", "0"]));
    assert_eq!(code, if messages.is_empty() { 0 } else { 5 }, "{before} {lines}");
    messages.iter().flat_map(|message| message.lines().map(str::to_owned)).collect()
}

#[test]
fn words_of_trackers_are_judged_as_the_original_judges_them() {
    let script =
        "global_defs {\n script_user root\n enable_script_security\n}\nvrrp_script c {\n script /opt/check\n";
    assert_eq!(
        said_of(&format!("{script} weight 5 x\n}}"), "track_script {\n c\n }"),
        ["vrrp_script c unknown weight option x"]
    );
    assert_eq!(
        said_of(&format!("{script} interval 1.a234567\n}}"), "track_script {\n c\n }"),
        [
            "number '1.a234567' has too many decimal places",
            "invalid number '1.a234567'",
            "(c): vrrp script interval '1.a234567' must be between 1 and 4294 - ignoring"
        ]
    );
    let file = "track_file t {\n file /f\n weight\n}";
    assert_eq!(
        said_of(file, "track_file {\n t weight 2 x\n }"),
        [
            "No weight specified for track file t - ignoring",
            "(v) unknown track file t weight option x - ignoring"
        ]
    );
    assert_eq!(
        said_of(file, "track_file {\n t weight x\n }")[1..],
        ["invalid number 'x'", "(v) weight for track file t must be in [-254..254] inclusive. Ignoring..."]
    );
    let user = script.replace("script_user root", "script_user 0");
    assert_eq!(
        said_of(&format!("{user}}}"), ""),
        ["Error setting global script uid/gid", "Unable to set default user for vrrp script c - removing"]
    );
}

#[test]
fn words_of_peers_rules_and_global_settings_are_judged_as_the_original_judges_them() {
    let peer = |option: &str| said_of("", &format!("unicast_peer {{\n 10.0.0.9 {option}\n }}"));
    assert_eq!(peer("+"), ["(v) + is missing a value"]);
    assert_eq!(peer("x 1"), ["(v) unknown unicast_peer option x"]);
    assert_eq!(peer("min_ttl 9 max_ttl 8"), ["(v) min_ttl 9 > max_ttl 8 - all packets will be discarded"]);
    let rule =
        |table: &str| said_of("", &format!("virtual_rules {{\n from 10.0.0.3 table {table} priority 5\n }}"));
    assert_eq!(rule("0"), ["Table 0 is not valid"]);
    assert!(rule("5").is_empty());
    let global = |line: &str| said_of(&format!("global_defs {{\n {line}\n}}"), "");
    assert_eq!(global("lvs_timeouts tcp"), ["lvs_timeouts requires at least one option"]);
    assert_eq!(global("vrrp_rx_bufs_multiplier 3 x"), ["Invalid vrrp_rx_bufs_multiplier"]);
    assert_eq!(global("vrrp_mcast_group4 x"), ["Can't parse vrrp_mcast_group4 [x]. Skipping"]);
    assert_eq!(
        global("vrrp_mcast_group4 10.0.0.1"),
        ["vrrp_mcast_group4 [10.0.0.1] is not multicast. Skipping"]
    );
    assert_eq!(
        global("vrrp_mcast_group6 224.0.0.5"),
        ["vrrp_mcast_group6 [224.0.0.5] is not IPv6. Skipping"]
    );
    assert_eq!(global("snmp_socket"), ["SNMP error : snmp socket name missing"]);
    assert_eq!(global("snmp_socket a b"), ["Too many parameters specified for snmp_socket - ignoring"]);
    for (line, said) in [
        ("vrrp_rlimit_rttime x", "Invalid vrrp real-time limit - x"),
        ("checker_rlimit_rttime x", "Invalid checker real-time limit - x"),
        ("bfd_rt_priority x", "bfd process real-time priority 'x' invalid"),
        ("checker_priority x", "Invalid checker process priority specified"),
        ("lvs_netlink_cmd_rcv_bufs x", "lvs_netlink_cmd_rcv_bufs size (x) invalid"),
    ] {
        assert_eq!(global(line), ["invalid number 'x'", said], "{line}");
    }
    assert_eq!(
        global("max_auto_priority x"),
        ["invalid number 'x'", "max_auto_priority 'x' must be in [0, 99] (or -1 to disable) - ignoring"]
    );
    assert_eq!(
        said_of("garp_group {\n garp_interval 1\n interfaces {\n }\n}", ""),
        ["Warning - empty garp_group interfaces block"]
    );
    let open = "Unterminated quote 'notify /opt/check a\"'";
    assert_eq!(said_of("", "notify /opt/check a\"")[..2], [open, "Unmatched quote: 'notify /opt/check a\"'"]);
}

#[test]
fn metrics_of_routes_are_set_and_wrong_ones_told() {
    let route = |words: &str| {
        let lines = format!("virtual_routes {{\n 10.1.0.0/16 via 10.0.0.9 dev eth0 {words}\n }}");
        (said_of("", &lines), lines)
    };
    let (said, lines) = route("quickack 1 features ecn");
    assert!(said.is_empty(), "{said:?}");
    let text = format!("vrrp_instance v {{\n interface eth0\n {lines}\n}}\n");
    let loaded = load("k.conf", &text, &mut NoIncludes, &host());
    let metrics = &loaded.config.instances[0].routes[0].value.metrics;
    assert_eq!(
        metrics.iter().map(|m| (m.number, m.value, m.locked)).collect::<Vec<_>>(),
        [(15, 1, false), (12, 1, false)]
    );
    assert_eq!(route("realms 1/x").0, ["Invalid realms 1/x for route"]);
    assert!(route("realms 1/2 congctl lock cubic").0.is_empty());
    let outside = |text: &str, said: &str| vec![text.to_owned(), said.to_owned()];
    let wrong = outside("number '2' outside range [0, 1]", "Invalid quickack value 2 specified for route");
    assert_eq!(route("quickack 2").0, wrong);
    let wrong = outside("number '256' outside range [0, 255]", "Invalid hoplimit 256 specified for route");
    assert_eq!(route("hoplimit 256").0, wrong);
    assert_eq!(route("window lock 3").0[1], "Invalid window value lock specified for route");
    assert_eq!(route("features x").0, ["feature x not supported"]);
    assert_eq!(route("metric x").0[1], "Invalid metric x specified for route");
    let protocol = "Route cannot be tracked if protocol is not RTPROT_KEEPALIVED(18), resetting protocol";
    assert_eq!(route("protocol static").0, [protocol]);
    assert!(route("protocol static no_track").0.is_empty());
}

/// The only route of a line.
fn route_of(line: &str) -> vrrp::spec::Route {
    let text = format!("vrrp_instance v {{\n interface eth0\n virtual_routes {{\n {line}\n }}\n}}\n");
    let host = host().with_interfaces(&["eth0", "blue"]).with_vrfs(&["blue"]);
    load("k.conf", &text, &mut NoIncludes, &host).config.instances[0].routes[0].value.clone()
}

#[test]
fn times_of_routes_are_in_the_units_of_the_kernel_and_within_its_limits() {
    let metrics = |words: &str| {
        let route = route_of(&format!("10.1.0.0/16 dev eth0 {words}"));
        route.metrics.iter().map(|m| (m.number, m.value, m.locked)).collect::<Vec<_>>()
    };
    assert_eq!(
        metrics("rtt lock 300ms rttvar 1.5s rto_min 250ms"),
        [(4, 2400, true), (5, 6000, false), (13, 250, false)]
    );
    assert_eq!(metrics("rtt 3000 rtt 4secs"), [(4, 32_000, false)], "the last counts");
    assert_eq!(metrics("rto_min lock 1ms rttvar 120s"), [(13, 200, true), (5, 480_000, false)]);
    let said = |words: &str| said_of("", &format!("virtual_routes {{\n 10.1.0.0/16 dev eth0 {words}\n }}"));
    assert_eq!(said("rtt x"), ["invalid number 'x'", "Invalid rtt x for route"]);
    assert_eq!(said("rto_min 500s")[1], "Invalid rto_min value 500s specified for route");
    assert!(said("rtt 1ms").is_empty(), "keepalived tells this its log alone");
}

#[test]
fn routes_say_where_they_go_when_they_end_and_whose_table_it_is() {
    use vrrp::spec::RoutePlace;
    let place = |words: &str| route_of(&format!("{words} 10.1.0.0/16 dev eth0")).place;
    assert_eq!(
        ["", "prepend", "append", "add", "add append"].map(place),
        [RoutePlace::First, RoutePlace::First, RoutePlace::Last, RoutePlace::Only, RoutePlace::Last]
    );
    let route = route_of("2001:db8::/48 dev eth0 expires 60 pref high ttl-propagate disabled");
    assert_eq!((route.expires, route.preference, route.ttl_propagate), (Some(60), Some(1), Some(false)));
    let route = route_of("10.1.0.0/16 dev eth0 table 5 vrf blue");
    assert_eq!(route.vrf.as_deref(), Some("blue"));
    assert_eq!(route_of("10.1.0.0/16 dev eth0 vrf blue table 5").vrf, None);
    let said = |line: &str| said_of("", &format!("virtual_routes {{\n {line}\n }}"));
    let routes = |words: &str| said(&format!("10.1.0.0/16 dev eth0 {words}"));
    assert_eq!(routes("vrf red"), ["VRF red not found for route"]);
    assert_eq!(routes("vrf eth0"), ["Route specified VRF eth0 is not a VRF"]);
    assert_eq!(routes("expires 60"), ["expires is only valid for IPv6"]);
    assert_eq!(routes("pref high"), ["pref is only valid for IPv6"]);
    assert_eq!(routes("ttl-propagate x"), ["ttl-propagate value x not recognised"]);
    assert_eq!(routes("as to 10.2.0.0"), ["\"as to\" for MPLS only - ignoring"]);
    assert_eq!(routes("from 10.0.0.0/8"), ["route from address only supported with IPv6 (10.0.0.0/8)"]);
    assert_eq!(said("2001:db8::/48 dev eth0 realms 3"), ["realms are only valid for IPv4"]);
    let said = said("2001:db8::/48 dev eth0 expires x");
    assert_eq!(said, ["invalid number 'x'", "Invalid expires time x specified for route"]);
}

#[test]
fn a_gateway_with_a_mistake_ends_the_list_and_those_before_it_stay() {
    let hops = |words: &str| {
        let route = route_of(&format!("10.1.0.0/16 no_track nexthop via 10.0.0.1 weight 2 {words}"));
        route.hops.iter().map(|hop| hop.via.unwrap().to_string()).collect::<Vec<_>>()
    };
    for bad in ["via 10.0.0.300", "via 10.0.0.2 weight 300", "via 2001:db8::1", "via 10.0.0.2 dev eth9"] {
        assert_eq!(hops(&format!("nexthop {bad} nexthop via 10.0.0.3")), ["10.0.0.1"], "{bad}");
    }
    assert_eq!(hops("nexthop via 10.0.0.2 foo"), ["10.0.0.1", "10.0.0.2"]);
    let lines = "virtual_routes {\n 10.1.0.0/16 no_track nexthop via 10.0.0.300\n }";
    assert!(said_of("", lines).concat().contains("invalid nexthop address 10.0.0.300"));
    let text = format!("vrrp_instance v {{\n interface eth0\n {lines}\n}}\n");
    let config = load("k.conf", &text, &mut NoIncludes, &host()).config;
    assert!(config.instances[0].routes.is_empty(), "there is none before it");
}

#[test]
fn addresses_and_ports_of_routes_and_rules_are_written_in_full() {
    let routes = |line: &str| said_of("", &format!("virtual_routes {{\n {line} dev eth0\n }}"));
    let told = ["VRRP parsed invalid IP 10.1/16. skipping IP...", "unknown route keyword 10.1/16"];
    assert_eq!(routes("10.1/16"), told);
    let rules = |ports: &str| {
        said_of("", &format!("virtual_rules {{\n from 10.1.0.0/16 {ports} table 7 priority 100\n }}"))
    };
    assert_eq!(rules("sport 80"), ["invalid sport range 80"]);
    assert_eq!(rules("dport 80"), ["invalid dport range 80"]);
    assert_eq!(rules("sport 80-80 dport 80-81"), [""; 0]);
}

#[test]
fn a_peer_that_is_there_twice_is_one_and_none_of_keepalived_s_complaints() {
    let text = "unicast_src_ip 10.0.0.1\n unicast_peer {\n 10.0.0.2\n 10.0.0.2\n }";
    assert_eq!(said_of("", text), [""; 0]);
    let text = format!("vrrp_instance v {{\n interface eth0\n {text}\n}}\n");
    let config = load("k.conf", &text, &mut NoIncludes, &host()).config;
    assert_eq!(config.instances[0].unicast_peers.len(), 1);
}

#[test]
fn behind_a_next_hop_only_words_about_next_hops_count() {
    let route = route_of("10.1.0.0/16 nexthop via 10.0.0.1 weight 2 realms 3 nexthop via 10.0.0.2 metric 5");
    let hops: Vec<_> =
        route.hops.iter().map(|hop| (hop.weight, hop.realms.map(|realms| realms.to))).collect();
    assert_eq!((hops, route.realms, route.metric), (vec![(Some(2), Some(3)), (None, None)], None, None));
    let said = |words: &str| {
        said_of("", &format!("virtual_routes {{\n 10.1.0.0/16 no_track nexthop via {words}\n }}"))
    };
    assert_eq!(said("10.0.0.1 metric 5"), ["Route has trailing nonsense after nexthops - metric"]);
    assert_eq!(said("10.0.0.1 weight 0"), ["Invalid weight 0 specified for route"]);
    assert_eq!(said("x")[1], "invalid nexthop address x");
}

#[test]
fn names_in_the_lists_of_iproute2_stand_for_their_numbers() {
    let host = host().with_iproute("rt_tables", "red", 300).with_iproute("rt_realms", "home", 7);
    let text = "vrrp_instance v {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress { 10.0.0.3 }\n \
                virtual_routes {\n 10.1.0.0/16 dev eth0 table red realms home tos 16\n }\n virtual_rules {\n \
                from 10.0.0.3 table red priority 0x10 suppress_ifgroup default\n }\n}\n";
    let loaded = load("k.conf", text, &mut NoIncludes, &host);
    let instance = &loaded.config.instances[0];
    let route = &instance.routes[0].value;
    assert_eq!(
        (route.table, route.realms.map(|realms| realms.to), route.tos),
        (Some(300), Some(7), Some(16))
    );
    let rule = &instance.rules[0].value;
    assert_eq!((rule.action, rule.priority), (vrrp::spec::RuleAction::Table(300), Some(16)));
    assert_eq!(
        judged(&text.replace("red", "blue"), &host).1,
        ["Routing table blue not found for route", "Routing table blue not found for rule"]
    );
}

#[test]
fn words_of_rules_are_judged_as_the_original_judges_them() {
    let rule =
        |words: &str| said_of("", &format!("virtual_rules {{\n from 10.0.0.3 preference 5 {words}\n }}"));
    assert!(rule("l3mdev realms 3 suppress_ifgroup 2 tunnel-id 7").is_empty());
    assert!(rule("table 5 sup_pl 200 protocol 18").is_empty());
    let number = "invalid number 'x'";
    assert_eq!(rule("table 5 tunnel-id x"), [number, "Invalid tunnel-id tunnel-id specified"]);
    assert_eq!(rule("table 5 realms x"), ["invalid realms x for rule"]);
    assert_eq!(rule("table 5 priority x"), [number, "Invalid rule preference priority specified"]);
    assert_eq!(rule("goto x"), [number, "Invalid target goto specified"]);
    assert_eq!(rule("table 5 protocol x"), [number, "Invalid protocol x"]);
    assert_eq!(rule("blackhole realms 3"), ["suppressor/realm specified for non table action - skipping"]);
    assert_eq!(rule("table 5 l3mdev"), ["Cannot specify l3mdev with other action"]);
    assert_eq!(rule("unicast"), ["Invalid rule action unicast"]);
    let protocol = "Rule cannot be tracked if protocol is not RTPROT_KEEPALIVED(18), resetting protocol";
    assert_eq!(rule("table 5 protocol 4"), [protocol]);
    assert!(rule("table 5 protocol 4 no_track").is_empty());
}

#[test]
fn words_of_services_are_judged_as_the_original_judges_them() {
    let service = |lines: &str, real: &str| {
        let text = format!(
            "virtual_server 10.0.0.1 80 {{\n {lines}\n lb_kind NAT\n real_server 10.0.0.2 80 {{\n {real}\n }}\n}}\n"
        );
        let all = judged(&text, &host()).1;
        all.iter().flat_map(|message| message.lines().map(str::to_owned)).collect::<Vec<_>>()
    };
    let tcp = "lb_algo rr\n protocol TCP";
    assert_eq!(
        service("lb_algo x\n protocol TCP", ""),
        [
            "Virtual server [10.0.0.1]:tcp:80: no scheduler set, setting default 'wlc'",
            "Invalid lvs_scheduler 'x' - ignoring"
        ]
    );
    assert_eq!(
        service("lb_algo rr", ""),
        ["Virtual server [10.0.0.1]:none:80: no protocol set - defaulting to UDP"]
    );
    assert!(service(tcp, "weight 70000").is_empty());
    assert_eq!(service(tcp, "snmp_name a b"), ["real server snmp_name missing or extra parameters"]);
    assert_eq!(
        service(&format!("{tcp}\n snmp_name"), ""),
        ["virtual server snmp_name missing or extra parameters"]
    );
    assert_eq!(
        service(tcp, "weight x"),
        ["invalid number 'x'", "Real server weight x is outside range 0-2147483647"]
    );
    assert_eq!(
        service(tcp, "UDP_CHECK {\n min_reply_length 9\n max_reply_length 8\n }"),
        ["UDP_CHECK min_reply length 9 > max_reply_length 8 - will always fail"]
    );
    assert_eq!(
        service(tcp, "FILE_CHECK {\n track_file x\n }"),
        ["track_file x not found", "FILE_CHECK has no track_file specified - ignoring"]
    );
    assert!(service(tcp, "HTTP_GET {\n url {\n path /\n regex\n regex_options\n }\n }").is_empty());
    assert!(service(&format!("{tcp}\n warmup \"\""), "").is_empty(), "an empty word is 0");
}

#[test]
fn options_of_tunnels_are_checked_whatever_the_method() {
    let judged = |method: &str| {
        let text = format!(
            "virtual_server 10.0.0.1 80 {{\n lb_algo rr\n lb_kind {method}\n protocol TCP\n real_server \
             10.0.0.2 80 {{\n }}\n}}\n"
        );
        judged(&text, &host()).1
    };
    assert_eq!(judged("TUN type gue port 5000 csum"), [""; 0]);
    assert_eq!(judged("NAT x y"), ["Invalid tunnel option x for virtual server."]);
    assert_eq!(judged("TUN type x"), ["Unknown tunnel type x for virtual server."]);
    assert_eq!(judged("TUN type"), ["Missing tunnel type for virtual server."]);
    assert_eq!(judged("TUN port 0"), ["Invalid gue tunnel port 0 for virtual server."]);
}

#[test]
fn delays_of_a_missing_interface_are_a_fault_of_their_own() {
    let delays = "interface_up_down_delays {\n eth9 1\n}\n";
    let said = "unknown interface eth9 specified for up/down delay".to_owned();
    let instance =
        "vrrp_instance v {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress { 10.0.0.3 }\n}\n";
    assert_eq!(judged(&format!("{delays}{instance}"), &host()), (4, vec![said]));
    assert_eq!(judged(&format!("{delays}{TEXT}"), &host()).0, 6, "the scripts of others run all the same");
    assert_eq!(
        judged(&format!("{delays}{}", instance.replace(" virtual_ip", " foo\n virtual_ip")), &host()).0,
        5
    );
}

#[test]
fn a_second_notify_deleted_leaves_the_first_one() {
    let text = |lines: &str| {
        format!(
            "global_defs {{\n script_user nobody\n enable_script_security\n}}\nvrrp_instance v {{\n interface eth0\n \
             virtual_router_id 1\n {lines}\n virtual_ipaddress {{ 10.0.0.3 }}\n}}\n"
        )
    };
    let deleted = |lines: &str| {
        let loaded = load("k.conf", &text(lines), &mut NoIncludes, &host());
        assert_eq!(loaded.test_exit_code(), 5, "{lines}");
        crate::lower(&loaded.config, &host()).spec.instances[0].notify.deleted.clone()
    };
    let first = deleted("notify_deleted /opt/check\n notify_deleted");
    assert_eq!(first.expect("the first").argv, ["/opt/check"]);
    let first = deleted("notify_deleted\n notify_deleted /opt/check");
    assert!(first.is_none());
}

#[test]
fn a_umask_is_judged_though_it_has_no_effect() {
    let umask = |words: &str| said_of(&format!("global_defs {{\n umask {words}\n}}"), "");
    for good in ["022", "0x1f", "8", "IRUSR", "IRUSR|IWUSR|IXOTH", "IRUSR | IWGRP"] {
        assert_eq!(umask(good), [""; 0], "{good}");
    }
    for (wrong, said) in [
        ("1000", "invalid umask value 1000"),
        ("0888", "invalid umask value 0888"),
        ("022 x", "Extra parameter(s) to umask option"),
        ("x", "Unknown umask bit x"),
        ("IRUSR|x", "Unknown umask bit x"),
        ("-1", "Unknown umask bit -1"),
        ("IRUSR x", "Invalid umask syntax x"),
        ("IRUSR|", "umask missing bit value"),
    ] {
        assert_eq!(umask(wrong), [said], "{wrong}");
    }
}

#[test]
fn ports_are_judged_before_the_addresses_they_stand_behind() {
    let said = |virtual_server: &str, real: &str, entry: &str| {
        let text = format!(
            "virtual_server {virtual_server} {{\n lb_algo rr\n lb_kind NAT\n protocol TCP\n real_server 10.0.0.2 80 {{\n }}\n \
             real_server {real} {{\n }}\n}}\nvirtual_server_group g {{\n 10.0.0.4 80\n {entry}\n}}\n"
        );
        let messages = judged(&text, &host()).1;
        messages.iter().flat_map(|message| message.lines().map(str::to_owned)).collect::<Vec<_>>()
    };
    let (good, real, entry) = ("10.0.0.1 80", "10.0.0.3 80", "10.0.0.5 80");
    assert_eq!(said(good, real, entry), [""; 0]);
    let range = "number '99999' outside range [1, 65535]";
    assert_eq!(
        said("10.0.0.1 99999", real, entry),
        [range, "Invalid virtual server IP address/port 10.0.0.1/99999 - skipping"]
    );
    assert_eq!(said("x 80", real, entry), ["Invalid virtual server IP address/port x/80 - skipping"]);
    assert_eq!(said("x", real, entry), ["Invalid virtual server IP address x - skipping"]);
    assert_eq!(
        said(good, "10.0.0.3 80x", entry),
        ["invalid number '80x'", "Invalid real server ip address/port 10.0.0.3/80x - skipping"]
    );
    assert_eq!(said(good, "y 80", entry), ["Invalid real server ip address/port y/80 - skipping"]);
    assert_eq!(
        said(good, real, "10.0.0.5 -1"),
        ["negative number '-1'", "Invalid virtual server group IP address 10.0.0.5 /port/-1 - skipping"]
    );
    assert_eq!(said(good, real, "10.0.0.5 00"), [""; 0]);
}

#[test]
fn a_vrf_that_is_none_is_told_where_it_would_count() {
    let judged = |lines: &str| {
        let text = format!(
            "vrrp_instance v {{\n {lines}\n virtual_router_id 1\n unicast_src_ip 10.0.0.1\n unicast_peer {{ 10.0.0.2 }}\n \
             virtual_ipaddress {{ 10.0.0.3 dev eth0 }}\n}}\n"
        );
        judged(&text, &host().with_interfaces(&["eth0", "lo", "red"])).1
    };
    assert_eq!(judged("vrf red"), [""; 0]);
    assert_eq!(judged("vrf lo"), ["(v) cannot use a loopback interface (lo) for VRF - ignoring"]);
    assert!(judged("vrf blue").contains(&"(v) WARNING - VRF interface blue doesn't exist".to_owned()));
    let both = "(v) Cannot specify VRF interface and interface - ignoring";
    assert_eq!(judged("interface eth0\n vrf blue"), [both]);
}
