//! The server's side of a session, without a socket: enough to take mails, for demonstrations and tests.
//!
//! > After every `handle_*` call, carry out what [`Server::poll_output`] gives until it returns `None`.
//!
//! What a client can make the server keep is bounded by [`Limits`].

use std::collections::VecDeque;

use bytes::Bytes;

use crate::command::{Command, CommandError};

/// Longest line of a mail's text. RFC 5321 §4.5.3.1.6 asks for 1000, programs write longer ones.
const TEXT_LINE: usize = 64 * 1024;

/// Bounds of a session.
#[expect(clippy::exhaustive_structs, reason = "plain data")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest line of a command, RFC 5321 §4.5.3.1.4 asks for 512.
    pub line: usize,
    /// Largest mail.
    pub message: usize,
    /// Most recipients of one mail.
    pub recipients: usize,
    /// Most mistakes before the session is ended.
    pub errors: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { line: 1024, message: 1 << 20, recipients: 100, errors: 20 }
    }
}

/// A mail taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// The sender; empty for a bounce.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
    /// The text, dots no longer doubled.
    pub content: Vec<u8>,
}

impl Received {
    /// The first value of a header, without the blanks around it.
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.content.split(|byte| *byte == b'\n').take_while(|line| !line.trim_ascii().is_empty());
        head.filter_map(|line| std::str::from_utf8(line).ok()?.split_once(':'))
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
    }
}

/// What the driver is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Send these bytes.
    Send(Bytes),
    /// A mail arrived; it is acknowledged by the output that follows.
    Mail(Received),
    /// Close the connection.
    Close,
}

/// One session.
#[derive(Debug)]
pub struct Server {
    name: String,
    limits: Limits,
    line: Vec<u8>,
    /// The line being read is longer than allowed; the rest of it is skipped.
    overlong: bool,
    greeted: bool,
    from: Option<String>,
    to: Vec<String>,
    /// The text being read.
    data: Option<Data>,
    errors: u32,
    closed: bool,
    output: VecDeque<Output>,
}

#[derive(Debug, Default)]
struct Data {
    content: Vec<u8>,
    too_large: bool,
}

impl Server {
    /// A session of the server called `name`. The greeting is waiting to be sent.
    pub fn new(name: &str, limits: Limits) -> Self {
        let mut server = Self {
            name: name.replace(['\r', '\n'], ""),
            limits,
            line: Vec::new(),
            overlong: false,
            greeted: false,
            from: None,
            to: Vec::new(),
            data: None,
            errors: 0,
            closed: false,
            output: VecDeque::new(),
        };
        let greeting = format!("220 {} ESMTP ready\r\n", server.name);
        server.output.push_back(Output::Send(greeting.into()));
        server
    }

    /// A session that only says that nobody can serve the client now. RFC 5321 §3.8.
    pub fn unavailable(name: &str) -> Self {
        let mut server = Self::new(name, Limits::default());
        server.output.clear();
        server.reply("421 Service not available, closing transmission channel");
        server.close();
        server
    }

