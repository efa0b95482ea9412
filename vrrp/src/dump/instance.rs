//! The section about virtual routers.

use std::fmt::Write as _;
use std::time::Duration;

use super::address::virtual_address;
use super::data::{enabled, line, yes};
use super::json::quoted;
use super::route::{route, rule};
use super::{moment, trackers};
use crate::spec::{
    Auth, ExtraGarp, Garp, Instance, NotifyScripts, Preempt, Spec, Transport, Version, VirtualAddress,
    VmacKind,
};
use crate::stats::{InstanceSnapshot, Snapshot, StateKind};
use crate::wire::hardware_address;

/// An instance; the time of the snapshot, and how many seconds its zone is east of Greenwich.
pub(super) fn instance(
    out: &mut String,
    (spec, of): (&Spec, &Instance),
    (snapshot, state): (&Snapshot, &InstanceSnapshot),
    (wall, offset): (Duration, i32),
) {
    line(out, 1, "VRRP Instance", &of.name);
    line(out, 3, "VRRP Version", of.version.number());
    if let Some(group) = spec.groups.iter().find(|group| group.members.contains(&of.name)) {
        line(out, 3, "Sync group", &group.name);
    }
    if of.ipv6 {
        out.push_str("   Using Native IPv6\n");
    }
    line(out, 3, "State", state.state.word());
    if let (StateKind::Backup, Some((address, priority))) = (state.state, state.master) {
        line(out, 3, "Master router", address);
        line(out, 3, "Master priority", priority);
        if of.version == Version::V3 {
            let interval = state.master_interval.duration().as_secs_f64();
            line(out, 3, "Master advert int", format_args!("{interval:.2} sec"));
        }
    }
    flags(out, of);
    line(out, 3, "Wantstate", state.state.word());
    line(out, 3, "Number of interface and track script faults", state.faults.len());
    let scripts = state.contributions.iter().filter(|part| part.kind == "script");
    line(out, 3, "Number of track scripts init", scripts.filter(|part| part.up.is_none()).count());
    let changed = wall.saturating_sub(state.since_transition.unwrap_or(wall));
    line(out, 3, "Last transition", moment(changed, offset));
    place(out, of, snapshot, state);
    strictness(out, of, state);
    announcements(out, 3, "Gratuitous ARP refresh", &of.garp);
    line(out, 3, "Down timer adverts", of.down_timer_adverts);
    if let Some(extra) = of.extra_garp {
        line(out, 3, extra_title(extra), extra.interval.as_secs());
    }
    answers(out, 3, (!of.lower_prio_no_advert, of.higher_prio_send_advert));
    election(out, of, state);
    addresses(out, of, state.holds_addresses);
    unicast(out, of);
    routes(out, of);
    trackers::watched(out, &of.track, spec);
    notify(out, of);
}

/// When and how often addresses are announced.
pub(super) fn announcements(out: &mut String, indent: usize, refresh: &str, garp: &Garp) {
    line(out, indent, "Gratuitous ARP delay", garp.delay.as_secs());
    line(out, indent, "Gratuitous ARP repeat", garp.repeat);
    line(out, indent, refresh, garp.refresh.as_secs());
    line(out, indent, "Gratuitous ARP refresh repeat", garp.refresh_repeat);
    line(out, indent, "Gratuitous ARP lower priority delay", garp.lower_prio_delay.as_secs());
    line(out, indent, "Gratuitous ARP lower priority repeat", garp.lower_prio_repeat);
}

/// Whether an advert of a lower or a higher priority is answered.
pub(super) fn answers(out: &mut String, indent: usize, (lower, higher): (bool, bool)) {
    line(out, indent, "Send advert after receive lower priority advert", lower);
    line(out, indent, "Send advert after receive higher priority advert", higher);
}

/// Where else announcements are made.
pub(super) const fn extra_title(extra: ExtraGarp) -> &'static str {
    if extra.all { "Gratuitous ARP for each secondary i/f" } else { "Gratuitous ARP for each secondary VMAC" }
}

