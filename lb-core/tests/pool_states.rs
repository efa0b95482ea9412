//! A session at the control socket of HAProxy 3.4, order by order, and the same session here: states and log lines must
//! be the same. Two pools, where one server of the second follows one of the first that follows another.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "any instant will do as the origin of virtual time")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use lb_core::balance::{Algorithm, ServerId};
use lb_core::pool::{
    AdminState, CheckDef, ForcedHealth, Origin, Pool, PoolDef, PoolEvent, Refused, ServerDef, TrackDef,
};

/// The two pools on one clock, wired up as an engine would.
struct Session {
    t: Arc<Pool>,
    u: Arc<Pool>,
    now: Instant,
}

const A: ServerId = ServerId(0);

impl Session {
    fn new() -> Self {
        let now = Instant::now();
        let server = |name: &str, id| ServerDef::new(name, id);
        let mut a = server("a", 1);
        a.weight = 10;
        a.slowstart = Duration::from_secs(3);
        a.check = Some(CheckDef { rise: 2, fall: 3 });
        let mut b = server("b", 2);
        b.weight = 0;
        let mut c = server("c", 3);
        (c.weight, c.disabled) = (5, true);
        let mut d = server("d", 4);
        (d.weight, d.track) = (5, Some(TrackDef::new(Some("t".into()), "a")));
        let mut z = server("z", 1);
        (z.weight, z.track) = (5, Some(TrackDef::new(Some("t".into()), "d")));
        let mut t = PoolDef::new("t", Algorithm::DEFAULT, vec![a, b, c, d]);
        t.label = "proxy";
        let u = PoolDef::new("u", Algorithm::DEFAULT, vec![z]);
        let session = Self { t: Pool::new(t, now).unwrap(), u: Pool::new(u, now).unwrap(), now };
        session.carry_over(&[PoolEvent::Changed { server: ServerId(3) }]);
        session
    }

    /// Lets the second pool follow what happened in the first. Returns its lines.
    fn carry_over(&self, events: &[PoolEvent]) -> Vec<String> {
        let mut lines = Vec::new();
        for (follower, track) in self.u.foreign_tracks() {
            let lead = self.t.by_name(track.server.as_str()).unwrap();
            if events.contains(&PoolEvent::Changed { server: lead }) {
                let state = self.t.lead(lead).unwrap();
                lines.extend(logged(&self.u.follow(follower, state, self.now)));
            }
        }
        lines
    }

    fn order(&self, events: Result<Vec<PoolEvent>, Refused>) -> Vec<String> {
        let events = events.unwrap();
        let mut lines = logged(&events);
        lines.extend(self.carry_over(&events));
        lines
    }

    fn state(&self, state: AdminState) -> Vec<String> {
        self.order(self.t.set_state(A, state, self.now))
    }

    fn health(&self, health: ForcedHealth) -> Vec<String> {
        self.order(self.t.set_health(A, health, Origin::Cli, self.now))
    }

    fn sleep(&mut self, ms: u64) -> Vec<String> {
        self.now += Duration::from_millis(ms);
        let mut lines = Vec::new();
        while self.t.poll_timeout().is_some_and(|at| at <= self.now) {
            lines.extend(logged(&self.t.handle_timeout(self.now)));
        }
        lines
    }

    /// State and weight of every server and pool, as in `show stat`.
    fn show(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for pool in [&self.t, &self.u] {
            for server in pool.server_snapshots(self.now) {
                lines.push(format!("{}/{} {} w={}", pool.name(), server.name, server.status, server.weight));
            }
            let backend = pool.backend_snapshot(self.now);
            let state = if backend.up { "UP" } else { "DOWN" };
            lines.push(format!("{}/BACKEND {state} w={}", pool.name(), backend.weight));
        }
        lines
    }

    #[track_caller]
    fn assert_shows(&self, expected: &str) {
        let expected: Vec<_> = expected.trim_end_matches("; ").split("; ").collect();
        assert_eq!(self.show(), expected);
    }
}

fn logged(events: &[PoolEvent]) -> Vec<String> {
    let line = |event: &PoolEvent| match event {
        PoolEvent::Log(event) => Some(event.to_string()),
        _ => None,
    };
    events.iter().filter_map(line).collect()
}

#[test]
fn maintenance_and_slow_start() {
    let mut session = Session::new();
    let going_down = "is going DOWN for maintenance";
    let left = "0 sessions active, 0 requeued, 0 remaining in queue.";
    assert_eq!(
        session.state(AdminState::Maint),
        [
            format!("Server t/a {going_down}. 1 active and 0 backup servers left. {left}"),
            format!("Server t/d {going_down} via t/a. 0 active and 0 backup servers left. {left}"),
            "proxy t has no server available!".into(),
            format!("Server u/z {going_down} via t/d. 0 active and 0 backup servers left. {left}"),
            "backend u has no server available!".into(),
        ]
    );
    session.assert_shows(
        "t/a MAINT w=10; t/b no check w=0; t/c MAINT w=5; t/d MAINT (via t/a) w=5; t/BACKEND DOWN w=0; \
         u/z MAINT (via t/d) w=5; u/BACKEND DOWN w=0",
    );
    assert_eq!(
        session.state(AdminState::Ready),
        [
            "Server t/a is UP/READY (leaving forced maintenance).",
            "Server t/d is UP/READY (leaving maintenance).",
            "Server u/z is UP/READY (leaving maintenance).",
        ]
    );
    session.assert_shows(
        "t/a UP 1/3 w=1; t/b no check w=0; t/c MAINT w=5; t/d UP 1/3 w=5; t/BACKEND UP w=6; u/z UP 1/3 w=5; \
         u/BACKEND UP w=5",
    );
    assert!(session.sleep(2000).is_empty());
    session.assert_shows(
        "t/a UP 1/3 w=7; t/b no check w=0; t/c MAINT w=5; t/d UP 1/3 w=5; t/BACKEND UP w=12; u/z UP 1/3 w=5; \
         u/BACKEND UP w=5",
    );
    assert_eq!(
        session.sleep(2000),
        ["Server t/a is UP. 2 active and 0 backup servers online. 0 sessions requeued, 0 total in queue."]
    );
    session.assert_shows(
        "t/a UP 1/3 w=10; t/b no check w=0; t/c MAINT w=5; t/d UP 1/3 w=5; t/BACKEND UP w=15; u/z UP 1/3 w=5; \
         u/BACKEND UP w=5",
    );
}

