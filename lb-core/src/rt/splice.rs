//! Moving bulk data inside the kernel, by way of a pipe.
//!
//! A pipe of 1 MiB makes this several times cheaper than copying; small messages are cheaper to copy, so a relay starts to
//! splice only when a flow has proved to be bulk. Each thread keeps the pipes it is given back.

use super::Tcp;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with, splice};
use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::task::{Context, Poll, ready};

/// Wanted size of a pipe.
const SIZE: usize = 1 << 20;
/// Neither end may block.
const FLAGS: SpliceFlags = SpliceFlags::MOVE.union(SpliceFlags::NONBLOCK);
/// Empty pipes that a thread keeps.
const KEEP: usize = 16;

thread_local! {
    static FREE: RefCell<Vec<Ends>> = const { RefCell::new(Vec::new()) };
}

#[derive(Debug)]
struct Ends {
    out: OwnedFd,
    into: OwnedFd,
    size: usize,
}

/// A pipe with some bytes in it, between two sockets.
///
/// A pipe that is dropped empty is kept for the next one; bytes still inside are lost.
#[derive(Debug)]
pub struct Pipe {
    ends: Option<Ends>,
    held: usize,
}

impl Pipe {
    /// An empty pipe.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn take() -> io::Result<Self> {
        let kept = FREE.with_borrow_mut(Vec::pop);
        let ends = match kept {
            Some(ends) => ends,
            None => Ends::open()?,
        };
        Ok(Self { ends: Some(ends), held: 0 })
    }

    /// How many empty ones this thread keeps.
    #[cfg(test)]
    pub(super) fn kept() -> usize {
        FREE.with_borrow(Vec::len)
    }

    fn ends(&self) -> &Ends {
        self.ends.as_ref().expect("the ends leave only when the pipe is dropped")
    }

    /// Bytes inside.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Moves at most `most` bytes from `socket` into the pipe; ready with 0 at the end of the stream.
    pub fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut Tcp,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let room = (self.ends().size - self.held).min(most);
        let into = self.ends().into.as_fd();
        // How much might have come says nothing: the size of a pipe counts pages, which may hold less.
        let n = ready!(
            socket.poll_read_with(cx, |socket| { Ok((splice(socket, None, into, None, room, FLAGS)?, 0)) })
        )?;
        self.held += n;
        Poll::Ready(Ok(n))
    }

    /// Moves bytes from the pipe to `socket`.
    pub fn poll_drain(&mut self, cx: &mut Context<'_>, socket: &mut Tcp) -> Poll<io::Result<usize>> {
        let (out, held) = (self.ends().out.as_fd(), self.held);
        let n = ready!(
            socket.poll_write_with(cx, |socket| { Ok((splice(out, None, socket, None, held, FLAGS)?, 0)) })
        )?;
        self.held -= n.min(self.held);
        Poll::Ready(Ok(n))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // A pipe with bytes of somebody in it must not serve anybody else.
        if self.held == 0
            && let Some(ends) = self.ends.take()
        {
            let _ = FREE.try_with(|free| {
                if let Ok(mut free) = free.try_borrow_mut()
                    && free.len() < KEEP
                {
                    free.push(ends);
                }
            });
        }
    }
}

impl Ends {
    fn open() -> io::Result<Self> {
        let (out, into) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC)?;
        // The kernel may refuse the size to a user with many pipes; the default serves too.
        let _ = fcntl_setpipe_size(&into, SIZE);
        let size = fcntl_getpipe_size(&into)?;
        Ok(Self { out, into, size })
    }
}