/// The heading stands there as soon as the instance has something out of the ordinary, of which not all is told here.
fn flags(out: &mut String, of: &Instance) {
    let other_family = |one: &VirtualAddress| one.address().is_ipv6() != of.ipv6;
    let special = of.vmac.is_some()
        || !of.address_vmacs.is_empty()
        || of.extra_garp.is_some_and(|extra| extra.all)
        || of.source.is_some()
        || of.track_source
        || of.ignore_own_interface
        || of.skip_check_adv_addr
        || of.promote_secondaries
        || of.preempt == Preempt::Never
        || of.excluded_addresses.iter().any(other_family);
    let Transport::Unicast { fault_without_peer, .. } = &of.transport else {
        out.push_str(if special { "   Flags:\n" } else { "   Flags: none\n" });
        return;
    };
    out.push_str("   Flags:\n");
    out.push_str("     Using unicast\n");
    if *fault_without_peer {
        out.push_str("     If unicast go to fault state if no peers\n");
    }
}

/// The interface, and what was made on it.
fn place(out: &mut String, of: &Instance, snapshot: &Snapshot, state: &InstanceSnapshot) {
    let down = crate::timer::master_down(
        of.version,
        of.down_timer_adverts,
        state.effective_priority,
        state.master_interval.duration(),
    );
    line(out, 3, "Master down timer", format_args!("{} usecs", down.as_micros()));
    let base = of.interface.as_ref().map_or("not configured", |name| name.as_str());
    let Some(vmac) = &of.vmac else {
        if !of.address_vmacs.is_empty() {
            out.push_str("   Use VMAC for VIPs on other interfaces\n");
        }
        line(out, 3, "Interface", base);
        return;
    };
    let up = snapshot.interface(&vmac.name).is_some_and(|one| one.present && one.enabled);
    let name = &vmac.name;
    if let Some(mode) = ipvlan(vmac.kind) {
        let _ = writeln!(out, "   Use IPVLAN, i/f {name}, is_up = {up}, type {mode}");
        line(out, 3, "Interface", format_args!("{name}, ipvlan on {base}"));
        return;
    }
    let on_base = vmac.transmit_on_base;
    let _ = writeln!(out, "   Use VMAC, i/f name {name}, is_up = {up}, xmit_base = {on_base}");
    if let Some(mac) = vmac.mac {
        line(out, 5, "MAC", hardware_address(mac));
    }
    if !of.address_vmacs.is_empty() {
        out.push_str("   Use VMAC for VIPs on other interfaces\n");
    }
    let suffix = if on_base { ", xmit base i/f" } else { "" };
    line(out, 3, "Interface", format_args!("{name}, vmac on {base}{suffix}"));
}

/// The mode of an ipvlan; None for another kind of interface.
pub(super) fn ipvlan(kind: VmacKind) -> Option<&'static str> {
    match kind {
        VmacKind::Macvlan => None,
        VmacKind::IpvlanBridge => Some("bridge"),
        VmacKind::IpvlanPrivate => Some("private"),
        VmacKind::IpvlanVepa => Some("vepa"),
    }
}

fn strictness(out: &mut String, of: &Instance, state: &InstanceSnapshot) {
    if let Some(vrf) = &of.vrf {
        line(out, 3, "VRF", vrf);
    }
    let switches = [
        (of.ignore_own_interface, "VRRP interface tracking disabled"),
        (of.skip_check_adv_addr, "Skip checking advert IP addresses"),
        (of.strict, "Enforcing strict VRRP compliance"),
    ];
    for (_, text) in switches.iter().filter(|(on, _)| *on) {
        let _ = writeln!(out, "   {text}");
    }
    let configured = if of.source.is_some() { " (from configuration)" } else { "" };
    let source = state.source.map_or_else(|| "(none)".to_owned(), |source| source.to_string());
    line(out, 3, "Using src_ip", format_args!("{source}{configured}"));
    if let Transport::Multicast { group } = &of.transport {
        let _ = writeln!(out, "   Multicast address {group}");
    }
}

