//! The local time zone, for log lines and answers that HAProxy writes in local time.

use super::sys;
use std::cell::Cell;

/// No zone changes its offset within a quarter of an hour, nor between two.
const QUARTER: i64 = 900;

thread_local! {
    /// The quarter asked for last, and its offset: asking the system takes a lock.
    static LAST: Cell<(i64, i32)> = const { Cell::new((i64::MIN, 0)) };
}

/// Seconds that local time is ahead of UTC at a moment in seconds since the epoch.
///
/// The zone is that of `TZ` or `/etc/localtime` when it is first asked for, which [`prepare`] does before a change of
/// the root directory hides them.
pub(super) fn utc_offset(seconds: i64) -> i32 {
    let quarter = seconds.div_euclid(QUARTER);
    let (last, offset) = LAST.get();
    if last == quarter {
        return offset;
    }
    let offset = sys::utc_offset(quarter * QUARTER);
    LAST.set((quarter, offset));
    offset
}

/// Has the system read the zone now.
pub(super) fn prepare() {
    sys::utc_offset(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_is_that_of_the_system_in_winter_and_summer() {
        for seconds in [0, 1_768_478_400, 1_784_116_800, -900, 1_768_478_400] {
            assert_eq!(utc_offset(seconds), sys::utc_offset(seconds), "{seconds}");
        }
    }
}
