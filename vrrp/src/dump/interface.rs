//! The sections about interfaces, and what they share.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use super::data::line;
use super::instance::ipvlan;
use super::trackers::{Follower, weight};
use crate::spec::{GarpGroup, Name, Spec, VirtualAddress, Weight};
use crate::stats::{InterfaceSnapshot, Snapshot};
use crate::wire::hardware_address;

/// Kinds of hardware that have a name.
const ETHERNET: u16 = 1;
const LOOPBACK: u16 = 772;

/// The addresses that virtual routers bring, which are told of there.
pub(super) fn brought(spec: &Spec) -> BTreeSet<IpAddr> {
    let moving = spec.instances.iter().flat_map(|i| i.addresses.iter().chain(&i.excluded_addresses));
    moving.chain(&spec.fixed.addresses).map(VirtualAddress::address).collect()
}

/// An interface, with its addresses but those that are `brought`.
pub(super) fn interface(
    out: &mut String,
    of: &InterfaceSnapshot,
    brought: &BTreeSet<IpAddr>,
    followers: &[Follower<'_>],
    (spec, snapshot): (&Spec, &Snapshot),
) {
    line(out, 1, "Name", &of.name);
    match (of.index, of.present) {
        (Some(index), true) => line(out, 3, "index", index),
        (_, present) => line(out, 3, "index", if present { "0" } else { "0 (deleted)" }),
    }
    let own = || of.addresses.iter().filter(|address| !brought.contains(address));
    addresses(out, "IPv4", own().filter(|address| address.is_ipv4()));
    addresses(out, "IPv6", own().filter(|address| address.is_ipv6()));
    if let Some(mac) = of.mac {
        line(out, 3, "MAC", hardware_address(mac));
    }
    line(out, 3, "State", state(of));
    line(out, 3, "Seen up", u8::from(of.seen_up));
    line(out, 3, "Delayed state change running", of.pending);
    let delay = spec.link_delays.iter().find(|delay| delay.interface == of.name);
    let micros = |time: Option<Duration>| time.map_or(0, |time| time.as_micros());
    line(out, 3, "Up debounce timer", format_args!("{}us", micros(delay.map(|delay| delay.up))));
    line(out, 3, "Down debounce timer", format_args!("{}us", micros(delay.map(|delay| delay.down))));
    made(out, of, spec, snapshot);
    if let Some(mtu) = of.mtu {
        line(out, 3, "MTU", mtu);
    }
    match of.hardware {
        Some(ETHERNET) => line(out, 3, "HW Type", "ETHERNET"),
        Some(LOOPBACK) => line(out, 3, "HW Type", "LOOPBACK"),
        Some(other) => line(out, 3, "HW Type", format_args!("UNKNOWN ({other})")),
        None => {}
    }
    let groups = numbered(&spec.garp_groups);
    for (number, group) in groups.filter(|(_, group)| group.interfaces.contains(&of.name)) {
        if !group.garp_interval.is_zero() {
            let _ = writeln!(out, "   Gratuitous ARP interval {}ms", group.garp_interval.as_millis());
        }
        if !group.gna_interval.is_zero() {
            let _ = writeln!(out, "   Gratuitous NA interval {}ms", group.gna_interval.as_millis());
        }
        if number > 0 {
            let _ = writeln!(out, "   Gratuitous ARP aggregation group {number}");
        }
    }
    users(out, &of.name, followers);
}

/// Rate limits of announcements.
pub(super) fn delays(out: &mut String, groups: &[GarpGroup]) {
    for (number, group) in numbered(groups) {
        let _ = writeln!(out, "------< GARP delay group {number} >------");
        if !group.garp_interval.is_zero() {
            line(out, 1, "GARP interval", group.garp_interval.as_secs_f64());
        }
        if !group.gna_interval.is_zero() {
            line(out, 1, "GNA interval", group.gna_interval.as_secs_f64());
        }
        out.push_str(" Interfaces\n");
        for interface in &group.interfaces {
            let _ = writeln!(out, "  {interface}");
        }
    }
}

/// `UP, not RUNNING`
fn state(of: &InterfaceSnapshot) -> String {
    let not = |is: bool| if is { "" } else { "not " };
    format!("{}UP, {}RUNNING", not(of.enabled), not(of.running))
}

/// Groups of several interfaces are counted; those of one have no number.
fn numbered(groups: &[GarpGroup]) -> impl Iterator<Item = (u32, &GarpGroup)> {
    let mut last = 0;
    groups.iter().map(move |group| {
        let several = group.interfaces.len() > 1;
        last += u32::from(several);
        (if several { last } else { 0 }, group)
    })
}

fn addresses<'a>(out: &mut String, family: &str, mut all: impl Iterator<Item = &'a IpAddr>) {
    let Some(first) = all.next() else {
        let _ = writeln!(out, "   {family} address = (none)");
        return;
    };
    let _ = writeln!(out, "   {family} address = {first}");
    let mut title = format!("   Additional {family} addresses :\n");
    for further in all {
        out.push_str(&std::mem::take(&mut title));
        let _ = writeln!(out, "     {further}");
    }
}

/// Of an interface made for an instance: what it is, and on which other one.
fn made(out: &mut String, of: &InterfaceSnapshot, spec: &Spec, snapshot: &Snapshot) {
    let vmacs = spec.instances.iter().flat_map(|instance| instance.vmacs());
    let Some((vmac, base, _)) = vmacs.into_iter().find(|(vmac, ..)| vmac.name == of.name) else { return };
    let (title, mode) = match ipvlan(vmac.kind) {
        Some(mode) => ("IPVLAN", format!("L2 {mode}")),
        None => ("VMAC", "private".to_owned()),
    };
    let _ = write!(out, "   {title} type {mode}, underlying interface = {base}");
    if let Some(below) = snapshot.interface(base) {
        let _ = write!(out, ", state = {}", state(below));
    }
    out.push_str("\n   I/f created by keepalived\n");
}

/// The instances whose priority or state depends on the interface.
fn users(out: &mut String, name: &Name, followers: &[Follower<'_>]) {
    let mut title = "   Tracking VRRP instances :\n";
    for Follower { instance, lists } in followers {
        let tracked = lists.iter().flat_map(|list| &list.interfaces);
        let weights = tracked.filter(|used| used.interface == *name).map(|used| used.weight);
        let own = [instance.interface.as_ref(), instance.vmac.as_ref().map(|vmac| &vmac.name)];
        let own = !instance.ignore_own_interface && own.contains(&Some(name));
        for effect in weights.chain(own.then_some(Weight::FAULT)) {
            out.push_str(std::mem::take(&mut title));
            let _ = writeln!(out, "     {}, weight {}", instance.name, weight(effect));
        }
    }
}
