//! What would be looked for again and again: with a thousand instances a scan for each of a thousand events is felt.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::Router;
use crate::instance::Instance;

/// Derived from instances and groups; made anew when those change.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    /// Addresses that come and go with masterships, in order. An owner's addresses are the interface's own.
    virtuals: Vec<IpAddr>,
    /// The group of each instance.
    group_of: Vec<Option<usize>>,
    /// Identifier and position of each instance, in this order.
    by_vrid: Vec<(u8, usize)>,
    /// Some instance minds whether its source address exists.
    tracks_source: bool,
    /// The next time of each instance. An instance is large: with a thousand of them, most of the time of a look at all is
    /// waiting for memory.
    pub(super) next: Vec<Option<Instant>>,
    /// For so long after its timers were served no master can have been silent beyond its successor's patience.
    pub(super) unhurried: Duration,
}

impl Router {
    pub(super) fn refresh_lookup(&mut self) {
        let specs = || self.instances.iter().map(|instance| &instance.core.spec);
        let guests = self.instances.iter().filter(|instance| !instance.core.spec.is_owner());
        let mut group_of = vec![None; self.instances.len()];
        for (number, group) in self.groups.iter().enumerate() {
            for &member in &group.members {
                group_of[member].get_or_insert(number);
            }
        }
        let held = guests.flat_map(|guest| guest.core.held()).map(|held| held.address.address());
        let mut virtuals: Vec<_> = held.collect();
        virtuals.sort_unstable();
        virtuals.shrink_to_fit();
        let mut by_vrid: Vec<_> = specs().enumerate().map(|(at, spec)| (spec.vrid, at)).collect();
        by_vrid.sort_unstable();
        let unhurried = specs().map(|spec| {
            spec.advert_interval.duration() * u32::from(spec.down_timer_adverts.saturating_sub(1))
        });
        self.lookup = Lookup {
            virtuals,
            group_of,
            by_vrid,
            next: self.instances.iter().map(Instance::poll_timeout).collect(),
            tracks_source: specs().any(|spec| spec.track_source),
            unhurried: unhurried.min().unwrap_or_default(),
        };
    }

    /// The instances with this identifier, on whatever interface.
    pub(super) fn with_vrid(&self, vrid: u8) -> impl Iterator<Item = usize> {
        let all = &self.lookup.by_vrid;
        let from = all.partition_point(|(known, _)| *known < vrid);
        // While a new specification is put in place there are fewer for a moment.
        let here = |at: &usize| *at < self.instances.len();
        all[from..].iter().take_while(move |(known, _)| *known == vrid).map(|(_, at)| *at).filter(here)
    }

    pub(super) fn is_virtual(&self, address: IpAddr) -> bool {
        self.lookup.virtuals.binary_search(&address).is_ok()
    }

    /// Whether the coming or going of an address can change what instances do.
    pub(super) fn matters(&self, address: IpAddr) -> bool {
        self.lookup.tracks_source || !self.is_virtual(address)
    }

    pub(super) fn group_of(&self, at: usize) -> Option<usize> {
        // While a new specification is put in place there are no groups for a moment.
        self.lookup.group_of.get(at).copied().flatten().filter(|group| *group < self.groups.len())
    }
}
