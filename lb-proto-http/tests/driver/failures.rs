//! Exchanges that fail.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lb_core::balance::Algorithm;
use lb_core::log::Style;
use lb_core::rule::{Place, Rule};
use lb_core::spec::ProxySpec;
use lb_proto_http::spec::{Action, HttpProxy, Reply, RetryOn};

use super::harness::*;

#[test]
fn what_is_not_a_request_is_refused_at_once() {
    let proxy = proxy(&[], |_, _| {});
    let answer = proxy.all("GET / HTTP/1.1\r\nBad Header: 1\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 Bad request\r\nContent-length: 90\r\n"), "{answer}");
    assert_eq!(proxy.line(), "web web/<NOSRV> 400 0 - - PR-- 1/1/0/0/0 0/0 \"<BADREQ>\"");
}

#[test]
fn without_a_server_the_answer_is_503_and_the_connection_stays() {
    let proxy = proxy(&[], |_, _| {});
    let mut client = proxy.client();
    for _ in 0..2 {
        let answer = exchange(&mut client, GET);
        assert!(
            answer.starts_with("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 107\r\n"),
            "{answer}"
        );
    }
    assert_eq!(proxy.line(), "web web/<NOSRV> 503 0 - - SC-- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"");
}

#[test]
fn a_dead_server_is_retried_and_left() {
    let origin = hello();
    let proxy = proxy(&[nowhere(), origin.addr], |spec, _| spec.pool.retry.redispatch = -1);
    let answers: Vec<String> = (0..2).map(|_| exchange(&mut proxy.client(), GET)).collect();
    assert_eq!(answers, [HELLO, HELLO]);
    let lines = [proxy.line(), proxy.line()];
    assert!(lines.iter().any(|line| line.contains("/+1 0/0")), "{lines:?}");
}

#[test]
fn a_failed_connection_is_the_last_one_when_other_failures_alone_are_retried() {
    let proxy = proxy(&[nowhere(), hello().addr], |spec, http| {
        spec.pool.algorithm = Algorithm::First;
        spec.pool.retry.redispatch = 1;
        http.retry_on = RetryOn::default();
        (http.retry_on.connect, http.retry_on.empty) = (false, true);
    });
    assert!(exchange(&mut proxy.client(), GET).starts_with("HTTP/1.1 503 "));
    assert_eq!(proxy.line(), "web web/s1 503 0 - - SC-- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"");
}

#[test]
fn a_server_that_closes_or_babbles_is_a_bad_gateway() {
    let silent = origin(|_, _| Vec::new());
    let first = proxy(&[silent.addr], |_, _| {});
    assert!(exchange(&mut first.client(), GET).starts_with("HTTP/1.1 502 Bad Gateway\r\n"));
    assert_eq!(first.line(), "web web/s1 502 0 - - SH-- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"");
    let babbling = origin(|_, _| b"220 smtp ready\r\n\r\n<close>".to_vec());
    let second = proxy(&[babbling.addr], |_, _| {});
    assert!(exchange(&mut second.client(), GET).starts_with("HTTP/1.1 502 Bad Gateway\r\n"));
    assert!(second.line().contains(" PH-- "));
}

#[test]
fn a_server_that_stays_silent_is_a_gateway_time_out() {
    let (hold, held) = channel::<()>();
    let held = Mutex::new(held);
    let silent = origin(move |_, _| {
        let _ = held.lock().unwrap().recv_timeout(Duration::from_secs(20));
        Vec::new()
    });
    let proxy = proxy(&[silent.addr], |spec, _| spec.timeouts.server = Some(Duration::from_millis(50)));
    assert!(exchange(&mut proxy.client(), GET).starts_with("HTTP/1.1 504 Gateway Time-out\r\n"));
    assert!(proxy.line().contains(" sH-- "));
    drop(hold);
}

#[test]
fn a_response_that_breaks_off_is_logged_as_such() {
    let origin = origin(|_, _| b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart<close>".to_vec());
    let proxy = proxy(&[origin.addr], |_, _| {});
    assert!(proxy.all(GET).ends_with("part"));
    assert!(proxy.line().contains(" SD-- "));
}

#[test]
fn what_goes_wrong_at_a_server_is_counted_there_and_only_responses_as_its_requests() {
    let origin = origin(|_, request| match request {
        cut if cut.starts_with("GET /cut") => {
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart<close>".to_vec()
        }
        _ => Vec::new(),
    });
    let proxy = proxy(&[origin.addr], |_, http| with_counters(http));
    let empty = "GET /empty HTTP/1.1\r\nConnection: close\r\n\r\n";
    proxy.all("GET /cut HTTP/1.1\r\nConnection: close\r\n\r\n");
    proxy.all(empty);
    let both = ["econ", "eresp", "srv_abrt", "req_tot", "hrsp_2xx", "hrsp_5xx", "connect"];
    assert_eq!(proxy.counts("s1", both), [0, 2, 1, 1, 1, 0, 2]);
    // Both requests, as HAProxy measures them.
    assert_eq!(proxy.counts("s1", ["bin"]), [74]);
}

#[test]
fn a_client_that_takes_no_interim_responses_does_not_hold_its_server() {
    let hint = format!("HTTP/1.1 103 Early Hints\r\nLink: {}\r\n\r\n", "x".repeat(8000));
    let talking = origin(move |_, _| hint.repeat(4000).into_bytes());
    let proxy = proxy(&[talking.addr], |spec, _| spec.timeouts.client = Some(Duration::from_millis(50)));
    let mut client = proxy.client();
    client.write_all(GET.as_bytes()).unwrap();
    let line = proxy.line();
    assert!(line.contains(" cH-- "), "{line}");
}

#[test]
fn a_client_that_gives_up_waiting_is_noticed() {
    let (hold, held) = channel::<()>();
    let held = Mutex::new(held);
    let silent = origin(move |_, _| {
        let _ = held.lock().unwrap().recv_timeout(Duration::from_secs(20));
        Vec::new()
    });
    let proxy = proxy(&[silent.addr], |_, _| {});
    let mut client = proxy.client();
    client.write_all(GET.as_bytes()).unwrap();
    while silent.requests.lock().unwrap().is_empty() {
        std::thread::yield_now();
    }
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 Bad request\r\n"), "{answer}");
    let line = proxy.line();
    assert!(line.contains(" CH-- "), "{line}");
    drop(hold);
}

/// Asks a server that stops in the middle of its answer, until that has begun.
fn stalled(change: impl FnOnce(&mut ProxySpec, &mut HttpProxy)) -> (Proxy, TcpStream) {
    let origin = origin(|_, _| b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".to_vec());
    let proxy = proxy(&[origin.addr], change);
    let mut client = proxy.client();
    client.write_all(GET.as_bytes()).unwrap();
    client.read_exact(&mut [0; 12]).unwrap();
    (proxy, client)
}

#[test]
fn a_client_that_leaves_in_the_middle_of_an_answer_is_noticed_although_the_server_says_nothing() {
    for reset in [false, true] {
        let (proxy, client) = stalled(|spec, http| {
            spec.timeouts.server = None;
            http.abort_on_close = !reset;
        });
        // What was not read yet makes closing a reset.
        let client = (!reset).then_some(client);
        if let Some(client) = &client {
            client.shutdown(Shutdown::Write).unwrap();
        }
        let line = proxy.line();
        assert!(line.contains(" CD-- "), "{line}");
    }
}

#[test]
fn a_client_that_only_closes_its_side_is_not_taken_for_gone_where_that_is_not_heeded() {
    let (proxy, client) = stalled(|spec, http| {
        spec.timeouts.server = Some(Duration::from_millis(50));
        http.abort_on_close = false;
    });
    client.shutdown(Shutdown::Write).unwrap();
    let line = proxy.line();
    assert!(line.contains(" sD-- "), "{line}");
}

#[test]
fn of_client_and_server_that_both_stop_in_the_middle_the_first_that_is_late_is_told() {
    for (client_time, letters) in [(Some(Duration::from_millis(50)), " cD-- "), (None, " sD-- ")] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = proxy(&[listener.local_addr().unwrap()], |spec, _| {
            spec.timeouts.client = client_time;
            spec.timeouts.server =
                Some(Duration::from_millis(if client_time.is_some() { 60_000 } else { 50 }));
        });
        let mut client = proxy.client();
        client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc").unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.read_exact(&mut [0; 12]).unwrap();
        server.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc").unwrap();
        let line = proxy.line();
        assert!(line.contains(letters), "{line}");
    }
}

#[test]
fn a_request_head_must_arrive_in_time() {
    let proxy = proxy(&[], |spec, _| spec.timeouts.http_request = Some(Duration::from_millis(50)));
    let mut client = proxy.client();
    client.write_all(b"GET / HT").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 Request Time-out\r\n"), "{answer}");
    assert!(proxy.line().contains(" cR-- "));
}

#[test]
fn a_client_that_says_nothing_is_told_so_in_time() {
    let proxy = proxy(&[], |spec, _| spec.timeouts.http_request = Some(Duration::from_millis(50)));
    let mut answer = String::new();
    proxy.client().read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 Request Time-out\r\n"), "{answer}");
    assert!(proxy.line().contains(" cR-- "));
}

#[test]
fn a_reused_connection_that_fails_closes_the_clients_without_a_word() {
    let origin = origin(|number, _| match number {
        0 => b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec(),
        1 => Vec::new(),
        _ => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
    });
    let proxy = proxy(&[origin.addr], |_, http| with_counters(http));
    let mut client = proxy.client();
    assert_eq!(exchange(&mut client, GET), HELLO);
    assert_eq!(exchange(&mut client, GET), "");
    assert_eq!(exchange(&mut proxy.client(), GET), "HTTP/1.1 204 No Content\r\n\r\n");
    assert!(proxy.line().starts_with("web web/s1 200 "));
    assert!(proxy.line().starts_with("web web/s1 204 "));
    // What the client repeats is one request to count and to log, but all that was sent counts, as HAProxy measures it.
    let names = ["req_tot", "hrsp_2xx", "hrsp_other", "bin"];
    assert_eq!(proxy.counts("BACKEND", names), [2, 2, 0, 3 * 38]);
    assert_eq!(proxy.counts("s1", ["srv_abrt", "eresp"]), [1, 1]);
}

#[test]
fn a_connect_time_out_on_an_open_connection_closes_it_without_a_word() {
    let (addr, _full) = silent();
    let proxy = proxy(&[addr], |spec, http| {
        spec.timeouts.connect = Some(Duration::from_millis(20));
        spec.pool.retry.retries = 0;
        with_counters(http);
        let deny = Action::Deny(Reply::error(403));
        http.request.push(Rule::new(deny, Some(when("{ path /denied }"))));
    });
    assert!(exchange(&mut proxy.client(), GET).starts_with("HTTP/1.1 503 "));
    assert!(proxy.line().starts_with("web web/s1 503 0 - - sC-- "));
    let mut client = proxy.client();
    assert!(exchange(&mut client, "GET /denied HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 403 "));
    assert!(proxy.line().starts_with("web web/<NOSRV> 403 "));
    assert_eq!(exchange(&mut client, GET), "");
    assert!(proxy.line().starts_with("web web/s1 503 0 - - sC-- "));
    assert_eq!(proxy.counts("BACKEND", ["req_tot", "hrsp_5xx", "econ"]), [2, 2, 2]);
}

#[test]
fn requests_wait_for_a_free_slot_and_give_up_in_time() {
    let (hold, held) = channel::<()>();
    let held = Mutex::new(held);
    let slow = origin(move |_, _| {
        let _ = held.lock().unwrap().recv_timeout(Duration::from_secs(20));
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec()
    });
    let proxy = proxy(&[slow.addr], |spec, _| {
        spec.pool.servers[0].maxconn = 1;
        spec.timeouts.queue = Some(Duration::from_millis(100));
    });
    let mut first = proxy.client();
    first.write_all(GET.as_bytes()).unwrap();
    while slow.requests.lock().unwrap().is_empty() {
        std::thread::yield_now();
    }
    let answer = exchange(&mut proxy.client(), GET);
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(proxy.line().starts_with("web web/<NOSRV> 503 0 - - sQ-- "));
    hold.send(()).unwrap();
    assert_eq!(response(&mut first), HELLO);
}

#[test]
fn a_client_that_leaves_the_queue_gets_no_answer() {
    let (hold, held) = channel::<()>();
    let held = Mutex::new(held);
    let slow = origin(move |_, _| {
        let _ = held.lock().unwrap().recv_timeout(Duration::from_secs(20));
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec()
    });
    let proxy = proxy(&[slow.addr], |spec, _| spec.pool.servers[0].maxconn = 1);
    let mut first = proxy.client();
    first.write_all(GET.as_bytes()).unwrap();
    while slow.requests.lock().unwrap().is_empty() {
        std::thread::yield_now();
    }
    let mut second = proxy.client();
    second.write_all(GET.as_bytes()).unwrap();
    second.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    second.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "");
    let line = proxy.line();
    assert!(line.starts_with("web web/<NOSRV> -1 0 - - CQ-- "), "{line}");
    hold.send(()).unwrap();
    assert_eq!(response(&mut first), HELLO);
}

#[test]
fn a_client_that_leaves_the_queue_in_the_middle_of_its_request_has_broken_it_off() {
    let (hold, held) = channel::<()>();
    let held = Mutex::new(held);
    let slow = origin(move |_, _| {
        let _ = held.lock().unwrap().recv_timeout(Duration::from_secs(20));
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec()
    });
    let proxy = proxy(&[slow.addr], |spec, http| {
        spec.pool.servers[0].maxconn = 1;
        with_counters(http);
        http.abort_on_close = true;
    });
    let mut first = proxy.client();
    first.write_all(GET.as_bytes()).unwrap();
    while slow.requests.lock().unwrap().is_empty() {
        std::thread::yield_now();
    }
    // What is there of a body counts as received, also if all of it is.
    let leaving = [
        ("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 0),
        ("POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc", 1),
    ];
    for (request, aborts) in leaving {
        let before = proxy.counts("BACKEND", ["bin"])[0];
        let mut client = proxy.client();
        client.write_all(request.as_bytes()).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        client.read_to_end(&mut Vec::new()).unwrap();
        assert!(proxy.line().contains(" CQ-- "));
        let [bin, aborted] = proxy.counts("BACKEND", ["bin", "cli_abrt"]);
        assert_eq!((bin - before, aborted), (52, aborts), "{request}");
    }
    drop(hold);
}

#[test]
fn a_client_that_closes_its_side_still_gets_a_response_without_an_announced_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let (go, gone) = channel::<()>();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_request(&mut stream, &mut Vec::new()).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nhel").unwrap();
        gone.recv().unwrap();
        stream.write_all(b"lo").unwrap();
    });
    let proxy = proxy(&[addr], |_, http| http.abort_on_close = true);
    let mut client = proxy.client();
    client.write_all(GET.as_bytes()).unwrap();
    let mut answer = vec![0; 4];
    client.read_exact(&mut answer).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    go.send(()).unwrap();
    client.read_to_end(&mut answer).unwrap();
    assert!(answer.ends_with(b"\r\n\r\nhello"));
    assert!(proxy.line().contains(" - - ---- "));
}

#[test]
fn a_client_that_leaves_while_a_rule_waits_for_the_response_is_not_waited_for() {
    // The rest never comes.
    let origin = origin(|_, _| b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello".to_vec());
    let proxy = proxy(&[origin.addr], |_, http| {
        with_counters(http);
        http.abort_on_close = true;
        let time = Duration::from_secs(3600);
        http.response.push(Rule::new(Action::WaitForBody { time, at_least: 0 }, None));
    });
    let mut client = proxy.client();
    client.write_all(GET.as_bytes()).unwrap();
    while origin.requests.lock().unwrap().is_empty() {
        std::thread::yield_now();
    }
    client.shutdown(Shutdown::Write).unwrap();
    client.read_to_end(&mut Vec::new()).unwrap();
    let line = proxy.line();
    assert!(line.contains(" CD-- ") || line.contains(" CH-- "), "{line}");
    assert_eq!(proxy.counts("s1", ["cli_abrt"]), [1]);
}

/// A server that answers as soon as it has the head of a request, and tells what came after it until the end.
fn hasty() -> (std::net::SocketAddr, std::sync::mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut seen = Vec::new();
        let mut chunk = [0; 4096];
        while find(&seen, b"\r\n\r\n").is_none() {
            let n = stream.read(&mut chunk).unwrap();
            seen.extend_from_slice(&chunk[..n]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").unwrap();
        while let Ok(n @ 1..) = stream.read(&mut chunk) {
            seen.extend_from_slice(&chunk[..n]);
        }
        let body = find(&seen, b"\r\n\r\n").map_or(0, |at| at + 4);
        tell.send(seen.split_off(body)).unwrap();
    });
    (addr, told)
}

const UPLOAD: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc";

#[test]
fn a_request_goes_on_after_an_early_answer_and_the_connection_stays() {
    let (addr, told) = hasty();
    let proxy = proxy(&[addr], |_, _| {});
    let mut client = proxy.client();
    client.write_all(UPLOAD).unwrap();
    let mut answer = [0; HELLO.len()];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer[..], HELLO.as_bytes());
    client.write_all(b"defghij").unwrap();
    assert!(proxy.line().contains(" ---- "));
    drop((client, proxy));
    assert_eq!(told.recv_timeout(Duration::from_secs(20)).unwrap(), b"abcdefghij");
}

/// A server that has the head of a request, answers when it is told to, and reads the rest only then; says how many `x` came.
fn reluctant() -> (std::net::SocketAddr, std::sync::mpsc::Sender<()>, std::sync::mpsc::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let ((release, held), (tell, told)) = (channel(), channel());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut chunk = [0; 65_536];
        held.recv_timeout(Duration::from_secs(20)).unwrap();
        stream.write_all(HELLO.as_bytes()).unwrap();
        let (mut count, mut end) = (0, Vec::new());
        while !end.ends_with(b"\r\n0\r\n\r\n")
            && let Ok(n @ 1..) = stream.read(&mut chunk)
        {
            count += chunk[..n].iter().filter(|byte| **byte == b'x').count();
            end.extend_from_slice(&chunk[n.saturating_sub(16)..n]);
            end.drain(..end.len().saturating_sub(16));
        }
        tell.send(count).unwrap();
    });
    (addr, release, told)
}

