//! Bodies on their way: which bytes belong to them and how they are framed on the other side.

use crate::compress::Encoder;
use crate::h1::{BodyLength, Chunked, Limits, Piece, Reject, parse_trailers, push_hex, write_trailers};
use crate::head::Fields;

/// Whether the beginning of a body can be one.
#[inline]
pub(super) fn check(length: BodyLength, bytes: &[u8]) -> Result<(), Reject> {
    if length == BodyLength::Chunked { check_chunks(bytes) } else { Ok(()) }
}

fn check_chunks(bytes: &[u8]) -> Result<(), Reject> {
    let mut decoder = Chunked::new();
    let mut at = 0;
    while at < bytes.len() {
        match decoder.next(&bytes[at..])? {
            Piece::Skip(len) | Piece::Data(len) => at += len,
            Piece::Trailers(len) => {
                let rest = &bytes[at + len..];
                // Nearly always there are none.
                if !rest.is_empty() && !rest.starts_with(b"\r\n") {
                    let mut fields = Fields::default();
                    fields.set_buffer(rest.to_vec());
                    parse_trailers(&mut fields, 0, rest.len(), &Limits::default())?;
                }
                break;
            }
        }
    }
    Ok(())
}

/// What is there of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// Bytes of data, without their framing.
    pub(super) data: usize,
    /// Where the body ends; `None` when it goes on.
    pub(super) end: Option<usize>,
}

impl Extent {
    /// Whether that is all of the body, or `at_least` so much of it where that is not 0.
    pub(super) const fn is_enough(self, at_least: usize) -> bool {
        self.end.is_some() || (at_least > 0 && self.data >= at_least)
    }
}

/// What `bytes`, which begin with a body, hold of it.
pub(super) fn extent(length: BodyLength, bytes: &[u8]) -> Extent {
    match length {
        BodyLength::Empty => Extent { data: 0, end: Some(0) },
        BodyLength::Known(length) => {
            let end = usize::try_from(length).ok().filter(|length| *length <= bytes.len());
            Extent { data: end.unwrap_or(bytes.len()), end }
        }
        BodyLength::Chunked => chunked_extent(bytes),
        BodyLength::UntilClose | BodyLength::Tunnel => Extent { data: bytes.len(), end: None },
    }
}

fn chunked_extent(bytes: &[u8]) -> Extent {
    let (mut decoder, mut at, mut data) = (Chunked::new(), 0, 0);
    while at < bytes.len() {
        match decoder.next(&bytes[at..]) {
            Ok(Piece::Skip(len)) => at += len,
            Ok(Piece::Data(len)) => {
                at += len;
                data += len;
            }
            Ok(Piece::Trailers(len)) => {
                at += len;
                return Extent { data, end: trailers_end(&bytes[at..]).map(|len| at + len) };
            }
            // What is broken is found again, and answered, when the body is forwarded.
            Err(_) => return Extent { data, end: Some(at) },
        }
    }
    Extent { data, end: None }
}

/// Where a body ends in `bytes`, which begin with it; `None` when it goes on beyond them.
pub(super) fn end_of(length: BodyLength, bytes: &[u8]) -> Option<usize> {
    extent(length, bytes).end
}

/// The data of a body that is complete in `bytes`; `None` if it is not or is broken.
pub(super) fn whole(length: BodyLength, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut transfer = Transfer::new(length, Sink::Plain);
    let mut data = Vec::new();
    let taken = transfer.take(bytes, &mut data).ok()?;
    if taken.verbatim {
        data.extend_from_slice(&bytes[..taken.used]);
    }
    transfer.is_done().then_some(data)
}

fn trailers_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let len = memchr::memchr(b'\n', &bytes[at..])?;
        let line = &bytes[at..at + len];
        at += len + 1;
        if line.is_empty() || line == b"\r" {
            return Some(at);
        }
    }
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sink {
    /// As it is; its length was announced, or its end is the end of the connection.
    Plain,
    /// In chunks.
    Chunks,
    /// Not at all: the client asked for the head only, the server was asked for more.
    Nothing,
}

