//! Properties of the balancing algorithms and of the pool that hold for every configuration and every sequence of events.

#![expect(clippy::unwrap_used, reason = "a property that cannot be evaluated has failed")]

use lb_core::balance::{
    Affinity, Algorithm, Balancer, Definition, HashMethod, HashType, Key, Load, Member, Occupancy, PickKey,
    ServerEvent, ServerId, weight,
};
use lb_core::rng::Rng;
use proptest::prelude::*;

fn definition(algorithm: Algorithm, weights: &[u32]) -> Definition {
    let members = weights.iter().zip(1..).map(|(&weight, id)| Member::new(id, weight)).collect();
    Definition::new(algorithm, members)
}

fn consistent(weights: &[u32]) -> Box<dyn Balancer> {
    let mut definition = definition(Algorithm::Hash, weights);
    definition.hash = HashType::of(HashMethod::Consistent);
    definition.build(Rng::new(0)).unwrap()
}

fn set(balancer: &mut dyn Balancer, server: usize, weight: u32) {
    balancer.on(ServerEvent::Weight { server: ServerId(server as u32), weight });
}

fn turns(balancer: &mut dyn Balancer, servers: usize, count: u32) -> Vec<u32> {
    let mut counts = vec![0; servers];
    for _ in 0..count {
        counts[balancer.pick(PickKey::new()).unwrap().index()] += 1;
    }
    counts
}

fn mapping(balancer: &mut dyn Balancer, keys: u32) -> Vec<ServerId> {
    let pick = |key: u32| balancer.pick(PickKey::new().with_key(Key::Bytes(&key.to_be_bytes()))).unwrap();
    (0..keys).map(pick).collect()
}

/// Loads as a test says.
struct Loads(Vec<Load>);

impl Loads {
    fn of(loads: &[(u32, u32)]) -> Self {
        let load = |&(served, limit): &(u32, u32)| {
            let mut load = Load::default();
            (load.served, load.limit) = (served, Some(limit));
            load
        };
        Self(loads.iter().map(load).collect())
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

fn weights() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(1..=20u32, 1..12)
}

fn every_algorithm() -> Vec<Algorithm> {
    let mut all = takes_turns();
    all.extend([Algorithm::Random { draws: 2 }, Algorithm::Hash, Algorithm::Sticky]);
    all
}

/// Algorithms that look for room and step aside for a server that has just failed.
fn takes_turns() -> Vec<Algorithm> {
    vec![Algorithm::RoundRobin, Algorithm::StaticRr, Algorithm::LeastConn, Algorithm::First]
}

fn build(algorithm: &Algorithm, weights: &[u32], consistent: bool) -> (Box<dyn Balancer>, u32) {
    let mut definition = definition(algorithm.clone(), weights);
    if consistent {
        definition.hash = HashType::of(HashMethod::Consistent);
    }
    (definition.build(Rng::new(3)).unwrap(), definition.weight_scale())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn turns_follow_the_weights(weights in weights(), rounds in 1..20u32) {
        let total: u32 = weights.iter().sum();
        // The smooth turns stray from the exact shares by less than a turn in ten rounds.
        for (algorithm, off) in [(Algorithm::RoundRobin, 1 + rounds / 10), (Algorithm::StaticRr, 0)] {
            let (mut balancer, _) = build(&algorithm, &weights, false);
            let counts = turns(&mut *balancer, weights.len(), total * rounds);
            for (count, weight) in counts.iter().zip(&weights) {
                prop_assert!(count.abs_diff(weight * rounds) <= off, "{counts:?} for {weights:?}");
            }
        }
    }

    #[test]
    fn turns_are_smooth(weights in weights()) {
        // Within any stretch of turns nobody is off its share by more than two turns.
        let total: u32 = weights.iter().sum();
        let (mut balancer, _) = build(&Algorithm::RoundRobin, &weights, false);
        let mut counts = vec![0u32; weights.len()];
        for turn in 1..=3 * total {
            counts[balancer.pick(PickKey::new()).unwrap().index()] += 1;
            for (count, weight) in counts.iter().zip(&weights) {
                let share = f64::from(turn * weight) / f64::from(total);
                prop_assert!((f64::from(*count) - share).abs() <= 2.0, "{counts:?} after {turn} of {weights:?}");
            }
        }
    }

    #[test]
    fn turns_recover_from_any_changes(
        weights in weights(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..=20u32, 0..30u32), 0..20),
    ) {
        let (mut balancer, scale) = build(&Algorithm::RoundRobin, &weights, false);
        let mut current = weights.clone();
        for (server, weight, picks) in changes {
            let server = server.index(weights.len());
            current[server] = weight;
            set(&mut *balancer, server, weight * scale);
            if current.iter().any(|&weight| weight > 0) {
                turns(&mut *balancer, weights.len(), picks);
            }
        }
        let total: u32 = current.iter().sum();
        if total > 0 {
            // Servers keep places they earned under earlier weights, so it takes a while until the shares are right.
            turns(&mut *balancer, weights.len(), 50 * total);
            let counts = turns(&mut *balancer, weights.len(), 10 * total);
            for (count, weight) in counts.iter().zip(&current) {
                prop_assert!(count.abs_diff(weight * 10) <= 3, "{counts:?} for {current:?}");
            }
        }
    }

