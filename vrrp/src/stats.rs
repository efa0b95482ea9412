//! Counters of an instance, and the picture an operator gets.

use std::net::IpAddr;
use std::time::Duration;

use crate::advert::AdvertReject;
use crate::spec::{AdvertInterval, Name};

/// Counters of one instance, since the start or the last clearing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Stats {
    /// Adverts received and found valid.
    pub adverts_received: u64,
    /// Adverts sent, those of priority zero included; unicast counts one per round, not per peer.
    pub adverts_sent: u64,
    /// Times this instance became master.
    pub became_master: u64,
    /// Times it ceased to be.
    pub released_master: u64,
    /// Valid adverts of priority zero received.
    pub priority_zero_received: u64,
    /// Adverts of priority zero sent.
    pub priority_zero_sent: u64,
    /// Valid adverts whose addresses are not ours; they are honoured all the same.
    pub address_list_mismatches: u64,
    /// Announcements (gratuitous ARP and neighbour advertisements) sent.
    pub announcements: u64,
    /// Announcements and answers withheld because a rival spoke too often.
    pub answers_limited: u64,
    /// Virtual addresses put back after somebody else removed them.
    pub addresses_restored: u64,
    /// Times the process woke up too late to still call itself master.
    pub late_wakes: u64,
    /// Times a master yielded on its own because of its trackers.
    pub step_downs: u64,
    /// Times another machine was heard to answer for an address held here.
    pub claims_heard: u64,
    /// Farewells of routers that went on advertising as if nothing had happened: somebody else sent them.
    pub false_farewells: u64,
    /// Rejected packets by reason, in the order of [`AdvertReject::ALL`]; nothing while there were none, as in nearly all
    /// of a thousand instances.
    rejects: Option<Box<[u64; AdvertReject::ALL.len()]>>,
}

impl Stats {
    /// How many packets were rejected for this reason.
    #[must_use]
    pub fn rejected(&self, reason: AdvertReject) -> u64 {
        self.rejects.as_ref().map_or(0, |rejects| rejects[reason as usize])
    }

    /// How many packets were rejected.
    #[must_use]
    pub fn rejected_total(&self) -> u64 {
        self.rejects.iter().flat_map(|rejects| rejects.iter()).sum()
    }

    pub(crate) fn reject(&mut self, reason: AdvertReject) {
        self.rejects.get_or_insert_default()[reason as usize] += 1;
    }
}

/// The state of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum StateKind {
    /// Not started, or waiting in silence for the first results of its checks.
    Init,
    /// Listens to a master.
    Backup,
    /// Holds the addresses.
    Master,
    /// Cannot take part.
    Fault,
    /// Has told it stops and holds the addresses until the successor is heard.
    Releasing,
    /// Stopped.
    Stopped,
}

impl StateKind {
    /// The word keepalived's dumps use.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Init => "INIT",
            Self::Backup => "BACKUP",
            Self::Master | Self::Releasing => "MASTER",
            Self::Fault => "FAULT",
            Self::Stopped => "STOP",
        }
    }

    /// The number keepalived's JSON dump uses.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Init => 0,
            Self::Backup => 1,
            Self::Master | Self::Releasing => 2,
            Self::Fault => 3,
            Self::Stopped => 98,
        }
    }
}

/// What is going on, for dumps and for tests.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// All instances, in the order of the specification.
    pub instances: Vec<InstanceSnapshot>,
    /// All groups, in the order of the specification.
    pub groups: Vec<GroupSnapshot>,
    /// All named trackers.
    pub trackers: Vec<TrackerSnapshot>,
    /// Adverts of virtual routers nobody configured.
    pub unknown_vrids: u64,
    /// The interfaces the driver told of, by name.
    pub interfaces: Vec<InterfaceSnapshot>,
}

impl Snapshot {
    /// The instance of this name.
    #[must_use]
    pub fn instance(&self, name: &str) -> Option<&InstanceSnapshot> {
        self.instances.iter().find(|instance| &*instance.name == name)
    }

    /// The interface of this name.
    #[must_use]
    pub fn interface(&self, name: &str) -> Option<&InterfaceSnapshot> {
        self.interfaces.iter().find(|interface| &*interface.name == name)
    }
}

