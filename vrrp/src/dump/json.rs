//! `/tmp/keepalived.json`

use std::fmt::Write as _;
use std::time::Duration;

use super::address::virtual_address;
use super::route::{route, rule};
use super::stats::Errors;
use crate::spec::{Auth, Instance, Password, Preempt, Spec, Version};
use crate::stats::{InstanceSnapshot, Snapshot};

/// All instances in the layout of version 1 of keepalived's JSON file. `wall` is the time of the snapshot.
#[must_use]
pub fn json(spec: &Spec, snapshot: &Snapshot, wall: Duration) -> String {
    let mut out = Object::new();
    out.text.clear();
    out.text.push('[');
    for state in &snapshot.instances {
        let Some(instance) = spec.instance(&state.name) else { continue };
        let data = data(spec, instance, state, wall).end();
        let stats = stats(state).end();
        let separator = if out.text.len() > 1 { "," } else { "" };
        let _ = write!(out.text, "{separator}{{\"data\":{data},\"stats\":{stats}}}");
    }
    out.text.push_str("]\n");
    out.text
}

fn data(spec: &Spec, instance: &Instance, state: &InstanceSnapshot, wall: Duration) -> Object {
    let mut out = Object::new();
    let name = |interface: Option<&crate::spec::Name>| interface.map_or("", |name| name.as_str()).to_owned();
    let changed = wall.saturating_sub(state.since_transition.unwrap_or(wall));
    let garp = &instance.garp;
    out.string("iname", &state.name);
    out.number("dont_track_primary", u8::from(instance.ignore_own_interface));
    out.number("skip_check_adv_addr", u8::from(instance.skip_check_adv_addr));
    out.number("strict_mode", u8::from(instance.strict));
    out.string("vmac_ifname", &name(instance.vmac.as_ref().map(|vmac| &vmac.name)));
    out.string("ifp_ifname", &name(instance.interface.as_ref()));
    out.number("master_priority", state.master.filter(|_| !state.holds_addresses).map_or(0, |(_, p)| p));
    out.number("last_transition", format_args!("{}.{:06}", changed.as_secs(), changed.subsec_micros()));
    out.number("garp_delay", garp.delay.as_secs());
    out.number("garp_refresh", garp.refresh.as_secs());
    out.number("garp_rep", garp.repeat);
    out.number("garp_refresh_rep", garp.refresh_repeat);
    out.number("garp_lower_prio_delay", garp.lower_prio_delay.as_secs());
    out.number("garp_lower_prio_rep", garp.lower_prio_repeat);
    out.number("lower_prio_no_advert", u8::from(instance.lower_prio_no_advert));
    out.number("higher_prio_send_advert", u8::from(instance.higher_prio_send_advert));
    out.number("vrid", state.vrid);
    out.number("base_priority", state.base_priority);
    out.number("effective_priority", state.effective_priority);
    out.number("vipset", state.holds_addresses);
    out.number("promote_secondaries", instance.promote_secondaries);
    out.number("adver_int", seconds(instance.advert_interval.duration()));
    out.number("master_adver_int", seconds(state.master_interval.duration()));
    out.number("accept", u8::from(instance.accept));
    out.number("nopreempt", instance.preempt == Preempt::Never);
    let delay = if let Preempt::After(delay) = instance.preempt { delay } else { Duration::ZERO };
    out.number("preempt_delay", delay.as_secs());
    out.number("state", state.state.number());
    out.number("wantstate", state.state.number());
    out.number("version", if instance.version == Version::V2 { 2 } else { 3 });
    out.number("smtp_alert", instance.smtp_alert);
    out.number("notify_deleted", instance.notify.tell_deleted);
    commands(&mut out, instance);
    lists(&mut out, spec, instance, state.holds_addresses);
    match &instance.auth {
        Auth::None => out.number("auth_type", 0),
        Auth::Pass(password) => auth(&mut out, 1, password),
        Auth::Ah(password) => auth(&mut out, 2, password),
    }
    out
}

fn auth(out: &mut Object, kind: u8, password: &Password) {
    out.number("auth_type", kind);
    out.string("auth_data", &password.text());
}

