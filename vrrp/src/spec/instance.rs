//! One virtual router.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::{Global, Name, NotifyScripts, Origin, Route, Rule, Shared, TrackList, VirtualAddress};

/// One virtual router (`vrrp_instance`).
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Instance {
    /// Where it was configured.
    pub origin: Origin,
    /// Its name.
    pub name: Name,
    /// Wished state at the start. MASTER makes a difference only together with priority 255.
    pub state: InitialState,
    /// The interface it lives on. None for a unicast instance bound to its source address alone.
    pub interface: Option<Name>,
    /// Virtual router identifier, 1 to 255.
    pub vrid: u8,
    /// Base priority, 1 to 255; 255 is the owner of the addresses.
    pub priority: u8,
    /// Time between two adverts.
    pub advert_interval: AdvertInterval,
    /// Protocol version.
    pub version: Version,
    /// True if adverts travel over IPv6.
    pub ipv6: bool,
    /// Authentication; version 2 only.
    pub auth: Auth,
    /// Who is spoken to, and how.
    pub transport: Transport,
    /// Source address of adverts (`mcast_src_ip`, `unicast_src_ip`); the first address of the interface if absent.
    pub source: Option<IpAddr>,
    /// Disappearance of the source address is a fault (`track_src_ip`).
    pub track_source: bool,
    /// Addresses named in the adverts and held by the master.
    pub addresses: Vec<VirtualAddress>,
    /// Addresses held by the master but not named in the adverts; either family.
    pub excluded_addresses: Vec<VirtualAddress>,
    /// No addresses is what was meant (`no_virtual_ipaddress`).
    pub no_addresses: bool,
    /// Routes held by the master.
    pub routes: Vec<Route>,
    /// Policy rules held by the master.
    pub rules: Vec<Rule>,
    /// Accept traffic for the virtual addresses although not their owner (`accept`, `no_accept`).
    pub accept: bool,
    /// Separate interface with the virtual router's hardware address.
    pub vmac: Option<Vmac>,
    /// Further interfaces for addresses that are to have one (`use_vmac_addr`, `use_vmac` of an address).
    pub address_vmacs: Vec<AddressVmac>,
    /// Announcements on interfaces where no adverts are sent.
    pub extra_garp: Option<ExtraGarp>,
    /// Who may depose a master of lower priority, and when.
    pub preempt: Preempt,
    /// Announcements of the addresses.
    pub garp: Shared<Garp>,
    /// Intervals of silence until the master is taken for dead.
    pub down_timer_adverts: u8,
    /// A master does not answer adverts of lower priority.
    pub lower_prio_no_advert: bool,
    /// A master sends a last advert of its own before it yields to a higher priority.
    pub higher_prio_send_advert: bool,
    /// An owner of the addresses ignores everybody else.
    pub owner_ignore_adverts: bool,
    /// Do not compare the address list of adverts.
    pub skip_check_adv_addr: bool,
    /// Strict conformance: refuse adverts whose addresses differ, and so on.
    pub strict: bool,
    /// Go to BACKUP first when the master timer fires late (`timer_expired_backup`). On by default here.
    pub late_wake_backup: bool,
    /// Checksum of version 3 over IPv4.
    pub v3_checksum: ChecksumV3,
    /// Everything watched besides the own interface.
    pub track: Shared<TrackList>,
    /// The own interface is not watched (`dont_track_primary`).
    pub ignore_own_interface: bool,
    /// What to run on state changes.
    pub notify: Shared<NotifyScripts>,
    /// Notify changes of the priority, too.
    pub notify_priority_changes: bool,
    /// Mail state changes.
    pub smtp_alert: bool,
    /// Set `promote_secondaries` on the interface, so that removing one address does not take others along.
    pub promote_secondaries: bool,
    /// Virtual routing domain the sockets belong to.
    pub vrf: Option<Name>,
    /// Size of the receive buffer of this instance's socket.
    pub receive_buffer: Option<u32>,
    /// Log level of this instance (`debug`).
    pub debug: u8,
}

