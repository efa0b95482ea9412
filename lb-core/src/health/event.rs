//! What happened to servers, as data, and the lines people have been grepping for since the nineties.
//!
//! The wording of every line is an interface: monitoring systems match it. Each line ends with its full stop and has no
//! line end.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::{LastCheck, Outcome};

/// Something about a pool or a server that is written to the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HealthEvent {
    /// A server changed its state.
    Server(ServerChange),
    /// A check had a result worth a line (`option log-health-checks`).
    Check(CheckResult),
    /// Name servers gave a server another address.
    Moved {
        /// Which server.
        server: ServerLabel,
        /// The address before.
        from: Option<IpAddr>,
        /// The new one.
        to: IpAddr,
        /// Who said so.
        by: Arc<str>,
    },
    /// Name servers know the name of a server again.
    Found(ServerLabel),
    /// The last usable server of a pool is gone.
    Empty {
        /// `backend` or `proxy`.
        label: &'static str,
        /// Name of the pool.
        pool: Arc<str>,
    },
}

/// How loudly an event is logged.
#[expect(clippy::exhaustive_enums, reason = "the levels used by these events")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventLevel {
    /// syslog 0
    Emergency,
    /// syslog 1
    Alert,
    /// syslog 5
    Notice,
}

impl HealthEvent {
    /// The level the event is logged at.
    pub const fn level(&self) -> EventLevel {
        match self {
            Self::Empty { .. } => EventLevel::Emergency,
            Self::Check(_) | Self::Moved { .. } | Self::Found(_) => EventLevel::Notice,
            Self::Server(change) => match change.kind {
                // A server that was not taking new clients anyway is not worth an alert.
                Change::Down | Change::EntersMaintenance if !change.was_stopping => EventLevel::Alert,
                _ => EventLevel::Notice,
            },
        }
    }
}

impl fmt::Display for HealthEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(change) => change.fmt(f),
            Self::Check(result) => result.fmt(f),
            Self::Moved { server, from, to, by } => {
                let from = from.map_or_else(|| "(none)".to_owned(), |ip| ip.to_string());
                write!(f, "{server}: IP changed from '{from}' to '{to}' by '{by}'.")
            }
            Self::Found(server) => {
                write!(f, "Server {server} administratively READY thanks to valid DNS answer.")
            }
            Self::Empty { label, pool } => write!(f, "{label} {pool} has no server available!"),
        }
    }
}

/// A server, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerLabel {
    /// Name of its pool.
    pub pool: Arc<str>,
    /// Its name.
    pub server: Arc<str>,
}

impl ServerLabel {
    /// A server of a pool.
    pub fn new(pool: impl Into<Arc<str>>, server: impl Into<Arc<str>>) -> Self {
        Self { pool: pool.into(), server: server.into() }
    }
}

impl fmt::Display for ServerLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.pool, self.server)
    }
}

/// A change of a server's state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerChange {
    /// Which server.
    pub server: ServerLabel,
    /// Whether it is a backup server.
    pub backup: bool,
    /// What changed.
    pub kind: Change,
    /// Why, if the line says so.
    pub cause: Cause,
    /// The server whose state it follows, if the change came from there.
    pub via: Option<ServerLabel>,
    /// What is left of the pool, for the lines that say so.
    pub remains: Option<Remains>,
    /// Whether it did not take new clients before.
    pub was_stopping: bool,
}

impl ServerChange {
    /// A change without cause or consequences.
    pub const fn new(server: ServerLabel, backup: bool, kind: Change) -> Self {
        Self { server, backup, kind, cause: Cause::Unsaid, via: None, remains: None, was_stopping: false }
    }
}

/// Kinds of change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The server is up.
    Up,
    /// The server is down.
    Down,
    /// The server takes no new clients because its checks say so.
    Stopping,
    /// A working server enters maintenance.
    EntersMaintenance,
    /// A server that was down enters maintenance.
    EntersMaintenanceDown,
    /// The server leaves maintenance.
    LeavesMaintenance {
        /// Which maintenance it was.
        from: Maintenance,
        /// Whether it is up now.
        up: bool,
        /// Whether it still drains.
        draining: bool,
    },
    /// One reason for maintenance is gone, another remains.
    RemainsInMaintenance {
        /// Which reason is gone.
        from: Maintenance,
    },
    /// The server begins to drain.
    EntersDrain,
    /// The server no longer drains.
    LeavesDrain {
        /// Whether the drain was ordered rather than inherited.
        forced: bool,
        /// Whether it is up.
        up: bool,
    },
    /// One reason for draining is gone, another remains.
    RemainsInDrain {
        /// Whether the remaining reason is an order.
        forced: bool,
    },
}

/// Reasons for maintenance.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Maintenance {
    /// By order.
    Forced,
    /// Inherited from the tracked server.
    Inherited,
    /// The server's name (given here) did not resolve.
    Resolution(Arc<str>),
}

