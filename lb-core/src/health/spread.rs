//! Spreading checks over time so that they do not all run at once.

use std::time::Duration;

use crate::rng::Rng;

/// Checks with a shorter interval start on their own and do not set the pace of the others.
const PACE_FLOOR: Duration = Duration::from_millis(1000);

/// Spreads the first checks of all servers of a process over the shortest common interval.
///
/// ```
/// # use lb_core::health::Spread;
/// # use lb_core::rng::Rng;
/// # use std::time::Duration;
/// let second = Duration::from_secs(1);
/// let mut spread = Spread::new([second; 4]);
/// let starts: Vec<_> = (0..4).map(|_| spread.first_delay(second, 0, &mut Rng::new(0)).as_millis()).collect();
/// assert_eq!(starts, [0, 250, 500, 750]);
/// ```
#[derive(Clone, Debug)]
pub struct Spread {
    count: u32,
    position: u32,
    pace: Duration,
    limit: Option<Duration>,
}

impl Spread {
    /// A plan for checks with these intervals.
    pub fn new(intervals: impl IntoIterator<Item = Duration>) -> Self {
        let mut plan = Self { count: 0, position: 0, pace: Duration::ZERO, limit: None };
        for interval in intervals {
            plan.count += 1;
            if interval >= PACE_FLOOR && (plan.pace.is_zero() || interval < plan.pace) {
                plan.pace = interval;
            }
        }
        plan
    }

    /// Spreads over at most this much (`max-spread-checks`).
    #[must_use]
    pub const fn with_limit(mut self, limit: Option<Duration>) -> Self {
        self.limit = limit;
        self
    }

    /// When the next check in line, which repeats every `interval`, starts for the first time.
    pub fn first_delay(&mut self, interval: Duration, percent: u32, rng: &mut Rng) -> Duration {
        let jitter =
            |span: Duration, rng: &mut Rng| vary(interval, percent, rng).saturating_sub(interval) + span;
        let mut span = self.pace.max(interval);
        if percent > 0 {
            span = jitter(span, rng);
        }
        if let Some(limit) = self.limit {
            span = span.min(limit);
        }
        let delay = span * self.position / self.count.max(1);
        self.position += 1;
        delay
    }
}

/// `interval` plus or minus up to `percent` of it.
pub(super) fn vary(interval: Duration, percent: u32, rng: &mut Rng) -> Duration {
    if percent == 0 {
        return interval;
    }
    let most = interval * percent / 100;
    let offset = Duration::from_nanos(rng.below(2 * most.as_nanos() as u64 + 1));
    (interval + offset).saturating_sub(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn eighteen_checks_a_second_start_every_55_ms() {
        let mut spread = Spread::new([ms(1000); 18]);
        let mut rng = Rng::new(0);
        let starts: Vec<_> = (0..18).map(|_| spread.first_delay(ms(1000), 0, &mut rng).as_millis()).collect();
        assert_eq!(starts[..4], [0, 55, 111, 166]);
        assert_eq!(starts[17], 944);
    }

    #[test]
    fn short_intervals_do_not_set_the_pace() {
        let mut spread = Spread::new([ms(100), ms(4000), ms(2000)]);
        let mut rng = Rng::new(0);
        assert_eq!(spread.first_delay(ms(100), 0, &mut rng), ms(0));
        // A check with a longer interval than the pace spreads over its own.
        assert_eq!(spread.first_delay(ms(4000), 0, &mut rng).as_millis(), 1333);
        assert_eq!(spread.first_delay(ms(2000), 0, &mut rng).as_millis(), 1333);
    }

    #[test]
    fn the_spread_can_be_limited() {
        let mut spread = Spread::new([ms(60_000); 2]).with_limit(Some(ms(10_000)));
        let mut rng = Rng::new(0);
        spread.first_delay(ms(60_000), 0, &mut rng);
        assert_eq!(spread.first_delay(ms(60_000), 0, &mut rng), ms(5000));
    }

    #[test]
    fn variations_stay_within_the_percentage() {
        let mut rng = Rng::new(5);
        let varied: Vec<_> = (0..1000).map(|_| vary(ms(1000), 10, &mut rng)).collect();
        assert!(varied.iter().all(|delay| (ms(900)..=ms(1100)).contains(delay)));
        assert!(varied.iter().any(|delay| *delay < ms(920)) && varied.iter().any(|delay| *delay > ms(1080)));
        assert_eq!(vary(ms(1000), 0, &mut rng), ms(1000));
    }
}
