//! Where lines of one proxy go: to an outlet, into a ring, or to one of the servers of a proxy in log mode.

use super::logger::LogHub;
use super::sink::{Outward, Sink};
use super::{Outlet, Stamp};
use crate::addr::Endpoint;
use crate::balance::{Key, ServerId};
use crate::engine::{Plan, ProxyPlan, ServerPlan};
use crate::expr::{Arena, Env, NoFacts, Sample, Vars};
use crate::log::syslog::Header;
use crate::spec::{LogDestination, LogFormat, LogTarget, Mode, RingSpec, TcpProxy};
use arc_swap::ArcSwapOption;
use std::collections::HashMap;
use std::sync::Arc;

/// A ring, and what is done to messages on their way in.
#[derive(Debug, Clone)]
pub(super) struct RingWay {
    sink: Arc<Sink>,
    format: Option<LogFormat>,
    longest: usize,
}

/// The rings and log backends of a plan.
#[derive(Default)]
pub(super) struct Ways {
    rings: HashMap<Arc<str>, RingWay>,
    backends: HashMap<String, Arc<LogBackend>>,
    /// What each ring is to be told once the plan is in use.
    pub(super) served: Vec<ServedRing>,
}

/// A ring with its servers.
#[derive(Clone)]
pub(super) struct ServedRing {
    pub(super) sink: Arc<Sink>,
    pub(super) description: Arc<str>,
    pub(super) servers: Vec<Outward>,
}

/// Where lines go.
#[derive(Debug)]
pub(super) enum Way {
    /// One outlet for each worker.
    Outlets(Vec<Arc<Outlet>>),
    Ring(RingWay),
    Backend(Arc<LogBackend>),
    /// What was named does not exist.
    Nowhere,
}

/// The servers of a proxy in log mode.
#[derive(Debug)]
pub(super) struct LogBackend {
    proxy: Arc<ProxyPlan>,
    /// By index.
    servers: Vec<ServerWay>,
}

/// How a server of a log backend is told messages.
#[derive(Debug)]
enum ServerWay {
    /// By streams, which a ring feeds.
    Ring(RingWay),
    /// By datagrams, to where it was when the last one was sent.
    Outlets(ArcSwapOption<Located>),
}

/// The outlets to an address, one for each worker.
#[derive(Debug)]
struct Located {
    endpoint: Endpoint,
    outlets: Vec<Arc<Outlet>>,
}

impl RingWay {
    /// The way into a ring that is there in every configuration.
    pub(super) fn standing(sink: Arc<Sink>, format: LogFormat) -> Self {
        Self { sink, format: Some(format), longest: RingSpec::SIZE }
    }

    fn new(spec: &RingSpec, hub: &LogHub) -> Self {
        let longest = spec.max_length.unwrap_or(usize::MAX);
        Self { sink: hub.sink(spec), format: spec.format, longest }
    }

    fn send(&self, target: &LogTarget, header: &Header<'_>, message: &[u8], line: &mut Vec<u8>) {
        line.clear();
        let header = Header { format: self.format.unwrap_or(header.format), ..*header };
        // A line feed may follow on the way out.
        header.write_event(message, self.longest.min(target.length.saturating_sub(1)), line);
        self.sink.push(line);
    }
}

impl Ways {
    /// The ways of a plan; `connect` makes the servers of rings reachable.
    ///
    /// # Errors
    /// What `connect` reports.
    pub(super) fn new<E>(
        plan: &Plan,
        hub: &LogHub,
        connect: impl Fn(&RingSpec, Arc<ServerPlan>, Option<&Arc<ProxyPlan>>) -> Result<Outward, E>,
    ) -> Result<Self, E> {
        let mut ways = Self::default();
        for spec in plan.rings() {
            let server = |(index, spec): (usize, &crate::spec::ServerSpec)| {
                Arc::new(ServerPlan { index, spec: spec.clone() })
            };
            let servers = spec.servers.iter().enumerate().map(server);
            let servers = servers.map(|server| connect(spec, server, None)).collect::<Result<_, _>>()?;
            let way = ways.add(spec, hub, servers);
            ways.rings.insert(Arc::clone(&spec.name), way);
        }
        let serves = |p: &&Arc<ProxyPlan>| {
            p.spec.mode == Mode::Log && p.spec.capability.is_backend() && !p.spec.disabled
        };
        for proxy in plan.proxies().iter().filter(serves) {
            let mut servers = Vec::new();
            for server in &proxy.servers {
                if server.spec.log.datagrams {
                    let id = proxy.pool.by_name(server.spec.name.as_str());
                    let endpoint = id.and_then(|id| proxy.pool.address(id));
                    let located = endpoint.map(|endpoint| Located::new(endpoint, hub));
                    servers.push(ServerWay::Outlets(ArcSwapOption::new(located)));
                    continue;
                }
                let mut spec = RingSpec::new(&format!("{}/{}", proxy.spec.name, server.spec.name));
                if let Some(description) = &server.spec.log.description {
                    spec.description = Arc::clone(description);
                }
                spec.size = server.spec.log.buffer.unwrap_or(RingSpec::SIZE);
                spec.connect = proxy.spec.timeouts.connect;
                spec.timeout = proxy.spec.timeouts.server;
                let outward = connect(&spec, Arc::clone(server), Some(proxy))?;
                servers.push(ServerWay::Ring(ways.add(&spec, hub, vec![outward])));
            }
            let backend = LogBackend { proxy: Arc::clone(proxy), servers };
            ways.backends.insert(proxy.spec.name.to_string(), Arc::new(backend));
        }
        Ok(ways)
    }

