//! Bytes in both directions between two streams until both have ended.

use super::splice::Pipe;
use super::{Buffer, Pace, Stream, Timer, Timers};
use crate::bandwidth::{Limiter, StreamLimits};
use crate::expr::Peek;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// Limits of a relay.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct RelayLimits {
    /// Inactivity of the client.
    pub client: Option<Duration>,
    /// Inactivity of the server.
    pub server: Option<Duration>,
    /// Inactivity of the client once it was told that nothing more comes.
    pub client_fin: Option<Duration>,
    /// Inactivity of the server once it was told that nothing more comes.
    pub server_fin: Option<Duration>,
    /// Size of the buffers.
    pub bufsize: usize,
}

impl RelayLimits {
    /// The limits of a session in TCP mode.
    pub fn new(timeouts: &crate::spec::Timeouts, server: &crate::spec::Timeouts, bufsize: usize) -> Self {
        Self {
            client: timeouts.tunnel.or(server.tunnel).or(timeouts.client),
            server: timeouts.tunnel.or(server.tunnel).or(server.server),
            client_fin: timeouts.client_fin,
            server_fin: server.server_fin,
            bufsize,
        }
    }
}

/// Which side ended the relay, and how.
#[derive(Debug)]
#[non_exhaustive]
pub enum RelayEnd {
    /// Both directions came to their end.
    Finished,
    /// The client was inactive for too long.
    ClientTimeout,
    /// The server was inactive for too long.
    ServerTimeout,
    /// Reading from or writing to the client failed.
    Client(io::Error),
    /// Reading from or writing to the server failed.
    Server(io::Error),
}

/// A relay in progress. It owns what is in flight, not the streams.
#[derive(Debug)]
pub struct Relay {
    limits: RelayLimits,
    /// Client to server.
    request: Direction,
    /// Server to client.
    response: Direction,
    /// When something happened last. That shows that both sides are alive: one sent, the other took it.
    active: Instant,
}

#[derive(Debug, Default)]
struct Direction {
    buffer: Option<Buffer>,
    pipe: Option<Pipe>,
    /// Consecutive reads that filled the buffer.
    full: u8,
    /// Whether the flow has proved to be bulk, and what came last did not deny it.
    bulk: bool,
    ended: bool,
    done: bool,
    bytes: u64,
    /// Bytes passed on.
    moved: u64,
    /// Limits of the bandwidth, if there are any.
    pace: Option<Box<Pace>>,
}

/// Reads of this size are tried once one buffer was filled.
const LARGE: usize = 64 * 1024;
/// Consecutive full reads that prove a flow to be bulk.
const BULK: u8 = 3;
/// What a pipe has to bring at a time for the flow to count as bulk further on.
const THIN: usize = 16 * 1024;

enum Fault {
    Read(io::Error),
    Write(io::Error),
}

impl Relay {
    /// A relay with nothing in flight.
    pub fn new(limits: RelayLimits) -> Self {
        Self { limits, request: Direction::default(), response: Direction::default(), active: Instant::now() }
    }

    /// Bytes that were read from the client before the relay began and go to the server first.
    pub fn preload(&mut self, bytes: Buffer) {
        self.request.bytes += bytes.len() as u64;
        self.request.buffer = Some(bytes).filter(|b| !b.is_empty());
    }

    /// Bytes that were received from the server before the relay began and go to the client first.
    pub fn preload_answer(&mut self, bytes: Buffer) {
        self.response.bytes += bytes.len() as u64;
        self.response.buffer = Some(bytes).filter(|b| !b.is_empty());
    }

    /// Puts limits of the bandwidth into force. What is in flight is subject to them.
    pub fn limit(&mut self, limits: StreamLimits, timers: &Timers) {
        self.request.limit(limits.request, timers);
        self.response.limit(limits.response, timers);
    }

    /// Bytes taken from the client and from the server so far.
    pub fn bytes(&self) -> (u64, u64) {
        (self.request.bytes, self.response.bytes)
    }

