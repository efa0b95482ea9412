//! Checks over the whole configuration: references between sections, modes, timeouts, duplicates, listeners.

use super::Checker;
use crate::codes;
use crate::config::{Clause, Config, LogFormatChoice, LogTarget, Proxy, ProxyMode, Server, Settings};
use crate::keyword::{HA, HQ, HR};
use crate::section::SectionKind;
use crate::suggest;
use crate::tree::{Tree, Word};
use lb_core::diag::{Diagnostic, Diagnostics, Span, Spanned};
use lb_core::spec::{RingSpec, Verify};
use std::collections::HashMap;

impl<'t> Checker<'t, '_> {
    /// The checks that need everything to have been read.
    pub(crate) fn finish(&mut self) {
        // What older versions took stays so in a file that is written in the words of one.
        let old = !self.tree.translated.is_empty() || self.diagnostics.iter().any(removed);
        let mut cross = Cross::new(&self.config, self.tree, old);
        cross.run();
        self.diagnostics.append(cross.out);
        self.diagnostics.append(super::lint::notices(&self.config, self.tree));
    }
}

/// Whether something was said that only older versions understood.
fn removed(diagnostic: &Diagnostic) -> bool {
    let deprecated = |text: &str| text.contains("is deprecated");
    diagnostic.code == codes::TRANSLATED && !diagnostic.compat.as_deref().is_some_and(deprecated)
}

struct Cross<'c, 't> {
    config: &'c Config<'t>,
    tree: &'t Tree,
    frontends: HashMap<&'t str, usize>,
    backends: HashMap<&'t str, usize>,
    /// Effective modes, by index of the proxy.
    modes: Vec<ProxyMode>,
    /// The file uses words that only older versions knew.
    old: bool,
    /// That HTTP/2 is not offered has been told.
    told_h2: bool,
    out: Diagnostics,
}

impl<'c, 't> Cross<'c, 't> {
    fn new(config: &'c Config<'t>, tree: &'t Tree, old: bool) -> Self {
        let index = |wanted: fn(&Proxy<'t>) -> bool| {
            config.proxies.iter().enumerate().filter(|(_, p)| wanted(p)).map(|(i, p)| (p.name, i)).collect()
        };
        Self {
            config,
            tree,
            frontends: index(Proxy::has_frontend),
            backends: index(Proxy::has_backend),
            modes: config
                .proxies
                .iter()
                .map(|p| config.setting(p, |s| s.mode.map(|m| m.value)).unwrap_or(ProxyMode::Tcp))
                .collect(),
            old,
            told_h2: false,
            out: Diagnostics::new(),
        }
    }

    fn run(&mut self) {
        let config = self.config;
        for (index, proxy) in config.proxies.iter().enumerate() {
            let settings = config.effective(proxy);
            if settings.disabled.as_ref().is_some_and(|d| d.value) {
                continue;
            }
            let mode = self.modes[index];
            self.references(proxy, &settings, mode);
            self.servers(proxy, &settings, mode);
            self.listeners(proxy);
            self.second_http(proxy, mode);
            self.missing_timeouts(proxy, &settings, mode);
            self.needs_http(proxy, &settings, mode);
            self.log_format(proxy, &settings, mode);
            self.log_targets(proxy);
        }
        for ring in &config.rings {
            self.server_lines(&ring.sender);
        }
        self.out.extend(super::stick::write_to_targets(config));
        self.out.extend(super::guid::duplicates(config));
        self.process();
        self.identifiers();
        if !self.out.has_errors() {
            self.any_listener();
        }
    }

