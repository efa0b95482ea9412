//! What the proxy learns of servers from the traffic to them, and where requests go that fail.

use std::io::Write;
use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lb_core::health::{ConnectProbe, InitState, Observe, OnError};
use lb_core::log::Style;
use lb_core::spec::{CheckSpec, ProxySpec};
use lb_proto_http::spec::{CookieMode, CookieSpec, HttpProxy, RetryOn};

use super::harness::*;

/// Watches the first server and marks it down at the error with this number; no check comes in time to say otherwise.
fn watch(spec: &mut ProxySpec, limit: u32) {
    let mut check = CheckSpec::new(Arc::new(ConnectProbe::default()));
    check.inter = Duration::from_secs(3600);
    let server = &mut spec.pool.servers[0];
    (server.check, server.init_state) = (Some(Arc::new(check)), InitState::FullyUp);
    (server.observe, server.error_limit, server.on_error) = (Some(Observe::Layer7), limit, OnError::MarkDown);
}

/// The next line that tells of `part`.
fn line_with(proxy: &Proxy, part: &str) -> String {
    loop {
        let line = proxy.raw_line();
        if line.contains(part) {
            return line;
        }
    }
}

/// The line that tells of the first server being down.
fn down(proxy: &Proxy) -> String {
    line_with(proxy, "Server web/s1 is DOWN")
}

#[test]
fn what_a_server_did_wrong_last_is_told_when_it_is_marked_down() {
    for (answer, words) in [
        (&b""[..], "Read error (http)"),
        (b"HTTP/1.1 200 OK\r\nX: <close>", "Invalid http response (headers)"),
        (b"hello\r\n\r\n<close>", "Invalid http response (headers)"),
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "Wrong http response"),
    ] {
        let origin = origin(|_, _| answer.to_vec());
        let proxy = proxy(&[origin.addr], |spec, _| watch(spec, 1));
        exchange(&mut proxy.client(), GET);
        let line = down(&proxy);
        assert!(line.contains(&format!("last one was: {words}")), "{line}");
    }
}

#[test]
fn a_server_that_does_not_answer_in_time_is_told_of() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = proxy(&[silent.local_addr().unwrap()], |spec, _| {
        watch(spec, 1);
        spec.timeouts.server = Some(Duration::from_millis(50));
    });
    exchange(&mut proxy.client(), GET);
    assert!(down(&proxy).contains("last one was: Read timeout (http)"));
}

#[test]
fn a_body_that_breaks_off_its_framing_is_an_error_of_the_server() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let body = format!("{head}8000\r\n{}\r\nZZ\r\n<close>", "x".repeat(0x8000));
    let origin = origin(move |_, _| body.clone().into_bytes());
    let proxy = proxy(&[origin.addr], |spec, _| watch(spec, 1));
    let answer = proxy.all(GET);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(down(&proxy).contains("last one was: Invalid http response\""));
    line_with(&proxy, " PD-- ");
}

#[test]
fn an_interim_response_is_a_sign_of_life() {
    let both = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n";
    let origin = origin(|_, _| both.to_vec());
    let proxy = proxy(&[origin.addr], |spec, _| watch(spec, 2));
    for _ in 0..3 {
        let mut client = proxy.client();
        exchange(&mut client, GET);
        response(&mut client);
        assert!(proxy.line().contains("web/s1 500 "));
    }
}

/// Two attempts for requests that belong to the first server, which nobody answers for.
fn persistent(spec: &mut ProxySpec, http: &mut HttpProxy) {
    (spec.pool.retry.retries, spec.pool.retry.redispatch) = (1, -1);
    spec.timeouts.connect = Some(Duration::from_millis(20));
    http.cookie = Some(CookieSpec::new("SRV", CookieMode::Insert));
    for (at, server) in spec.pool.servers.iter_mut().enumerate() {
        server.cookie = Some(format!("c{}", at + 1).into());
    }
}

const BOUND: &str = "GET / HTTP/1.1\r\nHost: h\r\nCookie: SRV=c1\r\n\r\n";

