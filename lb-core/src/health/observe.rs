//! Passive checking: conclusions from live traffic (`observe`, `error-limit`, `on-error`).

use super::{Monitor, Status, Verdict};

/// Which traffic is watched.
#[expect(clippy::exhaustive_enums, reason = "the words a configuration can use")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Observe {
    /// Whether connections are established.
    Layer4,
    /// Whether responses are valid and not server errors.
    Layer7,
}

/// What happens when there were too many errors in a row.
#[expect(clippy::exhaustive_enums, reason = "the words a configuration can use")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnError {
    /// The next check comes early; all the others imply this.
    FastInter,
    /// As if a check had failed.
    #[default]
    FailCheck,
    /// As if a check had failed, and one more failure will be fatal.
    SuddenDeath,
    /// The server is marked down at once.
    MarkDown,
}

/// What was seen on one connection to the server.
#[expect(clippy::exhaustive_enums, reason = "the observer must decide about every one")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Observation {
    /// A connection was established.
    Connected,
    /// A connection could not be established.
    NotConnected,
    /// A response with this status.
    Response(u16),
    /// A response whose header could not be understood.
    InvalidHeaders,
    /// A response that could not be understood.
    InvalidResponse,
    /// Reading from the server failed.
    ReadError,
    /// The server did not answer in time.
    ReadTimeout,
    /// The server closed the connection too early.
    BrokenPipe,
}

impl Observation {
    /// True for an error, false for a success, nothing if it does not matter to this kind of observer.
    fn is_error(self, observe: Observe) -> Option<bool> {
        match (observe, self) {
            (Observe::Layer4, Self::Connected) => Some(false),
            (Observe::Layer4 | Observe::Layer7, Self::NotConnected) => Some(true),
            (Observe::Layer7, Self::Response(status)) => Some(!matches!(status, 100..=499 | 501 | 505)),
            (
                Observe::Layer7,
                Self::InvalidHeaders
                | Self::InvalidResponse
                | Self::ReadError
                | Self::ReadTimeout
                | Self::BrokenPipe,
            ) => Some(true),
            (Observe::Layer4, _) | (Observe::Layer7, Self::Connected) => None,
        }
    }

    const fn description(self) -> &'static str {
        match self {
            Self::Connected => "L4 successful connection",
            Self::NotConnected => "L4 unsuccessful connection",
            Self::Response(100..=499 | 501 | 505) => "Correct http response",
            Self::Response(_) => "Wrong http response",
            Self::InvalidHeaders => "Invalid http response (headers)",
            Self::InvalidResponse => "Invalid http response",
            Self::ReadError => "Read error (http)",
            Self::ReadTimeout => "Read timeout (http)",
            Self::BrokenPipe => "Close from server (http)",
        }
    }
}

/// Counts consecutive errors on the traffic of one server.
#[derive(Clone, Debug)]
pub struct Observer {
    observe: Observe,
    limit: u32,
    on_error: OnError,
    errors: u32,
}

impl Observer {
    /// An observer that acts at `limit` errors in a row (`error-limit`, 10 by default).
    pub fn new(observe: Observe, limit: u32, on_error: OnError) -> Self {
        Self { observe, limit: limit.max(1), on_error, errors: 0 }
    }

    /// Takes note of what was seen. Returns the text of the failure to simulate when the limit is reached; the caller
    /// passes it to [`strike`](Self::strike) for the server's monitor.
    pub fn note(&mut self, seen: Observation) -> Option<Verdict> {
        if !seen.is_error(self.observe)? {
            self.errors = 0;
            return None;
        }
        self.errors += 1;
        if self.errors < self.limit {
            return None;
        }
        let info =
            format!("Detected {} consecutive errors, last one was: {}", self.errors, seen.description());
        self.errors = 0;
        Some(Verdict::new(Status::Observed).with_info(info))
    }

    /// Prepares the monitor for the failure to come. Returns whether the failure is to be reported to it at all.
    pub fn strike(&self, monitor: &mut Monitor) -> bool {
        monitor.hurry();
        match self.on_error {
            OnError::FastInter => return false,
            OnError::FailCheck => {}
            OnError::SuddenDeath => monitor.weaken(),
            OnError::MarkDown => monitor.doom(),
        }
        true
    }

    /// Forgets errors; called after every successful check.
    pub fn reset(&mut self) {
        self.errors = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::CheckKind;
    use super::*;

    #[test]
    fn errors_count_only_in_a_row() {
        let mut observer = Observer::new(Observe::Layer7, 3, OnError::FailCheck);
        for seen in [Observation::Response(500), Observation::BrokenPipe, Observation::Response(404)] {
            assert_eq!(observer.note(seen), None);
        }
        observer.note(Observation::Response(503));
        observer.note(Observation::Connected);
        observer.note(Observation::ReadTimeout);
        let verdict = observer.note(Observation::NotConnected).unwrap();
        assert_eq!(verdict.info, "Detected 3 consecutive errors, last one was: L4 unsuccessful connection");
        assert_eq!(observer.note(Observation::ReadError), None);
    }

    #[test]
    fn layer_4_ignores_responses() {
        let mut observer = Observer::new(Observe::Layer4, 1, OnError::FailCheck);
        assert_eq!(observer.note(Observation::Response(500)), None);
        assert!(observer.note(Observation::NotConnected).is_some());
    }

    #[test]
    fn some_server_errors_are_fine() {
        for (status, error) in
            [(100, false), (404, false), (500, true), (501, false), (503, true), (505, false)]
        {
            assert_eq!(Observation::Response(status).is_error(Observe::Layer7), Some(error), "{status}");
        }
    }

    #[test]
    fn what_happens_on_error() {
        // rise 2, fall 4, full health is 5.
        for (on_error, report, health) in [
            (OnError::FastInter, false, 5),
            (OnError::FailCheck, true, 4),
            (OnError::SuddenDeath, true, 2),
            (OnError::MarkDown, true, 0),
        ] {
            let mut monitor = Monitor::new(CheckKind::Health, 2, 4);
            monitor.force(true);
            let mut observer = Observer::new(Observe::Layer4, 1, on_error);
            let verdict = observer.note(Observation::NotConnected).unwrap();
            assert_eq!(observer.strike(&mut monitor), report);
            if report {
                monitor.conclude(&verdict, None);
            }
            assert_eq!(monitor.health(), health, "{on_error:?}");
        }
    }
}