#[test]
fn an_upload_that_is_held_up_loses_nothing_when_the_answer_overtakes_it() {
    let (addr, release, told) = reluctant();
    let proxy = proxy(&[addr], |_, _| {});
    let mut client = proxy.client();
    client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    let chunk = [b"1000\r\n", &[b'x'; 4096][..], b"\r\n"].concat();
    // Until every buffer on the way is full.
    client.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    let (mut chunks, mut at) = (0, 0);
    while let Ok(n) = client.write(&chunk[at..]) {
        at += n;
        if at == chunk.len() {
            (chunks, at) = (chunks + 1, 0);
        }
    }
    release.send(()).unwrap();
    client.set_write_timeout(None).unwrap();
    assert_eq!(response(&mut client), HELLO);
    client.write_all(&chunk[at..]).unwrap();
    client.write_all(b"0\r\n\r\n").unwrap();
    assert_eq!(told.recv_timeout(Duration::from_secs(20)).unwrap(), (chunks + 1) * 4096);
}

#[test]
fn a_client_that_stops_after_an_early_answer_is_waited_for_no_longer_than_any() {
    let (addr, _told) = hasty();
    let proxy = proxy(&[addr], |spec, _| spec.timeouts.client = Some(Duration::from_millis(50)));
    let mut client = proxy.client();
    client.write_all(UPLOAD).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, HELLO);
    assert!(proxy.line().contains(" cL-- "));
}

