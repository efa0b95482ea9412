//! From specifications to configurations of rustls.

use super::store::{CertStore, certificates, key_of};
use super::{Files, TlsError};
use crate::spec::{TlsClientSpec, TlsServerSpec, TlsVersion, Tune, Verify};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime};
use rustls::server::{ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::{
    CipherSuite, ClientConfig, DigitallySignedStruct, NamedGroup, RootCertStore, ServerConfig,
    SignatureScheme, SupportedProtocolVersion,
};
use std::sync::Arc;

/// Files that hold the certificates a system trusts, in the order they are looked for.
const SYSTEM: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// The configuration of a listener.
///
/// # Errors
/// When a file cannot be used or the settings leave nothing to negotiate.
pub fn server(spec: &TlsServerSpec, tune: &Tune, files: &dyn Files) -> Result<Arc<ServerConfig>, TlsError> {
    let crypto = Arc::new(provider(&spec.ciphers, &spec.ciphersuites, &spec.curves)?);
    let builder = ServerConfig::builder_with_provider(Arc::clone(&crypto))
        .with_protocol_versions(versions(spec.min, spec.max)?)
        .map_err(|e| TlsError::Settings(e.to_string()))?;
    let builder = match (spec.verify, &spec.ca_file) {
        (Verify::None, _) => builder.with_no_client_auth(),
        (_, None) => return Err(TlsError::Settings("verifying clients needs a `ca-file`".to_owned())),
        (verify, Some(ca)) => {
            let roots = Arc::new(roots(ca, files)?);
            let mut verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&crypto));
            if let Some(crl) = &spec.crl_file {
                verifier = verifier.with_crls(revoked(crl, files)?).allow_unknown_revocation_status();
            }
            if verify == Verify::Optional {
                verifier = verifier.allow_unauthenticated();
            }
            builder
                .with_client_cert_verifier(verifier.build().map_err(|e| TlsError::Settings(e.to_string()))?)
        }
    };
    let mut store = CertStore::new(spec.strict_sni);
    for certificate in &spec.certificates {
        store.load(certificate, files, &crypto)?;
    }
    if store.is_empty() {
        return Err(TlsError::Settings("no certificate for this listener".to_owned()));
    }
    let mut config = builder.with_cert_resolver(Arc::new(store));
    config.alpn_protocols = spec.alpn.iter().map(|p| p.as_bytes().to_vec()).collect();
    config.ignore_client_order = !spec.prefer_client;
    config.session_storage = ServerSessionMemoryCache::new(tune.ssl_cachesize);
    if !spec.no_tickets {
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(|e| TlsError::Settings(e.to_string()))?;
    }
    // One ticket is what a client needs to come back; each more costs a record per handshake.
    config.send_tls13_tickets = if spec.no_tickets { 0 } else { 1 };
    Ok(Arc::new(config))
}

/// The configuration of connections to a server.
///
/// # Errors
/// When a file cannot be used or the settings leave nothing to negotiate.
pub fn client(spec: &TlsClientSpec, files: &dyn Files) -> Result<Arc<ClientConfig>, TlsError> {
    let crypto = Arc::new(provider(&spec.ciphers, &spec.ciphersuites, &[])?);
    let builder = ClientConfig::builder_with_provider(Arc::clone(&crypto))
        .with_protocol_versions(versions(spec.min, spec.max)?)
        .map_err(|e| TlsError::Settings(e.to_string()))?;
    let verifier: Arc<dyn ServerCertVerifier> = match (spec.verify, &spec.ca_file) {
        (Verify::None, _) => Arc::new(Unverified { crypto: Arc::clone(&crypto) }),
        (_, None) => return Err(TlsError::Settings("verifying a server needs a `ca-file`".to_owned())),
        (_, Some(ca)) => {
            let roots = Arc::new(roots(ca, files)?);
            let mut verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&crypto));
            if let Some(crl) = &spec.crl_file {
                verifier = verifier.with_crls(revoked(crl, files)?).allow_unknown_revocation_status();
            }
            let inner = verifier.build().map_err(|e| TlsError::Settings(e.to_string()))?;
            let name = spec.verify_host.as_deref().map(|n| ServerName::try_from(n.to_owned())).transpose();
            let name = name.map_err(|e| TlsError::Settings(format!("`verifyhost`: {e}")))?;
            Arc::new(Verified { inner, name })
        }
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match &spec.certificate {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let pem = files.read(path).map_err(|cause| TlsError::Read { path: path.to_string(), cause })?;
            let (chain, key) = (certificates(path, &pem)?, key_of(path, &pem, files)?);
            let content =
                |e: rustls::Error| TlsError::Content { path: path.to_string(), reason: e.to_string() };
            builder.with_client_auth_cert(chain, key).map_err(content)?
        }
    };
    config.alpn_protocols = spec.alpn.iter().map(|p| p.as_bytes().to_vec()).collect();
    Ok(Arc::new(config))
}

