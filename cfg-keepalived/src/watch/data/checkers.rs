//! The section about checkers.

use super::super::Watch;
use super::{Whose, checks, decimal, pair};
use crate::config::{
    Check, CheckKind, Config, Connection, HttpCheck, HttpUrl, MiscCheck, Scheduling, UdpCheck,
};
use crate::lower::{Timing, alpha, helo_name, inherited, logs_all, query_type, real_name};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;
use vrrp::dump::{line, yes};

/// Every checker, in the order of the file.
pub(super) fn all(out: &mut String, watch: &Watch, config: &Config) {
    let mut title = "------< Health checkers >------\n";
    for ((server, real), at, check) in checks(config) {
        let service = watch.services.get(&server.label());
        let member = service.and_then(|service| service.servers.get(&real_name(server, real, config)));
        let Some(state) = member.and_then(|member| member.checkers.get(at)) else { continue };
        out.push_str(std::mem::take(&mut title));
        let _ = writeln!(out, " {}", pair((server, real)));
        line(out, 3, "Enabled", "yes");
        line(out, 3, "Up", yes(state.up));
        let when = Timing::of(check, server, real);
        timing(out, check, (server, real), &when);
        line(out, 3, "Log all failures", yes(logs_all(check, config)));
        connections(out, check, real.address.value, when.patience);
        method(out, check, config);
    }
}

/// When it is done. A file and a session are looked at of their own.
fn timing(out: &mut String, check: &Check, (server, real): Whose<'_>, when: &Timing) {
    if matches!(check.kind, CheckKind::File(_) | CheckKind::Bfd(_)) {
        return;
    }
    let micros = |time: Duration| format!("{} us", time.as_micros());
    line(out, 3, "Alpha", yes(alpha(check, (server, real))));
    line(out, 3, "Delay loop", micros(when.every));
    if let Some(warmup) = Scheduling::first(&inherited(check, server, real), |of| of.warmup) {
        line(out, 3, "Warmup", micros(warmup));
    }
    let retries = when.tries.saturating_sub(1);
    line(out, 3, "Retries", retries);
    if retries > 0 {
        line(out, 3, "Delay before retry", micros(when.again));
    }
}

/// Where it connects to, and from where.
fn connections(out: &mut String, check: &Check, server: SocketAddr, timeout: Duration) {
    let hosts = match &check.kind {
        CheckKind::Misc(_) | CheckKind::File(_) | CheckKind::Bfd(_) => return,
        CheckKind::Smtp(smtp) => &smtp.hosts[..],
        _ => &[],
    };
    let own = std::slice::from_ref(&check.connection);
    for connection in if hosts.is_empty() { own } else { hosts } {
        connection_lines(out, connection, server, timeout);
    }
}

fn connection_lines(out: &mut String, of: &Connection, server: SocketAddr, timeout: Duration) {
    out.push_str("   Connection\n");
    let ip = of.connect_ip.map_or_else(|| server.ip(), |ip| ip.value);
    let port = of.connect_port.map_or_else(|| server.port(), |port| port.value);
    line(out, 5, "Dest", format_args!("[{ip}]:{port}"));
    if let Some(ip) = of.bindto {
        let port = of.bind_port.map_or(0, |port| port.value);
        line(out, 5, "Bind to", format_args!("[{}]:{port}", ip.value));
    }
    if let Some(interface) = &of.bind_if {
        line(out, 5, "Bind i/f", &interface.value);
    }
    if let Some(mark) = of.fwmark.filter(|mark| mark.value != 0) {
        line(out, 5, "Mark", mark.value);
    }
    line(out, 5, "Timeout", decimal(timeout));
}

