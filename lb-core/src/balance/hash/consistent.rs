//! `hash-type consistent`: servers own points on a ring of 32-bit numbers, the nearest point takes the key.
//!
//! A server owns one point per unit of effective weight, all derived from its ring key, so that a change of weight or of
//! state moves only the keys of the server concerned. Of the points on either side of a key the closer one is chosen,
//! the lower one if they are equally close.
//!
//! The points are one sorted array. As they lie about evenly, a coarse index finds a key's place in a few steps, however
//! many points there are. Changes are only noted down; the next choice merges them in, so that a burst of
//! changes costs one pass.

use super::Hasher;
use crate::balance::farm::Group;
use crate::balance::{Affinity, Key, Occupancy, PickKey, ServerId};

use super::function::avalanche;

/// Bits of a point that hold its ordinal among the points of its server.
const ORDINAL_BITS: u32 = 12;

/// Largest number of servers a ring can hold.
pub(in crate::balance) const MAX_SERVERS: usize = 1 << (32 - ORDINAL_BITS);

/// A point: place on the ring, then server, then ordinal. Of points at one place the one that came first is in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Point(u64);

impl Point {
    fn new(key: u32, server: ServerId, ordinal: u32) -> Self {
        Self(u64::from(key) << 32 | u64::from(server.0) << ORDINAL_BITS | u64::from(ordinal))
    }

