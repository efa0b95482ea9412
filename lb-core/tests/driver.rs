//! The running server, driven over loopback sockets on ports the system chooses.
#![cfg(feature = "tokio")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test driver opens sockets and reads the clock"
)]

use lb_core::addr::Endpoint;
use lb_core::balance::Algorithm;
use lb_core::expr::{EngineView, ServerFact};
use lb_core::pool::AdminState;
use lb_core::rt::{Server, ServerOptions, Sockets};
use lb_core::spec::{
    Capability, Facility, ListenerSpec, LogDestination, LogFormat, LogTarget, PoolSpec, ProxySpec,
    ServerAddr, ServerSpec, Spec, Timeouts,
};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// A server that says its name and then returns what it is told.
fn echo(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let _ = stream.write_all(name.as_bytes());
                let mut buf = [0; 65536];
                while let Ok(n) = stream.read(&mut buf) {
                    if n == 0 || stream.write_all(&buf[..n]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    addr
}

/// An address nobody listens on.
fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn spec(listen: &str, servers: &[(&str, SocketAddr)]) -> Spec {
    let mut proxy = ProxySpec::new("mail", 2, Capability::Listen);
    proxy.listeners.push(ListenerSpec::new(listen.parse::<SocketAddr>().unwrap().into()));
    let server = |(i, (name, addr)): (usize, &(&str, SocketAddr))| {
        ServerSpec::new(*name, i as u32 + 1, ServerAddr::fixed(Endpoint::Inet(*addr)))
    };
    proxy.pool = PoolSpec::new(Algorithm::RoundRobin, servers.iter().enumerate().map(server).collect());
    let mut timeouts = Timeouts::default();
    timeouts.connect = Some(Duration::from_secs(2));
    timeouts.client = Some(Duration::from_secs(20));
    timeouts.server = Some(Duration::from_secs(20));
    proxy.timeouts = timeouts;
    let mut spec = Spec::new();
    spec.proxies.push(proxy);
    spec
}

fn start(spec: Spec) -> (Server, SocketAddr) {
    start_with(spec, 2)
}

fn start_with(spec: Spec, workers: usize) -> (Server, SocketAddr) {
    let server = Server::new(spec, ServerOptions::new(workers), &mut Sockets::new()).unwrap();
    let addr = server.addresses()[0].1;
    server.start().unwrap();
    (server, addr)
}

fn client(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn greeting(stream: &mut TcpStream) -> String {
    let mut byte = [0];
    stream.read_exact(&mut byte).unwrap();
    String::from_utf8_lossy(&byte).into_owned()
}

#[test]
fn a_server_has_the_workers_that_its_specification_asks_for_unless_told_otherwise() {
    let with = |workers| {
        let mut spec = Spec::new();
        spec.process.threads = Some(3);
        let server = Server::new(spec, ServerOptions::new(workers), &mut Sockets::new()).unwrap();
        server.workers().all().len()
    };
    assert_eq!((with(0), with(2)), (3, 2));
}

#[test]
fn sessions_take_the_servers_in_turn() {
    let (_server, addr) = start(spec("127.0.0.1:0", &[("a", echo("a")), ("b", echo("b"))]));
    let names: String = (0..4).map(|_| greeting(&mut client(addr))).collect();
    assert!(names == "abab" || names == "baba", "{names}");
}

#[test]
fn lines_without_a_host_name_of_their_own_carry_that_of_the_machine() {
    let own = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for (configured, sent) in [("", own.trim_end()), ("edge", "edge")] {
        let log = UdpSocket::bind("127.0.0.1:0").unwrap();
        log.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut spec = spec("127.0.0.1:0", &[("a", echo("a"))]);
        let mut target =
            LogTarget::new(LogDestination::Syslog(log.local_addr().unwrap().into()), Facility::LOCAL0);
        target.format = LogFormat::Rfc3164;
        spec.proxies[0].log.targets.push(target);
        spec.process.syslog.hostname = Some(configured.into());
        let (_server, addr) = start(spec);
        greeting(&mut client(addr));
        let mut line = [0; 1024];
        let length = log.recv(&mut line).unwrap();
        let line = String::from_utf8_lossy(&line[..length]);
        // After the priority and three words of a date, of which the day may be padded.
        assert_eq!(line.split_ascii_whitespace().nth(3), Some(sent), "{line}");
    }
}

#[test]
fn a_server_in_place_serves_on_the_runtime_that_made_it_and_stops_listening_when_dropped() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut options = ServerOptions::new(1);
        options.in_place = true;
        let spec = spec("127.0.0.1:0", &[("a", echo("a"))]);
        let server = Server::new(spec, options, &mut Sockets::new()).unwrap();
        let addr = server.addresses()[0].1;
        server.start().unwrap();
        let asked = tokio::task::spawn_blocking(move || {
            let mut stream = client(addr);
            (greeting(&mut stream), stream)
        });
        let (name, _open) = asked.await.unwrap();
        assert_eq!((name.as_str(), server.connections()), ("a", 1));
        drop(server);
        // Each turn lets the acceptor go on; it has the listening socket until it has noticed.
        while TcpStream::connect(addr).is_ok() {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn bytes_pass_in_both_directions_and_the_end_of_each() {
    let (_server, addr) = start(spec("127.0.0.1:0", &[("a", echo("a"))]));
    let mut stream = client(addr);
    assert_eq!(greeting(&mut stream), "a");
    let sent: Vec<u8> = (0..8_000_000_u32).map(|i| (i % 251) as u8).collect();
    let mut reader = stream.try_clone().unwrap();
    let expected = sent.clone();
    let received = std::thread::spawn(move || {
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        assert!(all == expected, "{} of {} bytes", all.len(), expected.len());
    });
    stream.write_all(&sent).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    received.join().unwrap();
}

#[test]
fn a_session_in_which_nothing_happens_ends() {
    let mut spec = spec("127.0.0.1:0", &[("a", echo("a"))]);
    spec.proxies[0].timeouts.client = Some(Duration::from_millis(50));
    spec.proxies[0].timeouts.server = Some(Duration::from_millis(50));
    let (_server, addr) = start(spec);
    let mut stream = client(addr);
    assert_eq!(greeting(&mut stream), "a");
    let mut byte = [0];
    assert_eq!(stream.read(&mut byte).unwrap(), 0, "the idle session was closed");
}

#[test]
fn a_dead_server_is_left_out_by_redispatch() {
    let mut spec = spec("127.0.0.1:0", &[("dead", nowhere()), ("b", echo("b"))]);
    spec.proxies[0].pool.retry.redispatch = -1;
    let (_server, addr) = start(spec);
    for _ in 0..4 {
        assert_eq!(greeting(&mut client(addr)), "b");
    }
}

#[test]
fn without_any_server_the_client_is_let_go() {
    let mut spec = spec("127.0.0.1:0", &[("dead", nowhere())]);
    spec.proxies[0].pool.retry.retries = 0;
    let (_server, addr) = start(spec);
    let mut stream = client(addr);
    let mut byte = [0];
    assert!(matches!(stream.read(&mut byte), Ok(0) | Err(_)));
}

#[test]
fn a_reload_keeps_sessions_and_sockets_and_leads_new_ones_to_new_servers() {
    let (server, addr) = start(spec("127.0.0.1:0", &[("a", echo("a"))]));
    let mut old = client(addr);
    assert_eq!(greeting(&mut old), "a");
    // The same listener as it was written: the port stays the one the system chose.
    let next = spec("127.0.0.1:0", &[("c", echo("c"))]);
    server.reload(next, ServerOptions::new(2), &mut Sockets::new()).unwrap();
    assert_eq!(server.addresses()[0].1, addr);
    assert_eq!(greeting(&mut client(addr)), "c");
    old.write_all(b"still there").unwrap();
    let mut answer = [0; 11];
    old.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"still there");
}

#[test]
fn sessions_from_before_a_reload_have_the_time_that_their_configuration_gives_them() {
    let given = |millis: Option<u64>| {
        let mut spec = spec("127.0.0.1:0", &[("a", echo("a"))]);
        spec.process.hard_stop_after = millis.map(Duration::from_millis);
        spec
    };
    let (server, addr) = start(given(None));
    let session = || {
        let mut session = client(addr);
        assert_eq!(greeting(&mut session), "a");
        session
    };
    let reload = |millis| server.reload(given(millis), ServerOptions::new(2), &mut Sockets::new()).unwrap();
    // Neither the value of the next configuration nor that of the one behind it counts.
    let mut first = session();
    reload(Some(1));
    let mut second = session();
    reload(None);
    let mut third = session();
    let ended = second.read(&mut [0]);
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    for session in [&mut first, &mut third] {
        session.write_all(b"on").unwrap();
        session.read_exact(&mut [0; 2]).unwrap();
    }
}

#[test]
fn a_reload_that_cannot_work_changes_nothing() {
    let (server, addr) = start(spec("127.0.0.1:0", &[("a", echo("a"))]));
    let mut bad = spec("127.0.0.1:0", &[("x", echo("x"))]);
    bad.proxies[0].default_backend = Some("nosuch".into());
    let error = server.reload(bad, ServerOptions::new(2), &mut Sockets::new()).unwrap_err();
    assert!(error.to_string().contains("nosuch"), "{error}");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut bad = spec("127.0.0.1:0", &[("x", echo("x"))]);
    bad.proxies[0].listeners.push(ListenerSpec::new(taken.local_addr().unwrap().into()));
    let error = server.reload(bad, ServerOptions::new(2), &mut Sockets::new()).unwrap_err();
    assert!(error.to_string().contains("Address already in use"), "{error}");
    assert_eq!(greeting(&mut client(addr)), "a");
}

#[cfg(feature = "tls")]
#[test]
fn a_reload_whose_certificate_is_missing_changes_nothing() {
    let (server, addr) = start(spec("127.0.0.1:0", &[("a", echo("a"))]));
    let mut bad = spec("127.0.0.1:0", &[("x", echo("x"))]);
    let mut tls = lb_core::spec::TlsServerSpec::default();
    tls.certificates = vec!["/nonexistent/certificate.pem".into()];
    bad.proxies[0].listeners[0].tls = Some(std::sync::Arc::new(tls));
    let error = server.reload(bad, ServerOptions::new(2), &mut Sockets::new()).unwrap_err();
    assert!(error.to_string().contains("/nonexistent/certificate.pem"), "{error}");
    assert_eq!(server.engine().plan().generation(), 1, "the old plan is the current one");
    assert_eq!(greeting(&mut client(addr)), "a");
}

/// The only server of a proxy gets a check over TLS that announces a name of its own. The first comes `within`
/// this time; a server that does not pass it is down.
#[cfg(feature = "tls")]
fn checked_by_tls(spec: &mut Spec, within: Duration) -> &mut ServerSpec {
    let mut tls = lb_core::spec::TlsClientSpec::default();
    tls.verify = lb_core::spec::Verify::None;
    tls.sni = Some("check.example".into());
    let probe = lb_core::health::ConnectProbe::default();
    let mut check = lb_core::spec::CheckSpec::new(std::sync::Arc::new(probe));
    check.warmup = Some(within);
    check.tls = Some(std::sync::Arc::new(tls));
    let server = &mut spec.proxies[0].pool.servers[0];
    server.check = Some(std::sync::Arc::new(check));
    server
}

#[cfg(feature = "tls")]
#[test]
fn traffic_is_plain_where_only_checks_speak_tls() {
    let mut spec = spec("127.0.0.1:0", &[("a", echo("a"))]);
    checked_by_tls(&mut spec, Duration::from_secs(1_000_000));
    let (_server, addr) = start(spec);
    let mut client = client(addr);
    assert_eq!(greeting(&mut client), "a");
    client.write_all(b"x").unwrap();
    assert_eq!(greeting(&mut client), "x");
}

/// Whether the first connection that a server gets announces `name`; a session makes it, or else a check.
#[cfg(feature = "tls")]
fn announces(name: &str, session: bool) -> bool {
    let origin = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut spec = spec("127.0.0.1:0", &[("a", origin.local_addr().unwrap())]);
    let server = checked_by_tls(&mut spec, Duration::from_millis(10));
    let check = server.check.as_ref().and_then(|check| check.tls.clone()).unwrap();
    let mut traffic = lb_core::spec::TlsClientSpec::clone(&check);
    traffic.sni = Some("traffic.example".into());
    server.tls = Some(std::sync::Arc::new(traffic));
    server.check.take_if(|_| session);
    let (_server, addr) = start(spec);
    let _client = session.then(|| client(addr));
    let (mut stream, _) = origin.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut hello = [0; 4096];
    let n = stream.read(&mut hello).unwrap();
    hello[..n].windows(name.len()).any(|part| part == name.as_bytes())
}

#[cfg(feature = "tls")]
#[test]
fn checks_announce_another_name_than_traffic() {
    assert!(announces("traffic.example", true));
    assert!(announces("check.example", false));
}

#[test]
fn a_full_server_makes_the_next_session_wait() {
    let mut spec = spec("127.0.0.1:0", &[("a", echo("a"))]);
    spec.proxies[0].pool.servers[0].maxconn = 1;
    let (_server, addr) = start(spec);
    let mut first = client(addr);
    assert_eq!(greeting(&mut first), "a");
    let mut second = client(addr);
    second.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut byte = [0];
    assert!(second.read(&mut byte).is_err(), "it waits");
    drop(first);
    second.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert_eq!(greeting(&mut second), "a");
}

#[test]
fn workers_together_let_no_more_in_than_the_frontend_allows() {
    // With a port of its own each worker has a socket.
    let mut spec = spec(&nowhere().to_string(), &[("a", echo("a"))]);
    spec.proxies[0].maxconn = Some(2);
    let (server, addr) = start_with(spec, 4);
    let mut served = [client(addr), client(addr)];
    served.iter_mut().for_each(|stream| assert_eq!(greeting(stream), "a"));
    // Those of other workers, who began to wait when there was room.
    let waiting: Vec<_> = (0..16).map(|_| client(addr)).collect();
    for _ in 0..20 {
        served[0].write_all(b"x").unwrap();
        greeting(&mut served[0]);
    }
    drop(served);
    std::thread::scope(|scope| {
        for mut stream in waiting {
            scope.spawn(move || assert_eq!(greeting(&mut stream), "a"));
        }
    });
    let sessions = server.generation().plan.proxy(0).state.front.sessions.level();
    assert_eq!(sessions.max, 2);
}

#[test]
fn leaving_the_queue_of_a_server_that_goes_away_is_a_redispatch() {
    let mut spec = spec("127.0.0.1:0", &[("a", echo("a")), ("b", echo("b"))]);
    spec.proxies[0].pool.algorithm = Algorithm::Source;
    spec.proxies[0].pool.servers.iter_mut().for_each(|server| server.maxconn = 1);
    let (server, addr) = start(spec);
    let generation = server.generation();
    let pool = &generation.plan.proxy(0).pool;
    let mut first = client(addr);
    let name = greeting(&mut first);
    let mut second = client(addr);
    let id = pool.by_name(&name).unwrap();
    while pool.server(id).unwrap().queued().cur == 0 {
        std::thread::yield_now();
    }
    pool.set_state(id, AdminState::Maint, Instant::now()).unwrap();
    assert_ne!(greeting(&mut second), name);
    assert_eq!(pool.counters().sum().redispatches, 1);
    assert_eq!(pool.server(id).unwrap().counters().sum().redispatches, 1);
}

#[test]
fn the_load_that_servers_get_their_full_limits_at_is_a_tenth_of_what_may_come() {
    let limit = |process: Option<u32>, own: Option<u32>| {
        let mut spec = spec("127.0.0.1:0", &[("a", nowhere())]);
        (spec.process.maxconn, spec.proxies[0].maxconn) = (process, own);
        let (server, _) = start(spec);
        server.generation().plan.proxy(0).pool.backend_snapshot(Instant::now()).limit
    };
    assert_eq!(limit(Some(1000), None), 100);
    assert_eq!(limit(Some(1000), Some(31)), 4);
    assert_eq!(limit(None, None), 104_858);
}

#[test]
fn expressions_see_the_process_and_servers_without_a_limit() {
    let (server, addr) = start(spec("127.0.0.1:0", &[("a", echo("a"))]));
    let mut stream = client(addr);
    assert_eq!(greeting(&mut stream), "a");
    let engine = server.generation();
    let engine: &dyn EngineView = &*engine;
    assert_eq!(engine.connections(), 1);
    assert_eq!(engine.server("mail", "a", ServerFact::ConnFree), Some(-1));
    assert!(engine.uptime().is_some_and(|seconds| seconds < 600));
    assert!(!engine.is_stopping());
    server.close_listeners();
    assert!(engine.is_stopping());
}
