//! Simulations on a virtual clock. A failure prints its seed; `LB_SIM_SEED=<seed>` replays that one run,
//! `LB_SIM_RUNS=<number>` tries more of them.

mod rng;
mod world;

use std::time::{Duration, Instant};

use vrrp::event::Admin;
use vrrp::spec::{
    AdvertInterval, Command, Global, InitialState, Instance, Preempt, Prefix, Script, SyncGroup, TrackRef,
    Version, VirtualAddress, Weight,
};
use vrrp::stats::StateKind;
use vrrp::{Input, Spec};

use rng::Rng;
use world::World;

const SECOND: Duration = Duration::from_secs(1);
const RUNS: u64 = 40;

#[expect(clippy::disallowed_methods, reason = "a virtual clock needs one real instant to begin with")]
fn base() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "a seed to replay comes from the environment")]
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|value| value.parse().ok())
}

fn seeds() -> Vec<u64> {
    match number("LB_SIM_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("LB_SIM_RUNS").unwrap_or(RUNS)).collect(),
    }
}

/// What the routers of one segment have in common.
#[derive(Debug, Clone, Copy)]
struct Shape {
    version: Version,
    interval: AdvertInterval,
    preempt: Preempt,
    members: u8,
    weight: Weight,
}

impl Shape {
    fn random(rng: &mut Rng) -> Self {
        let (version, interval) = *rng.pick(&[
            (Version::V2, AdvertInterval::ONE_SECOND),
            (Version::V3, AdvertInterval::from_centis(10)),
            (Version::V3, AdvertInterval::ONE_SECOND),
        ]);
        Self {
            version,
            interval,
            preempt: *rng.pick(&[
                Preempt::Immediate,
                Preempt::Immediate,
                Preempt::After(3 * SECOND),
                Preempt::Never,
            ]),
            members: if rng.chance(30) { 2 } else { 1 },
            weight: *rng.pick(&[Weight::FAULT, Weight::new(30), Weight::new(-30)]),
        }
    }

    fn spec(self, priority: u8) -> Spec {
        let mut spec = Spec::new();
        let mut script = Script::new("c", Command::new(["/bin/check"]));
        script.interval = SECOND;
        spec.scripts.push(script);
        for member in 0..self.members {
            let mut instance = Instance::new(format!("i{member}"), 50 + member, &Global::default());
            instance.interface = Some("eth0".into());
            instance.state = InitialState::Backup;
            instance.priority = priority;
            instance.version = self.version;
            instance.advert_interval = self.interval;
            instance.preempt = self.preempt;
            instance.addresses.push(VirtualAddress::new(Prefix::host([10, 0, 10, 3 + member].into())));
            instance.track.scripts.push(TrackRef::weighted("c", self.weight));
            spec.instances.push(instance);
        }
        if self.members > 1 {
            let mut group = SyncGroup::new("G", spec.instances.iter().map(|i| i.name.clone()).collect());
            group.tracking_weight = true;
            spec.groups.push(group);
        }
        spec
    }
}

fn world(seed: u64) -> (World, Shape) {
    let mut rng = Rng::new(seed);
    let shape = Shape::random(&mut rng);
    let hosts = 2 + rng.below(3);
    let specs = (0..hosts).map(|_| shape.spec(50 + 10 * rng.below(16) as u8)).collect();
    (World::new(specs, rng, base()), shape)
}

/// Does something bad, or ends something bad.
fn disturb(world: &mut World) {
    let at = world.rng.below(world.hosts.len() as u64) as usize;
    let what = world.rng.below(10);
    world.note(format!("disturbance {what} of host {at}"));
    let alive = world.hosts[at].router.is_some();
    match what {
        0 if alive => world.crash(at),
        1 if alive => world.power_off(at),
        0..=2 if !alive => world.boot(at, what == 0),
        2 => {
            let time = Duration::from_millis(world.rng.below(8000));
            world.hosts[at].frozen = Some(world.now + time);
        }
        3 => world.set_link(at, !world.hosts[at].link_up),
        4 => world.set_check(at, !world.hosts[at].check_ok),
        5 => world.hosts[at].side ^= 1,
        6 => world.loss = world.rng.below(40),
        7 => {
            world.delay = Duration::from_micros(world.rng.below(20_000));
            world.reorder = world.rng.chance(50);
        }
        // A frozen process takes no orders.
        8 | 9 if world.hosts[at].frozen.is_some() => {}
        8 => world.input(at, Input::Admin(Admin::StepDown("i0".into()))),
        _ => {
            // A graceful stop, and a new process after it.
            world.input(at, Input::Admin(Admin::Shutdown));
            world.run(SECOND + SECOND / 10, |_| ());
            if world.hosts[at].router.as_ref().is_some_and(vrrp::Router::is_finished) {
                assert!(world.hosts[at].held.is_empty(), "nothing is left after a graceful stop");
                world.crash(at);
            }
        }
    }
}

/// Ends everything bad.
fn heal(world: &mut World) {
    world.note("healed".into());
    // Whoever does not answer for an address any more is asked for again.
    let hosts = &world.hosts;
    world.client.retain(|address, at| hosts[*at].held.contains(address));
    (world.loss, world.delay, world.reorder) = (0, Duration::from_micros(300), false);
    for at in 0..world.hosts.len() {
        world.hosts[at].side = world.client_side;
        world.hosts[at].check_ok = true;
        if world.hosts[at].router.as_ref().is_none_or(vrrp::Router::is_finished) {
            // What a crash left behind goes now, and no rival tells the master on another side of it.
            world.client.retain(|_, known| *known != at);
            world.boot(at, false);
        }
        if !world.hosts[at].link_up {
            world.set_link(at, true);
        }
    }
}

