//! The other routers with our identifier, as far as they were heard.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::hear::Hearing;
use super::{ADDRESS_LIST, Core, Cx};
use crate::advert::Advert;
use crate::stats::{ClaimSnapshot, SenderSnapshot};
use crate::wire::PRIORITY_STOP;

/// How many other routers are remembered.
const MAX_RIVALS: usize = 16;
/// How long farewells of a router are mistrusted after a false one.
const WARINESS: Duration = Duration::from_secs(60);

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// Everybody whose adverts count, with the last priority.
    rivals: Vec<(IpAddr, u8)>,
    /// The last farewell of a router that was heard before.
    farewell: Option<Farewell>,
    /// Who was last spoken for by somebody else, and when.
    wary: Option<(IpAddr, Instant)>,
    pub(super) hearing: Hearing,
}

/// A router said that it stops.
#[derive(Debug)]
struct Farewell {
    source: IpAddr,
    /// Its priority until then.
    before: u8,
    at: Instant,
}

impl Others {
    fn priority(&self, of: IpAddr) -> Option<u8> {
        self.rivals.iter().find(|(address, _)| *address == of).map(|(_, priority)| *priority)
    }

    /// An advert with this priority came.
    fn heard(&mut self, source: IpAddr, priority: u8) {
        if priority == PRIORITY_STOP {
            self.rivals.retain(|(address, _)| *address != source);
        } else if let Some(known) = self.rivals.iter_mut().find(|(address, _)| *address == source) {
            known.1 = priority;
        } else {
            if self.rivals.len() == MAX_RIVALS {
                self.rivals.remove(0);
            }
            self.rivals.reserve_exact(1);
            self.rivals.push((source, priority));
        }
    }
}

impl Core {
    pub(super) fn others_mut(&mut self) -> &mut Others {
        self.others.get_or_insert_default()
    }

    /// True if another router would win an election now, as far as is known. Who has never heard of another router
    /// cannot exclude it.
    pub(crate) fn expects_to_lose(&self) -> bool {
        let ours = (self.effective, self.source);
        let rivals = self.others.as_ref().map_or(&[][..], |others| &others.rivals);
        rivals.is_empty() || rivals.iter().any(|&(address, priority)| (priority, Some(address)) > ours)
    }

    /// The router in whose name others sent farewells lately.
    pub(crate) fn wary(&self, now: Instant) -> Option<IpAddr> {
        let (source, at) = self.others.as_ref()?.wary?;
        (now.saturating_duration_since(at) < WARINESS).then_some(source)
    }

    /// Everybody who sent adverts, last heard first.
    pub(crate) fn senders(&self, now: Instant) -> Vec<SenderSnapshot> {
        self.others.as_ref().map_or_else(Vec::new, |others| others.hearing.senders(now))
    }

    /// Everybody who answered for an address.
    pub(crate) fn claims(&self, now: Instant) -> Vec<ClaimSnapshot> {
        self.others.as_ref().map_or_else(Vec::new, |others| others.hearing.claims(now))
    }

    /// Everybody heard of, to be added to.
    pub(crate) fn hearing_mut(&mut self) -> &mut Hearing {
        &mut self.others_mut().hearing
    }

    /// An advert passed all tests.
    pub(super) fn note(&mut self, cx: &mut Cx<'_>, advert: &Advert) {
        self.stats.adverts_received += 1;
        self.hearing_mut().accepted(cx.now, advert.source, (advert.priority, advert.interval));
        if let Some(mismatch) = advert.address_mismatch {
            self.stats.address_list_mismatches += 1;
            if self.told.once(ADDRESS_LIST) {
                self.warn(cx, &mismatch.text(self.spec.vrid, advert.source));
            }
        }
        if let Some(sequence) = advert.sequence {
            self.seen_sequence = sequence;
            // A peer that starts counting anew must not be locked out by our own high number.
            self.sequence = self.sequence.max(sequence);
        }
        self.judge_farewell(cx, advert);
        self.others_mut().heard(advert.source, advert.priority);
    }

    /// Nothing in a farewell proves that the master sent it. But a master that stops does not go on as if nothing had
    /// happened: if it does, somebody else spoke in its name.
    fn judge_farewell(&mut self, cx: &mut Cx<'_>, advert: &Advert) {
        let Advert { source, priority, interval, .. } = *advert;
        let others = self.others_mut();
        if priority == PRIORITY_STOP {
            // A second farewell says nothing new about what was before the first.
            if let Some(before) = others.priority(source) {
                others.farewell = Some(Farewell { source, before, at: cx.now });
            }
            return;
        }
        let Some(farewell) = others.farewell.take_if(|farewell| farewell.source == source) else { return };
        let age = cx.now.saturating_duration_since(farewell.at);
        if farewell.before != priority || age > interval.duration() * 3 / 2 {
            return;
        }
        let news = self.wary(cx.now).is_none();
        self.stats.false_farewells += 1;
        self.others_mut().wary = Some((source, cx.now));
        if news {
            self.warn(
                cx,
                &format!(
                    "{source} goes on after a farewell (priority 0) in its name: another machine sent it. For a minute its \
                     farewells count only when its next advert fails to come"
                ),
            );
        }
    }
}
