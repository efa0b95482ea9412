//! The effective configuration as JSON: what is inherited and what applies by default is written out.
//!
//! Numbers and names come from the specification, so they are what runs; rules, conditions and formats are given in the
//! words of the file (present ones, where old ones were translated). Times are in milliseconds. The order is that of the
//! file; places are left out, so two files that mean the same give the same text.

mod json;
mod server;

use crate::check::check;
use crate::config::{Config, Proxy};
use crate::host::Host;
use crate::load::Loaded;
use crate::tree::{Line, Role, Tree, Word};
use json::Json;
use lb_core::balance::Algorithm;
use lb_core::spec::{
    Capability, CertificateSpec, ListenerSpec, LogDestination, LogTarget, Mode, ProcessSpec, ProxyLog,
    ProxySpec, Timeouts,
};
use lb_proto_http::spec::HttpProxy;

/// What `loaded` comes to; complete only if it has no errors. `host` is the one it was loaded with.
pub fn json(loaded: &Loaded, host: Host<'_>) -> String {
    let (config, _) = check(&loaded.tree, host);
    let mut json = Json::default();
    json.object(|json| {
        json.member("process", |json| process(json, &loaded.spec.process));
        json.list("proxies", &loaded.spec.proxies, |json, spec| {
            json.object(|json| proxy(json, spec, &loaded.tree, &config));
        });
    });
    json.finish()
}

fn process(json: &mut Json, p: &ProcessSpec) {
    json.some("user", p.user.as_deref());
    json.some("group", p.group.as_deref());
    json.some_number("uid", p.uid);
    json.some_number("gid", p.gid);
    json.some("chroot", p.chroot.as_deref());
    json.some("pidfile", p.pidfile.as_deref());
    json.flag("daemon", p.daemon);
    json.some_number("maxconn", p.maxconn);
    json.some_number("nbthread", p.threads.and_then(|n| u32::try_from(n).ok()));
    json.some("node", p.node.as_deref());
    json.some("description", p.description.as_deref());
    json.some("localpeer", p.localpeer.as_deref());
    json.time("hard-stop-after", p.hard_stop_after);
    json.some("server-state-file", p.server_state_file.as_deref());
    json.list("stats-sockets", &p.ctl, |json, socket| {
        json.object(|json| {
            json.text("address", &socket.listener.endpoint.to_string());
            json.text("level", &format!("{:?}", socket.level).to_lowercase());
            json.flag("expose-fd", socket.expose_fd);
        });
    });
    targets(json, &p.log);
}

fn proxy(json: &mut Json, p: &ProxySpec, tree: &Tree, config: &Config<'_>) {
    json.text("name", p.name.as_str());
    json.text("kind", kind(p.capability));
    json.number("id", p.id);
    json.text("mode", mode(p));
    json.flag("disabled", p.disabled);
    json.some("description", p.description.as_deref());
    json.list("listeners", &p.listeners, |json, l| json.object(|json| listener(json, l)));
    json.some_number("maxconn", p.maxconn);
    json.some_number("backlog", p.backlog);
    json.member("timeouts", |json| timeouts(json, &p.timeouts));
    json.member("log", |json| log(json, &p.log));
    let found = config.proxies.iter().find(|c| c.name == p.name.as_str() && kind_of(c) == p.capability);
    if let Some(found) = found {
        json.texts("rules", rules(tree, config, found));
    }
    json.some("default_backend", p.default_backend.as_ref().map(|b| b.as_str()));
    if let Some(http) = p.protocol.as_any().downcast_ref::<HttpProxy>() {
        json.member("http", |json| self::http(json, http));
    }
    if p.capability.is_backend() {
        server::pool(json, p);
    }
}

fn kind(capability: Capability) -> &'static str {
    match capability {
        Capability::Frontend => "frontend",
        Capability::Backend => "backend",
        Capability::Listen => "listen",
    }
}

fn kind_of(proxy: &Proxy<'_>) -> Capability {
    match (proxy.has_frontend(), proxy.has_backend()) {
        (true, false) => Capability::Frontend,
        (false, true) => Capability::Backend,
        _ => Capability::Listen,
    }
}

fn mode(p: &ProxySpec) -> &'static str {
    match p.mode {
        Mode::Http => "http",
        Mode::Log => "log",
        _ => "tcp",
    }
}