    /// Takes bytes of the client.
    pub fn handle_input(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.closed {
                return;
            }
            let room = self.room().saturating_sub(self.line.len());
            self.overlong |= part.len() > room;
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                let overlong = std::mem::take(&mut self.overlong);
                match self.data.take() {
                    Some(data) => self.take_text(data, &line, overlong),
                    None if overlong => self.mistake("500 Line too long"),
                    None => self.take_command(line.strip_suffix(b"\n").unwrap_or(&line)),
                }
            }
        }
    }

    /// The next thing to do. The answer changes with every call and after every `handle_*`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.output.pop_front()
    }

    /// Whether the session is over.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Most bytes a line may have at this point.
    fn room(&self) -> usize {
        if self.data.is_some() { self.limits.message.min(TEXT_LINE) } else { self.limits.line }
    }

    fn take_command(&mut self, line: &[u8]) {
        match Command::parse(line.strip_suffix(b"\r").unwrap_or(line)) {
            Ok(command) => self.obey(command),
            Err(CommandError::Unknown) => self.mistake("500 Unknown command"),
            Err(_) => self.mistake("501 Wrong argument"),
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Helo(_) => {
                self.start_over();
                let reply = format!("250 {}", self.name);
                self.reply(&reply);
            }
            Command::Ehlo(_) => {
                self.start_over();
                let (name, size) = (&self.name, self.limits.message);
                let reply = format!("250-{name}\r\n250-8BITMIME\r\n250-PIPELINING\r\n250 SIZE {size}");
                self.reply(&reply);
            }
            Command::Mail(..) if !self.greeted => self.mistake("503 Say HELO first"),
            Command::Mail(..) if self.from.is_some() => self.mistake("503 One sender only"),
            Command::Mail(from, _) => {
                self.from = Some(from);
                self.reply("250 Ok");
            }
            Command::Rcpt(..) if self.from.is_none() => self.mistake("503 Say MAIL first"),
            Command::Rcpt(..) if self.to.len() >= self.limits.recipients => {
                self.reply("452 Too many recipients")
            }
            Command::Rcpt(to, _) => {
                self.to.push(to);
                self.reply("250 Ok");
            }
            Command::Data if self.to.is_empty() => self.mistake("503 Say RCPT first"),
            Command::Data => {
                self.data = Some(Data::default());
                self.reply("354 End data with <CR><LF>.<CR><LF>");
            }
            Command::Rset => {
                self.forget();
                self.reply("250 Ok");
            }
            Command::Noop => self.reply("250 Ok"),
            Command::Vrfy(_) => self.reply("252 Cannot verify, but will take mail"),
            Command::Help => self.reply("214 HELO EHLO MAIL RCPT DATA RSET NOOP QUIT"),
            Command::StartTls => self.mistake("502 Not implemented"),
            Command::Quit => {
                let reply = format!("221 {} closing connection", self.name);
                self.reply(&reply);
                self.close();
            }
        }
    }

    /// Takes a line of the text. Only `<CR><LF>.<CR><LF>` ends it: a bare line feed before the dot must not, or a mail
    /// could smuggle in another one past a relay that reads it differently.
    fn take_text(&mut self, mut data: Data, line: &[u8], overlong: bool) {
        let ends = line == b".\r\n" && (data.content.is_empty() || data.content.ends_with(b"\r\n"));
        if ends && !overlong {
            return self.take_mail(data);
        }
        let line = line.strip_prefix(b".").unwrap_or(line);
        data.too_large |= overlong || data.content.len() + line.len() > self.limits.message;
        if data.too_large {
            // Only the end of the line matters any more.
            data.content.clear();
            if line.ends_with(b"\r\n") || overlong {
                data.content.extend_from_slice(b"\r\n");
            } else {
                data.content.push(b'\n');
            }
        } else {
            data.content.extend_from_slice(line);
        }
        self.data = Some(data);
    }

    fn take_mail(&mut self, data: Data) {
        let mail = Received {
            from: self.from.take().unwrap_or_default(),
            to: std::mem::take(&mut self.to),
            content: data.content,
        };
        if data.too_large {
            self.reply("552 Mail too large");
        } else {
            self.output.push_back(Output::Mail(mail));
            self.reply("250 Ok");
        }
    }

    fn start_over(&mut self) {
        self.greeted = true;
        self.forget();
    }

    fn forget(&mut self) {
        self.from = None;
        self.to.clear();
    }

    fn reply(&mut self, text: &str) {
        self.output.push_back(Output::Send(format!("{text}\r\n").into()));
    }

    fn mistake(&mut self, text: &str) {
        self.errors += 1;
        if self.errors > self.limits.errors {
            self.reply("421 Too many errors, closing transmission channel");
            self.close();
        } else {
            self.reply(text);
        }
    }

    fn close(&mut self) {
        self.closed = true;
        self.output.push_back(Output::Close);
    }
}
