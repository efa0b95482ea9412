//! Trackers, and the groups of instances.

use std::time::Duration;

use super::{Command, Name, NotifyScripts, Origin, Shared};

/// What a tracker does to the priority. Zero means: its failure is a fault of the instance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Weight {
    /// Added while the tracker is well if positive, added while it fails if negative; -253 to 253, or for files any
    /// number, which is then the factor of the number in the file.
    pub value: i32,
    /// Swap well and failed (`reverse`).
    pub reverse: bool,
}

impl Weight {
    /// The weight of a tracker whose failure is a fault.
    pub const FAULT: Self = Self { value: 0, reverse: false };

    /// A weight that is not reversed.
    #[must_use]
    pub const fn new(value: i32) -> Self {
        Self { value, reverse: false }
    }

    /// A weight with well and failed swapped.
    #[must_use]
    pub const fn reversed(value: i32) -> Self {
        Self { value, reverse: true }
    }
}

/// A periodic check (`vrrp_script`).
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Script {
    /// Where it was configured.
    pub origin: Origin,
    /// Its name.
    pub name: Name,
    /// What to run.
    pub command: Command,
    /// Time between two starts.
    pub interval: Duration,
    /// How long it may run; the interval if absent.
    pub timeout: Option<Duration>,
    /// Effect where an instance names no other.
    pub weight: Weight,
    /// Successes in a row until a failed check is well again.
    pub rise: u32,
    /// Failures in a row until a well check is failed.
    pub fall: u32,
    /// Taken for failed until it has returned once (`init_fail`).
    pub init_fail: bool,
}

impl Script {
    /// A script run every second, whose failure is a fault.
    #[must_use]
    pub fn new(name: impl Into<Name>, command: Command) -> Self {
        Self {
            origin: Origin::default(),
            name: name.into(),
            command,
            interval: Duration::from_secs(1),
            timeout: None,
            weight: Weight::FAULT,
            rise: 1,
            fall: 1,
            init_fail: false,
        }
    }

    /// How long a run may take.
    #[must_use]
    pub fn time_limit(&self) -> Duration {
        self.timeout.unwrap_or(self.interval)
    }
}

/// A number read from a file (`track_file`): priority changes by number × weight.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TrackFile {
    /// Where it was configured.
    pub origin: Origin,
    /// Its name.
    pub name: Name,
    /// The file.
    pub path: String,
    /// Effect where an instance names no other. With zero any number but zero is a fault.
    pub weight: Weight,
    /// Written to the file at the start if it does not exist, or always if the flag is set (`init_file`).
    pub initial: Option<(i32, bool)>,
}

impl TrackFile {
    /// A file of weight one.
    #[must_use]
    pub fn new(name: impl Into<Name>, path: impl Into<String>) -> Self {
        Self {
            origin: Origin::default(),
            name: name.into(),
            path: path.into(),
            weight: Weight::new(1),
            initial: None,
        }
    }
}

/// Processes that must be present (`vrrp_track_process`).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TrackProcess {
    /// Where it was configured.
    pub origin: Origin,
    /// Its name.
    pub name: Name,
    /// The program and the arguments to look for.
    pub argv: Vec<String>,
    /// How the arguments are compared.
    pub matching: ProcessMatch,
    /// Compare the whole command line, not the kernel's 15 characters of the name (`full_command`).
    pub full_command: bool,
    /// Effect where an instance names no other.
    pub weight: Weight,
    /// At least this many must run.
    pub quorum: u32,
    /// At most this many may run.
    pub quorum_max: Option<u32>,
    /// How long the number must be right again before it counts (`fork_delay`, `delay`).
    pub fork_delay: Duration,
    /// How long the number must be wrong before it counts (`terminate_delay`, `delay`).
    pub terminate_delay: Duration,
}

impl TrackProcess {
    /// One process of this name, whose absence is a fault.
    #[must_use]
    pub fn new(name: impl Into<Name>, argv: Vec<String>) -> Self {
        Self {
            origin: Origin::default(),
            name: name.into(),
            argv,
            matching: ProcessMatch::NameOnly,
            full_command: false,
            weight: Weight::FAULT,
            quorum: 1,
            quorum_max: None,
            fork_delay: Duration::ZERO,
            terminate_delay: Duration::ZERO,
        }
    }
}