#[test]
fn drain_with_maintenance_in_between() {
    let session = Session::new();
    let online = "0 sessions requeued, 0 total in queue.";
    let left = "0 sessions active, 0 requeued, 0 remaining in queue.";
    assert_eq!(
        session.state(AdminState::Drain),
        [
            format!("Server t/a enters drain state. 1 active and 0 backup servers online. {online}"),
            format!("Server t/d enters drain state via t/a. 0 active and 0 backup servers online. {online}"),
            "proxy t has no server available!".into(),
            format!("Server u/z enters drain state via t/d. 0 active and 0 backup servers online. {online}"),
            "backend u has no server available!".into(),
        ]
    );
    session.assert_shows(
        "t/a DRAIN 1/3 w=10; t/b no check w=0; t/c MAINT w=5; t/d DRAIN 1/3 w=5; t/BACKEND DOWN w=0; \
         u/z DRAIN 1/3 w=5; u/BACKEND DOWN w=0",
    );
    assert_eq!(
        session.state(AdminState::Maint),
        [
            format!("Server t/a is going DOWN for maintenance. 0 active and 0 backup servers left. {left}"),
            format!(
                "Server t/d is going DOWN for maintenance via t/a. 0 active and 0 backup servers left. {left}"
            ),
            format!(
                "Server u/z is going DOWN for maintenance via t/d. 0 active and 0 backup servers left. {left}"
            ),
        ]
    );
    assert_eq!(
        session.state(AdminState::Drain),
        [
            "Server t/a is UP/DRAIN (leaving forced maintenance).",
            "Server t/a remains in forced drain mode.",
            "Server t/d is UP/DRAIN (leaving maintenance).",
            "Server t/d remains in drain mode via t/a.",
            "Server u/z is UP/DRAIN (leaving maintenance).",
            "Server u/z remains in drain mode via t/d.",
        ]
    );
    assert_eq!(
        session.state(AdminState::Ready),
        [
            "Server t/a is UP (leaving forced drain).",
            "Server t/d is UP (leaving drain) via t/a.",
            "Server u/z is UP (leaving drain) via t/d.",
        ]
    );
}

#[test]
fn forced_health() {
    let session = Session::new();
    let online = "0 sessions requeued, 0 total in queue.";
    let left = "0 sessions active, 0 requeued, 0 remaining in queue.";
    assert_eq!(
        session.health(ForcedHealth::Down),
        [
            format!("Server t/a is DOWN, changed from CLI. 1 active and 0 backup servers left. {left}"),
            format!("Server t/d is DOWN via t/a. 0 active and 0 backup servers left. {left}"),
            "proxy t has no server available!".into(),
            format!("Server u/z is DOWN via t/d. 0 active and 0 backup servers left. {left}"),
            "backend u has no server available!".into(),
        ]
    );
    session.assert_shows(
        "t/a DOWN w=10; t/b no check w=0; t/c MAINT w=5; t/d DOWN w=5; t/BACKEND DOWN w=0; u/z DOWN w=5; \
         u/BACKEND DOWN w=0",
    );
    assert_eq!(
        session.health(ForcedHealth::Up),
        [
            format!("Server t/a is UP, changed from CLI. 1 active and 0 backup servers online. {online}"),
            format!("Server t/d is UP via t/a. 2 active and 0 backup servers online. {online}"),
            format!("Server u/z is UP via t/d. 1 active and 0 backup servers online. {online}"),
        ]
    );
    session.assert_shows(
        "t/a UP w=1; t/b no check w=0; t/c MAINT w=5; t/d UP w=5; t/BACKEND UP w=6; u/z UP w=5; u/BACKEND UP w=5",
    );
    assert_eq!(
        session.health(ForcedHealth::Stopping),
        [
            format!(
                "Server t/a is stopping, changed from CLI. 1 active and 0 backup servers online. {online}"
            ),
            format!("Server t/d is stopping via t/a. 0 active and 0 backup servers online. {online}"),
            "proxy t has no server available!".into(),
            format!("Server u/z is stopping via t/d. 0 active and 0 backup servers online. {online}"),
            "backend u has no server available!".into(),
        ]
    );
    session.assert_shows(
        "t/a NOLB w=1; t/b no check w=0; t/c MAINT w=5; t/d NOLB w=5; t/BACKEND DOWN w=0; u/z NOLB w=5; \
         u/BACKEND DOWN w=0",
    );
}
