//! Log lines: compiled formats, the facts of a session they print, syslog framing.
//!
//! HAProxy configuration manual, chapter 8.

mod record;
mod termination;

pub use record::{Capture, HttpRecord, Origin, Record, RequestLine, Timers};
pub use termination::{Cause, Phase, Termination};
