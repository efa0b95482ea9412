//! The HTTP proxy between scripted clients and servers, over loopback sockets on ports the system chooses.
#![cfg(feature = "tokio")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test driver opens sockets and reads the clock"
)]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lb_core::addr::Endpoint;
use lb_core::balance::Algorithm;
use lb_core::expr::{NoBuild, Phases, Registry};
use lb_core::log::{HTTP_LOG, Style, Template};
use lb_core::rt::{Server, ServerOptions, Sockets};
use lb_core::rule::Rule;
use lb_core::spec::{
    Capability, Facility, ListenerSpec, LogDestination, LogTarget, Mode, PoolSpec, ProxySpec, ServerAddr,
    ServerSpec, Spec, Timeouts,
};
use lb_proto_http::head::HeaderName;
use lb_proto_http::spec::{
    Action, ConnectionMode, CookieMode, CookieSpec, ForwardFor, HttpProxy, Reply, ReplyBody, RetryOn, Reuse,
    ServiceKind, StatsPage,
};

/// What a scripted server does with one request.
type Script = Arc<dyn Fn(usize, &str) -> Vec<u8> + Send + Sync>;

/// A server that answers each request by a script and keeps what it was sent.
struct Origin {
    addr: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<usize>>,
}

/// Reads one request with its body; nothing at the end of the connection.
fn read_request(stream: &mut TcpStream, rest: &mut Vec<u8>) -> Option<String> {
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

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// An empty answer closes the connection; one that ends in `<close>` is sent without that and closes it, too.
fn origin(script: impl Fn(usize, &str) -> Vec<u8> + Send + Sync + 'static) -> Origin {
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

fn hello() -> Origin {
    origin(|_, _| b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec())
}

fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A running proxy and where its log lines arrive.
struct Proxy {
    addr: SocketAddr,
    log: Receiver<String>,
    _server: Server,
}

fn proxy(servers: &[SocketAddr], change: impl FnOnce(&mut ProxySpec, &mut HttpProxy)) -> Proxy {
    let log = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
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
    let mut http = HttpProxy::new();
    change(&mut spec, &mut http);
    spec.protocol = Arc::new(http);
    let mut all = Spec::new();
    all.proxies.push(spec);
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
    Proxy { addr, log: rx, _server: server }
}

fn template(text: &str, style: Style) -> Template {
    let mut registry = Registry::builtin();
    lb_proto_http::fetch::register(&mut registry);
    Template::parse(text, style, Phases::ALL, &registry, &mut NoBuild).unwrap()
}

fn header(name: &str, value: &str) -> Action {
    Action::SetHeader(HeaderName::new(name), template(value, Style::Header))
}

impl Proxy {
    fn client(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    /// Sends `request`, closes the sending side if `close`, and reads until the end.
    fn all(&self, request: &str) -> String {
        let mut client = self.client();
        client.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// The next log line, from the name of the frontend on, without its times.
    fn line(&self) -> String {
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
    fn raw_line(&self) -> String {
        self.log.recv_timeout(Duration::from_secs(10)).unwrap().trim_end().to_owned()
    }
}

fn exchange(client: &mut TcpStream, request: &str) -> String {
    client.write_all(request.as_bytes()).unwrap();
    response(client)
}

/// Reads one response whose length is announced.
fn response(client: &mut TcpStream) -> String {
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

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

#[test]
fn requests_of_one_connection_are_answered_one_after_the_other() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, _| {});
    let mut client = proxy.client();
    for _ in 0..3 {
        assert_eq!(exchange(&mut client, GET), HELLO);
    }
    assert_eq!(origin.requests.lock().unwrap()[0], "GET / HTTP/1.1\r\nhost: h\r\n\r\n");
    assert_eq!(*origin.connections.lock().unwrap(), 1);
    assert_eq!(proxy.line(), "web web/s1 200 54 - - ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let origin = origin(|_, request| {
        let path = request.split(' ').nth(1).unwrap().to_owned();
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len()).into_bytes()
    });
    let proxy = proxy(&[origin.addr], |_, _| {});
    let mut client = proxy.client();
    client
        .write_all(
            b"GET /1 HTTP/1.1\r\n\r\nPOST /2 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\n\r\n",
        )
        .unwrap();
    for path in ["/1", "/2", "/3"] {
        assert!(response(&mut client).ends_with(path));
    }
}

#[test]
fn the_first_request_of_a_connection_gets_a_server_connection_of_its_own() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, _| {});
    for _ in 0..3 {
        assert_eq!(exchange(&mut proxy.client(), GET), HELLO);
    }
    assert_eq!(*origin.connections.lock().unwrap(), 3);
}

