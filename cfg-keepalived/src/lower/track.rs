//! Trackers, groups, static items.

use super::{Origins, instance, name};
use crate::check::Resolved;
use crate::config::{Config, Index, Instance, Route, Rule, Track, Tracked, Weight};
use lb_core::diag::Spanned;
use std::collections::HashSet;
use std::time::Duration;
use vrrp::spec;
use vrrp::spec::{InterfaceRef, ProcessMatch, Spec, TrackList, TrackRef};

/// Everything that is tracked.
pub(super) fn lower(config: &Config, spec: &mut Spec, origins: &mut Origins) {
    for from in &config.scripts {
        let command = origins.command(&from.command, from.user.as_ref());
        let mut to = spec::Script::new(from.name.value.as_str(), command);
        to.origin = origins.at(from.name.span);
        to.interval = from.interval.map_or(to.interval, |d| d.value);
        to.timeout = from.timeout.map(|d| d.value);
        to.weight = from.weight.map_or(spec::Weight::FAULT, weight);
        to.rise = from.rise.map_or(1, |n| n.value);
        to.fall = from.fall.map_or(1, |n| n.value);
        to.init_fail = from.init_fail.is_some();
        spec.scripts.push(to);
    }
    for from in &config.track_files {
        let mut to = spec::TrackFile::new(from.name.value.as_str(), &from.file.value);
        to.origin = origins.at(from.name.span);
        to.weight = from.weight.map_or(to.weight, weight);
        to.initial = from.init_file.map(|i| i.value);
        spec.files.push(to);
    }
    for from in &config.track_processes {
        let mut to = spec::TrackProcess::new(from.name.value.as_str(), from.process.value.clone());
        to.origin = origins.at(from.name.span);
        to.matching = match from.param_match.as_ref().map(|m| m.value.as_str()) {
            Some("exact") => ProcessMatch::Exact,
            Some("initial") => ProcessMatch::Initial,
            Some("partial") => ProcessMatch::Partial,
            // With arguments and nothing said they must all be equal.
            _ if from.process.value.len() > 1 => ProcessMatch::Exact,
            _ => ProcessMatch::NameOnly,
        };
        to.full_command = from.full_command.is_some();
        to.weight = from.weight.map_or(spec::Weight::FAULT, weight);
        to.quorum = from.quorum.map_or(1, |n| n.value);
        to.quorum_max = from.quorum_max.map(|n| n.value);
        to.fork_delay = from.fork_delay.map_or(Duration::ZERO, |d| d.value);
        to.terminate_delay = from.terminate_delay.map_or(Duration::ZERO, |d| d.value);
        spec.processes.push(to);
    }
    externals(config, spec, origins);
}

pub(super) fn weight(from: Spanned<Weight>) -> spec::Weight {
    if from.value.reverse {
        spec::Weight::reversed(from.value.value)
    } else {
        spec::Weight::new(from.value.value)
    }
}

/// The name under which the health of a pool is reported: the pool, and how many servers it must have.
fn external_name(pool: &str, min_up: u32) -> String {
    if min_up == 1 { pool.to_owned() } else { format!("{pool}/{min_up}") }
}

/// Each pool and number of servers becomes one tracker, however many instances use it.
fn externals(config: &Config, spec: &mut Spec, origins: &mut Origins) {
    let tracks = config.instances.iter().map(|i| &i.track).chain(config.sync_groups.iter().map(|g| &g.track));
    let mut seen = HashSet::new();
    for backend in tracks.flat_map(|t| &t.backends) {
        let id = external_name(&backend.name.value, backend.min_up.map_or(1, |n| n.value));
        if !seen.insert(id.clone()) {
            continue;
        }
        let mut to = spec::External::new(id.as_str());
        to.origin = origins.at(backend.name.span);
        to.target.clone_from(&id);
        spec.externals.push(to);
    }
}

/// What an instance or group watches, without what has no effect there.
pub(super) fn list(
    from: &Track,
    instance: Option<&Instance>,
    config: &Config,
    index: &Index<'_>,
    origins: &mut Origins,
) -> TrackList {
    let owner = instance.is_some_and(|i| Resolved::new(i, config).owner());
    let own = instance.and_then(|i| i.interface.as_ref()).map(|n| n.value.as_str());
    let mut list = TrackList::default();
    for tracked in &from.interfaces {
        let heavy = tracked.weight.is_some_and(|w| w.value.value != 0);
        if own == Some(tracked.interface.value.as_str()) || (owner && heavy) {
            continue;
        }
        let mut to = InterfaceRef::new(tracked.interface.value.as_str());
        to.origin = origins.at(tracked.interface.span);
        to.weight = tracked.weight.map_or(spec::Weight::FAULT, weight);
        list.interfaces.push(to);
    }
    let mut named = |from: &[Tracked], own: &dyn Fn(&str) -> i32| -> Vec<TrackRef> {
        let light =
            |t: &&Tracked| !owner || t.weight.map_or_else(|| own(&t.name.value), |w| w.value.value) == 0;
        from.iter().filter(light).map(|t| reference(t, origins)).collect()
    };
    list.scripts =
        named(&from.scripts, &|n| index.scripts.get(n).and_then(|s| s.weight).map_or(0, |w| w.value.value));
    list.processes = named(&from.processes, &|n| {
        index.processes.get(n).and_then(|p| p.weight).map_or(0, |w| w.value.value)
    });
    list.bfds = named(&from.bfds, &|n| index.bfds.get(n).and_then(|b| b.weight).map_or(0, |w| w.value.value));
    // A session with a mistake is not run.
    list.bfds.retain(|b| index.bfds.get(b.name.as_str()).is_some_and(|b| b.neighbor.is_some()));
    list.files = files(&from.files, owner, index, origins);
    for backend in &from.backends {
        let id = external_name(&backend.name.value, backend.min_up.map_or(1, |n| n.value));
        let own = backend.weight.map_or(spec::Weight::FAULT, weight);
        let mut to = TrackRef::weighted(id.as_str(), own);
        to.origin = origins.at(backend.name.span);
        list.externals.push(to);
    }
    list
}

