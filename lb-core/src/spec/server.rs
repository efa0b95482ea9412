//! One server of a pool.

use super::{AgentSpec, CheckSpec, LogServer, Origin, TlsClientSpec};
use crate::addr::Endpoint;
use crate::dns::{Choice, Resolvers};
use crate::expr::Program;
use crate::health::{InitState, Observe, OnError};
use crate::log::Template;
use crate::name::ServerName;
use crate::pool::HashKey;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// A server and everything that is configured about it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerSpec {
    /// Its name, the identity across reloads.
    pub name: ServerName,
    /// Number in statistics and in hashes.
    pub id: u32,
    /// Where it listens.
    pub addr: ServerAddr,
    /// Share of the traffic, 0 to 256; 0 takes only persistent traffic.
    pub weight: u16,
    /// What it counts in the quorum of the pool.
    pub share: u32,
    /// Used only when no other server is usable.
    pub backup: bool,
    /// Starts in maintenance.
    pub disabled: bool,
    /// Added at run time: in maintenance and unchecked until an operator says otherwise.
    pub dynamic: bool,
    /// Something else of the configuration names it, so it cannot be removed at run time.
    pub pinned: bool,
    /// Connections (mode tcp) or requests (mode http) at the same time; 0 is unlimited.
    pub maxconn: u32,
    /// Lower bound of a maxconn that follows the load of the backend; 0 means fixed.
    pub minconn: u32,
    /// Longest queue; 0 is unlimited.
    pub maxqueue: u32,
    /// Time to reach full weight after coming up.
    pub slowstart: Duration,
    /// Value of the persistence cookie.
    pub cookie: Option<Arc<str>>,
    /// Health checks.
    pub check: Option<Arc<CheckSpec>>,
    /// The health that is told of it while nothing checks it.
    pub unchecked_health: u32,
    /// Agent checks.
    pub agent: Option<Arc<AgentSpec>>,
    /// Follow the state of this server ("backend/server" or "server").
    pub track: Option<Arc<str>>,
    /// What happens to sessions when it goes down.
    pub on_marked_down: MarkedDown,
    /// End sessions on backup servers when this one comes up.
    pub shutdown_backup_sessions: bool,
    /// TLS to the server.
    pub tls: Option<Arc<TlsClientSpec>>,
    /// Begin connections with a PROXY protocol header.
    pub send_proxy: Option<ProxyHeaderVersion>,
    /// What else a PROXY protocol header of the binary form holds.
    pub proxy_fields: ProxyFields,
    /// The name to announce in TLS handshakes, for each connection anew; `tls` holds a fixed one.
    pub sni: Option<Arc<Program>>,
    /// What tells idle connections apart, in place of the announced name (`pool-conn-name`).
    pub pool_name: Option<Arc<Program>>,
    /// Where connections to the server come from.
    pub source: Option<Arc<SourceAddr>>,
    /// How the address of a host name is found at start.
    pub init_addr: Vec<InitAddr>,
    /// Never stored in stick tables.
    pub non_stick: bool,
    /// The host name that leads to its address, or a record of services (`_http._tcp.example.org`).
    pub hostname: Option<Arc<str>>,
    /// Who is asked for the address of the name while it runs.
    pub resolution: Option<Resolution>,
    /// Idle connections kept for reuse; `None` is unlimited.
    pub pool_max_conn: Option<u32>,
    /// Idle connections kept beyond the need of the recent past.
    pub pool_low_conn: u32,
    /// How often idle connections are thinned out.
    pub pool_purge_delay: Duration,
    /// State at start and after maintenance.
    pub init_state: InitState,
    /// Passive checks on live traffic.
    pub observe: Option<Observe>,
    /// Errors in a row on live traffic until `on_error` happens.
    pub error_limit: u32,
    /// What happens then.
    pub on_error: OnError,
    /// Globally unique name.
    pub guid: Option<Arc<str>>,
    /// What its points on a hash ring derive from.
    pub hash_key: HashKey,
    /// Prefix of a redirection sent instead of forwarding (`redir`).
    pub redirect: Option<Arc<str>>,
    /// How it is told messages, of proxies in log mode and of rings.
    pub log: LogServer,
    /// Where it was configured.
    pub origin: Origin,
}

