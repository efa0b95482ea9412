//! Decisions about an exchange that need no connection: when to try again and where.

use std::time::Duration;

/// Longest pause before the same server is tried again.
const TURNAROUND: Duration = Duration::from_secs(1);

/// What happens after a failed attempt to connect (manual: `retries`, `option redispatch`).
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct RetryPolicy {
    /// Attempts allowed after the first.
    pub retries: u32,
    /// At which retry another server is tried: every so many, or counted from the last when negative; 0 is never.
    pub redispatch: i32,
    /// Nothing ties the request to a server: neither the algorithm nor a cookie.
    pub free: bool,
    /// `timeout connect`.
    pub connect: Option<Duration>,
    /// Retries used up.
    pub used: u32,
}

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the three choices")]
pub enum Attempt {
    /// Give up.
    Last,
    /// Try the same server once so long has passed since the beginning of the attempt.
    Same(Duration),
    /// Try another server at once.
    Elsewhere,
}

impl RetryPolicy {
    /// An attempt failed; `usable` is the number of usable active servers.
    pub fn failed(&mut self, usable: u32) -> Attempt {
        if self.used >= self.retries {
            return Attempt::Last;
        }
        self.used += 1;
        if self.elsewhere(usable) {
            return Attempt::Elsewhere;
        }
        Attempt::Same(self.connect.map_or(TURNAROUND, |connect| connect.min(TURNAROUND)))
    }

    fn elsewhere(&self, usable: u32) -> bool {
        if self.redispatch == 0 {
            return false;
        }
        // Without a tie there is no reason to insist.
        if self.free && usable > 1 {
            return true;
        }
        if self.redispatch < 0 {
            return i64::from(self.used) == i64::from(self.retries) + 1 + i64::from(self.redispatch);
        }
        self.used.is_multiple_of(self.redispatch.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(mut policy: RetryPolicy, usable: u32) -> Vec<Attempt> {
        let mut all = Vec::new();
        loop {
            all.push(policy.failed(usable));
            if all.last() == Some(&Attempt::Last) {
                return all;
            }
        }
    }

    const POLICY: RetryPolicy =
        RetryPolicy { retries: 3, redispatch: -1, free: false, connect: None, used: 0 };

    #[test]
    fn the_last_retry_goes_elsewhere() {
        let same = Attempt::Same(TURNAROUND);
        assert_eq!(attempts(POLICY, 2), [same, same, Attempt::Elsewhere, Attempt::Last]);
        let never = RetryPolicy { redispatch: 0, ..POLICY };
        assert_eq!(attempts(never, 2), [same, same, same, Attempt::Last]);
    }

    #[test]
    fn a_free_request_moves_at_once_if_there_is_a_choice() {
        let free = RetryPolicy { free: true, ..POLICY };
        assert_eq!(attempts(free, 2)[0], Attempt::Elsewhere);
        assert_eq!(attempts(free, 1)[0], Attempt::Same(TURNAROUND));
    }

    #[test]
    fn the_pause_is_no_longer_than_the_time_to_connect() {
        let quick = RetryPolicy { connect: Some(Duration::from_millis(300)), ..POLICY };
        assert_eq!(attempts(quick, 1)[0], Attempt::Same(Duration::from_millis(300)));
    }

    #[test]
    fn every_second_retry_may_be_chosen() {
        let second = RetryPolicy { redispatch: 2, retries: 4, ..POLICY };
        let same = Attempt::Same(TURNAROUND);
        let all = attempts(second, 2);
        assert_eq!(all, [same, Attempt::Elsewhere, same, Attempt::Elsewhere, Attempt::Last]);
    }
}
