//! HTTP/1 heads: parsing, a typical rewrite, writing.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lb_proto_http::h1::{Cursor, Limits, parse_request, parse_response, write_request};
use lb_proto_http::head::{Method, Request, Response};
use std::hint::black_box;

const SHORT: &[u8] = b"GET /?s=1024 HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n";
const BROWSER: &[u8] = b"GET /app/page?s=1024 HTTP/1.1\r\nHost: www.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
    Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\nReferer: https://www.example.com/\r\n\
    Cookie: session=0123456789abcdef; theme=dark\r\nConnection: keep-alive\r\nUpgrade-Insecure-Requests: 1\r\n\
    Cache-Control: max-age=0\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: test\r\nDate: Sun, 22 Nov 2026 15:00:00 GMT\r\n\
    Content-Type: text/html; charset=utf-8\r\nContent-Length: 1024\r\nCache-Control: no-cache\r\n\r\n";

fn request_of(text: &[u8]) -> Request {
    let mut request = Request::default();
    let mut buffer = vec![0; 16_384];
    buffer[..text.len()].copy_from_slice(text);
    request.fields.set_buffer(buffer);
    request
}

fn parse(c: &mut Criterion) {
    let limits = Limits::default();
    let mut group = c.benchmark_group("h1_request");
    for (name, text) in [("short", SHORT), ("browser", BROWSER)] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        let mut request = request_of(text);
        group.bench_function(format!("parse/{name}"), |b| {
            b.iter(|| {
                request.clear();
                parse_request(black_box(&mut request), &mut Cursor::default(), text.len(), &limits)
            });
        });
        // The field's usual parser, which stops before the rules of framing.
        group.bench_function(format!("httparse/{name}"), |b| {
            b.iter(|| {
                let mut fields = [httparse::EMPTY_HEADER; 64];
                httparse::Request::new(&mut fields).parse(black_box(text)).is_ok()
            });
        });
        let mut slow = request_of(text);
        let lenient = {
            let mut limits = Limits::default();
            limits.lenient = true;
            limits
        };
        group.bench_function(format!("parse_slowly/{name}"), |b| {
            b.iter(|| {
                slow.clear();
                parse_request(black_box(&mut slow), &mut Cursor::default(), text.len(), &lenient)
            });
        });
        let mut out = Vec::with_capacity(4096);
        group.bench_function(format!("rewrite/{name}"), |b| {
            b.iter(|| {
                out.clear();
                request.clear();
                let done = parse_request(&mut request, &mut Cursor::default(), text.len(), &limits);
                request.fields.set(b"x-forwarded-proto", b"https");
                request.fields.push(b"x-forwarded-for", b"192.0.2.1");
                write_request(black_box(&mut out), &request, &[]);
                done
            });
        });
    }
    group.finish();
    let mut response = Response::default();
    let mut buffer = vec![0; 16_384];
    buffer[..ANSWER.len()].copy_from_slice(ANSWER);
    response.fields.set_buffer(buffer);
    c.bench_function("h1_response/parse", |b| {
        b.iter(|| {
            response.clear();
            parse_response(
                black_box(&mut response),
                &mut Cursor::default(),
                ANSWER.len(),
                Method::Get,
                &limits,
            )
        });
    });
}

criterion_group!(benches, parse);
criterion_main!(benches);
