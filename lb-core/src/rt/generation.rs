//! A plan with everything the drivers made for it: what a reload swaps as a whole.

use super::Protocol;
use super::control::{LiveControl, Shared};
use super::log_backend::ServedRing;
use super::logger::{LogHub, ProxyLogger};
use crate::balance::ServerId;
use crate::cache::expect;
use crate::engine::{Plan, ProxyPlan, ServerPlan};
use crate::health::{CheckKind, Health, HealthEvent, Part, ServerHealth};
use crate::log::Cause;
use crate::name::ServerName;
use crate::pool::{OpState, PoolEvent};
use std::collections::VecDeque;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Instant;
use tokio::sync::{Notify, broadcast};

/// What happens to servers and backends, for those outside the engine who want to know.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// The number of usable servers of a backend changed, or the state or weight of a server.
    Health(Health),
    /// A configuration was replaced.
    Reloaded {
        /// Number of the new generation.
        generation: u64,
    },
}

/// What a server's sessions, checks and idle connections are woken by. Lives through reloads.
#[derive(Debug, Default)]
pub struct ServerHooks {
    /// How often all sessions on the server were to end.
    ends: AtomicU64,
    /// The next check may be due earlier.
    pub(super) recheck: Notify,
    /// The next check is due now.
    pub(super) check_now: AtomicBool,
    /// Idle connections made before this number changed are not to be used any more.
    idle_epoch: AtomicU64,
    /// Its node stopped speaking: avoided until something shows that the server lives.
    suspect: AtomicBool,
    /// Where checks go, as far as an operator changed it.
    redirected: Mutex<Redirected>,
}

/// Where the checks of a server go, as far as an operator changed it.
#[derive(Debug, Default, Clone)]
pub(super) struct Redirected {
    /// Address of health checks.
    pub(super) check_addr: Option<std::net::IpAddr>,
    /// Port of health checks.
    pub(super) check_port: Option<u16>,
    /// Address of the agent.
    pub(super) agent_addr: Option<std::net::IpAddr>,
    /// Port of the agent.
    pub(super) agent_port: Option<u16>,
    /// What is sent to the agent.
    pub(super) agent_send: Option<String>,
}

impl ServerHooks {
    /// True while there is reason to believe that the server is gone although no check has found out yet.
    pub fn is_suspect(&self) -> bool {
        self.suspect.load(Relaxed)
    }

    /// Something shows that the server lives.
    pub fn clear(&self) {
        if self.is_suspect() {
            self.suspect.store(false, Relaxed);
        }
    }

    /// Where its checks go, as far as an operator changed it.
    pub(super) fn redirected(&self) -> std::sync::MutexGuard<'_, Redirected> {
        self.redirected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Idle connections are only good while this number stays the same.
    pub fn idle_epoch(&self) -> u64 {
        self.idle_epoch.load(Relaxed)
    }

    /// How often all sessions on the server were to end, and why they were the last time. A session that finds another
    /// number than when it came is one of those.
    pub fn ends(&self) -> u64 {
        self.ends.load(Acquire)
    }

    /// Why all sessions on the server were to end the last time.
    pub fn end_cause(&self) -> Cause {
        END_CAUSES[(self.ends() & END_MASK) as usize % END_CAUSES.len()]
    }

    /// All sessions on the server are to end.
    fn end_all(&self, cause: Cause) {
        let reason = END_CAUSES.iter().position(|known| *known == cause).unwrap_or_default() as u64;
        let next = |ends: u64| Some(((ends | END_MASK).wrapping_add(1)) | reason);
        // The change is never refused.
        let _ = self.ends.fetch_update(Release, Acquire, next);
    }
}

/// Why sessions on a server are ended: it is down, another one is up, an operator says so.
const END_CAUSES: [Cause; 3] = [Cause::Down, Cause::Up, Cause::Killed];
/// The bits of the number of ends that hold the reason.
const END_MASK: u64 = 3;

/// A plan with the drivers of its protocols, its loggers and its TLS.
pub struct Generation {
    /// The plan.
    pub plan: Arc<Plan>,
    /// By proxy index.
    pub(super) protocols: Vec<Arc<dyn Protocol>>,
    /// What sessions of a proxy in TCP mode go on with, by proxy index.
    pub(super) upgrades: Vec<Option<Arc<dyn Protocol>>>,
    /// By proxy index.
    pub(super) loggers: Vec<Arc<ProxyLogger>>,
    /// By proxy and server index.
    pub(super) kits: Vec<Vec<ServerKit>>,
    /// Rings of messages with their servers.
    pub(super) rings: Arc<[ServedRing]>,
    /// Outlives all generations.
    pub(super) hub: Arc<Hub>,
}

