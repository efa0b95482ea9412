//! What waiting costs: a place in the queue of a full pool, and the slot that is passed on to who waits.

#![allow(missing_docs, reason = "criterion's macros generate public items without documentation")]

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lb_core::balance::Algorithm;
use lb_core::pool::{Acquired, Lease, Outcome, Pool, PoolDef, Request, ServerDef, Ticket};

/// A pool whose servers take one request each.
#[expect(clippy::disallowed_methods, reason = "a pool is built at some instant")]
fn pool(servers: u32) -> (Arc<Pool>, Instant) {
    let servers = (1..=servers).map(|id| {
        let mut server = ServerDef::new(format!("s{id}").as_str(), id);
        server.maxconn = 1;
        server
    });
    let now = Instant::now();
    let def = PoolDef::new("bench", Algorithm::RoundRobin, servers.collect());
    (Pool::new(def, now).expect("a sound definition"), now)
}

fn lease(pool: &Arc<Pool>, now: Instant) -> Lease {
    match pool.acquire(now, &Request::new()) {
        Acquired::Leased(lease) => lease,
        other => panic!("a free server: {other:?}"),
    }
}

fn ticket(pool: &Arc<Pool>, now: Instant, class: i16) -> Ticket {
    match pool.acquire(now, &Request::new().with_priority(class, 0)) {
        Acquired::Queued(ticket) => ticket,
        other => panic!("a full pool: {other:?}"),
    }
}

/// One more waits, and the slot passes to the first in line, who holds it from then on.
fn pass_on(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("queue-pass-on");
    for waiting in [1usize, 100, 10_000] {
        let (pool, now) = pool(1);
        let mut held = Some(lease(&pool, now));
        let mut line: VecDeque<Ticket> = (0..waiting).map(|_| ticket(&pool, now, 0)).collect();
        group.bench_function(BenchmarkId::from_parameter(waiting), |bencher| {
            bencher.iter(|| {
                line.push_back(ticket(&pool, now, 0));
                drop(held.take());
                let mut first = line.pop_front().expect("somebody waits");
                let Some(Outcome::Leased(lease)) = first.try_take() else { panic!("the slot is its own") };
                held = Some(black_box(lease));
            });
        });
    }
    group.finish();
}

/// Waiting and giving up, which the client of a slow site does.
fn give_up(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("queue-give-up");
    for waiting in [1usize, 10_000] {
        let (pool, now) = pool(1);
        let _held = lease(&pool, now);
        let _line: Vec<_> = (0..waiting).map(|at| ticket(&pool, now, (at % 7) as i16)).collect();
        group.bench_function(BenchmarkId::from_parameter(waiting), |bencher| {
            bencher.iter(|| black_box(ticket(&pool, now, 3)));
        });
    }
    group.finish();
}

criterion_group!(benches, pass_on, give_up);
criterion_main!(benches);
