//! What trackers make of a priority.

use crate::check::Resolved;
use crate::config::{Config, Index, Instance, Track, Tracked, Weight};
use lb_core::diag::{Span, Spanned};

/// The priorities an instance can have.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Priorities {
    /// As configured.
    pub base: u8,
    /// While everything tracked is well.
    pub healthy: u8,
    /// What the failure of each tracker does, everything else being well.
    pub effects: Vec<Effect>,
}

/// What the failure of one tracker does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Effect {
    /// `interface`, `script`, `process` or `backend`.
    pub what: &'static str,
    /// What is tracked.
    pub name: String,
    /// Where it is tracked.
    pub span: Span,
    /// The instance goes to FAULT and gives its addresses up at once.
    pub fault: bool,
    /// The priority while it fails.
    pub failed: u8,
}

/// A tracker with its weight here.
struct Use {
    what: &'static str,
    name: String,
    span: Span,
    weight: Weight,
}

impl Use {
    /// What it adds while it is well.
    fn well(&self) -> i32 {
        let weight = if self.weight.reverse { -self.weight.value } else { self.weight.value };
        weight.max(0)
    }

    /// What it adds while it fails.
    fn failing(&self) -> i32 {
        let weight = if self.weight.reverse { -self.weight.value } else { self.weight.value };
        weight.min(0)
    }
}

/// The priorities of `instance`. Files are left out, because their number can be anything.
pub fn priorities(config: &Config, instance: &Instance) -> Priorities {
    with_index(config, &Index::new(config), instance)
}

/// The same with an index at hand, for callers that ask for many instances.
pub(super) fn with_index(config: &Config, index: &Index<'_>, instance: &Instance) -> Priorities {
    let resolved = Resolved::new(instance, config);
    let group = index.group_of.get(instance.name.value.as_str());
    let mut uses = uses(&instance.track, index);
    let weightless = resolved.owner() || group.is_some_and(|g| g.tracking_weight.is_none());
    if weightless {
        // An interface of a group's member counts as one whose loss is a fault; other weighted trackers do not count.
        for tracker in uses.iter_mut().filter(|u| u.what == "interface" && !resolved.owner()) {
            tracker.weight = Weight::default();
        }
        uses.retain(|u| u.weight.value == 0);
    }
    if let Some(group) = group {
        uses.extend(self::uses(&group.track, index));
    }
    if let Some(own) = instance.interface.as_ref().filter(|_| instance.dont_track_primary.is_none()) {
        uses.retain(|u| u.what != "interface" || u.name != own.value);
        uses.push(Use {
            what: "interface",
            name: own.value.clone(),
            span: own.span,
            weight: Weight::default(),
        });
    }
    let base = i32::from(resolved.priority);
    let clamp =
        |sum: i32| if resolved.owner() { 255 } else { u8::try_from(sum.clamp(1, 254)).unwrap_or(254) };
    let well: i32 = uses.iter().map(Use::well).fold(base, i32::saturating_add);
    let effects = uses.iter().map(|u| Effect {
        what: u.what,
        name: u.name.clone(),
        span: u.span,
        fault: u.weight.value == 0,
        failed: clamp(well.saturating_sub(u.well()).saturating_add(u.failing())),
    });
    Priorities { base: resolved.priority, healthy: clamp(well), effects: effects.collect() }
}

fn uses(track: &Track, index: &Index<'_>) -> Vec<Use> {
    let mut uses = Vec::new();
    for tracked in &track.interfaces {
        uses.push(one("interface", &tracked.interface, tracked.weight.map(|w| w.value)));
    }
    let mut named = |what, list: &[Tracked], own: &dyn Fn(&str) -> Option<Spanned<Weight>>| {
        for tracked in list {
            let weight = tracked.weight.or_else(|| own(&tracked.name.value));
            uses.push(one(what, &tracked.name, weight.map(|w| w.value)));
        }
    };
    named("script", &track.scripts, &|n| index.scripts.get(n).and_then(|s| s.weight));
    named("process", &track.processes, &|n| index.processes.get(n).and_then(|p| p.weight));
    named("bfd", &track.bfds, &|n| index.bfds.get(n).and_then(|b| b.weight));
    for backend in &track.backends {
        uses.push(one("backend", &backend.name, backend.weight.map(|w| w.value)));
    }
    uses
}

fn one(what: &'static str, name: &Spanned<String>, weight: Option<Weight>) -> Use {
    Use { what, name: name.value.clone(), span: name.span, weight: weight.unwrap_or_default() }
}
