//! Small helpers on streams and the buffers of this driver.

use std::cell::{Cell, RefCell};
use std::future::Future as _;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use lb_core::rt::{Stream, Worker};

use super::client::Client;
use crate::head::Fields;

/// Size of a buffer.
pub(super) const BUFFER: usize = 16_384;
/// Size of a buffer for bulk data.
pub(super) const BULK: usize = 262_144;
/// Buffers for bulk data that are in use at once on a thread.
const BULK_MOST: usize = 64;
/// Buffers a thread keeps.
const KEEP: usize = 128;
/// Larger scratch areas are given back to the allocator.
pub(super) const KEEP_SCRATCH: usize = 65_536;

thread_local! {
    static FREE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static SCRATCH: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static FIELDS: RefCell<Vec<Fields>> = const { RefCell::new(Vec::new()) };
    static BULK_FREE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static BULK_USED: Cell<usize> = const { Cell::new(0) };
}

/// A buffer of [`BUFFER`] bytes; its contents are arbitrary.
pub(super) fn take_buffer() -> Vec<u8> {
    FREE.with_borrow_mut(Vec::pop).unwrap_or_else(|| {
        // Buffers exactly a power of two apart would compete for the same few lines of the processor's caches.
        let mut buffer = Vec::with_capacity(BUFFER + 64);
        buffer.resize(BUFFER, 0);
        buffer
    })
}

/// Gives a buffer back.
pub(super) fn give_buffer(buffer: Vec<u8>) {
    if buffer.len() == BUFFER {
        keep(&FREE, KEEP, buffer);
    }
}

/// An empty area for what is to be written. It is given back as soon as that left: what a thread writes passes through the
/// few areas that are warm.
pub(super) fn take_scratch() -> Vec<u8> {
    SCRATCH.with_borrow_mut(Vec::pop).unwrap_or_default()
}

/// Gives a scratch area back.
pub(super) fn give_scratch(mut scratch: Vec<u8>) {
    if scratch.capacity() > 0 && scratch.capacity() <= KEEP_SCRATCH {
        scratch.clear();
        keep(&SCRATCH, KEEP, scratch);
    }
}

/// No fields, with a buffer of [`BUFFER`] bytes.
pub(super) fn take_fields() -> Fields {
    FIELDS.with_borrow_mut(Vec::pop).unwrap_or_else(|| {
        let mut fields = Fields::default();
        fields.set_buffer(take_buffer());
        fields
    })
}

/// Gives fields back with their buffer; those without one stay, empty.
#[inline]
pub(super) fn give_fields(fields: &mut Fields) {
    if !fields.buffer().is_empty() {
        give_buffered(fields);
    }
}

fn give_buffered(fields: &mut Fields) {
    if fields.buffer().len() == BUFFER {
        let mut fields = std::mem::take(fields);
        fields.clear();
        keep(&FIELDS, KEEP, fields);
    } else {
        // Made for an answer of its own size.
        drop(fields.take_buffer());
    }
}

/// A buffer of [`BULK`] bytes. There are none when many are in use: peers that take nothing would hold them for as long
/// as they like.
pub(super) fn take_bulk() -> Option<Vec<u8>> {
    BULK_USED.with(|used| {
        let now = used.get();
        (now < BULK_MOST).then(|| {
            used.set(now + 1);
            BULK_FREE.with_borrow_mut(Vec::pop).unwrap_or_else(|| vec![0; BULK])
        })
    })
}

/// Gives a bulk buffer back.
pub(super) fn give_bulk(buffer: Vec<u8>) {
    if buffer.len() == BULK {
        let _ = BULK_USED.try_with(|used| used.set(used.get().saturating_sub(1)));
        keep(&BULK_FREE, 16, buffer);
    }
}

fn keep<T>(list: &'static std::thread::LocalKey<RefCell<Vec<T>>>, most: usize, buffer: T) {
    // The thread may be ending: then its list is gone and the buffer is freed.
    let _ = list.try_with(|free| {
        if let Ok(mut free) = free.try_borrow_mut()
            && free.len() < most
        {
            free.push(buffer);
        }
    });
}

/// Ready when a read would not wait. With TLS that may only mean that a part of a record is there.
pub(super) fn poll_ready(stream: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    match stream {
        Stream::Unix(unix) => unix.poll_read_ready(cx),
        other => match other.tcp_mut() {
            Some(tcp) => tcp.poll_read_ready(cx),
            None => Poll::Ready(Ok(())),
        },
    }
}

/// Whether [`poll_ready`] tells when more is there.
pub(super) fn can_wait(stream: &Stream) -> bool {
    matches!(stream, Stream::Unix(_)) || stream.tcp().is_some()
}

