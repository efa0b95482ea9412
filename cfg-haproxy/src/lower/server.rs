//! `server` lines to [`ServerSpec`]s.
//!
//! Defaults: weight 1, checks every 2 s, two successes up, three failures down.

use super::Lowerer;
use super::proxy::Making;
use crate::address::{Address, Place, Ports, Rules};
use crate::codes;
use crate::config::{ProxyMode, Server, ServerOptions, Source};
use crate::tree::Word;
use crate::units;
use lb_core::addr::Endpoint;
use lb_core::balance::hash;
use lb_core::diag::{Diagnostic, Span};
use lb_core::dns::{Choice, Family};
use lb_core::expr::{Phases, Program};
use lb_core::health::{InitState, Observe, OnError, ProbeSpec};
use lb_core::log::{Style, Template};
use lb_core::pool::HashKey;
use lb_core::spec::{
    AgentSpec, CheckSpec, InitAddr, MarkedDown, ProxyFields, Resolution, ServerAddr, ServerSpec, SourceAddr,
};
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// What all servers of a proxy share, made once.
struct Shared<'m, 'a, 't> {
    making: &'m Making<'a, 't>,
    probe: Arc<dyn ProbeSpec>,
}

impl<'t> Lowerer<'_, 't, '_, '_> {
    pub(super) fn servers(&mut self, making: &Making<'_, 't>) -> Vec<ServerSpec> {
        let proxy = making.proxy;
        let shared = Shared { making, probe: self.probe(making) };
        let mut taken: HashSet<u32> =
            proxy.servers.iter().filter_map(|s| s.options.id.map(|i| i.value)).collect();
        let mut next = 1;
        let mut out = Vec::with_capacity(proxy.servers.len());
        let renamed = proxy.renamed();
        for server in &proxy.servers {
            let fresh = renamed.iter().find(|(s, _)| std::ptr::eq(*s, server)).map(|(_, name)| name.clone());
            let names = match server.template {
                None => vec![fresh.unwrap_or_else(|| server.name.text.to_owned())],
                Some((low, high)) => (low..=high).map(|n| format!("{}{n}", server.name.text)).collect(),
            };
            for name in names {
                let id = match server.options.id.filter(|_| server.template.is_none()) {
                    Some(id) => id.value,
                    None => {
                        while taken.contains(&next) {
                            next += 1;
                        }
                        taken.insert(next);
                        next
                    }
                };
                out.push(self.server(&shared, server, &name, id));
            }
        }
        if out.is_empty() {
            out.extend(self.stand_in(making));
        }
        out
    }

    /// `dispatch` and `transparent` are a server without a name in the file.
    fn stand_in(&mut self, making: &Making<'_, 't>) -> Option<ServerSpec> {
        let settings = making.settings;
        if let Some(dispatch) = &settings.dispatch {
            let endpoint = self.endpoint(&dispatch.value, 0);
            let mut spec = ServerSpec::new("dispatch", 1, ServerAddr::fixed(endpoint));
            spec.origin = self.origin(dispatch.span);
            return Some(spec);
        }
        let transparent = settings.transparent.filter(|t| t.value)?;
        // The unspecified address stands for the one the client asked for.
        let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let mut spec = ServerSpec::new("transparent", 1, ServerAddr::mapped(Endpoint::Inet(any), 0));
        spec.origin = self.origin(transparent.span);
        Some(spec)
    }

    fn server(
        &mut self,
        shared: &Shared<'_, '_, 't>,
        server: &Server<'t>,
        name: &str,
        id: u32,
    ) -> ServerSpec {
        let o = &server.options;
        let mut spec = ServerSpec::new(name, id, self.server_addr(server));
        spec.weight = o.weight.unwrap_or(1);
        spec.backup = o.backup;
        spec.disabled = o.disabled;
        spec.maxconn = o.maxconn.unwrap_or(0);
        spec.minconn = o.minconn.unwrap_or(0);
        spec.maxqueue = o.maxqueue.unwrap_or(0);
        spec.slowstart = o.slowstart.unwrap_or(Duration::ZERO);
        spec.cookie =
            o.cookie.map(|c| self.shared(c)).or_else(|| dynamic_cookie(shared, &spec.addr.endpoint));
        spec.redirect = o.redir.map(|r| self.shared(r));
        spec.track = o.track.map(|t| Arc::from(t.text));
        if o.shutdown_sessions {
            spec.on_marked_down = MarkedDown::ShutdownSessions;
        }
        spec.shutdown_backup_sessions = o.shutdown_backups;
        let http = shared.making.mode == ProxyMode::Http;
        spec.tls = o.ssl.map(|_| Arc::new(self.client_tls(o, false, http)));
        let sni = o.sni.or_else(|| self.automatic_sni(o, server.name.span).filter(|_| http));
        spec.sni = self.connection_name(sni, "sni").map(Arc::new);
        spec.pool_name = self.connection_name(o.pool_conn_name, "pool-conn-name").map(Arc::new);
        spec.pool_low_conn = o.pool_low_conn.unwrap_or(0);
        spec.proxy_fields = self.proxy_fields(o);
        spec.send_proxy = o.send_proxy;
        spec.non_stick = o.non_stick;
        let source = o.source.as_deref().or_else(|| shared.making.settings.source.as_ref().map(|s| &s.value));
        spec.source = source.and_then(|s| self.source(s)).map(Arc::new);
        spec.init_addr = o.init_addr.clone().unwrap_or_else(|| vec![InitAddr::Last, InitAddr::Libc]);
        if let Place::Name(name) = server.address.place {
            spec.hostname = Some(self.shared(name));
        }
        spec.resolution = self.resolution(o);
        spec.pool_max_conn = o.pool_max_conn.and_then(|n| u32::try_from(n).ok());
        spec.pool_purge_delay = o.pool_purge_delay.unwrap_or(spec.pool_purge_delay);
        spec.check = o.check.then(|| Arc::new(self.check(shared, o)));
        // Servers have a health to begin with only where a default says how they rise.
        let begins = o.from_default && !o.disabled;
        spec.unchecked_health = if begins { o.rise.unwrap_or(2) } else { 0 };
        spec.agent = if o.agent_check { self.agent(server).map(Arc::new) } else { None };
        spec.init_state = init_state(o.init_state);
        spec.observe = o.observe.and_then(|word| self.observe(server, word, shared.making));
        spec.error_limit = o.error_limit.unwrap_or(spec.error_limit);
        spec.on_error = match o.on_error {
            Some("fastinter") => OnError::FastInter,
            Some("sudden-death") => OnError::SuddenDeath,
            Some("mark-down") => OnError::MarkDown,
            _ => OnError::FailCheck,
        };
        spec.guid = o.guid.filter(|_| server.template.is_none()).map(|guid| self.shared(guid.text));
        spec.hash_key = match o.hash_key {
            Some("id32") => HashKey::Id32,
            Some("addr") => HashKey::Addr,
            Some("addr-port") => HashKey::AddrPort,
            Some("guid") => HashKey::Guid,
            _ => HashKey::Id,
        };
        spec.log = self.log_server(shared.making, server);
        spec.origin = self.origin(server.name.span);
        spec
    }

    fn resolution(&mut self, o: &ServerOptions<'t>) -> Option<Resolution> {
        let resolvers = self.resolvers(o.resolvers?.text)?;
        let prefer = if o.resolve_prefer == Some("ipv4") { Family::V4 } else { Family::V6 };
        let choice = Choice { prefer, networks: o.resolve_net.clone(), duplicates: o.resolve_duplicates };
        Some(Resolution { resolvers, choice })
    }

    fn observe(&mut self, server: &Server<'t>, word: Word<'t>, making: &Making<'_, 't>) -> Option<Observe> {
        match word.text {
            "layer4" => Some(Observe::Layer4),
            "layer7" if making.mode == ProxyMode::Http => Some(Observe::Layer7),
            "layer7" => {
                let message =
                    "`layer7` looks at responses of HTTP; the traffic of this server is not observed";
                let (backend, name) = (making.proxy.name, server.name.text);
                let compat =
                    format!("'server {backend}/{name}' : 'layer7' can only be used in http proxies..");
                self.push_once(Diagnostic::alert(codes::USELESS, word.span, message).compat(compat));
                None
            }
            _ => None,
        }
    }

    /// An expression of a server line that is evaluated for each connection; a fixed name is part of the TLS settings.
    fn connection_name(&mut self, word: Option<Word<'t>>, owner: &str) -> Option<Program> {
        let word = word?;
        let program = self.program(&[word], owner)?;
        (owner != "sni" || !word.text.starts_with("str(")).then_some(program)
    }

    /// Since 3.3 servers are told the name that the request asks for, unless something else is said.
    fn automatic_sni(&self, o: &ServerOptions<'t>, span: Span) -> Option<Word<'t>> {
        let wanted = o.ssl.is_some() && o.sni_auto.unwrap_or_else(|| !self.config.older_than((3, 3)));
        wanted.then_some(Word { text: "req.hdr(host),field(1,:)", span, plain: false })
    }

    /// What `proxy-v2-options` and `set-proxy-v2-tlv-fmt` add to PROXY headers.
    fn proxy_fields(&mut self, o: &ServerOptions<'t>) -> ProxyFields {
        let mut fields = ProxyFields::default();
        for option in o.proxy_options.iter().flat_map(|w| w.text.split(',')) {
            match option {
                "unique-id" => fields.unique_id = true,
                "crc32c" => fields.checksum = true,
                "authority" => fields.authority = true,
                "ssl" => fields.tls = true,
                "cert-cn" => (fields.tls, fields.common_name) = (true, true),
                "ssl-cipher" => (fields.tls, fields.cipher) = (true, true),
                // Nothing is known of our own certificate; the rest is told all the same.
                "cert-key" | "cert-sig" => fields.tls = true,
                _ => {}
            }
        }
        for (name, format) in &o.tlvs {
            let inner = name.text.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
            let kind = inner.and_then(units::any_base).and_then(|kind| u8::try_from(kind).ok());
            let Some(kind) = kind else {
                self.error(
                    codes::NUMBER,
                    name.span,
                    format!("`{}` does not name a TLV type from 0 to 255", name.text),
                    format!("'{}' : invalid TLV ID. should be between 0 and 255.", name.text),
                );
                continue;
            };
            let template = match format {
                Some(word) => {
                    self.template(*word, Style::Plain, Phases::SERVER_CONNECT, "set-proxy-v2-tlv-fmt")
                }
                None => Some(Template::literal("")),
            };
            fields.custom.extend(template.map(|template| (kind, template)));
        }
        fields
    }

    fn server_addr(&mut self, server: &Server<'t>) -> ServerAddr {
        let address = &server.address;
        let endpoint = self.endpoint(address, 0);
        match address.ports {
            Ports::Offset(offset) => ServerAddr::mapped(endpoint, offset),
            // Without a port, or with port 0, the client's own is used.
            Ports::None | Ports::One(0) if address.is_inet() => ServerAddr::mapped(endpoint, 0),
            _ => ServerAddr::fixed(endpoint),
        }
    }

    fn check(&mut self, shared: &Shared<'_, '_, 't>, o: &ServerOptions<'t>) -> CheckSpec {
        let timeouts = &shared.making.settings.timeouts;
        let time = |name: &str| timeouts.get(name).map(|t| t.value).filter(|t| !t.is_zero());
        let probe = match o.healthcheck {
            Some(name) => self.named_probe(name.text).unwrap_or_else(|| Arc::clone(&shared.probe)),
            None => Arc::clone(&shared.probe),
        };
        let mut check = CheckSpec::new(probe);
        check.inter = o.inter.unwrap_or(check.inter);
        check.fastinter = o.fastinter;
        check.downinter = o.downinter;
        check.rise = o.rise.unwrap_or(check.rise);
        check.fall = o.fall.unwrap_or(check.fall);
        check.port = o.port.or_else(|| o.addr.as_ref().and_then(Address::port)).filter(|p| *p > 0);
        check.addr = o.addr.as_ref().and_then(|a| match a.place {
            Place::Ip(ip) => Some(ip),
            Place::Name(name) => self.context.resolve_any(name),
            _ => None,
        });
        // Checks speak TLS like the traffic, unless they go to a place of their own.
        let elsewhere = check.port.is_some() || o.addr.is_some();
        let tls = o.check_ssl.unwrap_or_else(|| o.ssl.is_some() && !elsewhere);
        check.tls = tls.then(|| Arc::new(self.client_tls(o, true, shared.making.mode == ProxyMode::Http)));
        check.send_proxy = o.check_send_proxy || (o.send_proxy.is_some() && !elsewhere);
        check.timeout = time("check");
        check.connect = time("connect");
        check
    }

    fn agent(&mut self, server: &Server<'t>) -> Option<AgentSpec> {
        let o = &server.options;
        let Some(port) = o.agent_port.or_else(|| o.port.filter(|port| *port > 0)) else {
            self.error(
                codes::PORT,
                server.name.span,
                "`agent-check` needs `agent-port`",
                format!(
                    "'server {}' : server does not have agent port. Agent check has been disabled.",
                    server.name.text
                ),
            );
            return None;
        };
        let own = match o.agent_addr {
            Some(word) => match crate::address::parse(word.text, Rules::LOOSE) {
                Ok(address) => Some(address),
                Err(error) => {
                    self.error(
                        codes::ADDRESS,
                        word.span,
                        error.message.clone(),
                        format!("'agent-addr' : {}", error.message),
                    );
                    return None;
                }
            },
            // Where health checks go instead of to the server, agents are as well.
            None => o.addr,
        };
        let mut agent = AgentSpec::new(port);
        agent.addr = own.and_then(|address| self.endpoint(&address, port).inet()).map(|addr| addr.ip());
        agent.inter = o.agent_inter.or(o.inter).unwrap_or(agent.inter);
        agent.send = o.agent_send.map(|s| Arc::from(s.as_bytes()));
        Some(agent)
    }

    fn source(&mut self, source: &Source<'t>) -> Option<SourceAddr> {
        if let Some(word) = source.usesrc {
            return match word.text {
                "client" | "clientip" => Some(SourceAddr::Client),
                _ => {
                    self.not_carried_out(word.span, "source ... usesrc <address>");
                    None
                }
            };
        }
        let interface = source.interface.map(|i| Arc::from(i.text));
        let addr = match self.endpoint(&source.address, 0) {
            Endpoint::Inet(addr) => addr,
            _ => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        };
        Some(SourceAddr::Fixed { addr, interface, mark: None })
    }
}

