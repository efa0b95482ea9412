//! Tests of the pool as its users see it.

#![expect(clippy::disallowed_methods, reason = "any instant will do as the origin of virtual time")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use super::*;
use crate::balance::{Algorithm, HashMethod, HashType};
use crate::health::{CheckKind, EventLevel, InitState, Observe, OnError, Status, Verdict};
use crate::stats::status::ServerStatus;

/// A pool on a clock of its own.
struct Bench {
    pool: Arc<Pool>,
    start: Instant,
    now: Instant,
}

impl Bench {
    fn new(def: PoolDef) -> Self {
        let start = Instant::now();
        Self { pool: Pool::new(def, start).unwrap(), start, now: start }
    }

    fn with(servers: Vec<ServerDef>) -> Self {
        Self::new(PoolDef::new("be", Algorithm::RoundRobin, servers))
    }

    fn pass(&mut self, duration: Duration) {
        self.now += duration;
    }

    fn acquire(&self, request: Request<'_>) -> Acquired {
        self.pool.acquire(self.now, &request)
    }

    fn lease(&self) -> Lease {
        leased(self.acquire(Request::new()))
    }

    fn queue(&self, request: Request<'_>) -> Ticket {
        match self.acquire(request) {
            Acquired::Queued(ticket) => ticket,
            other => panic!("expected a place in a queue, not {other:?}"),
        }
    }

    fn check(&self, server: u32, status: Status) -> Vec<String> {
        let verdict = Verdict::new(status);
        let took = Duration::from_millis(3);
        lines(&self.pool.report_check(ServerId(server), CheckKind::Health, &verdict, took, self.now))
    }

    fn agent(&self, server: u32, line: &str) -> Vec<String> {
        let mut verdict = Verdict::new(Status::Checked);
        verdict.info = line.into();
        let took = Duration::from_millis(1);
        lines(&self.pool.report_check(ServerId(server), CheckKind::Agent, &verdict, took, self.now))
    }

    fn state(&self, server: u32, state: AdminState) -> Vec<String> {
        lines(&self.pool.set_state(ServerId(server), state, self.now).unwrap())
    }

    fn status(&self, server: usize) -> String {
        self.pool.server_snapshots(self.now)[server].status.to_string()
    }
}

fn server(name: &str, id: u32) -> ServerDef {
    ServerDef::new(name, id)
}

fn limited(name: &str, id: u32, maxconn: u32) -> ServerDef {
    ServerDef { maxconn, ..server(name, id) }
}

fn checked(name: &str, id: u32) -> ServerDef {
    ServerDef { check: Some(CheckDef { rise: 2, fall: 3 }), ..server(name, id) }
}

fn leased(acquired: Acquired) -> Lease {
    match acquired {
        Acquired::Leased(lease) => lease,
        other => panic!("expected a slot, not {other:?}"),
    }
}

fn name(lease: &Lease) -> &str {
    lease.server().name().as_str()
}

fn taken(ticket: &mut Ticket) -> String {
    match ticket.try_take() {
        Some(Outcome::Leased(lease)) => {
            let name = name(&lease).to_owned();
            // The slot stays taken.
            std::mem::forget(lease);
            name
        }
        Some(Outcome::Evicted) => "evicted".into(),
        None => "waiting".into(),
    }
}

fn lines(events: &[PoolEvent]) -> Vec<String> {
    let line = |event: &PoolEvent| match event {
        PoolEvent::Log(event) => Some(event.to_string()),
        _ => None,
    };
    events.iter().filter_map(line).collect()
}

#[derive(Default)]
struct CountWakes(AtomicU32);

impl Wake for CountWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

mod queueing {
    use super::*;

    #[test]
    fn a_full_pool_queues_and_serves_in_order_of_arrival() {
        let mut bench = Bench::with(vec![limited("a", 1, 1), limited("b", 2, 1)]);
        let (a, b) = (bench.lease(), bench.lease());
        let mut first = bench.queue(Request::new());
        bench.pass(Duration::from_millis(1));
        let mut second = bench.queue(Request::new());
        assert_eq!(bench.pool.queued(), 2);
        drop(b);
        assert_eq!((taken(&mut first), taken(&mut second)), ("b".into(), "waiting".into()));
        drop(a);
        assert_eq!(taken(&mut second), "a");
        assert_eq!((first.position(), second.position()), (1, 2));
        assert_eq!(bench.pool.queued(), 0);
    }

