//! `ring` and `log-forward` sections, and what log backends need.

use super::Lowerer;
use super::bandwidth::Shapers;
use super::logs::log_format;
use super::proxy::Making;
use crate::address::{Place, Transport};
use crate::codes;
use crate::config::{LogForward as Forward, LogLine, ProxyMode, Ring, Server};
use crate::tree::Word;
use lb_core::addr::Endpoint;
use lb_core::balance::{Algorithm, HashMethod};
use lb_core::diag::Span;
use lb_core::expr::{Program, parse};
use lb_core::log::Ring as Kept;
use lb_core::spec::{
    Capability, Datagrams, LogForward, LogServer, Mode, PoolSpec, ProxySpec, RingSpec, ServerAddr, ServerSpec,
};
use std::sync::Arc;
use std::time::Duration;

/// Connections of a `log-forward` section at most, unless it says otherwise.
const CONNECTIONS: u32 = 10;

impl<'t> Lowerer<'_, 't, '_, '_> {
    /// `ring` sections, and the rings that log lines to addresses of streams have of their own.
    pub(super) fn rings(&mut self) -> Vec<RingSpec> {
        let config = self.config;
        let mut all: Vec<_> = config.rings.iter().map(|ring| self.ring(ring)).collect();
        all.append(&mut self.own_rings);
        all
    }

    fn ring(&mut self, ring: &Ring<'t>) -> RingSpec {
        let mut spec = RingSpec::new(ring.name.text);
        if let Some(description) = &ring.description {
            spec.description = description.as_str().into();
        }
        spec.size = usize::try_from(ring.size).unwrap_or(usize::MAX);
        let longest = Kept::new(spec.size).longest();
        if let Some(length) = ring.max_length.filter(|length| *length as usize > longest) {
            let name = ring.name.text;
            self.warning(
                codes::NUMBER,
                ring.span,
                format!("messages of {length} bytes do not fit into ring `{name}`; at most {longest} do"),
                format!("ring '{name}' event max length '{length}' exceeds max payload size, forced to '{longest}'."),
            );
        }
        spec.file = ring.file.map(|file| Arc::from(crate::base::below(self.base, file.text)));
        spec.max_length = ring.max_length.map(|length| (length as usize).min(longest));
        spec.format = Some(log_format(ring.format.unwrap_or("raw")));
        spec.servers = self.ring_servers(ring);
        spec.connect = ring.connect.filter(|time| !time.is_zero());
        spec.timeout = ring.server.filter(|time| !time.is_zero());
        spec.origin = self.origin(ring.span);
        spec
    }

    fn ring_servers(&mut self, ring: &Ring<'t>) -> Vec<ServerSpec> {
        let proxy = &ring.sender;
        let acls = self.acls(proxy);
        let shapers = Shapers::default();
        let (settings, mode) = (&proxy.settings, ProxyMode::Log);
        let making = Making { proxy, settings, mode, acls: &acls, shapers: &shapers };
        self.servers(&making)
    }

    /// The ring of a `log` line that names the address of a stream.
    pub(super) fn own_ring(&mut self, line: &LogLine<'t>, endpoint: Endpoint) -> Arc<str> {
        let known = self.own_rings.iter().find(|ring| self.origins.span(ring.origin) == Some(line.span));
        if let Some(ring) = known {
            return Arc::clone(&ring.name);
        }
        let mut spec = RingSpec::new(&format!("ring#{}", self.own_rings.len() + 1));
        if let Some(description) = self.created("log directive", line.span) {
            spec.description = description;
        }
        spec.servers.push(ServerSpec::new(&*spec.name, 1, ServerAddr::fixed(endpoint)));
        spec.connect = Some(Duration::from_secs(1));
        spec.timeout = Some(Duration::from_secs(5));
        spec.origin = self.origin(line.span);
        let name = Arc::clone(&spec.name);
        self.own_rings.push(spec);
        name
    }

    /// How a server is told messages.
    pub(super) fn log_server(&mut self, making: &Making<'_, 't>, server: &Server<'t>) -> LogServer {
        let mut log = LogServer::default();
        log.datagrams = server.address.transport == Some(Transport::Datagram);
        log.counted = server.options.log_proto == Some("octet-count");
        log.buffer = server.options.log_bufsize.map(|n| n as usize);
        if making.mode == ProxyMode::Log {
            log.description = self.created("log backend", server.name.span);
        }
        log
    }

    /// What is said of a ring that no section describes.
    fn created(&mut self, what: &str, span: Span) -> Option<Arc<str>> {
        let place = self.place(span)?;
        Some(format!("created from {what} declared into '{}' at line {}", place.file, place.line).into())
    }

    /// `log-forward` sections, as proxies that follow those of the configuration.
    pub(super) fn log_forwards(&mut self, first: u32) -> Vec<ProxySpec> {
        let config = self.config;
        let numbered = config.log_forwards.iter().zip(first..);
        numbered.map(|(section, id)| self.log_forward(section, id)).collect()
    }

    fn log_forward(&mut self, section: &Forward<'t>, id: u32) -> ProxySpec {
        let mut spec = ProxySpec::new(section.name.text, id, Capability::Frontend);
        spec.mode = Mode::Log;
        let mut rules = LogForward::default();
        (rules.host, rules.unread, rules.lines) = (section.host, section.unread, section.lines);
        spec.protocol = Arc::new(rules);
        spec.maxconn = Some(section.maxconn.unwrap_or(CONNECTIONS));
        spec.backlog = section.backlog.filter(|n| *n > 0);
        spec.timeouts.client = section.timeout.filter(|time| !time.is_zero());
        spec.listeners = section.binds.iter().flat_map(|bind| self.listeners(bind, &[], false)).collect();
        for bind in &section.datagrams {
            for mut listener in self.listeners(bind, &[], false) {
                listener.datagrams = Some(Datagrams { idle: Duration::ZERO, flows: 0, single: true });
                spec.listeners.push(listener);
            }
        }
        self.log_lines(&section.log, &mut spec.log);
        spec.origin = self.origin(section.span);
        spec
    }

    /// `balance log-hash`: converters of the message.
    pub(super) fn log_hash(&mut self, words: &[Word<'t>]) -> Option<Program> {
        let word = *words.first()?;
        // The fetch stands for the message; its type is what the converters begin with.
        let text = format!("str(message),{}", word.text);
        let parsed =
            self.build(word.span, words, |registry, context| parse::parse_words(&[&text], registry, context));
        match parsed {
            Ok((program, _)) => Some(program),
            Err(error) => {
                let compat = format!("{error} (from converter list argument in \"balance log-hash\").");
                self.expression_error(&error, words, codes::EXPRESSION, compat);
                None
            }
        }
    }

    /// Only log messages are sent to servers as datagrams, and only to addresses of networks if a backend chooses among them.
    pub(super) fn check_transports(&mut self, making: &Making<'_, 't>) {
        let log = making.mode == ProxyMode::Log;
        for server in &making.proxy.servers {
            let (address, span) = (&server.address, server.name.span);
            if server.options.log_bufsize.is_some_and(|size| Kept::new(size as usize).longest() == 0) {
                self.error(
                    codes::NUMBER,
                    span,
                    "no message fits into a ring of this size",
                    format!("unable to create a new sink buffer for server '{}'.", server.name.text),
                );
            }
            if log && matches!(address.place, Place::Unix(_) | Place::Abstract(_)) {
                self.error(
                    codes::MODE,
                    span,
                    "servers of a log backend have addresses of networks",
                    "log server address family not supported for log backend server.",
                );
            } else if !log && address.transport == Some(Transport::Datagram) {
                let mode = if making.mode == ProxyMode::Http { "http" } else { "tcp" };
                self.error(
                    codes::MODE,
                    span,
                    "only servers of log backends are reached by datagrams",
                    format!("unsupported transport for server address in '{mode}' backend."),
                );
            }
        }
    }

    /// What a backend in log mode cannot do.
    pub(super) fn check_log_pool(&mut self, making: &Making<'_, 't>, pool: &PoolSpec) {
        let (proxy, span) = (making.proxy, making.proxy.span);
        let (word, name) = (proxy.type_word(), proxy.name);
        let balance = making.settings.balance.as_ref();
        let place = balance.map_or(span, |balance| balance.span);
        let messages = balance.is_some_and(|balance| balance.value.messages);
        match pool.algorithm {
            Algorithm::RoundRobin | Algorithm::Random { .. } | Algorithm::Sticky => {}
            Algorithm::Hash if messages && pool.hash.method == HashMethod::Consistent => self.error(
                codes::MODE,
                place,
                "`balance log-hash` needs `hash-type map-based`",
                format!("log backend '{name}': failed to initialize: unsupported hash method (from \"hash-type\")."),
            ),
            Algorithm::Hash if messages => {}
            _ => self.error(
                codes::MODE,
                place,
                "servers in `mode log` are chosen by `roundrobin`, `random`, `sticky` or `log-hash`",
                format!("in {word} '{name}': \"balance\" only supports 'roundrobin', 'random', 'sticky' and 'log-hash'."),
            ),
        }
        let mut kinds = pool.servers.iter().map(|server| server.log.datagrams);
        let first = kinds.next();
        if let Some(other) = kinds.position(|kind| Some(kind) != first) {
            let server = &pool.servers[other + 1].name;
            let place = proxy.servers.iter().find(|line| line.name.text == server.as_str());
            self.error(
                codes::MODE,
                place.map_or(span, |line| line.name.span),
                "servers of one log backend are told messages either by datagrams or by streams, all of them alike",
                format!(
                    "log backend '{name}': failed to initialize: cannot mix server types within a log backend, '{server}' \
                     srv's network type differs from previous server."
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::load::tests::load_text;
    use lb_core::balance::Algorithm;
    use lb_core::diag::Severity;

    fn errors(text: &str) -> Vec<String> {
        let loaded = load_text(text);
        let errors = loaded.diagnostics.iter().filter(|problem| problem.severity == Severity::Error);
        errors.map(|problem| problem.message.clone()).collect()
    }

    #[test]
    fn streams_are_counted_only_if_something_reads_their_numbers() {
        let unnumbered = |line: &str| {
            load_text(&format!("frontend f\n bind :80\n log stdout local0\n {line}\n"))
                .spec
                .process
                .unnumbered
        };
        assert!(unnumbered("option tcplog"));
        for line in
            ["log-format %{+X}rt", "log-format %[txn.id32]", "tcp-request content accept if { txn.id32 1 }"]
        {
            assert!(!unnumbered(line), "{line}");
        }
    }

    #[test]
    fn lines_to_one_address_in_defaults_share_a_ring() {
        let loaded = load_text(
            "defaults\n log tcp@192.0.2.1 local0\nfrontend a\n bind :1\nfrontend b\n bind :2\n log tcp@192.0.2.1 local0\n",
        );
        let rings: Vec<_> = loaded.spec.rings.iter().map(|ring| (&*ring.name, &*ring.description)).collect();
        let created = |line| format!("created from log directive declared into 'lb.cfg' at line {line}");
        assert_eq!(rings, [("ring#1", &*created(2)), ("ring#2", &*created(7))]);
    }

    #[test]
    fn log_backends_refuse_what_they_cannot_do() {
        let of = |lines: &str| errors(&format!("backend b\n mode log\n {lines}\n"));
        assert_eq!(of("balance sticky\n server a udp@192.0.2.1:1\n server b udp@192.0.2.2:1"), [""; 0]);
        assert_eq!(of("balance log-hash field(1,:)\n server a 192.0.2.1:1"), [""; 0]);
        assert_eq!(of("server a udp@192.0.2.1:1\n server b tcp@192.0.2.2:1").len(), 1);
        assert_eq!(of("balance leastconn\n server a 192.0.2.1:1").len(), 1);
        assert_eq!(of("balance log-hash field(1,:)\n hash-type consistent\n server a 192.0.2.1:1").len(), 1);
        assert_eq!(of("balance log-hash nothing\n server a 192.0.2.1:1").len(), 1);
        assert_eq!(of("balance log-hash\n server a 192.0.2.1:1").len(), 1);
        assert_eq!(of("server a /run/log").len(), 1);
        assert_eq!(of("server a 192.0.2.1:1 log-bufsize 100").len(), 1);
        assert_eq!(of("balance hash src\n server a 192.0.2.1:1").len(), 1);
        let elsewhere = load_text("backend b\n mode tcp\n balance log-hash length\n server a 192.0.2.1:1\n");
        assert_eq!(elsewhere.spec.proxies[0].pool.algorithm, Algorithm::RoundRobin);
        assert_eq!(errors("backend b\n server a udp@192.0.2.1:1\n").len(), 1);
    }

    #[test]
    fn a_ring_has_one_file_of_its_own_and_of_the_size_said_before() {
        let loaded = load_text("ring r\n size 1000\n backing-file /var/r\nring s\n backing-file /var/s\n");
        let files: Vec<_> = loaded.spec.rings.iter().map(|ring| ring.file.as_deref()).collect();
        assert_eq!(files, [Some("/var/r"), Some("/var/s")]);
        for wrong in [" backing-file /var/r\n size 1000\n", " backing-file /var/r\n backing-file /var/q\n"] {
            assert_eq!(errors(&format!("ring r\n{wrong}")).len(), 1, "{wrong}");
        }
        assert_eq!(errors("ring r\n backing-file /var/r\nring s\n backing-file /var/r\n").len(), 1);
    }

    #[test]
    fn a_ring_that_is_too_small_for_its_messages_cuts_them() {
        let loaded = load_text("ring r\n size 1000\n maxlen 2000\n");
        assert_eq!(loaded.spec.rings[0].max_length, Some(802));
        assert!(loaded.diagnostics.iter().any(|problem| problem.message.contains("2000")));
    }
}
