//! Programs to run, and as whom.

use std::sync::Arc;

use super::Origin;

/// A program with its arguments. Never a shell line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Command {
    /// Where it was configured.
    pub origin: Origin,
    /// The command line as written, for messages.
    pub line: String,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// User and group; the router-wide script user if absent.
    pub run_as: Option<RunAs>,
    /// Only test that the file named by the first argument can be opened (the `</path` form of check scripts).
    pub only_readable: bool,
}

impl Command {
    /// A command from program and arguments.
    pub fn new<I, S>(argv: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        let argv: Vec<String> = argv.into_iter().map(Into::into).collect();
        Self { origin: Origin::default(), line: argv.join(" "), argv, run_as: None, only_readable: false }
    }
}

/// User and group to run a program as, by name or number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RunAs {
    /// The user.
    pub user: String,
    /// The group; the primary group of the user if absent.
    pub group: Option<String>,
}

impl RunAs {
    /// A user with its primary group.
    #[must_use]
    pub fn new(user: impl Into<String>) -> Self {
        Self { user: user.into(), group: None }
    }
}

/// What to run on state changes of an instance or a group. Shared, because each notification carries its command.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct NotifyScripts {
    /// On becoming master (`notify_master`).
    pub master: Option<Arc<Command>>,
    /// On becoming backup, also at the start (`notify_backup`).
    pub backup: Option<Arc<Command>>,
    /// On a fault (`notify_fault`).
    pub fault: Option<Arc<Command>>,
    /// On the orderly stop (`notify_stop`).
    pub stop: Option<Arc<Command>>,
    /// When the instance disappears from the configuration (`notify_deleted` with a script).
    pub deleted: Option<Arc<Command>>,
    /// Tell that an instance was deleted as DELETED (`notify_deleted` with or without a script), not as FAULT.
    pub tell_deleted: bool,
    /// When a master hears a lower priority (`notify_master_rx_lower_pri`).
    pub master_rx_lower_pri: Option<Arc<Command>>,
    /// On every change, with kind, name, state and priority appended to the arguments (`notify`).
    pub any: Option<Arc<Command>>,
}
