//! Virtual servers as proxies.

use cfg_keepalived::{NoIncludes, StaticEnv, load, services};
use lb_core::balance::Algorithm;
use lb_core::health::InitState;
use lb_core::spec::{MarkedDown, ProxySpec};
use std::time::Duration;

fn lowered(text: &str) -> Vec<ProxySpec> {
    services(&load("k.conf", text, &mut NoIncludes, &StaticEnv::new("host")).config)
}

fn advice(text: &str) -> Vec<String> {
    let loaded = load("k.conf", text, &mut NoIncludes, &StaticEnv::new("host"));
    loaded.diagnostics.iter().filter(|d| d.compat.is_none()).map(|d| d.message.clone()).collect()
}

/// One virtual server with these lines and two real servers.
fn server(lines: &str, first: &str) -> String {
    format!(
        "virtual_server 10.0.0.3 25 {{\n protocol TCP\n {lines}\n real_server 10.0.0.11 25 {{\n {first}\n }}\n \
         real_server 10.0.0.12 2525 {{\n weight 3\n }}\n}}\n"
    )
}

#[test]
fn a_virtual_server_listens_also_where_the_address_is_not_held_yet() {
    let proxies = lowered(&server("lvs_sched wrr\n sorry_server 10.0.0.99", "weight 1"));
    assert_eq!(proxies.len(), 1);
    let proxy = &proxies[0];
    assert_eq!(proxy.name.as_str(), "[10.0.0.3]:tcp:25");
    let listener = &proxy.listeners[0];
    assert_eq!((listener.endpoint.to_string().as_str(), listener.transparent), ("10.0.0.3:25", true));
    let servers: Vec<_> =
        proxy.pool.servers.iter().map(|s| (s.name.as_str(), s.weight, s.backup, s.check.is_some())).collect();
    assert_eq!(
        servers,
        [
            ("10.0.0.11:25", 1, false, false),
            ("10.0.0.12:2525", 3, false, false),
            ("sorry_server", 1, true, false)
        ]
    );
    let sorry = proxy.pool.servers[2].addr.endpoint.to_string();
    assert_eq!(sorry, "10.0.0.99:25", "the port of the service");
}

#[test]
fn schedulers_become_their_nearest_relatives() {
    let algorithm = |word: &str| lowered(&server(&format!("lvs_sched {word}"), "")).remove(0).pool.algorithm;
    assert_eq!(algorithm("rr"), Algorithm::RoundRobin);
    assert_eq!(algorithm("wlc"), Algorithm::Fewest);
    assert_eq!(algorithm("lc"), Algorithm::Fewest);
    assert_eq!(algorithm("sed"), Algorithm::ShortestDelay);
    assert_eq!(algorithm("nq"), Algorithm::LeastConn);
    assert_eq!(algorithm("sh"), Algorithm::Source);
    assert_eq!(algorithm("mh"), Algorithm::Source);
    assert_eq!(algorithm("dh"), Algorithm::Sticky);
    assert_eq!(algorithm("fo"), Algorithm::First);
    assert_eq!(lowered(&server("", "")).remove(0).pool.algorithm, Algorithm::Fewest);
    let weights = |word: &str| -> Vec<u16> {
        let proxy = lowered(&server(&format!("lvs_sched {word}"), "weight 0")).remove(0);
        proxy.pool.servers.iter().map(|s| s.weight).collect()
    };
    assert_eq!(weights("rr"), [0, 1], "no weights, but zero takes nobody");
    assert_eq!(weights("wrr"), [0, 3]);
    let failover = lowered(&server("lvs_sched fo", "weight 1")).remove(0);
    assert_eq!(failover.pool.servers[0].name.as_str(), "10.0.0.12:2525", "the heaviest comes first");
}

#[test]
fn persistent_clients_keep_their_server_for_a_while() {
    let proxy = lowered(&server("persistence_timeout 50", "")).remove(0);
    let table = proxy.table.as_ref().expect("a table");
    assert_eq!((table.expire, proxy.stick.len()), (Some(Duration::from_secs(50)), 1));
    assert_eq!(proxy.stick[0].key.text(), "src");
    let proxy = lowered(&server("persistence_granularity 255.255.255.0", "")).remove(0);
    assert_eq!(proxy.stick[0].key.text(), "src,ipmask(24)");
    assert_eq!(proxy.table.as_ref().and_then(|t| t.expire), Some(Duration::from_secs(360)));
    assert!(lowered(&server("", "")).remove(0).table.is_none());
}

