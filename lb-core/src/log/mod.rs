//! Log lines: compiled formats, the facts of a session they print, syslog framing.
//!
//! HAProxy configuration manual, chapter 8.

mod alias;
mod backing;
mod encode;
mod frames;
mod message;
mod record;
mod ring;
mod steps;
pub mod syslog;
mod template;
mod termination;

pub use backing::{Backing, Piece};
pub use frames::{Frame, frame};
pub use message::Message;
pub use record::{Capture, HttpRecord, Origin, Record, RequestLine, Timers};
pub use ring::{Reader, Ring};
pub use steps::{Schedule, Steps};
pub use template::{
    HTTP_CLF_LOG, HTTP_LOG, HTTPS_LOG, Style, TCP_CLF_LOG, TCP_LOG, Template, write_accept_line,
    write_error_line,
};
pub use termination::{Cause, Phase, Termination};
