//! `option` lines.

use super::proxy::plain;
use super::{Checker, Prefix, Stmt, side_of};
use crate::codes;
use crate::config::{CheckKind, ConnectionOption, ForwardFor, LogFormatChoice};
use crate::keyword::{self, B, Place, Status};
use crate::section::SectionKind;
use crate::suggest;
use crate::tree::Word;
use crate::units;
use lb_core::diag::{Diagnostic, Spanned};

impl<'t> Checker<'t, '_> {
    /// A line whose first word is `option`.
    pub(crate) fn option_line(&mut self, kind: SectionKind, prefix: Prefix, words: &[Word<'t>], line: u32) {
        let Some(name) = words.get(1) else {
            return self.push(
                Diagnostic::error(
                    codes::MISSING_ARGUMENT,
                    words[0].span.after(),
                    "`option` needs the name of an option",
                )
                .compat("'option' expects an option name."),
            );
        };
        let Some(option) = keyword::find(Place::Option, &[name.text]) else {
            return self.unknown_option_name(kind, *name);
        };
        let stmt = Stmt { keyword: option, prefix, words, skip: 2, line };
        if !plain(prefix) && !option.negatable {
            return self.push(
                Diagnostic::error(
                    codes::NEGATION,
                    stmt.head(),
                    format!("`option {}` cannot be negated", option.name),
                )
                .compat(format!("negation/default is not supported for option '{}'.", option.name)),
            );
        }
        let modal = matches!(option.name, "httpclose" | "http-server-close" | "http-keep-alive");
        if modal && prefix == Prefix::Default {
            return self.push(
                Diagnostic::error(
                    codes::NEGATION,
                    stmt.head(),
                    format!("`default` says nothing of `option {}`", option.name),
                )
                .compat(format!("negation/default is not supported for option '{}'.", option.name))
                .note("write the mode that is meant: `option http-keep-alive` is what holds when nothing is said"),
            );
        }
        if let Status::Refused(why) = option.status {
            return self.refused(stmt.head(), option, why);
        }
        if !self.option_allowed(kind, &stmt) {
            return;
        }
        self.no_effect(stmt.head(), option);
        if plain(prefix) && !self.check_args(&stmt) {
            return;
        }
        self.apply_option(kind, stmt);
    }

    fn unknown_option_name(&mut self, kind: SectionKind, name: Word<'t>) {
        let near = suggest::nearest(name.text, keyword::first_words(Place::Option, side_of(kind)));
        let mut compat = format!("unknown option '{}'", name.text);
        let mut diagnostic =
            Diagnostic::error(codes::UNKNOWN_KEYWORD, name.span, format!("unknown option `{}`", name.text));
        match near {
            Some(near) => {
                compat.push_str(&format!("; did you mean '{near}' maybe ?"));
                diagnostic = diagnostic.suggest(name.span, near, format!("did you mean `{near}`?"));
            }
            None => compat.push('.'),
        }
        self.push(diagnostic.compat(compat));
    }

    fn option_allowed(&mut self, kind: SectionKind, stmt: &Stmt<'t, '_>) -> bool {
        let name = stmt.keyword.name;
        let log = matches!(name, "httplog" | "tcplog" | "httpslog");
        if log && side_of(kind) == B {
            if !self.check_args(stmt) {
                return false;
            }
            let id = self.proxy().map_or("", |p| p.name);
            self.push(
                Diagnostic::warning(
                    codes::IGNORED_HERE,
                    stmt.head(),
                    format!("`option {name}` has no effect in a backend section"),
                )
                .compat(format!("backend '{id}' : 'option {name}' directive is ignored in backends.")),
            );
            return false;
        }
        if self.allowed(kind, stmt.keyword, stmt.head()) {
            return true;
        }
        // HAProxy 3.4 warns and then, for plain switches, fails as well; a file it refuses is not started here either.
        if stmt.keyword.negatable && stmt.keyword.args.is_empty() && side_of(kind) != keyword::D {
            if self.old_header() {
                self.push(
                    Diagnostic::warning(
                        codes::TRANSLATED,
                        stmt.head(),
                        format!(
                            "`option {name}` says nothing in a {} section and is left out",
                            kind.keyword()
                        ),
                    )
                    .compat(format!("option '{name}' has no effect here and is not supported anymore."))
                    .suggest(stmt.span(), "", "remove the line"),
                );
                return false;
            }
            self.push(
                Diagnostic::error(
                    codes::NOT_HERE,
                    stmt.head(),
                    format!("`option {name}` does not belong into a {} section", kind.keyword()),
                )
                .compat(format!("unknown option '{name}'; did you mean '{name}' maybe ?")),
            );
        }
        false
    }

    /// Whether the present section has its address behind its name, as in versions that took such options.
    fn old_header(&mut self) -> bool {
        let sources = self.tree.sources();
        let line = |span| sources.locate(span).map(|(file, at)| (file, at.line));
        self.proxy().is_some_and(|p| p.binds.first().is_some_and(|bind| line(bind.span) == line(p.span)))
    }

    fn apply_option(&mut self, kind: SectionKind, stmt: Stmt<'t, '_>) {
        let span = stmt.span();
        let name = stmt.keyword.name;
        if let Status::Translated(to) = stmt.keyword.status {
            return self.old_option(kind, stmt, to);
        }
        let on = stmt.prefix == Prefix::None;
        match name {
            "httplog" | "tcplog" | "httpslog" => self.log_option(kind, &stmt),
            "forwardfor" | "originalto" => self.forward_option(&stmt),
            "forwarded" => self.forwarded_option(&stmt),
            "redispatch" => {
                // `option redispatch` alone is -1: on the last retry.
                let count = if on {
                    stmt.args().first().map_or(-1, |word| units::counted(word.text).unwrap_or(-1))
                } else {
                    0
                };
                if let Some(proxy) = self.proxy() {
                    proxy.settings.redispatch = Some(Spanned::new(count, span));
                }
            }
            "http-restrict-req-hdr-names" => {
                let value = Some(Spanned::new(stmt.arg(0), span));
                if let Some(proxy) = self.proxy() {
                    proxy.settings.restrict_names = value;
                }
            }
            "httpclose" => self.connection_option(&stmt, ConnectionOption::Close),
            "http-server-close" => self.connection_option(&stmt, ConnectionOption::ServerClose),
            "http-keep-alive" => self.connection_option(&stmt, ConnectionOption::KeepAlive),
            "httpchk" | "smtpchk" | "tcp-check" | "mysql-check" | "pgsql-check" | "redis-check"
            | "ldap-check" | "ssl-hello-chk" | "spop-check" | "external-check" => self.check_option(&stmt),
            _ => self.switch(name, &stmt),
        }
    }

    fn switch(&mut self, name: &'static str, stmt: &Stmt<'t, '_>) {
        let on = match stmt.prefix {
            Prefix::None => Some(true),
            Prefix::No => Some(false),
            Prefix::Default => None,
        };
        if name == "transparent" && on == Some(true) {
            self.deprecated(
                Diagnostic::warning(codes::DEPRECATED, stmt.head(), "`option transparent` will go away")
                    .compat("option 'transparent' is deprecated in 3.3 and will be removed in 3.5. Please use a 'server' with address 0.0.0.0 instead.")
                    .note("use a `server` with the address 0.0.0.0"),
            );
        }
        let value = Spanned::new(on, stmt.span());
        let Some(proxy) = self.proxy() else { return };
        match name {
            "transparent" => proxy.settings.transparent = Some(Spanned::new(on == Some(true), value.span)),
            "tcpka" => {
                proxy.settings.switches.insert("clitcpka", value);
                proxy.settings.switches.insert("srvtcpka", value);
            }
            _ => {
                proxy.settings.switches.insert(name, value);
            }
        }
    }

    fn connection_option(&mut self, stmt: &Stmt<'t, '_>, option: ConnectionOption) {
        let span = stmt.span();
        let prefix = stmt.prefix;
        let Some(proxy) = self.proxy() else { return };
        let current = &mut proxy.settings.connection;
        match prefix {
            Prefix::None => *current = Some(Spanned::new(option, span)),
            // Negating the mode in force, which may be inherited, leaves keep-alive.
            _ if current.is_none_or(|c| c.value == option) => {
                *current = Some(Spanned::new(ConnectionOption::KeepAlive, span));
            }
            _ => {}
        }
    }

    fn log_option(&mut self, kind: SectionKind, stmt: &Stmt<'t, '_>) {
        let clf = stmt.arg(0) == "clf";
        let choice = match stmt.keyword.name {
            "httplog" => LogFormatChoice::Http(clf),
            "httpslog" => LogFormatChoice::Https,
            _ => LogFormatChoice::Tcp(clf),
        };
        self.set_log_format(kind, choice, stmt);
    }

    fn forward_option(&mut self, stmt: &Stmt<'t, '_>) {
        let name = stmt.keyword.name;
        let mut option = ForwardFor::default();
        let args = stmt.args().to_vec();
        let mut at = 0;
        while let Some(word) = args.get(at).copied() {
            match word.text {
                "except" => {
                    let Some(network) = self.follow(&args, at, name) else { return };
                    self.network(network, name);
                    option.except = Some(network);
                    at += 1;
                }
                "header" => {
                    option.header = self.follow(&args, at, name);
                    at += 1;
                }
                "if-none" if name == "forwardfor" => option.if_none = true,
                other => {
                    return self.push(
                        Diagnostic::error(
                            codes::WORD,
                            word.span,
                            format!("`{other}` is not an argument of `option {name}`"),
                        )
                        .compat(format!(
                            "'{name}' only supports optional values: 'except', 'header' and 'if-none'."
                        )),
                    );
                }
            }
            at += 1;
        }
        let value = Some(Spanned::new(option, stmt.span()));
        let Some(proxy) = self.proxy() else { return };
        if name == "forwardfor" {
            proxy.settings.forward_for = value;
        } else {
            proxy.settings.original_to = value;
        }
    }

    fn network(&mut self, word: Word<'t>, owner: &str) {
        if crate::address::network(word.text).is_none() {
            self.push(
                Diagnostic::error(codes::ADDRESS, word.span, format!("`{}` is not a network", word.text))
                    .compat(format!(
                        "'option {owner}' : 'except' expects <address>[/mask] as argument (got '{}').",
                        word.text
                    )),
            );
        }
    }

    fn forwarded_option(&mut self, stmt: &Stmt<'t, '_>) {
        let words = if plain(stmt.prefix) { stmt.args().to_vec() } else { Vec::new() };
        let mut at = 0;
        while let Some(word) = words.get(at).copied() {
            match word.text {
                "proto" | "host" | "by" | "by_port" | "for" | "for_port" => {}
                "host-expr" | "by-expr" | "by_port-expr" | "for-expr" | "for_port-expr" => {
                    if self.follow(&words, at, "option forwarded").is_none() {
                        return;
                    }
                    at += 1;
                }
                other => {
                    return self.error(
                        codes::WORD,
                        word.span,
                        format!("`{other}` is not an argument of `option forwarded`"),
                    );
                }
            }
            at += 1;
        }
        let on = plain(stmt.prefix);
        let value = Spanned::new(on.then_some(words), stmt.span());
        if let Some(proxy) = self.proxy() {
            proxy.settings.forwarded = Some(value);
        }
    }

    fn check_option(&mut self, stmt: &Stmt<'t, '_>) {
        let words = stmt.args().to_vec();
        let Some(kind) = self.check_kind(stmt.keyword.name, &words, stmt.line) else { return };
        let value = Some(Spanned::new(kind, stmt.span()));
        if let Some(proxy) = self.proxy() {
            proxy.settings.check = value;
        }
    }

    /// A kind of check from its name and the words after it.
    pub(crate) fn check_kind(&mut self, name: &str, words: &[Word<'t>], _line: u32) -> Option<CheckKind<'t>> {
        let word = |i: usize| words.get(i).map_or("", |w| w.text);
        Some(match name {
            "tcp-check" => CheckKind::Tcp,
            "httpchk" => {
                self.old_httpchk(words);
                CheckKind::Http(words.to_vec())
            }
            "smtpchk" => CheckKind::Smtp(words.to_vec()),
            "redis-check" => CheckKind::Redis,
            "ldap-check" => CheckKind::Ldap,
            "ssl-hello-chk" => CheckKind::SslHello,
            "spop-check" => CheckKind::Spop,
            "external-check" => CheckKind::External,
            "pgsql-check" => CheckKind::Pgsql(word(1)),
            "mysql-check" => {
                if words.is_empty() {
                    return Some(CheckKind::Mysql(None, false));
                }
                if word(0) != "user" || words.len() < 2 {
                    self.push(
                        Diagnostic::error(
                            codes::WORD,
                            words[0].span,
                            "`option mysql-check` takes `user` and a name",
                        )
                        .compat("'option mysql-check' only supports optional values: 'user'."),
                    );
                    return None;
                }
                if let Some(version) =
                    words.get(2).copied().filter(|w| !matches!(w.text, "post-41" | "pre-41"))
                {
                    self.push(
                        Diagnostic::error(
                            codes::WORD,
                            version.span,
                            format!("`{}` is not a MySQL protocol", version.text),
                        )
                        .compat("keyword 'mysql-check' only supports option 'post-41' and 'pre-41'."),
                    );
                }
                if let Some(extra) = words.get(3).copied() {
                    self.push(
                        Diagnostic::error(
                            codes::TOO_MANY_ARGUMENTS,
                            extra.span,
                            "`option mysql-check` takes no further argument",
                        )
                        .compat(format!(
                            "'option mysql-check' cannot handle unexpected argument '{}'.",
                            extra.text
                        )),
                    );
                }
                CheckKind::Mysql(Some(word(1)), word(2) == "pre-41")
            }
            _ => return None,
        })
    }

    /// `option httpchk GET / HTTP/1.1\r\nHost:\ x` hides headers in the version; translated when the check is made.
    fn old_httpchk(&mut self, words: &[Word<'t>]) {
        let Some(version) = words.get(2).copied().filter(|w| w.text.contains(['\r', '\n'])) else { return };
        let shown = httpchk_lines(words[0].text, words[1].text, version.text, words.get(3).map(|w| w.text));
        let place = words[0].span.to(words[words.len() - 1].span);
        self.push(
            Diagnostic::warning(codes::TRANSLATED, version.span, "headers after the version are read as `http-check send hdr`")
                .compat("'option httpchk' : hiding headers or body at the end of the version string is unsupported.Use 'http-check send' directive instead.")
                .note("write them as `http-check send ... hdr <name> <value>`")
                .suggest(place, shown, "write it so"),
        );
    }

    fn old_option(&mut self, kind: SectionKind, stmt: Stmt<'t, '_>, to: &'static str) {
        let name = stmt.keyword.name;
        let compat = match name {
            "forceclose" => "option 'forceclose' is not supported any more since HAProxy 2.0, please just remove it, or use 'option httpclose' if absolutely needed.".to_owned(),
            "http-tunnel" => "option 'http-tunnel' is not supported any more since HAProxy 2.1, please just remove it, it shouldn't be needed.".to_owned(),
            "http_proxy" => "option 'http_proxy' is not supported any more since HAProxy 2.5.".to_owned(),
            "accept-invalid-http-request" | "accept-invalid-http-response" => {
                format!("option '{name}' is deprecated. please use '{to}' if absolutely needed.")
            }
            _ => format!("option '{name}' is not supported any more."),
        };
        let present = match name {
            "forceclose" => "option httpclose",
            "independant-streams" => "option independent-streams",
            "accept-invalid-http-request" => "option accept-unsafe-violations-in-http-request",
            "accept-invalid-http-response" => "option accept-unsafe-violations-in-http-response",
            _ => "",
        };
        // A backend has no use for what is about clients, and HAProxy refuses the present option there.
        let fits = |name: &str| {
            keyword::find(Place::Option, &[name]).is_some_and(|option| option.sides & side_of(kind) != 0)
        };
        let here = present.strip_prefix("option ").is_some_and(fits);
        let present = if here { present } else { "" };
        let advice = if present.is_empty() { "remove the line" } else { "write it so" };
        self.push(
            Diagnostic::warning(
                codes::TRANSLATED,
                stmt.head(),
                format!("`option {name}` no longer exists; read as: {to}"),
            )
            .compat(compat)
            .suggest(stmt.span(), present, advice),
        );
        match name {
            _ if !here => {}
            "forceclose" => self.connection_option(&stmt, ConnectionOption::Close),
            "independant-streams" => self.switch("independent-streams", &stmt),
            "accept-invalid-http-request" => self.switch("accept-unsafe-violations-in-http-request", &stmt),
            "accept-invalid-http-response" => self.switch("accept-unsafe-violations-in-http-response", &stmt),
            _ => {}
        }
    }
}

/// The arguments of `option httpchk`, with what its version hides on a line of its own.
fn httpchk_lines(method: &str, uri: &str, version: &str, host: Option<&str>) -> String {
    use crate::legacy::quote;
    let (head, body) = match version.split_once("\r\n\r\n") {
        Some((head, body)) => (head, body),
        None => (version, ""),
    };
    let mut lines = head.split(['\r', '\n']).filter(|l| !l.is_empty());
    let version = lines.next().unwrap_or("HTTP/1.0").trim();
    let mut send = String::from("http-check send");
    let mut header = |name: &str, value: &str| {
        send.push_str(&format!(" hdr {} {}", quote(name), quote(&value.replace('%', "%%"))));
    };
    if let Some(host) = host {
        header("host", host);
    }
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        header(name.trim(), value.trim());
    }
    if !body.is_empty() {
        send.push_str(&format!(" body {}", quote(body)));
    }
    format!("{} {} {}\n{send}", quote(method), quote(uri), quote(version))
}