/// Tells when idle connections are not to be used any more; see [`ServerHooks::idle_epoch`].
#[derive(Clone, Debug)]
pub struct IdleDrops(Arc<Hub>);

impl IdleDrops {
    /// Ready when that happens, to any server, after this call.
    pub fn next(&self) -> impl Future<Output = ()> + '_ {
        self.0.idle_dropped.notified()
    }
}

/// What all generations of a server share.
#[derive(Debug)]
pub(super) struct Hub {
    pub(super) logs: LogHub,
    pub(super) events: broadcast::Sender<Event>,
    workers: usize,
    /// Events being carried out, so that following servers of other pools cannot recurse without end.
    queue: Mutex<VecDeque<(usize, PoolEvent)>>,
    /// The server all of this belongs to, once it is made.
    pub(super) shared: OnceLock<Weak<Shared>>,
    /// Idle connections to some server are not to be used any more.
    idle_dropped: Notify,
    /// Nothing is accepted any more.
    pub(super) stopping: AtomicBool,
    /// The first generation of the present configuration.
    pub(super) reloaded: AtomicU64,
}

impl Hub {
    /// The current generation; `None` while the server starts or once it is gone.
    pub(super) fn newest(&self) -> Option<Arc<Generation>> {
        Some(self.shared.get()?.upgrade()?.current.load_full())
    }

    pub(super) fn new(workers: usize) -> Self {
        let (events, _) = broadcast::channel(256);
        Self {
            logs: LogHub::new(workers),
            events,
            workers,
            queue: Mutex::default(),
            shared: OnceLock::new(),
            idle_dropped: Notify::new(),
            stopping: AtomicBool::new(false),
            reloaded: AtomicU64::new(0),
        }
    }
}

/// What belongs to a server beside its plan.
#[derive(Clone)]
pub(super) struct ServerKit {
    pub(super) name: ServerName,
    pub(super) hooks: Arc<ServerHooks>,
    #[cfg(feature = "tls")]
    pub(super) connectors: Connectors,
}

/// What speaks TLS to a server.
#[cfg(feature = "tls")]
#[derive(Clone)]
pub(super) struct Connectors {
    pub(super) traffic: Option<super::tls::Connector>,
    pub(super) check: Option<super::tls::Connector>,
}

impl std::fmt::Debug for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Generation").field("plan", &self.plan.generation()).finish_non_exhaustive()
    }
}

impl Generation {
    /// The driver of the proxy with this index in the plan.
    pub fn protocol(&self, proxy: usize) -> Option<&Arc<dyn Protocol>> {
        self.protocols.get(proxy)
    }

    /// What sessions of the proxy with this index go on with when they leave TCP mode.
    pub(super) fn upgrade(&self, proxy: usize) -> Option<&Arc<dyn Protocol>> {
        self.upgrades.get(proxy)?.as_ref()
    }

    /// Whether the server no longer accepts connections and waits for the last to end: none should be kept for more
    /// requests.
    pub fn is_stopping(&self) -> bool {
        self.hub.stopping.load(Relaxed)
    }

    /// The server this belongs to; `None` while it starts or once it is gone.
    pub(super) fn shared(&self) -> Option<Arc<Shared>> {
        self.hub.shared.get()?.upgrade()
    }

    /// How many workers the server has.
    pub(super) fn workers(&self) -> usize {
        self.hub.workers
    }

    /// The logger of the proxy with this index in the plan.
    ///
    /// # Panics
    /// With an index of another plan.
    pub fn logger(&self, proxy: usize) -> &ProxyLogger {
        &self.loggers[proxy]
    }

    /// How TLS is spoken to a server, if it is.
    #[cfg(feature = "tls")]
    pub fn connector(&self, proxy: &ProxyPlan, server: &ServerPlan) -> Option<super::tls::Connector> {
        self.kit(proxy, &server.spec.name, server.index, |kit| kit.connectors.traffic.clone())?
    }

    /// How the checks of a server speak TLS, if they do.
    #[cfg(feature = "tls")]
    pub(super) fn check_connector(
        &self,
        proxy: &ProxyPlan,
        server: &ServerPlan,
    ) -> Option<super::tls::Connector> {
        self.kit(proxy, &server.spec.name, server.index, |kit| kit.connectors.check.clone())?
    }

