//! Agent checks: reading one line from a service that knows the server better than any probe.
//!
//! The dialogue only fetches the line; its words may change the server's administrative state, weight and connection
//! limit, which is the pool's business. Configuration manual of HAProxy 3.4, 5.2 `agent-check`.

use std::any::Any;
use std::time::Instant;

use bytes::Bytes;

use super::{Close, ConnectRequest, Dialog, Input, Layer, Output, ProbeSpec, Status, Target, Verdict};

/// Longest line accepted from an agent.
const MAX_LINE: usize = 16 * 1024;

/// An agent check: connect, perhaps send a string, read one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AgentProbe {
    /// What to send first (`agent-send`).
    pub send: Bytes,
}

impl AgentProbe {
    /// An agent check that sends `send` first; nothing when it is empty.
    pub fn new(send: impl Into<Bytes>) -> Self {
        Self { send: send.into() }
    }
}

impl ProbeSpec for AgentProbe {
    fn start(&self, target: &Target, now: Instant) -> Box<dyn Dialog> {
        let deadline = target.schedule.connect_deadline(now);
        Box::new(AgentDialog {
            send: self.send.clone(),
            target_schedule: target.schedule,
            layer: Layer::Connection,
            deadline,
            line: Vec::new(),
            output: Some(Output::Connect(ConnectRequest { has_data: true, ..Default::default() })),
            verdict: None,
        })
    }

    fn same_as(&self, other: &dyn ProbeSpec) -> bool {
        other.as_any().downcast_ref::<Self>().is_some_and(|other| self == other)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// One conversation with an agent. The verdict of a complete line is [`Status::Checked`] with the whole line as its
/// text; [`AgentReport::parse`] reads it.
struct AgentDialog {
    send: Bytes,
    target_schedule: super::Schedule,
    layer: Layer,
    deadline: Instant,
    line: Vec<u8>,
    output: Option<Output>,
    verdict: Option<Verdict>,
}

impl AgentDialog {
    fn finish(&mut self, verdict: Verdict) {
        self.verdict = Some(verdict);
        self.output = Some(Output::Close(Close::Reset));
    }

    fn receive(&mut self, bytes: &[u8]) {
        let end = bytes.iter().position(|&byte| matches!(byte, b'\r' | b'\n'));
        self.line.extend_from_slice(&bytes[..end.unwrap_or(bytes.len())]);
        // A zero byte ends the text, but not the line.
        if end.is_some() && !self.line.contains(&0) {
            let mut verdict = Verdict::new(Status::Checked);
            verdict.info = String::from_utf8_lossy(&self.line).into_owned();
            self.finish(verdict);
        } else if self.line.len() > MAX_LINE {
            self.incomplete();
        }
    }

    fn incomplete(&mut self) {
        self.finish(Verdict::new(Status::L7Timeout).with_info("Ignoring incomplete line from agent"));
    }

    fn closed(&mut self) {
        if self.line.is_empty() {
            let nothing = "TCPCHK got an empty response at step 2";
            self.finish(Verdict::new(Status::L7Response).with_info(nothing));
        } else {
            self.incomplete();
        }
    }
}

impl Dialog for AgentDialog {
    fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        if self.verdict.is_some() {
            return;
        }
        match input {
            Input::Connected | Input::Secured => {
                self.layer = Layer::Application;
                self.deadline = self.target_schedule.talk_deadline(now, self.deadline);
                if matches!(input, Input::Connected) && !self.send.is_empty() {
                    self.output = Some(Output::Send(self.send.clone()));
                }
            }
            Input::Bytes(bytes) => self.receive(bytes),
            Input::Closed => self.closed(),
            Input::Failed(failure) => self.finish(failure.verdict()),
            Input::Exited(_) | Input::Content(_) => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.verdict.is_none() && now >= self.deadline {
            self.finish(Verdict::new(Status::timeout_at(self.layer)));
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.output.take()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.verdict.is_none().then_some(self.deadline)
    }

    fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }
}

/// What an agent's line asks for. Of several words of one category the last one counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AgentReport<'a> {
    /// A health word, as written.
    pub health: Option<(AgentHealth, &'a str)>,
    /// An administrative word.
    pub admin: Option<AgentAdmin>,
    /// A weight: `75%`, or what follows `weight:`.
    pub weight: Option<&'a str>,
    /// What follows `maxconn:`.
    pub maxconn: Option<&'a str>,
    /// The first word that means nothing.
    pub unknown: Option<&'a str>,
    /// The text after `#`.
    pub description: &'a str,
}

/// Health as an agent sees it.
#[expect(clippy::exhaustive_enums, reason = "the two sides the four words are on")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AgentHealth {
    /// `up`
    Up,
    /// `down`, `stopped`, `fail`
    Down,
}

/// Administrative state as an agent wants it.
#[expect(clippy::exhaustive_enums, reason = "the three words of the protocol")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AgentAdmin {
    /// `ready`
    Ready,
    /// `drain`
    Drain,
    /// `maint`
    Maint,
}