#[test]
fn a_rule_that_ends_a_ruleset_is_told_in_the_line() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |spec, http| {
        let place = Place { file: "web.cfg".into(), line: 7 };
        let deny = Action::Deny(Reply::error(403));
        http.request.push(Rule::new(deny, Some(when("{ path /denied }"))).at(Some(Arc::new(place))));
        let line = template("%[last_rule_file]:%[last_rule_line]", Style::Log);
        spec.log.format = Some(Arc::new(line));
    });
    let mut client = proxy.client();
    assert!(exchange(&mut client, "GET /denied HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 403 "));
    assert!(proxy.raw_line().ends_with(": web.cfg:7"));
    assert_eq!(exchange(&mut client, GET), HELLO);
    assert!(proxy.raw_line().ends_with(": -:-"));
}

#[test]
fn the_lines_of_a_frontend_are_numbered() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |spec, _| {
        spec.log.format = Some(Arc::new(template("line %lc of %[act_conn]", Style::Log)));
    });
    let mut client = proxy.client();
    for number in 0..3 {
        assert_eq!(exchange(&mut client, GET), HELLO);
        let line = proxy.raw_line();
        assert!(line.ends_with(&format!(": line {number} of 1")), "{line}");
    }
}

#[test]
fn what_went_well_is_left_out_and_what_a_server_got_wrong_is_not() {
    let origin = origin(|_, request| {
        let status = if request.starts_with("GET /bad") { "500 No" } else { "200 OK" };
        format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\nhello").into_bytes()
    });
    let proxy = proxy(&[origin.addr], |spec, _| spec.log.dontlog_normal = true);
    let mut client = proxy.client();
    exchange(&mut client, GET);
    exchange(&mut client, "GET /bad HTTP/1.1\r\n\r\n");
    assert!(proxy.line().contains(" 500 "));
}

