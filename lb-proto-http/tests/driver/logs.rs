//! What lines tell, and when they are written.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use lb_core::log::{Origin, Steps, Style};
use lb_core::spec::{LogProfile, ProfileStep, ProxySpec};
use lb_proto_http::spec::Action;

use super::harness::*;

fn lines_like(spec: &mut ProxySpec, format: &str) {
    spec.log.format = Some(Arc::new(template(format, Style::Log)));
}

/// The message of the next line.
fn message(proxy: &Proxy) -> String {
    let line = proxy.raw_line();
    line.split_once("]: ").unwrap().1.to_owned()
}

#[test]
fn a_connection_that_is_used_again_has_its_addresses_in_every_line() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |spec, _| lines_like(spec, "%si:%sp %bi %[bc_src] %[bc_reused] %B"));
    let mut client = proxy.client();
    for reused in [0, 1, 1] {
        exchange(&mut client, GET);
        assert_eq!(message(&proxy), format!("{} 127.0.0.1 127.0.0.1 {reused} 54", origin.addr));
    }
    assert_eq!(*origin.connections.lock().unwrap(), 1);
}

#[test]
fn a_server_that_refused_is_told_with_the_reason() {
    let nowhere = nowhere();
    let proxy = proxy(&[nowhere], |spec, _| {
        spec.pool.retry.retries = 0;
        lines_like(spec, "%si:%sp %[bc_err] %[bc_err_name] %ts");
    });
    exchange(&mut proxy.client(), GET);
    assert_eq!(message(&proxy), format!("{nowhere} 47 EREFUSED SC"));
}

#[test]
fn a_server_that_fails_is_told_with_what_became_of_its_connection() {
    let breaks = |answer: &'static [u8], reset: bool| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            read_request(&mut stream, &mut Vec::new()).unwrap();
            stream.write_all(answer).unwrap();
            let linger = reset.then_some(Duration::ZERO);
            socket2::SockRef::from(&stream).set_linger(linger).unwrap();
        });
        addr
    };
    let (silent, _full) = silent();
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart";
    for (addr, expected) in [
        (breaks(b"", false), "127.0.0.1 0 SH"),
        (breaks(b"", true), "127.0.0.1 48 SH"),
        (breaks(b"junk\r\n\r\n", false), "127.0.0.1 0 PH"),
        (breaks(cut, false), "127.0.0.1 0 SD"),
        (silent, "- - sC"),
    ] {
        let proxy = proxy(&[addr], |spec, _| {
            spec.pool.retry.retries = 0;
            spec.timeouts.connect = Some(Duration::from_millis(100));
            lines_like(spec, "%bi %[bc_err] %ts");
        });
        proxy.all("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
        assert_eq!(message(&proxy), expected);
    }
}

#[test]
fn requests_are_counted_by_the_process() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |spec, _| lines_like(spec, "%rt %OG %B"));
    let mut client = proxy.client();
    exchange(&mut client, GET);
    exchange(&mut client, GET);
    exchange(&mut proxy.client(), GET);
    exchange(&mut proxy.client(), "BAD\r\n\r\n");
    let seen: Vec<_> = (0..4).map(|_| message(&proxy)).collect();
    assert_eq!(seen, ["0 txn_close 54", "1 txn_close 54", "2 txn_close 54", "3 sess_error 0"]);
}

#[test]
fn named_steps_have_a_line_each() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |spec, _| {
        spec.log.steps = Some(Steps::ALL);
        lines_like(spec, "%OG %s %ST %B %U %tsc %r");
    });
    exchange(&mut proxy.client(), GET);
    let seen: Vec<_> = (0..5).map(|_| message(&proxy)).collect();
    assert_eq!(
        seen,
        [
            "txn_accept <NOSRV> 0 0 0 ---- <BADREQ>",
            "txn_request <NOSRV> -1 0 0 ---- GET / HTTP/1.1",
            "txn_connect s1 -1 0 0 ---- GET / HTTP/1.1",
            "txn_response s1 200 54 0 ---- GET / HTTP/1.1",
            "txn_close s1 200 54 38 ---- GET / HTTP/1.1",
        ]
    );
}

#[test]
fn a_line_without_totals_is_written_before_the_end() {
    let origin = hello();
    let proxy = proxy(&[origin.addr], |spec, _| lines_like(spec, "%OG %ST"));
    exchange(&mut proxy.client(), GET);
    assert_eq!(message(&proxy), "txn_response 200");
}

#[test]
fn an_early_line_that_is_left_out_does_not_stand_for_that_of_a_failure() {
    let nowhere = nowhere();
    let proxy = proxy(&[nowhere], |spec, _| {
        spec.pool.retry.retries = 0;
        spec.log.dontlog_normal = true;
        lines_like(spec, "%OG %r");
    });
    exchange(&mut proxy.client(), GET);
    assert_eq!(message(&proxy), "txn_close GET / HTTP/1.1");
}

#[test]
fn a_profile_changes_or_drops_the_lines_of_its_target() {
    let origin = hello();
    let step = |format: &str| ProfileStep {
        format: Some(Arc::new(template(format, Style::Log))),
        ..ProfileStep::default()
    };
    let proxy = proxy(&[origin.addr], |spec, http| {
        let mut profile = LogProfile::default();
        profile.tag = Some("own".into());
        profile.steps.push((Origin::HttpRequest, step("asked %OG %r")));
        profile.steps.push((Origin::Connect, ProfileStep { drop: true, ..ProfileStep::default() }));
        profile.any = Some(step("any %OG"));
        spec.log.targets[0].profile = Some(Arc::new(profile));
        spec.log.steps = Some(Steps::of(Origin::Connect).with(Steps::of(Origin::Close)));
        let mut other = LogProfile::default();
        other.any = Some(step("other %OG"));
        for profile in [None, Some(Arc::new(other))] {
            http.request.push(lb_core::rule::Rule::new(Action::DoLog(Origin::HttpRequest, profile), None));
        }
    });
    exchange(&mut proxy.client(), GET);
    let first = proxy.raw_line();
    assert!(first.contains(" own[") && first.ends_with("]: asked http-req GET / HTTP/1.1"), "{first}");
    assert!(proxy.raw_line().ends_with("other http-req"));
    assert_eq!(message(&proxy), "any txn_close");
}