impl<'a> AgentReport<'a> {
    /// Reads the words of a line.
    pub fn parse(line: &'a str) -> Self {
        let (words, description) = split_description(line);
        let mut report = Self { description, ..Self::default() };
        for word in words.split([' ', '\t', ',']).filter(|word| !word.is_empty()) {
            report.word(word);
        }
        report
    }

    fn word(&mut self, word: &'a str) {
        let is = |name: &str| word.eq_ignore_ascii_case(name);
        let argument = |prefix: &str| {
            word.get(..prefix.len())
                .filter(|head| head.eq_ignore_ascii_case(prefix))
                .map(|_| &word[prefix.len()..])
        };
        if is("up") {
            self.health = Some((AgentHealth::Up, word));
        } else if is("down") || is("stopped") || is("fail") {
            self.health = Some((AgentHealth::Down, word));
        } else if is("ready") {
            self.admin = Some(AgentAdmin::Ready);
        } else if is("drain") {
            self.admin = Some(AgentAdmin::Drain);
        } else if is("maint") {
            self.admin = Some(AgentAdmin::Maint);
        } else if word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('%') {
            self.weight = Some(word);
        } else if let Some(maxconn) = argument("maxconn:") {
            self.maxconn = Some(maxconn);
        } else if let Some(weight) = argument("weight:") {
            self.weight = Some(weight);
        } else {
            self.unknown.get_or_insert(word);
        }
    }

    /// The verdict for the agent's monitor. `warning` is what a change of weight or limit was refused with.
    ///
    /// The description is kept for bad news; otherwise an unknown word or a warning takes its place.
    pub fn verdict(&self, warning: Option<&str>) -> Verdict {
        let Some((health, word)) = self.health else {
            let info = match (self.unknown, warning) {
                (Some(unknown), _) => format!("agent reports an error : {unknown}"),
                (None, Some(warning)) => format!("agent warns : {warning}"),
                (None, None) => String::new(),
            };
            return Verdict::new(Status::Checked).with_info(info);
        };
        let up = health == AgentHealth::Up;
        let note = match self.unknown.or(warning) {
            Some(trouble) if up || self.description.is_empty() => trouble,
            _ => self.description,
        };
        let info = if note.is_empty() {
            format!("via agent : {word}")
        } else {
            format!("via agent : {word} ({note})")
        };
        Verdict::new(if up { Status::L7Ok } else { Status::L7Status }).with_info(info)
    }
}

