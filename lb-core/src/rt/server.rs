//! The running server: an engine, its workers, its listeners.

use super::accept::{Limits, ListenerRun, Target};
use super::connection::{BoxFuture, Generation, ListenerHandle, Protocol, ProtocolFactory};
use super::{ListenError, Workers, listener};
use crate::engine::state::ListenerState;
use crate::engine::{BuildError, Clock, Engine, Plan};
use crate::spec::{ListenerSpec, Origin, ProtocolSpec, Spec};
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Notify;

/// Connections of a process whose configuration sets no limit and whose system has none either.
const DEFAULT_MAXCONN: usize = 1 << 20;

/// Why a server could not start or reload. A running server goes on unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The specification cannot be compiled.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A listener cannot be opened.
    #[error("{cause}")]
    Listen {
        /// The listener.
        origin: Origin,
        /// The proxy it belongs to.
        proxy: String,
        /// What went wrong.
        cause: ListenError,
    },
    /// No driver knows a protocol.
    #[error("proxy `{proxy}`: this program has no driver for protocol `{kind}`")]
    Protocol {
        /// The proxy.
        proxy: String,
        /// The protocol.
        kind: &'static str,
        /// Where it was configured.
        origin: Origin,
    },
    /// The system refused something else.
    #[error("{0}")]
    System(#[from] io::Error),
}

/// What identifies a listener across reloads: the proxy and the address.
type Key = (String, String);

/// Listening sockets by address, for instance those a supervisor keeps open.
pub type Sockets = HashMap<String, Vec<OwnedFd>>;

/// A running server.
#[derive(Debug)]
pub struct Server {
    engine: Arc<Engine>,
    workers: Workers,
    factories: Vec<ProtocolFactory>,
    current: ArcSwap<Generation>,
    listeners: Mutex<HashMap<Key, Arc<ListenerRun>>>,
    limits: Arc<Limits>,
}

/// A driver that a proxy without listeners never uses.
struct Unused;

impl Protocol for Unused {
    fn serve(self: Arc<Self>, _connection: super::Connection) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

impl Server {
    /// Compiles `spec`, opens its listeners (taking those found in `sockets` instead of opening them) and starts `count`
    /// workers. Nothing is accepted before [`Server::start`].
    ///
    /// # Errors
    /// What went wrong; everything opened is closed again.
    pub fn new(
        spec: Spec,
        count: usize,
        factories: Vec<ProtocolFactory>,
        sockets: &mut Sockets,
    ) -> Result<Self, ServerError> {
        let maxconn = spec.process.maxconn.map_or(DEFAULT_MAXCONN, |n| n as usize);
        let engine = Engine::build(spec, count.max(1), clock())?;
        let generation = Arc::new(generation(engine.plan(), &factories)?);
        let listeners = open_all(&generation, &HashMap::new(), sockets, count)?;
        let limits = Limits {
            total: Arc::new(AtomicUsize::new(0)),
            maxconn: AtomicUsize::new(maxconn),
            freed: Arc::new(Notify::new()),
        };
        Ok(Self {
            engine: Arc::new(engine),
            workers: Workers::start(count)?,
            factories,
            current: ArcSwap::new(generation),
            listeners: Mutex::new(listeners),
            limits: Arc::new(limits),
        })
    }

    /// Starts accepting.
    ///
    /// # Errors
    /// When a socket cannot be given to its worker.
    pub fn start(&self) -> Result<(), ServerError> {
        for run in self.listeners().values() {
            run.start(self.workers.all(), &self.limits)?;
        }
        Ok(())
    }

    /// Replaces the configuration: all or nothing. Listeners that stay are never closed, open connections go on.
    ///
    /// # Errors
    /// What went wrong; nothing has changed then.
    pub fn reload(&self, spec: Spec, sockets: &mut Sockets) -> Result<(), ServerError> {
        let maxconn = spec.process.maxconn.map_or(DEFAULT_MAXCONN, |n| n as usize);
        let plan = Plan::build(spec, Some(&self.engine.plan()), self.engine.workers(), clock())?;
        let next = Arc::new(generation(Arc::new(plan), &self.factories)?);
        let mut listeners = self.listeners();
        let opened = open_all(&next, &listeners, sockets, self.workers.all().len())?;
        for (key, run) in &opened {
            if !listeners.contains_key(key) {
                run.start(self.workers.all(), &self.limits)?;
            }
        }
        // Nothing can fail from here on.
        self.engine.publish(Arc::clone(&next.plan));
        retarget(&next, &opened);
        for (key, run) in listeners.iter() {
            if !opened.contains_key(key) {
                run.stop();
            }
        }
        *listeners = opened;
        self.limits.maxconn.store(maxconn, Relaxed);
        self.current.store(next);
        Ok(())
    }