#[test]
fn a_refused_upload_leaves_the_connection_open() {
    let silent = origin(|_, _| Vec::new());
    let proxy = proxy(&[silent.addr], |_, _| {});
    let mut client = proxy.client();
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    for _ in 0..2 {
        let answer = exchange(&mut client, post);
        assert!(answer.starts_with("HTTP/1.1 502 ") && !answer.contains("connection: close"), "{answer}");
    }
}

#[test]
fn what_no_server_answered_took_no_time_in_the_averages_of_its_backend_and_has_no_part_in_a_servers() {
    let origin = origin(|number, _| match number {
        0 => {
            let start = std::time::Instant::now();
            while start.elapsed() < Duration::from_millis(10) {
                std::thread::yield_now();
            }
            b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()
        }
        _ => Vec::new(),
    });
    let proxy = proxy(&[origin.addr], |_, http| with_counters(http));
    let ask = || exchange(&mut proxy.client(), &GET.replacen("\r\n", "\r\nConnection: close\r\n", 1));
    assert!(ask().starts_with("HTTP/1.1 204 "));
    let [first, all] = proxy.counts("BACKEND", ["ttime", "ttime_max"]);
    assert!(first >= 10 && all == first, "{first} {all}");
    assert!(ask().starts_with("HTTP/1.1 502 "));
    assert_eq!(proxy.counts("s1", ["ttime", "ttime_max"]), [first, first]);
    assert_eq!(proxy.counts("BACKEND", ["ttime", "ttime_max"]), [first.div_ceil(2), first]);
}

