//! What counting a request in a stick table costs: the entry found or made, two rates and a count updated.

#![allow(missing_docs, reason = "criterion's macros generate public items without documentation")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lb_core::stick::{DataType, Event, Key, KeyType, SharedTable, Store, TableSpec, Tracked};

fn update(criterion: &mut Criterion) {
    #[expect(clippy::disallowed_methods, reason = "a table is built at some instant")]
    let now = Instant::now();
    let mut group = criterion.benchmark_group("stick-track-request");
    for clients in [1u32, 1000, 100_000] {
        let mut spec = TableSpec::new("bench", KeyType::Integer, 200_000);
        spec.add_store(Store::new(DataType::HttpReqCnt));
        spec.add_store(Store::rate(DataType::HttpReqRate, Duration::from_secs(10)));
        spec.add_store(Store::rate(DataType::BytesOutRate, Duration::from_secs(10)));
        let table = SharedTable::new(spec, now);
        let mut next = 0;
        group.bench_function(BenchmarkId::from_parameter(clients), |bencher| {
            bencher.iter(|| {
                next = (next + 1) % clients;
                let mut tracked =
                    Tracked::start(&table, Key::Integer(next), now).expect("the table has room");
                tracked.count(Event::HttpRequest, now);
                tracked.count(Event::BytesOut(1024), now);
                black_box(tracked)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, update);
criterion_main!(benches);
