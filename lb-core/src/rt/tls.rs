//! TLS on streams: accepting it from clients, speaking it to servers.

use super::{Stream, Transport};
use crate::spec::{TlsClientSpec, TlsServerSpec, Tune};
use crate::tls::{Files, TlsError, client, server};
use bytes::Bytes;
use rustls::pki_types::ServerName;
use std::io;
use std::sync::{Arc, OnceLock};

/// Completes handshakes with clients of one listener.
#[derive(Clone)]
pub struct Acceptor {
    inner: tokio_rustls::TlsAcceptor,
}

impl Acceptor {
    /// The acceptor of a listener.
    ///
    /// # Errors
    /// When a certificate or a setting cannot be used.
    pub fn new(spec: &TlsServerSpec, tune: &Tune, files: &dyn Files) -> Result<Self, TlsError> {
        Ok(Self { inner: server(spec, tune, files)?.into() })
    }

    /// Completes the handshake on `stream`. The caller bounds the time.
    ///
    /// # Errors
    /// What failed, in the words of the library.
    pub async fn accept(&self, stream: Stream) -> io::Result<Stream> {
        let transport = Transport::new(stream).map_err(|_| io::Error::other("TLS inside TLS"))?;
        Ok(Stream::TlsServer(Box::new(self.inner.accept(transport).await?)))
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
