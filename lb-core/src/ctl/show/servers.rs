//! `show servers state`, which also is the format of state files, and `show servers conn`.

use crate::ctl::catalogue::Exec;
use crate::ctl::control::Proxy;
use crate::ctl::parse::Request;
use crate::ctl::reply::Reply;
use crate::health;
use crate::name::ProxyName;
use std::fmt::Write;

/// First line of the states: the version of the format.
const VERSION: &str = "1\n";

const STATE_HEADER: &str = "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight \
                            srv_iweight srv_time_since_last_change srv_check_status srv_check_result \
                            srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn \
                            srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr \
                            srv_agent_port\n";

/// The volatile state of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerState {
    /// Number of the backend.
    pub backend_id: u32,
    /// Name of the backend.
    pub backend: String,
    /// Number of the server.
    pub id: u32,
    /// Name of the server.
    pub name: String,
    /// Its address, empty if it has none.
    pub addr: String,
    /// Its port, or what is added to the client's, modulo 2³².
    pub port: u32,
    /// 0 stopped, 1 starting, 2 running, 3 stopping.
    pub operational: u8,
    /// Bits: 1 maintenance by the operator, 2 inherited, 4 by configuration, 8 drain by the operator, 16 inherited,
    /// 32 no address resolved.
    pub admin: u32,
    /// Weight as changed.
    pub user_weight: u32,
    /// Weight as configured.
    pub initial_weight: u32,
    /// Seconds since the last change of state.
    pub last_change: u32,
    /// Result of the last check.
    pub check_status: health::Status,
    /// 0 unknown, 1 neutral, 2 failed, 3 passed, 4 passed with a condition.
    pub check_result: u8,
    /// Health, 0 to rise + fall - 1.
    pub check_health: u32,
    /// Bits: 1 running, 2 configured, 4 enabled, 8 paused.
    pub check_state: u32,
    /// The same bits of the agent check, and 16 if there is one.
    pub agent_state: u32,
    /// The backend's number was configured.
    pub backend_id_forced: bool,
    /// The server's number was configured.
    pub id_forced: bool,
    /// The name that is resolved.
    pub fqdn: Option<String>,
    /// The record that names the server.
    pub srv_record: Option<String>,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Port of the checks, 0 for the server's.
    pub check_port: u16,
    /// Address of the checks, if it differs.
    pub check_addr: Option<String>,
    /// Address of the agent, if it differs.
    pub agent_addr: Option<String>,
    /// Port of the agent.
    pub agent_port: u16,
}

impl ServerState {
    /// A running server of weight 1 without checks.
    pub fn new(backend_id: u32, backend: impl Into<String>, id: u32, name: impl Into<String>) -> Self {
        Self {
            backend_id,
            backend: backend.into(),
            id,
            name: name.into(),
            addr: String::new(),
            port: 0,
            operational: 2,
            admin: 0,
            user_weight: 1,
            initial_weight: 1,
            last_change: 0,
            check_status: health::Status::Initializing,
            check_result: 0,
            check_health: 0,
            check_state: 0,
            agent_state: 0,
            backend_id_forced: false,
            id_forced: false,
            fqdn: None,
            srv_record: None,
            tls: false,
            check_port: 0,
            check_addr: None,
            agent_addr: None,
            agent_port: 0,
        }
    }

    fn line(&self, out: &mut String) {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let addr = if self.addr.is_empty() { "-" } else { &self.addr };
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{} {} {} {} {addr} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {}",
            self.backend_id,
            self.backend,
            self.id,
            self.name,
            self.operational,
            self.admin,
            self.user_weight,
            self.initial_weight,
            self.last_change,
            status_number(self.check_status),
            self.check_result,
            self.check_health,
            self.check_state,
            self.agent_state,
            u8::from(self.backend_id_forced),
            u8::from(self.id_forced),
            or_dash(&self.fqdn),
            self.port,
            or_dash(&self.srv_record),
            u8::from(self.tls),
            self.check_port,
            or_dash(&self.check_addr),
            or_dash(&self.agent_addr),
            self.agent_port,
        );
    }
}

