//! Rings of messages as they run: kept for commands that show them, and sent to their servers.
//!
//! A ring lives through reloads as long as the configuration names it with the same size. Each of its servers has a task
//! that connects, at most once a second, and sends what was written since it stopped; until then the ring keeps it.

use super::dial::{Ends, begin, within};
use super::ring_file::RingFile;
use super::{Stream, Worker};
use crate::ctl::{EventSink, Events};
use crate::engine::{ProxyPlan, ServerPlan};
use crate::log::{Reader, Ring};
use crate::name::ServerName;
use std::future::poll_fn;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::task::AbortHandle;
use tokio::time::sleep_until;

/// Time between two attempts to connect.
const PAUSE: Duration = Duration::from_secs(1);
/// Bytes written at a time.
const CHUNK: usize = 16 * 1024;

/// One ring.
#[derive(Debug)]
pub(super) struct Sink {
    pub(super) name: Arc<str>,
    pub(super) size: usize,
    /// The name of the file that also keeps the messages.
    pub(super) path: Option<Arc<str>>,
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
    file: Option<RingFile>,
    /// Readers who wait for messages.
    wakers: Vec<(Reader, Waker)>,
}

/// A server that is sent the messages.
#[derive(Debug)]
struct Served {
    /// What it was configured to be.
    spec: String,
    name: ServerName,
    /// How the next connection reaches it.
    outward: Arc<Mutex<Outward>>,
    reader: Reader,
    task: AbortHandle,
}

/// A server of a ring, and how to reach it.
#[derive(Debug, Clone)]
pub(super) struct Outward {
    pub(super) server: Arc<ServerPlan>,
    /// Where its address may change.
    pub(super) proxy: Option<Arc<ProxyPlan>>,
    pub(super) connect: Option<Duration>,
    pub(super) timeout: Option<Duration>,
    #[cfg(feature = "tls")]
    pub(super) connector: Option<super::tls::Connector>,
}

impl Sink {
    pub(super) fn new(name: &str, size: usize) -> Arc<Self> {
        Self::backed(name, size, None)
    }

    /// One that a file of that name is going to keep the messages of, too.
    pub(super) fn backed(name: &str, size: usize, path: Option<Arc<str>>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            size,
            path,
            description: Mutex::new(name.into()),
            state: Mutex::new(State { ring: Ring::new(size), file: None, wakers: Vec::new() }),
            dropped: AtomicU64::new(0),
            live: AtomicBool::new(false),
            servers: Mutex::default(),
        })
    }

    /// Whether it has no file yet.
    pub(super) fn is_without_file(&self) -> bool {
        self.state().file.is_none()
    }

    /// Lets a file keep the messages from now on.
    pub(super) fn keep_in(&self, file: Option<RingFile>) {
        self.state().file = file;
    }

    /// Adds a message; one that there is no room for is counted.
    pub(super) fn push(&self, message: &[u8]) {
        let mut state = self.state();
        let outlet = state.file.as_mut().map(|file| file.push(message));
        let wakers = match state.ring.push(message) {
            true => std::mem::take(&mut state.wakers),
            false => {
                self.dropped.fetch_add(1, Relaxed);
                Vec::new()
            }
        };
        drop(state);
        wakers.into_iter().for_each(|(_, waker)| waker.wake());
        // A disk may take its time; the ring is free by now.
        if let Some(outlet) = outlet {
            outlet.flush();
        }
    }

    /// Whether the configuration in use names it.
    pub(super) fn is_live(&self) -> bool {
        self.live.load(Relaxed)
    }

    /// How it is shown.
    pub(super) fn line(&self) -> EventSink {
        let description = lock(&self.description).to_string();
        EventSink::new(&self.name, "buffer", self.dropped.load(Relaxed), &description)
    }

    /// The configuration in use says this of it: servers it had before are left or kept, new ones are connected to, each by
    /// the next one of `workers`. Connections that stay are made anew, if ever, as the servers are reached now.
    pub(super) fn serve<'a>(
        self: &Arc<Self>,
        description: &Arc<str>,
        servers: &[Outward],
        mut workers: impl Iterator<Item = &'a Worker>,
    ) {
        self.live.store(true, Relaxed);
        *lock(&self.description) = Arc::clone(description);
        let mut served = self.served();
        let mut before = std::mem::take(&mut *served);
        for outward in servers {
            let (name, spec) = (&outward.server.spec.name, outward.text());
            let old = before.iter().position(|old| old.name == *name).map(|at| before.swap_remove(at));
            let reader = match old {
                Some(old) if old.spec == spec => {
                    *lock(&old.outward) = outward.clone();
                    served.push(old);
                    continue;
                }
                Some(old) => {
                    old.task.abort();
                    Some(old.reader)
                }
                None => self.state().ring.attach(false, true),
            };
            let (Some(reader), Some(worker)) = (reader, workers.next()) else { continue };
            let way = Arc::new(Mutex::new(outward.clone()));
            let task = Sender { sink: Arc::clone(self), outward: Arc::clone(&way), reader };
            let task = worker.spawn(task.run()).abort_handle();
            served.push(Served { spec, name: name.clone(), outward: way, reader, task });
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
        self.state().detach(old.reader);
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
        match state.wakers.iter_mut().find(|(waiting, _)| *waiting == reader) {
            Some((_, waker)) => waker.clone_from(cx.waker()),
            None => state.wakers.push((reader, cx.waker().clone())),
        }
        Poll::Pending
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn served(&self) -> MutexGuard<'_, Vec<Served>> {
        lock(&self.servers)
    }
}

