//! The checkers of a real server as one check.

use super::timing::{Timing, inherited};
use crate::config::{
    Check, CheckKind, Config, Connection, DnsCheck, FileCheck, HttpCheck, HttpUrl, MiscCheck, RealServer,
    Scheduling, SmtpCheck, TrackFile, UdpCheck, VirtualServer, Weight,
};
use crate::probe::{
    Elsewhere, Exchange, FileNumber, Judge, Member, Program, Scale, Sequence, Session, Together,
};
use lb_core::diag::Spanned;
use lb_core::expr::Regex;
use lb_core::health::{Account, ConnectProbe, ProbeSpec, TlsChoice, TlsRequest, Transport};
use lb_core::spec::{CheckSpec, SourceAddr};
use lb_proto_http::check::{ConnectStep, Expect, HttpProbe, SendStep, Step, Subject, Text};
use lb_proto_http::head::HeaderName;
use lb_proto_smtp::check::SmtpProbe;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Who runs scripts unless the file says so, if there is such a user.
const SCRIPT_USER: &str = "keepalived_script";

/// Everything that checks a real server; none if nothing does.
pub(super) fn check(
    server: &VirtualServer,
    real: &RealServer,
    config: &Config,
    (address, scale): (SocketAddr, Scale),
) -> Option<CheckSpec> {
    let mut members: Vec<Member> = Vec::new();
    for (check, place) in real.checks.iter().zip(1..) {
        let mut probes = probe(check, server, real, (config, address, scale));
        let probe: Arc<dyn ProbeSpec> = match probes.len() {
            0 => continue,
            1 => probes.remove(0),
            _ => Arc::new(Sequence { probes }),
        };
        let connection = &check.connection;
        let source = source(connection, connection.connect_ip.map_or_else(|| address.ip(), |ip| ip.value))
            .map(Arc::new);
        let (addr, port) = (connection.connect_ip.map(|a| a.value), connection.connect_port.map(|p| p.value));
        let probe = Arc::new(Elsewhere { probe, addr, port, source });
        let Timing { every, again, patience, tries } = Timing::of(check, server, real);
        members.push(Member { probe, place, every, again, patience, tries });
    }
    let mut spec = match members.len() {
        0 => return None,
        1 => {
            let only = members.remove(0);
            let mut spec = CheckSpec::new(only.probe);
            (spec.inter, spec.fastinter) = (only.every, Some(only.again));
            spec.timeout = Some(only.patience);
            spec.fall = only.tries;
            spec
        }
        _ => {
            let patience = members.iter().map(|member| member.patience).max();
            let together = Together::new(members, scale);
            let pace = together.pace();
            let mut spec = CheckSpec::new(Arc::new(together));
            (spec.inter, spec.timeout, spec.fall) = (pace, patience, 1);
            spec
        }
    };
    spec.connect = spec.timeout;
    spec.rise = 1;
    spec.tell_failures = real.checks.iter().any(|check| logs_all(check, config));
    let warmup = |check| Scheduling::first(&inherited(check, server, real), |of| of.warmup);
    spec.warmup = real.checks.iter().filter_map(warmup).min();
    Some(spec)
}

/// Where a checker connects from, if it says so.
fn source(connection: &Connection, to: IpAddr) -> Option<SourceAddr> {
    let any = if to.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0; 16]) };
    let (ip, port) = (connection.bindto.map(|ip| ip.value), connection.bind_port.map(|port| port.value));
    let interface = connection.bind_if.as_ref().map(|name| name.value.as_str().into());
    let mark = connection.fwmark.map(|mark| mark.value).filter(|mark| *mark != 0);
    if ip.is_none() && port.is_none() && interface.is_none() && mark.is_none() {
        return None;
    }
    let ip = ip.filter(|ip| ip.is_ipv4() == to.is_ipv4()).unwrap_or(any);
    Some(SourceAddr::Fixed { addr: SocketAddr::new(ip, port.unwrap_or(0)), interface, mark })
}

/// `log_all_failures`, `checker_log_all_failures`: failures that change nothing are told as well.
pub(crate) fn logs_all(check: &Check, config: &Config) -> bool {
    let asked = [check.scheduling.log_all_failures, config.global.checker_log_all_failures];
    asked.into_iter().flatten().any(|asked| asked.value)
}

/// One of the checkers has to pass before the server is used.
pub(crate) fn starts_down(server: &VirtualServer, real: &RealServer) -> bool {
    real.checks.iter().any(|check| alpha(check, (server, real)))
}