    #[test]
    fn a_choice_is_always_usable(
        weights in prop::collection::vec(0..=5u32, 1..10),
        backups in any::<u16>(),
        all_backups in any::<bool>(),
        keys in prop::collection::vec(any::<u32>(), 1..20),
    ) {
        let is_backup = |server: usize| backups & (1 << server) != 0;
        let active = (0..weights.len()).any(|server| weights[server] > 0 && !is_backup(server));
        for algorithm in every_algorithm() {
            for consistent in [false, true] {
                let mut definition = definition(algorithm.clone(), &weights);
                definition.all_backups = all_backups;
                if consistent {
                    definition.hash = HashType::of(HashMethod::Consistent);
                }
                for (server, member) in definition.members.iter_mut().enumerate() {
                    member.backup = is_backup(server);
                }
                let mut balancer = definition.build(Rng::new(1)).unwrap();
                for key in &keys {
                    let picked = balancer.pick(PickKey::new().with_key(Key::Bytes(&key.to_be_bytes())));
                    prop_assert_eq!(picked.is_some(), weights.iter().any(|&weight| weight > 0));
                    if let Some(server) = picked {
                        prop_assert!(weights[server.index()] > 0);
                        prop_assert_eq!(is_backup(server.index()), !active);
                    }
                }
            }
        }
    }

    #[test]
    fn room_is_found_if_there_is_any(
        loads in prop::collection::vec((0..4u32, 1..4u32), 1..10),
        avoid in any::<prop::sample::Index>(),
    ) {
        let weights = vec![1; loads.len()];
        let occupancy = Loads::of(&loads);
        let has_room = |server: usize| loads[server].0 < loads[server].1;
        let avoid = avoid.index(loads.len());
        let others = (0..loads.len()).any(|server| server != avoid && has_room(server));
        for algorithm in takes_turns() {
            let (mut balancer, _) = build(&algorithm, &weights, false);
            for (server, load) in loads.iter().enumerate() {
                balancer.on(ServerEvent::Load { server: ServerId(server as u32), inflight: load.0 });
            }
            for _ in 0..5 {
                let key = PickKey::new().with_occupancy(&occupancy).avoiding(Some(ServerId(avoid as u32)));
                let picked = balancer.pick(key).map(ServerId::index);
                prop_assert_eq!(picked.is_some(), others || has_room(avoid), "{:?}", algorithm);
                if let Some(server) = picked {
                    prop_assert!(has_room(server));
                    prop_assert_eq!(server == avoid, !others);
                }
            }
        }
    }

