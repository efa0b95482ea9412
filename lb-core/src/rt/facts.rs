//! What rules and logs of layer 4 know about a session.

use super::Stamp;
use super::connection::Session;
use crate::expr::{EngineView, Facts, Now, ProxyRef, ServerRef};
use crate::log::Record;
use std::net::SocketAddr;

/// The facts of a session, gathered once.
#[derive(Debug)]
#[non_exhaustive]
pub struct SessionFacts<'a> {
    /// The session.
    pub session: &'a Session,
    /// The address the client connected to.
    pub local: Option<SocketAddr>,
    /// Now.
    pub now: Stamp,
    /// The backend, once chosen.
    pub backend: Option<ProxyRef<'a>>,
    /// The server, once chosen.
    pub server: Option<ServerRef<'a>>,
    /// What logs print, once the session has ended.
    pub record: Option<Record<'a>>,
}

impl<'a> SessionFacts<'a> {
    /// Of a session whose backend is not chosen yet.
    pub fn new(session: &'a Session, local: Option<SocketAddr>) -> Self {
        Self { session, local, now: Stamp::now(), backend: None, server: None, record: None }
    }
}

impl Facts for SessionFacts<'_> {
    fn now(&self) -> Now {
        Now { date: self.now.date, instant: self.now.instant }
    }

    fn src(&self) -> Option<SocketAddr> {
        self.session.peer
    }

    fn dst(&self) -> Option<SocketAddr> {
        self.local
    }

    fn listener(&self) -> Option<ProxyRef<'_>> {
        let listener = &self.session.listener;
        Some(ProxyRef { name: listener.spec.name.as_deref().unwrap_or_default(), id: listener.id })
    }

    fn frontend(&self) -> Option<ProxyRef<'_>> {
        let spec = &self.session.frontend().spec;
        Some(ProxyRef { name: spec.name.as_str(), id: spec.id })
    }

    fn backend(&self) -> Option<ProxyRef<'_>> {
        self.backend
    }

    fn engine(&self) -> &dyn EngineView {
        &*self.session.generation
    }

    fn server(&self) -> Option<ServerRef<'_>> {
        self.server
    }

    fn record(&self) -> Option<Record<'_>> {
        self.record
    }
}
