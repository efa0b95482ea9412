//! `virtual_server_group`, `virtual_server`, `real_server`, `SSL`.

use super::track::spanned;
use super::{Check, Command, Config, Reading, Scheduling};
use crate::codes;
use crate::suggest;
use crate::tree::{Statement, ValueLine};
use crate::value::{self, Values};
use crate::word::Word;
use lb_core::diag::{Span, Spanned};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The algorithms of the kernel.
const SCHEDULERS: [&str; 14] =
    ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "mh", "dh", "fo", "ovf", "sed", "nq", "twos"];

/// What a virtual server stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum VirtualServerKey {
    /// An address; port 0 for all.
    Address(SocketAddr),
    /// `fwmark N`
    Mark(u32),
    /// `group NAME`
    Group(String),
}

/// `lvs_method`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the variants are the words of the line")]
pub enum Forwarding {
    Nat,
    DirectRoute,
    Tunnel,
}

/// `persistence_granularity`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum PersistenceMask {
    /// A netmask.
    V4(Ipv4Addr),
    /// A prefix length.
    V6(u8),
}

/// `sorry_server`
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SorryServer {
    /// Where it is; port 0 for that of the virtual server.
    pub address: Spanned<SocketAddr>,
    /// `sorry_server_inhibit`
    pub inhibit: bool,
}

/// An entry of a `virtual_server_group`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum GroupEntry {
    /// Addresses from the first to the second, on one port; port 0 for all.
    Addresses(IpAddr, IpAddr, u16),
    /// A firewall mark.
    Mark(u32),
}

/// `virtual_server_group`
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "name and entries")]
pub struct VirtualServerGroup {
    pub name: Spanned<String>,
    pub entries: Vec<Spanned<GroupEntry>>,
}

/// `SSL`
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the keywords of the block")]
pub struct Ssl {
    #[cfg_attr(feature = "serde", serde(skip))]
    pub password: Option<Spanned<String>>,
    pub ca: Option<Spanned<String>>,
    pub certificate: Option<Spanned<String>>,
    pub key: Option<Spanned<String>>,
}

impl Ssl {
    pub(super) fn read(statement: &Statement, cx: &mut Reading<'_>) -> Self {
        let mut ssl = Self::default();
        for (inner, values) in cx.each(statement.statements(), "SSL") {
            let slot = match inner.name() {
                "password" => &mut ssl.password,
                "ca" => &mut ssl.ca,
                "certificate" => &mut ssl.certificate,
                _ => &mut ssl.key,
            };
            *slot = values.word();
        }
        ssl
    }
}

/// `virtual_server`
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the keywords of the block")]
pub struct VirtualServer {
    pub key: Spanned<VirtualServerKey>,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub span: Span,
    pub scheduler: Option<Spanned<String>>,
    /// `sh-port`, `sh-fallback`, `mh-port`, `mh-fallback`
    pub scheduler_flags: Vec<Spanned<String>>,
    /// `ops`
    pub one_packet: Option<Spanned<bool>>,
    pub method: Option<Spanned<Forwarding>>,
    pub persistence_engine: Option<Spanned<String>>,
    pub persistence_timeout: Option<Spanned<Duration>>,
    pub persistence_granularity: Option<Spanned<PersistenceMask>>,
    pub protocol: Option<Spanned<String>>,
    pub ha_suspend: Option<Spanned<bool>>,
    pub smtp_alert: Option<Spanned<bool>>,
    pub virtualhost: Option<Spanned<String>>,
    pub omega: Option<Spanned<bool>>,
    pub quorum: Option<Spanned<u32>>,
    pub hysteresis: Option<Spanned<u32>>,
    pub quorum_up: Option<Command>,
    pub quorum_down: Option<Command>,
    pub weight: Option<Spanned<u32>>,
    pub ip_family: Option<Spanned<String>>,
    pub sorry_server: Option<SorryServer>,
    pub inhibit_on_failure: Option<Spanned<bool>>,
    pub scheduling: Scheduling,
    pub real_servers: Vec<RealServer>,
}

