//! Counting what becomes of attempts to reach a server and of transfers, at the server and at its backend.

use crate::balance::ServerId;
use crate::pool::{Pool, ServerCell};
use crate::stats::counter::{BackendCounters, Counter, ServerCounters};

/// Counts for one worker at the servers of one backend.
#[derive(Clone, Copy, Debug)]
pub struct Tally<'a> {
    pool: &'a Pool,
    worker: usize,
}

impl<'a> Tally<'a> {
    /// Counts as `worker`.
    pub const fn new(pool: &'a Pool, worker: usize) -> Self {
        Self { pool, worker }
    }

    /// A connection is attempted.
    pub fn attempt(self, cell: Option<&ServerCell>) {
        self.count(cell, |own| &own.connects, |own| &own.connects);
    }

    /// An idle connection is used.
    pub fn reuse(self, cell: Option<&ServerCell>) {
        self.count(cell, |own| &own.reuses, |own| &own.reuses);
    }

    /// The same server is tried again.
    pub fn retry(self, cell: Option<&ServerCell>) {
        self.count(cell, |own| &own.retries, |own| &own.retries);
    }

    /// There is no connection, from the server it was to lead to if there is one.
    pub fn failure(self, cell: Option<&ServerCell>) {
        self.count(cell, |own| &own.connection_errors, |own| &own.connection_errors);
    }

    /// The client broke a transfer off.
    pub fn client_abort(self, cell: Option<&ServerCell>) {
        self.count(cell, |own| &own.client_aborts, |own| &own.client_aborts);
    }

    /// The server broke a transfer off.
    pub fn server_abort(self, cell: Option<&ServerCell>) {
        self.count(cell, |own| &own.server_aborts, |own| &own.server_aborts);
    }

    /// A response is none, or is not whole.
    pub fn response_error(self, cell: Option<&ServerCell>) {
        self.count(cell, |own| &own.response_errors, |own| &own.response_errors);
    }

    /// The server `failed` was to be left for another: `found`, which may be the same for want of others. Says whether it
    /// is another; a retry that was `counted` before is none here.
    pub fn departure(self, failed: ServerId, found: Option<ServerId>, counted: bool) -> bool {
        let cell = self.pool.server(failed);
        let moved = found != Some(failed);
        if moved {
            self.count(cell.as_deref(), |own| &own.redispatches, |own| &own.redispatches);
        } else if !counted {
            self.retry(cell.as_deref());
        }
        moved
    }

    fn count(
        self,
        cell: Option<&ServerCell>,
        server: impl Fn(&ServerCounters) -> &Counter,
        backend: impl Fn(&BackendCounters) -> &Counter,
    ) {
        if let Some(cell) = cell {
            server(cell.counters().of(self.worker)).inc();
        }
        backend(self.pool.counters().of(self.worker)).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::Algorithm;
    use crate::pool::PoolDef;

    #[test]
    fn a_server_without_an_alternative_is_tried_again_and_not_left() {
        let now = crate::expr::testing::instant();
        let pool = Pool::new(PoolDef::new("be", Algorithm::RoundRobin, Vec::new()), now).unwrap();
        let tally = Tally::new(&pool, 0);
        let (first, second) = (ServerId(0), ServerId(1));
        assert!(!tally.departure(first, Some(first), false));
        assert!(!tally.departure(first, Some(first), true), "counted before");
        assert!(tally.departure(first, Some(second), false));
        assert!(tally.departure(first, None, false), "there is no server at all");
        let counts = pool.counters().sum();
        assert_eq!((counts.retries, counts.redispatches), (1, 2));
    }
}
