//! Virtual router ids: unique per network, address family and multicast group.

use super::{Resolved, fatal};
use crate::codes;
use crate::config::{Config, Instance};
use lb_core::diag::Diagnostics;
use std::collections::BTreeMap;
use std::net::IpAddr;

pub(super) fn check(config: &Config, out: &mut Diagnostics) {
    let mut by_vrid: BTreeMap<(u8, bool), Vec<&Instance>> = BTreeMap::new();
    for instance in &config.instances {
        let Some(vrid) = instance.virtual_router_id else { continue };
        let family = Resolved::new(instance, config).ipv6;
        let others = by_vrid.entry((vrid.value, family)).or_default();
        if let Some(other) = others.iter().find(|other| collide(instance, other, config)) {
            report(other, instance, vrid.value, family, out);
        }
        others.push(instance);
    }
}

fn collide(a: &Instance, b: &Instance, config: &Config) -> bool {
    let interface = |i: &Instance| i.interface.as_ref().map(|n| n.value.clone());
    match (a.is_unicast(), b.is_unicast()) {
        (false, false) => interface(a) == interface(b) && group(a, config) == group(b, config),
        (true, true) => {
            let elsewhere = a.interface.is_some() && b.interface.is_some() && interface(a) != interface(b);
            let sources = a.source.is_some()
                && b.source.is_some()
                && a.source.map(|s| s.value) != b.source.map(|s| s.value);
            let shared = a
                .unicast_peers
                .iter()
                .any(|p| b.unicast_peers.iter().any(|q| p.address.value == q.address.value));
            !elsewhere && !sources && shared
        }
        _ => false,
    }
}

fn group(instance: &Instance, config: &Config) -> Option<IpAddr> {
    let global = &config.global;
    let standard = if instance.ipv6 == Some(true) {
        global.vrrp_mcast_group6.map(|g| IpAddr::V6(g.value))
    } else {
        global.vrrp_mcast_group4.map(|g| IpAddr::V4(g.value))
    };
    instance.mcast_dst_ip.map(|g| g.value).or(standard)
}

fn report(first: &Instance, second: &Instance, vrid: u8, ipv6: bool, out: &mut Diagnostics) {
    let span = second.virtual_router_id.map_or(second.name.span, |v| v.span);
    let label = first.virtual_router_id.map_or(first.name.span, |v| v.span);
    let (one, two) = (&first.name.value, &second.name.value);
    let message = format!("`{one}` and `{two}` share virtual router id {vrid}");
    let compat = if second.is_unicast() {
        format!("({one}) duplicate VRID conflict with {two} VRID {vrid}")
    } else {
        let interface = second.interface.as_ref().map_or("", |i| i.value.as_str());
        format!(
            "{one} and {two} both use VRID {vrid} with IPv{} on interface {interface}",
            if ipv6 { 6 } else { 4 }
        )
    };
    out.push(
        fatal(codes::SHARED_VRID, span, message, compat)
            .label(label, format!("first used by `{one}`"))
            .note("each virtual router of a network needs its own id, 1 to 255"),
    );
}