    fn key(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn server(self) -> ServerId {
        ServerId(self.0 as u32 >> ORDINAL_BITS)
    }

    /// Whether the changes that are noted leave it where it is.
    fn stays(self, owners: &[Owner]) -> bool {
        let ordinal = self.0 as u32 & ((1 << ORDINAL_BITS) - 1);
        ordinal < owners[self.server().index()].points
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Owner {
    /// Where its points derive from.
    key: u32,
    /// Wanted number of points: the effective weight.
    weight: u32,
    /// Number of points in the array that stay there.
    points: u32,
    noted: bool,
    /// Total weight of the servers before it, for sharing out bounded loads.
    weight_before: u64,
}

/// The ring of one group of servers.
#[derive(Clone, Debug)]
pub(in crate::balance) struct Ring {
    owners: Vec<Owner>,
    points: Vec<Point>,
    /// For every range of keys, by their highest bits, the first point that is not below it.
    index: Vec<u32>,
    /// How far to shift a key to get its range.
    shift: u32,
    /// Servers whose points are out of date.
    changed: Vec<ServerId>,
    /// The point last given out in turn.
    last: Option<Point>,
    total: u64,
    /// How much more than the average a server may be loaded, in percent.
    balance_factor: Option<u32>,
    affinity: Affinity,
}

impl Ring {
    pub(in crate::balance) fn new(
        keys: impl ExactSizeIterator<Item = u32>,
        balance_factor: Option<u32>,
        affinity: Affinity,
    ) -> Self {
        let owners: Vec<_> = keys.map(|key| Owner { key, ..Owner::default() }).collect();
        Self {
            changed: Vec::with_capacity(owners.len()),
            owners,
            points: Vec::new(),
            index: Vec::new(),
            shift: 0,
            last: None,
            total: 0,
            balance_factor,
            affinity,
        }
    }

    pub(in crate::balance) fn set_weight(&mut self, server: ServerId, weight: u32) {
        let owner = &mut self.owners[server.index()];
        self.total = self.total - u64::from(owner.weight) + u64::from(weight);
        owner.weight = weight;
        // Those that are taken away come back behind others, even if nothing is chosen in between.
        owner.points = owner.points.min(weight);
        self.note(server);
    }

    pub(in crate::balance) fn set_key(&mut self, server: ServerId, key: u32) {
        let owner = &mut self.owners[server.index()];
        if owner.key != key {
            owner.key = key;
            owner.points = 0;
            self.note(server);
        }
    }

    pub(in crate::balance) fn weight(&self, server: ServerId) -> u32 {
        self.owners[server.index()].weight
    }

    /// A server with a place on the ring, whichever.
    pub(in crate::balance) fn any(&mut self) -> Option<ServerId> {
        self.refresh();
        self.points.first().map(|point| point.server())
    }

    /// The server nearest to `hash` that may be used.
    pub(in crate::balance) fn nearest(&mut self, hash: u32, key: &PickKey<'_>) -> Option<ServerId> {
        self.refresh();
        let last = self.points.len().checked_sub(1)?;
        let range = self.index[(hash >> self.shift) as usize] as usize;
        let above =
            self.points[range..].iter().position(|point| point.key() >= hash).map_or(0, |at| range + at);
        let below = above.checked_sub(1).unwrap_or(last);
        let distance_below = hash.wrapping_sub(self.points[below].key());
        let distance_above = self.points[above].key().wrapping_sub(hash);
        let start = if distance_below <= distance_above { below } else { above };
        let candidates = self.points[start..].iter().chain(&self.points[..start]).map(|point| point.server());
        for server in candidates {
            if key.avoid != Some(server) && self.may_take(server, key.occupancy) {
                return Some(server);
            }
        }
        // Everybody is avoided or overloaded: stay with the key's own server.
        Some(self.points[start].server())
    }

    /// The server of the next point with room.
    pub(in crate::balance) fn turn(&mut self, key: &PickKey<'_>) -> Option<ServerId> {
        self.refresh();
        let start = match self.last {
            Some(last) => self.position(last).map_or(0, |at| at + 1),
            None => 0,
        };
        let mut avoided = None;
        for &point in self.points[start..].iter().chain(&self.points[..start]) {
            let server = point.server();
            if !key.occupancy.load(server).has_room() {
                continue;
            }
            if key.avoid != Some(server) {
                self.last = Some(point);
                return Some(server);
            }
            avoided = avoided.or(Some(point));
        }
        self.last = avoided;
        avoided.map(Point::server)
    }

    /// Whether a key may go to this server in spite of its load.
    fn may_take(&self, server: ServerId, occupancy: &dyn Occupancy) -> bool {
        if let Some(factor) = self.balance_factor
            && !self.within_bounds(server, factor, occupancy)
        {
            return false;
        }
        match self.affinity {
            Affinity::Always => true,
            Affinity::MaxConn => {
                let load = occupancy.load(server);
                load.limit.is_none_or(|limit| load.served < limit)
            }
            Affinity::MaxQueue => {
                let load = occupancy.load(server);
                load.max_queue == 0 || load.has_room_or_queue()
            }
        }
    }

    /// Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, arXiv:1608.01350), with weights: all
    /// requests including this one, times the factor, make the slots that are shared out by weight.
    fn within_bounds(&self, server: ServerId, factor: u32, occupancy: &dyn Occupancy) -> bool {
        let slots = ((u64::from(occupancy.served()) + 1) * u64::from(factor)).div_ceil(100);
        let (each, rest) = (slots / self.total, slots % self.total);
        let owner = &self.owners[server.index()];
        let (weight, before) = (u64::from(owner.weight), owner.weight_before);
        let share = weight * each + (before + weight) * rest / self.total - before * rest / self.total;
        u64::from(occupancy.load(server).served) < share.max(1)
    }

    fn note(&mut self, server: ServerId) {
        let owner = &mut self.owners[server.index()];
        if !owner.noted {
            owner.noted = true;
            self.changed.push(server);
        }
    }

    /// Merges the noted changes into the array.
    fn refresh(&mut self) {
        if self.changed.is_empty() {
            return;
        }
        self.pass_on_last();
        let owners = &mut self.owners;
        self.points.retain(|point| point.stays(owners));
        let kept = self.points.len();
        for server in self.changed.drain(..) {
            let owner = &mut owners[server.index()];
            let new = owner.points..owner.weight;
            self.points.extend(new.map(|n| Point::new(avalanche(owner.key.wrapping_add(n)), server, n)));
            *owner = Owner { points: owner.weight, noted: false, ..*owner };
        }
        self.points[kept..].sort_by_key(|point| point.key());
        // Both halves are sorted, which the stable sort notices and merges in one pass.
        self.points.sort_by_key(|point| point.key());
        let mut before = 0;
        for owner in owners {
            owner.weight_before = before;
            before += u64::from(owner.weight);
        }
        self.build_index();
    }

    /// A last point that goes away hands its role to its successor.
    fn pass_on_last(&mut self) {
        let Some(at) = self.last.and_then(|last| self.position(last)) else { return };
        let mut following = self.points[at..].iter().chain(&self.points[..at]);
        self.last = following.find(|point| point.stays(&self.owners)).copied();
    }

    /// Where the point is in the array.
    fn position(&self, point: Point) -> Option<usize> {
        let start = self.points.partition_point(|other| other.key() < point.key());
        self.points[start..].iter().position(|other| *other == point).map(|at| start + at)
    }

    fn build_index(&mut self) {
        // A range holds the points of about one cache line. There are at least two ranges, so that the shift stays below
        // the width of a key.
        let bits = (self.points.len() / 8).max(2).ilog2();
        self.shift = 32 - bits;
        self.index.clear();
        self.index.reserve_exact(1 << bits);
        let mut point = 0;
        for range in 0..1u32 << bits {
            while self.points.get(point).is_some_and(|point| point.key() >> self.shift < range) {
                point += 1;
            }
            self.index.push(point as u32);
        }
    }
}

/// A hash algorithm on a ring.
pub(in crate::balance) struct Hashed {
    ring: Ring,
    hasher: Hasher,
}

impl Hashed {
    pub(in crate::balance) fn new(ring: Ring, hasher: Hasher) -> Self {
        Self { ring, hasher }
    }
}

impl Group for Hashed {
    fn join(&mut self, server: ServerId, weight: u32) {
        self.ring.set_weight(server, weight);
    }

    fn leave(&mut self, server: ServerId) {
        self.ring.set_weight(server, 0);
    }

    fn reweigh(&mut self, server: ServerId, weight: u32) {
        self.ring.set_weight(server, weight);
    }

    fn ring_key(&mut self, server: ServerId, key: u32) {
        self.ring.set_key(server, key);
    }

    fn pick(&mut self, key: &PickKey<'_>) -> Option<ServerId> {
        match self.hasher.hash(key.key) {
            Some(hash) => self.ring.nearest(hash, key),
            None => {
                debug_assert_eq!(key.key, Key::None);
                self.ring.turn(key)
            }
        }
    }
}
