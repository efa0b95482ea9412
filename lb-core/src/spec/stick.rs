//! Stickiness: which keys lead to which server.

use super::Origin;
use crate::expr::Program;
use crate::rule::cond::Condition;
use std::sync::Arc;

/// `stick`: a key that is looked up or stored.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StickRule {
    /// What is done with the key.
    pub kind: StickKind,
    /// The key.
    pub key: Program,
    /// The table; the proxy's own when unset.
    pub table: Option<Arc<str>>,
    /// When; always if unset.
    pub condition: Option<Condition>,
    /// Where it was configured.
    pub origin: Origin,
}

impl StickRule {
    /// A rule for `key` in the proxy's own table.
    pub fn new(kind: StickKind, key: Program) -> Self {
        Self { kind, key, table: None, condition: None, origin: Origin::NONE }
    }
}

/// What a [`StickRule`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the four forms of the configuration")]
pub enum StickKind {
    /// Looks the server up when the request arrives.
    Match,
    /// Stores the server chosen for the request.
    StoreRequest,
    /// Both of them.
    On,
    /// Stores the server when the response arrives, by a key taken from it.
    StoreResponse,
}
