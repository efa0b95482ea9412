//! TLS on streams: accepting it from clients, speaking it to servers.

use super::{Stream, Transport};
use crate::expr::{Sample, TlsFact};
use crate::spec::{TlsClientSpec, TlsServerSpec, Tune};
use crate::tls::{Files, TlsError, client, server};
use bytes::Bytes;
use rustls::pki_types::ServerName;
use rustls::{CipherSuite, CommonState, HandshakeKind, ProtocolVersion};
use std::io;
use std::sync::{Arc, OnceLock};

/// Completes handshakes with clients of one listener.
#[derive(Clone)]
pub struct Acceptor {
    config: Arc<rustls::ServerConfig>,
    /// The same without application protocols, for clients that offer none of them: they are served all the same.
    plain: Option<Arc<rustls::ServerConfig>>,
}

impl Acceptor {
    /// The acceptor of a listener.
    ///
    /// # Errors
    /// When a certificate or a setting cannot be used.
    pub fn new(spec: &TlsServerSpec, tune: &Tune, files: &dyn Files) -> Result<Self, TlsError> {
        let config = server(spec, tune, files)?;
        let plain = (!config.alpn_protocols.is_empty()).then(|| {
            let mut plain = rustls::ServerConfig::clone(&config);
            plain.alpn_protocols.clear();
            Arc::new(plain)
        });
        Ok(Self { config, plain })
    }

    /// Completes the handshake on `stream`. The caller bounds the time.
    ///
    /// # Errors
    /// What failed, in the words of the library.
    pub async fn accept(&self, stream: Stream) -> io::Result<Stream> {
        let transport = Transport::new(stream).map_err(|_| io::Error::other("TLS inside TLS"))?;
        let Some(plain) = &self.plain else {
            let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(&self.config));
            return Ok(Stream::TlsServer(Box::new(acceptor.accept(transport).await?)));
        };
        let hello =
            tokio_rustls::LazyConfigAcceptor::new(rustls::server::Acceptor::default(), transport).await?;
        let known = |name: &[u8]| self.config.alpn_protocols.iter().any(|own| own == name);
        let common = hello.client_hello().alpn().is_none_or(|mut offered| offered.any(known));
        let config = if common { &self.config } else { plain };
        Ok(Stream::TlsServer(Box::new(hello.into_stream(Arc::clone(config)).await?)))
    }
}

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acceptor").finish_non_exhaustive()
    }
}

/// Speaks TLS to one server.
#[derive(Clone)]
pub struct Connector {
    config: Arc<rustls::ClientConfig>,
    sni: Option<Arc<str>>,
}

impl Connector {
    /// The connector of a server.
    ///
    /// # Errors
    /// When a certificate or a setting cannot be used.
    pub fn new(spec: &TlsClientSpec, files: &dyn Files) -> Result<Self, TlsError> {
        Ok(Self { config: client(spec, files)?, sni: spec.sni.clone() })
    }

    /// One that accepts any certificate, for checks that ask only whether TLS is spoken.
    pub fn unverified() -> Self {
        static CONFIG: OnceLock<Arc<rustls::ClientConfig>> = OnceLock::new();
        let config = CONFIG.get_or_init(|| {
            client(&TlsClientSpec::default(), &NoFiles)
                .expect("the default settings need no file and exclude nothing")
        });
        Self { config: Arc::clone(config), sni: None }
    }

    /// The same with other application protocols, if any are named.
    pub fn with_alpn(&self, protocols: &[Bytes]) -> Self {
        if protocols.is_empty() {
            return self.clone();
        }
        let mut config = rustls::ClientConfig::clone(&self.config);
        config.alpn_protocols = protocols.iter().map(|p| p.to_vec()).collect();
        Self { config: Arc::new(config), sni: self.sni.clone() }
    }

