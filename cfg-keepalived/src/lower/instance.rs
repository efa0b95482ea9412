//! `vrrp_instance`.

use super::{Origins, global, name, track};
use crate::check::Resolved;
use crate::config::{Address, AuthType, Config, Index, Instance};
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;
use vrrp::spec;
use vrrp::spec::{
    AddressVmac, AdvertInterval, Auth, ChecksumV3, Garp, InitialState, Name, Password, Peer, Preempt,
    Transport, Version, VirtualAddress, Vmac, VmacKind,
};

/// Most addresses an advert names; the others are held without being announced.
const MAX_ADDRESSES: usize = 255;

pub(super) fn lower(
    from: &Instance,
    config: &Config,
    index: &Index<'_>,
    global: &spec::Global,
    origins: &mut Origins,
) -> Option<spec::Instance> {
    let vrid = from.virtual_router_id?.value;
    let resolved = Resolved::new(from, config);
    let mut to = spec::Instance::new(from.name.value.as_str(), vrid, global);
    to.origin = origins.at(from.name.span);
    to.state = if resolved.master { InitialState::Master } else { InitialState::Backup };
    to.interface = from.interface.as_ref().map(|i| name(&i.value));
    to.priority = resolved.priority;
    to.advert_interval = AdvertInterval::from_centis(resolved.interval);
    to.version = if resolved.version == 3 { Version::V3 } else { Version::V2 };
    to.ipv6 = resolved.ipv6;
    to.auth = auth(from, &resolved);
    to.transport = transport(from, &resolved, global);
    to.source = from.source.map(|s| s.value).or_else(|| from.vmac.as_ref().and_then(|v| v.address));
    to.track_source = from.track_src_ip.is_some();
    to.no_addresses = from.no_addresses.is_some();
    addresses(from, &mut to, origins);
    to.routes = track::routes(&from.routes, origins);
    to.rules = track::rules(&from.rules, origins);
    to.accept = resolved.accept;
    to.vmac = vmac(from, vrid, &resolved, index, global);
    address_vmacs(from, global, &mut to);
    if let Some(extra) = from.garp_extra_if {
        to.extra_garp = extra_garp(extra.value);
    }
    to.preempt = match (resolved.nopreempt, resolved.preempt_delay) {
        (true, _) => Preempt::Never,
        (false, Duration::ZERO) => Preempt::Immediate,
        (false, delay) => Preempt::After(delay),
    };
    behaviour(from, &resolved, &mut to);
    to.track = track::list(&from.track, Some(from), config, index, origins).into();
    to.ignore_own_interface = from.dont_track_primary.is_some();
    notification(from, index, &mut to, origins);
    to.promote_secondaries = from.promote_secondaries.is_some();
    // Only a unicast instance without interface can be in a routing domain of its own.
    to.vrf =
        from.vrf.as_ref().filter(|_| from.interface.is_none() && resolved.unicast).map(|v| name(&v.value));
    to.receive_buffer = from.kernel_rx_buf_size.map(|n| n.value);
    to.debug = from.debug.map_or(0, |n| n.value);
    Some(to)
}

fn auth(from: &Instance, resolved: &Resolved) -> Auth {
    let password =
        from.auth_pass.as_ref().map_or_else(Password::default, |p| Password::new(p.value.as_bytes()));
    match resolved.auth {
        None => Auth::None,
        Some(AuthType::Pass) => Auth::Pass(password),
        Some(AuthType::Ah) => Auth::Ah(password),
    }
}

fn transport(from: &Instance, resolved: &Resolved, global: &spec::Global) -> Transport {
    if !resolved.unicast && from.unicast_fault_no_peer.is_none() {
        let standard: IpAddr =
            if resolved.ipv6 { global.multicast_v6.into() } else { global.multicast_v4.into() };
        return Transport::multicast(from.mcast_dst_ip.map_or(standard, |g| g.value));
    }
    let peers = from.unicast_peers.iter().map(|p| {
        let mut peer = Peer::new(p.address.value);
        peer.min_ttl = p.min_ttl;
        peer.max_ttl = p.max_ttl;
        peer
    });
    let mut transport = Transport::unicast(peers.collect());
    if let Transport::Unicast { ttl, check_source, fault_without_peer, old_checksum, .. } = &mut transport {
        *ttl = from.unicast_ttl.filter(|_| resolved.unicast).map(|n| n.value);
        *check_source = from.check_unicast_src.map_or(global.check_unicast_src, |b| b.value);
        *fault_without_peer = from.unicast_fault_no_peer.is_some();
        *old_checksum = from.old_unicast_checksum.is_some_and(|b| b.value);
    }
    transport
}

