//! SMTP checks against scripted servers, cut at every byte.
//!
//! The expected verdicts are those HAProxy 3.4 and 2.6 showed in `check_status`, `check_code` and `last_chk` for a server
//! that sent the same bytes.

use std::time::{Duration, Instant};

use lb_core::health::{
    Close, ConnectFailure, Dialog, Input, Layer, Output, ProbeSpec, Status, Target, Verdict,
};
use lb_proto_smtp::check::SmtpProbe;
use proptest::prelude::*;

/// What a scripted server does after its greeting and its answers are used up.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Close,
    Stay,
}
use End::{Close as Closes, Stay};

struct Run {
    sent: String,
    verdict: Verdict,
    close: Option<Close>,
}

#[expect(clippy::disallowed_methods, reason = "any instant will do as the origin of virtual time")]
fn origin() -> Instant {
    Instant::now()
}

/// Runs a check; `answers[0]` is the greeting, each other answer follows one command, in pieces of `step` bytes.
fn run(probe: &SmtpProbe, answers: &[&[u8]], end: End, step: usize) -> Run {
    let start = origin();
    let mut dialog = probe.start(&Target::new("be", "s", None), start);
    let mut out = Run { sent: String::new(), verdict: Verdict::new(Status::Unknown), close: None };
    drain(&mut *dialog, &mut out);
    dialog.handle_input(start, Input::Connected);
    let mut used = 0;
    loop {
        drain(&mut *dialog, &mut out);
        let asked = 1 + out.sent.matches("\r\n").count();
        if dialog.verdict().is_some() {
            break;
        } else if used < answers.len() && used < asked {
            for piece in answers[used].chunks(step) {
                dialog.handle_input(start, Input::Bytes(piece));
            }
            used += 1;
        } else if end == Closes {
            dialog.handle_input(start, Input::Closed);
            drain(&mut *dialog, &mut out);
            if dialog.verdict().is_none() {
                // The server closed after its last answer, what follows cannot be answered.
                dialog.handle_input(start, Input::Closed);
            }
        } else {
            let due = dialog.poll_timeout().expect("a check without verdict has a deadline");
            assert!(due > start && due <= start + Duration::from_secs(2));
            dialog.handle_timeout(due);
        }
    }
    drain(&mut *dialog, &mut out);
    assert_eq!(dialog.poll_timeout(), None);
    out.verdict = dialog.verdict().cloned().expect("the loop ends with a verdict");
    out
}

fn drain(dialog: &mut dyn Dialog, out: &mut Run) {
    while let Some(output) = dialog.poll_output() {
        match output {
            Output::Connect(_) => {}
            Output::Send(bytes) => out.sent.push_str(std::str::from_utf8(&bytes).expect("commands are text")),
            Output::Close(close) => out.close = Some(close),
            other => panic!("unexpected output {other:?}"),
        }
    }
}

fn smtpchk() -> SmtpProbe {
    SmtpProbe::smtpchk(None, None)
}

fn expect(answers: &[&[u8]], end: End, status: Status, code: u32, info: &str) {
    let longest = answers.iter().map(|answer| answer.len()).max().unwrap_or(1).max(1);
    for step in 1..=longest {
        let run = run(&smtpchk(), answers, end, step);
        let verdict = (run.verdict.status, run.verdict.code, &*run.verdict.info);
        assert_eq!(verdict, (status, code, info), "{answers:?} in pieces of {step}");
        assert_eq!(run.close, Some(Close::Clean));
    }
}

#[test]
fn verdicts_equal_those_of_haproxy() {
    use Status::{L7Ok, L7Response, L7Status, L7Timeout};
    let hi: &[u8] = b"220 hi there\r\n";
    let hello: &[u8] = b"250 hello\r\n";
    let many: &[u8] = b"250-a\r\n250-b\r\n250 last\r\n";
    expect(&[hi, hello, b"221 bye now\r\n"], Stay, L7Ok, 221, "bye now");
    expect(&[hi, many, b"221 2.0.0 bye\r\n"], Stay, L7Ok, 221, "2.0.0 bye");
    expect(&[b"220-hi there\r\n220 x\r\n"], Stay, L7Response, 0, "220-hi there");
    expect(&[b"I'm not a SMTP server\r\n"], Stay, L7Response, 0, "I'm not a SMTP server");
    expect(&[b"22"], Stay, L7Timeout, 0, "");
    expect(&[b"22"], Closes, L7Response, 0, "22");
    expect(&[], Closes, L7Response, 0, "");
    expect(&[], Stay, L7Timeout, 0, "");
    expect(&[b"421 Try again later\r\n"], Stay, L7Status, 421, "Try again later");
    expect(&[b"421\r\n"], Stay, L7Status, 421, "");
    expect(&[b"220\r\n", b"250\r\n", b"221\r\n"], Stay, L7Ok, 221, "");
    expect(&[b"220\n"], Stay, L7Response, 0, "220");
    expect(&[b"220 x\n", b"250 y\n", b"221 z\n"], Stay, L7Ok, 221, "z");
    expect(&[b"199 odd\r\n"], Stay, L7Status, 199, "odd");
    expect(&[b"2x0 odd\r\n"], Stay, L7Response, 0, "2x0 odd");
    expect(&[hi, b"512 DNS error\r\n"], Stay, L7Timeout, 0, "");
    expect(&[hi, b"512 DNS error\r\n"], Closes, L7Status, 512, "DNS error");
    expect(&[hi, b"250-a\r\n550 no\r\n"], Closes, L7Status, 250, "a");
    expect(&[hi], Closes, L7Status, 0, "");
    expect(&[hi, hello, b"500 what\r\n"], Stay, L7Status, 500, "what");
    expect(&[hi, hello, b"221-bye\r\n221 now\r\n"], Stay, L7Ok, 221, "bye");
    expect(&[hi, hello], Closes, L7Status, 0, "");
    expect(&[hi, hello], Stay, L7Timeout, 0, "");
    expect(&[hi, hello, b"221   lots   of sp \r\n"], Stay, L7Ok, 221, "lots   of sp ");
}