    fn references(&mut self, proxy: &Proxy<'t>, settings: &Settings<'t>, mode: ProxyMode) {
        if proxy.has_frontend() {
            if let Some(name) = &settings.default_backend {
                self.backend(proxy, mode, name.value, name.span, "default_backend");
            }
            for clause in &proxy.lists.use_backends {
                let Some(word) = clause.words.first() else { continue };
                if !word.text.contains('%') {
                    self.backend(proxy, mode, word.text, word.span, "use_backend");
                }
            }
        }
        for (keyword, word) in &proxy.lists.idle_targets {
            self.backend(proxy, mode, word.text, word.span, keyword);
        }
        for clause in &proxy.lists.use_servers {
            self.use_server(proxy, clause);
        }
        for words in proxy.lists.filters.iter().filter(|words| words[0].text == "cache") {
            let Some(name) = words.get(1) else { continue };
            let known = self.config.caches.iter().map(|cache| cache.text).collect();
            self.known("cache", name.text, name.span, known, || {
                let (word, proxy) = (proxy.type_word(), proxy.name);
                let text = name.text;
                format!(
                    "{word} '{proxy}': unable to find the cache '{text}' referenced by the filter 'cache'."
                )
            });
        }
        self.mail_alerts(proxy, settings);
        if let Some(peers) = proxy.table.as_ref().and_then(|t| t.peers) {
            let known = self.config.peers.iter().map(|p| p.name.text);
            self.known("peers", peers.text, peers.span, known.collect(), || {
                format!("Proxy '{}': unable to find sync peers '{}'.", proxy.name, peers.text)
            });
        }
        for words in &proxy.lists.error_groups {
            let word = words[0];
            let known = self.config.http_errors.iter().map(|h| h.name.text);
            self.known("http-errors", word.text, word.span, known.collect(), || {
                format!("Proxy '{}': unable to find the http-errors section '{}'", proxy.name, word.text)
            });
        }
    }

    /// Notices by mail need a sender, a receiver and somebody to carry them.
    fn mail_alerts(&mut self, proxy: &Proxy<'t>, settings: &Settings<'t>) {
        let (mailers, from, to) = (&settings.alert_mailers, &settings.alert_from, &settings.alert_to);
        if let (Some(mailers), true, true) = (mailers, from.is_some(), to.is_some()) {
            let known = self.config.mailers.iter().map(|m| m.name.text);
            return self.known("mailers", mailers.value, mailers.span, known.collect(), || {
                format!("Proxy '{}': unable to find mailers '{}'", proxy.name, mailers.value)
            });
        }
        let any = [mailers, from, to, &settings.alert_hostname].into_iter().flatten().next();
        let Some(span) = any.map(|line| line.span).or_else(|| settings.alert_level.as_ref().map(|l| l.span))
        else {
            return;
        };
        self.out.push(
            Diagnostic::warning(
                codes::USELESS,
                span,
                format!("`{}` sends no mail: `email-alert` needs `from`, `to` and `mailers`", proxy.name),
            )
            .compat(format!(
                "'email-alert' will be ignored for {} '{}' (the presence any of 'email-alert from', 'email-alert level' \
                 'email-alert mailers', 'email-alert myhostname', or 'email-alert to' requires each of 'email-alert \
                 from', 'email-alert mailers' and 'email-alert to' to be present).",
                proxy.type_word(),
                proxy.name
            )),
        );
    }

    fn backend(&mut self, proxy: &Proxy<'t>, mode: ProxyMode, name: &str, span: Span, keyword: &str) {
        let Some(&index) = self.backends.get(name) else {
            let near = suggest::nearest(name, self.backends.keys().copied());
            let mut diagnostic = if self.frontends.contains_key(name) {
                Diagnostic::error(codes::UNKNOWN_NAME, span, format!("`{name}` is a frontend, not a backend"))
            } else {
                Diagnostic::error(codes::UNKNOWN_NAME, span, format!("there is no backend `{name}`"))
            };
            diagnostic = diagnostic
                .compat(format!("Proxy '{}': unable to find required {keyword}: '{name}'.", proxy.name));
            if let Some(near) = near {
                diagnostic = diagnostic.suggest(span, near, format!("did you mean `{near}`?"));
            }
            return self.out.push(diagnostic);
        };
        if std::ptr::eq(&self.config.proxies[index], proxy) {
            let message = format!("`{name}` would hand its connections to itself");
            let compat = format!("Proxy '{name}': loop detected for {keyword}: '{name}'.");
            return self.out.push(Diagnostic::error(codes::UNKNOWN_NAME, span, message).compat(compat));
        }
        let other = self.modes[index];
        // A TCP frontend may hand its connections to an HTTP backend, which then reads them.
        let fits = mode == other || (mode == ProxyMode::Tcp && other == ProxyMode::Http);
        if !fits {
            let backend = &self.config.proxies[index];
            let (mode, other) = (mode.word(), other.word());
            let at = |span| {
                self.tree.sources().locate(span).map_or(String::new(), |(f, p)| format!("{f}:{}", p.line))
            };
            let rule = match keyword {
                "default_backend" => "as its default backend".to_owned(),
                _ => format!("in a '{keyword}' rule"),
            };
            let compat = format!(
                "{mode} {} '{}' ({}) tries to use incompatible {other} {} '{}' ({}) {rule} (see 'mode').",
                proxy.type_word(),
                proxy.name,
                at(proxy.span),
                backend.type_word(),
                backend.name,
                at(backend.span)
            );
            let diagnostic = Diagnostic::error(
                codes::MODE,
                span,
                format!("an {mode} frontend cannot use the {other} backend `{name}`"),
            );
            self.out.push(
                diagnostic.compat(compat).label(backend.span, format!("this backend has `mode {other}`")),
            );
        }
    }

