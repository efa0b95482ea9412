//! What a check expects of the response.

use std::sync::Arc;
use std::time::Instant;

use lb_core::expr::{Program, Regex};
use lb_core::health::{Heard, Scene, Status};
use lb_core::log::Template;

use super::response::Received;
use super::send::Text;
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
    pub on_error: Option<Template>,
    /// Text of a check that ends well with this expectation (`on-success`).
    pub on_success: Option<Template>,
    /// Code of the verdict in place of the status (`status-code`).
    pub status_code: Option<Program>,
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
    Body(Text),
    /// The body matches (`rstring`).
    BodyRegex(Regex),
    /// The whole body has this digest.
    Digest {
        /// Which function.
        of: fn(&[u8]) -> [u8; 16],
        /// What it makes of the body.
        wanted: [u8; 16],
    },
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
    Text(Pattern, Text),
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
    /// The text to compare with, which may depend on the check; `None` for regular expressions.
    fn text(&self, scene: &mut Scene, now: Instant, heard: Heard<'_>) -> Option<Vec<u8>> {
        let Self::Text(_, text) = self else { return None };
        let mut out = Vec::new();
        text.render(scene, now, heard, &mut out);
        Some(out)
    }

    fn matches(&self, bytes: &[u8], text: &[u8], ignore_case: bool) -> bool {
        let pattern = match self {
            Self::Regex(regex) => return regex.is_match(bytes),
            Self::Text(pattern, _) => *pattern,
        };
        let same = |part: &[u8]| if ignore_case { part.eq_ignore_ascii_case(text) } else { *part == *text };
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
            on_success: None,
            status_code: None,
            comment: None,
        }
    }

    /// Judges a response whose head is complete; `last` when nothing more will come.
    pub(super) fn judge(&self, scene: &mut Scene, now: Instant, received: &Received, last: bool) -> Answer {
        let Some(head) = received.head() else { return Answer::Wait };
        let heard = received.heard();
        let matched = match &self.subject {
            Subject::Status(ranges) => ranges.iter().any(|(from, to)| (*from..=*to).contains(&head.status)),
            Subject::StatusRegex(regex) => regex.is_match(head.status.to_string().as_bytes()),
            Subject::Header { name, value, full } => {
                let wanted = Wanted {
                    name,
                    name_text: name.text(scene, now, heard).unwrap_or_default(),
                    value: value.as_ref(),
                    value_text: value.as_ref().and_then(|value| value.text(scene, now, heard)),
                    full: *full,
                };
                wanted.is_in(head)
            }
            Subject::Body(_) | Subject::BodyRegex(_) | Subject::Digest { .. } => {
                let mut text = Vec::new();
                if let Subject::Body(wanted) = &self.subject {
                    wanted.render(scene, now, heard, &mut text);
                }
                return match self.judge_body(received.body(), &text, last) {
                    Answer::Failed(status, info) => {
                        Answer::Failed(status, self.text(scene, now, heard, &info))
                    }
                    other => other,
                };
            }
        };
        if matched != self.inverse {
            return Answer::Matched;
        }
        let reason = String::from_utf8_lossy(head.reason()).into_owned();
        Answer::Failed(Status::L7Status, self.text(scene, now, heard, &reason))
    }

    fn judge_body(&self, body: &[u8], text: &[u8], last: bool) -> Answer {
        if body.is_empty() {
            if !last {
                return Answer::Wait;
            }
            let text = "HTTP content check could not find a response body";
            return Answer::Failed(Status::L7Response, text.to_owned());
        }
        let (matched, too_short) = match &self.subject {
            Subject::Body(_) => (memchr::memmem::find(body, text).is_some(), body.len() < text.len()),
            Subject::BodyRegex(regex) => (regex.is_match(body), false),
            // Only the whole has the digest.
            Subject::Digest { .. } if !last => return Answer::Wait,
            Subject::Digest { of, wanted } => (of(body) == *wanted, false),
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
        Answer::Failed(Status::L7Response, text.to_owned())
    }

    fn text(&self, scene: &mut Scene, now: Instant, heard: Heard<'_>, default: &str) -> String {
        self.on_error
            .as_ref()
            .map_or_else(|| default.to_owned(), |format| rendered(scene, now, heard, format))
    }

    /// What a check says that ends well with this expectation.
    pub(super) fn success(&self, scene: &mut Scene, now: Instant, heard: Heard<'_>) -> String {
        self.on_success.as_ref().map_or_else(String::new, |format| rendered(scene, now, heard, format))
    }

    /// The code of the verdict.
    pub(super) fn code(&self, scene: &mut Scene, now: Instant, received: &Received) -> u32 {
        let own = self
            .status_code
            .as_ref()
            .and_then(|program| scene.with(now, received.heard(), |env| program.eval(env)?.to_int()));
        own.and_then(|code| u32::try_from(code).ok()).unwrap_or_else(|| u32::from(received.status()))
    }

    /// What is said where the response could not be read to its end, in step `number`.
    pub(super) fn unread(&self, number: usize) -> String {
        let what = match &self.subject {
            Subject::Status(_) => "(status codes)".to_owned(),
            Subject::Body(Text::Fixed(text)) => format!(" '{}'", String::from_utf8_lossy(text)),
            Subject::Body(Text::Format(_)) => " (log-format string)".to_owned(),
            Subject::StatusRegex(_) | Subject::BodyRegex(_) => " (regex)".to_owned(),
            Subject::Digest { .. } => " (digest)".to_owned(),
            Subject::Header { .. } => " (header pattern)".to_owned(),
        };
        format!("TCPCHK did not match content{what} at step {number}")
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

fn rendered(scene: &mut Scene, now: Instant, heard: Heard<'_>, format: &Template) -> String {
    let mut out = Vec::new();
    scene.format(format, now, heard, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// A header field that is looked for, its texts made.
struct Wanted<'a> {
    name: &'a Matcher,
    name_text: Vec<u8>,
    value: Option<&'a Matcher>,
    value_text: Option<Vec<u8>>,
    full: bool,
}

impl Wanted<'_> {
    fn is_in(&self, head: &Response) -> bool {
        let value_text = self.value_text.as_deref().unwrap_or_default();
        let mut named = head.fields.iter().filter(|(own, _)| self.name.matches(own, &self.name_text, true));
        named.any(|(_, text)| match self.value {
            None => true,
            Some(value) if self.full => value.matches(text, value_text, false),
            Some(value) => {
                Elements::new(text).any(|(at, end)| value.matches(&text[at..end], value_text, false))
            }
        })
    }
}