#[test]
fn weights_beyond_ours_keep_their_proportion() {
    let proxy = lowered(&server("lvs_sched wrr", "weight 65535")).remove(0);
    assert_eq!(proxy.pool.servers.iter().map(|s| s.weight).collect::<Vec<_>>(), [256, 1]);
}

#[test]
fn the_times_of_a_check_come_from_the_nearest_block() {
    let text = server("delay_loop 7\n retry 4\n alpha", "TCP_CHECK {\n connect_timeout 2\n retry 2\n }");
    let proxy = lowered(&text).remove(0);
    let server = &proxy.pool.servers[0];
    let check = server.check.as_ref().expect("it is checked");
    let seconds = Duration::from_secs;
    assert_eq!((check.inter, check.fastinter), (seconds(7), Some(seconds(1))));
    assert_eq!((check.connect, check.rise, check.fall), (Some(seconds(2)), 1, 3));
    assert_eq!(server.init_state, InitState::Down);
    let text = server_with("HTTP_GET {\n url {\n path /\n }\n }");
    let check = lowered(&text).remove(0).pool.servers.remove(0).check.expect("it is checked");
    assert_eq!((check.inter, check.fastinter, check.fall), (seconds(60), Some(seconds(3)), 2));
}

#[test]
fn one_failure_is_enough_at_the_start_and_alpha_means_nothing_without_a_checker() {
    let state = |text: &str| lowered(text).remove(0).pool.servers.remove(0).init_state;
    assert_eq!(state(&server("retry 5", "TCP_CHECK {\n }")), InitState::Up);
    assert_eq!(state(&server("alpha", "weight 2")), InitState::Up);
    let either = "TCP_CHECK {\n alpha off\n }\n PING_CHECK {\n alpha\n }";
    assert_eq!(state(&server("", either)), InitState::Down);
}

fn server_with(check: &str) -> String {
    server("", check)
}

#[test]
fn every_checker_is_part_of_the_check() {
    let checks = "TCP_CHECK {\n }\n PING_CHECK {\n }\n MISC_CHECK {\n misc_path \"/bin/true a\"\n }\n \
                  DNS_CHECK {\n name example.org\n }\n UDP_CHECK {\n payload 00ff\n require_reply 0x\n }\n \
                  SMTP_CHECK {\n helo_name me\n }\n HTTP_GET {\n url {\n path /a\n regex \"ok\"\n }\n url {\n path /b\n }\n }";
    let check = lowered(&server_with(checks)).remove(0).pool.servers.remove(0).check.expect("it is checked");
    let shown = format!("{:?}", check.probe);
    let regex = if lb_core::expr::Regex::new("a", false).is_ok() { "BodyRegex" } else { "HttpProbe" };
    for part in ["ConnectProbe", "Echo", "/bin/true", "Dns", "Datagram", "SmtpProbe", regex] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    assert_eq!(shown.matches("HttpProbe").count(), 2);
}

#[test]
fn a_group_has_a_listener_for_every_address() {
    let text = "virtual_server_group g {\n 10.0.0.3-5 80\n 10.0.1.1 81\n fwmark 7\n}\nvirtual_server group g {\n \
                protocol TCP\n real_server 10.0.0.11 80 {\n }\n}\n";
    let listeners: Vec<String> =
        lowered(text).remove(0).listeners.iter().map(|l| l.endpoint.to_string()).collect();
    assert_eq!(listeners, ["10.0.0.3:80", "10.0.0.4:80", "10.0.0.5:80", "10.0.1.1:81"]);
}

#[test]
fn what_is_not_served_is_named() {
    let unserved = "this virtual server is not served".to_owned();
    let real = "real_server 10.0.0.11 80 {\n }\n}\n";
    for head in [
        "virtual_server 10.0.0.3 53 {\n protocol SCTP\n",
        "virtual_server 10.0.0.3 0 {\n protocol TCP\n persistence_timeout\n",
        "virtual_server fwmark 3 {\n",
    ] {
        let text = format!("{head} {real}");
        assert!(lowered(&text).is_empty(), "{head}");
        assert!(advice(&text).contains(&unserved), "{head}: {:?}", advice(&text));
    }
    let direct = advice(&server("lb_kind DR", "lb_kind TUN"));
    assert_eq!(direct.iter().filter(|text| text.contains("this host's address")).count(), 1, "{direct:?}");
    let nat = advice(&server("lb_kind NAT", ""));
    assert!(!nat.iter().any(|text| text.contains("this host's address")), "{nat:?}");
}

