//! Building and searching maps of 100,000 entries.

use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use lb_core::expr::map::{Output, Reference, ViewSpec};
use lb_core::expr::pattern::{Flags, Method};
use lb_core::expr::{Arena, Sample};

const ENTRIES: u32 = 100_000;

fn hosts() -> String {
    let mut text = String::new();
    for n in 0..ENTRIES {
        writeln!(text, "host{n}.example{}.org be{}", n % 97, n % 50).expect("writing to a String");
    }
    text
}

fn networks() -> String {
    let mut text = String::new();
    for n in 0..ENTRIES {
        writeln!(text, "10.{}.{}.{}/{} net{n}", n >> 12 & 255, n >> 4 & 255, n << 4 & 255, 24 + n % 9)
            .expect("writing to a String");
    }
    text
}

const fn spec(method: Method) -> ViewSpec {
    ViewSpec { method, ignore_case: false, output: Output::Str }
}

fn searching(c: &mut Criterion) {
    let hosts = Reference::from_text("hosts", &hosts(), true);
    let networks = Reference::from_text("networks", &networks(), true);
    let mut arena = Arena::new();
    for (name, reference, method, sample) in [
        ("map_str", &hosts, Method::Str, Sample::Str(b"host77777.example80.org")),
        ("map_str, absent", &hosts, Method::Str, Sample::Str(b"host77777.example81.org")),
        ("map_beg", &hosts, Method::Beg, Sample::Str(b"host77777.example80.org/path/to/it")),
        ("map_end", &hosts, Method::End, Sample::Str(b"www.host77777.example80.org")),
        ("map_dom", &hosts, Method::Dom, Sample::Str(b"www.host77777.example80.org:80")),
        ("map_ip", &networks, Method::Ip, Sample::Ipv4([10, 7, 7, 7].into())),
    ] {
        let view = reference.view(spec(method), Flags::default()).expect("valid entries");
        c.bench_function(name, |b| {
            b.iter(|| {
                let found = black_box(view.lookup(black_box(sample), &arena)).is_some();
                arena.reset();
                found
            });
        });
    }
}

fn building(c: &mut Criterion) {
    let text = hosts();
    let mut group = c.benchmark_group("100,000 entries");
    group.sample_size(10);
    group.bench_function("read and compile", |b| {
        b.iter(|| {
            let reference = Reference::from_text("hosts", &text, true);
            reference.view(spec(Method::Str), Flags::default()).expect("valid entries")
        });
    });
    group.bench_function("one change while in use", |b| {
        let reference = Reference::from_text("hosts", &text, true);
        let _view = reference.view(spec(Method::Str), Flags::default()).expect("valid entries");
        // The first change makes the writable copy and the index of the keys.
        reference.add("first.example.org", Some("be1")).expect("a valid entry");
        reference.remove("first.example.org").expect("just added");
        b.iter(|| {
            reference.add("new.example.org", Some("be1")).expect("a valid entry");
            reference.remove("new.example.org").expect("just added")
        });
    });
    group.finish();
}

criterion_group!(benches, searching, building);
criterion_main!(benches);
