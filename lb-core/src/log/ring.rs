//! A bounded buffer of messages, and those who read it.
//!
//! New messages push out the oldest. A reader that [holds](Ring::attach) what it has not read yet keeps them from it: then
//! the new ones are refused, and whoever writes counts them. Other readers lose their place to newer messages.
//!
//! Each message takes its bytes, its length in as many bytes as the original needs for it, and one more, so that as many
//! messages fit as there.

use std::collections::VecDeque;

/// Readers at the same time.
const READERS: usize = 255;
/// What the original keeps for itself of the configured size.
const RESERVED: usize = 192;

/// Where somebody is in a [`Ring`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader(u64);

/// The messages.
#[derive(Debug)]
pub struct Ring {
    size: usize,
    bytes: VecDeque<u8>,
    /// Lengths of the messages.
    lengths: VecDeque<u32>,
    /// What the messages take of `size`.
    used: usize,
    /// Number of the first message, and of its first byte, in all that was ever written.
    first: (u64, u64),
    readers: Vec<Place>,
    next_reader: u64,
}

#[derive(Debug)]
struct Place {
    reader: Reader,
    /// Number of the next message, and of its first byte.
    next: (u64, u64),
    holds: bool,
}

/// What a message of that length takes.
const fn cost(length: usize) -> usize {
    // 240 is the first number that takes two bytes, and each further byte holds seven bits.
    let (mut bytes, mut rest) = (1, length);
    if rest >= 0xf0 {
        rest = (rest - 0xf0) >> 4;
        bytes += 1;
        while rest >= 0x80 {
            rest = (rest - 0x80) >> 7;
            bytes += 1;
        }
    }
    bytes + length + 1
}

impl Ring {
    /// A buffer of so many bytes, which are taken from the system when they are needed.
    pub fn new(size: usize) -> Self {
        Self {
            size: size.saturating_sub(RESERVED),
            bytes: VecDeque::new(),
            lengths: VecDeque::new(),
            used: 0,
            first: (0, 0),
            readers: Vec::new(),
            next_reader: 0,
        }
    }

    /// The longest message that fits.
    pub fn longest(&self) -> usize {
        let most = self.size.saturating_sub(4);
        most.saturating_sub(cost(most) - most - 1)
    }

    /// Adds a message. False if there is no room for it: it is too long, or a reader holds those in its way.
    pub fn push(&mut self, message: &[u8]) -> bool {
        let cost = cost(message.len());
        // One byte marks the beginning, and two are never used.
        if cost + 1 > self.size {
            return false;
        }
        while self.used + cost + 3 > self.size {
            if self.lengths.is_empty()
                || self.readers.iter().any(|place| place.holds && place.next <= self.first)
            {
                return false;
            }
            self.drop_first();
        }
        self.bytes.extend(message);
        self.lengths.push_back(message.len() as u32);
        self.used += cost;
        true
    }

    fn drop_first(&mut self) {
        if let Some(length) = self.lengths.pop_front() {
            self.bytes.drain(..length as usize);
            self.used -= cost(length as usize);
            self.first = (self.first.0 + 1, self.first.1 + u64::from(length));
        }
    }

    /// Begins to read: from the oldest message on, or from the next one with `new`. With `holds` no message is pushed out
    /// before it was read. `None` if there are too many readers.
    pub fn attach(&mut self, new: bool, holds: bool) -> Option<Reader> {
        if self.readers.len() >= READERS {
            return None;
        }
        let reader = Reader(self.next_reader);
        self.next_reader += 1;
        let next = if new { self.end() } else { self.first };
        self.readers.push(Place { reader, next, holds });
        Some(reader)
    }

    /// Ends reading.
    pub fn detach(&mut self, reader: Reader) {
        self.readers.retain(|place| place.reader != reader);
    }

