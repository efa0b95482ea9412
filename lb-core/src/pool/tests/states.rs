//! States of servers: checks, orders, agents, live traffic.

use super::*;

#[test]
fn a_checked_server_falls_and_rises() {
    let mut bench = Bench::with(vec![checked("a", 1), server("b", 2)]);
    assert_eq!((bench.status(0), bench.status(1)), ("UP 1/3".into(), "no check".into()));
    assert_eq!(
        bench.check(0, Status::L4Connection),
        [
            "Server be/a is DOWN, reason: Layer4 connection problem, check duration: 3ms. 1 active and 0 backup \
          servers left. 0 sessions active, 0 requeued, 0 remaining in queue."
        ]
    );
    assert_eq!(bench.status(0), "DOWN");
    bench.pass(Duration::from_secs(5));
    assert!(bench.check(0, Status::L4Ok).is_empty());
    assert_eq!(bench.status(0), "DOWN 1/2");
    assert_eq!(bench.check(0, Status::L4Ok).len(), 1);
    assert_eq!(bench.status(0), "UP");
    assert!(bench.check(0, Status::L4Timeout).is_empty());
    assert_eq!(bench.status(0), "UP 2/3");
    let snapshot = &bench.pool.server_snapshots(bench.now)[0];
    assert_eq!((snapshot.downtime, snapshot.last_change), (5, 0));
    assert_eq!((snapshot.counts.failed_checks, snapshot.counts.went_down), (2, 1));
}

#[test]
fn a_conditional_success_keeps_persistent_traffic() {
    let bench = Bench::with(vec![checked("a", 1), server("b", 2)]);
    bench.check(0, Status::L7Ok);
    let lines = bench.check(0, Status::L7OkConditional);
    assert!(
        lines[0].starts_with("Server be/a is stopping, reason: Layer7 check conditionally passed, code: 0")
    );
    assert_eq!(bench.status(0), "NOLB");
    assert!((0..4).all(|_| name(&bench.lease()) == "b"));
    assert_eq!(name(&leased(bench.acquire(Request::new().direct(ServerId(0))))), "a");
    // Going down from here is no longer worth an alert.
    for _ in 0..2 {
        bench.check(0, Status::L4Timeout);
    }
    let verdict = Verdict::new(Status::L4Timeout);
    let events = bench.pool.report_check(ServerId(0), CheckKind::Health, &verdict, Duration::ZERO, bench.now);
    let level = events.iter().find_map(|event| match event {
        PoolEvent::Log(event) => Some(event.level()),
        _ => None,
    });
    assert_eq!(level, Some(EventLevel::Notice));
}

#[test]
fn maintenance_and_drain_follow_orders() {
    let bench = Bench::with(vec![checked("a", 1), server("b", 2)]);
    let steps = [
        (
            AdminState::Drain,
            "DRAIN 1/3",
            vec![
                "enters drain state. 1 active and 0 backup servers online. 0 sessions \
          requeued, 0 total in queue.",
            ],
        ),
        (
            AdminState::Maint,
            "MAINT",
            vec![
                "is going DOWN for maintenance. 1 active and 0 backup servers left. 0 \
          sessions active, 0 requeued, 0 remaining in queue.",
            ],
        ),
        (AdminState::Maint, "MAINT", vec![]),
        (
            AdminState::Drain,
            "DRAIN 1/3",
            vec!["is UP/DRAIN (leaving forced maintenance).", "remains in forced drain mode."],
        ),
        (AdminState::Ready, "UP 1/3", vec!["is UP (leaving forced drain)."]),
        (
            AdminState::Maint,
            "MAINT",
            vec![
                "is going DOWN for maintenance. 1 active and 0 backup servers left. 0 \
          sessions active, 0 requeued, 0 remaining in queue.",
            ],
        ),
        (AdminState::Ready, "UP 1/3", vec!["is UP/READY (leaving forced maintenance)."]),
    ];
    for (order, status, expected) in steps {
        let expected: Vec<_> = expected.into_iter().map(|line| format!("Server be/a {line}")).collect();
        assert_eq!(bench.state(0, order), expected, "{order:?}");
        assert_eq!(bench.status(0), status);
    }
}

