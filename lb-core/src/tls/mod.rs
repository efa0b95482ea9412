//! TLS by rustls: certificates chosen by name, specifications turned into configurations.
//!
//! Files are read through [`Files`], so that a confined process can be given what it may no longer open. Types of rustls
//! appear only in what [`server`] and [`client`] return.

mod config;
mod store;

pub use config::{client, server};
pub use store::CertStore;

use std::io;

/// Where files come from.
pub trait Files {
    /// The content of a file.
    ///
    /// # Errors
    /// What the system reports.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;

    /// The names of the files in a directory; an error if it is none.
    ///
    /// # Errors
    /// What the system reports.
    fn list(&self, path: &str) -> io::Result<Vec<String>>;
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read `{path}`: {cause}")]
    Read {
        /// Which.
        path: String,
        /// What the system said.
        cause: io::Error,
    },
    /// A file does not hold what it should.
    #[error("`{path}`: {reason}")]
    Content {
        /// Which.
        path: String,
        /// What is missing or wrong.
        reason: String,
    },
    /// A directory without any certificate.
    #[error("no certificate in `{0}`")]
    Empty(String),
    /// The settings contradict each other or this library.
    #[error("{0}")]
    Settings(String),
}