    #[test]
    fn a_persistent_request_waits_for_its_own_server() {
        let bench = Bench::with(vec![limited("a", 1, 1), limited("b", 2, 1)]);
        let a = bench.lease();
        let mut own = bench.queue(Request::new().direct(ServerId(0)));
        assert_eq!(own.server().unwrap().name().as_str(), "a");
        assert_eq!(name(&bench.lease()), "b");
        assert_eq!(taken(&mut own), "waiting");
        drop(a);
        assert_eq!(taken(&mut own), "a");
    }

    #[test]
    fn the_earlier_of_both_queues_is_served_first_and_class_beats_time() {
        let mut bench = Bench::with(vec![limited("a", 1, 1)]);
        let lease = bench.lease();
        let mut common = bench.queue(Request::new());
        bench.pass(Duration::from_millis(5));
        let mut own = bench.queue(Request::new().direct(ServerId(0)));
        let mut urgent = bench.queue(Request::new().with_priority(-1, 0));
        let mut shifted = bench.queue(Request::new().with_priority(0, -1000));
        let mut order = Vec::new();
        drop(lease);
        for _ in 0..4 {
            for (label, ticket) in [
                ("common", &mut common),
                ("own", &mut own),
                ("urgent", &mut urgent),
                ("shifted", &mut shifted),
            ] {
                if let Some(Outcome::Leased(lease)) = ticket.try_take() {
                    order.push(label);
                    drop(lease);
                }
            }
        }
        assert_eq!(order, ["urgent", "shifted", "common", "own"]);
    }

    #[test]
    fn a_full_queue_refuses() {
        let bench = Bench::with(vec![ServerDef { maxqueue: 1, ..limited("a", 1, 1) }]);
        let _lease = bench.lease();
        let _waiting = bench.queue(Request::new().direct(ServerId(0)));
        let refused = bench.acquire(Request::new().direct(ServerId(0)));
        assert!(matches!(refused, Acquired::QueueFull(ServerId(0))));
        // The common queue has no limit.
        drop(bench.queue(Request::new()));
    }

    #[test]
    fn giving_up_leaves_the_queue_and_passes_a_granted_slot_on() {
        let bench = Bench::with(vec![limited("a", 1, 1)]);
        let lease = bench.lease();
        let first = bench.queue(Request::new());
        let second = bench.queue(Request::new());
        let mut third = bench.queue(Request::new());
        drop(first);
        drop(lease);
        // The second has been granted the slot by now, without knowing.
        assert_eq!(taken(&mut third), "waiting");
        drop(second);
        assert_eq!(taken(&mut third), "a");
        assert_eq!(bench.pool.server(ServerId(0)).unwrap().served().cur, 1);
    }

