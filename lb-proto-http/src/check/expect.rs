//! What a check expects of the response.

use std::sync::Arc;

use lb_core::expr::Regex;
use lb_core::health::Status;

use super::response::Received;
use crate::h1::Elements;
use crate::head::Response;

/// `http-check expect`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Expect {
    /// What is looked at and how.
    pub subject: Subject,
    /// It must not match (`!`).
    pub inverse: bool,
    /// Judge a body only from so many bytes on (`min-recv`); a mismatch is final then.
    pub min_recv: Option<usize>,
    /// Result when it matches (`ok-status`).
    pub ok_status: Option<Status>,
    /// Result when it does not (`error-status`).
    pub error_status: Option<Status>,
    /// Result when there is no answer in time (`tout-status`).
    pub timeout_status: Option<Status>,
    /// Text of a failure in place of the built-in one (`on-error`).
    pub on_error: Option<Arc<str>>,
    /// Appended to error messages (`comment`).
    pub comment: Option<Arc<str>>,
}

/// What is compared.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "the kinds of the configuration")]
pub enum Subject {
    /// The status is in one of these ranges, both ends included (`status`).
    Status(Vec<(u16, u16)>),
    /// The status matches (`rstatus`).
    StatusRegex(Regex),
    /// The body contains this (`string`).
    Body(Arc<[u8]>),
    /// The body matches (`rstring`).
    BodyRegex(Regex),
    /// A header field (`hdr`, `fhdr`).
    Header {
        /// Its name.
        name: Matcher,
        /// Its value; any when unset.
        value: Option<Matcher>,
        /// Compare whole values instead of their comma-separated elements (`fhdr`).
        full: bool,
    },
}

/// How a name or value is compared.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "the kinds of the configuration")]
pub enum Matcher {
    /// With this text.
    Text(Pattern, Arc<[u8]>),
    /// With this expression (`-m reg`).
    Regex(Regex),
}

/// Where the text must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the kinds of the configuration")]
pub enum Pattern {
    /// It is all there is (`-m str`).
    Whole,
    /// At the beginning (`-m beg`).
    Begin,
    /// At the end (`-m end`).
    End,
    /// Anywhere (`-m sub`).
    Inside,
}

impl Matcher {
    fn matches(&self, bytes: &[u8], ignore_case: bool) -> bool {
        let (pattern, text) = match self {
            Self::Regex(regex) => return regex.is_match(bytes),
            Self::Text(pattern, text) => (*pattern, text),
        };
        let same = |part: &[u8]| if ignore_case { part.eq_ignore_ascii_case(text) } else { *part == **text };
        let len = text.len();
        match pattern {
            Pattern::Whole => same(bytes),
            Pattern::Begin => bytes.len() >= len && same(&bytes[..len]),
            Pattern::End => bytes.len() >= len && same(&bytes[bytes.len() - len..]),
            Pattern::Inside => len == 0 || bytes.windows(len).any(same),
        }
    }
}

/// What an expectation makes of a response.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Wait,
    Matched,
    /// The status unless configured otherwise, and the text.
    Failed(Status, String),
}

impl Expect {
    /// An expectation without options.
    pub const fn new(subject: Subject) -> Self {
        Self {
            subject,
            inverse: false,
            min_recv: None,
            ok_status: None,
            error_status: None,
            timeout_status: None,
            on_error: None,
            comment: None,
        }
    }

    /// Judges a response whose head is complete; `last` when nothing more will come.
    pub(super) fn judge(&self, received: &Received, last: bool) -> Answer {
        let Some(head) = received.head() else { return Answer::Wait };
        let matched = match &self.subject {
            Subject::Status(ranges) => ranges.iter().any(|(from, to)| (*from..=*to).contains(&head.status)),
            Subject::StatusRegex(regex) => regex.is_match(head.status.to_string().as_bytes()),
            Subject::Header { name, value, full } => header_matches(head, name, value.as_ref(), *full),
            Subject::Body(_) | Subject::BodyRegex(_) => return self.judge_body(received.body(), last),
        };
        if matched != self.inverse {
            return Answer::Matched;
        }
        let reason = String::from_utf8_lossy(head.reason()).into_owned();
        Answer::Failed(Status::L7Status, self.text(&reason))
    }

    fn judge_body(&self, body: &[u8], last: bool) -> Answer {
        if body.is_empty() {
            if !last {
                return Answer::Wait;
            }
            let text = self.text("HTTP content check could not find a response body");
            return Answer::Failed(Status::L7Response, text);
        }
        let (matched, too_short) = match &self.subject {
            Subject::Body(text) => (memchr::memmem::find(body, text).is_some(), body.len() < text.len()),
            Subject::BodyRegex(regex) => (regex.is_match(body), false),
            _ => return Answer::Wait,
        };
        let too_short = too_short || self.min_recv.is_some_and(|min| body.len() < min);
        if !last && (too_short || (!matched && self.min_recv.is_none())) {
            return Answer::Wait;
        }
        if matched != self.inverse {
            return Answer::Matched;
        }
        let text = if self.inverse {
            "HTTP check matched unwanted content"
        } else {
            "HTTP content check did not match"
        };
        Answer::Failed(Status::L7Response, self.text(text))
    }

    fn text(&self, default: &str) -> String {
        self.on_error.as_deref().unwrap_or(default).to_owned()
    }

    /// Adds the comment, if there is one.
    pub(super) fn commented(&self, text: String) -> String {
        match &self.comment {
            Some(comment) => format!("{text} comment: {comment}"),
            None => text,
        }
    }
}

impl Default for Expect {
    /// Every status that means success or redirection.
    fn default() -> Self {
        Self::new(Subject::Status(vec![(200, 399)]))
    }
}

fn header_matches(head: &Response, name: &Matcher, value: Option<&Matcher>, full: bool) -> bool {
    head.fields.iter().filter(|(own, _)| name.matches(own, true)).any(|(_, text)| match value {
        None => true,
        Some(value) if full => value.matches(text, false),
        Some(value) => Elements::new(text).any(|(at, end)| value.matches(&text[at..end], false)),
    })
}
