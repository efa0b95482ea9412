//! Lines of the `global` section.

use super::args::whole_process;
use super::{Checker, Prefix, Stmt};
use crate::address::Rules;
use crate::codes;
use crate::config::{Bind, BindOptions, TlsDefaults, UnixBind};
use crate::keyword::Status;
use crate::tree::Word;
use crate::units::{self, Unit};
use lb_core::diag::{Diagnostic, Spanned};

/// The smallest `tune.bufsize` that HAProxy 3.4 starts with.
const SMALLEST_BUFFER: u64 = 512;

/// Settings of the process that cannot be replaced by later lines.
const FIRST_COUNTS: [&str; 23] = [
    "chroot",
    "cluster-secret",
    "fd-hard-limit",
    "log-send-hostname",
    "maxconn",
    "maxconnrate",
    "maxpipes",
    "maxsessrate",
    "maxsslrate",
    "pidfile",
    "server-state-base",
    "server-state-file",
    "spread-checks",
    "stats-file",
    "tune.maxaccept",
    "tune.maxpollevents",
    "tune.notsent-lowat.client",
    "tune.notsent-lowat.server",
    "tune.rcvbuf.client",
    "tune.rcvbuf.server",
    "tune.sndbuf.client",
    "tune.sndbuf.server",
    "ulimit-n",
];

