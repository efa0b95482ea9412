//! Scratch space for the outputs of one evaluation.
//!
//! Converters produce bytes that must outlive them but not the rule being evaluated. The arena
//! hands out buffers that stay valid until [`Arena::reset`], which takes them back for the next
//! round: after the first requests nothing is allocated any more.

use std::cell::{Cell, OnceCell, RefCell};

use super::date::Civil;

/// Longest output one converter may produce; HAProxy's default buffer size.
pub const MAX_OUTPUT: usize = 16384;

/// Slots per block; a second block is added when one evaluation needs more.
const SLOTS: usize = 32;

/// Spare buffers above this capacity are given back to the allocator.
const KEEP_CAPACITY: usize = 4096;

/// Reusable buffers for converter outputs. See the module text.
#[derive(Debug, Default)]
pub struct Arena {
    slots: [OnceCell<Vec<u8>>; SLOTS],
    state: RefCell<State>,
    next: OnceCell<Box<Self>>,
    date: Cell<LogDate>,
}

/// The text of the last date written, because most lines fall into the same second.
#[derive(Clone, Copy, Debug, Default)]
struct LogDate {
    seconds: i64,
    offset: i32,
    text: [u8; LOG_DATE],
}

/// Length of `22/Nov/2026:15:08:30`.
const LOG_DATE: usize = 20;

#[derive(Debug, Default)]
struct State {
    used: usize,
    spare: Vec<Vec<u8>>,
}

impl Arena {
    /// An empty arena; nothing is allocated before the first output.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes every buffer back. Samples of earlier evaluations are gone by then, which the
    /// exclusive borrow proves.
    #[inline]
    pub fn reset(&mut self) {
        // Nearly always there is none.
        if self.state.get_mut().used > 0 {
            self.take_back();
        }
    }

    fn take_back(&mut self) {
        let state = self.state.get_mut();
        for slot in &mut self.slots[..state.used] {
            if let Some(mut buffer) = slot.take()
                && buffer.capacity() <= KEEP_CAPACITY
            {
                buffer.clear();
                state.spare.push(buffer);
            }
        }
        state.used = 0;
        self.next = OnceCell::new();
    }

    /// Runs `fill` on an empty buffer and keeps the bytes; `None` if they exceed [`MAX_OUTPUT`].
    pub fn build(&self, fill: impl FnOnce(&mut Vec<u8>)) -> Option<&[u8]> {
        self.try_build(|out| {
            fill(out);
            Some(())
        })
    }

    /// As [`Arena::build`], for a `fill` that can fail.
    pub fn try_build(&self, fill: impl FnOnce(&mut Vec<u8>) -> Option<()>) -> Option<&[u8]> {
        let mut buffer = self.state.borrow_mut().spare.pop().unwrap_or_default();
        let filled = fill(&mut buffer);
        if filled.is_none() || buffer.len() > MAX_OUTPUT {
            buffer.clear();
            buffer.shrink_to(KEEP_CAPACITY);
            self.state.borrow_mut().spare.push(buffer);
            return None;
        }
        Some(self.store(buffer))
    }

    /// Keeps a copy of `bytes`.
    pub fn copy(&self, bytes: &[u8]) -> Option<&[u8]> {
        self.build(|out| out.extend_from_slice(bytes))
    }

    /// Appends a date as logs show it, `22/Nov/2026:15:08:30`.
    pub(crate) fn push_log_date(&self, seconds: i64, offset: i32, out: &mut Vec<u8>) {
        let mut date = self.date.get();
        if (date.seconds, date.offset) != (seconds, offset) || date.text[0] == 0 {
            let start = out.len();
            Civil::new(seconds, offset).push_log(out);
            if let Ok(text) = out[start..].try_into() {
                date = LogDate { seconds, offset, text };
                self.date.set(date);
            }
            return;
        }
        out.extend_from_slice(&date.text);
    }

    /// Bytes currently reserved, counted for tests of memory bounds.
    pub fn reserved(&self) -> usize {
        let state = self.state.borrow();
        let used: usize = self.slots.iter().filter_map(OnceCell::get).map(Vec::capacity).sum();
        let spare: usize = state.spare.iter().map(Vec::capacity).sum();
        used + spare + self.next.get().map_or(0, |next| next.reserved())
    }

    fn store(&self, buffer: Vec<u8>) -> &[u8] {
        let mut block = self;
        loop {
            let at = {
                let mut state = block.state.borrow_mut();
                let at = state.used;
                state.used = (at + 1).min(SLOTS);
                at
            };
            if at < SLOTS {
                return block.slots[at].get_or_init(|| buffer);
            }
            block = block.next.get_or_init(Box::default);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_stay_valid_side_by_side_beyond_one_block() {
        let mut arena = Arena::new();
        let kept: Vec<&[u8]> = (0..100u8).map(|n| arena.build(|out| out.extend([n; 3])).unwrap()).collect();
        for (n, bytes) in kept.iter().enumerate() {
            assert_eq!(*bytes, [n as u8; 3]);
        }
        arena.reset();
        assert_eq!(arena.copy(b"again"), Some(&b"again"[..]));
    }

    #[test]
    fn buffers_are_reused_after_reset() {
        let mut arena = Arena::new();
        arena.copy(&[b'x'; 100]).unwrap();
        let first = arena.reserved();
        for _ in 0..50 {
            arena.reset();
            arena.copy(&[b'y'; 100]).unwrap();
        }
        assert_eq!(arena.reserved(), first);
    }

    #[test]
    fn too_long_an_output_is_refused_and_not_kept() {
        let mut arena = Arena::new();
        assert_eq!(arena.copy(&vec![0; MAX_OUTPUT + 1]), None);
        assert!(arena.copy(&vec![0; MAX_OUTPUT]).is_some());
        arena.reset();
        assert!(arena.reserved() <= 2 * KEEP_CAPACITY);
    }

    #[test]
    fn nested_outputs_do_not_disturb_each_other() {
        let arena = Arena::new();
        let outer = arena
            .build(|out| {
                let inner = arena.copy(b"in").unwrap();
                out.extend_from_slice(inner);
                out.extend_from_slice(b"out");
            })
            .unwrap();
        assert_eq!(outer, b"inout");
    }
}