/// No time between them means none.
pub(super) fn extra_garp(extra: spec::ExtraGarp) -> Option<spec::ExtraGarp> {
    (!extra.interval.is_zero()).then_some(extra)
}

fn addresses(from: &Instance, to: &mut spec::Instance, origins: &mut Origins) {
    let mut all = from.addresses.iter().map(|a| address(a, origins)).collect::<Vec<_>>();
    to.excluded_addresses = all.split_off(all.len().min(MAX_ADDRESSES));
    to.excluded_addresses.extend(from.excluded.iter().map(|a| address(a, origins)));
    to.addresses = all;
}

/// An address with its origin.
pub(super) fn address(from: &Address, origins: &mut Origins) -> VirtualAddress {
    let mut to = from.value.clone();
    to.origin = origins.at(from.line);
    to
}

fn vmac(
    from: &Instance,
    vrid: u8,
    resolved: &Resolved,
    index: &Index<'_>,
    global: &spec::Global,
) -> Option<Vmac> {
    from.interface.as_ref()?;
    let own = from.vmac.as_ref()?;
    let free = index.vmac_taken(from).is_none();
    let given = own.name.as_ref().filter(|_| free).map(|n| name(&n.value));
    let mut vmac = Vmac::new(given.unwrap_or_else(|| standard_name(&global.vmac_prefix, vrid)));
    vmac.kind = match own.ipvlan.as_deref() {
        None => VmacKind::Macvlan,
        Some("private") => VmacKind::IpvlanPrivate,
        Some("vepa") => VmacKind::IpvlanVepa,
        Some(_) => VmacKind::IpvlanBridge,
    };
    vmac.mac = own.mac;
    vmac.group = own.group;
    // Unicast packets to a VMAC would need the peers to know its hardware address.
    vmac.transmit_on_base = (from.vmac_xmit_base.is_some() && !resolved.strict) || from.unicast.is_some();
    Some(vmac)
}

/// Which addresses go on interfaces of their own, and on which ones.
fn address_vmacs(from: &Instance, global: &spec::Global, to: &mut spec::Instance) {
    let Some(base) = to.interface.clone() else { return };
    let plain = standard_name(&global.vmac_addr_prefix, to.vrid);
    let (own, mac) = (to.vmac.is_some(), to.vmac.as_ref().and_then(|vmac| vmac.mac));
    let mut wanted: Vec<AddressVmac> = Vec::new();
    for address in to.addresses.iter_mut().chain(&mut to.excluded_addresses) {
        let on = address.interface.clone().unwrap_or_else(|| base.clone());
        let ipv6 = address.address().is_ipv6();
        let elsewhere = on != base || ipv6 != to.ipv6;
        address.use_vmac = if elsewhere {
            address.use_vmac || from.vmac_addresses.is_some()
        } else {
            address.use_vmac && !own
        };
        if address.use_vmac && !wanted.iter().any(|known| (&known.interface, known.ipv6) == (&on, ipv6)) {
            let mut vmac = Vmac::new(plain.clone());
            vmac.mac = mac;
            wanted.push(AddressVmac::new(vmac, on, ipv6));
        }
    }
    to.address_vmacs = wanted;
}

/// What makes two interfaces the same: two of one hardware address cannot be on one other interface.
type Sameness = (u8, bool, Name, Option<[u8; 6]>);

