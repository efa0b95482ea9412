//! From specification to plan: names become indices, state is made or taken over.

use super::Clock;
use super::plan::{LogPlan, Plan, ProxyPlan, ServerPlan, TargetPlan};
use super::state::ProxyState;
use crate::addr::Endpoint;
use crate::balance::ServerId;
use crate::expr::{Arena, Env, Facts, Now, VarConditions, VarName, VarScope, Vars};
use crate::name::ProxyName;
use crate::pool::{
    CheckDef, ObserveDef, Pool, PoolDef, PoolError, PoolEvent, ResolutionFailure, ServerDef, TrackDef,
};
use crate::rng::Rng;
use crate::rule::tcp;
use crate::spec::{Capability, Origin, ProcessSpec, ProxySpec, RouteTarget, ServerSpec, Spec, VariableValue};
use crate::stick::{SharedTable, TableSpec};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// What the pools of a new plan ask for, with the index of their proxy: lines to log, followers to tell.
pub type Events = Vec<(usize, PoolEvent)>;

/// Everything that is wrong with a specification.
#[derive(Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a list")]
pub struct BuildError {
    /// At least one.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a place and a text")]
pub struct Problem {
    /// The object.
    pub origin: Origin,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut texts = self.problems.iter().map(|p| p.message.as_str());
        f.write_str(texts.next().unwrap_or("nothing to build"))?;
        texts.try_for_each(|text| write!(f, "; {text}"))
    }
}

impl std::error::Error for BuildError {}

/// Indices of proxies by name; a name may stand for a frontend and for a backend.
struct Index {
    backends: HashMap<String, usize>,
}

impl Plan {
    /// Compiles `spec` for `workers` workers; what `old` knows of the same names is kept.
    ///
    /// # Errors
    /// Everything that is wrong with the specification; `old` is as it was then.
    pub fn build(
        mut spec: Spec,
        old: Option<&Self>,
        workers: usize,
        now: Clock,
    ) -> Result<(Self, Events), BuildError> {
        let index = index(&spec)?;
        let mut error = BuildError::default();
        let routes: Vec<_> = spec.proxies.iter().map(|p| resolve(p, &index, &mut error)).collect();
        check_servers(&spec, &index, &mut error);
        if !error.problems.is_empty() {
            return Err(error);
        }
        let fullconn = fullconns(&spec, &routes);
        let tables = tables(&spec, old, now);
        let lists = std::mem::take(&mut spec.lists).into();
        let rings = std::mem::take(&mut spec.rings).into();
        let variables = Arc::new(variables(&spec.process, now));
        let process = Arc::new(spec.process);
        let (mut proxies, mut events) = (Vec::new(), Vec::new());
        // Nothing fails from here on: only now may the state that is shared with the old plan change.
        for (i, ((mut proxy, routes), fullconn)) in
            spec.proxies.into_iter().zip(routes).zip(fullconn).enumerate()
        {
            let before = old.and_then(|plan| plan.same(&proxy));
            let mut targets = proxy.log.targets.clone();
            if proxy.log.global {
                targets.extend(process.log.iter().cloned());
            }
            let log = LogPlan { targets: targets.into_iter().map(|spec| TargetPlan { spec }).collect() };
            let problem = |e: PoolError| Problem {
                origin: proxy.origin,
                message: format!("proxy `{}`: {e}", proxy.name),
            };
            let (pool, changes) = pool(&proxy, before, fullconn, workers, now)
                .map_err(|e| BuildError { problems: vec![problem(e)] })?;
            events.extend(changes.into_iter().map(|event| (i, event)));
            // Each has its place in the plan; thousands of them are not kept twice.
            let server = |(index, spec): (usize, ServerSpec)| Arc::new(ServerPlan { index, spec });
            let servers =
                std::mem::take(&mut proxy.pool.servers).into_iter().enumerate().map(server).collect();
            let state = before.map_or_else(|| ProxyState::new(workers), |p| Arc::clone(&p.state));
            let (routes, default_backend) = routes;
            let plan = ProxyPlan {
                index: i,
                spec: proxy,
                state,
                routes,
                default_backend,
                servers,
                pool,
                log,
                fullconn,
            };
            proxies.push(Arc::new(plan));
        }
        let generation = old.map_or(1, |plan| plan.generation + 1);
        let plan =
            Self { generation, process, proxies, backends: index.backends, tables, lists, variables, rings };
        Ok((plan, events))
    }