#[test]
fn server_connections_are_shared_when_asked_for() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, http| http.reuse = Reuse::Always);
    for _ in 0..3 {
        assert_eq!(exchange(&mut proxy.client(), GET), HELLO);
    }
    assert_eq!(*origin.connections.lock().unwrap(), 1);
}

#[test]
fn bodies_pass_in_both_directions_whatever_their_size_and_framing() {
    let origin = origin(|_, request| {
        let length = request.split("\r\n\r\n").nth(1).unwrap().len();
        let body = "r".repeat(3_000_000);
        let text =
            format!("HTTP/1.1 200 OK\r\nX-Len: {length}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        text.into_bytes()
    });
    let proxy = proxy(&[origin.addr], |_, _| {});
    for size in [10, 5000, 100_000, 2_000_000] {
        let mut client = proxy.client();
        let body = "x".repeat(size);
        client
            .write_all(format!("POST / HTTP/1.1\r\nContent-Length: {size}\r\n\r\n{body}").as_bytes())
            .unwrap();
        let answer = response(&mut client);
        assert!(answer.contains(&format!("x-len: {size}\r\n")), "{}", &answer[..100]);
        assert!(answer.ends_with("rrrr") && answer.len() > 3_000_000);
    }
}

#[test]
fn chunks_are_forwarded_without_their_extensions() {
    let origin = origin(|_, _| {
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;ext\r\nabc\r\n2\r\nde\r\n0\r\n\r\n".to_vec()
    });
    let proxy = proxy(&[origin.addr], |_, _| {});
    let answer = proxy.all("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert_eq!(
        answer,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    );
    let answer = proxy.all("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(
        answer,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n\
         3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    );
    let answer = proxy.all(
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n4;x\r\nwiki\r\n0\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 200"));
    let seen = origin.requests.lock().unwrap();
    assert!(seen[2].ends_with("transfer-encoding: chunked\r\n\r\n4\r\nwiki\r\n0\r\n\r\n"), "{}", seen[2]);
}

#[test]
fn a_response_without_length_ends_with_its_connection() {
    let origin = origin(|_, _| b"HTTP/1.0 200 OK\r\n\r\nuntil the end<close>".to_vec());
    let proxy = proxy(&[origin.addr], |_, _| {});
    assert_eq!(proxy.all(GET), "HTTP/1.0 200 OK\r\n\r\nuntil the end");
}

#[test]
fn responses_to_head_have_no_body_and_keep_the_connection() {
    let origin = origin(|number, _| {
        if number == 0 {
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".to_vec()
        } else {
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n".to_vec()
        }
    });
    let proxy = proxy(&[origin.addr], |_, _| {});
    let mut client = proxy.client();
    client.write_all(b"HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(
        answer,
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\
         connection: close\r\n\r\n"
    );
}

#[test]
fn interim_responses_reach_the_client() {
    let origin = origin(|_, _| {
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
            .to_vec()
    });
    let proxy = proxy(&[origin.addr], |_, _| {});
    let answer = proxy.all("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert_eq!(
        answer,
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n\
         HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
}

#[test]
fn what_is_not_a_request_is_refused_at_once() {
    let proxy = proxy(&[], |_, _| {});
    let answer = proxy.all("GET / HTTP/1.1\r\nBad Header: 1\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 Bad request\r\nContent-length: 90\r\n"), "{answer}");
    assert_eq!(proxy.line(), "web web/<NOSRV> 400 0 - - PR-- 1/1/0/0/0 0/0 \"<BADREQ>\"");
}

#[test]
fn without_a_server_the_answer_is_503_and_the_connection_stays() {
    let proxy = proxy(&[], |_, _| {});
    let mut client = proxy.client();
    for _ in 0..2 {
        let answer = exchange(&mut client, GET);
        assert!(
            answer.starts_with("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 107\r\n"),
            "{answer}"
        );
    }
    assert_eq!(proxy.line(), "web web/<NOSRV> 503 0 - - SC-- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"");
}

#[test]
fn a_dead_server_is_retried_and_left() {
    let origin = hello();
    let proxy = proxy(&[nowhere(), origin.addr], |spec, _| spec.pool.retry.redispatch = -1);
    let answers: Vec<String> = (0..2).map(|_| exchange(&mut proxy.client(), GET)).collect();
    assert_eq!(answers, [HELLO, HELLO]);
    let lines = [proxy.line(), proxy.line()];
    assert!(lines.iter().any(|line| line.contains("/+1 0/0")), "{lines:?}");
}

#[test]
fn a_server_that_closes_or_babbles_is_a_bad_gateway() {
    let silent = origin(|_, _| Vec::new());
    let first = proxy(&[silent.addr], |_, _| {});
    assert!(exchange(&mut first.client(), GET).starts_with("HTTP/1.1 502 Bad Gateway\r\n"));
    assert_eq!(first.line(), "web web/s1 502 0 - - SH-- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"");
    let babbling = origin(|_, _| b"220 smtp ready\r\n\r\n<close>".to_vec());
    let second = proxy(&[babbling.addr], |_, _| {});
    assert!(exchange(&mut second.client(), GET).starts_with("HTTP/1.1 502 Bad Gateway\r\n"));
    assert!(second.line().contains(" PH-- "));
}

#[test]
fn a_server_that_stays_silent_is_a_gateway_time_out() {
    let (hold, held) = channel::<()>();
    let held = Mutex::new(held);
    let silent = origin(move |_, _| {
        let _ = held.lock().unwrap().recv_timeout(Duration::from_secs(20));
        Vec::new()
    });
    let proxy = proxy(&[silent.addr], |spec, _| spec.timeouts.server = Some(Duration::from_millis(50)));
    assert!(exchange(&mut proxy.client(), GET).starts_with("HTTP/1.1 504 Gateway Time-out\r\n"));
    assert!(proxy.line().contains(" sH-- "));
    drop(hold);
}

#[test]
fn a_response_that_breaks_off_is_logged_as_such() {
    let origin = origin(|_, _| b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart<close>".to_vec());
    let proxy = proxy(&[origin.addr], |_, _| {});
    assert!(proxy.all(GET).ends_with("part"));
    assert!(proxy.line().contains(" SD-- "));
}

#[test]
fn rules_change_requests_and_responses() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, http| {
        http.forward_for = Some(ForwardFor::new());
        http.request.push(Rule::new(header("X-Path", "%[path]"), None));
        http.response.push(Rule::new(header("X-Status", "%[status]"), None));
        http.after_response.push(Rule::new(header("X-After", "1"), None));
    });
    let answer = exchange(&mut proxy.client(), GET);
    assert_eq!(answer, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-status: 200\r\nx-after: 1\r\n\r\nhello");
    assert_eq!(
        origin.requests.lock().unwrap()[0],
        "GET / HTTP/1.1\r\nhost: h\r\nx-path: /\r\nx-forwarded-for: 127.0.0.1\r\n\r\n"
    );
}

#[test]
fn a_denied_request_keeps_its_connection() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, http| {
        http.request.push(Rule::new(Action::Deny(Reply::error(403)), None));
        http.after_response.push(Rule::new(header("x-after", "1"), None));
    });
    let mut client = proxy.client();
    for _ in 0..2 {
        let answer = exchange(&mut client, "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
        assert!(
            answer.starts_with(
                "HTTP/1.1 403 Forbidden\r\ncontent-length: 93\r\ncache-control: no-cache\r\n\
             content-type: text/html\r\nx-after: 1\r\n\r\n<html>"
            ),
            "{answer}"
        );
    }
    assert_eq!(proxy.line(), "web web/<NOSRV> 403 0 - - PR-- 1/1/0/0/0 0/0 \"POST / HTTP/1.1\"");
    assert!(origin.requests.lock().unwrap().is_empty());
}

#[test]
fn a_rule_may_answer_by_itself() {
    let proxy = proxy(&[], |_, http| {
        let mut reply = Reply::empty(200);
        reply.content_type = Some("text/plain".into());
        reply.body = ReplyBody::Format(template("hi %[src]", Style::Header));
        http.request.push(Rule::new(Action::Return(reply), None));
    });
    let answer = exchange(&mut proxy.client(), GET);
    assert_eq!(
        answer,
        "HTTP/1.1 200 OK\r\ncontent-length: 12\r\ncontent-type: text/plain\r\n\r\nhi 127.0.0.1"
    );
    assert!(proxy.line().contains(" LR-- "));
}

#[test]
fn the_monitor_uri_is_answered_and_not_logged() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, http| http.monitor_uri = Some(Arc::from(&b"/alive"[..])));
    let mut client = proxy.client();
    assert!(exchange(&mut client, "GET /alive HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(exchange(&mut client, GET), HELLO);
    assert!(proxy.line().contains("\"GET / HTTP/1.1\""));
}

#[test]
fn cookies_keep_a_client_on_its_server() {
    let servers = [hello(), hello()];
    let proxy = proxy(&[servers[0].addr, servers[1].addr], |spec, http| {
        for (server, cookie) in spec.pool.servers.iter_mut().zip(["A", "B"]) {
            server.cookie = Some(cookie.into());
        }
        let mut cookie = CookieSpec::new("SRV", CookieMode::Insert);
        cookie.indirect = true;
        http.cookie = Some(cookie);
    });
    let answer = exchange(&mut proxy.client(), GET);
    let set = answer.lines().find_map(|line| line.strip_prefix("set-cookie: SRV=")).unwrap();
    let letter = &set[..1];
    for _ in 0..4 {
        let request = format!("GET / HTTP/1.1\r\nCookie: SRV={letter}\r\n\r\n");
        assert_eq!(exchange(&mut proxy.client(), &request), HELLO);
    }
    let own = &servers[usize::from(letter == "B")];
    assert_eq!(own.requests.lock().unwrap().len(), 5);
    assert!(!own.requests.lock().unwrap()[1].contains("cookie"));
    assert!(proxy.line().contains(" --NI ") && proxy.line().contains(" --VN "));
}

#[test]
fn old_clients_are_told_what_becomes_of_the_connection() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, _| {});
    let mut client = proxy.client();
    let answer = exchange(&mut client, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(answer, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: keep-alive\r\n\r\nhello");
    assert_eq!(origin.requests.lock().unwrap()[0], "GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
}

#[test]
fn the_modes_close_their_side() {
    let origin = hello();
    let close = proxy(&[origin.addr], |_, http| http.connection = ConnectionMode::Close);
    assert!(close.all(GET).contains("connection: close\r\n"));
    let server_close = proxy(&[origin.addr], |_, http| http.connection = ConnectionMode::ServerClose);
    let mut client = server_close.client();
    assert_eq!(exchange(&mut client, GET), HELLO);
    assert_eq!(exchange(&mut client, GET), HELLO);
    let seen = origin.requests.lock().unwrap();
    assert!(seen.iter().all(|request| request.contains("connection: close\r\n")), "{seen:?}");
}

#[test]
fn an_upgrade_becomes_a_tunnel() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut rest = Vec::new();
        let request = read_request(&mut stream, &mut rest).unwrap();
        assert!(request.contains("connection: Upgrade\r\n") && request.contains("upgrade: test\r\n"));
        stream
            .write_all(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\nearly",
            )
            .unwrap();
        let mut buf = [0; 64];
        while let Ok(n) = stream.read(&mut buf) {
            if n == 0 || stream.write_all(&buf[..n]).is_err() {
                return;
            }
        }
    });
    let proxy = proxy(&[addr], |_, _| {});
    let mut client = proxy.client();
    client.write_all(b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\nping").unwrap();
    let mut first = [0];
    client.read_exact(&mut first).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("TTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: test\r\n\r\n")
    );
    assert!(answer.ends_with("earlyping"), "{answer}");
}

#[test]
fn a_client_that_gives_up_waiting_is_noticed() {
    let (hold, held) = channel::<()>();
    let held = Mutex::new(held);
    let silent = origin(move |_, _| {
        let _ = held.lock().unwrap().recv_timeout(Duration::from_secs(20));
        Vec::new()
    });
    let proxy = proxy(&[silent.addr], |_, _| {});
    let mut client = proxy.client();
    client.write_all(GET.as_bytes()).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 Bad request\r\n"), "{answer}");
    assert!(proxy.line().contains(" CH-- "));
    drop(hold);
}

#[test]
fn a_request_head_must_arrive_in_time() {
    let proxy = proxy(&[], |spec, _| spec.timeouts.http_request = Some(Duration::from_millis(50)));
    let mut client = proxy.client();
    client.write_all(b"GET / HT").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 Request Time-out\r\n"), "{answer}");
    assert!(proxy.line().contains(" cR-- "));
}

#[test]
fn timers_of_a_line_are_those_of_its_request() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, _| {});
    exchange(&mut proxy.client(), GET);
    let line = proxy.raw_line();
    let timers = line.split(' ').find(|word| word.matches('/').count() == 4).unwrap();
    assert!(
        timers.split('/').all(|timer| timer.parse::<i64>().is_ok_and(|ms| (0..5000).contains(&ms))),
        "{line}"
    );
}

