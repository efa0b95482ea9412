//! Sections other than `global` and proxies.

use super::{Checker, Current, Prefix, Stmt};
use crate::address::Rules;
use crate::codes;
use crate::config::{
    Bind, BindOptions, Certificate, ErrorLine, Given, Healthcheck, HttpErrors, LogForward, LogProfile,
    Mailers, Peers, ProfileLine, Resolvers, Ring, ServerOptions, User, Userlist,
};
use crate::keyword::{self, Arg, Keyword, Place, Status};
use crate::section::SectionKind;
use crate::tree::Word;
use crate::units::{self, Unit};
use lb_core::diag::Diagnostic;
use lb_core::spec::{HostRule, RingSpec};
use std::collections::BTreeMap;

/// Where messages go beside rings; a ring of that name could not be told from it.
const SINKS: [&str; 2] = ["stdout", "stderr"];

impl<'t> Checker<'t, '_> {
    /// The first line of such a section.
    pub(crate) fn other_header(&mut self, kind: SectionKind, words: &[Word<'t>]) {
        match kind {
            SectionKind::Program => self.program(words),
            SectionKind::Ruleset => self.ruleset(words),
            _ => {}
        }
        let nameless = [SectionKind::Global, SectionKind::Traces, SectionKind::Program, SectionKind::Ruleset];
        if nameless.contains(&kind) {
            if let Some(extra) = words.get(1).copied().filter(|_| kind == SectionKind::Global) {
                self.error(codes::TOO_MANY_ARGUMENTS, extra.span, "`global` takes no name");
            }
            self.current = Current::Kept(kind);
            return;
        }
        if kind == SectionKind::CrtStore {
            let global = &self.config.global;
            self.store = (words.get(1).map_or("", |w| w.text), global.crt_base, global.key_base, false);
        }
        let Some(name) = words.get(1).copied() else {
            if kind == SectionKind::CrtStore {
                self.current = Current::Kept(kind);
                return;
            }
            let what = kind.keyword();
            return self.push(
                Diagnostic::error(
                    codes::MISSING_ARGUMENT,
                    words[0].span.after(),
                    format!("a `{what}` section needs a name"),
                )
                .compat(format!("missing name for '{what}' section.")),
            );
        };
        if !self.valid_name(name, kind) {
            return;
        }
        if let Some(extra) = words.get(2).copied() {
            self.behind_the_name(kind, extra);
        }
        if kind == SectionKind::Ring {
            self.standing_ring(name);
        }
        if let Some(first) = self.names.insert((kind, name.text), name.span) {
            // A second peers section of the same name adds to the first; all others must be unique.
            if kind != SectionKind::CrtStore {
                self.push(
                    Diagnostic::error(
                        codes::DUPLICATE,
                        name.span,
                        format!("a `{}` section is called `{}` already", kind.keyword(), name.text),
                    )
                    .compat(match kind {
                        SectionKind::Ring => format!("sink named '{}' already exists.", name.text),
                        _ => format!("{} '{}' has the same name as another one.", kind.keyword(), name.text),
                    })
                    .label(first, "first declared here"),
                );
            }
        }
        self.current = Current::Kept(kind);
        self.open(kind, name);
    }

    /// A ring of the name of one that is always there.
    fn standing_ring(&mut self, name: Word<'t>) {
        if SINKS.contains(&name.text) || RingSpec::STANDING.iter().any(|(own, _, _)| *own == name.text) {
            self.push(
                Diagnostic::error(codes::DUPLICATE, name.span, format!("`{}` is always there", name.text))
                    .compat(format!("sink named '{}' already exists.", name.text)),
            );
        }
    }

    /// Some sections do not mind words behind their name; none has a use for them.
    fn behind_the_name(&mut self, kind: SectionKind, extra: Word<'t>) {
        let what = kind.keyword();
        let message = format!("a `{what}` section has a name and nothing else");
        let lenient = matches!(
            kind,
            SectionKind::Resolvers
                | SectionKind::Mailers
                | SectionKind::Ring
                | SectionKind::HttpErrors
                | SectionKind::Healthcheck
        );
        self.push(
            if lenient {
                Diagnostic::warning(codes::TOO_MANY_ARGUMENTS, extra.span, message)
            } else {
                Diagnostic::error(codes::TOO_MANY_ARGUMENTS, extra.span, message)
            }
            .compat(format!("'{what}' cannot handle unexpected argument '{}'.", extra.text)),
        );
    }

    fn program(&mut self, words: &[Word<'t>]) {
        self.push(
            Diagnostic::warning(codes::TRANSLATED, words[0].span, "`program` sections no longer exist; this one is left out")
                .compat("unknown keyword 'program': the section was removed in HAProxy 3.3, start the program by its own service unit")
                .note("start the program by a service unit of its own"),
        );
    }

    fn ruleset(&mut self, words: &[Word<'t>]) {
        self.push(
            Diagnostic::warning(
                codes::TRANSLATED,
                words[0].span,
                "`ruleset` sections no longer exist; this one, which nothing can refer to, is left out",
            )
            .compat("the 'ruleset' section is not supported anymore since HAProxy 1.8")
            .note("write the rules into the proxies or into a named `defaults` section"),
        );
    }

    fn open(&mut self, kind: SectionKind, name: Word<'t>) {
        let config = &mut self.config;
        match kind {
            SectionKind::Userlist => {
                config.userlists.push(Userlist { name, groups: Vec::new(), users: Vec::new() })
            }
            SectionKind::Peers => config.peers.push(Peers {
                name,
                peers: Vec::new(),
                binds: Vec::new(),
                tables: Vec::new(),
                disabled: false,
            }),
            SectionKind::Resolvers => config.resolvers.push(Resolvers {
                name,
                servers: Vec::new(),
                system: false,
                retries: None,
                timeouts: BTreeMap::new(),
                hold: BTreeMap::new(),
                payload: None,
            }),
            SectionKind::Mailers => config.mailers.push(Mailers { name, mailers: Vec::new(), timeout: None }),
            SectionKind::HttpErrors => config.http_errors.push(HttpErrors { name, files: Vec::new() }),
            SectionKind::Ring => config.rings.push(Ring::new(name)),
            SectionKind::Cache => config.caches.push(name),
            SectionKind::LogForward => config.log_forwards.push(LogForward {
                name,
                binds: Vec::new(),
                datagrams: Vec::new(),
                log: Vec::new(),
                maxconn: None,
                backlog: None,
                timeout: None,
                host: HostRule::default(),
                unread: false,
                lines: false,
                span: name.span,
            }),
            SectionKind::LogProfile => {
                config.log_profiles.push(LogProfile { name, tag: None, steps: Vec::new() });
            }
            SectionKind::FcgiApp => config.fcgi_apps.push(name),
            SectionKind::Healthcheck => config.healthchecks.push(Healthcheck {
                name,
                kind: None,
                http_check: Vec::new(),
                tcp_check: Vec::new(),
            }),
            _ => {}
        }
    }

    pub(crate) fn section_line(&mut self, kind: SectionKind, stmt: Stmt<'t, '_>) {
        if kind == SectionKind::Program {
            return;
        }
        self.no_effect(stmt.head(), stmt.keyword);
        if let Status::Translated(to) = stmt.keyword.status {
            let name = stmt.keyword.name;
            return self.push(
                Diagnostic::warning(
                    codes::TRANSLATED,
                    stmt.head(),
                    format!("`{name}` no longer exists: {to}"),
                )
                .compat(format!("'{name}' is not supported anymore."))
                .suggest(stmt.span(), "", "remove the line"),
            );
        }
        if !self.check_args(&stmt) || !self.kept() {
            return;
        }
        match kind {
            SectionKind::Userlist => self.userlist_line(&stmt),
            SectionKind::Peers => self.peers_line(&stmt),
            SectionKind::Resolvers => self.resolvers_line(&stmt),
            SectionKind::Mailers => self.mailers_line(&stmt),
            SectionKind::HttpErrors => self.http_errors_line(&stmt),
            SectionKind::Ring => self.ring_line(&stmt),
            SectionKind::LogProfile => self.log_profile_line(&stmt),
            SectionKind::LogForward => self.log_forward_line(&stmt),
            SectionKind::CrtStore => self.crt_store_line(&stmt),
            SectionKind::Healthcheck => self.healthcheck_line(&stmt),
            // Caches, FastCGI applications, ACME accounts and traces have no effect beyond their arguments.
            _ => {}
        }
    }

    fn userlist_line(&mut self, stmt: &Stmt<'t, '_>) {
        let args = stmt.args().to_vec();
        let name = args[0];
        if self.is_listed(stmt.keyword.name, name) {
            return;
        }
        if stmt.keyword.name == "group" {
            let users = match args.get(1) {
                Some(word) if word.text == "users" => args.get(2).map_or("", |w| w.text),
                Some(word) => {
                    let word = *word;
                    return self.error(
                        codes::WORD,
                        word.span,
                        format!("`{}` is not an argument of `group`", word.text),
                    );
                }
                None => "",
            };
            let users = users.split(',').filter(|u| !u.is_empty()).collect();
            if let Some(list) = self.config.userlists.last_mut() {
                list.groups.push((name, users));
            }
            return;
        }
        let mut user = User { name, password: None, groups: Vec::new() };
        for at in (1..args.len()).step_by(2) {
            let Some(value) = self.follow(&args, at, "user") else { return };
            match args[at].text {
                "password" => user.password = Some((value.text, true)),
                "insecure-password" => user.password = Some((value.text, false)),
                "groups" => user.groups = value.text.split(',').collect(),
                other => {
                    let text = format!("`{other}` is not an argument of `user`");
                    return self.error(codes::WORD, args[at].span, text);
                }
            }
        }
        if let Some(list) = self.config.userlists.last_mut() {
            list.users.push(user);
        }
    }

    /// Whether the list has this user or group already, which is told; the first one counts.
    fn is_listed(&mut self, what: &str, name: Word<'t>) -> bool {
        let Some(list) = self.config.userlists.last() else { return false };
        let same = |known: &Word<'t>| known.text == name.text;
        let before = match what {
            "group" => list.groups.iter().map(|(group, _)| *group).find(same),
            _ => list.users.iter().map(|user| user.name).find(same),
        };
        let Some(before) = before else { return false };
        let compat = format!("ignoring duplicated {what} '{}' in userlist '{}'.", name.text, list.name.text);
        let message = format!("{what} `{}` is listed twice; the first one counts", name.text);
        self.push(
            Diagnostic::warning(codes::DUPLICATE, name.span, message)
                .compat(compat)
                .label(before.span, "this one"),
        );
        true
    }

    fn peers_line(&mut self, stmt: &Stmt<'t, '_>) {
        let args = stmt.args().to_vec();
        match stmt.keyword.name {
            "peer" | "server" => {
                let named =
                    args.get(1).copied().filter(|w| keyword::find(Place::Server, &[w.text]).is_none());
                let address = match named {
                    Some(word) => {
                        let Some(address) = self.address(word, Rules::FIXED, "peer") else { return };
                        self.resolve(&address, word, "peer");
                        Some(address)
                    }
                    None => None,
                };
                let mut options = ServerOptions::default();
                self.server_options(
                    &args[1 + usize::from(address.is_some())..],
                    &mut options,
                    stmt.keyword.name,
                );
                if let Some(peers) = self.config.peers.last_mut() {
                    peers.peers.push((args[0], address));
                }
            }
            "bind" => {
                let addresses = self.bind_addresses(args[0], "bind", Rules::BIND);
                let mut options = BindOptions::default();
                self.bind_options(&args[1..], &mut options);
                let span = stmt.span();
                if let Some(peers) = self.config.peers.last_mut() {
                    peers.binds.push(Bind { addresses, options, span });
                }
            }
            "default-bind" => self.bind_options(&args, &mut BindOptions::default()),
            "default-server" => self.server_options(&args, &mut ServerOptions::default(), "default-server"),
            "table" => {
                if let Some(table) = self.stick_table(&args[1..], stmt.head())
                    && let Some(peers) = self.config.peers.last_mut()
                {
                    peers.tables.push((args[0], table));
                }
            }
            "log" => {
                let _ = self.log_target(&args, stmt);
            }
            "disabled" | "enabled" => {
                let off = stmt.keyword.name == "disabled";
                if let Some(peers) = self.config.peers.last_mut() {
                    peers.disabled = off;
                }
            }
            _ => {}
        }
    }

    fn resolvers_line(&mut self, stmt: &Stmt<'t, '_>) {
        let args = stmt.args().to_vec();
        if stmt.keyword.name == "nameserver" {
            let Some(address) = self.address(args[1], Rules::LOOSE, "nameserver") else { return };
            self.resolve(&address, args[1], "nameserver");
            if let Some(resolvers) = self.config.resolvers.last_mut() {
                if let Some((first, _)) = resolvers.servers.iter().find(|(n, _)| n.text == args[0].text) {
                    let first = first.span;
                    return self.push(
                        Diagnostic::error(
                            codes::DUPLICATE,
                            args[0].span,
                            format!("name server `{}` is declared twice", args[0].text),
                        )
                        .compat(format!(
                            "nameserver '{}' has the same name as another nameserver.",
                            args[0].text
                        ))
                        .label(first, "first declared here"),
                    );
                }
                resolvers.servers.push((args[0], address));
            }
            return;
        }
        let time = args.get(1).and_then(|w| units::time(w.text, Unit::Milli).ok());
        let Some(resolvers) = self.config.resolvers.last_mut() else { return };
        match stmt.keyword.name {
            "parse-resolv-conf" => resolvers.system = true,
            "resolve_retries" => resolvers.retries = args[0].text.parse().ok(),
            "accepted_payload_size" => resolvers.payload = args[0].text.parse().ok(),
            "timeout" => {
                time.map(|t| resolvers.timeouts.insert(args[0].text, t));
            }
            "hold" => {
                time.map(|t| resolvers.hold.insert(args[0].text, t));
            }
            _ => {}
        }
    }

    fn mailers_line(&mut self, stmt: &Stmt<'t, '_>) {
        let args = stmt.args().to_vec();
        if stmt.keyword.name == "timeout mail" {
            let time = units::time(args[0].text, Unit::Milli).ok();
            if let Some(mailers) = self.config.mailers.last_mut() {
                mailers.timeout = time;
            }
            return;
        }
        let Some(address) = self.address(args[1], Rules::FIXED, "mailer") else { return };
        self.resolve(&address, args[1], "mailer");
        if let Some(mailers) = self.config.mailers.last_mut() {
            mailers.mailers.push((args[0], address));
        }
    }

    fn http_errors_line(&mut self, stmt: &Stmt<'t, '_>) {
        let (status, file) = (stmt.args()[0], stmt.args()[1]);
        self.readable("errorfile", file, None);
        let line = ErrorLine { status: status.text.parse().unwrap_or(0), kind: "errorfile", target: file };
        if let Some(section) = self.config.http_errors.last_mut() {
            section.files.push(line);
        }
    }

    fn ring_line(&mut self, stmt: &Stmt<'t, '_>) {
        let args = stmt.args().to_vec();
        if stmt.keyword.name == "server" {
            let server = self.server(&args, None, ServerOptions::default(), stmt.line);
            let Some(server) = server else { return };
            if let Some(ring) = self.config.rings.last_mut() {
                ring.sender.servers.push(server);
            }
            return;
        }
        let text = stmt.text();
        let Some(ring) = self.config.rings.last_mut() else { return };
        match stmt.keyword.name {
            "backing-file" => self.backing_file(args[0]),
            "size" if ring.file.is_some() => self.push(
                Diagnostic::error(codes::RULE, stmt.span(), "`size` stands behind `backing-file`").compat(
                    "cannot resize an already mapped file, please specify 'size' before 'backing-file'.",
                ),
            ),
            "size" => {
                ring.size = units::size(args[0].text).unwrap_or(ring.size);
                if ring.size == 0 {
                    self.push(
                        Diagnostic::error(codes::NUMBER, args[0].span, "a ring needs a size")
                            .compat("invalid size '0' for new sink buffer."),
                    );
                }
            }
            "maxlen" => ring.max_length = args[0].text.parse().ok(),
            "format" => ring.format = Some(args[0].text),
            "description" => ring.description = Some(text),
            "timeout connect" => ring.connect = units::time(args[0].text, Unit::Milli).ok(),
            "timeout server" => ring.server = units::time(args[0].text, Unit::Milli).ok(),
            _ => {}
        }
    }

    /// A file belongs to one ring, and a ring has one.
    fn backing_file(&mut self, word: Word<'t>) {
        let Some((ring, others)) = self.config.rings.split_last_mut() else { return };
        let (message, compat) =
            match (ring.file, others.iter().find(|r| r.file.is_some_and(|f| f.text == word.text))) {
                (None, None) => {
                    ring.file = Some(word);
                    return;
                }
                (Some(file), _) => (
                    format!("ring `{}` has the file `{}` already", ring.name.text, file.text),
                    format!(
                        "'backing-file' already specified for ring '{}' (was '{}').",
                        ring.name.text, file.text
                    ),
                ),
                (None, Some(other)) => (
                    format!("`{}` is the file of ring `{}`", word.text, other.name.text),
                    format!("'backing-file' '{}' is already used by ring '{}'.", word.text, other.name.text),
                ),
            };
        self.push(Diagnostic::error(codes::DUPLICATE, word.span, message).compat(compat));
    }

    fn log_profile_line(&mut self, stmt: &Stmt<'t, '_>) {
        let args = stmt.args().to_vec();
        if stmt.keyword.name == "log-tag" {
            if let Some(profile) = self.config.log_profiles.last_mut() {
                profile.tag = Some(args[0].text);
            }
            return;
        }
        let mut line = ProfileLine { step: args[0], drop: false, format: None, structured: None };
        let mut at = 1;
        while let Some(word) = args.get(at) {
            match word.text {
                "drop" if at == 1 => {
                    line.drop = true;
                    at += 1;
                    continue;
                }
                "format" => line.format = self.follow(&args, at, "on"),
                "sd" => line.structured = self.follow(&args, at, "on"),
                _ => break,
            }
            line.drop = false;
            at += 2;
        }
        if at == 1 || at < args.len() {
            let word = args.get(at).copied().unwrap_or(args[0]);
            self.push(
                Diagnostic::error(
                    codes::WORD,
                    word.span,
                    "`on` expects `drop`, `format` or `sd` after the step",
                )
                .compat(format!("'on {}' expects 'drop', 'format' or 'sd'.", args[0].text)),
            );
            return;
        }
        if let Some(profile) = self.config.log_profiles.last_mut() {
            profile.steps.push(line);
        }
    }

    fn log_forward_line(&mut self, stmt: &Stmt<'t, '_>) {
        let args = stmt.args().to_vec();
        match stmt.keyword.name {
            "bind" | "dgram-bind" => {
                let addresses = self.bind_addresses(args[0], stmt.keyword.name, Rules::BIND);
                let mut options = BindOptions::default();
                self.bind_options(&args[1..], &mut options);
                let bind = Bind { addresses, options, span: stmt.span() };
                let Some(section) = self.config.log_forwards.last_mut() else { return };
                if stmt.keyword.name == "bind" {
                    section.binds.push(bind)
                } else {
                    section.datagrams.push(bind)
                }
            }
            "log" => {
                let line = self.log_target(&args, stmt);
                if let (Some(section), Some(line)) = (self.config.log_forwards.last_mut(), line) {
                    section.log.push(line);
                }
            }
            name => {
                let Some(section) = self.config.log_forwards.last_mut() else { return };
                let on = stmt.prefix != Prefix::No;
                match name {
                    "maxconn" => section.maxconn = units::counted(args[0].text),
                    "backlog" => section.backlog = units::counted(args[0].text),
                    "timeout client" => section.timeout = units::time(args[0].text, Unit::Milli).ok(),
                    "option dont-parse-log" => section.unread = on,
                    "option assume-rfc6587-ntf" => section.lines = on,
                    "option host" => {
                        section.host = match args[0].text {
                            "replace" if on => HostRule::Replace,
                            "keep" if on => HostRule::Keep,
                            "append" if on => HostRule::Append,
                            _ => HostRule::Fill,
                        };
                    }
                    _ => {}
                }
            }
        }
    }

    fn crt_store_line(&mut self, stmt: &Stmt<'t, '_>) {
        match stmt.keyword.name {
            name @ ("crt-base" | "key-base") if self.store.3 => {
                let compat = format!(
                    "'{name}' can't be used after a load line, use it at the beginning of the section."
                );
                self.push(
                    Diagnostic::error(codes::RULE, stmt.span(), format!("`{name}` stands behind a `load`"))
                        .compat(compat)
                        .note("put it at the beginning of the section"),
                );
            }
            "crt-base" => self.store.1 = stmt.args().first().copied(),
            "key-base" => self.store.2 = stmt.args().first().copied(),
            _ => self.load_line(stmt),
        }
    }

    /// The value of an option of `load`, which stands at `at`.
    fn load_value(&mut self, keyword: &'static Keyword, args: &[Word<'t>], at: usize) -> Option<Word<'t>> {
        let value = self.follow(args, at, "load")?;
        self.option_status(keyword, args[at], Some(value));
        if matches!(keyword.args, [Arg::OneOf(["on", "off"])]) && !["on", "off"].contains(&value.text) {
            let (name, text) = (keyword.name, value.text);
            self.push(
                Diagnostic::error(
                    codes::WORD,
                    value.span,
                    format!("`{name}` is `on` or `off`, not `{text}`"),
                )
                .compat(format!("cannot parse '{name}' value '{text}', 'on' or 'off' is expected.")),
            );
            return None;
        }
        Some(value)
    }

    fn load_line(&mut self, stmt: &Stmt<'t, '_>) {
        let args = stmt.args().to_vec();
        let (mut crt, mut alias, mut key, mut tokens) = (None, None, None, false);
        let mut at = 0;
        while let Some(word) = args.get(at).copied() {
            let Some(keyword) = keyword::find(Place::Load, &[word.text]) else {
                return self.error(
                    codes::UNKNOWN_KEYWORD,
                    word.span,
                    format!("unknown option `{}` of `load`", word.text),
                );
            };
            let Some(value) = self.load_value(keyword, &args, at) else { return };
            match keyword.name {
                "crt" => crt = Some(value),
                "alias" => alias = Some(value.text),
                "key" => key = Some(value),
                "jwt" => tokens = value.text == "on",
                _ => {}
            }
            at += 2;
        }
        let Some(crt) = crt else {
            return self.error(codes::MISSING_ARGUMENT, stmt.head().after(), "`load` needs `crt` and a file");
        };
        self.store.3 = true;
        let (store, crt_base, key_base, _) = self.store;
        let path = super::join(crt_base, crt.text);
        if self.host.files.kind(&path).is_none() {
            return self.push(
                Diagnostic::error(codes::FILE, crt.span, format!("there is no certificate file `{path}`"))
                    .compat(format!("cannot open the file '{path}'.")),
            );
        }
        let key = key.map(|word| (word, super::join(key_base, word.text)));
        if let Some((word, path)) = &key
            && self.host.files.kind(path).is_none()
        {
            self.push(
                Diagnostic::error(codes::FILE, word.span, format!("there is no private key file `{path}`"))
                    .compat(format!("'{path}' cannot be read or parsed.")),
            );
        }
        let name = Certificate::called(store, crt.text, alias, self.config.global.crt_base);
        if self.config.certificates.contains_key(&name) {
            return self.push(
                Diagnostic::error(
                    codes::DUPLICATE,
                    crt.span,
                    format!("there is a certificate `{name}` already"),
                )
                .compat(format!("'load' in section 'crt-store': store '{name}' was already defined.")),
            );
        }
        self.config
            .certificates
            .insert(name, Certificate { path, key: key.map(|(_, path)| path), tokens, given: Given::Stored });
    }

    fn healthcheck_line(&mut self, stmt: &Stmt<'t, '_>) {
        let args = stmt.args().to_vec();
        let Some(first) = args.first().copied() else {
            return self.error(
                codes::MISSING_ARGUMENT,
                stmt.head().after(),
                format!("`{}` needs an argument", stmt.keyword.name),
            );
        };
        if stmt.keyword.name == "type" {
            let kind = self.check_kind(first.text, &args[1..], stmt.line);
            if kind.is_none() {
                self.error(codes::WORD, first.span, format!("`{}` is not a kind of check", first.text));
            }
            if let Some(section) = self.config.healthchecks.last_mut() {
                section.kind = kind;
            }
            return;
        }
        if !self.check_step(stmt.keyword.name, &args) {
            return;
        }
        if let Some(section) = self.config.healthchecks.last_mut() {
            if stmt.keyword.name == "http-check" {
                section.http_check.push(args)
            } else {
                section.tcp_check.push(args)
            }
        }
    }

    /// What is checked when a section is complete.
    pub(crate) fn close_section(&mut self, kind: SectionKind) {
        if let Some(proxy) = self.proxy() {
            // A kilobyte each: what growing left unused would be felt in large files.
            proxy.servers.shrink_to_fit();
        }
        if kind != SectionKind::Userlist || !self.kept() {
            return;
        }
        let Some(list) = self.config.userlists.last() else { return };
        let unknown: Vec<Diagnostic> = list
            .groups
            .iter()
            .flat_map(|(group, users)| users.iter().map(move |user| (group, user)))
            .filter(|(_, user)| !list.users.iter().any(|u| u.name.text == **user))
            .map(|(group, user)| {
                Diagnostic::error(
                    codes::UNKNOWN_NAME,
                    group.span,
                    format!("group `{}` names the unknown user `{user}`", group.text),
                )
                .compat(format!(
                    "userlist '{}': no such user '{user}' specified in group '{}'",
                    list.name.text, group.text
                ))
            })
            .chain(list.users.iter().flat_map(|u| u.groups.iter().map(move |g| (u, *g))).filter_map(
                |(user, group)| {
                    let known = list.groups.iter().any(|(g, _)| g.text == group);
                    (!known).then(|| {
                        Diagnostic::error(
                            codes::UNKNOWN_NAME,
                            user.name.span,
                            format!("user `{}` names the unknown group `{group}`", user.name.text),
                        )
                        .compat(format!(
                            "userlist '{}': no such group '{group}' specified in user '{}'",
                            list.name.text, user.name.text
                        ))
                    })
                },
            ))
            .collect();
        self.diagnostics.extend(unknown);
    }
}
