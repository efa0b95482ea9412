//! What rules did with one stream in TCP mode.

use crate::expr::VarScope;
use crate::log::Capture;
use crate::rule::Place;
use crate::rule::marks::PacketMarks;
use crate::spec::Severity;
use crate::stick::{Pending, Slots};
use std::net::SocketAddr;
use std::sync::Arc;

/// Everything that the content rules of a session leave behind. Sessions of proxies without such rules have none.
#[derive(Debug, Default)]
pub(super) struct Passage {
    /// `txn.` variables.
    pub(super) transaction: VarScope,
    /// `req.` variables.
    pub(super) request: VarScope,
    /// `res.` variables.
    pub(super) response: VarScope,
    /// Entries of stick tables the stream is counted in.
    pub(super) tracked: Slots,
    /// The client's address, if it was changed.
    pub(super) source: Option<SocketAddr>,
    /// The address the client connected to, if it was changed.
    pub(super) destination: Option<SocketAddr>,
    /// Level of the log line; `None` inside writes none.
    pub(super) log_level: Option<Option<Severity>>,
    /// Class in queues.
    pub(super) class: i16,
    /// Place in queues within the class, in milliseconds.
    pub(super) offset: i32,
    /// What packets to the server tell.
    pub(super) marks: PacketMarks,
    /// The last rule that ended a ruleset.
    pub(super) last_rule: Option<Arc<Place>>,
    /// Captured values.
    pub(super) captures: Vec<Capture>,
    /// Keys under which the server is to be remembered.
    pub(super) pending: Pending,
}
