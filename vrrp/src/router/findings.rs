//! The picture an operator gets, and what is wrong in it: two masters at once, and why.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::Router;
use crate::event::Datagram;
use crate::instance::Instance;
use crate::spec::Name;
use crate::stats::{Finding, InstanceSnapshot, StateKind};
use crate::wire::{PROTOCOL, Packet, hardware_address};

/// How many foreign virtual routers are remembered.
const MAX_SEEN: usize = 32;
/// What was heard longer ago than this, or than so many intervals, is over.
const RECENT: Duration = Duration::from_secs(5);
const RECENT_INTERVALS: u32 = 4;

/// Adverts of virtual routers nobody configured.
#[derive(Debug, Default)]
pub(super) struct Unknown {
    pub(super) count: u64,
    pub(super) told: BTreeSet<u8>,
    pub(super) seen: Vec<Foreign>,
}

/// A virtual router nobody configured here.
#[derive(Debug)]
pub(super) struct Foreign {
    vrid: u8,
    source: IpAddr,
    interface: Name,
    addresses: Vec<IpAddr>,
    last: Instant,
}

impl Unknown {
    pub(super) fn note(&mut self, now: Instant, vrid: u8, datagram: &Datagram) {
        self.count += 1;
        let same = |seen: &&mut Foreign| {
            seen.vrid == vrid && seen.source == datagram.source && seen.interface == datagram.interface
        };
        if let Some(known) = self.seen.iter_mut().find(same) {
            known.last = now;
            return;
        }
        // Only plain adverts tell their addresses without a key.
        let packet = (datagram.protocol == PROTOCOL)
            .then(|| Packet::new(&datagram.payload, datagram.source.is_ipv6()))
            .flatten();
        let addresses = packet.map_or_else(Vec::new, |packet| packet.addresses().collect());
        if self.seen.len() == MAX_SEEN {
            let oldest = (0..self.seen.len()).min_by_key(|&at| self.seen[at].last);
            self.seen.remove(oldest.unwrap_or(0));
        }
        let (source, interface) = (datagram.source, datagram.interface.clone());
        self.seen.push(Foreign { vrid, source, interface, addresses, last: now });
    }
}

impl Router {
    pub(super) fn describe(&self, now: Instant, at: usize) -> InstanceSnapshot {
        let instance = &self.instances[at];
        let core = &instance.core;
        let group = self.group_of(at).map(|group| &*self.groups[group].spec);
        InstanceSnapshot {
            name: core.spec.name.clone(),
            state: instance.kind(),
            interface: core.spec.interface.clone(),
            vrid: core.spec.vrid,
            base_priority: core.spec.priority,
            effective_priority: core.effective,
            total_priority: core.total,
            source: core.source,
            addresses: core.advertised(),
            holds_addresses: instance.holds_addresses(),
            master: core.master,
            master_interval: instance.master_interval(),
            since_transition: core.last_transition.as_ref().map(|(at, _)| now.saturating_duration_since(*at)),
            why: core.last_transition.as_ref().map(|(_, why)| why.to_string()),
            faults: core.faults.iter().map(ToString::to_string).collect(),
            contributions: self.trackers.contributions(&core.spec, group, &self.links),
            senders: core.senders(now),
            claims: core.claims(now),
            findings: self.findings(now, instance),
            stats: core.stats.clone(),
        }
    }

    fn findings(&self, now: Instant, instance: &Instance) -> Vec<Finding> {
        let mut findings = Vec::new();
        let interval = instance.core.spec.advert_interval.duration();
        let recent = RECENT.max(interval * RECENT_INTERVALS);
        let master = instance.kind() == StateKind::Master;
        refused(now, instance, (recent, master), &mut findings);
        if master {
            second_master(now, instance, interval, &mut findings);
        }
        self.other_vrid(now, instance, (recent, master), &mut findings);
        if master {
            unheard(now, instance, recent, &mut findings);
        }
        if let Some(source) = instance.core.wary(now) {
            findings.push(Finding {
                split: false,
                reason: "false-farewell".to_owned(),
                text: format!(
                    "another machine sent farewells (priority 0) in the name of {source}, which goes on; look for it on the \
                     link, or use a password (version 2) or unicast"
                ),
            });
        }
        if instance.core.stats.address_list_mismatches > 0 {
            findings.push(Finding {
                split: false,
                reason: "address-list".to_owned(),
                text: format!(
                    "{} adverts named other addresses than those configured here; make the lists of the nodes equal",
                    instance.core.stats.address_list_mismatches
                ),
            });
        }
        findings.sort_by_key(|finding| !finding.split);
        findings
    }

