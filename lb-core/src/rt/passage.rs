//! What rules did with one stream in TCP mode, also for a protocol that takes it over.

use crate::bandwidth::StreamLimits;
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
#[non_exhaustive]
pub struct Passage {
    /// `txn.` variables.
    pub transaction: VarScope,
    /// `req.` variables.
    pub request: VarScope,
    /// `res.` variables.
    pub response: VarScope,
    /// Entries of stick tables the stream is counted in.
    pub tracked: Slots,
    /// The client's address, if it was changed.
    pub source: Option<SocketAddr>,
    /// The address the client connected to, if it was changed.
    pub destination: Option<SocketAddr>,
    /// Level of the log line; `None` inside writes none.
    pub log_level: Option<Option<Severity>>,
    /// Class in queues.
    pub class: i16,
    /// Place in queues within the class, in milliseconds.
    pub offset: i32,
    /// What packets to the server tell.
    pub marks: PacketMarks,
    /// The last rule that ended a ruleset.
    pub last_rule: Option<Arc<Place>>,
    /// A rule asked for the request that the bytes may be.
    pub glimpsed: bool,
    /// The rules had to wait for more bytes.
    pub waited: bool,
    /// Captured values.
    pub captures: Vec<Capture>,
    /// Number of the stream.
    pub number: u32,
    /// Keys under which the server is to be remembered.
    pub pending: Pending,
    /// Limits of the bandwidth.
    pub limits: Option<Box<StreamLimits>>,
}

/// Most bytes of a session that are received before another protocol takes it over.
pub const HANDOVER: usize = 16_384;

/// A session in TCP mode as another protocol takes it over: its rules on contents have run.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Handover {
    /// What was received, at most [`HANDOVER`] bytes.
    pub received: Vec<u8>,
    /// What the rules left behind.
    pub passage: Passage,
    /// The backend, by its index in the plan, if its mode is why the session is handed over.
    pub backend: Option<usize>,
}
