//! Replies of a server: an incremental parser for one or several lines with the same code (RFC 5321 §4.2).
//!
//! The parser takes bytes as they come and hands out whole replies. What it keeps is bounded by [`MAX_LINE`],
//! [`MAX_LINES`] and [`MAX_REPLY`]; a peer that exceeds them, or that does not speak SMTP, gets a [`ReplyError`].

use std::fmt;

use thiserror::Error;

/// Longest accepted line of a reply, line end included. RFC 5321 §4.5.3.1.5 allows 512 and asks to accept more.
pub const MAX_LINE: usize = 2048;
/// Most lines in one reply; an EHLO answer of a busy server has some twenty.
pub const MAX_LINES: usize = 128;
/// Most bytes in one reply.
pub const MAX_REPLY: usize = 16 * 1024;

/// Why bytes were not taken as a reply.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// A line did not end within [`MAX_LINE`] bytes.
    #[error("reply line longer than {MAX_LINE} bytes")]
    LineTooLong,
    /// The reply had more than [`MAX_LINES`] lines or [`MAX_REPLY`] bytes.
    #[error("reply too long")]
    TooLong,
    /// A line did not start with three digits, the first of them 2 to 5, and a blank, a dash or nothing.
    #[error("not an SMTP reply: {0:?}")]
    NotAReply(String),
    /// The lines of one reply carried different codes.
    #[error("reply code changed from {0} to {1} within one reply")]
    CodeChanged(u16, u16),
}

/// A complete reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    lines: Vec<Box<[u8]>>,
}

impl Reply {
    /// The three-digit code.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// Whether the command succeeded (2xx).
    pub fn is_completion(&self) -> bool {
        self.code / 100 == 2
    }

    /// Whether the server waits for more (3xx, the answer to DATA).
    pub fn is_intermediate(&self) -> bool {
        self.code / 100 == 3
    }

    /// Whether the failure is transient, so that the command may be tried again (4xx).
    pub fn is_transient_failure(&self) -> bool {
        self.code / 100 == 4
    }

    /// The text of every line, without code and line end.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.lines.iter().map(|line| &**line)
    }

    /// The text of the first line; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        self.lines.first().map_or_else(String::new, |line| String::from_utf8_lossy(line).into_owned())
    }

    /// Whether an EHLO answer names this extension (`STARTTLS`, `8BITMIME`); case does not matter.
    pub fn offers(&self, extension: &str) -> bool {
        self.lines.iter().skip(1).any(|line| {
            let word = line.split(|byte| matches!(byte, b' ' | b'=')).next().unwrap_or_default();
            word.eq_ignore_ascii_case(extension.as_bytes())
        })
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text())
    }
}

/// Collects bytes into replies.
#[derive(Clone, Debug, Default)]
pub struct ReplyParser {
    line: Vec<u8>,
    code: Option<u16>,
    lines: Vec<Box<[u8]>>,
    size: usize,
}

impl ReplyParser {
    /// A parser at the start of a reply.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes up to the end of the current reply.
    ///
    /// Returns how many were taken and the reply if they completed it; call again with the rest, until nothing is left.
    /// After an error the stream has no meaning any more and the connection should be closed.
    pub fn feed(&mut self, input: &[u8]) -> Result<(usize, Option<Reply>), ReplyError> {
        let mut taken = 0;
        while let Some(rest) = input.get(taken..).filter(|rest| !rest.is_empty()) {
            let end = memchr(rest);
            let part = &rest[..end.unwrap_or(rest.len())];
            if self.line.len() + part.len() >= MAX_LINE {
                return Err(ReplyError::LineTooLong);
            }
            self.line.extend_from_slice(part);
            taken += part.len();
            if end.is_some() {
                taken += 1;
                if let Some(reply) = self.end_of_line()? {
                    return Ok((taken, Some(reply)));
                }
            }
        }
        Ok((taken, None))
    }

    /// Whether part of a reply has arrived.
    pub fn is_started(&self) -> bool {
        !self.line.is_empty() || self.code.is_some()
    }

