//! Settings of the whole router, and what exists besides instances.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::{
    Around, ChecksumV3, Command, ExtraGarp, Garp, Name, Origin, Route, Rule, RunAs, Shared, Version,
    VirtualAddress,
};

/// Settings of the whole router (`global_defs`).
///
/// Fields described as a *starting value* are what [`Instance::new`](super::Instance::new) copies into an instance;
/// the router itself reads only the instance's own value.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Global {
    /// Name of this machine in mails (`router_id`).
    pub router_id: String,
    /// Starting value of the protocol version (`vrrp_version`).
    pub version: Version,
    /// Starting value of the announcements (`vrrp_garp_*`).
    pub garp: Shared<Garp>,
    /// Starting value of the announcements where no adverts are sent (`vrrp_garp_extra_if`).
    pub extra_garp: Option<ExtraGarp>,
    /// Starting value: a master does not answer lower priorities (`vrrp_lower_prio_no_advert`).
    pub lower_prio_no_advert: bool,
    /// Starting value: a master sends a last advert before it yields (`vrrp_higher_prio_send_advert`). On unless
    /// switched off: otherwise the clients may keep the wrong hardware address after a healed split.
    pub higher_prio_send_advert: bool,
    /// Starting value: intervals of silence until the master is taken for dead (`vrrp_down_timer_adverts`).
    pub down_timer_adverts: u8,
    /// Starting value: an owner of the addresses ignores everybody else (`vrrp_owner_ignore_adverts`).
    pub owner_ignore_adverts: bool,
    /// Starting value: do not compare the address list of adverts (`vrrp_skip_check_adv_addr`).
    pub skip_check_adv_addr: bool,
    /// Starting value: accept unicast adverts from configured peers only (`vrrp_check_unicast_src`).
    pub check_unicast_src: bool,
    /// Starting value: strict conformance (`vrrp_strict`).
    pub strict: bool,
    /// Starting value of the version 3 checksum (`v3_checksum_as_v2`).
    pub v3_checksum: ChecksumV3,
    /// Starting value of the IPv4 multicast group (`vrrp_mcast_group4`).
    pub multicast_v4: Ipv4Addr,
    /// Starting value of the IPv6 multicast group (`vrrp_mcast_group6`).
    pub multicast_v6: Ipv6Addr,
    /// Starting value: notify changes of the priority, too (`vrrp_notify_priority_changes`).
    pub notify_priority_changes: bool,
    /// Starting value: send mails on state changes (`smtp_alert`, `smtp_alert_vrrp`).
    pub smtp_alert: bool,
    /// No mails about FAULT (`no_email_faults`).
    pub no_email_faults: bool,
    /// How long to listen to nobody after the start (`vrrp_startup_delay`).
    pub startup_delay: Duration,
    /// How long after the boot of the machine instances may start (`vrrp_delay_after_boot`); the driver turns what is
    /// left of it into a longer start-up delay.
    pub delay_after_boot: Duration,
    /// SNMP notifications of state changes (`enable_traps`).
    pub traps: Option<Traps>,
    /// Log adverts of virtual routers nobody configured (`log_unknown_vrids`).
    pub log_unknown_vrids: bool,
    /// Interface of instances and addresses that name none (`default_interface`).
    pub default_interface: Option<Name>,
    /// Interfaces may be absent at the start (`dynamic_interfaces`).
    pub dynamic_interfaces: bool,
    /// Who may be run as whom.
    pub scripts: ScriptSecurity,
    /// Where mails go.
    pub mail: Mail,
    /// Named pipes that receive state changes (`notify_fifo`, `vrrp_notify_fifo`).
    pub fifos: Vec<Fifo>,
    /// Tell the pipes all states again after a reload (`fifo_write_vrrp_states_on_reload`).
    pub fifo_states_on_reload: bool,
    /// Run once before anything else (`startup_script`), and how long it may take.
    pub startup_script: Option<(Command, Duration)>,
    /// Run once after everything else (`shutdown_script`), and how long it may take.
    pub shutdown_script: Option<(Command, Duration)>,
    /// Scheduling and memory of the process.
    pub process: ProcessTuning,
    /// Size of the receive buffers.
    pub receive_buffer: ReceiveBuffer,
    /// When to reload; the driver tells its caller.
    pub reload_time: Option<ReloadTime>,
    /// How traffic to addresses that must not be accepted is dropped.
    pub firewall: FirewallRules,
    /// The machine reports no memberships of groups of the link, on any interface (`disable_local_igmp`). Otherwise none is
    /// reported from a virtual hardware address.
    pub no_local_reports: bool,
    /// Prefix of VMAC interface names (`vmac_prefix`).
    pub vmac_prefix: String,
    /// Prefix of the names of interfaces that only hold addresses (`vmac_addr_prefix`).
    pub vmac_addr_prefix: String,
    /// Take over the addresses found in place at the start if the previous run of this process was master of them,
    /// see [`Router::resume`](crate::Router::resume). On unless an operator wants every start to begin as backup.
    pub resume: bool,
    /// A master whose own trackers make it lose hands over at once (priority zero, then its true priority) instead of
    /// waiting to be outbid. On by default.
    pub active_step_down: bool,
    /// Leave addresses, routes and rules in place at a stop, and tell the other routers nothing of it. Whoever takes over in the
    /// end has them as well then.
    pub keep_on_stop: bool,
    /// Made by the caller while it reads a changed configuration (`reload_file`).
    pub reload_file: Option<String>,
    /// Keep the addresses on a graceful stop until the successor is heard, at most one skew time. On by default.
    pub release_after_takeover: bool,
    /// A master asks with each advert whether another machine answers for its addresses, and announces them again if so.
    /// The question goes to the routers of the link alone. Finds rivals whose adverts are not heard. On by default.
    pub probe_rivals: bool,
    /// A master woken up later than its successor's patience listens first, and goes to BACKUP when another one is heard or
    /// when it slept for several times as long. A backup whose timer comes late listens first, too. On by default.
    pub late_wake_backup: bool,
    /// What is configured around the router.
    pub around: Around,
}

