//! The running server: an engine, its workers, its listeners.

use super::ProxyLogger;
use super::accept::{Limits, ListenerRun, Target};
use super::connection::{BoxFuture, ListenerHandle, Protocol, ProtocolFactory};
use super::control::{LiveControl, Shared};
use super::ctl_socket::CtlSockets;
#[cfg(feature = "tls")]
use super::generation::Connectors;
use super::generation::{Event, Generation, Hub, ServerKit};
use super::log_backend::Ways;
use super::ring_file::Promise;
use super::sink::{Outward, Sink};
#[cfg(feature = "tls")]
use super::tls::Connector;
use super::{ServerError, Workers, listener, processors};
use crate::companion::Companion;
use crate::ctl::Dialect;
use crate::engine::state::{ListenerState, Running};
use crate::engine::{Clock, Engine, Plan, ProxyPlan, ServerPlan};
#[cfg(feature = "tls")]
use crate::spec::TlsClientSpec;
use crate::spec::{ListenerSpec, ProcessSpec, ProtocolSpec, RingSpec, Spec, TcpProxy};
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant, SystemTime};

const SECOND: Duration = Duration::from_secs(1);

/// What identifies a listener across reloads: the proxy and the address.
pub(super) type Key = (String, String);

/// Listening sockets by address, for instance those a supervisor keeps open.
pub type Sockets = HashMap<String, Vec<OwnedFd>>;

/// What the server calls itself in statistics.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Product {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The day it was made, `2026/06/03`; may be empty.
    pub date: &'static str,
}

impl Default for Product {
    fn default() -> Self {
        Self { name: "lb", version: env!("CARGO_PKG_VERSION"), date: "" }
    }
}

/// What a server needs besides its specification.
#[non_exhaustive]
pub struct ServerOptions {
    /// What the server calls itself.
    pub product: Product,
    /// Worker threads; with 0 as many as the specification says, or as there are processors.
    pub workers: usize,
    /// Whether a single worker is to be the runtime that calls [`Server::new`] instead of a thread of its own. It
    /// needs a current-thread runtime; whatever else runs on it must not block.
    pub in_place: bool,
    /// The drivers of the protocols in use.
    pub factories: Vec<ProtocolFactory>,
    /// Who reads what commands say in words of the configuration; without one they are refused.
    pub dialect: Option<Arc<dyn Dialect>>,
    /// What runs beside the server and is shown with it; that of the start is kept through reloads.
    pub companion: Option<Arc<dyn Companion>>,
    /// Where certificates are read from.
    #[cfg(feature = "tls")]
    pub files: Box<dyn crate::tls::Files + Send + Sync>,
}

impl ServerOptions {
    /// So many workers that speak `mode tcp` and read certificates from the file system.
    pub fn new(workers: usize) -> Self {
        Self {
            product: Product::default(),
            workers,
            in_place: false,
            factories: vec![super::tcp, super::log_forward],
            dialect: None,
            companion: None,
            #[cfg(feature = "tls")]
            files: Box::new(super::tls::Disk),
        }
    }

    /// Adds the driver of a protocol.
    #[must_use]
    pub fn protocol(mut self, factory: ProtocolFactory) -> Self {
        self.factories.push(factory);
        self
    }
}

impl std::fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerOptions").field("workers", &self.workers).finish_non_exhaustive()
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    workers: Workers,
    hub: Arc<Hub>,
}

/// A driver that a proxy without listeners never uses.
struct Unused;

