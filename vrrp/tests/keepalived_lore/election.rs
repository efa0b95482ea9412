//! Timers and elections.

use std::time::Duration;

use vrrp::Input;
use vrrp::advert::AdvertReject;
use vrrp::event::NotifyState;
use vrrp::spec::{AdvertInterval, InitialState, Preempt, Version, Weight};
use vrrp::stats::StateKind;

use crate::common::*;

const SECOND: Duration = Duration::from_secs(1);

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_first_advert_of_the_tutorial_is_the_golden_one() {
    let mut node = Node::start(tutorial());
    node.script(0);
    node.advance(4 * SECOND);
    let (_, first) = node.transmits().remove(0);
    assert_eq!(
        hex(&first.packet),
        "45c0002800010000ff70c6860a000a0ce0000012213279010101\
         0c9f0a000a03534f4d4550415353"
    );
    node.advance(SECOND);
    let (_, second) = node.transmits().remove(1);
    assert_eq!(hex(&second.packet[4..6]), "0002", "the identification counts up");
}

#[test]
fn a_configured_master_starts_as_backup_and_waits_the_whole_master_down_time() {
    let mut node = Node::start(tutorial());
    node.script(0);
    assert_eq!(node.state(), StateKind::Backup);
    assert!(node.has_log("(dc1server) Entering BACKUP STATE (init)"));
    node.advance(us(3_527_343));
    assert_eq!(node.adverts(), [(us(3_527_343), 121)]);
    assert!(node.has_log("(dc1server) Entering MASTER STATE"));
}

#[test]
fn the_owner_of_the_addresses_does_not_wait() {
    let owner = |state| spec(|i| (i.priority, i.state) = (255, state));
    let mut node = Node::start(owner(InitialState::Master));
    node.advance(us(1));
    assert_eq!(node.state(), StateKind::Master);
    let mut node = Node::start(owner(InitialState::Backup));
    node.advance(3 * SECOND);
    assert_eq!(node.state(), StateKind::Backup);
}

#[test]
fn a_change_of_priority_shifts_the_running_timer_by_the_difference_of_the_skews() {
    let mut node = Node::start(with_script(Weight::new(28), |_| ()));
    node.advance(SECOND);
    node.script(0);
    // 100 → 128: from 3.609375 s to 3.5 s after the start, not after the change.
    node.advance(3 * SECOND);
    assert_eq!(node.adverts().first(), Some(&(us(3_500_000), 128)));

    let mut node = Node::start(with_script(Weight::new(28), |_| ()));
    node.script(0);
    node.advance(SECOND);
    node.script(1);
    node.advance(3 * SECOND);
    assert_eq!(node.adverts().first(), Some(&(us(3_609_375), 100)), "and back");
}

#[test]
fn down_timer_adverts_is_how_many_intervals_of_silence_are_death() {
    let mut node = Node::start(spec(|i| i.down_timer_adverts = 5));
    node.advance(7 * SECOND);
    assert_eq!(node.adverts().first().map(|(at, _)| *at), Some(us(5_609_375)));
}

#[test]
fn between_equals_the_first_stays_master() {
    let mut backup = Node::start(spec(|_| ()));
    for _ in 0..10 {
        backup.hear(LOW, 100);
        backup.advance(SECOND);
    }
    assert_eq!(backup.state(), StateKind::Backup);
}

#[test]
fn between_two_equal_masters_the_higher_address_wins() {
    let mut node = Node::master(spec(|_| ()));
    node.hear(LOW, 100);
    assert_eq!(node.state(), StateKind::Master);
    node.hear(HIGH, 100);
    assert_eq!(node.state(), StateKind::Backup);
    assert!(node.has_log(
        "(i) Master received advert from 10.0.10.13 with same priority 100 but higher IP address than ours"
    ));
}

