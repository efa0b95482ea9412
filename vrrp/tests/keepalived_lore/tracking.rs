//! Scripts, links and other conditions.

use std::time::Duration;

use vrrp::Input;
use vrrp::event::{Link, NotifyState, Output, Track};
use vrrp::spec::{AddressVmac, Command, External, Spec, TrackRef, Vmac, Weight};
use vrrp::stats::StateKind;

use crate::common::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_sum_of_weights_is_kept_unclamped() {
    let mut spec = with_script(Weight::new(50), |i| i.priority = 220);
    spec.externals.push(External::new("b"));
    spec.instances[0].track.externals.push(TrackRef::weighted("b", Weight::new(-30)));
    let mut node = Node::start(spec);
    node.script(0);
    assert_eq!((node.snapshot().effective_priority, node.snapshot().total_priority), (254, 270));
    node.input(Input::Track(Track::External("b".into(), false)));
    assert_eq!((node.snapshot().effective_priority, node.snapshot().total_priority), (240, 240));
    assert!(node.has_log("(i) Changing effective priority from 254 to 240"));
    let mut node = Node::start(with_script(Weight::new(-80), |i| i.priority = 50));
    node.script(1);
    assert_eq!((node.snapshot().effective_priority, node.snapshot().total_priority), (1, -30));
    node.script(0);
    assert_eq!(node.snapshot().effective_priority, 50);
}

#[test]
fn a_fault_lasts_until_its_last_cause_is_gone() {
    let mut node = Node::master(with_script(Weight::FAULT, |_| ()));
    node.script(1);
    node.input(Input::Link(Link::new("eth0", false)));
    node.script(0);
    assert_eq!(node.state(), StateKind::Fault);
    node.script(1);
    node.input(Input::Link(Link::new("eth0", true)));
    assert_eq!(node.state(), StateKind::Fault);
    node.script(0);
    assert_eq!(node.state(), StateKind::Backup);
}

/// The separate interface is made when the base is there, so that it comes later and may never have been heard of.
#[test]
fn a_vmac_counts_like_its_base_once_it_has_been_up() {
    let vmac =
        |ignored| spec(move |i| (i.vmac, i.ignore_own_interface) = (Some(Vmac::new("vrrp.50")), ignored));
    let up_and_down = |node: &mut Node, name: &str| {
        node.input(Input::Link(Link::new(name, false)));
        let fallen = node.state();
        node.input(Input::Link(Link::new(name, true)));
        (fallen, node.state())
    };
    let single =
        || spec(|i| i.address_vmacs.push(AddressVmac::new(Vmac::new("vrrp.50"), "eth0".into(), false)));
    for (name, spec) in [("eth0", vmac(false)), ("vrrp.50", vmac(false)), ("vrrp.50", single())] {
        let mut node = Node::start(spec);
        // As the kernel tells of a new interface.
        node.input(Input::Link(Link::new("vrrp.50", false)));
        node.input(Input::Link(Link::new("vrrp.50", true)));
        assert_eq!((node.state(), node.notifications()), (StateKind::Backup, vec![NotifyState::Backup]));
        node.advance(5 * SECOND);
        node.done.clear();
        assert_eq!(up_and_down(&mut node, name), (StateKind::Fault, StateKind::Backup));
        assert!(node.has_log(&format!("(i): entering FAULT state (interface {name} down)")));
        assert!(node.has_log(&format!("Netlink reports {name} down")));
    }
    // Whoever removed it: it is made again, and nothing was on it meanwhile.
    let mut node = Node::start(vmac(false));
    node.input(Input::Link(Link::new("vrrp.50", true)));
    node.advance(5 * SECOND);
    node.done.clear();
    node.input(Input::Link(Link::absent("vrrp.50")));
    node.input(Input::Link(Link::new("vrrp.50", true)));
    assert_eq!((node.state(), node.added()), (StateKind::Master, Some(node.elapsed())));
    let mut node = Node::start(vmac(true));
    node.input(Input::Link(Link::new("vrrp.50", true)));
    assert_eq!(up_and_down(&mut node, "vrrp.50"), (StateKind::Backup, StateKind::Backup));
}

