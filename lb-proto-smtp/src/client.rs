//! Handing one mail to a relay, without a socket.
//!
//! > After every `handle_*` call, send what [`Delivery::poll_output`] gives until it returns `None`, then stop if there is
//! > an [`outcome`](Delivery::outcome), else arm a timer at [`Delivery::poll_timeout`].
//!
//! The conversation is greeting, HELO or EHLO, MAIL, one RCPT per recipient, DATA, the text, QUIT. A recipient that is
//! refused does not keep the mail from the others.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use thiserror::Error;

use crate::command::Command;
use crate::mail::Mail;
use crate::reply::{Reply, ReplyError, ReplyParser};

/// How the relay is talked to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manner {
    /// The name given in HELO or EHLO.
    pub name: String,
    /// EHLO instead of HELO.
    pub extended: bool,
    /// How long to wait for each answer.
    pub patience: Duration,
}

impl Default for Manner {
    fn default() -> Self {
        Self { name: "localhost".to_owned(), extended: false, patience: Duration::from_secs(30) }
    }
}

/// Where a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Waiting for the greeting.
    Greeting,
    /// Waiting for the answer to HELO or EHLO.
    Hello,
    /// Waiting for the answer to MAIL.
    Mail,
    /// Waiting for the answer to the RCPT of this recipient, counted from 0.
    Rcpt(usize),
    /// Waiting for the answer to DATA.
    Data,
    /// Waiting for the answer to the text.
    Text,
    /// The relay has the mail; waiting for the answer to QUIT.
    Quit,
}

/// The relay has taken the mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivered {
    /// Recipients that were refused, with the answers.
    pub refused: Vec<(String, Reply)>,
}

/// The relay has not taken the mail.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// There is nobody to send it to.
    #[error("the mail has no recipients")]
    NoRecipients,
    /// The relay refused.
    #[error("refused at {step:?}: {reply}")]
    Refused {
        /// What was refused.
        step: Step,
        /// How.
        reply: Reply,
    },
    /// The relay does not speak SMTP.
    #[error("bad answer at {step:?}")]
    Answer {
        /// Where.
        step: Step,
        /// Why it is bad.
        #[source]
        error: ReplyError,
    },
    /// The relay closed the connection.
    #[error("connection closed at {0:?}")]
    Closed(Step),
    /// The relay did not answer in time.
    #[error("no answer at {0:?}")]
    Timeout(Step),
}

/// The delivery of one mail over one connection.
#[derive(Debug)]
pub struct Delivery {
    manner: Manner,
    from: String,
    to: Vec<String>,
    text: String,
    step: Step,
    replies: ReplyParser,
    refused: Vec<(String, Reply)>,
    output: VecDeque<Bytes>,
    deadline: Instant,
    outcome: Option<Result<Delivered, DeliveryError>>,
}

impl Delivery {
    /// The delivery of `mail` over a connection established at `now`.
    pub fn new(mail: &Mail, manner: Manner, now: Instant) -> Self {
        let outcome = mail.to.is_empty().then_some(Err(DeliveryError::NoRecipients));
        let deadline = now + manner.patience;
        Self {
            manner,
            from: mail.from.clone(),
            to: mail.to.clone(),
            text: stuff(&mail.content()),
            step: Step::Greeting,
            replies: ReplyParser::new(),
            refused: Vec::new(),
            output: VecDeque::new(),
            deadline,
            outcome,
        }
    }

    /// Takes bytes of the relay.
    pub fn handle_input(&mut self, now: Instant, mut bytes: &[u8]) {
        while self.outcome.is_none() && !bytes.is_empty() {
            match self.replies.feed(bytes) {
                Ok((taken, reply)) => {
                    bytes = &bytes[taken..];
                    if let Some(reply) = reply {
                        self.deadline = now + self.manner.patience;
                        self.answered(reply);
                    }
                }
                Err(error) => self.fail(DeliveryError::Answer { step: self.step, error }),
            }
        }
    }

    /// The relay closed the connection.
    pub fn handle_end(&mut self) {
        self.fail(DeliveryError::Closed(self.step));
    }

    /// The instant of [`poll_timeout`](Self::poll_timeout) has passed. Calling early is harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        if now >= self.deadline {
            self.fail(DeliveryError::Timeout(self.step));
        }
    }

    /// The next bytes to send. The answer changes with every call and after every `handle_*`.
    pub fn poll_output(&mut self) -> Option<Bytes> {
        self.output.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due. The answer changes only after a `handle_*` call.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.outcome.is_none().then_some(self.deadline)
    }

    /// How it ended; the connection is to be closed then. It never changes afterwards.
    pub fn outcome(&self) -> Option<&Result<Delivered, DeliveryError>> {
        self.outcome.as_ref()
    }

    fn answered(&mut self, reply: Reply) {
        match self.step {
            Step::Greeting if reply.code() == 220 => {
                let name = self.manner.name.clone();
                let hello = if self.manner.extended { Command::Ehlo(name) } else { Command::Helo(name) };
                self.send(&hello, Step::Hello);
            }
            Step::Hello if reply.is_completion() => {
                let mail = Command::Mail(self.from.clone(), String::new());
                self.send(&mail, Step::Mail);
            }
            Step::Mail if reply.is_completion() => self.recipient(0),
            Step::Rcpt(index) => {
                if !reply.is_completion() {
                    self.refused.push((self.to[index].clone(), reply.clone()));
                }
                if index + 1 < self.to.len() {
                    self.recipient(index + 1);
                } else if self.refused.len() == self.to.len() {
                    self.refuse(reply);
                } else {
                    self.send(&Command::Data, Step::Data);
                }
            }
            Step::Data if reply.is_intermediate() => {
                self.output.push_back(Bytes::from(std::mem::take(&mut self.text)));
                self.step = Step::Text;
            }
            Step::Text if reply.is_completion() => self.send(&Command::Quit, Step::Quit),
            // The mail is the relay's now, whatever it says to a farewell.
            Step::Quit => self.succeed(),
            _ => self.refuse(reply),
        }
    }

    fn recipient(&mut self, index: usize) {
        let command = Command::Rcpt(self.to[index].clone(), String::new());
        self.send(&command, Step::Rcpt(index));
    }

    fn send(&mut self, command: &Command, next: Step) {
        self.output.push_back(Bytes::from(format!("{command}\r\n")));
        self.step = next;
    }

    fn refuse(&mut self, reply: Reply) {
        self.output.push_back(Bytes::from_static(b"QUIT\r\n"));
        self.outcome = Some(Err(DeliveryError::Refused { step: self.step, reply }));
    }

    fn fail(&mut self, error: DeliveryError) {
        if self.outcome.is_some() {
            return;
        }
        if self.step == Step::Quit {
            return self.succeed();
        }
        self.outcome = Some(Err(error));
    }

    fn succeed(&mut self) {
        self.outcome = Some(Ok(Delivered { refused: std::mem::take(&mut self.refused) }));
    }
}

/// Doubles dots at the start of lines and adds the line that ends the text. RFC 5321 §4.5.2.
fn stuff(content: &str) -> String {
    let mut out = String::with_capacity(content.len() + 8);
    for line in content.split_inclusive("\r\n") {
        if line.starts_with('.') {
            out.push('.');
        }
        out.push_str(line);
    }
    if !out.is_empty() && !out.ends_with("\r\n") {
        out.push_str("\r\n");
    }
    out.push_str(".\r\n");
    out
}
