//! The metrics of HAProxy's Prometheus exporter, with the names dashboards query.
//!
//! A metric family is a column of the statistics with a unit: durations become seconds, states become one time series
//! per state. What a proxy or server has no value for is `NaN`, except where the family does not apply to it at all (HTTP
//! counters of a TCP proxy, check results of a server without checks).

use crate::health::Status;
use crate::stats::field::{Column, Kind, Row, Value};
use crate::stats::info::{FIELDS, Metric, ProcessInfo};
use std::fmt::Write;

/// Media type of the answer.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4";

/// Which families to write.
#[expect(clippy::exhaustive_structs, reason = "plain data: the parameters of the exporter's address")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The process (`scope=global`).
    pub process: bool,
    /// Frontends (`scope=frontend`).
    pub frontends: bool,
    /// Listeners (`scope=listener`).
    pub listeners: bool,
    /// Backends (`scope=backend`).
    pub backends: bool,
    /// Servers (`scope=server`).
    pub servers: bool,
    /// Leave out servers in maintenance (`no-maint`).
    pub no_maint: bool,
    /// Include the counters of the protocol modules (`extra-counters`).
    pub modules: bool,
}

impl Selection {
    /// Everything but the modules.
    pub const ALL: Self = Self {
        process: true,
        frontends: true,
        listeners: true,
        backends: true,
        servers: true,
        no_maint: false,
        modules: false,
    };

    /// Reads the query of the exporter's address. The first `scope` replaces "everything", `scope=*` restores it and an
    /// empty one selects nothing. Unknown parameters are ignored; an unknown scope is an error (answered with 400).
    pub fn parse(query: &str) -> Result<Self, UnknownScope> {
        let mut selection = Self::ALL;
        let mut scoped = false;
        for parameter in query.split('&') {
            match parameter.split_once('=') {
                Some(("scope", scope)) => {
                    if !scoped || scope.is_empty() {
                        selection.set_all(false);
                        scoped = true;
                    }
                    selection.include(scope)?;
                }
                _ if parameter.split('=').next() == Some("no-maint") => selection.no_maint = true,
                _ if parameter.split('=').next() == Some("extra-counters") => selection.modules = true,
                _ => {}
            }
        }
        Ok(selection)
    }

    fn include(&mut self, scope: &str) -> Result<(), UnknownScope> {
        match scope {
            "" | "sticktable" | "resolver" => {}
            "*" => self.set_all(true),
            "global" => self.process = true,
            "frontend" => self.frontends = true,
            "listener" => self.listeners = true,
            "backend" => self.backends = true,
            "server" => self.servers = true,
            _ => return Err(UnknownScope),
        }
        Ok(())
    }

    fn set_all(&mut self, on: bool) {
        (self.process, self.frontends, self.listeners, self.backends, self.servers) = (on, on, on, on, on);
    }
}

/// The address names a scope that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope")]
#[non_exhaustive]
pub struct UnknownScope;

/// Appends the selected families. `rows` are the rows of all proxies, in order.
pub fn render(out: &mut String, info: &ProcessInfo, rows: &[Row], selection: Selection) {
    if selection.process {
        process(out, info);
    }
    let kinds = [
        (Kind::Frontend, selection.frontends),
        (Kind::Listener, selection.listeners),
        (Kind::Backend, selection.backends),
        (Kind::Server, selection.servers),
    ];
    for (kind, _) in kinds.into_iter().filter(|(_, wanted)| *wanted) {
        let hidden = |row: &Row| selection.no_maint && status(row).starts_with("MAINT");
        let lines: Vec<_> = rows.iter().filter(|row| row.kind() == kind && !hidden(row)).collect();
        if lines.is_empty() {
            continue;
        }
        for family in FAMILIES.iter().filter(|family| family.kinds & bit(kind) != 0) {
            family.write(out, kind, &lines, rows);
        }
        if selection.modules {
            modules(out, kind, &lines);
        }
    }
}