/// One body between two connections.
#[derive(Debug)]
pub(super) struct Transfer {
    source: Source,
    sink: Sink,
    /// Trailers that are still incomplete.
    trailers: Vec<u8>,
    /// What logs count: bytes of data, and of what marks the end of chunks.
    pub(super) bytes: u64,
    /// What changes the data on its way into chunks.
    coder: Option<Box<Coder>>,
}

/// A body being compressed.
#[derive(Debug)]
struct Coder {
    encoder: Encoder,
    /// What came out of it last.
    coded: Vec<u8>,
    taken: u64,
    given: u64,
}

#[derive(Debug)]
enum Source {
    Known(u64),
    Chunked(Chunked),
    Trailers,
    UntilClose,
    Done,
}

/// What to do with bytes that were received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// So many were used; the rest belongs to what follows the body.
    pub(super) used: usize,
    /// They can be sent as they are, instead of what was appended to the output.
    pub(super) verbatim: bool,
}

impl Transfer {
    /// A body of `length`, written by `sink`.
    pub(super) fn new(length: BodyLength, sink: Sink) -> Self {
        let source = match length {
            BodyLength::Empty => Source::Done,
            BodyLength::Known(length) => Source::Known(length),
            BodyLength::Chunked => Source::Chunked(Chunked::new()),
            BodyLength::UntilClose | BodyLength::Tunnel => Source::UntilClose,
        };
        Self { source, sink, trailers: Vec::new(), bytes: 0, coder: None }
    }

    /// A body of `length` that is written in chunks, compressed.
    pub(super) fn compressed(length: BodyLength, encoder: Encoder) -> Self {
        let coder = Coder { encoder, coded: Vec::new(), taken: 0, given: 0 };
        Self { coder: Some(Box::new(coder)), ..Self::new(length, Sink::Chunks) }
    }

    /// The same body, of which nothing is written any more.
    pub(super) fn discarded(self) -> Self {
        Self { sink: Sink::Nothing, coder: None, ..self }
    }

    /// Bytes that went into compression and that came out of it, if there is any.
    pub(super) fn compression(&self) -> Option<(u64, u64)> {
        self.coder.as_ref().map(|coder| (coder.taken, coder.given))
    }

