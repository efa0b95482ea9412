use std::time::Duration;

use lb_core::health::{ConnectFailure, ServerSnapshot};

use super::*;
use crate::head::HeaderName;

#[expect(clippy::disallowed_methods, reason = "any instant will do as the origin of virtual time")]
fn start() -> Instant {
    Instant::now()
}

fn target() -> Target {
    Target::new("be", "s", Some("127.0.0.1:80".parse().unwrap()))
}

/// A check that is connected and whose request was taken.
fn connected(probe: &HttpProbe, target: &Target, now: Instant) -> (Box<dyn Dialog>, String) {
    let mut check = probe.start(target, now);
    assert!(matches!(check.poll_output(), Some(Output::Connect(request)) if request.has_data));
    check.handle_input(now, Input::Connected);
    let Some(Output::Send(request)) = check.poll_output() else { panic!("nothing sent") };
    (check, String::from_utf8(request.to_vec()).unwrap())
}

fn verdict(probe: &HttpProbe, answer: &[u8]) -> Verdict {
    let now = start();
    let mut verdicts = Vec::new();
    // However the answer is split, the verdict is the same.
    for step in [1, 3, answer.len().max(1)] {
        let (mut check, _) = connected(probe, &target(), now);
        for part in answer.chunks(step) {
            check.handle_input(now, Input::Bytes(part));
        }
        check.handle_input(now, Input::Closed);
        assert_eq!(check.poll_output(), Some(Output::Close(Close::Reset)));
        verdicts.push(check.verdict().expect("a verdict after the end").clone());
    }
    assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]), "{verdicts:?}");
    verdicts.remove(0)
}

fn expecting(subject: Subject) -> HttpProbe {
    HttpProbe::of(vec![Step::Send(SendStep::default()), Step::Expect(Expect::new(subject))])
}

#[test]
fn the_default_request_is_the_shortest_possible() {
    let (_, request) = connected(&HttpProbe::new(), &target(), start());
    assert_eq!(request, "OPTIONS / HTTP/1.0\r\n\r\n");
}