/// Splits at a sharp that begins a word.
fn split_description(line: &str) -> (&str, &str) {
    let begins_word = |at: usize| at == 0 || line[..at].ends_with([' ', '\t', ',']);
    match line.match_indices('#').find(|&(at, _)| begins_word(at)) {
        Some((at, _)) => (&line[..at], line[at + 1..].trim_start_matches([' ', '\t'])),
        None => (line, ""),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "any instant will do as the origin of virtual time")]

    use super::*;

    #[test]
    fn words_of_all_categories_may_be_combined() {
        let report = AgentReport::parse("75%, maxconn:30\tMAINT,down # disk # full");
        assert_eq!(report.weight, Some("75%"));
        assert_eq!(report.maxconn, Some("30"));
        assert_eq!(report.admin, Some(AgentAdmin::Maint));
        assert_eq!(report.health, Some((AgentHealth::Down, "down")));
        assert_eq!(report.description, "disk # full");
    }

    #[test]
    fn the_last_word_of_a_category_counts_and_the_first_unknown_one() {
        let report = AgentReport::parse("up fail weight:10 20% drain ready huh what");
        assert_eq!(report.health, Some((AgentHealth::Down, "fail")));
        assert_eq!((report.weight, report.admin), (Some("20%"), Some(AgentAdmin::Ready)));
        assert_eq!(report.unknown, Some("huh"));
    }

    #[test]
    fn verdicts_carry_the_words() {
        let verdict = |line, warning| AgentReport::parse(line).verdict(warning);
        let expect = |status, info: &str| Verdict::new(status).with_info(info);
        assert_eq!(verdict("up", None), expect(Status::L7Ok, "via agent : up"));
        assert_eq!(verdict("down # late", None), expect(Status::L7Status, "via agent : down (late)"));
        assert_eq!(verdict("down x # late", None), expect(Status::L7Status, "via agent : down (late)"));
        assert_eq!(verdict("up x # late", None), expect(Status::L7Ok, "via agent : up (x)"));
        assert_eq!(verdict("stopped", Some("no")), expect(Status::L7Status, "via agent : stopped (no)"));
        assert_eq!(verdict("bogus", None), expect(Status::Checked, "agent reports an error : bogus"));
        assert_eq!(verdict("5%", Some("no")), expect(Status::Checked, "agent warns : no"));
        assert_eq!(verdict("ready", None), Verdict::new(Status::Checked));
    }

    #[test]
    fn a_line_may_arrive_in_pieces() {
        let now = Instant::now();
        let mut dialog = AgentProbe::new("hello\n").start(&Target::default(), now);
        assert!(matches!(dialog.poll_output(), Some(Output::Connect(request)) if request.has_data));
        dialog.handle_input(now, Input::Connected);
        assert_eq!(dialog.poll_output(), Some(Output::Send(Bytes::from_static(b"hello\n"))));
        dialog.handle_input(now, Input::Bytes(b"dra"));
        assert_eq!(dialog.verdict(), None);
        dialog.handle_input(now, Input::Bytes(b"in\nup"));
        assert_eq!(dialog.verdict().map(|verdict| verdict.info.as_str()), Some("drain"));
        assert_eq!(dialog.poll_output(), Some(Output::Close(Close::Reset)));
    }

    #[test]
    fn an_incomplete_line_is_ignored_with_a_note() {
        let now = Instant::now();
        let mut dialog = AgentProbe::default().start(&Target::default(), now);
        dialog.handle_input(now, Input::Connected);
        dialog.handle_input(now, Input::Bytes(b"down"));
        dialog.handle_input(now, Input::Closed);
        let verdict = dialog.verdict().unwrap();
        assert_eq!(
            (verdict.status, verdict.info.as_str()),
            (Status::L7Timeout, "Ignoring incomplete line from agent")
        );
    }

    #[test]
    fn an_agent_that_says_nothing_or_a_zero_byte_is_not_understood() {
        let now = Instant::now();
        for (bytes, status) in [(&b""[..], Status::L7Response), (b"up\0down\n", Status::L7Timeout)] {
            let mut dialog = AgentProbe::default().start(&Target::default(), now);
            dialog.handle_input(now, Input::Connected);
            dialog.handle_input(now, Input::Bytes(bytes));
            dialog.handle_input(now, Input::Closed);
            assert_eq!(dialog.verdict().unwrap().status, status, "{bytes:?}");
        }
    }

    #[test]
    fn time_is_limited_per_layer() {
        let now = Instant::now();
        let mut dialog = AgentProbe::default().start(&Target::default(), now);
        let deadline = dialog.poll_timeout().unwrap();
        dialog.handle_timeout(deadline);
        assert_eq!(dialog.verdict().unwrap().status, Status::L4Timeout);
        let mut dialog = AgentProbe::default().start(&Target::default(), now);
        dialog.handle_input(now, Input::Connected);
        dialog.handle_timeout(deadline);
        assert_eq!(dialog.verdict().unwrap().status, Status::L7Timeout);
        assert_eq!(dialog.poll_timeout(), None);
    }
}