fn reference(from: &Tracked, origins: &mut Origins) -> TrackRef {
    let mut to = TrackRef::new(from.name.value.as_str());
    to.origin = origins.at(from.name.span);
    to.weight = from.weight.map(weight);
    to
}

/// On an owner a file of weight 1 counts as weight 0, one of another weight not at all.
fn files(from: &[Tracked], owner: bool, index: &Index<'_>, origins: &mut Origins) -> Vec<TrackRef> {
    let own = |n: &str| index.files.get(n).and_then(|f| f.weight);
    let mut out = Vec::new();
    for tracked in from {
        let mut to = reference(tracked, origins);
        let value = tracked.weight.or_else(|| own(&tracked.name.value)).map_or(1, |w| w.value.value);
        match value {
            _ if !owner => {}
            0 | 1 => to.weight = Some(spec::Weight::FAULT),
            _ => continue,
        }
        out.push(to);
    }
    out
}

/// `vrrp_sync_group`, without members that do not exist or are in another group already.
pub(super) fn groups(config: &Config, index: &Index<'_>, spec: &mut Spec, origins: &mut Origins) {
    let mut taken: HashSet<&str> = HashSet::new();
    for from in &config.sync_groups {
        let mut members = Vec::new();
        for member in &from.members {
            // An instance without an id was left out.
            let instance = index.instances.get(member.value.as_str());
            if instance.is_some_and(|i| i.virtual_router_id.is_some()) && taken.insert(&member.value) {
                members.push(name(&member.value));
            }
        }
        if members.is_empty() {
            continue;
        }
        let mut to = spec::SyncGroup::new(from.name.value.as_str(), members);
        to.origin = origins.at(from.name.span);
        to.track = list(&from.track, None, config, index, origins).into();
        to.tracking_weight = from.tracking_weight.is_some();
        to.notify = origins.notify(&from.notify).into();
        let changes = from.notify.priority_changes;
        to.notify_priority_changes = changes.map_or(spec.global.notify_priority_changes, |b| b.value);
        to.smtp_alert = from.notify.smtp_alert.map_or(spec.global.smtp_alert, |b| b.value);
        spec.groups.push(to);
    }
}

pub(super) fn routes(from: &[Route], origins: &mut Origins) -> Vec<spec::Route> {
    let with_origin = |route: &Route| {
        let mut to = route.value.clone();
        to.origin = origins.at(route.span);
        to
    };
    from.iter().map(with_origin).collect()
}

pub(super) fn rules(from: &[Rule], origins: &mut Origins) -> Vec<spec::Rule> {
    let with_origin = |rule: &Rule| {
        let mut to = rule.value.clone();
        to.origin = origins.at(rule.span);
        to
    };
    from.iter().map(with_origin).collect()
}

/// Static items, announcement groups and link delays.
pub(super) fn fixed(config: &Config, spec: &mut Spec, origins: &mut Origins) {
    // What names no interface lives on the default one.
    let default = spec.global.default_interface.clone().unwrap_or_else(|| name("eth0"));
    for from in &config.fixed.addresses {
        let mut to = instance::address(from, origins);
        to.interface.get_or_insert_with(|| default.clone());
        spec.fixed.addresses.push(to);
    }
    spec.fixed.routes = routes(&config.fixed.routes, origins);
    spec.fixed.rules = rules(&config.fixed.rules, origins);
    for from in &config.garp_groups {
        let mut to = spec::GarpGroup::default();
        to.origin = origins.at(from.span);
        to.interfaces = from.interfaces.iter().map(|i| name(&i.value)).collect();
        to.garp_interval = from.garp_interval.map_or(Duration::ZERO, |d| d.value);
        to.gna_interval = from.gna_interval.map_or(Duration::ZERO, |d| d.value);
        spec.garp_groups.push(to);
    }
    for from in &config.link_delays {
        let mut to = spec::LinkDelay::default();
        to.origin = origins.at(from.interface.span);
        to.interface = name(&from.interface.value);
        to.down = from.down;
        to.up = from.up;
        spec.link_delays.push(to);
    }
}
