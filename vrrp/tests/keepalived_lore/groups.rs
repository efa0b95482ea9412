//! Sync groups.

use std::time::Duration;

use vrrp::spec::{Command, Prefix, Script, SyncGroup, TrackRef, VirtualAddress, Weight};
use vrrp::stats::StateKind;
use vrrp::{Input, Output};

use crate::common::*;

const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn grouped() -> vrrp::Spec {
    let mut spec = spec(|_| ());
    let mut second = instance();
    (second.name, second.vrid) = ("j".into(), 51);
    second.addresses = vec![VirtualAddress::new(Prefix::host([10, 0, 10, 4].into()))];
    spec.instances.push(second);
    spec.groups.push(SyncGroup::new("G", vec!["i".into(), "j".into()]));
    spec
}

fn states(node: &Node) -> Vec<StateKind> {
    node.router.snapshot(node.now).instances.iter().map(|instance| instance.state).collect()
}

#[test]
fn a_group_becomes_master_only_when_all_members_want_to() {
    let mut node = Node::start(grouped());
    for _ in 0..8 {
        let second = advert_for(&node.router.spec().instances[1].clone(), HIGH, 150);
        node.input(Input::Datagram(second));
        node.advance(SECOND);
    }
    assert_eq!(states(&node), [StateKind::Backup; 2]);
    node.advance(4 * SECOND);
    assert_eq!(states(&node), [StateKind::Master; 2]);
    assert!(node.has_log("VRRP_Group(G) Syncing instances to MASTER state"));
}

#[test]
fn a_group_leaves_the_mastership_together() {
    let mut node = Node::start(grouped());
    node.advance(5 * SECOND);
    node.done.clear();
    node.hear(HIGH, 150);
    assert_eq!(states(&node), [StateKind::Backup; 2]);
    assert!(node.has_log("VRRP_Group(G) Syncing instances to BACKUP state"));
    let group: Vec<_> = node
        .done
        .iter()
        .filter_map(|done| match &done.output {
            Output::Notify(notify) if notify.subject == vrrp::event::Subject::Group => {
                Some((notify.fifo_line(), notify.priority))
            }
            _ => None,
        })
        .collect();
    assert_eq!(group, [("GROUP \"G\" BACKUP 0\n".to_owned(), 0)]);
}

#[test]
fn one_fault_is_a_fault_of_the_whole_group() {
    let mut spec = grouped();
    spec.scripts.push(Script::new("c", Command::new(["/bin/check"])));
    spec.instances[1].track.scripts.push(TrackRef::new("c"));
    let mut node = Node::start(spec);
    node.script(0);
    node.advance(5 * SECOND);
    assert_eq!(states(&node), [StateKind::Master; 2]);
    node.done.clear();
    node.script(1);
    assert_eq!(states(&node), [StateKind::Fault; 2]);
    assert!(node.has_log("VRRP_Group(G) Syncing instances to FAULT state"));
    assert_eq!(node.adverts().len(), 4, "both say goodbye twice");
    let told = |node: &Node| -> Vec<String> {
        let line = |output: &Output| match output {
            Output::Notify(notify) => Some(notify.fifo_line()),
            _ => None,
        };
        node.done.iter().filter_map(|done| line(&done.output)).collect()
    };
    let lines = told(&node);
    assert!(lines.len() == 3 && lines.iter().all(|line| line.contains("FAULT")), "{lines:?}");
    assert!(lines[2].starts_with("GROUP"), "the group tells after its members");
    node.done.clear();
    node.script(0);
    assert_eq!(told(&node).len(), 3, "and so they do when they recover");
    assert_eq!(states(&node), [StateKind::Backup; 2]);
}

#[test]
fn a_rival_of_one_member_makes_the_whole_group_announce() {
    let mut node = Node::start(grouped());
    node.advance(20 * SECOND + ms(600));
    node.done.clear();
    node.hear(LOW, 50);
    assert_eq!(node.announcements().len(), 10);
}

#[test]
fn a_weaker_group_hands_over_all_members() {
    let mut spec = grouped();
    spec.groups[0].tracking_weight = true;
    spec.scripts.push(Script::new("c", Command::new(["/bin/check"])));
    spec.instances[1].track.scripts.push(TrackRef::weighted("c", Weight::new(20)));
    let mut node = Node::start(spec);
    node.script(0);
    node.advance(6 * SECOND);
    node.done.clear();
    node.script(1);
    assert_eq!(node.adverts().iter().map(|(_, priority)| *priority).collect::<Vec<_>>(), [0, 0]);
}

#[test]
fn a_group_that_steps_down_says_goodbye_for_every_member() {
    let mut node = Node::start(grouped());
    node.advance(5 * SECOND);
    node.done.clear();
    node.admin(vrrp::event::Admin::StepDown("j".into()));
    assert_eq!(states(&node), [StateKind::Backup; 2]);
    assert_eq!(node.adverts().iter().map(|(_, priority)| *priority).collect::<Vec<_>>(), [0, 0]);
}

#[test]
fn a_group_that_woke_up_late_says_goodbye_for_every_member() {
    let mut node = Node::start(grouped());
    node.advance(5 * SECOND);
    node.done.clear();
    node.freeze(6 * SECOND);
    node.hear(LOW, 50);
    assert_eq!(states(&node), [StateKind::Backup; 2]);
    assert_eq!(node.adverts().iter().map(|(_, priority)| *priority).collect::<Vec<_>>(), [0, 0]);
}
