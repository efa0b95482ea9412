//! An engine with one backend and one server, for running any commands against.

use super::control::{
    BackendChange, Control, ControlError, FrontendChange, GlobalChange, Proxy, ServerChange, SessionFilter,
    SessionLine, SocketLevel,
};
use super::session::{Session, SessionLimits};
use super::show::servers::{ServerConnections, ServerState};
use crate::expr::map::Reference;
use crate::expr::{OwnedSample, Sample, VarName, VarScope};
use crate::name::{ProxyName, ServerName};
use crate::spec::PatternList;
use crate::stats::info::ProcessInfo;
use crate::stats::snapshot::ProxySnapshot;
use std::net::SocketAddr;
use std::time::Instant;

/// The whole answer to one line of an administrator, or of somebody else.
#[cfg(test)]
pub(super) fn ask(engine: &Engine, level: SocketLevel, line: &str, now: Instant) -> String {
    let mut session = Session::new(level, SessionLimits::default(), now);
    session.handle_input(now, format!("{line}\n").as_bytes(), engine);
    session.handle_end(now, engine);
    String::from_utf8(session.poll_output()).expect("answers are text")
}

/// Runs the bytes as a session; where they are cut must not matter, and what is kept must stay bounded.
pub(crate) fn commands(data: &[u8], now: Instant) {
    let run = |step: usize| {
        let limits = SessionLimits { line: 200, payload: 400, ..SessionLimits::default() };
        let mut session = Session::new(SocketLevel::Admin, limits, now);
        let engine = Engine::with_lists();
        session.handle_input(now, b"prompt i\n", &engine);
        data.chunks(step).for_each(|part| session.handle_input(now, part, &engine));
        session.handle_end(now, &engine);
        while let Some(due) = session.poll_timeout() {
            session.handle_timeout(due, &engine);
        }
        session.poll_output()
    };
    assert_eq!(run(usize::MAX), run(1), "the cut matters");
}

/// A backend `b` with a server `s`, a frontend `f`, lists and variables.
#[derive(Default)]
pub(super) struct Engine {
    pub(super) lists: Vec<PatternList>,
    pub(super) variables: VarScope,
}

impl Engine {
    /// With a map, `m`, and an ACL file, `a`.
    fn with_lists() -> Self {
        let map = Reference::from_text("m", "k v\n", true);
        let acl = Reference::from_text("a", "k\n", false);
        let lists = vec![PatternList::new(0, "m", "a map", map), PatternList::new(1, "a", "an ACL", acl)];
        Self { lists, ..Self::default() }
    }
}

impl Control for Engine {
    fn lists(&self) -> Vec<PatternList> {
        self.lists.clone()
    }

    fn variable(&self, name: &str) -> Option<OwnedSample> {
        self.variables.with(name, |value| value.to_owned_sample())
    }

    fn set_variable(&self, name: &VarName, words: &[String], format: bool) -> Result<(), ControlError> {
        let text = format!("{format} {}", words.join(" "));
        self.variables.set(&name.name().into(), &Sample::Str(text.as_bytes()));
        Ok(())
    }

    fn change_backend(&self, _: &ProxyName, change: BackendChange) -> Result<(), ControlError> {
        if change == BackendChange::Publish { Ok(()) } else { Err(ControlError::Disabled) }
    }

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
