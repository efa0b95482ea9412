//! Rings of messages as they run: kept for commands that show them, and sent to their servers.
//!
//! A ring lives through reloads as long as the configuration names it with the same size. Each of its servers has a task
//! that connects, at most once a second, and sends what was written since it stopped; until then the ring keeps it.

use super::dial::{Ends, proxy_header};
use super::{Stream, Worker};
use crate::addr::Endpoint;
use crate::ctl::{EventSink, Events};
use crate::engine::ServerPlan;
use crate::log::{Reader, Ring};
use crate::name::ServerName;
use crate::pool::Pool;
use crate::rule::marks::PacketMarks;
use std::future::poll_fn;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout};

/// Time between two attempts to connect.
const PAUSE: Duration = Duration::from_secs(1);
/// Bytes written at a time.
const CHUNK: usize = 16 * 1024;

/// One ring.
#[derive(Debug)]
pub(super) struct Sink {
    pub(super) name: Arc<str>,
    pub(super) size: usize,
    description: Mutex<Arc<str>>,
    state: Mutex<State>,
    dropped: AtomicU64,
    /// The configuration in use names it.
    live: AtomicBool,
    servers: Mutex<Vec<Served>>,
}

#[derive(Debug)]
struct State {
    ring: Ring,
    /// Those who wait for messages.
    wakers: Vec<Waker>,
}

/// A server that is sent the messages.
#[derive(Debug)]
struct Served {
    /// What it was configured to be.
    spec: String,
    name: ServerName,
    reader: Reader,
    task: AbortHandle,
}

/// A server of a ring, and how to reach it.
#[derive(Clone)]
pub(super) struct Outward {
    pub(super) server: Arc<ServerPlan>,
    /// Where its address may change.
    pub(super) pool: Option<Arc<Pool>>,
    pub(super) connect: Option<Duration>,
    pub(super) timeout: Option<Duration>,
    #[cfg(feature = "tls")]
    pub(super) connector: Option<super::tls::Connector>,
}

