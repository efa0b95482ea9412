//! Presence of processes: enough of them, for long enough.

use std::time::Instant;

use crate::outbox::Outbox;
use crate::spec::TrackProcess;
use crate::timer::reached;

/// A tracked kind of process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) spec: TrackProcess,
    count: Option<u32>,
    up: Option<bool>,
    /// A change that has to last until this moment before it counts.
    pending: Option<(bool, Instant)>,
}

impl Process {
    pub(super) fn new(spec: TrackProcess) -> Self {
        Self { spec, count: None, up: None, pending: None }
    }

    pub(super) fn with_spec(mut self, spec: TrackProcess) -> Self {
        self.spec = spec;
        self.up = self.count.map(|count| self.quorum(count));
        self.pending = None;
        self
    }

    /// Takes in a count. True if it changed what counts.
    pub(super) fn report(&mut self, now: Instant, count: u32, out: &mut Outbox) -> bool {
        self.count = Some(count);
        let up = self.quorum(count);
        let Some(known) = self.up else {
            self.up = Some(up);
            return true;
        };
        if known == up {
            self.pending = None;
            return false;
        }
        let delay = if up { self.spec.fork_delay } else { self.spec.terminate_delay };
        if delay.is_zero() {
            return self.settle(up, out);
        }
        if self.pending.is_none() {
            self.pending = Some((up, now + delay));
        }
        false
    }

    /// True if a lasting change counts now.
    pub(super) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) -> bool {
        match self.pending {
            Some((up, at)) if reached(Some(at), now) => self.settle(up, out),
            _ => false,
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.pending.map(|(_, at)| at)
    }

    pub(super) fn up(&self) -> Option<bool> {
        self.up
    }

    pub(super) fn count(&self) -> Option<u32> {
        self.count
    }

    fn settle(&mut self, up: bool, out: &mut Outbox) -> bool {
        self.pending = None;
        self.up = Some(up);
        let word = if up { "gained" } else { "lost" };
        out.info(format!("Quorum {word} for tracked process {}", self.spec.name));
        true
    }

    fn quorum(&self, count: u32) -> bool {
        count >= self.spec.quorum && self.spec.quorum_max.is_none_or(|max| count <= max)
    }
}