    /// What the server sent and nobody has taken yet, before [`run`](Self::run).
    pub(super) fn answer(&self) -> Peek<'_> {
        let bytes = self.response.buffer.as_ref().map_or(&[][..], Buffer::filled);
        let full = self.response.buffer.as_ref().is_some_and(|buffer| buffer.spare_len() == 0);
        Peek { bytes, complete: self.response.ended || full }
    }

    /// Moves what can be moved to the server and receives what it has sent, without waiting.
    pub(super) async fn receive_now(&mut self, client: &mut Stream, server: &mut Stream) {
        std::future::poll_fn(|cx| {
            // What fails here fails again when it is waited for.
            let _ = self.request.poll(cx, client, server, self.limits.bufsize);
            let _ = self.response.poll_gather(cx, server, self.limits.bufsize);
            Poll::Ready(())
        })
        .await;
    }

    /// Moves the client's bytes to the server while more of the answer is waited for, at most until `deadline`. `None`
    /// when something came or the time is over.
    pub(super) async fn receive(
        &mut self,
        client: &mut Stream,
        server: &mut Stream,
        timer: &Timer,
        deadline: Instant,
    ) -> Option<RelayEnd> {
        std::future::poll_fn(|cx| {
            let before = self.progress();
            if let Poll::Ready(Err(fault)) = self.request.poll(cx, client, server, self.limits.bufsize) {
                return Poll::Ready(Some(match fault {
                    Fault::Read(e) => RelayEnd::Client(e),
                    Fault::Write(e) => RelayEnd::Server(e),
                }));
            }
            match self.response.poll_gather(cx, server, self.limits.bufsize) {
                Poll::Ready(Ok(())) => return Poll::Ready(None),
                Poll::Ready(Err(e)) => return Poll::Ready(Some(RelayEnd::Server(e))),
                Poll::Pending => {}
            }
            let now = Instant::now();
            if self.progress() != before {
                self.active = now;
            }
            // Looked at before the timer is set anew, which makes it forget that it went off.
            let expired = self.expired(now);
            if expired.is_some() || now >= deadline {
                return Poll::Ready(expired);
            }
            timer.set(self.deadline().into_iter().chain([deadline]).min());
            ready!(timer.poll_expired(cx));
            Poll::Ready(self.expired(Instant::now()))
        })
        .await
    }

    /// Relays until the end. Cancel safe: nothing in flight is lost, the call may be repeated.
    pub async fn run(&mut self, client: &mut Stream, server: &mut Stream, timer: &Timer) -> RelayEnd {
        std::future::poll_fn(|cx| self.poll(cx, client, server, timer)).await
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Stream,
        server: &mut Stream,
        timer: &Timer,
    ) -> Poll<RelayEnd> {
        loop {
            let before = self.progress();
            match self.request.poll(cx, client, server, self.limits.bufsize) {
                Poll::Ready(Err(Fault::Read(e))) => return Poll::Ready(RelayEnd::Client(e)),
                Poll::Ready(Err(Fault::Write(e))) => return Poll::Ready(RelayEnd::Server(e)),
                _ => {}
            }
            match self.response.poll(cx, server, client, self.limits.bufsize) {
                Poll::Ready(Err(Fault::Read(e))) => return Poll::Ready(RelayEnd::Server(e)),
                Poll::Ready(Err(Fault::Write(e))) => return Poll::Ready(RelayEnd::Client(e)),
                _ => {}
            }
            if self.request.done && self.response.done {
                return Poll::Ready(RelayEnd::Finished);
            }
            let now = Instant::now();
            if self.progress() != before {
                self.active = now;
            }
            let deadline = self.deadline();
            // Looked at before the timer is set anew, which makes it forget that it went off.
            if deadline.is_some_and(|deadline| deadline <= now)
                && let Some(end) = self.expired(now)
            {
                return Poll::Ready(end);
            }
            timer.set(deadline);
            ready!(timer.poll_expired(cx));
        }
    }

    /// What changes when anything happens; the end of a pause does, too.
    fn progress(&self) -> [(u64, u64, bool, bool); 2] {
        [&self.request, &self.response].map(|own| (own.bytes, own.moved, own.ended, own.is_paused()))
    }

    /// While a limit is waited for, neither side is to blame.
    fn is_paused(&self) -> bool {
        self.request.is_paused() || self.response.is_paused()
    }

    /// How long the client may be inactive: one that has ended its direction is waited for only while it is to take
    /// something.
    fn client_limit(&self) -> Option<Duration> {
        if self.response.ended {
            return self.limits.client_fin.or(self.limits.client);
        }
        self.limits.client.filter(|_| !self.request.ended || self.response.is_blocked())
    }

    /// How long the server may be inactive.
    fn server_limit(&self) -> Option<Duration> {
        if self.request.ended {
            return self.limits.server_fin.or(self.limits.server);
        }
        self.limits.server.filter(|_| !self.response.ended || self.request.is_blocked())
    }

    fn deadline(&self) -> Option<Instant> {
        if self.is_paused() {
            return None;
        }
        let limit = match (self.client_limit(), self.server_limit()) {
            (Some(client), Some(server)) => Some(client.min(server)),
            (client, server) => client.or(server),
        };
        limit.map(|limit| self.active + limit)
    }

    fn expired(&self, now: Instant) -> Option<RelayEnd> {
        if self.is_paused() {
            return None;
        }
        let over = |limit: Option<Duration>| limit.is_some_and(|limit| self.active + limit <= now);
        if over(self.client_limit()) {
            return Some(RelayEnd::ClientTimeout);
        }
        over(self.server_limit()).then_some(RelayEnd::ServerTimeout)
    }
}