impl Protocol for Unused {
    fn serve(self: Arc<Self>, _connection: super::Connection) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

/// Does what time asks for, for as long as the server exists: forgets expired entries of the stick tables, which gives
/// their memory back, and takes the steps of slow starts.
async fn keep_house(shared: Weak<Shared>) {
    let mut pause = SECOND;
    loop {
        tokio::time::sleep(pause).await;
        let Some(shared) = shared.upgrade() else { return };
        let (generation, now) = (shared.current.load(), Instant::now());
        for table in generation.plan.tables() {
            table.expire(now);
        }
        pause = step_slow_starts(&generation, now);
    }
}

/// Takes the steps of slow starts that are due; says when to look again.
fn step_slow_starts(generation: &Generation, now: Instant) -> Duration {
    let mut pause = SECOND;
    for proxy in generation.plan.proxies() {
        let mut next = proxy.pool.poll_timeout();
        if next.is_some_and(|at| at <= now) {
            generation.report(proxy, proxy.pool.handle_timeout(now));
            next = proxy.pool.poll_timeout();
        }
        pause = next.map_or(pause, |at| pause.min(at.saturating_duration_since(now)));
    }
    pause.max(Duration::from_millis(10))
}

impl Server {
    /// Compiles `spec`, opens its listeners (taking those found in `sockets` instead of opening them) and starts the
    /// workers. Nothing is accepted or checked before [`Server::start`].
    ///
    /// # Errors
    /// What went wrong; everything opened is closed again.
    pub fn new(spec: Spec, mut options: ServerOptions, sockets: &mut Sockets) -> Result<Self, ServerError> {
        super::zone::prepare();
        let maxconn = spec.process.connections() as usize;
        if options.workers == 0 {
            options.workers = workers_of(&spec);
        }
        let count = options.workers;
        let engine = Engine::build(spec, count, clock())?;
        let hub = Arc::new(Hub::new(count));
        let maker = Maker { options: &options, hub: &hub };
        let generation = Arc::new(maker.generation(engine.plan(), None)?);
        let listeners = maker.listeners(&generation, &HashMap::new(), sockets)?;
        let listeners = listeners.into_iter().map(|(key, opened)| (key, opened.run)).collect();
        let ctl = open_ctl(engine.plan().process(), None, sockets)?;
        let ctl = CtlSockets::new(engine.plan().process(), ctl);
        let files = hub.logs.files(&engine.plan())?;
        let limits = Limits::new(count, maxconn, engine.plan().process().maxconnrate);
        hub.logs.open();
        let workers = if options.in_place && count == 1 { Workers::here() } else { Workers::start(count)? };
        keep(files);
        let shared = Arc::new(Shared {
            engine: Arc::new(engine),
            current: ArcSwap::new(generation),
            listeners: Mutex::new(listeners),
            limits: Arc::new(limits),
            sockets: ctl,
            product: options.product,
            companion: options.companion.clone(),
            options: ArcSwap::from_pointee(options),
            workers: workers.all().to_vec(),
            checks: Mutex::default(),
            names: Mutex::default(),
            hard_maxconn: AtomicUsize::new(maxconn),
        });
        // The hub is new, so nothing was there before.
        let _ = hub.shared.set(Arc::downgrade(&shared));
        Ok(Self { shared, workers, hub })
    }

    /// Starts accepting and checking.
    ///
    /// # Errors
    /// When a socket cannot be given to its worker.
    pub fn start(&self) -> Result<(), ServerError> {
        for run in self.listeners().values() {
            run.start(self.workers.all(), &self.shared.limits)?;
        }
        self.shared.sockets.start(&self.workers.all()[0], &self.control())?;
        self.hub.logs.start(self.workers.all(), &self.generation().rings);
        self.restart_checks(&self.generation());
        self.workers.all()[0].spawn(keep_house(Arc::downgrade(&self.shared)));
        Ok(())
    }