fn commands(out: &mut Object, instance: &Instance) {
    let notify = &instance.notify;
    let scripts = [
        ("script_backup", &notify.backup),
        ("script_master", &notify.master),
        ("script_fault", &notify.fault),
        ("script_stop", &notify.stop),
        ("script_deleted", &notify.deleted),
        ("script", &notify.any),
        ("script_master_rx_lower_pri", &notify.master_rx_lower_pri),
    ];
    for (key, script) in scripts {
        if let Some(script) = script {
            out.string(key, &quoted(&script.argv));
        }
    }
}

fn lists(out: &mut Object, spec: &Spec, instance: &Instance, held: bool) {
    let line = |of: &[crate::spec::VirtualAddress]| -> Vec<String> {
        of.iter().map(|one| virtual_address(one, instance, held)).collect()
    };
    out.list("vips", &line(&instance.addresses));
    out.list("evips", &line(&instance.excluded_addresses));
    out.list("vroutes", &instance.routes.iter().map(route).collect::<Vec<_>>());
    out.list("vrules", &instance.rules.iter().map(rule).collect::<Vec<_>>());
    let interfaces = &instance.track.interfaces;
    out.list("track_ifp", &interfaces.iter().map(|used| used.interface.to_string()).collect::<Vec<_>>());
    let scripts = instance.track.scripts.iter().filter_map(|used| spec.script(&used.name));
    out.list("track_script", &scripts.map(|script| quoted(&script.command.argv)).collect::<Vec<_>>());
}

fn stats(state: &InstanceSnapshot) -> Object {
    let (counters, errors) = (&state.stats, Errors::of(&state.stats));
    let mut out = Object::new();
    out.number("advert_rcvd", counters.adverts_received);
    out.number("advert_sent", counters.adverts_sent);
    out.number("become_master", counters.became_master);
    out.number("release_master", counters.released_master);
    out.number("packet_len_err", errors.length);
    out.number("advert_interval_err", errors.interval);
    out.number("ip_ttl_err", errors.ttl);
    out.number("invalid_type_rcvd", errors.kind);
    out.number("addr_list_err", errors.addresses);
    out.number("invalid_authtype", errors.auth_type);
    out.number("authtype_mismatch", errors.auth_mismatch);
    out.number("auth_failure", errors.auth_failure);
    out.number("pri_zero_rcvd", counters.priority_zero_received);
    out.number("pri_zero_sent", counters.priority_zero_sent);
    out
}

/// A program and its arguments: `'/usr/bin/check' '-v'`
pub(super) fn quoted(argv: &[String]) -> String {
    argv.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ")
}

/// `1`, `0.1`
fn seconds(interval: Duration) -> f64 {
    interval.as_secs_f64()
}

/// A JSON object being written.
struct Object {
    text: String,
}

impl Object {
    fn new() -> Self {
        Self { text: "{".to_owned() }
    }

    fn key(&mut self, key: &str) {
        let separator = if self.text.len() > 1 { "," } else { "" };
        let _ = write!(self.text, "{separator}\"{key}\":");
    }

    /// Anything whose display is JSON.
    fn number(&mut self, key: &str, value: impl std::fmt::Display) {
        self.key(key);
        let _ = write!(self.text, "{value}");
    }

    fn string(&mut self, key: &str, value: &str) {
        self.key(key);
        self.quote(value);
    }

    /// Empty lists are left out.
    fn list(&mut self, key: &str, values: &[String]) {
        if values.is_empty() {
            return;
        }
        self.key(key);
        self.text.push('[');
        for (at, value) in values.iter().enumerate() {
            if at > 0 {
                self.text.push(',');
            }
            self.quote(value);
        }
        self.text.push(']');
    }

    fn quote(&mut self, value: &str) {
        self.text.push('"');
        for c in value.chars() {
            match c {
                '"' | '\\' | '/' => self.text.extend(['\\', c]),
                c if c < ' ' => {
                    let _ = write!(self.text, "\\u{:04x}", c as u32);
                }
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }

    fn end(mut self) -> String {
        self.text.push('}');
        self.text
    }
}
