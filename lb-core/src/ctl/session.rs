//! One connection that takes commands: bytes in, bytes out, no socket.
//!
//! > After [`Session::handle_input`], [`Session::handle_end`] or [`Session::handle_timeout`], write what
//! > [`Session::poll_output`] gives, then close if [`Session::is_closed`], else arm a timer at [`Session::poll_timeout`].
//!
//! Unless a prompt was asked for, one line is answered and the connection ends, as scripts expect.

use super::catalogue::{self, Exec};
use super::control::{Control, ControlError, Events, SocketLevel};
use super::parse::{self, Line, Request};
use super::reply::Reply;
use crate::companion::AGAIN;
use crate::name::{ProxyName, ServerName};
use std::collections::VecDeque;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Bounds of what a connection may make the process keep.
#[expect(clippy::exhaustive_structs, reason = "plain data")]
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    /// Longest line.
    pub line: usize,
    /// Longest payload.
    pub payload: usize,
    /// How long to wait for a line.
    pub idle: Duration,
}

impl Default for SessionLimits {
    fn default() -> Self {
        // HAProxy takes what fits in its buffer (16 kB); payloads carry whole certificates and maps.
        Self { line: 16_384, payload: 1 << 20, idle: Duration::from_secs(10) }
    }
}

/// How lines are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// One line, then close.
    Single,
    /// Any number of lines.
    Interactive,
    /// Any number of lines, each asked for with a prompt.
    Prompt,
}

/// How messages show how serious they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SeverityOutput {
    None,
    Number,
    Word,
}

/// A command that is not answered at once.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) limit: Duration,
    pub(super) until: Until,
}

/// Longer than any connection lives.
pub(super) const FOR_GOOD: Duration = Duration::from_secs(100 * 365 * 86_400);
/// Bytes of messages written at a time.
const PORTION: usize = 1 << 16;

/// Messages that are being shown.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) events: Box<dyn Events>,
    pub(super) delimiter: u8,
    /// Those to come, too, until the peer sends anything.
    pub(super) wait: bool,
}

/// What is waited for.
#[derive(Debug)]
pub(super) enum Until {
    /// Time.
    Time,
    /// A server that can be removed.
    Removable(ProxyName, ServerName),
    /// The answer to a command that somebody else has to give.
    Answer(Request),
    /// The end of the messages.
    Events(Tail),
}

/// What commands may change about their connection.
#[derive(Debug)]
pub(super) struct State {
    pub(super) level: SocketLevel,
    pub(super) severity: SeverityOutput,
    pub(super) mode: Mode,
    pub(super) timed: bool,
    pub(super) expert: bool,
    pub(super) experimental: bool,
    pub(super) timeout: Option<Duration>,
    pub(super) quit: bool,
    pub(super) wait: Option<Wait>,
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    limits: SessionLimits,
    state: State,
    input: Vec<u8>,
    output: Vec<u8>,
    /// Commands of the present line that wait for a `wait`.
    pending: VecDeque<Request>,
    /// A line whose payload is still coming.
    payload: Option<(Line, String)>,
    waiting_until: Option<Instant>,
    /// What is waited for.
    awaited: Until,
    /// When to look at it next.
    look_at: Instant,
    idle_until: Instant,
    ended: bool,
    closed: bool,
}

impl Session {
    /// A connection that may do what `level` allows, opened at `now`.
    pub fn new(level: SocketLevel, limits: SessionLimits, now: Instant) -> Self {
        Self {
            limits,
            state: State {
                level,
                severity: SeverityOutput::None,
                mode: Mode::Single,
                timed: false,
                expert: false,
                experimental: false,
                timeout: None,
                quit: false,
                wait: None,
            },
            input: Vec::new(),
            output: Vec::new(),
            pending: VecDeque::new(),
            payload: None,
            waiting_until: None,
            awaited: Until::Time,
            look_at: now,
            idle_until: now + limits.idle,
            ended: false,
            closed: false,
        }
    }

