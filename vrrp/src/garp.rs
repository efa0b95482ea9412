//! Announcements of addresses, one after the other where an interface is to be spared.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::event::{Announcement, Output};
use crate::outbox::Outbox;
use crate::spec::{Garp, GarpGroup, Name};

/// Announcements waiting per queue. Beyond this the oldest intention wins and new ones are dropped: the next set
/// will name the address again.
const MAX_WAITING: usize = 4096;

/// Sends announcements at once, or paced where an interval between two is configured.
#[derive(Debug, Default)]
pub(crate) struct Pacer {
    groups: Vec<GarpGroup>,
    queues: Vec<Queue>,
}

/// How announcements of an instance are paced.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace<'a> {
    pub(crate) garp: &'a Garp,
    /// Interfaces with a virtual hardware address, each with the one below, whose interval it shares.
    pub(crate) separate: &'a [(&'a Name, &'a Name)],
}

impl<'a> Pace<'a> {
    /// The interface that is to be spared.
    fn physical(&self, announcement: &'a Announcement) -> &'a Name {
        let found = self.separate.iter().find(|(separate, _)| announcement.interface == **separate);
        found.map_or(&announcement.interface, |(_, below)| below)
    }
}

/// What shares one interval: an interface or a group of them, and the family.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    scope: Scope,
    ipv6: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Scope {
    Interface(Name),
    Group(usize),
}

#[derive(Debug)]
struct Queue {
    key: Key,
    interval: Duration,
    /// When the next one may be sent.
    next: Instant,
    /// Each with how often it is still to be sent.
    waiting: VecDeque<(Announcement, u32)>,
}

impl Pacer {
    pub(crate) fn configure(&mut self, groups: Vec<GarpGroup>) {
        if self.groups != groups {
            // The queues are named after positions in the list.
            self.groups = groups;
            self.queues.clear();
        }
    }

    /// Announces addresses `repeat` times each, round by round. Returns how many were sent at once.
    pub(crate) fn announce(
        &mut self,
        now: Instant,
        announcements: &[Announcement],
        repeat: u32,
        pace: Pace<'_>,
        out: &mut Outbox,
    ) -> u64 {
        let mut sent = 0;
        for round in 0..repeat {
            for announcement in announcements {
                let (key, interval) = self.key(announcement, pace);
                if interval.is_zero() {
                    emit(announcement.clone(), out);
                    sent += 1;
                } else if round == 0 {
                    self.enqueue(now, key, interval, announcement, repeat);
                }
            }
        }
        sent + self.handle_timeout(now, out)
    }

    /// Drops what an instance still wanted to announce.
    pub(crate) fn forget(&mut self, instance: &Name) {
        for queue in &mut self.queues {
            queue.waiting.retain(|(announcement, _)| announcement.instance != *instance);
        }
    }

    /// Sends what is due. Returns how many.
    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) -> u64 {
        let mut sent = 0;
        for queue in &mut self.queues {
            while queue.next <= now {
                let Some((announcement, left)) = queue.waiting.pop_front() else { break };
                queue.next = now + queue.interval;
                if left > 1 {
                    queue.waiting.push_back((announcement.clone(), left - 1));
                }
                emit(announcement, out);
                sent += 1;
            }
        }
        sent
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.queues.iter().filter(|queue| !queue.waiting.is_empty()).map(|queue| queue.next).min()
    }

    fn key(&self, announcement: &Announcement, pace: Pace<'_>) -> (Key, Duration) {
        let interface = pace.physical(announcement);
        let ipv6 = announcement.address.is_ipv6();
        let pick = |garp: Duration, gna: Duration| if ipv6 { gna } else { garp };
        let member = |group: &GarpGroup| group.interfaces.contains(interface);
        match self.groups.iter().position(member) {
            Some(at) => {
                let interval = pick(self.groups[at].garp_interval, self.groups[at].gna_interval);
                (Key { scope: Scope::Group(at), ipv6 }, interval)
            }
            None => {
                let scope = Scope::Interface(interface.clone());
                (Key { scope, ipv6 }, pick(pace.garp.garp_interval, pace.garp.gna_interval))
            }
        }
    }