    fn use_server(&mut self, proxy: &Proxy<'t>, clause: &Clause<'t>) {
        let Some(word) = clause.words.first() else { return };
        let known = proxy.servers.iter().any(|s| names_server(s, word.text));
        if !known && !word.text.contains('%') {
            self.out.push(
                Diagnostic::error(
                    codes::UNKNOWN_NAME,
                    word.span,
                    format!("this proxy has no server `{}`", word.text),
                )
                .compat(format!(
                    "{} '{}' : unable to find server '{}' referenced in a 'use-server' rule.",
                    proxy.type_word(),
                    proxy.name,
                    word.text
                )),
            );
        }
    }

    fn known(
        &mut self,
        what: &str,
        name: &str,
        span: Span,
        known: Vec<&str>,
        compat: impl FnOnce() -> String,
    ) {
        if known.contains(&name) {
            return;
        }
        let mut diagnostic =
            Diagnostic::error(codes::UNKNOWN_NAME, span, format!("there is no `{what}` section `{name}`"))
                .compat(compat());
        if let Some(near) = suggest::nearest(name, known) {
            diagnostic = diagnostic.suggest(span, near, format!("did you mean `{near}`?"));
        }
        self.out.push(diagnostic);
    }

    fn servers(&mut self, proxy: &Proxy<'t>, settings: &Settings<'t>, mode: ProxyMode) {
        self.server_lines(proxy);
        let asking = proxy.servers.iter().filter_map(|server| Some((server, server.options.resolvers?)));
        for (server, name) in asking.filter(|(_, name)| name.text != "default") {
            let known = self.config.resolvers.iter().map(|r| r.name.text).collect();
            self.known("resolvers", name.text, name.span, known, || {
                let owner = format!("server {}/{}", proxy.name, server.name.text);
                format!("'{owner}' : unable to find required resolvers '{}'", name.text)
            });
        }
        if let Some(balance) = settings.balance.as_ref().filter(|_| proxy.has_backend())
            && let Some(needed) = balance.value.mode().filter(|needed| *needed != mode)
        {
            self.balance_mode(proxy, balance.span, needed);
        }
    }

    /// An algorithm that reads what a proxy of another mode than `needed` does not see.
    fn balance_mode(&mut self, proxy: &Proxy<'t>, span: Span, needed: ProxyMode) {
        let (word, name) = (proxy.type_word(), proxy.name);
        let (mode, problem) = match needed {
            ProxyMode::Log => ("log", "Unusable balance algorithm"),
            _ => ("http", "Layer 7 hash not possible"),
        };
        let compat =
            format!("{problem} for {word} '{name}' (needs 'mode {mode}'). Falling back to round robin.");
        let message = format!("this algorithm needs `mode {mode}`; servers are taken in turn");
        self.out.push(Diagnostic::warning(codes::MODE, span, message).compat(compat));
    }

    /// The `server` lines of a proxy or a ring.
    fn server_lines(&mut self, proxy: &Proxy<'t>) {
        let mut names: HashMap<&str, (u32, Span)> = HashMap::with_capacity(proxy.servers.len());
        let mut ids = HashMap::new();
        for server in &proxy.servers {
            self.server(proxy, server);
            if let Some(id) = o_id(server) {
                self.server_id(proxy, server, id, &mut ids);
            }
            if server.template.is_some() {
                continue;
            }
            if let Some(first) = names.insert(server.name.text, (server.line, server.name.span)) {
                self.same_server(proxy, server, first);
            }
        }
    }

