//! Tests of the algorithms as a user of the module sees them.

use super::*;
use crate::rng::Rng;

fn build(algorithm: Algorithm, weights: &[u32]) -> Box<dyn Balancer> {
    build_with(algorithm, weights, |_| {})
}

fn build_with(
    algorithm: Algorithm,
    weights: &[u32],
    change: impl FnOnce(&mut Definition),
) -> Box<dyn Balancer> {
    let members =
        weights.iter().enumerate().map(|(index, &weight)| Member::new(index as u32 + 1, weight)).collect();
    let mut definition = Definition::new(algorithm, members);
    change(&mut definition);
    definition.build(Rng::new(1)).unwrap()
}

/// The next choices as letters, `-` for none.
fn picks(balancer: &mut dyn Balancer, count: usize) -> String {
    (0..count).map(|_| letter(balancer.pick(PickKey::new()))).collect()
}

fn letter(server: Option<ServerId>) -> char {
    server.map_or('-', |server| (b'a' + server.0 as u8) as char)
}

fn weight(server: u32, weight: u32) -> ServerEvent {
    ServerEvent::Weight { server: ServerId(server), weight }
}

/// Fixed loads for tests.
#[derive(Default)]
struct Loads(Vec<Load>);

impl Loads {
    /// Servers that serve `.0` requests of at most `.1`.
    fn of(loads: &[(u32, u32)]) -> Self {
        Self(
            loads
                .iter()
                .map(|&(served, limit)| Load { served, limit: Some(limit), ..Load::default() })
                .collect(),
        )
    }
}

impl Occupancy for Loads {
    fn load(&self, server: ServerId) -> Load {
        self.0[server.index()]
    }

    fn served(&self) -> u32 {
        self.0.iter().map(|load| load.served).sum()
    }
}

mod round_robin {
    use super::*;

    #[test]
    fn known_sequences_repeat() {
        for (weights, sequence) in
            [(&[3, 2, 1][..], "abacab"), (&[5, 1, 1], "aaabaac"), (&[1, 1, 1], "abc"), (&[256, 256], "ab")]
        {
            let mut balancer = build(Algorithm::RoundRobin, weights);
            let expected = sequence.repeat(5);
            assert_eq!(picks(&mut *balancer, expected.len()), expected, "{weights:?}");
        }
    }

    #[test]
    fn shares_follow_the_weights() {
        let mut balancer = build(Algorithm::RoundRobin, &[100, 37, 1, 9]);
        let chosen = picks(&mut *balancer, 147 * 3);
        for (server, share) in [('a', 300), ('b', 111), ('c', 3), ('d', 27)] {
            assert_eq!(chosen.matches(server).count(), share);
        }
    }

    #[test]
    fn saturated_servers_are_passed_over() {
        let mut balancer = build(Algorithm::RoundRobin, &[1, 1, 1]);
        let loads = Loads::of(&[(0, 1), (1, 1), (0, 1)]);
        let key = PickKey::new().with_occupancy(&loads);
        let chosen: String = (0..6).map(|_| letter(balancer.pick(key))).collect();
        assert!(!chosen.contains('b') && chosen.matches('a').count() == 3, "{chosen}");
        let full = Loads::of(&[(1, 1), (1, 1), (1, 1)]);
        assert_eq!(balancer.pick(PickKey::new().with_occupancy(&full)), None);
        assert_eq!(picks(&mut *balancer, 6).matches('b').count(), 2);
    }

    #[test]
    fn the_failed_server_is_avoided_unless_it_is_the_only_one() {
        let mut balancer = build(Algorithm::RoundRobin, &[5, 1]);
        for _ in 0..20 {
            assert_eq!(letter(balancer.pick(PickKey::new().avoiding(Some(ServerId(0))))), 'b');
        }
        balancer.on(weight(1, 0));
        assert_eq!(letter(balancer.pick(PickKey::new().avoiding(Some(ServerId(0))))), 'a');
    }

    #[test]
    fn a_new_weight_takes_effect_within_a_round() {
        let mut balancer = build(Algorithm::RoundRobin, &[1, 1]);
        picks(&mut *balancer, 7);
        balancer.on(weight(0, 9 * weight::SCALE));
        picks(&mut *balancer, 20);
        assert_eq!(picks(&mut *balancer, 100).matches('a').count(), 90);
    }