    /// Gives the messages that `reader` has not read yet to `take`, in two parts each, until it says that it has enough. Says
    /// how many it took.
    pub fn read(&mut self, reader: Reader, mut take: impl FnMut(&[u8], &[u8]) -> bool) -> usize {
        let Some(place) = self.readers.iter_mut().find(|place| place.reader == reader) else { return 0 };
        place.next = place.next.max(self.first);
        let (front, back) = self.bytes.as_slices();
        let mut at = (place.next.1 - self.first.1) as usize;
        let mut count = 0;
        for &length in self.lengths.range((place.next.0 - self.first.0) as usize..) {
            let end = at + length as usize;
            let middle = front.len().clamp(at, end);
            let head = front.get(at..middle).unwrap_or_default();
            count += 1;
            let wants_more =
                take(head, &back[middle.saturating_sub(front.len())..end.saturating_sub(front.len())]);
            at = end;
            if !wants_more {
                break;
            }
        }
        place.next = (place.next.0 + count as u64, self.first.1 + at as u64);
        count
    }

    /// Whether there is something that `reader` has not read yet.
    pub fn has_more(&self, reader: Reader) -> bool {
        self.readers.iter().any(|place| place.reader == reader && place.next < self.end())
    }

    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Whether there are no messages.
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    fn end(&self) -> (u64, u64) {
        (self.first.0 + self.lengths.len() as u64, self.first.1 + self.bytes.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(ring: &mut Ring, reader: Reader) -> Vec<String> {
        let mut found = Vec::new();
        ring.read(reader, |a, b| {
            found.push(String::from_utf8([a, b].concat()).unwrap());
            true
        });
        found
    }

    #[test]
    fn new_messages_push_out_the_oldest() {
        let mut ring = Ring::new(RESERVED + 30);
        let watcher = ring.attach(false, false).unwrap();
        for text in ["one", "two", "three", "four", "five", "six"] {
            assert!(ring.push(text.as_bytes()));
        }
        assert_eq!(all(&mut ring, watcher), ["three", "four", "five", "six"]);
        assert!(!ring.has_more(watcher));
        assert!(ring.push(b"seven"));
        assert!(ring.has_more(watcher));
        assert_eq!(all(&mut ring, watcher), ["seven"]);
    }

    #[test]
    fn what_a_reader_holds_stays_and_the_new_is_refused() {
        let mut ring = Ring::new(RESERVED + 30);
        let server = ring.attach(false, true).unwrap();
        let pushed = ["one", "two", "three", "four", "five", "six"].map(|text| ring.push(text.as_bytes()));
        assert_eq!(pushed, [true, true, true, true, false, false]);
        let mut first = Vec::new();
        assert_eq!(
            ring.read(server, |a, b| {
                first.push([a, b].concat());
                false
            }),
            1
        );
        assert_eq!(first, [b"one"]);
        assert!(ring.push(b"7"));
        assert_eq!(all(&mut ring, server), ["two", "three", "four", "7"]);
        ring.detach(server);
        assert_eq!(ring.read(server, |_, _| true), 0);
        assert!(ring.push(b"123456789012345678901234"));
        assert_eq!(ring.len(), 1);
    }

    #[test]
    fn the_longest_message_fits_and_nothing_beyond() {
        for size in [300, 500, 16_384, 1_048_576] {
            let mut ring = Ring::new(size);
            let longest = ring.longest();
            assert!(!ring.push(&vec![b'x'; longest + 1]), "{size}");
            assert!(ring.push(&vec![b'x'; longest]), "{size}");
        }
        let mut none = Ring::new(10);
        assert_eq!((none.longest(), none.push(b"")), (0, false));
    }

    #[test]
    fn a_reader_may_begin_at_the_end_and_there_are_not_too_many() {
        let mut ring = Ring::new(1024);
        ring.push(b"old");
        let late = ring.attach(true, true).unwrap();
        assert_eq!(all(&mut ring, late), Vec::<String>::new());
        ring.push(b"new");
        assert_eq!(all(&mut ring, late), ["new"]);
        for _ in 1..READERS {
            ring.attach(false, false).unwrap();
        }
        assert_eq!(ring.attach(false, false), None);
    }
}
