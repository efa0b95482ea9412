//! `virtual_server` as proxies of lb-core: relayed in user space instead of by the kernel.

use super::check;
use crate::config::{Config, GroupEntry, PersistenceMask, RealServer, VirtualServer, VirtualServerKey};
use crate::probe::Scale;
use lb_core::addr::Endpoint;
use lb_core::balance::{Algorithm, HashMethod, HashType};
use lb_core::expr::{NoBuild, Registry, parse};
use lb_core::health::InitState;
use lb_core::pool::Quorum;
use lb_core::spec::{
    Capability, Datagrams, ListenerSpec, MarkedDown, PoolSpec, ProxySpec, ServerAddr, ServerSpec, StickKind,
    StickRule,
};
use lb_core::stick::{DataType, KeyType, Store, TableSpec};
use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Numbers of these proxies in statistics begin here, behind those of any other file.
const FIRST_ID: u32 = 20_000;
/// The kernel forgets a connection that was idle for that long, unless `lvs_timeouts` says otherwise.
const IDLE: Duration = Duration::from_secs(900);
/// The same for what clients and servers exchange by datagrams.
const IDLE_DATAGRAMS: Duration = Duration::from_secs(300);
/// Clients that exchange datagrams with the servers of one listener at the same time, for each worker.
const FLOWS: usize = 1 << 14;
/// Patience with a server that is not checked.
const CONNECT: Duration = Duration::from_secs(5);
/// `persistence_timeout` unless set.
const PERSISTENCE: Duration = Duration::from_secs(360);
/// Clients whose servers are remembered; the longest away make room.
const CLIENTS: usize = 1 << 18;
/// Addresses that one range may stand for.
pub(crate) const MAX_RANGE: u32 = 1024;

/// Every virtual server that can be served, as a proxy with its listeners and servers. Listeners take connections to
/// addresses that this node does not hold yet. What cannot be served is told by [`check`](crate::check()).
pub fn services(config: &Config) -> Vec<ProxySpec> {
    let mut taken = HashSet::new();
    let mut proxies: Vec<ProxySpec> = Vec::new();
    for server in &config.virtual_servers {
        let Some(transport) = transport(server) else { continue };
        let mut listeners = listeners(server, config);
        listeners.retain(|address| taken.insert((transport, *address)));
        if listeners.is_empty() {
            continue;
        }
        let id = FIRST_ID + u32::try_from(proxies.len()).unwrap_or(0);
        proxies.push(proxy(server, config, id, &listeners));
    }
    proxies
}

/// What is balanced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Transport {
    Connections,
    Datagrams,
}

/// What a virtual server balances; `None` for a protocol that is not relayed. Datagrams are the default of the original.
pub(crate) fn transport(server: &VirtualServer) -> Option<Transport> {
    match &server.protocol {
        None => Some(Transport::Datagrams),
        Some(word) if word.value.eq_ignore_ascii_case("tcp") => Some(Transport::Connections),
        Some(word) if word.value.eq_ignore_ascii_case("udp") => Some(Transport::Datagrams),
        Some(_) => None,
    }
}

/// The addresses to listen on. A service for all ports, or for a mark of the firewall, has none.
pub(crate) fn listeners(server: &VirtualServer, config: &Config) -> Vec<SocketAddr> {
    let all = match &server.key.value {
        VirtualServerKey::Address(address) => vec![*address],
        VirtualServerKey::Mark(_) => Vec::new(),
        VirtualServerKey::Group(name) => {
            let group = config.virtual_server_groups.iter().find(|group| group.name.value == *name);
            let entries = group.into_iter().flat_map(|group| &group.entries);
            entries.flat_map(|entry| range(&entry.value)).collect()
        }
    };
    all.into_iter().filter(|address| address.port() != 0).collect()
}

fn range(entry: &GroupEntry) -> Vec<SocketAddr> {
    let GroupEntry::Addresses(first, last, port) = entry else { return Vec::new() };
    let addresses: Vec<IpAddr> = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            let (first, last) = (u32::from(*first), u32::from(*last));
            (first..=last.min(first.saturating_add(MAX_RANGE - 1))).map(|n| IpAddr::V4(n.into())).collect()
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            let (first, last) = (u128::from(*first), u128::from(*last));
            let end = last.min(first.saturating_add(u128::from(MAX_RANGE) - 1));
            (first..=end).map(|n| IpAddr::V6(n.into())).collect()
        }
        _ => Vec::new(),
    };
    addresses.into_iter().map(|ip| SocketAddr::new(ip, *port)).collect()
}

