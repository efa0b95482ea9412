//! One client connection between its requests.

use std::cell::Cell;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use lb_core::pool::ServerCell;
use lb_core::rt::{Connection, Handover, Session, Stream, Timer, prefetch};
use lb_core::rule::marks::PacketMarks;

use super::front_of;
use super::idle::Mark;
use super::io::{give_buffer, poll_ready, take_buffer};
use super::runner::Runner;
use crate::spec::HttpProxy;

/// A client connection, without anything that only a request needs.
pub(super) struct Client {
    pub(super) stream: Stream,
    pub(super) session: Session,
    /// Its base is the accept.
    pub(super) timer: Timer,
    /// Requests that were begun.
    pub(super) requests: u32,
    /// Milliseconds from the accept to the end of the last exchange.
    idle_since: u32,
    /// What few sessions need.
    extras: Option<Box<Extras>>,
}

/// What rules attached to a session.
#[derive(Default)]
pub(super) struct Extras {
    /// Server connections that serve this client only.
    pub(super) private: Vec<Private>,
    /// The client authenticated to a server by its connection.
    pub(super) bound: bool,
    /// The client's address, if it was changed for this request.
    pub(super) source: Option<SocketAddr>,
    /// The address the client connected to, if it was changed for this request.
    pub(super) destination: Option<SocketAddr>,
    /// What packets to the server of this request tell.
    pub(super) marks: PacketMarks,
    /// What another protocol left behind for the first request.
    pub(super) handover: Option<Box<Handover>>,
}

/// A server connection that serves one client.
pub(super) struct Private {
    cell: Arc<ServerCell>,
    /// There until it is taken.
    stream: Option<Stream>,
    mark: Mark,
}

const _: () = assert!(lb_core::rt::HANDOVER <= super::io::BUFFER);

/// Most server connections kept for one client.
const PRIVATE: usize = 8;

impl Drop for Private {
    fn drop(&mut self) {
        if let Some(stream) = &self.stream {
            super::idle::close(stream);
        }
    }
}

impl Private {
    /// A connection to the server of `cell`.
    pub(super) const fn new(cell: Arc<ServerCell>, stream: Stream, mark: Mark) -> Self {
        Self { cell, stream: Some(stream), mark }
    }
}

impl Extras {
    /// Keeps a connection for this client; the oldest one goes when there are too many.
    pub(super) fn keep(&mut self, connection: Private) {
        if self.private.len() >= PRIVATE {
            self.private.remove(0);
        }
        self.private.push(connection);
    }
}

impl Client {
    pub(super) fn new(connection: Connection) -> Self {
        let Connection { stream, session, handover, .. } = connection;
        let timer = session.worker().timers().timer_since(session.accepted().instant);
        let extras =
            handover.map(|handover| Box::new(Extras { handover: Some(handover), ..Extras::default() }));
        Self { stream, session, timer, requests: 0, idle_since: 0, extras }
    }

    /// The client's address, if a rule changed it.
    pub(super) fn source(&self) -> Option<SocketAddr> {
        self.extras.as_ref().and_then(|extras| extras.source)
    }

    /// The address the client connected to, if a rule changed it.
    pub(super) fn destination(&self) -> Option<SocketAddr> {
        self.extras.as_ref().and_then(|extras| extras.destination)
    }

    /// What packets to the server of this request tell.
    pub(super) fn marks(&self) -> PacketMarks {
        self.extras.as_ref().map(|extras| extras.marks).unwrap_or_default()
    }

