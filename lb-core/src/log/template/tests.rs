use std::time::Duration;

use super::*;
use crate::expr::{Arena, EngineView, Facts, NoBuild, NoEngine, Now, ProxyRef, VarScope, Vars};
use crate::log::{Capture, Cause, HttpRecord, Phase, RequestLine, Termination, Timers};

struct Session<'r>(Record<'r>);

impl Facts for Session<'_> {
    fn now(&self) -> Now {
        Now { date: self.0.accept_date, instant: crate::expr::testing::instant() }
    }
    fn src(&self) -> Option<std::net::SocketAddr> {
        self.0.client
    }
    fn record(&self) -> Option<Record<'_>> {
        Some(self.0)
    }
    fn unique_id(&self) -> Option<&[u8]> {
        Some(b"id-1")
    }
    fn engine(&self) -> &dyn EngineView {
        &NoEngine
    }
}

fn record<'r>() -> Record<'r> {
    Record {
        client: Some("10.0.1.2:33317".parse().unwrap()),
        frontend_addr: Some("10.0.3.31:8012".parse().unwrap()),
        frontend: ProxyRef { name: "http-in", id: 2 },
        listener: ProxyRef { name: "", id: 7 },
        backend: Some(ProxyRef { name: "static", id: 3 }),
        server: Some("srv1"),
        accept_date: Duration::from_millis(1_792_682_910_007),
        request_date: Duration::from_millis(1_792_682_910_655),
        timers: Timers {
            request: 10,
            queue: 0,
            connect: 30,
            response: 69,
            active: 109,
            total: 5007,
            ..Timers::UNKNOWN
        },
        status: 200,
        bytes_read: 2750,
        process_connections: 1,
        frontend_connections: 2,
        backend_connections: 3,
        server_connections: 4,
        http: Some(HttpRecord {
            request: Some(RequestLine { method: b"GET", uri: b"/in\"dex?a=1", version: b"HTTP/1.1" }),
            ..HttpRecord::EMPTY
        }),
        ..Record::EMPTY
    }
}

fn format(style: Style, format: &str, record: Record<'_>) -> String {
    let template = Template::parse(format, style, Phases::ALL, &Registry::builtin(), &mut NoBuild).unwrap();
    let (session, arena, txn) = (Session(record), Arena::new(), VarScope::new());
    txn.set(&"s".into(), &Sample::Str(b"a\"b\\c]d\re"));
    txn.set(&"b".into(), &Sample::Bin(b"\x01\x02"));
    let vars = Vars { transaction: Some(&txn), ..Vars::NONE };
    let mut out = Vec::new();
    template.write(&Env::new(&session, vars, &arena), &mut out);
    String::from_utf8(out).unwrap()
}

fn log(text: &str) -> String {
    format(Style::Log, text, record())
}

#[test]
fn the_http_log_equals_the_original() {
    assert_eq!(
        log(HTTP_LOG),
        "10.0.1.2:33317 [22/Oct/2026:15:28:30.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- \
         1/2/3/4/0 0/0 \"GET /in#22dex?a=1 HTTP/1.1\""
    );
}

#[test]
fn a_bad_request_has_no_parts_and_no_captures() {
    let record = Record {
        backend: None,
        server: None,
        timers: Timers { active: 3, ..Timers::UNKNOWN },
        status: 400,
        bytes_read: 0,
        termination: Termination { cause: Cause::Proxy, phase: Phase::Request, ..Termination::default() },
        http: None,
        ..record()
    };
    assert_eq!(
        format(Style::Log, HTTP_LOG, record),
        "10.0.1.2:33317 [22/Oct/2026:15:28:30.655] http-in http-in/<NOSRV> -1/-1/-1/-1/3 400 0 - - PR-- \
         1/2/3/4/0 0/0 \"<BADREQ>\""
    );
    assert_eq!(format(Style::Log, "%HM %HU %HV %HQ %HP %HPO", record), ["<BADREQ>"; 6].join(" "));
}

#[test]
fn the_tcp_log_equals_the_original() {
    let record = Record { tls: true, early: true, redispatched: true, retries: 3, ..record() };
    assert_eq!(
        format(Style::Log, TCP_LOG, record),
        "10.0.1.2:33317 [22/Oct/2026:15:28:30.007] http-in~ static/srv1 0/30/+5007 +2750 -- 1/2/3/4/+3 0/0"
    );
}

