//! The running engine as expressions see it: numbers of backends, frontends and servers, stick tables.

use super::Stamp;
use super::generation::Generation;
use crate::balance::ServerId;
use crate::engine::ProxyPlan;
use crate::expr::{BackendFact, EngineView, FrontendFact, ServerFact};
use crate::spec::ProcessSpec;
use crate::stick::SharedTable;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock, Weak};
use std::task::Poll;
use std::time::Duration;

impl EngineView for Generation {
    fn session(&self, name: &str) -> Poll<Option<bool>> {
        let shared = self.hub.shared.get().and_then(Weak::upgrade);
        let beside = shared.as_ref().and_then(|shared| shared.companion.as_deref());
        beside.map_or(Poll::Ready(None), |beside| beside.session(name))
    }

    fn backend(&self, name: &str, fact: BackendFact) -> Option<i64> {
        let proxy = self.plan.backend(name)?;
        let pool = &proxy.pool;
        let usable = || {
            let census = pool.census();
            i64::from(if census.active > 0 { census.active } else { census.backup })
        };
        let timeouts = &proxy.spec.timeouts;
        match fact {
            BackendFact::Id => Some(i64::from(proxy.spec.id)),
            BackendFact::UsableServers => Some(usable()),
            BackendFact::Sessions => Some(i64::from(pool.sessions())),
            BackendFact::SessionRate => {
                let rate = pool.backend_snapshot(Stamp::now().instant).session_rate;
                i64::try_from(rate.cur).ok()
            }
            BackendFact::ConnSlots => Some(slots(proxy, true)),
            BackendFact::ConnFree => Some(slots(proxy, false)),
            BackendFact::Queued => Some(i64::from(pool.queued())),
            BackendFact::AverageQueue => {
                let servers = usable();
                let queued = i64::from(pool.queued());
                // Without a server every request waits for the first that comes.
                Some(if servers == 0 { queued } else { (queued + servers - 1) / servers })
            }
            BackendFact::ServerTimeout => millis(timeouts.server),
            BackendFact::TunnelTimeout => millis(timeouts.tunnel),
            BackendFact::ConnectTimeout => millis(timeouts.connect),
        }
    }

    fn frontend(&self, name: &str, fact: FrontendFact) -> Option<i64> {
        let named =
            |proxy: &&Arc<ProxyPlan>| proxy.spec.capability.is_frontend() && proxy.spec.name.as_str() == name;
        let proxy = self.plan.proxies().iter().find(named)?;
        let front = &proxy.state.front;
        let now_ms = || u64::try_from(Stamp::now().date.as_millis()).unwrap_or_default();
        match fact {
            FrontendFact::Id => Some(i64::from(proxy.spec.id)),
            FrontendFact::Sessions => i64::try_from(front.sessions.level().cur).ok(),
            FrontendFact::SessionRate => i64::try_from(front.session_rate.rate(now_ms())).ok(),
            FrontendFact::RequestRate => i64::try_from(front.request_rate.rate(now_ms())).ok(),
            FrontendFact::ClientTimeout => millis(proxy.spec.timeouts.client),
        }
    }

    fn server(&self, backend: &str, server: &str, fact: ServerFact) -> Option<i64> {
        let proxy = self.plan.backend(backend)?;
        let id = proxy.pool.by_name(server)?;
        let cell = proxy.pool.server(id)?;
        let snapshot = || proxy.pool.server_snapshots(Stamp::now().instant).into_iter().nth(id.index());
        match fact {
            ServerFact::Id => proxy.servers.get(id.index()).map(|plan| i64::from(plan.spec.id)),
            ServerFact::Up => Some(i64::from(cell.accepts_persistent())),
            ServerFact::Sessions => i64::try_from(cell.served().cur).ok(),
            ServerFact::ConnFree => {
                let snapshot = snapshot()?;
                // A server without a limit takes any number.
                let Some(limit) = snapshot.limit.map(i64::from) else { return Some(-1) };
                Some((limit - i64::try_from(snapshot.sessions.cur).ok()?).max(0))
            }
            ServerFact::SessionRate => i64::try_from(snapshot()?.session_rate.cur).ok(),
            ServerFact::Queued => i64::try_from(cell.queued().cur).ok(),
            ServerFact::Weight => Some(i64::from(snapshot()?.weight)),
            ServerFact::InitialWeight => {
                proxy.servers.get(id.index()).map(|plan| i64::from(plan.spec.weight))
            }
            ServerFact::UserWeight => Some(i64::from(snapshot()?.user_weight)),
        }
    }

    fn server_name(&self, backend: &str, id: u32) -> Option<&str> {
        let servers = &self.plan.backend(backend)?.servers;
        servers.iter().find(|server| server.spec.id == id).map(|server| server.spec.name.as_str())
    }

    fn table(&self, name: &str) -> Option<&Arc<SharedTable>> {
        self.plan.table(name)
    }

    fn utc_offset(&self, date: i64) -> i32 {
        super::zone::utc_offset(date)
    }

    fn pid(&self) -> u32 {
        std::process::id()
    }

    fn threads(&self) -> u32 {
        u32::try_from(self.workers()).unwrap_or(u32::MAX)
    }

    fn connections(&self) -> u64 {
        self.shared().map_or(0, |shared| shared.limits.total.load(Relaxed) as u64)
    }

    fn uptime(&self) -> Option<u64> {
        let started = self.shared()?.engine.started().instant;
        Some(Stamp::now().instant.saturating_duration_since(started).as_secs())
    }

    fn is_stopping(&self) -> bool {
        Self::is_stopping(self)
    }

    fn hostname(&self) -> &str {
        host()
    }

    fn node(&self) -> &str {
        node(self.plan.process())
    }
}

/// The name of this node: the configured one, or that of the machine.
pub(super) fn node(process: &ProcessSpec) -> &str {
    process.node.as_deref().unwrap_or_else(|| host())
}

/// The name of this machine, read once.
pub(super) fn host() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        name.trim_end().to_owned()
    })
}

/// Connections that the usable servers could still take; with `queues` also those that could still wait. Servers
/// without a limit take any number, which is told as -1.
fn slots(proxy: &ProxyPlan, queues: bool) -> i64 {
    let mut free = 0;
    for (index, snapshot) in proxy.pool.server_snapshots(Stamp::now().instant).into_iter().enumerate() {
        let cell = u32::try_from(index).ok().and_then(|index| proxy.pool.server(ServerId(index)));
        if !cell.is_some_and(|cell| cell.accepts_persistent()) {
            continue;
        }
        let Some(limit) = snapshot.limit else { return -1 };
        let mut room = i64::from(limit) - i64::try_from(snapshot.sessions.cur).unwrap_or(i64::MAX);
        if queues {
            let Some(limit) = snapshot.queue_limit.filter(|limit| *limit > 0) else { return -1 };
            room += i64::from(limit) - i64::try_from(snapshot.queue.cur).unwrap_or(i64::MAX);
        }
        free += room.max(0);
    }
    free
}

fn millis(time: Option<Duration>) -> Option<i64> {
    time.and_then(|time| i64::try_from(time.as_millis()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_without_a_name_has_that_of_its_machine() {
        let mut process = ProcessSpec::default();
        assert_eq!(node(&process), host());
        process.node = Some("one".into());
        assert_eq!(node(&process), "one");
    }
}
