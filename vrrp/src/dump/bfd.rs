//! `/tmp/keepalived_bfd.data`

use super::data::{line, section};
use super::{global, trackers};
use crate::spec::{Bfd, Spec};
use crate::stats::Snapshot;

/// Sessions with neighbours in the layout of keepalived's data file about them, below the global definitions; none if there
/// is no session.
#[must_use]
pub fn bfd(spec: &Spec, snapshot: &Snapshot) -> Option<String> {
    if spec.bfds.is_empty() {
        return None;
    }
    let mut out = global(&spec.global);
    section(&mut out, "BFD Topology", &spec.bfds, |out, of| session(out, of, snapshot));
    Some(out)
}

fn session(out: &mut String, of: &Bfd, snapshot: &Snapshot) {
    line(out, 1, "BFD Instance", &of.name);
    line(out, 3, "Neighbor IP", of.neighbor);
    if let Some(source) = of.source {
        line(out, 3, "Source IP", source);
    }
    let intervals = [
        ("Required min RX interval", of.min_rx),
        ("Desired min TX interval", of.min_tx),
        ("Desired idle TX interval", of.idle_tx),
    ];
    for (title, interval) in intervals {
        line(out, 3, title, format_args!("{} us", interval.as_micros()));
    }
    line(out, 3, "Detection multiplier", of.multiplier);
    line(out, 3, if of.neighbor.is_ipv4() { "TTL" } else { "hoplimit" }, of.ttl);
    line(out, 3, "passive", of.passive);
    line(out, 3, "local state", if trackers::is_up(snapshot, "bfd", &of.name) { "Up" } else { "Down" });
}
