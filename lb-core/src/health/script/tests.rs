//! Scripts against a scripted server. Statuses and texts are those HAProxy 3.4 showed for the same scripts against a
//! server that behaved the same.

#![expect(clippy::disallowed_methods, reason = "any instant will do as the origin of virtual time")]

use std::time::Duration;

use super::super::{ConnectFailure, Input, Layer, Output, TlsChoice, TlsRequest, Verdict};
use super::*;

const REFUSED: &str = "ECONNREFUSED returned by OS (Connection refused)";
const RESET: &str = "ECONNRESET returned by OS (Connection reset by peer)";

/// What a server does with one connection.
#[derive(Clone, Copy)]
enum Server {
    /// Greets, then waits.
    Banner,
    /// Greets and closes.
    BannerClose,
    /// Closes at once.
    Close,
    /// Resets at once.
    Reset,
    /// Says nothing.
    Silent,
    /// Sends back what it gets.
    Echo,
    /// Refuses the connection.
    Dead,
}

/// Runs a script to its end and returns the verdict with everything that was sent and how the check closed.
fn run(server: Server, lines: Vec<Step>) -> (Verdict, Vec<u8>, Option<Close>) {
    let mut now = Instant::now();
    let mut dialog = Script::new(lines).start(&Target::new("be", "s", None), now);
    let (mut sent, mut closed) = (Vec::new(), None);
    for _ in 0..50 {
        let Some(output) = dialog.poll_output() else {
            if let Some(verdict) = dialog.verdict() {
                return (verdict.clone(), sent, closed);
            }
            now = dialog.poll_timeout().expect("a check that waits has a time limit");
            dialog.handle_timeout(now);
            continue;
        };
        match output {
            Output::Connect(request) => greet(&mut *dialog, now, server, request.port),
            Output::Send(bytes) => {
                sent.extend_from_slice(&bytes);
                if let Server::Echo = server {
                    dialog.handle_input(now, Input::Bytes(&bytes));
                }
            }
            Output::Close(close) => closed = Some(close),
            Output::Run(_) | Output::Read(_) => unreachable!("scripts run no programs and read no files"),
        }
    }
    panic!("the check does not end");
}

fn greet(dialog: &mut dyn Dialog, now: Instant, server: Server, port: Option<u16>) {
    let failed = |layer, words| Input::Failed(ConnectFailure::new(layer, words));
    if matches!(server, Server::Dead) || port == Some(1) {
        return dialog.handle_input(now, failed(Layer::Connection, REFUSED));
    }
    dialog.handle_input(now, Input::Connected);
    if let Server::Banner | Server::BannerClose = server {
        dialog.handle_input(now, Input::Bytes(b"220 hello\r\n"));
    }
    match server {
        Server::BannerClose | Server::Close => dialog.handle_input(now, Input::Closed),
        Server::Reset => dialog.handle_input(now, failed(Layer::Application, RESET)),
        _ => {}
    }
}

fn connect() -> Step {
    Step::Connect { request: ConnectRequest::default(), linger: false, comment: None }
}

fn connect_port(port: u16, comment: Option<&str>) -> Step {
    let request = ConnectRequest { port: Some(port), ..ConnectRequest::default() };
    Step::Connect { request, linger: false, comment: comment.map(Into::into) }
}

fn send(bytes: &'static [u8]) -> Step {
    Step::Send { payload: Payload::Bytes(bytes.into()), comment: None }
}

fn string(text: &'static str) -> Expect {
    Expect::new(Pattern::Text(text.into()))
}

fn expect(expect: Expect) -> Step {
    Step::Expect(Box::new(expect))
}