/// `alpha`: failed until the first look has passed.
pub(crate) fn alpha(check: &Check, (server, real): (&VirtualServer, &RealServer)) -> bool {
    Scheduling::first(&inherited(check, server, real), |of| of.alpha).unwrap_or(false)
}

/// How often a checker must fail in a row.
pub(crate) fn tries(check: &Check, server: &VirtualServer, real: &RealServer) -> u32 {
    Timing::of(check, server, real).tries
}

fn probe(
    check: &Check,
    server: &VirtualServer,
    real: &RealServer,
    (config, address, scale): (&Config, SocketAddr, Scale),
) -> Vec<Arc<dyn ProbeSpec>> {
    match &check.kind {
        CheckKind::Tcp => vec![Arc::new(ConnectProbe::new())],
        CheckKind::Ping => vec![Arc::new(Exchange::echo())],
        CheckKind::Http(http) => {
            let standard = real.virtualhost.as_ref().or(server.virtualhost.as_ref());
            let host = http.virtualhost.as_ref().or(standard).map(|name| name.value.as_str());
            http.urls.iter().map(|url| Arc::new(self::http(http, url, host, address)) as _).collect()
        }
        CheckKind::Smtp(smtp) => {
            let probe: Arc<dyn ProbeSpec> = Arc::new(SmtpProbe::smtp_check(helo_name(smtp, config)));
            if smtp.hosts.is_empty() {
                return vec![probe];
            }
            let hosts = smtp.hosts.iter().map(|host| {
                let (addr, port) = (host.connect_ip.map(|a| a.value), host.connect_port.map(|p| p.value));
                let source = source(host, addr.unwrap_or_else(|| address.ip())).map(Arc::new);
                Arc::new(Elsewhere { probe: Arc::clone(&probe), addr, port, source }) as _
            });
            hosts.collect()
        }
        CheckKind::Dns(dns) => self::dns(dns).into_iter().map(|probe| Arc::new(probe) as _).collect(),
        CheckKind::Misc(misc) => vec![Arc::new(Program {
            argv: misc.misc_path.argv.clone(),
            timeout: misc.misc_timeout.map(|timeout| timeout.value).filter(|timeout| !timeout.is_zero()),
            dynamic: misc.misc_dynamic.filter(|dynamic| dynamic.value).map(|_| scale),
            account: Some(account(misc, config)),
        })],
        CheckKind::Udp(udp) => vec![Arc::new(self::udp(udp))],
        CheckKind::File(file) => file_number(file, config, scale).into_iter().collect(),
        CheckKind::Bfd(name) => vec![Arc::new(Session::new(&name.value))],
    }
}

/// Who runs a script: whom it names, else whom all scripts run as, else the customary user if there is one.
fn account(misc: &MiscCheck, config: &Config) -> Account {
    let named = misc.user.as_ref().or(config.global.script_user.as_ref());
    let mut account = Account::new(named.map_or(SCRIPT_USER, |named| named.user.value.as_str()));
    let group = named.and_then(|named| named.group.as_ref());
    account.group =
        group.map(|group| group.value.trim_start_matches(':').to_owned()).filter(|g| !g.is_empty());
    account.optional = named.is_none();
    account
}

/// How an SMTP check introduces itself.
pub(crate) fn helo_name<'a>(smtp: &'a SmtpCheck, config: &'a Config) -> &'a str {
    let global = config.global.smtp_helo_name.as_ref();
    smtp.helo_name.as_ref().or(global).map_or("localhost", |name| name.value.as_str())
}

/// The file that a checker follows, and with what weight.
pub(crate) fn followed<'a>(file: &FileCheck, config: &'a Config) -> Option<(&'a TrackFile, Weight)> {
    let tracked = config.track_files.iter().find(|known| known.name.value == file.track_file.value)?;
    Some((tracked, file.weight.map_or_else(|| tracked.own_weight(), |weight| weight.value)))
}

fn file_number(file: &FileCheck, config: &Config, scale: Scale) -> Option<Arc<dyn ProbeSpec>> {
    let (tracked, weight) = followed(file, config)?;
    let path = tracked.file.value.as_str().into();
    Some(Arc::new(FileNumber { path, weight: weight.value, reverse: weight.reverse, scale }))
}

