//! A request on its way to its server. Nearly always all of it leaves at once; only for the others a flow is kept, in a box of
//! its own, so that an exchange that waits for its response holds little.

use std::ops::ControlFlow;
use std::task::{Context, Poll};

use lb_core::bandwidth::Limiter;
use lb_core::rt::{Pace, Stream, Timers};

use super::body::{Sink, Transfer};
use super::flow::{Flow, FlowEnd};
use crate::h1::BodyLength;

/// A request on its way.
pub(super) struct Upload {
    /// What logs count of a body that left at once.
    bytes: u64,
    /// What was sent at once.
    moved: u64,
    flow: Option<Box<Flow>>,
}

impl Upload {
    /// A request of which `moved` bytes were sent at once, or that goes on.
    pub(super) fn begun(started: ControlFlow<Transfer, Flow>, moved: u64) -> Self {
        match started {
            ControlFlow::Break(transfer) => Self { bytes: transfer.bytes, moved, flow: None },
            ControlFlow::Continue(flow) => Self { bytes: 0, moved: 0, flow: Some(Box::new(flow)) },
        }
    }

    /// Limits the bandwidth of what is still to come.
    pub(super) fn pace(&mut self, pace: Pace) {
        if let Some(flow) = &mut self.flow {
            flow.pace(pace);
        }
    }

    /// Puts further limits into force.
    pub(super) fn limit(&mut self, limiters: Vec<Limiter>, timers: &Timers) {
        if let Some(flow) = &mut self.flow {
            flow.limit(limiters, timers);
        }
    }

    /// Parts with the limits.
    pub(super) fn take_limiters(&mut self) -> Vec<Limiter> {
        self.flow.as_mut().map_or_else(Vec::new, |flow| flow.take_limiters())
    }

    /// Whether a limit is waited for rather than client or server.
    pub(super) fn is_paused(&self) -> bool {
        self.flow.as_ref().is_some_and(|flow| flow.is_paused())
    }

    /// Moves what can be moved.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Stream,
        server: &mut Stream,
    ) -> Poll<FlowEnd> {
        match &mut self.flow {
            Some(flow) => flow.poll(cx, client, server),
            None => Poll::Ready(FlowEnd::Done),
        }
    }

    /// Reads the rest of the body without sending it.
    pub(super) fn discard(&mut self) {
        if let Some(flow) = &mut self.flow {
            flow.discard();
        }
    }

    /// Parts with what is left of the body, see [`Flow::give_up`].
    pub(super) fn give_up(&mut self) -> Option<(Transfer, Vec<u8>)> {
        match &mut self.flow {
            Some(flow) => flow.give_up(),
            None => Some((Transfer::new(BodyLength::Empty, Sink::Nothing), Vec::new())),
        }
    }

    /// Whether the whole body was received.
    pub(super) fn is_received(&self) -> bool {
        self.flow.as_ref().is_none_or(|flow| flow.transfer.is_done())
    }

    /// Whether all of the request is in its buffer, from which it can be sent once more.
    pub(super) fn is_repeatable(&self) -> bool {
        self.received() == 0 && self.is_received()
    }

    /// Whether everything was received and sent.
    pub(super) fn is_over(&self) -> bool {
        self.flow.as_ref().is_none_or(|flow| flow.is_over())
    }

    /// Whether the server is waited for rather than the client.
    pub(super) fn is_blocked(&self) -> bool {
        self.flow.as_ref().is_some_and(|flow| flow.is_blocked())
    }

    /// Whether the rest of the body is read without being sent.
    pub(super) fn discards(&self) -> bool {
        self.flow.as_ref().is_some_and(|flow| flow.discards)
    }

    /// What logs count of the body.
    pub(super) fn bytes(&self) -> u64 {
        self.flow.as_ref().map_or(self.bytes, |flow| flow.transfer.bytes)
    }

    /// Bytes that were sent.
    pub(super) fn moved(&self) -> u64 {
        self.flow.as_ref().map_or(self.moved, |flow| flow.moved)
    }

    /// Bytes that were received since the request was begun.
    pub(super) fn received(&self) -> u64 {
        self.flow.as_ref().map_or(0, |flow| flow.received)
    }

    /// Bytes received after the body: they belong to the next message.
    pub(super) fn extra(&self) -> &[u8] {
        self.flow.as_ref().map_or(&[], |flow| &flow.extra)
    }
}
