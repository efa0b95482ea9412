//! The running server in numbers: what `show info`, `show stat` and `show servers` print.

use super::accept::millis;
use super::connection::Stamp;
use super::control::Shared;
use super::generation::Generation;
use super::names::is_record;
use super::view::node;
use super::worker::Worker;
use crate::addr::Endpoint;
use crate::balance::ServerId;
use crate::ctl::{ServerConnections, ServerState};
use crate::engine::state::Running;
use crate::engine::{ProxyPlan, ServerPlan};
use crate::health::{CheckKind, Monitor, Outcome, Status};
use crate::name::ProxyName;
use crate::stats::info::ProcessInfo;
use crate::stats::snapshot::{FrontendSnapshot, ProxySnapshot};
use crate::stats::status::FrontendState;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// Facts about the process.
pub(super) fn info(shared: &Shared, generation: &Generation) -> ProcessInfo {
    let now = Stamp::now();
    let process = generation.plan.process();
    let limits = &shared.limits;
    let started = shared.engine.started();
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let mut info = ProcessInfo::default();
    info.product = shared.product.name.to_owned();
    info.version = shared.product.version.to_owned();
    info.release_date = shared.product.date.to_owned();
    info.node = node(process).to_owned();
    info.description = process.description.as_deref().unwrap_or_default().to_owned();
    info.pid = std::process::id();
    info.threads = number(shared.engine.workers());
    info.uptime = now.instant.saturating_duration_since(started.instant);
    info.started = started.date;
    info.maxconn = number(limits.maxconn.load(Relaxed));
    info.hard_maxconn = number(shared.hard_maxconn.load(Relaxed));
    info.connections = number(limits.total.load(Relaxed));
    info.total_connections = limits.sessions.begun();
    info.streams = u64::from(info.connections);
    let fronts = generation.plan.proxies().iter().map(|p| &p.state.front);
    for front in fronts {
        let counts = front.counters.sum();
        info.total_requests += counts.requests;
        info.total_streams += counts.sessions;
        info.bytes_out += counts.response_bytes_out;
    }
    (info.dropped_logs, info.received_logs) = generation.hub.logs.counts();
    let rate = limits.rate.level(millis(now));
    (info.connection_rate, info.session_rate) = (rate, rate);
    info.connection_rate_limit = limits.connection_rate.load(Relaxed);
    info.session_rate_limit = limits.session_rate.load(Relaxed);
    let descriptors = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    info.max_fds = descriptors.map_or(0, |n| u32::try_from(n).unwrap_or(u32::MAX));
    info.max_sockets = info.max_fds;
    info.listeners = number(shared.listeners().len() + shared.sockets.list().len());
    info.jobs = info.listeners + info.connections;
    info.unstoppable_jobs = number(shared.sockets.list().len());
    info.tasks = number(shared.workers.iter().map(Worker::tasks).sum());
    info.idle_percent = 100;
    info
}

/// All proxies in the order of the configuration.
pub(super) fn proxies(generation: &Generation, maxconn: usize) -> Vec<ProxySnapshot> {
    let (instant, now_ms) = (Instant::now(), millis(Stamp::now()));
    let one = |proxy: &Arc<ProxyPlan>| {
        let spec = &proxy.spec;
        let mut all = ProxySnapshot::new(spec.name.clone(), spec.id, spec.capability, spec.mode);
        all.description = spec.description.as_deref().map(str::to_owned);
        if spec.capability.is_frontend() {
            all.frontend = Some(frontend(proxy, maxconn, now_ms));
        }
        if spec.capability.is_backend() {
            all.servers = proxy.pool.server_snapshots(instant);
            all.backend = Some(proxy.pool.backend_snapshot(instant));
        }
        all
    };
    generation.plan.proxies().iter().filter(|p| !p.spec.disabled && !p.spec.is_hidden()).map(one).collect()
}

fn frontend(proxy: &ProxyPlan, maxconn: usize, now_ms: u64) -> FrontendSnapshot {
    let front = &proxy.state.front;
    let mut all = FrontendSnapshot { sessions: front.sessions.level(), ..FrontendSnapshot::default() };
    let limit = front.maxconn().or(proxy.spec.maxconn);
    all.limit = limit.unwrap_or_else(|| u32::try_from(maxconn).unwrap_or(u32::MAX));
    all.state = match front.running() {
        Running::Paused => FrontendState::Paused,
        Running::Stopped => FrontendState::Stopped,
        Running::Open if all.sessions.cur >= u64::from(all.limit) => FrontendState::Full,
        Running::Open => FrontendState::Open,
    };
    all.session_rate = front.session_rate.level(now_ms);
    all.rate_limit = proxy.spec.rate_limit;
    all.connection_rate = front.connection_rate.level(now_ms);
    all.request_rate = front.request_rate.level(now_ms);
    all.counts = front.counters.sum();
    all
}

/// The servers of one backend or of all, each with its backend.
fn servers<'a>(
    generation: &'a Generation,
    backend: Option<&'a ProxyName>,
) -> impl Iterator<Item = (&'a Arc<ProxyPlan>, &'a Arc<ServerPlan>, ServerId)> {
    let wanted = generation.plan.proxies().iter().filter(move |p| {
        p.spec.capability.is_backend() && !p.spec.disabled && backend.is_none_or(|name| *name == p.spec.name)
    });
    wanted.flat_map(|proxy| {
        let place = move |server| (proxy, server, proxy.pool.by_name(server_name(server)));
        proxy.servers.iter().map(place).filter_map(|(p, s, id)| Some((p, s, id?)))
    })
}