fn process(out: &mut String, info: &ProcessInfo) {
    for field in FIELDS {
        let value = (field.value)(info);
        let (name, kind) = match field.metric {
            Metric::None => continue,
            Metric::Label(..) if matches!(&value, Value::Text(text) if text.is_empty()) => continue,
            Metric::Gauge(name) | Metric::Label(name, _) => (name, GAUGE),
            Metric::Counter(name) => (name, COUNTER),
        };
        head(out, &format!("haproxy_process_{name}"), kind, field.description);
        let _ = match (&field.metric, value) {
            (Metric::Label(_, label), Value::Text(text)) => {
                let _ = write!(out, "haproxy_process_{name}{{{label}=\"");
                escape(out, &text);
                writeln!(out, "\"}} 1")
            }
            (_, value) => writeln!(out, "haproxy_process_{name} {}", value.number().unwrap_or_default()),
        };
    }
}

const GAUGE: &str = "gauge";
const COUNTER: &str = "counter";

const F: u8 = bit(Kind::Frontend);
const L: u8 = bit(Kind::Listener);
const B: u8 = bit(Kind::Backend);
const S: u8 = bit(Kind::Server);

const fn bit(kind: Kind) -> u8 {
    1 << kind as u8
}

/// How a column becomes time series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// The number, `NaN` if there is none.
    Number,
    /// Milliseconds as seconds.
    Millis,
    /// The number, only in HTTP mode.
    Http,
    /// The number, only for servers with this kind of check; 0 until there is one.
    Checked,
    /// Milliseconds as seconds, only for servers with this kind of check.
    CheckedMillis,
    /// One series per class of responses, only in HTTP mode.
    Responses,
    /// One series per state of the line.
    State,
    /// One series per result of a check, only for servers with this kind of check.
    CheckStatus,
    /// One series per state of a server, counting the servers of the backend.
    ServersByState,
    /// One series per result of a check, counting the servers of the backend.
    ServersByCheck,
}

struct Family {
    column: Column,
    name: &'static str,
    metric: &'static str,
    kinds: u8,
    form: Form,
}

const fn family(column: Column, name: &'static str, metric: &'static str, kinds: u8, form: Form) -> Family {
    Family { column, name, metric, kinds, form }
}

