use std::any::Any;
use std::net::SocketAddr;
use std::time::Instant;

use lb_core::expr::parse::parse;
use lb_core::expr::{NoBuild, Now, Phases, Regex, Registry, VarScope};
use lb_core::log::{Style, Template};
use lb_core::rule::Rule;
use lb_core::rule::cond::{self, Polarity};

use super::*;
use crate::h1::{Cursor as HeadCursor, Limits, parse_request, write_request, write_response};
use crate::spec::{NamePart, PackedFields, PackedUse};

/// A session without connections.
pub(crate) struct Bench {
    pub(crate) layer: HttpLayer,
    arena: Arena,
    txn: VarScope,
    pub(crate) effects: Vec<String>,
    now: Now,
}

impl Facts for Bench {
    fn now(&self) -> Now {
        self.now
    }
    fn src(&self) -> Option<SocketAddr> {
        Some("10.0.0.1:1000".parse().unwrap())
    }
    fn layer(&self) -> Option<&dyn Any> {
        Some(&self.layer)
    }
}

impl Session for Bench {
    fn facts(&self) -> &dyn Facts {
        self
    }
    fn vars(&self) -> Vars<'_> {
        Vars { transaction: Some(&self.txn), ..Vars::NONE }
    }
    fn arena(&self) -> &Arena {
        &self.arena
    }
    fn reset_arena(&mut self) {
        self.arena.reset();
    }
    fn layer_mut(&mut self) -> &mut HttpLayer {
        &mut self.layer
    }
    fn effect(&mut self, effect: Effect<'_>) {
        self.effects.push(format!("{effect:?}"));
    }
}

#[expect(clippy::disallowed_methods, reason = "nothing here depends on the time")]
pub(crate) fn bench(request: &str) -> Bench {
    let mut layer = HttpLayer::default();
    layer.request.fields.set_buffer(request.as_bytes().to_vec());
    let limits = Limits::default();
    layer.has_request =
        parse_request(&mut layer.request, &mut HeadCursor::default(), request.len(), &limits).unwrap();
    let now = Now { date: Duration::ZERO, instant: Instant::now() };
    Bench { layer, arena: Arena::new(), txn: VarScope::new(), effects: Vec::new(), now }
}

fn registry() -> Registry {
    let mut registry = Registry::builtin();
    crate::fetch::register(&mut registry);
    registry
}

pub(crate) fn template(text: &str) -> Template {
    Template::parse(text, Style::Header, Phases::ALL, &registry(), &mut NoBuild).unwrap()
}

fn when(words: &str) -> Option<cond::Condition> {
    let words: Vec<&str> = words.split(' ').collect();
    let acls = std::collections::HashMap::new();
    let parsed = cond::parse(&words, Polarity::If, &acls, &registry(), &mut NoBuild);
    Some(parsed.unwrap().0)
}

fn rules(actions: Vec<Action>) -> RuleSet<Action> {
    actions.into_iter().map(|action| Rule::new(action, None)).collect()
}

/// Runs `actions` on a request and shows what became of it.
fn rewritten(request: &str, actions: Vec<Action>) -> String {
    let mut bench = bench(request);
    let rules = rules(actions);
    let outcome = run(&rules, Subject::Request, &mut bench, &mut Cursor::new(true), &mut Vec::new());
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    let mut out = Vec::new();
    write_request(&mut out, &bench.layer.request, &[]);
    String::from_utf8(out).unwrap()
}

fn header(name: &str) -> HeaderName {
    HeaderName::new(name)
}

const GET: &str = "GET /a/b?c=d HTTP/1.1\r\nHost: h\r\nX-A: one, two\r\nX-A: three\r\n\r\n";

#[test]
fn fields_are_set_added_and_removed() {
    let text = rewritten(
        GET,
        vec![
            Action::SetHeader(header("X-New"), template("%[path]-%[src]")),
            Action::AddHeader(header("x-a"), template("four")),
            Action::SetHeader(header("host"), template("other")),
            Action::DelHeader(crate::spec::NameMatch::Prefix(header("x-n"))),
        ],
    );
    assert_eq!(
        text,
        "GET /a/b?c=d HTTP/1.1\r\nx-a: one, two\r\nx-a: three\r\nx-a: four\r\nhost: other\r\n\r\n"
    );
}

