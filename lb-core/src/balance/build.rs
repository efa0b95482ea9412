//! From a definition to a balancer at work.

use super::farm::Farm;
use super::first::First;
use super::hash::{self, Hashed, Hasher, Ring, RingIdentity};
use super::least_conn::{LeastConn, Rank};
use super::random::Random;
use super::round_robin::RoundRobin;
use super::static_rr::Map;
use super::sticky::Sticky;
use super::{Affinity, Algorithm, Balancer, HashMethod, HashType, weight};
use crate::rng::Rng;

/// One server, as far as balancing is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member {
    /// Numeric id: decides the order of `first`, and the place on the ring unless told otherwise.
    pub id: u32,
    /// Configured weight, at most [`weight::MAX`].
    pub weight: u32,
    /// Whether it serves only while no active server is usable.
    pub backup: bool,
    /// Whether it is usable from the start.
    pub usable: bool,
    /// Where its points on the ring derive from, see [`hash::ring_key`].
    pub ring_key: u32,
}

impl Member {
    /// An active, usable server.
    pub fn new(id: u32, weight: u32) -> Self {
        let ring_key = hash::ring_key(&RingIdentity::Id(id));
        Self { id, weight: weight.min(weight::MAX), backup: false, usable: true, ring_key }
    }

    /// Makes it a backup server.
    #[must_use]
    pub const fn backup(mut self) -> Self {
        self.backup = true;
        self
    }
}

/// Everything a balancer is built from.
///
/// ```
/// use lb_core::balance::{Algorithm, Balancer as _, Definition, Member, PickKey};
/// use lb_core::rng::Rng;
///
/// let definition = Definition::new(Algorithm::RoundRobin, vec![Member::new(1, 3), Member::new(2, 1)]);
/// let mut balancer = definition.build(Rng::new(0)).unwrap();
/// let picks: Vec<_> = (0..4).map(|_| balancer.pick(PickKey::new()).unwrap().0).collect();
/// assert_eq!(picks.iter().filter(|&&server| server == 0).count(), 3);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Definition {
    /// How to choose.
    pub algorithm: Algorithm,
    /// How to hash, for the algorithms that hash.
    pub hash: HashType,
    /// `hash-balance-factor`: how much of the average load, in percent, a server may have before the next one on the
    /// ring is asked. Needs a consistent hash or `random`.
    pub balance_factor: Option<u32>,
    /// `hash-preserve-affinity`.
    pub affinity: Affinity,
    /// `option allbackups`.
    pub all_backups: bool,
    /// The servers, in declaration order.
    pub members: Vec<Member>,
}

/// Why a balancer cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// There are more servers than a balancer can tell apart.
    #[error("{count} servers are more than the {max} one pool can hold", max = MAX_SERVERS)]
    TooManyServers {
        /// How many there are.
        count: usize,
    },
}

/// Largest number of servers of a balancer; far beyond what is sensible, but numbers must fit.
pub const MAX_SERVERS: usize = hash::MAX_RING_SERVERS;

impl Definition {
    /// A definition with the default hash type and nothing special.
    pub fn new(algorithm: Algorithm, members: Vec<Member>) -> Self {
        Self {
            algorithm,
            hash: HashType::default(),
            balance_factor: None,
            affinity: Affinity::Always,
            all_backups: false,
            members,
        }
    }

    /// How many units of effective weight make one unit of configured weight.
    pub const fn weight_scale(&self) -> u32 {
        if self.algorithm.is_dynamic(&self.hash) { weight::SCALE } else { 1 }
    }

    /// Builds the balancer. `rng` is used by `random` only.
    pub fn build(&self, mut rng: Rng) -> Result<Box<dyn Balancer>, BuildError> {
        let count = self.members.len();
        if count > MAX_SERVERS {
            return Err(BuildError::TooManyServers { count });
        }
        let balancer: Box<dyn Balancer> = match &self.algorithm {
            Algorithm::RoundRobin => self.farm(|| RoundRobin::new(count)),
            Algorithm::StaticRr => self.farm(|| Map::new(self.weights(), None)),
            Algorithm::LeastConn => self.farm(|| LeastConn::new(count, Rank::IdleFirst)),
            Algorithm::ShortestDelay => self.farm(|| LeastConn::new(count, Rank::ShortestDelay)),
            Algorithm::Fewest => self.farm(|| LeastConn::new(count, Rank::Fewest)),
            Algorithm::First => {
                let ids: Vec<_> = self.members.iter().map(|member| member.id).collect();
                self.farm(|| First::new(&ids))
            }
            Algorithm::Random { draws } => self.farm(|| Random::new(self.ring(), *draws, rng.fork())),
            Algorithm::Sticky => self.farm(|| Sticky::new(count)),
            Algorithm::Source
            | Algorithm::Uri { .. }
            | Algorithm::Hdr { .. }
            | Algorithm::UrlParam { .. }
            | Algorithm::RdpCookie { .. }
            | Algorithm::Hash => {
                let hasher = Hasher::new(&self.hash);
                match self.hash.method {
                    HashMethod::MapBased => self.farm(|| Map::new(self.weights(), Some(hasher))),
                    HashMethod::Consistent => self.farm(|| Hashed::new(self.ring(), hasher)),
                }
            }
        };
        Ok(balancer)
    }

    fn farm<G: super::farm::Group + 'static>(&self, group: impl FnMut() -> G) -> Box<dyn Balancer> {
        Box::new(Farm::new(&self.members, self.weight_scale(), self.all_backups, group))
    }

    fn weights(&self) -> impl ExactSizeIterator<Item = u32> {
        self.members.iter().map(|member| member.weight)
    }

    fn ring(&self) -> Ring {
        let keys = self.members.iter().map(|member| member.ring_key);
        Ring::new(keys, self.balance_factor, self.affinity)
    }
}
