//! Content rules, stickiness and tracking of the TCP driver over loopback sockets on ports the system chooses.
#![cfg(feature = "tokio")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test driver opens sockets and reads the clock"
)]

use lb_core::addr::Endpoint;
use lb_core::balance::{Algorithm, ServerId};
use lb_core::bandwidth::{Quota, SetBandwidth, Shaper};
use lb_core::ctl::Control;
use lb_core::expr::{Direction, NoBuild, Program, Registry, parse};
use lb_core::name::ProxyName;
use lb_core::rt::{Server, ServerOptions, Sockets};
use lb_core::rule::Rule;
use lb_core::rule::cond::{self, Acl, Condition, Polarity};
use lb_core::rule::tcp::{TcpAction, Track};
use lb_core::spec::{
    Capability, ListenerSpec, PoolSpec, ProxySpec, Route, RouteTarget, ServerAddr, ServerSpec, Spec,
    StickKind, StickRule, Timeouts,
};
use lb_core::stick::{DataType, KeyType, Store, TableSpec};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// A server that answers with its name and what it was told, once the client has finished.
fn server(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut told = Vec::new();
                if stream.read_to_end(&mut told).is_ok() {
                    let _ = stream.write_all(&[name.as_bytes(), b":", &told].concat());
                }
            });
        }
    });
    addr
}

fn condition(text: &str) -> Option<Condition> {
    let words: Vec<&str> = text.split(' ').collect();
    let none: HashMap<String, Arc<Acl>> = HashMap::new();
    Some(cond::parse(&words, Polarity::If, &none, &Registry::builtin(), &mut NoBuild).unwrap().0)
}

fn program(text: &str) -> Program {
    parse::parse(text, &Registry::builtin(), &mut NoBuild).unwrap()
}

