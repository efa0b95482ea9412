//! Lines of `defaults`, `frontend`, `listen` and `backend`: what may stand where, and settings of one value.

use super::{Checker, Current, Prefix, Stmt, guid, side_of};
use crate::address::{self, Rules};
use crate::codes;
use crate::config::{Capture, CaptureKind, Clause, Cond, ErrorLine, ProxyMode, Settings};
use crate::keyword::{self, D, Keyword, Place, Status};
use crate::section::SectionKind;
use crate::tree::Word;
use crate::units;
use lb_core::diag::{Diagnostic, Span, Spanned};

/// A number stored in a field of [`Settings`].
type SetNumber<'t> = fn(&mut Settings<'t>, Spanned<u32>);

/// Statuses that have an answer of their own.
pub(crate) const STATUSES: &[u16] = &[
    200, 400, 401, 403, 404, 405, 407, 408, 410, 413, 414, 421, 422, 425, 429, 431, 500, 501, 502, 503, 504,
];

impl<'t> Checker<'t, '_> {
    pub(crate) fn proxy_line(&mut self, kind: SectionKind, stmt: Stmt<'t, '_>) {
        if !self.allowed(kind, stmt.keyword, stmt.head()) {
            return self.idle_line(&stmt);
        }
        self.no_effect(stmt.head(), stmt.keyword);
        if !self.check_args(&stmt) {
            return;
        }
        if let Some(timeout) = stmt.keyword.name.strip_prefix("timeout ") {
            return self.timeout_line(kind, timeout, stmt);
        }
        let done = self.number_line(&stmt)
            || self.word_line(&stmt)
            || self.list_line(&stmt)
            || self.alert_line(&stmt);
        if !done {
            self.family_line(kind, stmt);
        }
    }

    /// A line that has no effect here; what it names must be there all the same.
    fn idle_line(&mut self, stmt: &Stmt<'t, '_>) {
        let keyword = stmt.keyword;
        if !matches!(keyword.name, "default_backend" | "use_backend") || !self.check_args(stmt) {
            return;
        }
        let Some(word) = stmt.args().first().copied().filter(|word| !word.text.contains('%')) else { return };
        if let Some(proxy) = self.proxy() {
            proxy.lists.idle_targets.push((keyword.name, word));
        }
    }

    /// Whether `keyword` may stand in this kind of section; says what is wrong otherwise.
    pub(crate) fn allowed(&mut self, kind: SectionKind, keyword: &'static Keyword, span: Span) -> bool {
        let side = side_of(kind);
        if keyword.sides & side != 0 || keyword.sides == 0 || matches!(keyword.status, Status::Translated(_))
        {
            return self.allowed_in_defaults(kind, keyword, span);
        }
        let name = keyword.name;
        if side == D {
            self.push(
                Diagnostic::error(
                    codes::NOT_HERE,
                    span,
                    format!("`{name}` is not allowed in a `defaults` section"),
                )
                .compat(format!("'{name}' not allowed in 'defaults' section."))
                .note(keyword.reference()),
            );
            return false;
        }
        let (type_word, id) =
            self.proxy().map_or(("proxy", String::new()), |p| (p.type_word(), p.name.to_owned()));
        let missing = self.proxy().and_then(|proxy| proxy.missing_side()).unwrap_or("backend");
        let hint = match name {
            "maxconn" => " Maybe you want 'fullconn' instead ?",
            "fullconn" => " Maybe you want 'maxconn' instead ?",
            _ => "",
        };
        // A server without a backend is an error, and so is a rule on connections without the side they are of; anything
        // else that cannot act here is ignored, as HAProxy does.
        let strict = matches!(name, "retry-on" | "hash-preserve-affinity");
        let rule = name.starts_with("tcp-re");
        let fatal = strict || rule || matches!(name, "server" | "server-template" | "default-server");
        let verb = if fatal { "not allowed" } else { "ignored" };
        let compat = match name {
            n if keyword.place == Place::Proxy
                && matches!(n, "log-format" | "error-log-format" | "log-format-sd") =>
            {
                format!("backend '{id}' : '{n}' directive is ignored in backends.")
            }
            n if strict => format!("'{n}' only available in backend or listen section"),
            n if rule && missing == "backend" => {
                format!("{n} is only allowed in 'backend' sections or 'defaults' section with a name")
            }
            n if rule => format!("{n} is not allowed because {type_word} {id} is not a frontend"),
            n => format!("'{n}' {verb} because {type_word} '{id}' has no {missing} capability.{hint}"),
        };
        let diagnostic = if fatal {
            let message = format!("`{name}` does not belong into a {} section", kind.keyword());
            Diagnostic::error(codes::NOT_HERE, span, message)
                .note(format!("it stands in: {}", keyword::doc::places(keyword.sides)))
        } else {
            let message = format!("`{name}` has no effect in a {} section", kind.keyword());
            Diagnostic::warning(codes::IGNORED_HERE, span, message)
        };
        self.push(diagnostic.compat(compat).note(keyword.reference()));
        false
    }

    fn allowed_in_defaults(&mut self, kind: SectionKind, keyword: &'static Keyword, span: Span) -> bool {
        let rules = matches!(
            keyword.name,
            "acl"
                | "http-request"
                | "http-response"
                | "http-after-response"
                | "tcp-request connection"
                | "tcp-request session"
                | "tcp-request content"
                | "tcp-response content"
                | "quic-initial"
                | "tcp-request inspect-delay"
                | "tcp-response inspect-delay"
        );
        let anonymous = kind == SectionKind::Defaults && self.proxy().is_some_and(|p| p.name.is_empty());
        if rules && anonymous && !self.translated {
            let word = keyword.name.split(' ').next().unwrap_or("");
            self.push(
                Diagnostic::error(
                    codes::NOT_HERE,
                    span,
                    format!("`{word}` needs a `defaults` section with a name"),
                )
                .compat(format!("'{word}' not allowed in anonymous 'defaults' section."))
                .note("name the section and refer to it with `from`"),
            );
        }
        !(rules && anonymous) || self.translated
    }

    /// Settings that are one number.
    fn number_line(&mut self, stmt: &Stmt<'t, '_>) -> bool {
        let set: SetNumber<'t> = match stmt.keyword.name {
            "maxconn" => |s, n| s.maxconn = Some(n),
            "backlog" => |s, n| s.backlog = Some(n),
            "fullconn" => |s, n| s.fullconn = Some(n),
            "rate-limit sessions" => |s, n| s.rate_limit = Some(n),
            "retries" => |s, n| s.retries = Some(n),
            "max-session-srv-conns" => |s, n| s.max_session_srv_conns = Some(n),
            "hash-balance-factor" => |s, n| s.hash_balance_factor = Some(n),
            "id" => {
                let value = Spanned::new(units::counted(stmt.arg(0)).unwrap_or(0), stmt.span());
                if let Some(proxy) = self.proxy() {
                    proxy.id = Some(value);
                }
                return true;
            }
            _ => return false,
        };
        let value = units::counted(stmt.arg(0)).unwrap_or(0);
        if stmt.keyword.name == "hash-balance-factor" && (1..=100).contains(&value) {
            self.push(
                Diagnostic::error(codes::NUMBER, stmt.args()[0].span, "the factor must be 0 or above 100")
                    .compat("'hash-balance-factor' must be 0 or greater than 100."),
            );
        }
        let value = Spanned::new(value, stmt.span());
        if let Some(proxy) = self.proxy() {
            set(&mut proxy.settings, value);
        }
        true
    }

    /// Settings that are one word.
    fn word_line(&mut self, stmt: &Stmt<'t, '_>) -> bool {
        let (text, span) = (stmt.arg(0), stmt.span());
        let value = Some(Spanned::new(text, span));
        let Some(proxy) = self.proxy() else { return false };
        let settings = &mut proxy.settings;
        match stmt.keyword.name {
            "default_backend" => settings.default_backend = value,
            "disabled" => settings.disabled = Some(Spanned::new(true, span)),
            "enabled" => settings.disabled = Some(Spanned::new(false, span)),
            "log-tag" => settings.log_tag = value,
            "unique-id-header" => settings.unique_id_header = value,
            "monitor-uri" => settings.monitor_uri = value,
            "dynamic-cookie-key" => settings.dynamic_cookie_key = value,
            "external-check command" => settings.external_command = value,
            "external-check path" => settings.external_path = value,
            "http-reuse" => settings.http_reuse = value,
            "http-send-name-header" => settings.send_name_header = value,
            "hash-preserve-affinity" => settings.hash_affinity = value,
            "load-server-state-from-file" => settings.load_state = value,
            "server-state-file-name" => settings.state_file = value,
            "log-steps" => settings.log_steps = Some(Spanned::new(stmt.args()[0], span)),
            "http-check disable-on-404" => settings.disable_on_404 = Some(Spanned::new(true, span)),
            "http-check send-state" => settings.send_state = Some(Spanned::new(true, span)),
            "max-keep-alive-queue" => {
                settings.max_keep_alive_queue = Some(Spanned::new(text.parse().unwrap_or(-1), span));
            }
            "retry-on" => settings.retry_on = Some(Spanned::new(stmt.args().to_vec(), span)),
            "guid" => {
                proxy.guid = stmt.args().first().copied();
                if let Some(fault) = proxy.guid.and_then(|word| guid::fault(word, "")) {
                    self.push(fault);
                }
            }
            "description" => proxy.description = Some(stmt.text()),
            _ => return false,
        }
        true
    }

    /// Settings that add up.
    fn list_line(&mut self, stmt: &Stmt<'t, '_>) -> bool {
        let args = stmt.args().to_vec();
        let certificate =
            (stmt.keyword.name == "ssl-f-use").then(|| self.frontend_certificate(stmt)).flatten();
        let Some(proxy) = self.proxy() else { return false };
        let lists = &mut proxy.lists;
        match stmt.keyword.name {
            "http-error" => lists.http_errors.push(args),
            "errorfiles" => lists.error_groups.push(args),
            "filter" => return self.filter_line(args),
            "ssl-f-use" => lists.frontend_certificates.extend(certificate),
            "capture cookie" | "capture request header" | "capture response header" | "declare capture" => {
                lists.captures.push(capture(stmt));
            }
            name @ ("errorfile" | "errorloc" | "errorloc302" | "errorloc303") => {
                let line =
                    ErrorLine { status: args[0].text.parse().unwrap_or(0), kind: name, target: args[1] };
                return self.error_line(line, args[0]);
            }
            _ => return false,
        }
        true
    }

    fn filter_line(&mut self, args: Vec<Word<'t>>) -> bool {
        let name = args[0];
        let Some(filter) = keyword::find(Place::Filter, &[name.text]) else {
            self.unknown_filter(name);
            return true;
        };
        match filter.status {
            Status::Refused(why) => self.push(
                Diagnostic::error(codes::REFUSED, name.span, why)
                    .compat(format!("'filter' : '{}' : {why}.", name.text))
                    .note(filter.reference()),
            ),
            _ => {
                let owner = format!("filter {}", name.text);
                if !self.check_words(&owner, filter.args, &args[1..], name.span)
                    || name.text == "trace" && !self.trace_options(&args[1..], &owner)
                {
                    return true;
                }
                self.no_effect(name.span, filter);
                if let Some(proxy) = self.proxy() {
                    proxy.lists.filters.push(args);
                }
            }
        }
        true
    }

    /// The options of `filter trace`; true if they are known.
    fn trace_options(&mut self, words: &[Word<'t>], owner: &str) -> bool {
        let mut at = 0;
        while let Some(word) = words.get(at).copied() {
            let known = match word.text {
                "name" => self.follow(words, at, owner).is_some(),
                _ => self.choice(owner, word, &["name", "quiet", "random-forwarding", "hexdump"]).is_some(),
            };
            if !known {
                return false;
            }
            at += 1 + usize::from(word.text == "name");
        }
        true
    }

    fn unknown_filter(&mut self, name: Word<'t>) {
        let text = name.text;
        let mut known: Vec<&str> = keyword::first_words(Place::Filter, 0).collect();
        known.sort_unstable();
        let near = crate::suggest::nearest(text, known.iter().copied());
        let mut diagnostic = Diagnostic::error(codes::WORD, name.span, format!("unknown filter `{text}`"))
            .compat(format!(
                "'filter' : unknown keyword '{text}'. Registered keywords : {}",
                known.join(", ")
            ));
        if let Some(near) = near {
            diagnostic = diagnostic.suggest(name.span, near, format!("did you mean `{near}`?"));
        }
        self.push(diagnostic);
    }

    fn error_line(&mut self, line: ErrorLine<'t>, status: Word<'t>) -> bool {
        if !STATUSES.contains(&line.status) {
            let known = STATUSES.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
            self.push(
                Diagnostic::error(
                    codes::NUMBER,
                    status.span,
                    format!("no answer can be set for status {}", status.text),
                )
                .compat(format!(
                    "{} : status code '{}' not handled, must be one of {known}.",
                    line.kind, status.text
                ))
                .note(format!("one of: {known}")),
            );
            return true;
        }
        if line.kind == "errorfile" {
            self.readable("errorfile", line.target, None);
        }
        if let Some(proxy) = self.proxy() {
            proxy.lists.errors.push(line);
        }
        true
    }

    fn alert_line(&mut self, stmt: &Stmt<'t, '_>) -> bool {
        let value = Some(Spanned::new(stmt.arg(0), stmt.span()));
        let Some(proxy) = self.proxy() else { return false };
        let settings = &mut proxy.settings;
        match stmt.keyword.name {
            "email-alert from" => settings.alert_from = value,
            "email-alert to" => settings.alert_to = value,
            "email-alert mailers" => settings.alert_mailers = value,
            "email-alert myhostname" => settings.alert_hostname = value,
            "email-alert level" => {
                settings.alert_level =
                    lb_core::log::syslog::level(stmt.arg(0)).map(|level| Spanned::new(level, stmt.span()));
            }
            _ => return false,
        }
        true
    }

    /// Keywords with code of their own.
    fn family_line(&mut self, kind: SectionKind, stmt: Stmt<'t, '_>) {
        match stmt.keyword.name {
            "mode" => self.mode_line(&stmt),
            "bind" => self.bind_line(&stmt),
            "server" | "server-template" | "default-server" => self.server_line(&stmt),
            "balance" => self.balance_line(&stmt),
            "hash-type" => self.hash_type_line(&stmt),
            "cookie" => self.cookie_line(&stmt),
            "source" => self.source_line(&stmt),
            "dispatch" => self.dispatch_line(&stmt),
            "transparent" => self.transparent_line(&stmt),
            "persist rdp-cookie" => self.persist_line(&stmt),
            "log" => self.log_line(kind, &stmt),
            "log-format" | "error-log-format" | "log-format-sd" | "unique-id-format" => {
                self.format_line(&stmt)
            }
            "stick-table" => self.stick_table_line(&stmt),
            "acl" => self.acl_line(&stmt),
            "tcp-request inspect-delay" | "tcp-response inspect-delay" => self.inspect_line(&stmt),
            name if name.starts_with("stats ") => self.stats_line(kind, &stmt),
            name if name.starts_with("compression ") => self.compression_line(&stmt),
            name if name.starts_with("http-check") || name.starts_with("tcp-check") => {
                self.check_step_line(&stmt)
            }
            "http-request"
            | "http-response"
            | "http-after-response"
            | "tcp-request connection"
            | "tcp-request session"
            | "tcp-request content"
            | "tcp-response content"
            | "quic-initial" => {
                self.rule_line(&stmt);
            }
            _ => self.clause_line(&stmt),
        }
    }

    fn mode_line(&mut self, stmt: &Stmt<'t, '_>) {
        let word = stmt.args()[0];
        let mode = match word.text {
            "tcp" => ProxyMode::Tcp,
            "http" => ProxyMode::Http,
            "log" => ProxyMode::Log,
            "smtp" => ProxyMode::Smtp,
            other => {
                return self.push(
                    Diagnostic::error(codes::REFUSED, word.span, format!("`mode {other}` is not supported"))
                        .compat(format!("mode {other} is not supported (spoe, haterm).")),
                );
            }
        };
        let missing = self.proxy().and_then(|proxy| proxy.missing_side());
        if mode == ProxyMode::Log && missing == Some("backend") {
            self.push(
                Diagnostic::error(codes::MODE, word.span, "`mode log` needs a backend")
                    .compat("mode log is only applicable on proxies with backend capability."),
            );
        }
        if let Some(proxy) = self.proxy() {
            proxy.settings.mode = Some(Spanned::new(mode, stmt.span()));
        }
    }

    fn source_line(&mut self, stmt: &Stmt<'t, '_>) {
        if let Some((source, used)) = self.source(stmt.args(), "source") {
            if let Some(extra) = stmt.args().get(used).copied() {
                self.push(
                    Diagnostic::error(
                        codes::TOO_MANY_ARGUMENTS,
                        extra.span,
                        "`source` takes `usesrc` and `interface` only",
                    )
                    .compat("'source' only supports optional keywords 'interface' and 'usesrc'."),
                );
            }
            let value = Some(Spanned::new(source, stmt.span()));
            if let Some(proxy) = self.proxy() {
                proxy.settings.source = value;
            }
        }
    }

    fn dispatch_line(&mut self, stmt: &Stmt<'t, '_>) {
        self.deprecated(
            Diagnostic::warning(codes::DEPRECATED, stmt.head(), "`dispatch` will go away")
                .compat("'dispatch' is deprecated in 3.3 and will be removed in 3.5. Please use a regular 'server' instead.")
                .note("use a `server` line with this address"),
        );
        let word = stmt.args()[0];
        if let Some(address) = self.address(word, Rules::FIXED, "dispatch") {
            self.resolve(&address, word, "dispatch");
            let value = Some(Spanned::new(address, stmt.span()));
            if let Some(proxy) = self.proxy() {
                proxy.settings.dispatch = value;
            }
        }
    }

    fn transparent_line(&mut self, stmt: &Stmt<'t, '_>) {
        self.deprecated(
            Diagnostic::warning(codes::DEPRECATED, stmt.head(), "`transparent` will go away")
                .compat("'transparent' is deprecated in 3.3 and will be removed in 3.5. Please use a 'server' with address 0.0.0.0 instead.")
                .note("use a `server` with the address 0.0.0.0"),
        );
        if let Some(proxy) = self.proxy() {
            proxy.settings.transparent = Some(Spanned::new(true, stmt.span()));
        }
    }

    /// A warning about something deprecated, unless `expose-deprecated-directives` asks for silence.
    pub(crate) fn deprecated(&mut self, diagnostic: Diagnostic) {
        if !self.config.global.deprecated {
            self.push(diagnostic);
        }
    }

    fn persist_line(&mut self, stmt: &Stmt<'t, '_>) {
        let word = stmt.words[1];
        let name = word.text.split_once('(').map_or("msts", |(_, rest)| rest.trim_end_matches(')'));
        if let Some(proxy) = self.proxy() {
            proxy.settings.persist_rdp = Some(Spanned::new(name, stmt.span()));
        }
    }

    fn inspect_line(&mut self, stmt: &Stmt<'t, '_>) {
        let time = self.time(stmt.keyword.name, stmt.args()[0], units::Unit::Milli);
        let value = time.map(|t| Spanned::new(t, stmt.span()));
        let request = stmt.keyword.name.starts_with("tcp-request");
        if let Some(proxy) = self.proxy() {
            if request {
                proxy.settings.inspect_delay = value;
            } else {
                proxy.settings.response_inspect_delay = value;
            }
        }
    }

    /// `use_backend x if y` and others of that shape.
    fn clause_line(&mut self, stmt: &Stmt<'t, '_>) {
        let Some(clause) = self.clause(stmt) else { return };
        let name = stmt.keyword.name;
        let needs = matches!(
            name,
            "use-server" | "force-persist" | "ignore-persist" | "monitor fail" | "force-be-switch"
        );
        if needs && clause.cond.is_none() {
            let shown = if name == "monitor fail" { "monitor fail" } else { name };
            return self.push(
                Diagnostic::error(
                    codes::MISSING_ARGUMENT,
                    stmt.span().after(),
                    format!("`{shown}` needs a condition"),
                )
                .compat(format!("'{shown}' requires either 'if' or 'unless' followed by a condition.")),
            );
        }
        let single = matches!(name, "use_backend" | "use-server");
        let nameless = single.then_some(&clause).filter(|c| c.words.is_empty()).and_then(|c| c.cond.as_ref());
        if let Some(cond) = nameless {
            let word = cond.keyword;
            return self.push(
                Diagnostic::error(
                    codes::MISSING_ARGUMENT,
                    word.span,
                    format!("`{}` stands where a name should be", word.text),
                )
                .compat(format!("'{name}' expects a name before '{}'.", word.text)),
            );
        }
        if let Some(extra) = clause.words.get(1).copied().filter(|_| single) {
            return self.push(
                Diagnostic::error(
                    codes::RULE,
                    extra.span,
                    format!("`{}` stands where `if` or `unless` should be", extra.text),
                )
                .compat(format!(
                    "unexpected keyword '{}' after switching rule, only 'if' and 'unless' are allowed.",
                    extra.text
                ))
                .note("write `if` or `unless` before the condition, and a test written in place in braces"),
            );
        }
        self.rule_order(name, stmt);
        if name.starts_with("stick ") && clause.words.is_empty() {
            return self.push(
                Diagnostic::error(
                    codes::MISSING_ARGUMENT,
                    stmt.head().after(),
                    format!("`{name}` needs an expression"),
                )
                .compat("'stick' expects a fetch method."),
            );
        }
        if name == "redirect" {
            self.redirect_words(&clause.words, stmt.head(), "redirect");
        }
        self.keep_clause(name, stmt, clause);
    }

    fn keep_clause(&mut self, name: &str, stmt: &Stmt<'t, '_>, clause: Clause<'t>) {
        let Some(proxy) = self.proxy() else { return };
        let lists = &mut proxy.lists;
        match name {
            "redirect" => lists.redirects.push(clause),
            "use_backend" => lists.use_backends.push(clause),
            "use-server" => lists.use_servers.push(clause),
            "force-persist" => lists.persistence.push((true, clause)),
            "ignore-persist" => lists.persistence.push((false, clause)),
            "force-be-switch" => lists.force_switch.push(clause),
            "monitor fail" => lists.monitor_fail.push(clause),
            _ if name.starts_with("stick ") => {
                let verb = stmt.words[1].text;
                lists.stick.push((verb, clause));
            }
            // The remaining keywords have no effect, which has been said.
            _ => {}
        }
    }

    /// Splits the arguments of `stmt` at `if` or `unless`.
    pub(crate) fn clause(&mut self, stmt: &Stmt<'t, '_>) -> Option<Clause<'t>> {
        let (words, cond) = self.split_condition(stmt.args(), stmt.keyword.name)?;
        Some(Clause { words, cond, span: stmt.head() })
    }

    /// Splits `words` at `if` or `unless`. A condition without any test is what HAProxy takes it for: one that fails.
    pub(crate) fn split_condition(
        &mut self,
        words: &[Word<'t>],
        owner: &str,
    ) -> Option<(Vec<Word<'t>>, Option<Cond<'t>>)> {
        let Some(at) = words.iter().position(|w| matches!(w.text, "if" | "unless")) else {
            return Some((words.to_vec(), None));
        };
        let cond = Cond { keyword: words[at], words: words[at + 1..].to_vec() };
        if cond.words.is_empty() {
            let keyword = cond.keyword;
            let holds = if keyword.text == "if" { "never" } else { "always" };
            self.push(
                Diagnostic::warning(
                    codes::ACL,
                    keyword.span.after(),
                    format!("`{}` has no condition, so this {holds} applies", keyword.text),
                )
                .compat(format!(
                    "'{owner}' : no condition after '{}', so the rule {holds} applies.",
                    keyword.text
                )),
            );
        }
        Some((words[..at].to_vec(), Some(cond)))
    }

    /// Whether the current lines are kept at all.
    pub(crate) fn kept(&self) -> bool {
        self.current != Current::None
    }
}