    #[test]
    fn a_waiting_task_is_woken_once() {
        let bench = Bench::with(vec![limited("a", 1, 1)]);
        let lease = bench.lease();
        let mut ticket = bench.queue(Request::new());
        let wakes = Arc::new(CountWakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let mut context = Context::from_waker(&waker);
        assert!(std::pin::Pin::new(&mut ticket).poll(&mut context).is_pending());
        drop(lease);
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        assert!(matches!(
            std::pin::Pin::new(&mut ticket).poll(&mut context),
            Poll::Ready(Outcome::Leased(_))
        ));
    }

    #[test]
    fn hashes_wait_for_the_server_of_their_key() {
        let mut def = PoolDef::new(
            "be",
            Algorithm::Hash,
            vec![limited("a", 1, 1), limited("b", 2, 1), limited("c", 3, 1)],
        );
        def.hash = HashType::of(HashMethod::Consistent);
        let bench = Bench::new(def);
        let key = || Request::new().with_key(Key::Bytes(b"x"));
        let lease = leased(bench.acquire(key()));
        let mut ticket = bench.queue(key());
        assert_eq!(ticket.server().as_ref().map(|server| server.name()), Some(lease.server().name()));
        drop(lease);
        assert_ne!(taken(&mut ticket), "waiting");
    }

    #[test]
    fn requests_waiting_for_a_server_in_maintenance_go_elsewhere() {
        let bench = Bench::with(vec![limited("a", 1, 1), server("b", 2)]);
        let _a = leased(bench.acquire(Request::new().direct(ServerId(0))));
        let mut ticket = bench.queue(Request::new().direct(ServerId(0)));
        let lines = bench.state(0, AdminState::Maint);
        assert_eq!(
            lines,
            [
                "Server be/a is going DOWN for maintenance. 1 active and 0 backup servers left. 1 sessions active, 1 \
              requeued, 0 remaining in queue."
            ]
        );
        assert_eq!(taken(&mut ticket), "evicted");
        assert_eq!(name(&leased(bench.acquire(Request::new().direct(ServerId(0))))), "b");
    }

    #[test]
    fn only_redispatch_moves_requests_away_from_a_server_that_fails() {
        for redispatch in [false, true] {
            let servers = vec![ServerDef { maxconn: 1, ..checked("a", 1) }, server("b", 2)];
            let mut def = PoolDef::new("be", Algorithm::RoundRobin, servers);
            def.redispatch = redispatch;
            let bench = Bench::new(def);
            let a = leased(bench.acquire(Request::new().direct(ServerId(0))));
            let mut ticket = bench.queue(Request::new().direct(ServerId(0)));
            bench.check(0, Status::L4Connection);
            if redispatch {
                assert_eq!(taken(&mut ticket), "evicted");
            } else {
                assert_eq!(taken(&mut ticket), "waiting");
                drop(a);
                assert_eq!(taken(&mut ticket), "a");
            }
        }
    }

    #[test]
    fn the_last_server_leaving_sends_everybody_away() {
        let bench = Bench::with(vec![ServerDef { maxconn: 1, ..checked("a", 1) }]);
        let _lease = bench.lease();
        let mut ticket = bench.queue(Request::new());
        let lines = bench.check(0, Status::L4Timeout);
        assert_eq!(lines[1], "backend be has no server available!");
        assert_eq!(taken(&mut ticket), "evicted");
        assert!(matches!(bench.acquire(Request::new()), Acquired::NoServer));
    }

    #[test]
    fn a_server_that_comes_up_takes_what_waits() {
        let bench = Bench::with(vec![limited("a", 1, 1), ServerDef { maxconn: 2, ..checked("b", 2) }]);
        bench.check(1, Status::L4Timeout);
        let _a = bench.lease();
        let mut tickets = [(); 3].map(|()| bench.queue(Request::new()));
        bench.check(1, Status::L4Ok);
        let lines = bench.check(1, Status::L4Ok);
        assert_eq!(
            lines,
            [
                "Server be/b is UP, reason: Layer4 check passed, check duration: 3ms. 2 active and 0 backup servers \
              online. 2 sessions requeued, 0 total in queue."
            ]
        );
        assert_eq!(tickets.each_mut().map(taken), ["b", "b", "waiting"]);
    }

    #[test]
    fn requests_waiting_for_active_servers_are_served_by_backups_when_those_are_gone() {
        let bench = Bench::with(vec![limited("a", 1, 1), ServerDef { backup: true, ..limited("b", 2, 1) }]);
        let _a = bench.lease();
        let mut ticket = bench.queue(Request::new());
        bench.state(0, AdminState::Maint);
        assert_eq!(taken(&mut ticket), "b");
    }

    #[test]
    fn backup_servers_do_not_serve_the_common_queue_while_others_can() {
        let bench = Bench::with(vec![limited("a", 1, 1), ServerDef { backup: true, ..limited("b", 2, 1) }]);
        let a = bench.lease();
        let b = leased(bench.acquire(Request::new().direct(ServerId(1))));
        let mut ticket = bench.queue(Request::new());
        drop(b);
        assert_eq!(taken(&mut ticket), "waiting");
        drop(a);
        assert_eq!(taken(&mut ticket), "a");
    }
}

mod limits {
    use super::*;

