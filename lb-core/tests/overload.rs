//! What happens when the process has no descriptor left. The limit holds for the whole process, so this test is alone.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test driver opens sockets")]

use lb_core::addr::Endpoint;
use lb_core::balance::Algorithm;
use lb_core::rt::{Server, ServerOptions, Sockets};
use lb_core::spec::{Capability, ListenerSpec, PoolSpec, ProxySpec, ServerAddr, ServerSpec, Spec, Timeouts};
use rustix::process::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// A server that greets.
fn greeter() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            match stream {
                Ok(mut stream) => drop(stream.write_all(b"hello")),
                // Without a descriptor accepting fails at once, even while nobody comes.
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
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

/// CPU time of this process in clock ticks, from a file that is open already.
fn ticks(stat: &File) -> u64 {
    let mut text = [0; 1024];
    let length = stat.read_at(&mut text, 0).unwrap();
    let stat = String::from_utf8_lossy(&text[..length]);
    let words: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    words[11].parse::<u64>().unwrap() + words[12].parse::<u64>().unwrap()
}

#[test]
fn without_descriptors_accepting_pauses_and_goes_on_by_itself() {
    let (_server, addr) = server();
    // The clients' descriptors are there before the limit is.
    let clients: Vec<Socket> =
        (0..3).map(|_| Socket::new(Domain::IPV4, Type::STREAM, None).unwrap()).collect();
    let stat = File::open("/proc/self/stat").unwrap();
    let before = getrlimit(Resource::Nofile);
    let mut none = before;
    none.current = Some(std::fs::read_dir("/proc/self/fd").unwrap().count() as u64 - 1);
    setrlimit(Resource::Nofile, none).unwrap();
    for client in &clients {
        client.connect(&addr.into()).unwrap();
    }
    clients[0].set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    // The first of these times may still have something of the start in it.
    let waits: Vec<_> = (0..4)
        .map(|_| {
            let used = ticks(&stat);
            let waited = (&clients[0]).read(&mut [0; 5]);
            (waited.is_err(), ticks(&stat) - used)
        })
        .collect();
    setrlimit(Resource::Nofile, before).unwrap();
    assert!(waits.iter().all(|(in_vain, _)| *in_vain), "nobody could accept: {waits:?}");
    // Trying again and again would take twenty each time.
    assert!(waits.iter().any(|(_, spent)| *spent < 10), "ticks: {waits:?}");
    for mut client in &clients {
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut greeting = [0; 5];
        client.read_exact(&mut greeting).unwrap();
        assert_eq!(&greeting, b"hello");
    }
}
