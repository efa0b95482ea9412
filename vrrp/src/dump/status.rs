//! What is going on, for people.

use std::fmt::Write as _;
use std::time::Duration;

use super::trackers::is_up;
use crate::spec::Spec;
use crate::stats::{Contribution, Finding, InstanceSnapshot, Snapshot, StateKind};

/// Every instance: its state, since when and why, its priority with each part of it, whom it hears, and what is wrong.
#[must_use]
pub fn status(spec: &Spec, snapshot: &Snapshot) -> String {
    let mut out = String::new();
    for instance in &snapshot.instances {
        describe(&mut out, spec, instance);
    }
    for group in &snapshot.groups {
        let members: Vec<&str> = group.members.iter().map(|member| member.as_str()).collect();
        let _ = writeln!(out, "group {}: {}, of {}", group.name, group.state.word(), members.join(", "));
    }
    for session in &spec.bfds {
        let state = if is_up(snapshot, "bfd", &session.name) { "up" } else { "down" };
        let _ = writeln!(out, "bfd {}: {state}, with {}", session.name, session.neighbor);
    }
    if snapshot.instances.is_empty() {
        out.push_str("no virtual router is configured\n");
    }
    out
}

/// A finding in one line.
pub(super) fn finding(finding: &Finding) -> String {
    let title = if finding.split { "SPLIT BRAIN" } else { "warning" };
    format!("{title} ({}): {}", finding.reason, finding.text)
}

/// What keeps an instance from taking part, in one line.
pub(super) fn fault(fault: &String) -> String {
    format!("fault: {fault}")
}

fn describe(out: &mut String, spec: &Spec, instance: &InstanceSnapshot) {
    let _ = write!(out, "{}: {}", instance.name, state_word(instance.state));
    if let Some(since) = instance.since_transition {
        let _ = write!(out, " for {}", span(since));
    }
    if let Some(why) = &instance.why {
        let _ = write!(out, ", since: {why}");
    }
    out.push('\n');
    for trouble in instance.findings.iter().map(finding).chain(instance.faults.iter().map(fault)) {
        let _ = writeln!(out, "  {trouble}");
    }
    identity(out, spec, instance);
    priority(out, instance);
    heard(out, instance);
    let stats = &instance.stats;
    let _ = writeln!(
        out,
        "  adverts: {} sent, {} received, {} refused; master {} times, yielded {} times",
        stats.adverts_sent,
        stats.adverts_received,
        stats.rejected_total(),
        stats.became_master,
        stats.step_downs
    );
}

/// The state in words.
pub(super) const fn state_word(state: StateKind) -> &'static str {
    match state {
        StateKind::Releasing => "MASTER, handing over",
        state => state.word(),
    }
}

fn identity(out: &mut String, spec: &Spec, instance: &InstanceSnapshot) {
    let interface = instance.interface.as_ref().map_or("no interface", |name| name.as_str());
    let version = spec.instance(&instance.name).map_or(0, |of| of.version.number());
    let _ = write!(
        out,
        "  virtual router {} on {interface}, version {version}, every {}",
        instance.vrid,
        span(instance.master_interval.duration())
    );
    if let Some(source) = instance.source {
        let _ = write!(out, ", from {source}");
    }
    let addresses: Vec<String> = instance.addresses.iter().map(ToString::to_string).collect();
    let place = if instance.holds_addresses { "in place here" } else { "not here" };
    let _ = writeln!(out, "\n  addresses: {} ({place})", addresses.join(" "));
}

fn priority(out: &mut String, instance: &InstanceSnapshot) {
    let _ = writeln!(out, "  priority: {}", priority_sum(instance));
    for part in &instance.contributions {
        let _ = writeln!(out, "  tracks {}", contribution(part));
    }
}

/// The priority and what it is made of.
pub(super) fn priority_sum(instance: &InstanceSnapshot) -> String {
    let mut out = format!("{} = {} configured", instance.effective_priority, instance.base_priority);
    let mut sum = i64::from(instance.base_priority);
    for part in instance.contributions.iter().filter(|part| part.adds != 0) {
        let _ = write!(out, " {:+} {} {}", part.adds, part.kind, part.name);
        sum += part.adds;
    }
    if sum != i64::from(instance.effective_priority) {
        let _ = write!(out, " (of {sum}, kept within 1 to 254)");
    }
    out
}

fn contribution(part: &Contribution) -> String {
    let state = match part.up {
        Some(true) => "up",
        Some(false) => "down",
        None if part.kind == "file" => "read",
        None => "not known yet",
    };
    let weight = if part.weight == 0 {
        "its failure is a fault".to_owned()
    } else {
        format!("weight {}{}", part.weight, if part.reverse { " reverse" } else { "" })
    };
    let now = if part.fault { ", a fault now" } else { "" };
    format!("{} {}: {state}, {weight}{now}", part.kind, part.name)
}

fn heard(out: &mut String, instance: &InstanceSnapshot) {
    if instance.senders.is_empty() {
        out.push_str("  heard: no other router so far\n");
    }
    for sender in &instance.senders {
        let _ = write!(out, "  heard: {}", sender.source);
        if let Some((priority, _, age)) = sender.last_accepted {
            let _ =
                write!(out, ", priority {priority}, {} adverts, the last {} ago", sender.accepted, span(age));
        }
        if let Some((reason, text, age)) = &sender.last_refused {
            let _ =
                write!(out, ", {} refused, the last {} ago ({reason}: {text})", sender.refused, span(*age));
        }
        out.push('\n');
    }
}

/// `0.4 s`, `12 s`, `3 min 5 s`, `2 h 4 min`, `5 d 3 h`
pub(super) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..=9 => format!("{} s", (time.as_millis() as f64 / 100.0).round() / 10.0),
        10..=59 => format!("{seconds} s"),
        60..=3599 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..=86_399 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}