    #[test]
    fn a_dynamic_limit_follows_the_sessions_of_the_pool() {
        let mut def =
            PoolDef::new("be", Algorithm::RoundRobin, vec![ServerDef { minconn: 2, ..limited("a", 1, 10) }]);
        def.fullconn = 20;
        let bench = Bench::new(def);
        let mut visits: Vec<_> = (0..4).map(|_| bench.pool.visit(bench.now)).collect();
        let _leases = [bench.lease(), bench.lease()];
        let mut ticket = bench.queue(Request::new());
        // With 6 of 20 sessions the limit is 3 of 10, which somebody notices with the next change.
        visits.extend((0..2).map(|_| bench.pool.visit(bench.now)));
        let third = leased(bench.acquire(Request::new().direct(ServerId(0))));
        drop(third);
        assert_eq!(taken(&mut ticket), "a");
        assert!(matches!(bench.acquire(Request::new()), Acquired::Queued(_)));
        visits.extend((0..14).map(|_| bench.pool.visit(bench.now)));
        assert_eq!(bench.pool.sessions(), 20);
        let _more: Vec<_> =
            (0..7).map(|_| leased(bench.acquire(Request::new().direct(ServerId(0))))).collect();
        assert!(matches!(bench.acquire(Request::new()), Acquired::Queued(_)));
    }

    #[test]
    fn a_slow_start_ramps_weight_and_limit() {
        let slow = ServerDef { slowstart: Duration::from_secs(10), maxconn: 100, ..checked("slow", 1) };
        let mut bench = Bench::with(vec![slow, server("b", 2)]);
        // Never at process start.
        assert_eq!(bench.pool.poll_timeout(), None);
        bench.check(0, Status::L4Timeout);
        bench.pass(Duration::from_secs(60));
        bench.check(0, Status::L4Ok);
        bench.check(0, Status::L4Ok);
        assert_eq!(bench.pool.server(ServerId(0)).unwrap().op(), OpState::Starting);
        let snapshot = |bench: &Bench| bench.pool.server_snapshots(bench.now).swap_remove(0);
        assert_eq!((snapshot(&bench).throttle, snapshot(&bench).downtime), (7, 60));
        let first = leased(bench.acquire(Request::new().direct(ServerId(0))));
        assert!(matches!(bench.acquire(Request::new().direct(ServerId(0))), Acquired::Queued(_)));
        drop(first);
        let mut events = Vec::new();
        while let Some(at) = bench.pool.poll_timeout() {
            bench.now = at;
            events.extend(bench.pool.handle_timeout(at));
            if bench.now == bench.start + Duration::from_secs(65) {
                assert_eq!(snapshot(&bench).throttle, 57);
            }
        }
        assert_eq!(bench.now, bench.start + Duration::from_secs(70));
        assert_eq!(bench.pool.server(ServerId(0)).unwrap().op(), OpState::Running);
        assert_eq!(snapshot(&bench).throttle, 100);
        assert!(lines(&events)[0].starts_with("Server be/slow is UP. 2 active"));
    }