/// `real_server`
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the keywords of the block")]
pub struct RealServer {
    /// Port 0 for that of the virtual server.
    pub address: Spanned<SocketAddr>,
    pub weight: Option<Spanned<u32>>,
    pub method: Option<Spanned<Forwarding>>,
    pub uthreshold: Option<Spanned<u32>>,
    pub lthreshold: Option<Spanned<u32>>,
    pub inhibit_on_failure: Option<Spanned<bool>>,
    pub notify_up: Option<Command>,
    pub notify_down: Option<Command>,
    pub smtp_alert: Option<Spanned<bool>>,
    pub virtualhost: Option<Spanned<String>>,
    pub scheduling: Scheduling,
    pub checks: Vec<Check>,
}

/// An address and port as the original's messages write them.
impl fmt::Display for VirtualServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "[{}]", address.ip()),
            Self::Mark(mark) => write!(f, "FWM {mark}"),
            Self::Group(name) => f.write_str(name),
        }
    }
}

impl VirtualServer {
    /// How servers are chosen, `wlc` unless said.
    pub(crate) fn scheduler(&self) -> &str {
        self.scheduler.as_ref().map_or("wlc", |word| &word.value)
    }

    /// The server as the original's messages name it, `[10.0.0.1]:tcp:80`.
    pub fn label(&self) -> String {
        match &self.key.value {
            VirtualServerKey::Address(address) => self.label_of(*address),
            VirtualServerKey::Group(name) => format!("[{name}]:0"),
            other => other.to_string(),
        }
    }

    /// An address of the service, likewise.
    pub(crate) fn label_of(&self, address: SocketAddr) -> String {
        let protocol =
            self.protocol.as_ref().map_or_else(|| "udp".to_owned(), |p| p.value.to_ascii_lowercase());
        format!("[{}]:{protocol}:{}", address.ip(), address.port())
    }

    pub(super) fn read(
        statement: &Statement,
        values: &Values,
        config: &Config,
        cx: &mut Reading<'_>,
    ) -> Option<Self> {
        let key = key(statement, values, config, cx)?;
        let mut it = Self {
            key,
            span: statement.head_span(),
            scheduler: None,
            scheduler_flags: Vec::new(),
            one_packet: None,
            method: None,
            persistence_engine: None,
            persistence_timeout: None,
            persistence_granularity: None,
            protocol: None,
            ha_suspend: None,
            smtp_alert: None,
            virtualhost: None,
            omega: None,
            quorum: None,
            hysteresis: None,
            quorum_up: None,
            quorum_down: None,
            weight: None,
            ip_family: None,
            sorry_server: None,
            inhibit_on_failure: None,
            scheduling: Scheduling::default(),
            real_servers: Vec::new(),
        };
        let owner = it.key.value.to_string();
        for (inner, values) in cx.each(statement.statements(), &owner) {
            let known = it.scheduling.take(inner.name(), &values)
                || it.balance(inner, &values, cx)
                || it.behaviour(inner, &values, cx)
                || it.servers(inner, &values, config, cx);
            debug_assert!(known, "`{}` is read by nobody", inner.name());
        }
        if it.real_servers.is_empty() {
            let message = "the virtual server has no real servers; it is ignored";
            let compat = format!("Virtual server {} has no real servers - ignoring", it.label());
            cx.warn(codes::EMPTY_BLOCK, it.span, message, compat);
            return None;
        }
        Some(it)
    }

