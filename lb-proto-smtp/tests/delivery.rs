//! Client against server, both without sockets, with the bytes between them cut anywhere.

use std::time::{Duration, Instant};

use lb_proto_smtp::client::{Delivered, Delivery, DeliveryError, Manner, Step};
use lb_proto_smtp::fuzzing;
use lb_proto_smtp::mail::Mail;
use lb_proto_smtp::server::{Limits, Output, Received, Server};
use proptest::prelude::*;

#[expect(clippy::disallowed_methods, reason = "any instant will do as the origin of virtual time")]
fn origin() -> Instant {
    Instant::now()
}

fn mail(body: &str) -> Mail {
    let to = ["a@example.com".to_owned(), "b@example.com".to_owned()];
    Mail::keepalived("lb@example.com", &to, "subject", body, Duration::ZERO)
}

/// Runs a delivery to the end, moving `step` bytes at a time in both directions.
fn deliver(mail: &Mail, limits: Limits, step: usize) -> (Result<Delivered, DeliveryError>, Vec<Received>) {
    let now = origin();
    let (mut client, mut server) = (Delivery::new(mail, Manner::default(), now), Server::new("sink", limits));
    let mut received = Vec::new();
    for _ in 0..1000 {
        while let Some(output) = server.poll_output() {
            match output {
                Output::Send(bytes) => bytes.chunks(step).for_each(|part| client.handle_input(now, part)),
                Output::Mail(mail) => received.push(mail),
                _ => client.handle_end(),
            }
        }
        if let Some(outcome) = client.outcome() {
            return (outcome.clone(), received);
        }
        while let Some(bytes) = client.poll_output() {
            bytes.chunks(step).for_each(|part| server.handle_input(part));
        }
    }
    panic!("the conversation does not end");
}

#[test]
fn a_mail_arrives_as_it_was_written_wherever_it_is_cut() {
    let mail = mail("one\n.two\n..\n.\nlast");
    for step in [1, 2, 3, 7, 1000] {
        let (outcome, received) = deliver(&mail, Limits::default(), step);
        assert_eq!(outcome, Ok(Delivered::default()));
        assert_eq!(received.len(), 1);
        assert_eq!(received[0].from, "lb@example.com");
        assert_eq!(received[0].to, ["a@example.com", "b@example.com"]);
        assert_eq!(String::from_utf8_lossy(&received[0].content), mail.content());
        assert_eq!(received[0].header("x-mailer").as_deref(), Some("Keepalived"));
        assert_eq!(received[0].header("last"), None, "the text is no header");
    }
}

#[test]
fn a_refused_recipient_does_not_keep_the_mail_from_the_others() {
    let (outcome, received) = deliver(&mail("x"), Limits { recipients: 1, ..Limits::default() }, 5);
    let delivered = outcome.expect("one recipient is left");
    assert_eq!(delivered.refused.len(), 1);
    assert_eq!((&*delivered.refused[0].0, delivered.refused[0].1.code()), ("b@example.com", 452));
    assert_eq!(received[0].to, ["a@example.com"]);
}

#[test]
fn without_any_recipient_nothing_is_sent() {
    let (outcome, received) = deliver(&mail("x"), Limits { recipients: 0, ..Limits::default() }, 5);
    assert!(matches!(outcome, Err(DeliveryError::Refused { step: Step::Rcpt(1), .. })), "{outcome:?}");
    assert!(received.is_empty());
    let nobody = Mail::keepalived("a", &[], "s", "b", Duration::ZERO);
    assert_eq!(deliver(&nobody, Limits::default(), 5).0, Err(DeliveryError::NoRecipients));
}

#[test]
fn a_mail_that_is_too_large_is_refused_whole() {
    let limits = Limits { message: 300, ..Limits::default() };
    let (outcome, received) = deliver(&mail(&"x".repeat(500)), limits, 50);
    assert!(matches!(outcome, Err(DeliveryError::Refused { step: Step::Text, .. })), "{outcome:?}");
    assert!(received.is_empty());
}

/// What the client sends and how it ends when a relay answers with these lines.
fn scripted(answers: &[&str]) -> (String, Option<Result<Delivered, DeliveryError>>) {
    let now = origin();
    let mut client = Delivery::new(&mail("x"), Manner::default(), now);
    let mut sent = String::new();
    for answer in answers {
        client.handle_input(now, format!("{answer}\r\n").as_bytes());
        while let Some(bytes) = client.poll_output() {
            sent.push_str(std::str::from_utf8(&bytes).expect("commands are text"));
        }
    }
    (sent, client.outcome().cloned())
}

#[test]
fn refusals_name_the_step() {
    let refused = |answers: &[&str]| match scripted(answers) {
        (sent, Some(Err(DeliveryError::Refused { step, reply }))) => {
            (step, reply.code(), sent.ends_with("QUIT\r\n"))
        }
        (_, other) => panic!("{other:?}"),
    };
    assert_eq!(refused(&["554 no"]), (Step::Greeting, 554, true));
    assert_eq!(refused(&["220 hi", "500 no"]), (Step::Hello, 500, true));
    assert_eq!(refused(&["220 hi", "250 ok", "550 no"]), (Step::Mail, 550, true));
    assert_eq!(
        refused(&["220 hi", "250 ok", "250 ok", "250 ok", "250 ok", "250 what"]),
        (Step::Data, 250, true)
    );
}