impl Instance {
    /// An instance without addresses, with what the global settings prescribe and priority 100.
    #[must_use]
    pub fn new(name: impl Into<Name>, vrid: u8, global: &Global) -> Self {
        Self {
            origin: Origin::default(),
            name: name.into(),
            state: InitialState::Backup,
            interface: global.default_interface.clone(),
            vrid,
            priority: 100,
            advert_interval: AdvertInterval::ONE_SECOND,
            version: global.version,
            ipv6: false,
            auth: Auth::None,
            transport: Transport::Multicast { group: IpAddr::V4(global.multicast_v4) },
            source: None,
            track_source: false,
            addresses: Vec::new(),
            excluded_addresses: Vec::new(),
            no_addresses: false,
            routes: Vec::new(),
            rules: Vec::new(),
            accept: !global.strict,
            vmac: None,
            address_vmacs: Vec::new(),
            extra_garp: global.extra_garp,
            preempt: Preempt::Immediate,
            garp: global.garp.clone(),
            down_timer_adverts: global.down_timer_adverts,
            lower_prio_no_advert: global.lower_prio_no_advert,
            higher_prio_send_advert: global.higher_prio_send_advert,
            owner_ignore_adverts: global.owner_ignore_adverts,
            skip_check_adv_addr: global.skip_check_adv_addr,
            strict: global.strict,
            late_wake_backup: global.late_wake_backup,
            v3_checksum: global.v3_checksum,
            track: Shared::default(),
            ignore_own_interface: false,
            notify: Shared::default(),
            notify_priority_changes: global.notify_priority_changes,
            smtp_alert: global.smtp_alert,
            promote_secondaries: false,
            vrf: None,
            receive_buffer: None,
            debug: 0,
        }
    }

    /// Switches to IPv6 and version 3, with the multicast group the global settings prescribe.
    #[must_use]
    pub fn over_ipv6(mut self, global: &Global) -> Self {
        self.ipv6 = true;
        self.version = Version::V3;
        if matches!(self.transport, Transport::Multicast { .. }) {
            self.transport = Transport::Multicast { group: IpAddr::V6(global.multicast_v6) };
        }
        self
    }

    /// The interface adverts are sent and received on: the VMAC unless told to use the base.
    #[must_use]
    pub fn wire_interface(&self) -> Option<&Name> {
        match &self.vmac {
            Some(vmac) if !vmac.transmit_on_base => Some(&vmac.name),
            _ => self.interface.as_ref(),
        }
    }

    /// The interface a virtual address of this instance belongs on: a VMAC has the hardware address for one family alone.
    #[must_use]
    pub fn address_interface<'a>(&'a self, address: &'a VirtualAddress) -> Option<&'a Name> {
        let base = address.interface.as_ref().or(self.interface.as_ref())?;
        let ipv6 = address.address().is_ipv6();
        if let Some(vmac) = &self.vmac
            && (Some(base), ipv6) == (self.interface.as_ref(), self.ipv6)
        {
            return Some(&vmac.name);
        }
        let mut fitting = self.address_vmacs.iter().filter(|_| address.use_vmac);
        let own = fitting.find(|own| own.interface == *base && own.ipv6 == ipv6);
        Some(own.map_or(base, |own| &own.vmac.name))
    }

    /// Every interface made for this instance: what, on which other one, and for which family.
    pub fn vmacs(&self) -> impl Iterator<Item = (&Vmac, &Name, bool)> {
        let own = self.vmac.iter().zip(&self.interface).map(|(vmac, base)| (vmac, base, self.ipv6));
        own.chain(self.address_vmacs.iter().map(|own| (&own.vmac, &own.interface, own.ipv6)))
    }

    /// True if this instance owns its addresses: base priority 255.
    #[must_use]
    pub fn is_owner(&self) -> bool {
        self.priority == 255
    }
}

/// The state an instance is configured to begin in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum InitialState {
    /// `state BACKUP`
    #[default]
    Backup,
    /// `state MASTER`
    Master,
}

/// The version of the protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Version {
    /// RFC 3768: IPv4, whole seconds.
    #[default]
    V2,
    /// RFC 9568 (and 5798): both families, hundredths of a second.
    V3,
}

