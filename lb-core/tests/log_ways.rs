//! Ways of log lines beside plain targets: rings with their servers, log backends, messages of others.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test driver opens sockets")]

use lb_core::addr::Endpoint;
use lb_core::balance::Algorithm;
use lb_core::ctl::{Control, Session, SessionLimits, SocketLevel};
use lb_core::rt::{Server, ServerOptions, Sockets};
use lb_core::spec::{
    Capability, Datagrams, Facility, HostRule, ListenerSpec, LogDestination, LogFormat, LogForward,
    LogTarget, Mode, PoolSpec, ProxySpec, RingSpec, ServerAddr, ServerSpec, Severity, Spec,
};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

fn receiver() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}

fn received(socket: &UdpSocket) -> String {
    let mut line = [0; 2048];
    let length = socket.recv(&mut line).unwrap();
    String::from_utf8_lossy(&line[..length]).into_owned()
}

fn server(name: &str, id: u32, addr: SocketAddr) -> ServerSpec {
    ServerSpec::new(name, id, ServerAddr::fixed(Endpoint::Inet(addr)))
}

fn target(destination: LogDestination, format: LogFormat) -> LogTarget {
    let mut target = LogTarget::new(destination, Facility::LOCAL0);
    target.format = format;
    target
}

/// A proxy that passes messages on, listening for datagrams and for connections.
fn forward(rules: LogForward, target: LogTarget) -> Spec {
    let mut proxy = ProxySpec::new("syslog", 2, Capability::Frontend);
    proxy.mode = Mode::Log;
    proxy.protocol = Arc::new(rules);
    for datagrams in [None, Some(Datagrams { idle: Duration::ZERO, flows: 0, single: true })] {
        let mut listener = ListenerSpec::new("127.0.0.1:0".parse::<SocketAddr>().unwrap().into());
        listener.datagrams = datagrams;
        proxy.listeners.push(listener);
    }
    proxy.log.targets.push(target);
    let mut spec = Spec::new();
    spec.proxies.push(proxy);
    spec
}

/// A spec whose only proxy writes messages to a target.
fn writer(target: LogTarget) -> Spec {
    let mut proxy = ProxySpec::new("writer", 2, Capability::Backend);
    proxy.log.targets.push(target);
    let mut spec = Spec::new();
    spec.proxies.push(proxy);
    spec
}

fn start(spec: Spec) -> Server {
    let server = Server::new(spec, ServerOptions::new(1), &mut Sockets::new()).unwrap();
    server.start().unwrap();
    server
}

fn say(server: &Server, text: &str) {
    server.generation().logger(0).message(0, Severity::Notice, text.as_bytes());
}

fn command(server: &Server, session: &mut Session, line: &str) -> String {
    let (now, control) = (Instant::now(), server.control());
    session.handle_input(now, line.as_bytes(), &control);
    session.handle_timeout(now, &control);
    String::from_utf8(session.poll_output()).unwrap()
}

fn cli(level: SocketLevel) -> Session {
    Session::new(level, SessionLimits::default(), Instant::now())
}

#[test]
fn a_ring_keeps_what_its_server_does_not_take_and_goes_on_where_it_stopped() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut ring = RingSpec::new("kept");
    ring.servers.push(server("s", 1, listener.local_addr().unwrap()));
    ring.servers[0].log.counted = true;
    let mut spec = writer(target(LogDestination::Ring("kept".into()), LogFormat::Raw));
    spec.rings.push(ring);
    let running = start(spec.clone());
    say(&running, "one");
    let mut stream = listener.accept().unwrap().0;
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut got = [0; 5];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"3 one");
    // A reload that changes nothing leaves the connection alone.
    running.reload(spec, ServerOptions::new(1), &mut Sockets::new()).unwrap();
    say(&running, "again");
    let mut got = [0; 7];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"5 again");
    drop(stream);
    let mut stream = listener.accept().unwrap().0;
    say(&running, "two");
    let mut got = [0; 5];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"3 two");
}