/// Every family in the order of the exporter.
#[rustfmt::skip]
const FAMILIES: &[Family] = &[
    family(Column::Qcur, "current_queue", GAUGE, B | S, Form::Number),
    family(Column::Qmax, "max_queue", GAUGE, B | S, Form::Number),
    family(Column::Scur, "current_sessions", GAUGE, F | L | B | S, Form::Number),
    family(Column::Smax, "max_sessions", GAUGE, F | L | B | S, Form::Number),
    family(Column::Slim, "limit_sessions", GAUGE, F | L | B | S, Form::Number),
    family(Column::Stot, "sessions_total", COUNTER, F | L | B | S, Form::Number),
    family(Column::Bin, "bytes_in_total", COUNTER, F | L | B | S, Form::Number),
    family(Column::Bout, "bytes_out_total", COUNTER, F | L | B | S, Form::Number),
    family(Column::Dreq, "requests_denied_total", COUNTER, F | L | B, Form::Number),
    family(Column::Dresp, "responses_denied_total", COUNTER, F | L | B | S, Form::Number),
    family(Column::Ereq, "request_errors_total", COUNTER, F | L, Form::Number),
    family(Column::Econ, "connection_errors_total", COUNTER, B | S, Form::Number),
    family(Column::Eresp, "response_errors_total", COUNTER, B | S, Form::Number),
    family(Column::Wretr, "retry_warnings_total", COUNTER, B | S, Form::Number),
    family(Column::Wredis, "redispatch_warnings_total", COUNTER, B | S, Form::Number),
    family(Column::Status, "status", GAUGE, F | L | B | S, Form::State),
    family(Column::Weight, "weight", GAUGE, B | S, Form::Number),
    family(Column::Act, "active_servers", GAUGE, B, Form::Number),
    family(Column::Act, "active", GAUGE, S, Form::Number),
    family(Column::Bck, "backup_servers", GAUGE, B, Form::Number),
    family(Column::Bck, "backup", GAUGE, S, Form::Number),
    family(Column::Chkfail, "check_failures_total", COUNTER, S, Form::Number),
    family(Column::Chkdown, "check_up_down_total", COUNTER, B | S, Form::Number),
    family(Column::Lastchg, "check_last_change_seconds", GAUGE, B | S, Form::Number),
    family(Column::Downtime, "downtime_seconds_total", COUNTER, B | S, Form::Number),
    family(Column::Qlimit, "queue_limit", GAUGE, S, Form::Number),
    family(Column::Throttle, "current_throttle", GAUGE, S, Form::Number),
    family(Column::Lbtot, "loadbalanced_total", COUNTER, B | S, Form::Number),
    family(Column::Rate, "current_session_rate", GAUGE, F | B | S, Form::Number),
    family(Column::RateLim, "limit_session_rate", GAUGE, F, Form::Number),
    family(Column::RateMax, "max_session_rate", GAUGE, F | B | S, Form::Number),
    family(Column::CheckStatus, "check_status", GAUGE, S, Form::CheckStatus),
    family(Column::CheckCode, "check_code", GAUGE, S, Form::Checked),
    family(Column::CheckDuration, "check_duration_seconds", GAUGE, S, Form::CheckedMillis),
    family(Column::Hrsp1xx, "http_responses_total", COUNTER, F | B | S, Form::Responses),
    family(Column::ReqRateMax, "http_requests_rate_max", GAUGE, F, Form::Http),
    family(Column::ReqTot, "http_requests_total", COUNTER, F | B | S, Form::Http),
    family(Column::CliAbrt, "client_aborts_total", COUNTER, B | S, Form::Number),
    family(Column::SrvAbrt, "server_aborts_total", COUNTER, B | S, Form::Number),
    family(Column::CompIn, "http_comp_bytes_in_total", COUNTER, F | B, Form::Http),
    family(Column::CompOut, "http_comp_bytes_out_total", COUNTER, F | B, Form::Http),
    family(Column::CompByp, "http_comp_bytes_bypassed_total", COUNTER, F | B, Form::Http),
    family(Column::CompRsp, "http_comp_responses_total", COUNTER, F | B, Form::Http),
    family(Column::Lastsess, "last_session_seconds", GAUGE, B | S, Form::Number),
    family(Column::Qtime, "queue_time_average_seconds", GAUGE, B | S, Form::Millis),
    family(Column::Ctime, "connect_time_average_seconds", GAUGE, B | S, Form::Millis),
    family(Column::Rtime, "response_time_average_seconds", GAUGE, B | S, Form::Millis),
    family(Column::Ttime, "total_time_average_seconds", GAUGE, B | S, Form::Millis),
    family(Column::AgentStatus, "agent_status", GAUGE, S, Form::CheckStatus),
    family(Column::AgentCode, "agent_code", GAUGE, S, Form::Checked),
    family(Column::AgentDuration, "agent_duration_seconds", GAUGE, S, Form::CheckedMillis),
    family(Column::ConnRateMax, "connections_rate_max", GAUGE, F, Form::Number),
    family(Column::ConnTot, "connections_total", COUNTER, F | L, Form::Number),
    family(Column::Intercepted, "intercepted_requests_total", COUNTER, F, Form::Http),
    family(Column::Dcon, "denied_connections_total", COUNTER, F | L, Form::Number),
    family(Column::Dses, "denied_sessions_total", COUNTER, F | L, Form::Number),
    family(Column::Wrew, "failed_header_rewriting_total", COUNTER, F | L | B | S, Form::Number),
    family(Column::Connect, "connection_attempts_total", COUNTER, B | S, Form::Number),
    family(Column::Reuse, "connection_reuses_total", COUNTER, B | S, Form::Number),
    family(Column::CacheLookups, "http_cache_lookups_total", COUNTER, F | B, Form::Http),
    family(Column::CacheHits, "http_cache_hits_total", COUNTER, F | B, Form::Http),
    family(Column::SrvIcur, "idle_connections_current", GAUGE, S, Form::Number),
    family(Column::SrcIlim, "idle_connections_limit", GAUGE, S, Form::Number),
    family(Column::QtimeMax, "max_queue_time_seconds", GAUGE, B | S, Form::Millis),
    family(Column::CtimeMax, "max_connect_time_seconds", GAUGE, B | S, Form::Millis),
    family(Column::RtimeMax, "max_response_time_seconds", GAUGE, B | S, Form::Millis),
    family(Column::TtimeMax, "max_total_time_seconds", GAUGE, B | S, Form::Millis),
    family(Column::Eint, "internal_errors_total", COUNTER, F | L | B | S, Form::Number),
    family(Column::IdleConnCur, "unsafe_idle_connections_current", GAUGE, S, Form::Number),
    family(Column::SafeConnCur, "safe_idle_connections_current", GAUGE, S, Form::Number),
    family(Column::UsedConnCur, "used_connections_current", GAUGE, S, Form::Number),
    family(Column::NeedConnEst, "need_connections_current", GAUGE, S, Form::Number),
    family(Column::Uweight, "uweight", GAUGE, B | S, Form::Number),
    family(Column::AggServerStatus, "agg_server_status", GAUGE, B, Form::ServersByState),
    family(Column::AggServerCheckStatus, "agg_server_check_status", GAUGE, B, Form::ServersByState),
    family(Column::AggCheckStatus, "agg_check_status", GAUGE, B, Form::ServersByCheck),
    family(Column::PrivIdleCur, "private_idle_connections_current", GAUGE, S, Form::Number),
    family(Column::Reqbin, "req_bytes_in_total", COUNTER, F | L | B | S, Form::Number),
    family(Column::Reqbout, "req_bytes_out_total", COUNTER, F | L | B | S, Form::Number),
    family(Column::Resbin, "res_bytes_in_total", COUNTER, F | L | B | S, Form::Number),
    family(Column::Resbout, "res_bytes_out_total", COUNTER, F | L | B | S, Form::Number),
];

