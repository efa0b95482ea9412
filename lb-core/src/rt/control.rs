//! The running server as commands and the statistics page see it.

use super::Worker;
use super::accept::{Limits, ListenerRun};
use super::connection::Stamp;
use super::ctl_socket::CtlSockets;
use super::generation::Generation;
use super::health::Checks;
use super::names::Names;
use super::server::{Key, Product, ServerOptions};
use super::sessions::Entry;
use super::snapshot;
use crate::addr::Endpoint;
use crate::balance::ServerId;
use crate::companion::Companion;
use crate::ctl::{
    AddServer, BackendChange, CliSocket, Control, ControlError, EventSink, Events, FrontendChange,
    GlobalChange, Proxy, Renaming, Reply, Request, ServerChange, ServerConnections, ServerState,
    SessionFilter, SessionLine, SocketLevel, WeightChange,
};
use crate::engine::state::Running;
use crate::engine::{Clock, Engine, ProxyPlan, ServerPlan, assign};
use crate::expr::date::Civil;
use crate::expr::{OwnedSample, VarName};
use crate::health::CheckKind;
use crate::log::Cause;
use crate::name::{ProxyName, ServerName};
use crate::pool::{AdminState, ForcedHealth, Origin, PoolEvent, Refused};
use crate::spec::PatternList;
use crate::stats::info::ProcessInfo;
use crate::stats::snapshot::ProxySnapshot;
use crate::stick::SharedTable;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Instant, SystemTime};

/// Why a server with a unix socket gets no address.
const OTHER_FAMILY: &str =
    "Update for the current server address family is only supported through configuration file.";

/// What a server and those who operate it have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) engine: Arc<Engine>,
    pub(super) current: ArcSwap<Generation>,
    pub(super) listeners: Mutex<HashMap<Key, Arc<ListenerRun>>>,
    pub(super) limits: Arc<Limits>,
    pub(super) sockets: CtlSockets,
    pub(super) product: Product,
    pub(super) companion: Option<Arc<dyn Companion>>,
    /// What the current generation was made with.
    pub(super) options: ArcSwap<ServerOptions>,
    /// The workers, for checks of servers that come later.
    pub(super) workers: Vec<Worker>,
    pub(super) checks: Mutex<Checks>,
    pub(super) names: Mutex<Names>,
    /// The configured limit of connections.
    pub(super) hard_maxconn: AtomicUsize,
}

impl Shared {
    pub(super) fn checks(&self) -> MutexGuard<'_, Checks> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn listeners(&self) -> MutexGuard<'_, HashMap<Key, Arc<ListenerRun>>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes listeners look at their limits and states again.
    pub(super) fn wake_listeners(&self) {
        for run in self.listeners().values() {
            run.wake();
        }
    }
}

/// Operates a running server: what the commands of the control socket and the forms of the statistics page do. Cheap to
/// clone; it keeps the listeners of the server open as long as it exists, so do not store it.
#[derive(Debug, Clone)]
pub struct LiveControl {
    pub(super) shared: Arc<Shared>,
    origin: Origin,
}

