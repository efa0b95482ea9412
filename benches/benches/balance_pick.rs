//! What a choice costs, with 10 and with 10,000 servers. The two should be about equal.

#![allow(missing_docs, reason = "criterion's macros generate public items without documentation")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lb_core::balance::{
    Algorithm, Balancer, Definition, HashMethod, HashType, Key, Member, PickKey, ServerEvent, weight,
};
use lb_core::rng::Rng;

const SIZES: [u32; 2] = [10, 10_000];

fn build(algorithm: &Algorithm, servers: u32, method: HashMethod) -> Box<dyn Balancer> {
    let members = (1..=servers).map(|id| Member::new(id, 1 + id % 3)).collect();
    let mut definition = Definition::new(algorithm.clone(), members);
    definition.hash = HashType::of(method);
    definition.build(Rng::new(0)).expect("ten thousand servers are not too many")
}

fn pick(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pick");
    for (name, algorithm, method) in [
        ("roundrobin", Algorithm::RoundRobin, HashMethod::MapBased),
        ("static-rr", Algorithm::StaticRr, HashMethod::MapBased),
        ("first", Algorithm::First, HashMethod::MapBased),
        ("random", Algorithm::DEFAULT, HashMethod::Consistent),
        ("hash-map", Algorithm::Hash, HashMethod::MapBased),
        ("hash-ring", Algorithm::Hash, HashMethod::Consistent),
    ] {
        for servers in SIZES {
            let mut balancer = build(&algorithm, servers, method);
            let mut key = 0u32;
            group.bench_function(BenchmarkId::new(name, servers), |bencher| {
                bencher.iter(|| {
                    key = key.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    black_box(balancer.pick(PickKey::new().with_key(Key::Hashed(key))))
                });
            });
        }
    }
    group.finish();
}

/// A request that comes and goes: the choice and the two changes of load.
fn least_conn(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("leastconn");
    for servers in SIZES {
        let mut balancer = build(&Algorithm::LeastConn, servers, HashMethod::MapBased);
        group.bench_function(BenchmarkId::new("request", servers), |bencher| {
            bencher.iter(|| {
                let server = balancer.pick(PickKey::new()).expect("all servers are usable");
                for inflight in [1, 0] {
                    balancer.on(ServerEvent::Load { server, inflight });
                }
                black_box(server)
            });
        });
    }
    group.finish();
}

/// A server that goes down and comes back, and the choices after that: what a rebuilt map or ring costs.
fn flap(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("flap");
    group.sample_size(20);
    for (name, algorithm, method) in [
        ("roundrobin", Algorithm::RoundRobin, HashMethod::MapBased),
        ("hash-map", Algorithm::Hash, HashMethod::MapBased),
        ("hash-ring", Algorithm::Hash, HashMethod::Consistent),
    ] {
        for servers in SIZES {
            let mut balancer = build(&algorithm, servers, method);
            let server = lb_core::balance::ServerId(servers / 2);
            group.bench_function(BenchmarkId::new(name, servers), |bencher| {
                bencher.iter(|| {
                    for weight in [0, weight::SCALE] {
                        balancer.on(ServerEvent::Weight { server, weight });
                        black_box(balancer.pick(PickKey::new().with_key(Key::Hashed(1))));
                    }
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, pick, least_conn, flap);
criterion_main!(benches);
