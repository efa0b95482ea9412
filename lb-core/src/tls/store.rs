//! Certificates by the names they are for.

use super::{Files, TlsError};
use crate::spec::{CertificateSpec, key_text};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Endings of files that belong to a certificate and are none themselves.
const COMPANIONS: [&str; 6] = [".key", ".ocsp", ".sctl", ".issuer", ".crl", ".dh"];

/// The certificates of a listener.
///
/// A client is answered with the certificate of its exact name, else with the one of a wildcard that covers it, else (unless
/// the listener is strict) with the default one. Among certificates for one name the first is taken whose key the client can
/// verify, so RSA and ECDSA may stand side by side.
#[derive(Default)]
pub struct CertStore {
    exact: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// By the name without its `*`, for example `.example.org`.
    wildcard: HashMap<String, Vec<Covering>>,
    default: Vec<Arc<CertifiedKey>>,
    /// The names of the first default certificate; nothing if defaults were named as such.
    default_names: Option<Vec<String>>,
    strict: bool,
}

/// A certificate for a wildcard.
struct Covering {
    key: Arc<CertifiedKey>,
    /// Names it is not for all the same.
    except: Arc<[String]>,
}

impl CertStore {
    /// No certificates; `strict` refuses clients that ask for an unknown name or for none.
    pub fn new(strict: bool) -> Self {
        Self { strict, ..Self::default() }
    }

    /// Adds the certificates of a file, or of every file of a directory in the order of their names.
    ///
    /// # Errors
    /// When a file cannot be read or used, or a directory holds none.
    pub fn load(
        &mut self,
        spec: &CertificateSpec,
        files: &dyn Files,
        crypto: &CryptoProvider,
    ) -> Result<(), TlsError> {
        let path = &*spec.path;
        let Ok(mut names) = files.list(path) else { return self.load_file(path, spec, files, crypto) };
        names.sort();
        names.retain(|name| !name.starts_with('.') && !COMPANIONS.iter().any(|end| name.ends_with(end)));
        if names.is_empty() {
            return Err(TlsError::Empty(path.to_owned()));
        }
        for name in names {
            self.load_file(&format!("{}/{name}", path.trim_end_matches('/')), spec, files, crypto)?;
        }
        Ok(())
    }

    fn load_file(
        &mut self,
        path: &str,
        spec: &CertificateSpec,
        files: &dyn Files,
        crypto: &CryptoProvider,
    ) -> Result<(), TlsError> {
        let pem = match files.read(path) {
            Ok(pem) => pem,
            Err(cause) => return self.load_bundle(path, spec, cause, files, crypto),
        };
        let key = match spec.key.as_deref() {
            Some(file) => key_in(file, files)?,
            None => key_of(path, &pem, files)?,
        };
        let content = |reason: String| TlsError::Content { path: path.to_owned(), reason };
        let chain = certificates(path, &pem)?;
        let certified = CertifiedKey::from_der(chain, key, crypto).map_err(|e| content(e.to_string()))?;
        self.add(Arc::new(certified), spec).map_err(content)
    }

    /// A name that is no file may stand for one file per kind of key.
    fn load_bundle(
        &mut self,
        path: &str,
        spec: &CertificateSpec,
        cause: std::io::Error,
        files: &dyn Files,
        crypto: &CryptoProvider,
    ) -> Result<(), TlsError> {
        let parts = [".rsa", ".ecdsa", ".dsa"].map(|end| format!("{path}{end}"));
        let present: Vec<_> = parts.iter().filter(|p| files.read(p).is_ok()).collect();
        if present.is_empty() {
            return Err(TlsError::Read { path: path.to_owned(), cause });
        }
        present.into_iter().try_for_each(|part| self.load_file(part, spec, files, crypto))
    }

    /// Adds a certificate with its key for the names `spec` gives it, or for every name in it.
    ///
    /// # Errors
    /// When the certificate cannot be understood.
    fn add(&mut self, key: Arc<CertifiedKey>, spec: &CertificateSpec) -> Result<(), String> {
        let mut names = names(key.cert.first().ok_or("no certificate")?)?;
        let mut except = Vec::new();
        if !spec.filters.is_empty() {
            let given: Vec<String> = spec.filters.iter().map(|f| f.to_ascii_lowercase()).collect();
            except.extend(given.iter().filter_map(|f| f.strip_prefix('!')).map(str::to_owned));
            names = given.into_iter().filter(|f| !f.starts_with('!')).collect();
        }
        self.add_default(&key, &names, spec.default || names.iter().any(|name| name == "*"));
        let except: Arc<[String]> = except.into();
        for name in names {
            match name.strip_prefix('*') {
                Some("") => {}
                Some(rest) => {
                    let covering = Covering { key: Arc::clone(&key), except: Arc::clone(&except) };
                    self.wildcard.entry(rest.to_owned()).or_default().push(covering);
                }
                None => self.exact.entry(name).or_default().push(Arc::clone(&key)),
            }
        }
        Ok(())
    }

