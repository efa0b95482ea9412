//! Backup servers that serve when too little of a pool is left, and weights that checks give.

use super::*;
use crate::health::Weighing;

/// Two checked servers of 3 and 2, a sorry server, and a quorum.
fn bench(need: u64, hysteresis: u64) -> Bench {
    let one = |name: &str, id, share| {
        let mut server = checked(name, id);
        (server.share, server.weight) = (share, share);
        server.check = Some(CheckDef { rise: 1, fall: 1 });
        server
    };
    let mut sorry = server("sorry", 3);
    sorry.backup = true;
    let servers = vec![one("a", 1, 3), one("b", 2, 2), sorry];
    let mut def = PoolDef::new("be", Algorithm::RoundRobin, servers);
    def.quorum = Some(Quorum { need, hysteresis });
    Bench::new(def)
}

fn served(bench: &Bench) -> String {
    name(&bench.lease()).to_owned()
}

#[test]
fn the_sorry_server_serves_although_a_server_lives() {
    let bench = bench(4, 0);
    assert_ne!(served(&bench), "sorry");
    bench.check(1, Status::L4Timeout);
    assert_eq!((served(&bench), served(&bench)), ("sorry".into(), "sorry".into()));
    let kept = leased(bench.acquire(Request::new().direct(ServerId(0))));
    assert_eq!(name(&kept), "sorry", "persistence does not help");
    bench.check(1, Status::L4Ok);
    assert_ne!(served(&bench), "sorry");
}

#[test]
fn the_quorum_has_hysteresis() {
    let bench = bench(4, 1);
    bench.check(1, Status::L4Timeout);
    assert_eq!(served(&bench), "a", "3 is 4-1");
    bench.check(0, Status::L4Timeout);
    bench.check(1, Status::L4Ok);
    assert_eq!(served(&bench), "sorry", "2 is less");
    bench.check(1, Status::L4Timeout);
    bench.check(0, Status::L4Ok);
    assert_eq!(served(&bench), "sorry", "3 is less than 4+1");
    bench.check(1, Status::L4Ok);
    assert_ne!(served(&bench), "sorry");
}

#[test]
fn a_reload_judges_the_quorum_anew() {
    let bench = bench(2, 0);
    bench.check(0, Status::L4Timeout);
    assert_eq!(served(&bench), "b");
    let mut next = PoolDef::new("be", Algorithm::RoundRobin, Vec::new());
    next.servers = bench.pool.lock().slots.iter().map(|slot| slot.state.def.clone()).collect();
    next.quorum = Some(Quorum { need: 3, hysteresis: 0 });
    bench.pool.reconfigure(next.clone(), bench.now).unwrap();
    assert_eq!(served(&bench), "sorry");
    next.quorum = None;
    bench.pool.reconfigure(next, bench.now).unwrap();
    assert_eq!(served(&bench), "b");
}

#[test]
fn a_check_that_passes_sets_the_weight_and_what_it_counts() {
    let bench = bench(4, 0);
    let weigh = |status, weight, share| {
        let verdict = Verdict::new(status).with_weight(Weighing { weight, share });
        bench.pool.report_check(ServerId(1), CheckKind::Health, &verdict, Duration::ZERO, bench.now)
    };
    let events = weigh(Status::ProcessOk, 0, 0);
    assert!(events.contains(&PoolEvent::Changed { server: ServerId(1) }));
    assert_eq!(served(&bench), "sorry", "3 are left");
    assert!(weigh(Status::ProcessOk, 0, 0).is_empty(), "no news");
    weigh(Status::ProcessOk, 250, 1);
    let mut from_b = 0;
    for _ in 0..253 {
        from_b += u32::from(served(&bench) == "b");
    }
    assert_eq!(from_b, 250);
    assert!(!weigh(Status::ProcessError, 9, 9).is_empty());
    assert_eq!(bench.status(1), "DOWN");
}
