//! The flows of one listener by client, at most so many.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

/// Which flow: that of a client, or one of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct FlowKey {
    /// The client.
    pub client: SocketAddr,
    /// 0 where a client has one flow; else each of its datagrams has a number of its own.
    pub serial: u64,
}

impl FlowKey {
    /// The only flow of a client.
    pub const fn of(client: SocketAddr) -> Self {
        Self { client, serial: 0 }
    }
}

/// A table of flows. When it is full, a new flow displaces the one whose client was silent for longest, so that whoever
/// invents clients cannot make it grow.
#[derive(Debug)]
pub struct Flows<T> {
    limit: usize,
    /// Counts datagrams; the age of a flow is the number of its client's last one.
    clock: u64,
    flows: HashMap<FlowKey, (u64, T)>,
    ages: BTreeMap<u64, FlowKey>,
}

impl<T> Flows<T> {
    /// An empty table for so many flows, one at least.
    pub fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), clock: 0, flows: HashMap::new(), ages: BTreeMap::new() }
    }

    /// A datagram came from the client of a flow: the flow, if there is one.
    pub fn touch(&mut self, key: &FlowKey) -> Option<&T> {
        let (age, flow) = self.flows.get_mut(key)?;
        // Nothing moves while one client is the only one that speaks.
        if *age != self.clock {
            self.ages.remove(age);
            self.clock += 1;
            *age = self.clock;
            self.ages.insert(self.clock, *key);
        }
        Some(flow)
    }

    /// Enters a new flow; answers the one it displaces: the former of this key, or the most silent of a full table.
    pub fn insert(&mut self, key: FlowKey, flow: T) -> Option<T> {
        let former = self.remove(&key, |_| true);
        let displaced = if self.flows.len() >= self.limit { self.displace() } else { None };
        self.clock += 1;
        self.flows.insert(key, (self.clock, flow));
        self.ages.insert(self.clock, key);
        former.or(displaced)
    }

    /// Removes a flow if it is the one that is meant.
    pub fn remove(&mut self, key: &FlowKey, is: impl FnOnce(&T) -> bool) -> Option<T> {
        self.flows.get(key).filter(|(_, flow)| is(flow))?;
        let (age, flow) = self.flows.remove(key)?;
        self.ages.remove(&age);
        Some(flow)
    }

    /// Removes the flow whose client was silent for longest.
    pub fn displace(&mut self) -> Option<T> {
        let (_, key) = self.ages.pop_first()?;
        self.flows.remove(&key).map(|(_, flow)| flow)
    }

    /// How many flows there are.
    pub fn len(&self) -> usize {
        self.flows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u16) -> FlowKey {
        FlowKey::of(SocketAddr::from(([192, 0, 2, 1], n)))
    }

    #[test]
    fn a_full_table_gives_up_the_flow_whose_client_was_silent_for_longest() {
        let mut flows = Flows::new(3);
        for n in 1..=3 {
            assert_eq!(flows.insert(key(n), n), None);
        }
        assert_eq!(flows.touch(&key(1)), Some(&1));
        assert_eq!(flows.insert(key(4), 4), Some(2));
        assert_eq!(flows.touch(&key(2)), None);
        assert_eq!(flows.insert(key(5), 5), Some(3));
        assert_eq!((flows.len(), flows.touch(&key(1))), (3, Some(&1)));
    }

    #[test]
    fn a_flow_of_the_same_key_is_replaced_and_no_other_has_to_go() {
        let mut flows = Flows::new(2);
        flows.insert(key(1), 1);
        flows.insert(key(2), 2);
        assert_eq!(flows.insert(key(2), 22), Some(2));
        assert_eq!((flows.len(), flows.touch(&key(1))), (2, Some(&1)));
    }

    #[test]
    fn a_flow_that_ends_late_does_not_take_its_successor_along() {
        let mut flows = Flows::new(2);
        flows.insert(key(1), 1);
        assert_eq!(flows.remove(&key(1), |flow| *flow == 7), None);
        assert_eq!(flows.remove(&key(1), |flow| *flow == 1), Some(1));
        assert!(flows.is_empty());
        assert_eq!(flows.displace(), None);
    }

    #[test]
    fn numbered_flows_of_one_client_stand_side_by_side() {
        let mut flows = Flows::new(8);
        let numbered = |serial| FlowKey { serial, ..key(1) };
        flows.insert(numbered(1), 'a');
        flows.insert(numbered(2), 'b');
        assert_eq!((flows.len(), flows.touch(&numbered(1))), (2, Some(&'a')));
        assert_eq!(flows.touch(&key(1)), None);
    }

    #[test]
    fn table_and_ages_agree_whatever_happens() {
        let mut flows = Flows::new(5);
        let mut rng = crate::rng::Rng::new(7);
        for _ in 0..10_000 {
            let key = key(rng.below(12) as u16);
            match rng.below(4) {
                0 => drop(flows.remove(&key, |_| true)),
                1 => drop(flows.touch(&key)),
                2 => drop(flows.displace().filter(|_| flows.len() > 4)),
                _ => drop(flows.insert(key, key)),
            }
            assert!(flows.len() <= 5);
            assert_eq!(flows.flows.len(), flows.ages.len());
            assert!(
                flows.ages.iter().all(|(age, key)| flows.flows[key].0 == *age && flows.flows[key].1 == *key)
            );
        }
    }
}