    /// Makes `key` a default: because it is `named` as one, or because it is the first or serves beside the first.
    fn add_default(&mut self, key: &Arc<CertifiedKey>, names: &[String], named: bool) {
        let first = self.default.is_empty();
        if named && self.default_names.take().is_some() {
            self.default.clear();
        }
        if first && !named {
            self.default_names = Some(names.to_vec());
        }
        if named || self.default_names.as_deref() == Some(names) {
            self.default.push(Arc::clone(key));
        }
    }

    /// True if there is no certificate.
    pub fn is_empty(&self) -> bool {
        self.default.is_empty()
    }

    fn find(&self, name: Option<&str>) -> Vec<&Arc<CertifiedKey>> {
        let named = name.map_or_else(Vec::new, |name| self.of_name(&name.to_ascii_lowercase()));
        if named.is_empty() && !self.strict { self.default.iter().collect() } else { named }
    }

    fn of_name(&self, name: &str) -> Vec<&Arc<CertifiedKey>> {
        if let Some(found) = self.exact.get(name) {
            return found.iter().collect();
        }
        let covering = name.find('.').and_then(|dot| self.wildcard.get(&name[dot..]));
        let meant = covering.into_iter().flatten().filter(|c| c.except.iter().all(|other| other != name));
        meant.map(|c| &c.key).collect()
    }
}

impl ResolvesServerCert for CertStore {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let found = self.find(hello.server_name());
        let usable = found.iter().find(|k| k.key.choose_scheme(hello.signature_schemes()).is_some());
        usable.or_else(|| found.first()).copied().cloned()
    }
}

impl fmt::Debug for CertStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.exact.keys().chain(self.wildcard.keys()).collect();
        f.debug_struct("CertStore").field("names", &names).field("strict", &self.strict).finish()
    }
}

/// The certificates in a PEM text, in order.
pub(super) fn certificates(path: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let content = |reason: String| TlsError::Content { path: path.to_owned(), reason };
    let all: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|e| content(e.to_string()))?;
    if all.is_empty() { Err(content("no certificate in this file".to_owned())) } else { Ok(all) }
}

/// The private key in a file that was named for it.
fn key_in(path: &str, files: &dyn Files) -> Result<PrivateKeyDer<'static>, TlsError> {
    let pem = files.read(path).map_err(|cause| TlsError::Read { path: path.to_owned(), cause })?;
    let reason =
        |_| TlsError::Content { path: path.to_owned(), reason: "no private key in this file".to_owned() };
    PrivateKeyDer::from_pem_slice(&pem).map_err(reason)
}

/// The private key in `pem`, or in the file beside it that ends in `.key`.
pub(super) fn key_of(path: &str, pem: &[u8], files: &dyn Files) -> Result<PrivateKeyDer<'static>, TlsError> {
    let content = |reason: &str| TlsError::Content { path: path.to_owned(), reason: reason.to_owned() };
    let text = key_text(path, pem.to_vec(), |file| files.read(file))
        .ok_or_else(|| content("no private key in this file, nor in one beside it that ends in `.key`"))?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|_| {
        content("the private key in this file, or in the one beside it that ends in `.key`, is broken")
    })
}