#[test]
fn a_line_without_end_is_judged_when_time_is_over() {
    let run = run(&smtpchk(), &[b"MySQL says no"], Stay, 5);
    assert_eq!((run.verdict.status, &*run.verdict.info), (Status::L7Response, "MySQL says no"));
}

#[test]
fn an_endless_answer_is_cut() {
    let run = run(&smtpchk(), &[&[b'x'; 40_000]], Stay, 1000);
    assert_eq!((run.verdict.status, run.verdict.info.len()), (Status::L7Response, 127));
}

#[test]
fn the_configured_hello_is_sent_and_the_session_ends_with_quit() {
    let answers: &[&[u8]] = &[b"220 a\r\n", b"250 b\r\n", b"221 c\r\n"];
    let sent = |hello, domain| run(&SmtpProbe::smtpchk(hello, domain), answers, Stay, 3).sent;
    assert_eq!(sent(None, None), "HELO localhost\r\nQUIT\r\n");
    assert_eq!(sent(Some("EHLO"), Some("mx.example")), "EHLO mx.example\r\nQUIT\r\n");
    assert_eq!(sent(Some("ehlo"), Some("mx.example")), "HELO localhost\r\nQUIT\r\n");
    assert_eq!(sent(Some("EHLO"), None), "HELO localhost\r\nQUIT\r\n");
    assert_eq!(sent(Some("EHLO"), Some("x\r\nMAIL FROM:<a>")), "EHLO x\r\nQUIT\r\n");
}

#[test]
fn keepalived_wants_220_and_250_and_any_answer_to_quit() {
    let verdict = |answers: &[&[u8]], end| {
        let run = run(&SmtpProbe::smtp_check("lb1"), answers, end, 2);
        (run.verdict.status, run.sent)
    };
    let whole = "HELO lb1\r\nQUIT\r\n".to_owned();
    assert_eq!(verdict(&[b"220-a\r\n220 b\r\n", b"250 b\r\n", b"500 c\r\n"], Stay), (Status::L7Ok, whole));
    assert_eq!(verdict(&[b"221 b\r\n"], Stay), (Status::L7Status, String::new()));
    assert_eq!(verdict(&[b"hello\r\n"], Stay), (Status::L7Response, String::new()));
    assert_eq!(verdict(&[b"220 b\r\n", b"251 b\r\n"], Stay), (Status::L7Status, "HELO lb1\r\n".to_owned()));
    assert_eq!(verdict(&[b"220 b\r\n"], Stay), (Status::L7Timeout, "HELO lb1\r\n".to_owned()));
}

#[test]
fn a_failed_connection_is_reported_at_its_layer() {
    let now = origin();
    let failed = |layer| {
        let mut dialog = smtpchk().start(&Target::new("be", "s", None), now);
        dialog.handle_input(now, Input::Failed(ConnectFailure::new(layer, "Connection refused")));
        dialog.verdict().cloned().unwrap()
    };
    assert_eq!(failed(Layer::Connection).status, Status::L4Connection);
    assert_eq!(failed(Layer::Connection).info, "Connection refused");
    assert_eq!(failed(Layer::Security).status, Status::L6Response);
}

#[test]
fn a_silent_peer_times_out_at_the_layer_it_stopped_at() {
    let now = origin();
    let mut target = Target::new("be", "s", None);
    target.tls = true;
    let timeout = |inputs: &[Input<'_>]| {
        let mut dialog = smtpchk().start(&target, now);
        for input in inputs {
            dialog.handle_input(now, input.clone());
        }
        dialog.handle_timeout(now);
        assert_eq!(dialog.verdict(), None, "calling early is harmless");
        dialog.handle_timeout(dialog.poll_timeout().unwrap());
        dialog.verdict().unwrap().status
    };
    assert_eq!(timeout(&[]), Status::L4Timeout);
    assert_eq!(timeout(&[Input::Connected]), Status::L6Timeout);
    assert_eq!(timeout(&[Input::Connected, Input::Secured]), Status::L7Timeout);
}

#[test]
fn probes_are_the_same_when_they_send_the_same() {
    let ehlo = SmtpProbe::smtpchk(Some("EHLO"), Some("a"));
    assert!(ehlo.same_as(&SmtpProbe::smtpchk(Some("EHLO"), Some("a"))));
    assert!(!ehlo.same_as(&smtpchk()));
    assert!(!smtpchk().same_as(&SmtpProbe::smtp_check("localhost")));
}

#[test]
fn what_comes_behind_an_answer_of_a_bare_code_is_not_its_text() {
    let answers: &[&[u8]] = &[b"200 \n200 \n200\n!"];
    for step in [1, usize::MAX] {
        assert_eq!(run(&smtpchk(), answers, Stay, step).verdict.info, "");
    }
}

proptest! {
    #[test]
    fn the_cut_never_matters(
        answers in proptest::collection::vec("([245][0-9]{2}[- ]?[a-z ]{0,5}\r?\n){0,3}[ -~]{0,4}", 0..4),
        closes: bool,
        step in 1_usize..20,
    ) {
        let answers: Vec<&[u8]> = answers.iter().map(String::as_bytes).collect();
        let end = if closes { Closes } else { Stay };
        let whole = run(&smtpchk(), &answers, end, usize::MAX);
        let pieces = run(&smtpchk(), &answers, end, step);
        prop_assert_eq!(whole.verdict, pieces.verdict);
        prop_assert_eq!(whole.sent, pieces.sent);
    }
}
