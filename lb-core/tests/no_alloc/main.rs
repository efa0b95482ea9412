//! Finding a server, occupying a slot and giving it back allocate nothing, whatever the algorithm; nor does waiting, once
//! the tables have grown to the usual number of waiting requests.

#![expect(clippy::disallowed_methods, reason = "any instant will do as the origin of virtual time")]

mod expr;
mod sys;

use std::time::{Duration, Instant};

use lb_core::balance::{Algorithm, HashMethod, HashType, Key, ServerEvent, ServerId};
use lb_core::balance::{Definition, Member, PickKey};
use lb_core::pool::{Acquired, Pool, PoolDef, Request, ServerDef};
use lb_core::rng::Rng;

#[global_allocator]
static ALLOCATOR: sys::Counting = sys::Counting;

fn allocations_of(work: impl FnOnce()) -> u64 {
    let before = sys::allocations();
    work();
    sys::allocations() - before
}

fn algorithms() -> [Algorithm; 7] {
    [
        Algorithm::RoundRobin,
        Algorithm::StaticRr,
        Algorithm::LeastConn,
        Algorithm::First,
        Algorithm::DEFAULT,
        Algorithm::Hash,
        Algorithm::Sticky,
    ]
}

#[test]
fn the_counter_counts() {
    assert!(allocations_of(|| drop(std::hint::black_box(vec![1, 2, 3]))) > 0);
}

#[test]
fn choosing_a_server_allocates_nothing() {
    for algorithm in algorithms() {
        for method in [HashMethod::MapBased, HashMethod::Consistent] {
            let members = (1..=50).map(|id| Member::new(id, id % 7 + 1)).collect();
            let mut definition = Definition::new(algorithm.clone(), members);
            definition.hash = HashType::of(method);
            let mut balancer = definition.build(Rng::new(0)).unwrap();
            balancer.pick(PickKey::new());
            let count = allocations_of(|| {
                for key in 0..10_000u32 {
                    let key = PickKey::new().with_key(Key::Hashed(key)).avoiding(Some(ServerId(key % 50)));
                    let server = balancer.pick(key).unwrap();
                    balancer.on(ServerEvent::Load { server, inflight: 1 });
                }
            });
            assert_eq!(count, 0, "{algorithm:?} {method:?}");
        }
    }
}

#[test]
fn occupying_a_slot_allocates_nothing() {
    for algorithm in algorithms() {
        let servers = (1..=50).map(|id| {
            let mut server = ServerDef::new(format!("s{id}").as_str(), id);
            server.maxconn = 100;
            server
        });
        let now = Instant::now();
        let pool = Pool::new(PoolDef::new("be", algorithm.clone(), servers.collect()), now).unwrap();
        let key = |n: u64| Request::new().with_key(Key::Hashed(n as u32));
        drop(pool.acquire(now, &key(0)));
        let count = allocations_of(|| {
            for n in 0..10_000 {
                let now = now + Duration::from_millis(n);
                let _visit = pool.visit(now);
                let leased = pool.acquire(now, &key(n));
                assert!(matches!(leased, Acquired::Leased(_)));
            }
        });
        assert_eq!(count, 0, "{algorithm:?}");
    }
}
