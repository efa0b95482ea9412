//! A binary heap over small dense numbers whose keys can change in place.
//!
//! Everything that must find "the next one" among many servers or timers without scanning stands on it. It allocates
//! only when a number beyond its capacity is first inserted.

/// Marks a number that is not in the heap.
const ABSENT: u32 = u32::MAX;

/// A min-heap of `u32` numbers, each with a key; at most one entry per number.
///
/// Equal keys leave in the order they were inserted or last changed.
#[derive(Clone, Debug)]
pub(crate) struct IndexedHeap<K> {
    /// Heap order; every entry carries its key so that sifting touches one array.
    entries: Vec<Entry<K>>,
    /// Position in `entries` of each number, or [`ABSENT`].
    position: Vec<u32>,
    /// Order of insertion, the tie-breaker.
    sequence: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry<K> {
    key: K,
    sequence: u64,
    item: u32,
}

impl<K: Ord + Copy> IndexedHeap<K> {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { entries: Vec::with_capacity(capacity), position: vec![ABSENT; capacity], sequence: 0 }
    }

    /// Makes room for numbers below `capacity`.
    pub(crate) fn reserve(&mut self, capacity: usize) {
        self.entries.reserve(capacity.saturating_sub(self.entries.len()));
        if self.position.len() < capacity {
            self.position.resize(capacity, ABSENT);
        }
    }

    /// Inserts `item`, or changes its key; either way it becomes the last of its equals.
    pub(crate) fn set(&mut self, item: u32, key: K) {
        let sequence = self.sequence;
        self.sequence += 1;
        let entry = Entry { key, sequence, item };
        if item as usize >= self.position.len() {
            self.position.resize(item as usize + 1, ABSENT);
        }
        match self.position[item as usize] {
            ABSENT => {
                self.position[item as usize] = self.entries.len() as u32;
                self.entries.push(entry);
                self.sift_up(self.entries.len() - 1);
            }
            at => self.replace(at as usize, entry),
        }
    }

    /// Removes `item`; false if it was not there.
    pub(crate) fn remove(&mut self, item: u32) -> bool {
        let Some(&at) = self.position.get(item as usize).filter(|&&at| at != ABSENT) else { return false };
        self.position[item as usize] = ABSENT;
        let last = self.entries.pop().expect("an item with a position is in the heap");
        if (at as usize) < self.entries.len() {
            self.position[last.item as usize] = at;
            self.replace(at as usize, last);
        }
        true
    }

    /// Removes and returns the first item.
    pub(crate) fn pop(&mut self) -> Option<(u32, K)> {
        let first = *self.entries.first()?;
        self.remove(first.item);
        Some((first.item, first.key))
    }

    /// Puts back an item just popped, with its rank among its equals unchanged relative to later insertions.
    pub(crate) fn restore(&mut self, parked: Parked<K>) {
        let Parked(entry) = parked;
        debug_assert_eq!(self.position[entry.item as usize], ABSENT);
        self.position[entry.item as usize] = self.entries.len() as u32;
        self.entries.push(entry);
        self.sift_up(self.entries.len() - 1);
    }

    /// Removes the first item, to be put back with [`restore`](Self::restore).
    pub(crate) fn park(&mut self) -> Option<Parked<K>> {
        let first = *self.entries.first()?;
        self.remove(first.item);
        Some(Parked(first))
    }

    pub(crate) fn peek(&self) -> Option<(u32, K)> {
        self.entries.first().map(|entry| (entry.item, entry.key))
    }

    pub(crate) fn key(&self, item: u32) -> Option<K> {
        let at = *self.position.get(item as usize)?;
        self.entries.get(at as usize).map(|entry| entry.key)
    }

    pub(crate) fn contains(&self, item: u32) -> bool {
        self.position.get(item as usize).is_some_and(|&at| at != ABSENT)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn replace(&mut self, at: usize, entry: Entry<K>) {
        self.entries[at] = entry;
        let at = self.sift_up(at);
        self.sift_down(at);
    }

    fn before(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.entries[a], &self.entries[b]);
        (a.key, a.sequence) < (b.key, b.sequence)
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.entries.swap(a, b);
        self.position[self.entries[a].item as usize] = a as u32;
        self.position[self.entries[b].item as usize] = b as u32;
    }

    fn sift_up(&mut self, mut at: usize) -> usize {
        while at > 0 {
            let parent = (at - 1) / 2;
            if !self.before(at, parent) {
                break;
            }
            self.swap(at, parent);
            at = parent;
        }
        at
    }

    fn sift_down(&mut self, mut at: usize) {
        loop {
            let left = 2 * at + 1;
            if left >= self.entries.len() {
                return;
            }
            let right = left + 1;
            let child = if right < self.entries.len() && self.before(right, left) { right } else { left };
            if !self.before(child, at) {
                return;
            }
            self.swap(at, child);
            at = child;
        }
    }
}

/// An entry taken out for a moment, with its rank.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parked<K>(Entry<K>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn items_leave_in_the_order_of_keys_and_equals_in_the_order_of_insertion() {
        let mut heap = IndexedHeap::with_capacity(4);
        for (item, key) in [(3, 5), (0, 5), (2, 1), (1, 5)] {
            heap.set(item, key);
        }
        heap.set(3, 5);
        let order: Vec<_> = std::iter::from_fn(|| heap.pop()).map(|(item, _)| item).collect();
        assert_eq!(order, [2, 0, 1, 3]);
    }

    #[test]
    fn a_parked_item_keeps_its_rank() {
        let mut heap = IndexedHeap::with_capacity(3);
        for item in 0..3 {
            heap.set(item, 7);
        }
        let parked = heap.park().unwrap();
        heap.restore(parked);
        assert_eq!(heap.pop(), Some((0, 7)));
    }

    #[test]
    fn agrees_with_a_sorted_list_under_random_operations() {
        let mut rng = Rng::new(7);
        let mut heap = IndexedHeap::with_capacity(0);
        let mut model: Vec<(u32, u64, u32)> = Vec::new();
        for step in 0..20_000 {
            let item = rng.below(50) as u32;
            match rng.below(4) {
                0 => {
                    let removed = heap.remove(item);
                    assert_eq!(removed, model.iter().any(|entry| entry.2 == item));
                    model.retain(|entry| entry.2 != item);
                }
                1 => {
                    let first = model.iter().min().copied();
                    assert_eq!(heap.pop(), first.map(|(key, _, item)| (item, key)));
                    model.retain(|entry| Some(entry.2) != first.map(|first| first.2));
                }
                _ => {
                    let key = rng.below(10) as u32;
                    heap.set(item, key);
                    model.retain(|entry| entry.2 != item);
                    model.push((key, step, item));
                }
            }
            assert_eq!(heap.len(), model.len());
            assert_eq!(heap.peek().map(|(item, _)| item), model.iter().min().map(|entry| entry.2));
        }
    }
}
