//! The SMTP health check of both daemons as a [`Dialog`]: greeting, HELO or EHLO, QUIT.
//!
//! HAProxy's `option smtpchk` ([`Flavour::Smtpchk`]) takes its greeting literally: one line, a three-digit code followed
//! by a blank, class 2. Verdict, code and text are those of the step that failed, or of the answer to QUIT:
//!
//! | step | what is wanted | otherwise |
//! |---|---|---|
//! | greeting | three digits and a blank; a multi-line greeting is refused | `L7RSP`, the line |
//! | greeting | class 2 | `L7STS`, code and text |
//! | HELO | any number of `2xx-` lines and a `2xx` line | `L7STS` once the server closes, else `L7TOUT` |
//! | QUIT | class 2 | `L7STS`, code and text |
//!
//! Keepalived's `SMTP_CHECK` ([`Flavour::SmtpCheck`]) wants exactly 220 and 250 and takes any answer to QUIT.
//!
//! Answers are matched line by line, so that the verdict does not depend on how the network cut them. Text after an
//! accepted line is kept for the next step; HAProxy drops as much of it as happened to arrive in the same segment.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use lb_core::health::{
    Close, ConnectRequest, Dialog, Input, Layer, Output, ProbeSpec, Schedule, Status, Target, Verdict,
};

/// Most bytes of one answer that are kept; an answer that fills them is judged as it stands.
const MAX_ANSWER: usize = 16 * 1024;

/// Whose check it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Flavour {
    /// HAProxy's `option smtpchk`.
    Smtpchk,
    /// Keepalived's `SMTP_CHECK`.
    SmtpCheck,
}

/// A configured SMTP check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpProbe {
    flavour: Flavour,
    hello: Arc<str>,
}

impl SmtpProbe {
    /// `option smtpchk [HELO|EHLO domain]`.
    ///
    /// Anything but the words `HELO` or `EHLO` (capitals matter) followed by a domain means `HELO localhost`.
    pub fn smtpchk(hello: Option<&str>, domain: Option<&str>) -> Self {
        let hello = match (hello, domain.map(one_line)) {
            (Some(word @ ("HELO" | "EHLO")), Some(domain)) if !domain.is_empty() => {
                format!("{word} {domain}\r\n")
            }
            _ => "HELO localhost\r\n".to_owned(),
        };
        Self { flavour: Flavour::Smtpchk, hello: hello.into() }
    }

    /// Keepalived's `SMTP_CHECK` with its `helo_name`.
    pub fn smtp_check(helo_name: &str) -> Self {
        Self { flavour: Flavour::SmtpCheck, hello: format!("HELO {}\r\n", one_line(helo_name)).into() }
    }

    /// Whose check it is.
    pub fn flavour(&self) -> Flavour {
        self.flavour
    }

    /// The line sent after the greeting, with its line end.
    pub fn hello(&self) -> &str {
        &self.hello
    }
}

/// A quoted configuration word may contain line ends, which must not become commands of their own.
fn one_line(text: &str) -> String {
    text.split(['\r', '\n']).next().unwrap_or_default().to_owned()
}

impl ProbeSpec for SmtpProbe {
    fn start(&self, target: &Target, now: Instant) -> Box<dyn Dialog> {
        Box::new(SmtpDialog::new(self.clone(), target, now))
    }

    fn same_as(&self, other: &dyn ProbeSpec) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What the dialog waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Connect,
    Secure,
    Greeting,
    Hello,
    Quit,
}

/// One SMTP check in progress.
#[derive(Debug)]
pub struct SmtpDialog {
    probe: SmtpProbe,
    step: Step,
    tls: bool,
    schedule: Schedule,
    deadline: Instant,
    answer: Vec<u8>,
    outputs: VecDeque<Output>,
    verdict: Option<Verdict>,
}

/// What a step makes of an answer.
#[derive(Debug, PartialEq, Eq)]
enum Judgement {
    /// The answer is not complete.
    Wait,
    /// Go on; the answer took this many bytes.
    Accept(usize),
    /// The check is over.
    Conclude(Verdict),
}