    fn balance(&mut self, statement: &Statement, values: &Values, cx: &mut Reading<'_>) -> bool {
        match statement.name() {
            "lvs_sched" | "lb_algo" => {
                self.scheduler =
                    values.word().filter(|word| is_scheduler(word, cx)).or_else(|| self.scheduler.take());
                self.scheduler_flags.extend(statement.args().iter().skip(1).map(spanned));
            }
            "sh-port" | "sh-fallback" | "mh-port" | "mh-fallback" => {
                self.scheduler_flag(statement, cx);
            }
            "ops" => self.one_packet = values.flag(),
            "lvs_method" | "lb_kind" => self.method = forwarding("virtual", values, cx),
            "persistence_engine" => self.persistence_engine = values.word(),
            "persistence_timeout" => {
                let standard = statement.args().is_empty().then_some(360);
                let given = values.seconds();
                self.persistence_timeout =
                    given.or_else(|| standard.map(|n| Spanned::new(Duration::from_secs(n), statement.span)));
            }
            "persistence_granularity" => self.granularity(statement, cx),
            "protocol" => self.protocol = values.word(),
            "ip_family" => self.ip_family = values.word(),
            "weight" => self.weight = values.number(),
            _ => return false,
        }
        true
    }

    /// `sh-port` and its like, which must follow the algorithm they belong to.
    fn scheduler_flag(&mut self, statement: &Statement, cx: &mut Reading<'_>) {
        let name = statement.name();
        if self.scheduler.as_ref().is_some_and(|s| matches!(s.value.as_str(), "sh" | "mh")) {
            self.scheduler_flags.push(Spanned::new(name.to_owned(), statement.span));
            return;
        }
        let message = format!("`{name}` follows `lvs_sched {}`; it is ignored", &name[..2]);
        cx.warn(
            codes::CONFLICT,
            statement.span,
            message,
            format!("{name} only applies to sh scheduler - ignoring"),
        );
    }

    fn granularity(&mut self, statement: &Statement, cx: &mut Reading<'_>) {
        let Some(word) = statement.args().first() else { return };
        let ipv6 = match &self.key.value {
            VirtualServerKey::Address(address) => address.is_ipv6(),
            _ => !word.text.contains('.'),
        };
        let mask = if ipv6 {
            value::integer(&word.text, 1, 128, false)
                .ok()
                .and_then(|n| u8::try_from(n).ok())
                .map(PersistenceMask::V6)
        } else {
            netmask(&word.text).map(PersistenceMask::V4)
        };
        match mask {
            Some(mask) => self.persistence_granularity = Some(Spanned::new(mask, word.span)),
            None => {
                let family = if ipv6 { "IPv6" } else { "IPv4" };
                let compat = format!("Invalid {family} persistence_granularity specified - {}", word.text);
                cx.warn(
                    codes::BAD_ADDRESS,
                    word.span,
                    format!("`{}` is no mask; it is ignored", word.text),
                    compat,
                )
                .note("expected a netmask for IPv4, a prefix length for IPv6");
            }
        }
    }

    fn behaviour(&mut self, statement: &Statement, values: &Values, cx: &mut Reading<'_>) -> bool {
        match statement.name() {
            "ha_suspend" => self.ha_suspend = values.flag(),
            "smtp_alert" => self.smtp_alert = values.switch(),
            "virtualhost" => self.virtualhost = values.word(),
            "omega" => self.omega = values.switch(),
            "quorum" => self.quorum = values.number(),
            "hysteresis" => self.hysteresis = values.number(),
            "quorum_up" => self.quorum_up = Command::read_event(values, cx),
            "quorum_down" => self.quorum_down = Command::read_event(values, cx),
            "inhibit_on_failure" => self.inhibit_on_failure = values.switch(),
            _ => return false,
        }
        true
    }

    fn servers(
        &mut self,
        statement: &Statement,
        values: &Values,
        config: &Config,
        cx: &mut Reading<'_>,
    ) -> bool {
        match statement.name() {
            "real_server" => {
                let server = RealServer::read(statement, values, config, cx);
                self.add_real_server(server, cx);
            }
            "sorry_server" => {
                let compat =
                    |w: &str, _: Option<&str>| format!("Invalid sorry server IP address {w} - skipping");
                let address = endpoint(statement.args(), compat, cx);
                self.sorry_server = address.map(|address| SorryServer { address, inhibit: false });
            }
            "sorry_server_inhibit" => match &mut self.sorry_server {
                Some(server) => server.inhibit = true,
                None => {
                    let message = "`sorry_server_inhibit` before any `sorry_server` is ignored";
                    let compat = "Ignoring sorry_server inhibit used before or without sorry_server";
                    cx.warn(codes::CONFLICT, statement.span, message, compat);
                }
            },
            _ => return false,
        }
        true
    }

