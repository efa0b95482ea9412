//! Lines of `virtual_routes` and `static_routes`, in the words of `ip route`.

use super::Reading;
use super::cursor::{Cursor, Dropped, PROTOCOLS, SCOPES};
use super::track::spanned;
use crate::codes;
use crate::tree::ValueLine;
use crate::value;
use crate::word::Word;
use lb_core::diag::{Span, Spanned};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use vrrp::spec::{
    Name, NextHop, Prefix, RTPROT_KEEPALIVED, Route as Spec, RouteKind, RouteMetric, RoutePlace,
};

/// A route.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Route {
    /// What the line says.
    pub value: Spec,
    /// `track_group` of a static route.
    pub track_group: Option<Spanned<String>>,
    /// The whole line.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub span: Span,
}

/// What the value of a metric is.
enum Unit {
    /// A number up to this.
    Count(u32),
    /// A time, of which the kernel counts so many parts of a millisecond.
    Time(u32),
}

/// A metric the kernel numbers (`RTAX_*`).
struct Metric {
    name: &'static str,
    number: u16,
    /// `lock` may stand before the value.
    lockable: bool,
    unit: Unit,
    /// What the original calls the value in a complaint.
    wrong: &'static str,
}

impl Metric {
    const fn lockable(name: &'static str, number: u16, unit: Unit, wrong: &'static str) -> Self {
        Self { name, number, lockable: true, unit, wrong }
    }

    const fn plain(name: &'static str, number: u16, most: u32, wrong: &'static str) -> Self {
        Self { name, number, lockable: false, unit: Unit::Count(most), wrong }
    }
}

const METRICS: [Metric; 14] = [
    Metric::lockable("mtu", 2, Unit::Count(u32::MAX), "MTU {value} specified"),
    Metric::plain("window", 3, u32::MAX, "window value {value} specified"),
    Metric::lockable("rtt", 4, Unit::Time(8), "rtt {value}"),
    Metric::lockable("rttvar", 5, Unit::Time(4), "rttvar {value}"),
    Metric::lockable("ssthresh", 6, Unit::Count(u32::MAX), "ssthresh value {value} specified"),
    Metric::lockable("cwnd", 7, Unit::Count(u32::MAX), "cwnd value {value} specified"),
    Metric::lockable("advmss", 8, Unit::Count(u32::MAX), "advmss {value} specified"),
    Metric::lockable("reordering", 9, Unit::Count(u32::MAX), "reordering value {value} specified"),
    Metric::plain("hoplimit", 10, 255, "hoplimit {value} specified"),
    Metric::plain("initcwnd", 11, u32::MAX, "initcwnd value {value} specified"),
    Metric::lockable("rto_min", 13, Unit::Time(1), "rto_min value {value} specified"),
    Metric::plain("initrwnd", 14, u32::MAX, "initrwnd value {value} specified"),
    Metric::plain("quickack", 15, 1, "quickack value {value} specified"),
    Metric::plain("fastopen_no_cookie", 17, 1, "fastopen_no_cookie value {value} specified"),
];

/// Explicit congestion notification, the feature a route may have.
const ECN: RouteMetric = RouteMetric { number: 12, value: 1, locked: false };

/// The shortest and the longest time the kernel lets packets wait for their acknowledgement, in milliseconds.
const WAITS: (u32, u32) = (200, 120_000);

/// What a route does with packets; its destination follows.
pub(super) const KINDS: [(&str, RouteKind); 11] = [
    ("unicast", RouteKind::Unicast),
    ("local", RouteKind::Local),
    ("broadcast", RouteKind::Broadcast),
    ("brd", RouteKind::Broadcast),
    ("anycast", RouteKind::Anycast),
    ("multicast", RouteKind::Multicast),
    ("blackhole", RouteKind::Blackhole),
    ("unreachable", RouteKind::Unreachable),
    ("prohibit", RouteKind::Prohibit),
    ("throw", RouteKind::Throw),
    ("nat", RouteKind::Nat),
];

impl Route {
    /// The routes of a block; `fixed` ones are there as long as the daemon runs.
    pub(super) fn read_all(lines: &[ValueLine], fixed: bool, cx: &mut Reading<'_>) -> Vec<Self> {
        let mut routes = Vec::new();
        for line in lines {
            let mut builder = Builder::new();
            let mut cursor = Cursor::new(line, "route", fixed, cx);
            if builder.run(&mut cursor).is_ok() {
                routes.extend(builder.finish(line, cx));
            }
        }
        routes
    }
}

