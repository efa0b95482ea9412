//! Buffers lent while bytes are in flight.
//!
//! Each thread keeps the buffers it is given back, so that an idle connection holds none and a busy one allocates none.

use std::cell::RefCell;
use std::fmt;

/// Buffers of one size that a thread keeps for reuse.
const KEEP: usize = 64;

thread_local! {
    static FREE: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of bytes: a filled part between two unused ones. Given back to its thread when dropped.
pub struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// An empty buffer of `size` bytes.
    pub fn take(size: usize) -> Self {
        let kept = FREE.with_borrow_mut(|free| {
            // Nearly all buffers of a process have one size, so the last is nearly always the right one.
            free.pop_if(|last| last.len() == size).or_else(|| {
                let at = free.iter().rposition(|b| b.len() == size)?;
                Some(free.swap_remove(at))
            })
        });
        let bytes = kept.unwrap_or_else(|| vec![0; size].into_boxed_slice());
        Self { bytes, start: 0, end: 0 }
    }

    /// A buffer with a copy of `data`.
    pub fn holding(data: &[u8]) -> Self {
        let mut buffer = Self::take(data.len());
        buffer.append(data);
        buffer
    }

    /// The filled bytes.
    pub fn filled(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// The filled bytes, to change in place.
    pub fn filled_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.end]
    }

    /// The unused bytes behind the filled ones.
    pub fn spare(&mut self) -> &mut [u8] {
        &mut self.bytes[self.end..]
    }

    /// How many unused bytes there are behind the filled ones.
    pub fn spare_len(&self) -> usize {
        self.bytes.len() - self.end
    }

    /// Counts the first `n` spare bytes as filled.
    pub fn fill(&mut self, n: usize) {
        self.end = (self.end + n).min(self.bytes.len());
    }

    /// Forgets the first `n` filled bytes.
    pub fn consume(&mut self, n: usize) {
        self.start = (self.start + n).min(self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Moves the filled bytes to the front, so that all unused space is behind them.
    pub fn compact(&mut self) {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
    }

    /// Appends `data`; false, and nothing is appended, if there is no room behind the filled bytes.
    pub fn append(&mut self, data: &[u8]) -> bool {
        let Some(room) = self.bytes.get_mut(self.end..self.end + data.len()) else { return false };
        room.copy_from_slice(data);
        self.end += data.len();
        true
    }

    /// Filled bytes.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// True if nothing is filled.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Size in bytes.
    pub fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// True if everything is filled.
    pub fn is_full(&self) -> bool {
        self.len() == self.bytes.len()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes.is_empty() {
            return;
        }
        // The thread may be ending: then its list is gone and the buffer is freed.
        let _ = FREE.try_with(|free| {
            let Ok(mut free) = free.try_borrow_mut() else { return };
            if free.len() < KEEP {
                free.push(bytes);
            } else if let Some(odd) = free.iter_mut().find(|kept| kept.len() != bytes.len()) {
                // Sizes that nobody asks for must not fill the list for good.
                *odd = bytes;
            }
        });
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer").field("len", &self.len()).field("capacity", &self.capacity()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_nobody_asks_for_do_not_fill_the_list_for_good() {
        let odd: Vec<_> = (1..=2 * KEEP).map(|size| Buffer::holding(&vec![0; 1000 + size])).collect();
        drop(odd);
        let usual: Vec<_> = (0..4).map(|_| Buffer::take(16_384)).collect();
        drop(usual);
        let kept = FREE.with_borrow(|free| free.iter().filter(|kept| kept.len() == 16_384).count());
        assert_eq!(kept, 4);
    }

    #[test]
    fn a_buffer_is_reused_and_starts_empty() {
        let mut a = Buffer::take(64);
        let place = a.bytes.as_ptr();
        assert!(a.append(b"hello"));
        drop(a);
        let b = Buffer::take(64);
        assert_eq!(b.bytes.as_ptr(), place);
        assert!(b.is_empty());
        assert_ne!(Buffer::take(32).capacity(), 64);
    }

    #[test]
    fn filling_and_consuming_keep_their_bounds() {
        let mut b = Buffer::take(8);
        assert!(b.append(b"abcdef"));
        assert!(!b.append(b"xyz"), "no room");
        b.consume(4);
        b.compact();
        assert_eq!(b.filled(), b"ef");
        assert_eq!(b.spare().len(), 6);
        b.fill(99);
        assert!(b.is_full());
        b.consume(99);
        assert!(b.is_empty());
        assert_eq!(b.spare().len(), 8);
    }
}
