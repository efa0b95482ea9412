//! `/tmp/keepalived.data`

use std::fmt::Write as _;
use std::time::Duration;

use super::address::{address, route};
use super::moment;
use super::status::is_session;
use crate::spec::{Auth, Bfd, Global, Instance, Preempt, Script, Spec, SyncGroup, Transport, Version};
use crate::stats::{InstanceSnapshot, Snapshot, StateKind};

/// Settings and states in the layout of keepalived's data file: the same headings and the same words, line by line, as far
/// as there is something to say. `wall` is the time of the snapshot, `offset` the seconds its zone is east of Greenwich.
#[must_use]
pub fn data(spec: &Spec, snapshot: &Snapshot, wall: Duration, offset: i32) -> String {
    let mut out = String::new();
    global(&mut out, &spec.global);
    out.push_str("------< VRRP Topology >------\n");
    for state in &snapshot.instances {
        let Some(of) = spec.instance(&state.name) else { continue };
        let group = spec.groups.iter().find(|group| group.members.contains(&of.name));
        instance(&mut out, (spec, of), state, (group, wall, offset));
    }
    if !spec.groups.is_empty() {
        out.push_str("------< VRRP Sync groups >------\n");
        spec.groups.iter().for_each(|of| group(&mut out, of, snapshot));
    }
    if !spec.bfds.is_empty() {
        out.push_str("------< VRRP Track BFDs >------\n");
        spec.bfds.iter().for_each(|of| session(&mut out, of, spec, snapshot));
    }
    if !spec.scripts.is_empty() {
        out.push_str("------< VRRP Scripts >------\n");
        spec.scripts.iter().for_each(|of| script(&mut out, of, spec, snapshot));
    }
    out
}

fn global(out: &mut String, global: &Global) {
    out.push_str("------< Global definitions >------\n");
    line(out, 1, "Router ID", &global.router_id);
    if let Some(server) = &global.mail.server {
        line(out, 1, "Smtp server", &server.host);
        line(out, 1, "Smtp server port", server.port);
    }
    if let Some(timeout) = global.mail.connect_timeout.filter(|_| global.mail.server.is_some()) {
        line(out, 1, "Smtp server connection timeout", timeout.as_secs());
    }
    if let Some(from) = global.mail.from.as_ref().filter(|_| !global.mail.to.is_empty()) {
        line(out, 1, "Email notification from", from);
    }
    for to in &global.mail.to {
        line(out, 1, "Email notification", to);
    }
    line(out, 1, "Default smtp_alert", if global.smtp_alert { "on" } else { "unset" });
    line(out, 1, "Dynamic interfaces", global.dynamic_interfaces);
    line(out, 1, "FIFO write vrrp states on reload", global.fifo_states_on_reload);
    line(out, 1, "VRRP notify priority changes", global.notify_priority_changes);
    line(out, 1, "VRRP IPv4 mcast group", global.multicast_v4);
    line(out, 1, "VRRP IPv6 mcast group", global.multicast_v6);
    line(out, 1, "Gratuitous ARP delay", global.garp.delay.as_secs());
    line(out, 1, "Gratuitous ARP repeat", global.garp.repeat);
    line(out, 1, "Gratuitous ARP refresh timer", global.garp.refresh.as_secs());
    line(out, 1, "Gratuitous ARP refresh repeat", global.garp.refresh_repeat);
    line(out, 1, "Gratuitous ARP lower priority delay", global.garp.lower_prio_delay.as_secs());
    line(out, 1, "Gratuitous ARP lower priority repeat", global.garp.lower_prio_repeat);
    line(out, 1, "Num adverts before down", global.down_timer_adverts);
    line(out, 1, "Send advert after receive lower priority advert", !global.lower_prio_no_advert);
    line(out, 1, "Send advert after receive higher priority advert", global.higher_prio_send_advert);
    line(out, 1, "Gratuitous ARP interval", format_args!("{:.6}", global.garp.garp_interval.as_secs_f64()));
    line(out, 1, "Gratuitous NA interval", format_args!("{:.6}", global.garp.gna_interval.as_secs_f64()));
    line(out, 1, "VRRP default protocol version", global.version.number());
    line(out, 1, "VRRP check unicast_src", global.check_unicast_src);
    line(out, 1, "VRRP skip check advert addresses", global.skip_check_adv_addr);
    line(out, 1, "VRRP strict mode", global.strict);
    let security = if global.scripts.enforce { "enabled" } else { "disabled" };
    let _ = writeln!(out, " Script security {security}");
}