fn versions(
    min: Option<TlsVersion>,
    max: Option<TlsVersion>,
) -> Result<&'static [&'static SupportedProtocolVersion], TlsError> {
    static BOTH: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];
    match (min.unwrap_or(TlsVersion::V12), max.unwrap_or(TlsVersion::V13)) {
        (TlsVersion::V12, TlsVersion::V13) => Ok(&BOTH),
        (TlsVersion::V13, TlsVersion::V13) => Ok(&BOTH[..1]),
        (TlsVersion::V12, TlsVersion::V12) => Ok(&BOTH[1..]),
        (TlsVersion::V13, TlsVersion::V12) => {
            Err(TlsError::Settings("the lowest TLS version is above the highest".to_owned()))
        }
    }
}

/// The cryptography with only the suites and groups that are wanted, in that order; all where nothing is said.
fn provider(v12: &[Arc<str>], v13: &[Arc<str>], groups: &[Arc<str>]) -> Result<CryptoProvider, TlsError> {
    let mut provider = aws_lc_rs::default_provider();
    let all = std::mem::take(&mut provider.cipher_suites);
    let is_13 = |suite: CipherSuite| suite.as_str().is_some_and(|name| name.starts_with("TLS13_"));
    for (names, tls13) in [(v13, true), (v12, false)] {
        let of_version = all.iter().filter(|s| is_13(s.suite()) == tls13);
        if names.is_empty() {
            provider.cipher_suites.extend(of_version);
            continue;
        }
        let of_version: Vec<_> = of_version.collect();
        let named = names.iter().filter_map(|name| of_version.iter().find(|s| is_suite(s.suite(), name)));
        provider.cipher_suites.extend(named.map(|s| **s));
    }
    if provider.cipher_suites.is_empty() {
        return Err(TlsError::Settings("none of the cipher suites is available".to_owned()));
    }
    if !groups.is_empty() {
        let wanted: Vec<NamedGroup> = groups.iter().filter_map(|name| group(name)).collect();
        let mut kept = Vec::new();
        for group in wanted {
            kept.extend(provider.kx_groups.iter().find(|g| g.name() == group));
        }
        if kept.is_empty() {
            return Err(TlsError::Settings("none of the curves is available".to_owned()));
        }
        provider.kx_groups = kept;
    }
    Ok(provider)
}

/// Whether `name` (IANA, as in `TLS_AES_128_GCM_SHA256`, or OpenSSL, as in `ECDHE-RSA-AES128-GCM-SHA256`) means `suite`.
fn is_suite(suite: CipherSuite, name: &str) -> bool {
    let plain =
        |s: &str| s.replace("TLS13_", "").replace("TLS_", "").replace("_WITH", "").replace(['_', '-'], "");
    let ours = plain(suite.as_str().unwrap_or_default()).replace("POLY1305SHA256", "POLY1305");
    let theirs = plain(&name.to_ascii_uppercase()).replace("POLY1305SHA256", "POLY1305");
    ours == theirs
}