    #[test]
    fn servers_come_and_go() {
        let mut balancer = build(Algorithm::RoundRobin, &[1, 1, 1]);
        picks(&mut *balancer, 2);
        balancer.on(weight(2, 0));
        assert!(!picks(&mut *balancer, 10).contains('c'));
        balancer.on(weight(0, 0));
        balancer.on(weight(1, 0));
        assert_eq!(picks(&mut *balancer, 2), "--");
        balancer.on(weight(2, weight::SCALE));
        assert_eq!(picks(&mut *balancer, 3), "ccc");
        balancer.on(weight(0, weight::SCALE));
        balancer.on(weight(1, weight::SCALE));
        picks(&mut *balancer, 6);
        let chosen = picks(&mut *balancer, 30);
        assert!("abc".chars().all(|server| chosen.matches(server).count() == 10), "{chosen}");
    }

    #[test]
    fn servers_that_were_away_take_up_their_remainders() {
        // As HAProxy chose when servers were disabled and enabled again.
        for (weights, expected) in [
            (&[5, 3][..], "aaba aa aabab b aababaabaaba"),
            (&[3, 2, 2], "abac aa cabca b cabacbacabac"),
            (&[7, 3, 1], "aaba aa caaba b abaacabaabaa"),
            (&[5, 2, 3], "acab ac acaab c cabcaacabaca"),
        ] {
            let mut balancer = build(Algorithm::RoundRobin, weights);
            let mut chosen = picks(&mut *balancer, 4);
            for (server, without, count) in [(1, 2, 5), (0, 1, 12)] {
                balancer.on(weight(server, 0));
                chosen += &format!(" {}", picks(&mut *balancer, without));
                balancer.on(weight(server, weights[server as usize] * weight::SCALE));
                chosen += &format!(" {}", picks(&mut *balancer, count));
            }
            assert_eq!(chosen, expected, "{weights:?}");
        }
    }
}

mod backup {
    use super::*;

    fn with_backups(algorithm: Algorithm, all: bool) -> Box<dyn Balancer> {
        build_with(algorithm, &[1, 1, 1, 1], |definition| {
            definition.all_backups = all;
            definition.members[2].backup = true;
            definition.members[3].backup = true;
        })
    }

    #[test]
    fn only_the_first_usable_backup_serves_without_active_servers() {
        for algorithm in
            [Algorithm::RoundRobin, Algorithm::StaticRr, Algorithm::LeastConn, Algorithm::DEFAULT]
        {
            let mut balancer = with_backups(algorithm, false);
            assert!(!picks(&mut *balancer, 20).contains(['c', 'd']));
            balancer.on(weight(0, 0));
            balancer.on(weight(1, 0));
            assert_eq!(picks(&mut *balancer, 3), "ccc");
            balancer.on(weight(2, 0));
            assert_eq!(picks(&mut *balancer, 3), "ddd");
            balancer.on(weight(2, 1));
            assert_eq!(picks(&mut *balancer, 3), "ccc");
            balancer.on(weight(1, 1));
            assert_eq!(picks(&mut *balancer, 3), "bbb");
        }
    }

    #[test]
    fn all_backups_serve_when_asked_to() {
        let mut balancer = with_backups(Algorithm::RoundRobin, true);
        balancer.on(weight(0, 0));
        balancer.on(weight(1, 0));
        assert_eq!(picks(&mut *balancer, 4), "cdcd");
    }

    #[test]
    fn the_census_counts_both_groups() {
        let mut balancer = with_backups(Algorithm::StaticRr, false);
        balancer.on(weight(3, 0));
        balancer.on(weight(3, 0));
        let first_backup = Some(ServerId(2));
        assert_eq!(
            balancer.census(),
            Census { active: 2, backup: 1, active_weight: 2, backup_weight: 1, first_backup }
        );
    }
}

mod least_conn {
    use super::*;

    fn load(balancer: &mut dyn Balancer, server: u32, inflight: u32) {
        balancer.on(ServerEvent::Load { server: ServerId(server), inflight });
    }

    #[test]
    fn idle_servers_take_turns() {
        let mut balancer = build(Algorithm::LeastConn, &[1, 1, 1]);
        let mut chosen = String::new();
        for _ in 0..6 {
            let server = balancer.pick(PickKey::new()).unwrap();
            chosen.push(letter(Some(server)));
            load(&mut *balancer, server.0, 1);
            load(&mut *balancer, server.0, 0);
        }
        assert_eq!(chosen, "abcabc");
    }

    #[test]
    fn the_least_loaded_for_its_weight_is_chosen() {
        let mut balancer = build(Algorithm::LeastConn, &[1, 3]);
        let mut inflight = [0, 0];
        let mut chosen = String::new();
        for _ in 0..8 {
            let server = balancer.pick(PickKey::new()).unwrap();
            inflight[server.index()] += 1;
            load(&mut *balancer, server.0, inflight[server.index()]);
            chosen.push(letter(Some(server)));
        }
        // Loads are compared as (n + 1) / weight: 2/1 against 2/3, 3/3, 4/3, 5/3, then 2/1 twice.
        assert_eq!(chosen, "abbbbbab");
    }