    /// Replaces the configuration: all or nothing. Listeners that stay are never closed, open connections go on. The
    /// drivers of `options` replace those of the start; its number of workers is not looked at.
    ///
    /// # Errors
    /// What went wrong; nothing has changed then.
    pub fn reload(
        &self,
        spec: Spec,
        options: ServerOptions,
        sockets: &mut Sockets,
    ) -> Result<(), ServerError> {
        let maxconn = spec.process.connections() as usize;
        let factories = self.shared.options.load().factories.clone();
        let options = ServerOptions { workers: self.workers.all().len(), factories, ..options };
        let old = self.generation();
        let maker = Maker { options: &options, hub: &self.hub };
        // A first build without the shared state finds what is wrong before anything that runs is touched.
        let (trial, _) = Plan::build(spec.clone(), None, options.workers, clock())?;
        let trial = Arc::new(maker.generation(Arc::new(trial), Some(&old))?);
        let mut listeners = self.listeners();
        let opened = maker.listeners(&trial, &listeners, sockets)?;
        let ctl = open_ctl(trial.plan.process(), Some(&self.shared.sockets), sockets)?;
        let files = self.hub.logs.files(&trial.plan)?;
        let (plan, events) = Plan::build(spec, Some(&self.engine().plan()), options.workers, clock())?;
        let next = Arc::new(maker.generation(Arc::new(plan), Some(&old))?);
        keep(files);
        self.shared.engine.publish(Arc::clone(&next.plan));
        retarget(&next, &opened);
        for (key, Opened { run, .. }) in &opened {
            if !listeners.contains_key(key) {
                run.start(self.workers.all(), &self.shared.limits)?;
            }
        }
        for (key, run) in listeners.iter() {
            if !opened.contains_key(key) {
                run.stop();
            }
        }
        *listeners = opened.into_iter().map(|(key, opened)| (key, opened.run)).collect();
        // The lock is held until the generation is the current one: whoever adds servers builds on it.
        self.adopt(&next, maxconn);
        self.shared.options.store(Arc::new(options));
        drop(listeners);
        self.shared.sockets.replace(next.plan.process(), ctl);
        self.shared.sockets.start(&self.workers.all()[0], &self.control())?;
        self.hub.logs.start(self.workers.all(), &next.rings);
        self.restart_checks(&next);
        self.limit_old_sessions(&old, &next);
        for (index, event) in events {
            next.report(next.plan.proxy(index), vec![event]);
        }
        let _ = self.hub.events.send(Event::Reloaded { generation: next.plan.generation() });
        Ok(())
    }

    /// Ends the sessions of the configuration before `next` when the time that it gives them (`hard-stop-after`) is over:
    /// those of all its generations, for servers may have been added.
    fn limit_old_sessions(&self, old: &Generation, next: &Generation) {
        let until = next.plan.generation();
        let since = self.hub.reloaded.swap(until, Relaxed);
        let Some(limit) = old.plan.process().hard_stop_after else { return };
        let shared = Arc::downgrade(&self.shared);
        self.workers.all()[0].spawn(async move {
            tokio::time::sleep(limit).await;
            if let Some(shared) = shared.upgrade() {
                shared.limits.sessions.end_all(since..until);
            }
        });
    }

    /// Makes a generation the current one.
    fn adopt(&self, next: &Arc<Generation>, maxconn: usize) {
        let limits = &self.shared.limits;
        limits.maxconn.store(maxconn, Relaxed);
        limits.connection_rate.store(next.plan.process().maxconnrate, Relaxed);
        self.shared.hard_maxconn.store(maxconn, Relaxed);
        self.shared.current.store(Arc::clone(next));
    }

    /// The server as commands see it. Keeps the listeners open as long as it exists.
    pub fn control(&self) -> LiveControl {
        LiveControl::new(Arc::clone(&self.shared))
    }

    fn restart_checks(&self, generation: &Arc<Generation>) {
        self.shared.checks().restart(generation, self.workers.all());
        self.shared.names().restart(generation, &self.workers.all()[0]);
    }

    /// What happens from now on.
    pub fn events(&self) -> tokio::sync::broadcast::Receiver<Event> {
        self.hub.events.subscribe()
    }

    /// The listeners: proxy and address, in no particular order.
    pub fn addresses(&self) -> Vec<(String, std::net::SocketAddr)> {
        let listeners = self.listeners();
        let bound = |((proxy, _), run): (&Key, &Arc<ListenerRun>)| {
            run.sockets.first().and_then(listener::bound_addr).map(|addr| (proxy.clone(), addr))
        };
        listeners.iter().filter_map(bound).collect()
    }

    /// Takes note that the machine at `ip` stopped speaking, so that its servers are avoided until they show that they live.
    pub fn suspect(&self, ip: std::net::IpAddr) {
        self.generation().suspect(ip);
    }