impl Version {
    /// The number in the packet.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }
}

/// Time between two adverts, in exact hundredths of a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct AdvertInterval(u16);

impl AdvertInterval {
    /// The default of both versions.
    pub const ONE_SECOND: Self = Self(100);
    /// The longest interval of version 3: twelve bits.
    pub const MAX_V3: Self = Self(4095);

    /// An interval of so many hundredths of a second.
    #[must_use]
    pub const fn from_centis(centis: u16) -> Self {
        Self(centis)
    }

    /// An interval of whole seconds, as version 2 speaks of it.
    #[must_use]
    pub const fn from_secs(seconds: u8) -> Self {
        Self(seconds as u16 * 100)
    }

    /// Hundredths of a second.
    #[must_use]
    pub const fn centis(self) -> u16 {
        self.0
    }

    /// Whole seconds, rounded down.
    #[must_use]
    pub const fn secs(self) -> u16 {
        self.0 / 100
    }

    /// The interval as a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0 as u64 * 10)
    }
}

impl Default for AdvertInterval {
    fn default() -> Self {
        Self::ONE_SECOND
    }
}

/// Authentication of version 2 adverts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Auth {
    /// None.
    #[default]
    None,
    /// A plain password in the packet (`auth_type PASS`).
    Pass(Password),
    /// An IPsec authentication header, HMAC-MD5-96 (`auth_type AH`).
    Ah(Password),
}

/// Up to eight bytes of password, padded with zeros. Not shown by `Debug`.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Password([u8; 8]);

impl Password {
    /// The first eight bytes of a password.
    #[must_use]
    pub fn new(password: &[u8]) -> Self {
        let mut bytes = [0; 8];
        for (to, from) in bytes.iter_mut().zip(password) {
            *to = *from;
        }
        Self(bytes)
    }

    /// The padded bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 8] {
        &self.0
    }

    /// As it was configured, without what it was padded with.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        String::from_utf8_lossy(&self.0[..end])
    }

    /// Compares in a time that does not depend on where the difference is.
    #[must_use]
    pub fn matches(&self, other: &[u8; 8]) -> bool {
        self.0.iter().zip(other).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Who is spoken to, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Transport {
    /// To a multicast group, at hop limit 255 (`mcast_dst_ip`).
    #[non_exhaustive]
    Multicast {
        /// The group.
        group: IpAddr,
    },
    /// To each of a list of peers (`unicast_peer`).
    #[non_exhaustive]
    Unicast {
        /// The peers.
        peers: Vec<Peer>,
        /// Hop limit of what we send; 255 if absent (`unicast_ttl`).
        ttl: Option<u8>,
        /// Accept adverts from the listed peers only (`check_unicast_src`).
        check_source: bool,
        /// Having no peer at all is a fault (`unicast_fault_no_peer`).
        fault_without_peer: bool,
        /// Compute version 3 checksums with the multicast group in the pseudo-header (`old_unicast_checksum`).
        old_checksum: bool,
    },
}

impl Transport {
    /// Multicast to this group.
    #[must_use]
    pub fn multicast(group: IpAddr) -> Self {
        Self::Multicast { group }
    }

    /// Unicast to these peers.
    #[must_use]
    pub fn unicast(peers: Vec<Peer>) -> Self {
        Self::Unicast {
            peers,
            ttl: None,
            check_source: false,
            fault_without_peer: false,
            old_checksum: false,
        }
    }

    /// True for unicast.
    #[must_use]
    pub fn is_unicast(&self) -> bool {
        matches!(self, Self::Unicast { .. })
    }

    /// The peers of a unicast transport.
    #[must_use]
    pub fn peers(&self) -> &[Peer] {
        match self {
            Self::Multicast { .. } => &[],
            Self::Unicast { peers, .. } => peers,
        }
    }
}

/// A peer spoken to by unicast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// Lowest hop limit accepted from it.
    pub min_ttl: Option<u8>,
    /// Highest hop limit accepted from it.
    pub max_ttl: Option<u8>,
}

impl Peer {
    /// A peer at any distance.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        Self { address, min_ttl: None, max_ttl: None }
    }
}

