//! One direction of an exchange: bytes from one connection to the other, through a buffer lent while they are in
//! flight. Long bodies that need no change move inside the kernel, through a pipe.

use std::ops::ControlFlow;
use std::task::{Context, Poll};

use lb_core::bandwidth::Limiter;
use lb_core::rt::{Pace, Pipe, Stream, Timers};

use super::body::{Sink, Transfer};
use super::io::{
    BUFFER, Behind, Sent, give_buffer, give_bulk, give_scratch, take_buffer, take_bulk, take_scratch,
    write_at_once,
};
use crate::h1::{BodyLength, Reject};

/// Full reads after which a flow counts as bulk and gets a pipe or a large buffer.
const BULK_AFTER: u8 = 2;
/// A body of which so much is missing counts as bulk from the beginning.
const BULK_BODY: u64 = 131_072;

/// A body on its way, and what goes in front of it.
pub(super) struct Flow {
    pub(super) transfer: Transfer,
    /// Bytes to be sent first: a head, and what the transfer made.
    pub(super) out: Vec<u8>,
    sent: usize,
    /// Received bytes; a part of them may be waiting to be sent.
    buffer: Vec<u8>,
    from: usize,
    to: usize,
    full_reads: u8,
    /// TLS may hold back what was written.
    unflushed: bool,
    /// Received bytes that did not come to us.
    pipe: Option<Pipe>,
    /// What came into the pipe last was so little that copying it is cheaper.
    thin: bool,
    /// Bytes received after the body: they belong to the next message.
    pub(super) extra: Vec<u8>,
    pub(super) received: u64,
    pub(super) moved: u64,
    source_closed: bool,
    /// The sink takes nothing any more: what comes is read and forgotten.
    pub(super) discards: bool,
    /// The body turned out not to be what its framing says before it was on its way.
    broken: Option<Reject>,
    /// Limits of the bandwidth, if there are any.
    pace: Option<Box<Pace>>,
}

/// How a flow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlowEnd {
    /// Everything was sent.
    Done,
    /// The source closed before the body was complete.
    SourceClosed,
    /// Reading failed.
    SourceFailed,
    /// Writing failed.
    SinkFailed,
    /// The body is not what its framing says.
    Broken(Reject),
}

impl Flow {
    /// A flow that sends `out` and then the rest of the body.
    pub(super) fn new(transfer: Transfer, out: Vec<u8>) -> Self {
        Self {
            transfer,
            out,
            sent: 0,
            buffer: Vec::new(),
            from: 0,
            to: 0,
            full_reads: 0,
            unflushed: false,
            pipe: None,
            thin: false,
            extra: Vec::new(),
            received: 0,
            moved: 0,
            source_closed: false,
            discards: false,
            broken: None,
            pace: None,
        }
    }

    /// Sends `out`, and that is all if it leaves at once and nothing is to follow; else a flow goes on. `behind` is what comes
    /// when the body is complete. Without a sink, or with a body that is not what its framing says, nothing is sent. Made a part of
    /// its callers: a flow is large, and what they get is nearly never one.
    #[inline(always)]
    pub(super) fn start(
        cx: &mut Context<'_>,
        sink: Option<&mut Stream>,
        behind: Behind,
        transfer: Transfer,
        out: Vec<u8>,
        broken: Option<Reject>,
    ) -> ControlFlow<Transfer, Self> {
        let mut sent = Sent::default();
        if let Some(sink) = sink.filter(|_| broken.is_none() && transfer.is_done()) {
            sent = write_at_once(sink, cx, &out, behind);
            if sent.is_all_of(&out) {
                give_scratch(out);
                return ControlFlow::Break(transfer);
            }
        }
        let mut flow = Self::new(transfer, out);
        (flow.sent, flow.unflushed) = (sent.bytes, sent.held);
        flow.moved = sent.bytes as u64;
        flow.broken = broken;
        ControlFlow::Continue(flow)
    }

    /// Whether everything was received and sent.
    pub(super) fn is_over(&self) -> bool {
        self.transfer.is_done() && !self.is_blocked()
    }

    /// Limits the bandwidth.
    pub(super) fn pace(&mut self, pace: Pace) {
        self.pace = Some(Box::new(pace));
    }

    /// Puts further limits into force.
    pub(super) fn limit(&mut self, limiters: Vec<Limiter>, timers: &Timers) {
        match &mut self.pace {
            Some(pace) => pace.add(limiters),
            None => self.pace(Pace::new(limiters, timers.timer(), Vec::new())),
        }
    }

