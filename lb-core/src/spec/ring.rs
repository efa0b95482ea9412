//! Rings of messages, and the servers they are sent to.

use super::{LogFormat, Origin, ServerSpec};
use std::sync::Arc;
use std::time::Duration;

/// A bounded buffer that keeps log lines, and sends them to servers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RingSpec {
    /// Its name.
    pub name: Arc<str>,
    /// What is said of it in lists.
    pub description: Arc<str>,
    /// Bytes it keeps.
    pub size: usize,
    /// Longest message, whatever its target allows.
    pub max_length: Option<usize>,
    /// What surrounds messages, whatever their target asks for.
    pub format: Option<LogFormat>,
    /// Servers; each gets all messages, and those it did not take yet are kept.
    pub servers: Vec<ServerSpec>,
    /// How long connecting to a server may take.
    pub connect: Option<Duration>,
    /// How long a server may leave messages waiting.
    pub timeout: Option<Duration>,
    /// A file that also keeps the messages, for when this program is gone.
    pub file: Option<Arc<str>>,
    /// Where it was configured.
    pub origin: Origin,
}

impl RingSpec {
    /// Bytes that a ring keeps unless told otherwise.
    pub const SIZE: usize = 16_384;

    /// Rings that are there in every configuration: name, what is said of them, and their size.
    pub const STANDING: [(&'static str, &'static str, usize); 2] =
        [("buf0", "in-memory ring buffer", 1 << 20), ("dpapi", "DPAPI ring buffer", 1 << 20)];

    /// A ring that leaves messages as they are and sends them nowhere.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            description: name.into(),
            size: Self::SIZE,
            max_length: None,
            format: None,
            servers: Vec::new(),
            connect: None,
            timeout: None,
            file: None,
            origin: Origin::NONE,
        }
    }
}

/// What a server of messages is told in which way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LogServer {
    /// Each message is a datagram.
    pub datagrams: bool,
    /// In a stream each message follows the number of its bytes in place of being followed by a line feed.
    pub counted: bool,
    /// Bytes of the ring it is reached by, of its own.
    pub buffer: Option<usize>,
    /// What is said of that ring in lists.
    pub description: Option<Arc<str>>,
}