fn proxy(name: &str, id: u32, capability: Capability, servers: &[&'static str]) -> ProxySpec {
    let mut proxy = ProxySpec::new(name, id, capability);
    if capability.is_frontend() {
        proxy.listeners.push(ListenerSpec::new("127.0.0.1:0".parse::<SocketAddr>().unwrap().into()));
    }
    let spec = |(i, name): (usize, &&'static str)| {
        ServerSpec::new(*name, i as u32 + 1, ServerAddr::fixed(Endpoint::Inet(server(name))))
    };
    proxy.pool = PoolSpec::new(Algorithm::RoundRobin, servers.iter().enumerate().map(spec).collect());
    let mut timeouts = Timeouts::default();
    timeouts.connect = Some(Duration::from_secs(2));
    timeouts.client = Some(Duration::from_secs(20));
    timeouts.server = Some(Duration::from_secs(20));
    proxy.timeouts = timeouts;
    proxy
}

fn start(proxies: Vec<ProxySpec>) -> (Server, SocketAddr) {
    let mut spec = Spec::new();
    spec.proxies = proxies;
    let server = Server::new(spec, ServerOptions::new(2), &mut Sockets::new()).unwrap();
    let addr = server.addresses()[0].1;
    server.start().unwrap();
    (server, addr)
}

/// Sends the parts one after the other and returns the whole answer.
fn talk(addr: SocketAddr, parts: &[&str]) -> String {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.set_nodelay(true).unwrap();
    for part in parts {
        stream.write_all(part.as_bytes()).unwrap();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_first_bytes_choose_the_backend_and_reach_it_whole() {
    let mut front = proxy("front", 2, Capability::Frontend, &[]);
    front.tcp_rules.inspect_delay = Some(Duration::from_secs(10));
    front.tcp_rules.request.push(Rule::new(TcpAction::Reject, condition("{ req.payload(0,3) -m str bad }")));
    front.tcp_rules.request.push(Rule::new(TcpAction::Accept, condition("{ req.len ge 3 }")));
    front.routes.push(Route::new(
        condition("{ req.payload(0,3) -m str one }"),
        RouteTarget::Backend(ProxyName::new("one")),
    ));
    front.default_backend = Some(ProxyName::new("two"));
    let one = proxy("one", 3, Capability::Backend, &["a"]);
    let two = proxy("two", 4, Capability::Backend, &["b"]);
    let (server, addr) = start(vec![front, one, two]);
    assert_eq!(talk(addr, &["one", " and more"]), "a:one and more");
    assert_eq!(talk(addr, &["o", "n", "e"]), "a:one");
    assert_eq!(talk(addr, &["two"]), "b:two");
    assert_eq!(talk(addr, &["x"]), "b:x", "the end of the client's bytes ends the wait");
    assert_eq!(talk(addr, &["bad"]), "");
    let plan = server.generation().plan.clone();
    let denied: u64 =
        (0..2).map(|worker| plan.proxy(0).state.front.counters.of(worker).denied_requests.get()).sum();
    assert_eq!(denied, 1);
}

#[test]
fn a_first_answer_that_was_waited_for_counts_for_its_limit() {
    let mut proxy = proxy("p", 2, Capability::Listen, &["s"]);
    let quota = Quota::Stream { limit: 3, period: 1_000_000 };
    let shaper = Shaper { owner: "p".into(), place: 0, direction: Direction::Response, quota, min_size: 0 };
    let set = SetBandwidth { shaper: Arc::new(shaper), limit: None, period: None };
    proxy.tcp_rules.request.push(Rule::new(TcpAction::SetBandwidth(set), None));
    proxy.tcp_rules.response_inspect_delay = Some(Duration::from_secs(10));
    proxy.tcp_rules.response.push(Rule::new(TcpAction::Accept, condition("{ res.len ge 6 }")));
    let (_server, addr) = start(vec![proxy]);
    let mut client = TcpStream::connect(addr).unwrap();
    client.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    client.write_all(b"good").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut seen = Vec::new();
    let mut part = [0; 64];
    while let Ok(read @ 1..) = client.read(&mut part) {
        seen.extend_from_slice(&part[..read]);
    }
    assert_eq!(String::from_utf8(seen).unwrap(), "s:g");
}

#[test]
fn an_answer_may_be_refused_before_any_byte_of_it_passes() {
    let mut proxy = proxy("p", 2, Capability::Listen, &["s"]);
    proxy.tcp_rules.response_inspect_delay = Some(Duration::from_secs(10));
    proxy
        .tcp_rules
        .response
        .push(Rule::new(TcpAction::Reject, condition("{ res.payload(0,5) -m str s:bad }")));
    let (server, addr) = start(vec![proxy]);
    assert_eq!(talk(addr, &["bad"]), "");
    assert_eq!(talk(addr, &["good"]), "s:good");
    let plan = server.generation().plan.clone();
    let proxy = plan.proxy(0);
    let cell = proxy.pool.server(ServerId(0)).unwrap();
    let denied = [
        proxy.state.front.counters.sum().denied_responses,
        proxy.pool.counters().sum().denied_responses,
        cell.counters().sum().denied_responses,
    ];
    assert_eq!(denied, [1; 3]);
}

#[test]
fn a_key_in_the_first_bytes_sticks_to_its_server() {
    let mut proxy = proxy("p", 2, Capability::Listen, &["a", "b"]);
    proxy.tcp_rules.inspect_delay = Some(Duration::from_secs(10));
    proxy.tcp_rules.request.push(Rule::new(TcpAction::Accept, condition("{ req.len ge 2 }")));
    let mut table = TableSpec::new("p", KeyType::String(8), 10);
    table.add_store(Store::new(DataType::ServerId));
    proxy.table = Some(table);
    proxy.stick.push(StickRule::new(StickKind::On, program("req.payload(0,2)")));
    let (server, addr) = start(vec![proxy]);
    let first = [talk(addr, &["k1"]), talk(addr, &["k2"])];
    assert_eq!(first, ["a:k1", "b:k2"]);
    for _ in 0..3 {
        assert_eq!(talk(addr, &["k2"]), "b:k2");
        assert_eq!(talk(addr, &["k1"]), "a:k1");
    }
    assert_eq!(server.control().tables()[0].len(), 2);
}

#[test]
fn connections_are_refused_by_what_was_counted() {
    let mut proxy = proxy("p", 2, Capability::Listen, &["s"]);
    let mut table = TableSpec::new("p", KeyType::Ip, 10);
    for data in [DataType::ConnCnt, DataType::SessCnt, DataType::BytesInCnt] {
        table.add_store(Store::new(data));
    }
    proxy.table = Some(table);
    let track = TcpAction::Track(Track { slot: 0, key: program("src"), table: None });
    proxy.tcp_rules.connection.push(Rule::new(track, None));
    proxy.tcp_rules.session.push(Rule::new(TcpAction::Reject, condition("{ sc0_conn_cnt gt 2 }")));
    let (_server, addr) = start(vec![proxy]);
    assert_eq!([talk(addr, &["one"]), talk(addr, &["two"])], ["s:one", "s:two"]);
    let mut third = TcpStream::connect(addr).unwrap();
    third.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let refused = third.read(&mut [0; 8]);
    assert!(matches!(refused, Ok(0) | Err(_)), "{refused:?}");
}