fn capture<'t>(stmt: &Stmt<'t, '_>) -> Capture<'t> {
    let kind = match stmt.keyword.name {
        "capture cookie" => CaptureKind::Cookie,
        "capture response header" => CaptureKind::Response,
        "declare capture" if stmt.arg(0) == "response" => CaptureKind::Response,
        _ => CaptureKind::Request,
    };
    let name = (stmt.keyword.name != "declare capture").then(|| stmt.arg(0));
    Capture { kind, name, length: units::counted(stmt.arg(2)).unwrap_or(0) }
}

/// `no` and `default` of a line that has both a plain and a negated form.
pub(crate) fn plain(prefix: Prefix) -> bool {
    prefix == Prefix::None
}

impl<'t> Checker<'t, '_> {
    /// The address `word`; reports what is wrong with it.
    pub(crate) fn address(
        &mut self,
        word: Word<'t>,
        rules: Rules,
        owner: &str,
    ) -> Option<address::Address<'t>> {
        match address::parse(self.tree.expanded(word), rules) {
            Ok(address) => Some(address),
            Err(error) => {
                let code = if error.port { codes::PORT } else { codes::ADDRESS };
                let mut diagnostic = Diagnostic::error(code, word.span, error.message.replace('\'', "`"))
                    .compat(format!("'{owner}' : {}", error.message));
                if error.port && rules.mandatory && word.text.contains('/') {
                    diagnostic = diagnostic.note("a unix socket starts with `/` or with `unix@`");
                }
                self.push(diagnostic);
                None
            }
        }
    }
}
