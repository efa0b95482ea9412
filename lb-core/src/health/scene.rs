//! What expressions in checks see: the backend, the server, the `check` variables, and what the server sent.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use super::Target;
use crate::expr::{
    Arena, BackendFact, Direction, EngineView, Env, Facts, NoEngine, Now, Peek, ProxyRef, ServerFact,
    ServerRef, VarScope, Vars,
};
use crate::log::Template;
use crate::rng::Rng;

/// The running engine, for checks that ask about it.
#[derive(Clone, Default)]
pub struct EngineHandle(Option<Arc<dyn EngineView + Send + Sync>>);

impl EngineHandle {
    /// This engine.
    pub fn new(engine: Arc<dyn EngineView + Send + Sync>) -> Self {
        Self(Some(engine))
    }

    /// Whether a session is up that runs beside the engine; pending while the answer is on its way, nothing if there is none
    /// of this name.
    pub fn session(&self, name: &str) -> Poll<Option<bool>> {
        self.view().session(name)
    }

    fn view(&self) -> &dyn EngineView {
        match &self.0 {
            Some(engine) => &**engine,
            None => &NoEngine,
        }
    }
}

impl fmt::Debug for EngineHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "EngineHandle" } else { "EngineHandle(none)" })
    }
}

/// The variables and the scratch space of one check.
#[derive(Debug)]
pub struct Scene {
    target: Target,
    vars: VarScope,
    arena: Arena,
    started: Instant,
    unique_id: Vec<u8>,
    random: Cell<u64>,
}

/// What the server has sent so far.
#[derive(Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "two views of the same bytes")]
pub struct Heard<'a> {
    /// As bytes.
    pub bytes: &'a [u8],
    /// As the protocol's own view; see [`Facts::layer`].
    pub layer: Option<&'a dyn Any>,
}

impl fmt::Debug for Heard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Heard({} bytes)", self.bytes.len())
    }
}

impl Scene {
    /// Of a check of `target` that starts now.
    pub fn new(target: Target, started: Instant) -> Self {
        let random = Cell::new(seed(&target));
        Self {
            target,
            vars: VarScope::new(),
            arena: Arena::default(),
            started,
            unique_id: Vec::new(),
            random,
        }
    }

    /// The server being checked.
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// Gives the check a unique id, made by this format.
    pub fn identify(&mut self, format: &Template, now: Instant) {
        let mut id = Vec::new();
        self.format(format, now, Heard::default(), &mut id);
        self.unique_id = id;
    }

    /// Appends what a format makes of the present state.
    pub fn format(&mut self, format: &Template, now: Instant, heard: Heard<'_>, out: &mut Vec<u8>) {
        match format.as_literal() {
            Some(text) => out.extend_from_slice(text),
            None => self.with(now, heard, |env| format.write(env, out)),
        }
    }

    /// Evaluates something.
    pub fn with<R>(&mut self, now: Instant, heard: Heard<'_>, look: impl FnOnce(&Env<'_>) -> R) -> R {
        let facts = SceneFacts { scene: self, now, heard };
        let vars = Vars { check: Some(&self.vars), ..Vars::NONE };
        let result = look(&Env::new(&facts, vars, &self.arena));
        self.arena.reset();
        result
    }
}

/// Different for every check: its moment and its server.
fn seed(target: &Target) -> u64 {
    let name = target.backend.bytes().chain(target.server.bytes());
    let name = name.fold(0, |hash: u64, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    (target.date.as_nanos() as u64) ^ name.rotate_left(32)
}

struct SceneFacts<'a> {
    scene: &'a Scene,
    now: Instant,
    heard: Heard<'a>,
}

impl Facts for SceneFacts<'_> {
    fn now(&self) -> Now {
        let date = self.scene.target.date + self.now.saturating_duration_since(self.scene.started);
        Now { date, instant: self.now }
    }

    fn backend(&self) -> Option<ProxyRef<'_>> {
        let name = &*self.scene.target.backend;
        let id = self.engine().backend(name, BackendFact::Id);
        Some(ProxyRef { name, id: id.and_then(|id| u32::try_from(id).ok()).unwrap_or_default() })
    }

    fn server(&self) -> Option<ServerRef<'_>> {
        let target = &self.scene.target;
        let id = self.engine().server(&target.backend, &target.server, ServerFact::Id);
        let id = id.and_then(|id| u32::try_from(id).ok()).unwrap_or_default();
        Some(ServerRef { name: &target.server, id, backend: &target.backend })
    }

    fn server_dst(&self) -> Option<std::net::SocketAddr> {
        self.scene.target.addr
    }

    fn direction(&self) -> Direction {
        Direction::Response
    }

    fn random(&self) -> u64 {
        let value = Rng::new(self.scene.random.get()).next_u64();
        self.scene.random.set(value);
        value
    }

    fn buffer(&self, direction: Direction) -> Option<Peek<'_>> {
        (direction == Direction::Response).then_some(Peek { bytes: self.heard.bytes, complete: true })
    }

    fn unique_id(&self) -> Option<&[u8]> {
        Some(&self.scene.unique_id[..]).filter(|id| !id.is_empty())
    }

    fn engine(&self) -> &dyn EngineView {
        self.scene.target.engine.view()
    }

    fn layer(&self) -> Option<&dyn Any> {
        self.heard.layer
    }
}
