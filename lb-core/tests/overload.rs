//! What happens when the process has no descriptor left. The limit holds for the whole process, so this test is alone.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test driver opens sockets")]

use lb_core::addr::Endpoint;
use lb_core::balance::Algorithm;
use lb_core::rt::{Server, ServerOptions, Sockets};
use lb_core::spec::{Capability, ListenerSpec, PoolSpec, ProxySpec, ServerAddr, ServerSpec, Spec, Timeouts};
use rustix::process::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

/// A server that greets.
fn greeter() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // Without a descriptor it tries again with the next one.
            let Ok(mut stream) = stream else { continue };
            let _ = stream.write_all(b"hello");
        }
    });
    addr
}

fn server() -> (Server, SocketAddr) {
    let mut proxy = ProxySpec::new("mail", 2, Capability::Listen);
    proxy.listeners.push(ListenerSpec::new("127.0.0.1:0".parse::<SocketAddr>().unwrap().into()));
    let only = ServerSpec::new("s1", 1, ServerAddr::fixed(Endpoint::Inet(greeter())));
    proxy.pool = PoolSpec::new(Algorithm::RoundRobin, vec![only]);
    let mut timeouts = Timeouts::default();
    timeouts.connect = Some(Duration::from_secs(2));
    proxy.timeouts = timeouts;
    let mut spec = Spec::new();
    spec.proxies.push(proxy);
    let server = Server::new(spec, ServerOptions::new(1), &mut Sockets::new()).unwrap();
    let addr = server.addresses()[0].1;
    server.start().unwrap();
    (server, addr)
}

/// CPU time of this process in clock ticks.
fn ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let words: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    words[11].parse::<u64>().unwrap() + words[12].parse::<u64>().unwrap()
}

#[test]
fn without_descriptors_accepting_pauses_and_goes_on_by_itself() {
    let (_server, addr) = server();
    // The clients' descriptors are there before the limit is.
    let clients: Vec<Socket> =
        (0..3).map(|_| Socket::new(Domain::IPV4, Type::STREAM, None).unwrap()).collect();
    let before = getrlimit(Resource::Nofile);
    let mut none = before;
    none.current = Some(std::fs::read_dir("/proc/self/fd").unwrap().count() as u64 - 1);
    let used = ticks();
    setrlimit(Resource::Nofile, none).unwrap();
    for client in &clients {
        client.connect(&addr.into()).unwrap();
    }
    clients[0].set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let waited = (&clients[0]).read(&mut [0; 5]);
    setrlimit(Resource::Nofile, before).unwrap();
    assert!(waited.is_err(), "nobody could accept");
    // Half a second of trying again and again would be fifty.
    let spent = ticks() - used;
    assert!(spent < 25, "{spent} ticks");
    for mut client in &clients {
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut greeting = [0; 5];
        client.read_exact(&mut greeting).unwrap();
        assert_eq!(&greeting, b"hello");
    }
}