impl LiveControl {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, origin: Origin::Cli }
    }

    /// The same for orders that come from the statistics page, which log lines tell apart.
    #[must_use]
    pub fn from_web(self) -> Self {
        Self { origin: Origin::Web, ..self }
    }

    /// What runs beside this server and is shown with it.
    pub fn companion(&self) -> Option<&dyn Companion> {
        self.shared.companion.as_deref()
    }

    pub(super) fn generation(&self) -> Arc<Generation> {
        self.shared.current.load_full()
    }

    /// Second descriptors of everything this server listens on, for a successor.
    #[cfg(feature = "process")]
    pub(super) fn sockets(&self) -> std::io::Result<Vec<std::os::fd::OwnedFd>> {
        let mut all = self.shared.sockets.duplicates()?;
        for run in self.shared.listeners().values() {
            for socket in &run.sockets {
                all.push(super::listener::duplicate(socket)?);
            }
        }
        Ok(all)
    }

    /// Does something to a server and carries out what follows from it.
    fn operate<E>(
        &self,
        backend: &ProxyName,
        server: &ServerName,
        order: impl FnOnce(&ProxyPlan, ServerId) -> Result<Vec<PoolEvent>, E>,
    ) -> Result<(), ControlError>
    where
        ControlError: From<E>,
    {
        let generation = self.generation();
        let proxy = generation.plan.backend(backend.as_str()).ok_or(ControlError::NoServer)?;
        let id = proxy.pool.by_name(server.as_str()).ok_or(ControlError::NoServer)?;
        let events = order(proxy, id)?;
        generation.report(proxy, events);
        Ok(())
    }

    /// Changes where the checks of a server go.
    fn redirect(
        &self,
        backend: &ProxyName,
        server: &ServerName,
        change: &ServerChange,
    ) -> Result<(), ControlError> {
        let generation = self.generation();
        let proxy = generation.plan.backend(backend.as_str()).ok_or(ControlError::NoServer)?;
        let found = proxy.servers.iter().find(|s| s.spec.name == *server).ok_or(ControlError::NoServer)?;
        let hooks = generation.hooks(proxy, found).ok_or(ControlError::NoServer)?;
        let health = matches!(change, ServerChange::CheckAddr(..) | ServerChange::CheckPort(_));
        if health && found.spec.check.is_none() {
            return Err(ControlError::NoCheck);
        }
        if !health && found.spec.agent.is_none() {
            return Err(ControlError::NoAgent);
        }
        let mut redirected = hooks.redirected();
        match change {
            ServerChange::CheckAddr(ip, port) => {
                redirected.check_addr = Some(*ip);
                redirected.check_port = port.or(redirected.check_port);
            }
            ServerChange::CheckPort(port) => redirected.check_port = Some(*port),
            ServerChange::AgentAddr(ip) => redirected.agent_addr = Some(*ip),
            ServerChange::AgentPort(port) => redirected.agent_port = Some(*port),
            ServerChange::AgentSend(text) => redirected.agent_send = Some(text.clone()),
            _ => return Err(ControlError::Unsupported),
        }
        Ok(())
    }

    fn frontend(&self, frontend: &ProxyName) -> Result<(Arc<Generation>, usize), ControlError> {
        let generation = self.generation();
        let found = generation
            .plan
            .proxies()
            .iter()
            .find(|p| is_frontend(p) && p.spec.name == *frontend)
            .map(|p| p.index);
        found
            .map(|index| (generation, index))
            .ok_or_else(|| ControlError::Other("No such frontend.".to_owned()))
    }

    /// Closes the listeners of a frontend for good.
    fn close(&self, frontend: &ProxyName) {
        self.shared.listeners().retain(|(proxy, _), run| {
            let other = proxy != frontend.as_str();
            if !other {
                run.stop();
            }
            other
        });
    }

    fn line(&self, entry: &Entry, now: Stamp) -> SessionLine {
        let plan = &entry.target.generation.plan;
        let handle = &entry.target.handle;
        let mut line = SessionLine { id: entry.id, ..SessionLine::default() };
        line.proto = match entry.peer {
            Some(SocketAddr::V4(_)) => "tcpv4",
            Some(SocketAddr::V6(_)) => "tcpv6",
            None => "unix_stream",
        };
        let unix = || "unix".to_owned();
        line.source = entry.peer.map_or_else(unix, |peer| peer.to_string());
        line.destination = handle.addr.map_or_else(unix, |addr| addr.to_string());
        line.frontend = plan.proxy(entry.target.proxy).spec.name.to_string();
        line.listener = handle.spec.name.as_deref().unwrap_or("?").to_owned();
        line.age = now.instant.saturating_duration_since(entry.accepted.instant);
        let (backend, server) = entry.way();
        if let Some(backend) = backend.and_then(|index| plan.proxies().get(index)) {
            line.backend = Some(backend.spec.name.to_string());
            if let Some(server) = server.and_then(|index| backend.servers.get(index)) {
                line.server = Some(server.spec.name.to_string());
                let id = backend.pool.by_name(server.spec.name.as_str());
                line.server_addr =
                    id.and_then(|id| backend.pool.address(id)).map(|endpoint| endpoint.to_string());
            }
        }
        line
    }
}

fn is_frontend(proxy: &ProxyPlan) -> bool {
    proxy.spec.capability.is_frontend()
}

fn is_backend(proxy: &ProxyPlan) -> bool {
    proxy.spec.capability.is_backend()
}

