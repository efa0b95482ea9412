//! The HTTP proxy between scripted clients and servers, over loopback sockets on ports the system chooses.
#![cfg(feature = "tokio")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test driver opens sockets and reads the clock"
)]

mod bandwidth;
mod exchanges;
mod failures;
mod harness;
mod logs;
mod observed;
mod retries;
mod rules;
mod unread;
mod upgrade;
