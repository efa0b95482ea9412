//! Running health checks: one task per checked server, spread over the workers.

use super::generation::{Generation, Hub, Redirected};
use super::probe::{ProbeSettings, probe};
use super::view::node;
use super::{Timer, Worker};
use crate::addr::Endpoint;
use crate::balance::ServerId;
use crate::engine::{ProxyPlan, ServerPlan};
use crate::health::{CheckKind, EngineHandle, Intervals, Outcome, ProbeSpec, Spread};
use crate::health::{Schedule, Target};
use crate::name::{ProxyName, ServerName};
use crate::pool::Pool;
use crate::rng::Rng;
use crate::spec::{AgentSpec, CheckSpec, Mode};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tokio::task::AbortHandle;

/// One check of one server, as its task sees it.
struct Check {
    hub: Arc<Hub>,
    backend: ProxyName,
    server: Arc<ServerPlan>,
    kind: CheckKind,
    probe: Arc<dyn ProbeSpec>,
    settings: ProbeSettings,
    schedule: Schedule,
    intervals: Intervals,
    warmup: Option<Duration>,
    node: Arc<str>,
}

/// The running checks of a server.
#[derive(Debug, Default)]
pub(super) struct Checks(Vec<(ProxyName, ServerName, AbortHandle)>);

impl Checks {
    /// Ends all checks and starts those of a generation. Each starts after its share of the common interval, but a check
    /// that goes on after a reload keeps its pace.
    pub(super) fn restart(&mut self, generation: &Arc<Generation>, workers: &[Worker]) {
        for (_, _, task) in self.0.drain(..) {
            task.abort();
        }
        let proxies = generation.plan.proxies().iter().filter(|p| !p.spec.disabled);
        let all = proxies.flat_map(|p| p.servers.iter().flat_map(move |s| of_server(generation, p, s)));
        self.start(all.collect(), workers);
    }

    /// Starts the checks of a server that was added.
    pub(super) fn add(
        &mut self,
        generation: &Arc<Generation>,
        proxy: &ProxyPlan,
        server: &Arc<ServerPlan>,
        workers: &[Worker],
    ) {
        self.start(of_server(generation, proxy, server).collect(), workers);
    }

    /// Ends the checks of a server that is removed.
    pub(super) fn remove(&mut self, proxy: &ProxyName, server: &ServerName) {
        self.0.retain(|(of, name, task)| {
            let other = of != proxy || name != server;
            if !other {
                task.abort();
            }
            other
        });
    }

    fn start(&mut self, checks: Vec<(Check, u32)>, workers: &[Worker]) {
        let seed = Instant::now().elapsed().as_nanos() as u64 ^ u64::from(std::process::id());
        let mut rng = Rng::new(seed);
        let mut spread = Spread::new(checks.iter().map(|(c, _)| c.intervals.inter));
        for (i, (check, percent)) in checks.into_iter().enumerate() {
            let delay = match check.warmup {
                Some(most) => Duration::from_micros(rng.below(most.as_micros() as u64 + 1)),
                None => spread.first_delay(check.intervals.inter, percent, &mut rng),
            };
            let worker = &workers[(self.0.len() + i) % workers.len()];
            let timer = worker.timers().timer();
            let rng = Rng::new(seed.wrapping_add(i as u64));
            let (backend, server) = (check.backend.clone(), check.server.spec.name.clone());
            let task = worker.spawn(check.run(delay, timer, rng, percent)).abort_handle();
            self.0.push((backend, server, task));
        }
    }
}

/// The checks of a server, with the percentage by which their intervals vary.
fn of_server(
    generation: &Arc<Generation>,
    proxy: &ProxyPlan,
    server: &Arc<ServerPlan>,
) -> impl Iterator<Item = (Check, u32)> {
    let spread = proxy.spec.pool.spread_checks;
    let checked = server.spec.check.as_ref().map(|spec| health(generation, proxy, server, spec));
    let asked = server.spec.agent.as_ref().map(|spec| agent(generation, proxy, server, spec));
    checked.into_iter().chain(asked).map(move |check| (check, spread))
}

fn health(
    generation: &Arc<Generation>,
    proxy: &ProxyPlan,
    server: &Arc<ServerPlan>,
    spec: &CheckSpec,
) -> Check {
    let mut settings = ProbeSettings::new(server.spec.fallback());
    settings.source = server.spec.source.as_deref().cloned();
    settings.proxy_header = if spec.send_proxy {
        Some(server.spec.send_proxy.unwrap_or(crate::spec::ProxyHeaderVersion::V1))
    } else {
        None
    };
    #[cfg(feature = "tls")]
    {
        settings.tls = generation.check_connector(proxy, server);
    }
    let schedule = Schedule {
        inter: spec.inter,
        check: spec.timeout,
        connect: spec.connect.or(proxy.spec.timeouts.connect),
    };
    Check {
        hub: Arc::clone(&generation.hub),
        backend: proxy.spec.name.clone(),
        server: Arc::clone(server),
        kind: CheckKind::Health,
        probe: Arc::clone(&spec.probe),
        settings,
        schedule,
        intervals: Intervals { inter: spec.inter, fast: spec.fastinter, down: spec.downinter },
        warmup: spec.warmup,
        node: node(generation.plan.process()).into(),
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
        hub: Arc::clone(&generation.hub),
        backend: proxy.spec.name.clone(),
        server: Arc::clone(server),
        kind: CheckKind::Agent,
        probe: Arc::new(crate::health::AgentProbe::new(send.to_vec())),
        settings: ProbeSettings::new(server.spec.fallback()),
        schedule,
        intervals: Intervals { inter: spec.inter, fast: None, down: None },
        warmup: None,
        node: node(generation.plan.process()).into(),
    }
}

