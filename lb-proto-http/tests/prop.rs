//! Properties of the HTTP/1 parser: the result does not depend on how bytes are split, and what is forwarded means what
//! was received.

use lb_proto_http::fuzzing;
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

proptest! {
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
