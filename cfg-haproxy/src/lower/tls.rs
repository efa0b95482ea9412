//! TLS words to [`TlsServerSpec`] and [`TlsClientSpec`]: file names are completed, cipher strings mapped.

use super::Lowerer;
use crate::check::join;
use crate::cipher;
use crate::config::{BindOptions, ServerOptions};
use crate::tree::Word;
use lb_core::spec::{TlsClientSpec, TlsServerSpec, Verify};
use std::sync::Arc;

impl<'t> Lowerer<'_, 't, '_, '_> {
    pub(super) fn server_tls(&self, o: &BindOptions<'t>, http: bool) -> TlsServerSpec {
        let global = &self.config.global;
        let defaults = &global.bind_tls;
        let mut tls = TlsServerSpec::default();
        tls.certificates = o.certificates.iter().map(|c| self.certificate(*c)).collect();
        tls.lists = o.lists.iter().map(|l| Arc::from(self.absolute(l.text))).collect();
        tls.strict_sni = o.strict_sni.unwrap_or(defaults.strict_sni);
        tls.alpn = match &o.alpn {
            Some(names) => spoken(names.iter().map(String::as_str), http),
            // Since 2.8 browsers are offered something unless the line says otherwise.
            None if http && !self.config.older_than((2, 8)) => vec![Arc::from("http/1.1")],
            None => Vec::new(),
        };
        tls.verify = o.verify.unwrap_or(Verify::None);
        tls.ca_file = o.ca_file.map(|f| self.ca(f));
        tls.crl_file = o.crl_file.map(|f| self.ca(f));
        tls.ciphers = suites(o.ciphers.or(defaults.ciphers));
        tls.ciphersuites = list(o.ciphersuites.or(defaults.ciphersuites));
        tls.curves = list(o.curves.or(defaults.curves));
        tls.min = o.min.or(defaults.min);
        tls.max = o.max.or(defaults.max);
        tls.no_tickets = o.tickets.map_or(defaults.no_tickets, |on| !on);
        tls.prefer_client = o.prefer_client || defaults.prefer_client;
        tls
    }

    /// TLS of a server; checks may use another name.
    pub(super) fn client_tls(&self, o: &ServerOptions<'t>, check: bool, http: bool) -> TlsClientSpec {
        let global = &self.config.global;
        let defaults = &global.server_tls;
        let mut tls = TlsClientSpec::default();
        let required = if global.server_verify_none { Verify::None } else { Verify::Required };
        tls.verify = o.verify.unwrap_or(required);
        tls.ca_file = o.ca_file.map(|f| self.ca(f));
        tls.crl_file = o.crl_file.map(|f| self.ca(f));
        tls.certificate = o.certificate.map(|c| self.certificate(c));
        tls.sni = if check { o.check_sni.map(Arc::from) } else { o.sni.and_then(fixed_sni) };
        tls.verify_host = o.verify_host.map(Arc::from);
        tls.alpn = match (check, o.check_alpn, &o.alpn) {
            (true, Some(names), _) => spoken(names.split(','), http),
            (false, _, Some(names)) => spoken(names.iter().map(String::as_str), http),
            _ => Vec::new(),
        };
        tls.ciphers = suites(o.ciphers.or(defaults.ciphers));
        tls.ciphersuites = list(o.ciphersuites.or(defaults.ciphersuites));
        tls.min = o.min.or(defaults.min);
        tls.max = o.max.or(defaults.max);
        tls
    }

    /// A file name as it must be opened.
    fn absolute(&self, path: &str) -> String {
        crate::base::below(self.base, path)
    }

    fn ca(&self, file: Word<'t>) -> Arc<str> {
        if file.text.starts_with('@') {
            Arc::from(file.text)
        } else {
            Arc::from(self.absolute(&join(self.config.global.ca_base, file.text)))
        }
    }

    fn certificate(&self, file: Word<'t>) -> Arc<str> {
        let stored =
            self.config.certificates.iter().find(|c| c.alias == Some(file.text) || in_store(c, file.text));
        let path = stored.map_or_else(|| join(self.config.global.crt_base, file.text), |c| c.path.clone());
        Arc::from(self.absolute(&path))
    }
}

fn in_store(certificate: &crate::config::Certificate<'_>, name: &str) -> bool {
    let Some((store, name)) = name.strip_prefix('@').and_then(|r| r.split_once('/')) else { return false };
    certificate.store == store && (certificate.crt.text == name || certificate.alias == Some(name))
}

/// `sni str(example.org)` is a fixed name; other expressions are evaluated for each connection.
fn fixed_sni(word: Word<'_>) -> Option<Arc<str>> {
    let inner = word.text.strip_prefix("str(")?.strip_suffix(')')?;
    Some(Arc::from(inner.trim_matches(['"', '\''])))
}

/// The protocols that may be agreed on. HTTP/2 is not spoken: who settles on it would not be understood.
fn spoken<'n>(names: impl Iterator<Item = &'n str>, http: bool) -> Vec<Arc<str>> {
    names.filter(|name| !http || *name != "h2").map(Arc::from).collect()
}

fn suites(word: Option<Word<'_>>) -> Vec<Arc<str>> {
    word.map_or_else(Vec::new, |w| cipher::select(w.text).names.into_iter().map(Arc::from).collect())
}

fn list(word: Option<Word<'_>>) -> Vec<Arc<str>> {
    word.map_or_else(Vec::new, |w| w.text.split(':').filter(|n| !n.is_empty()).map(Arc::from).collect())
}