impl Check {
    async fn run(self, first: Duration, timer: Timer, mut rng: Rng, spread: u32) {
        let Some((pool, hooks)) = self.place().map(|(generation, proxy)| {
            (Arc::clone(&proxy.pool), generation.hooks(&proxy, &self.server).unwrap_or_default())
        }) else {
            return;
        };
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
                        let wait = self.delay(&pool, &mut rng, spread).unwrap_or(self.intervals.inter);
                        due = due.min(Instant::now() + wait);
                    }
                }
            }
            let Some(id) = self.id(&pool) else { return };
            if pool.is_checked(id, self.kind) && self.once(id).await.is_none() {
                return;
            }
            due = Instant::now() + self.delay(&pool, &mut rng, spread).unwrap_or(self.intervals.inter);
        }
    }

    /// The generation and the backend as they are now: servers may come and go while a check lives.
    fn place(&self) -> Option<(Arc<Generation>, Arc<ProxyPlan>)> {
        let generation = self.hub.newest()?;
        let proxy = Arc::clone(generation.plan.backend(self.backend.as_str())?);
        Some((generation, proxy))
    }

    fn id(&self, pool: &Pool) -> Option<ServerId> {
        pool.by_name(self.server.spec.name.as_str())
    }

    fn delay(&self, pool: &Pool, rng: &mut Rng, spread: u32) -> Option<Duration> {
        pool.next_check(self.id(pool)?, self.kind, &self.intervals, spread, rng)
    }

    /// One check; `None` once the server is gone.
    async fn once(&self, id: ServerId) -> Option<()> {
        let (generation, proxy) = self.place()?;
        let hooks = generation.hooks(&proxy, &self.server)?;
        let redirected = hooks.redirected().clone();
        let start = Instant::now();
        let settings = self.current(&proxy, id, &redirected);
        let mut target =
            Target::new(proxy.spec.name.as_str(), self.server.spec.name.as_str(), settings.endpoint.inet());
        target.server_endpoint = proxy.pool.address(id).or_else(|| target.addr.map(Endpoint::from));
        target.listener = proxy.spec.listeners.first().map(|listener| listener.endpoint.clone());
        (target.proxy_id, target.server_id) = (proxy.spec.id, self.server.spec.id);
        (target.maxconn, target.http) = (self.server.spec.maxconn, proxy.spec.mode == Mode::Http);
        target.schedule = self.schedule;
        target.date = super::Stamp::now().date;
        target.engine = EngineHandle::new(Arc::clone(&generation) as _);
        if let Some(snapshot) = proxy.pool.check_snapshot(id, &self.node, start) {
            target.snapshot = snapshot;
        }
        #[cfg(feature = "tls")]
        {
            target.tls = settings.tls.is_some();
        }
        let dialog = match redirected.agent_send.filter(|_| self.kind == CheckKind::Agent) {
            Some(text) => crate::health::AgentProbe::new(text.into_bytes()).start(&target, start),
            None => self.probe.start(&target, start),
        };
        let mut verdict = probe(dialog, &settings).await;
        let mut parts = std::mem::take(&mut verdict.parts);
        if verdict.outcome() == Outcome::Passed {
            hooks.clear();
        }
        // The server may have another place than when the check began, or none.
        let id = self.id(&proxy.pool)?;
        let events = proxy.pool.report_check(id, self.kind, &verdict, start.elapsed(), Instant::now());
        generation.report(&proxy, events);
        let told = self.kind == CheckKind::Health
            && self.server.spec.check.as_ref().is_some_and(|check| check.tell_failures);
        parts.retain(|part| told || !part.again);
        if !parts.is_empty() || told && verdict.outcome() == Outcome::Failed {
            generation.announce(&proxy, Some(id), parts);
        }
        Some(())
    }

    /// The settings with the address the server has now.
    fn current(&self, proxy: &ProxyPlan, id: ServerId, redirected: &Redirected) -> ProbeSettings {
        let mut settings = self.settings.clone();
        if let Some(endpoint) = proxy.pool.address(id) {
            settings.endpoint = endpoint;
        }
        if self.kind == CheckKind::Agent {
            if let Some(agent) = &self.server.spec.agent {
                settings.endpoint = redirect(&settings.endpoint, agent.addr, Some(agent.port));
            }
            settings.endpoint = redirect(&settings.endpoint, redirected.agent_addr, redirected.agent_port);
            return settings;
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
}

/// The endpoint with another address or port.
fn redirect(endpoint: &Endpoint, addr: Option<IpAddr>, port: Option<u16>) -> Endpoint {
    let moved = match addr {
        Some(ip) => SocketAddr::new(ip, endpoint.port().unwrap_or(0)).into(),
        None => endpoint.clone(),
    };
    port.map_or_else(|| moved.clone(), |port| moved.with_port(port))
}
