//! The process as a whole: what `show info` prints and the statistics page shows at its top.
//!
//! Management manual of HAProxy 3.4, section 9.3, "show info". Positions and names are an interface; 45 and 46 belong to
//! a compression library that is not used here.

use super::counter::Level;
use super::field::Value;
use super::render::{json, typed};
use std::fmt::Write;
use std::time::Duration;

/// Facts about the process.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ProcessInfo {
    /// Name of the product.
    pub product: String,
    /// Its version.
    pub version: String,
    /// Day the version was made, `2026/06/03`.
    pub release_date: String,
    /// Name of the node.
    pub node: String,
    /// Description of the node.
    pub description: String,
    /// Process identifier.
    pub pid: u32,
    /// Worker threads.
    pub threads: u32,
    /// Time since the start.
    pub uptime: Duration,
    /// Start, as time since 1970.
    pub started: Duration,
    /// How long the start took.
    pub boot_time: Duration,
    /// The process is stopping.
    pub stopping: bool,
    /// Limit of memory in bytes, 0 for none.
    pub memory_limit: u64,
    /// Memory of the buffer pools.
    pub pool_allocated: u64,
    /// Memory of the buffer pools in use.
    pub pool_used: u64,
    /// Allocations that failed.
    pub pool_failures: u32,
    /// Limit of file descriptors.
    pub max_fds: u32,
    /// Limit of sockets.
    pub max_sockets: u32,
    /// Limit of connections.
    pub maxconn: u32,
    /// Limit of connections at the start.
    pub hard_maxconn: u32,
    /// How often the limit was reached.
    pub maxconn_reached: u32,
    /// Connections open now.
    pub connections: u32,
    /// Connections since the start.
    pub total_connections: u64,
    /// Requests since the start.
    pub total_requests: u64,
    /// Streams open now.
    pub streams: u64,
    /// Streams since the start.
    pub total_streams: u64,
    /// Limit of TLS connections.
    pub max_tls_connections: u32,
    /// TLS connections open now.
    pub tls_connections: u32,
    /// TLS connections since the start.
    pub total_tls_connections: u64,
    /// Limit of pipes.
    pub max_pipes: u32,
    /// Pipes in use.
    pub pipes_used: u32,
    /// Pipes allocated and free.
    pub pipes_free: u32,
    /// Connections per second.
    pub connection_rate: Level,
    /// Limit of connections per second.
    pub connection_rate_limit: u32,
    /// Sessions per second.
    pub session_rate: Level,
    /// Limit of sessions per second.
    pub session_rate_limit: u32,
    /// TLS connections per second.
    pub tls_rate: Level,
    /// Limit of TLS connections per second.
    pub tls_rate_limit: u32,
    /// Full handshakes with clients per second.
    pub tls_frontend_keys: Level,
    /// Full handshakes with servers per second.
    pub tls_backend_keys: Level,
    /// Percentage of TLS connections that resumed a session.
    pub tls_reuse_percent: u32,
    /// Lookups in the TLS session cache.
    pub tls_cache_lookups: u64,
    /// Lookups in the TLS session cache that found nothing.
    pub tls_cache_misses: u64,
    /// Bytes per second given to compression.
    pub compression_in: u64,
    /// Bytes per second that came out of compression.
    pub compression_out: u64,
    /// Limit of compressed bytes per second.
    pub compression_limit: u32,
    /// Tasks.
    pub tasks: u32,
    /// Tasks ready to run.
    pub run_queue: u32,
    /// Percentage of the last second spent waiting.
    pub idle_percent: u32,
    /// Activities that keep the process alive.
    pub jobs: u32,
    /// Activities that do not keep the process alive.
    pub unstoppable_jobs: u32,
    /// Active listeners.
    pub listeners: u32,
    /// Peers that exchange data.
    pub active_peers: u32,
    /// Peers that are connected.
    pub connected_peers: u32,
    /// Log lines that could not be sent.
    pub dropped_logs: u64,
    /// Log lines received for forwarding.
    pub received_logs: u64,
    /// Name resolutions that failed.
    pub failed_resolutions: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Bytes sent by splicing.
    pub spliced_bytes_out: u64,
    /// Bytes sent in the last second.
    pub bytes_out_rate: u64,
    /// Warnings given.
    pub warnings: u32,
    /// Patterns added to maps and lists.
    pub patterns_added: u64,
    /// Patterns removed from maps and lists.
    pub patterns_freed: u64,
}