#[test]
fn the_statistics_page_is_served_in_its_forms() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, http| {
        let mut page = StatsPage::new();
        page.uri = Arc::from(&b"/stats"[..]);
        http.stats = Some(page);
    });
    let mut client = proxy.client();
    assert_eq!(exchange(&mut client, GET), HELLO);
    let csv = exchange(&mut client, "GET /stats;csv HTTP/1.1\r\n\r\n");
    assert!(csv.starts_with("HTTP/1.1 200 OK\r\n") && csv.contains("\r\n\r\n# pxname,svname,"), "{csv}");
    assert!(csv.contains("\nweb,s1,") && csv.contains("\nweb,FRONTEND,"), "{csv}");
    let html = exchange(&mut client, "GET /stats HTTP/1.1\r\n\r\n");
    assert!(html.contains("content-type: text/html\r\n") && html.contains("<html"), "{html}");
    let post = "POST /stats HTTP/1.1\r\nContent-Length: 20\r\n\r\ns=s1&action=drain&b=";
    let answer = exchange(&mut client, post);
    assert!(
        answer.starts_with("HTTP/1.1 303 See Other\r\n") && answer.contains("location: /stats;st=DENY\r\n")
    );
    proxy.line();
    assert!(proxy.line().starts_with("web web/<STATS> 200 0 - - LR-- "));
}