    /// Pauses or resumes accepting on all frontends.
    pub fn pause(&self, paused: bool) {
        let running = if paused { Running::Paused } else { Running::Open };
        for proxy in self.generation().plan.proxies() {
            if proxy.state.front.running() != Running::Stopped {
                proxy.state.front.set_running(running);
            }
        }
        self.wake_listeners();
    }

    /// Whether every worker still turns: each must carry out an empty task within `limit`.
    pub async fn is_responsive(&self, limit: Duration) -> bool {
        let all = self.workers.all().iter().map(|worker| worker.spawn(async {}));
        let all: Vec<_> = all.collect();
        let answered = async {
            for task in all {
                let _ = task.await;
            }
        };
        tokio::time::timeout(limit, answered).await.is_ok()
    }

    /// Stops accepting; connections go on, but drivers do not keep them for further requests.
    pub fn close_listeners(&self) {
        self.hub.stopping.store(true, Relaxed);
        for run in self.listeners().drain() {
            run.1.stop();
        }
    }

    /// Stops accepting, and if `graceful` waits for the connections that are there: as long as they last, or as the
    /// configuration allows.
    pub async fn stop(&self, graceful: bool) {
        self.close_listeners();
        if graceful {
            let limit = self.generation().plan.process().hard_stop_after;
            self.drained(limit.map(|limit| Instant::now() + limit)).await;
        }
    }

    /// Waits until no connection is left, at most until `deadline`; says how many are left then.
    pub async fn drained(&self, deadline: Option<Instant>) -> usize {
        loop {
            let left = self.connections();
            if left == 0 || deadline.is_some_and(|at| at <= Instant::now()) {
                return left;
            }
            tokio::select! {
                () = self.shared.limits.freed(|| self.connections() == 0) => {}
                () = tokio::time::sleep(Duration::from_millis(50)) => {}
            }
        }
    }

    /// Connections being served.
    pub fn connections(&self) -> usize {
        self.shared.limits.total.load(Relaxed)
    }

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.shared.engine
    }

    /// The workers.
    pub fn workers(&self) -> &Workers {
        &self.workers
    }

    /// The current generation.
    pub fn generation(&self) -> Arc<Generation> {
        self.shared.current.load_full()
    }

    /// Makes listeners look at their limits and states again, after an operator changed some.
    pub fn wake_listeners(&self) {
        self.shared.wake_listeners();
    }

    fn listeners(&self) -> MutexGuard<'_, HashMap<Key, Arc<ListenerRun>>> {
        self.shared.listeners()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A worker's thread ends with its tasks; the runtime of somebody else goes on, so its acceptors must be told.
        for run in self.listeners().values() {
            run.stop();
        }
    }
}

/// How many workers serve `spec` unless somebody says otherwise.
fn workers_of(spec: &Spec) -> usize {
    spec.process.threads.unwrap_or_else(processors).max(1)
}

/// Opens what `spec` listens on and `known` lacks, for a server that somebody else will run.
///
/// # Errors
/// The first listener that cannot be opened.
pub fn open_missing(spec: &Spec, known: &Sockets) -> Result<Sockets, ServerError> {
    let workers = workers_of(spec);
    let served = spec.proxies.iter().filter(|p| !p.disabled);
    let proxies =
        served.flat_map(|p| p.listeners.iter().map(move |l| (p.name.as_str(), l, p.backlog, workers)));
    let control = spec.process.ctl.iter().map(|ctl| ("GLOBAL", &ctl.listener, None, 1));
    let mut sockets = Sockets::new();
    for (proxy, listener, backlog, count) in proxies.chain(control) {
        let place = listener.place();
        if known.contains_key(&place) {
            continue;
        }
        if let Entry::Vacant(place) = sockets.entry(place) {
            let opened = listener::open(listener, backlog, count);
            place.insert(opened.map_err(|cause| ServerError::Listen {
                origin: listener.origin,
                proxy: proxy.to_owned(),
                cause,
            })?);
        }
    }
    Ok(sockets)
}