    #[test]
    fn a_new_limit_lets_waiting_requests_in() {
        let bench = Bench::with(vec![limited("a", 1, 1)]);
        let _lease = bench.lease();
        let mut tickets = [(); 3].map(|()| bench.queue(Request::new()));
        bench.pool.set_maxconn(ServerId(0), "3", bench.now).unwrap();
        assert_eq!(tickets.each_mut().map(taken), ["a", "a", "waiting"]);
    }
}

mod states {
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
            lines[0]
                .starts_with("Server be/a is stopping, reason: Layer7 check conditionally passed, code: 0")
        );
        assert_eq!(bench.status(0), "NOLB");
        assert!((0..4).all(|_| name(&bench.lease()) == "b"));
        assert_eq!(name(&leased(bench.acquire(Request::new().direct(ServerId(0))))), "a");
        // Going down from here is no longer worth an alert.
        for _ in 0..2 {
            bench.check(0, Status::L4Timeout);
        }
        let verdict = Verdict::new(Status::L4Timeout);
        let events =
            bench.pool.report_check(ServerId(0), CheckKind::Health, &verdict, Duration::ZERO, bench.now);
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
        let direct =
            |bench: &Bench| name(&leased(bench.acquire(Request::new().direct(ServerId(0))))).to_owned();
        bench.state(0, AdminState::Drain);
        assert!((0..4).all(|_| name(&bench.lease()) == "b"));
        assert_eq!(direct(&bench), "a");
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
        // Checks that were under way when it began no longer count.
        assert!(bench.check(0, Status::L4Ok).is_empty());
        assert_eq!(
            bench.state(0, AdminState::Ready),
            ["Server be/a is UP/READY (leaving forced maintenance)."]
        );
        assert!(bench.pool.is_checked(ServerId(0), CheckKind::Health));
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
        assert_eq!(
            bench.pool.set_weight(ServerId(7), "1", bench.now).unwrap_err().words(),
            "No such server."
        );
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
        let bench =
            Bench::with(vec![ServerDef { observe: Some(observe), ..checked("a", 1) }, server("b", 2)]);
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
        assert_eq!(
            bench.state(0, AdminState::Ready),
            ["Server be/a is UP/READY (leaving forced maintenance)."]
        );
    }

    #[test]
    fn an_unresolved_name_is_maintenance_with_a_reason() {
        let named = ServerDef { hostname: Some("app.example".into()), ..server("a", 1) };
        let bench = Bench::with(vec![named, server("b", 2)]);
        let resolve = |failure| lines(&bench.pool.set_resolution(ServerId(0), failure, bench.now).unwrap());
        assert!(
            resolve(Some(ResolutionFailure::NxDomain))[0]
                .starts_with("Server be/a is going DOWN for maintenance (DNS NX status). 1 active")
        );
        assert_eq!(bench.status(0), "MAINT (resolution)");
        bench.state(0, AdminState::Maint);
        assert_eq!(resolve(None), ["Server be/a ('app.example') resolves again but remains in maintenance."]);
        bench.state(0, AdminState::Ready);
        resolve(Some(ResolutionFailure::Timeout));
        assert_eq!(resolve(None), ["Server be/a ('app.example') is UP/READY (resolves again)."]);
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
}

mod tracking {
    use super::*;

    fn follower(name: &str, id: u32, lead: &str) -> ServerDef {
        ServerDef { track: Some(TrackDef::new(None, lead)), ..server(name, id) }
    }

    #[test]
    fn followers_share_every_state_of_their_lead() {
        let bench = Bench::with(vec![checked("lead", 1), follower("f", 2, "lead"), follower("g", 3, "f")]);
        let statuses = |bench: &Bench| [0, 1, 2].map(|server| bench.status(server));
        assert_eq!(statuses(&bench), ["UP 1/3"; 3]);
        let down = bench.check(0, Status::L4Timeout);
        assert_eq!(statuses(&bench), ["DOWN"; 3]);
        assert!(down[1].starts_with("Server be/f is DOWN via be/lead. 1 active"), "{down:?}");
        assert!(down[2].starts_with("Server be/g is DOWN via be/f. 0 active"), "{down:?}");
        bench.check(0, Status::L4Ok);
        assert_eq!(statuses(&bench), ["DOWN 1/2"; 3]);
        bench.check(0, Status::L4Ok);
        assert_eq!(statuses(&bench), ["UP"; 3]);
        bench.state(0, AdminState::Drain);
        assert_eq!(statuses(&bench), ["DRAIN"; 3]);
        let maint = bench.state(0, AdminState::Maint);
        assert!(maint[1].starts_with("Server be/f is going DOWN for maintenance via be/lead."), "{maint:?}");
        assert_eq!(statuses(&bench), ["MAINT", "MAINT (via be/lead)", "MAINT (via be/f)"]);
        let ready = bench.state(0, AdminState::Ready);
        assert_eq!(ready[1], "Server be/f is UP/READY (leaving maintenance).");
        assert_eq!(statuses(&bench), ["UP 1/3"; 3]);
    }

    #[test]
    fn a_follower_can_be_in_maintenance_of_its_own() {
        let bench = Bench::with(vec![checked("lead", 1), follower("f", 2, "lead")]);
        bench.state(1, AdminState::Maint);
        bench.state(0, AdminState::Maint);
        assert_eq!(bench.state(0, AdminState::Ready)[1], "Server be/f remains in forced maintenance.");
        assert_eq!(bench.status(1), "MAINT");
        let refused =
            bench.pool.set_health(ServerId(1), ForcedHealth::Up, Origin::Cli, bench.now).unwrap_err();
        assert_eq!(refused.words(), "cannot change health on a tracking server.");
    }