fn named(plan: &ProxyPlan, proxy: Proxy<'_>) -> bool {
    match proxy {
        Proxy::Id(id) => plan.spec.id == id,
        Proxy::Name(name) => plan.spec.name.as_str() == name,
    }
}

impl From<Refused> for ControlError {
    fn from(refused: Refused) -> Self {
        Self::Other(refused.words().to_owned())
    }
}

impl Control for LiveControl {
    fn extra_usages(&self) -> &[(&'static str, &'static str)] {
        self.companion().map_or(&[], Companion::usages)
    }

    fn extra(&self, request: &Request, level: SocketLevel) -> Option<Poll<Reply>> {
        self.companion()?.command(&request.words, level)
    }

    fn info(&self) -> ProcessInfo {
        snapshot::info(&self.shared, &self.generation())
    }

    fn proxies(&self) -> Vec<ProxySnapshot> {
        snapshot::proxies(&self.generation(), self.shared.hard_maxconn.load(Relaxed))
    }

    fn tables(&self) -> Vec<Arc<SharedTable>> {
        let generation = self.generation();
        // The last one declared comes first, as in HAProxy's list.
        let own = generation.plan.proxies().iter().rev();
        let own = own.filter_map(|proxy| generation.plan.table(&proxy.spec.table.as_ref()?.name)).cloned();
        let mut all: Vec<_> = own.collect();
        let others =
            generation.plan.tables().filter(|table| !all.iter().any(|known| Arc::ptr_eq(known, table)));
        let others: Vec<_> = others.cloned().collect();
        all.extend(others);
        all
    }

    fn find_backend(&self, backend: Proxy<'_>) -> Option<ProxyName> {
        let generation = self.generation();
        let found = generation.plan.proxies().iter().find(|p| is_backend(p) && named(p, backend));
        found.map(|p| p.spec.name.clone())
    }

    fn find_frontend(&self, frontend: Proxy<'_>) -> Option<ProxyName> {
        let generation = self.generation();
        let found = generation.plan.proxies().iter().find(|p| is_frontend(p) && named(p, frontend));
        found.map(|p| p.spec.name.clone())
    }

    fn find_server(&self, backend: &ProxyName, server: Proxy<'_>) -> Option<ServerName> {
        let generation = self.generation();
        let servers = &generation.plan.backend(backend.as_str())?.servers;
        let same = |s: &&Arc<ServerPlan>| match server {
            Proxy::Id(id) => s.spec.id == id,
            Proxy::Name(name) => s.spec.name.as_str() == name,
        };
        servers.iter().find(same).map(|s| s.spec.name.clone())
    }

    fn weight(&self, backend: &ProxyName, server: &ServerName) -> Option<(u32, u32)> {
        let generation = self.generation();
        let proxy = generation.plan.backend(backend.as_str())?;
        let id = proxy.pool.by_name(server.as_str())?;
        let now = proxy.pool.server_snapshots(Instant::now()).get(id.index())?.user_weight;
        Some((now, proxy.servers.get(id.index())?.spec.weight.into()))
    }

    fn server_addr(&self, backend: &ProxyName, server: &ServerName) -> Option<SocketAddr> {
        let generation = self.generation();
        let pool = &generation.plan.backend(backend.as_str())?.pool;
        pool.address(pool.by_name(server.as_str())?)?.inet()
    }

    fn server_states(&self, backend: Option<&ProxyName>) -> Vec<ServerState> {
        snapshot::server_states(&self.generation(), backend)
    }

    fn server_connections(&self, backend: Option<&ProxyName>) -> Vec<ServerConnections> {
        snapshot::server_connections(&self.generation(), backend, self.shared.engine.workers())
    }

    fn sessions(&self, filter: &SessionFilter) -> Vec<SessionLine> {
        let now = Stamp::now();
        let same = |wanted: Option<&str>, found: Option<&str>| wanted.is_none() || wanted == found;
        let passes = |line: &SessionLine| {
            filter.id.is_none_or(|id| id == line.id)
                && filter.older.is_none_or(|age| age <= line.age)
                && same(filter.frontend.as_ref().map(ProxyName::as_str), Some(&line.frontend))
                && same(filter.backend.as_ref().map(ProxyName::as_str), line.backend.as_deref())
                && same(filter.server.as_ref().map(ServerName::as_str), line.server.as_deref())
        };
        let all = self.shared.limits.sessions.all();
        all.iter().map(|entry| self.line(entry, now)).filter(passes).collect()
    }