/// How the arguments of a process are compared (`param_match`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ProcessMatch {
    /// Not at all.
    #[default]
    NameOnly,
    /// All equal.
    Exact,
    /// The process has at least these, in this order, at the start.
    Initial,
    /// As `Initial`, and the last one may be longer.
    Partial,
}

/// A condition reported by the program around the router, for instance "this proxy serves" or "this pool has a live
/// server" (`track_backend`). The name of what is watched is for the reporter alone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct External {
    /// Where it was configured.
    pub origin: Origin,
    /// Its name, by which [`Input::Track`](crate::Input::Track) reports.
    pub name: Name,
    /// What it watches, in the words of whoever reports.
    pub target: String,
    /// Effect where an instance names no other.
    pub weight: Weight,
    /// Taken for well until the first report. Otherwise an instance it could fault stays silent until then.
    pub assume_up: bool,
}

impl External {
    /// A condition whose failure is a fault and which is unknown until reported.
    #[must_use]
    pub fn new(name: impl Into<Name>) -> Self {
        let name = name.into();
        Self {
            origin: Origin::default(),
            target: name.as_str().to_owned(),
            name,
            weight: Weight::FAULT,
            assume_up: false,
        }
    }
}

/// The use of a named tracker by an instance or a group.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TrackRef {
    /// Where it was configured.
    pub origin: Origin,
    /// The tracker.
    pub name: Name,
    /// Effect here; the tracker's own if absent.
    pub weight: Option<Weight>,
}

impl TrackRef {
    /// A tracker with its own weight.
    #[must_use]
    pub fn new(name: impl Into<Name>) -> Self {
        Self { origin: Origin::default(), name: name.into(), weight: None }
    }

    /// A tracker with a weight of this use.
    #[must_use]
    pub fn weighted(name: impl Into<Name>, weight: Weight) -> Self {
        Self { origin: Origin::default(), name: name.into(), weight: Some(weight) }
    }
}

/// The use of an interface as a tracker.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct InterfaceRef {
    /// Where it was configured.
    pub origin: Origin,
    /// The interface.
    pub interface: Name,
    /// Effect here.
    pub weight: Weight,
}

impl InterfaceRef {
    /// An interface whose loss is a fault.
    #[must_use]
    pub fn new(interface: impl Into<Name>) -> Self {
        Self { origin: Origin::default(), interface: interface.into(), weight: Weight::FAULT }
    }
}

/// Everything an instance or a group watches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TrackList {
    /// `track_interface`.
    pub interfaces: Vec<InterfaceRef>,
    /// `track_script`.
    pub scripts: Vec<TrackRef>,
    /// `track_file`.
    pub files: Vec<TrackRef>,
    /// `track_process`.
    pub processes: Vec<TrackRef>,
    /// `track_backend`.
    pub externals: Vec<TrackRef>,
    /// `track_bfd`.
    pub bfds: Vec<TrackRef>,
}

/// Instances that change state together (`vrrp_sync_group`).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SyncGroup {
    /// Where it was configured.
    pub origin: Origin,
    /// Its name.
    pub name: Name,
    /// Names of the member instances.
    pub members: Vec<Name>,
    /// Trackers of all members.
    pub track: Shared<TrackList>,
    /// Allow weights other than zero in the group (`sync_group_tracking_weight`). Without it a weighted interface of a
    /// member counts as one whose loss is a fault, and other weighted trackers of members are left out.
    pub tracking_weight: bool,
    /// What to run on state changes of the group.
    pub notify: Shared<NotifyScripts>,
    /// Notify changes of the priority, too.
    pub notify_priority_changes: bool,
    /// Mail state changes.
    pub smtp_alert: bool,
}

impl SyncGroup {
    /// A group of these instances.
    #[must_use]
    pub fn new(name: impl Into<Name>, members: Vec<Name>) -> Self {
        Self {
            origin: Origin::default(),
            name: name.into(),
            members,
            track: Shared::default(),
            tracking_weight: false,
            notify: Shared::default(),
            notify_priority_changes: false,
            smtp_alert: false,
        }
    }
}
