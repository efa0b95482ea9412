//! `bfd_instance`

use super::track::weight;
use super::{Reading, Weight};
use crate::codes;
use crate::tree::Statement;
use lb_core::diag::{Span, Spanned};
use std::net::IpAddr;
use std::time::Duration;

/// Longest name the original takes.
const LONGEST_NAME: usize = 31;

/// `bfd_instance`
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the keywords of the block")]
pub struct Bfd {
    pub name: Spanned<String>,
    /// Absent where the block has a mistake because of which no session is run.
    pub neighbor: Option<Spanned<IpAddr>>,
    pub source: Option<Spanned<IpAddr>>,
    pub min_rx: Option<Spanned<Duration>>,
    pub min_tx: Option<Spanned<Duration>>,
    pub idle_tx: Option<Spanned<Duration>>,
    pub multiplier: Option<Spanned<u8>>,
    pub passive: Option<Spanned<bool>>,
    /// `ttl` or `hoplimit`
    pub ttl: Option<Spanned<u8>>,
    /// -1 and 255 mean any number.
    pub max_hops: Option<Spanned<i16>>,
    pub multihop: Option<Spanned<bool>>,
    pub weight: Option<Spanned<Weight>>,
    pub vrrp: Option<Spanned<bool>>,
    pub checker: Option<Spanned<bool>>,
}

impl Bfd {
    pub(super) fn read(
        name: Option<Spanned<String>>,
        statement: &Statement,
        others: &[Self],
        cx: &mut Reading<'_>,
    ) -> Option<Self> {
        let name = name?;
        let owner = name.value.clone();
        if let Some(first) = others.iter().find(|other| other.name.value == owner) {
            let message = format!("the session `{owner}` is already defined; this one is ignored");
            cx.warn(codes::DUPLICATE, name.span, message, format!("BFD {owner} already specified"))
                .label(first.name.span, "defined here");
            return None;
        }
        if owner.len() > LONGEST_NAME {
            let message =
                format!("the name is longer than {LONGEST_NAME} characters; the session is ignored");
            cx.warn(codes::BAD_NAME, name.span, message, format!("BFD name {owner} too long"));
            return None;
        }
        let mut it = Self::named(name);
        let mut malformed = false;
        for (inner, values) in cx.each(statement.statements(), &owner) {
            match inner.name() {
                "neighbor_ip" | "neighbour_ip" => {
                    it.neighbor = values.address();
                    malformed |= it.neighbor.is_none();
                }
                "source_ip" => it.source = values.address(),
                "min_rx" => it.min_rx = values.duration().or(it.min_rx),
                "min_tx" => it.min_tx = values.duration().or(it.min_tx),
                "idle_tx" => it.idle_tx = values.duration().or(it.idle_tx),
                "multiplier" => it.multiplier = values.number().or(it.multiplier),
                "passive" => it.passive = values.flag(),
                "ttl" | "hoplimit" => it.ttl = values.number().or(it.ttl),
                "max_hops" => it.max_hops = values.number().or(it.max_hops),
                "multihop" => it.multihop = values.switch().or(it.multihop),
                "weight" => it.weight = weight(&values).or(it.weight),
                "vrrp" => it.vrrp = values.flag(),
                "checker" => it.checker = values.flag(),
                _ => {}
            }
        }
        it.check(malformed, others, cx);
        Some(it)
    }

    fn named(name: Spanned<String>) -> Self {
        Self {
            name,
            neighbor: None,
            source: None,
            min_rx: None,
            min_tx: None,
            idle_tx: None,
            multiplier: None,
            passive: None,
            ttl: None,
            max_hops: None,
            multihop: None,
            weight: None,
            vrrp: None,
            checker: None,
        }
    }

    /// Whether a VRRP instance may track it.
    pub fn for_vrrp(&self) -> bool {
        self.vrrp.is_some() || self.checker.is_none()
    }

    /// Whether a check of a real server may use it.
    pub fn for_checker(&self) -> bool {
        self.checker.is_some() || self.vrrp.is_none()
    }

    /// The hop limit that counts where none is written; packets are sent with 255 whatever the family.
    pub(crate) fn hop_limit(&self) -> u8 {
        let ipv6 = self.neighbor.is_some_and(|neighbor| neighbor.value.is_ipv6());
        self.ttl.map_or(if ipv6 { 64 } else { 255 }, |ttl| ttl.value)
    }

    fn check(&mut self, malformed: bool, others: &[Self], cx: &mut Reading<'_>) {
        let name = self.name.value.clone();
        let Some(neighbor) = self.neighbor.filter(|_| !malformed) else {
            // A malformed address was told where it stands.
            if !malformed {
                let compat = format!(
                    "Configuration error: BFD instance {name} has no neighbor address set, disabling instance"
                );
                self.disable("the session has no `neighbor_ip`", self.name.span, compat, cx);
            }
            self.neighbor = None;
            return;
        };
        if let Some(source) = self.source.filter(|source| source.value.is_ipv6() != neighbor.value.is_ipv6())
        {
            let compat = format!(
                "Configuration error: BFD instance {name} source address {} and neighbor address {} are not of the same family, disabling instance",
                source.value, neighbor.value
            );
            self.disable("`source_ip` and `neighbor_ip` are of different families", source.span, compat, cx);
        } else if others.iter().any(|other| self.clashes(other)) {
            let (both, addresses) = match self.source {
                Some(source) => ("source/", format!("{}/{}", source.value, neighbor.value)),
                None => ("", neighbor.value.to_string()),
            };
            let compat = format!(
                "Configuration error: BFD instance {name} has duplicate {both}neighbor address {addresses}, ignoring instance"
            );
            self.disable("another session has the same ends", neighbor.span, compat, cx);
        } else if let Some(hops) = self.max_hops.filter(|hops| hops.value > self.hop_limit().into()) {
            let compat =
                format!("BFD instance {name}: max_hops exceeds ttl/hoplimit - setting to ttl/hoplimit");
            cx.warn(codes::ADJUSTED, hops.span, "there are no more hops than the hop limit", compat);
            self.max_hops = Some(hops.map(|_| self.hop_limit().into()));
        }
    }

    /// The session is declared, so that its name is known, but it cannot be run.
    fn disable(&mut self, message: &str, span: Span, compat: String, cx: &mut Reading<'_>) {
        self.neighbor = None;
        cx.warn(codes::NOT_SET, span, format!("{message}; it is not run"), compat)
            .note("what tracks it is ignored; the original would hold such an instance in FAULT");
    }

    /// Two sessions that could not be told apart before they know each other's numbers.
    fn clashes(&self, other: &Self) -> bool {
        let on = |it: &Self| it.multihop.is_some_and(|multihop| multihop.value);
        let value = |address: Option<Spanned<IpAddr>>| address.map(|address| address.value);
        let (ours, theirs) = (value(self.source), value(other.source));
        self.neighbor.is_some()
            && value(self.neighbor) == value(other.neighbor)
            && on(self) == on(other)
            && (ours.is_none() || theirs.is_none() || ours == theirs)
    }
}
