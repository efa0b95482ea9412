//! `tcp-check`: a check written as a script of connecting, sending and expecting.
//!
//! Steps are numbered as written, comments included. A script that does not begin by connecting gets a connection of its
//! own, numbered 0. The data received since the last connection or sending is what the expectations look at, all of
//! those in a row at the same data.
//!
//! Configuration manual of HAProxy 3.4: `tcp-check connect`, `send`, `expect`, `comment`.

mod dialog;

#[cfg(test)]
mod tests;

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::{Close, ConnectRequest, Dialog, ProbeSpec, Scene, Status, Target};
use crate::expr::{Program, VarName};
use crate::log::Template as Format;
use dialog::ScriptDialog;

/// Most data kept of what a server sends.
const MAX_RECEIVED: usize = 16 * 1024;

/// Text or data that depends on the check it is used in (`send-lf`, `on-error`, …).
pub trait Template: fmt::Debug + Send + Sync {
    /// Appends the text. `received` is what the server has sent so far.
    fn render(&self, scene: &mut Scene, now: Instant, received: &[u8], out: &mut Vec<u8>);

    /// Whether `other` renders in the same way.
    fn same_as(&self, other: &dyn Template) -> bool;

    /// For downcasting in [`same_as`](Self::same_as).
    fn as_any(&self) -> &dyn Any;
}

/// A pattern that is looked for in what a server sends (`rstring`, `rbinary`).
pub trait Matcher: fmt::Debug + Send + Sync {
    /// Whether the pattern occurs.
    fn is_match(&self, data: &[u8]) -> bool;

    /// Whether `other` matches the same data.
    fn same_as(&self, other: &dyn Matcher) -> bool;

    /// For downcasting in [`same_as`](Self::same_as).
    fn as_any(&self) -> &dyn Any;
}

/// One line of a script.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Step {
    /// Open a connection, closing the previous one.
    Connect {
        /// Where and how; what is sent next is filled in by the script.
        request: ConnectRequest,
        /// Close with a shutdown rather than a reset (`linger`).
        linger: bool,
        /// Shown when the step fails.
        comment: Option<Arc<str>>,
    },
    /// Send data.
    Send {
        /// What.
        payload: Payload,
        /// Shown when the step fails.
        comment: Option<Arc<str>>,
    },
    /// Look at what was received.
    Expect(Box<Expect>),
    /// Set a variable of the check to the value of an expression.
    SetVar(VarName, Program),
    /// Set a variable of the check to what a format makes.
    SetVarFmt(VarName, Format),
    /// Remove a variable of the check.
    UnsetVar(VarName),
    /// A comment for the steps of one kind that follow.
    Comment(Arc<str>),
}

/// What to send.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Payload {
    /// These bytes.
    Bytes(Bytes),
    /// What the template renders.
    Text(Arc<dyn Template>),
    /// The bytes whose hexadecimal digits the template renders.
    Hex(Arc<dyn Template>),
}

/// An expectation and what follows from it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Expect {
    /// What to look for.
    pub pattern: Pattern,
    /// It must not occur (`!`).
    pub inverse: bool,
    /// Wait until that many bytes were received. `None` (or -1) also makes the absence of a match inconclusive until
    /// the server closes; with a number, a miss is a miss.
    pub min_recv: Option<u32>,
    /// Status if this is the last step and succeeds.
    pub ok_status: Status,
    /// Status if it fails.
    pub error_status: Status,
    /// Status if the time runs out.
    pub timeout_status: Status,
    /// Text instead of `(tcp-check)` if this is the last step and succeeds.
    pub on_success: Option<Arc<dyn Template>>,
    /// Text of the verdict of a check that ends well, unless the last step has one.
    pub note: Option<Arc<dyn Template>>,
    /// Text instead of the generated one if it fails.
    pub on_error: Option<Arc<dyn Template>>,
    /// Renders the numeric code of the verdict.
    pub status_code: Option<Arc<dyn Template>>,
    /// Shown when the step fails.
    pub comment: Option<Arc<str>>,
}

impl Expect {
    /// An expectation with the usual consequences.
    pub fn new(pattern: Pattern) -> Self {
        Self {
            pattern,
            inverse: false,
            min_recv: None,
            ok_status: Status::L7Ok,
            error_status: Status::L7Response,
            timeout_status: Status::L7Timeout,
            on_success: None,
            note: None,
            on_error: None,
            status_code: None,
            comment: None,
        }
    }
}

/// What an expectation looks for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Pattern {
    /// These bytes, written as text.
    Text(Bytes),
    /// These bytes, written in hexadecimal.
    Binary(Bytes),
    /// A pattern on the data.
    Regex(Arc<dyn Matcher>),
    /// A pattern on the data's upper-case hexadecimal digits.
    BinaryRegex(Arc<dyn Matcher>),
    /// The bytes the template renders.
    Rendered(Arc<dyn Template>),
    /// The bytes whose hexadecimal digits the template renders.
    RenderedHex(Arc<dyn Template>),
}

/// A script that is ready to run.
#[derive(Clone, Debug)]
pub struct Script {
    steps: Arc<[Numbered]>,
    /// It is one of a protocol: its steps mean nothing to the reader.
    unseen: bool,
}

/// A step with its number and comment.
#[derive(Clone, Debug)]
struct Numbered {
    /// As written, from 1; 0 for the connection the script did not ask for.
    number: u32,
    comment: Option<Arc<str>>,
    action: Action,
}

#[derive(Clone, Debug)]
enum Action {
    Connect { request: ConnectRequest, close: Close },
    Send(Payload),
    Expect(Box<Expect>),
    SetVar(VarName, Program),
    SetVarFmt(VarName, Format),
    UnsetVar(VarName),
}