fn assert_settled(world: &World, shape: Shape) {
    let masters = world.masters();
    assert_eq!(masters.len(), 1, "exactly one master");
    let able = world.able();
    assert_eq!(able.len(), world.hosts.len(), "everybody takes part again");
    let best = able.iter().map(|(_, priority)| *priority).max();
    if shape.preempt != Preempt::Never {
        let won = able.iter().find(|(at, _)| *at == masters[0]).map(|(_, priority)| *priority);
        assert_eq!(won, best, "the highest priority is master");
    }
    for (at, host) in world.hosts.iter().enumerate() {
        let router = host.router.as_ref().expect("all are running");
        for member in 0..shape.members {
            let state = router.state(&format!("i{member}"));
            let expected = if at == masters[0] { StateKind::Master } else { StateKind::Backup };
            assert_eq!(state, Some(expected), "the members of a group agree");
        }
        let addresses = if at == masters[0] { usize::from(shape.members) } else { 0 };
        assert_eq!(host.held.len(), addresses, "the master holds the addresses and nobody else does");
    }
    for (address, at) in &world.client {
        assert_eq!(*at, masters[0], "the client knows where {address} is");
    }
}

#[expect(clippy::print_stdout, reason = "a failing test shows how to repeat it")]
fn guarded(seed: u64, run: impl FnOnce(&mut World, Shape) + std::panic::UnwindSafe) {
    let (mut world, shape) = world(seed);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&mut world, shape)));
    if let Err(panic) = outcome {
        let journal = world.journal.iter().rev().take(60).rev().cloned().collect::<Vec<_>>().join("\n");
        println!("{shape:?}\n{journal}\nLB_SIM_SEED={seed} replays this run");
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn after_any_disturbance_there_is_exactly_one_master_and_the_clients_know_it() {
    for seed in seeds() {
        guarded(seed, |world, shape| {
            for at in 0..world.hosts.len() {
                world.boot(at, false);
            }
            for _ in 0..12 {
                let pause = Duration::from_millis(world.rng.below(6000));
                world.run(pause, |_| ());
                disturb(world);
            }
            heal(world);
            world.run(30 * SECOND, |_| ());
            assert_settled(world, shape);
        });
    }
}

#[test]
fn nothing_flaps_when_nothing_happens() {
    for seed in seeds() {
        guarded(seed, |world, shape| {
            for at in 0..world.hosts.len() {
                world.boot(at, false);
                let pause = Duration::from_millis(world.rng.below(3000));
                world.run(pause, |_| ());
            }
            world.run(30 * SECOND, |_| ());
            assert_settled(world, shape);
            let before: Vec<usize> = world.hosts.iter().map(|host| host.transitions).collect();
            world.delay = Duration::from_millis(5);
            world.run(120 * SECOND, |world| assert_eq!(world.masters().len(), 1));
            let after: Vec<usize> = world.hosts.iter().map(|host| host.transitions).collect();
            assert_eq!(before, after);
        });
    }
}

#[test]
fn both_sides_of_a_partition_have_a_master() {
    for seed in seeds() {
        guarded(seed, |world, shape| {
            for at in 0..world.hosts.len() {
                world.boot(at, false);
            }
            world.run(30 * SECOND, |_| ());
            let cut = 1 + world.rng.below(world.hosts.len() as u64 - 1) as usize;
            for at in cut..world.hosts.len() {
                world.hosts[at].side = 1;
            }
            world.run(30 * SECOND, |_| ());
            let masters = world.masters();
            assert_eq!(masters.iter().filter(|&&at| at < cut).count(), 1);
            assert_eq!(masters.iter().filter(|&&at| at >= cut).count(), 1);
            heal(world);
            // The client finds the right one soon: whoever steps back sends a last advert, whoever hears it
            // announces the addresses.
            world.run(8 * SECOND, |_| ());
            if shape.preempt == Preempt::Immediate {
                assert_settled(world, shape);
            }
            assert_eq!(world.masters().len(), 1);
        });
    }
}

#[test]
fn a_graceful_stop_leaves_no_moment_without_the_addresses() {
    for seed in seeds() {
        guarded(seed, |world, _| {
            for at in 0..world.hosts.len() {
                world.boot(at, false);
            }
            world.run(30 * SECOND, |_| ());
            let master = world.masters()[0];
            world.input(master, Input::Admin(Admin::Shutdown));
            world.run(3 * SECOND, |world| {
                let held = world.hosts.iter().any(|host| !host.held.is_empty());
                assert!(held, "somebody has the addresses at {:?}", world.now);
            });
            assert_eq!(world.masters().len(), 1);
            assert!(world.hosts[master].held.is_empty());
        });
    }
}

#[test]
fn a_process_that_is_restarted_at_once_stays_master() {
    for seed in seeds() {
        guarded(seed, |world, _| {
            for at in 0..world.hosts.len() {
                world.boot(at, false);
            }
            world.run(30 * SECOND, |_| ());
            let masters = world.masters();
            world.crash(masters[0]);
            // Memory is written at changes of state; its age is what the supervisor measures since the death.
            world.refresh_memory(masters[0]);
            world.run(Duration::from_millis(50), |_| ());
            world.boot(masters[0], true);
            let before: Vec<usize> = world.hosts.iter().map(|host| host.transitions).collect();
            world.run(30 * SECOND, |world| assert_eq!(world.masters(), masters));
            let after: Vec<usize> = world.hosts.iter().map(|host| host.transitions).collect();
            assert_eq!(before, after);
        });
    }
}