    /// This plan with other servers in the proxy at `index`, which keeps what it knows of those of the same names;
    /// everything else is shared with this plan.
    ///
    /// # Errors
    /// What is wrong with the servers; nothing has changed then.
    pub fn with_servers(
        &self,
        index: usize,
        servers: Vec<ServerSpec>,
        workers: usize,
        now: Clock,
    ) -> Result<(Self, Events), BuildError> {
        let old = &self.proxies[index];
        let mut proxy = ProxyPlan::clone(old);
        proxy.spec.pool.servers = servers;
        let refuse =
            |message: String| BuildError { problems: vec![Problem { origin: proxy.spec.origin, message }] };
        for server in &proxy.spec.pool.servers {
            let Some(track) = &server.track else { continue };
            let own = proxy.spec.name.as_str();
            let (owner, tracked) = track.split_once('/').unwrap_or((own, track));
            let found = if owner == own {
                proxy.spec.pool.servers.iter().any(|s| s.name.as_str() == tracked)
            } else {
                let same = |s: &Arc<ServerPlan>| s.spec.name.as_str() == tracked;
                self.backend(owner).is_some_and(|p| p.servers.iter().any(same))
            };
            if !found {
                return Err(refuse(format!(
                    "unable to find required proxy or server for tracking: '{track}'."
                )));
            }
        }
        let (pool, events) =
            pool(&proxy.spec, Some(old), proxy.fullconn, workers, now).map_err(|e| refuse(e.to_string()))?;
        let known = |spec: &ServerSpec| old.servers.iter().find(|s| s.spec.name == spec.name);
        let server = |(index, spec): (usize, ServerSpec)| match known(&spec) {
            Some(server) if server.index == index => Arc::clone(server),
            _ => Arc::new(ServerPlan { index, spec }),
        };
        let specs = std::mem::take(&mut proxy.spec.pool.servers);
        proxy.servers = specs.into_iter().enumerate().map(server).collect();
        proxy.pool = pool;
        let mut plan = self.clone();
        plan.proxies[index] = Arc::new(proxy);
        Ok((plan, events.into_iter().map(|event| (index, event)).collect()))
    }

    /// The proxy of this plan that `spec` continues.
    fn same(&self, spec: &ProxySpec) -> Option<&ProxyPlan> {
        let alike = |p: &ProxyPlan| p.spec.name == spec.name && p.spec.capability == spec.capability;
        self.proxies.iter().map(|p| &**p).find(|p| alike(p))
    }
}

/// The stick tables; one that is configured as before keeps its entries.
fn tables(spec: &Spec, old: Option<&Plan>, now: Clock) -> HashMap<Arc<str>, Arc<SharedTable>> {
    let own = spec.proxies.iter().filter_map(|proxy| proxy.table.as_ref());
    let table = |spec: &TableSpec| {
        let before = old.and_then(|plan| plan.tables.get(&spec.name)).filter(|table| **table.spec() == *spec);
        let table = before.map_or_else(|| SharedTable::new(spec.clone(), now.instant), Arc::clone);
        (Arc::clone(&spec.name), table)
    };
    spec.tables.iter().chain(own).map(table).collect()
}

/// The variables of the process, each computed from those before it.
fn variables(process: &ProcessSpec, now: Clock) -> VarScope {
    let scope = VarScope::new();
    for (name, value) in &process.variables {
        assign(&scope, name, value, now);
    }
    scope
}

/// What expressions of the process see: the clock, and numbers that nothing secret depends on.
struct Outside {
    now: Clock,
    random: RefCell<Rng>,
}