    fn add_real_server(&mut self, server: Option<RealServer>, cx: &mut Reading<'_>) {
        let Some(server) = server else { return };
        let VirtualServerKey::Address(own) = &self.key.value else { return self.real_servers.push(server) };
        let tunnelled = server.method.or(self.method).is_some_and(|m| m.value == Forwarding::Tunnel);
        if own.is_ipv6() != server.address.value.is_ipv6() && !tunnelled {
            let message = "the real server is of the other address family; it is ignored";
            let compat = format!(
                "Address family of virtual server and real server {} don't match - skipping real server.",
                server.address.value.ip()
            );
            cx.warn(codes::CONFLICT, server.address.span, message, compat);
            return;
        }
        self.real_servers.push(server);
    }
}

fn key(
    statement: &Statement,
    values: &Values,
    config: &Config,
    cx: &mut Reading<'_>,
) -> Option<Spanned<VirtualServerKey>> {
    let first = values.word()?;
    let second = values.word_at(1);
    let span = statement.args().iter().fold(first.span, |span, word| span.to(word.span));
    match (first.value.as_str(), second) {
        ("group", Some(name)) => {
            if !config.virtual_server_groups.iter().any(|g| g.name.value == name.value) {
                let message = format!("there is no virtual_server_group `{}` above this", name.value);
                cx.advise(codes::UNKNOWN_REFERENCE, name.span, message);
            }
            Some(Spanned::new(VirtualServerKey::Group(name.value), span))
        }
        ("fwmark", Some(mark)) => match value::integer(&mark.value, 0, i64::from(u32::MAX), true) {
            Ok(n) => Some(Spanned::new(VirtualServerKey::Mark(u32::try_from(n).unwrap_or(0)), span)),
            Err(problem) => {
                let compat = format!(
                    "{}\nvirtual server fwmark '{}' must be in [0, 4294967295] - ignoring",
                    problem.compat(),
                    mark.value
                );
                cx.warn(
                    codes::BAD_NUMBER,
                    mark.span,
                    "this is no firewall mark; the virtual server is ignored",
                    compat,
                );
                None
            }
        },
        ("group" | "fwmark", None) => {
            cx.advise(
                codes::NOT_SET,
                first.span,
                format!("`{}` lacks its value; the virtual server is ignored", first.value),
            );
            None
        }
        _ => {
            let compat = |w: &str, port: Option<&str>| match port {
                Some(port) => format!("Invalid virtual server IP address/port {w}/{port} - skipping"),
                None => format!("Invalid virtual server IP address {w} - skipping"),
            };
            let address = endpoint(statement.args(), compat, cx)?;
            Some(address.map(VirtualServerKey::Address))
        }
    }
}

/// The port behind an address, if there is one; the original takes zeros for none.
fn port_word(words: &[Word]) -> Option<&Word> {
    words.get(1).filter(|word| word.text.bytes().any(|b| b != b'0'))
}

fn port(word: Option<&Word>) -> Result<u16, value::Problem> {
    let Some(word) = word else { return Ok(0) };
    let number = value::integer(&word.text, 1, u16::MAX.into(), true)?;
    Ok(u16::try_from(number).unwrap_or(0))
}

