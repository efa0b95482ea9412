//! Who else speaks for the addresses, and how well that is understood here.
//!
//! None of this decides anything: elections follow the adverts that pass all tests. It is kept for the operator, who wants
//! to know whom this router hears, whom it refuses and why, and which other machine answers for an address of its own.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::advert::AdvertReject;
use crate::spec::AdvertInterval;
use crate::stats::{ClaimSnapshot, SenderSnapshot};

/// How many other routers are remembered, and how many machines that answer for an address.
const MAX_SENDERS: usize = 16;
const MAX_CLAIMS: usize = 16;
/// The longest pause between two sets of announcements that one machine's answers provoke.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Everybody heard of.
#[derive(Debug, Default)]
pub(crate) struct Hearing {
    senders: Vec<Sender>,
    claims: Vec<Claimant>,
}

/// A router that sends adverts with our identifier.
#[derive(Debug)]
struct Sender {
    source: IpAddr,
    accepted: u64,
    refused: u64,
    last: Instant,
    /// Priority and interval of the last advert that passed all tests, and when it came.
    good: Option<(u8, AdvertInterval, Instant)>,
    /// Why the last refused packet was refused, in words, and when it came.
    bad: Option<Box<(AdvertReject, String, Instant)>>,
}

/// A machine that answers for an address held here.
#[derive(Debug)]
struct Claimant {
    address: IpAddr,
    mac: [u8; 6],
    count: u64,
    first: Instant,
    last: Instant,
    /// When its answers may provoke announcements again, and the pause after that.
    quiet_until: Instant,
    pause: Duration,
}

impl Hearing {
    /// An advert passed all tests.
    pub(crate) fn accepted(
        &mut self,
        now: Instant,
        source: IpAddr,
        (priority, interval): (u8, AdvertInterval),
    ) {
        let sender = self.sender(now, source);
        sender.accepted += 1;
        sender.good = Some((priority, interval, now));
    }

    /// A packet with our identifier was refused.
    pub(crate) fn refused(&mut self, now: Instant, source: IpAddr, reason: AdvertReject, text: &str) {
        let sender = self.sender(now, source);
        sender.refused += 1;
        match &mut sender.bad {
            // A flood must not cost an allocation per packet.
            Some(last) if last.0 == reason => last.2 = now,
            bad => *bad = Some(Box::new((reason, text.to_owned(), now))),
        }
    }

    /// Another machine answers for an address. True if the addresses should be announced against it: at once the first
    /// time, then at growing intervals, because two machines that both insist would only shout at each other.
    pub(crate) fn claimed(
        &mut self,
        now: Instant,
        address: IpAddr,
        mac: [u8; 6],
        patience: Duration,
    ) -> Claim {
        let known = self.claims.iter().position(|claim| claim.address == address && claim.mac == mac);
        let Some(at) = known else {
            if self.claims.len() == MAX_CLAIMS {
                self.claims.remove(0);
            }
            self.claims.push(Claimant {
                address,
                mac,
                count: 1,
                first: now,
                last: now,
                quiet_until: now + patience,
                pause: patience,
            });
            return Claim::New;
        };
        let claim = &mut self.claims[at];
        let silent = now.saturating_duration_since(claim.last) > patience.max(Duration::from_secs(5)) * 3;
        claim.count += 1;
        claim.last = now;
        if silent {
            // It was gone and is back.
            claim.first = now;
            claim.pause = patience;
            claim.quiet_until = now + patience;
            return Claim::New;
        }
        if now < claim.quiet_until {
            return Claim::Quiet;
        }
        claim.pause = (claim.pause * 2).min(LONGEST_PAUSE);
        claim.quiet_until = now + claim.pause;
        Claim::Again
    }

    /// Everybody who sent adverts, last heard first.
    pub(crate) fn senders(&self, now: Instant) -> Vec<SenderSnapshot> {
        let mut list: Vec<&Sender> = self.senders.iter().collect();
        list.sort_by_key(|sender| std::cmp::Reverse(sender.last));
        let age = |at: Instant| now.saturating_duration_since(at);
        list.into_iter()
            .map(|sender| SenderSnapshot {
                source: sender.source,
                accepted: sender.accepted,
                refused: sender.refused,
                last_accepted: sender.good.map(|(priority, interval, at)| (priority, interval, age(at))),
                last_refused: sender
                    .bad
                    .as_deref()
                    .map(|(reason, text, at)| (reason.word().to_owned(), text.clone(), age(*at))),
            })
            .collect()
    }

    /// Everybody who answered for an address.
    pub(crate) fn claims(&self, now: Instant) -> Vec<ClaimSnapshot> {
        let age = |at: Instant| now.saturating_duration_since(at);
        self.claims
            .iter()
            .map(|claim| ClaimSnapshot {
                address: claim.address,
                mac: claim.mac,
                count: claim.count,
                first: age(claim.first),
                last: age(claim.last),
            })
            .collect()
    }

    fn sender(&mut self, now: Instant, source: IpAddr) -> &mut Sender {
        let at = match self.senders.iter().position(|sender| sender.source == source) {
            Some(at) => at,
            None => {
                if self.senders.len() == MAX_SENDERS {
                    let oldest = (0..self.senders.len()).min_by_key(|&at| self.senders[at].last);
                    self.senders.remove(oldest.unwrap_or(0));
                }
                // With a thousand instances and one other router room for four would be felt.
                self.senders.reserve_exact(1);
                self.senders.push(Sender {
                    source,
                    accepted: 0,
                    refused: 0,
                    last: now,
                    good: None,
                    bad: None,
                });
                self.senders.len() - 1
            }
        };
        self.senders[at].last = now;
        &mut self.senders[at]
    }
}

/// What an answer for an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Of a machine not known to do so.
    New,
    /// Of one that still does, after announcements against it.
    Again,
    /// Nothing to be done about it now.
    Quiet,
}