#[test]
fn a_change_of_the_priority_is_told_to_pipes_alone() {
    let mut node = Node::start(with_script(Weight::new(20), |i| {
        i.notify_priority_changes = true;
        i.notify.any = Some(Command::new(["/bin/told"]).into());
    }));
    node.script(0);
    let told = |state: NotifyState| {
        let mut all = node.done.iter().filter_map(|done| match &done.output {
            Output::Notify(notify) if notify.state == state => Some(notify.generic.is_some()),
            _ => None,
        });
        all.next()
    };
    assert_eq!(told(NotifyState::Backup), Some(true));
    assert_eq!(told(NotifyState::BackupPriority), Some(false));
}

#[test]
fn a_script_without_weight_is_a_fault_when_it_fails() {
    let mut node = Node::master(with_script(Weight::FAULT, |_| ()));
    node.script(1);
    assert_eq!(node.state(), StateKind::Fault);
    assert!(node.has_log("VRRP_Script(c) failed (exited with status 1)"));
    node.script(0);
    assert_eq!(node.state(), StateKind::Backup);
    assert!(node.has_log("VRRP_Script(c) succeeded"));
}

#[test]
fn until_a_script_without_weight_returns_nothing_is_sent_and_nobody_is_told() {
    let mut node = Node::start(with_script(Weight::FAULT, |_| ()));
    node.advance(20 * SECOND);
    assert_eq!(node.state(), StateKind::Init);
    assert!(node.adverts().is_empty() && node.notifications().is_empty());
    node.script(0);
    assert_eq!((node.state(), node.notifications()), (StateKind::Backup, vec![NotifyState::Backup]));
    assert!(node.has_log("(i) Entering BACKUP STATE"));
}

#[test]
fn a_failed_weighted_check_hands_over_at_once() {
    let mut node = Node::master(tutorial());
    node.advance(ms(300));
    node.done.clear();
    let failed = node.elapsed();
    node.script(1);
    assert!(node.has_log("(dc1server) Changing effective priority from 121 to 101"));
    assert_eq!(node.adverts(), [(failed, 0)], "priority zero once");
    assert_eq!(node.removed(), None, "somebody must serve until the successor is there");
    node.advance(2 * SECOND);
    assert_eq!(node.adverts(), [(failed, 0), (failed + SECOND, 101), (failed + 2 * SECOND, 101)]);
    node.hear(LOW, 121);
    assert_eq!(node.state(), StateKind::Backup);
}

#[test]
fn a_weaker_master_that_would_still_win_does_not_hand_over() {
    let mut node = Node::master(with_script(Weight::new(20), |i| i.priority = 150));
    node.hear(LOW, 100);
    node.done.clear();
    node.script(1);
    assert!(node.adverts().iter().all(|(_, priority)| *priority != 0));
}

#[test]
fn handing_over_can_be_switched_off() {
    let mut spec = tutorial();
    spec.global.active_step_down = false;
    let mut node = Node::master(spec);
    node.script(1);
    node.advance(5 * SECOND);
    assert!(node.adverts().iter().all(|(_, priority)| *priority == 101));
}

#[test]
fn an_external_condition_steps_the_master_down() {
    let mut spec = spec(|i| i.track.externals.push(TrackRef::new("pool")));
    spec.externals.push(External::new("pool"));
    let mut node = Node::start(spec);
    node.input(Input::Track(Track::External("pool".into(), true)));
    node.advance(5 * SECOND);
    assert_eq!(node.state(), StateKind::Master);
    node.done.clear();
    node.input(Input::Track(Track::External("pool".into(), false)));
    assert_eq!(node.state(), StateKind::Fault);
    assert!(node.removed().is_some());
    assert_eq!(node.adverts().last().map(|(_, priority)| *priority), Some(0));
}

