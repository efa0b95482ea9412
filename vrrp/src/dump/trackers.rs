//! The sections about what priorities depend on.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::data::line;
use super::json::quoted;
use crate::spec::{
    Bfd, Instance, Name, ProcessMatch, Script, Spec, TrackFile, TrackList, TrackProcess, TrackRef, Weight,
};
use crate::stats::{Snapshot, TrackerSnapshot};

/// An instance with what it watches, by itself and with its group.
pub(super) struct Follower<'a> {
    pub(super) instance: &'a Instance,
    pub(super) lists: Vec<&'a TrackList>,
}

/// Every instance. Asked once for all trackers: thousands of instances may be members of one group.
pub(super) fn followers<'a>(spec: &'a Spec) -> Vec<Follower<'a>> {
    // Nobody is a member of two groups.
    let groups: HashMap<&Name, &TrackList> = spec
        .groups
        .iter()
        .flat_map(|group| group.members.iter().map(|member| (member, &*group.track)))
        .collect();
    let follower = |instance: &'a Instance| {
        let lists = [Some(&*instance.track), groups.get(&instance.name).copied()];
        Follower { instance, lists: lists.into_iter().flatten().collect() }
    };
    spec.instances.iter().map(follower).collect()
}

pub(super) fn script(out: &mut String, of: &Script, followers: &[Follower<'_>], snapshot: &Snapshot) {
    line(out, 1, "VRRP Script", &of.name);
    line(out, 3, "Command", quoted(&of.command.argv));
    let interval = of.interval;
    if interval.subsec_nanos() == 0 {
        line(out, 3, "Interval", format_args!("{} sec", interval.as_secs()));
    } else {
        line(out, 3, "Interval", format_args!("{:.6} sec", interval.as_secs_f64()));
    }
    line(out, 3, "Timeout", format_args!("{} sec", of.timeout.map_or(0, |timeout| timeout.as_secs())));
    line(out, 3, "Weight", weight(of.weight));
    line(out, 3, "Rise", of.rise);
    line(out, 3, "Fall", of.fall);
    let status = match state(snapshot, "script", &of.name).and_then(|state| state.up) {
        Some(true) => "GOOD",
        Some(false) => "BAD",
        None => "INIT",
    };
    line(out, 3, "Status", status);
    out.push_str("   VRRP instances :\n");
    users(out, followers, (&of.name, of.weight), |list| &list.scripts);
}

pub(super) fn file(out: &mut String, of: &TrackFile, followers: &[Follower<'_>], snapshot: &Snapshot) {
    line(out, 1, "Track file", &of.name);
    line(out, 3, "File", &of.path);
    let number = state(snapshot, "file", &of.name).and_then(|state| state.value);
    line(out, 3, "Status", number.unwrap_or(0));
    line(out, 3, "Weight", weight(of.weight));
    users(out, followers, (&of.name, of.weight), |list| &list.files);
}

pub(super) fn process(out: &mut String, of: &TrackProcess, followers: &[Follower<'_>], snapshot: &Snapshot) {
    let state = state(snapshot, "process", &of.name);
    line(out, 1, "VRRP Track process", &of.name);
    if let Some((program, parameters)) = of.argv.split_first() {
        line(out, 3, "Process", program);
        if !parameters.is_empty() {
            line(out, 3, "Parameters", parameters.join(" "));
        }
    }
    match of.matching {
        ProcessMatch::NameOnly => {}
        ProcessMatch::Exact => out.push_str("   Param match\n"),
        ProcessMatch::Initial => line(out, 3, "Param match", "initial"),
        ProcessMatch::Partial => line(out, 3, "Param match", "partial"),
    }
    line(out, 3, "Min processes", of.quorum);
    if let Some(most) = of.quorum_max {
        line(out, 3, "Max processes", most);
    }
    line(out, 3, "Current processes", state.and_then(|state| state.value).unwrap_or(0));
    line(out, 3, "Have quorum", is_up(snapshot, "process", &of.name));
    line(out, 3, "Weight", weight(of.weight));
    line(out, 3, "Terminate delay", format_args!("{:.6}s", of.terminate_delay.as_secs_f64()));
    line(out, 3, "Fork delay", format_args!("{:.6}s", of.fork_delay.as_secs_f64()));
    line(out, 3, "Full command", of.full_command);
    users(out, followers, (&of.name, of.weight), |list| &list.processes);
}

pub(super) fn session(out: &mut String, of: &Bfd, followers: &[Follower<'_>], snapshot: &Snapshot) {
    line(out, 1, "VRRP Track BFD", &of.name);
    line(out, 3, "Weight", weight(of.weight));
    let _ = writeln!(out, "   Bfd is {}", if is_up(snapshot, "bfd", &of.name) { "up" } else { "down" });
    out.push_str("   Tracking VRRP instances :\n");
    users(out, followers, (&of.name, of.weight), |list| &list.bfds);
}

/// What an instance or a group watches.
pub(super) fn watched(out: &mut String, of: &TrackList, spec: &Spec) {
    if !of.interfaces.is_empty() {
        out.push_str("   Tracked interfaces :\n");
    }
    for used in &of.interfaces {
        let _ = writeln!(out, "     {} weight {}", used.interface, weight(used.weight));
    }
    let known = spec.scripts.iter().map(|of| (&of.name, of.weight));
    list(out, ("Tracked scripts :", ""), &of.scripts, known);
    let known = spec.files.iter().map(|of| (&of.name, of.weight));
    list(out, ("Tracked files :", ","), &of.files, known);
    let known = spec.processes.iter().map(|of| (&of.name, of.weight));
    list(out, ("Tracked processes :", ","), &of.processes, known);
    let known = spec.bfds.iter().map(|of| (&of.name, of.weight));
    list(out, ("Tracked BFDs :", ":"), &of.bfds, known);
    let known = spec.externals.iter().map(|of| (&of.name, of.weight));
    list(out, ("Tracked backends :", ","), &of.externals, known);
}

/// Trackers, with their own weights (as far as they are `known`) where the list gives none.
fn list<'a>(
    out: &mut String,
    (title, behind): (&str, &str),
    list: &[TrackRef],
    known: impl Iterator<Item = (&'a Name, Weight)> + Clone,
) {
    if !list.is_empty() {
        let _ = writeln!(out, "   {title}");
    }
    for used in list {
        let own = || known.clone().find(|(name, _)| **name == used.name).map(|(_, weight)| weight);
        let effect = weight(used.weight.or_else(own).unwrap_or_default());
        let _ = writeln!(out, "     {}{behind} weight {effect}", used.name);
    }
}

/// The instances that follow a tracker, by themselves or with their group.
fn users(
    out: &mut String,
    followers: &[Follower<'_>],
    (name, own): (&Name, Weight),
    list: fn(&TrackList) -> &[TrackRef],
) {
    let mut title = "   Tracking instances :\n";
    for Follower { instance, lists } in followers {
        for used in lists.iter().flat_map(|of| list(of)).filter(|used| used.name == *name) {
            out.push_str(std::mem::take(&mut title));
            let effect = weight(used.weight.unwrap_or(own));
            let _ = writeln!(out, "     {}, weight {effect}", instance.name);
        }
    }
}

/// `10`, `10 reverse`
pub(super) fn weight(weight: Weight) -> String {
    let reverse = if weight.reverse { " reverse" } else { "" };
    format!("{}{reverse}", weight.value)
}

fn state<'a>(snapshot: &'a Snapshot, kind: &str, name: &Name) -> Option<&'a TrackerSnapshot> {
    snapshot.trackers.iter().find(|tracker| tracker.kind == kind && tracker.name == *name)
}

pub(super) fn is_up(snapshot: &Snapshot, kind: &str, name: &Name) -> bool {
    state(snapshot, kind, name).is_some_and(|state| state.up == Some(true))
}
