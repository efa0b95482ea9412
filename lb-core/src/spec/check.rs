//! Health checks of one server.

use super::TlsClientSpec;
use crate::health::ProbeSpec;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How a server is checked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CheckSpec {
    /// The conversation; a plain connection check when nothing else is configured.
    pub probe: Arc<dyn ProbeSpec>,
    /// Interval in full health.
    pub inter: Duration,
    /// Interval in transition; `inter` when unset.
    pub fastinter: Option<Duration>,
    /// Interval when down; `inter` when unset.
    pub downinter: Option<Duration>,
    /// Successes to become up.
    pub rise: u32,
    /// Failures to become down.
    pub fall: u32,
    /// Port to check instead of the traffic's.
    pub port: Option<u16>,
    /// Address to check instead of the traffic's.
    pub addr: Option<IpAddr>,
    /// TLS for checks.
    pub tls: Option<Arc<TlsClientSpec>>,
    /// Begin with a PROXY protocol header.
    pub send_proxy: bool,
    /// Time for the answer once connected; everything must fit into `inter` when unset.
    pub timeout: Option<Duration>,
    /// Time to connect.
    pub connect: Option<Duration>,
    /// Longest, random wait before the first check; when unset, first checks are spread over their interval.
    pub warmup: Option<Duration>,
    /// Those who are told of changes of the server are told of each failure of this check.
    pub tell_failures: bool,
}

impl CheckSpec {
    /// A check by `probe` with HAProxy's defaults: every 2 s, 2 successes up, 3 failures down.
    pub fn new(probe: Arc<dyn ProbeSpec>) -> Self {
        Self {
            probe,
            inter: Duration::from_secs(2),
            fastinter: None,
            downinter: None,
            rise: 2,
            fall: 3,
            port: None,
            addr: None,
            tls: None,
            send_proxy: false,
            timeout: None,
            connect: None,
            warmup: None,
            tell_failures: false,
        }
    }
}

/// The agent of a server: a text service that reports weight and state.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AgentSpec {
    /// Where the agent listens, unless it is where the server does.
    pub addr: Option<IpAddr>,
    /// Its port.
    pub port: u16,
    /// Interval.
    pub inter: Duration,
    /// Bytes to send first.
    pub send: Option<Arc<[u8]>>,
}

impl AgentSpec {
    /// An agent at this port of the server, asked every 2 s.
    pub fn new(port: u16) -> Self {
        Self { addr: None, port, inter: Duration::from_secs(2), send: None }
    }
}
