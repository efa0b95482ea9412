//! `/tmp/keepalived_check.data`, below the global definitions: services, their servers and checkers.
//!
//! In the words of keepalived and in its order, as far as it means something here: nothing is said of the kernel's balancer.

mod checkers;

use super::{Member, Service, Watch};
use crate::config::{
    Check, CheckKind, Command, Config, GroupEntry, PersistenceMask, RealServer, Scheduling, TrackFile,
    VirtualServer, VirtualServerGroup, VirtualServerKey, Weight,
};
use crate::lower::{
    connect_timeout, delay_loop, followed, listeners, persistence_timeout, real_name, starts_down,
};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;
use vrrp::dump::{line, yes};

/// What of a configuration the file tells; none if there are no services.
pub(super) fn part(config: &Config) -> Option<Config> {
    (!config.virtual_servers.is_empty()).then(|| Config {
        global: config.global.clone(),
        track_files: config.track_files.clone(),
        bfds: config.bfds.clone(),
        virtual_server_groups: config.virtual_server_groups.clone(),
        virtual_servers: config.virtual_servers.clone(),
        ..Config::default()
    })
}

impl Watch {
    /// What there is to say about services, in the layout of keepalived's data file about them; none if there are none.
    pub fn data(&self) -> Option<String> {
        let config = self.config.as_ref()?;
        let mut text = "------< LVS Topology >------\n".to_owned();
        let out = &mut text;
        config.virtual_server_groups.iter().for_each(|of| group(out, of));
        for server in &config.virtual_servers {
            let Some(state) = self.services.get(&server.label()) else { continue };
            virtual_server(out, server, state, config);
            for real in &server.real_servers {
                let known = state.servers.get(&real_name(server, real, config));
                known.into_iter().for_each(|state| real_server(out, (server, real), state, config));
            }
        }
        checkers::all(out, self, config);
        files(out, config);
        sessions(out, config);
        Some(text)
    }
}

/// Every checker: of whom it is, its place among those, and what it does.
fn checks(config: &Config) -> impl Iterator<Item = (Whose<'_>, usize, &Check)> {
    let servers = config.virtual_servers.iter();
    let whose = servers.flat_map(|server| server.real_servers.iter().map(move |real| (server, real)));
    whose.flat_map(|(server, real)| {
        real.checks.iter().enumerate().map(move |(at, check)| ((server, real), at, check))
    })
}

/// A service and one of its servers.
type Whose<'a> = (&'a VirtualServer, &'a RealServer);

fn group(out: &mut String, of: &VirtualServerGroup) {
    let has = |is: fn(&IpAddr) -> bool| {
        let addresses = of.entries.iter().filter_map(|entry| match &entry.value {
            GroupEntry::Addresses(first, ..) => Some(first),
            GroupEntry::Mark(_) => None,
        });
        yes(addresses.into_iter().any(is))
    };
    out.push_str(" ------< Virtual server group >------\n");
    let (v4, v6) = (has(IpAddr::is_ipv4), has(IpAddr::is_ipv6));
    let _ = writeln!(out, " Virtual Server Group = {}, IPv4 = {v4}, IPv6 = {v6}", of.name.value);
    for entry in &of.entries {
        let _ = match &entry.value {
            GroupEntry::Mark(mark) => writeln!(out, "   FWMARK = {mark}"),
            GroupEntry::Addresses(only, last, port) if only == last => {
                writeln!(out, "   VIP = {only}, VPORT = {port}")
            }
            GroupEntry::Addresses(first, last, port) => {
                writeln!(out, "   VIP Range = {first}-{last}, VPORT = {port}")
            }
        };
    }
}

