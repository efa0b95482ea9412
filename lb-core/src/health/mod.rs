//! Health checking, without any input or output of its own.
//!
//! A check is a [`Dialog`]: a small conversation that says what to connect to, what to send and when to give up, and
//! that ends with a [`Verdict`]. A [`ProbeSpec`] is the configured, immutable form from which one dialog is started per
//! check. The `monitor` turns a series of verdicts into state changes of a server; drivers only move bytes and time.
//!
//! Configuration manual of HAProxy 3.4: section 5.2 (`check` and friends), `option httpchk`, `tcp-check`.

mod dialog;
mod verdict;

pub use dialog::{
    Close, Command, ConnectFailure, ConnectRequest, Dialog, Input, Layer, Output, ProbeSpec, ProxyHeader,
    Schedule, ServerSnapshot, Target, TlsChoice, TlsRequest, Transport,
};
pub use verdict::{MAX_INFO, Outcome, Status, Verdict};
