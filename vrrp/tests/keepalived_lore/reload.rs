//! Reloads, restarts and frozen processes.

use std::net::IpAddr;
use std::time::Duration;

use vrrp::event::{Admin, InterfaceAddress, NotifyState, ScriptResult, Track};
use vrrp::spec::{AdvertInterval, Preempt, Prefix, TrackRef, Version, VirtualAddress, Weight};
use vrrp::stats::StateKind;
use vrrp::{Input, Output, Router};

use crate::common::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_reload_keeps_the_mastership_and_changes_only_the_difference() {
    let mut node = Node::master(spec(|_| ()));
    let mut new = spec(|i| i.priority = 120);
    new.instances[0].name = "renamed".into();
    new.instances[0].addresses.push(VirtualAddress::new(Prefix::host(HIGH)));
    node.router.reconfigure(node.now, new).unwrap();
    node.drain();
    assert_eq!(node.state(), StateKind::Master);
    assert_eq!(node.adverts(), [(node.elapsed(), 120)]);
    assert_eq!(node.removed(), None);
    let added: Vec<_> =
        node.done.iter().filter(|done| matches!(done.output, Output::AddAddress(_))).collect();
    assert_eq!(added.len(), 1);
    assert_eq!(node.announcements().len(), 10, "all addresses are announced");
    node.advance(6 * SECOND);
    assert_eq!(node.announcements().len(), 20, "and once more later");
}

#[test]
fn another_interval_applies_at_once() {
    let slower = || spec(|i| i.advert_interval = AdvertInterval::from_secs(2));
    let mut node = Node::master(spec(|_| ()));
    let changed = node.elapsed();
    node.router.reconfigure(node.now, slower()).unwrap();
    node.drain();
    node.advance(5 * SECOND);
    let sent: Vec<u64> = node.adverts().iter().map(|(at, _)| (*at - changed).as_secs()).collect();
    assert_eq!(sent, [0, 2, 4]);

    let mut node = Node::start(spec(|_| ()));
    node.hear(HIGH, 150);
    node.router.reconfigure(node.now, slower()).unwrap();
    node.advance(7 * SECOND);
    assert_eq!(
        node.adverts().first().map(|(at, _)| *at),
        Some(us(6_609_375)),
        "and for the wait of a backup"
    );
}

#[test]
fn a_reload_that_changes_nothing_disturbs_nothing() {
    let mut node = Node::master(spec(|_| ()));
    node.router.reconfigure(node.now, spec(|_| ())).unwrap();
    node.drain();
    assert!(node.announcements().is_empty() && node.removed().is_none() && node.notifications().is_empty());
}

#[test]
fn a_changed_identifier_is_another_instance() {
    let mut node = Node::master(spec(|_| ()));
    node.router.reconfigure(node.now, spec(|i| i.vrid = 60)).unwrap();
    node.drain();
    assert_eq!(node.adverts().iter().map(|(_, priority)| *priority).collect::<Vec<_>>(), [0]);
    assert!(node.removed().is_some());
    assert_eq!(node.state(), StateKind::Backup);
    assert_eq!(node.notifications(), [NotifyState::Fault, NotifyState::Backup]);
}

#[test]
fn an_empty_reload_removes_everything_gracefully() {
    let mut node = Node::master(spec(|_| ()));
    node.router.reconfigure(node.now, vrrp::Spec::new()).unwrap();
    node.drain();
    assert!(node.removed().is_some());
    assert_eq!(node.adverts().last().map(|(_, priority)| *priority), Some(0));
}

#[test]
fn a_bad_reload_leaves_the_old_configuration_running() {
    let mut node = Node::master(spec(|_| ()));
    let error = node.router.reconfigure(node.now, spec(|i| i.vrid = 0)).unwrap_err();
    assert_eq!(error.to_string(), "instance i: the virtual router identifier must be 1 to 255");
    node.advance(2 * SECOND);
    assert_eq!((node.state(), node.adverts().len()), (StateKind::Master, 2));
}

#[test]
fn an_address_may_move_from_one_instance_to_another() {
    let pair = |first: u8, second: u8| {
        let mut spec = crate::groups::grouped();
        spec.groups.clear();
        for (instance, last) in spec.instances.iter_mut().zip([first, second]) {
            instance.addresses = vec![VirtualAddress::new(Prefix::host([10, 0, 10, last].into()))];
        }
        spec
    };
    let mut node = Node::start(pair(3, 4));
    node.advance(20 * SECOND);
    node.done.clear();
    node.router.reconfigure(node.now, pair(4, 3)).unwrap();
    node.drain();
    let mut held = vec![3, 4];
    for done in &node.done {
        let last = |address: IpAddr| match address {
            IpAddr::V4(address) => address.octets()[3],
            IpAddr::V6(_) => unreachable!("all addresses are IPv4"),
        };
        match &done.output {
            Output::AddAddress(change) => held.push(last(change.address.address())),
            Output::DelAddress(change) => held.retain(|held| *held != last(change.address.address())),
            _ => {}
        }
    }
    held.sort_unstable();
    held.dedup();
    assert_eq!(held, [3, 4]);
}