fn virtual_server(out: &mut String, of: &VirtualServer, state: &Service, config: &Config) {
    out.push_str(" ------< Virtual server >------\n");
    let family = match &of.key.value {
        VirtualServerKey::Address(address) => {
            let _ = writeln!(out, " VS VIP = {}, VPORT = {}", address.ip(), address.port());
            Some(if address.is_ipv4() { "inet" } else { "inet6" })
        }
        VirtualServerKey::Mark(mark) => {
            line(out, 1, "VS FWMARK", mark);
            of.ip_family.as_ref().map(|word| word.value.as_str())
        }
        VirtualServerKey::Group(_) => {
            line(out, 1, "VS GROUP", of.label());
            let mut all = listeners(of, config).into_iter().map(|address| address.is_ipv4());
            let first = all.next();
            match (first, all.any(|ipv4| Some(ipv4) != first)) {
                (Some(_), true) => Some("IPv4 & IPv6"),
                (Some(ipv4), false) => Some(if ipv4 { "inet" } else { "inet6" }),
                (None, _) => None,
            }
        }
    };
    if let Some(host) = &of.virtualhost {
        line(out, 3, "VirtualHost", &host.value);
    }
    line(out, 3, "Address family", family.unwrap_or("unknown"));
    let own = [&of.scheduling];
    line(out, 3, "connection timeout", decimal(connect_timeout(&own)));
    line(out, 3, "delay_loop", decimal(delay_loop(&own)));
    line(out, 3, "lvs_sched", of.scheduler());
    let single = if of.one_packet.is_some_and(|on| on.value) { "enabled" } else { "disabled" };
    line(out, 3, "One packet scheduling", single);
    persistence(out, of);
    line(out, 3, "protocol", of.protocol.as_ref().map_or("UDP", |word| word.value.as_str()));
    is(out, "alpha", of.scheduling.alpha.is_some_and(|on| on.value));
    is(out, "omega", state.omega);
    retries(out, &own);
    is(out, "Inhibit on failure", of.inhibit_on_failure.is_some_and(|on| on.value));
    let (need, hysteresis) = (state.quorum.need, state.quorum.hysteresis);
    let _ = writeln!(out, "   quorum = {need}, hysteresis = {hysteresis}");
    script(out, 3, "Quorum up notify script", of.quorum_up.as_ref());
    script(out, 3, "Quorum down notify script", of.quorum_down.as_ref());
    line(out, 3, "Using smtp notification", yes(state.mails));
    if let Some(sorry) = &state.sorry {
        line(out, 3, "sorry server", &sorry.label);
        let _ = writeln!(out, "     Inhibit on failure is {}", on(sorry.inhibit));
    }
    line(out, 3, "alive", u8::from(!listeners(of, config).is_empty()));
    line(out, 3, "quorum_state_up", u8::from(state.reached));
}

fn persistence(out: &mut String, of: &VirtualServer) {
    if let Some(timeout) = persistence_timeout(of) {
        line(out, 3, "persistence timeout", timeout.as_secs());
    }
    match of.persistence_granularity.map(|mask| mask.value) {
        Some(PersistenceMask::V4(mask)) => line(out, 3, "persistence granularity", mask),
        Some(PersistenceMask::V6(length)) => line(out, 3, "persistence granularity", length),
        None => {}
    }
}

fn real_server(out: &mut String, (server, real): Whose<'_>, state: &Member, config: &Config) {
    let (ip, port) = (real.address.value.ip(), real.address.value.port());
    let (configured, weight) = (state.configured, state.weight);
    out.push_str("   ------< Real server >------\n");
    let _ = writeln!(out, "   RIP = {ip}, RPORT = {port}, WEIGHT = {configured} EFF WEIGHT = {weight}");
    is(out, "Alpha", starts_down(server, real));
    let both = [&real.scheduling, &server.scheduling];
    line(out, 3, "connection timeout", decimal(connect_timeout(&both)));
    let limit = |limit: Option<lb_core::diag::Spanned<u32>>| limit.map_or(0, |limit| limit.value);
    let range = format!("{} -> {}", limit(real.lthreshold), limit(real.uthreshold));
    line(out, 3, "connection limit range", range);
    line(out, 3, "Delay loop", decimal(delay_loop(&both)));
    retries(out, &both);
    is(out, "Inhibit on failure", state.inhibit);
    script(out, 5, "RS up notify script", real.notify_up.as_ref());
    script(out, 5, "RS down notify script", real.notify_down.as_ref());
    if let Some(host) = &real.virtualhost {
        line(out, 4, "VirtualHost", format_args!("'{}'", host.value));
    }
    line(out, 3, "Using smtp notification", yes(state.mails));
    line(out, 3, "initial weight", configured);
    line(out, 3, "effective weight", weight);
    line(out, 3, "alive", u8::from(state.alive));
    line(out, 3, "num failed checkers", state.checkers.iter().filter(|checker| !checker.up).count());
    let mut title = "   Tracked Files\n";
    for (file, weight) in real.checks.iter().filter_map(|check| tracked(check, config)) {
        let (title, name) = (std::mem::take(&mut title), &file.name.value);
        let _ = writeln!(out, "{title}     {name}, weight {}", weighed(weight));
    }
    let mut title = "   Tracked BFDs\n";
    for check in &real.checks {
        if let CheckKind::Bfd(name) = &check.kind {
            let _ = writeln!(out, "{}     {}", std::mem::take(&mut title), name.value);
        }
    }
}

