//! A proxy: listeners, routing, servers, and the protocol it speaks.

use super::{ListenerSpec, Origin, PoolSpec, ProxyLog, StickRule, TcpRules, Timeouts};
use crate::expr::Program;
use crate::log::Template;
use crate::name::{ProxyName, ServerName};
use crate::rule::RuleSet;
use crate::rule::cond::Condition;
use crate::stick::TableSpec;
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// A frontend, a backend, or both in one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProxySpec {
    /// Its name, the identity across reloads (with its capability, as old files use a name twice).
    pub name: ProxyName,
    /// Number in statistics.
    pub id: u32,
    /// Frontend, backend or both.
    pub capability: Capability,
    /// Layer 4 or 7 in statistics and logs.
    pub mode: Mode,
    /// What it speaks.
    pub protocol: Arc<dyn ProtocolSpec>,
    /// Configured but not running.
    pub disabled: bool,
    /// Free text for people.
    pub description: Option<Arc<str>>,
    /// Globally unique name.
    pub guid: Option<Arc<str>>,
    /// Where clients come in.
    pub listeners: Vec<ListenerSpec>,
    /// Connections at the same time; the process's limit when unset.
    pub maxconn: Option<u32>,
    /// Length of the kernel's queue of each listener.
    pub backlog: Option<u32>,
    /// New sessions a second; 0 is unlimited.
    pub rate_limit: u32,
    /// Rules that choose a backend, in order.
    pub routes: Vec<Route>,
    /// When one of these holds, routes also lead to backends that were taken out (`force-be-switch`).
    pub force_switch: Vec<Condition>,
    /// The backend when no rule matches.
    pub default_backend: Option<ProxyName>,
    /// Rules on connections and their first bytes.
    pub tcp_rules: TcpRules,
    /// The stick table.
    pub table: Option<TableSpec>,
    /// Rules that look servers up in tables and store them there.
    pub stick: Vec<StickRule>,
    /// The servers.
    pub pool: PoolSpec,
    /// Timeouts.
    pub timeouts: Timeouts,
    /// Logging.
    pub log: ProxyLog,
    /// TCP keep-alive towards clients.
    pub client_keepalive: bool,
    /// TCP keep-alive towards servers.
    pub server_keepalive: bool,
    /// Reset instead of close towards clients and servers (`option nolinger`).
    pub nolinger: bool,
    /// Where it was configured.
    pub origin: Origin,
}

impl ProxySpec {
    /// A proxy in TCP mode with nothing in it.
    pub fn new(name: impl Into<ProxyName>, id: u32, capability: Capability) -> Self {
        Self {
            name: name.into(),
            id,
            capability,
            mode: Mode::Tcp,
            protocol: Arc::new(TcpProxy::default()),
            disabled: false,
            description: None,
            guid: None,
            listeners: Vec::new(),
            maxconn: None,
            backlog: None,
            rate_limit: 0,
            routes: Vec::new(),
            force_switch: Vec::new(),
            default_backend: None,
            tcp_rules: TcpRules::default(),
            table: None,
            stick: Vec::new(),
            pool: PoolSpec::new(crate::balance::Algorithm::RoundRobin, Vec::new()),
            timeouts: Timeouts::default(),
            log: ProxyLog::default(),
            client_keepalive: false,
            server_keepalive: false,
            nolinger: false,
            origin: Origin::NONE,
        }
    }

    /// Whether statistics leave it out: it passes on log messages, and serves nobody.
    pub fn is_hidden(&self) -> bool {
        self.protocol.kind() == super::LogForward::KIND
    }
}

/// Which sides a proxy has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the three kinds of section")]
pub enum Capability {
    /// Listeners only.
    Frontend,
    /// Servers only.
    Backend,
    /// Both.
    Listen,
}

impl Capability {
    /// Whether it may have listeners.
    pub fn is_frontend(self) -> bool {
        !matches!(self, Self::Backend)
    }

    /// Whether it may have servers.
    pub fn is_backend(self) -> bool {
        !matches!(self, Self::Frontend)
    }
}

/// The word statistics and logs use for a proxy's layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// Bytes.
    Tcp,
    /// Requests.
    Http,
    /// Log lines.
    Log,
}

/// One rule that chooses a backend (`use_backend`).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Route {
    /// When it applies; always when unset.
    pub condition: Option<Condition>,
    /// Where it leads.
    pub target: RouteTarget,
    /// Where it was configured.
    pub origin: Origin,
}

impl Route {
    /// A rule that leads to `target` if `condition` holds.
    pub fn new(condition: Option<Condition>, target: RouteTarget) -> Self {
        Self { condition, target, origin: Origin::NONE }
    }
}

/// Where a route leads.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RouteTarget {
    /// To this backend.
    Backend(ProxyName),
    /// To the backend whose name this evaluates to; to the default one if there is none.
    Dynamic(Arc<Template>),
}

/// Which server a `use-server` rule chooses.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ServerChoice {
    /// The one of this name.
    Named(ServerName),
    /// The one whose name this evaluates to.
    Dynamic(Arc<Template>),
}

/// What a proxy of one protocol is configured to do.
///
/// Implemented by protocol crates and by embedders; the driver for it is found by [`ProtocolSpec::kind`].
pub trait ProtocolSpec: fmt::Debug + Send + Sync {
    /// The protocol's name, for example `tcp`.
    fn kind(&self) -> &'static str;

    /// For downcasting by the protocol's driver.
    fn as_any(&self) -> &dyn Any;

    /// Whether `other` is configured alike, so that a reload need not replace anything.
    fn same_as(&self, other: &dyn ProtocolSpec) -> bool;
}

/// `mode tcp`: bytes in both directions.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct TcpProxy {
    /// Move bulk data inside the kernel where that wins.
    pub splice: bool,
    /// `use-server`. Backend.
    pub servers: RuleSet<ServerChoice>,
    /// Expression of `balance hash`. Backend.
    pub hash_key: Option<Program>,
    /// Slots for captured values that are declared. Frontend.
    pub captures: usize,
    /// `persist rdp-cookie`: the cookie that holds the address of a server. Backend.
    pub persist_rdp: Option<Arc<str>>,
    /// What sessions go on with that a rule (`switch-mode`) or the mode of a backend takes to another protocol. Frontend.
    pub upgrade: Option<Arc<dyn ProtocolSpec>>,
}

impl ProtocolSpec for TcpProxy {
    fn kind(&self) -> &'static str {
        "tcp"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn same_as(&self, other: &dyn ProtocolSpec) -> bool {
        // Compiled expressions cannot be compared.
        let plain = |tcp: &Self| tcp.servers.is_empty() && tcp.hash_key.is_none() && tcp.upgrade.is_none();
        other.as_any().downcast_ref::<Self>().is_some_and(|other| {
            plain(self)
                && plain(other)
                && self.captures == other.captures
                && self.splice == other.splice
                && self.persist_rdp == other.persist_rdp
        })
    }
}
