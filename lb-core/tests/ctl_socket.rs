//! Control sockets of a running server: over unix sockets in a directory of their own and over loopback.
#![cfg(feature = "tokio")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test driver opens sockets and reads the clock"
)]

use lb_core::addr::Endpoint;
use lb_core::balance::Algorithm;
use lb_core::ctl::Dialect;
use lb_core::rt::{Server, ServerOptions, Sockets};
use lb_core::spec::{
    AccessLevel, Capability, CtlSocket, ListenerSpec, PoolSpec, ProxySpec, ServerAddr, ServerSpec, Spec,
    VariableValue,
};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A directory that goes away with the test.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("lb-ctl-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn unix(path: &Path) -> CtlSocket {
    let mut listener = ListenerSpec::new(Endpoint::Unix(path.to_str().unwrap().into()));
    listener.unix.mode = Some(0o600);
    let mut socket = CtlSocket::new(listener);
    socket.level = AccessLevel::Admin;
    socket
}

/// The frontend `front` leads to the backend `app` with the servers s1 and s2 at `addrs`.
fn spec(addrs: [SocketAddr; 2], sockets: Vec<CtlSocket>) -> Spec {
    let mut front = ProxySpec::new("front", 2, Capability::Frontend);
    front.listeners.push(ListenerSpec::new("127.0.0.1:0".parse::<SocketAddr>().unwrap().into()));
    front.default_backend = Some("app".into());
    let mut app = ProxySpec::new("app", 3, Capability::Backend);
    let server = |(i, addr): (usize, SocketAddr)| {
        let name = format!("s{}", i + 1);
        ServerSpec::new(name.as_str(), i as u32 + 1, ServerAddr::fixed(Endpoint::Inet(addr)))
    };
    app.pool = PoolSpec::new(Algorithm::RoundRobin, addrs.into_iter().enumerate().map(server).collect());
    let mut spec = Spec::new();
    spec.proxies.extend([front, app]);
    spec.process.ctl = sockets;
    spec
}

/// Reads `ADDR [weight N] [track NAME]`.
#[derive(Debug)]
struct Words;

impl Dialect for Words {
    fn value(&self, words: &[String], _format: bool) -> Result<VariableValue, String> {
        Err(format!("cannot read {words:?}"))
    }

    fn server(&self, _: &ProxySpec, name: &str, words: &[String]) -> Result<ServerSpec, String> {
        let addr = words[0].parse::<SocketAddr>().map_err(|e| e.to_string())?;
        let mut server = ServerSpec::new(name, 0, ServerAddr::fixed(Endpoint::Inet(addr)));
        for pair in words[1..].chunks(2) {
            match pair {
                [word, value] if word == "weight" => server.weight = value.parse().map_err(|_| "weight")?,
                [word, value] if word == "track" => server.track = Some(value.as_str().into()),
                other => return Err(format!("unknown keyword '{}'.", other[0])),
            }
        }
        Ok(server)
    }
}

/// What the next connections are greeted with.
fn greetings(server: &Server, count: usize) -> String {
    let front = server.addresses().into_iter().find(|(name, _)| name == "front").unwrap().1;
    let greet = |_| {
        let mut text = String::new();
        let mut stream = TcpStream::connect(front).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut byte = [0; 1];
        if stream.read(&mut byte).unwrap_or(0) == 1 {
            text.push(char::from(byte[0]));
        }
        text
    };
    (0..count).map(greet).collect()
}

