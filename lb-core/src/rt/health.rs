//! Running health checks: one task per checked server, spread over the workers.

use super::generation::{Generation, Redirected};
use super::probe::{ProbeSettings, probe};
use super::{Timer, Worker};
use crate::addr::Endpoint;
use crate::balance::ServerId;
use crate::engine::{ProxyPlan, ServerPlan};
use crate::health::{CheckKind, Intervals, Outcome, ProbeSpec, Spread};
use crate::health::{Schedule, Target};
use crate::rng::Rng;
use crate::spec::{AgentSpec, CheckSpec};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// One check of one server, as its task sees it.
struct Check {
    generation: Arc<Generation>,
    proxy: usize,
    server: Arc<ServerPlan>,
    kind: CheckKind,
    probe: Arc<dyn ProbeSpec>,
    settings: ProbeSettings,
    schedule: Schedule,
    intervals: Intervals,
    node: Arc<str>,
}

/// Starts the checks of a generation; they end when their tasks are aborted. Each starts after its share of the common
/// interval, but a check that goes on after a reload keeps its pace.
pub(super) fn start(generation: &Arc<Generation>, workers: &[Worker]) -> Vec<tokio::task::AbortHandle> {
    let plan = &generation.plan;
    let seed = Instant::now().elapsed().as_nanos() as u64 ^ u64::from(std::process::id());
    let mut rng = Rng::new(seed);
    let mut checks = Vec::new();
    for proxy in plan.proxies().iter().filter(|p| !p.spec.disabled) {
        for server in &proxy.servers {
            if let Some(spec) = &server.spec.check {
                checks.push((health(generation, proxy, server, spec), proxy.spec.pool.spread_checks));
            }
            if let Some(spec) = &server.spec.agent {
                checks.push((agent(generation, proxy, server, spec), proxy.spec.pool.spread_checks));
            }
        }
    }
    let mut spread = Spread::new(checks.iter().map(|(c, _)| c.intervals.inter));
    let mut handles = Vec::new();
    for (i, (check, percent)) in checks.into_iter().enumerate() {
        let delay = spread.first_delay(check.intervals.inter, percent, &mut rng);
        let worker = &workers[i % workers.len()];
        let timer = worker.timers().timer();
        let rng = Rng::new(seed.wrapping_add(i as u64));
        handles.push(worker.spawn(check.run(delay, timer, rng, percent)).abort_handle());
    }
    handles
}

fn health(
    generation: &Arc<Generation>,
    proxy: &ProxyPlan,
    server: &Arc<ServerPlan>,
    spec: &CheckSpec,
) -> Check {
    let mut settings = ProbeSettings::new(server.spec.addr.endpoint.clone());
    settings.source = server.spec.source.clone();
    settings.proxy_header = if spec.send_proxy {
        Some(server.spec.send_proxy.unwrap_or(crate::spec::ProxyHeaderVersion::V1))
    } else {
        None
    };
    #[cfg(feature = "tls")]
    if spec.tls.is_some() {
        settings.tls = generation.connector(proxy.index, server.index).cloned();
    }
    let schedule = Schedule {
        inter: spec.inter,
        check: spec.timeout,
        connect: spec.connect.or(proxy.spec.timeouts.connect),
    };
    Check {
        generation: Arc::clone(generation),
        proxy: proxy.index,
        server: Arc::clone(server),
        kind: CheckKind::Health,
        probe: Arc::clone(&spec.probe),
        settings,
        schedule,
        intervals: Intervals { inter: spec.inter, fast: spec.fastinter, down: spec.downinter },
        node: generation.plan.process().node.clone().unwrap_or_else(|| "lb".into()),
    }
}

fn agent(
    generation: &Arc<Generation>,
    proxy: &ProxyPlan,
    server: &Arc<ServerPlan>,
    spec: &AgentSpec,
) -> Check {
    let schedule = Schedule { inter: spec.inter, ..Schedule::default() };
    let send = spec.send.as_deref().unwrap_or_default();
    Check {
        generation: Arc::clone(generation),
        proxy: proxy.index,
        server: Arc::clone(server),
        kind: CheckKind::Agent,
        probe: Arc::new(crate::health::AgentProbe::new(send.to_vec())),
        settings: ProbeSettings::new(spec.endpoint.clone()),
        schedule,
        intervals: Intervals { inter: spec.inter, fast: None, down: None },
        node: "lb".into(),
    }
}

