//! The HTTP health check: `option httpchk` and the `http-check` steps.
//!
//! A check is a list of steps: connect, send a request, judge the response. Without steps of its own it sends
//! `OPTIONS / HTTP/1.0` and takes every status from 200 to 399.
//!
//! | what happens | verdict |
//! |---|---|
//! | the last step was a matching `expect` | `L7OK`, the status |
//! | a status or header does not match | `L7STS`, the status, the server's reason phrase |
//! | the body does not match | `L7RSP` |
//! | the body cannot be read | `L7RSP` |
//! | no or a broken response | `SOCKERR` |
//! | 404 with `disable-on-404` from a server that is up | `L7OKC` |
//!
//! Configuration manual of HAProxy 3.4: `option httpchk`, `http-check`.

mod expect;
mod response;
mod send;

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use lb_core::expr::{Program, Sample, VarName};
use lb_core::health::{
    Close, ConnectRequest, Dialog, Input, Layer, Output, ProbeSpec, Scene, Schedule, Status, Target, Verdict,
};
use lb_core::log::Template;

use crate::head::Method;
use response::{MAX_DIGESTED, MAX_RESPONSE, Received, State};

pub use expect::{Expect, Matcher, Pattern, Subject};
pub use send::{SendStep, Text};

/// A configured HTTP check.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HttpProbe {
    /// The steps; a check that does not begin with a connection gets one.
    pub steps: Vec<Step>,
    /// `http-check disable-on-404`.
    pub disable_on_404: bool,
    /// `http-check send-state`.
    pub send_state: bool,
    /// `unique-id-format` of the proxy, for steps that send it.
    pub unique_id: Option<Template>,
    /// Steps in front that nobody wrote; the number of a step in a message leaves them out.
    pub uncounted: usize,
}

/// One step of a check.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Step {
    /// `http-check connect`.
    Connect(ConnectStep),
    /// `http-check send`.
    Send(SendStep),
    /// `http-check expect`.
    Expect(Expect),
    /// `http-check set-var`.
    SetVar(VarName, Program),
    /// `http-check set-var-fmt`.
    SetVarFmt(VarName, Template),
    /// `http-check unset-var`.
    UnsetVar(VarName),
}

/// `http-check connect`.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ConnectStep {
    /// What to connect to and how.
    pub request: ConnectRequest,
    /// Close the connection in good order at its end (`linger`).
    pub linger: bool,
    /// Appended to error messages.
    pub comment: Option<Arc<str>>,
}

impl HttpProbe {
    /// `option httpchk` alone.
    pub fn new() -> Self {
        Self::of(vec![Step::Send(SendStep::default()), Step::Expect(Expect::default())])
    }

    /// These steps.
    pub const fn of(steps: Vec<Step>) -> Self {
        Self { steps, disable_on_404: false, send_state: false, unique_id: None, uncounted: 0 }
    }

    /// How much of a response has to be kept.
    fn room(&self) -> usize {
        let whole =
            |step: &Step| matches!(step, Step::Expect(e) if matches!(e.subject, Subject::Digest { .. }));
        if self.steps.iter().any(whole) { MAX_DIGESTED } else { MAX_RESPONSE }
    }
}

impl Default for HttpProbe {
    fn default() -> Self {
        Self::new()
    }
}

impl ProbeSpec for HttpProbe {
    fn start(&self, target: &Target, now: Instant) -> Box<dyn Dialog> {
        Box::new(HttpCheck::new(self.clone(), target.clone(), now))
    }