impl Family {
    fn write(&self, out: &mut String, kind: Kind, lines: &[&Row], rows: &[Row]) {
        let name = format!("haproxy_{}_{}", prefix(kind), self.name);
        let mut body = String::new();
        for row in lines {
            self.series(&mut body, &name, row, rows);
        }
        if !body.is_empty() {
            head(out, &name, self.metric, self.column.description());
            out.push_str(&body);
        }
    }

    /// Appends the time series of one row.
    fn series(&self, out: &mut String, name: &str, row: &Row, rows: &[Row]) {
        let value = row.value(self.column);
        let http = matches!(row.value(Column::Mode), Value::Text(mode) if mode == "http");
        let agent = self.column >= Column::AgentStatus && self.column <= Column::AgentDuration;
        let status_column = if agent { Column::AgentStatus } else { Column::CheckStatus };
        let checked = *row.value(status_column) != Value::Empty;
        match self.form {
            Form::Number => sample(out, name, row, None, &number(value)),
            Form::Millis => sample(out, name, row, None, &seconds(value)),
            Form::Http if http => sample(out, name, row, None, &number(value)),
            Form::Checked if checked => {
                sample(out, name, row, None, &value.number().unwrap_or(0).to_string())
            }
            Form::CheckedMillis if checked => sample(out, name, row, None, &seconds(value)),
            Form::Responses if http => {
                let classes = ["1xx", "2xx", "3xx", "4xx", "5xx", "other"];
                for (class, column) in classes.into_iter().zip(&Column::ALL[self.column.position()..]) {
                    sample(out, name, row, Some(("code", class)), &number(row.value(*column)));
                }
            }
            Form::State => states(out, name, row),
            Form::CheckStatus if checked => {
                let current = check_word(row, self.column);
                for word in check_words() {
                    let value = if word == current { "1" } else { "0" };
                    sample(out, name, row, Some(("state", word)), value);
                }
            }
            Form::ServersByState => {
                for state in SERVER_STATES {
                    let count =
                        servers_of(row, rows).filter(|server| server_state(status(server)) == state).count();
                    sample(out, name, row, Some(("state", state)), &count.to_string());
                }
            }
            Form::ServersByCheck => {
                for word in check_words() {
                    let has = |server: &&Row| check_word(server, Column::CheckStatus) == word;
                    let count = servers_of(row, rows).filter(has).count();
                    sample(out, name, row, Some(("state", word)), &count.to_string());
                }
            }
            Form::Http | Form::Checked | Form::CheckedMillis | Form::Responses | Form::CheckStatus => {}
        }
    }
}

const SERVER_STATES: [&str; 5] = ["DOWN", "UP", "MAINT", "DRAIN", "NOLB"];

