//! What a client still sends of a request that was answered. It is read and forgotten, however much it is, so that the next
//! request is found behind it.

use std::task::Poll;
use std::time::{Duration, Instant};

use super::body::{Sink, Transfer};
use super::deliver::with_extra;
use super::exchange::After;
use super::io::{give_buffer, take_buffer};
use super::txn::Live;
use super::upload::Upload;
use crate::h1::BodyLength;

/// The rest of a request.
pub(super) struct Unread {
    transfer: Transfer,
    /// Where the next request begins, if nothing is missing or what is missing comes alone.
    from: usize,
    /// What was received behind the body elsewhere than in the request's buffer.
    extra: Vec<u8>,
}

impl Unread {
    /// Nothing if there is no request whose end could be found.
    fn of(live: &Live<'_>) -> Option<Self> {
        let request = &live.txn.layer.request;
        let endless = matches!(request.body, BodyLength::UntilClose | BodyLength::Tunnel);
        if endless || !live.txn.layer.has_request {
            return None;
        }
        let mut transfer = Transfer::new(request.body, Sink::Nothing);
        let taken = transfer.take(request.buffered_body(), &mut Vec::new()).ok()?;
        Some(Self { transfer, from: request.body_at + taken.used, extra: Vec::new() })
    }

    /// The rest of a request that went to no server. What has come of its body is counted.
    pub(super) fn count(live: &mut Live<'_>) -> Option<Self> {
        let unread = Self::of(live);
        live.txn.counts.from_client += unread.as_ref().map_or(0, |unread| unread.transfer.bytes);
        unread
    }

    /// The rest of a request on its way to a server that is done with it.
    pub(super) fn of_upload(live: &Live<'_>, upload: &mut Upload) -> Option<Self> {
        let (transfer, extra) = upload.give_up()?;
        Some(Self { transfer, from: live.txn.layer.request.body_at, extra })
    }

    /// Reads the rest, each part of it within `limit`. A client that is not kept is told that nothing more comes, and what it
    /// goes on sending is taken for a while: closing with unread bytes would reset the connection.
    pub(super) async fn settle(self, live: &mut Live<'_>, keep: bool, limit: Option<Duration>) -> After {
        if self.transfer.is_done() {
            return self.after(live, keep);
        }
        // Most requests have come whole and must not pay for it.
        Box::pin(self.read(live, keep, limit)).await
    }

    async fn read(mut self, live: &mut Live<'_>, keep: bool, limit: Option<Duration>) -> After {
        const MOMENT: Duration = Duration::from_millis(200);
        const WHILE: Duration = Duration::from_secs(30);
        if !keep && live.client.stream.shutdown().await.is_err() {
            return After::Close;
        }
        let mut buffer = take_buffer();
        let (part, all) = if keep { (limit, None) } else { (Some(MOMENT), Some(Instant::now() + WHILE)) };
        let whole = self.drain(live, &mut buffer, part, all).await;
        give_buffer(buffer);
        if !whole {
            return After::Close;
        }
        // The client was busy until now.
        live.txn.times.end = Some(live.client.age());
        self.after(live, keep)
    }

    fn after(self, live: &mut Live<'_>, keep: bool) -> After {
        match keep {
            false => After::Close,
            true if self.extra.is_empty() => After::Keep(self.from),
            true => with_extra(live, &self.extra),
        }
    }

    /// Whether the body came to its end, each part of it within `limit` and the last one before `until`.
    async fn drain(
        &mut self,
        live: &mut Live<'_>,
        buffer: &mut [u8],
        limit: Option<Duration>,
        until: Option<Instant>,
    ) -> bool {
        let mut scratch = Vec::new();
        while !self.transfer.is_done() {
            if until.is_some_and(|until| Instant::now() >= until) {
                return false;
            }
            let client = &mut *live.client;
            client.timer.set_after(limit);
            let got = std::future::poll_fn(|cx| match client.stream.poll_read(cx, buffer) {
                Poll::Ready(got) => Poll::Ready(got.unwrap_or(0)),
                Poll::Pending => client.timer.poll_expired(cx).map(|()| 0),
            })
            .await;
            let Some(received) = buffer.get(..got).filter(|received| !received.is_empty()) else {
                return false;
            };
            let Ok(taken) = self.transfer.take(received, &mut scratch) else { return false };
            self.extra.extend_from_slice(&received[taken.used..]);
        }
        true
    }
}