#[test]
fn a_relay_that_breaks_off_or_is_silent_is_told_apart() {
    let now = origin();
    let mut client = Delivery::new(&mail("x"), Manner::default(), now);
    let due = client.poll_timeout().expect("a delivery in progress has a deadline");
    client.handle_timeout(now);
    assert_eq!(client.outcome(), None, "calling early is harmless");
    client.handle_timeout(due);
    assert_eq!(client.outcome(), Some(&Err(DeliveryError::Timeout(Step::Greeting))));
    let mut client = Delivery::new(&mail("x"), Manner::default(), now);
    client.handle_input(now, b"220 hi\r\n");
    client.handle_end();
    assert_eq!(client.outcome(), Some(&Err(DeliveryError::Closed(Step::Hello))));
    let mut client = Delivery::new(&mail("x"), Manner::default(), now);
    client.handle_input(now, b"SSH-2.0\r\n");
    assert!(matches!(client.outcome(), Some(Err(DeliveryError::Answer { step: Step::Greeting, .. }))));
}

#[test]
fn once_the_relay_has_the_mail_its_farewell_does_not_matter() {
    let ok = ["220 hi", "250 a", "250 b", "250 c", "250 d", "354 e", "250 f"];
    let (sent, outcome) = scripted(&ok);
    assert!(sent.ends_with("\r\n.\r\nQUIT\r\n") && outcome.is_none());
    let (_, outcome) = scripted(&[&ok[..], &["500 what"]].concat());
    assert_eq!(outcome, Some(Ok(Delivered::default())));
}

/// The answers of a server to these bytes, each by its code.
fn codes(input: &[u8], limits: Limits) -> (Vec<u16>, Vec<Received>) {
    let mut server = Server::new("s", limits);
    let (mut codes, mut mails) = (Vec::new(), Vec::new());
    server.handle_input(input);
    while let Some(output) = server.poll_output() {
        match output {
            Output::Send(bytes) => {
                let last = bytes.split(|byte| *byte == b'\n').rev().nth(1).expect("a line");
                codes.push(String::from_utf8_lossy(&last[..3]).parse().expect("a code"));
            }
            Output::Mail(mail) => mails.push(mail),
            _ => codes.push(0),
        }
    }
    (codes, mails)
}

#[test]
fn commands_out_of_order_are_refused() {
    let input =
        b"MAIL FROM:<a>\r\nHELO x\r\nRCPT TO:<b>\r\nDATA\r\nMAIL FROM:<a>\r\nMAIL FROM:<a>\r\nRSET\r\n\
                  RCPT TO:<b>\r\nNOOP\r\nVRFY x\r\nHELP\r\nSTARTTLS\r\nFOO\r\nEHLO y\r\nQUIT\r\nNOOP\r\n";
    let (codes, _) = codes(input, Limits::default());
    assert_eq!(codes, [220, 503, 250, 503, 503, 250, 503, 250, 503, 250, 252, 214, 502, 500, 250, 221, 0]);
}

#[test]
fn a_session_of_mistakes_and_endless_lines_is_bounded() {
    let limits = Limits { errors: 2, line: 20, ..Limits::default() };
    assert_eq!(codes(b"A\r\nB\r\nC\r\nD\r\n", limits).0, [220, 500, 500, 421, 0]);
    let (codes, _) = codes(&[&[b'x'; 5000][..], b"\r\nNOOP\r\n"].concat(), limits);
    assert_eq!(codes, [220, 500, 250]);
}

#[test]
fn a_dot_after_a_bare_line_feed_does_not_end_the_mail() {
    let input =
        b"HELO x\r\nMAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\none\n.\r\nMAIL FROM:<evil>\r\n.\r\nQUIT\r\n";
    let (codes, mails) = codes(input, Limits::default());
    assert_eq!(codes, [220, 250, 250, 250, 354, 250, 221, 0]);
    assert_eq!(mails.len(), 1);
    assert!(mails[0].content.ends_with(b"MAIL FROM:<evil>\r\n"));
}

#[test]
fn nobody_to_serve_is_said_at_once() {
    let mut server = Server::unavailable("lb");
    assert!(matches!(server.poll_output(), Some(Output::Send(bytes)) if bytes.starts_with(b"421 ")));
    assert_eq!(server.poll_output(), Some(Output::Close));
    assert!(server.is_closed());
}

proptest! {
    #[test]
    fn any_bytes_are_survived(data in proptest::collection::vec(any::<u8>(), 0..300)) {
        fuzzing::smtp_reply(&data);
        fuzzing::smtp_server(&data);
    }

    #[test]
    fn near_misses_are_survived(text in "((220|250)[- ]?[a-z]{0,3}|HELO x|MAIL FROM:<a>|RCPT TO:<b>|DATA|\\.){0,9}(\r?\n){0,2}") {
        fuzzing::smtp_reply(text.as_bytes());
        fuzzing::smtp_server(text.replace("x", "x\r\n").as_bytes());
    }

    #[test]
    fn any_text_arrives(body in "([ -~]{0,5}\n|\\.{0,3}\n){0,8}", step in 1_usize..9) {
        let mail = mail(&body);
        let (outcome, received) = deliver(&mail, Limits::default(), step);
        prop_assert_eq!(outcome, Ok(Delivered::default()));
        prop_assert_eq!(String::from_utf8_lossy(&received[0].content), mail.content());
    }
}
