//! Snapshots as rows: which column shows what for which kind of line.

use super::counter::Level;
use super::field::{Column, Kind, Row, Value};
use super::snapshot::{
    BackendSnapshot, CheckReport, Durations, FrontendSnapshot, ListenerSnapshot, ModuleCounts, ProxySnapshot,
    ServerSnapshot,
};
use crate::health::Status;
use crate::spec::Mode;

impl ProxySnapshot {
    /// The lines of the proxy in the order of `show stat`: frontend, listeners, servers, backend.
    pub fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        self.rows_where(|_| true)
    }

    /// The same lines with only the servers that `shown` accepts.
    pub fn rows_where<'a>(
        &'a self,
        shown: impl Fn(&ServerSnapshot) -> bool + 'a,
    ) -> impl Iterator<Item = Row> + 'a {
        let frontend = self.frontend.iter().map(|frontend| self.frontend_row(frontend));
        let listeners = self.listeners.iter().map(|listener| self.listener_row(listener));
        let servers =
            self.servers.iter().filter(move |server| shown(server)).map(|server| self.server_row(server));
        let backend = self.backend.iter().map(|backend| self.backend_row(backend));
        frontend.chain(listeners).chain(servers).chain(backend)
    }

    /// The word for the proxy's mode.
    pub const fn mode_word(&self) -> &'static str {
        match self.mode {
            Mode::Tcp => "tcp",
            Mode::Http => "http",
            Mode::Log => "syslog",
        }
    }

    fn start(&self, kind: Kind, name: String, id: u32) -> Row {
        let mut row = Row::new(kind);
        row.set(Column::Pxname, self.name.to_string());
        row.set(Column::Svname, name);
        row.set(Column::Mode, self.mode_word());
        row.set(Column::Pid, 1_u32);
        row.set(Column::Iid, self.id);
        row.set(Column::Sid, id);
        row.set(Column::Type, kind as u32);
        row
    }

    fn frontend_row(&self, frontend: &FrontendSnapshot) -> Row {
        let FrontendSnapshot { counts, .. } = frontend;
        let mut row = self.start(Kind::Frontend, "FRONTEND".to_owned(), 0);
        let http = self.mode == Mode::Http;
        row.set(Column::Status, frontend.state.word());
        level(&mut row, [Column::Scur, Column::Smax], frontend.sessions);
        row.set(Column::Slim, frontend.limit);
        level(&mut row, [Column::Rate, Column::RateMax], frontend.session_rate);
        row.set(Column::RateLim, frontend.rate_limit);
        level(&mut row, [Column::ReqRate, Column::ReqRateMax], frontend.request_rate);
        level(&mut row, [Column::ConnRate, Column::ConnRateMax], frontend.connection_rate);
        let bytes = [counts.request_bytes_in, counts.request_bytes_out];
        transfer(&mut row, bytes, [counts.response_bytes_in, counts.response_bytes_out]);
        for (column, count) in [
            (Column::Stot, counts.sessions),
            (Column::Dreq, counts.denied_requests),
            (Column::Dresp, counts.denied_responses),
            (Column::Ereq, counts.request_errors),
            (Column::ReqTot, counts.requests),
            (Column::CompIn, counts.comp_in),
            (Column::CompOut, counts.comp_out),
            (Column::CompByp, counts.comp_bypassed),
            (Column::CompRsp, counts.comp_responses),
            (Column::ConnTot, counts.connections),
            (Column::Dcon, counts.denied_connections),
            (Column::Dses, counts.denied_sessions),
            (Column::Wrew, counts.failed_rewrites),
            (Column::Eint, counts.internal_errors),
            (Column::SessOther, counts.other_sessions),
            (Column::H1sess, counts.h1_sessions),
            (Column::H2sess, counts.h2_sessions),
            (Column::H3sess, counts.h3_sessions),
            (Column::ReqOther, counts.other_requests),
            (Column::H1req, counts.h1_requests),
            (Column::H2req, counts.h2_requests),
            (Column::H3req, counts.h3_requests),
        ] {
            row.set(column, count);
        }
        if http {
            responses(&mut row, counts.responses);
            row.set(Column::Intercepted, counts.intercepted);
            row.set(Column::CacheLookups, counts.cache_lookups);
            row.set(Column::CacheHits, counts.cache_hits);
        }
        modules(&mut row, &frontend.modules);
        row
    }

    fn listener_row(&self, listener: &ListenerSnapshot) -> Row {
        let ListenerSnapshot { counts, .. } = listener;
        let mut row = self.start(Kind::Listener, listener.name.clone(), listener.id);
        row.set(Column::Status, listener.state.word());
        row.set(Column::Addr, listener.addr.clone());
        row.set(Column::Proto, listener.proto);
        level(&mut row, [Column::Scur, Column::Smax], listener.sessions);
        row.set(Column::Slim, listener.limit);
        let bytes = [counts.request_bytes_in, counts.request_bytes_out];
        transfer(&mut row, bytes, [counts.response_bytes_in, counts.response_bytes_out]);
        for (column, count) in [
            (Column::Stot, counts.sessions),
            (Column::Dreq, counts.denied_requests),
            (Column::Dresp, counts.denied_responses),
            (Column::Ereq, counts.request_errors),
            (Column::ConnTot, counts.connections),
            (Column::Dcon, counts.denied_connections),
            (Column::Dses, counts.denied_sessions),
            (Column::Wrew, counts.failed_rewrites),
            (Column::Eint, counts.internal_errors),
        ] {
            row.set(column, count);
        }
        fill(&mut row, Column::SslSess, &listener.ssl);
        row
    }

    fn server_row(&self, server: &ServerSnapshot) -> Row {
        let mut row = self.start(Kind::Server, server.name.to_string(), server.id);
        row.set(Column::Status, server.status.to_string());
        row.set(Column::Weight, server.weight);
        row.set(Column::Uweight, server.user_weight);
        row.set(Column::Act, u32::from(!server.backup));
        row.set(Column::Bck, u32::from(server.backup));
        row.set(Column::Addr, server.addr.clone());
        row.set(Column::Cookie, server.cookie.clone());
        row.set(Column::Tracked, server.tracks.clone());
        row.set(Column::Srid, server.revision);
        row.set(Column::Lastchg, server.last_change);
        row.set(Column::Qlimit, server.queue_limit);
        row.set(Column::Slim, server.limit);
        if server.throttle < 100 {
            row.set(Column::Throttle, server.throttle);
        }
        level(&mut row, [Column::Qcur, Column::Qmax], server.queue);
        level(&mut row, [Column::Scur, Column::Smax], server.sessions);
        level(&mut row, [Column::Rate, Column::RateMax], server.session_rate);
        row.set(Column::Lastsess, seconds(server.last_session));
        server_counts(&mut row, server, self.mode == Mode::Http);
        durations(&mut row, &server.durations);
        let connections = &server.connections;
        let idle = connections.idle_unsafe + connections.idle_safe;
        row.set(Column::SrvIcur, idle);
        row.set(Column::SrcIlim, connections.idle_limit);
        row.set(Column::IdleConnCur, connections.idle_unsafe);
        row.set(Column::SafeConnCur, connections.idle_safe);
        row.set(Column::PrivIdleCur, connections.idle_private);
        row.set(Column::UsedConnCur, connections.used);
        row.set(Column::NeedConnEst, connections.needed);
        if server.check.is_some() {
            row.set(Column::Chkfail, server.counts.failed_checks);
            row.set(Column::Chkdown, server.counts.went_down);
            row.set(Column::Downtime, server.downtime);
        }
        if let Some(check) = server.check.as_ref().filter(|check| !check.paused) {
            report(&mut row, check, CHECK);
        }
        if let Some(agent) = server.agent.as_ref().filter(|agent| !agent.paused) {
            report(&mut row, agent, AGENT);
        }
        if server.observed {
            row.set(Column::Hanafail, server.counts.observed_failures);
        }
        fill(&mut row, Column::SslSess, &server.ssl);
        row
    }

    fn backend_row(&self, backend: &BackendSnapshot) -> Row {
        let BackendSnapshot { counts, .. } = backend;
        let mut row = self.start(Kind::Backend, "BACKEND".to_owned(), 0);
        row.set(Column::Status, if backend.up { "UP" } else { "DOWN" });
        row.set(Column::Weight, backend.weight);
        row.set(Column::Uweight, backend.user_weight);
        row.set(Column::Act, backend.active);
        row.set(Column::Bck, backend.backups);
        row.set(Column::Algo, backend.algorithm.clone());
        row.set(Column::Cookie, backend.cookie.clone());
        row.set(Column::Lastchg, backend.last_change);
        row.set(Column::Downtime, backend.downtime);
        row.set(Column::Slim, backend.limit);
        level(&mut row, [Column::Qcur, Column::Qmax], backend.queue);
        level(&mut row, [Column::Scur, Column::Smax], backend.sessions);
        level(&mut row, [Column::Rate, Column::RateMax], backend.session_rate);
        row.set(Column::Lastsess, seconds(backend.last_session));
        durations(&mut row, &backend.durations);
        let bytes = [counts.request_bytes_in, counts.request_bytes_out];
        transfer(&mut row, bytes, [counts.response_bytes_in, counts.response_bytes_out]);
        for (column, count) in [
            (Column::Stot, counts.sessions),
            (Column::Lbtot, counts.balanced),
            (Column::Dreq, counts.denied_requests),
            (Column::Dresp, counts.denied_responses),
            (Column::Econ, counts.connection_errors),
            (Column::Eresp, counts.response_errors),
            (Column::Wretr, counts.retries),
            (Column::Wredis, counts.redispatches),
            (Column::Chkdown, counts.went_down),
            (Column::CliAbrt, counts.client_aborts),
            (Column::SrvAbrt, counts.server_aborts),
            (Column::CompIn, counts.comp_in),
            (Column::CompOut, counts.comp_out),
            (Column::CompByp, counts.comp_bypassed),
            (Column::CompRsp, counts.comp_responses),
            (Column::Wrew, counts.failed_rewrites),
            (Column::Eint, counts.internal_errors),
            (Column::Connect, counts.connects),
            (Column::Reuse, counts.reuses),
        ] {
            row.set(column, count);
        }
        for column in [Column::AggServerStatus, Column::AggServerCheckStatus, Column::AggCheckStatus] {
            row.set(column, 0_u32);
        }
        if self.mode == Mode::Http {
            responses(&mut row, counts.responses);
            row.set(Column::ReqTot, counts.requests);
            row.set(Column::CacheLookups, counts.cache_lookups);
            row.set(Column::CacheHits, counts.cache_hits);
        }
        modules(&mut row, &backend.modules);
        row
    }
}