fn instance(
    out: &mut String,
    (spec, of): (&Spec, &Instance),
    state: &InstanceSnapshot,
    (group, wall, offset): (Option<&SyncGroup>, Duration, i32),
) {
    line(out, 1, "VRRP Instance", &of.name);
    line(out, 3, "VRRP Version", of.version.number());
    if let Some(group) = group {
        line(out, 3, "Sync group", &group.name);
    }
    line(out, 3, "State", state.state.word());
    if let (StateKind::Backup, Some((address, priority))) = (state.state, state.master) {
        line(out, 3, "Master router", address);
        line(out, 3, "Master priority", priority);
    }
    line(out, 3, "Wantstate", state.state.word());
    line(out, 3, "Number of interface and track script faults", state.faults.len());
    let changed = wall.saturating_sub(state.since_transition.unwrap_or(wall));
    line(out, 3, "Last transition", moment(changed, offset));
    transport(out, of, state);
    let garp = &of.garp;
    line(out, 3, "Gratuitous ARP delay", garp.delay.as_secs());
    line(out, 3, "Gratuitous ARP repeat", garp.repeat);
    line(out, 3, "Gratuitous ARP refresh", garp.refresh.as_secs());
    line(out, 3, "Gratuitous ARP refresh repeat", garp.refresh_repeat);
    line(out, 3, "Gratuitous ARP lower priority delay", garp.lower_prio_delay.as_secs());
    line(out, 3, "Gratuitous ARP lower priority repeat", garp.lower_prio_repeat);
    line(out, 3, "Down timer adverts", of.down_timer_adverts);
    line(out, 3, "Send advert after receive lower priority advert", !of.lower_prio_no_advert);
    line(out, 3, "Send advert after receive higher priority advert", of.higher_prio_send_advert);
    election(out, of, state);
    addresses(out, of, state.holds_addresses);
    tracks(out, of, spec);
    notify(out, of);
}

