//! Waiting for the first bytes of a session until its content rules have decided.

use super::connection::Session;
use super::passage::Passage;
use super::rules::{Scene, Verdict};
use super::{Buffer, Stream, Timer};
use crate::engine::ProxyPlan;
use crate::expr::{Arena, Env, Peek};
use crate::rule::RuleSet;
use crate::rule::resolve::Resolve;
use crate::rule::tcp::TcpAction;
use std::task::Poll;
use std::time::Instant;

/// Bytes that were received ahead of the relay.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    buffer: Option<Buffer>,
    closed: bool,
    /// The connection broke.
    broken: bool,
    size: usize,
    /// Bytes from which on it counts as full.
    limit: usize,
}

impl Inbox {
    /// An empty one for buffers of `size` bytes, of which the last `reserve` stay free.
    pub(super) fn new(size: usize, reserve: usize) -> Self {
        Self { buffer: None, closed: false, broken: false, size, limit: size.saturating_sub(reserve).max(1) }
    }

    /// What is there.
    pub(super) fn peek(&self) -> Peek<'_> {
        Peek { bytes: self.bytes(), complete: self.is_complete() }
    }

    /// The bytes.
    fn bytes(&self) -> &[u8] {
        self.buffer.as_ref().map_or(&[], Buffer::filled)
    }

    /// Whether nothing was received.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }

    /// Whether nothing will be added.
    pub(super) fn is_complete(&self) -> bool {
        self.closed || self.bytes().len() >= self.limit
    }

    /// Whether the connection broke.
    pub(super) const fn is_broken(&self) -> bool {
        self.broken
    }

    /// Parts with the bytes.
    pub(super) fn take(&mut self) -> Option<Buffer> {
        self.buffer.take()
    }

    /// Receives what is there without waiting for it.
    pub(super) async fn receive_now(&mut self, stream: &mut Stream) {
        std::future::poll_fn(|cx| {
            let _ = self.poll_receive(cx, stream);
            Poll::Ready(())
        })
        .await;
    }

    /// Receives until something is added or the timer ends.
    async fn receive(&mut self, stream: &mut Stream, timer: &Timer) {
        std::future::poll_fn(|cx| match self.poll_receive(cx, stream) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => timer.poll_expired(cx),
        })
        .await;
    }

    fn poll_receive(&mut self, cx: &mut std::task::Context<'_>, stream: &mut Stream) -> Poll<()> {
        let before = self.bytes().len();
        while !self.is_complete() {
            let mut buffer = self.buffer.take().unwrap_or_else(|| Buffer::take(self.size));
            let got = stream.poll_read(cx, buffer.spare());
            if let Poll::Ready(Ok(n)) = got {
                buffer.fill(n);
            }
            self.buffer = Some(buffer).filter(|buffer| !buffer.is_empty());
            self.broken = matches!(got, Poll::Ready(Err(_)));
            match got {
                Poll::Ready(Ok(0) | Err(_)) => self.closed = true,
                Poll::Ready(Ok(_)) => {}
                Poll::Pending if self.bytes().len() > before => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(())
    }
}

/// Runs the `tcp-request content` rules of `owner` until they have decided.
pub(super) async fn request(
    client: &mut Stream,
    session: &mut Session,
    passage: &mut Passage,
    inbox: &mut Inbox,
    timer: &Timer,
    owner: &ProxyPlan,
) -> Verdict {
    let rules = &owner.spec.tcp_rules.request;
    let delay = owner.spec.tcp_rules.inspect_delay;
    // A proxy that is its own backend knows itself.
    let backend = owner.spec.capability.is_backend().then_some(owner);
    let (mut deadline, mut from): (Option<Instant>, usize) = (None, 0);
    inbox.receive_now(client).await;
    // Rules that would have waited are told of a close only after they have had to.
    let mut early = inbox.closed && delay.is_some();
    loop {
        let mut name = None;
        let late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        let complete = inbox.is_complete() && !std::mem::take(&mut early);
        let verdict = {
            let mut scene = Scene::new(session, client);
            scene.passage = Some(passage);
            scene.request = Some(Peek { complete, ..inbox.peek() });
            scene.backend = backend;
            scene.partial = delay.is_some() && !late && !complete;
            let verdict = scene.run(rules, from, owner);
            if let Some(rule) = looks_up(rules, verdict) {
                let (facts, arena) = (scene.facts(), Arena::new());
                name = rule.name(&Env::new(&facts, facts.vars(), &arena));
            }
            verdict
        };
        match verdict {
            Verdict::Wait => {
                passage.waited = true;
                let now = Instant::now();
                timer.set(Some(*deadline.get_or_insert_with(|| now + delay.unwrap_or_default())));
                inbox.receive(client, timer).await;
                // What was passed over may apply to what has come since.
                from = 0;
            }
            Verdict::Pause(next, time) => {
                timer.set_after(Some(time));
                timer.expired().await;
                from = next;
            }
            Verdict::Resolve(at) => {
                if let (Some(rule), Some(name)) = (looks_up(rules, verdict), name) {
                    let found = Box::pin(super::resolve(rule, &name)).await;
                    let mut scene = Scene::new(session, client);
                    scene.passage = Some(passage);
                    rule.keep(&scene.facts().vars(), found);
                }
                from = at + 1;
            }
            decided => return decided,
        }
    }
}

/// The rule that wants a name looked up.
fn looks_up(rules: &RuleSet<TcpAction>, verdict: Verdict) -> Option<&Resolve> {
    let Verdict::Resolve(at) = verdict else { return None };
    match &rules.rules().get(at)?.action {
        TcpAction::Resolve(rule) => Some(rule),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn an_inbox_is_complete_when_it_is_full_or_the_sender_has_finished() {
        let (ours, mut theirs) = tokio::net::UnixStream::pair().unwrap();
        let mut stream = Stream::Unix(ours);
        let mut inbox = Inbox::new(8, 4);
        inbox.receive_now(&mut stream).await;
        assert!(inbox.is_empty() && !inbox.is_complete());
        theirs.write_all(b"ab").await.unwrap();
        let timers = super::super::Timers::new();
        inbox.receive(&mut stream, &timers.timer()).await;
        assert_eq!((inbox.peek().bytes, inbox.peek().complete), (&b"ab"[..], false));
        theirs.write_all(b"cdefghijk").await.unwrap();
        inbox.receive(&mut stream, &timers.timer()).await;
        assert_eq!((inbox.peek().bytes, inbox.peek().complete), (&b"abcdefgh"[..], true));
        let mut other = Inbox::new(8, 0);
        drop(theirs);
        other.receive(&mut stream, &timers.timer()).await;
        other.receive(&mut stream, &timers.timer()).await;
        assert_eq!((other.peek().bytes, other.peek().complete), (&b"ijk"[..], true));
        assert!(other.take().is_some() && other.is_empty());
    }
}
