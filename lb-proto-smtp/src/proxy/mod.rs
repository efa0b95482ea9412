//! Drivers on tokio: sending a mail, and a small server that takes mails.

#![expect(clippy::disallowed_methods, reason = "drivers read the clock and open sockets")]

mod mailer;
mod send;
mod sink;

pub use mailer::Mailer;
pub use send::{SendError, send_mail};
pub use sink::Sink;
