//! Lines of `virtual_routes` and `static_routes`, in the words of `ip route`.

use super::Reading;
use super::address::scope;
use super::track::spanned;
use crate::codes;
use crate::tree::ValueLine;
use crate::value;
use crate::word::Word;
use lb_core::diag::{Code, Span, Spanned};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use vrrp::spec::{Name, NextHop, Prefix, Realms, Route as Spec, RouteKind};

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

/// Why a line is dropped: the diagnostic was given.
pub(super) struct Dropped;

/// The words of a line, one after the other.
pub(super) struct Cursor<'a, 'c, 'e> {
    words: &'a [Word],
    at: usize,
    pub(super) cx: &'c mut Reading<'e>,
    /// What the line is, for messages.
    what: &'static str,
}

impl<'a, 'c, 'e> Cursor<'a, 'c, 'e> {
    pub(super) fn new(line: &'a ValueLine, what: &'static str, cx: &'c mut Reading<'e>) -> Self {
        Self { words: &line.words, at: 0, cx, what }
    }

    pub(super) fn next(&mut self) -> Option<&'a Word> {
        let word = self.words.get(self.at)?;
        self.at += 1;
        Some(word)
    }

    pub(super) fn peek(&self) -> Option<&'a str> {
        self.words.get(self.at).map(|w| w.text.as_str())
    }

    /// The next two words, which stay where they are.
    pub(super) fn pair(&self) -> Option<(&'a Word, &'a Word)> {
        Some((self.words.get(self.at)?, self.words.get(self.at + 1)?))
    }

    pub(super) fn skip(&mut self, words: usize) {
        self.at += words;
    }

    /// The value of an option. Its absence ends the program, as with keywords.
    pub(super) fn value(&mut self, option: &Word) -> Result<&'a Word, Dropped> {
        if let Some(word) = self.next() {
            return Ok(word);
        }
        let message = format!("`{}` lacks its value", option.text);
        self.cx.out.push(value::lacking(self.words, message));
        Err(Dropped)
    }

    pub(super) fn drop_line(&mut self, code: Code, word: &Word, message: &str, compat: String) -> Dropped {
        let message = format!("{message}; the {} is ignored", self.what);
        self.cx.warn(code, word.span, message, compat);
        Dropped
    }

    pub(super) fn number<T: TryFrom<i64>>(
        &mut self,
        option: &Word,
        most: u32,
        compat: &str,
    ) -> Result<T, Dropped> {
        let word = self.value(option)?;
        // An empty word counts as 0, as the C library reads it.
        let number = if word.text.is_empty() { Some(0) } else { auto_base(&word.text) };
        let parsed = number.filter(|n| *n <= i64::from(most)).and_then(|n| T::try_from(n).ok());
        match parsed {
            Some(n) => Ok(n),
            None => {
                let compat = compat.replace("{value}", &word.text);
                let message = format!("`{}` is no value for `{}`", word.text, option.text);
                Err(self.drop_line(codes::BAD_NUMBER, word, &message, compat))
            }
        }
    }

    /// The value of `option` as `read` understands it; in `compat`, `{value}` stands for the word.
    pub(super) fn read<T>(
        &mut self,
        option: &Word,
        read: impl FnOnce(&str) -> Option<T>,
        (code, message): (Code, &str),
        compat: &str,
    ) -> Result<T, Dropped> {
        let word = self.value(option)?;
        let compat = || compat.replace("{value}", &word.text);
        read(&word.text).ok_or_else(|| self.drop_line(code, word, message, compat()))
    }

    pub(super) fn tos(&mut self, option: &Word) -> Result<u8, Dropped> {
        let wrong = (codes::BAD_WORD, "this is no type of service");
        self.read(option, dsfield, wrong, "TOS value {value} is invalid")
    }

    pub(super) fn interface(&mut self, option: &Word) -> Result<Name, Dropped> {
        let word = self.value(option)?;
        if self.cx.lacks_interface(&word.text) {
            let what = if self.what == "route" { "VROUTE nexthop" } else { self.what };
            let compat = format!("WARNING - interface {} for {what} doesn't exist", word.text);
            return Err(self.drop_line(
                codes::MISSING_INTERFACE,
                word,
                "this interface does not exist",
                compat,
            ));
        }
        Ok(Name::new(&word.text))
    }

    pub(super) fn table(&mut self, option: &Word) -> Result<u32, Dropped> {
        let word = self.value(option)?;
        let named = match word.text.as_str() {
            "default" => Some(253),
            "main" => Some(254),
            "local" => Some(255),
            other => auto_base(other)
                .and_then(|n| u32::try_from(n).ok())
                .or_else(|| self.cx.env.route_table(other)),
        };
        match named {
            Some(table) => Ok(table),
            None => {
                let compat = format!("Routing table {} not found for {}", word.text, self.what);
                let message = format!("the routing table `{}` is not known", word.text);
                Err(self.drop_line(codes::UNKNOWN_REFERENCE, word, &message, compat))
            }
        }
    }

    /// `to` or `from/to`, as numbers.
    pub(super) fn realms(&mut self, option: &Word) -> Result<Realms, Dropped> {
        let word = self.value(option)?;
        let (from, to) = word.text.split_once('/').map_or(("0", word.text.as_str()), |both| both);
        let number = |text: &str| auto_base(text).and_then(|n| u16::try_from(n).ok());
        if let (Some(from), Some(to)) = (number(from), number(to)) {
            return Ok(Realms { from, to });
        }
        let start = if self.what == "route" { "Invalid" } else { "invalid" };
        let compat = format!("{start} realms {} for {}", word.text, self.what);
        Err(self.drop_line(codes::BAD_NUMBER, word, "realms are written `FROM/TO`, as numbers", compat))
    }

    /// Accepts an option that is not set, and says so.
    pub(super) fn not_set(&mut self, option: &Word, words: usize) -> Result<(), Dropped> {
        for _ in 0..words {
            self.value(option)?;
        }
        let message = format!("`{}` of a {} is not set here", option.text, self.what);
        self.cx.advise(codes::NO_EFFECT, option.span, message);
        Ok(())
    }
}