    fn enqueue(
        &mut self,
        now: Instant,
        key: Key,
        interval: Duration,
        announcement: &Announcement,
        repeat: u32,
    ) {
        let at = self.queues.iter().position(|queue| queue.key == key).unwrap_or_else(|| {
            self.queues.push(Queue { key, interval, next: now, waiting: VecDeque::new() });
            self.queues.len() - 1
        });
        let queue = &mut self.queues[at];
        queue.interval = interval;
        if let Some((_, left)) = queue.waiting.iter_mut().find(|(waiting, _)| waiting == announcement) {
            *left = repeat.max(*left);
        } else if queue.waiting.len() < MAX_WAITING {
            queue.waiting.push_back((announcement.clone(), repeat));
        }
    }
}

fn emit(announcement: Announcement, out: &mut Outbox) {
    if announcement.address.is_ipv6() {
        out.detail(format!(
            "Sending unsolicited Neighbour Advert on {} for {}",
            announcement.interface, announcement.address
        ));
        out.push(Output::NeighborAdvert(announcement));
    } else {
        out.detail(format!(
            "Sending gratuitous ARP on {} for {}",
            announcement.interface, announcement.address
        ));
        out.push(Output::Garp(announcement));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a virtual clock needs one real instant to begin with")]
    fn start() -> Instant {
        Instant::now()
    }

    fn announcement(interface: &str, last: u8) -> Announcement {
        Announcement {
            instance: "i".into(),
            interface: interface.into(),
            address: [10, 0, 0, last].into(),
            mac: None,
        }
    }

    fn pace(garp: &Garp) -> Pace<'_> {
        Pace { garp, separate: &[] }
    }

    fn sent(out: &mut Outbox) -> Vec<u8> {
        std::iter::from_fn(|| out.pop())
            .filter_map(|output| match output {
                Output::Garp(announcement) => match announcement.address {
                    std::net::IpAddr::V4(address) => Some(address.octets()[3]),
                    std::net::IpAddr::V6(_) => None,
                },
                _ => None,
            })
            .collect()
    }

    #[test]
    fn without_an_interval_all_go_out_at_once_round_by_round() {
        let (mut pacer, mut out) = (Pacer::default(), Outbox::default());
        let both = [announcement("eth0", 1), announcement("eth0", 2)];
        assert_eq!(pacer.announce(start(), &both, 3, pace(&Garp::default()), &mut out), 6);
        assert_eq!(sent(&mut out), [1, 2, 1, 2, 1, 2]);
        assert_eq!(pacer.poll_timeout(), None);
    }

    #[test]
    fn with_an_interval_the_first_goes_out_and_the_rest_follow_one_by_one() {
        let (mut pacer, mut out, now) = (Pacer::default(), Outbox::default(), start());
        let garp = Garp { garp_interval: Duration::from_millis(10), ..Garp::default() };
        let both = [announcement("eth0", 1), announcement("eth0", 2)];
        assert_eq!(pacer.announce(now, &both, 2, pace(&garp), &mut out), 1);
        let mut order = sent(&mut out);
        while let Some(at) = pacer.poll_timeout() {
            pacer.handle_timeout(at, &mut out);
            order.extend(sent(&mut out));
        }
        assert_eq!(order, [1, 2, 1, 2]);
    }

    #[test]
    fn interfaces_of_a_group_share_its_interval() {
        let (mut pacer, mut out, now) = (Pacer::default(), Outbox::default(), start());
        let interfaces = vec!["eth0".into(), "eth1".into()];
        let garp_interval = Duration::from_millis(10);
        pacer.configure(vec![GarpGroup { interfaces, garp_interval, ..GarpGroup::default() }]);
        let both = [announcement("eth0", 1), announcement("eth1", 2)];
        pacer.announce(now, &both, 1, pace(&Garp::default()), &mut out);
        assert_eq!(sent(&mut out), [1]);
        assert_eq!(pacer.poll_timeout(), Some(now + garp_interval));
        // The one above eth1 belongs to the group as well.
        let (garp, above, below) = (Garp::default(), "vrrp.51".into(), "eth1".into());
        let separate = Pace { garp: &garp, separate: &[(&above, &below)] };
        pacer.announce(now, &[announcement("vrrp.51", 3)], 1, separate, &mut out);
        assert!(sent(&mut out).is_empty());
    }

    #[test]
    fn a_forgotten_instance_announces_no_more() {
        let (mut pacer, mut out, now) = (Pacer::default(), Outbox::default(), start());
        let garp = Garp { garp_interval: Duration::from_millis(10), ..Garp::default() };
        pacer.announce(now, &[announcement("eth0", 1)], 5, pace(&garp), &mut out);
        pacer.forget(&"i".into());
        assert_eq!(pacer.poll_timeout(), None);
    }
}
