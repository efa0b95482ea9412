use super::*;
use crate::expr::{Arena, EngineView, Facts, NoBuild, Now, Registry, Vars, parse};
use crate::stick::{KeyType, SharedTable, Store, TableSpec};

struct Engine(Arc<SharedTable>);

impl EngineView for Engine {
    fn table(&self, name: &str) -> Option<&Arc<SharedTable>> {
        (name == "t").then_some(&self.0)
    }
}

struct Scene(Engine, Instant);

impl Facts for Scene {
    fn now(&self) -> Now {
        Now { date: Duration::ZERO, instant: self.1 }
    }

    fn engine(&self) -> &dyn EngineView {
        &self.0
    }
}

fn scene() -> Scene {
    let now = crate::expr::testing::instant();
    let mut spec = TableSpec::new("t", KeyType::Integer, 10);
    spec.add_store(Store::rate(DataType::BytesOutRate, Duration::from_secs(1)));
    Scene(Engine(SharedTable::new(spec, now)), now)
}

fn program(text: &str) -> Program {
    parse::parse(text, &Registry::builtin(), &mut NoBuild).unwrap()
}

fn shaper(quota: Quota, min_size: u32) -> Arc<Shaper> {
    let direction = Direction::Response;
    Arc::new(Shaper { owner: "web".into(), place: 0, direction, quota, min_size })
}

fn per_stream(limit: u32, period: u32, min_size: u32) -> Arc<Shaper> {
    shaper(Quota::Stream { limit, period }, min_size)
}

fn shared(limit: u32) -> Arc<Shaper> {
    shaper(Quota::Shared { limit, key: program("int(7)"), table: "t".into() }, 0)
}

fn limiter(scene: &Scene, shaper: &Arc<Shaper>, limit: Option<&str>) -> Limiter {
    let set = SetBandwidth { shaper: Arc::clone(shaper), limit: limit.map(program), period: None };
    let arena = Arena::new();
    set.limiter(&Env::new(scene, Vars::NONE, &arena)).unwrap()
}

/// Limits of both directions to so many bytes each in a time that no test takes.
pub(crate) fn strict(limit: u32) -> StreamLimits {
    let response = per_stream(limit, 1_000_000, 0);
    let request = Arc::new(Shaper { direction: Direction::Request, ..(*response).clone() });
    let mut limits = StreamLimits::default();
    for shaper in [request, response] {
        limits.set(limiter(&scene(), &shaper, None));
    }
    limits
}

/// Passes up to `most` bytes at a time, as soon as that is allowed, for `seconds`; the bytes, and the least of one time.
fn run(streams: &mut [Vec<Limiter>], now: Instant, seconds: u64, most: usize) -> (Vec<u64>, usize) {
    let (mut passed, mut least) = (vec![0; streams.len()], usize::MAX);
    let mut next = vec![now; streams.len()];
    while let Some((at, &due)) = next.iter().enumerate().min_by_key(|(_, due)| **due) {
        if due >= now + Duration::from_secs(seconds) {
            break;
        }
        match allow(&mut streams[at], due, most) {
            Ok(bytes) => {
                assert!(bytes > 0 && bytes <= most);
                charge(&mut streams[at], due, bytes as u64);
                passed[at] += bytes as u64;
                least = least.min(bytes);
            }
            Err(until) => {
                assert!(until > due, "it would be asked for ever");
                next[at] = until;
            }
        }
    }
    (passed, least)
}