#[test]
fn servers_come_and_go_while_others_serve() {
    let dir = Dir::new("dynamic");
    let path = dir.path("sock");
    let mut options = ServerOptions::new(2);
    options.dialect = Some(Arc::new(Words));
    let mut spec = spec(anywhere(), vec![unix(&path)]);
    spec.proxies[1].pool.servers[1].pinned = true;
    let server = Server::new(spec, options, &mut Sockets::new()).unwrap();
    server.start().unwrap();
    let third = greeter("3");
    let ask = |line: &str| ask(&path, line);
    assert_eq!(greetings(&server, 2), "12");
    assert_eq!(
        ask("add server app/s1 127.0.0.1:1"),
        "Already exists a server with the same name in backend.\n\n"
    );
    assert_eq!(ask("add server app/s3 127.0.0.1:1 foo 1"), "unknown keyword 'foo'.\n\n");
    let no_check = "unable to use app/s1 for tracking as it does not have any check nor agent enabled.\n\n";
    assert_eq!(ask("add server app/s3 127.0.0.1:1 track s1"), no_check);
    assert_eq!(ask(&format!("add server app/s3 {third} weight 2")), "New server registered.\n\n");
    // In maintenance until it is enabled.
    assert!(ask("show servers state app").contains("\n3 app 3 s3 127.0.0.1 0 1 2 2 "));
    assert!(!greetings(&server, 4).contains('3'));
    assert_eq!(ask("enable server app/s3"), "\n");
    let four = greetings(&server, 4);
    assert_eq!((four.matches('1').count(), four.matches('2').count(), four.matches('3').count()), (1, 1, 2));
    assert_eq!(ask("del server app/s3"), "Only servers in maintenance mode can be deleted.\n\n");
    assert!(ask("del server app/s2").starts_with("This server cannot be removed at runtime"));
    assert_eq!(ask("disable server app/s1"), "\n");
    assert_eq!(ask("wait 10s srv-removable app/s1; del server app/s1"), "Done.\n\nServer deleted.\n\n");
    // The places of the others have moved; they serve as before.
    assert!(!greetings(&server, 6).contains('1'));
    assert_eq!(ask("del server app/s1"), "No such server.\n\n");
    assert_eq!(ask(&format!("add server app/s4 {third}")), "New server registered.\n\n");
    assert!(ask("show servers state app").contains("\n3 app 1 s4 "), "the lowest free number");
    assert_eq!(
        ask("wait 1 srv-removable app/s3"),
        "Failed. Only servers in maintenance mode can be deleted.\n\n"
    );
}

fn start(spec: Spec) -> Server {
    let server = Server::new(spec, ServerOptions::new(2), &mut Sockets::new()).unwrap();
    server.start().unwrap();
    server
}

/// A server that says its name and keeps the connection open until the peer closes it.
fn greeter(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let _ = stream.write_all(name.as_bytes());
                let _ = stream.read(&mut [0; 1]);
            });
        }
    });
    addr
}

fn anywhere() -> [SocketAddr; 2] {
    [greeter("1"), greeter("2")]
}

/// Sends one line, closes the sending side, and reads to the end, as scripts do.
fn ask(path: &Path, line: &str) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(format!("{line}\n").as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn greeting(server: &Server) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(server.addresses()[0].1).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut byte = [0];
    stream.read_exact(&mut byte).unwrap();
    (stream, String::from_utf8_lossy(&byte).into_owned())
}

#[test]
fn a_line_is_answered_and_the_connection_ends() {
    let dir = Dir::new("line");
    let path = dir.path("stats");
    let _server = start(spec(anywhere(), vec![unix(&path)]));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let info = ask(&path, "show info");
    assert!(info.contains(&format!("\nPid: {}\n", std::process::id())), "{info}");
    assert!(info.ends_with("\n\n"));
    let stat = ask(&path, "show stat");
    let rows: Vec<_> =
        stat.lines().skip(1).map(|line| line.split(',').take(2).collect::<Vec<_>>().join("/")).collect();
    assert_eq!(rows, ["front/FRONTEND", "app/s1", "app/s2", "app/BACKEND", ""]);
    assert!(ask(&path, "show nonsense").starts_with("Unknown command"));
}

