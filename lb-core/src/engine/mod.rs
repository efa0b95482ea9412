//! The engine: a specification compiled into an immutable [`Plan`], and the [`state`] that outlives it.
//!
//! A session keeps the plan it started with; a reload publishes a new one with one atomic swap. What must survive (server
//! states, queues, counters, the position of a balancer) lives in state cells that old and new plans share, matched by name.

mod build;
mod plan;
pub mod state;

#[cfg(feature = "tokio")]
pub(crate) use build::assign;
pub use build::{BuildError, Events, Problem};
pub use plan::{LogPlan, Plan, ProxyPlan, ServerPlan, TargetPlan};

use crate::spec::Spec;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Moments at which an engine is made or changed; the engine reads no clock.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "the two clocks")]
pub struct Clock {
    /// Monotonic.
    pub instant: Instant,
    /// Calendar, since the Unix epoch.
    pub date: Duration,
}

impl Clock {
    /// From the two clocks of the standard library.
    pub fn new(instant: Instant, date: SystemTime) -> Self {
        Self { instant, date: date.duration_since(UNIX_EPOCH).unwrap_or_default() }
    }
}

/// The current plan and the way to replace it.
#[derive(Debug)]
pub struct Engine {
    current: ArcSwap<Plan>,
    workers: usize,
    started: Clock,
}

impl Engine {
    /// Compiles `spec` for `workers` workers.
    ///
    /// # Errors
    /// Everything that is wrong with the specification.
    pub fn build(spec: Spec, workers: usize, now: Clock) -> Result<Self, BuildError> {
        let (plan, _) = Plan::build(spec, None, workers, now)?;
        Ok(Self { current: ArcSwap::from_pointee(plan), workers, started: now })
    }

    /// Compiles `spec` and makes it the current plan; state is kept for every proxy and server of the same name. Answers
    /// the plan that was replaced and what its pools ask for.
    ///
    /// # Errors
    /// Everything that is wrong with the specification; then nothing has changed.
    pub fn reconfigure(&self, spec: Spec, now: Clock) -> Result<(Arc<Plan>, Events), BuildError> {
        let old = self.current.load_full();
        let (plan, events) = Plan::build(spec, Some(&old), self.workers, now)?;
        self.publish(Arc::new(plan));
        Ok((old, events))
    }

    /// Makes a plan that was built on the current one the current plan.
    pub fn publish(&self, plan: Arc<Plan>) {
        self.current.store(plan);
    }

    /// The current plan.
    pub fn plan(&self) -> Arc<Plan> {
        self.current.load_full()
    }

    /// When the engine was built.
    pub fn started(&self) -> Clock {
        self.started
    }

    /// How many workers share the state.
    pub fn workers(&self) -> usize {
        self.workers
    }
}