    /// Whether another protocol left something behind for this request.
    pub(super) fn is_handed_over(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| extras.handover.is_some())
    }

    /// Whether the rules of another protocol had to wait for more of this request.
    pub(super) fn was_waited_for(&self) -> bool {
        let handover = self.extras.as_ref().and_then(|extras| extras.handover.as_ref());
        handover.is_some_and(|handover| handover.passage.waited)
    }

    /// A first piece of the first request that another protocol received, with its length in a buffer.
    fn received(&mut self) -> Option<(Vec<u8>, usize)> {
        let handover = self.extras.as_mut()?.handover.as_mut()?;
        let received = std::mem::take(&mut handover.received);
        let mut buffer = (!received.is_empty()).then(take_buffer)?;
        buffer[..received.len()].copy_from_slice(&received);
        Some((buffer, received.len()))
    }

    /// A good connection to a server that was kept for this client.
    pub(super) fn private(&mut self, cell: &Arc<ServerCell>, mark: Mark) -> Option<Stream> {
        let private = &mut self.extras.as_mut()?.private;
        let alike = |kept: &Private| Arc::ptr_eq(&kept.cell, cell) && kept.mark.key == mark.key;
        while let Some(at) = private.iter().rposition(alike) {
            let mut kept = private.remove(at);
            let good = |stream: &mut Stream| kept.mark == mark && super::idle::is_quiet(stream);
            if let Some(stream) = kept.stream.take_if(good) {
                return Some(stream);
            }
        }
        None
    }

    /// The servers to which good connections are kept for this client, if it `prefers` those or authenticated by a connection.
    pub(super) fn preferred(&mut self, prefers: bool) -> impl Iterator<Item = &Arc<ServerCell>> {
        let mut extras = self.extras.as_mut().filter(|extras| prefers || extras.bound);
        if let Some(extras) = &mut extras {
            extras.private.retain_mut(|kept| kept.stream.as_mut().is_some_and(super::idle::is_quiet));
        }
        extras.into_iter().flat_map(|extras| &extras.private).map(|kept| &kept.cell)
    }

    /// What rules attach to the session.
    pub(super) fn extras(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    /// How long ago the connection was accepted.
    pub(super) fn age(&self) -> Duration {
        Instant::now().saturating_duration_since(self.session.accepted().instant)
    }

    /// The moment at which the connection had this age.
    pub(super) fn at(&self, age: Duration) -> Instant {
        self.session.accepted().instant + age
    }

    /// The age at which the last exchange ended; 0 before the first.
    pub(super) fn idle_since(&self) -> Duration {
        Duration::from_millis(u64::from(self.idle_since))
    }

    /// An exchange has ended, at this age of the connection.
    pub(super) fn turn_idle(&mut self, age: Duration) {
        self.idle_since = u32::try_from(age.as_millis()).unwrap_or(u32::MAX);
        self.requests = self.requests.saturating_add(1);
        if let Some(extras) = &mut self.extras {
            extras.source = None;
            extras.destination = None;
            extras.marks = PacketMarks::default();
        }
    }

    /// What the frontend is configured to do.
    pub(super) fn frontend(&self) -> Option<&HttpProxy> {
        front_of(&*self.session.frontend().spec.protocol)
    }

    /// Lets the system acknowledge at once what comes: a client may hold back its body until its head is acknowledged.
    #[cold]
    pub(super) fn acknowledge(&self) {
        if let Some(socket) = self.stream.socket() {
            // Failing to set it only means that the system takes its time.
            let _ = socket.set_tcp_quickack(true);
        }
    }

    /// How long the next request may be waited for.
    fn patience(&self) -> Option<Duration> {
        let timeouts = &self.session.frontend().spec.timeouts;
        if self.requests == 0 { timeouts.effective_http_request() } else { timeouts.effective_keep_alive() }
    }
}

thread_local! {
    static HOPE: Cell<Hope> = const { Cell::new(Hope::NEW) };
}

/// Whether a request is likely to come along with its connection, as it was with those before. Where clients are slower the
/// attempt to read one is in vain: the event loop must be told of the connection anyway.
#[derive(Clone, Copy, Debug)]
struct Hope {
    /// From 0 to [`Self::MOST`]: how often it was so.
    score: u8,
    /// Connections since the last attempt.
    missed: u8,
}

impl Hope {
    const MOST: u8 = 16;
    const NEW: Self = Self { score: Self::MOST, missed: 0 };

    /// Whether to try. When it was in vain for long, only one of many connections is tried.
    fn is_due(&mut self) -> bool {
        let due = self.score >= Self::MOST / 4 || self.missed >= Self::MOST;
        self.missed = if due { 0 } else { self.missed + 1 };
        due
    }

    /// How the attempt went. A success after many failures is a reason to try the next ones, too.
    fn learn(&mut self, found: bool) {
        self.score = match found {
            true => (self.score + 1).clamp(Self::MOST / 2, Self::MOST),
            false => self.score.saturating_sub(1),
        };
    }
}

