//! Virtual router ids: unique per network, address family and multicast group.

use super::{Resolved, fatal};
use crate::codes;
use crate::config::{Config, Instance};
use lb_core::diag::Diagnostics;
use std::collections::BTreeMap;
use std::net::IpAddr;

pub(super) fn check(config: &Config, out: &mut Diagnostics) {
    let mut networks: BTreeMap<Network<'_>, &Instance> = BTreeMap::new();
    let mut unicast: BTreeMap<(u8, bool), Vec<&Instance>> = BTreeMap::new();
    for instance in &config.instances {
        let Some(vrid) = instance.virtual_router_id else { continue };
        let ipv6 = Resolved::new(instance, config).ipv6;
        if instance.is_unicast() {
            let others = unicast.entry((vrid.value, ipv6)).or_default();
            match others.iter().find(|other| unicast_collide(instance, other)) {
                Some(other) => report(other, instance, vrid.value, ipv6, out),
                None => others.push(instance),
            }
            continue;
        }
        let interface = instance.interface.as_ref().map(|i| i.value.as_str());
        let network = Network { vrid: vrid.value, ipv6, interface, group: group(instance, config) };
        match networks.get(&network) {
            Some(other) => report(other, instance, vrid.value, ipv6, out),
            None => {
                networks.insert(network, instance);
            }
        }
    }
}

/// Where multicast instances with one id would hear each other.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Network<'a> {
    vrid: u8,
    ipv6: bool,
    interface: Option<&'a str>,
    group: Option<IpAddr>,
}

fn unicast_collide(a: &Instance, b: &Instance) -> bool {
    let interfaces = a.interface.as_ref().zip(b.interface.as_ref());
    let elsewhere = interfaces.is_some_and(|(a, b)| a.value != b.value);
    let sources = a.source.zip(b.source).is_some_and(|(a, b)| a.value != b.value);
    let shared =
        a.unicast_peers.iter().any(|p| b.unicast_peers.iter().any(|q| p.address.value == q.address.value));
    !elsewhere && !sources && shared
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
