//! The sockets that take commands (`stats socket`): all on the first worker, a task per connection.

use super::control::LiveControl;
use super::listener::{self, ListenError};
use super::{Stream, Worker};
use crate::ctl::{CliSocket, Session, SessionLimits, SocketLevel};
use crate::spec::{AccessLevel, CtlSocket, ProcessSpec};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::AbortHandle;

/// Bytes read at a time.
const CHUNK: usize = 16 * 1024;
/// Connections at the same time unless configured (`stats maxconn`).
const CONNECTIONS: u32 = 10;
/// How long a connection may be silent unless configured (`stats timeout`).
const SILENCE: Duration = Duration::from_secs(10);
/// How long accepting pauses when the process has no descriptor left, or too many connections are open.
const PAUSE: Duration = Duration::from_millis(20);

/// Bounds of all control connections; a reload changes them.
#[derive(Debug)]
struct Bounds {
    open: AtomicUsize,
    maxconn: AtomicUsize,
    idle: Mutex<Duration>,
}

/// One socket. It lives through reloads as long as the configuration names its address.
#[derive(Debug)]
struct Run {
    address: String,
    level: AtomicU8,
    /// Its users may take the listening sockets.
    exposes: AtomicBool,
    socket: OwnedFd,
    task: Mutex<Option<AbortHandle>>,
}

/// All control sockets of a server.
#[derive(Debug)]
pub(super) struct CtlSockets {
    bounds: Arc<Bounds>,
    runs: Mutex<Vec<Arc<Run>>>,
}

impl CtlSockets {
    pub(super) fn new(process: &ProcessSpec, runs: Opened) -> Self {
        let sockets = Self {
            bounds: Arc::new(Bounds {
                open: AtomicUsize::new(0),
                maxconn: AtomicUsize::new(0),
                idle: Mutex::new(SILENCE),
            }),
            runs: Mutex::new(runs.0),
        };
        sockets.bound(process);
        sockets
    }

    fn bound(&self, process: &ProcessSpec) {
        self.bounds.maxconn.store(process.ctl_maxconn.unwrap_or(CONNECTIONS) as usize, Relaxed);
        *self.bounds.idle.lock().unwrap_or_else(PoisonError::into_inner) =
            process.ctl_timeout.unwrap_or(SILENCE);
    }

    /// The sockets a configuration names: those already open, those found in `given`, and new ones.
    ///
    /// # Errors
    /// The socket that cannot be opened, and why.
    pub(super) fn open(
        process: &ProcessSpec,
        running: Option<&Self>,
        given: &mut super::Sockets,
    ) -> Result<Opened, (crate::spec::Origin, ListenError)> {
        let mut all: Vec<Arc<Run>> = Vec::new();
        for spec in &process.ctl {
            let address = spec.listener.endpoint.to_string();
            let open = running.and_then(|r| r.runs().into_iter().find(|run| run.address == address));
            if let Some(run) = open {
                all.push(run);
                continue;
            }
            let found = given.remove(&address).and_then(|fds| fds.into_iter().next());
            let socket = match found {
                Some(socket) => Some(socket),
                None => listener::open(&spec.listener, None, 1)
                    .map_err(|e| (spec.listener.origin, e))?
                    .into_iter()
                    .next(),
            };
            let Some(socket) = socket else { continue };
            all.push(Arc::new(Run {
                address,
                level: AtomicU8::new(spec.level as u8),
                exposes: AtomicBool::new(spec.expose_fd),
                socket,
                task: Mutex::default(),
            }));
        }
        Ok(Opened(all))
    }

    /// Lets the sockets of a new configuration take over.
    pub(super) fn replace(&self, process: &ProcessSpec, opened: Opened) {
        self.bound(process);
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        for run in &opened.0 {
            if let Some(spec) = named(&process.ctl, &run.address) {
                run.level.store(spec.level as u8, Relaxed);
                run.exposes.store(spec.expose_fd, Relaxed);
            }
        }
        for old in runs.iter().filter(|old| !opened.0.iter().any(|new| Arc::ptr_eq(old, new))) {
            old.stop();
        }
        *runs = opened.0;
    }

    /// Starts those that do not run yet.
    pub(super) fn start(&self, worker: &Worker, control: &LiveControl) -> io::Result<()> {
        for run in self.runs() {
            let mut task = run.task.lock().unwrap_or_else(PoisonError::into_inner);
            if task.is_some() {
                continue;
            }
            let socket = listener::duplicate(&run.socket)?;
            let _inside = worker.enter();
            let socket = Socket::new(socket)?;
            let accept =
                accept(socket, Arc::clone(&run), Arc::clone(&self.bounds), control.clone(), worker.clone());
            *task = Some(worker.spawn(accept).abort_handle());
        }
        Ok(())
    }

    /// Second descriptors of all sockets.
    #[cfg(feature = "process")]
    pub(super) fn duplicates(&self) -> io::Result<Vec<OwnedFd>> {
        self.runs().iter().map(|run| listener::duplicate(&run.socket)).collect()
    }

