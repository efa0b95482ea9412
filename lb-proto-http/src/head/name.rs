//! Names of header fields in configurations.

use std::fmt;
use std::sync::Arc;

/// A header field name in lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeaderName(Arc<[u8]>);

impl HeaderName {
    /// Lowers `name`. What a name may consist of is the caller's business.
    pub fn new(name: impl AsRef<[u8]>) -> Self {
        Self(name.as_ref().to_ascii_lowercase().into())
    }

    /// The name in lower case.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl From<&str> for HeaderName {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}
