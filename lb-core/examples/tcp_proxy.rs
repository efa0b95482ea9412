//! A TCP proxy in a few lines: one listener, some servers, connections in turn.
//!
//! Shows how a specification is written by hand and run. A real program would add health checks, timeouts and logging to the
//! specification, and end by `close_listeners` and `drained`.
//!
//! usage: `tcp_proxy LISTEN SERVER...`, for example `tcp_proxy 127.0.0.1:8025 10.0.10.1:25 10.0.10.2:25`

use lb_core::addr::Endpoint;
use lb_core::balance::Algorithm;
use lb_core::rt::{Server, ServerOptions, Sockets, processors};
use lb_core::spec::{Capability, ListenerSpec, PoolSpec, ProxySpec, ServerAddr, ServerSpec, Spec};
use std::net::SocketAddr;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut addresses = Vec::new();
    for word in std::env::args().skip(1) {
        addresses.push(word.parse::<SocketAddr>()?);
    }
    let (listen, servers) = addresses.split_first().ok_or("usage: tcp_proxy LISTEN SERVER...")?;
    let mut proxy = ProxySpec::new("proxy", 1, Capability::Listen);
    proxy.listeners.push(ListenerSpec::new((*listen).into()));
    let server = |(at, id): (&SocketAddr, u32)| {
        ServerSpec::new(at.to_string().as_str(), id, ServerAddr::fixed(Endpoint::Inet(*at)))
    };
    proxy.pool = PoolSpec::new(Algorithm::RoundRobin, servers.iter().zip(1..).map(server).collect());
    let mut spec = Spec::new();
    spec.proxies.push(proxy);
    let running = Server::new(spec, ServerOptions::new(processors()), &mut Sockets::new())?;
    running.start()?;
    loop {
        std::thread::park();
    }
}
