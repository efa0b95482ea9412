//! What goes into the router and what comes out of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use crate::spec::{Command, Name, Prefix, Route, Rule, VirtualAddress};

/// Something that happened outside.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Input {
    /// A packet of IP protocol 112 (or 51 around it) arrived.
    Datagram(Datagram),
    /// An interface appeared, changed or vanished.
    Link(Link),
    /// An address appeared on an interface, whoever put it there.
    AddressAdded(InterfaceAddress),
    /// An address vanished from an interface, whoever took it away.
    AddressRemoved(InterfaceAddress),
    /// A route of the configuration was removed by somebody.
    RouteRemoved(Arc<Route>),
    /// A policy rule of the configuration was removed by somebody.
    RuleRemoved(Arc<Rule>),
    /// Another machine answers for an address on a link; [`Output::Probe`] asks for it.
    Claim(Claim),
    /// A tracker has news.
    Track(Track),
    /// The operator, or the program around the router, wants something.
    Admin(Admin),
    /// The machine slept or the clock was set: this much time passed that `now` does not show.
    ClockJump(Duration),
}

/// A received advert, as far as the network layer goes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Datagram {
    /// The interface it came in on.
    pub interface: Name,
    /// The sender.
    pub source: IpAddr,
    /// Whom it was sent to.
    pub destination: IpAddr,
    /// Hop limit on arrival. None if the driver could not learn it; then the check of it is skipped.
    pub ttl: Option<u8>,
    /// IP protocol: 112, or 51 for an authentication header.
    pub protocol: u8,
    /// Length of the IP payload according to the IP header, which may be shorter than what arrived (Ethernet padding
    /// a driver did not strip) or longer (a truncated read).
    pub declared_len: usize,
    /// What follows the IP header and its options.
    pub payload: Vec<u8>,
    /// The IPv4 header itself, needed to verify an authentication header; otherwise empty.
    pub ip_header: Vec<u8>,
}

impl Datagram {
    /// A datagram whose network layer the driver has already taken apart, such as what an IPv6 raw socket gives.
    #[must_use]
    pub fn new(
        interface: impl Into<Name>,
        source: IpAddr,
        destination: IpAddr,
        ttl: Option<u8>,
        payload: Vec<u8>,
    ) -> Self {
        Self {
            interface: interface.into(),
            source,
            destination,
            ttl,
            protocol: crate::wire::PROTOCOL,
            declared_len: payload.len(),
            payload,
            ip_header: Vec::new(),
        }
    }
}

/// State of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Link {
    /// Its name.
    pub interface: Name,
    /// False if it does not exist (any more).
    pub present: bool,
    /// Both administratively up and running: it has a carrier.
    pub up: bool,
    /// Largest packet, if known.
    pub mtu: Option<u32>,
    /// Administratively up, with a carrier or without.
    pub enabled: bool,
    /// The kernel's number of it, if known.
    pub index: Option<u32>,
    /// Hardware address, if it has one.
    pub mac: Option<[u8; 6]>,
    /// What kind of hardware it is, in the numbers of ARP (RFC 826) and of Linux, if known.
    pub hardware: Option<u16>,
}

impl Link {
    /// An existing interface that is up or down.
    #[must_use]
    pub fn new(interface: impl Into<Name>, up: bool) -> Self {
        let interface = interface.into();
        Self { interface, present: true, up, mtu: None, enabled: up, index: None, mac: None, hardware: None }
    }

    /// An interface that does not exist (any more).
    #[must_use]
    pub fn absent(interface: impl Into<Name>) -> Self {
        Self { present: false, ..Self::new(interface, false) }
    }
}

/// An address on an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InterfaceAddress {
    /// The interface.
    pub interface: Name,
    /// The address and the length of its prefix.
    pub prefix: Prefix,
    /// The address can be used as a source now: neither tentative nor found to be a duplicate.
    pub usable: bool,
}

impl InterfaceAddress {
    /// A usable address.
    #[must_use]
    pub fn new(interface: impl Into<Name>, prefix: Prefix) -> Self {
        Self { interface: interface.into(), prefix, usable: true }
    }
}

/// A question to the other routers of a link, see [`wire::arp::probe`](crate::wire::arp::probe) and
/// [`wire::ndisc::solicitation`](crate::wire::ndisc::solicitation).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probe {
    /// The link.
    pub interface: Name,
    /// Who answers for this address?
    pub address: IpAddr,
    /// Who is asked.
    pub of: Asked,
}

