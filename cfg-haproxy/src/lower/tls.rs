//! TLS words to [`TlsServerSpec`] and [`TlsClientSpec`]: file names are completed, cipher strings mapped.

use super::Lowerer;
use crate::check::join;
use crate::cipher;
use crate::config::{BindCertificate, BindOptions, FrontendCertificate, ListedCertificate, ServerOptions};
use crate::tree::Word;
use lb_core::spec::{CertificateSpec, TlsClientSpec, TlsServerSpec, Verify};
use std::sync::Arc;

impl<'t> Lowerer<'_, 't, '_, '_> {
    pub(super) fn server_tls(
        &self,
        o: &BindOptions<'t>,
        own: &[FrontendCertificate<'t>],
        http: bool,
    ) -> TlsServerSpec {
        let global = &self.config.global;
        let defaults = &global.bind_tls;
        let mut tls = TlsServerSpec::default();
        tls.certificates = o.certificates.iter().flat_map(|c| self.certificates(c)).collect();
        tls.certificates.extend(own.iter().map(|line| {
            let mut certificate = self.certificate(line.crt.text);
            if let Some(key) = line.key {
                certificate.key = Some(Arc::from(self.absolute(key.text)));
            }
            certificate
        }));
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

    /// TLS of a server; checks may use another name and other protocols.
    pub(super) fn client_tls(&self, o: &ServerOptions<'t>, check: bool, http: bool) -> TlsClientSpec {
        let global = &self.config.global;
        let defaults = &global.server_tls;
        let mut tls = TlsClientSpec::default();
        let required = if global.server_verify_none { Verify::None } else { Verify::Required };
        tls.verify = o.verify.unwrap_or(required);
        tls.ca_file = o.ca_file.map(|f| self.ca(f));
        tls.crl_file = o.crl_file.map(|f| self.ca(f));
        tls.certificate = o.certificate.map(|c| self.certificate(c.text).path);
        tls.sni = o.check_sni.filter(|_| check).map(Arc::from).or_else(|| o.sni.and_then(fixed_sni));
        tls.verify_host = o.verify_host.map(Arc::from);
        tls.alpn = match (check, o.check_alpn, &o.alpn) {
            (true, Some(names), _) => spoken(names.split(','), http),
            (_, _, Some(names)) => spoken(names.iter().map(String::as_str), http),
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

    /// What a word of a `bind` line stands for.
    fn certificates(&self, word: &BindCertificate<'t>) -> Vec<CertificateSpec> {
        match word {
            BindCertificate::File(file) => vec![self.certificate(file.text)],
            BindCertificate::Default(file) => {
                let mut certificate = self.certificate(file.text);
                certificate.default = true;
                vec![certificate]
            }
            BindCertificate::List(list) => {
                let of = |listed: &ListedCertificate| {
                    let mut certificate = self.certificate(&listed.name);
                    certificate.filters = listed.filters.iter().map(|name| Arc::from(&**name)).collect();
                    certificate
                };
                list.iter().map(of).collect()
            }
        }
    }

    fn certificate(&self, file: &str) -> CertificateSpec {
        let stored = self.config.certificate(file);
        let (path, key) = match &stored {
            Ok(stored) => (&stored.path, stored.key.as_deref()),
            Err(path) => (path, None),
        };
        let mut certificate = CertificateSpec::from(self.absolute(path).as_str());
        certificate.key = key.map(|key| Arc::from(self.absolute(key)));
        certificate
    }
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

#[cfg(test)]
mod tests {
    use crate::host::{FileKind, Files};
    use crate::load::tests::load_text;
    use crate::{Facts, Host, Loaded, NoEnv, Source};
    use lb_core::diag::Severity;
    use lb_core::expr::Registry;
    use lb_core::spec::TlsServerSpec;
    use std::io;
    use std::sync::Arc;

    /// A list, and files of any other name.
    struct Listed(&'static str);

    impl Files for Listed {
        fn read(&self, path: &str) -> io::Result<Vec<u8>> {
            Ok(if path == "/etc/list" { self.0.into() } else { Vec::new() })
        }

        fn kind(&self, path: &str) -> Option<FileKind> {
            (!path.contains("missing")).then_some(FileKind::File)
        }
    }

    fn load(list: &'static str, words: &str) -> Loaded {
        let text = format!(
            "global\n crt-base /certs\nlisten a\n mode tcp\n timeout connect 1s\n timeout client 1s\n \
             timeout server 1s\n bind :443 ssl {words}\n server s 192.0.2.1:80\n"
        );
        let host = Host { files: &Listed(list), ..Host::ANY };
        let sources = [Source::new("a.cfg", &text)];
        crate::load(&sources, &NoEnv, &Facts::default(), host, &Registry::builtin())
    }

    fn tls(loaded: &Loaded) -> Arc<TlsServerSpec> {
        loaded.spec.proxies[0].listeners[0].tls.clone().unwrap()
    }

    #[test]
    fn a_list_becomes_certificates_with_filters_in_the_order_of_the_line() {
        let list = "# names\na.pem *.x.org !y.x.org\n\n/b.pem [alpn h2]\n";
        let loaded = load(list, "crt first.pem crt-list /etc/list default-crt last.pem");
        let found: Vec<_> = tls(&loaded)
            .certificates
            .iter()
            .map(|c| (c.path.to_string(), c.filters.join(" "), c.default))
            .collect();
        let plain = |path: &str, default| (path.to_owned(), String::new(), default);
        assert_eq!(
            found,
            [
                plain("/certs/first.pem", false),
                ("/certs/a.pem".to_owned(), "*.x.org !y.x.org".to_owned(), false),
                plain("/b.pem", false),
                plain("/certs/last.pem", true),
            ]
        );
        let texts: Vec<_> =
            loaded.diagnostics.iter().map(|d| format!("{} {:?}", d.message, d.notes)).collect();
        assert!(!loaded.diagnostics.has_errors(), "{texts:?}");
        assert!(texts.iter().any(|t| t.contains("/etc/list") && t.contains("alpn (line 4)")), "{texts:?}");
    }

    fn stored(store: &str, name: &str) -> Loaded {
        let text = format!("{store}listen a\n bind :443 ssl crt {name}\n");
        let sources = [Source::new("a.cfg", &text)];
        let host = Host { files: &Listed(""), ..Host::ANY };
        crate::load(&sources, &NoEnv, &Facts::default(), host, &Registry::builtin())
    }

    #[test]
    fn a_stored_certificate_has_one_name() {
        let named =
            "crt-store s\n crt-base /c\n load crt a.pem\n load crt /d/b.pem\n load crt c.pem alias one\n";
        let unnamed = "crt-store\n load crt a.pem key k\n load crt c.pem alias one\n";
        for (store, name, path) in [
            (named, "@s/a.pem", "/c/a.pem"),
            (named, "@s/d/b.pem", "/d/b.pem"),
            (named, "@s/one", "/c/c.pem"),
            (unnamed, "@/one", "c.pem"),
            (unnamed, "a.pem", "a.pem"),
            // Not that of the alias: a file of this name.
            (unnamed, "one", "one"),
        ] {
            let loaded = stored(store, name);
            assert!(!loaded.diagnostics.has_errors(), "{name}");
            let certificate = tls(&loaded).certificates[0].clone();
            assert_eq!(&*certificate.path, path, "{name}");
            assert_eq!(certificate.key.is_some(), name == "a.pem", "{name}");
        }
        for name in ["@s/missing.pem", "@t/missing"] {
            assert!(stored(named, name).diagnostics.has_errors(), "{name}");
        }
        for wrong in [" load crt z alias one\n", " crt-base /x\n"] {
            assert!(stored(&format!("{named}{wrong}"), "@s/one").diagnostics.has_errors(), "{wrong}");
        }
    }

    #[test]
    fn certificates_of_a_frontend_serve_its_bind_lines() {
        let text = "global\n crt-base /c\nfrontend a\n bind :443 ssl\n ssl-f-use crt a.pem\n \
                    ssl-f-use crt b.pem key /k.pem alpn h2\n ssl-f-use no-alpn crt c.pem no-ca-names key /k.pem\n";
        let loaded = load_text(text);
        let messages: Vec<_> = loaded.diagnostics.iter().map(|d| d.message.as_str()).collect();
        assert!(messages.contains(&"options of single certificates are left out: alpn"), "{messages:?}");
        let found: Vec<_> = tls(&loaded)
            .certificates
            .iter()
            .map(|c| (c.path.to_string(), c.key.as_deref().map(str::to_owned)))
            .collect();
        let own = |path: &str, key: Option<&str>| (path.to_owned(), key.map(str::to_owned));
        assert_eq!(
            found,
            [own("/c/a.pem", None), own("/c/b.pem", Some("/k.pem")), own("/c/c.pem", Some("/k.pem"))]
        );
        for wrong in ["key k", "crt a.pem nosuch x", "crt a.pem verify required"] {
            let text = text.replace("crt a.pem", wrong);
            let loaded = load_text(&text);
            assert!(loaded.diagnostics.has_errors(), "{wrong}");
        }
    }

    #[test]
    fn a_certificate_of_a_store_brings_its_key() {
        let text = "crt-store s\n crt-base /c\n key-base /k\n load crt a.pem key a.key alias one\nlisten a\n \
                    bind :443 ssl crt @s/one\n";
        let loaded = load_text(text);
        let certificate = &tls(&loaded).certificates[0];
        assert_eq!((&*certificate.path, certificate.key.as_deref()), ("/c/a.pem", Some("/k/a.key")));
    }

    #[test]
    fn a_list_that_cannot_be_meant_is_an_error() {
        for list in
            ["a.pem [", "missing.pem", "a.pem [nosuch]", "a.pem [verify required]", "a.pem [ca-file c]"]
        {
            let loaded = load(list, "crt-list /etc/list");
            let told = loaded.diagnostics.iter().any(|d| d.message.contains("line 1 of `/etc/list`"));
            assert!(told && loaded.diagnostics.has_errors(), "{list}");
        }
    }

    /// What is told, `true` for errors.
    fn told(loaded: &Loaded) -> Vec<(bool, String)> {
        loaded.diagnostics.iter().map(|d| (d.severity == Severity::Error, d.message.clone())).collect()
    }

    #[test]
    fn a_certificate_that_is_named_again_with_other_options_is_an_error_with_its_line() {
        let all = "crt a.pem crt-list /etc/list";
        for (list, words, line) in [
            ("a.pem [jwt on]", all, 1),
            ("a.pem [jwt off]", all, 1),
            ("b.pem\na.pem [key /k]", all, 2),
            ("a.pem [jwt on]\na.pem x.org", "crt-list /etc/list", 2),
            ("a.pem [key /k]\na.pem [key /l]", "crt-list /etc/list", 2),
            ("a.pem [key /k]\na.pem [jwt on]", "crt-list /etc/list", 2),
        ] {
            let told = told(&load(list, words));
            let start = format!("line {line} of `/etc/list`: `/certs/a.pem` ");
            assert!(told.iter().any(|(error, text)| *error && text.starts_with(&start)), "{list}: {told:?}");
        }
        for list in ["a.pem [alpn h2]", "a.pem []", "b.pem [jwt on]\nb.pem [jwt on] x.org"] {
            let loaded = load(list, all);
            assert!(!loaded.diagnostics.has_errors(), "{list}: {:?}", told(&loaded));
        }
        // These are usable as they were named first.
        for (list, words) in
            [("a.pem [jwt on]", "crt-list /etc/list crt a.pem"), ("b.pem [jwt on]\nb.pem [jwt off]", all)]
        {
            let loaded = load(list, words);
            let told = told(&loaded);
            assert!(!loaded.diagnostics.has_errors(), "{list}: {told:?}");
            assert!(
                told.iter().any(|(_, text)| text.contains(".pem` ") && text.contains("before")),
                "{told:?}"
            );
        }
    }

    #[test]
    fn options_of_a_store_or_a_frontend_are_compared_and_those_of_a_server_bind_nobody() {
        let text = |store: &str, section: &str| format!("{store}listen a\n bind :443 ssl{section}\n");
        let store = "crt-store\n load crt /a.pem key /k jwt on\n";
        for (store, section, wrong) in [
            (store, " crt /a.pem", false),
            (store, "\n ssl-f-use crt /a.pem key /k", false),
            (store, "\n ssl-f-use crt /a.pem key /l", true),
            (store, "\n ssl-f-use crt /a.pem jwt on", true),
            ("", " crt /a.pem\n ssl-f-use crt /a.pem jwt on", true),
            ("", "\n ssl-f-use crt /a.pem key /k\n ssl-f-use crt /a.pem", true),
            ("", "\n ssl-f-use crt /a.pem key /k\n ssl-f-use crt /a.pem key /l", true),
            ("", "\n server s 192.0.2.1:1 ssl verify none crt /a.pem\n ssl-f-use crt /a.pem jwt on", false),
        ] {
            let text = text(store, section);
            let sources = [Source::new("a.cfg", &text)];
            let host = Host { files: &Listed(""), ..Host::ANY };
            let loaded = crate::load(&sources, &NoEnv, &Facts::default(), host, &Registry::builtin());
            assert_eq!(loaded.diagnostics.has_errors(), wrong, "{text}: {:?}", told(&loaded));
        }
    }

    /// A certificate, with its key beside it.
    struct Beside;

    impl Files for Beside {
        fn read(&self, path: &str) -> io::Result<Vec<u8>> {
            Ok(match path {
                "/a.crt" => Vec::new(),
                "/alone.crt" => b"-----BEGIN CERTIFICATE-----".to_vec(),
                "/a.key" => include_bytes!("../../../benches/certs/rsa.pem").to_vec(),
                "/tokens" => b"/a.crt [jwt on key /a.key]\n".to_vec(),
                "/no-tokens" => b"/a.crt [jwt off]\n".to_vec(),
                "/wrong" => b"/a.crt [jwt maybe]\n".to_vec(),
                "/no-key" => b"/a.crt [key /missing.key]\n".to_vec(),
                _ => return Err(io::ErrorKind::NotFound.into()),
            })
        }

        fn kind(&self, path: &str) -> Option<FileKind> {
            (!path.contains("missing")).then_some(FileKind::File)
        }
    }

    #[test]
    fn a_certificate_of_a_frontend_with_a_key_elsewhere_needs_none_beside_it() {
        for (words, wrong) in [("crt /alone.crt", true), ("crt /alone.crt key /a.key", false)] {
            let text = format!("frontend f\n bind :443 ssl\n ssl-f-use {words}\n");
            let host = Host { files: &Beside, ..Host::ANY };
            let sources = [Source::new("a.cfg", &text)];
            let loaded = crate::load(&sources, &NoEnv, &Facts::default(), host, &Registry::builtin());
            let told = told(&loaded);
            let keyless = told.iter().any(|(_, message)| message.contains("holds no private key"));
            assert_eq!((loaded.diagnostics.has_errors(), keyless), (wrong, wrong), "{words}: {told:?}");
        }
    }

    /// The errors about the certificate `/a.crt`, loaded by these lines, as a key to tokens.
    fn token_errors(section: &str, bind: &str) -> Vec<String> {
        let text = format!(
            "{section}listen a\n mode http\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n \
             bind :443 ssl {bind}\n server s 192.0.2.1:80\n \
             http-request set-var(txn.x) str(x),jwt_decrypt_cert(/a.crt)\n"
        );
        let mut registry = Registry::builtin();
        lb_proto_http::fetch::register(&mut registry);
        let host = Host { files: &Beside, ..Host::ANY };
        let sources = [Source::new("a.cfg", &text)];
        let loaded = crate::load(&sources, &NoEnv, &Facts::default(), host, &registry);
        let errors = loaded.diagnostics.iter().filter(|d| d.severity == Severity::Error);
        errors.map(|d| d.message.clone()).collect()
    }

    #[test]
    fn tokens_are_decrypted_with_the_key_beside_a_certificate() {
        let none: [&str; 0] = [];
        assert_eq!(token_errors("crt-store\n load crt /a.crt jwt on\n", "crt /a.crt"), none);
        for word in ["x", "ON"] {
            let errors = token_errors(&format!("crt-store\n load crt /a.crt jwt {word}\n"), "crt /a.crt");
            assert_eq!(errors[0], format!("`jwt` is `on` or `off`, not `{word}`"));
        }
    }

    #[test]
    fn a_certificate_of_a_list_or_a_frontend_may_be_for_tokens() {
        let none: [&str; 0] = [];
        assert_eq!(token_errors("", "crt-list /tokens"), none);
        assert_eq!(token_errors("", "\n ssl-f-use crt /a.crt key /a.key jwt on"), none);
        for (bind, word) in [
            ("crt /a.crt", "unusable certificate /a.crt"),
            ("crt-list /no-tokens", "unusable certificate /a.crt"),
            ("crt-list /wrong", "`jwt` is `on` or `off`, not `maybe`"),
            ("crt-list /no-key", "there is no private key file `/missing.key`"),
        ] {
            let errors = token_errors("", bind);
            assert!(errors.iter().any(|error| error.contains(word)), "{bind}: {errors:?}");
        }
    }
}
