//! Tests of the pool as its users see it.

#![expect(clippy::disallowed_methods, reason = "any instant will do as the origin of virtual time")]

mod queueing;
mod quorum;
mod states;

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
    fn the_granted_part_of_a_weight_is_rounded_down_to_its_steps() {
        let slow =
            ServerDef { slowstart: Duration::from_secs(4), weight: 100, maxconn: 100, ..checked("slow", 1) };
        let mut bench = Bench::with(vec![slow]);
        bench.check(0, Status::L4Timeout);
        bench.check(0, Status::L4Ok);
        bench.check(0, Status::L4Ok);
        let mut seen = Vec::new();
        while let Some(at) = bench.pool.poll_timeout() {
            let snapshot = bench.pool.server_snapshots(bench.now).swap_remove(0);
            seen.push((snapshot.weight, snapshot.throttle));
            bench.now = at;
            bench.pool.handle_timeout(at);
        }
        seen.dedup();
        assert_eq!(seen, [(7, 6), (32, 31), (57, 56), (82, 81)]);
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