#[test]
fn the_file_of_a_ring_has_its_messages_and_what_was_there_before_is_kept() {
    let directory = std::env::temp_dir().join(format!("ring-file-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("kept");
    let mut ring = RingSpec::new("kept");
    (ring.size, ring.file) = (512, Some(path.to_str().unwrap().into()));
    let mut spec = writer(target(LogDestination::Ring("kept".into()), LogFormat::Raw));
    spec.rings.push(ring);
    let text = |name: &str| String::from_utf8(std::fs::read(directory.join(name)).unwrap()).unwrap();
    let running = start(spec.clone());
    say(&running, "one");
    running.reload(spec.clone(), ServerOptions::new(1), &mut Sockets::new()).unwrap();
    say(&running, "two");
    assert_eq!(text("kept"), format!("{:\0<512}", "one\ntwo\n"));
    drop(running);
    let running = start(spec.clone());
    say(&running, "three");
    assert!(text("kept").starts_with("three\n\0") && text("kept.bak").starts_with("one\ntwo\n"));
    // A file that cannot be opened refuses the reload, and everything goes on.
    spec.rings[0].file = Some(directory.join("none/kept").to_str().unwrap().into());
    let refused = running.reload(spec, ServerOptions::new(1), &mut Sockets::new()).unwrap_err();
    assert!(refused.to_string().contains("none/kept' for ring 'kept'"), "{refused}");
    say(&running, "four");
    assert!(text("kept").starts_with("three\nfour\n\0"));
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_reload_that_is_refused_leaves_the_ring_its_file() {
    let directory = std::env::temp_dir().join(format!("ring-refused-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let (file, bak, other) = (path("kept"), path("kept.bak"), path("other"));
    let ring = |name: &str, size, file: &str| {
        let mut ring = RingSpec::new(name);
        (ring.size, ring.file) = (size, Some(file.into()));
        ring
    };
    let mut spec = writer(target(LogDestination::Ring("kept".into()), LogFormat::Raw));
    spec.rings.push(ring("kept", 100, &file));
    let running = start(spec.clone());
    say(&running, "before");

    spec.rings[0].size = 200;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut occupied = spec.clone();
    occupied.proxies[0].capability = Capability::Listen;
    occupied.proxies[0].listeners.push(ListenerSpec::new(taken.local_addr().unwrap().into()));
    let mut unreachable = spec.clone();
    unreachable.rings.push(ring("new", 100, &other));
    unreachable.rings.push(ring("lost", 100, &path("missing/lost")));
    let refused = [occupied.clone(), unreachable];
    for (round, spec) in refused.into_iter().enumerate() {
        running.reload(spec, ServerOptions::new(1), &mut Sockets::new()).unwrap_err();
        say(&running, &format!("after {round}"));
    }
    let kept = std::fs::read_to_string(&file).unwrap();
    assert_eq!(kept.trim_end_matches('\0'), "before\nafter 0\nafter 1\n");
    assert!(!std::fs::exists(&bak).unwrap() && !std::fs::exists(&other).unwrap());

    // Nor does a start that fails.
    Server::new(occupied, ServerOptions::new(1), &mut Sockets::new()).unwrap_err();
    assert!(!std::fs::exists(&bak).unwrap());

    // What is wanted at last has a file of its own.
    running.reload(spec, ServerOptions::new(1), &mut Sockets::new()).unwrap();
    say(&running, "at last");
    assert_eq!(std::fs::read_to_string(&bak).unwrap(), kept);
    let new = std::fs::read_to_string(&file).unwrap();
    assert_eq!((new.len(), new.trim_end_matches('\0')), (200, "at last\n"));
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn commands_show_rings_and_follow_them_until_a_key_is_pressed() {
    let mut ring = RingSpec::new("kept");
    (ring.size, ring.format) = (512, Some(LogFormat::Priority));
    let mut spec = writer(target(LogDestination::Ring("kept".into()), LogFormat::Raw));
    spec.rings.push(ring);
    let running = start(spec);
    let list = command(&running, &mut cli(SocketLevel::User), "show events\n");
    assert!(list.contains("    stdout     : type=fd, 0 dropped, standard output (fd#1)\n"), "{list}");
    assert!(list.ends_with("    kept       : type=buffer, 0 dropped, kept\n\n"), "{list}");
    say(&running, "one");
    let mut session = cli(SocketLevel::Operator);
    assert_eq!(command(&running, &mut session, "show events kept -w\n"), "<133>one\n");
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(session.poll_events(&mut cx), Poll::Pending);
    say(&running, "two");
    assert_eq!(session.poll_events(&mut cx), Poll::Ready(()));
    assert_eq!(command(&running, &mut session, "x\n"), "<133>two\n\n");
    assert!(session.is_closed());
    assert_eq!(
        command(&running, &mut cli(SocketLevel::Operator), "show events kept -0\n"),
        "<133>one\0<133>two\0\n"
    );
    assert_eq!(command(&running, &mut cli(SocketLevel::Operator), "show events kept -n\n"), "\n");
    for (level, line, answer) in [
        (SocketLevel::User, "show events kept\n", "Permission denied\n\n"),
        (SocketLevel::Operator, "show events none\n", "No such event sink\n\n"),
        (SocketLevel::Operator, "show events stdout\n", "Nothing to report for this sink\n\n"),
        (SocketLevel::Operator, "show events kept -x\n", "unknown option\n\n"),
    ] {
        assert_eq!(command(&running, &mut cli(level), line), answer, "{line}");
    }
}

#[test]
fn a_log_backend_takes_the_next_server_in_turn_and_counts_what_none_takes() {
    let ((first, one), (second, two)) = (receiver(), receiver());
    let mut backend = ProxySpec::new("logs", 3, Capability::Backend);
    backend.mode = Mode::Log;
    backend.pool = PoolSpec::new(Algorithm::RoundRobin, vec![server("a", 1, one), server("b", 2, two)]);
    backend.pool.servers.iter_mut().for_each(|server| server.log.datagrams = true);
    let mut spec = writer(target(LogDestination::Backend("logs".into()), LogFormat::Short));
    spec.proxies.push(backend);
    let running = start(spec);
    ["1", "2", "3", "4"].into_iter().for_each(|text| say(&running, text));
    let lines = |socket: &UdpSocket| [received(socket), received(socket)];
    let all = [lines(&first), lines(&second)];
    assert!(
        all == [["<5>1\n", "<5>3\n"], ["<5>2\n", "<5>4\n"]]
            || all == [["<5>2\n", "<5>4\n"], ["<5>1\n", "<5>3\n"]]
    );
    let admin = |line: &str| command(&running, &mut cli(SocketLevel::Admin), line);
    admin("disable server logs/a\n");
    ["5", "6"].into_iter().for_each(|text| say(&running, text));
    assert_eq!(lines(&second), ["<5>5\n", "<5>6\n"]);
    admin("disable server logs/b\n");
    say(&running, "lost");
    assert_eq!(running.control().info().dropped_logs, 1);
}

#[test]
fn what_the_servers_of_a_log_backend_lose_is_counted_and_disabled_backends_take_nothing() {
    let mut backend = ProxySpec::new("logs", 3, Capability::Backend);
    backend.mode = Mode::Log;
    // The system sends nothing to everybody unless told so.
    let nowhere = ServerAddr::fixed(Endpoint::Inet(([255; 4], 9).into()));
    backend.pool = PoolSpec::new(Algorithm::RoundRobin, vec![ServerSpec::new("a", 1, nowhere)]);
    backend.pool.servers[0].log.datagrams = true;
    let mut spec = writer(target(LogDestination::Backend("logs".into()), LogFormat::Short));
    spec.proxies.push(backend);
    let running = start(spec.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Each time all that had happened has been seen by the worker.
    let settle = || assert!((0..3).all(|_| runtime.block_on(running.is_responsive(Duration::from_secs(10)))));
    let dropped = || running.control().info().dropped_logs;
    say(&running, "one");
    settle();
    assert_eq!(dropped(), 1);
    // Where it is now counts.
    let (log, addr) = receiver();
    let moved = format!("set server logs/a addr 127.0.0.1 port {}\n", addr.port());
    let answer = command(&running, &mut cli(SocketLevel::Admin), &moved);
    assert!(answer.contains("to '127.0.0.1'"), "{answer}");
    say(&running, "two");
    assert_eq!(received(&log), "<5>two\n");
    spec.proxies[1].disabled = true;
    running.reload(spec, ServerOptions::new(1), &mut Sockets::new()).unwrap();
    say(&running, "three");
    settle();
    assert_eq!(dropped(), 2);
}

/// A certificate that says nothing but that it may sign others.
#[cfg(feature = "tls")]
const AUTHORITY: &str = "-----BEGIN CERTIFICATE-----
MIIBcTCCARegAwIBAgIUO7ICUSXgz4w2tAcBF4SbT103D1YwCgYIKoZIzj0EAwIw
DTELMAkGA1UEAwwCY2EwIBcNMjYxMTIzMTI0MjI1WhgPMjEyNjEwMzAxMjQyMjVa
MA0xCzAJBgNVBAMMAmNhMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE7u+ts8Z+
EvCiEl4SqncatZamSmhPhjDAtgwANidf/e2jOzcJldYmcTSfXsfNIwLKPBAkPAdf
wGfZCdxjmmz+FqNTMFEwHQYDVR0OBBYEFIHOs5cBxiktJP2Pg0dh4x6wum2GMB8G
A1UdIwQYMBaAFIHOs5cBxiktJP2Pg0dh4x6wum2GMA8GA1UdEwEB/wQFMAMBAf8w
CgYIKoZIzj0EAwIDSAAwRQIgV9JGyAuOZXhlW9Lp6jebqFO5VOr1AaBYFsQJDO+4
CmQCIQCS1wssXAkKSQH24nsDwzsxouTk/rWpKO4jow9mFYePgw==
-----END CERTIFICATE-----\n";

#[cfg(feature = "tls")]
#[test]
fn what_servers_of_log_backends_are_trusted_by_is_read_once() {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    struct Counted(Arc<AtomicUsize>);
    impl lb_core::tls::Files for Counted {
        fn read(&self, _path: &str) -> std::io::Result<Vec<u8>> {
            self.0.fetch_add(1, Relaxed);
            Ok(AUTHORITY.as_bytes().to_vec())
        }

        fn list(&self, _path: &str) -> std::io::Result<Vec<String>> {
            Err(std::io::ErrorKind::NotADirectory.into())
        }
    }
    let mut tls = lb_core::spec::TlsClientSpec::default();
    (tls.verify, tls.ca_file) = (lb_core::spec::Verify::Required, Some("ca.pem".into()));
    let mut backend = ProxySpec::new("logs", 3, Capability::Backend);
    backend.mode = Mode::Log;
    let secured = server("a", 1, receiver().1);
    backend.pool = PoolSpec::new(Algorithm::RoundRobin, vec![secured]);
    backend.pool.servers[0].tls = Some(Arc::new(tls));
    let mut spec = Spec::new();
    spec.proxies.push(backend);
    let reads = Arc::new(AtomicUsize::new(0));
    let mut options = ServerOptions::new(1);
    options.files = Box::new(Counted(Arc::clone(&reads)));
    Server::new(spec, options, &mut Sockets::new()).unwrap();
    assert_eq!(reads.load(Relaxed), 1);
}

#[test]
fn messages_of_others_are_passed_on_in_the_form_of_the_target() {
    let (log, addr) = receiver();
    let mut keeps = target(LogDestination::Syslog(addr.into()), LogFormat::Local);
    keeps.keeps_format = true;
    let running = start(forward(LogForward::default(), keeps));
    let (streams, datagrams) = listeners(&running);
    let (sender, _) = receiver();
    let send = |text: &str| {
        sender.send_to(text.as_bytes(), datagrams).unwrap();
        received(&log)
    };
    assert_eq!(send("<34>Oct 11 22:14:15 m su[12]: hi"), "<34>Oct 11 22:14:15 m su[12]: hi\n");
    assert_eq!(send("<34>1 - m su 1 i [a b=\"c\"] hi"), "<34>1 - m su 1 i [a b=\"c\"] hi\n");
    // A sender without a name is known by its address.
    assert!(send("<34>hi").ends_with(" 127.0.0.1 hi\n"));
    let mut stream = TcpStream::connect(streams).unwrap();
    stream.write_all(b"22 <34>1 - m t - - - on\ne<34>1 - m t - - - two\n").unwrap();
    assert_eq!([received(&log), received(&log)], ["<34>1 - m t - - - on\ne\n", "<34>1 - m t - - - two\n"]);
    // What is no message ends the connection.
    stream.write_all(b"nonsense").unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    let info = running.control().info();
    assert_eq!((info.received_logs, info.total_requests, running.control().proxies().len()), (5, 5, 0));
    // While it is paused, messages wait.
    let admin = |line: &str| command(&running, &mut cli(SocketLevel::Admin), line);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Each time all that had happened has been seen by the worker.
    let settle = || assert!((0..3).all(|_| runtime.block_on(running.is_responsive(Duration::from_secs(10)))));
    admin("disable frontend syslog\n");
    settle();
    sender.send_to(b"<34>1 - m t - - - late", datagrams).unwrap();
    settle();
    assert_eq!(running.control().info().received_logs, 5);
    admin("enable frontend syslog\n");
    assert_eq!(received(&log), "<34>1 - m t - - - late\n");
}

#[test]
fn hosts_are_named_as_configured_and_levels_filter() {
    for (host, named) in [
        (HostRule::Fill, ["m", "127.0.0.1"]),
        (HostRule::Replace, ["127.0.0.1", "127.0.0.1"]),
        (HostRule::Keep, ["m", "localhost"]),
        (HostRule::Append, ["m,127.0.0.1", "127.0.0.1"]),
    ] {
        let (log, addr) = receiver();
        let mut to = target(LogDestination::Syslog(addr.into()), LogFormat::Rfc3164);
        (to.max_level, to.min_level) = (Severity::Notice, Severity::Err);
        let mut rules = LogForward::default();
        rules.host = host;
        let running = start(forward(rules, to));
        let (_, datagrams) = listeners(&running);
        let (sender, _) = receiver();
        let send = |text: &str| sender.send_to(text.as_bytes(), datagrams).unwrap();
        send("<15>Oct 11 22:14:15 m t: not for this target");
        send("<9>Oct 11 22:14:15 m t: raised");
        assert_eq!(received(&log), format!("<11>Oct 11 22:14:15 {} t: raised\n", named[0]));
        send("no header");
        let line = received(&log);
        assert!(line.starts_with("<131>") && line.ends_with(&format!(" {} no header\n", named[1])), "{line}");
    }
}

#[test]
fn messages_may_pass_unread() {
    let (log, addr) = receiver();
    let mut rules = LogForward::default();
    (rules.unread, rules.lines) = (true, true);
    let running = start(forward(rules, target(LogDestination::Syslog(addr.into()), LogFormat::Raw)));
    let mut stream = TcpStream::connect(listeners(&running).0).unwrap();
    stream.write_all(b"7 as it is\r\n<1>1 - this too\n").unwrap();
    assert_eq!([received(&log), received(&log)], ["7 as it is\n", "<1>1 - this too\n"]);
}

#[test]
fn lines_of_a_ring_end_at_line_feeds_unless_they_are_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut ring = RingSpec::new("plain");
    ring.servers.push(server("s", 1, listener.local_addr().unwrap()));
    ring.max_length = Some(8);
    let mut spec = writer(target(LogDestination::Ring("plain".into()), LogFormat::Raw));
    spec.rings.push(ring);
    let running = start(spec);
    ["short", "longer than the ring allows"].into_iter().for_each(|text| say(&running, text));
    let lines = BufReader::new(listener.accept().unwrap().0).lines();
    let lines: Vec<_> = lines.take(2).map(Result::unwrap).collect();
    assert_eq!(lines, ["short", "longer t"]);
}

/// Where connections and datagrams are taken.
fn listeners(server: &Server) -> (SocketAddr, SocketAddr) {
    let mut all: Vec<_> = server.addresses().into_iter().map(|(_, addr)| addr).collect();
    let streams = all.iter().position(|addr| TcpStream::connect(addr).is_ok()).unwrap();
    let streams = all.swap_remove(streams);
    (streams, all[0])
}