fn restarted(node: &Node, age: Duration, vip_in_place: bool) -> Node {
    let memory = node.router.memory();
    let mut next = Node::idle(node.router.spec().clone());
    next.router.resume(memory, age);
    next.surroundings();
    if vip_in_place {
        next.input(Input::AddressAdded(InterfaceAddress::new("eth0", Prefix::host(VIP))));
    }
    next.admin(Admin::Start);
    next
}

#[test]
fn a_restarted_process_goes_on_as_master() {
    let old = Node::master(with_script(Weight::FAULT, |_| ()));
    let next = restarted(&old, SECOND, true);
    assert_eq!(next.state(), StateKind::Master);
    assert_eq!(next.adverts(), [(Duration::ZERO, 100)]);
    assert_eq!(next.removed(), None);
}

#[test]
fn a_restart_that_took_too_long_begins_as_backup() {
    let old = Node::master(spec(|_| ()));
    for (age, in_place) in [(4 * SECOND, true), (SECOND, false)] {
        let next = restarted(&old, age, in_place);
        assert_eq!(next.state(), StateKind::Backup);
        assert!(next.removed().is_some());
    }
}

#[test]
fn a_backup_has_nothing_to_resume() {
    let old = Node::start(spec(|_| ()));
    assert_eq!(restarted(&old, ms(1), true).state(), StateKind::Backup);
}

#[test]
fn a_master_frozen_beyond_the_patience_of_its_successor_wakes_up_as_backup() {
    for datagram_first in [false, true] {
        let mut node = Node::master(spec(|i| i.preempt = Preempt::Never));
        node.freeze(6 * SECOND);
        if !datagram_first {
            node.router.handle_timeout(node.now);
            node.drain();
            assert_eq!((node.state(), node.adverts().len()), (StateKind::Master, 0), "it listens");
        }
        node.hear(LOW, 50);
        assert_eq!(node.state(), StateKind::Backup);
        assert_eq!(node.adverts().iter().map(|(_, priority)| *priority).collect::<Vec<_>>(), [0]);
        assert!(node.announcements().is_empty());
        assert!(node.removed().is_some());
        assert_eq!(node.snapshot().stats.late_wakes, 1);
        // And with nopreempt it stays there as long as the other one lives.
        for _ in 0..10 {
            node.hear(LOW, 50);
            node.advance(SECOND);
        }
        assert_eq!(node.state(), StateKind::Backup);
    }
}

#[test]
fn a_master_whose_successor_slept_as_well_goes_on() {
    for (asleep, listens) in [(6 * SECOND, SECOND / 4), (10 * SECOND, SECOND)] {
        let mut node = Node::master(spec(|_| ()));
        node.freeze(asleep);
        node.router.handle_timeout(node.now);
        node.drain();
        assert_eq!(node.adverts(), []);
        node.advance(listens - ms(1));
        assert_eq!(node.adverts(), []);
        node.advance(ms(1));
        assert_eq!((node.state(), node.adverts().len()), (StateKind::Master, 1));
        assert_eq!(node.announcements().len(), 1);
        assert_eq!(node.removed(), None);
        node.advance(SECOND);
        assert_eq!(node.adverts().len(), 2);
    }
}

#[test]
fn a_master_that_slept_for_too_long_gives_way_at_once() {
    let mut node = Node::master(spec(|_| ()));
    node.freeze(20 * SECOND);
    node.router.handle_timeout(node.now);
    node.drain();
    assert_eq!(node.state(), StateKind::Backup);
    assert_eq!(node.adverts().iter().map(|(_, priority)| *priority).collect::<Vec<_>>(), [0]);
}

#[test]
fn a_machine_that_slept_without_its_clock_wakes_up_as_backup() {
    let mut node = Node::master(spec(|_| ()));
    node.input(Input::ClockJump(60 * SECOND));
    assert_eq!(node.state(), StateKind::Backup);
}

#[test]
fn a_master_that_is_a_little_late_speaks_before_its_successor_does() {
    // It spoke 0.39 s before it froze. With its own priority it would wait for 3.61 s, with the lowest for 3.99 s.
    for asleep in [2 * SECOND, ms(3500)] {
        let mut node = Node::master(spec(|_| ()));
        node.freeze(asleep);
        node.router.handle_timeout(node.now);
        node.drain();
        assert_eq!((node.state(), node.adverts().len()), (StateKind::Master, 1), "{asleep:?}");
        assert_eq!(node.snapshot().stats.late_wakes, 0);
    }
}

#[test]
fn a_master_that_is_a_little_late_answers_a_weaker_successor_at_once() {
    let mut node = Node::master(spec(|_| ()));
    node.freeze(ms(3500));
    node.hear(LOW, 50);
    assert_eq!(node.state(), StateKind::Master);
    assert_eq!(node.adverts().iter().map(|(_, priority)| *priority).collect::<Vec<_>>(), [100]);
    assert!(!node.announcements().is_empty(), "clients were told of the other one");
}

