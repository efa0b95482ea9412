//! Rules, answers of the proxy itself, persistence.

use lb_core::log::Style;
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use lb_core::dns::{Family, ResolverSpec, Resolvers};
use lb_core::expr::VarName;
use lb_core::rule::Rule;
use lb_core::rule::resolve::Resolve;
use lb_core::stick::{DataType, KeyType, Store, TableSpec};
use lb_proto_http::head::HeaderName;
use lb_proto_http::spec::{
    Action, CookieMode, CookieSpec, ForwardFor, Reply, ReplyBody, ServiceKind, StatsPage, TrackSlot,
};

use super::harness::*;

#[test]
fn rules_change_requests_and_responses() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, http| {
        http.forward_for = Some(ForwardFor::new());
        http.request.push(Rule::new(header("X-Path", "%[path]"), None));
        http.response.push(Rule::new(header("X-Status", "%[status]"), None));
        http.after_response.push(Rule::new(header("X-After", "1"), None));
    });
    let answer = exchange(&mut proxy.client(), GET);
    assert_eq!(answer, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-status: 200\r\nx-after: 1\r\n\r\nhello");
    assert_eq!(
        origin.requests.lock().unwrap()[0],
        "GET / HTTP/1.1\r\nhost: h\r\nx-path: /\r\nx-forwarded-for: 127.0.0.1\r\n\r\n"
    );
}

#[test]
fn the_framing_of_a_response_is_not_the_body_that_is_waited_for() {
    let chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;extension\r\nhello\r\n";
    let origin = origin(|_, _| chunk.to_vec());
    let proxy = proxy(&[origin.addr], |_, http| {
        let time = Duration::from_millis(50);
        http.response.push(Rule::new(Action::WaitForBody { time, at_least: 6 }, None));
    });
    assert!(exchange(&mut proxy.client(), GET).starts_with("HTTP/1.1 504 "));
}

#[test]
fn a_rule_looks_a_name_up_while_the_request_waits() {
    let names = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut spec = ResolverSpec::new("r");
    spec.servers.push(names.local_addr().unwrap().into());
    let rule = Resolve {
        variable: VarName::parse("txn.ip").unwrap(),
        resolvers: Arc::new(Resolvers::new(spec)),
        prefer: Family::V4,
        name: expression("req.hdr(host)"),
    };
    std::thread::spawn(move || {
        let mut question = [0; 512];
        let (length, peer) = names.recv_from(&mut question).unwrap();
        // The question without its additional record, and what it asks for.
        let mut answer = question[..length - 11].to_vec();
        answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
        names.send_to(&answer, peer).unwrap();
    });
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, http| {
        http.request.push(Rule::new(Action::Resolve(rule), None));
        http.request.push(Rule::new(header("x-ip", "%[var(txn.ip)]"), None));
    });
    assert_eq!(exchange(&mut proxy.client(), GET), HELLO);
    assert!(origin.requests.lock().unwrap()[0].contains("\r\nx-ip: 192.0.2.7\r\n"));
}

#[test]
fn a_denied_request_keeps_its_connection() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, http| {
        http.request.push(Rule::new(Action::Deny(Reply::error(403)), None));
        http.after_response.push(Rule::new(header("x-after", "1"), None));
    });
    let mut client = proxy.client();
    for _ in 0..2 {
        let answer = exchange(&mut client, "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
        assert!(
            answer.starts_with(
                "HTTP/1.1 403 Forbidden\r\ncontent-length: 93\r\ncache-control: no-cache\r\n\
             content-type: text/html\r\nx-after: 1\r\n\r\n<html>"
            ),
            "{answer}"
        );
    }
    assert_eq!(proxy.line(), "web web/<NOSRV> 403 0 - - PR-- 1/1/0/0/0 0/0 \"POST / HTTP/1.1\"");
    assert!(origin.requests.lock().unwrap().is_empty());
}

#[test]
fn a_rule_may_answer_by_itself() {
    let proxy = proxy(&[], |_, http| {
        let mut reply = Reply::empty(200);
        reply.content_type = Some("text/plain".into());
        reply.body = ReplyBody::Format(template("hi %[src]", Style::Header));
        http.request.push(Rule::new(Action::Return(reply), None));
    });
    let answer = exchange(&mut proxy.client(), GET);
    assert_eq!(
        answer,
        "HTTP/1.1 200 OK\r\ncontent-length: 12\r\ncontent-type: text/plain\r\n\r\nhi 127.0.0.1"
    );
    assert!(proxy.line().contains(" LR-- "));
}