fn states(out: &mut String, name: &str, row: &Row) {
    let word = status(row);
    let (current, all): (&str, &[&str]) = match row.kind() {
        Kind::Frontend => (if word == "STOP" || word == "PAUSED" { "DOWN" } else { "UP" }, &["DOWN", "UP"]),
        Kind::Backend => (word, &["DOWN", "UP"]),
        Kind::Listener => (word, &["WAITING", "OPEN", "FULL"]),
        Kind::Server => (server_state(word), &SERVER_STATES),
    };
    for state in all {
        sample(out, name, row, Some(("state", state)), if *state == current { "1" } else { "0" });
    }
}

/// The state a server's status belongs to; a server that is not checked counts as up.
fn server_state(status: &str) -> &'static str {
    let found = SERVER_STATES.into_iter().find(|state| status.starts_with(state));
    found.unwrap_or("UP")
}

fn status(row: &Row) -> &str {
    text(row, Column::Status)
}

fn text(row: &Row, column: Column) -> &str {
    match row.value(column) {
        Value::Text(text) => text,
        _ => "",
    }
}

fn check_word(row: &Row, column: Column) -> &str {
    text(row, column).trim_start_matches("* ")
}

fn check_words() -> impl Iterator<Item = &'static str> {
    Status::ALL.into_iter().filter(|status| *status >= Status::Observed).map(Status::code)
}

fn servers_of<'a>(backend: &Row, rows: &'a [Row]) -> impl Iterator<Item = &'a Row> {
    let proxy = backend.identity().0;
    rows.iter().filter(move |row| row.kind() == Kind::Server && row.identity().0 == proxy)
}

fn modules(out: &mut String, kind: Kind, lines: &[&Row]) {
    for column in &Column::ALL[Column::FIRST_OF_MODULES.position()..] {
        if lines.iter().all(|row| *row.value(*column) == Value::Empty) {
            continue;
        }
        let name = format!("haproxy_{}_{}", prefix(kind), column.name());
        head(out, &name, COUNTER, column.description());
        for row in lines {
            sample(out, &name, row, None, &number(row.value(*column)));
        }
    }
}

const fn prefix(kind: Kind) -> &'static str {
    match kind {
        Kind::Frontend => "frontend",
        Kind::Listener => "listener",
        Kind::Backend => "backend",
        Kind::Server => "server",
    }
}

fn head(out: &mut String, name: &str, metric: &str, description: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "# HELP {name} {description}\n# TYPE {name} {metric}");
}

fn sample(out: &mut String, name: &str, row: &Row, extra: Option<(&str, &str)>, value: &str) {
    out.push_str(name);
    out.push_str("{proxy=\"");
    escape(out, text(row, Column::Pxname));
    let label = match row.kind() {
        Kind::Server => Some("server"),
        Kind::Listener => Some("listener"),
        Kind::Frontend | Kind::Backend => None,
    };
    if let Some(label) = label {
        let _ = write!(out, "\",{label}=\"");
        escape(out, text(row, Column::Svname));
    }
    if let Some((label, text)) = extra {
        let _ = write!(out, "\",{label}=\"{text}");
    }
    let _ = writeln!(out, "\"}} {value}");
}

fn number(value: &Value) -> String {
    value.number().map_or_else(|| "NaN".to_owned(), |number| number.to_string())
}

fn seconds(value: &Value) -> String {
    let millis = value.number().unwrap_or(0);
    format!("{}.{:03}000", millis / 1000, millis % 1000)
}

fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_narrow_what_is_written() {
        assert_eq!(Selection::parse(""), Ok(Selection::ALL));
        let one = Selection::parse("scope=server&no-maint").unwrap();
        assert!(one.servers && one.no_maint && !one.process && !one.backends);
        let two = Selection::parse("scope=global&scope=backend").unwrap();
        assert!(two.process && two.backends && !two.servers);
        assert_eq!(Selection::parse("scope=server&scope=*"), Ok(Selection::ALL));
        assert!(!Selection::parse("scope=").unwrap().process);
        assert_eq!(Selection::parse("scope=nonsense"), Err(UnknownScope));
    }

    #[test]
    fn labels_are_escaped() {
        let mut out = String::new();
        escape(&mut out, "a\"b\\c\nd");
        assert_eq!(out, "a\\\"b\\\\c\\nd");
    }

    #[test]
    fn milliseconds_become_seconds() {
        assert_eq!(seconds(&Value::U32(1234)), "1.234000");
        assert_eq!(seconds(&Value::Empty), "0.000000");
    }
}
