//! Sessions that begin in TCP mode and go on as HTTP.

use std::io::{Read, Write};
use std::time::Duration;

use lb_core::expr::{VarConditions, VarName};
use lb_core::rule::Rule;
use lb_core::rule::tcp::TcpAction;
use lb_core::spec::ProxySpec;

use super::harness::*;

/// A rule of a frontend in TCP mode that sets `txn.seen`.
fn remembers(front: &mut ProxySpec) {
    let name = VarName::parse("txn.seen").unwrap();
    let set = TcpAction::SetVar(name, expression("req.len"), VarConditions::default());
    front.tcp_rules.request.push(Rule::new(set, None));
}

fn switches(front: &mut ProxySpec) {
    front.tcp_rules.inspect_delay = Some(Duration::from_secs(5));
    front.tcp_rules.request.push(Rule::new(TcpAction::SwitchMode, Some(when("HTTP"))));
    front.tcp_rules.request.push(Rule::new(TcpAction::Reject, None));
}

#[test]
fn a_rule_takes_a_session_to_http_with_what_was_received_and_remembered() {
    let origin = hello();
    let proxy = upgraded(&[origin.addr], |front, http| {
        remembers(front);
        switches(front);
        http.request.push(Rule::new(header("x-seen", "%[var(txn.seen)] %[path]"), None));
    });
    let mut client = proxy.client();
    client.write_all(&GET.as_bytes()[..9]).unwrap();
    assert_eq!(exchange(&mut client, &GET[9..]), HELLO);
    // The next request of the connection is HTTP from its first byte on, and the rules on contents see it, too.
    assert_eq!(exchange(&mut client, GET), HELLO);
    let seen = origin.requests.lock().unwrap().clone();
    assert!(seen.iter().all(|request| request.contains("x-seen: 27 /")), "{seen:?}");
    assert_eq!(proxy.line(), "web be/s1 200 54 - - ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"");
}

#[test]
fn what_is_not_http_meets_the_rules_behind_the_switch() {
    let origin = hello();
    let proxy = upgraded(&[origin.addr], |front, _| switches(front));
    assert_eq!(proxy.all("\x16\x03\x01 no request\r\n\r\n"), "");
    assert!(proxy.raw_line().contains(" PR"));
    assert_eq!(*origin.connections.lock().unwrap(), 0);
}

#[test]
fn a_backend_that_speaks_http_takes_the_session_there() {
    let origin = hello();
    let proxy = upgraded(&[origin.addr], |_, http| {
        http.request.push(Rule::new(header("x-front", "1"), None));
    });
    assert_eq!(exchange(&mut proxy.client(), GET), HELLO);
    assert!(origin.requests.lock().unwrap()[0].contains("x-front: 1"));
    let mut client = proxy.client();
    client.write_all(b"no request\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(proxy.raw_line().contains(" be/s1 "));
    let line = proxy.raw_line();
    assert!(line.contains(" web/<NOSRV> -1/-1/-1/-1/"), "no request, no times: {line}");
    assert!(line.contains(" 0 0 - - PR-- "), "no request, no status: {line}");
}