#[test]
fn a_stream_keeps_to_its_limit_without_a_burst() {
    let scene = scene();
    for (limit, period, min_size) in
        [(100_000, 1000, 0), (100_000, 1000, 2896), (1_000_000, 10_000, 0), (500, 1000, 0)]
    {
        let shaper = per_stream(limit, period, min_size);
        let mut streams = [vec![limiter(&scene, &shaper, None)]];
        let seconds = 40;
        let (passed, least) = run(&mut streams, scene.1, seconds, 16_384);
        let fair = u64::from(limit) * seconds * 1000 / u64::from(period);
        assert!(passed[0] <= fair + 16_384, "{limit}/{period}/{min_size}: {passed:?} of {fair}");
        assert!(passed[0] * 10 >= fair * 8, "{limit}/{period}/{min_size}: {passed:?} of {fair}");
        assert!(least >= min_size as usize, "{least}");
        let (first, _) = run(&mut [vec![limiter(&scene, &shaper, None)]], scene.1, 1, 16_384);
        assert!(first[0] <= fair / seconds + 16_384, "{first:?} in the first second");
    }
}

#[test]
fn a_rule_may_set_another_limit() {
    let scene = scene();
    let shaper = per_stream(1_000_000, 1000, 0);
    for (text, limit) in [("int(10000)", 10_000), ("int(0)", 1_000_000), ("str(x)", 1_000_000)] {
        let mut streams = [vec![limiter(&scene, &shaper, Some(text))]];
        let (passed, _) = run(&mut streams, scene.1, 10, 16_384);
        assert!((limit * 9..=limit * 11 + 16_384).contains(&passed[0]), "{text}: {passed:?}");
    }
}

#[test]
fn streams_of_one_key_share_its_limit() {
    let scene = scene();
    let shaper = shared(200_000);
    let mut streams: Vec<_> = (0..4).map(|_| vec![limiter(&scene, &shaper, None)]).collect();
    let (passed, _) = run(&mut streams, scene.1, 20, 4096);
    let all: u64 = passed.iter().sum();
    assert!((3_200_000..=4_400_000).contains(&all), "{passed:?}");
    assert!(passed.iter().all(|own| *own > 100_000), "{passed:?}");
    let table = &scene.0.0;
    let key = crate::stick::Key::Integer(7);
    let users = || table.lookup(&key, scene.1, |table, id, _| table.users(id)).unwrap();
    assert_eq!(users(), 4);
    drop(streams);
    assert_eq!(users(), 0);
}

#[test]
fn what_a_long_stream_used_up_counts_for_the_next_one() {
    let now = crate::expr::testing::instant();
    let mut spec = TableSpec::new("t", KeyType::Integer, 10);
    spec.expire = Some(Duration::from_secs(2));
    spec.add_store(Store::rate(DataType::BytesOutRate, Duration::from_secs(1)));
    let mut scene = Scene(Engine(SharedTable::new(spec, now)), now);
    let mut streams = [vec![limiter(&scene, &shared(1000), None)]];
    run(&mut streams, now, 5, 1000);
    let end = now + Duration::from_secs(5);
    drop(streams);
    scene.1 = end;
    let mut next = vec![limiter(&scene, &shared(1000), None)];
    assert!(!matches!(allow(&mut next, end, 1000), Ok(1000)), "the quota is used up");
}

#[test]
fn the_lowest_of_several_limits_counts() {
    let scene = scene();
    let both = vec![
        limiter(&scene, &shared(50_000), None),
        limiter(&scene, &per_stream(1_000_000, 1000, 0), Some("int(100000)")),
    ];
    let (passed, _) = run(&mut [both], scene.1, 20, 4096);
    assert!((800_000..=1_050_000).contains(&passed[0]), "{passed:?}");
}

#[test]
fn limits_stand_in_the_order_of_the_configuration_and_the_last_rule_counts() {
    let scene = scene();
    let place = |place, limit| {
        let quota = Quota::Stream { limit, period: 1000 };
        Arc::new(Shaper { place, ..Arc::unwrap_or_clone(shaper(quota, 0)) })
    };
    let (first, second) = (place(0, 10), place(1, 20));
    let mut limits = StreamLimits::default();
    limits.set(limiter(&scene, &second, None));
    limits.set(limiter(&scene, &first, None));
    limits.set(limiter(&scene, &second, Some("int(30)")));
    assert_eq!(limits.response.iter().map(|l| l.limit).collect::<Vec<_>>(), [10, 30]);
    assert!(limits.request.is_empty());
}
