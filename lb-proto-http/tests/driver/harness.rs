//! Scripted servers, a running proxy and a client.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lb_core::addr::Endpoint;
use lb_core::balance::Algorithm;
use lb_core::expr::{NoBuild, Phases, Program, Registry};
use lb_core::log::{HTTP_LOG, Style, Template};
use lb_core::rt::{Server, ServerOptions, Sockets};
use lb_core::rule::cond::{self, Condition, Polarity};
use lb_core::spec::{
    Capability, Facility, ListenerSpec, LogDestination, LogTarget, Mode, PoolSpec, ProxySpec, ServerAddr,
    ServerSpec, Spec, TcpProxy, Timeouts,
};
use lb_proto_http::head::HeaderName;
use lb_proto_http::spec::{Action, HttpProxy, StatsPage};

/// What a scripted server does with one request.
pub(crate) type Script = Arc<dyn Fn(usize, &str) -> Vec<u8> + Send + Sync>;

/// A server that answers each request by a script and keeps what it was sent.
pub(crate) struct Origin {
    pub(crate) addr: SocketAddr,
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
    pub(crate) connections: Arc<Mutex<usize>>,
}

/// Reads one request with its body; nothing at the end of the connection.
pub(crate) fn read_request(stream: &mut TcpStream, rest: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = find(rest, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&rest[..end + 4]).into_owned();
            let mut length = 0;
            let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
            for line in head.lines() {
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.parse().unwrap();
                }
            }
            let body_end = if chunked {
                find(&rest[end + 4..], b"0\r\n\r\n").map(|at| end + 4 + at + 5)
            } else {
                (rest.len() >= end + 4 + length).then_some(end + 4 + length)
            };
            if let Some(body_end) = body_end {
                let request = String::from_utf8_lossy(&rest[..body_end]).into_owned();
                rest.drain(..body_end);
                return Some(request);
            }
        }
        let mut buf = [0; 65536];
        match stream.read(&mut buf) {
            Ok(n) if n > 0 => rest.extend_from_slice(&buf[..n]),
            _ => return None,
        }
    }
}

pub(crate) fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// An empty answer closes the connection; one that ends in `<close>` is sent without that and closes it, too.
pub(crate) fn origin(script: impl Fn(usize, &str) -> Vec<u8> + Send + Sync + 'static) -> Origin {
    let script: Script = Arc::new(script);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let connections = Arc::new(Mutex::new(0));
    let (seen, count) = (Arc::clone(&requests), Arc::clone(&connections));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            *count.lock().unwrap() += 1;
            let (script, seen) = (Arc::clone(&script), Arc::clone(&seen));
            std::thread::spawn(move || {
                let mut rest = Vec::new();
                while let Some(request) = read_request(&mut stream, &mut rest) {
                    let number = {
                        let mut seen = seen.lock().unwrap();
                        seen.push(request.clone());
                        seen.len() - 1
                    };
                    let answer = script(number, &request);
                    let (answer, close) = match answer.strip_suffix(b"<close>") {
                        Some(answer) => (answer, true),
                        None => (&answer[..], answer.is_empty()),
                    };
                    if stream.write_all(answer).is_err() || close {
                        return;
                    }
                }
            });
        }
    });
    Origin { addr, requests, connections }
}

pub(crate) fn hello() -> Origin {
    origin(|_, _| b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec())
}

pub(crate) fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// An address that does not even answer attempts to connect, while the sockets live: the backlog is full, and the kernel drops
/// what comes.
pub(crate) fn silent() -> (SocketAddr, (TcpListener, TcpStream)) {
    let full = TcpListener::bind("127.0.0.1:0").unwrap();
    socket2::SockRef::from(&full).listen(0).unwrap();
    let addr = full.local_addr().unwrap();
    let filler = TcpStream::connect(addr).unwrap();
    (addr, (full, filler))
}

/// A running proxy and where its log lines arrive.
pub(crate) struct Proxy {
    pub(crate) addr: SocketAddr,
    pub(crate) log: Receiver<String>,
    pub(crate) server: Server,
}

/// A frontend in TCP mode whose sessions may go on as HTTP, and the backend `be`.
pub(crate) fn upgraded(servers: &[SocketAddr], change: impl FnOnce(&mut ProxySpec, &mut HttpProxy)) -> Proxy {
    let log = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut back = listen(servers, &log);
    back.protocol = Arc::new(HttpProxy::new());
    let mut front = back.clone();
    (back.name, back.id, back.capability) = ("be".into(), 3, Capability::Backend);
    back.listeners.clear();
    (front.mode, front.capability) = (Mode::Tcp, Capability::Frontend);
    front.pool = PoolSpec::new(Algorithm::RoundRobin, Vec::new());
    front.default_backend = Some("be".into());
    let (mut tcp, mut http) = (TcpProxy::default(), HttpProxy::new());
    change(&mut front, &mut http);
    tcp.upgrade = Some(Arc::new(http));
    front.protocol = Arc::new(tcp);
    let mut all = Spec::new();
    all.proxies.extend([front, back]);
    start(all, log)
}

pub(crate) fn proxy(servers: &[SocketAddr], change: impl FnOnce(&mut ProxySpec, &mut HttpProxy)) -> Proxy {
    let log = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut spec = listen(servers, &log);
    let mut http = HttpProxy::new();
    change(&mut spec, &mut http);
    spec.protocol = Arc::new(http);
    let mut all = Spec::new();
    all.proxies.push(spec);
    start(all, log)
}