impl Facts for Outside {
    fn now(&self) -> Now {
        Now { date: self.now.date, instant: self.now.instant }
    }

    fn random(&self) -> u64 {
        self.random.borrow_mut().next_u64()
    }
}

/// Sets a variable of the process, as the configuration and `set var` do.
pub(crate) fn assign(scope: &VarScope, name: &VarName, value: &VariableValue, now: Clock) {
    let facts = Outside { now, random: RefCell::new(Rng::new(now.date.as_nanos() as u64)) };
    let arena = Arena::new();
    let env = Env::new(&facts, Vars { process: Some(scope), ..Vars::NONE }, &arena);
    let always = VarConditions::default();
    match value {
        VariableValue::Expression(program) => tcp::set_var(&env, name, program, &always),
        VariableValue::Format(format) => tcp::set_var_fmt(&env, name, format, &always),
    }
}

/// Checks that names are unique among frontends and among backends.
fn index(spec: &Spec) -> Result<Index, BuildError> {
    let mut error = BuildError::default();
    let (mut frontends, mut backends) = (HashMap::new(), HashMap::new());
    for (i, proxy) in spec.proxies.iter().enumerate() {
        let name = proxy.name.to_string();
        let taken = (proxy.capability.is_frontend() && frontends.insert(name.clone(), i).is_some())
            | (proxy.capability.is_backend() && backends.insert(name, i).is_some());
        if taken {
            error.add(proxy.origin, format!("proxy `{}` is defined twice", proxy.name));
        }
    }
    if error.problems.is_empty() { Ok(Index { backends }) } else { Err(error) }
}

impl BuildError {
    fn add(&mut self, origin: Origin, message: String) {
        self.problems.push(Problem { origin, message });
    }
}

type Routes = (Vec<Option<usize>>, Option<usize>);

fn resolve(proxy: &ProxySpec, index: &Index, error: &mut BuildError) -> Routes {
    let mut find = |name: &ProxyName, origin| {
        let found = index.backends.get(name.as_str()).copied();
        if found.is_none() {
            error.add(origin, format!("proxy `{}`: there is no backend `{name}`", proxy.name));
        }
        found
    };
    let routes = proxy.routes.iter().map(|route| match &route.target {
        RouteTarget::Backend(name) => find(name, route.origin),
        RouteTarget::Dynamic(_) => None,
    });
    let routes = routes.collect();
    let own =
        || (proxy.capability == Capability::Listen).then(|| index.backends.get(proxy.name.as_str()).copied());
    let default = match &proxy.default_backend {
        Some(name) => find(name, proxy.origin),
        None => own().flatten(),
    };
    (routes, default)
}

fn check_servers(spec: &Spec, index: &Index, error: &mut BuildError) {
    for proxy in &spec.proxies {
        let mut names = HashMap::new();
        for server in &proxy.pool.servers {
            if names.insert(server.name.clone(), ()).is_some() {
                error.add(
                    server.origin,
                    format!("proxy `{}`: server `{}` is defined twice", proxy.name, server.name),
                );
            }
            let Some(track) = &server.track else { continue };
            let (owner, tracked) = match track.split_once('/') {
                Some((pool, name)) => (index.backends.get(pool).map(|&i| &spec.proxies[i]), name),
                None => (Some(proxy), &**track),
            };
            if owner.is_none_or(|p| !p.pool.servers.iter().any(|s| s.name.as_str() == tracked)) {
                let text =
                    format!("server `{}/{}` tracks `{track}`, which does not exist", proxy.name, server.name);
                error.add(server.origin, text);
            }
        }
    }
}