#[test]
fn a_request_with_fields_and_body_is_written_in_order() {
    let mut send = SendStep { method: Arc::from(&b"POST"[..]), ..SendStep::default() };
    send.version = Arc::from(&b"HTTP/1.1"[..]);
    send.headers = vec![(HeaderName::from("Host"), Text::from(&b"a"[..]))];
    send.body = Text::from(&b"xyz"[..]);
    let (_, request) = connected(&HttpProbe::of(vec![Step::Send(send)]), &target(), start());
    assert_eq!(request, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\nconnection: close\r\n\r\nxyz");
}

#[test]
fn the_state_of_the_server_is_told_when_asked_for() {
    let mut probe = HttpProbe::new();
    probe.send_state = true;
    let mut target = target();
    let mut snapshot = ServerSnapshot::default();
    snapshot.state = "UP 1/3".into();
    snapshot.node = "lb1".into();
    snapshot.weight = 1;
    snapshot.total_weight = 2;
    target.snapshot = snapshot;
    let (_, request) = connected(&probe, &target, start());
    assert_eq!(
        request,
        "OPTIONS / HTTP/1.0\r\nx-haproxy-server-state: UP 1/3; address=127.0.0.1; port=80; name=be/s; \
         node=lb1; weight=1/2; scur=0/0; qcur=0\r\n\r\n"
    );
}

#[test]
fn statuses_decide_without_an_expectation() {
    for (answer, status, code, info) in [
        ("HTTP/1.1 200 OK\r\n\r\n", Status::L7Ok, 200, ""),
        ("HTTP/1.0 302 Found\r\n\r\n", Status::L7Ok, 302, ""),
        ("HTTP/1.0 404 Not Found\r\n\r\n", Status::L7Status, 404, "Not Found"),
        ("HTTP/1.0 503 Service Unavailable\r\n\r\n", Status::L7Status, 503, "Service Unavailable"),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", Status::L7Status, 100, "Continue"),
        ("HTTP/1.1 103 Early Hints\r\n\r\n", Status::L7Status, 103, "Early Hints"),
    ] {
        let expected = Verdict::new(status).with_code(code).with_info(info);
        assert_eq!(verdict(&HttpProbe::new(), answer.as_bytes()), expected, "{answer:?}");
    }
}

#[test]
fn what_is_not_http_is_a_socket_error() {
    for answer in ["220 smtp\r\n", "HTTP/1.1 abc\r\n\r\n", "<html>", "HTTP/1.1 200 OK\r\nX-A : 1\r\n\r\n"] {
        let expected = Verdict::new(Status::SocketError);
        assert_eq!(verdict(&HttpProbe::new(), answer.as_bytes()), expected, "{answer:?}");
    }
}

#[test]
fn what_cannot_become_http_is_not_waited_for() {
    for answer in ["ju", "HTTP/1.1 2x"] {
        let now = start();
        let (mut check, _) = connected(&HttpProbe::new(), &target(), now);
        check.handle_input(now, Input::Bytes(answer.as_bytes()));
        assert_eq!(check.verdict(), Some(&Verdict::new(Status::SocketError)), "{answer}");
    }
}

#[test]
fn a_reset_in_the_head_is_told_and_behind_the_head_the_end() {
    for (answer, expected) in [
        ("HTTP/1.1 2", Verdict::new(Status::SocketError).with_info("reset")),
        ("HTTP/1.1 200 OK\r\n\r\nx", Verdict::new(Status::L7Ok).with_code(200)),
    ] {
        let now = start();
        let (mut check, _) = connected(&HttpProbe::new(), &target(), now);
        check.handle_input(now, Input::Bytes(answer.as_bytes()));
        check.handle_input(now, Input::Failed(ConnectFailure::new(Layer::Application, "reset")));
        assert_eq!(check.verdict(), Some(&expected), "{answer}");
    }
}

#[test]
fn a_body_that_cannot_be_read_matches_nothing() {
    let mut probe = expecting(Subject::Body(Text::from(&b"ok"[..])));
    probe.uncounted = 1;
    let verdict = verdict(&probe, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok");
    let words = "TCPCHK did not match content 'ok' at step 1";
    assert_eq!((verdict.status, &*verdict.info), (Status::L7Response, words));
}

#[test]
fn a_server_that_hangs_up_before_its_answer_is_there_is_a_socket_error() {
    for answer in ["", "HTTP/1.1 200 OK\r\n"] {
        assert_eq!(
            verdict(&HttpProbe::new(), answer.as_bytes()),
            Verdict::new(Status::SocketError),
            "{answer:?}"
        );
    }
}

#[test]
fn a_complete_answer_is_judged_without_waiting_for_the_end() {
    let now = start();
    let (mut check, _) = connected(&HttpProbe::new(), &target(), now);
    check.handle_input(now, Input::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n"));
    assert_eq!(check.verdict().map(|verdict| verdict.status), Some(Status::L7Ok));
}

#[test]
fn bodies_are_searched_whatever_their_framing() {
    let probe = expecting(Subject::Body(Text::from(&b"all good"[..])));
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n<all good>",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nall\r\n5\r\n good\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\nit is all good here",
    ] {
        assert_eq!(verdict(&probe, answer.as_bytes()).status, Status::L7Ok, "{answer:?}");
    }
    let bad = verdict(&probe, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad");
    assert_eq!((bad.status, &*bad.info), (Status::L7Response, "HTTP content check did not match"));
    let none = verdict(&probe, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(none.info, "HTTP content check could not find a response body");
}

#[test]
fn a_digest_is_taken_of_the_whole_body() {
    /// The length and the last byte.
    fn sketch(body: &[u8]) -> [u8; 16] {
        let mut out = [0; 16];
        out[..8].copy_from_slice(&(body.len() as u64).to_be_bytes());
        out[15] = body.last().copied().unwrap_or_default();
        out
    }
    let body = "x".repeat(40_000) + "y";
    let probe = expecting(Subject::Digest { of: sketch, wanted: sketch(body.as_bytes()) });
    let answer = |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    assert_eq!(verdict(&probe, answer(&body).as_bytes()).status, Status::L7Ok);
    let bad = verdict(&probe, answer(&body[1..]).as_bytes());
    assert_eq!((bad.status, &*bad.info), (Status::L7Response, "HTTP content check did not match"));
}

#[test]
fn unwanted_content_fails_and_says_so() {
    let mut expect = Expect::new(Subject::Body(Text::from(&b"down"[..])));
    expect.inverse = true;
    expect.comment = Some("must be up".into());
    let probe = HttpProbe::of(vec![Step::Send(SendStep::default()), Step::Expect(expect)]);
    let bad = verdict(&probe, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndown");
    assert_eq!(bad.info, "HTTP check matched unwanted content comment: must be up");
    assert_eq!(verdict(&probe, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nup").status, Status::L7Ok);
}

#[test]
fn fields_match_by_element_or_as_a_whole() {
    let header = |full, text: &str| {
        expecting(Subject::Header {
            name: Matcher::Text(Pattern::Begin, Text::from(&b"X-"[..])),
            value: Some(Matcher::Text(Pattern::Whole, Text::from(text.as_bytes()))),
            full,
        })
    };
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nx-a: one, two\r\n\r\n";
    assert_eq!(verdict(&header(false, "two"), answer).status, Status::L7Ok);
    assert_eq!(verdict(&header(true, "two"), answer).status, Status::L7Status);
    assert_eq!(verdict(&header(true, "one, two"), answer).status, Status::L7Ok);
}

#[test]
fn a_404_takes_a_running_server_out_of_balancing_only() {
    let mut probe = HttpProbe::new();
    probe.disable_on_404 = true;
    let answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(verdict(&probe, answer).status, Status::L7OkConditional);
    let now = start();
    let mut down = target();
    down.snapshot.state = "DOWN 1/2".into();
    let (mut check, _) = connected(&probe, &down, now);
    check.handle_input(now, Input::Bytes(answer));
    assert_eq!(check.verdict().map(|verdict| verdict.status), Some(Status::L7Status));
}

#[test]
fn several_requests_go_over_one_connection() {
    let now = start();
    let probe = HttpProbe::of(vec![
        Step::Send(SendStep::default()),
        Step::Expect(Expect::default()),
        Step::Send(SendStep { uri: Text::from(&b"/2"[..]), ..SendStep::default() }),
        Step::Expect(Expect::default()),
    ]);
    let (mut check, _) = connected(&probe, &target(), now);
    check.handle_input(now, Input::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"));
    assert!(
        matches!(check.poll_output(), Some(Output::Send(request)) if request.starts_with(b"OPTIONS /2 "))
    );
    check.handle_input(now, Input::Bytes(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"));
    let verdict = check.verdict().expect("a verdict").clone();
    assert_eq!((verdict.status, verdict.code, &*verdict.info), (Status::L7Status, 500, "Oops"));
}

#[test]
fn time_limits_name_the_layer_that_was_waited_for() {
    let now = start();
    let later = now + Duration::from_secs(2);
    let mut check = HttpProbe::new().start(&target(), now);
    assert_eq!(check.poll_timeout(), Some(later));
    check.handle_timeout(now);
    assert_eq!(check.verdict(), None);
    check.handle_timeout(later);
    assert_eq!(check.verdict().map(|verdict| verdict.status), Some(Status::L4Timeout));
    let (mut check, _) = connected(&HttpProbe::new(), &target(), now);
    check.handle_input(now, Input::Bytes(b"HTTP/1.1 "));
    check.handle_timeout(later);
    assert_eq!(check.verdict().map(|verdict| verdict.status), Some(Status::L7Timeout));
}

#[test]
fn a_refused_connection_is_reported_with_its_reason() {
    let now = start();
    let mut check = HttpProbe::new().start(&target(), now);
    check.handle_input(now, Input::Failed(ConnectFailure::new(Layer::Connection, "Connection refused")));
    let verdict = check.verdict().expect("a verdict").clone();
    assert_eq!((verdict.status, &*verdict.info), (Status::L4Connection, "Connection refused"));
}

#[test]
fn a_secured_connection_waits_for_the_handshake() {
    let now = start();
    let mut target = target();
    target.tls = true;
    let mut check = HttpProbe::new().start(&target, now);
    assert!(matches!(check.poll_output(), Some(Output::Connect(_))));
    check.handle_input(now, Input::Connected);
    assert_eq!(check.poll_output(), None);
    check.handle_input(now, Input::Secured);
    assert!(matches!(check.poll_output(), Some(Output::Send(_))));
}

#[test]
fn variables_carry_what_one_answer_said_into_the_next_request() {
    let name = VarName::parse("check.next").unwrap();
    let mut registry = lb_core::expr::Registry::builtin();
    crate::fetch::register(&mut registry);
    let phases = lb_core::expr::Phases::CHECK;
    let mut build = lb_core::expr::NoBuild;
    let mut format = |text: &str| {
        Template::parse(text, lb_core::log::Style::Plain, phases, &registry, &mut build).unwrap()
    };
    let next = format("%[res.fhdr(x-next)]");
    let second =
        SendStep { uri: Text::Format(format("/%[var(check.next)]-%[be_name]")), ..SendStep::default() };
    let gone = SendStep { uri: Text::Format(format("%[var(check.next)]")), ..SendStep::default() };
    let probe = HttpProbe::of(vec![
        Step::Send(SendStep::default()),
        Step::Expect(Expect::default()),
        Step::SetVarFmt(name.clone(), next),
        Step::Send(second),
        Step::Expect(Expect::default()),
        Step::UnsetVar(name),
        Step::Send(gone),
        Step::Expect(Expect::default()),
    ]);
    let now = start();
    let (mut check, _) = connected(&probe, &target(), now);
    let mut sent = |answer: &[u8]| {
        check.handle_input(now, Input::Bytes(answer));
        let Some(Output::Send(request)) = check.poll_output() else { panic!("nothing sent") };
        String::from_utf8(request.to_vec()).unwrap()
    };
    let answer = b"HTTP/1.1 200 OK\r\nX-Next: two\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(sent(answer), "OPTIONS /two-be HTTP/1.0\r\n\r\n");
    assert_eq!(sent(answer), "OPTIONS / HTTP/1.0\r\n\r\n");
}