#[test]
fn the_monitor_uri_is_answered_and_not_logged() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, http| http.monitor_uri = Some(Arc::from(&b"/alive"[..])));
    let mut client = proxy.client();
    assert!(exchange(&mut client, "GET /alive HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(exchange(&mut client, GET), HELLO);
    assert!(proxy.line().contains("\"GET / HTTP/1.1\""));
}

#[test]
fn cookies_keep_a_client_on_its_server() {
    let servers = [hello(), hello()];
    let proxy = proxy(&[servers[0].addr, servers[1].addr], |spec, http| {
        for (server, cookie) in spec.pool.servers.iter_mut().zip(["A", "B"]) {
            server.cookie = Some(cookie.into());
        }
        let mut cookie = CookieSpec::new("SRV", CookieMode::Insert);
        cookie.indirect = true;
        http.cookie = Some(cookie);
    });
    let answer = exchange(&mut proxy.client(), GET);
    let set = answer.lines().find_map(|line| line.strip_prefix("set-cookie: SRV=")).unwrap();
    let letter = &set[..1];
    for _ in 0..4 {
        let request = format!("GET / HTTP/1.1\r\nCookie: SRV={letter}\r\n\r\n");
        assert_eq!(exchange(&mut proxy.client(), &request), HELLO);
    }
    let own = &servers[usize::from(letter == "B")];
    assert_eq!(own.requests.lock().unwrap().len(), 5);
    assert!(!own.requests.lock().unwrap()[1].contains("cookie"));
    assert!(proxy.line().contains(" --NI ") && proxy.line().contains(" --VN "));
}

#[test]
fn the_statistics_page_is_served_in_its_forms() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, http| {
        let mut page = StatsPage::new();
        page.uri = Arc::from(&b"/stats"[..]);
        http.stats = Some(page);
    });
    let mut client = proxy.client();
    assert_eq!(exchange(&mut client, GET), HELLO);
    let csv = exchange(&mut client, "GET /stats;csv HTTP/1.1\r\n\r\n");
    assert!(csv.starts_with("HTTP/1.1 200 OK\r\n") && csv.contains("\r\n\r\n# pxname,svname,"), "{csv}");
    assert!(csv.contains("\nweb,s1,") && csv.contains("\nweb,FRONTEND,"), "{csv}");
    let html = exchange(&mut client, "GET /stats HTTP/1.1\r\n\r\n");
    assert!(html.contains("content-type: text/html\r\n") && html.contains("<html"), "{html}");
    let post = "POST /stats HTTP/1.1\r\nContent-Length: 20\r\n\r\ns=s1&action=drain&b=";
    let answer = exchange(&mut client, post);
    assert!(
        answer.starts_with("HTTP/1.1 303 See Other\r\n") && answer.contains("location: /stats;st=DENY\r\n")
    );
    proxy.line();
    let line = proxy.line();
    assert!(line.starts_with("web web/<STATS> 200 ") && line.contains(" - - LR-- "), "{line}");
}

#[test]
fn a_form_of_an_administrator_changes_a_server() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, http| {
        let mut page = StatsPage::new();
        page.admin.push(when("{ src 127.0.0.1 }"));
        http.stats = Some(page);
    });
    let body = "s=s1&action=maint&b=web";
    let post = format!("POST /haproxy?stats HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let answer = exchange(&mut proxy.client(), &post);
    assert!(answer.contains("location: /haproxy?stats;st=DONE\r\n"), "{answer}");
    assert!(exchange(&mut proxy.client(), GET).starts_with("HTTP/1.1 503 "));
}

#[test]
fn metrics_are_exported() {
    let proxy = proxy(&[], |_, http| {
        http.request.push(Rule::new(Action::UseService(ServiceKind::Prometheus), None));
    });
    let answer = exchange(&mut proxy.client(), "GET /metrics HTTP/1.1\r\n\r\n");
    assert!(answer.contains("content-type: text/plain; version=0.0.4\r\n"), "{answer}");
    assert!(answer.contains("\nhaproxy_frontend_http_requests_total{proxy=\"web\"} 1\n"), "{answer}");
}