fn listener(json: &mut Json, l: &ListenerSpec) {
    json.text("address", &l.endpoint.to_string());
    json.some("name", l.name.as_deref());
    json.some_number("id", l.id);
    json.some_number("maxconn", l.maxconn);
    json.some_number("backlog", l.backlog);
    json.some("interface", l.interface.as_deref());
    json.flag("accept-proxy", l.accept_proxy);
    json.flag("transparent", l.transparent);
    if let Some(tls) = &l.tls {
        json.member("ssl", |json| {
            json.texts("crt", tls.certificates.iter().map(certificate));
            json.texts("alpn", &tls.alpn);
            json.text("verify", &format!("{:?}", tls.verify).to_lowercase());
            json.some("ca-file", tls.ca_file.as_deref());
            json.some("crl-file", tls.crl_file.as_deref());
            json.texts("ciphers", &tls.ciphers);
            json.texts("ciphersuites", &tls.ciphersuites);
            json.texts("curves", &tls.curves);
            json.some("ssl-min-ver", tls.min.map(|v| format!("{v:?}")));
            json.some("ssl-max-ver", tls.max.map(|v| format!("{v:?}")));
            json.flag("strict-sni", tls.strict_sni);
            json.flag("tls-tickets", !tls.no_tickets);
        });
    }
}

/// A certificate as a line of a `crt-list`.
fn certificate(certificate: &CertificateSpec) -> String {
    let mut text = certificate.path.to_string();
    if certificate.default {
        text.push_str(" (default)");
    }
    for filter in &certificate.filters {
        text.push(' ');
        text.push_str(filter);
    }
    text
}

fn timeouts(json: &mut Json, t: &Timeouts) {
    let all = [
        ("client", t.client),
        ("client-fin", t.client_fin),
        ("client-hs", t.effective_client_hs()),
        ("connect", t.connect),
        ("server", t.server),
        ("server-fin", t.server_fin),
        ("queue", t.effective_queue()),
        ("http-request", t.effective_http_request()),
        ("http-keep-alive", t.effective_keep_alive()),
        ("tunnel", t.tunnel),
        ("tarpit", t.tarpit),
        ("check", t.check),
    ];
    for (name, time) in all {
        json.time(name, time);
    }
}

fn log(json: &mut Json, log: &ProxyLog) {
    json.flag("global", log.global);
    targets(json, &log.targets);
    json.some("tag", log.tag.as_deref());
    json.some("format", log.format.as_ref().map(|f| f.text()));
    json.some("error-format", log.error_format.as_ref().map(|f| f.text()));
    json.flag("dontlognull", log.dontlognull);
    json.flag("dontlog-normal", log.dontlog_normal);
    json.flag("log-separate-errors", log.separate_errors);
    json.flag("logasap", log.asap);
}

fn targets(json: &mut Json, targets: &[LogTarget]) {
    json.list("log-targets", targets, |json, target| {
        json.object(|json| {
            match &target.destination {
                LogDestination::Syslog(endpoint) => json.text("syslog", &endpoint.to_string()),
                LogDestination::Fd(fd) => json.number("fd", *fd),
                LogDestination::Ring(name) => json.text("ring", name),
                LogDestination::Backend(name) => json.text("backend", name.as_str()),
                other => json.text("other", &format!("{other:?}")),
            }
            json.number("facility", target.facility.0);
            json.text("level", &format!("{:?}", target.max_level).to_lowercase());
            json.text("minlevel", &format!("{:?}", target.min_level).to_lowercase());
            json.text("format", &format!("{:?}", target.format).to_lowercase());
            json.number("len", u32::try_from(target.length).unwrap_or(u32::MAX));
        });
    });
}

fn http(json: &mut Json, http: &HttpProxy) {
    json.text("connection", &words(&format!("{:?}", http.connection)));
    json.text("http-reuse", &words(&format!("{:?}", http.reuse)));
    json.flag("abortonclose", http.abort_on_close);
    json.flag("forwardfor", http.forward_for.is_some());
    json.flag("http-buffer-request", http.buffer_request);
    json.flag("http-ignore-probes", http.ignore_probes);
    json.flag("http-pretend-keepalive", http.pretend_keepalive);
    json.flag("http-no-delay", http.no_delay);
    json.flag("prefer-last-server", http.prefer_last_server);
    json.some("monitor-uri", http.monitor_uri.as_ref().map(|u| String::from_utf8_lossy(u).into_owned()));
    json.some("unique-id-format", http.unique_id.as_ref().map(|f| f.text()));
    json.flag("compression", http.compression.is_some());
    json.flag("stats", http.stats.is_some());
    json.list("error-pages", &http.errors, |json, (status, _)| {
        json.object(|json| json.number("status", *status));
    });
}