fn init_state(word: Option<&str>) -> InitState {
    match word {
        Some("fully-up") => InitState::FullyUp,
        Some("up") => InitState::Up,
        Some("down") => InitState::Down,
        Some("fully-down") => InitState::FullyDown,
        _ => InitState::Unset,
    }
}

/// The value that `cookie … dynamic` gives to a server without one of its own.
fn dynamic_cookie(shared: &Shared<'_, '_, '_>, endpoint: &Endpoint) -> Option<Arc<str>> {
    let settings = &shared.making.settings;
    let key = settings.dynamic_cookie_key.as_ref()?;
    let Endpoint::Inet(addr) = endpoint else { return None };
    let wanted = settings.cookie.as_ref().is_some_and(|cookie| cookie.value.dynamic);
    wanted.then(|| hash::cookie_value(key.value.as_bytes(), *addr).into())
}

#[cfg(test)]
mod tests {
    use crate::load::tests::load_text;

    #[test]
    fn agents_are_where_health_checks_go_unless_they_have_a_place_of_their_own() {
        for (words, place, port) in [
            ("agent-port 9", None, 9),
            ("addr 192.0.2.2 port 8", Some("192.0.2.2"), 8),
            ("addr 192.0.2.2:7 agent-port 9", Some("192.0.2.2"), 9),
            ("addr 192.0.2.2 agent-addr 192.0.2.3 agent-port 9", Some("192.0.2.3"), 9),
        ] {
            let text = format!("backend b\n server s 192.0.2.1:80 agent-check {words}\n");
            let loaded = load_text(&text);
            let agent = loaded.spec.proxies[0].pool.servers[0].agent.clone().unwrap();
            assert_eq!((agent.addr, agent.port), (place.map(|ip| ip.parse().unwrap()), port), "{words}");
        }
        let loaded = load_text("backend b\n server s 192.0.2.1:80 agent-check\n");
        assert!(loaded.diagnostics.has_errors());
    }
}