fn group(name: &str) -> Option<NamedGroup> {
    match name.to_ascii_uppercase().as_str() {
        "X25519" => Some(NamedGroup::X25519),
        "P-256" | "SECP256R1" | "PRIME256V1" => Some(NamedGroup::secp256r1),
        "P-384" | "SECP384R1" => Some(NamedGroup::secp384r1),
        "P-521" | "SECP521R1" => Some(NamedGroup::secp521r1),
        "X25519MLKEM768" => Some(NamedGroup::X25519MLKEM768),
        _ => None,
    }
}

fn roots(path: &str, files: &dyn Files) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    let paths: Vec<String> = if path == "@system-ca" {
        SYSTEM.iter().find(|p| files.read(p).is_ok()).map(|p| vec![(*p).to_owned()]).unwrap_or_default()
    } else if let Ok(names) = files.list(path) {
        names.iter().map(|name| format!("{}/{name}", path.trim_end_matches('/'))).collect()
    } else {
        vec![path.to_owned()]
    };
    for path in paths {
        let pem = files.read(&path).map_err(|cause| TlsError::Read { path: path.clone(), cause })?;
        // Bundles of a system may hold what this library does not accept; what it accepts is enough.
        store.add_parsable_certificates(certificates(&path, &pem)?);
    }
    if store.is_empty() { Err(TlsError::Empty(path.to_owned())) } else { Ok(store) }
}

fn revoked(path: &str, files: &dyn Files) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let pem = files.read(path).map_err(|cause| TlsError::Read { path: path.to_owned(), cause })?;
    let content = |reason: String| TlsError::Content { path: path.to_owned(), reason };
    CertificateRevocationListDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|e| content(e.to_string()))
}

/// Checks the chain, and the name if a fixed one is configured or one was announced.
#[derive(Debug)]
struct Verified {
    inner: Arc<WebPkiServerVerifier>,
    name: Option<ServerName<'static>>,
}

/// Accepts any certificate: `verify none`.
#[derive(Debug)]
struct Unverified {
    crypto: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verified {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let name = self.name.as_ref().unwrap_or(server_name);
        match self.inner.verify_server_cert(end_entity, intermediates, name, ocsp_response, now) {
            // Without a name to expect only the chain counts, as HAProxy has it: an address stands for "no name".
            Err(rustls::Error::InvalidCertificate(
                rustls::CertificateError::NotValidForName
                | rustls::CertificateError::NotValidForNameContext { .. },
            )) if self.name.is_none() && matches!(server_name, ServerName::IpAddress(_)) => {
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.crypto.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.crypto.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.crypto.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_known_by_both_their_names() {
        let suite = CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;
        assert!(is_suite(suite, "ECDHE-RSA-AES128-GCM-SHA256"));
        assert!(is_suite(suite, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"));
        assert!(!is_suite(suite, "ECDHE-RSA-AES256-GCM-SHA384"));
        assert!(is_suite(CipherSuite::TLS13_AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256"));
        assert!(is_suite(
            CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
            "ECDHE-RSA-CHACHA20-POLY1305"
        ));
    }

    #[test]
    fn the_order_of_the_configuration_is_kept() {
        let names: Vec<Arc<str>> =
            vec!["ECDHE-RSA-AES256-GCM-SHA384".into(), "ECDHE-RSA-AES128-GCM-SHA256".into()];
        let provider = provider(&names, &["TLS_CHACHA20_POLY1305_SHA256".into()], &["P-256".into()]).unwrap();
        let suites: Vec<_> = provider.cipher_suites.iter().map(|s| s.suite()).collect();
        assert_eq!(
            suites,
            [
                CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
                CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
                CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
            ]
        );
        assert_eq!(provider.kx_groups.len(), 1);
    }

    #[test]
    fn versions_that_exclude_each_other_are_an_error() {
        assert!(versions(Some(TlsVersion::V13), Some(TlsVersion::V12)).is_err());
        assert_eq!(versions(Some(TlsVersion::V13), None).unwrap().len(), 1);
    }
}
