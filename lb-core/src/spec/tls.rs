//! TLS towards clients and towards servers, as file names and rules; nothing is read here.

use std::io;
use std::sync::Arc;

/// A protocol version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the versions that can be negotiated")]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    V12,
    /// TLS 1.3 (RFC 8446).
    V13,
}

/// Whether the other side must show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(clippy::exhaustive_enums, reason = "the three choices of the configuration")]
pub enum Verify {
    /// Not asked for, or not checked.
    #[default]
    None,
    /// Checked if shown.
    Optional,
    /// Must be shown and valid.
    Required,
}

/// A certificate of a listener.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CertificateSpec {
    /// A file with certificate and key, or a directory of such files.
    pub path: Arc<str>,
    /// A file with the private key, if it is in none of the usual places.
    pub key: Option<Arc<str>>,
    /// Names it is shown for instead of those in it: `name`, `*.domain`, `!name` (not for this one), `*` (if no other fits).
    pub filters: Vec<Arc<str>>,
    /// Shown if no other fits; without any such certificate it is the first one.
    pub default: bool,
}

impl From<&str> for CertificateSpec {
    fn from(path: &str) -> Self {
        Self { path: Arc::from(path), ..Self::default() }
    }
}

/// The PEM text with the private key of a certificate: that of its file `path`, which is `pem`, or else of the first
/// file beside it that can be read.
pub fn key_text(path: &str, pem: Vec<u8>, read: impl Fn(&str) -> io::Result<Vec<u8>>) -> Option<Vec<u8>> {
    if holds_key(&pem) {
        return Some(pem);
    }
    let stem = path.strip_suffix(".crt").map(|stem| format!("{stem}.key"));
    stem.into_iter().chain([format!("{path}.key")]).find_map(|file| read(&file).ok())
}

/// Whether a PEM text has a private key that is not itself encrypted.
fn holds_key(pem: &[u8]) -> bool {
    let starts = ["-----BEGIN PRIVATE KEY", "-----BEGIN RSA PRIVATE KEY", "-----BEGIN EC PRIVATE KEY"];
    starts.iter().any(|start| memchr::memmem::find(pem, start.as_bytes()).is_some())
}

/// TLS on a listener.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TlsServerSpec {
    /// The certificates, in order.
    pub certificates: Vec<CertificateSpec>,
    /// Refuse names no certificate has.
    pub strict_sni: bool,
    /// Application protocols, most wanted first.
    pub alpn: Vec<Arc<str>>,
    /// Whether clients must show certificates.
    pub verify: Verify,
    /// Whom to trust for client certificates.
    pub ca_file: Option<Arc<str>>,
    /// Revoked client certificates.
    pub crl_file: Option<Arc<str>>,
    /// Cipher suites of TLS 1.2 by their IANA or OpenSSL names, most wanted first; empty means the library's choice.
    pub ciphers: Vec<Arc<str>>,
    /// Cipher suites of TLS 1.3, likewise.
    pub ciphersuites: Vec<Arc<str>>,
    /// Key exchange groups, most wanted first; empty means the library's choice.
    pub curves: Vec<Arc<str>>,
    /// Lowest version.
    pub min: Option<TlsVersion>,
    /// Highest version.
    pub max: Option<TlsVersion>,
    /// No session tickets.
    pub no_tickets: bool,
    /// The client's order of cipher suites decides.
    pub prefer_client: bool,
}

/// TLS to a server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TlsClientSpec {
    /// Whether the server's certificate is checked ([`Verify::Optional`] does not occur).
    pub verify: Verify,
    /// Whom to trust; `@system-ca` means the system's list.
    pub ca_file: Option<Arc<str>>,
    /// Revoked certificates.
    pub crl_file: Option<Arc<str>>,
    /// Certificate and key to show.
    pub certificate: Option<Arc<str>>,
    /// A fixed name to announce and to verify.
    pub sni: Option<Arc<str>>,
    /// The name that must be in the certificate, if not the announced one.
    pub verify_host: Option<Arc<str>>,
    /// Application protocols, most wanted first.
    pub alpn: Vec<Arc<str>>,
    /// Cipher suites of TLS 1.2; empty means the library's choice.
    pub ciphers: Vec<Arc<str>>,
    /// Cipher suites of TLS 1.3, likewise.
    pub ciphersuites: Vec<Arc<str>>,
    /// Lowest version.
    pub min: Option<TlsVersion>,
    /// Highest version.
    pub max: Option<TlsVersion>,
}
