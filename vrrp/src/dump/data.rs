//! `/tmp/keepalived.data`

use std::fmt::Write as _;
use std::time::Duration;

use super::address::address;
use super::instance::{instance, scripts};
use super::route::{route, rule};
use super::{global, interface, trackers};
use crate::spec::{Spec, StaticItems, SyncGroup};
use crate::stats::{Snapshot, StateKind};

/// Settings and states in the layout of keepalived's data file: the same headings and the same words, line by line, as far
/// as there is something to say. `wall` is the time of the snapshot, `offset` the seconds its zone is east of Greenwich.
#[must_use]
pub fn data(spec: &Spec, snapshot: &Snapshot, wall: Duration, offset: i32) -> String {
    let mut out = global(&spec.global);
    if !spec.garp_groups.is_empty() {
        out.push_str("------< Gratuitous ARP delays >------\n");
        interface::delays(&mut out, &spec.garp_groups);
    }
    fixed(&mut out, &spec.fixed, snapshot);
    let out = &mut out;
    section(out, "VRRP Topology", &snapshot.instances, |out, state| {
        let Some(of) = spec.instance(&state.name) else { return };
        instance(out, (spec, of), (snapshot, state), (wall, offset));
    });
    section(out, "VRRP Sync groups", &spec.groups, |out, of| group(out, of, spec, snapshot));
    let followers = &trackers::followers(spec);
    section(out, "VRRP Scripts", &spec.scripts, |out, of| trackers::script(out, of, followers, snapshot));
    section(out, "VRRP Track files", &spec.files, |out, of| trackers::file(out, of, followers, snapshot));
    section(out, "VRRP Track processes", &spec.processes, |out, of| {
        trackers::process(out, of, followers, snapshot);
    });
    section(out, "VRRP Track BFDs", &spec.bfds, |out, of| trackers::session(out, of, followers, snapshot));
    let brought = interface::brought(spec);
    section(out, "Interfaces", &snapshot.interfaces, |out, of| {
        interface::interface(out, of, &brought, followers, (spec, snapshot));
    });
    std::mem::take(out)
}

/// A heading and what is beneath it, if there is anything.
pub(super) fn section<T>(out: &mut String, title: &str, items: &[T], each: impl Fn(&mut String, &T)) {
    if !items.is_empty() {
        let _ = writeln!(out, "------< {title} >------");
    }
    items.iter().for_each(|item| each(out, item));
}

/// What exists for as long as the router runs.
fn fixed(out: &mut String, fixed: &StaticItems, snapshot: &Snapshot) {
    section(out, "Static Addresses", &fixed.addresses, |out, of| {
        let on = of.interface.as_ref().and_then(|name| snapshot.interface(name));
        let set = on.is_some_and(|on| on.addresses.contains(&of.address()));
        let _ = writeln!(out, "     {}", address(of, of.interface.as_deref(), set));
    });
    section(out, "Static Routes", &fixed.routes, |out, of| {
        let _ = writeln!(out, "     {}", route(of));
    });
    section(out, "Static Rules", &fixed.rules, |out, of| {
        let _ = writeln!(out, "     {}", rule(of));
    });
}

fn group(out: &mut String, of: &SyncGroup, spec: &Spec, snapshot: &Snapshot) {
    let state = snapshot.groups.iter().find(|group| group.name == of.name).map(|group| group.state.word());
    let _ = writeln!(out, " VRRP Sync Group = {}, {}", of.name, state.unwrap_or("INIT"));
    let members = || of.members.iter().filter_map(|name| snapshot.instance(name));
    let count = |state: StateKind| members().filter(|member| member.state == state).count();
    let (fault, init) = (count(StateKind::Fault), count(StateKind::Init));
    let _ = writeln!(out, "   Num member fault {fault}, num member init {init}");
    out.push_str("   VRRP member instances :\n");
    for member in &of.members {
        let _ = writeln!(out, "     {member}");
    }
    if of.tracking_weight {
        out.push_str("   sync group tracking weight set\n");
    }
    line(out, 3, "Using smtp notification", yes(of.smtp_alert));
    line(out, 3, "Notify priority changes", yes(of.notify_priority_changes));
    trackers::watched(out, &of.track, spec);
    scripts(out, &of.notify);
}

/// A switch as data files have it for the most part.
#[must_use]
pub const fn yes(switch: bool) -> &'static str {
    if switch { "yes" } else { "no" }
}

pub(super) const fn enabled(switch: bool) -> &'static str {
    if switch { "enabled" } else { "disabled" }
}

/// A line of a data file, `NAME = VALUE` behind some spaces.
pub fn line(out: &mut String, indent: usize, name: &str, value: impl std::fmt::Display) {
    let _ = writeln!(out, "{:indent$}{name} = {value}", "");
}
