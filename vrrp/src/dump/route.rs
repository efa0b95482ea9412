//! Routes and rules in one line each, in the words of keepalived, which are those of `ip route` and `ip rule` for the most part.

use std::fmt::{Display, Write as _};
use std::net::IpAddr;

use super::data::enabled;
use crate::spec::{
    Encapsulation, MAIN_TABLE, NextHop, RTPROT_KEEPALIVED, Realms, Route, RouteKind, RoutePlace, Rule,
    RuleAction, Tunnel,
};

/// `prepend 10.9.0.0/16 via inet 10.0.0.254 dev eth0 proto 18`
pub(super) fn route(route: &Route) -> String {
    let mut line = match route.place {
        RoutePlace::First => "prepend ",
        RoutePlace::Last => "append ",
        RoutePlace::Only => "add ",
    }
    .to_owned();
    if let Some(kind) = kind(route.kind) {
        line.push_str(kind);
        line.push(' ');
    }
    let _ = write!(line, "{}", route.destination);
    word(&mut line, "from", route.from);
    word(&mut line, "src", route.source);
    word(&mut line, "tos", route.tos);
    let single = if let [hop] = route.hops.as_slice() { Some(hop) } else { None };
    if let Some(hop) = single {
        hop.encapsulation.iter().for_each(|of| encapsulation(&mut line, of));
        way(&mut line, hop);
    }
    match &route.vrf {
        Some(vrf) => word(&mut line, "vrf", Some(vrf)),
        None => word(&mut line, "table", route.table.filter(|table| *table != MAIN_TABLE)),
    }
    word(&mut line, "proto", route.protocol.or_else(|| route.track.then_some(RTPROT_KEEPALIVED)));
    word(&mut line, "scope", route.scope);
    word(&mut line, "metric", route.metric);
    if single.is_some_and(|hop| hop.onlink) {
        line.push_str(" onlink");
    }
    realms(&mut line, single.and_then(|hop| hop.realms).or(route.realms));
    word(&mut line, "expires", route.expires.map(|seconds| format!("{seconds}sec")));
    if let Some((name, locked)) = &route.congestion {
        let _ = write!(line, " congctl {}{name}", lock(*locked));
    }
    METRICS.iter().for_each(|known| metric(&mut line, route, *known));
    word(&mut line, "pref", route.preference.map(preference));
    word(&mut line, "ttl-propagate", route.ttl_propagate.map(enabled));
    for hop in route.hops.iter().filter(|_| single.is_none()) {
        next_hop(&mut line, hop);
    }
    if !route.track {
        line.push_str(" no_track");
    }
    line
}

/// `from 10.9.0.0/16 priority 100 tos 0x0 lookup 42`
pub(super) fn rule(rule: &Rule) -> String {
    let mut line = String::new();
    if rule.ipv6 && rule.from.is_none() && rule.to.is_none() {
        line.push_str("inet6 ");
    }
    if rule.invert {
        line.push_str("not ");
    }
    match rule.from {
        Some(from) => {
            let _ = write!(line, "from {from}");
        }
        None => line.push_str("from all"),
    }
    word(&mut line, "to", rule.to);
    word(&mut line, "priority", rule.priority);
    let _ = write!(line, " tos {:#x}", rule.tos.unwrap_or(0));
    if let Some((mark, mask)) = rule.mark {
        let _ = write!(line, " fwmark {mark:#x}");
        if let Some(mask) = mask.filter(|mask| *mask != u32::MAX) {
            let _ = write!(line, "/{mask:#x}");
        }
    }
    word(&mut line, "iif", rule.input.as_ref());
    word(&mut line, "oif", rule.output.as_ref());
    word(&mut line, "suppress_prefixlen", rule.suppress_prefix_length);
    word(&mut line, "suppress_ifgroup", rule.suppress_group);
    word(&mut line, "tunnel-id", rule.tunnel);
    word(&mut line, "uidrange", rule.uids.map(range));
    if rule.action == RuleAction::DeviceTable {
        line.push_str(" l3mdev");
    }
    word(&mut line, "protocol", rule.protocol.or_else(|| rule.track.then_some(RTPROT_KEEPALIVED)));
    word(&mut line, "ipproto", rule.ip_protocol);
    word(&mut line, "sport", rule.source_ports.map(range));
    word(&mut line, "dport", rule.destination_ports.map(range));
    word(&mut line, "realms", rule.realms.map(|realms| format!("{}/{}", realms.from, realms.to)));
    match rule.action {
        RuleAction::Table(table) => word(&mut line, "lookup", Some(table)),
        RuleAction::DeviceTable => word(&mut line, "lookup", Some(0)),
        RuleAction::Goto(priority) => word(&mut line, "goto", Some(priority)),
        RuleAction::Nop => line.push_str(" nop"),
        RuleAction::Blackhole => line.push_str(" type blackhole"),
        RuleAction::Unreachable => line.push_str(" type unreachable"),
        RuleAction::Prohibit => line.push_str(" type prohibit"),
    }
    if !rule.track {
        line.push_str(" no_track");
    }
    line
}

