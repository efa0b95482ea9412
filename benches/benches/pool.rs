//! What finding, occupying and giving back a slot costs, with 10 and with 10,000 servers, alone and among threads.

#![allow(missing_docs, reason = "criterion's macros generate public items without documentation")]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lb_core::balance::Algorithm;
use lb_core::pool::{Acquired, Pool, PoolDef, Request, ServerDef};

#[expect(clippy::disallowed_methods, reason = "a pool is built at some instant")]
fn build(algorithm: Algorithm, servers: u32, maxconn: u32) -> (Arc<Pool>, Instant) {
    let servers = (1..=servers).map(|id| {
        let mut server = ServerDef::new(format!("s{id}").as_str(), id);
        server.maxconn = maxconn;
        server
    });
    let now = Instant::now();
    (Pool::new(PoolDef::new("bench", algorithm, servers.collect()), now).expect("a sound definition"), now)
}

fn alone(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("acquire-release");
    for (name, algorithm) in [
        ("roundrobin", Algorithm::RoundRobin),
        ("leastconn", Algorithm::LeastConn),
        ("random", Algorithm::DEFAULT),
    ] {
        for servers in [10, 10_000] {
            let (pool, now) = build(algorithm.clone(), servers, 100);
            group.bench_function(BenchmarkId::new(name, servers), |bencher| {
                bencher.iter(|| black_box(pool.acquire(now, &Request::new())));
            });
        }
    }
    group.finish();
}

fn contended(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("acquire-release-contended");
    let (pool, now) = build(Algorithm::RoundRobin, 10, 0);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                black_box(pool.acquire(now, &Request::new()));
            }
        });
        group.bench_function("two-threads", |bencher| {
            bencher.iter(|| black_box(pool.acquire(now, &Request::new())));
        });
        stop.store(true, Ordering::Relaxed);
    });
    group.finish();
}

/// A full server: every request waits, and gets its slot from the one before it.
fn queued(criterion: &mut Criterion) {
    let (pool, now) = build(Algorithm::RoundRobin, 10, 1);
    let mut held: Vec<_> = (0..10).map(|_| pool.acquire(now, &Request::new())).collect();
    criterion.bench_function("queue-and-serve", |bencher| {
        bencher.iter(|| {
            let Acquired::Queued(mut ticket) = pool.acquire(now, &Request::new()) else {
                unreachable!("all slots are held")
            };
            held.swap_remove(0);
            let served = ticket.try_take().expect("the slot just given back");
            let lb_core::pool::Outcome::Leased(lease) = served else { unreachable!("no server went away") };
            held.push(Acquired::Leased(lease));
        });
    });
}

criterion_group!(benches, alone, contended, queued);
criterion_main!(benches);
