//! The chunked transfer coding (RFC 9112 §7.1), decoded piece by piece without copying.

use super::reject::Reject;

/// Most digits of a chunk size: 52 bits, so that no peer that counts in floating point numbers misreads it.
const MAX_SIZE: u64 = 1 << 52;

/// Longest line with a chunk size and its extensions. HAProxy's limit is its buffer.
const MAX_LINE: usize = 16_384;

/// Decoder of one chunked body.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chunked {
    state: State,
    /// Bytes left of the current chunk, or of the size being read.
    left: u64,
    line: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    FirstDigit,
    Digits,
    Blank,
    Extension,
    Quoted,
    QuotedEscape,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailers,
}

/// What the beginning of the bytes given to [`Chunked::next`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the parts of a chunked body")]
pub enum Piece {
    /// So many bytes of framing to skip; more may follow at once.
    Skip(usize),
    /// So many bytes of data.
    Data(usize),
    /// So many bytes of framing, and then the trailer section begins.
    Trailers(usize),
}

impl Chunked {
    /// A decoder at the beginning of a body.
    pub const fn new() -> Self {
        Self { state: State::FirstDigit, left: 0, line: 0 }
    }

    /// Bytes of the current chunk that are still to come; 0 between chunks.
    pub const fn left(&self) -> u64 {
        if matches!(self.state, State::Data) { self.left } else { 0 }
    }

    /// Says what the beginning of `bytes` is and counts it as read. Empty input gives an empty `Skip`.
    pub fn next(&mut self, bytes: &[u8]) -> Result<Piece, Reject> {
        if self.state == State::Data {
            let len = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.left -= len as u64;
            if self.left == 0 {
                self.state = State::DataCr;
            }
            return Ok(Piece::Data(len));
        }
        if self.state == State::Trailers {
            return Ok(Piece::Trailers(0));
        }
        for (at, byte) in bytes.iter().enumerate() {
            self.step(*byte)?;
            match self.state {
                State::Data => return Ok(Piece::Skip(at + 1)),
                State::Trailers => return Ok(Piece::Trailers(at + 1)),
                _ => {}
            }
        }
        Ok(Piece::Skip(bytes.len()))
    }

    fn step(&mut self, byte: u8) -> Result<(), Reject> {
        self.line += 1;
        if self.line > MAX_LINE {
            return Err(Reject::ChunkExtension);
        }
        self.state = match (self.state, byte) {
            (State::FirstDigit | State::Digits, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = (byte as char).to_digit(16).unwrap_or_default();
                self.left = self.left << 4 | u64::from(digit);
                if self.left >= MAX_SIZE {
                    return Err(Reject::ChunkSize);
                }
                State::Digits
            }
            (State::Digits | State::Blank, b' ' | b'\t') => State::Blank,
            (State::Digits | State::Blank | State::Extension, b'\r') => State::SizeLf,
            (State::Digits | State::Blank, b';') => State::Extension,
            (State::Extension, b'"') => State::Quoted,
            (State::Quoted, b'"') => State::Extension,
            (State::Quoted, b'\\') => State::QuotedEscape,
            (State::Extension, b'\\') => return Err(Reject::ChunkExtension),
            (State::Extension, b'\t' | 0x20..=0x7e | 0x80..) => State::Extension,
            (State::Quoted | State::QuotedEscape, b'\t' | 0x20..=0x7e | 0x80..) => State::Quoted,
            (State::Extension | State::Quoted | State::QuotedEscape, _) => {
                return Err(Reject::ChunkExtension);
            }
            (State::SizeLf, b'\n') => {
                self.line = 0;
                if self.left == 0 { State::Trailers } else { State::Data }
            }
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => {
                self.line = 0;
                State::FirstDigit
            }
            (State::DataCr | State::DataLf, _) => return Err(Reject::ChunkEnd),
            _ => return Err(Reject::ChunkSize),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes `body`, given in pieces of `step` bytes; returns the data and what follows the last chunk.
    fn decode(body: &[u8], step: usize) -> Result<(Vec<u8>, Vec<u8>), Reject> {
        let mut decoder = Chunked::new();
        let mut data = Vec::new();
        let mut at = 0;
        let mut seen = 0;
        while seen < body.len() {
            seen = (seen + step).min(body.len());
            while at < seen {
                match decoder.next(&body[at..seen])? {
                    Piece::Skip(len) => at += len,
                    Piece::Data(len) => {
                        data.extend_from_slice(&body[at..at + len]);
                        at += len;
                    }
                    Piece::Trailers(len) => return Ok((data, body[at + len..].to_vec())),
                }
            }
        }
        Ok((data, Vec::new()))
    }

    #[test]
    fn chunks_are_joined_and_extensions_dropped_however_they_are_split() {
        let body = b"4;a=\"x;\\\"\"\r\nwiki\r\n005 \t\r\npedia\r\n0\r\nx: y\r\n\r\n";
        for step in 1..=body.len() {
            let (data, rest) = decode(body, step).unwrap();
            assert_eq!((&data[..], &rest[..]), (&b"wikipedia"[..], &b"x: y\r\n\r\n"[..]));
        }
    }

    #[test]
    fn framing_that_others_may_read_differently_is_refused() {
        for (body, reason) in [
            (&b"\r\n"[..], Reject::ChunkSize),
            (b"g\r\n", Reject::ChunkSize),
            (b"-1\r\n", Reject::ChunkSize),
            (b"0x1\r\n", Reject::ChunkSize),
            (b"1\na\r\n", Reject::ChunkSize),
            (b"1\r\nab\r\n", Reject::ChunkEnd),
            (b"1\r\na\n", Reject::ChunkEnd),
            (b"10000000000000\r\n", Reject::ChunkSize),
            (b"1;\"a\r\n", Reject::ChunkExtension),
            (b"1;\\a\r\n", Reject::ChunkExtension),
            (b"1;a\nb\r\n", Reject::ChunkExtension),
            (b"1 1\r\n", Reject::ChunkSize),
        ] {
            assert_eq!(decode(body, 1), Err(reason), "{}", body.escape_ascii());
            assert_eq!(decode(body, 100), Err(reason), "{}", body.escape_ascii());
        }
    }

    #[test]
    fn the_largest_size_is_accepted_and_an_endless_line_is_not() {
        let mut decoder = Chunked::new();
        assert_eq!(decoder.next(b"fffffffffffff\r\n"), Ok(Piece::Skip(15)));
        assert_eq!(decoder.left(), (1 << 52) - 1);
        let long = [b"1;".as_slice(), &[b'a'; MAX_LINE]].concat();
        assert_eq!(Chunked::new().next(&long), Err(Reject::ChunkExtension));
    }
}