    fn add(&mut self, spec: &RingSpec, hub: &LogHub, servers: Vec<Outward>) -> RingWay {
        let way = RingWay::new(spec, hub);
        let (sink, description) = (Arc::clone(&way.sink), Arc::clone(&spec.description));
        self.served.push(ServedRing { sink, description, servers });
        way
    }

    /// The way to a destination.
    pub(super) fn to(&self, destination: &LogDestination, hub: &LogHub) -> Way {
        match destination {
            LogDestination::Ring(name) => {
                let own = self.rings.get(name).cloned();
                own.or_else(|| hub.standing(name)).map_or(Way::Nowhere, Way::Ring)
            }
            LogDestination::Backend(name) => self
                .backends
                .get(name.as_str())
                .map_or(Way::Nowhere, |backend| Way::Backend(Arc::clone(backend))),
            other => Way::Outlets(hub.outlets(other)),
        }
    }
}

impl Way {
    /// Whether lines that a target sends this way are surrounded by what `format` says.
    pub(super) fn has_form(&self, format: LogFormat, target: &LogTarget) -> bool {
        match self {
            Self::Ring(ring) => ring.format.unwrap_or(target.format) == format,
            _ => target.format == format,
        }
    }

    /// Sends a message of which no target has seen anything yet.
    pub(super) fn send(
        &self,
        (target, hub): (&LogTarget, &LogHub),
        header: &Header<'_>,
        message: &[u8],
        worker: usize,
        line: &mut Vec<u8>,
    ) {
        match self {
            Self::Outlets(outlets) => write_out(outlets, target, header, message, worker, line),
            Self::Ring(ring) => ring.send(target, header, message, line),
            Self::Backend(backend) => {
                if backend.send((target, hub), header, message, worker, line).is_none() {
                    hub.lose();
                }
            }
            Self::Nowhere => hub.lose(),
        }
    }
}

fn write_out(
    outlets: &[Arc<Outlet>],
    target: &LogTarget,
    header: &Header<'_>,
    message: &[u8],
    worker: usize,
    line: &mut Vec<u8>,
) {
    line.clear();
    header.write_line(message, target.length, line);
    outlets[worker % outlets.len()].send(line);
}

impl Located {
    fn new(endpoint: Endpoint, hub: &LogHub) -> Arc<Self> {
        let outlets = hub.outlets(&LogDestination::Syslog(endpoint.clone()));
        Arc::new(Self { endpoint, outlets })
    }
}

impl LogBackend {
    /// `None` if no server is usable.
    fn send(
        &self,
        (target, hub): (&LogTarget, &LogHub),
        header: &Header<'_>,
        message: &[u8],
        worker: usize,
        line: &mut Vec<u8>,
    ) -> Option<()> {
        let server = self.pick(message)?;
        match self.servers.get(server.index())? {
            ServerWay::Ring(ring) => ring.send(target, header, message, line),
            ServerWay::Outlets(last) => {
                let endpoint = self.proxy.pool.address(server)?;
                let known = last.load();
                let fresh;
                let located = match known.as_ref() {
                    Some(located) if located.endpoint == endpoint => located,
                    _ => {
                        fresh = Located::new(endpoint, hub);
                        last.store(Some(Arc::clone(&fresh)));
                        &fresh
                    }
                };
                write_out(&located.outlets, target, header, message, worker, line);
            }
        }
        Some(())
    }

    fn pick(&self, message: &[u8]) -> Option<ServerId> {
        let now = Stamp::now();
        let tcp = self.proxy.spec.protocol.as_any().downcast_ref::<TcpProxy>();
        let Some(program) = tcp.and_then(|tcp| tcp.hash_key.as_ref()) else {
            return self.proxy.pool.pick(now.instant, Key::None);
        };
        let (facts, arena) = (NoFacts(now.into()), Arena::new());
        let env = Env::new(&facts, Vars::NONE, &arena);
        // A message that no key is found in has no server.
        let key = program.eval_on(&env, Sample::Str(message))?.to_bin(&arena)?;
        self.proxy.pool.pick(now.instant, Key::Bytes(key))
    }
}
