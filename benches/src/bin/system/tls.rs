//! Clients that speak TLS.

use crate::cases::Tls;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How clients connect: each time anew, or with what they were given before. The certificate vouches for itself.
pub(crate) fn connector(tls: Tls) -> io::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    let own = CertificateDer::from_pem_slice(tls.certificate.as_bytes()).map_err(io::Error::other)?;
    roots.add(own).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    if !tls.resumed {
        config.resumption = Resumption::disabled();
    }
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The handshake.
pub(crate) async fn connect(connector: &TlsConnector, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from("www.example.com").map_err(io::Error::other)?;
    connector.connect(name, stream).await
}