fn method(out: &mut String, check: &Check, config: &Config) {
    let name = match &check.kind {
        CheckKind::Tcp => "TCP_CHECK",
        CheckKind::Ping => "PING_CHECK",
        CheckKind::Smtp(_) => "SMTP_CHECK",
        CheckKind::Dns(_) => "DNS_CHECK",
        CheckKind::Misc(_) => "MISC_CHECK",
        CheckKind::Udp(_) => "UDP_CHECK",
        CheckKind::File(_) => "FILE_CHECK",
        CheckKind::Bfd(_) => "BFD_CHECK",
        CheckKind::Http(http) => return self::http(out, http),
    };
    line(out, 3, "Keepalive method", name);
    match &check.kind {
        CheckKind::Smtp(smtp) => line(out, 3, "helo", helo_name(smtp, config)),
        CheckKind::Dns(dns) => {
            line(out, 3, "Type", query_type(dns).0);
            line(out, 3, "Name", dns.asked());
        }
        CheckKind::Misc(misc) => self::misc(out, misc),
        CheckKind::Udp(udp) => self::udp(out, udp),
        CheckKind::File(file) => line(out, 5, "Tracked file", &file.track_file.value),
        CheckKind::Bfd(name) => line(out, 3, "Name", &name.value),
        CheckKind::Tcp | CheckKind::Ping | CheckKind::Http(_) => {}
    }
}

fn http(out: &mut String, http: &HttpCheck) {
    let method = if http.tls { "SSL_GET" } else { "HTTP_GET" };
    line(out, 3, "Keepalive method", format_args!("{method}, http protocol {}", http.protocol()));
    if let Some(host) = &http.virtualhost {
        line(out, 3, "Virtualhost", &host.value);
    }
    let set = if http.enable_sni.is_some_and(|on| on.value) { "set" } else { "unset" };
    let _ = writeln!(out, "   Enable SNI {set}");
    http.urls.iter().for_each(|of| url(out, of));
}

fn url(out: &mut String, url: &HttpUrl) {
    line(out, 3, "Checked url", url.target());
    if let Some(digest) = &url.digest {
        let digits: String = digest.value.iter().map(|octet| format!("{octet:02x}")).collect();
        line(out, 5, "digest", digits);
    }
    out.push_str("     HTTP Status Code(s)\n");
    for range in url.codes() {
        let _ = match (range.start(), range.end()) {
            (only, last) if only == last => writeln!(out, "       {only}"),
            (first, last) => writeln!(out, "       {first}-{last}"),
        };
    }
    if let Some(host) = &url.virtualhost {
        line(out, 5, "Virtual host", &host.value);
    }
    if let Some(regex) = &url.regex {
        line(out, 5, "Regex", format_args!("\"{}\"", regex.value));
        if url.regex_no_match.is_some_and(|no| no.value) {
            out.push_str("     Regex no match\n");
        }
        let options: String = url.regex_options.iter().map(|option| format!(" {option}")).collect();
        let _ = writeln!(out, "     Regex options:{options}");
    }
}

fn misc(out: &mut String, misc: &MiscCheck) {
    line(out, 3, "script", misc.misc_path.quoted());
    line(out, 3, "timeout", misc.misc_timeout.map_or(0, |timeout| timeout.value.as_secs()));
    let dynamic = misc.misc_dynamic.is_some_and(|on| on.value);
    line(out, 3, "dynamic", if dynamic { "YES" } else { "NO" });
}

fn udp(out: &mut String, udp: &UdpCheck) {
    match &udp.payload {
        Some(payload) => line(out, 3, "Payload len", payload.value.len().div_ceil(2)),
        None => line(out, 3, "Payload specified", "no"),
    }
    line(out, 3, "Require reply", yes(udp.require_reply.is_some()));
    let Some(reply) = &udp.require_reply else { return };
    line(out, 5, "Min reply length", udp.min_reply_length.map_or(0, |length| length.value));
    if let Some(length) = udp.max_reply_length {
        line(out, 5, "Max reply length", length.value);
    }
    line(out, 5, "Reply data len", reply.value.len().div_ceil(2));
    if !reply.value.is_empty() {
        line(out, 5, "Reply data mask", yes(reply.value.contains(['x', 'X'])));
    }
}