/// Why a state changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The line does not say.
    #[default]
    Unsaid,
    /// A check said so, with its last result.
    Check(LastCheck),
    /// An operator said so: `changed from CLI`.
    Operator(&'static str),
    /// An administrative reason in parentheses.
    Admin(&'static str),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsaid => Ok(()),
            Self::Check(last) => last.fmt(f),
            Self::Operator(words) => write!(f, ", {words}"),
            Self::Admin(words) => write!(f, " ({words})"),
        }
    }
}

/// The pool after a change.
#[expect(clippy::exhaustive_structs, reason = "plain data")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remains {
    /// Usable active servers.
    pub active: u32,
    /// Usable backup servers.
    pub backup: u32,
    /// Sessions on the server; only said when it is down.
    pub sessions: Option<u32>,
    /// Queued requests that were sent elsewhere, or that the server took.
    pub requeued: u32,
    /// Requests still waiting for the server.
    pub queued: u32,
}

impl fmt::Display for Remains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { active, backup, sessions, requeued, queued } = *self;
        let whence = if sessions.is_some() { "left" } else { "online" };
        write!(f, ". {active} active and {backup} backup servers {whence}.")?;
        if active == 0 && backup > 0 {
            f.write_str(" Running on backup.")?;
        }
        match sessions {
            Some(sessions) => {
                write!(f, " {sessions} sessions active, {requeued} requeued, {queued} remaining in queue")
            }
            None => write!(f, " {requeued} sessions requeued, {queued} total in queue"),
        }
    }
}

impl fmt::Display for ServerChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |up: bool| if up { "UP" } else { "DOWN" };
        let mode = |draining: bool| if draining { "DRAIN" } else { "READY" };
        if self.backup {
            f.write_str("Backup ")?;
        }
        write!(f, "Server {} ", self.server)?;
        if let Change::LeavesMaintenance { from: Maintenance::Resolution(name), .. }
        | Change::RemainsInMaintenance { from: Maintenance::Resolution(name) } = &self.kind
            && !name.is_empty()
        {
            write!(f, "('{name}') ")?;
        }
        match &self.kind {
            Change::Up => f.write_str("is UP")?,
            Change::Down => f.write_str("is DOWN")?,
            Change::Stopping => f.write_str("is stopping")?,
            Change::EntersMaintenance => f.write_str("is going DOWN for maintenance")?,
            Change::EntersMaintenanceDown => f.write_str("was DOWN and now enters maintenance")?,
            Change::LeavesMaintenance { from, up, draining } => {
                let what = match from {
                    Maintenance::Forced => "leaving forced maintenance",
                    Maintenance::Inherited => "leaving maintenance",
                    Maintenance::Resolution(_) => "resolves again",
                };
                write!(f, "is {}/{} ({what})", side(*up), mode(*draining))?;
            }
            Change::RemainsInMaintenance { from } => f.write_str(match from {
                Maintenance::Forced => "is leaving forced maintenance but remains in maintenance",
                Maintenance::Inherited => "remains in forced maintenance",
                Maintenance::Resolution(_) => "resolves again but remains in maintenance",
            })?,
            Change::EntersDrain => f.write_str("enters drain state")?,
            Change::LeavesDrain { forced: true, up } => write!(f, "is {} (leaving forced drain)", side(*up))?,
            Change::LeavesDrain { forced: false, up } => write!(f, "is {} (leaving drain)", side(*up))?,
            Change::RemainsInDrain { forced: true } => f.write_str("remains in forced drain mode")?,
            Change::RemainsInDrain { forced: false } => f.write_str("remains in drain mode")?,
        }
        self.cause.fmt(f)?;
        if let Some(via) = &self.via {
            write!(f, " via {via}")?;
        }
        if let Some(remains) = &self.remains {
            remains.fmt(f)?;
        }
        f.write_str(".")
    }
}

/// A finished check that changed something.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckResult {
    /// Which server.
    pub server: ServerLabel,
    /// Whether it is a backup server.
    pub backup: bool,
    /// Whether the agent was asked.
    pub agent: bool,
    /// The result.
    pub last: LastCheck,
    /// Position and length of the health counter on its side.
    pub progress: (u32, u32),
    /// Whether the check considers the server up.
    pub up: bool,
    /// Whether the server's weight is 0, so that it drains while up.
    pub weightless: bool,
}