    /// The sockets for `show cli sockets`.
    pub(super) fn list(&self) -> Vec<CliSocket> {
        self.runs().iter().map(|run| CliSocket::new(run.address.clone(), run.level())).collect()
    }

    fn runs(&self) -> Vec<Arc<Run>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Sockets that were opened and wait to be used.
#[derive(Debug)]
pub(super) struct Opened(Vec<Arc<Run>>);

impl Run {
    fn level(&self) -> SocketLevel {
        match self.level.load(Relaxed) {
            0 => SocketLevel::User,
            1 => SocketLevel::Operator,
            _ => SocketLevel::Admin,
        }
    }

    /// Stops accepting; connections go on.
    fn stop(&self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

fn named<'a>(sockets: &'a [CtlSocket], address: &str) -> Option<&'a CtlSocket> {
    sockets.iter().find(|spec| spec.listener.endpoint.to_string() == address)
}

const _: () = assert!(
    AccessLevel::User as u8 == 0 && AccessLevel::Operator as u8 == 1 && AccessLevel::Admin as u8 == 2,
    "levels are kept as numbers",
);

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Socket {
    fn new(fd: OwnedFd) -> io::Result<Self> {
        if listener::is_unix(&fd) {
            return UnixListener::from_std(fd.into()).map(Self::Unix);
        }
        TcpListener::from_std(fd.into()).map(Self::Tcp)
    }

    async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(socket) => socket.accept().await.map(|(stream, _)| Stream::Tcp(stream.into())),
            Self::Unix(socket) => socket.accept().await.map(|(stream, _)| Stream::Unix(stream)),
        }
    }
}

/// Counts a connection for as long as it lives.
struct Counted(Arc<Bounds>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

async fn accept(socket: Socket, run: Arc<Run>, bounds: Arc<Bounds>, control: LiveControl, worker: Worker) {
    loop {
        if bounds.open.load(Relaxed) >= bounds.maxconn.load(Relaxed) {
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        match socket.accept().await {
            Ok(stream) => {
                bounds.open.fetch_add(1, Relaxed);
                let counted = Counted(Arc::clone(&bounds));
                let idle = *bounds.idle.lock().unwrap_or_else(PoisonError::into_inner);
                let session = Session::new(
                    run.level(),
                    SessionLimits { idle, ..SessionLimits::default() },
                    Instant::now(),
                );
                let control = control.clone();
                let exposes = run.exposes.load(Relaxed);
                worker.spawn(async move {
                    // Whoever asked may have gone before the answer was written; nobody else is concerned.
                    let _ = serve(stream, session, &control, exposes).await;
                    drop(counted);
                });
            }
            // The client went away before it was accepted, or descriptors are short.
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// One connection. The end of what the client sends is no reason to leave it without its answer.
async fn serve(
    mut stream: Stream,
    mut session: Session,
    control: &LiveControl,
    exposes: bool,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    let (mut open, mut fresh) = (true, true);
    loop {
        let output = session.poll_output();
        if !output.is_empty() {
            stream.write_all(&output).await?;
        }
        if session.is_closed() {
            return stream.shutdown().await;
        }
        let Some(due) = session.poll_timeout() else { return stream.shutdown().await };
        let got = tokio::select! {
            got = stream.read(&mut chunk), if open => Some(got?),
            () = tokio::time::sleep_until(due.into()) => None,
            () = std::future::poll_fn(|cx| session.poll_events(cx)) => None,
        };
        let now = Instant::now();
        match got {
            None => session.handle_timeout(now, control),
            Some(0) => {
                open = false;
                session.handle_end(now, control);
            }
            Some(n) if exposes && std::mem::take(&mut fresh) && chunk[..n] == *SOCKETS => {
                return hand_over(stream, control).await;
            }
            Some(n) => session.handle_input(now, &chunk[..n], control),
        }
    }
}

/// What a successor sends to be given the listening sockets.
#[cfg(feature = "process")]
const SOCKETS: &[u8] = crate::process::handover::REQUEST;
#[cfg(not(feature = "process"))]
const SOCKETS: &[u8] = b"_getsocks\n";

/// Gives the listening sockets to a successor; this process keeps its own until it is told to stop.
#[cfg(feature = "process")]
async fn hand_over(stream: Stream, control: &LiveControl) -> io::Result<()> {
    use std::os::fd::AsFd;
    let Stream::Unix(stream) = stream else { return Err(io::ErrorKind::Unsupported.into()) };
    let stream = stream.into_std()?;
    let sockets = control.sockets()?;
    let given = tokio::task::spawn_blocking(move || {
        let fds: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
        crate::process::handover::give(stream, &fds)
    });
    given.await.map_err(io::Error::other)?
}

#[cfg(not(feature = "process"))]
async fn hand_over(_: Stream, _: &LiveControl) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