impl Direction {
    /// Whether something waits to be taken.
    fn is_blocked(&self) -> bool {
        self.buffer.is_some() || self.pipe.as_ref().is_some_and(|pipe| pipe.held() > 0)
    }

    fn limit(&mut self, limiters: Vec<Limiter>, timers: &Timers) {
        if limiters.is_empty() {
            return;
        }
        // What moves inside the kernel is not counted.
        self.bulk = false;
        match &mut self.pace {
            Some(pace) => pace.add(limiters),
            None => {
                let held = self.buffer.take().map_or_else(Vec::new, |buffer| buffer.filled().to_vec());
                self.pace = Some(Box::new(Pace::new(limiters, timers.timer(), held)));
            }
        }
    }

    fn is_paused(&self) -> bool {
        self.pace.as_ref().is_some_and(|pace| pace.is_paused())
    }

    /// Whether everything that came was passed on, and nothing more comes.
    fn is_over(&self) -> bool {
        self.ended && self.pace.as_ref().is_none_or(|pace| !pace.has_held())
    }

    /// Moves what can be moved; pending when the streams must be waited for, ready when this direction has ended.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Stream,
        to: &mut Stream,
        bufsize: usize,
    ) -> Poll<Result<(), Fault>> {
        while !self.done {
            if self.bulk || self.pipe.is_some() {
                ready!(self.splice(cx, from, to))?;
                continue;
            }
            ready!(self.write(cx, to))?;
            if self.is_over() {
                // A peer that is gone already cannot be told; the direction has ended all the same.
                let _ = ready!(to.poll_shutdown(cx));
                self.done = true;
                break;
            }
            ready!(self.read(cx, from, bufsize))?;
            if self.full >= BULK
                && self.pace.is_none()
                && from.tcp().is_some()
                && to.tcp().is_some()
                && !from.is_tls()
                && !to.is_tls()
            {
                self.bulk = true;
                self.full = 0;
                ready!(self.write(cx, to))?;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Receives behind what was received, without passing anything on. Ready when something was added, the sender has
    /// finished or there is no more room.
    fn poll_gather(&mut self, cx: &mut Context<'_>, from: &mut Stream, size: usize) -> Poll<io::Result<()>> {
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        let mut buffer = self.buffer.take().unwrap_or_else(|| Buffer::take(size));
        let got =
            if buffer.spare_len() == 0 { Poll::Ready(Ok(0)) } else { from.poll_read(cx, buffer.spare()) };
        let full = buffer.spare_len() == 0;
        if let Poll::Ready(Ok(n)) = got {
            buffer.fill(n);
            self.bytes += n as u64;
            self.ended = n == 0 && !full;
        }
        self.buffer = Some(buffer).filter(|buffer| !buffer.is_empty());
        got.map_ok(|_| ())
    }

    /// Passes on what is in the buffer.
    #[inline]
    fn write(&mut self, cx: &mut Context<'_>, to: &mut Stream) -> Poll<Result<(), Fault>> {
        if self.buffer.is_none() { Poll::Ready(Ok(())) } else { self.write_buffer(cx, to) }
    }

    fn write_buffer(&mut self, cx: &mut Context<'_>, to: &mut Stream) -> Poll<Result<(), Fault>> {
        let Some(buffer) = &mut self.buffer else { return Poll::Ready(Ok(())) };
        while !buffer.is_empty() {
            let n = ready!(to.poll_write(cx, buffer.filled())).map_err(Fault::Write)?;
            buffer.consume(n);
            self.moved += n as u64;
        }
        ready!(to.poll_flush(cx)).map_err(Fault::Write)?;
        self.buffer = None;
        Poll::Ready(Ok(()))
    }

    fn read(&mut self, cx: &mut Context<'_>, from: &mut Stream, bufsize: usize) -> Poll<Result<(), Fault>> {
        if self.pace.is_some() {
            return self.read_paced(cx, from, bufsize);
        }
        let size = if self.full > 0 { LARGE.max(bufsize) } else { bufsize };
        // No buffer is taken as long as there is nothing to read.
        let mut lent = None;
        let read = from.poll_read_into(cx, &mut lent, |lent: &mut Option<Buffer>| {
            lent.get_or_insert_with(|| Buffer::take(size)).spare()
        });
        let n = ready!(read).map_err(Fault::Read)?;
        self.ended = n == 0;
        self.full = if n == size { self.full.saturating_add(1) } else { 0 };
        self.bytes += n as u64;
        if let Some(mut buffer) = lent.filter(|_| n > 0) {
            buffer.fill(n);
            self.buffer = Some(buffer);
        }
        Poll::Ready(Ok(()))
    }

    /// Reads as much as the limits allow.
    fn read_paced(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Stream,
        bufsize: usize,
    ) -> Poll<Result<(), Fault>> {
        let Some(pace) = &mut self.pace else { return Poll::Ready(Ok(())) };
        let size = ready!(pace.poll_allow(cx, bufsize));
        let mut buffer = Buffer::take(bufsize);
        let room = buffer.spare();
        let size = size.min(room.len());
        let n = if pace.has_held() {
            pace.take_held(&mut room[..size])
        } else {
            let n = ready!(from.poll_read(cx, &mut room[..size])).map_err(Fault::Read)?;
            self.ended = n == 0;
            self.bytes += n as u64;
            n
        };
        pace.charge(n);
        buffer.fill(n);
        self.buffer = Some(buffer).filter(|buffer| !buffer.is_empty());
        Poll::Ready(Ok(()))
    }

    /// One step through the pipe; leaves it when the flow pauses, becomes thin or ends.
    fn splice(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Stream,
        to: &mut Stream,
    ) -> Poll<Result<(), Fault>> {
        ready!(self.write(cx, to))?;
        if self.pipe.is_none() {
            self.pipe = Pipe::take().ok();
        }
        let (Some(pipe), Some(from), Some(to)) = (&mut self.pipe, from.tcp_mut(), to.tcp_mut()) else {
            // There is no descriptor left for a pipe.
            self.bulk = false;
            self.pipe = None;
            return Poll::Ready(Ok(()));
        };
        if pipe.held() > 0 {
            self.moved += ready!(pipe.poll_drain(cx, to)).map_err(Fault::Write)? as u64;
            return Poll::Ready(Ok(()));
        }
        if !self.bulk {
            self.pipe = None;
            return Poll::Ready(Ok(()));
        }
        let n = match pipe.poll_fill(cx, from, usize::MAX) {
            Poll::Ready(n) => n.map_err(Fault::Read)?,
            // Nothing there: the pipe may serve others until more comes.
            Poll::Pending => {
                self.pipe = None;
                return Poll::Pending;
            }
        };
        self.bytes += n as u64;
        self.bulk = n >= THIN;
        if n == 0 {
            self.ended = true;
            self.pipe = None;
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_came_before_its_limit_was_set_is_subject_to_it() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let pair = || tokio::net::UnixStream::pair().unwrap();
        let ((client, mut far_client), (server, mut far_server)) = (pair(), pair());
        let (mut client, mut server) = (Stream::Unix(client), Stream::Unix(server));
        far_client.write_all(&[2; 3000]).await.unwrap();
        far_server.write_all(&[3; 3000]).await.unwrap();
        let limit = Some(Duration::ZERO);
        let (client_fin, server_fin) = (None, None);
        let mut relay =
            Relay::new(RelayLimits { client: limit, server: limit, client_fin, server_fin, bufsize: 1024 });
        let mut first = Buffer::take(1024);
        first.spare().fill(1);
        first.fill(1024);
        relay.preload(first);
        let timers = Timers::new();
        relay.limit(crate::bandwidth::tests::strict(1000), &timers);
        let timer = timers.timer();
        let (mut to_server, mut to_client) = ([0; 1000], [0; 1000]);
        tokio::select! {
            end = relay.run(&mut client, &mut server, &timer) => panic!("nobody is late: {end:?}"),
            () = async {
                far_server.read_exact(&mut to_server).await.unwrap();
                far_client.read_exact(&mut to_client).await.unwrap();
            } => {}
        }
        assert_eq!((to_server, to_client, relay.bytes()), ([1; 1000], [3; 1000], (1024, 1000)));
        assert!(relay.request.is_paused() && relay.response.is_paused());
    }

    #[tokio::test]
    async fn passing_on_is_a_sign_of_life_and_a_limit_ends_what_is_not_counted() {
        let ((mut client, _far_client), (mut server, _far_server)) = (tcp().await, tcp().await);
        let (client_fin, server_fin) = (None, None);
        let mut relay =
            Relay::new(RelayLimits { client: None, server: None, client_fin, server_fin, bufsize: 1024 });
        let mut first = Buffer::take(1024);
        first.spare().fill(1);
        first.fill(1024);
        relay.preload(first);
        let before = relay.progress();
        relay.receive_now(&mut client, &mut server).await;
        assert_ne!(relay.progress(), before, "nothing was read, but the server took something");
        relay.request.bulk = true;
        relay.limit(crate::bandwidth::tests::strict(1000), &Timers::new());
        assert!(!relay.request.bulk);
    }

    /// Two ends of a TCP connection.
    async fn tcp() -> (Stream, tokio::net::TcpStream) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let far = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Stream::Tcp(listener.accept().await.unwrap().0.into()), far)
    }

    #[tokio::test]
    async fn a_flow_that_changes_between_bulk_and_small_messages_arrives_whole() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let ((mut client, mut far_client), (mut server, mut far_server)) = (tcp().await, tcp().await);
        let limit = Some(Duration::from_secs(60));
        let mut relay = Relay::new(RelayLimits {
            client: limit,
            server: limit,
            client_fin: None,
            server_fin: None,
            bufsize: 4096,
        });
        let timers = Timers::new();
        let timer = timers.timer();
        let sizes = [10, 3_000_000, 5, 4096, 1_000_000, 20_000, 1, 2_000_000, 100, 700_000];
        let pattern = |n: usize, seed: usize| (0..n).map(|i| ((i * 31) ^ (i >> 8) ^ seed) as u8).collect();
        let talk = async {
            for (round, size) in sizes.into_iter().enumerate() {
                let sent: Vec<u8> = pattern(size, round);
                let mut came = vec![0; size];
                let (wrote, read) =
                    tokio::join!(far_server.write_all(&sent), far_client.read_exact(&mut came));
                wrote.unwrap();
                read.unwrap();
                assert!(came == sent, "round {round}");
                // The answer closes the round, so that each begins with nothing in flight.
                far_client.write_all(&[round as u8]).await.unwrap();
                assert_eq!(far_server.read_u8().await.unwrap(), round as u8);
            }
            drop((far_client, far_server));
        };
        let (end, ()) = tokio::join!(relay.run(&mut client, &mut server, &timer), talk);
        assert!(matches!(end, RelayEnd::Finished), "{end:?}");
        assert_eq!(relay.bytes(), (sizes.len() as u64, sizes.iter().sum::<usize>() as u64));
        assert_eq!(Pipe::kept(), 1, "three million bytes prove it to be bulk");
    }

    #[test]
    fn a_side_that_was_told_of_the_end_has_its_own_time() {
        let secs = |n| Some(Duration::from_secs(n));
        let (client, server, client_fin, server_fin) = (secs(1), secs(2), secs(3), secs(4));
        let mut relay = Relay::new(RelayLimits { client, server, client_fin, server_fin, bufsize: 1 });
        assert_eq!((relay.client_limit(), relay.server_limit()), (client, server));
        relay.request.ended = true;
        assert_eq!((relay.client_limit(), relay.server_limit()), (None, server_fin));
        relay.response.buffer = Some(Buffer::take(1));
        assert_eq!(relay.client_limit(), client, "it has something to take");
        relay = Relay::new(RelayLimits { client_fin: None, ..relay.limits });
        relay.response.ended = true;
        assert_eq!((relay.client_limit(), relay.server_limit()), (client, None));
    }
}
