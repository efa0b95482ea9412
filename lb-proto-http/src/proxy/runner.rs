//! Boxes in which exchanges run, recycled per thread.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use lb_core::rt::prefetch;
use pin_project_lite::pin_project;

use super::client::Client;
use super::exchange;
use super::txn::Txn;

/// Boxes a thread keeps; a burst beyond that gives its memory back.
const KEEP: usize = 1024;

/// As many exchanges at once as the second-level cache of a processor holds, with what the system keeps for them.
const MANY: usize = 128;

thread_local! {
    static FREE: RefCell<Vec<Spare>> = const { RefCell::new(Vec::new()) };
    /// Boxes in use, and those that were dropped with their task.
    static USED: Cell<usize> = const { Cell::new(0) };
}

/// What an exchange ends with: the client, unless its connection is done, and the transaction to be used again.
pub(super) type Ended = (Option<Box<Client>>, Box<Txn>);

/// A place for the future of an exchange, which has a type without a name.
trait Slot: Send {
    fn start(self: Pin<&mut Self>, client: Box<Client>, txn: Box<Txn>);
    fn poll_end(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended>;
}

pin_project! {
    struct Place<M, F> {
        make: M,
        // Where the client is.
        client: usize,
        #[pin]
        future: Option<F>,
    }
}

impl<M, F> Slot for Place<M, F>
where
    M: Fn(Box<Client>, Box<Txn>) -> F + Send,
    F: Future<Output = Ended> + Send,
{
    fn start(self: Pin<&mut Self>, client: Box<Client>, txn: Box<Txn>) {
        let mut this = self.project();
        *this.client = address(&*client);
        let future = (this.make)(client, txn);
        this.future.set(Some(future));
    }

    fn poll_end(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let mut this = self.project();
        prefetch(*this.client, size_of::<Client>());
        let Some(future) = this.future.as_mut().as_pin_mut() else { return Poll::Pending };
        let ended = std::task::ready!(future.poll(cx));
        this.future.set(None);
        Poll::Ready(ended)
    }
}

/// Exchanges of one client, in a box of the thread's.
pub(super) struct Runner {
    slot: Pin<Box<dyn Slot>>,
    /// Where the transaction is.
    txn: usize,
}

/// Marks the address of a transaction that was used just now.
const WARM: usize = 1;

const _: () = assert!(align_of::<Txn>() > WARM);

/// Where something is, as far as the processor's cache is concerned.
fn address<T: ?Sized>(value: &T) -> usize {
    std::ptr::from_ref(value).addr()
}

/// A box that is not in use, with the transaction its exchanges use.
struct Spare {
    slot: Pin<Box<dyn Slot>>,
    txn: Box<Txn>,
}

impl Runner {
    /// Begins exchanges of `client`, of whom a first piece may be there, with its length in a buffer; they go on until its
    /// connection is idle or done.
    pub(super) fn start(client: Box<Client>, first: Option<(Vec<u8>, usize)>) -> Self {
        let spare = FREE.with_borrow_mut(Vec::pop);
        let Spare { mut slot, mut txn } = spare.unwrap_or_else(|| {
            let slot: Pin<Box<dyn Slot>> = Box::pin(Place { make: exchange::run, client: 0, future: None });
            Spare { slot, txn: Box::default() }
        });
        if let Some((buffer, filled)) = first {
            txn.layer.request.fields.set_buffer(buffer);
            txn.layer.request.filled = filled;
        }
        let at = address(&*txn) | WARM;
        USED.set(USED.get() + 1);
        slot.as_mut().start(client, txn);
        Self { slot, txn: at }
    }

    /// Goes on with the exchanges. What they have waited for with many others has to be fetched again: all at once rather than
    /// line by line as it is needed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        if self.txn & WARM == 0 && USED.get() > MANY {
            prefetch(self.txn, size_of::<Txn>());
            prefetch(address(&*self.slot), size_of_val(&*self.slot));
        }
        self.txn &= !WARM;
        self.slot.as_mut().poll_end(cx)
    }

    /// Keeps the box for others.
    pub(super) fn recycle(self, mut txn: Box<Txn>) {
        txn.recycle();
        USED.set(USED.get().saturating_sub(1));
        // The thread may be ending: then its list is gone and the box is freed.
        let _ = FREE.try_with(|free| {
            if let Ok(mut free) = free.try_borrow_mut()
                && free.len() < KEEP
            {
                free.push(Spare { slot: self.slot, txn });
            }
        });
    }
}