impl<'t> Checker<'t, '_> {
    pub(crate) fn global_line(&mut self, stmt: Stmt<'t, '_>) {
        self.no_effect(stmt.head(), stmt.keyword);
        if let Status::Translated(to) = stmt.keyword.status {
            return self.old_global(&stmt, to);
        }
        if self.names_no_number(&stmt) || (stmt.prefix == Prefix::None && !self.check_args(&stmt)) {
            return;
        }
        if self.is_repeated(&stmt) {
            return;
        }
        let done = self.global_word(&stmt) || self.global_flag(&stmt) || self.global_value(&stmt);
        if !done {
            self.global_family(&stmt);
        }
    }

    /// Whether `uid` or `gid` has a name in place of the number, which is told and changes nothing.
    fn names_no_number(&mut self, stmt: &Stmt<'t, '_>) -> bool {
        let (number, name, what) = match stmt.keyword.name {
            "uid" => ("uid", "user/uid", "user"),
            "gid" => ("gid", "group/gid", "group"),
            _ => return false,
        };
        let &[word] = stmt.args() else { return false };
        if units::integer(word.text).is_some() || self.given.contains_key(name) {
            return false;
        }
        let text = word.text;
        self.push(
            Diagnostic::warning(
                codes::NUMBER,
                word.span,
                format!("`{text}` is not a number, and no {what} is set"),
            )
            .compat(format!(
                " {number}: string '{text}' is not a number.\n   | You might want to use the '{what}' \
                     parameter to use a system {what} name."
            ))
            .suggest(stmt.head(), what, format!("`{what}` takes names")),
        );
        true
    }

    /// Whether a setting of which the first one counts was made before, which is told.
    fn is_repeated(&mut self, stmt: &Stmt<'t, '_>) -> bool {
        let word = stmt.keyword.name;
        let (name, compat) = match word {
            "uid" | "user" => ("user/uid", "user/uid already specified. Continuing.".to_owned()),
            "gid" => ("group/gid", "group/gid already specified. Continuing.".to_owned()),
            "group" => ("group/gid", "gid/group was already specified. Continuing.".to_owned()),
            "spread-checks" => (word, "spread-checks already specified. Continuing.".to_owned()),
            "chroot" => (word, "'chroot' is already specified. Continuing.".to_owned()),
            _ if FIRST_COUNTS.contains(&word) => (word, format!("'{word}' already specified. Continuing.")),
            _ => return false,
        };
        let Some(before) = self.given.get(name).copied() else {
            // 0 is what it is anyway; only numbers of users and groups mean something by it.
            let unset = units::integer(stmt.arg(0)) == Some(0) && !matches!(word, "uid" | "gid");
            if !unset {
                self.given.insert(name, stmt.head());
            }
            return false;
        };
        let message = format!("`{name}` was given before; the first one counts");
        let make = if word.starts_with("tune.") || matches!(word, "chroot" | "pidfile") {
            Diagnostic::warning
        } else {
            Diagnostic::alert
        };
        self.push(make(codes::USELESS, stmt.head(), message).compat(compat).label(before, "this one"));
        true
    }

    fn old_global(&mut self, stmt: &Stmt<'t, '_>, to: &'static str) {
        let name = stmt.keyword.name;
        let compat = match name {
            "nbproc" => "nbproc is not supported any more since HAProxy 2.5. Threads will automatically be used on multi-processor machines if available.".to_owned(),
            _ => format!("'{name}' is not supported anymore."),
        };
        self.push(
            Diagnostic::warning(codes::TRANSLATED, stmt.head(), format!("`{name}` no longer exists: {to}"))
                .compat(compat)
                .suggest(stmt.span(), "", "remove the line"),
        );
    }

    /// `compat-version X.Y`: whose defaults apply.
    fn compat_version(&mut self, stmt: &Stmt<'t, '_>) {
        let word = stmt.args()[0];
        let number = |text: &str| text.parse::<u8>().ok();
        let version = word.text.split_once('.').and_then(|(a, b)| Some((number(a)?, number(b)?)));
        match version.filter(|v| (1, 3) <= *v && *v <= (3, 4)) {
            Some(version) => {
                self.config.global.compat = Some(Spanned::new(version, stmt.span()));
                if version < (2, 2) {
                    self.push(
                        Diagnostic::notice(
                            codes::NO_EFFECT,
                            word.span,
                            format!("TLS 1.0 and 1.1, which HAProxy {} took, are not spoken", word.text),
                        )
                        .compat("TLS 1.2 is the lowest version whatever 'compat-version' says."),
                    );
                }
            }
            None => self.push(
                Diagnostic::error(
                    codes::NUMBER,
                    word.span,
                    format!("`{}` is not a version of HAProxy", word.text),
                )
                .compat(format!("'compat-version' expects a version from 1.3 to 3.4, not '{}'.", word.text))
                .note("versions from 1.3 to 3.4 are known; write major and minor number, as in `2.0`"),
            ),
        }
    }

    /// Keywords that are one word.
    fn global_word(&mut self, stmt: &Stmt<'t, '_>) -> bool {
        let word = stmt.args().first().copied();
        let global = &mut self.config.global;
        match stmt.keyword.name {
            "chroot" => global.chroot = word,
            "pidfile" => global.pidfile = word,
            "ca-base" => global.ca_base = word,
            "crt-base" => global.crt_base = word,
            "key-base" => global.key_base = word,
            "log-tag" => global.log_tag = word,
            "node" => global.node = word,
            "localpeer" => global.localpeer = word,
            "server-state-base" => global.state_base = word,
            "server-state-file" => global.state_file = word,
            "description" => global.description = Some(stmt.text()),
            "log-send-hostname" => global.send_hostname = Some(word),
            // Judged where they are used, because without a TLS listener or server they do no harm.
            "ssl-default-bind-ciphers" => global.bind_tls.ciphers = word,
            "ssl-default-server-ciphers" => global.server_tls.ciphers = word,
            "ssl-default-bind-ciphersuites" => global.bind_tls.ciphersuites = word,
            "ssl-default-bind-curves" => global.bind_tls.curves = word,
            "ssl-default-server-ciphersuites" => global.server_tls.ciphersuites = word,
            "ssl-default-server-curves" => global.server_tls.curves = word,
            "user" | "group" => return self.identity(stmt),
            "compat-version" => self.compat_version(stmt),
            _ => return false,
        }
        true
    }

    fn identity(&mut self, stmt: &Stmt<'t, '_>) -> bool {
        let word = stmt.args()[0];
        let user = stmt.keyword.name == "user";
        let exists = if user { self.host.names.user(word.text) } else { self.host.names.group(word.text) };
        if !exists {
            let what = stmt.keyword.name;
            self.push(
                Diagnostic::error(
                    codes::UNKNOWN_NAME,
                    word.span,
                    format!("this machine has no {what} `{}`", word.text),
                )
                .compat(format!("cannot find {what} id for '{}' (0:Success)", word.text)),
            );
        }
        let global = &mut self.config.global;
        *(if user { &mut global.user } else { &mut global.group }) = Some(word);
        true
    }

    /// Switches without argument.
    fn global_flag(&mut self, stmt: &Stmt<'t, '_>) -> bool {
        let on = stmt.prefix == Prefix::None;
        let global = &mut self.config.global;
        match stmt.keyword.name {
            "daemon" => global.daemon = true,
            "quiet" => global.quiet = true,
            "zero-warning" => global.zero_warning = true,
            "expose-experimental-directives" => global.experimental = true,
            "expose-deprecated-directives" => global.deprecated = true,
            "external-check" => global.external_check = true,
            "insecure-fork-wanted" => global.fork_wanted = on,
            "ssl-server-verify" => global.server_verify_none = stmt.arg(0) == "none",
            "master-worker" => {
                global.master_worker = true;
                self.deprecated(
                    Diagnostic::warning(codes::DEPRECATED, stmt.head(), "`master-worker` is better given on the command line")
                        .compat("The 'master-worker' keyword is deprecated. Use -W or -Ws on the command line instead."),
                );
            }
            _ => return false,
        }
        true
    }

    /// Numbers, times and sizes.
    fn global_value(&mut self, stmt: &Stmt<'t, '_>) -> bool {
        let name = stmt.keyword.name;
        let text = stmt.arg(0);
        let number = units::integer(text).and_then(|_| units::counted(text));
        let global = &mut self.config.global;
        match name {
            "maxconn" => {
                global.maxconn = number;
                if number.is_none() {
                    self.not_an_integer(stmt);
                }
            }
            "nbthread" => global.threads = number,
            "uid" => global.uid = units::counted(stmt.arg(0)),
            "gid" => global.gid = units::counted(stmt.arg(0)),
            "stats maxconn" => global.stats_maxconn = units::counted(stmt.arg(0)),
            "stats timeout" => {
                global.stats_timeout = units::time(text, Unit::Milli).ok();
                if global.stats_timeout.is_some_and(|time| time.is_zero()) {
                    self.push(
                        Diagnostic::error(
                            codes::NUMBER,
                            stmt.args()[0].span,
                            "nobody could say anything in no time",
                        )
                        .compat("'stats timeout' expects a positive value"),
                    );
                }
            }
            "hard-stop-after" => global.hard_stop_after = units::time(stmt.arg(0), Unit::Milli).ok(),
            "maxconnrate"
            | "maxsessrate"
            | "maxsslconn"
            | "maxsslrate"
            | "maxpipes"
            | "maxcomprate"
            | "maxcompcpuusage"
            | "ulimit-n"
            | "fd-hard-limit"
            | "spread-checks"
            | "thread-hard-limit"
            | "mworker-max-reloads" => {
                self.global_number(stmt);
            }
            _ if name.starts_with("tune.")
                || matches!(name, "max-spread-checks" | "grace" | "close-spread-time") =>
            {
                self.tune(stmt);
            }
            _ => return false,
        }
        true
    }

    fn not_an_integer(&mut self, stmt: &Stmt<'t, '_>) {
        let (name, text) = (stmt.keyword.name, stmt.arg(0));
        self.push(
            Diagnostic::error(codes::NUMBER, stmt.args()[0].span, format!("`{text}` is not a number"))
                .compat(format!("cannot parse '{name}' value '{text}', an integer is expected.")),
        );
    }

    fn global_number(&mut self, stmt: &Stmt<'t, '_>) {
        let text = stmt.arg(0);
        let sized = units::size(text).ok().filter(|_| whole_process(stmt.keyword.name));
        if let Some(value) = sized.or_else(|| units::counted(text)) {
            self.config.global.values.insert(stmt.keyword.name, Spanned::new(value, stmt.span()));
        }
    }

    fn tune(&mut self, stmt: &Stmt<'t, '_>) {
        use crate::keyword::Arg;
        let text = stmt.arg(0);
        let value = match stmt.keyword.args.first() {
            Some(Arg::Size) => units::size(text).ok(),
            Some(Arg::Time) => units::time(text, Unit::Milli).ok().map(|t| t.as_millis() as u64),
            Some(Arg::Seconds) => units::time(text, Unit::Second).ok().map(|t| t.as_millis() as u64),
            Some(Arg::OneOf(choices)) => choices.iter().position(|c| *c == text).map(|i| i as u64),
            _ => units::size(text).ok().or_else(|| units::counted(text)),
        };
        if let Some(mut value) = value {
            if stmt.keyword.name == "tune.bufsize" && value == 0 {
                let message = "a buffer needs room; 16384 bytes are usual";
                self.push(
                    Diagnostic::error(codes::NUMBER, stmt.args()[0].span, message)
                        .compat("'tune.bufsize' expects a positive integer argument."),
                );
            } else if stmt.keyword.name == "tune.bufsize" && value < SMALLEST_BUFFER {
                self.small_buffer(&stmt.args()[0]);
                value = SMALLEST_BUFFER;
            }
            self.config.global.values.insert(stmt.keyword.name, Spanned::new(value, stmt.span()));
        }
    }

    /// Present versions do not start with buffers that cannot hold their own error messages.
    fn small_buffer(&mut self, word: &Word<'t>) {
        let text = word.text;
        self.push(
            Diagnostic::warning(
                codes::TRANSLATED,
                word.span,
                format!("a buffer of {text} bytes cannot hold a message; read as {SMALLEST_BUFFER}"),
            )
            .compat(format!("'tune.bufsize' : {text} is too small, {SMALLEST_BUFFER} is used instead."))
            .suggest(word.span, SMALLEST_BUFFER.to_string(), "write it so"),
        );
    }

    fn global_family(&mut self, stmt: &Stmt<'t, '_>) {
        match stmt.keyword.name {
            "log" => self.global_log(stmt),
            "stats socket" => self.socket(stmt),
            "unix-bind" => self.unix_bind(stmt),
            "ssl-default-bind-options" => self.tls_options(stmt, true),
            "ssl-default-server-options" => self.tls_options(stmt, false),
            "set-var" | "set-var-fmt" => {
                if stmt.args().len() < 2 {
                    return self.error(
                        codes::MISSING_ARGUMENT,
                        stmt.span().after(),
                        "a variable needs a value",
                    );
                }
                let format = stmt.keyword.name == "set-var-fmt";
                self.config.global.variables.push((format, stmt.args().to_vec()));
            }
            "cpu-map" => self.cpu_map(stmt),
            "http-err-codes" | "http-fail-codes" => self.http_codes(stmt),
            "jwt.decrypt_alg_list" | "jwt.decrypt_enc_list" => self.token_algorithms(stmt),
            "h1-case-adjust" if !stmt.arg(0).eq_ignore_ascii_case(stmt.arg(1)) => {
                let span = stmt.args()[1].span;
                self.push(
                    Diagnostic::error(codes::CONFLICT, span, "the two names may differ in case only")
                        .compat("<from> and <to> must not differ except the case"),
                );
            }
            "h1-case-adjust" => self.config.global.case_adjust.push(stmt.arg(1).to_owned()),
            "h1-case-adjust-file" => self.case_file(stmt),
            "presetenv" | "setenv" | "resetenv" | "unsetenv" => {}
            "default-path" if stmt.arg(0) == "origin" && stmt.args().len() < 2 => {
                self.error(
                    codes::MISSING_ARGUMENT,
                    stmt.span().after(),
                    "`default-path origin` needs a path",
                );
            }
            // Keywords whose effect is on by default or that have none, which has been said.
            _ => {}
        }
    }

    fn http_codes(&mut self, stmt: &Stmt<'t, '_>) {
        for word in stmt.args() {
            let codes = &mut self.config.global.http_codes;
            let set = match stmt.keyword.name {
                "http-err-codes" => &mut codes.errors,
                _ => &mut codes.failures,
            };
            if let Err(message) = set.apply(word.text) {
                let compat = format!("{} : {message}", stmt.keyword.name);
                self.push(
                    Diagnostic::error(codes::NUMBER, word.span, message.replace('\'', "`")).compat(compat),
                );
            }
        }
    }

    fn token_algorithms(&mut self, stmt: &Stmt<'t, '_>) {
        let Some(list) = stmt.args().first() else { return };
        let accepted = &mut self.config.global.token_algorithms;
        let limited = match stmt.keyword.name {
            "jwt.decrypt_alg_list" => accepted.limit_keys(list.text),
            _ => accepted.limit_contents(list.text),
        };
        if let Err(name) = limited {
            self.push(
                Diagnostic::error(
                    codes::WORD,
                    list.span,
                    format!("`{name}` is not an algorithm of this kind"),
                )
                .compat(format!("Unknown algorithm/encoding {name}")),
            );
        }
    }

    /// A file with one `<from> <to>` a line; `#` begins a comment.
    fn case_file(&mut self, stmt: &Stmt<'t, '_>) {
        let Some(file) = stmt.args().first().copied() else { return };
        let Some(content) = self.readable("h1-case-adjust-file", file, None) else { return };
        let text = String::from_utf8_lossy(&content).into_owned();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let (Some(from), Some(to)) = (words.next(), words.next()) else { continue };
            if from.eq_ignore_ascii_case(to) {
                self.config.global.case_adjust.push(to.to_owned());
            }
        }
    }

    /// Threads are not bound to processors, but what says so must still make sense.
    fn cpu_map(&mut self, stmt: &Stmt<'t, '_>) {
        let range = |text: &str| {
            matches!(text, "all" | "odd" | "even")
                || text.split('-').all(|n| n.is_empty() || n.parse::<u32>().is_ok())
        };
        let first = stmt.args()[0];
        let sets = first.text.strip_prefix("auto:").unwrap_or(first.text);
        let bad = sets.split('/').find(|s| !range(s));
        if let Some(bad) = bad {
            self.push(
                Diagnostic::error(codes::NUMBER, first.span, format!("`{bad}` is not a set of threads"))
                    .compat(format!("cpu-map : '{bad}' is not a valid number/range.")),
            );
        }
        if stmt.args().len() < 2 {
            self.error(
                codes::MISSING_ARGUMENT,
                first.span.after(),
                "`cpu-map` needs processors after the threads",
            );
        }
    }

    fn global_log(&mut self, stmt: &Stmt<'t, '_>) {
        if stmt.prefix == Prefix::No {
            self.bare_no_log(stmt);
            return self.config.global.log.clear();
        }
        match self.log_target(stmt.args(), stmt) {
            Some(Some(line)) => self.config.global.log.push(line),
            Some(None) => self.push(
                Diagnostic::error(codes::RULE, stmt.span(), "`log global` refers to this very section")
                    .compat("log : 'global' is not supported for a global syslog server."),
            ),
            None => {}
        }
    }

    fn socket(&mut self, stmt: &Stmt<'t, '_>) {
        let Some(first) = stmt.args().first().copied() else {
            return self.push(
                Diagnostic::error(
                    codes::MISSING_ARGUMENT,
                    stmt.head().after(),
                    "`stats socket` needs an address",
                )
                .compat("'stats socket' in global section expects an address or a path to a UNIX socket"),
            );
        };
        let addresses = self.bind_addresses(first, "stats socket", Rules::BIND);
        let mut options = BindOptions { unix: self.config.global.unix_bind, ..BindOptions::default() };
        self.bind_options(&stmt.args()[1..], &mut options);
        self.config.global.sockets.push(Bind { addresses, options, span: stmt.span() });
    }

    fn unix_bind(&mut self, stmt: &Stmt<'t, '_>) {
        let args = stmt.args().to_vec();
        let mut unix = self.config.global.unix_bind;
        for at in (0..args.len()).step_by(2) {
            let word = args[at];
            let Some(value) = self.follow(&args, at, "unix-bind") else { return };
            match word.text {
                "prefix" => match unix.prefix {
                    None => unix.prefix = Some(value),
                    Some(before) => self.push(
                        Diagnostic::alert(
                            codes::USELESS,
                            word.span,
                            "`unix-bind prefix` was given before; the first one counts",
                        )
                        .compat("unix-bind 'prefix' already specified. Continuing.")
                        .label(before.span, "this one"),
                    ),
                },
                name @ ("mode" | "user" | "group" | "uid" | "gid") => {
                    self.unix_option(name, Some(value), &mut unix, "unix-bind");
                }
                other => {
                    return self.push(
                        Diagnostic::error(codes::WORD, word.span, format!("`{other}` is not an argument of `unix-bind`"))
                            .compat("'unix-bind' only supports the 'prefix', 'mode', 'user', 'uid', 'group' and 'gid' options."),
                    );
                }
            }
        }
        self.config.global.unix_bind = unix;
    }

    /// Owner or mode of a unix socket.
    pub(crate) fn unix_option(
        &mut self,
        name: &str,
        value: Option<Word<'t>>,
        unix: &mut UnixBind<'t>,
        owner: &str,
    ) {
        let Some(value) = value else { return };
        match name {
            "mode" => {
                unix.mode = u32::from_str_radix(value.text, 8).ok().filter(|m| *m <= 0o7777);
                if unix.mode.is_none() {
                    self.push(
                        Diagnostic::error(
                            codes::NUMBER,
                            value.span,
                            format!("`{}` is not a mode in octal", value.text),
                        )
                        .compat(format!("'{owner}' : '{name}' : invalid mode '{}'.", value.text)),
                    );
                }
            }
            "uid" => (unix.uid, unix.user) = (units::counted(value.text), None),
            "gid" => (unix.gid, unix.group) = (units::counted(value.text), None),
            "user" | "group" => {
                let user = name == "user";
                let exists =
                    if user { self.host.names.user(value.text) } else { self.host.names.group(value.text) };
                if !exists {
                    self.push(
                        Diagnostic::error(
                            codes::UNKNOWN_NAME,
                            value.span,
                            format!("this machine has no {name} `{}`", value.text),
                        )
                        .compat(format!("'{owner}' : '{name}' : invalid {name} name '{}'.", value.text)),
                    );
                }
                if user {
                    (unix.user, unix.uid) = (Some(value), None);
                } else {
                    (unix.group, unix.gid) = (Some(value), None);
                }
            }
            _ => {}
        }
    }

    fn tls_options(&mut self, stmt: &Stmt<'t, '_>, bind: bool) {
        let args = stmt.args().to_vec();
        if args.is_empty() {
            return self.push(
                Diagnostic::error(
                    codes::MISSING_ARGUMENT,
                    stmt.head().after(),
                    format!("`{}` needs an option", stmt.keyword.name),
                )
                .compat(format!(
                    "global statement '{}' expects an option as an argument.",
                    stmt.keyword.name
                )),
            );
        }
        let mut tls = if bind {
            std::mem::take(&mut self.config.global.bind_tls)
        } else {
            std::mem::take(&mut self.config.global.server_tls)
        };
        let mut at = 0;
        while at < args.len() {
            at += self.tls_option(&args, at, &mut tls, stmt.keyword.name);
        }
        *(if bind { &mut self.config.global.bind_tls } else { &mut self.config.global.server_tls }) = tls;
    }

    fn tls_option(&mut self, args: &[Word<'t>], at: usize, tls: &mut TlsDefaults<'t>, owner: &str) -> usize {
        let word = args[at];
        match word.text {
            name @ ("ssl-min-ver" | "ssl-max-ver") => {
                let Some(value) = self.follow(args, at, owner) else { return 1 };
                if self.choice(name, value, &["SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"]).is_some()
                {
                    self.version(name, Some(value), &mut tls.min, &mut tls.max);
                }
                return 2;
            }
            name @ ("force-tlsv12" | "force-tlsv13" | "no-tlsv12" | "no-tlsv13") => {
                self.version(name, None, &mut tls.min, &mut tls.max);
            }
            "force-sslv3" | "force-tlsv10" | "force-tlsv11" => {
                let text = format!("`{}` asks for a version this TLS library does not have", word.text);
                self.error(codes::TLS, word.span, text);
            }
            "no-sslv3"
            | "no-tlsv10"
            | "no-tlsv11"
            | "no-tls-tickets"
            | "prefer-client-ciphers"
            | "strict-sni"
            | "no-strict-sni"
            | "tls-tickets" => match word.text {
                "no-tls-tickets" => tls.no_tickets = true,
                "tls-tickets" => tls.no_tickets = false,
                "prefer-client-ciphers" => tls.prefer_client = true,
                "strict-sni" => tls.strict_sni = true,
                "no-strict-sni" => tls.strict_sni = false,
                _ => {}
            },
            // Options of servers that change nothing here.
            "no-renegotiate" | "renegotiate" => {}
            other => {
                self.push(
                    Diagnostic::error(codes::WORD, word.span, format!("unknown TLS option `{other}`"))
                        .compat(format!("unknown option '{other}' on global statement '{owner}'.")),
                );
            }
        }
        1
    }
}
