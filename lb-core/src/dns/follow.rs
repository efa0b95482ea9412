//! What is known of one name, and which server gets which of its addresses (manual: `resolvers`, `resolve-prefer`,
//! `resolve-net`, `resolve-opts`).

use super::{Failure, Family, Found, ResolverSpec};
use crate::addr::Network;
use crate::name::{ProxyName, ServerName};
use std::net::IpAddr;
use std::time::Instant;

/// Which of several addresses a server takes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Choice {
    /// The family that is preferred.
    pub prefer: Family,
    /// Networks that are preferred.
    pub networks: Vec<Network>,
    /// Several servers of a backend may have the same address.
    pub duplicates: bool,
}

impl Choice {
    /// How well an address suits; `None` if it must not be taken.
    fn score(&self, ip: IpAddr, current: Option<IpAddr>, taken: bool) -> Option<u8> {
        if taken && !self.duplicates {
            return None;
        }
        let mut score = 2 * u8::from(!taken) + u8::from(current == Some(ip));
        if ip.is_ipv4() == (self.prefer == Family::V4) {
            score += 8;
        }
        for network in &self.networks {
            // Networks of one family leave out the other one, as with HAProxy.
            if network.addr.is_ipv4() != ip.is_ipv4() {
                return None;
            }
            if network.contains(ip) {
                return Some(score + 4);
            }
        }
        Some(score)
    }
}

/// Most addresses that are known of a name: with a long `hold obsolete` there would be ever more of a name that leads
/// somewhere else each time.
const MAX_KNOWN: usize = 1024;

/// What is known of a name, and which servers have what of it.
#[derive(Debug)]
pub struct Follower {
    /// Addresses, each with when an answer had it last.
    known: Vec<(IpAddr, Instant)>,
    /// Who has which of them.
    held: Vec<(ProxyName, ServerName, IpAddr)>,
    /// When a name server knew the name last.
    valid: Instant,
}

impl Follower {
    /// With nothing known yet.
    pub const fn new(now: Instant) -> Self {
        Self { known: Vec::new(), held: Vec::new(), valid: now }
    }

    /// Takes an answer. [`Follower::choose`] may say something else now.
    pub fn handle_answer(&mut self, now: Instant, found: &Found, spec: &ResolverSpec) {
        self.valid = now;
        for ip in &found.addresses {
            match self.known.iter_mut().find(|(known, _)| known == ip) {
                Some((_, seen)) => *seen = now,
                None => self.known.push((*ip, now)),
            }
        }
        let excess = self.known.len().saturating_sub(MAX_KNOWN);
        for _ in 0..excess {
            let oldest = self.known.iter().enumerate().min_by_key(|(_, (_, seen))| *seen).map(|(at, _)| at);
            oldest.map(|at| self.known.remove(at));
        }
        self.known.retain(|(_, seen)| now.saturating_duration_since(*seen) <= spec.obsolete);
        let known = &self.known;
        self.held.retain(|(_, _, ip)| known.iter().any(|(known, _)| known == ip));
    }

    /// Takes note that there is no answer; true once it has lasted too long for servers to keep what they have.
    pub fn handle_failure(&mut self, now: Instant, failure: Failure, spec: &ResolverSpec) -> bool {
        let over = now.saturating_duration_since(self.valid) >= spec.tolerance.of(failure);
        if over {
            self.known.clear();
            self.held.clear();
        }
        over
    }

    /// Whether the name leads to an address.
    pub fn knows(&self, ip: IpAddr) -> bool {
        self.known.iter().any(|(known, _)| *known == ip)
    }

    /// The address that a server got here and that is still known.
    pub fn held(&self, backend: &ProxyName, server: &ServerName) -> Option<IpAddr> {
        self.held.iter().find(|(b, s, _)| b == backend && s == server).map(|(_, _, held)| *held)
    }

    /// The address for a server of a backend, which has `current`. It keeps one that it got here for as long as it is known.
    pub fn choose(
        &mut self,
        backend: &ProxyName,
        server: &ServerName,
        choice: &Choice,
        current: Option<IpAddr>,
    ) -> Option<IpAddr> {
        if let Some(held) = self.held(backend, server) {
            return Some(held);
        }
        let taken = |ip: IpAddr| self.held.iter().any(|(b, _, held)| b == backend && *held == ip);
        let mut best: Option<(u8, IpAddr)> = None;
        for (ip, _) in &self.known {
            let score = choice.score(*ip, current, taken(*ip));
            best = match (score, best) {
                (Some(score), Some((least, _))) if score <= least => best,
                (Some(score), _) => Some((score, *ip)),
                (None, _) => best,
            };
        }
        let (_, ip) = best?;
        self.held.push((backend.clone(), server.clone(), ip));
        Some(ip)
    }

