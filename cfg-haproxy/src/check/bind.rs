//! `bind` and `stats socket` lines.

use super::{Checker, Stmt};
use crate::address::{self, Address, Place as Where, Rules, Transport};
use crate::codes;
use crate::config::{Bind, BindCertificate, BindOptions};
use crate::keyword::{self, Keyword, Place, Status};
use crate::suggest;
use crate::tree::Word;
use crate::units;
use lb_core::diag::Diagnostic;
use lb_core::spec::{AccessLevel, TlsVersion, Verify};

impl<'t> Checker<'t, '_> {
    pub(crate) fn bind_line(&mut self, stmt: &Stmt<'t, '_>) {
        let args = stmt.args();
        let addresses = self.bind_addresses(args[0], "bind", Rules::BIND);
        let mut options = BindOptions::default();
        self.bind_options(&args[1..], &mut options);
        let bind = Bind { addresses, options, span: stmt.span() };
        if let Some(proxy) = self.proxy() {
            proxy.binds.push(bind);
        }
    }

    /// The addresses of `word`, which are separated by commas.
    pub(crate) fn bind_addresses(&mut self, word: Word<'t>, owner: &str, rules: Rules) -> Vec<Address<'t>> {
        let mut out = Vec::new();
        let mut at = 0;
        let word = Word { text: self.tree.expanded(word), ..word };
        for piece in word.text.split(',') {
            let part = Word { text: piece, span: word.part(at..at + piece.len()), plain: word.plain };
            at += piece.len() + 1;
            if let Some(address) = self.bind_address(part, owner, rules) {
                out.push(address);
            }
        }
        out
    }

    fn bind_address(&mut self, word: Word<'t>, owner: &str, rules: Rules) -> Option<Address<'t>> {
        let address = match address::parse(word.text, rules) {
            Ok(address) => address,
            Err(error) => {
                let code = if error.port { codes::PORT } else { codes::ADDRESS };
                let mut diagnostic = Diagnostic::error(code, word.span, error.message.replace('\'', "`"))
                    .compat(format!("'{owner}' : {}", error.message));
                if error.port && word.text.contains('/') {
                    diagnostic = diagnostic.note("a unix socket starts with `/` or with `unix@`");
                }
                self.push(diagnostic);
                return None;
            }
        };
        if address.port() == Some(0) {
            self.push(
                Diagnostic::error(codes::PORT, word.span, "a listener cannot have port 0")
                    .compat(format!("'{owner}' : invalid port '0' specified for address '{}'.", word.text)),
            );
            return None;
        }
        if address.transport == Some(Transport::Quic) {
            self.push(
                Diagnostic::error(codes::REFUSED, word.span, "QUIC is not supported")
                    .compat(format!("'{owner}' : unsupported stream protocol for datagram family 2 address '{}'; QUIC is not compiled in if this is what you were looking for.", word.text)),
            );
            return None;
        }
        if matches!(address.place, Where::Reverse(_) | Where::SocketPair(_)) {
            self.push(
                Diagnostic::error(codes::REFUSED, word.span, "this kind of address is not supported")
                    .compat(format!("'{owner}' : unsupported protocol family for address '{}'.", word.text)),
            );
            return None;
        }
        self.resolve(&address, word, owner).then_some(address)
    }

    /// Reads the options of a bind line.
    pub(crate) fn bind_options(&mut self, words: &[Word<'t>], options: &mut BindOptions<'t>) {
        let mut at = 0;
        while let Some(word) = words.get(at).copied() {
            let Some(keyword) = keyword::find(Place::Bind, &[word.text]) else {
                at = self.unknown_option(words, at, Place::Bind, "bind");
                continue;
            };
            let value = if keyword.args.is_empty() { None } else { words.get(at + 1).copied() };
            if !keyword.args.is_empty() {
                let given = value.as_slice();
                if !self.check_words(keyword.name, keyword.args, given, word.span) {
                    at += 1 + given.len();
                    continue;
                }
            }
            at += 1 + usize::from(value.is_some());
            self.option_status(keyword, word, value);
            self.bind_option(keyword, word, value, options);
        }
    }

    /// Says what the table says of an option's status; true if it acts.
    pub(crate) fn option_status(
        &mut self,
        keyword: &'static Keyword,
        word: Word<'t>,
        value: Option<Word<'t>>,
    ) {
        match keyword.status {
            Status::Refused(why) => self.refused(word.span, keyword, why),
            Status::NoEffect(_) => self.no_effect(word.span, keyword),
            Status::Translated(to) => self.push(
                Diagnostic::warning(
                    codes::TRANSLATED,
                    word.span,
                    format!("`{}` is no longer supported: {to}", keyword.name),
                )
                .compat(format!("'{}' is not supported anymore.", keyword.name))
                .suggest(word.span.to(value.unwrap_or(word).span), "", "remove it"),
            ),
            _ => {}
        }
    }

    /// Reports an unknown word of an option list and says where to go on.
    pub(crate) fn unknown_option(
        &mut self,
        words: &[Word<'t>],
        at: usize,
        place: Place,
        owner: &str,
    ) -> usize {
        let word = words[at];
        let near = suggest::nearest(word.text, keyword::first_words(place, 0));
        let mut compat = format!("'{owner}' : unknown keyword '{}'", word.text);
        let mut diagnostic = Diagnostic::error(
            codes::UNKNOWN_KEYWORD,
            word.span,
            format!("unknown `{owner}` option `{}`", word.text),
        );
        match near {
            Some(near) => {
                compat.push_str(&format!("; did you mean '{near}' maybe ?"));
                diagnostic = diagnostic.suggest(word.span, near, format!("did you mean `{near}`?"));
            }
            None => {
                let section = if place == Place::Bind { "5.1" } else { "5.2" };
                diagnostic = diagnostic.note(format!("see: configuration manual {section}"));
                compat.push('.');
            }
        }
        self.push(diagnostic.compat(compat));
        // A mistyped option may have had a value; words up to the next known option belong to it.
        let mut next = at + 1;
        while words.get(next).is_some_and(|w| keyword::find(place, &[w.text]).is_none()) {
            next += 1;
        }
        next
    }

    fn bind_option(
        &mut self,
        keyword: &'static Keyword,
        word: Word<'t>,
        value: Option<Word<'t>>,
        o: &mut BindOptions<'t>,
    ) {
        let text = value.map_or("", |v| v.text);
        match keyword.name {
            "ssl" => o.ssl = Some(word.span),
            "name" => o.name = Some(text),
            "id" => o.id = units::counted(text),
            "accept-proxy" => o.accept_proxy = true,
            "maxconn" => o.maxconn = units::counted(text),
            "backlog" => o.backlog = units::counted(text),
            "interface" => o.interface = Some(text),
            "transparent" => o.transparent = true,
            "tfo" => o.tfo = true,
            "defer-accept" => o.defer_accept = true,
            "mss" => o.mss = units::counted(text),
            "v6only" => o.v6only = true,
            "v4v6" => o.v4v6 = true,
            "proto" => self.bind_proto(value, o),
            "level" => o.level = level(text),
            "expose-fd" => o.expose_fd = true,
            "mode" | "user" | "group" | "uid" | "gid" => {
                self.unix_option(keyword.name, value, &mut o.unix, "bind")
            }
            _ => self.bind_tls_option(keyword, value, o),
        }
    }

    fn bind_proto(&mut self, value: Option<Word<'t>>, o: &mut BindOptions<'t>) {
        let Some(value) = value else { return };
        if !matches!(value.text, "h1" | "h2" | "none") {
            self.push(
                Diagnostic::error(codes::WORD, value.span, format!("unknown protocol `{}`", value.text))
                    .compat(format!("'bind' : 'proto' :  unknown MUX protocol '{}'", value.text))
                    .note("one of: h1, h2, none"),
            );
        }
        o.proto = Some(value.text);
    }

    fn bind_tls_option(
        &mut self,
        keyword: &'static Keyword,
        value: Option<Word<'t>>,
        o: &mut BindOptions<'t>,
    ) {
        let text = value.map_or("", |v| v.text);
        match keyword.name {
            "crt" | "default-crt" => {
                if let Some(value) = value {
                    self.certificate("bind", value);
                    let default = keyword.name == "default-crt";
                    let kind = if default { BindCertificate::Default } else { BindCertificate::File };
                    o.certificates.push(kind(value));
                }
            }
            "crt-list" => {
                if let Some(value) = value {
                    o.certificates.push(BindCertificate::List(self.certificate_list(value)));
                }
            }
            "ca-file" => o.ca_file = self.ca_file("bind", value),
            "ca-verify-file" => {
                let _ = self.ca_file("bind", value);
            }
            "crl-file" => o.crl_file = self.ca_file("bind", value),
            "strict-sni" => o.strict_sni = Some(true),
            "no-strict-sni" => o.strict_sni = Some(false),
            "alpn" => o.alpn = Some(self.alpn(value)),
            "no-alpn" => o.alpn = Some(Vec::new()),
            "verify" => o.verify = verify(text),
            "ciphers" => o.ciphers = self.ciphers(value),
            "ciphersuites" => o.ciphersuites = value,
            "curves" | "ecdhe" => o.curves = value,
            "ssl-min-ver" | "ssl-max-ver" | "force-tlsv12" | "force-tlsv13" | "no-tlsv12" | "no-tlsv13" => {
                self.version(keyword.name, value, &mut o.min, &mut o.max);
            }
            "tls-tickets" => o.tickets = Some(true),
            "no-tls-tickets" => o.tickets = Some(false),
            "prefer-client-ciphers" => o.prefer_client = true,
            "tls-ticket-keys" => {
                if let Some(value) = value {
                    self.readable("bind", value, None);
                }
            }
            // What is left has no effect, and that has been said, or is on by default.
            _ => {}
        }
    }

    /// `h2,http/1.1` as a list.
    pub(crate) fn alpn(&mut self, value: Option<Word<'t>>) -> Vec<String> {
        let Some(value) = value else { return Vec::new() };
        let names: Vec<String> = value.text.split(',').map(str::to_owned).collect();
        if let Some(bad) = names.iter().find(|n| n.is_empty() || n.len() > 255) {
            self.error(codes::WORD, value.span, format!("`{bad}` is not an ALPN protocol name"));
        }
        names
    }

    /// Applies a version option to the range of versions.
    pub(crate) fn version(
        &mut self,
        name: &str,
        value: Option<Word<'t>>,
        min: &mut Option<TlsVersion>,
        max: &mut Option<TlsVersion>,
    ) {
        let text = value.map_or("", |v| v.text);
        let old = matches!(text, "SSLv3" | "TLSv1.0" | "TLSv1.1");
        match name {
            "ssl-min-ver" => *min = Some(if text == "TLSv1.3" { TlsVersion::V13 } else { TlsVersion::V12 }),
            "ssl-max-ver" if old => {
                let span = value.map_or_else(Default::default, |v| v.span);
                self.error(
                    codes::TLS,
                    span,
                    format!(
                        "`ssl-max-ver {text}` leaves no TLS version; this library offers TLS 1.2 and 1.3"
                    ),
                );
            }
            "ssl-max-ver" => *max = Some(if text == "TLSv1.3" { TlsVersion::V13 } else { TlsVersion::V12 }),
            "force-tlsv12" => (*min, *max) = (Some(TlsVersion::V12), Some(TlsVersion::V12)),
            "force-tlsv13" => (*min, *max) = (Some(TlsVersion::V13), Some(TlsVersion::V13)),
            "no-tlsv12" => *min = Some(TlsVersion::V13),
            "no-tlsv13" => *max = Some(TlsVersion::V12),
            _ => {}
        }
    }
}

/// Rights on a control socket by name.
pub(crate) fn level(text: &str) -> Option<AccessLevel> {
    match text {
        "user" => Some(AccessLevel::User),
        "operator" => Some(AccessLevel::Operator),
        "admin" => Some(AccessLevel::Admin),
        _ => None,
    }
}

/// `verify` by name.
pub(crate) fn verify(text: &str) -> Option<Verify> {
    match text {
        "none" => Some(Verify::None),
        "optional" => Some(Verify::Optional),
        "required" => Some(Verify::Required),
        _ => None,
    }
}