#[test]
fn drain_keeps_persistent_traffic_and_maintenance_does_not() {
    let bench = Bench::with(vec![server("a", 1), server("b", 2)]);
    let direct = |bench: &Bench| name(&leased(bench.acquire(Request::new().direct(ServerId(0))))).to_owned();
    let cell = bench.pool.server(ServerId(0)).unwrap();
    assert!(cell.takes_new());
    bench.state(0, AdminState::Drain);
    assert!((0..4).all(|_| name(&bench.lease()) == "b"));
    assert_eq!(direct(&bench), "a");
    assert!(cell.accepts_persistent() && !cell.takes_new());
    bench.state(0, AdminState::Maint);
    assert_eq!(direct(&bench), "b");
    let forced = Request { force: true, ..Request::new().direct(ServerId(0)) };
    assert_eq!(name(&leased(bench.acquire(forced))), "a");
}

#[test]
fn maintenance_of_a_server_that_is_down_ends_up() {
    let bench = Bench::with(vec![checked("a", 1), server("b", 2)]);
    bench.check(0, Status::L4Timeout);
    assert_eq!(bench.state(0, AdminState::Maint), ["Server be/a was DOWN and now enters maintenance."]);
    let paused = |bench: &Bench| {
        bench.pool.server_snapshots(bench.now)[0].check.as_ref().is_some_and(|check| check.paused)
    };
    assert!(paused(&bench));
    // Checks that were under way when it began no longer count.
    assert!(bench.check(0, Status::L4Ok).is_empty());
    assert_eq!(bench.state(0, AdminState::Ready), ["Server be/a is UP/READY (leaving forced maintenance)."]);
    assert!(bench.pool.is_checked(ServerId(0), CheckKind::Health) && !paused(&bench));
}

#[test]
fn weights_of_operators() {
    let bench = Bench::with(vec![ServerDef { weight: 3, ..server("a", 1) }]);
    let set = |text| bench.pool.set_weight(ServerId(0), text, bench.now);
    set("50%").unwrap();
    assert_eq!(bench.pool.server_snapshots(bench.now)[0].user_weight, 1);
    assert_eq!(lines(&set("0").unwrap()), ["backend be has no server available!"]);
    assert!(matches!(bench.acquire(Request::new()), Acquired::NoServer));
    assert_eq!(name(&leased(bench.acquire(Request::new().direct(ServerId(0))))), "a");
    assert!(set("x").is_err());
    let fixed = Bench::new(PoolDef::new("be", Algorithm::StaticRr, vec![server("a", 1)]));
    assert!(fixed.pool.set_weight(ServerId(0), "0%", fixed.now).is_ok());
    assert!(fixed.pool.set_weight(ServerId(0), "100%", fixed.now).is_ok());
    let refused = fixed.pool.set_weight(ServerId(0), "2", fixed.now).unwrap_err();
    assert!(refused.words().starts_with("Backend is using a static LB algorithm"));
    let first = Bench::new(PoolDef::new("be", Algorithm::First, vec![server("a", 1)]));
    assert!(first.pool.set_weight(ServerId(0), "2", first.now).is_ok());
    assert_eq!(bench.pool.set_weight(ServerId(7), "1", bench.now).unwrap_err().words(), "No such server.");
}