#[test]
fn the_common_log_format_quotes_what_it_should() {
    assert_eq!(
        log(HTTP_CLF_LOG),
        "10.0.1.2 - - [22/Oct/2026:15:28:30 +0000] \"GET /in#22dex?a=1 HTTP/1.1\" 200 2750 \"\" \"\" 33317 \
         007 \"http-in\" \"static\" \"srv1\" 10 0 30 69 109 ---- 1 2 3 4 0 0 0 \"\" \"\" "
            .trim_end()
            .to_owned()
            + " "
    );
}

#[test]
fn captures_are_braced_lists() {
    let mut slots = [Capture::new(), Capture::new(), Capture::new()];
    slots[0].set(b"1wt.eu|x", 6);
    slots[2].set(b"a|b", 10);
    let http = HttpRecord { request_captures: &slots, ..HttpRecord::EMPTY };
    let record = Record { http: Some(http), ..record() };
    assert_eq!(format(Style::Log, "<%hr> <%hs> <%hrl>", record), "<{1wt.eu||a#7Cb}> <> <1wt.eu - a#7Cb>");
}

#[test]
fn unix_sockets_print_their_id() {
    let record = Record { client: None, frontend_addr: None, unix: true, ..record() };
    assert_eq!(format(Style::Log, "%ci:%cp %fi:%fp %bi:%bp", record), "unix:7 unix:7 -:-");
}

#[test]
fn flags_quote_escape_and_print_hexadecimal() {
    assert_eq!(log("%{+X}ci %{+X}cp %{+X}Ts"), "0A000102 8225 6ADA2B9E");
    assert_eq!(log("%{+Q}s %{+Q,-Q}s %{+Q}[src]"), "\"srv1\" srv1 \"10.0.1.2\"");
    assert_eq!(log("%{+E}[var(txn.s)]"), "a\\\"b\\\\c\\]d\re");
    assert_eq!(log("%{+Q}o %s %{-Q}s"), "\"srv1\" srv1");
    assert_eq!(log("%[var(txn.none)] %{+Q}[var(txn.none)]"), "- \"\"");
}

#[test]
fn headers_only_lose_what_http_forbids() {
    assert_eq!(
        format(Style::Header, "  a  %[var(txn.s)] %[var(txn.none)]|", record()),
        "  a  a\"b\\c]d%0De |"
    );
    assert_eq!(format(Style::Plain, "%[var(txn.s)]%%", record()), "a\"b\\c]d\re%");
    assert_eq!(format(Style::UniqueId, "  %ci  -  %ID ", record()), "10.0.1.2 - id-1 ");
}

#[test]
fn json_and_cbor_encode_named_items() {
    assert_eq!(
        log("%{+json}o %(ip)ci x %(st)ST %B %(r)r %(s)[var(txn.s)] %(n:str)[int(5)] %(f)[bool(1)] %(z)hr"),
        "{\"ip\": \"10.0.1.2\", \"st\": 200, \"r\": \"GET /in#22dex?a=1 HTTP/1.1\", \
         \"s\": \"a\\\"b\\\\c]d\re\", \"n\": \"5\", \"f\": true, \"z\": null}"
    );
    assert_eq!(
        log("%{+cbor}o %(a)ST %(b)[bool(0)] %(c)s %(d)[var(txn.b)]"),
        "BF616118C86162F46163647372763161645F420102FFFF"
    );
    assert_eq!(log("%{+json}[str(a)]|%{+json}ST"), "\"a\"|200");
}

