//! Trackers: those without effect, and those that nobody uses.

use super::{Resolved, advice};
use crate::codes;
use crate::config::{Config, Instance, Track, Weight};
use lb_core::diag::{Diagnostic, Diagnostics, Span, Spanned};

pub(super) fn check_instance(instance: &Instance, config: &Config, out: &mut Diagnostics) {
    own_interface(instance, out);
    let owner = Resolved::new(instance, config).owner();
    let group = config.group_of(&instance.name.value).filter(|g| g.tracking_weight.is_none());
    if owner || group.is_some() {
        weights(instance, config, group.is_some(), out);
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

fn weights(instance: &Instance, config: &Config, in_group: bool, out: &mut Diagnostics) {
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
        let own = config.script(&tracked.name.value).and_then(|s| s.weight);
        if effective(tracked.weight, own) != 0 {
            let compat = format!(
                "({name}) ignoring tracked script {} with weights due to {because}",
                tracked.name.value
            );
            say(tracked.name.span, "a script with a weight is not tracked here", compat);
        }
    }
    for tracked in &instance.track.files {
        let own =
            config.track_files.iter().find(|f| f.name.value == tracked.name.value).and_then(|f| f.weight);
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

/// Everything that tracks.
fn all_tracks(config: &Config) -> impl Iterator<Item = &Track> {
    config.instances.iter().map(|i| &i.track).chain(config.sync_groups.iter().map(|g| &g.track))
}

pub(super) fn check_unused(config: &Config, out: &mut Diagnostics) {
    for script in &config.scripts {
        if !all_tracks(config).any(|t| t.scripts.iter().any(|s| s.name.value == script.name.value)) {
            let message = format!("the script `{}` is tracked by nothing and never runs", script.name.value);
            out.push(Diagnostic::notice(codes::UNUSED, script.name.span, message));
        }
    }
    let checks = || config.virtual_servers.iter().flat_map(|v| &v.real_servers).flat_map(|r| &r.checks);
    for file in &config.track_files {
        let tracked = all_tracks(config).any(|t| t.files.iter().any(|f| f.name.value == file.name.value));
        let checked = checks().any(
            |c| matches!(&c.kind, crate::config::CheckKind::File(f) if f.track_file.value == file.name.value),
        );
        if !tracked && !checked {
            let message = format!("the file `{}` is tracked by nothing", file.name.value);
            out.push(Diagnostic::notice(codes::UNUSED, file.name.span, message));
        }
    }
    for process in &config.track_processes {
        if !all_tracks(config).any(|t| t.processes.iter().any(|p| p.name.value == process.name.value)) {
            let message = format!("the process `{}` is tracked by nothing", process.name.value);
            out.push(Diagnostic::notice(codes::UNUSED, process.name.span, message));
        }
    }
}