#[test]
fn a_higher_priority_is_told_with_the_next_advert_not_before() {
    let mut node = Node::master(tutorial());
    node.script(1);
    node.advance(3 * SECOND);
    node.done.clear();
    node.script(0);
    assert!(node.adverts().is_empty());
    node.advance(SECOND);
    assert_eq!(node.adverts().iter().map(|(_, priority)| *priority).collect::<Vec<_>>(), [121]);
}

#[test]
fn the_way_back_from_a_lost_link_is_a_whole_master_down_time() {
    let mut node = Node::master(spec(|_| ()));
    node.input(Input::Link(Link::new("eth0", false)));
    node.advance(SECOND);
    node.input(Input::Link(Link::new("eth0", true)));
    assert!(node.has_log("Netlink reports eth0 up") && node.has_log("(i) Entering BACKUP STATE"));
    node.done.clear();
    let up = node.elapsed();
    node.advance(4 * SECOND);
    assert_eq!(node.adverts().first(), Some(&(up + us(3_609_375), 100)));
}

#[test]
fn the_own_interface_can_be_left_untracked() {
    let mut node = Node::master(spec(|i| i.ignore_own_interface = true));
    node.input(Input::Link(Link::new("eth0", false)));
    assert_eq!(node.state(), StateKind::Master);
}

#[test]
fn a_link_that_comes_back_in_time_has_not_been_down() {
    let mut spec = spec(|_| ());
    let mut delay = vrrp::spec::LinkDelay::default();
    (delay.interface, delay.down) = ("eth0".into(), 2 * SECOND);
    spec.link_delays.push(delay);
    let mut node = Node::master(spec.clone());
    node.input(Input::Link(Link::new("eth0", false)));
    node.advance(SECOND);
    node.input(Input::Link(Link::new("eth0", true)));
    node.advance(5 * SECOND);
    assert_eq!(node.state(), StateKind::Master);
    node.input(Input::Link(Link::new("eth0", false)));
    node.advance(2 * SECOND);
    assert_eq!(node.state(), StateKind::Fault);
    // The separate interface loses its carrier together with the one below.
    spec.instances[0].vmac = Some(Vmac::new("vrrp.50"));
    let down_for_a_second = |spec: &Spec| {
        let mut node = Node::start(spec.clone());
        node.input(Input::Link(Link::new("vrrp.50", true)));
        node.advance(5 * SECOND);
        for up in [false, true] {
            node.input(Input::Link(Link::new("eth0", up)));
            node.input(Input::Link(Link::new("vrrp.50", up)));
            node.advance(SECOND);
        }
        node.notifications()
    };
    let undisturbed = [NotifyState::Backup, NotifyState::Master];
    assert_eq!(down_for_a_second(&spec), undisturbed);
    let mut own = vrrp::spec::LinkDelay::default();
    own.interface = "vrrp.50".into();
    spec.link_delays.push(own);
    assert!(down_for_a_second(&spec).contains(&NotifyState::Fault), "it has a delay of its own, of nothing");
}

#[test]
fn an_interface_created_again_gets_its_addresses_back() {
    let mut node = Node::master(spec(|i| {
        i.addresses[0].interface = Some("eth1".into());
    }));
    node.input(Input::Link(Link::absent("eth1")));
    node.input(Input::Link(Link::new("eth1", true)));
    assert!(node.added().is_some());
    assert_eq!(node.announcements().len(), 5);
}

#[test]
fn links_nobody_depends_on_are_not_worth_a_line() {
    let mut node = Node::master(spec(|_| ()));
    node.input(Input::Link(Link::new("veth7", true)));
    node.input(Input::Link(Link::new("veth7", false)));
    assert!(node.logs().is_empty());
}