    #[test]
    fn a_server_of_another_pool_can_be_followed() {
        let lead = Bench::with(vec![checked("lead", 1)]);
        let track = Some(TrackDef::new(Some("be".into()), "lead"));
        let def = PoolDef::new("other", Algorithm::RoundRobin, vec![ServerDef { track, ..server("f", 1) }]);
        let other = Bench::new(def);
        assert_eq!(other.pool.foreign_tracks().len(), 1);
        other.pool.follow(ServerId(0), lead.pool.lead(ServerId(0)).unwrap(), other.now);
        lead.check(0, Status::L4Timeout);
        let events = other.pool.follow(ServerId(0), lead.pool.lead(ServerId(0)).unwrap(), other.now);
        assert!(lines(&events)[0].starts_with("Server other/f is DOWN via be/lead. 0 active"));
        assert_eq!(other.status(0), "DOWN");
    }

    #[test]
    fn circles_and_unknown_leads_are_refused() {
        let new = |servers| {
            Pool::new(PoolDef::new("be", Algorithm::RoundRobin, servers), Instant::now()).map(|_| ())
        };
        let circle = new(vec![follower("a", 1, "b"), follower("b", 2, "a")]);
        assert!(matches!(circle, Err(PoolError::TrackLoop(_))));
        assert!(matches!(new(vec![follower("a", 1, "x")]), Err(PoolError::UnknownTrack { .. })));
        assert!(matches!(new(vec![server("a", 1), server("a", 2)]), Err(PoolError::DuplicateName(_))));
    }
}

mod reload {
    use super::*;

    fn reload(bench: &Bench, servers: Vec<ServerDef>) -> Vec<PoolEvent> {
        bench.pool.reconfigure(PoolDef::new("be", Algorithm::RoundRobin, servers), bench.now).unwrap()
    }

    #[test]
    fn servers_keep_their_state_by_name() {
        let bench = Bench::with(vec![checked("a", 1), checked("b", 2)]);
        bench.check(0, Status::L4Timeout);
        bench.check(1, Status::L4Ok);
        let lease = bench.lease();
        reload(&bench, vec![checked("b", 2), server("new", 3), checked("a", 1)]);
        assert_eq!([0, 1, 2].map(|server| bench.status(server)), ["UP", "no check", "DOWN"]);
        assert_eq!(lease.server().id(), Some(ServerId(0)));
        assert_eq!(bench.pool.server_snapshots(bench.now)[0].sessions.cur, 1);
        drop(lease);
        assert_eq!(bench.pool.server_snapshots(bench.now)[0].sessions.cur, 0);
    }

    #[test]
    fn run_time_changes_survive_unless_the_file_changes_the_same_thing() {
        let heavy = |weight, maxconn| ServerDef { weight, ..limited("a", 1, maxconn) };
        let bench = Bench::with(vec![heavy(10, 5)]);
        bench.pool.set_weight(ServerId(0), "3", bench.now).unwrap();
        bench.pool.set_maxconn(ServerId(0), "7", bench.now).unwrap();
        bench.state(0, AdminState::Drain);
        let settings = |bench: &Bench| {
            let snapshot = bench.pool.server_snapshots(bench.now).swap_remove(0);
            (snapshot.user_weight, snapshot.limit, snapshot.status)
        };
        reload(&bench, vec![heavy(10, 5)]);
        assert_eq!(settings(&bench), (3, Some(7), ServerStatus::Drain));
        reload(&bench, vec![heavy(20, 5)]);
        assert_eq!(settings(&bench), (20, Some(7), ServerStatus::Drain));
        reload(&bench, vec![heavy(20, 6)]);
        assert_eq!(settings(&bench), (20, Some(6), ServerStatus::Drain));
    }

    #[test]
    fn requests_waiting_for_a_removed_server_go_elsewhere() {
        let bench = Bench::with(vec![limited("a", 1, 1), limited("b", 2, 1)]);
        let a = leased(bench.acquire(Request::new().direct(ServerId(0))));
        let b = leased(bench.acquire(Request::new().direct(ServerId(1))));
        let mut own = bench.queue(Request::new().direct(ServerId(0)));
        let mut common = bench.queue(Request::new());
        reload(&bench, vec![limited("b", 2, 1)]);
        assert_eq!((taken(&mut own), taken(&mut common)), ("evicted".into(), "waiting".into()));
        assert!(!a.server().accepts_persistent() && a.server().id().is_none());
        drop(a);
        assert_eq!(taken(&mut common), "waiting");
        drop(b);
        assert_eq!(taken(&mut common), "b");
        assert_eq!(bench.pool.queued(), 0);
    }

