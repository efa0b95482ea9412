//! An engine with one backend and one server, for running any commands against.

use super::control::{
    Control, ControlError, FrontendChange, GlobalChange, Proxy, ServerChange, SessionFilter, SessionLine,
    SocketLevel,
};
use super::session::{Session, SessionLimits};
use super::show::servers::{ServerConnections, ServerState};
use crate::name::{ProxyName, ServerName};
use crate::stats::info::ProcessInfo;
use crate::stats::snapshot::ProxySnapshot;
use std::net::SocketAddr;
use std::time::Instant;

/// Runs the bytes as a session; where they are cut must not matter, and what is kept must stay bounded.
pub(crate) fn commands(data: &[u8], now: Instant) {
    let run = |step: usize| {
        let limits = SessionLimits { line: 200, payload: 400, ..SessionLimits::default() };
        let mut session = Session::new(SocketLevel::Admin, limits, now);
        session.handle_input(now, b"prompt i\n", &Engine);
        data.chunks(step).for_each(|part| session.handle_input(now, part, &Engine));
        session.handle_end(now, &Engine);
        while let Some(due) = session.poll_timeout() {
            session.handle_timeout(due, &Engine);
        }
        session.poll_output()
    };
    assert_eq!(run(usize::MAX), run(1), "the cut matters");
}

struct Engine;

impl Control for Engine {
    fn info(&self) -> ProcessInfo {
        ProcessInfo::default()
    }

    fn proxies(&self) -> Vec<ProxySnapshot> {
        Vec::new()
    }

    fn find_backend(&self, backend: Proxy<'_>) -> Option<ProxyName> {
        (backend == Proxy::Name("b")).then(|| "b".into())
    }

    fn find_frontend(&self, frontend: Proxy<'_>) -> Option<ProxyName> {
        (frontend == Proxy::Name("f")).then(|| "f".into())
    }

    fn find_server(&self, _: &ProxyName, server: Proxy<'_>) -> Option<ServerName> {
        (server == Proxy::Name("s")).then(|| "s".into())
    }

    fn weight(&self, _: &ProxyName, _: &ServerName) -> Option<(u32, u32)> {
        None
    }

    fn server_addr(&self, _: &ProxyName, _: &ServerName) -> Option<SocketAddr> {
        None
    }

    fn server_states(&self, _: Option<&ProxyName>) -> Vec<ServerState> {
        Vec::new()
    }

    fn server_connections(&self, _: Option<&ProxyName>) -> Vec<ServerConnections> {
        Vec::new()
    }

    fn sessions(&self, _: &SessionFilter) -> Vec<SessionLine> {
        Vec::new()
    }

    fn date(&self) -> String {
        String::new()
    }

    fn change_server(&self, _: &ProxyName, _: &ServerName, _: ServerChange) -> Result<(), ControlError> {
        Ok(())
    }

    fn change_frontend(&self, _: &ProxyName, _: FrontendChange) -> Result<(), ControlError> {
        Ok(())
    }

    fn change_global(&self, _: GlobalChange) -> Result<(), ControlError> {
        Ok(())
    }

    fn shutdown_session(&self, _: u64) -> bool {
        false
    }

    fn shutdown_server_sessions(&self, _: &ProxyName, _: &ServerName) {}

    fn clear_counters(&self, _: bool) {}
}