fn server_counts(row: &mut Row, server: &ServerSnapshot, http: bool) {
    let counts = &server.counts;
    let bytes = [counts.request_bytes_in, counts.request_bytes_out];
    transfer(row, bytes, [counts.response_bytes_in, counts.response_bytes_out]);
    for (column, count) in [
        (Column::Stot, counts.sessions),
        (Column::Lbtot, counts.balanced),
        (Column::Dresp, counts.denied_responses),
        (Column::Econ, counts.connection_errors),
        (Column::Eresp, counts.response_errors),
        (Column::Wretr, counts.retries),
        (Column::Wredis, counts.redispatches),
        (Column::CliAbrt, counts.client_aborts),
        (Column::SrvAbrt, counts.server_aborts),
        (Column::Wrew, counts.failed_rewrites),
        (Column::Eint, counts.internal_errors),
        (Column::Connect, counts.connects),
        (Column::Reuse, counts.reuses),
    ] {
        row.set(column, count);
    }
    if http {
        responses(row, counts.responses);
        row.set(Column::ReqTot, counts.requests);
    }
}

/// Columns of a check: status, code, duration, text, description, rise, fall, health.
type CheckColumns = [Column; 8];

const CHECK: CheckColumns = [
    Column::CheckStatus,
    Column::CheckCode,
    Column::CheckDuration,
    Column::LastChk,
    Column::CheckDesc,
    Column::CheckRise,
    Column::CheckFall,
    Column::CheckHealth,
];