fn election(out: &mut String, of: &Instance, state: &InstanceSnapshot) {
    line(out, 3, "Virtual Router ID", of.vrid);
    line(out, 3, "Priority", state.base_priority);
    line(out, 3, "Effective priority", state.effective_priority);
    line(out, 3, "Total priority", state.total_priority);
    let milliseconds = |interval: Duration| interval.as_millis();
    if of.version == Version::V2 {
        line(out, 3, "Advert interval", format_args!("{} sec", of.advert_interval.secs()));
    } else {
        let own = milliseconds(of.advert_interval.duration());
        line(out, 3, "Advert interval", format_args!("{own} milli-sec"));
        if state.state == StateKind::Backup {
            let master = milliseconds(state.master_interval.duration());
            line(out, 3, "Master advert interval", format_args!("{master} milli-sec"));
        }
    }
    line(out, 3, "Accept", enabled(of.accept));
    line(out, 3, "Preempt", enabled(of.preempt != Preempt::Never));
    if let Preempt::After(delay) = of.preempt {
        line(out, 3, "Preempt delay", format_args!("{} secs", delay.as_secs()));
    }
    line(out, 3, "Promote_secondaries", enabled(of.promote_secondaries));
    match &of.auth {
        Auth::None if of.version == Version::V2 => line(out, 3, "Authentication type", "none"),
        Auth::None => {}
        Auth::Pass(password) => {
            line(out, 3, "Authentication type", "SIMPLE_PASSWORD");
            line(out, 3, "Password", password.text());
        }
        Auth::Ah(_) => line(out, 3, "Authentication type", "IPSEC_AH"),
    }
    if let Some(octets) = of.receive_buffer {
        line(out, 3, "Kernel rx buffer size", octets);
    }
    if of.debug > 0 {
        line(out, 3, "Debug level", of.debug);
    }
}

fn addresses(out: &mut String, of: &Instance, held: bool) {
    let named = format!("Virtual IP ({}):", of.addresses.len());
    let lists = [(named.as_str(), &of.addresses), ("Virtual IP Excluded :", &of.excluded_addresses)];
    for (title, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        let _ = writeln!(out, "   {title}");
        for one in list {
            let _ = writeln!(out, "     {}", virtual_address(one, of, held));
        }
    }
}

fn unicast(out: &mut String, of: &Instance) {
    let Transport::Unicast { peers, ttl, check_source, old_checksum, .. } = &of.transport else { return };
    if let Some(ttl) = ttl {
        line(out, 3, "Unicast TTL", ttl);
    }
    let _ = writeln!(out, "   Check unicast src : {}\n   Unicast Peer :", yes(*check_source));
    for peer in peers {
        let (min, max) = (peer.min_ttl.unwrap_or(0), peer.max_ttl.unwrap_or(u8::MAX));
        let _ = writeln!(out, "     {} min_ttl {min} max_ttl {max}", peer.address);
    }
    line(out, 3, "Unicast checksum compatibility", if *old_checksum { "config" } else { "no" });
}

fn routes(out: &mut String, of: &Instance) {
    if !of.routes.is_empty() {
        out.push_str("   Virtual Routes :\n");
    }
    for one in &of.routes {
        let _ = writeln!(out, "     {}", route(one));
    }
    if !of.rules.is_empty() {
        out.push_str("   Virtual Rules :\n");
    }
    for one in &of.rules {
        let _ = writeln!(out, "     {}", rule(one));
    }
}

fn notify(out: &mut String, of: &Instance) {
    line(out, 3, "Using smtp notification", yes(of.smtp_alert));
    line(out, 3, "Notify deleted", if of.notify.tell_deleted { "Deleted" } else { "Fault" });
    scripts(out, &of.notify);
    line(out, 3, "Notify priority changes", of.notify_priority_changes);
}

/// What is run on changes of an instance or a group.
pub(super) fn scripts(out: &mut String, of: &NotifyScripts) {
    let scripts = [
        ("Backup state transition script", &of.backup),
        ("Master state transition script", &of.master),
        ("Fault state transition script", &of.fault),
        ("Stop state transition script", &of.stop),
        ("Deleted state transition script", &of.deleted),
        ("Generic state transition script", &of.any),
        ("Master rx lower pri state transition script", &of.master_rx_lower_pri),
    ];
    for (title, script) in scripts {
        if let Some(script) = script {
            line(out, 3, title, quoted(&script.argv));
        }
    }
}