/// What is known of the other side while nothing is read from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// Bytes are waiting.
    Data,
    /// It has closed its side.
    Gone,
    /// The connection is broken.
    Broken,
}

/// Looks whether something happened on a connection that is not being read. Costs no system call while nothing did.
#[inline]
pub(super) fn poll_presence(stream: &mut Stream, cx: &mut Context<'_>) -> Poll<Presence> {
    let Some(tcp) = stream.tcp_mut() else { return Poll::Pending };
    let mut byte = [0u8; 1];
    match tcp.poll_peek(cx, &mut byte) {
        Poll::Pending => Poll::Pending,
        Poll::Ready(Ok(0)) => Poll::Ready(Presence::Gone),
        Poll::Ready(Err(_)) => Poll::Ready(Presence::Broken),
        Poll::Ready(Ok(_)) => Poll::Ready(Presence::Data),
    }
}

/// Looks, while something else is waited for, whether the client is still there.
pub(super) struct Watch {
    wanted: bool,
    /// The second look was asked for.
    reminded: bool,
}

impl Watch {
    /// A watch that looks if that is `wanted`.
    pub(super) const fn new(wanted: bool) -> Self {
        Self { wanted, reminded: false }
    }

    /// Ready with how it went when the client is gone. As long as the event loop knows nothing of the connection it is not
    /// bothered for a wait that is over in a moment.
    pub(super) fn poll_gone(
        &mut self,
        stream: &mut Stream,
        worker: &Worker,
        cx: &mut Context<'_>,
    ) -> Poll<Presence> {
        if !self.wanted {
            return Poll::Pending;
        }
        if stream.is_bare() && !std::mem::replace(&mut self.reminded, true) {
            worker.remind(cx.waker());
            return Poll::Pending;
        }
        match poll_presence(stream, cx) {
            Poll::Ready(Presence::Data) => {
                self.wanted = false;
                Poll::Pending
            }
            other => other,
        }
    }

    /// Ready when the client has left: its connection is broken, or it closed its side and that is `heeded`.
    pub(super) fn poll_left(
        &mut self,
        stream: &mut Stream,
        worker: &Worker,
        cx: &mut Context<'_>,
        heeded: bool,
    ) -> Poll<()> {
        match self.poll_gone(stream, worker, cx) {
            Poll::Ready(Presence::Gone) if !heeded => {
                self.wanted = false;
                Poll::Pending
            }
            left => left.map(|_| ()),
        }
    }
}

/// How much was written at once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    pub(super) bytes: usize,
    /// TLS holds some of it back.
    pub(super) held: bool,
}

impl Sent {
    /// Whether all of `bytes` is on its way.
    pub(super) const fn is_all_of(self, bytes: &[u8]) -> bool {
        self.bytes == bytes.len() && !self.held
    }
}

/// What comes behind bytes that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behind {
    /// More may.
    More,
    /// The end of the connection.
    End,
}

/// Writes what the socket takes now. What goes wrong goes wrong again with the next attempt.
pub(super) fn write_at_once(stream: &mut Stream, cx: &mut Context<'_>, bytes: &[u8], behind: Behind) -> Sent {
    let written = match behind {
        Behind::More => stream.poll_write(cx, bytes),
        Behind::End => stream.poll_write_last(cx, bytes),
    };
    let Poll::Ready(Ok(bytes)) = written else { return Sent::default() };
    let held = stream.is_tls() && !matches!(stream.poll_flush(cx), Poll::Ready(Ok(())));
    Sent { bytes, held }
}

/// Writes everything; ready immediately while the socket takes it.
async fn write_all(stream: &mut Stream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = std::future::poll_fn(|cx| stream.poll_write(cx, bytes)).await?;
        if n == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[n..];
    }
    if stream.is_tls() {
        std::future::poll_fn(|cx| stream.poll_flush(cx)).await?;
    }
    Ok(())
}

/// Writes everything to a client, which may take as long as `limit`.
pub(super) async fn write_in_time(
    client: &mut Client,
    bytes: &[u8],
    limit: Option<Duration>,
) -> io::Result<()> {
    client.timer.set_after(limit);
    let mut write = std::pin::pin!(write_all(&mut client.stream, bytes));
    let timer = &client.timer;
    std::future::poll_fn(|cx| match write.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(result),
        Poll::Pending => timer.poll_expired(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_buffers_for_bulk_data_are_in_use_at_once() {
        let mut taken: Vec<_> = std::iter::from_fn(take_bulk).collect();
        assert_eq!(taken.len(), BULK_MOST);
        give_bulk(taken.pop().unwrap());
        assert!(take_bulk().is_some() && take_bulk().is_none());
    }
}
