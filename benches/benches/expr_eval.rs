//! Cost of evaluating conditions and expressions, per request.
//!
//! The set of ACLs is the one of a typical frontend: a few prefixes, suffixes, a host list, a
//! network list and a flag. What is measured is the evaluation alone, on a session that answers
//! from memory.

use std::collections::HashMap;
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use lb_core::expr::{
    Arena, Env, Facts, FetchDef, FetchFn, Needs, NoBuild, Now, Registry, Sample, SampleType, Vars, parse,
};
use lb_core::rule::cond::{self, Acl, Polarity};

struct Session(Now);

impl Facts for Session {
    fn now(&self) -> Now {
        self.0
    }
    fn src(&self) -> Option<SocketAddr> {
        Some(SocketAddr::from(([192, 168, 7, 9], 40000)))
    }
}

#[expect(clippy::disallowed_methods, reason = "the clock of a benchmark")]
fn session() -> Session {
    Session(Now { date: Duration::from_secs(1_792_682_910), instant: Instant::now() })
}

const ACLS: [(&str, &str); 10] = [
    ("static_dir", "path -m beg /static /images /img /css"),
    ("static_ext", "path -m end .gif .png .jpg .css .js"),
    ("api", "path -m beg /api/"),
    ("www", "host -m str -i www.example.org example.org"),
    ("img", "host -m beg -i img. video. download. ftp."),
    ("intern", "src 10.0.0.0/8 172.16.0.0/12"),
    ("admin", "path -m dir admin"),
    ("bot", "agent -m sub -i bot spider crawler"),
    ("port", "src_port lt 1024"),
    ("tls", "ssl_fc"),
];

fn acls(registry: &Registry) -> HashMap<String, Arc<Acl>> {
    ACLS.iter()
        .map(|(name, text)| {
            let words: Vec<&str> = text.split(' ').collect();
            let (test, _) = cond::parse_test(&words, name, registry, &mut NoBuild).expect("a valid test");
            let mut acl = Acl::new(name);
            acl.push(test);
            ((*name).to_owned(), Arc::new(acl))
        })
        .collect()
}

/// Fetches that borrow from the message, as those of a protocol do.
static FETCHES: &[FetchDef] = &[
    text("path", |_, _| Some(Sample::Str(b"/shop/items/4711.html"))),
    text("host", |_, _| Some(Sample::Str(b"WWW.Example.org"))),
    text("agent", |_, _| {
        Some(Sample::Str(b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"))
    }),
];

const fn text(name: &'static str, eval: FetchFn) -> FetchDef {
    FetchDef::new(name, SampleType::Str, Needs::HTTP_REQUEST, eval)
}

fn registry() -> Registry {
    let mut registry = Registry::builtin();
    registry.add_fetches(FETCHES);
    registry
}

fn conditions(c: &mut Criterion) {
    let registry = registry();
    let acls = acls(&registry);
    let text = "static_dir or static_ext or api or intern or admin or bot or port or tls or img or !www";
    let words: Vec<&str> = text.split(' ').collect();
    let (condition, _) =
        cond::parse(&words, Polarity::If, &acls, &registry, &mut NoBuild).expect("a valid condition");
    let session = session();
    let mut arena = Arena::new();
    c.bench_function("ten ACLs, none true", |b| {
        b.iter(|| {
            let held = { condition.eval(black_box(&Env::new(&session, Vars::NONE, &arena))) };
            arena.reset();
            held
        });
    });
}

fn programs(c: &mut Criterion) {
    let registry = registry();
    let session = session();
    let mut arena = Arena::new();
    for text in ["src", "src,ipmask(24)", "host,lower", "path,field(3,/),lower", "date,http_date"] {
        let program = parse::parse(text, &registry, &mut NoBuild).expect("a valid expression");
        c.bench_function(text, |b| {
            b.iter(|| {
                let len = {
                    let env = Env::new(&session, Vars::NONE, &arena);
                    black_box(program.eval_str(&env)).map_or(0, <[u8]>::len)
                };
                arena.reset();
                len
            });
        });
    }
}

criterion_group!(benches, conditions, programs);
criterion_main!(benches);
