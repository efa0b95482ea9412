//! Certificates by the names they are for.

use super::{Files, TlsError};
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
/// the listener is strict) with the first one. Among certificates for one name the first is taken whose key the client can
/// verify, so RSA and ECDSA may stand side by side.
#[derive(Default)]
pub struct CertStore {
    exact: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// By the name without its `*`, for example `.example.org`.
    wildcard: HashMap<String, Vec<Arc<CertifiedKey>>>,
    default: Vec<Arc<CertifiedKey>>,
    strict: bool,
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
    pub fn load(&mut self, path: &str, files: &dyn Files, crypto: &CryptoProvider) -> Result<(), TlsError> {
        let Ok(mut names) = files.list(path) else { return self.load_file(path, files, crypto) };
        names.sort();
        names.retain(|name| !name.starts_with('.') && !COMPANIONS.iter().any(|end| name.ends_with(end)));
        if names.is_empty() {
            return Err(TlsError::Empty(path.to_owned()));
        }
        for name in names {
            self.load_file(&format!("{}/{name}", path.trim_end_matches('/')), files, crypto)?;
        }
        Ok(())
    }

    fn load_file(&mut self, path: &str, files: &dyn Files, crypto: &CryptoProvider) -> Result<(), TlsError> {
        let pem = match files.read(path) {
            Ok(pem) => pem,
            Err(cause) => return self.load_bundle(path, cause, files, crypto),
        };
        let key = key_of(path, &pem, files)?;
        let content = |reason: String| TlsError::Content { path: path.to_owned(), reason };
        let chain = certificates(path, &pem)?;
        let certified = CertifiedKey::from_der(chain, key, crypto).map_err(|e| content(e.to_string()))?;
        self.add(Arc::new(certified)).map_err(content)
    }

    /// A name that is no file may stand for one file per kind of key.
    fn load_bundle(
        &mut self,
        path: &str,
        cause: std::io::Error,
        files: &dyn Files,
        crypto: &CryptoProvider,
    ) -> Result<(), TlsError> {
        let parts = [".rsa", ".ecdsa", ".dsa"].map(|end| format!("{path}{end}"));
        let present: Vec<_> = parts.iter().filter(|p| files.read(p).is_ok()).collect();
        if present.is_empty() {
            return Err(TlsError::Read { path: path.to_owned(), cause });
        }
        present.into_iter().try_for_each(|part| self.load_file(part, files, crypto))
    }

    /// Adds a certificate with its key for every name in it.
    ///
    /// # Errors
    /// When the certificate cannot be understood.
    pub fn add(&mut self, key: Arc<CertifiedKey>) -> Result<(), String> {
        let leaf = key.cert.first().ok_or("no certificate")?;
        for name in names(leaf)? {
            match name.strip_prefix('*') {
                Some(rest) => self.wildcard.entry(rest.to_owned()).or_default().push(Arc::clone(&key)),
                None => self.exact.entry(name).or_default().push(Arc::clone(&key)),
            }
        }
        // Certificates for the same names as the first one serve as defaults beside it.
        let same = |a: &CertifiedKey, b: &CertifiedKey| {
            let of = |k: &CertifiedKey| k.cert.first().and_then(|c| names(c).ok());
            of(a) == of(b)
        };
        if self.default.first().is_none_or(|first| same(first, &key)) {
            self.default.push(key);
        }
        Ok(())
    }

    /// True if there is no certificate.
    pub fn is_empty(&self) -> bool {
        self.default.is_empty()
    }

    fn find(&self, name: Option<&str>) -> &[Arc<CertifiedKey>] {
        let Some(name) = name.map(str::to_ascii_lowercase) else {
            return if self.strict { &[] } else { &self.default };
        };
        let wildcard = || name.find('.').and_then(|dot| self.wildcard.get(&name[dot..]));
        match self.exact.get(&name).or_else(wildcard) {
            Some(found) => found,
            None if self.strict => &[],
            None => &self.default,
        }
    }
}

impl ResolvesServerCert for CertStore {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let found = self.find(hello.server_name());
        let usable = found.iter().find(|k| k.key.choose_scheme(hello.signature_schemes()).is_some());
        usable.or_else(|| found.first()).cloned()
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

/// The private key in `pem`, or in the file beside it that ends in `.key`.
pub(super) fn key_of(path: &str, pem: &[u8], files: &dyn Files) -> Result<PrivateKeyDer<'static>, TlsError> {
    if let Ok(key) = PrivateKeyDer::from_pem_slice(pem) {
        return Ok(key);
    }
    let beside = match path.rsplit_once('.') {
        Some((stem, "crt")) => {
            files.read(&format!("{stem}.key")).or_else(|_| files.read(&format!("{path}.key")))
        }
        _ => files.read(&format!("{path}.key")),
    };
    let missing = |reason: &str| TlsError::Content { path: path.to_owned(), reason: reason.to_owned() };
    let beside = beside
        .map_err(|_| missing("no private key in this file, nor in one beside it that ends in `.key`"))?;
    PrivateKeyDer::from_pem_slice(&beside)
        .map_err(|_| missing("the file beside it that ends in `.key` holds no key"))
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
