//! Lines of `virtual_ipaddress`, `virtual_ipaddress_excluded` and `static_ipaddress`.

use super::Reading;
use super::track::spanned;
use crate::codes;
use crate::suggest;
use crate::tree::ValueLine;
use crate::value;
use crate::word::Word;
use lb_core::diag::{Span, Spanned};
use std::net::{IpAddr, Ipv4Addr};
use vrrp::spec::{Broadcast, Lifetime, Name, Prefix, VirtualAddress};

/// Longest name of an interface or label.
const LONGEST_NAME: usize = 15;

const OPTIONS: [&str; 15] = [
    "dev",
    "scope",
    "brd",
    "broadcast",
    "label",
    "peer",
    "home",
    "-nodad",
    "mngtmpaddr",
    "noprefixroute",
    "autojoin",
    "no_track",
    "preferred_lft",
    "track_group",
    "use_vmac",
];

/// An address.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Address {
    /// What the line says.
    pub value: VirtualAddress,
    /// `dev`, with its place.
    pub interface: Option<Spanned<String>>,
    /// `track_group` of a static address.
    pub track_group: Option<Spanned<String>>,
    /// The address's word.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub span: Span,
    /// The whole line.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub line: Span,
}

impl Address {
    /// The address itself.
    pub fn ip(&self) -> IpAddr {
        self.value.prefix.address
    }

    /// Reads a line; nothing if it is to be skipped, which is reported.
    pub(super) fn read(line: &ValueLine, fixed: bool, cx: &mut Reading<'_>) -> Option<Self> {
        let first = line.words.first()?;
        let prefix = prefix(first, "address", cx)?;
        let mut reader = Line {
            it: Self {
                value: VirtualAddress::new(prefix),
                interface: None,
                track_group: None,
                span: first.span,
                line: line.span(),
            },
            text: &first.text,
            fixed,
        };
        let mut words = line.words[1..].iter();
        while let Some(word) = words.next() {
            if !reader.option(word, &mut words, cx) {
                return None;
            }
        }
        Some(reader.finish(cx))
    }
}

/// An address with or without a prefix length.
pub(super) fn prefix(word: &Word, what: &str, cx: &mut Reading<'_>) -> Option<Prefix> {
    let (address, length) = match word.text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (word.text.as_str(), None),
    };
    // The original looks at the length first, and takes what has a colon for IPv6.
    let width: u8 = if word.text.contains(':') { 128 } else { 32 };
    let length = length.map_or(Some(width), |length| match value::integer(length, 0, width.into(), true) {
        Ok(n) => u8::try_from(n).ok(),
        Err(problem) => {
            let second =
                format!("Invalid address prefix len {length} for address {} - using {width}", word.text);
            let message = format!("`{length}` is no prefix length; {width} is taken");
            cx.warn(codes::BAD_ADDRESS, word.span, message, format!("{}\n{second}", problem.compat()))
                .note(problem.expected().to_owned());
            None
        }
    });
    let Some(ip) = value::address(address) else {
        let message = format!("`{}` is no {what}; the line is ignored", word.text);
        let compat = format!("VRRP parsed invalid IP {}. skipping IP...", word.text);
        cx.warn(codes::BAD_ADDRESS, word.span, message, compat);
        return None;
    };
    Some(Prefix::new(ip, length.unwrap_or(width)))
}

struct Line<'a> {
    it: Address,
    text: &'a str,
    fixed: bool,
}

