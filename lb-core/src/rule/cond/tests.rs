use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::*;
use crate::expr::{Arena, Direction, Facts, NoBuild, Now, Peek, VarScope, Vars};

struct Session {
    src: Option<SocketAddr>,
    request: &'static [u8],
    complete: bool,
}

impl Facts for Session {
    fn now(&self) -> Now {
        Now { date: Duration::from_secs(1000), instant: crate::expr::testing::instant() }
    }
    fn src(&self) -> Option<SocketAddr> {
        self.src
    }
    fn buffer(&self, direction: Direction) -> Option<Peek<'_>> {
        (direction == Direction::Request).then_some(Peek { bytes: self.request, complete: self.complete })
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

fn test(text: &str) -> Test {
    parse_test(&words(text), "test", &Registry::builtin(), &mut NoBuild)
        .unwrap_or_else(|e| panic!("{text}: {e}"))
        .0
}

fn acls(lines: &[&str]) -> HashMap<String, Arc<Acl>> {
    let mut found: HashMap<String, Acl> = HashMap::new();
    for line in lines {
        let (name, rest) = line.split_once(' ').unwrap();
        found.entry(name.to_owned()).or_insert_with(|| Acl::new(name)).push(test(rest));
    }
    found.into_iter().map(|(name, acl)| (name, Arc::new(acl))).collect()
}

fn condition(text: &str, acls: &HashMap<String, Arc<Acl>>) -> Condition {
    parse(&words(text), Polarity::If, acls, &Registry::builtin(), &mut NoBuild)
        .unwrap_or_else(|e| panic!("{text}: {e}"))
        .0
}

fn answer(text: &str, lines: &[&str], session: &Session, last: bool) -> Answer {
    let condition = condition(text, &acls(lines));
    let (arena, txn) = (Arena::new(), VarScope::new());
    txn.set(&"ua".into(), &Sample::Str(b"Mozilla/5.0 (X11)"));
    txn.set(&"n".into(), &Sample::Int(-3));
    let env = Env::new(session, Vars { transaction: Some(&txn), ..Vars::NONE }, &arena);
    condition.eval(&if last { env } else { env.partial() })
}

fn client(addr: &str) -> Session {
    Session { src: Some(addr.parse().unwrap()), request: b"", complete: true }
}

fn holds(text: &str, lines: &[&str]) -> bool {
    answer(text, lines, &client("10.1.2.3:4567"), true) == Answer::Yes
}

#[test]
fn conditions_are_disjunctions_of_conjunctions() {
    let lines = ["t always_true", "f always_false", "net src 10.0.0.0/8 192.168.0.0/16"];
    for text in
        ["t", "!f", "! f", "t net", "f or t", "f t || t t", "!!t", "! ! t", "net !f", "TRUE", "!FALSE"]
    {
        assert!(holds(text, &lines), "{text}");
    }
    for text in ["f", "!t", "t f", "t !net", "f or f", "f || !t", "LOCALHOST", "!!!t", ""] {
        assert!(!holds(text, &lines), "{text}");
    }
}

#[test]
fn lines_of_one_name_add_up() {
    let lines = ["a src 192.168.0.0/16", "a src_port 4567"];
    assert!(holds("a", &lines));
    assert!(!holds("!a", &lines));
}

#[test]
fn anonymous_tests_take_flags_and_operators() {
    for text in [
        "{ src 10.1.2.3 }",
        "{ src -- 10.1.2.3 }",
        "!{ src 10.1.2.4 }",
        "{ src_port ge 4567 }",
        "{ str(abc) -m len gt 2 }",
        "{ str(abc) -m len ge 3 le 3 }",
        "{ src_port gt 4566 lt 10 }",
        "{ src_port 4000:5000 }",
        "{ src_port eq 1 2 4567 }",
        "{ src -m found }",
        "{ var(txn.nothing) -m found } or { var(txn.ua) -m found }",
        "{ var(txn.ua) -m beg -i mozilla }",
        "{ var(txn.ua) -m sub X11 }",
        "{ var(txn.ua),length 17 }",
        "{ var(txn.ua) -m len 10:20 }",
        "{ var(txn.ua),lower -m str mozilla/5.0\u{a0} } or TRUE",
        "{ var(txn.n) -m int lt 0 }",
        "{ src,ipmask(8) 10.0.0.0 }",
        "{ src ipmask(8) 10.0.0.0 }",
        "{ str(10) -m int 10 }",
        "{ bool(true) }",
        "{ int(5) -m bool }",
    ] {
        assert!(holds(text, &[]), "{text}");
    }
    for text in [
        "{ src_port lt 4567 }",
        "{ src_port le 4566 }",
        "{ var(txn.ua) -m beg mozilla }",
        "{ var(txn.nothing) -m found }",
        "{ var(txn.n) -m int ge 0 }",
        "{ int(0) -m bool }",
    ] {
        assert!(!holds(text, &[]), "{text}");
    }
}

#[test]
fn an_absent_value_fails_the_test_and_so_satisfies_its_negation() {
    assert!(!holds("{ var(txn.nothing) -m str x }", &[]));
    assert!(holds("!{ var(txn.nothing) -m str x }", &[]));
}

#[test]
fn what_may_still_arrive_is_not_decided() {
    let open = Session { src: None, request: b"\x16\x03\x01", complete: false };
    let cases = [
        ("{ req.ssl_hello_type 1 }", Answer::NotYet),
        ("!{ req.ssl_hello_type 1 }", Answer::NotYet),
        ("{ req.len gt 2 }", Answer::Yes),
        ("{ req.len gt 3 }", Answer::NotYet),
        ("{ req.len 0 }", Answer::NotYet),
        ("{ req.payload(0,3) -m bin 160301 }", Answer::Yes),
        ("{ req.payload(0,3) 160302 }", Answer::No),
        ("{ req.payload(0,9) 160302 }", Answer::NotYet),
        ("{ req.len gt 3 } FALSE", Answer::No),
        ("{ req.len gt 3 } or TRUE", Answer::Yes),
        ("{ req.len gt 3 } or FALSE", Answer::NotYet),
        ("WAIT_END", Answer::NotYet),
        ("REQ_CONTENT", Answer::Yes),
    ];
    for (text, expected) in cases {
        assert_eq!(answer(text, &[], &open, false), expected, "{text}");
    }
    assert_eq!(answer("{ req.len gt 3 }", &[], &open, true), Answer::No);
    assert_eq!(answer("WAIT_END", &[], &open, true), Answer::Yes);
}

#[test]
fn unless_turns_the_answer_round() {
    let (condition, _) =
        parse(&["FALSE"], Polarity::Unless, &HashMap::new(), &Registry::builtin(), &mut NoBuild).unwrap();
    let (session, arena) = (client("10.0.0.1:1"), Arena::new());
    assert!(condition.holds(&Env::new(&session, Vars::NONE, &arena)));
}

#[test]
fn versions_compare_by_halves() {
    let hello = Session { src: None, request: b"\x16\x03\x01\x00", complete: true };
    assert_eq!(answer("{ req.ssl_ver 3:3.4 }", &[], &hello, true), Answer::No, "no complete hello");
    assert!(parse_test(&words("req.ssl_ver gt 3.1"), "", &Registry::builtin(), &mut NoBuild).is_ok());
    assert!(parse_test(&words("req.ssl_ver gt 3.x"), "", &Registry::builtin(), &mut NoBuild).is_err());
}

#[test]
fn mistakes_name_the_word() {
    let fails = |text: &str| {
        let error = parse_test(&words(text), "", &Registry::builtin(), &mut NoBuild).unwrap_err();
        (error.word, error.to_string())
    };
    assert_eq!(fails("nope x"), (0, "unknown fetch method 'nope'".into()));
    assert_eq!(fails("src -m foo").0, 2);
    assert_eq!(fails("src -x 10.0.0.1").0, 1);
    assert_eq!(fails("src 10.0.0.1 10.0.0.300").0, 2);
    assert_eq!(fails("src_port gt x").0, 2);
    assert_eq!(fails("src -m reg -m str x").0, 4);
    assert_eq!(fails("src -u x").0, 1);
    assert_eq!(fails("src -f /nofile").0, 2);
    assert!(fails("bin(00) x").1.contains("matching method must be specified first"));
    assert_eq!(fails("always_true -m ip 1").0, 2);
    let condition = |text: &str| {
        parse(&words(text), Polarity::If, &HashMap::new(), &Registry::builtin(), &mut NoBuild)
            .map_err(|e| (e.word, e.start, e.to_string()))
    };
    assert_eq!(condition("TRUE !nope").unwrap_err(), (1, 1, "no such ACL : 'nope'".into()));
    assert_eq!(condition("TRUE { src 10.0.0.1").unwrap_err().0, 1);
    assert_eq!(condition("TRUE { src 10.0.0.x }").unwrap_err().0, 3);
    assert!(condition("{ }").is_err());
}

#[test]
fn suspicious_tests_are_remarked() {
    let remarks = |text: &str| parse_test(&words(text), "", &Registry::builtin(), &mut NoBuild).unwrap().1;
    assert_eq!(remarks("src"), [Remark::NoPatterns]);
    assert_eq!(remarks("src --"), []);
    assert_eq!(remarks("always_true"), []);
    assert_eq!(remarks("str(x) a or b"), [Remark::SuspiciousPattern(2)]);
    assert_eq!(remarks("ssl_fc_sni_end -m beg x"), [Remark::MethodOverridden]);
    assert_eq!(remarks("ssl_fc_sni_end -m end x"), []);
    assert_eq!(remarks("src -m str x"), [], "the type is no method that was chosen");
    assert_eq!(remarks("ssl_fc_sni (x)"), [Remark::DetachedArguments]);
}

#[test]
fn validity_is_the_common_ground_of_a_conjunction() {
    let phases = |text: &str| condition(text, &HashMap::new()).phases();
    assert!(phases("{ req.len 1 }").intersects(Phases::FE_REQUEST_CONTENT));
    assert!(phases("{ req.len 1 } { res.len 1 }").is_empty());
    assert!(!phases("{ req.len 1 } or { res.len 1 }").is_empty());
}

#[test]
fn patterns_in_place_can_be_changed_at_run_time() {
    let test = test("src 10.0.0.0/8");
    let list = test.patterns()[0].reference().clone();
    let (session, arena) = (client("192.168.1.1:1"), Arena::new());
    let env = Env::new(&session, Vars::NONE, &arena);
    assert_eq!(test.eval(&env), Answer::No);
    list.add("192.168.0.0/16", None).unwrap();
    assert_eq!(test.eval(&env), Answer::Yes);
    assert!(list.add("example", None).is_err());
    list.remove("192.168.0.0/16").unwrap();
    assert_eq!(test.eval(&env), Answer::No);
}

#[test]
fn acls_can_be_asked_by_an_expression() {
    struct Proxy(HashMap<String, Arc<Acl>>);
    impl Build for Proxy {
        fn acl(&self, name: &str) -> Option<Arc<Acl>> {
            self.0.get(name).cloned()
        }
    }
    let mut proxy = Proxy(acls(&["t always_true", "f always_false", "long req.len gt 100"]));
    let (session, arena) = (Session { src: None, request: b"x", complete: false }, Arena::new());
    for (text, expected) in [
        ("acl(t)", Some(true)),
        ("acl(t,!f)", Some(true)),
        ("acl(t,f)", Some(false)),
        ("acl(long)", None),
        ("str(x),when(acl,t),length,bool", Some(true)),
        ("str(x),when(!acl,t),length,bool", None),
    ] {
        let program = parse::parse(text, &Registry::builtin(), &mut proxy).unwrap();
        let env = Env::new(&session, Vars::NONE, &arena).partial();
        assert_eq!(program.eval(&env).and_then(|sample| sample.to_bool()), expected, "{text}");
    }
    assert!(parse::parse("acl(nope)", &Registry::builtin(), &mut proxy).is_err());
}

#[test]
fn tests_of_what_is_not_there_never_hold() {
    let words = ["{", "req.len", "ge", "0", "}"];
    let (mut condition, _) =
        parse(&words, Polarity::If, &HashMap::new(), &Registry::builtin(), &mut NoBuild).unwrap();
    condition.restrict(Phases::FE_REQUEST_CONTENT);
    assert_eq!(condition.acls().next().unwrap().tests().len(), 1);
    condition.restrict(Phases::CONNECTION);
    assert_eq!(condition.acls().next().unwrap().tests().len(), 0);
}

#[test]
fn the_backend_is_read_before_there_is_one_because_the_frontend_stands_in() {
    let words = ["{", "be_name", "web", "}"];
    let (mut condition, _) =
        parse(&words, Polarity::If, &HashMap::new(), &Registry::builtin(), &mut NoBuild).unwrap();
    condition.restrict(Phases::FE_REQUEST_HEADERS);
    assert_eq!(condition.acls().next().unwrap().tests().len(), 1);
}