/// `ADDRESS [PORT]`; port 0 if there is none. `compat` complains of both.
fn endpoint(
    words: &[Word],
    compat: impl Fn(&str, Option<&str>) -> String,
    cx: &mut Reading<'_>,
) -> Option<Spanned<SocketAddr>> {
    let first = words.first()?;
    let given = port_word(words);
    let complaint = compat(&first.text, given.map(Word::as_str));
    let port = match port(given) {
        Ok(port) => port,
        Err(problem) => {
            let word = given.unwrap_or(first);
            let message = format!("`{}` is no port; it is ignored", word.text);
            cx.warn(codes::BAD_ADDRESS, word.span, message, format!("{}\n{complaint}", problem.compat()));
            return None;
        }
    };
    let Some(address) = value::host(first, &mut cx.out) else {
        let message = format!("`{}` is no address; it is ignored", first.text);
        cx.warn(codes::BAD_ADDRESS, first.span, message, complaint);
        return None;
    };
    let span = words.get(1).map_or(first.span, |w| first.span.to(w.span));
    Some(Spanned::new(SocketAddr::new(address, port), span))
}

fn is_scheduler(word: &Spanned<String>, cx: &mut Reading<'_>) -> bool {
    if SCHEDULERS.contains(&word.value.as_str()) {
        return true;
    }
    let warning = cx
        .warn(
            codes::BAD_WORD,
            word.span,
            format!("`{}` is no balancing algorithm", word.value),
            format!("Invalid lvs_scheduler '{}' - ignoring", word.value),
        )
        .note(format!("known are {}", SCHEDULERS.join(", ")));
    if let Some(better) = suggest::nearest(&word.value, SCHEDULERS.into_iter()) {
        drop(warning.suggest(word.span, better, format!("did you mean `{better}`?")));
    }
    false
}

/// The method, and the options of tunnels behind it, which are checked whatever the method is.
fn forwarding(server: &str, values: &Values, cx: &mut Reading<'_>) -> Option<Spanned<Forwarding>> {
    let method = values.word()?;
    let mut options = (1..).map_while(|n| values.word_at(n));
    while let Some(option) = options.next() {
        let compat = match option.value.as_str() {
            "nocsum" | "csum" | "remcsum" => continue,
            "type" => match options.next() {
                Some(kind) if matches!(kind.value.as_str(), "ipip" | "gue" | "gre") => continue,
                Some(kind) => format!("Unknown tunnel type {} for {server} server.", kind.value),
                None => format!("Missing tunnel type for {server} server."),
            },
            "port" => match options.next() {
                Some(port) if port.value.parse::<u16>().is_ok_and(|port| port > 0) => continue,
                Some(port) => format!("Invalid gue tunnel port {} for {server} server.", port.value),
                None => format!("Missing port for {server} server gue tunnel."),
            },
            other => format!("Invalid tunnel option {other} for {server} server."),
        };
        let message = format!("`{}` is no option of a tunnel", option.value);
        cx.warn(codes::BAD_OPTION, option.span, message, compat)
            .note("known are `type ipip|gue|gre`, `port NUMBER`, `csum`, `nocsum` and `remcsum`");
        break;
    }
    Some(method.map(|text| match text.as_str() {
        "DR" => Forwarding::DirectRoute,
        "TUN" => Forwarding::Tunnel,
        _ => Forwarding::Nat,
    }))
}

/// A netmask as the C library reads an address: up to four numbers, decimal, octal or hexadecimal, of which the last fills what
/// is left.
fn netmask(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u32> = text.split('.').map(number).collect::<Option<_>>()?;
    let (last, first) = parts.split_last().filter(|(_, first)| first.len() < 4)?;
    let room = 32 - 8 * u32::try_from(first.len()).ok()?;
    let fits = |part: &u32, bits: u32| part.checked_shr(bits).unwrap_or(0) == 0;
    let whole = first.iter().all(|part| fits(part, 8)) && fits(last, room);
    let bits =
        first.iter().zip([24, 16, 8]).fold(*last, |bits, (part, place)| bits | part.wrapping_shl(place));
    whole.then(|| bits.into())
}

