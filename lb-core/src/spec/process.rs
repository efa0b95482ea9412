//! The process: who it runs as, its limits, its control sockets.

use super::{HttpCodes, ListenerSpec, LogTarget, Syslog};
use crate::expr::{Program, VarName};
use crate::log::Template;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What concerns the process as a whole.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ProcessSpec {
    /// User to become, by name.
    pub user: Option<Arc<str>>,
    /// Group to become, by name.
    pub group: Option<Arc<str>>,
    /// User to become, by number.
    pub uid: Option<u32>,
    /// Group to become, by number.
    pub gid: Option<u32>,
    /// Directory to confine the process to.
    pub chroot: Option<Arc<str>>,
    /// Where the process number is written.
    pub pidfile: Option<Arc<str>>,
    /// Go to the background.
    pub daemon: bool,
    /// Run a master and a worker.
    pub master_worker: bool,
    /// Connections at the same time; computed from the descriptor limit when unset.
    pub maxconn: Option<u32>,
    /// New connections a second; 0 is unlimited.
    pub maxconnrate: u32,
    /// Descriptor limit to set.
    pub ulimit_n: Option<u32>,
    /// Worker threads; as many as there are processors when unset.
    pub threads: Option<usize>,
    /// Name of this node.
    pub node: Option<Arc<str>>,
    /// Description of this node.
    pub description: Option<Arc<str>>,
    /// Log targets that proxies may refer to.
    pub log: Vec<LogTarget>,
    /// What log lines share.
    pub syslog: Syslog,
    /// Control sockets.
    pub ctl: Vec<CtlSocket>,
    /// Control connections at the same time.
    pub ctl_maxconn: Option<u32>,
    /// Inactivity of a control connection.
    pub ctl_timeout: Option<Duration>,
    /// How long old sessions may go on after a stop.
    pub hard_stop_after: Option<Duration>,
    /// Nothing reads the numbers of streams, so they are not counted.
    pub unnumbered: bool,
    /// Spread of check intervals in percent.
    pub spread_checks: u32,
    /// File or directory that server states are saved to and loaded from.
    pub server_state_file: Option<Arc<str>>,
    /// Names of this process among its peers.
    pub localpeer: Option<Arc<str>>,
    /// Sizes and limits.
    pub tune: Tune,
    /// Environment changes in order: a value sets, `None` removes.
    pub environment: BTreeMap<Arc<str>, Option<Arc<str>>>,
    /// Variables of the process to set at start, in order (`set-var`, `set-var-fmt`).
    pub variables: Vec<(VarName, VariableValue)>,
    /// What the statuses of servers mean.
    pub http_codes: HttpCodes,
}

/// Descriptors beside those of connections: listeners, checks, logs.
const SPARE: u64 = 1024;

impl ProcessSpec {
    /// Descriptors that the process may need open at the same time: what the configuration says, or two for each connection
    /// and some for everything else.
    #[must_use]
    pub fn descriptors(&self) -> u64 {
        self.ulimit_n.map_or_else(|| 2 * self.maxconn.map_or(0, u64::from) + SPARE, u64::from)
    }

    /// Connections of the process at the same time, also where neither the configuration nor the system sets a limit.
    #[must_use]
    pub fn connections(&self) -> u32 {
        self.maxconn.unwrap_or(1 << 20)
    }
}

/// What a variable of the process is set to.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "the two forms of the configuration")]
pub enum VariableValue {
    /// The value of an expression.
    Expression(Program),
    /// The text of a format.
    Format(Template),
}

/// Sizes and limits that operators tune.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tune {
    /// Buffer size in bytes; bounds a request or response head.
    pub bufsize: usize,
    /// Room kept for rewriting in a buffer.
    pub maxrewrite: usize,
    /// Header fields in a message.
    pub http_maxhdr: usize,
    /// Bytes of a URI that are logged.
    pub http_logurilen: usize,
    /// Connections accepted at a time.
    pub maxaccept: Option<u32>,
    /// Receive buffer of client sockets.
    pub rcvbuf_client: Option<u32>,
    /// Receive buffer of server sockets.
    pub rcvbuf_server: Option<u32>,
    /// Send buffer of client sockets.
    pub sndbuf_client: Option<u32>,
    /// Send buffer of server sockets.
    pub sndbuf_server: Option<u32>,
    /// TLS sessions cached.
    pub ssl_cachesize: usize,
    /// Life of a TLS session.
    pub ssl_lifetime: Duration,
    /// Sticky counters per session.
    pub stick_counters: usize,
}

impl Default for Tune {
    fn default() -> Self {
        Self {
            bufsize: 16384,
            maxrewrite: 1024,
            http_maxhdr: 101,
            http_logurilen: 1024,
            maxaccept: None,
            rcvbuf_client: None,
            rcvbuf_server: None,
            sndbuf_client: None,
            sndbuf_server: None,
            ssl_cachesize: 20000,
            ssl_lifetime: Duration::from_secs(300),
            stick_counters: 3,
        }
    }
}

/// A control socket (`stats socket`).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CtlSocket {
    /// Where it listens.
    pub listener: ListenerSpec,
    /// What its users may do.
    pub level: AccessLevel,
    /// Hand out listening sockets to a successor.
    pub expose_fd: bool,
}

impl CtlSocket {
    /// A control socket for operators.
    pub fn new(listener: ListenerSpec) -> Self {
        Self { listener, level: AccessLevel::Operator, expose_fd: false }
    }
}

/// What a user of a control socket may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[expect(clippy::exhaustive_enums, reason = "the three levels of the configuration")]
pub enum AccessLevel {
    /// Look at what is not sensitive.
    User,
    /// Look at everything, change little.
    #[default]
    Operator,
    /// Change everything.
    Admin,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_takes_two_descriptors_unless_their_number_is_said() {
        let mut process = ProcessSpec::default();
        assert_eq!(process.descriptors(), SPARE);
        process.maxconn = Some(u32::MAX);
        assert_eq!(process.descriptors(), 2 * u64::from(u32::MAX) + SPARE);
        process.ulimit_n = Some(7);
        assert_eq!(process.descriptors(), 7);
    }
}