    /// Forgets servers that are not there any more.
    pub fn retain(&mut self, is_there: impl Fn(&ProxyName, &ServerName) -> bool) {
        self.held.retain(|(backend, server, _)| is_there(backend, server));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn found(addresses: &[&str]) -> Found {
        Found { server: 0, addresses: addresses.iter().map(|ip| ip.parse().unwrap()).collect() }
    }

    fn choice() -> Choice {
        Choice { prefer: Family::V4, networks: Vec::new(), duplicates: false }
    }

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn each_server_of_a_backend_has_an_address_of_its_own_and_keeps_it() {
        let (spec, now) = (ResolverSpec::new("r"), crate::expr::testing::instant());
        let mut name = Follower::new(now);
        name.handle_answer(now, &found(&["192.0.2.1", "192.0.2.2"]), &spec);
        assert_eq!(
            name.choose(&"be".into(), &"a".into(), &choice(), ip("192.0.2.2")),
            ip("192.0.2.2"),
            "it has that one"
        );
        assert_eq!(name.choose(&"be".into(), &"b".into(), &choice(), None), ip("192.0.2.1"));
        assert_eq!(name.choose(&"be".into(), &"c".into(), &choice(), None), None, "none is left");
        assert_eq!(name.choose(&"other".into(), &"a".into(), &choice(), None), ip("192.0.2.1"));
        let double = Choice { duplicates: true, ..choice() };
        assert_eq!(name.choose(&"be".into(), &"d".into(), &double, None), ip("192.0.2.1"));
        name.handle_answer(now, &found(&["192.0.2.3", "192.0.2.2"]), &spec);
        assert_eq!(name.choose(&"be".into(), &"a".into(), &choice(), ip("192.0.2.2")), ip("192.0.2.2"));
        name.retain(|_, server| server.as_str() != "a");
        assert_eq!(
            name.choose(&"be".into(), &"b".into(), &choice(), ip("192.0.2.1")),
            ip("192.0.2.1"),
            "no news yet"
        );
        let later = now + Duration::from_millis(1);
        name.handle_answer(later, &found(&["192.0.2.3"]), &spec);
        assert_eq!(name.choose(&"be".into(), &"b".into(), &choice(), ip("192.0.2.1")), ip("192.0.2.3"));
    }

    #[test]
    fn an_address_that_answers_lack_is_kept_as_long_as_the_section_says() {
        let mut spec = ResolverSpec::new("r");
        spec.obsolete = Duration::from_secs(5);
        let now = crate::expr::testing::instant();
        let mut name = Follower::new(now);
        name.handle_answer(now, &found(&["192.0.2.1"]), &spec);
        assert_eq!(name.choose(&"be".into(), &"a".into(), &choice(), None), ip("192.0.2.1"));
        for (seconds, kept) in [(5, "192.0.2.1"), (6, "192.0.2.2")] {
            name.handle_answer(now + Duration::from_secs(seconds), &found(&["192.0.2.2"]), &spec);
            assert_eq!(
                name.choose(&"be".into(), &"a".into(), &choice(), ip("192.0.2.1")),
                ip(kept),
                "{seconds}"
            );
        }
    }

    #[test]
    fn of_more_addresses_than_a_name_may_have_the_oldest_are_forgotten() {
        let mut spec = ResolverSpec::new("r");
        spec.obsolete = Duration::from_secs(3600);
        let now = crate::expr::testing::instant();
        let mut name = Follower::new(now);
        for number in 0..=MAX_KNOWN as u32 {
            let addresses = vec![IpAddr::V4((0x0a00_0000 + number).into())];
            name.handle_answer(
                now + Duration::from_millis(number.into()),
                &Found { server: 0, addresses },
                &spec,
            );
        }
        assert_eq!(name.known.len(), MAX_KNOWN);
        assert!(!name.knows("10.0.0.0".parse().unwrap()));
        assert!(name.knows("10.0.0.1".parse().unwrap()) && name.knows("10.0.4.0".parse().unwrap()));
    }

    #[test]
    fn families_count_more_than_networks_and_networks_more_than_what_a_server_has() {
        let (spec, now) = (ResolverSpec::new("r"), crate::expr::testing::instant());
        let networks = vec![Network { addr: "10.1.0.0".parse().unwrap(), bits: 16 }];
        let near = Choice { networks, ..choice() };
        let mut name = Follower::new(now);
        name.handle_answer(now, &found(&["2001:db8::1", "192.0.2.1", "10.1.2.3"]), &spec);
        assert_eq!(name.choose(&"be".into(), &"a".into(), &near, ip("192.0.2.1")), ip("10.1.2.3"));
        assert_eq!(name.choose(&"be".into(), &"b".into(), &near, None), ip("192.0.2.1"));
        assert_eq!(name.choose(&"be".into(), &"c".into(), &near, None), None, "the other family is left out");
        let six = Choice { prefer: Family::V6, ..choice() };
        assert_eq!(name.choose(&"be".into(), &"d".into(), &six, ip("192.0.2.1")), ip("2001:db8::1"));
    }

    #[test]
    fn a_failure_is_borne_for_as_long_as_the_section_says() {
        let mut spec = ResolverSpec::new("r");
        spec.tolerance.no_name = Duration::from_secs(2);
        let start = crate::expr::testing::instant();
        let mut name = Follower::new(start);
        let after = |seconds| start + Duration::from_secs(seconds);
        name.handle_answer(after(10), &found(&["192.0.2.1"]), &spec);
        assert_eq!(name.choose(&"be".into(), &"a".into(), &choice(), None), ip("192.0.2.1"));
        assert!(!name.handle_failure(after(11), Failure::NoName, &spec));
        assert!(!name.handle_failure(after(13), Failure::Silence, &spec), "silence is borne for longer");
        assert_eq!(name.choose(&"be".into(), &"a".into(), &choice(), ip("192.0.2.1")), ip("192.0.2.1"));
        assert!(name.handle_failure(after(13), Failure::NoName, &spec));
        assert_eq!(name.choose(&"be".into(), &"a".into(), &choice(), None), None);
    }
}
