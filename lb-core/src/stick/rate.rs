//! Event rates over a sliding period, in constant space.
//!
//! Two counters, the current period and the one before; the reading weighs the older one by the
//! part of it that still lies within the last period.

/// A rate counter. Times are milliseconds on any monotonic scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    current: u32,
    previous: u32,
    start: u64,
}

impl Rate {
    /// Counts `events` now and returns the count of the current period.
    pub const fn add(&mut self, events: u32, now: u64, period: u64) -> u32 {
        if self.is_empty() {
            // Where the scale of times began says nothing of the first event.
            self.start = now;
        }
        let elapsed = now.saturating_sub(self.start);
        if elapsed < period {
            self.current = self.current.saturating_add(events);
        } else {
            self.previous = if elapsed < period.saturating_mul(2) { self.current } else { 0 };
            self.current = events;
            self.start = if elapsed < period.saturating_mul(2) { self.start + period } else { now };
        }
        self.current
    }

    const fn is_empty(&self) -> bool {
        self.current == 0 && self.previous == 0
    }

    /// Events of the present period and of the one before, with how much of that one still counts.
    const fn parts(&self, now: u64, period: u64) -> (u32, u32, u64) {
        let elapsed = now.saturating_sub(self.start);
        if elapsed < period {
            (self.current, self.previous, period - elapsed)
        } else if elapsed < period.saturating_mul(2) {
            (0, self.current, period.saturating_mul(2) - elapsed)
        } else {
            (0, 0, 0)
        }
    }

    /// Events of the last period, in units of one millisecond each.
    const fn weight(&self, now: u64, period: u64) -> u128 {
        let (current, previous, remaining) = self.parts(now, period);
        current as u128 * period as u128 + previous as u128 * remaining as u128
    }

    /// How many events of the present period are ahead of a steady stream of `limit` in each.
    pub fn overshoot(&self, now: u64, period: u64, limit: u64) -> u64 {
        let elapsed = now.saturating_sub(self.start);
        if elapsed > period || self.is_empty() {
            return 0;
        }
        u64::from(self.current).saturating_sub(elapsed.saturating_mul(limit) / period.max(1))
    }

    /// How many events are left of `limit` in a period.
    pub fn remaining(&self, now: u64, period: u64, limit: u64) -> u64 {
        let used = self.weight(now, period) / u128::from(period.max(1));
        limit.saturating_sub(u64::try_from(used).unwrap_or(u64::MAX))
    }

    /// Milliseconds until `more` events keep to `limit` in a period.
    pub fn delay(&self, now: u64, period: u64, limit: u64, more: u64) -> u64 {
        let total = self.weight(now, period) + u128::from(more) * u128::from(period);
        let beyond = total.checked_sub(u128::from(limit) * u128::from(period));
        beyond.map_or(0, |beyond| u64::try_from(beyond / u128::from(limit.max(1))).unwrap_or(u64::MAX).max(1))
    }

    /// Events during the last period.
    pub const fn read(&self, now: u64, period: u64) -> u32 {
        if period == 0 {
            return 0;
        }
        let (current, previous, remaining) = self.parts(now, period);
        // A single old event would make the reading flap between zero and one.
        if current == 0 && previous <= 1 {
            return previous;
        }
        let weighted = previous as u128 * remaining as u128 / period as u128;
        (current as u64).saturating_add(weighted as u64) as u32
    }

    /// Forgets everything.
    pub const fn clear(&mut self) {
        *self = Self { current: 0, previous: 0, start: 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_events_fade_out_linearly() {
        let mut rate = Rate::default();
        for _ in 0..100 {
            rate.add(1, 10_000, 1000);
        }
        assert_eq!(rate.read(10_000, 1000), 100);
        assert_eq!(rate.read(10_999, 1000), 100);
        assert_eq!(rate.read(11_500, 1000), 50);
        assert_eq!(rate.read(11_900, 1000), 10);
        assert_eq!(rate.read(12_000, 1000), 0);
    }

    #[test]
    fn a_steady_stream_reads_as_its_rate() {
        let mut rate = Rate::default();
        for tick in 0..1000 {
            rate.add(1, 50_000 + tick * 10, 1000);
            if tick > 200 {
                let read = rate.read(50_000 + tick * 10, 1000);
                assert!((99..=101).contains(&read), "{tick}: {read}");
            }
        }
    }

    #[test]
    fn one_lonely_event_does_not_flap() {
        let mut rate = Rate::default();
        rate.add(1, 5000, 1000);
        assert_eq!(rate.read(6500, 1000), 1);
        assert_eq!(rate.read(7100, 1000), 0);
    }

    #[test]
    fn a_steady_stream_is_not_ahead_and_a_burst_is() {
        let mut rate = Rate::default();
        rate.add(100, 700, 1000);
        assert_eq!(rate.overshoot(700, 1000, 1000), 100, "the first event begins the period");
        assert_eq!(rate.overshoot(750, 1000, 1000), 50);
        assert_eq!(rate.overshoot(800, 1000, 1000), 0);
        assert_eq!(rate.remaining(800, 1000, 1000), 900);
        assert_eq!(rate.delay(800, 1000, 1000, 899), 0);
        assert_eq!(rate.delay(800, 1000, 1000, 950), 50);
        assert_eq!((rate.remaining(2700, 1000, 1000), Rate::default().overshoot(0, 1000, 1)), (1000, 0));
    }

    #[test]
    fn odd_arguments_are_harmless() {
        let mut rate = Rate::default();
        assert_eq!(rate.read(5, 0), 0);
        rate.add(u32::MAX, 0, u64::MAX);
        rate.add(u32::MAX, 0, u64::MAX);
        assert_eq!(rate.read(0, u64::MAX), u32::MAX);
        rate.add(3, 100, 0);
    }
}