/// `KeepAlive` as `keep-alive`.
fn words(name: &str) -> String {
    let mut out = String::new();
    for (i, c) in name.char_indices() {
        if c.is_ascii_uppercase() && i > 0 {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// The name of an algorithm with its arguments, as the file has it.
fn algorithm(algorithm: &Algorithm) -> String {
    match algorithm {
        Algorithm::RoundRobin => "roundrobin".to_owned(),
        Algorithm::StaticRr => "static-rr".to_owned(),
        Algorithm::LeastConn => "leastconn".to_owned(),
        Algorithm::First => "first".to_owned(),
        Algorithm::Source => "source".to_owned(),
        Algorithm::Uri { whole, len, depth, path_only } => {
            let mut out = "uri".to_owned();
            out.push_str(if *whole { " whole" } else { "" });
            out.extend(len.map(|n| format!(" len {n}")));
            out.extend(depth.map(|n| format!(" depth {n}")));
            out.push_str(if *path_only { " path-only" } else { "" });
            out
        }
        Algorithm::Hdr { name, use_domain_only } => {
            format!("hdr({name}){}", if *use_domain_only { " use_domain_only" } else { "" })
        }
        Algorithm::UrlParam { name, check_post } => {
            format!("url_param {name}{}", if *check_post { " check_post" } else { "" })
        }
        Algorithm::Random { draws } => format!("random({draws})"),
        Algorithm::RdpCookie { name } => format!("rdp-cookie({name})"),
        Algorithm::Hash => "hash".to_owned(),
        Algorithm::Sticky => "sticky".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Keywords whose lines are rules.
const RULES: &[&str] = &[
    "acl",
    "quic-initial",
    "tcp-request",
    "tcp-response",
    "http-request",
    "http-response",
    "http-after-response",
    "http-check",
    "tcp-check",
    "redirect",
    "use_backend",
    "use-server",
    "force-persist",
    "ignore-persist",
    "monitor",
    "stick",
    "stick-table",
    "capture",
    "declare",
    "filter",
    "errorfile",
    "errorloc",
    "errorloc302",
    "errorloc303",
    "http-error",
];

/// The rules of `proxy`, inherited ones first, in the words of the file.
fn rules(tree: &Tree, config: &Config<'_>, proxy: &Proxy<'_>) -> Vec<String> {
    let mut chain: Vec<&Proxy<'_>> = config.bases(proxy).collect();
    chain.reverse();
    chain.push(proxy);
    let mut out = Vec::new();
    for part in chain {
        let section = tree.sections().iter().find(|s| {
            let header = tree.lines()[s.lines.start as usize].span();
            header.file == part.span.file && header.start <= part.span.start && part.span.end <= header.end
        });
        let Some(section) = section else { continue };
        for index in section.lines.clone() {
            let line = &tree.lines()[index as usize];
            if line.role() == Role::Keyword {
                rule_texts(tree, line, index, &mut out);
            }
        }
    }
    out
}

fn rule_texts(tree: &Tree, line: &Line, index: u32, out: &mut Vec<String>) {
    let mut push = |words: &mut dyn Iterator<Item = Word<'_>>| {
        let words: Vec<String> = words.map(|w| crate::legacy::quote(w.text)).collect();
        let is_check = |w: &String| w.ends_with("chk") || w.ends_with("-check");
        let check = words.first().is_some_and(|w| w == "option") && words.get(1).is_some_and(is_check);
        if check || words.first().is_some_and(|w| RULES.contains(&w.as_str())) {
            out.push(words.join(" "));
        }
    };
    match tree.translated.get(&index) {
        None => push(&mut tree.words(line)),
        Some(ranges) => ranges.iter().for_each(|range| push(&mut tree.words_at(line, range.clone()))),
    }
}