/// What a line has said so far.
struct Builder {
    route: Spec,
    /// The destination, once it was seen.
    spec: Option<Prefix>,
    default: bool,
    ipv6: Option<bool>,
    hop: NextHop,
    has_hop: bool,
    /// Gateways are listed; their interfaces are not that of the route.
    multipath: bool,
    /// The rest of the line is not read.
    over: bool,
    track_group: Option<Spanned<String>>,
}

impl Builder {
    fn new() -> Self {
        Self {
            route: Spec::new(Prefix::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0)),
            spec: None,
            default: false,
            ipv6: None,
            hop: NextHop::default(),
            has_hop: false,
            multipath: false,
            over: false,
            track_group: None,
        }
    }

    fn run(&mut self, line: &mut Cursor<'_, '_, '_>) -> Result<(), Dropped> {
        while let Some(word) = line.next().filter(|_| !self.over) {
            if self.multipath {
                self.way(word, line).or_else(|dropped| self.end_at_bad_hop(dropped))?;
            } else if !(self.target(word, line)?
                || self.hop(word, line)?
                || self.attribute(word, line)?
                || self.kernel(word, line)?
                || self.metric(word, line)?)
            {
                self.destination(word, line)?;
            }
        }
        Ok(())
    }

    /// A gateway with a mistake ends the list of gateways; the route has those before it.
    fn end_at_bad_hop(&mut self, dropped: Dropped) -> Result<(), Dropped> {
        (self.hop, self.has_hop, self.over) = (NextHop::default(), false, true);
        if self.route.hops.is_empty() { Err(dropped) } else { Ok(()) }
    }

    fn family(&mut self, address: IpAddr, word: &Word, line: &mut Cursor<'_, '_, '_>) -> Result<(), Dropped> {
        let compat = if self.multipath {
            "Address family mismatch for next hop"
        } else {
            "Cannot mix IPv4 and IPv6 addresses for route"
        };
        line.must_be(&mut self.ipv6, address.is_ipv6(), word, "the line mixes IPv4 and IPv6", compat)
    }

    fn address(
        &mut self,
        option: &Word,
        what: &str,
        line: &mut Cursor<'_, '_, '_>,
    ) -> Result<IpAddr, Dropped> {
        let word = line.value(option)?;
        let Some(address) = value::address(&word.text) else {
            let second = match what {
                "or" => format!("Invalid \"or\" address {}", word.text),
                "via" if self.multipath => format!("invalid nexthop address {}", word.text),
                _ => format!("invalid route {what} address {}", word.text),
            };
            let compat = format!("VRRP parsed invalid IP {}. skipping IP...\n{second}", word.text);
            let message = format!("`{}` is no address", word.text);
            return Err(line.drop_line(codes::BAD_ADDRESS, word, &message, compat));
        };
        self.family(address, word, line)?;
        Ok(address)
    }

    /// Words about where the route leads and what it does.
    fn target(&mut self, word: &Word, line: &mut Cursor<'_, '_, '_>) -> Result<bool, Dropped> {
        match word.text.as_str() {
            "inet" => self.ipv6 = Some(false),
            "inet6" => self.ipv6 = Some(true),
            "to" => {
                let target = line.value(word)?;
                self.destination(target, line)?;
            }
            "src" => self.route.source = Some(self.address(word, "src", line)?),
            "from" => {
                let source = line.value(word)?;
                let Some(prefix) = super::address::prefix(source, "source prefix", line.cx) else {
                    return Err(Dropped);
                };
                if prefix.address.is_ipv4() {
                    let compat = format!("route from address only supported with IPv6 ({})", source.text);
                    let message = "only routes of IPv6 look at the source";
                    return Err(line.drop_line(codes::CONFLICT, source, message, compat));
                }
                self.family(prefix.address, source, line)?;
                self.route.from = Some(prefix);
            }
            name => {
                let Some((_, kind)) = KINDS.iter().find(|(known, _)| *known == name) else {
                    return Ok(false);
                };
                self.route.kind = *kind;
                let target = line.value(word)?;
                self.destination(target, line)?;
            }
        }
        Ok(true)
    }

    /// Words about gateways.
    fn hop(&mut self, word: &Word, line: &mut Cursor<'_, '_, '_>) -> Result<bool, Dropped> {
        match word.text.as_str() {
            "via" | "gw" => {
                if word.text == "gw" {
                    let compat = "\"gw\" for routes is deprecated. Please use \"via\"";
                    line.cx.warn(codes::DEPRECATED, word.span, "`gw` is deprecated", compat).suggest(
                        word.span,
                        "via",
                        "write `via`",
                    );
                }
                if matches!(line.peek(), Some("inet" | "inet6")) {
                    line.next();
                }
                self.hop.via = Some(self.address(word, "via", line)?);
                self.has_hop = true;
            }
            "dev" | "oif" => {
                self.hop.interface = Some(line.interface(word)?);
                self.has_hop = true;
            }
            "onlink" => self.hop.onlink = true,
            "encap" => {
                self.hop.encapsulation = Some(super::encapsulation::read(word, line)?);
                self.has_hop = true;
            }
            "nexthop" => {
                self.next_hop();
                (self.multipath, self.has_hop) = (true, true);
                if !self.route.hops.is_empty() {
                    line.lost = "rest of the line";
                }
            }
            "or" => {
                let compat = "\"or\" for routes is deprecated. Please use \"nexthop\"";
                line.cx
                    .warn(codes::DEPRECATED, word.span, "`or` is deprecated", compat)
                    .note("write `nexthop via …` for each gateway");
                self.next_hop();
                self.hop.via = Some(self.address(word, "or", line)?);
                self.has_hop = true;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Words behind `nexthop`, which are about gateways alone.
    fn way(&mut self, word: &Word, line: &mut Cursor<'_, '_, '_>) -> Result<(), Dropped> {
        match word.text.as_str() {
            "weight" => {
                let weight = line.number(word, 256, "Invalid weight {value} specified for route")?;
                if weight == 0 {
                    let compat = "Invalid weight 0 specified for route".to_owned();
                    return Err(line.drop_line(codes::BAD_NUMBER, word, "a weight is at least 1", compat));
                }
                self.hop.weight = Some(weight);
            }
            "realms" => {
                let realms = line.realms(word)?;
                let compat = "realms are only supported for IPv4";
                line.must_be(&mut self.ipv6, false, word, "only routes of IPv4 have realms", compat)?;
                self.hop.realms = Some(realms);
            }
            "via" | "dev" | "onlink" | "encap" | "nexthop" => {
                self.hop(word, line)?;
            }
            other => {
                let compat = format!("Route has trailing nonsense after nexthops - {other}");
                let message =
                    format!("`{other}` does not belong behind `nexthop`; the rest of the line is ignored");
                line.cx
                    .warn(codes::BAD_OPTION, word.span, message, compat)
                    .note("write what is about the whole route before the first `nexthop`");
                self.over = true;
            }
        }
        Ok(())
    }

    fn next_hop(&mut self) {
        let hop = std::mem::take(&mut self.hop);
        if std::mem::take(&mut self.has_hop) {
            self.route.hops.push(hop);
        }
    }

    /// Words about the route itself.
    fn attribute(&mut self, word: &Word, line: &mut Cursor<'_, '_, '_>) -> Result<bool, Dropped> {
        match word.text.as_str() {
            "table" => (self.route.table, self.route.vrf) = (Some(line.table(word)?), None),
            "metric" | "priority" | "preference" => {
                self.route.metric =
                    Some(line.number(word, u32::MAX, "Invalid metric {value} specified for route")?);
            }
            "scope" => {
                let compat = "Scope {value} not found or invalid for route";
                self.route.scope = Some(line.listed(word, SCOPES, "this is no scope", compat)?);
            }
            "tos" | "dsfield" => self.route.tos = Some(line.tos(word)?),
            "protocol" => {
                let compat = "Protocol {value} not found or invalid for route";
                let message = "this is no routing protocol";
                self.route.protocol = Some(line.listed(word, PROTOCOLS, message, compat)?);
            }
            "no_track" => self.route.track = false,
            "track_group" if line.fixed => self.track_group = Some(spanned(line.value(word)?)),
            "prepend" => self.route.place = RoutePlace::First,
            "append" => self.route.place = RoutePlace::Last,
            "add" => self.route.place = RoutePlace::Only,
            "features" => self.feature(line.value(word)?, line.cx),
            "congctl" => {
                let locked = line.peek() == Some("lock");
                line.skip(usize::from(locked));
                self.route.congestion = Some((line.value(word)?.text.clone(), locked));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Words that are not for every route or every kernel.
    fn kernel(&mut self, word: &Word, line: &mut Cursor<'_, '_, '_>) -> Result<bool, Dropped> {
        match word.text.as_str() {
            "pref" => {
                line.must_be(
                    &mut self.ipv6,
                    true,
                    word,
                    "only routes of IPv6 have it",
                    "pref is only valid for IPv6",
                )?;
                self.route.preference = Some(preference(word, line)?);
            }
            "realms" => {
                let realms = line.realms(word)?;
                let compat = "realms are only valid for IPv4";
                line.must_be(&mut self.ipv6, false, word, "only routes of IPv4 have realms", compat)?;
                self.route.realms = Some(realms);
            }
            "expires" => {
                let compat = "expires is only valid for IPv6";
                line.must_be(&mut self.ipv6, true, word, "only routes of IPv6 expire", compat)?;
                let compat = "Invalid expires time {value} specified for route";
                self.route.expires = Some(line.number(word, u32::MAX, compat)?);
            }
            "ttl-propagate" => {
                let value = line.value(word)?;
                match value.text.as_str() {
                    "enabled" => self.route.ttl_propagate = Some(true),
                    "disabled" => self.route.ttl_propagate = Some(false),
                    other => {
                        let compat = format!("ttl-propagate value {other} not recognised");
                        let message = "expected `enabled` or `disabled`; this is ignored";
                        line.cx.warn(codes::BAD_WORD, value.span, message, compat);
                    }
                }
            }
            "vrf" => self.vrf(word, line)?,
            "as" => {
                line.skip(usize::from(line.peek() == Some("to")));
                let value = line.value(word)?;
                let message = "`as` is for routes of MPLS alone; it is ignored";
                line.cx.warn(
                    codes::BAD_OPTION,
                    word.span.to(value.span),
                    message,
                    "\"as to\" for MPLS only - ignoring",
                );
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn vrf(&mut self, word: &Word, line: &mut Cursor<'_, '_, '_>) -> Result<(), Dropped> {
        let value = line.value(word)?;
        let name = &value.text;
        let wrong = if line.cx.lacks_interface(name) {
            Some(("this VRF does not exist", format!("VRF {name} not found for route")))
        } else if line.cx.env.is_vrf(name) == Some(false) {
            Some(("this interface is no VRF", format!("Route specified VRF {name} is not a VRF")))
        } else {
            None
        };
        if let Some((message, compat)) = wrong {
            return Err(line.drop_line(codes::UNKNOWN_REFERENCE, value, message, compat));
        }
        self.route.vrf = Some(Name::new(name));
        Ok(())
    }

    fn feature(&mut self, value: &Word, cx: &mut Reading<'_>) {
        if value.text == "ecn" {
            self.route.metrics.push(ECN);
        } else {
            let compat = format!("feature {} not supported", value.text);
            cx.warn(codes::BAD_WORD, value.span, "the only feature is `ecn`; this is ignored", compat);
        }
    }

    /// `mtu 1400`, `mtu lock 1400` and their like. The last of a name counts.
    fn metric(&mut self, word: &Word, line: &mut Cursor<'_, '_, '_>) -> Result<bool, Dropped> {
        let Some(metric) = METRICS.iter().find(|metric| metric.name == word.text) else { return Ok(false) };
        let locked = metric.lockable && line.peek() == Some("lock");
        line.skip(usize::from(locked));
        let complaint = format!("Invalid {} for route", metric.wrong);
        let value = match metric.unit {
            Unit::Count(most) => line.number(word, most, &complaint)?,
            Unit::Time(parts) => time(word, parts, &complaint, line)?,
        };
        self.route.metrics.retain(|known| known.number != metric.number);
        self.route.metrics.push(RouteMetric { number: metric.number, value, locked });
        Ok(true)
    }

    fn destination(&mut self, word: &Word, line: &mut Cursor<'_, '_, '_>) -> Result<(), Dropped> {
        if self.spec.is_some() || self.default {
            let message = "the route has a destination already; this one is taken instead";
            line.cx.advise(codes::DUPLICATE, word.span, message).note("a gateway stands behind `via`");
        }
        if word.text == "default6" {
            line.cx.advise(codes::DEPRECATED, word.span, "`default6` is deprecated").suggest(
                word.span,
                "inet6 default",
                "write `inet6 default`",
            );
            let compat = "Cannot mix IPv4 and IPv6 addresses for route (default6)";
            line.must_be(&mut self.ipv6, true, word, "the line mixes IPv4 and IPv6", compat)?;
        }
        if matches!(word.text.as_str(), "default" | "any" | "all" | "default6") {
            (self.spec, self.default) = (None, true);
            return Ok(());
        }
        if value::address(word.text.split('/').next().unwrap_or_default()).is_none() {
            let compat =
                format!("VRRP parsed invalid IP {0}. skipping IP...\nunknown route keyword {0}", word.text);
            let message = format!("`{}` is neither an option of a route nor its destination", word.text);
            return Err(line.drop_line(codes::BAD_OPTION, word, &message, compat));
        }
        let Some(prefix) = super::address::prefix(word, "destination", line.cx) else { return Err(Dropped) };
        let compat = format!("Cannot mix IPv4 and IPv6 addresses for route ({})", word.text);
        line.must_be(
            &mut self.ipv6,
            prefix.address.is_ipv6(),
            word,
            "the line mixes IPv4 and IPv6",
            &compat,
        )?;
        self.spec = Some(prefix);
        Ok(())
    }

    fn finish(mut self, line: &ValueLine, cx: &mut Reading<'_>) -> Option<Route> {
        let loose = self.route.track && (self.multipath || self.hop.interface.is_none());
        self.next_hop();
        let default: IpAddr =
            if self.ipv6 == Some(true) { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        self.route.destination = match (self.spec, self.default) {
            (Some(prefix), _) => prefix,
            (None, true) => Prefix::new(default, 0),
            (None, false) => {
                let message = "the route has no destination; it is ignored";
                cx.warn(codes::NOT_SET, line.span(), message, "Route must have a destination");
                return None;
            }
        };
        foreign("route", (self.route.track, self.route.protocol), line, cx);
        if loose {
            // Hops of a multipath route do not count as naming an interface either.
            let Prefix { address, length, .. } = self.route.destination;
            let destination = if self.default && self.spec.is_none() {
                "default".to_owned()
            } else {
                format!("{address}/{length}")
            };
            let compat = format!(
                "Warning - cannot track route {destination} with no interface specified, not tracking"
            );
            cx.hint(codes::TRACK_WITHOUT_EFFECT, line.span(), "the route names no interface", compat)
                .note("keepalived 2.2 does not restore such a route when somebody removes it");
        }
        Some(Route { value: self.route, track_group: self.track_group, span: line.span() })
    }
}

/// Tells if a route or a rule is tracked under another number: by its own the original knows what it may put back.
pub(super) fn foreign(
    what: &str,
    (track, protocol): (bool, Option<u8>),
    line: &ValueLine,
    cx: &mut Reading<'_>,
) {
    if !track || protocol.is_none_or(|protocol| protocol == RTPROT_KEEPALIVED) {
        return;
    }
    let named = if what == "route" { "Route" } else { "Rule" };
    let compat = format!(
        "{named} cannot be tracked if protocol is not RTPROT_KEEPALIVED({RTPROT_KEEPALIVED}), resetting protocol"
    );
    cx.hint(codes::TRACK_WITHOUT_EFFECT, line.span(), format!("the {what} has another protocol"), compat)
        .note(format!(
            "keepalived takes its own instead; here the {what} keeps it and is put back all the same"
        ));
}

/// Router preference of IPv6 routes, as the kernel numbers it.
fn preference(option: &Word, line: &mut Cursor<'_, '_, '_>) -> Result<u8, Dropped> {
    let named = match line.peek() {
        Some("low") => 3,
        Some("medium") => 0,
        Some("high") => 1,
        _ => return line.number(option, 255, "Invalid pref value {value} specified for route"),
    };
    line.skip(1);
    Ok(named)
}

/// A time in seconds or milliseconds as its unit says, or in the kernel's own parts of a millisecond. What is beyond the limits
/// of the kernel is brought to them.
fn time(option: &Word, parts: u32, complaint: &str, line: &mut Cursor<'_, '_, '_>) -> Result<u32, Dropped> {
    let word = line.value(option)?;
    let text = word.text.as_str();
    let cut = ["secs", "sec", "s"].iter().find_map(|unit| text.strip_suffix(unit));
    let (digits, places, factor) = match cut {
        Some(rest) => rest.strip_suffix('m').map_or((rest, 3, parts), |digits| (digits, 0, parts)),
        None => (text, 0, 1),
    };
    let most = u64::from(WAITS.1) * u64::from(parts);
    let compat = match value::scaled(digits, 0, most, places) {
        Ok(number) => {
            let number = u32::try_from(number).unwrap_or(u32::MAX).saturating_mul(factor);
            let limits = (WAITS.0 * parts, WAITS.1 * parts);
            if !(limits.0..=limits.1).contains(&number) {
                let message = "the kernel knows times from 200 ms to 120 s; the nearest is taken";
                line.cx.advise(codes::BAD_NUMBER, word.span, message);
            }
            return Ok(number.clamp(limits.0, limits.1));
        }
        Err(problem) => format!("{}\n{}", problem.compat(), complaint.replace("{value}", text)),
    };
    Err(line.drop_line(codes::BAD_NUMBER, word, "this is no time", compat))
}
