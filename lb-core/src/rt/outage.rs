//! A service that may be gone for a moment, but not for longer without others being told.

use std::time::{Duration, Instant};

/// Since when a service is gone, and whether that was told.
#[derive(Debug, Clone, Copy)]
pub struct Outage {
    grace: Duration,
    since: Option<Instant>,
    told: bool,
}

impl Outage {
    /// A service that is there and may be gone for `grace`.
    pub fn new(grace: Duration) -> Self {
        Self { grace, since: None, told: false }
    }

    /// The service is gone; false if it was already.
    pub fn begin(&mut self, now: Instant) -> bool {
        let new = self.since.is_none();
        self.since.get_or_insert(now);
        new
    }

    /// The service is there; true if others were told that it was gone, so that they are to be told of this.
    pub fn end(&mut self) -> bool {
        self.since = None;
        std::mem::take(&mut self.told)
    }

    /// True once when it is gone for so long that others are to be told.
    pub fn is_due(&mut self, now: Instant) -> bool {
        let due = self.deadline().is_some_and(|at| at <= now);
        self.told |= due;
        due
    }

    /// When others are to be told, if they are not and the service is gone. Changes with every other call.
    pub fn deadline(&self) -> Option<Instant> {
        self.since.filter(|_| !self.told).map(|since| since + self.grace)
    }

    /// Whether others were told that it is gone.
    pub fn is_told(&self) -> bool {
        self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_millis(700);

    #[test]
    fn a_moment_is_not_told() {
        let (mut outage, now) = (Outage::new(GRACE), Instant::now());
        assert_eq!((outage.deadline(), outage.is_due(now + GRACE)), (None, false));
        assert!(outage.begin(now));
        assert_eq!(outage.deadline(), Some(now + GRACE));
        assert!(!outage.is_due(now + GRACE / 2) && !outage.end());
        assert!(!outage.is_due(now + GRACE) && !outage.is_told());
    }

    #[test]
    fn what_lasts_is_told_once_and_so_is_its_end() {
        let (mut outage, now) = (Outage::new(GRACE), Instant::now());
        assert!(outage.begin(now) && !outage.begin(now + GRACE / 2), "it counts from the beginning");
        assert!(outage.is_due(now + GRACE) && outage.is_told());
        assert!(!outage.is_due(now + 2 * GRACE));
        assert_eq!(outage.deadline(), None);
        assert!(outage.end() && !outage.end());
    }
}