    /// Takes bytes of the peer and runs the commands they complete.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8], control: &dyn Control) {
        if self.closed || self.ended {
            return;
        }
        self.idle_until = now + self.state.timeout.unwrap_or(self.limits.idle);
        if self.stop_waiting(now) {
            return;
        }
        self.input.extend_from_slice(bytes);
        self.advance(now, control);
    }

    /// Ends waiting for more messages, if that is what it does.
    fn stop_waiting(&mut self, now: Instant) -> bool {
        let Until::Events(tail) = &mut self.awaited else { return false };
        if tail.wait {
            self.look_at = now;
        }
        std::mem::take(&mut tail.wait)
    }

    /// Ready when [`handle_timeout`](Self::handle_timeout) has messages to write; else `cx` is woken then. The answer changes
    /// after every `handle_*`.
    pub fn poll_events(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.awaited {
            Until::Events(tail) => tail.events.poll_more(cx),
            _ => Poll::Pending,
        }
    }

    /// The peer will not send any more; a last line without line end counts.
    pub fn handle_end(&mut self, now: Instant, control: &dyn Control) {
        if self.closed || self.ended {
            return;
        }
        self.ended = true;
        self.stop_waiting(now);
        if !self.input.is_empty() && !self.input.ends_with(b"\n") {
            self.input.push(b'\n');
        }
        self.advance(now, control);
    }

    /// The instant of [`poll_timeout`](Self::poll_timeout) has passed. Calling early is harmless.
    pub fn handle_timeout(&mut self, now: Instant, control: &dyn Control) {
        if let Some(reply) = self.waited(now, control) {
            self.waiting_until = None;
            self.awaited = Until::Time;
            self.idle_until = now + self.state.timeout.unwrap_or(self.limits.idle);
            self.answer(&reply);
            if self.pending.is_empty() {
                self.end_of_line(control);
            }
            self.advance(now, control);
        } else if self.waiting_until.is_none() && now >= self.idle_until {
            self.closed = true;
        }
    }

    /// The answer to a wait that is over.
    fn waited(&mut self, now: Instant, control: &dyn Control) -> Option<Reply> {
        let over = self.waiting_until? <= now;
        self.look_at = now + AGAIN;
        match &mut self.awaited {
            Until::Time => over.then(Reply::empty),
            Until::Removable(backend, server) => match control.removable(backend, server) {
                Ok(()) => Some(Reply::info("Done.")),
                Err(ControlError::Busy) if !over => None,
                Err(refused) => Some(Reply::error(format!("Failed. {refused}"))),
            },
            Until::Answer(request) => match control.extra(request, self.state.level) {
                Some(Poll::Ready(reply)) => Some(reply),
                _ => over.then(|| Reply::error("Failed. There is no answer.")),
            },
            Until::Events(tail) => {
                tail.events.read(self.output.len() + PORTION, tail.delimiter, &mut self.output);
                let all = self.output.len() < PORTION;
                self.look_at = if all { now + FOR_GOOD } else { now };
                (all && !tail.wait).then(Reply::empty)
            }
        }
    }

    /// What to write. Empty when there is nothing; the answer changes after every `handle_*`.
    pub fn poll_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due. The answer changes after every `handle_*`.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let due = match (self.waiting_until, &self.awaited) {
            (Some(until), Until::Time) => until,
            (Some(until), _) => until.min(self.look_at),
            (None, _) => self.idle_until,
        };
        (!self.closed).then_some(due)
    }

    /// Whether the connection is to be closed once everything is written.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    fn advance(&mut self, now: Instant, control: &dyn Control) {
        while !self.closed && self.waiting_until.is_none() {
            if let Some(request) = self.pending.pop_front() {
                self.run(now, &request, control);
            } else if let Some(line) = self.next_line() {
                self.take_line(line, control);
                continue;
            } else {
                self.closed |= self.ended;
                return;
            }
            if !self.closed && self.pending.is_empty() && self.waiting_until.is_none() {
                self.end_of_line(control);
            }
        }
    }

    /// Takes the next line out of the input, refusing one that is too long.
    fn next_line(&mut self) -> Option<String> {
        let end = self.input.iter().position(|byte| *byte == b'\n');
        if end.unwrap_or(self.input.len()) > self.limits.line {
            let text =
                "The command line is too big for the buffer size. Please use a shorter one, or a payload.\n";
            self.output.extend_from_slice(text.as_bytes());
            self.closed = true;
            return None;
        }
        let line: Vec<u8> = self.input.drain(..=end?).collect();
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Some(String::from_utf8_lossy(line).into_owned())
    }

    fn take_line(&mut self, text: String, control: &dyn Control) {
        let Some((line, mut payload)) = self.payload.take() else {
            let line = parse::line(&text);
            if line.payload_end.is_some() {
                self.payload = Some((line, String::new()));
                self.ask(control);
            } else {
                self.start(line, None);
            }
            return;
        };
        if Some(&text) == line.payload_end.as_ref() {
            self.start(line, Some(payload));
        } else if payload.len() + text.len() >= self.limits.payload {
            self.output.extend_from_slice(b"The payload is too big.\n");
            self.closed = true;
        } else {
            payload.push_str(&text);
            payload.push('\n');
            self.payload = Some((line, payload));
            self.ask(control);
        }
    }

    /// Queues the commands of a line; a payload belongs to the last one.
    fn start(&mut self, line: Line, payload: Option<String>) {
        self.pending = line.commands.into_iter().map(|words| Request { words, payload: None }).collect();
        if let Some(last) = self.pending.back_mut() {
            last.payload = payload;
        }
    }

    fn run(&mut self, now: Instant, request: &Request, control: &dyn Control) {
        let reply = catalogue::run(&mut Exec { control, state: &mut self.state, now }, request);
        if self.state.quit {
            self.closed = true;
            return;
        }
        match self.state.wait.take() {
            Some(wait) => {
                // A wait beyond what the clock can express waits for as long as the peer stays.
                self.waiting_until = now.checked_add(wait.limit).or(Some(now + self.limits.idle));
                // Whoever has just been asked is given a moment.
                let asked = matches!(wait.until, Until::Answer(_));
                self.look_at = if asked { now + AGAIN } else { now };
                self.awaited = wait.until;
                // What follows the command counts as what ends it.
                if !self.input.is_empty() && self.stop_waiting(now) {
                    self.input.clear();
                }
            }
            None => self.answer(&reply),
        }
    }

    fn answer(&mut self, reply: &Reply) {
        match (reply.severity, self.state.severity) {
            (Some(severity), SeverityOutput::Number) if !reply.text.is_empty() => {
                self.output.extend_from_slice(format!("[{}]: ", severity as u8).as_bytes());
            }
            (Some(severity), SeverityOutput::Word) if !reply.text.is_empty() => {
                self.output.extend_from_slice(format!("[{}]: ", severity.word()).as_bytes());
            }
            _ => {}
        }
        self.output.extend_from_slice(reply.text.as_bytes());
        if !reply.text.is_empty() && !reply.text.ends_with('\n') {
            self.output.push(b'\n');
        }
        self.output.push(b'\n');
    }

    fn end_of_line(&mut self, control: &dyn Control) {
        match self.state.mode {
            Mode::Single => self.closed = true,
            Mode::Interactive => {}
            Mode::Prompt => self.ask(control),
        }
    }

    /// Writes the prompt, if there is one.
    fn ask(&mut self, control: &dyn Control) {
        if self.state.mode != Mode::Prompt {
            return;
        }
        if self.payload.is_some() {
            self.output.extend_from_slice(b"+ ");
        } else if self.state.timed {
            let seconds = control.info().uptime.as_secs();
            let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
            let prompt = format!("[{days}:{hours:02}:{:02}:{:02}]> ", seconds / 60 % 60, seconds % 60);
            self.output.extend_from_slice(prompt.as_bytes());
        } else {
            self.output.extend_from_slice(b"> ");
        }
    }
}
