//! What a pool is built from, as plain data.

use std::sync::Arc;
use std::time::Duration;

use super::quorum::Quorum;
use crate::addr::Endpoint;
use crate::balance::{Affinity, Algorithm, HashType};
use crate::health::{InitState, Observe, OnError};
use crate::name::{ProxyName, ServerName};

/// A pool of servers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolDef {
    /// Its name, the identity across reloads.
    pub name: ProxyName,
    /// What it is called in log lines: `backend`, or `proxy` when it also has a frontend.
    pub label: &'static str,
    /// How a server is chosen.
    pub algorithm: Algorithm,
    /// How keys become servers.
    pub hash: HashType,
    /// `hash-balance-factor`.
    pub balance_factor: Option<u32>,
    /// `hash-preserve-affinity`.
    pub affinity: Affinity,
    /// `option allbackups`.
    pub all_backups: bool,
    /// Sessions at which servers with a `minconn` reach their full `maxconn`; 0 gives them all of it always.
    pub fullconn: u32,
    /// `option redispatch`: requests waiting for a server that goes down may go elsewhere.
    pub redispatch: bool,
    /// `option persist`: persistent requests wait even for a server that is down.
    pub persist: bool,
    /// `option log-health-checks`.
    pub log_health_checks: bool,
    /// Weight of living servers without which the backup servers serve.
    pub quorum: Option<Quorum>,
    /// Number of workers that count apart.
    pub workers: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// The servers in declaration order.
    pub servers: Vec<ServerDef>,
}

impl PoolDef {
    /// A backend with these servers and nothing special.
    pub fn new(name: impl Into<ProxyName>, algorithm: Algorithm, servers: Vec<ServerDef>) -> Self {
        Self {
            name: name.into(),
            label: "backend",
            algorithm,
            hash: HashType::default(),
            balance_factor: None,
            affinity: Affinity::Always,
            all_backups: false,
            fullconn: 0,
            redispatch: false,
            persist: false,
            log_health_checks: false,
            quorum: None,
            workers: 1,
            seed: 0,
            servers,
        }
    }
}

/// One server of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerDef {
    /// Its name, the identity across reloads.
    pub name: ServerName,
    /// Its number in statistics, in the order of `first`, and on hash rings.
    pub id: u32,
    /// Where it listens, if known.
    pub address: Option<Endpoint>,
    /// The host name its address comes from.
    pub hostname: Option<Arc<str>>,
    /// Name servers are asked for its address while it runs: what they said last outlives a new definition.
    pub followed: bool,
    /// The port of the configuration, known even while no address is: a new one applies to what name servers said, too.
    pub port: Option<u16>,
    /// Globally unique name.
    pub guid: Option<Arc<str>>,
    /// Weight, 0 to 256; 0 takes only persistent traffic.
    pub weight: u32,
    /// What it counts in the quorum of the pool.
    pub share: u32,
    /// Serves only while no active server is usable.
    pub backup: bool,
    /// Requests at a time; 0 is unlimited.
    pub maxconn: u32,
    /// Lower bound of a limit that follows the load of the pool; 0 means fixed.
    pub minconn: u32,
    /// Longest queue; 0 is unlimited.
    pub maxqueue: u32,
    /// Time to full weight after coming up; counted in whole seconds, rounded up.
    pub slowstart: Duration,
    /// Value of the persistence cookie.
    pub cookie: Option<Arc<str>>,
    /// Starts in maintenance.
    pub disabled: bool,
    /// Added at run time: starts in maintenance by order, its checks switched off.
    pub dynamic: bool,
    /// The server whose state it follows.
    pub track: Option<TrackDef>,
    /// State at start and after maintenance.
    pub init_state: InitState,
    /// Limits of its health check.
    pub check: Option<CheckDef>,
    /// Limits of its agent check.
    pub agent: Option<CheckDef>,
    /// Passive checks.
    pub observe: Option<ObserveDef>,
    /// What its points on a hash ring derive from.
    pub hash_key: HashKey,
    /// `on-marked-down shutdown-sessions`.
    pub shutdown_sessions: bool,
    /// `on-marked-up shutdown-backup-sessions`.
    pub shutdown_backup_sessions: bool,
}

impl ServerDef {
    /// An unchecked server of weight 1 without limits.
    pub fn new(name: impl Into<ServerName>, id: u32) -> Self {
        Self {
            name: name.into(),
            id,
            address: None,
            hostname: None,
            followed: false,
            port: None,
            guid: None,
            weight: 1,
            share: 1,
            backup: false,
            maxconn: 0,
            minconn: 0,
            maxqueue: 0,
            slowstart: Duration::ZERO,
            cookie: None,
            disabled: false,
            dynamic: false,
            track: None,
            init_state: InitState::Unset,
            check: None,
            agent: None,
            observe: None,
            hash_key: HashKey::Id,
            shutdown_sessions: false,
            shutdown_backup_sessions: false,
        }
    }

    /// The limits as they work: `minconn` alone, or not below `maxconn`, is a fixed limit.
    pub(super) const fn limits(&self) -> (u32, u32) {
        if self.minconn > self.maxconn {
            (self.minconn, self.minconn)
        } else if self.minconn == 0 {
            (self.maxconn, self.maxconn)
        } else {
            (self.minconn, self.maxconn)
        }
    }
}

/// The server whose state another one follows (`track`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrackDef {
    /// Its pool; `None` for the same pool.
    pub pool: Option<ProxyName>,
    /// Its name.
    pub server: ServerName,
}

impl TrackDef {
    /// A server of another pool, or of the same one.
    pub fn new(pool: Option<ProxyName>, server: impl Into<ServerName>) -> Self {
        Self { pool, server: server.into() }
    }
}

/// Limits of an active check.
#[expect(clippy::exhaustive_structs, reason = "plain data")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckDef {
    /// Successes to become up.
    pub rise: u32,
    /// Failures to become down.
    pub fall: u32,
}

/// Passive checks.
#[expect(clippy::exhaustive_structs, reason = "plain data")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObserveDef {
    /// Which traffic is watched.
    pub observe: Observe,
    /// Errors in a row until something happens.
    pub limit: u32,
    /// What happens.
    pub on_error: OnError,
}

/// What a server's points on a hash ring derive from (`hash-key`).
#[expect(clippy::exhaustive_enums, reason = "the words a configuration can use")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HashKey {
    /// The numeric id.
    #[default]
    Id,
    /// The numeric id, hashed.
    Id32,
    /// The address; the id while there is none.
    Addr,
    /// Address and port; the id while there is none.
    AddrPort,
    /// The globally unique name; the id if there is none.
    Guid,
}
