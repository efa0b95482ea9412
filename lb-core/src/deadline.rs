//! Timers for machines that are told the time: a table for a few fixed ones, a heap for many.

use std::fmt;
use std::marker::PhantomData;
use std::time::Instant;

use crate::heap::IndexedHeap;

/// A fixed set of timers, usually an enum; `N` is their number.
pub trait TimerKey<const N: usize>: Copy {
    /// All timers, in the order in which those due at the same instant fire.
    const ALL: [Self; N];

    /// Position in [`ALL`](Self::ALL).
    fn index(self) -> usize;
}

/// At most one deadline for each of a few timers.
#[derive(Clone)]
pub struct TimerTable<K, const N: usize> {
    deadlines: [Option<Instant>; N],
    keys: PhantomData<K>,
}

impl<K: TimerKey<N>, const N: usize> Default for TimerTable<K, N> {
    fn default() -> Self {
        Self { deadlines: [None; N], keys: PhantomData }
    }
}

impl<K: TimerKey<N>, const N: usize> TimerTable<K, N> {
    /// Starts or restarts a timer.
    pub fn set(&mut self, timer: K, at: Instant) {
        self.deadlines[timer.index()] = Some(at);
    }

    /// Stops a timer.
    pub fn clear(&mut self, timer: K) {
        self.deadlines[timer.index()] = None;
    }

    /// Stops a timer that has run out and returns it; the earliest first. Call until it returns `None`.
    pub fn expire(&mut self, now: Instant) -> Option<K> {
        let timer = self.earliest().filter(|&(at, _)| at <= now)?.1;
        self.clear(timer);
        Some(timer)
    }

    /// When a timer runs out, if it is running.
    pub fn get(&self, timer: K) -> Option<Instant> {
        self.deadlines[timer.index()]
    }

    /// When the next timer runs out.
    pub fn next(&self) -> Option<Instant> {
        self.earliest().map(|(at, _)| at)
    }

    fn earliest(&self) -> Option<(Instant, K)> {
        K::ALL.into_iter().filter_map(|timer| Some((self.get(timer)?, timer))).min_by_key(|&(at, _)| at)
    }
}

impl<K: TimerKey<N> + fmt::Debug, const N: usize> fmt::Debug for TimerTable<K, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(K::ALL.into_iter().filter_map(|timer| Some((timer, self.get(timer)?)))).finish()
    }
}

/// At most one deadline for each of many items, which are small dense numbers.
///
/// Items due at the same instant come in the order in which they were set.
#[derive(Clone, Debug)]
pub struct DeadlineHeap {
    heap: IndexedHeap<Instant>,
}

impl DeadlineHeap {
    /// An empty heap with room for items below `capacity`; it grows when needed.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { heap: IndexedHeap::with_capacity(capacity) }
    }

    /// Sets or moves the deadline of an item.
    pub fn set(&mut self, item: u32, at: Instant) {
        self.heap.set(item, at);
    }

    /// Forgets the deadline of an item.
    pub fn clear(&mut self, item: u32) {
        self.heap.remove(item);
    }

    /// Removes and returns an item whose deadline has passed; the earliest first. Call until it returns `None`.
    pub fn expire(&mut self, now: Instant) -> Option<u32> {
        let (item, at) = self.heap.peek()?;
        (at <= now).then(|| {
            self.heap.remove(item);
            item
        })
    }

    /// The deadline of an item, if it has one.
    pub fn get(&self, item: u32) -> Option<Instant> {
        self.heap.key(item)
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|(_, at)| at)
    }

    /// Number of items with a deadline.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether no item has a deadline.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "any instant will do as the origin of virtual time")]

    use std::time::Duration;

    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Timer {
        Connect,
        Read,
    }

    impl TimerKey<2> for Timer {
        const ALL: [Self; 2] = [Self::Connect, Self::Read];

        fn index(self) -> usize {
            self as usize
        }
    }

    #[test]
    fn table_timers_fire_once_and_in_order_of_time() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut timers = TimerTable::<Timer, 2>::default();
        timers.set(Timer::Connect, at(5));
        timers.set(Timer::Read, at(3));
        assert_eq!(timers.next(), Some(at(3)));
        assert_eq!(timers.expire(at(2)), None);
        assert_eq!(timers.expire(at(5)), Some(Timer::Read));
        assert_eq!(timers.expire(at(5)), Some(Timer::Connect));
        assert_eq!(timers.expire(at(5)), None);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn equal_table_timers_fire_in_declaration_order() {
        let now = Instant::now();
        let mut timers = TimerTable::<Timer, 2>::default();
        timers.set(Timer::Read, now);
        timers.set(Timer::Connect, now);
        assert_eq!(timers.expire(now), Some(Timer::Connect));
    }

    #[test]
    fn heap_items_expire_in_order_and_can_move() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut deadlines = DeadlineHeap::with_capacity(2);
        for (item, seconds) in [(0, 1), (9, 2), (4, 3)] {
            deadlines.set(item, at(seconds));
        }
        deadlines.set(0, at(4));
        deadlines.clear(4);
        assert_eq!((deadlines.len(), deadlines.next(), deadlines.get(4)), (2, Some(at(2)), None));
        assert_eq!(deadlines.expire(at(4)), Some(9));
        assert_eq!(deadlines.expire(at(4)), Some(0));
        assert!(deadlines.expire(at(4)).is_none() && deadlines.is_empty());
    }
}
