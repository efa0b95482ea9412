#![expect(clippy::disallowed_methods, reason = "any instant will do as the origin of virtual time")]

use super::*;
use lb_core::health::{
    Account, ConnectProbe, ConnectRequest, Dialog, Input, Outcome, Output, ProbeSpec, Status, Target,
    TlsChoice, Transport, Verdict, Weighing,
};
use lb_core::spec::SourceAddr;
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
    let elsewhere = Elsewhere { probe: Arc::clone(&tcp), addr: None, port: Some(81), source: None };
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

/// How a program of this exit status is judged.
fn judged(dynamic: Option<Scale>, code: i32) -> Verdict {
    let mut program =
        Program { argv: vec!["/bin/check".into(), "a b".into()], timeout: None, dynamic, account: None };
    program.account = Some(Account::new("checker"));
    let (mut dialog, now) = start(&program);
    let Some(Output::Run(command)) = dialog.poll_output() else { panic!("nothing is run") };
    assert_eq!((command.program.as_str(), command.args.len()), ("/bin/check", 1));
    assert_eq!(command.account, program.account);
    dialog.handle_input(now, Input::Exited(code));
    dialog.verdict().unwrap().clone()
}

#[test]
fn a_program_is_judged_by_its_status() {
    let status = |code| judged(None, code).status;
    assert_eq!(status(0), Status::ProcessOk);
    assert_eq!(status(1), Status::ProcessError);
    assert_eq!(status(7), Status::ProcessError);
    assert_eq!(status(-9), Status::ProcessError);
    assert_eq!(judged(None, 0).weight, None);
}

#[test]
fn the_status_of_a_dynamic_program_is_the_weight_and_two() {
    let judged = |code| judged(Some(Scale { own: 10, heaviest: 100, flat: false }), code);
    let weight = |weight| Some(Weighing { weight, share: weight });
    assert_eq!((judged(0).status, judged(0).weight), (Status::ProcessOk, weight(10)));
    assert_eq!((judged(2).status, judged(2).weight), (Status::ProcessOk, weight(0)));
    assert_eq!((judged(255).status, judged(255).weight), (Status::ProcessOk, weight(253)));
    assert_eq!((judged(1).status, judged(1).weight), (Status::ProcessError, None));
    assert_eq!(judged(-9).status, Status::ProcessError);
}

#[test]
fn the_number_in_a_file_moves_the_weight_or_takes_the_server_out() {
    let judged = |weight: i32, reverse: bool, content: &str| {
        let scale = Scale { own: 10, heaviest: 100, flat: false };
        let (mut dialog, now) = start(&FileNumber { path: "/f".into(), weight, reverse, scale });
        assert_eq!(dialog.poll_output(), Some(Output::Read("/f".into())));
        dialog.handle_input(now, Input::Content(content.as_bytes()));
        let verdict = dialog.verdict().unwrap();
        (verdict.status == Status::L7Ok).then(|| verdict.weight.map_or(-1, |w| i64::from(w.share)))
    };
    assert_eq!(judged(1, false, "5\n"), Some(15));
    assert_eq!(judged(2, true, " 5 apples"), Some(0));
    assert_eq!(judged(-3, false, "-2"), Some(16));
    assert_eq!(judged(1, false, ""), Some(10), "a missing file says 0");
    assert_eq!(judged(1, false, "-2147483648"), None);
    assert_eq!(judged(1, false, "-99999999999999999999"), None);
    assert_eq!(judged(0, false, "0"), Some(-1), "without a weight 0 is well");
    assert_eq!(judged(0, false, "1"), None);
    assert_eq!(judged(0, true, "0"), None);
    assert_eq!(judged(0, true, "7"), Some(-1));
}

/// A checker for [`Together`]: what it says is in the cell.
#[derive(Debug, Clone)]
struct Told(Arc<std::sync::Mutex<(u32, Verdict)>>);

struct Once(Option<Verdict>);