#[test]
fn forced_health() {
    let bench = Bench::with(vec![checked("a", 1), server("b", 2)]);
    let force =
        |health| bench.pool.set_health(ServerId(0), health, Origin::Cli, bench.now).map(|e| lines(&e));
    let down = force(ForcedHealth::Down).unwrap();
    assert!(down[0].starts_with("Server be/a is DOWN, changed from CLI. 1 active"), "{down:?}");
    assert_eq!(bench.status(0), "DOWN");
    assert!(force(ForcedHealth::Up).unwrap()[0].starts_with("Server be/a is UP, changed from CLI."));
    assert_eq!(bench.status(0), "UP");
    force(ForcedHealth::Stopping).unwrap();
    assert_eq!(bench.status(0), "NOLB");
    let refused = bench.pool.set_agent(ServerId(0), true, Origin::Cli, bench.now).unwrap_err();
    assert_eq!(refused.words(), "agent checks are not enabled on this server.");
}

#[test]
fn an_agent_changes_weight_limit_state_and_health() {
    let agent = ServerDef { agent: Some(CheckDef { rise: 1, fall: 1 }), weight: 10, ..checked("a", 1) };
    let bench = Bench::with(vec![agent, server("b", 2)]);
    bench.check(0, Status::L4Ok);
    assert!(bench.agent(0, "75%,maxconn:30").is_empty());
    let snapshot = |bench: &Bench| bench.pool.server_snapshots(bench.now).swap_remove(0);
    assert_eq!((snapshot(&bench).user_weight, snapshot(&bench).limit), (7, Some(30)));
    let down = bench.agent(0, "down # disk full");
    assert!(
        down[0].starts_with(
            "Server be/a is DOWN, reason: Layer7 wrong status, code: 0, info: \"via agent : down (disk full)\", \
             check duration: 1ms."
        ),
        "{down:?}"
    );
    assert_eq!(bench.status(0), "DOWN (agent)");
    // A good health check cannot undo what the agent said.
    assert!(bench.check(0, Status::L4Ok).is_empty());
    assert!(bench.agent(0, "up")[0].starts_with("Server be/a is UP, reason: Layer7 check passed"));
    bench.check(0, Status::L4Timeout);
    bench.check(0, Status::L4Timeout);
    bench.check(0, Status::L4Timeout);
    // Nor can the agent undo what the health check says.
    assert!(bench.agent(0, "up").is_empty());
    assert_eq!(bench.agent(0, "maint")[0], "Server be/a was DOWN and now enters maintenance.");
    assert_eq!(bench.agent(0, "ready")[0], "Server be/a is UP/READY (leaving forced maintenance).");
}

#[test]
fn observed_errors_end_in_a_failed_check() {
    let observe = ObserveDef { observe: Observe::Layer7, limit: 3, on_error: OnError::MarkDown };
    let bench = Bench::with(vec![ServerDef { observe: Some(observe), ..checked("a", 1) }, server("b", 2)]);
    bench.check(0, Status::L4Ok);
    let cell = bench.pool.server(ServerId(0)).unwrap();
    let see = |seen| bench.pool.observe(&cell, seen, bench.now);
    for _ in 0..2 {
        assert!(see(Observation::Response(500)).is_empty());
    }
    let events = see(Observation::Response(503));
    assert!(events.contains(&PoolEvent::CheckSooner { server: ServerId(0) }));
    assert!(
        lines(&events)[0].starts_with(
            "Server be/a is DOWN, reason: Health analyze, info: \"Detected 3 consecutive errors, last one was: \
             Wrong http response\". 1 active"
        ),
        "{:?}",
        lines(&events)
    );
}

#[test]
fn results_are_logged_on_request_and_reasons_not_twice() {
    let mut def = PoolDef::new("be", Algorithm::RoundRobin, vec![checked("a", 1), server("b", 2)]);
    def.log_health_checks = true;
    let bench = Bench::new(def);
    assert_eq!(
        bench.check(0, Status::L4Timeout),
        [
            "Health check for server be/a failed, reason: Layer4 timeout, check duration: 3ms, status: 0/2 DOWN.",
            "Server be/a is DOWN. 1 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in \
             queue."
        ]
    );
    assert!(bench.check(0, Status::L4Timeout).is_empty());
}