/// The load at which each backend's servers reach their full limit: as configured, or a tenth of the limits of the
/// frontends that name it in fixed routes.
fn fullconns(spec: &Spec, routes: &[Routes]) -> Vec<u32> {
    let mut sums = vec![0_u64; spec.proxies.len()];
    for (proxy, (routes, default)) in spec.proxies.iter().zip(routes) {
        let limit = u64::from(proxy.maxconn.unwrap_or_else(|| spec.process.connections()));
        let mut named: Vec<usize> = routes.iter().chain([default]).flatten().copied().collect();
        named.sort_unstable();
        named.dedup();
        named.into_iter().for_each(|i| sums[i] += limit);
    }
    let tenth = |sum: u64| u32::try_from(sum.div_ceil(10)).unwrap_or(u32::MAX).max(1);
    spec.proxies.iter().zip(sums).map(|(p, sum)| p.pool.fullconn.unwrap_or_else(|| tenth(sum))).collect()
}

type Pooled = Result<(Arc<Pool>, Vec<PoolEvent>), PoolError>;

fn pool(proxy: &ProxySpec, before: Option<&ProxyPlan>, fullconn: u32, workers: usize, now: Clock) -> Pooled {
    let spec = &proxy.pool;
    let mut def = PoolDef::new(
        proxy.name.clone(),
        spec.algorithm.clone(),
        spec.servers.iter().map(server_def).collect(),
    );
    def.label = if proxy.capability == Capability::Listen { "proxy" } else { "backend" };
    def.hash = spec.hash;
    def.balance_factor = Some(spec.hash_balance_factor).filter(|&f| f > 0);
    def.affinity = spec.affinity;
    def.all_backups = spec.all_backups;
    def.fullconn = fullconn;
    def.redispatch = spec.retry.redispatch != 0;
    def.persist = spec.persist;
    def.log_health_checks = spec.log_health_checks;
    def.quorum = spec.quorum;
    def.workers = workers;
    // Differs from proxy to proxy and from start to start; nothing secret depends on it.
    def.seed = now.date.as_nanos() as u64 ^ (u64::from(proxy.id) << 48);
    let (pool, mut events) = match before {
        Some(old) => (Arc::clone(&old.pool), old.pool.reconfigure(def, now.instant)?),
        None => (Pool::new(def, now.instant)?, Vec::new()),
    };
    // A server whose name led to no address takes no traffic until it has one.
    for (at, server) in spec.servers.iter().enumerate() {
        let id = ServerId(at as u32);
        if matches!(server.addr.endpoint, Endpoint::Host { .. }) && pool.address(id).is_none() {
            let failed = pool.lose_address(id, ResolutionFailure::Never, now.instant);
            events.extend(failed.unwrap_or_default());
        }
    }
    Ok((pool, events))
}

fn server_def(server: &ServerSpec) -> ServerDef {
    let mut def = ServerDef::new(server.name.clone(), server.id);
    def.address = match &server.addr.endpoint {
        Endpoint::Host { .. } => None,
        other => Some(other.clone()),
    };
    def.hostname = server.hostname.clone();
    def.followed = server.followed().is_some();
    def.port = server.addr.endpoint.port();
    def.guid = server.guid.clone();
    def.weight = u32::from(server.weight);
    def.share = server.share;
    def.backup = server.backup;
    def.maxconn = server.maxconn;
    def.minconn = server.minconn;
    def.maxqueue = server.maxqueue;
    def.slowstart = server.slowstart;
    def.cookie = server.cookie.clone();
    def.disabled = server.disabled;
    def.dynamic = server.dynamic;
    def.track = server.track.as_ref().map(|track| match track.split_once('/') {
        Some((pool, name)) => TrackDef::new(Some(pool.into()), name),
        None => TrackDef::new(None, &**track),
    });
    def.init_state = server.init_state;
    def.check = server.check.as_ref().map(|c| CheckDef { rise: c.rise, fall: c.fall });
    def.agent = server.agent.as_ref().map(|_| CheckDef { rise: 1, fall: 1 });
    def.observe = server.observe.map(|observe| ObserveDef {
        observe,
        limit: server.error_limit,
        on_error: server.on_error,
    });
    def.hash_key = server.hash_key;
    def.shutdown_sessions = server.on_marked_down == crate::spec::MarkedDown::ShutdownSessions;
    def.shutdown_backup_sessions = server.shutdown_backup_sessions;
    def
}
