//! Virtual addresses, routes and rules.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use super::{Name, Origin};

/// The kernel's main routing table, of routes and rules that name none.
pub(crate) const MAIN_TABLE: u32 = 254;
/// The protocol by which routes, rules and addresses (`IFA_PROTO`) of a VRRP daemon are known, as registered with iproute2. By
/// it a later run knows its own.
pub const RTPROT_KEEPALIVED: u8 = 18;

/// An address with the length of its network part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Prefix {
    /// The address.
    pub address: IpAddr,
    /// The number of leading bits that name the network.
    pub length: u8,
}

impl Prefix {
    /// An address and a prefix length, which is capped at the width of the address.
    #[must_use]
    pub fn new(address: IpAddr, length: u8) -> Self {
        Self { address, length: length.min(Self::width(address)) }
    }

    /// The address alone: /32 or /128.
    #[must_use]
    pub fn host(address: IpAddr) -> Self {
        Self { address, length: Self::width(address) }
    }

    /// True if the prefix covers a single address.
    #[must_use]
    pub fn is_host(&self) -> bool {
        self.length == Self::width(self.address)
    }

    fn width(address: IpAddr) -> u8 {
        if address.is_ipv4() { 32 } else { 128 }
    }
}

impl fmt::Display for Prefix {
    /// Writes the address, followed by the length unless it is a single address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_host() {
            write!(f, "{}", self.address)
        } else {
            write!(f, "{}/{}", self.address, self.length)
        }
    }
}

/// An address the master of an instance holds (`virtual_ipaddress`, `virtual_ipaddress_excluded`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct VirtualAddress {
    /// Where it was configured.
    pub origin: Origin,
    /// The address and its prefix length; without a mask in the configuration a host prefix.
    pub prefix: Prefix,
    /// The interface to put it on (`dev`); the interface of the instance if absent.
    pub interface: Option<Name>,
    /// The peer of a point-to-point address (`peer`).
    pub peer: Option<Prefix>,
    /// The broadcast address (`brd`).
    pub broadcast: Broadcast,
    /// Routing scope as the kernel numbers it: 0 global, 200 site, 253 link, 254 host.
    pub scope: u8,
    /// Interface label, shorter than 16 bytes (`label eth0:1`).
    pub label: Option<String>,
    /// Mobile IPv6 home address (`home`).
    pub home: bool,
    /// Skip duplicate address detection. True unless `-nodad` asked for the detection.
    pub no_dad: bool,
    /// Create temporary addresses from this one (`mngtmpaddr`).
    pub manage_temporary: bool,
    /// Do not create a route for the prefix (`noprefixroute`).
    pub no_prefix_route: bool,
    /// Join the multicast group of the address (`autojoin`).
    pub auto_join: bool,
    /// Preferred lifetime (`preferred_lft`). When unset the driver deprecates IPv6 host addresses, so that the
    /// kernel does not pick the virtual address as the source of outgoing connections.
    pub preferred_lifetime: Option<Lifetime>,
    /// The address goes on one of [`Instance::address_vmacs`](super::Instance::address_vmacs) where the instance's own
    /// interface is not for it.
    pub use_vmac: bool,
    /// Restore the address when somebody else removes it. Cleared by `no_track`.
    pub track: bool,
}

impl VirtualAddress {
    /// The broadcast address set with it.
    #[must_use]
    pub fn broadcast_address(&self) -> Option<Ipv4Addr> {
        let IpAddr::V4(own) = self.address() else { return None };
        let host_bits = u32::MAX.checked_shr(u32::from(self.prefix.length)).unwrap_or(0);
        match self.broadcast {
            Broadcast::Unset => None,
            Broadcast::HostBitsSet => Some(Ipv4Addr::from(u32::from(own) | host_bits)),
            Broadcast::HostBitsClear => Some(Ipv4Addr::from(u32::from(own) & !host_bits)),
            Broadcast::Address(broadcast) => Some(broadcast),
        }
    }