fn server_name(server: &Arc<ServerPlan>) -> &str {
    server.spec.name.as_str()
}

/// The lines of `show servers state`.
pub(super) fn server_states(generation: &Generation, backend: Option<&ProxyName>) -> Vec<ServerState> {
    let now = Instant::now();
    let one = |(proxy, server, id): (&Arc<ProxyPlan>, &Arc<ServerPlan>, ServerId)| {
        let mut state =
            ServerState::new(proxy.spec.id, proxy.spec.name.as_str(), server.spec.id, server_name(server));
        (state.addr, state.port) = place(proxy, server, id);
        let name = proxy.pool.hostname(id).map(|name| name.to_string());
        (state.srv_record, state.fqdn) = match name {
            Some(record) if is_record(&record) => (Some(record), None),
            name => (None, name),
        };
        if let Some(cell) = proxy.pool.server(id) {
            state.operational = cell.op() as u8;
            state.admin = cell.admin().bits().into();
        }
        state.initial_weight = server.spec.weight.into();
        if let Some(numbers) = proxy.pool.server_snapshots(now).get(id.index()) {
            state.user_weight = numbers.user_weight;
            state.last_change = numbers.last_change;
        }
        state.check_health = server.spec.unchecked_health;
        if let Some(check) = proxy.pool.monitor(id, CheckKind::Health) {
            state.check_status = check.last().status;
            state.check_result = result(check.last().status);
            state.check_health = check.health();
            state.check_state = bits(&check);
        }
        if let Some(agent) = proxy.pool.monitor(id, CheckKind::Agent) {
            state.agent_state = bits(&agent) | 16;
        }
        state.tls = server.spec.tls.is_some();
        let redirected = generation.hooks(proxy, server).map(|hooks| hooks.redirected().clone());
        let redirected = redirected.unwrap_or_default();
        let check = server.spec.check.as_ref();
        let agent = server.spec.agent.as_ref();
        state.check_port = redirected.check_port.or_else(|| check?.port).unwrap_or(0);
        state.check_addr = redirected.check_addr.or_else(|| check?.addr).map(|ip| ip.to_string());
        state.agent_addr = redirected.agent_addr.or_else(|| agent?.addr).map(|ip| ip.to_string());
        state.agent_port = redirected.agent_port.or_else(|| Some(agent?.port)).unwrap_or(0);
        state
    };
    servers(generation, backend).map(one).collect()
}

/// The lines of `show servers conn`.
pub(super) fn server_connections(
    generation: &Generation,
    backend: Option<&ProxyName>,
    workers: usize,
) -> Vec<ServerConnections> {
    let one = |(proxy, server, id): (&Arc<ProxyPlan>, &Arc<ServerPlan>, ServerId)| {
        let mut line = ServerConnections {
            backend: proxy.spec.name.to_string(),
            backend_id: proxy.spec.id,
            ..ServerConnections::default()
        };
        line.name = server_name(server).to_owned();
        line.id = server.spec.id;
        (line.addr, line.port) = place(proxy, server, id);
        line.purge_delay_ms = u32::try_from(server.spec.pool_purge_delay.as_millis()).unwrap_or(u32::MAX);
        line.idle_per_worker = vec![0; workers];
        if let Some(cell) = proxy.pool.server(id) {
            let served = cell.served();
            for (worker, (unproven, safe)) in line.idle_per_worker.iter_mut().zip(cell.idle()) {
                *worker = unproven + safe;
                line.idle_unsafe += unproven;
                line.idle_safe += safe;
            }
            let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
            (line.served, line.used, line.used_max) =
                (number(served.cur), number(served.cur), number(served.max));
            line.needed = line.used_max;
        }
        line.idle_limit = server.spec.pool_max_conn;
        line
    };
    servers(generation, backend).map(one).collect()
}

/// Address and port as the columns of states have them: only addresses of the network, and what a server adds to the ports
/// of its clients in place of a port. It is known before the address.
fn place(proxy: &ProxyPlan, server: &ServerPlan, id: ServerId) -> (String, u32) {
    let (addr, now) = (&server.spec.addr, proxy.pool.address(id));
    let port = now.as_ref().and_then(Endpoint::port).or_else(|| addr.endpoint.port());
    let shown = addr.port_offset.map(i32::cast_unsigned).or_else(|| port.map(u32::from));
    (now.and_then(|now| now.inet()).map(|inet| inet.ip().to_string()).unwrap_or_default(), shown.unwrap_or(0))
}

/// The number state files carry for what a status means.
fn result(status: Status) -> u8 {
    match (status, status.outcome()) {
        (Status::Unknown | Status::Initializing, _) => 0,
        (_, Outcome::Neutral) => 1,
        (_, Outcome::Failed) => 2,
        (_, Outcome::Passed) => 3,
        (_, Outcome::Conditional) => 4,
    }
}

/// The bits state files carry for a check: 2 configured, 4 enabled, 8 paused.
fn bits(monitor: &Monitor) -> u32 {
    let paused = monitor.is_enabled() && !monitor.is_running();
    2 | u32::from(monitor.is_enabled()) << 2 | u32::from(paused) << 3
}