fn tracked<'a>(check: &Check, config: &'a Config) -> Option<(&'a TrackFile, Weight)> {
    let CheckKind::File(file) = &check.kind else { return None };
    followed(file, config)
}

fn files(out: &mut String, config: &Config) {
    let mut title = "------< Checker track files >------\n";
    for file in &config.track_files {
        let name = &file.name.value;
        let _ = writeln!(out, "{} Track file = {name}", std::mem::take(&mut title));
        line(out, 3, "File", &file.file.value);
        line(out, 3, "Weight", weighed(file.own_weight()));
        let mut title = "   Tracking instances :\n";
        for (whose, _, check) in checks(config) {
            let found = tracked(check, config).filter(|(of, _)| of.name.value == *name);
            if let Some((_, weight)) = found {
                let title = std::mem::take(&mut title);
                let _ = writeln!(out, "{title}     {}, weight {}", pair(whose), weighed(weight));
            }
        }
    }
}

fn sessions(out: &mut String, config: &Config) {
    let mut title = "------< Checker track BFDs >------\n";
    for session in &config.bfds {
        let name = &session.name.value;
        let _ = writeln!(out, "{} Checker Track BFD = {name}", std::mem::take(&mut title));
        out.push_str("   Tracking RS :\n");
        for ((server, real), _, check) in checks(config) {
            if matches!(&check.kind, CheckKind::Bfd(of) if of.value == *name) {
                let _ = writeln!(out, "   {}", server.label_of(real.address.value));
            }
        }
    }
}

/// `[10.0.0.3]:tcp:80 -> [10.0.0.11]:tcp:80`
fn pair((server, real): Whose<'_>) -> String {
    format!("{} -> {}", server.label(), server.label_of(real.address.value))
}

fn retries(out: &mut String, from: &[&Scheduling]) {
    if let Some(count) = Scheduling::first(from, |of| of.retry) {
        line(out, 3, "Retry count", count);
    }
    if let Some(delay) = Scheduling::first(from, |of| of.delay_before_retry) {
        line(out, 3, "Retry delay", decimal(delay));
    }
    if let Some(warmup) = Scheduling::first(from, |of| of.warmup) {
        line(out, 3, "Warmup", decimal(warmup));
    }
}

fn script(out: &mut String, indent: usize, name: &str, script: Option<&Command>) {
    if let Some(script) = script {
        line(out, indent, name, script.quoted());
    }
}

fn is(out: &mut String, name: &str, switch: bool) {
    let _ = writeln!(out, "   {name} is {}", on(switch));
}

const fn on(switch: bool) -> &'static str {
    if switch { "ON" } else { "OFF" }
}

/// `5.000000`
fn decimal(time: Duration) -> String {
    format!("{}.{:06}", time.as_secs(), time.subsec_micros())
}

/// `3`, `3 reverse`
fn weighed(weight: Weight) -> String {
    format!("{}{}", weight.value, if weight.reverse { " reverse" } else { "" })
}
