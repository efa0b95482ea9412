//! Sessions with neighbours.

use super::{Origins, track::weight};
use crate::config::{Bfd, Config};
use vrrp::spec;

/// Every session that can be run, whether it is tracked here or not: the neighbour may track it.
pub(super) fn lower(config: &Config, spec: &mut spec::Spec, origins: &mut Origins) {
    spec.bfds = config.bfds.iter().filter_map(|from| one(from, origins)).collect();
}

fn one(from: &Bfd, origins: &mut Origins) -> Option<spec::Bfd> {
    let neighbor = from.neighbor?.value;
    let mut to = spec::Bfd::new(from.name.value.as_str(), neighbor);
    to.origin = origins.at(from.name.span);
    to.source = from.source.map(|source| source.value);
    to.min_rx = from.min_rx.map_or(to.min_rx, |time| time.value);
    to.min_tx = from.min_tx.map_or(to.min_tx, |time| time.value);
    to.idle_tx = from.idle_tx.map_or(to.idle_tx, |time| time.value);
    to.multiplier = from.multiplier.map_or(to.multiplier, |count| count.value);
    to.passive = from.passive.is_some();
    // RFC 5881 §5 wants 255 over one hop in both families, which the original does not send over IPv6 by itself; its
    // packets must be believed all the same.
    to.ttl = from.ttl.map_or(255, |ttl| ttl.value);
    let hops = from.max_hops.map_or(0, |hops| hops.value);
    let hops = u8::try_from(hops).unwrap_or(u8::MAX);
    to.min_ttl = (hops < u8::MAX).then(|| from.hop_limit().saturating_sub(hops));
    to.multihop = from.multihop.is_some_and(|multihop| multihop.value);
    to.weight = from.weight.map_or(spec::Weight::FAULT, weight);
    Some(to)
}
