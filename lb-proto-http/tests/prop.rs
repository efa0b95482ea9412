//! Properties of the HTTP/1 parser: the result does not depend on how bytes are split, and what is forwarded means what
//! was received.

use lb_proto_http::fuzzing;
use lb_proto_http::h1::{Cursor, Limits, parse_request};
use lb_proto_http::head::Request;
use proptest::prelude::*;

/// Heads made of parts that are nearly right.
fn head() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        8 => Just("Host: a"),
        4 => Just("X-A: b, c"),
        2 => Just("Content-Length: 3"),
        2 => Just("content-length: 3"),
        1 => Just("Content-Length: 4"),
        2 => Just("Transfer-Encoding: chunked"),
        1 => Just("Transfer-Encoding: gzip, chunked"),
        2 => Just("Connection: close, X"),
        2 => Just("Connection: upgrade"),
        2 => Just("Upgrade: foo, h2c"),
        1 => Just(" folded"),
        1 => Just("Bad Name: x"),
        1 => Just("X: \u{1}"),
        1 => Just("Host: b"),
        1 => Just(""),
    ];
    let start = prop_oneof![
        Just("GET / HTTP/1.1"),
        Just("POST /a?b HTTP/1.1"),
        Just("GET http://a:80 HTTP/1.1"),
        Just("CONNECT a:443 HTTP/1.1"),
        Just("OPTIONS * HTTP/1.0"),
        Just("get  /  HTTP/1.2"),
        Just("GET /\u{e9} HTTP/1.1"),
        Just("GET /"),
    ];
    let end = prop_oneof![9 => Just("\r\n"), 1 => Just("\n"), 1 => Just("\r")];
    (start, proptest::collection::vec((line, end.clone()), 0..8), end).prop_map(|(start, lines, end)| {
        let mut out = start.as_bytes().to_vec();
        out.extend_from_slice(end.as_bytes());
        for (line, end) in lines {
            out.extend_from_slice(line.as_bytes());
            out.extend_from_slice(end.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out
    })
}

/// What an independent parser (`httparse`) and ours read in a head that both accept; `None` if one refuses it. The fields that
/// frame and route a message are left out, because ours settles what they say.
fn read_twice(head: &[u8]) -> Option<(Reading, Reading)> {
    let mut request = Request::default();
    request.fields.set_buffer(head.to_vec());
    let ours = parse_request(&mut request, &mut Cursor::default(), head.len(), &Limits::default());
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut theirs = httparse::Request::new(&mut fields);
    let (Ok(true), Ok(httparse::Status::Complete(end))) = (ours, theirs.parse(head)) else { return None };
    let settled =
        |name: &str| ["host", "connection", "upgrade", "content-length", "transfer-encoding"].contains(&name);
    let read = |fields: &mut dyn Iterator<Item = (String, Vec<u8>)>| {
        fields.filter(|(name, _)| !settled(name)).collect::<Vec<_>>()
    };
    let own = read(
        &mut request
            .fields
            .iter()
            .map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), value.to_vec())),
    );
    let other =
        read(&mut theirs.headers.iter().map(|field| (field.name.to_ascii_lowercase(), field.value.to_vec())));
    let method = theirs.method.unwrap_or_default().as_bytes().to_vec();
    Some((
        (request.method_text().to_vec(), head.len() - request.buffered_body().len(), own),
        (method, end, other),
    ))
}

/// Method, length of the head, fields.
type Reading = (Vec<u8>, usize, Vec<(String, Vec<u8>)>);

#[test]
fn a_plain_head_is_accepted_by_both_parsers() {
    let (ours, theirs) = read_twice(b"GET /a HTTP/1.1\r\nHost: a\r\nX-A:  b c \r\n\r\n").unwrap();
    assert_eq!(ours, theirs);
    assert_eq!(ours.2, [("x-a".to_owned(), b"b c".to_vec())]);
}

proptest! {
    #[test]
    fn an_independent_parser_reads_the_same(head in head()) {
        if let Some((ours, theirs)) = read_twice(&head) {
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn requests_do_not_depend_on_how_they_are_split(head in head()) {
        fuzzing::h1_request(&head);
    }

    #[test]
    fn any_bytes_are_parsed_without_harm(data in proptest::collection::vec(any::<u8>(), 0..200)) {
        fuzzing::h1_request(&data);
        fuzzing::h1_response(&data);
        fuzzing::h1_chunked(&data);
    }

    #[test]
    fn responses_do_not_depend_on_how_they_are_split(
        status in prop_oneof![Just("HTTP/1.1 200 OK"), Just("HTTP/1.0 204"), Just("HTTP/1.1 101 X"), Just("HTTP/1.1 2000 X")],
        fields in "(Content-Length: [0-9]{1,3}\r\n|Transfer-Encoding: chunked\r\n|X: y\r\n z\r\n|bad\r\n){0,4}",
    ) {
        fuzzing::h1_response(format!("{status}\r\n{fields}\r\n").as_bytes());
    }

    #[test]
    fn chunked_bodies_do_not_depend_on_how_they_are_split(body in "([0-9a-f]{1,2}(;x=\"y\")?\r\n[a-z]{0,20}\r\n){0,3}(0\r\n\r\n)?") {
        fuzzing::h1_chunked(body.as_bytes());
    }
}