#[test]
fn a_request_that_leaves_its_server_gets_the_cookie_of_the_next() {
    let good = hello();
    let proxy = proxy(&[nowhere(), good.addr], persistent);
    let answer = exchange(&mut proxy.client(), BOUND);
    assert!(answer.contains("\r\nset-cookie: SRV=c2; path=/\r\n"), "{answer}");
    assert_eq!(proxy.line(), "web web/s2 200 54 - - --DI 1/1/0/0/+1 0/0 \"GET / HTTP/1.1\"");
}

#[test]
fn a_request_that_finds_no_other_server_has_not_left_its_own() {
    let proxy = proxy(&[nowhere()], persistent);
    exchange(&mut proxy.client(), BOUND);
    assert_eq!(proxy.line(), "web web/s1 503 0 - - SCVN 1/1/0/0/1 0/0 \"GET / HTTP/1.1\"");
}

#[test]
fn a_server_marked_down_is_left_at_the_first_retry() {
    let failing = origin(|_, _| Vec::new());
    let good = hello();
    let proxy = proxy(&[failing.addr, good.addr], |spec, http| {
        persistent(spec, http);
        watch(spec, 1);
        spec.pool.retry.retries = 3;
        let mut on = RetryOn::default();
        on.empty = true;
        http.retry_on = on;
    });
    exchange(&mut proxy.client(), BOUND);
    down(&proxy);
    assert!(proxy.line().contains("web/s2 200 54 - - --DI 1/1/0/0/+1 "));
    assert_eq!(failing.requests.lock().unwrap().len(), 1);
}

#[test]
fn the_server_that_was_waited_for_in_vain_is_named() {
    let (tx, rx) = channel::<()>();
    let rx = Mutex::new(rx);
    let slow = origin(move |_, _| {
        let _ = rx.lock().unwrap().recv();
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec()
    });
    let proxy = proxy(&[slow.addr, nowhere()], |spec, http| {
        persistent(spec, http);
        spec.pool.servers[0].maxconn = 1;
        spec.timeouts.queue = Some(Duration::from_millis(20));
    });
    let mut first = proxy.client();
    first.write_all(BOUND.as_bytes()).unwrap();
    while slow.requests.lock().unwrap().is_empty() {
        std::thread::yield_now();
    }
    exchange(&mut proxy.client(), BOUND);
    assert_eq!(proxy.line(), "web web/s1 503 0 - - sQVN 2/2/1/1/0 1/0 \"GET / HTTP/1.1\"");
    drop(tx);
}

#[test]
fn a_request_that_finds_no_server_for_a_retry_tells_of_no_sessions_on_the_one_before() {
    let (hold, held) = channel::<()>();
    let held = Mutex::new(held);
    let failing = origin(move |number, _| {
        if number == 0 {
            let _ = held.lock().unwrap().recv_timeout(Duration::from_secs(20));
        }
        Vec::new()
    });
    let proxy = proxy(&[failing.addr], |spec, http| {
        watch(spec, 1);
        spec.pool.retry.redispatch = 1;
        http.retry_on = RetryOn::default();
        http.retry_on.empty = true;
        spec.log.format = Some(Arc::new(template("told %s %sc", Style::Log)));
    });
    let mut first = proxy.client();
    first.write_all(GET.as_bytes()).unwrap();
    while failing.requests.lock().unwrap().is_empty() {
        std::thread::yield_now();
    }
    assert!(exchange(&mut proxy.client(), GET).starts_with("HTTP/1.1 503 "));
    assert!(line_with(&proxy, "told ").ends_with("told <NOSRV> 0"));
    drop(hold);
}

#[test]
fn a_failed_connection_does_not_count_whoever_took_its_slot() {
    let (addr, _full) = silent();
    let proxy = proxy(&[addr], |spec, _| {
        spec.timeouts.connect = Some(Duration::from_millis(200));
        spec.pool.retry.retries = 0;
        spec.pool.servers[0].maxconn = 1;
        spec.log.format = Some(Arc::new(template("told %s %sc", Style::Log)));
    });
    let mut clients = [proxy.client(), proxy.client()];
    for client in &mut clients {
        client.write_all(GET.as_bytes()).unwrap();
    }
    for _ in 0..2 {
        let line = line_with(&proxy, "told ");
        assert!(line.ends_with("told s1 0"), "{line}");
    }
}