#[test]
fn a_form_of_an_administrator_changes_a_server() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, http| {
        let mut page = StatsPage::new();
        page.admin.push(when("{ src 127.0.0.1 }"));
        http.stats = Some(page);
    });
    let body = "s=s1&action=maint&b=web";
    let post = format!("POST /haproxy?stats HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let answer = exchange(&mut proxy.client(), &post);
    assert!(answer.contains("location: /haproxy?stats;st=DONE\r\n"), "{answer}");
    assert!(exchange(&mut proxy.client(), GET).starts_with("HTTP/1.1 503 "));
}

fn when(words: &str) -> lb_core::rule::cond::Condition {
    let mut registry = Registry::builtin();
    lb_proto_http::fetch::register(&mut registry);
    let words: Vec<&str> = words.split(' ').collect();
    let acls = std::collections::HashMap::new();
    lb_core::rule::cond::parse(&words, lb_core::rule::cond::Polarity::If, &acls, &registry, &mut NoBuild)
        .unwrap()
        .0
}

#[test]
fn metrics_are_exported() {
    let proxy = proxy(&[], |_, http| {
        http.request.push(Rule::new(Action::UseService(ServiceKind::Prometheus), None));
    });
    let answer = exchange(&mut proxy.client(), "GET /metrics HTTP/1.1\r\n\r\n");
    assert!(answer.contains("content-type: text/plain; version=0.0.4\r\n"), "{answer}");
    assert!(answer.contains("\nhaproxy_frontend_http_requests_total{proxy=\"web\"} 1\n"), "{answer}");
}

