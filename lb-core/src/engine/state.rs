//! State cells: what a reload keeps.

use crate::stats::counter::{FrontendCounters, Gauge, ListenerCounters, PerWorker, RateMeter};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

/// No value set at run time.
const UNSET: u32 = u32::MAX;

/// State of one proxy.
#[derive(Debug)]
#[non_exhaustive]
pub struct ProxyState {
    /// The client side; the server side is in the pool.
    pub front: FrontState,
    unpublished: AtomicBool,
}

/// The client side of a proxy.
#[derive(Debug)]
#[non_exhaustive]
pub struct FrontState {
    /// Sessions now and at most.
    pub sessions: Gauge,
    /// Connections per second.
    pub connection_rate: RateMeter,
    /// Sessions per second.
    pub session_rate: RateMeter,
    /// Requests per second.
    pub request_rate: RateMeter,
    /// Counters.
    pub counters: PerWorker<FrontendCounters>,
    /// Log lines written, numbered by `%lc`.
    pub log_lines: AtomicU64,
    maxconn: AtomicU32,
    running: AtomicU32,
}

/// What a listener counts.
#[derive(Debug)]
#[non_exhaustive]
pub struct ListenerState {
    /// Connections now and at most.
    pub sessions: Gauge,
    /// Counters.
    pub counters: PerWorker<ListenerCounters>,
}

/// What an operator has done to a frontend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the three states of a frontend")]
pub enum Running {
    /// Accepts connections.
    Open,
    /// Keeps its sockets but accepts nothing (`disable frontend`).
    Paused,
    /// Has closed its sockets (`shutdown frontend`).
    Stopped,
}

impl ProxyState {
    /// New state for so many workers.
    pub fn new(workers: usize) -> Arc<Self> {
        Arc::new(Self {
            front: FrontState {
                sessions: Gauge::default(),
                connection_rate: RateMeter::default(),
                session_rate: RateMeter::default(),
                request_rate: RateMeter::default(),
                counters: PerWorker::new(workers),
                log_lines: AtomicU64::new(0),
                maxconn: AtomicU32::new(UNSET),
                running: AtomicU32::new(0),
            },
            unpublished: AtomicBool::new(false),
        })
    }

    /// Whether rules may choose the proxy as a backend.
    pub fn is_published(&self) -> bool {
        !self.unpublished.load(Relaxed)
    }

    /// Lets rules choose the proxy as a backend, or pass over it.
    pub fn publish(&self, published: bool) {
        self.unpublished.store(!published, Relaxed);
    }
}

impl FrontState {
    /// The limit of connections set at run time, if any.
    pub fn maxconn(&self) -> Option<u32> {
        Some(self.maxconn.load(Relaxed)).filter(|&n| n != UNSET)
    }

    /// Sets or forgets the limit of connections.
    pub fn set_maxconn(&self, limit: Option<u32>) {
        self.maxconn.store(limit.unwrap_or(UNSET), Relaxed);
    }

    /// Whether it accepts connections.
    pub fn running(&self) -> Running {
        match self.running.load(Relaxed) {
            0 => Running::Open,
            1 => Running::Paused,
            _ => Running::Stopped,
        }
    }

    /// Says whether it accepts connections; the listeners look at it.
    pub fn set_running(&self, running: Running) {
        self.running.store(running as u32, Relaxed);
    }
}

impl ListenerState {
    /// New state for so many workers.
    pub fn new(workers: usize) -> Arc<Self> {
        Arc::new(Self { sessions: Gauge::default(), counters: PerWorker::new(workers) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_set_at_run_time_can_be_forgotten() {
        let state = ProxyState::new(1);
        assert_eq!(state.front.maxconn(), None);
        state.front.set_maxconn(Some(10));
        assert_eq!(state.front.maxconn(), Some(10));
        state.front.set_maxconn(None);
        assert_eq!(state.front.maxconn(), None);
        state.front.set_running(Running::Paused);
        assert_eq!(state.front.running(), Running::Paused);
    }
}