    fn date(&self) -> String {
        let now = Stamp::now().date;
        let seconds = now.as_secs() as i64;
        let date = Civil::new(seconds, super::zone::utc_offset(seconds));
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let month = MONTHS[usize::from(date.month.clamp(1, 12)) - 1];
        format!(
            "{:02}/{month}/{}:{:02}:{:02}:{:02}.{:03}",
            date.day,
            date.year,
            date.hour,
            date.minute,
            date.second,
            now.subsec_millis()
        )
    }

    fn environment(&self) -> Vec<(String, String)> {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
    }

    fn sockets(&self) -> Vec<CliSocket> {
        self.shared.sockets.list()
    }

    fn event_sinks(&self) -> Vec<EventSink> {
        self.generation().hub.logs.list()
    }

    fn watch_events(&self, sink: &str, new: bool) -> Option<Box<dyn Events>> {
        self.generation().hub.logs.find(sink)?.watch(new)
    }

    fn lists(&self) -> Vec<PatternList> {
        self.generation().plan.lists().to_vec()
    }

    fn variable(&self, name: &str) -> Option<OwnedSample> {
        self.generation().plan.variables().with(name, |value| value.to_owned_sample())
    }

    fn set_variable(&self, name: &VarName, words: &[String], format: bool) -> Result<(), ControlError> {
        let options = self.shared.options.load();
        let dialect = options.dialect.as_ref().ok_or(ControlError::Unsupported)?;
        let value = dialect.value(words, format).map_err(ControlError::Other)?;
        let now = Clock::new(Instant::now(), SystemTime::now());
        assign(self.generation().plan.variables(), name, &value, now);
        Ok(())
    }

    fn change_backend(&self, backend: &ProxyName, change: BackendChange) -> Result<(), ControlError> {
        let generation = self.generation();
        let no_backend = || ControlError::Other("No such backend.".to_owned());
        let proxy = generation.plan.backend(backend.as_str()).ok_or_else(no_backend)?;
        if proxy.spec.disabled {
            return Err(ControlError::Disabled);
        }
        proxy.state.publish(change == BackendChange::Publish);
        Ok(())
    }

    fn change_server(
        &self,
        backend: &ProxyName,
        server: &ServerName,
        change: ServerChange,
    ) -> Result<(), ControlError> {
        let now = Instant::now();
        let state = |state| self.operate(backend, server, |p, id| p.pool.set_state(id, state, now));
        let health =
            |health| self.operate(backend, server, |p, id| p.pool.set_health(id, health, self.origin, now));
        let checks =
            |kind, on| self.operate(backend, server, |p, id| p.pool.set_check_enabled(id, kind, on, now));
        match change {
            ServerChange::Ready => state(AdminState::Ready),
            ServerChange::Drain => state(AdminState::Drain),
            ServerChange::Maint => state(AdminState::Maint),
            ServerChange::LeaveMaint => self.operate(backend, server, |p, id| p.pool.leave_maint(id, now)),
            ServerChange::LeaveDrain => self.operate(backend, server, |p, id| p.pool.leave_drain(id, now)),
            ServerChange::HealthUp => health(ForcedHealth::Up),
            ServerChange::HealthStopping => health(ForcedHealth::Stopping),
            ServerChange::HealthDown => health(ForcedHealth::Down),
            ServerChange::HealthChecks(on) => checks(CheckKind::Health, on),
            ServerChange::AgentChecks(on) => checks(CheckKind::Agent, on),
            ServerChange::Agent(up) => {
                self.operate(backend, server, |p, id| p.pool.set_agent(id, up, self.origin, now))
            }
            ServerChange::Weight(weight) => {
                let text = match weight {
                    WeightChange::Absolute(weight) => weight.to_string(),
                    WeightChange::Percent(percent) => format!("{percent}%"),
                };
                self.operate(backend, server, |p, id| p.pool.set_weight(id, &text, now))
            }
            ServerChange::Maxconn(limit) => {
                self.operate(backend, server, |p, id| p.pool.set_maxconn(id, &limit.to_string(), now))
            }
            ServerChange::Addr(mut addr) => self.operate(backend, server, |p, id| {
                match p.pool.address(id) {
                    Some(other) if other.inet().is_none() => {
                        return Err(ControlError::Other(OTHER_FAMILY.to_owned()));
                    }
                    // The port of a server is known before its address.
                    None if addr.port() == 0 => {
                        let configured = p.servers.get(id.index()).and_then(|s| s.spec.addr.endpoint.port());
                        addr.set_port(configured.unwrap_or(0));
                    }
                    _ => {}
                }
                Ok(p.pool.set_address(id, Endpoint::Inet(addr), now)?)
            }),
            ServerChange::CheckAddr(..)
            | ServerChange::CheckPort(_)
            | ServerChange::AgentAddr(_)
            | ServerChange::AgentPort(_)
            | ServerChange::AgentSend(_) => self.redirect(backend, server, &change),
            ServerChange::Tls(_) => Err(ControlError::Other(
                "'set server <srv> ssl' cannot be set.  default-server should define ssl settings".to_owned(),
            )),
        }
    }