impl ProcessInfo {
    /// Appends the plain form, `Name: value` lines; with `describe`, each ends with its description in quotes.
    pub fn plain(&self, out: &mut String, describe: bool) {
        for field in FIELDS {
            let _ = write!(out, "{}: ", field.name);
            match (field.value)(self) {
                Value::Text(text) => out.extend(text.chars().map(|c| if c.is_control() { ' ' } else { c })),
                other => {
                    let _ = write!(out, "{}", other.number().unwrap_or_default());
                }
            }
            self.end_line(out, field, describe);
        }
    }

    /// Appends the typed form.
    pub fn typed(&self, out: &mut String, describe: bool) {
        for field in FIELDS {
            let _ = write!(out, "{}.{}.1:{}:", field.position, field.name, field.tags);
            typed::value(out, &(field.value)(self));
            self.end_line(out, field, describe);
        }
    }

    /// Appends the JSON form with a line end.
    pub fn json(&self, out: &mut String) {
        out.push('[');
        for (index, field) in FIELDS.iter().enumerate() {
            out.push_str(if index > 0 { ",{" } else { "{" });
            json::field(out, field.position, field.name, field.tags, &(field.value)(self));
            out.push('}');
        }
        out.push_str("]\n");
    }

    /// Time since the start as `0d 0h00m23s`.
    pub fn uptime_text(&self) -> String {
        let seconds = self.uptime.as_secs();
        let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
        format!("{days}d {hours}h{:02}m{:02}s", seconds / 60 % 60, seconds % 60)
    }

    fn end_line(&self, out: &mut String, field: &InfoField, describe: bool) {
        if describe {
            let _ = write!(out, ":\"{}\"", field.description);
        }
        out.push('\n');
    }
}