impl SmtpDialog {
    fn new(probe: SmtpProbe, target: &Target, now: Instant) -> Self {
        let schedule = target.schedule;
        let mut request = ConnectRequest::default();
        // The server speaks first, so this is never the bare connection that may stay half open.
        request.has_data = true;
        Self {
            probe,
            step: Step::Connect,
            tls: target.tls,
            schedule,
            deadline: schedule.connect_deadline(now),
            answer: Vec::new(),
            outputs: [Output::Connect(request)].into(),
            verdict: None,
        }
    }

    fn established(&mut self, now: Instant) {
        self.step = Step::Greeting;
        self.deadline = self.schedule.talk_deadline(now, self.deadline);
    }

    fn conclude(&mut self, verdict: Verdict) {
        self.answer = Vec::new();
        self.outputs.push_back(Output::Close(Close::Clean));
        self.verdict = Some(verdict);
    }

    /// Judges the collected answer; `last` when nothing more will come.
    fn advance(&mut self, last: bool) {
        loop {
            let last = last || self.answer.len() >= MAX_ANSWER;
            let judgement = match self.step {
                Step::Connect | Step::Secure => return,
                Step::Greeting => judge_greeting(self.probe.flavour, &self.answer, last),
                Step::Hello => judge_hello(self.probe.flavour, &self.answer, last),
                Step::Quit => judge_quit(self.probe.flavour, &self.answer, last),
            };
            match judgement {
                Judgement::Wait => return,
                Judgement::Conclude(verdict) => return self.conclude(verdict),
                Judgement::Accept(length) => {
                    self.answer.drain(..length);
                    let (command, next) = match self.step {
                        Step::Greeting => (Bytes::copy_from_slice(self.probe.hello.as_bytes()), Step::Hello),
                        _ => (Bytes::from_static(b"QUIT\r\n"), Step::Quit),
                    };
                    self.outputs.push_back(Output::Send(command));
                    self.step = next;
                }
            }
        }
    }

    /// A time limit passed: an answer that lacks nothing but its line end is judged, the rest is a timeout.
    fn expire(&mut self) {
        let layer = match self.step {
            Step::Connect => Layer::Connection,
            Step::Secure => Layer::Security,
            Step::Greeting | Step::Hello | Step::Quit => Layer::Application,
        };
        if matches!(self.step, Step::Greeting | Step::Quit) && self.answer.len() >= 4 {
            let judgement = match self.step {
                Step::Greeting => judge_greeting(self.probe.flavour, &self.answer, true),
                _ => judge_quit(self.probe.flavour, &self.answer, true),
            };
            if let Judgement::Conclude(verdict) = judgement {
                return self.conclude(verdict);
            }
        }
        self.conclude(Verdict::new(Status::timeout_at(layer)));
    }
}

impl Dialog for SmtpDialog {
    fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        if self.verdict.is_some() {
            return;
        }
        match input {
            Input::Connected if self.tls => self.step = Step::Secure,
            Input::Connected | Input::Secured => self.established(now),
            Input::Bytes(bytes) => {
                for part in bytes.chunks(MAX_ANSWER) {
                    let room = MAX_ANSWER - self.answer.len();
                    self.answer.extend_from_slice(&part[..part.len().min(room)]);
                    self.advance(false);
                    if self.verdict.is_some() {
                        return;
                    }
                }
            }
            Input::Closed => self.advance(true),
            Input::Failed(failure) => self.conclude(failure.verdict()),
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.verdict.is_none() && now >= self.deadline {
            self.expire();
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.verdict.is_none().then_some(self.deadline)
    }

    fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }
}

/// Length of the first line with its line end.
fn line_length(answer: &[u8]) -> Option<usize> {
    answer.iter().position(|byte| *byte == b'\n').map(|at| at + 1)
}

/// Whether `text` starts with three digits, the first of them `class` if given, and one of `after`.
fn has_code(text: &[u8], class: Option<u8>, after: &[u8]) -> bool {
    match text {
        [first, second, third, next, ..] => {
            first.is_ascii_digit()
                && class.is_none_or(|class| *first == class)
                && second.is_ascii_digit()
                && third.is_ascii_digit()
                && after.contains(next)
        }
        _ => false,
    }
}

