//! A script being carried out.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use super::super::{
    Close, ConnectFailure, Dialog, Heard, Input, Layer, Output, Scene, Status, Target, Verdict,
};
use super::{Action, Expect, MAX_RECEIVED, Numbered, Pattern, Payload, Template};
use crate::expr::Sample;

pub(super) struct ScriptDialog {
    steps: Arc<[Numbered]>,
    /// The steps are not named.
    unseen: bool,
    scene: Scene,
    /// When the check was last told something.
    now: Instant,
    /// What a step that succeeded had to say.
    note: Option<String>,
    /// The step that waits.
    at: usize,
    layer: Layer,
    deadline: Instant,
    /// Received since the last connection or sending.
    received: Vec<u8>,
    /// Nothing has arrived since the last connection or sending, so expectations have nothing new to look at.
    starved: bool,
    /// Nothing more will arrive.
    ended: bool,
    close: Close,
    output: VecDeque<Output>,
    verdict: Option<Verdict>,
}

/// What a look at the received data says.
enum Finding {
    /// Too early to say.
    Wait,
    /// As it should be.
    Fine,
    /// Not as it should be; the status and text if they are not the usual ones.
    Wrong { matched: bool, because: Option<(Status, &'static str)> },
}

impl ScriptDialog {
    pub(super) fn new(steps: Arc<[Numbered]>, unseen: bool, target: Target, now: Instant) -> Self {
        let mut dialog = Self {
            steps,
            unseen,
            scene: Scene::new(target, now),
            now,
            note: None,
            at: 0,
            layer: Layer::Connection,
            deadline: now,
            received: Vec::new(),
            starved: true,
            ended: false,
            close: Close::Reset,
            output: VecDeque::new(),
            verdict: None,
        };
        dialog.connect(now);
        dialog
    }

    /// Begins the connection of the present step.
    fn connect(&mut self, now: Instant) {
        let Action::Connect { request, close } = &self.steps[self.at].action else { return };
        self.close = *close;
        self.output.push_back(Output::Connect(request.clone()));
        self.layer = Layer::Connection;
        self.deadline = self.scene.target().schedule.connect_deadline(now);
        self.received.clear();
        self.starved = true;
        self.ended = false;
    }

    /// The present step is done; takes the following ones until one has to wait.
    fn proceed(&mut self, now: Instant) {
        loop {
            if self.at + 1 == self.steps.len() {
                return self.succeed();
            }
            self.at += 1;
            let steps = Arc::clone(&self.steps);
            match &steps[self.at].action {
                Action::Connect { .. } => return self.connect(now),
                Action::Send(payload) => {
                    if !self.send(payload) {
                        return;
                    }
                }
                Action::Expect(_) => {
                    if !self.look() {
                        return;
                    }
                }
                Action::SetVar(name, program) => {
                    let heard = Heard { bytes: &self.received, layer: None };
                    self.scene.with(now, heard, |env| {
                        if let Some(value) = program.eval(env) {
                            env.vars.set(name, &value);
                        }
                    });
                }
                Action::SetVarFmt(name, format) => {
                    let heard = Heard { bytes: &self.received, layer: None };
                    let mut text = Vec::new();
                    self.scene.format(format, now, heard, &mut text);
                    self.scene.with(now, heard, |env| env.vars.set(name, &Sample::Str(&text)));
                }
                Action::UnsetVar(name) => {
                    self.scene.with(now, Heard::default(), |env| env.vars.unset(name));
                }
            }
        }
    }

    /// Sends data. False if there is nothing to send, which ends the check.
    fn send(&mut self, payload: &Payload) -> bool {
        let mut rendered = Vec::new();
        let bytes = match payload {
            Payload::Bytes(bytes) => bytes.clone(),
            Payload::Text(template) => {
                template.render(&mut self.scene, self.now, &self.received, &mut rendered);
                rendered.into()
            }
            Payload::Hex(template) => {
                template.render(&mut self.scene, self.now, &self.received, &mut rendered);
                let Some(bytes) = from_hex(&rendered) else {
                    let words = "Failed to parse hexastring resulting of eval of a log-format string";
                    self.finish(Verdict::new(Status::L7Response).with_info(words));
                    return false;
                };
                bytes.into()
            }
        };
        self.received.clear();
        self.starved = true;
        if !bytes.is_empty() {
            self.output.push_back(Output::Send(bytes));
        }
        true
    }

    /// Looks at the received data as the present step demands. True if the step is done.
    fn look(&mut self) -> bool {
        if self.starved && !self.ended {
            return false;
        }
        let steps = Arc::clone(&self.steps);
        let Action::Expect(expect) = &steps[self.at].action else { return false };
        match self.examine(expect) {
            Finding::Fine => {
                if let Some(note) = &expect.note {
                    self.note = Some(self.text(&**note));
                }
                return true;
            }
            Finding::Wait => {
                // With more data all expectations in a row are looked at again.
                while self.at > 0 && matches!(self.steps[self.at - 1].action, Action::Expect(_)) {
                    self.at -= 1;
                }
            }
            Finding::Wrong { matched, because } => {
                let verdict = self.refusal(&steps[self.at], expect, matched, because);
                self.finish(verdict);
            }
        }
        false
    }

    fn examine(&mut self, expect: &Expect) -> Finding {
        let last = self.ended || self.received.len() >= MAX_RECEIVED;
        let there = self.received.len();
        let too_short = |len: usize| !last && there < len;
        let wanted = match self.wanted(&expect.pattern) {
            Ok(wanted) => wanted,
            Err(words) => {
                return Finding::Wrong { matched: false, because: Some((Status::L7Response, words)) };
            }
        };
        let length = wanted.as_ref().map_or(0, |wanted| wanted.len());
        if too_short(length) || too_short(expect.min_recv.unwrap_or(0) as usize) {
            return Finding::Wait;
        }
        let matched = match (&expect.pattern, wanted) {
            (Pattern::Regex(regex), _) => regex.is_match(&self.received),
            (Pattern::BinaryRegex(regex), _) => regex.is_match(to_hex(&self.received).as_bytes()),
            (_, wanted) => memchr::memmem::find(&self.received, &wanted.unwrap_or_default()).is_some(),
        };
        if !matched && !last && expect.min_recv.is_none() {
            return Finding::Wait;
        }
        if matched != expect.inverse { Finding::Fine } else { Finding::Wrong { matched, because: None } }
    }

    /// The bytes a pattern looks for, if it is a matter of bytes.
    fn wanted<'a>(&mut self, pattern: &'a Pattern) -> Result<Option<Cow<'a, [u8]>>, &'static str> {
        Ok(match pattern {
            Pattern::Text(bytes) | Pattern::Binary(bytes) => Some(Cow::Borrowed(bytes)),
            Pattern::Rendered(template) => Some(self.render_pattern(&**template, false)?.into()),
            Pattern::RenderedHex(template) => Some(self.render_pattern(&**template, true)?.into()),
            Pattern::Regex(_) | Pattern::BinaryRegex(_) => None,
        })
    }

    fn render_pattern(&mut self, template: &dyn Template, hex: bool) -> Result<Vec<u8>, &'static str> {
        let mut rendered = Vec::new();
        template.render(&mut self.scene, self.now, &self.received, &mut rendered);
        if rendered.is_empty() {
            return Err("log-format string evaluated to an empty string");
        }
        if !hex {
            return Ok(rendered);
        }
        from_hex(&rendered).ok_or("Failed to parse hexastring resulting of eval of a log-format string")
    }