/// Which notifications are sent, and where the master agent is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Traps {
    /// A path, `unix:` and a path, or `tcp:`, a host and a port (`snmp_socket`); where net-snmp listens if absent.
    pub socket: Option<String>,
    /// Those of KEEPALIVED-MIB (`enable_snmp_vrrp`).
    pub vrrp: bool,
    /// Those of VRRP-MIB (`enable_snmp_rfcv2`).
    pub rfc_v2: bool,
    /// Those of VRRPV3-MIB (`enable_snmp_rfcv3`).
    pub rfc_v3: bool,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            router_id: String::new(),
            version: Version::V2,
            garp: Shared::default(),
            extra_garp: None,
            lower_prio_no_advert: false,
            higher_prio_send_advert: true,
            down_timer_adverts: 3,
            owner_ignore_adverts: false,
            skip_check_adv_addr: false,
            check_unicast_src: false,
            strict: false,
            v3_checksum: ChecksumV3::PseudoHeader,
            multicast_v4: Ipv4Addr::new(224, 0, 0, 18),
            multicast_v6: Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12),
            notify_priority_changes: false,
            smtp_alert: false,
            no_email_faults: false,
            startup_delay: Duration::ZERO,
            delay_after_boot: Duration::ZERO,
            traps: None,
            log_unknown_vrids: false,
            default_interface: None,
            dynamic_interfaces: false,
            scripts: ScriptSecurity::default(),
            mail: Mail::default(),
            fifos: Vec::new(),
            fifo_states_on_reload: false,
            startup_script: None,
            shutdown_script: None,
            process: ProcessTuning::default(),
            receive_buffer: ReceiveBuffer::System,
            reload_time: None,
            firewall: FirewallRules::default(),
            no_local_reports: false,
            vmac_prefix: "vrrp".to_owned(),
            vmac_addr_prefix: "vrrp".to_owned(),
            resume: true,
            active_step_down: true,
            keep_on_stop: false,
            reload_file: None,
            release_after_takeover: true,
            probe_rivals: true,
            late_wake_backup: true,
            around: Around::default(),
        }
    }
}

/// Rules that drop traffic to virtual addresses (`no_accept`, strict conformance). They exist while there is something to drop.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct FirewallRules {
    /// Name of the table of family `inet` (`nftables`).
    pub table: String,
    /// Priority of its chains (`nftables_priority`).
    pub priority: i32,
    /// Count what is dropped (`nftables_counters`).
    pub counters: bool,
}

impl Default for FirewallRules {
    fn default() -> Self {
        Self { table: "vrrp".to_owned(), priority: -1, counters: false }
    }
}

/// A file that names the time of the next reload (`reload_time_file`).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ReloadTime {
    /// The file. Removed when its time has come.
    pub path: String,
    /// A time without a date comes every day, and the file stays (`reload_repeat`).
    pub repeat: bool,
}

