//! Datagrams through a running server, over loopback sockets on ports the system chooses.
#![cfg(feature = "tokio")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test driver opens sockets and reads the clock"
)]

use lb_core::addr::Endpoint;
use lb_core::balance::Algorithm;
use lb_core::rt::{Server, ServerOptions, Sockets};
use lb_core::spec::{Capability, Datagrams, ListenerSpec, PoolSpec, ProxySpec, ServerAddr, ServerSpec, Spec};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// Longest wait for an answer that is to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server that answers each datagram with its name before it, `copies` times.
fn server(name: &'static str, copies: usize) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 65536];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            let answer = [name.as_bytes(), &buffer[..length]].concat();
            for _ in 0..copies {
                let _ = socket.send_to(&answer, peer);
            }
        }
    });
    addr
}

fn spec(servers: &[(&str, SocketAddr)], change: impl FnOnce(&mut ProxySpec, &mut Datagrams)) -> Spec {
    let mut proxy = ProxySpec::new("names", 2, Capability::Listen);
    let one = |(i, (name, addr)): (usize, &(&str, SocketAddr))| {
        ServerSpec::new(*name, i as u32 + 1, ServerAddr::fixed(Endpoint::Inet(*addr)))
    };
    proxy.pool = PoolSpec::new(Algorithm::RoundRobin, servers.iter().enumerate().map(one).collect());
    let mut datagrams = Datagrams { idle: Duration::from_secs(60), flows: 64, single: false };
    change(&mut proxy, &mut datagrams);
    let mut listener = ListenerSpec::new("127.0.0.1:0".parse::<SocketAddr>().unwrap().into());
    listener.datagrams = Some(datagrams);
    proxy.listeners.push(listener);
    let mut spec = Spec::new();
    spec.proxies.push(proxy);
    spec
}

/// One worker, so that it does not matter which socket the kernel gives a client's datagrams to.
fn start(spec: Spec) -> (Server, SocketAddr) {
    let server = Server::new(spec, ServerOptions::new(1), &mut Sockets::new()).unwrap();
    let addr = server.addresses()[0].1;
    server.start().unwrap();
    (server, addr)
}

fn client() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn ask(client: &UdpSocket, to: SocketAddr, question: &str) -> String {
    client.send_to(question.as_bytes(), to).unwrap();
    hear(client, to)
}