    /// The verdict of an expectation that was not met.
    fn refusal(
        &mut self,
        step: &Numbered,
        expect: &Expect,
        matched: bool,
        because: Option<(Status, &'static str)>,
    ) -> Verdict {
        let mut info = match (because, &expect.on_error) {
            (Some((_, words)), _) => words.to_owned(),
            (None, Some(template)) => self.text(&**template),
            (None, None) if self.received.is_empty() => {
                format!("TCPCHK got an empty response at step {}", step.number)
            }
            // Nobody wrote the steps of a check that an option stands for.
            (None, None) if self.unseen => String::new(),
            (None, None) => {
                let what = if matched { "matched unwanted content" } else { "did not match content" };
                format!("TCPCHK {what}{} at step {}", pattern_words(&expect.pattern), step.number)
            }
        };
        if let Some(comment) = &step.comment {
            info.push_str(" comment: ");
            info.push_str(comment);
        }
        let status = because.map_or(expect.error_status, |(status, _)| status);
        Verdict::new(status).with_code(self.code(expect)).with_info(info)
    }

    /// Every step is done.
    fn succeed(&mut self) {
        let steps = Arc::clone(&self.steps);
        let step = &steps[self.at];
        let note = self.note.take();
        let done = || note.clone().unwrap_or_else(|| "(tcp-check)".to_owned());
        let verdict = match &step.action {
            Action::Connect { request, .. } => {
                let status =
                    if request.is_secured(self.scene.target()) { Status::L6Ok } else { Status::L4Ok };
                Verdict::new(status).with_info(if step.number == 0 { String::new() } else { done() })
            }
            Action::Expect(expect) => {
                let info = match &expect.on_success {
                    Some(template) => self.text(&**template),
                    None => done(),
                };
                Verdict::new(expect.ok_status).with_code(self.code(expect)).with_info(info)
            }
            _ => Verdict::new(Status::L7Ok).with_info(done()),
        };
        self.finish(verdict);
    }

    fn finish(&mut self, verdict: Verdict) {
        self.verdict = Some(verdict);
        self.output.push_back(Output::Close(self.close));
    }

    fn text(&mut self, template: &dyn Template) -> String {
        let mut text = Vec::new();
        template.render(&mut self.scene, self.now, &self.received, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    fn code(&mut self, expect: &Expect) -> u32 {
        match &expect.status_code {
            Some(template) => self.text(&**template).trim().parse().unwrap_or(0),
            None => 0,
        }
    }

    fn receive(&mut self, now: Instant, bytes: &[u8]) {
        let room = MAX_RECEIVED.saturating_sub(self.received.len());
        self.received.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.starved = false;
        self.resume(now);
    }

    /// Looks again after something arrived, if an expectation waits for it.
    fn resume(&mut self, now: Instant) {
        if matches!(self.steps[self.at].action, Action::Expect(_)) && self.look() {
            self.proceed(now);
        }
    }

    fn connected(&mut self, now: Instant, secured: bool) {
        let Action::Connect { request, .. } = &self.steps[self.at].action else { return };
        if !secured && request.is_secured(self.scene.target()) {
            self.layer = Layer::Security;
            return;
        }
        self.layer = Layer::Application;
        self.deadline = self.scene.target().schedule.talk_deadline(now, self.deadline);
        self.proceed(now);
    }

    fn fail(&mut self, now: Instant, failure: &ConnectFailure) {
        // A reset right behind the data is common; what was received decides.
        if self.layer == Layer::Application && !self.received.is_empty() {
            self.ended = true;
            self.resume(now);
            if self.verdict.is_some() {
                return;
            }
        }
        let Verdict { status, info, .. } = failure.verdict();
        self.finish(Verdict::new(status).with_info(format!("{info}{}", self.place())));
    }

    /// Where in the script the check stands.
    fn place(&self) -> String {
        if self.unseen {
            return String::new();
        }
        let step = &self.steps[self.at];
        if step.number == 0 {
            return " at initial connection step of tcp-check".to_owned();
        }
        let mut place = format!(" at step {} of tcp-check", step.number);
        // Writing to a string cannot fail.
        let _ = match &step.action {
            Action::Connect { request, .. } => match request.port {
                Some(port) => write!(place, " (connect port {port})"),
                None => write!(place, " (connect)"),
            },
            Action::Send(_) => write!(place, " (send)"),
            Action::SetVar(..) | Action::SetVarFmt(..) | Action::UnsetVar(_) => write!(place, " (variable)"),
            Action::Expect(expect) => match &expect.pattern {
                Pattern::Text(text) => write!(place, " (expect string '{}')", String::from_utf8_lossy(text)),
                Pattern::Binary(bytes) => write!(place, " (expect binary '{}')", to_hex(bytes)),
                Pattern::Regex(_) => write!(place, " (expect regex)"),
                Pattern::BinaryRegex(_) => write!(place, " (expect binary regex)"),
                Pattern::Rendered(_) => write!(place, " (expect log-format string)"),
                Pattern::RenderedHex(_) => write!(place, " (expect log-format binary)"),
            },
        };
        if let Some(comment) = &step.comment {
            let _ = write!(place, " comment: '{comment}'");
        }
        place
    }
}

impl Dialog for ScriptDialog {
    fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        if self.verdict.is_some() {
            return;
        }
        self.now = now;
        match input {
            Input::Connected => self.connected(now, false),
            Input::Secured => self.connected(now, true),
            Input::Bytes(bytes) => self.receive(now, bytes),
            Input::Closed => {
                self.ended = true;
                self.resume(now);
            }
            Input::Failed(failure) => self.fail(now, &failure),
            Input::Exited(_) | Input::Content(_) => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.verdict.is_some() || now < self.deadline {
            return;
        }
        let status = match (&self.steps[self.at].action, self.layer) {
            (Action::Expect(expect), Layer::Application) => expect.timeout_status,
            (_, layer) => Status::timeout_at(layer),
        };
        self.finish(Verdict::new(status).with_info(self.place()));
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.output.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.verdict.is_none().then_some(self.deadline)
    }

    fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }
}

fn pattern_words(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Text(text) => format!(" '{}'", String::from_utf8_lossy(text)),
        Pattern::Binary(_) => " (binary)".to_owned(),
        Pattern::Regex(_) => " (regex)".to_owned(),
        Pattern::BinaryRegex(_) => " (binary regex)".to_owned(),
        Pattern::Rendered(_) => " (log-format string)".to_owned(),
        Pattern::RenderedHex(_) => " (log-format binary)".to_owned(),
    }
}

fn to_hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(hex, "{byte:02X}");
    }
    hex
}

fn from_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let value = |digit: u8| (digit as char).to_digit(16).map(|value| value as u8);
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|&[high, low]| Some(value(high)? << 4 | value(low)?)).collect()
}