    /// Looks at what belongs to a server. A session of an older generation may know its servers by other places, and a
    /// pool may have servers that came later: those are looked up in the newest generation.
    fn kit<T>(
        &self,
        proxy: &ProxyPlan,
        name: &ServerName,
        index: usize,
        look: impl Fn(&ServerKit) -> T,
    ) -> Option<T> {
        let here = self.kits.get(proxy.index).and_then(|kits| kits.get(index));
        if let Some(kit) = here.filter(|kit| kit.name == *name) {
            return Some(look(kit));
        }
        let newest = self.newest()?;
        let proxy = newest.same(proxy)?;
        newest.kits.get(proxy.index)?.iter().find(|kit| kit.name == *name).map(look)
    }

    /// A server of `proxy` is about to be looked at.
    pub(super) fn expect(&self, proxy: &ProxyPlan, index: usize) {
        if let Some(kits) = self.kits.get(proxy.index)
            && let Some(kit) = kits.get(index)
        {
            expect(kit, kits.len());
        }
    }

    /// The generation that is current now; `None` while the server starts or once it is gone.
    pub(super) fn newest(&self) -> Option<Arc<Self>> {
        self.hub.newest()
    }

    /// The proxy of this generation that shares its pool with `proxy`.
    pub(super) fn same(&self, proxy: &ProxyPlan) -> Option<&Arc<ProxyPlan>> {
        let alike = |p: &&Arc<ProxyPlan>| Arc::ptr_eq(&p.pool, &proxy.pool);
        self.plan.proxies().get(proxy.index).filter(alike).or_else(|| self.plan.proxies().iter().find(alike))
    }

    /// The server of this name as the newest plan has it, for sessions whose own plan is older.
    pub(super) fn newer_server(&self, proxy: &ProxyPlan, name: &ServerName) -> Option<Arc<ServerPlan>> {
        let newest = self.newest()?;
        newest.same(proxy)?.servers.iter().find(|s| s.spec.name == *name).cloned()
    }

    /// The running server as commands see it; `None` while it starts or once it is gone.
    pub fn control(&self) -> Option<LiveControl> {
        self.shared().map(LiveControl::new)
    }

    /// What wakes those who use a server of this plan.
    pub fn hooks(&self, proxy: &ProxyPlan, server: &ServerPlan) -> Option<Arc<ServerHooks>> {
        self.kit(proxy, &server.spec.name, server.index, |kit| Arc::clone(&kit.hooks))
    }

    /// What wakes those who use a server, by its place in the pool now.
    fn hooks_of(&self, proxy: &ProxyPlan, server: ServerId) -> Option<Arc<ServerHooks>> {
        let cell = proxy.pool.server(server)?;
        self.kit(proxy, cell.name(), server.index(), |kit| Arc::clone(&kit.hooks))
    }

    /// Idle connections to a server are not to be used any more: who holds some is woken.
    fn drop_idle(&self, hooks: &ServerHooks) {
        hooks.idle_epoch.fetch_add(1, Relaxed);
        self.hub.idle_dropped.notify_waiters();
    }

    /// Tells whoever holds idle connections when some are not to be used any more.
    pub fn idle_drops(&self) -> IdleDrops {
        IdleDrops(Arc::clone(&self.hub))
    }

    /// Takes note that the machine at `ip` stopped speaking: its servers are avoided, and checked at once.
    pub(super) fn suspect(&self, ip: std::net::IpAddr) {
        for proxy in self.plan.proxies() {
            for server in &proxy.servers {
                let id = ServerId(server.index as u32);
                let there = proxy.pool.address(id).and_then(|e| e.inet()).is_some_and(|addr| addr.ip() == ip);
                let Some(hooks) = self.hooks(proxy, server).filter(|_| there) else { continue };
                hooks.suspect.store(true, Relaxed);
                self.drop_idle(&hooks);
                hooks.check_now.store(true, Relaxed);
                hooks.recheck.notify_one();
            }
        }
    }

    /// The first server of a backend that is suspect, for leaving it out.
    pub fn suspected(&self, backend: &ProxyPlan) -> Option<ServerId> {
        let kits = self.kits.get(backend.index)?;
        let suspect = kits.iter().find(|kit| kit.hooks.is_suspect())?;
        backend.pool.by_name(suspect.name.as_str())
    }

