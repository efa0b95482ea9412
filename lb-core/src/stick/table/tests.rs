use std::time::Duration;

use proptest::prelude::*;

use super::super::spec::{KeyType, Store};
use super::*;

fn spec(size: usize, expire: Option<u64>) -> TableSpec {
    let mut spec = TableSpec::new("t", KeyType::Ip, size);
    spec.expire = expire.map(Duration::from_millis);
    spec.add_store(Store::new(DataType::ConnCnt));
    spec.add_store(Store::rate(DataType::ConnRate, Duration::from_secs(1)));
    spec.add_store(Store { data: DataType::Gpc, count: 3, period: Duration::ZERO });
    spec.add_store(Store::new(DataType::ServerKey));
    spec
}

fn table(spec: TableSpec) -> Table {
    let size = spec.size;
    Table::new(Arc::new(spec), size)
}

fn key(n: u32) -> Key {
    Key::Ip(n)
}

#[test]
fn values_are_kept_per_key_and_type() {
    let mut table = table(spec(10, None));
    let a = table.find_or_insert(&key(1), 0).unwrap();
    let b = table.find_or_insert(&key(2), 0).unwrap();
    assert_eq!(table.add(a, DataType::ConnCnt, 0, 2, 0), Some(2));
    assert_eq!(table.add(a, DataType::Gpc, 2, 5, 0), Some(5));
    assert_eq!(table.add(a, DataType::ConnRate, 0, 7, 0), Some(7));
    assert_eq!(table.get(a, DataType::ConnCnt, 0, 0), Some(2));
    assert_eq!(table.get(a, DataType::Gpc, 1, 0), Some(0));
    assert_eq!(table.get(a, DataType::Gpc, 3, 0), None, "beyond the array");
    assert_eq!(table.get(a, DataType::SessCnt, 0, 0), None, "not stored");
    assert_eq!(table.get(b, DataType::ConnCnt, 0, 0), Some(0));
    assert_eq!(table.get(a, DataType::ConnRate, 0, 1500), Some(3));
    assert_eq!(table.set(a, DataType::ConnCnt, 0, 0, 0), Some(2));
    table.set_server(a, 3, "srv", 0);
    assert_eq!(table.server(a).as_deref(), Some("srv"));
}

#[test]
fn entries_expire_after_their_last_update() {
    let mut table = table(spec(10, Some(1000)));
    let id = table.find_or_insert(&key(1), 0).unwrap();
    assert_eq!(table.expires_in(id, 400), Some(600));
    table.touch(id, 900);
    assert!(table.find(&key(1), 1500).is_some());
    assert!(table.find(&key(1), 1900).is_none());
    table.add(id, DataType::ConnCnt, 0, 9, 1500);
    let fresh = table.find_or_insert(&key(1), 2000).unwrap();
    assert_eq!(table.get(fresh, DataType::ConnCnt, 0, 2000), Some(0), "a new entry");
    assert_eq!(table.get(id, DataType::ConnCnt, 0, 2000), None, "the old one is gone");
}

#[test]
fn tracked_entries_stay() {
    let mut table = table(spec(2, Some(1000)));
    let id = table.find_or_insert(&key(1), 0).unwrap();
    table.acquire(id);
    assert!(table.find(&key(1), 5000).is_some());
    assert!(!table.remove(id));
    for n in 2..10 {
        assert!(table.find_or_insert(&key(n), 0).is_some());
    }
    assert_eq!(table.len(), 2);
    assert!(table.find(&key(1), 0).is_some());
    table.release(id, 5000);
    assert_eq!(table.expires_in(id, 5000), Some(1000));
    assert!(table.remove(id));
}

#[test]
fn a_full_table_drops_the_oldest_or_refuses() {
    let mut purging = table(spec(2, None));
    for n in 0..3 {
        purging.find_or_insert(&key(n), n.into()).unwrap();
    }
    assert!(purging.find(&key(0), 9).is_none() && purging.find(&key(1), 9).is_some());
    let mut strict = table(TableSpec { nopurge: true, ..spec(2, Some(100)) });
    assert!(strict.find_or_insert(&key(0), 0).is_some());
    assert!(strict.find_or_insert(&key(1), 0).is_some());
    assert!(strict.find_or_insert(&key(2), 50).is_none());
    assert!(strict.find_or_insert(&key(2), 100).is_some(), "expired entries make room");
    let mut none = table(spec(0, None));
    assert!(none.find_or_insert(&key(0), 0).is_none());
}

proptest! {
    /// Any sequence of operations keeps the size bounded and agrees with a plain map.
    #[test]
    fn random_operations_agree_with_a_map(ops in prop::collection::vec((0u8..5, 0u32..8), 1..200)) {
        let mut table = table(spec(100, None));
        let mut model: HashMap<u32, u64> = Default::default();
        for (now, (op, n)) in ops.into_iter().enumerate() {
            let now = now as u64;
            match op {
                0 | 1 => {
                    let id = table.find_or_insert(&key(n), now).unwrap();
                    table.add(id, DataType::ConnCnt, 0, 1, now);
                    *model.entry(n).or_default() += 1;
                }
                2 => {
                    if let Some(id) = table.find(&key(n), now) {
                        prop_assert!(table.remove(id));
                    }
                    model.remove(&n);
                }
                3 => {
                    if let Some(id) = table.find(&key(n), now) {
                        table.touch(id, now);
                    }
                }
                _ => {
                    let read = table.find(&key(n), now).and_then(|id| table.get(id, DataType::ConnCnt, 0, now));
                    prop_assert_eq!(read, model.get(&n).copied());
                }
            }
            prop_assert_eq!(table.len(), model.len());
            table.check_invariants();
        }
        let mut seen = 0;
        table.for_each(0, |_, view| { seen += 1; assert!(matches!(view.key, Key::Ip(n) if model.contains_key(&n))); });
        prop_assert_eq!(seen, model.len());
    }

    /// However many keys arrive, a table never exceeds its size.
    #[test]
    fn memory_is_bounded(keys in prop::collection::vec(0u32..1000, 1..300), size in 1usize..20) {
        let mut table = table(spec(size, Some(50)));
        for (now, n) in keys.into_iter().enumerate() {
            prop_assert!(table.find_or_insert(&key(n), now as u64).is_some());
            prop_assert!(table.len() <= size && table.entries.len() <= size);
        }
    }
}
