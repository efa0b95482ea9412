//! States of frontends, listeners and servers, with the words and colours people know them by.

use std::fmt;

/// What a frontend is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FrontendState {
    /// Accepting.
    #[default]
    Open,
    /// All its connection slots are taken.
    Full,
    /// Paused by the operator.
    Paused,
    /// Stopped for good.
    Stopped,
}

impl FrontendState {
    /// The word in the status column.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Full => "FULL",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOP",
        }
    }
}

/// What a listener is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ListenerState {
    /// Accepting.
    #[default]
    Open,
    /// All its connection slots are taken.
    Full,
    /// Waiting for a limit of its frontend or of the process.
    Waiting,
}

impl ListenerState {
    /// The word in the status column.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Full => "FULL",
            Self::Waiting => "WAITING",
        }
    }
}

/// State of a server.
///
/// Where a variant carries two numbers they are the ones shown: good or remaining checks, and how many it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerStatus {
    /// Not checked, taken for up.
    NoCheck,
    /// Up.
    Up,
    /// Up, but the last checks failed.
    UpGoingDown(i32, u32),
    /// Down.
    Down,
    /// Down because the agent says so.
    DownAgent,
    /// Down, but the last checks succeeded.
    DownGoingUp(u32, u32),
    /// Up without load balancing (`http-check disable-on-404`).
    Nolb,
    /// The same, but the last checks failed.
    NolbGoingDown(i32, u32),
    /// Taken out of load balancing.
    Drain,
    /// The same, but the last checks failed.
    DrainGoingDown(i32, u32),
    /// Taken out of load balancing, with an agent that may have a say.
    DrainAgent,
    /// In maintenance.
    Maint,
    /// In maintenance because the server it tracks is (`backend/server`).
    MaintVia(String),
    /// In maintenance because its name does not resolve.
    MaintResolution,
}

impl ServerStatus {
    /// Class of the row on the statistics page.
    pub const fn class(&self, backup: bool) -> &'static str {
        match (self, backup) {
            (Self::NoCheck, false) => "active_no_check",
            (Self::NoCheck, true) => "backup_no_check",
            (Self::Up, false) => "active_up",
            (Self::Up, true) => "backup_up",
            (Self::UpGoingDown(..), false) => "active_going_down",
            (Self::UpGoingDown(..), true) => "backup_going_down",
            (Self::Down | Self::DownAgent, false) => "active_down",
            (Self::Down | Self::DownAgent, true) => "backup_down",
            (Self::DownGoingUp(..), false) => "active_going_up",
            (Self::DownGoingUp(..), true) => "backup_going_up",
            (Self::Nolb | Self::NolbGoingDown(..), false) => "active_nolb",
            (Self::Nolb | Self::NolbGoingDown(..), true) => "backup_nolb",
            (Self::Drain | Self::DrainAgent | Self::DrainGoingDown(..), false) => "active_draining",
            (Self::Drain | Self::DrainAgent | Self::DrainGoingDown(..), true) => "backup_draining",
            (Self::Maint | Self::MaintVia(_) | Self::MaintResolution, _) => "maintain",
        }
    }

    /// Whether the server is down or in maintenance, so that "hide DOWN servers" hides it.
    pub const fn is_down(&self) -> bool {
        matches!(
            self,
            Self::Down
                | Self::DownAgent
                | Self::DownGoingUp(..)
                | Self::Maint
                | Self::MaintVia(_)
                | Self::MaintResolution
        )
    }

    /// Whether the server is in maintenance, so that `no-maint` hides it.
    pub const fn is_maintenance(&self) -> bool {
        matches!(self, Self::Maint | Self::MaintVia(_) | Self::MaintResolution)
    }
}

impl fmt::Display for ServerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCheck => f.write_str("no check"),
            Self::Up => f.write_str("UP"),
            Self::UpGoingDown(left, of) => write!(f, "UP {left}/{of}"),
            Self::Down => f.write_str("DOWN"),
            Self::DownAgent => f.write_str("DOWN (agent)"),
            Self::DownGoingUp(good, of) => write!(f, "DOWN {good}/{of}"),
            Self::Nolb => f.write_str("NOLB"),
            Self::NolbGoingDown(left, of) => write!(f, "NOLB {left}/{of}"),
            Self::Drain => f.write_str("DRAIN"),
            Self::DrainAgent => f.write_str("DRAIN (agent)"),
            Self::DrainGoingDown(left, of) => write!(f, "DRAIN {left}/{of}"),
            Self::Maint => f.write_str("MAINT"),
            Self::MaintVia(tracked) => write!(f, "MAINT (via {tracked})"),
            Self::MaintResolution => f.write_str("MAINT (resolution)"),
        }
    }
}