/// Who may depose a master of lower priority, and when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Preempt {
    /// The higher priority takes over one master-down time after its start.
    #[default]
    Immediate,
    /// It waits this long from the first advert of lower priority (`preempt_delay`).
    After(Duration),
    /// A living master keeps the addresses (`nopreempt`).
    Never,
}

/// When and how often addresses are announced by gratuitous ARP or unsolicited neighbour advertisement.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Garp {
    /// Time from becoming master to the second set (`garp_master_delay`); zero for no second set.
    pub delay: Duration,
    /// Announcements per address and set (`garp_master_repeat`).
    pub repeat: u32,
    /// Time between further sets while master (`garp_master_refresh`); zero for none.
    pub refresh: Duration,
    /// Announcements per address and further set (`garp_master_refresh_repeat`).
    pub refresh_repeat: u32,
    /// Time from an advert of lower priority to its second set (`garp_lower_prio_delay`).
    pub lower_prio_delay: Duration,
    /// Announcements per address when a lower priority is heard (`garp_lower_prio_repeat`).
    pub lower_prio_repeat: u32,
    /// Time between two gratuitous ARPs on one interface (`garp_interval`); zero for back to back.
    pub garp_interval: Duration,
    /// Time between two neighbour advertisements on one interface (`gna_interval`); zero for back to back.
    pub gna_interval: Duration,
}

impl Default for Garp {
    fn default() -> Self {
        Self {
            delay: Duration::from_secs(5),
            repeat: 5,
            refresh: Duration::ZERO,
            refresh_repeat: 1,
            lower_prio_delay: Duration::from_secs(5),
            lower_prio_repeat: 5,
            garp_interval: Duration::ZERO,
            gna_interval: Duration::ZERO,
        }
    }
}

/// The separate interface of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Vmac {
    /// Name of the interface to create, for example `vrrp.51`.
    pub name: Name,
    /// What kind of interface.
    pub kind: VmacKind,
    /// Hardware address; that of the virtual router (00:00:5e:00:01:VRID) if absent.
    pub mac: Option<[u8; 6]>,
    /// Send and receive adverts on the base interface (`vmac_xmit_base`).
    pub transmit_on_base: bool,
    /// Interface group to put it in.
    pub group: Option<u32>,
}

impl Vmac {
    /// A macvlan with the virtual router's hardware address.
    #[must_use]
    pub fn new(name: impl Into<Name>) -> Self {
        Self { name: name.into(), kind: VmacKind::Macvlan, mac: None, transmit_on_base: false, group: None }
    }
}

/// A separate interface for addresses that belong beneath another interface than the instance's, or are of the other family.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct AddressVmac {
    /// What to create.
    pub vmac: Vmac,
    /// The interface beneath.
    pub interface: Name,
    /// For addresses of IPv6.
    pub ipv6: bool,
}

impl AddressVmac {
    /// What to create on an interface for addresses of a family.
    #[must_use]
    pub fn new(vmac: Vmac, interface: Name, ipv6: bool) -> Self {
        Self { vmac, interface, ipv6 }
    }
}

/// Announcements on interfaces where no adverts are sent, so that switches remember their hardware addresses
/// (`garp_extra_if`, `vmac_garp_intvl`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct ExtraGarp {
    /// Time between two of them.
    pub interval: Duration,
    /// Not only on VMACs (`all`).
    pub all: bool,
}

/// What kind of interface a VMAC is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum VmacKind {
    /// A macvlan in private mode.
    #[default]
    Macvlan,
    /// An ipvlan in bridge mode, which shares the hardware address of its base.
    IpvlanBridge,
    /// An ipvlan in private mode.
    IpvlanPrivate,
    /// An ipvlan in VEPA mode.
    IpvlanVepa,
}

/// What a version 3 checksum over IPv4 covers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ChecksumV3 {
    /// The pseudo-header, too: keepalived and FRR.
    #[default]
    PseudoHeader,
    /// The VRRP packet alone: RFC 9568, most other vendors (`v3_checksum_as_v2`).
    PacketOnly,
}
