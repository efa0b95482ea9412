//! Drivers on tokio: what touches sockets, clocks and threads.
//!
//! The engine decides, the drivers carry out: they accept and connect, move bytes, run health checks, write logs and serve
//! the control socket. One worker is one thread with a current-thread runtime; a client connection never leaves the worker
//! that took it.

#![expect(clippy::disallowed_methods, reason = "drivers read the clock and open sockets")]

mod accept;
mod account;
mod buffer;
#[cfg(feature = "parts")]
mod channel;
mod connect;
mod connection;
mod control;
mod ctl_socket;
mod dial;
mod dynamic;
mod echo;
mod facts;
mod first_answer;
mod generation;
mod handshake;
mod health;
mod inspect;
#[cfg(feature = "parts")]
mod link;
mod listener;
mod log_backend;
mod log_forward;
mod logger;
mod names;
#[cfg(feature = "parts")]
mod outage;
mod outlet;
mod pace;
#[cfg(feature = "parts")]
mod part;
mod passage;
mod probe;
mod relay;
mod reminder;
mod remote;
mod reporter;
mod resolve;
mod ring_file;
mod rules;
mod server;
mod server_error;
mod sessions;
mod signals;
mod sink;
mod snapshot;
mod splice;
mod stream;
mod sys;
mod tally;
mod tcp;
mod tcp_log;
mod tcp_server;
mod tcp_stream;
mod timer;
#[cfg(feature = "tls")]
pub mod tls;
mod udp;
mod view;
mod worker;
mod zone;

pub use crate::cache::prefetch;
pub use buffer::Buffer;
pub use connect::connect;
pub use connection::{
    BoxFuture, Connection, Ending, ListenerHandle, Notes, Protocol, ProtocolFactory, ProxyInfo, Session,
    Stamp,
};
pub use control::LiveControl;
pub use dial::{Dial, DialError, Dialed, Ends, Tell, Told, Trace, open_server, server_endpoint, server_of};
pub use facts::{SessionFacts, connection_fact, is_own, random, unreachable_fact};
pub use generation::{Event, Generation, IdleDrops, ServerHooks};
#[cfg(feature = "parts")]
pub use link::{Link, Message, collect, distribute};
pub use listener::{ListenError, adopt_all, open};
pub use log_forward::log_forward;
pub use logger::{ProxyLogger, chosen_severity};
#[cfg(feature = "parts")]
pub use outage::Outage;
pub use outlet::Outlet;
pub use pace::Pace;
#[cfg(feature = "parts")]
pub use part::{Ended, News, Part, Parts};
pub use passage::{HANDOVER, Handover, Passage};
pub use probe::{ProbeSettings, probe};
pub use relay::{Relay, RelayEnd, RelayLimits};
pub use remote::{Questions, Remote};
pub use reporter::Reporter;
pub use resolve::resolve;
pub use ring_file::RingFileError;
pub use server::{Product, Server, ServerOptions, Sockets, open_missing};
pub use server_error::ServerError;
pub use signals::Signals;
pub use splice::Pipe;
pub use stream::Stream;
#[cfg(feature = "tls")]
pub use stream::Transport;
pub use tally::Tally;
pub use tcp::tcp;
pub use tcp_server::remembered_server;
pub use tcp_stream::Tcp;
pub use timer::{Timer, Timers};
pub use worker::{Worker, Workers, block_on, processors};