impl Script {
    /// Prepares a script of these lines. Any sequence is a script; the empty one just connects.
    pub fn new(lines: Vec<Step>) -> Self {
        let mut steps = Vec::with_capacity(lines.len() + 1);
        let connects_first =
            matches!(lines.iter().find(|line| !matches!(line, Step::Comment(_))), Some(Step::Connect { .. }));
        if !connects_first {
            let action = Action::Connect { request: ConnectRequest::default(), close: Close::Reset };
            steps.push(Numbered { number: 0, comment: None, action });
        }
        let mut pending: Option<(Arc<str>, Option<std::mem::Discriminant<Action>>)> = None;
        for (line, number) in lines.into_iter().zip(1..) {
            let (action, own) = match line {
                Step::Comment(text) => {
                    pending = Some((text, None));
                    continue;
                }
                Step::Connect { request, linger, comment } => {
                    let close = if linger { Close::Clean } else { Close::Reset };
                    (Action::Connect { request, close }, comment)
                }
                Step::Send { payload, comment } => (Action::Send(payload), comment),
                Step::SetVar(name, program) => (Action::SetVar(name, program), None),
                Step::SetVarFmt(name, format) => (Action::SetVarFmt(name, format), None),
                Step::UnsetVar(name) => (Action::UnsetVar(name), None),
                Step::Expect(expect) => {
                    let comment = expect.comment.clone();
                    (Action::Expect(expect), comment)
                }
            };
            let comment = own.or_else(|| inherit(&mut pending, &action));
            steps.push(Numbered { number, comment, action });
        }
        announce_data(&mut steps);
        Self { steps: steps.into(), unseen: false }
    }

    /// The same, its steps not being named when the server cannot be reached or does not answer.
    #[must_use]
    pub const fn unseen(mut self) -> Self {
        self.unseen = true;
        self
    }
}

/// The comment that covers this step: it holds for the following steps as long as they are of one kind, for one
/// connection only.
fn inherit(
    pending: &mut Option<(Arc<str>, Option<std::mem::Discriminant<Action>>)>,
    action: &Action,
) -> Option<Arc<str>> {
    let kind = std::mem::discriminant(action);
    let (text, seen) = pending.as_mut()?;
    if seen.is_some_and(|seen| seen != kind) {
        *pending = None;
        return None;
    }
    *seen = Some(kind);
    let text = Arc::clone(text);
    if matches!(action, Action::Connect { .. }) {
        *pending = None;
    }
    Some(text)
}

/// Lets every connection know whether anything passes over it.
fn announce_data(steps: &mut [Numbered]) {
    let mut follows = false;
    for step in steps.iter_mut().rev() {
        match &mut step.action {
            Action::Send(_) | Action::Expect(_) => follows = true,
            Action::Connect { request, .. } => request.has_data |= std::mem::take(&mut follows),
            Action::SetVar(..) | Action::SetVarFmt(..) | Action::UnsetVar(_) => {}
        }
    }
}

impl ProbeSpec for Script {
    fn start(&self, target: &Target, now: Instant) -> Box<dyn Dialog> {
        Box::new(ScriptDialog::new(Arc::clone(&self.steps), self.unseen, target.clone(), now))
    }

    fn same_as(&self, other: &dyn ProbeSpec) -> bool {
        other.as_any().downcast_ref::<Self>().is_some_and(|other| {
            self.unseen == other.unseen
                && self.steps.len() == other.steps.len()
                && self.steps.iter().zip(&*other.steps).all(|(a, b)| a.same_as(b))
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Numbered {
    fn same_as(&self, other: &Self) -> bool {
        self.number == other.number
            && self.comment == other.comment
            && match (&self.action, &other.action) {
                (Action::Connect { request: a, close: x }, Action::Connect { request: b, close: y }) => {
                    a == b && x == y
                }
                (Action::Send(a), Action::Send(b)) => a.same_as(b),
                (Action::Expect(a), Action::Expect(b)) => a.same_as(b),
                (Action::UnsetVar(a), Action::UnsetVar(b)) => a == b,
                // Compiled expressions are compared by what they print, which is all their configuration.
                (a @ Action::SetVar(..), b @ Action::SetVar(..))
                | (a @ Action::SetVarFmt(..), b @ Action::SetVarFmt(..)) => {
                    format!("{a:?}") == format!("{b:?}")
                }
                _ => false,
            }
    }
}

impl Payload {
    fn same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Text(a), Self::Text(b)) | (Self::Hex(a), Self::Hex(b)) => a.same_as(&**b),
            _ => false,
        }
    }
}

impl Expect {
    fn same_as(&self, other: &Self) -> bool {
        let plain = |e: &Self| (e.inverse, e.min_recv, e.ok_status, e.error_status, e.timeout_status);
        let template = |a: &Option<Arc<dyn Template>>, b: &Option<Arc<dyn Template>>| match (a, b) {
            (Some(a), Some(b)) => a.same_as(&**b),
            (None, None) => true,
            _ => false,
        };
        plain(self) == plain(other)
            && self.pattern.same_as(&other.pattern)
            && template(&self.on_success, &other.on_success)
            && template(&self.note, &other.note)
            && template(&self.on_error, &other.on_error)
            && template(&self.status_code, &other.status_code)
    }
}

impl Pattern {
    fn same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) | (Self::Binary(a), Self::Binary(b)) => a == b,
            (Self::Regex(a), Self::Regex(b)) | (Self::BinaryRegex(a), Self::BinaryRegex(b)) => {
                a.same_as(&**b)
            }
            (Self::Rendered(a), Self::Rendered(b)) | (Self::RenderedHex(a), Self::RenderedHex(b)) => {
                a.same_as(&**b)
            }
            _ => false,
        }
    }
}
