//! Builds the requests for routes and policy rules.

use std::net::IpAddr;

use netlink_packet_core::{DefaultNla, NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::{
    MplsLabel, RouteAddress, RouteAttribute, RouteHeader, RouteLwEnCapType, RouteLwTunnelEncap, RouteMessage,
    RouteMetric, RouteMplsIpTunnel, RouteNextHop, RouteNextHopFlags, RouteProtocol, RouteRealm, RouteScope,
    RouteType, RouteVia,
};
use netlink_packet_route::rule::{
    RuleAction as KernelAction, RuleAttribute, RuleFlags, RuleMessage, RulePortRange, RuleUidRange,
};

use super::message::family;
use crate::spec::{
    Encapsulation, NextHop, Prefix, RTPROT_KEEPALIVED, Realms, Route, RouteKind, RoutePlace, Rule,
    RuleAction, Tunnel,
};

/// Finds the index of an interface.
pub(in crate::linux) type IndexOf<'a> = &'a dyn Fn(&str) -> Option<u32>;

/// Adds a route to a table; None if one of its interfaces does not exist.
pub(in crate::linux) fn add_route(
    route: &Route,
    table: u32,
    index_of: IndexOf<'_>,
) -> Option<RouteNetlinkMessage> {
    route_message(route, table, index_of).map(RouteNetlinkMessage::NewRoute)
}

/// Removes a route from a table.
pub(in crate::linux) fn del_route(
    route: &Route,
    table: u32,
    index_of: IndexOf<'_>,
) -> Option<RouteNetlinkMessage> {
    route_message(route, table, index_of).map(RouteNetlinkMessage::DelRoute)
}

/// How the kernel is told where a new route goes.
pub(in crate::linux) fn placing(place: RoutePlace) -> u16 {
    NLM_F_CREATE
        | match place {
            RoutePlace::First => 0,
            RoutePlace::Last => NLM_F_APPEND,
            RoutePlace::Only => NLM_F_EXCL,
        }
}

fn route_message(route: &Route, table: u32, index_of: IndexOf<'_>) -> Option<RouteMessage> {
    let mut message = RouteMessage::default();
    let header = &mut message.header;
    header.address_family = family(route.destination.address);
    header.destination_prefix_length = route.destination.length;
    header.source_prefix_length = route.from.map_or(0, |from| from.length);
    header.tos = route.tos.unwrap_or(0);
    header.protocol = RouteProtocol::from(route.protocol.unwrap_or(RTPROT_KEEPALIVED));
    header.scope = RouteScope::from(route.scope.unwrap_or_else(|| default_scope(route)));
    header.kind = kernel_kind(route.kind);
    header.table = u8::try_from(table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC);

    let attributes = &mut message.attributes;
    if route.destination.length > 0 {
        attributes.push(RouteAttribute::Destination(route_address(route.destination.address)));
    }
    attributes.extend(route.from.map(|from| RouteAttribute::Source(route_address(from.address))));
    attributes.extend(route.source.map(|source| RouteAttribute::PrefSource(route_address(source))));
    if u8::try_from(table).is_err() {
        attributes.push(RouteAttribute::Table(table));
    }
    attributes.extend(route.metric.map(RouteAttribute::Priority));
    attributes.extend(route.preference.map(|value| RouteAttribute::Preference(value.into())));
    attributes.extend(route.expires.map(RouteAttribute::Expires));
    attributes.extend(route.ttl_propagate.map(|on| RouteAttribute::TtlPropagate(u8::from(on).into())));
    let metrics = metrics(route);
    if !metrics.is_empty() {
        attributes.push(RouteAttribute::Metrics(metrics));
    }
    let realms = match route.hops.as_slice() {
        [hop] => hop.realms.or(route.realms),
        _ => route.realms,
    };
    attributes.extend(realms.map(realm));
    match route.hops.as_slice() {
        [] => {}
        [hop] => {
            attributes.extend(gateway(hop, route.destination));
            attributes.extend(hop.encapsulation.iter().flat_map(encapsulation));
            if let Some(interface) = &hop.interface {
                attributes.push(RouteAttribute::Oif(index_of(interface)?));
            }
            if hop.onlink {
                message.header.flags |= netlink_packet_route::route::RouteFlags::Onlink;
            }
        }
        hops => {
            let hops = hops.iter().map(|hop| next_hop(hop, route.destination, index_of));
            attributes.push(RouteAttribute::MultiPath(hops.collect::<Option<_>>()?));
        }
    }
    Some(message)
}

/// Scope of a route whose specification names none: what `ip route` would choose.
fn default_scope(route: &Route) -> u8 {
    let direct = route.hops.iter().all(|hop| hop.via.is_none());
    match route.kind {
        RouteKind::Local | RouteKind::Nat => libc::RT_SCOPE_HOST,
        RouteKind::Broadcast | RouteKind::Multicast | RouteKind::Anycast => libc::RT_SCOPE_LINK,
        RouteKind::Unicast if direct && route.destination.address.is_ipv4() => libc::RT_SCOPE_LINK,
        _ => libc::RT_SCOPE_UNIVERSE,
    }
}

fn kernel_kind(kind: RouteKind) -> RouteType {
    match kind {
        RouteKind::Unicast => RouteType::Unicast,
        RouteKind::Local => RouteType::Local,
        RouteKind::Broadcast => RouteType::Broadcast,
        RouteKind::Anycast => RouteType::Anycast,
        RouteKind::Multicast => RouteType::Multicast,
        RouteKind::Blackhole => RouteType::BlackHole,
        RouteKind::Unreachable => RouteType::Unreachable,
        RouteKind::Prohibit => RouteType::Prohibit,
        RouteKind::Throw => RouteType::Throw,
        RouteKind::Nat => RouteType::Nat,
    }
}

fn kernel_realms(realms: Realms) -> RouteRealm {
    RouteRealm { source: realms.from, destination: realms.to }
}

fn realm(realms: Realms) -> RouteAttribute {
    RouteAttribute::Realm(kernel_realms(realms))
}

fn metrics(route: &Route) -> Vec<RouteMetric> {
    const RTAX_CC_ALGO: u16 = 16;
    let mut metrics = Vec::new();
    let congestion = route.congestion.iter().map(|(_, locked)| (RTAX_CC_ALGO, *locked));
    let all = route.metrics.iter().map(|metric| (metric.number, metric.locked)).chain(congestion);
    let locks = all.filter(|(_, locked)| *locked).fold(0, |locks, (number, _)| locks | 1 << number);
    if locks != 0 {
        metrics.push(RouteMetric::Lock(locks));
    }
    metrics.extend(route.metrics.iter().map(|metric| {
        RouteMetric::Other(DefaultNla::new(metric.number, metric.value.to_ne_bytes().to_vec()))
    }));
    metrics.extend(route.congestion.as_ref().map(|(name, _)| {
        let terminated = name.bytes().chain([0]).collect();
        RouteMetric::Other(DefaultNla::new(RTAX_CC_ALGO, terminated))
    }));
    metrics
}

/// The gateway attribute; `via` of the other family needs its own one.
fn gateway(hop: &NextHop, destination: Prefix) -> Option<RouteAttribute> {
    let via = hop.via?;
    if via.is_ipv4() == destination.address.is_ipv4() {
        return Some(RouteAttribute::Gateway(route_address(via)));
    }
    Some(RouteAttribute::Via(match via {
        IpAddr::V4(via) => RouteVia::Inet(via),
        IpAddr::V6(via) => RouteVia::Inet6(via),
    }))
}

/// What packets are wrapped in: the kind, and what it needs to know.
fn encapsulation(encapsulation: &Encapsulation) -> [RouteAttribute; 2] {
    /// `ILA_ATTR_LOCATOR`
    const LOCATOR: u16 = 1;
    let (kind, words) = match encapsulation {
        Encapsulation::Mpls(labels) => {
            let last = labels.len().saturating_sub(1);
            let label = |(i, &label): (usize, &u32)| MplsLabel {
                label,
                traffic_class: 0,
                bottom_of_stack: i == last,
                ttl: 0,
            };
            let labels = labels.iter().enumerate().map(label).collect();
            let words = vec![RouteLwTunnelEncap::Mpls(RouteMplsIpTunnel::Destination(labels))];
            (RouteLwEnCapType::Mpls, words)
        }
        Encapsulation::Ip(ip) => (RouteLwEnCapType::Ip, tunnel(ip, |address| address.octets().to_vec())),
        Encapsulation::Ip6(ip) => (RouteLwEnCapType::Ip6, tunnel(ip, |address| address.octets().to_vec())),
        Encapsulation::Ila(locator) => {
            let locator = DefaultNla::new(LOCATOR, locator.to_be_bytes().to_vec());
            (RouteLwEnCapType::Ila, vec![RouteLwTunnelEncap::Other(locator)])
        }
    };
    [RouteAttribute::EncapType(kind), RouteAttribute::Encap(words)]
}

/// What a tunnel device is told: `LWTUNNEL_IP_*` and `LWTUNNEL_IP6_*` have the same numbers, in network byte order.
fn tunnel<A: Copy>(tunnel: &Tunnel<A>, octets: impl Fn(A) -> Vec<u8>) -> Vec<RouteLwTunnelEncap> {
    let words = [
        (1, tunnel.id.map(|id| id.to_be_bytes().to_vec())),
        (2, tunnel.destination.map(&octets)),
        (3, tunnel.source.map(&octets)),
        (4, tunnel.ttl.map(|ttl| vec![ttl])),
        (5, tunnel.tos.map(|tos| vec![tos])),
        (6, tunnel.flags.map(|flags| flags.to_be_bytes().to_vec())),
    ];
    let word = |(kind, value): (u16, Option<Vec<u8>>)| Some(DefaultNla::new(kind, value?));
    words.into_iter().filter_map(word).map(RouteLwTunnelEncap::Other).collect()
}

fn next_hop(hop: &NextHop, destination: Prefix, index_of: IndexOf<'_>) -> Option<RouteNextHop> {
    let mut out = RouteNextHop::default();
    out.attributes.extend(gateway(hop, destination));
    out.attributes.extend(hop.realms.map(realm));
    out.attributes.extend(hop.encapsulation.iter().flat_map(encapsulation));
    if let Some(interface) = &hop.interface {
        out.interface_index = index_of(interface)?;
    }
    // The kernel counts the hops from zero where people count the weight from one.
    out.hops = hop.weight.map_or(0, |weight| u8::try_from(weight.saturating_sub(1)).unwrap_or(u8::MAX));
    if hop.onlink {
        out.flags |= RouteNextHopFlags::Onlink;
    }
    Some(out)
}

fn route_address(address: IpAddr) -> RouteAddress {
    match address {
        IpAddr::V4(address) => RouteAddress::Inet(address),
        IpAddr::V6(address) => RouteAddress::Inet6(address),
    }
}

/// Adds a policy rule.
pub(in crate::linux) fn add_rule(rule: &Rule) -> RouteNetlinkMessage {
    RouteNetlinkMessage::NewRule(rule_message(rule))
}

/// Removes a policy rule.
pub(in crate::linux) fn del_rule(rule: &Rule) -> RouteNetlinkMessage {
    RouteNetlinkMessage::DelRule(rule_message(rule))
}

fn rule_message(rule: &Rule) -> RuleMessage {
    let mut message = RuleMessage::default();
    let header = &mut message.header;
    let selector = rule.from.or(rule.to).map(|prefix| prefix.address);
    let ipv6 = selector.map_or(rule.ipv6, |address| address.is_ipv6());
    header.family = if ipv6 { libc::AF_INET6 as u8 } else { libc::AF_INET as u8 }.into();
    header.src_len = rule.from.map_or(0, |prefix| prefix.length);
    header.dst_len = rule.to.map_or(0, |prefix| prefix.length);
    header.tos = rule.tos.unwrap_or(0);
    header.flags.set(RuleFlags::Invert, rule.invert);
    let attributes = &mut message.attributes;
    match rule.action {
        RuleAction::Table(table) => {
            header.action = KernelAction::ToTable;
            header.table = u8::try_from(table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC);
            attributes.push(RuleAttribute::Table(table));
        }
        RuleAction::Goto(target) => {
            header.action = KernelAction::Goto;
            attributes.push(RuleAttribute::Goto(target));
        }
        RuleAction::Nop => header.action = KernelAction::Nop,
        RuleAction::Blackhole => header.action = KernelAction::Blackhole,
        RuleAction::Unreachable => header.action = KernelAction::Unreachable,
        RuleAction::Prohibit => header.action = KernelAction::Prohibit,
        RuleAction::DeviceTable => {
            header.action = KernelAction::ToTable;
            attributes.push(RuleAttribute::L3MDev(true));
        }
    }
    let some = |prefix: &Prefix| prefix.length > 0;
    attributes.extend(rule.from.filter(some).map(|prefix| RuleAttribute::Source(prefix.address)));
    attributes.extend(rule.to.filter(some).map(|prefix| RuleAttribute::Destination(prefix.address)));
    attributes.extend(rule.input.as_deref().map(|name| RuleAttribute::Iifname(name.to_owned())));
    attributes.extend(rule.output.as_deref().map(|name| RuleAttribute::Oifname(name.to_owned())));
    attributes.extend(rule.mark.map(|(mark, _)| RuleAttribute::FwMark(mark)));
    attributes.extend(rule.mark.and_then(|(_, mask)| mask).map(RuleAttribute::FwMask));
    attributes.extend(rule.uids.map(|(start, end)| RuleAttribute::UidRange(RuleUidRange { start, end })));
    attributes.extend(rule.ip_protocol.map(|protocol| RuleAttribute::IpProtocol(i32::from(protocol).into())));
    let ports = |(start, end)| RulePortRange { start, end };
    attributes.extend(rule.source_ports.map(ports).map(RuleAttribute::SourcePortRange));
    attributes.extend(rule.destination_ports.map(ports).map(RuleAttribute::DestinationPortRange));
    attributes.extend(rule.priority.map(RuleAttribute::Priority));
    attributes.extend(rule.suppress_prefix_length.map(RuleAttribute::SuppressPrefixLen));
    attributes.extend(rule.suppress_group.map(RuleAttribute::SuppressIfGroup));
    attributes.extend(rule.tunnel.map(RuleAttribute::TunId));
    attributes.extend(rule.realms.map(|realms| RuleAttribute::Realm(kernel_realms(realms))));
    attributes.push(RuleAttribute::Protocol(RouteProtocol::from(rule.protocol.unwrap_or(RTPROT_KEEPALIVED))));
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::MAIN_TABLE;

    fn prefix(text: &str, length: u8) -> Prefix {
        Prefix::new(text.parse().unwrap(), length)
    }

    fn index_of(name: &str) -> Option<u32> {
        (name == "eth0").then_some(7)
    }

    fn hop(via: Option<&str>, interface: Option<&str>, weight: Option<u16>) -> NextHop {
        let via = via.map(|via| via.parse().unwrap());
        NextHop { via, interface: interface.map(Into::into), weight, ..NextHop::default() }
    }

    fn build(route: &Route) -> RouteMessage {
        route_message(route, route.table.unwrap_or(MAIN_TABLE), &index_of).unwrap()
    }

    #[test]
    fn a_default_route_names_gateway_and_interface_but_no_destination() {
        let mut route = Route::new(prefix("0.0.0.0", 0));
        route.hops.push(hop(Some("10.0.0.1"), Some("eth0"), None));
        let message = build(&route);
        assert_eq!(message.header.scope, RouteScope::Universe);
        assert_eq!(message.header.table, 254);
        let gateway = RouteAttribute::Gateway(RouteAddress::Inet("10.0.0.1".parse().unwrap()));
        assert_eq!(message.attributes, [gateway, RouteAttribute::Oif(7)]);
    }

    #[test]
    fn a_route_through_an_unknown_interface_cannot_be_built() {
        let mut route = Route::new(prefix("10.1.0.0", 16));
        route.hops.push(hop(None, Some("eth9"), None));
        assert_eq!(route_message(&route, MAIN_TABLE, &index_of), None);
        route.hops.push(hop(None, Some("eth0"), None));
        assert_eq!(route_message(&route, MAIN_TABLE, &index_of), None);
    }

    #[test]
    fn a_large_table_number_travels_in_an_attribute() {
        let mut route = Route::new(prefix("2001:db8::", 32));
        route.kind = RouteKind::Blackhole;
        route.table = Some(70_000);
        let message = build(&route);
        assert_eq!(message.header.table, 0);
        assert!(message.attributes.contains(&RouteAttribute::Table(70_000)));
        assert_eq!(message.header.kind, RouteType::BlackHole);
    }

    #[test]
    fn a_directly_connected_ipv4_route_has_link_scope() {
        let mut route = Route::new(prefix("10.1.0.0", 16));
        route.hops.push(hop(None, Some("eth0"), None));
        assert_eq!(build(&route).header.scope, RouteScope::Link);
    }

    #[test]
    fn weights_count_from_zero_and_gateways_of_the_other_family_get_their_own_attribute() {
        let mut route = Route::new(prefix("10.1.0.0", 16));
        route.hops = vec![hop(Some("10.0.0.1"), None, Some(1)), hop(Some("fe80::1"), None, Some(256))];
        let message = build(&route);
        let Some(RouteAttribute::MultiPath(hops)) = message.attributes.last() else { panic!("{message:?}") };
        assert_eq!([hops[0].hops, hops[1].hops], [0, 255]);
        assert!(matches!(hops[1].attributes[..], [RouteAttribute::Via(RouteVia::Inet6(_))]));
    }

    #[test]
    fn a_route_carries_its_realms_and_how_it_avoids_congestion() {
        let mut route = Route::new(prefix("10.1.0.0", 16));
        route.realms = Some(Realms { from: 1, to: 2 });
        let metric = |number, value, locked| crate::spec::RouteMetric { number, value, locked };
        route.metrics = vec![metric(2, 1400, true), metric(4, 2400, false), metric(13, 250, true)];
        route.congestion = Some(("cubic".to_owned(), true));
        let message = build(&route);
        let realm = RouteAttribute::Realm(RouteRealm { source: 1, destination: 2 });
        assert!(message.attributes.contains(&realm));
        let number =
            |kind, value: u32| RouteMetric::Other(DefaultNla::new(kind, value.to_ne_bytes().to_vec()));
        let metrics = RouteAttribute::Metrics(vec![
            RouteMetric::Lock(1 << 2 | 1 << 13 | 1 << 16),
            number(2, 1400),
            number(4, 2400),
            number(13, 250),
            RouteMetric::Other(DefaultNla::new(16, b"cubic\0".to_vec())),
        ]);
        assert!(message.attributes.contains(&metrics), "{message:?}");
    }

    #[test]
    fn a_route_says_when_it_ends_and_where_it_goes_among_others() {
        let mut route = Route::new(prefix("2001:db8:1::", 48));
        (route.expires, route.ttl_propagate) = (Some(60), Some(false));
        let message = build(&route);
        assert!(message.attributes.contains(&RouteAttribute::Expires(60)));
        assert!(message.attributes.contains(&RouteAttribute::TtlPropagate(0.into())));
        let places = [RoutePlace::First, RoutePlace::Last, RoutePlace::Only].map(placing);
        assert_eq!(places, [NLM_F_CREATE, NLM_F_CREATE | NLM_F_APPEND, NLM_F_CREATE | NLM_F_EXCL]);
    }

    #[test]
    fn ways_of_a_multipath_route_have_realms_of_their_own() {
        let mut route = Route::new(prefix("10.1.0.0", 16));
        let mut first = hop(Some("10.0.0.1"), None, None);
        first.realms = Some(Realms { from: 0, to: 3 });
        let attribute = RouteAttribute::Realm(RouteRealm { source: 0, destination: 3 });
        route.hops = vec![first.clone()];
        assert!(build(&route).attributes.contains(&attribute), "a single way is the route itself");
        route.hops.push(hop(Some("10.0.0.2"), None, None));
        let message = build(&route);
        assert!(!message.attributes.contains(&attribute));
        let Some(RouteAttribute::MultiPath(hops)) = message.attributes.last() else { panic!("{message:?}") };
        assert!(hops[0].attributes.contains(&attribute) && !hops[1].attributes.contains(&attribute));
    }

    #[test]
    fn packets_are_wrapped_as_ip_route_would_say_it() {
        use netlink_packet_core::Emitable;
        let bytes = |encapsulation: &Encapsulation| {
            let [kind, words] = super::encapsulation(encapsulation);
            let mut out = vec![0; kind.buffer_len() + words.buffer_len()];
            let (first, second) = out.split_at_mut(kind.buffer_len());
            kind.emit(first);
            words.emit(second);
            out
        };
        // `ip route add 10.1.0.0/24 dev eth0 encap mpls 100/200`: the last label ends the stack.
        let mpls = bytes(&Encapsulation::Mpls(vec![100, 200]));
        assert_eq!(mpls[..8], [6, 0, 21, 0, 1, 0, 0, 0]);
        assert_eq!(mpls[12..], [12, 0, 1, 0, 0, 6, 0x40, 0, 0, 12, 0x81, 0]);
        let mut tunnel = Tunnel::default();
        (tunnel.id, tunnel.destination) = (Some(5), Some("10.9.9.9".parse().unwrap()));
        let ip = bytes(&Encapsulation::Ip(tunnel));
        assert_eq!(ip[4..6], [2, 0]);
        assert_eq!(ip[12..], [12, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 5, 8, 0, 2, 0, 10, 9, 9, 9]);
        let ila = bytes(&Encapsulation::Ila(0x0001_0002_0003_0004));
        assert_eq!(ila[12..], [12, 0, 1, 0, 0, 1, 0, 2, 0, 3, 0, 4]);
    }

    #[test]
    fn a_rule_carries_its_selectors() {
        let mut rule = Rule {
            from: Some(prefix("10.0.0.0", 8)),
            mark: Some((1, Some(0xff))),
            priority: Some(100),
            action: RuleAction::Table(1000),
            ..Rule::default()
        };
        let message = rule_message(&rule);
        assert_eq!(u8::from(message.header.family), libc::AF_INET as u8);
        assert_eq!((message.header.src_len, message.header.table), (8, 0));
        for wanted in [
            RuleAttribute::Table(1000),
            RuleAttribute::Source("10.0.0.0".parse().unwrap()),
            RuleAttribute::FwMark(1),
            RuleAttribute::FwMask(0xff),
            RuleAttribute::Priority(100),
        ] {
            assert!(message.attributes.contains(&wanted), "{wanted:?}");
        }
        rule.realms = Some(Realms { from: 0, to: 3 });
        rule.tunnel = Some(7);
        rule.suppress_group = Some(2);
        rule.action = RuleAction::DeviceTable;
        let message = rule_message(&rule);
        for wanted in [
            RuleAttribute::Realm(RouteRealm { source: 0, destination: 3 }),
            RuleAttribute::TunId(7),
            RuleAttribute::SuppressIfGroup(2),
            RuleAttribute::L3MDev(true),
        ] {
            assert!(message.attributes.contains(&wanted), "{wanted:?}");
        }
        assert!(message.attributes.contains(&RuleAttribute::Protocol(RTPROT_KEEPALIVED.into())));
        (rule.ip_protocol, rule.protocol) = (Some(6), Some(4));
        let message = rule_message(&rule);
        assert!(message.attributes.contains(&RuleAttribute::IpProtocol(6.into())));
        assert!(message.attributes.contains(&RuleAttribute::Protocol(4.into())));
        rule.from = None;
        rule.ipv6 = true;
        assert_eq!(u8::from(rule_message(&rule).header.family), libc::AF_INET6 as u8);
    }
}