#[test]
fn requests_are_counted_under_their_key() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |spec, http| {
        let mut table = TableSpec::new("web", KeyType::String(31), 100);
        table.add_store(Store::new(DataType::HttpReqCnt));
        spec.table = Some(table);
        let key = expression("req.hdr(user)");
        http.request.push(Rule::new(Action::Track(TrackSlot { counter: 0, key, table: None }), None));
        let rule = Rule::new(Action::Deny(Reply::error(429)), Some(when("{ sc0_http_req_cnt gt 2 }")));
        http.request.push(rule);
    });
    let ask = |user: &str| {
        let answer = exchange(&mut proxy.client(), &format!("GET / HTTP/1.1\r\nUser: {user}\r\n\r\n"));
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(["a", "a", "a", "b", "a"].map(ask), ["200", "200", "429", "200", "429"]);
    // Nothing to count under: nothing counted.
    assert_eq!(exchange(&mut proxy.client(), GET), HELLO);
}

#[test]
fn the_id_of_a_request_is_made_when_it_is_first_asked_for_and_only_once() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |spec, http| {
        // A format that names the id itself must end, too.
        http.unique_id = Some(template("%ID%[rand]-%[uuid]", Style::Header));
        http.unique_id_header = Some(HeaderName::new("Late"));
        http.request.push(Rule::new(header("Early", "%[unique-id]"), None));
        let denied = Some(when("{ path /no }"));
        http.request.push(Rule::new(Action::Deny(Reply::error(403)), denied));
        spec.log.format = Some(Arc::new(template("web - 0 %ST %ID", Style::Log)));
    });
    assert_eq!(exchange(&mut proxy.client(), GET), HELLO);
    let seen = origin.requests.lock().unwrap()[0].clone();
    let value = |name: &str| seen.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    assert!(value("early: ").len() > 36, "{seen}");
    assert_eq!(value("early: "), value("late: "));
    let first = proxy.line();
    assert_eq!(first, format!("web - 200 {}", value("late: ")));
    // Each request has its own, also one that goes nowhere.
    exchange(&mut proxy.client(), "GET /no HTTP/1.1\r\n\r\n");
    let second = proxy.line();
    assert!(second.starts_with("web - 403 ") && second.len() > 44 && second[10..] != first[10..], "{second}");
}

#[test]
fn rules_see_the_running_backend() {
    let proxy = proxy(&[nowhere()], |_, http| {
        http.request.push(Rule::new(Action::Deny(Reply::error(404)), Some(when("{ nbsrv(web) eq 1 }"))));
    });
    assert!(exchange(&mut proxy.client(), GET).starts_with("HTTP/1.1 404 "));
}

#[test]
fn a_silently_dropped_response_never_reaches_the_client() {
    let origin = hello();
    let proxy =
        proxy(&[origin.addr], |_, http| http.response.push(Rule::new(Action::SilentDrop(None), None)));
    let mut client = proxy.client();
    client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    client.write_all(GET.as_bytes()).unwrap();
    let line = proxy.line();
    assert!(line.starts_with("web web/s1 200 ") && line.contains(" PR-- "), "{line}");
    let mut byte = [0];
    assert!(Read::read(&mut client, &mut byte).is_err(), "no byte and no end");
}

#[test]
fn a_drop_with_a_ttl_resets_the_connection() {
    let origin = hello();
    let rule = || Rule::new(Action::SilentDrop(Some(64)), None);
    for (proxy, letters) in [
        (proxy(&[origin.addr], |_, http| http.request.push(rule())), "web web/<NOSRV> -1 "),
        (proxy(&[origin.addr], |_, http| http.response.push(rule())), "web web/s1 200 "),
    ] {
        let mut client = proxy.client();
        client.write_all(GET.as_bytes()).unwrap();
        let line = proxy.line();
        assert!(line.starts_with(letters) && line.contains(" PR-- "), "{line}");
        let ended = Read::read(&mut client, &mut [0]).map_err(|error| error.kind());
        assert_eq!(ended, Err(std::io::ErrorKind::ConnectionReset), "{letters}");
    }
}

