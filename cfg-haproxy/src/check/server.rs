//! `server`, `server-template` and `default-server` lines.

use super::bind::verify;
use super::{Checker, Stmt, guid};
use crate::address::{self, Address, Place as Where, Ports, Rules, Transport};
use crate::codes;
use crate::config::{Server, ServerOptions};
use crate::keyword::{self, Keyword, Place};
use crate::tree::Word;
use crate::units::{self, Unit};
use lb_core::diag::{Diagnostic, Spanned};
use lb_core::spec::{InitAddr, ProxyHeaderVersion};
use std::time::Duration;

/// Most networks that a server prefers.
const MAX_NETWORKS: usize = 5;

/// Options that servers do not inherit.
const NOT_DEFAULT: [&str; 7] = ["guid", "id", "no-sslv3", "no-tlsv10", "no-tlsv11", "no-tlsv12", "no-tlsv13"];

/// Whether a name server could know `name`: labels of letters, digits, hyphens and underscores, of which the last one is no
/// number, as those of misspelled addresses are.
fn can_be_name(name: &str) -> bool {
    let labels = || name.strip_suffix('.').unwrap_or(name).split('.');
    let spelled = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
    };
    labels().all(spelled)
        && !labels().next_back().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()))
}

impl<'t> Checker<'t, '_> {
    pub(crate) fn server_line(&mut self, stmt: &Stmt<'t, '_>) {
        let mut options = self.proxy().map(|p| *p.default_server.clone()).unwrap_or_default();
        let args = stmt.args();
        match stmt.keyword.name {
            "default-server" => {
                self.server_options(args, &mut options, "default-server");
                options.from_default = true;
                if let Some(proxy) = self.proxy() {
                    *proxy.default_server = options;
                }
            }
            "server" => {
                if let Some(server) = self.server(args, None, options, stmt.line) {
                    self.keep_server(server);
                }
            }
            _ => self.template(stmt, options),
        }
    }

    fn keep_server(&mut self, server: Server<'t>) {
        if let Some(proxy) = self.proxy() {
            proxy.servers.push(server);
        }
    }

    fn template(&mut self, stmt: &Stmt<'t, '_>, options: ServerOptions<'t>) {
        let args = stmt.args();
        let count = args[1];
        let (low, high) = count.text.split_once('-').unwrap_or(("1", count.text));
        let range = low.parse::<u32>().ok().zip(high.parse::<u32>().ok()).filter(|(l, h)| l <= h && *l > 0);
        let Some(range) = range else {
            return self.push(
                Diagnostic::error(
                    codes::NUMBER,
                    count.span,
                    format!("`{}` is not a number or range of servers", count.text),
                )
                .compat(format!("'server-template' : Wrong number of servers '{}'.", count.text)),
            );
        };
        let rest: Vec<Word<'t>> = std::iter::once(args[0]).chain(args[2..].iter().copied()).collect();
        if let Some(server) = self.server(&rest, Some(range), options, stmt.line) {
            self.keep_server(server);
        }
    }

    /// A server from its name, address and options.
    pub(crate) fn server(
        &mut self,
        words: &[Word<'t>],
        template: Option<(u32, u32)>,
        mut options: ServerOptions<'t>,
        line: u32,
    ) -> Option<Server<'t>> {
        let (name, addr) = (words[0], words[1]);
        self.server_name(name);
        self.server_options(&words[2..], &mut options, "server");
        let address = self.server_address(name, addr, &options)?;
        Some(Server { name, template, address, options, line })
    }

    fn server_name(&mut self, name: Word<'t>) {
        let bad = name.text.char_indices().find(|(_, c)| !(c.is_ascii_alphanumeric() || "-_.:".contains(*c)));
        if let Some((at, c)) = bad {
            self.push(
                Diagnostic::error(
                    codes::NAME,
                    name.part(at..at + c.len_utf8()),
                    format!("`{c}` is not allowed in a server's name"),
                )
                .compat(format!("character '{c}' is not permitted in server name '{}'.", name.text)),
            );
        }
    }

    fn server_address(
        &mut self,
        name: Word<'t>,
        word: Word<'t>,
        options: &ServerOptions<'t>,
    ) -> Option<Address<'t>> {
        let proxy = self.proxy().map_or("", |p| p.name);
        let owner = format!("server {proxy}/{}", name.text);
        let address = match address::parse(self.tree.expanded(word), Rules::SERVER) {
            Ok(address) => address,
            Err(error) => {
                let code = if error.port { codes::PORT } else { codes::ADDRESS };
                self.push(
                    Diagnostic::error(code, word.span, error.message.replace('\'', "`"))
                        .compat(format!("'{owner}' : {}", error.message)),
                );
                return None;
            }
        };
        let refused = match (address.transport, address.place) {
            (Some(Transport::Quic), _) => Some("QUIC"),
            (_, Where::Reverse(_)) => Some("reverse HTTP"),
            (_, Where::SocketPair(_)) => Some("`sockpair@`"),
            (_, Where::Fd(_)) => Some("`fd@` for servers"),
            _ => None,
        };
        if let Some(what) = refused {
            self.push(
                Diagnostic::error(codes::REFUSED, word.span, format!("{what} is not supported"))
                    .compat(format!("'{owner}' : unsupported protocol family for address '{}'.", word.text)),
            );
            return None;
        }
        self.server_host(&address, word, options, &owner);
        Some(address)
    }

    /// A host name should resolve unless `init-addr` says what to do otherwise.
    fn server_host(
        &mut self,
        address: &Address<'t>,
        word: Word<'t>,
        options: &ServerOptions<'t>,
        owner: &str,
    ) {
        let Where::Name(name) = address.place else { return };
        let may_lack = options
            .init_addr
            .as_ref()
            .is_some_and(|list| list.iter().any(|i| matches!(i, InitAddr::None | InitAddr::Ip(_))));
        if name.starts_with('_') {
            let message =
                format!("SRV records such as `{name}` are not asked for; the server stays in maintenance");
            let compat =
                format!("'{owner}' : SRV records such as '{name}' are not asked for, disabling server.");
            return self.push(Diagnostic::warning(codes::UNRESOLVED, word.span, message).compat(compat));
        }
        if may_lack || self.host.names.resolve(name).is_some() {
            return;
        }
        if !can_be_name(name) {
            let message = format!("`{name}` is neither an address nor a name that a name server could know");
            let compat = format!("'{owner}' : could not resolve address '{name}'.");
            return self.push(Diagnostic::error(codes::ADDRESS, word.span, message).compat(compat));
        }
        // HAProxy refuses to start here. A name server that is late must not keep a whole balancer down: the server
        // starts without an address, in maintenance, and says so.
        let diagnostic = Diagnostic::warning(
            codes::UNRESOLVED,
            word.span,
            format!("the host name `{name}` cannot be resolved; the server starts in maintenance"),
        )
        .compat(format!("'{owner}' : could not resolve address '{name}', disabling server."))
        .note("`init-addr none` says that this is meant");
        self.push(diagnostic);
    }

    /// Reads the options of a server line.
    pub(crate) fn server_options(
        &mut self,
        words: &[Word<'t>],
        options: &mut ServerOptions<'t>,
        owner: &str,
    ) {
        let mut at = 0;
        while let Some(word) = words.get(at).copied() {
            let bare = word.text.split('(').next().unwrap_or("");
            let Some(keyword) = keyword::find(Place::Server, &[word.text]).or_else(|| {
                (bare == "set-proxy-v2-tlv-fmt").then(|| keyword::find(Place::Server, &[bare])).flatten()
            }) else {
                at = self.unknown_option(words, at, Place::Server, owner);
                continue;
            };
            if owner == "default-server" && NOT_DEFAULT.contains(&keyword.name) {
                at += 1 + self.not_default(keyword, word);
                continue;
            }
            at = self.server_option_at(keyword, words, at, options);
        }
    }

    /// What is each server's own is told and not read; how many words belong to it.
    fn not_default(&mut self, keyword: &'static Keyword, word: Word<'t>) -> usize {
        let name = keyword.name;
        self.push(
            Diagnostic::alert(
                codes::USELESS,
                word.span,
                format!("`{name}` belongs to the servers; it is not read here"),
            )
            .compat(format!("'{name}' option is not accepted in default-server sections")),
        );
        keyword.args.len()
    }

    fn server_option_at(
        &mut self,
        keyword: &'static Keyword,
        words: &[Word<'t>],
        at: usize,
        options: &mut ServerOptions<'t>,
    ) -> usize {
        let word = words[at];
        match keyword.name {
            "source" => {
                let Some((source, used)) = self.source(&words[at + 1..], "source") else {
                    return words.len();
                };
                options.source = Some(Box::new(source));
                return at + 1 + used;
            }
            "usesrc" => {
                self.push(
                    Diagnostic::error(codes::RULE, word.span, "`usesrc` follows `source` only")
                        .compat("'usesrc' only allowed after a 'source' statement."),
                );
                return at + 2;
            }
            "set-proxy-v2-tlv-fmt" => {
                options.tlvs.push((word, words.get(at + 1).copied()));
                return at + 2;
            }
            _ => {}
        }
        let mut value = if keyword.args.is_empty() { None } else { words.get(at + 1).copied() };
        let next = at + 1 + usize::from(value.is_some());
        if value.is_none() && keyword.zero_if_missing {
            let name = keyword.name;
            let message = format!("`{name}` lacks its number, which counts as 0");
            let compat = format!("'{name}' expects an integer argument (got '', taken as 0).");
            self.push(
                Diagnostic::warning(codes::MISSING_ARGUMENT, word.span.after(), message).compat(compat),
            );
            value = Some(Word { text: "0", span: word.span.after(), plain: true });
        }
        if value.is_none() && keyword.name == "init-addr" {
            self.push(Diagnostic::notice(
                codes::MISSING_ARGUMENT,
                word.span.after(),
                "`init-addr` lacks its methods; the usual ones, `last,libc`, are used",
            ));
            options.init_addr = None;
            return next;
        }
        if !keyword.args.is_empty()
            && !self.check_words(keyword.name, keyword.args, value.as_slice(), word.span)
        {
            return next;
        }
        self.option_status(keyword, word, value);
        self.server_option(keyword.name, word, value, options);
        next
    }

    fn server_option(
        &mut self,
        name: &'static str,
        word: Word<'t>,
        value: Option<Word<'t>>,
        o: &mut ServerOptions<'t>,
    ) {
        let text = value.map_or("", |v| v.text);
        let number = || units::counted::<u32>(text);
        match name {
            "ssl" => o.ssl = Some(word.span),
            "check" => o.check = true,
            "no-check" => o.check = false,
            "inter" | "fastinter" | "downinter" | "slowstart" | "agent-inter" | "pool-purge-delay" => {
                self.server_time(name, value, o);
            }
            "weight" => o.weight = units::counted(text),
            "maxconn" => o.maxconn = number(),
            "rise" => o.rise = number(),
            "fall" => o.fall = number(),
            "backup" => o.backup = true,
            "no-backup" => o.backup = false,
            "disabled" => o.disabled = true,
            "enabled" => o.disabled = false,
            "cookie" => o.cookie = Some(text),
            "id" => o.id = number().map(|n| Spanned::new(n, word.span)),
            "minconn" => o.minconn = number(),
            "maxqueue" => o.maxqueue = number(),
            "redir" => o.redir = Some(text),
            "port" => o.port = units::counted(text),
            "addr" => o.addr = value.and_then(|v| self.address(v, Rules::LOOSE, "addr")),
            "track" => o.track = value,
            "healthcheck" => o.healthcheck = value,
            "init-addr" => o.init_addr = value.and_then(|v| self.init_addr(v)),
            "init-state" => o.init_state = Some(text),
            "resolvers" => o.resolvers = value,
            "resolve-prefer" => o.resolve_prefer = Some(text),
            "resolve-net" => value.into_iter().for_each(|word| self.resolve_net(word, o)),
            "resolve-opts" => value.into_iter().for_each(|word| self.resolve_opts(word, o)),
            "pool-max-conn" => o.pool_max_conn = units::counted(text),
            "pool-low-conn" => o.pool_low_conn = number(),
            "pool-conn-name" => o.pool_conn_name = value,
            "log-proto" => o.log_proto = Some(text),
            "log-bufsize" => o.log_bufsize = number(),
            "max-reuse" => o.max_reuse = units::counted(text),
            "non-stick" => o.non_stick = true,
            "stick" => o.non_stick = false,
            "guid" => {
                o.guid = value;
                if let Some(fault) = value.and_then(|word| guid::fault(word, ".")) {
                    self.push(fault);
                }
            }
            "hash-key" => o.hash_key = Some(text),
            "ws" => o.ws = Some(text),
            "proto" => o.proto = self.server_proto(value),
            _ => self.server_check_option(name, value, o),
        }
    }

    fn server_check_option(
        &mut self,
        name: &'static str,
        value: Option<Word<'t>>,
        o: &mut ServerOptions<'t>,
    ) {
        let text = value.map_or("", |v| v.text);
        match name {
            "check-ssl" => o.check_ssl = Some(true),
            "no-check-ssl" => o.check_ssl = Some(false),
            "check-send-proxy" => o.check_send_proxy = true,
            "no-check-send-proxy" => o.check_send_proxy = false,
            "check-sni" => o.check_sni = Some(text),
            "check-alpn" => o.check_alpn = Some(text),
            "check-proto" => o.check_proto = self.server_proto(value),
            "agent-check" => o.agent_check = true,
            "no-agent-check" => o.agent_check = false,
            "agent-addr" => o.agent_addr = value,
            "agent-port" => o.agent_port = units::counted(text),
            "agent-send" => o.agent_send = Some(text),
            "observe" => o.observe = value,
            "error-limit" => o.error_limit = units::counted(text),
            "on-error" => o.on_error = Some(text),
            "on-marked-down" => o.shutdown_sessions = true,
            "on-marked-up" => o.shutdown_backups = true,
            "send-proxy" => o.send_proxy = Some(ProxyHeaderVersion::V1),
            "send-proxy-v2" => o.send_proxy = Some(ProxyHeaderVersion::V2),
            "send-proxy-v2-ssl" => o.send_proxy = Some(ProxyHeaderVersion::V2Ssl),
            "send-proxy-v2-ssl-cn" => o.send_proxy = Some(ProxyHeaderVersion::V2SslCn),
            "no-send-proxy" | "no-send-proxy-v2" | "no-send-proxy-v2-ssl" | "no-send-proxy-v2-ssl-cn" => {
                o.send_proxy = None;
            }
            "proxy-v2-options" => o.proxy_options = self.proxy_options(value),
            _ => self.server_tls_option(name, value, o),
        }
    }

    fn server_tls_option(&mut self, name: &'static str, value: Option<Word<'t>>, o: &mut ServerOptions<'t>) {
        let text = value.map_or("", |v| v.text);
        match name {
            "no-ssl" => o.ssl = None,
            "verify" => o.verify = verify(text),
            "verifyhost" => o.verify_host = Some(text),
            "no-verifyhost" => o.verify_host = None,
            "ca-file" => o.ca_file = self.ca_file("server", value),
            "crl-file" => o.crl_file = self.ca_file("server", value),
            "crt" => {
                if let Some(value) = value {
                    self.certificate("server", value);
                }
                o.certificate = value;
            }
            "sni" => o.sni = value,
            "sni-auto" => o.sni_auto = Some(true),
            "no-sni-auto" => o.sni_auto = Some(false),
            "alpn" => o.alpn = Some(self.alpn(value)),
            "ciphers" => o.ciphers = self.ciphers(value),
            "ciphersuites" => o.ciphersuites = value,
            "curves" => o.curves = value,
            "ssl-min-ver" | "ssl-max-ver" | "force-tlsv12" | "force-tlsv13" | "no-tlsv12" | "no-tlsv13" => {
                self.version(name, value, &mut o.min, &mut o.max);
            }
            // What is left has no effect, and that has been said, or is on by default.
            _ => {}
        }
    }

    fn server_time(&mut self, name: &'static str, value: Option<Word<'t>>, o: &mut ServerOptions<'t>) {
        let Some(word) = value else { return };
        // `slowstart 60` counts in milliseconds like everything else, though most people mean seconds.
        let Some(time) = self.time(name, word, Unit::Milli) else { return };
        let field = match name {
            "inter" => &mut o.inter,
            "fastinter" => &mut o.fastinter,
            "downinter" => &mut o.downinter,
            "slowstart" => &mut o.slowstart,
            "agent-inter" => &mut o.agent_inter,
            _ => &mut o.pool_purge_delay,
        };
        *field = Some(time);
        let interval = matches!(name, "inter" | "fastinter" | "downinter" | "agent-inter");
        if interval && time.is_zero() {
            self.push(
                Diagnostic::error(codes::TIME, word.span, format!("`{name}` cannot be 0"))
                    .compat(format!("invalid value {} for argument '{name}' of server.", word.text)),
            );
        }
        // A bare number below 100 ms hammers the server hundreds of times a second.
        if word.text.bytes().all(|b| b.is_ascii_digit())
            && time < Duration::from_millis(100)
            && !time.is_zero()
        {
            self.small_time(name, word, "server");
        }
    }

    fn server_proto(&mut self, value: Option<Word<'t>>) -> Option<&'t str> {
        let value = value?;
        if !matches!(value.text, "h1" | "h2" | "none") {
            let refused = matches!(value.text, "fcgi" | "spop" | "quic");
            let message = if refused {
                format!("protocol `{}` is not supported", value.text)
            } else {
                format!("unknown protocol `{}`", value.text)
            };
            self.push(
                Diagnostic::error(codes::WORD, value.span, message)
                    .compat(format!("'server' : 'proto' :  unknown MUX protocol '{}'", value.text))
                    .note("one of: h1, h2, none"),
            );
        }
        Some(value.text)
    }

    fn proxy_options(&mut self, value: Option<Word<'t>>) -> Option<Word<'t>> {
        const KNOWN: &[&str] =
            &["ssl", "cert-cn", "cert-key", "cert-sig", "ssl-cipher", "authority", "crc32c", "unique-id"];
        let value = value?;
        for piece in value.text.split(',') {
            if !KNOWN.contains(&piece) {
                self.push(
                    Diagnostic::error(
                        codes::WORD,
                        value.span,
                        format!("`{piece}` is not a PROXY protocol option"),
                    )
                    .compat(format!("'proxy-v2-options' : proxy v2 option not implemented '{piece}'"))
                    .note(format!("any of: {}", KNOWN.join(", "))),
                );
            }
        }
        Some(value)
    }

    fn resolve_net(&mut self, value: Word<'t>, o: &mut ServerOptions<'t>) {
        let list = value.text.strip_suffix(',').unwrap_or(value.text);
        for piece in list.split(',') {
            let (message, compat) = match address::network(piece) {
                Some(_) if o.resolve_net.len() >= MAX_NETWORKS => (
                    format!("a server prefers {MAX_NETWORKS} networks at most"),
                    format!("'resolve-net' exceed {MAX_NETWORKS} networks.."),
                ),
                Some(network) => {
                    o.resolve_net.push(network);
                    continue;
                }
                None => (
                    format!("`{piece}` is not a network"),
                    format!("'resolve-net' invalid network '{piece}'.."),
                ),
            };
            return self.push(Diagnostic::error(codes::ADDRESS, value.span, message).compat(compat));
        }
    }

    fn resolve_opts(&mut self, value: Word<'t>, o: &mut ServerOptions<'t>) {
        for piece in value.text.split(',').filter(|piece| !piece.is_empty()) {
            match piece {
                "allow-dup-ip" => o.resolve_duplicates = true,
                "prevent-dup-ip" => o.resolve_duplicates = false,
                // Weights come with records of services only.
                "ignore-weight" => {}
                _ => {
                    let message = format!("`{piece}` is nothing that can be said about answers");
                    let compat = format!(
                        "'resolve-opts' : unknown resolve-opts option '{piece}', supported methods are \
                         'allow-dup-ip', 'ignore-weight', and 'prevent-dup-ip'.."
                    );
                    return self.push(Diagnostic::error(codes::WORD, value.span, message).compat(compat));
                }
            }
        }
    }

    fn init_addr(&mut self, value: Word<'t>) -> Option<Vec<InitAddr>> {
        let mut out = Vec::new();
        for piece in value.text.split(',') {
            let method = match piece {
                "last" => InitAddr::Last,
                "libc" => InitAddr::Libc,
                "none" => InitAddr::None,
                ip => match ip.trim_matches(['[', ']']).parse() {
                    Ok(_) if out.iter().any(|method| matches!(method, InitAddr::Ip(_))) => {
                        let message = format!("`{piece}` is a second address to start with");
                        let compat =
                            format!("'init-addr' : initial address already specified, cannot add '{piece}'.");
                        self.push(Diagnostic::error(codes::DUPLICATE, value.span, message).compat(compat));
                        return None;
                    }
                    Ok(ip) => InitAddr::Ip(ip),
                    Err(_) => {
                        self.push(
                            Diagnostic::error(codes::WORD, value.span, format!("`{piece}` is not a way to find an address"))
                                .compat(format!("'init-addr' : unknown init-addr method '{piece}', supported methods are 'libc', 'last', 'none'."))
                                .note("a list of `last`, `libc`, `none` and addresses"),
                        );
                        return None;
                    }
                },
            };
            out.push(method);
        }
        Some(out)
    }

    /// Whether the ports of a server leave the check without one; reported by the cross checks.
    pub(crate) fn check_port_missing(server: &Server<'t>) -> bool {
        let o = &server.options;
        let own = o.port.is_some() || o.addr.as_ref().is_some_and(|a| a.port().is_some());
        // A name may have any port by the time it is known, and so may an address that is yet to be set; only real
        // addresses can be judged now.
        let inet = matches!(server.address.place, Where::Ip(ip) if !ip.is_unspecified());
        o.check
            && inet
            && !own
            && matches!(server.address.ports, Ports::None | Ports::Offset(_) | Ports::One(0))
    }
}