/// A proxy `web` without its protocol.
fn listen(servers: &[SocketAddr], log: &UdpSocket) -> ProxySpec {
    let mut spec = ProxySpec::new("web", 2, Capability::Listen);
    spec.mode = Mode::Http;
    spec.listeners.push(ListenerSpec::new("127.0.0.1:0".parse::<SocketAddr>().unwrap().into()));
    let server = |(i, addr): (usize, &SocketAddr)| {
        ServerSpec::new(
            format!("s{}", i + 1).as_str(),
            i as u32 + 1,
            ServerAddr::fixed(Endpoint::Inet(*addr)),
        )
    };
    spec.pool = PoolSpec::new(Algorithm::RoundRobin, servers.iter().enumerate().map(server).collect());
    let mut timeouts = Timeouts::default();
    timeouts.connect = Some(Duration::from_secs(2));
    timeouts.client = Some(Duration::from_secs(20));
    timeouts.server = Some(Duration::from_secs(20));
    spec.timeouts = timeouts;
    let destination = LogDestination::Syslog(log.local_addr().unwrap().into());
    spec.log.targets.push(LogTarget::new(destination, Facility::LOCAL0));
    spec.log.format = Some(Arc::new(template(HTTP_LOG, Style::Log)));
    spec
}

/// Runs what `all` says; its first listener is the one that clients use.
fn start(all: Spec, log: UdpSocket) -> Proxy {
    let options = ServerOptions::new(1).protocol(lb_proto_http::proxy::factory);
    let server = Server::new(all, options, &mut Sockets::new()).unwrap();
    let addr = server.addresses()[0].1;
    server.start().unwrap();
    let (tx, rx) = channel();
    std::thread::spawn(move || {
        let mut buf = [0; 4096];
        while let Ok(n) = log.recv(&mut buf) {
            if tx.send(String::from_utf8_lossy(&buf[..n]).into_owned()).is_err() {
                return;
            }
        }
    });
    Proxy { addr, log: rx, server }
}

pub(crate) fn template(text: &str, style: Style) -> Template {
    Template::parse(text, style, Phases::ALL, &registry(), &mut NoBuild).unwrap()
}

pub(crate) fn header(name: &str, value: &str) -> Action {
    Action::SetHeader(HeaderName::new(name), template(value, Style::Header))
}

/// Has the counters shown at `/stats`, for [`Proxy::counts`].
pub(crate) fn with_counters(http: &mut HttpProxy) {
    let mut page = StatsPage::new();
    page.uri = Arc::from(&b"/stats"[..]);
    http.stats = Some(page);
}

impl Proxy {
    pub(crate) fn client(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    /// Sends `request`, closes the sending side if `close`, and reads until the end.
    pub(crate) fn all(&self, request: &str) -> String {
        let mut client = self.client();
        client.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// What is counted of `who` under these names. The line of the question itself is thrown away.
    pub(crate) fn counts<const N: usize>(&self, who: &str, names: [&str; N]) -> [u64; N] {
        let csv = self.all("GET /stats;csv HTTP/1.1\r\nConnection: close\r\n\r\n");
        while !self.raw_line().contains("/stats;csv") {}
        let mut lines = csv.lines().skip_while(|line| !line.starts_with("# "));
        let known: Vec<&str> = lines.next().unwrap().split(',').collect();
        let row = lines.find(|line| line.starts_with(&format!("web,{who},"))).unwrap();
        let row: Vec<&str> = row.split(',').collect();
        names.map(|name| row[known.iter().position(|known| *known == name).unwrap()].parse().unwrap())
    }

    /// The next log line, from the name of the frontend on, without its times.
    pub(crate) fn line(&self) -> String {
        let line = self.raw_line();
        let from = line.find(" web").unwrap() + 1;
        let words: Vec<&str> = line[from..].split(' ').collect();
        words
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != 2)
            .map(|(_, word)| *word)
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The next log line as it is.
    pub(crate) fn raw_line(&self) -> String {
        self.log.recv_timeout(Duration::from_secs(10)).unwrap().trim_end().to_owned()
    }
}

pub(crate) fn exchange(client: &mut TcpStream, request: &str) -> String {
    client.write_all(request.as_bytes()).unwrap();
    response(client)
}

/// Reads one response whose length is announced.
pub(crate) fn response(client: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte).unwrap() == 0 {
            return String::from_utf8_lossy(&answer).into_owned();
        }
        answer.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&answer).into_owned();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ").map(|n| n.parse::<usize>().unwrap()));
    let mut body = vec![0; length.unwrap_or(0)];
    client.read_exact(&mut body).unwrap();
    head + &String::from_utf8_lossy(&body)
}

pub(crate) const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
pub(crate) const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

fn registry() -> Registry {
    let mut registry = Registry::builtin();
    lb_proto_http::fetch::register(&mut registry);
    registry
}

/// A condition as in a configuration file.
pub(crate) fn when(words: &str) -> Condition {
    let words: Vec<&str> = words.split(' ').collect();
    let acls = std::collections::HashMap::new();
    cond::parse(&words, Polarity::If, &acls, &registry(), &mut NoBuild).unwrap().0
}

/// An expression as in a configuration file.
pub(crate) fn expression(text: &str) -> Program {
    lb_core::expr::parse::parse(text, &registry(), &mut NoBuild).unwrap()
}
