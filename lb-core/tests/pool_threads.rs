//! A pool shared by threads: nobody gets more slots than there are, and nobody waits for ever.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "the threads need no clock, but requests carry a time")]

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

use lb_core::balance::{Algorithm, ServerId};
use lb_core::pool::{Acquired, AdminState, Lease, Outcome, Pool, PoolDef, Request, ServerDef};

const THREADS: u32 = 4;
const ROUNDS: u32 = 3000;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a slot the way a task does: parked until woken. A lost wake-up hangs the test.
fn wait_for_slot(pool: &Arc<Pool>, now: Instant, request: &Request<'_>) -> Lease {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        let mut ticket = match pool.acquire(now, request) {
            Acquired::Leased(lease) => return lease,
            Acquired::Queued(ticket) => pin!(ticket),
            other => panic!("neither a slot nor a queue: {other:?}"),
        };
        loop {
            match ticket.as_mut().poll(&mut context) {
                Poll::Ready(Outcome::Leased(lease)) => return lease,
                Poll::Ready(Outcome::Evicted) => break,
                Poll::Pending => thread::park(),
            }
        }
    }
}

fn run(algorithm: Algorithm, disturb: bool) {
    let now = Instant::now();
    let servers = ["a", "b"].iter().zip(1..).map(|(name, id)| {
        let mut server = ServerDef::new(*name, id);
        server.maxconn = 1;
        server
    });
    let pool = Pool::new(PoolDef::new("be", algorithm, servers.collect()), now).unwrap();
    let busy = [AtomicU32::new(0), AtomicU32::new(0)];
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (pool, busy) = (&pool, &busy);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let direct = (round % 3 == 0).then_some(ServerId(thread % 2));
                    let request = direct.map_or_else(Request::new, |server| Request::new().direct(server));
                    let lease = wait_for_slot(pool, now, &request);
                    let server = &busy[lease.server().id().unwrap().index()];
                    assert_eq!(server.fetch_add(1, Ordering::SeqCst), 0, "two requests at a time");
                    server.fetch_sub(1, Ordering::SeqCst);
                }
            });
        }
        if disturb {
            for round in 0..ROUNDS / 10 {
                let state = if round % 2 == 0 { AdminState::Maint } else { AdminState::Ready };
                pool.set_state(ServerId(0), state, now).unwrap();
                thread::yield_now();
            }
            pool.set_state(ServerId(0), AdminState::Ready, now).unwrap();
        }
    });
    assert_eq!(pool.queued(), 0);
    for server in pool.server_snapshots(now) {
        assert!(
            server.sessions.cur == 0 && server.sessions.max <= 1,
            "{}: {:?}",
            server.name,
            server.sessions
        );
    }
}

#[test]
fn slots_are_exclusive_and_every_waiter_is_woken() {
    run(Algorithm::RoundRobin, false);
    run(Algorithm::LeastConn, false);
}

#[test]
fn maintenance_in_between_loses_nobody() {
    run(Algorithm::RoundRobin, true);
    run(Algorithm::First, true);
}