/// `16`, `020`, `0x10`
fn number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix('0') {
        None | Some("") => (text, 10),
        Some(rest) => rest.strip_prefix(['x', 'X']).map_or((rest, 8), |digits| (digits, 16)),
    };
    let plain = digits.starts_with(|first: char| first.is_ascii_hexdigit());
    u32::from_str_radix(digits, radix).ok().filter(|_| plain)
}

impl RealServer {
    fn read(statement: &Statement, _values: &Values, config: &Config, cx: &mut Reading<'_>) -> Option<Self> {
        let compat = |w: &str, port: Option<&str>| {
            format!("Invalid real server ip address/port {w}/{} - skipping", port.unwrap_or("(null)"))
        };
        let address = endpoint(statement.args(), compat, cx)?;
        let mut it = Self {
            address,
            weight: None,
            method: None,
            uthreshold: None,
            lthreshold: None,
            inhibit_on_failure: None,
            notify_up: None,
            notify_down: None,
            smtp_alert: None,
            virtualhost: None,
            scheduling: Scheduling::default(),
            checks: Vec::new(),
        };
        let owner = it.address.value.to_string();
        for (inner, values) in cx.each(statement.statements(), &owner) {
            if it.scheduling.take(inner.name(), &values) || it.setting(inner.name(), &values, cx) {
                continue;
            }
            it.checks.extend(Check::read(inner, config, cx));
        }
        Some(it)
    }

    fn setting(&mut self, keyword: &str, values: &Values, cx: &mut Reading<'_>) -> bool {
        match keyword {
            "weight" => self.weight = values.number(),
            "lvs_method" => self.method = forwarding("real", values, cx),
            "uthreshold" => self.uthreshold = values.number(),
            "lthreshold" => self.lthreshold = values.number(),
            "inhibit_on_failure" => self.inhibit_on_failure = values.switch(),
            "notify_up" => self.notify_up = Command::read_event(values, cx),
            "notify_down" => self.notify_down = Command::read_event(values, cx),
            "smtp_alert" => self.smtp_alert = values.switch(),
            "virtualhost" => self.virtualhost = values.word(),
            _ => return false,
        }
        true
    }
}

impl VirtualServerGroup {
    pub(super) fn read(
        name: Option<Spanned<String>>,
        statement: &Statement,
        cx: &mut Reading<'_>,
    ) -> Option<Self> {
        let name = name?;
        let entries: Vec<_> =
            statement.values().iter().filter_map(|line| entry(line, &name.value, cx)).collect();
        if entries.is_empty() {
            let compat = format!("virtual server group {} has no entries - removing", name.value);
            cx.warn(codes::EMPTY_BLOCK, name.span, "the group has no entries; it is dropped", compat);
            return None;
        }
        Some(Self { name, entries })
    }
}

fn entry(line: &ValueLine, group: &str, cx: &mut Reading<'_>) -> Option<Spanned<GroupEntry>> {
    let first = &line.words[0];
    if first.text == "fwmark" {
        let Some(mark) = line.words.get(1).map(Word::as_str) else {
            let diagnostic = value::lacking(&line.words, "`fwmark` lacks its value".to_owned());
            cx.out.push(diagnostic);
            return None;
        };
        let parsed = value::integer(mark, 0, i64::from(u32::MAX), true);
        if let Some(n) = parsed.as_ref().ok().and_then(|n| u32::try_from(*n).ok()) {
            if let Some(family) = line.words.get(2).filter(|w| !matches!(w.as_str(), "inet" | "inet6")) {
                let compat = format!("({group}): fwmark '{mark}' family {} unknown - ignoring", family.text);
                let message = "the families are `inet` and `inet6`; the entry is ignored";
                cx.warn(codes::BAD_WORD, family.span, message, compat);
                return None;
            }
            return Some(Spanned::new(GroupEntry::Mark(n), line.span()));
        }
        let told = parsed.err().map_or_else(String::new, |problem| format!("{}\n", problem.compat()));
        let compat = format!("{told}({group}): fwmark '{mark}' must be in [0, 4294967295] - ignoring");
        cx.warn(codes::BAD_NUMBER, line.span(), "this is no firewall mark; the entry is ignored", compat);
        return None;
    }
    let given = port_word(&line.words);
    let (low, high) = first.text.split_once('-').unwrap_or((first.text.as_str(), ""));
    let from = value::address(low.split('/').next().unwrap_or_default());
    let port = port(given);
    if let (Some(from), Ok(port)) = (from, &port) {
        return match range_end(from, low, high) {
            Ok(to) => Some(Spanned::new(GroupEntry::Addresses(from, to, *port), line.span())),
            Err((message, compat)) => {
                cx.warn(codes::BAD_ADDRESS, first.span, message, compat.replace("{}", &first.text));
                None
            }
        };
    }
    let told = port.err().map_or_else(String::new, |problem| format!("{}\n", problem.compat()));
    let port = given.map_or_else(String::new, |port| format!("/port/{}", port.text));
    let compat = format!("{told}Invalid virtual server group IP address {} {port} - skipping", first.text);
    cx.warn(codes::BAD_ADDRESS, line.span(), "this is no address and port; the entry is ignored", compat);
    None
}

