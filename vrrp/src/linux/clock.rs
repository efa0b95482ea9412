//! Notices that the machine slept.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The clock of the machine may run ahead of the monotonic one by this much before it counts as a sleep.
const TOLERANCE: Duration = Duration::from_millis(50);

/// Time since boot including sleep.
pub(super) fn boot_clock() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(now.tv_sec.try_into().unwrap_or(0), now.tv_nsec.try_into().unwrap_or(0))
}

/// Compares the monotonic clock with the one that goes on while the machine sleeps.
pub(super) struct Clock {
    start: Instant,
    /// How far the boot clock was ahead when last looked at.
    lead: Option<Duration>,
}

impl Clock {
    pub(super) fn new(start: Instant) -> Self {
        Self { start, lead: None }
    }

    /// How long the machine has slept since the last call, if it has.
    pub(super) fn slept(&mut self, now: Instant, boot: Duration) -> Option<Duration> {
        let lead = boot.saturating_sub(now.saturating_duration_since(self.start));
        let before = self.lead.replace(lead)?;
        let slept = lead.saturating_sub(before);
        if slept >= TOLERANCE {
            return Some(slept);
        }
        // Small differences are the time between the two looks; they must not add up unseen.
        self.lead = Some(before);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_time_the_monotonic_clock_missed_is_sleep() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let boot = |ms| Duration::from_secs(1000) + Duration::from_millis(ms);
        let mut clock = Clock::new(start);
        assert_eq!(clock.slept(at(0), boot(0)), None);
        assert_eq!(clock.slept(at(10_000), boot(10_001)), None);
        assert_eq!(clock.slept(at(10_010), boot(70_010)), Some(Duration::from_secs(60)));
        assert_eq!(clock.slept(at(10_020), boot(70_020)), None);
    }

    #[test]
    fn a_slow_drift_is_noticed_once_it_matters() {
        let start = Instant::now();
        let mut clock = Clock::new(start);
        let mut told = Duration::ZERO;
        for ms in 0..1000_u64 {
            let boot = Duration::from_millis(5000 + ms + ms / 10);
            told += clock.slept(start + Duration::from_millis(ms), boot).unwrap_or_default();
        }
        assert!(told >= Duration::from_millis(50), "told {told:?}");
    }
}