/// Lets rings write to their files.
fn keep(files: Vec<(Arc<Sink>, Promise)>) {
    for (sink, promise) in files {
        sink.keep_in(promise.take_up());
    }
}

/// Opens the control sockets of a configuration.
fn open_ctl(
    process: &ProcessSpec,
    running: Option<&CtlSockets>,
    sockets: &mut Sockets,
) -> Result<super::ctl_socket::Opened, ServerError> {
    CtlSockets::open(process, running, sockets).map_err(|(origin, cause)| ServerError::Listen {
        origin,
        proxy: "GLOBAL".to_owned(),
        cause,
    })
}

pub(super) fn clock() -> Clock {
    Clock::new(Instant::now(), SystemTime::now())
}

/// Makes what the drivers need for a plan.
pub(super) struct Maker<'a> {
    pub(super) options: &'a ServerOptions,
    pub(super) hub: &'a Arc<Hub>,
}

impl Maker<'_> {
    fn generation(&self, plan: Arc<Plan>, old: Option<&Generation>) -> Result<Generation, ServerError> {
        let driver = |spec: &dyn ProtocolSpec| self.options.factories.iter().find_map(|make| make(spec));
        let mut protocols: Vec<Arc<dyn Protocol>> = Vec::new();
        for proxy in plan.proxies() {
            let spec = &*proxy.spec.protocol;
            let found =
                driver(spec).or_else(|| proxy.spec.listeners.is_empty().then(|| Arc::new(Unused) as _));
            protocols.push(found.ok_or_else(|| ServerError::Protocol {
                proxy: proxy.spec.name.to_string(),
                kind: spec.kind(),
                origin: proxy.spec.origin,
            })?);
        }
        let upgrade = |p: &Arc<ProxyPlan>| {
            let tcp = p.spec.protocol.as_any().downcast_ref::<TcpProxy>();
            tcp.and_then(|tcp| driver(tcp.upgrade.as_deref()?))
        };
        let upgrades = plan.proxies().iter().map(upgrade).collect();
        let kits: Vec<_> = plan.proxies().iter().map(|p| self.kits(p, old)).collect::<Result<_, _>>()?;
        let outward = |ring: &RingSpec, server: Arc<ServerPlan>, proxy: Option<&Arc<ProxyPlan>>| {
            let kit = proxy.and_then(|p| kits[p.index].get(server.index));
            self.outward(ring, server, proxy.zip(kit))
        };
        let mut ways = Ways::new(&plan, &self.hub.logs, outward)?;
        let logger = |p: &Arc<ProxyPlan>| Arc::new(ProxyLogger::new(&plan, p, &ways, self.hub));
        let loggers = plan.proxies().iter().map(logger).collect();
        let rings = std::mem::take(&mut ways.served).into();
        Ok(Generation { protocols, upgrades, loggers, kits, rings, hub: Arc::clone(self.hub), plan })
    }

    /// How a server of a ring is reached; one of a proxy as everything that reaches it does.
    fn outward(
        &self,
        ring: &RingSpec,
        server: Arc<ServerPlan>,
        owner: Option<(&Arc<ProxyPlan>, &ServerKit)>,
    ) -> Result<Outward, ServerError> {
        #[cfg(feature = "tls")]
        let connector = match owner {
            Some((_, kit)) => kit.connectors.traffic.clone(),
            None => {
                server.spec.tls.as_ref().map(|tls| self.connector(tls, &ring.name, &server)).transpose()?
            }
        };
        Ok(Outward {
            proxy: owner.map(|(proxy, _)| Arc::clone(proxy)),
            connect: ring.connect,
            timeout: ring.timeout,
            #[cfg(feature = "tls")]
            connector,
            server,
        })
    }

    /// What `before` becomes when one of its proxies has other servers.
    pub(super) fn edited(
        &self,
        plan: Arc<Plan>,
        before: &Generation,
        index: usize,
    ) -> Result<Generation, ServerError> {
        let mut kits = before.kits.clone();
        kits[index] = self.kits(plan.proxy(index), Some(before))?;
        Ok(Generation {
            protocols: before.protocols.clone(),
            upgrades: before.upgrades.clone(),
            loggers: before.loggers.clone(),
            kits,
            rings: Arc::clone(&before.rings),
            hub: Arc::clone(self.hub),
            plan,
        })
    }

    /// Finds out whether everything a server needs can be made.
    pub(super) fn try_server(&self, proxy: &ProxyPlan, server: &ServerPlan) -> Result<(), ServerError> {
        #[cfg(feature = "tls")]
        self.connectors(proxy, server)?;
        #[cfg(not(feature = "tls"))]
        let _ = (proxy, server, self.options.workers);
        Ok(())
    }

    /// What belongs to the servers of a proxy, the hooks of the same names kept.
    pub(super) fn kits(
        &self,
        proxy: &ProxyPlan,
        old: Option<&Generation>,
    ) -> Result<Vec<ServerKit>, ServerError> {
        let alike = |p: &&Arc<ProxyPlan>| {
            p.spec.name == proxy.spec.name && p.spec.capability == proxy.spec.capability
        };
        let before = old.and_then(|old| old.plan.proxies().iter().find(alike).map(|p| &old.kits[p.index]));
        let kit = |server: &Arc<ServerPlan>| {
            let name = &server.spec.name;
            let same = before.and_then(|kits| kits.iter().find(|kit| kit.name == *name));
            Ok(ServerKit {
                name: name.clone(),
                hooks: same.map(|kit| Arc::clone(&kit.hooks)).unwrap_or_default(),
                #[cfg(feature = "tls")]
                connectors: self.connectors(proxy, server)?,
            })
        };
        proxy.servers.iter().map(kit).collect()
    }

    /// What speaks TLS to a server: a check may where the traffic does not, and with other names.
    #[cfg(feature = "tls")]
    fn connectors(&self, proxy: &ProxyPlan, server: &ServerPlan) -> Result<Connectors, ServerError> {
        let connector = |spec: &Arc<TlsClientSpec>| self.connector(spec, proxy.spec.name.as_str(), server);
        let spec = server.spec.tls.as_ref();
        let traffic = spec.map(connector).transpose()?;
        // Nearly always they are alike, and making one reads files.
        let check = match server.spec.check.as_ref().and_then(|check| check.tls.as_ref()) {
            own if own == spec => traffic.clone(),
            own => own.map(connector).transpose()?,
        };
        Ok(Connectors { traffic, check })
    }

    #[cfg(feature = "tls")]
    fn connector(
        &self,
        spec: &TlsClientSpec,
        owner: &str,
        server: &ServerPlan,
    ) -> Result<Connector, ServerError> {
        Connector::new(spec, &*self.options.files).map_err(|cause| ServerError::Tls {
            proxy: owner.to_owned(),
            cause,
            origin: server.spec.origin,
        })
    }

    /// The listeners of a generation: those already running, those found in `sockets`, and new ones, each with what it
    /// becomes. Everything that can fail about a listener fails here.
    fn listeners(
        &self,
        generation: &Arc<Generation>,
        running: &HashMap<Key, Arc<ListenerRun>>,
        sockets: &mut Sockets,
    ) -> Result<HashMap<Key, Opened>, ServerError> {
        let mut all = HashMap::new();
        for proxy in generation.plan.proxies().iter().filter(|p| !p.spec.disabled) {
            for (i, spec) in proxy.spec.listeners.iter().enumerate() {
                let key = key(proxy.spec.name.as_str(), spec);
                if let Some(run) = running.get(&key) {
                    let state = Arc::clone(&run.target.load().handle.state);
                    let handle = self.handle(proxy, i, &run.sockets, state, generation)?;
                    all.insert(key, Opened { run: Arc::clone(run), handle });
                    continue;
                }
                let fds = match sockets.remove(&spec.place()) {
                    Some(fds) if !fds.is_empty() => fds,
                    _ => listener::open(spec, proxy.spec.backlog, self.options.workers).map_err(|cause| {
                        ServerError::Listen { origin: spec.origin, proxy: proxy.spec.name.to_string(), cause }
                    })?,
                };
                let state = ListenerState::new(self.options.workers);
                let handle = self.handle(proxy, i, &fds, state, generation)?;
                let first = Arc::clone(&handle);
                let target = Target { generation: Arc::clone(generation), proxy: proxy.index, handle: first };
                all.insert(key, Opened { run: Arc::new(ListenerRun::new(fds, target)), handle });
            }
        }
        Ok(all)
    }

    fn handle(
        &self,
        proxy: &ProxyPlan,
        index: usize,
        sockets: &[OwnedFd],
        state: Arc<ListenerState>,
        generation: &Generation,
    ) -> Result<Arc<ListenerHandle>, ServerError> {
        let spec = proxy.spec.listeners[index].clone();
        #[cfg(feature = "tls")]
        let tls = match &spec.tls {
            None => None,
            Some(tls) => {
                let tune = &generation.plan.process().tune;
                let made = super::tls::Acceptor::new(tls, tune, &*self.options.files);
                Some(made.map_err(|cause| ServerError::Tls {
                    proxy: proxy.spec.name.to_string(),
                    cause,
                    origin: spec.origin,
                })?)
            }
        };
        #[cfg(not(feature = "tls"))]
        let _ = generation;
        Ok(Arc::new(ListenerHandle {
            id: spec.id.unwrap_or(index as u32 + 1),
            addr: sockets.first().and_then(listener::bound_addr),
            state,
            #[cfg(feature = "tls")]
            tls,
            spec,
        }))
    }
}

