//! Servers that come and go at run time (`add server`, `del server`).
//!
//! A change makes a new generation that shares everything but one backend with the present one. Sessions and checks go
//! on; those of an older generation find newer servers by their names.

use super::accept::Target;
use super::control::LiveControl;
use super::generation::Generation;
use super::server::{Maker, clock};
use crate::ctl::{AddServer, ControlError};
use crate::engine::{ProxyPlan, ServerPlan};
use crate::name::{ProxyName, ServerName};
use crate::pool::PoolEvent;
use crate::spec::{Mode, Origin, ServerSpec};
use std::sync::Arc;
use std::time::Instant;

fn refuse(text: impl Into<String>) -> ControlError {
    ControlError::Other(text.into())
}

impl LiveControl {
    pub(super) fn add(&self, server: AddServer<'_>) -> Result<(), ControlError> {
        let generation = self.generation();
        let proxy = backend(&generation, server.backend)?;
        let pool = &proxy.spec.pool;
        if !pool.algorithm.is_dynamic(&pool.hash) {
            return Err(refuse(format!(
                "Backend does not support dynamic servers : backend '{}' uses a non dynamic load balancing method.",
                proxy.spec.name
            )));
        }
        let options = self.shared.options.load_full();
        let dialect = options.dialect.as_ref().ok_or(ControlError::Unsupported)?;
        let mut spec = dialect.server(&proxy.spec, server.name, server.words).map_err(ControlError::Other)?;
        let taken = |id| proxy.servers.iter().any(|s| s.spec.id == id);
        if spec.id == 0 {
            spec.id = (1..).find(|id| !taken(*id)).unwrap_or(u32::MAX);
        } else if taken(spec.id) {
            return Err(refuse(format!("custom id {} is already used by another server.", spec.id)));
        }
        if let Some(owner) = spec.guid.as_deref().and_then(|guid| owner(&generation, guid)) {
            return Err(refuse(format!("'guid': duplicate entry with {owner}.")));
        }
        if let Some(track) = &spec.track {
            trackable(&generation, proxy, track)?;
        }
        (spec.dynamic, spec.origin) = (true, Origin::NONE);
        let name = spec.name.clone();
        let mut servers: Vec<_> = proxy.servers.iter().map(|s| s.spec.clone()).collect();
        servers.push(spec);
        let next = self.edit(&generation, proxy, servers)?;
        let proxy = backend(&next, server.backend)?;
        if let Some(added) = proxy.servers.iter().find(|s| s.spec.name == name) {
            self.shared.checks().add(&next, proxy, added, &self.shared.workers);
        }
        Ok(())
    }

    /// Whether a server can be removed now; [`ControlError::Busy`] if it can be once its sessions have ended.
    pub(super) fn may_remove(&self, owner: &ProxyName, server: &ServerName) -> Result<(), ControlError> {
        let generation = self.generation();
        let proxy = backend(&generation, owner)?;
        let id = proxy.pool.by_name(server.as_str()).ok_or(ControlError::NoServer)?;
        let plan = proxy.servers.iter().find(|s| s.spec.name == *server).ok_or(ControlError::NoServer)?;
        if plan.spec.pinned || tracked(&generation, owner, server) {
            return Err(refuse(
                "This server cannot be removed at runtime due to other configuration elements pointing to it.",
            ));
        }
        let snapshot = proxy.pool.server_snapshots(Instant::now()).into_iter().nth(id.index());
        let cell = proxy.pool.server(id).ok_or(ControlError::NoServer)?;
        if !cell.admin().is_maint() || snapshot.is_none() {
            return Err(refuse("Only servers in maintenance mode can be deleted."));
        }
        if cell.served().cur > 0 || cell.queued().cur > 0 {
            return Err(ControlError::Busy);
        }
        Ok(())
    }

    pub(super) fn remove(&self, owner: &ProxyName, server: &ServerName) -> Result<(), ControlError> {
        self.may_remove(owner, server)?;
        let generation = self.generation();
        let proxy = backend(&generation, owner)?;
        if let Some(server) = proxy.pool.by_name(server.as_str()) {
            generation.report(proxy, vec![PoolEvent::DropIdle { server }]);
        }
        let others = proxy.servers.iter().filter(|s| s.spec.name != *server);
        let servers = others.map(|s| s.spec.clone()).collect();
        self.shared.checks().remove(owner, server);
        let next = self.edit(&generation, proxy, servers)?;
        self.shared.names().adapt(&next, &self.shared.workers[0]);
        Ok(())
    }

