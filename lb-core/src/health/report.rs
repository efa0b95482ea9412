//! How the servers of a backend are, as told to those outside the engine.

use super::LastCheck;

/// How many servers of a backend are usable, and what changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Health {
    /// Name of the backend.
    pub backend: String,
    /// Usable servers: active ones, or backups if no active one is usable.
    pub usable: u32,
    /// The server whose state or weight changed; without one it is the number above.
    pub server: Option<ServerHealth>,
}

/// How one server is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ServerHealth {
    /// Its name.
    pub name: String,
    /// Whether it is up.
    pub up: bool,
    /// What it counts in the quorum of its backend, if that is known.
    pub share: Option<u32>,
    /// How its last check ended, if it is checked.
    pub check: Option<LastCheck>,
    /// What is new of the checks its check is made of.
    pub parts: Vec<Part>,
}

/// What is new of one of the checks that a check is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "plain data")]
pub struct Part {
    /// Its place among them, from 1.
    pub place: usize,
    /// How it ended.
    pub found: LastCheck,
    /// It failed, and is tried again before that counts.
    pub again: bool,
}

impl ServerHealth {
    /// A server that is up, or is not.
    pub fn new(name: impl Into<String>, up: bool) -> Self {
        Self { name: name.into(), up, ..Self::default() }
    }
}