#[test]
fn a_failed_request_is_sent_again_when_that_is_asked_for() {
    let origin = origin(|number, _| match number {
        0 => Vec::new(),
        1 => b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n".to_vec(),
        _ => b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec(),
    });
    let proxy = proxy(&[origin.addr], |_, http| {
        let mut on = RetryOn::default();
        on.empty = true;
        on.statuses = vec![503];
        http.retry_on = on;
    });
    let answer = exchange(&mut proxy.client(), "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!(answer, HELLO);
    let seen = origin.requests.lock().unwrap();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|request| request.ends_with("\r\n\r\nabc")), "{seen:?}");
}

#[test]
fn a_reused_connection_that_fails_closes_the_clients_without_a_word() {
    let origin = origin(|number, _| match number {
        0 => b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec(),
        _ => Vec::new(),
    });
    let proxy = proxy(&[origin.addr], |_, _| {});
    let mut client = proxy.client();
    assert_eq!(exchange(&mut client, GET), HELLO);
    assert_eq!(exchange(&mut client, GET), "");
}

#[test]
fn requests_wait_for_a_free_slot_and_give_up_in_time() {
    let (hold, held) = channel::<()>();
    let held = Mutex::new(held);
    let slow = origin(move |_, _| {
        let _ = held.lock().unwrap().recv_timeout(Duration::from_secs(20));
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec()
    });
    let proxy = proxy(&[slow.addr], |spec, _| {
        spec.pool.servers[0].maxconn = 1;
        spec.timeouts.queue = Some(Duration::from_millis(100));
    });
    let mut first = proxy.client();
    first.write_all(GET.as_bytes()).unwrap();
    while slow.requests.lock().unwrap().is_empty() {
        std::thread::yield_now();
    }
    let answer = exchange(&mut proxy.client(), GET);
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(proxy.line().starts_with("web web/<NOSRV> 503 0 - - sQ-- "));
    hold.send(()).unwrap();
    assert_eq!(response(&mut first), HELLO);
}
