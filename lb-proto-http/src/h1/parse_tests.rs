use super::*;

fn try_request(text: &[u8], limits: &Limits) -> Result<Option<Request>, Reject> {
    let mut request = Request::default();
    request.fields.set_buffer(text.to_vec());
    let mut cursor = Cursor::default();
    parse_request(&mut request, &mut cursor, text.len(), limits).map(|done| done.then_some(request))
}

fn request(text: &str) -> Result<Request, Reject> {
    try_request(text.as_bytes(), &Limits::default()).map(|request| request.expect("complete head"))
}

fn reject(text: &str) -> Option<Reject> {
    try_request(text.as_bytes(), &Limits::default()).err()
}

fn response(text: &str, asked: Method) -> Result<Response, Reject> {
    let mut response = Response::default();
    response.fields.set_buffer(text.as_bytes().to_vec());
    let mut cursor = Cursor::default();
    let done = parse_response(&mut response, &mut cursor, text.len(), asked, &Limits::default())?;
    assert!(done, "complete head");
    Ok(response)
}

fn show(fields: &Fields) -> String {
    fields
        .iter()
        .map(|(name, value)| format!("{}: {}\n", name.escape_ascii(), value.escape_ascii()))
        .collect()
}

#[test]
fn names_are_lowered_and_order_and_values_kept() {
    let parsed = request("GET /a?b HTTP/1.1\r\nHost: Ex\r\nX-A:  1 \r\nx-a:2\r\nEmpty:\r\n\r\nbody").unwrap();
    assert_eq!(parsed.method, Method::Get);
    assert_eq!(parsed.target(), b"/a?b");
    assert_eq!(parsed.version_text(), b"HTTP/1.1");
    assert_eq!(show(&parsed.fields), "host: Ex\nx-a: 1\nx-a: 2\nempty: \n");
    assert_eq!(parsed.buffered_body(), b"body");
}

#[test]
fn liberties_that_deployed_clients_take_are_accepted() {
    for text in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "\r\n\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        "get / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET  /  HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: A\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\u{1}b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX_Y: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n",
        "GET /|{}\"<>\\` HTTP/1.1\r\nHost: a\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
    ] {
        assert!(request(text).is_ok(), "{text:?}: {:?}", request(text).err());
    }
}

#[test]
fn a_line_without_a_colon_is_refused_before_its_continuation_is_complete() {
    for text in ["GET / HTTP/1.1\r\nC\r", "GET / HTTP/1.1\r\nC\r\n", "GET / HTTP/1.1\r\nC\r\n b"] {
        assert_eq!(reject(text), Some(Reject::FieldName), "{text:?}");
    }
    assert_eq!(reject("GET / HTTP/1.1\r\nC"), None);
    assert_eq!(reject("GET / HTTP/1.1\r\nC:\r\n b"), None);
}

#[test]
fn a_folded_value_is_joined_with_blanks() {
    let parsed = request("GET / HTTP/1.1\r\nX: a\r\n b\r\n\tc\r\nY:\r\n  d\r\n\r\n").unwrap();
    assert_eq!(show(&parsed.fields), "x: a   b  \\tc\ny: d\n");
}