#[test]
fn what_no_server_answered_is_no_maximum() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = proxy(&[silent.local_addr().unwrap()], |spec, http| {
        with_counters(http);
        spec.timeouts.server = Some(Duration::from_millis(50));
    });
    assert!(exchange(&mut proxy.client(), GET).starts_with("HTTP/1.1 504 "));
    assert_eq!(proxy.counts("s1", ["ttime", "ttime_max"]), [0, 0]);
    assert_eq!(proxy.counts("BACKEND", ["hrsp_5xx", "ttime", "ttime_max"]), [1, 0, 0]);
}

#[test]
fn a_client_that_left_while_a_rule_paused_costs_no_attempt() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, http| {
        with_counters(http);
        http.abort_on_close = true;
        http.request.push(Rule::new(Action::Pause(expression("int(50)")), Some(when("{ path / }"))));
    });
    // A connection that could be used again is not touched either.
    assert_eq!(exchange(&mut proxy.client(), "GET /first HTTP/1.1\r\n\r\n"), HELLO);
    let mut client = proxy.client();
    client.write_all(GET.as_bytes()).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "");
    assert!(proxy.line().starts_with("web web/s1 200 "));
    let line = proxy.line();
    assert!(line.starts_with("web web/s1 -1 0 - - CC-- "), "{line}");
    assert_eq!(proxy.counts("s1", ["connect", "reuse", "econ"]), [1, 0, 0]);
    assert_eq!(origin.requests.lock().unwrap().len(), 1);
}

#[test]
fn a_client_that_leaves_before_its_body_is_there_is_counted_where_the_request_was_to_go() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |_, http| {
        with_counters(http);
        http.buffer_request = true;
    });
    let mut client = proxy.client();
    client.write_all(UPLOAD).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "");
    let line = proxy.line();
    assert!(line.starts_with("web web/<NOSRV> 400 0 - - CR-- "), "{line}");
    assert_eq!(proxy.counts("BACKEND", ["req_tot", "hrsp_4xx", "cli_abrt", "bin"]), [1, 1, 1, 58]);
    assert_eq!(proxy.counts("FRONTEND", ["ereq"]), [0]);
}