impl State {
    /// Somebody does not read any more.
    fn detach(&mut self, reader: Reader) {
        self.ring.detach(reader);
        self.wakers.retain(|(waiting, _)| *waiting != reader);
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Somebody who looks at the messages.
#[derive(Debug)]
struct Watcher {
    sink: Arc<Sink>,
    reader: Reader,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.sink.state().detach(self.reader);
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

    async fn open(&self) -> io::Result<Stream> {
        let spec = &self.server.spec;
        let now = self.proxy.as_ref().and_then(|p| p.pool.address(p.pool.by_name(spec.name.as_str())?));
        let endpoint = now.unwrap_or_else(|| spec.addr.endpoint.clone());
        let stream = begin(&endpoint, &self.server, &Ends { speaks: true, ..Ends::default() }).await?;
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
    outward: Arc<Mutex<Outward>>,
    reader: Reader,
}

impl Sender {
    async fn run(self) {
        loop {
            let (now, outward) = (Instant::now(), lock(&self.outward).clone());
            let limit = outward.connect.map(|limit| now + limit);
            if let Some(Ok(stream)) = within(limit, outward.open()).await {
                // Whatever ends it, the next connection goes on where this one stopped.
                let _ = self.send(stream, &outward).await;
            }
            sleep_until((now + PAUSE).into()).await;
        }
    }

    async fn send(&self, mut stream: Stream, outward: &Outward) -> io::Result<()> {
        let (mut out, mut answer) = (Vec::with_capacity(CHUNK), [0; 512]);
        loop {
            self.fill(&mut out, outward.server.spec.log.counted);
            if !out.is_empty() {
                let limit = outward.timeout.map(|limit| Instant::now() + limit);
                within(limit, stream.write_all(&out)).await.ok_or(io::ErrorKind::TimedOut)??;
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

    fn fill(&self, out: &mut Vec<u8>, counted: bool) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{ServerAddr, ServerSpec};

    fn outward() -> Outward {
        let addr = ServerAddr::fixed(crate::addr::Endpoint::Unix("/nonexistent/log".into()));
        Outward {
            server: Arc::new(ServerPlan { index: 0, spec: ServerSpec::new("s", 1, addr) }),
            proxy: None,
            connect: None,
            timeout: None,
            #[cfg(feature = "tls")]
            connector: None,
        }
    }

    #[test]
    fn who_has_gone_is_not_kept_waiting() {
        let sink = Sink::new("silent", 1024);
        for _ in 0..3 {
            let mut watcher = sink.watch(true).unwrap();
            let mut cx = Context::from_waker(Waker::noop());
            assert_eq!(watcher.poll_more(&mut cx), Poll::Pending);
            assert_eq!(watcher.poll_more(&mut cx), Poll::Pending);
            assert_eq!(sink.state().wakers.len(), 1);
        }
        assert_eq!(sink.state().wakers.len(), 0);
    }

    #[tokio::test]
    async fn servers_are_shared_out_over_the_workers_however_many_rings_there_are() {
        let (worker, mut turns) = (Worker::current(), 0);
        let mut workers = std::iter::repeat_with(|| &worker).inspect(|_| turns += 1);
        for name in ["one", "two"] {
            Sink::new(name, 1024).serve(&name.into(), &[outward()], &mut workers);
        }
        drop(workers);
        assert_eq!(turns, 2);
    }

    #[cfg(feature = "tls")]
    #[tokio::test]
    async fn a_connection_that_stays_is_followed_by_one_with_the_new_certificates() {
        let (sink, worker) = (Sink::new("kept", 1024), Worker::current());
        let serve = |outward| sink.serve(&"kept".into(), &[outward], std::iter::once(&worker));
        serve(outward());
        let task = sink.served()[0].task.id();
        serve(Outward { connector: Some(crate::rt::tls::Connector::unverified()), ..outward() });
        assert_eq!(sink.served()[0].task.id(), task);
        assert!(lock(&sink.served()[0].outward).connector.is_some());
    }
}