impl Sink {
    pub(super) fn new(name: &str, size: usize) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            size,
            description: Mutex::new(name.into()),
            state: Mutex::new(State { ring: Ring::new(size), wakers: Vec::new() }),
            dropped: AtomicU64::new(0),
            live: AtomicBool::new(false),
            servers: Mutex::default(),
        })
    }

    /// Adds a message; one that there is no room for is counted.
    pub(super) fn push(&self, message: &[u8]) {
        let mut state = self.state();
        if !state.ring.push(message) {
            self.dropped.fetch_add(1, Relaxed);
            return;
        }
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether the configuration in use names it.
    pub(super) fn is_live(&self) -> bool {
        self.live.load(Relaxed)
    }

    /// How it is shown.
    pub(super) fn line(&self) -> EventSink {
        let description = self.description.lock().unwrap_or_else(PoisonError::into_inner).to_string();
        EventSink::new(&self.name, "buffer", self.dropped.load(Relaxed), &description)
    }

    /// The configuration in use says this of it: servers it had before are left or kept, new ones are connected to.
    pub(super) fn serve(self: &Arc<Self>, description: &Arc<str>, servers: &[Outward], workers: &[Worker]) {
        self.live.store(true, Relaxed);
        *self.description.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(description);
        let mut served = self.served();
        let mut before = std::mem::take(&mut *served);
        for (i, outward) in servers.iter().enumerate() {
            let (name, spec) = (&outward.server.spec.name, outward.text());
            let old = before.iter().position(|old| old.name == *name).map(|at| before.swap_remove(at));
            let reader = match old {
                Some(old) if old.spec == spec => {
                    served.push(old);
                    continue;
                }
                Some(old) => {
                    old.task.abort();
                    Some(old.reader)
                }
                None => self.state().ring.attach(false, true),
            };
            let (Some(reader), Some(worker)) = (reader, workers.get(i % workers.len().max(1))) else {
                continue;
            };
            let task = Sender { sink: Arc::clone(self), outward: outward.clone(), reader };
            let task = worker.spawn(task.run()).abort_handle();
            served.push(Served { spec, name: name.clone(), reader, task });
        }
        before.into_iter().for_each(|old| self.leave(&old));
    }

    /// The configuration in use does not name it any more.
    pub(super) fn retire(&self) {
        self.live.store(false, Relaxed);
        let all = std::mem::take(&mut *self.served());
        all.iter().for_each(|old| self.leave(old));
    }

    fn leave(&self, old: &Served) {
        old.task.abort();
        self.state().ring.detach(old.reader);
    }

    /// Begins to show its messages, the next ones only with `new`. `None` if too many look at them already.
    pub(super) fn watch(self: &Arc<Self>, new: bool) -> Option<Box<dyn Events>> {
        let reader = self.state().ring.attach(new, false)?;
        Some(Box::new(Watcher { sink: Arc::clone(self), reader }))
    }

    /// Whether there are messages for a reader; if not, `cx` is woken by the next one.
    fn poll_messages(&self, reader: Reader, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.ring.has_more(reader) {
            return Poll::Ready(());
        }
        if !state.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn served(&self) -> MutexGuard<'_, Vec<Served>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who looks at the messages.
#[derive(Debug)]
struct Watcher {
    sink: Arc<Sink>,
    reader: Reader,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.sink.state().ring.detach(self.reader);
    }
}

impl Events for Watcher {
    fn read(&mut self, limit: usize, delimiter: u8, out: &mut Vec<u8>) {
        self.sink.state().ring.read(self.reader, |head, tail| {
            out.extend_from_slice(head);
            out.extend_from_slice(tail);
            out.push(delimiter);
            out.len() < limit
        });
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.sink.poll_messages(self.reader, cx)
    }
}

impl Outward {
    /// What it was configured to be, but for where.
    fn text(&self) -> String {
        let mut spec = self.server.spec.clone();
        spec.origin = crate::spec::Origin::NONE;
        format!("{spec:?} {:?} {:?}", self.connect, self.timeout)
    }

    fn endpoint(&self) -> Endpoint {
        let now =
            self.pool.as_ref().and_then(|pool| pool.address(pool.by_name(self.server.spec.name.as_str())?));
        now.unwrap_or_else(|| self.server.spec.addr.endpoint.clone())
    }

    async fn open(&self) -> io::Result<Stream> {
        let spec = &self.server.spec;
        let marks = PacketMarks::default();
        let mut stream = super::connect(&self.endpoint(), spec.source.as_deref(), None, true, marks).await?;
        if let Some(header) = proxy_header(&self.server, &Ends::new(None, None)) {
            stream.write_all(&header).await?;
        }
        #[cfg(feature = "tls")]
        if let Some(connector) = &self.connector {
            return connector.connect(stream, None).await;
        }
        Ok(stream)
    }
}

/// Sends the messages of a ring to a server.
struct Sender {
    sink: Arc<Sink>,
    outward: Outward,
    reader: Reader,
}

impl Sender {
    async fn run(self) {
        loop {
            let next = Instant::now() + PAUSE;
            if let Ok(Ok(stream)) = within(self.outward.connect, self.outward.open()).await {
                // Whatever ends it, the next connection goes on where this one stopped.
                let _ = self.send(stream).await;
            }
            sleep_until(next).await;
        }
    }

    async fn send(&self, mut stream: Stream) -> io::Result<()> {
        let (mut out, mut answer) = (Vec::with_capacity(CHUNK), [0; 512]);
        loop {
            self.fill(&mut out);
            if !out.is_empty() {
                within(self.outward.timeout, stream.write_all(&out))
                    .await
                    .map_err(|_| io::ErrorKind::TimedOut)??;
                out.clear();
                continue;
            }
            tokio::select! {
                // What a server of messages says is of no interest, but that it leaves.
                got = stream.read(&mut answer) => if got? == 0 {
                    return Ok(());
                },
                () = poll_fn(|cx| self.sink.poll_messages(self.reader, cx)) => {}
            }
        }
    }

    fn fill(&self, out: &mut Vec<u8>) {
        let counted = self.outward.server.spec.log.counted;
        self.sink.state().ring.read(self.reader, |head, tail| {
            if counted {
                // RFC 6587 §3.4.1: octet counting. Writing to memory cannot fail.
                let _ = write!(out, "{} ", head.len() + tail.len());
            }
            out.extend_from_slice(head);
            out.extend_from_slice(tail);
            if !counted {
                out.push(b'\n');
            }
            out.len() < CHUNK
        });
    }
}

async fn within<T>(
    limit: Option<Duration>,
    work: impl Future<Output = T>,
) -> Result<T, tokio::time::error::Elapsed> {
    match limit {
        Some(limit) => timeout(limit, work).await,
        None => Ok(work.await),
    }
}