/// How a value appears among the Prometheus metrics, without the prefix `haproxy_process_`.
pub(crate) enum Metric {
    /// Not at all.
    None,
    /// Something that goes up and down.
    Gauge(&'static str),
    /// Something that is only counted up.
    Counter(&'static str),
    /// A constant 1 that carries the value as this label, left out when the value is empty.
    Label(&'static str, &'static str),
}

/// One line of `show info`.
pub(crate) struct InfoField {
    pub(crate) position: usize,
    pub(crate) name: &'static str,
    pub(crate) tags: &'static str,
    pub(crate) metric: Metric,
    pub(crate) value: fn(&ProcessInfo) -> Value,
    pub(crate) description: &'static str,
}

const fn field(
    position: usize,
    name: &'static str,
    tags: &'static str,
    metric: Metric,
    value: fn(&ProcessInfo) -> Value,
    description: &'static str,
) -> InfoField {
    InfoField { position, name, tags, metric, value, description }
}

/// Every line of `show info`, in order.
#[rustfmt::skip]
pub(crate) const FIELDS: &[InfoField] = &[
    field(0, "Name", "POSV", Metric::None, |i| Value::from(text(&i.product)), "name of the product"),
    field(1, "Version", "POSV", Metric::None, |i| Value::from(text(&i.version)), "version of the product"),
    field(2, "Release_date", "POSV", Metric::None, |i| Value::from(text(&i.release_date)), "day the version was made"),
    field(3, "Nbthread", "CGSV", Metric::Gauge("nbthread"), |i| Value::from(i.threads), "worker threads"),
    field(4, "Nbproc", "CGSV", Metric::Gauge("nbproc"), |_| Value::from(1_u32), "processes that carry traffic, always 1"),
    field(5, "Process_num", "KGPV", Metric::Gauge("relative_process_id"), |_| Value::from(1_u32), "relative number of the process"),
    field(6, "Pid", "SGPV", Metric::None, |i| Value::from(i.pid), "process identifier"),
    field(7, "Uptime", "MDPV", Metric::None, |i| Value::from(uptime(i)), "time since the start: days, hours, minutes, seconds"),
    field(8, "Uptime_sec", "MDPV", Metric::Gauge("uptime_seconds"), |i| Value::from(seconds(i.uptime)), "time since the start in seconds"),
    field(9, "Memmax_MB", "CLPV", Metric::None, |i| Value::from(mega(i.memory_limit)), "limit of memory in MB"),
    field(10, "PoolAlloc_MB", "MGPV", Metric::None, |i| Value::from(mega(i.pool_allocated)), "memory of the buffer pools in MB"),
    field(11, "PoolUsed_MB", "MGPV", Metric::None, |i| Value::from(mega(i.pool_used)), "memory of the buffer pools in use in MB"),
    field(12, "PoolFailed", "MCPV", Metric::Counter("pool_failures_total"), |i| Value::from(i.pool_failures), "allocations that failed"),
    field(13, "Ulimit-n", "CLPV", Metric::Gauge("max_fds"), |i| Value::from(i.max_fds), "limit of file descriptors"),
    field(14, "Maxsock", "CLPV", Metric::Gauge("max_sockets"), |i| Value::from(i.max_sockets), "limit of sockets"),
    field(15, "Maxconn", "CLPV", Metric::Gauge("max_connections"), |i| Value::from(i.maxconn), "limit of connections"),
    field(16, "Hard_maxconn", "CLPV", Metric::Gauge("hard_max_connections"), |i| Value::from(i.hard_maxconn), "limit of connections at the start"),
    field(17, "CurrConns", "MGPV", Metric::Gauge("current_connections"), |i| Value::from(i.connections), "connections open now"),
    field(18, "CumConns", "MCPV", Metric::Counter("connections_total"), |i| Value::from(small(i.total_connections)), "connections since the start"),
    field(19, "CumReq", "MCPV", Metric::Counter("requests_total"), |i| Value::from(small(i.total_requests)), "requests since the start"),
    field(20, "MaxSslConns", "MMPV", Metric::Gauge("max_ssl_connections"), |i| Value::from(i.max_tls_connections), "limit of TLS connections"),
    field(21, "CurrSslConns", "MGPV", Metric::Gauge("current_ssl_connections"), |i| Value::from(i.tls_connections), "TLS connections open now"),
    field(22, "CumSslConns", "MCPV", Metric::Counter("ssl_connections_total"), |i| Value::from(small(i.total_tls_connections)), "TLS connections since the start"),
    field(23, "Maxpipes", "CLPV", Metric::Gauge("max_pipes"), |i| Value::from(i.max_pipes), "limit of pipes for splicing"),
    field(24, "PipesUsed", "MGPV", Metric::Counter("pipes_used_total"), |i| Value::from(i.pipes_used), "pipes in use"),
    field(25, "PipesFree", "MGPV", Metric::Counter("pipes_free_total"), |i| Value::from(i.pipes_free), "pipes allocated and free"),
    field(26, "ConnRate", "MRPV", Metric::Gauge("current_connection_rate"), |i| Value::from(small(i.connection_rate.cur)), "connections of the last second"),
    field(27, "ConnRateLimit", "CLPV", Metric::Gauge("limit_connection_rate"), |i| Value::from(i.connection_rate_limit), "limit of connections per second"),
    field(28, "MaxConnRate", "MMPV", Metric::Gauge("max_connection_rate"), |i| Value::from(small(i.connection_rate.max)), "most connections seen in one second"),
    field(29, "SessRate", "MRPV", Metric::Gauge("current_session_rate"), |i| Value::from(small(i.session_rate.cur)), "sessions of the last second"),
    field(30, "SessRateLimit", "CLPV", Metric::Gauge("limit_session_rate"), |i| Value::from(i.session_rate_limit), "limit of sessions per second"),
    field(31, "MaxSessRate", "MRPV", Metric::Gauge("max_session_rate"), |i| Value::from(small(i.session_rate.max)), "most sessions seen in one second"),
    field(32, "SslRate", "MRPV", Metric::Gauge("current_ssl_rate"), |i| Value::from(small(i.tls_rate.cur)), "TLS connections of the last second"),
    field(33, "SslRateLimit", "CLPV", Metric::Gauge("limit_ssl_rate"), |i| Value::from(i.tls_rate_limit), "limit of TLS connections per second"),
    field(34, "MaxSslRate", "MMPV", Metric::Gauge("max_ssl_rate"), |i| Value::from(small(i.tls_rate.max)), "most TLS connections seen in one second"),
    field(35, "SslFrontendKeyRate", "MGPV", Metric::Gauge("current_frontend_ssl_key_rate"), |i| Value::from(small(i.tls_frontend_keys.cur)), "full TLS handshakes with clients in the last second"),
    field(36, "SslFrontendMaxKeyRate", "MMPV", Metric::Gauge("max_frontend_ssl_key_rate"), |i| Value::from(small(i.tls_frontend_keys.max)), "most full TLS handshakes with clients seen in one second"),
    field(37, "SslFrontendSessionReuse_pct", "MGPV", Metric::Gauge("frontend_ssl_reuse"), |i| Value::from(i.tls_reuse_percent), "percentage of TLS connections that resumed a session"),
    field(38, "SslBackendKeyRate", "MRPV", Metric::Gauge("current_backend_ssl_key_rate"), |i| Value::from(small(i.tls_backend_keys.cur)), "full TLS handshakes with servers in the last second"),
    field(39, "SslBackendMaxKeyRate", "MMPV", Metric::Gauge("max_backend_ssl_key_rate"), |i| Value::from(small(i.tls_backend_keys.max)), "most full TLS handshakes with servers seen in one second"),
    field(40, "SslCacheLookups", "MCPV", Metric::Counter("ssl_cache_lookups_total"), |i| Value::from(small(i.tls_cache_lookups)), "lookups in the TLS session cache"),
    field(41, "SslCacheMisses", "MCPV", Metric::Counter("ssl_cache_misses_total"), |i| Value::from(small(i.tls_cache_misses)), "lookups in the TLS session cache that found nothing"),
    field(42, "CompressBpsIn", "MRPV", Metric::Counter("http_comp_bytes_in_total"), |i| Value::from(small(i.compression_in)), "bytes given to compression in the last second"),
    field(43, "CompressBpsOut", "MRPV", Metric::Counter("http_comp_bytes_out_total"), |i| Value::from(small(i.compression_out)), "bytes that came out of compression in the last second"),
    field(44, "CompressBpsRateLim", "CLPV", Metric::Gauge("limit_http_comp"), |i| Value::from(i.compression_limit), "limit of compressed bytes per second"),
    field(47, "Tasks", "MGPV", Metric::Gauge("current_tasks"), |i| Value::from(i.tasks), "tasks"),
    field(48, "Run_queue", "MGPV", Metric::Gauge("current_run_queue"), |i| Value::from(i.run_queue), "tasks ready to run"),
    field(49, "Idle_pct", "MaPV", Metric::Gauge("idle_time_percent"), |i| Value::from(i.idle_percent), "percentage of the last second spent waiting"),
    field(50, "node", "COSV", Metric::Label("node", "node"), |i| Value::from(text(&i.node)), "name of the node"),
    field(51, "description", "COSV", Metric::Label("description", "desc"), |i| Value::from(text(&i.description)), "description of the node"),
    field(52, "Stopping", "MGPV", Metric::Gauge("stopping"), |i| Value::from(u32::from(i.stopping)), "1 while the process is stopping"),
    field(53, "Jobs", "MGPV", Metric::Gauge("jobs"), |i| Value::from(i.jobs), "activities that keep the process alive"),
    field(54, "Unstoppable Jobs", "MGPV", Metric::Gauge("unstoppable_jobs"), |i| Value::from(i.unstoppable_jobs), "activities that do not keep the process alive"),
    field(55, "Listeners", "MGPV", Metric::Gauge("listeners"), |i| Value::from(i.listeners), "active listeners"),
    field(56, "ActivePeers", "MGPV", Metric::Gauge("active_peers"), |i| Value::from(i.active_peers), "peers that exchange data"),
    field(57, "ConnectedPeers", "MGPV", Metric::Gauge("connected_peers"), |i| Value::from(i.connected_peers), "peers that are connected"),
    field(58, "DroppedLogs", "MGPV", Metric::Counter("dropped_logs_total"), |i| Value::from(small(i.dropped_logs)), "log lines that could not be sent"),
    field(59, "BusyPolling", "MGPV", Metric::Gauge("busy_polling_enabled"), |_| Value::from(0_u32), "1 if the workers poll without waiting"),
    field(60, "FailedResolutions", "MGPV", Metric::Counter("failed_resolutions"), |i| Value::from(small(i.failed_resolutions)), "name resolutions that failed"),
    field(61, "TotalBytesOut", "MGPV", Metric::Counter("bytes_out_total"), |i| Value::from(i.bytes_out), "bytes sent"),
    field(62, "TotalSplicedBytesOut", "MGPV", Metric::Counter("spliced_bytes_out_total"), |i| Value::from(i.spliced_bytes_out), "bytes sent by splicing"),
    field(63, "BytesOutRate", "MRPV", Metric::Gauge("bytes_out_rate"), |i| Value::from(i.bytes_out_rate), "bytes sent in the last second"),
    field(64, "DebugCommandsIssued", "MGPV", Metric::None, |_| Value::from(0_u32), "debug commands given"),
    field(65, "CumRecvLogs", "MCPV", Metric::Counter("recv_logs_total"), |i| Value::from(small(i.received_logs)), "log lines received for forwarding"),
    field(66, "Build info", "POSV", Metric::Label("build_info", "version"), |i| Value::from(text(&i.version)), "version and how it was built"),
    field(67, "Memmax_bytes", "CLPV", Metric::Gauge("max_memory_bytes"), |i| Value::from(small(i.memory_limit)), "limit of memory in bytes"),
    field(68, "PoolAlloc_bytes", "MGPV", Metric::Gauge("pool_allocated_bytes"), |i| Value::from(i.pool_allocated), "memory of the buffer pools"),
    field(69, "PoolUsed_bytes", "MGPV", Metric::Gauge("pool_used_bytes"), |i| Value::from(i.pool_used), "memory of the buffer pools in use"),
    field(70, "Start_time_sec", "MDPV", Metric::Gauge("start_time_seconds"), |i| Value::from(seconds(i.started)), "start of the process in seconds since 1970"),
    field(71, "Tainted", "SGPV", Metric::None, |_| Value::from("0"), "bits for unusual things done to the process"),
    field(72, "TotalWarnings", "MCPV", Metric::Counter("total_warnings"), |i| Value::from(i.warnings), "warnings given"),
    field(73, "MaxconnReached", "MCPV", Metric::None, |i| Value::from(i.maxconn_reached), "times the limit of connections was reached"),
    field(74, "BootTime_ms", "MDPV", Metric::None, |i| Value::from(small_ms(i.boot_time)), "milliseconds the start took"),
    field(75, "Niced_tasks", "MGPV", Metric::None, |_| Value::from(0_u32), "tasks with a priority of their own"),
    field(76, "CurrStreams", "MGPV", Metric::None, |i| Value::from(i.streams), "streams open now"),
    field(77, "CumStreams", "MGPV", Metric::None, |i| Value::from(i.total_streams), "streams since the start"),
    field(78, "BlockedTrafficWarnings", "MGPV", Metric::None, |_| Value::from(0_u32), "times a worker was found stuck"),
    field(79, "PatternsAdded", "MGPV", Metric::Gauge("patterns_added_total"), |i| Value::from(i.patterns_added), "patterns added to maps and lists"),
    field(80, "PatternsFreed", "MGPV", Metric::Gauge("patterns_freed_total"), |i| Value::from(i.patterns_freed), "patterns removed from maps and lists"),
    field(81, "NbThreadGroups", "CGSV", Metric::Gauge("nb_thread_groups"), |_| Value::from(1_u32), "groups of worker threads"),
];

fn text(text: &str) -> String {
    text.to_owned()
}

fn uptime(info: &ProcessInfo) -> String {
    info.uptime_text()
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn mega(bytes: u64) -> u32 {
    small(bytes >> 20)
}

fn seconds(duration: Duration) -> u32 {
    small(duration.as_secs())
}

fn small_ms(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_counts_days() {
        let uptime = |seconds| {
            ProcessInfo { uptime: Duration::from_secs(seconds), ..Default::default() }.uptime_text()
        };
        assert_eq!(uptime(23), "0d 0h00m23s");
        assert_eq!(uptime(2 * 86_400 + 13 * 3600 + 61), "2d 13h01m01s");
    }

    #[test]
    fn every_form_names_the_same_fields() {
        let info = ProcessInfo { product: "lb".to_owned(), version: "1\n2".to_owned(), ..Default::default() };
        let (mut plain, mut typed, mut json) = (String::new(), String::new(), String::new());
        info.plain(&mut plain, false);
        info.typed(&mut typed, true);
        info.json(&mut json);
        assert!(plain.starts_with("Name: lb\nVersion: 1 2\n"), "{plain}");
        assert!(typed.starts_with("0.Name.1:POSV:str:lb:\"name of the product\"\n"), "{typed}");
        assert!(typed.contains("\n17.CurrConns.1:MGPV:u32:0:\""));
        assert_eq!(plain.lines().count(), FIELDS.len());
        assert_eq!(typed.lines().count(), FIELDS.len());
        assert_eq!(json.matches("\"field\"").count(), FIELDS.len());
    }

    #[test]
    fn positions_only_grow() {
        assert!(FIELDS.windows(2).all(|pair| pair[0].position < pair[1].position));
    }
}
