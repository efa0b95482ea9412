use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lb_core::expr::{Arena, Facts, Glimpse, NoBuild, Now, OwnedSample, Peek, Registry, Vars, parse};

use super::*;
use crate::auth::{Password, User, UserList, UserLists};
use crate::h1::{Cursor, Limits, parse_request, parse_response};
use crate::head::Method;

struct Exchange {
    layer: HttpLayer,
    direction: Direction,
    now: Now,
}

impl Facts for Exchange {
    fn now(&self) -> Now {
        self.now
    }
    fn src(&self) -> Option<SocketAddr> {
        Some("10.0.0.1:1000".parse().unwrap())
    }
    fn direction(&self) -> Direction {
        self.direction
    }
    fn layer(&self) -> Option<&dyn Any> {
        Some(&self.layer)
    }
}

#[expect(clippy::disallowed_methods, reason = "nothing here depends on the time")]
fn exchange(request: &str, response: &str) -> Exchange {
    let mut layer = HttpLayer::default();
    layer.request.fields.set_buffer(request.as_bytes().to_vec());
    let limits = Limits::default();
    layer.has_request =
        parse_request(&mut layer.request, &mut Cursor::default(), request.len(), &limits).unwrap();
    layer.body_complete = true;
    if !response.is_empty() {
        layer.response.fields.set_buffer(response.as_bytes().to_vec());
        let len = response.len();
        let cursor = &mut Cursor::default();
        layer.has_response = parse_response(&mut layer.response, cursor, len, Method::Get, &limits).unwrap();
    }
    let now = Now { date: Duration::ZERO, instant: Instant::now() };
    Exchange { layer, direction: Direction::Request, now }
}

fn eval(exchange: &Exchange, text: &str) -> Option<OwnedSample> {
    let mut registry = Registry::builtin();
    register(&mut registry);
    let program = parse::parse(text, &registry, &mut NoBuild).unwrap_or_else(|e| panic!("{text}: {e:?}"));
    let arena = Arena::new();
    let env = Env::new(exchange, Vars::NONE, &arena);
    program.eval(&env).map(|sample| sample.to_owned_sample())
}

fn text(exchange: &Exchange, expression: &str) -> Option<String> {
    eval(exchange, expression).map(|sample| {
        let mut out = Vec::new();
        sample.as_sample().write_text(&mut out);
        String::from_utf8(out).unwrap()
    })
}

const REQUEST_TEXT: &str = "GET /a/b?x=1&y=2&x=3 HTTP/1.1\r\nHost: www.Example.com:80\r\n\
    X-Forwarded-For: 1.2.3.4, 5.6.7.8\r\nX-Forwarded-For: 9.9.9.9:80\r\nCookie: a=1; b=2; a=3\r\n\
    X-Num: 42\r\nAuthorization: Basic dTpw\r\n\r\n";

#[test]
fn parts_of_the_request_are_found() {
    let exchange = exchange(REQUEST_TEXT, "");
    for (expression, expected) in [
        ("path", Some("/a/b")),
        ("pathq", Some("/a/b?x=1&y=2&x=3")),
        ("query", Some("x=1&y=2&x=3")),
        ("query(with_qm)", Some("?x=1&y=2&x=3")),
        ("url", Some("/a/b?x=1&y=2&x=3")),
        ("base", Some("www.Example.com:80/a/b")),
        ("baseq", Some("www.Example.com:80/a/b?x=1&y=2&x=3")),
        ("method", Some("GET")),
        ("req.ver", Some("1.1")),
        ("req.hdr(host)", Some("www.Example.com:80")),
        ("hdr(X-Forwarded-For)", Some("9.9.9.9:80")),
        ("hdr(x-forwarded-for,1)", Some("1.2.3.4")),
        ("hdr(x-forwarded-for,-2)", Some("5.6.7.8")),
        ("hdr(x-forwarded-for,4)", None),
        ("req.fhdr(x-forwarded-for,1)", Some("1.2.3.4, 5.6.7.8")),
        ("req.hdr_cnt(x-forwarded-for)", Some("3")),
        ("req.fhdr_cnt(x-forwarded-for)", Some("2")),
        ("req.hdr_ip(x-forwarded-for)", Some("9.9.9.9")),
        ("req.hdr_val(x-num)", Some("42")),
        ("req.hdr(nothing)", None),
        ("req.cook(a)", Some("3")),
        ("req.cook_cnt(a)", Some("2")),
        ("req.cook_names", Some("a,b,a")),
        ("urlp(x)", Some("1")),
        ("urlp(X,,i)", Some("1")),
        ("urlp(X)", None),
        ("urlp_val(y)", Some("2")),
        ("http_auth_user", Some("u")),
        ("http_auth_pass", Some("p")),
        ("http_auth_type", Some("Basic")),
        ("capture.req.uri", Some("/a/b?x=1&y=2&x=3")),
        ("req.hdr_names(:)", Some("host:x-forwarded-for:x-forwarded-for:cookie:x-num:authorization")),
        ("status", None),
    ] {
        assert_eq!(text(&exchange, expression).as_deref(), expected, "{expression}");
    }
}

#[test]
fn responses_have_their_own_names() {
    let mut exchange = exchange(
        REQUEST_TEXT,
        "HTTP/1.0 404 Not Found\r\nSet-Cookie: s=v; path=/\r\nContent-Length: 4\r\nServer: x, y\r\n\r\nbody",
    );
    exchange.direction = Direction::Response;
    for (expression, expected) in [
        ("status", Some("404")),
        ("res.ver", Some("1.0")),
        ("res.hdr(server)", Some("y")),
        ("shdr_cnt(server)", Some("2")),
        ("res.cook(s)", Some("v")),
        ("res.body", Some("body")),
        ("res.body_len", Some("4")),
        ("hdr(server)", Some("y")),
        ("cookie(s)", Some("v")),
    ] {
        assert_eq!(text(&exchange, expression).as_deref(), expected, "{expression}");
    }
}