fn proxy(server: &VirtualServer, config: &Config, id: u32, listeners: &[SocketAddr]) -> ProxySpec {
    let mut proxy = ProxySpec::new(server.label().as_str(), id, Capability::Listen);
    let limits = &config.global.lvs_timeouts;
    let datagrams = (transport(server) == Some(Transport::Datagrams)).then(|| Datagrams {
        idle: limits.udp.unwrap_or(IDLE_DATAGRAMS),
        flows: FLOWS,
        single: server.one_packet.is_some_and(|on| on.value),
    });
    proxy.listeners = listeners
        .iter()
        .map(|address| {
            let mut listener = ListenerSpec::new(Endpoint::Inet(*address));
            listener.transparent = true;
            listener.datagrams = datagrams;
            listener
        })
        .collect();
    let idle = limits.tcp.unwrap_or(IDLE);
    (proxy.timeouts.client, proxy.timeouts.server) = (Some(idle), Some(idle));
    (proxy.timeouts.client_fin, proxy.timeouts.server_fin) = (limits.tcpfin, limits.tcpfin);
    let patience = server.scheduling.connect_timeout.map_or(CONNECT, |timeout| timeout.value);
    proxy.timeouts.connect = Some(patience);
    // Nothing is logged here: what happens to servers is told by `Watch`, and connections are not, as with the kernel.
    if let Some((table, rule)) = persistence(server, proxy.name.as_str(), listeners) {
        proxy.table = Some(table);
        proxy.stick.push(rule);
    }
    let port = listeners.first().map_or(0, SocketAddr::port);
    proxy.pool = pool(server, config, port);
    proxy
}

/// How long a client keeps its server. Who says which clients count as one means that they do.
pub(crate) fn persistence_timeout(server: &VirtualServer) -> Option<Duration> {
    let timeout = server.persistence_timeout.map(|timeout| timeout.value);
    timeout.or_else(|| server.persistence_granularity.map(|_| PERSISTENCE))
}

/// A client, or everybody in its network, keeps its server until it was away for so long.
fn persistence(
    server: &VirtualServer,
    name: &str,
    listeners: &[SocketAddr],
) -> Option<(TableSpec, StickRule)> {
    let timeout = persistence_timeout(server)?;
    let mask = server.persistence_granularity.map(|mask| mask.value);
    let ipv6 = listeners.iter().any(SocketAddr::is_ipv6);
    let key = match mask {
        None => "src".to_owned(),
        Some(PersistenceMask::V4(mask)) => format!("src,ipmask({})", u32::from(mask).count_ones()),
        Some(PersistenceMask::V6(length)) => format!("src,ipmask(32,{length})"),
    };
    let program = parse::parse(&key, &Registry::builtin(), &mut NoBuild).ok()?;
    let kind = if ipv6 { KeyType::Ipv6 } else { KeyType::Ip };
    let mut table = TableSpec::new(name, kind, CLIENTS);
    table.expire = Some(timeout);
    table.add_store(Store::new(DataType::ServerId));
    table.add_store(Store::new(DataType::ServerKey));
    Some((table, StickRule::new(StickKind::On, program)))
}

