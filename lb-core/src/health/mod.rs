//! Health checking, without any input or output of its own.
//!
//! A check is a [`Dialog`]: a small conversation that says what to connect to, what to send and when to give up, and
//! that ends with a [`Verdict`]. A [`ProbeSpec`] is the configured, immutable form from which one dialog is started per
//! check. A [`Monitor`] turns a series of verdicts into "up" and "down", and says when the next check is due; the pool
//! draws the consequences and reports them as [`HealthEvent`]s. Drivers only move bytes and time.
//!
//! Configuration manual of HAProxy 3.4: section 5.2 (`check` and friends), `option httpchk`, `tcp-check`.

mod agent;
mod connect;
mod dialog;
mod event;
mod external;
mod monitor;
mod observe;
mod program;
mod report;
mod scene;
mod script;
mod spread;
mod verdict;

pub use agent::{AgentAdmin, AgentHealth, AgentProbe, AgentReport};
pub use connect::ConnectProbe;
pub use dialog::{
    Account, Close, Command, ConnectFailure, ConnectRequest, Dialog, Input, Layer, Output, ProbeSpec,
    ProxyHeader, Schedule, ServerSnapshot, Target, TlsChoice, TlsRequest, Transport,
};
pub use event::{
    Cause, Change, CheckResult, EventLevel, HealthEvent, Maintenance, Remains, ServerChange, ServerLabel,
};
pub use external::ExternalProbe;
pub use monitor::{CheckKind, Effect, InitState, Intervals, LastCheck, Monitor};
pub use observe::{Observation, Observe, Observer, OnError};
pub use program::OneShot;
pub use report::{Health, Part, ServerHealth};
pub use scene::{EngineHandle, Heard, Scene};
pub use script::{Expect, Matcher, Pattern, Payload, Script, Step, Template};
pub use spread::Spread;
pub use verdict::{MAX_INFO, Outcome, Status, Verdict, Weighing};