    fn same_as(&self, other: &dyn ProbeSpec) -> bool {
        // Compiled patterns are compared by what they print, which is all their configuration.
        other.as_any().downcast_ref::<Self>().is_some_and(|other| format!("{self:?}") == format!("{other:?}"))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What the connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Connecting,
    Securing,
    Up,
}

/// One HTTP check in progress.
#[derive(Debug)]
pub struct HttpCheck {
    probe: HttpProbe,
    target: Target,
    scene: Scene,
    /// When the check was last told something.
    now: Instant,
    /// Index of the step being worked on; `None` while the connection made before the first step comes up.
    step: Option<usize>,
    link: Link,
    secure: bool,
    linger: bool,
    connect_deadline: Instant,
    deadline: Instant,
    asked: Method,
    received: Received,
    closed: bool,
    /// Index of the last `expect` that matched, if nothing came after it.
    matched: Option<usize>,
    outputs: VecDeque<Output>,
    verdict: Option<Verdict>,
}

impl HttpCheck {
    fn new(probe: HttpProbe, target: Target, now: Instant) -> Self {
        let schedule = target.schedule;
        let mut scene = Scene::new(target.clone(), now);
        if let Some(format) = &probe.unique_id {
            scene.identify(format, now);
        }
        let room = probe.room();
        let mut check = Self {
            probe,
            target,
            scene,
            now,
            step: None,
            link: Link::Connecting,
            secure: false,
            linger: false,
            connect_deadline: now,
            deadline: now,
            asked: Method::Options,
            received: Received::new(room),
            closed: false,
            matched: None,
            outputs: VecDeque::new(),
            verdict: None,
        };
        match check.probe.steps.first() {
            Some(Step::Connect(_)) => check.enter(0, now, &schedule),
            _ => check.connect(now, &schedule, ConnectRequest::default()),
        }
        check
    }

    fn connect(&mut self, now: Instant, schedule: &Schedule, mut request: ConnectRequest) {
        request.has_data = true;
        self.secure = match &request.tls {
            lb_core::health::TlsChoice::Inherit => self.target.tls,
            lb_core::health::TlsChoice::Off => false,
            lb_core::health::TlsChoice::On(_) => true,
        };
        self.link = Link::Connecting;
        self.closed = false;
        self.received = Received::new(self.probe.room());
        self.connect_deadline = schedule.connect_deadline(now);
        self.deadline = self.connect_deadline;
        self.outputs.push_back(Output::Connect(request));
    }

    /// Begins the step at `index`, and those behind it until one has to wait.
    fn enter(&mut self, index: usize, now: Instant, schedule: &Schedule) {
        let mut index = index;
        loop {
            let Some(step) = self.probe.steps.get(index).cloned() else { return self.finish() };
            self.step = Some(index);
            match step {
                Step::Connect(connect) => {
                    self.matched = None;
                    self.linger = connect.linger;
                    return self.connect(now, schedule, connect.request);
                }
                Step::Send(send) => {
                    self.matched = None;
                    let state = self.probe.send_state;
                    let bytes = send.encode(&mut self.scene, now, self.received.heard(), state);
                    self.received.restart();
                    self.asked = send.method();
                    self.outputs.push_back(Output::Send(Bytes::from(bytes)));
                }
                Step::Expect(expect) => match self.judge(index, &expect) {
                    Judgement::Wait => return,
                    Judgement::Matched => self.matched = Some(index),
                    Judgement::Failed(verdict) => return self.conclude(verdict),
                },
                Step::SetVar(name, program) => {
                    self.scene.with(now, self.received.heard(), |env| {
                        if let Some(value) = program.eval(env) {
                            env.vars.set(&name, &value);
                        }
                    });
                }
                Step::SetVarFmt(name, format) => {
                    let mut text = Vec::new();
                    self.scene.format(&format, now, self.received.heard(), &mut text);
                    self.scene.with(now, self.received.heard(), |env| {
                        env.vars.set(&name, &Sample::Str(&text));
                    });
                }
                Step::UnsetVar(name) => {
                    self.scene.with(now, self.received.heard(), |env| env.vars.unset(&name));
                }
            }
            index += 1;
        }
    }

    /// Looks at what was received so far.
    fn judge(&mut self, index: usize, expect: &Expect) -> Judgement {
        let state = self.received.parse(self.asked, self.closed);
        if state == State::Head && !self.closed && !self.received.is_full() {
            return Judgement::Wait;
        }
        if matches!(state, State::Head | State::Broken) {
            // Who hangs up in front of an answer, or gives none, has said nothing that could be judged.
            return Judgement::Failed(Verdict::new(Status::SocketError));
        }
        if state == State::Garbled {
            let info = expect.commented(expect.unread(self.number(index)));
            return Judgement::Failed(Verdict::new(Status::L7Response).with_info(info));
        }
        let status = self.received.status();
        if status == 404 && self.probe.disable_on_404 && !self.target.snapshot.state.starts_with("DOWN") {
            return Judgement::Matched;
        }
        let last = self.closed || state == State::Complete || self.received.is_full();
        let now = self.now;
        match expect.judge(&mut self.scene, now, &self.received, last) {
            expect::Answer::Wait => Judgement::Wait,
            expect::Answer::Matched => Judgement::Matched,
            expect::Answer::Failed(default, info) => {
                let code = expect.code(&mut self.scene, now, &self.received);
                let verdict = Verdict::new(expect.error_status.unwrap_or(default)).with_code(code);
                Judgement::Failed(verdict.with_info(expect.commented(info)))
            }
        }
    }