#[test]
fn the_captured_uri_is_the_path_and_there_may_be_none() {
    for (target, expected) in [
        ("http://a.example/x?y", Some("/x?y")),
        ("http://a.example/", Some("/")),
        ("*", None),
        ("/a?b", Some("/a?b")),
    ] {
        let exchange = exchange(&format!("OPTIONS {target} HTTP/1.1\r\nHost: a.example\r\n\r\n"), "");
        assert_eq!(text(&exchange, "capture.req.uri").as_deref(), expected, "{target}");
    }
}

#[test]
fn bodies_are_decoded() {
    let chunked = exchange(
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na=1\r\n4\r\n&b=2\r\n0\r\n\r\n",
        "",
    );
    assert_eq!(text(&chunked, "req.body").as_deref(), Some("a=1&b=2"));
    assert_eq!(text(&chunked, "req.body_param(b)").as_deref(), Some("2"));
    let known = exchange("POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\npart", "");
    assert_eq!(text(&known, "req.body_len").as_deref(), Some("4"));
    assert_eq!(text(&known, "req.body_size").as_deref(), Some("9"));
}

#[test]
fn users_are_checked_against_their_list() {
    let mut exchange = exchange(REQUEST_TEXT, "");
    let mut lists = UserLists::new();
    let user = User { name: "u".into(), password: Password::Plain("p".into()), groups: vec!["g".into()] };
    let mut list = UserList::default();
    list.users.push(user);
    lists.insert("l", list);
    exchange.layer.users = Some(Arc::new(lists));
    assert_eq!(eval(&exchange, "http_auth(l)"), Some(OwnedSample::Bool(true)));
    assert_eq!(text(&exchange, "http_auth_group(l)").as_deref(), Some("u"));
    exchange.layer.request.fields.set(b"authorization", b"Basic dTpx");
    assert_eq!(eval(&exchange, "http_auth(l)"), Some(OwnedSample::Bool(false)));
    assert_eq!(eval(&exchange, "http_auth(other)"), None);
}

#[test]
fn every_alias_leads_to_a_fetch() {
    let mut registry = Registry::builtin();
    register(&mut registry);
    for acl in ACLS {
        assert!(registry.fetch(acl.fetch).is_some(), "{}", acl.name);
    }
}

#[test]
fn empty_elements_count_also_at_the_end_of_a_value() {
    let count = |value: &str| {
        let request = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {value}\r\n\r\n");
        let exchange = exchange(&request, "");
        let number = eval(&exchange, "req.hdr_cnt(x)").and_then(|count| count.as_sample().to_int());
        let last =
            eval(&exchange, "req.hdr(x)").map(|last| last.as_sample().bytes().unwrap_or_default().to_vec());
        (number, last)
    };
    // As HAProxy 3.4.0 counts them.
    let text = |text: &str| Some(text.as_bytes().to_vec());
    assert_eq!(count(""), (Some(1), text("")));
    assert_eq!(count(","), (Some(2), text("")));
    assert_eq!(count("a,"), (Some(2), text("")));
    assert_eq!(count(",a"), (Some(2), text("a")));
    assert_eq!(count("a,,b"), (Some(3), text("b")));
}

/// A connection whose messages are not parsed.
struct Bytes {
    bytes: &'static str,
    glimpse: Glimpse,
}

impl Facts for Bytes {
    #[expect(clippy::disallowed_methods, reason = "nothing here depends on the time")]
    fn now(&self) -> Now {
        Now { date: Duration::ZERO, instant: Instant::now() }
    }
    fn buffer(&self, _: Direction) -> Option<Peek<'_>> {
        Some(Peek { bytes: self.bytes.as_bytes(), complete: false })
    }
    fn glimpse(&self) -> Option<&Glimpse> {
        Some(&self.glimpse)
    }
}

#[test]
fn requests_are_recognised_by_their_bytes_where_they_are_not_parsed() {
    let mut registry = Registry::builtin();
    register(&mut registry);
    let whole = "GET /x?y HTTP/1.1\r\nHost: a\r\n\r\nbody";
    let cases = [
        ("req.proto_http", whole, Some("1"), false),
        ("req.proto_http", "GET / HTTP/1.1\r\nHost:", None, true),
        ("req.proto_http", "SSH-2.0-OpenSSH_9.6\r\n", None, false),
        ("req.hdr(host)", whole, Some("a"), false),
        ("req.hdr(host)", "GET / HTTP/1.1\r\nHost:", None, true),
        ("path", whole, Some("/x"), false),
        ("method", whole, Some("GET"), false),
        ("status", whole, None, false),
    ];
    for (fetch, bytes, expected, unsettled) in cases {
        let program = parse::parse(fetch, &registry, &mut NoBuild).unwrap();
        let (facts, arena) = (Bytes { bytes, glimpse: Glimpse::new() }, Arena::new());
        let env = Env::new(&facts, Vars::NONE, &arena).partial();
        let found = program.eval_str(&env).map(|text| String::from_utf8_lossy(text).into_owned());
        assert_eq!(found.as_deref(), expected, "{fetch} {bytes}");
        assert_eq!(env.take_unsettled(), unsettled, "{fetch} {bytes}");
    }
}