    #[test]
    fn full_servers_are_passed_over_unless_they_may_queue() {
        let mut balancer = build(Algorithm::LeastConn, &[1, 1]);
        load(&mut *balancer, 1, 9);
        let mut loads = Loads::of(&[(1, 1), (9, 10)]);
        assert_eq!(letter(balancer.pick(PickKey::new().with_occupancy(&loads))), 'b');
        loads.0[0].max_queue = 1;
        assert_eq!(letter(balancer.pick(PickKey::new().with_occupancy(&loads))), 'a');
        loads.0[0].queued = 1;
        assert_eq!(letter(balancer.pick(PickKey::new().with_occupancy(&loads))), 'b');
        assert_eq!(letter(balancer.pick(PickKey::new())), 'a');
    }
}

mod first {
    use super::*;

    #[test]
    fn fills_servers_in_the_order_of_their_ids() {
        let mut balancer =
            build_with(Algorithm::First, &[1, 1, 1], |definition| definition.members[0].id = 9);
        assert_eq!(picks(&mut *balancer, 3), "bbb");
        let mut loads = Loads::of(&[(0, 2), (2, 2), (1, 2)]);
        assert_eq!(letter(balancer.pick(PickKey::new().with_occupancy(&loads))), 'c');
        // Full servers are noticed again when their load changes, or all limits do.
        loads.0[1].served = 1;
        balancer.on(ServerEvent::Load { server: ServerId(1), inflight: 1 });
        assert_eq!(letter(balancer.pick(PickKey::new().with_occupancy(&loads))), 'b');
        let full = Loads::of(&[(2, 2), (2, 2), (2, 2)]);
        assert_eq!(balancer.pick(PickKey::new().with_occupancy(&full)), None);
        balancer.on(ServerEvent::Limits);
        assert_eq!(picks(&mut *balancer, 1), "b");
        assert_eq!(letter(balancer.pick(PickKey::new().avoiding(Some(ServerId(1))))), 'c');
    }
}

mod static_rr {
    use super::*;

    #[test]
    fn walks_the_map() {
        let mut balancer = build(Algorithm::StaticRr, &[30, 20, 10]);
        assert_eq!(picks(&mut *balancer, 12), "aababcaababc");
        balancer.on(weight(0, 0));
        assert_eq!(picks(&mut *balancer, 6), "bbcbbc");
    }

    #[test]
    fn passes_over_full_and_avoided_servers() {
        let mut balancer = build(Algorithm::StaticRr, &[1, 1, 1]);
        let loads = Loads::of(&[(1, 1), (0, 1), (0, 1)]);
        let key = PickKey::new().with_occupancy(&loads);
        assert_eq!((0..4).map(|_| letter(balancer.pick(key))).collect::<String>(), "bcbc");
        assert_eq!(letter(balancer.pick(key.avoiding(Some(ServerId(1))))), 'c');
    }
}

mod sticky {
    use super::*;

    #[test]
    fn stays_until_the_server_fails() {
        let mut balancer = build(Algorithm::Sticky, &[1, 1, 1]);
        assert_eq!(picks(&mut *balancer, 2), "aa");
        balancer.on(weight(0, 0));
        assert_eq!(picks(&mut *balancer, 2), "bb");
        balancer.on(weight(0, 1));
        assert_eq!(picks(&mut *balancer, 2), "bb");
        balancer.on(weight(1, 0));
        assert_eq!(picks(&mut *balancer, 2), "aa");
    }
}

mod random {
    use super::*;

    #[test]
    fn one_draw_follows_the_weights() {
        let mut balancer = build(Algorithm::Random { draws: 1 }, &[30, 10]);
        let share = picks(&mut *balancer, 8000).matches('a').count();
        assert!((5600..6400).contains(&share), "{share}");
    }

    #[test]
    fn two_draws_avoid_the_busier_server() {
        let mut balancer = build(Algorithm::DEFAULT, &[1, 1, 1, 1]);
        let loads = Loads::of(&[(9, 100), (0, 100), (0, 100), (0, 100)]);
        let key = PickKey::new().with_occupancy(&loads);
        let busiest = (0..4000).filter(|_| letter(balancer.pick(key)) == 'a').count();
        assert!((150..450).contains(&busiest), "expected about a sixteenth, not {busiest}");
    }

    #[test]
    fn a_full_choice_means_no_choice() {
        let mut balancer = build(Algorithm::Random { draws: 1 }, &[1]);
        let loads = Loads::of(&[(1, 1)]);
        assert_eq!(balancer.pick(PickKey::new().with_occupancy(&loads)), None);
    }
}

mod hash {
    use super::*;

    fn consistent(weights: &[u32]) -> Box<dyn Balancer> {
        build_with(Algorithm::Hash, weights, |definition| {
            definition.hash = HashType::of(HashMethod::Consistent)
        })
    }