/// What a rule does with the fields that `expression` packs.
fn packed(expression: &str, used: PackedUse) -> Action {
    Action::PackedFields(PackedFields { packed: parse(expression, &registry(), &mut NoBuild).unwrap(), used })
}

/// Bytes as an expression.
fn bytes(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("bin({hex})")
}

fn write(prefix: &[u8], replace: bool) -> PackedUse {
    PackedUse::Write { prefix: prefix.into(), replace }
}

#[test]
fn packed_fields_are_written_and_removed() {
    let long = "v".repeat(3000);
    let request = format!("GET / HTTP/1.1\r\nX-A: 1\r\nY-B: {long}\r\nContent-Length: 0\r\n\r\n");
    let line = "GET / HTTP/1.1\r\n";
    for (used, expected) in [
        (write(b"", true), format!("{line}content-length: 0\r\nx-a: 1\r\ny-b: {long}\r\n\r\n")),
        (write(b"x", false), format!("{line}x-a: 1\r\ny-b: {long}\r\ncontent-length: 0\r\nx-a: 1\r\n\r\n")),
    ] {
        assert_eq!(rewritten(&request, vec![packed("req.hdrs_bin", used)]), expected);
    }
    let names = bytes(b"\x03X-B\x01b\x0econtent-length\x00");
    let fields = "x-b: 1\r\nx-bc: 2\r\nab: 3\r\nbcd: 4\r\ncontent-length: 0\r\n";
    for (part, left) in [
        (NamePart::Whole, "x-bc: 2\r\nab: 3\r\nbcd: 4\r\n"),
        (NamePart::Start, "ab: 3\r\n"),
        (NamePart::End, "x-bc: 2\r\nbcd: 4\r\n"),
        (NamePart::Any, ""),
    ] {
        let request = format!("{line}{fields}\r\n");
        let text = rewritten(&request, vec![packed(&names, PackedUse::Delete(part))]);
        assert_eq!(text, format!("{line}{left}content-length: 0\r\n\r\n"), "{part:?}");
    }
}

#[test]
fn packed_fields_that_are_none_fail_the_rule() {
    for wrong in [
        &b"\x01a"[..],
        b"\x01a\x01b",
        b"\x01a\x05b\0\0",
        b"\0\x01b",
        b"\xff\xff",
        b"\x03a b\x01c\0\0",
        b"\x01a\x03b\r\n\0\0",
    ] {
        let mut bench = bench(GET);
        let rules = rules(vec![packed(&bytes(wrong), write(b"", false))]);
        let outcome = run(&rules, Subject::Request, &mut bench, &mut Cursor::new(true), &mut Vec::new());
        assert!(matches!(outcome, Outcome::Failed), "{wrong:?}: {outcome:?}");
    }
    let nothing = packed("req.hdr(x-none)", write(b"", true));
    assert!(rewritten(GET, vec![nothing]).contains("x-a: three"));
}

#[test]
fn a_rule_sees_what_earlier_rules_made() {
    let text = rewritten(
        "GET / HTTP/1.1\r\n\r\n",
        vec![
            Action::SetHeader(header("x-1"), template("a")),
            Action::SetHeader(header("x-2"), template("%[req.hdr(x-1)]b")),
            Action::SetPath(template("/%[req.hdr(x-2)]")),
            Action::SetHeader(header("x-3"), template("%[path]")),
        ],
    );
    assert_eq!(text, "GET /ab HTTP/1.1\r\nx-1: a\r\nx-2: ab\r\nx-3: /ab\r\n\r\n");
}

#[test]
fn values_and_elements_are_replaced_by_expressions() {
    let whole =
        Action::ReplaceHeader(header("x-a"), Regex::new("(.*), (.*)", false).unwrap(), template(r"\2+\1"));
    assert!(rewritten(GET, vec![whole]).contains("x-a: two+one\r\nx-a: three\r\n"));
    let each = Action::ReplaceValue(header("x-a"), Regex::new("^t(.*)$", false).unwrap(), template(r"T\1"));
    assert!(rewritten(GET, vec![each]).contains("x-a: one,Two\r\nx-a: Three\r\n"));
}

