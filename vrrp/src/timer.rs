//! The two intervals of the protocol, in exact integer arithmetic.
//!
//! Both are counted in microseconds, as keepalived counts them, so that two implementations with the same settings
//! come to the same microsecond.

use std::time::Duration;

use crate::spec::Version;

/// Zero means that a master stops.
const LOWEST: u8 = 1;

/// How long a backup of this priority waits beyond the agreed time, so that the highest priority is first.
///
/// Version 2 skews by parts of a second whatever the interval (RFC 3768 §6.1), version 3 by parts of the master's
/// interval (RFC 9568 §6.1).
#[must_use]
pub fn skew(version: Version, priority: u8, master_interval: Duration) -> Duration {
    let parts = 256 - u64::from(priority);
    let unit = match version {
        Version::V2 => 1_000_000,
        Version::V3 => micros(master_interval),
    };
    Duration::from_micros(parts * unit / 256)
}

/// The longest skew any backup may have: that of priority 1.
#[must_use]
pub fn longest_skew(version: Version, master_interval: Duration) -> Duration {
    skew(version, LOWEST, master_interval)
}

/// How long a backup waits for an advert until it takes the master for dead.
#[must_use]
pub fn master_down(version: Version, adverts: u8, priority: u8, master_interval: Duration) -> Duration {
    Duration::from_micros(u64::from(adverts) * micros(master_interval))
        + skew(version, priority, master_interval)
}

/// How long the most patient backup waits: that of priority 1.
#[must_use]
pub fn longest_master_down(version: Version, adverts: u8, master_interval: Duration) -> Duration {
    master_down(version, adverts, LOWEST, master_interval)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX / 512)
}

/// The earliest of some deadlines.
pub(crate) fn earliest<T: Ord>(deadlines: impl IntoIterator<Item = Option<T>>) -> Option<T> {
    deadlines.into_iter().flatten().min()
}

/// True if a deadline has been reached.
pub(crate) fn reached<T: Ord>(deadline: Option<T>, now: T) -> bool {
    deadline.is_some_and(|deadline| deadline <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const TENTH: Duration = Duration::from_millis(100);

    #[test]
    fn version_2_skews_by_parts_of_a_second() {
        assert_eq!(skew(Version::V2, 100, SECOND), Duration::from_micros(609_375));
        assert_eq!(skew(Version::V2, 100, 5 * SECOND), Duration::from_micros(609_375));
        assert_eq!(skew(Version::V2, 255, SECOND), Duration::from_micros(3906));
    }

    #[test]
    fn version_3_skews_by_parts_of_the_interval_of_the_master() {
        assert_eq!(skew(Version::V3, 100, TENTH), Duration::from_micros(60_937));
        assert_eq!(skew(Version::V3, 100, SECOND), Duration::from_micros(609_375));
        assert_eq!(skew(Version::V3, 1, Duration::from_millis(40_950)), Duration::from_micros(40_790_039));
    }

    #[test]
    fn the_master_down_times_of_common_settings() {
        assert_eq!(master_down(Version::V2, 3, 100, SECOND), Duration::from_micros(3_609_375));
        assert_eq!(master_down(Version::V2, 3, 121, SECOND), Duration::from_micros(3_527_343));
        assert_eq!(master_down(Version::V3, 3, 100, TENTH), Duration::from_micros(360_937));
    }

    #[test]
    fn every_skew_is_shorter_than_the_interval() {
        for priority in 1..=255 {
            assert!(skew(Version::V2, priority, SECOND) < SECOND);
            assert!(skew(Version::V3, priority, TENTH) < TENTH);
        }
    }
}