#[test]
fn addresses_are_compared_as_the_numbers_they_are_on_the_wire() {
    let own = ip("fe80::10");
    let six = spec(|i| {
        *i = i.clone().over_ipv6(&vrrp::spec::Global::default());
        i.source = Some(own);
        i.addresses = vec![vrrp::spec::VirtualAddress::new(vrrp::spec::Prefix::host(ip("fe80::3")))];
    });
    for (spec, lower, higher) in [(spec(|_| ()), "10.0.9.255", "10.0.11.1"), (six, "fe80::f", "fe80::1:0")] {
        let mut node = Node::master(spec);
        node.hear(ip(lower), 100);
        assert_eq!(node.state(), StateKind::Master, "{lower}");
        node.hear(ip(higher), 100);
        assert_eq!(node.state(), StateKind::Backup, "{higher}");
    }
}

#[test]
fn an_equal_advert_from_our_own_address_is_reported_once_and_changes_nothing() {
    let mut node = Node::master(spec(|_| ()));
    for _ in 0..5 {
        node.hear(OWN, 100);
    }
    assert_eq!(node.state(), StateKind::Master);
    let warning = "(i) WARNING - equal priority advert received from remote host with our IP address.";
    assert_eq!(node.logs().iter().filter(|log| *log == warning).count(), 1);
}

#[test]
fn a_discarded_lower_advert_does_not_restart_the_down_timer() {
    let mut node = Node::start(spec(|i| i.priority = 150));
    for _ in 0..4 {
        node.hear(LOW, 100);
        node.advance(SECOND);
    }
    assert!(node.has_log("(i) received lower priority (100) advert from 10.0.10.11 - discarding"));
    assert_eq!(node.adverts().first(), Some(&(us(3_414_062), 150)));
}

#[test]
fn nopreempt_accepts_any_living_master_but_not_its_silence() {
    let mut node = Node::start(spec(|i| (i.priority, i.preempt) = (150, Preempt::Never)));
    for _ in 0..10 {
        node.hear(LOW, 100);
        node.advance(SECOND);
    }
    assert_eq!((node.state(), node.snapshot().master), (StateKind::Backup, Some((LOW, 100))));
    node.advance(3 * SECOND);
    assert_eq!(node.state(), StateKind::Master);
}

#[test]
fn preempt_delay_begins_anew_after_a_mastership() {
    let mut node = Node::start(spec(|i| (i.priority, i.preempt) = (150, Preempt::After(10 * SECOND))));
    node.hear(LOW, 100);
    node.advance(20 * SECOND);
    assert_eq!(node.state(), StateKind::Master, "the other one was silent");
    node.hear(HIGH, 200);
    for _ in 0..10 {
        node.hear(LOW, 100);
        node.advance(SECOND);
    }
    assert_eq!(node.state(), StateKind::Backup);
    node.advance(3 * SECOND);
    assert_eq!(node.state(), StateKind::Master);
}

#[test]
fn preempt_delay_begins_with_the_first_lower_advert_and_is_ended_by_a_higher_one() {
    let delayed = || spec(|i| (i.priority, i.preempt) = (150, Preempt::After(10 * SECOND)));
    let mut node = Node::start(delayed());
    node.advance(2 * SECOND);
    for _ in 0..14 {
        node.hear(LOW, 100);
        node.advance(SECOND);
    }
    // From 2 s to 12 s adverts are honoured, the last one at 11 s; then they are discarded.
    assert!(node.has_log("(i) start preempt delay (10.000000)"));
    assert_eq!(node.adverts().first().map(|(at, _)| *at), Some(us(11_000_000 + 3_414_062)));

    for stronger in [150, 200] {
        let mut node = Node::start(delayed());
        node.hear(LOW, 100);
        node.advance(SECOND);
        node.hear(HIGH, stronger);
        assert!(node.has_log("(i) stop preempt delay"), "{stronger}");
    }
}

#[test]
fn preempt_delay_does_not_delay_taking_over_from_a_silent_master() {
    let mut node = Node::start(spec(|i| i.preempt = Preempt::After(1000 * SECOND)));
    node.hear(LOW, 50);
    node.advance(us(3_609_375));
    assert_eq!(node.state(), StateKind::Master);
}