fn http(http: &HttpCheck, url: &HttpUrl, host: Option<&str>, address: SocketAddr) -> HttpProbe {
    let host = url.virtualhost.as_ref().map(|name| name.value.as_str()).or(host);
    let mut connect = ConnectStep::default();
    connect.request.has_data = true;
    connect.request.tls = TlsChoice::Off;
    if http.tls {
        let mut tls = TlsRequest::default();
        if http.enable_sni.is_some_and(|sni| sni.value) {
            let name = http.sni_name.as_ref().map(|name| name.value.as_str()).or(host);
            tls.sni = name.map(Into::into);
        }
        connect.request.tls = TlsChoice::On(tls);
    }
    let protocol = http.protocol();
    let mut send = SendStep::default();
    send.method = Arc::from(&b"GET"[..]);
    send.uri = Text::from(url.target().as_bytes());
    send.version = Arc::from(if protocol.starts_with("1.1") { &b"HTTP/1.1"[..] } else { b"HTTP/1.0" });
    let connection = match protocol.as_bytes().last() {
        Some(b'C') => "close",
        Some(b'K') => "keep-alive",
        _ => "",
    };
    let host = host.map_or_else(|| address.to_string(), str::to_owned);
    for (name, value) in [("user-agent", "KeepAliveClient"), ("connection", connection), ("host", &host)] {
        send.headers.push((HeaderName::new(name), Text::from(value.as_bytes())));
    }
    let codes = url.codes().iter().map(|range| (*range.start(), *range.end())).collect();
    let mut steps =
        vec![Step::Connect(connect), Step::Send(send), Step::Expect(Expect::new(Subject::Status(codes)))];
    if let Some(digest) = url.digest {
        let subject = Subject::Digest { of: vrrp::wire::md5, wanted: digest.value };
        steps.push(Step::Expect(Expect::new(subject)));
    }
    if let Some(Ok(regex)) = regex(url) {
        let mut expect = Expect::new(Subject::BodyRegex(regex));
        expect.inverse = url.regex_no_match.is_some_and(|no| no.value);
        steps.push(Step::Expect(expect));
    }
    HttpProbe::of(steps)
}

/// The expression of a url, or what is wrong with it.
pub(crate) fn regex(url: &HttpUrl) -> Option<Result<Regex, String>> {
    let pattern = &url.regex.as_ref()?.value;
    let has = |option: &str| url.regex_options.iter().any(|set| set == option);
    let flags: String = [("dotall", 's'), ("multiline", 'm'), ("extended", 'x'), ("ungreedy", 'U')]
        .into_iter()
        .filter(|(option, _)| has(option))
        .map(|(_, flag)| flag)
        .collect();
    let pattern = if flags.is_empty() { pattern.clone() } else { format!("(?{flags}){pattern}") };
    Some(Regex::new(&pattern, has("caseless")).map_err(|error| error.to_string()))
}

/// What a DNS check asks for, by name and number.
pub(crate) fn query_type(dns: &DnsCheck) -> (&'static str, u16) {
    const SOA: (&str, u16) = ("SOA", 6);
    let all = [
        ("A", 1),
        ("NS", 2),
        ("CNAME", 5),
        ("MX", 15),
        ("TXT", 16),
        ("AAAA", 28),
        ("RRSIG", 46),
        ("DNSKEY", 48),
    ];
    let wanted =
        |asked: &Spanned<String>| all.into_iter().find(|(name, _)| asked.value.eq_ignore_ascii_case(name));
    dns.query_type.as_ref().and_then(wanted).unwrap_or(SOA)
}

fn dns(dns: &DnsCheck) -> Option<Exchange> {
    let (_, kind) = query_type(dns);
    Exchange::dns(dns.asked(), kind)
}

fn udp(udp: &UdpCheck) -> Exchange {
    let digits = |text: &str| -> Vec<Option<u8>> {
        text.chars().map(|c| c.to_digit(16).and_then(|n| u8::try_from(n).ok())).collect()
    };
    let payload = udp.payload.as_ref().map(|payload| digits(&payload.value)).unwrap_or_default();
    let bytes: Vec<u8> =
        payload.chunks(2).map(|pair| pair.iter().fold(0, |n, digit| n * 16 + digit.unwrap_or(0))).collect();
    let judge = match &udp.require_reply {
        None => Judge::Silence,
        Some(reply) => Judge::Datagram {
            pattern: digits(&reply.value),
            length: (
                udp.min_reply_length.map_or(0, |n| n.value.into()),
                udp.max_reply_length.map_or(usize::MAX, |n| n.value.into()),
            ),
        },
    };
    Exchange { transport: Transport::Datagram, question: bytes.into(), judge }
}
