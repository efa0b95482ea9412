//! Requests that are answered before all of them has come.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use super::harness::*;

const LENGTH: usize = 200_000;

/// A server that answers the head of each connection's first request, and leaves.
fn hasty(answer: &'static [u8]) -> SocketAddr {
    answers_heads(answer, drop)
}

/// A server that answers the head of each connection's first request, and what it does `then`.
fn answers_heads(answer: &'static [u8], then: fn(TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut got, mut buf) = (stream.unwrap(), Vec::new(), [0; 1024]);
            while find(&got, b"\r\n\r\n").is_none() {
                match stream.read(&mut buf) {
                    Ok(n) if n > 0 => got.extend_from_slice(&buf[..n]),
                    _ => break,
                }
            }
            let _ = stream.write_all(answer);
            then(stream);
        }
    });
    addr
}

/// Heads of requests, and their bodies.
fn uploads() -> [(String, Vec<u8>); 3] {
    let head = |framing: &str| format!("POST / HTTP/1.1\r\nHost: h\r\n{framing}\r\n\r\n");
    let known = format!("Content-Length: {LENGTH}");
    let chunk = [&b"1000\r\n"[..], &[b'x'; 4096], b"\r\n"].concat();
    let chunks = [&chunk.repeat(50)[..], b"0\r\nX-Trailer: 1\r\n\r\n"].concat();
    [
        (head(&known), vec![b'x'; LENGTH]),
        (head(&format!("{known}\r\nExpect: 100-continue")), vec![b'x'; LENGTH]),
        (head("Transfer-Encoding: chunked"), chunks),
    ]
}

#[test]
fn the_rest_of_a_request_that_was_answered_is_read_however_much_it_is() {
    let nobody = proxy(&[], |_, _| {});
    let closing = proxy(&[hasty(b"")], |_, _| {});
    for (proxy, status) in [(nobody, "503"), (closing, "502")] {
        for (head, body) in uploads() {
            let mut client = proxy.client();
            let answer = exchange(&mut client, &head);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
            assert!(!answer.contains("connection: close"), "{head}{answer}");
            client.write_all(&body).unwrap();
            let next = exchange(&mut client, GET);
            assert!(next.starts_with(&format!("HTTP/1.1 {status} ")), "{head}{next}");
            assert!(proxy.line().ends_with("\"POST / HTTP/1.1\""));
            assert!(proxy.line().ends_with("\"GET / HTTP/1.1\""));
        }
    }
}

#[test]
fn what_comes_of_chunks_that_nobody_gets_is_counted_without_their_framing() {
    let proxy = proxy(&[], |_, http| with_counters(http));
    let head = "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    proxy.client().write_all(format!("{head}5\r\nabcde\r\n0\r\n\r\n").as_bytes()).unwrap();
    proxy.line();
    // As HAProxy measures it.
    assert_eq!(proxy.counts("FRONTEND", ["bin"]), [70]);
}

#[test]
fn a_server_that_answers_and_does_not_listen_any_more_has_broken_off() {
    let deaf = hasty(b"HTTP/1.1 413 Too Much\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let proxy = proxy(&[deaf], |_, http| with_counters(http));
    let length = 20_000_000;
    let mut client = proxy.client();
    let head = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
    let answer = exchange(&mut client, &head);
    assert_eq!(answer, "HTTP/1.1 413 Too Much\r\ncontent-length: 0\r\n\r\n");
    client.write_all(&vec![b'x'; length]).unwrap();
    assert_eq!(exchange(&mut client, GET), answer);
    let lines = [proxy.line(), proxy.line()];
    assert!(lines[0].contains(" - - SL-- ") && lines[1].contains(" - - ---- "), "{lines:?}");
    assert_eq!(proxy.counts("s1", ["srv_abrt", "eresp"]), [1, 1]);
}

#[test]
fn a_body_that_breaks_its_framing_while_the_response_is_sent_is_a_bad_request() {
    let listens = |mut stream: TcpStream| drop(stream.read_to_end(&mut Vec::new()));
    let origin = answers_heads(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart", listens);
    let proxy = proxy(&[origin], |_, http| with_counters(http));
    let mut client = proxy.client();
    client
        .write_all(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        .unwrap();
    client.read_exact(&mut [0]).unwrap();
    client.write_all(b"zz\r\n").unwrap();
    assert!(proxy.line().contains(" PD-- "));
    assert_eq!(proxy.counts("FRONTEND", ["ereq"]), [1]);
}