#[test]
fn targets_are_rewritten_part_by_part() {
    let line = |action| {
        let text = rewritten(GET, vec![action]);
        text.lines().next().unwrap().to_owned()
    };
    assert_eq!(line(Action::SetMethod(template("PUT"))), "PUT /a/b?c=d HTTP/1.1");
    assert_eq!(line(Action::SetPath(template("/x"))), "GET /x?c=d HTTP/1.1");
    assert_eq!(line(Action::SetPathQuery(template("/x?y"))), "GET /x?y HTTP/1.1");
    assert_eq!(line(Action::SetQuery(template("e=f"))), "GET /a/b?e=f HTTP/1.1");
    assert_eq!(line(Action::SetUri(template("/z"))), "GET /z HTTP/1.1");
    let regex = |text| Regex::new(text, false).unwrap();
    assert_eq!(line(Action::ReplacePath(regex("/a(.*)"), template(r"\1"))), "GET /b?c=d HTTP/1.1");
    assert_eq!(
        line(Action::ReplacePathQuery(regex(r"([^?]*)\?(.*)"), template(r"\1?x=1&\2"))),
        "GET /a/b?x=1&c=d HTTP/1.1"
    );
}

#[test]
fn host_and_absolute_target_follow_each_other() {
    let absolute = "GET http://h/a HTTP/1.1\r\nHost: h\r\n\r\n";
    let text = rewritten(absolute, vec![Action::SetHeader(header("host"), template("new"))]);
    assert_eq!(text, "GET http://new/a HTTP/1.1\r\nhost: new\r\n\r\n");
    let text = rewritten(absolute, vec![Action::SetUri(template("http://other/"))]);
    assert_eq!(text, "GET http://other/ HTTP/1.1\r\nhost: other\r\n\r\n");
}

#[test]
fn conditions_and_final_actions_stop_where_they_should() {
    let mut bench = bench(GET);
    let rules: RuleSet<Action> = [
        Rule::new(Action::SetHeader(header("x-1"), template("1")), when("{ path_beg /nothing }")),
        Rule::new(Action::SetHeader(header("x-2"), template("2")), when("{ path_beg /a }")),
        Rule::new(Action::Deny(Reply::error(403)), when("{ req.hdr(x-2) 2 }")),
        Rule::new(Action::SetHeader(header("x-3"), template("3")), None),
    ]
    .into_iter()
    .collect();
    let mut cursor = Cursor::new(true);
    let outcome = run(&rules, Subject::Request, &mut bench, &mut cursor, &mut Vec::new());
    assert!(matches!(outcome, Outcome::Deny(reply) if reply.status == 403), "{outcome:?}");
    assert_eq!(bench.layer.request.fields.get(b"x-1"), None);
    assert_eq!(bench.layer.request.fields.get(b"x-3"), None);
}

#[test]
fn variables_and_effects_reach_the_session() {
    let mut bench = bench(GET);
    let registry = registry();
    let program = |text: &str| parse(text, &registry, &mut NoBuild).unwrap();
    let name = || lb_core::expr::VarName::parse("txn.x").unwrap();
    let rules = rules(vec![
        Action::SetVar(name(), program("path,upper"), lb_core::expr::VarConditions::default()),
        Action::SetHeader(header("x-v"), template("%[var(txn.x)]")),
        Action::UnsetVar(name()),
        Action::SetLogLevel(None),
        Action::SetSrc(program("str(192.0.2.1)")),
        Action::SetTimeout(TimeoutKind::Server, program("int(5)")),
    ]);
    let outcome = run(&rules, Subject::Request, &mut bench, &mut Cursor::new(true), &mut Vec::new());
    assert!(matches!(outcome, Outcome::Done));
    assert_eq!(bench.layer.request.fields.get(b"x-v"), Some(&b"/A/B"[..]));
    assert_eq!(bench.effects, ["LogLevel(None)", "Source(192.0.2.1)", "Timeout(Server, 5ms)"]);
}

