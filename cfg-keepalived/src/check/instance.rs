//! One `vrrp_instance` by itself.

use super::{Resolved, advice, fatal, warn};
use crate::codes;
use crate::config::{AuthType, Config, Index, Instance, State};
use lb_core::diag::{Diagnostic, Diagnostics, Span};
use std::net::IpAddr;
use std::time::Duration;

/// Most addresses an advert can name.
const MAX_ADDRESSES: usize = 255;

pub(super) fn check(instance: &Instance, config: &Config, index: &Index<'_>, out: &mut Diagnostics) {
    let it = Check { instance, name: &instance.name.value, resolved: Resolved::new(instance, config) };
    it.required(out);
    it.family_and_version(out);
    it.state(out);
    it.authentication(out);
    it.transport(out);
    it.vrf(out);
    it.preemption(out);
    it.addresses(out);
    it.owner(out);
    it.strict(out);
    it.interval(out);
    it.vmac(index, out);
}

struct Check<'a> {
    instance: &'a Instance,
    name: &'a str,
    resolved: Resolved,
}

impl Check<'_> {
    fn head(&self) -> Span {
        self.instance.name.span
    }

    fn required(&self, out: &mut Diagnostics) {
        let name = self.name;
        if self.instance.virtual_router_id.is_none() {
            let message = format!("`{name}` has no `virtual_router_id`");
            let compat = format!("({name}) the virtual router id must be set");
            out.push(
                fatal(codes::NOT_SET, self.head(), message, compat)
                    .note("it must be the same number, 1 to 255, on both nodes"),
            );
        }
        if self.instance.interface.is_none() {
            self.no_interface(out);
        }
    }

    fn no_interface(&self, out: &mut Diagnostics) {
        let name = self.name;
        if self.instance.unicast.is_none() {
            // A default interface is only for addresses; an instance must name its own.
            let message = format!("`{name}` has no `interface`");
            out.push(fatal(codes::NOT_SET, self.head(), message, format!("({name}) Unknown interface!")));
        } else if self.instance.vmac.is_some() {
            let message = format!("`{name}` has a VMAC but no `interface` to put it on");
            let compat =
                format!("({name}): Cannot use VMAC/ipvlan with unicast and no interface - clearing use_vmac");
            out.push(warn(codes::NOT_SET, self.head(), message, compat));
        } else if self.instance.source.is_none() {
            let message = format!("`{name}` has neither `interface` nor `unicast_src_ip`");
            let compat = format!("({name}): Unicast instances must have unicast_src_ip or interface");
            out.push(fatal(codes::NOT_SET, self.head(), message, compat));
        }
    }

    fn family_and_version(&self, out: &mut Diagnostics) {
        let Some(version) = self.instance.version else { return };
        if self.resolved.ipv6 && version.value == 2 {
            if self.resolved.strict {
                let compat =
                    format!("({}) cannot use IPv6 with VRRP version 2; setting version 3", self.name);
                out.push(warn(codes::CONFLICT, version.span, "IPv6 needs version 3", compat));
            } else {
                out.push(
                    Diagnostic::notice(codes::CONFLICT, version.span, "version 2 over IPv6 is spoken here")
                        .note("no standard describes it; keepalived alone understands it, other routers need version 3"),
                );
            }
        }
    }

    fn state(&self, out: &mut Diagnostics) {
        let owner = self.resolved.owner();
        let Some(state) = self.instance.state else { return };
        let master = state.value == State::Master;
        if self.resolved.strict && master != owner {
            let compat = format!("({}) State MASTER must match being address owner", self.name);
            let message = "in strict mode `state MASTER` and priority 255 go together";
            out.push(warn(codes::CONFLICT, state.span, message, compat));
        }
        if master && self.instance.priority.is_none() {
            out.push(
                Diagnostic::warning(
                    codes::ADDRESS_ADVICE,
                    state.span,
                    "`state MASTER` without `priority` means priority 255",
                )
                .note("255 is for the owner of the addresses: trackers cannot lower it, and it always wins"),
            );
        }
    }

    fn authentication(&self, out: &mut Diagnostics) {
        let Some(kind) = self.instance.auth_type else { return };
        let name = self.name;
        let empty = self.instance.auth_pass.as_ref().is_none_or(|p| p.value.is_empty());
        let (message, compat) = if self.resolved.strict {
            (
                "strict mode has no authentication; it is dropped",
                format!("({name}) Strict mode does not support authentication. Ignoring."),
            )
        } else if self.resolved.version == 3 {
            (
                "version 3 has no authentication; it is dropped",
                format!("({name}) VRRP version 3 does not support authentication. Ignoring."),
            )
        } else if empty {
            (
                "authentication without `auth_pass`; it is dropped",
                format!("({name}) Authentication specified but no password given. Ignoring"),
            )
        } else if self.resolved.ipv6 && kind.value == AuthType::Ah {
            (
                "AH works with IPv4 only; it is dropped",
                format!("({name}) Cannot use AH authentication with IPv6. ignoring"),
            )
        } else if kind.value == AuthType::Ah
            && self.instance.state.is_some_and(|s| s.value == State::Master)
            && !self.resolved.owner()
        {
            (
                "with AH a node must hear the master first; `state BACKUP` counts",
                format!("({name}) Initial state master is incompatible with AH authentication - clearing"),
            )
        } else {
            return;
        };
        out.push(warn(codes::CONFLICT, kind.span, message, compat));
    }

    fn transport(&self, out: &mut Diagnostics) {
        let (it, name) = (self.instance, self.name);
        if let Some(unicast) = it.unicast
            && it.unicast_peers.is_empty()
            && it.unicast_fault_no_peer.is_none()
        {
            let compat = format!(
                "({name}) A unicast keyword has been specified without any unicast peers. Defaulting to multicast. This \
                 usage is deprecated - please update your configuration."
            );
            let message = "unicast without any peer; multicast is used";
            out.push(
                warn(codes::CONFLICT, unicast.span, message, compat)
                    .note("list the other nodes in `unicast_peer { … }`"),
            );
        }
        if let Some(ttl) = it.unicast_ttl
            && it.unicast_peers.is_empty()
        {
            let compat = format!("({name}): Cannot use unicast_ttl without unicast peers - resetting");
            out.push(
                warn(codes::CONFLICT, ttl.span, "`unicast_ttl` without peers is ignored", compat)
                    .note("keepalived then sends multicast with hop limit 0, which no node accepts"),
            );
        }
        if let Some(group) = it.mcast_dst_ip
            && self.resolved.unicast
        {
            let compat = format!("({name}) multicast destination specified with unicast - ignoring");
            out.push(warn(
                codes::CONFLICT,
                group.span,
                "`mcast_dst_ip` of a unicast instance is ignored",
                compat,
            ));
        }
        if let Some(unicast) = it.unicast
            && self.resolved.strict
            && self.resolved.unicast
        {
            out.push(
                Diagnostic::warning(
                    codes::CONFLICT,
                    unicast.span,
                    "strict mode knows no unicast; unicast is used",
                )
                .note("keepalived 2.2 does the same, later versions refuse to start"),
            );
        }
    }

    fn vrf(&self, out: &mut Diagnostics) {
        let (it, name) = (self.instance, self.name);
        if let Some(vrf) = &it.vrf
            && (it.interface.is_some() || !self.resolved.unicast)
        {
            let compat = if it.interface.is_some() {
                format!("({name}) Cannot specify VRF interface and interface - ignoring")
            } else {
                format!("({name}) vrf can only be specified with unicast - clearing")
            };
            out.push(warn(
                codes::CONFLICT,
                vrf.span,
                "`vrf` is for unicast instances without `interface`; it is ignored",
                compat,
            ));
        }
    }

    fn preemption(&self, out: &mut Diagnostics) {
        let (it, name) = (self.instance, self.name);
        let owner = self.resolved.owner();
        if let Some(never) = it.nopreempt {
            if owner {
                let compat =
                    format!("({name}) nopreempt is incompatible with priority 255. resetting nopreempt");
                out.push(advice(
                    codes::CONFLICT,
                    never.span,
                    "`nopreempt` has no effect with priority 255",
                    compat,
                ));
            } else if self.resolved.master {
                let compat = format!(
                    "({name}) Warning - nopreempt will not work with initial state MASTER - clearing"
                );
                let message = "`nopreempt` has no effect with `state MASTER`";
                out.push(
                    advice(codes::CONFLICT, never.span, message, compat)
                        .note("write `state BACKUP` on both nodes"),
                );
            }
        }
        let Some(delay) = it.preempt_delay.filter(|d| !d.value.is_zero()) else { return };
        if self.resolved.master {
            let compat = format!(
                "({name}) Warning - preempt delay will not work with initial state MASTER - clearing"
            );
            let message = "`preempt_delay` has no effect with `state MASTER`";
            out.push(
                advice(codes::CONFLICT, delay.span, message, compat)
                    .note("write `state BACKUP` on both nodes"),
            );
        } else if self.resolved.strict {
            let compat = format!("({name}) preempt_delay is incompatible with strict mode - resetting");
            out.push(advice(codes::CONFLICT, delay.span, "strict mode has no `preempt_delay`", compat));
        } else if self.resolved.nopreempt {
            let compat = format!("({name}) preempt_delay is incompatible with nopreempt mode - resetting");
            out.push(advice(
                codes::CONFLICT,
                delay.span,
                "`preempt_delay` has no effect with `nopreempt`",
                compat,
            ));
        }
    }

    fn addresses(&self, out: &mut Diagnostics) {
        let (it, name) = (self.instance, self.name);
        if it.addresses.is_empty() && it.no_addresses.is_none() {
            let message = format!("`{name}` has no address in `virtual_ipaddress`");
            if self.resolved.version == 3 || self.resolved.strict {
                out.push(fatal(
                    codes::NOT_SET,
                    self.head(),
                    message,
                    format!("({name}) No VIP specified; at least one is required"),
                ));
            } else {
                out.push(
                    warn(
                        codes::NOT_SET,
                        self.head(),
                        message,
                        format!("({name}) No VIP specified; at least one is sensible"),
                    )
                    .note("`no_virtual_ipaddress` says that this is what is meant"),
                );
            }
        }
        if it.addresses.len() > MAX_ADDRESSES {
            let count = it.addresses.len();
            let compat = format!(
                "({name}) Number of VIPs ({count}) exceeds maximum/space available in packet (max {MAX_ADDRESSES} addresses) \
                 - excess moved to eVIPs"
            );
            let message = format!(
                "an advert names at most {MAX_ADDRESSES} addresses; the others are held but not announced"
            );
            out.push(warn(codes::ADJUSTED, it.addresses[MAX_ADDRESSES].span, message, compat));
        }
        self.first_link_local(out);
        for address in it.addresses.iter().chain(&it.excluded) {
            if !address.value.use_vmac {
                continue;
            }
            let base = it.interface.as_ref().map(|interface| interface.value.as_str());
            let own = address.value.interface.as_deref().is_none_or(|on| Some(on) == base)
                && address.value.address().is_ipv6() == self.resolved.ipv6;
            if own && it.vmac.is_some() {
                let compat =
                    format!("({name}) use_vmac specified for VIP/eVIP {} and vrrp instance", address.ip());
                let message = "`use_vmac` of an address repeats that of the instance";
                out.push(warn(codes::CONFLICT, address.line, message, compat));
            } else if !own && it.vmac_addresses.is_some() {
                let compat = format!(
                    "({name}) use_vmac_addr specified and use_vmac specified for VIP/eVIP {}",
                    address.ip()
                );
                let message = "`use_vmac` of an address repeats `use_vmac_addr`";
                out.push(warn(codes::CONFLICT, address.line, message, compat));
            }
        }
    }

    fn first_link_local(&self, out: &mut Diagnostics) {
        let Some(first) = self.instance.addresses.first() else { return };
        let IpAddr::V6(ip) = first.ip() else { return };
        if self.resolved.unicast || ip.segments()[0] & 0xffc0 == 0xfe80 {
            return;
        }
        let message = "the first IPv6 address should be link-local";
        if self.resolved.strict {
            let compat = format!("({}) the first IPv6 VIP address must be link local", self.name);
            out.push(warn(codes::ADDRESS_ADVICE, first.span, message, compat));
        } else {
            out.push(
                Diagnostic::notice(codes::ADDRESS_ADVICE, first.span, message)
                    .note("RFC 9568 section 5.2.9 asks for it"),
            );
        }
    }

    fn owner(&self, out: &mut Diagnostics) {
        let (it, name) = (self.instance, self.name);
        let owner = self.resolved.owner();
        if let Some(ignore) = it.owner_ignore_adverts {
            if ignore.value && !owner {
                let compat = format!("({name}) ignoring owner_ignore_adverts since priority is not 255");
                out.push(warn(
                    codes::CONFLICT,
                    ignore.span,
                    "`owner_ignore_adverts` is for priority 255",
                    compat,
                ));
            } else if !ignore.value && owner {
                let compat = format!("({name}) strict_mode with priority 255 requires owner_ignore_adverts");
                out.push(warn(
                    codes::CONFLICT,
                    ignore.span,
                    "an owner always ignores the adverts of others",
                    compat,
                ));
            }
        }
    }

    fn strict(&self, out: &mut Diagnostics) {
        let (it, name) = (self.instance, self.name);
        let owner = self.resolved.owner();
        if !self.resolved.strict {
            return;
        }
        let mut conflict = |span: Option<Span>, message: &str, compat: &str| {
            if let Some(span) = span {
                out.push(warn(codes::CONFLICT, span, message, format!("({name}) {compat}")));
            }
        };
        let repeat = it.garp.lower_prio_repeat.filter(|n| n.value > 0).map(|n| n.span);
        conflict(
            repeat,
            "strict mode repeats no announcements",
            "Strict mode requires no repeat garps. resetting",
        );
        let delay = it.garp.lower_prio_delay.filter(|d| d.value > Duration::ZERO).map(|d| d.span);
        conflict(
            delay,
            "strict mode repeats no announcements",
            "Strict mode requires no repeat garp delay. resetting",
        );
        let answer = it.lower_prio_no_advert.filter(|b| !b.value).map(|b| b.span);
        conflict(
            answer,
            "strict mode does not answer lower priorities",
            "Strict mode requires no lower priority advert. resetting",
        );
        let last = it.higher_prio_send_advert.filter(|b| b.value).map(|b| b.span);
        conflict(
            last,
            "strict mode sends no last advert",
            "strict mode requires higher_prio_send_advert to be clear. resetting",
        );
        let down = it.down_timer_adverts.filter(|n| n.value != 3).map(|n| n.span);
        conflict(
            down,
            "strict mode waits for three adverts",
            "down_timer_adverts is incompatible with strict mode - resetting",
        );
        let accept = it.accept.filter(|a| a.value && !owner && self.resolved.version == 2).map(|a| a.span);
        conflict(
            accept,
            "version 2 has no accept mode",
            "warning - accept mode for VRRP version 2 does not comply with RFC3768 - resetting",
        );
    }

    fn interval(&self, out: &mut Diagnostics) {
        let Some(given) = self.instance.advert_int else { return };
        let (name, seconds) = (self.name, given.value.as_secs_f64());
        let effective = Duration::from_millis(u64::from(self.resolved.interval) * 10);
        if effective == given.value {
            return;
        }
        let compat = if self.resolved.version == 2 {
            format!("({name}) VRRPv2 advertisement interval {seconds:.6}s must be an integer. rounding")
        } else if given.value > Duration::from_millis(40_950) {
            format!(
                "({name}) VRRPv3 advertisement interval {seconds:.2}s is out of range. Must be less than 40.96s. Setting to 40.95s"
            )
        } else {
            format!(
                "({name}) VRRPv3 advertisement interval {seconds:.6}s must be in units of 10ms - rounding"
            )
        };
        let message =
            format!("version {} cannot carry this interval; {effective:?} is taken", self.resolved.version);
        let note = if self.resolved.version == 2 {
            "`version 3` carries hundredths of a second"
        } else {
            "at most 40.95 s"
        };
        out.push(warn(codes::ADJUSTED, given.span, message, compat).note(note));
    }

    fn vmac(&self, index: &Index<'_>, out: &mut Diagnostics) {
        let (it, name) = (self.instance, self.name);
        if let Some(base) = it.vmac_xmit_base
            && it.vmac.is_none()
        {
            let compat = format!("({name}) vmac_xmit_base is only valid with a vmac");
            out.push(warn(
                codes::CONFLICT,
                base.span,
                "`vmac_xmit_base` has no effect without `use_vmac`",
                compat,
            ));
        }
        let Some(vmac) = &it.vmac else { return };
        if let Some(base) = it.vmac_xmit_base
            && self.resolved.strict
        {
            let compat = format!("({name}) xmit_base is incompatible with strict mode - resetting");
            out.push(warn(codes::CONFLICT, base.span, "strict mode has no `vmac_xmit_base`", compat));
        }
        if let Some(promote) = it.promote_secondaries {
            let compat = format!("({name}) promote_secondaries is automatically set for vmacs - ignoring");
            out.push(advice(codes::CONFLICT, promote.span, "a VMAC always promotes secondaries", compat));
        }
        if vmac.ipvlan.is_some() && !self.resolved.ipv6 && it.source.is_none() && vmac.address.is_none() {
            let compat = format!(
                "({name}) IPv4 ipvlan requires a source ip address to be configured. setting instance to fault state"
            );
            out.push(warn(
                codes::NOT_SET,
                vmac.span,
                "an ipvlan needs `mcast_src_ip`, the address of its adverts",
                compat,
            ));
        }
        if it.unicast.is_some() && it.interface.is_some() && it.vmac_xmit_base.is_none() {
            let compat = format!("({name}) unicast with use_vmac requires vmac_xmit_base - setting");
            out.push(warn(codes::CONFLICT, vmac.span, "unicast adverts leave by the base interface", compat));
        }
        if let (Some(word), Some(first)) = (&vmac.name, index.vmac_taken(it)) {
            let compat =
                format!("({name}) another VRRP instance is already using {} - ignoring name", word.value);
            let message = "another instance uses this interface name; it is ignored";
            out.push(warn(codes::DUPLICATE, word.span, message, compat).label(first, "this one"));
        }
    }
}