/// A listener and what it becomes in the generation it was opened for.
struct Opened {
    run: Arc<ListenerRun>,
    handle: Arc<ListenerHandle>,
}

/// Lets listeners lead to the proxies of a new generation. Nothing here can fail: the plan is published already.
fn retarget(generation: &Arc<Generation>, listeners: &HashMap<Key, Opened>) {
    for proxy in generation.plan.proxies() {
        for spec in &proxy.spec.listeners {
            let Some(Opened { run, handle }) = listeners.get(&key(proxy.spec.name.as_str(), spec)) else {
                continue;
            };
            let handle = Arc::clone(handle);
            let target = Target { generation: Arc::clone(generation), proxy: proxy.index, handle };
            run.target.store(Arc::new(target));
            run.wake();
        }
    }
}

fn key(proxy: &str, listener: &ListenerSpec) -> Key {
    (proxy.to_owned(), listener.place())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::ServerId;
    use crate::pool::AdminState;
    use crate::spec::{Capability, PoolSpec, ProxySpec, ServerAddr, ServerSpec};

    #[test]
    fn a_slow_start_goes_on_without_traffic() {
        let addr = ServerAddr::fixed(crate::addr::Endpoint::Inet(([127, 0, 0, 1], 1).into()));
        let mut slow = ServerSpec::new("s1", 1, addr);
        (slow.slowstart, slow.weight) = (Duration::from_secs(4), 4);
        let mut proxy = ProxySpec::new("web", 2, Capability::Backend);
        proxy.pool = PoolSpec::new(crate::balance::Algorithm::RoundRobin, vec![slow]);
        let mut spec = Spec::new();
        spec.proxies.push(proxy);
        let server = Server::new(spec, ServerOptions::new(1), &mut Sockets::new()).unwrap();
        let generation = server.shared.current.load_full();
        let (pool, only, start) = (&generation.plan.proxy(0).pool, ServerId(0), Instant::now());
        for state in [AdminState::Maint, AdminState::Ready] {
            pool.set_state(only, state, start).unwrap();
        }
        let weight = |now| pool.server_snapshots(now)[0].weight;
        let first = weight(start);
        assert_eq!(step_slow_starts(&generation, start), SECOND);
        let middle = start + 2 * SECOND;
        step_slow_starts(&generation, middle);
        let end = start + 5 * SECOND;
        let half = weight(middle);
        assert_eq!(step_slow_starts(&generation, end), SECOND);
        assert!(first < half && half < weight(end), "{first} {half} {}", weight(end));
        assert_eq!((weight(end), pool.poll_timeout()), (4, None));
    }
}
