//! Pools and their servers.

use super::json::Json;
use super::{algorithm, words};
use lb_core::health::InitState;
use lb_core::spec::{CheckSpec, MarkedDown, ProxySpec, ServerSpec, SourceAddr, TlsClientSpec};

pub(super) fn pool(json: &mut Json, p: &ProxySpec) {
    let pool = &p.pool;
    json.text("balance", &algorithm(&pool.algorithm));
    if pool.algorithm.needs_key() {
        json.text("hash-type", &words(&format!("{:?}", pool.hash.method)));
    }
    json.number("retries", pool.retry.retries);
    json.number("redispatch", pool.retry.redispatch);
    json.some_number("fullconn", pool.fullconn);
    json.flag("allbackups", pool.all_backups);
    json.flag("persist", pool.persist);
    json.list("servers", &pool.servers, |json, server| json.object(|json| self::server(json, server)));
}

fn server(json: &mut Json, s: &ServerSpec) {
    json.text("name", s.name.as_str());
    json.number("id", s.id);
    json.text("address", &s.addr.endpoint.to_string());
    json.some_number("port-offset", s.addr.port_offset);
    json.number("weight", s.weight);
    json.flag("backup", s.backup);
    json.flag("disabled", s.disabled);
    for (name, value) in [("maxconn", s.maxconn), ("minconn", s.minconn), ("maxqueue", s.maxqueue)] {
        json.some_number(name, (value > 0).then_some(value));
    }
    json.time("slowstart", (!s.slowstart.is_zero()).then_some(s.slowstart));
    json.some("cookie", s.cookie.as_deref());
    json.some("redir", s.redirect.as_deref());
    json.some("track", s.track.as_deref());
    json.some("resolvers", s.resolution.as_ref().map(|r| &r.resolvers.spec().name));
    json.some("send-proxy", s.send_proxy.map(|v| format!("{v:?}").to_lowercase()));
    match s.source.as_deref() {
        Some(SourceAddr::Fixed { addr, .. }) => json.text("source", &addr.to_string()),
        Some(SourceAddr::Client) => json.text("source", "client"),
        _ => {}
    }
    if s.init_state != InitState::Unset {
        json.text("init-state", &words(&format!("{:?}", s.init_state)));
    }
    if s.on_marked_down == MarkedDown::ShutdownSessions {
        json.text("on-marked-down", "shutdown-sessions");
    }
    if let Some(observe) = s.observe {
        json.text("observe", &format!("{observe:?}").to_lowercase());
        json.text("on-error", &words(&format!("{:?}", s.on_error)));
        json.number("error-limit", s.error_limit);
    }
    if let Some(tls) = &s.tls {
        json.member("ssl", |json| self::tls(json, tls));
    }
    if let Some(check) = &s.check {
        json.member("check", |json| self::check(json, check));
    }
    if let Some(agent) = &s.agent {
        json.member("agent-check", |json| {
            json.some("address", agent.addr.map(|ip| ip.to_string()));
            json.number("port", agent.port);
            json.time("inter", agent.inter);
        });
    }
}

fn tls(json: &mut Json, tls: &TlsClientSpec) {
    json.text("verify", &format!("{:?}", tls.verify).to_lowercase());
    json.some("ca-file", tls.ca_file.as_deref());
    json.some("crl-file", tls.crl_file.as_deref());
    json.some("crt", tls.certificate.as_deref());
    json.some("sni", tls.sni.as_deref());
    json.some("verifyhost", tls.verify_host.as_deref());
    json.texts("alpn", &tls.alpn);
    json.some("ssl-min-ver", tls.min.map(|v| format!("{v:?}")));
    json.some("ssl-max-ver", tls.max.map(|v| format!("{v:?}")));
}

fn check(json: &mut Json, check: &CheckSpec) {
    json.time("inter", check.inter);
    json.time("fastinter", check.fastinter);
    json.time("downinter", check.downinter);
    json.number("rise", check.rise);
    json.number("fall", check.fall);
    json.some_number("port", check.port);
    json.some("addr", check.addr.map(|a| a.to_string()));
    json.flag("ssl", check.tls.is_some());
    json.flag("send-proxy", check.send_proxy);
    json.time("timeout", check.timeout);
}