    #[test]
    fn more_room_after_a_reload_is_used() {
        let bench = Bench::with(vec![limited("a", 1, 1)]);
        let _lease = bench.lease();
        let mut tickets = [(); 2].map(|()| bench.queue(Request::new()));
        reload(&bench, vec![limited("a", 1, 1), limited("b", 2, 1)]);
        assert_eq!(tickets.each_mut().map(taken), ["b", "waiting"]);
    }

    #[test]
    fn an_unchanged_reload_does_not_disturb_the_turns() {
        let servers = || vec![server("a", 1), server("b", 2), server("c", 3)];
        let bench = Bench::with(servers());
        assert_eq!(name(&bench.lease()), "a");
        reload(&bench, servers());
        assert_eq!((name(&bench.lease()).to_owned(), name(&bench.lease())), ("b".into(), "c"));
    }

    #[test]
    fn disabling_in_the_file_works_both_ways() {
        let bench = Bench::with(vec![checked("a", 1), server("b", 2)]);
        reload(&bench, vec![ServerDef { disabled: true, ..checked("a", 1) }, server("b", 2)]);
        assert_eq!(bench.status(0), "MAINT");
        reload(&bench, vec![checked("a", 1), server("b", 2)]);
        assert_eq!(bench.status(0), "UP 1/3");
    }

    #[test]
    fn a_bad_definition_changes_nothing() {
        let bench = Bench::with(vec![server("a", 1)]);
        let bad = PoolDef::new("be", Algorithm::RoundRobin, vec![server("x", 1), server("x", 2)]);
        assert!(bench.pool.reconfigure(bad, bench.now).is_err());
        assert_eq!(name(&bench.lease()), "a");
    }

    #[test]
    fn an_emptied_pool_says_so() {
        let bench = Bench::with(vec![server("a", 1)]);
        let events = reload(&bench, vec![ServerDef { disabled: true, ..server("a", 1) }]);
        assert!(events.contains(&PoolEvent::Emptied));
        assert!(reload(&bench, vec![server("a", 1)]).contains(&PoolEvent::Recovered));
    }
}

#[test]
fn the_backend_is_summed_up() {
    let mut bench = Bench::with(vec![ServerDef { weight: 3, ..checked("a", 1) }, server("b", 2)]);
    let visit = bench.pool.visit(bench.now);
    let _lease = leased(visit.acquire(bench.now, &Request::new()));
    bench.pass(Duration::from_secs(4));
    let snapshot = bench.pool.backend_snapshot(bench.now);
    assert_eq!((snapshot.weight, snapshot.user_weight, snapshot.active, snapshot.backups), (4, 4, 2, 0));
    assert_eq!((snapshot.sessions.cur, snapshot.last_session, snapshot.last_change), (1, Some(4), 4));
    assert_eq!((snapshot.counts.sessions, snapshot.counts.balanced, snapshot.downtime), (1, 1, Some(0)));
    drop(visit);
    bench.check(0, Status::L4Timeout);
    bench.pool.set_state(ServerId(1), AdminState::Drain, bench.now).unwrap();
    bench.pass(Duration::from_secs(6));
    let snapshot = bench.pool.backend_snapshot(bench.now);
    assert_eq!((snapshot.up, snapshot.weight, snapshot.downtime), (false, 0, Some(6)));
    bench.pool.clear_counters(true);
    assert_eq!(bench.pool.backend_snapshot(bench.now).counts.balanced, 0);
}

#[test]
fn servers_are_found_by_name_id_and_cookie() {
    let bench = Bench::with(vec![server("a", 7), ServerDef { cookie: Some("B".into()), ..server("b", 9) }]);
    assert_eq!(bench.pool.by_name("b"), Some(ServerId(1)));
    assert_eq!(bench.pool.by_id(7), Some(ServerId(0)));
    assert_eq!(bench.pool.by_cookie("B"), Some(ServerId(1)));
    assert_eq!(bench.pool.by_cookie("x"), None);
}