fn hear(client: &UdpSocket, from: SocketAddr) -> String {
    let mut buffer = [0; 65536];
    let (length, peer) = client.recv_from(&mut buffer).unwrap();
    assert_eq!(peer, from, "answers come from the address that was asked");
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

/// Waits until so many flows are left.
fn settles(server: &Server, flows: usize) {
    let end = std::time::Instant::now() + PATIENCE;
    while server.connections() != flows {
        assert!(std::time::Instant::now() < end, "{} flows, not {flows}", server.connections());
        std::thread::yield_now();
    }
}

#[test]
fn a_client_keeps_its_server_and_the_next_client_gets_the_next() {
    let (server, addr) = start(spec(&[("A", server("A", 1)), ("B", server("B", 1))], |_, _| {}));
    let clients: Vec<_> = (0..4).map(|_| client()).collect();
    for round in ["1", "2", "3"] {
        let answers: Vec<_> = clients.iter().map(|one| ask(one, addr, round)).collect();
        assert_eq!(answers, ["A", "B", "A", "B"].map(|name| format!("{name}{round}")));
    }
    assert_eq!(server.connections(), 4, "each flow is a connection to those who count");
}

#[test]
fn every_answer_of_a_server_reaches_the_client_and_large_ones_too() {
    let (_server, addr) = start(spec(&[("A", server("A", 3))], |_, _| {}));
    let one = client();
    let long = "x".repeat(9000);
    assert_eq!(ask(&one, addr, &long).len(), 9001);
    assert_eq!(hear(&one, addr).len(), 9001);
    assert_eq!(hear(&one, addr).len(), 9001);
}

#[test]
fn a_flow_in_which_nothing_passes_ends() {
    let idle = Duration::from_millis(50);
    let (server, addr) = start(spec(&[("A", server("A", 1))], |_, datagrams| datagrams.idle = idle));
    let one = client();
    assert_eq!(ask(&one, addr, "1"), "A1");
    settles(&server, 0);
    assert_eq!(ask(&one, addr, "2"), "A2", "and begins anew");
}

#[test]
fn the_number_of_flows_is_bounded_and_the_most_silent_client_makes_room() {
    let names = [("A", server("A", 1)), ("B", server("B", 1)), ("C", server("C", 1))];
    let (server, addr) = start(spec(&names, |_, datagrams| datagrams.flows = 2));
    let clients: Vec<_> = (0..3).map(|_| client()).collect();
    let answers: Vec<_> = clients.iter().map(|one| ask(one, addr, "")).collect();
    assert_eq!(answers, ["A", "B", "C"]);
    settles(&server, 2);
    assert_eq!(ask(&clients[1], addr, ""), "B", "the second one is still there");
    assert_eq!(ask(&clients[0], addr, ""), "A", "the first one begins anew, in its turn");
    settles(&server, 2);
}

#[test]
fn datagrams_that_are_flows_of_their_own_go_to_the_servers_in_turn() {
    let names = [("A", server("A", 1)), ("B", server("B", 1))];
    let (_server, addr) = start(spec(&names, |_, datagrams| datagrams.single = true));
    let one = client();
    let answers: Vec<_> = (0..4).map(|_| ask(&one, addr, "")).collect();
    assert_eq!(answers, ["A", "B", "A", "B"]);
}

#[test]
fn datagrams_that_are_flows_of_their_own_do_not_end_each_other() {
    let (_server, addr) = start(spec(&[("A", server("A", 1))], |_, datagrams| datagrams.single = true));
    let one = client();
    for question in 0..8 {
        one.send_to(question.to_string().as_bytes(), addr).unwrap();
    }
    let mut answers: Vec<_> = (0..8).map(|_| hear(&one, addr)).collect();
    answers.sort();
    assert_eq!(answers, ["A0", "A1", "A2", "A3", "A4", "A5", "A6", "A7"]);
}

#[test]
fn a_client_whose_server_refuses_gets_another() {
    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_server, addr) = start(spec(&[("A", nobody), ("B", server("B", 1))], |_, _| {}));
    let one = client();
    one.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut buffer = [0; 16];
    // What was sent to the first server is lost; who asks again is heard.
    let answered = (0..200).find_map(|_| {
        one.send_to(b"?", addr).unwrap();
        one.recv(&mut buffer).ok()
    });
    assert_eq!(answered.map(|length| &buffer[..length]), Some(&b"B?"[..]));
}

#[test]
fn a_reload_keeps_flows_and_a_service_that_is_gone_ends_them() {
    let a = server("A", 1);
    let (running, addr) = start(spec(&[("A", a)], |_, _| {}));
    let one = client();
    assert_eq!(ask(&one, addr, "1"), "A1");
    let next = spec(&[("B", server("B", 1))], |_, _| {});
    running.reload(next, ServerOptions::new(1), &mut Sockets::new()).unwrap();
    assert_eq!(ask(&one, addr, "2"), "A2", "the flow stays where it is");
    assert_eq!(ask(&client(), addr, "3"), "B3");
    running.reload(Spec::new(), ServerOptions::new(1), &mut Sockets::new()).unwrap();
    settles(&running, 0);
}

#[test]
fn datagrams_and_connections_share_a_port() {
    let mut both = spec(&[("A", server("A", 1))], |_, _| {});
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    both.proxies[0].listeners[0].endpoint = port.into();
    let mut streams = ProxySpec::new("streams", 3, Capability::Frontend);
    streams.listeners.push(ListenerSpec::new(port.into()));
    both.proxies.push(streams);
    let (_server, _) = start(both);
    assert_eq!(ask(&client(), port, "1"), "A1");
    drop(std::net::TcpStream::connect(port).unwrap());
}