    /// An address on the interface of its instance, everything else at its default.
    #[must_use]
    pub fn new(prefix: Prefix) -> Self {
        Self {
            origin: Origin::default(),
            prefix,
            interface: None,
            peer: None,
            broadcast: Broadcast::Unset,
            scope: 0,
            label: None,
            home: false,
            no_dad: true,
            manage_temporary: false,
            no_prefix_route: false,
            auto_join: false,
            preferred_lifetime: None,
            use_vmac: false,
            track: true,
        }
    }

    /// The bare address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.prefix.address
    }
}

/// The broadcast address of a virtual address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Broadcast {
    /// None is set.
    #[default]
    Unset,
    /// All host bits one (`brd +`).
    HostBitsSet,
    /// All host bits zero (`brd -`).
    HostBitsClear,
    /// This one.
    Address(Ipv4Addr),
}

/// How long an address is preferred for new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Lifetime {
    /// Without end.
    Forever,
    /// This many seconds; zero means deprecated from the start.
    Seconds(u32),
}

/// A route held by the master (`virtual_routes`) or for as long as the router runs (`static_routes`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Route {
    /// Where it was configured.
    pub origin: Origin,
    /// What kind of route.
    pub kind: RouteKind,
    /// The destination; `0.0.0.0/0` or `::/0` for a default route.
    pub destination: Prefix,
    /// `from`: source-specific routes of IPv6.
    pub from: Option<Prefix>,
    /// Preferred source address of packets using the route (`src`).
    pub source: Option<IpAddr>,
    /// Gateways. One entry is a plain route, several are a multipath route, none a directly connected one
    /// (or a blackhole and the like).
    pub hops: Vec<NextHop>,
    /// Routing table; the kernel's main table if absent.
    pub table: Option<u32>,
    /// Metric (`metric`, `priority`, `preference`).
    pub metric: Option<u32>,
    /// Scope as the kernel numbers it.
    pub scope: Option<u8>,
    /// Type of service (`tos`, `dsfield`).
    pub tos: Option<u8>,
    /// Originating protocol number.
    pub protocol: Option<u8>,
    /// What is known of the path (`mtu`, `rtt` and their like).
    pub metrics: Vec<RouteMetric>,
    /// How connections over the route avoid congestion, and whether that is locked (`congctl`).
    pub congestion: Option<(String, bool)>,
    /// Realms of IPv4 routes.
    pub realms: Option<Realms>,
    /// Router preference of IPv6 routes (`pref`): 0 medium, 1 high, 3 low.
    pub preference: Option<u8>,
    /// The VRF in whose table the route is; counts before `table`.
    pub vrf: Option<Name>,
    /// Seconds until the kernel removes an IPv6 route by itself. Such a route is not restored.
    pub expires: Option<u32>,
    /// Whether MPLS carries the time to live of packets along (`ttl-propagate`).
    pub ttl_propagate: Option<bool>,
    /// Where it goes if there is a route to the destination already.
    pub place: RoutePlace,
    /// Restore the route when somebody else removes it. Cleared by `no_track`.
    pub track: bool,
}

impl Route {
    /// A unicast route to a destination, without a gateway yet.
    #[must_use]
    pub fn new(destination: Prefix) -> Self {
        Self {
            origin: Origin::default(),
            kind: RouteKind::Unicast,
            destination,
            from: None,
            source: None,
            hops: Vec::new(),
            table: None,
            metric: None,
            scope: None,
            tos: None,
            protocol: None,
            metrics: Vec::new(),
            congestion: None,
            realms: None,
            preference: None,
            vrf: None,
            expires: None,
            ttl_propagate: None,
            place: RoutePlace::First,
            track: true,
        }
    }
}

/// One metric of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct RouteMetric {
    /// The kernel's number of it (`RTAX_*`).
    pub number: u16,
    /// Its value, in the kernel's unit.
    pub value: u32,
    /// The kernel does not change it by what it learns.
    pub locked: bool,
}

/// Where a route goes among others to the same destination with the same metric.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum RoutePlace {
    /// Before them (`prepend`).
    #[default]
    First,
    /// Behind them (`append`).
    Last,
    /// There must be none (`add`).
    Only,
}