fn transport(out: &mut String, of: &Instance, state: &InstanceSnapshot) {
    let down = crate::timer::master_down(
        of.version,
        of.down_timer_adverts,
        state.effective_priority,
        state.master_interval.duration(),
    );
    line(out, 3, "Master down timer", format_args!("{} usecs", down.as_micros()));
    if let Some(interface) = &of.interface {
        line(out, 3, "Interface", interface);
    }
    if let Some(vmac) = &of.vmac {
        line(out, 3, "VMAC interface", &vmac.name);
    }
    if let Some(source) = state.source {
        line(out, 3, "Using src_ip", source);
    }
    match &of.transport {
        Transport::Multicast { group } => {
            let _ = writeln!(out, "   Multicast address {group}");
        }
        Transport::Unicast { peers, .. } => {
            let _ = writeln!(out, "   Unicast Peer (IPv{}):", if of.ipv6 { 6 } else { 4 });
            for peer in peers {
                let _ = writeln!(out, "     {}", peer.address);
            }
        }
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
    line(out, 3, "Accept", on(of.accept));
    line(out, 3, "Preempt", on(of.preempt != Preempt::Never));
    if let Preempt::After(delay) = of.preempt {
        line(out, 3, "Preempt delay", format_args!("{} secs", delay.as_secs()));
    }
    line(out, 3, "Promote_secondaries", on(of.promote_secondaries));
    match &of.auth {
        Auth::None if of.version == Version::V2 => line(out, 3, "Authentication type", "none"),
        Auth::None => {}
        Auth::Pass(_) => line(out, 3, "Authentication type", "SIMPLE_PASSWORD"),
        Auth::Ah(_) => line(out, 3, "Authentication type", "IPSEC_AH"),
    }
    if let Auth::Pass(password) | Auth::Ah(password) = &of.auth {
        let bytes = password.bytes();
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        line(out, 3, "Password", String::from_utf8_lossy(&bytes[..end]));
    }
}

fn addresses(out: &mut String, of: &Instance, held: bool) {
    let named = format!("Virtual IP ({}):", of.addresses.len());
    let lists = [(named.as_str(), &of.addresses), ("Virtual IP Excluded :", &of.excluded_addresses)];
    for (title, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        let _ = writeln!(out, "   {title}");
        for one in list {
            let _ = writeln!(out, "     {}", address(one, of, held));
        }
    }
    if !of.routes.is_empty() {
        out.push_str("   Virtual Routes :\n");
        for one in &of.routes {
            let _ = writeln!(out, "     {}", route(one));
        }
    }
}

fn tracks(out: &mut String, of: &Instance, spec: &Spec) {
    if !of.track.interfaces.is_empty() {
        out.push_str("   Tracked interfaces :\n");
        for used in &of.track.interfaces {
            let _ = writeln!(out, "     {} weight {}", used.interface, used.weight.value);
        }
    }
    let lists = [
        ("Tracked scripts", &of.track.scripts),
        ("Tracked files", &of.track.files),
        ("Tracked processes", &of.track.processes),
        ("Tracked BFDs", &of.track.bfds),
    ];
    for (title, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        let _ = writeln!(out, "   {title} :");
        for used in list {
            let own = spec.script(&used.name).map(|script| script.weight);
            let weight =
                used.weight.or(own).map_or_else(String::new, |weight| format!(" weight {}", weight.value));
            let _ = writeln!(out, "     {}{weight}", used.name);
        }
    }
}

fn notify(out: &mut String, of: &Instance) {
    let scripts = [
        ("Backup state transition script", &of.notify.backup),
        ("Master state transition script", &of.notify.master),
        ("Fault state transition script", &of.notify.fault),
        ("Stop state transition script", &of.notify.stop),
        ("Deleted state transition script", &of.notify.deleted),
        ("Generic state transition script", &of.notify.any),
    ];
    for (title, script) in scripts {
        if let Some(script) = script {
            line(out, 3, title, script.argv.join(" "));
        }
    }
    line(out, 3, "Using smtp notification", if of.smtp_alert { "yes" } else { "no" });
    line(out, 3, "Notify deleted", if of.notify.tell_deleted { "Deleted" } else { "Fault" });
    line(out, 3, "Notify priority changes", of.notify_priority_changes);
}

fn group(out: &mut String, of: &SyncGroup, snapshot: &Snapshot) {
    let state = snapshot.groups.iter().find(|group| group.name == of.name).map(|group| group.state.word());
    let _ = writeln!(out, " VRRP Sync Group = {}, {}", of.name, state.unwrap_or("INIT"));
    out.push_str("   VRRP member instances :\n");
    for member in &of.members {
        let _ = writeln!(out, "     {member}");
    }
    if of.tracking_weight {
        out.push_str("   sync group tracking weight set\n");
    }
    line(out, 3, "Using smtp notification", if of.smtp_alert { "yes" } else { "no" });
}

fn script(out: &mut String, of: &Script, spec: &Spec, snapshot: &Snapshot) {
    let state = snapshot.trackers.iter().find(|tracker| tracker.kind == "script" && tracker.name == of.name);
    line(out, 1, "VRRP Script", &of.name);
    let words: Vec<String> = of.command.argv.iter().map(|word| format!("'{word}'")).collect();
    line(out, 3, "Command", words.join(" "));
    let interval = of.interval;
    if interval.subsec_nanos() == 0 {
        line(out, 3, "Interval", format_args!("{} sec", interval.as_secs()));
    } else {
        line(out, 3, "Interval", format_args!("{:.6} sec", interval.as_secs_f64()));
    }
    line(out, 3, "Timeout", format_args!("{} sec", of.timeout.map_or(0, |timeout| timeout.as_secs())));
    line(out, 3, "Weight", of.weight.value);
    line(out, 3, "Rise", of.rise);
    line(out, 3, "Fall", of.fall);
    let up = state.and_then(|state| state.up);
    line(
        out,
        3,
        "Status",
        match up {
            Some(true) => "GOOD",
            Some(false) => "BAD",
            None => "INIT",
        },
    );
    out.push_str("   Tracking instances :\n");
    for instance in &spec.instances {
        for used in instance.track.scripts.iter().filter(|used| used.name == of.name) {
            let weight = used.weight.unwrap_or(of.weight).value;
            let _ = writeln!(out, "     {}, weight {weight}", instance.name);
        }
    }
}

fn session(out: &mut String, of: &Bfd, spec: &Spec, snapshot: &Snapshot) {
    let state = snapshot.trackers.iter().find(|tracker| is_session(tracker, of));
    line(out, 1, "VRRP Track BFD", &of.name);
    let reverse = if of.weight.reverse { " reverse" } else { "" };
    line(out, 3, "Weight", format_args!("{}{reverse}", of.weight.value));
    let up = state.is_some_and(|state| state.up == Some(true));
    let _ = writeln!(out, "   Bfd is {}", if up { "up" } else { "down" });
    out.push_str("   Tracking VRRP instances :\n");
    for instance in &spec.instances {
        for used in instance.track.bfds.iter().filter(|used| used.name == of.name) {
            let weight = used.weight.unwrap_or(of.weight).value;
            let _ = writeln!(out, "     {}, weight {weight}", instance.name);
        }
    }
}

fn on(switch: bool) -> &'static str {
    if switch { "enabled" } else { "disabled" }
}

fn line(out: &mut String, indent: usize, name: &str, value: impl std::fmt::Display) {
    let _ = writeln!(out, "{:indent$}{name} = {value}", "");
}
