//! Asking name servers while traffic flows: for rules (`do-resolve`) and for the addresses of servers.
//!
//! [`Lookup`] is one question as a machine without sockets: it says what to send and when to ask again, and takes what
//! came back. [`Resolvers`] is a `resolvers` section: whom to ask, how patiently, and what was found lately. [`Follower`]
//! gives what is found out about a name to the servers that have it. The drivers are `rt::resolve` and `rt::names`.

mod follow;
mod lookup;
mod wire;

pub use follow::{Choice, Follower};
pub use lookup::{Failure, Found, Lookup, Output};
pub use wire::{Answer, Family, Name, parse, question};

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most addresses that are remembered.
const KEEP: usize = 4_096;
/// Most questions at once: names come from clients.
const AT_ONCE: usize = 1_024;

/// How name servers are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResolverSpec {
    /// Name of the section.
    pub name: String,
    /// Whom to ask; all of them at once.
    pub servers: Vec<NameServer>,
    /// How often a question is sent before it fails (`resolve_retries`).
    pub tries: u32,
    /// Time for an answer (`timeout retry`).
    pub patience: Duration,
    /// How long an address is good for in rules (`hold valid`).
    pub hold: Duration,
    /// Time between two questions for the name of a server (`timeout resolve`).
    pub interval: Duration,
    /// How long a server keeps an address that answers do not have any more (`hold obsolete`).
    pub obsolete: Duration,
    /// How long a server outlives each failure (`hold nx`, `refused`, `timeout` and `other`).
    pub tolerance: Tolerance,
    /// Largest answer (`accepted_payload_size`).
    pub payload: u16,
}

impl ResolverSpec {
    /// Nobody to ask yet, with HAProxy's defaults.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            servers: Vec::new(),
            tries: 3,
            patience: Duration::from_secs(1),
            hold: Duration::from_secs(10),
            interval: Duration::from_secs(1),
            obsolete: Duration::ZERO,
            tolerance: Tolerance::default(),
            payload: 512,
        }
    }
}

/// How long servers keep their addresses while their name leads to none, by what name servers say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Tolerance {
    /// The name does not exist.
    pub no_name: Duration,
    /// They do not answer us.
    pub refused: Duration,
    /// Nothing.
    pub silence: Duration,
    /// Anything else.
    pub other: Duration,
}

impl Tolerance {
    const fn of(&self, failure: Failure) -> Duration {
        match failure {
            Failure::NoName => self.no_name,
            Failure::Refused => self.refused,
            Failure::Silence => self.silence,
            Failure::Other => self.other,
        }
    }
}

impl Default for Tolerance {
    fn default() -> Self {
        let usual = Duration::from_secs(30);
        Self { no_name: usual, refused: usual, silence: usual, other: usual }
    }
}

/// Somebody to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct NameServer {
    /// What log lines call it.
    pub name: String,
    /// Where it listens.
    pub addr: SocketAddr,
}

impl From<SocketAddr> for NameServer {
    /// A name server without a name of its own.
    fn from(addr: SocketAddr) -> Self {
        Self { name: addr.ip().to_string(), addr }
    }
}

/// A `resolvers` section at work.
#[derive(Debug)]
pub struct Resolvers {
    spec: ResolverSpec,
    found: Mutex<HashMap<(Name, Family), (Instant, IpAddr)>>,
    asking: AtomicUsize,
}

/// The right to ask; given back when dropped.
#[derive(Debug)]
pub struct Permit<'a>(&'a AtomicUsize);

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Resolvers {
    /// With nothing found.
    pub fn new(spec: ResolverSpec) -> Self {
        Self { spec, found: Mutex::default(), asking: AtomicUsize::new(0) }
    }

    /// How name servers are asked.
    pub fn spec(&self) -> &ResolverSpec {
        &self.spec
    }

    /// What was found lately for a name, with this family preferred.
    pub fn known(&self, now: Instant, name: &Name, prefer: Family) -> Option<IpAddr> {
        let found = self.found();
        let (at, ip) = found.get(&(name.clone(), prefer))?;
        self.is_fresh(now, *at).then_some(*ip)
    }

    /// Remembers what was found.
    pub fn remember(&self, now: Instant, name: Name, prefer: Family, ip: IpAddr) {
        let mut found = self.found();
        if found.len() >= KEEP {
            found.retain(|_, (at, _)| self.is_fresh(now, *at));
        }
        if found.len() >= KEEP {
            found.clear();
        }
        found.insert((name, prefer), (now, ip));
    }

    /// The right to ask, unless too many do.
    pub fn permit(&self) -> Option<Permit<'_>> {
        let permit = Permit(&self.asking);
        (self.asking.fetch_add(1, Relaxed) < AT_ONCE).then_some(permit)
    }

    fn is_fresh(&self, now: Instant, at: Instant) -> bool {
        now.saturating_duration_since(at) < self.spec.hold
    }

    fn found(&self) -> MutexGuard<'_, HashMap<(Name, Family), (Instant, IpAddr)>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name servers that a `resolv.conf` lists.
pub fn system_servers(resolv_conf: &str) -> Vec<NameServer> {
    let servers = resolv_conf.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let keyword = words.next().filter(|word| *word == "nameserver");
        keyword.and_then(|_| words.next()?.parse::<IpAddr>().ok())
    });
    servers.map(|ip| SocketAddr::new(ip, 53).into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_remembered_for_as_long_as_the_section_says() {
        let resolvers = Resolvers::new(ResolverSpec::new("r"));
        let now = crate::expr::testing::instant();
        let name = Name::new(b"a.example").unwrap();
        let ip: IpAddr = "192.0.2.1".parse().unwrap();
        resolvers.remember(now, name.clone(), Family::V4, ip);
        let later = now + Duration::from_millis(9_999);
        assert_eq!(resolvers.known(later, &Name::new(b"A.example.").unwrap(), Family::V4), Some(ip));
        assert_eq!(resolvers.known(later, &name, Family::V6), None);
        assert_eq!(resolvers.known(now + Duration::from_secs(10), &name, Family::V4), None);
    }

    #[test]
    fn memory_and_questions_are_bounded() {
        let resolvers = Resolvers::new(ResolverSpec::new("r"));
        let now = crate::expr::testing::instant();
        for number in 0..2 * KEEP {
            let name = Name::new(format!("n{number}.example").as_bytes()).unwrap();
            resolvers.remember(now, name, Family::V4, IpAddr::from([192, 0, 2, 1]));
        }
        assert!(resolvers.found().len() <= KEEP);
        let permits: Vec<_> = std::iter::from_fn(|| resolvers.permit()).collect();
        assert_eq!(permits.len(), AT_ONCE);
        drop(permits);
        assert!(resolvers.permit().is_some());
    }

    #[test]
    fn the_systems_name_servers_are_read() {
        let text = "# x\nsearch a\nnameserver 192.0.2.53\nnameserver  2001:db8::1 \nnameserver x\n";
        let found = system_servers(text);
        let wanted =
            ["192.0.2.53:53", "[2001:db8::1]:53"].map(|s| NameServer::from(s.parse::<SocketAddr>().unwrap()));
        assert_eq!(found, wanted);
    }
}