#[test]
fn what_peers_may_read_differently_is_refused() {
    for (text, reason) in [
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", Reject::Host),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", Reject::Host),
        ("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", Reject::ContentLength),
        ("POST / HTTP/1.1\r\nContent-Length: +2\r\n\r\n", Reject::ContentLength),
        ("POST / HTTP/1.1\r\nContent-Length: 1,\r\n\r\n", Reject::ContentLength),
        ("POST / HTTP/1.1\r\nContent-Length: 0x1\r\n\r\n", Reject::ContentLength),
        ("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", Reject::ContentLength),
        ("POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", Reject::ContentLength),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", Reject::FieldName),
        ("GET / HTTP/1.1\r\n: a\r\n\r\n", Reject::FieldName),
        ("GET / HTTP/1.1\r\nA(: a\r\n\r\n", Reject::FieldName),
        ("GET / HTTP/1.1\r\nNoColon\r\n\r\n", Reject::FieldName),
        ("GET / HTTP/1.1\r\n folded: first\r\n\r\n", Reject::FieldName),
        ("GET / HTTP/1.1\r\nX: a\0b\r\n\r\n", Reject::FieldValue),
        ("GET / HTTP/1.1\r\nX: a\rb\r\n\r\n", Reject::BareCr),
        ("GET /é HTTP/1.1\r\n\r\n", Reject::TargetCharacter),
        ("GET /#f HTTP/1.1\r\n\r\n", Reject::TargetCharacter),
        ("GET /\u{1} HTTP/1.1\r\n\r\n", Reject::TargetCharacter),
        ("GET * HTTP/1.1\r\n\r\n", Reject::Target),
        ("GET /\r\n\r\n", Reject::NoVersion),
        ("GET / HTTP/1\r\n\r\n", Reject::Version),
        ("GET / HTTP/1.1 \r\n\r\n", Reject::Version),
        ("PRI * HTTP/2.0\r\n\r\n", Reject::Http2Preface),
        ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", Reject::HostMismatch),
        ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", Reject::Target),
        ("CONNECT / HTTP/1.1\r\n\r\n", Reject::Target),
        ("CONNECT a HTTP/1.1\r\n\r\n", Reject::Target),
        ("CONNECT a:443 HTTP/1.1\r\nHost: b:443\r\n\r\n", Reject::HostMismatch),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", Reject::TransferEncoding),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", Reject::TransferEncoding),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: identity\r\n\r\n", Reject::TransferEncoding),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: \r\n\r\n", Reject::TransferEncoding),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", Reject::TransferCoding),
        ("GET / HTTP/1.0\r\nContent-Length: 1\r\n\r\n", Reject::UnexpectedBody),
        ("GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", Reject::WebSocketKey),
        ("\0", Reject::NotAMessage),
        ("G\0", Reject::Method),
    ] {
        assert_eq!(reject(text), Some(reason), "{text:?}");
    }
    assert_eq!(Reject::TransferCoding.status(), 422);
    assert_eq!(Reject::UnexpectedBody.status(), 413);
}

#[test]
fn broken_lines_are_refused_before_they_are_complete() {
    assert_eq!(reject("GET / HTTP/1.1\r\nBad@"), Some(Reject::FieldName));
    assert_eq!(reject("GET /\u{7f}"), Some(Reject::TargetCharacter));
    assert_eq!(reject("G(T"), Some(Reject::Method));
    assert_eq!(reject("GET / HTTP/1.1\r\nGood"), None);
}

#[test]
fn length_and_chunks_together_keep_the_chunks_and_close() {
    let parsed =
        request("POST / HTTP/1.1\r\nContent-Length: 5\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n")
            .unwrap();
    assert_eq!(parsed.body, BodyLength::Chunked);
    assert!(parsed.flags.close);
    assert_eq!(show(&parsed.fields), "host: a\ntransfer-encoding: chunked\n");
}

#[test]
fn equal_lengths_are_merged_and_leading_zeros_dropped() {
    let parsed = request("POST / HTTP/1.1\r\nContent-Length: 007, 7\r\nContent-Length: 7\r\n\r\n").unwrap();
    assert_eq!(parsed.body, BodyLength::Known(7));
    assert_eq!(show(&parsed.fields), "content-length: 7\n");
}

#[test]
fn connection_options_that_concern_only_one_side_are_removed() {
    let parsed = request("GET / HTTP/1.1\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\n\r\n").unwrap();
    assert!(parsed.flags.keep_alive && !parsed.flags.close);
    assert_eq!(show(&parsed.fields), "connection: X-Hop\nx-hop: 1\n");
    let parsed = request("GET / HTTP/1.1\r\nConnection: close, A, b\r\n\r\n").unwrap();
    assert_eq!(show(&parsed.fields), "connection: A,b\n");
    let parsed = request("GET / HTTP/1.1\r\nConnection: Close\r\n\r\n").unwrap();
    assert!(parsed.flags.close && !parsed.wants_keep_alive());
    assert_eq!(show(&parsed.fields), "");
}

#[test]
fn upgrades_need_both_fields() {
    let parsed = request("GET / HTTP/1.1\r\nUpgrade: foo\r\n\r\n").unwrap();
    assert_eq!((show(&parsed.fields), parsed.flags.upgrade), (String::new(), false));
    let parsed = request("GET / HTTP/1.1\r\nConnection: a, Upgrade\r\n\r\n").unwrap();
    assert_eq!((show(&parsed.fields), parsed.flags.upgrade), ("connection: a\n".into(), false));
    let parsed = request("GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c, foo\r\n\r\n").unwrap();
    assert_eq!(show(&parsed.fields), "connection: Upgrade\nupgrade: foo\n");
    assert!(parsed.flags.upgrade);
}