    /// Gives a backend other servers.
    fn edit(
        &self,
        before: &Arc<Generation>,
        proxy: &ProxyPlan,
        servers: Vec<ServerSpec>,
    ) -> Result<Arc<Generation>, ControlError> {
        // Held to the end: nobody else makes a generation meanwhile.
        let listeners = self.shared.listeners();
        if !Arc::ptr_eq(before, &self.generation()) {
            return Err(refuse("The configuration has just changed; please try again."));
        }
        let options = self.shared.options.load_full();
        let maker = Maker { options: &options, hub: &before.hub };
        let words = |error: &dyn std::fmt::Display| refuse(error.to_string());
        // What can fail comes first, for the pool is shared with the generation that runs.
        for (index, spec) in servers.iter().enumerate().skip(proxy.servers.len()) {
            let plan = ServerPlan { index, spec: spec.clone() };
            maker.try_server(proxy, &plan).map_err(|e| words(&e))?;
        }
        let workers = self.shared.engine.workers();
        let (plan, events) =
            before.plan.with_servers(proxy.index, servers, workers, clock()).map_err(|e| words(&e))?;
        let next = maker.edited(Arc::new(plan), before, proxy.index).map_err(|e| words(&e))?;
        let next = Arc::new(next);
        self.shared.engine.publish(Arc::clone(&next.plan));
        for run in listeners.values() {
            let target = run.target.load();
            let handle = Arc::clone(&target.handle);
            run.target.store(Arc::new(Target { generation: Arc::clone(&next), proxy: target.proxy, handle }));
        }
        self.shared.current.store(Arc::clone(&next));
        drop(listeners);
        for (index, event) in events {
            next.report(next.plan.proxy(index), vec![event]);
        }
        Ok(next)
    }
}

fn backend<'a>(generation: &'a Generation, name: &ProxyName) -> Result<&'a Arc<ProxyPlan>, ControlError> {
    let proxy = generation.plan.backend(name.as_str()).ok_or_else(|| refuse("No such backend."))?;
    // Each of its servers has a way of its own, made when the configuration was read.
    match proxy.spec.mode {
        Mode::Log => Err(refuse("Servers of log backends cannot be added or removed at run time.")),
        _ => Ok(proxy),
    }
}

/// The proxy or server that has a globally unique name, in words for the operator.
fn owner(generation: &Generation, guid: &str) -> Option<String> {
    let same = |other: &Option<Arc<str>>| other.as_deref() == Some(guid);
    generation.plan.proxies().iter().find_map(|proxy| {
        let spec = &proxy.spec;
        let kind = match (spec.capability.is_frontend(), spec.capability.is_backend()) {
            (true, false) => "frontend",
            (false, true) => "backend",
            _ => "proxy",
        };
        let server = || proxy.servers.iter().find(|server| same(&server.spec.guid));
        match same(&spec.guid) {
            true => Some(format!("{kind} {}", spec.name)),
            false => server().map(|server| format!("server {}/{}", spec.name, server.spec.name)),
        }
    })
}

/// Whether a server of any backend follows this one.
fn tracked(generation: &Generation, owner: &ProxyName, server: &ServerName) -> bool {
    generation.plan.proxies().iter().any(|proxy| {
        let follows = |track: &str| match track.split_once('/') {
            Some((pool, name)) => pool == owner.as_str() && name == server.as_str(),
            None => proxy.spec.name == *owner && track == server.as_str(),
        };
        proxy.servers.iter().any(|s| s.spec.track.as_deref().is_some_and(follows))
    })
}

/// Whether a new server may follow `track`.
fn trackable(generation: &Generation, proxy: &ProxyPlan, track: &str) -> Result<(), ControlError> {
    let (pool, name) = track.split_once('/').unwrap_or((proxy.spec.name.as_str(), track));
    let lead =
        generation.plan.backend(pool).and_then(|p| p.servers.iter().find(|s| s.spec.name.as_str() == name));
    let Some(lead) = lead else {
        return Err(refuse(format!("unable to find required server '{track}' for tracking.")));
    };
    let unfit = if lead.spec.dynamic {
        "is a dynamic server"
    } else if lead.spec.check.is_none() && lead.spec.agent.is_none() && lead.spec.track.is_none() {
        "does not have any check nor agent enabled"
    } else {
        return Ok(());
    };
    Err(refuse(format!("unable to use {pool}/{name} for tracking as it {unfit}.")))
}