#[test]
fn the_initial_state_is_as_configured() {
    for (init_state, status) in [
        (InitState::Unset, "UP 1/3"),
        (InitState::FullyUp, "UP"),
        (InitState::Up, "UP 1/3"),
        (InitState::Down, "DOWN 1/2"),
        (InitState::FullyDown, "DOWN"),
    ] {
        let bench = Bench::with(vec![ServerDef { init_state, ..checked("a", 1) }]);
        assert_eq!(bench.status(0), status);
    }
    let bench = Bench::with(vec![ServerDef { disabled: true, ..checked("a", 1) }]);
    assert_eq!(bench.status(0), "MAINT");
    assert!(!bench.pool.is_checked(ServerId(0), CheckKind::Health));
    assert_eq!(bench.state(0, AdminState::Ready), ["Server be/a is UP/READY (leaving forced maintenance)."]);
}

#[test]
fn an_unresolved_name_is_maintenance_with_a_reason() {
    let named = ServerDef { hostname: Some("app.example".into()), ..server("a", 1) };
    let bench = Bench::with(vec![named, server("b", 2)]);
    let lose = |failure| lines(&bench.pool.lose_address(ServerId(0), failure, bench.now).unwrap());
    let place = |ip: [u8; 4]| std::net::SocketAddr::from((ip, 80));
    let find = |ip| lines(&bench.pool.set_address(ServerId(0), place(ip).into(), bench.now).unwrap());
    assert!(
        lose(ResolutionFailure::NxDomain)[0]
            .starts_with("Server be/a is going DOWN for maintenance (DNS NX status). 1 active")
    );
    assert_eq!((bench.status(0), bench.pool.address(ServerId(0))), ("MAINT (resolution)".to_owned(), None));
    bench.state(0, AdminState::Maint);
    let remains = "Server be/a ('app.example') resolves again but remains in maintenance.";
    assert_eq!(find([192, 0, 2, 1]), [remains]);
    bench.state(0, AdminState::Ready);
    lose(ResolutionFailure::Timeout);
    assert_eq!(find([192, 0, 2, 1]), ["Server be/a ('app.example') is UP/READY (resolves again)."]);
    let by = "r/one".into();
    let resolve = |ip| lines(&bench.pool.resolved(ServerId(0), place(ip), &by, bench.now).unwrap());
    let moved = "be/a: IP changed from '192.0.2.1' to '192.0.2.2' by 'r/one'.";
    assert_eq!(resolve([192, 0, 2, 2]), [moved]);
    assert!(resolve([192, 0, 2, 2]).is_empty());
    lose(ResolutionFailure::NoAddress);
    let again = [
        "be/a: IP changed from '(none)' to '192.0.2.2' by 'r/one'.",
        "Server be/a ('app.example') is UP/READY (resolves again).",
        "Server be/a administratively READY thanks to valid DNS answer.",
    ];
    assert_eq!(resolve([192, 0, 2, 2]), again);
}

#[test]
fn what_name_servers_said_outlives_a_new_definition_unless_the_name_is_new() {
    let named = |host: &str, ip: [u8; 4]| ServerDef {
        hostname: Some(host.into()),
        address: Some(std::net::SocketAddr::from((ip, 80)).into()),
        followed: true,
        ..server("a", 1)
    };
    let bench = Bench::with(vec![named("one.example", [192, 0, 2, 1])]);
    let (only, at) = (ServerId(0), |ip: [u8; 4]| std::net::SocketAddr::from((ip, 80)));
    bench.pool.resolved(only, at([192, 0, 2, 7]), &"r/one".into(), bench.now).unwrap();
    let reload = |def| {
        bench.pool.reconfigure(PoolDef::new("be", Algorithm::RoundRobin, vec![def]), bench.now).unwrap();
        (bench.pool.address(only).unwrap().inet().unwrap(), bench.pool.hostname(only).unwrap().to_string())
    };
    let one = reload(named("one.example", [192, 0, 2, 2]));
    assert_eq!(one, (at([192, 0, 2, 7]), "one.example".to_owned()));
    bench.pool.set_hostname(only, "two.example".into(), bench.now).unwrap();
    let two = reload(named("one.example", [192, 0, 2, 3]));
    assert_eq!(two, (at([192, 0, 2, 7]), "two.example".to_owned()));
    let three = reload(named("three.example", [192, 0, 2, 4]));
    assert_eq!(three, (at([192, 0, 2, 4]), "three.example".to_owned()));
}