#[test]
fn an_answer_that_after_rules_cannot_change_gives_way_to_an_internal_error() {
    let origin = hello();
    for (condition, again) in [(Some("!{ status 500 }"), "x-status: 500\r\n"), (None, "")] {
        let proxy = proxy(&[origin.addr], |_, http| {
            http.request.push(Rule::new(Action::Return(Reply::error(404)), Some(when("{ path /own }"))));
            http.request.push(Rule::new(Action::Deny(Reply::error(403)), Some(when("{ path /no }"))));
            http.after_response.push(Rule::new(header("x-status", "%[status]"), None));
            let much = header("x-much", &"m".repeat(20_000));
            http.after_response.push(Rule::new(much, condition.map(when)));
        });
        for (path, start, letters) in [
            ("/", "web web/s1 500 ", " PH-- "),
            ("/own", "web web/<NOSRV> 500 ", " LR-- "),
            ("/no", "web web/<NOSRV> 500 ", " PR-- "),
        ] {
            let answer = exchange(&mut proxy.client(), &GET.replacen('/', path, 1));
            assert!(answer.starts_with("HTTP/1.1 500 ") && !answer.contains("x-much"), "{answer}");
            assert_eq!(answer.contains("x-status"), !again.is_empty(), "{answer}");
            assert!(answer.contains(again), "{answer}");
            let line = proxy.line();
            assert!(line.starts_with(start) && line.contains(letters), "{line}");
        }
    }
}

#[test]
fn the_time_that_rules_of_requests_wait_is_part_of_the_requests() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |spec, http| {
        spec.log.format = Some(template(" web %TR %Tw", Style::Log).into());
        http.request.push(Rule::new(Action::Pause(expression("int(20)")), None));
    });
    exchange(&mut proxy.client(), GET);
    let line = proxy.raw_line();
    let times: Vec<u64> = line.rsplit(' ').take(2).map(|word| word.parse().unwrap()).collect();
    assert!(times[1] >= 20 && times[0] < times[1], "{line}");
}

#[test]
fn a_tarpit_answers_who_closes_only_its_sending_side() {
    let proxy = proxy(&[nowhere()], |spec, http| {
        spec.timeouts.tarpit = Some(Duration::from_secs(3600));
        http.request.push(Rule::new(Action::Tarpit(Reply::error(500)), None));
    });
    let mut client = proxy.client();
    client.write_all(GET.as_bytes()).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(response(&mut client).starts_with("HTTP/1.1 500 "));
    assert!(proxy.line().contains(" 500 0 - - PT-- "));
    // Who leaves in the middle of its request gets no answer.
    let mut client = proxy.client();
    client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "");
    assert!(proxy.line().contains(" 500 0 - - PT-- "));
}

#[test]
fn a_tarpit_tells_when_the_request_was_there_only_if_its_body_was_waited_for() {
    for buffered in [false, true] {
        let proxy = proxy(&[nowhere()], |spec, http| {
            spec.timeouts.tarpit = Some(Duration::from_millis(20));
            http.request.push(Rule::new(Action::Tarpit(Reply::error(500)), None));
            http.buffer_request = buffered;
        });
        assert!(exchange(&mut proxy.client(), GET).starts_with("HTTP/1.1 500 "));
        let line = proxy.raw_line();
        assert_eq!(line.contains(" -1/"), !buffered, "{line}");
    }
}

#[test]
fn an_answer_does_not_wait_for_the_rest_of_the_request_and_the_next_one_is_found_behind_it() {
    let proxy = proxy(&[nowhere()], |_, http| {
        http.request.push(Rule::new(Action::Deny(Reply::error(403)), None));
    });
    let mut client = proxy.client();
    client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc").unwrap();
    for rest in ["defghij", ""] {
        assert!(response(&mut client).starts_with("HTTP/1.1 403 "));
        assert!(proxy.line().contains(" 403 0 - - PR-- "));
        client.write_all(format!("{rest}{GET}").as_bytes()).unwrap();
    }
}

#[test]
fn who_speaks_1_0_is_not_told_to_continue() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, http| http.buffer_request = true);
    let mut client = proxy.client();
    client.write_all(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n").unwrap();
    assert!(exchange(&mut client, "abc").starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(origin.requests.lock().unwrap()[0].contains("\r\nexpect: 100-continue\r\n"));
}