/// Decimal, hexadecimal with `0x` or octal with a leading zero.
pub(super) fn auto_base(text: &str) -> Option<i64> {
    let parsed = if let Some(hex) = text.strip_prefix("0x") {
        i64::from_str_radix(hex, 16)
    } else if text.len() > 1 && text.starts_with('0') {
        i64::from_str_radix(text, 8)
    } else {
        text.parse()
    };
    parsed.ok().filter(|n| *n >= 0)
}

/// Type of service by its usual names or a number.
pub(super) fn dsfield(text: &str) -> Option<u8> {
    const NAMED: [(&str, u8); 21] = [
        ("default", 0x00),
        ("AF11", 0x28),
        ("AF12", 0x30),
        ("AF13", 0x38),
        ("AF21", 0x48),
        ("AF22", 0x50),
        ("AF23", 0x58),
        ("AF31", 0x68),
        ("AF32", 0x70),
        ("AF33", 0x78),
        ("AF41", 0x88),
        ("AF42", 0x90),
        ("AF43", 0x98),
        ("CS1", 0x20),
        ("CS2", 0x40),
        ("CS3", 0x60),
        ("CS4", 0x80),
        ("CS5", 0xa0),
        ("CS6", 0xc0),
        ("CS7", 0xe0),
        ("EF", 0xb8),
    ];
    let named = NAMED.iter().find(|(name, _)| *name == text).map(|(_, n)| *n);
    // iproute2 reads these numbers in base 16.
    named.or_else(|| u8::from_str_radix(text.trim_start_matches("0x"), 16).ok())
}

/// Route metrics the kernel numbers (`RTAX_*`).
const METRICS: [(&str, u16); 12] = [
    ("window", 3),
    ("rtt", 4),
    ("rttvar", 5),
    ("ssthresh", 6),
    ("cwnd", 7),
    ("reordering", 9),
    ("hoplimit", 10),
    ("initcwnd", 11),
    ("rto_min", 13),
    ("initrwnd", 14),
    ("quickack", 15),
    ("fastopen_no_cookie", 17),
];

/// The number of keepalived among the routing protocols.
const KEEPALIVED: u8 = 18;

/// Explicit congestion notification, the feature a route may have.
const ECN: (u16, u32) = (12, 1);

/// What a route does with packets; its destination follows.
const KINDS: [(&str, RouteKind); 10] = [
    ("unicast", RouteKind::Unicast),
    ("local", RouteKind::Local),
    ("broadcast", RouteKind::Broadcast),
    ("anycast", RouteKind::Anycast),
    ("multicast", RouteKind::Multicast),
    ("blackhole", RouteKind::Blackhole),
    ("unreachable", RouteKind::Unreachable),
    ("prohibit", RouteKind::Prohibit),
    ("throw", RouteKind::Throw),
    ("nat", RouteKind::Nat),
];