    /// The same addresses under another identifier.
    fn other_vrid(
        &self,
        now: Instant,
        instance: &Instance,
        (recent, master): (Duration, bool),
        findings: &mut Vec<Finding>,
    ) {
        let core = &instance.core;
        for foreign in &self.unknown.seen {
            let shared = foreign.addresses.iter().find(|address| core.advertised().contains(address));
            let here = core.spec.wire_interface().is_none_or(|interface| *interface == foreign.interface);
            if let (Some(address), true) =
                (shared, here && now.saturating_duration_since(foreign.last) < recent)
            {
                findings.push(Finding {
                    split: master,
                    reason: "other-vrid".to_owned(),
                    text: format!(
                        "{} advertises {address} as virtual router {}; here it belongs to virtual router {}",
                        foreign.source, foreign.vrid, core.spec.vrid
                    ),
                });
            }
        }
    }
}

/// Routers whose adverts are refused: they are, or will be, master beside us.
fn refused(
    now: Instant,
    instance: &Instance,
    (recent, master): (Duration, bool),
    findings: &mut Vec<Finding>,
) {
    for sender in instance.core.senders(now) {
        let Some((reason, text, age)) = &sender.last_refused else { continue };
        let understood = sender.last_accepted.is_some_and(|(_, _, good)| good <= *age);
        if *age >= recent || understood {
            continue;
        }
        let consequence = if master {
            "it is master as well, or will be when it does not understand us either"
        } else {
            "this node will become master beside it"
        };
        findings.push(Finding {
            split: master,
            reason: reason.clone(),
            text: format!("adverts of {} are refused: {text}; {consequence}", sender.source),
        });
    }
}

/// Routers that go on calling themselves master although they should hear us.
fn second_master(now: Instant, instance: &Instance, interval: Duration, findings: &mut Vec<Finding>) {
    // Right after becoming master the old one's last words are in order.
    let settled = instance
        .core
        .last_transition
        .as_ref()
        .is_some_and(|(at, _)| now.saturating_duration_since(*at) > interval * RECENT_INTERVALS);
    for sender in instance.core.senders(now) {
        let Some((priority, _, age)) = sender.last_accepted else { continue };
        if settled && priority > 0 && age <= interval * 2 {
            findings.push(Finding {
                split: true,
                reason: "second-master".to_owned(),
                text: format!(
                    "{} with priority {priority} calls itself master, too: it does not hear this node (firewall, multicast \
                     filter, or it refuses our adverts)",
                    sender.source
                ),
            });
        }
    }
}

/// Machines that answer for our addresses although no advert of anybody is heard.
fn unheard(now: Instant, instance: &Instance, recent: Duration, findings: &mut Vec<Finding>) {
    for claim in instance.core.claims(now) {
        if claim.last >= recent {
            continue;
        }
        let heard = instance.core.senders(now).iter().any(|sender| {
            sender.last_accepted.is_some_and(|(_, _, age)| age < recent)
                || sender.last_refused.as_ref().is_some_and(|(_, _, age)| *age < recent)
        });
        let why = if heard {
            "see the adverts above"
        } else {
            "none of its adverts is heard here: IP protocol 112 or the multicast group is filtered, or it does not speak VRRP"
        };
        findings.push(Finding {
            split: true,
            reason: "unheard-rival".to_owned(),
            text: format!("{} is also answered for by {}; {why}", claim.address, hardware_address(claim.mac)),
        });
    }
}