impl Check {
    async fn run(self, first: Duration, timer: Timer, mut rng: Rng, spread: u32) {
        let generation = Arc::clone(&self.generation);
        let proxy = generation.plan.proxy(self.proxy);
        let Some(hooks) = generation.hooks(proxy, &self.server) else { return };
        let mut due = Instant::now() + first;
        loop {
            // A wish for an earlier check is looked at whenever one is voiced, and shortens the wait.
            loop {
                timer.set(Some(due));
                tokio::select! {
                    () = timer.expired() => break,
                    () = hooks.recheck.notified() => {
                        if hooks.check_now.swap(false, Relaxed) {
                            break;
                        }
                        let wait = self.delay(proxy, &mut rng, spread).unwrap_or(self.intervals.inter);
                        due = due.min(Instant::now() + wait);
                    }
                }
            }
            let Some(id) = self.id(proxy) else { return };
            if proxy.pool.is_checked(id, self.kind) {
                self.once(proxy, id).await;
            }
            due = Instant::now() + self.delay(proxy, &mut rng, spread).unwrap_or(self.intervals.inter);
        }
    }

    fn id(&self, proxy: &ProxyPlan) -> Option<ServerId> {
        proxy.pool.by_name(self.server.spec.name.as_str())
    }

    fn delay(&self, proxy: &ProxyPlan, rng: &mut Rng, spread: u32) -> Option<Duration> {
        proxy.pool.next_check(self.id(proxy)?, self.kind, &self.intervals, spread, rng)
    }

    async fn once(&self, proxy: &ProxyPlan, id: ServerId) {
        let start = Instant::now();
        let settings = self.current(proxy, id);
        let mut target =
            Target::new(proxy.spec.name.as_str(), self.server.spec.name.as_str(), settings.endpoint.inet());
        target.server_addr = proxy.pool.address(id).and_then(|e| e.inet()).or(target.addr);
        target.schedule = self.schedule;
        if let Some(snapshot) = proxy.pool.check_snapshot(id, &self.node, start) {
            target.snapshot = snapshot;
        }
        #[cfg(feature = "tls")]
        {
            target.tls = settings.tls.is_some();
        }
        let dialog = match self.redirected().agent_send.filter(|_| self.kind == CheckKind::Agent) {
            Some(text) => crate::health::AgentProbe::new(text.into_bytes()).start(&target, start),
            None => self.probe.start(&target, start),
        };
        let verdict = probe(dialog, &settings).await;
        if verdict.outcome() == Outcome::Passed
            && let Some(hooks) = self.generation.hooks(proxy, &self.server)
        {
            hooks.clear();
        }
        let events = proxy.pool.report_check(id, self.kind, &verdict, start.elapsed(), Instant::now());
        self.generation.report(proxy, events);
    }

    /// The settings with the address the server has now.
    fn current(&self, proxy: &ProxyPlan, id: ServerId) -> ProbeSettings {
        let mut settings = self.settings.clone();
        let redirected = self.redirected();
        if self.kind == CheckKind::Agent {
            settings.endpoint = redirect(&settings.endpoint, redirected.agent_addr, redirected.agent_port);
            return settings;
        }
        if let Some(endpoint) = proxy.pool.address(id) {
            settings.endpoint = endpoint;
        }
        if let Some(spec) = &self.server.spec.check {
            if let Some(ip) = spec.addr {
                let port = settings.endpoint.port().unwrap_or(0);
                settings.endpoint = SocketAddr::new(ip, port).into();
            }
            if let Some(port) = spec.port {
                settings.endpoint = settings.endpoint.with_port(port);
            }
        }
        settings.endpoint = redirect(&settings.endpoint, redirected.check_addr, redirected.check_port);
        settings
    }

    /// Where an operator wants the check to go.
    fn redirected(&self) -> Redirected {
        let proxy = self.generation.plan.proxy(self.proxy);
        self.generation.hooks(proxy, &self.server).map(|hooks| hooks.redirected().clone()).unwrap_or_default()
    }
}

/// The endpoint with another address or port.
fn redirect(endpoint: &Endpoint, addr: Option<IpAddr>, port: Option<u16>) -> Endpoint {
    let moved = match addr {
        Some(ip) => SocketAddr::new(ip, endpoint.port().unwrap_or(0)).into(),
        None => endpoint.clone(),
    };
    port.map_or_else(|| moved.clone(), |port| moved.with_port(port))
}
