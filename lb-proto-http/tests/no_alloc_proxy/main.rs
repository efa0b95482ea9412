//! A running proxy allocates nothing for a request on a connection that was used before. Client and server of this test
//! use buffers of their stacks, so everything that is counted is the proxy's.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test driver opens sockets")]

mod sys;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use lb_core::addr::Endpoint;
use lb_core::balance::Algorithm;
use lb_core::rt::{Server, ServerOptions, Sockets};
use lb_core::spec::{Capability, ListenerSpec, Mode, PoolSpec, ProxySpec, ServerAddr, ServerSpec, Spec};
use lb_proto_http::spec::HttpProxy;

const REQUEST: &[u8] = b"GET /app?id=1 HTTP/1.1\r\nHost: www.example.com\r\nAccept: text/html\r\n\r\n";
const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello";

/// Reads until what was read ends like this.
fn read_to(stream: &mut TcpStream, end: &[u8]) -> bool {
    let mut buffer = [0; 4096];
    let mut filled = 0;
    while !buffer[..filled].ends_with(end) {
        match stream.read(&mut buffer[filled..]) {
            Ok(n) if n > 0 => filled += n,
            _ => return false,
        }
    }
    true
}

fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            while read_to(&mut stream, b"\r\n\r\n") && stream.write_all(RESPONSE).is_ok() {}
        }
    });
    addr
}

fn proxy(server: SocketAddr) -> Server {
    let mut spec = ProxySpec::new("web", 2, Capability::Listen);
    spec.mode = Mode::Http;
    spec.listeners.push(ListenerSpec::new("127.0.0.1:0".parse::<SocketAddr>().unwrap().into()));
    let server = ServerSpec::new("s1", 1, ServerAddr::fixed(Endpoint::Inet(server)));
    spec.pool = PoolSpec::new(Algorithm::RoundRobin, vec![server]);
    spec.protocol = Arc::new(HttpProxy::new());
    let mut all = Spec::new();
    all.proxies.push(spec);
    let options = ServerOptions::new(1).protocol(lb_proto_http::proxy::factory);
    Server::new(all, options, &mut Sockets::new()).unwrap()
}

#[test]
fn a_request_on_a_warm_connection_allocates_nothing() {
    const REQUESTS: usize = 2000;
    let server = proxy(origin());
    let addr = server.addresses()[0].1;
    server.start().unwrap();
    let mut client = TcpStream::connect(addr).unwrap();
    let mut exchanges = |count: usize| {
        for _ in 0..count {
            client.write_all(REQUEST).unwrap();
            assert!(read_to(&mut client, b"hello"));
        }
    };
    exchanges(20);
    let before = sys::allocations();
    exchanges(REQUESTS);
    let during = sys::allocations() - before;
    // What the server does from time to time beside the requests may allocate a little.
    assert!(during < REQUESTS / 50, "{during} allocations for {REQUESTS} requests");
}
