//! Choosing a server: the algorithms, and nothing but the algorithms.
//!
//! A [`Balancer`] hears of everything that matters to a choice as a [`ServerEvent`] and answers [`Balancer::pick`]. It
//! knows neither time nor connections nor queues; the pool keeps those, feeds it, and lets it ask for the load of the
//! servers it considers through [`Occupancy`]. Costs do not grow noticeably with the number of servers: heaps, bit sets
//! and sorted rings, never a scan over all servers. Maps and rings are rebuilt at the first choice after a change, so a
//! storm of changes costs one rebuild.
//!
//! Servers are dense numbers in declaration order ([`ServerId`]). Backup servers form a second group that serves only
//! while no active server is usable; unless all of them are asked for, the first usable one takes everything.
//!
//! Configuration manual of HAProxy 3.4: `balance`, `hash-type`, `hash-balance-factor`, `option allbackups`.

mod algorithm;
mod bits;
mod build;
mod farm;
mod first;
pub mod hash;
mod least_conn;
mod random;
mod round_robin;
mod static_rr;
mod sticky;
pub mod weight;

#[cfg(test)]
mod tests;

use std::net::IpAddr;

pub use algorithm::{Affinity, Algorithm, HashFunction, HashMethod, HashType};
pub use build::{BuildError, Definition, MAX_SERVERS, Member};

/// A server's place in the declaration order of its pool.
#[expect(clippy::exhaustive_structs, reason = "a plain number with a name")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub u32);

impl ServerId {
    /// As an index into a table of the pool's servers.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// An algorithm at work.
pub trait Balancer: Send {
    /// Takes note of a change. Repeated and contradictory events are harmless: the last one counts.
    fn on(&mut self, event: ServerEvent);

    /// Chooses a server, or none when no usable server has room (or, for the hashes, when none is usable).
    fn pick(&mut self, key: PickKey<'_>) -> Option<ServerId>;

    /// How many active and backup servers are usable, and their total effective weights.
    fn census(&self) -> Census;
}

/// What a balancer must hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// The server is usable with this effective weight, or its weight changed; 0 takes it out of balancing.
    Weight {
        /// Whose.
        server: ServerId,
        /// Effective weight, see [`weight`].
        weight: u32,
    },
    /// The server was taken or released.
    Load {
        /// Whose.
        server: ServerId,
        /// Requests it serves plus requests waiting for it.
        inflight: u32,
    },
    /// The limits of servers changed otherwise than by `Load`, so that full servers may have room again.
    Limits,
    /// The server's place on the hash ring changed with its address.
    RingKey {
        /// Whose.
        server: ServerId,
        /// See [`hash::ring_key`].
        key: u32,
    },
}

/// Number and weight of the usable servers.
#[expect(clippy::exhaustive_structs, reason = "plain data")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Usable active servers.
    pub active: u32,
    /// Usable backup servers.
    pub backup: u32,
    /// Total effective weight of the usable active servers.
    pub active_weight: u64,
    /// Total effective weight of the usable backup servers.
    pub backup_weight: u64,
    /// The usable backup server declared first.
    pub first_backup: Option<ServerId>,
}

/// Everything a choice depends on besides the balancer's own state.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct PickKey<'a> {
    /// What to hash, for the algorithms that hash.
    pub key: Key<'a>,
    /// A server to leave out if another one will do: the one that has just failed.
    pub avoid: Option<ServerId>,
    /// The load of the servers.
    pub occupancy: &'a dyn Occupancy,
}

impl<'a> PickKey<'a> {
    /// Nothing to hash, nothing to avoid, no limits.
    pub const fn new() -> Self {
        Self { key: Key::None, avoid: None, occupancy: &Unlimited }
    }

    /// Sets what to hash.
    #[must_use]
    pub const fn with_key(mut self, key: Key<'a>) -> Self {
        self.key = key;
        self
    }

    /// Sets the server to avoid.
    #[must_use]
    pub const fn avoiding(mut self, server: Option<ServerId>) -> Self {
        self.avoid = server;
        self
    }

    /// Sets where to ask for the load of servers.
    #[must_use]
    pub const fn with_occupancy(mut self, occupancy: &'a dyn Occupancy) -> Self {
        self.occupancy = occupancy;
        self
    }
}

impl Default for PickKey<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// What to hash. [`hash`] has the functions that cut keys out of requests.
#[expect(clippy::exhaustive_enums, reason = "plain data")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Key<'a> {
    /// Nothing was found; servers are taken in turns.
    #[default]
    None,
    /// These bytes, by the configured function.
    Bytes(&'a [u8]),
    /// A client address. Its four or sixteen bytes are folded, whatever the configured function is.
    Address(IpAddr),
    /// A hash computed elsewhere; only the avalanche, if configured, is still applied.
    Hashed(u32),
}

/// Load and limits of one server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Load {
    /// Requests being served.
    pub served: u32,
    /// Requests waiting in the server's own queue.
    pub queued: u32,
    /// How many requests it may serve at present.
    pub limit: Option<u32>,
    /// How many requests may wait for it; 0 when that is not limited.
    pub max_queue: u32,
    /// New requests over the last second.
    pub rate: u32,
}

impl Load {
    /// Whether a request would be served at once.
    pub const fn has_room(&self) -> bool {
        match self.limit {
            None => true,
            Some(limit) => self.queued == 0 && self.served < limit,
        }
    }

    /// Whether a request would be served at once or may wait within an explicit queue limit.
    pub const fn has_room_or_queue(&self) -> bool {
        match self.limit {
            None => true,
            Some(limit) => (self.served as u64 + self.queued as u64) < limit as u64 + self.max_queue as u64,
        }
    }
}

/// Where a balancer asks for the load of a server it considers.
pub trait Occupancy {
    /// The load of one server.
    fn load(&self, server: ServerId) -> Load;

    /// Requests being served by all servers together.
    fn served(&self) -> u32;
}

/// Servers without limits, of whose load nothing is known.
#[expect(clippy::exhaustive_structs, reason = "a unit type")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Unlimited;

impl Occupancy for Unlimited {
    fn load(&self, _server: ServerId) -> Load {
        Load::default()
    }

    fn served(&self) -> u32 {
        0
    }
}
