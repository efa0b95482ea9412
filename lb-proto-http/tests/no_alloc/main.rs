//! Parsing, rewriting and writing a message allocates nothing once its areas are warm.

mod sys;

use lb_proto_http::h1::{Cursor, Limits, parse_request, parse_response, write_request, write_response};
use lb_proto_http::head::{Method, Request, Response};

const REQUEST: &[u8] = b"GET /app/page?id=1 HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: test\r\n\
    Accept: text/html,application/xhtml+xml\r\nConnection: keep-alive\r\nCookie: a=b; c=d\r\n\r\n";
const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Type: text/html\r\nContent-Length: 1024\r\n\r\n";

/// Parses, edits and writes one exchange.
fn exchange(request: &mut Request, response: &mut Response, out: &mut Vec<u8>) {
    out.clear();
    request.clear();
    let limits = Limits::default();
    request.fields.buffer_mut()[..REQUEST.len()].copy_from_slice(REQUEST);
    assert_eq!(parse_request(request, &mut Cursor::default(), REQUEST.len(), &limits), Ok(true));
    assert!(request.fields.set(b"x-forwarded-proto", b"https"));
    assert!(request.fields.push(b"x-forwarded-for", b"192.0.2.1"));
    assert!(request.fields.remove_all(b"cookie"));
    assert!(request.set_target(b"/other"));
    write_request(out, request, &[]);
    response.clear();
    response.fields.buffer_mut()[..RESPONSE.len()].copy_from_slice(RESPONSE);
    let done = parse_response(response, &mut Cursor::default(), RESPONSE.len(), Method::Get, &limits);
    assert_eq!(done, Ok(true));
    assert!(response.fields.set(b"strict-transport-security", b"max-age=31536000"));
    write_response(out, response, &[(b"connection", b"close")]);
}

#[test]
fn a_warm_exchange_allocates_nothing() {
    let (mut request, mut response, mut out) = (Request::default(), Response::default(), Vec::new());
    request.fields.set_buffer(vec![0; 16_384]);
    response.fields.set_buffer(vec![0; 16_384]);
    for _ in 0..3 {
        exchange(&mut request, &mut response, &mut out);
    }
    let before = sys::allocations();
    for _ in 0..100 {
        exchange(&mut request, &mut response, &mut out);
    }
    assert_eq!(sys::allocations() - before, 0);
    assert!(out.starts_with(b"GET /other HTTP/1.1\r\n"));
}