impl Line<'_> {
    /// Reads one option; false if the whole line is to be dropped.
    fn option<'w>(
        &mut self,
        word: &Word,
        rest: &mut impl Iterator<Item = &'w Word>,
        cx: &mut Reading<'_>,
    ) -> bool {
        let value = &mut self.it.value;
        match word.text.as_str() {
            "home" => value.home = true,
            "-nodad" => value.no_dad = false,
            "mngtmpaddr" => value.manage_temporary = true,
            "noprefixroute" => value.no_prefix_route = true,
            "autojoin" => value.auto_join = true,
            "no_track" => value.track = false,
            "use_vmac" if !self.fixed => value.use_vmac = true,
            "dev" | "scope" | "brd" | "broadcast" | "label" | "peer" | "preferred_lft" => {
                return self.pair(word, rest, cx);
            }
            "track_group" if self.fixed => return self.pair(word, rest, cx),
            _ => self.unknown(word, cx),
        }
        true
    }

    fn unknown(&self, word: &Word, cx: &mut Reading<'_>) {
        let other = &word.text;
        let message = format!("unknown option `{other}` of an address; it is ignored");
        let compat = format!("Unknown configuration entry '{other}' for ip address - ignoring");
        let warning = cx.warn(codes::BAD_OPTION, word.span, message, compat);
        if let Some(better) = suggest::nearest(other, OPTIONS.into_iter()) {
            drop(warning.suggest(word.span, better, format!("did you mean `{better}`?")));
        }
    }

    fn pair<'w>(
        &mut self,
        word: &Word,
        rest: &mut impl Iterator<Item = &'w Word>,
        cx: &mut Reading<'_>,
    ) -> bool {
        let Some(argument) = rest.next() else {
            let message = format!("`{}` lacks its value; the address is ignored", word.text);
            let compat = format!("No {} parameter specified for {}", word.text, self.text);
            cx.warn(codes::BAD_OPTION, word.span, message, compat);
            return false;
        };
        match word.text.as_str() {
            "dev" => self.interface(argument, cx),
            "scope" => {
                self.scope(argument, cx);
                true
            }
            "label" => self.label(argument, cx),
            "peer" => {
                self.peer(argument, cx);
                true
            }
            "preferred_lft" => {
                self.lifetime(argument, cx);
                true
            }
            "track_group" => {
                self.it.track_group = Some(spanned(argument));
                true
            }
            _ => self.broadcast(argument, cx),
        }
    }

    fn interface(&mut self, argument: &Word, cx: &mut Reading<'_>) -> bool {
        if self.it.interface.is_some() {
            let compat = format!("Cannot specify ipaddress device more than once for {}", self.text);
            cx.warn(codes::DUPLICATE, argument.span, "a second `dev`; the address is ignored", compat);
            return false;
        }
        if cx.lacks_interface(&argument.text) {
            let message = format!("the interface `{}` does not exist; the address is ignored", argument.text);
            let compat =
                format!("WARNING - interface {} for ip address {} doesn't exist", argument.text, self.text);
            cx.warn(codes::MISSING_INTERFACE, argument.span, message, compat);
            return false;
        }
        self.it.value.interface = Some(Name::new(&argument.text));
        self.it.interface = Some(spanned(argument));
        true
    }

    fn scope(&mut self, argument: &Word, cx: &mut Reading<'_>) {
        match scope(&argument.text) {
            Some(scope) => self.it.value.scope = scope,
            None => {
                let compat =
                    format!("Invalid scope '{}' specified for {} - ignoring", argument.text, self.text);
                cx.warn(
                    codes::BAD_WORD,
                    argument.span,
                    format!("`{}` is no scope; it is ignored", argument.text),
                    compat,
                )
                .note("expected global, site, link, host, nowhere, or a number up to 255");
            }
        }
    }

    fn label(&mut self, argument: &Word, cx: &mut Reading<'_>) -> bool {
        if argument.text.len() > LONGEST_NAME {
            let message = format!("a label has at most {LONGEST_NAME} bytes; the address is ignored");
            let compat = format!(
                "Address label {} is longer than maximum length {LONGEST_NAME} - removing address",
                argument.text
            );
            cx.warn(codes::BAD_NAME, argument.span, message, compat);
            return false;
        }
        self.it.value.label = Some(argument.text.clone());
        true
    }

    fn peer(&mut self, argument: &Word, cx: &mut Reading<'_>) {
        if self.it.value.peer.is_some() {
            let compat = format!("Peer {} - another peer has already been specified", argument.text);
            cx.warn(codes::DUPLICATE, argument.span, "a second `peer` is ignored", compat);
            return;
        }
        let Some(peer) = value::address(&argument.text) else {
            let compat = format!("Invalid peer address {}", argument.text);
            cx.warn(
                codes::BAD_ADDRESS,
                argument.span,
                format!("`{}` is no address; it is ignored", argument.text),
                compat,
            );
            return;
        };
        if peer.is_ipv4() != self.it.ip().is_ipv4() {
            let compat = format!("Peer address {} does not match address family", argument.text);
            cx.warn(
                codes::CONFLICT,
                argument.span,
                "the peer is of the other address family; it is ignored",
                compat,
            );
            return;
        }
        if !self.it.value.prefix.is_host() {
            cx.warn(
                codes::CONFLICT,
                self.it.span,
                "an address with a peer takes no prefix; it is ignored",
                "Cannot specify address prefix when specifying peer address - ignoring",
            );
        }
        self.it.value.prefix = Prefix::host(self.it.ip());
        self.it.value.peer = Some(Prefix::host(peer));
    }

    fn lifetime(&mut self, argument: &Word, cx: &mut Reading<'_>) {
        self.it.value.preferred_lifetime = match argument.text.as_str() {
            "forever" => Some(Lifetime::Forever),
            text => match value::integer(text, 0, i64::from(u32::MAX), true) {
                Ok(n) => Some(Lifetime::Seconds(u32::try_from(n).unwrap_or(u32::MAX))),
                Err(problem) => {
                    let compat = format!("{}\npreferred_lft {text} is invalid", problem.compat());
                    cx.warn(
                        codes::BAD_NUMBER,
                        argument.span,
                        format!("`{text}` is no lifetime; it is ignored"),
                        compat,
                    )
                    .note("expected seconds or `forever`");
                    None
                }
            },
        };
    }

    fn broadcast(&mut self, argument: &Word, cx: &mut Reading<'_>) -> bool {
        let text = argument.text.as_str();
        if self.it.ip().is_ipv6() {
            let message = "an IPv6 address has no broadcast address; the line is ignored";
            let compat = format!(
                "VRRP is trying to assign a broadcast {text} to the IPv6 address {} - skipping VIP...",
                self.text
            );
            cx.warn(codes::BAD_ADDRESS, argument.span, message, compat);
            return false;
        }
        self.it.value.broadcast = match text {
            "+" => Broadcast::HostBitsSet,
            "-" => Broadcast::HostBitsClear,
            _ => match text.parse::<Ipv4Addr>() {
                Ok(address) => Broadcast::Address(address),
                Err(_) => {
                    let message = format!("`{text}` is no broadcast address; the line is ignored");
                    let compat =
                        format!("VRRP is trying to assign invalid broadcast {text}. skipping VIP...");
                    cx.warn(codes::BAD_ADDRESS, argument.span, message, compat);
                    return false;
                }
            },
        };
        true
    }

    fn finish(mut self, cx: &mut Reading<'_>) -> Address {
        let (span, line) = (self.it.span, self.it.line);
        let value = &mut self.it.value;
        let derived = matches!(value.broadcast, Broadcast::HostBitsSet | Broadcast::HostBitsClear);
        if value.broadcast != Broadcast::Unset && value.peer.is_some() {
            let compat = "Cannot specify broadcast and peer addresses - ignoring broadcast address";
            cx.warn(
                codes::CONFLICT,
                line,
                "an address with a peer has no broadcast address; it is ignored",
                compat,
            );
            value.broadcast = Broadcast::Unset;
        } else if derived && value.prefix.length > 30 {
            let compat = format!("Address prefix length {} too long for broadcast", value.prefix.length);
            let message =
                format!("/{} leaves no room for a broadcast address; none is set", value.prefix.length);
            cx.warn(codes::CONFLICT, span, message, compat);
            value.broadcast = Broadcast::Unset;
        }
        if value.prefix.address.is_ipv6() {
            if value.scope != 0 {
                let compat =
                    format!("Cannot specify scope for IPv6 addresses ({}) - ignoring scope", self.text);
                cx.warn(codes::BAD_OPTION, line, "IPv6 addresses take no scope; it is ignored", compat);
                value.scope = 0;
            }
            if value.label.take().is_some() {
                let compat =
                    format!("Cannot specify label for IPv6 addresses ({}) - ignoring label", self.text);
                cx.warn(codes::BAD_OPTION, line, "IPv6 addresses take no label; it is ignored", compat);
            }
        }
        self.it
    }
}

/// Routing scopes by name or number.
pub(super) fn scope(text: &str) -> Option<u8> {
    Some(match text {
        "global" | "universe" => 0,
        "site" => 200,
        "link" => 253,
        "host" => 254,
        "nowhere" => 255,
        other => return other.parse().ok(),
    })
}