/// Who is asked who answers for an address. What clients know of the address is not touched.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Asked {
    /// IPv4: the routers that listen to this group.
    Group(Ipv4Addr),
    /// IPv4: these routers, each at its own hardware address.
    Peers(Vec<Ipv4Addr>),
    /// IPv4: everybody, once. A router may have the address on another interface than the one that listens to the group.
    Everybody,
    /// IPv6: whoever has the address, by the group that only those listen to. The asker gives its own address.
    Holders(Ipv6Addr),
}

/// Another machine answers for an address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claim {
    /// Where it was heard.
    pub interface: Name,
    /// The address it answers for.
    pub address: IpAddr,
    /// Its hardware address; never one of this machine's own.
    pub mac: [u8; 6],
}

impl Claim {
    /// A claim.
    #[must_use]
    pub fn new(interface: impl Into<Name>, address: IpAddr, mac: [u8; 6]) -> Self {
        Self { interface: interface.into(), address, mac }
    }
}

/// News of a tracker, by its name in the [`Spec`](crate::spec::Spec). Names nobody configured are ignored, because a
/// report may cross a reconfiguration on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Track {
    /// A run of a check script ended; the answer to [`Output::RunScript`].
    Script(Name, ScriptResult),
    /// The number in a tracked file. None when the file is missing or holds no number, which counts as zero.
    File(Name, Option<i32>),
    /// How many matching processes run now.
    Process(Name, u32),
    /// Whether an external condition holds.
    External(Name, bool),
    /// Whether a session with a neighbour is up.
    Bfd(Name, bool),
}

/// How a run of a check script ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScriptResult {
    /// It exited with this code.
    Exited(i32),
    /// It was killed by this signal.
    Signalled(i32),
    /// It could not be started: no such file, not executable, no such interpreter. Carries the error number.
    NotStarted(i32),
}

/// A wish of the operator or of the surrounding program.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Admin {
    /// The present links and addresses have all been told: begin. Until then nothing is sent and nobody heard.
    Start,
    /// Stop gracefully. When [`Router::is_finished`](crate::Router::is_finished) answers true the process may end.
    Shutdown,
    /// End at once and leave everything in place, for a successor that will resume.
    Abandon,
    /// Make one instance yield its mastership, as if its own trackers had failed for a moment.
    StepDown(Name),
    /// Announce the addresses of one instance again, or of all.
    Announce(Option<Name>),
    /// Set all counters to zero.
    ClearStats,
}

/// Something to be done outside, in exactly this order.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Output {
    /// Send an advert.
    Transmit(Transmit),
    /// Put a virtual address on an interface. That it is already there is no error.
    AddAddress(AddressChange),
    /// Take a virtual address off an interface. That it is not there is no error.
    DelAddress(AddressChange),
    /// Announce an IPv4 address by one gratuitous ARP, see [`wire::arp`](crate::wire::arp).
    Garp(Announcement),
    /// Ask on the link whether another machine answers for this address; answers are [`Input::Claim`]. The question goes
    /// to routers alone, not to everybody, and must leave before what follows.
    Probe(Probe),
    /// Announce an IPv6 address by one unsolicited neighbour advertisement, see [`wire::ndisc`](crate::wire::ndisc).
    NeighborAdvert(Announcement),
    /// Add a route.
    AddRoute(Arc<Route>),
    /// Remove a route.
    DelRoute(Arc<Route>),
    /// Add a policy rule.
    AddRule(Arc<Rule>),
    /// Remove a policy rule.
    DelRule(Arc<Rule>),
    /// Drop traffic to a virtual address this router does not own (`no_accept`).
    Block(AddressChange),
    /// Stop dropping it.
    Unblock(AddressChange),
    /// Start a check script and report its end by [`Track::Script`].
    RunScript(Name, Arc<Command>),
    /// Send a signal to the process group of a check script that overran its time.
    SignalScript(Name, ScriptSignal),
    /// A state changed: run the scripts, feed the pipes.
    Notify(Notify),
    /// Send a mail.
    Mail(MailMessage),
    /// A line for the log.
    Log(Log),
}

/// An advert to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transmit {
    /// The sending instance.
    pub instance: Name,
    /// The interface to send on. None: whatever the routing table says (unicast without an interface).
    pub interface: Option<Name>,
    /// Source address, the same as in the packet.
    pub source: IpAddr,
    /// Destination address, the same as in the packet.
    pub destination: IpAddr,
    /// Hop limit.
    pub ttl: u8,
    /// Traffic class.
    pub tos: u8,
    /// IP protocol: 112, or 51 with an authentication header.
    pub protocol: u8,
    /// The whole IP packet, its header included, checksums done.
    pub packet: Vec<u8>,
    /// Where in `packet` the IP payload begins, for sockets that write the header themselves.
    pub payload_offset: usize,
}

impl Transmit {
    /// What follows the IP header.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.packet[self.payload_offset..]
    }
}