    /// Whether nothing more is expected.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.source, Source::Done)
    }

    /// What is missing of a body that passes as it is.
    pub(super) fn untouched(&self) -> Option<u64> {
        match (&self.source, self.sink) {
            (Source::Known(left), Sink::Plain) => Some(*left),
            _ => None,
        }
    }

    /// So many bytes of such a body went by without being looked at.
    pub(super) fn pass(&mut self, bytes: u64) {
        if let Source::Known(left) = &mut self.source {
            *left = left.saturating_sub(bytes);
            self.bytes += bytes;
            if *left == 0 {
                self.source = Source::Done;
            }
        }
    }

    /// The sender closed: true when the body is complete by that. What the sink still needs is appended.
    pub(super) fn close(&mut self, out: &mut Vec<u8>) -> bool {
        match self.source {
            Source::UntilClose => {
                self.end_data(out);
                if self.sink == Sink::Chunks {
                    out.extend_from_slice(b"0\r\n\r\n");
                }
                self.source = Source::Done;
                true
            }
            Source::Done => true,
            _ => false,
        }
    }

    /// Looks at received bytes. Either they are to be sent verbatim, or what is to be sent was appended to `out`.
    pub(super) fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Taken, Reject> {
        match (&mut self.source, self.sink) {
            (Source::Known(left), Sink::Plain | Sink::Nothing) => {
                let used = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= used as u64;
                self.bytes += used as u64;
                if *left == 0 {
                    self.source = Source::Done;
                }
                Ok(Taken { used, verbatim: self.sink == Sink::Plain })
            }
            (Source::UntilClose, Sink::Plain | Sink::Nothing) => {
                self.bytes += bytes.len() as u64;
                Ok(Taken { used: bytes.len(), verbatim: self.sink == Sink::Plain })
            }
            (Source::Known(left), Sink::Chunks) => {
                let used = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= used as u64;
                let done = *left == 0;
                self.push_chunk(&bytes[..used], out);
                if done {
                    self.end_data(out);
                    out.extend_from_slice(b"0\r\n\r\n");
                    self.source = Source::Done;
                }
                Ok(Taken { used, verbatim: false })
            }
            (Source::UntilClose, Sink::Chunks) => {
                self.push_chunk(bytes, out);
                Ok(Taken { used: bytes.len(), verbatim: false })
            }
            (Source::Chunked(_) | Source::Trailers, _) => {
                self.take_chunked(bytes, out).map(|used| Taken { used, verbatim: false })
            }
            (Source::Done, _) => Ok(Taken { used: 0, verbatim: true }),
        }
    }

    fn push_chunk(&mut self, data: &[u8], out: &mut Vec<u8>) {
        if data.is_empty() {
            return;
        }
        self.bytes += data.len() as u64;
        match &mut self.coder {
            None => write_chunk(data, out),
            Some(coder) => {
                coder.taken += data.len() as u64;
                coder.encoder.encode(data, &mut coder.coded);
                coder.write(out);
            }
        }
    }

    /// The data is complete: what compression held back follows.
    fn end_data(&mut self, out: &mut Vec<u8>) {
        if let Some(coder) = &mut self.coder {
            coder.encoder.finish(&mut coder.coded);
            coder.write(out);
        }
    }

    /// Decodes, and frames anew if the sink wants chunks: extensions and odd spellings end here.
    fn take_chunked(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, Reject> {
        let mut at = 0;
        while at < bytes.len() {
            let Source::Chunked(decoder) = &mut self.source else { break };
            match decoder.next(&bytes[at..])? {
                Piece::Skip(len) => at += len,
                Piece::Data(len) => {
                    let data = &bytes[at..at + len];
                    at += len;
                    if self.sink == Sink::Chunks {
                        self.push_chunk(data, out);
                        continue;
                    }
                    self.bytes += len as u64;
                    if self.sink == Sink::Plain {
                        out.extend_from_slice(data);
                    }
                }
                Piece::Trailers(len) => {
                    at += len;
                    self.source = Source::Trailers;
                    self.end_data(out);
                }
            }
        }
        if matches!(self.source, Source::Trailers) {
            at += self.take_trailers(&bytes[at..], out)?;
        }
        Ok(at)
    }

    fn take_trailers(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, Reject> {
        // Nearly always there are none.
        if self.trailers.is_empty() && bytes.starts_with(b"\r\n") {
            if self.sink == Sink::Chunks {
                out.extend_from_slice(b"0\r\n\r\n");
            }
            self.bytes += 1;
            self.source = Source::Done;
            return Ok(2);
        }
        let before = self.trailers.len();
        self.trailers.extend_from_slice(bytes);
        let mut fields = Fields::default();
        fields.set_buffer(std::mem::take(&mut self.trailers));
        let filled = before + bytes.len();
        let end = parse_trailers(&mut fields, 0, filled, &Limits::default())?;
        let Some(end) = end else {
            self.trailers = fields.take_buffer();
            return Ok(bytes.len());
        };
        if self.sink == Sink::Chunks {
            write_trailers(out, &fields);
        }
        self.bytes += fields.text_len() as u64 + 1;
        self.source = Source::Done;
        Ok(end - before)
    }
}

impl Coder {
    fn write(&mut self, out: &mut Vec<u8>) {
        self.given += self.coded.len() as u64;
        if !self.coded.is_empty() {
            write_chunk(&self.coded, out);
        }
        self.coded.clear();
    }
}

fn write_chunk(data: &[u8], out: &mut Vec<u8>) {
    push_hex(out, data.len() as u64);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer(length: BodyLength, sink: Sink, bytes: &[u8], step: usize) -> (Vec<u8>, usize, bool) {
        let mut transfer = Transfer::new(length, sink);
        let mut sent = Vec::new();
        let mut used = 0;
        for part in bytes.chunks(step) {
            if transfer.is_done() {
                break;
            }
            let mut out = Vec::new();
            let taken = transfer.take(part, &mut out).unwrap();
            used += taken.used;
            if taken.verbatim {
                sent.extend_from_slice(&part[..taken.used]);
            } else {
                sent.extend_from_slice(&out);
            }
        }
        (sent, used, transfer.is_done())
    }

    #[test]
    fn a_known_length_passes_and_what_follows_is_left() {
        for step in 1..8 {
            let (sent, used, done) = transfer(BodyLength::Known(5), Sink::Plain, b"helloGET", step);
            assert_eq!((&sent[..], used, done), (&b"hello"[..], 5, true));
        }
        assert_eq!(end_of(BodyLength::Known(5), b"hello!"), Some(5));
        assert_eq!(end_of(BodyLength::Known(7), b"hello!"), None);
        assert_eq!(whole(BodyLength::Known(5), b"hello!").as_deref(), Some(&b"hello"[..]));
        assert_eq!(whole(BodyLength::Known(7), b"hello!"), None);
    }

    #[test]
    fn chunks_lose_their_extensions_and_keep_their_trailers() {
        let body = b"5;x=y\r\nhello\r\n0\r\nT: 1\r\n\r\nGET";
        for step in 1..body.len() {
            let (sent, used, done) = transfer(BodyLength::Chunked, Sink::Chunks, body, step);
            assert_eq!((used, done), (body.len() - 3, true), "{step}");
            assert!(sent.ends_with(b"\r\n0\r\nt: 1\r\n\r\n"), "{}", sent.escape_ascii());
            let (sent, _, _) = transfer(BodyLength::Chunked, Sink::Plain, body, step);
            assert_eq!(sent, b"hello");
        }
        assert_eq!(whole(BodyLength::Chunked, body).as_deref(), Some(&b"hello"[..]));
        assert_eq!(end_of(BodyLength::Chunked, body), Some(body.len() - 3));
        assert_eq!(end_of(BodyLength::Chunked, &body[..body.len() - 5]), None);
        let part = extent(BodyLength::Chunked, &body[..10]);
        assert_eq!(part, Extent { data: 3, end: None });
        assert!(part.is_enough(3) && !part.is_enough(4) && !part.is_enough(0));
    }

    #[test]
    fn what_compression_holds_back_comes_before_the_last_chunk() {
        let coder = || Encoder::new(crate::spec::CompressionAlgorithm::Identity, 1).unwrap();
        let mut body = Transfer::compressed(BodyLength::Known(4), coder());
        let mut out = Vec::new();
        body.take(b"ab", &mut out).unwrap();
        body.take(b"cdGET", &mut out).unwrap();
        assert_eq!(out, b"2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n");
        assert_eq!((body.is_done(), body.compression()), (true, Some((4, 4))));
        let mut body = Transfer::compressed(BodyLength::Chunked, coder());
        out.clear();
        body.take(b"3\r\nabc\r\n0\r\nt: 1\r\n\r\n", &mut out).unwrap();
        assert_eq!(out, b"3\r\nabc\r\n0\r\nt: 1\r\n\r\n");
    }

    #[test]
    fn a_body_that_ends_with_its_connection_is_closed_properly() {
        let mut body = Transfer::new(BodyLength::UntilClose, Sink::Chunks);
        let mut out = Vec::new();
        body.take(b"ab", &mut out).unwrap();
        assert!(body.close(&mut out));
        assert_eq!(out, b"2\r\nab\r\n0\r\n\r\n");
        assert!(!Transfer::new(BodyLength::Known(3), Sink::Plain).close(&mut out));
    }
}