/// A pattern anchored at the start, enough to stand in for regular expressions.
#[derive(Debug)]
struct StartsWith(&'static str);

impl Matcher for StartsWith {
    fn is_match(&self, data: &[u8]) -> bool {
        data.starts_with(self.0.as_bytes())
    }

    fn same_as(&self, other: &dyn Matcher) -> bool {
        other.as_any().downcast_ref::<Self>().is_some_and(|other| self.0 == other.0)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[derive(Debug)]
struct Words(&'static str);

impl Template for Words {
    fn render(&self, scene: &mut Scene, _now: Instant, received: &[u8], out: &mut Vec<u8>) {
        let words =
            self.0.replace("{server}", &scene.target().server).replace("{len}", &received.len().to_string());
        out.extend_from_slice(words.as_bytes());
    }

    fn same_as(&self, other: &dyn Template) -> bool {
        other.as_any().downcast_ref::<Self>().is_some_and(|other| self.0 == other.0)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[track_caller]
fn assert_ends(server: Server, lines: Vec<Step>, status: Status, code: u32, info: &str) {
    let (verdict, ..) = run(server, lines);
    assert_eq!((verdict.status, verdict.code, verdict.info.as_str()), (status, code, info));
}

#[test]
fn expectations_on_a_banner() {
    use Server::{Banner, BannerClose};
    assert_ends(Banner, vec![expect(string("220"))], Status::L7Ok, 0, "(tcp-check)");
    assert_ends(Banner, vec![connect(), expect(string("220"))], Status::L7Ok, 0, "(tcp-check)");
    let mismatch = "TCPCHK did not match content '999' at step 1";
    assert_ends(BannerClose, vec![expect(string("999"))], Status::L7Response, 0, mismatch);
    let unwanted = Expect { inverse: true, ..string("220") };
    let words = "TCPCHK matched unwanted content '220' at step 2";
    assert_ends(Banner, vec![connect(), expect(unwanted)], Status::L7Response, 0, words);
    let hasty = Expect { min_recv: Some(0), comment: Some("my comment".into()), ..string("999") };
    let words = "TCPCHK did not match content '999' at step 1 comment: my comment";
    assert_ends(Banner, vec![expect(hasty)], Status::L7Response, 0, words);
}

#[test]
fn expectations_in_a_row_look_at_the_same_data() {
    let lines = vec![connect(), expect(string("220")), expect(string("hello")), expect(string("220 h"))];
    assert_ends(Server::Banner, lines, Status::L7Ok, 0, "(tcp-check)");
}

#[test]
fn what_came_before_a_sending_is_forgotten() {
    let lines = vec![connect(), expect(string("220")), send(b"x"), expect(string("220"))];
    let words = " at step 4 of tcp-check (expect string '220')";
    assert_ends(Server::Banner, lines, Status::L7Timeout, 0, words);
}

#[test]
fn servers_that_say_nothing_useful() {
    let empty = "TCPCHK got an empty response at step 1";
    assert_ends(Server::Close, vec![expect(string("220"))], Status::L7Response, 0, empty);
    let nothing_bad = Expect { inverse: true, ..string("220") };
    assert_ends(Server::Close, vec![expect(nothing_bad)], Status::L7Ok, 0, "(tcp-check)");
    let reset = format!("{RESET} at step 1 of tcp-check (expect string '220')");
    assert_ends(Server::Reset, vec![expect(string("220"))], Status::SocketError, 0, &reset);
    let slow = " at step 2 of tcp-check (expect string '220')";
    let lines = vec![send(b"foo"), expect(Expect { inverse: true, ..string("220") })];
    assert_ends(Server::Silent, lines, Status::L7Timeout, 0, slow);
    let waiting = " at step 1 of tcp-check (expect string '220')";
    let patient = Expect { min_recv: Some(50), ..string("220") };
    assert_ends(Server::Banner, vec![expect(patient)], Status::L7Timeout, 0, waiting);
}

#[test]
fn binary_data_and_patterns() {
    let binary = |bytes: &'static [u8]| Expect::new(Pattern::Binary(bytes.into()));
    let ping = || send(b"PING");
    assert_ends(Server::Echo, vec![ping(), expect(binary(b"PING"))], Status::L7Ok, 0, "(tcp-check)");
    let slow = " at step 2 of tcp-check (expect binary '00494E47')";
    assert_ends(Server::Echo, vec![ping(), expect(binary(b"\0ING"))], Status::L7Timeout, 0, slow);
    let regex = Expect::new(Pattern::Regex(Arc::new(StartsWith("P"))));
    assert_ends(Server::Echo, vec![ping(), expect(regex), send(b"PONG")], Status::L7Ok, 0, "(tcp-check)");
    let hex = || Expect::new(Pattern::BinaryRegex(Arc::new(StartsWith("50494E"))));
    let unwanted = Expect { inverse: true, min_recv: Some(4), ..hex() };
    let words = "TCPCHK matched unwanted content (binary regex) at step 2";
    assert_ends(Server::Echo, vec![ping(), expect(unwanted)], Status::L7Response, 0, words);
    let (_, sent, _) = run(Server::Echo, vec![ping(), expect(hex()), send(b"!"), send(b"?")]);
    assert_eq!(sent, b"PING!?");
}

#[test]
fn failed_connections() {
    let first = format!("{REFUSED} at initial connection step of tcp-check");
    assert_ends(Server::Dead, vec![expect(string("220"))], Status::L4Connection, 0, &first);
    let port = format!("{REFUSED} at step 1 of tcp-check (connect port 1)");
    assert_ends(Server::Dead, vec![connect_port(1, None)], Status::L4Connection, 0, &port);
    let second = format!("{REFUSED} at step 2 of tcp-check (connect port 1) comment: 'second'");
    let lines = vec![connect(), connect_port(1, Some("second"))];
    assert_ends(Server::Banner, lines, Status::L4Connection, 0, &second);
}

#[test]
fn scripts_without_expectations() {
    assert_ends(Server::Banner, vec![], Status::L4Ok, 0, "");
    assert_ends(Server::Banner, vec![connect()], Status::L4Ok, 0, "(tcp-check)");
    assert_ends(Server::Banner, vec![send(b"foo")], Status::L7Ok, 0, "(tcp-check)");
}

#[test]
fn statuses_texts_and_codes_can_be_chosen() {
    let good = Expect { ok_status: Status::L4Ok, on_success: Some(Arc::new(Words("fine"))), ..string("220") };
    assert_ends(Server::Banner, vec![expect(good)], Status::L4Ok, 0, "fine");
    let bad = Expect {
        inverse: true,
        error_status: Status::L7Status,
        on_error: Some(Arc::new(Words("bad {server} {len}"))),
        status_code: Some(Arc::new(Words("7"))),
        ..string("220")
    };
    assert_ends(Server::Banner, vec![expect(bad)], Status::L7Status, 7, "bad s 11");
    let slow = Expect { timeout_status: Status::L4Timeout, ..string("220") };
    let words = " at step 1 of tcp-check (expect string '220')";
    assert_ends(Server::Silent, vec![expect(slow)], Status::L4Timeout, 0, words);
    let draining = Expect { inverse: true, error_status: Status::L7OkConditional, ..string("hello") };
    let words = "TCPCHK matched unwanted content 'hello' at step 3";
    let lines = vec![connect(), expect(string("220")), expect(draining)];
    assert_ends(Server::Banner, lines, Status::L7OkConditional, 0, words);
}

#[test]
fn rendered_data() {
    let payload = |payload| Step::Send { payload, comment: None };
    let pattern = |words| Pattern::Rendered(Arc::new(Words(words)));
    let lines = vec![
        payload(Payload::Text(Arc::new(Words("<{server}>")))),
        payload(Payload::Hex(Arc::new(Words("41")))),
        expect(Expect::new(pattern("A"))),
    ];
    let (verdict, sent, _) = run(Server::Echo, lines);
    assert_eq!((verdict.status, sent), (Status::L7Ok, b"<s>A".to_vec()));
    let words = "log-format string evaluated to an empty string";
    assert_ends(Server::Banner, vec![expect(Expect::new(pattern("")))], Status::L7Response, 0, words);
    let lines = vec![payload(Payload::Hex(Arc::new(Words("4"))))];
    let words = "Failed to parse hexastring resulting of eval of a log-format string";
    assert_ends(Server::Banner, lines, Status::L7Response, 0, words);
}

#[test]
fn comments_cover_the_following_steps_of_one_kind() {
    let comment = || Step::Comment("part".into());
    let lines = |wrong: usize| {
        let text = |at| if at == wrong { "999" } else { "220" };
        vec![comment(), expect(string(text(0))), expect(string(text(1)))]
    };
    let words = "TCPCHK did not match content '999' at step 2 comment: part";
    assert_ends(Server::BannerClose, lines(0), Status::L7Response, 0, words);
    let words = "TCPCHK did not match content '999' at step 3 comment: part";
    assert_ends(Server::BannerClose, lines(1), Status::L7Response, 0, words);
    let lines = vec![comment(), send(b"x"), expect(string("999"))];
    let words = " at step 3 of tcp-check (expect string '999')";
    assert_ends(Server::Silent, lines, Status::L7Timeout, 0, words);
}

#[test]
fn the_steps_of_a_protocol_are_not_named() {
    let now = Instant::now();
    let script = || Script::new(vec![send(b"x"), expect(string("y"))]);
    for (script, named) in [(script(), true), (script().unseen(), false)] {
        let mut dialog = script.start(&Target::default(), now);
        dialog.handle_timeout(now + Duration::from_secs(60));
        assert_eq!(dialog.verdict().map(|verdict| !verdict.info.is_empty()), Some(named));
        let mut dialog = script.start(&Target::default(), now);
        dialog.handle_input(now, Input::Connected);
        dialog.handle_input(now, Input::Bytes(b"other"));
        dialog.handle_input(now, Input::Closed);
        assert_eq!(dialog.verdict().map(|verdict| !verdict.info.is_empty()), Some(named));
    }
}

#[test]
fn a_check_closes_with_a_reset_unless_it_is_to_linger() {
    let lingering = Step::Connect { request: ConnectRequest::default(), linger: true, comment: None };
    assert_eq!(run(Server::Banner, vec![connect()]).2, Some(Close::Reset));
    assert_eq!(run(Server::Banner, vec![lingering]).2, Some(Close::Clean));
}

#[test]
fn a_connection_is_completed_when_something_passes_over_it() {
    let asked =
        |steps: Vec<Step>| match Script::new(steps).start(&Target::default(), Instant::now()).poll_output() {
            Some(Output::Connect(request)) => request.has_data,
            other => panic!("{other:?}"),
        };
    assert!(asked(vec![expect(string("220"))]) && asked(vec![connect(), expect(string("220"))]));
    assert!(asked(vec![connect(), send(b"x")]));
    assert!(!asked(vec![connect()]) && !asked(vec![connect(), connect(), send(b"x")]));
}

#[test]
fn a_secured_connection_is_waited_for() {
    let now = Instant::now();
    let request = ConnectRequest { tls: TlsChoice::On(TlsRequest::default()), ..ConnectRequest::default() };
    let step = || Step::Connect { request: request.clone(), linger: false, comment: None };
    let target = Target::default();
    let mut dialog = Script::new(vec![step(), send(b"x")]).start(&target, now);
    assert!(matches!(dialog.poll_output(), Some(Output::Connect(request)) if request.has_data));
    dialog.handle_input(now, Input::Connected);
    assert_eq!(dialog.poll_output(), None);
    dialog.handle_input(now, Input::Secured);
    assert!(matches!(dialog.poll_output(), Some(Output::Send(_))));
    let mut dialog = Script::new(vec![step()]).start(&target, now);
    dialog.handle_input(now, Input::Connected);
    dialog.handle_timeout(dialog.poll_timeout().unwrap());
    assert_eq!(dialog.verdict().unwrap().status, Status::L6Timeout);
    let mut dialog = Script::new(vec![step()]).start(&target, now);
    dialog.handle_input(now, Input::Connected);
    dialog.handle_input(now, Input::Secured);
    assert_eq!(dialog.verdict().unwrap().status, Status::L6Ok);
}

#[test]
fn data_beyond_the_limit_is_dropped_and_decides() {
    let now = Instant::now();
    let mut dialog = Script::new(vec![expect(string("needle"))]).start(&Target::default(), now);
    dialog.handle_input(now, Input::Connected);
    for _ in 0..17 {
        dialog.handle_input(now + Duration::from_millis(1), Input::Bytes(&[b'.'; 1000]));
    }
    assert_eq!(dialog.verdict().unwrap().status, Status::L7Response);
}

#[test]
fn equal_scripts_are_recognised() {
    let script = |text| Script::new(vec![connect(), send(b"x"), expect(string(text))]);
    assert!(script("a").same_as(&script("a")));
    assert!(!script("a").same_as(&script("b")));
    assert!(!script("a").same_as(&Script::new(vec![])));
    let regex = |text| Script::new(vec![expect(Expect::new(Pattern::Regex(Arc::new(StartsWith(text)))))]);
    assert!(regex("a").same_as(&regex("a")) && !regex("a").same_as(&regex("b")));
}