/// The last address of `A-N` (last part only), `A-B`, or `A/LENGTH`.
fn range_end(from: IpAddr, low: &str, high: &str) -> Result<IpAddr, (&'static str, &'static str)> {
    const BAD_END: (&str, &str) = ("the end of the range is none", "Invalid range end {} - skipping");
    if let Some((_, length)) = low.split_once('/') {
        let length: u32 =
            length.parse().map_err(|_| ("the mask is none", "Invalid netmask - {} - skipping"))?;
        return last_of_prefix(from, length).ok_or(("the mask is none", "Invalid netmask - {} - skipping"));
    }
    if high.is_empty() {
        return Ok(from);
    }
    let to = match (value::address(high), from) {
        (Some(to), _) => to,
        (None, IpAddr::V4(v4)) => {
            let [a, b, c, _] = v4.octets();
            let last: u8 = high.parse().map_err(|_| BAD_END)?;
            IpAddr::V4(Ipv4Addr::new(a, b, c, last))
        }
        (None, IpAddr::V6(v6)) => {
            let mut parts = v6.segments();
            parts[7] = u16::from_str_radix(high, 16).map_err(|_| BAD_END)?;
            IpAddr::V6(parts.into())
        }
    };
    if to.is_ipv4() != from.is_ipv4() {
        return Err(("the range mixes IPv4 and IPv6", "Range address families do not match {} - skipping"));
    }
    if to < from {
        return Err((
            "the range ends before it begins",
            "Address range end is less than address range start - {} - skipping",
        ));
    }
    Ok(to)
}

fn last_of_prefix(from: IpAddr, length: u32) -> Option<IpAddr> {
    match from {
        IpAddr::V4(a) if length <= 32 => {
            let mask = u32::MAX.checked_shr(length).unwrap_or(0);
            Some(IpAddr::V4((u32::from(a) | mask).into()))
        }
        IpAddr::V6(a) if length <= 128 => {
            let mask = u128::MAX.checked_shr(length).unwrap_or(0);
            Some(IpAddr::V6((u128::from(a) | mask).into()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn netmasks_are_read_as_the_c_library_reads_addresses() {
        let read = |text| netmask(text).map(|mask| mask.to_string());
        for (text, mask) in [
            ("255.255.255.0", "255.255.255.0"),
            ("0xffffff00", "255.255.255.0"),
            ("0x10", "0.0.0.16"),
            ("020", "0.0.0.16"),
            ("255.255", "255.0.0.255"),
            ("255.0xff.0", "255.255.0.0"),
            ("0", "0.0.0.0"),
        ] {
            assert_eq!(read(text).as_deref(), Some(mask), "{text}");
        }
        for text in
            ["255.255.255.256", "256.0", "4294967296", "255.255.255.0x", "09", "1.2.3.4.5", "", "1.", "+1"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
