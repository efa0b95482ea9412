//! Requests that are sent once more, and those that are not.

use std::io::Write;
use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::sync::{Barrier, Mutex};
use std::time::Duration;

use lb_core::balance::Algorithm;
use lb_proto_http::spec::{HttpProxy, RetryOn, Reuse};

use super::harness::*;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// Tries again after `statuses`, and on connections that others left behind.
fn again_on(http: &mut HttpProxy, statuses: &[u16]) {
    let mut on = RetryOn::default();
    (on.connect, on.empty) = (true, true);
    on.statuses = statuses.to_vec();
    (http.retry_on, http.reuse) = (on, Reuse::Always);
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
fn a_body_is_no_request_when_the_second_attempt_finds_no_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_request(&mut stream, &mut Vec::new()).unwrap();
        drop(listener);
    });
    let proxy = proxy(&[addr], |spec, http| {
        again_on(http, &[]);
        spec.pool.retry.retries = 1;
    });
    let mut client = proxy.client();
    let post = "POST /first HTTP/1.1\r\nContent-Length: 25\r\n\r\nGET /second HTTP/1.1\r\n\r\n ";
    assert!(exchange(&mut client, post).starts_with("HTTP/1.1 503 "));
    exchange(&mut client, "GET /third HTTP/1.1\r\n\r\n");
    assert!(proxy.line().ends_with("\"POST /first HTTP/1.1\""));
    assert!(proxy.line().ends_with("\"GET /third HTTP/1.1\""));
}

#[test]
fn what_cannot_be_sent_again_gets_the_answer_that_came() {
    let origin = origin(|_, _| b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno".to_vec());
    let proxy = proxy(&[origin.addr], |_, http| again_on(http, &[503]));
    let mut client = proxy.client();
    client.write_all(b"POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n").unwrap();
    assert_eq!(exchange(&mut client, &"x".repeat(100_000)), "HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nno");
    assert_eq!(origin.requests.lock().unwrap().len(), 1);
}

#[test]
fn a_tunnel_is_not_asked_for_again() {
    let origin = origin(|_, _| Vec::new());
    let proxy = proxy(&[origin.addr], |_, http| again_on(http, &[]));
    let connect = "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n";
    assert!(exchange(&mut proxy.client(), connect).starts_with("HTTP/1.1 502 "));
    assert_eq!(origin.requests.lock().unwrap().len(), 1);
}

#[test]
fn a_request_that_is_sent_again_may_take_its_time_once_more() {
    let (hold, held) = channel::<()>();
    let (held, both) = (Mutex::new(held), Barrier::new(2));
    let origin = origin(move |number, _| match number {
        // Two connections are left behind.
        0 | 1 => {
            both.wait();
            OK.to_vec()
        }
        2 => {
            let _ = held.lock().unwrap().recv_timeout(Duration::from_secs(20));
            Vec::new()
        }
        _ => OK.to_vec(),
    });
    let proxy = proxy(&[origin.addr], |spec, http| {
        again_on(http, &[]);
        http.retry_on.timeout = true;
        spec.timeouts.server = Some(Duration::from_millis(500));
    });
    let (mut first, mut second) = (proxy.client(), proxy.client());
    first.write_all(GET.as_bytes()).unwrap();
    assert_eq!(exchange(&mut second, GET), HELLO);
    assert_eq!(response(&mut first), HELLO);
    assert_eq!(exchange(&mut first, GET), HELLO);
    assert_eq!(*origin.connections.lock().unwrap(), 2);
    drop(hold);
}

#[test]
fn a_part_of_a_head_is_junk_and_not_an_empty_response() {
    for (junk, status) in [(false, "HTTP/1.1 502 "), (true, "HTTP/1.1 200 ")] {
        let origin = origin(|number, _| match number {
            0 => b"HTTP/1.1 200 OK\r\nConte<close>".to_vec(),
            _ => OK.to_vec(),
        });
        let proxy = proxy(&[origin.addr], |_, http| {
            again_on(http, &[]);
            http.retry_on.junk = junk;
        });
        assert!(exchange(&mut proxy.client(), GET).starts_with(status), "{status}");
    }
}

#[test]
fn a_connection_that_a_client_authenticates_on_is_not_shared_after_a_retry() {
    let origin = origin(|number, _| match number {
        0 => b"HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n".to_vec(),
        _ => OK.to_vec(),
    });
    let proxy = proxy(&[origin.addr], |_, http| again_on(http, &[401]));
    let mut first = proxy.client();
    assert_eq!(exchange(&mut first, GET), HELLO);
    assert_eq!(*origin.connections.lock().unwrap(), 1);
    assert_eq!(exchange(&mut proxy.client(), GET), HELLO);
    assert_eq!(*origin.connections.lock().unwrap(), 2);
}

#[test]
fn the_time_of_a_server_with_an_idle_connection_begins_after_the_attempts_on_others() {
    let (addr, _full) = silent();
    let origin = hello();
    let proxy = proxy(&[addr, origin.addr], |spec, http| {
        again_on(http, &[]);
        spec.pool.algorithm = Algorithm::First;
        spec.pool.retry.redispatch = -1;
        (spec.timeouts.connect, spec.timeouts.server) =
            (Some(Duration::from_millis(450)), Some(Duration::from_millis(400)));
    });
    for _ in 0..2 {
        assert_eq!(exchange(&mut proxy.client(), GET), HELLO);
        let line = proxy.line();
        assert!(line.starts_with("web web/s2 200 ") && line.contains("/+1 "), "{line}");
    }
    assert_eq!(*origin.connections.lock().unwrap(), 1);
}