impl fmt::Display for CheckResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.last.status.outcome() {
            Outcome::Conditional => "conditionally succeeded",
            Outcome::Passed => "succeeded",
            Outcome::Neutral | Outcome::Failed => "failed",
        };
        let side = match (self.up, self.weightless) {
            (true, false) => "UP",
            (true, true) => "DRAIN",
            (false, _) => "DOWN",
        };
        let kind = if self.agent { "Agent" } else { "Health" };
        let backup = if self.backup { "backup " } else { "" };
        let (position, length) = self.progress;
        let Self { server, last, .. } = self;
        write!(
            f,
            "{kind} check for {backup}server {server} {outcome}{last}, status: {position}/{length} {side}."
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Status;
    use super::*;

    fn change(kind: Change) -> ServerChange {
        ServerChange::new(ServerLabel::new("be", "s1"), false, kind)
    }

    fn last(status: Status, info: &str) -> LastCheck {
        LastCheck { status, code: 200, info: info.into(), duration: Some(Duration::from_millis(1)) }
    }

    #[test]
    fn a_server_that_goes_down() {
        let mut change = change(Change::Down);
        change.cause = Cause::Check(last(Status::L4Connection, "Connection refused"));
        change.remains = Some(Remains { active: 0, backup: 1, sessions: Some(3), requeued: 2, queued: 0 });
        let event = HealthEvent::Server(change.clone());
        assert_eq!(
            event.to_string(),
            "Server be/s1 is DOWN, reason: Layer4 connection problem, info: \"Connection refused\", check duration: \
             1ms. 0 active and 1 backup servers left. Running on backup. 3 sessions active, 2 requeued, 0 remaining in \
             queue."
        );
        assert_eq!(event.level(), EventLevel::Alert);
        change.was_stopping = true;
        assert_eq!(HealthEvent::Server(change).level(), EventLevel::Notice);
    }

    #[test]
    fn a_backup_server_that_follows_another_one_up() {
        let mut change = change(Change::Up);
        change.backup = true;
        change.via = Some(ServerLabel::new("other", "lead"));
        change.remains = Some(Remains { active: 2, backup: 1, sessions: None, requeued: 0, queued: 0 });
        assert_eq!(
            change.to_string(),
            "Backup Server be/s1 is UP via other/lead. 2 active and 1 backup servers online. 0 sessions requeued, 0 \
             total in queue."
        );
    }

    #[test]
    fn administrative_lines() {
        let resolution = || Maintenance::Resolution("app.example".into());
        for (kind, line) in [
            (Change::Stopping, "is stopping."),
            (Change::EntersMaintenance, "is going DOWN for maintenance."),
            (Change::EntersMaintenanceDown, "was DOWN and now enters maintenance."),
            (
                Change::LeavesMaintenance { from: Maintenance::Forced, up: true, draining: false },
                "is UP/READY (leaving forced maintenance).",
            ),
            (
                Change::LeavesMaintenance { from: Maintenance::Inherited, up: false, draining: true },
                "is DOWN/DRAIN (leaving maintenance).",
            ),
            (
                Change::LeavesMaintenance { from: resolution(), up: true, draining: false },
                "('app.example') is UP/READY (resolves again).",
            ),
            (
                Change::RemainsInMaintenance { from: Maintenance::Forced },
                "is leaving forced maintenance but remains in maintenance.",
            ),
            (Change::RemainsInMaintenance { from: Maintenance::Inherited }, "remains in forced maintenance."),
            (
                Change::RemainsInMaintenance { from: resolution() },
                "('app.example') resolves again but remains in maintenance.",
            ),
            (Change::EntersDrain, "enters drain state."),
            (Change::LeavesDrain { forced: true, up: true }, "is UP (leaving forced drain)."),
            (Change::LeavesDrain { forced: false, up: false }, "is DOWN (leaving drain)."),
            (Change::RemainsInDrain { forced: true }, "remains in forced drain mode."),
            (Change::RemainsInDrain { forced: false }, "remains in drain mode."),
        ] {
            assert_eq!(change(kind).to_string(), format!("Server be/s1 {line}"));
        }
        let mut maintenance = change(Change::EntersMaintenance);
        maintenance.cause = Cause::Admin("DNS NX status");
        assert_eq!(maintenance.to_string(), "Server be/s1 is going DOWN for maintenance (DNS NX status).");
        let mut down = change(Change::Down);
        down.cause = Cause::Operator("changed from CLI");
        assert_eq!(down.to_string(), "Server be/s1 is DOWN, changed from CLI.");
    }

    #[test]
    fn check_results() {
        let mut result = CheckResult {
            server: ServerLabel::new("be", "s1"),
            backup: false,
            agent: false,
            last: last(Status::L7Ok, ""),
            progress: (3, 3),
            up: true,
            weightless: false,
        };
        assert_eq!(
            HealthEvent::Check(result.clone()).to_string(),
            "Health check for server be/s1 succeeded, reason: Layer7 check passed, code: 200, check duration: 1ms, \
             status: 3/3 UP."
        );
        result.last.status = Status::L7OkConditional;
        (result.backup, result.agent, result.weightless) = (true, true, true);
        assert!(
            result
                .to_string()
                .starts_with("Agent check for backup server be/s1 conditionally succeeded, reason: Layer7")
        );
        assert!(result.to_string().ends_with("status: 3/3 DRAIN."));
    }

    #[test]
    fn an_empty_pool_is_an_emergency() {
        let event = HealthEvent::Empty { label: "backend", pool: "be".into() };
        assert_eq!(event.to_string(), "backend be has no server available!");
        assert_eq!(event.level(), EventLevel::Emergency);
    }
}
