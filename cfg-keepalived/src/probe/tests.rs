#![expect(clippy::disallowed_methods, reason = "any instant will do as the origin of virtual time")]

use super::*;
use lb_core::health::{
    ConnectProbe, ConnectRequest, Dialog, Input, Output, ProbeSpec, Status, Target, Transport, Verdict,
};
use std::sync::Arc;
use std::time::Instant;

fn start(probe: &dyn ProbeSpec) -> (Box<dyn Dialog>, Instant) {
    let now = Instant::now();
    (probe.start(&Target::default(), now), now)
}

fn connect(dialog: &mut dyn Dialog) -> ConnectRequest {
    match dialog.poll_output() {
        Some(Output::Connect(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn status(dialog: &dyn Dialog) -> Option<Status> {
    dialog.verdict().map(|verdict| verdict.status)
}

#[test]
fn all_of_a_sequence_must_pass() {
    let tcp: Arc<dyn ProbeSpec> = Arc::new(ConnectProbe::new());
    let elsewhere = Elsewhere { probe: Arc::clone(&tcp), addr: None, port: Some(81) };
    let sequence = Sequence { probes: vec![tcp, Arc::new(elsewhere)] };
    let (mut dialog, now) = start(&sequence);
    assert_eq!(connect(&mut *dialog).port, None);
    dialog.handle_input(now, Input::Connected);
    assert_eq!(dialog.verdict(), None, "one more to go");
    assert!(matches!(dialog.poll_output(), Some(Output::Close(_))));
    assert_eq!(connect(&mut *dialog).port, Some(81));
    dialog.handle_input(now, Input::Connected);
    while dialog.poll_output().is_some() {}
    assert_eq!(status(&*dialog), Some(Status::L4Ok));
}

#[test]
fn the_first_failure_of_a_sequence_decides() {
    let tcp: Arc<dyn ProbeSpec> = Arc::new(ConnectProbe::new());
    let (mut dialog, _) = start(&Sequence { probes: vec![Arc::clone(&tcp), tcp] });
    connect(&mut *dialog);
    let late = dialog.poll_timeout().unwrap();
    dialog.handle_timeout(late);
    while dialog.poll_output().is_some() {}
    assert_eq!(status(&*dialog), Some(Status::L4Timeout));
}

#[test]
fn a_program_is_judged_by_its_status() {
    let judged = |dynamic: bool, code: i32| {
        let program = Program { argv: vec!["/bin/check".into(), "a b".into()], timeout: None, dynamic };
        let (mut dialog, now) = start(&program);
        let Some(Output::Run(command)) = dialog.poll_output() else { panic!("nothing is run") };
        assert_eq!((command.program.as_str(), command.args.len()), ("/bin/check", 1));
        dialog.handle_input(now, Input::Exited(code));
        status(&*dialog)
    };
    assert_eq!(judged(false, 0), Some(Status::ProcessOk));
    assert_eq!(judged(false, 1), Some(Status::ProcessError));
    assert_eq!(judged(false, 7), Some(Status::ProcessError));
    assert_eq!(judged(false, -9), Some(Status::ProcessError));
    assert_eq!(judged(true, 7), Some(Status::ProcessOk));
    assert_eq!(judged(true, 1), Some(Status::ProcessError));
}

#[test]
fn a_name_server_must_answer_without_error() {
    let probe = Exchange::dns("example.org.", 6).unwrap();
    let question = probe.question.to_vec();
    assert_eq!(question[12..], *b"\x07example\x03org\0\0\x06\0\x01");
    assert_eq!(Exchange::dns(".", 6).unwrap().question[12..], *b"\0\0\x06\0\x01");
    assert!(Exchange::dns(&"a".repeat(64), 6).is_none());
    let judged = |change: &dyn Fn(&mut Vec<u8>)| {
        let (mut dialog, now) = start(&probe);
        assert_eq!(connect(&mut *dialog).transport, Transport::Datagram);
        dialog.handle_input(now, Input::Connected);
        assert_eq!(dialog.poll_output(), Some(Output::Send(probe.question.clone())));
        let mut answer = question.clone();
        answer[2] |= 0x80;
        change(&mut answer);
        dialog.handle_input(now, Input::Bytes(&answer));
        status(&*dialog)
    };
    assert_eq!(judged(&|_| {}), Some(Status::L7Ok));
    assert_eq!(judged(&|answer| answer[3] = 2), Some(Status::L7Response));
    assert_eq!(judged(&|answer| answer[0] ^= 1), Some(Status::L7Response));
    assert_eq!(judged(&|answer| answer[2] = 1), Some(Status::L7Response));
    assert_eq!(judged(&|answer| answer.truncate(11)), Some(Status::L7Response));
}

#[test]
fn a_datagram_is_compared_half_byte_by_half_byte() {
    let judge = Judge::Datagram { pattern: vec![Some(1), None, Some(0xf)], length: (2, 3) };
    let probe = Exchange { transport: Transport::Datagram, question: Default::default(), judge };
    let judged = |answer: &[u8]| {
        let (mut dialog, now) = start(&probe);
        dialog.handle_input(now, Input::Bytes(answer));
        status(&*dialog)
    };
    assert_eq!(judged(&[0x1a, 0xf0]), Some(Status::L7Ok));
    assert_eq!(judged(&[0x1a, 0xe0]), Some(Status::L7Response));
    assert_eq!(judged(&[0x1a]), Some(Status::L7Response));
    assert_eq!(judged(&[0x1a, 0xf0, 0, 0]), Some(Status::L7Response));
}

#[test]
fn without_a_wanted_answer_silence_is_good_and_a_refusal_is_not() {
    let probe =
        Exchange { transport: Transport::Datagram, question: Default::default(), judge: Judge::Silence };
    let (mut dialog, _) = start(&probe);
    dialog.handle_timeout(dialog.poll_timeout().unwrap());
    assert_eq!(dialog.verdict(), Some(&Verdict::new(Status::L4Ok)));
    let (mut dialog, now) = start(&probe);
    let refused = lb_core::health::ConnectFailure::new(lb_core::health::Layer::Application, "refused");
    dialog.handle_input(now, Input::Failed(refused));
    assert_eq!(status(&*dialog), Some(Status::L4Connection));
    let (mut dialog, _) = start(&Exchange::echo());
    dialog.handle_timeout(dialog.poll_timeout().unwrap());
    assert_eq!(status(&*dialog), Some(Status::L4Timeout));
}