/// What is known of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct InterfaceSnapshot {
    /// Its name.
    pub name: Name,
    /// The kernel's number of it, if the driver told.
    pub index: Option<u32>,
    /// Whether it exists.
    pub present: bool,
    /// Whether an administrator wants it up.
    pub enabled: bool,
    /// Whether it counts as up with a carrier; changes that have to last first are not in it.
    pub running: bool,
    /// Whether it has been up since it exists.
    pub seen_up: bool,
    /// Whether a change has to last before it counts.
    pub pending: bool,
    /// Largest packet, if known.
    pub mtu: Option<u32>,
    /// Hardware address, if it has one.
    pub mac: Option<[u8; 6]>,
    /// What kind of hardware it is, in the numbers of ARP and of Linux, if known.
    pub hardware: Option<u16>,
    /// Its addresses as far as they matter, oldest first.
    pub addresses: Vec<IpAddr>,
}

/// What an instance is doing.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct InstanceSnapshot {
    /// Its name.
    pub name: Name,
    /// Its state.
    pub state: StateKind,
    /// Its interface.
    pub interface: Option<Name>,
    /// Its identifier.
    pub vrid: u8,
    /// Configured priority.
    pub base_priority: u8,
    /// Priority after the trackers had their say.
    pub effective_priority: u8,
    /// The sum behind it, before clamping.
    pub total_priority: i64,
    /// Source address of its adverts, if there is one.
    pub source: Option<IpAddr>,
    /// The addresses in its adverts.
    pub addresses: Vec<IpAddr>,
    /// Whether it holds the addresses.
    pub holds_addresses: bool,
    /// The master last heard, and its priority.
    pub master: Option<(IpAddr, u8)>,
    /// Interval of the master: its own, or the one adopted from an advert.
    pub master_interval: AdvertInterval,
    /// Time since the last change of state; None if there was none.
    pub since_transition: Option<Duration>,
    /// What caused it, in words.
    pub why: Option<String>,
    /// Why it is in FAULT, in words.
    pub faults: Vec<String>,
    /// What makes the effective priority out of the base priority, and what can be a fault.
    pub contributions: Vec<Contribution>,
    /// Other routers that send adverts with this identifier, last heard first.
    pub senders: Vec<SenderSnapshot>,
    /// Other machines that answer for an address held here.
    pub claims: Vec<ClaimSnapshot>,
    /// What is wrong between this router and others, worst first.
    pub findings: Vec<Finding>,
    /// Counters.
    pub stats: Stats,
}

/// What one tracker does to a priority.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Contribution {
    /// `interface`, `script`, `file`, `process` or `backend`.
    pub kind: String,
    /// What is tracked.
    pub name: Name,
    /// Its weight here; 0 means that its failure is a fault.
    pub weight: i32,
    /// Whether the weight counts the other way round.
    pub reverse: bool,
    /// Well or not; None if not known yet, and for files.
    pub up: Option<bool>,
    /// What it adds to the priority now.
    pub adds: i64,
    /// Whether it keeps the instance from taking part now.
    pub fault: bool,
}

/// A router that sends adverts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SenderSnapshot {
    /// Its address.
    pub source: IpAddr,
    /// Adverts that passed all tests.
    pub accepted: u64,
    /// Packets that did not.
    pub refused: u64,
    /// Priority, interval and age of the last advert that did.
    pub last_accepted: Option<(u8, AdvertInterval, Duration)>,
    /// Reason (see [`AdvertReject::word`]), text and age of the last packet that did not.
    pub last_refused: Option<(String, String, Duration)>,
}

/// A machine that answers for an address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ClaimSnapshot {
    /// The address.
    pub address: IpAddr,
    /// The machine.
    pub mac: [u8; 6],
    /// How often it was heard.
    pub count: u64,
    /// When it was first heard, without a long pause since.
    pub first: Duration,
    /// When it was last heard.
    pub last: Duration,
}

/// Something that is wrong between this router and others.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Finding {
    /// Whether two masters serve the same addresses now.
    pub split: bool,
    /// A word for the reason: one of [`AdvertReject::word`], or `unheard-rival`, `second-master`, `other-vrid`,
    /// `false-farewell`, `address-list`.
    pub reason: String,
    /// The whole of it, for people.
    pub text: String,
}

/// What a group is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct GroupSnapshot {
    /// Its name.
    pub name: Name,
    /// Its state.
    pub state: StateKind,
    /// Its members.
    pub members: Vec<Name>,
}

/// What a named tracker says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TrackerSnapshot {
    /// `script`, `file`, `process` or `backend`.
    pub kind: String,
    /// Its name.
    pub name: Name,
    /// Well or not; None if not known yet.
    pub up: Option<bool>,
    /// Last exit status of a script, number in a file, count of processes.
    pub value: Option<i64>,
}