#[test]
fn priority_zero_leaves_a_backup_its_skew_whoever_sent_it() {
    let mut node = Node::start(spec(|i| i.preempt = Preempt::Never));
    node.hear(HIGH, 200);
    node.advance(ms(500));
    node.hear(LOW, 0);
    assert!(node.has_log("(i) Backup received priority 0 advertisement"));
    node.advance(SECOND);
    assert_eq!(node.adverts().first(), Some(&(ms(500) + us(609_375), 100)));
}

#[test]
fn priority_zero_over_version_3_leaves_a_skew_of_the_interval() {
    let fast = |i: &mut vrrp::spec::Instance| {
        (i.version, i.advert_interval) = (Version::V3, AdvertInterval::from_centis(10));
    };
    let mut node = Node::start(spec(fast));
    node.hear(LOW, 0);
    node.advance(ms(100));
    assert_eq!(node.adverts().first(), Some(&(us(60_937), 100)));
}

#[test]
fn a_master_answers_priority_zero_and_stays() {
    let mut node = Node::master(spec(|_| ()));
    node.advance(ms(600));
    node.done.clear();
    node.hear(LOW, 0);
    assert!(node.has_log("(i) Master received priority 0 message"));
    assert_eq!(node.adverts().len(), 1);
    assert_eq!(node.state(), StateKind::Master);
}

#[test]
fn a_higher_advert_ends_the_mastership_after_one_last_advert_of_our_own() {
    let mut node = Node::master(spec(|_| ()));
    node.hear(HIGH, 150);
    assert_eq!(node.adverts().iter().map(|(_, priority)| *priority).collect::<Vec<_>>(), [100]);
    assert_eq!(node.state(), StateKind::Backup);
    assert!(node.has_log("(i) Master received advert from 10.0.10.13 with higher priority 150, ours 100"));
    assert!(node.removed().is_some());

    let mut node = Node::master(spec(|i| i.higher_prio_send_advert = false));
    node.hear(HIGH, 150);
    assert!(node.adverts().is_empty());
}

#[test]
fn a_lower_advert_is_answered_by_an_advert_and_two_sets_of_announcements() {
    let mut node = Node::master(spec(|_| ()));
    node.advance(ms(600));
    node.done.clear();
    let heard = node.elapsed();
    node.hear(LOW, 50);
    assert!(node.has_log(
        "(i) Received advert from 10.0.10.11 with lower priority 50, ours 100, forcing new election"
    ));
    assert_eq!(node.adverts(), [(heard, 100)]);
    assert_eq!(node.notifications(), [NotifyState::MasterRxLowerPri]);
    node.advance(6 * SECOND);
    assert_eq!(node.announcements(), [vec![heard; 5], vec![heard + 5 * SECOND; 5]].concat());
}

#[test]
fn lower_prio_no_advert_leaves_the_answer_out() {
    let mut node = Node::master(spec(|i| i.lower_prio_no_advert = true));
    node.advance(ms(600));
    node.done.clear();
    node.hear(LOW, 50);
    assert!(node.adverts().is_empty());
    assert!(node.has_log("(i) Received advert from 10.0.10.11 with lower priority 50, ours 100"));
    assert_eq!(node.announcements().len(), 5);
}

#[test]
fn a_flood_of_lower_adverts_is_no_amplifier() {
    let mut node = Node::master(spec(|_| ()));
    for _ in 0..300 {
        node.hear(LOW, 50);
        node.advance(ms(20));
    }
    let announcements = node.announcements().len();
    assert!((5..=60).contains(&announcements), "{announcements} announcements in 6 s");
    assert!(node.adverts().len() <= 20, "{} adverts in 6 s", node.adverts().len());
    assert!(node.snapshot().stats.answers_limited > 0);
}

#[test]
fn of_two_owners_the_lower_address_steps_back_at_once() {
    let mut node = Node::master(spec(|i| i.priority = 255));
    node.hear(HIGH, 255);
    assert_eq!(node.state(), StateKind::Backup);
}

#[test]
fn of_two_owners_the_higher_address_steps_back_if_the_other_does_not() {
    let mut node = Node::master(spec(|i| i.priority = 255));
    let mut seconds = 0;
    while node.state() == StateKind::Master {
        node.hear(LOW, 255);
        node.advance(SECOND);
        seconds += 1;
        assert!(seconds < 10);
    }
    assert!((3..=4).contains(&seconds), "patience of two adverts and a bit, was {seconds} s");
    assert_eq!(node.snapshot().effective_priority, 254);
    node.hear(LOW, 100);
    assert_eq!(node.snapshot().effective_priority, 255, "the other owner has gone");
}