    /// Stops accepting; connections go on.
    pub fn close_listeners(&self) {
        for run in self.listeners().drain() {
            run.1.stop();
        }
    }

    /// Waits until no connection is left, at most until `deadline`; says how many are left then.
    pub async fn drained(&self, deadline: Option<Instant>) -> usize {
        loop {
            let left = self.connections();
            if left == 0 || deadline.is_some_and(|at| at <= Instant::now()) {
                return left;
            }
            let freed = self.limits.freed.notified();
            tokio::select! {
                () = freed => {}
                () = tokio::time::sleep(Duration::from_millis(50)) => {}
            }
        }
    }

    /// Connections being served.
    pub fn connections(&self) -> usize {
        self.limits.total.load(Relaxed)
    }

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The workers.
    pub fn workers(&self) -> &Workers {
        &self.workers
    }

    /// The current generation.
    pub fn generation(&self) -> Arc<Generation> {
        self.current.load_full()
    }

    /// Makes listeners look at their limits and states again, after an operator changed some.
    pub fn wake_listeners(&self) {
        for run in self.listeners().values() {
            run.wake();
        }
    }

    fn listeners(&self) -> MutexGuard<'_, HashMap<Key, Arc<ListenerRun>>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn clock() -> Clock {
    Clock::new(Instant::now(), SystemTime::now())
}

/// Finds the drivers of a plan's protocols.
fn generation(plan: Arc<Plan>, factories: &[ProtocolFactory]) -> Result<Generation, ServerError> {
    let driver = |spec: &dyn ProtocolSpec| factories.iter().find_map(|make| make(spec));
    let mut protocols: Vec<Arc<dyn Protocol>> = Vec::new();
    for proxy in plan.proxies() {
        let spec = &*proxy.spec.protocol;
        let found = driver(spec).or_else(|| proxy.spec.listeners.is_empty().then(|| Arc::new(Unused) as _));
        protocols.push(found.ok_or_else(|| ServerError::Protocol {
            proxy: proxy.spec.name.to_string(),
            kind: spec.kind(),
            origin: proxy.spec.origin,
        })?);
    }
    Ok(Generation { plan, protocols })
}

/// The listeners of a generation: those already running, those found in `sockets`, and new ones.
fn open_all(
    generation: &Arc<Generation>,
    running: &HashMap<Key, Arc<ListenerRun>>,
    sockets: &mut Sockets,
    count: usize,
) -> Result<HashMap<Key, Arc<ListenerRun>>, ServerError> {
    let mut all = HashMap::new();
    for proxy in generation.plan.proxies().iter().filter(|p| !p.spec.disabled) {
        for (i, spec) in proxy.spec.listeners.iter().enumerate() {
            let key = key(proxy.spec.name.as_str(), spec);
            if let Some(run) = running.get(&key) {
                all.insert(key, Arc::clone(run));
                continue;
            }
            let fds = match sockets.remove(&spec.endpoint.to_string()) {
                Some(fds) if !fds.is_empty() => fds,
                _ => listener::open(spec, proxy.spec.backlog, count).map_err(|cause| ServerError::Listen {
                    origin: spec.origin,
                    proxy: proxy.spec.name.to_string(),
                    cause,
                })?,
            };
            let handle = handle(spec, i, &fds, ListenerState::new(count));
            let target = Target { generation: Arc::clone(generation), proxy: proxy.index, handle };
            all.insert(key, Arc::new(ListenerRun::new(fds, target)));
        }
    }
    Ok(all)
}

/// Lets running listeners lead to the proxies of a new generation.
fn retarget(generation: &Arc<Generation>, listeners: &HashMap<Key, Arc<ListenerRun>>) {
    for proxy in generation.plan.proxies() {
        for (i, spec) in proxy.spec.listeners.iter().enumerate() {
            let Some(run) = listeners.get(&key(proxy.spec.name.as_str(), spec)) else { continue };
            let state = Arc::clone(&run.target.load().handle.state);
            let handle = handle(spec, i, &run.sockets, state);
            run.target.store(Arc::new(Target {
                generation: Arc::clone(generation),
                proxy: proxy.index,
                handle,
            }));
            run.wake();
        }
    }
}

fn handle(spec: &ListenerSpec, index: usize, sockets: &[OwnedFd], state: Arc<ListenerState>) -> Arc<ListenerHandle> {
    Arc::new(ListenerHandle {
        spec: spec.clone(),
        id: spec.id.unwrap_or(index as u32 + 1),
        addr: sockets.first().and_then(listener::bound_addr),
        state,
    })
}

fn key(proxy: &str, listener: &ListenerSpec) -> Key {
    (proxy.to_owned(), listener.endpoint.to_string())
}