fn pool(server: &VirtualServer, config: &Config, port: u16) -> PoolSpec {
    let scheduler = server.scheduler();
    let (algorithm, hash) = algorithm(scheduler);
    let mut real: Vec<&RealServer> = Vec::new();
    for one in &server.real_servers {
        if !real.iter().any(|known| known.address.value == one.address.value) {
            real.push(one);
        }
    }
    if matches!(scheduler, "fo" | "ovf") {
        // The heaviest takes everything, or as much as it weighs.
        real.sort_by_key(|one| std::cmp::Reverse(weight(server, one)));
    }
    let heaviest = real.iter().map(|one| weight(server, one)).max().unwrap_or(1);
    // What has no weights in the kernel has none here; a weight of zero still takes no clients.
    let flat = matches!(scheduler, "rr" | "lc" | "fo" | "ovf");
    let mut servers: Vec<ServerSpec> = real
        .iter()
        .zip(1..)
        .map(|(one, id)| {
            let scale = Scale { own: weight(server, one), heaviest, flat };
            let mut spec = real_server(server, one, config, (id, port, scale));
            spec.weight = u16::try_from(scale.of(scale.own)).unwrap_or(u16::MAX);
            spec.share = weight(server, one);
            if scheduler == "ovf" {
                spec.maxconn = weight(server, one);
            }
            spec
        })
        .collect();
    if let Some(sorry) = &server.sorry_server {
        let address = with_port(sorry.address.value, port);
        let id = u32::try_from(servers.len()).unwrap_or(0) + 1;
        let mut spec = ServerSpec::new("sorry_server", id, ServerAddr::fixed(Endpoint::Inet(address)));
        spec.backup = true;
        servers.push(spec);
    }
    let mut pool = PoolSpec::new(algorithm, servers);
    pool.hash = hash;
    // Without somebody who serves instead, what is left goes on serving.
    pool.quorum = server.sorry_server.as_ref().map(|_| quorum(server));
    // The check may not have noticed yet.
    pool.retry.redispatch = 1;
    pool
}

/// The weight of living servers that a service needs. More than all weigh together cannot be asked for.
pub(crate) fn quorum(server: &VirtualServer) -> Quorum {
    let mut known = HashSet::new();
    let real = server.real_servers.iter().filter(|real| known.insert(real.address.value));
    let total: u64 = real.map(|real| u64::from(weight(server, real))).sum();
    let need = server.quorum.map_or(1, |quorum| u64::from(quorum.value)).min(total);
    let hysteresis = server.hysteresis.map_or(0, |hysteresis| u64::from(hysteresis.value));
    Quorum { need, hysteresis: hysteresis.min(need.saturating_sub(1)) }
}

/// The nearest relative of a scheduler of the kernel.
fn algorithm(scheduler: &str) -> (Algorithm, HashType) {
    match scheduler {
        "rr" | "wrr" => (Algorithm::RoundRobin, HashType::default()),
        "sh" => (Algorithm::Source, HashType::default()),
        "mh" => (Algorithm::Source, HashType::of(HashMethod::Consistent)),
        // One destination has one server.
        "dh" => (Algorithm::Sticky, HashType::default()),
        "fo" | "ovf" => (Algorithm::First, HashType::default()),
        "twos" => (Algorithm::Random { draws: 2 }, HashType::default()),
        "nq" => (Algorithm::LeastConn, HashType::default()),
        "sed" => (Algorithm::ShortestDelay, HashType::default()),
        _ => (Algorithm::Fewest, HashType::default()),
    }
}

/// The weight of a real server as configured.
pub(crate) fn weight(server: &VirtualServer, real: &RealServer) -> u32 {
    real.weight.or(server.weight).map_or(1, |weight| weight.value)
}

fn real_server(
    server: &VirtualServer,
    real: &RealServer,
    config: &Config,
    (id, port, scale): (u32, u16, Scale),
) -> ServerSpec {
    let address = with_port(real.address.value, port);
    let mut spec =
        ServerSpec::new(address.to_string().as_str(), id, ServerAddr::fixed(Endpoint::Inet(address)));
    spec.maxconn = real.uthreshold.map_or(0, |most| most.value);
    if transport(server) == Some(Transport::Datagrams) {
        // A client that hears nothing of a dead server's datagrams goes on sending; its flow must end for it to have another.
        let keeps = real.inhibit_on_failure.or(server.inhibit_on_failure).is_some_and(|on| on.value);
        spec.on_marked_down = if keeps { MarkedDown::Keep } else { MarkedDown::ShutdownSessions };
        spec.shutdown_backup_sessions = server.sorry_server.as_ref().is_some_and(|sorry| !sorry.inhibit);
    }
    spec.check = check::check(server, real, config, (address, scale)).map(Arc::new);
    spec.init_state = if check::starts_down(server, real) { InitState::Down } else { InitState::Up };
    spec
}

/// The name a real server has among the servers of its proxy.
pub(crate) fn real_name(server: &VirtualServer, real: &RealServer, config: &Config) -> String {
    let port = listeners(server, config).first().map_or(0, SocketAddr::port);
    with_port(real.address.value, port).to_string()
}

fn with_port(address: SocketAddr, port: u16) -> SocketAddr {
    if address.port() == 0 { SocketAddr::new(address.ip(), port) } else { address }
}
