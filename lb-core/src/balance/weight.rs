//! Effective weights: what a configured weight becomes for an algorithm, and how it grows during a slow start.

use std::time::Duration;

/// Largest weight that can be configured.
pub const MAX: u32 = 256;

/// Steps into which one unit of weight is divided for algorithms whose weights may change at run time.
pub const SCALE: u32 = 16;

/// Effective weight of a server whose weight is `weight` under an algorithm whose scale is `scale`.
pub const fn effective(weight: u32, scale: u32) -> u32 {
    weight * scale
}

/// Effective weight `elapsed` after a slow start of length `slowstart` began. Only whole seconds count; the first step
/// is never zero, the last one is the full weight.
pub fn ramped(weight: u32, scale: u32, elapsed: Duration, slowstart: Duration) -> u32 {
    let (elapsed, slowstart) = (elapsed.as_secs(), slowstart.as_secs());
    if slowstart == 0 || elapsed >= slowstart {
        return effective(weight, scale);
    }
    let steps = (u64::from(scale) * elapsed + slowstart) / slowstart;
    effective(weight, (steps as u32).min(scale))
}

/// How long after one step of a slow start the next one is due. HAProxy aims at a twentieth of the slow start but counts
/// it in the wrong unit, so that in practice it steps every second; finer steps do no harm.
pub const RAMP_INTERVAL: Duration = Duration::from_secs(1);

/// Effective weight shown to users, in units of configured weight, rounded up.
pub const fn displayed(effective: u64, scale: u32) -> u64 {
    effective.div_ceil(scale as u64)
}

/// A percentage of the initial weight, truncated, at most [`MAX`].
pub fn percent(initial: u32, percent: u32) -> u32 {
    (initial * percent.min(25_600) / 100).min(MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_slow_start_begins_at_one_step_and_ends_at_full_weight() {
        let at = |elapsed| ramped(10, SCALE, secs(elapsed), secs(32));
        assert_eq!(at(0), 10);
        assert_eq!(at(1), 10);
        assert_eq!(at(2), 20);
        assert_eq!(at(16), 90);
        assert_eq!(at(31), 160);
        assert_eq!(at(32), 160);
        assert_eq!(ramped(10, SCALE, secs(0), Duration::from_millis(900)), 160);
    }

    #[test]
    fn percentages_are_truncated_and_capped() {
        assert_eq!(percent(1, 75), 0);
        assert_eq!(percent(3, 50), 1);
        assert_eq!(percent(200, 200), 256);
        assert_eq!(percent(256, u32::MAX), 256);
    }
}