#[test]
fn a_new_port_applies_to_the_address_that_name_servers_said() {
    let named = |port| ServerDef {
        hostname: Some("one.example".into()),
        port: Some(port),
        followed: true,
        ..server("a", 1)
    };
    let bench = Bench::with(vec![named(80)]);
    let (only, at) = (ServerId(0), |port| std::net::SocketAddr::from(([192, 0, 2, 7], port)));
    let reload = |port| {
        let def = PoolDef::new("be", Algorithm::RoundRobin, vec![named(port)]);
        bench.pool.reconfigure(def, bench.now).unwrap();
        bench.pool.address(only).and_then(|address| address.inet())
    };
    assert_eq!(reload(81), None);
    bench.pool.resolved(only, at(81), &"r/one".into(), bench.now).unwrap();
    assert_eq!(reload(8080), Some(at(8080)));
    bench.pool.set_address(only, at(9000).into(), bench.now).unwrap();
    assert_eq!(reload(8080), Some(at(9000)), "what an operator said outlives an unchanged port");
}

#[test]
fn a_definition_that_brings_an_address_ends_the_maintenance_of_an_unresolved_name() {
    let place = Some(std::net::SocketAddr::from(([192, 0, 2, 1], 80)).into());
    let named = |host: Option<&str>, followed| ServerDef {
        hostname: host.map(Into::into),
        address: place.clone(),
        followed,
        ..checked("a", 1)
    };
    let cases = [
        (named(Some("two.example"), true), "Server be/a ('two.example') is UP/READY (resolves again)."),
        (named(Some("one.example"), false), "Server be/a ('one.example') is UP/READY (resolves again)."),
        (named(None, false), "Server be/a is UP/READY (resolves again)."),
    ];
    for (next, line) in cases {
        let bench = Bench::with(vec![named(Some("one.example"), true)]);
        let only = ServerId(0);
        let reload = |def| {
            bench.pool.reconfigure(PoolDef::new("be", Algorithm::RoundRobin, vec![def]), bench.now).unwrap()
        };
        bench.pool.lose_address(only, ResolutionFailure::NxDomain, bench.now).unwrap();
        reload(named(Some("one.example"), true));
        assert_eq!((bench.status(0), bench.pool.address(only)), ("MAINT (resolution)".to_owned(), None));
        assert!(!bench.pool.is_checked(only, CheckKind::Health));
        let events = reload(next);
        assert!(lines(&events).iter().any(|said| said == line), "{:?}", lines(&events));
        assert_eq!((bench.status(0), bench.pool.address(only)), ("UP 1/3".to_owned(), place.clone()));
        assert!(bench.pool.is_checked(only, CheckKind::Health));
    }
}

#[test]
fn sessions_end_as_configured() {
    let doomed = ServerDef { shutdown_sessions: true, shutdown_backup_sessions: true, ..checked("a", 1) };
    let bench = Bench::with(vec![doomed, ServerDef { backup: true, ..server("b", 2) }]);
    let verdict = |status| {
        bench.pool.report_check(
            ServerId(0),
            CheckKind::Health,
            &Verdict::new(status),
            Duration::ZERO,
            bench.now,
        )
    };
    let events = verdict(Status::L4Timeout);
    assert!(events.contains(&PoolEvent::EndSessions { server: ServerId(0) }));
    assert!(lines(&events)[0].contains("0 active and 1 backup servers left. Running on backup."));
    verdict(Status::L4Ok);
    assert!(verdict(Status::L4Ok).contains(&PoolEvent::EndBackupSessions));
}
