//! The immutable compiled form of a specification.

use super::state::ProxyState;
use crate::balance::ServerId;
use crate::expr::{Env, VarScope};
use crate::pool::Pool;
use crate::rule::cond::Condition;
use crate::rule::{Next, RuleSet};
use crate::spec::{
    LogTarget, PatternList, ProcessSpec, ProxySpec, RingSpec, RouteTarget, ServerChoice, ServerSpec,
};
use crate::stick::SharedTable;
use std::collections::HashMap;
use std::sync::Arc;

/// One generation of the configuration, compiled.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(super) generation: u64,
    pub(super) process: Arc<ProcessSpec>,
    pub(super) proxies: Vec<Arc<ProxyPlan>>,
    pub(super) backends: HashMap<String, usize>,
    pub(super) tables: HashMap<Arc<str>, Arc<SharedTable>>,
    pub(super) lists: Arc<[PatternList]>,
    pub(super) variables: Arc<VarScope>,
    pub(super) rings: Arc<[RingSpec]>,
}

impl Plan {
    /// Which generation this is, counted from 1.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What concerns the process.
    pub fn process(&self) -> &ProcessSpec {
        &self.process
    }

    /// All proxies in the order of the configuration.
    pub fn proxies(&self) -> &[Arc<ProxyPlan>] {
        &self.proxies
    }

    /// The proxy with this index, which must be one of this plan's.
    ///
    /// # Panics
    /// With an index of another plan.
    pub fn proxy(&self, index: usize) -> &Arc<ProxyPlan> {
        &self.proxies[index]
    }

    /// The stick table of this name.
    pub fn table(&self, name: &str) -> Option<&Arc<SharedTable>> {
        self.tables.get(name)
    }

    /// All stick tables, in no particular order.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<SharedTable>> {
        self.tables.values()
    }

    /// Lists of patterns and maps, in the order of their numbers.
    pub fn lists(&self) -> &[PatternList] {
        &self.lists
    }

    /// Rings that log lines go to, in the order of the configuration.
    pub fn rings(&self) -> &[RingSpec] {
        &self.rings
    }

    /// The variables of the process (`proc.`), set as configured when the plan was built.
    pub fn variables(&self) -> &VarScope {
        &self.variables
    }

    /// The proxy of this name that has servers.
    pub fn backend(&self, name: &str) -> Option<&Arc<ProxyPlan>> {
        self.backends.get(name).map(|&index| &self.proxies[index])
    }
}

/// One proxy, compiled.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProxyPlan {
    /// Its place in the plan.
    pub index: usize,
    /// What it was compiled from, but for its servers: those are in [`servers`](Self::servers).
    pub spec: ProxySpec,
    /// What outlives the plan.
    pub state: Arc<ProxyState>,
    /// For each of the specification's routes the index of its backend; `None` for dynamic ones.
    pub routes: Vec<Option<usize>>,
    /// The backend when no route applies; the proxy itself if it has servers and names no other.
    pub default_backend: Option<usize>,
    /// The servers, by their index in the pool.
    pub servers: Vec<Arc<ServerPlan>>,
    /// The pool, which outlives the plan.
    pub pool: Arc<Pool>,
    /// Own and global log targets together.
    pub log: LogPlan,
    /// The load at which servers reach their full limit.
    pub(super) fullconn: u32,
}

impl ProxyPlan {
    /// Index of the backend that the first route whose condition holds leads to, passing over those that are
    /// disabled, or not published unless `force-be-switch` holds.
    /// `None` if no route applies, or if one leads to a name that no backend has: then the default one serves.
    pub fn route(&self, plan: &Plan, env: &Env<'_>) -> Option<usize> {
        let holds = |c: &Option<Condition>| c.as_ref().is_none_or(|c| c.holds(env));
        for (at, route) in self.spec.routes.iter().enumerate().filter(|(_, route)| holds(&route.condition)) {
            let found = match &route.target {
                RouteTarget::Backend(_) => self.routes[at],
                RouteTarget::Dynamic(template) => {
                    let mut name = Vec::new();
                    template.write(env, &mut name);
                    plan.backends.get(std::str::from_utf8(&name).ok()?).copied()
                }
            };
            let passed_over = |proxy: &Self| {
                proxy.spec.disabled
                    || !proxy.state.is_published() && !self.spec.force_switch.iter().any(|c| c.holds(env))
            };
            if !found.is_some_and(|index| passed_over(&plan.proxies[index])) {
                return found;
            }
        }
        None
    }

    /// The first server that `use-server` rules choose and that `usable` takes. A computed name that no server has ends
    /// the search.
    pub fn chosen_server(
        &self,
        rules: &RuleSet<ServerChoice>,
        env: &Env<'_>,
        usable: impl Fn(ServerId) -> bool,
    ) -> Option<ServerId> {
        let mut from = 0;
        while let Next::Apply(at, choice) = rules.next(from, env) {
            let found = match choice {
                ServerChoice::Named(name) => self.pool.by_name(name.as_str()),
                ServerChoice::Dynamic(template) => {
                    let mut name = Vec::new();
                    template.write(env, &mut name);
                    Some(self.pool.by_name(std::str::from_utf8(&name).ok()?)?)
                }
            };
            if let Some(id) = found.filter(|id| usable(*id)) {
                return Some(id);
            }
            from = at + 1;
        }
        None
    }
}

/// Where a proxy's lines go.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct LogPlan {
    /// The targets.
    pub targets: Vec<TargetPlan>,
}

/// One log target.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TargetPlan {
    /// What it was compiled from.
    pub spec: LogTarget,
}

/// One server, compiled.
#[derive(Debug)]
#[non_exhaustive]
pub struct ServerPlan {
    /// Its place in the pool.
    pub index: usize,
    /// What it was compiled from.
    pub spec: ServerSpec,
}
