//! What reading a configuration costs: 1,000 backends of 20 servers, from text to specification.

#![allow(missing_docs, reason = "criterion's macros generate public items without documentation")]

use std::fmt::Write;
use std::hint::black_box;

use cfg_haproxy::{Facts, Host, NoEnv, Source};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lb_core::expr::Registry;

fn text(backends: usize, servers: usize) -> String {
    let mut text = String::from(
        "global\n    maxconn 5000\ndefaults\n    mode http\n    timeout connect 5s\n    timeout client 60s\n    \
         timeout server 60s\nfrontend fe\n    bind 127.0.0.1:8000\n",
    );
    // Writing to a string cannot fail.
    for at in 0..backends {
        let _ = writeln!(text, "    use_backend be{at} if {{ hdr(host) -i www{at}.example.com }}");
    }
    for at in 0..backends {
        let _ = writeln!(text, "backend be{at}\n    balance roundrobin");
        for server in 1..=servers {
            let _ = writeln!(text, "    server s{server} 10.{}.{}.{server}:80 weight 10", at / 250, at % 250);
        }
    }
    text
}

fn load(criterion: &mut Criterion) {
    let text = text(1000, 20);
    let mut registry = Registry::builtin();
    lb_proto_http::fetch::register(&mut registry);
    let mut group = criterion.benchmark_group("cfg-load");
    group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(10);
    group.bench_function("1000x20", |bencher| {
        bencher.iter(|| {
            let sources = [Source::new("haproxy.cfg", &text)];
            black_box(cfg_haproxy::load(&sources, &NoEnv, &Facts::default(), Host::ANY, &registry))
        });
    });
    group.finish();
}

criterion_group!(benches, load);
criterion_main!(benches);