impl ReloadTime {
    /// The time in this file.
    #[must_use]
    pub fn new(path: impl Into<String>, repeat: bool) -> Self {
        Self { path: path.into(), repeat }
    }
}

/// Who may be run as whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ScriptSecurity {
    /// User and group of scripts that name none (`script_user`).
    pub user: Option<RunAs>,
    /// Refuse scripts others could have written when they would run as root (`enable_script_security`).
    pub enforce: bool,
    /// Keep symbolic links in script paths (`use_symlink_paths`).
    pub keep_symlinks: bool,
    /// Set the supplementary groups of the script's user (`set_supplementary_groups`).
    pub supplementary_groups: bool,
}

/// Where mails go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Mail {
    /// Recipients (`notification_email`).
    pub to: Vec<String>,
    /// Sender (`notification_email_from`).
    pub from: Option<String>,
    /// The relay (`smtp_server`).
    pub server: Option<MailServer>,
    /// Patience with the relay (`smtp_connect_timeout`); 30 s if absent.
    pub connect_timeout: Option<Duration>,
    /// How to introduce ourselves (`smtp_helo_name`).
    pub helo: Option<String>,
}

/// A mail relay.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct MailServer {
    /// Address or host name.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl MailServer {
    /// A relay by host and port.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }
}

/// A named pipe that receives one line per state change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Fifo {
    /// Where it was configured.
    pub origin: Origin,
    /// Path of the pipe, made if missing.
    pub path: String,
    /// Its owner.
    pub owner: Option<RunAs>,
    /// Started with the path as last argument (`notify_fifo_script`).
    pub script: Option<Command>,
    /// What is written into it.
    pub content: FifoContent,
}

/// What is written into a named pipe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum FifoContent {
    /// Everything (`notify_fifo`).
    #[default]
    All,
    /// Changes of instances and groups (`vrrp_notify_fifo`).
    Routers,
    /// What the program around the router tells, such as changes of servers (`lvs_notify_fifo`).
    Others,
}

impl Fifo {
    /// A pipe without a script.
    #[must_use]
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            origin: Origin::default(),
            path: path.into(),
            owner: None,
            script: None,
            content: FifoContent::All,
        }
    }
}

/// Scheduling and memory of the process; a driver applies what it is allowed to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ProcessTuning {
    /// Nice value (`vrrp_priority`).
    pub nice: Option<i8>,
    /// Real-time priority (`vrrp_rt_priority`).
    pub realtime: Option<u8>,
    /// Real-time priority raised step by step when timers fire late (`max_auto_priority`).
    pub max_auto_realtime: Option<u8>,
    /// How long to wait between two raises, a second if absent (`min_auto_priority_delay`).
    pub min_auto_delay: Option<Duration>,
    /// Limit of processor time of a real-time process between two sleeps (`vrrp_rlimit_rttime`).
    pub realtime_limit: Option<Duration>,
    /// Lock the memory (`vrrp_no_swap`).
    pub no_swap: bool,
    /// Processors to run on (`vrrp_cpu_affinity`).
    pub cpus: Vec<u32>,
}

impl ProcessTuning {
    /// How long to wait between two raises of the real-time priority.
    #[must_use]
    pub fn auto_delay(&self) -> Duration {
        self.min_auto_delay.unwrap_or(Duration::from_secs(1))
    }
}

/// Size of the receive buffer of a socket (`vrrp_rx_bufs_policy`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ReceiveBuffer {
    /// What the system gives.
    #[default]
    System,
    /// This many times the MTU of the interface.
    Mtu(u32),
    /// This many times the size of an advert.
    Advert(u32),
    /// This many bytes.
    Bytes(u32),
}

/// Things that exist for as long as the router runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct StaticItems {
    /// `static_ipaddress`; each must name its interface.
    pub addresses: Vec<VirtualAddress>,
    /// `static_routes`.
    pub routes: Vec<Route>,
    /// `static_rules`.
    pub rules: Vec<Rule>,
}

/// A rate limit of announcements shared by some interfaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct GarpGroup {
    /// Where it was configured.
    pub origin: Origin,
    /// The interfaces that share it.
    pub interfaces: Vec<Name>,
    /// Time between two gratuitous ARPs.
    pub garp_interval: Duration,
    /// Time between two unsolicited neighbour advertisements.
    pub gna_interval: Duration,
}

/// How long a link change must last before it counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct LinkDelay {
    /// Where it was configured.
    pub origin: Origin,
    /// The interface.
    pub interface: Name,
    /// How long it must be down.
    pub down: Duration,
    /// How long it must be up.
    pub up: Duration,
}
