//! Counters and states for Prometheus.

use std::fmt::Write as _;

use crate::advert::AdvertReject;
use crate::stats::{InstanceSnapshot, Snapshot};

/// One metric: name, kind, help, and its value for an instance.
type Metric = (&'static str, &'static str, &'static str, fn(&InstanceSnapshot) -> u64);

const METRICS: [Metric; 15] = [
    ("state", "gauge", "0 init, 1 backup, 2 master, 3 fault", |i| i.state.number().into()),
    ("base_priority", "gauge", "Configured priority", |i| i.base_priority.into()),
    ("effective_priority", "gauge", "Priority after the trackers had their say", |i| {
        i.effective_priority.into()
    }),
    ("holds_addresses", "gauge", "Whether the addresses are in place here", |i| i.holds_addresses.into()),
    ("split_brain", "gauge", "Signs that two masters serve the addresses now", |i| {
        i.findings.iter().filter(|finding| finding.split).count() as u64
    }),
    ("adverts_received_total", "counter", "Valid adverts received", |i| i.stats.adverts_received),
    ("adverts_sent_total", "counter", "Adverts sent", |i| i.stats.adverts_sent),
    ("became_master_total", "counter", "Times it became master", |i| i.stats.became_master),
    ("released_master_total", "counter", "Times it ceased to be master", |i| i.stats.released_master),
    ("priority_zero_received_total", "counter", "Adverts of priority zero received", |i| {
        i.stats.priority_zero_received
    }),
    ("priority_zero_sent_total", "counter", "Adverts of priority zero sent", |i| i.stats.priority_zero_sent),
    ("announcements_total", "counter", "Gratuitous ARPs and neighbour advertisements sent", |i| {
        i.stats.announcements
    }),
    ("addresses_restored_total", "counter", "Addresses put back after somebody else removed them", |i| {
        i.stats.addresses_restored
    }),
    ("claims_heard_total", "counter", "Times another machine answered for an address held here", |i| {
        i.stats.claims_heard
    }),
    (
        "false_farewells_total",
        "counter",
        "Adverts of priority zero sent in the name of a router that went on",
        |i| i.stats.false_farewells,
    ),
];

/// All metrics of all instances in the text format of Prometheus.
#[must_use]
pub fn metrics(snapshot: &Snapshot) -> String {
    let mut out = String::new();
    for (name, kind, help, value) in METRICS {
        let _ = write!(out, "# HELP lb_vrrp_{name} {help}\n# TYPE lb_vrrp_{name} {kind}\n");
        for instance in &snapshot.instances {
            let _ = writeln!(out, "lb_vrrp_{name}{{{}}} {}", labels(instance), value(instance));
        }
    }
    out.push_str("# HELP lb_vrrp_adverts_refused_total Packets refused, by reason\n");
    out.push_str("# TYPE lb_vrrp_adverts_refused_total counter\n");
    for instance in &snapshot.instances {
        for reason in AdvertReject::ALL {
            let count = instance.stats.rejected(reason);
            if count > 0 {
                let labels = labels(instance);
                let word = reason.word();
                let _ = writeln!(out, "lb_vrrp_adverts_refused_total{{{labels},reason=\"{word}\"}} {count}");
            }
        }
    }
    let sessions = || snapshot.trackers.iter().filter(|tracker| tracker.kind == "bfd");
    if sessions().next().is_some() {
        out.push_str("# HELP lb_vrrp_bfd_up Whether the BFD session is up\n# TYPE lb_vrrp_bfd_up gauge\n");
        for session in sessions() {
            let (name, up) = (escaped(&session.name), u8::from(session.up == Some(true)));
            let _ = writeln!(out, "lb_vrrp_bfd_up{{session=\"{name}\"}} {up}");
        }
    }
    out
}

fn labels(instance: &InstanceSnapshot) -> String {
    let name = escaped(&instance.name);
    format!("instance=\"{name}\",vrid=\"{}\"", instance.vrid)
}

fn escaped(name: &str) -> String {
    name.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