    /// Ends all sessions on a server, for this reason.
    pub fn end_sessions(&self, backend: &ProxyPlan, server: ServerId, cause: Cause) {
        if let Some(hooks) = self.hooks_of(backend, server) {
            hooks.end_all(cause);
            // Those concerned see it when they are polled; where a session goes may change at any moment, so all are woken.
            if let Some(shared) = self.shared() {
                shared.limits.sessions.wake();
            }
        }
    }

    /// Carries out what a pool's answers ask for: lines are logged, checks woken, sessions ended, followers told.
    pub fn report(&self, backend: &ProxyPlan, events: Vec<PoolEvent>) {
        if events.is_empty() {
            return;
        }
        // Events name servers by their places in the pool, which are those of the newest plan.
        if let Some(newest) = self.newest()
            && !std::ptr::eq(&raw const *newest, self)
            && let Some(backend) = newest.same(backend)
        {
            return newest.carry_out_all(backend, events);
        }
        self.carry_out_all(backend, events);
    }

    fn carry_out_all(&self, backend: &ProxyPlan, events: Vec<PoolEvent>) {
        let mut queue = self.hub.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.extend(events.into_iter().map(|event| (backend.index, event)));
        drop(queue);
        loop {
            let next = self.hub.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some((index, event)) = next else { break };
            let Some(proxy) = self.plan.proxies().get(index) else { continue };
            let more = self.carry_out(proxy, event);
            self.hub.queue.lock().unwrap_or_else(PoisonError::into_inner).extend(more);
        }
    }

    fn carry_out(&self, backend: &ProxyPlan, event: PoolEvent) -> Vec<(usize, PoolEvent)> {
        let hook = |server: ServerId| self.hooks_of(backend, server);
        match event {
            PoolEvent::Log(line) => self.log(backend, &line),
            PoolEvent::Changed { server } => {
                self.announce(backend, None, Vec::new());
                self.announce(backend, Some(server), Vec::new());
                return self.tell_followers(backend, server);
            }
            PoolEvent::EndSessions { server } => self.end_sessions(backend, server, Cause::Down),
            PoolEvent::EndBackupSessions => {
                for server in backend.servers.iter().filter(|s| s.spec.backup) {
                    self.end_sessions(backend, ServerId(server.index as u32), Cause::Up);
                }
            }
            PoolEvent::DropIdle { server } => {
                if let Some(hooks) = hook(server) {
                    self.drop_idle(&hooks);
                }
            }
            PoolEvent::CheckNow { server } => {
                if let Some(hooks) = hook(server) {
                    hooks.check_now.store(true, Relaxed);
                    hooks.recheck.notify_one();
                }
            }
            PoolEvent::CheckSooner { server } => {
                if let Some(hooks) = hook(server) {
                    hooks.recheck.notify_one();
                }
            }
            PoolEvent::Emptied | PoolEvent::Recovered => self.announce(backend, None, Vec::new()),
        }
        Vec::new()
    }

    fn log(&self, backend: &ProxyPlan, line: &HealthEvent) {
        self.logger(backend.index).health(line);
    }

    /// Tells subscribers how many servers of a backend are usable, or how one of them is and what is new of
    /// the parts of its check.
    pub(super) fn announce(&self, backend: &ProxyPlan, server: Option<ServerId>, parts: Vec<Part>) {
        let census = backend.pool.census();
        let usable = if census.active > 0 { census.active } else { census.backup };
        let server = server.and_then(|id| {
            let cell = backend.pool.server(id)?;
            let mut health = ServerHealth::new(cell.name().as_str(), cell.op() != OpState::Stopped);
            health.share = backend.pool.share(id);
            health.check = backend.pool.last_check(id, CheckKind::Health);
            health.parts = parts;
            Some(health)
        });
        // Nobody may be listening; that is no fault.
        let backend = backend.spec.name.to_string();
        let _ = self.hub.events.send(Event::Health(Health { backend, usable, server }));
    }

    fn tell_followers(&self, backend: &ProxyPlan, server: ServerId) -> Vec<(usize, PoolEvent)> {
        let Some(cell) = backend.pool.server(server) else { return Vec::new() };
        let Some(lead) = backend.pool.lead(server) else { return Vec::new() };
        let mut more = Vec::new();
        for other in self.plan.proxies().iter().filter(|p| p.index != backend.index) {
            for (follower, track) in other.pool.foreign_tracks() {
                if track.pool.as_ref() == Some(&backend.spec.name) && track.server == *cell.name() {
                    let events = other.pool.follow(follower, lead.clone(), Instant::now());
                    more.extend(events.into_iter().map(|event| (other.index, event)));
                }
            }
        }
        more
    }
}
