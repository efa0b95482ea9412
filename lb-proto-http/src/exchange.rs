//! Decisions about an exchange that need no connection: when to try again and where.

use std::time::Duration;

use lb_core::spec::Retry;

/// What happens after a failed attempt to connect (manual: `retries`, `option redispatch`).
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct RetryPolicy {
    /// Attempts allowed after the first.
    pub retries: u32,
    /// At which retry another server is tried.
    pub retry: Retry,
    /// Nothing ties the request to its server, neither the algorithm nor a cookie, and there are others.
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
    /// An attempt failed. `down` says that its server is not, or not quite, up.
    pub fn failed(&mut self, down: bool) -> Attempt {
        if self.used >= self.retries {
            return Attempt::Last;
        }
        self.used += 1;
        if self.retry.moves(self.used, self.retries, self.free, down) {
            return Attempt::Elsewhere;
        }
        Attempt::Same(self.retry.pause(self.connect))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn policy(redispatch: i32) -> RetryPolicy {
        let mut retry = Retry::default();
        retry.redispatch = redispatch;
        RetryPolicy { retries: 3, retry, free: false, connect: None, used: 0 }
    }

    fn attempts(mut policy: RetryPolicy) -> Vec<Attempt> {
        let mut all = Vec::new();
        loop {
            all.push(policy.failed(false));
            if all.last() == Some(&Attempt::Last) {
                return all;
            }
        }
    }

    #[test]
    fn the_last_retry_goes_elsewhere() {
        let same = Attempt::Same(SECOND);
        assert_eq!(attempts(policy(-1)), [same, same, Attempt::Elsewhere, Attempt::Last]);
        assert_eq!(attempts(policy(0)), [same, same, same, Attempt::Last]);
    }

    #[test]
    fn a_request_does_not_wait_for_a_server_that_is_down() {
        assert_eq!(policy(-1).failed(true), Attempt::Elsewhere);
        assert_eq!(policy(0).failed(true), Attempt::Same(SECOND));
    }

    #[test]
    fn a_free_request_moves_at_once() {
        assert_eq!(RetryPolicy { free: true, ..policy(-1) }.failed(false), Attempt::Elsewhere);
    }

    #[test]
    fn the_pause_is_no_longer_than_the_time_to_connect() {
        let mut quick = RetryPolicy { connect: Some(Duration::from_millis(300)), ..policy(-1) };
        assert_eq!(quick.failed(false), Attempt::Same(Duration::from_millis(300)));
    }
}