const AGENT: CheckColumns = [
    Column::AgentStatus,
    Column::AgentCode,
    Column::AgentDuration,
    Column::LastAgt,
    Column::AgentDesc,
    Column::AgentRise,
    Column::AgentFall,
    Column::AgentHealth,
];

fn report(row: &mut Row, check: &CheckReport, columns: CheckColumns) {
    let [status, code, duration, text, description, rise, fall, health] = columns;
    let star = if check.running { "* " } else { "" };
    row.set(status, format!("{star}{}", check.status.code()));
    if check.status.has_code() {
        row.set(code, check.code);
    }
    if check.status >= Status::Checked {
        row.set(duration, check.duration_ms);
    }
    row.set(text, check.info.clone());
    row.set(description, check.status.description());
    row.set(rise, check.rise);
    row.set(fall, check.fall);
    row.set(health, check.health);
}

fn level(row: &mut Row, [cur, max]: [Column; 2], level: Level) {
    row.set(cur, clamp(level.cur));
    row.set(max, clamp(level.max));
}

fn durations(row: &mut Row, durations: &Durations) {
    level(row, [Column::Qtime, Column::QtimeMax], durations.queue);
    level(row, [Column::Ctime, Column::CtimeMax], durations.connect);
    level(row, [Column::Rtime, Column::RtimeMax], durations.response);
    level(row, [Column::Ttime, Column::TtimeMax], durations.total);
}

fn transfer(row: &mut Row, request: [u64; 2], response: [u64; 2]) {
    row.set(Column::Bin, request[0]);
    row.set(Column::Bout, response[0]);
    row.set(Column::Reqbin, request[0]);
    row.set(Column::Reqbout, request[1]);
    row.set(Column::Resbin, response[0]);
    row.set(Column::Resbout, response[1]);
}

fn responses(row: &mut Row, responses: [u64; 6]) {
    fill(row, Column::Hrsp1xx, &responses);
}

fn modules(row: &mut Row, modules: &ModuleCounts) {
    fill(row, Column::SslSess, &modules.ssl);
    fill(row, Column::H2HeadersRcvd, &modules.h2);
    fill(row, Column::H1OpenConnections, &modules.h1);
}

/// Sets consecutive columns.
fn fill(row: &mut Row, first: Column, values: &[u64]) {
    for (column, value) in Column::ALL[first.position()..].iter().zip(values) {
        row.set(*column, *value);
    }
}

fn clamp(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn seconds(age: Option<u32>) -> Value {
    let age = age.map_or(-1, |age| i32::try_from(age).unwrap_or(i32::MAX));
    Value::S32(age)
}