#[test]
fn datagrams_are_served_with_or_without_being_named() {
    for protocol in ["protocol UDP\n", ""] {
        let text =
            format!("virtual_server 10.0.0.3 53 {{\n {protocol} real_server 10.0.0.11 53 {{\n }}\n}}\n");
        let proxy = lowered(&text).remove(0);
        let datagrams = proxy.listeners[0].datagrams.expect("it takes datagrams");
        assert_eq!((datagrams.idle, datagrams.single), (Duration::from_secs(300), false));
        assert_eq!(proxy.pool.servers[0].on_marked_down, MarkedDown::ShutdownSessions);
        assert!(!advice(&text).iter().any(|text| text.contains("not served")));
    }
    let text = "global_defs {\n lvs_timeouts tcp 60 udp 7\n}\nvirtual_server 10.0.0.3 53 {\n ops\n inhibit_on_failure\n \
                real_server 10.0.0.11 53 {\n }\n}\nvirtual_server 10.0.0.3 53 {\n protocol TCP\n \
                real_server 10.0.0.11 53 {\n }\n}\n";
    let proxies = lowered(text);
    let datagrams = proxies[0].listeners[0].datagrams.expect("it takes datagrams");
    assert_eq!((datagrams.idle, datagrams.single), (Duration::from_secs(7), true));
    assert_eq!(proxies[0].pool.servers[0].on_marked_down, MarkedDown::Keep);
    assert_eq!(proxies.len(), 2, "the same port over TCP is another service");
    assert_eq!(proxies[1].timeouts.client, Some(Duration::from_secs(60)));
}

#[test]
fn the_sorry_server_waits_for_the_quorum() {
    assert_eq!(lowered(&server("quorum 2", "")).remove(0).pool.quorum, None, "nobody else could serve");
    let quorum = |lines: &str| {
        let pool = lowered(&server(&format!("{lines}\n sorry_server 10.0.0.99"), "weight 2")).remove(0).pool;
        assert_eq!(pool.servers.iter().map(|s| s.share).collect::<Vec<_>>(), [2, 3, 1]);
        pool.quorum.map(|quorum| (quorum.need, quorum.hysteresis))
    };
    assert_eq!(quorum(""), Some((1, 0)));
    assert_eq!(quorum("quorum 4\n hysteresis 2"), Some((4, 2)));
    assert_eq!(quorum("quorum 9\n hysteresis 9"), Some((5, 4)), "no more than there is");
}

#[test]
fn a_checker_runs_as_whom_it_names_and_connects_from_where_it_says() {
    let probe = |text: &str| {
        let check = lowered(text).remove(0).pool.servers.remove(0).check.expect("it is checked");
        format!("{:?}", check.probe)
    };
    let misc = |user: &str| server_with(&format!("MISC_CHECK {{\n misc_path /bin/x\n {user}\n }}"));
    assert!(probe(&misc("user adm www")).contains("user: \"adm\", group: Some(\"www\"), optional: false"));
    let global = format!("global_defs {{\n script_user tom\n}}\n{}", misc(""));
    assert!(probe(&global).contains("user: \"tom\", group: None, optional: false"));
    assert!(probe(&misc("")).contains("user: \"keepalived_script\", group: None, optional: true"));
    let tcp = server_with("TCP_CHECK {\n bindto 10.0.0.4\n bind_port 77\n bind_if eth7\n fwmark 5\n }");
    let source = "Fixed { addr: 10.0.0.4:77, interface: Some(\"eth7\"), mark: Some(5) }";
    assert!(probe(&tcp).contains(source), "{}", probe(&tcp));
    let file = "track_file t {\n file /f\n weight 3\n}\n".to_owned()
        + &server_with("weight 7\n FILE_CHECK {\n track_file t\n weight 2 reverse\n }");
    assert!(probe(&file).contains("path: \"/f\", weight: 2, reverse: true, scale: Scale { own: 7"));
}

#[test]
fn a_service_configured_twice_is_served_once() {
    let one = server("", "");
    assert_eq!(lowered(&format!("{one}{one}")).len(), 1);
}

#[test]
fn policy_rules_without_a_preference_stand_in_front_of_each_other() {
    let text = "static_rules {\n from 10.0.0.1 table 5\n from 10.0.0.2 table 5\n from 2001:db8::1 table 5\n \
                from 10.0.0.3 table 5 preference 7\n}\n";
    let loaded = load("k.conf", text, &mut NoIncludes, &StaticEnv::new("host"));
    let spec = cfg_keepalived::lower(&loaded.config, &StaticEnv::new("host")).spec;
    let places: Vec<_> = spec.fixed.rules.iter().map(|rule| rule.priority).collect();
    assert_eq!(places, [Some(16_384), Some(16_383), Some(16_384), Some(7)]);
}