/// The number state files carry for a result; two numbers of the sequence are no results of their own.
const fn status_number(status: health::Status) -> u8 {
    use health::Status;
    match status {
        Status::Unknown => 0,
        Status::Initializing => 1,
        Status::Checked => 3,
        Status::Observed => 4,
        Status::SocketError => 5,
        Status::L4Ok => 6,
        Status::L4Timeout => 7,
        Status::L4Connection => 8,
        Status::L6Ok => 9,
        Status::L6Timeout => 10,
        Status::L6Response => 11,
        Status::L7Timeout => 12,
        Status::L7Response => 13,
        Status::L7Ok => 15,
        Status::L7OkConditional => 16,
        Status::L7Status => 17,
        Status::ProcessError => 18,
        Status::ProcessTimeout => 19,
        Status::ProcessOk => 20,
    }
}

/// The connections to a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerConnections {
    /// Name of the backend.
    pub backend: String,
    /// Name of the server.
    pub name: String,
    /// Number of the backend.
    pub backend_id: u32,
    /// Number of the server.
    pub id: u32,
    /// Its address, empty if it has none.
    pub addr: String,
    /// Its port, or what is added to the client's, modulo 2³².
    pub port: u32,
    /// Milliseconds after which idle connections are closed.
    pub purge_delay_ms: u32,
    /// Requests being served.
    pub served: u32,
    /// Connections in use.
    pub used: u32,
    /// Most connections seen in use.
    pub used_max: u32,
    /// Estimate of how many are needed.
    pub needed: u32,
    /// Idle connections that belong to sessions.
    pub idle_sessions: u32,
    /// Idle connections not known to be safe for reuse.
    pub idle_unsafe: u32,
    /// Idle connections known to be safe for reuse.
    pub idle_safe: u32,
    /// Limit of idle connections.
    pub idle_limit: Option<u32>,
    /// Idle connections of each worker.
    pub idle_per_worker: Vec<u32>,
}

impl ServerConnections {
    fn line(&self, out: &mut String) {
        let addr = if self.addr.is_empty() { "-" } else { &self.addr };
        let limit = self.idle_limit.map_or(-1, i64::from);
        let _ = write!(
            out,
            "{}/{} {}/{} {addr} {} - ",
            self.backend, self.name, self.backend_id, self.id, self.port
        );
        let idle: u64 = self.idle_per_worker.iter().map(|idle| u64::from(*idle)).sum();
        for number in
            [self.purge_delay_ms, self.served, self.used, self.used_max, self.needed, self.idle_sessions]
        {
            let _ = write!(out, "{number} ");
        }
        let _ = write!(out, "{} {} {limit} {idle}", self.idle_unsafe, self.idle_safe);
        for idle in &self.idle_per_worker {
            let _ = write!(out, " {idle}");
        }
        out.push('\n');
    }
}

pub(in crate::ctl) fn states(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let backend = backend(exec, request.words.at(3))?;
    let mut out = VERSION.to_owned() + STATE_HEADER;
    exec.control.server_states(backend.as_ref()).iter().for_each(|state| state.line(&mut out));
    Ok(Reply::dump(out))
}

pub(in crate::ctl) fn connections(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let backend = backend(exec, request.words.at(3))?;
    let lines = exec.control.server_connections(backend.as_ref());
    let workers = lines.first().map_or(0, |line| line.idle_per_worker.len());
    let mut out = format!(
        "# bkname/svname bkid/svid addr port - purge_delay served used_cur used_max need_est idle_sess unsafe_nb \
         safe_nb idle_lim idle_cur idle_per_thr[{workers}]\n"
    );
    lines.iter().for_each(|line| line.line(&mut out));
    Ok(Reply::dump(out))
}

fn backend(exec: &Exec<'_>, word: &str) -> Result<Option<ProxyName>, Reply> {
    if word.is_empty() {
        return Ok(None);
    }
    let found = exec.control.find_backend(Proxy::parse(word));
    found.map(Some).ok_or_else(|| Reply::error("Can't find backend."))
}