    fn rename_server(
        &self,
        backend: &ProxyName,
        server: &ServerName,
        name: &str,
    ) -> Result<Renaming, ControlError> {
        self.rename(backend, server, name)
    }

    fn change_frontend(&self, frontend: &ProxyName, change: FrontendChange) -> Result<(), ControlError> {
        let (generation, index) = self.frontend(frontend)?;
        let front = &generation.plan.proxy(index).state.front;
        match (change, front.running()) {
            (FrontendChange::Maxconn(limit), _) => front.set_maxconn(Some(limit)),
            (_, Running::Stopped) => return Err(ControlError::ShutDown),
            (FrontendChange::Enable, Running::Open) | (FrontendChange::Disable, Running::Paused) => {
                return Err(ControlError::Unchanged);
            }
            (FrontendChange::Enable, Running::Paused) => front.set_running(Running::Open),
            (FrontendChange::Disable, Running::Open) => front.set_running(Running::Paused),
            (FrontendChange::Shutdown, _) => {
                front.set_running(Running::Stopped);
                self.close(frontend);
            }
        }
        self.shared.wake_listeners();
        Ok(())
    }

    fn change_global(&self, change: GlobalChange) -> Result<(), ControlError> {
        let limits = &self.shared.limits;
        match change {
            GlobalChange::Maxconn(0) => {
                limits.maxconn.store(self.shared.hard_maxconn.load(Relaxed), Relaxed);
            }
            GlobalChange::Maxconn(limit) => limits.maxconn.store(limit as usize, Relaxed),
            GlobalChange::ConnectionRate(limit) => limits.connection_rate.store(limit, Relaxed),
            GlobalChange::SessionRate(limit) => limits.session_rate.store(limit, Relaxed),
            GlobalChange::TlsRate(_) | GlobalChange::CompressionRate(_) => {
                return Err(ControlError::Unsupported);
            }
        }
        self.shared.wake_listeners();
        Ok(())
    }

    fn add_server(&self, server: AddServer<'_>) -> Result<(), ControlError> {
        self.add(server)
    }

    fn delete_server(&self, backend: &ProxyName, server: &ServerName) -> Result<(), ControlError> {
        self.remove(backend, server)
    }

    fn removable(&self, backend: &ProxyName, server: &ServerName) -> Result<(), ControlError> {
        self.may_remove(backend, server)
    }

    fn shutdown_session(&self, id: u64) -> bool {
        self.shared.limits.sessions.end(id)
    }

    fn shutdown_server_sessions(&self, backend: &ProxyName, server: &ServerName) {
        let generation = self.generation();
        let Some(proxy) = generation.plan.backend(backend.as_str()) else { return };
        if let Some(id) = proxy.pool.by_name(server.as_str()) {
            generation.end_sessions(proxy, id, Cause::Killed);
        }
    }

    fn clear_counters(&self, all: bool) {
        for proxy in self.generation().plan.proxies() {
            let front = &proxy.state.front;
            front.sessions.clear_max();
            for rate in [&front.connection_rate, &front.session_rate, &front.request_rate] {
                rate.clear_max();
            }
            if all {
                front.counters.clear();
            }
            proxy.pool.clear_counters(all);
        }
        self.shared.limits.rate.clear_max();
    }
}