    fn end_of_line(&mut self) -> Result<Option<Reply>, ReplyError> {
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        self.size += self.line.len();
        if self.size > MAX_REPLY || self.lines.len() == MAX_LINES {
            return Err(ReplyError::TooLong);
        }
        let Some((code, last)) = line_head(&self.line) else {
            let start = &self.line[..self.line.len().min(80)];
            return Err(ReplyError::NotAReply(String::from_utf8_lossy(start).into_owned()));
        };
        if let Some(first) = self.code.filter(|first| *first != code) {
            return Err(ReplyError::CodeChanged(first, code));
        }
        self.code = Some(code);
        self.lines.push(self.line.get(4..).unwrap_or_default().into());
        self.line.clear();
        if !last {
            return Ok(None);
        }
        self.size = 0;
        self.code = None;
        Ok(Some(Reply { code, lines: std::mem::take(&mut self.lines) }))
    }
}

fn memchr(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n')
}

/// Code of a line and whether it is the last one of its reply.
fn line_head(line: &[u8]) -> Option<(u16, bool)> {
    let [hundreds @ b'2'..=b'5', tens @ b'0'..=b'9', ones @ b'0'..=b'9', rest @ ..] = line else {
        return None;
    };
    let code = [hundreds, tens, ones].iter().fold(0, |code, digit| code * 10 + u16::from(**digit - b'0'));
    match rest.first() {
        None | Some(b' ') => Some((code, true)),
        Some(b'-') => Some((code, false)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8], step: usize) -> Result<Vec<Reply>, ReplyError> {
        let mut parser = ReplyParser::new();
        let mut replies = Vec::new();
        for mut part in input.chunks(step) {
            while !part.is_empty() {
                let (taken, reply) = parser.feed(part)?;
                part = &part[taken..];
                replies.extend(reply);
            }
        }
        Ok(replies)
    }

    #[test]
    fn several_lines_make_one_reply_wherever_they_are_cut() {
        let text = b"220 ready\r\n250-mail.example\r\n250-SIZE 1000\r\n250 STARTTLS\r\n221\r\n";
        for step in 1..text.len() {
            let replies = all(text, step).unwrap();
            assert_eq!(replies.iter().map(Reply::code).collect::<Vec<_>>(), [220, 250, 221]);
            assert_eq!(replies[1].lines().len(), 3);
            assert_eq!(replies[1].text(), "mail.example");
            assert!(replies[1].offers("starttls") && replies[1].offers("SIZE"));
            assert!(!replies[1].offers("mail.example"), "the first line is a greeting");
            assert_eq!(replies[2].text(), "");
        }
    }

    #[test]
    fn bare_line_feeds_are_accepted() {
        assert_eq!(all(b"220 ready\n250-a\n250 b\n", 3).unwrap().len(), 2);
    }

    #[test]
    fn what_is_not_a_reply_is_refused_with_its_reason() {
        let not = |text: &[u8]| matches!(all(text, 7), Err(ReplyError::NotAReply(_)));
        assert!(not(b"SSH-2.0-x\r\n"));
        assert!(not(b"\r\n"));
        assert!(not(b"22\r\n"));
        assert!(not(b"2200 x\r\n"));
        assert!(not(b"120 x\r\n"));
        assert!(not(b"620 x\r\n"));
        assert_eq!(all(b"250-a\r\n251 b\r\n", 4), Err(ReplyError::CodeChanged(250, 251)));
    }

    #[test]
    fn endless_lines_and_replies_are_cut_off() {
        assert_eq!(all(&[b'2'; MAX_LINE], 100), Err(ReplyError::LineTooLong));
        assert_eq!(all(&b"250-\r\n".repeat(MAX_LINES + 1), 64), Err(ReplyError::TooLong));
        let long = [&b"250-"[..], &[b'x'; 1000], b"\r\n"].concat();
        assert_eq!(all(&long.repeat(20), 64), Err(ReplyError::TooLong));
    }
}
