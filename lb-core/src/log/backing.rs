//! Where the messages of a ring stand in the file behind it.
//!
//! The file has a fixed size and holds whole messages as text, each with a line feed. The newest replace the oldest, and
//! bytes of zero part them: behind the newest message, and at the end where the next one did not fit. So what stands behind
//! the first zeros is older than what stands before them.

use std::collections::VecDeque;
use std::ops::Range;

/// The places of messages in a file of a fixed size.
#[derive(Debug)]
pub struct Backing {
    size: usize,
    /// Where the next message goes.
    at: usize,
    /// Places of messages, oldest first.
    kept: VecDeque<Range<usize>>,
}

/// Bytes for a place in the file.
#[derive(Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a place and what belongs there")]
pub struct Piece {
    /// The place.
    pub at: usize,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Backing {
    /// An empty file of so many bytes.
    pub const fn new(size: usize) -> Self {
        Self { size, at: 0, kept: VecDeque::new() }
    }

    /// What adding a message writes, in this order. One that is longer than the file is cut.
    pub fn push(&mut self, message: &[u8]) -> [Piece; 2] {
        let message = &message[..message.len().min(self.size.saturating_sub(1))];
        let length = message.len() + 1;
        let mut wiped = Piece::default();
        if self.at + length > self.size {
            let end = self.forget(self.size);
            wiped = Piece { at: self.at, bytes: vec![0; end - self.at] };
            self.at = 0;
        }
        // One byte more parts the newest message from the oldest.
        let end = self.forget(self.at + length + 1);
        let mut bytes = message.to_vec();
        bytes.push(b'\n');
        bytes.resize((end - self.at).max(length), 0);
        self.kept.push_back(self.at..self.at + length);
        let piece = Piece { at: self.at, bytes };
        self.at += length;
        [wiped, piece]
    }

    /// Forgets messages of the last round that begin before `end`, and says where the last of them ends: there or behind.
    fn forget(&mut self, end: usize) -> usize {
        let mut last = self.at.max(end.min(self.size));
        while let Some(place) = self.kept.front().filter(|place| (self.at..end).contains(&place.start)) {
            last = last.max(place.end);
            self.kept.pop_front();
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(file: &mut [u8], backing: &mut Backing, message: &str) {
        for piece in backing.push(message.as_bytes()) {
            file[piece.at..piece.at + piece.bytes.len()].copy_from_slice(&piece.bytes);
        }
    }

    /// The messages in a file, oldest first.
    fn read(file: &[u8]) -> Vec<String> {
        let text = String::from_utf8(file.to_vec()).unwrap();
        let mut parts = text.split('\0').filter(|part| !part.is_empty());
        let (newer, older) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        assert_eq!(parts.next(), None, "{text:?}");
        let lines = older.lines().chain(newer.lines());
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn the_newest_messages_are_in_the_file_whole_and_in_order() {
        let mut rng = crate::rng::Rng::new(7);
        for size in [40, 64, 100, 333] {
            let (mut file, mut backing) = (vec![0; size], Backing::new(size));
            let mut all = Vec::new();
            for number in 0..500 {
                let text = format!("{number}{}", "x".repeat(rng.below(20) as usize));
                write(&mut file, &mut backing, &text);
                all.push(text);
                let found = read(&file);
                assert!(all.ends_with(&found), "{found:?}");
                let kept: usize = found.iter().map(|line| line.len() + 1).sum();
                // Two messages may be lost to the end and to the gap.
                assert!(number < 100 || kept + 2 * 25 > size, "{size}: {found:?}");
            }
        }
    }

    #[test]
    fn a_message_that_fills_the_file_replaces_all_others() {
        let (mut file, mut backing) = (vec![0; 10], Backing::new(10));
        for (message, kept) in
            [("one", vec!["one"]), ("a long message", vec!["a long me"]), ("two", vec!["two"])]
        {
            write(&mut file, &mut backing, message);
            assert_eq!(read(&file), kept);
        }
        assert_eq!(Backing::new(0).push(b"x")[1].bytes.len(), 1);
    }
}
