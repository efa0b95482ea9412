//! Entry points for fuzzing: each takes any bytes and must return.
//!
//! Not part of the interface; `fuzz/` and the tests that replay its corpora call these.

use crate::reply::ReplyParser;
use crate::server::{Limits, Output, Server};

/// Reads replies; where the bytes are cut must not matter.
pub fn smtp_reply(data: &[u8]) {
    let whole = replies(data, usize::MAX);
    assert_eq!(whole, replies(data, 1), "the cut matters");
}

/// Runs a server session; what it keeps must stay bounded.
pub fn smtp_server(data: &[u8]) {
    let limits = Limits { line: 64, message: 256, recipients: 3, errors: 5 };
    let mut server = Server::new("fuzz", limits);
    for part in data.chunks(7) {
        server.handle_input(part);
        while let Some(output) = server.poll_output() {
            if let Output::Mail(mail) = output {
                assert!(mail.content.len() <= limits.message && mail.to.len() <= limits.recipients);
            }
        }
    }
}

fn replies(data: &[u8], step: usize) -> (Vec<String>, bool) {
    let (mut parser, mut seen) = (ReplyParser::new(), Vec::new());
    for mut part in data.chunks(step) {
        while !part.is_empty() {
            let Ok((taken, reply)) = parser.feed(part) else {
                return (seen, true);
            };
            part = &part[taken..];
            seen.extend(reply.map(|reply| reply.to_string()));
        }
    }
    (seen, false)
}