#[test]
fn absolute_targets_lose_their_default_port_and_gain_a_path() {
    let parsed = request("GET http://a:80/x HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert_eq!((parsed.target(), parsed.fields.value(0)), (&b"http://a/x"[..], &b"a"[..]));
    let parsed = request("GET http://a HTTP/1.1\r\nHost: a:80\r\n\r\n").unwrap();
    assert_eq!((parsed.target(), parsed.fields.value(0)), (&b"http://a/"[..], &b"a"[..]));
    let parsed = request("GET http://a:8080/x HTTP/1.1\r\nHost: a:8080\r\n\r\n").unwrap();
    assert_eq!(parsed.target(), b"http://a:8080/x");
}

#[test]
fn limits_have_their_own_answers() {
    let fields = "A: b\r\n".repeat(100);
    assert!(request(&format!("GET / HTTP/1.1\r\n{fields}\r\n")).is_ok());
    let text = format!("GET / HTTP/1.1\r\n{fields}A: b\r\n\r\n");
    assert_eq!(reject(&text), Some(Reject::TooManyFields));
    let value = "v".repeat(16_000);
    assert_eq!(reject(&format!("GET / HTTP/1.1\r\nA: {value}\r\n\r\n")), Some(Reject::HeadTooLarge));
    assert_eq!(reject(&format!("GET / HTTP/1.1\r\nA: {value}")), Some(Reject::HeadTooLarge));
    assert_eq!(reject(&format!("GET /{value}")), Some(Reject::TargetTooLong));
}

#[test]
fn the_lenient_mode_ignores_fields_with_impossible_names() {
    let limits = Limits { lenient: true, ..Limits::default() };
    let text = b"GET /\xe9# HTTP/1.1\r\nA B: 1\r\nX: a\0b\r\n\r\n";
    let parsed = try_request(text, &limits).unwrap().unwrap();
    assert_eq!(show(&parsed.fields), "x: a\\x00b\n");
}

#[test]
fn the_rules_for_response_bodies() {
    let length = |head: &str, asked| response(&format!("HTTP/1.1 {head}\r\n\r\n"), asked).unwrap().body;
    assert_eq!(length("200 OK", Method::Get), BodyLength::UntilClose);
    assert_eq!(length("200 OK\r\nContent-Length: 3", Method::Get), BodyLength::Known(3));
    assert_eq!(length("200 OK\r\nContent-Length: 3", Method::Head), BodyLength::Empty);
    assert_eq!(length("304 Not Modified\r\nContent-Length: 3", Method::Get), BodyLength::Empty);
    assert_eq!(length("204 No Content\r\nTransfer-Encoding: chunked", Method::Get), BodyLength::Empty);
    assert_eq!(length("200 OK\r\nTransfer-Encoding: chunked", Method::Get), BodyLength::Chunked);
    assert_eq!(length("101 Switching Protocols", Method::Get), BodyLength::Tunnel);
    assert_eq!(length("200 OK\r\nContent-Length: 3", Method::Connect), BodyLength::Tunnel);
    assert_eq!(length("407 No\r\nContent-Length: 3", Method::Connect), BodyLength::Known(3));
    let parsed = response("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", Method::Get).unwrap();
    assert!(parsed.fields.is_empty());
}

#[test]
fn status_lines_may_lack_a_reason_and_must_have_a_number() {
    let parsed = response("HTTP/1.0 200\r\n\r\n", Method::Get).unwrap();
    assert_eq!((parsed.status, parsed.reason(), parsed.keeps_alive()), (200, &b""[..], false));
    let parsed = response("HTTP/1.1 404 Pas trouv\u{e9}\r\n\r\n", Method::Get).unwrap();
    assert_eq!(parsed.reason(), "Pas trouvé".as_bytes());
    for (text, reason) in [
        ("HTTP/1.1 2000 OK\r\n\r\n", Reject::Status),
        ("HTTP/1.1 OK\r\n\r\n", Reject::Status),
        ("HTTP/11 200 OK\r\n\r\n", Reject::Version),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", Reject::TransferCoding),
    ] {
        assert_eq!(response(text, Method::Get).err(), Some(reason), "{text:?}");
    }
}

#[test]
fn trailers_are_parsed_as_a_section_of_fields() {
    let mut fields = Fields::default();
    fields.set_buffer(b"0\r\nX-T: 1\r\n\r\nrest".to_vec());
    assert_eq!(parse_trailers(&mut fields, 3, 8, &Limits::default()), Ok(None));
    assert_eq!(parse_trailers(&mut fields, 3, 17, &Limits::default()), Ok(Some(13)));
    assert_eq!(show(&fields), "x-t: 1\n");
}

#[test]
fn start_lines_mean_the_same_whatever_separates_their_parts() {
    for target in ["/", "/a?b", "*", "http://a/b", "a:80"] {
        for method in ["GET", "OPTIONS", "CONNECT"] {
            let [usual, other] = [" ", "  "].map(|blank| {
                request(&format!("{method}{blank}{target}{blank}HTTP/1.1\r\nHost: a\r\n\r\n"))
                    .map(|parsed| (parsed.method, parsed.target().to_vec(), parsed.version))
            });
            assert_eq!(usual, other, "{method} {target}");
        }
    }
    assert_eq!(reject("GET  HTTP/1.1\r\n\r\n"), Some(Reject::NoVersion));
    for status in ["200 OK", "404 Not Found", "200 ", "200", "20 OK", "2000 OK", "2x0 OK"] {
        let [usual, other] = [" ", "  "].map(|blank| {
            response(&format!("HTTP/1.1{blank}{status}\r\ncontent-length: 0\r\n\r\n"), Method::Get)
                .map(|parsed| (parsed.status, parsed.reason().to_vec(), parsed.version))
        });
        assert_eq!(usual, other, "{status}");
    }
}

#[test]
fn lengths_are_read_up_to_the_largest_number_there_is() {
    let read = |text: &str| {
        response(&format!("HTTP/1.1 200 OK\r\nContent-Length: {text}\r\n\r\n"), Method::Get)
            .map(|parsed| (parsed.body, show(&parsed.fields)))
    };
    for (text, value) in
        [("7", 7), ("9999999999999999999", 9_999_999_999_999_999_999), ("18446744073709551615", u64::MAX)]
    {
        assert_eq!(read(text), Ok((BodyLength::Known(value), format!("content-length: {text}\n"))));
    }
    assert_eq!(read("007"), Ok((BodyLength::Known(7), "content-length: 7\n".to_owned())));
    for bad in ["18446744073709551616", "99999999999999999999", "1x", "x", "999999999999999999x", ""] {
        assert_eq!(read(bad), Err(Reject::ContentLength), "{bad}");
    }
}

#[test]
fn fields_are_written_alike_whether_they_are_copied_together_or_one_by_one() {
    let changes: [fn(&mut Fields); 7] = [
        |_| {},
        |fields| fields.remove(1),
        |fields| _ = fields.set_value(0, b"other"),
        |fields| _ = fields.push(b"new", b"1"),
        |fields| _ = fields.remove_all(b"b"),
        |fields| _ = fields.set(b"a", b"2"),
        |fields| {
            fields.push(b"new", b"1");
            fields.remove(0);
        },
    ];
    for text in [
        "A: 1\r\nB: 2\r\nC: 3\r\n",
        "A: 1\r\nB:2\r\nC: 3\r\n",
        "A: 1\r\nB: 2 \r\nC: 3\r\n",
        "A: 1\r\nB: 2\nC: 3\r\n",
        "A:\t1\r\nB: 2\r\n folded\r\nC:\r\n",
        "A: 1\r\nConnection: keep-alive\r\nB: 2\r\nC: \r\n",
        "Host: a\r\nA: 1\r\nHost: a\r\nB: 2\r\n",
    ] {
        for change in changes {
            let mut fields = request(&format!("GET / HTTP/1.1\r\n{text}\r\n")).unwrap().fields;
            change(&mut fields);
            let expected: String = show(&fields).replace('\n', "\r\n");
            let mut out = Vec::new();
            fields.write_to(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{text:?}");
        }
    }
}