/// Serves a connection to its end.
///
/// Written by hand because of its size: while the connection is idle this is all there is of it beside its [`Client`].
pub(super) struct Serve {
    state: State,
}

enum State {
    /// Nothing was tried yet.
    Fresh(Box<Client>),
    /// Waiting for a request.
    Idle(Box<Client>),
    /// In the middle of exchanges.
    Busy(Runner),
    Over,
}

impl Serve {
    pub(super) fn new(client: Client) -> Self {
        Self { state: State::Fresh(Box::new(client)) }
    }
}

impl State {
    /// What comes first. A request that came along with the connection is served at once, and the event loop need not
    /// know of either.
    fn begin(mut client: Box<Client>) -> Self {
        if let Some(first) = client.received() {
            return Self::Busy(Runner::start(client, Some(first)));
        }
        if client.stream.is_tls() {
            // The handshake may have brought the request along, unseen by the socket.
            return Self::Busy(Runner::start(client, None));
        }
        let mut hope = HOPE.get();
        if client.stream.is_bare() && hope.is_due() {
            let mut buffer = take_buffer();
            let read = client.stream.tcp_mut().and_then(|tcp| tcp.read_at_once(&mut buffer));
            hope.learn(read.is_some());
            HOPE.set(hope);
            match read {
                Some(Ok(filled)) if filled > 0 => {
                    return Self::Busy(Runner::start(client, Some((buffer, filled))));
                }
                _ => give_buffer(buffer),
            }
        } else {
            HOPE.set(hope);
        }
        Self::wait(client)
    }

    /// What comes next for a client that nothing was received from.
    fn wait(client: Box<Client>) -> Self {
        client.timer.set_since(client.patience().map(|patience| client.idle_since() + patience));
        Self::Idle(client)
    }
}

impl Future for Serve {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let state = &mut self.get_mut().state;
        let mut woken = true;
        loop {
            // Looked at in its place: most looks leave it there.
            match state {
                State::Fresh(_) | State::Over => {}
                State::Idle(client) => {
                    prefetch(std::ptr::from_ref(&**client).addr(), size_of::<Client>());
                    let expired = client.timer.poll_expired(cx).is_ready();
                    // Who is woken although there is time left was sent something, which reading finds out at once.
                    let ready = (woken && !expired) || poll_ready(&mut client.stream, cx).is_ready();
                    if !ready && !expired {
                        return Poll::Pending;
                    }
                    if !ready && client.requests > 0 {
                        // Between two requests nobody is owed an explanation.
                        *state = State::Over;
                        return Poll::Ready(());
                    }
                }
                State::Busy(runner) => {
                    let (client, txn) = std::task::ready!(runner.poll(cx));
                    woken = false;
                    let next = client.map_or(State::Over, State::wait);
                    if let State::Busy(runner) = std::mem::replace(state, next) {
                        runner.recycle(txn);
                    }
                    continue;
                }
            }
            woken = false;
            *state = match std::mem::replace(state, State::Over) {
                State::Fresh(client) => State::begin(client),
                State::Idle(client) => State::Busy(Runner::start(client, None)),
                State::Busy(_) | State::Over => return Poll::Ready(()),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_never_come_along_are_hardly_looked_for() {
        let mut hope = Hope::NEW;
        let tries = |hope: &mut Hope, found: bool| {
            (0..170).filter(|_| hope.is_due().then(|| hope.learn(found)).is_some()).count()
        };
        assert_eq!(tries(&mut hope, true), 170);
        // Thirteen failures until it is given up, and every 17th from there on.
        assert_eq!(tries(&mut hope, false), 13 + 9);
        assert_eq!(tries(&mut hope, false), 10);
        assert!(tries(&mut hope, true) > 150);
    }

    #[test]
    fn an_idle_connection_is_small() {
        // Nearly all memory of a busy proxy is idle connections: one more word here is a megabyte there.
        assert!(size_of::<Client>() <= 192, "{}", size_of::<Client>());
        assert!(size_of::<Serve>() <= 32, "{}", size_of::<Serve>());
    }
}