/// A virtual address to be put on or taken off an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddressChange {
    /// The instance; None for a static address.
    pub instance: Option<Name>,
    /// The interface.
    pub interface: Name,
    /// The address with all its attributes.
    pub address: Arc<VirtualAddress>,
}

/// One announcement of one address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Announcement {
    /// The instance.
    pub instance: Name,
    /// The interface to announce on.
    pub interface: Name,
    /// The address.
    pub address: IpAddr,
    /// The machine that has it, if it is another one: a former master tells the clients where the address is now. The frame
    /// is sent in the name of the interface all the same, so that no switch looks for that machine here.
    pub mac: Option<[u8; 6]>,
}

/// A signal for a script that overran its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScriptSignal {
    /// Ask it to end.
    Term,
    /// Make it end.
    Kill,
}

/// A state change for scripts and pipes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notify {
    /// Instance or group.
    pub subject: Subject,
    /// Its name.
    pub name: Name,
    /// What happened.
    pub state: NotifyState,
    /// Effective priority; zero for a group.
    pub priority: u8,
    /// The script of exactly this state.
    pub specific: Option<Arc<Command>>,
    /// The script of every state, to be started after the specific one with [`Notify::arguments`] appended.
    pub generic: Option<Arc<Command>>,
    /// The state is told again, not changed: for the pipes alone.
    pub repeated: bool,
}

impl Notify {
    /// The four words appended to the arguments of the generic script.
    #[must_use]
    pub fn arguments(&self) -> [String; 4] {
        [
            self.subject.word().to_owned(),
            self.name.as_str().to_owned(),
            self.state.word().to_owned(),
            self.priority.to_string(),
        ]
    }

    /// The line for the pipes, line feed included.
    #[must_use]
    pub fn fifo_line(&self) -> String {
        format!("{} \"{}\" {} {}\n", self.subject.word(), self.name, self.state.word(), self.priority)
    }
}

/// What a notification is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// A single instance.
    Instance,
    /// A sync group.
    Group,
}

impl Subject {
    /// The word scripts and pipes see.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Instance => "INSTANCE",
            Self::Group => "GROUP",
        }
    }
}

/// What a notification tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotifyState {
    /// Became master.
    Master,
    /// Became backup.
    Backup,
    /// Has a fault.
    Fault,
    /// The router stops.
    Stop,
    /// Vanished from the configuration.
    Deleted,
    /// A master heard a lower priority.
    MasterRxLowerPri,
    /// The priority of a master changed.
    MasterPriority,
    /// The priority of a backup changed.
    BackupPriority,
}

impl NotifyState {
    /// Whether it is a state, and not something that happens in one: of that, pipes alone and scripts of its own are told.
    pub(crate) const fn is_state(self) -> bool {
        matches!(self, Self::Master | Self::Backup | Self::Fault | Self::Stop | Self::Deleted)
    }

    /// The word scripts and pipes see.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Master => "MASTER",
            Self::Backup => "BACKUP",
            Self::Fault => "FAULT",
            Self::Stop => "STOP",
            Self::Deleted => "DELETED",
            Self::MasterRxLowerPri => "MASTER_RX_LOWER_PRI",
            Self::MasterPriority => "MASTER_PRIORITY",
            Self::BackupPriority => "BACKUP_PRIORITY",
        }
    }
}

/// Something the program around the router wants done beside it, in the way the router's own things of that kind are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outside {
    /// Run a program as notification scripts are run: with the same safety, after those of the same subject.
    Run(Command),
    /// Write a line to the named pipes that receive such things.
    Line(String),
    /// Send a mail.
    Mail(MailMessage),
    /// Write a line to the log.
    Log(String),
}

/// A mail about a state change; recipients and relay are in [`Global::mail`](crate::spec::Global::mail).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MailMessage {
    /// Subject line.
    pub subject: String,
    /// Body text.
    pub body: String,
}

impl MailMessage {
    /// A mail.
    pub fn new(subject: impl Into<String>, body: impl Into<String>) -> Self {
        Self { subject: subject.into(), body: body.into() }
    }
}

/// A line for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Log {
    /// How bad it is.
    pub severity: Severity,
    /// Only wanted with detailed logging (`-D`).
    pub detail: bool,
    /// The text, without time stamp.
    pub text: String,
}

/// Severity of a log line, named as syslog names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// The service is impaired.
    Error,
    /// Something is not as it should be.
    Warning,
    /// Normal but significant.
    Notice,
    /// Normal.
    Info,
}

impl Severity {
    /// The number syslog uses.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Error => 3,
            Self::Warning => 4,
            Self::Notice => 5,
            Self::Info => 6,
        }
    }
}