/// Gives each VMAC a name of its own: routers of one number may be on several interfaces and of both families. Whoever comes first
/// has the plain name.
pub(super) fn name_vmacs(instances: &mut [spec::Instance], index: &Index<'_>) {
    let given = |instance: &spec::Instance| {
        let from = index.instances.get(instance.name.as_str());
        let named = |from: &&&Instance| from.vmac.as_ref().is_some_and(|vmac| vmac.name.is_some());
        from.filter(named).is_some_and(|from| index.vmac_taken(from).is_none())
    };
    let names = instances.iter().filter(|instance| given(instance));
    let mut taken: HashSet<Name> = names.filter_map(|i| Some(i.vmac.as_ref()?.name.clone())).collect();
    let mut free = |plain: &Name, ipv6: bool| {
        // Of IPv6 the second is known by its family.
        let family = ipv6.then_some(6);
        let numbers = family.into_iter().chain((1..).filter(|number| Some(*number) != family));
        let numbered = numbers.map(|number| numbered(plain, number));
        let free = std::iter::once(plain.clone()).chain(numbered).find(|name| !taken.contains(name));
        let free = free.expect("there are more numbers than instances");
        taken.insert(free.clone());
        free
    };
    let mut made: HashMap<Sameness, Name> = HashMap::new();
    for instance in &mut *instances {
        let given = given(instance);
        let (Some(vmac), Some(base)) = (&mut instance.vmac, &instance.interface) else { continue };
        if !given {
            vmac.name = free(&vmac.name, instance.ipv6);
        }
        made.insert((instance.vrid, instance.ipv6, base.clone(), vmac.mac), vmac.name.clone());
    }
    for instance in instances {
        for own in &mut instance.address_vmacs {
            let same = (instance.vrid, own.ipv6, own.interface.clone(), own.vmac.mac);
            let name = made.entry(same).or_insert_with(|| free(&own.vmac.name, own.ipv6));
            own.vmac.name = name.clone();
        }
    }
}

/// `vrrp1.51` for `vrrp.51`.
fn numbered(standard: &Name, number: u32) -> Name {
    let (prefix, vrid) = standard.as_str().rsplit_once('.').unwrap_or((standard.as_str(), ""));
    short_name(prefix, &format!("{number}.{vrid}"))
}

/// `vrrp.51`
fn standard_name(prefix: &str, vrid: u8) -> Name {
    short_name(prefix, &format!(".{vrid}"))
}

/// The prefix cut so that the name of an interface has room for the suffix.
fn short_name(prefix: &str, suffix: &str) -> Name {
    let short: String = prefix.chars().take(15usize.saturating_sub(suffix.len())).collect();
    name(&format!("{short}{suffix}"))
}

fn behaviour(from: &Instance, resolved: &Resolved, to: &mut spec::Instance) {
    to.strict = resolved.strict;
    to.garp = garp(from, &to.garp, resolved.strict).into();
    if resolved.strict {
        // What strict mode asks for, whatever the global settings say.
        to.lower_prio_no_advert = true;
        to.higher_prio_send_advert = false;
        to.down_timer_adverts = 3;
    } else {
        to.lower_prio_no_advert = from.lower_prio_no_advert.map_or(to.lower_prio_no_advert, |b| b.value);
        to.higher_prio_send_advert =
            from.higher_prio_send_advert.map_or(to.higher_prio_send_advert, |b| b.value);
        to.down_timer_adverts = from.down_timer_adverts.map_or(to.down_timer_adverts, |n| n.value);
    }
    to.owner_ignore_adverts = resolved.owner()
        && (from.owner_ignore_adverts.is_some() || resolved.strict || to.owner_ignore_adverts);
    to.skip_check_adv_addr = from.skip_check_adv_addr.map_or(to.skip_check_adv_addr, |b| b.value);
    if let Some(packet_only) = from.v3_checksum_as_v2 {
        to.v3_checksum = if packet_only.value { ChecksumV3::PacketOnly } else { ChecksumV3::PseudoHeader };
    }
}

fn garp(from: &Instance, global: &Garp, strict: bool) -> Garp {
    let mut garp = global.clone();
    global::apply(&from.garp, &mut garp);
    if strict {
        garp.lower_prio_repeat = 0;
        garp.lower_prio_delay = Duration::ZERO;
    }
    garp
}

fn notification(from: &Instance, index: &Index<'_>, to: &mut spec::Instance, origins: &mut Origins) {
    to.notify = origins.notify(&from.notify).into();
    let group = index.group_of.get(from.name.value.as_str());
    let changes = from.notify.priority_changes.or_else(|| group.and_then(|g| g.notify.priority_changes));
    to.notify_priority_changes = changes.map_or(to.notify_priority_changes, |b| b.value);
    to.smtp_alert = from.notify.smtp_alert.map_or(to.smtp_alert, |b| b.value);
}
