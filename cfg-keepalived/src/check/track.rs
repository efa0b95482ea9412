//! Trackers: those without effect, and those that nobody uses.

use super::{Resolved, advice};
use crate::codes;
use crate::config::{CheckKind, Config, Index, Instance, Weight};
use lb_core::diag::{Diagnostic, Diagnostics, Span, Spanned};
use std::collections::HashSet;

pub(super) fn check_instance(instance: &Instance, config: &Config, index: &Index<'_>, out: &mut Diagnostics) {
    own_interface(instance, out);
    let owner = Resolved::new(instance, config).owner();
    let group = index.group_of.get(instance.name.value.as_str()).filter(|g| g.tracking_weight.is_none());
    if owner || group.is_some() {
        weights(instance, index, group.is_some(), out);
    }
}

fn own_interface(instance: &Instance, out: &mut Diagnostics) {
    let Some(own) = &instance.interface else { return };
    for tracked in instance.track.interfaces.iter().filter(|t| t.interface.value == own.value) {
        let compat =
            format!("({}) Ignoring track_interface {} since own interface", instance.name.value, own.value);
        out.push(
            advice(
                codes::TRACK_WITHOUT_EFFECT,
                tracked.interface.span,
                "the own interface is always tracked",
                compat,
            )
            .label(own.span, "the own interface"),
        );
    }
}

/// The weight a tracker has here: the one of its use, or its own.
fn effective(here: Option<Spanned<Weight>>, own: Option<Spanned<Weight>>) -> i32 {
    here.or(own).map_or(0, |w| w.value.value)
}

fn weights(instance: &Instance, index: &Index<'_>, in_group: bool, out: &mut Diagnostics) {
    let name = &instance.name.value;
    let because = if in_group { "SYNC group" } else { "address_owner" };
    let why = if in_group {
        "the members of a sync group need equal priorities; `sync_group_tracking_weight` allows it"
    } else {
        "an address owner's priority stays 255"
    };
    let mut say = |span: Span, message: &str, compat: String| {
        out.push(advice(codes::TRACK_WITHOUT_EFFECT, span, message, compat).note(why));
    };
    for tracked in &instance.track.interfaces {
        if effective(tracked.weight, None) != 0 {
            let (weight, owner) = if in_group { ("weight ", "SYNC group") } else { ("", "address owner") };
            let interface = &tracked.interface.value;
            let compat = format!("({name}) ignoring {interface} tracked interface {weight}due to {owner}");
            say(tracked.interface.span, "the weight has no effect", compat);
        }
    }
    for tracked in &instance.track.scripts {
        let own = index.scripts.get(tracked.name.value.as_str()).and_then(|s| s.weight);
        if effective(tracked.weight, own) != 0 {
            let compat = format!(
                "({name}) ignoring tracked script {} with weights due to {because}",
                tracked.name.value
            );
            say(tracked.name.span, "a script with a weight is not tracked here", compat);
        }
    }
    for tracked in &instance.track.bfds {
        let own = index.bfds.get(tracked.name.value.as_str()).and_then(|b| b.weight);
        let weight = effective(tracked.weight, own);
        if weight != 0 {
            let session = &tracked.name.value;
            let compat =
                format!("({name}) ignoring tracked bfd {session} with weight {weight} due to {because}");
            say(tracked.name.span, "a session with a weight is not tracked here", compat);
        }
    }
    for tracked in &instance.track.files {
        let own = index.files.get(tracked.name.value.as_str()).and_then(|f| f.weight);
        let file = &tracked.name.value;
        match tracked.weight.or(own).map_or(1, |w| w.value.value) {
            0 => {}
            1 => {
                let compat = format!(
                    "({name}) ignoring weight from tracked file {file} due to {because}. specify weight 0"
                );
                say(tracked.name.span, "the file's weight counts as 0 here", compat);
            }
            n => {
                let compat =
                    format!("({name}) ignoring tracked file {file} with weight {n} due to {because}");
                say(tracked.name.span, "a file with a weight is not tracked here", compat);
            }
        }
    }
}

pub(super) fn check_unused(config: &Config, out: &mut Diagnostics) {
    let tracks = config.instances.iter().map(|i| &i.track).chain(config.sync_groups.iter().map(|g| &g.track));
    let mut used: HashSet<(&str, &str)> = HashSet::new();
    for track in tracks {
        used.extend(track.scripts.iter().map(|t| ("script", t.name.value.as_str())));
        used.extend(track.files.iter().map(|t| ("file", t.name.value.as_str())));
        used.extend(track.processes.iter().map(|t| ("process", t.name.value.as_str())));
    }
    for check in config.virtual_servers.iter().flat_map(|v| &v.real_servers).flat_map(|r| &r.checks) {
        if let CheckKind::File(file) = &check.kind {
            used.insert(("file", &file.track_file.value));
        }
    }
    let declared = (config.scripts.iter().map(|s| ("script", &s.name)))
        .chain(config.track_files.iter().map(|f| ("file", &f.name)))
        .chain(config.track_processes.iter().map(|p| ("process", &p.name)));
    for (what, name) in declared {
        if !used.contains(&(what, name.value.as_str())) {
            let message = format!("the {what} `{}` is tracked by nothing and not watched", name.value);
            out.push(Diagnostic::notice(codes::UNUSED, name.span, message));
        }
    }
}
