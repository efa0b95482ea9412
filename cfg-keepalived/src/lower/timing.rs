//! When checkers run.

use crate::config::{Check, CheckKind, RealServer, Scheduling, VirtualServer};
use std::time::Duration;

/// How often the number in a file is looked at.
const FILES: Duration = Duration::from_secs(1);
/// How often a session is looked at.
const SESSIONS: Duration = Duration::from_millis(200);

/// When a checker runs and how often it must fail.
pub(crate) struct Timing {
    pub(crate) every: Duration,
    pub(crate) again: Duration,
    pub(crate) patience: Duration,
    pub(crate) tries: u32,
}

impl Timing {
    pub(crate) fn of(check: &Check, server: &VirtualServer, real: &RealServer) -> Self {
        let all = inherited(check, server, real);
        let (every, patience) = (delay_loop(&all), connect_timeout(&all));
        if matches!(check.kind, CheckKind::File(_)) {
            return Self { every: FILES, again: FILES, patience: connect_timeout(&[]), tries: 1 };
        }
        if matches!(check.kind, CheckKind::Bfd(_)) {
            return Self { every: SESSIONS, again: SESSIONS, patience: connect_timeout(&[]), tries: 1 };
        }
        let (retry, again) = match check.kind {
            CheckKind::Dns(_) => (3, every),
            CheckKind::Misc(_) => (0, Duration::from_secs(1)),
            CheckKind::Http(_) => (1, Duration::from_secs(3)),
            _ => (1, Duration::from_secs(1)),
        };
        Self {
            every,
            again: Scheduling::first(&all, |of| of.delay_before_retry).unwrap_or(again),
            patience,
            tries: Scheduling::first(&all, |of| of.retry).unwrap_or(retry).saturating_add(1),
        }
    }
}

/// Where the settings of a checker are looked for: with itself, its server and the service, in this order.
pub(crate) fn inherited<'a>(
    check: &'a Check,
    server: &'a VirtualServer,
    real: &'a RealServer,
) -> [&'a Scheduling; 3] {
    [&check.scheduling, &real.scheduling, &server.scheduling]
}

/// `delay_loop`, a minute unless set.
pub(crate) fn delay_loop(from: &[&Scheduling]) -> Duration {
    Scheduling::first(from, |of| of.delay_loop).unwrap_or(Duration::from_secs(60))
}

/// `connect_timeout`, five seconds unless set.
pub(crate) fn connect_timeout(from: &[&Scheduling]) -> Duration {
    Scheduling::first(from, |of| of.connect_timeout).unwrap_or(Duration::from_secs(5))
}