    #[test]
    fn the_least_loaded_server_is_chosen(
        state in prop::collection::vec((1..=10u32, 0..20u32), 1..12),
    ) {
        let weights: Vec<_> = state.iter().map(|&(weight, _)| weight).collect();
        let (mut balancer, _) = build(&Algorithm::LeastConn, &weights, false);
        for (server, &(_, inflight)) in state.iter().enumerate() {
            balancer.on(ServerEvent::Load { server: ServerId(server as u32), inflight });
        }
        let burden = |&(weight, inflight): &(u32, u32)| match inflight {
            0 => 0,
            inflight => (inflight + 1) * weight::MAX / weight,
        };
        let picked = balancer.pick(PickKey::new()).unwrap().index();
        prop_assert_eq!(burden(&state[picked]), state.iter().map(burden).min().unwrap());
    }

    #[test]
    fn a_ring_loses_and_gains_only_the_keys_of_the_server_concerned(
        weights in prop::collection::vec(1..=5u32, 2..10),
        victim in any::<prop::sample::Index>(),
    ) {
        let victim = victim.index(weights.len());
        let mut balancer = consistent(&weights);
        let before = mapping(&mut *balancer, 500);
        set(&mut *balancer, victim, 0);
        let without = mapping(&mut *balancer, 500);
        for (before, without) in before.iter().zip(&without) {
            prop_assert!(before == without || before.index() == victim);
        }
        set(&mut *balancer, victim, weights[victim] * weight::SCALE);
        prop_assert_eq!(mapping(&mut *balancer, 500), before);
    }

    #[test]
    fn a_ring_depends_on_the_weights_alone(
        weights in prop::collection::vec(1..=5u32, 2..8),
        detours in prop::collection::vec((any::<prop::sample::Index>(), 0..=80u32, any::<bool>()), 0..20),
    ) {
        let mut straight = consistent(&weights);
        let mut winding = consistent(&weights);
        for (server, weight, look) in detours {
            set(&mut *winding, server.index(weights.len()), weight);
            if look {
                winding.pick(PickKey::new().with_key(Key::Hashed(weight)));
            }
        }
        for (server, weight) in weights.iter().enumerate() {
            set(&mut *winding, server, weight * weight::SCALE);
        }
        prop_assert_eq!(mapping(&mut *winding, 300), mapping(&mut *straight, 300));
    }

    #[test]
    fn bounded_loads_stay_in_bounds(
        weights in prop::collection::vec(1..=5u32, 1..8),
        factor in 101..300u32,
        keys in prop::collection::vec(0..4u32, 1..200),
    ) {
        let mut definition = definition(Algorithm::Hash, &weights);
        definition.hash = HashType::of(HashMethod::Consistent);
        definition.balance_factor = Some(factor);
        definition.affinity = Affinity::Always;
        let mut balancer = definition.build(Rng::new(0)).unwrap();
        let mut loads = Loads(vec![Load::default(); weights.len()]);
        let total: u32 = weights.iter().sum();
        for (key, served) in keys.iter().zip(1..) {
            let key = PickKey::new().with_key(Key::Hashed(*key)).with_occupancy(&loads);
            let server = balancer.pick(key).unwrap();
            loads.0[server.index()].served += 1;
            for (load, weight) in loads.0.iter().zip(&weights) {
                let slots: u32 = (served * factor).div_ceil(100);
                prop_assert!(load.served <= (slots * weight).div_ceil(total) + 1, "{:?}", loads.0);
            }
        }
    }

    #[test]
    fn a_map_sends_a_key_to_the_same_server_until_something_changes(
        weights in weights(),
        keys in prop::collection::vec(any::<u32>(), 1..50),
    ) {
        let (mut balancer, _) = build(&Algorithm::Hash, &weights, false);
        let mut pick = |key: u32| balancer.pick(PickKey::new().with_key(Key::Bytes(&key.to_be_bytes())));
        for &key in &keys {
            prop_assert_eq!(pick(key), pick(key));
        }
    }
}