#[test]
fn an_inherited_listening_socket_takes_commands_too() {
    let inherited = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = inherited.local_addr().unwrap();
    let mut socket = CtlSocket::new(ListenerSpec::new(Endpoint::Fd(inherited.as_raw_fd())));
    socket.level = AccessLevel::User;
    let _server = start(spec(anywhere(), vec![socket]));
    let ask = |line: &str| {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(line.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(ask("show info\n").contains("Nbthread: 2\n"));
    let refused = ask("disable server app/s1\n");
    assert!(refused.starts_with("Permission denied"), "{refused}");
}

#[test]
fn a_server_in_maintenance_gets_no_traffic_until_it_is_ready() {
    let dir = Dir::new("maint");
    let path = dir.path("stats");
    let server = start(spec(anywhere(), vec![unix(&path)]));
    assert_eq!(ask(&path, "disable server app/s1"), "\n");
    for _ in 0..4 {
        assert_eq!(greeting(&server).1, "2");
    }
    let state = ask(&path, "show servers state app");
    let admin: Vec<_> = state.lines().skip(2).filter_map(|line| line.split(' ').nth(6)).collect();
    assert_eq!(admin, ["1", "0"]);
    assert_eq!(ask(&path, "set server app/s1 state ready; set server app/s2 state maint"), "\n\n");
    assert_eq!(greeting(&server).1, "1");
    assert_eq!(ask(&path, "set server app/s1 weight 50%; get weight app/s1"), "\n0 (initial 1)\n\n");
    let other = greeter("3");
    let moved = ask(&path, &format!("set server app/s2 addr {} port {}", other.ip(), other.port()));
    assert!(moved.contains("port changed"), "{moved}");
    ask(&path, "set server app/s2 state ready; set server app/s1 state maint");
    assert_eq!(greeting(&server).1, "3");
}

#[test]
fn sessions_are_listed_and_ended() {
    let dir = Dir::new("sessions");
    let path = dir.path("stats");
    let server = start(spec(anywhere(), vec![unix(&path)]));
    let (mut first, _) = greeting(&server);
    let (mut second, name) = greeting(&server);
    let list = ask(&path, "show sess");
    assert_eq!(list.lines().filter(|line| line.starts_with("0x")).count(), 2, "{list}");
    assert!(list.contains("be=app") && list.contains(&format!("src={}", first.local_addr().unwrap())));
    let of_first = list.lines().find(|line| line.contains(&first.local_addr().unwrap().to_string())).unwrap();
    let id = of_first.split(':').next().unwrap();
    assert_eq!(ask(&path, &format!("shutdown session {id}")), "\n");
    assert!(ended(&mut first));
    assert_eq!(ask(&path, &format!("shutdown sessions server app/s{name}")), "\n");
    assert!(ended(&mut second));
    assert!(ask(&path, "shutdown session 0xffffff").contains("No such session"));
}

fn ended(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(n) => n == 0,
        Err(e) => e.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn a_frontend_pauses_resumes_and_ends() {
    let dir = Dir::new("frontend");
    let path = dir.path("stats");
    let server = start(spec(anywhere(), vec![unix(&path)]));
    let addr = server.addresses()[0].1;
    assert_eq!(ask(&path, "disable frontend front"), "\n");
    assert!(ask(&path, "show stat").lines().any(|l| l.starts_with("front,") && l.contains("PAUSED")));
    assert_eq!(ask(&path, "enable frontend front"), "\n");
    greeting(&server);
    assert_eq!(ask(&path, "shutdown frontend front"), "\n");
    assert!(server.addresses().is_empty());
    assert!(ask(&path, "enable frontend front").contains("shut down"));
    drop(server);
    assert!(TcpStream::connect(addr).is_err());
}

#[test]
fn a_prompt_keeps_the_connection() {
    let dir = Dir::new("prompt");
    let path = dir.path("stats");
    let _server = start(spec(anywhere(), vec![unix(&path)]));
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(b"prompt\nget weight app/s1\nquit\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer.matches("> ").count(), 2, "{answer:?}");
    assert!(answer.contains("1 (initial 1)\n"), "{answer:?}");
}

#[test]
fn sockets_come_and_go_with_reloads() {
    let dir = Dir::new("reload");
    let (old, new) = (dir.path("old"), dir.path("new"));
    let addrs = anywhere();
    let server = start(spec(addrs, vec![unix(&old)]));
    ask(&old, "disable server app/s1");
    let both = spec(addrs, vec![unix(&old), unix(&new)]);
    server.reload(both, ServerOptions::new(2), &mut Sockets::new()).unwrap();
    for path in [&old, &new] {
        assert!(ask(path, "show stat").contains("app,s1,"));
    }
    let state = ask(&new, "show servers state");
    assert_eq!(state.lines().nth(2).and_then(|line| line.split(' ').nth(6)), Some("1"), "{state}");
    let only = spec(addrs, vec![unix(&new)]);
    server.reload(only, ServerOptions::new(2), &mut Sockets::new()).unwrap();
    assert!(ask(&new, "show cli sockets").contains("new"));
    assert!(!ask(&new, "show cli sockets").contains("old"));
}
