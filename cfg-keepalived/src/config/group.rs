//! `vrrp_sync_group`, `track_group`, `garp_group`, static items, link delays.

use super::track::spanned;
use super::{Address, Config, Notify, Reading, Route, Rule, Track};
use crate::codes;
use crate::tree::Statement;
use crate::value;
use lb_core::diag::{Span, Spanned};
use std::time::Duration;

/// `vrrp_sync_group`
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the keywords of the block")]
pub struct SyncGroup {
    pub name: Spanned<String>,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub span: Span,
    pub members: Vec<Spanned<String>>,
    pub track: Track,
    pub tracking_weight: Option<Spanned<bool>>,
    pub notify: Notify,
}

impl SyncGroup {
    pub(super) fn read(
        name: Spanned<String>,
        statement: &Statement,
        config: &Config,
        cx: &mut Reading<'_>,
    ) -> Option<Self> {
        let mut it = Self {
            name,
            span: statement.span,
            members: Vec::new(),
            track: Track::default(),
            tracking_weight: None,
            notify: Notify::default(),
        };
        let owner = it.name.value.clone();
        for (inner, values) in cx.each(statement.statements(), &owner) {
            if it.notify.take(inner.name(), &values, cx) || it.track.take(inner, &owner, config, cx) {
                continue;
            }
            match inner.name() {
                "group" => it.take_members(inner, cx),
                "global_tracking" | "sync_group_tracking_weight" => it.tracking_weight = values.flag(),
                _ => {}
            }
        }
        if it.members.is_empty() {
            let message = format!("the group `{owner}` has no members; it is dropped");
            let compat = format!("Sync group {owner} has no virtual router(s). removing");
            cx.warn(codes::EMPTY_BLOCK, it.name.span, message, compat)
                .note("its members belong into `group { … }`");
            return None;
        }
        Some(it)
    }

    fn take_members(&mut self, statement: &Statement, cx: &mut Reading<'_>) {
        if let Some(first) = self.members.first() {
            let first = first.span;
            let compat = format!("Group list already specified for sync group {}", self.name.value);
            cx.warn(codes::DUPLICATE, statement.head_span(), "a second `group` is ignored", compat)
                .label(first, "the first");
            return;
        }
        self.members = members(statement);
        if self.members.is_empty() {
            let compat = format!("Warning - sync group {} has empty group block", self.name.value);
            cx.warn(codes::EMPTY_BLOCK, statement.head_span(), "the list of members is empty", compat);
        }
    }
}

fn members(statement: &Statement) -> Vec<Spanned<String>> {
    statement.values().iter().flat_map(|l| &l.words).map(spanned).collect()
}

/// `track_group`
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the keywords of the block")]
pub struct TrackGroup {
    pub name: Spanned<String>,
    pub members: Vec<Spanned<String>>,
}

impl TrackGroup {
    pub(super) fn read(
        name: Option<Spanned<String>>,
        statement: &Statement,
        cx: &mut Reading<'_>,
    ) -> Option<Self> {
        let name = name?;
        let inner = cx.each(statement.statements(), &name.value);
        let members: Vec<_> = inner.iter().flat_map(|(s, _)| members(s)).collect();
        if members.is_empty() {
            let compat = format!("Static track group {} has no members - removing", name.value);
            cx.warn(codes::EMPTY_BLOCK, name.span, "the track group has no members; it is dropped", compat);
            return None;
        }
        Some(Self { name, members })
    }
}

/// `garp_group`
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the keywords of the block")]
pub struct GarpGroup {
    #[cfg_attr(feature = "serde", serde(skip))]
    pub span: Span,
    pub garp_interval: Option<Spanned<Duration>>,
    pub gna_interval: Option<Spanned<Duration>>,
    pub interfaces: Vec<Spanned<String>>,
}

impl GarpGroup {
    pub(super) fn read(statement: &Statement, cx: &mut Reading<'_>) -> Option<Self> {
        let span = statement.head_span();
        let mut it = Self { span, garp_interval: None, gna_interval: None, interfaces: Vec::new() };
        for (inner, values) in cx.each(statement.statements(), "garp_group") {
            match inner.name() {
                "garp_interval" => it.garp_interval = values.duration(),
                "gna_interval" => it.gna_interval = values.duration(),
                "interface" => it.interfaces.extend(values.word()),
                _ => {
                    let all = members(inner);
                    if all.is_empty() {
                        let compat = "Warning - empty garp_group interfaces block";
                        cx.warn(codes::EMPTY_BLOCK, inner.head_span(), "no interface is listed", compat);
                    }
                    it.interfaces.extend(all);
                }
            }
        }
        it.interfaces.retain(|interface| {
            let there = !cx.lacks_interface(&interface.value);
            if !there {
                let compat =
                    format!("WARNING - interface {} specified for garp_group doesn't exist", interface.value);
                cx.warn(codes::MISSING_INTERFACE, interface.span, "this interface does not exist", compat);
            }
            there
        });
        if it.garp_interval.is_none() && it.gna_interval.is_none() {
            let message = "the group sets no interval; it is dropped";
            cx.warn(codes::EMPTY_BLOCK, span, message, "garp group does not have any delay set - removing");
            return None;
        }
        Some(it)
    }
}

/// `static_ipaddress`, `static_routes`, `static_rules`
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the blocks")]
pub struct StaticItems {
    pub addresses: Vec<Address>,
    pub routes: Vec<Route>,
    pub rules: Vec<Rule>,
}

impl StaticItems {
    pub(super) fn read(&mut self, statement: &Statement, cx: &mut Reading<'_>) {
        let lines = statement.values();
        match statement.name() {
            "static_ipaddress" => {
                self.addresses.extend(lines.iter().filter_map(|l| Address::read(l, true, cx)))
            }
            "static_routes" => self.routes.extend(Route::read_all(lines, true, cx)),
            _ => self.rules.extend(Rule::read_all(lines, true, cx)),
        }
    }
}

/// A line of `interface_up_down_delays`.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the words of the line")]
pub struct LinkDelay {
    pub interface: Spanned<String>,
    pub down: Duration,
    pub up: Duration,
}

impl LinkDelay {
    pub(super) fn read(statement: &Statement, to: &mut Vec<Self>, cx: &mut Reading<'_>) {
        for line in statement.values() {
            let interface = &line.words[0];
            if cx.lacks_interface(&interface.text) {
                let compat = format!("unknown interface {} specified for up/down delay", interface.text);
                cx.warn(codes::MISSING_DELAYED, interface.span, "this interface does not exist", compat)
                    .note("keepalived does not start with such a line; here it is ignored");
                continue;
            }
            let mut times = Vec::new();
            for word in line.words[1..].iter().take(2) {
                match value::decimal(&word.text, 0, 255_000_000) {
                    Ok(micros) => times.push(Duration::from_micros(micros)),
                    Err(problem) => {
                        let message = format!("`{}` is no delay; the line is ignored", word.text);
                        cx.warn(codes::BAD_NUMBER, word.span, message, problem.compat())
                            .note(problem.expected().to_owned());
                        times.clear();
                        break;
                    }
                }
            }
            match times.as_slice() {
                [] if line.words.len() < 2 => {
                    cx.advise(codes::NOT_SET, interface.span, "the delay is missing; the line is ignored");
                }
                [] => {}
                [both] => to.push(Self { interface: spanned(interface), down: *both, up: *both }),
                [down, up, ..] => to.push(Self { interface: spanned(interface), down: *down, up: *up }),
            }
        }
    }
}