#[test]
fn a_backup_frozen_beyond_its_timer_reads_what_is_waiting_first() {
    let mut node = Node::start(spec(|_| ()));
    node.hear(HIGH, 150);
    node.freeze(10 * SECOND);
    node.router.handle_timeout(node.now);
    node.drain();
    assert_eq!(node.state(), StateKind::Backup);
    node.hear(HIGH, 150);
    node.advance(3 * SECOND);
    assert_eq!(node.state(), StateKind::Backup);
}

#[test]
fn a_backup_whose_timer_comes_late_by_more_than_a_quarter_of_the_interval_listens_first() {
    for (late, state) in [(ms(200), StateKind::Master), (ms(300), StateKind::Backup)] {
        let mut node = Node::start(spec(|_| ()));
        node.hear(HIGH, 150);
        let due = node.router.poll_timeout().unwrap().duration_since(node.now);
        node.freeze(due + late);
        node.router.handle_timeout(node.now);
        node.drain();
        assert_eq!(node.state(), state, "{late:?} late");
        // Nobody speaks: it waits for its skew and not longer.
        node.advance(SECOND);
        assert_eq!(node.state(), StateKind::Master);
    }
}

#[test]
fn an_operator_can_make_a_master_step_down() {
    let mut node = Node::master(spec(|_| ()));
    node.admin(Admin::StepDown("i".into()));
    assert_eq!(node.state(), StateKind::Backup);
    assert_eq!(node.adverts().iter().map(|(_, priority)| *priority).collect::<Vec<_>>(), [0]);
}

#[test]
fn a_script_that_cannot_be_started_is_no_success() {
    let mut node = Node::master(with_script(Weight::FAULT, |_| ()));
    node.input(Input::Track(Track::Script("c".into(), ScriptResult::NotStarted(2))));
    assert_eq!(node.state(), StateKind::Fault);
}

#[test]
fn mails_are_sent_once_per_change_of_state() {
    let mut spec = spec(|i| i.smtp_alert = true);
    spec.global.router_id = "lb1".into();
    let mut node = Node::start(spec);
    node.advance(5 * SECOND);
    let mails: Vec<_> = node
        .done
        .iter()
        .filter_map(|done| match &done.output {
            Output::Mail(mail) => Some((mail.subject.clone(), mail.body.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(
        mails,
        [
            (
                "[lb1] VRRP Instance i - Entering BACKUP state".to_owned(),
                "=> VRRP Instance is no longer owning VRRP VIPs <=".to_owned()
            ),
            (
                "[lb1] VRRP Instance i - Entering MASTER state".to_owned(),
                "=> VRRP Instance is now owning VRRP VIPs <=".to_owned()
            ),
        ]
    );
}

#[test]
fn specifications_that_cannot_work_are_refused_with_a_reason() {
    type Change = fn(&mut vrrp::spec::Instance);
    let cases: [(Change, &str); 7] = [
        (|i| i.priority = 0, "instance i: the priority must be 1 to 255"),
        (
            |i| i.advert_interval = AdvertInterval::from_centis(150),
            "instance i: an advertisement interval of 1.5s is not possible in this version",
        ),
        (
            |i| {
                i.ipv6 = true;
                i.auth = vrrp::spec::Auth::Ah(vrrp::spec::Password::new(b"x"));
            },
            "instance i: an authentication header cannot be used with IPv6",
        ),
        (
            |i| {
                i.version = Version::V3;
                i.auth = vrrp::spec::Auth::Pass(vrrp::spec::Password::new(b"x"));
            },
            "instance i: authentication needs version 2",
        ),
        (|i| i.interface = None, "instance i: no interface"),
        (
            |i| i.source = Some("fe80::1".parse().unwrap()),
            "instance i: fe80::1 is of the wrong address family",
        ),
        (|i| i.track.scripts.push(TrackRef::new("x")), "instance i: no such script: x"),
    ];
    for (change, text) in cases {
        assert_eq!(Router::new(spec(change)).unwrap_err().to_string(), text);
    }
}

/// The peers refuse numbers they have heard; a mastership that began anew at one would be silent for them.
#[test]
fn a_resumed_master_goes_on_above_its_old_sequence_numbers() {
    let secured = || spec(|i| i.auth = vrrp::spec::Auth::Ah(vrrp::spec::Password::new(b"secret")));
    let mut node = Node::master(secured());
    node.advance(Duration::from_secs(3));
    let sequence = |node: &Node| {
        let sent = node.transmits();
        let payload = sent.last().expect("an advert").1.payload().to_vec();
        u32::from_be_bytes([payload[8], payload[9], payload[10], payload[11]])
    };
    let last = sequence(&node);
    assert!(last > 3);
    let mut next = Node::idle(secured());
    next.surroundings();
    next.input(Input::AddressAdded(InterfaceAddress::new("eth0", Prefix::host(VIP))));
    next.router.resume(node.router.memory(), ms(100));
    next.admin(Admin::Start);
    assert_eq!(next.state(), StateKind::Master);
    assert!(sequence(&next) > last, "{} after {last}", sequence(&next));
}