impl ServerSpec {
    /// A server without checks, with weight 1.
    pub fn new(name: impl Into<ServerName>, id: u32, addr: ServerAddr) -> Self {
        Self {
            name: name.into(),
            id,
            addr,
            weight: 1,
            share: 1,
            backup: false,
            disabled: false,
            dynamic: false,
            pinned: false,
            maxconn: 0,
            minconn: 0,
            maxqueue: 0,
            slowstart: Duration::ZERO,
            cookie: None,
            check: None,
            unchecked_health: 0,
            agent: None,
            track: None,
            on_marked_down: MarkedDown::Keep,
            shutdown_backup_sessions: false,
            tls: None,
            send_proxy: None,
            sni: None,
            pool_name: None,
            source: None,
            init_addr: Vec::new(),
            hostname: None,
            resolution: None,
            non_stick: false,
            proxy_fields: ProxyFields::default(),
            pool_max_conn: None,
            pool_low_conn: 0,
            pool_purge_delay: Duration::from_secs(5),
            init_state: InitState::Unset,
            observe: None,
            error_limit: 10,
            on_error: OnError::FailCheck,
            guid: None,
            hash_key: HashKey::Id,
            redirect: None,
            log: LogServer::default(),
            origin: Origin::NONE,
        }
    }

    /// The name whose address is asked for while the server runs.
    pub fn followed(&self) -> Option<&Arc<str>> {
        self.hostname.as_ref().filter(|_| self.resolution.is_some())
    }

    /// Where it is if its pool knows no address. Of a name that is followed only the name counts: the address it led to
    /// when the files were read may be somebody else's by now.
    pub fn fallback(&self) -> Endpoint {
        let endpoint = &self.addr.endpoint;
        match self.followed() {
            Some(name) => Endpoint::Host { name: Arc::clone(name), port: endpoint.port().unwrap_or(0) },
            None => endpoint.clone(),
        }
    }
}

/// Where a server listens; the port may depend on the client's.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerAddr {
    /// Address and, unless `port_offset` is set, port.
    pub endpoint: Endpoint,
    /// Use the port the client connected to, plus this much.
    pub port_offset: Option<i32>,
}

impl ServerAddr {
    /// A fixed endpoint.
    pub fn fixed(endpoint: Endpoint) -> Self {
        Self { endpoint, port_offset: None }
    }

    /// The client's port plus `offset` on the address of `endpoint`.
    pub fn mapped(endpoint: Endpoint, offset: i32) -> Self {
        Self { endpoint, port_offset: Some(offset) }
    }
}

/// How the address of a server's name is kept current.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Resolution {
    /// Whom to ask.
    pub resolvers: Arc<Resolvers>,
    /// Which of several addresses it takes.
    pub choice: Choice,
}

/// What happens to the sessions of a server that goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(clippy::exhaustive_enums, reason = "the choices of the configuration")]
pub enum MarkedDown {
    /// They go on.
    #[default]
    Keep,
    /// They are ended.
    ShutdownSessions,
}

/// Version and content of a PROXY protocol header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyHeaderVersion {
    /// The text form.
    V1,
    /// The binary form.
    V2,
    /// The binary form with TLS facts.
    V2Ssl,
    /// The binary form with TLS facts and the certificate's common name.
    V2SslCn,
}

/// Additional fields of PROXY protocol headers.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ProxyFields {
    /// What is known of the client's TLS.
    pub tls: bool,
    /// With it, the common name of the client's certificate.
    pub common_name: bool,
    /// With it, the cipher.
    pub cipher: bool,
    /// The session's unique id.
    pub unique_id: bool,
    /// The name the client announced in its TLS handshake.
    pub authority: bool,
    /// A checksum of the header.
    pub checksum: bool,
    /// Fields by type, each with the format of its value.
    pub custom: Vec<(u8, Template)>,
}

/// Where connections to a server come from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceAddr {
    /// A fixed address; port 0 lets the system choose.
    Fixed {
        /// The address.
        addr: SocketAddr,
        /// The interface to bind to.
        interface: Option<Arc<str>>,
        /// The mark of its packets, for routing and firewalls.
        mark: Option<u32>,
    },
    /// The client's own address (needs a transparent network).
    Client,
}

/// One way to find a server's address at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the choices of the configuration")]
pub enum InitAddr {
    /// From the saved server state.
    Last,
    /// From the system's resolver.
    Libc,
    /// None: start without an address.
    None,
    /// This address.
    Ip(IpAddr),
}