fn word(line: &mut String, name: &str, value: Option<impl Display>) {
    if let Some(value) = value {
        let _ = write!(line, " {name} {value}");
    }
}

fn range<T: Display>((first, last): (T, T)) -> String {
    format!("{first}-{last}")
}

fn kind(kind: RouteKind) -> Option<&'static str> {
    Some(match kind {
        RouteKind::Unicast => return None,
        RouteKind::Local => "local",
        RouteKind::Broadcast => "broadcast",
        RouteKind::Anycast => "anycast",
        RouteKind::Multicast => "multicast",
        RouteKind::Blackhole => "blackhole",
        RouteKind::Unreachable => "unreachable",
        RouteKind::Prohibit => "prohibit",
        RouteKind::Throw => "throw",
        RouteKind::Nat => "nat",
    })
}

fn preference(number: u8) -> &'static str {
    match number {
        0 => "medium",
        1 => "high",
        3 => "low",
        _ => "unknown",
    }
}

fn lock(locked: bool) -> &'static str {
    if locked { "lock " } else { "" }
}

/// Where a packet goes next: gateway and interface.
fn way(line: &mut String, hop: &NextHop) {
    if let Some(via) = hop.via {
        let family = if via.is_ipv6() { "inet6" } else { "inet" };
        let _ = write!(line, " via {family} {via}");
    }
    word(line, "dev", hop.interface.as_ref());
}

fn next_hop(line: &mut String, hop: &NextHop) {
    line.push_str(" nexthop");
    way(line, hop);
    word(line, "weight", hop.weight);
    if hop.onlink {
        line.push_str(" onlink");
    }
    realms(line, hop.realms);
    hop.encapsulation.iter().for_each(|of| encapsulation(line, of));
}

fn realms(line: &mut String, realms: Option<Realms>) {
    match realms {
        Some(Realms { from: 0, to }) => word(line, "realm", Some(to)),
        Some(Realms { from, to }) => word(line, "realms", Some(format!("{from}/{to}"))),
        None => {}
    }
}

/// How a metric is written.
#[derive(Clone, Copy)]
enum Unit {
    Plain,
    /// A time; so many of the kernel's units are a millisecond.
    Time(u32),
    /// A switch among several in one number.
    Features,
}

/// The kernel's numbers of the metrics (`RTAX_*`), in the order in which they are written.
const METRICS: [(u16, &str, Unit); 15] = [
    (4, "rtt", Unit::Time(8)),
    (5, "rttvar", Unit::Time(4)),
    (13, "rto_min", Unit::Time(1)),
    (12, "features", Unit::Features),
    (2, "mtu", Unit::Plain),
    (3, "window", Unit::Plain),
    (6, "ssthresh", Unit::Plain),
    (7, "cwnd", Unit::Plain),
    (8, "advmss", Unit::Plain),
    (9, "reordering", Unit::Plain),
    (10, "hoplimit", Unit::Plain),
    (11, "initcwnd", Unit::Plain),
    (14, "initrwnd", Unit::Plain),
    (15, "quickack", Unit::Plain),
    (17, "fastopen_no_cookie", Unit::Plain),
];

fn metric(line: &mut String, route: &Route, (number, name, unit): (u16, &str, Unit)) {
    let Some(metric) = route.metrics.iter().find(|metric| metric.number == number) else { return };
    let lock = lock(metric.locked);
    let _ = match unit {
        Unit::Plain => write!(line, " {name} {lock}{}", metric.value),
        Unit::Features => write!(line, " {name} ecn"),
        Unit::Time(parts) => {
            let milliseconds = f64::from(metric.value) / f64::from(parts);
            if milliseconds < 1000.0 {
                write!(line, " {name} {lock}{milliseconds}ms")
            } else {
                write!(line, " {name} {lock}{}s", milliseconds / 1000.0)
            }
        }
    };
}

fn encapsulation(line: &mut String, of: &Encapsulation) {
    match of {
        Encapsulation::Mpls(labels) => {
            let labels: Vec<String> = labels.iter().map(u32::to_string).collect();
            word(line, "encap mpls", Some(labels.join("/")));
        }
        Encapsulation::Ip(of) => tunnel(line, "ip", of, ["tos", "ttl"]),
        Encapsulation::Ip6(of) => tunnel(line, "ip6", of, ["tc", "hoplimit"]),
        Encapsulation::Ila(locator) => word(line, "encap ila", Some(locator)),
    }
}

fn tunnel<A: Copy + Into<IpAddr>>(line: &mut String, kind: &str, of: &Tunnel<A>, [tos, ttl]: [&str; 2]) {
    word(line, "encap", Some(kind));
    word(line, "id", of.id);
    word(line, "dst", of.destination.map(Into::into));
    word(line, "src", of.source.map(Into::into));
    word(line, tos, of.tos);
    word(line, ttl, of.ttl);
    word(line, "flags", of.flags.map(|flags| format!("{flags:#x}")));
}