    /// Parts with the limits.
    pub(super) fn take_limiters(&mut self) -> Vec<Limiter> {
        self.pace.take().map_or_else(Vec::new, |pace| pace.into_limiters())
    }

    /// Whether a limit is waited for rather than source or sink.
    pub(super) fn is_paused(&self) -> bool {
        self.pace.as_ref().is_some_and(|pace| pace.is_paused())
    }

    /// Reads the rest of the body without sending it: the sender has to get rid of it before it listens again.
    pub(super) fn discard(&mut self) {
        self.discards = true;
        self.forget();
    }

    /// Parts with the body: what is left of it, of which nothing is to be sent any more, and what was received behind it.
    /// `None` if its end cannot be found.
    pub(super) fn give_up(&mut self) -> Option<(Transfer, Vec<u8>)> {
        if self.broken.is_some() || self.source_closed {
            return None;
        }
        let none = Transfer::new(BodyLength::Empty, Sink::Nothing);
        let mut transfer = std::mem::replace(&mut self.transfer, none).discarded();
        let mut extra = std::mem::take(&mut self.extra);
        if let Some(pace) = &mut self.pace {
            let held = pace.take_rest();
            let taken = transfer.take(held, &mut self.out).ok()?;
            extra.extend_from_slice(&held[taken.used..]);
        }
        self.forget();
        Some((transfer, extra))
    }

    fn forget(&mut self) {
        self.out.clear();
        (self.sent, self.from, self.to) = (0, 0, 0);
        self.unflushed = false;
        self.pipe = None;
    }

    /// Whether the flow waits for its sink rather than for its source.
    pub(super) fn is_blocked(&self) -> bool {
        self.sent < self.out.len()
            || self.from < self.to
            || self.unflushed
            || self.pipe.as_ref().is_some_and(|pipe| pipe.held() > 0)
    }

