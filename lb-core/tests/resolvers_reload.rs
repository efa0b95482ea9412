//! What a reload makes of servers with `resolvers`.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test reads the clock")]

use lb_core::addr::Endpoint;
use lb_core::balance::{Algorithm, ServerId};
use lb_core::dns::{Choice, Family, ResolverSpec, Resolvers};
use lb_core::engine::{Clock, Engine};
use lb_core::pool::ResolutionFailure;
use lb_core::rt::server_endpoint;
use lb_core::spec::{Capability, PoolSpec, ProxySpec, Resolution, ServerAddr, ServerSpec, Spec};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

fn now() -> Clock {
    Clock::new(Instant::now(), SystemTime::now())
}

/// A server with `resolvers`, with or without a name to ask for.
fn spec(ip: [u8; 4], name: Option<&str>) -> Spec {
    let mut server = ServerSpec::new("s", 1, ServerAddr::fixed(Endpoint::Inet((ip, 80).into())));
    server.hostname = name.map(Into::into);
    let choice = Choice { prefer: Family::V6, networks: Vec::new(), duplicates: false };
    server.resolution =
        Some(Resolution { resolvers: Arc::new(Resolvers::new(ResolverSpec::new("r"))), choice });
    let mut proxy = ProxySpec::new("be", 1, Capability::Backend);
    proxy.pool = PoolSpec::new(Algorithm::RoundRobin, vec![server]);
    let mut spec = Spec::new();
    spec.proxies.push(proxy);
    spec
}

#[test]
fn a_new_address_counts_although_name_servers_are_configured_if_there_is_no_name_to_ask_for() {
    for (name, found) in [(None, [192, 0, 2, 2]), (Some("a.example"), [192, 0, 2, 1])] {
        let engine = Engine::build(spec([192, 0, 2, 1], name), 1, now()).unwrap();
        engine.reconfigure(spec([192, 0, 2, 2], name), now()).unwrap();
        let address = engine.plan().backend("be").unwrap().pool.address(ServerId(0));
        assert_eq!(address, Some(Endpoint::Inet((found, 80).into())));
    }
}

#[test]
fn a_name_that_leads_nowhere_does_not_lead_to_where_it_led_at_the_start() {
    let place = |engine: &Engine| {
        let plan = engine.plan();
        let backend = plan.backend("be").unwrap();
        let only = ServerId(0);
        backend.pool.lose_address(only, ResolutionFailure::NxDomain, Instant::now()).unwrap();
        server_endpoint(backend, &backend.servers[0], Some(only), None)
    };
    let followed = Engine::build(spec([192, 0, 2, 1], Some("a.example")), 1, now()).unwrap();
    assert_eq!(place(&followed), Endpoint::Host { name: "a.example".into(), port: 80 });
    let fixed = Engine::build(spec([192, 0, 2, 1], None), 1, now()).unwrap();
    assert_eq!(place(&fixed), Endpoint::Inet(([192, 0, 2, 1], 80).into()));
}