    fn map(balancer: &mut dyn Balancer, keys: u32) -> Vec<Option<ServerId>> {
        (0..keys)
            .map(|number| {
                balancer.pick(PickKey::new().with_key(Key::Bytes(format!("key{number}").as_bytes())))
            })
            .collect()
    }

    #[test]
    fn a_missing_key_takes_turns() {
        let mut mapped = build(Algorithm::Hash, &[1, 1, 1]);
        assert_eq!(picks(&mut *mapped, 6), "abcabc");
        let mut ring = consistent(&[1, 1, 1]);
        let chosen = picks(&mut *ring, 48);
        assert!("abc".chars().all(|server| chosen.matches(server).count() == 16), "{chosen}");
    }

    #[test]
    fn a_failure_moves_only_the_keys_of_the_failed_server() {
        let mut balancer = consistent(&[1, 1, 1, 1, 1]);
        let before = map(&mut *balancer, 2000);
        balancer.on(weight(2, 0));
        let without = map(&mut *balancer, 2000);
        for (before, without) in before.iter().zip(&without) {
            assert!(before == without || *before == Some(ServerId(2)));
            assert_ne!(*without, Some(ServerId(2)));
        }
        balancer.on(weight(2, weight::SCALE));
        assert_eq!(map(&mut *balancer, 2000), before);
    }

    #[test]
    fn the_avoided_server_gives_way_on_the_ring() {
        let mut balancer = consistent(&[1, 1]);
        let key = PickKey::new().with_key(Key::Bytes(b"x"));
        let own = balancer.pick(key).unwrap();
        assert_ne!(balancer.pick(key.avoiding(Some(own))), Some(own));
        let mut alone = consistent(&[1]);
        assert_eq!(letter(alone.pick(key.avoiding(Some(ServerId(0))))), 'a');
    }

    #[test]
    fn bounded_loads_send_the_surplus_to_the_next_server() {
        let mut balancer = build_with(Algorithm::Hash, &[1, 1, 1], |definition| {
            definition.hash = HashType::of(HashMethod::Consistent);
            definition.balance_factor = Some(150);
        });
        let mut loads = Loads(vec![Load::default(); 3]);
        for _ in 0..300 {
            let key = PickKey::new().with_key(Key::Bytes(b"the one hot key"));
            let server = balancer.pick(key.with_occupancy(&loads)).unwrap();
            loads.0[server.index()].served += 1;
        }
        let most = loads.0.iter().map(|load| load.served).max().unwrap();
        assert_eq!(most, 150);
    }

    #[test]
    fn affinity_may_end_at_the_connection_limit() {
        for (affinity, moves) in
            [(Affinity::Always, false), (Affinity::MaxConn, true), (Affinity::MaxQueue, false)]
        {
            let mut balancer = build_with(Algorithm::Hash, &[1, 1], |definition| {
                definition.hash = HashType::of(HashMethod::Consistent);
                definition.affinity = affinity;
            });
            let key = PickKey::new().with_key(Key::Bytes(b"x"));
            let own = balancer.pick(key).unwrap();
            let mut loads = Loads::of(&[(0, 1), (0, 1)]);
            loads.0[own.index()].served = 1;
            loads.0[own.index()].max_queue = 5;
            assert_eq!(balancer.pick(key.with_occupancy(&loads)) != Some(own), moves, "{affinity:?}");
        }
    }

    #[test]
    fn a_new_ring_key_moves_the_points() {
        let mut balancer = consistent(&[1, 1]);
        let before = map(&mut *balancer, 500);
        balancer.on(ServerEvent::RingKey { server: ServerId(0), key: 123_456 });
        let after = map(&mut *balancer, 500);
        assert_ne!(before, after);
        assert_eq!(picks(&mut *balancer, 32).matches('a').count(), 16);
    }

    #[test]
    fn of_servers_at_one_place_on_the_ring_the_one_that_came_last_is_nearer_from_above() {
        let mut balancer = consistent(&[1, 1]);
        for server in 0..2 {
            balancer.on(ServerEvent::RingKey { server: ServerId(server), key: 7 });
        }
        // Above a place its last point is the nearest, below it the first.
        let shares = |balancer: &mut dyn Balancer| {
            let all = map(balancer, 500);
            let first = all.iter().filter(|server| **server == Some(ServerId(0))).count();
            (first, all)
        };
        let before = shares(&mut *balancer);
        balancer.on(weight(0, 0));
        balancer.on(weight(0, weight::SCALE));
        let after = shares(&mut *balancer);
        assert_eq!(before.0 + after.0, 500);
        assert!(before.1.iter().zip(&after.1).all(|(before, after)| before != after));
    }
}