    /// Completes the handshake on `stream`, announcing `sni` or else the configured name. The caller bounds the time.
    ///
    /// # Errors
    /// What failed, in the words of the library.
    pub async fn connect(&self, stream: Stream, sni: Option<&str>) -> io::Result<Stream> {
        let name = sni.or(self.sni.as_deref()).and_then(|n| ServerName::try_from(n.to_owned()).ok());
        let name = match (name, stream.peer_addr()) {
            (Some(name), _) => name,
            // An address is not announced; it only stands for "no name".
            (None, Some(addr)) => ServerName::IpAddress(addr.ip().into()),
            (None, None) => ServerName::IpAddress(std::net::IpAddr::from([127, 0, 0, 1]).into()),
        };
        let transport = Transport::new(stream).map_err(|_| io::Error::other("TLS inside TLS"))?;
        let connector = tokio_rustls::TlsConnector::from(Arc::clone(&self.config));
        Ok(Stream::TlsClient(Box::new(connector.connect(name, transport).await?)))
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("sni", &self.sni).finish_non_exhaustive()
    }
}

/// A property of a connection that speaks TLS. What only the other library could tell (session ids, randoms, our own
/// certificate) is not known.
pub(super) fn fact(stream: &Stream, fact: TlsFact) -> Option<Sample<'_>> {
    let (common, sni): (&CommonState, _) = match stream {
        Stream::TlsServer(stream) => {
            let connection = stream.get_ref().1;
            (connection, connection.server_name())
        }
        Stream::TlsClient(stream) => (stream.get_ref().1, None),
        _ => return (fact == TlsFact::Active).then_some(Sample::Bool(false)),
    };
    let text = |text: &'static str| Sample::Str(text.as_bytes());
    let certificate = || Some(Sample::Bin(common.peer_certificates()?.first()?));
    let resumed = common.handshake_kind() == Some(HandshakeKind::Resumed);
    match fact {
        TlsFact::Active => Some(Sample::Bool(true)),
        TlsFact::HandshakeDone => Some(Sample::Bool(!common.is_handshaking())),
        TlsFact::Resumed => Some(Sample::Bool(resumed)),
        TlsFact::EarlyData => Some(Sample::Bool(false)),
        TlsFact::Sni => sni.map(|name| Sample::Str(name.as_bytes())),
        TlsFact::Alpn => common.alpn_protocol().map(Sample::Str),
        TlsFact::Protocol => match common.protocol_version()? {
            ProtocolVersion::TLSv1_2 => Some(text("TLSv1.2")),
            ProtocolVersion::TLSv1_3 => Some(text("TLSv1.3")),
            _ => None,
        },
        TlsFact::Cipher => openssl_name(common.negotiated_cipher_suite()?.suite()).map(text),
        TlsFact::KeySize => {
            let name = openssl_name(common.negotiated_cipher_suite()?.suite())?;
            let short = name.contains("AES128") || name.contains("AES_128");
            Some(Sample::Int(if short { 128 } else { 256 }))
        }
        // A chain that fails the check ends the handshake: what is there is good.
        TlsFact::Error | TlsFact::VerifyResult => Some(Sample::Int(0)),
        TlsFact::PeerCertificate => certificate(),
        TlsFact::PeerCertificateFresh => Some(Sample::Bool(!resumed && certificate().is_some())),
        _ => None,
    }
}

/// The name OpenSSL gives to a cipher suite.
fn openssl_name(suite: CipherSuite) -> Option<&'static str> {
    Some(match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-ECDSA-CHACHA20-POLY1305",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        _ => return None,
    })
}

/// The file system.
pub(super) struct Disk;

impl Files for Disk {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let entries = std::fs::read_dir(path)?;
        entries.map(|entry| entry.map(|e| e.file_name().to_string_lossy().into_owned())).collect()
    }
}

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _path: &str) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn list(&self, _path: &str) -> io::Result<Vec<String>> {
        Err(io::ErrorKind::NotFound.into())
    }
}