/// The first line of an answer as text, without line end.
fn first_line(answer: &[u8]) -> &[u8] {
    answer.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default()
}

/// A verdict with the code and the text of an answer.
fn reported(status: Status, answer: &[u8]) -> Verdict {
    let digits = answer.iter().take(3).take_while(|byte| byte.is_ascii_digit());
    let code = digits.fold(0, |code, digit| code * 10 + u32::from(digit - b'0'));
    // A line of nothing but the code has no text; what comes behind it is not part of the answer.
    let info = String::from_utf8_lossy(first_line(answer).get(4..).unwrap_or_default());
    Verdict::new(status).with_code(code).with_info(info.trim_start_matches(' '))
}

fn judge_greeting(flavour: Flavour, answer: &[u8], last: bool) -> Judgement {
    if flavour == Flavour::SmtpCheck {
        return judge_reply(answer, last, Some(220), "Bad greeting banner from server");
    }
    let length = match line_length(answer) {
        Some(length) => length,
        None if last => answer.len(),
        None => return Judgement::Wait,
    };
    if !has_code(answer, None, b" \r") {
        return Judgement::Conclude(
            Verdict::new(Status::L7Response).with_info(String::from_utf8_lossy(first_line(answer))),
        );
    }
    if !has_code(answer, Some(b'2'), b" \r") {
        return Judgement::Conclude(reported(Status::L7Status, answer));
    }
    Judgement::Accept(length)
}

fn judge_hello(flavour: Flavour, answer: &[u8], last: bool) -> Judgement {
    if flavour == Flavour::SmtpCheck {
        return judge_reply(answer, last, Some(250), "Bad HELO response from server");
    }
    let mut start = 0;
    while let Some(rest) = answer.get(start..) {
        let length = line_length(rest);
        let complete = length.is_some() || last;
        if complete && has_code(rest, Some(b'2'), b" \r") {
            return Judgement::Accept(start + length.unwrap_or(rest.len()));
        }
        match length {
            Some(length) if has_code(rest, Some(b'2'), b"-") && rest[..length].ends_with(b"\r\n") => {
                start += length
            }
            // The check waits for a matching answer until its time is over, even if what came cannot match any more.
            _ => break,
        }
    }
    if last { Judgement::Conclude(reported(Status::L7Status, answer)) } else { Judgement::Wait }
}

fn judge_quit(flavour: Flavour, answer: &[u8], last: bool) -> Judgement {
    if flavour == Flavour::SmtpCheck {
        return match judge_reply(answer, last, None, "Read failure from server") {
            Judgement::Accept(_) => Judgement::Conclude(Verdict::new(Status::L7Ok)),
            other => other,
        };
    }
    if line_length(answer).is_none() && !last {
        return Judgement::Wait;
    }
    let status = if has_code(answer, Some(b'2'), b"- \r") { Status::L7Ok } else { Status::L7Status };
    Judgement::Conclude(reported(status, answer))
}

/// Keepalived's reading: a whole reply whose code is `wanted`, any code if `None`.
fn judge_reply(answer: &[u8], last: bool, wanted: Option<u32>, problem: &str) -> Judgement {
    let mut start = 0;
    loop {
        let rest = &answer[start..];
        let Some(length) = line_length(rest) else {
            return if last { Judgement::Conclude(failed(answer, problem)) } else { Judgement::Wait };
        };
        if has_code(rest, None, b"-") {
            start += length;
            continue;
        }
        let verdict = reported(Status::L7Status, rest);
        return match wanted {
            Some(wanted) if verdict.code != wanted => Judgement::Conclude(failed(rest, problem)),
            _ => Judgement::Accept(start + length),
        };
    }
}

fn failed(answer: &[u8], problem: &str) -> Verdict {
    let verdict = reported(Status::L7Status, answer);
    let status = if verdict.code == 0 { Status::L7Response } else { Status::L7Status };
    Verdict::new(status).with_code(verdict.code).with_info(problem)
}