/// Host names of a certificate in lower case: its common name and its alternative names.
fn names(certificate: &CertificateDer<'_>) -> Result<Vec<String>, String> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|e| e.to_string())?;
    let mut names = Vec::new();
    for attribute in parsed.subject().iter_common_name() {
        names.extend(attribute.as_str().ok().map(str::to_ascii_lowercase));
    }
    if let Ok(Some(alternatives)) = parsed.subject_alternative_name() {
        for name in &alternatives.value.general_names {
            if let GeneralName::DNSName(dns) = name {
                names.push(dns.to_ascii_lowercase());
            }
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    /// Three certificates for `www.example.com`, each with a key of its own.
    struct Three;

    impl Files for Three {
        fn read(&self, path: &str) -> io::Result<Vec<u8>> {
            Ok(match path {
                "a.pem" => include_bytes!("../../../benches/certs/rsa.pem").to_vec(),
                "b.pem" => include_bytes!("../../../benches/certs/ecdsa.pem").to_vec(),
                "c.pem" => include_bytes!("../../../lb-bin/demo/demo.pem").to_vec(),
                _ => return Err(io::ErrorKind::NotFound.into()),
            })
        }

        fn list(&self, _path: &str) -> io::Result<Vec<String>> {
            Err(io::ErrorKind::NotADirectory.into())
        }
    }

    fn certificate(path: &str, filters: &[&str]) -> CertificateSpec {
        let filters = filters.iter().map(|f| Arc::from(*f)).collect();
        CertificateSpec { filters, ..CertificateSpec::from(path) }
    }

    fn store(strict: bool, all: &[CertificateSpec]) -> CertStore {
        let crypto = rustls::crypto::aws_lc_rs::default_provider();
        let mut store = CertStore::new(strict);
        for certificate in all {
            store.load(certificate, &Three, &crypto).unwrap();
        }
        store
    }

    /// The file whose certificate a client that asks for `name` gets first.
    fn shown(store: &CertStore, name: &str) -> Option<&'static str> {
        let found = store.find(Some(name).filter(|n| !n.is_empty()));
        let leaf = found.first()?.cert.first()?;
        let is = |path: &&str| certificates(path, &Three.read(path).unwrap()).unwrap()[0] == *leaf;
        ["a.pem", "b.pem", "c.pem"].into_iter().find(is)
    }

    #[test]
    fn filters_count_instead_of_the_names_in_a_certificate() {
        let store = store(
            false,
            &[
                certificate("a.pem", &["a.example"]),
                certificate("b.pem", &["*.Example.org", "!not.example.org"]),
                certificate("c.pem", &["not.example.net"]),
            ],
        );
        assert_eq!(shown(&store, "A.example"), Some("a.pem"));
        assert_eq!(shown(&store, "x.example.org"), Some("b.pem"));
        assert_eq!(
            shown(&store, "not.example.org"),
            Some("a.pem"),
            "excluded: the default, which is the first"
        );
        assert_eq!(shown(&store, "y.x.example.org"), Some("a.pem"), "an asterisk stands for one label");
        assert_eq!(shown(&store, "not.example.net"), Some("c.pem"));
        assert_eq!(shown(&store, "www.example.com"), Some("a.pem"), "the names inside do not count");
        assert_eq!(shown(&store, ""), Some("a.pem"));
    }

    #[test]
    fn an_exact_name_goes_before_a_wildcard_and_its_exclusion() {
        let all = [certificate("a.pem", &["*.x.org", "!b.x.org"]), certificate("b.pem", &["b.x.org"])];
        let store = store(true, &all);
        assert_eq!(shown(&store, "b.x.org"), Some("b.pem"));
        assert_eq!(shown(&store, "a.x.org"), Some("a.pem"));
        assert_eq!(shown(&store, "x.org"), None, "strict: no default");
    }

    #[test]
    fn a_key_may_be_in_a_file_of_its_own() {
        let crypto = rustls::crypto::aws_lc_rs::default_provider();
        for (key, fits) in [("a.pem", true), ("b.pem", false), ("nosuch.pem", false)] {
            let spec = CertificateSpec { key: Some(Arc::from(key)), ..certificate("a.pem", &[]) };
            assert_eq!(CertStore::new(false).load(&spec, &Three, &crypto).is_ok(), fits, "{key}");
        }
    }

    #[test]
    fn a_named_default_replaces_the_first() {
        let named = CertificateSpec { default: true, ..certificate("b.pem", &[]) };
        for second in [certificate("b.pem", &["*"]), named] {
            let store = store(false, &[certificate("a.pem", &["a.example"]), second]);
            assert_eq!(shown(&store, "elsewhere.example"), Some("b.pem"));
            assert_eq!(shown(&store, "a.example"), Some("a.pem"));
        }
        let store = store(false, &[certificate("a.pem", &["*"]), certificate("b.pem", &["*"])]);
        assert_eq!(store.find(None).len(), 2, "several defaults stand side by side");
    }
}