impl Route {
    pub(super) fn read_all(lines: &[ValueLine], cx: &mut Reading<'_>) -> Vec<Self> {
        let mut routes = Vec::new();
        for line in lines {
            let mut builder = Builder::new();
            let mut cursor = Cursor::new(line, "route", cx);
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
            track_group: None,
        }
    }

    fn run(&mut self, line: &mut Cursor<'_, '_, '_>) -> Result<(), Dropped> {
        while let Some(word) = line.next() {
            if !(self.target(word, line)?
                || self.hop(word, line)?
                || self.attribute(word, line)?
                || self.metric(word, line)?)
            {
                self.destination(word, line)?;
            }
        }
        Ok(())
    }

    fn family(&mut self, address: IpAddr, word: &Word, line: &mut Cursor<'_, '_, '_>) -> Result<(), Dropped> {
        if *self.ipv6.get_or_insert_with(|| address.is_ipv6()) == address.is_ipv6() {
            return Ok(());
        }
        let compat = "Cannot mix IPv4 and IPv6 addresses for route".to_owned();
        Err(line.drop_line(codes::CONFLICT, word, "the line mixes IPv4 and IPv6", compat))
    }

    fn address(
        &mut self,
        option: &Word,
        what: &str,
        line: &mut Cursor<'_, '_, '_>,
    ) -> Result<IpAddr, Dropped> {
        let word = line.value(option)?;
        let Some(address) = value::address(&word.text) else {
            let compat = format!(
                "VRRP parsed invalid IP {0}. skipping IP...\ninvalid route {what} address {0}",
                word.text
            );
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
                self.route.from = super::address::prefix(source, "source prefix", line.cx);
                if self.route.from.is_none() {
                    return Err(Dropped);
                }
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
            "weight" => {
                self.hop.weight = Some(line.number(word, 256, "weight {value} not valid for nexthop")?)
            }
            "nexthop" => {
                self.multipath = true;
                self.next_hop();
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

    fn next_hop(&mut self) {
        let hop = std::mem::take(&mut self.hop);
        if std::mem::take(&mut self.has_hop) {
            self.route.hops.push(hop);
        }
    }

    /// Words about the route itself.
    fn attribute(&mut self, word: &Word, line: &mut Cursor<'_, '_, '_>) -> Result<bool, Dropped> {
        match word.text.as_str() {
            "table" => self.route.table = Some(line.table(word)?),
            "metric" | "priority" | "preference" => {
                self.route.metric =
                    Some(line.number(word, u32::MAX, "Invalid metric {value} specified for route")?);
            }
            "scope" => {
                let (wrong, compat) = ("this is no scope", "Scope {value} not found or invalid for route");
                self.route.scope = Some(line.read(word, scope, (codes::BAD_WORD, wrong), compat)?);
            }
            "tos" | "dsfield" => self.route.tos = Some(line.tos(word)?),
            "protocol" => {
                let wrong = "this is no routing protocol";
                let compat = "Protocol {value} not found or invalid for route";
                self.route.protocol = Some(line.read(word, protocol, (codes::BAD_WORD, wrong), compat)?);
            }
            "no_track" => self.route.track = false,
            "track_group" => self.track_group = Some(spanned(line.value(word)?)),
            "pref" => {
                let value = line.value(word)?;
                self.route.preference = match value.text.as_str() {
                    "low" => Some(3),
                    "high" => Some(1),
                    _ => Some(0),
                };
            }
            "append" | "prepend" => line.not_set(word, 0)?,
            "features" => self.feature(line.value(word)?, line.cx),
            "congctl" => {
                let locked = line.peek() == Some("lock");
                line.skip(usize::from(locked));
                self.route.congestion = Some((line.value(word)?.text.clone(), locked));
            }
            "realms" => self.route.realms = Some(line.realms(word)?),
            "vrf" | "expires" | "ttl-propagate" => line.not_set(word, 1)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn feature(&mut self, value: &Word, cx: &mut Reading<'_>) {
        if value.text == "ecn" {
            self.route.metrics.push(ECN);
        } else {
            let compat = format!("feature {} not supported", value.text);
            cx.warn(codes::BAD_WORD, value.span, "the only feature is `ecn`; this is ignored", compat);
        }
    }

    /// `mtu 1400`, `mtu lock 1400` and their like.
    fn metric(&mut self, word: &Word, line: &mut Cursor<'_, '_, '_>) -> Result<bool, Dropped> {
        let name = word.text.as_str();
        let number = METRICS.iter().find(|(n, _)| *n == name).map(|(_, n)| *n);
        if number.is_none() && name != "mtu" && name != "advmss" {
            return Ok(false);
        }
        let locked = line.peek() == Some("lock");
        if locked {
            line.next();
        }
        let value = if matches!(name, "rtt" | "rttvar" | "rto_min") {
            milliseconds(word, line)?
        } else {
            let most = if name == "quickack" { 1 } else { u32::MAX };
            line.number(word, most, &format!("Invalid {name} value {{value}} specified for route"))?
        };
        match (name, number) {
            ("mtu", _) => self.route.mtu = Some((value, locked)),
            ("advmss", _) => self.route.advmss = Some(value),
            (_, Some(n)) => self.route.metrics.push((n, value)),
            _ => {}
        }
        Ok(true)
    }

    fn destination(&mut self, word: &Word, line: &mut Cursor<'_, '_, '_>) -> Result<(), Dropped> {
        if self.spec.is_some() || self.default {
            let message = "the route has a destination already; this one is taken instead";
            line.cx.advise(codes::DUPLICATE, word.span, message).note("a gateway stands behind `via`");
        }
        if matches!(word.text.as_str(), "default" | "any" | "all") {
            (self.spec, self.default) = (None, true);
            return Ok(());
        }
        // `10.0/8` stands for 10.0.0.0/8, as with `ip route`.
        let full = complete(word);
        if value::address(full.text.split('/').next().unwrap_or_default()).is_none() {
            let compat =
                format!("VRRP parsed invalid IP {0}. skipping IP...\nunknown route keyword {0}", word.text);
            let message = format!("`{}` is neither an option of a route nor its destination", word.text);
            return Err(line.drop_line(codes::BAD_OPTION, word, &message, compat));
        }
        let Some(prefix) = super::address::prefix(&full, "destination", line.cx) else { return Err(Dropped) };
        self.family(prefix.address, word, line)?;
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
        // The original's own number marks what it may put back.
        let foreign = self.route.track && self.route.protocol.is_some_and(|protocol| protocol != KEEPALIVED);
        if foreign {
            let compat = format!(
                "Route cannot be tracked if protocol is not RTPROT_KEEPALIVED({KEEPALIVED}), resetting protocol"
            );
            cx.hint(codes::TRACK_WITHOUT_EFFECT, line.span(), "the route has another protocol", compat).note(
                "keepalived takes its own instead; here the route keeps it and is put back all the same",
            );
        }
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

/// `10.1/16` with its missing octets.
fn complete(word: &Word) -> Word {
    let Some((address, length)) = word.text.split_once('/') else { return word.clone() };
    let dots = address.bytes().filter(|&b| b == b'.').count();
    if address.contains(':') || dots >= 3 || !address.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return word.clone();
    }
    Word { text: format!("{address}{}/{length}", ".0".repeat(3 - dots)), span: word.span }
}

/// A time in milliseconds, or with a unit.
fn milliseconds(option: &Word, line: &mut Cursor<'_, '_, '_>) -> Result<u32, Dropped> {
    let word = line.value(option)?;
    let text = word.text.as_str();
    let (digits, factor) = match text.strip_suffix("ms") {
        Some(digits) => (digits, 1),
        None => text.strip_suffix('s').map_or((text, 1), |digits| (digits, 1000)),
    };
    let parsed = digits.parse::<u32>().ok().and_then(|n| n.checked_mul(factor));
    parsed.ok_or_else(|| {
        let compat = format!("Invalid {} {text} for route", option.text);
        line.drop_line(codes::BAD_NUMBER, word, "this is no time", compat)
    })
}

/// Routing protocols by name or number.
fn protocol(text: &str) -> Option<u8> {
    const NAMED: [(&str, u8); 14] = [
        ("none", 0),
        ("redirect", 1),
        ("kernel", 2),
        ("boot", 3),
        ("static", 4),
        ("gated", 8),
        ("ra", 9),
        ("mrt", 10),
        ("zebra", 11),
        ("bird", 12),
        ("dnrouted", 13),
        ("xorp", 14),
        ("dhcp", 16),
        ("keepalived", 18),
    ];
    let named = NAMED.iter().find(|(name, _)| *name == text).map(|(_, n)| *n);
    named.or_else(|| auto_base(text).and_then(|n| u8::try_from(n).ok()))
}
