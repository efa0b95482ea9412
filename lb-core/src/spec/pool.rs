//! The servers of a proxy and how one is chosen.

use super::ServerSpec;
use crate::balance::{Affinity, Algorithm, HashFunction, HashType};
use crate::expr::{Arena, Sample};
use crate::pool::Quorum;
use std::time::Duration;

/// Servers, balancing, retries.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PoolSpec {
    /// The servers in the order of the configuration.
    pub servers: Vec<ServerSpec>,
    /// How one is chosen.
    pub algorithm: Algorithm,
    /// How keys become servers.
    pub hash: HashType,
    /// Bound of the load of one server in percent of the average, for consistent hashing; 0 is none.
    pub hash_balance_factor: u32,
    /// Whether a hashed key may leave its server when that is full (`hash-preserve-affinity`).
    pub affinity: Affinity,
    /// Use all backup servers at once instead of the first usable one.
    pub all_backups: bool,
    /// Retries after a failed connection.
    pub retry: Retry,
    /// Load at which servers with a `minconn` reach their full `maxconn`; `None` computes a tenth of the frontends' limits.
    pub fullconn: Option<u32>,
    /// Send persistent traffic to servers that are down (`option persist`).
    pub persist: bool,
    /// Write a log line for each result of a check that changes something.
    pub log_health_checks: bool,
    /// Spread of check intervals in percent.
    pub spread_checks: u32,
    /// Weight of living servers without which the backup servers serve.
    pub quorum: Option<Quorum>,
}

impl PoolSpec {
    /// `servers` chosen by `algorithm`.
    pub fn new(algorithm: Algorithm, servers: Vec<ServerSpec>) -> Self {
        Self {
            servers,
            algorithm,
            hash: HashType::default(),
            hash_balance_factor: 0,
            affinity: Affinity::Always,
            all_backups: false,
            retry: Retry::default(),
            fullconn: None,
            persist: false,
            log_health_checks: false,
            spread_checks: 0,
            quorum: None,
        }
    }

    /// The bytes of a value that a server is chosen by. Where they are no hash but the number itself, they are its text.
    pub fn hash_key<'a>(&self, value: Sample<'a>, arena: &'a Arena) -> Option<&'a [u8]> {
        match self.hash.function {
            HashFunction::None => value.to_str(arena),
            _ => value.to_bin(arena),
        }
    }
}

/// What happens when connecting to a server fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Retry {
    /// Attempts after the first.
    pub retries: u32,
    /// `option redispatch`: try another server; how often, counted from the end when negative, 0 is never.
    pub redispatch: i32,
    /// Longest wait before the same server is tried again.
    pub turnaround: Duration,
}

impl Retry {
    /// How long to wait before the same server is tried again, where connecting may take `connect`.
    pub fn pause(&self, connect: Option<Duration>) -> Duration {
        connect.map_or(self.turnaround, |connect| connect.min(self.turnaround))
    }

    /// Whether retry number `used` of `allowed` goes to another server. A request that nothing ties to its server has no
    /// reason to insist, and one whose server went down no hope.
    pub fn moves(&self, used: u32, allowed: u32, free: bool, down: bool) -> bool {
        let every = match self.redispatch {
            0 => return false,
            from_last if from_last < 0 => i64::from(allowed) + 1 + i64::from(from_last),
            every => i64::from(every),
        };
        free || down || (every != 0 && i64::from(used) % every == 0)
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self { retries: 3, redispatch: 0, turnaround: Duration::from_secs(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::{PoolSpec, Retry};
    use crate::balance::{Algorithm, HashFunction};
    use crate::expr::{Arena, Sample};
    use std::net::Ipv4Addr;

    #[test]
    fn numbers_and_addresses_are_text_where_the_key_is_not_hashed() {
        let (mut spec, arena) = (PoolSpec::new(Algorithm::Hash, Vec::new()), Arena::new());
        let key = |spec: &PoolSpec, value| spec.hash_key(value, &arena).unwrap().to_vec();
        assert_eq!(key(&spec, Sample::Int(77)), 77_i64.to_be_bytes());
        assert_eq!(key(&spec, Sample::Ipv4(Ipv4Addr::new(10, 1, 2, 3))), [10, 1, 2, 3]);
        spec.hash.function = HashFunction::None;
        assert_eq!(key(&spec, Sample::Int(77)), b"77");
        assert_eq!(key(&spec, Sample::Ipv4(Ipv4Addr::new(10, 1, 2, 3))), b"10.1.2.3");
    }

    fn moving(redispatch: i32, allowed: u32) -> Vec<u32> {
        let retry = Retry { redispatch, ..Retry::default() };
        (1..=allowed).filter(|used| retry.moves(*used, allowed, false, false)).collect()
    }

    #[test]
    fn a_number_says_which_retries_go_elsewhere() {
        assert!(moving(0, 4).is_empty());
        assert_eq!(moving(1, 3), [1, 2, 3]);
        assert_eq!(moving(2, 5), [2, 4]);
        assert_eq!(moving(-1, 3), [3]);
        assert_eq!(moving(-2, 3), [2]);
        assert_eq!(moving(-4, 5), [2, 4]);
    }

    #[test]
    fn a_number_beyond_the_retries_moves_none_of_them() {
        assert!(moving(-3, 2).is_empty());
        assert!(moving(7, 3).is_empty());
    }

    #[test]
    fn nobody_waits_for_a_server_that_is_down_or_any_other_if_all_are_alike() {
        let retry = Retry { redispatch: -1, ..Retry::default() };
        assert!(retry.moves(1, 3, true, false));
        assert!(retry.moves(1, 3, false, true));
        assert!(!Retry::default().moves(3, 3, true, true));
    }
}