#[test]
fn a_backup_adopts_the_interval_of_a_version_3_master_and_forgets_it_as_master() {
    let mut node = Node::start(spec(|i| {
        (i.version, i.advert_interval) = (Version::V3, AdvertInterval::from_centis(20));
    }));
    let mut other = node.router.spec().instances[0].clone();
    other.advert_interval = AdvertInterval::ONE_SECOND;
    node.input(Input::Datagram(advert_for(&other, HIGH, 150)));
    assert!(node.has_log("(i) advertisement interval updated from 200ms to 1000ms by master"));
    let silent_since = node.elapsed();
    node.advance(5 * SECOND);
    let adverts = node.adverts();
    assert_eq!(adverts[0].0 - silent_since, us(3_609_375));
    assert_eq!(adverts[1].0 - adverts[0].0, ms(200));
    assert!(node.has_log("(i) changing advert interval from 1000ms to locally configured 200ms"));
}

#[test]
fn a_fault_makes_a_backup_forget_the_interval_of_its_former_master() {
    let mut node = Node::start(spec(|i| {
        (i.version, i.advert_interval) = (Version::V3, AdvertInterval::from_centis(20));
    }));
    let mut other = node.router.spec().instances[0].clone();
    other.advert_interval = AdvertInterval::MAX_V3;
    node.input(Input::Datagram(advert_for(&other, HIGH, 150)));
    node.input(Input::Link(vrrp::event::Link::new("eth0", false)));
    node.input(Input::Link(vrrp::event::Link::new("eth0", true)));
    let back = node.elapsed();
    node.advance(SECOND);
    assert_eq!(node.adverts().first().map(|(at, _)| *at - back), Some(us(721_875)));
}

#[test]
fn an_interval_mismatch_of_version_2_is_rejected_and_told_once() {
    let mut node = Node::master(spec(|_| ()));
    let mut other = node.router.spec().instances[0].clone();
    other.advert_interval = AdvertInterval::from_secs(2);
    for _ in 0..5 {
        node.input(Input::Datagram(advert_for(&other, HIGH, 255)));
    }
    assert_eq!(node.logs(), ["(i) advertisement interval mismatch with 10.0.10.13 mine=1 sec rcv'd=2 sec"]);
    assert_eq!(node.snapshot().stats.rejected(AdvertReject::IntervalMismatch), 5);
}

#[test]
fn adverts_during_the_startup_delay_are_thrown_away_and_the_timers_start_after_it() {
    let mut spec = spec(|_| ());
    spec.global.startup_delay = 10 * SECOND;
    let mut node = Node::start(spec);
    node.advance(9 * SECOND);
    node.hear(HIGH, 200);
    assert_eq!((node.state(), node.snapshot().stats.adverts_received), (StateKind::Init, 0));
    node.advance(5 * SECOND);
    assert_eq!(node.adverts().first().map(|(at, _)| *at), Some(10 * SECOND + us(3_609_375)));
}

#[test]
fn a_priority_zero_right_after_our_advert_is_answered_before_any_backup_loses_patience() {
    let mut node = Node::master(spec(|_| ()));
    while node.adverts().is_empty() {
        node.advance(ms(1));
    }
    node.advance(ms(10));
    node.done.clear();
    node.hear(LOW, 0);
    node.advance(us(609_375));
    assert_eq!(node.adverts().len(), 1, "within the skew of a backup of our own priority");
}

#[test]
fn a_flood_of_priority_zero_is_no_amplifier() {
    let mut node = Node::master(spec(|_| ()));
    for _ in 0..1000 {
        node.hear(LOW, 0);
        node.advance(ms(1));
    }
    assert!(node.adverts().len() <= 34, "{} adverts in 1 s", node.adverts().len());
    assert!(node.announcements().len() <= 25, "four sets at once, then one a second");
}
