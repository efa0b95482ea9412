//! Limits of the bandwidth: how much of a body comes through before the first pause.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use lb_core::bandwidth::{Quota, SetBandwidth, Shaper};
use lb_core::expr::Direction;
use lb_core::rule::Rule;
use lb_core::rule::tcp::TcpAction;
use lb_proto_http::spec::Action;

use super::harness::*;

/// So many bytes of a body, in a time that no test takes.
fn limit(direction: Direction, limit: u32) -> SetBandwidth {
    let quota = Quota::Stream { limit, period: 1_000_000 };
    let shaper = Shaper { owner: "web".into(), place: 0, direction, quota, min_size: 0 };
    SetBandwidth { shaper: Arc::new(shaper), limit: None, period: None }
}

/// What comes until nothing more does.
fn until_silence(stream: &mut TcpStream) -> Vec<u8> {
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let (mut all, mut part) = (Vec::new(), [0; 65_536]);
    loop {
        match stream.read(&mut part) {
            Ok(0) => panic!("the connection ended"),
            Ok(n) => all.extend_from_slice(&part[..n]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return all,
            Err(error) => panic!("{error}"),
        }
    }
}

/// How many bytes of a body of `z` there are in a message.
fn body(message: &[u8]) -> usize {
    message.iter().filter(|byte| **byte == b'z').count()
}

#[test]
fn a_response_stops_at_its_limit_whatever_its_size_and_framing() {
    let plain = [b"HTTP/1.1 200 OK\r\nContent-Length: 1999999\r\n\r\n", &[b'z'; 1_999_999][..]].concat();
    let small = [b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", &[b'z'; 9999][..]].concat();
    let chunk =
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n270f\r\n", &[b'z'; 9999][..]].concat();
    for (answer, limited) in [(plain, 30_000), (small, 5000), (chunk, 5000)] {
        let origin = origin(move |_, _| answer.clone());
        let proxy = proxy(&[origin.addr], |spec, http| {
            // A pause is nobody's fault.
            spec.timeouts.client = Some(Duration::from_millis(50));
            spec.timeouts.server = Some(Duration::from_millis(50));
            let set = limit(Direction::Response, limited);
            http.response.push(Rule::new(Action::SetBandwidth(set), None));
        });
        let mut client = proxy.client();
        client.write_all(GET.as_bytes()).unwrap();
        let seen = body(&until_silence(&mut client));
        // The first step is no larger than a buffer, and the next one is far away.
        let first = (limited as usize).min(16_384);
        assert!(seen <= first && seen * 100 >= first * 98, "{seen} of {first}");
    }
}

#[test]
fn a_request_stops_at_its_limit_and_its_head_does_not_count() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let proxy = proxy(&[addr], |spec, _| {
        let set = limit(Direction::Request, 3000);
        spec.tcp_rules.request.push(Rule::new(TcpAction::SetBandwidth(set), None));
    });
    let mut client = proxy.client();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 199999\r\n\r\n";
    client.write_all(head.as_bytes()).unwrap();
    client.write_all(&[b'z'; 50_000]).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    assert_eq!(body(&until_silence(&mut server)), 3000);
}

#[test]
fn a_tunnel_keeps_the_limit_of_its_request() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let proxy = proxy(&[addr], |_, http| {
        http.request.push(Rule::new(Action::SetBandwidth(limit(Direction::Request, 3000)), None));
    });
    let mut client = proxy.client();
    client.write_all(b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n").unwrap();
    let (mut server, _) = listener.accept().unwrap();
    until_silence(&mut server);
    server.write_all(b"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n").unwrap();
    until_silence(&mut client);
    client.write_all(&[b'z'; 50_000]).unwrap();
    assert_eq!(body(&until_silence(&mut server)), 3000);
}

#[test]
fn what_comes_early_in_a_tunnel_is_subject_to_its_limits() {
    let early = [b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", &[b'z'; 9000][..]].concat();
    let answer = [b"HTTP/1.1 200 OK\r\n\r\n", &[b'z'; 9000][..]].concat();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let proxy = proxy(&[addr], |_, http| {
        http.request.push(Rule::new(Action::SetBandwidth(limit(Direction::Request, 3000)), None));
        http.request.push(Rule::new(Action::SetBandwidth(limit(Direction::Response, 2000)), None));
    });
    let mut client = proxy.client();
    client.write_all(&early).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    until_silence(&mut server);
    server.write_all(&answer).unwrap();
    assert_eq!(body(&until_silence(&mut client)), 2000);
    assert_eq!(body(&until_silence(&mut server)), 3000);
}

#[test]
fn each_request_of_a_connection_has_a_limit_of_its_own() {
    let origin = origin(|_, _| b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nzzzz".to_vec());
    let proxy = proxy(&[origin.addr], |_, http| {
        http.request.push(Rule::new(Action::SetBandwidth(limit(Direction::Response, 4)), None));
    });
    let mut client = proxy.client();
    for _ in 0..3 {
        assert!(exchange(&mut client, GET).ends_with("\r\n\r\nzzzz"));
    }
    assert_eq!(*origin.connections.lock().unwrap(), 1, "it is used again");
}