    /// Moves what can be moved.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut Stream,
        sink: &mut Stream,
    ) -> Poll<FlowEnd> {
        if let Some(reject) = self.broken {
            return Poll::Ready(FlowEnd::Broken(reject));
        }
        loop {
            match self.poll_send(cx, sink) {
                Poll::Ready(true) => {}
                Poll::Ready(false) => return Poll::Ready(FlowEnd::SinkFailed),
                Poll::Pending => return Poll::Pending,
            }
            if self.transfer.is_done() {
                return Poll::Ready(FlowEnd::Done);
            }
            if self.source_closed {
                return Poll::Ready(FlowEnd::SourceClosed);
            }
            let received = match self.splices(source, sink) {
                Some(most) => self.poll_splice(cx, source, most),
                None => self.poll_receive(cx, source),
            };
            if let Some(end) = std::task::ready!(received) {
                return Poll::Ready(end);
            }
        }
    }

    /// How much may move inside the kernel now; `None` when the bytes must pass through here, or come in small pieces.
    fn splices(&self, source: &Stream, sink: &Stream) -> Option<usize> {
        let left = self.transfer.untouched().filter(|_| self.pace.is_none())?;
        let bulk =
            self.full_reads >= BULK_AFTER || (!self.thin && (self.pipe.is_some() || left >= BULK_BODY));
        let plain = matches!((source, sink), (Stream::Tcp(_), Stream::Tcp(_))) && !self.discards;
        (bulk && plain).then(|| usize::try_from(left).unwrap_or(usize::MAX))
    }

    /// Receives once into a pipe; an end if there is one.
    fn poll_splice(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut Stream,
        most: usize,
    ) -> Poll<Option<FlowEnd>> {
        if self.pipe.is_none() {
            self.pipe = Pipe::take().ok();
        }
        let (Some(pipe), Some(tcp)) = (&mut self.pipe, source.tcp_mut()) else {
            // There is no descriptor left for a pipe.
            return self.poll_receive(cx, source);
        };
        match pipe.poll_fill(cx, tcp, most) {
            Poll::Ready(Ok(0)) => {
                self.source_closed = true;
                Poll::Ready(Some(FlowEnd::SourceClosed))
            }
            Poll::Ready(Ok(n)) => {
                self.thin = n < BUFFER.min(most);
                self.full_reads = 0;
                self.received += n as u64;
                self.transfer.pass(n as u64);
                Poll::Ready(None)
            }
            Poll::Ready(Err(_)) => Poll::Ready(Some(FlowEnd::SourceFailed)),
            Poll::Pending => {
                // The pipe may serve others until more comes.
                self.pipe = None;
                Poll::Pending
            }
        }
    }

    /// Sends what is waiting; false when that failed.
    fn poll_send(&mut self, cx: &mut Context<'_>, sink: &mut Stream) -> Poll<bool> {
        if self.discards {
            self.forget();
            return Poll::Ready(true);
        }
        loop {
            let front = &self.out[self.sent..];
            let back = &self.buffer[self.from..self.to];
            let result = match (front.is_empty(), back.is_empty()) {
                (true, true) => break,
                (false, true) => sink.poll_write(cx, front),
                (true, false) => sink.poll_write(cx, back),
                (false, false) => {
                    sink.poll_write_vectored(cx, &[std::io::IoSlice::new(front), std::io::IoSlice::new(back)])
                }
            };
            match std::task::ready!(result) {
                Ok(0) | Err(_) => return Poll::Ready(false),
                Ok(n) => {
                    self.unflushed = sink.is_tls();
                    self.moved += n as u64;
                    let first = n.min(front.len());
                    self.sent += first;
                    self.from += n - first;
                }
            }
        }
        give_scratch(std::mem::take(&mut self.out));
        self.sent = 0;
        self.from = 0;
        self.to = 0;
        while let Some(pipe) = self.pipe.as_mut().filter(|pipe| pipe.held() > 0) {
            let Some(tcp) = sink.tcp_mut() else { return Poll::Ready(false) };
            match std::task::ready!(pipe.poll_drain(cx, tcp)) {
                Ok(n) if n > 0 => self.moved += n as u64,
                _ => return Poll::Ready(false),
            }
        }
        if self.unflushed {
            if std::task::ready!(sink.poll_flush(cx)).is_err() {
                return Poll::Ready(false);
            }
            self.unflushed = false;
        }
        Poll::Ready(true)
    }

    /// Receives once; an end if there is one.
    fn poll_receive(&mut self, cx: &mut Context<'_>, source: &mut Stream) -> Poll<Option<FlowEnd>> {
        let room = match &mut self.pace {
            None => usize::MAX,
            Some(pace) => std::task::ready!(pace.poll_allow(cx, BUFFER)),
        };
        if self.buffer.is_empty() {
            self.buffer = take_buffer();
        }
        if self.out.capacity() == 0 {
            self.out = take_scratch();
        }
        if self.full_reads >= BULK_AFTER
            && self.buffer.len() == BUFFER
            && let Some(bulk) = take_bulk()
        {
            give_buffer(std::mem::replace(&mut self.buffer, bulk));
        }
        let room = room.min(self.buffer.len());
        if let Some(pace) = self.pace.as_mut().filter(|pace| pace.has_held()) {
            let n = pace.take_held(&mut self.buffer[..room]);
            return Poll::Ready(self.take(n));
        }
        let n = match std::task::ready!(source.poll_read(cx, &mut self.buffer[..room])) {
            Ok(0) => {
                self.source_closed = true;
                return Poll::Ready(if self.transfer.close(&mut self.out) {
                    None
                } else {
                    Some(FlowEnd::SourceClosed)
                });
            }
            Ok(n) => n,
            Err(_) => return Poll::Ready(Some(FlowEnd::SourceFailed)),
        };
        self.received += n as u64;
        self.full_reads = if n == self.buffer.len() { self.full_reads.saturating_add(1) } else { 0 };
        Poll::Ready(self.take(n))
    }

    /// Takes the first bytes of the buffer; an end if there is one.
    fn take(&mut self, n: usize) -> Option<FlowEnd> {
        let before = self.transfer.bytes;
        let taken = match self.transfer.take(&self.buffer[..n], &mut self.out) {
            Ok(taken) => taken,
            Err(reject) => {
                // What came together with the fault does not count.
                self.transfer.bytes = before;
                return Some(FlowEnd::Broken(reject));
            }
        };
        if taken.verbatim {
            self.to = taken.used;
        }
        self.extra.extend_from_slice(&self.buffer[taken.used..n]);
        if let Some(pace) = &mut self.pace {
            pace.charge(usize::try_from(self.transfer.bytes - before).unwrap_or(usize::MAX));
            if self.transfer.is_done() {
                self.extra.extend_from_slice(pace.take_rest());
            }
        }
        None
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        give_scratch(std::mem::take(&mut self.out));
        let buffer = std::mem::take(&mut self.buffer);
        if buffer.len() == BUFFER {
            give_buffer(buffer);
        } else if !buffer.is_empty() {
            give_bulk(buffer);
        }
    }
}
