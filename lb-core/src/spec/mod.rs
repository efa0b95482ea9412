//! What should run, as plain data.
//!
//! A [`Spec`] knows no dialect and no file names: a dialect crate lowers its configuration into one, an embedder writes
//! one by hand, and the engine compiles it into the immutable plan that serves traffic. Every object carries an
//! [`Origin`] that the dialect crate can turn back into a place in the text, so that an error found late (a port in use, a
//! certificate that cannot be read) still names its line.

mod check;
mod forward;
mod listener;
mod lists;
mod log;
mod pool;
mod process;
mod proxy;
mod ring;
mod rules;
mod server;
mod status;
mod stick;
mod timeouts;
mod tls;

pub use check::{AgentSpec, CheckSpec};
pub use forward::{HostRule, LogForward};
pub use listener::{Datagrams, Family, ListenerSpec, UnixPermissions};
pub use lists::PatternList;
pub use log::{
    Facility, LogDestination, LogFormat, LogProfile, LogTarget, ProfileStep, ProxyLog, SampleRange, Severity,
    Syslog,
};
pub use pool::{PoolSpec, Retry};
pub use process::{AccessLevel, CtlSocket, ProcessSpec, Tune, VariableValue};
pub use proxy::{Capability, Mode, ProtocolSpec, ProxySpec, Route, RouteTarget, ServerChoice, TcpProxy};
pub use ring::{LogServer, RingSpec};
pub use rules::TcpRules;
pub use server::{
    InitAddr, MarkedDown, ProxyFields, ProxyHeaderVersion, Resolution, ServerAddr, ServerSpec, SourceAddr,
};
pub use status::{HttpCodes, StatusCodes};
pub use stick::{StickKind, StickRule};
pub use timeouts::Timeouts;
pub use tls::{CertificateSpec, TlsClientSpec, TlsServerSpec, TlsVersion, Verify, key_text};

use crate::stick::TableSpec;

/// Where an object of the specification came from: a number only its maker understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[expect(clippy::exhaustive_structs, reason = "an opaque number")]
pub struct Origin(pub u32);

impl Origin {
    /// Made by hand, from no text.
    pub const NONE: Self = Self(u32::MAX);
}

/// Everything that should run.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Spec {
    /// The process: user, limits, threads, control sockets.
    pub process: ProcessSpec,
    /// Proxies in the order of the configuration.
    pub proxies: Vec<ProxySpec>,
    /// Stick tables that belong to no proxy (those of peers, called `peers/table`).
    pub tables: Vec<TableSpec>,
    /// Lists of patterns and maps, for the control socket.
    pub lists: Vec<PatternList>,
    /// Rings that log lines go to.
    pub rings: Vec<RingSpec>,
}

impl Spec {
    /// Nothing to run.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a proxy or a control socket listens on the endpoint that is written so.
    pub fn listens_on(&self, endpoint: &str) -> bool {
        let control = self.process.ctl.iter().map(|ctl| &ctl.listener);
        let mut all = self.proxies.iter().flat_map(|p| &p.listeners).chain(control);
        all.any(|listener| listener.place() == endpoint)
    }

    /// The proxy called `name`; with `backend` the one of that name that has servers, else the one that listens.
    ///
    /// Old configurations may call a frontend and a backend alike, so a name alone is not always enough.
    pub fn proxy(&self, name: &str, backend: bool) -> Option<&ProxySpec> {
        let wanted =
            |p: &&ProxySpec| if backend { p.capability.is_backend() } else { p.capability.is_frontend() };
        self.proxies.iter().filter(|p| p.name.as_str() == name).find(wanted)
    }
}