/// Lines written by HAProxy 3.4.0 for the same request.
#[test]
fn encoded_lines_equal_those_of_haproxy() {
    let mut slots = [Capture::new(), Capture::new()];
    slots[0].set(b"a|b{c", 20);
    let request = RequestLine { method: b"GET", uri: b"/in\"dex?a=1|b", version: b"HTTP/1.1" };
    let http = HttpRecord { request: Some(request), request_captures: &slots, ..HttpRecord::EMPTY };
    let record = Record {
        frontend: ProxyRef { name: "f", id: 2 },
        backend: None,
        server: None,
        accept_date: Duration::from_millis(1_795_366_604_397),
        bytes_read: 0,
        http: Some(http),
        ..record()
    };
    assert_eq!(
        format(
            Style::Log,
            "%{+json}o %(st)ST %B %(r)r %(s)[var(txn.s)] %(n:str)[int(5)] %(f)[bool(1)] %(z)hs %(l)hrl \
             %(h)hr %(ts)Ts %(ms)ms %(ft)ft %(q)HQ %(rt:str)rt %(none)[var(txn.none)] %(b)[var(txn.b)]",
            record
        ),
        "{\"st\": 200, \"r\": \"GET /in#22dex?a=1|b HTTP/1.1\", \"s\": \"a\\\"b\\\\c]d\re\", \"n\": \"5\", \
         \"f\": true, \"z\": null, \"l\": [\"a#7Cb#7Bc\", \"-\"], \"h\": \"{a#7Cb#7Bc|}\", \"ts\": 1795366604, \
         \"ms\": 397, \"ft\": \"f\", \"q\": \"?a=1|b\", \"rt\": \"0\", \"none\": \"\", \"b\": \"\x01\x02\"}"
    );
    assert_eq!(
        format(
            Style::Log,
            "%{+cbor}o %(a)ST %(b)[bool(0)] %(c)s %(d)[var(txn.b)] %(r)r %(h)hr %(l)hrl \
             %(e)[var(txn.none)] %(neg)[int(-500)]",
            record
        ),
        "BF616118C86162F46163673C4E4F5352563E61645F420102FF61727F67474554202F696E63233232726465783F613D317C6220\
         485454502F312E31FF61687F617B6161632337436162632337426163617C617DFF616C9F7F61616323374361626323374261\
         63FF7F612DFFFF6165F6636E65673901F3FF"
    );
    assert_eq!(
        format(
            Style::Log,
            "%hr %hs|%hrl|%{+Q}hr %{+Q}hrl %HM %HP %HPO %HQ %HU %HV %{+X}ST %{+E}[var(txn.s)] \
             %{+Q}[var(txn.none)] %[var(txn.none)]   x",
            record
        ),
        "{a#7Cb#7Bc|} |a#7Cb#7Bc -|\"{a#7Cb#7Bc|}\" \"a#7Cb#7Bc\" \"\" GET /in#22dex /in#22dex ?a=1|b \
         /in#22dex?a=1|b HTTP/1.1 200 a\\\"b\\\\c\\]d\re \"\" - x"
    );
}

#[test]
fn blanks_merge_only_in_logs() {
    assert_eq!(log("  a   b %hr c "), "a b c ");
}

#[test]
fn the_lines_without_format_equal_the_original() {
    let mut out = Vec::new();
    write_accept_line(&record(), &mut out);
    assert_eq!(out, b"Connect from 10.0.1.2:33317 to 10.0.3.31:8012 (http-in/TCP)");
    out.clear();
    write_accept_line(&Record { client: None, unix: true, http_frontend: true, ..record() }, &mut out);
    assert_eq!(out, b"Connect to unix:7 (http-in/HTTP)");
    out.clear();
    let record = Record { error: Some("Connection error during SSL handshake"), ..record() };
    let (session, arena) = (Session(record), Arena::new());
    write_error_line(&record, &Env::new(&session, Vars::NONE, &arena), &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "10.0.1.2:33317 [22/Oct/2026:15:28:30.007] http-in/7: Connection error during SSL handshake"
    );
}

#[test]
fn mistakes_are_reported_where_they_are() {
    let parse = |text: &str, phases| {
        let result = Template::parse(text, Style::Log, phases, &Registry::builtin(), &mut NoBuild);
        result.map(drop).map_err(|e| (e.start, e.end, e.to_string()))
    };
    let (start, end, text) = parse("ab %zz c", Phases::ALL).unwrap_err();
    assert_eq!((start, end), (4, 6));
    assert!(text.starts_with("no such format alias 'zz'"), "{text}");
    assert_eq!(parse("a %[nope] c", Phases::ALL).unwrap_err().0, 4);
    assert_eq!(parse("a %[src,lowr] c", Phases::ALL).unwrap_err().0, 8);
    for text in ["%", "50% of", "%{+Q", "%(a", "%[src", "%[src x]", "%{+Q}-", "%(a!)ci", "%(a:float)ci"] {
        assert!(parse(text, Phases::ALL).is_err(), "{text}");
    }
    assert!(parse("%[req.len]", Phases::LOG).is_err());
    assert!(parse("%[req.len]", Phases::FE_REQUEST_CONTENT).is_ok());
}

#[test]
fn templates_know_what_they_need() {
    let parse =
        |text| Template::parse(text, Style::Log, Phases::ALL, &Registry::builtin(), &mut NoBuild).unwrap();
    assert_eq!(parse("a%%b").as_literal(), Some(&b"a%b"[..]));
    assert_eq!(parse("%ci").as_literal(), None);
    assert_eq!(parse("%ci %ST").http_only_alias(), None);
    assert_eq!(parse("%ci %tr").http_only_alias(), Some("tr"));
}