/// Realms of a route or a rule (`realms from/to`); 0 is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Realms {
    /// Where packets come from.
    pub from: u16,
    /// Where they go.
    pub to: u16,
}

/// What a route does with a packet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum RouteKind {
    /// Forward it.
    #[default]
    Unicast,
    /// Deliver it locally.
    Local,
    /// Deliver it as a broadcast.
    Broadcast,
    /// Deliver it locally as an anycast.
    Anycast,
    /// Forward it as multicast.
    Multicast,
    /// Drop it in silence.
    Blackhole,
    /// Refuse it as unreachable.
    Unreachable,
    /// Refuse it as prohibited.
    Prohibit,
    /// Look in the next table.
    Throw,
    /// Translate its address.
    Nat,
}

/// One gateway of a route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct NextHop {
    /// Address of the gateway (`via`).
    pub via: Option<IpAddr>,
    /// Outgoing interface (`dev`).
    pub interface: Option<Name>,
    /// Share of a multipath route, 1 to 256.
    pub weight: Option<u16>,
    /// The gateway is reachable although no route says so (`onlink`).
    pub onlink: bool,
    /// Realms of this way of a multipath route.
    pub realms: Option<Realms>,
    /// What packets are wrapped in.
    pub encapsulation: Option<super::Encapsulation>,
}

/// A policy routing rule held by the master (`virtual_rules`) or always (`static_rules`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Rule {
    /// Where it was configured.
    pub origin: Origin,
    /// For IPv6; matters only if neither prefix tells.
    pub ipv6: bool,
    /// Matches when the selector does *not* (`not`).
    pub invert: bool,
    /// Source addresses.
    pub from: Option<Prefix>,
    /// Destination addresses.
    pub to: Option<Prefix>,
    /// Incoming interface.
    pub input: Option<Name>,
    /// Outgoing interface.
    pub output: Option<Name>,
    /// Firewall mark and mask.
    pub mark: Option<(u32, Option<u32>)>,
    /// Type of service.
    pub tos: Option<u8>,
    /// Range of user ids.
    pub uids: Option<(u32, u32)>,
    /// IP protocol (`ipproto`).
    pub ip_protocol: Option<u8>,
    /// Range of source ports.
    pub source_ports: Option<(u16, u16)>,
    /// Range of destination ports.
    pub destination_ports: Option<(u16, u16)>,
    /// Position in the list of rules; the kernel's choice if absent.
    pub priority: Option<u32>,
    /// Ignore routes with a prefix shorter than or equal to this.
    pub suppress_prefix_length: Option<u32>,
    /// Ignore routes over interfaces of this group.
    pub suppress_group: Option<u32>,
    /// Packets of the tunnel with this number.
    pub tunnel: Option<u64>,
    /// Realms of what matches.
    pub realms: Option<Realms>,
    /// Originating protocol number.
    pub protocol: Option<u8>,
    /// What to do on a match.
    pub action: RuleAction,
    /// Restore the rule when somebody else removes it. Cleared by `no_track`.
    pub track: bool,
}

/// What a policy rule does on a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum RuleAction {
    /// Looks in a table.
    Table(u32),
    /// Jumps to the rule of this priority.
    Goto(u32),
    /// Goes on with the next rule.
    Nop,
    /// Drops the packet.
    Blackhole,
    /// Refuses the packet as unreachable.
    Unreachable,
    /// Refuses the packet as prohibited.
    Prohibit,
    /// Looks in the table of the device that the packet's interface belongs to.
    DeviceTable,
}

impl Default for RuleAction {
    /// The main table.
    fn default() -> Self {
        Self::Table(MAIN_TABLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_prefix_prints_without_length() {
        let address = "10.0.10.3".parse().unwrap();
        assert_eq!(Prefix::host(address).to_string(), "10.0.10.3");
        assert_eq!(Prefix::new(address, 24).to_string(), "10.0.10.3/24");
        assert_eq!(Prefix::new(address, 200).length, 32);
    }
}