#[test]
fn a_rewrite_that_does_not_fit_ends_the_exchange_only_in_strict_mode() {
    let long = "v".repeat(crate::head::MAX_ADDED + 1);
    let set = || Action::SetHeader(header("x"), template(&long));
    let mut session = bench(GET);
    let strict = rules(vec![set()]);
    let outcome = run(&strict, Subject::Request, &mut session, &mut Cursor::new(true), &mut Vec::new());
    assert!(matches!(outcome, Outcome::Failed));
    let lax = rules(vec![Action::StrictMode(false), set()]);
    let mut session = bench(GET);
    let outcome = run(&lax, Subject::Request, &mut session, &mut Cursor::new(true), &mut Vec::new());
    assert!(matches!(outcome, Outcome::Done));
}

#[test]
fn redirections_are_made_of_the_request() {
    let location = |kind, change: fn(&mut Redirect)| {
        let mut bench = bench(GET);
        let mut redirect = Redirect::new(301, kind);
        change(&mut redirect);
        let made = crate::answer::redirect(&mut bench, &redirect, &mut Vec::new());
        assert_eq!(made, crate::answer::Made::Response);
        String::from_utf8(bench.layer.response.fields.get(b"location").unwrap().to_vec()).unwrap()
    };
    use crate::spec::RedirectTarget as To;
    assert_eq!(location(To::Location(template("/x")), |_| {}), "/x");
    assert_eq!(location(To::Location(template("/x?y")), |r| r.keep_query = true), "/x?y&c=d");
    assert_eq!(location(To::Prefix(template("http://n")), |_| {}), "http://n/a/b?c=d");
    assert_eq!(location(To::Prefix(template("http://n")), |r| r.drop_query = true), "http://n/a/b");
    assert_eq!(
        location(To::Prefix(template("/")), |r| {
            r.drop_query = true;
            r.append_slash = true;
        }),
        "/a/b/"
    );
    assert_eq!(location(To::Scheme(template("https")), |_| {}), "https://h/a/b?c=d");
}

#[test]
fn replies_have_their_body_and_fields() {
    let mut bench = bench(GET);
    let mut reply = Reply::empty(200);
    reply.content_type = Some("text/plain".into());
    reply.body = crate::spec::ReplyBody::Format(template("path=%[path]"));
    reply.headers.push((header("X-H"), template("%[method]")));
    let mut body = Vec::new();
    let made = crate::answer::reply(&mut bench, &reply, None, &mut Vec::new(), &mut body);
    assert_eq!(made, crate::answer::Made::Response);
    let mut out = Vec::new();
    write_response(&mut out, &bench.layer.response, &[]);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "HTTP/1.1 200 OK\r\nx-h: GET\r\ncontent-length: 9\r\ncontent-type: text/plain\r\n\r\n"
    );
    assert_eq!(body, b"path=/a/b");
}

#[test]
fn an_error_file_is_taken_apart_like_a_response() {
    let mut bench = bench(GET);
    let raw = crate::spec::ErrorReply::Raw(
        (&b"HTTP/1.0 503 Gone Fishing\r\nContent-Type: text/plain\r\n\r\nback soon"[..]).into(),
    );
    let mut body = Vec::new();
    let made = crate::answer::error(&mut bench, 503, Some(&raw), &mut Vec::new(), &mut body);
    assert_eq!(made, crate::answer::Made::Response);
    assert_eq!(bench.layer.response.reason(), b"Gone Fishing");
    assert_eq!(body, b"back soon");
    let nothing = crate::spec::ErrorReply::Raw((&b""[..]).into());
    let made = crate::answer::error(&mut bench, 408, Some(&nothing), &mut Vec::new(), &mut body);
    assert_eq!(made, crate::answer::Made::Nothing);
}

#[test]
fn a_password_is_asked_for_in_the_realm() {
    let mut bench = bench(GET);
    let mut body = Vec::new();
    let made = crate::answer::auth(&mut bench, None, "fe", (None, None), &mut Vec::new(), &mut body);
    assert_eq!(made, crate::answer::Made::Response);
    let fields = &bench.layer.response.fields;
    assert_eq!(fields.get(b"www-authenticate"), Some(&b"Basic realm=\"fe\""[..]));
    assert_eq!(bench.layer.response.status, 401);
}
