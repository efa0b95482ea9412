//! The runtime interface ("stats socket"): commands as text, answers as text.
//!
//! A [`Session`] takes the bytes of a connection and gives the bytes to answer; it is a machine like the others of this
//! crate, without a socket. What commands do to the engine they do through the object-safe trait [`Control`], so every
//! answer can be tested with a fake.
//!
//! Management manual of HAProxy 3.4, section 9.3 "Unix Socket commands". Commands that belong to other parts
//! (certificates) are added by [`Control::extra`].

mod admin;
mod backends;
mod catalogue;
mod control;
mod dialect;
mod frontends;
pub(crate) mod fuzzing;
mod parse;
mod patterns;
mod process;
mod reply;
mod server;
mod session;
mod show;
mod tables;
mod variables;

pub use admin::ControlAdmin;
pub use catalogue::{Usage, usages};
pub use control::{
    AddServer, BackendChange, CapturedError, CliSocket, Control, ControlError, EventSink, Events,
    FrontendChange, GlobalChange, Proxy, Renaming, ServerChange, SessionFilter, SessionLine, SocketLevel,
    WeightChange,
};
pub use dialect::Dialect;
pub use parse::{Request, Words};
pub use reply::{Reply, Severity};
pub use session::{Session, SessionLimits};
pub use show::servers::{ServerConnections, ServerState};