    /// Two servers of one name: until 2.x they were told apart by their numbers.
    fn same_server(&mut self, proxy: &Proxy<'t>, server: &Server<'t>, (line, first): (u32, Span)) {
        let name = server.name.text;
        let span = server.name.span;
        let diagnostic = if self.old {
            let renamed = proxy.renamed().into_iter().find(|(s, _)| s.name.span == span);
            let fresh = renamed.map_or_else(String::new, |(_, fresh)| fresh);
            Diagnostic::warning(
                codes::TRANSLATED,
                span,
                format!("this proxy has a server `{name}` already; read as `{fresh}`"),
            )
            .suggest(span, fresh, "give it a name of its own")
        } else {
            Diagnostic::error(codes::DUPLICATE, span, format!("this proxy has a server `{name}` already"))
        };
        self.out.push(
            diagnostic
                .compat(format!(
                    "{} '{}', another server named '{name}' was already defined at line {line}, please use distinct names.",
                    proxy.type_word(),
                    proxy.name
                ))
                .label(first, "first declared here"),
        );
    }

    fn server_id(
        &mut self,
        proxy: &Proxy<'t>,
        server: &Server<'t>,
        id: Spanned<u32>,
        ids: &mut HashMap<u32, (&'t str, Span)>,
    ) {
        if let Some((name, first)) = ids.insert(id.value, (server.name.text, id.span)) {
            self.out.push(
                Diagnostic::error(
                    codes::DUPLICATE,
                    id.span,
                    format!("the server `{name}` has the number {} already", id.value),
                )
                .compat(format!(
                    "'server {}/{}' : 'id' : custom id {} already used ('server {name}')",
                    proxy.name, server.name.text, id.value
                ))
                .label(first, "first used here"),
            );
        }
    }

    fn server(&mut self, proxy: &Proxy<'t>, server: &Server<'t>) {
        let o = &server.options;
        let owner = format!("server {}/{}", proxy.name, server.name.text);
        self.server_trust(server, &owner);
        if o.ssl.is_some() && o.ciphers.is_none() {
            self.default_ciphers(self.config.global.server_tls.ciphers, server.name.span, || {
                format!("'{owner}' : unable to set SSL cipher list")
            });
        }
        if let Some(check) = o.healthcheck {
            let known = self.config.healthchecks.iter().map(|h| h.name.text).collect();
            self.known("healthcheck", check.text, check.span, known, || {
                format!("'{owner}' : unable to find healthcheck section '{}'", check.text)
            });
        }
        if let Some(track) = o.track {
            self.track(proxy, server, track, &owner);
        }
        let connects = effective_lists(self.config, proxy, |l| &l.tcp_check)
            .into_iter()
            .chain(effective_lists(self.config, proxy, |l| &l.http_check))
            .any(|step| step[0].text == "connect" && step.iter().any(|w| w.text == "port"));
        if Checker::check_port_missing(server) && !connects {
            self.out.push(
                Diagnostic::error(
                    codes::PORT,
                    server.name.span,
                    "the server has no port that checks could use",
                )
                .compat(format!(
                    "proxy '{}': server '{}' has neither service port nor check port.",
                    proxy.name, server.name.text
                )),
            );
        }
    }

    /// A server's certificate can only be verified with a CA file.
    fn server_trust(&mut self, server: &Server<'t>, owner: &str) {
        let o = &server.options;
        let verified = o.verify.unwrap_or(if self.config.global.server_verify_none {
            Verify::None
        } else {
            Verify::Required
        });
        if (o.ssl.is_some() || o.check_ssl == Some(true)) && verified != Verify::None && o.ca_file.is_none() {
            self.out.push(
                Diagnostic::error(
                    codes::TLS,
                    server.name.span,
                    "the server's certificate is to be verified, but no `ca-file` says whom to trust",
                )
                .compat(format!(
                    "'{owner}' : verify is enabled by default but no CA file specified. If you're running on a LAN where \
                     you're certain to trust the server's certificate, please set an explicit 'verify none' statement on \
                     the 'server' line, or use 'ssl-server-verify none' in the global section to disable server-side \
                     verifications by default."
                ))
                .note("add `ca-file @system-ca` or, in a trusted network, `verify none`"),
            );
        }
    }

    /// The default cipher string that the object at `span` uses selects nothing.
    fn default_ciphers(&mut self, ciphers: Option<Word<'t>>, span: Span, compat: impl FnOnce() -> String) {
        let Some(word) = ciphers else { return };
        if crate::cipher::select(word.text).known == 0 {
            self.out.push(
                Diagnostic::error(
                    codes::TLS,
                    span,
                    format!("the default cipher string `{}` selects no cipher", word.text),
                )
                .compat(format!("{} to '{}'.", compat(), word.text))
                .label(word.span, "it is set here"),
            );
        }
    }

    fn track(&mut self, proxy: &Proxy<'t>, server: &Server<'t>, track: Word<'t>, owner: &str) {
        let (backend, name) = track.text.split_once('/').unwrap_or((proxy.name, track.text));
        let Some(&index) = self.backends.get(backend) else {
            return self.out.push(
                Diagnostic::error(
                    codes::UNKNOWN_NAME,
                    track.span,
                    format!("there is no backend `{backend}`"),
                )
                .compat(format!("'{owner}' : unable to find required proxy '{backend}' for tracking.")),
            );
        };
        let target = &self.config.proxies[index];
        let problem = if !target.servers.iter().any(|s| names_server(s, name)) {
            Some((
                format!("`{backend}` has no server `{name}`"),
                format!("unable to find required server '{name}' for tracking."),
            ))
        } else if server.options.check {
            Some((
                "a server that tracks another is not checked itself".to_owned(),
                "cannot be checked because it tracks another server.".to_owned(),
            ))
        } else {
            None
        };
        if let Some((message, compat)) = problem {
            self.out.push(
                Diagnostic::error(codes::UNKNOWN_NAME, track.span, message)
                    .compat(format!("'{owner}' : {compat}")),
            );
        }
    }

    fn listeners(&mut self, proxy: &Proxy<'t>) {
        if proxy.kind == SectionKind::Frontend && proxy.binds.is_empty() {
            self.out.push(
                Diagnostic::warning(codes::USELESS, proxy.span, format!("the frontend `{}` listens nowhere", proxy.name))
                    .compat(format!(
                        "frontend '{}' has no 'bind' directive. Please declare it as a backend if this was intended.",
                        proxy.name
                    )),
            );
        }
        for bind in &proxy.binds {
            let o = &bind.options;
            let Some(ssl) = o.ssl else { continue };
            if o.ciphers.is_none() {
                let text = bind.addresses.first().map_or("", |a| a.text);
                self.default_ciphers(self.config.global.bind_tls.ciphers, ssl, || {
                    format!("Proxy '{}': unable to set SSL cipher list for bind '{text}'", proxy.name)
                });
            }
            let certificates = !o.certificates.is_empty() || !proxy.lists.frontend_certificates.is_empty();
            let strict = o.strict_sni.unwrap_or(self.config.global.bind_tls.strict_sni);
            if certificates {
                continue;
            }
            let text = bind.addresses.first().map_or("", |a| a.text);
            let compat = format!("Proxy '{}': no SSL certificate specified for bind '{text}'", proxy.name);
            let message = "this listener has no certificate";
            self.out.push(if strict {
                Diagnostic::warning(codes::TLS, ssl, message)
                    .compat(format!("{compat}, ssl connections will fail (use 'crt')."))
            } else {
                Diagnostic::error(codes::TLS, ssl, message).compat(format!("{compat} (use 'crt')."))
            });
        }
    }

    /// Listeners that ask for HTTP/2: told once for offers, which are taken back, and each time where nothing else is left.
    fn second_http(&mut self, proxy: &Proxy<'t>, mode: ProxyMode) {
        for bind in proxy.binds.iter().filter(|_| mode == ProxyMode::Http) {
            let offered = bind.options.alpn.iter().flatten().any(|name| name == "h2");
            let told = if bind.options.proto == Some("h2") {
                // A warning would keep the file from loading where warnings are fatal, though it serves HTTP/1.
                Diagnostic::notice(
                    codes::NO_EFFECT,
                    bind.span,
                    "HTTP/2 is not spoken: this listener takes HTTP/1 only",
                )
                .compat("'proto h2' is not supported, this listener takes HTTP/1 only.")
            } else if offered && !std::mem::replace(&mut self.told_h2, true) {
                Diagnostic::notice(
                    codes::NO_EFFECT,
                    bind.span,
                    "`h2` is not offered: HTTP/2 is not spoken, clients use HTTP/1.1",
                )
                .compat("'alpn h2' has no effect here: HTTP/2 is not spoken, clients use HTTP/1.1.")
            } else {
                continue;
            };
            self.out.push(told);
        }
    }

    fn missing_timeouts(&mut self, proxy: &Proxy<'t>, settings: &Settings<'t>, mode: ProxyMode) {
        if !matches!(mode, ProxyMode::Tcp | ProxyMode::Http) {
            return;
        }
        let has = |name: &str| settings.timeouts.get(name).is_some_and(|t| !t.value.is_zero());
        let client = proxy.has_frontend() && !has("client");
        let server = proxy.has_backend()
            && !proxy.servers.is_empty()
            && (!has("connect") || (!has("server") && (mode == ProxyMode::Http || !has("tunnel"))));
        if !client && !server {
            return;
        }
        let mut missing = Vec::new();
        missing.extend((client).then_some("`timeout client`"));
        missing.extend((server && !has("connect")).then_some("`timeout connect`"));
        missing.extend((server && !has("server")).then_some("`timeout server`"));
        self.out.push(
            Diagnostic::warning(codes::TIMEOUTS, proxy.span, format!("`{}` lacks {}", proxy.name, missing.join(", ")))
                .compat(format!(
                    "missing timeouts for {} '{}'. While not properly invalid, you will certainly encounter various problems \
                     with such a configuration. To fix this, please ensure that all following timeouts are set to a non-zero \
                     value: 'client', 'connect', 'server'.",
                    proxy.type_word(),
                    proxy.name
                ))
                .note("without them, peers that vanish hold connections for ever"),
        );
    }

    fn needs_http(&mut self, proxy: &Proxy<'t>, settings: &Settings<'t>, mode: ProxyMode) {
        if mode == ProxyMode::Http || (mode == ProxyMode::Tcp && self.config.goes_to_http(proxy)) {
            return;
        }
        let mut warn = |span: Span, what: &str, plural: bool| {
            let (word, they) = if plural { ("rules", "they require") } else { ("statement", "it requires") };
            self.out.push(
                Diagnostic::warning(codes::MODE, span, format!("`{what}` has no effect without `mode http`"))
                    .compat(format!(
                        "'{what}' {word} ignored for {} '{}' as {they} HTTP mode.",
                        proxy.type_word(),
                        proxy.name
                    )),
            );
        };
        for (set, name) in [(HQ, "http-request"), (HR, "http-response"), (HA, "http-after-response")] {
            if let Some(rule) = proxy.lists.rules.iter().find(|r| r.set == set) {
                warn(rule.words[0].span, name, true);
            }
        }
        if let Some(redirect) = proxy.lists.redirects.first() {
            warn(redirect.span, "redirect", true);
        }
        if let Some(stats) = proxy.settings.stats.as_ref().filter(|_| mode == ProxyMode::Tcp) {
            warn(stats.span, "stats", false);
        }
        if let Some(uri) = proxy.settings.monitor_uri {
            warn(uri.span, "monitor-uri", false);
        }
        let cookie =
            settings.cookie.as_ref().filter(|_| proxy.has_backend() && proxy.settings.cookie.is_some());
        if let Some(cookie) = cookie {
            warn(cookie.span, "cookie", false);
        }
        if let Some(compression) = &proxy.settings.compression {
            warn(compression.span, "compression", false);
        }
    }

    fn log_format(&mut self, proxy: &Proxy<'t>, settings: &Settings<'t>, mode: ProxyMode) {
        let Some(format) = settings.log_format.as_ref().filter(|_| proxy.has_frontend()) else { return };
        if mode == ProxyMode::Tcp && proxy.settings.log_format.is_some() {
            let option = match format.value {
                LogFormatChoice::Http(_) => Some("option httplog"),
                LogFormatChoice::Https => Some("option httpslog"),
                _ => None,
            };
            if let Some(option) = option {
                self.out.push(
                    Diagnostic::warning(codes::MODE, format.span, format!("`{option}` needs `mode http`; connections are logged instead"))
                        .compat(format!(
                            "'{option}' not usable with {} '{}' (needs 'mode http'). Falling back to 'option tcplog'.",
                            proxy.type_word(),
                            proxy.name
                        )),
                );
            }
        }
        let somewhere = !self.config.global.log.is_empty();
        let logs = |p: &Proxy<'t>| p.lists.log.iter().any(|own| own.is_some() || somewhere);
        let has_log = logs(proxy) || (!proxy.lists.no_log && self.config.bases(proxy).any(logs));
        if !has_log && proxy.settings.log_format.is_some() {
            self.out.push(
                Diagnostic::warning(
                    codes::USELESS,
                    format.span,
                    format!("`{}` has a log format and no `log` line", proxy.name),
                )
                .compat(format!(
                    "log format ignored for {} '{}' since it has no log address.",
                    proxy.type_word(),
                    proxy.name
                )),
            );
        }
    }

    fn log_targets(&mut self, proxy: &Proxy<'t>) {
        for line in proxy.lists.log.iter().flatten() {
            self.log_target(&line.target);
            self.log_profile(line.profile);
        }
    }

    fn log_profile(&mut self, name: Option<Word<'t>>) {
        let Some(name) = name else { return };
        let known = self.config.log_profiles.iter().map(|profile| profile.name.text).collect();
        self.known("log-profile", name.text, name.span, known, || {
            format!("log : unknown log-profile '{}'.", name.text)
        });
    }

    fn log_target(&mut self, target: &LogTarget<'t>) {
        match target {
            LogTarget::Ring(name) => {
                let mut known: Vec<&str> = self.config.rings.iter().map(|r| r.name.text).collect();
                known.extend(RingSpec::STANDING.map(|(name, _, _)| name));
                self.known("ring", name.text, name.span, known, || {
                    format!("log : uses unknown ring named '{}'.", name.text)
                });
            }
            LogTarget::Backend(name) => {
                let usable = self.backends.get(name.text).is_some_and(|i| self.modes[*i] == ProxyMode::Log);
                if !usable {
                    self.out.push(
                        Diagnostic::error(
                            codes::UNKNOWN_NAME,
                            name.span,
                            format!("there is no log backend `{}`", name.text),
                        )
                        .compat(format!(
                            "log : uses unknown backend '{}' or one that is not in 'mode log'.",
                            name.text
                        )),
                    );
                }
            }
            _ => {}
        }
    }

    fn process(&mut self) {
        let forwarded = self.config.log_forwards.iter().flat_map(|section| section.log.iter().flatten());
        for line in self.config.global.log.iter().chain(forwarded) {
            self.log_target(&line.target);
            self.log_profile(line.profile);
        }
    }

    fn identifiers(&mut self) {
        let mut seen: HashMap<u32, (&str, Span)> = HashMap::new();
        for proxy in &self.config.proxies {
            let Some(id) = proxy.id else { continue };
            if let Some((name, first)) = seen.insert(id.value, (proxy.name, id.span)) {
                self.out.push(
                    Diagnostic::error(
                        codes::DUPLICATE,
                        id.span,
                        format!("`{name}` has the number {} already", id.value),
                    )
                    .compat(format!("{} {} reuses same custom id as {name}.", proxy.type_word(), proxy.name))
                    .label(first, "first used here"),
                );
            }
        }
    }

    fn any_listener(&mut self) {
        let listens = !self.config.global.sockets.is_empty()
            || self.config.proxies.iter().any(|p| !p.binds.is_empty())
            || self.config.log_forwards.iter().any(|f| !f.binds.is_empty() || !f.datagrams.is_empty());
        if !listens {
            self.out.push(
                Diagnostic::new(
                    lb_core::diag::Severity::Warning,
                    codes::NO_LISTENER,
                    "no proxy listens anywhere",
                )
                .compat("Configuration file has no error but will not start (no listener) => exit(2)."),
            );
        }
    }
}

/// The number a `server` line gives itself.
fn o_id(server: &Server<'_>) -> Option<Spanned<u32>> {
    server.options.id
}

/// Whether `server` is called `name`, templates by their prefix and number.
fn names_server(server: &Server<'_>, name: &str) -> bool {
    match server.template {
        None => server.name.text == name,
        Some((low, high)) => name
            .strip_prefix(server.name.text)
            .and_then(|n| n.parse::<u32>().ok())
            .is_some_and(|n| (low..=high).contains(&n)),
    }
}

/// A list of `proxy`: its own if it has one, else the nearest inherited.
pub(crate) fn effective_lists<'c, 't, T>(
    config: &'c Config<'t>,
    proxy: &'c Proxy<'t>,
    get: impl Fn(&'c crate::config::Lists<'t>) -> &'c Vec<T>,
) -> Vec<&'c T> {
    std::iter::once(proxy)
        .chain(config.bases(proxy))
        .map(|p| get(&p.lists))
        .find(|l| !l.is_empty())
        .map_or_else(Vec::new, |l| l.iter().collect())
}
