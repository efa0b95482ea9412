//! Queues: order, limits, giving up, and servers that come and go meanwhile.

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
    // It is in the server's queue, and not in the one of the pool.
    assert_eq!((bench.pool.queued(), bench.pool.backend_snapshot(bench.now).queue.max), (1, 0));
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
        for (label, ticket) in
            [("common", &mut common), ("own", &mut own), ("urgent", &mut urgent), ("shifted", &mut shifted)]
        {
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
    assert!(matches!(std::pin::Pin::new(&mut ticket).poll(&mut context), Poll::Ready(Outcome::Leased(_))));
}

#[test]
fn hashes_wait_for_the_server_of_their_key() {
    let mut def =
        PoolDef::new("be", Algorithm::Hash, vec![limited("a", 1, 1), limited("b", 2, 1), limited("c", 3, 1)]);
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
