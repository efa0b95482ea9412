//! The response to a check, collected until it can be judged.

use crate::h1::{BodyLength, Chunked, Cursor, Limits, Piece, parse_response};
use crate::head::{Method, Response};
use crate::layer::HttpLayer;
use lb_core::health::Heard;

/// Most bytes that are kept; the size of HAProxy's buffer. A response that fills it is judged as it stands.
pub(super) const MAX_RESPONSE: usize = 16 * 1024;
/// Most bytes of a response whose digest is wanted, which only the whole of it has.
pub(super) const MAX_DIGESTED: usize = 4 * 1024 * 1024;

/// What has been received since the last request.
#[derive(Debug, Default)]
pub(super) struct Received {
    bytes: Vec<u8>,
    /// The response, as expressions see it; `has_response` once its head is complete.
    layer: HttpLayer,
    broken: bool,
    /// The transfer coding of the body is broken.
    garbled: bool,
    body: Vec<u8>,
    decoder: Chunked,
    /// Bytes of the body, as sent, that were looked at.
    read: usize,
    complete: bool,
    /// Most bytes to keep.
    room: usize,
}

/// How much of a response is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The head is incomplete.
    Head,
    /// It is not a response.
    Broken,
    /// The head, and a body that cannot be read.
    Garbled,
    /// The head and a part of the body.
    Body,
    /// Everything.
    Complete,
}

impl Received {
    /// Nothing yet, and at most so many bytes.
    pub(super) fn new(room: usize) -> Self {
        Self { room, ..Self::default() }
    }

    /// A new request was sent: what belonged to the last response goes.
    pub(super) fn restart(&mut self) {
        let rest = match self.head() {
            Some(_) if self.complete => self.bytes.split_off(self.read.min(self.bytes.len())),
            _ => Vec::new(),
        };
        *self = Self { bytes: rest, ..Self::new(self.room) };
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = self.room.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= self.room
    }

    /// Reads on; `closed` when nothing more will come.
    pub(super) fn parse(&mut self, asked: Method, closed: bool) -> State {
        if self.broken {
            return State::Broken;
        }
        if self.head().is_none() && !self.parse_head(asked) {
            return if self.broken { State::Broken } else { State::Head };
        }
        self.parse_body(closed);
        match () {
            () if self.garbled => State::Garbled,
            () if self.complete => State::Complete,
            () => State::Body,
        }
    }

    /// Whether the head is complete. An interim response is judged like any other: nothing asked for it.
    fn parse_head(&mut self, asked: Method) -> bool {
        let mut response = Response::default();
        response.fields.set_buffer(std::mem::take(&mut self.bytes));
        let filled = response.fields.buffer().len();
        let limits = Limits { head: MAX_RESPONSE, ..Limits::default() };
        let done = parse_response(&mut response, &mut Cursor::default(), filled, asked, &limits);
        self.bytes = response.fields.buffer().to_vec();
        if let Ok(true) = done {
            self.read = response.body_at;
            self.layer.server_status = response.status;
            self.layer.response = response;
            self.layer.has_response = true;
        }
        self.broken = done.is_err();
        self.layer.has_response
    }

    fn parse_body(&mut self, closed: bool) {
        let Some(body) = self.head().map(|head| head.body) else { return };
        match body {
            BodyLength::Empty | BodyLength::Tunnel => self.complete = true,
            BodyLength::UntilClose => {
                self.body.extend_from_slice(&self.bytes[self.read..]);
                self.read = self.bytes.len();
                self.complete = closed;
            }
            BodyLength::Known(length) => {
                let missing = length.saturating_sub(self.body.len() as u64);
                let rest = &self.bytes[self.read..];
                let take = rest.len().min(usize::try_from(missing).unwrap_or(usize::MAX));
                self.body.extend_from_slice(&rest[..take]);
                self.read += take;
                self.complete = self.body.len() as u64 == length;
            }
            BodyLength::Chunked => self.parse_chunks(),
        }
    }

    fn parse_chunks(&mut self) {
        while !self.complete && self.read < self.bytes.len() {
            match self.decoder.next(&self.bytes[self.read..]) {
                Ok(Piece::Skip(len)) => self.read += len,
                Ok(Piece::Data(len)) => {
                    self.body.extend_from_slice(&self.bytes[self.read..self.read + len]);
                    self.read += len;
                }
                Ok(Piece::Trailers(len)) => {
                    // Trailers say nothing about the server's health.
                    self.read += len;
                    self.complete = true;
                }
                Err(_) => {
                    self.garbled = true;
                    return;
                }
            }
        }
    }

    /// The head, if it is complete.
    pub(super) fn head(&self) -> Option<&Response> {
        self.layer.has_response.then_some(&self.layer.response)
    }

    /// The status, 0 before it is known.
    pub(super) fn status(&self) -> u16 {
        self.head().map_or(0, |head| head.status)
    }

    /// What expressions see.
    pub(super) fn heard(&self) -> Heard<'_> {
        Heard { bytes: &self.body, layer: Some(&self.layer) }
    }

    /// The decoded body as far as it is there.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }
}