    /// Number of a step as messages show it: the connection in front of the first step is number 0.
    const fn number(&self, index: usize) -> usize {
        (index + 1).saturating_sub(self.probe.uncounted)
    }

    /// Every step is done.
    fn finish(&mut self) {
        let code = u32::from(self.received.status());
        let verdict = match self.matched.and_then(|index| self.probe.steps.get(index)) {
            Some(Step::Expect(_)) if code == 404 && self.conditional() => {
                Verdict::new(Status::L7OkConditional).with_code(code)
            }
            Some(Step::Expect(expect)) => {
                let code = expect.code(&mut self.scene, self.now, &self.received);
                let info = expect.success(&mut self.scene, self.now, self.received.heard());
                Verdict::new(expect.ok_status.unwrap_or(Status::L7Ok)).with_code(code).with_info(info)
            }
            _ if self.step.is_none() || self.only_connected() => {
                Verdict::new(if self.secure { Status::L6Ok } else { Status::L4Ok })
            }
            _ => Verdict::new(Status::L7Ok).with_info("(tcp-check)"),
        };
        self.conclude(verdict);
    }

    fn conditional(&self) -> bool {
        self.probe.disable_on_404 && !self.target.snapshot.state.starts_with("DOWN")
    }

    fn only_connected(&self) -> bool {
        self.step.is_some_and(|index| matches!(self.probe.steps.get(index), Some(Step::Connect(_))))
    }

    fn conclude(&mut self, verdict: Verdict) {
        self.received = Received::new(self.probe.room());
        let close = if self.linger { Close::Clean } else { Close::Reset };
        self.outputs.push_back(Output::Close(close));
        self.verdict = Some(verdict);
    }

    fn established(&mut self, now: Instant) {
        let schedule = self.target.schedule;
        self.link = Link::Up;
        self.deadline = schedule.talk_deadline(now, self.connect_deadline);
        let next = self.step.map_or(0, |index| index + 1);
        self.enter(next, now, &schedule);
    }

    /// More was received, or the server closed.
    fn resume(&mut self, now: Instant) {
        let schedule = self.target.schedule;
        match self.step.map(|index| (index, self.probe.steps.get(index))) {
            Some((index, Some(Step::Expect(_)))) if self.link == Link::Up => {
                self.enter(index, now, &schedule);
            }
            _ => {}
        }
    }
}

enum Judgement {
    Wait,
    Matched,
    Failed(Verdict),
}

impl Dialog for HttpCheck {
    fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        if self.verdict.is_some() {
            return;
        }
        self.now = now;
        match input {
            Input::Connected if self.secure => self.link = Link::Securing,
            Input::Connected | Input::Secured => self.established(now),
            Input::Bytes(bytes) => {
                self.received.push(bytes);
                self.resume(now);
            }
            Input::Closed => {
                self.closed = true;
                self.resume(now);
            }
            Input::Failed(failure) => {
                // What arrived before the failure may still be a complete answer.
                if failure.layer == Layer::Application && self.received.head().is_some() {
                    self.closed = true;
                    self.resume(now);
                }
                if self.verdict.is_none() {
                    self.conclude(failure.verdict());
                }
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.verdict.is_some() || now < self.deadline {
            return;
        }
        let layer = match self.link {
            Link::Connecting => Layer::Connection,
            Link::Securing => Layer::Security,
            Link::Up => Layer::Application,
        };
        let mut status = Status::timeout_at(layer);
        if let (Link::Up, Some(Step::Expect(expect))) =
            (self.link, self.step.and_then(|index| self.probe.steps.get(index)))
        {
            status = expect.timeout_status.unwrap_or(status);
        }
        self.conclude(Verdict::new(status));
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

#[cfg(test)]
mod tests;
