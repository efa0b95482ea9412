//! Conditions, expressions, look-ups and log lines allocate nothing once their buffers are warm.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lb_core::expr::map::Reference;
use lb_core::expr::{
    Arena, Build, Env, Facts, Now, Phases, ProxyRef, Registry, Sample, VarScope, Vars, parse,
};
use lb_core::log::{HTTP_LOG, HttpRecord, Record, RequestLine, Style, Template};
use lb_core::rule::cond::{self, Acl, Polarity};

use super::allocations_of;

struct Session(Now);

impl Facts for Session {
    fn now(&self) -> Now {
        self.0
    }
    fn src(&self) -> Option<SocketAddr> {
        Some(SocketAddr::from(([192, 168, 7, 9], 40000)))
    }
    fn record(&self) -> Option<Record<'_>> {
        let request = RequestLine { method: b"GET", uri: b"/shop/items/4711.html", version: b"HTTP/1.1" };
        Some(Record {
            client: self.src(),
            frontend: ProxyRef { name: "fe", id: 1 },
            http: Some(HttpRecord { request: Some(request), ..HttpRecord::EMPTY }),
            ..Record::EMPTY
        })
    }
}

struct Maps;

impl Build for Maps {
    fn patterns(&mut self, file: &str, as_map: bool) -> Result<Arc<Reference>, String> {
        let text: String = (0..1000).map(|n| format!("host{n}.example.org be{n}\n")).collect();
        Ok(Reference::from_text(file, &text, as_map))
    }
}

fn session() -> (Session, VarScope) {
    let txn = VarScope::new();
    txn.set(&"path".into(), &Sample::Str(b"/shop/items/4711.html"));
    txn.set(&"host".into(), &Sample::Str(b"HOST77.Example.org"));
    (Session(Now { date: Duration::from_secs(1_792_682_910), instant: Instant::now() }), txn)
}

/// Runs `work` a few times to warm the buffers up, then counts.
fn warm_allocations_of(mut work: impl FnMut()) -> u64 {
    for _ in 0..3 {
        work();
    }
    allocations_of(|| (0..100).for_each(|_| work()))
}

#[test]
fn conditions_allocate_nothing() {
    let (session, txn) = session();
    let registry = Registry::builtin();
    let none: HashMap<String, Arc<Acl>> = HashMap::new();
    for text in [
        "{ var(txn.path) -m beg /static /images } or { var(txn.path) -m end .gif .png }",
        "{ var(txn.host) -m str -i www.example.org } or { var(txn.host) -m beg -i img. }",
        "{ var(txn.host) -m sub -i bot } or { var(txn.path) -m dir admin } or !{ src 192.168.0.0/16 }",
        "{ src_port lt 1024 } or { var(txn.host),lower -m str -f hosts } or !TRUE",
    ] {
        let words: Vec<&str> = text.split(' ').collect();
        let (condition, _) = cond::parse(&words, Polarity::If, &none, &registry, &mut Maps).unwrap();
        let mut arena = Arena::new();
        let count = warm_allocations_of(|| {
            let vars = Vars { transaction: Some(&txn), ..Vars::NONE };
            assert!(!condition.holds(&Env::new(&session, vars, &arena)));
            arena.reset();
        });
        assert_eq!(count, 0, "{text}");
    }
}

#[test]
fn expressions_and_maps_allocate_nothing() {
    let (session, txn) = session();
    let registry = Registry::builtin();
    for text in [
        "src",
        "src,ipmask(24)",
        "var(txn.host),lower,map(hosts)",
        "var(txn.host),lower,map_end(hosts)",
        "var(txn.path),field(3,/),concat(-,txn.host)",
        "date,http_date",
        "src_port,add(1)",
        "var(txn.host),base64",
        "var(txn.host),lower,sdbm(1)",
    ] {
        let program = parse::parse(text, &registry, &mut Maps).unwrap();
        let mut arena = Arena::new();
        let count = warm_allocations_of(|| {
            let vars = Vars { transaction: Some(&txn), ..Vars::NONE };
            assert!(program.eval_str(&Env::new(&session, vars, &arena)).is_some());
            arena.reset();
        });
        assert_eq!(count, 0, "{text}");
    }
}

#[test]
fn log_lines_and_header_values_allocate_nothing() {
    let (session, _) = session();
    let registry = Registry::builtin();
    for (text, style) in
        [(HTTP_LOG, Style::Log), ("%ci:%cp %[src,ipmask(24)]", Style::Header), ("%ID %ms", Style::UniqueId)]
    {
        let template = Template::parse(text, style, Phases::ALL, &registry, &mut Maps).unwrap();
        let (mut arena, mut out) = (Arena::new(), Vec::new());
        let count = warm_allocations_of(|| {
            out.clear();
            template.write(&Env::new(&session, Vars::NONE, &arena), &mut out);
            arena.reset();
        });
        assert_eq!(count, 0, "{text}");
    }
}
