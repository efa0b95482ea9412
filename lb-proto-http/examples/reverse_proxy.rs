//! A reverse proxy made by hand: `reverse_proxy LISTEN SERVER…`, for example
//! `reverse_proxy 127.0.0.1:8080 127.0.0.1:9001 127.0.0.1:9002`.
//!
//! Shows how an embedder builds a specification without any configuration file: one proxy that adds `X-Forwarded-For`
//! and a field of its own, and shares the load between servers. Real code would also configure health checks, logs and
//! a way to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lb_core::addr::Endpoint;
use lb_core::balance::Algorithm;
use lb_core::log::Template;
use lb_core::rt::{Server, ServerOptions, Sockets};
use lb_core::rule::Rule;
use lb_core::spec::{
    Capability, ListenerSpec, Mode, PoolSpec, ProxySpec, ServerAddr, ServerSpec, Spec, Timeouts,
};
use lb_proto_http::head::HeaderName;
use lb_proto_http::spec::{Action, ForwardFor, HttpProxy};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let listen: SocketAddr = args.next().ok_or("where to listen is missing")?.parse()?;
    let servers: Vec<SocketAddr> = args.map(|arg| arg.parse()).collect::<Result<_, _>>()?;

    let mut http = HttpProxy::new();
    http.forward_for = Some(ForwardFor::new());
    let field = Action::SetHeader(HeaderName::new("x-served-by"), Template::literal("reverse_proxy"));
    http.response.push(Rule::new(field, None));

    let mut proxy = ProxySpec::new("web", 2, Capability::Listen);
    proxy.mode = Mode::Http;
    proxy.protocol = Arc::new(http);
    proxy.listeners.push(ListenerSpec::new(listen.into()));
    let server = |(index, addr): (usize, SocketAddr)| {
        let name = format!("s{}", index + 1);
        ServerSpec::new(name.as_str(), index as u32 + 1, ServerAddr::fixed(Endpoint::Inet(addr)))
    };
    proxy.pool = PoolSpec::new(Algorithm::RoundRobin, servers.into_iter().enumerate().map(server).collect());
    let mut timeouts = Timeouts::default();
    timeouts.connect = Some(Duration::from_secs(5));
    timeouts.client = Some(Duration::from_secs(300));
    timeouts.server = Some(Duration::from_secs(300));
    proxy.timeouts = timeouts;

    let mut spec = Spec::new();
    spec.proxies.push(proxy);
    let options = ServerOptions::new(1).protocol(lb_proto_http::proxy::factory);
    let server = Server::new(spec, options, &mut Sockets::new())?;
    server.start()?;
    loop {
        std::thread::park();
    }
}