impl Dialog for Once {
    fn handle_input(&mut self, _: Instant, _: Input<'_>) {}
    fn handle_timeout(&mut self, _: Instant) {}
    fn poll_output(&mut self) -> Option<Output> {
        None
    }
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
    fn verdict(&self) -> Option<&Verdict> {
        self.0.as_ref()
    }
}

impl ProbeSpec for Told {
    fn start(&self, _: &Target, _: Instant) -> Box<dyn Dialog> {
        let mut cell = self.0.lock().unwrap();
        cell.0 += 1;
        Box::new(Once(Some(cell.1.clone())))
    }
    fn same_as(&self, other: &dyn ProbeSpec) -> bool {
        other.as_any().is::<Self>()
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

#[test]
fn checkers_run_at_their_own_pace_and_each_has_its_own_retries() {
    let seconds = std::time::Duration::from_secs;
    let told = |status| Told(Arc::new(std::sync::Mutex::new((0, Verdict::new(status)))));
    let (often, seldom) = (told(Status::L4Ok), told(Status::L7Ok));
    let member = |probe: &Told, place, every, tries| Member {
        probe: Arc::new(probe.clone()),
        place,
        every: seconds(every),
        again: seconds(1),
        patience: seconds(5),
        tries,
    };
    let scale = Scale { own: 10, heaviest: 100, flat: false };
    let together = Together::new(vec![member(&often, 1, 2, 1), member(&seldom, 3, 6, 2)], scale);
    assert_eq!(together.pace(), seconds(1));
    let begin = Instant::now();
    let look = |second: u64| {
        let mut dialog = together.start(&Target::default(), begin + seconds(second));
        assert_eq!(dialog.poll_output(), None);
        dialog.verdict().unwrap().clone()
    };
    let news = |verdict: &Verdict| -> Vec<(usize, Status, bool)> {
        verdict.parts.iter().map(|part| (part.place, part.found.status, part.again)).collect()
    };
    seldom.0.lock().unwrap().1 = Verdict::new(Status::L7Timeout);
    let first = look(0);
    assert_eq!(first.outcome(), Outcome::Failed, "at the start one failure is enough");
    assert_eq!(news(&first), [(1, Status::L4Ok, false), (3, Status::L7Timeout, false)]);
    seldom.0.lock().unwrap().1 = Verdict::new(Status::L7Ok).with_weight(scale.moved(5));
    for second in 1..6 {
        let verdict = look(second);
        assert_eq!(verdict.outcome(), Outcome::Failed, "it is remembered between its turns");
        assert!(verdict.parts.is_empty(), "nothing new");
    }
    let well = look(6);
    assert_eq!((well.outcome(), well.weight), (Outcome::Passed, Some(scale.moved(5))));
    assert_eq!((well.info.as_str(), news(&well)), ("check 3: ", vec![(3, Status::L7Ok, false)]));
    assert_eq!((often.0.lock().unwrap().0, seldom.0.lock().unwrap().0), (4, 2));
    seldom.0.lock().unwrap().1 = Verdict::new(Status::L7Timeout).with_info("late");
    let once = look(12);
    assert_eq!((once.outcome(), news(&once)), (Outcome::Passed, vec![(3, Status::L7Timeout, true)]));
    let failed = look(13);
    assert_eq!((failed.status, failed.info.as_str()), (Status::L7Timeout, "check 3: late"));
    assert_eq!(news(&failed), [(3, Status::L7Timeout, false)]);
}

#[test]
fn a_checker_connects_from_where_it_is_told_and_never_with_the_tls_of_the_traffic() {
    let source =
        Arc::new(SourceAddr::Fixed { addr: ([10, 0, 0, 1], 7).into(), interface: None, mark: Some(5) });
    let probe = Arc::new(ConnectProbe::new());
    let elsewhere = Elsewhere { probe, addr: None, port: None, source: Some(Arc::clone(&source)) };
    let (mut dialog, _) = start(&elsewhere);
    let request = connect(&mut *dialog);
    assert_eq!((request.source, request.tls), (Some(source), TlsChoice::Off));
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
